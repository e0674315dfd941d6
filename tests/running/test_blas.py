"""BLAS on one thread, inside the context only."""

import pytest
from threadpoolctl import threadpool_info

from gating_theory.running.blas import single_blas_thread


def threads():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_blas_is_held_to_one_thread():
    with single_blas_thread():
        assert all(pool["num_threads"] == 1 for pool in threadpool_info() if pool["user_api"] == "blas")


def test_the_number_of_threads_comes_back():
    with single_blas_thread():  # finds all libraries
        pass
    before = threads()
    assert before
    with pytest.raises(ZeroDivisionError), single_blas_thread():
        raise ZeroDivisionError
    assert threads() == before
