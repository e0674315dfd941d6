"""Moments between copies of a network from several networks of finite size: any cell [T8b].

The scatter of independent networks is the error. What a finite network differs by in the mean is of order 1/n; networks are so
large that this stays below the error: n = 7 sqrt(sites), the sites of all networks together [NUMERICS].
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np

from ...ensemble.ensemble import Ensemble
from ...running.blas import single_blas_thread
from ...running.progress import Progress
from ...running.threads import Threads
from ...support.available_memory import require_memory
from ...support.types import Progress as Wanted
from .drives import Drives
from .shared_network import SharedNetwork, bytes_needed
from .two_times import TwoTimes

__all__ = ["Scatter", "over_networks", "population_moments", "population_sizes"]

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


def population_moments(
    ensemble: Ensemble,
    drives: Drives,
    start: np.ndarray,
    tied: bool = True,
    *,
    n_sites: int,
    rng: np.random.Generator,
    progress: Wanted = None,
) -> TwoTimes:
    """Second moments between copies at all pairs of times, from sampled networks [T8b].

    Parameters
    ----------
    ensemble : Ensemble
    drives : Drives
    start : (R, R) array
        Covariance of the copies' states at time 0, Gaussian over sites; state variables independent, each with this covariance.
    tied : bool
    n_sites : int, of all networks together
    rng : numpy Generator
    progress : None, True or callable(done, total)

    Returns
    -------
    TwoTimes, with standard errors

    Raises
    ------
    MemoryError : more would be needed than there is; said with both numbers
    ConvergenceError : a state that grows without bounds
    """
    n, count = population_sizes(n_sites)
    cell, R, T = ensemble.cell, drives.n_copies, drives.n_steps
    kept = 8.0 * R * (T + 1) * (n * (1 + cell.n_messages) + 4 * R * (T + 1) * (1 + cell.n_messages))
    threads = Threads(count).count
    require_memory(f"{n} units, {R} copies and {T} steps", threads * (bytes_needed(ensemble, drives, n, tied) + kept))
    scatters = [Scatter() for _ in range(1 + cell.n_messages)]

    def one(own):
        network = SharedNetwork(ensemble, drives, n, own, tied)
        states, messages = np.empty((R, T + 1, n)), np.empty((cell.n_messages, R, T, n))
        for t, now in enumerate(network.run(start)):
            states[:, t] = now.state[0]
            for row, message in zip(messages, now.messages or ()):
                row[:, t] = message
        return [_products(rows) for rows in (states, *messages)]

    for tables in over_networks(one, count, rng, progress):
        for scatter, table in zip(scatters, tables):
            scatter.add(table)
    state, *messages = scatters
    by_name = dict(zip(cell.message_names, messages))
    return TwoTimes(
        state.mean, {name: s.mean for name, s in by_name.items()}, state.stderr, {name: s.stderr for name, s in by_name.items()}
    )


def _products(rows):
    """(R, T, R, T) means over sites of products of rows (R, T, n)."""
    flat = rows.reshape(-1, rows.shape[-1])
    return (flat @ flat.T / flat.shape[1]).reshape(*rows.shape[:2], *rows.shape[:2])
