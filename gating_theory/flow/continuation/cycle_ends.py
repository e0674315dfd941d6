"""How a branch of cycles ends: at a Hopf point or a period doubling of another branch, or with a period beyond all bounds, and why.

A long period alone tells nothing. It belongs to a homoclinic orbit where the orbit rests at a saddle and the period grows with
the logarithm of the distance in the parameter, at the saddle's own rate; to a saddle-node on the cycle where fixed points are about
to be born on the orbit and the period grows with the inverse square root of the distance from there; else the motion is slow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...errors import CapabilityError, ConvergenceError
from ...results.status import Status
from .bifurcation import Bifurcation
from .curve import newton_onto_curve
from .cycle_bifurcations import cycle_tests
from .cycle_place import Place, at_single
from .normal_forms import normal_form

__all__ = ["RESOLVED", "doubling_passed", "hopf_beside", "hopf_passed", "long_period", "period_doubling_beside"]

#: Rms size below which a cycle has shrunk to a point.
_POINT = 1e-6

#: Secant steps, and the relative step at which a root counts as found.
_STEPS, _ROOT = 40, 1e-14

#: Speed, relative to the largest on the orbit, below which the orbit is said to rest; and how near the fixed point must be at
#: which it does, in units of the orbit's extent.
_RESTS, _NEAR = 0.1, 0.05

#: The last part of a branch over which the period's law is measured begins where the period was so much shorter than at the end.
_TAIL = 0.6

#: How far the measured rate (homoclinic) and exponent (saddle-node) may be from the expected ones.
_RATE, _EXPONENT = 0.15, 0.12

#: Changes of the parameter below this, relative to the largest of 1 and its value, are rounding.
RESOLVED = 1e-11

# --- where cycles of this branch cease to exist beside others


def hopf_passed(old: Place, new: Place) -> bool:
    """Whether the branch went through a fixed point: beyond it are the same cycles again, shifted by half a turn."""
    spread = [place.orbit.stages - place.mean for place in (old, new)]
    return bool(new.orbit.average(np.sum(spread[0] * spread[1], axis=-1)) <= 0.0) or new.size < _POINT


def doubling_passed(old: Place, new: Place) -> bool:
    """Whether the branch went through a cycle passed twice: beyond it are the same cycles again, shifted by half a period."""
    return bool(np.sum(old.halves * new.halves) <= 0.0)


def hopf_beside(place: Place) -> Bifurcation:
    """The Hopf point at which a small cycle is born; ConvergenceError where there is none within reach of it."""
    flow, path = place.flow, place.path
    state, frequency = [place.mean], 2.0 * np.pi / place.orbit.period

    def growth(value):
        state[0] = _fixed_point(place, state[0], value)
        values = np.linalg.eigvals(flow.replace(path, value).jacobian(state[0]))
        return float(values[np.argmin(np.abs(values - 1j * frequency))].real)

    value, error = _secant(growth, place.value, 1e-6 * max(1.0, abs(place.value)))
    growth(value)
    here = flow.replace(path, value)
    values = np.linalg.eigvals(here.jacobian(state[0]))
    lam = values[np.argmin(np.abs(values - 1j * frequency))]
    reach = 10.0 * place.size
    if np.abs(state[0] - place.mean).max() > reach or abs(lam.imag - frequency) > max(reach, 0.1) * frequency:
        raise ConvergenceError(f"no Hopf point beside the cycle at {path} = {place.value}", place.mean)
    coefficient = normal_form(here, state[0], "hopf")
    return Bifurcation(
        "hopf", path, value, state[0], here, coefficient=coefficient, frequency=float(lam.imag), supercritical=coefficient < 0,
        period=float(2.0 * np.pi / lam.imag), error=error,
    )  # fmt: skip


def period_doubling_beside(place: Place) -> Bifurcation:
    """The period doubling from which the cycles of a branch come; ConvergenceError where there is none beside this place."""
    single = at_single(place)

    def located(start):
        at = [start]

        def test(value):
            at[0] = at[0].at(value)
            return cycle_tests(at[0])["period_doubling"]

        value, _ = _secant(test, place.value, 1e-4 * max(1.0, abs(place.value)))
        test(value)
        return at[0]

    coarse = located(single)
    fine = located(coarse.regraded(int(1.5 * len(coarse.orbit.points))))
    if np.abs(fine.multipliers + 1.0).min() > 1e-4:
        raise ConvergenceError(f"no period doubling beside the cycle at {place.path} = {place.value}", place.mean)
    error = abs(fine.value - coarse.value) + 1e-13 * max(1.0, abs(fine.value))
    orbit = fine.orbit
    return Bifurcation(
        "period_doubling", place.path, fine.value, orbit.points[0], fine.flow, period=orbit.period, orbit=orbit, error=error
    )


def _secant(test: Callable[[float], float], value: float, step: float) -> tuple[float, float]:
    """A root near a value, and its error; ConvergenceError where the secant method finds none."""
    a, b = value, value + step
    at_a, at_b = test(a), test(b)
    last = np.inf
    for _ in range(_STEPS):
        if at_b == at_a:
            break
        change = -at_b * (b - a) / (at_b - at_a)
        a, at_a, b = b, at_b, b + change
        if not np.isfinite(b):
            break
        size = abs(change) / max(1.0, abs(b))
        if size <= _ROOT or (size < 1e-11 and size > 0.5 * last):
            return b, abs(change) + _ROOT * max(1.0, abs(b))
        at_b, last = test(b), size
    raise ConvergenceError("the end of a branch of cycles was not located", value)


def _fixed_point(place, state, value):
    vertical = np.append(np.zeros(len(state)), 1.0)
    return newton_onto_curve(place.flow, place.path, np.append(state, value), vertical, 30)[0][:-1]


# --- why a period is long


@dataclass(frozen=True)
class _Rest:
    """A fixed point at which the orbit rests on its way."""

    state: np.ndarray
    distance: float
    eigenvalues: np.ndarray

    @property
    def rate(self):
        """Of the stable or the unstable directions, whichever is the slower; 0 where it is no saddle."""
        real = self.eigenvalues.real
        return float(np.abs(real).min()) if real.min() < 0 < real.max() else 0.0


def long_period(place: Place, values: np.ndarray, periods: np.ndarray) -> Status:
    """Why the period at the end of a branch is long.

    Parameters
    ----------
    place : Place, the end
    values, periods : (n,) arrays, parameter and period along the branch

    Returns
    -------
    Status
        Its code is "homoclinic", "heteroclinic", "saddle_node", or "period" where there is evidence for none of them.
    """
    where = f"at {place.path} = {place.value:.10g}, period {place.orbit.period:.6g}"
    tail = periods >= _TAIL * periods[-1]
    values, periods = values[tail], periods[tail]
    rests = [rest for rest in _rests(place) if rest.rate > 0]
    if rests:
        expected, measured = 1.0 / sum(1.0 / rest.rate for rest in rests), _logarithmic_rate(values, periods)
        saddles = _distinct(rests)
        points = " and ".join(f"({', '.join(f'{x:.6g}' for x in s)})" for s in saddles)
        law = f"rate {measured:.4g} of the logarithmic law measured, {expected:.4g} expected"
        if abs(measured / expected - 1.0) < _RATE:
            code = "homoclinic" if len(saddles) == 1 else "heteroclinic"
            return Status(code, f"{code} orbit {where}: it rests at the saddle{'s' * (len(saddles) > 1)} {points}; {law}")
        return Status(
            "period", f"long {where}: it passes {points} at {min(r.distance for r in rests):.2g} of its extent, but {law}"
        )
    fold = _fold_beside(place)
    if fold is not None:
        state, value = fold
        exponent = _power(np.abs(values - value), periods)
        if abs(exponent + 0.5) < _EXPONENT:
            point = ", ".join(f"{x:.6g}" for x in state)
            text = f"saddle-node on the cycle at {place.path} = {value:.12g}, state ({point}); followed {where}"
            return Status("saddle_node", f"{text}; exponent {exponent:.3f} of the period, -1/2 expected")
    return Status("period", f"long {where}: it is slow all along and rests at no fixed point{_without_gates(place)}")


def _rests(place):
    """The fixed points near which the speed on the orbit has a minimum, once for each passage."""
    states = place.orbit.stages.reshape(-1, place.flow.dim)
    speed = np.linalg.norm(place.flow(states), axis=1)
    slow = (speed <= np.roll(speed, 1)) & (speed < np.roll(speed, -1)) & (speed < _RESTS * speed.max())
    extent, found = np.ptp(states, axis=0).max(), []
    for state in states[slow]:
        try:
            fixed = _fixed_point(place, state, place.value)
        except ConvergenceError:
            continue
        distance = float(np.abs(states - fixed).max(axis=1).min() / extent)
        if distance < _NEAR and np.abs(state - fixed).max() < 2.0 * _NEAR * extent:
            found.append(_Rest(fixed, distance, np.linalg.eigvals(place.flow.jacobian(fixed))))
    return found


def _distinct(rests):
    states: list[np.ndarray] = []
    for rest in rests:
        if all(np.abs(rest.state - s).max() > 1e-6 for s in states):
            states.append(rest.state)
    return states


def _logarithmic_rate(values, periods):
    """The rate r of a period that grows like -log|distance in the parameter| / r."""
    change = np.abs(np.diff(values))
    known = (change > RESOLVED * np.maximum(1.0, np.abs(values[1:]))) & (np.diff(periods) > 0)
    if known.sum() < 3:
        return np.nan
    slope = np.log(change[known] / np.diff(periods)[known])
    return float(-np.polyfit(0.5 * (periods[1:] + periods[:-1])[known], slope, 1)[0])


def _power(distances, periods):
    """The exponent with which the period depends on the distance from a parameter."""
    if len(periods) < 3 or not distances.all():
        return np.nan
    return float(np.polyfit(np.log(distances), np.log(periods), 1)[0])


def _fold_beside(place):
    """State and parameter of a fold of fixed points where the orbit is slowest, or None."""
    flow, path = place.flow, place.path
    states = place.orbit.stages.reshape(-1, flow.dim)
    slowest = states[np.argmin(np.linalg.norm(flow(states), axis=1))]
    along = np.append(np.linalg.svd(flow.jacobian(slowest))[2][-1], 0.0)
    guess, points = np.append(slowest, place.value), {}

    def slope(s):
        points[0], direction = newton_onto_curve(flow, path, guess + s * along, along)
        return direction[-1]

    try:
        slope(_secant(slope, 0.0, 1e-4)[0])
    except ConvergenceError:
        return None
    fold = points[0]
    near = np.abs(states - fold[:-1]).max(axis=1).min() < _NEAR * np.ptp(states, axis=0).max()
    return (fold[:-1], float(fold[-1])) if near else None


def _without_gates(place):
    """Words on the period with time rescaled so that the orbit moves at the gate-free speed."""
    try:
        wanted = np.linalg.norm(place.flow.residual(place.orbit.stages), axis=-1)
    except CapabilityError:
        return ""
    speed = np.linalg.norm(place.flow(place.orbit.stages), axis=-1)
    rescaled = place.orbit.period * place.orbit.average(speed / np.maximum(wanted, 1e-300))
    return f"; its gates shut: with them open it would take {rescaled:.4g}"
