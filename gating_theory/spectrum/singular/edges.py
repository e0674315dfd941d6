"""Where the singular values of lambda - J end, by real arithmetic [T9].

With eta = i s, p = i p', q = i q' the coefficients c_m of the determinant become (-1)^r c_m, with r the size of the minors, and the
equations stay real. From p' = q' = 0 at s = 0 their minimal solution grows with s, for all its Taylor coefficients are positive: it
counts closed paths. It ends in a fold at the smallest singular value. The same in h = 1 / s from h = 0 on ends at the largest one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..determinant import spectral_radius
from .regulated import Regulated

__all__ = ["SignedSites", "largest_of", "smallest_of"]


@dataclass(frozen=True)
class SignedSites:
    """D = base + sum_m a_m p^e q^f s^g at M sites, whose logarithm has no positive Taylor coefficient.

    Attributes
    ----------
    base : (M,) array, positive
    a : (m, M) array, of both signs
    exponents : (m, 2n + 1) array, of p, of q and of s
    weights : (M,) array
    """

    base: np.ndarray
    a: np.ndarray
    exponents: np.ndarray
    weights: np.ndarray

    @classmethod
    def from_zero(cls, sites: Regulated) -> SignedSites:
        """At small s.

        Parameters
        ----------
        sites : Regulated
        """
        degree = (sites.e + sites.f).sum(axis=1) + sites.g
        sign = np.where(degree % 4 == 0, 1.0, -1.0)
        return cls(sites.base, sign[:, None] * sites.c, _exponents(sites.e, sites.f, sites.g), sites.weights)

    @classmethod
    def from_infinity(cls, sites: Regulated) -> SignedSites:
        """At small h = 1 / s, which takes the place of s; D is divided by (-1)^d s^(2d).

        Parameters
        ----------
        sites : Regulated
        """
        top = int(sites.g.max())
        first = int(np.flatnonzero((sites.g == top) & ~(sites.e + sites.f).any(axis=1))[0])
        size = ((sites.e + sites.f).sum(axis=1) + sites.g) // 2
        sign = np.where((size + sites.g + top // 2) % 2 == 0, 1.0, -1.0)
        rest = np.arange(len(sites.g)) != first
        n = sites.e.shape[1]
        a = np.concatenate([sign[rest, None] * sites.c[rest], (-1.0) ** (top // 2) * sites.base[None]])
        zero = np.zeros((1, n), dtype=int)
        exponents = _exponents(
            np.concatenate([sites.e[rest], zero]),
            np.concatenate([sites.f[rest], zero]),
            np.append(top - sites.g[rest], top),
        )
        return cls(sites.c[first], a, exponents, sites.weights)

    @property
    def n(self) -> int:
        """The number of messages."""
        return self.exponents.shape[1] // 2

    @cached_property
    def _rates(self):
        """(m,) averages of -a / base; inf where a base is zero."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return -np.where(self.a == 0.0, 0.0, self.a / self.base) @ self.weights

    @cached_property
    def first_order(self) -> tuple[np.ndarray, np.ndarray]:
        """The equations to first order: (2n, 2n) matrix of the map at zero, and (2n,) what s adds."""
        n = self.n
        degree = self.exponents.sum(axis=1)
        matrix, source = np.zeros((2 * n, 2 * n)), np.zeros(2 * n)
        for m in np.flatnonzero(degree == 2):
            places = np.repeat(np.arange(2 * n + 1), self.exponents[m].astype(int))
            for one, other in (places, places[::-1]):
                if one < 2 * n:
                    partner = (one + n) % (2 * n)
                    if other < 2 * n:
                        matrix[partner, other] += self._rates[m]
                    else:
                        source[partner] += self._rates[m]
        return matrix, source

    @cached_property
    def site_scale(self) -> float:
        """What s of the sites by themselves would be: one over the root of the average of the coefficients of -s^2 / base."""
        pure = (self.exponents[:, :-1].sum(axis=1) == 0) & (self.exponents[:, -1] == 2)
        return float(1.0 / np.sqrt(max(self._rates[pure].sum(), 1e-280)))

    def without_messages(self, chosen: np.ndarray) -> SignedSites:
        """Without some messages (bool array), which are zero."""
        keep = ~self.exponents[:, :-1][:, np.tile(chosen, 2)].any(axis=1)
        columns = np.append(~np.tile(chosen, 2), True)
        return SignedSites(self.base, np.ascontiguousarray(self.a[keep]), self.exponents[keep][:, columns], self.weights)


def _exponents(e, f, g):
    return np.concatenate([e, f, g[:, None]], axis=1).astype(float)


def _end(sites: SignedSites, guess, rtol: float = 0.0):
    """Largest s with a minimal solution."""
    from .fold_kernels import fold

    if not (sites.base > 0.0).all():
        return 0.0
    matrix, source = sites.first_order
    radius = float(spectral_radius(matrix[None])[0]) if len(matrix) else 0.0
    if not radius < 1.0:
        return 0.0
    lead = np.linalg.solve(np.eye(len(matrix)) - matrix, source)
    n = sites.n
    alive = source > 0.0
    for _ in range(alive.size):
        alive |= (matrix[:, alive] > 0.0).any(axis=1)
    dead = ~(alive[:n] & alive[n:])
    if dead.any():
        sites = sites.without_messages(dead)
        lead = lead[np.tile(~dead, 2)]
    u = np.empty(lead.size + 1)
    s, found = fold(sites.base, sites.a, sites.weights, sites.exponents, np.log(lead), radius, guess(radius, lead), rtol, u)
    if not found:
        raise ArithmeticError
    return s


def smallest_of(sites: Regulated, rtol: float = 0.0) -> float:
    """The smallest singular value."""
    signed = SignedSites.from_zero(sites)

    def guess(radius, lead):
        if radius <= 1e-12:
            return 0.9 * signed.site_scale
        alpha = np.sqrt(1.0 + 8.0 / radius)
        return signed.site_scale * np.sqrt(radius * (alpha - 3.0) ** 3 / (8.0 * (alpha - 1.0)))

    return _end(signed, guess, rtol)


def largest_of(sites: Regulated, rtol: float = 0.0) -> float:
    """The largest singular value."""
    signed = SignedSites.from_infinity(sites)

    def guess(radius, lead):
        n = lead.size // 2
        return 1.0 / (1.0 / signed.site_scale + 2.0 * np.sqrt(lead[:n] @ lead[n:]))

    return 1.0 / _end(signed, guess, rtol)
