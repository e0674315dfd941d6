"""Whether a spectrum reaches beyond a vertical line or a circle, as a number that is smooth where the outermost eigenvalue is not.

T(lambda) is subharmonic where there are no leaks and vanishes far away: there is support beyond a line or a circle that all leaks
are on the near side of if and only if T > 1 somewhere on it [T3]. The largest T on it is a smooth function of hyperparameters, also
where the abscissa and the radius have kinks, because leaks lie further out than the rest, or a plateau, because leaks that are
spread reach up to one value whatever the gains.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..mean_field.fixed_point import FixedPoint
from .boundary import Boundary
from .edge import FixedPointEdge

__all__ = ["at", "outside", "right_of"]

#: Angles and heights at which T is looked at, decades of heights about the largest one that counts.
_ANGLES, _HEIGHTS, _DECADES = 65, 49, (-6.0, 1.0)
#: The largest is zoomed in on so many times, by so many points; a parabola has the rest.
_ZOOMS, _POINTS = 4, 9


def at(point: FixedPoint, lam: complex) -> float:
    """log T(lambda) at one lambda that is no leak [T3].

    Parameters
    ----------
    point : FixedPoint
    lam : complex
    """
    return float(Boundary(FixedPointEdge(point)).log_edge(lam))


def right_of(point: FixedPoint, x: float) -> float | None:
    """log of the largest T on the vertical line Re lambda = x, None where leaks lie on it or right of it.

    Its sign is that of the abscissa of the support minus x.

    Parameters
    ----------
    point : FixedPoint
    x : float
    """
    edge = FixedPointEdge(point)
    if not _furthest(edge.leaks.real, edge) < x:
        return None
    boundary = Boundary(edge)
    if edge.falls_off_axis:
        return float(boundary.log_edge(x))
    heights = max(1.0, abs(x)) * np.append(0.0, 10.0 ** np.linspace(*_DECADES, _HEIGHTS))
    return _largest(lambda y: boundary.log_edge(x + 1j * y), heights)


def outside(point: FixedPoint, radius: float) -> float | None:
    """log of the largest T on the circle |lambda| = radius, None where leaks lie on it or beyond.

    Its sign is that of the radius of the support minus the circle's.

    Parameters
    ----------
    point : FixedPoint
    radius : float
    """
    edge = FixedPointEdge(point)
    if not _furthest(np.abs(edge.leaks), edge) < radius:
        return None
    boundary = Boundary(edge)
    return _largest(lambda angle: boundary.log_edge(radius * np.exp(1j * angle)), np.linspace(0.0, np.pi, _ANGLES))


def _furthest(leaks, edge):
    """How far leaks reach: those of the grid, and the ends of what their law covers."""
    return max([float(leaks.max()), *(high for _, high in edge.continua)]) if leaks.size else -np.inf


def _largest(function: Callable[[np.ndarray], np.ndarray], places: np.ndarray) -> float:
    """The largest value of a smooth function over a range in which places tell where it is."""
    values = function(places)
    for _ in range(_ZOOMS):
        best = int(np.argmax(values))
        if best in (0, places.size - 1):  # the axis, by symmetry an extremum
            return float(values[best])
        places = np.linspace(places[best - 1], places[best + 1], _POINTS)
        values = function(places)
    best = min(max(int(np.argmax(values)), 1), _POINTS - 2)
    low, middle, high = values[best - 1 : best + 2]
    bend = low - 2.0 * middle + high
    return float(middle - (high - low) ** 2 / (8.0 * bend)) if bend < 0.0 else float(values.max())
