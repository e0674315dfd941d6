"""What is compared: radius and abscissa, masses of discs, slow fractions, log|det|, of a Spectrum, of N units, of eigenvalues."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from ..spectrum.finite_size import FiniteSize
from ..spectrum.spectrum import Spectrum
from .cases import Case

__all__ = ["Quantities", "Units", "without"]

#: Absolute tolerance of theory's masses.
_TOL = 1e-4
#: Standard deviation of what theory does not follow at N units: the limit knows nothing of the surplus of real eigenvalues, and
#: the constants of log|det| are those of Ginibre's matrices [T12].
_EIGENVALUES, _LOG_DET = 0.7, 0.5


class Units(NamedTuple):
    """Quantities of networks of N units, (Q,) arrays: in the limit, means, and standard deviations by sites and by matrices."""

    limit: np.ndarray
    mean: np.ndarray
    sites: np.ndarray
    matrices: np.ndarray


class Quantities:
    """The quantities of a case, in one order: radius, abscissa, then fractions of the eigenvalues, then log|det| per unit.

    Parameters
    ----------
    case : Case

    Attributes
    ----------
    names : list of Q str
    n_edges : int, how many of them, the first, are edges
    """

    n_edges = 2

    def __init__(self, case: Case) -> None:
        self.discs, self.taus, self.lambdas = case.discs, case.taus, case.lambdas
        self.n_state = case.ensemble.cell.n_state
        self.names = ["radius", "abscissa"]
        self.names += [f"mass |z - {_short(c)}| < {r:g}" for c, r in case.discs]
        self.names += [f"slow fraction, tau = {t:g}" for t in case.taus]
        self.names += [f"log|det| per unit at {_short(z)}" for z in case.lambdas]

    def of_spectrum(self, spectrum: Spectrum) -> np.ndarray:
        """(Q,) values in the limit."""
        edges = [spectrum.radius(), spectrum.abscissa()]
        centers, radii = [c for c, _ in self.discs], [r for _, r in self.discs]
        masses = np.atleast_1d(spectrum.mass(centers, radii, tol=_TOL))
        slow = np.atleast_1d(spectrum.slow_fraction(self.taus, tol=_TOL))
        return np.array([*edges, *masses, *slow, *(spectrum.potential(z) for z in self.lambdas)], dtype=float)

    def of_units(self, finite: FiniteSize) -> Units:
        """What theory expects of networks of N units."""
        laws = (finite.radius, finite.abscissa)
        edges = [(law.mean, law.sd_sites, law.sd_matrices) for law in laws]
        masses = [np.array(finite.count(c, r)) / (self.n_state * finite.n_units) for c, r in self.discs]
        slow = [finite.slow_fraction(tau) for tau in self.taus]
        dets = [np.array(finite.log_det(z)) / finite.n_units for z in self.lambdas]
        mean, sites, matrices = np.array([*edges, *masses, *slow, *dets]).T
        limit = mean.copy()
        limit[: self.n_edges] = [law.limit for law in laws]
        limit[len(limit) - len(self.lambdas) :] = [finite.spectrum.potential(z) for z in self.lambdas]
        return Units(limit, mean, sites, matrices)

    def unknown(self, n_units: int) -> np.ndarray:
        """(Q,) standard deviations of what theory does not follow in networks of n_units."""
        n_dets = len(self.lambdas)
        n_fractions = len(self.names) - self.n_edges - n_dets
        return np.repeat([0.0, _EIGENVALUES / (self.n_state * n_units), _LOG_DET / n_units], [self.n_edges, n_fractions, n_dets])

    def of_eigenvalues(self, eigenvalues: np.ndarray, bulk: np.ndarray) -> np.ndarray:
        """(Q,) values of one network; its edges are those of the ``bulk``, without isolated eigenvalues."""
        edges = [np.abs(bulk).max(), bulk.real.max()]
        masses = [np.mean(np.abs(eigenvalues - c) < r) for c, r in self.discs]
        slow = [np.mean(np.abs(eigenvalues) >= np.exp(-1.0 / t)) for t in self.taus]
        # (1/N) log|det(lambda - J)|, from the eigenvalues that are there anyway
        dets = [self.n_state * np.mean(np.log(np.abs(z - eigenvalues))) for z in self.lambdas]
        return np.array([*edges, *masses, *slow, *dets])


def without(eigenvalues: np.ndarray, isolated: Iterable[complex]) -> np.ndarray:
    """The eigenvalues without those closest to isolated ones that theory predicts."""
    bulk = eigenvalues
    for z in isolated:
        bulk = np.delete(bulk, np.argmin(np.abs(bulk - z)))
    return bulk


def _short(number):
    """A complex number without an imaginary part that is zero."""
    return f"{number.real:g}" if np.imag(number) == 0.0 else f"{number:g}"
