"""Targets of designs: what an ensemble in one of its states is asked for, and how far it is off [T3, T5, T6, T9]."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations
from typing import Any

import numpy as np

from ..dynamics.chaos import largest_exponent
from ..dynamics.steady_state import steady_state
from ..ensemble.ensemble import Ensemble
from ..errors import ConvergenceError
from ..gradients.growth import gradient_growth
from ..mean_field.fixed_points import fixed_points, zero_state
from ..spectrum.spectrum import Spectrum
from ..support.checks import integer, real, shown

__all__ = ["STABILITY", "STATES", "State", "Target", "targets_of"]

STATES = ("zero", "active", "steady")
#: Of these a design has at most one.
STABILITY = ("abscissa", "radius", "lyapunov")
#: Mean squares: of gradients through T steps, of the singular values of one Jacobian, and their spread.
_TIMED, _SQUARES = ("gradient", "slow_fraction"), ("mean_square", "square_std")
_ALLOWED = (*STABILITY, *_SQUARES, *_TIMED)
#: log10 of what is no float any more, and the logarithm of a radius of zero.
_NOTHING, _NO_RADIUS = -400.0, -700.0


@dataclass(frozen=True)
class Target:
    """A number that is wanted of a quantity.

    Attributes
    ----------
    name : str, of the quantity
    time : float or None, the timescale or the number of steps that it is for
    wanted : float
    """

    name: str
    time: float | None
    wanted: float

    @property
    def label(self) -> str:
        """The quantity with its time: "slow_fraction(200)"."""
        return self.name if self.time is None else f"{self.name}({self.time:g})"

    @classmethod
    def labelled(cls, label: str, wanted: float) -> Target:
        """The target of a label."""
        name, _, time = label.rstrip(")").partition("(")
        return cls(name, float(time) if time else None, wanted)

    @property
    def takes_leak(self) -> bool:
        """Whether the leak is what decides about it, and the gain of the candidate is not."""
        return self.name == "slow_fraction"

    def off(self, value: float) -> float:
        """By how much a value misses it; of gradients the natural logarithm of their ratio, so that tolerances are relative."""
        if self.name != "gradient":
            return value - self.wanted
        return float(np.log(10.0)) * (max(_log10(value), _NOTHING) - _log10(self.wanted))


def _log10(value):
    return float(np.log10(value)) if value > 0.0 else _NOTHING


class State:
    """An ensemble in one of its states, with what targets ask of it.

    Parameters
    ----------
    ensemble : Ensemble
    state : "zero", "active" or "steady"
    size : (n_units, n_steps, seed), of the network behind a steady state
    """

    def __init__(self, ensemble: Ensemble, state: str, size: tuple[int, int, int]) -> None:
        self.ensemble, self.state = ensemble, state
        self.n_units, self.n_steps, self.seed = size

    @cached_property
    def spectrum(self) -> Spectrum:
        """Spectrum of the sites of the state; ConvergenceError where there is none."""
        if self.state == "steady":
            return Spectrum(steady_state(self.ensemble, self.n_units, self.n_steps, rng=self.seed, lyapunov_units=0, record=0))
        zero = zero_state(self.ensemble) if self.state == "zero" else None
        points = [zero] if zero is not None else fixed_points(self.ensemble)
        if not points:
            raise ConvergenceError(f"{self.ensemble!r} has no mean-field fixed point")
        return Spectrum(points[0] if self.state == "zero" else points[-1])

    def quantity(self, target: Target) -> float:
        """The value of what a target is about."""
        name, spectrum = target.name, self.spectrum
        if name == "slow_fraction":
            return spectrum.slow_fraction(target.time or 0.0, tol=1e-5)
        if name == "lyapunov":
            return self._exponent()
        if name == "gradient":
            return float(gradient_growth(spectrum, int(target.time or 0)).mean_square[-1])
        if name == "mean_square":
            return float(spectrum.singular_values().moments(1)[0])
        if name == "square_std":
            return spectrum.singular_values().square_std()
        return spectrum.abscissa() if name == "abscissa" else spectrum.radius()

    def _exponent(self):
        if self.state == "steady":
            return largest_exponent(self.ensemble, self.n_units, self.n_steps, rng=self.seed)[0]
        radius = self.spectrum.radius()
        return float(np.log(radius)) if radius > 0.0 else _NO_RADIUS


def targets_of(target: Mapping[str, Any], state: str) -> list[Target]:
    """The targets of a mapping, checked, in the order in which unknowns are given to them: stability, gradients, slow fractions.

    Parameters
    ----------
    target : mapping, as for :func:`~gating_theory.design`
    state : str, of the ensemble
    """
    if not isinstance(target, Mapping) or not target:
        raise TypeError(
            f"target must be a non-empty mapping such as {{'slow_fraction': {{200: 0.2}}, 'abscissa': 0.999}}, got {shown(target)}"
        )
    unknown = set(target) - set(_ALLOWED)
    if unknown:
        raise ValueError(f"target has the unknown entry {shown(min(map(str, unknown)))}; allowed are {list(_ALLOWED)}")
    stability = [name for name in STABILITY if name in target]
    if len(stability) > 1:
        raise ValueError(f"target may have one of {list(STABILITY)}, got {stability}")
    if "gradient" in target and state == "steady":
        raise ValueError("target 'gradient' is about sites that stay as they are: state must be 'zero' or 'active', got 'steady'")
    out = [Target(name, None, real(f"target[{name!r}]", target[name], low=_low(name))) for name in stability]
    out += [_timed(name, time, value) for name in _TIMED[:1] for time, value in _times(target, name)]
    out += [Target(name, None, real(f"target[{name!r}]", target[name], low=0.0)) for name in _SQUARES if name in target]
    slow = [_timed(name, time, value) for name in _TIMED[1:] for time, value in _times(target, name)]
    if not out and not slow:
        raise ValueError("target asks for nothing: give slow fractions, gradients or a stability target")
    for one, other in permutations(slow, 2):
        if other.time > one.time and other.wanted > one.wanted:
            found = f"{other.label} = {other.wanted:g} of the modes are among {one.label} = {one.wanted:g}"
            raise ValueError(f"target contradicts itself: {found}")
    return out + slow


def _low(name):
    return 0.0 if name == "radius" else -np.inf


def _times(target, name):
    times = target.get(name, {})
    if not isinstance(times, Mapping):
        kind = "timescales to fractions, {200: 0.2}" if name == "slow_fraction" else "numbers of steps to mean squares, {100: 0.3}"
        raise TypeError(f"target[{name!r}] must be a mapping from {kind}, got {shown(times)}")
    return times.items()


def _timed(name, time, value):
    if name == "gradient":
        steps = integer("a number of steps in target['gradient']", time, low=1)
        return Target(name, steps, real(f"gradient({steps})", value, low=0.0, open_low=True))
    tau = real("a timescale in target['slow_fraction']", time, low=0.0, open_low=True)
    return Target(name, tau, real(f"slow_fraction({tau:g})", value, low=0.0, high=1.0))
