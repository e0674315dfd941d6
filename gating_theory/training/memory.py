"""The initialisation that remembers for T steps: slow gates at the onset of activity, from a cell's zero state alone [T6, T9].

At rest the slow direction r of a unit, F_s r = ell r, changes by w U with w = a |M_s r| |l F_y| / |l r|: through T steps of the
same weights gradients grow by the mean of |ell + w exp(i theta)|^(2 T) over a circle. They neither explode nor vanish
exponentially where ell + w = 1, the onset of activity; with 1 - ell = kappa / T a fraction exp(-2 kappa) I_0(2 kappa) of their
mean square is left.
"""

from __future__ import annotations

import numpy as np

from ..ensemble.ensemble import Ensemble
from ..errors import CapabilityError, ConvergenceError
from ..mean_field.fixed_points import zero_state
from ..spectrum.spectrum import Spectrum
from ..support.roots import bracketed_root
from .unknowns import candidate_of

__all__ = ["remembering"]

#: Biases that are tried, and by how much fields are moved to see what depends on them.
_LARGEST, _SPACING, _MOVE = 60.0, 0.25, 0.5
#: What changes by less does not depend on it.
_ROUNDING = 1e-12


def remembering(ensemble: Ensemble, n_steps: float, kappa: float, given: frozenset[str]) -> dict[str, float]:
    """{path: value} of the biases and the gain at which an ensemble at rest remembers for ``n_steps`` steps.

    The bias of the one gate that sets the leak: 1 - leak = kappa / (n_steps + kappa), below kappa / n_steps; sigma(b) at
    b = log(n_steps / kappa). Where another gate lets the candidate into the slow direction, an LSTM's input gate, it is shut as
    far: what is written is then 1 - leak as in a GRU, and the candidate's gain of order one. Last that gain, at the onset.

    Parameters
    ----------
    ensemble : Ensemble, with a zero state
    n_steps : float > 0
    kappa : float > 0
    given : names of hyperparameters that are held, of which the gate of what is written may be one

    Raises
    ------
    CapabilityError : no zero state, no single candidate, no single gate that sets a leak of up to one
    ValueError : the leak's bias or the candidate's gain among the ``given``
    """
    rest = _Rest(ensemble)
    gain = f"gain.{rest.candidate}"
    for path in (f"bias.{rest.leak}", gain):
        if path in given:
            raise ValueError(f"given holds {path!r}, which memory solves for")
    wanted = kappa / (n_steps + kappa)
    solution = {f"bias.{rest.leak}": rest.bias_at(rest.leak, lambda leak, write: 1.0 - leak, wanted)}
    gates = [name for name in rest.write_gates if f"bias.{name}" not in given]
    ensemble = ensemble.replace(solution)
    slow = _Rest(ensemble)
    if len(gates) == 1 and slow.at({})[1] > wanted:  # the reset gate of a GRU stands beside a write gate that shuts with the leak
        shut = slow.bias_at(gates[0], lambda leak, write: write, wanted)
        solution[f"bias.{gates[0]}"] = shut
        ensemble = ensemble.replace({f"bias.{gates[0]}": shut})
    solution[gain] = _onset(ensemble, gain)
    return solution


def _onset(ensemble, gain):
    """The candidate's gain at which the spectrum of the zero state reaches one: no other field counts there, T(1) is its square."""
    slope = Spectrum(zero_state(ensemble.replace({gain: 1.0}))).edge_function(1.0)
    if not 0.0 < slope < np.inf:
        raise CapabilityError(f"{ensemble!r} at rest has no onset along {gain!r}: T(1) = {slope:g} at a gain of one")
    return float(slope**-0.5)


class _Rest:
    """The site derivatives of a unit at rest, as functions of the biases of its gates."""

    def __init__(self, ensemble):
        self.ensemble, self.cell = ensemble, ensemble.cell
        if zero_state(ensemble) is None:
            raise CapabilityError(f"memory is about the zero state, which {ensemble!r} does not have: its messages do not vanish")
        candidate = candidate_of(self.cell)
        if candidate is None:
            raise CapabilityError(f"memory needs one field that moves a unit at rest; cell {self.cell.name!r} has several or none")
        self.candidate = candidate
        fields = [name for name in self.cell.field_names if name != candidate]
        leaks = [name for name in fields if self._moves(name, lambda leak, write: leak)]
        if len(leaks) != 1:
            found = f"{', '.join(leaks)} do" if leaks else "none does"
            raise CapabilityError(
                f"memory needs one gate that sets the leak at rest; of cell {self.cell.name!r} {found}: name targets instead, "
                "design(cell, {'gradient': {T: value}}, free=..)"
            )
        self.leak = leaks[0]
        self.write_gates = [n for n in fields if n != self.leak and self._moves(n, lambda leak, write: write)]

    def at(self, biases):
        """(leak, write): the largest eigenvalue of F_s, and how the candidate's field moves its left eigenvector."""
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
        values, vectors = np.linalg.eig(F_s.T)
        slowest = int(np.argmax(np.abs(values)))
        left = vectors[:, slowest].real
        return float(values[slowest].real), float(abs(left @ F_y) / np.abs(left).max())

    def _moves(self, field, what):
        """Whether something depends on the bias of a field."""
        bias = self.ensemble.bias[field]
        values = [what(*self.at({field: bias + step})) for step in (-_MOVE, 0.0, _MOVE)]
        return max(values) - min(values) > _ROUNDING

    def bias_at(self, field, what, wanted):
        """The bias of a field at which something positive has the wanted value."""

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
