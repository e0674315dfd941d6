"""Trees of arrays in Flax's files (msgpack), without a library: nothing is taken on trust that the file's own bytes do not hold.

msgpack is maps, lists, numbers, words and types of one's own, each with its length in front; Flax writes an array as type 1, the
list (shape, name of the dtype, bytes). General readers make room for as many entries as a list claims, at each of its levels,
before they see that there are none.
"""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ..support.available_memory import require_memory
from ..support.checks import shown
from .stored import Stored

__all__ = ["msgpack_tree"]

#: Maps and lists in one another: models have a few levels.
_DEEPEST = 64
_NDARRAY = 1  # Flax's number of the type
#: Bytes of what stands by itself, by its first byte.
_FIXED = {0xC0: 0, 0xC2: 0, 0xC3: 0, 0xCA: 4, 0xCB: 8} | {0xCC + k: 1 << k for k in range(4)} | {0xD0 + k: 1 << k for k in range(4)}
#: By the first byte: what has its length behind it, and in how many bytes.
_BINARY = {0xC4: 1, 0xC5: 2, 0xC6: 4}
_WORDS = {0xD9: 1, 0xDA: 2, 0xDB: 4}
_LISTS = {0xDC: 2, 0xDD: 4}
_MAPS = {0xDE: 2, 0xDF: 4}
_OWN = {0xC7: 1, 0xC8: 2, 0xC9: 4}
_OWN_FIXED = {0xD4 + k: 1 << k for k in range(5)}
#: Numbers that arrays may be of, by numpy's names; bfloat16 is the upper half of a float32.
_TYPES = {f"{kind}{bits}": bits // 8 for kind in ("int", "uint") for bits in (8, 16, 32, 64)}
_TYPES |= {"float16": 2, "float32": 4, "float64": 8, "bfloat16": 2}


def msgpack_tree(path: Path) -> dict[str, Any]:
    """The arrays of a msgpack file as nested dicts of Stored; lists are dicts with "0", "1", ...; all that is no array is left out.

    Parameters
    ----------
    path : path of the file

    Raises
    ------
    ValueError
        it is not msgpack, or a part of it; its uppermost value is no map
    """
    require_memory(str(path), float(path.stat().st_size))
    cursor = _Cursor(path.read_bytes(), str(path))
    tree = _value(cursor, 0)
    if cursor.at != len(cursor.content):
        raise cursor.damaged("something follows its tree")
    if not isinstance(tree, dict):
        raise ValueError(f"{path} holds no tree of arrays, as flax.serialization.to_bytes writes it")
    return tree


class _Cursor:
    """A place in the content of a file."""

    def __init__(self, content: bytes, label: str) -> None:
        self.content, self.label, self.at = content, label, 0

    def damaged(self, why: str) -> ValueError:
        return ValueError(f"{self.label} is no msgpack file, or only a part of one: {why} (byte {self.at})")

    def skip(self, count: int) -> int:
        """Where the next ``count`` bytes begin; the cursor stands behind them."""
        begins, self.at = self.at, self.at + count
        if self.at > len(self.content):
            raise self.damaged(f"{count} bytes are claimed where {len(self.content) - begins} follow")
        return begins

    def number(self, width: int) -> int:
        begins = self.skip(width)
        return int.from_bytes(self.content[begins : begins + width], "big")

    def count(self, width: int, entry: int) -> int:
        """A number of entries of at least ``entry`` bytes each, which must be there."""
        return self.room(self.number(width), entry)

    def room(self, count: int, entry: int) -> int:
        if count * entry > len(self.content) - self.at:
            raise self.damaged(f"{count} entries are claimed where {len(self.content) - self.at} bytes follow")
        return count


def _value(cursor, depth):
    """The next value: a dict that holds arrays, a Stored, or None for anything else."""
    if depth > _DEEPEST:
        raise cursor.damaged(f"it is nested more than {_DEEPEST} deep")
    head = cursor.number(1)
    if 0x80 <= head <= 0x8F:
        return _map(cursor, cursor.room(head & 0x0F, 2), depth)
    if 0x90 <= head <= 0x9F:
        return _list(cursor, cursor.room(head & 0x0F, 1), depth)
    if head in _MAPS:
        return _map(cursor, cursor.count(_MAPS[head], 2), depth)
    if head in _LISTS:
        return _list(cursor, cursor.count(_LISTS[head], 1), depth)
    if head in _OWN or head in _OWN_FIXED:
        return _own(cursor, cursor.number(_OWN[head]) if head in _OWN else _OWN_FIXED[head])
    if head in _BINARY or head in _WORDS:
        cursor.skip(cursor.number((_BINARY | _WORDS)[head]))
    elif 0xA0 <= head <= 0xBF:
        cursor.skip(head & 0x1F)
    elif head in _FIXED:
        cursor.skip(_FIXED[head])
    elif not (head <= 0x7F or head >= 0xE0):
        raise cursor.damaged(f"no value begins with {head:#x}")
    return None


def _map(cursor, count, depth):
    entries = ((_key(cursor), _value(cursor, depth + 1)) for _ in range(count))
    return {key: value for key, value in entries if value is not None} or None


def _list(cursor, count, depth):
    entries = ((str(place), _value(cursor, depth + 1)) for place in range(count))
    return {place: value for place, value in entries if value is not None} or None


def _key(cursor):
    """A key of a map: words, or a whole number as words."""
    head = cursor.number(1)
    if 0xA0 <= head <= 0xBF or head in _WORDS:
        return _words(cursor, head)
    if head <= 0x7F:
        return str(head)
    if 0xCC <= head <= 0xCF:
        return str(cursor.number(_FIXED[head]))
    raise cursor.damaged("the keys of its maps must be words or counts")


def _words(cursor, head):
    length = cursor.number(_WORDS[head]) if head in _WORDS else head & 0x1F
    begins = cursor.skip(length)
    return cursor.content[begins : begins + length].decode("utf-8", "replace")


def _own(cursor, length):
    """A value of a type of one's own: an array as Stored, None for others."""
    kind = cursor.number(1)
    begins = cursor.skip(length)
    if kind != _NDARRAY:
        return None
    inner = _Cursor(cursor.content, cursor.label)
    inner.at = begins
    array = _array(inner)
    if inner.at != begins + length:
        raise inner.damaged("an array is longer than its place")
    return array


def _array(cursor):
    """(shape, name of the dtype, bytes) as a Stored."""
    if cursor.number(1) != 0x93:
        raise cursor.damaged("an array must be (shape, dtype, bytes)")
    shape = _shape(cursor)
    head = cursor.number(1)
    if head not in (*range(0xA0, 0xC0), *_WORDS):
        raise cursor.damaged("an array names no dtype")
    dtype = _words(cursor, head)
    head = cursor.number(1)
    if head not in _BINARY:
        raise cursor.damaged("an array has no bytes")
    size = cursor.number(_BINARY[head])
    begins = cursor.skip(size)
    if dtype in _TYPES and prod(shape) * _TYPES[dtype] != size:
        raise cursor.damaged(f"an array claims shape {shown(shape)} of {dtype}, which its {size} bytes do not hold")
    return Stored(shape, dtype, _Numbers(cursor.content, cursor.label, begins, size, dtype, shape))


def _shape(cursor):
    head = cursor.number(1)
    if not 0x90 <= head <= 0x9F:
        raise cursor.damaged("an array has no shape")
    return tuple(_size(cursor) for _ in range(head & 0x0F))


def _size(cursor):
    head = cursor.number(1)
    if head <= 0x7F:
        return head
    if not 0xCC <= head <= 0xCF:
        raise cursor.damaged("the shape of an array must be whole numbers")
    return cursor.number(_FIXED[head])


class _Numbers:
    """The array whose numbers stand at some place of a content."""

    __slots__ = ("content", "label", "begins", "size", "dtype", "shape")

    def __init__(self, content: bytes, label: str, begins: int, size: int, dtype: str, shape: tuple[int, ...]) -> None:
        self.content, self.label, self.begins, self.size, self.dtype, self.shape = content, label, begins, size, dtype, shape

    def __call__(self) -> np.ndarray:
        if self.dtype not in _TYPES:
            raise ValueError(f"{self.label} holds an array of {shown(self.dtype)} where real numbers must be")
        count = self.size // _TYPES[self.dtype]
        if self.dtype == "bfloat16":
            halves = np.frombuffer(self.content, "<u2", count, self.begins).astype("<u4")
            return (halves << np.uint32(16)).view("<f4").reshape(self.shape)
        return np.frombuffer(self.content, np.dtype(self.dtype).newbyteorder("<"), count, self.begins).reshape(self.shape)
