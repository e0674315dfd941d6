"""The determinant behind the singular values of lambda - J, at one lambda: a polynomial in the unknowns and the regulator [T9].

With the augmented cell's transfer matrix What, Phat = diag(p, eta 1_d) and Qhat = diag(a^2 q, eta 1_d),

    D = |chi|^2 det(1 + Phat What Qhat What^dagger) = base + sum_m c_m p^(e_m) q^(f_m) eta^(g_m),
    2 Phi_eta = (1/N) log det((lambda - J) (lambda - J)^dagger + eta^2) = extremum of E log D - sum_k p_k q_k over p and q.

The coefficients are squares of the augmented cell's bordered minors: real, non-negative, and without poles.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from ...cell.augmented import augmented, minors
from ...ensemble.field_law import squared
from ...ensemble.sites import Sites

__all__ = ["Regulated", "RegulatedSites", "regulated"]

#: What a row stands for that is a state variable.
_REGULATOR = None
#: Modulus of lambda below which minors are expanded around 0, and around 1 elsewhere.
_NEAR_ZERO = 0.5
#: Exponents of p (n), of q (n) and of eta.
_Powers = tuple[tuple[int, ...], tuple[int, ...], int]


@dataclass(frozen=True)
class Regulated:
    """D = base + sum_m c_m p^(e_m) q^(f_m) eta^(g_m) at M sites, for n messages; real, and no c_m is negative [T9].

    Attributes
    ----------
    base : (M,) array, |det(lambda - F_s)|^2
    c : (m, M) array, coefficients of the monomials; those that vanish at all sites are left out
    e, f : (m, n) int arrays, exponents of p and q
    g : (m,) int array, exponents of eta; the three add up to twice the size of the minors
    weights : (M,) array, of the sites
    """

    base: np.ndarray
    c: np.ndarray
    e: np.ndarray
    f: np.ndarray
    g: np.ndarray
    weights: np.ndarray

    @property
    def n(self) -> int:
        """The number of messages."""
        return self.e.shape[1]

    @property
    def n_state(self) -> int:
        """d: the determinant begins with eta^(2 d)."""
        return int(self.g.max()) // 2

    def determinant(self, p: np.ndarray, q: np.ndarray, eta: float) -> np.ndarray:
        """D (M,) at unknowns p, q (n,) and the regulator.

        Parameters
        ----------
        p, q : (n,) arrays
        eta : float
        """
        return self.base + (p**self.e).prod(axis=1) * (q**self.f).prod(axis=1) * np.power(eta, self.g) @ self.c

    def slopes(self, p: np.ndarray, q: np.ndarray, eta: float) -> tuple[np.ndarray, np.ndarray]:
        """E d log D / dp and E d log D / dq, (n,) each: q and p at a solution, whatever vanishes.

        Parameters
        ----------
        p, q : (n,) arrays
        eta : float
        """
        inverse = self.c @ (self.weights / self.determinant(p, q, eta))
        rest = np.power(eta, self.g) * inverse
        by_p, by_q = np.zeros(self.n), np.zeros(self.n)
        for k in range(self.n):
            one = np.eye(self.n, dtype=int)[k]
            fall, drop = np.maximum(self.e - one, 0), np.maximum(self.f - one, 0)
            by_p[k] = np.sum(rest * self.e[:, k] * (p**fall).prod(axis=1) * (q**self.f).prod(axis=1))
            by_q[k] = np.sum(rest * self.f[:, k] * (p**self.e).prod(axis=1) * (q**drop).prod(axis=1))
        return by_p, by_q


def regulated(sites: Sites, lam: complex) -> Regulated:
    """The determinant of [T9] at the sites, at one lambda.

    Parameters
    ----------
    sites : Sites, with ``gain`` set
    lam : complex
    """
    return RegulatedSites(sites).at(lam)


class RegulatedSites:
    """The determinants of [T9] of a population: what does not depend on lambda is computed once.

    Parameters
    ----------
    sites : Sites, with ``gain`` set
    """

    def __init__(self, sites: Sites) -> None:
        self.sites = sites
        self._stacks: dict[int, tuple[np.ndarray, list[np.ndarray], np.ndarray, np.ndarray]] = {}

    def at(self, lam: complex) -> Regulated:
        """The determinant at one lambda.

        Parameters
        ----------
        lam : complex
        """
        center = 0 if abs(lam) < _NEAR_ZERO else 1
        chi, stack, sums, powers = self._stack(center)
        t = lam - center
        if np.imag(t) == 0.0:
            t = float(np.real(t))
        n = self.sites.cell.n_messages
        e, f, g = powers[:, :n], powers[:, n : 2 * n], powers[:, 2 * n]
        squares = np.empty((len(stack), chi.shape[1]))
        for row, q in zip(squares, stack):
            row[:] = _squared_value(q, t)
        c = sums @ squares
        return Regulated(_squared_value(chi, t), c, e, f, g, self.sites.weights)

    def _stack(self, center):
        """Coefficients (d + 1, M) of chi and of each minor in powers of lambda - center, lowest first, what squares of minors add
        to each monomial (monomials, minors), and the monomials' exponents of p, q and eta.
        """
        if center not in self._stacks:
            self._stacks[center] = self._stacked(center)
        return self._stacks[center]

    def _stacked(self, center):
        sites = self.sites
        cell, bigger = sites.cell, augmented(sites.cell)
        states = bigger.message_of[cell.n_fields :]
        a2 = np.concatenate([squared(np.asarray(sites.gain)), np.ones(cell.n_state)])
        found = dict(minors(cell, center, sites.state, sites.fields, sites.parameters))
        chi = found.pop(((), ()))
        kept, sums = [], {}
        for (rows, columns), q in found.items():
            weight = float(np.prod(a2[list(columns)]))
            if weight > 0.0 and q.any():
                for key in _powers(rows, columns, cell, states):
                    sums.setdefault(key, []).append((len(kept), weight))
                kept.append(q)
        keys = sorted(sums)
        matrix = np.zeros((len(keys), len(kept)))
        for row, key in enumerate(keys):
            for column, weight in sums[key]:
                matrix[row, column] += weight
        powers = np.array([[*e, *f, g] for e, f, g in keys], dtype=np.int64).reshape(len(keys), 2 * cell.n_messages + 1)
        return chi, kept, matrix, powers


def _squared_value(q, t):
    """|q(t)|^2 of polynomials with real coefficients, lowest first."""
    if t == 0.0:
        return q[0] ** 2
    value = q[-1]
    for row in q[-2::-1]:
        value = value * t + row
    return value.real**2 + value.imag**2 if np.iscomplexobj(value) else value**2


def _powers(rows, columns, cell, states):
    """Exponents (e, f, g) of the monomials of one minor: a row that is a message and a state at once stands for p_k + eta.

    Parameters
    ----------
    rows, columns : of messages and fields of the augmented cell
    cell : the cell itself, whose messages and fields come first
    states : messages of the augmented cell that are state variables
    """
    choices = [([k] if k < cell.n_messages else []) + ([_REGULATOR] if k in states else []) for k in rows]
    f = _counts((cell.message_of[l] for l in columns if l < cell.n_fields), cell.n_messages)
    added = sum(l >= cell.n_fields for l in columns)
    for chosen in product(*choices):
        yield _counts((k for k in chosen if k is not _REGULATOR), cell.n_messages), f, added + chosen.count(_REGULATOR)


def _counts(messages, n):
    """How often each of n messages occurs."""
    return tuple(np.bincount(np.fromiter(messages, dtype=np.int64), minlength=n).tolist())
