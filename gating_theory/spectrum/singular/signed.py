"""The determinant of singular values with signs, and where its minimal solution ends: edges by real arithmetic [T9].

With eta = i s, p = i p', q = i q' the coefficients c_m become (-1)^r c_m, r the size of the minors, and the equations stay real.
From p' = q' = 0 at s = 0 their minimal solution grows with s, for none of its Taylor coefficients is negative: it counts closed
paths. It ends in a fold at the smallest singular value. The same in h = 1 / s, from h = 0 on, ends at the largest one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from ...errors import ConvergenceError
from ..determinant import spectral_radius
from .regulated import Regulated

__all__ = ["SignedSites"]

#: A radius of the map below which nothing is coupled; the part of the sites' own scale where the search begins then.
_UNCOUPLED, _BELOW = 1e-12, 0.9
#: How close to 1 the radius of the map at s = 0 counts as 1: the smallest singular value is below 1e-12 of the scale there.
_ROUNDING = 1e-8
#: log of an unknown that is zero.
_ZERO = -800.0
#: Consistent sets of sites are looked for so often; what the next search starts with, of the last edge.
_SETS, _CLOSE = 12, 0.9
#: A last site that weighs more than so many times the tail is not left out in part.
_HEAVY = 10.0


@dataclass(frozen=True)
class SignedSites:
    """D = base + sum_m a_m p^e q^f s^g at M sites: log D has no positive Taylor coefficient beside its constant.

    Attributes
    ----------
    base : (M,) array, >= 0
    a : (m, M) array, of both signs
    exponents : (m, 2n + 1) array, of p, of q and of s
    weights : (M,) array
    inverse : bool, whether s stands for 1 / s
    """

    base: np.ndarray
    a: np.ndarray
    exponents: np.ndarray
    weights: np.ndarray
    inverse: bool

    @classmethod
    def from_zero(cls, sites: Regulated) -> SignedSites:
        """From s = 0 up, to the smallest singular value.

        Parameters
        ----------
        sites : Regulated
        """
        sign = _parity(_sizes(sites))
        return cls(sites.base, sign[:, None] * sites.c, _exponents(sites.e, sites.f, sites.g), sites.weights, False)

    @classmethod
    def from_infinity(cls, sites: Regulated) -> SignedSites:
        """From s = infinity down, to the largest: in h = 1 / s, and with D divided by (-1)^d s^(2d).

        Parameters
        ----------
        sites : Regulated
        """
        n, top = sites.n, int(sites.g.max())  # 2 d
        highest = (sites.g == top) & ~(sites.e + sites.f).any(axis=1)
        sign = _parity(_sizes(sites) + sites.g + top // 2)[~highest]
        a = np.concatenate([sign[:, None] * sites.c[~highest], (-1.0) ** (top // 2) * sites.base[None]])
        e, f, g = sites.e[~highest], sites.f[~highest], top - sites.g[~highest]
        nothing = np.zeros((1, n), dtype=int)
        exponents = _exponents(np.concatenate([e, nothing]), np.concatenate([f, nothing]), np.append(g, top))
        return cls(sites.c[highest][0], a, exponents, sites.weights, True)

    def weighted(self, weights: np.ndarray) -> SignedSites:
        """With other weights (M,); sites without one are left out.

        Parameters
        ----------
        weights : (M,) array
        """
        kept = np.flatnonzero(weights)
        return replace(self, base=self.base[kept], a=np.ascontiguousarray(self.a[:, kept]), weights=weights[kept])

    # --- edges

    def edge(self, tail: float = 0.0) -> float:
        """The smallest singular value, or the largest one.

        Parameters
        ----------
        tail : float
            Sites that hold less than this are left out, those that the edge is nearest to by themselves.

        Raises
        ------
        ConvergenceError
            the fold was not found
        """
        s = self._end(0.0)[0] if tail == 0.0 else self._without_tail(tail)
        if not self.inverse:
            return s
        return 1.0 / s if s > 0.0 else float("inf")

    def _trimmed(self, tail):
        """Sites by how small their determinants are at the end without the first of them, how many these are, and that end."""
        ratio, before, guess = self._alone, None, 0.0
        for _ in range(_SETS):
            order = np.argsort(ratio, kind="stable")
            count = int(np.searchsorted(np.cumsum(self.weights[order]), tail, side="right"))
            dropped = np.sort(order[:count])
            if before is not None and np.array_equal(dropped, before):
                break
            s, u = self._without(dropped)._end(guess)
            if not 0.0 < s < np.inf:
                break
            before, guess, ratio = dropped, _CLOSE * s, self._ratio(u)
        return order, count, s

    def _without_tail(self, tail):
        """The end without the rarest sites; between two sets of them by the logarithm of their weight."""
        order, count, s = self._trimmed(tail)
        beyond = np.cumsum(self.weights[order[: count + 1]])
        if not 0.0 < s < np.inf or count == 0 or beyond.size == count or beyond[count] > _HEAVY * tail or count + 1 >= order.size:
            return s
        further = self._without(order[: count + 1])._end(_CLOSE * s)[0]
        share = np.log(tail / beyond[count - 1]) / np.log(beyond[count] / beyond[count - 1])
        return s + share * (further - s)

    def _without(self, dropped):
        weights = self.weights.copy()
        weights[dropped] = 0.0
        return self.weighted(weights / weights.sum())

    def _ratio(self, u):
        """(M,) D / base at unknowns (2n + 1,): zero where a site has a singular value of its own."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.base > 0.0, 1.0 + (np.exp(self.exponents @ u) @ self.a) / self.base, -np.inf)

    @property
    def _alone(self):
        """(M,) s^2 at which sites by themselves have singular values, roughly."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.base > 0.0, -self.base / self.a[_pure(self.exponents)].sum(axis=0), -np.inf)

    def _end(self, guess):
        """Where the minimal solution ends, and its logarithms (2n + 1,) there; ``guess``, or 0 for none."""
        from .fold_kernels import fold

        nothing = np.full(self.exponents.shape[1], _ZERO)
        if not (self.base > 0.0).all():
            return 0.0, nothing
        rates = -(self.a @ (self.weights / self.base))
        size = nothing.size - 1
        linear = (_quadratic(self.exponents.tobytes(), size + 1) @ rates).reshape(size, size + 1)
        matrix, source = linear[:, :size], linear[:, size]
        radius = float(spectral_radius(matrix[None])[0]) if size else 0.0
        if not radius < 1.0 - _ROUNDING:
            return 0.0, nothing
        lead = np.linalg.solve(np.eye(size) - matrix, source)
        alive = _alive(matrix, source)
        if not alive.any():
            nothing[-1] = np.log(self._uncoupled)
            return self._uncoupled, nothing
        terms = ~self.exponents[:, :-1][:, ~alive].any(axis=1)
        a, e = (self.a, self.exponents) if alive.all() else (self.a[terms], self.exponents[terms][:, np.append(alive, True)])
        lead, u = lead[alive], np.empty(np.count_nonzero(alive) + 1)
        scale = float(np.sqrt(1.0 / max(rates[_pure(self.exponents)].sum(), 1e-280)))
        s, found = fold(self.base, a, self.weights, e, np.log(lead), radius, guess or self._guess(radius, lead, scale), u)
        if not found:
            raise ConvergenceError(
                f"the fold of singular values was not found, near {s:.6g}", estimate=1.0 / s if self.inverse else s
            )
        nothing[np.append(alive, True)] = u
        return s, nothing

    @property
    def _uncoupled(self):
        """The smallest s at which a site by itself has a singular value: one over the root of its largest 1 / s^2; inf for none."""
        d = int(self.exponents[:, -1].max()) // 2
        companion = np.zeros((self.base.size, d, d))
        companion[:, range(1, d), range(d - 1)] = 1.0
        for power in range(1, d + 1):
            pure = (self.exponents[:, -1] == 2 * power) & ~self.exponents[:, :-1].any(axis=1)
            companion[:, 0, power - 1] = -self.a[pure].sum(axis=0) / self.base
        largest = np.linalg.eigvals(companion).real.max()
        return float(1.0 / np.sqrt(largest)) if largest > 0.0 else float("inf")

    def _guess(self, radius, lead, scale):
        """About where the end is: what z + w U has there, from one lambda - z alone and the radius of the map at zero."""
        n = lead.size // 2
        if self.inverse:
            return 1.0 / (1.0 / scale + 2.0 * np.sqrt(lead[:n] @ lead[n:]))
        if radius < _UNCOUPLED:
            return _BELOW * scale
        alpha = np.sqrt(1.0 + 8.0 / radius)
        return scale * np.sqrt(radius * (alpha - 3.0) ** 3 / (8.0 * (alpha - 1.0)))


def _sizes(sites):
    """(m,) sizes of the minors of monomials."""
    return ((sites.e + sites.f).sum(axis=1) + sites.g) // 2


def _parity(numbers):
    return 1.0 - 2.0 * (numbers % 2)


def _exponents(e, f, g):
    return np.concatenate([e, f, g[:, None]], axis=1).astype(float)


def _pure(exponents):
    """Which monomials are s^2."""
    return (exponents[:, -1] == 2.0) & ~exponents[:, :-1].any(axis=1)


def _alive(matrix, source):
    """(2n,) which unknowns do not vanish: those that s feeds, also through others, of messages with both p and q."""
    alive = source > 0.0
    for _ in range(alive.size):
        alive = alive | (matrix[:, alive] > 0.0).any(axis=1)
    both = alive & np.roll(alive, alive.size // 2)
    return both


@lru_cache(maxsize=256)
def _quadratic(exponents: bytes, v: int) -> np.ndarray:
    """((v - 1) v, m): how the monomials of second order make the equations to first order, each unknown's row by all columns."""
    powers = np.frombuffer(exponents).reshape(-1, v)
    n = v // 2
    out = np.zeros((v - 1, v, len(powers)))
    for m in np.flatnonzero(powers.sum(axis=1) == 2.0):
        one, other = np.repeat(np.arange(v), powers[m].astype(int))
        for fed, by in ((one, other), (other, one)):
            if fed < v - 1:
                out[(fed + n) % (v - 1), by, m] += 1.0
    return out.reshape((v - 1) * v, len(powers))
