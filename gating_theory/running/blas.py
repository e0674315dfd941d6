"""The one way to one BLAS thread: small matrices are slower on several."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

__all__ = ["single_blas_thread"]

#: How many threads are inside, what undoes the limit, and who may look.
_inside = 0
_limit: Any = None
_counting = threading.Lock()


@cache
def _thread_pools():
    """This process's BLAS libraries. Finding them takes milliseconds, as long as a small task: once is enough."""
    import scipy.linalg  # noqa: F401  # brings the last library that the calculators use
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextmanager
def single_blas_thread() -> Iterator[None]:
    """A context in which BLAS uses one thread: small matrices are slower on several.

    BLAS has one number of threads for the whole process: the first thread that enters sets it, the last that leaves sets it back.
    """
    global _inside, _limit
    with _counting:
        if _inside == 0:
            _limit = _thread_pools().limit(limits=1)
        _inside += 1
    try:
        yield
    finally:
        with _counting:
            _inside -= 1
            if _inside == 0:
                _limit.restore_original_limits()
