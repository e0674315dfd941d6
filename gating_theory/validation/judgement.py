"""From theory and networks to rows: how far means differ, how far they may, a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .limits import Limit
from .measurement import Measurement
from .quantities import Quantities
from .rows import Row, verdict_of
from .significance import either, of_gap, of_probabilities, reach, together

__all__ = ["Judgement"]

#: How well means of edges are known, in standard deviations by the matrices: tables of their laws are interpolated.
_LAW = 0.02
#: Far out, where few of the n sites of an edge decide, eigenvalues are as frequent as their law says to the power 1 - 1.3 / sqrt n.
_TAILS = 1.3
#: The law of an edge that fewer sites make is good to a tenth, not better; of the island around a single leak it knows little.
_FEW_SITES = 10.0


class Judgement:
    """The rows of one case.

    Parameters
    ----------
    name : str, of the case
    quantities : Quantities
    limit : Limit
    networks : sequence of Measurement
    n_units : int
    level : float, the probability below which a row disagrees
    """

    def __init__(
        self, name: str, quantities: Quantities, limit: Limit, networks: Sequence[Measurement], n_units: int, level: float
    ) -> None:
        self.name, self.quantities, self.limit, self.n, self.level = name, quantities, limit, n_units, level
        self.m = len(networks)
        self.measured = np.mean([one.values for one in networks], axis=0)
        self.own = np.mean([one.expected for one in networks], axis=0)
        theirs = np.sqrt(np.mean(np.square([one.matrices for one in networks]), axis=0))
        self.matrices = np.where(np.isnan(limit.matrices), theirs, limit.matrices)
        self.edges = [one.edges for one in networks]
        # of means over networks: from the limit by their sites, from their own expectations by their matrices
        self.by_sites = limit.sites * np.sqrt(1.0 / self.m + 1.0 / limit.size)
        unknown = quantities.unknown(n_units, self.matrices)
        parts = zip(self.matrices / np.sqrt(self.m), limit.matrices_freedom, unknown)
        self.by_matrices = [together((one, freedom), (other, np.inf)) for one, freedom, other in parts]

    def rows(self) -> list[Row]:
        """One Row a quantity."""
        return [self._edge(k) if k < self.quantities.n_edges else self._mean(k) for k in range(len(self.quantities.names))]

    def _mean(self, k):
        """A quantity whose means are compared: with theory at the sites, and with the limit."""
        given = _Gap("off, given the sites,", self.measured[k] - self.own[k], *self.by_matrices[k])
        limit = _Gap("off", self.measured[k] - self.limit.expected[k], *self._spread(k, *self.by_matrices[k]))
        gaps = [given, limit] if self.limit.describes else [given]
        level = self.level / len(gaps)
        return self._row(k, [(gap.probability, gap.words(level)) for gap in gaps], limit.reach(level))

    def _edge(self, k):
        """An edge: probabilities that theory gives to each network, and theory at the sites beside the limit's."""
        edges = [pair[k] for pair in self.edges]
        if not all(edge.holds for edge in edges):
            return self._row(k, [(0.0, f"at the {self.quantities.names[k]} of theory its edge function is not 1")])
        told = [edge for edge in edges if edge.n_effective >= _FEW_SITES]
        tests = []
        if told:
            u = np.array([edge.none_beyond for edge in told])
            tails = 1.0 - _TAILS / np.sqrt([edge.n_effective for edge in told])
            words = f"none beyond with probabilities from {u.min():.2g} to 1 - {1.0 - u.max():.2g}, given the sites"
            tests.append((of_probabilities(u, tails), words))
        if self.limit.describes:
            spread = self._spread(k, _LAW * self.matrices[k])
            off = _Gap("theory at the sites off", self.own[k] - self.limit.expected[k], *spread)
            tests.append((off.probability, off.words(0.5 * self.level)))
        few = len(edges) - len(told)
        return self._row(k, tests, note=f"few sites: {few}" if few else "")

    def _spread(self, k, other, freedom=np.inf):
        """Standard deviation of a mean by its sites and something else, and its degrees of freedom."""
        return together((float(self.by_sites[k]), float(self.limit.freedom[k])), (other, freedom))

    def _row(self, k, tests, tolerance=None, note=""):
        """The Row that tests, pairs of a probability and of words for what is wrong, amount to."""
        p = either(*(probability for probability, _ in tests))
        wrong = [words for probability, words in tests if probability < self.level / len(tests)]
        less = ["" if self.limit.describes else "given the sites only", note]
        values = (float(v[k]) for v in (self.limit.values, self.own, self.measured))
        spreads = float(self.limit.sites[k]), float(self.matrices[k])
        return Row(
            self.name,
            self.quantities.names[k],
            *values,
            self.n,
            self.m,
            *spreads,
            p,
            verdict_of(p, self.level),
            "; ".join(wrong or filter(None, less)),
            tolerance,
        )


class _Gap(NamedTuple):
    """A difference of means beside its standard deviation."""

    name: str
    value: float
    deviation: float
    freedom: float = np.inf

    @property
    def probability(self):
        return of_gap(self.value, self.deviation, freedom=self.freedom)

    def reach(self, level):
        return reach(level, self.deviation, freedom=self.freedom)

    def words(self, level):
        """By how much it is off, and may be at this level."""
        return f"{self.name} by {self.value:.3g}, expected up to {self.reach(level):.3g}"
