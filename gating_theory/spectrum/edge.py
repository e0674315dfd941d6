"""T(lambda): where the spectrum ends [T3].

T_kn(lambda) = sum over fields l that listen to message n of a_l^2 E|W_kl(lambda)|^2. At a mean-field fixed point its dependence on
lambda is only through det(lambda - F_s), so that all other fields are averaged once and for all; what is left is a sum over
the few nodes of the fields that set the leak (the update gate).
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from ..cell.edge_factors import EdgePart
from ..ensemble.field_law import squared
from ..ensemble.quadrature import MAX_NODES, FieldLaw
from ..ensemble.vanishing import leaks_of_all
from ..errors import ConvergenceError
from ..mean_field.fixed_point import FixedPoint
from .determinant import spectral_radius
from .dyson import Population
from .holes import Holes, holes_at

__all__ = ["EDGE_TOLS", "LEAK_NODES", "ONE_LEAK", "FixedPointEdge", "SitesEdge"]

#: Quadrature tolerances of T(lambda), the first whose grids are affordable. Its integrands have poles of fourth order
#: (sech^4), whose prefactor costs three digits: the first gives T to 1e-11.
EDGE_TOLS = (1e-14, 1e-13, 1e-12, 1e-6, 1e-5, 1e-4, 1e-3)
#: Nodes of the leak's variable, in multiples of what smooth integrands need: at first, and later.
LEAK_NODES = 2
_DENSITIES = (LEAK_NODES, 3, 6, 12, 24, 48, 96, 192, 384)
_REFINED_NODES = 1e7
#: Where several variables set the leak, nodes of their grid that is twice refined: what is not averaged by parts.
_SEVERAL = 1e5
#: Relative width below which a leak's law is a point: edges move by the square of it.
ONE_LEAK = 1e-6
#: Every other node of the coarsest grid: as many as smooth integrands need, and enough for three digits next to poles.
_ROUGH = -1
#: Sums over nodes go over so many numbers at once that they stay in cache.
_AT_ONCE = 16384
#: A pole further from the real axis than so many steps changes a sum by less than rounding: exp(-2 pi 6.4) = 3e-18, and the
#: Gaussian and the numerators are a few times larger there than on the axis. For n digits as many steps as n + 2 take.
_FURTHEST = 6.4
#: Newton's method for poles ends with a step of this size, the error being its square.
_NEWTON = 1e-11


class FixedPointEdge:
    """T(lambda) at a mean-field fixed point, as accurate next to a leak as elsewhere.

    As a function of the leak's field y the integrand is N(y) / |chi(lambda, y)|^2, with poles where chi = 0 that approach the
    real axis as lambda approaches a leak. What a pole y* does to the trapezoidal rule with step h is known from the
    residue theorem, and N there from its cardinal series, so that the integral is the sum over nodes plus

        2 Re [ e^{i theta} sum_n (-1)^n N_n h / (y* - y_n) / (d chi(lambda, y*)/dy  chi(conj lambda, y*)) ],

    theta = pi (y* - y_0) / h. Two grids of different density are compared; lambdas where they differ by more than wanted go on to
    the next pair. Searches for the edge (``deep``) use the first grid alone, without comparing it with the second.

    Parameters
    ----------
    fixed_point : FixedPoint
    part : EdgePart, optional
        Of the cell: only what goes through some of its states. Where several variables set the leak (time constants that differ
        from unit to unit) T is the sum over parts, each of which feels as few of them as it can.

    Attributes
    ----------
    n : int, number of messages: T is (n, n)
    pole_variables : tuple of int, the fields that set the leak
    fixed : bool, whether all sites have the same leak
    tol : float, quadrature tolerance of T
    averages : dict
        Averages of factors over fields that are not the leak's, computed once: what ``FieldLaw.mean_of_products`` takes as
        ``cache``.
    """

    def __init__(self, fixed_point: FixedPoint, part: EdgePart | None = None) -> None:
        self.cell, self._fixed_point = fixed_point.ensemble.cell, fixed_point
        self.factors = self.cell.compiled.edge_factors if part is None else part.factors
        poles, law = self.factors.variables, fixed_point.law
        narrow = law.stds[0] < ONE_LEAK * (1.0 + np.abs(law.means))
        narrow[[v for v in range(law.means.size) if v not in poles]] = False
        self.law = replace(law, stds=np.where(narrow, 0.0, law.stds), evenly=frozenset(poles))
        self.a2 = squared(fixed_point.ensemble.array("gain"))
        self.n = self.cell.n_messages
        self.fixed = not any(self.law.stds[0, v] > 0 for v in poles)
        # a site parameter without a spread is a number
        self.pole_variables = poles if self.fixed else tuple(v for v in poles if self.law.stds[0, v] > 0)
        self._grids: dict[int, tuple[FieldLaw, list[np.ndarray], np.ndarray]] = {}
        self._polynomials: dict[tuple[int, int], np.ndarray] = {}
        self._tables: dict[tuple[int, int], dict] = {}
        self.averages: dict = {}
        if fixed_point.is_zero:  # these do not depend on the gains that one may be sweeping
            self.averages = self.cell.compiled.zero_averages(law)
        self._stacks: dict[tuple[int, int], tuple] = {}
        self._slopes: dict[tuple[int, int], Any] = {}
        self._cardinal: dict[tuple[int, int], Any] = {}
        self.tol = next((tol for tol in EDGE_TOLS if self._fits(tol)), EDGE_TOLS[-1])
        one = len(self.pole_variables) == 1 and not self.fixed
        analytic = (self.cell.compiled.analytic_leak if part is None else part.leak) if one else None
        self._leak = self._leak_of(analytic, *self.pole_variables) if analytic and self._evenly_spaced() else None
        self._parts: list[FixedPointEdge] = []
        if part is None and not self.fixed and len(self.pole_variables) > 1:
            parts = self.cell.compiled.edge_parts
            self._parts = [FixedPointEdge(fixed_point, each) for each in parts] if len(parts) > 1 else []
            self._owners = [edge for edge, each in zip(self._parts, parts) if each.own]

    def _leak_of(self, analytic, variable):
        """{center: function of a complex array}: chi and its derivatives by the one variable that is spread."""
        means = self.law.means if self.law.means.ndim == 1 else self.law.means[0]

        def at(function, values):
            return function(*(values if v == variable else means[v] for v in self.factors.variables))

        return {center: partial(at, function) for center, function in analytic[variable].items()}

    def _evenly_spaced(self):
        """Whether the nodes of the one variable that sets the leak are, as cardinal series need: not those of very broad fields."""
        steps = np.diff(self.grid(0)[1][0].ravel())
        return bool(np.ptp(steps) < 1e-6 * steps.max())

    @cached_property
    def _deepest(self):
        """The last density: refined often where a leak is averaged alone, less where other fields come with it."""
        if self._leak is not None:
            return 2
        room = _REFINED_NODES / self._largest_grid(self.tol)
        return int(np.clip(sum(n ** len(self.pole_variables) <= room for n in _DENSITIES) - 1, 1, len(_DENSITIES) - 1))

    @cached_property
    def _constants(self):
        """{p: (n, n)} the parts of |lambda|^2p T that do not depend on lambda."""
        out: dict[int, np.ndarray] = {}
        for (k, l), (power, products) in self.factors.constant.items():
            if self.a2[l] > 0.0:
                mean, _ = self.law.mean_of_products(self.cell, products, self.tol, cache=self.averages)
                part = out.setdefault(power, np.zeros((self.n, self.n)))
                part[k, self.cell.message_of[l]] += self.a2[l] * float(np.squeeze(mean))
        return out

    def _without_leaks(self, lam):
        """(L, n, n) the part of T that knows of no leak but zero."""
        out = np.zeros((lam.size, self.n, self.n))
        for power, part in self._constants.items():
            out += _falling(lam, power)[:, None, None] * part
        return out

    def _fits(self, tol):
        """Whether grids for a tolerance are affordable."""
        variables = len(self.pole_variables)
        if variables > 1 and not self.fixed:
            refined = self.law.refined(self.pole_variables, _DENSITIES[1])
            sizes = [w.shape[1] for w in refined.grid(self.pole_variables, tol, n_kept=variables)[1]]
            if np.prod(sizes, dtype=float) > _SEVERAL:
                return False
        return self._largest_grid(tol) <= MAX_NODES

    def _largest_grid(self, tol):
        """Nodes of the largest factor that holds a leak's variable together with others, or of the grid of several such."""
        poles = set(self.pole_variables)
        law = self.law.refined(self.pole_variables, _DENSITIES[0]) if len(poles) == 1 else self.law
        worst = float(np.prod([w.shape[1] for w in law.grid(self.pole_variables, tol, n_kept=len(poles))[1]]))
        for factor in self.factors.resonant_factors:
            if len(factor.variables) > 1 and poles & set(factor.variables):
                worst = max(worst, law.nodes(factor, tol, poles))
        return worst

    def grid(self, level: int) -> tuple[FieldLaw, list[np.ndarray], np.ndarray]:
        """(law, values, weights): the fields' law with the leak's nodes made denser, these nodes, and their weights on the grid.

        ``level`` 0 is the coarsest; level 1, with half its steps, is where the outliers' determinant is averaged as well.
        """
        if level not in self._grids and level == _ROUGH:
            law, values, weights = self.grid(0)
            self._grids[level] = law, [values[0][:, ::2]], 2.0 * weights[::2]
        if level not in self._grids:
            where = self.pole_variables
            law = self.law.refined(where, _DENSITIES[level])
            values, rules, _ = law.grid(where, self.tol, n_kept=len(where))  # as factors are averaged: to this tolerance
            shape = tuple(w.shape[1] for w in rules)
            weights = np.ones(shape)
            for axis, w in enumerate(rules):
                weights = weights * w[0].reshape([-1 if i == axis else 1 for i in range(len(shape))])
            self._grids[level] = law, values, weights
        return self._grids[level]

    def chi(self, center: int, level: int) -> np.ndarray:
        """Coefficients (.., G) in powers of lambda - center, at the nodes of a :meth:`grid`.

        They are those of det(lambda - F_s) without leaks that are 0 at all sites.
        """
        if (center, level) not in self._polynomials and level == _ROUGH:
            self._polynomials[center, level] = self.chi(center, 0)[:, ::2].copy()
        if (center, level) not in self._polynomials:
            law, values, weights = self.grid(level)
            arguments = law.arguments(self.cell, dict(zip(self.pole_variables, values)))
            chi = [np.broadcast_to(c, (1, *weights.shape)).ravel() for c in self.factors.poles[center](*arguments)]
            self._polynomials[center, level] = np.array(chi, dtype=float)
        return self._polynomials[center, level]

    def _table(self, center, level):
        """{(k, n): {(i, j, p): (G,)}}: weights of |lambda|^-2p t^i conj(t)^j in the numerators of T, t = lambda - center."""
        if (center, level) in self._tables:
            return self._tables[center, level]
        if level == _ROUGH:
            full = self._table(center, 0)
            self._tables[center, level] = {
                entry: {power: 2.0 * w[::2] for power, w in terms.items()} for entry, terms in full.items()
            }
            return self._tables[center, level]
        if level and self._leak is not None:
            self._tables[center, level] = self._interpolated(self._table(center, 0), level)
            return self._tables[center, level]
        law, _, weights = self.grid(level)
        table = {}
        for (k, l), (power, pairs) in self.factors.resonant[center].items():
            if self.a2[l] == 0.0:
                continue
            nu = self.cell.message_of[l]
            for (i, j), products in pairs.items():
                mean, _ = law.mean_of_products(self.cell, products, self.tol, self.pole_variables, self.averages)
                value = self.a2[l] * np.broadcast_to(mean, (1, *weights.shape))[0] * weights
                if np.any(value):
                    terms = table.setdefault((k, nu), {})
                    terms[i, j, power] = terms.get((i, j, power), 0.0) + value.ravel()
        self._tables[center, level] = table
        return table

    def _shape(self, w):
        """The power 0, 1 or 2 of det(1 - F_s) that makes a numerator flattest when divided by it: its cardinal series is then
        accurate relative to the numerator itself.

        Numerators carry powers of the weight 1 - z of new input, which is tiny where leaks come close to 1, and it is just
        there that they are divided by tiny numbers.
        """
        g = np.abs(w) / self.grid(0)[2].ravel()
        live = g > 0
        with np.errstate(all="ignore"):
            ranges = [np.ptp(np.log(g[live]) - s * np.log(self.chi(1, 0)[0][live])) for s in (0, 1, 2)]
        return int(np.argmin([r if np.isfinite(r) else np.inf for r in ranges]))

    def _interpolated(self, table, level):
        """A table on a denser grid by the cardinal series: the coarsest one has twice the nodes that the trapezoidal rule needs."""
        (y,), (fine,) = self.grid(0)[1], self.grid(level)[1]
        y, fine = y.ravel(), fine.ravel()
        flat, where = [], []
        for entry, terms in table.items():
            for power, w in terms.items():
                shape = self._shape(w)
                flat.append(_quotient(w, self.chi(1, 0)[0] ** shape))
                where.append((entry, power, shape))
        values = _cardinal_series(fine, y, np.array(flat).T) * (fine[1] - fine[0]) / (y[1] - y[0]) if flat else ()
        out = {entry: {} for entry in table}
        for column, (entry, power, shape) in enumerate(where):
            value = self.chi(1, level)[0] ** shape * values[:, column]
            out[entry][power] = np.maximum(value, 0.0) if power[0] == power[1] else value  # averages of squares
        return out

    @cached_property
    def leaks(self) -> np.ndarray:
        """(G, d) eigenvalues of F_s on the coarsest grid: the poles of the transfer matrix.

        Where T is the sum over parts, rows are nodes of one part after the other, and hold its leaks alone.
        """
        if self._parts:
            each = [edge.leaks for edge in self._owners]
            width = max(leaks.shape[1] for leaks in each)
            return np.concatenate([np.pad(leaks, ((0, 0), (0, width - leaks.shape[1])), mode="edge") for leaks in each])
        roots = _polynomial_roots(self.chi(0, 0))
        return np.concatenate([np.zeros((roots.shape[0], self.factors.zeros)), roots], axis=1)

    @cached_property
    def shared_leaks(self) -> list[complex]:
        """Leaks that all sites have, those of a finite fraction of them."""
        if self._parts:
            return sorted({leak for edge in self._owners for leak in edge.shared_leaks}, key=lambda leak: (leak.real, leak.imag))
        return leaks_of_all(self.leaks)

    @property
    def leak_weights(self) -> np.ndarray:
        """(G,) weights of the leaks; of parts each has a law of its own: how many leaks lie beyond a number is their sum."""
        if self._parts:
            return np.concatenate([edge.leak_weights for edge in self._owners])
        return self.grid(0)[2].ravel()

    @cached_property
    def continua(self) -> list[tuple[float, float]]:
        """[(low, high)] intervals of the real axis that are covered by the leaks' law, but for its last 1e-14 or so."""
        if self._parts:
            return [interval for edge in self._owners for interval in edge.continua]
        return _intervals(self.leaks, 1.0)

    @property
    def falls_off_axis(self) -> bool:
        """Whether T(x + iy) <= T(x) for all real x: where leaks are real and numerators do not depend on lambda."""
        return self.factors.falls_off_axis

    def _on_continuum(self, lam):
        """Which lambdas are real and within a continuum of leaks, where T is infinite."""
        inside = np.zeros(lam.shape, dtype=bool)
        for low, high in self.continua:
            inside |= (low < lam.real) & (lam.real < high)
        return inside & (lam.imag == 0.0)

    def _evaluate(self, lam, level, rtol=0.0):
        """T(lambda) by one grid, with the poles that matter for a relative accuracy of ``rtol``."""
        out = self._without_leaks(lam)
        on_pole = np.zeros(lam.size, dtype=bool)
        near_zero = np.abs(lam) < 0.5
        for center in (0, 1):
            part = near_zero if center == 0 else ~near_zero
            if not part.any():
                continue
            t = lam[part] - center
            labels, sums, on_pole[part] = self._sums(t, center, level, rtol)
            for column, (k, nu, i, j, power) in enumerate(labels):
                value = sums[:, column]
                if power:
                    value = value * _falling(lam[part], power)
                if j:
                    value = (t**i * t.conj() ** j).real * (1.0 if i == j else 2.0) * value
                out[part, k, nu] += value
        np.maximum(out, 0.0, out=out)
        if on_pole.any():  # 0/0 on the pole itself: look beside it, where a coupled site shows as a huge value
            beside = self._evaluate(lam[on_pole] + 1e-9j, level)
            out[on_pole] = np.where(beside > 1e9, np.inf, beside)
        return out

    def _sums(self, t, center, level, rtol):
        """Labels of the table, sums over nodes of its terms over |chi(t)|^2 (L, T), and which t are on a node's pole."""
        labels, w = self._terms(center, level)
        if not labels:
            return labels, np.zeros((t.size, 0)), np.zeros(t.size, dtype=bool)
        sums, smallest, nearest = _node_sums(self.chi(center, level), t, w)
        on_pole = smallest == 0.0
        if self._leak is not None and (t.imag > 0.0).any():
            rows, start = self._near_poles(t, nearest, center, level, rtol)
            if not rows.size:
                pass
            elif level == _ROUGH:  # next to a pole all digits of the numerators count
                _, sums[rows], on_pole[rows] = self._sums(t[rows], center, 0, rtol)
            else:
                good, correction = self._pole_correction(t[rows], start, center, level, rtol)
                sums[rows[good]] += correction
        return labels, sums, on_pole

    def _furthest(self, level, rtol):
        """How far from the real axis poles matter."""
        y = self.grid(level)[1][0].ravel()
        return (y[1] - y[0]) * min(_FURTHEST, (4.6 - np.log(rtol)) / (2.0 * np.pi) if rtol else np.inf)

    def _near_poles(self, t, nearest, center, level, rtol):
        """The rows of ``t`` with a pole near the real axis, and about where: a Newton step from the ``nearest`` nodes."""
        y, furthest = self.grid(level)[1][0].ravel(), self._furthest(level, rtol)
        values, n = self._leak_at_nodes(center, level)[:, nearest], self.chi(center, level).shape[0]
        with np.errstate(all="ignore"):
            move = -_polynomial(values[:n], t) / _polynomial(values[n:], t)
            rows = np.flatnonzero((np.abs(move) < 6.0 * furthest) & (np.abs(move.imag) < 2.0 * furthest) & (t.imag > 0.0))
        return rows, y[nearest[rows]] + _limited(move[rows])

    def _pole_correction(self, t, root, center, level, rtol):
        """What the poles add to the sums over nodes: which of ``t`` have one, and (rows, T) corrections; ``root``: about where."""
        y = self.grid(level)[1][0].ravel()
        h, leak, n = y[1] - y[0], self._leak[center], self.chi(center, level).shape[0]
        with np.errstate(all="ignore"):
            for _ in range(40):
                values = [np.broadcast_to(c, root.shape) for c in leak(root)]
                move = -_polynomial(values[:n], t) / _polynomial(values[n:], t)
                root = root + _limited(move)
                if np.all(np.abs(move) < _NEWTON * (1.0 + np.abs(root))):  # the next step would be its square
                    break
            # leaks that fall with y have the pole of conj(lambda) in the upper half plane
            below = root.imag < 0.0
            t, root = np.where(below, t.conj(), t), np.where(below, root.conj(), root)
            values = [np.broadcast_to(c, root.shape) for c in leak(root)]
            slope, mirror = _polynomial(values[n:], t), _polynomial(values[:n], t.conj())
            good = (root.imag > 0.0) & (root.imag < self._furthest(level, rtol)) & np.isfinite(slope * mirror)
            good &= (slope * mirror != 0) & (np.abs(move) < _NEWTON * (1.0 + np.abs(root)))
        root = root[good]
        one = np.broadcast_to(self._leak[1](root)[0], root.shape)
        factor = 2.0 * np.exp(1j * np.pi * (root - y[0]) / h) / (slope * mirror)[good]
        shapes, flat = self._cardinal_terms(center, level)
        scale = factor[:, None] * one[:, None] ** shapes
        re, im = _cauchy_sums(root, y, flat)
        return good, scale.real * re - scale.imag * im

    def _cardinal_terms(self, center, level):
        """Shapes (T,) of the terms, and their weights divided by it with alternating signs (T, G)."""
        if (center, level) not in self._cardinal:
            labels, w = self._terms(center, level)
            coarse = self._table(center, 0)
            shapes = np.array([self._shape(coarse[label[:2]][label[2:]]) for label in labels], dtype=int)
            sign = 1.0 - 2.0 * (np.arange(w.shape[1]) % 2)
            self._cardinal[center, level] = shapes, sign * _quotient(w, self.chi(1, level)[0] ** shapes[:, None])
        return self._cardinal[center, level]

    def _leak_at_nodes(self, center, level):
        """Coefficients of det(lambda - F_s) and their derivatives at the nodes."""
        if (center, level) not in self._slopes:
            y = self.grid(level)[1][0].ravel()
            self._slopes[center, level] = np.array([np.broadcast_to(c, y.shape) for c in self._leak[center](y + 0j)])
        return self._slopes[center, level]

    def _terms(self, center, level):
        """The table as labels (k, n, i, j, p) and weights (T, G)."""
        if (center, level) not in self._stacks:
            flat = [(*entry, *power, w) for entry, terms in self._table(center, level).items() for power, w in terms.items()]
            weights = np.array([w for *_, w in flat]).reshape(len(flat), self.chi(center, level).shape[1])
            self._stacks[center, level] = [label[:5] for label in flat], weights
        return self._stacks[center, level]

    @cached_property
    def holes(self) -> Holes:
        """The sets of fields that may have holes [T10]."""
        return holes_at(self._fixed_point)

    def halving_error(self, x: float) -> float:
        """|change of T| at real x off the leaks when every other node of the coarsest grid is left out, relative."""
        full, half = (float(spectral_radius(self._on_grid(np.array([x + 0j]), level))[0]) for level in (0, _ROUGH))
        return abs(full - half) / full if full else 0.0

    def _on_grid(self, lam, level):
        """T by one grid; where that has poles of its own to correct for, as dense as ``level``."""
        if self._parts:
            return np.sum([edge._on_grid(lam, level) for edge in self._parts], axis=0)
        return self._evaluate(lam, 0 if self._leak is None else level)

    def transfer_moments(self, lam: np.ndarray, deep: float = np.inf, rtol: float = 1e-10) -> np.ndarray:
        """T(lambda), (L, n, n), to ``rtol`` or what the grids allow.

        Where its spectral radius is seen to be above ``deep`` or below 1/deep, three digits are enough.
        """
        if self._parts:
            return np.sum([edge.transfer_moments(lam, deep, rtol) for edge in self._parts], axis=0)
        if self.fixed:
            return self._evaluate(lam, 0)
        rough = self._leak is not None and rtol >= 1e-3
        out = self._evaluate(lam, _ROUGH if rough else 0, rtol if rough else 0.0)
        singular = self._on_continuum(lam)
        out[singular] = np.where(out[singular] > self._without_leaks(lam[singular]), np.inf, out[singular])
        if rough or (self._leak is not None and np.isfinite(deep)):
            return out  # a search, or one that asks for little: the coarsest grid is good to 1e-10 and is not checked
        rtol = max(rtol, 1e3 * self.tol)
        left = np.flatnonzero(~singular)
        previous = out[left]
        for level in range(1, self._deepest + 1):
            fine = self._evaluate(lam[left], level)
            out[left] = fine
            a, b = spectral_radius(previous), spectral_radius(fine)
            with np.errstate(invalid="ignore"):
                difference = np.abs(a - b)
                clear = (np.minimum(a, b) > deep) | (np.maximum(a, b) < 1.0 / deep)
                settled = (difference <= np.where(clear, max(rtol, 1e-3), rtol) * np.abs(b)) | (np.minimum(a, b) > 1e12)
            left, previous = left[~settled], fine[~settled]
            if not left.size:
                return out
        doubt = (difference > max(1e-6, rtol) * np.abs(b)) & (np.minimum(a, b) < 3.0) & (np.maximum(a, b) > 0.3) & ~clear
        if np.isfinite(deep):  # a finite ``deep`` comes from a search for the edge, which only radii close to 1 could move
            doubt &= difference > 0.01 * np.abs(b - 1.0)
        doubt = doubt[~settled]
        if doubt.any():
            raise ConvergenceError(f"quadrature of T(lambda) not converged at lambda = {lam[left][doubt][0]}", estimate=out)
        return out


