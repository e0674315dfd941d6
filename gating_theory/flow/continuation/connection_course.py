"""The course of a curve of connecting orbits through the plane of two parameters, and the points at which it changes or ends [JSP].

Pseudo-arclength steps in the plane; at each one the boundary value problem of the connecting orbit is solved, with its ends at the
same distance from the saddles in units of the orbit's extent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ...errors import ConvergenceError
from ...results.status import Status
from ...support.arclength import sign_change
from ..flow import Flow
from ..line import Path
from ..orbits.connections import END, Connection, connect, converged_connection, with_ends_at
from ..program.taylor import bilinear
from .codimension_two import Codim2Point
from .extended import critical_point
from .reduction import double_zero
from .sides import Side

__all__ = ["Course"]

#: Mesh intervals of an orbit to begin with and at most, and the local error of its polynomials up to which they are enough.
_INTERVALS, _MOST_INTERVALS, _LOCAL = 40, 400, 1e-6

#: The first step and the shortest in units of the longest, by what steps grow, and the part of what is left that a step may take.
_FIRST, _SHORTEST, _GROWTH, _PART = 0.2, 1e-6, 1.5, 0.4

#: Newton steps along a curve.
_NEWTON = 12

#: Speed, in units of the largest, below which an orbit rests far from its saddles, what far is in units of its extent, and the
#: step, in units of the longest, below which that is why steps are short.
_RESTS, _FAR, _STALLED = 1e-3, 0.05, 1e-3

#: Cosine of the angle between neighbouring tangents below which a step is halved, and the change of the orbit's extent.
_SHARP, _RATIO = 0.85, 1.7

#: Distance of the saddle from another fixed point, in units of the extent, and extent, in units of that at the start, at which a
#: curve has come to its end, which is extrapolated from there.
_MEETS, _SMALL = 5e-3, 5e-3

#: Points before a curve can close on itself.
_CLOSING = 8


@dataclass(frozen=True)
class Course:
    """What is followed, and within which limits. Lengths and tangents are in units of the widths of the bounds.

    Attributes
    ----------
    paths : pair of str or Line
    limits : (2, 2) array, low and high of each parameter
    max_step : float
    max_points : int
    tell : callable(n), told of every point
    """

    paths: tuple[Path, Path]
    limits: np.ndarray
    max_step: float
    max_points: int
    tell: Callable[[int], None]

    @property
    def width(self) -> np.ndarray:
        """(2,) array, the widths of the bounds: the units of lengths."""
        return np.ptp(self.limits, axis=1)

    def values(self, connection: Connection) -> np.ndarray:
        """(2,) array of the parameters."""
        return np.array([connection.flow.parameter(path) for path in self.paths])

    def solved(self, connection: Connection, normal: np.ndarray, through: np.ndarray) -> Connection:
        """The connection on the line through a point of the plane at right angles to a direction, its tangent in that direction."""
        guess = replace(connection, flow=self.at(connection.flow, through))
        new = connect(guess, self.paths, plane=(normal / self.width, through), iterations=_NEWTON)
        tangent = new.along / self.width
        tangent = tangent / np.linalg.norm(tangent)
        return replace(new, tangent=tangent * (np.sign(tangent @ normal) or 1.0))

    def beginning(self, connection: Connection) -> Connection:
        """The start on a coarse mesh, with the tangent of the curve."""
        connection = with_ends_at(connection, END, _INTERVALS)
        here, failure = self.values(connection), None
        for normal in np.eye(2):
            try:
                new = self.solved(connection, normal, here)
            except ConvergenceError as error:
                failure = error
                continue
            return self.fine(self.solved(new, new.along, self.values(new)))
        raise ConvergenceError(f"continuation: the start is on no curve of connections in this plane: {failure}", here)

    def fine(self, connection: Connection) -> Connection:
        """The same connection on a mesh that is fine enough, its ends where they belong."""
        n = len(connection.orbit.points)
        while True:
            again = with_ends_at(connection, END, n)
            again = self.solved(again, connection.along, self.values(connection))
            if again.orbit.local_error() < _LOCAL * max(1e-3, again.extent) or n >= _MOST_INTERVALS:
                return again
            n, connection = min(_MOST_INTERVALS, int(1.3 * n) + 1), again

    def ahead(self, connection: Connection, length: float) -> Connection:
        """The connection at a length along the tangent; ConvergenceError where that is too far."""
        t = connection.along
        new = self.fine(self.solved(connection, t, self.values(connection) + length * t * self.width))
        step = np.linalg.norm((self.values(new) - self.values(connection)) / self.width)
        same = _rates(new)[2] == _rates(connection)[2]
        if new.along @ t < _SHARP or step > 2.0 * length or not same:
            raise ConvergenceError("sharp turn", new)
        if not 1.0 / _RATIO < new.extent / connection.extent < _RATIO:
            raise ConvergenceError("the orbit changes too fast", new)
        return new

    def side(self, first: Connection) -> Side[Connection]:
        """The curve from a connection on along its tangent."""
        side = Side([first], [], Status("points", f"stopped after {self.max_points} points", ok=False))
        h, growth = _FIRST * self.max_step, _GROWTH
        while len(side.passed) < self.max_points:
            here = side.passed[-1]
            h = min(h, self.max_step, _PART * self._left_to_go(side.passed))
            try:
                new = self.ahead(here, h)
            except ConvergenceError:
                h, growth = 0.5 * h, 1.0
                end = self._stalled(here, h)
                if end is not None:
                    side.end = end
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
            h, growth = growth * h, _GROWTH
        return side

    def _stalled(self, here, h):
        """How a curve ends whose steps become too short, or None: the orbit rests on its way, or Newton's method fails."""
        if h > _STALLED * self.max_step:
            return None
        where = ", ".join(f"{path} = {v:.8g}" for path, v in zip(self.paths, self.values(here)))
        states = here.orbit.stages.reshape(-1, here.flow.dim)
        speed = np.linalg.norm(here.flow(states), axis=1)
        away = np.all([np.linalg.norm(states - s, axis=1) > _FAR * here.extent for s in here.saddles], axis=0)
        slowest = int(np.argmin(np.where(away, speed, np.inf)))
        if away.any() and speed[slowest] < _RESTS * speed.max():
            place = ", ".join(f"{x:.6g}" for x in states[slowest])
            return Status("rest", f"the orbit comes to rest at another fixed point near ({place}), {where}")
        return Status("lost", f"lost at {where}", ok=False) if h < _SHORTEST * self.max_step else None

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
        fine, error = self.checked(there)
        return [Codim2Point("neutral_saddle", self.paths, self.values(fine), fine.saddles[0], fine.flow, 1.0, {}, error)]

    def checked(self, connection: Connection) -> tuple[Connection, float]:
        """A point of the curve on finer meshes and for longer times at one parameter, and how far it moves."""
        i = int(np.argmin(np.abs(connection.along)))  # across the curve
        fine, error = converged_connection(connection, self.paths[i])
        return fine, float(np.abs(self.values(fine) - self.values(connection)).max() + error)

    def _left_to_go(self, passed):
        """The length up to where what vanishes at the end of a curve vanishes, if it goes on as it does; inf if it grows."""
        if len(passed) < 2:
            return np.inf
        way = np.linalg.norm((self.values(passed[-1]) - self.values(passed[-2])) / self.width)
        left = [np.inf]
        for measure in (_separation, lambda c: c.extent):
            before, now = measure(passed[-2]), measure(passed[-1])
            if now < before:
                left.append(way * now / (before - now))
        return min(left)

    def _ended(self, passed):
        """The point at which the curve ends of itself, if it has come close to it."""
        first, last = passed[0], passed[-1]
        if len(passed) < 5:
            return None
        if last.extent < _SMALL * first.extent:
            kind, measure = "bogdanov_takens", lambda c: c.extent
        elif _separation(last) < _MEETS * last.extent:
            kind, measure = "saddle_node_loop", _separation
        else:
            return None
        # what vanishes is a smooth function of the length: polynomials through the last points
        y = np.array([measure(c) for c in passed[-4:]])
        rows = np.array([np.concatenate([self.values(c), c.saddles[0]]) for c in passed[-4:]])
        ends = [_at_zero(y[-k:], rows[-k:]) for k in (3, 4)]
        solve = self._double_zero if kind == "bogdanov_takens" else self._on_fold
        try:
            ends = [solve(last, end) for end in ends]
        except ConvergenceError:
            return None
        error = float(np.abs(ends[0] - ends[1])[:2].max()) + 1e-14
        values, state = ends[1][:2], ends[1][2:]
        flow = self.at(last.flow, values)
        coefficients = dict(zip("ab", double_zero(flow, state))) if kind == "bogdanov_takens" else {}
        return Codim2Point(kind, self.paths, values, state, flow, 1.0, coefficients, error)

    def at(self, flow: Flow, values: np.ndarray) -> Flow:
        """The flow at two values of the parameters."""
        return flow.with_parameters(dict(zip(self.paths, map(float, values))))

    def _double_zero(self, last, guess):
        """Parameters and state, (2 + dim,), at which a fixed point has two zero eigenvalues."""
        from scipy.optimize import root

        def equations(row):
            here = self.at(last.flow, row[:2])
            return np.concatenate([here(row[2:]), np.poly(here.jacobian(row[2:])).real[-2:]])

        found = root(equations, guess, options={"xtol": 1e-14})
        if np.abs(found.x - guess).max() > 10.0 * _SMALL * max(1.0, np.abs(guess).max()) or np.abs(found.fun).max() > 1e-10:
            raise ConvergenceError("continuation: no double zero eigenvalue where the orbits shrink", guess)
        return found.x

    def _on_fold(self, last, guess):
        """Parameters and state at the fold beside a guess, at the guess's value of the parameter along the curve."""
        across = int(np.argmin(np.abs(last.along)))  # both curves touch
        found = critical_point(self.at(last.flow, guess[:2]), self.paths[across], np.append(guess[2:], guess[across]), "fold").point
        values = guess[:2].copy()
        values[across] = found[-1]
        return np.concatenate([values, found[:-1]])


_WORDS = {
    "bogdanov_takens": "a Bogdanov-Takens point: the orbit shrinks to its saddle",
    "saddle_node_loop": "a saddle-node of the saddle",
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


def _separation(connection):
    """How far the next fixed point is from a saddle along its weakest direction, from the quadratic term there; inf if none."""
    out = [np.inf]
    for saddle in connection.saddles:
        values, vectors = np.linalg.eig(connection.flow.jacobian(saddle))
        k = int(np.argmin(np.abs(values)))
        if values[k].imag == 0.0:
            v, p = vectors[:, k].real, np.linalg.inv(vectors)[k].real
            quadratic = 0.5 * p @ bilinear(connection.flow, saddle, v, v)
            out.append(abs(values[k].real / quadratic) if quadratic else np.inf)
    return float(min(out))


def _quantity(connection):
    up, down, _ = _rates(connection)
    return up - down
