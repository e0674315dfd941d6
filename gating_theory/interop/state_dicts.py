"""State dicts with PyTorch's names: recurrent modules by their keys and shapes. Tensors or arrays; PyTorch is not needed.

PyTorch's GRU resets after the product (``gt.GRUResetAfter``) and keeps two bias vectors: b_hn stands inside the reset gate, it is
the bias of field h; b_in outside, the cell's site parameter, and the input of the candidate enters there as well. In all other
gates the two biases add up.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..support.available_memory import require_memory
from .contents import Asked, Contents, Found
from .layers import DIRECTIONS, RecurrentWeights
from .stored import Stored

__all__ = ["TorchWeights", "contents", "embeddings_among", "found_in", "knows", "listed", "refused"]

#: A tensor of a recurrent module: the module's name, the tensor's, and the layer and direction.
_KEY = re.compile(r"(?P<module>(?:.*\.)?)(?P<name>(?:weight|bias)_(?:ih|hh|hr))(?P<suffix>(?:_l\d+(?:_reverse)?)?)")
#: The same where a tensor is computed from others: parametrisations of today and of old.
_NEW = re.compile(r"(?P<module>(?:.*\.)?)parametrizations\.(?P<key>(?:weight|bias)_[ih][hr][^.]*)\.(?P<part>.+)")
_OLD = re.compile(r"(?P<module>(?:.*\.)?)(?P<key>(?:weight|bias)_[ih][hr](?:_l\d+(?:_reverse)?)?)_(?P<part>orig|[guv])")
_KIND_BY_GATES = {1: "RNN", 3: "GRU", 4: "LSTM"}
#: Arrays of float64 that stand in memory at once for each tensor that is read: the reader's and the network's.
_COPIES = 2
#: Up to so many numbers of a module are looked through for values that are not finite when it is listed.
_LOOKED_THROUGH = 2**24
#: So many names in nested dicts, and such a depth, are no state dict any more.
_MOST_NAMES, _DEEPEST = 200_000, 64


class TorchWeights(RecurrentWeights):
    """The checked weights of one PyTorch recurrent module, all its layers and directions, in float64.

    Keys and order of gates in ``tensors`` are PyTorch's. Made by ``gating_theory.interop.torch.read``.

    Attributes
    ----------
    kind : str
        "GRU", "LSTM", "RNN" (tanh) or "RNN relu".
    source : str
        Where they come from.
    tensors : dict
        {(layer, direction): {"weight_ih": (G H, I), "weight_hh": (G H, H), "bias_ih": (G H,), "bias_hh": (G H,)}}, with G gates;
        biases are zeros where the module has none.
    batch_first : bool or None
        Whether sequences come as (B, T, I); None where nobody has said: then (T, B, I) is taken.
    embeddings : dict
        {name: (V, I)} of tables in the source that make vectors of the size that the module takes.

    See Also
    --------
    gating_theory.interop.torch.read : Makes one.

    Examples
    --------
    >>> import gating_theory as gt
    >>> import torch
    >>> from gating_theory.interop.torch import read
    >>> weights = read(torch.nn.GRU(3, 8, bidirectional=True))
    >>> weights.directions
    ('forward', 'reverse')
    >>> weights.layer(0, "reverse").network.n_units
    8
    """


def knows(source: Any) -> bool:
    """Whether it is a mapping, nested or not, in which some tensor has a name that PyTorch gives to recurrent weights.

    Parameters
    ----------
    source : object
    """
    return isinstance(source, Mapping) and any(_KEY.fullmatch(k) or _NEW.fullmatch(k) or _OLD.fullmatch(k) for k in _flat(source))


def contents(source: Mapping[str, Any], asked: Asked) -> Contents:
    """The recurrent modules of a state dict.

    Parameters
    ----------
    source : mapping from names to tensors, arrays, or mappings of such
    asked : Asked
    """
    return listed(source, "state dict", "PyTorch's names", asked)


def listed(source: Mapping[str, Any], where: str, format: str, asked: Asked) -> Contents:
    """The recurrent modules among named tensors.

    Parameters
    ----------
    source : mapping, as for :func:`contents`
    where : str, the name of the file, or "state dict"
    format : str, in words
    asked : Asked
    """
    tensors = _flat(source)
    modules = {name.rstrip("."): found_in(own, where, name, asked) for name, own in _by_module(tensors).items()}
    some = ", ".join(sorted(tensors)[:6])
    hint = f"it lacks the key 'weight_hh_l0' (or 'weight_hh'); it has {some}" if tensors else "it holds no tensors"
    return Contents(where, format, modules, embeddings_among(tensors, modules.values()), "" if modules else hint)


def embeddings_among(tensors: Mapping[str, Any], modules: Iterable[Found]) -> dict[str, tuple[int, int]]:
    """Tables (V, I) that are called embeddings and as wide as an input of one of the modules.

    Parameters
    ----------
    tensors : mapping from names to tensors or arrays
    modules : iterable of Found
    """
    sizes = {found.input_size for found in modules}
    shapes = {name: tuple(t.shape) for name, t in tensors.items() if "emb" in name.lower()}
    return {name: shape for name, shape in shapes.items() if len(shape) == 2 and shape[1] in sizes}


def found_in(tensors: Mapping[str, Any], where: str, module: str, asked: Asked) -> Found:
    """One module of a state dict, by names and shapes; its ``problem`` where it cannot be read.

    Parameters
    ----------
    tensors : mapping from names within the module, "weight_hh_l0" or "weight_hh", to tensors or arrays
    where : str, for messages
    module : str, its name with a dot behind it, or ""
    asked : Asked
    """
    try:
        places, gates, size, width = _places(tensors, module)
        kind = _kind(gates, asked)
    except _Problem as problem:
        return refused(f"{where}: {module}", str(problem))
    n_layers = 1 + max(layer for layer, _ in places)
    ways = tuple(way for way in DIRECTIONS if (0, way) in places)

    def load():
        # a few bytes may claim to be a large tensor
        require_memory(f"the recurrent weights of {where}", 8.0 * _COPIES * gates * size * _columns(places))
        try:
            layers = {
                place: {name: _array(f"{module}{name}{suffix}", tensor) for name, tensor in own.items()}
                for place, (suffix, own) in places.items()
            }
        except _Problem as problem:
            raise ValueError(f"{where}: {problem}") from None
        for arrays in layers.values():
            for name in ("bias_ih", "bias_hh"):
                arrays.setdefault(name, np.zeros(gates * size))
        return TorchWeights(kind, where, layers, asked.batch_first)

    few = gates * size * _columns(places) <= _LOOKED_THROUGH
    return Found(kind, n_layers, ways, width, size, load, _bad_number(places, module) if few else "")


def refused(where: str, problem: str) -> Found:
    """A module that is listed with the reason why it is not read.

    Parameters
    ----------
    where : str, what the message begins with
    problem : str
    """

    def load():
        raise ValueError(f"{where}{problem}")

    return Found("recurrent", 0, (), 0, 0, load, problem)


class _Problem(Exception):
    """Why one module cannot be read."""


@dataclass(frozen=True)
class _WeightNorm:
    """Rows of v, rescaled to lengths g; or columns, or all of it, as the shape of g says."""

    g: Any
    v: Any

    @property
    def shape(self):
        return tuple(self.v.shape)


# --- names


def _flat(mapping):
    """Nested dicts of tensors as one dict with dotted names; what is neither is left out."""
    out, waiting = {}, [("", mapping, 0)]
    while waiting:
        prefix, inner, depth = waiting.pop()
        for key, value in inner.items():
            name = f"{prefix}{key}"
            if isinstance(value, Mapping):
                waiting.append((f"{name}.", value, depth + 1))
            elif hasattr(value, "shape") and hasattr(value, "dtype"):
                out[name] = value
        if depth > _DEEPEST or len(out) + len(waiting) > _MOST_NAMES:
            raise ValueError(f"source nests dicts more than {_DEEPEST} deep, or has more than {_MOST_NAMES} names: no state dict")
    return out


def _by_module(tensors):
    """{name of a module with its dot: {name in it: tensor}}, those that are computed from others as far as that is known."""
    found, parts = {}, {}
    for key, tensor in tensors.items():
        if match := _KEY.fullmatch(key):
            found.setdefault(match["module"], {})[match["name"] + match["suffix"]] = tensor
        elif match := _NEW.fullmatch(key) or _OLD.fullmatch(key):
            parts.setdefault((match["module"], match["key"]), {})[match["part"]] = tensor
    for (module, key), own in parts.items():
        found.setdefault(module, {})[key] = _computed(own)
    return found


def _computed(parts):
    """What a parametrised tensor is computed from: weight norm, or None for all others."""
    for names in (("original0", "original1"), ("g", "v")):
        if set(parts) == set(names):
            g, v = (parts[name] for name in names)
            whole = tuple(v.shape)
            if len(whole) == 2 and tuple(g.shape) in ((whole[0], 1), (1, whole[1]), ()):
                return _WeightNorm(g, v)
    return None


# --- shapes


def _places(own, module):
    """({(layer, direction): {name: tensor}}, G, H, I) of a module; _Problem for what is missing or does not fit."""
    if any(key.startswith("weight_hr") for key in own):
        raise _Problem("it is an LSTM with projections (proj_size): its cell is not one of this package's")
    unknown = sorted(key for key, tensor in own.items() if tensor is None)
    if unknown:
        raise _Problem(
            f"it has parametrised weights ({unknown[0]}), not the weights that are computed from them: read the module itself, or "
            "call torch.nn.utils.parametrize.remove_parametrizations (remove_weight_norm) before it is saved"
        )
    suffixes = {re.sub(r"^[a-z]+_[a-z]+", "", key) for key in own}
    is_cell = "" in suffixes
    if is_cell and len(suffixes) > 1:
        raise _Problem(f"it mixes keys of a cell and of a layered module: {sorted(suffixes)}")
    n_layers = 1 if is_cell else 1 + max(int(re.search(r"\d+", s)[0]) for s in suffixes)
    ways = DIRECTIONS if any(s.endswith("_reverse") for s in suffixes) else DIRECTIONS[:1]
    if n_layers * len(ways) > len(own):
        raise _Problem(f"it lacks the keys of some of its {n_layers} layers")
    names = ["weight_hh", "weight_ih"] + (["bias_ih", "bias_hh"] if any(k.startswith("bias_") for k in own) else [])
    suffix = {
        (layer, way): "" if is_cell else f"_l{layer}" + ("_reverse" if way == "reverse" else "")
        for layer in range(n_layers)
        for way in ways
    }
    missing = [module + name + s for s in suffix.values() for name in names if name + s not in own]
    if missing:
        raise _Problem(f"it lacks the keys {missing[:8]}")
    places = {place: (s, {name: own[name + s] for name in names}) for place, s in suffix.items()}
    return places, *_sizes(places, module)


def _sizes(places, module):
    """(G, H, I), all shapes and types checked."""
    suffix, own = places[0, "forward"]
    first, entry = tuple(own["weight_hh"].shape), tuple(own["weight_ih"].shape)
    if len(first) != 2 or first[1] == 0 or first[0] not in {g * first[1] for g in _KIND_BY_GATES}:
        gates = "with 1 (RNN), 3 (GRU) or 4 (LSTM) gates G"
        raise _Problem(f"{module}weight_hh{suffix} must have shape (G H, H) {gates}, got {first}")
    size, gates = first[1], first[0] // first[1]
    width, n_ways = entry[1] if len(entry) == 2 else 1, len({way for _, way in places})
    shapes = {"weight_hh": (gates * size, size), "bias_ih": (gates * size,), "bias_hh": (gates * size,)}
    for (layer, _), (suffix, own) in places.items():
        shapes["weight_ih"] = (gates * size, width if layer == 0 else n_ways * size)
        for name, tensor in own.items():
            label = f"{module}{name}{suffix}"
            if tuple(tensor.shape) != shapes[name] or 0 in tensor.shape:
                raise _Problem(f"{label} must have shape {shapes[name]}, got {tuple(tensor.shape)}")
            for part in (tensor.g, tensor.v) if isinstance(tensor, _WeightNorm) else (tensor,):
                if words := _unfit(part):
                    raise _Problem(f"{label} must be a dense tensor of real floating-point numbers, got {words}")
    return gates, size, width


def _kind(gates, asked):
    """The kind that the shapes say; _Problem where another one was asked for."""
    actual = _KIND_BY_GATES[gates]
    if asked.nonlinearity == "relu" and actual != "RNN":
        raise _Problem(f"nonlinearity 'relu' belongs to an RNN, got the weights of kind {actual!r}")
    if actual == "RNN" and "relu" in (asked.nonlinearity, *(asked.kind or "").split()):
        actual = "RNN relu"
    if asked.kind is not None and asked.kind not in (actual, actual.split()[0]):
        raise _Problem(f"it has the shapes of kind {actual!r}, got kind={asked.kind!r}")
    return actual


# --- numbers


def _unfit(tensor):
    """What a tensor is, in words, where it is none of real numbers that can be read; else ""."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(tensor, torch.Tensor):
        fits = tensor.layout == torch.strided and not tensor.is_meta and not tensor.is_quantized and tensor.is_floating_point()
        return "" if fits else f"{tensor.dtype} {'meta' if tensor.is_meta else tensor.layout}"
    if isinstance(tensor, Stored):
        return "" if tensor.is_real else tensor.dtype
    return "" if getattr(tensor.dtype, "kind", "") == "f" else str(tensor.dtype)