class SitesEdge:
    """T(lambda) of a given population of sites: a plain sum."""

    tol = float("nan")
    falls_off_axis = False

    def __init__(self, population: Population) -> None:
        self.population, self.n = population, population.n

    @cached_property
    def leaks(self) -> np.ndarray:
        """(M, d) eigenvalues of F_s at the sites."""
        return _polynomial_roots(self.population.expansion(0)["chi"])

    @cached_property
    def continua(self) -> list[tuple[float, float]]:
        """[(low, high)] intervals of the real axis between the outermost leaks."""
        return _intervals(self.leaks, 0.0)

    @property
    def shared_leaks(self) -> list[complex]:
        """Leaks of a finite fraction of the sites."""
        return self.population.shared_leaks

    @property
    def leak_weights(self) -> np.ndarray:
        """(M,) weights of the leaks."""
        return self.population.weights

    @cached_property
    def holes(self) -> Holes:
        """The sets of fields that may have holes [T10]: sums over the same sites."""
        return Holes.of(self.population.sites)

    @staticmethod
    def halving_error(x: float) -> float:
        """0: there is no quadrature."""
        return 0.0

    def transfer_moments(self, lam: np.ndarray, deep: float = np.inf, rtol: float = 0.0) -> np.ndarray:
        """T(lambda), (L, n, n): exact, whatever ``deep`` and ``rtol``."""
        return self.population.transfer_moments(lam)


