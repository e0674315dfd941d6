"""Paths of one field at many sites and in all copies, drawn while their covariance becomes known [T8b]."""

from __future__ import annotations

import numpy as np

__all__ = ["GatePaths", "gate_sizes"]

#: What is added to variances before roots are taken, relative: fields of copies that agree have no root otherwise.
_ROUNDING = 1e-12
#: Groups of paths, whose scatter is the error.
_GROUPS = 16


def gate_sizes(n_paths: int) -> tuple[int, int]:
    """(paths of a group, even; number of groups) for so many paths in all.

    Parameters
    ----------
    n_paths : int
    """
    return 2 * max(1, n_paths // (2 * _GROUPS)), _GROUPS


class GatePaths:
    """Normal numbers with a covariance between copies and times that is given one time after the other.

    Parameters
    ----------
    n_paths : int, J, even: each path comes with its mirror image
    n_copies, n_times : int, R and how many times there will be
    rng : numpy Generator
    """

    def __init__(self, n_paths: int, n_copies: int, n_times: int, rng: np.random.Generator) -> None:
        self.n_paths, self.n_copies, self._rng, self._met = n_paths, n_copies, rng, 0
        self._root = np.zeros((n_copies * n_times, n_copies * n_times))  # lower triangular
        self._numbers = np.zeros((n_paths, n_copies * n_times))

    def meet(self, covariance: np.ndarray) -> np.ndarray:
        """(J, R) values at the next time.

        Parameters
        ----------
        covariance : (R, t + 1, R) array [a, t', b], of this time with those so far
        """
        from scipy.linalg import solve_triangular

        R, n = self.n_copies, self._met
        past, now = covariance[:, :-1].reshape(R, n), covariance[:, -1]
        rows = solve_triangular(self._root[:n, :n], past.T, lower=True).T if n else past
        rest = now - rows @ rows.T
        self._root[n : n + R, :n] = rows
        self._root[n : n + R, n : n + R] = _lower_root(rest, np.diagonal(now).max())
        drawn = self._rng.standard_normal((self.n_paths // 2, R))
        self._numbers[:, n : n + R] = np.concatenate([drawn, -drawn])
        self._met += R
        return self._numbers[:, : self._met] @ self._root[n : n + R, : self._met].T


def _lower_root(matrix, size):
    """The Cholesky factor of what is positive of a symmetric matrix, and a little more."""
    values, vectors = np.linalg.eigh(0.5 * (matrix + matrix.T))
    positive = (vectors * np.maximum(values, _ROUNDING * max(size, 1e-300))) @ vectors.T
    return np.linalg.cholesky(0.5 * (positive + positive.T))
