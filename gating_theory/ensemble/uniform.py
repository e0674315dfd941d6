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

    Examples
    --------
    What PyTorch draws for a GRU of any number of units is a law of gain 3^(-1/2):

    >>> import gating_theory as gt
    >>> torch_default = gt.Ensemble(gt.GRU, gain=3**-0.5, matrices=gt.Uniform())
    >>> U = gt.Network.sample(torch_default, 100, rng=0).matrices[0]
    >>> print(abs(U).max().round(3))  # 1 / sqrt(100)
    0.1
    """

    name = "uniform"
    holds = LIMIT

    def draw(self, n: int, rng: np.random.Generator, count: int = 1) -> np.ndarray:
        """(count, n, n) numbers uniform within +- sqrt 3. Arguments as in MatrixLaw.draw."""
        return rng.uniform(-np.sqrt(3.0), np.sqrt(3.0), (count, n, n))
