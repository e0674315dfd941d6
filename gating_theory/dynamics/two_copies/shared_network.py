"""One random network that many copies of its state share, each under inputs of its own [T8b].

All copies send their messages through the same matrices. Where copies and steps are few against the units, these act without
being formed (``ensemble/implicit.py``): n D^2 operations for D messages. Where they are many, their directions would soon span
everything, and matrices are formed: n^2 D operations, by the fastest routine there is. Both are exact in law for a network of n
units; its moments differ from those of infinitely many by a part of order 1/n in the mean, and n^{-1/2} in a single network.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ...ensemble.ensemble import Ensemble
from ...ensemble.matrix_laws import by_law
from ...ensemble.message_matrices import implicit_bytes, one_law_a_message, through_matrices
from ...errors import ConvergenceError
from .drives import Drives

__all__ = ["Moment", "SharedNetwork", "bytes_needed"]

#: Matrices are formed where so many messages go through them as there are units, times this share [NUMERICS].
_SHARE = 0.25
#: Numbers of one array that site functions take at a time: those of a step then stay in the cache of a core.
_AT_ONCE = 100_000
#: Arrays of a block that evaluating site functions takes besides those counted.
_TEMPORARIES = 12


class Moment(NamedTuple):
    """What copies are at one time: state (d, R, n), and their distinct messages, each (R, n); none at the last time."""

    state: np.ndarray
    messages: list[np.ndarray] | None


class SharedNetwork:
    """A network of n units with its biases, site parameters and matrices.

    Parameters
    ----------
    ensemble : Ensemble
    drives : Drives
        Inputs of the R copies, whose weights belong to the network.
    n_units : int, n
    rng : numpy Generator
    tied : bool
        Whether every step goes through the same matrices; otherwise they are drawn anew at each, the same for all copies.
    """

    def __init__(self, ensemble: Ensemble, drives: Drives, n_units: int, rng: np.random.Generator, tied: bool = True) -> None:
        self.cell, self.drives, self.n, self.tied, self._rng = ensemble.cell, drives, n_units, tied, rng
        self._biases = _over_sites(ensemble, "bias", rng, n_units)
        self._parameters = _over_sites(ensemble, "parameter", rng, n_units)
        heard = drives.n_copies * (drives.n_steps if tied else 1)
        self._matrices = (_Formed if _formed(ensemble, n_units, heard) else _Implicit)(ensemble, n_units, heard)

    def run(self, covariance: np.ndarray) -> Iterator[Moment]:
        """Moments at times 0 .. T. The arrays are written to again at the next.

        Parameters
        ----------
        covariance : (R, R) array
            Of the copies' states at time 0, Gaussian and independent over sites and state variables.

        Raises
        ------
        ConvergenceError
            the state is no longer finite
        """
        cell, R, n, rng = self.cell, self.drives.n_copies, self.n, self._rng
        root = _root(covariance)
        state = np.array([root @ rng.standard_normal((R, n)) if root.any() else np.zeros((R, n)) for _ in range(cell.n_state)])
        for t, inputs in enumerate(self.drives.inputs(n, rng)):
            fields, parameters = inputs[: cell.n_fields], inputs[cell.n_fields :]
            fields += self._biases[:, None, :]
            parameters += self._parameters[:, None, :]
            if t == 0 or not self.tied:
                self._matrices.draw(rng)
            messages = self._fields(state, fields, parameters)
            yield Moment(state, messages)
            if not self._update(state, fields, parameters):
                raise ConvergenceError(f"the state is not finite after step {t + 1}: the cell {cell.name!r} is not bounded")
        yield Moment(state, None)

    def _fields(self, state, fields, parameters):
        """Complete the fields, which hold inputs and biases; the distinct messages."""
        with np.errstate(over="ignore", invalid="ignore"):  # the state is looked at after each step
            return self._through_matrices(state, fields, parameters)

    def _through_matrices(self, state, fields, parameters):
        messages = [np.empty(state.shape[1:]) for _ in range(self.cell.n_messages)]
        for nu in dict.fromkeys(self.cell.message_of):
            listeners = [k for k in range(self.cell.n_fields) if self.cell.message_of[k] == nu]
            for rows in self._blocks():
                known = state[:, rows], fields[:, rows], parameters[:, rows]
                messages[nu][rows] = self.cell.compiled.message(listeners[0], *known)
            self._matrices.add(messages[nu], listeners, fields)
        return messages

    def _update(self, state, fields, parameters):
        """Step, in place; whether the state is still finite."""
        with np.errstate(over="ignore", invalid="ignore"):
            for rows in self._blocks():
                new = self.cell.compiled.update(state[:, rows], fields[:, rows], parameters[:, rows])
                for s, value in zip(state[:, rows], [np.array(v) for v in new]):
                    s[...] = value
            return bool(np.isfinite(state.sum()))

    def _blocks(self):
        size = max(1, _AT_ONCE // self.n)
        return [slice(first, first + size) for first in range(0, self.drives.n_copies, size)]


class _Formed:
    """Matrices as arrays."""

    def __init__(self, ensemble: Ensemble, n: int, heard: int) -> None:
        self.n, self.gain, self.drawn = n, ensemble.array("gain"), _drawn(ensemble)

    def draw(self, rng: np.random.Generator) -> None:
        """New matrices."""
        self.transposed = {}
        for law, fields in self.drawn.items():
            for k, matrix in zip(fields, law.matrices(self.n, rng, len(fields))):
                if self.gain[k]:
                    matrix *= self.gain[k] / np.sqrt(self.n)
                    self.transposed[k] = matrix.T

    def add(self, message: np.ndarray, listeners: Sequence[int], fields: np.ndarray) -> None:
        """Add the images of a message (R, n) to the fields (K, R, n) that listen to it."""
        for k in listeners:
            if k in self.transposed:
                fields[k] += message @ self.transposed[k]

    @staticmethod
    def bytes_needed(ensemble: Ensemble, n: int, heard: int) -> int:
        """Of its arrays."""
        return 8 * n**2 * sum(len(fields) for fields in _drawn(ensemble).values())


class _Implicit:
    """Matrices that act without being formed."""

    def __init__(self, ensemble: Ensemble, n: int, heard: int) -> None:
        self.ensemble, self.n, self.room = ensemble, n, min(heard, n)

    def draw(self, rng: np.random.Generator) -> None:
        """New matrices."""
        self.acting = through_matrices(self.ensemble, self.n, self.room, rng, np.float64)

    def add(self, message: np.ndarray, listeners: Sequence[int], fields: np.ndarray) -> None:
        """As of _Formed."""
        matrices, driven = self.acting[self.ensemble.cell.message_of[listeners[0]]]
        if driven:
            for copy, row in enumerate(message):
                fields[driven, copy] += matrices.apply(row)[0]

    @staticmethod
    def bytes_needed(ensemble: Ensemble, n: int, heard: int) -> int:
        """Of its arrays."""
        return implicit_bytes(ensemble, n, min(heard, n), np.float64)


def bytes_needed(ensemble: Ensemble, drives: Drives, n_units: int, tied: bool) -> float:
    """Bytes that a SharedNetwork takes while it runs.

    Parameters
    ----------
    ensemble : Ensemble
    drives : Drives
    n_units : int
    tied : bool
    """
    cell, R = ensemble.cell, drives.n_copies
    heard = R * (drives.n_steps if tied else 1)
    matrices = _Formed if _formed(ensemble, n_units, heard) else _Implicit
    rows = R * (cell.n_state + 2 * cell.n_fields + cell.n_parameters + cell.n_messages + 1) + _TEMPORARIES * min(
        R, 1 + _AT_ONCE // n_units
    )
    return matrices.bytes_needed(ensemble, n_units, heard) + 8.0 * n_units * rows


def _drawn(ensemble):
    """The fields whose matrices are drawn, by their law: live ones, and all of a law that draws those of a network together."""
    gain = ensemble.array("gain")
    laws = by_law(ensemble.matrices.values()).items()
    return {law: ks if law.together else [k for k in ks if gain[k]] for law, ks in laws if gain[ks].any()}


def _formed(ensemble, n, heard):
    """Whether matrices are to be formed, for so many messages between two draws."""
    laws = [law for law, gain in zip(ensemble.matrices.values(), ensemble.gain.values()) if gain]
    return heard > _SHARE * n or any("implicit" not in law.holds for law in laws) or not one_law_a_message(ensemble)


def _over_sites(ensemble, kind, rng, n):
    """(rows, n) values of biases or site parameters."""
    mean, std = ensemble.array(kind)[:, None], ensemble.array(f"{kind}_std")[:, None]
    if not std.any():
        return np.broadcast_to(mean, (mean.size, n))
    return mean + std * rng.standard_normal((mean.size, n))


def _root(covariance):
    """A square root of a covariance matrix."""
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0.0))
