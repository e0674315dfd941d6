"""Arrays in numpy's archives (.npz): headers are read first, sizes checked against the file's; objects are never unpickled."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ..support.available_memory import require_memory
from ..support.checks import shown
from .stored import Stored

__all__ = ["npz_arrays"]

#: Compressed weights unpack to a few times the file's size, arrays of zeros to a thousand times: what claims more than this factor,
#: beyond so many bytes in all, is refused.
_LARGEST_RATIO, _SMALL = 100, 1_000_000
#: Bytes of the longest header of an array that is read: names of fields make some long, arrays of numbers have none.
_LONGEST_HEADER = 10_000
_MOST_AXES = 32
_MAGIC = b"\x93NUMPY"
#: What headers of arrays of numbers hold, in numpy's own words and any order.
_DESCR = re.compile(r"'descr'\s*:\s*'([<>|=]?)([a-zA-Z])(\d*)'")
_ORDER = re.compile(r"'fortran_order'\s*:\s*(True|False)")
_SHAPE = re.compile(r"'shape'\s*:\s*\(\s*((?:\d{1,18}L?\s*,\s*)*(?:\d{1,18}L?)?)\s*\)")
#: What members hold that are no numbers, by the letter of their type.
_OTHERS = {
    "O": "pickled objects, which are not read: nothing was executed",
    "V": "raw bytes, as numpy saves bfloat16 of JAX: save float32",
    "U": "words",
    "S": "words",
    "c": "complex numbers",
    "b": "truth values or bytes",
}
#: What zip archives, and the streams in them, raise where they are damaged.
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError, OverflowError)


def npz_arrays(path: Path) -> dict[str, Stored]:
    """The arrays of an .npz file by their names, read when asked for.

    Parameters
    ----------
    path : path of the file

    Raises
    ------
    ValueError
        no archive that can be read, or what its members claim does not fit into it
    """
    with _archive(path) as archive:
        members = [info for info in archive.infolist() if info.filename.endswith(".npy")]
        _require_sizes(path, members)
        return {info.filename.removesuffix(".npy").replace("/", "."): _stored(path, archive, info) for info in members}


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """The open archive; whatever is wrong with it as a ValueError."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except _Refused as error:
        raise ValueError(str(error)) from None
    except _DAMAGE as error:
        reason = f"{type(error).__name__}: {shown(str(error))}"
        raise ValueError(f"{path} is no archive of numpy arrays (.npz), or only a part of one ({reason})") from None


class _Refused(ValueError):
    """What a message of ours says already."""


def _require_sizes(path, members):
    size = path.stat().st_size
    claimed = sum(info.file_size for info in members)
    if claimed > max(_SMALL, _LARGEST_RATIO * size):
        raise _Refused(f"{path} claims to unpack to {claimed} bytes, {claimed / size:.0f} times its size: it is not read")
    for info in members:
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise _Refused(f"{path}: {shown(info.filename)} is compressed in a way that numpy does not write")
        if info.compress_type == zipfile.ZIP_STORED and info.file_size > size:
            raise _Refused(f"{path}: {shown(info.filename)} claims {info.file_size} bytes, the file has {size}")


def _stored(path, archive, info):
    """One member as a Stored, its header read; one that holds no numbers is refused when it is asked for."""
    label = f"{path}: {shown(info.filename)}"
    with archive.open(info) as file:
        words, begins = _header(file, label)
    shape, what = _shape(words, label), _no_numbers(words)
    if what:

        def refuse() -> np.ndarray:
            raise ValueError(f"{label} holds {what}")

        return Stored(shape, what, refuse)
    dtype, fortran = _dtype(words, label), _entry(_ORDER, words, label)[1] == "True"
    if begins + prod(shape) * dtype.itemsize != info.file_size:
        raise _Refused(f"{label} claims shape {shape} of {dtype}, which its {info.file_size} bytes do not hold")

    def read() -> np.ndarray:
        require_memory(label, 2.0 * info.file_size)
        with _archive(path) as again, again.open(info) as file:
            content = file.read(info.file_size)  # with a number: without one a stream may unpack to more than its member claims
            if len(content) != info.file_size:
                raise _Refused(f"{label} has {len(content)} bytes instead of {info.file_size}")
        flat = np.frombuffer(content, dtype=dtype, offset=begins)
        return flat.reshape(shape, order="F" if fortran else "C")

    return Stored(shape, dtype.name, read)


# --- headers, which are read and never evaluated


def _header(file: Any, label: str) -> tuple[str, int]:
    """The header of an array's stream, and where the numbers begin."""
    head = file.read(8)
    if len(head) < 8 or not head.startswith(_MAGIC) or head[6] not in (1, 2, 3):
        raise _Refused(f"{label} is no array of numpy")
    width = 2 if head[6] == 1 else 4
    length = int.from_bytes(file.read(width), "little")
    if length > _LONGEST_HEADER:
        raise _Refused(f"{label} has a header of {length} bytes: it is no array of numbers")
    words = file.read(length).decode("latin1")
    if len(words) < length:
        raise _Refused(f"{label} ends within its header")
    return words, 8 + width + length


def _entry(pattern, words, label):
    found = pattern.search(words)
    if not found:
        raise _Refused(f"{label} is no array of numbers: {shown(words.strip())}")
    return found


def _shape(words, label):
    sizes = [int(n.strip().rstrip("L")) for n in _entry(_SHAPE, words, label)[1].split(",") if n.strip()]
    if len(sizes) > _MOST_AXES:
        raise _Refused(f"{label} has {len(sizes)} axes: it is no array of numpy")
    return tuple(sizes)


def _no_numbers(words):
    """What an array holds, in words, where that is no real numbers; else ""."""
    found = _DESCR.search(words)
    if found is None:
        return "records"
    return _OTHERS.get(found[2], "" if found[2] in "fiu" else f"numpy's type {found[2]}{found[3]}")


def _dtype(words, label):
    descr = _entry(_DESCR, words, label)
    try:
        return np.dtype("".join(descr.groups()))
    except TypeError:
        raise _Refused(f"{label} is of a type that numpy does not have: {shown(descr[0])}") from None
