"""Flax's recurrent cells, of linen and nnx, from their parameters: trees, files of msgpack, safetensors and numpy, modules of nnx.

Flax itself is not needed. Its kernels act from the right, (I, H) and (H, H); linen has a Dense for each gate, nnx one for all gates
of GRU, OptimizedLSTM and simple cells. The GRU resets after the product, as ``gt.GRUResetAfter``. Activations are no parameters:
sigmoid and tanh are taken, and lists say so; ``kind`` may name others, and modules of nnx that have others are refused.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..support.available_memory import require_memory
from ..support.checks import path_of
from .arrays import arrays_of
from .contents import Asked, Contents, Found
from .file_formats import file_format
from .layers import RecurrentWeights
from .npz_files import npz_arrays
from .safetensors_files import safetensors_content
from .trees import as_float64, flattened, is_tree, listed, parts_of, shape_of

__all__ = ["contents", "knows"]

#: By the kind of a layer: the Dense of the inputs and of the state for each gate, in the order of the kind's layout.
_FORMS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "GRU": (("ir", "iz", "in"), ("hr", "hz", "hn")),
    "LSTM": (("ii", "if", "ig", "io"), ("hi", "hf", "hg", "ho")),
    "MGU reset after": (("if", "in"), ("hf", "hn")),
    "RNN": (("i",), ("h",)),
}
#: What nnx has: all gates in one, their number tells the kind.
_STACKED, _STACKED_KINDS = (("dense_i",), ("dense_h",)), {1: "RNN", 3: "GRU", 4: "LSTM"}
#: Under these names optimisers keep arrays that look like parameters.
_OPTIMISERS = {"opt_state", "opt", "optimizer", "optimizer_state"}
#: The two directions of Bidirectional, by their names there.
_FORWARD, _REVERSE = "forward_rnn", "backward_rnn"
#: Arrays of float64 that stand in memory at once for each that is read: the reader's and the network's.
_COPIES = 2
_WORDS = "Flax parameters"
#: What is said of cells whose parameters are all that is there.
_ASSUMED = "sigmoid and tanh are taken, parameters do not say"
#: Where functions of modules are compared with those that are meant.
_PROBES = np.array([-4.0, -1.5, -0.3, 0.0, 0.7, 2.0, 5.0])


def knows(source: Any) -> bool:
    """Whether it is a file of msgpack, a module of nnx, or a tree of arrays or file of safetensors with a recurrent cell of Flax.

    Parameters
    ----------
    source : object
    """
    if isinstance(source, os.PathLike):
        path = path_of("source", source)
        kind = file_format(path)
        if kind == "safetensors":
            return _holds_cells(path)
        return kind == "msgpack" or (kind == "npz" and bool(_cells(npz_arrays(path))))
    return _is_module(source) or (is_tree(source) and bool(_cells(flattened(source))))


def contents(source: Any, asked: Asked) -> Contents:
    """The recurrent cells of a source, each a module; the two of a Bidirectional are one.

    Parameters
    ----------
    source : path, mapping, or module of nnx
    asked : Asked

    Raises
    ------
    ValueError
        a damaged file; one without a recurrent cell
    """
    problems: dict[tuple[str, ...], str] = {}
    note = "" if asked.kind is not None or asked.nonlinearity is not None or _is_module(source) else _ASSUMED
    if isinstance(source, os.PathLike):
        arrays, where, _ = arrays_of(source)
    elif _is_module(source):
        where, arrays, problems = type(source).__name__, _state_of(source), _other_functions(source)
    else:
        where, arrays = "tree of parameters", flattened(source)
    cells = [_Cell.of(path, own, problems.get(path, ""), where, asked) for path, own in _cells(arrays).items()]
    if not cells:
        what = f"its arrays are {listed(arrays)}" if arrays else "it holds no arrays"
        raise ValueError(
            f"{where} has no recurrent cell as Flax names them (kernels of ir, iz, in, hr, hz, hn or the like); {what}: say "
            "which is which with names="
        )
    return Contents(where, _WORDS, _modules(cells, note), _embeddings(arrays))


# --- names


def _holds_cells(path):
    """Whether the tensors of a safetensors file have the names of cells; a damaged file is left to who reads all of them."""
    try:
        return bool(_cells(safetensors_content(path)))
    except ValueError:
        return False


def _cells(arrays):
    """{path of a cell: {(Dense, "kernel" or "bias"): array}} of the recurrent cells among arrays."""
    groups = {}
    for name, array in arrays.items():
        parts = parts_of(name)
        if len(parts) > 1 and parts[-1] in ("kernel", "bias") and not _OPTIMISERS.intersection(parts):
            # nnx writes if_, as if is a word of Python
            groups.setdefault(parts[:-2], {})[parts[-2].rstrip("_"), parts[-1]] = array
    return {path: own for path, own in groups.items() if _form(own) is not None}


def _form(own):
    """(kind, Dense of the inputs, Dense of the state) of a group of arrays; None where it is no recurrent cell.

    More than half of the names of a GRU or an LSTM are one that lacks some.
    """
    have = {dense for dense, what in own if what == "kernel"}
    if have == {"i", "h"} and _is_square(own["h", "kernel"]):
        return ("RNN", *_FORMS["RNN"])
    if have >= {"dense_i", "dense_h"}:
        shape = shape_of(own["dense_h", "kernel"])
        gates = shape[-1] // shape[-2] if len(shape) > 1 and shape[-2] and shape[-1] % shape[-2] == 0 else 0
        return (_STACKED_KINDS.get(gates, "recurrent"), *_STACKED)
    for kind, (entries, states) in list(_FORMS.items())[:3]:
        names = {*entries, *states}
        if names <= have or (len(names) > 4 and 2 * len(names & have) > len(names)):
            without_reset = kind == "MGU reset after" and ("hn", "bias") not in own
            return ("MGU without reset" if without_reset else kind, entries, states)
    return None


def _embeddings(arrays):
    """{name: (V, I)} of the tables of Embed, whose parameter is called so."""
    tables = {parts_of(name): shape_of(array) for name, array in arrays.items()}
    named = {
        path[:-1]: shape for path, shape in tables.items() if path[-1:] == ("embedding",) and not _OPTIMISERS.intersection(path)
    }
    return {".".join(_without(path)): (shape[0], shape[1]) for path, shape in named.items() if len(shape) == 2}


def _is_square(array):
    shape = shape_of(array)
    return len(shape) == 2 and shape[0] == shape[1]


def _modules(cells, note):
    """{name: Found}; the cells of a Bidirectional together, where they are of one kind and size."""
    short = {cell.path: _without(cell.path) for cell in cells}
    if len(set(short.values())) < len(short):
        short = {path: path for path in short}
    by_name = {short[cell.path]: cell for cell in cells}
    out = {}
    for name, cell in by_name.items():
        pair = (
            [by_name.get((*name[:-1], way)) for way in (_FORWARD, _REVERSE)]
            if name and name[-1] in (_FORWARD, _REVERSE)
            else [None]
        )
        if None not in pair and len({(c.kind, c.input_size, c.n_units) for c in pair}) == 1 and not any(c.problem for c in pair):
            out[".".join(name[:-1])] = _found(pair, note)
        else:
            out[".".join(name)] = _found([cell], note)
    return out


def _without(path):
    """A path without the parts that say nothing: "params" in front, "cell" behind."""
    begins, ends = int(path[:1] == ("params",)), len(path) - int(path[-1:] == ("cell",))
    return path[begins:ends]


# --- shapes and numbers


@dataclass(frozen=True)
class _Cell:
    """One recurrent cell by its names and shapes."""

    path: tuple[str, ...]
    kind: str
    own: dict[tuple[str, str], Any]
    entries: tuple[str, ...]
    states: tuple[str, ...]
    input_size: int
    n_units: int
    problem: str
    where: str
    asked: Asked

    @staticmethod
    def of(path, own, problem, where, asked):
        kind, entries, states = _form(own)
        size = width = 0
        try:
            size, width = _sizes(kind, own, entries, states)
            kind = _kind(kind, asked)
        except ValueError as error:
            problem = problem or str(error)
        return _Cell(path, kind, own, entries, states, width, size, problem, where, asked)

    def tensors(self) -> dict[str, np.ndarray]:
        """The arrays in the order of the layout, (G H, I) and (G H, H)."""
        rows = sum(shape_of(self.own[dense, "kernel"])[1] for dense in self.states)
        require_memory(f"the recurrent weights of {self.where}", _COPIES * 8.0 * rows * (self.input_size + self.n_units + 2))
        out = {}
        for end, denses in (("ih", self.entries), ("hh", self.states)):
            out[f"weight_{end}"] = np.concatenate([self._array(dense, "kernel").T for dense in denses])
            out[f"bias_{end}"] = np.concatenate([self._bias(dense) for dense in denses])
        return out

    def _array(self, dense, what):
        label = ".".join((*self.path, dense, what))
        return as_float64(self.own[dense, what], f"{self.where}: {label}")

    def _bias(self, dense):
        if (dense, "bias") in self.own:
            return self._array(dense, "bias")
        return np.zeros(shape_of(self.own[dense, "kernel"])[1])


def _sizes(kind, own, entries, states):
    """(H, I), all shapes checked."""
    lacking = [dense for dense in (*entries, *states) if (dense, "kernel") not in own]
    if lacking:
        raise ValueError(f"it lacks {', '.join(f'{dense}.kernel' for dense in lacking)}; it has {listed(_dotted(own))}")
    first = shape_of(own[states[0], "kernel"])
    if len(first) == 3:
        raise ValueError(
            f"its arrays have {first[0]} entries along an axis in front, as nn.vmap or nn.scan over layers stacks them: read "
            "one at a time, jax.tree.map(lambda a: a[i], tree)"
        )
    if kind == "recurrent" or len(first) != 2 or 0 in first:
        raise ValueError(f"{states[0]}.kernel must have shape (H, G H) with 1 (simple), 3 (GRU) or 4 (LSTM) gates G, got {first}")
    size, columns = first
    entry = shape_of(own[entries[0], "kernel"])
    width = entry[0] if len(entry) == 2 else 0
    if len(states) > 1 and columns != size:
        raise ValueError(f"{states[0]}.kernel must have shape (H, H), got {first}")
    for dense in (*entries, *states):
        rows = size if dense in states else width
        for what, shape in (("kernel", (rows, columns)), ("bias", (columns,))):
            if (dense, what) in own and (shape_of(own[dense, what]) != shape or 0 in shape):
                raise ValueError(f"{dense}.{what} must have shape {shape}, got {shape_of(own[dense, what])}")
    return size, width


def _dotted(own):
    return {".".join(key): array for key, array in own.items()}


def _kind(actual, asked):
    """The kind that names and shapes say, with the functions that were asked for; ValueError where another kind was."""
    if asked.nonlinearity == "relu" and actual != "RNN":
        raise ValueError(f"nonlinearity 'relu' belongs to an RNN, it is of kind {actual!r}")
    if actual == "RNN" and (asked.nonlinearity == "relu" or asked.kind == "RNN relu"):
        return "RNN relu"
    if asked.kind is not None and asked.kind.partition(" (")[0] != actual:
        raise ValueError(f"it is of kind {actual!r}, got kind={asked.kind!r}")
    return asked.kind or actual


def _found(cells, note):
    """One module of one cell, or of the two of a Bidirectional."""
    first = cells[0]
    ways = ("forward", "reverse")[: len(cells)]

    def load() -> RecurrentWeights:
        if first.problem:
            raise ValueError(f"{first.where}: {'.'.join(first.path)}: {first.problem}")
        tensors = {(0, way): cell.tensors() for way, cell in zip(ways, cells)}
        return RecurrentWeights(
            first.kind, first.where, tensors, True if first.asked.batch_first is None else first.asked.batch_first
        )

    return Found(first.kind, 1, ways, first.input_size, first.n_units, load, first.problem, note)


# --- modules of nnx


def _is_module(source):
    return any(cls.__module__ == "flax.nnx.module" and cls.__name__ == "Module" for cls in type(source).__mro__)


def _state_of(module):
    return flattened(sys.modules["flax.nnx"].state(module))


def _other_functions(module) -> dict[tuple[str, ...], str]:
    """{path of a cell: what is wrong with it} where its functions are not those that are taken."""
    out = {}
    for path, part in sys.modules["flax.nnx"].iter_graph(module):
        words = _words_of(part) if hasattr(part, "activation_fn") else ""
        if words:
            out[tuple(map(str, path))] = words
    return out


def _words_of(cell):
    """What is not as usual in a cell of nnx, "" where nothing is."""
    if getattr(cell, "residual", False):
        return "it adds its state to its candidate (residual=True): no kind here does"
    for name, function in (("activation_fn", np.tanh), ("gate_fn", lambda x: (1.0 + np.tanh(x / 2.0)) / 2.0)):
        own = getattr(cell, name, None)
        if own is not None and not np.allclose(np.asarray(own(_PROBES)), function(_PROBES), rtol=1e-5, atol=1e-6):
            words = getattr(own, "__name__", own)
            return f"its {name} is {words}, which is not read: say which kind it is with nnx.state(module) and kind="
    return ""
