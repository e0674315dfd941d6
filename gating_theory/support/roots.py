"""Zeros and extrema of smooth functions that are cheap to evaluate at many points at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

__all__ = ["Root", "bracketed_root", "derivatives", "smooth_extremum", "smooth_roots"]

#: A function of an array, and one of an array of positions and of the numbers of the brackets that these are in.
Function = Callable[[np.ndarray], np.ndarray]
Bracketed = Callable[[np.ndarray, np.ndarray], np.ndarray]

#: Degree of the Chebyshev interpolant on a bracket; the functions here are analytic well beyond their brackets.
_DEGREE = 12
_NODES = np.cos(np.pi * (np.arange(_DEGREE + 1) + 0.5) / (_DEGREE + 1))
#: Functions are evaluated with this error at best; a root that it moves by more than this part of the bracket is none.
_ROUNDING, _VAGUE = 1e-15, 0.1
#: An extremum of the interpolant whose distance from zero is less than so many of its errors is looked at with the better function.
_DOUBT = 30.0
_POLISHING = 8
#: Zeros of interpolants, whose brackets are 2 wide, are closed in on to this, with so many halvings at most.
_CLOSE, _HALVINGS = 1e-12, 60


class Root(float):
    """A zero of a smooth function: a float that also carries the function's ``slope`` and ``curvature`` there."""

    slope: float
    curvature: float

    def __new__(cls, position: float, slope: float, curvature: float) -> Root:
        self = super().__new__(cls, position)
        self.slope, self.curvature = float(slope), float(curvature)
        return self

    def shift(self, error: float) -> float:
        """By how much an error of the function moves the root: the error over the slope, near a double root a square root of it.

        Parameters
        ----------
        error : float >= 0
        """
        slope, bend = abs(self.slope), abs(self.curvature)
        under = slope + np.sqrt(slope * slope + 2.0 * bend * error)
        return float(2.0 * error / under) if under > 0.0 else np.inf


#: From values at the nodes to Chebyshev coefficients (the first one whole), and from these to those of the derivative.
_FIT = np.cos(np.outer(np.arange(_DEGREE + 1), np.arccos(_NODES))) * 2.0 / (_DEGREE + 1)
_FIT[0] *= 0.5
_DERIVE = np.polynomial.chebyshev.chebder(np.eye(_DEGREE + 1))
_DERIVE_TWICE = np.polynomial.chebyshev.chebder(np.eye(_DEGREE + 1), 2)


