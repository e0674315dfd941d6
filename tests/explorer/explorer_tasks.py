"""Tasks for processes: what a page would ask for, in small."""

import os
import time
from pathlib import Path

from gating_theory.errors import ConvergenceError
from gating_theory.explorer.background import stay_wanted


def count(n, seconds=0.0):
    for number in range(n):
        time.sleep(seconds)
        yield number


def who():
    yield os.getpid()


def deaf(seconds):
    """One piece that looks at nothing until it is done."""
    yield os.getpid()
    time.sleep(seconds)
    yield "late"


def listening(seconds):
    """One piece that looks whether it is wanted."""
    yield os.getpid()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.01)
        stay_wanted()
    yield "late"


def dies():
    yield os.getpid()
    os._exit(3)


def fails(kind):
    yield 1
    raise {"ours": ConvergenceError, "bug": KeyError}[kind]("what went wrong")


def no_pickle():
    yield lambda: None


def leaves(path, seconds):
    """A file, after a while in one piece."""
    time.sleep(seconds)
    Path(path).touch()
    yield path


def exists(path):
    yield Path(path).exists()
