"""Where a quantity of simulated networks has a value along a path: network by network, each with one set of random numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from ..dynamics.sign_changes import SignChange, sign_change
from ..errors import ConvergenceError
from ..running.progress import Progress
from .passages import looks, outward

if TYPE_CHECKING:
    from ..mean_field.path import Path
    from ..support.types import Progress as Wanted
    from .measure import Measure

__all__ = ["Simulated"]

#: Width of the last brackets, relative to the value (for paths that may be negative to 1, or to the range, where that is more).
_TOL, _SCALE, _SIGNED_SCALE = 0.01, 1e-12, 1.0
#: The sign of a quantity is no accident if it is so many of its errors from zero.
_SIGMAS = 2.0


class Simulated:
    """A quantity of random networks along a path.

    Parameters
    ----------
    path : Path
    measure : Measure, one that is ``simulated``
    target : float, the value that is sought
    n_networks : int
    entropy : int, from which the networks' random numbers follow

    Attributes
    ----------
    seen : list of float, values of the first network's quantity
    """

    def __init__(self, path: Path, measure: Measure, target: float, n_networks: int, entropy: int) -> None:
        self.path, self.measure, self.target = path, measure, target
        self.seen: list[float] = []
        words = [np.random.SeedSequence(entropy, spawn_key=(k,)).generate_state(1, np.uint64) for k in range(n_networks)]
        self.networks = [self._network(int(word[0] >> 1), first=k == 0) for k, word in enumerate(words)]

    def _network(self, seed, first):
        measure, known = self.measure.of_network(seed), {}

        def height(value):
            if value not in known:
                found, error = measure.noisy(self.path.at(value))
                if np.isnan(found):
                    raise ConvergenceError(f"{measure.name} at {self.path.parameter} = {value} is {found}", estimate=value)
                known[value] = found - self.target, error
                if first:
                    self.seen.append(found)
            return known[value]

        return height

    def changes(self, n_units: int, progress: Wanted) -> Iterator[SignChange]:
        """The changes of sign, from the present value outwards, each on the average over the networks.

        Parameters
        ----------
        n_units : int, N
        progress : as users give it
        """
        path, first, known = self.path, self.networks[0], set()
        finest = min(_SIGNED_SCALE, path.high - path.low) if path.along.signed else _SCALE
        ends = looks(path)
        for low, high, _ in outward(ends, path.present):
            bracket = self._decided(reversed(ends[: ends.index(low) + 1])), self._decided(ends[ends.index(high) :])
            if None in bracket or bracket in known or (first(bracket[0])[0] < 0.0) == (first(bracket[1])[0] < 0.0):
                continue
            known.add(bracket)
            with Progress(progress, len(self.networks), "network") as tell:
                yield sign_change(self.networks, first, bracket, (path.low, path.high), _TOL, n_units, finest, tell)

    def _decided(self, values):
        """The first of some values at which the first network's sign is no accident, or None."""
        for value in values:
            height, error = self.networks[0](value)
            if abs(height) > _SIGMAS * (error if np.isfinite(error) else 0.0):
                return value
        return None
