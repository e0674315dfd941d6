"""Gaussian quadrature over the random variables of a site.

The random variables of a site are its K fields and its P site parameters, independent Gaussians at a mean-field fixed
point [T5]. Which rule averages over one of them follows from what the cell's functions look like along it (``cell/probes.py``):
trapezoidal where they are analytic in a strip (it converges exponentially, and unlike Gauss-Hermite does not waste nodes when a
field is much broader than the step of a sigmoid), sections of Gauss-Legendre between kinks and jumps, and nodes that cluster
geometrically at steps whose width other fields shrink without bound [NUMERICS].
"""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .nested import averages_through

if TYPE_CHECKING:
    from ..cell.cell import Cell
    from ..cell.compiled import Factor
    from ..cell.probes import NarrowedShapes, Shape, Shapes

__all__ = ["BROAD", "MAX_NODES", "FieldLaw", "folded", "gaussian_rule"]

#: Tensor grids with more nodes than this (for one set of variances) are coarsened; the error estimates then say so.
MAX_NODES = 8_000_000
#: Grids of so many nodes and more are worth looking for a nested average.
_WORTH_NESTING = 10_000
#: Grids of so many nodes take longer than a nested average of one member of a batch.
_NESTED_NODES = 200_000
#: Batches are split so that the arrays at work stay in cache.
_CHUNK_NODES = 100_000
#: Sections that want more points than this are cut into pieces.
_MOST_POINTS = 24
#: Sections of the Gaussian in standard deviations, and where a second rule cuts those of the functions.
_SPACING, _UNEVEN = 2.5, 0.38
#: Ends of sections to both sides of an even function's mean that differ by no more than this are one.
_SAME = 1e-9
#: Nodes along a variable where their number hardly depends on the law; nodes that cost as much as one more call of a function.
_SOME_NODES, _CALL_NODES = 32.0, 10_000
#: More than there are classes of sizes, from 1 to 2^100 nodes by factors of sqrt(2).
_CLASSES = 200
#: Steps for smaller standard deviations are those for this one.
_NARROW = 1e-100
#: Fields broader than so many lengths of the functions have evenly spaced nodes no more, even where these are asked for.
BROAD = 25.0


