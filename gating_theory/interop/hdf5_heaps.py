"""The heaps of texts in an HDF5 file, checked before the library walks through them.

Texts of variable length, as Keras writes them into attributes, lie in collections of objects one behind the other. The library
takes the length of each object as it stands: a damaged one leads it beyond the collection, where it crashes, or nowhere, so that it
never ends. It crashes too where an attribute names an object that is not there.
"""

from __future__ import annotations

import re
from mmap import mmap

__all__ = ["heap_fault"]

_SIGNATURE = b"GCOL\x01"  # and the version, of which there is one
_HEAD, _OBJECT, _WORD = 16, 16, 8  # bytes before the objects, before the content of each, and what lengths are rounded up to
#: A text of variable length as an attribute declares it: its class and version, its kind, padding and coding, 16 bytes a reference.
_TEXT = re.compile(rb"\x19[\x01\x11\x21][\x00\x01]\x00\x10\x00\x00\x00", re.DOTALL)
_REFERENCE, _WINDOW = 16, 80  # bytes of length, address and number; how far behind the declaration the first one may stand
_LENGTHS = {0: 14, 1: 14, 2: 10, 3: 10}  # where the superblock says of how many bytes lengths are, by its version


def heap_fault(content: bytes | mmap) -> str:
    """What is wrong with the collections of a file; "" where nothing is.

    Parameters
    ----------
    content : bytes or mmap, the file
    """
    head = content[:_HEAD]
    place = _LENGTHS.get(head[8]) if len(head) == _HEAD else None
    if place is not None and head[place] != _WORD:
        return f"its lengths have {head[place]} bytes, not {_WORD}"
    collections: dict[int, set[int]] = {}  # numbers of the objects, by the place of their collection
    start = content.find(_SIGNATURE)
    while start >= 0:
        objects = _objects(content, start)
        if objects is None:
            return f"its collection of texts at byte {start} does not add up"
        collections[start] = objects
        start = content.find(_SIGNATURE, start + 1)
    if not all(_are_there(content, declared.end(), collections) for declared in _TEXT.finditer(content)):
        return "a text of it stands where no text is"
    return ""


def _are_there(content, at, collections):
    """Whether the texts behind a declaration are objects of their collections; addresses are checked by the library."""
    first = (at + i for i in range(_WINDOW) if _number(content, at + i) in collections)
    at = next(first, len(content))
    while (objects := collections.get(_number(content, at))) is not None:
        if int.from_bytes(content[at + _WORD : at + _WORD + 4], "little") not in objects:
            return False
        at += _REFERENCE
    return True


def _objects(content, start):
    """The numbers of the objects of a collection, None where they do not fill it, each within it."""
    end = start + _number(content, start + _WORD)
    at, found = start + _HEAD, {0}
    if not at <= end <= len(content):
        return None
    while end - at >= _OBJECT:
        index, length = int.from_bytes(content[at : at + 2], "little"), _number(content, at + _WORD)
        taken = _OBJECT + -(-length // _WORD) * _WORD if index else length  # index 0: what is free, its head included
        if not _OBJECT <= taken <= end - at:
            return None
        found.add(index)
        at += taken
    return found


def _number(content, at):
    return int.from_bytes(content[at : at + _WORD], "little")
