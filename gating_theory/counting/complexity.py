"""How many fixed points a random network has: the exponential growth rate of their number, from its saddle [T7].

Annealed: Sigma = lim (1/N) log E(number of fixed points), the saddle of the functional in ``landscape.py``. The amplitude of a
fixed point, the second moment q of one message, is scanned: at each q all other unknowns are solved for, which leaves one function
Sigma(q), the *ridge*. Its stationary points are saddles; its maxima are those with the right signs. On the ridge Newton's method
is safe, and no false saddle near the mean-field solution can catch it. That the rate changes by the integral of its slope checks
every step. A ridge ends where the determinant ceases to count (1 leaves the support of the spectrum); a solver that fails before
that says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from ..ensemble.ensemble import Ensemble
from ..errors import ConvergenceError
from ..mean_field.fixed_points import fixed_points
from ..results.encoding import require, result
from ..support.checks import real
from .functional import Landscape, Point

__all__ = ["complexity", "Complexity", "Saddle", "find_saddles", "follow_saddle", "ridge"]

#: Nodes of the site integral while scanning, by the number of variables it runs over.
_SCAN_NODES = {1: 120, 2: 900, 3: 4000}
_MOST_SCAN_NODES = 12_000
#: Quadrature tolerance of the final saddle, which is then made finer until the rate moves by less than the goal, within the nodes.
_FINE = {1: 1e-14, 2: 1e-13, 3: 1e-9}
_LEAST_FINE = 1e-5
_GOAL = {1: 1e-13, 2: 1e-13, 3: 1e-11}
_LEAST_GOAL = 1e-9
_MOST_NODES = 1_200_000
#: Largest relative residual that a saddle may keep, of up to two variables and of more; the value errs by its square.
_RESIDUAL, _LEAST_RESIDUAL = 1e-9, 1e-5
#: The scan covers this many e-foldings of the moment, in steps of this size or less.
_DEPTH, _STEP = 11.0, 0.4
#: and is given up where it would take steps below this.
_SHORTEST = 0.02
#: Slopes of the ridge below this are rounding.
_NOISE = 2e-14
#: Grades of the scan's quadrature: what one leaves in doubt the next one does again.
_GRADES = 3
#: x below this: the determinant counts no more.
_SILENT_X = 1e-11
#: What is left of a ridge below this rate holds no maximum worth finding.
_BOTTOM = -1.0


@result("saddle")
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


@result("complexity")
@dataclass(frozen=True)
class Complexity:
    """The complexity of an ensemble's landscape of fixed points [T7].

    Attributes
    ----------
    ensemble : Ensemble
    method : "annealed" or "mean_field"
    value : float
        lim log(number)/N, natural logarithm; zero where no rate is positive (``status`` says why), nan for unbounded cells. In
        ensembles without a zero state (biases) the one fixed point that mean-field theory knows has rate zero.
    status : str
        What comes before the colon is one of

        - "converged"
        - "inaccurate": the quadrature error exceeds the tolerance; value and error are the best reached
        - "incomplete": the solver failed at some amplitude, which may hide a larger rate than ``value``
        - "undecided": the rate is zero within its error (``value`` is its positive part), or positive and too small to be resolved
        - "not positive": the largest rate is negative, or zero exactly
        - "no saddle": there is no saddle, or no message feeds back
        - "unbounded": the cell's fixed points are
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
    saddles : tuple of Saddle
        Those found, the ones with the right signs first, largest rate first: see :func:`complexity` for what may be missing.
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
        landscape = Landscape(self.ensemble) if self._landscape is None else self._landscape
        return landscape.sites(_law_point(self.method, self.saddles[0].point), tol, max_nodes, source)

    def check(self):
        """ValueError where the largest saddle is none of the ensemble's."""
        require(self.method in ("annealed", "mean_field"), f"method must be 'annealed' or 'mean_field', got {self.method!r}")
        if self.saddles:
            _require_saddle(self.ensemble, self.method, self.saddles[0].point)

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
    self-consistent unknowns; every change of sign of the slope along the ridge (see the module) is a saddle, the largest maximum
    is taken. The tilted law of sites at that saddle is the law of a *typical* fixed point: ``.sites``, and ``Spectrum(result)`` is
    the spectrum there. The ridge is sought from eleven amplitudes and followed in steps of 0.4 or less in log E m^2: two saddles
    closer than that to one another, or a ridge of its own far from any mean-field loop, can be missed.

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
    is negative, zero within its error, or there is none. The zero state itself is never counted.

    Raises
    ------
    TypeError, ValueError : not an Ensemble, an unknown method, a tolerance out of range
    ConvergenceError : no saddle was found and the solver failed somewhere, a saddle's equations keep a residual, or sites have no
        fixed point
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
    if tol is None:
        tol = 1e-10 if landscape.dimension <= 2 else 1e-7
    if method == "mean_field":
        return _result(landscape, method, _mean_field_saddles(landscape), None, tol)
    return _result(landscape, method, *find_saddles(landscape), tol)


