"""The one way to one BLAS thread: small matrices are slower on several."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache

__all__ = ["single_blas_thread"]


@cache
def _thread_pools():
    """This process's BLAS libraries. Finding them takes milliseconds, as long as a small task: once is enough."""
    import scipy.linalg  # noqa: F401  # brings the last library that the calculators use
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def single_blas_thread() -> AbstractContextManager:
    """A context in which BLAS uses one thread: small matrices are slower on several."""
    return _thread_pools().limit(limits=1)
