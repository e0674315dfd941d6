"""The inner loops of the self-consistent equations [T4], compiled: sums over sites that numpy would need ten passes for.

Compiled code is kept on disk, and runs without its compiler, which takes a second to import.
Arrays: L lambdas, M sites, m monomials. Sites are worked on in stretches that stay in the first-level cache.

Loops that add up store nothing. One that does both is compiled twice, for arrays that might overlap and for others, and which of
the two runs, and so the order of the sum, would depend on where in memory the arrays happen to lie.
"""

from __future__ import annotations

import numpy as np

from ..support.kernels import kernel

__all__ = ["coefficients", "usage_moments", "response", "inverse_square_moments", "cauchy_sums"]

_STRETCH = 512
_jit = kernel(nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "arcp", "nsz"})


@_jit
def coefficients(
    t: np.ndarray,
    chi: np.ndarray,
    basis: np.ndarray,
    gram: np.ndarray,
    gram_monomial: np.ndarray,
    gram_basis: np.ndarray,
    base: np.ndarray,
    c: np.ndarray,
) -> None:
    """Fill base = |chi(lambda)|^2 (L, M) and the monomial coefficients c (L, m, M), clipped at zero."""
    L, M = t.size, chi.shape[1]
    n_monomials = c.shape[1]
    degree = chi.shape[0] - 1
    for l in range(L):
        a, b = t[l].real, t[l].imag
        for s in range(M):
            re, im = chi[degree, s], 0.0
            for power in range(degree - 1, -1, -1):
                re, im = re * a - im * b + chi[power, s], re * b + im * a
            base[l, s] = re * re + im * im
        c[l] = 0.0
        for g in range(gram.shape[0]):
            factor = basis[l, gram_basis[g]]
            row = c[l, gram_monomial[g]]
            for s in range(M):
                row[s] += factor * gram[g, s]
        for m in range(n_monomials):
            row = c[l, m]
            for s in range(M):
                row[s] = max(row[s], 0.0)


