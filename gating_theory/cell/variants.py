"""Cells with other functions in their gates and candidates: made from a cell that is there, by replacing functions in its symbols.

An LSTM whose forget gate can be exactly 1 has no closed form of its sites at rest: c = i g / (1 - f) is none there, the memory
grows without end. Such sites are solved for, and calculators that meet them say so.
"""

from __future__ import annotations

from functools import cached_property, lru_cache

from ..support.checks import instance
from .activations import function_of, function_text
from .builtin import Outlined
from .cell import Cell

__all__ = ["variant_cell"]

#: The functions of a cell as it is written.
_GATES, _CANDIDATE, _OUTPUT = "sigmoid", "tanh", "tanh"


def variant_cell(cell: Cell, gates: str = _GATES, candidate: str = _CANDIDATE, output: str = _OUTPUT) -> Cell:
    """The cell with other functions in the place of its logistic functions and hyperbolic tangents.

    Parameters
    ----------
    cell : Cell
    gates : str, a function of ``activations.ACTIVATIONS``, in place of sigma
    candidate : str, in place of each tanh of what does not feel the state
    output : str, in place of each tanh of what does: an LSTM's o tanh(c)

    Returns
    -------
    Cell; ``cell`` itself where all are as it has them

    Raises
    ------
    TypeError, ValueError
        no such function, or the cell has none in whose place it would stand
    """
    instance("cell", cell, Cell)
    given = (("gates", gates), ("candidate", candidate), ("output", output))
    functions = tuple(function_text(text, argument) for argument, text in given)
    return cell if functions == (_GATES, _CANDIDATE, _OUTPUT) else _variant(cell, *functions)


@lru_cache(maxsize=64)
def _variant(cell, gates, candidate, output):
    return _Variant(cell, gates, candidate, output)


class _Variant(Outlined):
    """Known by the cell that it is made of and by its functions: what is derived is kept on disk where that of the cell is."""

    def __init__(self, cell: Cell, gates: str, candidate: str, output: str) -> None:
        said = {"gates": (gates, _GATES), "candidate": (candidate, _CANDIDATE), "output": (output, _OUTPUT)}
        words = ", ".join(f"{what} {text}" for what, (text, usual) in said.items() if text != usual)
        super().__init__(f"{cell.name} ({words})")
        self._cell, self._functions = cell, (gates, candidate, output)

    @property
    def in_words(self) -> str | None:  # type: ignore[override]
        """Those of the cell and the names of the functions."""
        words = self._cell.in_words
        return None if words is None else f"{self._functions} in {words}"

    @cached_property
    def _defined(self) -> Cell:  # type: ignore[override]
        cell, replaced = self._cell, _Replaced(self._cell, *self._functions)
        at_rest = cell.fixed_point
        if at_rest is not None and any(_divides_by_a_gate(e) for e in at_rest) and self._functions[0] != _GATES:
            at_rest = None
        rest = None if at_rest is None else [replaced(e) for e in at_rest]
        return Cell(
            name=self.name,
            state=cell.state,
            fields=dict(zip(cell.field_names, cell.fields)),
            messages=[replaced(m) for m in cell.messages],
            update=[replaced(F) for F in cell.update],
            fixed_point=rest,
            parameters=cell.parameters,
        )

    def __reduce__(self):
        return variant_cell, (self._cell, *self._functions)  # the one of that process


class _Replaced:
    """Expressions with the functions of a variant."""

    def __init__(self, cell: Cell, gates: str, candidate: str, output: str) -> None:
        self.state = set(cell.state)
        self.gates, self.candidate, self.output = function_of(gates), function_of(candidate), function_of(output)

    def __call__(self, expression):
        import sympy as sp

        from .symbolic import sigma

        def other_tanh(x):
            return (self.output if x.free_symbols & self.state else self.candidate)(x)

        return expression.replace(sp.tanh, other_tanh).replace(sigma, self.gates)


def _divides_by_a_gate(expression):
    """Whether a gate stands in a denominator: what is finite for every sigma need not be for others."""
    import sympy as sp

    from .symbolic import sigma

    return any(power.exp.is_negative and power.base.has(sigma) for power in expression.atoms(sp.Pow))
