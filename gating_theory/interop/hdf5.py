"""Arrays of an HDF5 file, named by their paths; sizes are checked against the file before anything is read.

HDF5 can point to other files (external links, external and virtual datasets), claim arrays that are nowhere, and hold streams that
unpack to any size. Nothing that lies outside the file is opened, and no array is read that the file cannot hold. Needs h5py
(``pip install 'gating-theory[keras]'``).
"""

from __future__ import annotations

import io
import math
import mmap
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..support.available_memory import require_memory
from ..support.checks import shown
from .hdf5_heaps import heap_fault

__all__ = ["LARGEST_RATIO", "ArrayFile", "Stored", "opened"]

#: Packed arrays may be so many times larger than what they take in the file, and so many bytes more.
LARGEST_RATIO, _SMALL = 16, 1_000_000
#: The longest text of an attribute, bytes, and how many objects and levels a file may have.
_LONGEST_TEXT, _MOST_OBJECTS, _DEEPEST = 50_000_000, 200_000, 64
#: Filters that are unpacked here, by their numbers: deflate, shuffle, checksums. Others would be libraries of their own.
_DEFLATE, _KNOWN_FILTERS = 1, frozenset({1, 2, 3})
#: Bytes of a number of float64, and of one of bfloat16.
_DOUBLE, _HALF = 8.0, 2
#: What h5py raises where a file is damaged.
_DAMAGED = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, OverflowError, MemoryError)


@dataclass(frozen=True)
class Stored:
    """An array of the file: its shape, and why it cannot be read; "" where nothing is known against it."""

    shape: tuple[int, ...]
    problem: str = ""


