"""A small network as a straight-line program: every operation of its flow, once, in order, derived from the Cell [T1, T2].

A tape is a list of scalar operations on earlier results. It is written from the symbolic definition of the cell and its
derivatives, unit by unit, and can be read in any arithmetic: as floating-point code for numba, as interval code with proofs.
Nothing in it knows which cell it came from.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ...cell.derived import derived_once
from ...errors import CapabilityError

if TYPE_CHECKING:
    import sympy as sp

    from ...cell.cell import Cell

__all__ = ["NetworkTape", "SiteDerivatives", "Tape", "heard_variables", "parameter_count", "site_derivatives"]


#: Operations without arguments of their own.
_LEAVES = ("x", "m", "dx", "p", "q", "number")


class Tape:
    """Operations numbered in the order of evaluation; equal ones are stored once.

    An operation is a tuple (name, *arguments): ``("x", i)`` and ``("p", i)`` read unknown and parameter i, ``("m", i)`` the
    midpoint of unknown i and ``("dx", i)`` its distance from there, ``("q", i)`` the rate at which parameter i moves;
    ``("number", q)`` is an exact rational or float; the others take numbers of earlier operations.
    """

    def __init__(self) -> None:
        self.operations: list[tuple] = []
        self._known: dict[tuple, int] = {}

    def __len__(self) -> int:
        return len(self.operations)

    def put(self, *operation: Any) -> int:
        """The number of an operation, appended if it is new."""
        if operation not in self._known:
            self._known[operation] = len(self.operations)
            self.operations.append(operation)
        return self._known[operation]

    def arguments(self, index: int) -> list[int]:
        """The operations that an operation works on."""
        name, *arguments = self.operations[index]
        if name in _LEAVES:
            return []
        return arguments[:1] if name == "power" else arguments

    def number(self, value: Any) -> int:
        """The operation that is an exact number."""
        import sympy as sp

        return self.put("number", sp.sympify(value))

    def add(self, *terms: int | None) -> int | None:
        """Sum of operations; None counts as an exact 0, and so does the result where nothing is left."""
        total = None
        for term in terms:
            if term is not None:
                total = term if total is None else self.put("add", total, term)
        return total

    def multiply(self, a: int | None, b: int | None) -> int | None:
        """Product of two operations; None counts as an exact 0."""
        if a is None or b is None:
            return None
        for one, other in ((a, b), (b, a)):
            operation = self.operations[one]
            if operation[0] == "number":
                if operation[1] == 0:
                    return None
                if operation[1] == 1:
                    return other
                if operation[1] == -1:
                    return self.put("negative", other)
        return self.put("multiply", *sorted((a, b)))

    def needed(self, outputs: Iterable[int | None]) -> list[int]:
        """All operations that the outputs need, themselves included, in order."""
        needed, stack = set(), [o for o in outputs if o is not None]
        while stack:
            index = stack.pop()
            if index not in needed:
                needed.add(index)
                stack += self.arguments(index)
        return sorted(needed)

    def rates(self, outputs: Iterable[int | None]) -> list[int | None]:
        """Derivatives of operations as the parameters move at the rates ("q", i): the chain rule, operation by operation."""
        outputs = list(outputs)
        rate: dict[int | None, int | None] = {None: None}
        for index in self.needed(outputs):
            name, *arguments = self.operations[index]
            if name == "p":
                rate[index] = self.put("q", arguments[0])
            elif name in _LEAVES:
                rate[index] = None
            elif name == "add":
                rate[index] = self.add(*(rate[a] for a in arguments))
            elif name == "multiply":
                a, b = arguments
                rate[index] = self.add(self.multiply(rate[a], b), self.multiply(a, rate[b]))
            else:
                inner = rate[arguments[0]]
                rate[index] = None if inner is None else self.multiply(self._slope(index, name, *arguments), inner)
        return [rate[o] for o in outputs]

    def _slope(self, index, name, a, power=0):
        """The derivative of an operation of one argument by this argument; None: 0."""
        if name == "negative":
            return self.number(-1)
        if name == "power":
            return self.multiply(self.number(power), a if power == 2 else self.put("power", a, power - 1))
        if name == "reciprocal":
            return self.put("negative", self.put("power", index, 2))
        if name == "sech2":
            return self.multiply(self.number(-2), self.multiply(self.put("tanh", a), index))
        if name == "dsigma":
            return self.multiply(index, self.add(self.number(1), self.multiply(self.number(-2), self.put("sigma", a))))
        if name == "step":
            return None
        return self.put({"tanh": "sech2", "sigma": "dsigma", "exp": "exp", "ramp": "step"}[name], a)

    def write(self, expression: sp.Expr, table: dict[sp.Symbol, int]) -> int | None:
        """Append a sympy expression with its symbols read from ``table``; None for an expression that is 0."""
        import sympy as sp

        from ...cell.symbolic import sech2, sigma

        if expression == 0:
            return None
        if expression in table:
            return table[expression]
        if expression.is_number and not expression.atoms(sp.Function):
            if not expression.is_real or not (expression.is_Rational or expression.is_Float):
                raise CapabilityError(f"flows cannot evaluate the number {expression} in the cell's definition")
            return self.number(expression)
        if expression.is_Add:
            return self.add(*(self.write(term, table) for term in expression.args))
        if expression.is_Mul:
            slopes, others = _gate_slopes(expression, sigma)
            factors = [self.put("dsigma", self.write(x, table)) for x in slopes] + [self.write(f, table) for f in others]
            if any(f is None for f in factors):
                return None
            product = factors[0]
            for factor in factors[1:]:
                product = self.multiply(product, factor)
            return product
        if expression.is_Pow and expression.exp.is_Integer:
            base = self.write(expression.base, table)
            power = int(expression.exp)
            # an even power is one operation: the product of an interval with itself would have the wrong sign
            whole = base if abs(power) == 1 else self.put("power", base, abs(power))
            return whole if power > 0 else self.put("reciprocal", whole)
        for function, name in ((sp.tanh, "tanh"), (sigma, "sigma"), (sech2, "sech2"), (sp.exp, "exp")):
            if isinstance(expression, function):
                argument = self.write(expression.args[0], table)
                return self.put(name, self.number(0) if argument is None else argument)
        if isinstance(expression, sp.Max) and len(expression.args) == 2 and 0 in expression.args:
            (other,) = (a for a in expression.args if a != 0)
            return self.put("ramp", self.write(other, table))
        if isinstance(expression, sp.Heaviside):
            return self.put("step", self.write(expression.args[0], table))
        raise CapabilityError(
            f"flows cannot evaluate {expression.func.__name__}: sums, products, integer powers, tanh, sigma, exp and max(0, .) "
            "of the cell's symbols are what they know"
        )


def _gate_slopes(product, sigma):
    """Arguments x of factors sigma(x) sigma(-x), and the other factors.

    As one operation that product has an exact range over an interval.
    """
    gates, others = [], []
    for factor in product.args:
        base, power = factor.as_base_exp()
        if isinstance(base, sigma) and power.is_Integer and power > 0:
            gates += [base] * int(power)
        else:
            others.append(factor)
    slopes, single = [], {}
    while gates:
        gate = gates.pop(0)
        x = gate.args[0]
        if sigma(-x) in gates:
            gates.remove(sigma(-x))
            slopes.append(-x if x.could_extract_minus_sign() else x)
        else:
            single[gate] = single.get(gate, 0) + 1
    return slopes, [*others, *(gate if power == 1 else gate**power for gate, power in single.items())]


def parameter_count(cell: Cell, n_units: int) -> int:
    """Length of the flat array of parameters: K matrices, K biases, P site parameters."""
    return cell.n_fields * n_units * (n_units + 1) + cell.n_parameters * n_units


@lru_cache(maxsize=64)
def heard_variables(cell: Cell) -> list[int]:
    """State variables that messages listen to, all of them where none does."""

    def find():
        heard = set().union(*(m.free_symbols for m in cell.messages))
        return [a for a, s in enumerate(cell.state) if s in heard] or list(range(cell.n_state))

    return derived_once(cell, "heard variables", find)


class SiteDerivatives:
    """Symbolic rate, messages and fixed state of a site and their derivatives, in the form that keeps its digits at saturation.

    Attributes
    ----------
    rate : tuple of expressions, F - s; rate_s, rate_y : lists of lists, its derivatives by the state and by the fields
    messages : list of expressions, one a field; message_s, message_y : their derivatives
    fixed : list of expressions in the fields, the closed form of the fixed state (empty without one); fixed_y : its derivatives
    kept : list of int
        State variables that messages listen to: the unknowns of the gate-free residual.
    """

    def __init__(self, cell: Cell) -> None:
        import sympy as sp

        from ...cell.symbolic import stable_form

        def slopes(expressions, symbols):
            return [[stable_form(sp.diff(e, x)) for x in symbols] for e in expressions]

        self.rate = cell.rate
        self.messages = [stable_form(m) for m in cell.messages]
        self.rate_s, self.rate_y = slopes(self.rate, cell.state), slopes(self.rate, cell.fields)
        self.message_s, self.message_y = slopes(self.messages, cell.state), slopes(self.messages, cell.fields)
        self.fixed: list[sp.Expr] = []
        self.fixed_y: list[list[sp.Expr]] = []
        if cell.closed_form is not None:
            self.fixed = [stable_form(cell.closed_form[s]) for s in cell.state]
            self.fixed_y = slopes(self.fixed, cell.fields)
        self.kept = heard_variables(cell)


@lru_cache(maxsize=64)
def site_derivatives(cell: Cell) -> SiteDerivatives:
    """The SiteDerivatives of a cell, derived once."""
    return SiteDerivatives(cell)


class NetworkTape:
    """Writes fields, flow, residual and their derivatives of N units onto one tape.

    Parameters are one flat array: the K matrices row by row, the K biases, the P site parameters. Unknowns are state variable after
    state variable, as in Network.

    Parameters
    ----------
    cell : Cell
    n_units : int
    """

    def __init__(self, cell: Cell, n_units: int) -> None:
        self.cell, self.n_units = cell, n_units
        self.sites = site_derivatives(cell)
        self.tape = Tape()

    def weight(self, k: int, i: int, j: int) -> int:
        """The entry U_k[i, j] of the flow's numbers."""
        return self.tape.put("p", (k * self.n_units + i) * self.n_units + j)

    def bias(self, k: int, i: int) -> int:
        """The bias of field k of unit i."""
        return self.tape.put("p", self.cell.n_fields * self.n_units**2 + k * self.n_units + i)

    def site_parameter(self, q: int, i: int) -> int:
        """Site parameter q of unit i."""
        n, K = self.n_units, self.cell.n_fields
        return self.tape.put("p", K * n * (n + 1) + q * n + i)

    def network(
        self,
        unknowns: dict[tuple[int, int], int],
        needed: Collection[int] | None = None,
        slopes: bool = True,
        tighten: Callable[[int, int, int | None, dict[int, int]], int] | None = None,
    ) -> tuple[list[dict[sp.Symbol, int]], dict[tuple[int, int], dict[int, int]]]:
        """Fields of every unit at given unknowns, and their derivatives by these.

        Parameters
        ----------
        unknowns : {(state variable, unit): operation}
        needed : collection of fields, all by default
        slopes : bool
        tighten : callable(k, i, value, slopes) -> operation, called on every field once it is there

        Returns
        -------
        tables : list of {symbol: operation}, one a unit
        slopes : {(k, i): {column: operation}}, columns numbered as the unknowns are listed
        """
        cell, n, put = self.cell, self.n_units, self.tape
        columns = {place: c for c, place in enumerate(unknowns)}
        tables = [{cell.state[a]: v for (a, j), v in unknowns.items() if j == i} for i in range(n)]
        for i, table in enumerate(tables):
            table.update({p: self.site_parameter(q, i) for q, p in enumerate(cell.parameters)})
        dy: dict[tuple[int, int], dict[int, int]] = {}
        for k in range(cell.n_fields):
            if needed is not None and k not in needed:
                continue
            messages = [put.write(self.sites.messages[k], table) for table in tables]
            dm: list[dict[int, int]] = [{} for _ in range(n)]
            if slopes:
                for j, table in enumerate(tables):
                    parts: dict[int, list[int | None]] = {}
                    for a in range(cell.n_state):
                        if (a, j) in columns:
                            parts.setdefault(columns[a, j], []).append(put.write(self.sites.message_s[k][a], table))
                    for l in range(k):
                        slope = put.write(self.sites.message_y[k][l], table) if (l, j) in dy else None
                        if slope is not None:
                            for c, value in dy[l, j].items():
                                parts.setdefault(c, []).append(put.multiply(slope, value))
                    dm[j] = _clean({c: put.add(*values) for c, values in parts.items()})
            for i in range(n):
                terms = [put.multiply(self.weight(k, i, j), messages[j]) for j in range(n)]
                total = put.add(*terms, self.bias(k, i))
                if slopes:
                    parts = {}
                    for j in range(n):
                        for c, slope in dm[j].items():
                            parts.setdefault(c, []).append(put.multiply(self.weight(k, i, j), slope))
                    dy[k, i] = _clean({c: put.add(*values) for c, values in parts.items()})
                    if tighten is not None:
                        total = tighten(k, i, total, dy[k, i])
                if total is not None:  # a bias is no exact 0
                    tables[i][cell.fields[k]] = total
        return tables, dy

    def unknowns(self, variables: Iterable[int], kind: str = "x") -> dict[tuple[int, int], int]:
        """{(state variable, unit): operation} for the given state variables."""
        n = self.n_units
        return {(a, i): self.tape.put(kind, place * n + i) for place, a in enumerate(variables) for i in range(n)}

    def through_fields(
        self,
        expressions_y: list[list[sp.Expr]],
        dy: dict[tuple[int, int], dict[int, int]],
        table: dict[sp.Symbol, int],
        i: int,
        row: int,
    ) -> dict[int, list[int | None]]:
        """{column: operation}: derivative of a site function of unit i by the unknowns, through the unit's fields."""
        parts: dict[int, list[int | None]] = {}
        for k in range(self.cell.n_fields):
            slope = self.tape.write(expressions_y[row][k], table) if (k, i) in dy else None
            if slope is not None:
                for c, value in dy[k, i].items():
                    parts.setdefault(c, []).append(self.tape.multiply(slope, value))
        return parts

    def flow(self, slopes: bool = True) -> tuple[list[int | None], list[list[int | None]]]:
        """F(s, y(s)) - s and, optionally, its Jacobian: lists of operations (None: 0) in the order of the unknowns."""
        variables = range(self.cell.n_state)
        unknowns = self.unknowns(variables)
        tables, dy = self.network(unknowns, slopes=slopes)
        values, rows = [], []
        columns = {place: c for c, place in enumerate(unknowns)}
        for a, i in unknowns:
            values.append(self.tape.write(self.sites.rate[a], tables[i]))
            if slopes:
                parts = self.through_fields(self.sites.rate_y, dy, tables[i], i, a)
                for b in variables:
                    own = self.tape.write(self.sites.rate_s[a][b], tables[i])
                    parts.setdefault(columns[b, i], []).append(own)
                row = {c: self.tape.add(*terms) for c, terms in parts.items()}
                rows.append([row.get(c) for c in range(len(unknowns))])
        return values, rows

    def gate_free_fields(self) -> list[int]:
        """The fields that the fixed state of a site needs, directly or through messages."""
        cell = self.cell
        used = {k for k, y in enumerate(cell.fields) for form in self.sites.fixed if form.has(y)}
        while True:
            more = {j for k in used for j in range(k) if cell.messages[k].has(cell.fields[j])} - used
            if not more:
                return sorted(used)
            used |= more

    def fixed_state(
        self,
        kept: Iterable[int],
        kind: str = "x",
        slopes: bool = False,
        tighten: Callable[[int, int, int | None, dict[int, int]], int] | None = None,
    ) -> tuple[list[int | None], list[list[int | None]]]:
        """s*(y(x)) of the state variables ``kept`` of every unit, and derivatives, at unknowns that are the ``kept`` themselves."""
        unknowns = self.unknowns(self.sites.kept, kind)
        tables, dy = self.network(unknowns, self.gate_free_fields(), slopes, tighten)
        values, rows = [], []
        for a in kept:
            for i in range(self.n_units):
                # the closed form is in the fields alone: state symbols must not shadow it
                table = {s: v for s, v in tables[i].items() if s not in self.cell.state}
                values.append(self.tape.write(self.sites.fixed[a], table))
                if slopes:
                    parts = self.through_fields(self.sites.fixed_y, dy, table, i, a)
                    row = {c: self.tape.add(*terms) for c, terms in parts.items()}
                    rows.append([row.get(c) for c in range(len(unknowns))])
        return values, rows


def _clean(table):
    return {c: value for c, value in table.items() if value is not None}
