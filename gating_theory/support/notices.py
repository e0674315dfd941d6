"""Words for whoever waits: what takes longer than a second is said once, on a terminal or in a notebook, and nowhere else."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["PATIENCE", "notice"]

#: Seconds for which nobody asks what is going on.
PATIENCE = 1.0

#: {text: seconds that this has taken so far}, until it is said; what is said; what runs.
_spent: dict[str, float] = {}
_said: set[str] = set()
_running: set[str] = set()
_once = threading.Lock()


@contextmanager
def notice(text: str) -> Iterator[None]:
    """While the work inside runs: say ``text`` once it has taken a second, with all earlier work of the same text in this process.

    Parameters
    ----------
    text : str, one line: "deriving the equations of cell 'mine' ..."
    """
    if text in _said or text in _running or not _somebody_reads():
        yield
        return
    started, left = time.monotonic(), PATIENCE - _spent.get(text, 0.0)
    if left <= 0.0:
        _say(text)
    timer = threading.Timer(left, _say, [text])
    timer.daemon = True
    _running.add(text)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        _running.discard(text)
        _spent[text] = _spent.get(text, 0.0) + time.monotonic() - started


def _say(text):
    with _once:
        if text in _said:
            return
        _said.add(text)
    # a line of progress that is renewed in place is written over
    print(f"\rgating_theory: {text}", file=sys.stderr, flush=True)


def _somebody_reads():
    """Whether standard error is a terminal, or a notebook's."""
    try:
        return sys.stderr.isatty() or type(sys.stderr).__module__.startswith("ipykernel")
    except (AttributeError, ValueError):  # there is none, or it is closed
        return False
