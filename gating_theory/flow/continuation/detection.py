"""Bifurcations of fixed points along a curve, found by test functions and numbers of unstable directions [JSP]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from ...errors import ConvergenceError
from .bifurcation import COUNTS, Bifurcation, classified, fixed_point_tests
from .curve import equations, newton_onto_curve
from .extended import Critical, coranks, critical_point, turns

if TYPE_CHECKING:
    from ..flow import Flow
    from ..line import Path

__all__ = ["Span", "bifurcations_along"]

#: Halvings of a bracket; those after which a pair of real eigenvalues is taken at its word; and the part of a span at which a
#: bracket is as narrow as it can be.
_HALVINGS, _PATIENCE, _NARROWEST = 60, 12, 1e-13

#: How far beyond a bracket, and how far from the curve, in units of the span, what is found may lie.
_MARGIN, _ASIDE = 1e-6, 0.5

#: Distance, in units of the span, from a critical point at which tests are made anew.
_BESIDE = 1e-3

#: A dip is looked into where a parabola through three test functions falls below this part of the middle one; steps of the search.
_DIP, _SEARCH = 0.5, 6

#: Singular values of the slopes on a multiple point at an end of a curve.
_AT_END = 1e-5

#: A test function at an end of a curve below this part of its neighbour is zero.
_ZERO = 1e-7


@dataclass
class Span:
    """A piece of a curve of fixed points between two neighbours, whose points are reached along hyperplanes across the chord.

    Attributes
    ----------
    flow : Flow
    path : str or Line
    step : float, of the Euler map
    size : (dim,) array, what the equations are divided by in test functions
    start, end : (dim + 1,) arrays
    samples : dict from length along the chord to test functions, at first those of both ends
    """

    flow: Flow
    path: Path
    step: float
    size: np.ndarray
    start: np.ndarray
    end: np.ndarray
    samples: dict[float, dict[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        chord = self.end - self.start
        self.length = float(np.linalg.norm(chord))
        self.chord = chord / max(self.length, 1e-300)

    def place(self, point: np.ndarray) -> float:
        """Length along the chord of a point (dim + 1,)."""
        return float((point - self.start) @ self.chord)

    def point(self, s: float) -> tuple[np.ndarray, np.ndarray]:
        """The point of the curve at a length along the chord, and its tangent; ConvergenceError where Newton's method leaves it."""
        guess = self.start + s * self.chord
        point, tangent = newton_onto_curve(self.flow, self.path, guess, self.chord)
        if np.linalg.norm(point - guess) > _ASIDE * self.length:
            raise ConvergenceError("continuation: another curve", point)
        return point, tangent

    def tests(self, s: float) -> dict[str, float]:
        """Test functions at a length along the chord; ConvergenceError as for :meth:`point`."""
        if s not in self.samples:
            point, tangent = self.point(s)
            here = self.flow.replace(self.path, float(point[-1]))
            self.samples[s] = fixed_point_tests(here, point[:-1], tangent, self.path, self.step, self.size)[0]
        return self.samples[s]

    def located(self, kind: str, low: float, high: float) -> Critical | float:
        """What makes a test function change its sign between two samples.

        Returns
        -------
        Critical, or a length along the chord
            The length where nothing is critical: two real eigenvalues of opposite sign, or two reciprocal multipliers.

        Raises
        ------
        ConvergenceError
            the curve cannot be followed there, or two curves pass each other
        """
        a, b = self.tests(low)[kind], self.tests(high)[kind]
        at = low + (high - low) * a / (a - b)
        for trial in range(_HALVINGS):
            critical = self._critical(kind, at, low, high)
            if critical is not None:
                return critical
            middle, value = self._inside(kind, low, high)
            if value * a > 0:
                low, a = middle, value
            else:
                high, b = middle, value
            at = 0.5 * (low + high)
            if trial > _PATIENCE and not self._turns(kind, at):
                return at
            if high - low < _NARROWEST * self.length:
                break
        return self._unresolved(kind, at) if self._turns(kind, at) else at

    def _unresolved(self, kind, s):
        """A critical point at which the extended system is singular too: no better than the steps around it show.

        The length itself where the test function only touches zero.
        """
        beside = [min(max(s + d * _BESIDE * self.length, 0.0), self.length) for d in (-1, 1)]
        if np.prod([self.tests(at)[kind] for at in beside]) > 0:
            return s
        low, high = (self.point(at)[0] for at in beside)
        middle = 0.5 * (low + high)
        return Critical(kind, equations(self.flow, self.path, middle), float(np.abs(high - low).max()))

    def _critical(self, kind, s, low, high):
        """The critical point that an extended system finds from a guess, where it lies on this piece of the curve."""
        margin = _MARGIN * self.length
        try:
            guess = self.start + s * self.chord if kind == "branch" else self.point(s)[0]
        except ConvergenceError:
            guess = self.start + s * self.chord
        for corank in self._coranks(kind, guess):
            try:
                found = critical_point(self.flow, self.path, guess, kind, step=self.step, corank=corank)
            except (ConvergenceError, np.linalg.LinAlgError):
                continue
            place = self.place(found.point)
            if not low - margin <= place <= high + margin or not self._on_curve(found, place, kind, high - low):
                continue
            if not found.crosses:
                raise ConvergenceError("continuation: two curves pass each other", found.point)
            return found
        return None

    def _coranks(self, kind, guess):
        return coranks(equations(self.flow, self.path, guess)) if kind == "branch" else [1]

    def _on_curve(self, found, place, kind, width):
        if kind != "branch":
            try:
                return np.linalg.norm(self.point(place)[0] - found.point) < 1e-6 * max(1.0, self.length)
            except ConvergenceError:
                pass
        return np.linalg.norm(found.point - self.start - place * self.chord) < _ASIDE * self.length

    def _inside(self, kind, low, high):
        """A place between two and its test function: the middle, or another where the curve cannot be followed there."""
        for part in (0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8):
            s = low + part * (high - low)
            try:
                return s, self.tests(s)[kind]
            except ConvergenceError:
                continue
        raise ConvergenceError(f"continuation: the curve is lost at {self.path} = {self.start[-1]:.6g}", self.start)

    def _turns(self, kind, s):
        """False where a Hopf or Neimark-Sacker point is none: two real eigenvalues of opposite sign, or reciprocal multipliers."""
        return kind not in ("hopf", "neimark_sacker") or turns(equations(self.flow, self.path, self.point(s)[0]), kind, self.step)

    def critical_points(self) -> list[Critical]:
        """All that is critical in this piece, in its order."""
        known: dict[str, list[float]] = {kind: [] for kind in self.samples[0.0] if kind not in COUNTS}
        found: list[tuple[float, Critical]] = []
        while True:
            while (gap := self._unexplained(known)) is not None:
                kind, low, high = gap
                try:
                    critical = self.located(kind, low, high)
                except ConvergenceError:
                    known[kind].append(0.5 * (low + high))
                    continue
                place = self.place(critical.point) if isinstance(critical, Critical) else critical
                known[kind].append(place)
                if kind == "branch":
                    # where the own branch of a pitchfork stands vertical its tangent turns round too
                    known["fold"].append(place)
                if isinstance(critical, Critical):
                    found.append((place, critical))
                self._sample_around(place)
            if not self._count_explained(found):
                break
        return [critical for _, critical in sorted(found, key=lambda pair: pair[0])]

    def _unexplained(self, known):
        """Two neighbouring samples between which a test function changes its sign for no reason known; else None."""
        margin = 2.0 * _MARGIN * self.length
        for (low, before), (high, after) in pairwise(sorted(self.samples.items())):
            for kind, places in known.items():
                if before[kind] * after[kind] < 0 and not any(low - margin <= s <= high + margin for s in places):
                    return kind, low, high
        return None

    def _sample_around(self, place):
        """Samples beside what was found: one test function may hide two changes of sign of another."""
        for s in (place - _BESIDE * self.length, place + _BESIDE * self.length):
            if 0.0 < s < self.length:
                try:
                    self.tests(s)
                except ConvergenceError:
                    pass

    def _count_explained(self, found):
        """Explains one change of the number of unstable directions between samples; whether there was anything to do.

        Two eigenvalues that cross at different places leave all signs as they were: a sample between shows them. Several that cross
        at once, as symmetries enforce, are a point of their own.
        """
        margin = 2.0 * _MARGIN * self.length
        places = [place for place, _ in found]
        for (low, before), (high, after) in pairwise(sorted(self.samples.items())):
            for count, kinds in COUNTS.items():
                if before[count] == after[count] or any(low - margin <= s <= high + margin for s in places):
                    continue
                if high - low > _BESIDE * self.length:
                    try:
                        self._inside(count, low, high)
                        return True
                    except ConvergenceError:
                        pass
                critical = self._several(kinds, low, high)
                if critical is not None:
                    found.append((self.place(critical.point), critical))
                    self._sample_around(self.place(critical.point))
                    return True
        return False

    def _several(self, kinds, low, high):
        """What is critical several times between two samples; None where nothing is found."""
        guess = self.start + 0.5 * (low + high) * self.chord
        for kind in kinds:
            for corank in self._coranks(kind, guess):
                if kind == "branch" and corank == 1:
                    continue
                try:
                    found = critical_point(self.flow, self.path, guess, kind, step=self.step, corank=corank)
                except (ConvergenceError, np.linalg.LinAlgError):
                    continue
                if found.crosses and np.linalg.norm(found.point - guess) < 10.0 * (high - low):
                    return found
        return None


