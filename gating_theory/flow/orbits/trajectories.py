"""Many trajectories at once, compiled: where a grid of starts goes (one trajectory with events: ``Flow.integrate``).

Adaptive Dormand-Prince steps of order 5(4), each start with its own steps. scipy's solve_ivp advances a vector of starts with the
steps of the worst of them and pays a Python call a stage, a thousand times the time of the arithmetic of a network of two units.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..program.compiled import compiled_flow

if TYPE_CHECKING:
    from ..flow import Flow

__all__ = ["ERROR_WEIGHTS", "STAGE_WEIGHTS", "advance"]

#: Dormand and Prince, J. Comp. Appl. Math. 6 (1980) 19: coefficients of the stages, the last row the weights of order 5; and the
#: difference of these from the weights of order 4.
STAGE_WEIGHTS = np.zeros((7, 6))
STAGE_WEIGHTS[1, :1] = [1 / 5]
STAGE_WEIGHTS[2, :2] = [3 / 40, 9 / 40]
STAGE_WEIGHTS[3, :3] = [44 / 45, -56 / 15, 32 / 9]
STAGE_WEIGHTS[4, :4] = [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729]
STAGE_WEIGHTS[5, :5] = [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656]
STAGE_WEIGHTS[6, :6] = [35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84]
ERROR_WEIGHTS = np.array([71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40])


#: Starts and steps of one call of compiled code, about a second at most, and the first step of a trajectory.
_STARTS, _STEPS, _FIRST_STEP = 64, 5000, 0.05


@lru_cache(maxsize=64)
def _compiled(cell, n_units):
    import numba

    field = compiled_flow(cell, n_units).field
    A, E = STAGE_WEIGHTS, ERROR_WEIGHTS

    # component by component: the assignment of a row would take numba ten seconds to compile
    @numba.njit(nogil=True, error_model="numpy")
    def advance(points, clock, parameters, sign, rtol, atol, bound, steps):
        n, d = points.shape
        k = np.empty((7, 1, d))
        trial = np.empty((1, d))
        for b in range(n):
            p = parameters[min(b, parameters.shape[0] - 1)]
            t, h, time, lost = clock[b, 0], clock[b, 1], clock[b, 2], not math.isfinite(points[b, 0])
            for i in range(d):
                trial[0, i] = points[b, i]
            field(trial, p, k[0])
            for _ in range(steps):
                if lost or t >= time:
                    break
                h = min(h, time - t)
                for s in range(1, 7):
                    for i in range(d):
                        value = 0.0
                        for j in range(s):
                            value += A[s, j] * k[j, 0, i]
                        trial[0, i] = points[b, i] + sign * h * value
                    field(trial, p, k[s])
                error = 0.0
                for i in range(d):
                    value = 0.0
                    for j in range(7):
                        value += E[j] * k[j, 0, i]
                    size = atol + rtol * max(abs(points[b, i]), abs(trial[0, i]))
                    error = max(error, abs(h * value) / size)
                if error <= 1.0:
                    t += h
                    for i in range(d):
                        points[b, i] = trial[0, i]
                        lost = lost or not abs(trial[0, i]) <= bound
                        k[0, 0, i] = k[6, 0, i]
                h *= min(5.0, max(0.2, 0.9 * (error + 1e-10) ** -0.2))
            clock[b, 0], clock[b, 1] = time if lost else t, h
            if lost:
                for i in range(d):
                    points[b, i] = math.nan

    return advance


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
    states = np.array(states, dtype=float)
    points = np.ascontiguousarray(states.reshape(-1, flow.dim))
    run = _compiled(flow.cell, flow.n_units)
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
            run(part, clock, p, sign, rtol, atol, bound, _STEPS)
            if not (clock[:, 0] < clock[:, 2]).any():
                break
        part[clock[:, 0] < clock[:, 2]] = np.nan
    return points.reshape(states.shape)
