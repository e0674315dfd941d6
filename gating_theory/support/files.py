"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import uuid

__all__ = ["write_atomically"]


def write_atomically(path, write):
    """Call ``write(temporary)`` for a file in the same directory and move it to ``path`` once it is complete.

    Parameters
    ----------
    path : pathlib.Path
    write : callable
        Takes the name of a file that does not exist yet, and creates it.

    Raises
    ------
    Whatever ``write`` raises; the temporary file is removed and ``path`` untouched.
    """
    if path.is_dir():
        raise IsADirectoryError(f"path must be a file, got the directory {path}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"the directory {path.parent} does not exist")
    temporary = path.parent / f".{path.name}.{uuid.uuid4().hex[:12]}.tmp"
    try:
        write(os.fspath(temporary))
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())  # the content is on the disk before the name points to it
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
