"""Trees of arrays, nested dicts and lists of them, as flat dicts of dotted names; what an array is, and its numbers in float64.

Arrays come from numpy, JAX, PyTorch or a file, and no library is imported to tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from numbers import Real
from typing import Any

import numpy as np

from ..support.checks import shown
from .stored import Stored

__all__ = ["as_float64", "flattened", "is_tree", "listed", "parts_of", "shape_of"]

#: Trees of models are a few levels deep; what is deeper holds itself, or was made to hurt.
_DEEPEST = 64
#: Numbers of two bytes and less that numpy has no kind of its own for; their libraries register the conversion.
_NARROW = re.compile(r"bfloat16|float8_\w+")
#: So many names stand in a message.
_NAMES_SHOWN = 12


def is_tree(source: Any) -> bool:
    """Whether a ``source`` is a mapping with an array somewhere in it."""
    return isinstance(source, Mapping) and next(_leaves(source, (), 0), None) is not None


def flattened(tree: Mapping[Any, Any]) -> dict[str, Any]:
    """The arrays of a tree by their names, the parts joined by dots; what is no array is left out.

    Parameters
    ----------
    tree : mapping of arrays, mappings and lists; keys are words, numbers or tuples of them. Lists of numbers are arrays.

    Raises
    ------
    ValueError
        two arrays of one name; a tree that is deeper than any model, as one that holds itself is
    """
    out: dict[str, Any] = {}
    for path, leaf in _leaves(tree, (), 0):
        name = ".".join(path)
        if name in out:
            raise ValueError(f"source holds two arrays of the name {shown(name)}")
        out[name] = leaf
    return out


def parts_of(name: str) -> tuple[str, ...]:
    """The parts of a name between dots or slashes."""
    return tuple(part for part in re.split(r"[./]", name) if part)


def shape_of(array: Any) -> tuple[int, ...]:
    """The shape of an array or a Stored."""
    return tuple(int(n) for n in array.shape)


def listed(arrays: Mapping[str, Any]) -> str:
    """Names and shapes of arrays as messages list them: the first dozen."""
    words = [f"{name} {shape_of(array)}" for name, array in list(arrays.items())[:_NAMES_SHOWN]]
    more = len(arrays) - len(words)
    return ", ".join(words) + (f" and {more} more" if more > 0 else "")


def as_float64(array: Any, label: str) -> np.ndarray:
    """A copy of an array in float64, finite.

    Parameters
    ----------
    array : Stored, numpy, JAX or PyTorch array
    label : str, what messages call it

    Raises
    ------
    ValueError
        no real numbers, or some that are not finite
    """
    numbers = _in_numpy(array)
    if numbers is None or (numbers.dtype.kind not in "fiu" and not _NARROW.fullmatch(numbers.dtype.name)):
        what = getattr(array, "dtype", None) if numbers is None else numbers.dtype
        raise ValueError(f"{label} must hold real numbers, got {'no array' if what is None else what}")
    copied = np.array(numbers, dtype=np.float64)
    if not np.isfinite(copied).all():
        raise ValueError(f"{label} must be finite, got {copied[~np.isfinite(copied)].flat[0]}")
    return copied


def _in_numpy(array):
    """The numpy array that an array of whatever library is; None where it cannot be one."""
    if isinstance(array, Stored):
        return array.read()
    if hasattr(array, "detach"):  # PyTorch: numpy has none of its narrow numbers
        if not array.is_floating_point() or array.is_meta or array.layout != array.detach().new_empty(0).layout:
            return None
        array = array.detach().cpu().double()
    try:
        return np.asarray(array)
    except Exception:  # keys of random numbers, deleted buffers: each library says so in its own way
        return None


def _leaves(tree: Any, path: tuple[str, ...], depth: int) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(path, array) of every array in a tree."""
    if depth > _DEEPEST:
        raise ValueError(f"source is nested more than {_DEEPEST} deep, at {shown('.'.join(path))}")
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            parts = tuple(map(str, key)) if isinstance(key, tuple) else (str(key),)
            yield from _leaves(value, (*path, *parts), depth + 1)
    elif isinstance(tree, Stored) or (hasattr(tree, "shape") and hasattr(tree, "dtype")):
        yield path, tree
    elif isinstance(tree, (list, tuple)):
        numbers = _list_of_numbers(tree)
        if numbers is not None:
            yield path, numbers
        else:
            for place, value in enumerate(tree):
                yield from _leaves(value, (*path, str(place)), depth + 1)


def _list_of_numbers(values):
    """Nested lists of numbers as an array; None for other lists."""
    first = values
    for _ in range(_DEEPEST):
        if not isinstance(first, (list, tuple)) or not len(first):
            break
        first = first[0]
    if not isinstance(first, Real) or isinstance(first, bool):
        return None
    try:
        array = np.asarray(values)
    except (ValueError, TypeError):  # ragged
        return None
    return array if array.dtype.kind in "fiu" else None
