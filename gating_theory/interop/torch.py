"""PyTorch's recurrent modules as Networks of this package, and the way back: designed initialisations written into modules.

PyTorch's GRU resets after the product (``gt.GRUResetAfter``) and keeps two bias vectors: b_hn stands inside the reset gate, it is
the bias of field h; b_in outside, the cell's site parameter, and the input of the candidate enters there as well. In all other
gates the two biases add up. Needs PyTorch (``pip install 'gating-theory[torch]'``); nothing of a checkpoint is ever executed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

import numpy as np

try:
    import torch
except ImportError as error:  # the extra is optional
    text = f"PyTorch is needed here and cannot be imported ({error}): pip install 'gating-theory[torch]'"
    raise ImportError(text, name="torch") from None

from ..support.available_memory import require_memory
from ..support.checks import choice, path_of, shown
from .contents import Asked, Contents, Found
from .layers import DIRECTIONS, Recording, RecurrentLayer, RecurrentWeights
from .torch_initialise import init_
from .torch_modules import recurrent_classes

if TYPE_CHECKING:
    import numpy.typing as npt

    from ..networks.network import Network

    Source: TypeAlias = torch.nn.Module | Mapping[str, Any] | str | PathLike | RecurrentWeights

__all__ = [
    "TorchWeights",
    "RecurrentLayer",
    "Recording",
    "knows",
    "read",
    "from_module",
    "from_state_dict",
    "init_",
]

_KEY = re.compile(r"^(?P<prefix>(?:.*\.)?)weight_hh(?P<suffix>|_l\d+(?:_reverse)?)$")
_MODULES = recurrent_classes()
_RECURRENT = tuple(cls for classes in _MODULES.values() for cls in classes)
#: What other files begin with: none of them is a checkpoint, and each wants other words than a damaged one.
_OTHER_FILES = {
    b"\x89HDF": "an HDF5 file (Keras, h5py)",
    b"\x93NUMPY": "a single numpy array (.npy)",
    b"\x08": "an ONNX model, or another message of protocol buffers",
}
#: Parameters of modules whose weights are computed anew from other tensors: these keys stand in their state dicts.
_PARAMETRISED = re.compile(r"parametrizations\.(weight|bias)_[ih]h|(weight|bias)_[ih]h(_l\d+(_reverse)?)?_(g|v|orig)$")
#: Arrays of float64 that stand in memory at once for each tensor that is read: the reader's and the network's.
_COPIES = 2
_KIND_BY_GATES = {1: "RNN", 3: "GRU", 4: "LSTM"}


class TorchWeights(RecurrentWeights):
    """The checked weights of one PyTorch recurrent module, all its layers and directions, in float64, made by :func:`read`.

    A RecurrentWeights whose input sequences may be tensors. Keys and order of gates in ``tensors`` are PyTorch's.
    """

    def sequences(self, inputs: npt.ArrayLike | torch.Tensor) -> np.ndarray:
        """Input sequences as a (T, B, I) float64 array.

        Parameters
        ----------
        inputs : array or tensor (T, I), (T, B, I), or (B, T, I) where ``batch_first``

        Raises
        ------
        TypeError, ValueError : not real numbers, not finite, another shape, nothing in it
        """
        if isinstance(inputs, torch.nn.utils.rnn.PackedSequence):
            raise TypeError(
                "inputs must be an array or a tensor, got a PackedSequence: pass each sequence by itself, or sequences of one "
                "length, as torch.nn.utils.rnn.pad_packed_sequence and a cut give them"
            )
        if isinstance(inputs, torch.Tensor):
            inputs = inputs.detach().cpu().to(torch.float64).numpy()
        return super().sequences(inputs)


# --- reading


def knows(source: Any) -> bool:
    """Whether :func:`read` can take the ``source``: a PyTorch module, a mapping such as a state dict, a path of any ending."""
    return isinstance(source, (TorchWeights, torch.nn.Module, Mapping)) or _is_path(source)


def _is_path(source: Any) -> TypeGuard[str | PathLike]:
    return isinstance(source, str) or hasattr(source, "__fspath__")


def read(
    source: Source,
    *,
    prefix: str | None = None,
    kind: str | None = None,
    nonlinearity: str | None = None,
    batch_first: bool | None = None,
) -> TorchWeights:
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
    TorchWeights

    Raises
    ------
    TypeError : not a module, mapping or path
    ValueError
        No recurrent module, or several; missing keys, wrong shapes, values that are not finite, projections (``proj_size``), files
        that hold anything but tensors and plain containers.
    FileNotFoundError : no such file
    MemoryError : the tensors claim more than there is memory for
    """
    if isinstance(source, TorchWeights):
        return source if batch_first is None else replace(source, batch_first=batch_first)
    if kind is not None:
        choice("kind", kind, _MODULES)
    if nonlinearity is not None:
        choice("nonlinearity", nonlinearity, ("tanh", "relu"))
    if batch_first is not None and not isinstance(batch_first, bool):
        raise TypeError(f"batch_first must be True, False or None, got {shown(batch_first)}")
    if isinstance(source, torch.nn.Module):
        name, module = _find_module(source, prefix)
        if nonlinearity is None:
            nonlinearity = getattr(module, "nonlinearity", None)
        if batch_first is None:
            batch_first = bool(getattr(module, "batch_first", False))
        where, tensors, prefix = f"{type(module).__name__} {name}".rstrip(), _weights_of(module), ""
    elif isinstance(source, Mapping):
        where, tensors = "state dict", _flat(source)
    elif _is_path(source):
        path = path_of("source", source)
        where, tensors = path.name, _flat(_load(path))
    else:
        raise TypeError(f"source must be a PyTorch module, a state dict or the path of a checkpoint, got {type(source).__name__}")
    return _checked(tensors, where, prefix, kind, nonlinearity, batch_first)


