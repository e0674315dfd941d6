"""Initialisations of the training experiment: how each is written into a module of PyTorch, and what theory says of it [T6, T9].

What theory says is computed from the initialisation alone, before any network is trained, with the package's own calculators.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

import gating_theory as gt
from gating_theory.interop.layouts import LAYOUTS
from gating_theory.training.memory import remembering
from gating_theory.training.step_size import at_rest, onset_slope

__all__ = ["GATES", "STARTS", "Start", "designed"]

#: PyTorch draws weights uniformly from +- 1 / sqrt H: a third of 1 / H is their mean square.
_PYTORCH = float(3.0**-0.5)
#: Gates with chrono biases, and their signs.
_CHRONO = {"GRU": {"z": 1.0}, "LSTM": {"f": 1.0, "i": -1.0}}
#: Gains of the gates of everything that is not a library's own.
GATES = {"GRU": dict.fromkeys(("gain.z", "gain.r"), _PYTORCH), "LSTM": dict.fromkeys(("gain.f", "gain.i", "gain.o"), _PYTORCH)}
_CANDIDATE = {"GRU": "gain.h", "LSTM": "gain.g"}


@dataclass(frozen=True)
class Start:
    """One way to start a recurrent layer.

    Attributes
    ----------
    kind : "GRU" or "LSTM", the module
    ensemble : gt.Ensemble, what theory takes it for
    write : "drawn", "default", "biases" or "chrono"
        Weights and biases of the ensemble; PyTorch's own; PyTorch's own weights with the ensemble's biases; the ensemble's weights
        with chrono biases.
    longest : float, steps of the chrono law, which the ensemble does not hold
    """

    kind: str
    ensemble: gt.Ensemble
    write: str = "drawn"
    longest: float = 0.0

    def recipe(self):
        """As JSON can hold it; see :meth:`of`."""
        return [self.kind, self.ensemble.as_dict(), self.write, self.longest]

    @classmethod
    def of(cls, recipe):
        """The inverse of :meth:`recipe`."""
        kind, ensemble, *rest = recipe
        return cls(kind, gt.Ensemble.from_dict(ensemble), *rest)

    def module(self, n_in, n_units, seed):
        """A module; input weights are PyTorch's, and the same for all starts of a seed."""
        import torch

        from gating_theory.interop.torch import init_

        torch.manual_seed(seed)
        module = getattr(torch.nn, self.kind)(n_in, n_units)
        if self.write != "default":
            rng = np.random.default_rng(seed)
            init_(module, self.initialisation, rng, what="biases" if self.write == "biases" else "both")
        return module

    def louder(self, rho):
        """The same with the candidate's gain times ``rho``."""
        path = _CANDIDATE[self.kind]
        gain = self.ensemble.gain[path.removeprefix("gain.")]
        return replace(self, ensemble=self.ensemble.replace({path: gain * rho}))

    @property
    def initialisation(self):
        """As the package writes it, and has the theory of it."""
        if self.write != "chrono":
            return gt.Initialisation(self.kind, self.ensemble)
        return gt.Initialisation(self.kind, self.ensemble, chrono=_CHRONO[self.kind], longest=self.longest)

    @property
    def at_rest(self):
        """The spectrum of infinitely many silent units, those of a chrono law among them."""
        return at_rest(self.initialisation)

    def log10_gradients(self, n_steps):
        """(T + 1,) log10 of the mean square of gradients that a loss on h sends back through 0 .. T steps [T9]."""
        return gt.gradient_growth(self.at_rest, n_steps, block="h").log10

    def scatter(self, n_steps, n_units):
        """Standard deviation over networks of N units of the last of ``log10_gradients``, nan where the law has no answer [T9]."""
        try:
            return float(gt.gradient_growth(self.at_rest, n_steps, block="h").scatter(n_units)[-1])
        except gt.CapabilityError:  # of orthogonal matrices and stacks
            return np.nan

    def sensitivity(self, n_steps):
        """T d radius / d gain of the candidate: e-folds by which T steps grow for a change of the gain by one."""
        return n_steps * onset_slope(self.initialisation)[1]


@cache
def designed(kind, length, kappa=1.0, given=()):
    """What ``gt.design(memory=length)`` finds with gates' gains of PyTorch's size; ``given`` are pairs of a path and a value."""
    held = GATES[kind] | dict(given)
    base = gt.Ensemble(LAYOUTS[kind].cell).replace(held)
    return Start(kind, base.replace(remembering(base, length, kappa, frozenset(held))))


def _ensemble(kind, gain=_PYTORCH, changes=None, **options):
    return gt.Ensemble(LAYOUTS[kind].cell, gain, **options).replace(changes or {})


def _onset(kind, law="iid"):
    """All biases zero, the candidate at the onset of activity."""
    plain = _ensemble(kind)
    gain = float(gt.onset(plain, _CANDIDATE[kind]))
    return Start(kind, _ensemble(kind, changes={_CANDIDATE[kind]: gain}, matrices={_CANDIDATE[kind][-1]: law}))


#: Cell -> name -> start for a task of so many steps. Keras stacks its gates in one isometry, so that a gate has the gain K^(-1/2).
STARTS = {
    "GRU": {
        "default": lambda length: Start("GRU", _ensemble("GRU"), "default"),
        "orthogonal": lambda length: Start("GRU", _ensemble("GRU", 1.0, matrices="orthogonal")),
        "keras": lambda length: Start("GRU", _ensemble("GRU", matrices="stack")),
        "chrono": lambda length: Start("GRU", _ensemble("GRU"), "chrono", float(length)),
        "chrono, onset gain": lambda length: Start("GRU", _ensemble("GRU", changes={"gain.h": 2.0}), "chrono", float(length)),
        "design": lambda length: designed("GRU", length),
        "design, kappa = 3": lambda length: designed("GRU", length, 3.0),
        "onset, no biases": lambda length: _onset("GRU"),
        "onset, no biases, orthogonal": lambda length: _onset("GRU", "orthogonal"),
    },
    "LSTM": {
        "default, b_f = 1": lambda length: Start("LSTM", _ensemble("LSTM", changes={"bias.f": 1.0}), "biases"),
        "keras": lambda length: Start("LSTM", _ensemble("LSTM", 0.5, {"bias.f": 1.0}, matrices="stack")),
        "chrono": lambda length: Start("LSTM", _ensemble("LSTM"), "chrono", float(length)),
        "chrono, onset gain": lambda length: Start("LSTM", _ensemble("LSTM", changes={"gain.g": 2.0}), "chrono", float(length)),
        "design": lambda length: designed("LSTM", length),
        "design, input gate open": lambda length: designed("LSTM", length, given=(("bias.i", 0.0),)),
        "onset, no biases": lambda length: _onset("LSTM"),
    },
}
