"""Mean-field fixed points of random gated networks, their onset, fold and tricritical point [T5].

At a fixed point the fields are independent Gaussians, y_k ~ N(b_k, a_k^2 q_m(k) + beta_k^2 + input), where q_m is the second
moment of the message that field k listens to. The loop closes in the moments: q = R(q), one number per distinct message.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..ensemble.ensemble import Ensemble, signed
from ..ensemble.sites import FieldLaw, Sites
from ..errors import CapabilityError, ConvergenceError, NoCriticalValue
from ..results.encoding import require, result
from ..support.checks import real
from ..support.roots import smooth_extremum, smooth_roots

__all__ = ["FixedPoint", "Critical", "fixed_points", "onset", "fold", "tricritical", "zero_state", "MomentMap"]


class MomentMap:
    """R(q): the second moments of the messages when the fields have the variances that the moments q give them [T5].

    Each square is averaged factor by factor over the few fields it depends on. ``scalar(x)`` reduces q = R(q) to one
    equation in one moment x by solving for the others (explicitly where the messages feed one another without a loop).
    """

    def __init__(self, ensemble):
        cell = ensemble.cell
        self.ensemble, self.cell = ensemble, cell
        compiled = cell.compiled
        n_parameters = len(cell.parameters)
        self.means = np.concatenate([ensemble.array("bias"), ensemble.array("parameter")])
        self.gain2 = ensemble.array("gain") ** 2
        self.frozen = ensemble.frozen_variance
        self.parameter_std = ensemble.array("parameter_std")
        self.strips = compiled.strips + (np.pi / 2,) * n_parameters
        self.stiff = compiled.stiff_fields + (False,) * n_parameters
        self.factors = compiled.moment_factors
        self.listens = np.array(cell.message_of)
        self.n = cell.n_messages
        dimension = max(len(f.variables) for products in self.factors for factors in products for f in factors)
        #: blocks of a scan: a batch shares the nodes of its widest member, which costs less than a second call for one field alone
        self.blocks = {1: 1, 2: 2}.get(dimension, 6)
        # averages over three and more fields at once (LSTM) are scanned coarsely first and carry a digit or two less
        self.fine, self.series_tol, self.scan_tol = (1e-13, 1e-13, 1e-9) if dimension <= 2 else (1e-11, 1e-6, 1e-4)
        if cell.closed_form is None:  # every average is over all variables at once, and every node a root search
            self.fine, self.series_tol, self.scan_tol = 1e-10, 1e-6, 1e-3
        self.inputs = []
        for products in self.factors:
            used = {v for factors in products for factor in factors for v in factor.variables if v < cell.n_fields}
            self.inputs.append({cell.message_of[v] for v in used if self.gain2[v] > 0})
        self.loop = self._loop_set()
        self.order = [k for k in self._topological() if k not in self.loop]

    def law(self, q):
        """The FieldLaw for a batch of moments q (B, n)."""
        q = np.atleast_2d(q)
        variance = self.gain2 * q[:, self.listens] + self.frozen
        parameters = np.broadcast_to(self.parameter_std, (q.shape[0], self.parameter_std.size))
        return FieldLaw(self.means, np.concatenate([np.sqrt(variance), parameters], axis=1), self.strips, self.stiff)

    def moment(self, k, q, tol):
        """R_k for a batch q (B, n): (B,)."""
        value, reached = self.law(q).mean_of_products(self.cell, self.factors[k], tol)
        self.reached = max(getattr(self, "reached", 0.0), reached)
        return np.broadcast_to(value, (np.atleast_2d(q).shape[0],))

    def __call__(self, q, tol):
        """R(q) for a batch (B, n): (B, n)."""
        return np.stack([self.moment(k, q, tol) for k in range(self.n)], axis=1)

    # --- reduction to one unknown

    def _loop_set(self):
        from itertools import combinations

        for size in range(self.n + 1):
            for chosen in combinations(range(self.n), size):
                if self._acyclic_without(set(chosen)):
                    return list(chosen)
        raise AssertionError("unreachable: removing every message leaves no loop")

    def _acyclic_without(self, removed):
        left = set(range(self.n)) - removed
        while left:
            free = {k for k in left if not (self.inputs[k] & left)}
            if not free:
                return False
            left -= free
        return True

    def _topological(self):
        left, done = set(range(self.n)) - set(self.loop), []
        while left:
            free = sorted(k for k in left if not (self.inputs[k] & left))
            done += free
            left -= set(free)
        return done

    def complete(self, x, tol, start="small"):
        """All moments at given values x (B,) of the leading one; the others solved for."""
        q = np.zeros((x.size, self.n))
        if self.loop:
            q[:, self.loop[0]] = x
        rest = self.loop[1:]
        if rest:
            q[:, rest] = 1e-12 if start == "small" else 1e3
        for _ in range(2000 if rest else 1):
            for k in self.order:
                q[:, k] = self.moment(k, q, tol)
            if not rest:
                return q
            new = np.stack([self.moment(k, q, tol) for k in rest], axis=1)
            change = np.max(np.abs(new - q[:, rest]) / np.maximum(new, 1e-300))
            q[:, rest] = new
            if change < max(1e-14, 1e-2 * tol):
                return q
        raise ConvergenceError("the moments at fixed leading moment did not converge", estimate=q)

    def log_ratio(self, x, tol, start="small"):
        """G(x) = log(R(x)/x) of the leading moment: zero at a solution [T5]."""
        q = self.complete(x, tol, start)
        # without recurrence the map is zero: G is then very negative, but finite
        return np.log(np.maximum(self.moment(self.loop[0], q, tol), 1e-300)) - np.log(x)


@result("fixed_point")
@dataclass(frozen=True)
class FixedPoint:
    """A mean-field fixed point of an ensemble [T5].

    Attributes
    ----------
    ensemble : Ensemble
    moments : dict
        Second moment of each distinct message, keyed by its name ("h", "r*h", ...).
    residual : float
        Largest |R(q) - q| relative to q.
    error : float
        Estimated relative quadrature error of the moments (0 where there is nothing to integrate).
    status : str, "converged", "zero state", or by how much the estimated error exceeds the tolerance
    """

    ensemble: Ensemble
    moments: dict
    residual: float
    error: float
    status: str

    @cached_property
    def _map(self):
        return MomentMap(self.ensemble)

    @property
    def q(self):
        """(n,) moments in the order of ``cell.message_names``."""
        return np.array(list(self.moments.values()))

    @property
    def is_zero(self):
        """Whether this is the zero state: every message vanishes."""
        return not any(self.moments.values())

    @cached_property
    def law(self):
        """The Gaussian law of fields and site parameters (batch of one)."""
        return self._map.law(self.q)

    @property
    def field_mean(self):
        """{field: mean}."""
        return self.ensemble.bias

    @property
    def field_std(self):
        """{field: standard deviation over sites}."""
        return dict(zip(self.ensemble.cell.field_names, self.law.stds[0].tolist()))

    @cached_property
    def sites(self):
        """The population of sites by tensor quadrature, made for a tolerance of 1e-6 (see :meth:`sites_at`)."""
        return self.sites_at(1e-6)

    def sites_at(self, tol, max_nodes=400_000, fold=False, leak_nodes=1):
        """Sites (weights, state, fields) whose averages are accurate to about ``tol`` for smooth functions.

        Nodes that together weigh less than ``tol / 10`` are dropped.

        Parameters
        ----------
        tol : float in [1e-15, 0.1]
        max_nodes : int
            The population is kept to about this size by raising the tolerance; ``sites.tol`` is the one reached.
        fold : bool
            Keep one sign only, with doubled weight, of fields that enter spectra by their square alone.
        leak_nodes : int >= 1
            Multiplies the nodes of the fields that set the leak (less where ``max_nodes`` would be exceeded).

        Returns
        -------
        Sites, ``source`` "mean field"
        """
        tol = real("tol", tol, low=1e-15, high=0.1)
        cell, law = self.ensemble.cell, self.law
        variables, even = range(law.means.size), self.ensemble.cell.compiled.even_variables if fold else ()
        reached = law.affordable(variables, tol, even, 4 * max_nodes)
        values, rules, _ = law.grid(variables, reached, even, np.inf)
        if leak_nodes > 1:
            room = 4 * max_nodes / np.prod([w.shape[1] for w in rules], dtype=float)
            law = law.refined(cell.compiled.pole_variables, int(max(1, min(leak_nodes, room))))
            values, rules, _ = law.grid(variables, reached, even, np.inf)
        flat, weights = law.staggered(values, rules, cell.compiled.pole_variables)
        order = np.argsort(weights)
        light = np.cumsum(weights[order]) < 0.1 * reached
        keep = np.sort(order[~light])
        weights = weights[keep] / weights[keep].sum()
        flat = [v[keep] for v in flat]
        K = cell.n_fields
        state = [np.broadcast_to(s, keep.size) for s in cell.compiled.fixed_state(flat[:K], flat[K:])]
        parameters = np.array(flat[K:]).reshape(len(cell.parameters), keep.size)
        return Sites(
            cell, weights, np.array(state), np.array(flat[:K]), parameters, self.ensemble.array("gain"), "mean field", reached
        )

    def check(self):
        """ValueError where the moments do not satisfy the mean-field map."""
        names = self.ensemble.cell.message_names
        require(tuple(self.moments) == names, f"moments must be those of {list(names)}, got {list(self.moments)}")
        good = np.isfinite(self.q).all() and (self.q >= 0).all()
        require(good, f"moments must be finite and non-negative, got {self.moments}")
        again = self._map(self.q[None, :], self._map.fine)[0]
        some = self.q.any() or again.any()
        residual = float(np.max(np.abs(again - self.q) / np.maximum(again, 1e-300))) if some else 0.0
        # the map is evaluated as when it was saved: more than its rounding means that the numbers are not its solution
        good = residual <= max(1e-9, 10.0 * self.residual, 10.0 * self.error)
        require(good, f"moments {self.moments} are no fixed point of {self.ensemble!r}: relative residual {residual:.3g}")

    def __str__(self):
        shown = ", ".join(f"E({n})^2 = {v:.6g}" for n, v in self.moments.items())
        return f"{self.ensemble.cell.name} fixed point: {shown} ({self.status})"


def _require_bounded(cell):
    if not cell.compiled.bounded:
        raise CapabilityError(
            f"cell {cell.name!r} has messages that grow without bound with its fields (a ReLU candidate?): it has no bounded "
            "mean field. Networks, Jacobians and spectra of sampled sites work; for LiGRU the tanh form LiGRUTanh has a mean field"
        )


def _has_zero(moments):
    """Whether all messages vanish where no field varies but by its frozen spread; remembered, for sweeps over gains."""
    nothing = np.zeros((1, moments.n))
    known = moments.cell.compiled.zero_averages(moments.law(nothing))
    key = "zero state"  # beside the averages, whose keys are factors
    if key not in known:
        known[key] = not np.any(moments(nothing, 1e-3))
    return known[key]


def zero_state(ensemble):
    """The zero state as a FixedPoint, without looking for others; None where biases or inputs do not let every message vanish [T5].

    Parameters
    ----------
    ensemble : Ensemble
    """
    _require_bounded(ensemble.cell)
    moments = MomentMap(ensemble)
    return _finish(moments, np.zeros(moments.n), 1.0) if _has_zero(moments) else None


def fixed_points(ensemble, tol=1e-10):
    """All mean-field fixed points of an ensemble [T5], ascending in the second moment of the first message.

    The moments are reduced to one unknown x; G(x) = log(R(x)/x) is scanned over thirteen decades, and every sign change
    and every near-tangency is resolved by a Chebyshev interpolant whose roots are polished. Pairs closer than about 1e-7
    relative (an ensemble within 1e-14 of a fold) are not told apart. Where two or more moments form independent loops (none
    of the built-in cells) the inner ones are solved from below and from above, and both branches are scanned.

    Parameters
    ----------
    ensemble : Ensemble
    tol : float in (0, 1]
        Relative accuracy wanted of the moments. Reached for all built-in cells and gains up to 10; a status says so where
        the estimated quadrature error exceeds it.

    Returns
    -------
    list of FixedPoint, the zero state first where it exists

    Raises
    ------
    TypeError, ValueError : not an Ensemble, a tolerance out of range
    CapabilityError : the cell's messages are not bounded
    ConvergenceError : a root was bracketed but not polished
    """
    if not isinstance(ensemble, Ensemble):
        raise TypeError(f"ensemble must be an Ensemble, got {ensemble!r}")
    tol = real("tol", tol, low=0.0, high=1.0, open_low=True)
    _require_bounded(ensemble.cell)
    moments = MomentMap(ensemble)
    solutions = []
    if _has_zero(moments):
        solutions.append(np.zeros(moments.n))
    if not moments.loop:
        q = moments.complete(np.zeros(1), moments.fine)
        if q.any():
            solutions.append(q[0])
    else:
        for start in ("small", "large") if len(moments.loop) > 1 else ("small",):
            for x in _scalar_roots(moments, start):
                q = moments.complete(np.array([x]), moments.fine, start)[0]
                if not any(np.allclose(q, s, rtol=1e-9, atol=0) for s in solutions):
                    solutions.append(q)
    solutions.sort(key=lambda q: q[0])
    return [_finish(moments, q, tol) for q in solutions]


def _finish(moments, q, tol):
    names = moments.cell.message_names
    if not q.any():
        return FixedPoint(moments.ensemble, dict.fromkeys(names, 0.0), 0.0, 0.0, "zero state")
    batch = q[None, :]
    moments.reached = 0.0
    fine = moments(batch, moments.fine)[0]
    reached = max(moments.reached, moments.fine)
    coarse = moments(batch, reached**0.6)[0]
    # trapezoidal errors fall like exp(-A/step): a rule with 0.6 of the digits has the error's 0.6th power
    scale = np.maximum(fine, 1e-300)
    error = float(np.max((np.abs(coarse - fine) / scale) ** (1.0 / 0.6)))
    error = max(error, 4e-16)
    residual = float(np.max(np.abs(fine - q) / scale))
    if residual > max(1e-9, 10 * error):
        raise ConvergenceError(f"a mean-field fixed point of {moments.ensemble!r} has a residual of {residual:.3g}", estimate=q)
    status = "converged" if error <= tol else f"quadrature error {error:.1e} exceeds the tolerance {tol:.1e}"
    return FixedPoint(moments.ensemble, dict(zip(names, q.tolist())), residual, error, status)


def _scan(moments, start, tol):
    """Points x over thirteen decades, up to where the moments have stopped growing, and G there."""
    bottom = -13.0
    if not _has_zero(moments):  # solutions can then be as small as the moment that the biases alone give
        least = float(moments.moment(moments.loop[0], moments.complete(np.array([1e-300]), tol, start), tol)[0])
        bottom = min(-13.0, np.log10(least) - 1.0) if least > 1e-280 else -13.0
    low = np.logspace(bottom, -3, int(4 * (-3 - bottom)), endpoint=False)
    x = np.concatenate([low, np.logspace(-3, 0.0, 48)])
    G = np.concatenate([moments.log_ratio(part, tol, start) for part in np.array_split(x, moments.blocks)])
    while G[-1] >= 0.0:
        if x[-1] > 1e8:
            raise CapabilityError(f"the moments of cell {moments.cell.name!r} grow without bound: no bounded mean field")
        more = x[-1] * np.logspace(0.0, np.log10(4.0), 10)[1:]
        x, G = np.concatenate([x, more]), np.concatenate([G, moments.log_ratio(more, tol, start)])
    return x, G


def _scalar_roots(moments, start):
    """All zeros of G over thirteen decades."""
    scan_tol = moments.scan_tol
    x, G = _scan(moments, start, scan_tol)
    u = np.log(x)
    suspicious = []
    for i in range(1, x.size):
        if G[i - 1] * G[i] <= 0:
            suspicious.append((u[i - 1], u[i]))
    for i in range(1, x.size - 1):
        turning = (G[i] - G[i - 1]) * (G[i + 1] - G[i]) < 0
        if turning and abs(G[i]) < 4.0 * max(abs(G[i] - G[i - 1]), abs(G[i + 1] - G[i])) + 10 * scan_tol:
            suspicious.append((u[i - 1], u[i + 1]))
    roots = []
    for a, b in _merge(suspicious):
        pad = 1e-6 + moments.scan_tol
        roots += smooth_roots(
            lambda v: moments.log_ratio(np.exp(v), moments.series_tol, start),
            a - pad,
            b + pad,
            fine=lambda v: moments.log_ratio(np.exp(v), moments.fine, start),
        )
    return sorted(np.exp(roots))


def _merge(intervals):
    merged = []
    for a, b in sorted(intervals):
        if merged and a < merged[-1][1]:
            merged[-1][1] = max(b, merged[-1][1])
        else:
            merged.append([a, b])
    return merged


# --- critical values


@result("critical", fields=("value", "parameter", "moments", "discontinuous", "ensemble", "status"))
class Critical(float):
    """A critical value of a hyperparameter: a float that also carries how it was found.

    Attributes
    ----------
    parameter : str, the path of the hyperparameter
    moments : dict, moments of the messages at the transition (zeros at an onset)
    discontinuous : bool, whether the solutions that appear there have finite amplitude
    ensemble : Ensemble at the critical value
    status : str
    """

    def __new__(cls, value, parameter, moments, discontinuous, ensemble, status):
        self = super().__new__(cls, value)
        self.parameter, self.moments, self.discontinuous = parameter, moments, discontinuous
        self.ensemble, self.status = ensemble, status
        return self

    def __getnewargs__(self):
        return (float(self), self.parameter, self.moments, self.discontinuous, self.ensemble, self.status)

    @property
    def value(self):
        """The critical value as a plain float."""
        return float(self)

    def check(self):
        """ValueError where the ensemble is not that at the critical value."""
        found = self.ensemble.value(self.parameter)
        require(found == self.value, f"the ensemble has {self.parameter} = {found!r}, but the critical value is {self.value!r}")

    def __repr__(self):
        return f"{self.parameter} = {float(self)!r} ({self.status})"


class NoZeroState(CapabilityError):
    """Something was asked of a zero state that an ensemble does not have."""


def _linear_map(ensemble, second_order=True):
    """A_kn = dR_k/dq_n at the zero state, and the quadratic form B, averaged over frozen spreads [T5]."""
    cell = ensemble.cell
    moments = MomentMap(ensemble)
    if not _has_zero(moments):
        raise NoZeroState(
            f"{ensemble!r} has no zero state: some message does not vanish there (a bias of its field, or its spread)"
        )
    linear, quadratic = cell.compiled.expansion
    law = moments.law(np.zeros((1, moments.n)))
    cache = cell.compiled.zero_averages(law)

    def average(products):
        return float(np.sum(law.mean_of_products(cell, products, moments.fine, cache=cache)[0]))

    n, a2, listens = moments.n, moments.gain2, moments.listens
    A, B = np.zeros((n, n)), np.zeros((n, n, n))
    live = np.flatnonzero(a2 > 0)
    for k in range(n):
        for l in live:
            A[k, listens[l]] += a2[l] * average(linear[k][l])
            for m in live if second_order else ():
                B[k, listens[l], listens[m]] += a2[l] * a2[m] * average(quadratic[k][l][m])
    return A, B


def _alpha_beta(ensemble):
    """(alpha, beta) of R(D)/D = alpha + beta D + ..., D the moment of the first message, at the zero state [T5].

    alpha is the Perron value of A; beta = u.B(v, v)/(u.v) with its left and right vectors, v scaled to v_0 = 1.
    """
    A, B = _linear_map(ensemble)
    values, right = np.linalg.eig(A)
    i = int(np.argmax(values.real))
    left_values, left = np.linalg.eig(A.T)
    j = int(np.argmin(np.abs(left_values - values[i])))
    v, u = right[:, i].real, left[:, j].real
    if v[0] == 0 or u @ v == 0:
        return float(values[i].real), float("nan")
    v = v / v[0]
    return float(values[i].real), float(u @ np.einsum("kij,i,j->k", B, v, v) / (u @ v))


def _default_bounds(ensemble, parameter):
    ensemble.value(parameter)
    return (-30.0, 30.0) if signed(parameter) else (0.0, 100.0)


def _solve_for(function, ensemble, parameter, bounds, what, points=81):
    """The zero of a scalar function of an ensemble along one hyperparameter, the one nearest to its present value."""
    from scipy.optimize import brentq

    present = ensemble.value(parameter)
    low, high = _default_bounds(ensemble, parameter) if bounds is None else bounds
    low, high = real("bounds[0]", low), real("bounds[1]", high)
    if not low < high:
        raise ValueError(f"bounds must be increasing, got {bounds!r}")
    span = np.linspace(0.0, 1.0, points)
    grid = low + (high - low) * (span if signed(parameter) else span**3)

    def at(value):
        return function(ensemble.replace({parameter: float(value)}))

    values = np.array([at(v) for v in grid])
    crossings = [i for i in range(1, grid.size) if values[i - 1] * values[i] < 0 or (values[i] == 0 and i)]
    if not crossings:
        raise NoCriticalValue(f"{what}: no critical value of {parameter!r} between {low} and {high} for {ensemble!r}")
    i = min(crossings, key=lambda i: abs(0.5 * (grid[i] + grid[i - 1]) - present))
    if values[i] == 0:
        return float(grid[i])
    return float(brentq(at, grid[i - 1], grid[i], xtol=1e-15, rtol=4 * np.finfo(float).eps))


def onset(ensemble, parameter, bounds=None):
    """The value of one hyperparameter at which the zero state loses stability [T5].

    alpha = 1, where alpha is the growth of small moments under the mean-field map: the square of the spectral radius at
    lambda = 1 of the random part of the zero state's Jacobian. For gated cells, whose leak is positive, that is where the
    spectrum first touches the unit circle. GRU: a_h sigma(b_r) = 1; LSTM at zero biases: a_g = 2.

    Parameters
    ----------
    ensemble : Ensemble
    parameter : str, a path such as "gain.h" or "bias.r"
    bounds : (low, high), optional. Default (0, 100) for gains and spreads, (-30, 30) for biases.

    Returns
    -------
    Critical, accurate to about 1e-12

    Raises
    ------
    CapabilityError : no zero state, or no closed-form site fixed point
    NoCriticalValue : no crossing within the bounds
    ValueError : unknown parameter
    """
    try:
        value = _solve_for(_log_alpha, ensemble, parameter, bounds, "onset")
    except NoZeroState:
        where = f" when {parameter!r} varies" if _has_zero(MomentMap(ensemble)) else ""
        raise CapabilityError(
            f"onset: {ensemble!r} has no zero state{where}: some message does not vanish (a bias of its field, or its spread)"
        ) from None
    there = ensemble.replace({parameter: value})
    beta = _alpha_beta(there)[1]
    kind = "discontinuous" if beta > 0 else "continuous"
    zeros = dict.fromkeys(ensemble.cell.message_names, 0.0)
    return Critical(value, parameter, zeros, bool(beta > 0), there, f"onset of instability of the zero state; locally {kind}")


def _log_alpha(ensemble):
    A, _ = _linear_map(ensemble, second_order=False)
    alpha = float(np.max(np.linalg.eigvals(A).real))
    return np.log(max(alpha, 1e-300))


def fold(ensemble, parameter, bounds=None):
    """The value of one hyperparameter at which non-zero mean-field fixed points appear [T5].

    Where the transition is continuous that is the onset itself (``discontinuous`` is False); where it is not, the value at
    which a pair of solutions of finite amplitude is born, G = dG/dx = 0 with G(x) = log(R(x)/x). The whole range of
    amplitudes is searched, so folds that the local expansion does not see are found.

    Parameters, errors: as :func:`onset`; and CapabilityError for cells without a bounded mean field or whose moments do not close
    in one loop, ConvergenceError where a fold was bracketed but not resolved. For an ensemble without a zero state the fold
    is where two of its solutions are born or merge; NoCriticalValue if there is none within the bounds.

    Returns
    -------
    Critical, with the moments at the fold, accurate to about 1e-11
    """
    low, high = _default_bounds(ensemble, parameter) if bounds is None else bounds
    low, high = real("bounds[0]", low), real("bounds[1]", high)
    _require_bounded(ensemble.cell)
    try:
        start = onset(ensemble, parameter, (low, high))
    except (
        CapabilityError,
        NoCriticalValue,
    ):  # no zero state, or none that changes its stability: count solutions along the parameter instead
        return _fold_by_count(ensemble, parameter, (low, high))
    peak = _highest(MomentMap(start.ensemble))
    if peak is None or peak[1] <= 1e-13:
        return Critical(
            float(start),
            parameter,
            start.moments,
            False,
            start.ensemble,
            "continuous transition: non-zero solutions appear at the onset",
        )
    value, x = _polish_fold(ensemble, parameter, float(start), peak[0], (low, high))
    there = ensemble.replace({parameter: value})
    moments = MomentMap(there)
    q = moments.complete(np.array([x]), moments.fine)[0]
    return Critical(
        value,
        parameter,
        dict(zip(ensemble.cell.message_names, q.tolist())),
        True,
        there,
        "discontinuous transition: two solutions are born at finite amplitude",
    )


def _require_scalar(moments):
    if len(moments.loop) != 1:
        raise CapabilityError(
            f"fold needs moments that close in one loop; those of {moments.cell.name!r} close in {len(moments.loop)}: "
            "follow fixed_points over the parameter instead"
        )


def _highest(moments, tol=1e-9):
    """(x, G) at the largest interior local maximum of G(x), or None. Small x, where G -> log alpha, is excluded."""
    _require_scalar(moments)
    x, G = _scan(moments, "small", tol)
    best = None
    for i in range(1, x.size - 1):
        if x[i] > 1e-9 and G[i] >= G[i - 1] and G[i] > G[i + 1]:
            point = smooth_extremum(
                lambda v: moments.log_ratio(np.exp(v), moments.fine), np.log(x[i - 1]), np.log(x[i + 1]), largest=True
            )
            if point is not None and (best is None or point[1] > best[1]):
                best = point
    return None if best is None else (float(np.exp(best[0])), best[1])


def _polish_fold(ensemble, parameter, p, x, bounds):
    """Newton-secant on the envelope g(p) = max_x G(x; p): each step re-solves the inner maximum."""
    from scipy.optimize import brentq

    width = 0.15

    def envelope(value, u):
        moments = MomentMap(ensemble.replace({parameter: value}))
        for _ in range(40):
            point = smooth_extremum(lambda v: moments.log_ratio(np.exp(v), moments.fine), u - width, u + width, largest=True)
            if point is not None:
                return point
            ends = moments.log_ratio(np.exp(np.array([u - width, u + width])), 1e-9)
            u = u - width if ends[0] > ends[1] else u + width
        raise ConvergenceError("the fold's amplitude was not found", estimate=float(np.exp(u)))

    # walk away from the onset, where g > 0, until g < 0: the fold is in between
    u, g = envelope(p, np.log(x))
    h = 1e-4 * max(1.0, abs(p))
    direction = 1.0 if envelope(p + h, u)[1] < g else -1.0
    step, previous, at_previous = 1e-3 * max(1.0, abs(p)), p, u
    tracked = {p: u}
    while True:
        trial = float(np.clip(p + direction * step, *bounds))
        if _has_zero(MomentMap(ensemble.replace({parameter: trial}))) is False:
            raise NoCriticalValue(f"fold: the zero state ceases to exist at {parameter} = {trial}")
        u_trial, g_trial = envelope(trial, at_previous)
        tracked[trial] = u_trial
        if g_trial < 0:
            break
        if trial in bounds:
            raise NoCriticalValue(f"fold: no critical value of {parameter!r} within {bounds} for {ensemble!r}")
        previous, at_previous, step = trial, u_trial, 1.6 * step

    def g_of(value):
        nearest = min(tracked, key=lambda k: abs(k - value))
        u_here, g_here = envelope(value, tracked[nearest])
        tracked[value] = u_here
        return g_here

    value = brentq(g_of, min(previous, trial), max(previous, trial), xtol=1e-14, rtol=4 * np.finfo(float).eps)
    u, _ = envelope(value, tracked[min(tracked, key=lambda k: abs(k - value))])
    return float(value), float(np.exp(u))


def _fold_by_count(ensemble, parameter, bounds):
    """A fold of branches that do not touch zero: an extremum of G, maximum or minimum, that crosses 0."""
    from scipy.optimize import brentq

    low, high = bounds
    present = ensemble.value(parameter)
    span = np.linspace(0.0, 1.0, 81)
    grid = low + (high - low) * (span if signed(parameter) else span**3)
    counts = []
    for value in grid:
        moments = MomentMap(ensemble.replace({parameter: float(value)}))
        if not moments.loop:
            counts.append(1)
            continue
        _require_scalar(moments)
        counts.append(len(_scalar_roots(moments, "small")))
    changes = [i for i in range(1, grid.size) if counts[i] != counts[i - 1]]
    if not changes:
        raise NoCriticalValue(
            f"fold: the number of solutions does not change with {parameter!r} between {low} and {high} for {ensemble!r}"
        )
    i = min(changes, key=lambda i: abs(0.5 * (grid[i] + grid[i - 1]) - present))
    a, b = float(grid[i - 1]), float(grid[i])
    reference = counts[i - 1]
    for _ in range(14):  # bisection on the count, until the extremum that crosses zero is isolated
        middle = 0.5 * (a + b)
        moments = MomentMap(ensemble.replace({parameter: middle}))
        same = (len(_scalar_roots(moments, "small")) if moments.loop else 1) == reference
        a, b = (middle, b) if same else (a, middle)
    moments = MomentMap(ensemble.replace({parameter: a if counts[i - 1] > counts[i] else b}))
    roots = np.log(_scalar_roots(moments, "small"))
    j = int(np.argmin(np.diff(roots)))
    pad = 0.5 * (roots[j + 1] - roots[j]) + 1e-3
    middle = 0.5 * (roots[j] + roots[j + 1])
    largest = bool(moments.log_ratio(np.exp(np.array([middle])), moments.fine)[0] > 0)

    def point(value):
        m = MomentMap(ensemble.replace({parameter: value}))
        found = smooth_extremum(lambda v: m.log_ratio(np.exp(v), m.fine), middle - 4 * pad, middle + 4 * pad, largest)
        if found is None:
            raise ConvergenceError("the fold was bracketed but not resolved", estimate=value)
        return found

    margin = b - a
    value = brentq(lambda p: point(p)[1], a - margin, b + margin, xtol=1e-14, rtol=4 * np.finfo(float).eps)
    there = ensemble.replace({parameter: float(value)})
    moments = MomentMap(there)
    q = moments.complete(np.array([np.exp(point(value)[0])]), moments.fine)[0]
    moments_there = dict(zip(ensemble.cell.message_names, q.tolist()))
    return Critical(value, parameter, moments_there, True, there, "two solutions are born or merge at finite amplitude")


def tricritical(ensemble, parameter, along):
    """Where the transition of the zero state turns from continuous to discontinuous [T5].

    Solves alpha = 1 in ``along`` and beta = 0 in ``parameter`` together, with R(D)/D = alpha + beta D + ... the small-moment
    expansion. This is the *local* condition: folds at finite amplitude can precede it (see :func:`fold`).
    GRU: (1 - s)(2 - 3s) a_r^2 = 2 with s = sigma(b_r); LSTM: a_o^2 + a_i^2 + 3 a_f^2 = 64.

    Parameters
    ----------
    ensemble : Ensemble
    parameter : str, for example "gain.r"
    along : str, the hyperparameter that is kept at the onset, for example "gain.h"

    Returns
    -------
    Critical in ``parameter``; its ``ensemble`` has both values set

    Raises
    ------
    NoCriticalValue : no tricritical point within the default bounds (those of :func:`onset`)
    ValueError : unknown parameter, the same twice
    CapabilityError : no zero state or no closed-form site fixed point
    """
    if parameter == along:
        raise ValueError(f"parameter and along must differ, got {parameter!r} twice")
    ensemble.value(along)

    def at_onset(e):
        return e.replace({along: float(_solve_for(_log_alpha, e, along, None, "onset", points=13))})

    value = _solve_for(lambda e: _alpha_beta(at_onset(e))[1], ensemble, parameter, None, "tricritical", points=25)
    there = at_onset(ensemble.replace({parameter: value}))
    zeros = dict.fromkeys(ensemble.cell.message_names, 0.0)
    return Critical(value, parameter, zeros, False, there, f"tricritical point, {along} = {there.value(along)!r}")
