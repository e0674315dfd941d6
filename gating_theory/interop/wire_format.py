"""What an ONNX file holds by the wire format of protocol buffers, looked at before a library takes it in.

A file of protocol buffers says of itself neither what it is nor how much it will become: parts of two bytes become objects of a
hundred and more. Here the parts are counted, their lengths held against the file's own, and what they nest is bounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ..support.checks import path_of

__all__ = ["holds_model", "require_model"]

#: Parts that are messages themselves, {field: kind}, by kind; others are not looked into: names, numbers, raw data, types.
_PARTS: dict[str, dict[int, str]] = {
    "model": {7: "graph", 8: "entry", 14: "entry", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph", 3: "entry", 4: "entry"},
    "graph": {1: "node", 5: "tensor", 11: "value", 12: "value", 13: "value", 14: "entry", 15: "sparse", 16: "entry"},
    "function": {7: "node", 9: "entry", 11: "attribute", 12: "value", 14: "entry"},
    "node": {5: "attribute", 9: "entry", 10: "entry"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 14: "entry", 15: "entry", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {3: "entry", 13: "entry", 16: "entry"},
    "value": {2: "entry", 4: "entry"},
    "entry": {},
}
#: Wire types of the fields of a model: 0 a number, 2 a length and so many bytes.
_OF_A_MODEL = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
_GRAPH = 7
#: Messages within one another that protocol buffers allow themselves.
_DEEPEST = 100
#: A part takes up to 170 bytes of memory (measured). Of real files each has more than ten bytes on average.
_LEAST_BYTES, _FEW = 8, 10_000
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10


def holds_model(path: str | Path) -> bool:
    """Whether a file's fields are those of an ONNX model as far as they go, up to a graph that may be cut off; nothing is read in.

    Parameters
    ----------
    path : path of a file

    Raises
    ------
    OSError
        it cannot be opened
    """
    path = path_of("path", path)
    size = path.stat().st_size
    with open(path, "rb") as file:
        try:
            while (place := file.tell()) < size:
                tag = _number(file)
                number, wire = tag >> 3, tag & 7
                if _OF_A_MODEL.get(number) != wire or (place == 0 and number != 1):
                    return False
                length = _number(file)
                if wire == _BYTES:
                    if number == _GRAPH:
                        return True
                    file.seek(length, 1)
        except ValueError:
            pass
    return False


def _number(file: BinaryIO) -> int:
    """The number that stands next in the file."""
    value = 0
    for k in range(_LONGEST_VARINT):
        byte = file.read(1)
        if not byte:
            raise ValueError("ends within a number")
        value |= (byte[0] & 127) << 7 * k
        if byte[0] < 128:
            return value
    raise ValueError("holds a number of more than ten bytes")


def require_model(data: bytes) -> None:
    """ValueError that says what is wrong with ``data`` as an ONNX model, by its fields, their lengths, their number and nesting.

    Parameters
    ----------
    data : bytes of the whole file
    """
    most, parts, graphs = _FEW + len(data) // _LEAST_BYTES, 0, 0
    todo = [("model", 0, len(data), 1)]
    while todo:
        kind, start, stop, depth = todo.pop()
        if depth > _DEEPEST:
            raise ValueError(f"it nests its graphs more than {_DEEPEST} parts deep")
        for number, begin, end in _parts(data, start, stop, kind):
            inner = _PARTS[kind].get(number)
            if inner is None:
                continue
            parts += 1
            graphs += kind == "model" and inner == "graph"
            if parts > most:
                raise ValueError(f"it consists of more than {most} parts of a few bytes, which no model does")
            if end > begin:
                todo.append((inner, begin, end, depth + 1))
    if graphs != 1:
        raise ValueError("it holds no graph" if not graphs else f"it holds {graphs} graphs, not one")


def _parts(data: bytes, start: int, stop: int, kind: str) -> Iterator[tuple[int, int, int]]:
    """(field, first byte, byte after the last) of what is stored with its length in one message; the lengths are checked."""
    place = start
    while place < stop:
        tag, place = _varint(data, place, stop, kind)
        number, wire = tag >> 3, tag & 7
        if number == 0:
            raise ValueError(f"a {kind} in it has a field of number 0")
        if wire == _VARINT:
            _, place = _varint(data, place, stop, kind)
        elif wire == _BYTES:
            length, place = _varint(data, place, stop, kind)
            if length > stop - place:
                rest = stop - place
                raise ValueError(f"it is cut off or damaged: a {kind} claims {length} bytes for its field {number}, {rest} follow")
            yield number, place, place + length
            place += length
        elif wire in (_FIXED32, _FIXED64):
            place += 4 if wire == _FIXED32 else 8
            if place > stop:
                raise ValueError(f"it is cut off or damaged: a {kind} ends within its field {number}")
        else:
            raise ValueError(f"it is damaged: a {kind} has a field {number} of wire type {wire}")


def _varint(data: bytes, place: int, stop: int, kind: str) -> tuple[int, int]:
    value = shift = 0
    while place < stop:
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
        shift += 7
        if shift >= 7 * _LONGEST_VARINT:
            break
    raise ValueError(f"it is cut off or damaged: a {kind} ends within a number")
