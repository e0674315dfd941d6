"""How long rings of paths are: the first, spectra on longer ones, and whether a ring holds its correlations [T8]."""

from __future__ import annotations

import numpy as np

from .clock import Clock, even_spectrum, from_even_spectrum
from .sinusoid import Sinusoid, rings_of, without_lines

__all__ = ["LONGEST", "correlation_steps", "first_length", "is_static", "on_ring", "window_holds"]

#: Rings: time of the first in units of time, the longest in steps.
_FIRST_TIME, LONGEST = 40.0, 4096
#: Correlation times that half a ring holds at least; what correlations may change by over its second half, relative to C(0).
_HOLDS, _CHANGE = 5.0, 0.05
#: Standard errors of this change that are chance; the response makes it larger than sampling alone.
_CHANCE = 3.0
#: C at half the ring over C(0), of all messages, above which nothing moves.
_STATIC = 0.97


def first_length(clock: Clock, least: int, sinusoid: Sinusoid | None = None) -> int:
    """Steps of the ring to begin with.

    Parameters
    ----------
    clock : Clock
    least : int
    sinusoid : Sinusoid, optional; the ring holds whole periods
    """
    length = max(least, 1 << int(np.ceil(np.log2(_FIRST_TIME / clock.step))))
    if sinusoid is None:
        return length
    unit, shortest = rings_of(sinusoid, clock)
    return max(shortest, unit * -(-length // unit))


def on_ring(spectra: np.ndarray, length: int, turns: int = 0) -> np.ndarray:
    """(..., length/2 + 1) spectra of the same correlations on a ring that is as long or longer: at lags that are new they stay.

    Parameters
    ----------
    spectra : (..., L/2 + 1) array
    length : int >= L, even; with ``turns`` a multiple of L
    turns : int, periods of a sinusoidal input in the longer ring
    """
    before = 2 * (spectra.shape[-1] - 1)
    if length == before:
        return spectra
    rest = without_lines(spectra, turns * before // length)
    C = from_even_spectrum(rest)
    last = np.repeat(_late(C), (length - before) // 2, axis=-1)
    out = np.maximum(even_spectrum(np.concatenate([C, last], axis=-1)), 0.0)
    if turns:
        times = length // before
        out[..., ::times] += times * (spectra - rest)  # lines are as narrow as frequencies are apart
    return out


def _late(C):
    """The mean over the last quarter."""
    return C[..., -max(1, C.shape[-1] // 4) :].mean(axis=-1, keepdims=True)


def correlation_steps(C: np.ndarray) -> np.ndarray:
    """(n,) steps in which what decays of correlations at steps 0 .. M has fallen to 1/e; 2 M + 2 where nothing decays.

    Parameters
    ----------
    C : (n, M + 1) array
    """
    rest = _late(C)
    fallen = C - rest < np.exp(-1.0) * (C[:, :1] - rest)
    return np.where(fallen.any(axis=1), np.argmax(fallen, axis=1), 2 * C.shape[1])


def is_static(spectra: np.ndarray, part: float = _STATIC, turns: int = 0) -> bool:
    """Whether all messages stay, or repeat with an input: by more than a part of C(0).

    Parameters
    ----------
    spectra : (distinct messages, L/2 + 1) array
    part : float
    turns : int, periods of a sinusoidal input in the ring
    """
    C, rest = from_even_spectrum(spectra), from_even_spectrum(without_lines(spectra, turns))
    return bool((rest[:, 0] - _late(rest)[:, 0] < (1.0 - part) * C[:, 0]).all())


def window_holds(spectra: np.ndarray, turns: int, sites: int) -> bool:
    """Whether every message's correlation has fallen long before half the ring, and is constant, or repeats, from there on.

    Differences that so many sites may show by chance are none.

    Parameters
    ----------
    spectra : (distinct messages, L/2 + 1) array
    turns : int, periods of a sinusoidal input in the ring
    sites : int, that have measured
    """
    rest = without_lines(spectra, turns)
    M = rest.shape[1] - 1
    apart = np.zeros(M + 1)
    apart[M // 2 : 3 * M // 4], apart[3 * M // 4 :] = 1.0 / (3 * M // 4 - M // 2), -1.0 / (M + 1 - 3 * M // 4)
    chance = _CHANCE * np.sqrt(((rest * even_spectrum(apart)) ** 2).sum(axis=1) / sites) / M
    C, size = from_even_spectrum(rest), from_even_spectrum(spectra)[:, 0]
    allowed = _CHANGE * size + chance
    decays = C[:, 0] - _late(C)[:, 0] > allowed
    return bool((np.abs(C @ apart) <= allowed).all() and (correlation_steps(C)[decays] * _HOLDS <= M).all())
