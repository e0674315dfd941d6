"""The self-consistent equations of singular values, solved at real regulators eta > 0 [T9].

    p_k = E d log D / d q_k,    q_k = E d log D / d p_k

have one positive solution for each eta > 0. In x_k = p_k q_k and theta_k = log(q_k / p_k) / 2 they are the equations of
eigenvalues, for monomials that powers of eta multiply; the regulator fixes the gauge, so that there are 2 n unknowns. One solver
serves both.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...errors import ConvergenceError
from .regulated import Regulated

__all__ = ["Equations", "Solved"]

#: Newton's method ends with a step below this, whose square is the error that is left; and below so much over eta, since the gauge
#: is fixed by eta, and known to rounding over eta only. What does not depend on the gauge is better than that.
_LIMIT, _ROUNDING = 1e-8, 4e-15
#: Steps of the plain iteration before Newton's method, attempt after attempt.
_PLAIN = (6, 60, 600)


@dataclass(frozen=True)
class Solved:
    """The equations solved at L regulators.

    Attributes
    ----------
    p, q : (L, n) arrays
    logs : (L,) E log D
    shares : (L, m) E of the monomials' shares of D
    """

    p: np.ndarray
    q: np.ndarray
    logs: np.ndarray
    shares: np.ndarray


class Equations:
    """The equations of one population at one lambda.

    Parameters
    ----------
    terms : Regulated
    """

    def __init__(self, terms: Regulated) -> None:
        self.terms = terms
        self.messages, self.monomials = _coupled(terms)

    @cached_property
    def exponents(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(m', n') each of the monomials that count: in x of the messages that do, in q alone, in exp(theta)."""
        e, f = (a[np.ix_(self.monomials, self.messages)].astype(float) for a in (self.terms.e, self.terms.f))
        return 0.5 * (e + f), f, f - e

    @cached_property
    def _c(self):
        return np.ascontiguousarray(self.terms.c[self.monomials])

    def solve(self, eta: np.ndarray, start: Solved | None = None) -> Solved:
        """The solution at regulators eta (L,), all positive.

        Parameters
        ----------
        eta : (L,) array
        start : Solved, optional
            First guesses.

        Raises
        ------
        ConvergenceError
            there is none at some eta
        """
        unknowns = self._first_guesses(eta) if start is None else self._unknowns(start.p, start.q)
        solved, logs, shares = self._from(eta, unknowns, 0 if start is not None else _PLAIN[0])
        for plain in _PLAIN[1:]:
            left = np.flatnonzero(~solved)
            if not left.size:
                break
            again = self._first_guesses(eta[left])
            solved[left], logs[left], shares[left] = self._from(eta[left], again, plain)
            unknowns[left] = again
        if not solved.all():
            raise ConvergenceError(f"equations of singular values not solved at eta = {eta[~solved][0]:.6g}", estimate=unknowns)
        return self._whole(eta, unknowns, logs, shares)

    def _from(self, eta, unknowns, plain):
        from ..dyson_kernels import solve_given

        offsets = np.log(eta)[:, None] * self.terms.g[self.monomials]
        steps = np.full(eta.size, plain)
        limits = np.maximum(_LIMIT, _ROUNDING / eta)
        return solve_given(self.terms.base, self._c, self.terms.weights, *self.exponents, offsets, unknowns, steps, limits)

    def _first_guesses(self, eta):
        """p = q = 1 / (1 + eta): plain steps take it from there."""
        n = len(self.messages)
        x = np.repeat((1.0 + eta[:, None]) ** -2, n, axis=1)
        return np.concatenate([x, np.zeros((eta.size, n))], axis=1)

    def _unknowns(self, p, q):
        p, q = (np.maximum(a[:, self.messages], 1e-300) for a in (p, q))
        return np.concatenate([p * q, 0.5 * np.log(q / p)], axis=1)

    def _whole(self, eta, unknowns, logs, shares):
        """All p and q, those of messages that no loop with the regulator counts in too; the shares of all monomials."""
        n, size = len(self.messages), self.terms.n
        p, q = np.zeros((eta.size, size)), np.zeros((eta.size, size))
        root = np.sqrt(unknowns[:, :n])
        p[:, self.messages], q[:, self.messages] = root * np.exp(-unknowns[:, n:]), root * np.exp(unknowns[:, n:])
        every = np.zeros((eta.size, len(self.terms.g)))
        every[:, self.monomials] = shares
        others = [k for k in range(size) if k not in self.messages]
        for l in range(eta.size if others else 0):
            for _ in others:  # each needs those that it follows from
                by_p, by_q = self.terms.slopes(p[l], q[l], float(eta[l]))
                p[l, others], q[l, others] = by_q[others], by_p[others]
        return Solved(p, q, logs, every)


def _coupled(terms):
    """The messages whose p and q are both positive, and the monomials of these alone.

    A message that no matrix carries has p = 0, one that no state reaches q = 0, and the monomials with that factor vanish.
    """
    messages, alive = list(range(terms.n)), np.ones(len(terms.g), dtype=bool)
    while True:
        lost = [k for k in messages if not (terms.e[alive, k].any() and terms.f[alive, k].any())]
        if not lost:
            return messages, np.flatnonzero(alive)
        for k in lost:
            if not terms.e[alive, k].any():  # q = 0
                alive &= terms.f[:, k] == 0
            if not terms.f[alive, k].any():  # p = 0
                alive &= terms.e[:, k] == 0
            messages.remove(k)
