"""Threads that share the work on parts of large arrays."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeVar

from .workers import cores

__all__ = ["Threads", "allowed_threads"]

_T = TypeVar("_T")


def allowed_threads() -> int:
    """How many threads may work at once: one for each core that this process may use.

    Fewer where OMP_NUM_THREADS says so, which schedulers of clusters set; one in worker processes, whose siblings have the
    other cores.
    """
    if multiprocessing.parent_process() is not None:
        return 1
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()  # OpenMP takes one number for each level of nesting
    wish = int(first) if first.isdecimal() else 0
    return min(wish or cores(), cores())


class Threads:
    """This thread and a few more, for numpy's functions and those of BLAS, which let other threads run.

    To be used as a context; without one, or with one thread, all is done by the thread that asks.

    Parameters
    ----------
    most : int >= 1, threads that there is work for
    """

    def __init__(self, most: int) -> None:
        self.count = min(allowed_threads(), most)
        self._others: ThreadPoolExecutor | None = None

    def __enter__(self) -> Threads:
        if self.count > 1:
            self._others = ThreadPoolExecutor(self.count - 1)
        return self

    def __exit__(self, *error: object) -> None:
        if self._others is not None:
            self._others.shutdown()
            self._others = None

    def each(self, function: Callable[[int], _T], count: int) -> list[_T]:
        """``function(i)`` for all i < count, in this order; whoever is free takes the next.

        Parameters
        ----------
        function : callable, which sees numpy's error state and all other context variables as they are here
        count : int

        Raises
        ------
        Whatever ``function`` raises first; what has not been begun by then is left undone
        """
        if self._others is None:
            return [function(i) for i in range(count)]
        results: list[Any] = [None] * count
        waiting = deque(range(count))

        def work():
            try:
                while True:
                    try:
                        i = waiting.popleft()
                    except IndexError:
                        return
                    results[i] = function(i)
            except BaseException:
                waiting.clear()
                raise

        helpers = [self._others.submit(copy_context().run, work) for _ in range(self.count - 1)]
        try:
            work()
        finally:
            waiting.clear()  # nothing is left, unless this thread was interrupted
            errors = [helper.exception() for helper in helpers]  # waits for them
        for error in errors:
            if error is not None:
                raise error
        return results
