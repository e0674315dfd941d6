"""A quantity of the solution that is followed along a path: where it is defined, which solutions there are, where they change [T5].

A solution is smooth between the places where solutions are born or merge, and so are its quantities. These places are told by the
number of solutions, closed in on by halving, and located as what they are, an onset or a fold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..errors import ConvergenceError
from ..mean_field.expansion import excess
from ..mean_field.fixed_point import FixedPoint
from ..mean_field.fixed_points import fixed_points_of_each, zero_state
from ..mean_field.moments import MomentMap
from .conditions import FoldCondition, OnsetCondition, solve
from .measure import leading, state_at

if TYPE_CHECKING:
    from ..mean_field.path import Path
    from .measure import Measure

__all__ = ["Branch", "Change", "Limit", "Sample"]

#: So many ensembles are computed together.
_AT_ONCE = 100
#: Changes of the solutions are closed in on to these parts of the value (of 1, if it is smaller) before they are compared with an
#: onset or a fold each time, and to the last if they are neither; the last is also how far from a place its sides are.
_WIDTHS = (1e-3, 1e-5, 1e-7, 1e-9)
#: So many changes between two looks are found one after the other.
_MOST = 6
#: A solution this near, in log x, to a fold is one of the two that merge there, so close to it; one whose moments are smaller than
#: this comes from an onset that close.
_AT_FOLD, _AT_ONSET = 0.1, 1e-4
#: Moments at a fold are known to this.
_FOLD_MOMENTS = 1e-9
#: The label of a place where fixed points did not converge.
_FAILED = ("failed",)


class Sample:
    """What there is at one value of the path.

    Attributes
    ----------
    value : float
    points : list of FixedPoint
        All solutions where the one followed is told by its place among them, else itself alone; empty where there is none, and of
        quantities that belong to no solution.
    point : FixedPoint or None, the solution that is followed
    label : tuple, what changes where solutions are born or merge; ("failed",) where they did not converge
    """

    def __init__(self, value: float, points: list[FixedPoint] | None, point: FixedPoint | None) -> None:
        self.value, self.points, self.point = value, points or [], point
        self.label: tuple = _FAILED if points is None else (len(points), point is None, point is not None and point.is_zero)
        self.height = np.nan
        self.measured = False


class Limit(NamedTuple):
    """The quantity, minus the value sought, on one side of a change, its error, and the solution there or None."""

    height: float
    error: float
    point: FixedPoint | None


class Change(NamedTuple):
    """A place at which solutions are born or merge.

    The value, its error, the limits on both sides, what happens ("onset", "fold" or ""), and the state at which it does.
    """

    value: float
    error: float
    below: Limit
    above: Limit
    kind: str
    born: FixedPoint | None


class Branch:
    """A quantity of one solution along a path, minus the value that is sought.

    Parameters
    ----------
    path : Path
    measure : Measure
    target : float
    solution : "zero", "active" or the number of the solution

    Attributes
    ----------
    seen : dict, {value: Sample}
    """

    def __init__(self, path: Path, measure: Measure, target: float, solution: str | int) -> None:
        self.path, self.measure, self.target, self.solution = path, measure, target, solution
        self.seen: dict[float, Sample] = {}

    @property
    def lost(self) -> int:
        """At how many values of the path fixed points or the quantity did not converge."""
        return self.measure.lost + sum(sample.label == _FAILED for sample in self.seen.values())

    # --- samples

    def labelled(self, values: Sequence[float]) -> list[Sample]:
        """Samples whose quantity is not computed before it is asked for.

        Parameters
        ----------
        values : sequence of float
        """
        new = [value for value in dict.fromkeys(values) if value not in self.seen]
        for first in range(0, len(new), _AT_ONCE):
            some = new[first : first + _AT_ONCE]
            self.seen |= dict(zip(some, self._made(some)))
        return [self.seen[value] for value in values]

    def sampled(self, values: Sequence[float]) -> list[Sample]:
        """Samples with the quantity, computed together.

        Parameters
        ----------
        values : sequence of float
        """
        samples = self.labelled(values)
        left = [sample for sample in dict.fromkeys(samples) if not sample.measured]
        for first in range(0, len(left), _AT_ONCE):
            some = left[first : first + _AT_ONCE]
            for sample, found in zip(some, self.measure.each([self._source(sample) for sample in some])):
                sample.height, sample.measured = float(found) - self.target, True
        return samples

    def height(self, value: float) -> float:
        """The quantity minus the value sought; nan where it is not defined.

        Parameters
        ----------
        value : float
        """
        return self.sampled([value])[0].height

    def error(self, sample: Sample) -> float:
        """The error of the quantity at a sample.

        Parameters
        ----------
        sample : Sample
        """
        source = self._source(sample)
        return np.nan if source is None else self.measure.error(source)

    def _made(self, values):
        ensembles = [self.path.at(value) for value in values]
        if self.measure.of == "ensemble":
            return [Sample(value, [], None) for value in values]
        if self.solution == "zero" and self.measure.of != "fixed_points":
            zeros = [zero_state(ensemble) for ensemble in ensembles]
            return [Sample(value, [] if zero is None else [zero], zero) for value, zero in zip(values, zeros)]
        found = fixed_points_of_each(ensembles)
        return [self._sample(value, points) for value, points in zip(values, found)]

    def _sample(self, value, points):
        if isinstance(points, ConvergenceError):
            return Sample(value, None, None)
        number = len(points) - 1 if self.solution == "active" else self.solution
        return Sample(value, points, points[number] if isinstance(number, int) and 0 <= number < len(points) else None)

    def _source(self, sample):
        """What the quantity is computed from, None where there is nothing."""
        if self.measure.of == "ensemble":
            return self.path.at(sample.value)
        if self.measure.of == "fixed_points":
            return None if sample.label == _FAILED else sample.points
        return sample.point

    # --- changes of the solutions

    def changes(self, below: Sample, above: Sample) -> list[Change]:
        """The places between two samples at which the solutions change, ascending; none where one of them did not converge.

        Parameters
        ----------
        below, above : Sample
        """
        found: list[Change] = []
        while below.label != above.label and len(found) < _MOST and _FAILED not in (below.label, above.label):
            change, below = self._first(below, above)
            if change is None:
                break
            found.append(change)
        return found

    def _first(self, a, b):
        """The first change between two samples, or None, and the sample just above it."""
        end = b
        for width in _WIDTHS:
            a, b = self._halved(a, b, width * max(1.0, abs(a.value)))
            if _FAILED in (a.label, b.label):
                return None, b
            for change, after in self._explained(a, b):
                return change, (after if after.value < end.value else end)
        sides = Limit(self.height(a.value), self._safe(a), a.point), Limit(self.height(b.value), self._safe(b), b.point)
        return Change(0.5 * (a.value + b.value), b.value - a.value, *sides, "", None), b

    def _safe(self, sample):
        return 0.0 if np.isnan(self.height(sample.value)) else self.error(sample)

    def _halved(self, a, b, width):
        """The two samples closer than a width between which the first one's label ends."""
        while b.value - a.value > width:
            (middle,) = self.labelled([0.5 * (a.value + b.value)])
            if middle.value in (a.value, b.value):
                break
            a, b = (middle, b) if middle.label == a.label else (a, middle)
        return a, b

    def _explained(self, a, b):
        """The change between two samples as an onset or a fold, and the sample just above it, if it is one and the only one."""
        for kind, value, u, error in self._births(a, b):
            away = max(_WIDTHS[-1] * max(1.0, abs(value)), 10.0 * error)
            low, high = max(value - away, self.path.low), min(value + away, self.path.high)
            below, above = self.labelled([low, high])
            if below.label == a.label and above.label == b.label:
                born = self._born(kind, value, u)
                limits = (self._limit(sample, kind, born) for sample in (below, above))
                yield Change(value, error, *limits, kind, born), above

    def _born(self, kind, value, u):
        """The state at which a change happens."""
        if kind == "onset":
            return zero_state(self.path.at(value))
        state = state_at(self.path.at(value), u)[0]
        return FixedPoint(state.ensemble, state.moments, state.residual, _FOLD_MOMENTS, state.status)

    def _births(self, a, b):
        """(kind, value, log x, error) of an onset and of folds near two samples."""
        middle, reach = 0.5 * (a.value + b.value), b.value - a.value
        rich, poor = (a, b) if len(a.points) > len(b.points) else (b, a)
        starts = []
        if {point.is_zero for point in (rich.points[:1] + poor.points[:1])} == {True} and len(rich.points) - len(poor.points) == 1:
            if excess(self.path.at(a.value)) * excess(self.path.at(b.value)) <= 0.0:
                starts.append(("onset", OnsetCondition(), np.zeros(0)))
        i = leading(MomentMap(self.path.at(rich.value)))
        logs = [float(np.log(point.q[i])) for point in rich.points if point.q[i] > 0.0]
        pairs = sorted(zip(logs[:-1], logs[1:]), key=lambda pair: pair[1] - pair[0])
        starts += [("fold", FoldCondition(), np.array([0.5 * (low + high)])) for low, high in pairs[:2]]
        for kind, condition, unknowns in starts:
            try:
                found = solve(condition, self.path.at, middle, unknowns)
            except ConvergenceError:
                continue
            if abs(found.value - middle) <= reach and self.path.low <= found.value <= self.path.high:
                yield kind, found.value, float(found.unknowns[0]) if kind == "fold" else -np.inf, found.error

    def _limit(self, sample, kind, born):
        """The quantity on the side of a change that a sample is on."""
        point = sample.point
        if point is not None and kind == "onset" and (point.is_zero or point.q.max() < _AT_ONSET):
            point = born
        elif point is not None and kind == "fold" and not point.is_zero:
            i = leading(MomentMap(born.ensemble))
            point = born if abs(np.log(point.q[i] / born.q[i])) < _AT_FOLD else point
        if point is None or self.measure.of not in ("fixed_point", "spectrum"):
            return Limit(self.height(sample.value), self._safe(sample), point)
        found = self.measure.at(point) - self.target
        return Limit(found, 0.0 if np.isnan(found) else self.measure.error(point), point)
