"""Sections along a parameter: how a cycle doubles its period, and where chaos begins and ends, with exponents beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ...errors import ConvergenceError
from ...results.encoding import dict_of, require_shapes, result
from ...results.status import Status
from ...running.progress import Progress, check_progress
from ...support.checks import instance, integer, real, real_array
from ...support.types import Progress as Wanted
from ..flow import Flow
from ..limits import LONGEST
from ..line import Line
from .lyapunov import FlowExponents, lyapunov_spectrum
from .sections import PoincareSection, plane_frame, poincare_section

__all__ = ["SectionDiagram", "section_diagram"]


@result("flow.SectionDiagram")
@dataclass(frozen=True)
class SectionDiagram:
    """Crossings of one plane, value after value of a parameter, each from the state that the one before ended at.

    Attributes
    ----------
    flow : Flow
    path : str or Line
    values : (V,) array, in the order in which they were gone through
    points : (V, n, dim) array, the crossings; nan where there were fewer
    exponents, stderr : (V, k) arrays
        Leading Lyapunov exponents per unit of time and their errors; k = 0 where none were asked for.
    normal : (dim,) array of length 1
    level : float, the plane is ``normal @ x == level``
    status : Status
        "complete", "few" (fewer crossings than asked for at some values) or "unsettled" (exponents whose average has not settled);
        ok for the first.

    See Also
    --------
    gating_theory.flow.section_diagram : Makes one.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_h=[[3, -3], [3, 3]])
    >>> diagram = gt.flow.section_diagram(
    ...     flow, "gain.h", [1.0, 0.8], [0.1, 0.2], level=0.0, n_points=5
    ... )
    >>> diagram.points[:, 0].round(3)
    array([[ 0.   , -0.703],
           [ 0.   , -0.537]])
    """

    flow: Flow
    path: str | Line
    values: np.ndarray
    points: np.ndarray = field(repr=False)
    exponents: np.ndarray = field(repr=False)
    stderr: np.ndarray = field(repr=False)
    normal: np.ndarray
    level: float
    status: Status

    as_dict = dict_of

    @property
    def ok(self) -> bool:
        """Whether all crossings were found, and all exponents settled."""
        return self.status.ok

    @property
    def frame(self) -> np.ndarray:
        """(dim - 1, dim) array of orthonormal directions in the plane."""
        return plane_frame(self.normal)

    def distinct(self, tol: float = 1e-4) -> np.ndarray:
        """(V,) array of int: how many different crossings there are at each value, the period of a cycle in crossings.

        Parameters
        ----------
        tol : float > 0, distance at which two crossings are one
        """
        tol = real("tol", tol, low=0.0, open_low=True)
        return np.array([_distinct(points[np.isfinite(points[:, 0])], tol) for points in self.points])

    def check(self) -> None:
        """ValueError where shapes contradict each other."""
        V, k, d = len(self.values), self.exponents.shape[-1], self.flow.dim
        shapes = {"points": (V, self.points.shape[1], d), "exponents": (V, k), "stderr": (V, k), "normal": (d,)}
        require_shapes(self, shapes)

    def __str__(self) -> str:
        counts = self.distinct()
        text = f"{len(self.values)} sections along {self.path} from {self.values[0]:.6g} to {self.values[-1]:.6g}, "
        text += f"{counts.min()} to {counts.max()} different crossings"
        if self.exponents.shape[1]:
            text += f", leading exponent from {self.exponents[:, 0].min():.4g} to {self.exponents[:, 0].max():.4g}"
        return f"{text}; status: {self.status}"


def _distinct(points, tol):
    count = 0
    while len(points):
        points = points[np.linalg.norm(points - points[0], axis=1) > tol]
        count += 1
    return count


def section_diagram(
    flow: Flow,
    path: str | Mapping[str, float] | Flow | Line,
    values: npt.ArrayLike,
    start: npt.ArrayLike,
    normal: int | npt.ArrayLike = 0,
    level: float | None = None,
    n_points: int = 100,
    *,
    direction: int = 1,
    transient: float = 500.0,
    t_max: float = 1e4,
    n_exponents: int = 0,
    time: float = 2000.0,
    rtol: float = 1e-8,
    progress: Wanted = None,
) -> SectionDiagram:
    """Poincare sections, and Lyapunov exponents, of the attractor that a trajectory stays on while a parameter changes.

    Parameters
    ----------
    flow : Flow
    path : str, mapping, Flow or Line
        The parameter, such as "b_h[1]", or what changes together, such as "gain.h": as for ``Flow.along``.
    values : (V,) array of at least one value, in the order in which to go through them
    start : (dim,) array, at the first value
    normal, level, n_points, direction, t_max, rtol : as for :func:`poincare_section`
        ``level`` is by default that of the first value, and the same for all.
    transient : float from 0 to 1e6
        Time at each value before the first crossing that counts. Beside a bifurcation transients last longer.
    n_exponents : int from 0 to dim
        How many exponents to compute at each value.
    time : float from 1 to 1e6
        Over which they are averaged.
    progress : None, True or callable
        True: a progress bar. A callable is told ``progress(done, total)`` in values.

    Returns
    -------
    SectionDiagram

    Raises
    ------
    TypeError, ValueError
        arguments that are not allowed
    ConvergenceError
        a trajectory runs away, or comes to rest before the first value has a crossing

    See Also
    --------
    gating_theory.flow.poincare_section : At one value.
    gating_theory.flow.plot_section : Draws it.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_h=[[3, -3], [3, 3]])
    >>> diagram = gt.flow.section_diagram(
    ...     flow, "gain.h", [1.0, 0.8], [0.1, 0.2], level=0.0, n_points=5
    ... )
    >>> diagram.distinct()
    array([1, 1])
    """
    instance("flow", flow, Flow)
    along = flow.along(path)
    values = real_array("values", values)
    if values.ndim != 1 or not values.size:
        raise ValueError(f"values must be a vector of at least one number, got shape {values.shape}")
    n_exponents = integer("n_exponents", n_exponents, high=flow.dim)
    time = real("time", time, low=1.0, high=LONGEST)
    check_progress(progress)
    sections: list[PoincareSection] = []
    spectra: list[FlowExponents] = []
    state = start
    with Progress(progress, len(values), "value") as tell:
        for value in values.tolist():
            here = flow.replace(along, value)
            section = poincare_section(
                here, state, normal, level, n_points, direction=direction, transient=transient, t_max=t_max, rtol=rtol
            )
            if not sections and not len(section):
                raise ConvergenceError(f"no crossing of the plane at the first value, {along} = {value:g}", section)
            sections.append(section)
            level, state = section.level, section.state
            if n_exponents:
                spectra.append(lyapunov_spectrum(here, n_exponents, time, start=state, transient=0.0, rtol=rtol, rng=0))
            tell(1)
    return _diagram(flow, along, values, sections, spectra, n_points, n_exponents)


def _diagram(flow, path, values, sections, spectra, n_points, n_exponents):
    points = np.full((len(values), n_points, flow.dim), np.nan)
    for row, section in zip(points, sections):
        row[: len(section)] = section.points
    exponents, stderr = (
        np.array([getattr(s, name) for s in spectra]).reshape(len(values), n_exponents) for name in ("exponents", "stderr")
    )
    few, open_ = sum(not s.ok for s in sections), sum(not s.ok for s in spectra)
    status = Status("complete")
    if open_:
        status = Status("unsettled", f"exponents at {open_} of {len(values)} values have not settled", ok=False)
    if few:
        status = Status("few", f"fewer crossings than asked for at {few} of {len(values)} values", ok=False)
    return SectionDiagram(flow, path, values, points, exponents, stderr, sections[0].normal, sections[0].level, status)
