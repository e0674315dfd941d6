"""What a quantity was on a grid over a plane, for a line of it that was not found: its range, and where it jumps over the value."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from ..errors import CapabilityError, ConvergenceError
from ..mean_field.fixed_point import FixedPoint
from ..mean_field.fixed_points import fixed_points, zero_state
from .conditions import OfEnsemble, OfSolution, OfZeroState, OnsetCondition

if TYPE_CHECKING:
    from .conditions import Condition
    from .plane import Plane

__all__ = ["seen_on_grid"]

#: Log moments of one solution at neighbouring points of the grid differ by less than this.
_APART = 3.0


def seen_on_grid(condition: Condition | None, plane: Plane, n: int) -> tuple[str, bool]:
    """Words for what a condition's quantity was on a grid, and whether that explains that there is no line.

    It does where the quantity never passes its value between neighbours; not where it does, or is not defined anywhere.

    Parameters
    ----------
    condition : Condition, or None of lines that have none
    plane : Plane
    n : int, columns and rows of the grid
    """
    if not isinstance(condition, (OnsetCondition, OfEnsemble, OfSolution, OfZeroState)):
        return "", True
    places = list(product(range(n), range(n)))
    sources = [_source(condition, plane, np.array(place) / (n - 1)) for place in places]
    if isinstance(condition, OnsetCondition):
        there = any(source is not None for source in sources)
        return "" if there else f"there is no zero state at any of {len(places)} points", there
    values = dict(zip(places, condition.measure.each(sources)))
    seen = np.array([value for value in values.values() if np.isfinite(value)])
    about = condition.measure.name
    if not seen.size:
        return f"{about} is not defined at any of {len(places)} points", False
    defined = "" if seen.size == len(places) else f", and not defined at {len(places) - seen.size}"
    text = f"{about} is {seen.min():.6g} to {seen.max():.6g} at {seen.size} points{defined}"
    passed = _passed(values, condition.value)
    if not passed:
        return text, True
    moments = {place: _log_moment(source) for place, source in zip(places, sources)}
    jumps = sum(moments[a] != moments[b] and abs(moments[a] - moments[b]) > _APART for a, b in passed)
    where = f", {jumps} of them from one solution to another: it is jumped over at the 'onset' or a 'fold'" if jumps else ""
    return f"{text}, and passes {condition.value:g} between {len(passed)} pairs of neighbours without a curve{where}", False


def _source(condition, plane, u):
    """What the quantity is of at a point in units of the box, None where there is none."""
    try:
        ensemble = plane.there(u)
        if isinstance(condition, OfEnsemble):
            return ensemble
        if isinstance(condition, (OnsetCondition, OfZeroState)):
            return zero_state(ensemble)
        points = fixed_points(ensemble)
    except (CapabilityError, ConvergenceError):
        return None
    return points[condition.number] if -len(points) <= condition.number < len(points) else None


def _passed(values, target):
    """Pairs of neighbours between which a quantity passes a value."""
    pairs = [((i, j), other) for i, j in values for other in ((i + 1, j), (i, j + 1)) if other in values]
    return [(a, b) for a, b in pairs if (values[a] - target) * (values[b] - target) < 0.0]


def _log_moment(source):
    """Of the largest moment of a solution, far below all others at the zero state; of an ensemble there is none."""
    if not isinstance(source, FixedPoint):
        return 0.0
    return float(np.log(source.q.max())) if not source.is_zero else -np.inf
