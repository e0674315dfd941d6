"""What happens along lines: functions that change their sign at special points, and ends at the zero state's onset [T5]."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..errors import CapabilityError, ConvergenceError
from ..mean_field.expansion import excess, small_moments
from .conditions import FoldCondition, OfSolution, OnsetCondition
from .plane import UNIT
from .tracing import Mark, Zeros

if TYPE_CHECKING:
    from ..ensemble.ensemble import Ensemble
    from .conditions import Condition
    from .plane import Plane
    from .tracing import Place

__all__ = ["birth", "excess_of", "zeros_of"]

#: The smallest leading moment down to which solutions are followed where there is a zero state that they may be born from; where
#: there is one on an edge of the bounds only, the spread of biases being zero there, like the moment's power 1.5 beside it; and
#: where there is none.
_NEWBORN, _AT_EDGE, _TINY = 1e-5, 1e-4, 1e-12
#: The middles of the edges, in units of the box.
_EDGES = ((0.0, 0.5), (1.0, 0.5), (0.5, 0.0), (0.5, 1.0))

#: A line along which moments vanish that ends nearer than this to an edge of the bounds, in units of the box, ends on it.
_BESIDE_EDGE = 1e-3

#: A tricritical point further than this from where a line was left, in units of the box, is another one.
_NEAR = 0.05

#: What is left of the way to a birth may take so much of the moment's logarithm, in units of the box.
_REACH = 1.0

#: Where Newton's method on a point has converged, and the step of its differences, in units of the box.
_CLOSE, _STEP, _ITERATIONS = 1e-13, 1e-6, 20


def zeros_of(condition: Condition, plane: Plane) -> Zeros:
    """A condition in a plane as functions to be followed, with the tests of its special points.

    Unknowns are the two coordinates in units of the bounds' widths and the logarithm of the leading moment in units of four.

    Parameters
    ----------
    condition : Condition
    plane : Plane
    """
    own = condition.n_unknowns
    low, high = np.zeros(2 + own), np.ones(2 + own)
    if own:
        low[2], high[2] = np.log(_smallest(condition, plane)) / UNIT, np.inf

    def residuals(u):
        return condition.residuals(plane.there(u), UNIT * u[2:])

    def errors(u):
        return condition.errors(plane.there(u), UNIT * u[2:])

    return Zeros(residuals, errors, low, high, _tests(condition, plane))


def _smallest(condition, plane):
    """The smallest leading moment to which a condition is followed."""
    if excess_of(plane.there(np.array([0.5, 0.5]))) is not None:
        return _NEWBORN
    # lines of where spectra end leave for the zero state's onset, those of small moments do not
    leaves = isinstance(condition, OfSolution) and condition.measure.entry.passes is not None
    return _AT_EDGE if leaves and any(excess_of(plane.there(np.array(u))) is not None for u in _EDGES) else _TINY


def _tests(condition: Condition, plane: Plane) -> Mapping[str, Callable[[Place], float]]:
    """{kind of special point: function that changes its sign there}."""
    if isinstance(condition, OnsetCondition) and plane.ensemble.cell.compiled.smooth:
        return {"tricritical": lambda place: small_moments(plane.there(place.u))[1]}
    if isinstance(condition, FoldCondition):
        return {"cusp": lambda place: condition.derivatives(plane.there(place.u), UNIT * place.u[2:], 2)[2]}
    if isinstance(condition, OfSolution):
        fold = FoldCondition()
        return {"fold": lambda place: fold.residuals(plane.there(place.u), UNIT * place.u[2:])[1]}
    return {}


def excess_of(ensemble: Ensemble) -> float | None:
    """(alpha - 1)/(alpha + 1) of the zero state, None where there is none."""
    try:
        return excess(ensemble)
    except CapabilityError:
        return None


def birth(condition: Condition, plane: Plane, last: np.ndarray, tangent: np.ndarray) -> Mark | None:
    """Where a line whose solution becomes small ends at the zero state's onset, or None where it does not.

    A line of folds ends at a tricritical point, where alpha = 1 and beta = 0; another one where it reaches alpha = 1.

    Parameters
    ----------
    condition : Condition, with the moment among its unknowns
    plane : Plane
    last : (n,) array, the last point of the line, in units of the box
    tangent : (n,) array, its direction there
    """
    if isinstance(condition, FoldCondition):
        if not plane.ensemble.cell.compiled.smooth:
            return None

        def both(u):
            ensemble = plane.there(u)
            return np.array([excess(ensemble), small_moments(ensemble)[1]])

        found = _root(both, last[:2])
        kind, error = "tricritical", 1e-10
    else:
        found = _along(lambda u: excess_of(plane.there(u)), *_towards_zero_states(plane, last[:2], tangent[:2]))
        # moments are linear in the distance from the onset, and so is all that bends the line
        kind, error = "born", 0.0 if found is None else float(np.linalg.norm(found - last[:2]) ** 2 + 1e-10)
    if found is None or np.linalg.norm(found - last[:2]) > _NEAR:
        return None
    # the place nears its end like the moment does: so far on in the moment's logarithm it is there, at the speed of the last point
    speed = max(float(np.linalg.norm(tangent[:2])), 1e-300) / np.linalg.norm(tangent)
    reach = min(float(np.linalg.norm(found - last[:2])) / speed, _REACH)
    return Mark(kind, np.concatenate([found, last[2:] - reach]), error)


def _towards_zero_states(plane, last, tangent):
    """A point at which there is a zero state, and a direction in which there are more: on an edge of the bounds if only there."""
    if excess_of(plane.there(last)) is not None:
        return last, tangent
    axis = int(np.argmin(np.minimum(last, 1.0 - last)))
    on_edge, along = last.copy(), np.eye(2)[1 - axis]
    on_edge[axis] = np.round(last[axis])
    # what is left of the way across is less than what moments of this size tell
    return on_edge, along if abs(on_edge[axis] - last[axis]) < _BESIDE_EDGE else 0.0 * along


def _root(function, guess):
    """Newton's method on two functions of two unknowns, or None."""
    u = guess.copy()
    for _ in range(_ITERATIONS):
        try:
            here = function(u)
            slopes = np.array([(function(u + _STEP * e) - function(u - _STEP * e)) / (2 * _STEP) for e in np.eye(2)]).T
            step = -np.linalg.solve(slopes, here)
        except (CapabilityError, ConvergenceError, np.linalg.LinAlgError):
            return None
        u = u + step
        if not np.abs(step).max() < 1.0:
            return None
        if np.abs(step).max() < 100 * _CLOSE:
            return u
    return None


def _along(function, last, tangent):
    """Where a function vanishes on the straight line from a point along a direction, by the secant method, or None."""
    length = np.linalg.norm(tangent)
    if not length > 0.0:
        return None
    way = tangent / length
    s, t = 0.0, _STEP
    at_s, at_t = function(last), function(last + t * way)
    for _ in range(_ITERATIONS):
        if at_s is None or at_t is None or at_t == at_s:
            return None
        s, t, at_s = t, t - at_t * (t - s) / (at_t - at_s), at_t
        if not abs(t) < 1.0:
            return None
        if abs(t - s) < _CLOSE:
            return last + t * way
        at_t = function(last + t * way)
    return None
