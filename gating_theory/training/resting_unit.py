"""A unit at rest: which gate sets its leak, which gates let the candidate in, and how far, by their biases [T6, T9]."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ..ensemble.ensemble import Ensemble
from ..errors import CapabilityError, ConvergenceError
from ..mean_field.fixed_points import zero_state
from ..support.roots import bracketed_root
from .unknowns import candidate_of

__all__ = ["RestingUnit"]

#: Biases that are tried, and by how much fields are moved to see what depends on them.
_LARGEST, _SPACING, _MOVE = 60.0, 0.25, 0.5
#: What changes by less does not depend on it.
_ROUNDING = 1e-12


class RestingUnit:
    """The site derivatives of a unit at rest, as functions of the biases of its gates.

    Parameters
    ----------
    ensemble : Ensemble, with a zero state
    asker : str, who asks, for error messages

    Attributes
    ----------
    candidate : str, the one field that moves a unit at rest
    leak : str, the one gate that sets the leak, the largest eigenvalue of F_s
    write_gates : list of str, other gates that scale what the candidate writes along the left eigenvector of that
    output_gates : list of str, other gates that scale what is seen of it: they move F_s and not the leak

    Raises
    ------
    CapabilityError
        no zero state, no single candidate, no single gate that sets a leak
    """

    def __init__(self, ensemble: Ensemble, asker: str) -> None:
        self.ensemble, self.cell = ensemble, ensemble.cell
        if zero_state(ensemble) is None:
            raise CapabilityError(f"{asker} is about the zero state, which {ensemble!r} does not have: its messages do not vanish")
        candidate = candidate_of(self.cell)
        if candidate is None:
            raise CapabilityError(f"{asker} needs one field that moves a unit at rest; cell {self.cell.name!r} has several or none")
        self.candidate = candidate
        fields = [name for name in self.cell.field_names if name != candidate]
        leaks = [name for name in fields if self._moves(name, lambda biases: self.at(biases)[0])]
        if len(leaks) != 1:
            found = f"{', '.join(leaks)} do" if leaks else "none does"
            raise CapabilityError(
                f"{asker} needs one gate that sets the leak at rest; of cell {self.cell.name!r} {found}: name targets instead, "
                "design(cell, {'gradient': {T: value}}, free=..)"
            )
        self.leak = leaks[0]
        gates = [name for name in fields if name != self.leak]
        self.write_gates = [name for name in gates if self._moves(name, lambda biases: self.at(biases)[1])]
        self.output_gates = [name for name in gates if self._moves(name, lambda biases: np.abs(self._slopes(biases)[0]).sum())]

    @property
    def slow_sign(self) -> float:
        """1 where a larger bias of the leak's gate makes the unit slower, -1 where it makes it faster (an MGU)."""
        bias = self.ensemble.bias[self.leak]
        lower, upper = (self.at({self.leak: bias + step})[0] for step in (-_MOVE, _MOVE))
        return 1.0 if upper > lower else -1.0

    def _slopes(self, biases):
        """F_s, and the column of F_y of the candidate's field."""
        cell = self.cell
        fields = [np.array([biases.get(name, self.ensemble.bias[name])]) for name in cell.field_names]
        parameters = [np.array([self.ensemble.parameter[name]]) for name in cell.parameter_names]
        blocks = cell.compiled.blocks([np.zeros(1)] * cell.n_state, fields, parameters)
        F_s, F_y = np.zeros((cell.n_state, cell.n_state)), np.zeros(cell.n_state)
        for (i, j), value in blocks["F_s"].items():
            F_s[i, j] = np.ravel(value)[0]
        for (i, k), value in blocks["F_y"].items():
            if cell.field_names[k] == self.candidate:
                F_y[i] = np.ravel(value)[0]
        return F_s, F_y

    def at(self, biases: Mapping[str, float]) -> tuple[float, float]:
        """(leak, write): the largest eigenvalue of F_s, and how the candidate's field moves its left eigenvector.

        Parameters
        ----------
        biases : mapping from fields to biases other than the ensemble's
        """
        F_s, F_y = self._slopes(biases)
        values, vectors = np.linalg.eig(F_s.T)
        slowest = int(np.argmax(np.abs(values)))
        left = vectors[:, slowest].real
        return float(values[slowest].real), float(abs(left @ F_y) / np.abs(left).max())

    def _moves(self, field, what):
        """Whether something depends on the bias of a field."""
        bias = self.ensemble.bias[field]
        values = [what({field: bias + step}) for step in (-_MOVE, 0.0, _MOVE)]
        return max(values) - min(values) > _ROUNDING

    def bias_at(self, field: str, what: Callable[[float, float], float], wanted: float) -> float:
        """The bias of a field at which something positive has the wanted value.

        Parameters
        ----------
        field : str
        what : callable(leak, write)
        wanted : float > 0

        Raises
        ------
        ConvergenceError
            no bias within +- 60
        """

        def off(biases):
            values = np.array([what(*self.at({field: float(b)})) for b in np.atleast_1d(biases)])
            return np.log(np.maximum(values, 1e-300)) - np.log(wanted)

        grid = np.arange(-_LARGEST, _LARGEST + _SPACING, _SPACING)
        signs = np.sign(off(grid))
        (changes,) = np.nonzero(signs[:-1] * signs[1:] <= 0.0)
        if changes.size == 0:
            raise ConvergenceError(f"no bias of field {field!r} of cell {self.cell.name!r} gives a leak of {1.0 - wanted:.6g}")
        nearest = changes[np.argmin(np.abs(grid[changes]))]
        ends = grid[nearest], grid[nearest + 1]
        above, below = ends if signs[nearest] > 0.0 else ends[::-1]
        return float(bracketed_root(off, np.array([above]), np.array([below]))[0])
