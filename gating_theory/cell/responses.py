"""How a site answers to kicks: of its messages and states to its fields and to its states, as functions of time [T9].

The generating functions are the entries of the augmented cell's transfer matrix, polynomials in lambda over det(lambda - F_s):

    W = M_s A^-1 F_y + M_y,   M_s A^-1,   A^-1 F_y,   A^-1     with A = lambda - F_s = lambda (1 - F_s / lambda);

the coefficient of lambda^-t is the answer t steps later. Leaks that are 0 at every site (the h of an LSTM) are divided out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from .augmented import augmented
from .cell import Cell
from .derived import derived_once
from .edge_factors import EdgeFactors, derive_edge_factors, multiple, reduced
from .numpy_code import compile_expressions

__all__ = ["AnswerRows", "Answers", "answer_factors", "answer_rows", "answers"]

#: Cells whose functions are kept in memory.
_KEPT = 64


@dataclass(frozen=True)
class Answers:
    """The answers of a site in any state: W_kl = lambda^-p q_kl(lambda) / chi(lambda), of the augmented cell.

    Attributes
    ----------
    degree : int, that of chi, which is monic
    entries : ((k, l, p, number of coefficients of q), ...), one for each entry that does not vanish identically
    constants : ((k, l, p), ...), the entries lambda^-p c_kl in which chi does not show
    code : function of (state, fields, parameters)
        The coefficients of chi, lowest first, then those of each q_kl, then each c_kl.
    """

    degree: int
    entries: tuple[tuple[int, int, int, int], ...]
    constants: tuple[tuple[int, int, int], ...]
    code: Callable[..., list[Any]]


@dataclass(frozen=True)
class AnswerRows:
    """Where the augmented cell has what.

    Attributes
    ----------
    n_messages : int, n: rows 0 .. n - 1 are the cell's own messages
    states : (d,), the row of each state; one that is a message itself has that message's row
    message_of : (K,), the message that each of the cell's own fields listens to; columns K + i are kicks of state i
    """

    n_messages: int
    states: tuple[int, ...]
    message_of: tuple[int, ...]


def answer_rows(cell: Cell) -> AnswerRows:
    """The rows and columns of a cell's answers.

    Parameters
    ----------
    cell : Cell
    """
    K = cell.n_fields
    messages = augmented(cell).message_of  # of its fields, then of the kicks, which listen to the states
    return AnswerRows(cell.n_messages, tuple(messages[K:]), tuple(messages[:K]))


@lru_cache(maxsize=_KEPT)
def answers(cell: Cell) -> Answers:
    """The answers of a site in any state.

    Parameters
    ----------
    cell : Cell
    """
    return derived_once(cell, "answers", lambda: _answers(cell))


@lru_cache(maxsize=_KEPT)
def answer_factors(cell: Cell) -> EdgeFactors:
    """The squares of the answers of a site at its fixed point, factorised: what depends on the leak, and what does not.

    Parameters
    ----------
    cell : Cell
    """
    return derived_once(cell, "answer factors", lambda: derive_edge_factors(cell.compiled, augmented(cell), centers=(0,)))


def _answers(cell):
    from . import symbolic

    chi, entries = reduced(symbolic.bordered_minors(augmented(cell), 0, largest=1))
    ratios = {where: (power, ratio) for where, (power, q) in entries.items() if (ratio := multiple(q, chi)) is not None}
    others = {where: entry for where, entry in entries.items() if where not in ratios}
    expressions = [*chi, *(c for _, q in others.values() for c in q), *(ratio for _, ratio in ratios.values())]
    return Answers(
        len(chi) - 1,
        tuple((k, l, power, len(q)) for (k, l), (power, q) in others.items()),
        tuple((k, l, power) for (k, l), (power, _) in ratios.items()),
        compile_expressions(cell.compiled.arguments, expressions),
    )
