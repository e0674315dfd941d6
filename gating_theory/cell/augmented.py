"""The augmented cell: a field more for each state variable, which is added to its update, and listens to the state itself [T9].

Singular values of lambda - J need det((lambda - J) (lambda - J)^dagger + eta^2) instead of det(lambda - J). In the pencil

    (lambda - F_s) ds - F_y dy = e,    dy = U (M_s ds + M_y dy),

whose Schur complement lambda - J is, the regulator eta acts on ds and on e alone: on d more messages, the state, and d more fields
e, F -> F + e. So the singular values of a cell have the equations that the eigenvalues of its augmented cell have, with the
unknowns of the additional messages and fields equal to eta. With A = lambda - F_s the transfer matrix is

    What = [ W         M_s A^-1 ]    rows: messages, states; columns: fields, then e.
           [ A^-1 F_y  A^-1     ]
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache, partial

import numpy as np

from ..support.types import Arrays
from .builtin import Outlined
from .cell import Cell
from .derived import derived_once

__all__ = ["augmented", "even_variables", "minors"]

#: Augmented cells that are kept, with their compiled functions.
_KEPT = 64


@lru_cache(maxsize=_KEPT)
def augmented(cell: Cell) -> Cell:
    """The cell with a field e_i more for each state variable, F_i -> F_i + e_i, that listens to the variable itself [T9].

    Its first fields and messages are those of the cell; a state variable that is a message already adds none. It serves its
    derivatives: at sites the additional fields are zero, and it has no fixed points of its own.

    Parameters
    ----------
    cell : Cell
    """
    return _Augmented(cell)


def minors(
    cell: Cell, center: int, state: Arrays, fields: Arrays, parameters: Arrays = ()
) -> dict[tuple[tuple[int, ...], tuple[int, ...]], np.ndarray]:
    """The minors of the augmented cell at sites of the cell, as by ``compiled.minors`` [T4, T9].

    Parameters
    ----------
    cell : Cell
    center : 0 or 1
    state, fields, parameters : of the cell, sequences of arrays
    """
    return augmented(cell).compiled.minors(center, state, [*fields, *[0.0] * cell.n_state], parameters)


def even_variables(cell: Cell) -> frozenset[int]:
    """Variables whose sign leaves the spectra of singular values unchanged, as ``compiled.even_variables`` those of eigenvalues.

    Parameters
    ----------
    cell : Cell
    """
    return derived_once(augmented(cell), "even_variables", lambda: cell.compiled.even_under(partial(minors, cell)))


class _Augmented(Outlined):
    """Known by the cell that it is made of: what is derived from it is kept on disk wherever that of the cell is."""

    def __init__(self, cell: Cell) -> None:
        super().__init__(f"augmented {cell.name}")
        self._cell = cell

    @property
    def in_words(self) -> str | None:  # type: ignore[override]
        """Those of the cell."""
        words = self._cell.in_words
        return None if words is None else f"augmented: {words}"

    @cached_property
    def _defined(self) -> Cell:  # type: ignore[override]
        import sympy as sp

        cell = self._cell
        added = [sp.Dummy(f"e_{s}", real=True) for s in cell.state]
        names = [*cell.field_names, *_free_names(cell.state_names, cell.field_names)]
        return Cell(
            name=self.name,
            state=cell.state,
            fields=dict(zip(names, [*cell.fields, *added], strict=True)),
            messages=[*cell.messages, *cell.state],
            update=[F + e for F, e in zip(cell.update, added)],
            parameters=cell.parameters,
        )

    def __reduce__(self):
        return augmented, (self._cell,)


def _free_names(states: Sequence[str], taken: Sequence[str]) -> list[str]:
    """Names of what is added to the updates of states, none of which a field has."""
    names = [f"e_{s}" for s in states]
    while set(names) & set(taken):
        names = [f"{name}'" for name in names]
    return names
