"""Trajectories as curves: many starts, compiled, a point for each piece of arc.

They are the steps of ``trajectories.advance``, none longer than a given arc; the points are as accurate as these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..program.compiled import compiled_flow

if TYPE_CHECKING:
    from ..flow import Flow

__all__ = ["paths"]

#: Tolerances of a step, and the first one.
_RTOL, _ATOL, _FIRST_STEP = 1e-7, 1e-9, 0.05

#: Steps of one call of compiled code for each curve: it cannot be interrupted.
_STEPS = 2048

#: Speed of what has come to rest, and the share of the first speed: slow as it is behind shut gates a start is not at rest.
_AT_REST, _SLOWED = 1e-7, 0.1


def paths(
    flow: Flow,
    starts: npt.ArrayLike,
    time: float | np.ndarray,
    *,
    spacing: float,
    box: np.ndarray,
    backward: bool = False,
    length: float = np.inf,
) -> list[np.ndarray]:
    """Curves of trajectories: until time is over, they rest, leave the box, or are long enough.

    Parameters
    ----------
    flow : Flow whose input does not change
    starts : (k, dim) array
    time : float, or (k,) array, >= 0
        At most so long each, in units of one step.
    spacing : float > 0
        Arc of a step, at most by the speed at its beginning; points that are nearer than a fifth of it are left out.
    box : (dim, 2) array
        Curves end before they leave it.
    backward : bool
    length : float
        Arc at which a curve ends.

    Returns
    -------
    list of k arrays (m, dim), from the start on; the states are accurate as those of ``advance`` are
    """
    from ..program.stepping_kernels import trace

    points = np.array(starts, dtype=float).reshape(-1, flow.dim)
    count, sign = len(points), -1.0 if backward else 1.0
    if count == 0:
        return []
    field = compiled_flow(flow.cell, flow.n_units).argument("field")
    ends = np.broadcast_to(np.asarray(time, dtype=float), count)
    rest = np.minimum(_AT_REST, _SLOWED * np.linalg.norm(flow(points), axis=1))
    state = np.column_stack([ends > 0.0, np.zeros(count), rest, points])
    clock = np.column_stack([np.zeros(count), np.minimum(_FIRST_STEP, ends), ends])
    pieces: list[list[np.ndarray]] = [[point[None].copy()] for point in points]
    trail, counts = np.empty((1, _STEPS, flow.dim)), np.zeros(1, dtype=np.int64)
    limits, flat, none, no_waves = np.array(box, dtype=float), flow.flat[None], np.zeros(0), np.zeros((0, 2, 0))
    for b in range(count):
        here, now, how = points[b : b + 1], clock[b : b + 1], state[b : b + 1]
        while how[0, 0] > 0.0:
            trace(field, here, now, how, flat, sign, _RTOL, _ATOL, limits, spacing, length, trail, counts, none, no_waves)
            pieces[b].append(trail[0, : counts[0]].copy())
    return [np.concatenate(parts) for parts in pieces]
