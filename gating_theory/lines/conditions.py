"""What critical values and lines of phase diagrams are zeros of [T5].

A :class:`Condition` is a set of equations for an ensemble and a few unknowns of its own, one equation more than unknowns:
``critical`` solves it along one path, ``critical_line`` follows it along two. The unknown, where there is one, is u = log x of the
leading moment of the solution that is followed: lines then pass smoothly through folds of that solution, where it is no function
of the hyperparameters. G(u) = log(R(x)/x) of the mean-field map vanishes at a solution.

    OnsetCondition     alpha = 1                                 no unknown
    FoldCondition      G = 0, dG/du = 0                          u
    OfZeroState        quantity - value = 0 at the zero state    no unknown
    OfSolution         G = 0, quantity - value = 0               u
    OfEnsemble         quantity - value = 0                      no unknown

where radius and abscissa have kinks and plateaus the largest log T on the circle or line of their value stands for the difference.

With two paths x and y, the function whose zeros are a line is::

    def F(z):                                               # z = (x, y, *unknowns)
        return condition.residuals(y.at(x.at(ensemble, z[0]), z[1]), z[2:])      # (1 + n_unknowns,) array

It starts at a critical value, ``condition.unknowns(found.ensemble, found.moments)``, or at one of ``condition.starts(ensemble)`` of
an ensemble near one, closed in on by :func:`solve` along one path. Residuals are nan where the condition has no meaning (no zero
state, a quantity that is not defined).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..errors import ConvergenceError
from ..mean_field.expansion import NoZeroState, excess
from ..mean_field.fixed_points import fixed_points, zero_state
from ..mean_field.folds import summits
from ..mean_field.moments import MomentMap
from ..support.roots import derivatives
from .measure import leading, state_at

if TYPE_CHECKING:
    from ..ensemble.ensemble import Ensemble
    from ..mean_field.fixed_point import FixedPoint
    from .measure import Measure

__all__ = ["Condition", "FoldCondition", "OfEnsemble", "OfSolution", "OfZeroState", "OnsetCondition", "Solved", "solve"]

#: Half the width, in u, of the window in which derivatives of G are taken: G changes on the scale of one.
_WINDOW = 0.15
#: Errors of G and of dG/du, in quadrature tolerances: what an interpolant makes of them.
_OF_VALUE, _OF_SLOPE = 10.0, 100.0
#: What alpha is known to, and that of cells with kinks, which is measured on the map.
_GROWTH, _MEASURED = 1e-13, 1e-10
#: Steps of Newton's method, and where it ends, relative to the larger of 1 and the unknown.
_STEPS, _CLOSE = 30, 1e-13
#: Steps of its central differences, relative likewise, are the cube root of the errors within these: then what they leave out, of
#: the order of their square, is as small as what the errors make of them.
_SHORTEST, _LONGEST = 1e-6, 0.05


class Condition(ABC):
    """Equations that hold on a line of a phase diagram, one more than they have unknowns of their own.

    Attributes
    ----------
    name : str, what it is: "onset", "fold", or the quantity and its value
    n_unknowns : int, 0 or 1
    """

    name: str
    n_unknowns: int = 0

    @abstractmethod
    def residuals(self, ensemble: Ensemble, unknowns: np.ndarray) -> np.ndarray:
        """(1 + n_unknowns,) array that vanishes where the condition holds; nan where it has no meaning.

        Parameters
        ----------
        ensemble : Ensemble
        unknowns : (n_unknowns,) array
        """

    @abstractmethod
    def errors(self, ensemble: Ensemble, unknowns: np.ndarray) -> np.ndarray:
        """(1 + n_unknowns,) array, the errors of the residuals where the condition holds; arguments as of :meth:`residuals`."""

    @abstractmethod
    def starts(self, ensemble: Ensemble) -> list[np.ndarray]:
        """Unknowns, each a (n_unknowns,) array, of what the condition may be about at an ensemble: the solution, extrema of G.

        Parameters
        ----------
        ensemble : Ensemble
        """

    def state(self, ensemble: Ensemble, unknowns: np.ndarray) -> FixedPoint | None:
        """The state that the condition is about, None where there is none; arguments as of :meth:`residuals`."""
        return state_at(ensemble, float(unknowns[0]))[0] if self.n_unknowns else zero_state(ensemble)

    def unknowns(self, ensemble: Ensemble, moments: Mapping[str, float]) -> np.ndarray:
        """(n_unknowns,) array for a state with these moments.

        Parameters
        ----------
        ensemble : Ensemble
        moments : {message: second moment}, as of a Critical or a FixedPoint
        """
        return np.array([np.log(list(moments.values())[leading(MomentMap(ensemble))])] if self.n_unknowns else [])


class OnsetCondition(Condition):
    """The zero state loses stability: alpha = 1 [T5]."""

    name = "onset"

    def residuals(self, ensemble: Ensemble, unknowns: np.ndarray) -> np.ndarray:
        """(1,) array, (alpha - 1)/(alpha + 1)."""
        try:
            return np.array([excess(ensemble)])
        except NoZeroState:
            return np.array([np.nan])

    def errors(self, ensemble: Ensemble, unknowns: np.ndarray) -> np.ndarray:
        """(1,) array."""
        return np.array([_GROWTH if ensemble.cell.compiled.smooth else _MEASURED])

    def starts(self, ensemble: Ensemble) -> list[np.ndarray]:
        """One, without unknowns."""
        return [np.zeros(0)]


class FoldCondition(Condition):
    """Two solutions are born or merge: G = dG/du = 0 [T5]."""

    name, n_unknowns = "fold", 1

    def residuals(self, ensemble: Ensemble, unknowns: np.ndarray) -> np.ndarray:
        """(2,) array, G and dG/du."""
        return self.derivatives(ensemble, unknowns, 1)

    def derivatives(self, ensemble: Ensemble, unknowns: np.ndarray, count: int) -> np.ndarray:
        """(count + 1,) array, G and its first derivatives by u: a cusp is where the second vanishes too.

        Parameters
        ----------
        ensemble : Ensemble
        unknowns : (1,) array
        count : int
        """
        moments = MomentMap(ensemble)
        if not moments.loop:
            return np.full(count + 1, np.nan)
        return derivatives(lambda u: moments.log_ratio(np.exp(u), moments.fine), float(unknowns[0]), _WINDOW, count)

    def errors(self, ensemble: Ensemble, unknowns: np.ndarray) -> np.ndarray:
        """(2,) array."""
        return MomentMap(ensemble).fine * np.array([_OF_VALUE, _OF_SLOPE])

    def starts(self, ensemble: Ensemble) -> list[np.ndarray]:
        """The maxima of G, those nearest to zero first."""
        return [np.array([u]) for u, _ in sorted(summits(MomentMap(ensemble)), key=lambda peak: abs(peak[1]))]


class OfZeroState(Condition):
    """A quantity has a value at the zero state.

    Parameters
    ----------
    measure : Measure
    value : float
    """

    def __init__(self, measure: Measure, value: float) -> None:
        self.measure, self.value, self.name = measure, value, f"{measure.name} = {value:g}"

    def residuals(self, ensemble: Ensemble, unknowns: np.ndarray) -> np.ndarray:
        """(1,) array, quantity - value."""
        zero = zero_state(ensemble)
        return np.array([np.nan if zero is None else self.measure.beyond(zero, self.value)])

    def errors(self, ensemble: Ensemble, unknowns: np.ndarray) -> np.ndarray:
        """(1,) array."""
        zero = zero_state(ensemble)
        return np.array([np.nan if zero is None else self.measure.beyond_error(zero, self.value)])

    def starts(self, ensemble: Ensemble) -> list[np.ndarray]:
        """One, without unknowns, where there is a zero state."""
        return [] if zero_state(ensemble) is None else [np.zeros(0)]


class OfSolution(Condition):
    """A quantity has a value at a solution that is not the zero state: G = 0 and quantity - value = 0, both smooth in u.

    Parameters
    ----------
    measure : Measure
    value : float
    number : int, which of the :func:`fixed_points` to start from: -1 for the one with the largest moments
    """

    n_unknowns = 1

    def __init__(self, measure: Measure, value: float, number: int = -1) -> None:
        self.measure, self.value, self.number, self.name = measure, value, number, f"{measure.name} = {value:g}"

    def residuals(self, ensemble: Ensemble, unknowns: np.ndarray) -> np.ndarray:
        """(2,) array, G and quantity - value."""
        state, G = state_at(ensemble, float(unknowns[0]))
        return np.array([G, self.measure.beyond(state, self.value)])

    def errors(self, ensemble: Ensemble, unknowns: np.ndarray) -> np.ndarray:
        """(2,) array."""
        state, _ = state_at(ensemble, float(unknowns[0]))
        return np.array([_OF_VALUE * MomentMap(ensemble).fine, self.measure.beyond_error(state, self.value)])

    def starts(self, ensemble: Ensemble) -> list[np.ndarray]:
        """u of the solution, where there is one that is not the zero state."""
        points = fixed_points(ensemble)
        if not -len(points) <= self.number < len(points) or points[self.number].is_zero:
            return []
        return [self.unknowns(ensemble, points[self.number].moments)]


class OfEnsemble(Condition):
    """A quantity of the ensemble has a value: a complexity, a Lyapunov exponent.

    Parameters
    ----------
    measure : Measure
    value : float
    """

    def __init__(self, measure: Measure, value: float) -> None:
        self.measure, self.value, self.name = measure, value, f"{measure.name} = {value:g}"

    def residuals(self, ensemble: Ensemble, unknowns: np.ndarray) -> np.ndarray:
        """(1,) array, quantity - value."""
        return np.array([self.measure.at(ensemble) - self.value])

    def errors(self, ensemble: Ensemble, unknowns: np.ndarray) -> np.ndarray:
        """(1,) array."""
        return np.array([self.measure.error(ensemble)])

    def starts(self, ensemble: Ensemble) -> list[np.ndarray]:
        """One, without unknowns."""
        return [np.zeros(0)]


# --- along one path


class Solved(NamedTuple):
    """Where a condition holds along a path: the value of the hyperparameter, the unknowns, and the value's error."""

    value: float
    unknowns: np.ndarray
    error: float


