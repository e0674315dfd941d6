"""The initialisation that remembers for T steps: slow gates at the onset of activity, from a cell's zero state alone [T6, T9].

At rest the slow direction r of a unit, F_s r = ell r, changes by w U with w = a |M_s r| |l F_y| / |l r|: through T steps of the
same weights gradients grow by the mean of |ell + w exp(i theta)|^(2 T) over a circle. They neither explode nor vanish
exponentially where ell + w = 1, the onset of activity; with 1 - ell = kappa / T a fraction exp(-2 kappa) I_0(2 kappa) of their
mean square is left.
"""

from __future__ import annotations

import numpy as np

from ..ensemble.ensemble import Ensemble
from ..errors import CapabilityError
from ..mean_field.fixed_points import zero_state
from ..spectrum.spectrum import Spectrum
from .resting_unit import RestingUnit

__all__ = ["remembering"]


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
    CapabilityError
        no zero state, no single candidate, no single gate that sets a leak of up to one
    ValueError
        the leak's bias or the candidate's gain among the ``given``
    """
    rest = RestingUnit(ensemble, "memory")
    gain = f"gain.{rest.candidate}"
    for path in (f"bias.{rest.leak}", gain):
        if path in given:
            raise ValueError(f"given holds {path!r}, which memory solves for")
    wanted = kappa / (n_steps + kappa)
    solution = {f"bias.{rest.leak}": rest.bias_at(rest.leak, lambda leak, write: 1.0 - leak, wanted)}
    gates = [name for name in rest.write_gates if f"bias.{name}" not in given]
    ensemble = ensemble.replace(solution)
    slow = RestingUnit(ensemble, "memory")
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