class ArrayFile:
    """An open file: its arrays by path, its attributes.

    Attributes
    ----------
    name : str, what messages call it
    arrays : dict, {path: Stored}, in the order of the file
    groups : dict, {path: names of its members}, the file itself under ""
    elsewhere : dict, {path: what it points to} of links that are not followed
    """

    def __init__(self, file: Any, name: str, size: int) -> None:
        self._file, self.name, self._size = file, name, size
        self.arrays: dict[str, Stored] = {}
        self.groups: dict[str, tuple[str, ...]] = {}
        self.elsewhere: dict[str, str] = {}
        self._walk()

    def attributes(self, path: str = "") -> Mapping[str, Any]:
        """Texts, and lists of texts, of a group; what is neither is left out.

        Parameters
        ----------
        path : str, of a group of the file
        """
        out: dict[str, Any] = {}
        try:
            attributes = (self._file[path] if path else self._file).attrs
            for name in attributes:
                if _is_text(attributes.get_id(name), min(self._size, _LONGEST_TEXT)):
                    value = _texts(attributes[name])
                    if value is not None:
                        out[str(name)] = value
        except _DAMAGED as error:
            raise ValueError(f"{self.name} is damaged: attributes of {path or 'the file'}: {_said(error)}") from None
        return out

    def read(self, path: str) -> np.ndarray:
        """An array in float64.

        Parameters
        ----------
        path : str, of ``arrays``

        Raises
        ------
        ValueError
            it is not there, is no array of floating point numbers, or claims more than the file holds
        MemoryError
            it takes more than there is memory for
        """
        if path not in self.arrays:
            raise ValueError(f"{self.name} has no array {path!r}")
        if self.arrays[path].problem:
            raise ValueError(f"{self.name}: {path}: {self.arrays[path].problem}")
        require_memory(f"{path} of {self.name}", 2.0 * _DOUBLE * math.prod(self.arrays[path].shape))
        try:
            data = self._file[path]
            _require_honest_chunks(data)
            values = data[()]
        except _Dishonest as error:
            raise ValueError(f"{self.name}: {path}: {error}") from None
        except _DAMAGED as error:
            raise ValueError(f"{self.name} is damaged: {path}: {_said(error)}") from None
        if values.dtype.kind != "f" or values.dtype.itemsize > _DOUBLE:  # bfloat16: the upper half of a float32
            values = (values.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
        return values.astype(float)

    def _walk(self):
        import h5py

        left, seen = [("", self._file, 0)], set()
        while left:
            path, group, depth = left.pop()
            if depth > _DEEPEST or len(self.groups) + len(self.arrays) > _MOST_OBJECTS:
                raise ValueError(
                    f"{self.name} has more than {_MOST_OBJECTS} objects, or {_DEEPEST} levels of them: it holds no model"
                )
            inner = []
            try:
                address = h5py.h5o.get_info(group.id).addr
                names = list(group) if address not in seen else []
                seen.add(address)
            except _DAMAGED as error:
                raise ValueError(f"{self.name} is damaged: {path or 'its root'}: {_said(error)}") from None
            self.groups[path] = tuple(names)
            for name in names:
                below = f"{path}/{name}" if path else name
                try:
                    link = group.get(name, getlink=True)
                    if not isinstance(link, h5py.HardLink):
                        self.elsewhere[below] = f"{getattr(link, 'filename', '')} {getattr(link, 'path', '')}".strip()
                        continue
                    item = group[name]
                    if isinstance(item, h5py.Dataset):
                        self.arrays[below] = Stored(tuple(item.shape or ()), _problem(item, self._size))
                    elif isinstance(item, h5py.Group):
                        inner.append((below, item, depth + 1))
                except _DAMAGED as error:
                    self.arrays[below] = Stored((), f"it is damaged ({_said(error)})")
            left += reversed(inner)


@contextmanager
def opened(source: Path | bytes, name: str) -> Iterator[ArrayFile]:
    """An HDF5 file, open for reading.

    Parameters
    ----------
    source : path of a file, or its content
    name : str, what messages call it

    Raises
    ------
    ImportError
        h5py is missing
    ValueError
        it is no HDF5 file that can be opened
    """
    try:
        import h5py
    except ImportError as error:
        text = f"h5py is needed to read {name} and cannot be imported ({error}): pip install 'gating-theory[keras]'"
        raise ImportError(text, name="h5py") from None
    size = len(source) if isinstance(source, bytes) else source.stat().st_size
    if fault := _heap_fault(source):
        raise ValueError(f"{name} is damaged: {fault}")
    try:
        file = h5py.File(io.BytesIO(source) if isinstance(source, bytes) else source, "r")
    except _DAMAGED as error:
        raise ValueError(f"{name} is no HDF5 file, or only a part of one: {_said(error)}") from None
    with file:
        yield ArrayFile(file, name, size)


def _heap_fault(source):
    """What is wrong with the collections of texts, which the library trusts."""
    if isinstance(source, bytes):
        return heap_fault(source)
    with open(source, "rb") as file:
        try:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return heap_fault(content)
        except ValueError:  # an empty file cannot be mapped
            return ""


class _Dishonest(Exception):
    """Packed data that unpack to more than their array has."""


def _problem(data, size):
    """Why a dataset cannot be read, "" where it can."""
    if data.external is not None:
        return f"it lies in another file ({shown(data.external[0][0])}), which is not opened"
    if data.is_virtual:
        return "it is put together from other files, which are not opened"
    if data.shape is None or not _is_real(data):
        return f"it holds no floating point numbers, its type is {data.dtype}"
    taken, claimed = data.id.get_storage_size(), math.prod(data.shape) * data.dtype.itemsize
    filters = _filters(data)
    if taken > size or claimed > (taken if not filters else LARGEST_RATIO * taken + _SMALL):
        return f"it claims {claimed} bytes, of which the file holds {min(taken, size)}"
    if set(filters) - _KNOWN_FILTERS:
        return f"it is packed by the filters {filters}, which are not unpacked here"
    if data.chunks is not None and math.prod(data.chunks) * data.dtype.itemsize > LARGEST_RATIO * taken + _SMALL:
        return f"it claims pieces of {math.prod(data.chunks) * data.dtype.itemsize} bytes"
    return ""


def _is_text(attribute, longest):
    """Whether an attribute has texts that may be read: of damaged types of variable length the library would crash."""
    import h5py

    if attribute.get_type().get_class() != h5py.h5t.STRING or 0 in (attribute.shape or ()):
        return False
    return attribute.get_storage_size() <= longest  # without the texts of variable length that it points to


def _is_real(data):
    if data.dtype.kind == "f" and data.dtype.itemsize <= _DOUBLE:
        return True
    if data.dtype.itemsize != _HALF or "dtype" not in data.attrs or not _is_text(data.attrs.get_id("dtype"), _LONGEST_TEXT):
        return False
    return _texts(data.attrs["dtype"]) == "bfloat16"


def _filters(data):
    """Numbers of the filters of a dataset."""
    created = data.id.get_create_plist()
    return [created.get_filter(i)[0] for i in range(created.get_nfilters())]


def _require_honest_chunks(data):
    """Deflated pieces are unpacked here once, and not further than they may go: the library would go on to their end."""
    if data.chunks is None or _DEFLATE not in _filters(data):
        return
    allowed = math.prod(data.chunks) * data.dtype.itemsize + _DOUBLE * _HALF
    for i in range(data.id.get_num_chunks()):
        info = data.id.get_chunk_info(i)
        if info.size > allowed + _SMALL:
            raise _Dishonest(f"it claims a piece of {info.size} bytes for {allowed:.0f}")
        mask, packed = data.id.read_direct_chunk(info.chunk_offset)
        try:
            unpacking = zlib.decompressobj()
            beyond = mask == 0 and len(unpacking.decompress(packed, int(allowed) + 1)) > allowed
        except zlib.error as error:
            raise _Dishonest(f"it cannot be unpacked ({error})") from None
        if beyond:
            raise _Dishonest(f"a piece of it unpacks to more than its {allowed:.0f} bytes")


def _texts(value):
    """A text, or a list of texts; None for anything else."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, str):
        return value
    if isinstance(value, np.ndarray) and value.ndim == 1:
        items = [_texts(item) for item in value.tolist()]
        return None if any(not isinstance(item, str) for item in items) else items
    return None


def _said(error):
    """What an error says, on one line of bounded length."""
    return " ".join(str(error).split())[:200] or type(error).__name__
