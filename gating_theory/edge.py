"""T(lambda): where the spectrum ends [T3].

T_kn(lambda) = sum over fields l that listen to message n of a_l^2 E|W_kl(lambda)|^2. At a mean-field fixed point its dependence on
lambda is only through det(lambda - F_s), so that all other fields are averaged once and for all; what is left is a sum over
the few nodes of the fields that set the leak (the update gate).
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from .dyson import spectral_radius
from .errors import ConvergenceError

__all__ = ["FixedPointEdge", "SitesEdge"]

#: Quadrature tolerance of T(lambda).
EDGE_TOL = 1e-11
_LEVELS = 9
_BLOCK = 400_000


class FixedPointEdge:
    """T(lambda) at a mean-field fixed point, with the quadrature refined where lambda comes near a leak.

    Two grids are compared, the finer with twice the nodes; lambdas where they differ by more than 1e-10 relative go on to
    the next pair, except where both say "deep inside" (a spectral radius above 30).
    """

    def __init__(self, fixed_point):
        self.cell = fixed_point.ensemble.cell
        self.law = fixed_point.law
        self.a2 = fixed_point.ensemble.array("gain") ** 2
        self.n = self.cell.n_messages
        self.pole_variables = self.cell.compiled.pole_variables
        self.fixed = not any(self.law.stds[0, v] > 0 for v in self.pole_variables)
        self._grids, self._polynomials, self._tables, self._averages = {}, {}, {}, {}

    def _grid(self, level):
        """(law, leak variables, their values, weights) on a grid whose nodes are 2^level times as dense."""
        if level not in self._grids:
            where = self.pole_variables
            law = self.law.refined(where, 2**level)
            values, rules, _ = law.grid(where, EDGE_TOL)
            shape = tuple(w.shape[1] for w in rules)
            weights = np.ones(shape)
            for axis, w in enumerate(rules):
                weights = weights * w[0].reshape([-1 if i == axis else 1 for i in range(len(shape))])
            self._grids[level] = law, values, weights
        return self._grids[level]

    def _chi(self, center, level):
        """(d + 1, G) coefficients of det(lambda - F_s) in powers of lambda - center."""
        if (center, level) not in self._polynomials:
            law, values, weights = self._grid(level)
            (call, where), _ = self.cell.compiled.edge_factors[center]
            arguments = law.arguments(self.cell, dict(zip(where, values)))
            chi = [np.broadcast_to(c, (1, *weights.shape)).ravel() for c in call(*arguments)]
            self._polynomials[center, level] = np.array(chi, dtype=float)
        return self._polynomials[center, level]

    def _table(self, center, level):
        """{(k, n): {(i, j): (G,)}}: weights of t^i conj(t)^j in the numerators of T, t = lambda - center."""
        if (center, level) in self._tables:
            return self._tables[center, level]
        law, _, weights = self._grid(level)
        table = {}
        for (k, l), pairs in self.cell.compiled.edge_factors[center][1].items():
            if self.a2[l] == 0.0:
                continue
            nu = self.cell.message_of[l]
            for (i, j), products in pairs.items():
                mean, _ = law.mean_of_products(self.cell, products, EDGE_TOL, self.pole_variables, self._averages)
                value = self.a2[l] * np.broadcast_to(mean, (1, *weights.shape))[0] * weights
                if np.any(value):
                    terms = table.setdefault((k, nu), {})
                    terms[i, j] = terms.get((i, j), 0.0) + value.ravel()
        self._tables[center, level] = table
        return table

    @cached_property
    def leaks(self):
        """(G, d) eigenvalues of F_s on the coarsest grid: the poles of the transfer matrix."""
        return _polynomial_roots(self._chi(0, 0))

    def uncoupled(self):
        """Leaks of sites to which nothing couples (the numerators of T vanish there): atoms, unless the support covers them."""
        return _uncoupled(self.leaks, 1.0, [(i, j, w) for terms in self._table(1, 0).values() for (i, j), w in terms.items()])

    def _evaluate(self, lam, level):
        out = np.zeros((lam.size, self.n, self.n))
        for center in (0, 1):
            side = np.flatnonzero((np.abs(lam) < 0.5) == (center == 0))
            if not side.size:
                continue
            chi, table = self._chi(center, level), self._table(center, level)
            step = max(1, _BLOCK // chi.shape[1])
            for start in range(0, side.size, step):
                part = side[start : start + step]
                t = lam[part] - center
                value = np.zeros((part.size, chi.shape[1]), dtype=complex)
                for c in chi[::-1]:
                    value *= t[:, None]
                    value += c
                inverse = value.real**2 + value.imag**2
                np.maximum(inverse, 1e-290, out=inverse)
                np.divide(1.0, inverse, out=inverse)
                for (k, nu), terms in table.items():
                    total = 0.0
                    for (i, j), w in terms.items():
                        factor = (t**i * t.conj() ** j).real * (1.0 if i == j else 2.0)
                        total = total + factor * (inverse @ w)
                    out[part, k, nu] = np.maximum(total, 0.0)
        return out

    def transfer_moments(self, lam, deep=np.inf):
        """T(lambda), (L, n, n); not resolved further where its spectral radius is seen to exceed ``deep``."""
        if self.fixed:
            return self._evaluate(lam, 0)
        out = self._evaluate(lam, 0)
        left = np.arange(lam.size)
        previous = out
        for level in range(1, _LEVELS + 1):
            fine = self._evaluate(lam[left], level)
            out[left] = fine
            a, b = spectral_radius(previous), spectral_radius(fine)
            with np.errstate(invalid="ignore"):
                settled = (np.abs(a - b) <= 1e-10 * np.abs(b)) | (np.minimum(a, b) > min(deep, 1e12))
            left, previous = left[~settled], fine[~settled]
            if not left.size:
                return out
        # a leak within 1e-5 of lambda or so: only a real error where it could move the edge
        doubt = np.abs(a - b)[~settled] > 1e-6 * b[~settled]
        doubt &= np.minimum(a, b)[~settled] < 3.0
        if doubt.any():
            raise ConvergenceError(f"quadrature of T(lambda) not converged at lambda = {lam[left][doubt][0]}", estimate=out)
        return out


class SitesEdge:
    """T(lambda) of a given population of sites: a plain sum."""

    fixed = True

    def __init__(self, population):
        self.population, self.n = population, population.n

    @property
    def leaks(self):
        """(M, d) eigenvalues of F_s at the sites."""
        return _polynomial_roots(self.population._center(0)["chi"])

    def uncoupled(self):
        """Leaks of sites to which nothing couples: atoms, unless the support covers them."""
        return _uncoupled(self.leaks, 0.0, self.population.couplings())

    def transfer_moments(self, lam, deep=np.inf):
        """T(lambda), (L, n, n)."""
        return self.population.transfer_moments(lam)


def _polynomial_roots(chi):
    """(G, d) roots of monic polynomials with coefficients (d + 1, G), lowest first."""
    if chi.shape[0] == 2:
        return -chi[0][:, None]
    if chi.shape[0] == 3:
        half, root = -0.5 * chi[1], np.sqrt((0.25 * chi[1] ** 2 - chi[0]).astype(complex))
        # the larger root first, the other from the product: no cancellation where one is zero
        large = half + np.where(half >= 0, root, -root)
        return np.stack([large, np.divide(chi[0], large, out=np.zeros_like(large), where=large != 0)], axis=1)
    return np.array([np.polynomial.polynomial.polyroots(c) for c in chi.T]).reshape(chi.shape[1], -1)


def _uncoupled(leaks, center, terms):
    """Those leaks (G, d) at which sum over (i, j) of w_ij Re(t^i conj(t)^j), the coupling of their site, vanishes."""
    t = leaks - center
    coupling, scale = np.zeros(leaks.shape), np.zeros(leaks.shape)
    for i, j, w in terms:
        value = (t**i * t.conj() ** j).real * (1.0 if i == j else 2.0) * w[:, None]
        coupling += value
        scale += np.abs(w)[:, None]
    return np.unique(np.round(leaks[coupling <= 1e-13 * np.maximum(scale, scale.max() * 1e-30)], 14))
