"""Branches of limit cycles in one parameter, by pseudo-arclength continuation, with their bifurcations [JSP]."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from ...errors import ConvergenceError
from ...results.encoding import dict_of, result
from ...results.status import Status
from ...running.progress import Progress, check_progress
from ...support.arithmetic import underflow_is_zero
from ...support.checks import instance, integer, real, shown, sign
from ...support.types import Progress as Wanted
from ..flow import LONGEST, Flow
from ..line import Line, Path
from ..orbits import collocation
from ..orbits.cycle import Cycle, measured_cycle
from .bifurcation import Bifurcation
from .curve import parameter_bounds, sign_change

__all__ = ["CycleBranch", "continue_cycle"]

#: Local error of collocation polynomials along a branch; periods are better than this by orders of magnitude. The mesh intervals up
#: to which it is kept, and the cycles after which the mesh is graded anew.
_LOCAL, _MOST_INTERVALS, _REGRADED = 1e-6, 400, 4

#: Newton's tolerance along a branch.
_TOL = 1e-10

#: Cosine of the angle between neighbouring tangents below which a step is halved and tried again.
_SHARP = 0.8

#: The first step in units of the longest, by what steps grow, and the length below which the branch counts as lost.
_FIRST, _GROWTH, _SHORTEST = 0.3, 1.3, 1e-7

#: Rms size of the first orbit from a Hopf point, and its mesh intervals.
_BORN, _BORN_INTERVALS = 0.02, 12

#: Largest range of a coordinate at which a cycle has shrunk to a point; and, where from one cycle to the next it shrinks to less
#: than this part, the larger range that is enough.
_POINT, _SMALL, _COLLAPSE = 1e-3, 0.02, 0.3

#: Imaginary parts below are rounding, and multipliers further than this from the unit circle are not those of a torus bifurcation.
_REAL, _CRITICAL = 1e-9, 1e-5


@result("flow.CycleBranch")
@dataclass(frozen=True)
class CycleBranch:
    """A curve of limit cycles in one parameter.

    Attributes
    ----------
    path : str or Line
    values : (n,) array of the parameter
    periods : (n,) array
    multipliers : (n, dim - 1) complex array, without the trivial one
    low, high : (n, dim) arrays, smallest and largest value of each coordinate on the cycle
    bifurcations : list of Bifurcation
    last : Cycle, the end of the branch
    status : Status
        Why it ended: "bounds" (a bound of the parameter was reached), "hopf" (the cycle shrank to a fixed point), "period" (longer
        than ``max_period``), "points" (``max_points``), "lost" (Newton's method fails). ok for the first three.
    """

    path: Path
    values: np.ndarray
    periods: np.ndarray
    multipliers: np.ndarray
    low: np.ndarray
    high: np.ndarray
    bifurcations: list[Bifurcation]
    last: Cycle = field(repr=False)
    status: Status

    as_dict = dict_of

    @property
    def ok(self) -> bool:
        """Whether the branch was followed to an end of its own or to the bounds."""
        return self.status.ok

    @property
    def stable(self) -> np.ndarray:
        """(n,) array of bool."""
        return np.all(np.abs(self.multipliers) < 1.0, axis=1)

    def __len__(self) -> int:
        return len(self.values)

    def __str__(self) -> str:
        lines = [
            f"{len(self)} cycles along {self.path} from {self.values[0]:.8g} "
            f"to {self.values[-1]:.8g}, periods {self.periods[0]:.6g} to "
            f"{self.periods[-1]:.6g}; {self.status}"
        ]
        return "\n".join([*lines, *(f"  {b}" for b in self.bifurcations)])


@underflow_is_zero
def continue_cycle(
    flow: Flow,
    path: str | Mapping[str, float] | Flow | Line,
    bounds: npt.ArrayLike,
    start: Cycle | Bifurcation,
    *,
    max_step: float = 0.05,
    max_points: int = 400,
    max_period: float = 2000.0,
    direction: int = 1,
    progress: Wanted = None,
) -> CycleBranch:
    """Follow a limit cycle, stable or not, along a parameter by pseudo-arclength continuation of its collocation problem.

    Length along the curve is measured by the rms change of the orbit, the relative change of the period and the change of the
    parameter together. Folds of cycles, period doublings and torus bifurcations are located by the secant method. The branch ends
    at the bounds, where the cycle shrinks to a fixed point (a Hopf point), or where the period exceeds ``max_period``, on the way
    to a homoclinic orbit or a saddle-node on the cycle (see ``homoclinic``).

    Parameters
    ----------
    flow : Flow
    path : str, mapping, Flow or Line
        The parameter, such as "b_h[1]", or what changes together, such as "gain.h": as for ``Flow.along``.
    bounds : (low, high)
        Range of the parameter.
    start : Cycle of ``flow``, or Bifurcation of kind "hopf" along ``path``
    max_step : float > 0
    max_points : int
    max_period : float > 0
    direction : 1 or -1
        Which way the parameter goes at first (from a Cycle).
    progress : None, True or callable
        As for ``phase_diagram``.

    Returns
    -------
    CycleBranch

    Raises
    ------
    TypeError, ValueError : arguments that are not allowed
    ConvergenceError : not even the first cycle converges
    """
    instance("flow", flow, Flow)
    path = flow.along(path)
    direction = sign("direction", direction)
    max_step = real("max_step", max_step, low=1e-9, high=1e3)
    max_points = integer("max_points", max_points, low=2)
    max_period = real("max_period", max_period, low=0.0, high=LONGEST, open_low=True)
    if isinstance(start, Bifurcation):
        if start.kind != "hopf" or start.path != path:
            raise ValueError(f"start must be a hopf point along {path}, got a {start.kind} along {start.path}")
        _require_family(flow, start.flow, path)
        flow = start.flow
        low, high = parameter_bounds(flow, path, bounds)
        place = _from_hopf(start, path)
    elif isinstance(start, Cycle):
        _require_family(flow, start.flow, path)
        low, high = parameter_bounds(flow, path, bounds)
        place = _from_cycle(flow, start, path, direction)
    else:
        raise TypeError(f"start must be a Cycle or a Bifurcation, got {shown(start)}")
    check_progress(progress)
    with Progress(progress, max_points, "cycle") as tell:
        return _follow(place, path, (low, high), max_step, max_points, max_period, tell)


def _require_family(flow, own, path):
    """ValueError unless the flow of the start is ``flow`` itself, but for the parameter that varies."""
    same = flow.cell == own.cell and flow.n_units == own.n_units
    # along a line entries come back with rounding errors
    if not same or not np.allclose(flow.replace(path, own.parameter(path)).flat, own.flat, rtol=1e-12, atol=1e-300):
        raise ValueError(f"start must be of flow, but for {path}: its own flow is {shown(own)}, flow is {shown(flow)}")


# --- places on a branch: (orbit, flow, tangent), the tangent as (stages, period, slope of the parameter)


def _from_hopf(bifurcation, path):
    """The first place beside a Hopf point, the tangent in the direction in which the family grows."""
    orbit, unit = _small_orbit(bifurcation)
    # the plane is measured from the fixed point itself
    still = replace(orbit, stages=np.broadcast_to(bifurcation.state, orbit.stages.shape))
    plane = collocation.Plane(still, bifurcation.value, unit, 0.0, 0.0, _BORN)
    orbit, here, tangent = collocation.newton(bifurcation.flow, orbit, path, plane, tol=_TOL, iterations=40, tangent=True)
    if np.sum(np.diff(orbit.mesh)[:, None, None] * tangent[0] * unit) < 0:
        tangent = _reversed(tangent)
    return orbit, here, tangent


def _small_orbit(bifurcation, size=_BORN):
    """A small closed orbit in the critical plane of a Hopf point, and the direction in which the family grows."""
    here, state = bifurcation.flow, bifurcation.state
    values, vectors = np.linalg.eig(here.jacobian(state))
    turning = np.where(values.imag > 0, np.abs(values.imag - bifurcation.frequency), np.inf)
    q = vectors[:, int(np.argmin(turning))]
    period = 2.0 * np.pi / bifurcation.frequency

    def ring(times):
        phase = np.exp(2j * np.pi * np.asarray(times) / period)
        return (phase[..., None] * q).real

    circle = collocation.from_curve(ring, period, _BORN_INTERVALS)
    scale = size / np.sqrt(circle.average(np.sum(circle.stages**2, axis=-1)))
    orbit = collocation.from_curve(lambda t: state + scale * ring(t), period, _BORN_INTERVALS)
    unit = (orbit.stages - state) / size
    return orbit, unit


def _from_cycle(flow, cycle, path, direction):
    """The place of a cycle, the tangent in the direction in which the parameter goes."""
    zero = np.zeros_like(cycle.orbit.stages)
    plane = collocation.Plane(cycle.orbit, flow.parameter(path), zero, 0.0, 1.0, 0.0)
    orbit, here, tangent = collocation.newton(flow, cycle.orbit, path, plane, tol=_TOL, tangent=True)
    return orbit, here, _reversed(tangent) if tangent[2] * direction < 0 else tangent


def _reversed(tangent):
    return tuple(-t for t in tangent)


def _overlap(orbit, a, b):
    weight = np.diff(orbit.mesh)[:, None, None] / orbit.stages.shape[1]
    return float(np.sum(weight * a[0] * b[0]) + a[1] * b[1] / orbit.period**2 + a[2] * b[2])


def _ahead(place, path, h):
    """The place at length h along the tangent, its tangent in the same sense."""
    orbit, here, tangent = place
    stages, period, slope = tangent
    # mesh points enter the equations linearly: any guess of them does
    guess = replace(orbit, stages=orbit.stages + h * stages, period=orbit.period + h * period)
    plane = collocation.Plane(orbit, here.parameter(path), stages, period / orbit.period**2, slope, h)
    if guess.period <= 0:
        raise ConvergenceError("period", guess)
    moved = here.replace(path, here.parameter(path) + h * slope)
    new, moved, turned = collocation.newton(moved, guess, path, plane, reference=orbit, tol=_TOL, iterations=10, tangent=True)
    return new, moved, _reversed(turned) if _overlap(new, turned, tangent) < 0 else turned


def _regraded(place, path, n):
    """The place on a graded mesh of n intervals, at the same parameter where the branch allows it."""
    orbit, here, tangent = place
    new = orbit.rebuilt(orbit.graded_mesh(n))
    carrier = replace(orbit, points=tangent[0][:, 0], stages=tangent[0])
    phases = new.mesh[:-1, None] + np.diff(new.mesh)[:, None] * collocation.gauss_scheme(new.stages.shape[1])[0][1:]
    stages = _between_stages(carrier, phases)
    plane = collocation.Plane(new, here.parameter(path), stages, tangent[1] / new.period**2, tangent[2], 0.0)
    fresh, here, turned = collocation.newton(here, new, path, plane, tol=_TOL, tangent=True)
    back = _overlap(fresh, turned, (stages, tangent[1], tangent[2])) < 0
    return fresh, here, _reversed(turned) if back else turned


def _between_stages(carrier, phases):
    """Values at phases of a periodic function that is known at the stages only."""
    nodes = collocation.gauss_scheme(carrier.stages.shape[1])[0][1:]
    known = (carrier.mesh[:-1, None] + np.diff(carrier.mesh)[:, None] * nodes).ravel()
    columns = carrier.stages.reshape(-1, carrier.stages.shape[-1]).T
    return np.stack([np.interp(phases, known, c, period=1.0) for c in columns], axis=-1)


# --- along a branch


def _follow(place, path, bounds, max_step, max_points, max_period, tell):
    cycle = _cycle(place)
    rows, found, h = [_row(cycle, path)], [], _FIRST * max_step
    status = Status("points", f"stopped after {max_points} points", ok=False)
    tests = _tests(cycle, place[2])
    while len(rows) < max_points:
        try:
            new = _ahead(place, path, h)
            if _overlap(new[0], new[2], place[2]) < _SHARP:
                raise ConvergenceError("sharp turn", new[0])
            n = len(new[0].points)
            if new[0].local_error() > _LOCAL and n < _MOST_INTERVALS:
                # a finer mesh under the last point, and again
                place = _regraded(place, path, int(1.5 * n))
                continue
        except ConvergenceError:
            h *= 0.5
            if h < _SHORTEST:
                orbit, here, _ = place
                text = f"lost at {path} = {here.parameter(path):.8g}, period {orbit.period:.6g}"
                status = Status("lost", text, ok=False)
                break
            continue
        cycle = _cycle(new)
        row, fresh = _row(cycle, path), _tests(cycle, new[2])
        found += _located(place, path, tests, h, fresh)
        end = _left(row, path, *bounds)
        if end is not None:
            status = end
            break
        rows.append(row)
        tell(1)
        end = _ended(rows, path, max_period)
        if end is not None:
            status = end
            break
        if len(rows) % _REGRADED == 0:
            place = _regraded(new, path, n)
            tests = _tests(_cycle(place), place[2])
        else:
            place, tests = new, fresh
        h = min(_GROWTH * h, max_step)
    columns = [np.array(c) for c in zip(*rows)]
    return CycleBranch(path, *columns, found, cycle, status)


def _cycle(place):
    orbit, here, _ = place
    return measured_cycle(here, orbit, 0.0)


def _row(cycle, path):
    """What a branch keeps of a cycle: parameter, period, multipliers, smallest and largest values."""
    stages = cycle.orbit.stages
    return cycle.flow.parameter(path), cycle.period, cycle.multipliers, stages.min((0, 1)), stages.max((0, 1))


def _left(row, path, low, high):
    """The Status of a branch that has left its bounds, else None."""
    if low <= row[0] <= high:
        return None
    return Status("bounds", f"{path} reached {low if row[0] < low else high:g}")


def _ended(rows, path, max_period):
    """The Status of a branch that has come to its own end, else None."""
    value, period, _, smallest, largest = rows[-1]
    extent = (largest - smallest).max()
    collapses = len(rows) > 3 and extent < _SMALL and extent < _COLLAPSE * (rows[-2][4] - rows[-2][3]).max()
    if extent < _POINT or collapses:
        return Status("hopf", f"shrinks to a fixed point at {path} = {value:.8g} (Hopf)")
    if period > max_period:
        text = f"period exceeds {max_period:g} at {path} = {value:.10g} (homoclinic, or a saddle-node on the cycle)"
        return Status("period", text)
    return None


# --- bifurcations of cycles


def _tests(cycle, tangent):
    """Test functions: where one of them changes sign there is a bifurcation."""
    m = cycle.multipliers
    tests = {"cycle_fold": tangent[2], "period_doubling": float(np.prod(m + 1.0).real)}
    if len(m) > 1:
        i, j = np.triu_indices(len(m), 1)
        tests["torus"] = float(np.prod(m[i] * m[j] - 1.0).real)
    return tests


def _located(place, path, before, h, after):
    """Bifurcations within length h from a place."""
    found = []
    for kind in after:
        if not before[kind] * after[kind] < 0:
            continue

        def test(s, kind=kind):
            if s == 0.0:
                return before[kind]
            new = _ahead(place, path, s)
            return _tests(_cycle(new), new[2])[kind]

        try:
            new = _ahead(place, path, sign_change(test, h, xtol=1e-12))
        except ConvergenceError:
            continue
        if kind == "torus" and not _on_unit_circle(_cycle(new).multipliers):
            continue
        orbit, moved, _ = new
        found.append(Bifurcation(kind, path, moved.parameter(path), orbit.points[0], moved, period=orbit.period, orbit=orbit))
    return found


def _on_unit_circle(multipliers):
    turning = multipliers[multipliers.imag > _REAL]
    return bool(turning.size) and not np.abs(np.abs(turning) - 1.0).min() > _CRITICAL
