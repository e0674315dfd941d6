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
from ...support.arithmetic import underflow_is_zero
from ...support.checks import instance, integer, interval, real, real_array, shown
from ..flow import LONGEST_STEP, Flow, require_fixed
from ..line import Line, Path
from ..program.taylor import parameter_slope
from .bifurcation import Bifurcation, fixed_point_tests, locate
from .curve import newton_onto_curve, parameter_bounds

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

#: Parameters and states in which two sides found one and the same bifurcation.
_SAME_VALUE, _SAME_STATE = 1e-9, 1e-7

#: How an end of a branch is rated where the two differ: the worst first.
_ENDS = ("lost", "left", "points", "closed", "bounds")


@result("flow.FixedPointBranch")
@dataclass(frozen=True)
class FixedPointBranch:
    """A curve of fixed points in one parameter.

    Attributes
    ----------
    path : str or Line
    values : (n,) array of the parameter, states : (n, dim) array, eigenvalues : (n, dim) complex array of the flow's Jacobian
    bifurcations : list of Bifurcation, in the order of the branch
    step : float, of the Euler map whose bifurcations are included
    flow : Flow at the start
    status : Status
        Why both ends end; its code is that of the worse one: "bounds" (a bound of the parameter was reached), "closed" (the curve
        closed on itself), "points" (``max_points``), "left" (the bounds were left, but no point was found on them), "lost"
        (Newton's method fails). ok for the first two.
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
    product of two multipliers minus 1 does and the pair is complex, flips where a multiplier is -1. Each is located to 1e-12 along
    the curve (branch points to about 1e-8).

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
    TypeError, ValueError : arguments that are not allowed
    ConvergenceError : no fixed point near ``state``
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
    course = _Course(flow, path, low, high, step, max_step, max_points)
    here = np.append(state, flow.parameter(path))
    if direction is None:
        here, tangent = _beginning(flow, path, here)
        sides = [_follow(course, here, s * tangent) for s in (-1.0, 1.0)]
        sides = [sides[0].reversed(), sides[1]]
    else:
        tangent = real_array("direction", direction, largest=1e100)
        if tangent.shape != here.shape or not tangent.any():
            raise ValueError(f"direction must have shape {here.shape} and not vanish, got {shown(tangent)}")
        tangent = tangent / np.linalg.norm(tangent)
        sides = [_follow(course, here, tangent)]
    return _joined(sides, course)


@underflow_is_zero
def other_branch(
    bifurcation: Bifurcation, branch: FixedPointBranch, bounds: npt.ArrayLike, *, size: float = 1e-3, **options: Any
) -> list[FixedPointBranch]:
    """Both sides of the branch that crosses at a pitchfork or transcritical point.

    Parameters
    ----------
    bifurcation : Bifurcation of kind "pitchfork" or "transcritical"
    branch : FixedPointBranch that it lies on
    bounds : (low, high) of the parameter
    size : float in (0, 1]
        Length of the first step away.
    options : as for :func:`continue_fixed_point`

    Returns
    -------
    list of two FixedPointBranch

    Raises
    ------
    TypeError, ValueError : arguments that are not allowed, another kind of bifurcation
    ConvergenceError : the other branch is not found
    """
    instance("bifurcation", bifurcation, Bifurcation)
    instance("branch", branch, FixedPointBranch)
    size = real("size", size, low=0.0, high=1.0, open_low=True)
    low, high = interval("bounds", bounds)
    if bifurcation.kind not in ("pitchfork", "transcritical"):
        raise ValueError(f"bifurcation must be a pitchfork or transcritical, got {bifurcation.kind!r}")
    here, path = bifurcation.flow, bifurcation.path
    point = np.append(bifurcation.state, bifurcation.value)
    across = _crossing_direction(bifurcation, branch, point)
    out = []
    for sign in (1.0, -1.0):
        start, tangent = newton_onto_curve(here, path, point + sign * size * across, across, 40)
        tangent = tangent if tangent @ (start - point) > 0 else -tangent
        begin = here.replace(path, float(np.clip(start[-1], low, high)))
        out.append(continue_fixed_point(begin, path, bounds, start[:-1], direction=tangent, **options))
    return out


def _crossing_direction(bifurcation, branch, point):
    """Unit vector in the plane that both branches leave the point in, at right angles to the one that is known."""
    here, path = bifurcation.flow, bifurcation.path
    rows = np.column_stack([here.jacobian(bifurcation.state), parameter_slope(here, bifurcation.state, path)])
    own = np.column_stack([branch.states, branch.values])
    near = np.argsort(np.linalg.norm(own - point, axis=1))[:2]
    along = own[near[1]] - own[near[0]]
    along /= np.linalg.norm(along)
    _, _, vh = np.linalg.svd(rows)
    across = vh[-2:].T @ (vh[-2:] @ np.eye(len(point)))
    across = across - np.outer(along, along @ across)
    across = across[:, np.argmax(np.linalg.norm(across, axis=0))]
    across /= np.linalg.norm(across)
    return across


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

    def tests(self, point, tangent):
        """Test functions and eigenvalues at a point of the curve."""
        here = self.flow.replace(self.path, float(point[-1]))
        return fixed_point_tests(here, point[:-1], tangent, self.path, self.step)


@dataclass
class _Side:
    points: np.ndarray
    eigenvalues: np.ndarray
    bifurcations: list
    end: Status

    def reversed(self):
        return _Side(self.points[::-1], self.eigenvalues[::-1], self.bifurcations[::-1], self.end)


def _beginning(flow, path, here):
    """The fixed point near a guess at the flow's own parameter, and the tangent of its curve."""
    vertical = np.append(np.zeros(flow.dim), 1.0)
    try:
        return newton_onto_curve(flow, path, here, vertical, 50)
    except ConvergenceError:
        raise ConvergenceError(
            f"continuation: no fixed point near {here[:-1].tolist()} at {path} = {here[-1]}", here[:-1]
        ) from None