def bifurcations_along(
    flow: Flow,
    path: Path,
    step: float,
    size: np.ndarray,
    points: np.ndarray,
    tests: Sequence[dict[str, float]],
    bounds: tuple[float, float],
) -> list[Bifurcation]:
    """The bifurcations of a curve of fixed points.

    Parameters
    ----------
    flow : Flow
    path : str or Line
    step : float, of the Euler map
    size : (dim,) array, what the equations are divided by in test functions
    points : (n, dim + 1) array of neighbours on the curve, states first, the parameter last
    tests : their test functions, from :func:`fixed_point_tests` with tangents of one sense
    bounds : (low, high), range of the parameter

    Returns
    -------
    list of Bifurcation, in the order of the curve
    """
    tests = _without_zeros(tests, np.array_equal(points[0], points[-1]))
    spans = [
        Span(flow, path, step, size, a, b, {0.0: before, float(np.linalg.norm(b - a)): after})
        for (a, b), (before, after) in zip(pairwise(points), pairwise(tests))
        if not np.array_equal(a, b)
    ]
    _look_into_dips(spans)
    found = [critical for span in spans for critical in span.critical_points()]
    found = [*_at_an_end(flow, path, points[0]), *found, *_at_an_end(flow, path, points[-1])]
    low, high = bounds
    kept: list[Bifurcation] = []
    for critical in found:
        slack = 1e-12 * max(1.0, abs(low), abs(high)) + 10.0 * critical.error
        if low - slack <= critical.point[-1] <= high + slack:
            bifurcation = classified(critical, step)
            if not any(bifurcation.same_as(other) for other in kept):
                kept.append(bifurcation)
    return kept


