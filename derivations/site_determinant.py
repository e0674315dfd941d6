"""The determinant of one site that singular values come from: unknowns, squared minors, and the moments in its series [T9]."""

from __future__ import annotations

from itertools import combinations

import sympy as sp

from gating_theory.cell.augmented import augmented

from .network import polynomial_determinant
from .planar import Blocks, mean
from .site import gain_symbols, lam, lam_bar

__all__ = ["SiteDeterminant", "eta"]

#: The regulator of singular values.
eta = sp.Symbol("eta", positive=True)


class SiteDeterminant:
    """D = |chi|^2 det(1 + P What Q What^dagger) of a site of a cell, chi = det(lambda - F_s), with its unknowns.

    Rows of What are the distinct messages, with unknowns p_k, and the state variables, where p is eta; its columns the fields, with
    a_l^2 q of the field's message, and the fields that are added to the update, where that is eta. Entries of site derivatives are
    the symbols of ``blocks``.
    """

    def __init__(self, cell):
        self.cell, self.blocks = cell, Blocks(augmented(cell))
        self.p = [sp.Symbol(f"p_{k + 1}", positive=True) for k in range(cell.n_messages)]
        self.q = [sp.Symbol(f"q_{k + 1}", positive=True) for k in range(cell.n_messages)]
        n, d, K = cell.n_messages, cell.n_state, cell.n_fields
        self.rows = [cell.message_of.index(k) for k in range(n)] + [K + i for i in range(d)]
        self.P = [*self.p, *[eta] * d]
        self.Q = [a**2 * self.q[m] for a, m in zip(gain_symbols(cell), cell.message_of)] + [eta] * d

    def bordered(self, rows, columns, at=lam):
        """det [[lambda - F_s, -F_y], [M_s, M_y]] with the given messages and fields: a polynomial in lambda, without poles."""
        b, rows, columns = self.blocks, [self.rows[i] for i in rows], list(columns)
        shifted = at * sp.eye(b.F_s.rows) - b.F_s
        if not rows:
            return sp.expand(shifted.det())
        top = shifted.row_join(-b.F_y[:, columns])
        return sp.expand(top.col_join(b.M_s[rows, :].row_join(b.M_y[rows, columns])).det(method="berkowitz"))

    def minors(self):
        """{(rows, columns): bordered minor} of those that do not vanish identically."""
        found = {}
        for size in range(min(len(self.P), len(self.Q)) + 1):
            for rows in combinations(range(len(self.P)), size):
                for columns in combinations(range(len(self.Q)), size):
                    minor = self.bordered(rows, columns)
                    if minor != 0:
                        found[rows, columns] = minor
        return found

    def terms(self):
        """[(monomial in p, q, eta with squared gains, minor)]: D is the sum of monomial |minor|^2."""
        P, Q = self.P, self.Q
        found = self.minors().items()
        return [(sp.Mul(*(P[i] for i in rows), *(Q[j] for j in columns)), minor) for (rows, columns), minor in found]

    def by_minors(self):
        """The sum over squared minors (Cauchy and Binet)."""
        return sp.Add(*(monomial * minor * minor.xreplace({lam: lam_bar}) for monomial, minor in self.terms()))

    def by_determinant(self):
        """chi chi* det(1 + P What Q What^dagger), with What from the site derivatives."""
        b = self.blocks

        def transfer(at):
            shifted = at * sp.eye(b.F_s.rows) - b.F_s
            whole = b.M_s * shifted.adjugate() * b.F_y + shifted.det() * b.M_y
            return whole[self.rows, :], shifted.det()

        (W, chi), (W_bar, chi_bar) = transfer(lam), transfer(lam_bar)
        # rational entries would be multiplied out: the unknown 1/|chi|^2 comes in when the determinant is a polynomial
        inverse = sp.Symbol("inverse")
        matrix = sp.eye(len(self.P)) + inverse * sp.diag(*self.P) * W * sp.diag(*self.Q) * W_bar.T
        series = sp.Poly(polynomial_determinant(matrix), inverse)
        modulus = chi * chi_bar
        return sum((c * modulus ** (1 - power) for (power,), c in series.terms()), sp.Integer(0))

    def moments(self, order):
        """m_j = (1/N) tr (J J^T)^j, j = 1 .. order, from the equations p = E d log D/dq, q = E d log D/dp, m = 1/2 E d log D/d eta.

        With p = P / eta, q = Q / eta and x = 1 / eta^2 the determinant is x^-d (1 + O(x)), a polynomial in x, and the series of
        eta m is sum_j (-1)^j m_j x^j. At lambda = 0.
        """
        x = sp.Symbol("x")
        scaled = sum(self._orders(order, x), sp.Integer(0))
        logarithm, power = sp.Integer(0), sp.Integer(1)
        for k in range(1, order + 1):
            power = _truncated(power * (scaled - 1), x, order)
            logarithm += sp.Rational((-1) ** (k + 1), k) * power
        potential = mean(logarithm, self.blocks.site)
        slopes = {u: sp.expand(sp.diff(potential, v) / x) for u, v in (*zip(self.p, self.q), *zip(self.q, self.p))}
        series = dict.fromkeys(slopes, sp.Integer(0))
        for _ in range((order + 1) * (len(self.p) + 1)):
            series = {u: _truncated(slope.xreplace(series), x, order - 1) for u, slope in slopes.items()}
        whole = self.cell.n_state - x * sp.diff(potential, x)
        whole += sum((u * sp.diff(potential, u) for u in slopes), sp.Integer(0)) / 2
        whole = _truncated(whole.xreplace(series), x, order)
        return [sp.expand((-1) ** j * whole.coeff(x, j)) for j in range(1, order + 1)]

    def _orders(self, order, x):
        """The terms of x^d D up to an order of x, with P and Q under the symbols of p and q."""
        unknowns = {*self.p, *self.q}
        for monomial, minor in self.terms():
            by_eta = sp.Poly(monomial, eta, *unknowns).monoms()[0]
            power = self.cell.n_state + (sum(by_eta[1:]) - by_eta[0]) // 2
            if power <= order:
                yield monomial.xreplace({eta: sp.Integer(1)}) * minor.xreplace({lam: sp.Integer(0)}) ** 2 * x**power

    def n_monomials(self):
        """How many different monomials p^e q^f eta^g there are beside the 1 of |chi|^2."""
        gains = dict.fromkeys(gain_symbols(self.cell), sp.Integer(1))
        return len({monomial.xreplace(gains) for monomial, _ in self.terms()} - {sp.Integer(1)})


def _truncated(expression, x, order):
    """A polynomial in x without what is beyond an order."""
    # term by term: a polynomial over all other symbols takes ten times as long to set up
    return sp.Add(*(term for term in sp.Add.make_args(sp.expand(expression)) if term.as_coeff_exponent(x)[1] <= order))
