"""The line on which fixed points become exponentially many [T7].

Where that happens in a jump it is where the rate of a saddle of finite amplitude is zero. Where the rate grows from zero it is the
onset of the zero state, or, where there is none, where T(1) = 1 at the mean-field fixed point.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..counting.complexity import complexity
from ..counting.functional import ComplexityFunctional
from ..counting.onset import complexity_onset
from ..counting.saddles import Saddle, follow_saddle
from ..errors import CapabilityError, ConvergenceError, NoCriticalValue
from ..mean_field.expansion import excess
from ..mean_field.fixed_points import fixed_points
from ..results.status import Status
from .components import Component, components
from .conditions import OnsetCondition
from .curves import with_births
from .loop_edge import loop_edge, loop_excess
from .plane import UNIT
from .special_points import excess_of, zeros_of
from .tracing import Mark, Place, Tracer, Zeros

if TYPE_CHECKING:
    from ..ensemble.ensemble import Ensemble
    from .conditions import Condition
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
#: Points of a continuous line at which it is looked whether the rate is positive already, and by how much.
_LOOKS, _POSITIVE = 5, 1e-9
_MIDDLE = np.array([0.5, 0.5])
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
        # beyond the onset of the zero state, or of a fixed point, which are continuous, there are other saddles already
        if excess_of(self.plane.there(_MIDDLE)) is not None:
            tests["critical_end"] = lambda place: excess(self.plane.there(place.u))
        else:
            tests["critical_end"] = lambda place: loop_excess(self.plane.there(place.u))
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
    found, failed = _starts(plane, near)
    known = _Saddles(plane)
    jumps = [one for one in found if one.jumps]
    smooth = [one for one in found if not one.jumps]

    def followed(starts):
        zero_rate, turns, lost = _discontinuous(known, starts, tol, max_points, tell)
        edges, more = _continuous(plane, smooth, turns, tol, max_points, tell)
        return zero_rate, edges, [*lost, *more]

    zero_rate, edges, lost = followed(jumps)
    hidden = _behind(plane, edges)
    if hidden:  # points of the continuous line beyond which the rate is positive already: its end is still to be found
        zero_rate, edges, lost = followed([*jumps, *_starts_at(plane, hidden, failed)])
        lost += [ConvergenceError("the rate is positive already on a line of continuous onsets", u) for u in _behind(plane, edges)]
    curves = [*zero_rate, *edges]
    for one in found:
        if not any(_passes(curve, one.u) for curve in curves):
            lost.append(ConvergenceError("an onset of complexity was found whose line could not be followed", one.u))
    return curves, failed + lost


class _Start(NamedTuple):
    """An onset of complexity that was found: its place in units of the box, the ensemble there, and whether it is discontinuous."""

    u: np.ndarray
    ensemble: Ensemble
    jumps: bool


def _discontinuous(known, starts, tol, max_points, tell):
    """(curves, turns, errors): zeros of a saddle's rate, and where they end as the transition becomes continuous."""
    guesses = []
    for start in starts:
        best = [saddle for saddle in complexity(start.ensemble).saddles if saddle.maximum][:1]
        if best:
            known.add(start.u, best[0], ComplexityFunctional(start.ensemble).lead)
            guesses.append(start.u)
    if not guesses:
        return [], [], []
    turns: list[Mark] = []
    curves, lost = components(Tracer(known.zeros(), max_points=max_points, tell=tell), guesses, tol, max_points)
    for i, one in enumerate(curves):
        for side in (0, -1):
            code = one.curve.ends[side].code
            if code == "tricritical":
                mark = _zero_amplitude(known, one, side)
                one = _without_marks(one).carried_on(side, mark)
            if code in ("tricritical", "critical_end"):
                turns.append(one.curve.marks[0 if side == 0 else -1])
        curves[i] = one
    return curves, turns, lost


def _continuous(plane, starts, turns, tol, max_points, tell):
    """(curves, errors): onsets of the zero state, or where T(1) = 1 at a fixed point if there is none, up to the turns."""
    with_zero = excess_of(plane.there(_MIDDLE)) is not None
    condition: Condition = OnsetCondition() if with_zero else loop_edge()
    guesses = []
    for start in starts:
        points = [point for point in fixed_points(start.ensemble) if not point.is_zero]
        if with_zero:
            guesses.append(start.u)
        elif points:
            guesses.append(np.append(start.u, condition.unknowns(start.ensemble, points[-1].moments) / UNIT))
    if not guesses:
        return [], []
    curves, lost = components(Tracer(_up_to(condition, plane, turns), max_points=max_points, tell=tell), guesses, tol, max_points)
    return [_renamed(with_births(one, condition, plane), turns) for one in curves], lost


def _behind(plane, edges):
    """Points of continuous lines at which the rate is positive: there it became so before, in a jump."""
    found = []
    for one in edges:
        if one.curve.u.shape[1] == 2:  # beside a zero state the saddles' own lines tell
            continue
        inner = one.curve.u[1:-1]
        for u in inner[np.unique(np.linspace(0, len(inner) - 1, _LOOKS).astype(int))] if len(inner) else []:
            saddles = [saddle for saddle in complexity(plane.there(u)).saddles if saddle.maximum]
            if saddles and saddles[0].value > _POSITIVE:
                found.append(u[:2])
    return found


def _starts_at(plane, places, failed):
    """Discontinuous onsets along y at the x of places."""
    starts = []
    for u in places:
        try:
            found = complexity_onset(plane.there(u), plane.y, plane.bounds[1])
        except (CapabilityError, ConvergenceError, NoCriticalValue) as error:
            failed.append(error)
            continue
        if found.discontinuous:
            starts.append(_Start(plane.unit(plane.place(u)[0], float(found)), found.ensemble, True))
    return starts


def _passes(one, u):
    """Whether a curve passes a point of the plane."""
    return Component(replace(one.curve, u=one.curve.u[:, :2]), one.off).passes(u)


def _starts(plane, near):
    """Points of the line, and errors."""
    starts, failed = [], []
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
            starts.append(_Start(u, found.ensemble, bool(found.discontinuous)))
        if starts:  # searches that find nothing take longest
            break
    return starts, failed


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


def _up_to(condition: Condition, plane: Plane, turns: list[Mark]) -> Zeros:
    """Continuous onsets, up to the points at which the transition turns discontinuous."""
    zeros = zeros_of(condition, plane)
    tests = {}
    for i, mark in enumerate(turns):
        there, place = plane.there(mark.u), mark.u[:2]
        own = [condition.unknowns(there, fixed_points(there)[-1].moments) / UNIT] if condition.n_unknowns else []
        along = np.linalg.svd(zeros.slopes(np.concatenate([place, *own]), 1e-6))[2][-1][:2]
        tests[f"turn {i}"] = lambda at, place=place, along=along: float((at.u[:2] - place) @ along / np.linalg.norm(along))
    return replace(zeros, tests=tests, ends=tuple(tests))
