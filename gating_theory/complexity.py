"""How many fixed points a random network has: the exponential growth rate of their number, from its saddle [T7].

Annealed: Sigma = lim (1/N) log E(number of fixed points), the saddle of the functional in ``landscape.py``. The amplitude of a
fixed point, the second moment q of one message, is scanned: at each q all other unknowns are solved for, which leaves one function
Sigma(q), the *ridge*. Its stationary points are all the saddles; its maxima are those with the right signs. On the ridge Newton's
method is safe, and no false saddle near the mean-field solution can catch it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from .checks import real
from .ensemble import Ensemble
from .errors import ConvergenceError
from .landscape import Landscape, Point
from .mean_field import fixed_points

__all__ = ["complexity", "Complexity", "Saddle", "find_saddles", "follow_saddle", "restored", "ridge"]

#: Nodes of the site integral while scanning, by the number of variables it runs over.
_SCAN_NODES = {1: 120, 2: 900, 3: 4000}
_MOST_SCAN_NODES = 12_000
#: Quadrature tolerance of the final saddle; steps are then divided until the rate moves by less than the goal, within the nodes.
_FINE = {1: 1e-14, 2: 1e-13, 3: 1e-9}
_LEAST_FINE = 1e-5
_GOAL = {1: 1e-13, 2: 1e-13, 3: 1e-11}
_LEAST_GOAL = 1e-9
_MOST_NODES = 1_200_000
#: The scan covers this many e-foldings of the moment, in steps of this size or less.
_DEPTH, _STEP = 11.0, 0.4
#: Slopes of the ridge below this are rounding.
_NOISE = 2e-14
#: What is left of a ridge below this rate holds no maximum worth finding.
_BOTTOM = -1.0


@dataclass(frozen=True)
class Saddle:
    """A stationary point of the complexity functional [T7].

    Attributes
    ----------
    value : float, the rate Sigma there
    maximum : bool
        Whether it has the signs of a saddle that counts: a maximum in moments and determinant, a minimum in their multipliers.
    point : landscape.Point
    residual : float, largest relative residual of the equations
    error : float, estimated quadrature error of the value
    """

    value: float
    maximum: bool
    point: Point
    residual: float
    error: float


@dataclass(frozen=True)
class Complexity:
    """The complexity of an ensemble's landscape of fixed points [T7].

    Attributes
    ----------
    ensemble : Ensemble
    method : "annealed" or "mean_field"
    value : float
        lim log(number)/N, natural logarithm; zero where no rate is positive (``status`` says why), nan for unbounded cells.
    status : str
        "converged", or "not positive: ...", "no saddle: ...", "unbounded: ...".
    rate : float
        The rate at the largest saddle, also where it is negative; nan without a saddle.
    moments : dict
        Second moment of each distinct message at a typical fixed point, keyed by its name.
    multipliers : dict
        mu_k of the messages that feed back (zero for the mean field).
    determinant : dict
        {"x": {message: p_k q_k}, "tau": (...)}, the coordinates of the determinant [T4].
    residual : float, largest relative residual of the saddle's equations
    error : float, estimated quadrature error of ``rate``
    saddles : tuple of Saddle, all that were found, largest rate first
    """

    ensemble: Ensemble
    method: str
    value: float
    status: str
    rate: float
    moments: dict
    multipliers: dict
    determinant: dict
    residual: float
    error: float
    saddles: tuple = field(default=(), compare=False)
    _landscape: Landscape = field(default=None, repr=False, compare=False)

    @cached_property
    def sites(self):
        """The tilted site law of a typical fixed point as Sites, for ``Spectrum``; made for a tolerance of 1e-4."""
        return self.sites_at(1e-4, 40_000)

    def sites_at(self, tol, max_nodes=400_000):
        """Sites of a typical fixed point whose averages are accurate to about ``tol`` for smooth functions.

        Parameters
        ----------
        tol : float in [1e-14, 0.1]
        max_nodes : int
            The population is kept to about this size by raising the tolerance; ``sites.tol`` is the one reached.

        Returns
        -------
        Sites, ``source`` "typical fixed point" (or "mean field"); ``recurrent`` is set, so that Spectrum finds outliers

        Raises
        ------
        ValueError : there is no saddle, so no typical fixed point
        """
        tol = real("tol", tol, low=1e-14, high=0.1)
        if not self.saddles:
            raise ValueError(f"there is no typical fixed point to take sites of: {self.status}")
        source = "mean field" if self.method == "mean_field" else "typical fixed point"
        return self._landscape.sites(_law_point(self.method, self.saddles[0].point), tol, max_nodes, source)

    def as_dict(self):
        """JSON-ready: ensemble, method, value, status, rate, moments, multipliers, determinant, residual, error."""
        out = {"kind": "complexity", "ensemble": self.ensemble.as_dict()}
        for name in ("method", "value", "status", "rate", "moments", "multipliers", "determinant", "residual", "error"):
            out[name] = getattr(self, name)
        for name in ("value", "rate"):  # JSON has no nan
            out[name] = None if np.isnan(out[name]) else out[name]
        out["point"] = None
        if self.saddles:
            point = self.saddles[0].point
            out["point"] = {name: getattr(point, name).tolist() for name in ("q", "mu", "x", "tau")}
        return out

    def __str__(self):
        shown = ", ".join(f"E({n})^2 = {v:.6g}" for n, v in self.moments.items())
        head = f"{self.ensemble.cell.name} complexity ({self.method}) {self.value:.10g}"
        return f"{head}: {shown or 'no fixed point'} ({self.status})"


def complexity(ensemble, method="annealed", tol=None):
    """The exponential growth rate of the number of fixed points of random networks with their size N [T7].

    "annealed": lim (1/N) log E(number), exact. It is a saddle over the moments, their multipliers and the determinant's
    self-consistent unknowns; all saddles along the ridge (see the module) are found and the largest maximum is taken. The tilted
    law of sites at that saddle is the law of a *typical* fixed point: ``.sites``, and ``Spectrum(result)`` is the spectrum there.

    "mean_field": lim (1/N) log|det(1 - W U)| at the mean-field fixed points of [T5], the largest of them: a lower bound, not the
    growth rate. Fixed points exist well below the fold of mean-field theory, which does not see them.

    Any cell with a site fixed point; biases, their spreads and frozen inputs are averaged over. Where a site has several fixed
    points (cells without a closed form) only the one reached from s = 0 is counted.

    Parameters
    ----------
    ensemble : Ensemble
    method : "annealed" or "mean_field"
    tol : float in [1e-13, 0.1], optional
        Accuracy wanted of the rate, absolute: ``status`` says so where the estimated quadrature error exceeds it. Default 1e-10;
        1e-7 where the site integral runs over three and more fields (LSTM, whose rates are good to about 1e-8).

    Returns
    -------
    Complexity. Its ``value`` is zero where the number does not grow exponentially: ``status`` then says whether the largest saddle
    is negative or there is none. The zero state itself is never counted.

    Raises
    ------
    TypeError, ValueError : not an Ensemble, an unknown method, a tolerance out of range
    ConvergenceError : a saddle was bracketed but not reached, or sites have no fixed point
    """
    if not isinstance(ensemble, Ensemble):
        raise TypeError(f"ensemble must be an Ensemble, got {ensemble!r}")
    if method not in ("annealed", "mean_field"):
        raise ValueError(f"method must be 'annealed' or 'mean_field', got {method!r}")
    tol = None if tol is None else real("tol", tol, low=1e-13, high=0.1)
    if not ensemble.cell.compiled.bounded:
        status = f"unbounded: the messages of cell {ensemble.cell.name!r} grow without bound, and so may its fixed points"
        return Complexity(ensemble, method, float("nan"), status, float("nan"), {}, {}, {}, 0.0, 0.0)
    landscape = Landscape(ensemble)
    if not landscape.looping:
        return _nothing(ensemble, method, "no saddle: no message feeds back, so that the fixed point is unique", landscape)
    saddles = _mean_field_saddles(landscape) if method == "mean_field" else find_saddles(landscape)
    if tol is None:
        tol = 1e-10 if landscape.dimension <= 2 else 1e-7
    return _result(landscape, method, saddles, tol)


def restored(data, ensemble):
    """A Complexity from its :meth:`Complexity.as_dict`, its largest saddle included. ValueError where that is none any more."""
    values = {k: v for k, v in data.items() if k not in ("kind", "ensemble", "point")}
    for name in ("value", "rate"):
        values[name] = float("nan") if values[name] is None else float(values[name])
    if data["point"] is None:
        return Complexity(ensemble, **values)
    landscape = Landscape(ensemble)
    point = Point(**{name: np.array(v, dtype=float) for name, v in data["point"].items()})
    gaussian = values["method"] == "mean_field"
    newton = _Newton(landscape, 1e-8 if landscape.dimension <= 2 else 1e-4, 300_000)
    _, residual, _ = newton.gaussian_system(point) if gaussian else newton.system(point)
    left = float(np.abs(residual[2 * newton.A :] if gaussian else residual).max())
    if not left < 1e-3:
        raise ValueError(f"the saved saddle is none of {ensemble!r}: relative residual {left:.3g}")
    saddle = Saddle(values["rate"], True, point, values["residual"], values["error"])
    return Complexity(ensemble, **values, saddles=(saddle,), _landscape=landscape)


def _law_point(method, point):
    """The Point whose tilted law the sites have: at a mean-field fixed point the determinant tilts nothing."""
    return replace(point, x=np.zeros_like(point.x)) if method == "mean_field" else point


def _nothing(ensemble, method, status, landscape):
    return Complexity(ensemble, method, 0.0, status, float("nan"), {}, {}, {}, 0.0, 0.0, (), landscape)


def _result(landscape, method, saddles, tol):
    ensemble, cell = landscape.ensemble, landscape.cell
    counted = tuple(sorted((s for s in saddles if s.maximum), key=lambda s: -s.value))
    others = tuple(s for s in saddles if not s.maximum)
    if not counted:
        what = "mean-field fixed point but the zero state" if method == "mean_field" else "saddle at any amplitude"
        return _nothing(ensemble, method, f"no saddle: there is no {what}", landscape)
    best = counted[0]
    names = cell.message_names
    moments = dict(zip(names, landscape.all_moments(_law_point(method, best.point)).tolist()))
    multipliers = {names[k]: float(m) for k, m in zip(landscape.fed, best.point.mu)}
    determinant = {
        "x": {names[k]: float(v) for k, v in zip(landscape.loop_order, best.point.x)},
        "tau": [float(t) for t in best.point.tau],
    }
    rounding = 1e-15
    if best.value <= max(rounding, best.error):
        status = f"not positive: the largest rate is {best.value:.6g}, the number of fixed points does not grow exponentially"
    elif best.error > tol:
        status = f"quadrature error {best.error:.1e} exceeds the tolerance {tol:.1e}"
    else:
        status = "converged"
    value = best.value if best.value > max(rounding, best.error) else 0.0
    return Complexity(
        ensemble,
        method,
        float(value),
        status,
        best.value,
        moments,
        multipliers,
        determinant,
        best.residual,
        best.error,
        counted + others,
        landscape,
    )


# --- Newton's method, on the ridge or free


@dataclass(frozen=True)
class _Settled:
    """A point of the ridge: log q of the leading message, Sigma and its slope there, the tangent of all unknowns."""

    t: float
    value: float
    slope: float
    point: Point
    tangent: np.ndarray  # of (log q, mu, x relative, tau) by t


class _Newton:
    """Newton's method for the equations of a Landscape, with the leading moment free or held."""

    def __init__(self, landscape, tol, max_nodes):
        self.landscape, self.tol, self.max_nodes, self.refine = landscape, tol, max_nodes, 1.0
        self.A, self.X = len(landscape.fed), landscape.n_x
        self.size = 2 * self.A + self.X + landscape.n_tau

    def system(self, point):
        """(evaluation, residuals, matrix): rows q and mu in relative form; rows of x as usage/x - 1, linear where x is small."""
        return self._scaled(self.landscape.evaluate(point, self.tol, self.max_nodes, self.refine), point)

    def _scaled(self, e, point):
        A, X = self.A, self.X
        residual, matrix = e.gradient.copy(), e.hessian.copy()
        scale = np.ones(self.size)
        scale[:A], scale[A : 2 * A], scale[2 * A : 2 * A + X] = point.q, 1.0 / point.q, 2.0 / point.x
        residual, matrix = residual * scale, matrix * scale[:, None]
        rows = np.arange(2 * A, 2 * A + X)
        matrix[rows, rows] -= residual[rows]
        # columns: relative changes of q, changes of mu in units of 1/q
        matrix[:, :A] *= point.q
        matrix[:, A : 2 * A] /= point.q
        return e, residual, matrix

    def gaussian_system(self, point):
        """The same under the Gaussian law instead of the tilted one, where the value is the average of log sqrt(D) - x/2."""
        return self._scaled(self.landscape.evaluate(point, self.tol, self.max_nodes, self.refine, gaussian=True), point)

    def moved(self, point, step, e=None):
        """The point after a step in (relative q, mu q, relative x, tau); q and x stay positive."""
        A, X = self.A, self.X
        return Point(
            point.q * np.exp(np.clip(step[:A], -1.0, 1.0)),
            point.mu + step[A : 2 * A] / point.q,
            point.x * np.clip(1.0 + step[2 * A : 2 * A + X], 0.2, 5.0),
            point.tau + step[2 * A + X :],
            point.spread if e is None else e.spread,
        )

    def solve(self, point, free, accuracy, max_steps=25, limit=1.0):
        """(point, evaluation, residual, matrix, size of the last step), or None where it does not settle."""
        keep = np.arange(self.size) if free else np.delete(np.arange(self.size), self.landscape.lead)
        best = np.inf
        for iteration in range(max_steps):
            with np.errstate(all="ignore"):
                e, residual, matrix = self.system(point)
            if not (np.isfinite(residual).all() and np.isfinite(matrix).all()):
                return None
            step = np.zeros(self.size)
            try:
                step[keep] = np.linalg.solve(matrix[np.ix_(keep, keep)], -residual[keep])
            except np.linalg.LinAlgError:
                return None
            size = float(np.abs(step).max())
            if not np.isfinite(size) or (iteration > 8 and size > 10.0 * best):
                return None
            best = min(best, size)
            if size <= accuracy:
                return point, step, e, residual, matrix, size
            point = self.moved(point, step * min(1.0, limit / size), e)
            if point.x.max() < 1e-11:
                return None
        return None

    def settle(self, point):
        """The point of the ridge at the leading moment of ``point``, or None."""
        lead = self.landscape.lead
        for accuracy in (1e-3, 1e-8):
            found = self.solve(point, False, accuracy)
            if found is None:
                return None
            point, step, e, residual, matrix, size = found
            # what the last step would change is put in to first order, what is left is of second
            slope = float(residual[lead] + matrix[lead] @ step)
            if abs(slope) > 30.0 * size**2:
                break
        keep = np.delete(np.arange(self.size), lead)
        value = e.value + 0.5 * float(self._raw(e.gradient, point) @ step)
        tangent = np.zeros(self.size)
        tangent[lead] = 1.0
        tangent[keep] = np.linalg.solve(matrix[np.ix_(keep, keep)], -matrix[keep, lead])
        if not np.isfinite(tangent).all():
            return None
        return _Settled(float(np.log(point.q[lead])), value, slope, self.moved(point, step, e), tangent)

    def _raw(self, gradient, point):
        """The gradient by the coordinates of a step."""
        out, A = gradient.copy(), self.A
        out[:A] *= point.q
        out[A : 2 * A] /= point.q
        return out


