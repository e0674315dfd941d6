"""Curves of bifurcations of cycles in the plane of two parameters [JSP]."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ...results.encoding import dict_of, require, result
from ...results.status import Status
from ..flow import Flow
from ..line import Path
from .codimension_two import Codim2Point
from .cycle_course import CycleCourse
from .sides import joined

if TYPE_CHECKING:
    from .bifurcation import Bifurcation

__all__ = ["CYCLE_KINDS", "CycleCurve", "follow_cycles"]

#: Kinds of bifurcations of cycles that are followed in two parameters.
CYCLE_KINDS = ("cycle_fold", "period_doubling")

#: How an end of a curve is rated where the two differ: the worst first.
_ENDS = ("lost", "unlocated", "points", "period", "flat", "closed", "bounds", "hopf", "bautin")


@result("flow.CycleCurve")
@dataclass(frozen=True)
class CycleCurve:
    """A curve of bifurcations of cycles in two parameters.

    Attributes
    ----------
    kind : "cycle_fold" or "period_doubling"
    paths : pair of str or Line
    values : (n, 2) array of the parameters
    periods : (n,) array
    multipliers : (n, dim - 1) complex array, without the trivial one; one of them is 1, or -1
    states : (n, dim) array, a state on each cycle
    low, high : (n, dim) arrays, smallest and largest value of each coordinate on the cycle
    errors : (n,) array, of the values: how far a finer mesh moved the point
    points : list of Codim2Point, in the order of the curve
        Of cycle folds: "cycle_cusp", and "bautin" where the curve ends.
    flow : Flow at the start
    status : Status
        Why both ends end; its code is that of the worse one: "bounds", "closed" (on itself), "bautin" (cycles shrink to a fixed
        point), "hopf" (they do so elsewhere), "period" (``max_period`` is reached, or the period grows while the parameters stand
        still), "flat" (cycles of all periods have the same parameters to rounding, as beside a homoclinic orbit of a neutral
        saddle, where curves of folds end), "points" (``max_points``), "unlocated" (a cusp is passed and not found), "lost"
        (Newton's method fails). ok but for the last three.

    See Also
    --------
    gating_theory.flow.continue_bifurcation : Makes one.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_h=[[4.5, -2], [10, 0]], b_h=[0.4, 1.2])
    >>> plane = ("b_h[0]", "b_h[1]"), ((-0.5, 2), (-1, 4))
    >>> branch = gt.flow.continue_fixed_point(
    ...     flow, "b_h[1]", (-3, 3), [-0.2122, 0.1380], max_step=0.2
    ... )
    >>> hopf = gt.flow.continue_bifurcation(
    ...     branch.bifurcations[-1], *plane, max_step=0.1
    ... )
    >>> bautin = hopf.points[1]
    >>> bautin.kind
    'bautin'
    >>> folds = gt.flow.continue_bifurcation(
    ...     bautin, *plane, kind="cycle_fold", max_points=2
    ... )
    >>> folds.kind, len(folds.values)
    ('cycle_fold', 3)
    """

    kind: str
    paths: tuple[Path, Path]
    values: np.ndarray
    periods: np.ndarray
    multipliers: np.ndarray
    states: np.ndarray
    low: np.ndarray
    high: np.ndarray
    errors: np.ndarray
    points: list[Codim2Point]
    flow: Flow = field(repr=False)
    status: Status

    as_dict = dict_of

    @property
    def ok(self) -> bool:
        """Whether both ends are where the bounds, the curve itself or its kind end, or periods become too long."""
        return self.status.ok

    def check(self) -> None:
        """ValueError where the kind is none, or the arrays do not fit together."""
        n, dim = len(self.values), self.flow.dim
        require(self.kind in CYCLE_KINDS, f"unknown kind {self.kind!r}")
        shapes = {"values": (n, 2), "periods": (n,), "multipliers": (n, dim - 1), "errors": (n,)}
        shapes |= dict.fromkeys(("states", "low", "high"), (n, dim))
        for name, shape in shapes.items():
            require(getattr(self, name).shape == shape, f"{name} must have shape {shape}, got {getattr(self, name).shape}")
        require(bool((self.periods > 0.0).all()), "periods must be above 0")

    def __len__(self) -> int:
        return len(self.values)

    def __str__(self) -> str:
        where = ", ".join(f"{p} in [{v.min():.6g}, {v.max():.6g}]" for p, v in zip(self.paths, self.values.T))
        periods = f"periods {self.periods.min():.6g} to {self.periods.max():.6g}, error {self.errors.max():.1g}"
        text = f"{self.kind} curve, {len(self)} points, {where}, {periods}; {self.status}"
        return "\n".join([text, *(f"  {p}" for p in self.points)])


def follow_cycles(course: CycleCourse, start: Bifurcation | Codim2Point) -> CycleCurve:
    """The curve of both sides of a start, or of one where it is closed; ConvergenceError where the start is on none."""
    passed, found, status = joined(course.sides(start), _ENDS)
    return CycleCurve(
        course.kind,
        course.paths,
        np.array([p.values for p in passed]),
        np.array([p.period for p in passed]),
        np.array([p.multipliers for p in passed]),
        np.array([p.state for p in passed]),
        np.array([p.low for p in passed]),
        np.array([p.high for p in passed]),
        np.array([p.error for p in passed]),
        found,
        course.flow,
        status,
    )
