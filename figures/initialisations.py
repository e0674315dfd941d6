"""Initialisations that people use, and those that theory proposes: as modules of PyTorch, and as theory sees them.

Keras's shapes are its defaults as documented: one orthogonal matrix (H, gates x H), whose blocks have entries of mean square
1 / (gates x H), and ones in the forget gate's bias. "Gilboa-like" are the gates of Gilboa et al. (2019), open for long, with tiny
weights.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

import gating_theory as gt

__all__ = ["INITIALISATIONS", "Start"]

#: PyTorch draws weights uniformly from +- 1 / sqrt H: a third of 1 / H is their mean square.
_PYTORCH = 1.0 / np.sqrt(3.0)
#: Steps that the chrono and the designed initialisations are made for.
_LONGEST = 100.0


@dataclass(frozen=True)
class Start:
    """One way to start a layer.

    Attributes
    ----------
    kind : "GRU" or "LSTM", the module
    initialisation : gt.Initialisation
    proposed : bool, whether theory proposes it
    own : bool, whether it is PyTorch's default, which modules have by themselves
    """

    kind: str
    initialisation: gt.Initialisation
    proposed: bool = False
    own: bool = False

    @property
    def name(self) -> str:
        """Of the initialisation."""
        return self.initialisation.name

    @property
    def ensemble(self) -> gt.Ensemble:
        """Its ensemble; biases of chrono initialisations are left out."""
        return self.initialisation.ensemble

    @property
    def sites(self) -> gt.Sites:
        """The population of a silent network's sites."""
        return self.initialisation.sites

    def module(self, n_units: int, seed: int):
        """A module of PyTorch with one input, in double precision."""
        import torch

        from gating_theory.interop.torch import init_

        torch.manual_seed(seed)
        module = getattr(torch.nn, self.kind)(1, n_units).double()
        return module if self.own else init_(module, self.initialisation, seed)


def _start(kind, name, found, proposed=False, own=False):
    """``found`` under another name: an Initialisation, or the gains and biases of iid normal weights."""
    if not isinstance(found, gt.Initialisation):
        gain, bias = found
        found = gt.Initialisation(name, gt.Ensemble(gt.GRUResetAfter if kind == "GRU" else gt.LSTM, gain, bias))
    return Start(kind, replace(found, name=name), proposed, own)


_ONSET = float(1.0 - 1.0 / (1.0 + np.exp(-5.0)))  # 1 - f of an LSTM with b_f = 5: o i a_g at the onset
_LIBRARIES = gt.defaults(1)
_OF_ONSET = {"z": 1.0, "r": 1.0, "h": 2.0}

INITIALISATIONS: tuple[Start, ...] = (
    _start("GRU", "PyTorch's default", _LIBRARIES["torch GRU"].initialisation, own=True),
    _start("GRU", "Keras's default", _LIBRARIES["keras GRU"].initialisation),
    _start("GRU", "orthogonal", gt.orthogonal(gt.GRUResetAfter)),
    _start("GRU", "chrono, 100 steps", gt.chrono(gt.GRUResetAfter, _LONGEST, 1.0)),
    _start("GRU", "onset, $b_z = 0$", (_OF_ONSET, 0.0)),
    _start("GRU", r"onset, $b_z = \log 100$", (_OF_ONSET, {"z": float(np.log(_LONGEST))}), proposed=True),
    _start("GRU", "mean square 1", ({"z": 1.0, "r": 1.0, "h": float(2.0 * np.sqrt(3.0))}, 0.0)),
    _start("LSTM", "PyTorch's default", _LIBRARIES["torch LSTM"].initialisation, own=True),
    _start("LSTM", "Keras's default", _LIBRARIES["keras LSTM"].initialisation),
    _start("LSTM", "orthogonal, $b_f = 1$", gt.orthogonal(gt.LSTM, bias={"f": 1.0})),
    _start("LSTM", "chrono, 100 steps", gt.chrono(gt.LSTM, _LONGEST, 1.0)),
    _start("LSTM", "onset, $b_f = 5$", ({"f": 1.0, "i": 1.0, "g": 4.0 * _ONSET, "o": 1.0}, {"f": 5.0}), proposed=True),
    _start("LSTM", "Gilboa-like, $b_f = b_o = 5$", gt.gilboa(gt.LSTM)),
    _start("LSTM", "the same biases, PyTorch's gains", (_PYTORCH, {"f": 5.0, "o": 5.0})),
)
