"""Many trajectories of any flow until each has arrived somewhere: compiled steps of a method that shut gates do not slow down.

Rodas4, a Rosenbrock method of order 4(3) of six stages, stiffly accurate and L-stable [Hairer and Wanner, Solving Ordinary
Differential Equations II, section VI.4]: where one unit is a million times slower than another its steps are those of the slow
one, and an explicit method would need a million times more. Nothing here depends on a cell: vector field and Jacobian come as
arguments.
"""

import math
from typing import Any

import numpy as np

from ...support.machine_code import jit

__all__ = ["ARRIVED", "LOST", "MEMORY", "MOVING", "follow", "record"]

_jit = jit(error_model="numpy", nogil=True)

#: Verdicts on a trajectory; from ARRIVED on the number of the set that it is in.
LOST, MOVING, ARRIVED = -2, -1, 0

#: Rodas4: coefficients of the stages' arguments, of the stages in each other, and of the diagonal.
_GAMMA = 0.25
_A = np.zeros((6, 6))
_A[1, :1] = [1.544]
_A[2, :2] = [0.9466785280815826, 0.2557011698983284]
_A[3, :3] = [3.314825187068521, 2.896124015972201, 0.9986419139977817]
_A[4, :4] = [1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950]
_A[5, :5] = [1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950, 1.0]
_C = np.zeros((6, 6))
_C[1, :1] = [-5.6688]
_C[2, :2] = [-2.430093356833875, -0.2063599157091915]
_C[3, :3] = [-0.1073529058151375, -9.594562251023355, -20.47028614809616]
_C[4, :4] = [7.496443313967647, -10.24680431464352, -33.99990352819905, 11.70890893206160]
_C[5, :5] = [8.083246795921522, -7.981132988064893, -31.52159432874371, 16.31930543123136, -6.058818238834054]

#: Longest step: at rest steps would grow until time overflows.
_LONGEST = 1e30

#: Steps after which the state is taken as the new reference to return to; doubled from one to the next [Brent].
_FIRST_REFERENCE = 32

#: Return to the section through the reference that counts, in units of the extent of the path in between.
_NEAR = 0.1

#: Scalars of the memory of a trajectory: time of the reference, steps since, steps until the next; best return so far; candidate
#: (period, return, extent of its path), time of the previous state.
_T0, _SINCE, _NEXT, _BEST, _PERIOD, _RETURN, _EXTENT, _BEFORE = 0, 1, 2, 3, 4, 5, 6, 7

#: Length of a trajectory's memory: so many arrays of the dimension, and scalars. The candidate's state is the first array.
MEMORY = (7, 8)


@_jit
def factorise(A, order):
    """Factors of A in its place, with pivoting; False where it is singular."""
    d = A.shape[0]
    for c in range(d):
        pivot = c
        for i in range(c + 1, d):
            if abs(A[i, c]) > abs(A[pivot, c]):
                pivot = i
        order[c] = pivot
        if not abs(A[pivot, c]) > 0.0:
            return False
        if pivot != c:
            for j in range(d):
                A[c, j], A[pivot, j] = A[pivot, j], A[c, j]
        for i in range(c + 1, d):
            A[i, c] /= A[c, c]
            for j in range(c + 1, d):
                A[i, j] -= A[i, c] * A[c, j]
    return True


@_jit
def substitute(A, order, b):
    """Solves with the factors of ``factorise``, in place."""
    d = A.shape[0]
    for c in range(d):
        pivot = order[c]
        if pivot != c:
            b[c], b[pivot] = b[pivot], b[c]
    for i in range(d):
        for j in range(i):
            b[i] -= A[i, j] * b[j]
    for back in range(d):
        i = d - 1 - back
        for j in range(i + 1, d):
            b[i] -= A[i, j] * b[j]
        b[i] /= A[i, i]


