"""Averages over sites of squares of ratios of polynomials with zeros of their own: holes of the spectrum, compiled [T10]."""

from __future__ import annotations

import numpy as np

from ..support.kernels import kernel

__all__ = ["mean_squares"]

_jit = kernel(nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "arcp", "nsz"})


@_jit
def mean_squares(t: np.ndarray, denominator: np.ndarray, numerators: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """E|numerator / denominator|^2, (L, m); inf where the denominator vanishes at a site.

    Parameters
    ----------
    t : (L,) complex
    denominator : (d + 1, M), coefficients, lowest first
    numerators : (m, d + 1, M)
    weights : (M,)
    """
    out = np.zeros((t.size, numerators.shape[0]))
    for l in range(t.size):
        re, im = t[l].real, t[l].imag
        for s in range(weights.size):
            size = _square(re, im, denominator, s)
            for m in range(numerators.shape[0]):
                if size > 0.0:
                    out[l, m] += weights[s] * (_square(re, im, numerators[m], s) / size)
                else:
                    out[l, m] = np.inf
    return out


@_jit
def _square(re: float, im: float, coefficients: np.ndarray, s: int) -> float:
    """Squared modulus of a polynomial of one site, by Horner's rule."""
    x, y = coefficients[-1, s], 0.0
    for power in range(coefficients.shape[0] - 2, -1, -1):
        x, y = x * re - y * im + coefficients[power, s], x * im + y * re
    return x * x + y * y