def contents(source: Any, asked: Asked) -> Contents:
    """The recurrent modules of a source: for now the one that :func:`read` finds."""
    w = read(source, kind=asked.kind, nonlinearity=asked.nonlinearity, batch_first=asked.batch_first)
    n_units = w.tensors[0, "forward"]["weight_hh"].shape[1]
    return Contents(w.source, "PyTorch", {"": Found(w.kind, w.n_layers, w.directions, w.input_size, n_units, lambda: w)})


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
    Network, float64. Other inputs: ``read(module).layer(layer, direction).drive(x)`` and ``Network.driven``.

    Raises
    ------
    TypeError, ValueError : as :func:`read`
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
    TypeError, ValueError, FileNotFoundError : as :func:`read`
    """
    if isinstance(source, torch.nn.Module):
        raise TypeError("source must be a state dict or the path of a checkpoint: use from_module for a module")
    return read(source, prefix=prefix, kind=kind, nonlinearity=nonlinearity).layer(layer, direction).network


def _find_module(source, prefix):
    found = {name: m for name, m in source.named_modules() if isinstance(m, _RECURRENT)}
    if prefix is not None:
        name = _meant(prefix, found)
        if name is None:
            raise ValueError(f"prefix must name one recurrent module of {sorted(found)}, got {shown(prefix)}")
        return name, found[name]
    if not found:
        raise ValueError(f"source holds no nn.GRU, nn.LSTM, nn.RNN or cell of these: {type(source).__name__}")
    if len(found) > 1:
        raise ValueError(f"source holds several recurrent modules, choose one with prefix=: {sorted(found)}")
    return next(iter(found.items()))


def _meant(prefix, names):
    """The one of the dotted ``names`` that ``prefix`` is, or the only one that ends so; None where there is none."""
    if not isinstance(prefix, str):
        raise TypeError(f"prefix must be a string, got {type(prefix).__name__}")
    wanted = prefix.rstrip(".")
    if wanted in names:
        return wanted
    endings = [name for name in names if name.endswith("." + wanted)]
    return endings[0] if len(endings) == 1 else None


def _weights_of(module):
    """The tensors of a module by name; those that are parametrised as the module computes them."""
    from torch.nn.utils.weight_norm import WeightNorm  # by this path: torch.nn.utils has a function of the module's name

    names = [*(name for name, _ in module.named_parameters(recurse=False)), *getattr(module, "parametrizations", ())]
    tensors = {name: getattr(module, name) for name in names}
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, WeightNorm):  # the module itself computes it in its next forward step only
            tensors[hook.name] = hook.compute_weight(module)
    return tensors


def _flat(mapping, prefix=""):
    """Nested dicts of tensors as one dict with dotted names; what is neither is left out."""
    out = {}
    for key, value in mapping.items():
        if isinstance(value, torch.Tensor) or isinstance(value, np.ndarray):
            out[f"{prefix}{key}"] = value
        elif isinstance(value, Mapping):
            out |= _flat(value, f"{prefix}{key}.")
    return out


def _load(path):
    """The content of a checkpoint: tensors and plain containers, never objects."""
    with open(path, "rb") as file:  # FileNotFoundError and the like are the system's own
        head = file.read(9)
    if not head:
        raise ValueError(f"{path} is empty")
    if path.suffix == ".safetensors" or (len(head) == 9 and head[8:] == b"{" and head[4:8] == bytes(4)):
        try:
            from safetensors import SafetensorError
            from safetensors.torch import load_file
        except ImportError:
            raise ImportError("safetensors is needed to read this file: pip install 'gating-theory[torch]'") from None
        try:
            return load_file(path, device="cpu")
        except (SafetensorError, ValueError, OSError) as error:
            raise ValueError(f"{path} is not a safetensors file that can be read: {_brief(error)}") from None
    _refuse_other_files(path, head)
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch about its own formats; what matters is an error below
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises pickle, zip, runtime and key errors alike
        if "weights_only" in str(error) or "Unsupported" in str(error):
            raise ValueError(
                f"{path} holds more than tensors ({_brief(error)}): nothing in it was executed; save module.state_dict(), "
                "or, where you trust the file, read it within torch.serialization.safe_globals([..]) of the classes that it names"
            ) from None
        reason = f"{type(error).__name__}: {_brief(error)}"
        raise ValueError(f"{path} is no checkpoint of torch.save, or only a part of one ({reason})") from None
    if not isinstance(content, Mapping):
        raise ValueError(f"{path} must hold a state dict, a mapping from names to tensors, got {type(content).__name__}")
    return content


def _refuse_other_files(path, head):
    """ValueError that says what the file is, where it is none of torch.save and can be told by its first bytes or its members."""
    import zipfile

    # torch.save's old format and pickles begin with 0x80, zip archives with PK
    kind = next((text for magic, text in _OTHER_FILES.items() if head.startswith(magic)), None)
    if kind is None and head.startswith(b"PK") and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            kind = _kind_of_archive(archive.namelist())
    if kind is not None:
        raise ValueError(
            f"{path} is {kind}, which is not read here: give a safetensors file, a file of torch.save(module.state_dict(), path), "
            "or the tensors as a dict with PyTorch's names"
        )


def _kind_of_archive(members):
    """What a zip archive is by the names of its members, None where it may be one of torch.save."""
    if any(name.endswith(".npy") for name in members):
        return "an archive of numpy arrays (.npz)"
    if "model.weights.h5" in members:
        return "a Keras model (.keras)"
    if any("/code/" in name or name.endswith("/constants.pkl") for name in members):
        return "a TorchScript program (torch.jit.load(path).state_dict() is a dict of tensors)"
    return None


def _brief(error):
    """The line of an error that says what is wrong, without torch's advice on how to load the file all the same."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if "Unsupported" in line or "GLOBAL" in line]
    text = re.split(r"(?<=[a-z)])\. ", (telling or lines or [type(error).__name__])[0])
    chosen = next((part for part in text if "Unsupported" in part or "GLOBAL" in part), text[0])
    return chosen if len(chosen) < 200 else chosen[:197] + "..."