@_jit
def step(field, p, sign, x, speed, J, h, rtol, atol, new, u, trial, A, order):
    """One step from x of length h with the field and the Jacobian there (``sign`` in them); its error in units of the tolerance."""
    d = x.shape[0]
    for i in range(d):
        for j in range(d):
            A[i, j] = -J[i, j]
        A[i, i] += 1.0 / (h * _GAMMA)
    if not factorise(A, order):
        return 1e10
    for s in range(6):
        if s == 0:
            for i in range(d):
                u[0, i] = speed[i]
        else:
            for i in range(d):
                value = x[i]
                for k in range(s):
                    value += _A[s, k] * u[k, i]
                trial[0, i] = value
            field(trial, p, u[s : s + 1])
            for i in range(d):
                value = sign * u[s, i]
                for k in range(s):
                    value += _C[s, k] * u[k, i] / h
                u[s, i] = value
        substitute(A, order, u[s])
    # in units of the whole state: a component that passes 0 needs no more digits than the others
    error, size = 0.0, 0.0
    for i in range(d):
        new[i] = trial[0, i] + u[5, i]
        size = max(size, max(abs(x[i]), abs(new[i])))
        if not abs(u[5, i]) <= error:  # so that a value that is not a number is an error
            error = abs(u[5, i])
    error /= atol + rtol * size
    return error if error == error else 1e10


@_jit
def factor(error):
    """By how much the next step is longer."""
    return min(6.0, max(0.2, 0.9 * (error + 1e-10) ** -0.25))


@_jit
def place(x, centres, frames, paired, reach):
    """The first of the sets that x is in, or MOVING."""
    d = x.shape[0]
    for k in range(centres.shape[0]):
        apart = 0.0
        for i in range(d):
            apart += (x[i] - centres[k, i]) ** 2
        if not apart <= reach[k]:
            continue
        inside, last = True, 0.0
        for i in range(d):
            value = 0.0
            for j in range(d):
                value += frames[k, i, j] * (x[j] - centres[k, j])
            value = value * value
            if paired[k, i]:  # the second coordinate of a pair: its disc
                value += last
            last = value
            if (i + 1 == d or not paired[k, i + 1]) and value > 1.0:
                inside = False
        if inside:
            return k
    return MOVING


@_jit
def refer(x, speed, t, vectors, scalars):
    """Take x as the state to return to."""
    size = 0.0
    for i in range(x.shape[0]):
        size += speed[i] * speed[i]
    size = math.sqrt(size)
    for i in range(x.shape[0]):
        vectors[1, i] = x[i]
        vectors[2, i] = speed[i] / size if size > 0.0 else 0.0
        vectors[3, i], vectors[4, i] = x[i], x[i]
    scalars[_T0], scalars[_SINCE], scalars[_BEST] = t, 0.0, math.inf


@_jit
def returned(x, speed, t, vectors, scalars):
    """Note where the path from the previous state to x crosses the section through the reference, if it comes near it."""
    d = x.shape[0]
    before, now, extent = 0.0, 0.0, 0.0
    for i in range(d):
        before += (vectors[5, i] - vectors[1, i]) * vectors[2, i]
        now += (x[i] - vectors[1, i]) * vectors[2, i]
        vectors[3, i], vectors[4, i] = min(vectors[3, i], x[i]), max(vectors[4, i], x[i])
        extent = max(extent, vectors[4, i] - vectors[3, i])
    scalars[_SINCE] += 1.0
    if not (before < 0.0 <= now) or scalars[_SINCE] < 4.0:
        return
    # Hermite's cubic between the two states, cut by bisection
    h = t - scalars[_BEFORE]
    low, high, distance = 0.0, 1.0, 0.0
    for _ in range(40):
        s = 0.5 * (low + high)
        side, distance = 0.0, 0.0
        for i in range(d):
            a, b = vectors[5, i], x[i]
            value = (1 - s) ** 2 * ((1 + 2 * s) * a + s * h * vectors[6, i]) + s * s * ((3 - 2 * s) * b - (1 - s) * h * speed[i])
            side += (value - vectors[1, i]) * vectors[2, i]
            distance += (value - vectors[1, i]) ** 2
        if side < 0.0:
            low = s
        else:
            high = s
    ratio = math.sqrt(distance) / extent
    if ratio < _NEAR and ratio < 0.5 * scalars[_BEST]:
        scalars[_BEST], scalars[_RETURN], scalars[_EXTENT] = ratio, ratio, extent
        scalars[_PERIOD] = scalars[_BEFORE] + 0.5 * (low + high) * h - scalars[_T0]
        for i in range(d):
            vectors[0, i] = vectors[1, i]


