"""Gaussian quadrature over the random variables of a site.

The random variables of a site are its K fields and its P site parameters, independent Gaussians at a mean-field fixed
point [T5]. One-dimensional rules are trapezoidal: for functions analytic in a strip they converge exponentially, and unlike
Gauss-Hermite they do not waste nodes when a field is much broader than the step of a sigmoid [NUMERICS].
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from ..cell.cell import Cell
    from ..cell.compiled import Factor

__all__ = ["MAX_NODES", "FieldLaw", "gaussian_rule"]

#: Tensor grids with more nodes than this (for one set of variances) are coarsened; the error estimates then say so.
MAX_NODES = 8_000_000
#: Batches are split so that the arrays at work stay in cache.
_CHUNK_NODES = 100_000
#: Fields broader than this have nodes that grow apart beyond the other: gates change where |y| < 40 or so, no further out.
_BROAD, _BEND = 300.0, 40.0


def gaussian_rule(
    mean: float, std: npt.ArrayLike, tol: float, strip: float = np.pi / 2, stiff: bool = False, refine: float = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights for averages over N(mean, std^2), a batch of standard deviations at once.

    The step follows from the error of the trapezoidal rule for a Gaussian times a function analytic within |Im y| < ``strip``
    (pi/2 for tanh, pi for the logistic function). A batch shares one set of nodes, made for the worst of its members. With
    ``stiff`` the nodes cluster geometrically at 0, y = softplus(u), so that a step at y = 0 of any width is resolved.

    Parameters
    ----------
    mean : float
    std : (B,) array, non-negative
    tol : float in (0, 1), the error wanted of averages of order one
    strip : float > 0, half-width of the strip in units of y
    stiff : bool
    refine : int >= 1, divides the step

    Returns
    -------
    nodes, weights : (B, n) arrays; weights sum to 1
    """
    std = np.atleast_1d(np.asarray(std, dtype=float))
    widest = float(std.max())
    if widest == 0.0:
        return np.full((std.size, 1), float(mean)), np.ones((std.size, 1))
    digits = np.log(1.0 / tol) + 4.0  # four more for the size of the integrand near its poles, tanh's being double
    reach = np.sqrt(2.0 * np.log(1.0 / tol)) + 0.3  # the weight beyond is a fraction of tol
    if stiff and abs(mean) < reach * widest:
        kappa = np.minimum(std, 1.0)[:, None]
        kappa = np.where(kappa > 0, kappa, 1.0)
        step = 1.25 * np.pi**2 / digits / refine  # the singularity lies beyond pi/2 for all but the steepest steps
        top = float(np.max((abs(mean) + reach * std) / kappa[:, 0])) + step
        bottom = -(0.6 * digits + 1.0)
        u = np.arange(bottom, top + step, step)
        half = np.logaddexp(0.0, u)
        slope = step / (1.0 + np.exp(-u))
        # everything left of the first node, where the integrand is flat: the rest of the geometric series
        slope[0] /= -np.expm1(-step)
        y = kappa * np.concatenate([-half[::-1], half])
        weights = np.concatenate([slope[::-1], slope]) * kappa
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            x = (y - mean) / std[:, None]
            weights = weights * np.exp(-0.5 * x * x) / (np.sqrt(2 * np.pi) * std[:, None])
        total = weights.sum(axis=1, keepdims=True)
        if (std == 0).any():
            y = np.where(std[:, None] > 0, y, mean)
            weights = np.where(std[:, None] > 0, weights, 1.0 / y.shape[1])
            total = weights.sum(axis=1, keepdims=True)
        return y, weights / total
    if widest > _BROAD and abs(mean) < _BEND * std[std > 0].min():
        return _broad_rule(mean, std, reach, 2.0 * np.pi * min(strip, 0.5 * np.pi) / digits / refine)
    # shift the contour to the singularity at distance a (in standard deviations): the error is exp(-2 pi a/step + a^2/2),
    # unless the Gaussian's own exp(-2 pi^2/step^2) is reached before
    a = strip / widest
    step = 2.0 * np.pi * a / (digits + 0.5 * a * a) if a * a < 2.0 * digits else np.sqrt(2.0 * np.pi**2 / digits)
    step /= refine
    # a gate saturated by its bias is an exponential of its field: its average sits 2 std to the side
    reach += min(2.0 * widest, abs(mean) / widest)
    n = int(np.ceil(reach / step))
    x = step * np.arange(-n, n + 1)
    weights = np.exp(-0.5 * x * x)
    weights /= weights.sum()
    return mean + std[:, None] * x, np.broadcast_to(weights, (std.size, x.size))


