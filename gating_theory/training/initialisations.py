"""Initialisations that people use, for any gated cell: chrono, open gates with tiny weights, orthogonal matrices [T6, T9]."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..cell.cell import Cell
from ..ensemble.ensemble import Ensemble
from ..ensemble.hyperparameters import LARGEST
from ..interop.initialise import Initialisation
from ..support.checks import boolean, instance, real
from .resting_unit import RestingUnit

__all__ = ["chrono", "gilboa", "orthogonal"]

#: The gain of PyTorch's own weights, uniform within 1 / sqrt N.
_UNIFORM = 3.0**-0.5
_CHRONO = "Tallec and Ollivier 2018, Can recurrent neural networks warp time?"
_GILBOA = "Gilboa et al. 2019, Dynamical isometry and a mean field theory of LSTMs and GRUs"
_ORTHOGONAL = "Saxe, McClelland and Ganguli 2014; docs.pytorch.org/docs/stable/nn.init.html: orthogonal_; biases set to zero"


def chrono(cell: Cell, longest: float, gain: float | None = None) -> Initialisation:
    """Biases that give the units of a gated network timescales up to ``longest`` steps (Tallec and Ollivier 2018) [T6].

    b = log u with u uniform in (1, longest - 1), one u a unit, for the gate that sets the leak: an LSTM's forget gate, with -b at
    its input gate; a GRU's update gate z (which keeps the state at 1, as PyTorch has it). All other biases are zero. The weights
    are PyTorch's own; write the biases alone with ``init_(module, gt.chrono(..), what="biases")``.

    Parameters
    ----------
    cell : Cell, with a single gate that sets its leak
    longest : float from 2 to 1e12, steps
    gain : float >= 0, optional
        Of all matrices, iid normal. Default: PyTorch's, entries uniform within 1 / sqrt N.

    Returns
    -------
    Initialisation

    Raises
    ------
    TypeError, ValueError
        no cell, arguments out of range
    CapabilityError
        no zero state, no single gate that sets the leak

    See Also
    --------
    gating_theory.gilboa : Gates that are open for long.
    gating_theory.design : Biases and gains for a memory of T steps.
    gating_theory.compare_initialisations : Theory of several, side by side.

    Examples
    --------
    >>> import gating_theory as gt
    >>> gt.chrono(gt.LSTM, 100).chrono
    {'f': 1.0, 'i': -1.0}
    """
    longest = real("longest", longest, low=2.0, high=1e12, open_low=True)
    instance("cell", cell, Cell, "such as gt.LSTM")
    if gain is None:
        ensemble = Ensemble(cell, _UNIFORM, matrices="uniform")
    else:
        ensemble = Ensemble(cell, real("gain", gain, low=0.0, high=LARGEST))
    unit = RestingUnit(ensemble, "chrono")
    sign = unit.slow_sign
    factors = {unit.leak: sign}
    slow = RestingUnit(ensemble.replace({f"bias.{unit.leak}": sign * np.log(longest)}), "chrono")
    leak, write = slow.at({})
    if len(slow.write_gates) == 1 and write > 1.0 - leak:  # an LSTM's input gate; what a GRU writes shuts with its leak
        factors[slow.write_gates[0]] = -1.0
    return Initialisation(f"chrono, {longest:g} steps", ensemble, _CHRONO, factors, longest)


def gilboa(cell: Cell, bias: float = 5.0, gain: float = 1e-5) -> Initialisation:
    """Gates that are open for long and weights next to nothing, as in Gilboa et al. (2019): near an isometry, nothing recurs [T9].

    The gate that sets the leak has the bias, and so has the gate through which it is seen, an LSTM's output gate. Cited from
    memory: b_f = b_o = 5 and gains of 1e-5. An LSTM's input gate stays half open, so that it stands small learning rates alone.

    Parameters
    ----------
    cell : Cell, with a single gate that sets its leak
    bias : float >= 0, towards slower units and open outputs
    gain : float >= 0, of all matrices, iid normal

    Returns
    -------
    Initialisation

    Raises
    ------
    TypeError, ValueError
        no cell, arguments out of range
    CapabilityError
        no zero state, no single gate that sets the leak

    See Also
    --------
    gating_theory.chrono : Biases that spread timescales.
    gating_theory.design : The same idea with gains at the onset.
    gating_theory.compare_initialisations : Theory of several, side by side.

    Examples
    --------
    >>> import gating_theory as gt
    >>> gt.gilboa(gt.LSTM).ensemble.bias["f"]
    5.0
    """
    bias, gain = real("bias", bias, low=0.0, high=LARGEST), real("gain", gain, low=0.0, high=LARGEST)
    unit = RestingUnit(Ensemble(instance("cell", cell, Cell, "such as gt.LSTM"), gain), "gilboa")
    biases = {unit.leak: unit.slow_sign * bias} | dict.fromkeys(unit.output_gates, bias)
    return Initialisation(f"Gilboa-like, biases {bias:g}", Ensemble(cell, gain, biases), _GILBOA)


def orthogonal(cell: Cell, gain: float = 1.0, *, stacked: bool = False, bias: Mapping[str, float] | None = None) -> Initialisation:
    """Orthogonal recurrent matrices: one for each gate, or one isometry for all, as ``orthogonal_`` of a whole weight_hh [T10].

    A Haar matrix has all its eigenvalues on a circle and singular values ``gain``; the iid matrix of the same gain fills the disc.
    Its radius does not fluctuate, so that the onset can be had with fast gates in small networks too.

    Parameters
    ----------
    cell : Cell
    gain : float from 0 to 1e6
    stacked : bool
        One isometry (G H, H) for the G gates of a layer, as Keras draws it: each gate has then the gain ``gain`` / sqrt G.
    bias : mapping from fields to biases, optional: {"f": 1} for an LSTM

    Returns
    -------
    Initialisation

    Raises
    ------
    TypeError, ValueError
        no cell, unknown fields, a gain out of range

    See Also
    --------
    gating_theory.Haar : The law of its matrices.
    gating_theory.HaarStack : The law with ``stacked``.
    gating_theory.compare_initialisations : Theory of several, side by side.

    Examples
    --------
    >>> import gating_theory as gt
    >>> start = gt.orthogonal(gt.GRUResetAfter)
    >>> start.ensemble.matrices["h"]
    Haar()
    """
    gain, stacked = real("gain", gain, low=0.0, high=LARGEST), boolean("stacked", stacked)
    gates = instance("cell", cell, Cell, "such as gt.LSTM").n_fields
    of_each, law = (gain / np.sqrt(gates), "stack") if stacked else (gain, "orthogonal")
    name = "orthogonal, all gates at once" if stacked else "orthogonal, each gate"
    ensemble = Ensemble(cell, of_each, bias, matrices=law)
    words = ", ".join(f"b_{field} = {value:g}" for field, value in ensemble.bias.items() if value)
    return Initialisation(f"{name}, {words}" if words else name, ensemble, _ORTHOGONAL)