def _checked(tensors, where, prefix, kind, nonlinearity, batch_first):
    if not tensors:
        raise ValueError(f"{where} holds no tensors")
    found = {}
    for key in tensors:
        match = _KEY.match(str(key))
        if match:
            found.setdefault(match["prefix"], []).append(match["suffix"])
    if not found and any(_PARAMETRISED.search(str(key)) for key in tensors):
        raise ValueError(
            f"{where} holds parametrised weights, not the weights that are computed from them: read the module itself, or call "
            "torch.nn.utils.parametrize.remove_parametrizations (remove_weight_norm) before it is saved"
        )
    if prefix is not None:
        places = {place.rstrip("."): place for place in found}
        name = _meant(prefix, places)
        if name is None:
            missing = f"{prefix.rstrip('.')}.weight_hh_l0".lstrip(".")
            raise ValueError(f"{where} lacks the key {shown(missing)}; recurrent modules found under {sorted(found)}")
        prefix = places[name]
    elif not found:
        keys = ", ".join(sorted(map(str, tensors))[:6])
        raise ValueError(f"{where} holds no recurrent weights: it lacks the key 'weight_hh_l0' (or 'weight_hh'); it has {keys}")
    elif len(found) > 1:
        raise ValueError(f"{where} holds several recurrent modules, choose one with prefix=: {sorted(found)}")
    else:
        prefix = next(iter(found))
    return _assemble(tensors, where, prefix, found[prefix], kind, nonlinearity, batch_first)


