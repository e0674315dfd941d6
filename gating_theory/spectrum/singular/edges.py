"""The smallest and the largest singular value of lambda - J, of given sites, of laws of sites, and of networks of N units [T9]."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...errors import ConvergenceError
from ..real_edge import LEAK_TAIL
from ..refinement import OF_SPECTRA, ROOM, settled
from ..site_populations import SitePopulations
from .populations import sites_for
from .regulated import RegulatedSites
from .signed import SignedSites

__all__ = ["COARSER", "EDGE_TOL", "Edges", "edges_of_sites"]

#: Relative tolerance of edges of laws of sites, where none was asked for, and the part of 1 + |lambda| that small ones need not be
#: known better than.
EDGE_TOL, _SMALL = 2e-3, 1e-2
#: Tolerance of the first population: its nodes reach beyond the tail that is left out.
_FIRST = 1e-5
#: Lambdas among which populations are refined; others come from the last of these populations.
_LOOKS = 8
#: Tolerances of populations that are tried first where many edges are wanted.
COARSER = (1e-2, 1e-3, 1e-4, 1e-5)
#: Networks that medians are over, and the seed of their sites: edges are functions of the spectrum and N.
_DRAWS, _SEED = 64, 21
#: A tail so much heavier says how much rare sites matter.
_HEAVIER = 10.0
#: Lambdas closer than this to the leaks' interval, in its length, feel single sites: nodes cluster there.
_NEAR = 0.1

#: Tolerance, room and refinement of a population -> its determinants.
_Make = Callable[..., RegulatedSites]


def edges_of_sites(terms: RegulatedSites, lam: np.ndarray, largest: bool, tail: float = 0.0) -> np.ndarray:
    """The largest or the smallest singular values of lambda - J (L,), of one population.

    Parameters
    ----------
    terms : RegulatedSites
    lam : (L,) complex array
    largest : bool
    tail : float, weight of the sites that are left out
    """
    side = _side(largest)
    return np.array([side(terms.at(complex(z))).edge(tail) for z in lam])


class Edges:
    """Edges at arrays of lambda, of the sites that a spectrum is computed from.

    Parameters
    ----------
    populations : SitePopulations
    continua : intervals of the real axis that leaks cover
    tol : float or None, relative tolerance that was asked for
    inside : function of lambdas, optional
        Whether they lie inside the support, where the smallest singular values vanish; None: the equations themselves tell.
    """

    def __init__(
        self,
        populations: SitePopulations,
        continua: Sequence[tuple[float, float]],
        tol: float | None,
        inside: Callable[[np.ndarray], bool | np.ndarray] | None = None,
    ) -> None:
        self._populations, self._continua, self._inside = populations, continua, inside
        self.tol = EDGE_TOL if tol is None else tol
        self._kept: dict[Any, RegulatedSites] = {}

    def of(self, lam: np.ndarray, largest: bool, n_units: int | None = None) -> np.ndarray:
        """The largest or smallest singular values of lambda - J (L,), without the rarest sites of a law of them.

        Parameters
        ----------
        lam : (L,) complex array
        largest : bool
        n_units : int or None, N: medians over networks of the edges of N sites

        Raises
        ------
        ConvergenceError
            the populations that are affordable do not agree
        """
        upper = lam.real + 1j * np.abs(lam.imag)
        if n_units is not None:
            return self._medians(upper, largest, n_units)
        if self.tail == 0.0:
            return edges_of_sites(self.first, upper, largest)
        value, here = np.zeros(lam.size), np.arange(lam.size)
        if not largest and self._inside is not None:
            here = np.flatnonzero(~np.asarray(self._inside(lam)))
        for part, make in self._groups(upper[here]) if here.size else ():
            value[here[part]] = self._settled(upper[here[part]], largest, make)
        return value

    def leaks_beside(self, lam: complex) -> tuple[float, ...]:
        """The real number at which nodes of populations cluster for one lambda, or none.

        Parameters
        ----------
        lam : complex
        """
        return self._populations.places(lam, self._continua)

    def population(self, tol: float, room: int = ROOM, refine: tuple[float, ...] = (), leaks: tuple = ()) -> RegulatedSites:
        """The given sites, or some made for a tolerance; those of the first tolerance are kept.

        Parameters
        ----------
        tol, room, refine, leaks : as of ``sites_for``
        """
        room = min(room, ROOM)
        key = () if self.tail == 0.0 else (tol, room, refine, leaks)
        if key in self._kept:
            return self._kept[key]
        made = RegulatedSites(sites_for(self._populations, tol, room, refine, leaks))
        if not refine and not leaks:
            self._kept[key] = made
        return made

    def refined(self, lam: np.ndarray, largest: bool) -> RegulatedSites:
        """Sites that give edges at lambdas like these to the tolerance, if these can be had.

        Parameters
        ----------
        lam, largest : as of :meth:`of`
        """
        return self.first if self.tail == 0.0 else self._looked(_some(lam), largest, self.population)[2]

    def fewest(self, lam: np.ndarray, part: float) -> RegulatedSites:
        """The smallest population whose smallest singular values at lambdas like these are the settled ones to a relative part.

        Parameters
        ----------
        lam : (L,) complex array
        part : float

        Raises
        ------
        ConvergenceError
            the populations that are affordable do not agree
        """
        if self.tail == 0.0:
            return self.first
        some = _some(lam)
        value, refined = self._agreed(some, False, self.population)
        for tol in COARSER:
            terms = self.population(tol)
            if (np.abs(edges_of_sites(terms, some, False, self.tail) - value) <= part * value).all():
                return terms
        return refined

    @property
    def first(self) -> RegulatedSites:
        """The given sites, or those that others are compared with first: cheap, and good to a few percent."""
        return self.population(_FIRST)

    @property
    def tail(self) -> float:
        """Weight of the sites that are left out of a law of them."""
        return 0.0 if self._populations.law is None else LEAK_TAIL

    def _groups(self, lam):
        """[(indices, make)]: next to the leaks' intervals populations cluster, for one lambda each."""
        near = np.zeros(lam.size, dtype=bool)
        if self._populations.leak_of_one_field and lam.size <= _LOOKS:
            for low, high in self._continua:
                near |= (low < lam.real) & (lam.real < high) & (np.abs(lam.imag) < _NEAR * (high - low))
        out: list[tuple[np.ndarray, _Make]] = []
        for i in np.flatnonzero(near):
            place = (float(lam.real[i]),)

            def clustered(tol, room=ROOM, refine=(), place=place):
                return self.population(tol, room, refine, place)

            out.append((np.array([i]), clustered))
        return [*out, (np.flatnonzero(~near), self.population)] if not near.all() else out

    def _settled(self, lam, largest, make):
        """Edges at lambdas that share populations."""
        some = _some(lam)
        value, population = self._agreed(some, largest, make)
        return value if some is lam else edges_of_sites(population, lam, largest, self.tail)

    def _agreed(self, lam, largest, make):
        """Edges at few lambdas, and the population that they come from."""
        value, difference, population = self._looked(lam, largest, make)
        if difference.max() > self.tol:
            worst = int(np.argmax(difference))
            words = self._in_words(lam[worst], largest, difference[worst], population)
            raise ConvergenceError(words, estimate=value)
        return value, population

    def _looked(self, lam, largest, make):
        """Edges at few lambdas by populations so fine that two agree, by how much these do, and the largest of them."""
        biggest, scale = make(_FIRST, ROOM), np.ones(lam.size)

        def at(terms, chosen):
            nonlocal biggest
            biggest = terms if terms.sites.size > biggest.sites.size else biggest
            return edges_of_sites(terms, lam[chosen], largest, self.tail) / scale[chosen]

        coarse = biggest
        first = at(coarse, np.arange(lam.size))
        scale = first + _SMALL * (1.0 + np.abs(lam))
        value, difference, _ = settled(at, make, coarse, first / scale, self.tol)
        return value * scale, difference, biggest

    def _in_words(self, lam, largest, difference, terms):
        """What an edge depends on that did not converge."""
        name, lost, more = "largest" if largest else "smallest", self.tail, _HEAVIER * self.tail
        at, further = (edges_of_sites(terms, np.array([lam]), largest, tail)[0] for tail in (lost, more))
        apart = (
            f"populations of sites differ by {difference:.1e}"
            if np.isfinite(difference)
            else "the populations of sites that are affordable are too coarse to be compared"
        )
        return (
            f"{name} singular value at lambda = {lam}: not converged to {self.tol}, {apart}; it is {at:.5g} without {lost:g} of "
            f"the sites and {further:.5g} without {more:g}: {OF_SPECTRA}, or for the edge of networks by n_units= of "
            "singular_values(shift).largest and smallest"
        )

    def _medians(self, lam, largest, n_units):
        terms, side = self.refined(lam, largest), _side(largest)
        weights = terms.sites.weights
        if self.tail == 0.0 and n_units == weights.size and np.ptp(weights) <= 1e-9 * weights.max():
            return edges_of_sites(terms, lam, largest)
        counts = np.random.default_rng(_SEED).multinomial(n_units, weights / weights.sum(), _DRAWS) / n_units
        out = np.empty(lam.size)
        for i, z in enumerate(lam):
            signed = side(terms.at(complex(z)))
            out[i] = np.median([signed.weighted(drawn).edge() for drawn in counts])
        return out


def _side(largest):
    return SignedSites.from_infinity if largest else SignedSites.from_zero


def _some(lam):
    """Some lambdas of many, in their order."""
    return lam if lam.size <= _LOOKS else lam[np.unique(np.linspace(0, lam.size - 1, _LOOKS).astype(int))]
