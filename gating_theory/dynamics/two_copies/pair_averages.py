"""E f(x) f(x') of normal numbers with different variances, all pairs of one time with those before at once [T8b].

For x, x' of means b, b', variances v, v' and correlation rho,

    E f(x) f(x') = sum_n c_n(b, v) c_n(b', v') rho^n,        c_n(b, v) = E f(b + sqrt(v) z) He_n(z) / sqrt(n!),

so that coefficients are made once for each copy and time, and each pair costs one polynomial (of functions of two independent
variables: one in each correlation). Series are as long as the function asks for; those that would be longer than the longest leave
out at most ``missing`` of E f^2, by Cauchy's inequality at every correlation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..dynamic_mean_field.correlated import normal_grid
from .pair_kernels import series_of_pairs

__all__ = ["PairAverage"]

#: (terms, spacing of the nodes) that are tried in turn, of functions of one variable and of two, and the reach of the nodes: what
#: lies beyond weighs exp(-reach^2 / 4) in the highest coefficients.
_LADDERS = {1: ((100, 0.1), (400, 0.05), (1600, 0.02)), 2: ((40, 0.15), (100, 0.08), (240, 0.05))}
_REACH = 13.0
#: Series are long enough where they hold all of E f^2 but this part; terms smaller than this part of the whole are left out.
_WHOLE, _NEGLIGIBLE = 1e-13, 1e-16
#: Parities that coefficients lack are below this, relative to the whole: rounding.
_NO_PARITY = 1e-14
#: What a standard deviation of zero is divided by: nothing varies, and no power of the correlation counts.
_NOTHING = 1e-300


class PairAverage:
    """E f f' of one function at all copies and times, which are met one time after the other.

    Parameters
    ----------
    function : callable of as many arrays as there are variables, which broadcast
    rank : 1 or 2, the number of variables, which are independent of each other
    n_copies, n_times : int, R and how many times there will be

    Attributes
    ----------
    missing : float, the largest part of E f^2 that a series did not hold so far
    """

    def __init__(self, function: Callable[..., np.ndarray], rank: int, n_copies: int, n_times: int) -> None:
        self.function, self.rank, self.n_copies, self.missing = function, rank, n_copies, 0.0
        self._step, self._times, self._size = 0, 0, 0.0
        self._stds = np.zeros((rank, n_times * n_copies))  # places: copy after copy, time after time
        self._table = np.zeros((1,) * rank + (n_times * n_copies,))  # (terms, .., places)
        self._largest = self._last = np.zeros((1,) * rank)  # moduli of coefficients, at all times so far and at the last

    def meet(self, means: Sequence[float], stds: Sequence[np.ndarray]) -> None:
        """The next time, at which variable v is of this mean and has these standard deviations, (R,) each.

        Parameters
        ----------
        means, stds : of each variable
        """
        places = slice(self._times * self.n_copies, (self._times + 1) * self.n_copies)
        self._stds[:, places] = stds
        found = self._coefficients(means, np.array(stds))
        shape = np.maximum(self._table.shape[:-1], found.shape[:-1])
        self._table, self._largest = _padded(self._table, (*shape, self._table.shape[-1])), _padded(self._largest, shape)
        self._table[(*(slice(n) for n in found.shape[:-1]), places)] = found
        self._last = _padded(np.abs(found).max(axis=-1), shape)
        self._largest = np.maximum(self._largest, self._last)
        self._times += 1
        self._size = max(self._size, float(np.square(found).sum(axis=tuple(range(self.rank))).max()))

    def _coefficients(self, means, stds):
        """(terms, .., R) of the time that has just been met; the ladder is never climbed down again."""
        ladder = _LADDERS[self.rank]
        while True:
            z, table = normal_grid(*ladder[self._step], _REACH)
            found, missing = (self._of_one if self.rank == 1 else self._of_two)(means, stds, z, table)
            if missing <= _WHOLE or self._step == len(ladder) - 1:
                self.missing = max(self.missing, missing)
                return _without_tail(found)
            self._step += 1

    def _of_one(self, means, stds, z, table):
        values = np.broadcast_to(self.function(means[0] + z[:, None] * stds[0]), (z.size, stds.shape[1]))
        found = table @ values
        return found, _lacking(found, table[0] @ values**2)

    def _of_two(self, means, stds, z, table):
        found, whole = np.empty((len(table), len(table), stds.shape[1])), np.empty(stds.shape[1])
        for a in range(stds.shape[1]):
            values = self.function(means[0] + stds[0, a] * z[:, None], means[1] + stds[1, a] * z)
            values = np.broadcast_to(values, (z.size, z.size))
            found[..., a] = table @ values @ table.T
            whole[a] = table[0] @ values**2 @ table[0]
        return found, _lacking(found, whole)

    def row(self, covariances: Sequence[np.ndarray]) -> np.ndarray:
        """E f f' of the copies at the last time with those at all times so far.

        Parameters
        ----------
        covariances : of each variable, (R, t + 1, R) [a, t', b]

        Returns
        -------
        (R, t + 1, R) array
        """
        R, n = self.n_copies, self._times * self.n_copies
        last = slice(n - R, n)
        rhos = []
        for covariance, stds in zip(covariances, self._stds):
            rho = covariance.reshape(R, n) / np.maximum(np.multiply.outer(stds[last], stds[:n]), _NOTHING)
            rhos.append(np.clip(rho, -1.0, 1.0, out=rho))
        if self.rank == 1:
            return self._series(self._table, self._last * self._largest, rhos[0]).reshape(R, self._times, R)
        value = np.zeros((R, n))
        for table, sizes in zip(self._table[::-1], (self._last * self._largest)[::-1]):
            value *= rhos[0]
            value += self._series(table, sizes, rhos[1])
        return value.reshape(R, self._times, R)

    def _series(self, table, sizes, rho):
        """sum_n c_n c_n' rho^n of the last time with all, of coefficients (terms, places) whose products are of these sizes."""
        whole = float(sizes.sum())
        lacking = [float(sizes[parity::2].sum()) <= _NO_PARITY * whole for parity in (0, 1)]
        first, step = (1, 2) if lacking[0] else (0, 2) if lacking[1] else (0, 1)
        rest = np.append(np.cumsum(sizes[::-1])[::-1], 0.0)
        return series_of_pairs(table, rest, rho, rho.shape[1] - len(rho), 0, first, step, _NEGLIGIBLE * max(whole, self._size))


def _padded(table, shape):
    """An array with zeros added at the ends of its axes."""
    return np.pad(table, [(0, int(new - old)) for new, old in zip(shape, table.shape)]) if tuple(shape) != table.shape else table


def _lacking(coefficients, whole):
    """The largest part of E f^2 that coefficients (terms, .., R) do not hold."""
    held = np.square(coefficients).sum(axis=tuple(range(coefficients.ndim - 1)))
    left = np.divide(whole - held, whole, out=np.zeros_like(whole), where=whole > 0.0)
    return float(max(left.max(), 0.0))


def _without_tail(table):
    """Coefficients without those of high order that add nothing."""
    squares = np.square(table)
    whole = squares.sum(axis=tuple(range(table.ndim - 1)))
    shares = np.divide(squares, whole, out=np.zeros_like(squares), where=whole > 0.0).max(axis=-1)
    for axis in range(shares.ndim):
        along = shares.sum(axis=tuple(a for a in range(shares.ndim) if a != axis))
        rest = np.cumsum(along[::-1])[::-1]
        kept = max(1, int(np.count_nonzero(rest > _NEGLIGIBLE)))
        table, shares = table.take(range(kept), axis), shares.take(range(kept), axis)
    return table
