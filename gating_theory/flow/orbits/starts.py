"""Where trajectories begin: grids, random states, and states beside fixed points."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...errors import CapabilityError
from ...support.available_memory import require_memory
from ...support.checks import generator, instance, integer, real_array
from ...support.types import Rng
from ..flow import Flow, box_limits

__all__ = ["along_manifolds", "given_starts", "grid", "start_box"]

#: Distance from a fixed point of starts beside it.
_BESIDE = 1e-3

#: Points per axis of the default grid by dimension, and the number of random starts in more dimensions.
_PER_AXIS, _RANDOM = {1: 101, 2: 16, 3: 8}, 256

#: Limits of starts where no box is known that contains the states.
_UNKNOWN = (-1.0, 1.0)


def start_box(flow: Flow, box: npt.ArrayLike | None) -> np.ndarray:
    """(dim, 2) limits of starts: those given, ``flow.bounds``, or -1 to 1 where these are not known."""
    try:
        return box_limits(flow, box)
    except CapabilityError:
        return np.tile(_UNKNOWN, (flow.dim, 1))


def grid(name: str, flow: Flow, n: int, box: npt.ArrayLike | None) -> tuple[list[np.ndarray], np.ndarray]:
    """The axes of a grid of n points along each coordinate, and its states (..., dim)."""
    # states, their memory, clocks, labels and what decides them
    require_memory(f"{name} = {n}, a grid of {n}^{flow.dim} starts,", 8.0 * (9 * flow.dim + 14) * float(n) ** flow.dim)
    axes = [np.linspace(low, high, n) for low, high in start_box(flow, box)]
    return axes, np.stack(np.meshgrid(*axes, indexing="xy"), axis=-1)


def given_starts(flow: Flow, starts: npt.ArrayLike | None, box: npt.ArrayLike | None, rng: Rng = None) -> np.ndarray:
    """(..., dim) array of starts: those given, a grid of so many points per axis, or by default as many as are affordable.

    Parameters, errors: as for :func:`~gating_theory.flow.attractors` (flow, starts, box, rng).
    """
    instance("flow", flow, Flow)
    rng = generator(rng)
    if starts is None and flow.dim not in _PER_AXIS:
        low, high = start_box(flow, box).T
        return rng.uniform(low, high, (_RANDOM, flow.dim))
    if starts is None or (isinstance(starts, (int, np.integer)) and not isinstance(starts, bool)):
        n = _PER_AXIS[flow.dim] if starts is None else integer("starts", starts, low=1)
        _, starts = grid("starts", flow, n, box)
    starts = real_array("starts", starts)
    if starts.ndim == 0 or starts.shape[-1] != flow.dim:
        raise ValueError(f"starts must have shape (..., {flow.dim}), got {starts.shape}")
    return starts


def along_manifolds(flow: Flow, points: np.ndarray, unstable: bool = True) -> np.ndarray:
    """Starts beside fixed points, along the directions in which they repel (or attract): they reach every corner of the portrait.

    Parameters
    ----------
    flow : Flow
    points : (n, dim) array of fixed points
    unstable : bool
        The directions that repel, else those that attract.

    Returns
    -------
    (m, dim) array
    """
    starts = []
    for x in points:
        values, vectors = np.linalg.eig(flow.jacobian(x))
        wanted = values.real > 0 if unstable else values.real < 0
        for v in vectors.T[wanted]:
            for part in (v.real, v.imag):
                if np.linalg.norm(part) > 1e-8:
                    starts += [x + _BESIDE * part / np.linalg.norm(part), x - _BESIDE * part / np.linalg.norm(part)]
    return np.array(starts).reshape(-1, flow.dim)
