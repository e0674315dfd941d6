"""Saddles of the complexity functional: where the slope of the ridge changes its sign, polished to all digits [T7]."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..errors import ConvergenceError
from ..mean_field.fixed_points import fixed_points
from ..results.encoding import dict_of, result
from .functional import ComplexityFunctional, Point
from .newton import Newton, rescaled
from .ridge import NOISE, Lost, Ridge, ridge, scanning

__all__ = ["LEAST_RATE", "LEAST_RESIDUAL", "RESIDUAL", "Saddle", "find_saddles", "follow_saddle", "mean_field_saddles"]

#: Quadrature tolerance of the final saddle, which is then made finer until the rate moves by less than the goal, within the nodes.
_FINE = {1: 1e-14, 2: 1e-13, 3: 1e-9}
_LEAST_FINE = 1e-5
_GOAL = {1: 1e-13, 2: 1e-13, 3: 1e-11}
_LEAST_GOAL = 1e-9
_MOST_NODES = 1_200_000
#: Largest relative residual that a saddle may keep, of up to two variables and of more; the value errs by its square.
RESIDUAL, LEAST_RESIDUAL = 1e-9, 1e-5
#: A mean-field fixed point was missed if its rate is larger by so many errors and this; below this share of the largest it was not.
_SURE, LEAST_RATE, _CLEARLY = 10.0, 1e-12, 0.8
#: The least error of a mean-field rate, relative to x; how far aside of a fixed point its dependence on the moments is measured.
_LEAST_ERROR, _ASIDE = 4.0 * np.finfo(float).eps, 1e-3
#: Grades of the scan's quadrature: what one leaves in doubt the next one does again.
_GRADES = 3
#: Newton's method on everything at once: the step at which it ends (what is left enters the value squared), and how many it takes.
_LAST_STEP, _MOST_STEPS = 1e-5, 12
#: Rounds in which a quadrature is made finer.
_FINER = 12
#: How near to an end of its bracket the secant may try: at least this share of the bracket away from it.
_MARGIN = 0.1


@result("saddle")
@dataclass(frozen=True)
class Saddle:
    """A stationary point of the complexity functional [T7].

    Attributes
    ----------
    value : float, the rate Sigma there
    maximum : bool
        Whether it has the signs of a saddle that counts: a maximum in moments and determinant, a minimum in their multipliers.
    point : functional.Point
    residual : float, largest relative residual of the equations
    error : float, estimated quadrature error of the value
    """

    value: float
    maximum: bool
    point: Point
    residual: float
    error: float

    as_dict = dict_of


def find_saddles(functional: ComplexityFunctional) -> tuple[list[Saddle], Ridge]:
    """(saddles, ridge): a Saddle for each change of sign of the slope along the ridge, and the Ridge they were found on.

    The scan is repeated with a finer quadrature where it leaves doubts: places where the solver failed, and mean-field fixed points
    whose rate exceeds that of all saddles, which is none's to exceed. What the finest one leaves is in ``ridge.lost``.
    """
    for grade in range(_GRADES):
        saddles, found = _saddles_along(functional, grade)
        best = max((s.value for s in saddles if s.maximum), default=None)
        found = replace(found, lost=(*found.lost, *_missed(functional, grade, best)))
        if not found.doubts(best):
            break
    return saddles, found


def _missed(functional, grade, best):
    """A Lost for each mean-field fixed point whose rate exceeds the largest one found by more than the quadrature's error."""
    missed, least = [], max(best or 0.0, 0.0)
    coarse, fine = scanning(functional, grade), scanning(functional, grade + 1)
    for q in functional.mean_field:
        if functional.loop_strength(functional.plain(q)) <= 1.0:
            continue
        rate = _rate_at(functional, coarse, q)
        if rate < _CLEARLY * least:
            continue
        rate, before = _rate_at(functional, fine, q), rate
        if rate > least + _SURE * abs(rate - before) + LEAST_RATE:
            missed.append(Lost(float(np.log(q[functional.lead])), rate))
    return tuple(missed)


def _rate_at(functional, newton, q):
    """log|det| per unit at moments q of a mean-field fixed point."""
    return _log_determinant(newton, _determinant_at(functional, newton, q))[0]


def _saddles_along(functional, grade):
    newton, found = scanning(functional, grade), ridge(functional, grade)
    saddles, unresolved = [], []
    for piece in found.pieces:
        firm = [p for p in piece if abs(p.slope) > NOISE]  # a start may hit a maximum by chance
        for left, right in zip(firm[:-1], firm[1:]):
            if left.slope * right.slope < 0:
                try:
                    saddles.append(_saddle_between(functional, newton, left, right))
                except ConvergenceError:
                    unresolved.append(Lost(left.t, max(left.value, right.value)))
    return saddles, replace(found, lost=(*found.lost, *unresolved))


