"""Initialisations that people use, and those that theory proposes: as modules of PyTorch, and as theory sees them.

Keras's shapes are its defaults as documented: one orthogonal matrix (H, gates x H), whose blocks have entries of mean square
1 / (gates x H), and ones in the forget gate's bias. "Gilboa-like" are the gates of Gilboa et al. (2019), open for long, with tiny
weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import gating_theory as gt
from gating_theory.ensemble.rotation_invariant import HaarStack
from gating_theory.interop.layouts import LAYOUTS

__all__ = ["INITIALISATIONS", "Initialisation"]

#: PyTorch draws weights uniformly from +- 1 / sqrt H: a third of 1 / H is their mean square.
_PYTORCH = 1.0 / np.sqrt(3.0)
#: Steps that the chrono and the designed initialisations are made for.
_LONGEST = 100.0
#: Quantiles of a chrono law that stand for its sites.
_QUANTILES = 400


@dataclass(frozen=True)
class Initialisation:
    """One way to start a layer.

    Attributes
    ----------
    kind : "GRU" or "LSTM", the module
    name : str
    gain, bias : {field: value} or float, as of an Ensemble
    write : "default", "iid", "gates", "orthogonal" or "chrono"
        PyTorch's own weights and biases; normal weights; one orthogonal matrix for all gates; one a gate; normal weights with the
        biases of the chrono initialisation, which ``bias`` does not say.
    proposed : bool, whether theory proposes it
    """

    kind: str
    name: str
    gain: dict[str, float] | float
    bias: dict[str, float] | float = 0.0
    write: str = "iid"
    proposed: bool = False

    @property
    def ensemble(self) -> gt.Ensemble:
        """Its ensemble; biases of chrono initialisations are left out."""
        return gt.Ensemble(LAYOUTS[self.kind].cell, self.gain, self.bias)

    @property
    def sites(self) -> gt.Sites:
        """The population of a silent network's sites."""
        ensemble = self.ensemble
        cell = ensemble.cell
        slow = (
            np.log(1.0 + (_LONGEST - 2.0) * (np.arange(_QUANTILES) + 0.5) / _QUANTILES) if self.write == "chrono" else np.zeros(1)
        )
        fields = np.repeat(ensemble.array("bias")[:, None], slow.size, axis=1)
        for field, sign in ({"f": 1.0, "i": -1.0} if self.kind == "LSTM" else {"z": 1.0}).items():
            fields[cell.field_names.index(field)] += sign * slow
        weights = np.full(slow.size, 1.0 / slow.size)
        state = np.zeros((cell.n_state, slow.size))
        return gt.Sites(cell, weights, state, fields, gain=ensemble.array("gain"), matrices="iid", source="zero state")

    def module(self, n_units: int, seed: int):
        """A module of PyTorch with one input, in double precision."""
        import torch

        from gating_theory.interop.torch import init_, init_chrono_, init_orthogonal_

        torch.manual_seed(seed)
        module = getattr(torch.nn, self.kind)(1, n_units).double()
        rng = np.random.default_rng(seed)
        if self.write == "default":
            return module
        init_(module, self.ensemble, rng)
        if self.write == "orthogonal":
            init_orthogonal_(module, rng, only="weights")
        elif self.write == "gates":
            gates = len(LAYOUTS[self.kind].hidden)
            columns = HaarStack().matrices(n_units, rng, gates).reshape(-1, n_units) / np.sqrt(gates * n_units)
            with torch.no_grad():
                module.weight_hh_l0.copy_(torch.from_numpy(columns))
        elif self.write == "chrono":
            init_chrono_(module, _LONGEST, rng)
        return module


_ONSET = float(1.0 - 1.0 / (1.0 + np.exp(-5.0)))  # 1 - f of an LSTM with b_f = 5: o i a_g at the onset

INITIALISATIONS: tuple[Initialisation, ...] = (
    Initialisation("GRU", "PyTorch's default", _PYTORCH, write="default"),
    Initialisation("GRU", "Keras's default", _PYTORCH, write="gates"),
    Initialisation("GRU", "orthogonal", 1.0, write="orthogonal"),
    Initialisation("GRU", "chrono, 100 steps", 1.0, write="chrono"),
    Initialisation("GRU", "onset, $b_z = 0$", {"z": 1.0, "r": 1.0, "h": 2.0}),
    Initialisation(
        "GRU", r"onset, $b_z = \log 100$", {"z": 1.0, "r": 1.0, "h": 2.0}, {"z": float(np.log(_LONGEST))}, proposed=True
    ),
    Initialisation("GRU", "mean square 1", {"z": 1.0, "r": 1.0, "h": float(2.0 * np.sqrt(3.0))}),
    Initialisation("LSTM", "PyTorch's default", _PYTORCH, write="default"),
    Initialisation("LSTM", "Keras's default", 0.5, {"f": 1.0}, write="gates"),
    Initialisation("LSTM", "orthogonal, $b_f = 1$", 1.0, {"f": 1.0}, write="orthogonal"),
    Initialisation("LSTM", "chrono, 100 steps", 1.0, write="chrono"),
    Initialisation("LSTM", "onset, $b_f = 5$", {"f": 1.0, "i": 1.0, "g": 4.0 * _ONSET, "o": 1.0}, {"f": 5.0}, proposed=True),
    Initialisation("LSTM", "Gilboa-like, $b_f = b_o = 5$", 1e-5, {"f": 5.0, "o": 5.0}),
    Initialisation("LSTM", "the same biases, PyTorch's gains", _PYTORCH, {"f": 5.0, "o": 5.0}),
)