def _require_saddle(ensemble, method, point):
    """ValueError unless the equations of a saddle hold at this point."""
    landscape = Landscape(ensemble)
    gaussian = method == "mean_field"
    newton = _Newton(landscape, 1e-8 if landscape.dimension <= 2 else 1e-4, 300_000)
    _, residual, _ = newton.gaussian_system(point) if gaussian else newton.system(point)
    left = float(np.abs(residual[2 * newton.A :] if gaussian else residual).max())
    require(left < 1e-3, f"the saved saddle is none of {ensemble!r}: relative residual {left:.3g}")


def _law_point(method, point):
    """The Point whose tilted law the sites have: at a mean-field fixed point the determinant tilts nothing."""
    return replace(point, x=np.zeros_like(point.x)) if method == "mean_field" else point


def _nothing(ensemble, method, status, landscape):
    return Complexity(ensemble, method, 0.0, status, float("nan"), {}, {}, {}, 0.0, 0.0, (), landscape)


def _result(landscape, method, saddles, found, tol):
    ensemble, cell = landscape.ensemble, landscape.cell
    counted = tuple(sorted((s for s in saddles if s.maximum), key=lambda s: -s.value))
    others = tuple(s for s in saddles if not s.maximum)
    best = counted[0] if counted else None
    doubts = found.doubts(best and best.value) if found else ()
    where = ", ".join(f"{np.exp(end.t):.3g}" for end in doubts)
    if best is None and doubts:
        raise ConvergenceError(
            f"complexity of {ensemble!r}: no saddle found, but the solver failed at E m^2 = {where}", estimate=found
        )
    if best is None:
        return _nothing(ensemble, method, _why_nothing(landscape, method), landscape)
    names = cell.message_names
    moments = dict(zip(names, landscape.all_moments(_law_point(method, best.point)).tolist()))
    multipliers = {names[k]: float(m) for k, m in zip(landscape.fed, best.point.mu)}
    determinant = {
        "x": {names[k]: float(v) for k, v in zip(landscape.loop_order, best.point.x)},
        "tau": [float(t) for t in best.point.tau],
    }
    accuracy = max(best.error, 1e-15)
    shown = f"{best.value:.6g} +- {accuracy:.1e}"
    value = max(best.value, 0.0)
    if doubts:
        status = f"incomplete: the solver failed at E m^2 = {where}, where there may be a larger rate than {best.value:.6g}"
    elif not best.point.x.any():
        status = "not positive: the mean-field fixed point attracts (1 is outside its spectrum), its rate is exactly zero"
    elif best.value < -accuracy:
        status = f"not positive: the largest rate is {shown}, the number of fixed points does not grow exponentially"
        if not landscape.has_zero_state:
            status += "; that of the mean-field fixed point, which is unique, is zero"
    elif best.value <= accuracy:
        status = f"undecided: the largest rate is {shown}, zero within its error"
    elif best.error > tol:
        status = f"inaccurate: the quadrature error {best.error:.1e} exceeds the tolerance {tol:.1e}"
    else:
        status = "converged"
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


