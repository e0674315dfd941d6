"""Steps of a trajectory that end on a plane where they cross it, compiled; the field comes as a pointer. See ``sections.py``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...support.machine_code import jit
from ..program.stepping_kernels import ERROR_WEIGHTS, STAGE_WEIGHTS

__all__ = ["attempt", "cross"]

_jit = jit(nogil=True, error_model="numpy")


@_jit
def attempt(field: Any, state: np.ndarray, k: np.ndarray, p: np.ndarray, h: float, rtol: float, trial: np.ndarray) -> float:
    """One step of length h from a state whose velocity is k[0]; its error in units of the tolerance."""
    d = state.shape[0]
    for s in range(1, 7):
        for i in range(d):
            value = 0.0
            for r in range(s):
                value += STAGE_WEIGHTS[s, r] * k[r, 0, i]
            trial[0, i] = state[i] + h * value
        field(trial, p, k[s])
    error = 0.0
    for i in range(d):
        value = 0.0
        for r in range(7):
            value += ERROR_WEIGHTS[r] * k[r, 0, i]
        error = max(error, abs(h * value) / (rtol * (1e-3 + max(abs(state[i]), abs(trial[0, i])))))
    return error


@_jit
def cross(
    field: Any,
    state: np.ndarray,
    clock: np.ndarray,
    p: np.ndarray,
    normal: np.ndarray,
    level: float,
    direction: int,
    time: float,
    rtol: float,
    steps: int,
    points: np.ndarray,
    times: np.ndarray,
    count: np.ndarray,
) -> None:
    """Steps of a state in place, on from a clock (time, next step); crossings of the plane are added to points and times."""
    d = state.shape[0]
    k, trial = np.empty((7, 1, d)), np.empty((1, d))
    t, h = clock[0], clock[1]
    for i in range(d):
        trial[0, i] = state[i]
    field(trial, p, k[0])
    for _ in range(steps):
        if t >= time or count[0] >= points.shape[0] or not h > 1e-12:
            break
        error = attempt(field, state, k, p, h, rtol, trial)
        if error <= 1.0:
            before = after = -level
            for i in range(d):
                before += normal[i] * state[i]
                after += normal[i] * trial[0, i]
            if (before < 0.0 <= after and direction >= 0) or (after <= 0.0 < before and direction <= 0):
                # the same step, cut until it ends on the plane: regula falsi of Illinois on its length
                low, high, at_low, at_high, side, cut = 0.0, h, before, after, 0, h
                for _ in range(60):
                    if high - low <= 4e-16 * h or at_high == at_low:
                        break
                    cut = (low * at_high - high * at_low) / (at_high - at_low)
                    attempt(field, state, k, p, cut, rtol, trial)
                    there = -level
                    for i in range(d):
                        there += normal[i] * trial[0, i]
                    if abs(there) <= 1e-15 * (1.0 + abs(level)):
                        break
                    if (there < 0.0) == (before < 0.0):
                        low, at_low = cut, there
                        if side == 1:
                            at_high *= 0.5
                        side = 1
                    else:
                        high, at_high = cut, there
                        if side == -1:
                            at_low *= 0.5
                        side = -1
                for i in range(d):
                    points[count[0], i] = trial[0, i]
                times[count[0]] = t + cut
                count[0] += 1
                attempt(field, state, k, p, h, rtol, trial)
            t += h
            lost = False
            for i in range(d):
                state[i] = trial[0, i]
                lost = lost or not abs(state[i]) < math.inf
                k[0, 0, i] = k[6, 0, i]
            if lost:
                break
        h *= min(5.0, max(0.2, 0.9 * (error + 1e-10) ** -0.2)) if error == error else 0.2
    clock[0], clock[1] = t, h
