"""What several copies of one network are fed with: the covariance of their inputs at all times [T8b]."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...ensemble.ensemble import Ensemble
from ...ensemble.hyperparameters import LARGEST
from ...support.checks import instance, integer, meant, real, real_array, shown, unequal_shapes

__all__ = ["Drives"]

#: Entries of given sequences are this at most: their squares must not overflow.
_LARGEST_ENTRY = 1e50


@dataclass(frozen=True)
class Drives:
    """Inputs of R copies of one network in T steps, Gaussian over sites and independent between fields and site parameters [T8b].

    They are made of independent normal numbers g of each site and variable: the input to variable k of copy a at step t is
    ``std[k] * sum_j rows[a, t, j] g_j``. Biases are not among them: they belong to the ensemble and are the same for all copies.

    Attributes
    ----------
    rows : (R, T, D) array
    std : (V,) array, V = K + P: of the fields, then of the site parameters
    fresh : bool, whether the numbers g are drawn anew at every step; otherwise they stay
    """

    rows: np.ndarray
    std: np.ndarray
    fresh: bool

    @classmethod
    def white_pair(cls, ensemble: Ensemble, n_steps: int, rho_in: float) -> Drives:
        """Two copies under the ensemble's white input, which has the correlation ``rho_in`` between them.

        Parameters
        ----------
        ensemble : Ensemble, whose ``input_std`` and ``parameter_input_std`` say how strong it is
        n_steps : int >= 1, T
        rho_in : float from -1 to 1
        """
        T = integer("n_steps", n_steps, low=1)
        std = np.concatenate([ensemble.array("input_std"), ensemble.array("parameter_input_std")])
        return cls(_two_rows(T, rho_in), std, True)

    @classmethod
    def given_sequences(cls, ensemble: Ensemble, x: npt.ArrayLike, input_gain: float | Mapping[str, float]) -> Drives:
        """A copy for each of R given sequences, read by input weights iid normal with variance input_gain_k^2 / d.

        Parameters
        ----------
        ensemble : Ensemble, without white input
        x : (R, T, d) array
        input_gain : float >= 0, of every field, or a mapping from names of fields and site parameters (0 for those left out)

        Raises
        ------
        TypeError, ValueError
            no such array, unknown fields, negative gains, white input
        """
        if instance("ensemble", ensemble, Ensemble).has_white_input:
            white = {**ensemble.input_std, **ensemble.parameter_input_std}
            raise ValueError(f"input_std and parameter_input_std must be 0 where sequences are given, got {white}")
        if unequal_shapes(x):
            raise ValueError("x must hold sequences of one length, got several shapes: put zeros in front of the shorter")
        sequences = real_array("x", x, largest=_LARGEST_ENTRY)
        if sequences.ndim != 3 or 0 in sequences.shape:
            raise ValueError(f"x must have shape (sequences, steps, dimensions), none of them 0, got {sequences.shape}")
        rows = sequences / np.sqrt(sequences.shape[2])
        return cls(rows, _by_variable("input_gain", input_gain, ensemble), False)

    @property
    def n_copies(self) -> int:
        """R, the number of copies."""
        return int(self.rows.shape[0])

    @property
    def n_steps(self) -> int:
        """T, the number of steps."""
        return int(self.rows.shape[1])

    @property
    def n_variables(self) -> int:
        """V, the number of fields and site parameters of the cell."""
        return int(self.std.size)

    def row(self, k: int, t: int) -> np.ndarray:
        """(R, t + 1, R) covariance [a, t', b] of the inputs to variable k of copy a at step t and of copy b at t' <= t.

        Parameters
        ----------
        k : int
        t : int, below ``n_steps``
        """
        R = self.n_copies
        out = np.zeros((R, t + 1, R))
        variance = self.std[k] ** 2
        if variance and self.fresh:
            out[:, t] = variance * (self.rows[:, t] @ self.rows[:, t].T)
        elif variance:
            past = self.rows[:, : t + 1].transpose(1, 0, 2).reshape((t + 1) * R, -1)
            out = variance * (self.rows[:, t] @ past.T).reshape(R, t + 1, R)
        return out

    def inputs(self, n_sites: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
        """Inputs of a population of sites, step after step: (V, R, n) arrays, fields first.

        Parameters
        ----------
        n_sites : int, n
        rng : numpy Generator, who is asked at every step where an input is drawn anew
        """
        live = np.flatnonzero(self.std)
        kept = None if self.fresh else self._numbers(live, n_sites, rng)
        for t in range(self.n_steps):
            out = np.zeros((self.n_variables, self.n_copies, n_sites))
            if live.size:
                out[live] = self.rows[:, t] @ (self._numbers(live, n_sites, rng) if kept is None else kept)
            yield out

    def _numbers(self, live, n_sites, rng):
        return self.std[live, None, None] * rng.standard_normal((live.size, self.rows.shape[2], n_sites))


def _two_rows(T, rho_in):
    """(2, T, 2): of two numbers with the correlation rho_in."""
    rho = real("rho_in", rho_in, low=-1.0, high=1.0)
    rows = np.array([[1.0, 0.0], [rho, np.sqrt((1.0 - rho) * (1.0 + rho))]])
    return np.broadcast_to(rows[:, None, :], (2, T, 2))  # takes no memory


def _by_variable(name: str, value: Any, ensemble: Ensemble) -> np.ndarray:
    """(V,) numbers from one, of all fields, or from a mapping by names of fields and site parameters."""
    cell = instance("ensemble", ensemble, Ensemble).cell
    if not isinstance(value, Mapping):
        value = dict.fromkeys(cell.field_names, real(name, value, low=0.0, high=LARGEST))
    names = (*cell.field_names, *cell.parameter_names)
    unknown = [key for key in value if key not in names]
    if unknown:
        raise ValueError(f"{name} has the unknown name {shown(unknown[0])}{meant(unknown[0], names)}; allowed are {list(names)}")
    return np.array([real(f"{name}[{f!r}]", value.get(f, 0.0), low=0.0, high=LARGEST) for f in names])