def _why_nothing(landscape, method):
    """The status where there is no saddle with the right signs, and nothing says that one was missed."""
    if method == "mean_field":
        return "no saddle: there is no mean-field fixed point but the zero state"
    fixed = [p.q[landscape.fed[landscape.lead]] for p in fixed_points(landscape.ensemble) if not p.is_zero]
    if landscape.has_zero_state:
        fixed.append(landscape.top * np.exp(-_DEPTH))
    if max(landscape.loop_strength(q) for q in fixed) > 1.0:
        return "undecided: a mean-field fixed point is unstable, so that the rate is positive, but too small to be resolved"
    if landscape.has_zero_state:
        return "no saddle: no amplitude has a positive rate, the zero state is the only fixed point of most large networks"
    return "no saddle: no amplitude has a rate above zero, that of the mean-field fixed point, the only one of most networks"


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
        return self._scaled(point)

    def _scaled(self, point, gaussian=False):
        with np.errstate(all="ignore"):  # what overflows is found out by what comes out
            e = self.landscape.evaluate(point, self.tol, self.max_nodes, self.refine, gaussian)
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
        return self._scaled(point, gaussian=True)

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
        """(point, last step, evaluation, residual, matrix, size of the step); None where the determinant ceases to count.

        Raises ConvergenceError where Newton's method does not settle: that says nothing about whether there is a solution.
        """
        keep = np.arange(self.size) if free else np.delete(np.arange(self.size), self.landscape.lead)
        best = np.inf
        for iteration in range(max_steps):
            e, residual, matrix = self.system(point)
            if not (np.isfinite(residual).all() and np.isfinite(matrix).all()):
                raise self.failure("the functional is not finite", point)
            step = np.zeros(self.size)
            step[keep] = self.solved(matrix[np.ix_(keep, keep)], -residual[keep], point)
            size = float(np.abs(step).max())
            if iteration > 8 and size > 10.0 * best:
                raise self.failure("Newton's method diverges", point)
            best = min(best, size)
            if size <= accuracy:
                return point, step, e, residual, matrix, size
            point = self.moved(point, step * min(1.0, limit / size), e)
            if point.x.max() < _SILENT_X:
                return None
        raise self.failure(f"Newton's method has not settled in {max_steps} steps", point)

    def step_from(self, point):
        """(Newton's step with everything free, evaluation, residual)."""
        e, residual, matrix = self.system(point)
        return self.solved(matrix, -residual, point), e, residual

    def to_second_order(self, e, point, step):
        """The value after a Newton step from ``point``: stationary values err by the square of what is left of the equations."""
        return e.value + 0.5 * float(self._raw(e.gradient, point) @ step)

    def finer(self):
        """Make the quadrature finer: shorter steps, or a tenth of a loose tolerance, which reaches further out too."""
        if self.landscape.dimension <= 2:
            self.refine *= 1.3
        else:
            self.tol *= 0.1

    def failure(self, what, point):
        """The ConvergenceError that says so, for raising."""
        where = f"E m^2 = {point.q[self.landscape.lead]:.3g}"
        return ConvergenceError(f"complexity of {self.landscape.ensemble!r}: {what} near {where}", estimate=point)

    def solved(self, matrix, right, point):
        """Solution of a linear system, ConvergenceError where there is none."""
        try:
            out = np.linalg.solve(matrix, right)
        except np.linalg.LinAlgError:
            out = np.full(right.shape, np.nan)
        if not np.isfinite(out).all():
            raise self.failure("the equations are singular", point)
        return out

    def settle(self, point):
        """The point of the ridge at the leading moment of ``point``; None and errors as :meth:`solve`."""
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
        value = self.to_second_order(e, point, step)
        tangent = np.zeros(self.size)
        tangent[lead] = 1.0
        tangent[keep] = self.solved(matrix[np.ix_(keep, keep)], -matrix[keep, lead], point)
        return _Settled(float(np.log(point.q[lead])), value, slope, self.moved(point, step, e), tangent)

    def _raw(self, gradient, point):
        """The gradient by the coordinates of a step."""
        out, A = gradient.copy(), self.A
        out[:A] *= point.q
        out[A : 2 * A] /= point.q
        return out


# --- the ridge


