"""Interval programs of a small network: enclosures of the gate-free map, of its derivative, and of the flow's Jacobian [T2].

The fixed points of the flow are those of Phi(x) = s*(y(x)), where x are the state variables that messages listen to and s*(y)
the fixed state of a site at given fields: gates that only set the speed do not enter, and a shut one cannot hide anything. Phi
maps a box into itself, which contains all its fixed points.
"""

from __future__ import annotations

import hashlib
import inspect
import math
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import CapabilityError
from ...support.machine_code import machine_code, one_at_a_time
from ..program.compiled import flows_of, kept_text, write_program
from ..program.tape import NetworkTape, heard_variables
from .intervals import enclosing_floats, kernels

if TYPE_CHECKING:
    from ...cell.cell import Cell

__all__ = ["MapEnclosure", "map_enclosure"]

_PAIRS = {
    "dx": "subtract(xl{0}, xh{0}, m{0}, m{0})",
    "reciprocal": "reciprocal({0})",
    "tanh": "tanh({0})",
    "sigma": "sigma({0})",
    "dsigma": "dsigma({0})",
    "sech2": "sech2({0})",
    "exp": "exp({0})",
    "ramp": "ramp({0})",
    "step": "step({0})",
}


def _constant(tape, index):
    """The code of an operation that is one exact float, a parameter or a representable number; None for anything else."""
    name, *arguments = tape.operations[index]
    if name == "p":
        return f"p{arguments[0]}"
    if name == "number":
        low, high = enclosing_floats(arguments[0])
        return repr(low) if low == high else None
    return None


def _pair(tape, index):
    name, *arguments = tape.operations[index]
    if name == "x":
        return f"xl{arguments[0]}, xh{arguments[0]}"
    if name == "m":
        return f"m{arguments[0]}, m{arguments[0]}"
    constant = _constant(tape, index)
    return f"v{index}l, v{index}h" if constant is None else f"{constant}, {constant}"


def _interval_line(tape):
    def render(index, operation):
        name, *arguments = operation
        if name == "p":
            return f"    p{arguments[0]} = float(p[{arguments[0]}])"
        if name in ("x", "m") or _constant(tape, index) is not None:
            return ""
        if name == "number":
            low, high = enclosing_floats(arguments[0])
            return f"    v{index}l, v{index}h = {low!r}, {high!r}"
        if name == "negative":
            low, high = _pair(tape, arguments[0]).split(", ")
            return f"    v{index}l, v{index}h = -{high}, -{low}"
        if name in ("add", "multiply"):
            a, b = arguments
            if _constant(tape, a) is None:
                a, b = b, a
            constant = _constant(tape, a)
            if constant is not None:
                code = f"{'shift' if name == 'add' else 'scale'}({constant}, {_pair(tape, b)})"
            else:
                code = f"{name}({_pair(tape, a)}, {_pair(tape, b)})"
        elif name == "meet":
            code = f"meet({_pair(tape, arguments[0])}, {_pair(tape, arguments[1])})"
        elif name == "power":
            code = f"power({_pair(tape, arguments[0])}, {arguments[1]})"
        elif name == "dx":
            code = _PAIRS[name].format(*arguments)
        else:
            code = _PAIRS[name].format(_pair(tape, arguments[0]))
        return f"    v{index}l, v{index}h = {code}"

    return render


def _program(name, tape, outputs, n, midpoint):
    """Source of a function (x, m, p, out): x (n, 2), m (n,) and p flat; writes low, high of every output to the flat out."""
    lines = [f"def {name}(x, m, p, out):"]
    lines += [f"    xl{i}, xh{i} = float(x[{i}, 0]), float(x[{i}, 1])" for i in range(n)]
    if midpoint:
        lines += [f"    m{i} = float(m[{i}])" for i in range(n)]
    lines += [line for line in write_program(tape, outputs, _interval_line(tape)) if line]
    for place, index in enumerate(outputs):
        pair = "0.0, 0.0" if index is None else _pair(tape, index)
        lines.append(f"    out[{2 * place}], out[{2 * place + 1}] = {pair}")
    return "\n".join(lines)


def _depends_on_unknowns(tape, index, known):
    if index not in known:
        name = tape.operations[index][0]
        known[index] = name in ("x", "dx") or any(_depends_on_unknowns(tape, a, known) for a in tape.arguments(index))
    return known[index]


#: Boxes that Python looks at before a search is compiled: some 0.1 s, less than numba takes to be imported.
_FEW_BOXES = 500