# --- the ridge


def _scan_nodes(landscape):
    return _SCAN_NODES.get(landscape.dimension, _MOST_SCAN_NODES)


def find_saddles(landscape):
    """All stationary points on the ridges of a Landscape: a list of Saddle. Raises ConvergenceError as :func:`complexity`."""
    newton = _Newton(landscape, 1e-14, _scan_nodes(landscape))
    out = []
    for piece in ridge(landscape):
        for left, right in zip(piece[:-1], piece[1:]):
            if left.slope * right.slope < 0 and min(abs(left.slope), abs(right.slope)) > _NOISE:
                saddle = _saddle_between(landscape, newton, left, right)
                if saddle is not None:
                    out.append(saddle)
    return out


def follow_saddle(landscape, saddle):
    """The saddle of a Landscape near one of another, with hyperparameters a little different; None where there is none.

    Good to about 1e-9: the quadrature is not refined as in :func:`find_saddles`, and ``error`` is not estimated (nan).
    """
    newton = _Newton(landscape, _FINE.get(landscape.dimension, _LEAST_FINE), _MOST_NODES)
    found = newton.solve(saddle.point, True, 1e-5, max_steps=12)
    if found is None:
        return None
    point, step, e, residual, _, size = found
    value = e.value + 0.5 * float(newton._raw(e.gradient, point) @ step)
    return Saddle(value, _is_maximum(newton, e), newton.moved(point, step, e), size * size, float("nan"))


