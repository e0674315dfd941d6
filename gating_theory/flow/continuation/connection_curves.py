"""Curves of homoclinic and heteroclinic orbits in the plane of two parameters [JSP]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import ConvergenceError
from ...results.encoding import dict_of, require, result
from ...results.status import Status
from ...running.progress import Progress, check_progress
from ...support.arithmetic import underflow_is_zero
from ...support.checks import integer, real, shown
from ...support.types import Progress as Wanted
from ..flow import Flow, require_fixed
from ..line import Line, Path
from ..orbits.connections import sorted_eigenvalues
from ..orbits.homoclinic import Heteroclinic, Homoclinic
from .codimension_two import Codim2Point
from .connection_course import Course
from .sides import joined
from .two_parameters import plane_of

__all__ = ["ConnectionCurve", "continue_homoclinic"]

#: How an end of a curve is rated where the two differ: the worst first.
_ENDS = ("lost", "points", "closed", "bounds", "rest", "saddle_node_loop", "bogdanov_takens")


@result("flow.ConnectionCurve")
@dataclass(frozen=True)
class ConnectionCurve:
    """A curve of connecting orbits in two parameters.

    Attributes
    ----------
    kind : "homoclinic" or "heteroclinic"
    paths : pair of str or Line
    values : (n, 2) array of the parameters
    saddles : (n, k, dim) array, k = 1 for homoclinic orbits, 2 (left, reached) for heteroclinic ones
    eigenvalues : (n, k, dim) complex array of the flow's Jacobian at the saddles, the largest real part first
    extents : (n,) array, the orbits' largest range of a coordinate
    points : list of Codim2Point, in the order of the curve
    error : float
        Of the parameters: the largest distance of three points of the curve from what finer meshes and longer times give there.
    flow : Flow at the start
    status : Status
        Why both ends end; its code is that of the worse one: "bounds", "closed" (on itself), "bogdanov_takens", "saddle_node_loop",
        "rest" (the orbit comes to rest at another fixed point on its way), "points" (``max_points``), "lost" (Newton's method
        fails). ok but for the last two.

    See Also
    --------
    gating_theory.flow.continue_homoclinic : Makes one.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_h=[[4.5, -2], [10, 0]], b_h=[0.4, 1.2])
    >>> saddle, bracket = [0.525, 0.998], (0.9, 0.93)
    >>> loop = gt.flow.homoclinic(flow, "b_h[1]", bracket, saddle, tol=1e-3)
    >>> bounds = ((0.39, 0.41), (0.8, 1.0))
    >>> curve = gt.flow.continue_homoclinic(
    ...     loop, ("b_h[0]", "b_h[1]"), bounds, max_step=0.5
    ... )
    >>> curve.kind, bool(curve.supercritical.all())
    ('homoclinic', True)
    """

    kind: str
    paths: tuple[Path, Path]
    values: np.ndarray
    saddles: np.ndarray
    eigenvalues: np.ndarray
    extents: np.ndarray
    points: list[Codim2Point]
    error: float
    flow: Flow = field(repr=False)
    status: Status

    as_dict = dict_of

    @property
    def ok(self) -> bool:
        """Whether both ends are where the bounds, the curve itself or its kind end."""
        return self.status.ok

    @property
    def saddle_quantity(self) -> np.ndarray:
        """(n, k) array: weakest unstable and weakest stable real part, added; negative where the cycle born is stable."""
        real = self.eigenvalues.real
        up = np.where(real > 0, real, np.inf).min(axis=-1)
        return up + np.where(real < 0, real, -np.inf).max(axis=-1)

    @property
    def supercritical(self) -> np.ndarray | None:
        """(n,) array of bool, of homoclinic orbits: the cycle that is born is stable along the loop; None of heteroclinic ones."""
        return self.saddle_quantity[:, 0] < 0 if self.kind == "homoclinic" else None

    def check(self) -> None:
        """ValueError where the arrays do not fit together, or a saddle is no fixed point of the flow at its parameters."""
        n, k = len(self.values), 1 if self.kind == "homoclinic" else 2
        require(self.kind in ("homoclinic", "heteroclinic"), f"unknown kind {self.kind!r}")
        require(self.values.shape == (n, 2) and self.extents.shape == (n,), "values and extents do not fit together")
        for name in ("saddles", "eigenvalues"):
            shape = getattr(self, name).shape
            require(shape == (n, k, self.flow.dim), f"{name} must have shape {(n, k, self.flow.dim)}, got {shape}")
        for pair, saddles in zip(self.values, self.saddles, strict=True):
            here = self.flow.with_parameters(dict(zip(self.paths, map(float, pair))))
            for saddle in saddles:
                require_fixed(here, saddle)

    def __len__(self) -> int:
        return len(self.values)

    def __str__(self) -> str:
        where = ", ".join(f"{p} in [{v.min():.6g}, {v.max():.6g}]" for p, v in zip(self.paths, self.values.T))
        text = f"{self.kind} curve, {len(self)} points, {where}, error {self.error:.1g}; {self.status}"
        return "\n".join([text, *(f"  {p}" for p in self.points)])


@underflow_is_zero
def continue_homoclinic(
    start: Homoclinic | Heteroclinic,
    paths: Sequence[str | Mapping[str, float] | Line],
    bounds: npt.ArrayLike | Mapping[Any, npt.ArrayLike],
    *,
    max_step: float = 0.05,
    max_points: int = 400,
    progress: Wanted = None,
) -> ConnectionCurve:
    """Follow a homoclinic or heteroclinic orbit in two parameters, in both directions.

    Parameters
    ----------
    start : Homoclinic or Heteroclinic
        Its flow has all other parameters.
    paths : pair of paths, as for ``Flow.along``
        The axes of the plane; the start's own path may be one of them.
    bounds : pair of (low, high), or mapping from the paths to them
        Of each parameter; they must contain the start.
    max_step : float in [1e-6, 1]
        Longest step along the curve, in units of the widths of the bounds.
    max_points : int
        Most points in each direction.
    progress : None, True or callable
        As for ``phase_diagram``.

    Returns
    -------
    ConnectionCurve
        With the zeros of the saddle quantity located. It ends at the bounds, at a Bogdanov-Takens point (the orbit shrinks to its
        saddle) or where the saddle meets another fixed point in a saddle-node, both extrapolated from points close to them.

    Raises
    ------
    TypeError, ValueError
        arguments that are not allowed
    ConvergenceError
        the start is not on a curve

    See Also
    --------
    gating_theory.flow.homoclinic : An orbit to begin with.
    gating_theory.flow.plot_curves : Draws curves.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_h=[[4.5, -2], [10, 0]], b_h=[0.4, 1.2])
    >>> saddle, bracket = [0.525, 0.998], (0.9, 0.93)
    >>> loop = gt.flow.homoclinic(flow, "b_h[1]", bracket, saddle, tol=1e-3)
    >>> bounds = ((0.39, 0.41), (0.8, 1.0))
    >>> curve = gt.flow.continue_homoclinic(
    ...     loop, ("b_h[0]", "b_h[1]"), bounds, max_step=0.5
    ... )
    >>> curve.status.code, curve.values[[0, -1]].round(4)
    ('bounds', array([[0.39  , 0.8578],
           [0.41  , 0.9639]]))
    """
    if not isinstance(start, (Homoclinic, Heteroclinic)):
        raise TypeError(f"start must be a Homoclinic or a Heteroclinic, got {shown(start)}")
    pair, limits = plane_of(start.flow, paths, bounds)
    for path, (low, high) in zip(pair, limits):
        if not low <= start.flow.parameter(path) <= high:
            raise ValueError(f"bounds must contain the start's {path} = {start.flow.parameter(path)}, got {(low, high)}")
    max_step = real("max_step", max_step, low=1e-6, high=1.0)
    max_points = integer("max_points", max_points, low=2)
    check_progress(progress)
    with Progress(progress, 2 * max_points, "orbit") as tell:
        course = Course(pair, limits, max_step, max_points, tell)
        first = course.beginning(start.connection)
        back = course.side(first.turned())
        sides = [back] if back.end.code == "closed" else [back, course.side(first)]
    return _joined(start, course, sides)


def _joined(start, course, sides):
    passed, found, status = joined(sides, _ENDS)
    errors = []
    for connection in (passed[0], passed[len(passed) // 2], passed[-1]):
        try:
            errors.append(course.checked(connection)[1])
        except ConvergenceError:
            errors.append(np.inf)  # too close to an end where the time diverges
    finite = [e for e in errors if np.isfinite(e)]
    values = [[sorted_eigenvalues(c.flow, s) for s in c.saddles] for c in passed]
    return ConnectionCurve(
        "homoclinic" if isinstance(start, Homoclinic) else "heteroclinic",
        course.paths,
        np.array([course.values(c) for c in passed]),
        np.array([c.saddles for c in passed]),
        np.array(values),
        np.array([c.extent for c in passed]),
        found,
        max(finite, default=np.nan),
        start.flow,
        status,
    )