class MapEnclosure:
    """Enclosures of Phi and its derivative for N units of one cell, in all grades. Holds no parameters.

    Attributes
    ----------
    n : int
        The number of unknowns, at most 3.
    left_to_interpret : int
        Boxes that searches look at in the grade "interpreted" before one is worth being compiled.
    """

    def __init__(self, cell: Cell, n_units: int) -> None:
        if not cell.has_closed_form:
            raise CapabilityError(
                f"cell {cell.name!r} has no closed-form fixed point of a site: finding all fixed points needs one; pass "
                "fixed_point= to Cell"
            )
        self.cell, self.n_units = cell, n_units
        self.kept = heard_variables(cell)
        self.n = len(self.kept) * n_units
        if self.n > 3:
            raise CapabilityError(
                f"{n_units} units of cell {cell.name!r} have {self.n} unknowns; all fixed points are found for up to 3 "
                "(Network.find_fixed_points searches larger networks, without a proof)"
            )
        self._functions: dict[tuple[str, str], Callable[..., None]] = {}
        self.left_to_interpret = _FEW_BOXES

    def _compile(self, name, grade, outputs_of, midpoint=False, unknowns=None):
        if (name, grade) in self._functions:
            return self._functions[name, grade]
        with one_at_a_time:

            def write():
                writer = NetworkTape(self.cell, self.n_units)
                return _program(name, writer.tape, outputs_of(writer), self.n if unknowns is None else unknowns, midpoint)

            source = kept_text(self.cell, self.n_units, f"{name} interval {_written_by()}", write)
            title, of = f"{self.cell.name} {self.n_units} {name}", flows_of(self.cell, self.n_units)
            self._functions[name, grade] = _function(title, of, name, source, grade)
        return self._functions[name, grade]

    def enclose(self, grade: str) -> Callable[..., None]:
        """Function (x, m, p, out): Phi(x), Phi(m) and Phi'(x) for a box x (n, 2) around m (n,).

        ``out`` is flat, pairs (low, high): n of Phi(x), n of Phi(m), n * n of the derivative. Enclosures of fields that are not
        linear in x, and of Phi, are the natural one met with the mean-value form Phi(m) + Phi'(x) (x - m).
        """
        return self._compile("enclose", grade, self._tightened, midpoint=True)

    def _tightened(self, writer):
        tape = writer.tape
        known = {}
        fields = writer.gate_free_fields()
        centre, _ = writer.network(writer.unknowns(self.kept, "m"), fields, slopes=False)
        at_centre, _ = writer.fixed_state(self.kept, "m")
        distance = [tape.put("dx", c) for c in range(self.n)]

        def mean_value(natural, middle, slopes):
            form = tape.add(middle, *(tape.multiply(slope, distance[c]) for c, slope in slopes.items()))
            return tape.put("meet", natural, form)

        def tighten(k, i, value, slopes):
            if not any(_depends_on_unknowns(tape, slope, known) for slope in slopes.values()):
                return value  # linear in x with its unknowns once each: the natural enclosure is exact
            return mean_value(value, centre[i][self.cell.fields[k]], slopes)

        values, rows = writer.fixed_state(self.kept, "x", slopes=True, tighten=tighten)
        for i, (value, row) in enumerate(zip(values, rows)):
            slopes = {c: slope for c, slope in enumerate(row) if slope is not None}
            if slopes:
                values[i] = mean_value(value, at_centre[i], slopes)
        return [*values, *at_centre, *(slope for row in rows for slope in row)]

    def states(self, grade: str) -> Callable[..., None]:
        """Function (x, m, p, out): s*(y(x)) of all state variables of all units; pairs (low, high)."""
        return self._compile("states", grade, lambda w: w.fixed_state(range(self.cell.n_state))[0])

    def jacobian(self, grade: str) -> Callable[..., None]:
        """Function (s, m, p, out): the Jacobian of the flow over a box s (dim, 2) of states; dim * dim pairs, row by row."""
        dim = self.cell.n_state * self.n_units
        return self._compile("jacobian", grade, lambda w: [v for row in w.flow()[1] for v in row], unknowns=dim)

    def box(self, flat: np.ndarray, grade: str) -> np.ndarray:
        """(n, 2) box that Phi maps all states into, by evaluating it over the whole line.

        Raises
        ------
        CapabilityError
            the range of Phi is not bounded
        """
        everything = np.array([[-math.inf, math.inf]] * self.n)
        box = self.state_box(flat, everything, grade)[self.places]
        if not np.isfinite(box).all():
            raise CapabilityError(
                f"the states of cell {self.cell.name!r} are not bounded: its fixed points cannot be enclosed in a box"
            )
        return box

    @property
    def places(self) -> list[int]:
        """Places of the unknowns among all states."""
        n = self.n_units
        return [a * n + i for a in self.kept for i in range(n)]

    def state_box(self, flat: np.ndarray, box: np.ndarray, grade: str) -> np.ndarray:
        """(dim, 2) box of all state variables for unknowns in ``box``."""
        out = np.empty(2 * self.cell.n_state * self.n_units)
        with np.errstate(all="ignore"):
            kernels(grade).evaluate(self.states(grade), box, np.zeros(self.n), np.array(flat), out)
        return out.reshape(-1, 2)


#: Types of (x, m, p, out).
_SIGNATURE = "void(float64[:, ::1], float64[::1], float64[::1], float64[::1])"


def _function(title, of, name, source, grade):
    """The function ``name`` of this text in the arithmetic of a grade; compiled, a pointer that kernels take as an argument."""
    namespace = vars(kernels(grade))
    if grade == "validated":
        source = f"# on {_kernels_digest()}\n{source}"
        title = f"{title} interval"
        return machine_code(title, source, name, _SIGNATURE, pointer=True, namespace=namespace, of=of, error_model="numpy")
    namespace = dict(namespace)
    exec(source, namespace)
    return namespace[name]


@lru_cache(maxsize=1)
def _written_by():
    """A digest of this module, which writes texts."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:20]


@lru_cache(maxsize=1)
def _kernels_digest():
    """A hash of the operations on intervals that generated code calls."""
    return hashlib.sha256(inspect.getsource(kernels("validated")).encode()).hexdigest()


@lru_cache(maxsize=64)
def map_enclosure(cell: Cell, n_units: int) -> MapEnclosure:
    """The MapEnclosure of a cell and a size, shared by all flows of that shape."""
    return MapEnclosure(cell, n_units)
