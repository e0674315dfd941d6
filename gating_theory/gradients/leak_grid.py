"""Nodes for what sets a site's own leak at a fixed point, out to where powers of the leak are carried by few sites [T9]."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..cell.edge_factors import EdgeFactors
from ..ensemble.quadrature import FieldLaw

if TYPE_CHECKING:
    from ..cell.cell import Cell
    from ..cell.compiled import Factor

__all__ = ["LeakGrid", "largest_leaks", "line_of", "powers_to"]

#: Rules of fewer nodes have no tails; how far tails are looked at, in standard deviations, and what counts in them: exp(-this).
_FEWEST, _FURTHEST, _DIGITS = 8, 60.0, 36.0
#: The logarithm of a leak that is 0.
_GONE = -1e300


@dataclass(frozen=True)
class LeakGrid:
    """Values of the variables that set the leak at a fixed point, and averages over all others given these.

    Attributes
    ----------
    law : FieldLaw, a batch of one
    variables : tuple of int, those that set the leak
    values : their values on the grid, arrays that broadcast
    weights : (G,) of the grid's nodes
    tol : float, quadrature tolerance of averages
    averages : dict, those that are known: what ``FieldLaw.mean_of_products`` takes as ``cache``
    """

    law: FieldLaw
    variables: tuple[int, ...]
    values: list[np.ndarray]
    weights: np.ndarray
    tol: float
    averages: dict

    def chi(self, cell: Cell, factors: EdgeFactors) -> np.ndarray:
        """(D + 1, G) coefficients of det(lambda - F_s) without leaks that are 0 at all sites, lowest first."""
        at = self.law.arguments(cell, dict(zip(self.variables, self.values)))
        return np.array([np.broadcast_to(np.squeeze(c), self.weights.shape) for c in self._flat(factors.poles[0](*at))])

    def _flat(self, values):
        shape = np.broadcast_shapes(*(v.shape for v in self.values)) if self.values else (1,)
        return [np.broadcast_to(v, shape).ravel() for v in values]

    def means(self, cell: Cell, products: list[list[Factor]]) -> np.ndarray:
        """(G,) averages of a factorised expression."""
        mean, _ = self.law.mean_of_products(cell, products, self.tol, self.variables, self.averages)
        (flat,) = self._flat([mean])
        return flat

    def beyond(self, cell: Cell, factors: EdgeFactors, n_steps: int) -> LeakGrid | None:
        """Nodes in the tails of a Gaussian leak where powers up to 2 T of it still count; None where there are none.

        A rule leaves out what weighs less than its tolerance. Where most sites forget fast the rare ones that do not are left.
        """
        if len(self.variables) != 1 or self.weights.size < _FEWEST:
            return None
        (v,), nodes = self.variables, self.values[0].ravel()
        mean, std, steps = self.law.means[v], self.law.stds[0, v], np.diff(nodes)
        if not np.ptp(steps) < 1e-6 * steps.max():
            return None
        more = steps[0] * np.arange(1, int(_FURTHEST * std / steps[0]) + 1)
        tails = np.concatenate([nodes[0] - more[::-1], nodes[-1] + more])
        middle = int(np.argmin(np.abs(nodes - mean)))
        height = np.log(self.weights[middle]) + 0.5 * ((nodes[middle] - mean) / std) ** 2
        far = _Tails(self.law, self.variables, [tails], height - 0.5 * ((tails - mean) / std) ** 2, self.tol, self.averages)
        with np.errstate(divide="ignore"):
            here, there = (np.maximum(np.log(largest_leaks(grid.chi(cell, factors)[-2::-1])), _GONE) for grid in (self, far))
        needed = np.zeros(tails.size, dtype=bool)
        for power in powers_to(n_steps):
            most = max(float(np.max(np.log(self.weights) + power * here)), float(np.max(far.weights + power * there)))
            needed |= far.weights + power * there > most - _DIGITS
        if not needed.any():
            return None
        return replace(far, values=[tails[needed]], weights=np.exp(far.weights[needed]))


class _Tails(LeakGrid):
    """Single values of the one variable that sets the leak: a law of each, that differ by a mean."""

    def means(self, cell, products):
        (v,), count = self.variables, self.weights.size
        means, stds = (np.tile(a, (count, 1)) for a in (self.law.means, self.law.stds[0]))
        means[:, v], stds[:, v] = self.values[0], 0.0
        each, total = replace(self.law, means=means, stds=stds), np.zeros(count)
        for factors in products:
            value = np.ones(count)
            for factor in factors:
                law = each if v in factor.variables else self.law
                cache = None if law is each else self.averages
                value = value * np.broadcast_to(law.mean_of_products(cell, [[factor]], self.tol, cache=cache)[0], count)
            total = total + value
        return total


def line_of(grids: list[LeakGrid]) -> np.ndarray | None:
    """The order of all nodes of these grids of one variable, if they then lie at equal distances; None if not.

    Parameters
    ----------
    grids : list of LeakGrid
    """
    if len(grids[0].variables) != 1 or grids[0].weights.size < _FEWEST:
        return None
    nodes = np.concatenate([grid.values[0].ravel() for grid in grids])
    order = np.argsort(nodes)
    steps = np.diff(nodes[order])
    return order if np.ptp(steps) < 1e-6 * steps.max() else None


def powers_to(n_steps: int) -> list[int]:
    """Powers of the leak that stand for all up to 2 T + 2."""
    return [0, *(2 ** np.arange(int(np.log2(2 * n_steps + 2)) + 1)).tolist(), 2 * n_steps + 2]


def largest_leaks(chi: np.ndarray) -> np.ndarray:
    """(G,) largest moduli of the zeros of lambda^D + chi_1 lambda^(D - 1) + .. + chi_D."""
    D = len(chi)
    if D <= 1:
        return np.abs(chi[0]) if D else np.zeros(chi.shape[1])
    companion = np.zeros((chi.shape[1], D, D))
    companion[:, 0] = -chi.T
    companion[:, np.arange(1, D), np.arange(D - 1)] = 1.0
    return np.abs(np.linalg.eigvals(companion)).max(axis=1)
