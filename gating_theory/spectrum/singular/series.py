"""Moments of singular values, exactly: the equations solved by power series in x = 1 / eta^2 [T9].

With p = P(x) / eta, q = Q(x) / eta and D = eta^(2 d) (1 + ...) the equations are those of power series, whose coefficients follow
one from the other, and eta m(eta) = sum_j (-1)^j m_j x^j with m_j = (1/N) tr (X X^dagger)^j.

A series is an array (.., J), lowest power first; all are cut off at the same power.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .regulated import Regulated

__all__ = ["moments"]


def moments(terms: Regulated, count: int) -> np.ndarray:
    """(count + 1,) moments m_0 = d, m_1, .. per unit of the singular values: exact for these sites, no equation is iterated [T9].

    Parameters
    ----------
    terms : Regulated
    count : int >= 0
    """
    series = _Series(terms, count + 1)
    P = Q = np.zeros((terms.n, 0))
    for _power in range(count + 1):
        P, Q = (np.pad(a, ((0, 0), (0, 1))) for a in (P, Q))
        series.average(P, Q)
        # a coefficient of p follows from the same one of the messages that it feeds through fields, of q from those that feed it:
        # in no circle, so that the longest chain has as many links as there are messages
        for _ in range(terms.n):
            P, Q = series.sweep(P, Q)
    return series.shares(P, Q) @ terms.g * 0.5 * (-1.0) ** np.arange(count + 1)


class _Series:
    """The equations as ones of series, up to the power ``size - 1``.

    Of D / eta^(2 d) and its inverse a coefficient follows from smaller ones of P and Q: sums over sites are made once for each.
    """

    def __init__(self, terms: Regulated, size: int) -> None:
        self.terms = terms
        # the power of x that P^e Q^f has in D / eta^(2 d), at least that of either
        self.power = terms.n_state + (terms.e.sum(axis=1) + terms.f.sum(axis=1) - terms.g) // 2
        self.exponents = np.concatenate([terms.e, terms.f], axis=1)
        self._all = _Part(self.exponents, self.power)
        self._fed = []
        for k in range(2 * terms.n):
            fed = np.flatnonzero(self.exponents[:, k])
            fallen = self.exponents[fed].copy()
            fallen[:, k] -= 1
            self._fed.append((fed, self.exponents[fed, k], _Part(fallen, self.power[fed] - 1)))
        self._D, self._inverse = np.zeros((2, size, terms.base.size))
        self._averages = np.zeros((len(terms.g), 0))

    def average(self, P: np.ndarray, Q: np.ndarray) -> None:
        """The next coefficients of D, of its inverse, and of E c_m / D, from P and Q (n, J) of which the last ones do not count."""
        last, D, inverse, terms = P.shape[1] - 1, self._D, self._inverse, self.terms
        D[last] = self._all.series(self._powers([*P, *Q]), last + 1)[:, last] @ terms.c
        if last == terms.n_state:
            D[last] += terms.base
        inverse[last] = 0.0 if last else 1.0  # D begins with 1
        for i in range(1, last + 1):
            inverse[last] -= D[i] * inverse[last - i]
        self._averages = np.column_stack([self._averages, terms.c @ (terms.weights * inverse[last])])

    def sweep(self, P: np.ndarray, Q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """P and Q (n, J) that follow from such ones."""
        n, size = P.shape
        powers = self._powers([*P, *Q])
        new = np.zeros((2 * n, size))
        for k, (fed, exponent, part) in enumerate(self._fed):
            if fed.size:
                new[k] = exponent @ _product(part.series(powers, size), self._averages[fed])
        return new[n:], new[:n]

    def shares(self, P: np.ndarray, Q: np.ndarray) -> np.ndarray:
        """(J, m): E of the monomials' shares of D."""
        monomials = self._all.series(self._powers([*P, *Q]), P.shape[1])
        return _product(monomials, self._averages).T

    def _powers(self, unknowns: Sequence[np.ndarray]) -> list[list[np.ndarray]]:
        """Of each unknown, a series (J,), the powers that occur; the first is 1."""
        out = []
        for unknown, largest in zip(unknowns, self.exponents.max(axis=0, initial=0)):
            powers = [np.eye(1, unknown.size)[0]]
            for _ in range(largest):
                powers.append(_product(powers[-1], unknown))
            out.append(powers)
        return out


class _Part:
    """Some monomials x^power P^e Q^f.

    Parameters
    ----------
    exponents : (m, 2 n) int array, e and f
    power : (m,) int array
    """

    def __init__(self, exponents: np.ndarray, power: np.ndarray) -> None:
        self.power = power
        every = (
            (k, e, np.flatnonzero(exponents[:, k] == e)) for k in range(exponents.shape[1]) for e in np.unique(exponents[:, k])
        )
        self.factors = [(k, int(e), rows) for k, e, rows in every if e > 0]

    def series(self, powers: Sequence[Sequence[np.ndarray]], size: int) -> np.ndarray:
        """(m, J): the monomials, from the powers of each unknown."""
        out = np.zeros((self.power.size, size))
        low = np.flatnonzero(self.power < size)
        out[low, self.power[low]] = 1.0
        for k, exponent, rows in self.factors:
            out[rows] = _product(out[rows], powers[k][exponent])
        return out


def _product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The product of series (.., J)."""
    size = a.shape[-1]
    # in (k, l) stands b_(l - k), or nothing
    shifted = np.zeros((*b.shape[:-1], size, size))
    for i in range(size):
        shifted[..., i, i:] = b[..., : size - i]
    return a @ shifted if b.ndim == 1 else np.einsum("...k,...kl->...l", a, shifted)
