"""Where two curves of a plane cross: pieces of their polygons that do, closed in on with their splines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.interpolate import CubicSpline

__all__ = ["crossings"]

#: Pieces of a polygon for each interval between points, corrections of Newton's method, and where it has converged (in lengths).
_PIECES, _ITERATIONS, _CLOSE = 8, 30, 1e-13
#: Crossings nearer than this, in units of the box, are one.
_SAME = 1e-7


def crossings(s: np.ndarray, first: CubicSpline, t: np.ndarray, second: CubicSpline, scale: np.ndarray) -> list[list[float]]:
    """[x, y, blur] of all crossings of two curves; errors of the curves move a crossing by ``blur`` times as much.

    Parameters
    ----------
    s, t : (k,), (m,) arrays, lengths at which the points of each stand, two or more
    first, second : splines, (x, y) as a function of the length
    scale : (2,) array, units of x and y
    """
    s, t = _fine(s), _fine(t)
    a, b = first(s) / scale, second(t) / scale
    found: list[np.ndarray] = []
    for i, j in _pairs(a, b):
        place = _closed_in(first, second, 0.5 * (s[i] + s[i + 1]), 0.5 * (t[j] + t[j + 1]), scale)
        if place is None:
            continue
        u, v, blur = place
        if not (-1e-9 <= u <= s[-1] + 1e-9 and -1e-9 <= v <= t[-1] + 1e-9):
            continue
        point = first(np.clip(u, 0.0, s[-1]))
        if not any(np.linalg.norm((point - p[:2]) / scale) < _SAME for p in found):
            found.append(np.array([*point, blur]))
    return [p.tolist() for p in found]


def _fine(lengths):
    return np.interp(np.arange(_PIECES * (len(lengths) - 1) + 1) / _PIECES, np.arange(len(lengths)), lengths)


def _pairs(a, b):
    """Pairs of pieces of two polygons (m, 2), (k, 2) that cross, or come near to it."""
    d, e = np.diff(a, axis=0), np.diff(b, axis=0)
    gap = b[None, :-1] - a[:-1, None]
    cross = d[:, None, 0] * e[None, :, 1] - d[:, None, 1] * e[None, :, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        p = (gap[..., 0] * e[None, :, 1] - gap[..., 1] * e[None, :, 0]) / cross
        q = (gap[..., 0] * d[:, None, 1] - gap[..., 1] * d[:, None, 0]) / cross
    near = (p >= -0.5) & (p <= 1.5) & (q >= -0.5) & (q <= 1.5)
    return np.argwhere(near)


def _closed_in(first, second, u, v, scale):
    """(u, v, blur) where two splines meet, by Newton's method from two lengths; None where they do not."""
    for _ in range(_ITERATIONS):
        slopes = np.column_stack([first(u, 1), -second(v, 1)]) / scale[:, None]
        off = (first(u) - second(v)) / scale
        if abs(np.linalg.det(slopes)) < 1e-12:
            return None
        change = np.linalg.solve(slopes, -off)
        u, v = u + change[0], v + change[1]
        if not np.abs(change).max() < 10.0:
            return None
        if np.abs(change).max() < _CLOSE * max(1.0, abs(u), abs(v)):
            return u, v, float(np.linalg.norm(np.linalg.inv(slopes), 2))
    return None
