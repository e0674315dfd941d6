"""Moments of the singular values of a product of Jacobians, exactly, by power series in the regulator [T9].

With regulators x and 1, P = P_1 x + .., Q = Q_0 + Q_1 x + ..; (1/N) tr P P^T / (1 + x P P^T) = sum_j (-x)^j m_(j+1). The equations
of one order are linear, and triangular in time: a finite number of sweeps solves them without error.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..support.available_memory import require_memory
from .time_equations import TimeEquations

__all__ = ["lowest_order", "product_moments"]


def product_moments(equations: TimeEquations, k: int) -> np.ndarray:
    """(k,) moments m_j = (1/N) tr (P P^T)^j per unit, j = 1 .. k.

    Parameters
    ----------
    equations : TimeEquations
    k : int >= 1
    """
    W, W_T = equations.W, equations.W_T
    require_memory(f"k = {k} moments of a product", 8.0 * k * 2 * W.shape[0] * W.shape[1] ** 2)

    rows_of, columns_of = _sweeps(equations)
    none = np.zeros((equations.n, equations.T, equations.T))
    at_rows: list[np.ndarray] = [equations.at_rows(none, 0.0)]
    R: list[np.ndarray] = []
    X: list[np.ndarray] = []
    moments = []
    for order in range(k):
        if order:
            twice = -sum(
                (at_rows[a] @ X[b] @ at_rows[order - a - b] for a in range(1, order) for b in range(order - a)),
                start=np.zeros((W.shape[0], W.shape[1], W.shape[1])),
            )
            own = equations.at_rows(none, float(order == 1))
            P = _summed(rows_of, equations.of_columns(W_T @ (own + twice) @ W), equations)
            at_rows.append(equations.at_rows(P, float(order == 1)))
        known = -sum(
            (X[a] @ at_rows[b] @ R[order - a - b] for a in range(order) for b in range(1, order - a + 1)),
            start=np.zeros((W.shape[0], W.shape[1], W.shape[1])),
        )
        own_columns = equations.at_columns(none, float(order == 0))
        Q = _summed(columns_of, equations.of_rows(W @ own_columns @ W_T + known), equations)
        R.append(W @ equations.at_columns(Q, float(order == 0)) @ W_T)
        X.append(R[-1] + known)
        states = X[-1][:, equations.n * equations.T :, equations.n * equations.T :]
        moments.append((-1.0) ** order * np.einsum("maa,m->", states, equations.path.weights))
    return np.array(moments) + 0.0  # no zero is -0


def lowest_order(equations: TimeEquations) -> tuple[np.ndarray, np.ndarray]:
    """P_1 and Q_0, (n, T, T): growth of perturbations back from the end and on from the start; for small e, P = e P_1, Q = e Q_0.

    Parameters
    ----------
    equations : TimeEquations
    """
    W, W_T, none = equations.W, equations.W_T, np.zeros((equations.n, equations.T, equations.T))
    rows_of, columns_of = _sweeps(equations)
    P = _summed(rows_of, equations.of_columns(W_T @ equations.at_rows(none, 1.0) @ W), equations)
    return P, _summed(columns_of, equations.of_rows(W @ equations.at_columns(none, 1.0) @ W_T), equations)


def _sweeps(equations):
    """The linear maps of P and of Q without one another."""
    W, W_T = equations.W, equations.W_T

    def rows_of(P):
        return equations.of_columns(W_T @ equations.at_rows(P, 0.0) @ W)

    def columns_of(Q):
        return equations.of_rows(W @ equations.at_columns(Q, 0.0) @ W_T)

    return rows_of, columns_of


def _summed(linear: Callable[[np.ndarray], np.ndarray], known: np.ndarray, equations: TimeEquations) -> np.ndarray:
    """(1 - linear)^-1 known: a map from steps to later ones, or to earlier ones, or along the fields of one step, ends."""
    total, term = known.copy(), known
    for _ in range(equations.n * equations.T):
        term = linear(term)
        if not term.any():
            break
        total += term
    return total
