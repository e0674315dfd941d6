"""One sampled network: what its eigenvalues are, and what theory says at its very sites."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..running.blas import single_blas_thread
from ..spectrum.spectrum import Spectrum
from .edges import Edge, edge_of
from .quantities import Quantities, without
from .states import AtRest, Moving

__all__ = ["Measurement", "measurement_of"]


class Measurement(NamedTuple):
    """A network of a case.

    Attributes
    ----------
    eigenvalues : complex array
    values : (Q,) array, measured
    expected, matrices : (Q,) arrays
        Mean and standard deviation that theory expects of networks with its sites.
    edges : (Edge, Edge), radius and abscissa
    """

    eigenvalues: np.ndarray
    values: np.ndarray
    expected: np.ndarray
    matrices: np.ndarray
    edges: tuple[Edge, Edge]


def measurement_of(
    state: AtRest | Moving, quantities: Quantities, n: int, isolated: np.ndarray, seed: np.random.SeedSequence
) -> Measurement:
    """A freshly sampled network of n units; the ``isolated`` eigenvalues of theory do not count for the edges."""
    with single_blas_thread():
        network = state.network(n, np.random.default_rng(seed))
        eigenvalues = network.eigenvalues
        values = quantities.of_network(eigenvalues, without(eigenvalues, isolated), network.jacobian)
        sites = network.sites
        spectrum = Spectrum(sites)
        finite = spectrum.finite_size()
        units = quantities.of_units(finite)
        laws, radius = (finite.radius, finite.abscissa), finite.radius.limit
        radial, real = (edge_of(law, value, spectrum, sites, radius) for law, value in zip(laws, values[:2].tolist()))
        return Measurement(eigenvalues, values, units.mean, units.matrices, (radial, real))
