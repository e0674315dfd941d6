"""Universal laws at the edge of a real random matrix: how far eigenvalues reach beyond it [T12].

z is the distance from the edge in units of the layer that matrices smear it over, z = sqrt(N / (2 kappa)) (1 - tau); the density
there is N rho_e erfc(z) / 2.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

__all__ = ["axis_factor", "complex_action", "real_action"]

#: Where the table of H begins and ends; its step.
_LOWEST, _HIGHEST, _STEP = -30.0, 8.0, 0.01
#: The table of the law of the largest real eigenvalue: where it begins and ends, its step; nodes of its determinants, on (u, this).
_FIRST, _LAST, _APART, _NODES, _END = -6.0, 5.0, 0.05, 60, 8.0


def complex_action(z: np.ndarray) -> np.ndarray:
    """H(z) = int_z^inf -log(1 - erfc(t)/2) dt [T12]: - log P(no complex eigenvalue beyond) per length of edge, of its density.

    Eigenvalues repel: with independent ones this would be int_z^inf erfc(t)/2 dt, which it is far outside. The form is exact for
    the Ginibre ensemble, whose moduli are independent. z below -30 counts as -30.
    """
    places, values = _complex_table()
    return np.interp(z, places, values)


@lru_cache(maxsize=1)
def _complex_table():
    from scipy.special import log_ndtr

    places = np.linspace(_LOWEST, _HIGHEST, round((_HIGHEST - _LOWEST) / _STEP) + 1)
    middles = places[:-1] + 0.5 * _STEP
    f, g = -log_ndtr(np.sqrt(2.0) * places), -log_ndtr(np.sqrt(2.0) * middles)
    steps = _STEP / 6.0 * (f[:-1] + 4.0 * g + f[1:])
    return places, np.append(np.cumsum(steps[::-1])[::-1], 0.0)


def axis_factor(u: np.ndarray) -> np.ndarray:
    """D(u) = sqrt(2 pi) u exp(2 u^2) erfc(sqrt2 u): by what the density of complex eigenvalues falls off towards the real axis.

    u = sqrt(pi N rho_e) |Im lambda| [T12]; 1 far from the axis, 0 on it.
    """
    from scipy.special import erfcx

    return np.sqrt(2.0 * np.pi) * u * erfcx(np.sqrt(2.0) * u)


def real_action(u: np.ndarray) -> np.ndarray:
    """- log F_R(u), F_R the law of the largest real eigenvalue at u = z / sqrt2 [T12].

    F_R(u)^2 = det(1 - T_u) (1 - a_u) on L^2(u, inf), with T(x, y) = exp(-(x - y)^2 / 2) erfc((x + y) / sqrt2) / sqrt(8 pi) and
    a = int G (1 - T)^{-1} g, g = exp(-x^2) / sqrt(pi), G = (1 + erf x) / 2 (Rider and Sinclair 2014; Poplavskyi, Tribe and
    Zaboronski 2017). From a table, good to 1e-4; -log F_R is continued linearly below -6, F_R is 1 above 5.
    """
    places, values = _real_table()
    below = np.minimum(u - places[0], 0.0) * (values[1] - values[0]) / _APART
    return np.interp(u, places, values) + below


@lru_cache(maxsize=1)
def _real_table():
    places = np.linspace(_FIRST, _LAST, round((_LAST - _FIRST) / _APART) + 1)
    values = np.array([_determinant(u) for u in places])
    values[-1] = 0.0
    return places, values


def _determinant(u):
    """- log F_R by the Fredholm determinant on Gauss-Legendre nodes."""
    from scipy.special import erf, erfc

    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    x, w = u + 0.5 * (_END - u) * (1.0 + nodes), 0.5 * (_END - u) * weights
    kernel = np.exp(-0.5 * (x[:, None] - x) ** 2) * erfc((x[:, None] + x) / np.sqrt(2.0)) / np.sqrt(8.0 * np.pi)
    matrix = np.eye(_NODES) - kernel * w
    g, G = np.exp(-(x**2)) / np.sqrt(np.pi), 0.5 * (1.0 + erf(x))
    a = (G * w) @ np.linalg.solve(matrix, g)
    return -0.5 * np.log(np.linalg.det(matrix) * (1.0 - a))
