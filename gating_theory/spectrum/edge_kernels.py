"""The numbers that make finite-size laws, for many draws of sites at many lambdas, compiled [T12].

Arrays: D draws, L lambdas each, N sites a draw, g Gram rows, m monomials of one loop of n messages.

All that belongs to one lambda of one draw is done at once, while its sites are in the cache. Loops that add up store nothing: see
:mod:`gating_theory.spectrum.dyson_kernels`.
"""

from __future__ import annotations

import numpy as np

from ..support.kernels import kernel

__all__ = ["numbers_of_draws"]

#: Smallest |chi|^2: its inverse to the fourth power is a number.
_TINY = 1e-60
#: Squarings until the columns of T are its Perron vectors, and what is added to its diagonal first: see ``determinant.perron``.
_SQUARINGS, _SHIFT = 12, 0.1
_jit = kernel(nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "arcp", "nsz"})


@_jit
def numbers_of_draws(
    t: np.ndarray,
    value: np.ndarray,
    slope: np.ndarray,
    chi: np.ndarray,
    gram: np.ndarray,
    monomial: np.ndarray,
    basis: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    weights: np.ndarray,
    n: int,
    want_shares: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """tau, its gradient, kappa and E phi^2 of one loop.

    Parameters
    ----------
    t : (D, L) complex, lambda minus the place of the expansion
    value, slope : (D, L, B), products of powers of t, and (complex) their derivatives by t
    chi, gram : (d + 1, D N) and (g, D N), the sites of one draw after those of another
    monomial, basis : (g,), which monomial (of one or two rows), and which product of powers, a row of ``gram`` belongs to
    rows, columns : (m, 2), messages of the loop in each monomial; -1 where it has one row only
    weights : (N,)
    n : number of messages of the loop
    want_shares : whether phi of every site is wanted

    Returns
    -------
    tau : (D, L)
    gradient : (D, L) complex, d tau / dx + i d tau / dy
    kappa, square : (D, L), E tr (L R)^2 and E phi^2
    shares : (D, L, N) phi, or (0, 0, 0)
    """
    D, L = t.shape
    N = weights.size
    tau, kappa, square = np.zeros((D, L)), np.zeros((D, L)), np.zeros((D, L))
    gradient = np.zeros((D, L), dtype=np.complex128)
    shares = np.zeros((D, L, N)) if want_shares else np.zeros((0, 0, 0))
    inverse, re, im = np.empty(N), np.empty(N), np.empty(N)
    phi, pairs = np.empty(N), np.empty(N)
    T, left, right = np.zeros((n, n)), np.ones(n), np.ones(n)
    factor, dots = np.empty(rows.shape[0]), np.empty(monomial.size)
    for d in range(D):
        first = d * N
        for l in range(L):
            _set_leaks(t[d, l], chi, first, inverse, re, im)
            T[:, :] = 0.0
            for g in range(monomial.size):
                m = monomial[g]
                if rows[m, 1] < 0:
                    dots[g] = _dot(weights, inverse, gram[g, first : first + N])
                    T[rows[m, 0], columns[m, 0]] += value[d, l, basis[g]] * dots[g]
            _set_perron(T, left, right)
            phi[:] = 0.0
            pairs[:] = 0.0
            change = 0.0j
            for m in range(rows.shape[0]):
                factor[m] = left[rows[m, 0]] * right[columns[m, 0]]
                if rows[m, 1] >= 0:
                    factor[m] *= left[rows[m, 1]] * right[columns[m, 1]]
            for g in range(monomial.size):
                m = monomial[g]
                f = factor[m] * value[d, l, basis[g]]
                row = gram[g, first : first + N]
                if rows[m, 1] < 0:
                    _add(f, row, phi)
                    change += factor[m] * slope[d, l, basis[g]] * dots[g]
                else:
                    _add(f, row, pairs)
            _scale(inverse, phi)
            _scale(inverse, pairs)
            tau[d, l], square[d, l] = _mean(weights, phi), _dot(weights, phi, phi)
            kappa[d, l] = square[d, l] - 2.0 * _mean(weights, pairs)
            change -= complex(_dot(weights, phi, re), _dot(weights, phi, im))
            gradient[d, l] = complex(2.0 * change.real, -2.0 * change.imag)
            if want_shares:
                shares[d, l] = phi
    return tau, gradient, kappa, square, shares


@_jit
def _set_leaks(t: complex, chi: np.ndarray, first: int, inverse: np.ndarray, re: np.ndarray, im: np.ndarray) -> None:
    """1/|chi|^2 and d log chi / dt at the sites from ``first`` on."""
    degree, N = chi.shape[0] - 1, inverse.size
    for s in range(N):
        a, b = chi[degree, first + s], 0.0  # chi, by Horner's rule
        u, v = 0.0, 0.0  # its derivative
        for power in range(degree - 1, -1, -1):
            u, v = u * t.real - v * t.imag + a, u * t.imag + v * t.real + b
            a, b = a * t.real - b * t.imag + chi[power, first + s], a * t.imag + b * t.real
        one = 1.0 / max(a * a + b * b, _TINY)
        inverse[s] = one
        re[s] = (u * a + v * b) * one
        im[s] = (v * a - u * b) * one


@_jit
def _dot(weights: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    total = 0.0
    for s in range(weights.size):
        total += weights[s] * a[s] * b[s]
    return total


@_jit
def _mean(weights: np.ndarray, a: np.ndarray) -> float:
    total = 0.0
    for s in range(weights.size):
        total += weights[s] * a[s]
    return total


@_jit
def _add(factor: float, row: np.ndarray, out: np.ndarray) -> None:
    for s in range(out.size):
        out[s] += factor * row[s]


@_jit
def _scale(factor: np.ndarray, out: np.ndarray) -> None:
    for s in range(out.size):
        out[s] *= factor[s]


@_jit
def _set_perron(T: np.ndarray, left: np.ndarray, right: np.ndarray) -> None:
    """Left and right Perron vectors of an irreducible matrix, whose scalar product is 1."""
    n = left.size
    if n == 1:
        left[0], right[0] = 1.0, 1.0
        return
    power, next_one = np.empty((n, n)), np.empty((n, n))
    largest = _largest(T)
    for i in range(n):
        for j in range(n):
            power[i, j] = T[i, j] / max(largest, _TINY) + (_SHIFT if i == j else 0.0)
    for _ in range(_SQUARINGS):
        for i in range(n):
            for j in range(n):
                total = 0.0
                for k in range(n):
                    total += power[i, k] * power[k, j]
                next_one[i, j] = total
        largest = _largest(next_one)
        for i in range(n):
            for j in range(n):
                power[i, j] = next_one[i, j] / largest
    product = 0.0
    for i in range(n):
        left[i], right[i] = 0.0, 0.0
        for j in range(n):
            right[i] += power[i, j]
            left[i] += power[j, i]
        product += left[i] * right[i]
    for i in range(n):
        left[i] /= product


@_jit
def _largest(matrix: np.ndarray) -> float:
    out = 0.0
    for i in range(matrix.shape[0]):
        for j in range(matrix.shape[1]):
            out = max(out, matrix[i, j])
    return out
