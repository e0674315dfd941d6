"""The symbolic definition of a gated cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..results.display import brief, first_line
from ..results.encoding import cell_class
from ..support.arithmetic import underflow_is_zero
from ..support.available_memory import require_memory
from ..support.checks import generator, integer, real, shown
from ..support.types import Rng

if TYPE_CHECKING:
    import sympy as sp

    from .compiled import CompiledCell

#: Where functions come from that mean the same in every process.
_KNOWN = ("sympy.", "gating_theory.")

__all__ = ["Cell", "second_moment"]

#: Sites further out are beyond the reach of finite differences.
_LARGEST_SCALE = 1000.0


def second_moment(message: str) -> str:
    """How the second moment of a message of this name is written: "E[h^2]", "E[(r*h)^2]"."""
    return f"E[{message}^2]" if message.isidentifier() else f"E[({message})^2]"


def _name_of(symbol):
    text = str(symbol)
    return text[2:] if text.startswith("y_") and len(text) > 2 else text


class _Equations:
    """A ``__doc__``: of a class what is written there, of a cell its equations, so that ``help(gt.GRU)`` shows them."""

    def __init__(self, written):
        self.written = written

    def __get__(self, cell, owner):
        return self.written if cell is None else f"{cell}{cell._examples}"


@cell_class
class Cell:
    """One unit of a gated recurrent network, written once in sympy; everything else is derived from it [T1].

    A unit carries a state ``s`` and listens to K fields ``y_k = U_k m_k + b_k``; then ``s' = F(s, y)``. To use your own
    cell, give these few expressions; nothing in the package needs to be touched::

        import sympy as sp, gating_theory as gt
        h, y_z, y_h = sp.symbols("h y_z y_h", real=True)
        z = gt.sigma(y_z)
        cell = gt.Cell(name="leaky", state=[h], fields=[y_z, y_h], messages=[h, h],
                       update=[z*h + (1 - z)*sp.tanh(y_h)], fixed_point=[sp.tanh(y_h)])

    Parameters
    ----------
    name : str
        Used in messages, tables and saved results.
    state : sympy Symbol or sequence of Symbols
        The d state variables; messages are named after them (moments of ``h`` are ``moments["h"]``).
    fields : sequence of Symbols, or mapping from names to Symbols
        The K fields in the order in which they are computed. Without names a symbol ``y_z`` is called ``z``: that is the
        gate's name in ``gain={"z": ...}``.
    messages : sequence of expressions, or mapping from field names or symbols
        What each field listens to: functions of the state, of *earlier* fields and of site parameters.
    update : expression, or sequence, or mapping from state symbols
        The next state: functions of the state, the fields and site parameters. Use ``gt.sigma`` for the logistic
        function and sympy's own ``tanh``.
    fixed_point : like ``update``, optional
        The closed form of the state with s = F(s, y) at given fields. It may use other state symbols that have a
        closed form themselves. Without it sites are solved numerically (slower, the branch reached from s = 0).
    parameters : sequence of Symbols, optional
        Site parameters (peephole weights, a second bias): constants of a unit with a mean and a spread in the Ensemble.

    Raises
    ------
    TypeError, ValueError
        For anything that is not a symbol or expression, unequal lengths, names used twice, unknown symbols, a message that
        looks ahead to a field computed later, and (on first use) a fixed point that is none.

    Notes
    -----
    The extension contract is just the list of parameters: all expressions real, differentiable where used, elementwise. Mean-field
    calculators further need messages that stay bounded.

    Examples
    --------
    A leaky unit, and the gain at which its zero state loses stability:

    >>> import sympy as sp
    >>> import gating_theory as gt
    >>> h, y_z, y_h = sp.symbols("h y_z y_h", real=True)
    >>> z = gt.sigma(y_z)
    >>> cell = gt.Cell(
    ...     name="leaky",
    ...     state=[h],
    ...     fields=[y_z, y_h],
    ...     messages=[h, h],
    ...     update=[z * h + (1 - z) * sp.tanh(y_h)],
    ...     fixed_point=[sp.tanh(y_h)],
    ... )
    >>> cell.field_names
    ('z', 'h')
    >>> round(float(gt.onset(gt.Ensemble(cell), "gain.h")), 4)
    1.0
    """

    def __init__(
        self,
        *,
        name: str,
        state: sp.Symbol | Sequence[sp.Symbol],
        fields: Sequence[sp.Symbol] | Mapping[str, sp.Symbol],
        messages: Sequence[sp.Expr] | Mapping[str | sp.Symbol, sp.Expr],
        update: sp.Expr | Sequence[sp.Expr] | Mapping[sp.Symbol, sp.Expr],
        fixed_point: sp.Expr | Sequence[sp.Expr] | Mapping[sp.Symbol, sp.Expr] | None = None,
        parameters: Sequence[sp.Symbol] = (),
    ) -> None:
        import sympy as sp

        if not isinstance(name, str) or not name:
            raise TypeError(f"name must be a non-empty string, got {shown(name)}")
        self.name = name
        self.state = _symbols("state", state, sp)
        if isinstance(fields, Mapping):
            names = tuple(fields)
            for label in names:
                if not isinstance(label, str) or not label:
                    raise TypeError(f"names of fields must be non-empty strings, got {shown(label)}")
            self.fields = _symbols("fields", list(fields.values()), sp)
        else:
            self.fields = _symbols("fields", fields, sp)
            names = tuple(_name_of(y) for y in self.fields)
        self.field_names = names
        self.parameters = _symbols("parameters", parameters, sp, empty=True)
        self.parameter_names = tuple(str(p) for p in self.parameters)
        self.state_names = tuple(str(s) for s in self.state)
        every = [*self.state, *self.fields, *self.parameters]
        if len(set(every)) != len(every):
            raise ValueError(f"symbols of cell {name!r} must be distinct, got {every}")
        for kind, labels in (("fields", self.field_names), ("parameters", self.parameter_names)):
            if len(set(labels)) != len(labels):
                raise ValueError(f"names of {kind} of cell {name!r} must be distinct, got {labels}")
        self.messages = _expressions("messages", messages, self.fields, self.field_names, sp)
        self.update = _expressions("update", update, self.state, self.state_names, sp)
        for k, message in enumerate(self.messages):
            allowed = {*self.state, *self.fields[:k], *self.parameters}
            extra = message.free_symbols - allowed
            ahead = sorted(str(x) for x in extra if x in self.fields)
            if ahead:
                raise ValueError(
                    f"messages: the message {message} of field {self.field_names[k]!r} looks ahead to {', '.join(ahead)}; "
                    f"it may use the state and earlier fields only ({[str(y) for y in self.fields[:k]]})"
                )
            _refuse_unknown("messages", message, extra, allowed)
            if not message.free_symbols:
                raise ValueError(f"messages: the message {message} of field {self.field_names[k]!r} depends on nothing")
        for expr in self.update:
            _refuse_unknown("update", expr, expr.free_symbols - set(every), every)
        self.fixed_point = None
        self._closed_form = None
        if fixed_point is not None:
            self.fixed_point = _expressions("fixed_point", fixed_point, self.state, self.state_names, sp)
            self._closed_form = self._resolve_closed_form(set(every))
        self.has_closed_form = fixed_point is not None
        self.distinct_messages = tuple(dict.fromkeys(self.messages))
        self.message_of = tuple(self.distinct_messages.index(m) for m in self.messages)
        self.message_names = _message_names(self.distinct_messages, self.fields, self.field_names)

    def _resolve_closed_form(self, every):
        table = dict(zip(self.state, self.fixed_point))
        for expr in self.fixed_point:
            _refuse_unknown("fixed_point", expr, expr.free_symbols - every, every)
        for _ in self.state:
            table = {s: e.xreplace(table) for s, e in table.items()}
        left = {x for e in table.values() for x in e.free_symbols} & set(self.state)
        if left:
            raise ValueError(
                f"fixed_point: {sorted(map(str, left))} are defined through themselves; give closed forms in the fields"
            )
        return table

    # --- counts and names

    @property
    def n_state(self) -> int:
        """d, the number of state variables of a unit."""
        return len(self.state_names)

    @property
    def n_fields(self) -> int:
        """K, the number of fields of a unit."""
        return len(self.field_names)

    @property
    def n_messages(self) -> int:
        """The number of distinct messages."""
        return len(self.message_names)

    @property
    def n_parameters(self) -> int:
        """P, the number of site parameters of a unit."""
        return len(self.parameter_names)

    @property
    def closed_form(self) -> dict[sp.Symbol, sp.Expr] | None:
        """{state symbol: expression in the fields} at a site's fixed point, or None."""
        return self._closed_form

    # --- symbolic derivatives [T2]

    @cached_property
    def _derivatives(self):
        from .symbolic import site_blocks

        return site_blocks(self.state, self.fields, self.messages, self.update)

    @property
    def F_s(self) -> sp.Matrix:
        """dF/ds, d x d sympy Matrix [T2]."""
        return self._derivatives[0]

    @property
    def F_y(self) -> sp.Matrix:
        """dF/dy, d x K sympy Matrix [T2]."""
        return self._derivatives[1]

    @property
    def M_s(self) -> sp.Matrix:
        """dm/ds, K x d sympy Matrix, one row per field [T2]."""
        return self._derivatives[2]

    @property
    def M_y(self) -> sp.Matrix:
        """dm/dy, K x K sympy Matrix, strictly lower triangular [T2]."""
        return self._derivatives[3]

    @property
    def message_rows_s(self) -> sp.Matrix:
        """dm/ds with one row per distinct message."""
        return self.M_s[[self.message_of.index(n) for n in range(self.n_messages)], :]

    @property
    def message_rows_y(self) -> sp.Matrix:
        """dm/dy with one row per distinct message."""
        return self.M_y[[self.message_of.index(n) for n in range(self.n_messages)], :]

    @cached_property
    def rate(self) -> tuple[sp.Expr, ...]:
        """F - s, one expression for each state variable, with full relative accuracy where a gate saturates [T1]."""
        from .symbolic import rate

        return rate(self)

    # --- numerics

    @cached_property
    def compiled(self) -> CompiledCell:
        """The cell's vectorised numpy functions (``CompiledCell``), compiled on first use."""
        from .compiled import CompiledCell

        return CompiledCell(self)

    def euler(self, step: float) -> Cell:
        """The Euler map of the flow ds/dt = F(s, y) - s: s(t + step) = s + step (F - s), a cell like any other [T8].

        Fields, messages and the fixed point are the same; everything works on it, per step. Eigenvalues at a given state are
        1 + step mu, with mu those of the flow, of which ``Spectrum.flow`` speaks; divide rates by ``step`` for the unit of time.

        Parameters
        ----------
        step : float in (0, 1]; 1 gives the cell itself

        Returns
        -------
        Cell, named like "GRU (step 0.1)"
        """
        import sympy as sp

        size = real("step", step, low=0.0, high=1.0, open_low=True)
        if size == 1.0:
            return self
        part = sp.Rational(repr(size))  # as it was written: rates are then not off by rounding
        return Cell(
            name=f"{self.name} (step {size:g})",
            state=self.state,
            fields=dict(zip(self.field_names, self.fields)),
            messages=self.messages,
            update=[s + part * (F - s) for s, F in zip(self.state, self.update)],
            fixed_point=self.fixed_point,
            parameters=self.parameters,
        )

    @underflow_is_zero
    def check_jacobian(self, rng: Rng = None, n_points: int = 64, scale: float = 1.0) -> float:
        """Compare the derived site derivatives with finite differences; return the largest relative error.

        Each of F_s, F_y, M_s, M_y [T2] is evaluated at ``n_points`` random sites (normal, standard deviation
        ``scale``) and compared with sixth-order central differences of the update and the messages themselves. The
        error of an entry is relative to the largest of 1, the entry and the function's own value, so rounding leaves
        about 1e-12. It is meaningless at kinks (ReLU), which have probability zero.

        Parameters
        ----------
        rng : numpy Generator, int or None
        n_points : int >= 1
        scale : float from 0 to 1000

        Returns
        -------
        float

        Raises
        ------
        TypeError, ValueError
            arguments out of range; or ``fixed_point`` does not satisfy s = F(s, y)
        """
        rng, n_points = generator(rng), integer("n_points", n_points, low=1)
        scale = real("scale", scale, low=0.0, high=_LARGEST_SCALE)
        # every function of the state and the fields at a few dozen shifted sites
        require_memory(f"n_points = {n_points}", 8.0 * n_points * 20 * (self.n_state + self.n_fields) ** 2)
        c = self.compiled
        s = scale * rng.standard_normal((self.n_state, n_points))
        y = scale * rng.standard_normal((self.n_fields, n_points))
        p = scale * rng.standard_normal((self.n_parameters, n_points))
        if self.has_closed_form:
            c.fixed_state(y, p)  # checks it against the update when it is first compiled
        blocks = c.blocks(s, y, p)

        def everything(s, y):
            values = [*c.update(s, y, p), *(c.message(k, s, y, p) for k in range(self.n_fields))]
            return np.array([np.broadcast_to(v, n_points) for v in values])

        reference = np.abs(everything(s, y))
        stencil = {1: 0.75, 2: -0.15, 3: 1.0 / 60.0}
        d = self.n_state
        worst = 0.0
        for column in range(d + self.n_fields):
            shift = np.zeros((d + self.n_fields, 1))
            shift[column] = 1.0
            # two steps, the better of the two counts: the small one is for sites within the large one of a kink
            numeric = [
                sum(
                    w * (everything(s + e * shift[:d], y + e * shift[d:]) - everything(s - e * shift[:d], y - e * shift[d:]))
                    for e, w in ((m * step, weight) for m, weight in stencil.items())
                )
                / step
                for step in (1e-3, 1e-6)
            ]
            names = ("F_s", "M_s") if column < d else ("F_y", "M_y")
            local = column if column < d else column - d
            for row in range(d + self.n_fields):
                block, i = (names[0], row) if row < d else (names[1], row - d)
                exact = np.broadcast_to(blocks[block].get((i, local), 0.0), n_points)
                size = np.maximum(np.maximum(1.0, np.abs(exact)), reference[row])
                error = np.minimum(*(np.abs(exact - estimate[row]) for estimate in numeric)) / size
                worst = max(worst, float(np.max(error)))
        return worst

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.__doc__ = _Equations(cls.__doc__)  # type: ignore[assignment]

    #: What stands below the equations in the ``__doc__`` of a built-in cell.
    _examples = ""

    def __str__(self) -> str:
        from .symbolic import to_text

        return to_text(self)

    def __repr__(self) -> str:
        from .symbolic import update_texts

        fields = ", ".join(f"{n} <- {self.message_names[m]}" for n, m in zip(self.field_names, self.message_of))
        update = ", ".join(f"{s}' = {first_line(text, 80)}" for s, text in zip(self.state_names, update_texts(self)))
        return brief("Cell", f"{self.name}: {update}; fields {fields}")

    def _repr_latex_(self) -> str:
        from .symbolic import to_latex

        return f"$$ {to_latex(self, derivatives=False)} $$"

    @cached_property
    def in_words(self) -> str | None:
        """The definition in words that mean the same in every process; None where it holds functions from elsewhere."""
        import sympy as sp

        if type(self) is not Cell:  # whoever extends it may derive other things
            return None
        parts = []
        for group in (self.state, self.fields, self.parameters, self.messages, self.update, self.fixed_point or ()):
            nodes = (node for expression in group for node in sp.preorder_traversal(expression))
            if not all(f"{type(node).__module__}.".startswith(_KNOWN) for node in nodes):
                return None
            parts.append([sp.srepr(expression) for expression in group])
        return repr((self.has_closed_form, parts))

    def _definition(self):
        return (self.name, self.state, self.field_names, self.fields, self.messages, self.update, self.fixed_point, self.parameters)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Cell) or hash(self) != hash(other):
            return False
        return self is other or self._definition() == other._definition()

    def __hash__(self) -> int:
        return hash((self.name, self.state_names, self.field_names, self.message_names, self.parameter_names))

    def __reduce__(self):
        name, state, names, fields, messages, update, fixed_point, parameters = self._definition()
        return _rebuild, (name, state, dict(zip(names, fields)), messages, update, fixed_point, parameters)


