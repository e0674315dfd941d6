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
from ..line import Path
from . import collocation
from .connections import Connection, rest_point, with_ends_at
from .cycle import Cycle, cycle_from_orbit

__all__ = ["PeriodLaw", "cycles_beside"]

#: Distance from the saddle, in units of the extent, at which the homoclinic orbit is closed to the first cycle.
_CLOSED_AT = 1e-4

#: Mesh intervals of a loop. Newton's tolerance on the way.
_INTERVALS, _TOL = 40, 1e-8

#: Of the logarithm of the distance: the longest and the shortest step, and how near a member must be to what is wanted. The most
#: steps to one distance.
_STEP, _SHORTEST, _NEAR_ENOUGH, _MOST_STEPS = 1.5, 0.01, 0.1, 200

#: Distance of the first cycle from the homoclinic orbit, in units of the extent, above which it is another one.
_BESIDE = 0.1


@result("flow.PeriodLaw")
@dataclass(frozen=True)
class PeriodLaw:
    """Periods of cycles close to a homoclinic parameter.

    Attributes
    ----------
    distances : (n,) array, ``|mu - mu_c|``, decreasing
    periods : (n,) array
    slopes : (n - 1,) array
        Change of the period per unit of ``-log|mu - mu_c|`` between neighbours.
    expected : float
        Its limit: passes / min(lambda_u, -lambda_s), of the weakest unstable and the weakest stable eigenvalue.
    passes : int
        How often the cycle passes the saddle: 1, or 2 where two symmetric loops are glued together.
    cycles : list of Cycle, stable or not
    below : bool
        Whether the cycles exist below the homoclinic parameter.
    approach : (n,) array
        Smallest distance of each cycle from the saddle at its own parameter; decreasing.

    See Also
    --------
    gating_theory.flow.Homoclinic.period_law : Makes one.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_h=[[4.5, -2], [10, 0]], b_h=[0.4, 1.2])
    >>> saddle, bracket = [0.525, 0.998], (0.9, 0.93)
    >>> loop = gt.flow.homoclinic(flow, "b_h[1]", bracket, saddle, tol=1e-3)
    >>> law = loop.period_law([1e-2, 1e-3])
    >>> law.periods.round(2), law.below
    (array([22.1 , 29.64]), False)
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
    ConvergenceError
        there is no such cycle at some distance
    """
    flow, saddle = loops[0].flow, loops[0].saddles[0]
    family = _Family(loops, path, value, len(loops) / rate)
    found, approach = [], []
    for d in distances[::-1]:
        there = flow.replace(path, value - d if family.below else value + d)
        cycle = cycle_from_orbit(there, family.near(d))
        found.append(cycle)
        approach.append(np.linalg.norm(cycle.orbit.stages - rest_point(there, saddle), axis=-1).min())
    if (np.diff(approach) < 0).any():
        raise ConvergenceError("period law: the cycles found do not approach the saddle: they do not belong to it")
    return found[::-1], family.below, np.array(approach[::-1])


class _Family:
    """Cycles beside the loops by their period, the parameter being unknown: {period: (distance, flow, orbit)}."""

    def __init__(self, loops, path, value, slope):
        self.loops, self.path, self.value, self.slope = loops, path, value, slope
        first = _closed(loops, _CLOSED_AT)
        here, orbit = _with_period(loops[0].flow, path, first)
        _require_beside(orbit, loops)
        self.below = here.parameter(path) < value
        self.known = {orbit.period: (abs(here.parameter(path) - value), here, orbit)}

    def near(self, d):
        """The closed orbit of a member whose distance from the homoclinic parameter is nearly d."""
        longest_step, steps = _STEP, 0
        while True:
            period = min(self.known, key=lambda T: abs(np.log(self.known[T][0] / d)))
            distance, here, orbit = self.known[period]
            missing = np.log(distance / d)
            if abs(missing) < _NEAR_ENOUGH:
                return orbit
            steps += 1
            step = np.sign(missing) * min(abs(missing), longest_step) * self.slope
            try:
                if steps > _MOST_STEPS or not 0.0 < -step < 0.4 * period and step < 0.0:
                    raise ConvergenceError("step")
                here, new = self._with(here, orbit, period + step)
            except ConvergenceError:
                longest_step *= 0.5
                if longest_step < _SHORTEST or steps > _MOST_STEPS:
                    self._stop(distance)
                continue
            place = here.parameter(self.path) - self.value
            if (place < 0) != self.below or (abs(place) < distance) != (step > 0):
                self._stop(distance)
            self.known[new.period] = (abs(place), here, new)

    def _with(self, here, orbit, period):
        """The member of a period, from a neighbour, or from the loops themselves where these stand nearer."""
        try:
            return _with_period(here, self.path, collocation.Orbit(orbit.mesh, orbit.points, orbit.stages, period))
        except ConvergenceError:
            return _with_period(here, self.path, self._loops_of(period))

    def _loops_of(self, period):
        """The loops, cut off so that one after the other they last a period."""
        rates = np.linalg.eigvals(self.loops[0].flow.jacobian(self.loops[0].saddles[0])).real
        both = len(self.loops) * (1.0 / rates[rates > 0].min() - 1.0 / rates[rates < 0].max())
        size, orbit = _CLOSED_AT, None
        for _ in range(30):
            orbit = _closed(self.loops, size)
            if abs(orbit.period - period) < 1e-2 * both:
                break
            size *= np.exp((orbit.period - period) / both)
        return collocation.Orbit(orbit.mesh, orbit.points, orbit.stages, period)

    def _stop(self, distance):
        side = "below" if self.below else "above"
        raise ConvergenceError(
            f"period law: no cycle beyond the distance {distance:g} {side} the homoclinic parameter: the family turns back or ends"
        )


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


def _with_period(flow, path, orbit):
    """The cycle of this very period, the parameter being unknown instead."""
    plane = collocation.Plane(orbit, flow.parameter(path), np.zeros_like(orbit.stages), 1.0, 0.0, 0.0)
    orbit, here = collocation.newton(flow, orbit, path, plane, tol=_TOL)
    orbit = orbit.rebuilt(orbit.graded_mesh(len(orbit.points)))
    plane = collocation.Plane(orbit, here.parameter(path), np.zeros_like(orbit.stages), 1.0, 0.0, 0.0)
    orbit, here = collocation.newton(here, orbit, path, plane, tol=_TOL)
    return here, orbit


def _require_beside(orbit, loops):
    """ConvergenceError unless a closed orbit and the loops lie near one another."""
    states = np.concatenate([loop.orbit.stages.reshape(-1, loop.orbit.stages.shape[-1]) for loop in loops])
    own = orbit.stages.reshape(-1, orbit.stages.shape[-1])
    gaps = np.linalg.norm(states[:, None] - own[None], axis=-1)
    if max(gaps.min(axis=0).max(), gaps.min(axis=1).max()) > _BESIDE * max(loop.extent for loop in loops):
        raise ConvergenceError("period law: the closed orbit found does not belong to the homoclinic orbit")
