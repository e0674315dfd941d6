"""Every state in which copies of one network can end under a common input, from starts small and large, with its exponent [T8b].

Copies agree in a state where the conditional exponent, the largest Lyapunov exponent of the driven network [T8], is negative. Where
the leak is constant all states are known, also those that iteration leaves; of other cells those that a small and a large start
lead to. Without white input the fixed points are states too, with the spectral radius of their Jacobian for an exponent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ...cell.cell import second_moment
from ...ensemble.ensemble import Ensemble
from ...ensemble.sites import Sites
from ...errors import CapabilityError
from ...mean_field.fixed_point import FixedPoint
from ...mean_field.fixed_points import fixed_points
from ...mean_field.moments import MomentMap
from ...results.encoding import dict_of, require, result
from ...spectrum.spectrum import Spectrum
from ..dynamic_mean_field.clock import Clock
from ..dynamic_mean_field.dmft import dmft_states
from ..dynamic_mean_field.path_states import SAME
from .frozen_gates import frozen_fields, unforgetting

__all__ = ["CommonState", "How", "common_states", "states_at_rest"]

#: States are one where moments differ by so many of their errors at most.
_SIGMAS = 4.0
#: Input that stands for an infinitesimal one: exponents are off by its square.
_LITTLE = 1e-4
#: What is promised of spectral radii.
_EDGE = 1e-10


class How(NamedTuple):
    """By which clock and how states are solved: arguments of :func:`dmft`, checked."""

    step: float = 1.0
    flow: bool = False
    method: str = "auto"
    n_sites: int = 1000
    refine: int = 20
    seed: int = 0


@result("common_state")
@dataclass(frozen=True)
class CommonState:
    """A state to which a network comes back under its input, and how a difference of two copies in it grows.

    Attributes
    ----------
    kind : str, "moving" or "fixed point"
    moments : dict, {message name: E m^2}
    exponent, error : float
        Conditional exponent per unit of time (a step of the discrete network), and its error: of a window, how far it is from zero.
    window : tuple of str
        Fields and parameters whose static spread leaves some sites without a finite memory time: the exponent, where it is
        negative, is then that of a window; strictly it is zero from below. Empty: it is a proper rate.

    Examples
    --------
    Under strong common input copies meet: the exponent is negative.

    >>> import gating_theory as gt
    >>> state = gt.echo_state(gt.Ensemble(gt.Vanilla, gain=1.5, input_std=0.6)).leading
    >>> print(state.kind, round(state.moments["h"], 4), round(state.exponent, 4))
    moving 0.453 -0.0418
    """

    kind: str
    moments: dict[str, float]
    exponent: float
    error: float
    window: tuple[str, ...]

    as_dict = dict_of

    @property
    def sign(self) -> int:
        """Of the exponent: 0 where it is zero within two errors; of a window from the side of -1, strictly zero from below."""
        if self.window and self.exponent < 0.0:
            return -1
        return 0 if abs(self.exponent) <= 2.0 * self.error else 1 if self.exponent > 0.0 else -1

    def check(self) -> None:
        """ValueError for another kind, or an exponent that is none."""
        require(self.kind in ("moving", "fixed point"), f"kind must be 'moving' or 'fixed point', got {self.kind!r}")
        require(not np.isnan(self.exponent), "a state has no exponent")

    def __str__(self) -> str:
        shown = ", ".join(f"{second_moment(n)} = {v:.5g}" for n, v in self.moments.items())
        return f"{self.kind}, {shown}, exponent {self.exponent:.6g} +- {self.error:.1g}"


def common_states(ensemble: Ensemble, how: How) -> tuple[list[CommonState], list[str]]:
    """(states to which iteration returns, the largest first; words for what was not solved).

    Parameters
    ----------
    ensemble : Ensemble
    how : How

    Raises
    ------
    CapabilityError
        as :func:`dmft`
    """
    found, troubles = _moving(_driven(ensemble), how)
    if not ensemble.has_white_input:
        still, more = _still(ensemble, how)
        found, troubles = found + still, troubles + more
    found.sort(key=lambda state: -sum(state.moments.values()))
    return found, troubles


def _state(kind, moments, exponent, error, window):
    if window and exponent < 0.0:  # somewhere between that of the window and zero
        error = max(error, -exponent)
    return CommonState(kind, dict(moments), exponent, error, window)


def _driven(ensemble):
    """The ensemble; with a little more input where what there is leaves the zero state, whose exponent is the limit of that."""
    white = ensemble.array("input_std")
    if not (white.any() and ensemble.cell.has_closed_form and MomentMap(ensemble).has_zero_state):
        return ensemble
    more = (ensemble.replace({f"input_std.{name}": _LITTLE}) for name, std in zip(ensemble.cell.field_names, white) if std == 0.0)
    return next((one for one in more if not MomentMap(one).has_zero_state), ensemble)


# --- moving states


def _moving(ensemble, how):
    """States that move, by whichever way; what ends at a fixed point belongs to the others."""
    options = {"method": how.method, "n_sites": how.n_sites, "refine": how.refine, "rng": how.seed}
    solved = sorted(dmft_states(ensemble, how.step, how.flow, **options), key=lambda state: not state.ok)
    window = unforgetting(ensemble, frozen_fields(ensemble), how.flow)
    states: list[CommonState] = []
    troubles: list[str] = []
    for one in solved:
        if one.verdict in ("static", "zero_state") or one.returns is False or any(_same(one, old) for old in states):
            continue
        if one.ok:
            states.append(_state("moving", one.moments, float(one.exponent), float(one.exponent_stderr), window))
        else:
            troubles.append(f"a moving state: {one.status}")
    return states, troubles


def _same(one, state):
    """Whether two starts have led to one state."""
    first = next(iter(one.moments))
    apart = abs(one.moments[first] - state.moments[first])
    return apart <= max(SAME * state.moments[first], _SIGMAS * one.stderr[first])


# --- fixed points


def _still(ensemble, how):
    """Fixed points that are stable, or not surely unstable."""
    try:
        states = states_at_rest(ensemble, how)
    except CapabilityError:
        return [], ["fixed points: the cell has no closed form of them"]
    return [state for state in states if state.sign <= 0], []


def states_at_rest(ensemble: Ensemble, how: How) -> list[CommonState]:
    """Every fixed point, stable or not, as a state.

    Parameters
    ----------
    ensemble : Ensemble, without white input
    how : How

    Raises
    ------
    CapabilityError
        a cell without a mean field
    """
    return [_at_fixed_point(point, how) for point in fixed_points(ensemble)]


def _at_fixed_point(point: FixedPoint, how: How) -> CommonState:
    ensemble, clock = point.ensemble, Clock(how.step, how.flow)
    variances = ensemble.array("gain") ** 2 * point.q[list(ensemble.cell.message_of)] + ensemble.array("bias_std") ** 2
    window = unforgetting(ensemble, np.flatnonzero(variances > 0.0).tolist(), how.flow)
    return _state("fixed point", point.moments, _exponent(point, clock), _EDGE, window)


def _exponent(point, clock):
    """Per unit of time, of the largest multiplier of a fixed point's Jacobian."""
    if clock.flow:
        return float(Spectrum(point).flow.growth_rate())
    spectrum = Spectrum(point) if clock.step == 1.0 else Spectrum(_of_euler(point.sites, clock.step))
    radius = spectrum.radius()
    return float(np.log(radius)) / clock.step if radius > 0.0 else -np.inf


def _of_euler(sites: Sites, step: float) -> Sites:
    """The same population as sites of the Euler map."""
    cell = sites.cell.euler(step)
    return Sites(
        cell, sites.weights, sites.state, sites.fields, sites.parameters, sites.gain, sites.source, matrices=sites.matrices
    )