def follow_saddle(functional: ComplexityFunctional, saddle: Saddle) -> Saddle | None:
    """The saddle of a functional near one of another with a little different hyperparameters; None where the determinant vanishes.

    Good to about 1e-9: the quadrature is not refined as in :func:`find_saddles`, and ``error`` is not estimated (nan). Raises
    ConvergenceError where Newton's method does not settle.
    """
    newton = Newton(functional, _FINE.get(functional.dimension, _LEAST_FINE), _MOST_NODES)
    found = newton.solve(saddle.point, newton.everything, _LAST_STEP, _MOST_STEPS)
    if found is None:
        return None
    point, step, e, residual, _, size = found
    value = newton.to_second_order(e, point, step)
    return Saddle(value, _is_maximum(newton, e, point), newton.moved(point, step, e), size * size, float("nan"))


def _saddle_between(functional, newton, left, right):
    """The polished saddle between two points of the ridge. ConvergenceError where a finer quadrature finds no change of sign."""
    fine = Newton(functional, 1e-13, 8 * newton.max_nodes)
    fine.refine = 1.3 * newton.refine
    ends = fine.settle(left.point), fine.settle(right.point)
    if None in ends or ends[0].slope * ends[1].slope > 0:
        raise fine.failure("the quadrature of the scan is too coarse", left.point)
    for method, here, there in ((newton, left, right), (fine, *ends)):
        try:
            found = _between(method, here, there)
            saddle = None if found is None else _polish(functional, found)
        except ConvergenceError:
            continue
        if saddle is not None and left.t <= np.log(saddle.point.q[functional.lead]) <= right.t:
            return saddle
    raise fine.failure("a saddle was bracketed but not reached", left.point)


def _between(newton, left, right):
    """The stationary point between two points of the ridge, or None: Newton from the secant, bisection where that strays."""
    for _ in range(60):
        share = left.slope / (left.slope - right.slope)
        share = min(max(share, _MARGIN), 1.0 - _MARGIN)
        t = left.t + share * (right.t - left.t)
        nearer = left if share < 0.5 else right
        guess = newton.moved(nearer.point, np.clip((t - nearer.t) * nearer.tangent, -1.0, 1.0))
        try:
            found = newton.solve(guess, newton.everything, _LAST_STEP, max_steps=8)
        except ConvergenceError:
            found = None
        if found is not None:
            point, step = found[0], found[1]
            at = np.log(point.q[newton.functional.lead])
            if left.t <= at <= right.t:
                return newton.moved(point, step, found[2])
        middle = newton.settle(newton.at_lead(guess, t))
        if middle is None:
            break
        left, right = (middle, right) if middle.slope * left.slope > 0 else (left, middle)
    return None


def _polish(functional, point):
    """The saddle to all digits, with its signs, residual and quadrature error; None where the determinant vanishes.

    Raises ConvergenceError where Newton's method does not settle or leaves a residual.
    """
    dimension = functional.dimension
    tol, goal = _FINE.get(dimension, _LEAST_FINE), _GOAL.get(dimension, _LEAST_GOAL)
    newton = Newton(functional, tol, _MOST_NODES)
    found = newton.solve(point, newton.everything, _LAST_STEP, _MOST_STEPS)
    if found is None:
        return None
    point, step, e, _, _, _ = found
    value, nodes, error = newton.to_second_order(e, point, step), e.nodes, np.inf
    point = newton.moved(point, step)
    for _ in range(_FINER):
        newton.finer()
        step, e, residual = newton.step_from(point)
        finer, growth = newton.to_second_order(e, point, step), e.nodes / nodes
        if growth > 1.0:  # a grid that the bound on nodes has made no finer says nothing of the error
            error, nodes = abs(finer - value), e.nodes
        value = finer
        if error <= goal or e.nodes * growth > _MOST_NODES:
            break
        point = newton.moved(point, step)
    gate = RESIDUAL if dimension <= 2 else LEAST_RESIDUAL
    for _ in range(4):
        if np.abs(residual).max() <= gate:
            break
        point = newton.moved(point, step)
        step, e, residual = newton.step_from(point)
        value = newton.to_second_order(e, point, step)
    else:
        raise newton.failure(f"the saddle's residual stays at {np.abs(residual).max():.1e}", point)
    # what the last refinement changed bounds the error of the coarser grid; the finer one's is smaller
    error = max(float(error), e.rounding, newton.functional.random.misplaced(newton.functional.variables))
    return Saddle(value, _is_maximum(newton, e, point), point, float(np.abs(residual).max()), error)


