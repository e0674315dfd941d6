"""Safetensors files: a header of names, types, shapes and places, and the numbers behind it. No library is needed.

Everything the header says is checked against the size of the file before any number is read.
"""

from __future__ import annotations

import json
from math import prod
from pathlib import Path

from .stored import Stored, numbers

__all__ = ["safetensors_content"]

#: The longest header of the format, bytes.
_LONGEST_HEADER = 100_000_000
_REAL = {"F64": ("float64", 8), "F32": ("float32", 4), "F16": ("float16", 2), "BF16": ("bfloat16", 2)}


def safetensors_content(path: Path) -> dict[str, Stored]:
    """The tensors of a file by name; their numbers are read when they are asked for.

    Parameters
    ----------
    path : Path

    Raises
    ------
    OSError
        it cannot be opened
    ValueError
        it is damaged, or no safetensors file
    """
    path = path.resolve()  # numbers are read later, and the working directory may change
    header, begin = _header(path)
    room, found = path.stat().st_size - begin, {}
    for name, entry in header.items():
        if name != "__metadata__":
            found[name] = _tensor(path, name, entry, begin, room)
    return found


def _header(path):
    """The header, and where the numbers begin."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(size - 8, _LONGEST_HEADER):
            raise _damaged(path, f"its header claims {length} bytes, the file has {size}")
        try:
            header = json.loads(file.read(length))
        except (ValueError, RecursionError) as error:
            raise _damaged(path, f"its header is no JSON ({type(error).__name__})") from None
    if not isinstance(header, dict):
        raise _damaged(path, f"its header is a {type(header).__name__}")
    return header, 8 + length


def _tensor(path, name, entry, begin, room):
    try:
        kind, shape, (first, last) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
    except (TypeError, KeyError, ValueError):
        raise _damaged(path, f"tensor {name[:60]!r} lacks its dtype, shape or data_offsets") from None
    if not all(type(n) is int and n >= 0 for n in (*shape, first, last)) or not first <= last <= room:
        raise _damaged(path, f"tensor {name[:60]!r} lies outside of the file") from None
    dtype, width = _REAL.get(kind, (str(kind), None)) if isinstance(kind, str) else (str(kind)[:20], None)
    if width is not None and prod(shape) * width != last - first:
        raise _damaged(path, f"tensor {name[:60]!r} of shape {shape} has {last - first} bytes")

    def read():
        with open(path, "rb") as file:
            file.seek(begin + first)
            content = file.read(last - first)
        if len(content) != last - first:
            raise _damaged(path, f"tensor {name[:60]!r} ends before its end")
        return numbers(content, dtype).reshape(shape)

    return Stored(shape, dtype, read)


def _damaged(path, reason):
    return ValueError(f"{path.name} is not a safetensors file that can be read: {reason}")
