"""Machine code by numba that outlives the process that compiled it, and is compiled by one process at a time.

numba keeps on disk what it compiles from a file. So text that a program writes gets a file in the user's directory for such files,
under a hash of what it says, and so does a copy of each module with kernels: the next process finds its machine code ready, and
nothing is written beside the package. The text is always the caller's own; a file that says anything else is replaced and never
run. Where nothing can be written code is compiled in every process. What takes longer than a second to compile says so.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from functools import lru_cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from ..version import __version__
from .files import write_atomically
from .kept import file_for, files_of, forget_the_oldest, remove, turns_of
from .notices import notice
from .turns import turn

__all__ = ["chapter_of", "compiling", "jit", "machine_code", "one_at_a_time"]

#: Time of change that all files carry: releases of numba before 0.62 take a file of another time for another one.
_WRITTEN = 1_000_000_000

#: Threads that want the same code wait for one of them, rather than all spend seconds on compiling it.
one_at_a_time = threading.RLock()


def jit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """``numba.njit`` for functions of a module: what it compiles is kept on disk where that can be written to.

    Code is fresh as long as the text of its module is: such functions call functions of the same module, and what they take from
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
        path = _copy_of(function.__code__.co_filename)
        function = function if path is None else _as_if_from(path, function)
        return _sharing(numba.njit(**options)(function), function, path, chapter_of(function))

    return decorate


def machine_code(
    title: str,
    source: str,
    name: str,
    signature: str,
    *,
    pointer: bool = False,
    namespace: Mapping[str, Any] | None = None,
    of: str = "",
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
    of : str
        What the code belongs to, for whoever waits until it is compiled: "GRU flows of 2 units". Default: the title.
    **options : of ``numba.njit`` or ``numba.cfunc``

    Returns
    -------
    numba's dispatcher, or its CFunc
    """
    import numba
    from numba.core.ccallback import CFunc
    from numba.core.sigutils import normalize_signature

    with one_at_a_time:
        text, path = _kept(title, source)
        function = getattr(_module(text, path, namespace or {}), name)
        if pointer:
            compiled = _sharing(CFunc(function, normalize_signature(signature), {}, options), function, path, of or title)
            compiled.compile()
        else:
            compiled = _sharing(numba.njit(**options)(function), function, path, of or title)
            compiled.compile(signature)
            compiled.disable_compile()
        return compiled


# --- one process compiles, the others find what it leaves


@contextmanager
def compiling(what: str, path: Path | None, name: str = "") -> Iterator[None]:
    """While code is compiled: other processes that want the same wait, and whoever waits for long is told why.

    Parameters
    ----------
    what : str, what the code belongs to: "GRU flows of 2 units"
    path : pathlib.Path, the file under which the code is kept; None where it cannot be
    name : str, the function, where several belong to one file
    """
    where = "once per machine" if path is not None else "in every process, as no directory for it can be written to"
    mine = nullcontext() if path is None else turn(turns_of(path) / f"{path.stem}.{name}.turn")
    with notice(f"compiling the kernels of {what} ({where}) ..."), mine:
        yield


def chapter_of(function: Callable[..., Any]) -> str:
    """The chapter of the package that a function is of, for whoever waits for it: "gating_theory.spectrum"."""
    return ".".join((function.__module__ or "generated code").split(".")[:2])


def _sharing(compiled, function, path, what):
    """A dispatcher or CFunc of numba that compiles when no other process does, and says so to whoever waits."""
    kept = compiled._cache = _Kept(function, path, what)
    compile = compiled.compile

    def compile_in_turn(*signature):
        try:
            return compile(*signature)
        finally:
            kept.end()

    compiled.compile = compile_in_turn
    return compiled


class _Kept:
    """What numba asks for machine code, and hands it to: its own files for a function, which one process at a time fills."""

    def __init__(self, function: Callable[..., Any], path: Path | None, what: str) -> None:
        from numba.core.caching import FunctionCache

        self.path, self.files = path, None
        if path is not None:
            try:
                self.files = FunctionCache(function)
            except RuntimeError:  # numba finds no directory that it can write to
                self.path = None
        self.what, self.name = what, function.__qualname__
        self._compiling = ExitStack()

    @property
    def cache_path(self) -> str | None:
        """The directory, for numba's statistics."""
        return None if self.files is None else self.files.cache_path

    def load_overload(self, signature: Any, context: Any) -> Any:
        """The code for a signature; None where there is none, and then it is this process's turn to compile it."""
        found = self._load(signature, context)
        if found is None:
            self._compiling.enter_context(compiling(self.what, self.path, self.name))
            found = self._load(signature, context)  # whose turn it was may have left it
        return found

    def save_overload(self, signature: Any, code: Any) -> None:
        """Keep what was compiled."""
        if self.files is not None:
            try:
                self.files.save_overload(signature, code)
            except Exception:  # a full disk, a directory that somebody removed at this moment
                self._forget()

    def end(self) -> None:
        """The turn is over, whether there is code now or not."""
        self._compiling.close()

    def _load(self, signature, context):
        if self.files is None:
            return None
        try:
            return self.files.load_overload(signature, context)
        except Exception:  # damaged files
            self._forget()
            return None

    def _forget(self):
        for file in files_of(self.path):
            if file.suffix in (".nbi", ".nbc"):
                remove(file)


# --- texts and their files


def _module(text, path, namespace):
    """A module of this text: numba looks functions up in modules, and their files by what the code says it comes from."""
    file = "<generated>" if path is None else os.fspath(path)
    module = ModuleType(f"gating_theory_generated_{hashlib.sha256(text.encode()).hexdigest()[:20]}")
    vars(module).update({name: value for name, value in namespace.items() if not name.startswith("__")})
    exec(compile(text, file, "exec"), vars(module))
    sys.modules[module.__name__] = module
    return module


def _as_if_from(path, function):
    """The same function of another file: numba keeps its own beside the one that a function says it comes from."""
    code = function.__code__.replace(co_filename=os.fspath(path))
    same = FunctionType(code, function.__globals__, function.__name__, function.__defaults__, function.__closure__)
    for name in ("__module__", "__qualname__", "__doc__", "__kwdefaults__", "__annotations__"):
        setattr(same, name, getattr(function, name))
    return same


@lru_cache(maxsize=32)
def _copy_of(file):
    """The file of the user's directory that says what a module's own file says; None where there is no such file."""
    try:
        source = Path(file).read_text(encoding="utf-8")
    except OSError:  # code that comes from no file
        return None
    place = Path(file).with_suffix("")
    return _kept(f"{place.parent.name} {place.name}", source)[1]


def _kept(title, source):
    """The text, with the versions that its machine code is of, and the file that holds it; None where that is impossible."""
    import numba

    versions = f"gating_theory {__version__}, numba {numba.__version__}, Python {platform.python_version()}"
    text = f"{source}\n# {ascii(title)}, {versions}\n"  # at the end: lines keep their numbers
    content = text.encode()
    try:
        path = file_for(title, content, ".py")
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            for file in files_of(path):
                remove(file)
            write_atomically(path, lambda temporary: Path(temporary).write_bytes(content))
            forget_the_oldest(path.parent, path)
    except (OSError, RuntimeError):  # RuntimeError: no home directory
        return text, None
    with suppress(OSError):  # a directory that may only be read
        os.utime(path, (time.time(), _WRITTEN))  # the time of access is that of the last use
    return text, path
