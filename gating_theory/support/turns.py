"""Work that one process does while the others wait for it: a file says who is at it.

A lock that ends with its holder would be the system's own, which many network drives lack. So a file is made, which only one
process can; it is as good as none once its process is dead, or once it is older than any such work takes. Nobody waits for ever: a
file that cannot be made, or one that stays, means that the work is done twice, which costs time and nothing else.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .files import machine_name, process_lives
from .kept import remove

__all__ = ["turn"]

#: Seconds after which a turn is over, whoever has it.
_LONGEST = 600.0
#: Seconds between two looks: the first, and the longest.
_PAUSES = 0.01, 0.2


@contextmanager
def turn(path: Path) -> Iterator[None]:
    """Wait until no other process of this user has the file ``path``, and have it while the work inside runs.

    Parameters
    ----------
    path : pathlib.Path
        Its directory is made if need be.
    """
    mine = _wait(path)
    try:
        yield
    finally:
        if mine and _holder(path) == _me():  # a process that was forked off meanwhile, or a turn that was taken away, is not me
            remove(path)


def _wait(path):
    """Whether the file is this process's in the end."""
    pause, given_up = _PAUSES[0], time.monotonic() + _LONGEST
    while time.monotonic() < given_up:
        made = _make(path)
        if made is not None:
            return made
        if _over(path):
            remove(path)
            continue
        time.sleep(pause)
        pause = min(2.0 * pause, _PAUSES[1])
    return False


def _make(path):
    """True: made. False: it cannot be. None: another process has made it."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return False
    try:
        file = open(path, "x", encoding="utf-8")
    except FileExistsError:
        return None
    except OSError:
        return False
    try:
        with file:
            file.write(_me())
    except OSError:  # a full disk
        remove(path)
        return False
    return True


def _over(path):
    """Whether the turn is of a process that has ended, of this very process, which left it behind, or of old."""
    try:
        age = time.time() - path.stat().st_mtime
    except OSError:  # its holder has just ended it
        return False
    holder = _holder(path)
    machine, _, process = holder.partition(" ")
    dead = machine == machine_name() and process.isdigit() and not process_lives(int(process))
    return dead or holder == _me() or age > _LONGEST


def _holder(path):
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _me():
    return f"{machine_name()} {os.getpid()}"
