"""Files in the user's cache directory: what took long to make, found again by later processes.

What is kept has a name that says what it is, and a hash of all that it was made from: another version never finds it. Files that
are damaged or written by another user are as good as none. Where nothing can be written everything is made anew, in silence.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import re
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from .files import write_atomically

__all__ = [
    "DIRECTORY_VARIABLE",
    "clear_kernels",
    "file_for",
    "files_of",
    "forget_the_oldest",
    "keep",
    "keep_value",
    "kernel_directory",
    "read_kept",
    "read_value",
    "remove",
    "turns_of",
]

#: The environment variable that says where generated code is kept.
DIRECTORY_VARIABLE = "GATING_THEORY_CACHE_DIR"

#: Bytes that are kept: one kernel has 20 to 100 kB, what is derived from one cell 100 kB. Those that were not used for longest go.
_MOST_BYTES = 256 * 2**20

#: Endings of what is kept: texts of modules, beside which numba has files of its own, and bytes.
_TEXT, _BYTES = ".py", ".kept"


def kernel_directory() -> Path:
    """Where generated code is kept; the directory need not exist, and may be removed at any time.

    Returns
    -------
    pathlib.Path
        What the environment variable GATING_THEORY_CACHE_DIR says, or "gating_theory" in numba's own NUMBA_CACHE_DIR, or in the
        user's directory for such files: ``~/.cache`` or XDG_CACHE_HOME (Linux), ``~/Library/Caches`` (macOS), ``%LOCALAPPDATA%``
        (Windows).

    See Also
    --------
    gating_theory.flow.clear_kernels : Empties it.

    Examples
    --------
    >>> import gating_theory as gt
    >>> gt.flow.kernel_directory()  # doctest: +SKIP
    PosixPath('/home/ada/.cache/gating_theory')
    """
    own = os.environ.get(DIRECTORY_VARIABLE)
    if own:
        return Path(own).expanduser().absolute()
    numba_directory = _numba_directory()
    if numba_directory is not None:
        return numba_directory / "gating_theory"
    return _user_directory() / "gating_theory"


def file_for(title: str, made_from: bytes, ending: str = _BYTES) -> Path:
    """The file in which that is kept which was made from these bytes.

    Parameters
    ----------
    title : str, what it is, for whoever looks into the directory
    made_from : bytes, all that it depends on, versions too
    ending : str
    """
    words = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40]
    return kernel_directory() / f"{words}-{hashlib.sha256(made_from).hexdigest()[:20]}{ending}"


def read_kept(title: str, made_from: bytes) -> bytes | None:
    """What :func:`keep` wrote for the same title and origin, or None.

    Parameters
    ----------
    title : str
    made_from : bytes
    """
    try:
        path = file_for(title, made_from)
        with open(path, "rb") as file:
            if hasattr(os, "getuid") and os.fstat(file.fileno()).st_uid != os.getuid():
                return None
            content = file.read()
    except (OSError, RuntimeError):  # RuntimeError: no home directory
        return None
    digest, content = content[:32], content[32:]
    if hashlib.sha256(content).digest() != digest:
        return None
    try:
        os.utime(path)  # the last use
    except OSError:
        pass
    return content


def keep(title: str, made_from: bytes, content: bytes) -> None:
    """Keep these bytes for later processes, where that is possible.

    Parameters
    ----------
    title : str
    made_from, content : bytes
    """
    try:
        path = file_for(title, made_from)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        whole = hashlib.sha256(content).digest() + content
        write_atomically(path, lambda temporary: Path(temporary).write_bytes(whole), lasting=False)
        _forget_once(path.parent)
    except (OSError, RuntimeError):
        return


def read_value(title: str, made_from: bytes, otherwise: Any = None) -> Any:
    """The object that :func:`keep_value` wrote for the same title and origin.

    Parameters
    ----------
    title : str
    made_from : bytes
    otherwise : what is returned where there is none
    """
    content = read_kept(title, made_from)
    try:
        return otherwise if content is None else pickle.loads(content)
    except Exception:  # whatever it is that cannot be read, it is made anew
        return otherwise


def keep_value(title: str, made_from: bytes, value: Any) -> None:
    """Keep an object for later processes, where that is possible.

    Parameters
    ----------
    title : str
    made_from : bytes
    value : object that can be pickled
    """
    keep(title, made_from, pickle.dumps(value, pickle.HIGHEST_PROTOCOL))


def clear_kernels() -> int:
    """Remove all generated code that is kept on disk; what this process has loaded goes on working.

    Returns
    -------
    int, the number of files removed

    See Also
    --------
    gating_theory.flow.kernel_directory : Where it is.

    Examples
    --------
    >>> import gating_theory as gt
    >>> gt.flow.clear_kernels()  # doctest: +SKIP
    214
    """
    directory = kernel_directory()
    return sum(remove(file) for source in _kept(directory) for file in files_of(source))


@lru_cache(maxsize=4)
def _forget_once(directory):
    """Once a process and directory is often enough."""
    forget_the_oldest(directory)


def forget_the_oldest(directory: Path, new: Path | None = None) -> None:
    """Remove what was not used for longest until the rest is within its limit.

    Parameters
    ----------
    directory : pathlib.Path
    new : pathlib.Path, optional, what is kept in any case
    """
    sizes = {source: sum(_size(file) for file in files_of(source)) for source in _kept(directory)}
    total = sum(sizes.values())
    for source in sorted(sizes, key=_last_use):
        if total <= _MOST_BYTES:
            break
        if source != new:
            total -= sizes[source]
            for file in files_of(source):
                remove(file)


def files_of(source: Path) -> Iterator[Path]:
    """The file of what is kept, for a text numba's files with its machine code, and what processes that died left of their turns.

    Parameters
    ----------
    source : pathlib.Path
    """
    yield source
    yield from turns_of(source).glob(f"{source.stem}.*")
    if source.suffix != _TEXT:
        return
    places = [source.parent / "__pycache__"]
    numba_directory = _numba_directory()
    if numba_directory is not None:
        places += numba_directory.glob(f"{source.parent.name}_*")
    for place in places:
        yield from place.glob(f"{source.stem}.*")


def turns_of(source: Path) -> Path:
    """The folder of the files that say which process makes what is kept.

    Parameters
    ----------
    source : pathlib.Path, the file of what is kept
    """
    return source.parent / "turns"


def remove(file: Path) -> bool:
    """Remove a file, if it can be.

    Parameters
    ----------
    file : pathlib.Path
    """
    try:
        file.unlink()
    except OSError:
        return False
    return True


def _kept(directory):
    try:
        return [file for ending in (_TEXT, _BYTES) for file in directory.glob("*-" + "[0-9a-f]" * 20 + ending)]
    except OSError:
        return []


def _size(file):
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _last_use(file):
    try:
        return file.stat().st_atime
    except OSError:
        return 0.0


def _numba_directory():
    """What numba's own variable says; numba itself takes half a second to import."""
    own = os.environ.get("NUMBA_CACHE_DIR")
    return Path(own).absolute() if own else None


def _user_directory():
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
