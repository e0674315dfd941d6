"""Where lines of a plane pass by: changes of sign between the points of a grid, closed in on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..errors import CapabilityError, ConvergenceError
from .conditions import FoldCondition, solve

if TYPE_CHECKING:
    from .conditions import Condition
    from .line import LineCurve
    from .plane import Plane

__all__ = ["Side", "line_starts", "start_near"]

#: Halvings by which it is found how far a solution goes that a neighbour does not have.
_HALVINGS = 7
#: Log moments of one solution at neighbouring points of the grid differ by less than this.
_APART = 3.0
#: From which shares of the way between two points a place is closed in on, one after the other.
_SHARES = (0.5, 0.15, 0.85)
#: Two starts nearer than this, in units of the box, are one.
_SAME = 1e-6


def line_starts(
    condition: Condition, plane: Plane, n: int, tell: Callable[[int], object] = int
) -> tuple[list[np.ndarray], list[Side]]:
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
    list of Side, on which the sign changes, but from which no point of a line was reached
    """
    axes = [low + width * np.linspace(0.0, 1.0, n) for low, width in zip(plane.low, plane.widths)]
    known = {}
    for i, x in enumerate(axes[0]):
        for j, y in enumerate(axes[1]):
            known[i, j] = _looked_at(condition, plane, x, y)
            tell(1)
    found: list[np.ndarray] = []
    missed: list[Side] = []
    for (i, j), here in known.items():
        for axis, other in ((0, (i + 1, j)), (1, (i, j + 1))):
            if other not in known:
                continue
            side = Side(condition, plane, axis, (axes[0][i], axes[1][j]), axes[axis][other[axis]])
            for begin, end in side.brackets(here, known[other]):
                start = side.start(begin, end)
                if start is None:
                    missed.append(side)
                elif not any(_same(plane, start, one) for one in found):
                    found.append(start)
    return found, missed


def start_near(condition: Condition, plane: Plane, x: float, y: float) -> list[np.ndarray]:
    """Points of a condition's lines next to a point of the plane, by its unknowns there; arguments as of :func:`line_starts`."""
    return [np.array([x, y, *u]) for u, _ in _looked_at(condition, plane, x, y)]


def _looked_at(condition, plane, x, y):
    """[(unknowns, what changes its sign across a line)] at a point."""
    try:
        ensemble = plane.at(x, y)
    except ValueError:  # the paths do not go so far
        return []
    try:
        starts = condition.starts(ensemble)
        # G at its maxima of a fold, the quantity at a solution: what the unknowns do not make vanish
        place = 0 if isinstance(condition, FoldCondition) else -1
        values = [condition.residuals(ensemble, u)[place] for u in starts]
    except (CapabilityError, ConvergenceError):
        return []
    return [(u, float(value)) for u, value in zip(starts, values) if np.isfinite(value)]


class _Looked(NamedTuple):
    """What was seen at a place between two crossings of the grid: unknowns, and what changes its sign across a line."""

    share: float
    u: np.ndarray
    value: float


class Side:
    """The way from one crossing of the grid to a neighbour."""

    def __init__(self, condition: Condition, plane: Plane, axis: int, corner: tuple[float, float], end: float) -> None:
        self.condition, self.plane, self.axis, self.corner, self.end = condition, plane, axis, corner, end

    def place(self, share: float) -> list[float]:
        """The point at a share of the way."""
        place = list(self.corner)
        place[self.axis] += share * (self.end - place[self.axis])
        return place

    def is_crossed(self, curves: Sequence[LineCurve]) -> bool:
        """Whether one of some curves passes by on this side, from wherever it was reached."""
        low, high = sorted((self.corner[self.axis], self.end))
        along = [curve.where(1 - self.axis, self.corner[1 - self.axis])[:, self.axis] for curve in curves]
        return any(bool(((places >= low) & (places <= high)).any()) for places in along)

    def brackets(self, here: list, there: list) -> list[tuple[_Looked, _Looked]]:
        """Pairs of places, on one solution each, between which the sign changes."""
        found, left = [], list(there)
        for u, value in here:
            near = [k for k, (v, _) in enumerate(left) if np.abs(u - v).sum() < _APART]
            begin = _Looked(0.0, u, value)
            if near:
                k = min(near, key=lambda k: float(np.abs(u - left[k][0]).sum()))
                found.append((begin, _Looked(1.0, *left.pop(k))))
            else:
                found += self._to_the_end(begin, 1.0)
        for v, other in left:
            found += self._to_the_end(_Looked(1.0, v, other), 0.0)
        return [pair for pair in found if pair[0].value * pair[1].value < 0.0 or pair[0].value == 0.0]

    def _to_the_end(self, seen, beyond):
        """Neighbouring places on a solution that ends before a share, closer and closer to its end."""
        pairs, inside = [], seen
        for _ in range(_HALVINGS):
            middle = 0.5 * (inside.share + beyond)
            looked = _looked_at(self.condition, self.plane, *self.place(middle))
            if looked:
                u, value = min(looked, key=lambda one: float(np.abs(one[0] - inside.u).sum()))
                new = _Looked(middle, u, value)
                pairs.append((inside, new))
                inside = new
            else:
                beyond = middle
        return pairs

    def start(self, begin: _Looked, end: _Looked) -> np.ndarray | None:
        """The point of a line between two places, or None where none is reached."""
        low, high = sorted(self.place(one.share)[self.axis] for one in (begin, end))

        def at(value):
            place = list(self.corner)
            place[self.axis] = value
            return self.plane.at(*place)

        for share in _SHARES:
            guess = self.place(begin.share + share * (end.share - begin.share))[self.axis]
            try:
                solved = solve(self.condition, at, guess, begin.u + share * (end.u - begin.u))
            except (CapabilityError, ConvergenceError):
                continue
            if low <= solved.value <= high:
                place = list(self.corner)
                place[self.axis] = solved.value
                return np.array([*place, *solved.unknowns])
        return None


def _same(plane, one, other):
    near = np.linalg.norm((one[:2] - other[:2]) / plane.widths) < _SAME
    return bool(near and np.abs(one[2:] - other[2:]).sum() < _SAME**0.5)
