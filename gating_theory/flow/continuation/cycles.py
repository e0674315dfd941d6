"""Branches of limit cycles in one parameter, by pseudo-arclength continuation, with their bifurcations [JSP]."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ...errors import ConvergenceError
from ...results.encoding import dict_of, result
from ...results.status import Status
from ...running.progress import Progress, check_progress
from ...support.arithmetic import underflow_is_zero
from ...support.checks import instance, integer, real, shown, sign
from ...support.types import Progress as Wanted
from ..flow import Flow
from ..limits import LONGEST
from ..line import Line, Path
from ..orbits.cycle import Cycle, measured_cycle
from .bifurcation import Bifurcation
from .curve import parameter_bounds
from .cycle_bifurcations import cycle_tests, locate_on_cycles
from .cycle_ends import LIMITS, doubling_passed, hopf_beside, hopf_passed, long_period, period_doubling_beside
from .cycle_place import LOCAL_ERROR, at_cycle, at_fold, at_hopf, at_switch

__all__ = ["CycleBranch", "continue_cycle"]

#: The most mesh intervals, and the cycles after which the mesh is graded anew.
_MOST_INTERVALS, _REGRADED = 3000, 4

#: Difference of the two halves of a period, in units of the longest step, above which a cycle is not about to be passed twice.
_APART = 4.0 * _REGRADED

#: Cosine of the angle between neighbouring tangents below which a step is halved and tried again.
_SHARP = 0.8

#: The first step in units of the longest, by what steps grow, and the length below which the branch counts as lost.
_FIRST, _GROWTH, _SHORTEST = 0.3, 1.3, 1e-7

#: Growth of the period in one step that shows that a branch goes on; cycles after which it may close on itself.
_LONGER, _CLOSING = 1e-4, 10

#: Bifurcations at which a branch can begin.
_STARTS = ("hopf", "period_doubling", "cycle_fold", "cycle_crossing")

#: Changes of the parameter in one step below this, relative to the largest of 1 and its value, are its last digits; cycles after
#: which the reason is asked for again.
_RESOLVED, _AGAIN = 1e-11, 10


@result("flow.CycleBranch")
@dataclass(frozen=True)
class CycleBranch:
    """A curve of limit cycles in one parameter.

    Attributes
    ----------
    path : str or Line
    values : (n,) array of the parameter
    periods : (n,) array
    multipliers : (n, dim - 1) complex array, without the trivial one
    low, high : (n, dim) arrays, smallest and largest value of each coordinate on the cycle
    bifurcations : list of Bifurcation
    last : Cycle, the end of the branch
    status : Status
        Why it ended: "bounds" (a bound of the parameter was reached), "hopf" (the cycle shrank to a fixed point),
        "period_doubling" (it met the cycle of half its period), "closed" (the branch closed on itself), "homoclinic" or
        "heteroclinic" (a connecting orbit is located that the cycles approach, and their periods follow its law), "saddle_node" (a
        fold of fixed points is located on the way, and the periods follow its law; :func:`end_of_period` gives both),
        "period" (longer than ``max_period`` without evidence for one of these; ``text`` says what is known), "points"
        (``max_points``), "lost" (``text`` says why). ok for all but the last two.

    See Also
    --------
    gating_theory.flow.continue_cycle : Makes one.
    gating_theory.flow.end_of_period : What it ends at.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_h=[[3, -3], [3, 3]])
    >>> cycle = gt.flow.find_cycle(flow, [0.1, 0.2])
    >>> branch = gt.flow.continue_cycle(
    ...     flow, "gain.h", (0.1, 1), cycle, direction=-1
    ... )
    >>> branch.status.code, round(float(branch.values[-1]), 4)
    ('hopf', 0.6667)
    """

    path: Path
    values: np.ndarray
    periods: np.ndarray
    multipliers: np.ndarray
    low: np.ndarray
    high: np.ndarray
    bifurcations: list[Bifurcation]
    last: Cycle = field(repr=False)
    status: Status

    as_dict = dict_of

    @property
    def ok(self) -> bool:
        """Whether the branch was followed to an end of its own or to the bounds."""
        return self.status.ok

    @property
    def stable(self) -> np.ndarray:
        """(n,) array of bool."""
        return np.all(np.abs(self.multipliers) < 1.0, axis=1)

    def __len__(self) -> int:
        return len(self.values)

    def __str__(self) -> str:
        lines = [
            f"{len(self)} cycles along {self.path} from {self.values[0]:.8g} "
            f"to {self.values[-1]:.8g}, periods {self.periods[0]:.6g} to "
            f"{self.periods[-1]:.6g}; {self.status}"
        ]
        return "\n".join([*lines, *(f"  {b}" for b in self.bifurcations)])


@underflow_is_zero
def continue_cycle(
    flow: Flow,
    path: str | Mapping[str, float] | Flow | Line,
    bounds: npt.ArrayLike,
    start: Cycle | Bifurcation,
    *,
    max_step: float = 0.05,
    max_points: int = 400,
    max_period: float = 2000.0,
    direction: int = 1,
    progress: Wanted = None,
) -> CycleBranch:
    """Follow a limit cycle, stable or not, along a parameter by pseudo-arclength continuation of its collocation problem.

    Length along the curve is measured by the rms change of the orbit, the relative change of the period and the change of the
    parameter together. Folds of cycles, crossings of branches, period doublings and torus bifurcations are located by a bracketed
    root search on two meshes, whose difference is their ``error``, and reported where a multiplier is critical to 1e-4. The branch
    ends at the bounds; where cycles shrink to a fixed point or meet those of half the period, at bifurcations that are located
    too; or on the way to an infinite period, which is told from one that is merely long: see ``CycleBranch.status``.

    Parameters
    ----------
    flow : Flow
    path : str, mapping, Flow or Line
        The parameter, such as "b_h[1]", or what changes together, such as "gain.h": as for ``Flow.along``.
    bounds : (low, high)
        Range of the parameter.
    start : Cycle of ``flow``, or Bifurcation along ``path``
        Of kind "hopf"; "period_doubling": the cycles of twice the period; "cycle_crossing": the other branch; "cycle_fold".
    max_step : float > 0
    max_points : int
    max_period : float > 0
    direction : 1 or -1
        From a Cycle: which way the parameter goes at first. From a fold: towards larger and longer cycles, or smaller and shorter
        ones. From a crossing: one side or the other.
    progress : None, True or callable
        As for ``phase_diagram``.

    Returns
    -------
    CycleBranch

    Raises
    ------
    TypeError, ValueError
        arguments that are not allowed
    ConvergenceError
        not even the first cycle converges

    See Also
    --------
    gating_theory.flow.find_cycle : A cycle to begin with.
    gating_theory.flow.end_of_period : What a branch ends at.
    gating_theory.flow.plot_bifurcations : Draws branches.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_h=[[1, -1], [1, 1]])
    >>> zero = gt.flow.continue_fixed_point(flow, "gain.h", (0.5, 3), [0, 0])
    >>> hopf = zero.bifurcations[-1]
    >>> branch = gt.flow.continue_cycle(flow, "gain.h", (0.5, 3), hopf)
    >>> round(float(branch.values[-1]), 3), round(float(branch.periods[-1]), 3)
    (3.0, 12.934)
    """
    instance("flow", flow, Flow)
    path = flow.along(path)
    direction = sign("direction", direction)
    max_step = real("max_step", max_step, low=1e-9, high=1e3)
    max_points = integer("max_points", max_points, low=2)
    max_period = real("max_period", max_period, low=0.0, high=LONGEST, open_low=True)
    if not isinstance(start, (Cycle, Bifurcation)):
        raise TypeError(f"start must be a Cycle or a Bifurcation, got {shown(start)}")
    if isinstance(start, Bifurcation) and (start.kind not in _STARTS or start.path != path):
        kinds = ", ".join(_STARTS)
        raise ValueError(f"start must be a bifurcation along {path} of kind {kinds}, got a {start.kind} along {start.path}")
    _require_family(flow, start.flow, path)
    flow = flow if isinstance(start, Cycle) else start.flow
    bottom, top = parameter_bounds(flow, path, bounds)
    check_progress(progress)
    with Progress(progress, max_points, "cycle") as tell:
        place = _beginning(flow, start, path, direction)
        tests = cycle_tests(place)
        if isinstance(start, Bifurcation) and start.kind == "cycle_fold":
            tests |= {"cycle_fold": np.nan, "cycle_crossing": np.nan}  # they vanish here, and have no sign
        trail, status = _follow(place, tests, _Course(path, bottom, top, max_step, max_points, max_period), tell)
    values, periods, multipliers, low, high = trail.columns()
    last = measured_cycle(trail.place.flow, trail.place.orbit, 0.0)
    return CycleBranch(path, values, periods, multipliers, low, high, trail.found, last, status)


def _beginning(flow, start, path, direction):
    """The first Place of a branch."""
    if isinstance(start, Cycle):
        return at_cycle(flow, start.orbit, path, direction)
    if start.kind == "hopf":
        return at_hopf(start)
    if start.kind == "cycle_fold":
        return at_fold(start, direction)
    return at_switch(start, direction)


def _require_family(flow, own, path):
    """ValueError unless the flow of the start is ``flow`` itself, but for the parameter that varies."""
    same = flow.cell == own.cell and flow.n_units == own.n_units
    # along a line entries come back with rounding errors
    if not same or not np.allclose(flow.replace(path, own.parameter(path)).flat, own.flat, rtol=1e-12, atol=1e-300):
        raise ValueError(f"start must be of flow, but for {path}: its own flow is {shown(own)}, flow is {shown(flow)}")


# --- along a branch


@dataclass(frozen=True)
class _Course:
    """Within which limits a branch is followed."""

    path: Path
    low: float
    high: float
    max_step: float
    max_points: int
    max_period: float


class _Trail:
    """What a branch keeps of its cycles: parameter, period, multipliers, smallest and largest values."""

    def __init__(self, place):
        self.rows, self.coordinates, self.found, self.place, self.asked = [], [], [], place, -_AGAIN
        self.add(place)

    def add(self, place):
        self.place, states = place, place.orbit.stages.reshape(-1, place.flow.dim)
        low, high = states.min(axis=0), states.max(axis=0)
        self.rows.append((place.value, place.orbit.period, place.multipliers, low, high))
        self.coordinates.append(np.concatenate([[place.value, np.log(place.orbit.period)], low, high]))

    def __len__(self):
        return len(self.rows)

    def columns(self):
        return [np.array(c) for c in zip(*self.rows)]

    def long_period(self):
        """Why the period is long; see ``cycle_ends``."""
        values, periods, *_ = self.columns()
        return long_period(self.place, values, periods)

    def stands(self):
        """Whether over the last step the period alone has changed: the parameter has no more digits to go on."""
        (before, shorter, *_), (value, period, *_) = self.rows[-2:]
        return abs(value - before) < _RESOLVED * max(1.0, abs(value)) and period - shorter > _LONGER * period

    def closes(self):
        """Whether the last step led over the first cycle, in the same sense as the first step led away from it."""
        if len(self) < _CLOSING:
            return False
        first, second, before, last = (self.coordinates[i] for i in (0, 1, -2, -1))
        step = last - before
        length = np.linalg.norm(step)
        near = max(np.linalg.norm(first - before), np.linalg.norm(last - first)) <= length
        return bool(near and step @ (second - first) > 0)


def _follow(place, tests, course, tell):
    trail, h, twice = _Trail(place), _FIRST * course.max_step, True
    while len(trail) < course.max_points:
        n = len(place.orbit.points)
        try:
            new = _stepped(place, h)
            if new.orbit.local_error() > LOCAL_ERROR:
                if n > _MOST_INTERVALS:
                    return trail, _lost(trail, f"{n} mesh intervals do not resolve the orbit")
                place = place.regraded(int(1.5 * n))  # a finer mesh under the last cycle, and again
                continue
            end = _other_end(place, new, twice, course)
        except ConvergenceError:
            h *= 0.5
            if h < _SHORTEST:
                return trail, _lost(trail, "Newton's method fails")
            continue
        if end is not None:
            status, last = end
            if isinstance(last, Bifurcation):
                trail.found.append(last)
                return trail, status
            new = last
        fresh = cycle_tests(new)
        trail.found += locate_on_cycles(place, tests, h, fresh)
        trail.add(new)
        tell(1)
        end = end[0] if end is not None else _own_end(trail, course)
        if end is not None:
            return trail, end
        place, tests = new, fresh
        if len(trail) % _REGRADED == 0:
            # a cycle so far from one that is passed twice does not become one before it is looked at again
            place, twice = new.regraded(n), np.abs(new.halves).max() < _APART * course.max_step
        h = min(_GROWTH * h, course.max_step)
    return trail, Status("points", f"stopped after {course.max_points} points", ok=False)


def _stepped(place, h):
    new = place.ahead(h)
    if new.tangent.overlap(place.tangent) < _SHARP:
        raise ConvergenceError("sharp turn", new.orbit)
    return new


def _other_end(place, new, twice, course):
    """The Status of a branch that leaves its bounds or meets others on this step, and its last place or bifurcation; or None."""
    if hopf_passed(place, new):
        hopf = hopf_beside(place)
        if course.low <= hopf.value <= course.high:
            return Status("hopf", f"shrinks to a fixed point at {course.path} = {hopf.value:.12g} (Hopf)"), hopf
    elif twice and doubling_passed(place, new):
        doubling = period_doubling_beside(place)
        if course.low <= doubling.value <= course.high:
            text = f"meets the cycle of half its period at {course.path} = {doubling.value:.12g} (period doubling)"
            return Status("period_doubling", text), doubling
    if not course.low <= new.value <= course.high:
        edge = course.low if new.value < course.low else course.high
        return Status("bounds", f"{course.path} reached {edge:g}"), new.at(edge)
    return None


def _own_end(trail, course):
    """The Status of a branch that has come to an end of its own, else None."""
    if trail.place.orbit.period > course.max_period:
        return trail.long_period()
    if trail.stands() and len(trail) - trail.asked >= _AGAIN:
        trail.asked = len(trail)
        why = trail.long_period()
        return why if why.code in LIMITS else None
    return Status("closed", "closed on itself") if trail.closes() else None


def _lost(trail, reason):
    """The Status of a branch that cannot be followed any further: beside an infinite period this is its end."""
    why, place = trail.long_period(), trail.place
    if why.code in LIMITS:
        return why
    return Status("lost", f"lost at {place.path} = {place.value:.8g}, period {place.orbit.period:.6g}: {reason}", ok=False)