def smooth_roots(
    f: Bracketed, a: npt.ArrayLike, b: npt.ArrayLike, fine: Bracketed | None = None, touch: float = 1e-13
) -> list[list[Root]]:
    """Zeros of functions f_i in [a_i, b_i], one for each change of sign between extrema, and double ones where one touches zero.

    Extrema are those of a Chebyshev interpolant of f. Where one comes so near zero that the interpolant may be wrong about its
    sign, one of ``fine`` is made. Roots are polished by Newton steps on ``fine`` that stay between their extrema. What rounding
    alone would move through the bracket is no root.

    Parameters
    ----------
    f : function of positions (M,) and of the numbers (M,) of the brackets that they are in
    a, b : (I,) arrays, the brackets
    fine : a more accurate version of f, used for polishing only; default f
    touch : float
        An extremum this near to zero is a double root: the accuracy of ``fine``.

    Returns
    -------
    list of I lists of Root, each ascending
    """
    a, b = np.atleast_1d(np.asarray(a, dtype=float)), np.atleast_1d(np.asarray(b, dtype=float))
    middle, half = 0.5 * (a + b), 0.5 * (b - a)

    def placed(function):
        """A function of positions t in (-1, 1) within brackets i."""
        return lambda t, i: function(middle[i] + half[i] * t, i)

    rough, better = placed(f), placed(f if fine is None else fine)
    series = _series(rough, np.arange(a.size))
    flat = [_flat(c) for c in series]
    if fine is not None:
        which, t = _joined(flat)
        if t.size:
            heights, true = _values(series[which], t), better(t, which)
            doubtful = np.unique(which[np.abs(true) <= touch + _DOUBT * np.abs(heights - true)])
            if doubtful.size:
                series[doubtful] = _series(better, doubtful)
                for i in doubtful:
                    flat[i] = _flat(series[i])
    which, ends = _joined([np.concatenate([[-1.0], extrema, [1.0]]) for extrema in flat])
    heights = _values(series[which], ends)
    slope, bend = series @ _DERIVE.T / half[:, None], series @ _DERIVE_TWICE.T / half[:, None] ** 2

    def roots(t, i):
        return [Root(*values) for values in zip((middle[i] + half[i] * t).tolist(), _values(slope[i], t), _values(bend[i], t))]

    inner = np.concatenate([[False], (which[2:] == which[1:-1]) & (which[1:-1] == which[:-2]), [False]])
    touches = inner & (np.abs(heights) <= touch)
    low = np.flatnonzero(which[1:] == which[:-1])
    at_low, at_high = heights[low], heights[low + 1]
    # next to an extremum that touches zero there is no other root
    crosses = (at_low * at_high <= 0.0) & (np.maximum(np.abs(at_low), np.abs(at_high)) > touch) & ~touches[low] & ~touches[low + 1]
    low, double = low[crosses], np.flatnonzero(touches)
    t = _polished(series[which[low]], better, which[low], ends[low], ends[low + 1])
    found: list[list[Root]] = [[] for _ in range(a.size)]
    for i, root in zip(which[double], roots(ends[double], which[double])):
        if root.shift(touch) < _VAGUE * half[i]:
            found[i].append(root)
    for i, root in zip(which[low], roots(t, which[low])):
        found[i].append(root)
    return [sorted(r for r in some if r.shift(_ROUNDING) < _VAGUE * h) for some, h in zip(found, half)]


def _series(f, brackets):
    """(I, degree + 1) Chebyshev coefficients of a function in brackets."""
    t, i = np.tile(_NODES, brackets.size), np.repeat(brackets, _NODES.size)
    return f(t, i).reshape(-1, _NODES.size) @ _FIT.T


def _values(series, t):
    """Values (M,) of a series each, (M, n), at one place t (M,) each in (-1, 1)."""
    powers = np.arange(series.shape[1])
    return np.einsum("mn,mn->m", series, np.cos(powers * np.arccos(np.clip(t, -1.0, 1.0))[:, None]))


def _flat(series):
    """A series' extrema within (-1, 1), ascending."""
    slope = _DERIVE @ series
    if np.abs(slope[0]) > np.abs(slope[1:]).sum():
        return np.zeros(0)  # no other term of the slope outweighs the first
    zeros = np.polynomial.chebyshev.Chebyshev(slope).roots()
    return np.array(sorted(z.real for z in zeros if abs(z.imag) < 1e-6 and -1 < z.real < 1))


def _joined(parts):
    """Numbers of the parts, each repeated as often as it has members, and their members, in one array each."""
    sizes = [len(part) for part in parts]
    return np.repeat(np.arange(len(parts)), sizes), np.concatenate([*parts, np.zeros(0)])


def _polished(series, f, which, low, high):
    """Zeros (M,) of f between two extrema each of its interpolants (M, n): Newton with the interpolants' slopes."""
    slope = series @ _DERIVE.T
    t = _zeros(series, slope, low, high)
    best, least = t.copy(), np.full(t.size, np.inf)
    left = np.arange(t.size)
    for _ in range(_POLISHING):
        if not left.size:
            break
        value, steepness = f(t[left], which[left]), _values(slope[left], t[left])
        nearer = np.abs(value) < least[left]
        best[left[nearer]], least[left[nearer]] = t[left[nearer]], np.abs(value[nearer])
        step = np.divide(-value, steepness, out=np.zeros(left.size), where=steepness != 0.0)
        trial = t[left] + step
        going = (np.abs(step) >= 1e-15) & (low[left] <= trial) & (trial <= high[left])
        # the slope is good to five digits or more: what is left of a short step is below 1e-14
        done = going & (np.abs(step) < 1e-9)
        t[left] = trial
        best[left[done]] = trial[done]
        left = left[going & ~done]
    return best


