"""Largest real parts of spectra at many mean-field fixed points at once, where the edge on the real axis decides [T3]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from ..cell.compiled import CompiledCell
from ..ensemble.field_law import RandomFields
from ..ensemble.quadrature import BROAD, MAX_NODES
from ..mean_field.fixed_points import FixedPoint
from ..support.roots import bracketed_root
from .boundary import LEAK_TAIL, UNBOUNDED
from .determinant import spectral_radius
from .edge import EDGE_TOLS, LEAK_NODES, ONE_LEAK

__all__ = ["Abscissas", "abscissas"]

#: Distances from the leaks, in their own size, at which T is looked at first.
_DISTANCES = np.append(10.0 ** np.linspace(-16, 0, 49), 2.0)
#: Of two grids, one with half the nodes of the other, T may differ by so much.
_HALVED = 1e-6
#: Fixed points whose leaks are as broad within this power of two share a grid; sums over it are made of so many numbers at once.
_ALIKE, _AT_ONCE = 2.0, 65536
#: Secant steps for log T in the logarithm of the distance, how far apart their two points are, and where they end.
_SECANTS, _APART, _CLOSE = 4, 1e-4, 1e-9


def abscissas(points: Sequence[FixedPoint]) -> list[float | None]:
    """``Spectrum(point).abscissa()`` of each of many fixed points of one cell, where the edge right of all leaks decides.

    That is so for cells with one state whose numerators of T do not depend on lambda (the GRU and its kin, not the LSTM):
    T then falls away from the real axis. On it, right of the leaks, T is a sum over the nodes of the leak's field without a pole
    nearby, for all fixed points together.

    Parameters
    ----------
    points : sequence of FixedPoint

    Returns
    -------
    list, None where a single search has to say: for other cells, leaks that are very broad, no edge right of the leaks, doubts
    """
    out: list[float | None] = [None] * len(points)
    if not points or not _falls_off_axis(points[0].ensemble.cell.compiled):
        return out
    cell, random = points[0].ensemble.cell, RandomFields([point.ensemble for point in points])
    q = np.array([point.q for point in points])
    law, poles = random.law(q), cell.compiled.pole_variables
    widths = np.zeros(len(points))
    if poles:
        (v,) = poles
        shape, std = random.shapes[v], law.stds[:, v]
        widths = np.where(std < ONE_LEAK * (1.0 + np.abs(random.means[:, v])), 0.0, std)
        if widths.any() and not shape.trapezoidal:
            return out
        widths[widths >= BROAD * shape.length] = np.nan
    classes = np.full(len(points), -np.inf)
    classes[widths > 0.0] = np.floor(np.log(widths[widths > 0.0]) / np.log(_ALIKE))
    for chosen in np.unique(classes[np.isfinite(widths)]):
        rows = np.flatnonzero((classes == chosen) & np.isfinite(widths))
        for row, value in zip(rows.tolist(), _Together(cell, random.of_rows(rows), q[rows], np.isneginf(chosen)).abscissas()):
            out[row] = None if np.isnan(value) else float(value)
    return out


class Abscissas:
    """The :func:`abscissas` of many fixed points, computed together when the first is asked for.

    Parameters
    ----------
    points : sequence of FixedPoint
    """

    def __init__(self, points: Sequence[FixedPoint]) -> None:
        self._points = list(points)

    @cached_property
    def _values(self):
        return abscissas(self._points)

    def __getitem__(self, number: int) -> float | None:
        return self._values[number]


def _falls_off_axis(compiled: CompiledCell) -> bool:
    """Whether T(x + iy) <= T(x) for all real x, known from the cell alone."""
    cell = compiled.cell
    if cell.n_state > 1 or not cell.has_closed_form or len(compiled.pole_variables) > 1:
        return False
    return all(list(pairs) == [(0, 0)] for pairs in compiled.edge_factors[0][1][1].values())


class _Together:
    """T on the real axis right of the leaks, at moments q (B, n) of one cell, ``fixed`` where every one has a single leak."""

    def __init__(self, cell, random, q, fixed):
        self.cell, self.fixed, compiled = cell, fixed, cell.compiled
        self.poles, self.a2, self.tol = compiled.pole_variables, random.gain2, EDGE_TOLS[0]
        law = random.law(q)
        if fixed and self.poles:
            stds = law.stds.copy()
            stds[:, self.poles] = 0.0
            law = replace(law, stds=stds)
        self.law = replace(law, evenly=frozenset(self.poles)).refined(self.poles, LEAK_NODES)
        (call, where), self.numerators = compiled.edge_factors[0][1]
        values, weights, _ = self.law.grid(self.poles, self.tol)
        self.weights = weights[0] if weights else np.ones((len(q), 1))
        size = len(q), self.weights.shape[1]
        self.rest = np.broadcast_to(call(*self.law.arguments(self.cell, dict(zip(where, values))))[0], size)  # 1 - leak
        (call, _), _ = compiled.edge_factors[0][0]
        self.leaks = -np.broadcast_to(call(*self.law.arguments(self.cell, dict(zip(where, values))))[0], size)

    def _affordable(self):
        poles = set(self.poles)
        factors = {f for pairs in self.numerators.values() for products in pairs.values() for fs in products for f in fs}
        for factor in factors:
            if len(factor.variables) > 1 and poles & set(factor.variables):
                _, rules, _ = self.law.grid(factor.variables, self.tol, factor.even - poles, np.inf)
                if np.prod([w.shape[1] for w in rules], dtype=float) > MAX_NODES:
                    return False
        return True

    def _tables(self):
        """(constant (B, n, n), entries of T that depend on lambda, their numerators with the nodes' weights (B, G, E))."""
        n, known = self.cell.n_messages, {}
        constant, table = np.zeros((len(self.leaks), n, n)), {}
        for (k, l), products in self.cell.compiled.edge_factors[1].items():
            mean, _ = self.law.mean_of_products(self.cell, products, self.tol, cache=known)
            constant[:, k, self.cell.message_of[l]] += self.a2[:, l] * mean
        for (k, l), pairs in self.numerators.items():
            mean, _ = self.law.mean_of_products(self.cell, pairs[0, 0], self.tol, self.poles, known)
            mean = np.broadcast_to(np.reshape(mean, (len(mean), -1)), self.leaks.shape)
            entry = k, self.cell.message_of[l]
            table[entry] = table.get(entry, 0.0) + self.a2[:, l, None] * mean * self.weights
        return constant, list(table), np.stack(list(table.values()), axis=2)

    def log_edge(self, rows: np.ndarray, x: np.ndarray, step: int = 1) -> np.ndarray:
        """log of the spectral radius of T at real x (R, L) of some of the fixed points, from every ``step``-th node."""
        constant, entries, weights = self.tables
        T = np.empty((*x.shape, *constant.shape[1:]))
        T[:] = constant[rows, None]
        size = max(1, _AT_ONCE // (x.shape[1] * self.leaks.shape[1]))
        for first in range(0, rows.size, size):
            part = slice(first, first + size)
            at, lam = rows[part], x[part, :, None]
            # 1 - leak is known to all its digits where the leak is close to 1
            chi = np.where(np.abs(lam) < 0.5, lam - self.leaks[at, None, ::step], lam - 1.0 + self.rest[at, None, ::step])
            sums = np.matmul(1.0 / np.maximum(chi * chi, 1e-290), step * weights[at, ::step])
            for column, (k, nu) in enumerate(entries):
                T[part, :, k, nu] += sums[..., column]
        with np.errstate(divide="ignore"):
            return np.clip(np.log(spectral_radius(T)), -700.0, 700.0)

    def abscissas(self) -> np.ndarray:
        """(B,), NaN where there is no edge right of the leaks or it is not resolved."""
        out = np.full(len(self.leaks), np.nan)
        if not self._affordable():
            return out
        self.tables = self._tables()
        ordered = np.sort(self.leaks, axis=1)
        top = ordered[:, -1] + (0.0 if self.fixed else ordered[:, -1] - ordered[:, -2])
        x, value = self._values(top)
        rows = np.flatnonzero((value[:, -2:] < 0.0).all(axis=1) & (value > 0.0).any(axis=1))
        if not rows.size:
            return out
        last = x.shape[1] - 1 - np.argmax(value[rows, ::-1] > 0.0, axis=1)
        u = self._closed_in(rows, top[rows], np.log(x[rows]), value[rows], last)
        edge = top[rows] + np.exp(u)
        if not self.fixed:
            full, half = (np.exp(self.log_edge(rows, edge[:, None], step))[:, 0] for step in (1, 2))
            edge[np.abs(full - half) > _HALVED * full] = np.nan
        out[rows] = np.maximum(edge, self._slowest(rows))
        return out

    def _values(self, top):
        """Distances x (B, L) from the leaks' ends, so far that nothing is beyond, and log T there; above 0 if that is nowhere."""
        span, x = np.maximum(np.abs(top), 1e-3), np.empty((top.size, _DISTANCES.size))
        value, left = np.empty(x.shape), np.arange(top.size)
        while left.size:
            x[left] = span[left, None] * _DISTANCES
            value[left] = self.log_edge(left, top[left, None] + x[left])
            # T is below 1 and falls as 1/lambda^2 at the last two where nothing is beyond
            last = value[left, -2:].max(axis=1)
            span[left] *= 4.0 * np.exp(0.5 * np.maximum(last, 0.0))
            left = left[(last >= 0.0) & (span[left] < UNBOUNDED)]
        return x, value

    def _closed_in(self, rows, top, u, value, last):
        """Where log T vanishes between u[last] and u[last + 1]: inverse interpolation, secant steps, bisection where they stray."""

        def f(some, u):
            return self.log_edge(rows[some], top[some, None] + np.exp(u))

        everyone = np.arange(rows.size)
        low, high = u[everyone, last], u[everyone, last + 1]
        near = np.clip(last - 2, 0, u.shape[1] - 6)[:, None] + np.arange(6)
        guess = _inverse(u[everyone[:, None], near], value[everyone[:, None], near])
        done = np.zeros(rows.size, dtype=bool)
        for _ in range(_SECANTS):
            some = np.flatnonzero(~done & (low < guess) & (guess < high))
            if not some.size:
                break
            left, here = f(some, guess[some, None] + np.array([-_APART, 0.0])).T
            with np.errstate(all="ignore"):
                guess[some] -= here * _APART / (here - left)
            done[some] = np.abs(here) < _CLOSE  # the slope is good to four digits
        astray = np.flatnonzero(~done | ~((low < guess) & (guess < high)))
        if astray.size:
            guess[astray] = bracketed_root(lambda v: f(astray, v[:, None])[:, 0], low[astray], high[astray])
        return guess

    def _slowest(self, rows):
        """Where the tail of the leaks' law reaches what is left out of it, interpolated between nodes."""
        order = np.argsort(-self.leaks[rows], axis=1)
        values = np.take_along_axis(self.leaks[rows], order, axis=1)
        tail = np.cumsum(np.take_along_axis(self.weights[rows], order, axis=1), axis=1)
        each, i = np.arange(rows.size), np.argmax(tail >= LEAK_TAIL, axis=1)
        before = np.maximum(i - 1, 0)
        with np.errstate(all="ignore"):
            lower, upper = np.log(tail[each, before]), np.log(tail[each, i])
            between = values[each, before] + (np.log(LEAK_TAIL) - lower) / (upper - lower) * (
                values[each, i] - values[each, before]
            )
        return np.where((i == 0) | (tail[each, before] <= 0.0), values[each, i], between)


def _inverse(x, value):
    """Where functions (R, n) that fall through zero vanish, by the polynomial through x as a function of value; NaN without one."""
    ratio = value[:, None, :] - value[:, :, None]
    n = value.shape[1]
    ratio[:, range(n), range(n)] = 1.0
    with np.errstate(all="ignore"):
        ratio = value[:, None, :] / ratio
    ratio[:, range(n), range(n)] = 1.0
    falls = np.all(np.diff(value, axis=1) < 0.0, axis=1)
    return np.where(falls, np.einsum("rn,rn->r", ratio.prod(axis=2), x), np.nan)
