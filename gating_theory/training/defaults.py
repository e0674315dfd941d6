"""What the initialisations of common libraries do: distance to the transition, timescales, gradients [T9, T10]."""

from __future__ import annotations

from ..cell.builtin import GRU, LSTM, GRUResetAfter, Vanilla
from ..ensemble.ensemble import Ensemble
from ..interop.initialise import Initialisation
from .comparison import InitialisationTable, compare_initialisations

__all__ = ["defaults"]

#: Entries uniform between -1 / sqrt N and 1 / sqrt N have the variance 1 / 3 N.
_UNIFORM = 3.0**-0.5
_KERAS = "keras.io/api/layers/recurrent_layers: recurrent_initializer orthogonal, of all gates at once"
_TORCH = "docs.pytorch.org/docs/stable/nn.html: uniform within 1 / sqrt(hidden_size); biases too, which vanish as N grows"
_ORTHOGONAL = "docs.pytorch.org/docs/stable/nn.init.html: orthogonal_, gain 1; biases set to zero"
_FLAX = "flax.readthedocs.io, flax.linen: recurrent_kernel_init orthogonal, of each gate; biases zero"


def defaults(n_steps: int = 100) -> InitialisationTable:
    """What recurrent layers of Keras, PyTorch and Flax are as they are initialised, by theory [T9, T10].

    At rest and without input, in the limit of many units: spectrum, slowest timescale, by what recurrent weights are to be
    multiplied to reach the transition to instability, how gradients fare through T steps, and what they ask of Adam.

    Parameters
    ----------
    n_steps : int from 1 to 10000, T

    Returns
    -------
    InitialisationTable, whose rows ``init_`` writes

    Raises
    ------
    TypeError, ValueError
        n_steps out of range

    See Also
    --------
    gating_theory.compare_initialisations : The same for initialisations of your own.

    Examples
    --------
    >>> import gating_theory as gt
    >>> table = gt.defaults()
    >>> print(round(table["keras LSTM"].tau, 3))
    6.434
    """
    return compare_initialisations(_initialisations(), n_steps)


def _initialisations():
    """All of them. A stack of K gates of gain 1 has the gains 1 / sqrt K."""
    forget = {"f": 1.0}
    rows = [
        ("keras GRU", Ensemble(GRUResetAfter, 3.0**-0.5, matrices="stack"), _KERAS),
        ("keras GRU, reset_after=False", Ensemble(GRU, 3.0**-0.5, matrices="stack"), _KERAS),
        ("keras LSTM", Ensemble(LSTM, 0.5, forget, matrices="stack"), f"{_KERAS}; unit_forget_bias: b_f = 1"),
        ("keras SimpleRNN", Ensemble(Vanilla, 1.0, matrices="stack"), _KERAS),
        ("torch GRU", Ensemble(GRUResetAfter, _UNIFORM, matrices="uniform"), _TORCH),
        ("torch LSTM", Ensemble(LSTM, _UNIFORM, matrices="uniform"), _TORCH),
        ("torch RNN", Ensemble(Vanilla, _UNIFORM, matrices="uniform"), _TORCH),
        ("torch GRU, orthogonal_ on weight_hh", Ensemble(GRUResetAfter, 3.0**-0.5, matrices="stack"), _ORTHOGONAL),
        ("torch LSTM, orthogonal_ on weight_hh", Ensemble(LSTM, 0.5, matrices="stack"), _ORTHOGONAL),
        ("torch GRU, orthogonal_ on each gate", Ensemble(GRUResetAfter, 1.0, matrices="orthogonal"), _ORTHOGONAL),
        ("torch LSTM, orthogonal_ on each gate", Ensemble(LSTM, 1.0, matrices="orthogonal"), _ORTHOGONAL),
        ("torch LSTM, the same and b_f = 1", Ensemble(LSTM, 1.0, forget, matrices="orthogonal"), _ORTHOGONAL),
        ("torch RNN, orthogonal_", Ensemble(Vanilla, 1.0, matrices="orthogonal"), _ORTHOGONAL),
        ("flax.linen GRUCell", Ensemble(GRUResetAfter, 1.0, matrices="orthogonal"), _FLAX),
        ("flax.linen LSTMCell", Ensemble(LSTM, 1.0, matrices="orthogonal"), _FLAX),
    ]
    return [Initialisation(*row, vanishing=1.0 if row[-1] == _TORCH else 0.0) for row in rows]
