"""The notation of one site: short symbols for gates and their derivatives, averages over independent fields [T2, T3]."""

from __future__ import annotations

import sympy as sp

from gating_theory.cell.symbolic import separate, sigma

__all__ = ["Mean", "Notation", "average", "canonical", "gain_symbols", "lam", "lam_bar", "modulus_free"]

lam = sp.Symbol("lambda")
lam_bar = sp.Symbol(r"\bar{\lambda}")


def canonical(expression):
    """The expression with the arguments of sigma and tanh in one form, so that equal arguments look equal.

    At a site's fixed point the LSTM has tanh(f c + i g) with c = i g / (1 - f), which is tanh(i g / (1 - f)).
    """
    return expression.replace(
        lambda node: isinstance(node, (sigma, sp.tanh)) and not node.args[0].is_Symbol,
        lambda node: node.func(sp.cancel(node.args[0])),
    )


class Mean(sp.Function):
    """E[.], the average over sites: written down by a claim, evaluated by ``average``."""

    nargs = 1

    def _latex(self, printer, exp=None):
        body = rf"\mathbb{{E}}\left[{printer._print(self.args[0])}\right]"
        return body if exp is None else rf"{body}^{{{exp}}}"


class Notation:
    """Short symbols (z, z', p, A, ...) and what they stand for in terms of the state and the fields.

    Claims are typed once, in short symbols; the same object is printed and proved.
    """

    def __init__(self, cell):
        self.cell = cell
        self.table = {}

    def field(self, name):
        """The field of the cell with this name."""
        return self.cell.fields[self.cell.field_names.index(name)]

    def updated(self, name):
        """The next value of the state variable with this name, from the cell's update."""
        return self.cell.update[self.cell.state_names.index(name)]

    def define(self, name, expression, **assumptions):
        """A new symbol that stands for an expression (which may use symbols defined before)."""
        symbol = sp.Symbol(name, **assumptions)
        self.table[symbol] = sp.sympify(expression).xreplace(self.table)
        return symbol

    def gate(self, name, field, function=sigma):
        """Two symbols: function(y_field), and its derivative at that field."""
        y = self.field(field)
        return self.define(name, function(y)), self.define(f"{name}'", sp.diff(function(y), y))

    def write_out(self, expression):
        """The expression in terms of the state and the fields, without any |.|."""
        return modulus_free(expression.xreplace(self.table))

    def at_fixed_point(self, expression):
        """``write_out`` at a site's fixed point: the cell's closed form in place of the state."""
        return canonical(self.write_out(expression).xreplace(self.cell.closed_form))


def gain_symbols(cell):
    """Symbols a_k of the gains, one per field."""
    return [sp.Symbol(f"a_{name}", positive=True) for name in cell.field_names]


def modulus_free(expression):
    """|x|^2n as (x x*)^n, where x* is x with lambda replaced by its conjugate: everything else in a cell is real."""

    def squared(node):
        inside = node.base.args[0]
        return (inside * inside.xreplace({lam: lam_bar, lam_bar: lam})) ** (node.exp / 2)

    def is_squared_modulus(node):
        return node.is_Pow and isinstance(node.base, sp.Abs) and node.exp.is_Integer and node.exp % 2 == 0

    return expression.replace(is_squared_modulus, squared)


def _one_over(denominator):
    """1/denominator as a product of powers of irreducible factors, each in the sign that sympy prefers.

    ``factor_list`` orders its variables anew for each polynomial: without this, z - lambda and lambda - z both turn up.
    """
    constant, factors = sp.factor_list(denominator)
    product = 1 / constant
    for base, power in factors:
        if base.could_extract_minus_sign():
            base, product = -base, (-1) ** power * product
        product *= base**-power
    return product


def average(expression, independent):
    """E of an expression, by linearity and by independence, in terms of averages that cannot be split further.

    ``independent`` maps symbols to frozensets of random variables (as in ``gating_theory.cell.symbolic.separate``); symbols
    that are not in it are constants. The numerator is expanded over a factorised denominator, so two integrands
    that are the same rational function give the same sum of averages.
    """
    numerator, denominator = sp.fraction(sp.cancel(sp.together(canonical(expression))))
    below = _one_over(denominator)
    total = sp.Integer(0)
    for term in sp.Add.make_args(sp.expand(numerator)):
        for groups in separate(term * below, independent):
            total += sp.Mul(*(Mean(factor) if where else factor for factor, where in groups))
    return total


def evaluate_means(expression, independent, mean=Mean):
    """The expression with every written-down average evaluated by ``average``."""
    return expression.replace(mean, lambda inside: average(inside, independent))