def _intervals(leaks, margin):
    """Intervals covered by each column of real leaks (G, d), widened by ``margin`` times the last spacing."""
    out = []
    for column in leaks.T:
        if np.any(np.imag(column)):
            continue
        x = np.sort(column.real)
        if x[-1] > x[0]:
            out.append((float(x[0] - margin * (x[1] - x[0])), float(x[-1] + margin * (x[-1] - x[-2]))))
    return out


def _cardinal_series(x, y, values):
    """Whittaker's interpolation at x (F,) of values (G, T) on even nodes y."""
    h = (y[-1] - y[0]) / (y.size - 1)
    out = np.empty((x.size, values.shape[1]))
    alternating = values * (1.0 - 2.0 * (np.arange(y.size) % 2))[:, None]
    for start in range(0, x.size, 512):
        distance = (x[start : start + 512, None] - y) / h
        node = np.argmin(np.abs(distance), axis=1)
        rows = np.arange(node.size)
        on_node = np.abs(distance[rows, node]) < 1e-8
        distance[rows[on_node], node[on_node]] = np.inf
        sine = np.sin(np.pi * (x[start : start + 512] - y[0]) / h) / np.pi
        out[start : start + 512] = sine[:, None] * ((1.0 / distance) @ alternating)
        out[start + rows[on_node]] = values[node[on_node]]
    return out


