"""Trajectories as curves: many starts, compiled, a point for each piece of arc.

They are the steps of ``trajectories.advance``, none longer than a given arc, and every one a point: as accurate as the solver's steps.
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
    n: int = 1,
) -> list[np.ndarray]:
    """Curves of trajectories: until time is over, they rest, leave the box, or are long enough.

    Parameters
    ----------
    flow : Flow whose input does not change
    starts : (k, dim) array
    time : float, or (k,) array, >= 0
        At most so long each, in units of one step.
    spacing : float > 0
        Arc of a step at most, at the speed at its beginning.
    box : (dim, 2) array
        Curves end before they leave it.
    backward : bool
    length : float
        Arc at which a curve ends.
    n : int >= 1
        No step is longer than 1/n of the time.

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
    first = np.linalg.norm(flow(points), axis=1)
    state = np.stack([(ends > 0.0).astype(float), np.zeros(count), np.minimum(_AT_REST, _SLOWED * first)], axis=1)
    clock = np.stack([np.zeros(count), np.minimum(_FIRST_STEP, ends), ends], axis=1)
    pieces: list[list[np.ndarray]] = [[point[None].copy()] for point in points]
    trail, counts = np.empty((1, _STEPS, flow.dim)), np.zeros(1, dtype=np.int64)
    limits = np.array(box, dtype=float)
    for b in range(count):
        one = slice(b, b + 1)
        fixed = (sign, _RTOL, _ATOL, limits, spacing, max(ends[b] / n, 1e-300), length)
        while state[b, 0] > 0.0:
            trace(field, points[one], clock[one], state[one], flow.flat[None], *fixed, trail, counts, np.zeros(0), np.zeros((0, 2, 0)))
            pieces[b].append(trail[0, : counts[0]].copy())
    return [np.concatenate(parts) for parts in pieces]
