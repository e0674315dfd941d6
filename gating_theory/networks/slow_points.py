"""Slow points of the map itself: minima of q = |F(s, y(s)) - s|^2 / 2 next to states that the network visits [T2].

These are what fixed-point finders for trained networks report. A fixed point is a zero of q. The converse fails: q carries the
factor (1 - z)^2 of shut gates, so that a network that moves slowly has small q everywhere. Hence nothing here is called fixed that
the gate-free equations do not call so.
"""

from __future__ import annotations

import numpy as np

from .newton import FLAT, descend
from .state_map import StateMap

__all__ = ["speed_minima"]

#: Levenberg-Marquardt goes on at any pace where the largest component of F - s is below; above, five steps of less than 2 % end it.
_SLOW = 0.1

#: Bytes that the Jacobians of one chunk of starts may take together.
_MEMORY = 2.5e8


class _Steps:
    """F(s) - s as equations for the descent: points are (B, d, N) states, all components unknown."""

    def __init__(self, equations: StateMap) -> None:
        self.equations = equations
        self.n = equations.reduced.cell.n_state * equations.reduced.n_units

    def jacobian(self, s: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """F - s, (B, d N), and its derivative, (B, d N, d N)."""
        return self.equations.jacobian(s, which)[:2]


def speed_minima(equations: StateMap, s: np.ndarray, tol: float, n_steps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Descend from states to local minima of |F(s) - s|, by Levenberg-Marquardt.

    Parameters
    ----------
    equations : StateMap, of one network
    s : (B, d, N) array of states
    tol : float, a descent ends where the largest component of F - s is below
    n_steps : int

    Returns
    -------
    states (B, d, N); the largest components of F - s there (B,); whether they are minima, or zero to ``tol`` (B,)
    """
    steps = _Steps(equations)
    chunk = max(1, int(_MEMORY / (6 * 8 * steps.n**2)))
    parts = [s[first : first + chunk] for first in range(0, len(s), chunk)]
    ends = [descend(steps, part, np.zeros(len(part), dtype=int), tol, _SLOW, n_steps) for part in parts]
    points, speed, flat = (np.concatenate(of_parts) for of_parts in zip(*ends))
    return points, speed, (speed < tol) | (flat <= FLAT)
