"""Many trajectories at once, compiled: where a grid of starts goes (one trajectory with events: ``Flow.integrate``).

Adaptive Dormand-Prince steps of order 5(4), each start with its own steps. scipy's solve_ivp advances a vector of starts with the
steps of the worst of them and pays a Python call a stage, a thousand times the time of the arithmetic of a network of two units.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..input import Drive
from ..program.compiled import compiled_flow
from .driven import stretches

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
    start: float = 0.0,
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
    start : float
        The time at which it begins, where the input changes; Noise has to be drawn before (``Noise.sample``).

    Returns
    -------
    (..., dim) array; nan for trajectories that were given up
    """
    states = np.array(states, dtype=float)
    points = np.ascontiguousarray(states.reshape(-1, flow.dim))
    if parameters is None and flow.changes:
        if np.ndim(time) > 0:
            raise ValueError("time must be one number where the input changes in time")
        own = flow.flat_with_input(0.0)[None]
        for begin, end, drive in stretches(flow, start, start + float(time)):
            _advance(flow, points, end - begin, own, (rtol, atol, bound), steps, begin, drive)
    else:
        own = flow.flat[None] if parameters is None else parameters
        _advance(flow, points, time, own, (rtol, atol, bound), steps)
    return points.reshape(states.shape)


#: No input that changes.
_NO_DRIVE = Drive(np.zeros(0), np.zeros(0), 0.0, np.zeros((0, 2, 0)), 0.0)


def _advance(flow, points, time, parameters, limits, steps, begin=0.0, drive=None):
    """``points`` (B, dim) in place, along one smooth stretch of the input."""
    from ..program.stepping_kernels import advance as kernel

    field = compiled_flow(flow.cell, flow.n_units).argument("field")
    place = flow.cell.n_fields * flow.n_units**2
    base, slope, origin, waves, omega, longest = _NO_DRIVE if drive is None else drive
    driven = (place, float(begin), origin, base, slope, omega, waves, longest)
    span = np.broadcast_to(np.abs(np.asarray(time, dtype=float)), len(points))
    sign = -1.0 if np.min(time, initial=0.0) < 0 else 1.0
    for start in range(0, len(points), _STARTS):
        chosen = slice(start, start + _STARTS)
        part, p = points[chosen], np.array(parameters if len(parameters) == 1 else parameters[chosen])
        p.flags.writeable = False  # as those of a flow: the same compiled code
        clock = np.stack([np.zeros(len(part)), np.minimum(_FIRST_STEP, span[chosen]), span[chosen]], axis=1)
        # compiled code cannot be interrupted: some steps at a time, which go on as if there had been no stop
        for done in range(0, steps, _STEPS):
            kernel(field, part, clock, p, sign, *limits, min(_STEPS, steps - done), *driven)
            if not (clock[:, 0] < clock[:, 2]).any():
                break
        part[clock[:, 0] < clock[:, 2]] = np.nan