def _follow(course, start, tangent):
    flow, path, step = course.flow, course.path, course.step
    tests, values = course.tests(start, tangent)
    points, eigenvalues, found = [start], [values], []
    h, end = _FIRST * course.max_step, Status("points", f"stopped after {course.max_points} points", ok=False)
    while len(points) < course.max_points:
        y = points[-1]
        try:
            new, turned = _stepped(course, y, tangent, h)
        except ConvergenceError:
            h *= 0.5
            if h < _SHORTEST:
                end = Status("lost", f"lost at {path} = {y[-1]:.6g}", ok=False)
                break
            continue
        if len(points) > _CLOSING and np.linalg.norm(new - start) < 0.5 * h and (start - y) @ tangent > 0:
            end = Status("closed", "closed on itself")
            break
        outside = not course.low <= new[-1] <= course.high
        if outside:
            edge = course.low if new[-1] < course.low else course.high
            new = _on_bound(course, y, new, edge)
            if new is None:
                end = Status("left", f"{path} left its bounds", ok=False)
                break
            end = Status("bounds", f"{path} reached {edge:g}")
        fresh, values = course.tests(new, turned)
        found += locate(flow, path, y, tangent, tests, new, fresh, step)
        points.append(new)
        eigenvalues.append(values)
        if outside:
            break
        if turned @ tangent > _STRAIGHT:
            h = min(_GROWTH * h, course.max_step)
        tests, tangent = fresh, turned
    return _Side(np.array(points), np.array(eigenvalues), found, end)


def _stepped(course, y, tangent, h):
    """The next point at length h along the tangent and the tangent there; ConvergenceError where h is too long."""
    new, turned = newton_onto_curve(course.flow, course.path, y + h * tangent, tangent)
    if turned @ tangent < _SHARP or np.linalg.norm(new - y) > _JUMP * h:
        raise ConvergenceError("sharp turn")
    return new, turned


def _on_bound(course, y, new, edge):
    """The point of the curve at a bound of the parameter, between ``y`` inside and ``new`` outside; None where there is none."""
    vertical = np.append(np.zeros(course.flow.dim), 1.0)
    guess = y + (new - y) * (edge - y[-1]) / (new[-1] - y[-1])
    guess[-1] = edge
    try:
        return newton_onto_curve(course.flow, course.path, guess, vertical)[0]
    except ConvergenceError:
        return None


def _joined(sides, course):
    points = np.concatenate([sides[0].points, *(s.points[1:] for s in sides[1:])])
    values = np.concatenate([sides[0].eigenvalues, *(s.eigenvalues[1:] for s in sides[1:])])
    found = []
    for b in (b for s in sides for b in s.bifurcations):
        if not any(_same(b, other) for other in found):
            found.append(b)
    ends = [s.end for s in sides]
    text = "; ".join(dict.fromkeys(str(end) for end in ends))
    status = Status(min((end.code for end in ends), key=_ENDS.index), text, all(end.ok for end in ends))
    return FixedPointBranch(course.path, points[:, -1], points[:, :-1], values, found, course.step, course.flow, status)


def _same(a, b):
    return a.kind == b.kind and abs(a.value - b.value) < _SAME_VALUE and np.abs(a.state - b.state).max() < _SAME_STATE
