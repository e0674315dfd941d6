"""Poincare sections: where a trajectory crosses a plane, each crossing located as exactly as the trajectory is known."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ...errors import ConvergenceError
from ...results.encoding import dict_of, require, require_shapes, result
from ...results.status import Status
from ...running.progress import Progress, check_progress
from ...support.arithmetic import underflow_is_zero
from ...support.available_memory import require_memory
from ...support.checks import instance, integer, real, real_array
from ...support.types import Progress as Wanted
from ..flow import Flow
from ..limits import LONGEST
from ..program.compiled import compiled_flow
from .trajectories import advance

__all__ = ["PoincareSection", "plane_frame", "poincare_section"]

#: First step, steps of one call of compiled code, and a component that has run away.
_FIRST_STEP, _STEPS, _AWAY = 0.05, 5000, 1e6

#: States along a trajectory whose mean gives the level of a plane, unless told.
_SAMPLES = 200

#: Distance of a crossing from the plane, in units of 1 + |level|.
_ON_PLANE = 1e-9


def plane_frame(normal: np.ndarray) -> np.ndarray:
    """(dim - 1, dim) array of orthonormal directions in the plane across ``normal``: coordinate axes where it stands across one."""
    axis = int(np.argmax(np.abs(normal)))
    others = np.delete(np.eye(len(normal)), axis, axis=0)
    if abs(normal[axis]) == 1.0:
        return others
    columns = np.linalg.qr(np.concatenate([normal[None], others]).T)[0].T[1:]
    return columns * np.sign(np.sum(columns * others, axis=1))[:, None]


@result("flow.PoincareSection")
@dataclass(frozen=True)
class PoincareSection:
    """Crossings of a plane by one trajectory of a flow.

    Attributes
    ----------
    flow : Flow
    normal : (dim,) array of length 1
    level : float
        The plane is ``normal @ x == level``.
    direction : 1, -1 or 0
        Crossings counted: along the normal, against it, both.
    points : (n, dim) array, the crossings in order
    times : (n,) array, since the end of the transient
    transient : float
    state : (dim,) array, the state at the end
    status : Status
        "complete" (as many as were asked for), or "few" (fewer by the longest time; not ok).

    See Also
    --------
    gating_theory.flow.poincare_section : Makes one.

    Examples
    --------
    >>> import gating_theory as gt
    >>> turning = gt.GRUFlow(U_h=[[3, -3], [3, 3]])
    >>> section = gt.flow.poincare_section(turning, [0.1, 0.2], level=0, n_points=5)
    >>> section.distinct()
    1
    """

    flow: Flow
    normal: np.ndarray
    level: float
    direction: int
    points: np.ndarray = field(repr=False)
    times: np.ndarray = field(repr=False)
    transient: float
    state: np.ndarray = field(repr=False)
    status: Status

    as_dict = dict_of

    def __len__(self) -> int:
        return len(self.points)

    @property
    def ok(self) -> bool:
        """Whether there are as many crossings as were asked for."""
        return self.status.ok

    @property
    def frame(self) -> np.ndarray:
        """(dim - 1, dim) array of orthonormal directions in the plane: coordinate axes where the plane stands across one."""
        return plane_frame(self.normal)

    @property
    def coordinates(self) -> np.ndarray:
        """(n, dim - 1) array, the crossings in the directions of ``frame``."""
        return self.points @ self.frame.T

    @property
    def return_times(self) -> np.ndarray:
        """(n - 1,) array, from each crossing to the next."""
        return np.diff(self.times)

    def return_map(self, coordinate: int = 0) -> np.ndarray:
        """(n - 1, 2) array: a coordinate in the plane at each crossing and at the next.

        Parameters
        ----------
        coordinate : int from 0 to dim - 2

        Examples
        --------
        >>> import gating_theory as gt
        >>> turning = gt.GRUFlow(U_h=[[3, -3], [3, 3]])
        >>> section = gt.flow.poincare_section(turning, [0.1, 0.2], level=0, n_points=5)
        >>> section.return_map().round(4)[-1]
        array([-0.7027, -0.7027])
        """
        coordinate = integer("coordinate", coordinate, high=self.flow.dim - 2)
        values = self.coordinates[:, coordinate]
        return np.stack([values[:-1], values[1:]], axis=1)

    def distinct(self, tol: float = 1e-6) -> int:
        """How many different crossings there are, to a distance: the period of a cycle in crossings; in chaos all are.

        Parameters
        ----------
        tol : float > 0
        """
        from scipy.spatial import cKDTree

        tol = real("tol", tol, low=0.0, open_low=True)
        left, count, tree = np.ones(len(self.points), dtype=bool), 0, cKDTree(self.points)
        for i in range(len(self.points)):
            if left[i]:
                left[tree.query_ball_point(self.points[i], tol)] = False
                count += 1
        return count

    def check(self) -> None:
        """ValueError where shapes contradict each other, or points lie off the plane."""
        d = self.flow.dim
        require_shapes(self, {"normal": (d,), "points": (len(self.times), d), "times": (len(self.points),), "state": (d,)})
        off = np.abs(self.points @ self.normal - self.level).max(initial=0.0)
        require(bool(off < _ON_PLANE * (1.0 + abs(self.level))), f"points lie off the plane by {off:.3g}")

    def __str__(self) -> str:
        plane = " + ".join(f"{c:.6g} x_{i}" for i, c in enumerate(self.normal) if c)
        mean = f", {self.return_times.mean():.6g} apart on average" if len(self) > 1 else ""
        return f"{len(self)} crossings of {plane} = {self.level:.6g}{mean}; status: {self.status}"


@underflow_is_zero
def poincare_section(
    flow: Flow,
    start: npt.ArrayLike,
    normal: int | npt.ArrayLike = 0,
    level: float | None = None,
    n_points: int = 1000,
    *,
    direction: int = 1,
    transient: float = 1000.0,
    t_max: float = 1e5,
    rtol: float = 1e-9,
    progress: Wanted = None,
) -> PoincareSection:
    """Where a trajectory crosses a plane.

    Dormand-Prince steps; one that crosses the plane is made again with a length that ends on it, so that a crossing is as exact as
    the trajectory. Two crossings within one step are not seen.

    Parameters
    ----------
    flow : Flow
    start : (dim,) array
    normal : int or (dim,) array
        A coordinate, or the direction in which the plane is crossed.
    level : float, optional
        The plane is ``normal @ x == level``, with ``normal`` made of length 1. Default: through the mean of the trajectory.
    n_points : int from 1 to 1e7
    direction : 1, -1 or 0
        Crossings along the normal, against it, or both.
    transient : float from 0 to 1e6
        Time before the first crossing that counts.
    t_max : float > 0, 1e6 at most
        Time after the transient at which the search for crossings ends.
    rtol : float from 1e-13 to 1e-3
        Tolerance of a step.
    progress : None, True or callable
        True: a progress bar. A callable is told ``progress(done, total)`` in crossings.

    Returns
    -------
    PoincareSection

    Raises
    ------
    TypeError, ValueError
        arguments that are not allowed
    ConvergenceError
        the trajectory runs away, or its steps become too small to go on

    See Also
    --------
    gating_theory.flow.section_diagram : Sections along a parameter.
    gating_theory.flow.plot_section : Draws one.

    Examples
    --------
    >>> import gating_theory as gt
    >>> turning = gt.GRUFlow(U_h=[[3, -3], [3, 3]])
    >>> section = gt.flow.poincare_section(turning, [0.1, 0.2], level=0, n_points=3)
    >>> section.return_times.round(3)
    array([12.934, 12.934])
    """
    instance("flow", flow, Flow)
    start = real_array("start", start, largest=_AWAY)
    if start.shape != (flow.dim,):
        raise ValueError(f"start must have shape ({flow.dim},), got {start.shape}")
    across = _unit_normal(normal, flow.dim)
    n_points = integer("n_points", n_points, low=1, high=10_000_000)
    direction = integer("direction", direction, low=-1, high=1)
    transient = real("transient", transient, low=0.0, high=LONGEST)
    t_max = real("t_max", t_max, low=0.0, high=LONGEST, open_low=True)
    rtol = real("rtol", rtol, low=1e-13, high=1e-3)
    check_progress(progress)
    require_memory(f"n_points = {n_points} crossings", 8.0 * 2 * (flow.dim + 1) * n_points)
    state = advance(flow, start, transient, rtol=rtol, atol=1e-3 * rtol, bound=_AWAY)
    level = _mean_level(flow, state, across, rtol) if level is None else real("level", level)
    if not np.isfinite(state).all():
        raise ConvergenceError("the trajectory runs away: a component exceeds 1e6", start)
    points, times, state = _crossings(flow, state, across, level, direction, n_points, t_max, rtol, progress)
    text = f"{len(points)} of {n_points} crossings by t = {t_max:g}"
    status = Status("complete") if len(points) == n_points else Status("few", text, ok=False)
    return PoincareSection(flow, across, float(level), direction, points, times, transient, state, status)


def _unit_normal(normal, dim):
    if isinstance(normal, (int, np.integer)) and not isinstance(normal, bool):
        return np.eye(dim)[integer("normal", normal, high=dim - 1)]
    normal = real_array("normal", normal, largest=1e100)
    if normal.shape != (dim,) or not normal.any():
        raise ValueError(f"normal must be a coordinate from 0 to {dim - 1} or an array of shape ({dim},) that is not zero")
    return normal / np.linalg.norm(normal)


def _mean_level(flow, state, normal, rtol):
    """Mean of the trajectory along the normal, over a time that grows until the mean has settled."""
    values, span, old = [], 1.0, np.inf
    for _ in range(8):
        for _ in range(_SAMPLES):
            state = advance(flow, state, span, rtol=max(rtol, 1e-7), bound=_AWAY)
            values.append(float(state @ normal))
        mean = float(np.mean(values))
        if not np.isfinite(mean) or abs(mean - old) < 0.05 * np.ptp(values):
            break
        old, span = mean, 2.0 * span
    return mean


def _crossings(flow, state, normal, level, direction, n_points, t_max, rtol, progress):
    from .section_kernels import cross

    field = compiled_flow(flow.cell, flow.n_units).argument("field")
    points, times = np.empty((n_points, flow.dim)), np.empty(n_points)
    state, clock, count = np.array(state), np.array([0.0, _FIRST_STEP]), np.zeros(1, dtype=np.int64)
    with Progress(progress, n_points, "crossing") as tell:
        # compiled code cannot be interrupted: some steps at a time
        while clock[0] < t_max and count[0] < n_points:
            cross(field, state, clock, flow.flat, normal, float(level), direction, t_max, rtol, _STEPS, points, times, count)
            tell(int(count[0]) - tell.done)
            if not np.abs(state).max() < _AWAY:
                raise ConvergenceError("the trajectory runs away: a component exceeds 1e6", state)
            if not clock[1] > 1e-12:
                raise ConvergenceError(f"the steps become too small to go on ({clock[1]:.1g}): raise rtol", state)
    return points[: count[0]].copy(), times[: count[0]].copy(), state
