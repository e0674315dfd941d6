"""The mean-field map of overlaps and moments, (kappa, q) -> (E[B m], E[m^2]), with low-rank parts of matrices [T11].

Given the fields y all loadings and what comes through the random matrices are Gaussian, with means that are linear in y. So
averages run over the fields that messages depend on, and over nothing else: E[B m] = E[B] E[m] + sum over coordinates of the
slope of E[B | y] along one times E[xi m]. Given loadings stay as they are: averages run over what comes through the random
matrices, unit by unit.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..cell.probes import Shape, of_any_size
from ..ensemble.ensemble import Ensemble
from ..ensemble.loaded_fields import LoadedFields
from ..ensemble.quadrature import gaussian_rule
from ..errors import ConvergenceError
from .moments import require_bounded

__all__ = ["DrawnLoadings", "GivenLoadings", "OverlapMap", "UnitRule", "overlap_map", "rules_of_units", "unit_rules"]

#: Tolerances of results, and of searches, where messages depend on up to two variables, and on more; where sites are solved for.
_FINE, _SOLVED_FINE, _COARSE = (1e-13, 1e-12), (1e-10, 1e-7), (1e-6, 1e-3)
#: Averages are so much finer than what is asked for.
_FINER = 1e-3
#: Nodes at most for one law, and at work at once; a tolerance that wants more is raised tenfold, and so on.
_MOST_NODES, _AT_ONCE = 2_000_000, 400_000
#: Nodes of all units with given loadings together, at most.
_MOST_SITES = 4_000_000
#: Nodes at most for one law at tolerances of a search, this one and larger ones; where sites are solved for.
_ROUGH, _ROUGH_NODES, _SOLVED_NODES = 1e-4, 5_000, 700
#: Fields, as many as show how large messages get.
_PROBES = 400
#: Nodes along a variable for given loadings: the least where there would be too many, and the most of Gauss-Hermite.
_FEW_NODES, _MOST_HERMITE = 2, 120
#: Nodes for one unit at tolerances of a search.
_ROUGH_UNIT = 100
#: Functions count as analytic so many standard deviations off the real axis at most, and in this part of their length at kinks.
_WIDE, _KINKED = 30.0, 1.0 / 6.0


class OverlapMap(ABC):
    """F(u): overlaps and moments of a site's messages where fields have the law that overlaps and moments u give them [T11].

    Parameters
    ----------
    ensemble : Ensemble with a low-rank part
    tol : float, the relative accuracy wanted of solutions: averages are finer by three digits, as far as they can be

    Attributes
    ----------
    ensemble : Ensemble
    fields : LoadedFields
    variables : list of int, the fields and site parameters that messages depend on
    n_overlaps, n_moments : int, R and n; u has R + n entries
    fine, coarse : float, tolerances of averages for results and for searches
    scale : (R + n,) array, the size that overlaps and moments may have
    without_state : ConvergenceError or None, where sites had no state since it was made
    """

    def __init__(self, ensemble: Ensemble, tol: float = 0.0) -> None:
        require_bounded(ensemble.cell)
        self.ensemble, self.cell = ensemble, ensemble.cell
        compiled, cell = self.cell.compiled, self.cell
        dependence = compiled.dependence
        needed: set[int] = set()
        for message in cell.distinct_messages:
            for symbol in message.free_symbols:
                needed |= dependence[symbol]
        self.variables = sorted(needed)
        self.fields = LoadedFields(ensemble, self.variables)
        self.n_overlaps, self.n_moments = self.fields.low_rank.rank, cell.n_messages
        many = len(self.variables) > 2
        self.fine = max((_FINE if cell.has_closed_form else _SOLVED_FINE)[many], _FINER * min(tol, 1e-2))
        self.coarse = _COARSE[many or not cell.has_closed_form]
        self.read = np.array(cell.message_of)[self.fields.field_of]  # the message that each channel reads
        self.without_state: ConvergenceError | None = None
        self.scale = self._scale()

    @abstractmethod
    def __call__(self, u: np.ndarray, tol: float, second: bool = False) -> np.ndarray:
        """F(u), (B, R + n), for a batch of overlaps and moments, whose rules have the same numbers of nodes; nan without a state.

        Parameters
        ----------
        u : (B, R + n) array
        tol : float, of averages
        second : bool, by other rules, whose errors are others
        """

    @abstractmethod
    def right_rms(self) -> np.ndarray:
        """(R,) root mean squares of the right loadings."""

    def _messages_or_none(self, values):
        """The messages, or None where a site has no state; ``without_state`` is then why."""
        try:
            return self.messages(values)
        except ConvergenceError as error:
            self.without_state = error
            return None

    def messages(self, variables: dict[int, np.ndarray]) -> list[np.ndarray]:
        """The distinct messages at values of the variables that they depend on, arrays that broadcast.

        Parameters
        ----------
        variables : {variable: array}
        """
        means, K = self.fields.random.means, self.cell.n_fields
        full = [variables.get(v, mean) for v, mean in enumerate(means)]
        state = self.cell.compiled.fixed_state(full[:K], full[K:])
        return self.cell.compiled.messages(state, full[:K], full[K:])

    def _scale(self):
        V = len(self.fields.random.means)
        K = self.cell.n_fields
        values = of_any_size(V, _PROBES)
        values[K:] = self.fields.random.means[K:, None]  # parameters of any size may leave a site without a state
        messages, values[:K] = None, values[:K] * 2.0
        while messages is None:
            values[:K] *= 0.5  # until all sites have a state
            messages = self._messages_or_none(dict(enumerate(values)))
        largest = np.array([float(np.max(np.abs(m))) or 1.0 for m in messages])
        return np.concatenate([np.maximum(self.right_rms(), 1e-12) * largest[self.read], largest**2])


def overlap_map(ensemble: Ensemble, tol: float = 0.0) -> OverlapMap:
    """The map of an ensemble with a low-rank part, of drawn loadings or of given ones.

    Parameters
    ----------
    ensemble : Ensemble
    tol : float, as of OverlapMap
    """
    low = ensemble.low_rank
    return (DrawnLoadings if low is not None and low.vectors is None else GivenLoadings)(ensemble, tol)


class DrawnLoadings(OverlapMap):
    """The map where loadings are drawn from a mixture of Gaussians, for a batch of u at once: see OverlapMap."""

    def right_rms(self) -> np.ndarray:
        """(R,) root mean squares of the right loadings."""
        low, R = self.fields.low_rank, self.n_overlaps
        assert low.mean is not None and low.covariance is not None
        squares = low.mean[:, R:] ** 2 + np.diagonal(low.covariance, axis1=1, axis2=2)[:, R:]
        return np.sqrt(self.fields.weights @ squares)

    def __call__(self, u: np.ndarray, tol: float, second: bool = False) -> np.ndarray:
        """F(u), as of OverlapMap; rows of a batch share their numbers of nodes.

        Parameters
        ----------
        u : (B, R + n) array
        tol : float
        second : bool
        """
        R = self.n_overlaps
        laws = self.fields.at(u[:, :R], np.maximum(u[:, R:], 0.0))
        B, C = laws.means.shape[:2]
        flat = B * C
        stds = laws.stds.reshape(flat, -1)[:, self.variables]
        means = laws.means.reshape(flat, -1)[:, self.variables]
        shapes = [laws.shape(v) for v in self.variables]
        mixed = {v for group in laws.groups for v in group}
        turn = laws.turn.reshape(flat, *laws.turn.shape[2:])

        def made(tol):
            rules = []
            for i, v in enumerate(self.variables):
                mean = np.zeros(flat) if v in mixed else means[:, i]
                rules.append(gaussian_rule(mean, stds[:, i], tol, shapes[i], second=second))
            return rules

        rules = made(tol)
        most = _MOST_NODES if tol < _ROUGH else _ROUGH_NODES if self.cell.has_closed_form else _SOLVED_NODES
        while _size(rules) > most and tol < 0.05:
            tol *= 10.0
            rules = made(tol)
        first = np.empty((flat, self.n_moments))
        slopes = np.empty((flat, self.n_moments, len(self.variables)))
        square = np.empty((flat, self.n_moments))
        rows = max(1, int(_AT_ONCE / _size(rules)))
        parts = [slice(start, start + rows) for start in range(0, flat, rows)]
        while parts:
            part = parts.pop()
            values, weights, xi = self._grid(part, rules, means[part], stds[part], turn[part], mixed)
            messages = self._messages_or_none(values)
            if messages is None:
                first[part], slopes[part], square[part] = np.nan, np.nan, np.nan
                single = range(part.start, min(part.stop, flat))
                parts += [slice(row, row + 1) for row in single] if len(single) > 1 else []
                continue
            for n, message in enumerate(messages):
                m = np.asarray(message)
                m = np.broadcast_to(m, (weights[0].shape[0], *m.shape[1:])) if m.ndim else m
                first[part, n], slopes[part, n] = _contracted(m, weights, xi)
                square[part, n] = _contracted(m * m, weights, None)[0]
        return self._averages(laws, first, slopes, square, (B, C))

    def _grid(self, part, rules, means, stds, turn, mixed):
        """Values of the variables on a grid of their coordinates, weights, and coordinates in standard deviations."""
        V, nodes = len(self.variables), {}
        weights, xi = [], []
        for i, (values, weight) in enumerate(rules):
            values, weight = values[part] if len(values) > 1 else values, weight[part] if len(weight) > 1 else weight
            shape = [len(values)] + [1] * V
            shape[i + 1] = values.shape[1]
            nodes[self.variables[i]] = values.reshape(shape)
            weights.append(np.broadcast_to(weight, (len(means), weight.shape[1])))
            centre = 0.0 if self.variables[i] in mixed else means[:, i : i + 1]
            std = stds[:, i : i + 1]
            xi.append(np.divide(values - centre, std, out=np.zeros(np.broadcast_shapes(values.shape, std.shape)), where=std > 0.0))
        out = dict(nodes)
        for k in mixed:
            place = self.variables.index(k)
            total = means[:, place].reshape(-1, *[1] * V)
            for j in mixed:
                rate = turn[:, k, j]
                if rate.any():
                    total = total + rate.reshape(-1, *[1] * V) * nodes[j]
            out[k] = total
        return out, weights, xi

    def _averages(self, laws, first, slopes, square, shape):
        B, C = shape
        R, fields = self.n_overlaps, [(i, v) for i, v in enumerate(self.variables) if v < self.cell.n_fields]
        first, square = first.reshape(B, C, -1), square.reshape(B, C, -1)
        slopes = slopes.reshape(B, C, self.n_moments, -1)
        right = laws.prior_mean[None, :, R : 2 * R] * first[:, :, self.read]
        rates = laws.slopes[:, :, R : 2 * R]
        for i, v in fields:
            right = right + rates[..., v] * slopes[:, :, self.read, i]
        return np.concatenate(
            [np.einsum("c,bcr->br", self.fields.weights, right), np.einsum("c,bcn->bn", self.fields.weights, square)], axis=1
        )


def _size(rules):
    return float(np.prod([weight.shape[1] for _, weight in rules], dtype=float))


def _contracted(values, weights, xi):
    """E of values (B, n1, .., nV), and E[xi_j values] for each coordinate (B, V); arrays may be of length 1 along coordinates."""
    V = len(weights)
    plain, along = np.asarray(values, dtype=float), {}
    if plain.ndim < V + 1:
        plain = np.broadcast_to(plain, (weights[0].shape[0] if V else 1,) + (1,) * V)
    for axis in range(V - 1, -1, -1):
        if plain.shape[-1] == 1 and weights[axis].shape[1] > 1:
            along = {j: a[..., 0] for j, a in along.items()}
            plain = plain[..., 0]
            continue
        along = {j: np.einsum("b...n,bn->b...", a, weights[axis]) for j, a in along.items()}
        if xi is not None:
            along[axis] = np.einsum("b...n,bn->b...", plain, weights[axis] * xi[axis])
        plain = np.einsum("b...n,bn->b...", plain, weights[axis])
    first = np.zeros((plain.shape[0], V))
    for j, a in along.items():
        first[:, j] = a
    return plain, first


class GivenLoadings(OverlapMap):
    """The map where loadings are given, unit by unit: see OverlapMap."""

    def right_rms(self) -> np.ndarray:
        """(R,) root mean squares of the right loadings."""
        assert self.fields.low_rank.vectors is not None
        return np.sqrt(np.mean(self.fields.low_rank.vectors[1] ** 2, axis=1))

    def __call__(self, u: np.ndarray, tol: float, second: bool = False) -> np.ndarray:
        """F(u), as of OverlapMap.

        Parameters
        ----------
        u : (B, R + n) array
        tol : float
        second : bool
        """
        R = self.n_overlaps
        most = _ROUGH_UNIT if tol >= _ROUGH else _MOST_SITES / self._n_units
        rules = unit_rules(self.fields, np.maximum(u[:, R:], 0.0), tol, most, self.variables)
        return np.array([self._row(row[:R], np.maximum(row[R:], 0.0), rules, second) for row in u])

    @property
    def _n_units(self):
        return self.fields.low_rank.n_units

    def _row(self, overlaps, q, rules, second):
        right = self.fields.low_rank.vectors[1]
        first, square = np.zeros((self.n_moments, self._n_units)), np.zeros(self.n_moments)
        for units, values, weights in self._nodes(overlaps, q, rules, second):
            messages = self._messages_or_none(values)
            if messages is None:
                return np.full(self.n_overlaps + self.n_moments, np.nan)
            for n, message in enumerate(messages):
                m = np.asarray(message)
                mean, same = m, m * m
                for weight in reversed(weights):
                    whole = mean.ndim > 0 and mean.shape[-1] > 1 or weight.size == 1
                    mean, same = (mean @ weight, same @ weight) if whole else (mean[..., 0], same[..., 0])
                first[n, units] = mean
                square[n] += float(np.sum(np.broadcast_to(same, units.stop - units.start)))
        return np.concatenate([np.mean(right * first[self.read], axis=1), square / self._n_units])

    def _nodes(self, overlaps, q, rules, second) -> Iterator[tuple[slice, dict[int, np.ndarray], list[np.ndarray]]]:
        """Stretches of units with values of the variables at nodes of what is random, and weights."""
        n_units = self._n_units
        centres, rules = rules_of_units(self.fields, overlaps, q, rules, self.variables, second)
        V, size = len(self.variables), np.prod([len(w) for _, w in rules], dtype=float)
        stretch = max(1, int(_AT_ONCE / size))
        for start in range(0, n_units, stretch):
            units = slice(start, min(n_units, start + stretch))
            values = {}
            for i, v in enumerate(self.variables):
                shape = [1] * (V + 1)
                shape[i + 1] = -1
                values[v] = centres[v][units].reshape(-1, *[1] * V) + rules[i][0].reshape(shape)
            yield units, values, [w for _, w in rules]


class UnitRule(NamedTuple):
    """A rule for deviations along one variable, alike for all units: so many Gauss-Hermite nodes, or even steps for a tolerance."""

    n_nodes: int
    even: float | None = None
    strip: float = np.inf

    def nodes(self, second: bool) -> tuple[np.ndarray, np.ndarray]:
        """Nodes in standard deviations, and weights; of another rule, whose errors are others, for ``second``."""
        if self.even is not None:
            x, w = gaussian_rule(0.0, [1.0], self.even, Shape(strip=self.strip), second=second)
            return x[0], w[0]
        x, w = np.polynomial.hermite_e.hermegauss(self.n_nodes + (second and self.n_nodes > 1))
        return x, w / w.sum()


def unit_rules(fields: LoadedFields, q: np.ndarray, tol: float, most: float, variables: list[int]) -> list[UnitRule]:
    """Rules along each variable for units with given loadings; of fewer nodes than the tolerance wants where these are too many.

    Parameters
    ----------
    fields : LoadedFields, of given loadings
    q : (B, n) array, moments of which the largest count
    tol : float
    most : float, nodes a unit that there may be
    variables : list of int
    """
    stds = np.concatenate([np.sqrt(fields.random.variance(q.max(axis=0))), fields.random.parameter_std])
    rules, hermite, digits = [], [], -np.log(tol)
    for v in variables:
        if stds[v] == 0.0:
            rules.append(UnitRule(1))
            hermite.append(1)
            continue
        shape = fields.random.shapes[v]
        # in standard deviations: how far functions are analytic, or what stands for it
        strip = min((shape.strip if shape.trapezoidal else _KINKED * shape.length) / stds[v], _WIDE)
        hermite.append(min(2 + math.ceil(0.5 * (digits / strip) ** 2 + 0.5 * digits / math.log1p(strip)), _MOST_HERMITE))
        even = gaussian_rule(0.0, [1.0], tol, Shape(strip=strip))[0].size
        rules.append(UnitRule(even, tol, strip) if even < hermite[-1] else UnitRule(hermite[-1]))
    if np.prod([rule.n_nodes for rule in rules], dtype=float) <= most:
        return rules
    while np.prod(hermite, dtype=float) > most and max(hermite) > _FEW_NODES:
        hermite[int(np.argmax(hermite))] -= 1
    return [UnitRule(count) for count in hermite]


def rules_of_units(
    fields: LoadedFields, overlaps: np.ndarray, q: np.ndarray, rules: list[UnitRule], variables: list[int], second: bool = False
) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
    """Means of all variables unit by unit (V, N), and deviations and weights along some of them, alike for all units.

    Parameters
    ----------
    fields : LoadedFields, of given loadings
    overlaps, q : (R,) and (n,) arrays
    rules : list of UnitRule, along each of the variables
    variables : list of int
    second : bool, by rules whose errors are others
    """
    assert fields.low_rank.vectors is not None
    left = fields.low_rank.vectors[0]
    means = np.repeat(fields.random.means[:, None], left.shape[1], axis=1)
    means[: fields.n_fields] += fields.driven(overlaps[None, :])[0] @ left
    stds = np.concatenate([np.sqrt(fields.random.variance(q)), fields.random.parameter_std])
    made = [rule.nodes(second) for rule in rules]
    return means, [(stds[v] * x, w) for v, (x, w) in zip(variables, made)]
