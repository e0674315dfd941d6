"""Tasks on any executor: submitted at once, collected as they finish, cancelled after an error."""

from __future__ import annotations

import multiprocessing
import os
import warnings
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import BrokenExecutor, Future, as_completed
from contextlib import closing, nullcontext
from typing import Any

from ..support.checks import shown
from ..support.types import Executor
from ..support.types import Progress as Wanted
from .journal import Journal
from .progress import Progress
from .workers import end_with_parent

__all__ = ["check_executor", "collect", "run_tasks"]


def check_executor(executor: object) -> None:
    """TypeError unless ``executor`` is None or has a ``submit``."""
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise TypeError(f"executor must have a submit method like concurrent.futures.Executor, got {shown(executor)}")


def collect(
    function: Callable[..., Any],
    tasks: Sequence[tuple],
    sizes: Sequence[int],
    unit: str,
    *,
    executor: Executor | None = None,
    progress: Wanted = None,
    journal: str | os.PathLike[str] | None = None,
    work: dict[str, Any] | None = None,
) -> list[Any]:
    """Results of ``function(*task)`` for each task, in their order; see :func:`run_tasks`.

    Parameters
    ----------
    function, tasks, executor : as for run_tasks
    sizes : sequence of int, units of work in each task
    unit : str, what these units are called
    progress : None, True or callable(done, total), told in units
    journal : path of a file for finished tasks, optional
    work : dict, JSON-ready
        All that the results depend on, for the journal.

    Raises
    ------
    KeyboardInterrupt
        with a note of how much is in the journal
    Whatever ``function`` raises
    """
    out: list[Any] = [None] * len(tasks)
    with nullcontext() if journal is None else Journal(journal, work or {}) as pieces:
        results = run_tasks(function, tasks, executor, pieces)
        try:
            with closing(results), Progress(progress, sum(sizes), unit) as tell:
                for i, result in results:
                    out[i] = result
                    tell(sizes[i])
        except KeyboardInterrupt as stop:
            if pieces is not None:
                kept = sum(sizes[i] for i in pieces.pieces)
                stop.add_note(f"{kept} of {sum(sizes)} {unit}s are in {journal}: the same work goes on from there")
            raise
    return out


def run_tasks(
    function: Callable[..., Any], tasks: Sequence[tuple], executor: Executor | None = None, journal: Journal | None = None
) -> Generator[tuple[int, Any], None, None]:
    """``(i, function(*tasks[i]))`` for each task, as they finish.

    Parameters
    ----------
    function : callable, picklable where the executor needs it
    tasks : sequence of tuples
    executor : anything with a ``submit`` like concurrent.futures.Executor; None for this process
    journal : Journal, optional
        Pieces it holds are not computed again, new ones are recorded. Results are then as JSON gives them back.

    Yields
    ------
    Pairs, those of the journal first. After an error or an interrupt what has not started yet is cancelled. Where worker processes
    die and their pool with them, this process does the rest, with a RuntimeWarning.
    """
    held = {} if journal is None else journal.pieces
    keep = (lambda number, value: value) if journal is None else journal.record
    yield from [(i, held[i]) for i in range(len(tasks)) if i in held]
    left = [i for i in range(len(tasks)) if i not in held]
    if executor is not None:
        done = set()
        try:
            for i, value in _submitted(function, tasks, left, executor):
                yield i, keep(i, value)
                done.add(i)
        except BrokenExecutor as error:
            warnings.warn(f"the workers are lost ({error}): this process goes on alone", RuntimeWarning, stacklevel=2)
        left = [i for i in left if i not in done]
    for i in left:
        yield i, keep(i, function(*tasks[i]))


def _task(submitter, function, *arguments):
    """One task, wherever it runs; worker processes of the submitter end with it."""
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid == submitter:
        end_with_parent()
    return function(*arguments)


def _submitted(function, tasks, numbers, executor):
    futures = {}
    try:
        for i in numbers:
            futures[executor.submit(_task, os.getpid(), function, *tasks[i])] = i
        # other kinds of futures, which cannot be waited for together, are taken in order
        together = all(isinstance(future, Future) for future in futures)
        for future in as_completed(futures) if together else futures:
            yield futures[future], future.result()
    finally:
        for future in futures:  # no effect on those that are done
            future.cancel()
