"""How many fixed points a random network has: the exponential growth rate of their number, from its saddle [T7].

Annealed: Sigma = lim (1/N) log E(number of fixed points), the saddle of the functional in ``landscape.py``. The amplitude of a
fixed point, the second moment q of one message, is scanned: at each q all other unknowns are solved for, which leaves one function
Sigma(q), the *ridge*. Its stationary points are all the saddles; its maxima are those with the right signs. On the ridge Newton's
method is safe, and no false saddle near the mean-field solution can catch it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from .checks import real
from .ensemble import Ensemble
from .errors import ConvergenceError
from .landscape import Landscape, Point
from .mean_field import fixed_points

__all__ = ["complexity", "Complexity", "Saddle"]

#: Nodes of the site integral while scanning, by the number of variables it runs over.
_SCAN_NODES = {1: 400, 2: 2500, 3: 8000}
_MOST_SCAN_NODES = 20_000
#: Quadrature tolerance of the final saddle: digits that grids of bearable size give.
_FINE = {1: 1e-14, 2: 1e-13, 3: 1e-10}
_LEAST_FINE = 1e-7
#: The scan covers this many e-foldings of the moment, in steps of this size or less.
_DEPTH, _STEP = 14.0, 0.4
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
    saddles: tuple = ()
    _landscape: Landscape = field(default=None, repr=False, compare=False)

    @cached_property
    def sites(self):
        """The tilted site law of a typical fixed point as Sites, for ``Spectrum``; made for a tolerance of 1e-6."""
        return self.sites_at(1e-6)

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
        return self._landscape.sites(self.saddles[0].point, tol, max_nodes, source)

    def as_dict(self):
        """JSON-ready: ensemble, method, value, status, rate, moments, multipliers, determinant, residual, error."""
        out = {"kind": "complexity", "ensemble": self.ensemble.as_dict()}
        for name in ("method", "value", "status", "rate", "moments", "multipliers", "determinant", "residual", "error"):
            out[name] = getattr(self, name)
        return out

    def __str__(self):
        shown = ", ".join(f"E({n})^2 = {v:.6g}" for n, v in self.moments.items())
        return f"{self.ensemble.cell.name} complexity ({self.method}) {self.value:.10g}: {shown or 'no fixed point'} ({self.status})"


def complexity(ensemble, method="annealed", tol=1e-10):
    """The exponential growth rate of the number of fixed points of random networks with their size N [T7].

    "annealed": lim (1/N) log E(number), exact. It is a saddle over the moments, their multipliers and the determinant's
    self-consistent unknowns; all saddles along the ridge (see the module) are found and the largest maximum is taken. The tilted law
    of sites at that saddle is the law of a *typical* fixed point: ``.sites``, and ``Spectrum(result)`` is the spectrum there.

    "mean_field": lim (1/N) log|det(1 - W U)| at the mean-field fixed points of [T5], the largest of them: a lower bound, not the
    growth rate. Fixed points exist well below the fold of mean-field theory, which does not see them.

    Any cell with a site fixed point; biases, their spreads and frozen inputs are averaged over. Where a site has several fixed points
    (cells without a closed form) only the one reached from s = 0 is counted.

    Parameters
    ----------
    ensemble : Ensemble
    method : "annealed" or "mean_field"
    tol : float in [1e-13, 0.1]
        Accuracy wanted of the rate, absolute. ``status`` says so where the estimated quadrature error exceeds it: integrals over three
        and more fields (LSTM) are good to about 1e-8.

    Returns
    -------
    Complexity. Its ``value`` is zero where the number does not grow exponentially: ``status`` then says whether the largest saddle is
    negative or there is none. The zero state itself is never counted.

    Raises
    ------
    TypeError, ValueError : not an Ensemble, an unknown method, a tolerance out of range
    ConvergenceError : a saddle was bracketed but not reached, or sites have no fixed point
    """
    if not isinstance(ensemble, Ensemble):
        raise TypeError(f"ensemble must be an Ensemble, got {ensemble!r}")
    if method not in ("annealed", "mean_field"):
        raise ValueError(f"method must be 'annealed' or 'mean_field', got {method!r}")
    tol = real("tol", tol, low=1e-13, high=0.1)
    if not ensemble.cell.compiled.bounded:
        status = f"unbounded: the messages of cell {ensemble.cell.name!r} grow without bound, and so may its fixed points"
        return Complexity(ensemble, method, float("nan"), status, float("nan"), {}, {}, {}, 0.0, 0.0)
    landscape = Landscape(ensemble)
    if not landscape.looping:
        return _nothing(ensemble, method, "no saddle: no message feeds back, so that the fixed point is unique", landscape)
    saddles = _mean_field_saddles(landscape) if method == "mean_field" else _saddles(landscape)
    return _result(landscape, method, saddles, tol)


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
    moments = dict(zip(names, landscape.all_moments(best.point).tolist()))
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
        self.landscape, self.tol, self.max_nodes = landscape, tol, max_nodes
        self.A, self.X = len(landscape.fed), landscape.n_x
        self.size = 2 * self.A + self.X + landscape.n_tau

    def system(self, point):
        """(evaluation, residuals, matrix): rows q and mu in relative form; rows of x as usage/x - 1, linear where x is small."""
        e = self.landscape.evaluate(point, self.tol, self.max_nodes)
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

    def moved(self, point, step):
        """The point after a step in (relative q, mu q, relative x, tau); q and x stay positive."""
        A, X = self.A, self.X
        return Point(
            point.q * np.exp(np.clip(step[:A], -1.0, 1.0)),
            point.mu + step[A : 2 * A] / point.q,
            point.x * np.clip(1.0 + step[2 * A : 2 * A + X], 0.2, 5.0),
            point.tau + step[2 * A + X :],
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
            point = self.moved(point, step * min(1.0, limit / size))
            if point.x.max() < 1e-11:
                return None
        return None

    def settle(self, point):
        """The point of the ridge at the leading moment of ``point``, or None."""
        lead = self.landscape.lead
        for accuracy in (1e-4, 1e-9):
            found = self.solve(point, False, accuracy)
            if found is None:
                return None
            point, step, e, residual, matrix, size = found
            # what the last step would change is put in to first order, what is left is of second
            slope = float(residual[lead] + matrix[lead] @ step)
            if abs(slope) > 1e3 * size**2:
                break
        keep = np.delete(np.arange(self.size), lead)
        value = e.value + 0.5 * float(self._raw(e.gradient, point) @ step)
        tangent = np.zeros(self.size)
        tangent[lead] = 1.0
        tangent[keep] = np.linalg.solve(matrix[np.ix_(keep, keep)], -matrix[keep, lead])
        if not np.isfinite(tangent).all():
            return None
        return _Settled(float(np.log(point.q[lead])), value, slope, self.moved(point, step), tangent)

    def _raw(self, gradient, point):
        """The gradient by the coordinates of a step."""
        out, A = gradient.copy(), self.A
        out[:A] *= point.q
        out[A : 2 * A] /= point.q
        return out


# --- the ridge


def _scan_nodes(landscape):
    return _SCAN_NODES.get(landscape.dimension, _MOST_SCAN_NODES)


def _saddles(landscape):
    """All stationary points on the ridge, polished."""
    newton = _Newton(landscape, 1e-14, _scan_nodes(landscape))
    out = []
    for piece in _ridges(landscape, newton):
        for left, right in zip(piece[:-1], piece[1:]):
            if left.slope * right.slope < 0 and min(abs(left.slope), abs(right.slope)) > _NOISE:
                out.append(_polish(landscape, _between(newton, left, right)))
    return out


def _ridges(landscape, newton):
    """The pieces of the ridge on which the determinant counts, each a list of _Settled ascending in t."""
    pieces = []
    top, candidates = _amplitudes(landscape)
    bottom = np.log(top) - _DEPTH
    for q in candidates:
        t = np.log(q[landscape.lead])
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
    """The largest moment that is possible, and moments to start from, those nearest to the mean-field loop first."""
    m = np.abs(landscape.cell.compiled.response(*_far_out(landscape))[0][landscape.fed[landscape.lead]])
    top = float(np.max(m)) ** 2
    out = []
    for depth in (0.2, 0.45, 0.8, 1.3, 1.9, 2.6, 3.5, 5.0, 7.0, 9.0):
        q = np.full(len(landscape.fed), 0.5)
        q[landscape.lead] = top * np.exp(-depth)
        for _ in range(len(q) + (0 if len(q) < 3 else 5)):
            new = landscape.moments(q, 1000)
            ratio = new[landscape.lead] / q[landscape.lead]
            new[landscape.lead] = q[landscape.lead]
            q = np.maximum(new, 1e-300)
        out.append((abs(np.log(ratio)), q))
    return top, [q for _, q in sorted(out, key=lambda pair: pair[0])]


def _far_out(landscape):
    from itertools import product

    K, n_parameters = landscape.K, len(landscape.cell.parameters)
    y = 20.0 * np.array(list(product((-1.0, -0.05, 0.05, 1.0), repeat=K))).T
    return y, landscape.means[K:, None] + np.zeros((n_parameters, y.shape[1]))


def _start(landscape, newton, q):
    """A point of the ridge from nothing but moments: a few careful rounds at mu = 0, then Newton."""
    A, X = newton.A, newton.X
    point = Point(q, np.zeros(A), np.full(X, 0.5), np.zeros(landscape.n_tau))
    for _ in range(10):
        e = landscape.evaluate(point, newton.tol, newton.max_nodes)
        # mu and tau sit at the minimum of a convex function; x goes to its usage
        convex = np.r_[A : 2 * A, 2 * A + X : newton.size]
        step = np.linalg.lstsq(e.hessian[np.ix_(convex, convex)], -e.gradient[convex], rcond=1e-12)[0]
        d_mu, d_tau = step[:A], step[A:]
        size = max(np.abs(d_mu * q).max(), np.abs(d_tau).max() if d_tau.size else 0.0)
        damp = min(1.0, 1.0 / size) if size > 0 else 1.0
        x = np.clip(e.usage, 1e-6, 2.0)
        point = Point(q, point.mu + damp * d_mu, x, point.tau + damp * d_tau)
        if x.max() <= 1e-5:
            return None
    return newton.settle(point)


def _follow(newton, start, direction, end):
    """The ridge from one of its points until it ends, dives, or reaches ``end``: a list in the order of the steps."""
    out, here, step = [], start, _STEP
    while (end - here.t) * direction > 1e-9:
        h = direction * min(step, abs(end - here.t))
        guess = newton.moved(here.point, np.clip(h * here.tangent, -1.0, 1.0))
        point = Point(_with(guess.q, newton.landscape.lead, np.exp(here.t + h)), guess.mu, guess.x, guess.tau)
        there = newton.settle(point)
        if there is None or there.point.x.max() < 1e-8:
            step *= 0.5
            if step < 0.02:
                break
            continue
        out.append(there)
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
    """The stationary point between two points of the ridge: Newton from the secant, bisection where that leaves the bracket."""
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
                return newton.moved(point, step)
        middle = newton.settle(Point(_with(guess.q, newton.landscape.lead, np.exp(t)), guess.mu, guess.x, guess.tau))
        if middle is None:
            break
        left, right = (middle, right) if middle.slope * left.slope > 0 else (left, middle)
    raise ConvergenceError(
        f"a saddle of {newton.landscape.ensemble!r} was bracketed but not reached", estimate=0.5 * (left.value + right.value)
    )


def _fine_tol(landscape):
    return _FINE.get(landscape.dimension, _LEAST_FINE)


def _polish(landscape, point):
    """The saddle to all digits, with its signs, residual and quadrature error."""
    newton = _Newton(landscape, _fine_tol(landscape), 4_000_000)
    found = newton.solve(point, True, 1e-7, max_steps=12)
    if found is None:
        raise ConvergenceError(f"a saddle of {landscape.ensemble!r} was found but not polished", estimate=point)
    point, step = found[0], found[1]
    point = newton.moved(point, step)
    e, residual, _ = newton.system(point)
    return Saddle(e.value, _is_maximum(newton, e), point, float(np.abs(residual).max()), _quadrature_error(landscape, point, e))


def _quadrature_error(landscape, point, fine):
    """From a grid with 0.6 of the digits: errors of trapezoidal rules are exponential in the node count [NUMERICS]."""
    coarse = landscape.evaluate(point, fine.tol**0.6)
    return max(float(abs(coarse.value - fine.value) ** (1.0 / 0.6)), 4e-16)


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
    raise NotImplementedError
