"""Averages over many variables of functions that feel one of them through a single number.

In the memory c = i g / (1 - f) of an LSTM all but y_g enter as p = i / (1 - f): the average over y_g is a function B(p) of one
number. It is known everywhere from few values, and what is left is an average over a grid with one dimension less.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

__all__ = ["averages_through"]

#: Chebyshev points of a piece of B, and what its last two coefficients may be of the largest one; how often pieces are halved.
_POINTS, _RESOLVED, _HALVINGS = 16, 1e-12, 12
#: Pieces in which B is below this part of its largest value are taken for zero: digits are lost next to underflow.
_NOTHING = 1e-290
#: Pieces in asinh(p), where functions of tanh and sigma times p are analytic in a strip of pi/2: their width, up to where, and how
#: it grows beyond, where B falls like a power of p.
_WIDTH, _CENTRE, _GROWTH, _WIDEST = 0.7, 4.2, 1.3, 3.5
#: Values of the inner function at once.
_AT_ONCE = 50_000


def averages_through(
    inner: Callable[..., list[np.ndarray]], at: np.ndarray, nodes: np.ndarray, weights: np.ndarray
) -> np.ndarray | None:
    """B(p) = sum_s weights_s inner(p, nodes_s) at an array of p.

    Parameters
    ----------
    inner : function of two arrays that broadcast, returns a list of one array
    at : array of p, of any shape
    nodes, weights : (n,) arrays

    Returns
    -------
    array of the shape of ``at``, to 1e-12 of the largest value within a factor of two or so of p; None where pieces that are small
    enough were not found
    """
    x = np.arcsinh(at.ravel())
    if not np.isfinite(x).all():
        return None

    def average(p):
        rows = max(1, _AT_ONCE // nodes.size)
        out = np.empty(p.size)
        for first in range(0, p.size, rows):
            part = p[first : first + rows, None]
            out[first : first + rows] = np.broadcast_to(inner(part, nodes)[0], (part.size, nodes.size)) @ weights
        return out

    known = _pieces(average, float(x.min()), float(x.max()))
    if known is None:
        return None
    a, b, coefficients = known
    return _values(a, b, coefficients, x).reshape(at.shape)


def _pieces(average, low, high):
    """Pieces of B(sinh x), ascending: where each begins and ends, and Chebyshev coefficients (_POINTS, m); None: see above."""
    points, matrix = _chebyshev()
    ends = _first_ends(low, high)
    a, b = ends[:-1], ends[1:]
    done, largest = [], 0.0
    for _ in range(_HALVINGS):
        middle, half = 0.5 * (a + b), 0.5 * (b - a)
        p = np.sinh(middle[:, None] + half[:, None] * points)
        coefficients = average(p.ravel()).reshape(p.shape) @ matrix
        size = np.abs(coefficients)
        largest = max(largest, float(size.max()))
        nothing = size.max(axis=1) <= _NOTHING * largest
        coefficients[nothing] = 0.0
        good = (size[:, -2:].max(axis=1) <= _RESOLVED * size.max(axis=1)) | nothing
        done.append((a[good], b[good], coefficients[good]))
        a, b, middle = a[~good], b[~good], middle[~good]
        if not a.size:
            break
        a, b = np.concatenate([a, middle]), np.concatenate([middle, b])
    else:
        return None
    a, b, coefficients = (np.concatenate(parts) for parts in zip(*done))
    order = np.argsort(a)
    return a[order], b[order], np.ascontiguousarray(coefficients[order].T)


def _first_ends(low, high):
    """Ends of pieces from low to high before any is halved."""
    side = list(np.arange(0.0, _CENTRE, _WIDTH))
    width = _WIDTH
    while side[-1] < max(-low, high):
        side.append(side[-1] + width)
        width = min(_WIDEST, _GROWTH * width)
    side = np.array(side)
    ends = np.concatenate([-side[:0:-1], side])
    inside = ends[(low < ends) & (ends < high)]
    return np.concatenate([[low], inside, [max(high, low + 1e-9)]])


def _values(a, b, coefficients, x):
    """The pieces' values at x, by Clenshaw's recurrence."""
    piece = np.maximum(np.searchsorted(a, x, side="right") - 1, 0)
    twice = x * (4.0 / (b - a)).take(piece) - (2.0 * (a + b) / (b - a)).take(piece)
    last, before = coefficients[-1].take(piece), np.zeros(x.size)
    for row in coefficients[-2:0:-1]:
        np.subtract(row.take(piece), before, out=before)
        before += twice * last
        last, before = before, last
    return 0.5 * twice * last - before + coefficients[0].take(piece)


@lru_cache(maxsize=1)
def _chebyshev():
    """Chebyshev points (n,), and the (n, n) matrix from values there to coefficients."""
    angle = np.pi * (np.arange(_POINTS) + 0.5) / _POINTS
    matrix = 2.0 / _POINTS * np.cos(angle[:, None] * np.arange(_POINTS))
    matrix[:, 0] *= 0.5
    return np.cos(angle), matrix