def _determinant_at(functional, newton, q, start=None):
    """The Point with moments q, mu = 0 and the determinant's unknowns solved for under the Gaussian law of the fields."""
    A, X = newton.A, newton.X
    if functional.loop_strength(functional.plain(q)) <= 1.0:  # 1 is outside the support of the spectrum
        return functional.plain(q)
    point = start or functional.perron_point(functional.plain(q))
    keep = newton.determinant
    for iteration in range(200):
        e, residual, matrix = newton.gaussian_system(point)
        step = np.zeros(newton.size)
        tilt, free = keep[X:], np.setdiff1d(keep, newton.held(point, residual))
        if iteration < 12 and start is None:  # x goes to its usage, tau to the minimum of a convex function
            step[2 * A : 2 * A + X] = rescaled(e, point.x, 2 * A) / point.x - 1.0
            if tilt.size:
                step[tilt] = np.clip(np.linalg.lstsq(matrix[np.ix_(tilt, tilt)], -residual[tilt], rcond=1e-12)[0], -1.0, 1.0)
        else:
            step[free] = newton.solved(matrix[np.ix_(free, free)], -residual[free], point)
        point = newton.moved(point, step)
        if point.x.max() < 1e-12:
            return replace(point, x=np.zeros(X))
        if np.abs(step).max() < 1e-7:  # the value is stationary: what is left enters squared
            return point
    raise ConvergenceError(f"the determinant at a mean-field fixed point of {functional.ensemble!r} was not solved", estimate=point)


def _log_determinant(newton, point):
    """(log|det| per unit, residual, nodes) under the Gaussian law."""
    if not point.x.any():
        return 0.0, 0.0, 0
    e, residual, _ = newton.gaussian_system(point)
    left = np.setdiff1d(newton.determinant, newton.held(point, residual))
    return newton.at_limit(e, point), float(np.abs(residual[left]).max(initial=0.0)), e.nodes


def _is_maximum(newton, e, point):
    """A minimum in (mu, tau, nu), and in what is left a maximum in (q, log x).

    Told by counting signs: a symmetric matrix has as many positive eigenvalues as a block of it and the Schur complement of that
    have together. Next to an onset messages are alike and the complement is rounding, the whole matrix is not.
    """
    A, X = newton.A, newton.X
    if not np.isfinite(e.hessian).all():
        return False
    free = np.setdiff1d(newton.everything, newton.held(point, e.gradient))
    low = np.isin(free, np.r_[A : 2 * A, 2 * A + X : newton.size])
    own = np.abs(np.diag(e.hessian)[2 * A :])
    # units in which no row is small of itself: q and mu relative to q
    units = np.concatenate([point.q, 1.0 / point.q, 1.0 / np.sqrt(np.where(own > 0.0, own, 1.0))])
    matrix = (e.hessian * units * units[:, None])[np.ix_(free, free)]
    signs = np.linalg.eigvalsh(matrix)
    return bool(np.linalg.eigvalsh(matrix[np.ix_(low, low)]).min() > 0.0 and (signs > 0.0).sum() == low.sum() and signs.all())


# --- at the mean-field fixed points


def mean_field_saddles(functional: ComplexityFunctional) -> list[Saddle]:
    """log|det| at each mean-field fixed point but the zero state, as Saddles with mu = 0."""
    out = []
    dimension = functional.dimension
    goal = _GOAL.get(dimension, _LEAST_GOAL)
    for fixed_point in fixed_points(functional.ensemble):
        if fixed_point.is_zero:
            continue
        newton = Newton(functional, _FINE.get(dimension, _LEAST_FINE), _MOST_NODES)
        point = _determinant_at(functional, newton, fixed_point.q[list(functional.fed)])
        value, residual, nodes = _log_determinant(newton, point)
        error = np.inf if point.x.any() else 0.0
        for _ in range(_FINER):
            if error <= goal:
                break
            newton.finer()
            point, before = _determinant_at(functional, newton, point.q, point), nodes
            finer, residual, nodes = _log_determinant(newton, point)
            if nodes > before:
                error = abs(finer - value)
            value = finer
            if nodes * nodes / before > _MOST_NODES:
                break
        error = max(error, _LEAST_ERROR * point.x.sum()) + _error_by_moments(functional, point, fixed_point.error)
        out.append(Saddle(value, True, point, residual, error))
    return out


def _error_by_moments(functional, point, error):
    """What a relative error of the moments of a mean-field fixed point does to log|det| there."""
    ends = [functional.completed(point.q[functional.lead] * np.exp(way * _ASIDE))[0] for way in (-0.5, 0.5)]
    if point.x.any():
        newton = scanning(functional)
        rates = [_log_determinant(newton, _determinant_at(functional, newton, q, replace(point, q=q)))[0] for q in ends]
        return float(error * abs(rates[1] - rates[0]) / _ASIDE)
    low, here, high = (functional.loop_strength(functional.plain(q)) for q in (ends[0], point.q, ends[1]))
    unsure = error * abs(high - low) / _ASIDE
    return unsure**2 if here + unsure > 1.0 else 0.0  # log|det| grows like the square of the excess
