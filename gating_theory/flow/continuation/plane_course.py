"""The course of a curve of bifurcations through the plane of two parameters: both sides of a start, up to where each ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from ...errors import CapabilityError, ConvergenceError
from ...results.status import Status
from ...support.arclength import OnCurve, Steps, corrected, null_direction, zero_between
from .bifurcation import Bifurcation
from .codimension_two import COEFFICIENT, ENDS, TESTS, Codim2Point, Here, normal_form_of
from .defining import DefiningSystem
from .sides import Side

__all__ = ["Course", "Passed"]

#: What a start may be off the curve, in units of states and of the bounds; and what f may feel of the parameters at a crossing.
_OFF, _FELT = 1e-4, 1e-6

#: How far the shift of f may go while a crossing still persists, and its quadratic coefficient while it is still a pitchfork.
_KEPT = 1e-7

#: At a zero of a test function its value is below this part of those beside it; at a pole it is not.
_ZERO = 1e-4

#: The first step, which leaves the start, in units of the longest.
_BESIDE = 0.1

#: Points before a curve can close on itself.
_CLOSING = 10


@dataclass(frozen=True)
class Passed:
    """A point that a curve passes: unknowns and tangent, what is there, the coefficient of the curve's kind."""

    point: OnCurve
    here: Here
    coefficient: float


