"""Matrices with given singular values, in random directions: what is assumed of trained weights [T10]."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ..support.checks import real_array, shown
from .matrix_laws import MatrixLaw
from .rotation_invariant import Haar

__all__ = ["WithSingularValues"]

#: Steps at most until y is known, and the relative change of log y that ends them: the next one is its square.
_STEPS, _SAME = 100, 1e-10
#: Numbers that are held at once, at most; the least share.
_AT_ONCE, _LEAST = 4_000_000, 1e-100


@dataclass(frozen=True)
class WithSingularValues(MatrixLaw):
    """U = a O Sigma O' with Haar orthogonal O and O' and given singular values Sigma [T10].

    The directions of a trained matrix may mean something, its singular values alone say what a spectrum would be if they did not:
    ``gt.WithSingularValues(np.linalg.svd(U, compute_uv=False))``, with the gain ``a = |U|_F / sqrt(N)``. With a parameter y > 0::

        A(s) / a^2 = s / (y (1 - s)^2),    s = E[y sigma^2 / (1 + y sigma^2)],

    the average being over singular values of mean square 1.

    Parameters
    ----------
    values : sequence of numbers >= 0, not all zero
        Each as often as it is among the singular values, up to a factor: they are kept as a sorted tuple of mean square 1.

    Raises
    ------
    TypeError, ValueError
        values that are not such numbers

    Examples
    --------
    Singular values that can be inverted make a hole around zero, of the radius (E sigma^-2)^(-1/2):

    >>> import gating_theory as gt
    >>> law = gt.WithSingularValues([1, 3])
    >>> print(round(law.inverse_square() ** -0.5, 4))  # of values of mean square 1
    0.6
    >>> sp = gt.Spectrum(gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=0.9, matrices=law))[0])
    >>> print(sp.density(0.53), round(sp.density(0.55), 3))  # on both sides of 0.54, 0.6 times the gain
    0.0 1.48
    """

    name = "singular values"
    holds = frozenset({"mean field", "dynamics", "edge", "resolvent", "outliers"})

    values: npt.ArrayLike

    def __post_init__(self) -> None:
        given = real_array("values", self.values)
        if given.ndim != 1 or not given.size or (given < 0.0).any() or not given.any():
            raise ValueError(f"values must be numbers >= 0, not all of them zero, got {shown(self.values)}")
        scaled = np.sort(given / given.max())
        size = np.sqrt(np.mean(scaled**2))
        # what has been scaled before stays: laws are compared, and saved as their values
        kept = np.sort(given) if abs(np.mean(given**2) - 1.0) < 1e-14 else scaled / size
        object.__setattr__(self, "values", tuple(kept.tolist()))

    @cached_property
    def _squares(self):
        """(V,) squares of the values that differ, and their weights."""
        squares, counts = np.unique(np.array(self.values) ** 2, return_counts=True)
        return squares, counts / counts.sum()

    def __repr__(self) -> str:
        values = [f"{value:.6g}" for value in np.asarray(self.values).tolist()]
        shown_values = values if len(values) < 7 else [*values[:2], f"{len(values) - 4} more", *values[-2:]]
        return f"WithSingularValues({', '.join(shown_values)})"

    def draw(self, n: int, rng: np.random.Generator, count: int = 1) -> np.ndarray:
        """(count, n, n) matrices; of another number of values than n the quantiles are taken. Arguments as in MatrixLaw.draw."""
        if count == 0:
            return np.empty((0, n, n))
        values = np.array(self.values)[((np.arange(n) + 0.5) / n * len(self.values)).astype(int)]  # type: ignore[arg-type]
        values /= np.sqrt(np.mean(values**2))
        left, right = Haar().draw(n, rng, 2 * count).reshape(2, count, n, n) / np.sqrt(n)
        return np.sqrt(n) * (left * values) @ right

    # --- the self-consistent equations

    def log_gain(self, s: np.ndarray, count: int = 1) -> np.ndarray:
        """log(s / (y (1 - s)^2)); -inf at shares that these matrices cannot have. Arguments as in MatrixLaw.log_gain."""
        return self._of(s, lambda s, y, ratio, rest: np.log(ratio @ self._squares[1]) - 2.0 * np.log1p(-s))

    def log_gain_slope(self, s: np.ndarray, count: int = 1) -> np.ndarray:
        """Its derivative, by that of s by log y. Arguments as in MatrixLaw.log_gain_slope."""

        def slope(s, y, ratio, rest):
            mean, square, left = (a @ self._squares[1] for a in (ratio, ratio**2, ratio * rest))
            # s = y mean, ds / dlog y = y left, and mean - left = y square
            return 2.0 / (1.0 - s) - square / (mean * left)

        return self._of(s, slope)

    def penalty(self, s: np.ndarray, count: int = 1) -> np.ndarray:
        """-2 log(1 - s) - E log(1 + y sigma^2). Arguments as in MatrixLaw.penalty."""
        return self._of(s, lambda s, y, ratio, rest: -2.0 * np.log1p(-s) + np.log(rest) @ self._squares[1])

    def truncation(self, count: int = 1) -> float | None:
        """1 of equal values, which are those of a Haar matrix. Arguments as in MatrixLaw.truncation."""
        return 1.0 if len(self._squares[0]) == 1 else None

    def inverse_square(self, count: int = 1) -> float:
        """E sigma^-2. Arguments as in MatrixLaw.inverse_square."""
        squares, weights = self._squares
        return float(weights @ (1.0 / squares)) if squares[0] > 0.0 else np.inf

    def mean_log(self, count: int = 1) -> float:
        """E log sigma. Arguments as in MatrixLaw.mean_log."""
        squares, weights = self._squares
        return float(0.5 * weights @ np.log(squares)) if squares[0] > 0.0 else -np.inf

    def _of(self, s, function):
        """A function of s, y, sigma^2 / (1 + y sigma^2) and 1 / (1 + y sigma^2), at shares of any shape, a stretch at a time."""
        flat = np.maximum(np.asarray(s, dtype=float).ravel(), _LEAST)
        size = max(1, _AT_ONCE // self._squares[0].size)
        return np.concatenate([self._at(flat[i : i + size], function) for i in range(0, max(flat.size, 1), size)]).reshape(
            np.shape(s)
        )

    def _at(self, s, function):
        squares, weights = self._squares
        most = weights[squares > 0.0].sum()
        fine = s < most
        out = np.full(s.size, -np.inf)
        y = np.exp(self._log_y(s[fine], most))
        rest = 1.0 / (1.0 + y[:, None] * squares)
        out[fine] = function(s[fine], y, squares * rest, rest)
        return out

    def _log_y(self, s, most):
        """log y where s = E[y sigma^2 / (1 + y sigma^2)], by Newton's method for the logit of s / most, between bounds.

        Of a single value logit(s) = log(y sigma^2): all are between those of the smallest and of the largest.
        """
        squares, weights = self._squares
        squares, weights = squares[squares > 0.0], weights[squares > 0.0]
        target = np.log(s) - np.log(most - s)
        low, high = target - np.log(squares[-1]), target - np.log(squares[0])
        x = target.copy()
        for _ in range(_STEPS):
            y = np.exp(x)[:, None] * squares
            left = 1.0 / (1.0 + y)
            share, rest = (y * left) @ weights, left @ weights
            error = np.log(share) - np.log(rest) - target
            low, high = np.where(error < 0.0, x, low), np.where(error > 0.0, x, high)
            slope = ((y * left * left) @ weights) * (1.0 / share + 1.0 / rest)
            new = x - error / slope
            new = np.where((new >= low) & (new <= high), new, 0.5 * (low + high))
            close = np.abs(new - x) <= _SAME * (1.0 + np.abs(x))
            x = new
            if close.all():
                break
        return x