def _saddle_between(landscape, newton, left, right):
    """The polished saddle between two points of the ridge, or None where a finer quadrature finds no change of sign."""
    found = _between(newton, left, right)
    saddle = None if found is None else _polish(landscape, found)
    if saddle is not None:
        return saddle
    fine = _Newton(landscape, 1e-13, 40 * newton.max_nodes)
    left, right = fine.settle(left.point), fine.settle(right.point)
    if left is not None and right is not None and left.slope * right.slope > 0:
        return None
    found = None if left is None or right is None else _between(fine, left, right)
    saddle = None if found is None else _polish(landscape, found)
    if saddle is None:
        raise ConvergenceError(f"a saddle of {landscape.ensemble!r} was bracketed but not reached", estimate=left)
    return saddle


def ridge(landscape):
    """The ridge of a Landscape where the determinant counts: a list of pieces, each a list of points ascending in amplitude.

    Points have ``t``, log of the leading moment, ``value``, Sigma there, ``slope`` and ``point``; good to plotting accuracy.
    """
    newton = _Newton(landscape, 1e-14, _scan_nodes(landscape))
    pieces = []
    top, candidates = _amplitudes(landscape)
    bottom = np.log(top) - _DEPTH
    for mismatch, q in candidates:
        t = np.log(q[landscape.lead])
        if pieces and mismatch > 1.0:  # far from any mean-field loop: a ridge of its own is not to be expected
            break
        if any(p[0].t - 0.2 <= t <= p[-1].t + 0.2 for p in pieces):
            continue
        start = _start(landscape, newton, q)
        if start is None or any(p[0].t <= start.t <= p[-1].t for p in pieces):
            continue
        up = _follow(newton, start, 1.0, np.log(top))
        down = _follow(newton, start, -1.0, bottom)
        pieces.append(down[::-1] + [start] + up)
    return pieces


