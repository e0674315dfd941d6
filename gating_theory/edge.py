"""T(lambda): where the spectrum ends [T3].

T_kn(lambda) = sum over fields l that listen to message n of a_l^2 E|W_kl(lambda)|^2. At a mean-field fixed point its dependence on
lambda is only through det(lambda - F_s), so that all other fields are averaged once and for all; what is left is a sum over
the few nodes of the fields that set the leak (the update gate).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .dyson import Population, spectral_radius
from .errors import ConvergenceError

__all__ = ["FixedPointEdge", "SitesEdge"]

_TOL = 1e-11
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
        self._tables = {}

    def _table(self, center, level):
        """(chi coefficients (d + 1, G), {(k, n): [(i, j, weights (G,))]}) on one grid of the leak's variables."""
        key = (center, level)
        if key in self._tables:
            return self._tables[key]
        strips = tuple(s / 2.0**level if v in self.pole_variables else s for v, s in enumerate(self.law.strips))
        law = replace(self.law, strips=strips)
        (call, where), entries = self.cell.compiled.edge_factors[center]
        values, rules, _ = law.grid(where, _TOL)
        shape = tuple(w.shape[1] for w in rules)
        weights = np.ones(shape)
        for axis, w in enumerate(rules):
            weights = weights * w[0].reshape([-1 if i == axis else 1 for i in range(len(shape))])
        arguments = law.arguments(self.cell, dict(zip(where, values)))
        chi = np.array([np.broadcast_to(c, (1, *shape)).ravel() for c in call(*arguments)], dtype=float)
        table = {}
        for (k, l), pairs in entries.items():
            if self.a2[l] == 0.0:
                continue
            nu = self.cell.message_of[l]
            for (i, j), products in pairs.items():
                mean, _ = law.mean_of_products(self.cell, products, _TOL, keep=where)
                value = self.a2[l] * np.broadcast_to(mean, (1, *shape))[0] * weights
                if np.any(value):
                    terms = table.setdefault((k, nu), {})
                    terms[i, j] = terms.get((i, j), 0.0) + value.ravel()
        self._tables[key] = chi, table
        return self._tables[key]

    @property
    def leaks(self):
        """(G, d) eigenvalues of F_s on the coarsest grid: the poles of the transfer matrix."""
        chi, _ = self._table(0, 0)
        return np.array([np.polynomial.polynomial.polyroots(c) for c in chi.T]).reshape(chi.shape[1], -1)

    def _evaluate(self, lam, level):
        out = np.zeros((lam.size, self.n, self.n))
        for center in (0, 1):
            side = np.flatnonzero((np.abs(lam) < 0.5) == (center == 0))
            if not side.size:
                continue
            chi, table = self._table(center, level)
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

    def transfer_moments(self, lam):
        """T(lambda), (L, n, n)."""
        if self.fixed:
            return self._evaluate(lam, 0)
        out = self._evaluate(lam, 0)
        left = np.arange(lam.size)
        previous = out
        for level in range(1, _LEVELS + 1):
            fine = self._evaluate(lam[left], level)
            out[left] = fine
            a, b = spectral_radius(previous), spectral_radius(fine)
            settled = (np.abs(a - b) <= 1e-10 * np.abs(b)) | (np.minimum(a, b) > 30.0)
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
        chi = self.population._center(0)["chi"]
        if chi.shape[0] == 2:
            return (-chi[0] / chi[1])[:, None]
        if chi.shape[0] == 3:
            half, disc = -0.5 * chi[1], np.sqrt((0.25 * chi[1] ** 2 - chi[0]).astype(complex))
            return np.stack([half + disc, half - disc], axis=1)
        return np.array([np.polynomial.polynomial.polyroots(c) for c in chi.T]).reshape(chi.shape[1], -1)

    def transfer_moments(self, lam):
        """T(lambda), (L, n, n)."""
        return Population.transfer_moments(self.population, lam)
