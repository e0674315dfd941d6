"""Worker processes that a Ctrl-C ends quietly.

A terminal interrupts all processes of a command at once. A worker in the midst of a task hands the interrupt back as the task's
outcome, and takes no other; one that waits only remembers it. So none prints a traceback, and none is missed by the executor.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

from ..running.workers import allowed_jobs, end_with_parent

__all__ = ["workers"]

#: In a worker: whether it has been interrupted.
_interrupted = False


@contextmanager
def workers(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """An executor of ``jobs`` processes; after an interrupt, also of this process alone, what they do is given up.

    They end with this process, even if it is killed. ValueError for more than ``allowed_jobs``.
    """
    with _Pool(allowed_jobs(jobs), initializer=_begin) as executor:
        try:
            yield executor
        except KeyboardInterrupt:
            for child in multiprocessing.active_children():
                if child.pid is not None:
                    os.kill(child.pid, signal.SIGINT)
            raise


def _begin():
    signal.signal(signal.SIGINT, _remember)
    end_with_parent()


class _Pool(ProcessPoolExecutor):
    def submit(self, function: Callable[..., Any], /, *arguments: Any, **options: Any) -> Future:
        return super().submit(_run, function, arguments, options)


def _run(function, arguments, options):
    try:
        signal.signal(signal.SIGINT, _give_up)
        if _interrupted:
            raise KeyboardInterrupt
        return function(*arguments, **options)
    finally:
        signal.signal(signal.SIGINT, _remember)


def _remember(number, frame):
    global _interrupted
    _interrupted = True


def _give_up(number, frame):
    _remember(number, frame)
    signal.signal(signal.SIGINT, _remember)  # once is enough
    raise KeyboardInterrupt
