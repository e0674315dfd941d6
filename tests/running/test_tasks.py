"""Tasks come back in order, and what has not started after an error does not."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from gating_theory.running.tasks import run_tasks


@pytest.mark.parametrize("workers", [None, 1, 3])
def test_results_carry_their_number(workers):
    tasks = [(i, 2) for i in range(20)]
    if workers is None:
        assert list(run_tasks(pow, tasks)) == [(i, i**2) for i in range(20)]
    else:
        with ThreadPoolExecutor(workers) as executor:
            assert dict(run_tasks(pow, tasks, executor)) == {i: i**2 for i in range(20)}


def test_an_error_cancels_the_rest():
    started, release = [], threading.Event()

    def work(i):
        started.append(i)
        if i == 0:
            raise ZeroDivisionError
        release.wait(10)

    with ThreadPoolExecutor(1) as executor:
        with pytest.raises(ZeroDivisionError):
            list(run_tasks(work, [(i,) for i in range(50)], executor))
        release.set()
    assert len(started) <= 3


def test_leaving_early_cancels_the_rest():
    started, release = [], threading.Event()

    def work(i):
        started.append(i)
        if i:
            release.wait(10)

    with ThreadPoolExecutor(1) as executor:
        results = run_tasks(work, [(i,) for i in range(50)], executor)
        next(results)
        results.close()
        release.set()
    assert len(started) <= 3