def _amplitudes(landscape):
    """The largest moment that is possible, and (mismatch, moments) to start from, those nearest to the mean-field loop first."""
    m = np.abs(landscape.cell.compiled.response(*_far_out(landscape))[0][landscape.fed[landscape.lead]])
    top = float(np.max(m)) ** 2
    out = []
    for depth in (0.2, 0.45, 0.8, 1.3, 1.9, 2.6, 3.5, 5.0, 7.0, 9.0, 10.5):
        q = np.full(len(landscape.fed), 0.5)
        q[landscape.lead] = top * np.exp(-depth)
        for _ in range(len(q) + (0 if len(q) < 3 else 5)):
            new = landscape.moments(q, 1000)
            ratio = new[landscape.lead] / q[landscape.lead]
            new[landscape.lead] = q[landscape.lead]
            q = np.maximum(new, 1e-300)
        out.append((abs(np.log(ratio)), q))
    return top, sorted(out, key=lambda pair: pair[0])


def _far_out(landscape):
    from itertools import product

    K, n_parameters = landscape.K, len(landscape.cell.parameters)
    y = 20.0 * np.array(list(product((-1.0, -0.05, 0.05, 1.0), repeat=K))).T
    return y, landscape.means[K:, None] + np.zeros((n_parameters, y.shape[1]))


