"""Tapes as code: scalar functions without arrays of their own, compiled by numba once that pays, and kept on disk.

The text of a function is read twice: by Python for the first few points, which numba would take a second to be imported for, and by
numba for those that follow. Both do the same operations in the same order, and so give the same numbers.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...cell.derived import derived_once
from ...support.machine_code import machine_code, one_at_a_time
from .tape import NetworkTape, Tape

if TYPE_CHECKING:
    from ...cell.cell import Cell

__all__ = ["CompiledFlow", "compiled_flow", "flows_of", "kept_text", "write_program"]

#: Points that Python evaluates before a function is compiled: some 10 ms.
_FEW_POINTS = 500


def kept_text(cell: Cell, n_units: int, what: str, write: Callable[[], str]) -> str:
    """What ``write()`` returns, a text about N units of a cell, or what it returned in an earlier process.

    Parameters
    ----------
    cell : Cell
    n_units : int
    what : str
        Different for each such text, with all that it depends on beside the cell and the modules of this folder.
    write : callable
    """
    return derived_once(cell, f"{n_units} {what} {_written_by()}", write)


@lru_cache(maxsize=1)
def _written_by():
    """A digest of the modules that write texts."""
    texts = [file.read_bytes() for file in sorted(Path(__file__).parent.glob("*.py"))]
    return hashlib.sha256(b"".join(texts)).hexdigest()[:20]


def write_program(tape: Tape, outputs: Iterable[int | None], render: Callable[[int, tuple], Any]) -> list[Any]:
    """Lines of code that evaluate the operations that the outputs need, in order.

    Parameters
    ----------
    tape : Tape
    outputs : iterable of operations
    render : callable(index, operation)
        Gives one line, or whatever else an operation becomes.

    Returns
    -------
    list of what ``render`` gives
    """
    return [render(i, tape.operations[i]) for i in tape.needed(outputs)]


_FLOATS = {
    "x": "x[{0}]",
    "p": "p[{0}]",
    "q": "q[{0}]",
    "add": "v{0} + v{1}",
    "multiply": "v{0} * v{1}",
    "negative": "-v{0}",
    "reciprocal": "1.0 / v{0}",
    "tanh": "tanh(v{0})",
    "sigma": "sigma(v{0})",
    "dsigma": "dsigma(v{0})",
    "sech2": "sech2(v{0})",
    "exp": "exp(v{0})",
    "ramp": "max(v{0}, 0.0)",
    "step": "(1.0 if v{0} > 0.0 else 0.0)",
}


def _float_line(index, operation):
    name, *arguments = operation
    if name == "number":
        code = repr(float(arguments[0]))
    else:
        code = _product(*arguments) if name == "power" else _FLOATS[name].format(*arguments)
    return f"    v{index} = {code}"


def _product(index, power):
    """A whole power by squaring: ``**`` is not rounded alike by Python and by numba."""
    square, factors = f"v{index}", []
    while power:
        if power % 2:
            factors.append(square)
        square, power = f"({square} * {square})", power // 2
    return " * ".join(factors)


#: Functions that generated code calls; part of its text, which says all that it depends on.
_FLOAT_FUNCTIONS = """\
@inline
def sigma(x):
    if x >= 0.0:
        return 1.0 / (1.0 + exp(-x))
    e = exp(x)
    return e / (1.0 + e)


@inline
def dsigma(x):
    e = exp(-abs(x))
    return e / ((1.0 + e) * (1.0 + e))


@inline
def sech2(x):
    e = exp(-2.0 * abs(x))
    return 4.0 * e / ((1.0 + e) * (1.0 + e))


