"""Finished pieces of long work, kept on disk as they come, so that work that was killed goes on where it stopped."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ..results.checksum import require_checksum, signed
from ..results.encoding import decode, encode
from ..support.checks import path_of
from ..support.files import regular_file, write_atomically
from ..version import __version__

__all__ = ["Journal"]

_FORMAT = "gating_theory journal"

#: Journals of this process: record locks keep out other processes only.
_held: set[str] = set()


class Journal:
    """A file of finished pieces: a first line that describes the work, then one JSON line a piece, on the disk before it counts.

    A process that is killed, at any moment, leaves whole lines and at most the beginning of one, which is dropped. Every line
    carries a checksum. Only one process at a time may hold a journal.

    Parameters
    ----------
    path : str or path-like
        Of the file; it is made if there is none, in a directory that exists.
    description : dict
        All that the pieces depend on. A file with another description, or of another version of this package, is refused.

    Attributes
    ----------
    pieces : dict, {number of the piece: value}

    Raises
    ------
    FileNotFoundError
        no such directory
    ValueError
        not a journal, damaged, or one of other work: the message says what differs
    RuntimeError
        another process holds it
    """

    def __init__(self, path: str | os.PathLike[str], description: dict[str, Any]) -> None:
        self.path = path_of("journal", path)
        header = signed({"format": _FORMAT, "gating_theory": __version__, "description": encode(description)})
        if not regular_file(self.path).exists():
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
        if _is_record(content[whole:-1]):  # a write that was cut short has no whole record, one without its end has no byte more
            raise ValueError(f"{self.path} is damaged: the end of its last line is missing")
        first, *lines = content[:whole].split(b"\n")[:-1] or [b""]
        try:
            found = json.loads(first)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict) or found.get("format") != _FORMAT:
            raise ValueError(f"{self.path} is not a journal of gating_theory")
        if "checksum" not in found:
            raise ValueError(f"{self.path} was written by an earlier development version. Remove it, or choose another name")
        require_checksum(found, f"{self.path}, line 1,")
        if found != header:
            raise ValueError(f"{self.path} holds other work: {_difference(found, header)}. Remove it, or choose another name")
        pieces = dict(self._piece(number, line) for number, line in enumerate(lines, start=2))
        self._file.truncate(whole)
        self._file.seek(whole)
        return pieces

    def _piece(self, number, line):
        where = f"{self.path}, line {number},"
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{where} is damaged: {error}") from None
        if not isinstance(record, dict):
            raise ValueError(f"{where} is damaged: no piece of work")
        require_checksum(record, where)
        return record["piece"], decode(record["value"])

    def record(self, number: int, value: Any) -> Any:
        """Write a piece to the disk; return it as it will be read back, equal to ``value``.

        Parameters
        ----------
        number : int
        value : whatever a result may hold (see ``results.encoding``)

        Raises
        ------
        TypeError
            something else in it
        """
        record = signed({"piece": number, "value": encode(value)})
        self._file.write(_line(record).encode())
        self._file.flush()
        os.fsync(self._file.fileno())
        self.pieces[number] = decode(record["value"])
        return self.pieces[number]

    def close(self) -> None:
        """Release the file. It stays where it is."""
        _held.discard(self._name)
        self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


def _line(record):
    return json.dumps(record) + "\n"


def _is_record(line):
    try:
        require_checksum(json.loads(line), "")
    except (ValueError, RecursionError, AttributeError):
        return False
    return True


def _lock(file, path):
    try:
        import fcntl
    except ImportError:  # no such locks on this system
        return
    try:
        # the system releases the lock when this process ends, even if it is killed; workers that outlive it have inherited the open
        # file, but not the lock
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
