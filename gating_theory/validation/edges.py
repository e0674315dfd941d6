"""The edge that theory gives to a network with given sites: whether it is where the edge function falls to 1, and who makes it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..ensemble.sites import Sites
from ..spectrum.dyson import Population
from ..spectrum.edge_numbers import shares
from ..spectrum.finite_size import OutermostLaw
from ..spectrum.outermost import Draws
from ..spectrum.spectrum import Spectrum

__all__ = ["Edge", "edge_of"]

#: Distance to both sides of an edge at which the edge function is looked at, relative to the radius, and points there.
_BESIDE, _POINTS = 1e-3, 181
#: Distance to a leak, relative to the radius, at which only its own site counts.
_NEXT_TO = 1e-7


class Edge(NamedTuple):
    """The radius or the abscissa of one network.

    Attributes
    ----------
    none_beyond : float
        The probability of theory, given the sites, that no eigenvalue lies beyond the outermost measured one.
    n_effective : float
        How many sites make the edge of theory: (sum phi)^2 / sum phi^2 at its outermost point; 0 where its law cannot hold.
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
    beyond = points(law.limit + step)
    outside = np.asarray(spectrum.edge_function(beyond))
    falls = np.max(spectrum.edge_function(points(law.limit - step))) > 1.0
    leak, near = float(Draws(population, sites.size).floor(law.kind)[0]), _NEXT_TO * radius
    holds = bool(outside.max() < 1.0 and (falls or leak > law.limit - step))
    # matrices move the outermost leak to both sides, as far as it alone makes T larger than 1. The law knows little within
    island = leak + near * float(np.sqrt(np.max(spectrum.edge_function(points(leak + near)))))
    none_beyond = float(law.cdf(value)) if value > island else 0.5 * float(law.cdf(island))
    # where tau is flat at its edge the law cannot hold, however many sites there are
    sites_at_edge = 0.0 if law.pinched else _effective(population, beyond[np.argmax(outside)])
    return Edge(none_beyond, sites_at_edge, holds)


def _effective(population, lam):
    """How many sites make T at a lambda, of the loop that reaches furthest there."""
    each = [shares(population, np.array([lam]), loop)[0] for loop in population.blocks]
    phi = max(each, key=np.sum)
    return float(phi.sum() ** 2 / (phi**2).sum())
