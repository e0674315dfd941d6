"""The equations of singular values of one lambda - J on the axis of regulators i s, and next to it [T9]."""

from __future__ import annotations

import numpy as np

from .log_average import LogAverage
from .selected import NewtonSteps, Selected

__all__ = ["OnAxis"]

#: Steps of Newton's method at most, a relative one that is the last in any case, and where it is lost.
_STEPS, _LAST, _LOST = 8, 1e-7, 1e3
#: How much larger real parts are than the square of a last step.
_SURE = 1e2
#: Steps of the plain iteration that make first guesses.
_PLAIN = 6
_TINY = 1e-300


class OnAxis:
    """The equations of one population at one lambda: unknowns are p and q of the messages that count.

    Parameters
    ----------
    average : LogAverage
    """

    def __init__(self, average: LogAverage) -> None:
        self._average = average

    @property
    def n_unknowns(self) -> int:
        """How many unknowns there are, 2 n."""
        return 2 * self._average.n

    def first(self, eta: np.ndarray) -> np.ndarray:
        """What a few steps of the plain iteration make of zeros.

        Parameters
        ----------
        eta : (L,) complex array
        """
        z = np.zeros((eta.size, self.n_unknowns), complex)
        for _ in range(_PLAIN):
            gradient = self._average.derivatives(np.concatenate([z, eta[:, None]], axis=1))[0]
            z = gradient[:, np.roll(np.arange(self.n_unknowns), self._average.n)]
        return z

    def newton(self, eta: np.ndarray, z: np.ndarray, last: float) -> NewtonSteps:
        """Newton's method. Steps below ``last`` end it where their squares are small beside all real parts, others below 1e-7.

        Parameters
        ----------
        eta : (L,) complex array
        z : (L, 2n) complex array
        last : float
        """
        return _newton(self._average, eta, z, last)

    def signs(self, z: np.ndarray) -> np.ndarray:
        """Re z / |z|.

        Parameters
        ----------
        z : (L, 2n) complex array
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            return z.real / np.abs(z)

    def counts(self, solution: Selected) -> np.ndarray:
        """(L,) how many singular values per unit (of d) lie below s: the phase of the potential, (2 / pi) Im Phi [T9].

        Parameters
        ----------
        solution : Selected, of these equations
        """
        n = self._average.n
        p, q = solution.z[:, :n], solution.z[:, n:]
        turned = self._average.turns(np.concatenate([solution.z, 1j * solution.s[:, None]], axis=1))
        return turned - (p * q).sum(axis=1).imag / np.pi


def _newton(average, eta, z, last):
    """Newton's method at regulators (L,) from ``z`` (L, 2n): whether it converged, z, dz/d eta and m.

    Steps below ``last`` end it where their squares are small beside the real parts of all unknowns, others below ``_LAST``.
    """
    L, v = z.shape
    swap = np.roll(np.arange(v), v // 2)  # p_k follows from dq_k, and q_k from dp_k
    found, z = np.zeros(L, dtype=bool), z.copy()
    slope, m = np.zeros((L, v), complex), np.zeros(L, complex)
    left = np.arange(L)
    for _ in range(_STEPS):
        if not left.size:
            break
        gradient, second = average.derivatives(np.concatenate([z[left], eta[left, None]], axis=1))
        right = np.stack([gradient[:, swap] - z[left], second[:, swap, v]], axis=2)
        step, slopes = np.moveaxis(_divided(np.eye(v) - second[:, swap, :v], right), 2, 0)
        z[left] += step
        slope[left] = slopes
        m[left] = 0.5 * (gradient[:, v] + (second[:, v, :v] * step).sum(axis=1))
        with np.errstate(invalid="ignore", divide="ignore"):
            length = np.where(step == 0.0, 0.0, np.abs(step) / np.abs(z[left])).max(axis=1, initial=0.0)
            sure = (z[left].real > _SURE * length[:, None] ** 2 * np.abs(z[left])).all(axis=1)
        found[left] = ((length < _LAST) | (length < last) & sure) & np.isfinite(m[left])
        left = left[~found[left] & (length < _LOST)]  # not a number is lost as well
    return found, z, slope, m


def _divided(jacobian, right):
    """jacobian^-1 right; nan where it is singular or not finite."""
    bad = ~np.isfinite(jacobian).all(axis=(1, 2)) | ~np.isfinite(right).all(axis=(1, 2))
    jacobian[bad] = np.eye(jacobian.shape[1])
    singular = np.abs(np.linalg.det(jacobian)) < _TINY
    jacobian[singular] = np.eye(jacobian.shape[1])
    out = np.linalg.solve(jacobian, right)
    out[bad | singular] = np.nan
    return out
