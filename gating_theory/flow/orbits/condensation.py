"""Newton's method for a closed orbit, compiled: in its linear system stages go interval by interval, then the ring of mesh points.

Nothing here depends on a flow: it comes as a pointer, so that numba keeps the compiled code from one process to the next.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...support.machine_code import jit

__all__ = ["CONVERGED", "LEFT", "SINGULAR", "UNFINISHED", "newton_iteration", "newton_step"]

#: How Newton's method ends: where it should, at a singular system, out of all bounds, or after the last iteration allowed.
CONVERGED, SINGULAR, LEFT, UNFINISHED = 0, 1, 2, 3

#: Correction below which rounding ends the iteration where the tolerance cannot: no progress by this factor, after so many steps.
_SMALL, _PROGRESS, _EARLIEST = 1e-7, 0.3, 3

#: The largest correction that is made in full, in units of the state.
_LARGEST = 0.5

_jit = jit(nogil=True, error_model="numpy")


@_jit
def _solve_in_place(A: np.ndarray, size: int) -> bool:
    """Solve the square system in the first ``size`` columns of A for the others, which the solutions replace; False if singular."""
    width = A.shape[1]
    for k in range(size):
        best, pivot = abs(A[k, k]), k
        for i in range(k + 1, size):
            if abs(A[i, k]) > best:
                best, pivot = abs(A[i, k]), i
        if not best > 0.0:
            return False
        if pivot != k:
            for c in range(k, width):
                A[k, c], A[pivot, c] = A[pivot, c], A[k, c]
        inverse = 1.0 / A[k, k]
        for i in range(k + 1, size):
            factor = A[i, k] * inverse
            if factor != 0.0:
                for c in range(k + 1, width):
                    A[i, c] -= factor * A[k, c]
    for k in range(size - 1, -1, -1):
        inverse = 1.0 / A[k, k]
        for c in range(size, width):
            A[k, c] *= inverse
        for i in range(k):
            factor = A[i, k]
            for c in range(size, width):
                A[i, c] -= factor * A[k, c]
    return True


@_jit
def _upper_triangular(W: np.ndarray, columns: int) -> None:
    """Householder reflections that make the first columns of W upper triangular: no product of transfer matrices ever grows."""
    height, width = W.shape
    for k in range(columns):
        norm = 0.0
        for i in range(k, height):
            norm += W[i, k] * W[i, k]
        norm = np.sqrt(norm)
        if norm == 0.0:
            continue
        alpha = -norm if W[k, k] > 0.0 else norm
        first = W[k, k] - alpha  # of the reflection's vector, the rest of which is the column itself
        scale = 1.0 / (alpha * first)
        for c in range(k + 1, width):
            dot = first * W[k, c]
            for i in range(k + 1, height):
                dot += W[i, k] * W[i, c]
            dot *= scale
            W[k, c] += dot * first
            for i in range(k + 1, height):
                W[i, c] += dot * W[i, k]
        W[k, k] = alpha


@_jit
def _equation(row: np.ndarray, own: int, ends: np.ndarray, a: int, d: int) -> None:
    """Component a of du_{j+1} - transfer_j du_j - (columns of the numbers) = gap, with du_j in the columns from ``own`` on."""
    for c in range(row.size):
        row[c] = 0.0
    for b in range(d):
        row[own + b] = -ends[1 + b]
    # the first equation stands where its point j = 1 is the one that goes next
    row[a if own else d + a] = 1.0
    for p in range(ends.size - 1 - d):
        row[3 * d + p] = -ends[1 + d + p]
    row[row.size - 1] = ends[0]


@_jit
def newton_step(
    h: np.ndarray,
    period: float,
    D: np.ndarray,
    end: np.ndarray,
    points: np.ndarray,
    stages: np.ndarray,
    linear: np.ndarray,
    rows: np.ndarray,
    anchors: np.ndarray,
    corner: np.ndarray,
    below: np.ndarray,
) -> tuple[bool, float, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Newton's correction of a closed orbit, and the direction in which its conditions allow it to move.

    Parameters
    ----------
    h : (n,) array, lengths of the mesh intervals; period : float
    D, end : derivative and end value of the collocation polynomial, as in ``gauss_scheme``
    points : (n, d) array, stages : (n, m, d) array, the orbit
    linear : (n m, d (d + 2)) array, the flow at the stages: its velocity, its Jacobian row by row, its slope by the parameter
        The slope is read where there are two conditions.
    rows, anchors : (q, n, m, d) arrays, corner : (q, q) array, below : (q,) array
        Conditions sum(rows (stages + dU - anchors)) + corner (dT, dp) = below, for q = 1 or 2 unknown numbers.

    Returns
    -------
    solved : bool, False where the system is singular
    change : float, the largest correction of a state
    du : (2, n, d) array, dU : (2, n, m, d) array, dq : (2, q) array
        First the correction; then what solves the same equations with zero on the right but for 1 in the last condition.
    transfer : (n, d, d) array, derivatives of the orbit across each interval
    """
    n, m, d = stages.shape
    q, slope = corner.shape[0], d + d * d
    size, wide = m * d, 1 + d + q
    A = np.empty((size, size + wide))
    S = np.empty((n, size, wide))
    ends = np.zeros((n, d, wide))
    transfer = np.zeros((n, d, d))
    du, dU, dq = np.zeros((2, n, d)), np.zeros((2, n, m, d)), np.zeros((2, q))
    t = np.empty(d)
    on_points = np.zeros((q, n, d))  # the conditions once the stages are gone
    corner, below = corner.copy(), below.copy()
    failed = False, np.inf, du, dU, dq, transfer

    # --- stages: what they are at given points, period and parameter
    for j in range(n):
        for k in range(m):
            at = linear[j * m + k]
            for a in range(d):
                row = k * d + a
                for c in range(size + wide):
                    A[row, c] = 0.0
                for l in range(m):
                    A[row, l * d + a] = D[k, l + 1]
                for b in range(d):
                    A[row, k * d + b] -= period * h[j] * at[d + a * d + b]
                defect = D[k, 0] * points[j, a]
                for l in range(m):
                    defect += D[k, l + 1] * stages[j, l, a]
                A[row, size] = period * h[j] * at[a] - defect
                A[row, size + 1 + a] = -D[k, 0]
                A[row, size + 1 + d] = h[j] * at[a]
                if q > 1:
                    A[row, size + 2 + d] = period * h[j] * at[slope + a]
        if not _solve_in_place(A, size):
            return failed
        for row in range(size):
            for c in range(wide):
                S[j, row, c] = A[row, size + c]
        after = (j + 1) % n
        for a in range(d):
            ends[j, a, 0] = end[0] * points[j, a] - points[after, a]
            ends[j, a, 1 + a] = end[0]
            for k in range(m):
                ends[j, a, 0] += end[k + 1] * stages[j, k, a]
                for c in range(wide):
                    ends[j, a, c] += end[k + 1] * S[j, k * d + a, c]
            for b in range(d):
                transfer[j, a, b] = ends[j, a, 1 + b]
        for i in range(q):
            for k in range(m):
                for a in range(d):
                    weight = rows[i, j, k, a]
                    below[i] -= weight * (stages[j, k, a] - anchors[i, j, k, a] + S[j, k * d + a, 0])
                    for b in range(d):
                        on_points[i, j, b] += weight * S[j, k * d + a, 1 + b]
                    for p in range(q):
                        corner[i, p] += weight * S[j, k * d + a, 1 + d + p]

    # --- the ring du_{j+1} = transfer_j du_j + ...: points 1..n-1 go one after the other, each by the equations on its two sides
    full = 3 * d + q + 1  # columns: the point itself, the next one, the first one, the numbers; the right side
    kept = np.zeros((n, d, full))
    W, E = np.zeros((2 * d, full)), np.zeros((d, full))
    for a in range(d):
        _equation(E[a], 2 * d, ends[0, a], a, d)
    for j in range(1, n):
        for a in range(d):
            for c in range(full):
                W[a, c] = E[a, c]
            _equation(W[d + a], 0, ends[j, a], a, d)
        _upper_triangular(W, d)
        for a in range(d):
            for c in range(full):
                kept[j, a, c] = W[a, c]
                E[a, c] = W[d + a, c]
            for b in range(d):  # the next point is the one that goes next
                E[a, b], E[a, d + b] = W[d + a, d + b], 0.0
        after = (j + 1) % n
        for i in range(q):
            for a in range(d):
                if W[a, a] == 0.0:
                    return failed
                t[a] = on_points[i, j, a]
                for b in range(a):
                    t[a] -= W[b, a] * t[b]
                t[a] /= W[a, a]
            for a in range(d):
                for b in range(d):
                    on_points[i, after, b] -= t[a] * W[a, d + b]
                    on_points[i, 0, b] -= t[a] * W[a, 2 * d + b]
                for p in range(q):
                    corner[i, p] -= t[a] * W[a, 3 * d + p]
                below[i] -= t[a] * W[a, 3 * d + q]

    # --- the first point with the numbers, and back
    last = np.zeros((d + q, d + q + 2))
    for a in range(d):
        for b in range(d):
            last[a, b] = E[a, b] + E[a, 2 * d + b]
        for p in range(q + 1):
            last[a, d + p] = E[a, 3 * d + p]
    for i in range(q):
        for b in range(d):
            last[d + i, b] = on_points[i, 0, b]
        for p in range(q):
            last[d + i, d + p] = corner[i, p]
        last[d + i, d + q] = below[i]
    last[d + q - 1, d + q + 1] = 1.0
    if not _solve_in_place(last, d + q):
        return failed
    for s in range(2):
        for a in range(d):
            du[s, 0, a] = last[a, d + q + s]
        for p in range(q):
            dq[s, p] = last[d + p, d + q + s]
        for j in range(n - 1, 0, -1):
            after = (j + 1) % n
            for a in range(d - 1, -1, -1):
                value = kept[j, a, 3 * d + q] if s == 0 else 0.0
                for b in range(d):
                    value -= kept[j, a, d + b] * du[s, after, b] + kept[j, a, 2 * d + b] * du[s, 0, b]
                for p in range(q):
                    value -= kept[j, a, 3 * d + p] * dq[s, p]
                for b in range(a + 1, d):
                    value -= kept[j, a, b] * du[s, j, b]
                du[s, j, a] = value / kept[j, a, a]
        for j in range(n):
            for k in range(m):
                for a in range(d):
                    row = k * d + a
                    value = S[j, row, 0] if s == 0 else 0.0
                    for b in range(d):
                        value += S[j, row, 1 + b] * du[s, j, b]
                    for p in range(q):
                        value += S[j, row, 1 + d + p] * dq[s, p]
                    dU[s, j, k, a] = value
    change = 0.0
    for j in range(n):
        for a in range(d):
            change = max(change, abs(du[0, j, a]))
            for k in range(m):
                change = max(change, abs(dU[0, j, k, a]))
    return True, change if np.isfinite(du[0].sum() + dU[0].sum()) else np.inf, du, dU, dq, transfer


