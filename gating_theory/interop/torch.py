"""PyTorch's recurrent modules as Networks of this package, and the way back: designed initialisations written into modules.

What it reads are modules, state dicts, and the files of PyTorch; ``gating_theory.read`` reads them as well, lists what they hold,
and knows other formats. Needs PyTorch (``pip install 'gating-theory[torch]'``); nothing of a checkpoint is ever executed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeAlias

try:
    import torch
except ImportError as error:  # the extra is optional
    text = f"PyTorch is needed here and cannot be imported ({error}): pip install 'gating-theory[torch]'"
    raise ImportError(text, name="torch") from None

from ..support.checks import path_of
from . import state_dicts, torch_files, torch_modules
from .contents import Asked
from .file_formats import WORDS, file_format
from .layers import Recording, RecurrentLayer, RecurrentWeights
from .state_dicts import TorchWeights
from .torch_initialise import init_

if TYPE_CHECKING:
    from ..networks.network import Network

    Source: TypeAlias = torch.nn.Module | Mapping[str, Any] | str | PathLike | RecurrentWeights

__all__ = [
    "TorchWeights",
    "RecurrentLayer",
    "Recording",
    "read",
    "from_module",
    "from_state_dict",
    "init_",
]


def read(
    source: Source,
    *,
    prefix: str | None = None,
    kind: str | None = None,
    nonlinearity: str | None = None,
    batch_first: bool | None = None,
) -> RecurrentWeights:
    """Weights of a PyTorch recurrent module, from the module, a state dict or a checkpoint file, checked.

    Parameters
    ----------
    source : nn.GRU, nn.LSTM, nn.RNN or their cells, a module that contains one, a state dict, or the path of a checkpoint
        Checkpoints are safetensors files, or files of ``torch.save(module.state_dict(), path)``, read with ``weights_only=True``:
        nothing in them is executed. State dicts may be nested in another dict. Parametrised weights (orthogonal, weight norm) are
        read from the module, which computes them; a state dict holds only what they are computed from.
    prefix : str, optional
        Which module is meant where there are several, such as "encoder.rnn"; the last parts of the name, "rnn", where one ends so.
    kind : "GRU", "LSTM" or "RNN", optional
        Refuse anything else. The kind follows from the shapes.
    nonlinearity : "tanh" or "relu", optional
        Of an nn.RNN that comes as a state dict, which does not say; default tanh.
    batch_first : bool, optional
        Whether input sequences come as (B, T, I); default: what the module says, False for state dicts, which do not say.

    Returns
    -------
    RecurrentWeights

    Raises
    ------
    TypeError
        not a module, mapping or path
    ValueError
        No recurrent module, or several; missing keys, wrong shapes, values that are not finite, projections (``proj_size``), files
        that hold anything but tensors and plain containers.
    FileNotFoundError
        no such file
    MemoryError
        the tensors claim more than there is memory for

    See Also
    --------
    gating_theory.read : Files of other libraries too, and a list of what they hold.
    gating_theory.interop.torch.from_module : One layer as a Network, at once.

    Examples
    --------
    >>> import gating_theory as gt
    >>> import torch
    >>> from gating_theory.interop.torch import read
    >>> weights = read(torch.nn.LSTM(3, 8, num_layers=2))
    >>> weights.kind, weights.n_layers, weights.input_size
    ('LSTM', 2, 3)
    """
    if isinstance(source, RecurrentWeights):
        return source if batch_first is None else replace(source, batch_first=batch_first)
    asked = Asked(kind, nonlinearity, batch_first)
    if isinstance(source, torch.nn.Module):
        found = torch_modules.contents(source, asked)
    elif isinstance(source, Mapping):
        found = state_dicts.contents(source, asked)
    elif isinstance(source, (str, PathLike)):
        path = path_of("source", source)
        if not torch_files.knows(path):
            words = WORDS[file_format(path)]
            raise ValueError(f"{path} is {words}, not one of PyTorch: gating_theory.read takes files of other formats")
        found = torch_files.contents(path, asked)
    else:
        raise TypeError(f"source must be a PyTorch module, a state dict or the path of a checkpoint, got {type(source).__name__}")
    return found.weights(prefix)


def from_module(module: torch.nn.Module, layer: int = 0, direction: str = "forward", *, prefix: str | None = None) -> Network:
    """One layer of a PyTorch recurrent module as a Network at zero input, with the same step and the same Jacobian.

    Parameters
    ----------
    module : nn.GRU, nn.LSTM, nn.RNN, nn.GRUCell, nn.LSTMCell or nn.RNNCell, or a module that contains one
    layer : int >= 0
    direction : "forward" or "reverse"
    prefix : str, optional, as for :func:`read`

    Returns
    -------
    Network
        In float64. Other inputs: ``read(module).layer(layer, direction).drive(x)`` and ``Network.driven``.

    Raises
    ------
    TypeError, ValueError
        as :func:`read`

    See Also
    --------
    gating_theory.interop.torch.read : All layers, and inputs.
    gating_theory.interop.torch.init_ : The way back.

    Examples
    --------
    >>> import gating_theory as gt
    >>> import torch
    >>> from gating_theory.interop.torch import from_module
    >>> net = from_module(torch.nn.GRU(3, 8))
    >>> net.cell.name, net.n_units
    ('GRUResetAfter', 8)
    """
    if not isinstance(module, torch.nn.Module):
        raise TypeError(f"module must be a PyTorch module, got {type(module).__name__}")
    return read(module, prefix=prefix).layer(layer, direction).network


def from_state_dict(
    source: Mapping[str, Any] | str | PathLike,
    layer: int = 0,
    direction: str = "forward",
    *,
    prefix: str | None = None,
    kind: str | None = None,
    nonlinearity: str | None = None,
) -> Network:
    """One layer of a saved PyTorch recurrent module as a Network at zero input.

    Parameters
    ----------
    source : state dict (a mapping from names to tensors), or the path of a checkpoint (safetensors or torch)
    layer : int >= 0
    direction : "forward" or "reverse"
    prefix, kind, nonlinearity : as for :func:`read`

    Returns
    -------
    Network, float64

    Raises
    ------
    TypeError, ValueError, FileNotFoundError
        as :func:`read`

    See Also
    --------
    gating_theory.interop.torch.from_module : The same of a module.
    gating_theory.interop.torch.read : All layers, and inputs.

    Examples
    --------
    >>> import gating_theory as gt
    >>> import torch
    >>> from gating_theory.interop.torch import from_state_dict
    >>> torch.save(torch.nn.LSTM(3, 8).state_dict(), "model.pt")
    >>> net = from_state_dict("model.pt")
    >>> net.cell.name, net.n_units
    ('LSTM', 8)
    """
    if isinstance(source, torch.nn.Module):
        raise TypeError("source must be a state dict or the path of a checkpoint: use from_module for a module")
    return read(source, prefix=prefix, kind=kind, nonlinearity=nonlinearity).layer(layer, direction).network


def __dir__() -> list[str]:
    return __all__.copy()