def _float64(tensor):
    if isinstance(tensor, _WeightNorm):
        g, v = _float64(tensor.g), _float64(tensor.v)
        across = tuple(axis for axis in (0, 1) if not g.ndim or g.shape[axis] == 1)
        with np.errstate(all="ignore"):  # rows of zeros become NaN, as in PyTorch, and are refused as such
            return v * (g / np.sqrt((v**2).sum(axis=across, keepdims=True)))
    if isinstance(tensor, Stored):
        return tensor.read().astype(float)
    if hasattr(tensor, "detach"):
        return tensor.detach().cpu().double().numpy().copy()
    return np.array(tensor, dtype=float)


def _array(key, tensor):
    try:
        array = _float64(tensor)
    except ValueError as error:
        raise _Problem(str(error)) from None
    bad = int(array.size - np.isfinite(array).sum())
    if bad:
        raise _Problem(f"{key} must be finite, got {bad} of {array.size} values that are NaN or infinite")
    return array


def _columns(places):
    """Columns of all matrices and vectors, of G H rows each."""
    return sum(tensor.shape[-1] if name.startswith("w") else 1 for _, own in places.values() for name, tensor in own.items())


def _bad_number(places, module):
    """What is wrong with the numbers of a module, "" where nothing is."""
    try:
        with np.errstate(invalid="ignore"):  # signalling NaN
            for suffix, own in places.values():
                for name, tensor in own.items():
                    _array(f"{module}{name}{suffix}", tensor)
    except _Problem as problem:
        return str(problem)
    return ""
