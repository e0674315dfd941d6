"""Initialisations written into PyTorch's recurrent modules, in place [T1].

PyTorch's GRU keeps two biases of its candidate: b_hn stands inside the reset gate, it is the bias of field h; b_in outside, the
cell's site parameter. In all other gates the two biases add up.
"""

from __future__ import annotations

from typing import Literal, TypeVar, cast

import numpy as np
import torch

from ..ensemble.ensemble import Ensemble
from ..support.checks import choice, generator, real
from ..support.types import Rng
from .initialise import Designed, Initialisation, Listed, initialisation_of
from .layouts import LAYOUTS
from .torch_modules import recurrent_classes

__all__ = ["init_"]

Module = TypeVar("Module", bound=torch.nn.Module)
#: How the names of what is written begin.
_PARTS = {"both": "", "weights": "weight", "biases": "bias"}


def init_(
    module: Module,
    design: Designed | Listed | Ensemble | Initialisation,
    rng: Rng = None,
    *,
    what: Literal["both", "weights", "biases"] = "both",
    input_gain: float | None = None,
) -> Module:
    """Write an initialisation into a PyTorch recurrent module, in place: recurrent weights and biases.

    Every layer and direction gets matrices U_k from their law with entries of variance gain_k^2 / H, and biases and b_in with the
    means and spreads of the ensemble [T1]. The biases of gates sit in ``bias_ih``, with ``bias_hh`` zero but for the GRU's b_hn.

    Parameters
    ----------
    module : nn.GRU, nn.LSTM, nn.RNN (tanh) or their cells
    design : Design from ``gt.design``; Ensemble; Initialisation
        Such as ``gt.chrono(gt.LSTM, 100)``, ``gt.orthogonal(gt.GRUResetAfter)``, a row of ``gt.defaults()``. Of the module's own
        cell: gt.GRUResetAfter for a GRU, gt.LSTM, gt.Vanilla.
    rng : numpy Generator, int or None
    what : "both", "weights" or "biases"
        Write the recurrent weights alone, or the biases alone, those that the same ``rng`` gives with the rest; the other stay as
        they are.
    input_gain : float >= 0, optional
        Also draw the input weights, iid normal with standard deviation ``input_gain`` / sqrt(I). Default: they stay as they are.

    Returns
    -------
    The module

    Raises
    ------
    TypeError, ValueError
        Another kind of module, a design of another cell, biases to write in a module without; nothing is written then.

    See Also
    --------
    gating_theory.design : Makes an initialisation.
    gating_theory.compare_initialisations : Theory of several.
    gating_theory.interop.torch.from_module : Reads a module.

    Examples
    --------
    >>> import gating_theory as gt
    >>> import torch
    >>> from gating_theory.interop.torch import init_
    >>> module = init_(
    ...     torch.nn.LSTM(3, 50), gt.orthogonal(gt.LSTM, bias={"f": 1}), rng=0
    ... )
    >>> module.bias_ih_l0[50].item()
    1.0
    >>> U_f = module.weight_hh_l0[50:100]
    >>> torch.allclose(U_f @ U_f.T, torch.eye(50), atol=1e-5)
    True
    """
    layout = LAYOUTS[_kind_of(module)]
    initialisation = initialisation_of(design)
    if initialisation.cell != layout.cell:
        raise ValueError(
            f"design must be one of cell {layout.cell.name!r}, which is what {type(module).__name__} is, "
            f"got {initialisation.cell.name!r}"
        )
    if input_gain is not None:
        input_gain = real("input_gain", input_gain, low=0.0)
    rng, begins = generator(rng), _PARTS[choice("what", what, _PARTS)]
    if not module.bias and (what == "biases" or (what == "both" and initialisation.needs_biases)):
        raise ValueError(f"{initialisation.name!r} has biases to write, but {type(module).__name__} was made with bias=False")
    values: dict[str, np.ndarray] = {}
    for suffix in _suffixes(module):
        drawn = initialisation.draw(layout, cast(int, module.hidden_size), rng)
        values |= {name + suffix: value for name, value in drawn.items() if name.startswith(begins)}
        if input_gain is not None:
            shape = tuple(getattr(module, f"weight_ih{suffix}").shape)
            values[f"weight_ih{suffix}"] = input_gain / np.sqrt(shape[1]) * rng.standard_normal(shape)
    return _write(module, values)


def _kind_of(module):
    for kind, classes in recurrent_classes().items():
        if isinstance(module, classes):
            if getattr(module, "proj_size", 0):
                raise ValueError("module is an LSTM with projections (proj_size): its cell is not one of this package's")
            return "RNN relu" if getattr(module, "nonlinearity", "tanh") == "relu" else kind
    raise TypeError(f"module must be an nn.GRU, nn.LSTM, nn.RNN or a cell of these, got {type(module).__name__}")


def _suffixes(module):
    if isinstance(module, torch.nn.RNNBase):
        ways = ("", "_reverse") if module.bidirectional else ("",)
        return [f"_l{layer}{way}" for layer in range(module.num_layers) for way in ways]
    return [""]


def _write(module, values):
    with torch.no_grad():
        for name, value in values.items():
            if name.startswith("bias") and not module.bias:
                continue
            tensor = getattr(module, name)
            tensor.copy_(torch.from_numpy(np.ascontiguousarray(value)).to(tensor.dtype))
    return module
