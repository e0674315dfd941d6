"""Curves of homoclinic and heteroclinic orbits in the plane of two parameters, and the points at which they change or end [JSP].

Pseudo-arclength steps in the plane; at each one the boundary value problem of the connecting orbit is solved, with its ends at the
same distance from the saddles in units of the orbit's extent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import ConvergenceError
from ...results.encoding import dict_of, require, result
from ...results.status import Status
from ...running.progress import Progress, check_progress
from ...support.arithmetic import underflow_is_zero
from ...support.checks import integer, interval, real, shown
from ...support.types import Progress as Wanted
from ..flow import Flow, require_fixed
from ..line import Line, Path
from ..orbits.connections import END, Connection, connect, converged_connection, with_ends_at
from ..orbits.homoclinic import Heteroclinic, Homoclinic
from .curve import sign_change

__all__ = ["ConnectionCurve", "ConnectionPoint", "continue_homoclinic"]

#: Mesh intervals of an orbit to begin with and at most, and the local error of its polynomials up to which they are enough.
_INTERVALS, _MOST_INTERVALS, _LOCAL = 40, 400, 1e-6

#: The first step in units of the longest, by what steps grow, and the shortest.
_FIRST, _GROWTH, _SHORTEST = 0.2, 1.5, 1e-8

#: Cosine of the angle between neighbouring tangents below which a step is halved, and the change of the orbit's extent.
_SHARP, _RATIO = 0.85, 1.7

#: Rate of the weakest eigenvalue, in units of that at the start, and extent, likewise, at which a curve has come to its end; the end is
#: extrapolated from there.
_WEAK, _SMALL = 2e-3, 2e-3

#: Points before a curve can close on itself.
_CLOSING = 8

#: How an end of a curve is rated where the two differ: the worst first.
_ENDS = ("lost", "points", "closed", "bounds", "saddle_node", "bogdanov_takens")


@result("flow.ConnectionPoint")
@dataclass(frozen=True)
class ConnectionPoint:
    """A point of codimension two on a curve of connecting orbits.

    Attributes
    ----------
    kind : str
        "neutral_saddle": the saddle quantity vanishes, the cycle born changes its stability and a curve of cycle folds begins.
        "bogdanov_takens": the orbit shrinks to its saddle. "saddle_node": the saddle meets another fixed point; beyond, on the curve
        of folds, the cycle ends in a saddle-node on it.
    paths : pair of str or Line
    values : (2,) array of the two parameters
    state : (dim,) array, the saddle
    error : float, estimated, of the values
    """

    kind: str
    paths: tuple[Path, Path]
    values: np.ndarray
    state: np.ndarray
    error: float

    as_dict = dict_of

    def __str__(self) -> str:
        where = ", ".join(f"{path} = {value:.10g}" for path, value in zip(self.paths, self.values))
        return f"{self.kind} at {where}, state ({', '.join(f'{x:.6g}' for x in self.state)}), error {self.error:.1g}"


@result("flow.ConnectionCurve")
@dataclass(frozen=True)
class ConnectionCurve:
    """A curve of connecting orbits in two parameters.

    Attributes
    ----------
    kind : "homoclinic" or "heteroclinic"
    paths : pair of str or Line
    values : (n, 2) array of the parameters
    saddles : (n, k, dim) array, k = 1 for homoclinic orbits, 2 (left, reached) for heteroclinic ones
    eigenvalues : (n, k, dim) complex array of the flow's Jacobian at the saddles, the largest real part first
    extents : (n,) array, the orbits' largest range of a coordinate
    points : list of ConnectionPoint, in the order of the curve
    error : float
        Of the parameters: the largest distance of three points of the curve from what finer meshes and longer times give there.
    flow : Flow at the start
    status : Status
        Why both ends end; its code is that of the worse one: "bounds", "closed" (on itself), "bogdanov_takens", "saddle_node",
        "points" (``max_points``), "lost" (Newton's method fails). ok but for the last two.
    """

    kind: str
    paths: tuple[Path, Path]
    values: np.ndarray
    saddles: np.ndarray
    eigenvalues: np.ndarray
    extents: np.ndarray
    points: list[ConnectionPoint]
    error: float
    flow: Flow = field(repr=False)
    status: Status

    as_dict = dict_of

    @property
    def ok(self) -> bool:
        """Whether both ends are where the bounds, the curve itself or its kind end."""
        return self.status.ok

    @property
    def saddle_quantity(self) -> np.ndarray:
        """(n, k) array: weakest unstable and weakest stable real part, added; negative where the cycle born is stable."""
        real = self.eigenvalues.real
        up = np.where(real > 0, real, np.inf).min(axis=-1)
        return up + np.where(real < 0, real, -np.inf).max(axis=-1)

    def check(self) -> None:
        """ValueError where the arrays do not fit together, or a saddle is no fixed point of the flow at its parameters."""
        n, k = len(self.values), 1 if self.kind == "homoclinic" else 2
        require(self.kind in ("homoclinic", "heteroclinic"), f"unknown kind {self.kind!r}")
        require(self.values.shape == (n, 2) and self.extents.shape == (n,), "values and extents do not fit together")
        for name in ("saddles", "eigenvalues"):
            shape = getattr(self, name).shape
            require(shape == (n, k, self.flow.dim), f"{name} must have shape {(n, k, self.flow.dim)}, got {shape}")
        for pair, saddles in zip(self.values, self.saddles, strict=True):
            here = self.flow.with_parameters(dict(zip(self.paths, map(float, pair))))
            for saddle in saddles:
                require_fixed(here, saddle)

    def __len__(self) -> int:
        return len(self.values)

    def __str__(self) -> str:
        where = ", ".join(f"{p} in [{v.min():.6g}, {v.max():.6g}]" for p, v in zip(self.paths, self.values.T))
        text = f"{self.kind} curve, {len(self)} points, {where}, error {self.error:.1g}; {self.status}"
        return "\n".join([text, *(f"  {p}" for p in self.points)])


@underflow_is_zero
def continue_homoclinic(
    start: Homoclinic | Heteroclinic,
    paths: Sequence[str | Mapping[str, float] | Line],
    bounds: npt.ArrayLike | Mapping[Any, npt.ArrayLike],
    *,
    max_step: float = 0.05,
    max_points: int = 400,
    progress: Wanted = None,
) -> ConnectionCurve:
    """Follow a homoclinic or heteroclinic orbit in two parameters, in both directions.

    Parameters
    ----------
    start : Homoclinic or Heteroclinic
        Its flow has all other parameters.
    paths : pair of paths, as for ``Flow.along``
        The axes of the plane; the start's own path may be one of them.
    bounds : pair of (low, high), or mapping from the paths to them
        Of each parameter; they must contain the start.
    max_step : float in [1e-6, 1]
        Longest step along the curve, in units of the widths of the bounds.
    max_points : int
        Most points in each direction.
    progress : None, True or callable
        As for ``phase_diagram``.

    Returns
    -------
    ConnectionCurve
        With the zeros of the saddle quantity located. It ends at the bounds, at a Bogdanov-Takens point (the orbit shrinks to its
        saddle) or where the saddle meets another fixed point in a saddle-node, both extrapolated from points close to them.

    Raises
    ------
    TypeError, ValueError : arguments that are not allowed
    ConvergenceError : the start is not on a curve
    """
    if not isinstance(start, (Homoclinic, Heteroclinic)):
        raise TypeError(f"start must be a Homoclinic or a Heteroclinic, got {shown(start)}")
    pair, limits = _plane(start.flow, paths, bounds)
    max_step = real("max_step", max_step, low=1e-6, high=1.0)
    max_points = integer("max_points", max_points, low=2)
    check_progress(progress)
    with Progress(progress, 2 * max_points, "orbit") as tell:
        course = _Course(pair, limits, max_step, max_points, tell)
        first = course.beginning(start.connection)
        back = course.side(replace(first, tangent=-_tangent(first)))
        sides = [back] if back.end.code == "closed" else [back, course.side(first)]
    return _joined(start, course, sides)


def _plane(flow, paths, bounds):
    """Two paths and the (2, 2) array of their bounds."""
    if isinstance(paths, (str, bytes, Mapping)) or not isinstance(paths, Sequence) or len(paths) != 2:
        raise TypeError(f"paths must be a pair of paths, got {shown(paths)}")
    pair = tuple(flow.along(path) for path in paths)
    values = [flow.parameter(path) for path in pair]
    flow.with_parameters(dict(zip(pair, values)))  # refuses paths that share an entry
    if isinstance(bounds, Mapping):
        if len(bounds) != 2 or any(path not in bounds for path in paths):
            raise ValueError(f"bounds must be given for the paths {[str(p) for p in pair]}, got {shown(bounds)}")
        bounds = [bounds[path] for path in paths]
    elif not isinstance(bounds, (Sequence, np.ndarray)) or len(bounds) != 2:
        raise TypeError(f"bounds must be two pairs (low, high), or a mapping from paths to them, got {shown(bounds)}")
    limits = np.array([interval(f"bounds of {path}", own) for path, own in zip(pair, bounds)])
    for path, value, (low, high) in zip(pair, values, limits):
        if not low <= value <= high:
            raise ValueError(f"bounds must contain the start's {path} = {value}, got {(float(low), float(high))}")
    return pair, limits


def _tangent(connection):
    if connection.tangent is None:
        raise ValueError("this connection was solved for one parameter")
    return connection.tangent


@dataclass
class _Side:
    passed: list[Connection]
    found: list[ConnectionPoint]
    end: Status


@dataclass(frozen=True)
class _Course:
    """What is followed, within which limits. Lengths and tangents are in units of the widths of the bounds."""

    paths: tuple[Path, Path]
    limits: np.ndarray
    max_step: float
    max_points: int
    tell: Callable[[int], None]

    @property
    def width(self):
        return np.ptp(self.limits, axis=1)

    def values(self, connection):
        """(2,) array of the parameters."""
        return np.array([connection.flow.parameter(path) for path in self.paths])

    def solved(self, connection, normal, through):
        """The connection on the line through a point of the plane at right angles to a direction, its tangent in that direction."""
        flow = connection.flow.with_parameters(dict(zip(self.paths, map(float, through))))
        guess = replace(connection, flow=flow)
        new = connect(guess, self.paths, plane=(normal / self.width, through))
        tangent = _tangent(new) / self.width
        tangent = tangent / np.linalg.norm(tangent)
        return replace(new, tangent=tangent * (np.sign(tangent @ normal) or 1.0))

    def beginning(self, connection):
        """The start on a coarse mesh, with the tangent of the curve."""
        connection = with_ends_at(connection, END, _INTERVALS)
        here, failure = self.values(connection), None
        for normal in np.eye(2):
            try:
                new = self.solved(connection, normal, here)
            except ConvergenceError as error:
                failure = error
                continue
            return self.fine(self.solved(new, _tangent(new), self.values(new)))
        raise ConvergenceError(f"continuation: the start is on no curve of connections in this plane: {failure}", here)

    def fine(self, connection):
        """The same connection on a mesh that is fine enough, its ends where they belong."""
        n = len(connection.orbit.points)
        while True:
            again = with_ends_at(connection, END, n)
            again = self.solved(again, _tangent(connection), self.values(connection))
            if again.orbit.local_error() < _LOCAL * max(1e-3, again.extent) or n >= _MOST_INTERVALS:
                return again
            n, connection = min(_MOST_INTERVALS, int(1.3 * n) + 1), again

    def ahead(self, connection, length):
        """The connection at a length along the tangent; ConvergenceError where that is too far."""
        t = _tangent(connection)
        new = self.fine(self.solved(connection, t, self.values(connection) + length * t * self.width))
        step = np.linalg.norm((self.values(new) - self.values(connection)) / self.width)
        same = _rates(new)[2] == _rates(connection)[2]
        if _tangent(new) @ t < _SHARP or step > 2.0 * length or not same:
            raise ConvergenceError("sharp turn", new)
        if not 1.0 / _RATIO < new.extent / connection.extent < _RATIO:
            raise ConvergenceError("the orbit changes too fast", new)
        return new

    def side(self, first):
        """The curve from a connection on along its tangent."""
        side = _Side([first], [], Status("points", f"stopped after {self.max_points} points", ok=False))
        h = _FIRST * self.max_step
        while len(side.passed) < self.max_points:
            here = side.passed[-1]
            h = min(h, self.max_step, 0.6 * self._left_to_go(side.passed))
            try:
                if h < _SHORTEST:
                    raise ConvergenceError("lost", here)
                new = self.ahead(here, h)
            except ConvergenceError:
                h *= 0.5
                if h < _SHORTEST:
                    where = ", ".join(f"{path} = {v:.8g}" for path, v in zip(self.paths, self.values(here)))
                    side.end = Status("lost", f"lost at {where}", ok=False)
                    break
                continue
            inside = (self.values(new) >= self.limits[:, 0]) & (self.values(new) <= self.limits[:, 1])
            if not inside.all():
                new, side.end = self._on_bound(here, new, int(np.argmin(inside)))
            elif self._closes(side.passed, new):
                side.end = Status("closed", "closed on itself")
                new = first
            side.found += self._neutral(here, new, h)
            side.passed.append(new)
            self.tell(1)
            if side.end.code in ("bounds", "closed"):
                break
            end = self._ended(side.passed)
            if end is not None:
                side.end = Status(end.kind, f"ends at {_WORDS[end.kind]}")
                side.found.append(end)
                break
            h *= _GROWTH
        return side

    def _closes(self, passed, new):
        first, last = (self.values(c) / self.width for c in (passed[0], passed[-1]))
        step = self.values(new) / self.width - last
        return len(passed) > _CLOSING and np.linalg.norm(first - last - step) < np.linalg.norm(step) and (first - last) @ step > 0

    def _on_bound(self, here, new, i):
        """The connection at a bound of parameter i, which is crossed between two."""
        a, b = self.values(here), self.values(new)
        edge = self.limits[i, 0] if b[i] < self.limits[i, 0] else self.limits[i, 1]
        through = a + (b - a) * (edge - a[i]) / (b[i] - a[i])
        through[i] = edge
        end = Status("bounds", f"{self.paths[i]} reached {edge:g}")
        normal = np.eye(2)[i] * (np.sign(b[i] - a[i]))
        try:
            return self.solved(here, normal, through), end
        except ConvergenceError:
            return here, replace(end, ok=False)

    # --- points of codimension two

    def _neutral(self, here, new, h):
        """Where the saddle quantity of a homoclinic orbit vanishes between two neighbours."""
        if len(here.saddles) > 1 or not _quantity(here) * _quantity(new) < 0:
            return []
        known = {}

        def test(s):
            known[s] = self.ahead(here, s) if s > 0 else here
            return _quantity(known[s])

        try:
            there = known[sign_change(test, h, xtol=1e-13)]
        except (ConvergenceError, KeyError):
            return []
        fine, error = self._checked(there)
        return [ConnectionPoint("neutral_saddle", self.paths, self.values(there), fine.saddles[0], error)]

    def _checked(self, connection):
        """A point of the curve on finer meshes and for longer times at one parameter, and how far it moves."""
        i = int(np.argmin(np.abs(_tangent(connection))))  # across the curve
        fine, error = converged_connection(connection, self.paths[i])
        return fine, float(np.abs(self.values(fine) - self.values(connection)).max() + error)

    def _left_to_go(self, passed):
        """The length up to where what vanishes at the end of a curve vanishes, if it goes on as it does; inf if it grows."""
        if len(passed) < 2:
            return np.inf
        way = np.linalg.norm((self.values(passed[-1]) - self.values(passed[-2])) / self.width)
        left = [np.inf]
        for measure in (lambda c: min(_rates(c)[:2]), lambda c: c.extent):
            before, now = measure(passed[-2]), measure(passed[-1])
            if now < before:
                left.append(way * now / (before - now))
        return min(left)

    def _ended(self, passed):
        """The point at which the curve ends of itself, if it has come close to it."""
        first, last = passed[0], passed[-1]
        if len(passed) < 5:
            return None
        if last.extent < _SMALL * first.extent and max(_rates(last)[:2]) < np.sqrt(_SMALL) * 4.0 * max(_rates(first)[:2]):
            kind, measure = "bogdanov_takens", lambda c: c.extent
        elif min(_rates(last)[:2]) < _WEAK * max(_rates(first)[:2]):
            kind, measure = "saddle_node", lambda c: min(_rates(c)[:2])
        else:
            return None
        # what vanishes is a smooth function of the length: a parabola through the last points, a line through two
        y = np.array([measure(c) for c in passed[-4:]])
        rows = np.array([np.concatenate([self.values(c), c.saddles[0]]) for c in passed[-4:]])
        ends = [_at_zero(y[-k:], rows[-k:]) for k in (3, 4)]
        error = float(np.abs(ends[0] - ends[1])[:2].max())
        return ConnectionPoint(kind, self.paths, ends[1][:2], ends[1][2:], error)


_WORDS = {
    "bogdanov_takens": "a Bogdanov-Takens point: the orbit shrinks to its saddle",
    "saddle_node": "a saddle-node of the saddle",
}


def _at_zero(y, rows):
    """Rows as polynomials of y through all points, at y = 0."""
    out = np.zeros(rows.shape[1])
    for i in range(len(y)):
        others = np.delete(y, i)
        out += rows[i] * np.prod(others / (others - y[i]))
    return out


def _rates(connection):
    """The weakest rates of expansion and of contraction at the saddles, and how many directions of each expand."""
    up, down, number = [], [], []
    for saddle in connection.saddles:
        real = np.linalg.eigvals(connection.flow.jacobian(saddle)).real
        number.append(int((real > 0).sum()))
        up.append(real[real > 0].min(initial=np.inf))
        down.append(-real[real < 0].max(initial=-np.inf))
    return float(min(up)), float(min(down)), number


def _quantity(connection):
    up, down, _ = _rates(connection)
    return up - down


def _joined(start, course, sides):
    back, forth = sides[0], sides[1] if len(sides) > 1 else None
    passed = [*reversed(back.passed), *(forth.passed[1:] if forth else ())]
    ends = [side.end for side in sides]
    worst = min(ends, key=lambda end: _ENDS.index(end.code))
    status = Status(worst.code, "; ".join(dict.fromkeys(str(end) for end in ends)), all(end.ok for end in ends))
    errors = []
    for connection in (passed[0], passed[len(passed) // 2], passed[-1]):
        try:
            errors.append(course._checked(connection)[1])
        except ConvergenceError:
            errors.append(np.inf)  # too close to an end where the time diverges
    finite = [e for e in errors if np.isfinite(e)]
    values = [[_sorted_eigenvalues(c.flow, s) for s in c.saddles] for c in passed]
    return ConnectionCurve(
        "homoclinic" if isinstance(start, Homoclinic) else "heteroclinic",
        course.paths,
        np.array([course.values(c) for c in passed]),
        np.array([c.saddles for c in passed]),
        np.array(values),
        np.array([c.extent for c in passed]),
        [*reversed(back.found), *(forth.found if forth else ())],
        max(finite, default=np.nan),
        start.flow,
        status,
    )


def _sorted_eigenvalues(flow, saddle):
    values = np.linalg.eigvals(flow.jacobian(saddle)).astype(complex)
    return values[np.argsort(-values.real)]