def _assemble(tensors, where, prefix, suffixes, kind, nonlinearity, batch_first):
    own = {str(k)[len(prefix) :]: v for k, v in tensors.items() if str(k).startswith(prefix)}
    if any(k.startswith("weight_hr") for k in own):
        raise ValueError(f"{where} is an LSTM with projections (proj_size): its cell is not one of this package's")
    is_cell = "" in suffixes
    if is_cell and len(suffixes) > 1:
        raise ValueError(f"{where} mixes keys of a cell and of a layered module under {prefix!r}: {sorted(suffixes)}")
    needed = sum(8.0 * _size(v) for k, v in own.items() if k.startswith(("weight_", "bias_")))
    require_memory(f"the recurrent weights of {where}", _COPIES * needed)  # a few bytes on disk may claim to be a large tensor
    n_layers = 1 if is_cell else 1 + max(int(re.search(r"\d+", s)[0]) for s in suffixes)
    ways = DIRECTIONS if any(s.endswith("_reverse") for s in suffixes) else DIRECTIONS[:1]
    has_bias = any(k.startswith("bias_") for k in own)
    out, size, gates, width = {}, None, None, None
    for layer in range(n_layers):
        for way in ways:
            suffix = "" if is_cell else f"_l{layer}" + ("_reverse" if way == "reverse" else "")
            arrays = _arrays(own, where, prefix, suffix, has_bias)
            if size is None:
                size, gates = _size_and_gates(arrays["weight_hh"], f"{where}: {prefix}weight_hh{suffix}")
                width = arrays["weight_ih"].shape[1] if arrays["weight_ih"].ndim == 2 else 1
            _check_shapes(arrays, where, prefix, suffix, size, gates, width if layer == 0 else len(ways) * size)
            for name in ("bias_ih", "bias_hh"):
                arrays.setdefault(name, np.zeros(gates * size))
            out[layer, way] = arrays
    return TorchWeights(_kind(gates, where, kind, nonlinearity), where, out, batch_first)


def _size(tensor):
    return tensor.numel() if isinstance(tensor, torch.Tensor) else np.size(tensor)


def _arrays(own, where, prefix, suffix, has_bias):
    """The arrays of one layer and direction by name; ValueError for keys that are missing."""
    names = ["weight_hh", "weight_ih"] + (["bias_ih", "bias_hh"] if has_bias else [])
    missing = [prefix + name + suffix for name in names if name + suffix not in own]
    if missing:
        raise ValueError(f"{where} lacks the keys {missing}")
    return {name: _array(prefix + name + suffix, own[name + suffix], where) for name in names}


def _size_and_gates(hh, label):
    """H and G from the first recurrent matrix."""
    if hh.ndim != 2 or hh.shape[1] == 0 or hh.shape[0] not in {g * hh.shape[1] for g in _KIND_BY_GATES}:
        raise ValueError(f"{label} must have shape (G H, H) with 1 (RNN), 3 (GRU) or 4 (LSTM) gates G, got {hh.shape}")
    return hh.shape[1], hh.shape[0] // hh.shape[1]


def _check_shapes(arrays, where, prefix, suffix, size, gates, width):
    shapes = {"weight_hh": (gates * size, size), "bias_ih": (gates * size,), "bias_hh": (gates * size,)}
    shapes["weight_ih"] = (gates * size, width)
    for name, array in arrays.items():
        if array.shape != shapes[name] or 0 in array.shape:
            raise ValueError(f"{where}: {prefix}{name}{suffix} must have shape {shapes[name]}, got {array.shape}")


def _kind(gates, where, kind, nonlinearity):
    """The kind that the shapes say; ValueError where another one was asked for."""
    actual = _KIND_BY_GATES[gates]
    if kind is not None and kind != actual:
        raise ValueError(f"{where} has the shapes of kind {actual!r}, got kind={kind!r}")
    if nonlinearity != "relu":
        return actual
    if actual != "RNN":
        raise ValueError(f"nonlinearity 'relu' belongs to an RNN, got the weights of kind {actual!r}")
    return "RNN relu"


def _array(key, tensor, where):
    if isinstance(tensor, torch.Tensor):
        if tensor.is_meta or tensor.layout != torch.strided or tensor.is_quantized or not tensor.is_floating_point():
            raise ValueError(
                f"{where}: {key} must be a dense tensor of real floating-point numbers, got {tensor.dtype} {tensor.layout}"
            )
        array = tensor.detach().cpu().to(torch.float64).numpy().copy()
    else:
        if tensor.dtype.kind != "f":
            raise ValueError(f"{where}: {key} must be an array of real floating-point numbers, got {tensor.dtype}")
        array = tensor.astype(float)
    bad = int(array.size - np.isfinite(array).sum())
    if bad:
        raise ValueError(f"{where}: {key} must be finite, got {bad} of {array.size} values that are NaN or infinite")
    return array
