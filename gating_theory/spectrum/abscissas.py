"""Largest real parts of spectra at many mean-field fixed points at once, where the edge on the real axis decides [T3]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from ..ensemble.field_law import RandomFields
from ..ensemble.quadrature import BROAD, MAX_NODES
from ..mean_field.fixed_point import FixedPoint
from .determinant import spectral_radius
from .edge import EDGE_TOLS, LEAK_NODES, ONE_LEAK
from .real_edge import real_edges, upper_ends

__all__ = ["Abscissas", "abscissas"]

#: Of two grids, one with half the nodes of the other, T may differ by so much.
_HALVED = 1e-6
#: Fixed points whose leaks are as broad within this power of two share a grid; sums over it are made of so many numbers at once.
_ALIKE, _AT_ONCE = 2.0, 65536


def abscissas(points: Sequence[FixedPoint]) -> list[float | None]:
    """``Spectrum(point).abscissa()`` of each of many fixed points of one cell, where the edge right of all leaks decides.

    That is so for cells with one leak whose numerators of T do not depend on lambda (all built-in ones with closed forms):
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
    if not points:
        return out
    cell = points[0].ensemble.cell
    poles = cell.compiled.pole_variables
    if not cell.compiled.edge_factors.falls_off_axis or len(poles) > 1 or not cell.has_closed_form:
        return out
    random, q = RandomFields([point.ensemble for point in points]), np.array([point.q for point in points])
    law = random.law(q)
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


class _Together:
    """T on the real axis right of the leaks, at moments q (B, n) of one cell, ``fixed`` where every one has a single leak."""

    def __init__(self, cell, random, q, fixed):
        self.cell, self.fixed, self.factors = cell, fixed, cell.compiled.edge_factors
        self.poles, self.a2, self.tol = self.factors.variables, random.gain2, EDGE_TOLS[0]
        law = random.law(q)
        if fixed and self.poles:
            stds = law.stds.copy()
            stds[:, self.poles] = 0.0
            law = replace(law, stds=stds)
        self.law = replace(law, evenly=frozenset(self.poles)).refined(self.poles, LEAK_NODES)
        values, weights, _ = self.law.grid(self.poles, self.tol)
        self.weights = weights[0] if weights else np.ones((len(q), 1))
        arguments = self.law.arguments(cell, dict(zip(self.poles, values)))
        # chi(1) = 1 - leak and chi(0) = -leak
        self.rest, minus = (np.broadcast_to(self.factors.poles[center](*arguments)[0], self.weights.shape) for center in (1, 0))
        self.leaks = -minus if self.factors.degree else np.zeros(self.weights.shape)
        self.coarsened = False
        self.largest = np.maximum(self.leaks, 0.0) if self.factors.zeros else self.leaks

    def _affordable(self):
        poles = set(self.poles)
        for factor in self.factors.resonant_factors:
            if len(factor.variables) > 1 and poles & set(factor.variables):
                if self.law.nodes(factor, self.tol, poles) > MAX_NODES:
                    return False
        return True

    def _tables(self):
        """{p: (B, n, n)} the parts of |lambda|^2p T that do not depend on lambda; the other entries (k, n, p), and their numerators
        with the nodes' weights (B, G, E).
        """
        n, known = self.cell.n_messages, {}
        constant, table = {}, {}
        for (k, l), (power, products) in self.factors.constant.items():
            mean = self._mean(products, known)
            part = constant.setdefault(power, np.zeros((len(self.leaks), n, n)))
            part[:, k, self.cell.message_of[l]] += self.a2[:, l] * mean
        for (k, l), (power, pairs) in self.factors.resonant[1].items():
            mean = self._mean(pairs[0, 0], known, self.poles)
            mean = np.broadcast_to(np.reshape(mean, (len(mean), -1)), self.leaks.shape)
            entry = k, self.cell.message_of[l], power
            table[entry] = table.get(entry, 0.0) + self.a2[:, l, None] * mean * self.weights
        numerators = np.stack(list(table.values()), axis=2) if table else np.zeros((*self.leaks.shape, 0))
        return constant, list(table), numerators

    def _mean(self, products, known, keep=()):
        mean, reached = self.law.mean_of_products(self.cell, products, self.tol, keep, known)
        self.coarsened |= reached > self.tol
        return mean

    def log_edge(self, rows: np.ndarray, x: np.ndarray, step: int = 1) -> np.ndarray:
        """log of the spectral radius of T at real x > 0 (R, L) of some of the fixed points, from every ``step``-th node."""
        constant, entries, weights = self.tables
        n = self.cell.n_messages
        T = np.zeros((*x.shape, n, n))
        for power, part in constant.items():
            T += part[rows, None] / (x ** (2 * power))[..., None, None]
        size = max(1, _AT_ONCE // (x.shape[1] * self.leaks.shape[1]))
        for first in range(0, rows.size if entries else 0, size):
            part = slice(first, first + size)
            at, lam = rows[part], x[part, :, None]
            # 1 - leak is known to all its digits where the leak is close to 1
            chi = np.where(np.abs(lam) < 0.5, lam - self.leaks[at, None, ::step], lam - 1.0 + self.rest[at, None, ::step])
            sums = np.matmul(1.0 / np.maximum(chi * chi, 1e-290), step * weights[at, ::step])
            for column, (k, nu, power) in enumerate(entries):
                T[part, :, k, nu] += sums[..., column] / x[part] ** (2 * power)
        with np.errstate(divide="ignore"):
            return np.clip(np.log(spectral_radius(T)), -700.0, 700.0)

    def abscissas(self) -> np.ndarray:
        """(B,), NaN where there is no edge right of the leaks or it is not resolved."""
        out = np.full(len(self.leaks), np.nan)
        if not self._affordable():
            return out
        self.tables = self._tables()
        if self.coarsened:
            return out
        ordered = np.sort(self.largest, axis=1)
        edge, _ = real_edges(self.log_edge, ordered[:, -1] + (0.0 if self.fixed else ordered[:, -1] - ordered[:, -2]))
        rows = np.flatnonzero(~np.isnan(edge))
        if rows.size and not self.fixed:
            full, half = (np.exp(self.log_edge(rows, edge[rows, None], step))[:, 0] for step in (1, 2))
            rows = rows[np.abs(full - half) <= _HALVED * full]
        out[rows] = np.maximum(edge[rows], upper_ends(self.largest[rows], self.weights[rows]))
        return out
