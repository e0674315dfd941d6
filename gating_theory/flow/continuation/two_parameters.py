"""Curves of bifurcations in the plane of two parameters, with the points of codimension two on them [JSP]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ...results.encoding import dict_of, require, result
from ...results.status import Status
from ...running.progress import Progress, check_progress
from ...support.arithmetic import underflow_is_zero
from ...support.checks import choice, integer, interval, real, shown
from ...support.types import Progress as Wanted
from ..flow import Flow, require_fixed
from ..limits import LONGEST, LONGEST_STEP
from ..line import Line, Path, resolved
from .bifurcation import Bifurcation
from .codimension_two import CONTINUED, TESTS, Codim2Point
from .cycle_course import CycleCourse
from .cycle_curves import CYCLE_KINDS, CycleCurve, follow_cycles
from .defining import DefiningSystem
from .plane_course import Course
from .sides import joined

__all__ = ["BifurcationCurve", "continue_bifurcation", "plane_of"]

#: How an end of a curve is rated where the two differ: the worst first.
_ENDS = ("lost", "unlocated", "points", "closed", "bounds", "bogdanov_takens", "resonance_1_1", "resonance_1_2")

#: What the coefficient of a kind says where it is negative; flips are the other way round.
_CRITICALITY = {"hopf": 1.0, "neimark_sacker": 1.0, "pitchfork": 1.0, "flip": -1.0}


@result("flow.BifurcationCurve")
@dataclass(frozen=True)
class BifurcationCurve:
    """A curve of bifurcations of fixed points in two parameters.

    Attributes
    ----------
    kind : str
        "fold", "pitchfork", "transcritical", "hopf"; of the Euler map "flip", "neimark_sacker".
    paths : pair of str or Line
    values : (n, 2) array of the parameters
    states : (n, dim) array, the fixed points
    eigenvalues : (n, dim) complex array of the flow's Jacobian
    coefficient : (n,) array
        Normal-form coefficient, as in :class:`Bifurcation`: negative on supercritical parts (hopf, neimark_sacker, pitchfork; flip:
        positive). fold, transcritical: quadratic coefficient for unit null vectors that turn continuously, so that it changes its
        sign at a cusp. nan at ends where nothing turns.
    points : list of Codim2Point, in the order of the curve
    step : float, of the Euler map
    flow : Flow at the start
    status : Status
        Why both ends end; its code is that of the worse one: "bounds", "closed" (on itself), "bogdanov_takens" (where Hopf curves
        end), "resonance_1_1", "resonance_1_2" (where Neimark-Sacker curves end), "points" (``max_points``), "unlocated" (a test
        function changes its sign, but where is not found), "lost" (Newton's method fails). ok but for the last three.

    See Also
    --------
    gating_theory.flow.continue_bifurcation : Makes one.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_h=[[1, -1], [1, 1]])
    >>> zero = gt.flow.continue_fixed_point(flow, "gain.h", (0.5, 3), [0, 0])
    >>> hopf = zero.bifurcations[-1]
    >>> bounds = ((0.5, 3), (-0.5, 0.5))
    >>> curve = gt.flow.continue_bifurcation(
    ...     hopf, ("gain.h", "b_h[0]"), bounds, max_step=0.1
    ... )
    >>> curve.kind, curve.status.code, bool(curve.supercritical.all())
    ('hopf', 'bounds', True)
    """

    kind: str
    paths: tuple[Path, Path]
    values: np.ndarray
    states: np.ndarray
    eigenvalues: np.ndarray
    coefficient: np.ndarray
    points: list[Codim2Point]
    step: float
    flow: Flow = field(repr=False)
    status: Status

    as_dict = dict_of

    @property
    def ok(self) -> bool:
        """Whether both ends are where the bounds, the curve itself or its kind end."""
        return self.status.ok

    @property
    def supercritical(self) -> np.ndarray | None:
        """(n,) array of bool, for kinds of which this can be said, else None; False where the coefficient is nan."""
        sign = _CRITICALITY.get(self.kind)
        return None if sign is None else sign * self.coefficient < 0.0

    def check(self) -> None:
        """ValueError where the arrays do not fit together, or a state is no fixed point of the flow at its parameters."""
        n = len(self.values)
        require(self.kind in TESTS, f"unknown kind {self.kind!r}")
        for name, shape in (
            ("values", (n, 2)),
            ("states", (n, self.flow.dim)),
            ("eigenvalues", (n, self.flow.dim)),
            ("coefficient", (n,)),
        ):
            require(getattr(self, name).shape == shape, f"{name} must have shape {shape}, got {getattr(self, name).shape}")
        for pair, state in zip(self.values, self.states, strict=True):
            require_fixed(self.flow.with_parameters(dict(zip(self.paths, map(float, pair)))), state)

    def __len__(self) -> int:
        return len(self.values)

    def __str__(self) -> str:
        where = ", ".join(f"{p} in [{v.min():.6g}, {v.max():.6g}]" for p, v in zip(self.paths, self.values.T))
        return "\n".join([f"{self.kind} curve, {len(self)} points, {where}; {self.status}", *(f"  {p}" for p in self.points)])


@underflow_is_zero
def continue_bifurcation(
    start: Bifurcation | Codim2Point,
    paths: Sequence[str | Line],
    bounds: npt.ArrayLike | Mapping[Any, npt.ArrayLike],
    *,
    kind: str | None = None,
    step: float = 1.0,
    max_step: float = 0.02,
    max_points: int = 2000,
    max_period: float = 2000.0,
    progress: Wanted = None,
) -> BifurcationCurve | CycleCurve:
    """Follow a bifurcation in two parameters, in both directions, and locate the points of codimension two on it.

    Of fixed points: pseudo-arclength continuation of f = 0 with one equation that makes a matrix singular (``defining.py`` says
    which), with exact derivatives. Points of codimension two are zeros of test functions along the curve, located to rounding;
    ``error`` of each estimates what is left.

    Folds of cycles and period doublings: pseudo-arclength continuation of the collocation problem with the condition that a
    multiplier is 1, or -1, on a mesh that follows the orbit; every point is solved again on a finer mesh, and ``errors`` says how
    far that moved it.

    Parameters
    ----------
    start : Bifurcation of a fixed point, or of kind "cycle_fold" or "period_doubling"; or Codim2Point
        Its flow has all other parameters.
    paths : pair of paths, as for ``Flow.along``
        The axes of the plane; the start's own path may be one of them.
    bounds : pair of (low, high), or mapping from the paths to them
        Of each parameter; they must contain the start.
    kind : str, optional
        Which curve to follow where several pass: from a "bogdanov_takens" point "hopf" (default) or "fold", from a pitchfork that
        the plane unfolds "fold" (it is a cusp there), from a "bautin" point "hopf" (default) or "cycle_fold". Default: the start's
        own kind.
    step : float > 0
        Of the Euler map, for "flip" and "neimark_sacker".
    max_step : float > 0
        Longest step along the curve, in units of the states and of the widths of the bounds; of cycles also of the relative
        change of the period.
    max_points : int
        Most points in each direction.
    max_period : float > 0
        At which curves of cycles end.
    progress : None, True or callable
        As for ``phase_diagram``.

    Returns
    -------
    BifurcationCurve, of cycles CycleCurve

    Raises
    ------
    TypeError, ValueError
        arguments that are not allowed
    CapabilityError
        A pitchfork or transcritical point that does not persist in this plane: it does only where both parameters keep the
        symmetry, or the branch that is crossed.
    ConvergenceError
        the start is not on a curve of this kind

    See Also
    --------
    gating_theory.flow.bifurcation_plane : Finds and follows all of them.
    gating_theory.flow.plot_curves : Draws curves.

    Notes
    -----
    Hopf curves end at Bogdanov-Takens points, Neimark-Sacker curves at resonances 1:1 and 1:2; a Bautin point is told from the last
    point before such an end on. Curves of cycle folds end at Bautin points.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_h=3)
    >>> branch = gt.flow.continue_fixed_point(flow, "b_h[0]", (-1, 1), [0.8586])
    >>> fold = branch.bifurcations[0]
    >>> paths, bounds = ("b_h[0]", "U_h[0,0]"), ((-1, 1), (1, 4))
    >>> curve = gt.flow.continue_bifurcation(fold, paths, bounds)
    >>> cusp = curve.points[0]
    >>> cusp.kind, cusp.values.round(6) + 0.0
    ('cusp', array([0., 2.]))
    """
    if not isinstance(start, (Bifurcation, Codim2Point)):
        raise TypeError(f"start must be a Bifurcation or a Codim2Point, got {shown(start)}")
    kind = _kind(start, kind)
    pair, limits = plane_of(start.flow, paths, bounds)
    for path, value, (low, high) in zip(pair, map(start.flow.parameter, pair), limits):
        if not low <= value <= high:
            raise ValueError(f"bounds must contain the start's {path} = {value}, got {(float(low), float(high))}")
    step = real("step", step, low=0.0, high=LONGEST_STEP, open_low=True)
    max_step = real("max_step", max_step, low=1e-6, high=1.0)
    max_points = integer("max_points", max_points, low=2)
    max_period = real("max_period", max_period, low=0.0, high=LONGEST, open_low=True)
    check_progress(progress)
    with Progress(progress, 2 * max_points, "point") as tell:
        if kind in CYCLE_KINDS:
            return follow_cycles(CycleCourse(kind, start.flow, pair, limits, max_step, max_points, max_period, tell), start)
        system = DefiningSystem(start.flow, pair, kind, step, limits[:, 0], np.ptp(limits, axis=1))
        return _joined(Course(system, max_step, max_points, tell).sides(start), system)


def _kind(start, kind):
    allowed = (start.kind,) if start.kind in CYCLE_KINDS else CONTINUED.get(start.kind, ())
    if not allowed:
        raise ValueError(f"start must be a bifurcation with one curve through it that can be followed, got a {start.kind!r}")
    if start.kind in CYCLE_KINDS and start.orbit is None:
        raise ValueError(f"start must hold the orbit of its cycle, got {start}")
    return allowed[0] if kind is None else choice("kind", kind, allowed)


def _along(flow, path):
    return flow.along(path) if isinstance(path, Flow) else resolved("paths", flow.cell, flow.n_units, flow.flat, path)


def plane_of(flow: Flow, paths: Any, bounds: Any) -> tuple[tuple[Path, Path], np.ndarray]:
    """Two paths of a flow, resolved, and the (2, 2) array of their bounds; arguments as for :func:`continue_bifurcation`."""
    if isinstance(paths, (str, bytes, Mapping)) or not isinstance(paths, Sequence) or len(paths) != 2:
        raise TypeError(f"paths must be a pair of paths, got {shown(paths)}")
    pair = tuple(_along(flow, path) for path in paths)
    values = [flow.parameter(path) for path in pair]
    flow.with_parameters(dict(zip(pair, values)))  # refuses paths that share an entry
    if len({str(path) for path in pair}) < 2:
        raise ValueError(f"paths must differ, got {shown(paths)}")
    if isinstance(bounds, Mapping):
        missing = [path for path in paths if not isinstance(path, (str, Line)) or path not in bounds]
        if missing or len(bounds) != 2:
            raise ValueError(f"bounds must be given for the paths {[str(p) for p in pair]}, got {shown(bounds)}")
        bounds = [bounds[path] for path in paths]
    elif not isinstance(bounds, (Sequence, np.ndarray)) or getattr(bounds, "ndim", 1) == 0 or len(bounds) != 2:
        raise TypeError(f"bounds must be two pairs (low, high), or a mapping from paths to them, got {shown(bounds)}")
    limits = np.array([interval(f"bounds of {path}", pair) for path, pair in zip(pair, bounds)])
    return (pair[0], pair[1]), limits


def _joined(sides, system):
    """The curve of one or both sides, from the end of the first through the start."""
    passed, found, status = joined(sides, _ENDS)
    return BifurcationCurve(
        system.kind,
        system.paths,
        np.array([system.values(p.point.u) for p in passed]),
        np.array([system.state(p.point.u) for p in passed]),
        np.array([p.here.eigenvalues for p in passed]),
        np.array([p.coefficient for p in passed]),
        found,
        system.step,
        system.flow,
        status,
    )
