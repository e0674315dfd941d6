"""One sampled network: what its eigenvalues are, and what theory says at its very sites."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..running.blas import single_blas_thread
from ..spectrum.spectrum import Spectrum
from .edges import edges_hold
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
    none_beyond : (2,) array
        The probability of theory, given the sites, that no eigenvalue lies beyond the measured radius; right of the abscissa.
    edges_hold : (2,) bool array, whether theory's radius and abscissa are where its edge function says
    """

    eigenvalues: np.ndarray
    values: np.ndarray
    expected: np.ndarray
    matrices: np.ndarray
    none_beyond: np.ndarray
    edges_hold: np.ndarray


def measurement_of(
    state: AtRest | Moving, quantities: Quantities, n: int, isolated: np.ndarray, seed: np.random.SeedSequence
) -> Measurement:
    """A freshly sampled network of n units; the ``isolated`` eigenvalues of theory do not count for the edges."""
    with single_blas_thread():
        network = state.network(n, np.random.default_rng(seed))
        eigenvalues = network.eigenvalues
        values = quantities.of_eigenvalues(eigenvalues, without(eigenvalues, isolated))
        sites = network.sites
        spectrum = Spectrum(sites)
        finite = spectrum.finite_size()
        expected, _, matrices = quantities.of_units(finite)
        none_beyond = np.array([finite.radius.cdf(values[0]), finite.abscissa.cdf(values[1])])
        held = edges_hold(spectrum, sites, np.array([finite.radius.limit, finite.abscissa.limit]))
        return Measurement(eigenvalues, values, expected, matrices, none_beyond, held)
