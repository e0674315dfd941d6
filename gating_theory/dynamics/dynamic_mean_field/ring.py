"""Gaussian fields on a ring of times, and sites that run round it [T8].

The unknown is one spectrum for each distinct message, P(w) = E |m(w)|^2 / L on a ring of L times: the mean over frequencies is
E m^2, what never decays sits at w = 0, and whatever is measured is a covariance. Fields come from fixed normal numbers: what is
solved is a smooth function of the spectra; their second moments over the sites of a chunk are exact at every frequency.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...ensemble.ensemble import Ensemble
from ...ensemble.field_law import RandomFields
from .clock import Clock

__all__ = ["Laps", "Ring", "matched_noise", "mean_of_ring", "spectra_of"]

#: Part of a lap that sites run before they are looked at; laps are repeated until states come back to where they were, to this
#: part of their size, and at most so often: sites may remember longer than a lap.
_UNSEEN, _CLOSED, _LAPS = 0.25, 3e-3, 8
#: Sites that run side by side where they are paired anew: more are no faster.
_AT_ONCE = 4000


class Laps(NamedTuple):
    """What the sites of a chunk did in one lap."""

    state: np.ndarray  #: (d, L, n)
    fields: np.ndarray  #: (K, L, n)
    messages: np.ndarray  #: (distinct messages, L, n)
    parameters: np.ndarray  #: (P, n)


def mean_of_ring(spectrum: np.ndarray) -> np.ndarray:
    """(...,) mean over all L frequencies of a spectrum that is given at 0 .. L/2: a second moment."""
    return (2.0 * spectrum.sum(axis=-1) - spectrum[..., 0] - spectrum[..., -1]) / (2 * (spectrum.shape[-1] - 1))


def matched_noise(rng: np.random.Generator, rows: int, length: int, n_sites: int) -> np.ndarray:
    """(rows, L/2 + 1, n) spectra of white noise of variance 1, of which averages over the sites are those of the law.

    At every frequency the mean over sites vanishes, and second moments within and between rows are exact.

    Parameters
    ----------
    rng : numpy Generator
    rows, length, n_sites : int, length even, more sites than rows
    """
    noise = np.fft.rfft(rng.standard_normal((rows, n_sites, length)), axis=2).transpose(2, 0, 1)
    noise -= noise.mean(axis=2, keepdims=True)
    gram = noise @ noise.conj().transpose(0, 2, 1) / (length * n_sites)
    return np.linalg.solve(np.linalg.cholesky(gram), noise).transpose(1, 0, 2)


class Ring:
    """The map from spectra of messages to spectra of messages.

    Parameters
    ----------
    ensemble : Ensemble
    clock : Clock
    length : int, L, even
    n_sites : int, of a chunk
    seed : int, of all its random numbers
    """

    def __init__(self, ensemble: Ensemble, clock: Clock, length: int, n_sites: int, seed: int) -> None:
        self.ensemble, self.clock, self.length, self.n_sites, self.seed = ensemble, clock, length, n_sites, seed
        self.law = RandomFields(ensemble)
        self._kept: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def moved(self, ensemble: Ensemble) -> Ring:
        """The ring of another ensemble of the cell, with the same random numbers."""
        other = Ring(ensemble, self.clock, self.length, self.n_sites, self.seed)
        other._kept = self._kept
        return other

    def noise(self, chunk: int) -> tuple[np.ndarray, np.ndarray]:
        """((K, L/2 + 1, n) spectra of the fields' noise, (P, n) normal numbers of site parameters); those of chunk 0 are kept."""
        if chunk in self._kept:
            return self._kept[chunk]
        rng = np.random.default_rng([self.seed, chunk])
        cell = self.ensemble.cell
        made = matched_noise(rng, cell.n_fields, self.length, self.n_sites), rng.standard_normal((cell.n_parameters, self.n_sites))
        if chunk == 0:
            self._kept[chunk] = made
        return made

    def laps(self, spectra: np.ndarray, chunk: int) -> Laps:
        """Sites under fields that messages of these spectra make.

        Parameters
        ----------
        spectra : (distinct messages, L/2 + 1) array
        chunk : int
        """
        return self._run(*self._driven(spectra, chunk))

    def _driven(self, spectra, chunk):
        """(fields (K, L, n), site parameters (P, n)) of a chunk."""
        noise, normals = self.noise(chunk)
        ensemble, law, L = self.ensemble, self.law, self.length
        square = law.gain2[:, None] * spectra[law.listens] + (ensemble.array("input_std") ** 2)[:, None]
        square[:, 0] += L * ensemble.array("bias_std") ** 2
        fields = np.fft.irfft(np.sqrt(square)[:, :, None] * noise, n=L, axis=1)
        fields += ensemble.array("bias")[:, None, None]
        return fields, ensemble.array("parameter")[:, None] + ensemble.array("parameter_std")[:, None] * normals

    def _run(self, fields, parameters):
        cell, L, n = self.ensemble.cell, self.length, fields.shape[2]
        compiled = cell.compiled
        state = np.zeros((cell.n_state, n))
        states = np.empty((cell.n_state, L, n))
        for t in range(-int(_UNSEEN * L), 0):
            state = self._step(compiled, state, fields[:, t], fields[:, t + 1], parameters)
        for _ in range(_LAPS):
            for t in range(L):
                states[:, t] = state
                state = self._step(compiled, state, fields[:, t], fields[:, (t + 1) % L], parameters)
            if np.linalg.norm(state - states[:, 0]) <= _CLOSED * np.linalg.norm(state):
                break
        out = np.empty((cell.n_messages, L, n))
        for row, message in zip(out, compiled.messages(states, fields, parameters[:, None, :])):
            row[...] = message
        return Laps(states, fields, out, parameters)

    def _step(self, compiled, state, now, then, parameters):
        step = self.clock.step
        if not self.clock.flow and step == 1.0:
            return np.array(np.broadcast_arrays(*compiled.update(state, now, parameters), state[0])[:-1])
        rate = _stacked(compiled.rate(state, now, parameters), state)
        ahead = state + step * rate
        if not self.clock.flow:
            return ahead
        return state + 0.5 * step * (rate + _stacked(compiled.rate(ahead, then, parameters), state))  # Heun

    def image(self, spectra: np.ndarray, chunk: int, pairings: int = 1) -> np.ndarray:
        """(distinct messages, L/2 + 1) spectra of the messages that sites send in a chunk.

        Parameters
        ----------
        spectra : (distinct messages, L/2 + 1) array
        chunk : int
        pairings : int, how often a site gets the field of another one for each of its fields but the first, as good as more sites
        """
        fields, parameters = self._driven(spectra, chunk)
        at_once, total = max(1, _AT_ONCE // self.n_sites), np.zeros_like(spectra)
        for first in range(0, pairings, at_once):
            turns = range(first, min(first + at_once, pairings))
            paired = np.array(
                [np.concatenate([np.roll(y, k * turn, axis=1) for turn in turns], axis=1) for k, y in enumerate(fields)]
            )
            laps = self._run(paired, np.tile(parameters, len(turns)))
            total += len(turns) * spectra_of(laps.messages)
        return total / pairings


def _stacked(rows, state):
    return np.array([np.broadcast_to(row, state.shape[1:]) for row in rows])


def spectra_of(messages: np.ndarray) -> np.ndarray:
    """(distinct messages, L/2 + 1) E |m(w)|^2 / L of messages (distinct messages, L, n)."""
    out = []
    for rows in messages:
        transformed = np.fft.rfft(rows, axis=0)
        out.append((transformed.real**2 + transformed.imag**2).mean(axis=1) / messages.shape[1])
    return np.array(out)
