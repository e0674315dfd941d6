"""Threads that share parts: results in order, errors passed on, as many as may work."""

import os
import threading

import numpy as np
import pytest

from gating_theory.running.threads import Threads, allowed_threads


@pytest.fixture
def three_cores(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2}, raising=False)


def test_as_many_as_may_work(three_cores, monkeypatch):
    assert allowed_threads() == 3
    for text, count in {"2": 2, "1": 1, "64": 3, "2,4": 2, "": 3, "many": 3, "0": 3}.items():
        monkeypatch.setenv("OMP_NUM_THREADS", text)
        assert allowed_threads() == count, text
    assert Threads(2).count <= 2


def test_results_come_in_order_and_all_threads_work(three_cores):
    together = threading.Barrier(3)  # passed only if three threads are at work at once

    def work(i):
        if i < 3:
            together.wait(timeout=60)
        return i * i

    with Threads(8) as threads:
        assert threads.each(work, 8) == [i * i for i in range(8)]
        assert threads.each(str, 0) == []
    assert threads.each(lambda i: threading.current_thread(), 2) == [threading.current_thread()] * 2  # the context is left


def test_errors_are_passed_on_and_nothing_more_is_begun(three_cores):
    begun = []

    def work(i):
        begun.append(i)
        raise ValueError(f"part {i}")

    with Threads(3) as threads:
        with pytest.raises(ValueError, match="part"):
            threads.each(work, 1000)
        assert len(begun) <= 3
        assert threads.each(str, 2) == ["0", "1"]  # and go on


def test_error_state_is_that_of_who_asks(three_cores):
    together = threading.Barrier(3)

    def work(i):
        together.wait(timeout=60)
        return np.geterr()["over"]

    with Threads(3) as threads, np.errstate(over="raise"):
        assert threads.each(work, 3) == ["raise"] * 3
