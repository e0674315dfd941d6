"""The smallest singular value of lambda - J inside the support of the eigenvalues, in networks of N units [T9].

It is of order 1/N, and its law that of any iid matrix, whatever the cell: m(0) alone sets the scale. With y = m(0) N s_min

    P(y > t) = exp(-t^2)  off the real axis,    exp(-t^2 / 2 - t)  on it (Edelman's law).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc, exp, pi, sqrt

import numpy as np
import numpy.typing as npt

from ...results.encoding import require, result
from ...support.arithmetic import underflow_is_zero
from ...support.checks import real_array, shares

__all__ = ["SmallestSingularValue"]


@result("smallest_singular_value")
@dataclass(frozen=True)
class SmallestSingularValue:
    """The law of the smallest singular value of lambda - J in networks of N units, lambda inside the support [T9].

    It is the limit's; N = 100 and more were not distinguishable from it, but for a few percent. Between the real axis and
    ``|Im lambda| ~ N^{-1/2}`` the one law passes into the other, and next to the edge of the support it is that of neither.

    Attributes
    ----------
    lam : complex, lambda
    n_units : int, N
    m0 : float
        m(0), pi/2 times the density of singular values at zero (per unit, d of them); the mean is of order 1 / (N m(0)).

    Examples
    --------
    At a real lambda the law is that of real matrices:

    >>> import gating_theory as gt
    >>> law = gt.Spectrum(gt.fixed_points(gt.Ensemble(gt.Vanilla))[0]).smallest_singular_value(0, 100)
    >>> round(law.mean, 4), law.real
    (0.0066, True)
    """

    lam: complex
    n_units: int
    m0: float

    def check(self) -> None:
        """ValueError where the law is none."""
        require(self.n_units >= 1 and self.m0 > 0.0, "n_units and m0 must be positive")

    @property
    def real(self) -> bool:
        """Whether lambda is real, and so the matrix."""
        return complex(self.lam).imag == 0.0

    @property
    def scale(self) -> float:
        """1 / (N m(0)), which values are in units of."""
        return 1.0 / (self.n_units * self.m0)

    @property
    def mean(self) -> float:
        """The mean over networks: 0.6557 of the scale on the real axis, 0.8862 off it."""
        return self.scale * (sqrt(0.5 * pi) * exp(0.5) * erfc(sqrt(0.5)) if self.real else 0.5 * sqrt(pi))

    @property
    def median(self) -> float:
        """The value that half of the networks are below."""
        return float(self.quantile(0.5))

    @underflow_is_zero
    def cdf(self, x: npt.ArrayLike) -> float | np.ndarray:
        """The probability that a network's value is at most x, a real number or an array of them."""
        at = real_array("x", x)
        y = np.maximum(at, 0.0) / self.scale
        value = -np.expm1(-y * (0.5 * y + 1.0) if self.real else -(y**2))
        return value if at.ndim else float(value)

    @underflow_is_zero
    def density(self, x: npt.ArrayLike) -> float | np.ndarray:
        """The probability density at x, a real number or an array of them."""
        at = real_array("x", x)
        y = np.maximum(at, 0.0) / self.scale
        value = (y + 1.0) * np.exp(-y * (0.5 * y + 1.0)) if self.real else 2.0 * y * np.exp(-(y**2))
        value = np.where(at < 0.0, 0.0, value / self.scale)
        return value if at.ndim else float(value)

    @underflow_is_zero
    def quantile(self, p: npt.ArrayLike) -> float | np.ndarray:
        """The value that a share ``p`` of the networks is below, a number in (0, 1) or an array of them.

        Raises
        ------
        ValueError
            p out of range
        """
        share = shares("p", p)
        action = -np.log1p(-share)
        # y^2 / 2 + y = action, without the difference of two numbers that are almost one
        value = self.scale * (2.0 * action / (np.sqrt(1.0 + 2.0 * action) + 1.0) if self.real else np.sqrt(action))
        return value if share.ndim else float(value)

    def __str__(self) -> str:
        where = "the law of real matrices" if self.real else "the law of complex matrices"
        return (
            f"smallest singular value of {self.lam} - J, N = {self.n_units}: mean {self.mean:.4g}, median {self.median:.4g} "
            f"({where}, m(0) = {self.m0:.6g})"
        )