"""


def _exp(x):
    try:
        return math.exp(x)
    except OverflowError:  # as compiled code has it
        return math.inf


#: What the text of a function leaves open, where Python reads it.
_IN_PYTHON = {"inline": lambda function: function, "exp": _exp, "tanh": math.tanh}


def _in_machine_code():
    """The same where numba reads it."""
    import numba

    return {"inline": numba.njit, "exp": math.exp, "tanh": math.tanh}


#: Types of arguments: points and parameters are only read, and may be arrays that cannot be written to.
_READ_LINE = "Array(float64, 1, 'C', readonly=True)"
_TYPES = {
    "points": "Array(float64, 2, 'C', readonly=True)",
    "p": _READ_LINE,
    "q": _READ_LINE,
    "out": "Array(float64, 2, 'C')",
}


def _source(name, arguments, writer, outputs):
    """Text of a function over many points; ``outputs`` is the flat list of operations written to out[b, :]."""
    tape = writer.tape
    lines = [f"def {name}({', '.join(arguments)}):", "  for b in range(points.shape[0]):", "    x = points[b]"]
    lines += write_program(tape, outputs, _float_line)
    lines += [f"    out[b, {i}] = {'0.0' if o is None else f'v{o}'}" for i, o in enumerate(outputs)]
    return _FLOAT_FUNCTIONS + "\n".join(lines)


#: What a network of a cell can be asked for: the operations that a function writes.
_OUTPUTS: dict[str, Callable[[NetworkTape], list[int | None]]] = {
    "field": lambda w: w.flow(slopes=False)[0],
    "jacobian": lambda w: [v for row in w.flow()[1] for v in row],
    "slope": lambda w: w.tape.rates(w.flow(slopes=False)[0]),
    "linearised": lambda w: _linearised(w, *w.flow()),
    "fixed_state": lambda w: w.fixed_state(range(w.cell.n_state))[0],
}
#: What each function takes.
_ARGUMENTS: dict[str, tuple[str, ...]] = dict.fromkeys(_OUTPUTS, ("points", "p", "out")) | dict.fromkeys(
    ("slope", "linearised"), ("points", "p", "q", "out")
)


def _linearised(writer, field, jacobian):
    """Field, Jacobian and slope by the parameters in one program, so that what they have in common is evaluated once."""
    return [*field, *(v for row in jacobian for v in row), *writer.tape.rates(field)]


def flows_of(cell: Cell, n_units: int) -> str:
    """What a program belongs to, in words: "GRU flows of 2 units"."""
    return f"{cell.name} flows of {n_units} unit{'' if n_units == 1 else 's'}"


class _Function:
    """A function (points, p, ..., out) of generated text, read by Python until it was asked for many points."""

    def __init__(self, source: str, name: str, compile: Callable[[], Callable[..., None]]) -> None:
        self._compile, self._left = compile, _FEW_POINTS
        namespace: dict[str, Any] = dict(_IN_PYTHON)
        exec(source, namespace)
        self._in_python = namespace[name]
        self._compiled: Callable[..., None] | None = None

    def __call__(self, points: np.ndarray, *others: np.ndarray) -> None:
        if self._compiled is None:
            if len(points) <= self._left:
                self._left -= len(points)
                with np.errstate(all="ignore"):  # compiled code says nothing either
                    return self._in_python(points, *others)
            self._compiled = self._compile()
        self._compiled(points, *others)
        return None


class CompiledFlow:
    """The functions of N units of one cell; each is made, or fetched from the disk, when it is first asked for.

    Every function takes points (B, dim) and the flat parameters of a :class:`~gating_theory.flow.program.tape.NetworkTape`, and
    fills an array; all are C-contiguous. Holds no parameters.
    """

    def __init__(self, cell: Cell, n_units: int) -> None:
        self.cell, self.n_units = cell, n_units
        self.dim = cell.n_state * n_units
        self._functions: dict[str, Callable[..., None]] = {}
        self._pointers: dict[str, Any] = {}

    def _text(self, name):
        def write():
            writer = NetworkTape(self.cell, self.n_units)
            return _source(name, _ARGUMENTS[name], writer, _OUTPUTS[name](writer))

        return kept_text(self.cell, self.n_units, name, write)

    def _machine_code(self, name, pointer=False):
        signature = f"void({', '.join(_TYPES[a] for a in _ARGUMENTS[name])})"
        options: dict[str, Any] = {"error_model": "numpy"} | ({} if pointer else {"nogil": True})
        title = f"{self.cell.name} {self.n_units} {name}{' pointer' if pointer else ''}"
        options |= {"namespace": _in_machine_code(), "of": flows_of(self.cell, self.n_units)}
        return machine_code(title, self._text(name), name, signature, pointer=pointer, **options)

    def _function(self, name):
        with one_at_a_time:
            if name not in self._functions:
                self._functions[name] = _Function(self._text(name), name, lambda: self._machine_code(name))
        return self._functions[name]

    @property
    def field(self) -> Callable[..., None]:
        """F(s, y(s)) - s: out (B, dim)."""
        return self._function("field")

    @property
    def jacobian(self) -> Callable[..., None]:
        """Its derivative: out (B, dim * dim), row by row."""
        return self._function("jacobian")

    @property
    def slope(self) -> Callable[..., None]:
        """(points, p, q, out): the derivative of the field as the parameters move at the rates q (as many as p); out (B, dim)."""
        return self._function("slope")

    @property
    def fixed_state(self) -> Callable[..., None]:
        """s*(y(s)) of all state variables as a function of those that messages listen to: out (B, dim)."""
        return self._function("fixed_state")

    def argument(self, name: str) -> Any:
        """One of these functions as compiled kernels take it: a pointer, so that they are compiled once for all cells and kept.

        Parameters
        ----------
        name : "field", "jacobian", "slope", "fixed_state", or "linearised"
            The last one: (points, p, q, out), field, Jacobian row by row and slope at the rates q, out (B, dim (dim + 2)).
        """
        with one_at_a_time:
            if name not in self._pointers:
                self._pointers[name] = self._machine_code(name, pointer=True)
        return self._pointers[name]


def compiled_flow(cell: Cell, n_units: int) -> CompiledFlow:
    """The CompiledFlow of a cell and a size, shared by all flows of that shape."""
    with one_at_a_time:
        return _shared(cell, n_units)


@lru_cache(maxsize=64)
def _shared(cell, n_units):
    return CompiledFlow(cell, n_units)
