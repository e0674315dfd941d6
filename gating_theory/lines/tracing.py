"""A curve on which a few functions vanish, followed through a box from a start: both ways, up to where it ends.

Unknowns are in units of the box: the first two run from 0 to 1 in it. Functions are known by their values alone, and their errors;
slopes are differences, carried along by secants.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import ConvergenceError
from ..results.status import Status
from ..support.arclength import OnCurve, Steps, corrected, zero_between

__all__ = ["Mark", "Place", "Traced", "Tracer", "Zeros", "crossing", "crossing_directions"]

#: Steps of differences, least and largest: square roots of the functions' errors between them.
_LEAST_DIFFERENCE, _LARGEST_DIFFERENCE = 1e-6, 1e-3

#: Steps of differences to both sides where crossings are located, of the functions and of their slopes.
_BOTH_SIDES, _FAR_SIDES = 1e-4, 1e-3

#: Newton's method has converged at corrections below the first, or below this part of what the functions' errors make of places;
#: corrections below the second that stop shrinking are rounding.
_CLOSE, _OWN, _ROUNDING = 1e-11, 0.3, 1e-8

#: A function of errors beyond this part of its slope over the box tells no place.
_VAGUE = 0.05

#: Points before a curve can close on itself, how far its start may be off the chord then (in chords), and the angle there (cosine).
_CLOSING, _OFF_CHORD, _ALIKE = 4, 0.2, 0.8

#: At a zero of a test function its value is below this part of those beside it; at a pole or a jump it is not.
_ZERO = 1e-3

#: Marks nearer than this are one, and so is a node beside a mark.
_SAME = 1e-7

#: Directions about a crossing in which the curves through it are looked for.
_AROUND = 48


@dataclass(frozen=True)
class Zeros:
    """What a curve is the zero set of.

    Attributes
    ----------
    residuals : callable
        (n,) unknowns -> (n - 1,) values that vanish on the curve; ConvergenceError, or nan, where there are none.
    errors : callable
        (n,) unknowns -> (n - 1,) errors of these values.
    low, high : (n,) arrays
        Between which the curve is followed; 0 and 1 for the first two.
    tests : mapping
        {name: function of a :class:`Place`}: where one changes its sign the curve is marked.
    ends : tuple of str, the tests at whose zeros the curve ends
    """

    residuals: Callable[[np.ndarray], np.ndarray]
    errors: Callable[[np.ndarray], np.ndarray]
    low: np.ndarray
    high: np.ndarray
    tests: Mapping[str, Callable[[Place], float]] = field(default_factory=dict)
    ends: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """Number of unknowns."""
        return self.low.size

    def central(self, u: np.ndarray, step: float) -> np.ndarray:
        """Slopes (n - 1, n) by differences to both sides, whose errors are of the order of the step squared."""
        sides = [self.residuals(u + way * step * e) for e in np.eye(self.n) for way in (1.0, -1.0)]
        return np.array([(ahead - behind) / (2.0 * step) for ahead, behind in zip(sides[::2], sides[1::2])]).T

    def slopes(self, u: np.ndarray, step: float) -> np.ndarray:
        """Slopes (n - 1, n) by differences towards the middle of the range; ConvergenceError where there are none."""
        values = self.residuals(u)
        slopes = np.empty((self.n - 1, self.n))
        for j in range(self.n):
            aside = u.copy()
            aside[j] += step if u[j] - self.low[j] < self.high[j] - u[j] else -step
            slopes[:, j] = (self.residuals(aside) - values) / (aside[j] - u[j])
        if not np.isfinite(slopes).all():
            raise ConvergenceError("a line's functions have no slopes", u)
        return slopes


@dataclass(frozen=True)
class Place(OnCurve):
    """A point of the curve.

    Attributes
    ----------
    error : float, of the place
    slopes : (n - 1, n) array, of the functions there
    own : (n - 1,) array, errors of the functions
    moved : (n,) array, the last correction of the place
    """

    slopes: np.ndarray
    own: np.ndarray
    moved: np.ndarray


@dataclass(frozen=True)
class Mark:
    """A point of the curve at which something happens: ``kind`` is the test's name."""

    kind: str
    u: np.ndarray
    error: float