@dataclass(frozen=True)
class Course:
    """What is followed, and how.

    Attributes
    ----------
    system : DefiningSystem, whose origin and scale are the bounds
    max_step : float
    max_points : int
    tell : callable(n), told of every point
    """

    system: DefiningSystem
    max_step: float
    max_points: int
    tell: Callable[[int], object] = int

    def sides(self, start: Bifurcation | Codim2Point) -> list[Side[Passed]]:
        """Both sides of a start, each leading away from it; one alone where the curve is closed.

        Raises
        ------
        ConvergenceError
            the start is on no such curve
        CapabilityError
            a crossing that does not persist
        """
        first, here = self._beginning(start)
        back = self._follow(OnCurve(first.u, -first.tangent, first.error), here)
        return [back] if back.end.code == "closed" else [back, self._follow(first, here)]

    # --- the beginning

    def _beginning(self, start):
        """A point of the curve beside the start, so that what the start itself is, is found like anything else."""
        system = self.system
        values = np.array([start.flow.parameter(path) for path in system.paths])
        guess = system.unknowns(np.asarray(start.state, dtype=float), values)
        here = Here(system, guess)
        self._require_crossing(here)
        try:
            equations = self._equations(here)
            first = corrected(equations, guess, null_direction(equations, guess))
            if np.abs(first.u - guess).max() > _OFF:
                raise ConvergenceError("another curve")
            here = Here(system, first.u, here.frame)
            self._require_kept(here)
            return self._beside(first, here)
        except (ConvergenceError, np.linalg.LinAlgError):
            what = f"continuation: the {start.kind} at the start is on no curve of kind {system.kind!r}"
            raise ConvergenceError(what, guess) from None

    def _beside(self, first, here):
        """A short step from a point in a direction in which the kind does not end; the point itself at a corner of the bounds."""
        for sign in (1.0, -1.0):
            point = OnCurve(first.u, sign * first.tangent, first.error)
            new = Steps(_BESIDE * self.max_step, _BESIDE * self.max_step).next(self._onto(here), point)
            there = Here(self.system, new.u, here.frame)
            inside = all(0.0 <= new.u[place] <= 1.0 for place in self._places)
            if inside and not any(TESTS[self.system.kind][name](there) < 0.0 for name in self._ends):
                return new, there
        return first, here

    @property
    def _places(self):
        """Where the parameters stand among the unknowns."""
        return self.system.flow.dim, self.system.flow.dim + 1

    @property
    def _ends(self):
        return ENDS.get(self.system.kind, ())

    # --- the way

    def _follow(self, point, here):
        """The curve from a point on along its tangent."""
        steps, start = Steps(self.max_step), point
        tests = self._tests(here)
        side = Side([self._passed(point, here, tests)], [], Status("points", f"stopped after {self.max_points} points", ok=False))
        while len(side.passed) < self.max_points:
            onto = self._onto(here)
            try:
                new = steps.next(onto, point)
                closes = len(side.passed) > _CLOSING and self._closes(start, point, new)
                new, end = (start, Status("closed", "closed on itself")) if closes else self._within(onto, point, new)
            except ConvergenceError:
                side.end = Status("lost", f"lost at {self._words(point)}", ok=False)
                break
            there = Here(self.system, new.u, here.frame)
            self._require_kept(there)
            fresh = self._tests(there)
            found = self._between(side, onto, (point, here, tests), (new, fresh))
            for place, at, two in found:
                side.found.append(two)
                side.passed.append(self._passed(place, at, self._tests(at, two)))
            if found and found[-1][2].kind in self._ends:
                side.end = Status(found[-1][2].kind, f"ends at {found[-1][2].kind}")
                break
            side.passed.append(self._passed(new, there, fresh))
            self.tell(1)
            if end is not None:
                side.end = end
                break
            point, here, tests = new, there, fresh
        return side

    def _equations(self, here):
        return lambda u: self.system.equations(u, here.frame)

    def _onto(self, here):
        return partial(corrected, self._equations(here))

    def _tests(self, here, point=None):
        """All test functions; that of a known point is 0."""
        names = TESTS[self.system.kind]
        return {name: 0.0 if point is not None and name == point.kind else test(here) for name, test in names.items()}

    def _passed(self, point, here, tests):
        coefficient = tests[COEFFICIENT[self.system.kind]]
        return Passed(point, here, coefficient if np.isfinite(coefficient) else np.nan)

    def _closes(self, start, point, new):
        return np.linalg.norm(new.u - start.u) < np.linalg.norm(new.u - point.u) and (start.u - point.u) @ point.tangent > 0.0

    def _within(self, onto, point, new):
        """The next point, moved back to where the bounds are crossed, and how the curve ends there, or None."""
        end = None
        for i, place in enumerate(self._places):
            edge = float(new.u[place] > 1.0)
            if 0.0 <= new.u[place] <= 1.0:
                continue
            if (point.u[place] - edge) * (new.u[place] - edge) >= 0.0:
                new = point  # it stands on the bound already
            else:
                new = zero_between(onto, point, new, lambda there, place=place, edge=edge: there.u[place] - edge)[0]
            end = Status("bounds", f"{self.system.paths[i]} reached {self.system.values(new.u)[i]:g}")
        return new, end

    def _words(self, point):
        """Where a point lies in the plane, for readers."""
        return ", ".join(f"{path} = {value:.6g}" for path, value in zip(self.system.paths, self.system.values(point.u)))

    # --- what persists

    def _require_crossing(self, here):
        """CapabilityError where f moves out of its range with a parameter: two branches cross no more."""
        if self.system.crossing:
            moved = self.system.expansion(here.u)[1][:, self._places] / here.frame.rows[:, None]
            if np.abs(here.frame.b @ moved).max() > _FELT:
                raise CapabilityError(self._lost_crossing())

    def _require_kept(self, here):
        """CapabilityError where a crossing does not persist, or is of another kind."""
        if not self.system.crossing:
            return
        if abs(here.u[-1]) > _KEPT:
            raise CapabilityError(self._lost_crossing())
        if self.system.kind == "pitchfork" and abs(here.quadratic()) > _KEPT:
            names = " and ".join(map(str, self.system.paths))
            raise CapabilityError(f"start: the pitchfork becomes transcritical in {names}; kind='transcritical' follows it")

    def _lost_crossing(self):
        names = " and ".join(map(str, self.system.paths))
        return (
            f"start: the {self.system.kind} does not persist in {names}: they break the symmetry, or the branch that is crossed "
            "(kind='fold' follows the curves of folds that meet there)"
        )

    # --- points of codimension two

    def _between(self, side, onto, before, after):
        """Points of codimension two between neighbours, in order, up to the one at which the curve ends."""
        (point, here, old), (new, fresh) = before, after
        found = []
        for name, test in TESTS[self.system.kind].items():
            if not (old[name] * fresh[name] < 0.0 or (fresh[name] == 0.0 and old[name] != 0.0)):
                continue
            try:
                found += self._located(name, test, onto, point, here, new, max(abs(old[name]), abs(fresh[name])))
            except ConvergenceError:
                side.missed.append(f"{name} near {self._words(new)} is not located")
        found.sort(key=lambda triple: (triple[0].u - point.u) @ point.tangent)
        ends = [k for k, (_, _, two) in enumerate(found) if two.kind in self._ends]
        return found[: ends[0] + 1] if ends else found

    def _located(self, name, test, onto, point, here, new, size):
        """[(the point where a test function vanishes, what is there, the result)]; [] where it is a pole or means nothing."""
        system = self.system
        place, rest, slope = zero_between(onto, point, new, lambda there: test(Here(system, there.u, here.frame)))
        if abs(rest) > _ZERO * size:
            return []
        at = Here(system, place.u, here.frame)
        coefficients = normal_form_of(name, at)
        if coefficients is None:
            return []
        values = system.values(place.u)
        error = float((abs(rest) / slope + 10.0 * place.error) * system.scale.max() + 1e-15 * np.abs(values).max())
        two = Codim2Point(name, system.paths, values, at.state, at.flow, system.step, coefficients, error)
        return [(place, at, two)]