def gaussian_rule(
    mean: npt.ArrayLike,
    std: npt.ArrayLike,
    tol: float,
    shape: Shape,
    refine: float = 1,
    even: bool = False,
    second: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights for averages over N(mean, std^2) of functions of a known shape, a batch of laws at once.

    Parameters
    ----------
    mean : float, or (B,) array
    std : (B,) array, non-negative
    tol : float in (0, 1), the error wanted of averages of order one
    shape : Shape, of the functions
    refine : float >= 1, multiplies the number of nodes
    even : bool, whether the functions are even about the mean, one for all: one half of the nodes is enough then
    second : bool
        Another rule with as many nodes or a few more: what it gives differently tells how far off both are.

    Returns
    -------
    nodes, weights : (B, n) arrays; weights sum to 1
    """
    std = np.atleast_1d(np.asarray(std, dtype=float))
    mean = np.broadcast_to(np.asarray(mean, dtype=float), std.shape)
    widest = float(std.max())
    if widest == 0.0:
        return mean[:, None].copy(), np.ones((std.size, 1))
    reach = math.sqrt(2.0 * math.log(1.0 / tol)) + (0.8 if second else 0.3)  # the weight beyond is a fraction of tol
    if np.any(_clusters(mean, std, tol, shape)):
        nodes, weights = _clustered(mean, std, tol, shape, reach, refine, second)
        return folded(nodes, weights) if even and np.all(mean == shape.centre) else (nodes, weights)
    reach += _aside(mean, std, shape)
    step = _step(widest, tol, shape.strip) / refine if shape.strip > 0.0 else 0.0
    points = _legendre_points(tol, refine) + second
    # sections where they need half of the trapezoidal rule's nodes or less
    if step == 0.0 or (shape.breaks and (len(shape.breaks) + 2.0 * reach / _SPACING) * points < reach / step):
        return _sections(mean, std, _edges(mean, std, reach, shape.breaks, even, second), points)
    n = math.ceil(reach / step)
    x = step * (np.arange(-n, n) + 0.5 if second else np.arange(-n, n + 1))
    weights = np.exp(-0.5 * x * x)
    weights /= weights.sum()
    nodes, weights = mean[:, None] + std[:, None] * x, np.broadcast_to(weights, (std.size, x.size))
    return folded(nodes, weights) if even else (nodes, weights)


def folded(nodes: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The upper half of a symmetric rule, for even functions.

    Parameters
    ----------
    nodes, weights : (..., n) arrays
    """
    n = nodes.shape[-1]
    nodes, weights = nodes[..., n // 2 :], 2.0 * weights[..., n // 2 :]
    if n % 2:
        weights[..., 0] *= 0.5
    return nodes, weights


def _clusters(mean, std, tol, shape):
    """Whether a Gaussian reaches the place where nodes have to cluster."""
    return shape.centre is not None and np.abs(mean - shape.centre) < (np.sqrt(2.0 * np.log(1.0 / tol)) + 0.8) * std


def _nodes_needed(std, tol, shape):
    """About how many nodes each member of a batch needs along one variable, where they do not cluster."""
    if shape.strip <= 0.0:
        return 1.0 + _SOME_NODES * (std > 0.0)
    reach = np.sqrt(2.0 * np.log(1.0 / tol))
    most = 2.0 * len(shape.breaks) * _legendre_points(tol, 1) or np.inf
    return 1.0 + np.minimum(2.0 * reach / _step(std, tol, shape.strip), most) * (std > 0.0)


def _aside(mean, std, shape):
    """By how many stds more a rule has to reach: the average of a gate saturated by its bias, an exponential of its field, sits so
    many to the side.
    """
    if not mean.any():
        return 0.0
    away = np.divide(np.abs(mean), std, out=np.zeros(std.shape), where=std > 0.0)
    return float(np.max(np.minimum(8.0 * std / shape.length, away) if shape.length > 0 else away))


def _digits(tol):
    return math.log(1.0 / tol) + 4.0  # four more for the size of the integrand near its poles, tanh's being double


def _step(std, tol, strip):
    """The step of the trapezoidal rule, in standard deviations.

    The contour shifted to the singularity at distance a (in standard deviations) leaves an error of exp(-2 pi a/step + a^2/2),
    unless the Gaussian's own exp(-2 pi^2/step^2) is reached before. A batch shares one step, made for the worst of its members.
    """
    digits = _digits(tol)
    a = np.minimum(strip / np.maximum(std, _NARROW), np.sqrt(2.0 * digits))
    return 2.0 * np.pi * a / (digits + 0.5 * a * a)


def _clustered(mean, std, tol, shape, reach, refine, second):
    """Nodes that cluster geometrically at the shape's centre, y = softplus(u), so that a step there of any width is resolved."""
    kappa = np.minimum(std, 0.5 * shape.length)[:, None]
    kappa = np.where(kappa > 0, kappa, 1.0)
    digits = _digits(tol)
    step = 1.25 * np.pi**2 / digits / refine  # the singularity lies beyond pi/2 for all but the steepest steps
    away = mean - shape.centre
    top = float(np.max((np.abs(away) + reach * std) / kappa[:, 0])) + step
    bottom = -(0.6 * digits + 1.0) - (0.5 * step if second else 0.0)
    u = np.arange(bottom, top + step, step)
    half = np.logaddexp(0.0, u)
    slope = step / (1.0 + np.exp(-u))
    # everything left of the first node, where the integrand is flat: the rest of the geometric series
    slope[0] /= -np.expm1(-step)
    y = kappa * np.concatenate([-half[::-1], half])
    weights = np.concatenate([slope[::-1], slope]) * kappa
    return _normal(mean, std, shape.centre + y, weights)


def _down_to(nearest, nodes, weights, centre):
    """A rule that clusters at ``centre``, with its geometric series of nodes going on until so close to it."""
    distance = np.abs(nodes - centre)
    ends = np.flatnonzero(distance < 1.01 * distance.min())  # one of each sign, or one that stands for both
    if not 0.0 < nearest < distance.min() or ends.size == nodes.size:
        return nodes, weights
    part = distance.min() / np.sort(distance)[ends.size]
    count = math.ceil(math.log(nearest / distance.min()) / math.log(part))
    series = part ** np.arange(count + 1.0)
    share = np.append((1.0 - part) * series[:-1], series[-1])
    more = [(centre + (nodes[i] - centre) * series, weights[i] * share) for i in ends]
    return (
        np.concatenate([np.delete(nodes, ends), *(y for y, _ in more)]),
        np.concatenate([np.delete(weights, ends), *(w for _, w in more)]),
    )


def _normal(mean, std, y, weights):
    """Nodes (B, n), and their weights times the Gaussian density, which sum to 1; at the mean where its width is below rounding."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        x = (y - mean[:, None]) / std[:, None]
        weights = weights * np.exp(-0.5 * x * x)
    point = (mean + std == mean)[:, None]
    if point.any():
        y = np.where(point, mean[:, None], y)
        weights = np.where(point, 1.0 / y.shape[1], weights)
    return y, weights / weights.sum(axis=1, keepdims=True)


def _legendre_points(tol, refine):
    """Points a section: the functions' sections and the Gaussian's leave an error of 16^-n."""
    return math.ceil((math.log(1.0 / tol) / math.log(16.0) + 3.0) * refine)


def _edges(mean, std, reach, breaks, even, second):
    """(B, s + 1) ends of sections in which functions and Gaussian are both smooth, empty sections last; above the mean if even."""
    breaks = np.array(breaks)
    if even:
        breaks = mean[0] + np.sort(np.abs(breaks - mean[0]))
        breaks = breaks[np.diff(breaks, prepend=-np.inf) > _SAME * np.abs(breaks - mean[0])]
    if second and breaks.size:
        breaks = np.sort(np.concatenate([breaks, breaks[:-1] + _UNEVEN * np.diff(breaks)]))
    n = int(np.ceil(reach / _SPACING))
    gaussian = reach * np.arange(-n, n + 1) / n
    mean, std = mean[:, None], std[:, None]
    low, high = mean - (0.0 if even else reach) * std, mean + reach * std
    edges = np.concatenate([np.broadcast_to(breaks, (std.size, breaks.size)), mean + std * gaussian], axis=1)
    edges = np.sort(np.clip(edges, low, high), axis=1)
    empty = np.diff(edges, axis=1) <= 0.0
    # those beyond the reach stand at both ends: move them to the last place, and drop what is empty for all
    edges = np.take_along_axis(edges[:, 1:], np.argsort(empty, axis=1, kind="stable"), axis=1)
    most = int(np.max(np.count_nonzero(~empty, axis=1), initial=1))
    last = np.where(np.arange(most) < np.count_nonzero(~empty, axis=1)[:, None], edges[:, :most], high)
    return np.concatenate([low, last], axis=1)


def _sections(mean, std, edges, points):
    """Gauss-Legendre rules between the edges."""
    pieces = -(-points // _MOST_POINTS)
    x, w = _gauss_legendre(-(-points // pieces), pieces)
    half = 0.5 * np.diff(edges, axis=1)[:, :, None]
    y = 0.5 * (edges[:, 1:] + edges[:, :-1])[:, :, None] + half * x
    return _normal(mean, std, y.reshape(std.size, -1), (half * w).reshape(std.size, -1))


@lru_cache(maxsize=64)
def _gauss_legendre(n, pieces):
    """The rule of n points on each of so many equal pieces of (-1, 1)."""
    x, w = np.polynomial.legendre.leggauss(n)
    middles = (2.0 * np.arange(pieces) + 1.0) / pieces - 1.0
    return (middles[:, None] + x / pieces).ravel(), np.tile(w / pieces, pieces)


@dataclass(frozen=True)
class FieldLaw:
    """Independent Gaussian laws of the random variables of a site, for a batch of B sets of variances.

    ``means`` (V,), or (B, V) where they differ, ``stds`` (B, V), with V = K + P; ``shapes`` (V,) are those of the cell's functions
    along each variable, which its quadrature goes by. ``second`` asks for the second rule everywhere (see :func:`gaussian_rule`),
    ``evenly`` for evenly spaced nodes in some variables, where their functions allow it and the field is not very broad.
    """

    means: np.ndarray
    stds: np.ndarray
    shapes: Sequence[Shape] | Shapes | NarrowedShapes
    refine: tuple[float, ...] = ()
    second: bool = False
    evenly: frozenset[int] = frozenset()
    #: Rules that have been made, those of refined laws among them.
    _rules: dict = field(init=False, repr=False, compare=False, default_factory=dict)

    def refined(self, variables: Container[int], factor: float) -> FieldLaw:
        """The same law with ``factor`` times as many nodes in some variables."""
        before = self.refine or (1,) * self.stds.shape[1]
        refined = replace(self, refine=tuple(n * (factor if v in variables else 1) for v, n in enumerate(before)))
        object.__setattr__(refined, "_rules", self._rules)  # they are found by how refined they are
        return refined

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

    def nodes(self, factor: Factor, tol: float, keep: Container[int] = ()) -> float:
        """Nodes of the grid that :meth:`mean_of_products` takes for a factor, for one set of variances."""
        sizes = {v: self._rule(v, tol, v in factor.even and v not in keep)[1].shape[1] for v in factor.variables}
        nested = max((sizes[nest.variable] for nest in factor.nests if nest.variable not in keep), default=1)
        return float(np.prod(list(sizes.values()), dtype=float)) / nested

    def affordable(self, variables: Sequence[int], tol: float, even: Container[int], max_nodes: float) -> float:
        """The smallest of tol, tol sqrt(10), 10 tol, ... whose tensor grid has at most ``max_nodes`` nodes (0.1 at most)."""
        while tol < 0.1 and np.prod([self._rule(v, tol, v in even)[1].shape[1] for v in variables], dtype=float) > max_nodes:
            tol = min(0.1, tol * np.sqrt(10.0))
        return tol

    def _rule(self, v, tol, even):
        key = v, tol, even, self.refine[v] if self.refine else 1
        if key not in self._rules:
            self._rules[key] = self._made_rule(v, tol, even)
        return self._rules[key]

    def _made_rule(self, v, tol, even):
        mean, std = self.means[..., v], self.stds[:, v]
        if not std.any():
            return np.broadcast_to(mean, std.shape)[:, None], np.ones((std.size, 1))
        shape = self.shapes[v]
        if v in self.evenly and std.max() < BROAD * shape.length:
            shape = shape.evenly()
        even = even and not np.any(mean)
        return gaussian_rule(mean, std, tol, shape, self.refine[v] if self.refine else 1, even, self.second)

    def mean_of_products(
        self, cell: Cell, products: list[list[Factor]], tol: float, keep: Sequence[int] = (), cache: dict | None = None
    ) -> tuple[np.ndarray | float, float]:
        """Average a factorised expression (``CompiledCell.factorise``): each factor over its own variables only.

        ``keep`` are variables that are not averaged over; the result then has their grid's axes, in order, after the
        batch. ``cache`` (a dict) remembers factors, for laws of the same means, one tolerance and one choice of ``keep``.
        Returns ``(average, tol_reached)``.
        """
        cache = {} if cache is None else cache
        total, reached = 0.0, tol
        for factors in products:
            value = 1.0
            for factor in factors:
                kept = [v for v in keep if v in factor.variables]
                local = kept + [v for v in factor.variables if v not in keep]
                key = factor, self.stds[:, local].tobytes(), *((self.refine, tol) if kept else ())
                if key not in cache:
                    cache[key] = self._mean_in_parts(cell, factor, local, len(kept), tol, cache)
                term, used = cache[key]
                reached = max(reached, used)
                index = [slice(None)] + [slice(None) if v in kept else None for v in keep]
                value = value * term[tuple(index)]
            total = total + value
        return total, reached

    def _mean_in_parts(self, cell, factor, local, n_kept, tol, cache):
        """(averages of a factor over its variables, tol reached), in parts of the batch that want about as many nodes."""
        parts = self._alike(local, tol, bool(factor.nests)) if not n_kept else [slice(None)]
        if len(parts) == 1:
            return self._mean_of_factor(cell, factor, local, n_kept, tol, cache)
        out, reached = np.empty(self.stds.shape[0]), tol
        for part in parts:
            law = replace(self, means=self.means if self.means.ndim == 1 else self.means[part], stds=self.stds[part])
            out[part], used = law._mean_of_factor(cell, factor, local, 0, tol, {})
            reached = max(reached, used)
        return out, reached

    def _alike(self, variables, tol, singly):
        """The batch's indices in parts: a part shares the nodes of its broadest member, which may cost more than another call.

        ``singly``: large grids of one member each.
        """
        batch = self.stds.shape[0]
        if batch == 1 or not variables:
            return [slice(None)]
        kinds, needs = np.zeros(batch, dtype=int), np.ones((batch, len(variables)))
        for i, v in enumerate(variables):
            std = self.stds[:, v]
            if not std.any():
                continue
            shape = self.shapes[v]
            near = _clusters(self.means[..., v], std, tol, shape)
            kinds = 2 * kinds + near
            needs[:, i] = np.where(near, _SOME_NODES, _nodes_needed(std, tol, shape))
        if batch * needs.max(axis=0).prod() < _CALL_NODES and np.all(kinds == kinds[0]):
            return [slice(None)]
        classes = _CLASSES * kinds + np.floor(2.0 * np.log2(needs.prod(axis=1))).astype(int)
        order = np.argsort(classes, kind="stable")
        starts = np.flatnonzero(np.diff(classes[order], prepend=-1))
        parts, sizes = [], []  # of each part: its indices, and the nodes that each of its variables needs
        for rows in np.split(order, starts[1:]):
            size = needs[rows].max(axis=0)
            if parts and kinds[rows[0]] == kinds[parts[-1][0]]:
                both = np.maximum(sizes[-1], size)
                apart = len(parts[-1]) * sizes[-1].prod() + len(rows) * size.prod()
                if (len(parts[-1]) + len(rows)) * both.prod() < apart + _CALL_NODES:
                    parts[-1], sizes[-1] = np.concatenate([parts[-1], rows]), both
                    continue
            parts.append(rows)
            sizes.append(size)
        if singly:  # what is left over is a nested average, which is made of one member at a time
            parts = [
                part for rows, size in zip(parts, sizes) for part in (rows[:, None] if size.prod() > _NESTED_NODES else [rows])
            ]
        return [np.sort(rows) for rows in parts] if len(parts) > 1 else [slice(None)]

    def _mean_of_nests(self, cell, factor, local, n_kept, tol, cache):
        """Averages of a factor whose average over one variable is a function of one number (``nested.py``), law by law; or None."""
        values, weights, _ = self.grid(local, tol, factor.even - set(local[:n_kept]), np.inf)
        sizes = {v: w.shape[1] for v, w in zip(local, weights)}
        batch, size = self.stds.shape[0], np.prod(list(sizes.values()), dtype=float)
        if size < (_WORTH_NESTING if batch == 1 else _NESTED_NODES):
            return None
        nests = [nest for nest in factor.nests if local.index(nest.variable) >= n_kept]
        means = []
        for b in range(batch):
            one = [a[b : b + 1] for a in values], [w[b : b + 1] for w in weights]
            for nest in sorted(nests, key=lambda nest: -sizes[nest.variable]):
                mean = self._mean_of_nest(cell, nest, local, n_kept, tol, b, *one, cache)
                if mean is not None:
                    means.append(mean)
                    break
            else:
                return None
        return np.concatenate(means)

    def _mean_of_nest(self, cell, nest, local, n_kept, tol, b, values, weights, cache):
        axis = local.index(nest.variable)
        nodes, weight = values[axis].ravel(), weights[axis][0]
        values, weights, others = (list(a[:axis]) + list(a[axis + 1 :]) for a in (values, weights, local))
        if np.prod([w.shape[1] for w in weights], dtype=float) > MAX_NODES:
            return None
        at = self.arguments(cell, {v: np.squeeze(a, axis + 1) for v, a in zip(others, values)})
        stds = self.stds[b, [*others, nest.variable]].tobytes()
        key = nest.inner, nest.through, b, stds, self.refine, tol
        if key not in cache:
            through = np.broadcast_to(nest.through(*at)[0], (1, *(w.shape[1] for w in weights)))
            centre = self.shapes[nest.variable].centre
            if centre is not None:
                nodes, weight = _down_to(1e-2 / np.abs(through).max(), nodes, weight, centre)
            cache[key] = averages_through(nest.inner, through, nodes, weight)
        if cache[key] is None:
            return None
        term = nest.outer(*at)[0] * cache[key]
        for axis in range(len(weights) - 1, n_kept - 1, -1):
            term = term @ weights[axis][0]
        return term

    def _mean_of_factor(self, cell, factor, local, n_kept, tol, cache):
        batch = self.stds.shape[0]
        if factor.nests and (batch == 1 or n_kept):  # other batches come in parts whose largest grids have one member each
            nested = self._mean_of_nests(cell, factor, local, n_kept, tol, cache)
            if nested is not None:
                return nested, tol
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
        means = self.means if self.means.ndim == 1 else self.means[0]  # of variables that do not matter to what is averaged
        full = [values.get(v, mean) for v, mean in enumerate(means)]
        K = cell.n_fields
        state = cell.compiled.factor_state(full[:K], full[K:])  # closed forms are already substituted in factorised expressions
        return (*state, *full[:K], *full[K:])
