"""Weights of whatever kind, read by the reader that knows it.

A reader is a module of this folder with two functions:

    knows(source) -> bool                                 whether it is one of its kind; no library is imported to tell
    contents(source, asked: Asked) -> Contents            the recurrent modules that it holds

To add one, write the module and enter its name into ``READERS``. Libraries are imported by the reader in ``contents``: who needs
one that is missing raises an ImportError that says what to install.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from typing import Any

from ..support.checks import path_of, shown
from .arrays import by_names
from .contents import Asked, Contents
from .file_formats import WORDS, file_format
from .layers import RecurrentWeights

__all__ = ["READERS", "read", "weights_of"]

#: Modules of this folder, in the order in which they are asked: those that know objects first, and "torch_files", which takes files
#: that nobody knows, last.
READERS: tuple[str, ...] = ("torch_modules", "flax", "state_dicts", "keras", "onnx", "arrays", "torch_files")


def read(
    source: Any,
    *,
    kind: str | None = None,
    nonlinearity: str | None = None,
    batch_first: bool | None = None,
    names: Mapping[str, str] | None = None,
    order: str | None = None,
    transposed: bool = False,
) -> Contents:
    """What a file, a module or a dict of arrays holds of recurrent layers: a list to print, and the layers as Networks.

    Nothing in a file is executed, and no library is needed that the file does not need.

    Parameters
    ----------
    source : path of a file, module of a framework, state dict, tree or dict of arrays
        Files of PyTorch (state dicts, checkpoints, safetensors, TorchScript), Keras (.keras, .weights.h5, .h5), ONNX, Flax
        (msgpack, safetensors) and numpy (.npz).
    kind : str, optional
        "GRU", "LSTM", "RNN" or another kind of layer: refuse anything else. With ``names``, what the layer is where shapes do not
        tell: "GRU" resets after the matrix product, as PyTorch and cuDNN, "GRU reset before" what enters it; z and f keep the old
        state at 1.
    nonlinearity : "tanh" or "relu", optional
        Of an RNN whose source does not say; default tanh.
    batch_first : bool, optional
        Whether input sequences come as (B, T, I); default: as the source says, or as its library has it.
    names : dict, optional
        Of arrays by names of their own, in a file or a dict: {"weight_hh": name, "weight_ih": name, "bias_ih": name, "bias_hh":
        name}, the biases as far as there are any, and "p_i", "p_f", "p_o" of peepholes; names in nested dicts with dots. A gate in
        an array of its own: {"weight_hh.z": name, ...}, for each gate; biases of gates that are not named are zero. Other layers,
        other directions: "weight_hh_l1", "weight_hh_reverse", "weight_hh_l1_reverse". Of a GRU that resets after, "bias_ih" of the
        candidate stands outside the reset gate and "bias_hh" inside.
    order : str, optional
        The gates of such arrays in their order, a letter each: "zrh", "ifgo". The candidate may be called h, n or c of a GRU; g, c
        or j of an LSTM; u is an update gate that writes the candidate at 1, where z keeps the old state.
    transposed : bool
        Whether such matrices act from the right, (I, G H) and (H, G H).

    Returns
    -------
    Contents

    Raises
    ------
    TypeError
        no reader knows it
    FileNotFoundError, IsADirectoryError
        a path to nothing, or to a folder
    ImportError
        the library of its reader is missing
    ValueError
        what the reader says of it
    MemoryError
        the arrays claim more than there is memory for

    See Also
    --------
    gating_theory.interop.torch.read : Modules and files of PyTorch alone, without the list.
    gating_theory.diagnose : What such a layer does to memory and gradients.
    gating_theory.fixed_point_analysis : Its attractors and saddles.

    Examples
    --------
    >>> import gating_theory as gt
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> weights = {
    ...     "weight_ih_l0": (96, 3),
    ...     "weight_hh_l0": (96, 32),
    ...     "bias_ih_l0": 96,
    ...     "bias_hh_l0": 96,
    ... }
    >>> np.savez(
    ...     "model.npz",
    ...     **{name: rng.normal(0, 0.1, shape) for name, shape in weights.items()},
    ... )
    >>> found = gt.read("model.npz")
    >>> print(found)
    model.npz, an archive of numpy arrays (.npz):
      (no name): GRU, 1 layer, forward, 3 inputs, 32 units
    >>> net = found.layer(0).network
    >>> round(net.ensemble.gain["h"], 2)
    0.57
    """
    asked = Asked(kind, nonlinearity, batch_first, names, order, transposed)
    if isinstance(source, (str, os.PathLike)):
        source = path_of("source", source)
        if not source.exists():
            raise FileNotFoundError(f"source: there is no file {shown(str(source))}")
        if source.is_dir():
            raise IsADirectoryError(f"source: {shown(str(source))} is a folder; give the file in it that holds the weights")
    if asked.names is not None:
        return by_names(source, asked)
    for name in READERS:
        reader = import_module(f".{name}", __package__)
        if reader.knows(source):
            return reader.contents(source, asked)
    if isinstance(source, os.PathLike):
        raise ValueError(f"{source} is {WORDS[file_format(path_of('source', source))]}, which is not read here")
    if isinstance(source, Mapping):
        some = ", ".join(sorted(map(str, source))[:6])
        raise ValueError(f"source is a dict in which no reader finds recurrent weights: it has {some or 'nothing'}")
    raise TypeError(
        f"source must be a recurrent module, a state dict or the path of a file, for one of the readers {list(READERS)}, "
        f"got {type(source).__name__}{_instead(source)}"
    )


#: What to do with objects that hold weights elsewhere, or in a form that is not read, by the package of their class.
_INSTEAD = {
    "keras": "of Keras files are read: model.save('model.keras')",
    "tf_keras": "of Keras files are read: model.save('model.h5')",
    "flax": "a module of linen holds no parameters: give the tree of them, what its init returned",
}


def _instead(source):
    """What to do about an object of a known package, as the end of a sentence."""
    packages = (base.__module__.partition(".")[0] for base in type(source).__mro__)
    advice = [_INSTEAD[package] for package in packages if package in _INSTEAD]
    return f": {advice[0]}" if advice else ""


def weights_of(source: Any, prefix: str | None = None, **which: Any) -> RecurrentWeights:
    """Weights of one recurrent module, from the first reader that knows the source.

    Parameters
    ----------
    source : as for :func:`read`, or RecurrentWeights as they are
    prefix : str, optional, which module is meant where there are several
    which : options of :func:`read`

    Returns
    -------
    RecurrentWeights
    """
    if isinstance(source, RecurrentWeights):
        order = which.get("batch_first")
        return source if order is None else replace(source, batch_first=order)
    if isinstance(source, Contents):
        return source.weights(prefix)
    return read(source, **which).weights(prefix)