def _start(landscape, newton, q):
    """A point of the ridge from nothing but moments: a few careful rounds at mu = 0, then Newton."""
    A, X = newton.A, newton.X
    point = landscape.perron_point(q)
    for _ in range(7):
        with np.errstate(all="ignore"):
            e = landscape.evaluate(point, newton.tol, newton.max_nodes)
        if not np.isfinite(e.hessian).all():
            return None
        # mu and tau sit at the minimum of a convex function; x goes to its usage
        convex = np.r_[A : 2 * A, 2 * A + X : newton.size]
        step = np.linalg.lstsq(e.hessian[np.ix_(convex, convex)], -e.gradient[convex], rcond=1e-12)[0]
        d_mu, d_tau = step[:A], step[A:]
        size = max(np.abs(d_mu * q).max(), np.abs(d_tau).max() if d_tau.size else 0.0)
        damp = min(1.0, 1.0 / size) if size > 0 else 1.0
        x = np.clip(_rescaled(e, point.x, 2 * A), 1e-15, 2.0)
        point = Point(q, point.mu + damp * d_mu, x, point.tau + damp * d_tau, e.spread)
        if x.max() <= 2e-7:
            return None
    return newton.settle(point)


def _rescaled(e, x, first):
    """The usage, scaled by a Newton step for its overall size: repeated substitution alone crawls at the edge of the support."""
    own = slice(first, first + x.size)
    total, usage = x.sum(), e.usage.sum()
    slope = (2.0 * e.hessian[own, own].sum() + total) / total  # of the summed usage by the logarithm of a common factor
    ratio = usage / total
    factor = 1.0 - (ratio - 1.0) / min(slope - ratio, -0.02 * ratio * total)
    return np.clip(factor, 0.02, 2.0) * total * e.usage / usage