@dataclass(frozen=True)
class Traced:
    """A curve from end to end.

    Attributes
    ----------
    u : (k, n) array
    slopes : (k, n - 1, n) array
    own : (k, n - 1) array, errors of the functions
    moved : (k, n) array, the last corrections of the places
    marks : list of Mark, in the order of the curve
    ends : (Status, Status)
        Codes: "edge" (it leaves the range of one of the first two unknowns), "limit" (of another one), "closed", "points" (there
        are too many), "lost", or the name of a test at whose zeros curves end.
    """

    u: np.ndarray
    slopes: np.ndarray
    own: np.ndarray
    moved: np.ndarray
    marks: list[Mark]
    ends: tuple[Status, Status]

    @property
    def closed(self) -> bool:
        """Whether it closes on itself; its first point then is its last one too."""
        return self.ends[0].code == "closed"


class _Secants:
    """Equations whose slopes follow the values that are met (Broyden), but for steps in which errors would show."""

    def __init__(self, zeros, slopes, least):
        self.zeros, self.slopes, self.least, self.last = zeros, slopes, least, None

    def __call__(self, u):
        values = self.zeros.residuals(u)
        if not np.isfinite(values).all():
            raise ConvergenceError("a line's functions are not finite", u)
        if self.last is not None:
            step = u - self.last[0]
            off = values - self.last[1] - self.slopes @ step
            if np.linalg.norm(step) > self.least:
                self.slopes = self.slopes + np.outer(off, step) / (step @ step)
        self.last = u, values
        return values, self.slopes


