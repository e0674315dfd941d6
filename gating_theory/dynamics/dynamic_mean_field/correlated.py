"""E f(x) f(x') of functions of correlated normal numbers, as power series in the correlation [T8].

For x, x' normal with variance v and correlation rho,

    E f(x) f(x') = sum_n c_n^2 rho^n,        c_n = E f(b + sqrt(v) z) He_n(z) / sqrt(n!),

one polynomial for all lags, and its derivative with respect to the covariance is E f' f'' (Price). The c_n come from the trapezoid
rule, which converges faster than any power for functions that are smooth: Gauss-Hermite with 80 nodes is off by 3e-4 at v = 6.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

__all__ = ["CorrelatedAverage", "normal_grid"]

#: Coefficients of functions of one variable and of two, and the trapezoid grids: spacing, reach.
_TERMS, _SPACING, _REACH = 700, 0.02, 10.0
_TERMS_OF_TWO, _SPACING_OF_TWO = 200, 0.04
#: Terms that are tried first: they are enough where the last quarter is negligible and all hold this part of E f^2.
_FIRST, _MOST = (96, 256), 1.0 - 1e-9
#: Terms of a series that are summed at once.
_BLOCK = 16
#: Series end where all that follows is less than this part of the whole.
_NEGLIGIBLE = 1e-17


@lru_cache(maxsize=8)
def normal_grid(terms: int, spacing: float, reach: float = _REACH) -> tuple[np.ndarray, np.ndarray]:
    """(nodes z, weighted Hermite functions (terms, nodes)): rows integrate f into c_n [T8].

    Parameters
    ----------
    terms : int >= 3
    spacing, reach : float, of the nodes
    """
    z = np.arange(-reach, reach + 0.5 * spacing, spacing)
    table = np.empty((terms, z.size))
    table[0], table[1] = 1.0, z
    for n in range(1, terms - 1):
        table[n + 1] = (z * table[n] - np.sqrt(n) * table[n - 1]) / np.sqrt(n + 1.0)
    table *= np.exp(-0.5 * z**2) * (spacing / np.sqrt(2.0 * np.pi))
    return z, table


class CorrelatedAverage:
    """E f(x) f(x') of a function of one or two independent normal variables, as a function of their correlations.

    Parameters
    ----------
    function : callable of as many arrays as there are variables, which broadcast
    means, stds : sequences of float, one for each variable

    Attributes
    ----------
    missing : float
        The part of E f^2 that the series does not hold: functions that are steep within a standard deviation need more terms.
    mean : float, E f
    """

    def __init__(self, function: Callable[..., np.ndarray], means: Sequence[float], stds: Sequence[float]) -> None:
        self.rank, self.stds = len(means), np.asarray(stds, dtype=float)
        if not 1 <= self.rank <= 2:
            raise ValueError(f"means must be those of one or two variables, got {self.rank}")
        z, table = normal_grid(*((_TERMS, _SPACING) if self.rank == 1 else (_TERMS_OF_TWO, _SPACING_OF_TWO)))
        if self.rank == 1:
            values = np.broadcast_to(function(means[0] + stds[0] * z), z.shape)
            whole = float(table[0] @ values**2)
            for terms in (*_FIRST, _TERMS):  # smooth functions need few, and all would be many times slower
                coefficients = table[:terms] @ values
                last = coefficients[-(terms // 4) :]
                if last @ last < _NEGLIGIBLE * whole and coefficients @ coefficients > _MOST * whole:
                    break
        else:
            values = function(means[0] + stds[0] * z[:, None], means[1] + stds[1] * z[None, :])
            values = np.broadcast_to(values, (z.size, z.size))
            coefficients = table @ values @ table.T
            whole = float(table[0] @ values**2 @ table[0])
        squares = coefficients**2
        self.mean = float(coefficients.flat[0])
        self.missing = max(0.0, 1.0 - float(squares.sum()) / whole) if whole > 0.0 else 0.0
        for axis in range(self.rank):
            along = squares.sum(axis=tuple(a for a in range(self.rank) if a != axis))
            rest = np.cumsum(along[::-1])[::-1]
            kept = max(1, int(np.count_nonzero(rest > _NEGLIGIBLE * whole)))
            squares = squares.take(range(kept), axis)
        self.squares = squares

    def __call__(self, *rhos: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        """E f f' and its derivatives with respect to the covariance of each variable, at correlations of one shape."""
        if self.rank == 1:
            value, slope = _with_slope(self.squares, rhos[0])
            return value, [slope / self._variance(0)]
        inner, along_second = _with_slope(self.squares.T[..., None], rhos[1])
        value, first = _with_slope(inner, rhos[0])
        second, _ = _with_slope(along_second, rhos[0])
        return value, [first / self._variance(0), second / self._variance(1)]

    def value(self, rho: np.ndarray) -> np.ndarray:
        """E f f' of a function of one variable, without derivatives: many times faster.

        What the series does not hold is of high powers, and is counted where the correlation is 1.
        """
        blocks = np.zeros(-(-self.squares.size // _BLOCK) * _BLOCK)
        blocks[: self.squares.size] = self.squares
        powers = rho ** np.arange(_BLOCK)[:, None]
        value, step = np.zeros(np.shape(rho)), powers[-1] * rho
        for row in (blocks.reshape(-1, _BLOCK) @ powers)[::-1]:
            value = value * step + row
        return np.where(rho == 1.0, value / (1.0 - self.missing), value)

    def _variance(self, variable):
        return max(self.stds[variable] ** 2, 1e-300)


def _with_slope(coefficients, x):
    """sum_n c_n x^n and its derivative by Horner's rule; the power runs along the first axis of the coefficients."""
    value = np.zeros(np.broadcast_shapes(coefficients.shape[1:], np.shape(x)))
    slope = np.zeros_like(value)
    for c in coefficients[::-1]:
        slope = slope * x + value
        value = value * x + c
    return value, slope
