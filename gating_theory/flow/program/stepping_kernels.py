"""Steps in time, compiled: a vector field comes as a pointer, so that one compiled kernel serves all cells and stays on disk.

Imported where used, because compiling machinery takes a second to import.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...support.machine_code import jit

__all__ = ["ERROR_WEIGHTS", "STAGE_TIMES", "STAGE_WEIGHTS", "advance", "euler", "set_input", "trace"]

_jit = jit(nogil=True, error_model="numpy")

#: Dormand and Prince, J. Comp. Appl. Math. 6 (1980) 19: coefficients of the stages, the last row the weights of order 5; and the
#: difference of these from the weights of order 4; times of the stages.
STAGE_WEIGHTS = np.zeros((7, 6))
STAGE_WEIGHTS[1, :1] = [1 / 5]
STAGE_WEIGHTS[2, :2] = [3 / 40, 9 / 40]
STAGE_WEIGHTS[3, :3] = [44 / 45, -56 / 15, 32 / 9]
STAGE_WEIGHTS[4, :4] = [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729]
STAGE_WEIGHTS[5, :5] = [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656]
STAGE_WEIGHTS[6, :6] = [35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84]
STAGE_TIMES = STAGE_WEIGHTS.sum(axis=1)
ERROR_WEIGHTS = np.array([71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40])


@_jit
def euler(field: Any, states: np.ndarray, flat: np.ndarray, place: int, inputs: np.ndarray, step: float, n_steps: int) -> None:
    """Euler steps in place: from states[0] to states[1..], or in states[0] where it is alone; ``states`` (T, B, dim).

    ``inputs`` (n_steps, K N) are added to the parameters from ``place`` on, the biases; (n_steps, 0) where there are none.
    """
    p = flat.copy()
    speed: np.ndarray = np.empty(states.shape[1:])
    keep = states.shape[0] > 1
    for t in range(n_steps):
        now = states[t] if keep else states[0]
        new = states[t + 1] if keep else states[0]
        for j in range(inputs.shape[1]):
            p[place + j] = flat[place + j] + inputs[t, j]
        field(now, p, speed)
        for b in range(speed.shape[0]):
            for i in range(speed.shape[1]):
                new[b, i] = now[b, i] + step * speed[b, i]


@_jit
def set_input(
    p: np.ndarray,
    flat: np.ndarray,
    place: int,
    time: float,
    origin: float,
    base: np.ndarray,
    slope: np.ndarray,
    omega: float,
    waves: np.ndarray,
) -> None:
    """Set ``p`` to ``flat`` with the input of a time added from ``place`` on; see ``Drive`` of ``flow/input.py``."""
    for j in range(base.size):
        p[place + j] = flat[place + j] + base[j] + slope[j] * (time - origin)
    for k in range(waves.shape[0]):
        c, s = math.cos((k + 1) * omega * time), math.sin((k + 1) * omega * time)
        for j in range(base.size):
            p[place + j] += waves[k, 0, j] * c + waves[k, 1, j] * s


# component by component: the assignment of a row would take numba ten seconds to compile
@_jit
def advance(
    field: Any,
    points: np.ndarray,
    clock: np.ndarray,
    parameters: np.ndarray,
    sign: float,
    rtol: float,
    atol: float,
    bound: float,
    steps: int,
    place: int,
    start: float,
    origin: float,
    base: np.ndarray,
    slope: np.ndarray,
    omega: float,
    waves: np.ndarray,
    longest: float,
) -> None:
    """Adaptive steps of points (B, dim) in place, on from clocks (B, 3) of (time, next step, end); see ``orbits/trajectories.py``.

    ``parameters`` (B, P), or (1, P) where all points have the same. Clocks count from ``start`` on, in the direction of ``sign``;
    the arguments behind it are those of ``set_input``, without fields where the input is constant.
    """
    n, d = points.shape
    k = np.empty((7, 1, d))
    trial = np.empty((1, d))
    for b in range(n):
        flat = parameters[min(b, parameters.shape[0] - 1)]
        p = flat.copy()
        t, h, time, lost = clock[b, 0], clock[b, 1], clock[b, 2], not math.isfinite(points[b, 0])
        for i in range(d):
            trial[0, i] = points[b, i]
        if base.size > 0:
            set_input(p, flat, place, start + sign * t, origin, base, slope, omega, waves)
        field(trial, p, k[0])
        for _ in range(steps):
            if lost or t >= time:
                break
            h = min(min(h, longest), time - t)
            for s in range(1, 7):
                for i in range(d):
                    value = 0.0
                    for j in range(s):
                        value += STAGE_WEIGHTS[s, j] * k[j, 0, i]
                    trial[0, i] = points[b, i] + sign * h * value
                if base.size > 0:
                    set_input(p, flat, place, start + sign * (t + STAGE_TIMES[s] * h), origin, base, slope, omega, waves)
                field(trial, p, k[s])
            error = 0.0
            for i in range(d):
                value = 0.0
                for j in range(7):
                    value += ERROR_WEIGHTS[j] * k[j, 0, i]
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


@_jit
def trace(
    field: Any,
    points: np.ndarray,
    clock: np.ndarray,
    state: np.ndarray,
    flat: np.ndarray,
    sign: float,
    rtol: float,
    atol: float,
    limits: np.ndarray,
    spacing: float,
    most: float,
    trail: np.ndarray,
    counts: np.ndarray,
    none: np.ndarray,
    no_waves: np.ndarray,
) -> None:
    """Steps of ``advance`` no longer than ``spacing``, some written down, until a curve ends, or as many as the trail is long.

    points : (B, dim), clock : (B, 3) as for ``advance``, both in place; flat : (1, P).
    state : (B, 3 + dim), in place: whether the curve goes on (1, or 0), its arc length so far, the speed at which it has come to
    rest, and what was written last; nothing is written that is nearer to it than a fifth of the spacing, but for the end.
    limits : (dim, 2); a curve ends before it leaves them.
    most : float, of the arc length.
    trail : (B, M, dim), counts : (B,): the new points, how many there are.
    none, no_waves : no input, (0,) and (0, 2, 0).
    """
    d = points.shape[1]
    speed, before = np.empty((1, d)), np.empty(d)
    for b in range(points.shape[0]):
        counts[b] = 0
        for _ in range(trail.shape[1]):
            if state[b, 0] == 0.0:
                break
            field(points[b : b + 1], flat[0], speed)
            fast = 0.0
            for i in range(d):
                before[i] = points[b, i]
                fast += speed[0, i] * speed[0, i]
            fast = math.sqrt(fast)
            inside = True
            if fast > state[b, 2]:
                longest = spacing / fast
                here, now = points[b : b + 1], clock[b : b + 1]
                advance(field, here, now, flat, sign, rtol, atol, math.inf, 1, 0, 0.0, 0.0, none, none, 0.0, no_waves, longest)
                way = 0.0
                for i in range(d):
                    way += (points[b, i] - before[i]) ** 2
                    inside = inside and limits[i, 0] <= points[b, i] <= limits[i, 1]  # nan is not
                state[b, 1] += math.sqrt(way)
                if not inside or clock[b, 0] >= clock[b, 2] or state[b, 1] >= most:
                    state[b, 0] = 0.0
            else:
                state[b, 0] = 0.0
            apart = 0.0
            for i in range(d):
                if not inside:
                    points[b, i] = before[i]
                apart += (points[b, i] - state[b, 3 + i]) ** 2
            if apart > 0.04 * spacing * spacing or (state[b, 0] == 0.0 and apart > 0.0):
                for i in range(d):
                    trail[b, counts[b], i] = state[b, 3 + i] = points[b, i]
                counts[b] += 1
