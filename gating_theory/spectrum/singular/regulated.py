"""The determinant behind the singular values of lambda - J, at one lambda: a polynomial in the unknowns and the regulator [T9].

With the augmented cell's transfer matrix What, Phat = diag(p, eta 1_d) and Qhat = diag(a^2 q, eta 1_d),

    D = |chi|^2 det(1 + Phat What Qhat What^dagger) = base + sum_m c_m p^(e_m) q^(f_m) eta^(g_m),
    2 Phi_eta = (1/N) log det((lambda - J) (lambda - J)^dagger + eta^2) = extremum of E log D - sum_k p_k q_k over p and q.

The coefficients are squares of the augmented cell's bordered minors: real, non-negative, and without poles.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from ...cell.augmented import augmented, minors
from ...ensemble.field_law import squared
from ...ensemble.sites import Sites

__all__ = ["Regulated", "regulated"]

#: What a row stands for that is a state variable.
_REGULATOR = None
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
    cell, bigger = sites.cell, augmented(sites.cell)
    states = bigger.message_of[cell.n_fields :]
    a2 = np.concatenate([squared(np.asarray(sites.gain)), np.ones(cell.n_state)])
    chi, squares = _squared_minors(sites, lam)
    sums: dict[_Powers, Any] = {}
    for (rows, columns), square in squares.items():
        weight = float(np.prod(a2[list(columns)]))
        if weight == 0.0 or not square.any():
            continue
        for key in _powers(rows, columns, cell, states):
            sums[key] = sums.get(key, 0.0) + weight * square
    keys = sorted(sums)
    e, f = (np.array([key[side] for key in keys], dtype=np.int64).reshape(len(keys), cell.n_messages) for side in (0, 1))
    c = np.array([sums[key] for key in keys]).reshape(len(keys), sites.size)
    return Regulated(chi, c, e, f, np.array([key[2] for key in keys], dtype=np.int64), sites.weights)


def _squared_minors(sites, lam):
    """|chi|^2 (M,), and {(rows, columns): |minor|^2 (M,)} of the augmented cell at one lambda."""
    center = 0 if abs(lam) < 0.5 else 1
    t = lam - center
    if np.imag(t) == 0.0:
        t = float(np.real(t))
    found = minors(sites.cell, center, sites.state, sites.fields, sites.parameters)
    squares = {key: _squared_value(q, t) for key, q in found.items()}
    return squares.pop(((), ())), squares


def _squared_value(q, t):
    """|q(t)|^2 of polynomials with real coefficients (d + 1, M), lowest first."""
    value = q[-1]
    for row in q[-2::-1]:
        value = value * t + row
    return value.real**2 + value.imag**2


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
