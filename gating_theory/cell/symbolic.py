"""Symbolic results that follow from the definition of a cell.

Everything here is sympy in, sympy out: the four blocks of site derivatives [T2], the transfer matrix
and its minors [T2, T4], the edge condition [T3], the small-moment expansion of the mean field [T5].
Labels in brackets are the sections of the theory sheet, reproduced in PAPER_MAP.md. sympy takes most of
a second to import, so nothing in the package imports this module before a cell is needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any, TypeVar

import sympy as sp

__all__ = [
    "sigma",
    "hard_sigma",
    "site_blocks",
    "transfer_matrix",
    "bordered_minors",
    "states_between",
    "placeholders",
    "edge_condition",
    "rate",
    "response",
    "slow_expansion",
    "small_moment_expansion",
    "stable_form",
    "THROUGH",
    "nested",
    "separate",
    "to_latex",
    "to_text",
    "update_texts",
]

#: A Cell. It stands on this module and cannot be named here.
AnyCell = Any
#: Rows (messages) and columns (fields) of a minor.
Minor = tuple[tuple[int, ...], tuple[int, ...]]
#: An expression or a matrix of them.
Form = TypeVar("Form", bound=sp.Basic | sp.MatrixBase)


class sigma(sp.Function):
    """The logistic function 1/(1 + exp(-x)), which knows that its derivative is sigma (1 - sigma).

    A Function of its own, and not ``1/(1 + exp(-x))``, so that derivatives of a gate stay polynomials in
    the gate and expressions stay readable; it is evaluated with ``scipy.special.expit``.

    Examples
    --------
    >>> import sympy as sp
    >>> import gating_theory as gt
    >>> y = sp.Symbol("y", real=True)
    >>> gt.sigma(y).diff(y)
    (1 - sigma(y))*sigma(y)
    >>> gt.sigma(0)
    1/2
    """

    nargs = 1

    @classmethod
    def eval(cls, x):
        if x.is_zero:
            return sp.Rational(1, 2)
        if x is sp.oo:
            return sp.Integer(1)
        if x is -sp.oo:
            return sp.Integer(0)
        return None

    def fdiff(self, argindex=1):
        return self * (1 - self)

    def _eval_is_real(self):
        return self.args[0].is_real

    def _eval_is_positive(self):
        return self.args[0].is_real

    def _eval_evalf(self, prec):
        return (1 / (1 + sp.exp(-self.args[0])))._eval_evalf(prec)

    def _eval_rewrite_as_exp(self, x, **kwargs):
        return 1 / (1 + sp.exp(-x))

    def _latex(self, printer, exp=None):
        body = rf"\sigma\left({printer._print(self.args[0])}\right)"
        return body if exp is None else rf"{body}^{{{exp}}}"


class hard_sigma(sp.Function):
    """min(1, max(0, x)): a hard sigmoid is hard_sigma(slope x + 1/2).

    A Function of its own, so that a gate is recognised as one, and its derivative is 0 or the slope (half of it at kinks).
    """

    nargs = 1

    @classmethod
    def eval(cls, x):
        return sp.Min(1, sp.Max(0, x)) if x.is_number else None

    def fdiff(self, argindex=1):
        return sp.Heaviside(self.args[0]) - sp.Heaviside(self.args[0] - 1)

    def _eval_is_real(self):
        return self.args[0].is_real

    def _eval_is_nonnegative(self):
        return self.args[0].is_real

    def _eval_rewrite_as_Min(self, x, **kwargs):
        return sp.Min(1, sp.Max(0, x))


class sech2(sp.Function):
    """1/cosh(x)^2: the stable form of 1 - tanh(x)^2, used only in expressions that are evaluated."""

    nargs = 1

    def fdiff(self, argindex=1):
        return -2 * sp.tanh(self.args[0]) * self

    def _eval_rewrite_as_tanh(self, x, **kwargs):
        return 1 - sp.tanh(x) ** 2


def site_blocks(
    state: Iterable[sp.Symbol], fields: Iterable[sp.Symbol], messages: Sequence[sp.Expr], update: Sequence[sp.Expr]
) -> tuple[sp.Matrix, sp.Matrix, sp.Matrix, sp.Matrix]:
    """The site derivatives F_s (d x d), F_y (d x K), M_s (n x d), M_y (n x K) of [T2].

    ``messages`` may be any list of message expressions (one per field, or the n distinct ones): M_s and M_y
    have one row per entry.
    """
    F, M = sp.Matrix(update), sp.Matrix(messages)
    s, y = list(state), list(fields)
    return F.jacobian(s), F.jacobian(y), M.jacobian(s), M.jacobian(y)


def transfer_matrix(cell: AnyCell, lam: sp.Expr) -> sp.Matrix:
    """W(lambda) = M_s (lambda - F_s)^{-1} F_y + M_y of [T2], K x K, by the adjugate (no simplification)."""
    shifted = lam * sp.eye(cell.n_state) - cell.F_s
    return cell.M_s * shifted.adjugate() * cell.F_y / shifted.det() + cell.M_y


def placeholders(matrix: sp.Matrix, name: str) -> tuple[sp.Matrix, dict[sp.Symbol, sp.Expr]]:
    """The matrix with every entry that is not identically zero replaced by a symbol, and the substitution back."""
    table = {}

    def entry(i, j):
        value = matrix[i, j]
        if value.is_number:
            return value
        symbol = sp.Dummy(f"{name}{i}{j}")
        table[symbol] = value
        return symbol

    return sp.Matrix(*matrix.shape, entry), table


def bordered_minors(
    cell: AnyCell,
    center: int = 0,
    substitute: Mapping[sp.Symbol, sp.Expr] | None = None,
    largest: int | None = None,
    states: Sequence[int] | None = None,
) -> dict[Minor, tuple[sp.Expr, ...]]:
    """Numerators of the minors of the transfer matrix, as polynomials in t = lambda - center [T4].

    By the Schur complement, for message rows I and field columns J of equal size,

        det [[lambda - F_s, -F_y[:, J]], [M_s[I], M_y[I, J]]] = det(lambda - F_s) det W[I, J],

    a polynomial of degree <= d. Returns ``{(I, J): (q_0, ..., q_d)}`` without the identically vanishing
    ones; ``((), ())`` is det(lambda - F_s) itself. Messages are numbered as in ``cell.message_names``, rows are
    the *distinct* messages. ``substitute`` is applied to the site derivatives first (for example the closed-form
    fixed point); ``largest`` bounds the size of the minors; ``states`` are the rows and columns of F_s that are kept, as if there
    were no others. Entries are numbered by symbols while the
    determinants are expanded, so no big expression is ever manipulated.
    """
    blocks = [sp.eye(cell.n_state) * center - cell.F_s, cell.F_y, cell.message_rows_s, cell.message_rows_y]
    blocks = [stable_form(block) for block in blocks]
    if substitute:
        blocks = [stable_form(block.xreplace(substitute)) for block in blocks]
    A, F_y, M_s, M_y = blocks
    if states is not None:
        A, F_y, M_s = A.extract(list(states), list(states)), F_y.extract(list(states), range(cell.n_fields)), M_s[:, list(states)]
    d = A.rows
    determinants = _Determinants(A.row_join(F_y).col_join(M_s.row_join(M_y)), d)
    largest = cell.n_messages if largest is None else largest
    minors = {}
    for size in range(largest + 1):
        for rows in combinations(range(cell.n_messages), size):
            for columns in combinations(range(cell.n_fields), size):
                expanded = determinants.coefficients([d + i for i in rows], [d + l for l in columns])
                # common factors first: a gate that multiplies everything is then averaged on its own
                coefficients = tuple(stable_form(sp.factor_terms(c)) for c in expanded)
                if any(c != 0 for c in coefficients):
                    minors[rows, columns] = coefficients
    return minors


def states_between(
    cell: AnyCell, substitute: Mapping[sp.Symbol, sp.Expr]
) -> tuple[dict[tuple[int, int], tuple[int, ...]], list[tuple[int, ...]]]:
    """Through which states a field reaches a message, and which states push each other: parts of det(lambda - F_s).

    W_kl(lambda) is what it is without all other states.

    Parameters
    ----------
    cell : Cell
    substitute : applied to the site derivatives first: what stands for states at rest

    Returns
    -------
    ({(message, field): states}, blocks): blocks are disjoint, and their leaks together are those of F_s
    """
    F_s, F_y, M_s = (stable_form(stable_form(block).xreplace(substitute)) for block in (cell.F_s, cell.F_y, cell.message_rows_s))
    every = range(cell.n_state)
    pushes = [{j for j in every if j == i or F_s[j, i] != 0} for i in every]
    for _ in every:
        pushes = [set().union(*(pushes[j] for j in reached)) for reached in pushes]
    between = {}
    for k in range(cell.n_messages):
        heard = {i for i in every if any(M_s[k, j] != 0 for j in pushes[i])}
        for l in range(cell.n_fields):
            felt = set().union(*(pushes[i] for i in every if F_y[i, l] != 0))
            between[k, l] = tuple(sorted(heard & felt))
    return between, sorted({tuple(j for j in every if j in pushes[i] and i in pushes[j]) for i in every})


class _Determinants:
    """Determinants of parts of a matrix of expressions, with t added to its first d diagonal entries, the block beside negative.

    They are expanded as polynomials in one symbol for each different entry: a twentieth of the time that expressions take. What
    several have in common is expanded once.
    """

    def __init__(self, matrix: sp.Matrix, d: int) -> None:
        symbols = {x: sp.Dummy("x") for x in sorted({x for x in matrix if not x.is_Rational}, key=sp.default_sort_key)}
        self.back = {symbol: x for x, symbol in symbols.items()}
        self.ring, t, *generators = sp.polys.rings.ring([sp.Dummy("t"), *symbols.values()], sp.QQ)
        elements = dict(zip(symbols, generators))
        self.d = d
        self._known: dict[Any, Any] = {}
        self._entries = [[elements[x] if x in elements else self.ring(sp.QQ.from_sympy(x)) for x in row] for row in matrix.tolist()]
        for i in range(d):
            self._entries[i][i] += t
            self._entries[i][d:] = [-entry for entry in self._entries[i][d:]]

    def coefficients(self, rows: Sequence[int], columns: Sequence[int]) -> list[sp.Expr]:
        """Those of 1, t, .., t^d in the determinant of the first d rows and columns and of such further ones."""
        first = range(self.d)
        powers: list[dict[Any, Any]] = [{} for _ in range(self.d + 1)]
        for (power, *rest), number in self._of((*first, *rows), (*first, *columns)).items():
            powers[power][0, *rest] = number
        return [self.ring.from_dict(part).as_expr().xreplace(self.back) for part in powers]

    def _of(self, rows, columns):
        """The determinant, expanded along its last row."""
        if not rows:
            return self.ring.one
        if (rows, columns) not in self._known:
            total, entries = self.ring.zero, self._entries[rows[-1]]
            for i, column in enumerate(columns):
                if entries[column]:
                    rest = self._of(rows[:-1], columns[:i] + columns[i + 1 :])
                    total += entries[column] * (rest if (len(columns) - i) % 2 else -rest)
            self._known[rows, columns] = total
        return self._known[rows, columns]


def stable_form(expression: Form) -> Form:
    """The same expression without the cancellations of 1 - sigma(x) and 1 - tanh(x)^2 at saturation.

    1 - sigma(x) becomes sigma(-x), 1 - tanh(x)^2 becomes sech2(x), sigma(x) + sigma(-x) becomes 1: exact rewritings that keep
    full relative accuracy where a gate is shut or a tanh is flat.
    """

    def rewrite(node):
        if len(node.args) == 2 and all(a.func is sigma for a in node.args) and node.args[0].args[0] == -node.args[1].args[0]:
            return sp.Integer(1)
        if len(node.args) == 2 and node.args[0] in (1, -1):
            sign, other = node.args
            if (-sign * other).func is sigma:
                return sign * sigma(-(-sign * other).args[0])
            square = -sign * other
            if square.is_Pow and square.exp == 2 and isinstance(square.base, sp.tanh):
                return sign * sech2(square.base.args[0])
        return node

    return expression.replace(lambda node: node.is_Add, rewrite)


def rate(cell: AnyCell) -> tuple[sp.Expr, ...]:
    """F - s of every state variable, the right side of ds/dt = F(s, y) - s, in stable form.

    A gate that is almost open to the past, 1 - z = 1e-10, must not come out of a subtraction: where F - s is a gate times a
    distance it is written so, (1 - z)(tanh(y_h) - h) for the GRU; else the terms that are linear in the state are collected.
    """
    return tuple(_relaxation(F - s, s) for F, s in zip(cell.update, cell.state))


def _relaxation(difference, state):
    whole = sp.factor(difference)
    if not whole.is_Mul:
        whole = sp.collect(sp.expand(difference), state)
    return stable_form(whole)


def separate(
    expression: sp.Expr, dependence: Mapping[sp.Symbol, frozenset[int]], apart: frozenset[int] = frozenset()
) -> list[list[tuple[sp.Expr, frozenset[int]]]]:
    """Split an expression into a sum of products of factors that depend on disjoint sets of random variables.

    ``dependence`` maps symbols to frozensets of random variables. Returns a list (the sum) of lists (the
    product) of ``(factor, frozenset)``. Gaussian fields are independent, so each factor is averaged on its own,
    over its own few dimensions. What depends on variables of ``apart`` alone, over which nobody averages, is a factor of its own.
    """
    terms = []
    for term in sp.Add.make_args(expression):
        groups: list[tuple[sp.Expr, frozenset[int]]] = []
        alone: list[tuple[sp.Expr, frozenset[int]]] = []
        for factor in sp.Mul.make_args(term):
            touched = frozenset().union(*(dependence[s] for s in factor.free_symbols if s in dependence))
            if touched and touched <= apart:
                alone.append((factor, touched))
                continue
            merged, kept = factor, []
            for other, where in groups:
                if where & touched or not (where or touched):
                    merged, touched = merged * other, touched | where
                else:
                    kept.append((other, where))
            groups = kept + [(merged, touched)]
        if alone:
            groups.append((sp.Mul(*(f for f, _ in alone)), frozenset().union(*(where for _, where in alone))))
        terms.append(groups)
    return terms


#: What stands for everything else in the inner part of a nested expression.
THROUGH = sp.Symbol("through", real=True)


def nested(expression: sp.Expr, symbol: sp.Symbol) -> tuple[sp.Expr, sp.Expr, sp.Expr] | None:
    """(outer, inner, through) with expression = outer * inner(THROUGH = through), of which inner alone depends on the symbol.

    The c = i g / (1 - f) of an LSTM depends on y_i and y_f through i / (1 - f): an average over y_g is a function of that
    one number. None where the others enter in more than one way.
    """
    inside, outer = expression.as_independent(symbol, as_Add=False)[::-1]
    found: set[sp.Expr] = set()

    def shortened(node):
        if not node.has(symbol):
            if node.is_number:
                return node
            found.add(node)
            return THROUGH
        if not (node.is_Add or node.is_Mul):
            return node if node.is_Symbol else node.func(*(shortened(a) for a in node.args))
        number, rest = sp.sympify(node.func.identity), []
        for a in node.args:
            if a.is_number:
                number = node.func(number, a)
            elif not a.has(symbol):
                rest.append(a)
        own = [shortened(a) for a in node.args if a.has(symbol)]
        return node.func(number, *([shortened(node.func(*rest))] if rest else []), *own)

    inner = shortened(inside)
    return (outer, inner, found.pop()) if len(found) == 1 else None


def response(cell: AnyCell) -> tuple[list[sp.Expr], sp.Matrix]:
    """Messages at a site's fixed point and their total derivatives by the fields: W(1), for the number of fixed points [T7].

    Returns ``(m, W)``: the n distinct messages as functions of fields and site parameters alone, and the n x K Matrix of
    dm/dy, which is the transfer matrix of [T2] at lambda = 1. Fields that only set the speed (the GRU's z) drop out of both.
    Needs a closed-form site fixed point.
    """
    table = cell.closed_form
    if table is None:
        raise ValueError(f"cell {cell.name!r} has no closed-form fixed point of a site (pass fixed_point=)")
    messages = [stable_form(m.xreplace(table)) for m in cell.distinct_messages]
    W = sp.Matrix([[stable_form(sp.factor_terms(sp.diff(m, y))) for y in cell.fields] for m in messages])
    return messages, W


def edge_condition(cell: AnyCell, lam: sp.Expr, gains: Sequence[sp.Expr], expectation: str = "E") -> sp.Matrix:
    """The matrix T_kl(lambda) = a_l^2 E|W_kl(lambda)|^2 of [T3], one row and column per distinct message.

    ``gains`` are symbols, one per field; expectations are written as a sympy Function of the given name, with
    |.|^2 of the transfer matrix inside. The edge of the spectrum is where the spectral radius of T is 1.
    """
    E = sp.Function(expectation)
    W = transfer_matrix(cell, lam)
    n = cell.n_messages
    T = sp.zeros(n, n)
    for k in range(n):
        row = cell.message_of.index(k)
        for field, nu in enumerate(cell.message_of):
            entry = W[row, field]
            if entry != 0:
                T[k, nu] += gains[field] ** 2 * E(sp.Abs(entry) ** 2)
    return T


def small_moment_expansion(cell: AnyCell) -> tuple[list[list[sp.Expr]], list[list[list[sp.Expr]]]]:
    """Second and fourth field derivatives that expand the mean field in small moments [T5].

    With R_k(q) the second moment of message k when the fields have variances a_l^2 q_{m(l)},

        R_k = exp(1/2 sum_l Delta_l d^2/dy_l^2) m_k^2   at y = b,     Delta_l = a_l^2 q_{m(l)},

    so its linear and quadratic coefficients in Delta are the derivatives

        A_kl = 1/2 d_l^2 m_k^2,      B_kll' = 1/8 d_l^2 d_l'^2 m_k^2       (R_k = sum A Delta + sum B Delta Delta).

    (The constant term m_k(b)^2 vanishes where there is a zero state.) Returns ``(A, B)`` as nested lists of expressions in the
    fields. Needs a closed-form site fixed point.
    """
    table = cell.closed_form
    if table is None:
        raise ValueError(
            f"cell {cell.name!r} has no closed-form fixed point of a site: the small-moment expansion needs one (pass fixed_point=)"
        )
    A, B = [], []
    for message in cell.distinct_messages:
        square = message.xreplace(table) ** 2
        # diff twice, not diff(.., 2): sympy factors the result of a repeated derivative, which takes three times as long
        second = [sp.diff(sp.diff(square, y), y) for y in cell.fields]
        A.append([expr / 2 for expr in second])
        B.append([[sp.diff(sp.diff(expr, y), y) / 8 for y in cell.fields] for expr in second])
    return A, B


def slow_expansion(cell: AnyCell) -> tuple[list[list[list[sp.Expr]]], list[list[list[sp.Expr]]]]:
    """The parts of B of :func:`small_moment_expansion` that correlations at a lag and means carry [T8].

    Where sites follow their fields at once, E m_k m_k' between two times at which the fields have covariances c_l and variances
    Delta_l is, to second order,

        sum_l A_kl c_l + sum_ll' (P_kll' c_l c_l' + Q_kll' Delta_l Delta_l' + (B - P - Q)_kll' c_l Delta_l')

        P_kll' = 1/2 (d_l d_l' m_k)^2,      Q_kll' = 1/4 d_l^2 m_k d_l'^2 m_k

    (B - P - Q meets symmetric sums only.) Returns ``(P, Q)`` as nested lists of expressions in the fields.
    """
    messages, W = response(cell)
    P, Q = [], []
    for k in range(len(messages)):
        second = [[sp.diff(W[k, l], y) for y in cell.fields] for l in range(cell.n_fields)]
        P.append([[expr**2 / 2 for expr in row] for row in second])
        Q.append([[second[l][l] * second[m][m] / 4 for m in range(cell.n_fields)] for l in range(cell.n_fields)])
    return P, Q


def to_latex(cell: AnyCell, derivatives: bool = True) -> str:
    """A LaTeX description of the cell, as one aligned block: fields, messages, update, fixed point and site derivatives.

    Parameters
    ----------
    cell : Cell
    derivatives : bool, whether the four blocks of site derivatives [T2] are part of it
    """
    lines = []
    for name, y, message in zip(cell.field_names, cell.fields, cell.messages):
        lines.append(rf"{sp.latex(y)} &= U_{{{name}}}\,\left({sp.latex(message)}\right) + b_{{{name}}}")
    for s, expr in zip(cell.state, cell.update):
        lines.append(rf"{sp.latex(s)}' &= {sp.latex(expr)}")
    for s, expr in zip(cell.state, cell.fixed_point or ()):
        lines.append(rf"{sp.latex(s)} &= {sp.latex(expr)} \quad\text{{at a fixed point}}")
    for label, block in (("F_s", cell.F_s), ("F_y", cell.F_y), ("M_s", cell.M_s), ("M_y", cell.M_y)) if derivatives else ():
        lines.append(rf"{label} &= {sp.latex(block)}")
    return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"


def to_text(cell: AnyCell) -> str:
    """The equations of the cell, one a line: fields, gates under the names of their fields, update, fixed point.

    Parameters
    ----------
    cell : Cell
    """
    gates = _gates(cell)
    lines = [f"{cell.name}: the equations of one unit"]
    for name, y, message in zip(cell.field_names, cell.fields, cell.messages):
        shown = message.xreplace(gates)
        lines.append(f"{y} = U_{name} {shown if shown.is_Symbol else f'({shown})'} + b_{name}")
    lines += [f"{letter} = {gate}" for gate, letter in gates.items()]
    lines += [f"{s}' = {text}" for s, text in zip(cell.state, update_texts(cell))]
    lines += [f"{s} = {expr.xreplace(gates)} at a fixed point" for s, expr in zip(cell.state, cell.fixed_point or ())]
    return "\n  ".join(lines)


def update_texts(cell: AnyCell) -> list[str]:
    """The update of each state variable, with gates under the names of their fields: "h*z + (1 - z)*tanh(y_h)".

    Parameters
    ----------
    cell : Cell
    """
    gates = _gates(cell)
    return [str(expr.xreplace(gates)) for expr in cell.update]


def _gates(cell):
    """{sigma(y_k): the name of field k} for the gates that the cell has and whose names are not those of other things."""
    taken = {s.name for s in (*cell.state, *cell.fields, *cell.parameters)}
    named = _named_gates((*cell.messages, *cell.update), cell.fields, cell.field_names, real=True)
    return {gate: letter for gate, letter in named.items() if letter.name not in taken}


def _named_gates(expressions, fields, names, **assumptions):
    """{gate: Symbol of the name of its field} of gates that feel one field alone, in the order of the fields."""
    gates = {part for expr in expressions for part in expr.atoms(sigma, hard_sigma)}
    named = {}
    for y, name in zip(fields, names):
        own = sorted((g for g in gates if g == sigma(y) or g.func is hard_sigma and g.free_symbols == {y}), key=str)
        named.update({gate: sp.Symbol(name, **assumptions) for gate in own[:1]})
    return named


def message_label(expression: sp.Expr, fields: Sequence[sp.Symbol], names: Sequence[str]) -> str:
    """A short name of a message: gates, sigma(y_k) and the like, are written by their field's name, gates first: ``r*h``."""
    gates = _named_gates([expression], fields, names)
    short = expression.xreplace(gates)
    if short.is_Mul and all(factor.is_Symbol for factor in short.args):
        first = set(gates.values())
        factors = sorted(short.args, key=lambda f: (f not in first, str(f)))
        return "*".join(str(f) for f in factors)
    return str(short).replace(" ", "")
