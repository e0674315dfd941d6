"""The covariances of a perturbation at kept sites, of two times or of one, compiled [T9].

Arrays: n messages, d states, R rows (messages and states), G nodes, p terms. Columns of U are what belongs to message k of a
perturbation that began in state b, at b n + k, and last of all what a kick at time zero leaves.

Loops that add up store nothing: see :mod:`gating_theory.spectrum.dyson_kernels`.
"""

from __future__ import annotations

import numpy as np

from ..support.kernels import kernel

__all__ = ["renewed", "rows_at_equal_times"]

_jit = kernel(nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "arcp", "nsz"})


@_jit
def rows_at_equal_times(
    shifts: np.ndarray,
    under: np.ndarray,
    terms: np.ndarray,
    weights: np.ndarray,
    constants: np.ndarray,
    values: np.ndarray,
    n: int,
    d: int,
    size: int,
    last: int,
) -> np.ndarray:
    """(last + 1, d, R) rows at t' = t of perturbations that began in each state.

    Parameters
    ----------
    shifts, under : (q, 2) int and (q, G), the powers (i, j) of x and y in chi(x) chi(y) and their coefficients, 1 left out
    terms, weights : (p, 4) int and (p, G), row, column, i and j of the terms, of both orders where i and j differ
    constants, values : (c, 3) int and (c,), row, column and power
    n, d, size : numbers of messages, states and rows
    last : the last time
    """
    nodes, columns = weights.shape[1], d * n + 1
    depth = 1
    for q in range(shifts.shape[0]):
        depth = max(depth, shifts[q, 0] + 1, shifts[q, 1] + 1)
    for q in range(terms.shape[0]):
        depth = max(depth, terms[q, 2] + 1, terms[q, 3] + 1)
    for q in range(constants.shape[0]):
        depth = max(depth, constants[q, 2] + 1)
    at_once = False  # whether messages of one step feed one another
    for q in range(terms.shape[0]):
        at_once |= terms[q, 2] + terms[q, 3] == 0 and terms[q, 1] < n
    for q in range(constants.shape[0]):
        at_once |= constants[q, 2] == 0 and constants[q, 1] < n
    U = np.zeros((depth, last + 1, columns, nodes))
    C = np.zeros((depth, last + 1, d, n))
    rows = np.zeros((d, size))
    out = np.zeros((last + 1, d, size))
    for t in range(last + 1):
        here = t % depth
        for s in range(t + 1):
            rows[:] = 0.0
            for c in range(columns):
                for g in range(nodes):
                    U[here, s, c, g] = 0.0
            for q in range(shifts.shape[0]):
                a, b = t - shifts[q, 0], s - shifts[q, 1]
                if b >= 0 and a >= 0:
                    past, at = max(a, b) % depth, min(a, b)
                    for c in range(columns):
                        for g in range(nodes):
                            U[here, s, c, g] -= under[q, g] * U[past, at, c, g]
            if t == 0:
                for g in range(nodes):
                    U[here, s, columns - 1, g] += 1.0
            for q in range(terms.shape[0]):
                a, b = t - terms[q, 2], s - terms[q, 3]
                if b >= 0 and a >= 0:
                    past, at = max(a, b) % depth, min(a, b)
                    row, column = terms[q, 0], terms[q, 1]
                    if column < n:
                        for start in range(d):
                            rows[start, row] += _dot(weights, q, U, past, at, start * n + column)
                    else:
                        rows[column - n, row] += _dot(weights, q, U, past, at, columns - 1)
            for q in range(constants.shape[0]):
                row, column, power = constants[q, 0], constants[q, 1], constants[q, 2]
                if column >= n:
                    if t == power and s == power:
                        rows[column - n, row] += values[q]
                elif power > 0 and s >= power:
                    for start in range(d):
                        rows[start, row] += values[q] * C[(t - power) % depth, s - power, start, column]
            if at_once:
                _within_a_step(terms, weights, constants, values, n, rows)
            for start in range(d):
                for k in range(n):
                    C[here, s, start, k] = rows[start, k]
                    for g in range(nodes):
                        U[here, s, start * n + k, g] += rows[start, k]
        out[t] = rows
    return out


@_jit
def _within_a_step(
    terms: np.ndarray, weights: np.ndarray, constants: np.ndarray, values: np.ndarray, n: int, rows: np.ndarray
) -> None:
    """What messages of one step feed one another, in their order."""
    for row in range(rows.shape[1]):
        for q in range(constants.shape[0]):
            if constants[q, 0] == row and constants[q, 2] == 0 and constants[q, 1] < n:
                for start in range(rows.shape[0]):
                    rows[start, row] += values[q] * rows[start, constants[q, 1]]
        for q in range(terms.shape[0]):
            if terms[q, 0] == row and terms[q, 2] == 0 and terms[q, 3] == 0 and terms[q, 1] < n:
                total = weights[q].sum()
                for start in range(rows.shape[0]):
                    rows[start, row] += total * rows[start, terms[q, 1]]


@_jit
def _dot(weights: np.ndarray, q: int, U: np.ndarray, past: int, at: int, column: int) -> float:
    total = 0.0
    for g in range(weights.shape[1]):
        total += weights[q, g] * U[past, at, column, g]
    return total


@_jit
def renewed(kernel: np.ndarray, at_once: np.ndarray, n: int) -> np.ndarray:
    """(last + 1, R, d) rows of the renewal equation of one time.

    Parameters
    ----------
    kernel : (last + 1, R, n + d), averages of squared answers m steps later
    at_once : (n, n), the inverse of 1 minus what messages of one step feed one another
    n : number of messages
    """
    times, size, columns = kernel.shape
    d = columns - n
    out = np.zeros((times, size, d))
    past = np.zeros((n, d))
    for t in range(times):
        for k in range(n):
            for b in range(d):
                total = kernel[t, k, n + b]
                for m in range(1, t + 1):
                    for l in range(n):
                        total += kernel[m, k, l] * out[t - m, l, b]
                past[k, b] = total
        for k in range(n):
            for b in range(d):
                total = 0.0
                for l in range(n):
                    total += at_once[k, l] * past[l, b]
                out[t, k, b] = total
        for row in range(n, size):
            for b in range(d):
                total = kernel[t, row, n + b]
                for m in range(t + 1):
                    for l in range(n):
                        total += kernel[m, row, l] * out[t - m, l, b]
                out[t, row, b] = total
    return out
