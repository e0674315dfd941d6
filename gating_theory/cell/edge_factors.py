"""The squares |W_kl(lambda)|^2 of the transfer matrix at a site's fixed point, as few factors as they have [T3]."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from .numpy_code import compile_expressions

if TYPE_CHECKING:
    import sympy as sp

__all__ = [
    "EdgeFactors",
    "EdgePart",
    "derive_analytic_leak",
    "derive_edge_factors",
    "derive_edge_parts",
    "multiple",
    "reduced",
]

#: A CompiledCell, and a sum of products of its factors. It stands on this module and cannot be named here.
AnyCompiled = Any
AnyCell = Any
#: Of ``symbolic.bordered_minors``.
Minors = Mapping[tuple[tuple[int, ...], tuple[int, ...]], Sequence[Any]]
Products = list[list[Any]]
#: {variable: {center: function}}, of ``derive_analytic_leak``.
AnalyticLeak = dict[int, dict[int, Callable[..., list[Any]]]]

#: Where polynomials in lambda are expanded.
_CENTERS = (0, 1)


@dataclass(frozen=True)
class EdgeFactors:
    """W_kl(lambda) = lambda^-p Q_kl(lambda) / chi(lambda), or lambda^-p times what does not depend on lambda.

    Many cells have leaks that are 0 at every site: the h of an LSTM, which its memory sets anew at every step. They are divided
    out, and what is left of an LSTM is q / (lambda - f), and for its output gate q / lambda.

    Attributes
    ----------
    zeros : int, how many leaks are 0 at every site: det(lambda - F_s) is lambda^zeros chi(lambda)
    degree : int, that of chi, which is monic
    poles : {center: function of (state, fields, parameters)}
        The coefficients of chi in powers of lambda - center, lowest first.
    variables : tuple of int, those of the coefficients
    resonant : {center: {(k, l): (p, {(i, j): sum of products})}}
        |Q_kl|^2 where W depends on lambda through chi: for i <= j the average of q_i q_j, of powers of lambda - center.
    constant : {(k, l): (p, sum of products)}
        |lambda^p W_kl|^2 where that does not depend on lambda.
    """

    zeros: int
    degree: int
    poles: dict[int, Callable[..., list[Any]]]
    variables: tuple[int, ...]
    resonant: dict[int, dict[tuple[int, int], tuple[int, dict[tuple[int, int], Products]]]]
    constant: dict[tuple[int, int], tuple[int, Products]]

    @property
    def resonant_factors(self) -> set[Any]:
        """All factors of the numerators."""
        return {f for _, pairs in self.resonant[1].values() for products in pairs.values() for fs in products for f in fs}

    @property
    def falls_off_axis(self) -> bool:
        """Whether |W_kl(x + iy)| <= |W_kl(x)| for all real x: of one leak, which is real then, and numerators without lambda."""
        return self.degree <= 1 and all(list(pairs) == [(0, 0)] for _, pairs in self.resonant[1].values())


class EdgePart(NamedTuple):
    """What goes through some of the states alone: the entries of W that they make, or only their leaks."""

    factors: EdgeFactors
    leak: AnalyticLeak | None  #: as from :func:`derive_analytic_leak`
    own: bool  #: whether the leaks are counted here: states that push each other


def reduced(minors: Minors) -> tuple[list[sp.Expr], dict[tuple[int, int], tuple[int, list[sp.Expr]]]]:
    """chi, and {(k, l): (p, q)} with W_kl = lambda^-p q / chi: polynomials in lambda, leaks that are 0 at all sites divided out.

    Parameters
    ----------
    minors : as from ``symbolic.bordered_minors`` about 0; those of size 1 are used
    """
    zeros = _zeros(minors[(), ()])
    entries = {}
    for (rows, columns), q in minors.items():
        if len(rows) == 1:
            power = max(0, zeros - _zeros(q))
            entries[rows[0], columns[0]] = power, _divided(q, zeros - power, 0)
    return _divided(minors[(), ()], zeros, 0), entries


def derive_edge_factors(
    compiled: AnyCompiled,
    augmented: AnyCell | None = None,
    centers: Sequence[int] = _CENTERS,
    states: Sequence[int] | None = None,
    wanted: Collection[tuple[int, int]] | None = None,
) -> EdgeFactors:
    """The EdgeFactors of a cell.

    Parameters
    ----------
    compiled : CompiledCell
    augmented : Cell, optional
        A cell of the same states at rest whose transfer matrix is meant: the augmented one.
    centers : where polynomials are expanded, 0 first
    states : numbers of the only states there are, by default all
    wanted : the entries (message, field) that are needed, by default all
    """
    from . import symbolic

    cell = compiled.cell if augmented is None else augmented
    poles, resonant = {}, {}
    constant: dict[tuple[int, int], tuple[int, Products]] = {}
    powers: dict[tuple[int, int], int] = {}
    for center in centers:
        minors = symbolic.bordered_minors(cell, center, substitute=compiled.at_rest, largest=1, states=states)
        if wanted is not None:
            minors = {key: q for key, q in minors.items() if not key[0] or (key[0][0], key[1][0]) in wanted}
        if center == 0:
            zeros = _zeros(minors[(), ()])
            powers = {where: power for where, (power, _) in reduced(minors)[1].items()}
        determinant = minors.pop(((), ()))
        pole = _divided(determinant, zeros, center)
        where = sorted(set().union(*(compiled.dependence[s] for c in pole for s in c.free_symbols)))
        poles[center] = compile_expressions(compiled.arguments, pole)
        entries = {}
        for ((k,), (l,)), q in minors.items():
            numerator = _divided(q, zeros - powers[k, l], center)
            if center == 0 and (ratio := multiple(numerator, pole)) is not None:
                constant[k, l] = powers[k, l], compiled.factorise(ratio**2)
            if (k, l) not in constant:
                entries[k, l] = powers[k, l], _squares(compiled, numerator, frozenset(where))
        resonant[center] = entries
    return EdgeFactors(zeros, len(pole) - 1, poles, tuple(where), resonant, constant)


def derive_edge_parts(compiled: AnyCompiled) -> tuple[EdgePart, ...]:
    """Parts whose T(lambda) add up to that of the cell, each with the leaks that it feels: gates of their own average apart [T3].

    Parameters
    ----------
    compiled : CompiledCell
    """
    from . import symbolic

    between, blocks = symbolic.states_between(compiled.cell, compiled.at_rest)
    parts = []
    for states in sorted({*between.values(), *blocks}):
        wanted = [where for where, through in between.items() if through == states]
        factors = derive_edge_factors(compiled, states=states, wanted=wanted)
        parts.append(EdgePart(factors, derive_analytic_leak(compiled, factors, states), states in blocks))
    return tuple(parts)


def derive_analytic_leak(
    compiled: AnyCompiled, factors: EdgeFactors | None = None, states: Sequence[int] | None = None
) -> AnalyticLeak | None:
    """chi at a site's fixed point as an analytic function of each variable that sets the leak [T3].

    Parameters
    ----------
    compiled : CompiledCell
    factors, states : of a part, by default of the whole

    Returns
    -------
    {variable: {center: function of all variables of the leak}}, center 0 or 1
        A list of the coefficients in powers of lambda - center, lowest first, then their derivatives by that variable, which may be
        complex. None where the leak depends on nothing, or sites have no closed form.
    """
    import sympy as sp

    from . import symbolic

    cell, factors = compiled.cell, factors or compiled.edge_factors
    if not factors.variables or not cell.has_closed_form:
        return None
    every = [*cell.fields, *cell.parameters]
    symbols = {v: every[v] for v in factors.variables}
    out: AnalyticLeak = {v: {} for v in symbols}
    for center in _CENTERS:
        determinant = symbolic.bordered_minors(cell, center, substitute=compiled.at_rest, largest=0, states=states)[(), ()]
        pole = _divided(determinant, factors.zeros, center)
        for v, symbol in symbols.items():
            slopes = [sp.diff(c, symbol) for c in pole]
            out[v][center] = compile_expressions(list(symbols.values()), [*pole, *slopes], analytic=True)
    return out


def _zeros(coefficients: Sequence[sp.Expr]) -> int:
    """By which power of lambda a polynomial can be divided."""
    return next(i for i, c in enumerate(coefficients) if c != 0)


def _divided(coefficients: Sequence[sp.Expr], power: int, center: int) -> list[sp.Expr]:
    """A polynomial in t = lambda - center divided by lambda^power, without the highest powers that it does not have.

    From the lowest power on: that of the determinant is a product of small numbers where leaks are close to the center.
    """
    quotient = list(coefficients)
    for _ in range(power):
        if center == 0:
            quotient = quotient[1:]
            continue
        for i in range(1, len(quotient)):
            quotient[i] = (quotient[i] - quotient[i - 1]).expand()
        quotient = quotient[:-1]
    while len(quotient) > 1 and quotient[-1] == 0:
        quotient.pop()
    return quotient


def multiple(numerator: Sequence[sp.Expr], pole: Sequence[sp.Expr]) -> sp.Expr | None:
    """What a polynomial is of a monic one where that does not depend on lambda, or None.

    Parameters
    ----------
    numerator, pole : coefficients, lowest first
    """
    if len(numerator) != len(pole):
        return None
    return numerator[-1] if all((a - numerator[-1] * b).expand() == 0 for a, b in zip(numerator, pole)) else None


def _squares(compiled, numerator, where):
    """{(i, j): factorised product of two coefficients}, i <= j."""
    pairs = {}
    for i, a in enumerate(numerator):
        for j, b in enumerate(numerator[i:], i):
            if a * b != 0:
                pairs[i, j] = compiled.factorise(a * b, where)
    return pairs
