"""Which clock a state runs by: the Euler map of a step, step 1 being the discrete network, or the flow [T8].

    flow     ds/dt = F(s, y) - s
    map      s(t + step) = s + step (F(s, y) - s)

Times, rates and exponents are per unit of time in both; of the discrete network that is per step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Smaller steps of a map, in units of time, are those of no ring that fits.
LEAST_STEP = 1e-3
#: Usual steps of flows, and of those with white input: Heun's method takes 1/4 step^2 from the variance that noise alone makes.
_STEP, _STEP_OF_WHITE = 0.2, 0.1
#: What Heun's method is off by at most where there is noise, in units of step^2: of second moments, relative, and of exponents.
_OF_MOMENTS, _OF_EXPONENTS = 0.25, 0.05

__all__ = ["LEAST_STEP", "Clock", "even_spectrum", "from_even_spectrum", "step_errors", "usual_step"]


def usual_step(flow: bool, white: bool) -> float:
    """The step that is taken where none is asked for: of a flow that in which paths are solved.

    Parameters
    ----------
    flow : bool
    white : bool, whether there is white input
    """
    if not flow:
        return 1.0
    return _STEP_OF_WHITE if white else _STEP


def step_errors(clock: Clock, white: bool) -> tuple[float, float]:
    """What paths of a flow are off by because of their steps: (second moments, relative; exponents).

    Only white noise makes it count (see ``adams.py``). States forget at rates up to 1 here; of a rate r it is r^2 as much.

    Parameters
    ----------
    clock : Clock
    white : bool, whether there is white input
    """
    squared = clock.step**2 if clock.flow and white else 0.0
    return _OF_MOMENTS * squared, _OF_EXPONENTS * squared


def even_spectrum(half: np.ndarray) -> np.ndarray:
    """(..., M + 1) spectrum of an even function on a ring of 2 M lags, from the ``half`` of its values, at lags 0 .. M: real."""
    return np.fft.rfft(np.concatenate([half, half[..., -2:0:-1]], axis=-1)).real


def from_even_spectrum(spectrum: np.ndarray) -> np.ndarray:
    """(..., M + 1) values at lags 0 .. M of an even function on a ring, from its ``spectrum``."""
    return np.fft.irfft(spectrum)[..., : spectrum.shape[-1]]


@dataclass(frozen=True)
class Clock:
    """A map of a step, or the flow, of which ``step`` is then what lags are apart."""

    step: float
    flow: bool

    def filter(self, leak: float, n_lags: int) -> np.ndarray:
        """(n_lags,) what the spectrum of a drive is multiplied by in a state that forgets at rate ``leak``, on half a ring."""
        angle = np.pi * np.arange(n_lags) / (n_lags - 1)
        if self.flow:
            return 1.0 / (leak**2 + (angle / self.step) ** 2)
        b = 1.0 - self.step * leak
        return self.step**2 / ((1.0 - b) ** 2 + 4.0 * b * np.sin(0.5 * angle) ** 2)
