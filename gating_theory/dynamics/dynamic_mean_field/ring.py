"""Gaussian fields on a ring of times, and sites that run round it [T8].

The unknown is one spectrum for each distinct message, P(w) = E |m(w)|^2 / L on a ring of L times: the mean over frequencies is
E m^2, what never decays sits at w = 0, and whatever is measured is a covariance. Fields come from fixed normal numbers: what is
solved is a smooth function of the spectra; their second moments over the sites of a chunk are exact at every frequency.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from ...cell.message_parts import SampledPaths
from ...ensemble.ensemble import Ensemble
from ...ensemble.field_law import RandomFields
from ...errors import ConvergenceError
from .adams import AdamsSteps
from .clock import Clock
from .sinusoid import Sinusoid, turns_of

__all__ = ["Laps", "Ring", "matched_noise", "mean_of_ring", "parseval_weights", "run_until_closed", "spectra_of"]

#: Part of a lap that sites run before they are looked at; laps are repeated until states come back to where they were, to this
#: part of their size, and at most so often, as long as they come nearer: sites may remember longer than a lap.
_UNSEEN, _CLOSED, _LAPS = 0.25, 3e-3, 8
#: Sites that run side by side where they are paired anew: more are no faster.
_AT_ONCE = 4000
#: Phases of a sinusoidal input have random numbers of their own: seeds of theirs begin with this.
_PHASES = 141421


class Laps(NamedTuple):
    """What the sites of a chunk did in one lap."""

    state: np.ndarray  #: (d, L, n)
    fields: np.ndarray  #: (K, L, n)
    messages: np.ndarray  #: (distinct messages, L, n)
    parameters: np.ndarray  #: (P, L, n), the same at all times where they have no input
    white: np.ndarray | None = None  #: (K, L, n) white noise of a flow during each step, which ``fields`` do not hold


def mean_of_ring(spectrum: np.ndarray) -> np.ndarray:
    """(...,) mean over all L frequencies of a spectrum that is given at 0 .. L/2: a second moment."""
    return (2.0 * spectrum.sum(axis=-1) - spectrum[..., 0] - spectrum[..., -1]) / (2 * (spectrum.shape[-1] - 1))


def parseval_weights(n_frequencies: int) -> np.ndarray:
    """(L/2 + 1,) weights with which the squared norm of sqrt(spectrum) is its mean over all L frequencies: a second moment.

    Parameters
    ----------
    n_frequencies : int, L/2 + 1
    """
    counts = np.full(n_frequencies, 2.0)
    counts[[0, -1]] = 1.0
    return np.sqrt(counts / (2 * (n_frequencies - 1)))


def matched_noise(
    rng: np.random.Generator, rows: int, length: int, n_sites: int, apart: tuple[int, np.ndarray] | None = None
) -> np.ndarray:
    """(rows, L/2 + 1, n) spectra of white noise of variance 1, of which averages over the sites are those of the law.

    At every frequency the mean over sites vanishes, and second moments within and between rows are exact.

    Parameters
    ----------
    rng : numpy Generator
    rows, length, n_sites : int, length even, more sites than rows
    apart : (frequency, (R, n) complex array), optional
        What else the sites are shown at one frequency: the noise has no second moments with it.
    """
    noise = np.fft.rfft(rng.standard_normal((rows, n_sites, length)), axis=2).transpose(2, 0, 1)
    if apart is not None:
        place, waves = apart
        shown = np.linalg.qr(np.concatenate([waves, np.ones((1, n_sites))]).T)[0]
        noise[place] -= (noise[place] @ shown.conj()) @ shown.T
    noise -= noise.mean(axis=2, keepdims=True)
    gram = noise @ noise.conj().transpose(0, 2, 1) / (length * n_sites)
    return np.linalg.solve(np.linalg.cholesky(gram), noise).transpose(1, 0, 2)


class Drawn(NamedTuple):
    """What a lap is driven by, of mean zero."""

    fields: np.ndarray  #: (K, L, n), that messages make
    white: np.ndarray | None  #: (K, L, n), white noise of a flow
    inputs: np.ndarray | None  #: (P, L, n), white input of site parameters


def run_until_closed(moved: Callable[[np.ndarray, int], np.ndarray], state: np.ndarray, path: np.ndarray) -> np.ndarray:
    """The states (d, n) at the end of a lap, which are those at its beginning as far as they come back; fills the lap's path.

    Parameters
    ----------
    moved : callable(states, t), states a step after time t; times repeat with the lap
    state : (d, n) array, at first
    path : (d, L, n) array to fill
    """
    L, last = path.shape[1], np.inf
    for t in range(-int(_UNSEEN * L), 0):
        state = moved(state, t)
    for _ in range(_LAPS):
        for t in range(L):
            path[:, t] = state
            state = moved(state, t)
        apart = float(np.linalg.norm(state - path[:, 0]))
        if not _CLOSED * np.linalg.norm(state) < apart < last:
            break
        last = apart
    return state


class Ring:
    """The map from spectra of messages to spectra of messages.

    Parameters
    ----------
    ensemble : Ensemble
    clock : Clock
    length : int, L, even
    n_sites : int, of a chunk
    seed : int, of all its random numbers
    sinusoid : Sinusoid, optional; the ring holds whole periods
    """

    def __init__(
        self, ensemble: Ensemble, clock: Clock, length: int, n_sites: int, seed: int, sinusoid: Sinusoid | None = None
    ) -> None:
        self.ensemble, self.clock, self.length, self.n_sites, self.seed = ensemble, clock, length, n_sites, seed
        self.sinusoid, self.law = sinusoid, RandomFields(ensemble)
        self.white = ensemble.array("input_std") / np.sqrt(clock.step) if clock.flow else np.zeros(ensemble.cell.n_fields)
        self._kept: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}

    def moved(self, ensemble: Ensemble) -> Ring:
        """The ring of another ensemble of the cell, with the same random numbers."""
        other = Ring(ensemble, self.clock, self.length, self.n_sites, self.seed, self.sinusoid)
        other._kept = self._kept
        return other

    @property
    def noise_rows(self) -> int:
        """Rows of noise that its sites need."""
        cell = self.ensemble.cell
        return cell.n_fields * (2 if self.white.any() else 1) + (cell.n_parameters if self._fed_parameters else 0)

    @property
    def _fed_parameters(self):
        return bool(self.ensemble.array("parameter_input_std").any())

    @property
    def is_fed(self) -> bool:
        """Whether more than messages, biases and white numbers of a map drives sites."""
        return bool(self.turns or self.white.any() or self._fed_parameters)

    @property
    def turns(self) -> int:
        """Periods of the sinusoidal input in a lap; 0 without one."""
        return turns_of(self.sinusoid, self.clock, self.length)

    def noise(self, chunk: int) -> tuple[np.ndarray, np.ndarray]:
        """((K, L/2 + 1, n) spectra of the fields' noise, (P, n) normal numbers of site parameters).

        Those of chunk 0 and of the last one are kept.
        Where a flow has white input as many rows for that follow those of the fields; those of site parameters come last.
        """
        cell, rows = self.ensemble.cell, self.noise_rows
        if (chunk, rows) in self._kept:
            return self._kept[chunk, rows]
        rng = np.random.default_rng([self.seed, chunk])
        apart = None
        if self.turns:
            waves = self.waves(chunk)
            apart = self.turns, waves.real if 2 * self.turns == self.length else waves
        noise = matched_noise(rng, rows, self.length, self.n_sites, apart)
        made = noise, rng.standard_normal((cell.n_parameters, self.n_sites))
        for other in [key for key in self._kept if key[0] and chunk]:
            del self._kept[other]
        self._kept[chunk, rows] = made
        return made

    def waves(self, chunk: int) -> np.ndarray:
        """(K, n) exp(i theta) of the sinusoidal input: phases even over the circle, in another order for each field."""
        rng = np.random.default_rng([_PHASES, self.seed, chunk])
        fields, n = self.ensemble.cell.n_fields, self.n_sites
        order = rng.permuted(np.tile(np.arange(n), (fields, 1)), axis=1)
        return np.exp(2j * np.pi * (order + rng.random((fields, 1))) / n)

    def laps(self, spectra: np.ndarray, chunk: int) -> Laps:
        """Sites under fields that messages of these spectra make.

        Parameters
        ----------
        spectra : (distinct messages, L/2 + 1) array
        chunk : int

        Raises
        ------
        ConvergenceError
            sites overflow
        """
        return self._run(*self._driven(spectra, chunk))

    def _driven(self, spectra, chunk):
        """(fields (K, L, n), white noise of a flow or None, site parameters (P, L, n)) of a chunk."""
        noise, normals = self.noise(chunk)
        drawn = self.drawn(spectra, noise)
        return drawn.fields + self.means(chunk), drawn.white, self.site_parameters(normals, drawn.inputs)

    def drawn(self, spectra: np.ndarray, noise: np.ndarray, fresh: float = 1.0, kept: float = 1.0) -> Drawn:
        """Gaussian fields that messages make, white noise of a flow, input of site parameters.

        Parameters
        ----------
        spectra : (distinct messages, L/2 + 1) array
        noise : (rows, L/2 + 1, n) array, as of :meth:`noise`
        fresh, kept : float >= 0, what the variances of white inputs and of biases are multiplied by
        """
        ensemble, L = self.ensemble, self.length
        square = self.field_spectra(spectra, fresh, kept)
        fields = np.fft.irfft(np.sqrt(square)[:, :, None] * noise[: len(square)], n=L, axis=1)
        white = inputs = None
        if self.white.any():
            white = np.fft.irfft(np.sqrt(fresh) * self.white[:, None, None] * noise[len(square) : 2 * len(square)], n=L, axis=1)
        if self._fed_parameters:
            std = ensemble.array("parameter_input_std")[:, None, None]
            inputs = np.fft.irfft(np.sqrt(fresh) * std * noise[-len(std) :], n=L, axis=1)
        return Drawn(fields, white, inputs)

    def field_spectra(self, spectra: np.ndarray, fresh: float = 1.0, kept: float = 1.0) -> np.ndarray:
        """(K, L/2 + 1) spectra of the fields about their means, white noise of a flow left out; arguments as of :meth:`drawn`."""
        square = self.law.gain2[:, None] * spectra[self.law.listens]
        if not self.clock.flow:
            square += fresh * (self.ensemble.array("input_std") ** 2)[:, None]
        square[:, 0] += kept * self.length * self.ensemble.array("bias_std") ** 2
        return square

    def means(self, chunk: int) -> np.ndarray:
        """(K, L, n) or (K, 1, 1) what fields are without messages and noise: biases, sinusoidal input."""
        bias = self.ensemble.array("bias")[:, None, None]
        if self.sinusoid is None:
            return bias
        turned = np.exp(2j * np.pi * self.turns * np.arange(self.length) / self.length)[:, None] * self.waves(chunk)[:, None, :]
        return bias + self.sinusoid.amplitudes(self.ensemble)[:, None, None] * turned.real

    def site_parameters(self, normals: np.ndarray, inputs: np.ndarray | None) -> np.ndarray:
        """(P, L, n) parameters of sites from normal numbers (P, n) and their inputs (P, L, n), if they have any."""
        still = self.ensemble.array("parameter")[:, None] + self.ensemble.array("parameter_std")[:, None] * normals
        if inputs is not None:
            return still[:, None] + inputs
        return np.broadcast_to(still[:, None], (len(still), self.length, still.shape[1]))

    def _run(self, fields, white, parameters, moves=None):
        cell, L, n = self.ensemble.cell, self.length, fields.shape[2]
        moves = cell.compiled if moves is None else moves
        state = np.zeros((cell.n_state, n))
        states = np.empty((cell.n_state, L, n))
        moved = self._steps(moves, fields, white, parameters, state.shape)
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is said below
            state = run_until_closed(moved, state, states)
        if not np.isfinite(state).all():
            raise ConvergenceError(
                "sites of the dynamic mean field overflow: they grow without bound, or steps of a flow are too long: "
                "a smaller step tells which"
            )
        sent = moves.messages(states, fields, parameters)
        messages = _filled(sent, (len(sent), L, n))
        return Laps(states, fields, messages, parameters, white)

    def _steps(self, moves, fields, white, parameters, shape):
        """(state, t) -> state a step later."""
        step, L = self.clock.step, self.length

        def rate(state, t, noise):
            y = fields[:, t % L] if white is None else fields[:, t % L] + white[:, noise]
            return _filled(moves.rate(state, y, parameters[:, t % L]), shape)

        if self.clock.flow:  # white noise is the same at both ends of a step, or the mean of two would make it weaker
            adams = AdamsSteps(step, shape, white is not None)
            return lambda state, t: adams(state, partial(rate, t=t, noise=t), partial(rate, t=t + 1, noise=t))
        if step != 1.0:
            return lambda state, t: state + step * rate(state, t, t)
        return lambda state, t: _filled(moves.update(state, fields[:, t], parameters[:, t]), shape)

    def image(self, spectra: np.ndarray, chunk: int) -> np.ndarray:
        """(distinct messages, L/2 + 1) spectra of the messages that sites send in a chunk."""
        return spectra_of(self.laps(spectra, chunk).messages)

    def paired_image(self, spectra: np.ndarray, chunk: int, pairings: int) -> np.ndarray:
        """The same of sites that are put together anew.

        Parameters
        ----------
        spectra : (distinct messages, L/2 + 1) array
        chunk : int
        pairings : int
            How often: a field of one site with the next field of another, which is as good as more sites.
        """
        return self.average_of_laps(self._driven(spectra, chunk), pairings)

    def average_of_laps(
        self, driven: tuple[np.ndarray, np.ndarray | None, np.ndarray], pairings: int, moves: SampledPaths | None = None
    ) -> np.ndarray:
        """(messages, L/2 + 1) average spectra over pairings of what drives the sites of a chunk.

        Parameters
        ----------
        driven : (fields (K, L, n), white noise of a flow or None, site parameters (P, L, n))
        pairings : int, as of :meth:`paired_image`
        moves : SampledPaths, optional, how sites move and what they send; default: the cell
        """
        at_once, spectra = max(1, _AT_ONCE // self.n_sites), []
        for first in range(0, pairings, at_once):
            turns = range(first, min(first + at_once, pairings))
            fields, white, parameters = (rows if rows is None else _paired(rows, turns) for rows in driven)
            spectra.append(len(turns) * spectra_of(self._run(fields, white, parameters, moves).messages))
        return np.sum(spectra, axis=0) / pairings

    def images(self, spectra: np.ndarray, n_chunks: int) -> np.ndarray:
        """(n, distinct messages, L/2 + 1) the same of each of the chunks 1 .. n."""
        return np.array([self.image(spectra, chunk) for chunk in range(1, n_chunks + 1)])


def _paired(rows, turns):
    """Rows of (K, L, n), each turned over the sites by its number times each of the turns, side by side."""
    if list(turns) == [0]:
        return rows
    paired = [np.concatenate([np.roll(row, k * turn, axis=1) for turn in turns], axis=1) for k, row in enumerate(rows)]
    return np.array(paired) if paired else np.empty((0, rows.shape[1], rows.shape[2] * len(turns)))


def _filled(rows, shape):
    """Rows, some of which are numbers, as one array: many times faster than numpy's broadcasting of short rows."""
    out = np.empty(shape)
    for row, values in zip(out, rows):
        row[...] = values
    return out


def spectra_of(messages: np.ndarray) -> np.ndarray:
    """(distinct messages, L/2 + 1) E |m(w)|^2 / L of messages (distinct messages, L, n)."""
    out = []
    for rows in messages:
        transformed = np.fft.rfft(rows, axis=0)
        out.append((transformed.real**2 + transformed.imag**2).mean(axis=1) / messages.shape[1])
    return np.array(out)
