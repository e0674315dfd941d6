"""A curve given by equations of one unknown more than there are: Newton's method onto it, steps along it, zeros on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import ConvergenceError

__all__ = ["OnCurve", "Steps", "corrected", "null_direction", "sign_change", "zero_between"]

#: u -> values (m,) and derivatives (m, m + 1)
Equations = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]

#: (guess, tangent) -> the point of the curve in the hyperplane through the guess across the tangent; ConvergenceError where none is
Onto = Callable[[np.ndarray, np.ndarray], "OnCurve"]

#: Largest correction, relative to unknowns beyond 1, at which Newton's method has converged; below the second it may stall.
_TOL, _ROUNDING = 1e-13, 1e-10

#: Corrections before Newton's method is given up, and unknowns beyond which it is lost.
_ITERATIONS, _AWAY = 12, 1e6

#: Distance of neighbours between which a zero is interpolated.
_CLOSE = 1e-6

#: Cosine of the angle between neighbouring tangents: below the first a step is halved, above the second the next one is longer.
_SHARP, _STRAIGHT = 0.93, 0.995

#: The first step in units of the longest, by what steps grow, the shortest one, and a jump onto another curve, in steps.
_FIRST, _GROWTH, _SHORTEST, _JUMP = 0.2, 1.4, 1e-9, 1.5


@dataclass(frozen=True)
class OnCurve:
    """A point of a curve: unknowns ``u``, unit ``tangent``, and the size of the last correction of u as its ``error``."""

    u: np.ndarray
    tangent: np.ndarray
    error: float


def null_direction(equations: Equations, u: np.ndarray) -> np.ndarray:
    """A unit tangent of the curve at a point on it or near it."""
    direction: np.ndarray = np.linalg.svd(equations(u)[1])[2][-1]
    return direction


def corrected(
    equations: Equations, guess: np.ndarray, tangent: np.ndarray, close: float = _TOL, rounding: float = _ROUNDING
) -> OnCurve:
    """Newton's method onto the curve in the hyperplane through ``guess`` across ``tangent``.

    Parameters
    ----------
    equations : callable
    guess, tangent : (m + 1,) arrays
    close : float
        Largest correction, relative to unknowns beyond 1, at which it has converged.
    rounding : float
        Below this, corrections that stop shrinking are rounding errors.

    Returns
    -------
    OnCurve, its tangent in the sense of the one given

    Raises
    ------
    ConvergenceError
        no convergence
    """
    u, last = guess, np.inf
    for _ in range(_ITERATIONS):
        try:
            values, slopes = equations(u)
            A = np.vstack([slopes, tangent])
            change = np.linalg.solve(A, -np.append(values, tangent @ (u - guess)))
        except np.linalg.LinAlgError:
            break
        u = u + change
        size = float(np.abs(change).max()) / max(1.0, float(np.abs(u).max()))
        if not size < _AWAY:
            break
        # where corrections are small and stop shrinking they are the rounding errors
        if size < close or (size < rounding and size > 0.1 * last):
            direction = np.linalg.solve(A, np.eye(1, len(u), len(u) - 1)[0])
            return OnCurve(u, direction / np.linalg.norm(direction), size)
        last = size
    raise ConvergenceError("continuation: Newton's method does not converge", u)


@dataclass
class Steps:
    """Steps along a curve, shorter where it turns.

    Attributes
    ----------
    longest : float
    length : float, of the next step
    bend : array or None
        By what the tangent turns per length; steps follow it where it is set.
    """

    longest: float
    length: float = 0.0
    bend: np.ndarray | None = None

    def __post_init__(self) -> None:
        self.length = self.length or _FIRST * self.longest

    def next(self, onto: Onto, point: OnCurve) -> OnCurve:
        """The next point of the curve; ConvergenceError where even the shortest step fails."""
        while self.length > _SHORTEST:
            guess = point.u + self.length * point.tangent
            if self.bend is not None:
                guess = guess + 0.5 * self.length**2 * self.bend
            try:
                new = onto(guess, point.tangent)
            except ConvergenceError:
                new = None
            if new is not None and self._near(point, new):
                if new.tangent @ point.tangent > _STRAIGHT:
                    self.length = min(_GROWTH * self.length, self.longest)
                return new
            self.length *= 0.5
        raise ConvergenceError("continuation: the curve is lost", point.u)

    def _near(self, point, new):
        return new.tangent @ point.tangent > _SHARP and np.linalg.norm(new.u - point.u) < _JUMP * self.length


def sign_change(test: Callable[[float], float], length: float, **tolerances: float) -> float:
    """Where a test function along a curve changes its sign.

    Parameters
    ----------
    test : callable of the length along the curve
    length : float, the end of the bracket, which begins at 0
    tolerances : ``xtol`` and ``rtol`` of brentq

    Returns
    -------
    float in [0, length]

    Raises
    ------
    ConvergenceError
        the same sign at both ends, or no number on the way
    """
    from scipy.optimize import brentq

    known: dict[float, float] = {}

    def number(s: float) -> float:
        if s not in known:
            known[s] = test(s)
        if np.isnan(known[s]):
            raise ConvergenceError("continuation: a test function is not a number", s)
        return known[s]

    if number(0.0) * number(length) > 0.0:
        raise ConvergenceError("continuation: a test function has the same sign at both ends", length)
    return brentq(number, 0.0, length, **tolerances)


def zero_between(onto: Onto, point: OnCurve, new: OnCurve, test: Callable[[OnCurve], float]) -> tuple[OnCurve, float, float]:
    """Where a test function vanishes between two neighbours of a curve.

    Parameters
    ----------
    onto : callable, onto the curve
    point, new : two neighbours on it
    test : callable, of opposite sign at the two, or 0 at ``new``

    Returns
    -------
    OnCurve, where it vanishes
    test : float, its value there
    slope : float, its mean change per unit of the unknowns between the two

    Raises
    ------
    ConvergenceError
        no zero is found
    """
    secant = new.u - point.u
    length = float(np.linalg.norm(secant))
    secant = secant / length
    known: dict[float, tuple[OnCurve, float]] = {}

    tried = [0.0]

    def value(s):
        tried.append(s)
        there = onto(point.u + s * secant, secant)
        known[s] = there, test(there)
        return known[s][1]

    try:
        s = sign_change(value, length, xtol=1e-15, rtol=8.9e-16)
        if s not in known:
            value(s)
        there, rest = known[s]
    except ConvergenceError:
        # where two curves of one kind cross, Newton's method fails: what is known closely on both sides tells the place
        for beside in (tried[-1] - _CLOSE / 4, tried[-1] + _CLOSE / 4):
            value(beside)
        there, rest = _interpolated(known, point.tangent)
    slope = abs(known[length][1] - known[0.0][1]) / length
    return OnCurve(there.u, there.tangent if there.tangent @ point.tangent > 0 else -there.tangent, there.error), rest, slope


def _interpolated(known, tangent):
    """The zero between the closest known points on both sides."""
    below = max((s for s in known if known[s][1] * known[0.0][1] > 0.0), default=None)
    above = min((s for s in known if known[s][1] * known[0.0][1] <= 0.0), default=None)
    if below is None or above is None or not 0.0 < above - below < _CLOSE:
        raise ConvergenceError("continuation: a test function cannot be followed to its zero", known)
    (left, a), (right, b) = known[below], known[above]
    part = a / (a - b)
    # a straight line between neighbours is off by the square of their distance
    error = (above - below) ** 2 + left.error + right.error
    return OnCurve(left.u + part * (right.u - left.u), tangent, error), 0.0
