"""The smallest and the largest singular value of lambda - J, of given sites, of laws of sites, and of networks of N units [T9]."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...ensemble.sites import Sites
from ...errors import ConvergenceError
from ..dyson import Population
from ..real_edge import LEAK_TAIL
from ..refinement import ROOM, settled
from ..site_populations import SitePopulations
from .regulated import RegulatedSites
from .signed import SignedSites

__all__ = ["EDGE_TOL", "Edges", "edges_of_sites"]

#: Relative tolerance of edges of laws of sites, where none was asked for; of small ones, the part of 1 + |lambda| they need not be
#: better than it of.
EDGE_TOL, _SMALL = 1e-3, 1e-2
#: Tolerance of the first population: its nodes reach beyond the tail that is left out.
_FIRST = 1e-5
#: Lambdas among which populations are refined; further ones come from the last of these populations.
_LOOKS = 8
#: Networks that medians are over, and the seed of their sites: edges are functions of the spectrum and N.
_DRAWS, _SEED = 64, 21
#: A tail so much heavier says whether rare sites make an edge.
_HEAVIER = 10.0


def edges_of_sites(terms: RegulatedSites, lam: np.ndarray, largest: bool, tail: float = 0.0) -> np.ndarray:
    """The largest or the smallest singular values of lambda - J (L,), of one population.

    Parameters
    ----------
    terms : RegulatedSites
    lam : (L,) complex array
    largest : bool
    tail : float, weight of the sites that are left out
    """
    side = SignedSites.from_infinity if largest else SignedSites.from_zero
    return np.array([side(terms.at(complex(z))).edge(tail) for z in lam])


class Edges:
    """Edges at arrays of lambda, of the sites that a spectrum is computed from.

    Parameters
    ----------
    sites : SitePopulations
    continua : intervals of the real axis that leaks cover
    tol : float or None, relative tolerance that was asked for
    """

    def __init__(self, sites: SitePopulations, continua: Sequence[tuple[float, float]], tol: float | None) -> None:
        self._sites, self._continua = sites, continua
        self.tol = EDGE_TOL if tol is None else tol
        self._terms: tuple[Sites, RegulatedSites] | None = None

    def of(self, lam: np.ndarray, largest: bool, n_units: int | None = None) -> np.ndarray:
        """The largest or smallest singular values of lambda - J (L,), without the rarest sites of a law of them.

        Parameters
        ----------
        lam : (L,) complex array
        largest : bool
        n_units : int or None, N: medians over networks of the edges of N sites

        Raises
        ------
        ConvergenceError : the populations that are affordable do not agree
        """
        upper = lam.real + 1j * np.abs(lam.imag)
        if n_units is not None:
            return self._medians(upper, largest, n_units)
        if self._sites.law is None:
            return edges_of_sites(self._of(self._sites.of(_FIRST)), upper, largest)
        value = np.empty(lam.size)
        for part, make in self._sites.groups(upper, self._continua):
            value[part] = self._settled(upper[part], largest, make)
        return value

    def population(self, lam: np.ndarray, largest: bool) -> RegulatedSites:
        """Sites that give the edges at some lambdas to the tolerance, and at others between them.

        Parameters
        ----------
        lam, largest : as of :meth:`of`
        """
        if self._sites.law is None:
            return self._of(self._sites.of(_FIRST))
        return self._of(self._looked(lam, largest, self._sites.of)[1])

    @property
    def tail(self) -> float:
        """Weight of the sites that are left out of a law of them."""
        return 0.0 if self._sites.law is None else LEAK_TAIL

    def _settled(self, lam, largest, make):
        """Edges at lambdas that share populations."""
        some = np.unique(np.linspace(0, lam.size - 1, _LOOKS).astype(int)) if lam.size > _LOOKS else np.arange(lam.size)
        value, population = self._looked(lam[some], largest, make)
        if lam.size <= _LOOKS:
            return value
        return edges_of_sites(self._of(population), lam, largest, self.tail)

    def _looked(self, lam, largest, make):
        """Edges at few lambdas by populations so fine that two agree, and the last of these."""
        last: list[Population] = []

        def at(population, chosen):
            if not last or last[-1].sites.size < population.sites.size:
                last[:] = [population]
            return edges_of_sites(self._of(population), lam[chosen], largest, self.tail) / scale[chosen]

        scale = np.ones(lam.size)
        coarse = make(_FIRST, ROOM)
        first = at(coarse, np.arange(lam.size))
        scale = first + _SMALL * (1.0 + np.abs(lam))
        value, difference, _ = settled(at, make, coarse, first / scale, self.tol)
        if difference.max() > self.tol:
            worst = int(np.argmax(difference))
            raise ConvergenceError(self._in_words(lam[worst], largest, difference[worst], last[-1]), estimate=value * scale)
        return value * scale, last[-1]

    def _in_words(self, lam, largest, difference, population):
        """What an edge depends on that did not converge."""
        name = "largest" if largest else "smallest"
        less, more = (
            float(edges_of_sites(self._of(population), np.array([lam]), largest, tail)[0])
            for tail in (self.tail, _HEAVIER * self.tail)
        )
        words = f"{name} singular value at lambda = {lam}: not converged to {self.tol}, populations of sites differ by {difference:.1e}"
        return (
            f"{words}; it is {less:.5g} without {self.tail:g} of the sites and {more:.5g} without {_HEAVIER * self.tail:g}: "
            "ask for a larger tol, or for that of networks by n_units="
        )

    def _medians(self, lam, largest, n_units):
        population = self._sites.of(_FIRST)
        terms, weights = self._of(population), population.weights
        if self._sites.law is None and n_units == weights.size and np.ptp(weights) <= 1e-9 * weights.max():
            return edges_of_sites(terms, lam, largest)
        side = SignedSites.from_infinity if largest else SignedSites.from_zero
        counts = np.random.default_rng(_SEED).multinomial(n_units, weights / weights.sum(), _DRAWS) / n_units
        out = np.empty(lam.size)
        for i, z in enumerate(lam):
            signed = side(terms.at(complex(z)))
            out[i] = np.median([signed.weighted(drawn).edge() for drawn in counts])
        return out

    def _of(self, population):
        """The determinants of a population; those of the last one are kept."""
        if self._terms is None or self._terms[0] is not population.sites:
            self._terms = population.sites, RegulatedSites(population.sites)
        return self._terms[1]
