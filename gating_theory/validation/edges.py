"""The edge that theory gives to a network with given sites: whether it is where the edge function falls to 1, and who makes it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..ensemble.sites import Sites
from ..spectrum.dyson import Population
from ..spectrum.edge import SitesEdge
from ..spectrum.edge_numbers import shares
from ..spectrum.finite_size import OutermostLaw
from ..spectrum.spectrum import Spectrum

__all__ = ["Edge", "edge_of"]

#: Distance to both sides of an edge at which the edge function is looked at, relative to the radius, and points there.
_BESIDE, _POINTS = 1e-3, 181
#: Standard deviations by matrices within which the outermost leak matters to an edge.
_NEAR = 3.0


class Edge(NamedTuple):
    """The radius or the abscissa of one network.

    Attributes
    ----------
    none_beyond : float
        The probability of theory, given the sites, that no eigenvalue lies beyond the outermost measured one.
    n_effective : float
        How many sites make the edge of theory: (sum phi)^2 / sum phi^2 at its outermost point, and next to the outermost leak where
        that is close, the fewer of both. 0 where its law cannot hold.
    holds : bool, whether that is where the edge function falls to 1, or where the leaks of sites end
    """

    none_beyond: float
    n_effective: float
    holds: bool


def edge_of(law: OutermostLaw, value: float, spectrum: Spectrum, sites: Sites, radius: float) -> Edge:
    """The Edge of a network.

    Parameters
    ----------
    law : OutermostLaw, of the radius or the abscissa of networks with these sites
    value : float, measured
    spectrum, sites : Spectrum and Sites, each of which is a unit
    radius : float, of the spectrum: how far lines are followed
    """
    along = np.linspace(0.0, 1.0, _POINTS)

    def points(at):
        return at * np.exp(1j * np.pi * along) if law.kind == "radius" else at + 1j * radius * along

    population, step = Population(sites), _BESIDE * radius
    leaks = SitesEdge(population).leaks.ravel()
    size = np.abs(leaks) if law.kind == "radius" else leaks.real
    leak, reach = leaks[np.argmax(size)], float(size.max())
    beyond = points(law.limit + step)
    outside = np.asarray(spectrum.edge_function(beyond))
    falls = np.max(spectrum.edge_function(points(law.limit - step))) > 1.0
    holds = bool(outside.max() < 1.0 and (falls or reach > law.limit - step))
    places = [beyond[np.argmax(outside)]]
    if reach > law.limit - _NEAR * law.sd_matrices:  # halfway between the outermost leak and the edge
        outward = leak / abs(leak) if law.kind == "radius" else 1.0
        places.append(leak + 0.5 * max(law.limit - reach, step) * outward)
    # the law cannot hold where tau is flat at its edge, nor where matrices have moved the outermost leak inwards
    lost = law.pinched or (len(places) > 1 and value < reach)
    count = 0.0 if lost else min(_effective(population, place) for place in places)
    return Edge(float(law.cdf(value)), count, holds)


def _effective(population, lam):
    """How many sites make T at a lambda, of the loop that reaches furthest there."""
    each = [shares(population, np.array([lam]), loop)[0] for loop in population.blocks]
    phi = max(each, key=np.sum)
    return float(phi.sum() ** 2 / (phi**2).sum())
