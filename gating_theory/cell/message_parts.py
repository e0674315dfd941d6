"""What of the correlations of messages in time follows from those of Gaussian variables, and what has to be sampled [T8].

Messages are products, and factors that share no source of randomness are independent: the correlation of the message is the product
of theirs, lag by lag. Of each factor it is known what it feels:

- one Gaussian variable, a field or a state that filters fields at constant rates: E f f' is a function of one correlation;
- more than that: its correlation is that of sampled paths.

And where states and messages are affine in all that a function f(y) of one field drives, second moments need those of f(y) alone:
in its place the paths have a Gaussian field of the same mean and covariance (the candidate of a GRU). In a sample whose second
moments are matched that leaves no noise but what comes from gates.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from .derived import derived_once
from .numpy_code import compile_expressions

if TYPE_CHECKING:
    import sympy as sp

    from .symbolic import AnyCell

__all__ = ["GaussianFactor", "MessageParts", "SampledPaths", "message_parts"]

#: A function of (*state, *fields, *parameters).
_Code = Callable[..., list[Any]]


@dataclass(frozen=True)
class GaussianFactor:
    """A function of one Gaussian variable: ``variable`` is its place among (*state, *fields)."""

    code: _Code
    variable: int


@dataclass(frozen=True)
class SampledPaths:
    """How sites move that are sampled and what is looked at along them: functions of the names of a compiled cell's."""

    update_code: _Code
    rate_code: _Code
    factors: _Code

    def update(self, state: Any, fields: Any, parameters: Any = ()) -> list[np.ndarray]:
        """The next state, list of d arrays."""
        return self.update_code(*state, *fields, *parameters)

    def rate(self, state: Any, fields: Any, parameters: Any = ()) -> list[np.ndarray]:
        """F - s, list of d arrays."""
        return self.rate_code(*state, *fields, *parameters)

    def messages(self, state: Any, fields: Any, parameters: Any = ()) -> list[np.ndarray]:
        """The sampled factors, list of arrays."""
        return self.factors(*state, *fields, *parameters)


@dataclass(frozen=True)
class MessageParts:
    """The parts of the distinct messages of a cell.

    Attributes
    ----------
    drives : tuple of GaussianFactor
        Functions of a field in whose place the sampled paths have a Gaussian field, of that place.
    filters : dict of functions, by their places the states that filter fields: [drive without fields, leak, rates of the K fields]
    still : tuple of the places of filters without fields that move, which are numbers
    known : for each distinct message a tuple of GaussianFactor
    sampled : for each distinct message a tuple of the numbers of its factors among those of ``paths``
    paths : SampledPaths
    n_sampled : int, factors that are sampled; 0 where all is known
    """

    drives: tuple[GaussianFactor, ...]
    filters: dict[int, _Code]
    still: tuple[int, ...]
    known: tuple[tuple[GaussianFactor, ...], ...]
    sampled: tuple[tuple[int, ...], ...]
    paths: SampledPaths
    n_sampled: int


@lru_cache(maxsize=64)
def message_parts(cell: AnyCell, moving: Collection[str], spread: Collection[str]) -> MessageParts:
    """The parts of a cell's messages.

    Parameters
    ----------
    cell : Cell
    moving, spread : tuples of names of the fields that vary, and of the site parameters that are not the same at all sites
    """
    title = f"parts of messages {' '.join(moving)} | {' '.join(spread)}"
    return derived_once(cell, title, lambda: _Parts(cell, moving, spread).made())