def _falling(lam, power):
    """|lambda|^(-2 power); 1e290 stands for 1/0."""
    return 1.0 / np.maximum(np.abs(lam) ** (2 * power), 1e-290)


def _quotient(a, b):
    """a / b, 0 where b has underflowed (and with it a)."""
    return np.divide(a, b, out=np.zeros(np.broadcast_shapes(a.shape, b.shape)), where=b > 0)


def _limited(step):
    return step * np.minimum(1.0, 2.0 / np.maximum(np.abs(step), 1e-300))


def _node_sums(chi, t, w):
    """Sums over nodes (L, T) of w[T, s] / |chi(t, s)|^2, the smallest |chi|^2 and its node (L,). 1e290 stands for 1/0."""
    sums, smallest, nearest = np.empty((t.size, w.shape[0])), np.empty(t.size), np.empty(t.size, dtype=int)
    columns, rows = np.ascontiguousarray(w.T), max(1, _AT_ONCE // chi.shape[1])
    for first in range(0, t.size, rows):
        part = slice(first, first + rows)
        square = _squared_modulus(chi, t[part, None])
        nearest[part] = square.argmin(axis=1)
        smallest[part] = square[np.arange(square.shape[0]), nearest[part]]
        sums[part] = (1.0 / np.maximum(square, 1e-290, out=square)) @ columns
    return sums, smallest, nearest


def _squared_modulus(chi, t):
    """(L, G) |chi(t)|^2 of monic polynomials with real coefficients (d + 1, G), lowest first, at t (L, 1)."""
    x, y = t.real, t.imag
    if not y.any():
        value = x + chi[-2]
        for c in chi[-3::-1]:
            value = value * x + c
        return value * value
    re, im = x + chi[-2], y
    for c in chi[-3::-1]:
        re, im = re * x - im * y + c, re * y + im * x
    re *= re
    re += im * im
    return re


def _cauchy_sums(root, y, w):
    """Sums over nodes (R, T) of w[T, s] / (root[R] - y[s]), real and imaginary parts."""
    re, im = np.empty((root.size, w.shape[0])), np.empty((root.size, w.shape[0]))
    columns, rows = np.ascontiguousarray(w.T), max(1, _AT_ONCE // y.size)
    for first in range(0, root.size, rows):
        part = slice(first, first + rows)
        distance, height = root.real[part, None] - y, root.imag[part, None]
        inverse = 1.0 / (distance * distance + height * height)
        im[part] = -height * (inverse @ columns)
        re[part] = np.multiply(inverse, distance, out=inverse) @ columns
    return re, im


def _polynomial(coefficients, t):
    """Sum of coefficients[i] t^i."""
    value = np.zeros(np.broadcast_shapes(np.shape(coefficients[0]), np.shape(t)), dtype=complex)
    for c in coefficients[::-1]:
        value *= t
        value += c
    return value


def _polynomial_roots(chi):
    """(G, d) roots of monic polynomials with coefficients (d + 1, G), lowest first."""
    if chi.shape[0] == 2:
        return -chi[0][:, None]
    if chi.shape[0] == 3:
        half, root = -0.5 * chi[1], np.sqrt((0.25 * chi[1] ** 2 - chi[0]).astype(complex))
        # the larger root first, the other from the product: no cancellation where one is zero
        large = half + np.where(half >= 0, root, -root)
        return np.stack([large, np.divide(chi[0], large, out=np.zeros_like(large), where=large != 0)], axis=1)
    d = chi.shape[0] - 1
    if d == 0:
        return np.zeros((chi.shape[1], 0))
    companion = np.zeros((chi.shape[1], d, d))
    companion[:, range(d - 1), range(1, d)] = 1.0
    companion[:, :, 0] -= chi[d - 1 :: -1].T
    return np.sort(np.linalg.eigvals(companion), axis=1)
