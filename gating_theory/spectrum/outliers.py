"""Isolated eigenvalues of a fixed point's spectrum: the determinants they are zeros of, and the search for these zeros [T4].

A network at a fixed point holds it: each matrix is conditioned on one vector going where it goes, a change of rank one. Outside
the support the eigenvalues that this makes are the zeros of det(1 - C(lambda)),

    C_kl = E[m_k W_kl(lambda) (y_l - b_l)] / E[m_k^2],

which goes to 1 for large lambda.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..ensemble.field_law import RandomFields

if TYPE_CHECKING:
    from ..ensemble.sites import Sites
    from ..mean_field.fixed_point import FixedPoint
    from .edge import FixedPointEdge

__all__ = ["FixedPointOutliers", "OutlierDeterminant", "SitesOutliers", "isolated_zeros", "polished_zeros", "sorted_by_modulus"]

#: Level of the edge's grids: twice the coarsest, as candidates lie outside the support, but may lie close to it.
_LEVEL = 1
#: Largest |det - 1| on a circle outside of which there are no zeros.
_FAR = 0.4
#: Points on the real axis, more of them close to 1; radii and angles of a grid, and from how many of its points Newton starts.
_AXIS, _NEAR_ONE, _RADII, _ANGLES, _STARTS = 801, 60, 40, 48, 24
_NEWTON_STEPS = 60
#: Sums over sites go over so many numbers at once: grids of lambdas times sites fill no memory.
_AT_ONCE = 1 << 20
#: |det| at a zero; distance of two zeros that are one, and of one from the axis that is on it, relative to 1 + |zero|.
_ZERO, _SAME, _REAL = 1e-9, 1e-7, 1e-9


class OutlierDeterminant:
    """det(1 - C(lambda)) as a function of an array of lambdas.

    Attributes
    ----------
    message_of : (K,) array, the message that each field listens to
    chi : (d + 1, G) array, coefficients of det(lambda - F_s) in powers of lambda - 1 at G sites or nodes
    terms : dict from (message, field) to (d + 1, G) arrays
        Coefficients of the numerators of C at these sites, with their weights.
    """

    message_of: np.ndarray
    chi: np.ndarray
    terms: dict[tuple[int, int], np.ndarray]

    def __call__(self, lam: np.ndarray) -> np.ndarray:
        lam = np.asarray(lam, dtype=complex)
        rows = max(1, _AT_ONCE // self.chi.shape[1])
        return np.concatenate([np.zeros(0), *(self._at(lam[i : i + rows]) for i in range(0, lam.size, rows))])

    def _at(self, lam):
        with np.errstate(over="ignore", invalid="ignore"):  # infinite on leaks
            C = self.coupling(lam)
            return np.linalg.det(np.eye(C.shape[-1]) - C)

    def coupling(self, lam: np.ndarray) -> np.ndarray:
        """(L, K, K) C(lambda) at a few lambdas (L,)."""
        powers, chi = self.powers(lam)
        K = self.message_of.size
        matrix = np.zeros((lam.size, K, K), dtype=complex)
        for (k, l), rows in self.terms.items():
            value = ((powers @ rows) / chi).sum(axis=1)
            matrix[:, self.message_of == k, l] = value[:, None]
        return matrix

    def powers(self, lam: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(L, d + 1) powers of lambda - 1, and (L, G) det(lambda - F_s), at lambdas (L,)."""
        powers = (lam - 1.0)[:, None] ** np.arange(self.chi.shape[0])
        chi = powers @ self.chi
        return powers, np.where(chi == 0, 1e-300, chi)


class FixedPointOutliers(OutlierDeterminant):
    """The determinant at a mean-field fixed point, averaged factor by factor like the edge."""

    def __init__(self, fixed_point: FixedPoint, edge: FixedPointEdge) -> None:
        ensemble, cell = fixed_point.ensemble, fixed_point.ensemble.cell
        law, _, weights = edge.grid(_LEVEL)
        self.chi = edge.chi(1, _LEVEL)
        for _ in range(edge.factors.zeros):  # times lambda
            self.chi = np.pad(self.chi, ((0, 1), (0, 0))) + np.pad(self.chi, ((1, 0), (0, 0)))
        q = fixed_point.q
        bias = ensemble.array("bias")
        share = RandomFields(ensemble).share(q)
        self.message_of, self.terms = np.array(cell.message_of), {}
        for (k, l), powers in cell.compiled.outlier_factors.items():
            if q[k] == 0 or share[l] == 0:
                continue
            rows = np.zeros((len(powers), weights.size))
            for i, pair in enumerate(powers):
                if pair is None:
                    continue
                mean_y, mean_1 = (law.mean_of_products(cell, p, edge.tol, edge.pole_variables, edge.averages)[0] for p in pair)
                value = np.broadcast_to(mean_y - bias[l] * mean_1, (1, *weights.shape))[0] * weights
                rows[i] = share[l] * value.ravel() / q[k]
            self.terms[k, l] = rows


