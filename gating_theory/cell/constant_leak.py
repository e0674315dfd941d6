"""Cells whose state forgets at a constant rate: their dynamic mean field closes on one function of the lag [T8].

A cell of one state has a *constant leak* where, with some fields held still,

    F(s, y) = (1 - c) s + f(y)

with c free of the state and of the fields that move. Its second moments follow from those of the state alone in two cases:

- messages are s times functions of fields that the drive f does not feel: then E s s' is all that is needed ("scaled");
- f is linear in the fields: the state is Gaussian, and messages may be any function of it ("gaussian").
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .derived import derived_once
from .numpy_code import compile_expressions

if TYPE_CHECKING:
    import sympy as sp

    from .symbolic import AnyCell

__all__ = ["STATE", "ConstantLeak", "Part", "constant_leak"]

#: The number that stands for the state among the variables of a part; fields have theirs, 0 to K - 1.
STATE = -1
#: A function that no factor splits is averaged over so many variables at most: more would need grids of too many nodes.
_TOGETHER = 2


@dataclass(frozen=True)
class Part:
    """One factor of a message or of the drive: a function of (state, *fields, *parameters), and the variables that it feels.

    ``held`` are what it depends on beside them: fields that stand still, by their numbers, and site parameters, from K on.
    """

    code: Callable[..., list[Any]]
    variables: tuple[int, ...]
    held: tuple[int, ...]

    def __call__(self, *arguments: Any) -> Any:
        """Its values."""
        return self.code(*arguments)[0]


@dataclass(frozen=True)
class ConstantLeak:
    """What a cell is where its leak is constant [T8].

    Attributes
    ----------
    leak : callable, (*fields, *parameters) -> [c]
    gaussian : bool, whether the drive is linear in the fields
    drive : tuple of Part, the factors of f; where it is linear: none
    linear : callable or None
        (*fields, *parameters) -> [f at these fields, rates of the K fields], where the drive is linear.
    messages : tuple of tuples of Part
        The factors of each field's message, without the factor s where ``gaussian`` is False.
    """

    leak: Callable[..., list[Any]]
    gaussian: bool
    drive: tuple[Part, ...]
    linear: Callable[..., list[Any]] | None
    messages: tuple[tuple[Part, ...], ...]


def constant_leak(cell: AnyCell, moving: Collection[str]) -> ConstantLeak | None:
    """The form of a cell whose leak is constant while only these fields vary; None where it has none.

    Parameters
    ----------
    cell : Cell
    moving : names of fields
    """
    names = tuple(name for name in cell.field_names if name in moving)
    return derived_once(cell, f"constant leak {' '.join(names)}", lambda: _derive(cell, names))


def _derive(cell, names):
    if cell.n_state != 1:
        return None
    (s,), moving = cell.state, [y for y, name in zip(cell.fields, cell.field_names) if name in names]
    slope = cell.F_s[0, 0]
    if slope.free_symbols & {s, *moving}:
        return None
    drive = cell.update[0].subs(s, 0)
    split = _Splitter(cell, moving)
    felt = drive.free_symbols & set(moving)
    rates = [drive.diff(y) for y in cell.fields]
    linear = all(not rates[cell.fields.index(y)].free_symbols & set(moving) for y in felt)
    scaled = [message.diff(s) for message in cell.messages]
    if all(not g.free_symbols & {s, *felt} and m.subs(s, 0) == 0 for g, m in zip(scaled, cell.messages)):
        parts, kind = (split(drive), [split(g) for g in scaled]), False
    elif linear and all(not message.free_symbols & felt for message in cell.messages):
        parts, kind = ((), [split(message) for message in cell.messages]), True
    else:
        return None
    if parts[0] is None or None in parts[1]:
        return None
    arguments = [*cell.fields, *cell.parameters]
    leak = compile_expressions(arguments, [1 - slope])
    return ConstantLeak(leak, kind, parts[0], compile_expressions(arguments, [drive, *rates]) if kind else None, tuple(parts[1]))


class _Splitter:
    """Factors of expressions that share no variable."""

    def __init__(self, cell, moving):
        self.arguments = [*cell.state, *cell.fields, *cell.parameters]
        self.numbers = {y: k for k, y in enumerate(cell.fields) if y in moving} | {cell.state[0]: STATE}
        self.others = {x: v for v, x in enumerate([*cell.fields, *cell.parameters]) if x not in moving}

    def __call__(self, expression: sp.Expr) -> tuple[Part, ...] | None:
        groups: list[tuple[set, list]] = []
        for factor in expression.as_ordered_factors():
            felt, together = factor.free_symbols & set(self.numbers), [factor]
            for other in [group for group in groups if group[0] & felt or not group[0] and not felt]:
                groups.remove(other)
                felt, together = felt | other[0], together + other[1]
            groups.append((felt, together))
        if any(len(felt) > _TOGETHER for felt, _ in groups):
            return None
        return tuple(self.part(felt, factors) for felt, factors in groups)

    def part(self, felt, factors):
        product = factors[0]
        for factor in factors[1:]:
            product = product * factor
        variables = tuple(sorted(self.numbers[x] for x in felt))
        held = tuple(sorted(self.others[x] for x in product.free_symbols & set(self.others)))
        return Part(compile_expressions(self.arguments, [product]), variables, held)
