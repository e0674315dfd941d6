"""Whether the radius and abscissa that theory gives are where its edge function falls to 1, or where the sites' own leaks end."""

from __future__ import annotations

import numpy as np

from ..ensemble.sites import Sites
from ..spectrum.dyson import Population
from ..spectrum.outermost import Draws
from ..spectrum.spectrum import Spectrum

__all__ = ["edges_hold"]

#: Relative distance to both sides of an edge at which the edge function is looked at, and points there.
_BESIDE, _POINTS = 1e-3, 181


def edges_hold(spectrum: Spectrum, sites: Sites, edges: np.ndarray) -> np.ndarray:
    """(2,) bool, for the ``edges`` (radius, abscissa) of a Spectrum of these sites, each of which is a unit."""
    angles = np.exp(1j * np.linspace(0.0, np.pi, _POINTS))
    heights = 1j * edges[0] * np.linspace(0.0, 1.0, _POINTS)
    step = _BESIDE * edges[0]
    leaks = Draws(Population(sites), sites.size)
    out = []
    for kind, edge in zip(("radius", "abscissa"), edges):

        def largest(at, kind=kind):
            return np.max(spectrum.edge_function(at * angles if kind == "radius" else at + heights))

        ends = largest(edge - step) > 1.0 or leaks.floor(kind)[0] > edge - step
        out.append(ends and largest(edge + step) < 1.0)
    return np.array(out)
