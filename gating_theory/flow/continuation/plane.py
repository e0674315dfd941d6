"""All curves of bifurcations of fixed points in a plane of two parameters, as far as lines across it meet them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import CapabilityError, ConvergenceError
from ...results.encoding import dict_of, require_shapes, result
from ...results.status import Status
from ...running.progress import Progress, check_progress
from ...support.arithmetic import underflow_is_zero
from ...support.checks import instance, integer, real, shown, texts
from ...support.types import Progress as Wanted
from ..flow import Flow
from ..limits import LONGEST_STEP
from ..line import Line, Path
from .bifurcation import Bifurcation
from .codimension_two import Codim2Point
from .defining import CROSSINGS, KINDS
from .fixed_points import continue_fixed_point
from .two_parameters import BifurcationCurve, continue_bifurcation, plane_of

__all__ = ["BifurcationPlane", "bifurcation_plane"]

#: Where among its equals a line lies: not in the middle, where symmetric planes have bifurcations of their own.
_OFF_CENTRE = 0.4837

#: Where along a line all fixed points are looked for.
_PLACES = (0.0, 0.5163, 1.0)

#: A point this close to a curve, in states and in units of the bounds, lies on it: chords of curves are off by less.
_ON = 3e-3

#: Longest steps of branches along a line, in units of the bounds and of the states.
_STEP = 0.02

#: What curves of kinds meet in a point, so that each leads to the other.
_MEETING = {"bogdanov_takens": ("hopf", "fold"), "fold_hopf": ("hopf", "fold")}


@result("flow.BifurcationPlane")
@dataclass(frozen=True)
class BifurcationPlane:
    """Curves of bifurcations in a plane of two parameters.

    Attributes
    ----------
    flow : Flow
        It has all other parameters.
    paths : pair of str or Line
    bounds : (2, 2) array, (low, high) of each parameter
    curves : list of BifurcationCurve
    left_out : list of Bifurcation
        Those met for which no curve could be followed, such as several at once.
    status : Status
        "complete": every bifurcation that was met lies on a curve, and every curve ends where it should; else "incomplete".

    See Also
    --------
    gating_theory.flow.bifurcation_plane : Makes one.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_h=3)
    >>> paths, bounds = ("b_h[0]", "U_h[0,0]"), ((-1, 1), (1, 4))
    >>> plane = gt.flow.bifurcation_plane(
    ...     flow, paths, bounds, kinds=["fold"], lines=1, max_step=0.1
    ... )
    >>> plane.status.code, [curve.kind for curve in plane.curves]
    ('complete', ['fold'])
    """

    flow: Flow
    paths: tuple[Path, Path]
    bounds: np.ndarray
    curves: list[BifurcationCurve]
    left_out: list[Bifurcation]
    status: Status

    as_dict = dict_of

    @property
    def ok(self) -> bool:
        """Whether nothing that was met was left out."""
        return self.status.ok

    @property
    def points(self) -> list[Codim2Point]:
        """Points of codimension two on all curves; one that two curves meet in comes once for each name."""
        found: list[Codim2Point] = []
        for point in (p for curve in self.curves for p in curve.points):
            if not any(other.kind == point.kind and self._distance(point, other) < _ON for other in found):
                found.append(point)
        return found

    def _distance(self, a, b):
        return max(np.abs((a.values - b.values) / np.ptp(self.bounds, axis=1)).max(), np.abs(a.state - b.state).max())

    def check(self) -> None:
        """ValueError where the bounds have another shape."""
        require_shapes(self, {"bounds": (2, 2)})

    def __str__(self) -> str:
        ends = [f"  {c.kind}: {len(c)} points; {c.status}" for c in self.curves]
        return "\n".join([str(self.status), *ends, *(f"  {p}" for p in self.points), *(f"  left out: {b}" for b in self.left_out)])


@underflow_is_zero
def bifurcation_plane(
    flow: Flow,
    paths: Sequence[str | Line],
    bounds: npt.ArrayLike | Mapping[Any, npt.ArrayLike],
    *,
    kinds: Sequence[str] = ("fold", "pitchfork", "transcritical", "hopf"),
    lines: int = 2,
    step: float = 1.0,
    max_step: float = 0.02,
    progress: Wanted = None,
) -> BifurcationPlane:
    """Find curves of bifurcations of fixed points in a plane of two parameters, and follow them.

    Along lines across the plane all fixed points are found at both ends and between, and followed; every bifurcation that is met
    starts a curve, and so does every Bogdanov-Takens and fold-Hopf point. A curve that no line meets and that no such point leads
    to is missed: closed ones between lines.

    Parameters
    ----------
    flow : Flow
        Of a cell whose fixed points ``Flow.fixed_points`` finds.
    paths, bounds : as for :func:`continue_bifurcation`
    kinds : sequence of str
        What to follow; "flip" and "neimark_sacker" of the Euler map too.
    lines : int >= 1
        Lines parallel to each axis.
    step, max_step : as for :func:`continue_bifurcation`
    progress : None, True or callable(done, total), told in lines

    Returns
    -------
    BifurcationPlane

    Raises
    ------
    TypeError, ValueError
        arguments that are not allowed
    CapabilityError
        as by ``Flow.fixed_points``

    See Also
    --------
    gating_theory.flow.continue_bifurcation : Follows one curve.
    gating_theory.flow.topology_map : What lies between curves.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_h=3)
    >>> paths, bounds = ("b_h[0]", "U_h[0,0]"), ((-1, 1), (1, 4))
    >>> plane = gt.flow.bifurcation_plane(flow, paths, bounds, max_step=0.1)
    >>> [
    ...     (point.kind, (point.values.round(6) + 0.0).tolist())
    ...     for point in plane.points
    ... ]
    [('cusp', [0.0, 2.0])]
    """
    instance("flow", flow, Flow)
    pair, limits = plane_of(flow, paths, bounds)
    kinds = texts("kinds", kinds)
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        raise ValueError(f"kinds must be some of {list(KINDS)}, got {shown(kinds)}")
    lines = integer("lines", lines, low=1, high=1000)
    step = real("step", step, low=0.0, high=LONGEST_STEP, open_low=True)
    max_step = real("max_step", max_step, low=1e-6, high=1.0)
    check_progress(progress)
    search = _Search(flow, pair, limits, kinds, {"step": step, "max_step": max_step})
    with Progress(progress, 2 * lines, "line") as tell:
        for across in (0, 1):
            for k in range(lines):
                search.along_line(across, (k + _OFF_CENTRE) / lines)
                tell(1)
    search.through_points()
    return search.plane()


@dataclass
class _Search:
    flow: Flow
    pair: tuple[Path, Path]
    limits: np.ndarray
    kinds: Sequence[str]
    options: dict[str, float]
    curves: list[BifurcationCurve] = field(default_factory=list)
    left_out: list[Bifurcation] = field(default_factory=list)

    def along_line(self, across, part):
        """Bifurcations along the line on which the parameter ``across`` has a fixed value, and their curves."""
        low, high = self.limits[across]
        path, bounds = self.pair[1 - across], tuple(map(float, self.limits[1 - across]))
        line = self.flow.replace(self.pair[across], float(low + part * (high - low)))
        branches: list[np.ndarray] = []
        for place in _PLACES:
            here = line.replace(path, bounds[0] + place * (bounds[1] - bounds[0]))
            for state in [p.state for p in here.fixed_points()]:
                u = np.append(state, place)
                if any(_distance_to(branch, u) < _ON for branch in branches):
                    continue
                # equal steps on all axes: the line from one bound to the other
                longest = _STEP * max(1.0, bounds[1] - bounds[0])
                branch = continue_fixed_point(here, path, bounds, state, step=self.options["step"], max_step=longest)
                branches.append(np.column_stack([branch.states, (branch.values - bounds[0]) / (bounds[1] - bounds[0])]))
                for b in branch.bifurcations:
                    self.start(b)

    def start(self, start, kind=None):
        """The curve through a start, unless it is there already."""
        kind = start.kind if kind is None else kind
        if kind not in KINDS:  # several bifurcations at once
            self.left_out.append(start)
            return
        if kind not in self.kinds:
            return
        if self.known(start, kind) or (kind in CROSSINGS and self.known(start, "fold")):
            return
        try:
            self.curves.append(continue_bifurcation(start, self.pair, self.limits, kind=kind, **self.options))
        except CapabilityError:  # a crossing that the plane unfolds
            self.start(start, "fold")
        except ConvergenceError:
            self.left_out.append(start)

    def known(self, start, kind):
        """Whether a curve of this kind passes a start."""
        u = self._unknowns(start.state, [start.flow.parameter(path) for path in self.pair])
        return any(c.kind == kind and _distance_to(self._unknowns(c.states, c.values), u) < _ON for c in self.curves)

    def _unknowns(self, states, values):
        return np.concatenate([states, (np.asarray(values) - self.limits[:, 0]) / np.ptp(self.limits, axis=1)], axis=-1)

    def through_points(self):
        """Curves of other kinds through the points at which they meet."""
        done = 0
        while done < len(self.curves):
            for point in self.curves[done].points:
                for kind in _MEETING.get(point.kind, ()):
                    if self.curves[done].kind not in CROSSINGS:
                        self.start(point, kind)
            done += 1

    def plane(self):
        bad = [c for c in self.curves if not c.ok]
        ok = not bad and not self.left_out
        text = f"{len(self.curves)} curves" + (f", {len(bad)} of them cut short" if bad else "")
        text += f"; {len(self.left_out)} bifurcations were left out" if self.left_out else ""
        status = Status("complete" if ok else "incomplete", text, ok)
        return BifurcationPlane(self.flow, self.pair, self.limits, self.curves, self.left_out, status)


def _distance_to(curve, u):
    """The largest distance along an axis from a point to the nearest chord of a curve (n, k)."""
    if len(curve) == 1:
        return float(np.abs(curve[0] - u).max())
    start, chord = curve[:-1], np.diff(curve, axis=0)
    part = np.einsum("ij,ij->i", u - start, chord) / np.maximum(np.einsum("ij,ij->i", chord, chord), 1e-300)
    return float(np.abs(start + np.clip(part, 0.0, 1.0)[:, None] * chord - u).max(axis=1).min())
