"""Where lines of a plane pass by: changes of sign between the points of a grid, closed in on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..errors import CapabilityError, ConvergenceError
from .conditions import FoldCondition, solve

if TYPE_CHECKING:
    from .conditions import Condition
    from .plane import Plane

__all__ = ["line_starts", "start_near"]

#: Log moments of one solution at neighbouring points of the grid differ by less than this.
_APART = 3.0
#: From which shares of the way between two points a place is closed in on, one after the other.
_SHARES = (0.5, 0.15, 0.85)
#: Two starts nearer than this, in units of the box, are one.
_SAME = 1e-6


def line_starts(condition: Condition, plane: Plane, n: int, tell: Callable[[int], object] = int) -> list[np.ndarray]:
    """Points of a condition's lines on a grid of n columns and n rows, those along the edges included.

    Each is where what vanishes on the line changes its sign between neighbouring crossings of the grid.

    Parameters
    ----------
    condition : Condition
    plane : Plane
    n : int >= 2
    tell : callable(n), told of every crossing that was looked at

    Returns
    -------
    list of (2 + n_unknowns,) arrays, x, y and the unknowns
    """
    axes = [low + width * np.linspace(0.0, 1.0, n) for low, width in zip(plane.low, plane.widths)]
    known = {}
    for i, x in enumerate(axes[0]):
        for j, y in enumerate(axes[1]):
            known[i, j] = _looked_at(condition, plane, x, y)
            tell(1)
    found: list[np.ndarray] = []
    for (i, j), here in known.items():
        for axis, other in ((0, (i + 1, j)), (1, (i, j + 1))):
            for u, v in _changes(here, known.get(other, [])):
                start = _between(condition, plane, axis, (axes[0][i], axes[1][j]), axes[axis][other[axis]], u, v)
                if start is not None and not any(_same(plane, start, one) for one in found):
                    found.append(start)
    return found


def start_near(condition: Condition, plane: Plane, x: float, y: float) -> list[np.ndarray]:
    """Points of a condition's lines next to a point of the plane, by its unknowns there; arguments as of :func:`line_starts`."""
    return [np.array([x, y, *u]) for u, _ in _looked_at(condition, plane, x, y)]


def _looked_at(condition, plane, x, y):
    """[(unknowns, what changes its sign across a line)] at a point."""
    try:
        ensemble = plane.at(x, y)
        starts = condition.starts(ensemble)
        # G at its maxima of a fold, the quantity at a solution: what the unknowns do not make vanish
        place = 0 if isinstance(condition, FoldCondition) else -1
        values = [condition.residuals(ensemble, u)[place] for u in starts]
    except (CapabilityError, ConvergenceError, ValueError):
        return []
    return [(u, float(value)) for u, value in zip(starts, values) if np.isfinite(value)]


def _changes(here, there):
    """Pairs of unknowns of one and the same solution at two points between which the sign changes."""
    found = []
    for u, value in here:
        near = [(float(np.abs(u - v).sum()), v, other) for v, other in there]
        near = [one for one in near if one[0] < _APART]
        if near:
            _, v, other = min(near, key=lambda one: one[0])
            if value * other < 0.0 or value == 0.0:
                found.append((u, v))
    return found


def _between(condition, plane, axis, corner, end, u, v):
    """The point of a line between two points of the grid, or None where none is reached."""
    begin = corner[axis]

    def at(value):
        place = list(corner)
        place[axis] = value
        return plane.at(*place)

    for share in _SHARES:
        try:
            solved = solve(condition, at, begin + share * (end - begin), u + share * (v - u))
        except (CapabilityError, ConvergenceError, ValueError):
            continue
        if min(begin, end) <= solved.value <= max(begin, end):
            place = list(corner)
            place[axis] = solved.value
            return np.array([*place, *solved.unknowns])
    return None


def _same(plane, one, other):
    near = np.linalg.norm((one[:2] - other[:2]) / plane.widths) < _SAME
    return bool(near and np.abs(one[2:] - other[2:]).sum() < _SAME**0.5)
