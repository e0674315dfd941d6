"""From theory and networks to rows: how far means differ, how far they may, a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .limits import Limit
from .measurement import Measurement
from .quantities import Quantities
from .rows import Row, verdict_of
from .significance import either, of_gap, of_probabilities, reach

__all__ = ["Judgement"]

#: How well means of edges are known, in standard deviations by the matrices: tables of their laws are interpolated.
_LAW = 0.02
#: Far out, where few strong sites decide, eigenvalues are more frequent than their law says: by its power 1 - 2 / sqrt(N).
_TAILS = 2.0


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
        self.matrices = np.sqrt(np.mean(np.square([one.matrices for one in networks]), axis=0))
        self.none_beyond = np.array([one.none_beyond for one in networks])
        self.edges_hold = np.all([one.edges_hold for one in networks], axis=0)
        # of means over networks: from the limit by their sites, from their own expectations by their matrices
        self.by_sites = limit.sites * np.sqrt(1.0 / self.m + 1.0 / limit.size)
        self.by_matrices = np.hypot(self.matrices / np.sqrt(self.m), quantities.unknown(n_units))

    def rows(self) -> list[Row]:
        """One Row a quantity."""
        return [self._edge(k) if k < self.quantities.n_edges else self._mean(k) for k in range(len(self.quantities.names))]

    def _mean(self, k):
        """A quantity whose means are compared: with theory at the sites, and with the limit."""
        given = _Gap("off, given the sites,", self.measured[k] - self.own[k], self.by_matrices[k])
        limit = _Gap("off", self.measured[k] - self.limit.expected[k], *self._spread(k, self.by_matrices[k]))
        gaps = [given] if self.limit.doubts else [given, limit]
        reasons = [gap.words(self.level / len(gaps)) for gap in gaps]
        return self._row(k, either(*(gap.probability for gap in gaps)), reasons, limit.reach(self.level / len(gaps)))

    def _edge(self, k):
        """An edge: probabilities that theory gives to each network, and theory at the sites beside the limit's."""
        u = self.none_beyond[:, k]
        p, reasons = of_probabilities(u, 1.0 - _TAILS / np.sqrt(self.n)), []
        if not self.limit.doubts:
            spread = self._spread(k, _LAW * self.matrices[k])
            sites = _Gap("theory at the sites off", self.own[k] - self.limit.expected[k], *spread)
            reasons.append(sites.words(0.5 * self.level))
            p, given = either(p, sites.probability), 2.0 * p
        else:
            given = p
        if given < self.level:
            reasons.append(f"none beyond with probabilities from {u.min():.2g} to 1 - {1.0 - u.max():.2g}, given the sites")
        if not self.edges_hold[k]:
            p, reasons = 0.0, [f"at the {self.quantities.names[k]} of theory its edge function is not 1"]
        return self._row(k, p, reasons, None)

    def _spread(self, k, other):
        """Standard deviation of a mean by its sites and something else, and its degrees of freedom (Welch and Satterthwaite's)."""
        both = float(np.hypot(self.by_sites[k], other))
        share = self.by_sites[k] / both if both > 0.0 else 0.0
        return both, float(self.limit.freedom[k] / share**4) if share > 0.0 else np.inf

    def _row(self, k, p, reasons, tolerance):
        values = (float(v[k]) for v in (self.limit.values, self.own, self.measured))
        spreads = float(self.limit.sites[k]), float(self.matrices[k])
        why = "; ".join(filter(None, reasons)) or self._note()
        return Row(
            self.name, self.quantities.names[k], *values, self.n, self.m, *spreads, p, verdict_of(p >= self.level), why, tolerance
        )

    def _note(self):
        """What was judged less sharply than elsewhere."""
        return f"given the sites only: {self.limit.doubts}" if self.limit.doubts else self.limit.note


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
        """What is wrong, if anything is at this level."""
        most = self.reach(level)
        return f"{self.name} by {self.value:.3g}, expected up to {most:.3g}" if self.probability < level else ""
