"""Tasks on any executor: submitted at once, collected in order, cancelled after an error; one BLAS thread in each."""

from __future__ import annotations

from functools import cache

__all__ = ["known_cell", "run_tasks", "single_blas_thread"]

#: Cells met by this process: tasks bring equal cells, and only one of them should be compiled.
_known_cells = {}


def known_cell(cell):
    """The first Cell equal to ``cell`` that this process has met, with all that has been compiled for it."""
    return _known_cells.setdefault(cell, cell)


def run_tasks(function, tasks, executor=None):
    """Results of ``function(*task)`` for each task, in their order, as they come.

    Parameters
    ----------
    function : callable, picklable where the executor needs it
    tasks : sequence of tuples
    executor : anything with a ``submit`` like concurrent.futures.Executor; None for this process

    Yields
    ------
    The results. After an error or an interrupt what has not started yet is cancelled.
    """
    if executor is None:
        for task in tasks:
            yield function(*task)
        return
    futures = []
    try:
        for task in tasks:
            futures.append(executor.submit(function, *task))
        for future in futures:
            yield future.result()
    finally:
        for future in futures:  # no effect on those that are done
            future.cancel()


@cache
def _thread_pools():
    """This process's BLAS libraries. Finding them takes milliseconds, as long as a small task: once is enough."""
    import scipy.linalg  # noqa: F401  # brings the last library that the calculators use
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def single_blas_thread():
    """A context in which BLAS uses one thread: small matrices are slower on several."""
    return _thread_pools().limit(limits=1)