def solve(condition: Condition, at: Callable[[float], Ensemble], value: float, unknowns: np.ndarray) -> Solved:
    """The place along a path at which a condition holds, by Newton's method from one nearby.

    Parameters
    ----------
    condition : Condition
    at : callable, the ensemble at a value of the path; ValueError where it does not go so far
    value : float, where to start
    unknowns : (n_unknowns,) array, where to start

    Raises
    ------
    ConvergenceError
        none was reached from there
    """
    z = np.array([value, *unknowns])

    def f(z):
        try:
            ensemble = at(float(z[0]))
        except ValueError:  # beyond the range of the path
            return np.full(z.size, np.nan)
        return condition.residuals(ensemble, z[1:])

    errors = condition.errors(at(value), z[1:])
    steps = np.clip(np.cbrt(errors.max()), _SHORTEST, _LONGEST)
    for _ in range(_STEPS):
        here = f(z)
        J = _derivatives(f, z, here, steps * np.maximum(1.0, np.abs(z)))
        if not (np.isfinite(here).all() and np.isfinite(J).all()) or np.linalg.matrix_rank(J) < z.size:
            break
        inverse = np.linalg.inv(J)
        step, moved = -inverse @ here, np.abs(inverse) @ errors
        z = z + step
        # what is left after a step is much less than the step
        if np.all(np.abs(step) <= np.maximum(_CLOSE * np.maximum(1.0, np.abs(z)), moved)):
            return Solved(float(z[0]), z[1:], float(moved[0]))
    raise ConvergenceError(f"{condition.name} was not reached from {value}", estimate=float(z[0]))


def _derivatives(f, z, here, steps):
    """Derivatives of f at z by central differences, by one-sided ones where f is not defined on the other side."""
    J = np.empty((z.size, z.size))
    for i, h in enumerate(steps):
        move = np.zeros(z.size)
        move[i] = h
        up, down = f(z + move), f(z - move)
        ahead, behind = (up - here) / h, (here - down) / h
        J[:, i] = np.where(np.isnan(ahead), behind, np.where(np.isnan(behind), ahead, 0.5 * (ahead + behind)))
    return J
