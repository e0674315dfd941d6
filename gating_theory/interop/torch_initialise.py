"""Initialisations written into PyTorch's recurrent modules, in place [T1].

PyTorch's GRU keeps two biases of its candidate: b_hn stands inside the reset gate, it is the bias of field h; b_in outside, the
cell's site parameter. In all other gates the two biases add up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

import numpy as np
import torch

from ..ensemble.ensemble import Ensemble
from ..ensemble.hyperparameters import KINDS, LARGEST
from ..support.checks import generator, real, shown
from ..support.types import Rng
from . import initialise
from .layouts import LAYOUTS
from .torch_modules import recurrent_classes

if TYPE_CHECKING:
    from ..results.status import Status

    Module = TypeVar("Module", bound=torch.nn.Module)

__all__ = ["Designed", "init_", "init_chrono_", "init_orthogonal_"]

#: Kinds of hyperparameters that an initialisation does not write into bias vectors.
_NOT_IN_BIASES = frozenset({"gain", "input_std"})


class Designed(Protocol):
    """What an initialisation takes of a Design, which is made further on than this bridge."""

    @property
    def ensemble(self) -> Ensemble:
        """The ensemble of the initialisation."""

    @property
    def reached(self) -> bool:
        """Whether it meets its targets."""

    @property
    def status(self) -> Status:
        """How the search for it ended."""


def init_(
    module: Module,
    design: Designed | Ensemble,
    rng: Rng = None,
    *,
    only: Literal["weights", "biases"] | None = None,
    input_gain: float | None = None,
) -> Module:
    """Write an initialisation into a PyTorch recurrent module, in place: recurrent weights and biases from the design's ensemble.

    Every layer and direction gets matrices U_k from the ensemble's law with entries of variance gain_k^2 / H, and biases and b_in
    with its means and spreads [T1]. The biases of gates sit in ``bias_ih``, with ``bias_hh`` zero but for the GRU's b_hn.

    Parameters
    ----------
    module : nn.GRU, nn.LSTM, nn.RNN (tanh) or their cells
    design : Design from ``gt.design``, or an Ensemble
        Of the module's own cell: gt.GRUResetAfter for a GRU, gt.LSTM, gt.Vanilla.
    rng : numpy Generator, int or None
    only : "weights" or "biases", optional
        Write the recurrent weights alone, or the biases alone, those that the same ``rng`` gives with the rest; the other stay as
        they are. Default: both.
    input_gain : float >= 0, optional
        Also draw the input weights, iid normal with standard deviation ``input_gain`` / sqrt(I). Default: they stay as they are.

    Returns
    -------
    The module

    Raises
    ------
    TypeError, ValueError
        Another kind of module, a design of another cell, biases to write in a module without; nothing is written then.
    """
    layout = LAYOUTS[_kind_of(module)]
    ensemble = design if isinstance(design, Ensemble) else getattr(design, "ensemble", None)
    if not isinstance(ensemble, Ensemble):
        raise TypeError(f"design must be a Design or an Ensemble, got {shown(design)}")
    if not getattr(design, "reached", True):
        raise ValueError(
            f"design did not reach its target ({getattr(design, 'status', '')}): pass design.ensemble to write it all the same"
        )
    if ensemble.cell != layout.cell:
        raise ValueError(
            f"design must be one of cell {layout.cell.name!r}, which is what {type(module).__name__} is, got {ensemble.cell.name!r}"
        )
    if input_gain is not None:
        input_gain = real("input_gain", input_gain, low=0.0)
    rng, begins = generator(rng), _names_begin(module, only)
    needs_bias = any(ensemble.array(kind).any() for kind in KINDS if kind not in _NOT_IN_BIASES)
    if needs_bias and only is None and not module.bias:
        raise ValueError(f"design has biases, but {type(module).__name__} was made with bias=False")
    values: dict[str, np.ndarray] = {}
    for suffix in _suffixes(module):
        drawn = initialise.of_ensemble(layout, ensemble, _n_units(module), rng)
        values |= _suffixed(drawn, suffix, begins)
        if input_gain is not None:
            shape = tuple(getattr(module, f"weight_ih{suffix}").shape)
            values[f"weight_ih{suffix}"] = input_gain / np.sqrt(shape[1]) * rng.standard_normal(shape)
    return _write(module, values)


def init_orthogonal_(
    module: Module, rng: Rng = None, *, gain: float = 1.0, only: Literal["weights", "biases"] | None = None
) -> Module:
    """Write independent random orthogonal matrices times ``gain`` into the recurrent weights, one per gate; biases become zero.

    For comparison. A Haar matrix has all its eigenvalues on a circle and singular values ``gain``; the iid matrix of the same gain
    fills the disc (Saxe, McClelland and Ganguli 2014). Input weights stay as they are.

    Parameters
    ----------
    module : nn.GRU, nn.LSTM, nn.RNN or their cells
    rng : numpy Generator, int or None
    gain : float from 0 to 1e6
    only : "weights" or "biases", optional, as for :func:`init_`

    Returns
    -------
    The module
    """
    kind, gain, rng = _kind_of(module), real("gain", gain, low=0.0, high=LARGEST), generator(rng)
    begins = _names_begin(module, only)
    values: dict[str, np.ndarray] = {}
    for suffix in _suffixes(module):
        values |= _suffixed(initialise.orthogonal(LAYOUTS[kind], _n_units(module), gain, rng), suffix, begins)
    return _write(module, values)


def init_chrono_(module: Module, longest: float, rng: Rng = None) -> Module:
    """Write chrono biases (Tallec and Ollivier 2018) into a GRU or LSTM: gates with timescales up to ``longest`` steps.

    LSTM: b_f = log u, b_i = -b_f; GRU: b_z = log u, with u uniform in (1, longest - 1). All other biases become zero; weights stay
    as they are. (In PyTorch z -> 1 keeps the state; in the paper's GRU the gate has the opposite sign.)

    Parameters
    ----------
    module : nn.GRU, nn.LSTM or their cells
    longest : float > 2, steps
    rng : numpy Generator, int or None

    Returns
    -------
    The module
    """
    kind, longest, rng = _kind_of(module), real("longest", longest, low=2.0, open_low=True), generator(rng)
    if kind not in ("GRU", "LSTM"):
        raise ValueError(f"module must be a GRU or an LSTM for chrono biases, got {type(module).__name__}")
    if not module.bias:
        raise ValueError(f"chrono biases need biases, but {type(module).__name__} was made with bias=False")
    values: dict[str, np.ndarray] = {}
    for suffix in _suffixes(module):
        values |= _suffixed(initialise.chrono(LAYOUTS[kind], _n_units(module), longest, rng), suffix)
    return _write(module, values)


def _kind_of(module):
    for kind, classes in recurrent_classes().items():
        if isinstance(module, classes):
            if getattr(module, "proj_size", 0):
                raise ValueError("module is an LSTM with projections (proj_size): its cell is not one of this package's")
            return "RNN relu" if getattr(module, "nonlinearity", "tanh") == "relu" else kind
    raise TypeError(f"module must be an nn.GRU, nn.LSTM, nn.RNN or a cell of these, got {type(module).__name__}")


def _n_units(module):
    return module.hidden_size


def _suffixes(module):
    if isinstance(module, torch.nn.RNNBase):
        ways = ("", "_reverse") if module.bidirectional else ("",)
        return [f"_l{layer}{way}" for layer in range(module.num_layers) for way in ways]
    return [""]


def _names_begin(module, only):
    """How the names of what is written begin; ValueError for other words, and for biases where there are none."""
    if only is not None and (not isinstance(only, str) or only not in ("weights", "biases")):
        raise ValueError(f"only must be None, 'weights' or 'biases', got {shown(only)}")
    if only == "biases" and not module.bias:
        raise ValueError(f"only is 'biases', but {type(module).__name__} was made with bias=False")
    return {"weights": "weight", "biases": "bias", None: ""}[only]


def _suffixed(values, suffix, begins=""):
    """The arrays of one layer and direction under the names of the module's attributes, those alone that begin so."""
    return {name + suffix: value for name, value in values.items() if name.startswith(begins)}


def _write(module, values):
    with torch.no_grad():
        for name, value in values.items():
            if name.startswith("bias") and not module.bias:
                continue
            tensor = getattr(module, name)
            tensor.copy_(torch.from_numpy(np.ascontiguousarray(value)).to(tensor.dtype))
    return module
