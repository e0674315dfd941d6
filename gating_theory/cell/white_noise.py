"""Fields that may hold white noise in continuous time: those that enter the rate of the states linearly [T8].

White noise of finite strength has infinite variance at any one time. A state may integrate it, ds = ... + B y dt; a gate or a
message that is a nonlinear function of it has no value. And B must not feel states that the same noise drives: what B s dW means
would depend on how it is read.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from .derived import derived_once

if TYPE_CHECKING:
    from .symbolic import AnyCell

__all__ = ["bears_white_noise", "jacobian_feels"]


def bears_white_noise(cell: AnyCell, white: Collection[str]) -> bool:
    """Whether the flow of a cell has a limit where these fields hold white noise.

    Parameters
    ----------
    cell : Cell
    white : names of fields
    """
    names = tuple(name for name in cell.field_names if name in white)
    return derived_once(cell, f"white noise in {' '.join(names)}", lambda: _bears(cell, names))


def _bears(cell, names):
    noisy = [y for y, name in zip(cell.fields, cell.field_names) if name in names]
    rates = [cell.F_y[i, cell.fields.index(y)] for i in range(cell.n_state) for y in noisy]
    driven = {s for i, s in enumerate(cell.state) if any(cell.F_y[i, cell.fields.index(y)] != 0 for y in noisy)}
    felt = set().union(*(rate.free_symbols for rate in rates)) if rates else set()
    in_messages = set().union(*(message.free_symbols for message in cell.messages))
    return not felt & (driven | set(noisy)) and not in_messages & set(noisy)


def jacobian_feels(cell: AnyCell, white: Collection[str]) -> bool:
    """Whether derivatives of the rate hold these fields: then the Jacobian of one time has noise in it.

    Parameters
    ----------
    cell : Cell
    white : names of fields
    """
    names = tuple(name for name in cell.field_names if name in white)
    return derived_once(cell, f"white noise in the Jacobian by {' '.join(names)}", lambda: _feels(cell, names))


def _feels(cell, names):
    noisy = {y for y, name in zip(cell.fields, cell.field_names) if name in names}
    return any(entry.free_symbols & noisy for entry in (*cell.F_s, *cell.F_y))
