"""Zeros and extrema of smooth functions that are cheap to evaluate at many points at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

__all__ = ["smooth_roots", "smooth_extremum", "bracketed_root"]

#: A function of an array.
Function = Callable[[np.ndarray], np.ndarray]

#: Degree of the Chebyshev interpolant on a bracket; the functions here are analytic well beyond their brackets.
_DEGREE = 12
_NODES = np.cos(np.pi * (np.arange(_DEGREE + 1) + 0.5) / (_DEGREE + 1))


def _interpolant(f, a, b):
    values = f(0.5 * (a + b) + 0.5 * (b - a) * _NODES)
    return np.polynomial.chebyshev.Chebyshev.fit(_NODES, values, _DEGREE, domain=[-1, 1])


def smooth_roots(f: Function, a: float, b: float, fine: Function | None = None) -> list[float]:
    """Zeros of f in [a, b]: those of its Chebyshev interpolant, polished by Newton steps with the interpolant's slope.

    ``f`` takes an array; ``fine`` (default f) is a more accurate version of it, used for the polishing only.
    """
    fine = f if fine is None else fine
    series = _interpolant(f, a, b)
    slope = series.deriv()
    out: list[float] = []
    for t in (z.real for z in series.roots() if abs(z.imag) < 1e-7 and -1 <= z.real <= 1):
        v, derivative = 0.5 * (a + b) + 0.5 * (b - a) * t, slope(t) * 2.0 / (b - a)
        for _ in range(8):
            if derivative == 0.0:
                break
            step = -float(fine(np.array([v]))[0]) / derivative
            v += float(np.clip(step, -0.1 * (b - a), 0.1 * (b - a)))
            if abs(step) < 1e-9:  # the slope is good to five digits or more: what is left is below 1e-14
                break
        if not any(abs(v - w) < 1e-9 for w in out):
            out.append(v)
    return out


def smooth_extremum(f: Function, a: float, b: float, largest: bool = True) -> tuple[float, float] | None:
    """(position, value) of the largest interior maximum (smallest minimum) of f on [a, b], or None."""
    series = _interpolant(f, a, b)
    flat = [z.real for z in series.deriv().roots() if abs(z.imag) < 1e-6 and -1 <= z.real <= 1]
    if not flat:
        return None
    t = (max if largest else min)(flat, key=lambda z: float(series(z)))
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
