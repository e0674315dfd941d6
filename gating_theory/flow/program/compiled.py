"""Tapes as machine code: scalar functions without arrays of their own, compiled by numba on first use and kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from .tape import NetworkTape, Tape

if TYPE_CHECKING:
    from ...cell.cell import Cell

__all__ = ["CompiledFlow", "compiled_flow", "write_program"]

#: Threads that want the same code wait for one of them, rather than all spend seconds on compiling it.
_one_at_a_time = threading.RLock()


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
    "power": "v{0} ** {1}",
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
    code = repr(float(arguments[0])) if name == "number" else _FLOATS[name].format(*arguments)
    return f"    v{index} = {code}"


@lru_cache(maxsize=1)
def _float_functions():
    import math

    import numba

    @numba.njit
    def sigma(x):
        if x >= 0.0:
            return 1.0 / (1.0 + math.exp(-x))
        e = math.exp(x)
        return e / (1.0 + e)

    @numba.njit
    def dsigma(x):
        e = math.exp(-abs(x))
        return e / ((1.0 + e) * (1.0 + e))

    @numba.njit
    def sech2(x):
        e = math.exp(-2.0 * abs(x))
        return 4.0 * e / ((1.0 + e) * (1.0 + e))

    return {"sigma": sigma, "dsigma": dsigma, "sech2": sech2, "tanh": math.tanh, "exp": math.exp}


def _compile(name, tape, outputs, zero="0.0", arguments="points, p, out"):
    """A function (points, p, out) over many points; ``outputs`` is the flat list of operations written to out[b, :]."""
    import numba

    lines = [f"def {name}({arguments}):", "  for b in range(points.shape[0]):", "    x = points[b]"]
    lines += write_program(tape, outputs, _float_line)
    lines += [f"    out[b, {i}] = {zero if o is None else f'v{o}'}" for i, o in enumerate(outputs)]
    namespace = dict(_float_functions())
    exec("\n".join(lines), namespace)
    return numba.njit(nogil=True, error_model="numpy")(namespace[name])


class CompiledFlow:
    """The compiled functions of N units of one cell; each is compiled when it is first called. Holds no parameters.

    Every function takes points (B, dim) and the flat parameters of a :class:`~gating_theory.flow.program.tape.NetworkTape`, and
    fills an array.
    """

    def __init__(self, cell: Cell, n_units: int) -> None:
        self.cell, self.n_units = cell, n_units
        self.dim = cell.n_state * n_units
        self._functions: dict[str, Callable[..., None]] = {}

    def _function(self, name, make, **options):
        with _one_at_a_time:
            if name not in self._functions:
                writer = NetworkTape(self.cell, self.n_units)
                self._functions[name] = _compile(name, writer.tape, make(writer), **options)
            return self._functions[name]

    @property
    def field(self) -> Callable[..., None]:
        """F(s, y(s)) - s: out (B, dim)."""
        return self._function("field", lambda w: w.flow(slopes=False)[0])

    @property
    def jacobian(self) -> Callable[..., None]:
        """Its derivative: out (B, dim * dim), row by row."""
        return self._function("jacobian", lambda w: [v for row in w.flow()[1] for v in row])

    @property
    def slope(self) -> Callable[..., None]:
        """(points, p, q, out): the derivative of the field as the parameters move at the rates q (as many as p); out (B, dim)."""
        return self._function("slope", lambda w: w.tape.rates(w.flow(slopes=False)[0]), arguments="points, p, q, out")

    @property
    def fixed_state(self) -> Callable[..., None]:
        """s*(y(s)) of all state variables as a function of those that messages listen to: out (B, dim)."""
        return self._function("fixed_state", lambda w: w.fixed_state(range(w.cell.n_state))[0])

    @property
    def euler(self) -> Callable[..., None]:
        """Euler steps (states, p, step, n_steps) in place: from states[0] to states[1..], or in states[0] where it is alone."""
        with _one_at_a_time:
            if "euler" not in self._functions:
                self._functions["euler"] = _euler(self.field)
            return self._functions["euler"]


def _euler(field):
    import numba
    import numpy as np

    @numba.njit(nogil=True)
    def euler(states, p, step, n_steps):
        speed = np.empty(states.shape[1:])
        keep = states.shape[0] > 1
        for t in range(n_steps):
            now = states[t] if keep else states[0]
            new = states[t + 1] if keep else states[0]
            field(now, p, speed)
            for b in range(speed.shape[0]):
                for i in range(speed.shape[1]):
                    new[b, i] = now[b, i] + step * speed[b, i]

    return euler


def compiled_flow(cell: Cell, n_units: int) -> CompiledFlow:
    """The CompiledFlow of a cell and a size, shared by all flows of that shape."""
    with _one_at_a_time:
        return _shared(cell, n_units)


@lru_cache(maxsize=64)
def _shared(cell, n_units):
    return CompiledFlow(cell, n_units)
