"""Where the zero state loses stability, and whether continuously: the mean field to second order [T5].

With q_nu = E m_nu^2 and Gaussian fields of variance Delta_l = a_l^2 q_{m(l)} the mean field is a map

    q -> L q + B(q, q) + ...,    L_k,nu = sum_{l listens to nu} a_l^2 A_kl,    B_k(q, q) = sum_ll' B_kll' Delta_l Delta_l'

with A, B from ``small_moment_expansion``. Along the right Perron vector v of L the amplitude D obeys
D -> alpha D + beta D^2, alpha the Perron root and beta = u.B(v, v) / u.v with the left Perron vector u.
"""

from __future__ import annotations

from functools import lru_cache

import sympy as sp

from gating_theory.cell.symbolic import small_moment_expansion

from .site import canonical, gain_symbols
from .statement import Equal

__all__ = ["Expansion", "gaussian_claims", "normal_form_claims"]


@lru_cache(maxsize=8)
def _derivatives(cell):
    """The fourth derivatives of the LSTM's message take seconds: once per cell, whatever the biases."""
    return small_moment_expansion(cell)


class Expansion:
    """The mean-field map of a cell to second order around y = b, with symbols for the gains."""

    def __init__(self, cell, bias):
        self.cell = cell
        at = {y: sp.sympify(bias[name]) for name, y in zip(cell.field_names, cell.fields)}
        self.gains = gain_symbols(cell)
        linear, quadratic = _derivatives(cell)
        self.A = sp.Matrix(linear).applyfunc(lambda e: canonical(e.xreplace(at)))
        self.B = [sp.Matrix(matrix).applyfunc(lambda e: canonical(e.xreplace(at))) for matrix in quadratic]
        self.offset = sp.Matrix([canonical(m.xreplace(cell.closed_form).xreplace(at)) for m in cell.distinct_messages])

    def linear(self):
        """L, n x n."""
        cell = self.cell
        L = sp.zeros(cell.n_messages, cell.n_messages)
        for k in range(cell.n_messages):
            for l, nu in enumerate(cell.message_of):
                L[k, nu] += self.gains[l] ** 2 * self.A[k, l]
        return L

    def quadratic(self, v):
        """B(v, v), a column of n."""
        delta = sp.Matrix([a**2 * v[nu] for a, nu in zip(self.gains, self.cell.message_of)])
        return sp.Matrix([(delta.T * matrix * delta)[0, 0] for matrix in self.B])


def gaussian_claims():
    """Claims for the factors 1/2 and 1/8 of the expansion: E x^2 / 2! and E x^4 / 4! of a standard normal x."""
    x = sp.Symbol("x", real=True)
    weight = sp.exp(-(x**2) / 2) / sp.sqrt(2 * sp.pi)
    moments = {k: sp.integrate(x**k * weight, (x, -sp.oo, sp.oo)) for k in (2, 4)}
    return [
        Equal("E x^2 / 2! = 1/2", moments[2] / sp.factorial(2), sp.Rational(1, 2)),
        Equal("E x^4 / 4! = 1/8", moments[4] / sp.factorial(4), sp.Rational(1, 8)),
    ]


def normal_form_claims(expansion, alpha, beta, left, right, critical):
    """Claims that alpha is the Perron root of L, left and right its vectors, and beta the quadratic coefficient at alpha = 1.

    ``critical`` is the substitution that puts alpha to 1; right[0] = 1 makes the amplitude the second moment of
    the first message.
    """
    L, u, v = expansion.linear(), sp.Matrix([left]), sp.Matrix(right)
    n = L.rows
    x = sp.Symbol("x")
    coefficient = (u * expansion.quadratic(v))[0, 0] / (u * v)[0, 0]
    return [
        Equal("messages vanish at the zero state", expansion.offset, sp.zeros(n, 1)),
        Equal("alpha is the only non-zero eigenvalue of L", (x * sp.eye(n) - L).det(), x ** (n - 1) * (x - alpha)),
        Equal("right Perron vector", L * v, alpha * v),
        Equal("left Perron vector", u * L, alpha * u),
        Equal("alpha = 1", sp.sympify(alpha).subs(critical), 1),
        Equal("beta at alpha = 1", coefficient.subs(critical), beta),
    ]
