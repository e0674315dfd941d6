"""The course of a curve of bifurcations of cycles through the plane of two parameters, up to where it ends [JSP].

Cycles near one of the curve are counted by two numbers: the length s along the family of cycles that lies on a line of parameters
across the curve, and the distance w of that line along the curve. The condition of the bifurcation is one equation for s and w.
Both stay regular where the curve in the plane has a cusp.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ...errors import ConvergenceError
from ...results.status import Status
from ...support.arclength import sign_change
from ..flow import Flow
from ..line import Line, Path
from ..orbits import collocation
from ..orbits.collocation import Plane
from .bifurcation import Bifurcation
from .codimension_two import Codim2Point
from .cycle_bifurcations import cycle_tests, is_critical
from .cycle_ends import hopf_beside, hopf_passed, together
from .cycle_place import LOCAL_ERROR, Place, at_bautin, at_cycle, at_fold
from .defining import DefiningSystem
from .plane_course import Course as FixedPointCourse
from .sides import Side

__all__ = ["CycleCourse", "OnCycles"]

#: Newton's tolerance, and its most steps.
_TOL, _NEWTON = 1e-11, 12

#: Distance from the guess to a parameter, in units of the bounds, from which the orbit is solved again for the sake of its tangent.
_MOVED = 1e-9

#: Part of the local error at which the next step begins, the most mesh intervals, and how much finer the mesh is that tells errors.
_PART, _MOST_INTERVALS, _FINER = 0.1, 3000, 1.5

#: Differences of s, in units of the cycle's size, and of w from which derivatives are taken: guesses that secants make better.
_DIFFERENCE = 1e-4

#: Correction of (s, w) at which a point is found; below the second it may stop to shrink, by rounding; corrections at most.
_FOUND, _ROUNDING, _CORRECTIONS = 1e-11, 1e-8, 15

#: Rounding errors of the parameters, relative.
_LAST_DIGITS = 1e-13

#: The first step and the shortest in units of the longest, by what steps grow.
_FIRST, _SHORTEST, _GROWTH = 0.2, 1e-6, 1.4

#: Cosine of the angle between neighbouring tangents below which a step is halved, and distance of a point, in steps.
_SHARP, _FAR = 0.9, 1.5

#: How far a bifurcation may be off the curve, and a small cycle beside a Bautin point, where the curve is guessed.
_OFF, _GUESSED = 1e-4, 0.05

#: Distance of a multiplier from 1 or -1 on the curve; those of long cycles have few digits.
_CRITICAL = 1e-2

#: Change of the parameters in one step, in units of the bounds, below which they stand still, and growth of the period meanwhile
#: that shows that it has no end.
_STANDS, _LONGER = 1e-8, 1e-3

#: Slope of the condition below which rounding hides where it vanishes.
_FLAT = 1e-7

#: Points before a curve can close on itself.
_CLOSING = 10

#: Steps along the curve of Hopf points, and how many, to the Bautin point beside a small cycle.
_BESIDE, _POINTS = 0.002, 40


@dataclass(frozen=True)
class OnCycles:
    """A point of the curve, from a finer mesh.

    Attributes
    ----------
    values : (2,) array of the parameters
    period : float
    multipliers : (dim - 1,) complex array
    state, low, high : (dim,) arrays, a state on the cycle, smallest and largest values on it
    error : float, of the values
    """

    values: np.ndarray
    period: float
    multipliers: np.ndarray
    state: np.ndarray
    low: np.ndarray
    high: np.ndarray
    error: float

    @property
    def coordinates(self) -> np.ndarray:
        """What tells the point from others."""
        return np.concatenate([[np.log(self.period)], self.low, self.high])


@dataclass(frozen=True)
class _Chart:
    """Cycles near one, counted by (s, w).

    Attributes
    ----------
    place : Place, at (0, 0), on the line across
    along : (2,) unit array, the direction of w in the plane; that of the line is at right angles
    gradient : (2,) array, of the condition by s and w
    direction : (2,) unit array, of the curve in (s, w)
    drift : float, of the parameter on the line by w, at the same s
    onward : (2,) unit array, the direction of the curve in the plane
    """

    place: Place
    along: np.ndarray
    gradient: np.ndarray
    direction: np.ndarray
    drift: float
    onward: np.ndarray

    @property
    def across(self):
        """(2,) array, the direction of the line."""
        return _turned(self.along)


def _turned(along):
    return np.array([-along[1], along[0]])


@dataclass(frozen=True)
class CycleCourse:
    """What is followed, and within which limits; directions in the plane are in units of the widths of the bounds.

    Attributes
    ----------
    kind : "cycle_fold" or "period_doubling"
    flow : Flow, at the start
    paths : pair of str or Line
    limits : (2, 2) array, low and high of each parameter
    max_step : float
    max_points : int
    max_period : float
    tell : callable(n), told of every point
    """

    kind: str
    flow: Flow
    paths: tuple[Path, Path]
    limits: np.ndarray
    max_step: float
    max_points: int
    max_period: float
    tell: Callable[[int], object]

    def sides(self, start: Bifurcation | Codim2Point) -> list[Side[OnCycles]]:
        """Both sides of a start, each leading away from it; one alone where the curve is closed.

        Raises
        ------
        ConvergenceError
            the start is on no such curve
        """
        chart = self._beginning(start)
        back = self._side(replace(chart, direction=-chart.direction))
        return [back] if back.end.code == "closed" else [back, self._side(chart)]

    # --- places in the plane

    @property
    def _width(self):
        return np.ptp(self.limits, axis=1)

    def _values(self, flow):
        return np.array([flow.parameter(path) for path in self.paths])

    def _at(self, values):
        return self.flow.with_parameters(dict(zip(self.paths, map(float, values))))

    def _line_across(self, flow, along):
        """The line through a flow at right angles to a direction, its value 0 there."""
        rates = _turned(along) * self._width
        direction = sum(rate * flow.rates(path) for rate, path in zip(rates, self.paths))
        return Line("across", np.where(direction != 0.0, flow.flat, 0.0), direction)

    # --- cycles near one

    def _based(self, place, along, n):
        """A place on the line across a direction, its orbit on a graded mesh of n intervals."""
        if n > _MOST_INTERVALS:
            raise ConvergenceError(f"{n} mesh intervals do not resolve the orbit", place.orbit)
        place = place.regraded(n)
        orbit, tangent = place.orbit, place.tangent
        if self.kind == "cycle_fold":  # there the family turns: its parameter cannot be held
            plane = Plane(orbit, 0.0, tangent.curve.stages, tangent.period / orbit.period**2, 0.0, 0.0)
        else:
            plane = Plane(orbit, 0.0, np.zeros_like(orbit.stages), 0.0, 1.0, 0.0)
        return self._solved(place, orbit, self._line_across(place.flow, along), place.flow, plane)

    def _cycle(self, chart, x):
        """The place at (s, w)."""
        place, (s, w) = chart.place, x
        orbit, tangent = place.orbit, place.tangent
        here = self._at(self._values(place.flow) + w * chart.along * self._width)
        plane = Plane(orbit, 0.0, tangent.curve.stages, tangent.period / orbit.period**2, tangent.slope, s)
        guess = replace(
            orbit,
            points=orbit.points + s * tangent.curve.points,
            stages=orbit.stages + s * tangent.curve.stages,
            period=orbit.period + s * tangent.period,
        )
        if guess.period <= 0.0:
            raise ConvergenceError("the period vanishes", orbit)
        return self._solved(place, guess, self._line_across(here, chart.along), here, plane)

    def _solved(self, place, guess, line, flow, plane):
        orbit, value = guess, 0.0
        for _ in range(2):
            orbit, here, tangent = collocation.newton(
                flow, orbit, line, plane, reference=place.orbit, tol=_TOL, iterations=_NEWTON, tangent=True, value=value
            )
            moved, value = here.parameter(line) - value, here.parameter(line)
            if abs(moved) < _MOVED:
                break
            # the tangent is that of Newton's last system, and states that do not feel the parameter are found with one alone
        return Place(here, line, orbit, tangent.reversed() if tangent.overlap(place.tangent) < 0 else tangent)

    def _condition(self, place, base):
        """What vanishes on the curve; at a fold the parameter's slope, which small cycles have in proportion to their size."""
        value = cycle_tests(place)[self.kind]
        return value if self.kind == "period_doubling" else value * base.size / together(base, place)

    def _chart(self, place, along, before=None):
        """The chart around a place of the curve, by differences; its direction in the sense of the one before."""
        bare = _Chart(place, along, np.zeros(2), np.zeros(2), 0.0, along)
        steps = _DIFFERENCE * np.array([min(1.0, place.size), 1.0])
        aside = [self._cycle(bare, step) for step in np.diag(steps)]
        gradient = (np.array([self._condition(p, place) for p in aside]) - self._condition(place, place)) / steps
        if not gradient.any():
            raise ConvergenceError("the condition has no slope", place.orbit)
        direction = _turned(gradient) / np.linalg.norm(gradient)
        if before is not None and direction @ before < 0.0:
            direction = -direction
        moved = (self._values(aside[1].flow) - self._values(place.flow)) / self._width
        drift = float(moved @ bare.across) / steps[1]
        if self.kind == "cycle_fold":  # along the family the parameter stands still, also where the curve has a cusp
            onward = along + drift * bare.across
        else:
            onward = direction[1] * along + (direction[1] * drift + direction[0] * place.tangent.slope) * bare.across
        onward = onward / (np.linalg.norm(onward) * (np.sign(onward @ along) or 1.0))
        return _Chart(place, along, gradient, direction, drift, onward)

    # --- onto the curve

    def _corrected(self, chart, x, second):
        """(s, w) and the place where the condition holds and a second one, ``second(x, place) -> value, slopes``; by secants."""
        gradient, last = chart.gradient.copy(), np.inf
        place = self._cycle(chart, x)
        value = self._condition(place, chart.place)
        for _ in range(_CORRECTIONS):
            rest, slopes = second(x, place)
            try:
                change = -np.linalg.solve(np.stack([gradient, slopes]), [value, rest])
            except np.linalg.LinAlgError:
                break
            x, size = x + change, float(np.abs(change).max())
            if not size < 1.0:
                break
            place, before = self._cycle(chart, x), value
            value = self._condition(place, chart.place)
            if size < _FOUND or (size < _ROUNDING and size > 0.3 * last):
                return x, place
            gradient += (value - before - gradient @ change) * change / (change @ change)
            last = size
        raise ConvergenceError("continuation: secants do not converge", place.orbit)

    def _at_length(self, chart, length):
        """The point of the curve at a length along its direction."""
        return self._corrected(chart, length * chart.direction, lambda x, _: (chart.direction @ x - length, chart.direction))

    def _on_bound(self, chart, x, i, edge):
        """The point of the curve beside (s, w) at which parameter i is at a bound."""

        def beyond(x, there):
            slopes = np.array([there.tangent.slope * chart.across[i], chart.along[i] + chart.drift * chart.across[i]])
            return (self._values(there.flow)[i] - edge) / self._width[i], slopes

        return self._corrected(chart, x, beyond)

    def _checked(self, chart, place, onto=None):
        """The point of the curve on a finer mesh, and how far across the curve it moved; ``onto(chart)`` finds it anew."""
        fine = replace(chart, place=self._based(place, chart.along, int(_FINER * len(place.orbit.points))))
        there = (self._at_length(fine, 0.0) if onto is None else onto(fine))[1]
        if not is_critical(self.kind, there.multipliers, _CRITICAL):
            raise ConvergenceError("no multiplier is critical", place.orbit)
        values = self._values(there.flow)
        across = _turned(chart.onward)
        moved = np.abs((values - self._values(place.flow)) / self._width @ across * across * self._width)
        orbit, stages = there.orbit, there.orbit.stages
        error = float(moved.max() + _LAST_DIGITS * np.abs(values).max())
        low, high = stages.min((0, 1)), stages.max((0, 1))
        return OnCycles(values, orbit.period, there.multipliers, orbit.points[0], low, high, error)

    # --- the way

    def _beginning(self, start):
        """The chart of the start, which may lie on the curve in either direction of the plane."""
        charts, failure = [], None
        for along in np.eye(2):
            try:
                place = self._first(start, along)
                chart = self._chart(place, along)
                x, place = self._at_length(chart, 0.0)
                if np.abs(x).max() > (_GUESSED if isinstance(start, Codim2Point) else _OFF):
                    raise ConvergenceError("another curve", place.orbit)
                place = self._based(place, chart.onward, self._intervals(place))
                charts.append((chart.onward @ along, self._chart(place, chart.onward)))
            except ConvergenceError as error:
                failure = error
        if not charts:
            what = f"continuation: the {start.kind} at the start is on no curve of kind {self.kind!r}: {failure}"
            raise ConvergenceError(what, start.state)
        return max(charts, key=lambda pair: pair[0])[1]

    def _first(self, start, along):
        """The start as a place on the line across a direction."""
        if isinstance(start, Codim2Point):
            place = at_bautin(start, self._line_across(start.flow, along))
        elif self.kind == "cycle_fold":
            place = at_fold(start, 1)
        else:
            place = at_cycle(start.flow, start.orbit, start.path, 1)
        return self._based(place, along, self._intervals(place))

    def _intervals(self, place):
        return len(place.orbit.resolving(_PART * LOCAL_ERROR).points)

    def _side(self, chart):
        """The curve from a chart on in its direction."""
        side = Side([self._checked(chart, chart.place)], [], Status("points", f"stopped after {self.max_points} points", ok=False))
        h, longest = _FIRST * self.max_step, self.max_step
        while len(side.passed) < self.max_points:
            try:
                x, new = self._at_length(chart, h)
                self._require_near(chart, x, new, h)
                if new.orbit.local_error() > LOCAL_ERROR:
                    place = self._based(chart.place, chart.along, int(_FINER * len(chart.place.orbit.points)))
                    chart = self._chart(place, chart.along, chart.direction)
                    continue
                if hopf_passed(chart.place, new):
                    self._shrunk(side, chart.place)
                    break
                outside = self._outside(new)
                if outside is not None:
                    self._bounded(side, chart, x, *outside)
                    break
                based = self._based(new, chart.onward, self._intervals(new))
                following = self._chart(based, chart.onward, chart.direction)
                if following.direction @ chart.direction < _SHARP:
                    raise ConvergenceError("sharp turn", new.orbit)
                point = self._checked(following, new)
            except ConvergenceError as error:
                h *= 0.5
                if h < _SHORTEST * longest:
                    side.end = Status("lost", f"lost at {self._words(side.passed[-1].values)}: {error}", ok=False)
                    break
                continue
            if self._closes(side.passed, point):
                side.passed.append(side.passed[0])
                side.end = Status("closed", "closed on itself")
                break
            if chart.direction[1] * following.direction[1] < 0.0:
                self._cusp(side, chart, h)
            side.passed.append(point)
            self.tell(1)
            if point.period > self.max_period or self._stands(*side.passed[-2:]):
                side.end = Status("period", f"the period reaches {point.period:.6g} at {self._words(point.values)}, and grows")
                break
            if np.linalg.norm(following.gradient) < _FLAT:
                words = f"from period {point.period:.6g} on, at {self._words(point.values)}"
                side.end = Status("flat", f"{words}, cycles of all periods have the same parameters to rounding")
                break
            chart, h = following, min(_GROWTH * h, longest)
        return side

    def _require_near(self, chart, x, new, h):
        if np.linalg.norm(x) > _FAR * h or new.tangent.overlap(chart.place.tangent) < _SHARP:
            raise ConvergenceError("sharp turn", new.orbit)

    def _words(self, values):
        return ", ".join(f"{path} = {value:.6g}" for path, value in zip(self.paths, values))

    def _stands(self, before, point):
        """Whether the period alone goes on growing."""
        return np.abs((point.values - before.values) / self._width).max() < _STANDS and point.period > (1 + _LONGER) * before.period

    def _closes(self, passed, point):
        if len(passed) < _CLOSING:
            return False
        first, second, last, new = (
            np.concatenate([p.values / self._width, p.coordinates]) for p in (passed[0], passed[1], passed[-1], point)
        )
        step = new - last
        near = max(np.linalg.norm(first - last), np.linalg.norm(new - first)) <= np.linalg.norm(step)
        return bool(near and step @ (second - first) > 0.0)

    def _cusp(self, side, chart, h):
        """The point between two neighbours at which the curve has a cusp in the plane: there the condition has no slope by s."""
        if self.kind != "cycle_fold":
            return
        known = {}

        def slope(length):
            x, place = self._at_length(chart, length)
            known[length] = place
            e = np.array([_DIFFERENCE * min(1.0, place.size), 0.0])
            return np.subtract(*(self._condition(self._cycle(chart, x + step), chart.place) for step in (e, -e)))

        try:
            place = known[sign_change(slope, h, xtol=1e-12)]
            # what the curve is at right angles to is its direction in (s, w)
            at = self._checked(replace(chart, place=place, direction=np.eye(2)[0], gradient=chart.gradient), place)
        except (ConvergenceError, KeyError):
            words = f"a cusp near {self._words(self._values(chart.place.flow))} is not located"
            side.missed.append(words)
            return
        side.passed.append(at)
        side.found.append(Codim2Point("cycle_cusp", self.paths, at.values, at.state, self._at(at.values), 1.0, {}, at.error))

    # --- ends

    def _outside(self, place):
        """Number and bound of the first parameter outside its bounds, or None."""
        values = self._values(place.flow)
        for i, (low, high) in enumerate(self.limits):
            if not low <= values[i] <= high:
                return i, low if values[i] < low else high
        return None

    def _bounded(self, side, chart, x, i, edge):
        """The last point, where a parameter reaches its bound."""
        side.end = Status("bounds", f"{self.paths[i]} reached {edge:g}")
        before, beyond = (self._values(p.flow)[i] for p in (chart.place, self._cycle(chart, x)))
        if before == edge:
            return
        x, place = self._on_bound(chart, x * (edge - before) / (beyond - before), i, edge)
        point = self._checked(chart, place, lambda fine: self._on_bound(fine, np.zeros(2), i, edge))
        side.passed.append(replace(point, values=np.where(np.arange(2) == i, edge, point.values)))  # but for rounding it is there

    def _shrunk(self, side, place):
        """The end at a Bautin point, where the cycles shrink to a fixed point."""
        hopf = hopf_beside(place)
        origin, width = self.limits[:, 0], self._width
        system = DefiningSystem(hopf.flow, self.paths, "hopf", 1.0, origin, width)
        found = [p for s in FixedPointCourse(system, _BESIDE, _POINTS).sides(hopf) for p in s.found if p.kind == "bautin"]
        if self.kind != "cycle_fold" or not found:
            where = self._words(self._values(hopf.flow))
            side.end = Status("hopf", f"shrinks to a fixed point at {where} (Hopf)")
            return
        bautin = min(found, key=lambda p: np.abs((p.values - self._values(hopf.flow)) / width).max())
        values = np.linalg.eigvals(bautin.flow.jacobian(bautin.state)).astype(complex)
        period = 2.0 * np.pi / bautin.coefficients["frequency"]
        values = values[np.argsort(np.abs(np.abs(values.imag) - bautin.coefficients["frequency"]) + np.abs(values.real))]
        multipliers = np.append(np.exp(values[2:] * period), 1.0)
        multipliers = multipliers[np.argsort(-np.abs(multipliers))]
        state = bautin.state
        side.passed.append(OnCycles(bautin.values, period, multipliers, state, state, state, bautin.error))
        side.found.append(bautin)
        side.end = Status("bautin", "ends at bautin: the cycles shrink to a fixed point")
