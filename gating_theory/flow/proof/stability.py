"""The type of a fixed point from an enclosure of the flow's Jacobian: how many directions are unstable, whether they rotate.

Eigenvalues say nothing where a shut gate multiplies a row by 1e-10. The characteristic polynomial does: its coefficients are
sums of principal minors, and every row's own factor, taken out first, multiplies the minors it is part of. Routh's table of
their signs counts unstable directions; where a sign is not proved the type is undecided.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .enclosure import map_enclosure
from .intervals import kernels

if TYPE_CHECKING:
    from ...cell.cell import Cell

__all__ = ["classify", "UNDECIDED"]

#: Where a sign is not proved, as in the kernels.
UNDECIDED = -1

_ROTATIONS = {0: "real", 1: "complex"}


def classify(cell: Cell, n_units: int, flat: np.ndarray, root: np.ndarray, grade: str) -> tuple[int, str, int, np.ndarray]:
    """The type of the fixed point in an enclosure.

    Parameters
    ----------
    cell, n_units, flat, grade : as for ``branch_and_prune``
    root : (n, 2) array, enclosure of the unknowns at the fixed point

    Returns
    -------
    n_unstable : int
        Number of eigenvalues of the flow's Jacobian with positive real part, or UNDECIDED.
    rotation : "real", "complex" or "undecided" (always so for dim > 3)
    index : int
        Sign of det(1 - Phi'), which is that of det(-J); 0 where it is not proved.
    states : (dim, 2) array, enclosure of all state variables
    """
    enclosure = map_enclosure(cell, n_units)
    states = np.empty((cell.n_state * n_units, 2))
    functions = (getattr(enclosure, name)(grade) for name in ("enclose", "states", "jacobian"))
    with np.errstate(all="ignore"):
        n_unstable, rotation, index = kernels(grade).classify(*functions, root, np.array(flat), states)
    return int(n_unstable), _ROTATIONS.get(rotation, "undecided"), int(index), states