def _without_zeros(tests, closed):
    """Test functions with a sign everywhere.

    A zero at a point takes the sign before it, so that the change falls into the piece behind; at an end of the curve the sign that
    its neighbour has not.
    """
    out = [dict(t) for t in tests]
    for kind in (k for k in out[0] if k not in COUNTS and len(out) > 1):
        for end, neighbour in ((0, 1), (-1, -2)):
            if abs(out[end][kind]) <= _ZERO * abs(out[neighbour][kind]):
                out[end][kind] = _ZERO * (out[-2][kind] if closed else -out[neighbour][kind])
        for before, here in pairwise(out):
            if here[kind] == 0.0:
                here[kind] = _ZERO * before[kind]
    return out


def _at_an_end(flow, path, point):
    """The point of higher corank on which a curve begins or ends: no number of unstable directions changes beyond it."""
    for corank in coranks(equations(flow, path, point), _AT_END)[1:]:
        try:
            found = critical_point(flow, path, point, "branch", corank=corank)
        except (ConvergenceError, np.linalg.LinAlgError):
            continue
        if found.crosses and np.abs(found.point - point).max() < _ZERO:
            return [found]
    return []


# --- dips: two changes of sign between neighbours


def _look_into_dips(spans):
    """Samples where a test function dips towards zero, for it may change its sign there twice."""
    for span in {id(s): s for s in (*spans[:1], *spans[-1:])}.values():
        # neighbours that the ends of the curve lack
        try:
            span.tests(0.5 * span.length)
        except ConvergenceError:
            pass
    starts = np.cumsum([0.0] + [span.length for span in spans])
    samples = [
        (start + s, tests) for start, span in zip(starts, spans) for s, tests in sorted(span.samples.items()) if s < span.length
    ]
    if spans:
        samples.append((starts[-1], spans[-1].samples[spans[-1].length]))
    for (x, a), (y, b), (z, c) in zip(samples, samples[1:], samples[2:]):
        for kind in (k for k in a if k not in COUNTS):
            vertex = _vertex(x, y, z, a[kind], b[kind], c[kind])
            if vertex is not None:
                index = int(np.clip(np.searchsorted(starts, vertex, side="right") - 1, 0, len(spans) - 1))
                _sample_dip(spans[index], kind, vertex - starts[index])


def _vertex(x, y, z, a, b, c):
    """Where the parabola through three values of one sign comes near zero between them; None where it does not."""
    if not (a * b > 0 and b * c > 0 and abs(b) <= min(abs(a), abs(c))):
        return None
    first, second = (b - a) / (y - x), (c - b) / (z - y)
    bend = (second - first) / (z - x)
    if bend == 0.0:
        return None
    vertex = 0.5 * (x + y) - 0.5 * first / bend
    if not x < vertex < z:
        return None
    return vertex if (a + (vertex - x) * (first + (vertex - y) * bend)) / b < _DIP else None


def _sample_dip(span, kind, best):
    """Samples of a span where a test function is smallest, until one has the other sign."""
    sign = np.sign(span.samples[0.0][kind])
    width, smallest = 0.25 * span.length, np.inf
    for _ in range(_SEARCH):
        for s in (best, best - width, best + width):
            s = float(np.clip(s, 0.0, span.length))
            try:
                value = sign * span.tests(s)[kind]
            except ConvergenceError:
                continue
            if value < 0:
                return
            if value < smallest:
                smallest, best = value, s
        width *= 0.4
