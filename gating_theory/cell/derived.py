"""What follows from the definition of a cell, derived once: later processes find it on disk.

Derivations are sympy's work and measurements of what functions look like, tenths of a second each; what comes out are texts of
numpy functions and a few numbers. They are kept under a hash of the definition, of the text of this chapter and of the versions of
what makes them, so that nothing made by other code is ever used.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable
from functools import cached_property, lru_cache, wraps
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ..support.kept import keep_value, read_value
from ..support.notices import notice
from ..version import __version__

__all__ = ["derived", "derived_once", "made_by"]

#: A Cell. It stands on this module and cannot be named here.
AnyCell = Any
#: What is read where nothing is kept: None may be what was derived.
_NOTHING = object()
_T = TypeVar("_T")


def derived(make: Callable[[Any], _T]) -> cached_property[_T]:
    """Decorator of a property of an object with a ``cell``, that follows from the cell alone: made once, and kept on disk."""

    @wraps(make)
    def found(self):
        return derived_once(self.cell, make.__name__, lambda: make(self))

    return cached_property(found)


def derived_once(cell: AnyCell, what: str, make: Callable[[], _T]) -> _T:
    """What ``make()`` returns, or what it returned in an earlier process.

    Parameters
    ----------
    cell : Cell
    what : str, different for whatever is derived from one cell
    make : callable
        Its value holds numbers, containers and compiled functions, and nothing of sympy.

    Returns
    -------
    what ``make`` returns
    """
    origin = _origin(cell)
    if origin is None:
        return make()
    title, made_from = f"{cell.name} {what}", origin + what.encode()
    value = read_value(title, made_from, _NOTHING)
    if value is not _NOTHING:
        return value
    with notice(f"deriving the functions of cell {cell.name!r} (once per machine) ..."):
        value = make()
    keep_value(title, made_from, value)
    return value


def _origin(cell):
    """All that what is derived from a cell depends on; None where that cannot be said."""
    words = cell.in_words
    return made_by() + words.encode() if words is not None and made_by() else None


@lru_cache(maxsize=1)
def made_by() -> bytes:
    """A digest of the code that derives, and of the versions of what it uses; empty where the code cannot be read."""
    sympy = find_spec("sympy")
    if sympy is None or not sympy.submodule_search_locations:
        return b""
    try:
        texts = [file.read_bytes() for file in sorted(Path(__file__).parent.glob("*.py"))]
        texts.append(Path(sympy.submodule_search_locations[0], "release.py").read_bytes())  # its version, without importing it
    except OSError:
        return b""
    versions = f"gating_theory {__version__}, numpy {np.__version__}, Python {platform.python_version()}, {platform.machine()}"
    return hashlib.sha256(b"".join([versions.encode(), *texts])).digest()
