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
from .sites import MAX_NODES

__all__ = ["FixedPointEdge", "SitesEdge"]

#: Quadrature tolerances of T(lambda), the first whose grids are affordable. Its integrands have poles of fourth order
#: (sech^4), whose prefactor costs three digits: the first gives T to 1e-11.
EDGE_TOLS = (1e-14, 1e-13, 1e-12, 1e-6, 1e-5, 1e-4, 1e-3)
_LEVELS = 9
_BLOCK = 400_000
_REFINED_NODES = 1e7


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
        self.tol = next((tol for tol in EDGE_TOLS if self._largest_grid(tol) <= MAX_NODES), EDGE_TOLS[-1])
        # a leak's grid may be refined often where it is averaged alone, less where other fields come with it
        self._deepest = int(np.clip(np.log2(_REFINED_NODES / self._largest_grid(self.tol)), 1, _LEVELS))

    def _largest_grid(self, tol):
        """Nodes of the largest factor that holds a leak's variable together with others."""
        poles, worst = set(self.pole_variables), 1.0
        for pairs in self.cell.compiled.edge_factors[1][1].values():
            for factor in (f for products in pairs.values() for factors in products for f in factors):
                if poles & set(factor.variables):
                    _, rules, _ = self.law.grid(factor.variables, tol, factor.even - poles, np.inf)
                    worst = max(worst, np.prod([w.shape[1] for w in rules], dtype=float))
        return worst

    def _grid(self, level):
        """(law, leak variables, their values, weights) on a grid whose nodes are 2^level times as dense."""
        if level not in self._grids:
            where = self.pole_variables
            law = self.law.refined(where, 2**level)
            values, rules, _ = law.grid(where, self.tol)
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
                mean, _ = law.mean_of_products(self.cell, products, self.tol, self.pole_variables, self._averages)
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

    @property
    def leak_weights(self):
        """(G,) weights of the leaks."""
        return self._grid(0)[2].ravel()

    def _evaluate(self, lam, level):
        out = np.zeros((lam.size, self.n, self.n))
        on_pole = np.zeros(lam.size, dtype=bool)
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
                on_pole[part] = (value == 0).any(axis=1)
                inverse = value.real**2 + value.imag**2
                np.maximum(inverse, 1e-290, out=inverse)
                np.divide(1.0, inverse, out=inverse)
                for (k, nu), terms in table.items():
                    total = 0.0
                    for (i, j), w in terms.items():
                        factor = (t**i * t.conj() ** j).real * (1.0 if i == j else 2.0)
                        total = total + factor * (inverse @ w)
                    out[part, k, nu] = np.maximum(total, 0.0)
        if on_pole.any():  # 0/0 on the pole itself: look beside it, where a coupled site shows as a huge value
            beside = self._evaluate(lam[on_pole] + 1e-9j, level)
            out[on_pole] = np.where(beside > 1e9, np.inf, beside)
        return out

    def transfer_moments(self, lam, deep=np.inf, rtol=1e-10):
        """T(lambda), (L, n, n), to ``rtol``; not resolved further where its spectral radius is seen to exceed ``deep``."""
        if self.fixed:
            return self._evaluate(lam, 0)
        out = self._evaluate(lam, 0)
        left = np.arange(lam.size)
        previous = out
        for level in range(1, self._deepest + 1):
            fine = self._evaluate(lam[left], level)
            out[left] = fine
            a, b = spectral_radius(previous), spectral_radius(fine)
            with np.errstate(invalid="ignore"):
                settled = (np.abs(a - b) <= rtol * np.abs(b)) | (np.minimum(a, b) > min(deep, 1e12))
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

    @property
    def leak_weights(self):
        """(M,) weights of the leaks."""
        return self.population.weights

    def transfer_moments(self, lam, deep=np.inf, rtol=0.0):
        """T(lambda), (L, n, n): exact, whatever ``deep`` and ``rtol``."""
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