@dataclass
class Tracer:
    """Follows curves of zeros.

    Attributes
    ----------
    zeros : Zeros
    longest : float, step in units of the box
    max_points : int, in each direction
    tell : callable(n), told of every point
    """

    zeros: Zeros
    longest: float = 0.1
    max_points: int = 500
    tell: Callable[[int], object] = int

    # --- points

    def start(self, guess: np.ndarray) -> Place:
        """The point of a curve next to a guess; ConvergenceError where there is none, or where the functions are too rough."""
        own = self.zeros.errors(guess)
        slopes = self.zeros.slopes(guess, _LEAST_DIFFERENCE)
        unsure = _shift(slopes, own)
        if not unsure < _VAGUE:
            raise ConvergenceError(f"errors of {unsure:.1g} of the box at a start of a line: no place can be told", guess)
        if unsure > _LEAST_DIFFERENCE**2:
            slopes = self.zeros.slopes(guess, _difference(unsure))
        return self._full(self.near(guess, _null(slopes), slopes, own))

    def near(self, guess: np.ndarray, tangent: np.ndarray, slopes: np.ndarray, own: np.ndarray) -> Place:
        """The Place in the hyperplane through a guess across a tangent; cheap: tangent, slopes and errors are those given, updated.

        Parameters
        ----------
        guess, tangent : (n,) arrays
        slopes : (n - 1, n) array, of the functions nearby
        own : (n - 1,) array, errors of the functions
        """
        unsure = _shift(slopes, own)
        equations = _Secants(self.zeros, slopes, _difference(unsure))
        found = corrected(equations, guess, tangent, max(_CLOSE, _OWN * unsure), max(_ROUNDING, 10.0 * unsure))
        error = found.error + _shift(equations.slopes, own)
        return Place(found.u, tangent, error, equations.slopes, own, found.u - equations.last[0])

    def _full(self, place):
        """The same place with its own tangent, slopes and errors."""
        own = self.zeros.errors(place.u)
        slopes = self.zeros.slopes(place.u, _difference(_shift(place.slopes, own)))
        tangent = _null(slopes)
        tangent = tangent if tangent @ place.tangent >= 0.0 else -tangent
        return Place(place.u, tangent, float(np.linalg.norm(place.moved)) + _shift(slopes, own), slopes, own, place.moved)

    def _onto(self, beside):
        return lambda guess, tangent: self._full(self.near(guess, tangent, beside.slopes, beside.own))

    # --- the curve

    def trace(self, guess: np.ndarray) -> Traced:
        """The whole curve through the point next to a guess; ConvergenceError where there is none."""
        first = self.start(guess)
        way, end, marks = self._follow(first)
        if end.code == "closed":
            return _joined(way, marks, (end, end))
        back, other, more = self._follow(replace(first, tangent=-first.tangent))
        return _joined([*back[:0:-1], *way], [*more[::-1], *marks], (other, end))

    def _follow(self, start):
        """(places, end, marks) from a place on along its tangent."""
        steps, point, way, marks = Steps(self.longest), start, [start], []
        tests = self._tested(point)
        edge = self._edge(point)
        if edge is not None:
            return way, edge, marks
        while True:
            if len(way) >= self.max_points:
                return way, Status("points", f"stopped after {self.max_points} points", ok=False), marks
            try:
                new, end = self._next(steps, point)
            except ConvergenceError:
                return way, Status("lost", "lost", ok=False), marks
            if len(way) > _CLOSING and _closes(start, point, new):
                new, end = start, Status("closed", "closed on itself")
            fresh = self._tested(new)
            found = self._marks_between(point, tests, new, fresh)
            for mark in found:
                marks.append(mark)
                if mark.kind in self.zeros.ends:
                    way.append(replace(new, u=mark.u, error=mark.error))
                    return way, Status(mark.kind, f"ends at {mark.kind}"), marks
                way.append(replace(point, u=mark.u, error=mark.error))
            way.append(new)
            self.tell(1)
            if end is not None:
                return way, end, marks
            steps.bend = (new.tangent - point.tangent) / max(np.linalg.norm(new.u - point.u), 1e-300)
            point, tests = new, fresh

    def _next(self, steps, point):
        """The next place, and how the curve ends there or None."""
        onto = self._onto(point)
        while True:
            ahead = point.u + steps.length * point.tangent
            beyond = [j for j in range(self.zeros.n) if not self.zeros.low[j] < ahead[j] < self.zeros.high[j]]
            if not beyond:
                new = steps.next(onto, point)
                if self._inside(new.u):
                    return new, None
                length = 0.5 * np.linalg.norm(new.u - point.u)
            else:
                new = self._on_edge(steps, point, beyond)
                if new is not None:
                    return new, self._edge(new)
                length = 0.5 * steps.length
            if length < 1e-9:
                raise ConvergenceError("a line is lost at an edge", point.u)
            steps.length = length

    def _inside(self, u):
        return bool(((u >= self.zeros.low) & (u <= self.zeros.high)).all())

    def _on_edge(self, steps, point, beyond):
        """The place where a step meets the first of the bounds ahead, or None where it does not."""
        share = []
        for j in beyond:
            bound = self.zeros.high[j] if point.tangent[j] > 0 else self.zeros.low[j]
            share.append(((bound - point.u[j]) / (steps.length * point.tangent[j]), j, bound))
        part, j, bound = min(share)
        guess = point.u + part * steps.length * point.tangent
        guess[j] = bound
        across = np.eye(self.zeros.n)[j] * np.sign(point.tangent[j])
        try:
            new = self._onto(point)(guess, across)
        except ConvergenceError:
            return None
        new.u[j] = bound
        far = np.linalg.norm(new.u - guess) > 0.5 * steps.length
        return None if far or new.tangent @ point.tangent < _ALIKE or not self._inside(new.u) else new

    def _edge(self, place):
        """How a curve ends at a place on one of the bounds that its tangent leads out of, or None."""
        u, t = place.u, place.tangent
        out = ((u <= self.zeros.low) & (t < 0.0)) | ((u >= self.zeros.high) & (t > 0.0))
        if not out.any():
            return None
        j = int(np.flatnonzero(out)[0])
        return Status("edge", f"{'xy'[j]} leaves its range") if j < 2 else Status("limit", f"unknown {j} reaches {u[j]:.6g}")

    # --- marks

    def _tested(self, place):
        # where curves cross the slopes lose a direction; rows are not scaled, as all slopes of one may vanish there
        branch = float(np.linalg.det(np.vstack([place.slopes, place.tangent])))
        return {"branch": branch} | {name: test(place) for name, test in self.zeros.tests.items()}

    def _located(self, point, new, name, old, fresh):
        """The mark between two neighbours where a test vanishes, or None where it is a pole or a jump."""
        if name == "branch":
            share = old / (old - fresh)
            there = crossing(self.zeros, point.u + share * (new.u - point.u))
            length = np.linalg.norm(new.u - point.u)
            near = there is not None and np.linalg.norm(there.u - 0.5 * (point.u + new.u)) < length
            return there if near else None
        found, rest, _ = zero_between(self._onto(point), point, new, lambda place: self._tested(place)[name])
        return Mark(name, found.u, found.error) if abs(rest) <= _ZERO * max(abs(old), abs(fresh)) else None

    def _marks_between(self, point, old, new, fresh):
        """Marks between neighbours in their order; tests whose zeros are not found are left out."""
        found = []
        for name in old:
            if not (old[name] * fresh[name] < 0.0 or (fresh[name] == 0.0 and old[name] != 0.0)):
                continue
            try:
                mark = self._located(point, new, name, old[name], fresh[name])
            except (ConvergenceError, ValueError):
                continue
            if mark is not None:
                found.append(mark)
        return sorted(found, key=lambda mark: (mark.u - point.u) @ point.tangent)