class _Parts:
    def __init__(self, cell, moving, spread):
        self.cell, self.arguments = cell, [*cell.state, *cell.fields, *cell.parameters]
        self.moving = [y for y, name in zip(cell.fields, cell.field_names) if name in moving]
        self.spread = [p for p, name in zip(cell.parameters, cell.parameter_names) if name in spread]
        self.update = list(cell.update)
        self.random = {*cell.state, *self.moving, *self.spread}
        self.still: list[int] = []
        while still := [i for i, s in enumerate(cell.state) if s in self.random and self.is_filter(i, {s})]:
            self.still += still
            self.random -= {cell.state[i] for i in still}

    def made(self) -> MessageParts:
        from .symbolic import rate, separate

        drives = tuple(drive for y in self.moving if (drive := self.drive(y)) is not None)
        filters = self.filters()
        gaussian = {*self.moving, *(self.cell.state[i] for i in filters)}
        sources, known, sampled, factors = self.sources(), [], [], []
        for message in self.cell.distinct_messages:
            of_one, of_more = [], []
            for factor in _joined(separate(message, sources)) if message.is_Mul else [message]:
                felt = factor.free_symbols & self.random
                if len(felt) == 1 and felt <= gaussian:
                    of_one.append(GaussianFactor(self.compiled([factor]), self.arguments.index(felt.pop())))
                    continue
                if factor not in factors:
                    factors.append(factor)
                of_more.append(factors.index(factor))
            known.append(tuple(of_one))
            sampled.append(tuple(of_more))
        paths = SampledPaths(
            self.compiled(self.update), self.compiled(rate(_Moves(self.cell.state, self.update))), self.compiled(factors)
        )
        return MessageParts(drives, filters, tuple(self.still), tuple(known), tuple(sampled), paths, len(factors))

    def compiled(self, expressions):
        return compile_expressions(self.arguments, expressions)

    def drive(self, y: sp.Symbol) -> GaussianFactor | None:
        """The function of a field of which only second moments count, if there is one; from then on the field stands for it."""
        import sympy as sp

        found = set().union(*(self.functions(expression, y) for expression in self.update))
        if len(found) != 1 or found == {y} or any(message.has(y) for message in self.cell.messages):
            return None
        (function,), stand_in = found, sp.Dummy(real=True)
        update = [expression.xreplace({function: stand_in}) for expression in self.update]
        driven = {stand_in}
        while more := {s for s, e in zip(self.cell.state, update) if e.free_symbols & driven} - driven:
            driven |= more
        felt = [e for s, e in zip(self.cell.state, update) if s in driven] + list(self.cell.distinct_messages)
        if any(e.has(y) for e in update) or not all(_affine(e, driven) for e in felt):
            return None
        self.update = [expression.xreplace({stand_in: y}) for expression in update]
        return GaussianFactor(self.compiled([function]), self.arguments.index(y))

    def functions(self, expression, y):
        """The largest parts of an expression that feel one field and nothing else that is random."""
        felt = expression.free_symbols & self.random
        if y not in felt:
            return set()
        return {expression} if felt == {y} else set().union(*(self.functions(part, y) for part in expression.args))

    def is_filter(self, i, variables):
        """Whether a state is random by these variables alone, and affine in them at constant rates."""
        update = self.update[i]
        return update.free_symbols & self.random <= variables and not any(
            update.diff(x).free_symbols & self.random for x in variables
        )

    def filters(self):
        """{place of a state: function} of the states that are Gaussian as the fields are."""
        out, none = {}, dict.fromkeys(self.moving, 0)
        for i, (s, update) in enumerate(zip(self.cell.state, self.update)):
            if i in self.still or self.is_filter(i, {s, *self.moving}):
                rates = [update.diff(y) if y in self.moving else 0 for y in self.cell.fields]
                out[i] = self.compiled([update.subs({s: 0, **none}), 1 - update.diff(s), *rates])
        return out

    def sources(self):
        """{symbol: frozenset of what it is random by}."""
        table = {x: frozenset([x]) for x in (*self.moving, *self.spread)}
        states = {s: frozenset() for s in self.cell.state if s in self.random}
        for _ in states:
            both = {**table, **states}
            states = {
                s: frozenset().union(*(both[x] for x in e.free_symbols if x in both))
                for s, e in zip(self.cell.state, self.update)
                if s in states
            }
        return {**table, **states}


@dataclass(frozen=True)
class _Moves:
    """What a rate is derived from."""

    state: Any
    update: Any


def _affine(expression, variables):
    """Whether all second derivatives by the variables vanish."""
    felt = sorted(expression.free_symbols & variables, key=str)
    return all(expression.diff(a).diff(b).simplify() == 0 for n, a in enumerate(felt) for b in felt[n:])


def _joined(products):
    """The factors of one product, numbers put to the first that is random."""
    ((*groups,),) = products
    still = [factor for factor, where in groups if not where]
    rest = [factor for factor, where in groups if where]
    for factor in still:
        rest = [factor * rest[0], *rest[1:]] if rest else [factor]
    return rest
