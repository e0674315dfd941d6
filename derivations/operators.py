"""Networks of any size: an algebra of diagonal matrices and gain matrices that do not commute [T2].

``Site(x)`` is the diagonal matrix with the values of the site expression x; ``U_k`` is a gain matrix. Diagonal
matrices multiply site by site, and nothing else commutes, so an identity proved here holds for every N.
"""

from __future__ import annotations

import sympy as sp

__all__ = ["Site", "gain_matrix", "jacobian", "normal_form", "represent"]


class Site(sp.Function):
    """diag(x_1, ..., x_N) for a site expression x; printed as [x]."""

    nargs = 1
    is_commutative = False

    @classmethod
    def eval(cls, x):
        return x if x.is_Number else None

    def _latex(self, printer, exp=None):
        body = rf"\left[{printer._print(self.args[0])}\right]"
        return body if exp is None else rf"{body}^{{{exp}}}"


def gain_matrix(name):
    """The N x N gain matrix of a field, as a symbol that does not commute."""
    return sp.Symbol(f"U_{name}", commutative=False)


def normal_form(expression):
    """A sum of words in Site(monomial) and U: zero iff the expression vanishes for all diagonal and gain matrices."""
    expression = expression.replace(Site, _split)
    total = sp.Integer(0)
    for term in sp.Add.make_args(sp.expand(expression)):
        scalars, letters = term.args_cnc()
        word = []
        for letter in letters:
            if isinstance(letter, sp.Pow) and isinstance(letter.base, Site) and letter.exp.is_Integer:
                letter = Site(letter.base.args[0] ** letter.exp)
            if isinstance(letter, Site) and word and isinstance(word[-1], Site):
                letter = Site(word.pop().args[0] * letter.args[0])
            word.append(letter)
        total += sp.Mul(*scalars) * sp.Mul(*word)
    return total


def _split(inside):
    """Site of a sum as a sum of Sites of monomials."""
    total = sp.Integer(0)
    for term in sp.Add.make_args(sp.expand(inside)):
        number, monomial = term.as_coeff_Mul()
        total += number * Site(monomial)
    return total


def jacobian(cell):
    """The state-to-state Jacobian for any N, d x d blocks: J = F_s + F_y (1 - U M_y)^{-1} U M_s [T2].

    U M_y is strictly lower triangular in the fields, so the inverse is a sum of at most K powers.
    """
    U = sp.diag(*(gain_matrix(name) for name in cell.field_names))
    F_s, F_y, M_s, M_y = (block.applyfunc(Site) for block in (cell.F_s, cell.F_y, cell.M_s, cell.M_y))
    response = term = U * M_s
    for _ in range(cell.n_fields - 1):
        term = U * M_y * term
        response = response + term
    return F_s + F_y * response


def represent(expression, sites, gains):
    """An operator expression as an explicit N x N matrix.

    ``sites``: one substitution {site symbol: symbol of that site} per site; ``gains``: {gain matrix symbol: Matrix}.
    """
    n = len(sites)
    if expression in gains:
        return gains[expression]
    if isinstance(expression, Site):
        return sp.diag(*(expression.args[0].xreplace(table) for table in sites))
    if expression.is_Add:
        return sum((represent(a, sites, gains) for a in expression.args), sp.zeros(n, n))
    if expression.is_Mul:
        product = sp.eye(n)
        for factor in expression.args:
            product = product * represent(factor, sites, gains)
        return product
    if expression.is_Pow and expression.is_commutative is False:
        return represent(expression.base, sites, gains) ** expression.exp
    return expression * sp.eye(n)
