"""The flow near a degenerate fixed point, reduced to its centre manifold: normal-form coefficients of any order.

The manifold is written as a power series, s = s* + sum h e^m, and the flow on it as another one. Both follow order by order from
f(s(e)) = ds/de de/dt, in which the Taylor coefficients of f along a curve (``program.taylor``) are exact: no multilinear form is
written out. Kuznetsov, Elements of Applied Bifurcation Theory (3rd ed.), section 8.7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..program.taylor import along_curve, bilinear

if TYPE_CHECKING:
    from ..flow import Flow

__all__ = ["double_zero", "on_focus", "on_line"]


def _bordered_solve(A, q, p, right):
    """The solution of A h = right, where A q = 0 and p A = 0, with p h = 0; ``right`` is freed of its part along q."""
    matrix = np.block([[A, q[:, None]], [p.conj()[None], np.zeros((1, 1))]])
    return np.linalg.solve(matrix, np.append(right, 0.0))[:-1]


def _null_vectors(A):
    """Right and left null vectors q, p of a matrix that is singular but for rounding: |q| = |p| = 1."""
    left, _, right = np.linalg.svd(A)
    return right[-1].conj(), left[:, -1]


def on_line(flow: Flow, state: np.ndarray, order: int) -> np.ndarray:
    """The flow on a centre manifold of one dimension: de/dt = sum_k c_k e^k with |q| = 1.

    Parameters
    ----------
    flow : Flow
    state : (dim,) array, a fixed point whose Jacobian has one eigenvalue 0
    order : int >= 2

    Returns
    -------
    (order + 1,) array of c_k; c_0 and c_1 vanish
    """
    A = flow.jacobian(state)
    q, p = _null_vectors(A)
    p = p / (p @ q)
    series = np.zeros((order + 1, flow.dim))
    series[0], series[1] = state, q
    c = np.zeros(order + 1)
    for m in range(2, order + 1):
        forced = along_curve(flow, series[: m + 1])[m]
        c[m] = p @ forced
        turned = sum((k * c[m + 1 - k] * series[k] for k in range(1, m)), np.zeros(flow.dim))
        series[m] = _bordered_solve(A, q, p, turned - forced)
    return c


def on_focus(flow: Flow, state: np.ndarray, order: int) -> tuple[float, np.ndarray]:
    """The flow on the centre manifold of a Hopf point: dw/dt = i omega w + sum_k c_k w |w|^2k with |q| = 1.

    Parameters
    ----------
    flow : Flow
    state : (dim,) array, a fixed point whose Jacobian has one pair of imaginary eigenvalues
    order : int
        The number of coefficients.

    Returns
    -------
    omega : float
    c : (order,) complex array, c_1 first
    """
    A = flow.jacobian(state)
    values, vectors = np.linalg.eig(A)
    i = int(np.argmin(np.where(values.imag > 0, np.abs(values.real), np.inf)))
    omega, q = values[i].imag, vectors[:, i]
    _, p = _null_vectors(A - 1j * omega * np.eye(flow.dim))
    p = p / np.conj(p.conj() @ q)
    c = np.zeros(order, dtype=complex)
    h = {(1, 0): q, (0, 1): q.conj()}
    for m in range(2, 2 * order + 2):
        forced = _forced(flow, state, h, m)
        for j in range((m + 1) // 2, m + 1):
            k = m - j
            turned = sum((_turning(h, c, j, k, n) for n in range(1, k + 1)), np.zeros(flow.dim, dtype=complex))
            shifted = A - 1j * omega * (j - k) * np.eye(flow.dim)
            if j - k == 1:
                c[k - 1] = p.conj() @ forced[j, k]
                h[j, k] = _bordered_solve(shifted, q, p, turned - forced[j, k])
            else:
                h[j, k] = np.linalg.solve(shifted, turned - forced[j, k])
            h[k, j] = h[j, k].conj()
    return float(omega), c


def _turning(h, c, j, k, n):
    """What c_n adds to the motion of the monomial w^j conj(w)^k."""
    a, b = j - n, k - n
    if (a, b) not in h:
        return 0.0
    return h[a, b] * (a * c[n - 1] + b * c[n - 1].conj())


def _forced(flow, state, h, m):
    """Coefficients of w^j conj(w)^k with j + k = m in f of the manifold's lower orders, by turning w once around."""
    n = 2 * m + 1
    angles = 2.0 * np.pi * np.arange(n) / n
    series = np.zeros((m + 1, n, flow.dim))
    series[0] = state
    for (j, k), vector in h.items():
        series[j + k] += (np.exp(1j * (j - k) * angles)[:, None] * vector).real
    change = along_curve(flow, series)[m]
    return {(j, m - j): np.exp(-1j * (2 * j - m) * angles) @ change / n for j in range(m + 1)}


def double_zero(flow: Flow, state: np.ndarray) -> tuple[float, float]:
    """Coefficients a, b of a Bogdanov-Takens point: dx/dt = y, dy/dt = a x^2 + b x y with |q0| = 1 and q1 at right angles to q0.

    The sense of q0, which turns both signs at once, is that in which a is not negative.

    Parameters
    ----------
    flow : Flow
    state : (dim,) array, a fixed point whose Jacobian has a double eigenvalue 0 with one eigenvector

    Returns
    -------
    a, b : float
    """
    A = flow.jacobian(state)
    q0, p1 = _null_vectors(A)
    # A q1 = q0, A' p0 = p1, with p0 q0 = p1 q1 = 1 and p0 q1 = p1 q0 = 0
    q1 = _bordered_solve(A, p1, q0, q0)
    p0 = _bordered_solve(A.T, q0, p1, p1)
    size = p1 @ q1
    p0, p1 = p0 / size, p1 / size
    p0 = p0 - (p0 @ q1) * p1
    square = bilinear(flow, state, q0, q0)
    a, b = float(0.5 * p1 @ square), float(p0 @ square + p1 @ bilinear(flow, state, q0, q1))
    return abs(a), b if a >= 0.0 else -b