def crossing(zeros: Zeros, guess: np.ndarray) -> Mark | None:
    """The point next to a guess at which two curves of zeros cross: the slopes lose a direction there; None where none is found.

    Newton's method on r + b p = 0, p J = 0, |p| = 1 in the unknowns and (b, p), with J by differences to both sides.

    Parameters
    ----------
    zeros : Zeros
    guess : (n,) array
    """
    from scipy.optimize import root

    n = zeros.n

    def system(v):
        u, b, p = v[:n], v[n], v[n + 1 :]
        return np.concatenate([zeros.residuals(u) + b * p, p @ zeros.central(u, _BOTH_SIDES), [p @ p - 1.0]])

    left = np.linalg.svd(zeros.central(guess, _BOTH_SIDES))[0][:, -1]
    try:
        found = root(system, np.concatenate([guess, [0.0], left]), options={"eps": _FAR_SIDES**2, "xtol": _BOTH_SIDES**2})
    except ConvergenceError:
        return None
    if not (found.success or np.abs(found.fun).max() < _BOTH_SIDES**2) or abs(found.x[n]) > _BOTH_SIDES**2:
        return None
    return Mark("branch", found.x[:n], 10.0 * _BOTH_SIDES**2)


def crossing_directions(zeros: Zeros, mark: Mark, step: float) -> list[np.ndarray]:
    """Guesses for points of the curves that cross at a mark: on a small circle about it in the plane of both.

    Parameters
    ----------
    zeros : Zeros
    mark : Mark, of kind "branch"
    step : float, radius of the circle
    """
    left, _, right = np.linalg.svd(zeros.central(mark.u, 1e-2 * step))
    # the slopes have one direction less at a crossing: what is left of the last function decides
    weak, plane = left[:, -1], right[-2:]
    angles = 2.0 * np.pi * (np.arange(_AROUND) + 0.5) / _AROUND
    ring = [mark.u + step * (np.cos(a) * plane[0] + np.sin(a) * plane[1]) for a in angles]
    values = np.array([weak @ zeros.residuals(u) for u in ring])
    change = np.flatnonzero(values * np.roll(values, -1) < 0.0)
    return [0.5 * (ring[i] + ring[(i + 1) % _AROUND]) for i in change]


def _difference(error):
    return float(np.clip(np.sqrt(max(error, 0.0)), _LEAST_DIFFERENCE, _LARGEST_DIFFERENCE))


def _null(slopes):
    return np.linalg.svd(slopes)[2][-1]


def _shift(slopes, errors):
    """How far errors of the functions move the curve."""
    return float(np.linalg.norm(np.linalg.pinv(slopes, rcond=1e-12) @ np.asarray(errors)))


def _closes(start, point, new):
    chord = new.u - point.u
    length = float(np.linalg.norm(chord))
    ahead = (start.u - point.u) @ chord / length**2
    off = np.linalg.norm(start.u - point.u - ahead * chord)
    return 0.0 < ahead <= 1.0 and off < _OFF_CHORD * length and start.tangent @ point.tangent > _ALIKE


def _joined(way, marks, ends):
    """One curve of its places; those beside a mark are left out."""
    kept: list[Place] = []
    for place in way:
        if not kept or np.linalg.norm(place.u - kept[-1].u) > _SAME:
            kept.append(place)
    arrays = [np.array([getattr(p, name) for p in kept]) for name in ("u", "slopes", "own", "moved")]
    return Traced(*arrays, marks, ends)
