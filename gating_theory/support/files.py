"""Files that are there whole or not at all."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import stat
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["machine_name", "process_lives", "regular_file", "write_atomically"]

#: Temporary files: of which machine, of which process. Short, since a name in a directory has 255 bytes.
_NAME = re.compile(r"\.gating-theory-(?P<machine>[0-9a-f]{8})-(?P<process>\d+)-[0-9a-f]{8}\.tmp")


def regular_file(path: Path) -> Path:
    """The file that ``path`` means, through symbolic links; it need not exist.

    Parameters
    ----------
    path : pathlib.Path

    Raises
    ------
    IsADirectoryError, OSError
        a directory; a device, a pipe or anything else that is no regular file
    """
    path = Path(os.path.realpath(path)) if path.is_symlink() else path
    if path.is_dir():
        raise IsADirectoryError(f"path must be a file, got the directory {path}")
    if path.exists() and not path.is_file():
        raise OSError(f"path must be a regular file, got a device, pipe or socket: {path}")
    return path


def write_atomically(path: Path, write: Callable[[str], object], lasting: bool = True) -> None:
    """Call ``write(temporary)`` for a file in the same directory and move it to ``path`` once it is complete.

    A symbolic link stays one, and the file that it points to is replaced; a file that exists keeps its mode. Temporary files of
    processes of this machine that died while they were writing into the same directory are removed.

    Parameters
    ----------
    path : pathlib.Path
    write : callable
        Takes the name of a file that does not exist yet, and creates it.
    lasting : bool
        Wait until the content is on the disk. What can be made again need not outlive a power cut.

    Raises
    ------
    IsADirectoryError, FileNotFoundError, OSError
        no regular file, no such directory
    Whatever ``write`` raises; the temporary file is removed and ``path`` untouched.
    """
    path = regular_file(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"the directory {path.parent} does not exist")
    _remove_leftovers(path.parent)
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else None
    temporary = path.parent / f".gating-theory-{machine_name()}-{os.getpid()}-{uuid.uuid4().hex[:8]}.tmp"
    try:
        write(os.fspath(temporary))
        if lasting:
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())  # the content is on the disk before the name points to it
        if mode is not None:
            os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def machine_name() -> str:
    """A short name of this machine, made of letters and digits."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def _remove_leftovers(directory: Path) -> None:
    if os.name != "posix":  # elsewhere there is no harmless way to ask for a process
        return
    try:
        names = os.listdir(directory)
    except OSError:  # a directory may be written to, but not listed
        return
    for name in names:
        match = _NAME.fullmatch(name)
        if match and match["machine"] == machine_name() and not process_lives(int(match["process"])):
            try:
                (directory / name).unlink(missing_ok=True)
            except OSError:  # of another user
                continue


def process_lives(process: int) -> bool:
    """Whether a process of this machine runs; True where there is no harmless way to ask.

    Parameters
    ----------
    process : int, its number
    """
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        pass
    return True
