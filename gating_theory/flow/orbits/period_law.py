"""Cycles beside a homoclinic orbit, continued from it, and the divergence of their periods [JSP].

A cycle beside it spends ever more time at the saddle, T ~ -log|mu - mu_c| / min(lambda_u, -lambda_s): it is stable where the
contraction is the stronger one. Whether it attracts does not matter here: it is the homoclinic orbit, closed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ...errors import ConvergenceError
from ...results.encoding import dict_of, result
from ..flow import Flow
from ..line import Path
from . import collocation
from .connections import Connection, rest_point, with_ends_at
from .cycle import Cycle, cycle_from_orbit

__all__ = ["PeriodLaw", "cycles_beside"]

#: Distance from the saddle, in units of the extent, at which the homoclinic orbit is closed to the first cycle.
_CLOSED_AT = 1e-3

#: Mesh intervals of a loop. Newton's tolerance on the way.
_INTERVALS, _TOL = 60, 1e-9

#: Steps in the period, in units of the time in which the distance halves, and at most so many of them.
_STEP, _MOST_STEPS = 1.0, 200

#: Distance of the first cycle from the homoclinic orbit, in units of the extent, above which it is another one.
_BESIDE = 0.1


@result("flow.PeriodLaw")
@dataclass(frozen=True)
class PeriodLaw:
    """Periods of cycles close to a homoclinic parameter.

    Attributes
    ----------
    distances : (n,) array, |mu - mu_c|, decreasing
    periods : (n,) array
    slopes : (n - 1,) array
        Change of the period per unit of -log|mu - mu_c| between neighbours.
    expected : float
        Its limit: passes / min(lambda_u, -lambda_s), of the weakest unstable and the weakest stable eigenvalue.
    passes : int
        How often the cycle passes the saddle: 1, or 2 where two symmetric loops are glued together.
    cycles : list of Cycle, stable or not
    below : bool
        Whether the cycles exist below the homoclinic parameter.
    approach : (n,) array
        Smallest distance of each cycle from the saddle at its own parameter; decreasing.
    """

    distances: np.ndarray
    periods: np.ndarray
    slopes: np.ndarray
    expected: float
    passes: int
    cycles: list[Cycle] = field(repr=False)
    below: bool
    approach: np.ndarray

    as_dict = dict_of

    def __str__(self) -> str:
        kind = "stable" if all(c.stable for c in self.cycles) else "unstable" if not any(c.stable for c in self.cycles) else "some"
        side = "below" if self.below else "above"
        lines = [f"{kind} cycles {side}: T against -log|mu - mu_c|: slope tends to {self.expected:.6g}"]
        for i, (d, T) in enumerate(zip(self.distances, self.periods)):
            lines.append(f"  {d:9.1e}  {T:12.7g}" + (f"  {self.slopes[i - 1]:.6g}" if i else ""))
        return "\n".join(lines)


def cycles_beside(
    loops: Sequence[Connection], path: Path, value: float, distances: np.ndarray, rate: float
) -> tuple[list[Cycle], bool, np.ndarray]:
    """Cycles that pass along homoclinic loops of one saddle in turn, at distances from the homoclinic parameter.

    Parameters
    ----------
    loops : sequence of Connection, all of one saddle at one parameter
    path : str or Line
    value : float, the homoclinic parameter
    distances : (n,) array, decreasing
    rate : float
        The slower of expansion and contraction at the saddle.

    Returns
    -------
    cycles : list of n Cycle
    below : bool, whether they exist below ``value``
    approach : (n,) array, how near each comes to its saddle

    Raises
    ------
    ConvergenceError : there is no such cycle at some distance
    """
    flow, saddle = loops[0].flow, loops[0].saddles[0]
    extent = max(loop.extent for loop in loops)
    here, orbit = _with_period(flow, path, _closed(loops, _CLOSED_AT))
    below = here.parameter(path) < value
    _require_beside(orbit, loops, extent)
    known = [(abs(here.parameter(path) - value), here, orbit)]
    # outwards, shorter and shorter, as far as the largest distance
    passes, step = len(loops), _STEP * np.log(2.0) * len(loops) / rate
    while known[-1][0] < distances[0]:
        if len(known) > _MOST_STEPS or known[-1][2].period < 1.5 * step:
            raise ConvergenceError(f"period law: the cycles do not reach the distance {distances[0]:g} from the homoclinic parameter")
        _, here, orbit = known[-1]
        here, shorter = _with_period(here, path, _shortened(orbit, passes, step))
        if (here.parameter(path) < value) != below or abs(here.parameter(path) - value) < known[-1][0]:
            raise ConvergenceError(
                f"period law: the cycles reach no further than {known[-1][0]:g} from the homoclinic parameter: they turn back there"
            )
        known.append((abs(here.parameter(path) - value), here, shorter))
    found, approach = [], []
    for d in distances:
        there = flow.replace(path, value - d if below else value + d)
        cycle = cycle_from_orbit(there, _guess(known, loops, d, rate))
        found.append(cycle)
        saddle = rest_point(there, saddle)
        approach.append(np.linalg.norm(cycle.orbit.stages - saddle, axis=-1).min())
        saddle = loops[0].saddles[0]
    if (np.diff(approach) > 0).any():
        raise ConvergenceError("period law: the cycles found do not approach the saddle: they do not belong to this homoclinic orbit")
    return found, below, np.array(approach)


def _guess(known, loops, d, rate):
    """A closed orbit near that at distance d: the nearest one that is known, or the loops themselves."""
    nearest = min(known, key=lambda k: abs(np.log(k[0] / d)))
    if d >= known[0][0] * 0.7:
        return nearest[2]
    # the loops stand nearer to the saddle by the time that the law adds
    longer = np.log(known[0][0] / d) / rate
    ends = _CLOSED_AT
    period = known[0][2].period + len(loops) * longer
    for _ in range(30):
        orbit = _closed(loops, ends)
        missing = (period - orbit.period) / len(loops)
        if abs(missing) < 0.02 / rate:
            break
        own = loops[0].flow.jacobian(loops[0].saddles[0])
        rates = np.linalg.eigvals(own).real
        both = 1.0 / rates[rates > 0].min() - 1.0 / rates[rates < 0].max()
        ends *= np.exp(-missing / both)
    return collocation.Orbit(orbit.mesh, orbit.points, orbit.stages, period)


def _closed(loops, size):
    """The loops one after the other, each cut off at a distance from the saddle."""
    parts = [with_ends_at(loop, size, _INTERVALS).orbit for loop in loops]
    periods = np.array([part.period for part in parts])
    starts = np.concatenate([[0.0], np.cumsum(periods)])

    def curve(times):
        flat = np.ravel(times)
        place = np.clip(np.searchsorted(starts, flat, side="right") - 1, 0, len(parts) - 1)
        out = np.empty((flat.size, parts[0].points.shape[1]))
        for k, part in enumerate(parts):
            own = place == k
            out[own] = part(np.clip((flat[own] - starts[k]) / periods[k], 0.0, 1.0 - 1e-15))
        return out.reshape(*np.shape(times), -1)

    return collocation.from_curve(curve, starts[-1], _INTERVALS * len(parts))


def _shortened(orbit, passes, step):
    """A guess of the cycle whose period is shorter by ``step``."""
    return collocation.Orbit(orbit.mesh, orbit.points, orbit.stages, orbit.period - step)


def _with_period(flow, path, orbit):
    """The cycle of this very period, the parameter being unknown instead."""
    plane = collocation.Plane(orbit, flow.parameter(path), np.zeros_like(orbit.stages), 1.0, 0.0, 0.0)
    orbit, here = collocation.newton(flow, orbit, path, plane, tol=_TOL)
    orbit = orbit.rebuilt(orbit.graded_mesh(len(orbit.points)))
    plane = collocation.Plane(orbit, here.parameter(path), np.zeros_like(orbit.stages), 1.0, 0.0, 0.0)
    orbit, here = collocation.newton(here, orbit, path, plane, tol=_TOL)
    return here, orbit


def _require_beside(orbit, loops, extent):
    """ConvergenceError unless a closed orbit and the loops lie near one another."""
    states = np.concatenate([loop.orbit.stages.reshape(-1, loop.orbit.stages.shape[-1]) for loop in loops])
    own = orbit.stages.reshape(-1, orbit.stages.shape[-1])
    gaps = np.linalg.norm(states[:, None] - own[None], axis=-1)
    if max(gaps.min(axis=0).max(), gaps.min(axis=1).max()) > _BESIDE * extent:
        raise ConvergenceError("period law: the closed orbit found does not belong to the homoclinic orbit")