Cell.__doc__ = _Equations(Cell.__doc__)  # type: ignore[assignment]


#: Cells that have travelled to this process: tasks bring equal ones, and only one of them should be compiled.
_arrived: dict[Cell, Cell] = {}


def _rebuild(name, state, fields, messages, update, fixed_point, parameters):
    cell = Cell(
        name=name, state=state, fields=fields, messages=messages, update=update, fixed_point=fixed_point, parameters=parameters
    )
    return _arrived.setdefault(cell, cell)


def _message_names(messages, fields, names):
    """Names of messages, such as ("h", "r*h") for the GRU."""
    from .symbolic import message_label

    return tuple(message_label(m, fields, names) for m in messages)


def _symbols(argument, value, sp, empty=False):
    if isinstance(value, sp.Symbol):
        value = [value]
    if isinstance(value, (str, bytes)) or not np.iterable(value):
        raise TypeError(f"{argument} must be a sympy Symbol or a sequence of them, got {shown(value)}")
    value = tuple(value)
    for item in value:
        if not isinstance(item, sp.Symbol):
            raise TypeError(f"{argument} must hold sympy Symbols, got {shown(item)} of type {type(item).__name__}")
    if not value and not empty:
        raise ValueError(f"{argument} must not be empty")
    return value


def _expressions(argument, value, symbols, names, sp):
    if isinstance(value, Mapping):
        table = {}
        for key, expr in value.items():
            if key in symbols:
                table[symbols.index(key)] = expr
            elif key in names:
                table[names.index(key)] = expr
            else:
                raise ValueError(f"{argument} has the unknown key {shown(key)}; allowed are {list(names)}")
        missing = [names[i] for i in range(len(names)) if i not in table]
        if missing:
            raise ValueError(f"{argument} lacks {missing}")
        value = [table[i] for i in range(len(names))]
    elif isinstance(value, sp.Expr):
        value = [value]
    if isinstance(value, (str, bytes)) or not np.iterable(value):
        raise TypeError(f"{argument} must be a sympy expression or a sequence of them, got {shown(value)}")
    value = tuple(value)
    if len(value) != len(symbols):
        raise ValueError(f"{argument} must have {len(symbols)} entries, one for each of {list(names)}, got {len(value)}")
    out = []
    for item in value:
        if isinstance(item, (str, bytes, bool)):
            raise TypeError(f"{argument} must hold sympy expressions, got {shown(item)}")
        try:
            expr = sp.sympify(item, strict=True)
        except sp.SympifyError:
            raise TypeError(f"{argument} must hold sympy expressions, got {shown(item)}") from None
        if not isinstance(expr, sp.Expr) or expr.is_Matrix:  # sympy counts matrices among its expressions
            raise TypeError(f"{argument} must hold scalar sympy expressions, got {shown(item)}")
        if expr.has(sp.I, sp.nan, sp.zoo, sp.oo, -sp.oo):
            raise ValueError(f"{argument} must hold expressions that are real and finite, got {shown(item)}")
        out.append(expr)
    return tuple(out)


def _refuse_unknown(argument, expression, extra, allowed):
    if extra:
        raise ValueError(
            f"{argument}: {shown(expression)} uses the unknown symbols {sorted(map(str, extra))}; "
            f"allowed are {sorted(map(str, allowed))}"
        )