@_jit
def follow(
    field: Any,
    jacobian: Any,
    points: np.ndarray,
    clock: np.ndarray,
    verdict: np.ndarray,
    vectors: np.ndarray,
    scalars: np.ndarray,
    p: np.ndarray,
    centres: np.ndarray,
    frames: np.ndarray,
    paired: np.ndarray,
    reach: np.ndarray,
    t_max: float,
    sign: float,
    rtol: float,
    atol: float,
    bound: float,
    steps: int,
) -> None:
    """Go on with trajectories until they arrive in a set, exceed the bound, or have made so many steps; in place.

    Parameters
    ----------
    field, jacobian : functions (points, p, out)
    points : (n, d) states
    clock : (n, 2) times and next steps
    verdict : (n,) LOST, MOVING, or the set
    vectors, scalars : (n, 7, d), (n, 8) memory of the returns, zeros at first
    p : parameters
    centres, frames, paired, reach : (k, d), (k, d, d), (k, d), (k,)
        Sets |frame (x - centre)| <= 1 in the largest norm, where ``paired`` coordinates count with the one before as the radius of
        a disc; a set is within the square root of ``reach`` of its centre.
    t_max, sign, rtol, atol, bound, steps : the last time, 1 or -1 for backwards, tolerances of a step, bound on components, steps
    """
    n, d = points.shape
    x, new, trial, speed = np.empty(d), np.empty(d), np.empty((1, d)), np.empty((1, d))
    flat, J, A, u, order = np.empty((1, d * d)), np.empty((d, d)), np.empty((d, d)), np.empty((6, d)), np.empty(d, np.int64)
    for b in range(n):
        if verdict[b] != MOVING:
            continue
        t, h = clock[b, 0], clock[b, 1]
        for i in range(d):
            x[i] = points[b, i]
        fresh = True
        for count in range(steps + 1):
            if fresh:
                verdict[b] = place(x, centres, frames, paired, reach)
                for i in range(d):
                    trial[0, i] = x[i]
                    if not abs(x[i]) <= bound:
                        verdict[b] = LOST
                if verdict[b] != MOVING or t >= t_max:
                    break
                field(trial, p, speed)
                jacobian(trial, p, flat)
                for i in range(d):
                    speed[0, i] *= sign
                    for j in range(d):
                        J[i, j] = sign * flat[0, i * d + j]
                if count > 0:
                    returned(x, speed[0], t, vectors[b], scalars[b])
                if scalars[b, _SINCE] >= scalars[b, _NEXT]:
                    scalars[b, _NEXT] = max(2.0 * scalars[b, _NEXT], _FIRST_REFERENCE)
                    refer(x, speed[0], t, vectors[b], scalars[b])
                for i in range(d):
                    vectors[b, 5, i], vectors[b, 6, i] = x[i], speed[0, i]
                scalars[b, _BEFORE] = t
            if count == steps:
                break
            h = min(min(h, _LONGEST), t_max - t)
            error = step(field, p, sign, x, speed[0], J, h, rtol, atol, new, u, trial, A, order)
            fresh = error <= 1.0
            if fresh:
                t += h
                for i in range(d):
                    x[i] = new[i]
            h *= factor(error)
        clock[b, 0], clock[b, 1] = t, h
        for i in range(d):
            points[b, i] = x[i]


@_jit
def record(
    field: Any,
    jacobian: Any,
    start: np.ndarray,
    p: np.ndarray,
    time: float,
    sign: float,
    rtol: float,
    atol: float,
    times: np.ndarray,
    states: np.ndarray,
    speeds: np.ndarray,
) -> int:
    """All steps of one trajectory over a time, as far as there is room; returns their number."""
    d = start.shape[0]
    x, new, trial, speed = start.copy(), np.empty(d), np.empty((1, d)), np.empty((1, d))
    flat, J, A, u, order = np.empty((1, d * d)), np.empty((d, d)), np.empty((d, d)), np.empty((6, d)), np.empty(d, np.int64)
    t, h, n, fresh = 0.0, time / 100.0, 0, True
    for _ in range(20 * times.shape[0]):
        if fresh:
            for i in range(d):
                trial[0, i] = x[i]
            field(trial, p, speed)
            jacobian(trial, p, flat)
            times[n] = t
            for i in range(d):
                speed[0, i] *= sign
                states[n, i], speeds[n, i] = x[i], speed[0, i]
                for j in range(d):
                    J[i, j] = sign * flat[0, i * d + j]
            n += 1
            if t >= time or n == times.shape[0]:
                break
        h = min(h, time - t)
        error = step(field, p, sign, x, speed[0], J, h, rtol, atol, new, u, trial, A, order)
        fresh = error <= 1.0
        if fresh:
            t = time if h >= time - t else t + h
            for i in range(d):
                x[i] = new[i]
        h *= factor(error)
    return n
