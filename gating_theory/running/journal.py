"""Finished pieces of long work, kept on disk as they come, so that work that was killed goes on where it stopped."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ..version import __version__

__all__ = ["Journal"]

_FORMAT = "gating_theory journal"

#: Journals of this process: record locks keep out other processes only.
_held = set()


class Journal:
    """A file of finished pieces: a first line that describes the work, then one JSON line a piece, on the disk before it counts.

    A process that is killed, at any moment, leaves whole lines and at most the beginning of one, which is dropped. Only one
    process at a time may hold a journal.

    Parameters
    ----------
    path : str or path-like
        Of the file; it is made if there is none, in a directory that exists.
    description : dict, JSON-ready
        All that the pieces depend on. A file with another description, or of another version of this package, is refused.

    Attributes
    ----------
    pieces : dict, {number of the piece: value}

    Raises
    ------
    FileNotFoundError : no such directory
    ValueError : not a journal, or one of other work: the message says what differs
    RuntimeError : another process holds it
    """

    def __init__(self, path, description):
        self.path = Path(path)
        header = {"format": _FORMAT, "gating_theory": __version__, "description": description}
        header = json.loads(_line(header))
        if not self.path.exists():
            from ..support.files import write_atomically

            write_atomically(self.path, lambda name: Path(name).write_text(_line(header), encoding="utf-8"))
        self._name = os.path.realpath(self.path)
        if self._name in _held:
            raise RuntimeError(f"{self.path} is in use")
        self._file = open(self.path, "rb+")
        try:
            _lock(self._file, self.path)
            self.pieces = self._read(header)
        except BaseException:
            self._file.close()
            raise
        _held.add(self._name)

    def _read(self, header):
        content = self._file.read()
        whole = content.rfind(b"\n") + 1
        first, *lines = content[:whole].split(b"\n")[:-1] or [b""]
        try:
            found = json.loads(first)
        except ValueError:
            found = None
        if not isinstance(found, dict) or found.get("format") != _FORMAT:
            raise ValueError(f"{self.path} is not a journal of gating_theory")
        if found != header:
            raise ValueError(f"{self.path} holds other work: {_difference(found, header)}. Remove it, or choose another name")
        self._file.truncate(whole)
        self._file.seek(whole)
        try:
            return {number: value for number, value in map(json.loads, lines)}
        except (ValueError, TypeError) as error:
            raise ValueError(f"{self.path} is damaged: {error}") from None

    def record(self, number, value):
        """Write a piece to the disk; return it as it will be read back (tuples and arrays as lists)."""
        line = _line([number, value])
        self._file.write(line.encode())
        self._file.flush()
        os.fsync(self._file.fileno())
        self.pieces[number] = json.loads(line)[1]
        return self.pieces[number]

    def close(self):
        """Release the file. It stays where it is."""
        _held.discard(self._name)
        self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


def _line(value):
    return json.dumps(value, default=_plain) + "\n"


def _plain(value):
    if hasattr(value, "tolist"):  # numpy arrays and numbers; floats survive exactly, nan too
        return value.tolist()
    raise TypeError(f"a journal holds numbers, strings, lists and dicts, got {value!r}")


def _lock(file, path):
    try:
        import fcntl
    except ImportError:  # no such locks on this system
        return
    try:
        # gone with this process, however it ends; orphaned workers, which have inherited the open file, do not hold it
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise RuntimeError(f"{path} is in use by another process") from None


def _difference(old, new, where=""):
    """The first entry in which two descriptions differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            if old.get(key) != new.get(key):
                return _difference(old.get(key), new.get(key), f"{where}.{key}" if where else str(key))
    return f"{where} was {_short(old)} and is {_short(new)}"


def _short(value):
    text = json.dumps(value)
    return text if len(text) <= 80 else text[:77] + "..."
