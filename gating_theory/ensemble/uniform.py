"""Matrices with entries drawn uniformly, as PyTorch's recurrent layers draw them [T1]."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .matrix_laws import LIMIT, MatrixLaw

__all__ = ["Uniform"]


@dataclass(frozen=True)
class Uniform(MatrixLaw):
    """Entries iid and uniform within sqrt(3 / N) a_k: PyTorch's default, within 1 / sqrt N, has the gain 3^(-1/2).

    The limit of many units does not see the law of the entries beyond their variance; what is known of N units only, or of
    conditioned matrices, is known for normal entries.
    """

    name = "uniform"
    holds = LIMIT

    def draw(self, n: int, rng: np.random.Generator, count: int = 1) -> np.ndarray:
        """(count, n, n) numbers uniform within +- sqrt 3. Arguments as in MatrixLaw.draw."""
        return rng.uniform(-np.sqrt(3.0), np.sqrt(3.0), (count, n, n))
