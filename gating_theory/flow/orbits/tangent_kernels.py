"""Steps of a state with a frame of tangent vectors, compiled; vector field and Jacobian come as pointers. See ``tangents.py``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...support.machine_code import jit
from ..program.stepping_kernels import ERROR_WEIGHTS, STAGE_WEIGHTS

__all__ = ["log_det", "orthonormalise", "record_map", "walk_flow", "walk_map"]

_jit = jit(nogil=True, error_model="numpy")


@_jit
def orthonormalise(frame: np.ndarray, logs: np.ndarray) -> None:
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


# component by component: the assignment of a row would take numba ten seconds to compile
@_jit
def walk_flow(
    field: Any,
    jacobian: Any,
    state: np.ndarray,
    frame: np.ndarray,
    clock: np.ndarray,
    p: np.ndarray,
    time: float,
    rtol: float,
    bound: float,
    shortest: float,
    steps: int,
    logs: np.ndarray,
    divergence: np.ndarray,
    limits: np.ndarray,
) -> None:
    """Steps of a state and its frame in place, on from a clock (time, next step), until ``time`` or a step below ``shortest``."""
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
                    value += STAGE_WEIGHTS[s, r] * k[r, 0, i]
                trial[0, i] = state[i] + now * value
                for j in range(n):
                    value = 0.0
                    for r in range(s):
                        value += STAGE_WEIGHTS[s, r] * K[r, i, j]
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
                value += ERROR_WEIGHTS[r] * k[r, 0, i]
            # the frame has length 1: its errors are relative ones
            error = max(error, abs(now * value) / (rtol * (1e-3 + max(abs(state[i]), abs(trial[0, i])))))
            for j in range(n):
                value = 0.0
                for r in range(7):
                    value += ERROR_WEIGHTS[r] * K[r, i, j]
                error = max(error, abs(now * value) / rtol)
        if error <= 1.0:
            t = time if last else t + now
            for s in range(6):
                trace = 0.0
                for i in range(d):
                    trace += J[s, 0, i * d + i]
                divergence[0] += now * STAGE_WEIGHTS[6, s] * trace
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


@_jit
def log_det(matrix: np.ndarray) -> float:
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


@_jit
def walk_map(
    field: Any,
    jacobian: Any,
    state: np.ndarray,
    frame: np.ndarray,
    p: np.ndarray,
    step: float,
    n_steps: int,
    logs: np.ndarray,
    determinants: np.ndarray,
    limits: np.ndarray,
) -> None:
    """Euler steps of a state and its frame in place."""
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


@_jit
def record_map(field: Any, out: np.ndarray, p: np.ndarray, step: float, stride: int) -> None:
    """Every ``stride``-th state of an orbit of an Euler map, from out[0] on."""
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