def _follow(newton, start, direction, end):
    """The ridge from one of its points until it ends, dives, or reaches ``end``: a list in the order of the steps."""
    out, here, step, bend = [], start, _STEP, None
    while (end - here.t) * direction > 1e-9:
        h = direction * min(step, abs(end - here.t))
        change = h * here.tangent if bend is None else h * here.tangent + 0.5 * h**2 * bend
        guess = newton.moved(here.point, np.clip(change, -1.0, 1.0))
        point = replace(guess, q=_with(guess.q, newton.landscape.lead, np.exp(here.t + h)))
        there = newton.settle(point)
        if there is None or there.point.x.max() < 1e-8:
            step *= 0.5
            if step < 0.02:
                break
            continue
        out.append(there)
        bend = (there.tangent - here.tangent) / h
        here = there
        if there.value < _BOTTOM:
            break
        # a slope that has become all rounding has nothing left to say
        if direction < 0 and abs(there.slope) < _NOISE and abs(there.value) < _NOISE:
            break
        # at small amplitude all unknowns are powers of it
        step = min(1.6 * step, _STEP if there.t > start.t - 4.0 else 2.5 * _STEP)
    return out


def _with(array, index, value):
    out = array.copy()
    out[index] = value
    return out


def _between(newton, left, right):
    """The stationary point between two points of the ridge, or None: Newton from the secant, bisection where that strays."""
    for _ in range(60):
        share = left.slope / (left.slope - right.slope)
        share = min(max(share, 0.1), 0.9)
        t = left.t + share * (right.t - left.t)
        nearer = left if share < 0.5 else right
        guess = newton.moved(nearer.point, np.clip((t - nearer.t) * nearer.tangent, -1.0, 1.0))
        found = newton.solve(guess, True, 1e-5, max_steps=8)
        if found is not None:
            point, step = found[0], found[1]
            at = np.log(point.q[newton.landscape.lead])
            if left.t <= at <= right.t:
                return newton.moved(point, step, found[2])
        middle = newton.settle(replace(guess, q=_with(guess.q, newton.landscape.lead, np.exp(t))))
        if middle is None:
            break
        left, right = (middle, right) if middle.slope * left.slope > 0 else (left, middle)
    return None


