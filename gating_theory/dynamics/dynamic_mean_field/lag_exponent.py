"""The largest Lyapunov exponent of a state with a constant leak: the lowest level of a particle on the axis of lags [T8].

In the frame that grows as e^(lam t) the tangent's covariance kappa solves

    (e^(2 lam step) + b^2 - K(tau)) kappa(tau) = b e^(lam step) (kappa(tau + step) + kappa(tau - step)),    K = step^2 dF/dC,

for the map, b = 1 - step c, and (c + lam)^2 kappa - kappa'' = dF/dC kappa for the flow: lam is where the lowest level is zero.
"""

from __future__ import annotations

import numpy as np

from ...errors import ConvergenceError
from .clock import Clock
from .lag_shape import LagShape

__all__ = ["growth_rate", "lag_exponent"]

#: Lags of a flow's operator, whose matrix is full; exponents are found to this.
_LARGEST_MATRIX, _TOL = 1500, 1e-13


def lag_exponent(shape: LagShape) -> float:
    """Largest exponent per unit of time of a state.

    Parameters
    ----------
    shape : LagShape, of a state

    Raises
    ------
    ConvergenceError
        the exponent was not bracketed
    """
    _, slope = shape.law(shape.C)
    return growth_rate(shape.clock, shape.law.form.leak, slope)


def growth_rate(clock: Clock, leak: float, slope: np.ndarray) -> float:
    """The s at which tangents grow as e^(s t), per unit of time.

    Parameters
    ----------
    clock : Clock
    leak : float, c
    slope : (M + 1,) array
        dF/dC at lags 0 .. M, of one copy, or of two: then tangents of the one and of the other stay correlated as e^(2 s t).

    Raises
    ------
    ConvergenceError
        the rate was not bracketed
    """
    return _of_flow(clock, leak, slope) if clock.flow else _of_map(clock, leak, slope)


def _of_flow(clock, leak, slope):
    from scipy.linalg import eigh

    # bound states are as wide as C: beyond the lags where that has fallen to nothing only the band is left
    step, M = clock.step, min(slope.size - 1, _LARGEST_MATRIX)
    k = np.arange(M + 1)
    halves = np.where((k == 0) | (k == M), np.sqrt(0.5), 1.0)
    waves = np.sqrt(2.0 / M) * np.cos(np.pi * np.outer(k, k % (2 * M)) / M) * np.outer(halves, halves)
    operator = waves * (np.pi * k / (M * step)) ** 2 @ waves.T - np.diag(slope[: M + 1])
    lowest = float(eigh(operator, eigvals_only=True, subset_by_index=[0, 0])[0])
    return -leak + np.sqrt(max(-lowest, 0.0))


def _of_map(clock, leak, slope):
    from scipy.linalg import eigh_tridiagonal
    from scipy.optimize import brentq

    step = clock.step
    b, K = 1.0 - step * leak, step**2 * slope
    both = np.ones(K.size - 1)
    both[[0, -1]] *= np.sqrt(2.0)  # even functions, on a ring
    if b == 0.0:  # each lag by itself
        return 0.5 * np.log(float(K.max())) / step

    def lowest(per_step):
        growth = np.exp(per_step)
        return eigh_tridiagonal(growth**2 + b**2 - K, -b * growth * both, eigvals_only=True, select="i", select_range=(0, 0))[0]

    low, high = np.log(abs(b)) + 1e-12 if b else -30.0, 1.0
    while lowest(high) < 0.0:
        high *= 2.0
        if high > 500.0:
            raise ConvergenceError("the largest exponent is not bracketed", estimate=high)
    # above log b the level rises with the exponent, and K > 0 makes it negative at log b itself
    return float(brentq(lowest, low, high, xtol=_TOL, rtol=1e-14)) / step if lowest(low) < 0.0 else float(low) / step