def _zeros(series, slope, low, high):
    """Zeros (M,) of series (M, n) between two extrema each: Newton's method, halving where it leaves the bracket."""
    low, high = low.copy(), high.copy()
    at_low, at_high = _values(series, low), _values(series, high)
    t = np.where(at_low == 0.0, low, np.where(at_high == 0.0, high, 0.5 * (low + high)))
    up = at_high > at_low
    for _ in range(_HALVINGS):
        value = _values(series, t)
        right = (value > 0.0) == up  # the zero is to the left of t
        high, low = np.where(right, t, high), np.where(right, low, t)
        with np.errstate(divide="ignore", invalid="ignore"):
            trial = t - value / _values(slope, t)
        trial = np.where((low <= trial) & (trial <= high), trial, 0.5 * (low + high))
        moved, t = np.abs(trial - t), np.where(value == 0.0, t, trial)
        if np.all((moved < _CLOSE) | (value == 0.0)):
            break
    return t


def smooth_extremum(f: Function, a: float, b: float, largest: bool = True) -> tuple[float, float] | None:
    """(position, value) of the largest interior maximum (smallest minimum) of f on [a, b], or None."""
    (series,) = _series(lambda t, _: f(0.5 * (a + b) + 0.5 * (b - a) * t), np.zeros(1, dtype=int))
    flat, sign = _flat(series), 1.0 if largest else -1.0
    many = np.ones((flat.size, 1))
    flat = flat[sign * _values(many * (_DERIVE_TWICE @ series), flat) < 0.0]
    if not flat.size:
        return None
    heights = _values(np.ones((flat.size, 1)) * series, flat)
    i = int(np.argmax(sign * heights))
    return 0.5 * (a + b) + 0.5 * (b - a) * float(flat[i]), float(heights[i])


def derivatives(f: Function, center: float, half: float, count: int = 2) -> np.ndarray:
    """(count + 1,) array: a function and its first derivatives at a point, from its interpolant of degree 12 around it.

    Parameters
    ----------
    f : function of an array, smooth within ``half`` of the point
    center, half : float
    count : int in [0, 12]
    """
    (series,) = _series(lambda t, _: f(center + half * t), np.zeros(1, dtype=int))
    parts = [series, *(np.polynomial.chebyshev.chebder(series, order) for order in range(1, count + 1))]
    return np.array([np.polynomial.chebyshev.chebval(0.0, part) / half**order for order, part in enumerate(parts)])


def bracketed_root(f: Function, low: npt.ArrayLike, high: npt.ArrayLike) -> np.ndarray:
    """Roots of a vectorised f between arrays low (f > 0) and high (f < 0), to rounding: secant steps guarded by bisection."""
    low, high = np.array(low, dtype=float), np.array(high, dtype=float)
    f_low, f_high = f(low), f(high)
    for iteration in range(200):
        width = np.abs(high - low)
        if np.all(width <= 4e-16 * np.maximum(np.abs(high), 1e-3)):
            break
        with np.errstate(all="ignore"):
            secant = high - f_high * (high - low) / (f_high - f_low)
        # keep a sliver to either side, so that both ends close in
        inner = np.minimum(low, high) + 1e-3 * width, np.maximum(low, high) - 1e-3 * width
        use = (np.abs(f_low) < 3.0) & np.isfinite(secant) & (iteration % 3 != 2)
        trial = np.where(use, np.clip(secant, *inner), 0.5 * (low + high))
        value = f(trial)
        up = value > 0.0
        low, f_low = np.where(up, trial, low), np.where(up, value, f_low)
        high, f_high = np.where(up, high, trial), np.where(up, f_high, value)
        if np.all(np.abs(value) < 2e-15):
            return trial
    return 0.5 * (low + high)
