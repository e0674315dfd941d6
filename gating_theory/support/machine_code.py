"""Machine code by numba that outlives the process that compiled it.

numba keeps on disk what it compiles from a file. So text that a program writes gets a file, under a hash of what it says: the next
process that writes the same text finds its machine code ready. The text is always the caller's own; a file that says anything else
is replaced and never run. Where nothing can be written code is compiled in every process, and nobody is told.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from ..version import __version__
from .files import write_atomically
from .kept import file_for, files_of, forget_the_oldest, remove

__all__ = ["jit", "machine_code", "one_at_a_time"]

#: Time of change that all files carry: releases of numba before 0.62 take a file of another time for another one.
_WRITTEN = 1_000_000_000

#: Threads that want the same code wait for one of them, rather than all spend seconds on compiling it.
one_at_a_time = threading.RLock()


def jit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """``numba.njit`` for functions of a module: what it compiles is kept on disk where that can be written to.

    numba takes the code as fresh while its own file is: such functions call functions of the same module, and what they take from
    others are constants that do not change.

    Parameters
    ----------
    **options : of ``numba.njit``, other than ``cache``

    Returns
    -------
    decorator
    """
    import numba

    def decorate(function):
        try:
            return numba.njit(cache=True, **options)(function)
        except RuntimeError:  # neither the module's directory nor the user's can be written to
            return numba.njit(**options)(function)

    return decorate


def machine_code(
    title: str,
    source: str,
    name: str,
    signature: str,
    *,
    pointer: bool = False,
    namespace: Mapping[str, Any] | None = None,
    **options: Any,
) -> Any:
    """A compiled function of generated code, from the disk if this text was compiled before.

    Parameters
    ----------
    title : str
        What the code is, for the name of its file.
    source : str
        Text of a module. It says all that the code depends on: where names of ``namespace`` are functions that may change, in a
        comment with a hash of them.
    name : str
        The function wanted.
    signature : str
        Its types, as numba reads them.
    pointer : bool
        Compile it as a pointer (``numba.cfunc``), which kernels take as an argument without being compiled again for it, rather
        than as a function for Python and other compiled code.
    namespace : mapping, optional
        Names that the code uses.
    **options : of ``numba.njit`` or ``numba.cfunc``

    Returns
    -------
    numba's dispatcher, or its CFunc
    """
    import numba

    versions = f"gating_theory {__version__}, numba {numba.__version__}, Python {platform.python_version()}"
    text = f"# {ascii(title)}, {versions}\n{source}\n"
    compiler: Callable[..., Any] = numba.cfunc if pointer else numba.njit
    with one_at_a_time:
        path = _kept(title, text)
        function = getattr(_module(text, path, namespace or {}), name)
        if path is not None:
            try:
                return compiler(signature, cache=True, **options)(function)
            except Exception:  # damaged files, a full disk, a directory that somebody removed at this moment
                for file in files_of(path):
                    remove(file)
        return compiler(signature, **options)(function)


def _module(text, path, namespace):
    """A module of this text: numba looks functions up in modules, and their files by what the code says it comes from."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    module = ModuleType(f"gating_theory_generated_{digest[:20]}")
    vars(module).update({name: value for name, value in namespace.items() if not name.startswith("__")})
    exec(compile(text, "<generated>" if path is None else os.fspath(path), "exec"), vars(module))
    sys.modules[module.__name__] = module
    return module


def _kept(title, text):
    """The file that holds this text, written if need be; None where that is impossible."""
    content = text.encode()
    try:
        path = file_for(title, content, ".py")
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            for file in files_of(path):
                remove(file)
            write_atomically(path, lambda temporary: Path(temporary).write_bytes(content))
            forget_the_oldest(path.parent, path)
        os.utime(path, (time.time(), _WRITTEN))  # the time of access is that of the last use
    except (OSError, RuntimeError):  # RuntimeError: no home directory
        return None
    return path
