"""All states on a line of amplitudes: zeros of the growth of an amplitude whose shape has been solved for [T8]."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import numpy as np

__all__ = ["Grown", "growth_slope", "secant", "zeros_of_growth"]

#: Logarithms of amplitudes are found to this, and to the second by rough shapes first.
_TOL, _ROUGH = 1e-12, 1e-4
#: Secants: their number, what the first two points are apart, the largest step.
_SECANT, _APART, _LARGEST = 12, 1e-4, 0.1
#: Two states between two amplitudes are looked for at a summit or in a dip of the scan that is this near to zero.
_NEAR = 0.1


class Grown(Protocol):
    """A shape of a given amplitude."""

    @property
    def growth(self) -> float:
        """log of what the amplitude is multiplied by."""


S = TypeVar("S", bound=Grown)
#: Shapes by their amplitude, from a neighbour or from nothing; a rough one where little more than the sign of its growth counts.
Shapes = Callable[[float, "S | None", bool], S]


def zeros_of_growth(shape: Shapes[S], low: float, high: float, n_looks: int, rough: bool = False) -> list[S]:
    """Shapes of growth zero, the largest amplitude first.

    Parameters
    ----------
    shape : Shapes
    low, high : float > 0
    n_looks : int, amplitudes at which the growth is looked at first
    rough : bool, whether rough shapes are enough
    """
    from scipy.optimize import brentq

    last: S | None = None

    def at(log_size):
        nonlocal last
        last = shape(float(np.exp(log_size)), last, True)
        return last.growth

    places = [float(place) for place in np.linspace(np.log(high), np.log(low), n_looks)]
    heights = [at(place) for place in places]
    hidden = [_hidden(at, places[k - 1 : k + 2], heights[k - 1 : k + 2]) for k in range(1, n_looks - 1)]
    for place, height in filter(None, hidden):
        k = sum(other > place for other in places)
        places.insert(k, place)
        heights.insert(k, height)
    out = []
    for a, b, first, second in zip(places, places[1:], heights, heights[1:]):
        if first * second < 0.0:
            ends = {a: first, b: second}  # from another neighbour rough heights next to zero may have another sign
            near = brentq(lambda x, ends=ends: ends[x] if x in ends else at(x), b, a, xtol=_ROUGH)
            out.append(shape(float(np.exp(near)), last, True) if rough else _polished(shape, near, last))
            last = out[-1]
    return out


def _hidden(at, places, heights):
    """(place, height) beyond zero between three looks of which the middle one is the nearest to zero; None where there is none."""
    from scipy.optimize import minimize_scalar

    way = 1.0 if heights[1] < 0.0 else -1.0  # towards zero
    before, here, after = (way * height for height in heights)
    if not (-_NEAR < here < 0.0 and here > max(before, after)):
        return None
    found = minimize_scalar(lambda x: -way * at(x), bounds=(places[2], places[0]), method="bounded", options={"xatol": 1e-3})
    return (float(found.x), -way * float(found.fun)) if found.fun < 0.0 else None


def _polished(shape, place, near):
    """The state next to an amplitude that is about known."""
    found = near

    def growth(log_size):
        nonlocal found
        found = shape(float(np.exp(log_size)), found, False)
        return found.growth

    secant(growth, place, _APART, _TOL, _LARGEST)
    return found


def secant(function: Callable[[float], float], x: float, apart: float, tol: float, largest: float) -> float:
    """A zero next to ``x``, by secants; the function has been called there last.

    Parameters
    ----------
    function : callable
    x : float
    apart : float, what the first two points are apart
    tol, largest : float, steps that end the search and that are not exceeded
    """
    before, at_before = x, function(x)
    x += apart
    for _ in range(_SECANT):
        here = function(x)
        step = here * (x - before) / (here - at_before) if here != at_before else 0.0
        if abs(step) < tol:
            break
        before, at_before = x, here
        x -= float(np.clip(step, -largest, largest))
    return before if abs(step) >= tol else x


def growth_slope(shape: Shapes[S], size: float, found: S, width: float = 1e-2) -> float:
    """Slope of the growth in the logarithm of the amplitude at a state: negative where iteration returns to it.

    Parameters
    ----------
    shape : Shapes
    size : float, amplitude of the state
    found : the state
    width : float, of the difference quotient
    """
    above, below = (shape(size * float(np.exp(way * width)), found, True).growth for way in (1.0, -1.0))
    return (above - below) / (2.0 * width)
