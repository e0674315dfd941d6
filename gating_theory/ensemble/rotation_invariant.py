"""Rotationally invariant matrices: orthogonal ones, stacks of them, and any singular values [T10].

U = O Sigma O' with Haar matrices O and O'. Mean field, dynamics, the outer edge and outer outliers are those of iid matrices of
the same gain a^2 = (1/N) tr U U^T: images of new directions are uniformly random but for what they owe to old ones. Inside the
spectrum the constant a^2 becomes A(s), s the field's share of the solution (see ``MatrixLaw.log_gain``); where U is invertible the
spectrum may have holes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .matrix_laws import MatrixLaw

__all__ = ["Haar", "HaarStack"]

#: What holds for every rotationally invariant matrix.
_INVARIANT = frozenset({"mean field", "dynamics", "edge", "resolvent", "outliers"})


def _isometry(rows: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """A Haar (rows, n) matrix with orthonormal columns, by QR; without the signs it would not be Haar."""
    q, r = np.linalg.qr(rng.standard_normal((rows, n)))
    return q * np.where(np.diagonal(r) < 0.0, -1.0, 1.0)


class _Truncated(MatrixLaw):
    """Blocks of a Haar matrix: A(s) = a^2 / (1 - t s)."""

    holds = _INVARIANT
    isometric = True

    def truncation(self, count: int = 1) -> float:
        """t: 1 over the number of fields that are drawn together. Argument as in MatrixLaw.truncation."""
        return 1.0 / count if self.together else 1.0

    def log_gain(self, s: np.ndarray, count: int = 1) -> np.ndarray:
        """-log(1 - t s). Arguments as in MatrixLaw.log_gain."""
        return -np.log1p(-self.truncation(count) * np.asarray(s))

    def log_gain_slope(self, s: np.ndarray, count: int = 1) -> np.ndarray:
        """t / (1 - t s). Arguments as in MatrixLaw.log_gain_slope."""
        t = self.truncation(count)
        return t / (1.0 - t * np.asarray(s))

    def penalty(self, s: np.ndarray, count: int = 1) -> np.ndarray:
        """-log(1 - t s) / t. Arguments as in MatrixLaw.penalty."""
        t = self.truncation(count)
        return -np.log1p(-t * np.asarray(s)) / t

    def inverse_square(self, count: int = 1) -> float:
        """1 of a whole Haar matrix; a block of one is not boundedly invertible. Argument as in MatrixLaw.inverse_square."""
        return 1.0 if self.truncation(count) == 1.0 else np.inf

    def mean_log(self, count: int = 1) -> float:
        """0 of a whole Haar matrix. Argument as in MatrixLaw.mean_log."""
        return 0.0 if self.truncation(count) == 1.0 else -np.inf


@dataclass(frozen=True)
class Haar(_Truncated):
    """U_k = a_k O_k with independent Haar orthogonal O_k [T10]: torch's ``orthogonal_`` on each gate's block, gain a_k.

    A single recurrent matrix (RNN, SimpleRNN) with an orthogonal initialiser has this law too.
    """

    name = "orthogonal"
    holds = _INVARIANT | {"complexity"}

    def draw(self, n: int, rng: np.random.Generator, count: int = 1) -> np.ndarray:
        """(count, n, n) independent Haar matrices times sqrt(n). Arguments as in MatrixLaw.draw."""
        return np.sqrt(n) * np.array([_isometry(n, n, rng) for _ in range(count)]).reshape(count, n, n)


@dataclass(frozen=True)
class HaarStack(_Truncated):
    """U_k = a_k sqrt(K) V_k, where the K blocks V_k of a network's fields of this law together are one isometry [T10].

    sum_k V_k^T V_k = 1: Keras's ``recurrent_initializer="orthogonal"``, and torch's ``orthogonal_`` on the whole
    ``weight_hh``, both of gain g, give a_k = g / sqrt(K) with K the number of gates, 3 for a GRU and 4 for an LSTM. All fields
    of the law count for K, those of gain 0 too. Of one field the law is that of Haar(). How many fixed points such networks have is
    derived for one message, but not checked: complexity refuses.
    """

    name = "stack"
    together = True

    def draw(self, n: int, rng: np.random.Generator, count: int = 1) -> np.ndarray:
        """(count, n, n) blocks of one (count n, n) isometry times sqrt(count n). Arguments as in MatrixLaw.draw."""
        if count == 0:
            return np.empty((0, n, n))
        return np.sqrt(count * n) * _isometry(count * n, n, rng).reshape(count, n, n)
