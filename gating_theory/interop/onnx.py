"""ONNX models: their GRU, LSTM and RNN nodes, wherever in the model they stand.

The onnx library parses the file (``pip install 'gating-theory[onnx]'``); nothing of the model is run, and no other file is opened.
A node is a module by its name, or by the name of its output. Nodes with the same weights, such as those in the two branches of an
If, are listed once. Initial states of nodes are not read.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ..support.available_memory import require_memory
from ..support.checks import path_of, shown
from .contents import Asked, Contents, Found
from .file_formats import file_format
from .onnx_graph import Scope, nodes, of_model
from .onnx_operators import OPERATORS, layer_of, ways_of
from .onnx_values import Constants, stored, table_shape
from .state_dicts import knows as named_by_torch
from .state_dicts import listed
from .stored import Stored
from .wire_format import require_model

__all__ = ["contents", "initializers", "knows"]

#: A file, the library's model of it, and the arrays of one layer.
_COPIES = 4
_STANDARD = ("", "ai.onnx")
#: Operators that run a graph step by step, and what such a graph has where it writes a recurrent cell out.
_LOOPS, _PRODUCTS, _GATES = ("Loop", "Scan"), {"MatMul", "Gemm"}, {"Sigmoid", "Tanh"}

_OTHERS = "an operator of {}, which is not one of the standard's {}"
_WRITTEN_OUT = "a loop over time that seems to write its cell out, which is not read: say which arrays it has with names="
_GUESSED = "its cell is written out; by the names of its initializers, which are PyTorch's"
_FORMAT = "ONNX model"


def knows(source: Any) -> bool:
    """Whether it is an ONNX model: a file of one, or onnx.ModelProto."""
    if isinstance(source, (str, Path)):
        return file_format(source) == "onnx"
    return type(source).__name__ == "ModelProto" and type(source).__module__.partition(".")[0] == "onnx"


def contents(source: Any, asked: Asked) -> Contents:
    """The recurrent nodes of an ONNX model.

    Parameters
    ----------
    source : path of a file, or onnx.ModelProto
    asked : Asked

    Returns
    -------
    Contents

    Raises
    ------
    ImportError
        onnx is needed
    ValueError
        no ONNX model, a damaged one, a graph that no model has
    MemoryError
        too large for the memory that is free
    """
    where, model, size = _parsed(source)
    try:
        return _listed(where, model, size, asked)
    except ValueError as error:
        raise ValueError(f"{where} is an ONNX model that cannot be read: {error}") from None


def initializers(source: Any) -> dict[str, Stored]:
    """The arrays of an ONNX model's graph by their names, for cells that it writes out.

    Parameters
    ----------
    source : as for :func:`contents`

    Raises
    ------
    ImportError, ValueError, MemoryError
        as for :func:`contents`
    """
    return _initializers(_parsed(source)[1].graph)


def _parsed(source):
    """(name, ModelProto, its bytes)."""
    if not isinstance(source, (str, Path)):
        return "ModelProto", source, source.ByteSize()
    path = path_of("source", source)
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        text = f"onnx is needed to read {path.name} and cannot be imported ({error}): pip install 'gating-theory[onnx]'"
        raise ImportError(text, name="onnx") from None
    require_memory(f"{path.name}, an ONNX model,", _COPIES * path.stat().st_size)
    data = path.read_bytes()
    try:
        require_model(data)
    except ValueError as error:
        raise ValueError(f"{path} is no ONNX model that can be read: {error}") from None
    try:
        return path.name, onnx.load_model_from_string(data), len(data)
    except (DecodeError, ValueError) as error:
        raise ValueError(f"{path} is no ONNX model that can be read: {error}") from None


def _listed(where, model, size, asked):
    modules, tables, loops, marks = {}, {}, {}, set()
    for node, scope, path in nodes(of_model(model), model.graph):
        if node.domain in _STANDARD and node.op_type in OPERATORS:
            name = _own_name(node, path, modules)
            found, mark = _found(node, scope, size, f"{where}: {name}", asked)
            if mark is None or mark not in marks:
                modules[name] = found
            marks.add(mark)
        elif node.op_type.endswith(tuple(OPERATORS)) and scope.called(node) is None:
            modules[_own_name(node, path, modules)] = _not_read(node.op_type, _OTHERS.format(shown(node.domain), list(OPERATORS)))
        elif node.op_type in _LOOPS and _writes_a_cell(scope.attributes(node).get("body")):
            loops[_own_name(node, path, loops)] = _not_read(node.op_type, _WRITTEN_OUT)
        elif node.op_type == "Gather" and node.domain in _STANDARD:
            tables |= _table(node, scope)
    if not modules:
        modules = _by_names(model.graph, where, asked) or loops
    return Contents(where, _FORMAT, modules, tables)


def _by_names(graph, where, asked):
    """Modules whose cells are written out as products and gates, where their initializers have kept the names of PyTorch."""
    arrays = _initializers(graph)
    modules = listed(arrays, where, _FORMAT, asked).modules if named_by_torch(arrays) else {}
    return {name: replace(found, note=_GUESSED) for name, found in modules.items()}


def _initializers(graph):
    return {tensor.name: stored(tensor) for tensor in graph.initializer if isinstance(tensor.name, str)}


def _own_name(node, path, taken):
    """A name that no other module has: of the node, of its output, or with a number."""
    texts = [node.name, *node.output]
    names = [f"{path}{text}" for text in texts if text] or [f"{path}{node.op_type}"]
    free = next((name for name in names if name not in taken), None)
    return free or next(name for k in range(2, len(taken) + 3) if (name := f"{names[0]} {k}") not in taken)


def _found(node, scope: Scope, size, where, asked):
    """(Found, mark of its weights) of a recurrent node."""
    try:
        layer = layer_of(node, scope, Constants(size))
    except ValueError as error:
        return _not_read(node.op_type, str(error), scope.attributes(node)), None

    def load():
        return layer_of(node, scope, Constants(size)).weights(where, asked.batch_first)

    fits = asked.kind in (None, layer.kind, layer.kind.split()[0])
    problem = "" if fits else f"it is a layer of kind {layer.kind!r}, not {asked.kind!r}"
    return Found(layer.kind, 1, layer.ways, layer.W.shape[2], layer.R.shape[2], load, problem), layer.mark


def _not_read(operator, problem, attributes=None):
    """What is listed with its fault; sizes are 0 where they are not known."""
    attributes = attributes or {}
    try:
        ways = ways_of(attributes)
    except ValueError:
        ways = ("forward",)
    n = attributes.get("hidden_size", 0)

    def load():
        raise ValueError(problem)

    return Found(operator, 1, ways, 0, n if isinstance(n, int) else 0, load, problem)


def _writes_a_cell(graph):
    kinds = {node.op_type for node in graph.node} if graph is not None and hasattr(graph, "node") else set()
    return bool(kinds & _PRODUCTS and kinds & _GATES)


def _table(node, scope):
    """{name: (V, I)} where the node looks rows up, in a constant table, by what a run brings."""
    if len(node.input) != 2 or scope.attributes(node).get("axis", 0) != 0:
        return {}
    try:
        _, name, tensor = scope.origin(node.input[0])
    except ValueError:
        return {}
    if getattr(tensor, "op_type", "") == "Constant":
        tensor = {entry.name: entry.t for entry in tensor.attribute}.get("value")
    shape = table_shape(tensor) if hasattr(tensor, "dims") else None
    return {str(name): shape} if shape else {}