def _polish(landscape, point):
    """The saddle to all digits, with its signs, residual and quadrature error; None where Newton's method does not settle."""
    dimension = landscape.dimension
    tol, goal = _FINE.get(dimension, _LEAST_FINE), _GOAL.get(dimension, _LEAST_GOAL)
    growth = 1.3 if dimension <= 2 else 1.2
    newton = _Newton(landscape, tol, _MOST_NODES)
    found = newton.solve(point, True, 1e-5, max_steps=12)
    if found is None:
        return None
    point, value, nodes = newton.moved(found[0], found[1]), found[2].value, found[2].nodes
    for _ in range(12):
        newton.refine *= growth
        e, residual, matrix = newton.system(point)
        error = abs(e.value - value)
        if error <= goal or e.nodes * growth**dimension > _MOST_NODES or e.nodes == nodes:
            break
        value, nodes = e.value, e.nodes
        point = newton.moved(point, -np.linalg.solve(matrix, residual))
    # what the last refinement changed bounds the error of the coarser grid; the finer one's is smaller
    return Saddle(e.value, _is_maximum(newton, e), point, float(np.abs(residual).max()), max(float(error), 4e-16))


def _determinant_at(landscape, newton, q, start=None):
    """The Point with moments q, mu = 0 and the determinant's unknowns solved for under the Gaussian law of the fields."""
    A, X = newton.A, newton.X
    point = start or landscape.perron_point(q)
    keep = np.arange(2 * A, newton.size)
    for iteration in range(200):
        e, residual, matrix = newton.gaussian_system(point)
        step = np.zeros(newton.size)
        tilt = keep[X:]
        if iteration < 12 and start is None:  # x goes to its usage, tau to the minimum of a convex function
            step[2 * A : 2 * A + X] = _rescaled(e, point.x, 2 * A) / point.x - 1.0
            if tilt.size:
                step[tilt] = np.clip(np.linalg.lstsq(matrix[np.ix_(tilt, tilt)], -residual[tilt], rcond=1e-12)[0], -1.0, 1.0)
        else:
            step[keep] = np.linalg.solve(matrix[np.ix_(keep, keep)], -residual[keep])
        point = newton.moved(point, step)
        if point.x.max() < 1e-12:
            return replace(point, x=np.zeros(X))
        if np.abs(step).max() < 1e-7:  # the value is stationary: what is left enters squared
            return point
    raise ConvergenceError(f"the determinant at a mean-field fixed point of {landscape.ensemble!r} was not solved", estimate=point)


def _log_determinant(newton, point):
    """(log|det| per unit, residual, nodes) under the Gaussian law."""
    if not point.x.any():
        return 0.0, 0.0, 0
    e, residual, _ = newton.gaussian_system(point)
    return e.value, float(np.abs(residual[2 * newton.A :]).max()), e.nodes


def _is_maximum(newton, e):
    """A minimum in (mu, tau), and in what is left a maximum in (q, log x)."""
    A, X = newton.A, newton.X
    low = np.r_[A : 2 * A, 2 * A + X : newton.size]
    high = np.r_[0:A, 2 * A : 2 * A + X]
    inner = e.hessian[np.ix_(low, low)]
    if np.linalg.eigvalsh(inner).min() <= 0.0:
        return False
    outer = e.hessian[np.ix_(high, high)] - e.hessian[np.ix_(high, low)] @ np.linalg.solve(inner, e.hessian[np.ix_(low, high)])
    return bool(np.linalg.eigvalsh(outer).max() < 0.0)


# --- at the mean-field fixed points


def _mean_field_saddles(landscape):
    """log|det| at each mean-field fixed point but the zero state, as Saddles with mu = 0."""
    out = []
    dimension = landscape.dimension
    goal, growth = _GOAL.get(dimension, _LEAST_GOAL), 1.3 if dimension <= 2 else 1.2
    for fixed_point in fixed_points(landscape.ensemble):
        if fixed_point.is_zero:
            continue
        newton = _Newton(landscape, _FINE.get(dimension, _LEAST_FINE), _MOST_NODES)
        point = _determinant_at(landscape, newton, fixed_point.q[list(landscape.fed)])
        value, residual, nodes = _log_determinant(newton, point)
        error = 0.0
        for _ in range(12):
            if nodes * growth**dimension > _MOST_NODES or not point.x.any():
                break
            newton.refine *= growth
            point = _determinant_at(landscape, newton, point.q, point)
            finer, residual, nodes = _log_determinant(newton, point)
            error, value = abs(finer - value), finer
            if error <= goal:
                break
        out.append(Saddle(value, True, point, residual, max(error, fixed_point.error * value, 1e-16)))
    return out
