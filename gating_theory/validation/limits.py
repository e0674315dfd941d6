"""What theory says of a case: the infinite network, and what is expected of networks of N units whose sites are drawn."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..counting.complexity import Complexity
from ..ensemble.sites import Sites
from ..errors import CapabilityError
from ..mean_field.fixed_point import FixedPoint
from ..running.blas import single_blas_thread
from ..spectrum.spectrum import Spectrum
from .gradients import of_jacobian, of_spectrum
from .quantities import Quantities
from .states import AtRest, Moving

__all__ = ["Limit", "limit_of"]

#: Tolerance of the populations of the infinite network: well below what networks of a thousand units resolve.
_TOL = 1e-4
#: Draws of sites for the laws of edges; other networks whose sites are looked at where there is no law of them; draws by the delta
#: method.
_DRAWS, _OTHERS, _MANY = 100, 8, 400
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
    matrices, matrices_freedom : (Q,) arrays
        Standard deviations by matrices as other networks show them, and their degrees of freedom; nan where theory has them at the
        sites of each network.
    describes : bool, whether the limit describes such networks: where not, they are compared with theory at their sites only
    note : str, why not, or how the spread by sites is known, where that is not by their law
    """

    source: FixedPoint | Complexity | Sites
    values: np.ndarray
    isolated: np.ndarray
    curves: list[np.ndarray]
    expected: np.ndarray
    sites: np.ndarray
    size: np.ndarray
    freedom: np.ndarray
    matrices: np.ndarray
    matrices_freedom: np.ndarray
    describes: bool = True
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
            limit = _by_law(state.law, quantities, n, rng)
        else:
            limit = _by_samples(state, quantities, n, rng)
        _show_gradients(limit, state, quantities, n, rng)
        return limit


def _show_gradients(limit, state, quantities, n, rng):
    """How singular values and gradients scatter is seen in other networks: no law of it is known."""
    others = [state.network(n, rng) for _ in range(_OTHERS)]
    theory = np.array([of_spectrum(Spectrum(network.sites)) for network in others])
    apart = [of_jacobian(network.jacobian) for network in others] - theory
    some = slice(len(quantities.names) - quantities.n_gradients, None)
    # the state of a small network that runs depends on its matrices, which shifts all of them alike: the shift counts as well
    matrices = apart.std(axis=0, ddof=1) if isinstance(state, AtRest) else np.sqrt((apart**2).mean(axis=0))
    limit.sites[some], limit.matrices[some] = theory.std(axis=0, ddof=1), matrices
    limit.freedom[some] = limit.matrices_freedom[some] = _OTHERS - 1.0


def _by_law(point, quantities, n, rng):
    """Sites are independent draws of a law: what they do follows from influence functions."""
    spectrum = _spectrum(point)
    finite = spectrum.finite_size(n, _DRAWS, rng)
    units = quantities.of_units(finite)
    sites = units.sites
    note = "" if finite.describes else str(finite.status)
    if finite.describes:
        sites[: quantities.n_edges] = _of_edges(spectrum, n, rng, sites[: quantities.n_edges])
    known = np.where(np.arange(sites.size) < quantities.n_edges, float(_DRAWS), np.inf)
    curves = spectrum.boundary(_POINTS)
    theirs = np.full(sites.size, np.nan), np.full(sites.size, np.inf)
    freedom = known - 1.0
    return Limit(
        point, units.limit, spectrum.outliers(), curves, units.mean, sites, known, freedom, *theirs, finite.describes, note
    )


def _of_edges(spectrum, n, rng, drawn):
    """Standard deviations of edges by sites: by the delta method, to more digits than by draws, unless leaks make the edge."""
    try:
        finite = spectrum.finite_size(n, _MANY, rng, method="delta")
    except CapabilityError:
        return drawn
    return np.array([finite.radius.sd_sites, finite.abscissa.sd_sites])


def _by_samples(state, quantities, n, rng):
    """Sites depend on one another through time, or their law is tilted: other networks show what they do."""
    others = [state.network(n, rng).sites for _ in range(_OTHERS)]
    units = [quantities.of_units(Spectrum(sites).finite_size()) for sites in others]
    if isinstance(state, AtRest):
        source, size = state.law, np.inf
    else:
        source = Sites.pooled(others, "simulation, pooled") if state.known is None else state.known.thinned(_OTHERS * n)
        size = source.size / n
    spectrum = _spectrum(source)
    isolated = spectrum.outliers() if isinstance(state, AtRest) else np.zeros(0, dtype=complex)
    values, every = quantities.of_spectrum(spectrum), np.ones(len(quantities.names))
    expected = values + np.mean([one.mean - one.limit for one in units], axis=0)
    sites, freedom = np.std([one.mean for one in units], axis=0, ddof=1), (_OTHERS - 1.0) * every
    note = f"what sites do is seen in {_OTHERS} other networks"
    if isinstance(state, Moving):
        note += ": they depend on one another through time"
    theirs = np.nan * every, np.inf * every
    curves = spectrum.boundary(_POINTS)
    return Limit(source, values, isolated, curves, expected, sites, size * every, freedom, *theirs, True, note)


def _spectrum(source):
    return Spectrum(source) if isinstance(source, Sites) else Spectrum(source, tol=_TOL)
