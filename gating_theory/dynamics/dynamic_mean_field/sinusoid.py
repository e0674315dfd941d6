"""Sinusoidal input of a random phase at every unit, and the sharp lines that it leaves in spectra [T8].

With phases spread evenly over the units the state is stationary, though no longer Gaussian: each site is shown
A cos(omega t + theta) beside its Gaussian fields. What repeats with the input never decays; it stands in the spectra as lines at
the input's frequency and its multiples, above what the moving rest has there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ...ensemble.ensemble import Ensemble
from ...results.encoding import dict_of, require, result
from ...support.checks import instance, meant, real, shown
from .clock import Clock

__all__ = ["Sinusoid", "lines_of", "rings_of", "step_below", "turns_of", "without_lines"]

#: Periods in a ring at least: between a line and the next there are frequencies that show what moves beside them.
_PERIODS = 6
#: Steps to a period in flows whose step is free; steps of the longest ring, and what whole periods may miss of it, relative.
_STEPS, _LONGEST, _WHOLE = 12, 4096, 1e-9
#: Frequencies beside a line, and their weights in a cubic through them: what there is without the line.
_BESIDE, _WEIGHTS = np.array([-2, -1, 1, 2]), np.array([-1.0, 4.0, 4.0, -1.0]) / 6.0


@result("sinusoid")
@dataclass(frozen=True)
class Sinusoid:
    """Input A_k cos(2 pi t / period + theta) to each field, with a phase theta for every unit and field, even over the circle [T8].

    Attributes
    ----------
    period : float > 0
        In units of time; of the discrete network that is in steps.
    amplitude : float >= 0, or dict {field name: float}
        A_k; one number is that of every field, fields that are left out have none.

    Raises
    ------
    TypeError, ValueError
        bad periods or amplitudes

    Examples
    --------
    >>> import gating_theory as gt
    >>> wave = gt.Sinusoid(period=20, amplitude={"h": 0.5})
    >>> wave.amplitudes(gt.Ensemble(gt.GRU))
    array([0. , 0. , 0.5])
    """

    period: float
    amplitude: float | dict[str, float]

    as_dict = dict_of

    def __post_init__(self) -> None:
        object.__setattr__(self, "period", real("period", self.period, low=0.0, high=1e6, open_low=True))
        given = self.amplitude
        if isinstance(given, Mapping):
            checked: float | dict[str, float] = {
                str(name): self._size(f"amplitude[{name!r}]", value) for name, value in given.items()
            }
        else:
            checked = self._size("amplitude", given)
        object.__setattr__(self, "amplitude", checked)

    @staticmethod
    def _size(name, value):
        return real(name, value, low=0.0, high=1e6)

    def check(self) -> None:
        """ValueError where the period is not positive."""
        require(self.period > 0.0, "period must be positive")

    def amplitudes(self, ensemble: Ensemble) -> np.ndarray:
        """(K,) amplitudes in the order of the cell's fields; ValueError for names that are none of them.

        Parameters
        ----------
        ensemble : Ensemble
        """
        names = instance("ensemble", ensemble, Ensemble).cell.field_names
        if not isinstance(self.amplitude, dict):
            return np.full(len(names), self.amplitude)
        unknown = [name for name in self.amplitude if name not in names]
        if unknown:
            text = f"sinusoid has the unknown field {shown(unknown[0])}{meant(unknown[0], names)}"
            raise ValueError(f"{text}; allowed are {list(names)}")
        return np.array([self.amplitude.get(name, 0.0) for name in names])


def step_below(sinusoid: Sinusoid, step: float) -> float:
    """The largest part of a period, a twelfth at most, that is no longer than a step.

    Parameters
    ----------
    sinusoid : Sinusoid
    step : float > 0
    """
    return sinusoid.period / max(np.ceil(sinusoid.period / step), _STEPS)


def turns_of(sinusoid: Sinusoid | None, clock: Clock, length: int) -> int:
    """Periods in a ring that holds whole ones; 0 without an input.

    Parameters
    ----------
    sinusoid : Sinusoid or None
    clock : Clock
    length : int
    """
    return 0 if sinusoid is None else int(np.rint(length * clock.step / sinusoid.period))


def rings_of(sinusoid: Sinusoid, clock: Clock) -> tuple[int, int]:
    """(steps that windows are a multiple of so that they hold whole periods, the least window: one of six periods).

    Parameters
    ----------
    sinusoid : Sinusoid
    clock : Clock

    Raises
    ------
    ValueError
        there is none up to 4096, or less than two steps to a period
    """
    ratio = sinusoid.period / clock.step
    if ratio < 2.0:
        raise ValueError(f"a period of {sinusoid.period:g} needs two steps at least, and a step is {clock.step:g}")
    steps = Fraction(ratio).limit_denominator(_LONGEST)
    length, periods = _even(steps)
    least = length * -(-_PERIODS // periods)
    if abs(float(steps) / ratio - 1.0) > _WHOLE or least > _LONGEST:
        raise ValueError(
            f"no ring of up to {_LONGEST} steps of {clock.step:g} holds six whole periods of {sinusoid.period:g}: take "
            "a step of which the period is a multiple, or another period"
        )
    return length, least


def _even(steps):
    length, periods = steps.numerator, steps.denominator
    return (length, periods) if length % 2 == 0 else (2 * length, 2 * periods)


def lines_of(spectra: np.ndarray, turns: int) -> np.ndarray:
    """(n, H) second moments in the lines at 1, 2, .. H times the input's frequency, of spectra at 0 .. L/2.

    Parameters
    ----------
    spectra : (n, L/2 + 1) array
    turns : int, periods in the ring; 0: no line
    """
    places = _places(spectra, turns)
    last = spectra.shape[1] - 1
    counts = np.where(places == last, 1.0, 2.0) / (2 * last)
    return np.maximum(spectra[:, places] - _beside(spectra, places), 0.0) * counts


def without_lines(spectra: np.ndarray, turns: int) -> np.ndarray:
    """The spectra of what does not repeat with the input.

    Parameters
    ----------
    spectra : (n, L/2 + 1) array
    turns : int, periods in the ring; 0: no line
    """
    places, out = _places(spectra, turns), spectra.copy()
    out[:, places] = np.minimum(np.maximum(_beside(spectra, places), 0.0), spectra[:, places])
    return out


def _places(spectra, turns):
    last = spectra.shape[1] - 1
    return np.arange(turns, last + 1, turns) if turns else np.zeros(0, int)


def _beside(spectra, places):
    """Spectra at these frequencies, from those next to them: spectra are even about both ends."""
    last = spectra.shape[1] - 1
    near = np.abs(places[:, None] + _BESIDE)
    near = np.where(near > last, 2 * last - near, near)
    return spectra[:, near] @ _WEIGHTS
