"""Moments of singular values, exactly: the equations solved by power series in x = 1 / eta^2 [T9].

With p = P(x) / eta, q = Q(x) / eta and D = eta^(2 d) (1 + ...) the equations are those of power series, whose coefficients follow
one from the other, and eta m(eta) = sum_j (-1)^j m_j x^j with m_j = (1/N) tr (X X^dagger)^j.
"""

from __future__ import annotations

import numpy as np

from .regulated import Regulated

__all__ = ["moments"]


def moments(terms: Regulated, count: int) -> np.ndarray:
    """(count + 1,) moments m_0 = d, m_1, .. per unit of the singular values: exact for these sites, no equation is iterated [T9].

    Parameters
    ----------
    terms : Regulated
    count : int >= 0
    """
    from .series_kernels import moments_of

    exponents = np.concatenate([terms.e, terms.f], axis=1)
    # the power of x that P^e Q^f has in D / eta^(2 d), at least that of either
    power = terms.n_state + (exponents.sum(axis=1) - terms.g) // 2
    series = moments_of(terms.base, terms.c, terms.weights, exponents, power, terms.g, count + 1)
    return series * (-1.0) ** np.arange(count + 1) + 0.0  # no zero is -0
