"""The equations of singular values as ones of power series, solved coefficient by coefficient, compiled [T9].

Arrays: M sites, m monomials x^power P^e Q^f, n messages, unknowns P_1.., Q_1.., series of J coefficients, lowest power first.
"""

from __future__ import annotations

import numpy as np

from ...support.kernels import kernel

__all__ = ["moments_of"]

_jit = kernel(nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "arcp", "nsz"})


@_jit
def moments_of(
    base: np.ndarray, c: np.ndarray, w: np.ndarray, exponents: np.ndarray, power: np.ndarray, g: np.ndarray, size: int
) -> np.ndarray:
    """(J,) of E d log D / d log eta / 2, a series in x = 1 / eta^2.

    Parameters
    ----------
    base, c, w : (M,), (m, M), (M,) arrays, as of Regulated
    exponents : (m, 2n) int array, of P and Q
    power : (m,) int array
    g : (m,) int array, exponents of eta
    size : int, J
    """
    m, v = exponents.shape
    n, d = v // 2, g.max() // 2
    unknowns, new = np.zeros((v, size)), np.zeros((v, size))
    powers = np.zeros((v, exponents.max() + 1, size))
    D, inverse, averages = np.zeros((size, base.size)), np.zeros((size, base.size)), np.zeros((m, size))
    one, spare = np.zeros(size), np.zeros(size)
    for last in range(size):
        length = last + 1
        # the next coefficients of D and of its inverse: they do not depend on the last ones of the unknowns
        _set_powers(unknowns, powers, length)
        for i in range(m):
            _set_monomial(exponents[i], power[i], -1, powers, length, one, spare)
            if one[last] != 0.0:
                for s in range(base.size):
                    D[last, s] += one[last] * c[i, s]
        if last == d:
            for s in range(base.size):
                D[last, s] += base[s]
        if last == 0:
            inverse[0] = 1.0  # D begins with 1
        for i in range(1, length):
            for s in range(base.size):
                inverse[last, s] -= D[i, s] * inverse[last - i, s]
        for i in range(m):
            total = 0.0
            for s in range(base.size):
                total += c[i, s] * w[s] * inverse[last, s]
            averages[i, last] = total
        # a coefficient of p follows from the same one of the messages that it feeds through fields, of q from those that feed it:
        # in no circle, so that the longest chain has as many links as there are messages
        for _ in range(n):
            _set_powers(unknowns, powers, length)
            for k in range(v):
                new[k, :length] = 0.0
                for i in range(m):
                    if exponents[i, k] > 0:
                        _set_monomial(exponents[i], power[i] - 1, k, powers, length, one, spare)
                        _add_product(float(exponents[i, k]), one, averages[i], new[k], length)
            for k in range(v):
                unknowns[k, :length] = new[(k + n) % v, :length]
    out = np.zeros(size)
    _set_powers(unknowns, powers, size)
    for i in range(m):
        if g[i] > 0:
            _set_monomial(exponents[i], power[i], -1, powers, size, one, spare)
            _add_product(0.5 * g[i], one, averages[i], out, size)
    return out


@_jit
def _set_powers(unknowns: np.ndarray, powers: np.ndarray, length: int) -> None:
    """Of each unknown all powers; the first is 1."""
    for k in range(unknowns.shape[0]):
        powers[k, 0, :length] = 0.0
        powers[k, 0, 0] = 1.0
        for e in range(1, powers.shape[1]):
            powers[k, e, :length] = 0.0
            _add_product(1.0, powers[k, e - 1], unknowns[k], powers[k, e], length)


@_jit
def _set_monomial(
    exponents: np.ndarray, power: int, fallen: int, powers: np.ndarray, length: int, one: np.ndarray, spare: np.ndarray
) -> None:
    """x^power P^e Q^f, the exponent of one of the unknowns less by 1."""
    one[:length] = 0.0
    if power >= length:
        return
    one[power] = 1.0
    for k in range(exponents.size):
        e = exponents[k] - (1 if k == fallen else 0)
        if e > 0:
            spare[:length] = 0.0
            _add_product(1.0, one, powers[k, e], spare, length)
            one[:length] = spare[:length]


@_jit
def _add_product(factor: float, a: np.ndarray, b: np.ndarray, out: np.ndarray, length: int) -> None:
    """Add the product of two series."""
    for i in range(length):
        if a[i] != 0.0:
            for j in range(length - i):
                out[i + j] += factor * a[i] * b[j]