class SitesOutliers(OutlierDeterminant):
    """The determinant for a population of sites at a fixed point, whose ``recurrent`` says what its matrices are conditioned on."""

    def __init__(self, sites: Sites) -> None:
        cell, recurrent = sites.cell, np.asarray(sites.recurrent)
        minors = dict(cell.compiled.minors(1, sites.state, sites.fields, sites.parameters))
        chi = minors.pop(((), ()))
        self.chi = np.array([np.broadcast_to(c, sites.size) for c in chi])
        messages = cell.compiled.messages(sites.state, sites.fields, sites.parameters)
        messages = [np.broadcast_to(m, sites.size) for m in messages]
        self.message_of, self.terms = np.array(cell.message_of), {}
        for (rows, columns), q in minors.items():
            if len(rows) != 1:
                continue
            (k,), (l,) = rows, columns
            square = sites.mean(messages[k] ** 2)
            if square > 0.0:
                self.terms[k, l] = np.asarray(q) * (sites.weights * messages[k] * recurrent[l] / square)


def isolated_zeros(
    determinant: Callable[[np.ndarray], np.ndarray], log_edge: Callable[[np.ndarray], np.ndarray], bound: float
) -> np.ndarray:
    """The zeros of a determinant outside the support or in a hole, largest modulus first, as a complex array.

    Parameters
    ----------
    determinant : function of an array of lambdas
    log_edge : function that is negative where zeros count
    bound : float, a radius beyond which there is no support
    """
    bound = 1.05 * bound
    far = bound * np.exp(1j * np.linspace(0, np.pi, 17))
    if (log_edge(far) < 0.0).all():  # outside: as far as the determinant is away from 1
        while np.abs(determinant(far) - 1.0).max() > _FAR:
            far, bound = 1.3 * far, 1.3 * bound
    z = polished_zeros(determinant, _candidates(determinant, log_edge, bound), bound)
    z = np.where(np.abs(z.imag) < _REAL * (1.0 + np.abs(z)), z.real, z)
    z = z[(np.abs(z) <= 1.5 * bound) & (np.abs(determinant(z)) < _ZERO)] if z.size else z
    z = z[log_edge(z) < -1e-9]
    found: list[complex] = []
    for root in np.concatenate([z, z.conj()]):
        if not any(abs(root - other) < _SAME * (1 + abs(root)) for other in found):
            found.append(root)
    return sorted_by_modulus(np.array(found, dtype=complex))


def sorted_by_modulus(roots: np.ndarray) -> np.ndarray:
    """Complex numbers, largest modulus first, of a pair that in the upper half plane."""
    return roots[np.lexsort((-roots.imag, -np.abs(roots)))]


def _candidates(determinant, log_edge, bound):
    """Changes of sign on the real axis, and the points of a grid where zeros count at which |det| is smallest."""
    axis = np.unique(np.concatenate([np.linspace(-bound, bound, _AXIS), 1.0 + np.geomspace(1e-6, 0.3, _NEAR_ONE)]))
    axis = axis[log_edge(axis) < 0]
    values = determinant(axis).real if axis.size else axis
    change = np.flatnonzero(values[:-1] * values[1:] < 0)
    r, theta = np.meshgrid(np.linspace(0.05, 1.0, _RADII) * bound, np.linspace(0.02, np.pi - 0.02, _ANGLES))
    grid = (r * np.exp(1j * theta)).ravel()
    grid = grid[log_edge(grid) < 0]
    starts = grid[np.argsort(np.abs(determinant(grid)))[:_STARTS]] if grid.size else grid
    return np.concatenate([0.5 * (axis[change] + axis[change + 1]), starts]).astype(complex)


def polished_zeros(determinant: Callable[[np.ndarray], np.ndarray], z: np.ndarray, bound: float) -> np.ndarray:
    """Newton's method from each of ``z``, with steps of a tenth of ``bound`` at most and the slope by differences.

    Parameters
    ----------
    determinant : function of an array of lambdas
    z : complex array
    bound : float
    """
    for _ in range(_NEWTON_STEPS):
        h = 1e-6 * (1.0 + np.abs(z))
        with np.errstate(over="ignore", invalid="ignore"):  # on a leak there is a pole: a step from there is none
            slope = (determinant(z + h) - determinant(z - h)) / (2.0 * h)
            step = -determinant(z) / np.where(slope == 0, np.inf, slope)
            step *= np.minimum(1.0, 0.1 * bound / np.maximum(np.abs(step), 1e-300))
        step = np.where(np.isfinite(step), step, 0.0)
        z = z + step
        if np.all(np.abs(step) < 1e-13 * (1.0 + np.abs(z))):
            break
    return z
