"""Vectorised numpy functions of a cell, compiled from its symbolic definition.

Arrays carry the symbol first and any broadcastable shape after it: ``state`` (d, ...), ``fields`` (K, ...),
``parameters`` (P, ...). Fields that differ along different axes may have shapes like (n, 1, 1) and (1, m, 1), so
functions take sequences of arrays as well as stacked ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import CapabilityError, ConvergenceError
from ..support.types import Arrays
from .derived import derived, derived_once
from .edge_factors import EdgeFactors, EdgePart, derive_analytic_leak, derive_edge_factors, derive_edge_parts
from .numpy_code import PolynomialMinors, SparseBlocks, compile_expressions
from .probes import ROUNDING, Shapes, of_any_size
from .rest import derive_rest, states_at_rest

if TYPE_CHECKING:
    import sympy as sp

    from .symbolic import AnyCell, Minor

#: Errors of states that are solved for, where they are large.
_SOLVED = 1e-10
#: Fields of any size at which functions are tried for evenness.
_EVEN_PROBES = 200

__all__ = ["CompiledCell", "Factor", "Nest"]


@dataclass(frozen=True)
class Nest:
    """A factor as outer * inner(through, variable): its average over the variable is a function of one number.

    ``outer`` and ``through`` are functions of (state, fields, parameters) that do not depend on the variable.
    """

    variable: int
    outer: Callable[..., list[Any]]
    inner: Callable[..., list[Any]]
    through: Callable[..., list[Any]]


@dataclass(frozen=True)
class Factor:
    """One factor of an average: a compiled function of (state, fields, parameters), its variables, those it is even in.

    ``nests``: the ways in which it is one, of factors of three variables or more. All else follows from the code.
    """

    code: Callable[..., list[Any]]
    variables: tuple[int, ...] = field(compare=False)
    even: frozenset[int] = field(compare=False)
    nests: tuple[Nest, ...] = field(compare=False, default=())

    def function(self, *arrays: Any) -> Any:
        """Its values."""
        return self.code(*arrays)[0]


#: A sum of products of factors.
Products = list[list[Factor]]


class CompiledCell:
    """Numerical functions of one cell. Made by ``Cell.compiled``; holds no hyperparameters."""

    def __init__(self, cell: AnyCell) -> None:
        self.cell = cell
        self._factors: dict[sp.Expr, Factor] = {}
        self._zero_averages: dict[tuple[bytes, bytes], dict] = {}

    def __repr__(self) -> str:
        return f"CompiledCell({self.cell.name})"

    @property
    def arguments(self) -> list[sp.Symbol]:
        """What its functions are functions of: state, fields and parameters."""
        return [*self.cell.state, *self.cell.fields, *self.cell.parameters]

    # --- the cell itself

    @derived
    def _update(self):
        return compile_expressions(self.arguments, self.cell.update)

    @derived
    def _messages(self):
        # one function per field, because a message may need the fields before it
        return [compile_expressions(self.arguments, [m]) for m in self.cell.messages]

    @derived
    def _distinct(self):
        return compile_expressions(self.arguments, self.cell.distinct_messages)

    def _pack(self, state, fields, parameters):
        return (*state, *fields, *parameters)

    def update(self, state: Arrays, fields: Arrays, parameters: Arrays = ()) -> list[np.ndarray]:
        """F(s, y): the next state, list of d arrays."""
        return self._update(*self._pack(state, fields, parameters))

    @derived
    def _rate(self):
        return compile_expressions(self.arguments, self.cell.rate)

    def rate(self, state: Arrays, fields: Arrays, parameters: Arrays = ()) -> list[np.ndarray]:
        """F(s, y) - s without the cancellation at saturated gates, list of d arrays."""
        return self._rate(*self._pack(state, fields, parameters))

    def message(self, k: int, state: Arrays, fields: Arrays, parameters: Arrays = ()) -> np.ndarray:
        """m_k(s, y_1..y_{k-1}); later fields may hold anything."""
        return self._messages[k](*self._pack(state, fields, parameters))[0]

    def messages(self, state: Arrays, fields: Arrays, parameters: Arrays = ()) -> list[np.ndarray]:
        """The n distinct messages, list of arrays."""
        return self._distinct(*self._pack(state, fields, parameters))

    @derived
    def _blocks(self):
        cell = self.cell
        return SparseBlocks(self.arguments, {"F_s": cell.F_s, "F_y": cell.F_y, "M_s": cell.M_s, "M_y": cell.M_y})

    def blocks(self, state: Arrays, fields: Arrays, parameters: Arrays = ()) -> dict[str, dict[tuple[int, int], np.ndarray]]:
        """Site derivatives {"F_s", "F_y", "M_s", "M_y"} -> {(i, j): array}, entries identically zero left out [T2]."""
        return self._blocks(*self._pack(state, fields, parameters))

    @derived
    def _parameter_blocks(self):
        from . import symbolic

        cell = self.cell
        F_p, _, M_p, _ = symbolic.site_blocks(cell.parameters, cell.fields, cell.messages, cell.update)
        return SparseBlocks(self.arguments, {"F_p": F_p, "M_p": M_p})

    def parameter_blocks(
        self, state: Arrays, fields: Arrays, parameters: Arrays = ()
    ) -> dict[str, dict[tuple[int, int], np.ndarray]]:
        """Derivatives by site parameters, {"F_p": of the update, "M_p": of the messages}, as :meth:`blocks` has them [T2]."""
        if not self.cell.n_parameters:
            return {"F_p": {}, "M_p": {}}
        return self._parameter_blocks(*self._pack(state, fields, parameters))

    # --- a site's fixed point

    @derived
    def _closed_form(self):
        table = self.cell.closed_form
        arguments = [*self.cell.fields, *self.cell.parameters]
        call = compile_expressions(arguments, [table[s] for s in self.cell.state])
        # whoever wrote the cell claims that this is its fixed point: check that before it is used
        rng = np.random.default_rng(0)
        y = rng.normal(size=(self.cell.n_fields, 50))
        p = rng.normal(scale=0.3, size=(self.cell.n_parameters, 50))
        s = [np.broadcast_to(v, 50) for v in call(*y, *p)]
        again = self.update(s, y, p)
        error = max(float(np.max(np.abs(a - b))) for a, b in zip(s, again))
        if not error < 1e-9:
            raise ValueError(
                f"fixed_point of cell {self.cell.name!r} does not satisfy s = F(s, y): residual {error:.3g} at random fields"
            )
        return call

    def fixed_state(self, fields: Arrays, parameters: Arrays = ()) -> list[np.ndarray]:
        """The state with s = F(s, y) at every site: closed form, or numerically from s = 0 [T5].

        Without a closed form the update is iterated from s = 0 and polished by Newton, so that a site with several
        fixed points takes the one reached from zero. Raises ConvergenceError where a site has none.
        """
        if self.cell.has_closed_form:
            return list(self._closed_form(*fields, *parameters))
        state, bad = self._solve_sites(fields, parameters)
        self._require_rest(state, bad)
        return state

    def factor_state(self, fields: Arrays, parameters: Arrays = ()) -> list[np.ndarray]:
        """The state at rest as far as factorised expressions hold it, where it is solved for; zero for what they do not hold."""
        state = [np.zeros(())] * self.cell.n_state
        if not self.cell.has_closed_form:
            solved, bad = self._rest.solve([*fields, *parameters])
            self._require_rest(solved, bad)
            for place, s in zip(self._rest.places, solved):
                state[place] = s
        return state

    def _require_rest(self, state, bad):
        if bad.any():
            raise ConvergenceError(
                f"cell {self.cell.name!r}: {bad.mean():.3g} of the sites have no fixed point reached from s = 0 "
                "(their state runs away or oscillates)",
                estimate=np.array(state),
            )

    @derived
    def _rest(self):
        return derive_rest(self.cell)

    def _solve_sites(self, fields, parameters):
        """([d states], where they are none), all of the shape that the variables have together."""
        solved, bad = self._rest.solve([*fields, *parameters])
        shape = np.broadcast_shapes(*(np.shape(a) for a in (*fields, *parameters)))
        states = self._rest.states(*solved, *fields, *parameters)
        return [np.array(np.broadcast_to(s, shape)) for s in states], np.broadcast_to(bad, shape)

    @cached_property
    def at_rest(self) -> dict[sp.Expr, sp.Expr]:
        """What stands for states in expressions at a site's fixed point, see :func:`~.rest.states_at_rest`."""
        return states_at_rest(self.cell)

    # --- what the functions look like along each variable

    @cached_property
    def shapes(self) -> Shapes:
        """What quadratures know of each random variable (fields, then site parameters).

        It is measured from the messages; along a variable that they do not feel, from the leak dF/ds.
        """
        noise = ROUNDING if self.cell.has_closed_form else _SOLVED
        functions = [self._probe_messages, self._probe_leak]
        return Shapes(functions, self.cell.n_fields, self.cell.n_parameters, noise, partial(derived_once, self.cell))

    @property
    def bounded(self) -> bool:
        """Whether all messages stay bounded at site fixed points, as the mean field needs."""
        return self.shapes.bounded

    @derived
    def _direct_messages(self):
        """The messages as functions of fields and parameters alone: half the time of going through the state."""
        _ = self._closed_form  # it is checked there
        messages = [m.xreplace(self.cell.closed_form) for m in self.cell.distinct_messages]
        return compile_expressions([*self.cell.fields, *self.cell.parameters], messages)

    def _probe_messages(self, variables):
        if self.cell.has_closed_form:
            return _stacked(self._direct_messages(*variables), variables)
        return self._at_solved_sites(variables, self.messages)

    @derived
    def _leak(self):
        """dF/ds alone: the other site derivatives of a cell with steps do not exist as numbers."""
        return compile_expressions(self.arguments, [e for e in self.cell.F_s if e != 0])

    def _probe_leak(self, variables):
        K = self.cell.n_fields
        if self.cell.has_closed_form:
            state = self.fixed_state(variables[:K], variables[K:])
            return _stacked(self._leak(*state, *variables), variables)
        return self._at_solved_sites(variables, lambda *a: self._leak(*self._pack(*a)))

    def _at_solved_sites(self, variables, functions):
        """Functions of (state, fields, parameters) at the sites' fixed points, NaN where there is none."""
        K = self.cell.n_fields
        state, bad = self._solve_sites(variables[:K], variables[K:])
        values = _stacked(functions(state, variables[:K], variables[K:]), variables)
        return np.where(bad, np.nan, values)

    # --- minors of the transfer matrix

    @derived
    def _minors(self):
        from . import symbolic

        return {center: PolynomialMinors(self.arguments, symbolic.bordered_minors(self.cell, center)) for center in (0, 1)}

    def minors(self, center: int, state: Arrays, fields: Arrays, parameters: Arrays = ()) -> dict[Minor, np.ndarray]:
        """{(I, J): (d + 1, ...) array}: polynomial coefficients in lambda - center of the numerators of [T4]."""
        return self._minors[center](*self._pack(state, fields, parameters))

    @cached_property
    def pole_variables(self) -> tuple[int, ...]:
        """Random variables that the coefficients of det(lambda - F_s) depend on at a site's fixed point."""
        return self.edge_factors.variables

    @derived
    def even_variables(self) -> frozenset[int]:
        """Variables whose sign at a site's fixed point leaves every |minor|^2 unchanged: half their nodes are enough."""
        return self.even_under(self.minors)

    def even_under(self, minors: Callable[..., dict[Minor, np.ndarray]]) -> frozenset[int]:
        """Variables whose sign at a site's fixed point leaves squares of minors unchanged, by a function like :meth:`minors`."""
        if not self.cell.has_closed_form:
            return frozenset()
        K, P = self.cell.n_fields, self.cell.n_parameters
        values = of_any_size(K + P, _EVEN_PROBES)
        values[K:] = np.random.default_rng(0).normal(size=(P, _EVEN_PROBES))

        def squares(v):
            found = minors(1, self.fixed_state(v[:K], v[K:]), v[:K], v[K:])
            return np.array([q[i] * q[j] for q in found.values() for i in range(len(q)) for j in range(i, len(q))])

        reference = squares(values)
        even = set()
        for v in range(K + P):
            flipped = values.copy()
            flipped[v] *= -1.0
            if np.allclose(squares(flipped), reference, rtol=1e-12, atol=1e-15, equal_nan=True):
                even.add(v)
        return frozenset(even)

    # --- the response of a site's fixed point to its fields

    @derived
    def _response(self):
        from . import symbolic

        if not self.cell.has_closed_form:
            return None
        messages, W = symbolic.response(self.cell)
        arguments = [*self.cell.fields, *self.cell.parameters]
        return compile_expressions(arguments, [*messages, *W])

    def response(self, fields: Arrays, parameters: Arrays = ()) -> tuple[list[np.ndarray], list[list[Any]]]:
        """Messages at a site's fixed point and their total derivatives by the fields, W(1) [T7].

        Returns n arrays and an n x K nested list of arrays, of shapes that broadcast (entries that vanish identically are 0).
        Raises ConvergenceError where a site has no fixed point reached from s = 0 (cells without a closed form only).
        """
        n, K = self.cell.n_messages, self.cell.n_fields
        if self._response is not None:
            values = self._response(*fields, *parameters)
            return values[:n], [values[n + i * K : n + (i + 1) * K] for i in range(n)]
        state = self.fixed_state(fields, parameters)
        minors = self.minors(1, state, fields, parameters)
        pole = minors[(), ()][0]
        entries = [[minors[(i,), (k,)][0] / pole if ((i,), (k,)) in minors else 0.0 for k in range(K)] for i in range(n)]
        return self.messages(state, fields, parameters), entries

    # --- averages at a fixed point, factor by factor

    @cached_property
    def dependence(self) -> dict[sp.Symbol, frozenset[int]]:
        """Which random variables (fields 0..K-1, then site parameters) each symbol depends on at a fixed point."""
        cell = self.cell
        table = {y: frozenset([k]) for k, y in enumerate(cell.fields)}
        table.update({p: frozenset([cell.n_fields + j]) for j, p in enumerate(cell.parameters)})
        if cell.has_closed_form:
            states = {s: frozenset().union(*(table[v] for v in e.free_symbols)) for s, e in cell.closed_form.items()}
        else:
            states = {s: frozenset() for s in cell.state}
            for _ in range(cell.n_state + 1):
                both = {**table, **states}
                states = {s: frozenset().union(*(both[v] for v in e.free_symbols)) for s, e in zip(cell.state, cell.update)}
        return {**table, **states}

    def factorise(self, expression: sp.Expr, apart: frozenset[int] = frozenset()) -> Products:
        """The expression at a fixed point as a sum of products of independent factors, compiled; ``apart`` as in ``separate``.

        Returns a list of products, each a list of :class:`Factor`.
        """
        from . import symbolic

        expression = symbolic.stable_form(symbolic.stable_form(expression).xreplace(self.at_rest))
        out = []
        for groups in symbolic.separate(expression, self.dependence, apart):
            out.append([self._factor(f, tuple(sorted(where))) for f, where in groups])
        return out

    def _factor(self, expression, variables):
        if expression not in self._factors:
            self._factors[expression] = self._compile_factor(expression, variables)
        return self._factors[expression]

    def _compile_factor(self, expression, variables):
        call = compile_expressions(self.arguments, [expression])
        even = frozenset()
        if self.cell.has_closed_form and variables:
            values = of_any_size(len(self.arguments), _EVEN_PROBES)
            offset = self.cell.n_state
            with np.errstate(all="ignore"):
                reference = call(*values)[0]
                for v in variables:
                    flipped = values.copy()
                    flipped[offset + v] *= -1.0
                    if np.allclose(call(*flipped)[0], reference, rtol=1e-13, atol=0, equal_nan=True):
                        even |= {v}
        return Factor(call, variables, even, self._nests(expression, variables))

    def _nests(self, expression, variables):
        """The ways in which an expression of three variables or more is nested."""
        from . import symbolic

        out = []
        solved = frozenset().union(*(self.dependence[s] for s in self.cell.state if expression.has(s)))
        for v in variables if len(variables) > 2 else ():
            if v in solved:  # it is hidden in a state
                continue
            symbol = self.arguments[self.cell.n_state + v]
            parts = symbolic.nested(expression, symbol)
            if parts is not None:
                outer, inner, through = parts
                inner = compile_expressions([symbolic.THROUGH, symbol], [inner])
                outer, through = (compile_expressions(self.arguments, [e]) for e in (outer, through))
                out.append(Nest(v, outer, inner, through))
        return tuple(out)

    @derived
    def moment_factors(self) -> list[Products]:
        """Factorised squares m_k^2 of the distinct messages, for the mean field [T5]."""
        return [self.factorise(m**2) for m in self.cell.distinct_messages]

    @derived
    def derivative_factors(self) -> dict[str, Products]:
        """Factorised sums of squares of the site derivatives, and the trace of F_s, for averages at a fixed point [T9].

        By what they are: "F_s" and "leak" (its trace), "F_y:<k>" of a field's column, "M_s:<k>" of a field's row, "M_y:<k>,<l>";
        those that vanish identically are left out.
        """
        cell = self.cell
        sums = {"F_s": _squares(cell.F_s), "leak": cell.F_s.trace()}
        for k in range(cell.n_fields):
            sums |= {f"F_y:{k}": _squares(cell.F_y[:, k]), f"M_s:{k}": _squares(cell.M_s[k, :])}
            sums |= {f"M_y:{k},{l}": cell.M_y[k, l] ** 2 for l in range(k)}
        return {what: self.factorise(expression) for what, expression in sums.items() if expression != 0}

    def zero_averages(self, law: Any) -> dict:
        """A cache for averages at the zero state: they do not depend on gains, which is what critical values are searched in."""
        key = law.means.tobytes(), law.stds.tobytes()
        if key not in self._zero_averages and len(self._zero_averages) > 100:
            self._zero_averages.clear()
        return self._zero_averages.setdefault(key, {})

    @derived
    def smooth(self) -> bool:
        """Whether the messages at a site's fixed point have derivatives of every order: no Max, Abs, sign or piecewise parts."""
        import sympy as sp

        kinks = (sp.Max, sp.Min, sp.Abs, sp.sign, sp.Heaviside, sp.Piecewise, sp.floor, sp.ceiling)
        return not any(m.xreplace(self.at_rest).has(*kinks) for m in self.cell.distinct_messages)

    @derived
    def expansion(self) -> tuple[list[list[Products]], list[list[list[Products]]]]:
        """Factorised coefficients (linear, quadratic) of the moments at the zero state [T5]."""
        from . import symbolic

        require_closed_form(self.cell, "the small-moment expansion")
        A, B = symbolic.small_moment_expansion(self.cell)
        linear = [[self.factorise(e) for e in row] for row in A]
        quadratic = [[[self.factorise(e) for e in row] for row in block] for block in B]
        return linear, quadratic

    @derived
    def slow_expansion(self) -> tuple[list[list[list[Products]]], list[list[list[Products]]]]:
        """Factorised parts of the quadratic coefficients that correlations at a lag and means carry [T8]."""
        from . import symbolic

        require_closed_form(self.cell, "the expansion in slow moments")
        P, Q = (
            [[[self.factorise(e) for e in row] for row in block] for block in part] for part in symbolic.slow_expansion(self.cell)
        )
        return P, Q

    @derived
    def edge_factors(self) -> EdgeFactors:
        """The squares |W_kl(lambda)|^2 at a fixed point, factorised [T3]."""
        return derive_edge_factors(self)

    @derived
    def edge_parts(self) -> tuple[EdgePart, ...]:
        """Parts of the same that feel some of the leaks each: where several variables set the leak they average apart [T3]."""
        return derive_edge_parts(self)

    @derived
    def analytic_leak(self) -> dict[int, dict[int, Callable[..., list[Any]]]] | None:
        """What poles next to the real axis need, see :func:`~.edge_factors.derive_analytic_leak` [T3]."""
        return derive_analytic_leak(self)

    @derived
    def outlier_factors(self) -> dict[tuple[int, int], list[tuple[Products, Products] | None]]:
        """{(k, l): [(m_k q_i y_l, m_k q_i) factorised]} with q_i the numerators of W_kl in powers of lambda - 1 [T4]."""
        from . import symbolic

        minors = symbolic.bordered_minors(self.cell, 1, substitute=self.at_rest, largest=1)
        minors.pop(((), ()))
        out = {}
        for ((k,), (l,)), q in minors.items():
            m, y = self.cell.distinct_messages[k], self.cell.fields[l]
            out[k, l] = [(self.factorise(m * c * y), self.factorise(m * c)) if c != 0 else None for c in q]
        return out


def _squares(matrix):
    """The sum of the squares of a symbolic matrix, entry by entry."""
    return sum(entry**2 for entry in matrix)


def _stacked(values, like):
    """Values as one array, each of the shape that the arrays ``like`` have together."""
    shape = np.broadcast_shapes(*(np.shape(a) for a in like))
    out = np.empty((len(values), *shape))
    for row, value in zip(out, values):
        row[...] = value
    return out


def require_closed_form(cell, what):
    """Refuse, saying what is missing, where a calculator needs the closed form of a site's fixed point."""
    if not cell.has_closed_form:
        raise CapabilityError(
            f"cell {cell.name!r} has no closed-form fixed point of a site: {what} needs one; pass fixed_point= to Cell"
        )
