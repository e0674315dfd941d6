"""Branches of fixed points in one parameter, by pseudo-arclength continuation, with the bifurcations of flow and map [JSP].

A fixed point of the flow is one of its Euler map, which loses stability elsewhere: one branch carries the bifurcations of both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import ConvergenceError
from ...results.encoding import dict_of, result
from ...results.status import Status
from ...support.arclength import sign_change
from ...support.arithmetic import underflow_is_zero
from ...support.checks import instance, integer, interval, real, real_array, shown
from ..flow import Flow, require_fixed
from ..limits import LONGEST_STEP
from ..line import Line, Path
from .bifurcation import Bifurcation, fixed_point_tests
from .crossings import crossing_directions, singular_point
from .curve import equations, linearised, newton_onto_curve, parameter_bounds
from .detection import Span, bifurcations_along
from .sides import worst_end

__all__ = ["FixedPointBranch", "continue_fixed_point", "other_branch"]

#: Cosine of the angle between neighbouring tangents: below the first a step is halved and tried again, above the second the next
#: one is longer.
_SHARP, _STRAIGHT = 0.85, 0.99

#: The first step in units of the longest, by what steps grow, and the length below which the curve counts as lost.
_FIRST, _GROWTH, _SHORTEST = 0.2, 1.4, 1e-9

#: A point further than this many steps from the last one is on another curve.
_JUMP = 2.0

#: Points before a curve can close on itself.
_CLOSING = 10

#: A start is on a singular point where the slopes by the states have a singular value below the first, and the parameter of that
#: point differs by less than the second.
_NEARLY_SINGULAR, _ON = 1e-4, 1e-9

#: Distance from a branch point at which directions of branches are looked for where second derivatives do not give them.
_AROUND = 1e-3

#: Cosine of the angle between directions of one and the same curve.
_ALONG = 0.99

#: How an end of a branch is rated where the two differ: the worst first.
_ENDS = ("lost", "left", "points", "closed", "bounds")


@result("flow.FixedPointBranch")
@dataclass(frozen=True)
class FixedPointBranch:
    """A curve of fixed points in one parameter.

    Attributes
    ----------
    path : str or Line
    values : (n,) array of the parameter
    states : (n, dim) array, the fixed points
    eigenvalues : (n, dim) complex array of the flow's Jacobian
    bifurcations : list of Bifurcation, in the order of the branch
    step : float, of the Euler map whose bifurcations are included
    flow : Flow at the start
    status : Status
        Why both ends end; its code is that of the worse one: "bounds" (a bound of the parameter was reached), "closed" (the curve
        closed on itself), "points" (``max_points``), "left" (the bounds were left, but no point was found on them), "lost"
        (Newton's method fails). ok for the first two.

    See Also
    --------
    gating_theory.flow.continue_fixed_point : Makes one.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_h=3)
    >>> branch = gt.flow.continue_fixed_point(flow, "b_h[0]", (-1, 1), [0.8586])
    >>> [(one.kind, round(one.value, 4)) for one in branch.bifurcations]
    [('fold', 0.2075), ('fold', -0.2075)]
    >>> (
    ...     bool(branch.stable[0]),
    ...     bool(branch.stable[len(branch) // 2]),
    ...     bool(branch.stable[-1]),
    ... )
    (True, False, True)
    """

    path: Path
    values: np.ndarray
    states: np.ndarray
    eigenvalues: np.ndarray
    bifurcations: list[Bifurcation]
    step: float
    flow: Flow = field(repr=False)
    status: Status

    as_dict = dict_of

    @property
    def ok(self) -> bool:
        """Whether both ends are where the bounds or the curve itself end."""
        return self.status.ok

    def check(self) -> None:
        """ValueError where a state of the branch is no fixed point of the flow at its parameter."""
        for value, state in zip(self.values, self.states, strict=True):
            require_fixed(self.flow.replace(self.path, float(value)), state)

    @property
    def stable(self) -> np.ndarray:
        """(n,) array of bool: stable in the flow."""
        return np.all(self.eigenvalues.real < 0, axis=1)

    @property
    def map_stable(self) -> np.ndarray:
        """(n,) array of bool: stable in the Euler map of this step."""
        return np.all(np.abs(1.0 + self.step * self.eigenvalues) < 1.0, axis=1)

    def __len__(self) -> int:
        return len(self.values)

    def __str__(self) -> str:
        lines = [f"{len(self)} fixed points along {self.path} in [{self.values.min():.6g}, {self.values.max():.6g}]; {self.status}"]
        return "\n".join([*lines, *(f"  {b}" for b in self.bifurcations)])


@underflow_is_zero
def continue_fixed_point(
    flow: Flow,
    path: str | Mapping[str, float] | Flow | Line,
    bounds: npt.ArrayLike,
    state: npt.ArrayLike,
    *,
    step: float = 1.0,
    max_step: float = 0.05,
    max_points: int = 4000,
    direction: npt.ArrayLike | None = None,
) -> FixedPointBranch:
    """Follow a fixed point along a parameter, in both directions, and locate its bifurcations in the flow and in the Euler map.

    Pseudo-arclength continuation with exact derivatives. Folds are where the tangent is vertical, branch points (pitchfork,
    transcritical) where the bordered determinant changes sign, Hopf and Neimark-Sacker where the sum of two eigenvalues or the
    product of two multipliers minus 1 does and the pair is complex, flips where a multiplier is -1; numbers of unstable directions
    are followed too, and dips of test functions looked into, so that neighbours do not hide each other. Each is located by Newton's
    method on an extended system that is regular there, and says its ``error``, 1e-11 as a rule; where even that system is singular
    the error is that of the steps around it.

    The start may be a bifurcation. Of several branches that cross there the one that runs most along the parameter is followed;
    :func:`other_branch` gives the others.

    Parameters
    ----------
    flow : Flow
    path : str, mapping, Flow or Line
        The parameter, such as "b_h[1]", or what changes together, such as "gain.h": as for ``Flow.along``.
    bounds : (low, high)
        Range of the parameter; must contain its value in ``flow``.
    state : (dim,) array
        Near a fixed point of ``flow``.
    step : float > 0
        Of the Euler map.
    max_step : float > 0
        Longest step along the curve, in units of states and parameter alike.
    max_points : int
        Most points in each direction.
    direction : (dim + 1,) array, optional
        With it only one side is followed, beginning along this direction in (state, parameter): how to leave a branch point for the
        other branch (see :func:`other_branch`).

    Returns
    -------
    FixedPointBranch

    Raises
    ------
    TypeError, ValueError
        arguments that are not allowed
    ConvergenceError
        no fixed point near ``state``

    See Also
    --------
    gating_theory.flow.other_branch : What crosses at a pitchfork.
    gating_theory.flow.continue_bifurcation : Follows a bifurcation in two parameters.
    gating_theory.flow.continue_cycle : Cycles from a Hopf point.
    gating_theory.flow.plot_bifurcations : Draws branches.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_h=1)
    >>> branch = gt.flow.continue_fixed_point(flow, "U_h[0,0]", (0, 3), [0.0])
    >>> [(one.kind, round(one.value, 6)) for one in branch.bifurcations]
    [('pitchfork', 2.0)]
    """
    instance("flow", flow, Flow)
    path = flow.along(path)
    low, high = parameter_bounds(flow, path, bounds)
    step = real("step", step, low=0.0, high=LONGEST_STEP, open_low=True)
    max_step = real("max_step", max_step, low=1e-9, high=1e3)
    max_points = integer("max_points", max_points, low=2)
    state = real_array("state", state)
    if state.shape != (flow.dim,):
        raise ValueError(f"state must have shape ({flow.dim},), got {state.shape}")
    # on a line the flow's own value has rounding errors
    here = np.append(state, np.clip(flow.parameter(path), low, high))
    if direction is None:
        here, tangents = _beginning(flow, path, here)
    else:
        tangent = real_array("direction", direction, largest=1e100)
        if tangent.shape != here.shape or not tangent.any():
            raise ValueError(f"direction must have shape {here.shape} and not vanish, got {shown(tangent)}")
        tangents = [tangent / np.linalg.norm(tangent)]
    course = _Course(flow, path, low, high, step, max_step, max_points, equations(flow, path, here).size)
    sides = [_follow(course, here, tangents[-1])]
    if len(tangents) > 1 and sides[0].end.code != "closed":
        sides = [_follow(course, here, tangents[0]).reversed(), *sides]
    return _joined(sides, course)


@underflow_is_zero
def other_branch(
    bifurcation: Bifurcation, branch: FixedPointBranch, bounds: npt.ArrayLike, *, size: float = 1e-3, **options: Any
) -> list[FixedPointBranch]:
    """Both sides of the branch that crosses at a pitchfork or transcritical point; of all branches that cross at a multiple point.

    Parameters
    ----------
    bifurcation : Bifurcation of kind "pitchfork", "transcritical" or "multiple"
    branch : FixedPointBranch that it lies on
    bounds : (low, high) of the parameter
    size : float in (0, 1]
        Length of the first step away.
    options : as for :func:`continue_fixed_point`

    Returns
    -------
    list of FixedPointBranch
        Each begins at a length ``size`` from the point; two, but for sides that are outside the bounds. At a "multiple" point the
        search for branches is one from many starts: all that it finds.

    Raises
    ------
    TypeError, ValueError
        arguments that are not allowed, another kind of bifurcation
    ConvergenceError
        the other branch is not found

    See Also
    --------
    gating_theory.flow.continue_fixed_point : Finds the points where branches cross.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_h=1)
    >>> branch = gt.flow.continue_fixed_point(flow, "U_h[0,0]", (0, 3), [0.0])
    >>> sides = gt.flow.other_branch(branch.bifurcations[0], branch, (0, 3))
    >>> sorted(round(float(side.states[-1, 0]), 4) for side in sides)
    [-0.8586, 0.8586]
    """
    instance("bifurcation", bifurcation, Bifurcation)
    instance("branch", branch, FixedPointBranch)
    size = real("size", size, low=0.0, high=1.0, open_low=True)
    low, high = interval("bounds", bounds)
    if bifurcation.kind not in ("pitchfork", "transcritical", "multiple"):
        raise ValueError(f"bifurcation must be a pitchfork, transcritical or multiple, got {bifurcation.kind!r}")
    here, path = bifurcation.flow, bifurcation.path
    point = np.append(bifurcation.state, bifurcation.value)
    critical = singular_point(here, path, point, ("branch",))
    if critical is None:
        raise ConvergenceError(f"continuation: no branches cross at {path} = {bifurcation.value:.12g}", point)
    out = []
    for direction in _others(crossing_directions(critical, size), branch, critical.point):
        start, tangent = newton_onto_curve(here, path, critical.point + size * direction, direction, 40)
        if low <= start[-1] <= high:
            begin = here.replace(path, float(start[-1]))
            out.append(continue_fixed_point(begin, path, bounds, start[:-1], direction=tangent, **options))
    return out


def _others(directions, branch, point):
    """Those of the directions in which curves leave a point that are not those of a branch through it."""
    own = np.column_stack([branch.states, branch.values])
    chords = np.diff(own, axis=0)
    lengths = np.maximum(np.linalg.norm(chords, axis=1), 1e-300)
    along = np.clip(np.einsum("ij,ij->i", point - own[:-1], chords) / lengths**2, 0.0, 1.0)
    nearest = int(np.argmin(np.linalg.norm(own[:-1] + along[:, None] * chords - point, axis=1)))
    cosines = directions @ (chords[nearest] / lengths[nearest])
    taken = {int(np.argmax(cosines)), int(np.argmin(cosines))}
    return [d for i, d in enumerate(directions) if i not in taken]


# --- one side of a branch


@dataclass(frozen=True)
class _Course:
    """What is followed, and within which limits."""

    flow: Flow
    path: Path
    low: float
    high: float
    step: float
    max_step: float
    max_points: int
    size: np.ndarray

    def tests(self, point, tangent):
        """Test functions and eigenvalues at a point of the curve."""
        here = self.flow.replace(self.path, float(point[-1]))
        return fixed_point_tests(here, point[:-1], tangent, self.path, self.step, self.size)

    def span(self, start, end, before, after):
        """The piece of the curve between two points with their test functions."""
        return Span(
            self.flow, self.path, self.step, self.size, start, end, {0.0: before, float(np.linalg.norm(end - start)): after}
        )


@dataclass
class _Side:
    points: np.ndarray
    eigenvalues: np.ndarray
    tests: list
    end: Status

    def reversed(self):
        """The same side in the other sense: two of the test functions follow the tangent."""
        tests = [t | {"fold": -t["fold"], "branch": -t["branch"]} for t in self.tests[::-1]]
        return _Side(self.points[::-1], self.eigenvalues[::-1], tests, self.end)


def _beginning(flow, path, here):
    """The fixed point near a guess at the flow's own parameter, and the directions in which its curve leaves it."""
    vertical = np.append(np.zeros(flow.dim), 1.0)
    try:
        start, tangent = newton_onto_curve(flow, path, here, vertical, 50)
    except ConvergenceError:
        start = None
    if start is None or np.linalg.svd(linearised(flow, path, start)[1][:, :-1], compute_uv=False)[-1] < _NEARLY_SINGULAR:
        critical = singular_point(flow, path, here if start is None else start, ("branch", "fold"))
        if critical is not None and abs(critical.point[-1] - here[-1]) < _ON * max(1.0, abs(here[-1])):
            directions = crossing_directions(critical, _AROUND)
            along = max(directions, key=lambda d: (round(abs(d[-1]), 6), d[-1]))
            back = directions[np.argmin(directions @ along)]
            return critical.point, [back, along] if along @ back < -_ALONG else [along]
    if start is None:
        # where a state is fixed and the curve vertical, as on a cusp, no parameter is needed to find it
        rest, slopes = linearised(flow, path, here)
        _, sizes, right = np.linalg.svd(slopes)
        if np.abs(rest).max() < _ON and sizes[-1] > _NEARLY_SINGULAR:
            return here, [-right[-1], right[-1]]
        if np.abs(rest).max() < _ON:
            text = f"continuation: {here[:-1].tolist()} is a fixed point, but so degenerate at {path} = {here[-1]}"
            raise ConvergenceError(f"{text} that no single curve is found: it may be so at all values of the parameter", here[:-1])
        raise ConvergenceError(
            f"continuation: no fixed point near {here[:-1].tolist()} at {path} = {here[-1]}", here[:-1]
        ) from None
    return start, [-tangent, tangent]


