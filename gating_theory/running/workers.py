"""Worker processes: how many there may be, and that they end with the process that started them."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time

from ..support.checks import integer

__all__ = ["allowed_jobs", "cores", "end_with_parent"]

#: Workers for each core: more only take memory.
_PER_CORE = 4
#: Seconds between two looks at whether the parent is still there.
_EVERY = 1.0

_watching = threading.Lock()


def cores() -> int:
    """The number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def allowed_jobs(jobs: int) -> int:
    """A number of worker processes, checked.

    Parameters
    ----------
    jobs : int >= 1, at most four for each core that this process may use

    Raises
    ------
    TypeError, ValueError
        other numbers
    """
    jobs, own = integer("jobs", jobs, low=1), cores()
    if jobs > _PER_CORE * own:
        most = f"{_PER_CORE * own}, {_PER_CORE} for each of the {own} cores that this process may use"
        raise ValueError(f"jobs must be at most {most}, got {jobs}")
    return jobs


def end_with_parent() -> None:
    """In a worker process: end soon after the process that made it. Elsewhere nothing is done.

    A worker waits for tasks on a pipe whose other end its siblings have inherited, and so would wait for ever. Processes that other
    systems look after (those of a cluster) are nobody's workers here.
    """
    if multiprocessing.parent_process() is None or not _watching.acquire(blocking=False):
        return  # no worker, or watched already: the lock is never released
    threading.Thread(target=_watch, args=(os.getppid(),), daemon=True, name="end with parent").start()


def _watch(parent):
    while os.getppid() == parent:
        time.sleep(_EVERY)
    os._exit(1)  # at once: there is nobody to clean up for, and other threads may be in compiled code
