"""What is compared: radius and abscissa, masses of discs, slow fractions, log|det|, singular values and gradients.

Each of a Spectrum, of N units in theory, and of a network.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from ..spectrum.finite_size import FiniteSize
from ..spectrum.spectrum import Spectrum
from . import gradients
from .cases import Case

__all__ = ["Quantities", "Units", "without"]

#: Absolute tolerance of theory's masses.
_TOL = 1e-4
#: Standard deviation of what theory does not follow at N units: the limit knows nothing of the surplus of real eigenvalues, and
#: the constants of log|det| are those of Ginibre's matrices [T12].
_EIGENVALUES, _LOG_DET = 0.7, 0.5
#: Means of singular values and gradients at N units differ from the limit by order 1/N, and so does each network: up to this share
#: of its scatter.
_GRADIENTS = 0.5


class Units(NamedTuple):
    """Quantities of networks of N units, (Q,) arrays: in the limit, means, and standard deviations by sites and by matrices."""

    limit: np.ndarray
    mean: np.ndarray
    sites: np.ndarray
    matrices: np.ndarray


class Quantities:
    """The quantities of a case, in one order: edges, fractions of eigenvalues, log|det| per unit, singular values and gradients.

    Parameters
    ----------
    case : Case

    Attributes
    ----------
    names : list of Q str
    n_edges : int, how many of them, the first, are edges
    n_gradients : int, how many, the last, are of singular values and gradients: theory has no law of them at N units
    """

    n_edges = 2
    n_gradients = len(gradients.NAMES)

    def __init__(self, case: Case) -> None:
        self.discs, self.taus, self.lambdas = case.discs, case.taus, case.lambdas
        self.n_state = case.ensemble.cell.n_state
        self.names = ["radius", "abscissa"]
        self.names += [f"mass |z - {_short(c)}| < {r:g}" for c, r in case.discs]
        self.names += [f"slow fraction, tau = {t:g}" for t in case.taus]
        self.names += [f"log|det| per unit at {_short(z)}" for z in case.lambdas]
        self.names += gradients.NAMES

    def of_spectrum(self, spectrum: Spectrum) -> np.ndarray:
        """(Q,) values in the limit."""
        edges = [spectrum.radius(), spectrum.abscissa()]
        centers, radii = [c for c, _ in self.discs], [r for _, r in self.discs]
        masses = np.atleast_1d(spectrum.mass(centers, radii, tol=_TOL))
        slow = np.atleast_1d(spectrum.slow_fraction(self.taus, tol=_TOL))
        dets = [spectrum.potential(z) for z in self.lambdas]
        return np.array([*edges, *masses, *slow, *dets, *gradients.of_spectrum(spectrum)], dtype=float)

    def of_units(self, finite: FiniteSize) -> Units:
        """What theory expects of networks of N units; the spreads of singular values and gradients are nan."""
        laws = (finite.radius, finite.abscissa)
        edges = [(law.mean, law.sd_sites, law.sd_matrices) for law in laws]
        masses = [np.array(finite.count(c, r)) / (self.n_state * finite.n_units) for c, r in self.discs]
        slow = [finite.slow_fraction(tau) for tau in self.taus]
        dets = [np.array(finite.log_det(z)) / finite.n_units for z in self.lambdas]
        grown = [(value, np.nan, np.nan) for value in gradients.of_spectrum(finite.spectrum)]
        mean, sites, matrices = np.array([*edges, *masses, *slow, *dets, *grown]).T
        limit = mean.copy()
        limit[: self.n_edges] = [law.limit for law in laws]
        n_dets, end = len(self.lambdas), len(limit) - self.n_gradients
        limit[end - n_dets : end] = [finite.spectrum.potential(z) for z in self.lambdas]
        return Units(limit, mean, sites, matrices)

    def unknown(self, n_units: int, matrices: np.ndarray) -> np.ndarray:
        """(Q,) standard deviations of what theory does not follow in networks of n_units; they scatter so by their ``matrices``."""
        n_dets = len(self.lambdas)
        n_fractions = len(self.names) - self.n_edges - n_dets - self.n_gradients
        numbers = [self.n_edges, n_fractions, n_dets]
        known = np.repeat([0.0, _EIGENVALUES / (self.n_state * n_units), _LOG_DET / n_units], numbers)
        return np.concatenate([known, _GRADIENTS * matrices[len(known) :]])

    def of_network(self, eigenvalues: np.ndarray, bulk: np.ndarray, jacobian: np.ndarray) -> np.ndarray:
        """(Q,) values of one network; its edges are those of the ``bulk``, without isolated eigenvalues."""
        edges = [np.abs(bulk).max(), bulk.real.max()]
        masses = [np.mean(np.abs(eigenvalues - c) < r) for c, r in self.discs]
        slow = [np.mean(np.abs(eigenvalues) >= np.exp(-1.0 / t)) for t in self.taus]
        # (1/N) log|det(lambda - J)|, from the eigenvalues that are there anyway
        dets = [self.n_state * np.mean(np.log(np.abs(z - eigenvalues))) for z in self.lambdas]
        return np.array([*edges, *masses, *slow, *dets, *gradients.of_jacobian(jacobian)])


def without(eigenvalues: np.ndarray, isolated: Iterable[complex]) -> np.ndarray:
    """The eigenvalues without those closest to isolated ones that theory predicts."""
    bulk = eigenvalues
    for z in isolated:
        bulk = np.delete(bulk, np.argmin(np.abs(bulk - z)))
    return bulk


def _short(number):
    """A complex number without an imaginary part that is zero."""
    return f"{number.real:g}" if np.imag(number) == 0.0 else f"{number:g}"