@_jit
def _conditions(
    h: np.ndarray,
    b: np.ndarray,
    D: np.ndarray,
    points: np.ndarray,
    stages: np.ndarray,
    along: np.ndarray,
    anchor: np.ndarray,
    q: int,
) -> tuple[np.ndarray, np.ndarray]:
    """``rows`` and ``anchors`` of :func:`newton_step`, with the weights of the time average."""
    n, m, d = stages.shape
    rows, anchors = np.empty((q, n, m, d)), np.empty((q, n, m, d))
    for j in range(n):
        for k in range(m):
            for a in range(d):
                gain = D[k, 0] * points[j, a]
                for l in range(m):
                    gain += D[k, l + 1] * stages[j, l, a]
                rows[0, j, k, a], anchors[0, j, k, a] = b[k] * gain, stages[j, k, a]
                if q > 1:
                    rows[1, j, k, a], anchors[1, j, k, a] = h[j] * b[k] * along[j, k, a], anchor[j, k, a]
    return rows, anchors


@_jit
def newton_iteration(
    linearised: Any,
    flat: np.ndarray,
    rates: np.ndarray,
    h: np.ndarray,
    b: np.ndarray,
    D: np.ndarray,
    end: np.ndarray,
    points: np.ndarray,
    stages: np.ndarray,
    numbers: np.ndarray,
    phase_points: np.ndarray,
    phase_stages: np.ndarray,
    along: np.ndarray,
    anchor: np.ndarray,
    corner: np.ndarray,
    held: np.ndarray,
    goal: np.ndarray,
    tol: float,
    iterations: int,
    longest: float,
) -> tuple[int, float, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Newton's method for a closed orbit on a fixed mesh.

    Parameters
    ----------
    linearised : pointer, of ``CompiledFlow.argument``
    flat, rates : (P,) arrays, the flow's parameters where the unknown one is 0, and how they change with it
    h, D, end, points, stages : as for :func:`newton_step`; b : (m,) array, weights of the integral
    numbers : (q,) array, period and, for q = 2, parameter to begin with
    phase_points, phase_stages : (n, d) and (n, m, d) arrays, the curve along whose velocity the orbit does not move
    along, anchor : (n, m, d) arrays, direction and stages of the second condition, read for q = 2
    corner : (q, q) array, held, goal : (q,) arrays
        Conditions <velocity, stages - phase_stages> or <along, stages - anchor>, plus corner (numbers - held), = goal.
    tol : float, bound on the last correction
    iterations : int, at most
    longest : float, bound on the period

    Returns
    -------
    how : int, CONVERGED, SINGULAR, LEFT or UNFINISHED
    change : float, the last correction
    points, stages, numbers : the orbit it came to
    transfer, du, dU, dq : as from :func:`newton_step`, before the last correction
    """
    n, m, d = stages.shape
    q = corner.shape[0]
    points, stages, numbers = points.copy(), stages.copy(), numbers.copy()
    rows, anchors = _conditions(h, b, D, phase_points, phase_stages, along, anchor, q)
    linear, here, below = np.empty((n * m, d * (d + 2))), flat.copy(), np.empty(q)
    transfer, du, dU, dq = np.zeros((n, d, d)), np.zeros((2, n, d)), np.zeros((2, n, m, d)), np.zeros((2, q))
    change, last = np.inf, np.inf
    for iteration in range(iterations):
        if q > 1:
            for c in range(flat.size):
                here[c] = flat[c] + numbers[1] * rates[c]
        linearised(stages.reshape(n * m, d), here, rates, linear)
        for i in range(q):
            below[i] = goal[i]
            for p in range(q):
                below[i] -= corner[i, p] * (numbers[p] - held[p])
        solved, change, du, dU, dq, transfer = newton_step(
            h, numbers[0], D, end, points, stages, linear, rows, anchors, corner, below
        )
        if not solved:
            return SINGULAR, change, points, stages, numbers, transfer, du, dU, dq
        change = max(change, abs(dq[0, 0]) / max(1.0, abs(numbers[0])))
        if not np.isfinite(change + dq[0].sum()):
            return LEFT, change, points, stages, numbers, transfer, du, dU, dq
        damping = _LARGEST / change if change > _LARGEST else 1.0
        for j in range(n):
            for a in range(d):
                points[j, a] += damping * du[0, j, a]
                for k in range(m):
                    stages[j, k, a] += damping * dU[0, j, k, a]
        for p in range(q):
            numbers[p] += damping * dq[0, p]
        if not 0.0 < numbers[0] <= longest:
            return LEFT, change, points, stages, numbers, transfer, du, dU, dq
        if change <= tol or (change < _SMALL and change > _PROGRESS * last and iteration > _EARLIEST):
            return CONVERGED, change, points, stages, numbers, transfer, du, dU, dq
        last = change
    return UNFINISHED, change, points, stages, numbers, transfer, du, dU, dq
