"""Zeros and extrema of smooth functions that are cheap to evaluate at many points at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

__all__ = ["Root", "bracketed_root", "smooth_extremum", "smooth_roots"]

#: A function of an array.
Function = Callable[[np.ndarray], np.ndarray]

#: Degree of the Chebyshev interpolant on a bracket; the functions here are analytic well beyond their brackets.
_DEGREE = 12
_NODES = np.cos(np.pi * (np.arange(_DEGREE + 1) + 0.5) / (_DEGREE + 1))
#: Functions are evaluated with this error at best; a root that it moves by more than this part of the bracket is none.
_ROUNDING, _VAGUE = 1e-15, 0.1
#: An extremum of the interpolant whose distance from zero is less than so many of its errors is looked at with the better function.
_DOUBT = 30.0
_POLISHING = 8


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


def _interpolant(f, a, b):
    values = f(0.5 * (a + b) + 0.5 * (b - a) * _NODES)
    return np.polynomial.chebyshev.Chebyshev.fit(_NODES, values, _DEGREE, domain=[-1, 1])


def smooth_roots(f: Function, a: float, b: float, fine: Function | None = None, touch: float = 1e-13) -> list[Root]:
    """Zeros of f in [a, b], one for each change of sign between its extrema, and double ones where an extremum touches zero.

    Extrema are those of a Chebyshev interpolant of f. Where one comes so near zero that the interpolant may be wrong about its
    sign, one of ``fine`` is made. Roots are polished by Newton steps on ``fine`` that stay between their extrema. What rounding
    alone would move through the bracket is no root.

    Parameters
    ----------
    f : function of an array
    a, b : float
    fine : a more accurate version of f, used for polishing only; default f
    touch : float
        An extremum this near to zero is a double root: the accuracy of ``fine``.

    Returns
    -------
    list of Root, ascending
    """
    series, better = _interpolant(f, a, b), f if fine is None else fine
    flat = _flat(series)
    if fine is not None and flat.size:
        heights, true = series(flat), better(0.5 * (a + b) + 0.5 * (b - a) * flat)
        if np.any(np.abs(true) <= touch + _DOUBT * np.abs(heights - true)):
            series = _interpolant(better, a, b)
            flat = _flat(series)
    scale = 2.0 / (b - a)
    slope, bend = series.deriv(), series.deriv(2)

    def root(t):
        return Root(0.5 * (a + b) + 0.5 * (b - a) * t, slope(t) * scale, bend(t) * scale**2)

    ends = np.concatenate([[-1.0], flat, [1.0]])
    heights = series(ends)
    found = []
    for i in range(ends.size - 1):
        touching = 0 < i and abs(heights[i]) <= touch
        if touching and root(ends[i]).shift(touch) * scale < _VAGUE:
            found.append(root(ends[i]))
        crosses = heights[i] * heights[i + 1] <= 0.0 and max(abs(heights[i]), abs(heights[i + 1])) > touch
        # next to an extremum that touches zero there is no other root
        if crosses and not touching and not (i + 1 < ends.size - 1 and abs(heights[i + 1]) <= touch):
            found.append(root(_polished(series, better, a, b, ends[i], ends[i + 1])))
    return [r for r in found if r.shift(_ROUNDING) * scale < _VAGUE]


def _flat(series):
    """The interpolant's extrema within (-1, 1), ascending."""
    return np.array(sorted(z.real for z in series.deriv().roots() if abs(z.imag) < 1e-6 and -1 < z.real < 1))


def _polished(series, f, a, b, low, high):
    """The zero of f between two extrema of its interpolant, both in units of the bracket: Newton with the interpolant's slope."""
    slope, at_low, at_high = series.deriv(), series(low), series(high)
    t = low if at_low == 0 else high
    if at_low * at_high < 0:
        t = float(bracketed_root(lambda x: np.sign(at_low) * series(x), low, high))
    best = t
    least = np.inf
    for _ in range(_POLISHING):
        value, steepness = float(f(np.array([0.5 * (a + b) + 0.5 * (b - a) * t]))[0]), float(slope(t))
        if abs(value) < least:
            best, least = t, abs(value)
        if steepness == 0.0:
            break
        step = -value / steepness
        if abs(step) < 1e-15 or not low <= t + step <= high:
            break
        t += step
        if abs(step) < 1e-9:  # the slope is good to five digits or more: what is left is below 1e-14
            return t
    return best


def smooth_extremum(f: Function, a: float, b: float, largest: bool = True) -> tuple[float, float] | None:
    """(position, value) of the largest interior maximum (smallest minimum) of f on [a, b], or None."""
    series = _interpolant(f, a, b)
    bend, sign = series.deriv(2), 1.0 if largest else -1.0
    flat = [t for t in _flat(series) if sign * bend(t) < 0.0]
    if not flat:
        return None
    t = max(flat, key=lambda z: sign * float(series(z)))
    return 0.5 * (a + b) + 0.5 * (b - a) * t, float(series(t))


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
