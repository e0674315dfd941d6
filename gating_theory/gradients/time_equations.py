"""The equations of all singular values of a product of Jacobians: the unknowns are matrices over steps [T9].

One set of matrices U serves all steps of P = J_T .. J_1, so the p_k, q_k of one step become T x T matrices P_k, Q_k. At each site,
with What the response of messages and of the last state to fields and to the first state, e the regulators of the two states::

    Phat = diag(P_k, e_1),   Qhat = diag(a_l^2 Q_(message of l), e_2),   R = What Qhat What^T,   X = R (1 + Phat R)^-1
    Q_k = E X_kk,   P_k = sum_{l: message k} a_l^2 E[What^T (1 + Phat R)^-1 Phat What]_ll,   (1/N) log det(1 + e_1 e_2 P P^T)

What is triangular in time and has no poles. Weights drawn anew in each step are the case of diagonal P_k, Q_k.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..support.available_memory import require_memory
from .site_path import SitePath

__all__ = ["Swept", "TimeEquations", "symmetric"]

#: From here on e^2 P P^T is so large at some site that rounding is felt.
_FAR = 1e2


class Swept(NamedTuple):
    """What the right sides give at P, Q: new ones, and what is read off.

    Attributes
    ----------
    P, Q : (n, T, T) arrays
    trace : number, (1/N) tr of e_2 P P^T / (1 + e_1 e_2 P P^T), summed over state variables
    """

    P: np.ndarray
    Q: np.ndarray
    trace: complex


def symmetric(matrices: np.ndarray) -> np.ndarray:
    """The symmetric part of (.., T, T) matrices."""
    return 0.5 * (matrices + np.swapaxes(matrices, -1, -2))


class TimeEquations:
    """The equations at the sites of one path.

    Parameters
    ----------
    path : SitePath
    tied : bool, whether all steps share their matrices
    """

    def __init__(self, path: SitePath, tied: bool = True) -> None:
        self.path, cell = path, path.cell
        self.T, self.d, self.n, self.K = path.n_steps, cell.n_state, cell.n_messages, cell.n_fields
        rows, columns = self.n * self.T + self.d, self.K * self.T + self.d
        needed = 8.0 * path.size * (6 * rows * rows + 8 * rows * columns + 4 * columns * columns)
        require_memory(f"products of {self.T} Jacobians at {path.size} sites", needed)
        self.kept = np.ones((self.T, self.T)) if tied else np.eye(self.T)
        self.square_gain = path.gain**2
        self.W = _responses(path)
        self.W_T = np.ascontiguousarray(np.swapaxes(self.W, 1, 2))

    def largest_alone(self) -> float:
        """The largest singular value of what sites do by themselves, without a matrix between start and end."""
        return float(np.linalg.norm(self.W[:, self.n * self.T :, self.K * self.T :], 2, axis=(1, 2)).max())

    def at_rows(self, P: np.ndarray, e: complex) -> np.ndarray:
        """diag(P_k, e), of the rows of What."""
        return _block_diagonal(P, e, self.d)

    def at_columns(self, Q: np.ndarray, e: complex) -> np.ndarray:
        """diag(a_l^2 Q_(message of l), e), of the columns of What."""
        return _block_diagonal(self.square_gain[:, None, None] * Q[list(self.path.cell.message_of)], e, self.d)

    def of_rows(self, matrices: np.ndarray) -> np.ndarray:
        """The blocks of each message, averaged over sites."""
        mean = np.tensordot(self.path.weights, matrices, 1)
        return self.kept * symmetric(_blocks(mean, self.n, self.T))

    def of_columns(self, matrices: np.ndarray) -> np.ndarray:
        """The blocks of all fields of each message, times a_l^2, averaged over sites."""
        mean = self.square_gain[:, None, None] * _blocks(np.tensordot(self.path.weights, matrices, 1), self.K, self.T)
        return self.kept * symmetric(np.stack([mean[listeners].sum(axis=0) for listeners in self.path.listeners]))

    def sweep(self, P: np.ndarray, Q: np.ndarray, e_1: complex, e_2: complex) -> Swept:
        """The right sides at P, Q; what :meth:`linear` needs is kept."""
        at_rows, at_columns = self.at_rows(P, e_1), self.at_columns(Q, e_2)
        R = self.W @ at_columns @ self.W_T
        turned = R @ at_rows
        self._determinant = np.eye(R.shape[-1]) + turned
        if np.abs(turned[:, self.n * self.T :, self.n * self.T :]).max() < _FAR:
            self.X = symmetric(np.linalg.solve(self._determinant, R))
            self.B = self.W - self.X @ (at_rows @ self.W)
            self.Y = symmetric(self.W_T @ (at_rows @ self.B))
        else:
            self._at_small_regulators(P, Q, e_1, e_2)
        self.B_T = np.swapaxes(self.B, 1, 2)
        states = self.X[:, self.n * self.T :, self.n * self.T :]
        trace = np.einsum("maa,m->", states, self.path.weights)
        return Swept(self.of_columns(self.Y), self.of_rows(self.X), trace)

    @property
    def definite(self) -> bool:
        """Whether all eigenvalues of 1 + R Phat were positive in the last sweep: so they begin at small regulators."""
        return bool((np.linalg.eigvals(self._determinant).real > 0.0).all())

    def _at_small_regulators(self, P, Q, e_1, e_2):
        """X, B and Y without R (1 + Phat R)^-1, which loses digits like e^2 where singular values are far from zero.

        a + What Qhat b = f, What^T Phat a - b = g, for rows a and columns b; of states e_1 a and e_2 b are solved for.
        """
        rows, columns = self.W.shape[1:]
        own = np.ones(rows + columns, dtype=np.result_type(type(e_1)))
        own[rows - self.d : rows], own[-self.d :] = 1.0 / e_1, 1.0 / e_2
        whole = np.zeros((self.path.size, rows + columns, rows + columns), dtype=np.result_type(P, Q, own))
        whole[:, :rows, rows:], whole[:, rows:, :rows] = self.W @ self.at_columns(Q, 1.0), self.W_T @ self.at_rows(P, 1.0)
        whole += np.diag(np.where(np.arange(own.size) < rows, own, -own))
        given = np.zeros(whole.shape)
        given[:, :rows, :columns], given[:, rows:, columns:] = self.W, self.W_T
        solved = own[:, None] * np.linalg.solve(whole, given)
        self.B, self.X, self.Y = (
            solved[:, :rows, :columns],
            symmetric(solved[:, :rows, columns:]),
            symmetric(solved[:, rows:, :columns]),
        )

    def linear(self, dP: np.ndarray, dQ: np.ndarray, de_1: complex = 0.0, de_2: complex = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """What the right sides change by, to first order, at the P, Q and regulators of the last sweep."""
        at_rows, at_columns = self.at_rows(dP, de_1), self.at_columns(dQ, de_2)
        at_fields = self.B_T @ at_rows @ self.B - self.Y @ at_columns @ self.Y
        at_messages = self.B @ at_columns @ self.B_T - self.X @ at_rows @ self.X
        return self.of_columns(at_fields), self.of_rows(at_messages)

    def turns(self) -> np.ndarray:
        """Phases (M,) of det(1 + Phat R) in units of pi at the last sweep, continued from positive P, Q, where it is positive.

        No eigenvalue of Phat R meets the negative numbers while real parts of P and Q are positive, for both map onto such ones
        and so do their inverses: its phase is the sum of those of 1 + eigenvalues.
        """
        return np.angle(np.linalg.eigvals(self._determinant)).sum(axis=1) / np.pi

    def log_determinant(self, P: np.ndarray, Q: np.ndarray) -> float:
        """(1/N) log det(1 + e_1 e_2 P P^T) at the solution of the last sweep."""
        _, logs = np.linalg.slogdet(self._determinant)
        return float(self.path.weights @ logs - np.einsum("kst,kst->", P, Q).real)


def _responses(path):
    """What (M, n T + d, K T + d): the linear dynamics of each site under unit impulses."""
    cell, T = path.cell, path.n_steps
    d, n, K = cell.n_state, cell.n_messages, cell.n_fields
    W = np.zeros((path.size, n * T + d, K * T + d))
    state = np.zeros((d, path.size, K * T + d))
    for a in range(d):
        state[a, :, K * T + a] = 1.0
    for t in range(T):
        for (message, i), m in path.M_s.items():
            W[:, message * T + t] += m[t][:, None] * state[i]
        for (message, k), m in path.M_y.items():
            W[:, message * T + t, k * T + t] += m[t]
        new = np.zeros_like(state)
        for (a, i), f in path.F_s.items():
            new[a] += f[t][:, None] * state[i]
        for (a, k), f in path.F_y.items():
            new[a, :, k * T + t] += f[t]
        state = new
    W[:, n * T :] = np.swapaxes(state, 0, 1)
    return W


def _block_diagonal(blocks, e, d):
    count, T, _ = blocks.shape
    out = np.zeros((count * T + d,) * 2, dtype=np.result_type(blocks, type(e)))
    for k, block in enumerate(blocks):
        out[k * T : (k + 1) * T, k * T : (k + 1) * T] = block
    out[range(count * T, count * T + d), range(count * T, count * T + d)] = e
    return out


def _blocks(matrix, count, T):
    return np.stack([matrix[k * T : (k + 1) * T, k * T : (k + 1) * T] for k in range(count)])
