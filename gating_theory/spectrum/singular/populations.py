"""The sites that singular values of lambda - J are computed from: given ones, or populations made for tolerances [T9]."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property, partial

import numpy as np

from ...cell.augmented import even_variables
from ...ensemble.sites import Sites
from ...errors import CapabilityError, ConvergenceError
from ...mean_field.fixed_point import FixedPoint
from ...mean_field.low_rank_points import LowRankFixedPoint
from ...mean_field.samples import MOST_VARIABLES, even_sites
from ..refinement import MUCH_ROOM, OF_SPECTRA, ROOM, apart, settled
from ..site_populations import SitePopulations
from .equations import Equations
from .log_average import LogAverage
from .on_axis import OnAxis
from .regulated import Regulated, regulated

__all__ = ["ShiftedPopulations", "ShiftedSites", "finer_sites", "require_no_low_rank", "sites_for"]

#: How far apart results of two populations may be, per part of what was asked for: errors of two differ by a factor of two or more.
_APART = 2.0
#: Sites of finer and finer populations that are spread evenly, and tolerances of those that a law makes in another way.
_EVEN, _FINER = tuple(4**k for k in range(5, 10)), (1e-3, 1e-4, 1e-5, 1e-6, 1e-8)
#: Variables of which all can have denser nodes from the beginning.
_DENSE_VARIABLES = 3


def require_no_low_rank(populations: SitePopulations) -> None:
    """CapabilityError at fixed points with low-rank parts: these have singular values of their own, outside those of the rest.

    Parameters
    ----------
    populations : SitePopulations
    """
    if isinstance(populations.law, LowRankFixedPoint):
        raise CapabilityError(
            "singular values of J and its resolvent are not known with low-rank parts of matrices [T11], which have some of their "
            "own: use numpy.linalg.svd(net.jacobian(state)) of sampled networks"
        )


def sites_for(
    populations: SitePopulations, tol: float, room: int, refine: tuple[float, ...] = (), leaks: tuple[float, ...] = ()
) -> Sites:
    """The given sites, or some made for a tolerance.

    Parameters
    ----------
    populations : SitePopulations
    tol : float in [1e-14, 0.1]
    room : int, sites at most
    refine : factors for the nodes of each variable, as of ``FixedPoint.sites_at``
    leaks : real numbers at which nodes of the leak cluster, where one field sets it
    """
    law = populations.law
    if law is None:
        assert populations.given is not None  # what is no law was given
        return populations.given.sites
    folded = {}
    if isinstance(law, FixedPoint):
        cell = law.ensemble.cell
        # minors of the augmented cell are more: what is even in the cell's need not be in these
        folded = {"fold": even_variables(cell) >= cell.compiled.even_variables}
    return law.sites_at(tol, room, refine=refine, leaks=leaks, **folded)


def finer_sites(populations: SitePopulations, room: int = MUCH_ROOM) -> Iterator[Sites]:
    """Sites that a law makes, more and more, for what changes abruptly from site to site.

    Those of a FixedPoint are spread evenly (see :func:`even_sites`): where sites count one by one, as they do on the axis of
    singular values, they need ten times fewer than tensor grids.

    Parameters
    ----------
    populations : SitePopulations, of a law
    room : int, sites at most
    """
    law = populations.law
    if isinstance(law, FixedPoint) and populations.spread_variables <= MOST_VARIABLES:
        for shift, count in enumerate(_EVEN):
            if count <= max(room, _EVEN[0]):
                yield even_sites(law, count, shift)
        return
    reached = np.inf
    for tol in _FINER:
        sites = sites_for(populations, tol, room)
        if not sites.tol < reached:
            return
        reached = sites.tol
        yield sites


class ShiftedSites:
    """A population of sites and one lambda, with what singular values of lambda - J need of them.

    Attributes
    ----------
    sites : Sites
    lam : complex
    """

    def __init__(self, sites: Sites, lam: complex) -> None:
        self.sites, self.lam = sites, lam

    @cached_property
    def terms(self) -> Regulated:
        """The determinant's monomials."""
        return regulated(self.sites, self.lam)

    @cached_property
    def on_axis(self) -> OnAxis:
        """The equations at regulators of any phase."""
        return OnAxis(LogAverage(self.equations))

    @cached_property
    def equations(self) -> Equations:
        """The equations at real regulators."""
        return Equations(self.terms)


class ShiftedPopulations:
    """Populations for one lambda.

    Parameters
    ----------
    populations : SitePopulations
    lam : complex
    """

    def __init__(self, populations: SitePopulations, lam: complex) -> None:
        self._populations, self._lam = populations, lam
        self._kept: dict[tuple, ShiftedSites] = {}
        self._to_make, self._made = finer_sites(populations), list[ShiftedSites]()

    @property
    def given(self) -> bool:
        """Whether the sites are what they are, and no law makes others."""
        return self._populations.law is None

    def of(self, tol: float, room: int = ROOM, refine: tuple[float, ...] = (), leaks: tuple[float, ...] = ()) -> ShiftedSites:
        """The given sites, or some made for a tolerance; kept for the next time.

        Parameters
        ----------
        tol : float in [1e-14, 0.1]
        room : int, sites at most
        refine, leaks : as of :func:`sites_for`
        """
        key = () if self.given else (tol, room, refine, leaks)
        if key not in self._kept:
            self._kept[key] = ShiftedSites(sites_for(self._populations, tol, room, refine, leaks), self._lam)
        return self._kept[key]

    @property
    def exact(self) -> bool:
        """Whether one population is all there is: given sites, or a law of sites that are all alike."""
        return self.given or self._populations.spread_variables == 0

    def finer(self) -> Iterator[ShiftedSites]:
        """One population if it is exact; or more, each finer than the one before, for what changes abruptly from site to site."""
        if self.exact:
            yield self.of(_FINER[0])
            return
        yield from self._made
        for sites in self._to_make:
            self._made.append(ShiftedSites(sites, self._lam))
            yield self._made[-1]

    def settled(
        self,
        what: str,
        at: Callable[[ShiftedSites], np.ndarray],
        tol: float,
        leaks: tuple[float, ...] = (),
        dense: float = 1.0,
    ) -> np.ndarray:
        """Values (n,), none of them zero, by populations so fine that two agree to a part ``tol``.

        Parameters
        ----------
        what : str, in words
        at : function of the sites
        tol : float
        leaks : as of :func:`sites_for`
        dense : float >= 1, how many times more nodes than the cell's functions need the first population has along each variable,
            where that is affordable

        Raises
        ------
        ConvergenceError
            the populations that are affordable do not agree (``estimate`` carries the last values)
        """
        if self.given:
            return at(self.of(tol))
        make, refine = partial(self.of, leaks=leaks), self._everywhere(dense)
        coarse = make(self._populations.sharpened(tol), ROOM, refine)
        first = at(coarse)
        scale = np.maximum(np.abs(first), 1e-300)

        def relative(sites: ShiftedSites, part: np.ndarray) -> np.ndarray:
            return (at(sites) / scale)[part]

        value, difference, _ = settled(relative, make, coarse, first / scale, _APART * tol, refine)
        if difference.max(initial=0.0) > _APART * tol:
            words = apart(difference, OF_SPECTRA)
            raise ConvergenceError(f"{what}: not converged to {tol}, {words}", estimate=value * scale)
        return value * scale

    def _everywhere(self, dense):
        """Factors for the nodes of each variable, all the same; none where these are too many."""
        law = self._populations.law
        if dense == 1.0 or not isinstance(law, FixedPoint) or self._populations.spread_variables > _DENSE_VARIABLES:
            return ()
        return (dense,) * law.law.means.size
