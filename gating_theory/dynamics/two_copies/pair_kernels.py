"""Sums of power series over many pairs, compiled [T8b]."""

from __future__ import annotations

import numpy as np

from ...support.kernels import kernel

__all__ = ["series_of_pairs"]

_jit = kernel(nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})

#: Pairs of one row that are summed together: their sums stay in registers and the first cache.
_TOGETHER = 64


@_jit
def series_of_pairs(
    table: np.ndarray, rest: np.ndarray, rho: np.ndarray, row: int, column: int, first: int, step: int, negligible: float
) -> np.ndarray:
    """sum_n table[n, row + i] table[n, column + j] rho[i, j]^n over n = first, first + step, .., by Horner's rule.

    Parameters
    ----------
    table : (N, places) array of coefficients
    rest : (N + 1,) array, what the terms from the n-th on may add up to at rho = 1
    rho : (R, n) array
    row, column : int, the first places of the pairs
    first, step : int, 0 or 1 and 1 or 2: which powers there are
    negligible : float, terms that add less than this are left out, group by group of neighbouring pairs

    Returns
    -------
    (R, n) array
    """
    R, n, N = rho.shape[0], rho.shape[1], table.shape[0]
    out = np.empty((R, n))
    power, value = np.empty(_TOGETHER), np.empty(_TOGETHER)
    for i in range(R):
        for start in range(0, n, _TOGETHER):
            width = min(_TOGETHER, n - start)
            largest = 0.0
            for j in range(width):
                x = rho[i, start + j]
                largest = max(largest, abs(x))
                power[j] = x * x if step == 2 else x
                value[j] = 0.0
            terms, size = 0, 1.0
            while terms < N and rest[terms] * size > negligible:
                terms += 1
                size *= largest
            last = first + step * ((terms - 1 - first) // step)
            for k in range(last, first - 1, -step):
                c = table[k, row + i]
                for j in range(width):
                    value[j] = value[j] * power[j] + c * table[k, column + start + j]
            for j in range(width):
                out[i, start + j] = value[j] * rho[i, start + j] if first == 1 else value[j]
    return out
