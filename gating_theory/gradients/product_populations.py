"""Populations of sites for densities of singular values of products of Jacobians [T9]."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..ensemble.sites import Sites
from ..errors import ConvergenceError
from ..spectrum.singular.populations import finer_sites
from ..spectrum.site_populations import SitePopulations
from .time_axis import TimeOnAxis
from .time_equations import TimeEquations

__all__ = ["ProductPopulations"]

#: Sites at most, and what these times the third power of a site's matrix may be.
_ROOM, _WORK = 4096, 2e7


class ProductPopulations:
    """The sites of a path, or populations of a law, each finer than the one before.

    Parameters
    ----------
    populations : SitePopulations or None, of a path
    given : TimeEquations, of the path, of given sites, or of some of a law
    at : function of Sites that gives their TimeEquations
    """

    def __init__(self, populations: SitePopulations | None, given: TimeEquations, at: Callable[[Sites], TimeEquations]) -> None:
        self._populations, self._given, self._at = populations, given, at
        self._kept: list[TimeOnAxis] = []
        law = None if populations is None else populations.law
        #: Whether one population is all there is.
        self.exact = law is None or populations is not None and populations.spread_variables == 0
        size = given.n * given.T + given.d
        self._room = int(min(_ROOM, _WORK / size**3))

    def finer(self) -> Iterator[TimeOnAxis]:
        """One population where that is exact; or two and more.

        Raises
        ------
        ConvergenceError
            two are not affordable
        """
        if not self._kept:
            if self._populations is None or self.exact:
                self._kept = [TimeOnAxis(self._given)]
            else:
                sites = list(finer_sites(self._populations, self._room))
                if len(sites) < 2:
                    raise ConvergenceError(
                        f"densities of products of {self._given.T} Jacobians need more sites of a law than are affordable: "
                        "ask for fewer steps, or for given sites, such as those of a network, net.sites(state)"
                    )
                self._kept = [TimeOnAxis(self._at(some)) for some in sites]
        yield from self._kept
