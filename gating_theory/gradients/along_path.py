"""Mean-square growth of gradients along any path of sites, with tied or untied weights [T9].

Perturbations ds of a site and dy of its fields are Gaussian, the fields independent of one another and of the path, with covariance
a_k^2 C_k(t, t') over steps, C_k(t, t') = E dm_k(t) dm_k(t') over sites. So the second moments of (ds, dy) at each site close,
and are followed step after step::

    S_ab(t, t') = <ds_a(t) ds_b(t')>,        X_ak(t, t') = <ds_a(t) dy_k(t')>

Nothing is factorised: a Cholesky factor of C loses everything once G falls fast. Of S only the row of the last step is kept, so
memory grows with the number of steps and not with its square.

Rounding errors of moments are no perturbations of a network: they grow as fresh perturbations do. Where perturbations that have
come a long way shrink much faster than fresh ones (all sites change the sign of their coupling at once, say) digits are lost. The
same recursion in single precision says how many: errors of both are proportional to their precision.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..errors import ConvergenceError
from ..running.progress import Progress, check_progress
from ..support.arithmetic import underflow_is_zero
from ..support.available_memory import require_memory
from ..support.checks import choice, integer
from ..support.types import Progress as Wanted
from .site_path import SitePath

__all__ = ["WEIGHTS", "PathGrowth", "path_growth"]

#: Whether all steps share their matrices.
WEIGHTS = ("tied", "untied")
#: By so much errors of double precision are smaller than those of single precision.
_PRECISION = float(np.finfo(np.float64).eps / np.finfo(np.float32).eps)
#: One difference may happen to be small; and a few units in the last place for each step, in units of single precision's.
_LUCKY, _UNITS = 10.0, float(np.finfo(np.float32).eps)
#: Largest relative difference of the two from which the error of the better one is still known: their errors are proportional.
_LOST = 0.3


class PathGrowth(NamedTuple):
    """Mean squares through the first t steps of a path, as mantissas and exponents: they can be larger or smaller than any float.

    Attributes
    ----------
    mantissa : (T + 1, d) array, per state variable a: (1/N) tr over the rows a of P P^T, over 2^exponent
    exponent : (T + 1,) int array
    rounding : (T + 1,) array, relative errors by rounding, estimated
    """

    mantissa: np.ndarray
    exponent: np.ndarray
    rounding: np.ndarray

    @property
    def mean_square(self) -> np.ndarray:
        """(T + 1, d) array; 0 or inf beyond the range of floats."""
        with np.errstate(over="ignore", under="ignore"):
            return np.ldexp(self.mantissa, self.exponent[:, None])


@underflow_is_zero
def path_growth(path: SitePath, weights: str = "tied", start: int | None = None, progress: Wanted = None) -> PathGrowth:
    """Mean square of the product of the first t Jacobians of a path, for t = 0 .. T [T9].

    Time grows as M T^2, memory is 8 M T (d^2 + 2 d K) bytes and the site derivatives.

    Parameters
    ----------
    path : SitePath
    weights : "tied" (one set of matrices in all steps) or "untied" (fresh ones in each, at the same sites)
    start : int or None, of a perturbation of this state variable alone; None: of all
    progress : None, True (a bar) or callable(done, total)

    Returns
    -------
    PathGrowth, whose ``mean_square`` is the (T + 1, d) array of (1/N) tr over rows a of P P^T: its sum over a is the sheet's G(t)

    Raises
    ------
    TypeError, ValueError
        arguments out of range
    MemoryError
        said before any is taken
    ConvergenceError
        rounding errors grow until less than eight digits are left (``estimate`` is what was found so far)
    """
    choice("weights", weights, WEIGHTS)
    check_progress(progress)
    d, K, T = path.cell.n_state, path.cell.n_fields, path.n_steps
    started = range(d) if start is None else [integer("start", start, low=0, high=d - 1)]
    require_memory(f"growth through {T} steps at {path.size} sites", 8.0 * path.size * (T + 1) * d * (2 * d + 3 * K))
    kind = _Tied if weights == "tied" else _Untied
    follow, coarse = kind(path, started, np.float64), kind(path, started, np.float32)
    growth = PathGrowth(np.zeros((T + 1, d)), np.zeros(T + 1, dtype=int), np.zeros(T + 1))
    growth.mantissa[0] = follow.squares()
    with Progress(progress, T, "step") as tell:
        for t in range(T):
            follow.step(t)
            coarse.step(t)
            growth.mantissa[t + 1], growth.exponent[t + 1] = follow.squares(), 2 * follow.exponent
            apart = _apart(follow, coarse)
            growth.rounding[t + 1] = max(growth.rounding[t], _PRECISION * max(_LUCKY * apart, _UNITS * (t + 1)))
            if not apart <= _LOST:
                raise ConvergenceError(
                    f"growth along the path: after {t + 1} steps perturbations have shrunk so much faster than rounding errors "
                    "that less than eight digits are left",
                    estimate=growth.mean_square[: t + 2],
                )
            tell(1)
    return growth


def _apart(follow, coarse):
    """Relative difference of two sums of squares; 0 where both are zero."""
    one, other = float(follow.squares().sum()), float(coarse.squares().sum())
    other = float(np.ldexp(other, 2 * (coarse.exponent - follow.exponent)))
    return abs(one - other) / one if one > 0.0 else abs(other)


class _Second:
    """Second moments of perturbations at the sites of a path, in units of 2^exponent at each time."""

    def __init__(self, path, started, dtype):
        (self.path, self.given), self.exponent, self.dtype = path.normalised(dtype), 0, dtype
        self.d, self.K, self.n = path.cell.n_state, path.cell.n_fields, path.cell.n_messages
        self.square_gain = (self.path.gain**2).astype(dtype)
        self.now = self.zeros(self.d, self.d, path.size)  # S(t, t)
        for a in started:
            self.now[a, a] = 1.0

    def zeros(self, *shape):
        """Moments, none yet."""
        return np.zeros(shape, dtype=self.dtype)

    def squares(self):
        """E S_aa(t, t)."""
        return np.einsum("aam,m->a", self.now, self.path.weights)

    def _scale(self, t):
        """The power of two by which perturbations have grown in step t of the normalised path, and are now divided."""
        size = self.squares().sum()
        power = int(np.frexp(size)[1]) // 2 if size > 0.0 else 0
        self.exponent += power + int(self.given[t])
        self.now = np.ldexp(self.now, -2 * power)
        return power


class _Untied(_Second):
    """Fresh matrices in each step: fields know nothing of the past."""

    def step(self, t):
        path, variance = self.path, self.zeros(self.n)
        for message in range(self.n):
            variance[message] = self._message(t, message, variance)
        new = np.zeros_like(self.now)
        for (a, i), f in path.F_s.items():
            for (b, j), g in path.F_s.items():
                new[a, b] += f[t] * g[t] * self.now[i, j]
        for (a, k), f in path.F_y.items():
            for (b, l), g in path.F_y.items():
                if k == l:
                    new[a, b] += f[t] * g[t] * (self.square_gain[k] * variance[path.cell.message_of[k]])
        self.now = new
        self._scale(t)

    def _message(self, t, message, variance):
        path, total = self.path, self.zeros(self.path.size)
        own = [(i, m[t]) for (n, i), m in path.M_s.items() if n == message]
        for i, m in own:
            for j, other in own:
                total += m * other * self.now[i, j]
        for (n, k), m in path.M_y.items():
            if n == message:
                total += m[t] ** 2 * (self.square_gain[k] * variance[path.cell.message_of[k]])
        return total @ path.weights


class _Tied(_Second):
    """One set of matrices in all steps: C(t, t') for all pairs of times."""

    def __init__(self, path, started, dtype):
        super().__init__(path, started, dtype)
        T, M = path.n_steps, path.size
        self.C = self.zeros(self.n, T, T)  # in units of both times
        self.S = self.zeros(self.d, self.d, T + 1, M)  # S(t, t') for t' = 0 .. t
        self.S[:, :, 0] = self.now
        self.past = self.zeros(self.d, self.K, T, M)  # X(t, t') = <ds(t) dy(t')> for t' = 0 .. t
        self.ahead = self.zeros(self.d, self.K, T, M)  # <ds(t') dy(t)> for t' = 0 .. t
        self.powers = np.zeros(T, dtype=int)

    def step(self, t):
        for message, listeners in enumerate(self.path.listeners):
            self.C[message, t, : t + 1] = self.C[message, : t + 1, t] = self._covariance(t, message)
            self._look_ahead(t, message, listeners)
        new = self._moved(t)
        self._move_past(t)
        self.S[:, :, 1 : t + 2], self.S[:, :, 0] = new, self._first
        self.now = self.S[:, :, t + 1].copy()
        power = self._scale(t)
        self.powers[t] = power
        if power:
            self.S[:, :, : t + 2] = np.ldexp(self.S[:, :, : t + 2], -power)
            self.S[:, :, t + 1] = self.now
            self.past[:, :, : t + 1] = np.ldexp(self.past[:, :, : t + 1], -power)

    def _field(self, k, t):
        """<dy_k(t) dy_k(t')> for t' = 0 .. t, as a column beside the sites."""
        return (self.square_gain[k] * self.C[self.path.cell.message_of[k], t, : t + 1])[:, None]

    def _covariance(self, t, message):
        """C(t, t') of a message for t' = 0 .. t."""
        products = self._bilinear(t, [message], [message], self.path.M_s, self.path.M_y)[0, 0]
        return (products * self.path.weights).sum(axis=1)  # matrix products in single precision warn of lanes beyond their end

    def _bilinear(self, t, rows, columns, by_state, by_field):
        """<u_a(t) u_b(t')> for t' = 0 .. t, (rows, columns, t + 1, M), of u = by_state ds + by_field dy."""
        upto = slice(t + 1)
        out = self.zeros(len(rows), len(columns), t + 1, self.path.size)
        states = [(a, i, f) for (a, i), f in by_state.items()]
        fields = [(a, k, f) for (a, k), f in by_field.items()]
        for b, j, g in states:
            if b in columns:
                half = self.zeros(len(rows), t + 1, self.path.size)
                for a, i, f in states:
                    if a in rows:
                        half[rows.index(a)] += f[t] * self.S[i, j, upto]
                for a, k, f in fields:
                    if a in rows:
                        half[rows.index(a)] += f[t] * self.ahead[j, k, upto]
                out[:, columns.index(b)] += g[upto] * half
        for b, k, g in fields:
            if b in columns:
                half = self.zeros(len(rows), t + 1, self.path.size)
                for a, i, f in states:
                    if a in rows:
                        half[rows.index(a)] += f[t] * self.past[i, k, upto]
                for a, l, f in fields:
                    if a in rows and l == k:
                        half[rows.index(a)] += f[t] * self._field(k, t)
                out[:, columns.index(b)] += g[upto] * half
        return out

    def _look_ahead(self, t, message, listeners):
        """<ds(t') dy_k(t)> of the fields of a message, from rest on: dy(t) is the only thing that is given."""
        path, x = self.path, self.ahead
        x[:, listeners, 0] = 0.0
        for now in range(t):
            value = self.zeros(self.d, len(listeners), path.size)
            for (a, i), f in path.F_s.items():
                value[a] += f[now] * x[i, listeners, now]
            for (a, k), f in path.F_y.items():
                if k in listeners:
                    value[a, listeners.index(k)] += f[now] * (self.square_gain[k] * self.C[message, now, t])
            x[:, listeners, now + 1] = np.ldexp(value, -self.powers[now])
        self.past[:, listeners, t] = x[:, listeners, t]

    def _moved(self, t):
        """S(t + 1, t' + 1) for t' = 0 .. t, before it is scaled to the time t + 1; and S(t + 1, 0)."""
        every = list(range(self.d))
        first = self.zeros(self.d, self.d, self.path.size)
        for (a, i), f in self.path.F_s.items():
            first[a] += f[t] * self.S[i, :, 0]
        self._first = first
        new = self._bilinear(t, every, every, self.path.F_s, self.path.F_y)
        new[:, :, :t] = np.ldexp(new[:, :, :t], -self.powers[:t, None])
        return new

    def _move_past(self, t):
        """<ds(t + 1) dy(t')> for t' = 0 .. t, before it is scaled."""
        new = self.zeros(self.d, self.K, t + 1, self.path.size)
        for (a, i), f in self.path.F_s.items():
            new[a] += f[t] * self.past[i, :, : t + 1]
        for (a, k), f in self.path.F_y.items():
            new[a, k] += f[t] * self._field(k, t)
        self.past[:, :, : t + 1] = new
