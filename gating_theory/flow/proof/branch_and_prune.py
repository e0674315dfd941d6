"""All zeros of Phi(x) - x in a box, each enclosed and proved unique: Krawczyk's operator with branch and prune.

One algorithm in two grades of arithmetic. A box is met with Phi(box), then with Krawczyk's

    K(X) = m - Y F(m) + (1 - Y F'(X)) (X - m),      F = Phi - x,  Y about the inverse of F' at the midpoint,

which contains every zero in X: an empty intersection proves that there is none, K(X) inside X that there is exactly one. What
is left is halved. See Neumaier, Interval Methods for Systems of Equations, ch. 5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .enclosure import map_enclosure
from .intervals import kernels

if TYPE_CHECKING:
    from ...cell.cell import Cell

__all__ = ["branch_and_prune"]


def branch_and_prune(
    cell: Cell, n_units: int, flat: np.ndarray, grade: str, narrow: float, most_boxes: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int, bool]:
    """Enclosures of all fixed points of the gate-free map of a small network.

    Parameters
    ----------
    cell : Cell
    n_units : int
    flat : flat parameters
    grade : "validated", "arb" or "iv"
    narrow : float
        Boxes below this width are not cut any more.
    most_boxes : int
        The search stops there.

    Returns
    -------
    roots : (R, n, 2) array, tight enclosures of one zero each
    unique : (R, n, 2) array, boxes in which each is the only zero
    undecided : (Q, n, 2) array
        Boxes about which nothing is proved: every zero is in a root's box or in one of these.
    n_boxes : int
    finished : bool
        False where a budget ran out; the boxes not searched are then among the undecided as far as there was room.
    """
    enclosure = map_enclosure(cell, n_units)
    kernel = kernels(grade)
    n = enclosure.n
    roots, unique = np.empty((kernel.MOST_ROOTS, n, 2)), np.empty((kernel.MOST_ROOTS, n, 2))
    undecided = np.empty((kernel.MOST_UNDECIDED, n, 2))
    box = enclosure.box(flat, grade)
    with np.errstate(all="ignore"):
        n_roots, n_undecided, n_boxes, finished = kernel.search(
            enclosure.enclose(grade), np.array(flat), box, narrow, most_boxes, roots, unique, undecided
        )
    return roots[:n_roots].copy(), unique[:n_roots].copy(), undecided[:n_undecided].copy(), int(n_boxes), bool(finished)