@_jit
def usage_moments(
    index: np.ndarray, base: np.ndarray, c: np.ndarray, scale: np.ndarray, w: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """First (L, m) and second (L, m, m) moments over sites of pi_m = c_m scale_m / (base + sum c scale).

    ``scale`` has one row for each of the ``index`` rows of base and c.
    """
    _, n, M = c.shape
    L = index.size
    first, second = np.zeros((L, n)), np.zeros((L, n, n))
    pi, total = np.empty((n, _STRETCH)), np.empty(_STRETCH)
    for l in range(L):
        for start in range(0, M, _STRETCH):
            size = min(_STRETCH, M - start)
            for s in range(size):
                total[s] = base[index[l], start + s]
            for m in range(n):
                f = scale[l, m]
                row = c[index[l], m, start : start + size]
                for s in range(size):
                    pi[m, s] = f * row[s]
                    total[s] += pi[m, s]
            for s in range(size):
                total[s] = 1.0 / max(total[s], 1e-300)
            for m in range(n):
                row = pi[m]
                for s in range(size):
                    row[s] *= total[s]
                acc = 0.0
                for s in range(size):
                    acc += w[start + s] * row[s]
                first[l, m] += acc
            for m in range(n):
                for s in range(size):
                    total[s] = w[start + s] * pi[m, s]
                for k in range(m + 1):
                    row = pi[k]
                    acc = 0.0
                    for s in range(size):
                        acc += total[s] * row[s]
                    second[l, m, k] += acc
        for m in range(n):
            for k in range(m):
                second[l, k, m] = second[l, m, k]
    return first, second


@_jit
def response(
    t: np.ndarray,
    chi: np.ndarray,
    basis_1: np.ndarray,
    basis_2: np.ndarray,
    gram: np.ndarray,
    gram_monomial: np.ndarray,
    gram_basis: np.ndarray,
    base: np.ndarray,
    c: np.ndarray,
    scale: np.ndarray,
    w: np.ndarray,
    with_log: bool,
    with_density: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Site averages for potential, resolvent and density at solved unknowns.

    Returns (L,) E log(total), E ratio with ratio = d_lambda total / total, E[d_lambda d_conj total / total - |ratio|^2], and
    (L, m) E[d_lambda term_m / total - pi_m ratio].
    """
    L, n, M = c.shape
    degree = chi.shape[0] - 1
    log_total, resolvent = np.zeros(L), np.zeros(L, dtype=np.complex128)
    curvature, mixed = np.zeros(L), np.zeros((L, n), dtype=np.complex128)
    d_re, d_im = np.empty((n, M)), np.empty((n, M))
    total_re, total_im, h_total = np.empty(M), np.empty(M), np.empty(M)
    totals, bend = np.empty(M), np.empty(M)
    for l in range(L):
        a, b = t[l].real, t[l].imag
        for s in range(M):
            re, im, sre, sim = chi[degree, s], 0.0, 0.0, 0.0
            for power in range(degree - 1, -1, -1):
                sre, sim = sre * a - sim * b + re, sre * b + sim * a + im
                re, im = re * a - im * b + chi[power, s], re * b + im * a
            # d_lambda |chi|^2 = chi' conj(chi)
            total_re[s] = sre * re + sim * im
            total_im[s] = sim * re - sre * im
            h_total[s] = sre * sre + sim * sim
        d_re[:], d_im[:] = 0.0, 0.0
        for g in range(gram.shape[0]):
            m = gram_monomial[g]
            f = scale[l, m]
            re, im, h = f * basis_1[l, gram_basis[g]].real, f * basis_1[l, gram_basis[g]].imag, f * basis_2[l, gram_basis[g]]
            if re == 0.0 and im == 0.0 and h == 0.0:
                continue
            for s in range(M):
                x, y = re * gram[g, s], im * gram[g, s]
                d_re[m, s] += x
                d_im[m, s] += y
                total_re[s] += x
                total_im[s] += y
                h_total[s] += h * gram[g, s]
        for s in range(M):
            total = base[l, s]
            for m in range(n):
                total += scale[l, m] * c[l, m, s]
            totals[s] = total
            inverse = 1.0 / max(total, 1e-300)
            re, im = total_re[s] * inverse, total_im[s] * inverse
            total_re[s], total_im[s] = re, im
            bend[s] = h_total[s] * inverse - re * re - im * im
            h_total[s] = w[s] * inverse
        logs, acc_re, acc_im, acc_h = 0.0, 0.0, 0.0, 0.0
        if with_log:
            for s in range(M):
                totals[s] = np.log(totals[s])
            for s in range(M):
                logs += w[s] * totals[s]
        for s in range(M):
            acc_re += w[s] * total_re[s]
            acc_im += w[s] * total_im[s]
        if with_density:
            for s in range(M):
                acc_h += w[s] * bend[s]
            for m in range(n):
                f, row, row_re, row_im = scale[l, m], c[l, m], d_re[m], d_im[m]
                sum_re, sum_im = 0.0, 0.0
                for s in range(M):
                    sum_re += h_total[s] * (row_re[s] - f * row[s] * total_re[s])
                    sum_im += h_total[s] * (row_im[s] - f * row[s] * total_im[s])
                mixed[l, m] = complex(sum_re, sum_im)
        log_total[l], resolvent[l], curvature[l] = logs, complex(acc_re, acc_im), acc_h
    return log_total, resolvent, curvature, mixed


@_jit
def inverse_square_moments(t: np.ndarray, chi: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums over nodes (L, T) of w[T, s] / |chi(t, s)|^2, and the node (L,) where |chi| is smallest. 1e290 stands for 1/0."""
    L, M = t.size, chi.shape[1]
    degree = chi.shape[0] - 1
    terms = w.shape[0]
    out, nearest = np.zeros((L, terms)), np.zeros(L, dtype=np.int64)
    inverse = np.empty(M)
    for l in range(L):
        a, b = t[l].real, t[l].imag
        best = -1.0
        for s in range(M):
            re, im = chi[degree, s], 0.0
            for power in range(degree - 1, -1, -1):
                re, im = re * a - im * b + chi[power, s], re * b + im * a
            inverse[s] = 1.0 / max(re * re + im * im, 1e-290)
        for s in range(M):
            if inverse[s] > best:
                best = inverse[s]
                nearest[l] = s
        for k in range(terms):
            acc = 0.0
            for s in range(M):
                acc += inverse[s] * w[k, s]
            out[l, k] = acc
    return out, nearest


@_jit
def cauchy_sums(root: np.ndarray, y: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums over nodes (R, T) of w[T, s] / (root[R] - y[s]), real and imaginary parts."""
    R, M, terms = root.size, y.size, w.shape[0]
    re, im = np.zeros((R, terms)), np.zeros((R, terms))
    dx, inverse = np.empty(M), np.empty(M)
    for r in range(R):
        x, eta = root[r].real, root[r].imag
        for s in range(M):
            dx[s] = x - y[s]
            inverse[s] = 1.0 / (dx[s] * dx[s] + eta * eta)
        for s in range(M):
            dx[s] *= inverse[s]
        for k in range(terms):
            a, b = 0.0, 0.0
            for s in range(M):
                a += dx[s] * w[k, s]
                b += inverse[s] * w[k, s]
            re[r, k], im[r, k] = a, -eta * b
    return re, im