def _follow(course, start, tangent):
    path = course.path
    tests, values = course.tests(start, tangent)
    points, eigenvalues, known = [start], [values], [tests]
    h, end = _FIRST * course.max_step, Status("points", f"stopped after {course.max_points} points", ok=False)
    while len(points) < course.max_points:
        y = points[-1]
        try:
            new, turned, tests, values = _stepped(course, y, tangent, known[-1], h)
        except ConvergenceError:
            h *= 0.5
            if h < _SHORTEST:
                end = Status("lost", f"lost at {path} = {y[-1]:.6g}", ok=False)
                break
            continue
        closed = len(points) > _CLOSING and np.linalg.norm(new - start) < 0.5 * h and (start - y) @ tangent > 0
        outside = not course.low <= new[-1] <= course.high
        if closed:
            end = Status("closed", "closed on itself")
            new, tests, values = start, known[0], eigenvalues[0]
        elif outside:
            edge = course.low if new[-1] < course.low else course.high
            end = Status("bounds", f"{path} reached {edge:g}")
            if abs(y[-1] - edge) < _SHORTEST:
                break  # it is there already
            place = _on_bound(course.span(y, new, known[-1], tests), edge)
            if place is None:
                end = Status("left", f"{path} left its bounds", ok=False)
                break
            new, turned = place
            tests, values = course.tests(new, turned)
        points.append(new)
        eigenvalues.append(values)
        known.append(tests)
        if closed or outside:
            break
        if turned @ tangent > _STRAIGHT:
            h = min(_GROWTH * h, course.max_step)
        tangent = turned
    return _Side(np.array(points), np.array(eigenvalues), known, end)