@dataclass(frozen=True)
class Lost:
    """Where the solver failed before the ridge ended: what lies beyond is not known.

    ``t``, log of the leading moment; ``value``, Sigma there, nan where not even a start was found; ``outward``, its slope in the
    direction in which the ridge was lost, nan where a change of sign of the slope could not be resolved.
    """

    t: float
    value: float
    outward: float


@dataclass(frozen=True)
class Ridge:
    """The ridge of a Landscape where the determinant counts, as far as it was followed.

    Attributes
    ----------
    pieces : tuple of tuples of points, each ascending in amplitude
        Points have ``t``, log of the leading moment, ``value``, Sigma there, ``slope`` and ``point``; good to plotting accuracy.
    lost : tuple of Lost
    """

    pieces: tuple
    lost: tuple

    @property
    def points(self):
        """All points of all pieces."""
        return [p for piece in self.pieces for p in piece]

    def doubts(self, best):
        """The losses that could hide a rate above ``best`` (None: that could hide any saddle at all)."""
        if best is None:
            return self.lost
        # a start lost beside a ridge that has a saddle is no sign of another; a rate that falls towards the loss is none either
        return tuple(end for end in self.lost if end.value >= best or end.outward > 0.0)


def _scanning(landscape, grade=0):
    """Newton's method with the quadrature of a scan; grades above 0 check and repeat what the one before has left in doubt."""
    nodes = _SCAN_NODES.get(landscape.dimension, _MOST_SCAN_NODES)
    newton = _Newton(landscape, 1e-14, nodes * 8**grade)
    newton.refine = 1.3**grade
    return newton


def find_saddles(landscape):
    """(saddles, ridge): a Saddle for each change of sign of the slope along the ridge, and the Ridge they were found on.

    The scan is repeated with a finer quadrature where it leaves doubts; what the finest one leaves is in ``ridge.lost``.
    """
    for grade in range(_GRADES):
        saddles, found = _saddles_along(landscape, grade)
        if not found.doubts(max((s.value for s in saddles if s.maximum), default=None)):
            break
    return saddles, found


def _saddles_along(landscape, grade):
    newton, found = _scanning(landscape, grade), ridge(landscape, grade)
    saddles, unresolved = [], []
    for piece in found.pieces:
        for left, right in zip(piece[:-1], piece[1:]):
            if left.slope * right.slope < 0 and min(abs(left.slope), abs(right.slope)) > _NOISE:
                try:
                    saddles.append(_saddle_between(landscape, newton, left, right))
                except ConvergenceError:
                    unresolved.append(Lost(left.t, max(left.value, right.value), float("nan")))
    return saddles, replace(found, lost=(*found.lost, *unresolved))


def follow_saddle(landscape, saddle):
    """The saddle of a Landscape near one of another, with hyperparameters a little different; None where the determinant vanishes.

    Good to about 1e-9: the quadrature is not refined as in :func:`find_saddles`, and ``error`` is not estimated (nan). Raises
    ConvergenceError where Newton's method does not settle.
    """
    newton = _Newton(landscape, _FINE.get(landscape.dimension, _LEAST_FINE), _MOST_NODES)
    found = newton.solve(saddle.point, True, 1e-5, max_steps=12)
    if found is None:
        return None
    point, step, e, residual, _, size = found
    value = newton.to_second_order(e, point, step)
    return Saddle(value, _is_maximum(newton, e), newton.moved(point, step, e), size * size, float("nan"))


def _saddle_between(landscape, newton, left, right):
    """The polished saddle between two points of the ridge. ConvergenceError where a finer quadrature finds no change of sign."""
    fine = _Newton(landscape, 1e-13, 8 * newton.max_nodes)
    fine.refine = 1.3 * newton.refine
    ends = fine.settle(left.point), fine.settle(right.point)
    if None in ends or ends[0].slope * ends[1].slope > 0:
        raise fine.failure("the quadrature of the scan is too coarse", left.point)
    for method, here, there in ((newton, left, right), (fine, *ends)):
        try:
            found = _between(method, here, there)
            saddle = None if found is None else _polish(landscape, found)
        except ConvergenceError:
            continue
        if saddle is not None and left.t <= np.log(saddle.point.q[landscape.lead]) <= right.t:
            return saddle
    raise fine.failure("a saddle was bracketed but not reached", left.point)


