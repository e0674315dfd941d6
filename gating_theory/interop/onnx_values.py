"""Arrays out of an ONNX model: its tensors, and what a few operators make of constants; no other file is opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from ..support.checks import shown
from .onnx_graph import Scope, Unknown
from .stored import Stored

__all__ = ["Constants", "array_of", "stored", "table_shape"]

#: ``TensorProto.data_type`` as a dtype and the field that holds the numbers where they are not raw bytes.
_TYPES = {
    1: ("<f4", "float_data"),
    2: ("<u1", "int32_data"),
    3: ("<i1", "int32_data"),
    4: ("<u2", "int32_data"),
    5: ("<i2", "int32_data"),
    6: ("<i4", "int32_data"),
    7: ("<i8", "int64_data"),
    9: ("?", "int32_data"),
    10: ("<f2", "int32_data"),
    11: ("<f8", "double_data"),
    12: ("<u4", "uint64_data"),
    13: ("<u8", "uint64_data"),
    16: ("<u2", "int32_data"),
}
_FIELD_TYPES = {"float_data": "f4", "double_data": "f8", "int32_data": "i8", "int64_data": "i8", "uint64_data": "u8"}
#: The types that are weights, in words of ``Stored``.
_WORDS = {1: "float32", 10: "float16", 11: "float64", 16: "bfloat16"}
_FLOATS, _FLOAT16, _BFLOAT16 = (1, 10, 11, 16), 10, 16
_EXTERNAL = 1
_MOST_AXES = 32
#: Operators between a weight and what it is computed from.
_LONGEST_CHAIN = 100
#: What may be computed from constants: so many times the size of the model, and a megabyte for small ones.
_TIMES_THE_MODEL, _SMALL = 8, 1_000_000
#: Bytes that a value takes whatever its size; with it the number of values is bounded, and the time that they take.
_OF_A_VALUE = 500
#: What numpy raises where an operator's inputs or attributes are none of its own.
_FAULTS = (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError)


def table_shape(tensor: Any) -> tuple[int, int] | None:
    """(V, I) of a tensor that looks like a table of embeddings: two axes of floating point numbers; None of any other."""
    shape = tuple(tensor.dims)
    return (shape[0], shape[1]) if len(shape) == 2 and tensor.data_type in _FLOATS and min(shape) > 0 else None


def array_of(tensor: Any, name: str) -> np.ndarray:
    """The numbers of a TensorProto, their claimed shape held against what is there.

    Parameters
    ----------
    tensor : onnx.TensorProto
    name : str, for messages

    Raises
    ------
    ValueError
        its data is in another file, of a type without numbers, or not of the claimed shape
    """
    if tensor.data_location == _EXTERNAL or tensor.external_data:
        where = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
        raise ValueError(
            f"tensor {shown(name)} is kept in another file, {shown(where)}, which was not opened: store the model with its data in "
            "one file, or pass what onnx.load(path) makes of it, where you trust it"
        )
    if tensor.data_type not in _TYPES:
        raise ValueError(
            f"tensor {shown(name)} has ONNX's data type {tensor.data_type}; floating point numbers and integers are read"
        )
    shape = tuple(tensor.dims)
    if len(shape) > _MOST_AXES or any(n < 0 for n in shape):
        raise ValueError(f"tensor {shown(name)} claims the shape {shown(shape)}")
    dtype, field = _TYPES[tensor.data_type]
    count, given = prod(shape), _given(tensor, dtype, field, name)
    if len(given) != count:
        raise ValueError(f"tensor {shown(name)} claims {count} numbers, shape {shape}, and holds {len(given)}")
    if tensor.data_type == _BFLOAT16:  # the upper half of a float32
        given = (given.astype("<u4") << 16).view("<f4")
    return given.reshape(shape)


def _given(tensor, dtype, field, name):
    """The numbers as they stand, one axis."""
    if tensor.HasField("raw_data"):
        raw, size = tensor.raw_data, np.dtype(dtype).itemsize
        if len(raw) % size:
            raise ValueError(f"tensor {shown(name)} holds {len(raw)} bytes, which are no numbers of {size} bytes")
        return np.frombuffer(raw, dtype)
    numbers = np.array(getattr(tensor, field), dtype=_FIELD_TYPES[field])
    if tensor.data_type == _FLOAT16:
        return numbers.astype("<u2").view("<f2")
    return numbers.astype(dtype)


def stored(tensor: Any) -> Stored:
    """A TensorProto as an array that is read when it is asked for; what it claims without having it is of the type "damaged".

    Parameters
    ----------
    tensor : onnx.TensorProto
    """
    shape = tuple(tensor.dims)
    there = len(shape) <= _MOST_AXES and all(0 <= n <= tensor.ByteSize() for n in shape) and prod(shape) <= tensor.ByteSize()
    dtype = _WORDS.get(tensor.data_type, f"ONNX's data type {tensor.data_type}") if there else "damaged"
    return Stored(shape, dtype, lambda: array_of(tensor, tensor.name))


class Constants:
    """Values of names in a model that follow from its constants alone.

    Parameters
    ----------
    size : int, bytes of the model: what may be computed is bounded by a multiple of it
    """

    def __init__(self, size: int) -> None:
        self._left = _SMALL + _TIMES_THE_MODEL * size
        self._known: dict[tuple[Scope, str], np.ndarray] = {}
        self._on_the_way: list[tuple[Scope, str]] = []

    def value(self, scope: Scope, name: str) -> np.ndarray:
        """The array that ``name`` stands for in ``scope``.

        Parameters
        ----------
        scope : Scope
        name : str

        Raises
        ------
        Unknown
            it is not a constant, nor computed from constants in ways that are known here
        ValueError
            damaged tensors, cycles, more memory than the model warrants
        """
        scope, name, source = scope.origin(name)
        key = (scope, name)
        if key in self._known:
            return self._known[key]
        if key in self._on_the_way:
            raise ValueError(f"{shown(name)} is computed from itself: the graph has a cycle")
        if len(self._on_the_way) >= _LONGEST_CHAIN:
            raise Unknown(f"{shown(name)} ends a chain of more than {_LONGEST_CHAIN} operators")
        self._take(1, _OF_A_VALUE)
        self._on_the_way.append(key)
        try:
            found = array_of(source, name) if hasattr(source, "dims") else self._computed(scope, name, source)
        finally:
            self._on_the_way.pop()
        self._known[key] = found
        return found

    def _computed(self, scope, name, node):
        inner = scope.called(node)
        if inner is not None:
            return self.value(*inner.output(list(node.output).index(name)))
        operator = _OPERATORS.get(node.op_type) if node.domain in ("", "ai.onnx") else None
        if operator is None:
            of = f" of {shown(node.domain)}" if node.domain else ""
            raise Unknown(f"{shown(name)} comes from {node.op_type}{of}, which is not computed here")
        inputs = [self.value(scope, entry) if entry else None for entry in node.input]
        if node.op_type != "Constant" and (not inputs or inputs[0] is None):
            raise ValueError(f"{shown(name)} cannot be computed by {node.op_type} of nothing")
        try:
            with np.errstate(all="ignore"):  # what is not finite is refused when weights are read
                return operator(inputs, scope.attributes(node), self._take, list(node.output).index(name))
        except _FAULTS as error:
            reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
            raise ValueError(f"{shown(name)} cannot be computed by {node.op_type}: {reason}") from None

    def _take(self, entries: int, itemsize: int) -> None:
        self._left -= entries * itemsize
        if self._left < 0:
            raise ValueError("its constants become more than the size of the model warrants")


# --- operators: (inputs, attributes, take memory, which output) -> array


def _constant(inputs, attributes, take, which):
    if "value" in attributes:
        return array_of(attributes["value"], "value")
    for name in ("value_float", "value_int", "value_floats", "value_ints"):
        if name in attributes:
            return np.array(attributes[name], dtype=np.float32 if "float" in name else np.int64)
    raise ValueError(f"its value is of another kind: {sorted(attributes)}")


def _transpose(inputs, attributes, take, which):
    return np.transpose(inputs[0], attributes.get("perm"))


def _concat(inputs, attributes, take, which):
    take(sum(x.size for x in inputs), max(x.itemsize for x in inputs))
    return np.concatenate(inputs, axis=attributes["axis"])


def _slice(inputs, attributes, take, which):
    x = inputs[0]
    if "starts" in attributes:  # before opset 10
        starts, ends, axes, steps = attributes["starts"], attributes["ends"], attributes.get("axes"), None
    else:
        starts, ends, axes, steps = (_integers(inputs, k) for k in (1, 2, 3, 4))
    axes = range(len(starts)) if axes is None else axes
    cut = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts, ends, axes, [1] * len(starts) if steps is None else steps, strict=True):
        cut[axis] = slice(start, end, step)
    return x[tuple(cut)]


def _unsqueeze(inputs, attributes, take, which):
    axes = attributes["axes"] if "axes" in attributes else _integers(inputs, 1)
    if len(axes) + inputs[0].ndim > _MOST_AXES:
        raise ValueError(f"{len(axes)} more axes")
    return np.expand_dims(inputs[0], tuple(axes))


def _squeeze(inputs, attributes, take, which):
    axes = attributes["axes"] if "axes" in attributes else _integers(inputs, 1)
    return np.squeeze(inputs[0], None if axes is None else tuple(axes))


def _reshape(inputs, attributes, take, which):
    x = inputs[0]
    shape = attributes["shape"] if "shape" in attributes else _integers(inputs, 1)
    kept = not attributes.get("allowzero", 0)
    take(x.size, x.itemsize)
    return x.reshape([x.shape[k] if n == 0 and kept else n for k, n in enumerate(shape)])


def _cast(inputs, attributes, take, which):
    to = attributes["to"]
    if to not in _TYPES or to == _BFLOAT16:
        raise ValueError(f"to data type {to}")
    dtype = np.dtype(_TYPES[to][0])
    take(inputs[0].size, dtype.itemsize)
    return inputs[0].astype(dtype)


def _gather(inputs, attributes, take, which):
    x, at = inputs[0], inputs[1]
    axis = attributes.get("axis", 0)
    take(at.size * (x.size // max(1, x.shape[axis])), x.itemsize)
    return np.take(x, at.astype(np.int64), axis=axis)


def _split(inputs, attributes, take, which):
    x, axis = inputs[0], attributes.get("axis", 0)
    sizes = attributes["split"] if "split" in attributes else _integers(inputs, 1)
    if sizes is None:
        parts = attributes.get("num_outputs")
        if parts is None or not 0 < parts <= x.shape[axis]:
            raise ValueError(f"the sizes of its parts are not given, their number is {shown(parts)}")
        size = -(-x.shape[axis] // parts)
        sizes = [min(size, x.shape[axis] - k * size) for k in range(parts)]
    if min(sizes) < 0 or sum(sizes) != x.shape[axis]:
        raise ValueError(f"parts of sizes {shown(sizes)} of an axis of {x.shape[axis]}")
    before = sum(sizes[:which])
    cut = [slice(None)] * x.ndim
    cut[axis] = slice(before, before + sizes[which])
    return x[tuple(cut)]


def _arithmetic(operation: np.ufunc) -> Callable[..., np.ndarray]:
    def of(inputs, attributes, take, which):
        a, b = inputs
        take(prod(np.broadcast_shapes(a.shape, b.shape)), max(a.itemsize, b.itemsize))
        return operation(a, b)

    return of


def _integers(inputs: Sequence[np.ndarray | None], place: int) -> list[int] | None:
    """An input that is a list of integers; None where it is left out."""
    array = inputs[place] if place < len(inputs) else None
    if array is None:
        return None
    if array.ndim != 1 or array.dtype.kind not in "iu" or array.size > _MOST_AXES:
        raise ValueError(f"its input {place} must be a short list of integers, got {shown(array)}")
    return [int(n) for n in array]


_OPERATORS: Mapping[str, Callable[..., np.ndarray]] = {
    "Constant": _constant,
    "Identity": lambda inputs, attributes, take, which: inputs[0],
    "Transpose": _transpose,
    "Concat": _concat,
    "Slice": _slice,
    "Unsqueeze": _unsqueeze,
    "Squeeze": _squeeze,
    "Reshape": _reshape,
    "Cast": _cast,
    "Gather": _gather,
    "Split": _split,
    "Add": _arithmetic(np.add),
    "Sub": _arithmetic(np.subtract),
    "Mul": _arithmetic(np.multiply),
}