def _stepped(course, y, tangent, before, h):
    """The next point at length h along the tangent, the tangent, test functions and eigenvalues there.

    ConvergenceError where h is too long: a sharp turn, or a jump to another curve, which changes the sign of the determinant
    without a branch point.
    """
    new, turned = newton_onto_curve(course.flow, course.path, y + h * tangent, tangent)
    if turned @ tangent < _SHARP or np.linalg.norm(new - y) > _JUMP * h:
        raise ConvergenceError("sharp turn")
    tests, values = course.tests(new, turned)
    if before["branch"] * tests["branch"] < 0:
        span = course.span(y, new, before, tests)
        span.located("branch", 0.0, span.length)
    return new, turned, tests, values


def _on_bound(span, edge):
    """The point of a piece of a curve at a bound of the parameter, and its tangent; None where there is none."""
    try:
        place = sign_change(lambda s: span.point(s)[0][-1] - edge, span.length, xtol=1e-15, rtol=8.9e-16)
        point, tangent = span.point(place)
    except ConvergenceError:
        found = singular_point(span.flow, span.path, span.end, ("branch",))
        if found is None or abs(found.point[-1] - edge) > _ON * max(1.0, abs(edge)):
            return None
        point, tangent = found.point.copy(), span.chord
    point[-1] = edge
    return point, tangent


def _joined(sides, course):
    points = np.concatenate([sides[0].points, *(s.points[1:] for s in sides[1:])])
    values = np.concatenate([sides[0].eigenvalues, *(s.eigenvalues[1:] for s in sides[1:])])
    tests = [t for i, s in enumerate(sides) for t in s.tests[min(i, 1) :]]
    found = bifurcations_along(course.flow, course.path, course.step, course.size, points, tests, (course.low, course.high))
    status = worst_end([s.end for s in sides], _ENDS)
    return FixedPointBranch(course.path, points[:, -1], points[:, :-1], values, found, course.step, course.flow, status)
