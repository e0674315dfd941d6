"""What theory says of a case: the infinite network, and what is expected of networks of N units whose sites are drawn."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..counting.complexity import Complexity
from ..ensemble.sites import Sites
from ..mean_field.fixed_points import FixedPoint
from ..running.blas import single_blas_thread
from ..spectrum.spectrum import Spectrum
from .quantities import Quantities
from .states import AtRest, Moving

__all__ = ["Limit", "limit_of"]

#: Tolerance of the populations of the infinite network: well below what networks of a thousand units resolve.
_TOL = 1e-4
#: Draws of sites for the laws of edges; other networks whose sites are looked at where there is no law of them.
_DRAWS, _OTHERS = 100, 8
#: Points of the boundary that are kept for pictures.
_POINTS = 256


class Limit(NamedTuple):
    """The infinite network of a case, and what its theory expects of networks of N units.

    Attributes
    ----------
    source : what its Spectrum is of
    values : (Q,) array, of the infinite network
    isolated : complex array, isolated eigenvalues that theory predicts
    curves : list of complex arrays, the boundary of its spectrum
    expected, sites : (Q,) arrays, means over networks and standard deviations by their sites
    size : (Q,) array, how many networks ``expected`` is known from; infinite where it is a law's
    freedom : (Q,) array, degrees of freedom from which ``sites`` is known
    doubts : str, why the limit does not describe such networks; empty where it does
    note : str, how the spread by sites is known, where that is not by their law
    """

    source: FixedPoint | Complexity | Sites
    values: np.ndarray
    isolated: np.ndarray
    curves: list[np.ndarray]
    expected: np.ndarray
    sites: np.ndarray
    size: np.ndarray
    freedom: np.ndarray
    doubts: str = ""
    note: str = ""

    @property
    def spectrum(self) -> Spectrum:
        """That of the infinite network."""
        return _spectrum(self.source)


def limit_of(state: AtRest | Moving, quantities: Quantities, n: int, seed: np.random.SeedSequence) -> Limit:
    """The Limit of a state, for networks of n units."""
    rng = np.random.default_rng(seed)
    with single_blas_thread():
        if isinstance(state, AtRest) and isinstance(state.law, FixedPoint):
            return _by_law(state.law, quantities, n, rng)
        return _by_samples(state, quantities, n, rng)


def _by_law(point, quantities, n, rng):
    """Sites are independent draws of a law: what they do follows from influence functions."""
    spectrum = _spectrum(point)
    finite = spectrum.finite_size(n, _DRAWS, rng)
    expected, sites, _ = quantities.of_units(finite)
    known = np.where(np.arange(sites.size) < quantities.n_edges, float(_DRAWS), np.inf)
    doubts = ""
    values, curves = quantities.of_spectrum(spectrum), spectrum.boundary(_POINTS)
    return Limit(point, values, spectrum.outliers(), curves, expected, sites, known, known - 1.0, doubts)


def _by_samples(state, quantities, n, rng):
    """Sites depend on one another through time, or their law is tilted: other networks show what they do."""
    others = [state.network(n, rng).sites for _ in range(_OTHERS)]
    spectra = [Spectrum(sites) for sites in others]
    own = np.array([quantities.of_spectrum(spectrum) for spectrum in spectra])
    units = np.array([quantities.of_units(spectrum.finite_size())[0] for spectrum in spectra])
    if isinstance(state, AtRest):
        source, size = state.law, np.inf
    else:
        source = Sites.pooled(others, "simulation, pooled") if state.known is None else state.known.thinned(_OTHERS * n)
        size = source.size / n
    spectrum = _spectrum(source)
    isolated = spectrum.outliers() if isinstance(state, AtRest) else np.zeros(0, dtype=complex)
    values, every = quantities.of_spectrum(spectrum), np.ones(len(quantities.names))
    expected, sites = values + (units - own).mean(axis=0), units.std(axis=0, ddof=1)
    note = f"sites: {_OTHERS} networks"
    freedom = (_OTHERS - 1.0) * every
    return Limit(source, values, isolated, spectrum.boundary(_POINTS), expected, sites, size * every, freedom, "", note)


def _spectrum(source):
    return Spectrum(source) if isinstance(source, Sites) else Spectrum(source, tol=_TOL)
