"""The line on which fixed points become exponentially many: a saddle of rate zero, and the onset where that is continuous [T7]."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..counting.complexity import complexity
from ..counting.functional import ComplexityFunctional
from ..counting.onset import complexity_onset
from ..counting.saddles import Saddle, follow_saddle
from ..errors import CapabilityError, ConvergenceError, NoCriticalValue
from ..mean_field.expansion import excess
from ..results.status import Status
from .components import Component, components
from .conditions import OnsetCondition
from .special_points import excess_of, zeros_of
from .tracing import Mark, Place, Tracer, Zeros

if TYPE_CHECKING:
    from .plane import Plane

__all__ = ["SOUGHT", "complexity_components"]

#: What a search over the bounds may miss.
SOUGHT = (
    "sought along y on the two edges and in the middle, and along x where nothing is found there; "
    "curves that cross none of these lines were not looked for"
)

#: The smallest leading moment of a saddle that is followed, beyond which rates are rounding; below the second, in so many of the
#: last points, the law by which the place of zero amplitude is told is read off.
_SMALLEST, _LAW, _LAST = 3e-4, 0.01, 60
#: Errors of rates where site integrals run over two fields at most, and over more.
_RATE, _LOOSE_RATE = 1e-14, 1e-10
#: Log moments of a saddle that was followed further than this from its neighbour's are another one's.
_JUMP = 0.7
#: Saddles that are remembered; the nearest one is where the next one is sought.
_REMEMBERED = 400
#: Degree of the law by which the place of zero amplitude is told.
_DEGREE = 4


class _Saddles:
    """Saddles that are known at points of the plane, in units of the box; each is sought from the nearest one."""

    def __init__(self, plane: Plane) -> None:
        self.plane = plane
        self.known: list[tuple[np.ndarray, Saddle, int]] = []

    def add(self, u: np.ndarray, saddle: Saddle, lead: int) -> None:
        """Remember a saddle at a point."""
        self.known = [*self.known[-_REMEMBERED:], (u[:2].copy(), saddle, lead)]

    def at(self, u: np.ndarray) -> tuple[Saddle, float]:
        """(saddle, its leading moment) at a point; ConvergenceError where it is lost."""
        near = min(self.known, key=lambda one: float(np.linalg.norm(one[0] - u[:2])))
        if np.array_equal(near[0], u[:2]):
            return near[1], float(near[1].point.q[near[2]])
        functional = ComplexityFunctional(self.plane.there(u))
        found = follow_saddle(functional, near[1])
        if found is None or np.abs(np.log(found.point.q / near[1].point.q)).max() > _JUMP:
            raise ConvergenceError("the saddle was lost", u)
        self.add(u, found, functional.lead)
        return found, float(found.point.q[functional.lead])

    def zeros(self) -> Zeros:
        """The rate over the leading moment: its slope stays finite where the amplitude vanishes."""
        rate = _RATE if ComplexityFunctional(self.plane.there(self.known[0][0])).dimension <= 2 else _LOOSE_RATE

        def residuals(u):
            saddle, q = self.at(u)
            return np.array([saddle.value / q])

        def errors(u):
            return np.array([rate / self.at(u)[1]])

        tests: dict[str, Callable[[Place], float]] = {"tricritical": lambda place: np.log(self.at(place.u)[1] / _SMALLEST)}
        if excess_of(self.plane.there(self.known[0][0])) is not None:
            # beyond the onset of the zero state, which is continuous, there are other saddles already
            tests["critical_end"] = lambda place: excess(self.plane.there(place.u))
        return Zeros(residuals, errors, np.zeros(2), np.ones(2), tests, tuple(tests))


def complexity_components(
    plane: Plane, near: Sequence[float] | None, tol: float, max_points: int, tell: Callable[[int], object] = int
) -> tuple[list[Component], list[Exception]]:
    """The curves of the onset of complexity: zeros of a saddle's rate, and onsets of the zero state from where these end.

    Parameters
    ----------
    plane : Plane
    near : (x, y) or None
        A point next to the line; else it is sought along the edges and the middle lines of the bounds.
    tol : float, how far splines may be off, in units of the box
    max_points : int, of a curve
    tell : callable(n), told of every point

    Returns
    -------
    list of Component, list of errors of starts that failed
    """
    saddles, onsets, failed = _starts(plane, near)
    known = _Saddles(plane)
    starts = []
    for u, ensemble in saddles:
        found = complexity(ensemble).saddles
        best = [s for s in found if s.maximum][:1]
        if best:
            known.add(u, best[0], ComplexityFunctional(ensemble).lead)
            starts.append(u)
    curves: list[Component] = []
    turns: list[Mark] = []
    if starts:
        curves, lost = components(Tracer(known.zeros(), max_points=max_points, tell=tell), starts, tol, max_points)
        failed += lost
        for i, one in enumerate(curves):
            for side in (0, -1):
                code = one.curve.ends[side].code
                if code == "tricritical":
                    mark = _zero_amplitude(known, one, side)
                    one = _without_marks(one).carried_on(side, mark)
                if code in ("tricritical", "critical_end"):
                    turns.append(one.curve.marks[0 if side == 0 else -1])
            curves[i] = one
    if onsets:
        more, lost = components(Tracer(_onset_up_to(plane, turns), max_points=max_points, tell=tell), onsets, tol, max_points)
        curves += [_renamed(one, turns) for one in more]
        failed += lost
    return curves, failed


def _starts(plane, near):
    """Points of the line where it is discontinuous, with the ensembles there, and where it is continuous; errors."""
    saddles, onsets, failed = [], [], []
    for axis, path in ((1, plane.y), (0, plane.x)):
        for base in _points(plane, near, axis):
            try:
                found = complexity_onset(plane.at(*plane.place(base)), path, plane.bounds[axis])
            except NoCriticalValue:
                continue
            except (CapabilityError, ConvergenceError) as error:
                failed.append(error)
                continue
            u = base.copy()
            u[axis] = (float(found) - plane.low[axis]) / plane.widths[axis]
            if found.discontinuous:
                saddles.append((u, found.ensemble))
            elif not any(found.moments.values()):
                onsets.append(u)
        if saddles or onsets:  # searches that find nothing take longest
            break
    return saddles, onsets, failed


def _points(plane, near, axis):
    """Points, in units of the box, from which the line is sought along an axis."""
    if near is not None:
        return [plane.unit(*near)]
    points = np.full((3, 2), 0.5)
    points[:, 1 - axis] = 0.0, 0.5, 1.0
    return list(points)


def _without_marks(one):
    return Component(replace(one.curve, marks=[m for m in one.curve.marks if m.kind != "tricritical"]), one.off)


def _zero_amplitude(known, one, side):
    """Where the amplitude of the saddle vanishes, by its law along the curve: places are smooth functions of the amplitude."""
    u = one.curve.u if side == -1 else one.curve.u[::-1]
    there = u[-_LAST:]
    q = np.array([known.at(v)[1] for v in there])
    keep = (q < _LAW) | (np.arange(q.size) > q.size - _DEGREE - 3)
    values = []
    for degree in (_DEGREE, _DEGREE - 1):
        # the nearest points tell most
        powers = np.vander(q[keep] / q[keep].max(), degree + 1, increasing=True) / q[keep, None]
        values.append(np.linalg.lstsq(powers, there[keep] / q[keep, None], rcond=None)[0][0])
    return Mark("tricritical", values[0], float(np.linalg.norm(values[0] - values[1]) + 1e-12))


def _renamed(one, turns):
    """The component whose ends at a turn are called by what they are."""
    kinds = {f"turn {i}": turn.kind for i, turn in enumerate(turns)}
    ends = [Status(kinds[e.code], f"ends at {kinds[e.code]}") if e.code in kinds else e for e in one.curve.ends]
    marks = [replace(mark, kind=kinds.get(mark.kind, mark.kind)) for mark in one.curve.marks]
    return Component(replace(one.curve, ends=(ends[0], ends[1]), marks=marks), one.off)


def _onset_up_to(plane: Plane, turns: list[Mark]) -> Zeros:
    """The onset of the zero state, up to the points at which the transition turns discontinuous."""
    zeros = zeros_of(OnsetCondition(), plane)
    if not turns:
        return replace(zeros, tests={})
    tests = {}
    for i, mark in enumerate(turns):
        slope = zeros.slopes(mark.u, 1e-6)[0]
        along = np.array([-slope[1], slope[0]]) / np.linalg.norm(slope)
        tests[f"turn {i}"] = lambda place, mark=mark, along=along: float((place.u - mark.u) @ along)
    return replace(zeros, tests=tests, ends=tuple(tests))
