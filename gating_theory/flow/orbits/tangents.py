"""Trajectories with a frame of tangent vectors, compiled: what Lyapunov exponents are measured with.

The frame is moved by the exact Jacobian, in the same Dormand-Prince steps as the state, and made orthonormal after every step:
steps that are short enough for the fastest direction never let it collapse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...errors import ConvergenceError
from ..program.compiled import compiled_flow

if TYPE_CHECKING:
    from ..flow import Flow

__all__ = ["AWAY", "FlowWalk", "MapWalk", "map_record"]

#: A trajectory has run away when a component exceeds this.
AWAY = 1e6

#: First step, and one that is too short to go on.
_FIRST_STEP, _SHORTEST = 0.05, 1e-12

#: Steps of one call of compiled code, of a flow and of a map.
_STEPS, _MAP_STEPS = 5000, 1_000_000


def _functions(flow):
    """Vector field and Jacobian as compiled kernels take them."""
    compiled = compiled_flow(flow.cell, flow.n_units)
    return compiled.argument("field"), compiled.argument("jacobian")


class FlowWalk:
    """A trajectory of a flow with its frame.

    Parameters
    ----------
    flow : Flow
    state : (dim,) array
    frame : (dim, k) array, orthonormal columns
    rtol : float
        Tolerance of a step: of the state, and of the frame, whose vectors have length 1.

    Attributes
    ----------
    state, frame : where they are now
    range : (2, dim) array
        Smallest and largest value of each coordinate since ``go`` was last called.
    """

    def __init__(self, flow: Flow, state: np.ndarray, frame: np.ndarray, rtol: float) -> None:
        self.flow, self.state, self.frame, self.rtol = flow, state, frame, rtol
        self.functions = _functions(flow)
        self.clock = np.array([0.0, _FIRST_STEP])
        self.range = np.array([state, state])

    def go(self, time: float) -> tuple[np.ndarray, float]:
        """Go on for a time; returns the (k,) logarithms of growth, and the integrated divergence."""
        from .tangent_kernels import walk_flow

        logs, divergence = np.zeros(self.frame.shape[1]), np.zeros(1)
        self.clock[0] = 0.0
        self.range[:] = self.state
        # compiled code cannot be interrupted: some steps at a time
        while self.clock[0] < time:
            walk_flow(
                *self.functions,
                self.state,
                self.frame,
                self.clock,
                self.flow.flat,
                float(time),
                self.rtol,
                AWAY,
                _SHORTEST,
                _STEPS,
                logs,
                divergence,
                self.range,
            )
            if not np.isfinite(self.state).all():
                raise ConvergenceError("the trajectory runs away: a component exceeds 1e6", self.state)
            if not self.clock[1] > _SHORTEST:
                raise ConvergenceError(f"the steps become too small to go on ({self.clock[1]:.1g}): raise rtol", self.state)
        return logs, float(divergence[0])


class MapWalk:
    """An orbit of an Euler map with its frame.

    Parameters
    ----------
    flow, state, frame : as for :class:`FlowWalk`
    step : float
    """

    def __init__(self, flow: Flow, state: np.ndarray, frame: np.ndarray, step: float) -> None:
        self.flow, self.state, self.frame, self.step = flow, np.array(state), frame, float(step)
        self.functions = _functions(flow)
        self.range = np.array([state, state])

    def go(self, time: float) -> tuple[np.ndarray, float]:
        """Go on for a whole number of steps; returns the (k,) logarithms of growth, and the sum of log|det|."""
        from .tangent_kernels import walk_map

        logs, determinants, left = np.zeros(self.frame.shape[1]), np.zeros(1), round(time)
        self.range[:] = self.state
        # compiled code cannot be interrupted: some steps at a time
        while left:
            steps = min(left, _MAP_STEPS)
            walk_map(*self.functions, self.state, self.frame, self.flow.flat, self.step, steps, logs, determinants, self.range)
            left -= steps
            if not np.isfinite(self.state).all() or np.abs(self.state).max() > AWAY:
                raise ConvergenceError("the orbit runs away: a component exceeds 1e6", self.state)
        return logs, float(determinants[0])


def map_record(flow: Flow, state: np.ndarray, step: float, n: int, stride: int) -> np.ndarray:
    """Every ``stride``-th state of an orbit of the Euler map.

    Parameters
    ----------
    flow : Flow
    state : (dim,) array, the first
    step : float
    n : int, states
    stride : int, steps between two of them

    Returns
    -------
    (n, dim) array
    """
    from .tangent_kernels import record_map

    out = np.empty((n, flow.dim))
    out[0] = state
    field, part = compiled_flow(flow.cell, flow.n_units).argument("field"), max(2, _MAP_STEPS // stride)
    for first in range(0, n - 1, part - 1):
        record_map(field, out[first : first + part], flow.flat, float(step), stride)
    return out
