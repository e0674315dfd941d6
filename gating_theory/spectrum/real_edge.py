"""Where spectra end on the real axis, right of all leaks: of many at once [T3]."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..support.roots import bracketed_root

__all__ = ["LEAK_TAIL", "UNBOUNDED", "falls_to_one", "real_edges", "upper_ends"]

#: The tail of the leaks' law that is left out: no network of a million units has such sites.
LEAK_TAIL = 1e-6
#: A spectrum that reaches beyond this is taken for one without bound.
UNBOUNDED = 1e9
#: Distances from the leaks, in their own size, at which T is looked at first.
_DISTANCES = np.append(10.0 ** np.linspace(-16, 0, 49), 2.0)
#: Secant steps for log T in the logarithm of the distance, how far apart their two points are, and where they end: their slope is
#: good to five digits.
_SECANTS, _APART, _CLOSE = 5, 1e-5, 1e-8
#: Values that an edge is interpolated among at first.
_AMONG = 6


def real_edges(log_edge: Callable[[np.ndarray, np.ndarray], np.ndarray], top: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The largest real lambda right of the leaks at which T is 1, of each of many spectra.

    Parameters
    ----------
    log_edge : function of the numbers (R,) of some spectra and of lambdas (R, L) for each of them, log T there
    top : (B,) array, where the leaks of each end

    Returns
    -------
    edges : (B,) array, NaN where T < 1 everywhere right of the leaks
    unbounded : (B,) bool array, where T > 1 as far as was looked
    """
    distance, value, unbounded = _looked_at(log_edge, top)
    edges = np.full(top.size, np.nan)
    rows = np.flatnonzero(~unbounded & (value > 0.0).any(axis=1))
    if rows.size:
        last = distance.shape[1] - 1 - np.argmax(value[rows, ::-1] > 0.0, axis=1)
        edges[rows] = top[rows] + np.exp(_closed_in(log_edge, rows, top, np.log(distance[rows]), value[rows], last))
    return edges, unbounded


def _looked_at(log_edge, top):
    """Distances (B, L) from the leaks' ends, so far that nothing is beyond, log T there, and where that is nowhere."""
    span, distance = np.maximum(np.abs(top), 1e-3), np.empty((top.size, _DISTANCES.size))
    value, left = np.empty(distance.shape), np.arange(top.size)
    unbounded = np.zeros(top.size, dtype=bool)
    while left.size:
        distance[left] = span[left, None] * _DISTANCES
        value[left] = log_edge(left, top[left, None] + distance[left])
        last = value[left, -2:].max(axis=1)  # T < 1 at both, and falling as 1/lambda^2: nothing beyond
        span[left] *= 4.0 * falls_to_one(last)
        left = left[~(last < 0.0)]
        unbounded[left[span[left] > UNBOUNDED]] = True
        left = left[span[left] <= UNBOUNDED]
    return distance, value, unbounded


def falls_to_one(log_edge: np.ndarray) -> np.ndarray:
    """By what a distance is to be multiplied so that T falls to 1, if it falls as 1/lambda^2 already."""
    return np.exp(0.5 * np.maximum(log_edge, 0.0))


def _closed_in(log_edge, rows, top, u, value, last):
    """Where log T vanishes between u[last] and u[last + 1]: inverse interpolation, secant steps, bisection where they stray."""

    def f(some, u):
        return log_edge(rows[some], top[rows[some], None] + np.exp(u))

    everyone = np.arange(rows.size)
    low, high = u[everyone, last], u[everyone, last + 1]
    near = np.clip(last - 2, 0, u.shape[1] - _AMONG)[:, None] + np.arange(_AMONG)
    guess = _inverse(u[everyone[:, None], near], value[everyone[:, None], near])
    done = np.zeros(rows.size, dtype=bool)
    for _ in range(_SECANTS):
        some = np.flatnonzero(~done & (low < guess) & (guess < high))
        if not some.size:
            break
        left, here = f(some, guess[some, None] + np.array([-_APART, 0.0])).T
        with np.errstate(all="ignore"):
            guess[some] -= here * _APART / (here - left)
        done[some] = np.abs(here) < _CLOSE
    astray = np.flatnonzero(~done | ~((low < guess) & (guess < high)))
    if astray.size:
        guess[astray] = bracketed_root(lambda v: f(astray, v[:, None])[:, 0], low[astray], high[astray])
    return guess


def _inverse(x, value):
    """Where functions (R, n) that fall through zero vanish, by the polynomial through x as a function of value; NaN without one."""
    ratio = value[:, None, :] - value[:, :, None]
    n = value.shape[1]
    ratio[:, range(n), range(n)] = 1.0
    with np.errstate(all="ignore"):
        ratio = value[:, None, :] / ratio
    ratio[:, range(n), range(n)] = 1.0
    falls = np.all(np.diff(value, axis=1) < 0.0, axis=1)
    return np.where(falls, np.einsum("rn,rn->r", ratio.prod(axis=2), x), np.nan)


def upper_ends(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Where the tails of laws, (B, G) values with (B, G) weights, reach ``LEAK_TAIL``, (B,); interpolated between nodes."""
    order = np.argsort(-values, axis=1)
    values = np.take_along_axis(values, order, axis=1)
    tail = np.cumsum(np.take_along_axis(weights, order, axis=1), axis=1)
    each, i = np.arange(len(values)), np.argmax(tail >= LEAK_TAIL, axis=1)
    before = np.maximum(i - 1, 0)
    with np.errstate(all="ignore"):
        lower, upper = np.log(tail[each, before]), np.log(tail[each, i])
        share = (np.log(LEAK_TAIL) - lower) / (upper - lower)
        between = values[each, before] + share * (values[each, i] - values[each, before])
    return np.where((i == 0) | (tail[each, before] <= 0.0), values[each, i], between)