def ridge(landscape, grade=0):
    """The :class:`Ridge` of a Landscape, from starts at eleven amplitudes; ``grade`` raises the accuracy of its quadrature."""
    newton = _scanning(landscape, grade)
    pieces, lost = [], []
    top = landscape.top
    bottom = np.log(top) - _DEPTH
    for mismatch, q in _amplitudes(landscape):
        t = np.log(q[landscape.lead])
        if pieces and mismatch > 1.0:  # far from any mean-field loop: a ridge of its own is not to be expected
            break
        if any(p[0].t - 0.2 <= t <= p[-1].t + 0.2 for p in pieces):
            continue
        try:
            start = _start(landscape, newton, q)
        except ConvergenceError:
            lost.append(Lost(float(t), float("nan"), float("nan")))
            continue
        if start is None or any(p[0].t <= start.t <= p[-1].t for p in pieces):
            continue
        up, lost_above = _follow(newton, start, 1.0, np.log(top))
        down, lost_below = _follow(newton, start, -1.0, bottom)
        pieces.append((*down[::-1], start, *up))
        lost += [Lost(e.t, e.value, e.slope * way) for e, way in ((lost_above, 1.0), (lost_below, -1.0)) if e is not None]
    # a start that failed within a piece found later has lost nothing
    lost = [end for end in lost if not any(p[0].t < end.t < p[-1].t for p in pieces)]
    return Ridge(tuple(pieces), tuple(lost))


def _amplitudes(landscape):
    """(mismatch, moments) to start from, those nearest to the mean-field loop first."""
    top, out = landscape.top, []
    for depth in (0.2, 0.45, 0.8, 1.3, 1.9, 2.6, 3.5, 5.0, 7.0, 9.0, 10.5):
        q = np.full(len(landscape.fed), 0.5)
        q[landscape.lead] = top * np.exp(-depth)
        for _ in range(len(q) + (0 if len(q) < 3 else 5)):
            new = landscape.moments(q, 1000)
            ratio = new[landscape.lead] / q[landscape.lead]
            new[landscape.lead] = q[landscape.lead]
            q = np.maximum(new, 1e-300)
        out.append((abs(np.log(ratio)), q))
    return sorted(out, key=lambda pair: pair[0])


def _start(landscape, newton, q):
    """A point of the ridge from nothing but moments, by a few careful rounds from mu = 0, then Newton.

    None where the determinant vanishes or the rate is hopelessly negative: the functional is a minimum over mu, so that it only
    falls from one round to the next. ConvergenceError where the rounds or Newton's method fail.
    """
    A, X = newton.A, newton.X
    point = landscape.perron_point(q)
    for _ in range(7):
        with np.errstate(all="ignore"):
            e = landscape.evaluate(point, newton.tol, newton.max_nodes)
        if e.value < 3.0 * _BOTTOM:
            return None
        if not np.isfinite(e.hessian).all():
            raise newton.failure("the functional is not finite", point)
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
    """(points, lost): the ridge from one of its points until it ends, dives, or reaches ``end``, in the order of the steps.

    ``lost`` is the last point where the solver failed before any of that, else None.
    """
    out, here, step, bend = [], start, _STEP, None
    while (end - here.t) * direction > 1e-9:
        room = _room(newton, here, direction)
        if room < _SHORTEST and (here.slope * direction < 0.0 or here.point.x.max() < 1e-7):
            return out, None
        h = direction * min(step, abs(end - here.t), 0.7 * room)
        change = h * here.tangent if bend is None else h * here.tangent + 0.5 * h**2 * bend
        guess = newton.moved(here.point, np.clip(change, -1.0, 1.0))
        point = replace(guess, q=_with(guess.q, newton.landscape.lead, np.exp(here.t + h)))
        try:
            there = newton.settle(point)
            failed = there is not None and not _joined(here, there)
        except ConvergenceError:
            there, failed = None, True
        if failed or there is None or there.point.x.max() < 1e-8:
            step = 0.5 * abs(h)
            if step < _SHORTEST * min(1.0, room):
                return out, here if failed else None
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
        step = min(1.6 * max(step, _SHORTEST), _STEP if there.t > start.t - 4.0 else 2.5 * _STEP)
    return out, None


