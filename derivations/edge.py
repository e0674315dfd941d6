"""The edge of the spectrum, from a cell's transfer matrix to averages that can be computed one by one [T3]."""

from __future__ import annotations

import sympy as sp

from gating_theory.cell.symbolic import edge_condition

from .site import Mean, evaluate_means, gain_symbols, lam, modulus_free
from .statement import Equal, Positive

__all__ = [
    "at_zero_state",
    "claimed_average",
    "claimed_joint_average",
    "edge_anywhere",
    "edge_at_fixed_point",
    "independent_fields",
    "loop_gain",
    "radius_claims",
    "solved_site",
    "zero_state",
]

_E = sp.Function("E")


def independent_fields(cell):
    """At a fixed point the fields (and site parameters) are independent, and everything else is a function of them."""
    return {symbol: frozenset([symbol]) for symbol in (*cell.fields, *cell.parameters)}


def one_site(cell):
    """In a time-dependent state the state and the fields of a site are correlated: no average may be split."""
    joint = frozenset([cell])
    return {symbol: joint for symbol in (*cell.state, *cell.fields, *cell.parameters)}


def edge_anywhere(cell):
    """T(lambda), averages over the joint law of state and fields, in terms of averages of monomials."""
    T = edge_condition(cell, lam, gain_symbols(cell)).applyfunc(modulus_free)
    return T.applyfunc(lambda entry: evaluate_means(entry, one_site(cell), _E))


def edge_at_fixed_point(cell, at=None):
    """T(lambda) with the cell's closed form in place of the state: averages over independent fields.

    ``at`` is substituted into the integrands before they are averaged, for example {lam: 1, lam_bar: 1}.
    """
    T = edge_condition(cell, lam, gain_symbols(cell)).applyfunc(modulus_free)
    T = T.applyfunc(lambda entry: entry.xreplace(cell.closed_form).xreplace(at or {}))
    return T.applyfunc(lambda entry: evaluate_means(entry, independent_fields(cell), _E))


def loop_gain(T):
    """1 - det(1 - T), with the averages in T left as they are (det would expand their integrands)."""
    names = {}

    def named(average):
        return names.setdefault(average, sp.Dummy(f"E{len(names)}"))

    short = T.applyfunc(lambda entry: entry.replace(lambda node: isinstance(node, Mean), named))
    return (1 - (sp.eye(T.rows) - short).det()).xreplace({symbol: average for average, symbol in names.items()})


def solved_site(cell):
    """Claim that the cell's closed form solves s = F(s, y)."""
    again = [F.xreplace(cell.closed_form) for F in cell.update]
    return Equal("closed form solves s = F(s, y)", sp.Matrix(again), sp.Matrix([cell.closed_form[s] for s in cell.state]))


def zero_state(cell, bias):
    """The substitution s = 0, y = b, and the claims that this is a fixed point at which all messages vanish.

    ``bias``: symbols (or 0), one per field name.
    """
    table = {s: sp.Integer(0) for s in cell.state}
    table.update({y: sp.sympify(bias[name]) for name, y in zip(cell.field_names, cell.fields)})
    both = [*cell.update, *cell.distinct_messages]
    rest = sp.Matrix([expression.xreplace(table) for expression in both])
    return table, Equal("the zero state is a fixed point and sends no message", rest, sp.zeros(len(both), 1))


def at_zero_state(cell, table):
    """T(lambda) at the zero state, where every site has the same values."""
    T = edge_condition(cell, lam, gain_symbols(cell)).applyfunc(modulus_free)
    return T.applyfunc(lambda entry: entry.xreplace(table).replace(_E, lambda inside: inside))


def radius_claims():
    """Claims that the spectral radius of [[0, b], [c, d]] with b, c >= 0, d > 0 is below 1 iff b c + d is.

    (1 - x_+)(1 - x_-) = 1 - d - b c for the two eigenvalues, and 1 - x_- > 0 because x_- = -b c / x_+.
    """
    b, c = sp.symbols("b c", nonnegative=True)
    d = sp.Symbol("d", positive=True)
    root = sp.sqrt(d**2 + 4 * b * c)
    plus, minus = (d + root) / 2, (d - root) / 2
    x = sp.Symbol("x")
    T = sp.Matrix([[0, b], [c, d]])
    return [
        Equal("eigenvalues of T", (x * sp.eye(2) - T).det(), (x - plus) * (x - minus)),
        Equal("det(1 - T) = (1 - x_+)(1 - x_-)", (sp.eye(2) - T).det(), (1 - plus) * (1 - minus)),
        Equal("x_- = -b c / x_+", minus * plus, -b * c),
        Positive("x_+ > 0", plus),
        Positive("1 - x_- > 0", 1 + b * c / plus),
    ]


def claimed_average(notation, expression):
    """A claim written with ``Mean`` and short symbols, evaluated at a site's fixed point of the cell."""
    return evaluate_means(notation.at_fixed_point(sp.sympify(expression)), independent_fields(notation.cell))


def claimed_joint_average(notation, expression):
    """A claim written with ``Mean`` and short symbols, evaluated over the joint law of state and fields."""
    return evaluate_means(notation.write_out(sp.sympify(expression)), one_site(notation.cell))
