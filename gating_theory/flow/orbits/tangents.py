"""Trajectories with a frame of tangent vectors, compiled: what Lyapunov exponents are measured with.

The frame is moved by the exact Jacobian, in the same Dormand-Prince steps as the state, and made orthonormal after every step:
steps that are short enough for the fastest direction never let it collapse.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from ...errors import ConvergenceError
from ..program.compiled import compiled_flow
from .trajectories import ERROR_WEIGHTS, STAGE_WEIGHTS

if TYPE_CHECKING:
    from ..flow import Flow

__all__ = ["AWAY", "FlowWalk", "MapWalk", "map_record"]

#: A trajectory has run away when a component exceeds this.
AWAY = 1e6

#: First step, and one that is too short to go on.
_FIRST_STEP, _SHORTEST = 0.05, 1e-12

#: Steps of one call of compiled code, of a flow and of a map.
_STEPS, _MAP_STEPS = 5000, 1_000_000


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
        self.run = _compiled_flow(flow.cell, flow.n_units)
        self.clock = np.array([0.0, _FIRST_STEP])
        self.range = np.array([state, state])

    def go(self, time: float) -> tuple[np.ndarray, float]:
        """Go on for a time; returns the (k,) logarithms of growth, and the integrated divergence."""
        logs, divergence = np.zeros(self.frame.shape[1]), np.zeros(1)
        self.clock[0] = 0.0
        self.range[:] = self.state
        # compiled code cannot be interrupted: some steps at a time
        while self.clock[0] < time:
            self.run(
                self.state,
                self.frame,
                self.clock,
                self.flow.flat,
                time,
                self.rtol,
                AWAY,
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
        self.flow, self.state, self.frame, self.step = flow, state, frame, step
        self.run = _compiled_map(flow.cell, flow.n_units)
        self.range = np.array([state, state])

    def go(self, time: float) -> tuple[np.ndarray, float]:
        """Go on for a whole number of steps; returns the (k,) logarithms of growth, and the sum of log|det|."""
        logs, determinants, left = np.zeros(self.frame.shape[1]), np.zeros(1), round(time)
        self.range[:] = self.state
        # compiled code cannot be interrupted: some steps at a time
        while left:
            steps = min(left, _MAP_STEPS)
            self.run(self.state, self.frame, self.flow.flat, self.step, steps, logs, determinants, self.range)
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
    out = np.empty((n, flow.dim))
    out[0] = state
    run = _compiled_record(flow.cell, flow.n_units)
    part = max(2, _MAP_STEPS // stride)
    for first in range(0, n - 1, part - 1):
        run(out[first : first + part], flow.flat, step, stride)
    return out


@lru_cache(maxsize=1)
def _orthonormalise():
    import numba

    @numba.njit
    def orthonormalise(frame, logs):
        """Gram and Schmidt, each vector twice; logs of the lengths are added up. A vector of length 0 stays so, its log is -inf."""
        d, k = frame.shape
        for j in range(k):
            before = 0.0
            for i in range(d):
                before += frame[i, j] * frame[i, j]
            for _ in range(2):
                for m in range(j):
                    part = 0.0
                    for i in range(d):
                        part += frame[i, m] * frame[i, j]
                    for i in range(d):
                        frame[i, j] -= part * frame[i, m]
            size = 0.0
            for i in range(d):
                size += frame[i, j] * frame[i, j]
            # what rounding leaves of a vector that lies in the span of those before it
            if size <= 1e-30 * before or before == 0.0:
                logs[j] = -math.inf
                for i in range(d):
                    frame[i, j] = 0.0
                continue
            size = math.sqrt(size)
            logs[j] += math.log(size)
            for i in range(d):
                frame[i, j] /= size

    return orthonormalise


@lru_cache(maxsize=64)
def _compiled_flow(cell, n_units):
    import numba

    functions = compiled_flow(cell, n_units)
    field, jacobian, orthonormalise = functions.field, functions.jacobian, _orthonormalise()
    A, E, shortest = STAGE_WEIGHTS, ERROR_WEIGHTS, _SHORTEST

    # component by component: the assignment of a row would take numba ten seconds to compile
    @numba.njit(nogil=True, error_model="numpy")
    def walk(state, frame, clock, p, time, rtol, bound, steps, logs, divergence, limits):
        d, n = frame.shape
        k, J, trial = np.empty((7, 1, d)), np.empty((7, 1, d * d)), np.empty((1, d))
        K, moved = np.empty((7, d, n)), np.empty((d, n))
        t, h = clock[0], clock[1]
        for i in range(d):
            trial[0, i] = state[i]
        field(trial, p, k[0])
        jacobian(trial, p, J[0])
        for _ in range(steps):
            rest = time - t
            if rest <= 0.0 or not h > shortest:
                break
            last = h >= rest
            now = rest if last else h
            for i in range(d):
                for j in range(n):
                    value = 0.0
                    for m in range(d):
                        value += J[0, 0, i * d + m] * frame[m, j]
                    K[0, i, j] = value
            for s in range(1, 7):
                for i in range(d):
                    value = 0.0
                    for r in range(s):
                        value += A[s, r] * k[r, 0, i]
                    trial[0, i] = state[i] + now * value
                    for j in range(n):
                        value = 0.0
                        for r in range(s):
                            value += A[s, r] * K[r, i, j]
                        moved[i, j] = frame[i, j] + now * value
                field(trial, p, k[s])
                jacobian(trial, p, J[s])
                for i in range(d):
                    for j in range(n):
                        value = 0.0
                        for m in range(d):
                            value += J[s, 0, i * d + m] * moved[m, j]
                        K[s, i, j] = value
            error = 0.0
            for i in range(d):
                value = 0.0
                for r in range(7):
                    value += E[r] * k[r, 0, i]
                # the frame has length 1: its errors are relative ones
                error = max(error, abs(now * value) / (rtol * (1e-3 + max(abs(state[i]), abs(trial[0, i])))))
                for j in range(n):
                    value = 0.0
                    for r in range(7):
                        value += E[r] * K[r, i, j]
                    error = max(error, abs(now * value) / rtol)
            if error <= 1.0:
                t = time if last else t + now
                for s in range(6):
                    trace = 0.0
                    for i in range(d):
                        trace += J[s, 0, i * d + i]
                    divergence[0] += now * A[6, s] * trace
                lost = False
                for i in range(d):
                    state[i] = trial[0, i]
                    limits[0, i], limits[1, i] = min(limits[0, i], state[i]), max(limits[1, i], state[i])
                    lost = lost or not abs(trial[0, i]) <= bound
                    k[0, 0, i] = k[6, 0, i]
                    for m in range(d):
                        J[0, 0, i * d + m] = J[6, 0, i * d + m]
                    for j in range(n):
                        frame[i, j] = moved[i, j]
                if lost:
                    t = time
                    for i in range(d):
                        state[i] = math.nan
                    break
                orthonormalise(frame, logs)
            factor = min(5.0, max(0.2, 0.9 * (error + 1e-10) ** -0.2)) if error == error else 0.2
            # a step cut short by the end of the block says little about the next
            h = max(h, now * factor) if last and error <= 1.0 else now * factor
        clock[0], clock[1] = t, h

    return walk


@lru_cache(maxsize=1)
def _log_det():
    import numba

    @numba.njit
    def log_det(matrix):
        """log|det| by elimination with pivots, which destroys the matrix."""
        d, total = matrix.shape[0], 0.0
        for c in range(d):
            pivot = c
            for i in range(c + 1, d):
                if abs(matrix[i, c]) > abs(matrix[pivot, c]):
                    pivot = i
            if matrix[pivot, c] == 0.0:
                return -math.inf
            total += math.log(abs(matrix[pivot, c]))
            for j in range(c, d):
                matrix[c, j], matrix[pivot, j] = matrix[pivot, j], matrix[c, j]
            for i in range(c + 1, d):
                factor = matrix[i, c] / matrix[c, c]
                for j in range(c + 1, d):
                    matrix[i, j] -= factor * matrix[c, j]
        return total

    return log_det


@lru_cache(maxsize=64)
def _compiled_map(cell, n_units):
    import numba

    functions = compiled_flow(cell, n_units)
    field, jacobian, orthonormalise, log_det = functions.field, functions.jacobian, _orthonormalise(), _log_det()

    @numba.njit(nogil=True, error_model="numpy")
    def walk(state, frame, p, step, n_steps, logs, determinants, limits):
        d, n = frame.shape
        now, speed, J = np.empty((1, d)), np.empty((1, d)), np.empty((1, d * d))
        moved, matrix = np.empty((d, n)), np.empty((d, d))
        for i in range(d):
            now[0, i] = state[i]
        for _ in range(n_steps):
            field(now, p, speed)
            jacobian(now, p, J)
            for i in range(d):
                now[0, i] += step * speed[0, i]
                limits[0, i], limits[1, i] = min(limits[0, i], now[0, i]), max(limits[1, i], now[0, i])
                for m in range(d):
                    matrix[i, m] = step * J[0, i * d + m] + (1.0 if i == m else 0.0)
                for j in range(n):
                    value = 0.0
                    for m in range(d):
                        value += J[0, i * d + m] * frame[m, j]
                    moved[i, j] = frame[i, j] + step * value
            for i in range(d):
                for j in range(n):
                    frame[i, j] = moved[i, j]
            orthonormalise(frame, logs)
            determinants[0] += log_det(matrix)
        for i in range(d):
            state[i] = now[0, i]

    return walk


@lru_cache(maxsize=64)
def _compiled_record(cell, n_units):
    import numba

    field = compiled_flow(cell, n_units).field

    @numba.njit(nogil=True, error_model="numpy")
    def record(out, p, step, stride):
        n, d = out.shape
        now, speed = np.empty((1, d)), np.empty((1, d))
        for i in range(d):
            now[0, i] = out[0, i]
        for t in range(1, n):
            for _ in range(stride):
                field(now, p, speed)
                for i in range(d):
                    now[0, i] += step * speed[0, i]
            for i in range(d):
                out[t, i] = now[0, i]

    return record