def _joined(here, there):
    """Whether the rate has changed by the integral of its slope, as it must along one ridge with a quadrature that resolves it."""
    h = there.t - here.t
    miss = abs(there.value - here.value - 0.5 * h * (here.slope + there.slope))
    # the trapezoidal rule for a slope that grows like the third power of the moment, and some
    return miss <= abs(h) * (0.3 * abs(there.slope - here.slope) + 0.01 * (abs(here.slope) + abs(there.slope))) + 1e-12


def _room(newton, here, direction):
    """How far the determinant's unknowns are from zero, which ends the ridge, extrapolated linearly; inf where they are large.

    Where the rate still rises it is followed all the way: next to a mean-field fixed point that has just become unstable the
    maximum is as close to the end.
    """
    fall = -(direction * here.tangent[2 * newton.A : 2 * newton.A + newton.X]).min()
    return float(1.0 / fall) if fall > 0.0 and here.point.x.max() < 0.2 else np.inf


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
        try:
            found = newton.solve(guess, True, 1e-5, max_steps=8)
        except ConvergenceError:
            found = None
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
    """The saddle to all digits, with its signs, residual and quadrature error; None where the determinant vanishes.

    Raises ConvergenceError where Newton's method does not settle or leaves a residual.
    """
    dimension = landscape.dimension
    tol, goal = _FINE.get(dimension, _LEAST_FINE), _GOAL.get(dimension, _LEAST_GOAL)
    newton = _Newton(landscape, tol, _MOST_NODES)
    found = newton.solve(point, True, 1e-5, max_steps=12)
    if found is None:
        return None
    point, step, e, _, _, _ = found
    value, nodes, error = newton.to_second_order(e, point, step), e.nodes, np.inf
    point = newton.moved(point, step)
    for _ in range(12):
        newton.finer()
        step, e, residual = newton.step_from(point)
        finer, growth = newton.to_second_order(e, point, step), e.nodes / nodes
        if growth > 1.0:  # a grid that the bound on nodes has made no finer says nothing of the error
            error, nodes = abs(finer - value), e.nodes
        value = finer
        if error <= goal or e.nodes * growth > _MOST_NODES:
            break
        point = newton.moved(point, step)
    gate = _RESIDUAL if dimension <= 2 else _LEAST_RESIDUAL
    for _ in range(4):
        if np.abs(residual).max() <= gate:
            break
        point = newton.moved(point, step)
        step, e, residual = newton.step_from(point)
        value = newton.to_second_order(e, point, step)
    else:
        raise newton.failure(f"the saddle's residual stays at {np.abs(residual).max():.1e}", point)
    # what the last refinement changed bounds the error of the coarser grid; the finer one's is smaller
    return Saddle(value, _is_maximum(newton, e), point, float(np.abs(residual).max()), max(float(error), 4e-16))


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
            step[keep] = newton.solved(matrix[np.ix_(keep, keep)], -residual[keep], point)
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
    if not np.isfinite(e.hessian).all():
        return False
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
    goal = _GOAL.get(dimension, _LEAST_GOAL)
    for fixed_point in fixed_points(landscape.ensemble):
        if fixed_point.is_zero:
            continue
        newton = _Newton(landscape, _FINE.get(dimension, _LEAST_FINE), _MOST_NODES)
        point = _determinant_at(landscape, newton, fixed_point.q[list(landscape.fed)])
        value, residual, nodes = _log_determinant(newton, point)
        error = np.inf if point.x.any() else 0.0
        for _ in range(12):
            if error <= goal:
                break
            newton.finer()
            point, before = _determinant_at(landscape, newton, point.q, point), nodes
            finer, residual, nodes = _log_determinant(newton, point)
            if nodes > before:
                error = abs(finer - value)
            value = finer
            if nodes * nodes / before > _MOST_NODES:
                break
        out.append(Saddle(value, True, point, residual, max(error, fixed_point.error * value, 1e-16)))
    return out
