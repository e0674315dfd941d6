"""What several networks of finite size say together, of any cell: how many, how large, mean and scatter [T8b].

The scatter of independent networks is the error. What a finite network differs by in the mean is of order 1/n; networks are so
large that this stays below the error: n = 7 sqrt(sites), the sites of all networks together [NUMERICS].
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np

from ...running.blas import single_blas_thread
from ...running.progress import Progress
from ...running.threads import Threads
from ...support.types import Progress as Wanted

__all__ = ["Scatter", "over_networks", "population_sizes"]

_T = TypeVar("_T")

#: Units of a network over the root of all sites, and the fewest networks whose scatter is an error.
_UNITS, _FEWEST = 7.0, 5


def population_sizes(n_sites: int) -> tuple[int, int]:
    """(units of a network, number of networks) for so many sites in all.

    Parameters
    ----------
    n_sites : int
    """
    networks = max(_FEWEST, round(np.sqrt(n_sites) / _UNITS))
    return max(1, n_sites // networks), networks


def over_networks(
    function: Callable[[np.random.Generator], _T], n_networks: int, rng: np.random.Generator, progress: Wanted = None
) -> Iterator[_T]:
    """``function(rng)`` for several networks, each with random numbers of its own; threads share them.

    Parameters
    ----------
    function : callable
    n_networks : int
    rng : numpy Generator
    progress : None, True or callable(done, total)
    """
    own = rng.spawn(n_networks)
    with single_blas_thread(), Threads(n_networks) as threads, Progress(progress, n_networks, "network") as tell:
        for first in range(0, n_networks, threads.count):
            some = own[first : first + threads.count]
            for found in threads.each(lambda i: function(some[i]), len(some)):  # noqa: B023  # called at once
                yield found
                tell(1)


class Scatter:
    """Mean and standard error of arrays, one from each network."""

    def __init__(self) -> None:
        self.count = 0
        self._mean: np.ndarray = np.zeros(())
        self._squares: np.ndarray = np.zeros(())

    def add(self, values: np.ndarray) -> None:
        """One more array; sums of squares about the mean, so that small scatter is not lost."""
        self.count += 1
        if self.count == 1:
            self._mean, self._squares = values.copy(), np.zeros_like(values)
            return
        away = values - self._mean
        self._mean += away / self.count
        self._squares += (1.0 - 1.0 / self.count) * away**2

    @property
    def mean(self) -> np.ndarray:
        """The mean."""
        return self._mean

    @property
    def stderr(self) -> np.ndarray:
        """Its standard error."""
        return np.sqrt(self._squares / (self.count - 1) / self.count)
