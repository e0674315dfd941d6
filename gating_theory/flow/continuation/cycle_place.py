"""Places on a branch of cycles: an orbit with the direction in which its family goes on; where branches begin, how they step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ...errors import ConvergenceError
from ..flow import Flow
from ..line import Path
from ..orbits import collocation
from ..orbits.collocation import Orbit, Plane, Tangent
from ..orbits.condensation import newton_step
from ..orbits.cycle import floquet_multipliers
from .bifurcation import Bifurcation
from .codimension_two import Codim2Point

__all__ = ["LOCAL_ERROR", "Place", "at_bautin", "at_cycle", "at_fold", "at_hopf", "at_single", "at_switch"]

#: Newton's tolerance along a branch, and the local error of collocation polynomials; periods are better by orders of magnitude.
_TOL, LOCAL_ERROR = 1e-10, 1e-6

#: A first cycle further from the bifurcation than so many steps towards it is another one.
_STRAY = 1.5

#: Rms size of the first orbit from a Hopf point, tried first, and its mesh intervals.
_BORN, _BORN_INTERVALS = 0.02, 12

#: Rms distance of the first orbit from the one it branches off, in units of that orbit's rms size; and how often both are halved.
_SWITCHED, _HALVED = 0.02, 6

#: Phases of a period at which its halves are compared.
_PHASES = 48

#: The part of the local error that a branch begins with.
_PART = 0.1

#: Solutions of the bordered system that the critical direction takes: the first guess of it is a rough one.
_PASSES = 3


@dataclass(frozen=True)
class Place:
    """An orbit of a branch, the flow at its parameter, and the direction in which the branch goes on."""

    flow: Flow
    path: Path
    orbit: Orbit
    tangent: Tangent

    @cached_property
    def value(self) -> float:
        """The parameter."""
        return self.flow.parameter(self.path)

    @cached_property
    def multipliers(self) -> np.ndarray:
        """(dim - 1,) complex array, without the trivial one."""
        return floquet_multipliers(self.flow, self.orbit)

    @cached_property
    def halves(self) -> np.ndarray:
        """What the second half of the period differs from the first one in, at some phases."""
        states = self.orbit(np.arange(_PHASES) / _PHASES)
        return states[: _PHASES // 2] - states[_PHASES // 2 :]

    @property
    def size(self) -> float:
        """Rms distance of the orbit from its mean."""
        return _size(self.orbit)

    @cached_property
    def mean(self) -> np.ndarray:
        """(dim,) array, the state averaged over time."""
        return self.orbit.average(self.orbit.stages)

    def ahead(self, h: float) -> Place:
        """The place at length h along the tangent, its tangent in the same sense; ConvergenceError where there is none.

        The tangent there solves the linear system in which this one's direction has the projection 1: it needs no turning.
        """
        orbit, tangent, path = self.orbit, self.tangent, self.path
        points, stages = orbit.points + h * tangent.curve.points, orbit.stages + h * tangent.curve.stages
        guess = Orbit(orbit.mesh, points, stages, orbit.period + h * tangent.period)
        if guess.period <= 0:
            raise ConvergenceError("the period vanishes", orbit)
        plane = Plane(orbit, self.value, tangent.curve.stages, tangent.period / orbit.period**2, tangent.slope, h)
        value = self.value + h * tangent.slope
        new, here, turned = collocation.newton(
            self.flow, guess, path, plane, reference=orbit, tol=_TOL, iterations=10, tangent=True, value=value
        )
        return Place(here, path, new, turned)

    def at(self, value: float) -> Place:
        """The place of the branch at a value of the parameter, from this one as the guess; its tangent in the same sense."""
        zero = np.zeros_like(self.orbit.stages)
        plane = Plane(self.orbit, value, zero, 0.0, 1.0, 0.0)
        new, moved, turned = collocation.newton(
            self.flow, self.orbit, self.path, plane, tol=_TOL, iterations=15, tangent=True, value=value
        )
        return Place(moved, self.path, new, turned.reversed() if turned.overlap(self.tangent) < 0 else turned)

    def regraded(self, n: int) -> Place:
        """The same place on a graded mesh of n intervals: to begin the next step with, not solved again."""
        mesh = self.orbit.graded_mesh(n)
        return Place(self.flow, self.path, self.orbit.rebuilt(mesh), self.tangent.rebuilt(mesh))


def _size(orbit):
    spread = orbit.stages - orbit.average(orbit.stages)
    return float(np.sqrt(orbit.product(spread, spread)))


def at_cycle(flow: Flow, orbit: Orbit, path: Path, direction: int) -> Place:
    """The place of a cycle by its orbit, its tangent in the direction in which the parameter goes.

    Parameters
    ----------
    flow : Flow
    orbit : Orbit, of a cycle of the family of ``flow``
    path : str or Line
    direction : 1 or -1
    """
    plane = Plane(orbit, flow.parameter(path), np.zeros_like(orbit.stages), 0.0, 1.0, 0.0)
    orbit, here, tangent = collocation.newton(flow, orbit, path, plane, tol=_TOL, tangent=True)
    return Place(here, path, orbit, tangent.reversed() if tangent.slope * direction < 0 else tangent)


def at_fold(bifurcation: Bifurcation, direction: int) -> Place:
    """The place of a fold of cycles, its tangent towards larger and longer cycles, or smaller and shorter ones.

    Parameters
    ----------
    bifurcation : Bifurcation of kind "cycle_fold"
    direction : 1 or -1
    """
    orbit = _orbit_of(bifurcation)
    outward = (orbit.stages - orbit.average(orbit.stages)) / _size(orbit)
    plane = Plane(orbit, bifurcation.value, outward, 1.0 / orbit.period**2, 0.0, 0.0)
    orbit, here, tangent = collocation.newton(bifurcation.flow, orbit, bifurcation.path, plane, tol=_TOL, tangent=True)
    return Place(here, bifurcation.path, orbit, tangent if direction > 0 else tangent.reversed())


def at_hopf(bifurcation: Bifurcation) -> Place:
    """The first place beside a Hopf point, its tangent in the direction in which the family grows.

    Parameters
    ----------
    bifurcation : Bifurcation of kind "hopf"
    """
    orbit, unit = _ring(bifurcation.flow, bifurcation.state, bifurcation.frequency)
    return _beside(bifurcation, orbit, unit, _BORN)


def at_bautin(point: Codim2Point, path: Path) -> Place:
    """A small cycle beside a Bautin point, as a guess that is not solved: along the line of fold of cycles its size is free.

    Parameters
    ----------
    point : Codim2Point of kind "bautin"
    path : str or Line
    """
    orbit, unit = _ring(point.flow, point.state, point.coefficients["frequency"])
    points, stages = orbit.points + _BORN * unit.points, orbit.stages + _BORN * unit.stages
    return Place(point.flow, path, replace(orbit, points=points, stages=stages), Tangent(unit, 0.0, 0.0))


def _ring(here, state, frequency):
    """A fixed point as an orbit, and the direction, of rms 1, in which it turns at a frequency."""
    values, vectors = np.linalg.eig(here.jacobian(state))
    turning = np.where(values.imag > 0, np.abs(values.imag - frequency), np.inf)
    q = vectors[:, int(np.argmin(turning))]
    period = 2.0 * np.pi / frequency
    ring = collocation.from_curve(lambda t: (np.exp(2j * np.pi * t[..., None] / period) * q).real, period, _BORN_INTERVALS)
    size = _size(ring)
    unit = replace(ring, points=ring.points / size, stages=ring.stages / size)
    points, stages = np.broadcast_to(state, ring.points.shape), np.broadcast_to(state, ring.stages.shape)
    return Orbit(ring.mesh, points, stages, period), unit


def _beside(bifurcation, orbit, unit, length):
    """The place at some length from the orbit of a bifurcation in the critical direction, its tangent away from it."""
    for _ in range(_HALVED):
        guess = replace(orbit, points=orbit.points + length * unit.points, stages=orbit.stages + length * unit.stages)
        plane = Plane(orbit, bifurcation.value, unit.stages, 0.0, 0.0, length)
        try:
            new, here, tangent = collocation.newton(
                bifurcation.flow, guess, bifurcation.path, plane, tol=_TOL, iterations=20, tangent=True
            )
        except ConvergenceError:
            length *= 0.5
            continue
        away = length * new.product(tangent.curve.stages, unit.stages)
        place = Place(here, bifurcation.path, new, tangent.reversed() if away < 0 else tangent)
        moved = new.stages - orbit.stages
        # at birth multipliers are squares, or exponentials of eigenvalues: where one is below -1 the next doubling has been passed
        doubled = bifurcation.kind in ("hopf", "period_doubling") and np.prod(place.multipliers + 1.0).real < 0.0
        if doubled or new.product(moved, moved) > (_STRAY * length) ** 2:
            length *= 0.5
            continue
        return place
    raise ConvergenceError(f"no cycle was found beside the {bifurcation.kind} at {bifurcation.value}", orbit.points[0])


def at_switch(bifurcation: Bifurcation, direction: int) -> Place:
    """The first place of the other branch at a period doubling (cycles of twice the period), or where branches cross.

    Parameters
    ----------
    bifurcation : Bifurcation of kind "period_doubling" or "cycle_crossing"
    direction : 1 or -1, the side of a crossing; those of a period doubling are the same cycles

    Raises
    ------
    ConvergenceError
        no cycle of the other branch close by
    """
    orbit = _orbit_of(bifurcation).resolving(_PART * LOCAL_ERROR)
    turns = 2 if bifurcation.kind == "period_doubling" else 1
    orbit = _passed(orbit, turns)
    critical = _critical_direction(bifurcation.flow, orbit, turns)
    return _beside(bifurcation, orbit, critical, direction * _SWITCHED * _size(orbit))


def at_single(place: Place) -> Place:
    """The cycle passed twice that the orbit of a place is close to, passed once, at the same parameter.

    Parameters
    ----------
    place : Place
    """
    orbit = place.orbit
    period = 0.5 * orbit.period

    def middle(times):
        phase = 0.5 * np.asarray(times) / period
        return 0.5 * (orbit(phase) + orbit(phase + 0.5))

    single = collocation.from_curve(middle, period, max(_BORN_INTERVALS, len(orbit.points) // 2))
    plane = Plane(single, place.value, np.zeros_like(single.stages), 0.0, 1.0, 0.0)
    single, here, tangent = collocation.newton(place.flow, single, place.path, plane, tol=_TOL, tangent=True)
    return Place(here, place.path, single, tangent)


def _orbit_of(bifurcation):
    if bifurcation.orbit is None:
        raise ValueError(f"start must hold the orbit of its cycle, got {bifurcation}")
    return bifurcation.orbit


def _passed(orbit, turns):
    """The same closed curve, run through several times."""
    mesh = np.concatenate([[0.0], *((k + orbit.mesh[1:]) / turns for k in range(turns))])
    points, stages = (np.concatenate([a] * turns) for a in (orbit.points, orbit.stages))
    return Orbit(mesh, points, stages, orbit.period * turns)


def _critical_direction(flow, orbit, turns):
    """The periodic solution of the linearised flow beside the velocity, of rms 1; it changes its sign from turn to turn.

    The linear system of the orbit, bordered by a forcing in place of the parameter: at the bifurcation none is needed.
    """
    velocity = flow(orbit.stages)
    _, _, _, D, end = collocation.gauss_scheme(orbit.stages.shape[1])
    n, m, d = velocity.shape
    weight = orbit.weights[:, :, None]
    signs = np.where(orbit.mesh[:-1] < 0.5 - 1e-12, 1.0, -1.0) if turns == 2 else np.ones(n)
    # any direction to begin with: all components alike, and across the velocity
    guess = signs[:, None, None] * (1.0 + np.roll(velocity, 1, axis=-1) / np.abs(velocity).max())
    linear = np.empty((n * m, d * (d + 2)))
    linear[:, :d], linear[:, d:-d] = velocity.reshape(-1, d), flow.jacobian(orbit.stages).reshape(-1, d * d)
    none = np.zeros((2, *velocity.shape)), np.zeros((2, 2)), np.zeros(2)
    for _ in range(_PASSES):
        linear[:, -d:] = guess.reshape(-1, d)
        solved, _, points, stages, _, _ = newton_step(
            orbit.lengths, orbit.period, D, end, orbit.points, orbit.stages, linear, weight * np.stack([velocity, guess]), *none
        )
        if not solved:
            raise ConvergenceError("the critical direction of a cycle was not found", orbit.points[0])
        size = np.sqrt(np.sum(weight * stages[1] ** 2))
        guess = stages[1] / size
    return replace(orbit, points=points[1] / size, stages=guess)
