"""Numbers of eigenvalues in discs, and log|det(lambda - J)|, of networks of N units: means, and what sites and matrices do [T12].

Sites move a number of eigenvalues by order N^{1/2}, by its influence function. Given the sites eigenvalues repel, so that matrices
move it by the square root of a perimeter only,

    Var = (1/2 pi) times the contour integral of sqrt(N rho) c ds,        rho the density per unit area and unit,

where c is 1, and 2 for a region that is its own mirror image: complex eigenvalues come in pairs, whose rims are one then. In
between c = 1 + exp(-x^2) - sqrt(pi) x erfc(x) with x = sqrt(pi N rho) times the distance from the rim to its image, which is
Ginibre's law of two parallel lines.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .disc_mass import Nodes
from .dyson import Population
from .influence import mass_influence, through_moments, variance

__all__ = ["Expected", "eigenvalues_in_disc", "matrix_variance", "pair_factor"]

#: Tolerance of the populations and contours of influence functions: standard deviations are good to a percent.
_TOL = 1e-3
_DISC = np.zeros(1, dtype=int)


class Expected(NamedTuple):
    """What is expected of a network of N units.

    Attributes
    ----------
    mean : float
    sd_sites : float, standard deviation over networks that their sites make
    sd_matrices : float, the one that is left at given sites

    Examples
    --------
    How many eigenvalues of a vanilla network of 200 units, gain 1.2, lie outside the unit circle: 1 - 1/1.44 of them.

    >>> import gating_theory as gt
    >>> sp = gt.Spectrum(gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=1.2))[0])
    >>> inside = sp.finite_size(200).count(0, 1.0)
    >>> round(inside.mean, 1), round(inside.sd, 1)
    (138.9, 3.6)
    """

    mean: float
    sd_sites: float
    sd_matrices: float

    @property
    def sd(self) -> float:
        """Standard deviation over networks from both causes."""
        return float(np.hypot(self.sd_sites, self.sd_matrices))


def eigenvalues_in_disc(spectrum: Any, n_units: int, center: complex, radius: float, drawn: bool, natural: bool) -> Expected:
    """The number of eigenvalues in an open disc, of all d N.

    Parameters
    ----------
    spectrum : Spectrum
    n_units : int, N
    center, radius : complex, float
    drawn : bool, whether sites are drawn; if not they are the spectrum's own
    natural : bool, whether the moments are those of the drawn sites; else those of the limit
    """
    every = n_units * spectrum.n_state
    mean = float(every * spectrum.mass(center, radius))
    if not radius > 0.0:
        return Expected(mean, 0.0, 0.0)
    population, nodes = spectrum.rim(center, radius, _TOL, fold=not natural)
    sites = 0.0
    if drawn:
        influence = mass_influence(population, nodes, _DISC)
        if natural:
            influence = through_moments(population, influence, spectrum.fixed_point)
        sites = every * np.sqrt(variance(influence, population.weights)[0] / n_units)
    return Expected(mean, float(sites), float(np.sqrt(matrix_variance(population, nodes, n_units, center, radius))))


def matrix_variance(population: Population, nodes: Nodes, n_units: int, center: complex, radius: float) -> float:
    """Variance of the number of eigenvalues in a disc at given sites.

    Parameters
    ----------
    population : Population
    nodes : Nodes, along the rim of the disc
    n_units : int, N
    center, radius : complex, float, the disc
    """
    upper = nodes.lam.real + 1j * np.abs(nodes.lam.imag)
    start = population.along(nodes.known)
    density = np.maximum(population.solution(upper, {"density"}, start=start).values["density"], 0.0)
    length = np.abs(nodes.weights)  # per 2 pi d
    apart = np.abs(np.abs(nodes.lam - center.conjugate()) - radius) * np.sqrt(np.pi * n_units * density)
    return float(population.d * np.sum(length * pair_factor(apart) * np.sqrt(n_units * density)))


def pair_factor(apart: np.ndarray) -> np.ndarray:
    """c, by what pairs multiply the variance where a rim is so far from its mirror image, in units of 1 / sqrt(pi N rho).

    Parameters
    ----------
    apart : array
    """
    from scipy.special import erfc

    return 1.0 + np.exp(-(apart**2)) - np.sqrt(np.pi) * apart * erfc(apart)
