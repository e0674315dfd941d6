"""Many trajectories at once, compiled: where a grid of starts goes (one trajectory with events: ``Flow.integrate``).

Adaptive Dormand-Prince steps of order 5(4), each start with its own steps. scipy's solve_ivp advances a vector of starts with the
steps of the worst of them and pays a Python call a stage, a thousand times the time of the arithmetic of a network of two units.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..program.compiled import compiled_flow

if TYPE_CHECKING:
    from ..flow import Flow

__all__ = ["advance"]

#: Starts and steps of one call of compiled code, about a second at most, and the first step of a trajectory.
_STARTS, _STEPS, _FIRST_STEP = 64, 5000, 0.05


def advance(
    flow: Flow,
    states: npt.ArrayLike,
    time: float | np.ndarray,
    *,
    parameters: np.ndarray | None = None,
    rtol: float = 1e-7,
    atol: float = 1e-9,
    bound: float = np.inf,
    steps: int = 10_000_000,
) -> np.ndarray:
    """States after a time, from many starts.

    Parameters
    ----------
    flow : Flow
    states : (..., dim) array
        Starts; rows that are not finite stay so.
    time : float, or (n,) array for n starts
        Negative: backwards, all of them.
    parameters : (n, P) array, optional
        Flat parameters for each of n starts: networks of the flow's cell and size, next to each other. Default: the flow's own.
    rtol, atol : float
        Tolerances of a step.
    bound : float
        A trajectory whose largest component exceeds it is given up.
    steps : int
        Steps after which a trajectory is given up.

    Returns
    -------
    (..., dim) array; nan for trajectories that were given up
    """
    from ..program.stepping_kernels import advance as kernel

    states = np.array(states, dtype=float)
    points = np.ascontiguousarray(states.reshape(-1, flow.dim))
    field = compiled_flow(flow.cell, flow.n_units).argument("field")
    span = np.broadcast_to(np.abs(np.asarray(time, dtype=float)), len(points))
    sign = -1.0 if np.min(time, initial=0.0) < 0 else 1.0
    own = flow.flat[None] if parameters is None else parameters
    for start in range(0, len(points), _STARTS):
        chosen = slice(start, start + _STARTS)
        part, p = points[chosen], np.array(own if len(own) == 1 else own[chosen])
        p.flags.writeable = False  # as those of a flow: the same compiled code
        clock = np.stack([np.zeros(len(part)), np.minimum(_FIRST_STEP, span[chosen]), span[chosen]], axis=1)
        # compiled code cannot be interrupted: some steps at a time, which go on as if there had been no stop
        for _ in range(0, steps, _STEPS):
            kernel(field, part, clock, p, sign, rtol, atol, bound, _STEPS)
            if not (clock[:, 0] < clock[:, 2]).any():
                break
        part[clock[:, 0] < clock[:, 2]] = np.nan
    return points.reshape(states.shape)