def _broad_rule(mean, std, reach, step):
    """Nodes y = bend sinh(u / bend) around 0, where gates change, that grow apart where they are saturated: a batch as above."""
    kappa = np.where(std > 0, np.minimum(std, 1.0), 1.0)[:, None]
    top = float(np.max((abs(mean) + reach * std) / kappa[:, 0]))
    n = int(np.ceil(_BEND * np.arcsinh(top / _BEND) / step))
    u = step / _BEND * np.arange(-n, n + 1)
    y = kappa * _BEND * np.sinh(u)
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = np.cosh(u) * np.exp(-0.5 * ((y - mean) / std[:, None]) ** 2)
    y, weights = np.where(std[:, None] > 0, y, mean), np.where(std[:, None] > 0, weights, 1.0)
    return y, weights / weights.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class FieldLaw:
    """Independent Gaussian laws of the random variables of a site, for a batch of B sets of variances.

    ``means`` (V,), ``stds`` (B, V), with V = K + P; ``strips`` and ``stiff`` steer the quadrature of each variable.
    """

    means: np.ndarray
    stds: np.ndarray
    strips: tuple[float, ...]
    stiff: tuple[bool, ...]
    refine: tuple[int, ...] = ()

    def refined(self, variables: Container[int], factor: int) -> FieldLaw:
        """The same law with ``factor`` times as many nodes in some variables."""
        return replace(self, refine=tuple(factor if v in variables else 1 for v in range(self.means.size)))

    def grid(
        self, variables: Sequence[int], tol: float, even: Container[int] = (), max_nodes: float = MAX_NODES, n_kept: int = 0
    ) -> tuple[list[np.ndarray], list[np.ndarray], float]:
        """Tensor grid over some of the variables.

        Returns ``(values, weights, tol)``: for each variable of ``variables`` an array of shape (B, 1, .., n, .., 1) and
        its (B, n) weights. Only half of the nodes are kept for variables in ``even`` whose mean is 0. If the grid would
        exceed ``max_nodes`` nodes per set of variances, tol is raised until it does not (not for the first ``n_kept``
        variables); the tol reached is returned.
        """
        wanted = tol
        while True:
            rules = [self._rule(v, wanted if i < n_kept else tol, v in even) for i, v in enumerate(variables)]
            if np.prod([w.shape[1] for _, w in rules], dtype=float) <= max_nodes or tol > 1e-2:
                break
            if tol == wanted:
                max_nodes /= 8  # the digits asked for are out of reach: do not spend the most on fewer
            tol = 10.0 * tol
        values = []
        for axis, (nodes, _) in enumerate(rules):
            shape = [self.stds.shape[0]] + [1] * len(rules)
            shape[axis + 1] = nodes.shape[1]
            values.append(nodes.reshape(shape))
        return values, [w for _, w in rules], tol

    def affordable(self, variables: Sequence[int], tol: float, even: Container[int], max_nodes: float) -> float:
        """The smallest of tol, tol sqrt(10), 10 tol, ... whose tensor grid has at most ``max_nodes`` nodes (0.1 at most)."""
        while tol < 0.1 and np.prod([self._rule(v, tol, v in even)[1].shape[1] for v in variables], dtype=float) > max_nodes:
            tol *= np.sqrt(10.0)
        return tol

    def _rule(self, v, tol, even):
        nodes, weights = gaussian_rule(
            self.means[v], self.stds[:, v], tol, self.strips[v], self.stiff[v], self.refine[v] if self.refine else 1
        )
        n = nodes.shape[1]
        if even and self.means[v] == 0.0 and n > 1:
            nodes, folded = nodes[:, n // 2 :], 2.0 * weights[:, n // 2 :]
            if n % 2:
                folded[:, 0] *= 0.5
            weights = folded
        return nodes, weights

    def mean_of_products(
        self, cell: Cell, products: list[list[Factor]], tol: float, keep: Sequence[int] = (), cache: dict | None = None
    ) -> tuple[np.ndarray | float, float]:
        """Average a factorised expression (``CompiledCell.factorise``): each factor over its own variables only.

        ``keep`` are variables that are not averaged over; the result then has their grid's axes, in order, after the
        batch. ``cache`` (a dict) remembers factors without kept variables. Returns ``(average, tol_reached)``.
        """
        cache = {} if cache is None else cache
        total, reached = 0.0, tol
        for factors in products:
            value = 1.0
            for factor in factors:
                kept = [v for v in keep if v in factor.variables]
                local = kept + [v for v in factor.variables if v not in keep]
                if kept:
                    term, used = self._mean_of_factor(cell, factor, local, len(kept), tol)
                else:
                    if factor not in cache:
                        cache[factor] = self._mean_of_factor(cell, factor, local, 0, tol)
                    term, used = cache[factor]
                reached = max(reached, used)
                index = [slice(None)] + [slice(None) if v in kept else None for v in keep]
                value = value * term[tuple(index)]
            total = total + value
        return total, reached

    def _mean_of_factor(self, cell, factor, local, n_kept, tol):
        batch = self.stds.shape[0]
        values, weights, used = self.grid(local, tol, factor.even - set(local[:n_kept]), n_kept=n_kept)
        shape = tuple(w.shape[1] for w in weights)
        out = np.empty((batch, *shape[:n_kept]))
        size = np.prod(shape, dtype=float)
        chunk = max(1, int(_CHUNK_NODES / size))
        # blocks along the batch, and along the first variable when one grid alone is too large for the cache
        rows = shape[0] if shape and size > _CHUNK_NODES else 1
        block = max(1, int(_CHUNK_NODES / (size / rows))) if rows > 1 else 1
        for start in range(0, batch, chunk):
            part = slice(start, min(start + chunk, batch))
            pieces = []
            for first in range(0, rows, block):
                cut = slice(first, first + block) if rows > 1 else slice(None)
                local_values = {v: a[part, cut] if i == 0 else a[part] for i, (v, a) in enumerate(zip(local, values))}
                term = np.asarray(factor.function(*self.arguments(cell, local_values)), dtype=float)
                length = (values[0].shape[1] if not rows > 1 else min(block, rows - first),) if shape else ()
                term = np.broadcast_to(term, (part.stop - part.start, *length, *shape[1:]))
                for axis in range(len(shape) - 1, max(n_kept, 1) - 1, -1):
                    term = np.einsum("b...n,bn->b...", term, weights[axis][part])
                if shape and n_kept == 0:
                    term = np.einsum("bn,bn->b", term, weights[0][part, cut])
                pieces.append(term)
            out[part] = sum(pieces) if n_kept == 0 else np.concatenate(pieces, axis=1)
        return out, used

    def arguments(self, cell: Cell, values: dict[int, np.ndarray]) -> tuple:
        """State, fields and parameters (lists of arrays) at given values of some variables; the others at their means."""
        full = [values.get(v, self.means[v]) for v in range(self.means.size)]
        K = cell.n_fields
        if cell.closed_form is None:
            state = cell.compiled.fixed_state(full[:K], full[K:])
        else:
            state = [np.zeros(())] * cell.n_state  # closed forms are already substituted in factorised expressions
        return (*state, *full[:K], *full[K:])
