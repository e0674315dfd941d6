"""Masses of discs: contour integrals of the resolvent over populations of sites, so fine that two of them agree [T4]."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ConvergenceError
from .disc_mass import Nodes, Rims
from .dyson import Population
from .phases import atoms, solution
from .refinement import FINEST, apart, settled
from .site_populations import SitePopulations

if TYPE_CHECKING:
    from .boundary import Boundary

__all__ = ["Masses"]

#: The first population of a mass is made for ten times the tolerance asked for, at least and at most this.
_FINE_MASS, _COARSEST = 1e-6, 1e-2
#: Relative accuracy of the resolvent along contours, as a part of the tolerance of a mass and at least.
_CONTOUR, _EXACT = 1e-2, 1e-12
#: So many discs that cut the axis between leaks share populations of up to three fields: larger ones cost less than more of them.
_DISCS_AT_ONCE = 2
#: Two populations agree on a mass if they differ by less than this part of the tolerance: errors of two variables may cancel.
_AGREED = 0.5
#: The power of the tolerance that the first population of a mass is made for, with so many random fields, and with more.
_MASS_POWERS, _MANY = {0: 1.5, 1: 1.5, 2: 1.5, 3: 4.0 / 3.0}, 0.85


class Masses:
    """Masses of discs of one spectrum.

    Parameters
    ----------
    sites : SitePopulations
    boundary : Boundary
    continua : intervals of the real axis that leaks cover
    n_state : int, d
    tol : float or None, the tolerance that the spectrum was given
    """

    def __init__(
        self, sites: SitePopulations, boundary: Boundary, continua: Sequence[tuple[float, float]], n_state: int, tol: float | None
    ) -> None:
        self.sites, self.boundary, self.continua, self.n_state, self.tol = sites, boundary, continua, n_state, tol

    def _rims(self, center, radius):
        edges = [partial(edge, rtol=1e-3) for edge in self.boundary.edges]
        return Rims(center, radius, self.n_state, edges, self.continua)

    def rim(self, center: complex, radius: float, tol: float, fold: bool) -> tuple[Population, Nodes]:
        """The given sites, or some made for a tolerance, and nodes along the rim of a disc with what solves them.

        Parameters
        ----------
        center : complex
        radius : float > 0
        tol : float
        fold : bool, whether one sign stands for both where spectra do not depend on it
        """
        rims = self._rims(np.array([center]), np.array([radius]))
        places = rims.cuts[0] if self.sites.leak_of_one_field else ()
        population = self.sites.clustered(places, self.sites.sharpened(tol), fold=fold)
        holes = self.boundary.holes
        on_contour = partial(_on_contour, _CONTOUR * tol, holes, population)
        return population, rims.settled(np.zeros(1, dtype=int), on_contour, tol, atoms(population, holes))[1]

    def of(self, center: np.ndarray, radius: np.ndarray, tol: float) -> np.ndarray:
        """Masses of discs (D,); a few of those that cut the axis between leaks share populations, which cluster there.

        Parameters
        ----------
        center, radius : (D,) arrays, radii above 0
        tol : float

        Raises
        ------
        ConvergenceError
            the tolerance was not reached (``estimate`` carries the last values)
        """
        value, difference = np.zeros(center.size), np.zeros(center.size)
        rims = self._rims(center, radius)
        cutting = np.array([bool(cuts) and self.sites.law is not None and self.sites.leak_of_one_field for cuts in rims.cuts])
        groups: list[Any] = []
        cut = sorted(np.flatnonzero(cutting), key=lambda disc: rims.cuts[disc])
        at_once = _DISCS_AT_ONCE if self.sites.spread_variables <= 3 else 1
        for part in (np.sort(cut[i : i + at_once]) for i in range(0, len(cut), at_once)):
            places = tuple(sorted({x for disc in part for x in rims.cuts[disc]}))
            groups.append((part, partial(self.sites.clustered, places)))
        if not cutting.all():
            groups.append((np.flatnonzero(~cutting), partial(self.sites.clustered, ())))
        refine: tuple[float, ...] = ()  # what one group's populations had to be refined by the next one's are from the start
        for discs, make in groups:
            value[discs], difference[discs], refine = self._by(make, rims, discs, tol, refine)
        worst = int(np.argmax(difference))
        if difference[worst] > _AGREED * tol:
            raise ConvergenceError(
                f"mass of the disc at {center[worst]}, radius {radius[worst]}: not converged to {tol}, {apart(difference)}",
                estimate=value if value.size > 1 else float(value[0]),
            )
        return np.clip(value, 0.0, 1.0)

    def _by(self, make, rims, discs, tol, refine):
        """Masses of some discs by populations of one kind, how far two of these are apart, and how they were refined."""
        coarse = min(_COARSEST, 10.0 * (self.tol or max(tol, _FINE_MASS)))
        first = make(max(FINEST, coarse ** _MASS_POWERS.get(self.sites.spread_variables, _MANY)), refine=refine)

        by = partial(_on_contour, max(_EXACT, _CONTOUR * tol), self.boundary.holes)
        mass, nodes = rims.settled(discs, partial(by, first), tol, atoms(first, self.boundary.holes))
        if self.sites.law is None:
            return mass, np.zeros(mass.size), refine
        latest = nodes.known.copy()

        def at(population, chosen):
            """By what another population changes the mass is known from half of the nodes; each starts from the one before it."""
            mine = np.isin(nodes.disc, discs[chosen])
            latest[:, mine] = by(population, nodes.lam[mine], latest[:, mine])
            return mass[chosen] + nodes.sums(latest[0] - nodes.known[0], discs)[chosen]

        return settled(at, make, first, mass, _AGREED * tol, refine)


def _on_contour(accuracy, holes, population, lam, known=None):
    """(1 + G + n, L): g by a population at points of a contour, s of G groups, theta of n messages; what is ``known`` is a start.

    Where the support ends is seen by the population's own T: next to that of its law, on either side of which g is continuous.
    """
    start = None if known is None else population.along(known)
    found = solution(population, holes, lam.real + 1j * np.abs(lam.imag), {"resolvent"}, accuracy, start=start)
    g = found.values["resolvent"]
    return np.concatenate([np.where(lam.imag < 0.0, g.conj(), g)[None], found.shares.T, found.theta.T])
