"""The functional whose saddle is the annealed complexity: entropy, constraints, determinant of sites of a fixed point [T7, T10].

Sites of the fixed points of a random network are counted by

    F = - sum_k mu_k q_k - 1/2 sum_g Psi_g(x_g) + 1/2 sum_j K_j (nu_j - log nu_j - 1) + log Z,
    Z = Int prod_l Normal(y_l; b_l, a_l^2 q_{m(l)} / nu_l + beta_l^2)  exp( sum_k mu_k m_k(y)^2 )  prod_blocks sqrt( D(y) ) dy,
    D = det(1 + P W Q W^dagger) = 1 + sum over monomials of c(y) exp(usage . log S + tilt . tau) prod_g alpha_g(x_g)^columns

with W the transfer matrix at lambda = 1, in the coordinates x_g, the shares of groups of columns, S their sums over each message,
and tau (the gauge-free ratios of q and p) of the self-consistent equations [T4]. What the law of the matrices enters by is in
``matrix_terms.py``: alpha = A(x) / a^2 and Psi of each group, and the multipliers nu of the lengths of images that lie on spheres
j, here in units of 1/(2 a^2 q). Independent entries have alpha = 1, Psi = x and nu = 1: their images are Gaussian. All first and
second derivatives are averages over the tilted law of sites, the integrand of Z.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

import numpy as np

from ..cell.random_search import largest, scattered
from ..ensemble.ensemble import Ensemble
from ..ensemble.field_law import RandomFields
from ..ensemble.populations import population
from ..ensemble.quadrature import FieldLaw, folded, gaussian_rule
from ..ensemble.sites import Sites
from ..errors import ConvergenceError
from ..mean_field.fixed_points import fixed_points
from ..results.encoding import dict_of, result
from ..spectrum.determinant import gauge, indispensable, loops, minor, perron_start, reachable, spectral_radius
from .matrix_terms import Block, column_groups, spheres

__all__ = ["FULL", "ComplexityFunctional", "Evaluation", "Point"]

_CHUNK = 60_000  # sites worked on at once: arrays that stay in the second-level cache
#: Quadrature tolerances that a bound on the number of nodes may ask for: unless it is exceeded many times over, and at all.
_LOOSE, _LOOSEST = 1e-3, 0.1
#: How many times the bound may be exceeded rather than go beyond ``_LOOSE``: for up to two variables, and for more.
_EXCESS, _LEAST_EXCESS = 100, 6
#: Gains below this are zero: rates depend on gains by their squares.
_NO_GAIN = 1e-7
#: Gauss-Hermite rules of fewer nodes than this beat the trapezoidal rule where strips of analyticity are this many steps wide.
_HERMITE_NODES, _DEEP = 40, 4.0
#: Derivatives that are smaller than this at all probes vanish identically.
_SILENT = 1e-11
#: Moments and their ratios are kept above this.
_TINY = 1e-300
#: The sum of all |mu q| and x up to which the rate is computed without adding anything to 1.
_FAINT = 0.05
#: Sums of weights that differ from 1 by less do so by rounding; what rounding does to a sum of terms, relative to them.
_ROUNDED, _ROUNDING = 1e-14, 4.0 * np.finfo(float).eps
#: Probes near the means, and as many of all sizes; how far out near and far ones go.
_PROBES, _NEAR, _FAR = 40, 1.5, 100.0
#: How far out a message is sought at its largest where sites at ``_FAR`` have no fixed point.
_LESS_FAR = 20.0
#: Draws of the frozen variables by which it is told whether there is a zero state.
_DRAWS = 200
#: Shares that would grow beyond 1 stay here: 1 is in a hole of the spectrum, and values are extrapolated to it linearly.
FULL, _NEARLY_ONE = 1.0 - 1e-6, 0.9
#: A step takes a share at most this part of the way to 1, beyond which gains of matrices that are not independent do not exist,
#: and a multiplier of lengths to zero.
_TO_ONE = 0.8
#: Fields narrower than this part of the length over which messages change make no steps of those in others.
_CALM = 0.125


@result("saddle_point")
@dataclass(frozen=True)
class Point:
    """Arguments of the functional: moments q and multipliers mu of the fed messages, shares x of groups of columns, and tau.

    ``spread``, (V,) or None: variances of the fields under the tilted law nearby, over the Gaussian's; quadrature goes by them.
    ``nu``, (J,): multipliers of the lengths of images, one for each sphere that they lie on, over 1/(2 a^2 q); none for independent
    entries.
    """

    q: np.ndarray
    mu: np.ndarray
    x: np.ndarray
    tau: np.ndarray
    spread: np.ndarray | None = None
    nu: np.ndarray = field(default_factory=lambda: np.zeros(0))

    as_dict = dict_of


@dataclass(frozen=True)
class Evaluation:
    """The functional at a point with its gradient and Hessian by (q, mu, log x, tau, nu).

    Attributes
    ----------
    value, log_z : float
    rounding : float, what rounding alone may move the value by
    gradient : (v,) array
    hessian : (v, v) array
    moments : (A,) array, E m^2 of the fed messages under the tilted law
    usage : (X,) array, what x is at a stationary point
    cost, cost_slope : (X,) arrays, first and second derivatives of Psi by log x: x itself for independent entries
    spread : (V,) array, variances of the variables under the tilted law over the Gaussian's
    tol : float, quadrature tolerance that the grid was made for
    nodes : int
    """

    value: float
    log_z: float
    rounding: float
    gradient: np.ndarray
    hessian: np.ndarray
    moments: np.ndarray
    usage: np.ndarray
    cost: np.ndarray
    cost_slope: np.ndarray
    spread: np.ndarray
    tol: float
    nodes: int


class ComplexityFunctional:
    """The complexity functional [T7, T10] of an ensemble, derived from its cell and its laws of matrices.

    Attributes
    ----------
    fed : tuple of int, the messages that matter: those that loop back to themselves, and all that feed them
    looping : tuple of int
    lead : int, position in ``fed`` of the message whose moment measures the amplitude of a fixed point
    variables : tuple of int, the fields (and site parameters, counted on from K) that messages or determinant depend on
    blocks : list of Block, one a loop
    spheres : tuple of Sphere, what is known of the lengths of images
    n_x, n_tau, n_nu : int, how many shares, tau and nu there are
    """

    def __init__(self, ensemble: Ensemble) -> None:
        self.ensemble, self.cell = ensemble, ensemble.cell
        cell, self.laws = self.cell, tuple(ensemble.matrices.values())
        self.K, self.n = cell.n_fields, cell.n_messages
        # rates depend on gains by their squares: what is below rounding would only make the equations singular. The determinant's
        # zeros lie half as far from the real axis as the poles of the messages
        self.random = RandomFields(ensemble, negligible=_NO_GAIN, strip=0.5)
        self.means, self.gain2, self.frozen = self.random.means, self.random.gain2, self.random.frozen
        self.parameter_std, self.listens = self.random.parameter_std, self.random.listens
        self.shapes = self.random.shapes
        self._find_structure()

    # --- structure

    def _probe(self, flip=None):
        """(messages, W) at random sites, half of them near the means, half with fields of all sizes; nan where they overflow."""
        rng = np.random.default_rng(0)
        std = np.concatenate([np.full(self.K, _NEAR), self.parameter_std])[:, None]
        offsets = std * rng.standard_normal((self.means.size, 2 * _PROBES))
        # far out what cancels identically is lost in rounding, unless a closed form has cancelled it beforehand
        offsets[: self.K, _PROBES:] = scattered(self.K, _PROBES, rng, _NEAR if not self.cell.has_closed_form else _FAR)
        values = self.means[:, None] + offsets
        if flip is not None:
            values[flip] *= -1.0
        with np.errstate(all="ignore"):
            m, W = self.cell.compiled.response(values[: self.K], values[self.K :])
        n = values.shape[1]
        return np.array([np.broadcast_to(v, n) for v in m]), np.array([[np.broadcast_to(v, n) for v in row] for row in W])

    def _find_structure(self):
        m, W = self._probe()
        # (n, K): whether a field enters a message
        self.acts = acts = np.abs(np.where(np.isfinite(W), W, 0.0)).max(axis=2) > _SILENT
        driven = self.gain2 > 0
        feeds = np.zeros((self.n, self.n), dtype=bool)
        for l in np.flatnonzero(driven):
            feeds[:, self.listens[l]] |= acts[:, l]
        reach = reachable(feeds)
        self.looping = tuple(k for k in range(self.n) if reach[k, k])
        self.fed = tuple(k for k in range(self.n) if reach[k, k] or any(reach[j, k] for j in self.looping))
        relevant = acts[list(self.fed)].any(axis=0) & (driven | (self.frozen > 0))
        random = np.flatnonzero(self.parameter_std > 0)
        self.variables = tuple(np.flatnonzero(relevant).tolist()) + tuple((self.K + random).tolist())
        # fields that carry a message, as (field, position of that message in fed)
        self.carriers = [(l, self.fed.index(self.listens[l])) for l in np.flatnonzero(relevant & driven)]
        self.blocks, self.n_x, self.n_tau = [], 0, 0
        for members in loops(reach):
            block = self._block(members, driven)
            self.blocks.append(block)
            self.n_x, self.n_tau = self.n_x + len(block.groups), self.n_tau + len(members) - 1
        #: shares of these groups may not exceed 1
        self.limited = np.array([not group.constant for block in self.blocks for group in block.groups], dtype=bool)
        self.spheres = spheres([l for l, _ in self.carriers], self.listens, self.laws)
        self.n_nu = len(self.spheres)
        self.lead = self._choose_lead(feeds) if self.looping else 0
        self.slopes = self._slopes()
        self.even = frozenset(v for v in self.variables if self.means[v] == 0.0 and self._is_even(v, m, W))

    def _slopes(self):
        """(A, V) derivatives of the fed messages by all variables at their means; fields only, where messages vanish there."""
        at_means = self.means[:, None]
        m, W = self.cell.compiled.response(at_means[: self.K], at_means[self.K :])
        out = np.zeros((len(self.fed), self.means.size))
        for i, k in enumerate(self.fed):
            if abs(float(np.squeeze(m[k]))) < 1e-12:
                out[i, : self.K] = [float(np.squeeze(entry)) for entry in W[k]]
        return out

    def _is_even(self, v, m, W):
        """Whether all squares that enter are even in a variable of mean zero: half of its nodes are enough then."""
        m_flip, W_flip = self._probe(flip=v)
        pairs = [(m[k], m_flip[k]) for k in self.fed]
        for rows, columns in (one for block in self.blocks for group in block.keys for one in group):
            pairs.append((minor(W, rows, columns), minor(W_flip, rows, columns)))
        with np.errstate(all="ignore"):
            return all(np.allclose(np.square(a), np.square(b), rtol=1e-12, atol=1e-15, equal_nan=True) for a, b in pairs)

    def _block(self, members, driven):
        """The Block of a loop, after those that stand already."""
        columns = [l for l in np.flatnonzero(driven) if self.listens[l] in members and self.acts[list(members), l].any()]
        groups = column_groups(members, columns, self.listens, self.laws)
        return Block.of_loop(members, groups, self.acts, self.n_x, self.n_tau)

    def _choose_lead(self, feeds):
        """A message without which nothing loops, so that its moment sets all others; the first one where there is none."""
        messages = self.blocks[0].messages
        message = indispensable(messages, feeds)
        return self.fed.index(messages[0] if message is None else message)

    # --- laws and grids

    def law(self, point: Point) -> FieldLaw:
        """The FieldLaw of all fields and site parameters at moments and multipliers of a Point (batch of one)."""
        full = np.zeros(self.n)
        full[list(self.fed)] = point.q
        return self.random.law(full, self.widths(point))

    def widths(self, point: Point) -> np.ndarray:
        """(K,) 1/nu of each field: by what the variance that comes through its matrix is multiplied, 1 but on spheres."""
        out = np.ones(self.K)
        for sphere, nu in zip(self.spheres, point.nu):
            out[list(sphere.fields)] = 1.0 / nu
        return out

    def grid(
        self, point: Point, tol: float, max_nodes: int, refine: float = 1.0
    ) -> tuple[FieldLaw, list[np.ndarray], list[np.ndarray], float]:
        """Nodes and weights of the Gaussian law for integrands as wide as the tilted one: (law, values, weights, tol).

        ``tol`` is raised until the tensor grid has at most ``max_nodes`` nodes; ``refine`` divides all steps.
        """
        law = self.law(point)
        stds = law.stds[0]
        spread = np.ones(stds.size) if point.spread is None else np.clip(point.spread, 0.005, 9.0)
        small = self._small_spread(point, stds)
        most = max_nodes * (_EXCESS if len(self.variables) <= 2 else _LEAST_EXCESS)
        narrow = {v: stds[v] < _CALM * self.shapes[v].length for v in self.variables}
        calm = {v: all(narrow[u] for u in self.variables if u != v) for v in self.variables}
        while True:
            rules = [self._rule(v, stds[v], spread[v], small[v], calm[v], tol, refine) for v in self.variables]
            size = np.prod([w.size for _, w in rules], dtype=float)
            if size <= max_nodes or tol >= (_LOOSE if size < most else _LOOSEST):
                break
            # the number of nodes grows like a power of the digits
            digits = -np.log(tol) * (0.98 * max_nodes / size) ** (1.0 / len(rules))
            # not past the loose tolerance before it is known whether that one is affordable
            tol = min(max(np.exp(-digits), 1.5 * tol), _LOOSEST if tol >= _LOOSE else _LOOSE)
        values = [y.reshape([-1 if i == axis else 1 for i in range(len(rules))]) for axis, (y, _) in enumerate(rules)]
        return law, values, [w for _, w in rules], tol

    def _small_spread(self, point, stds):
        """Variances under the tilted law over those of the Gaussian, of fields so small that messages are linear in them."""
        scaled = self.slopes * stds
        precision = np.eye(stds.size) - 2.0 * np.einsum("k,kv,kw->vw", point.mu, scaled, scaled)
        if not np.isfinite(precision).all() or np.linalg.eigvalsh(precision).min() < 0.05:
            return np.full(stds.size, np.nan)
        return np.diag(np.linalg.inv(precision))

    def _rule(self, v, std, spread, small, calm, tol, refine):
        """Nodes and weights for one variable; ``calm``: no other variable is so broad that it makes steps of this one's."""
        mean = self.means[v]
        if std == 0.0:
            return np.array([mean]), np.ones(1)
        shape = self.shapes[v]
        if calm and shape.centre is not None:
            shape = replace(shape, strip=0.5 * shape.strip, centre=None)
        few, even = 0, v in self.even
        if small > 0.0 and shape.trapezoidal:
            a = shape.strip / (std * max(1.0, np.sqrt(small)))
            few = int(np.ceil(refine * (7.0 + 0.5 * ((np.log(1.0 / tol) + 4.0) / (2.0 * a)) ** 2)))
        if 0 < few < _HERMITE_NODES and a > _DEEP:
            # deep in the strip of analyticity Gauss-Hermite, for the law as wide as the tilted one, beats the trapezoidal rule
            x, w = _gauss_hermite(few)
            y = mean + std * np.sqrt(small) * x
            w = w * np.sqrt(small) * np.exp(-0.5 * x**2 * (small - 1.0))
            return folded(y, w) if even else (y, w)
        wide = std * np.sqrt(max(spread, 1.0))
        # a narrower law needs a finer step, but its tails may still be the Gaussian's
        fine = refine * np.sqrt(max(spread, 1.0 / spread))
        y, w = (a[0] for a in gaussian_rule(mean, [wide], tol, shape, fine, even))
        if wide > std:
            w = w * np.sqrt(spread) * np.exp(-0.5 * ((y - mean) / wide) ** 2 * (spread - 1.0))
        return y, w

    def arguments(self, values: Sequence[np.ndarray]) -> tuple[list, list]:
        """(fields, site parameters), all of them, from one array for each of ``variables``; the others stand at their means."""
        full = list(self.means)
        for v, array in zip(self.variables, values):
            full[v] = array
        return full[: self.K], full[self.K :]

    def _chunks(self, shape):
        size = int(np.prod(shape)) if shape else 1
        rows = max(1, int(_CHUNK / (size / shape[0]))) if shape else 1
        for start in range(0, shape[0] if shape else 1, rows):
            yield slice(start, start + rows)

    def site_terms(self, values: Sequence[np.ndarray]) -> tuple[list, list[list]]:
        """Squares of the fed messages, and the coefficients of each block's monomials, at sites.

        ``values``: one array for each of ``variables``, of shapes that broadcast. Returns lists of arrays that broadcast.
        """
        m, W = self.cell.compiled.response(*self.arguments(values))
        squares = [np.square(m[k]) for k in self.fed]
        return squares, [self._coefficients(block, W) for block in self.blocks]

    def _coefficients(self, block, W):
        out = []
        for group in block.keys:
            total = 0.0
            for rows, columns in group:
                total = total + np.prod(self.gain2[list(columns)]) * np.square(minor(W, rows, columns, self.acts))
            out.append(total)
        return out

    def _local(self, point):
        """The LocalTerms of each block."""
        return [b.at(point.x[b.own], point.tau[b.own_tau]) for b in self.blocks]

    def totals(self, point: Point) -> dict[int, float]:
        """{message: sum of the shares of its columns}, of the looping messages."""
        return {k: float(point.x[b.own][b.owner == i].sum()) for b in self.blocks for i, k in enumerate(b.messages)}

    def within(self, x: np.ndarray, before: np.ndarray) -> np.ndarray:
        """Shares after a step from ``before``, kept below 1 where they may not exceed it."""
        limit = np.where(before > _NEARLY_ONE, FULL, before + _TO_ONE * (1.0 - before))
        return np.where(self.limited, np.minimum(x, limit), x)

    def positive(self, nu: np.ndarray, before: np.ndarray) -> np.ndarray:
        """Multipliers of lengths after a step from ``before``, kept from going too far towards zero."""
        return np.maximum(nu, (1.0 - _TO_ONE) * before)

    def tilt(self, values: Sequence[np.ndarray], point: Point) -> np.ndarray:
        """exp(mu . m^2) sqrt(D), the factor by which a typical fixed point favours sites over the Gaussian law of the fields."""
        squares, coefficients = self.site_terms(values)
        exponent = sum(mu * s for mu, s in zip(point.mu, squares))
        out = np.exp(exponent)
        for local, terms in zip(self._local(point), coefficients):
            out = out * np.sqrt(1.0 + sum(f * c for f, c in zip(local.scale, terms)))
        return out

    def favour(self, values: Sequence[np.ndarray], point: Point) -> np.ndarray:
        """The tilt over the Gaussian law of fields at the moments of a point, up to a factor: spheres narrow or widen it."""
        out, law, plain = self.tilt(values, point), self.law(point).stds[0], self.law(replace(point, nu=np.ones(self.n_nu))).stds[0]
        for l in (l for sphere in self.spheres for l in sphere.fields):
            distance = np.square(values[self.variables.index(l)] - self.means[l])
            out = out * np.exp(-0.5 * distance * (1.0 / law[l] ** 2 - 1.0 / plain[l] ** 2))
        return out

    def plain(self, q: np.ndarray) -> Point:
        """The Point with these moments where nothing is tilted."""
        return Point(q, np.zeros(q.size), np.zeros(self.n_x), np.zeros(self.n_tau), nu=np.ones(self.n_nu))

    def moments(self, q: np.ndarray, max_nodes: int = 3000) -> np.ndarray:
        """E m^2 of the fed messages under the Gaussian law alone, with the moments ``q``: one step of the mean-field map."""
        _, values, weights, _ = self.grid(self.plain(q), 1e-10, max_nodes)
        squares, _ = self.site_terms(values)
        return np.array([_average(np.broadcast_to(s, [w.size for w in weights]), weights) for s in squares])

    def completed(self, lead_moment: float) -> tuple[np.ndarray, float]:
        """(moments, mismatch): the others are those of the mean-field map at this moment of the leading message.

        ``mismatch`` is the logarithm of the factor by which the map changes the leading one: 0 at a mean-field fixed point.
        """
        q = np.full(len(self.fed), 0.5 * self.top)
        q[self.lead] = lead_moment
        ratio = 1.0
        for _ in range(len(q) + (0 if len(q) < 3 else 5)):
            new = self.moments(q, 1000)
            ratio = new[self.lead] / lead_moment
            new[self.lead] = lead_moment
            q = np.maximum(new, _TINY)
        return q, float(np.log(max(ratio, _TINY)))

    def perron_point(self, point: Point, max_nodes: int = 3000) -> Point:
        """A Point to start from with these moments and multipliers: x and tau along Perron vectors of T(1) [T3]."""
        out = replace(point, x=np.full(self.n_x, 0.5), tau=np.zeros(self.n_tau))
        for block, by_group in zip(self.blocks, self._loops(point, max_nodes)):
            if len(block.groups) == 1:
                continue
            n = len(block.messages)
            x, tau = perron_start(by_group @ (block.owner[:, None] == np.arange(n)))
            # columns are used as their sources are: left Perron vector
            left = np.sqrt(x[0]) * np.exp(-gauge(n) @ tau[0])
            share = left @ by_group[0]
            total = np.bincount(block.owner, share, n)[block.owner]
            out.x[block.own] = 0.5 * x[0][block.owner] * share / total
            out.tau[block.own_tau] = tau[0]
        return out

    def loop_strength(self, point: Point, max_nodes: int = 3000) -> float:
        """Largest Perron eigenvalue of T(1) [T3] over the blocks, where nothing but ``point.mu`` tilts the law of the fields.

        Above 1 the determinant of such sites counts.
        """
        return max(
            float(spectral_radius(by_group @ (block.owner[:, None] == np.arange(len(block.messages))))[0])
            for block, by_group in zip(self.blocks, self._loops(point, max_nodes))
        )

    def _loops(self, point, max_nodes):
        """T(1) [T3] of each block, its columns by groups, under the law tilted by the multipliers alone, (1, n, G) each."""
        _, values, weights, _ = self.grid(point, 1e-10, max_nodes)
        squares, coefficients = self.site_terms(values)
        shape = [w.size for w in weights]
        exponent = sum(mu * s for mu, s in zip(point.mu, squares))
        tilt = np.exp(exponent - np.max(exponent))
        norm = _average(np.broadcast_to(tilt, shape), weights)
        for block, terms in zip(self.blocks, coefficients):
            T = np.zeros((1, len(block.messages), len(block.groups)))
            for minors, used, c in zip(block.keys, block.columns, terms):
                if used.sum() == 1:
                    row = block.messages.index(minors[0][0][0])
                    T[0, row, int(used.argmax())] = _average(np.broadcast_to(c * tilt, shape), weights) / norm
            yield T

    # --- the functional

    def evaluate(
        self, point: Point, tol: float = 1e-13, max_nodes: int = 8_000_000, refine: float = 1.0, gaussian: bool = False
    ) -> Evaluation:
        """The functional and its derivatives at a Point; quadrature to ``tol``, or to what ``max_nodes`` nodes allow.

        With ``gaussian`` sites keep the Gaussian law of the fields: the value is then log|det| per unit of a random matrix with
        these sites, E log sqrt(D) - 1/2 sum Psi, and only derivatives by x and tau mean something.
        """
        law, values, weights, tol = self.grid(point, tol, max_nodes, refine)
        A, X, T, J = len(self.fed), self.n_x, self.n_tau, self.n_nu
        size = 2 * A + X + T + J
        drive = [*range(A), *range(size - J, size)]  # what widths of fields depend on: moments, and multipliers of lengths
        locals_ = self._local(point)
        constraint, curvature = self._constraint_terms(law, values, point)
        shape = tuple(w.size for w in weights)
        n_nodes = int(np.prod(shape))
        # the rate of fixed points with small amplitude is a small difference of small terms: none of them is added to 1
        faint = np.abs(point.mu * point.q).sum() + sum(local.penalty for local in locals_) + np.abs(point.nu - 1.0).sum() < _FAINT
        logarithmic = gaussian or faint
        total, excess, weight, pull = 0.0, 0.0, 0.0, np.zeros(A + J)
        first, second = np.zeros(size), np.zeros((size, size))
        explicit, usage = np.zeros((X + T, X + T)), np.zeros(X)
        bend, log_det, spread = np.zeros((A + J, A + J)), 0.0, np.ones(self.means.size)
        width = {l: 0.0 for l, _ in self.carriers}
        for cut in self._chunks(shape):
            here = [v[cut] if i == 0 else v for i, v in enumerate(values)]
            extent = np.broadcast_shapes(*(v.shape for v in here)) if here else ()
            squares, coefficients = self.site_terms(here)
            exponent = 0.0 if gaussian else sum(mu * s for mu, s in zip(point.mu, squares))
            stats = np.zeros((size, *extent))
            for k, s in enumerate(squares):
                stats[A + k] = s
            for k, pieces in zip(drive, constraint):
                for axis, piece in pieces:
                    stats[k] += piece[cut] if axis == 0 else piece
            pending, D_all = [], 1.0
            for block, local, terms in zip(self.blocks, locals_, coefficients):
                pi = [f * c for f, c in zip(local.scale, terms)]
                beyond = sum(pi)
                D = 1.0 + beyond
                if logarithmic:
                    exponent = exponent + 0.5 * np.log1p(beyond)
                else:
                    D_all = D_all * D
                where = np.r_[2 * A : 2 * A + X + T][self._positions(block)]
                for column, u in zip(where, local.slopes.T):
                    stats[column] = 0.5 * sum(e * p for e, p in zip(u, pi) if e != 0.0) / D
                pending.append((block, local, pi, D))
            plain = np.ones([1] * len(weights))
            for axis, w in enumerate(weights):
                piece = w[cut] if axis == 0 else w
                plain = plain * piece.reshape([-1 if i == axis else 1 for i in range(len(weights))])
            plain, exponent = plain.ravel(), np.broadcast_to(exponent, extent).ravel()
            if gaussian:
                rho, log_det = plain, log_det + float(exponent @ plain)
            elif faint:
                extra = plain * np.expm1(exponent)
                rho, excess = plain + extra, excess + extra.sum()
                pull += stats.reshape(size, -1)[drive] @ extra  # under the plain law these average to zero
            else:
                rho = plain * (np.exp(exponent) * np.broadcast_to(np.sqrt(D_all), extent).ravel())
            flat = stats.reshape(size, -1)
            total, weight = total + rho.sum(), weight + plain.sum()
            first += flat @ rho
            second += (flat * rho) @ flat.T
            for block, local, pi, D in pending:
                share = np.array([np.broadcast_to(p / D, extent).ravel() @ rho for p in pi])
                own, u = self._positions(block), local.slopes
                explicit[np.ix_(own, own)] += 0.5 * np.einsum("m,mi,mj->ij", share, u, u)
                shares = own[: len(block.groups)]
                explicit[np.ix_(shares, shares)] += 0.5 * np.einsum("m,mij->ij", share, local.bends)
                usage[shares] += share @ local.uses
            for l in width:
                axis = self.variables.index(l)
                width[l] += float(np.broadcast_to((here[axis] - self.means[l]) ** 2, extent).ravel() @ rho)
            for (j, k), pieces in curvature.items():
                for axis, piece in pieces:
                    moved = piece[cut] if axis == 0 else piece
                    bend[j, k] += np.broadcast_to(moved, extent).ravel() @ rho
        # weights that do not add up to 1 are made for the tilted law and say less about the plain one
        faint = faint and abs(weight - 1.0) < _ROUNDED
        if faint:
            first[drive] = pull
        first, second, explicit, bend, usage = first / total, second / total, explicit / total, bend / total, usage / total
        for l, square in width.items():
            spread[l] = square / total / law.stds[0, l] ** 2
        q, mu = point.q, point.mu
        penalty = sum(local.penalty for local in locals_)
        cost, cost_slope = (np.concatenate([getattr(local, name) for local in locals_]) for name in ("cost", "cost_slope"))
        lengths = np.array([s.penalty(nu) for s, nu in zip(self.spheres, point.nu)]).reshape(-1, 3).T
        log_z = float(np.log1p(excess) if faint else np.log(total))
        parts = float(np.abs(mu * q).sum() + 0.5 * penalty + (abs(log_z) if faint else 0.0 if gaussian else 1.0))
        value = float(log_det / total - 0.5 * penalty if gaussian else log_z - mu @ q - 0.5 * penalty + lengths[0].sum())
        gradient = first.copy()
        gradient[:A] -= mu
        gradient[A : 2 * A] -= q
        gradient[2 * A : 2 * A + X] -= 0.5 * cost
        gradient[size - J :] += lengths[1]
        hessian = np.zeros_like(second) if gaussian else second - np.outer(first, first)
        hessian[np.ix_(drive, drive)] += bend
        hessian[range(size - J, size), range(size - J, size)] += lengths[2]
        hessian[range(A), range(A, 2 * A)] -= 1.0
        hessian[range(A, 2 * A), range(A)] -= 1.0
        tail = slice(2 * A, 2 * A + X + T)
        own = np.zeros_like(explicit)  # E of products of site averages: what the sites' own covariance lacks
        for block in self.blocks:
            where = np.ix_(*[self._positions(block)] * 2)
            own[where] = 2.0 * second[tail, tail][where]
        hessian[tail, tail] += explicit - own
        hessian[range(2 * A, 2 * A + X), range(2 * A, 2 * A + X)] -= 0.5 * cost_slope
        return Evaluation(
            value,
            log_z,
            _ROUNDING * parts,
            gradient,
            hessian,
            first[A : 2 * A],
            usage,
            cost,
            cost_slope,
            spread,
            tol,
            n_nodes,
        )

    def _positions(self, block):
        """Where the unknowns of a block stand among all shares and tau."""
        return np.r_[: self.n_x + self.n_tau][np.r_[block.own, self.n_x + block.own_tau.start : self.n_x + block.own_tau.stop]]

    def _constraint_terms(self, law, values, point):
        """Derivatives of log Normal by each moment and nu, sums of functions of one field [(axis, array), ...].

        Returns a list of the first, and a dict of the second derivatives, by pairs of positions in it.
        """
        A, widths = len(self.fed), self.widths(point)
        spheres = {l: A + j for j, sphere in enumerate(self.spheres) for l in sphere.fields}
        first: list[list] = [[] for _ in range(A + self.n_nu)]
        second: dict[tuple[int, int], list] = {}
        for l, k in self.carriers:
            axis = self.variables.index(l)
            v = float(law.stds[0, l]) ** 2
            d2 = (values[axis] - self.means[l]) ** 2
            slope, bend = 0.5 * (d2 / v - 1.0) / v, (0.5 - d2 / v) / v**2  # of log Normal by its variance
            w, a2 = widths[l], self.gain2[l]
            moves = {k: w * a2}  # first derivatives of the variance, and second ones
            bends = {(k, k): 0.0}
            if l in spheres:
                j = spheres[l]
                moves[j] = -(w**2) * a2 * point.q[k]
                bends |= {(k, j): -(w**2) * a2, (j, k): -(w**2) * a2, (j, j): 2.0 * w**3 * a2 * point.q[k]}
            for i, move in moves.items():
                first[i].append((axis, move * slope))
                for j, other in moves.items():
                    second.setdefault((i, j), []).append((axis, move * other * bend + bends[i, j] * slope))
        return first, second

    # --- sites

    def sites(
        self,
        point: Point,
        tol: float,
        max_nodes: int,
        source: str,
        leak_nodes: int = 1,
        leaks: Sequence[float] = (),
        refine: Sequence[float] = (),
    ) -> Sites:
        """The tilted law as a population of sites, all fields included; as FixedPoint.sites_at.

        Fields outside the functional keep their Gaussian law: they are independent of the others.
        """
        law, share = self.law_of_all(point), self.random.share(self.all_moments(point), self.widths(point))

        def tilt(values):
            return self.tilt([values[v] for v in self.variables], point)

        return population(
            self.ensemble, law, tol, max_nodes, source, leak_nodes=leak_nodes, leaks=leaks, refine=refine, tilt=tilt, share=share
        )

    def law_of_all(self, point: Point) -> FieldLaw:
        """The FieldLaw with the moments of messages that feed nothing back filled in: they drive fields that spectra see."""
        return self.random.law(self.all_moments(point), self.widths(point))

    def all_moments(self, point: Point) -> np.ndarray:
        """(n,) second moments of all messages: the fed ones of ``point``, the others averaged over its tilted law."""
        q = np.zeros(self.n)
        q[list(self.fed)] = point.q
        rest = [k for k in range(self.n) if k not in self.fed]
        if not rest:
            return q
        # the others do not loop: a few rounds settle them, each adding the fields that the last one drives
        everything = tuple(range(self.means.size))
        for _ in rest:
            law = self.random.law(q, self.widths(point))
            tol = law.affordable(everything, 1e-12, (), 300_000)
            values, weights, _ = law.grid(everything, tol, (), np.inf)
            local, w = [v[0] for v in values], [u[0] for u in weights]
            shape = tuple(u.size for u in w)
            tilt = np.broadcast_to(self.tilt([local[v] for v in self.variables], point), shape)
            m, _ = self.cell.compiled.response(local[: self.K], local[self.K :])
            norm = _average(tilt, w)
            for k in rest:
                q[k] = _average(np.square(m[k]) * tilt, w) / norm
        return q

    @cached_property
    def top(self) -> float:
        """The largest second moment that the leading message can have, site parameters within two standard deviations."""
        compiled, message = self.cell.compiled, self.fed[self.lead]

        def square(values):
            full = self.arguments([a if v < self.K else self._parameter_near(v, a) for v, a in zip(self.variables, values)])
            return np.square(compiled.messages(compiled.fixed_state(*full), *full)[message])

        try:
            return largest(square, len(self.variables), _FAR)
        except ConvergenceError:  # sites far out may have no fixed point
            return largest(square, len(self.variables), _LESS_FAR)

    def _parameter_near(self, v, deviations):
        return self.means[v] + self.parameter_std[v - self.K] * np.clip(deviations, -2.0, 2.0)

    @cached_property
    def has_zero_state(self) -> bool:
        """Whether all fed messages vanish whatever the frozen variables: then that is a fixed point of every network."""
        frozen = np.concatenate([np.sqrt(self.frozen), self.parameter_std])
        draws = np.random.default_rng(0).standard_normal((self.means.size, _DRAWS))
        at = [frozen[v] * draws[v] + self.means[v] for v in self.variables]
        return all(np.abs(s).max() < 1e-24 for s in self.site_terms(at)[0])

    @cached_property
    def mean_field(self) -> tuple[np.ndarray, ...]:
        """(A,) moments of the fed messages at each mean-field fixed point but the zero state; none where those do not converge."""
        try:
            found = fixed_points(self.ensemble)
        except ConvergenceError:
            return ()
        return tuple(np.maximum(p.q[list(self.fed)], _TINY) for p in found if not p.is_zero)

    @cached_property
    def dimension(self) -> int:
        """The number of variables that the site integral runs over."""
        return len(self.variables)


@lru_cache(maxsize=64)
def _gauss_hermite(n):
    x, w = np.polynomial.hermite_e.hermegauss(n)
    return x, w / w.sum()


def _average(values, weights):
    for w in reversed(weights):
        values = values @ w
    return float(values)
