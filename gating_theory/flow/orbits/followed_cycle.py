"""Cycles that attract so strongly that a trajectory is one after a single turn: relaxation oscillations behind shut gates [JSP].

Where one gate is a million times slower than another, jumps take a millionth of the period, and Newton's method on a mesh rarely
finds its way. The trajectory does: what was between two states is e^-1000 of itself a turn later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...results.status import Status
from . import collocation
from .cycle import Cycle
from .following import Path

if TYPE_CHECKING:
    from ..flow import Flow

__all__ = ["followed_cycle", "growth"]

#: Logarithm of the contraction in a turn beyond which the loop of a trajectory is the cycle, to the accuracy of the trajectory; and
#: the distance, in units of the extent, at which it must close.
_STRONG, _CLOSED = -25.0, 1e-5

#: Error of the period in units of the tolerance of a step: a period that collocation solved too was off by 2.4 of them.
_ERRORS = 10.0

#: Mesh intervals at most.
_INTERVALS = 2000


def growth(flow: Flow, path: Path, start: float, period: float) -> float:
    """The integral of the divergence over a period along a path: the logarithm of the product of all multipliers."""
    times = path.steps(start, start + period, len(path.times))
    # two Gauss points a step: the steps resolve whatever changes
    nodes = 0.5 + np.array([-0.5, 0.5]) / np.sqrt(3.0)
    at = times[:-1, None] + np.diff(times)[:, None] * nodes
    divergence = np.trace(flow.jacobian(path(at)), axis1=-2, axis2=-1)
    return float((divergence.mean(axis=1) * np.diff(times)).sum())


def followed_cycle(flow: Flow, path: Path, start: float, period: float, accuracy: float) -> Cycle | None:
    """The Cycle that a path closes, from the path itself; None where the flow contracts too little, or the path does not close.

    Parameters
    ----------
    flow : Flow of two dimensions
    path : Path
    start, period : float, the turn in its times
    accuracy : float, relative tolerance of its steps

    Returns
    -------
    Cycle with status "followed" (not ok), its multiplier from the integrated divergence
    """
    if flow.dim != 2 or path.times[-1] < start + period:
        return None
    total = growth(flow, path, start, period)
    gap = np.linalg.norm(path(np.array([start + period])) - path(np.array([start])))
    extent = np.ptp(path.states, axis=0).max()
    if not (total < _STRONG and gap < _CLOSED * extent):
        return None
    mesh = (path.steps(start, start + period, _INTERVALS) - start) / period
    orbit = collocation.on_mesh(lambda times: path(start + times), period, mesh)
    multiplier = np.exp(total)
    text = f"the loop of a trajectory, closed to {gap / extent:.1e} of its extent; multiplier by the divergence, e^{total:.6g}"
    error = _ERRORS * accuracy * period
    status = Status("followed", text, ok=False)
    return Cycle(flow, period, error, np.array([multiplier + 0j]), 1.0, float(multiplier), orbit, status)
