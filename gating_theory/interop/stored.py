"""Arrays that lie in a file: shape and type are known, numbers are read when they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod

import numpy as np

__all__ = ["Stored", "numbers"]

#: numpy's types of real floating-point numbers by the names that files use; bfloat16 has no type of numpy, see ``numbers``.
_TYPES = {"float64": "<f8", "float32": "<f4", "float16": "<f2", "bfloat16": "<u2"}


@dataclass(frozen=True)
class Stored:
    """An array in a file.

    Attributes
    ----------
    shape : tuple of int
    dtype : str, "float64", "float32", "float16", "bfloat16", or the file's word for what is none of these
    read : callable without arguments, gives the array; ValueError where the file is damaged
    """

    shape: tuple[int, ...]
    dtype: str
    read: Callable[[], np.ndarray] = field(repr=False)

    @property
    def size(self) -> int:
        """How many numbers."""
        return prod(self.shape)

    @property
    def is_real(self) -> bool:
        """Whether its numbers are real floating-point ones that can be read."""
        return self.dtype in _TYPES


def numbers(content: bytes, dtype: str) -> np.ndarray:
    """Little-endian bytes as a vector of float64, float32 or float16; bfloat16 become float32.

    Parameters
    ----------
    content : bytes, of whole numbers
    dtype : str, for which ``Stored.is_real``
    """
    vector = np.frombuffer(content, dtype=_TYPES[dtype])
    return (vector.astype("<u4") << 16).view("<f4") if dtype == "bfloat16" else vector
