"""The mean-field map near the zero state, R(q) = A q + B(q, q) + ...: growth of small moments, and what bends it [T5]."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import CapabilityError
from .moments import MomentMap

if TYPE_CHECKING:
    from ..ensemble.ensemble import Ensemble

__all__ = ["NoZeroState", "growth", "linear_map", "small_moments"]


class NoZeroState(CapabilityError):
    """Something was asked of a zero state that an ensemble does not have."""


def linear_map(ensemble: Ensemble, second_order: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """A_kn = dR_k/dq_n at the zero state, and the quadratic form B, averaged over frozen spreads [T5].

    Parameters
    ----------
    ensemble : Ensemble
    second_order : bool, whether B is wanted; it is zero otherwise

    Returns
    -------
    A : (n, n) array, B : (n, n, n) array

    Raises
    ------
    NoZeroState : some message does not vanish there
    CapabilityError : no closed-form site fixed point
    """
    cell = ensemble.cell
    moments = MomentMap(ensemble)
    if not moments.has_zero_state:
        raise NoZeroState(
            f"{ensemble!r} has no zero state: some message does not vanish there (a bias of its field, or its spread)"
        )
    linear, quadratic = cell.compiled.expansion
    law = moments.law(np.zeros((1, moments.n)))
    cache = cell.compiled.zero_averages(law)

    def average(products):
        return float(np.sum(law.mean_of_products(cell, products, moments.fine, cache=cache)[0]))

    n, a2, listens = moments.n, moments.random.gain2, moments.random.listens
    A, B = np.zeros((n, n)), np.zeros((n, n, n))
    live = np.flatnonzero(a2 > 0)
    for k in range(n):
        for l in live:
            A[k, listens[l]] += a2[l] * average(linear[k][l])
            for m in live if second_order else ():
                B[k, listens[l], listens[m]] += a2[l] * a2[m] * average(quadratic[k][l][m])
    return A, B


def growth(ensemble: Ensemble) -> float:
    """alpha, by which small moments grow under the mean-field map: the Perron value of A [T5]; errors as :func:`linear_map`.

    Parameters
    ----------
    ensemble : Ensemble
    """
    A, _ = linear_map(ensemble, second_order=False)
    return float(np.max(np.linalg.eigvals(A).real))


def small_moments(ensemble: Ensemble) -> tuple[float, float]:
    """(alpha, beta) of R(D)/D = alpha + beta D + ..., D the moment of the first message, at the zero state [T5].

    alpha is the Perron value of A; beta = u.B(v, v)/(u.v) with its left and right vectors, v scaled to v_0 = 1. beta is NaN where
    the first message has no part in the growth. Errors as :func:`linear_map`.

    Parameters
    ----------
    ensemble : Ensemble
    """
    A, B = linear_map(ensemble)
    values, right = np.linalg.eig(A)
    i = int(np.argmax(values.real))
    left_values, left = np.linalg.eig(A.T)
    j = int(np.argmin(np.abs(left_values - values[i])))
    v, u = right[:, i].real, left[:, j].real
    if v[0] == 0 or u @ v == 0:
        return float(values[i].real), float("nan")
    v = v / v[0]
    return float(values[i].real), float(u @ np.einsum("kij,i,j->k", B, v, v) / (u @ v))
