"""What becomes of trajectories: each is followed until there is evidence of where it ends, or told why there is none [JSP]."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...errors import CapabilityError, ConvergenceError
from ..flow import Flow
from ..proof.attracting import AttractingSet, attracting_set, sampled_set, small_box
from . import collocation
from .cycle import Cycle, cycle_from_orbit
from .followed_cycle import followed_cycle
from .following import Crowd
from .irregular import Irregular, average_over, irregular_attractor

__all__ = ["ON_UNSTABLE", "UNSETTLED", "Fates", "Landscape", "backward_landscape", "known_landscape"]

#: Labels of starts that belong to no attractor: not settled, and at rest on an unstable fixed point or on its stable manifold.
UNSETTLED, ON_UNSTABLE = -1, -2

#: Steps between looks at trajectories. The last is given up after all of them.
_LOOKS = (100, 100, 200, 400, 800, 1600, 3200, 6400, 12800)

#: Looks after which chaos and tori are looked for.
_WANDERING = (4, 6, 8)
#: Steps of all averages that tell these together, some seconds.
_AVERAGED = 2e6

#: Looks after which trajectories that creep towards a fixed point at a bifurcation are given up, and the approach from one look
#: to the next that counts.
_CREEPING, _APPROACH = 6, 0.95

#: A trajectory that comes this close to an unstable fixed point is on its stable manifold, as far as its own accuracy goes.
_ON_POINT = 1e-8
#: Where another fixed point is close, boxes around fixed points are this part of the distance.
_APART = 0.05
#: Backwards in time a trajectory has come to rest this close to a fixed point.
_AT_REST = 1e-4

#: Returns, in units of the extent of the path in between, from which a cycle is searched for: at the first look, and at least.
_RETURN, _CLOSE_RETURN = 0.02, 1e-3
#: Searches at one look, other than the last.
_SEARCHES = 12
#: Mesh intervals with which Newton's method is tried on a loop, and the tolerance of the loop, in units of the trajectory's.
_MESHES = ((40, 0.1), (480, 0.003))
#: Periods that it is recorded for: one from any state of the first.
_LAPS = 2.2
#: Largest distance of a cycle from the trajectory that it was found from, in units of the cycle's extent.
_BELONGS = 0.5
#: A loop counts as one that has failed before where it passes within this part of its extent, at a period that differs by less.
_SAME_LOOP, _SAME_PERIOD = 0.05, 0.1

#: A trajectory is on a stable cycle within this part of its extent where the cycle attracts by more than _FIRM in a turn.
_ON_CYCLE, _FIRM = 1e-3, 0.01
#: On one that attracts less: at a distance that this cannot be told from 0, or nearer than _LINEAR where the distance shrinks at
#: the cycle's own rate within these factors. An unstable cycle beside it would halve the rate at half the distance between the two.
_NO_DISTANCE, _LINEAR, _RATES = 3e-6, 0.1, (0.5, 2.0)


class Landscape:
    """The fixed points of a flow, as far as they are known, and the sets that decide where a trajectory goes.

    Attributes
    ----------
    sinks : list of AttractingSet
    unstable : list of AttractingSet
        Cubes around unstable fixed points.
    weak : (m, dim) array
        Fixed points of undecided stability.
    points : (n, dim) array of all fixed points known
    listed : bool
        Fixed points come from a search for all of them; else sinks are entered as trajectories come to them.
    complete : bool
        The list is proved complete.
    """

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.sinks: list[AttractingSet] = []
        self.unstable: list[AttractingSet] = []
        self.weak = np.zeros((0, flow.dim))
        self.points = np.zeros((0, flow.dim))
        self.listed = self.complete = False

    @property
    def sets(self) -> list[AttractingSet]:
        """Sinks first, then unstable points."""
        return [*self.sinks, *self.unstable]


def known_landscape(flow: Flow, largest: float) -> Landscape:
    """The Landscape of a flow: from the list of all its fixed points, where that can be had.

    Parameters
    ----------
    flow : Flow
    largest : float
        Radius up to which sets around sinks are tried.
    """
    land = Landscape(flow)
    try:
        points = flow.fixed_points()
    except CapabilityError:
        return land
    land.listed, land.complete = True, points.complete
    land.points = points.states.reshape(-1, flow.dim)
    weak = [0.5 * (box[:, 0] + box[:, 1]) for box in points.undecided if len(box) == flow.dim]
    for p in points:
        if p.kind == "sink":
            land.sinks.append(attracting_set(flow, p, largest) or small_box(p.state, 1e-12))
        elif p.kind == "undecided":
            weak.append(p.state)
        else:
            land.unstable.append(small_box(p.state, _box_radius(p.state, land.points, _ON_POINT)))
    land.weak = np.array(weak).reshape(-1, flow.dim)
    return land


def backward_landscape(flow: Flow, known: np.ndarray) -> Landscape:
    """A Landscape for trajectories backwards in time: they have come to rest near any fixed point.

    Parameters
    ----------
    flow : Flow
    known : (n, dim) array of fixed points, for a flow whose fixed points cannot be listed
    """
    land = Landscape(flow)
    try:
        points = flow.fixed_points()
        land.points, land.complete = points.states.reshape(-1, flow.dim), points.complete
    except CapabilityError:
        land.points = known
    land.listed = True
    land.unstable = [small_box(x, _box_radius(x, land.points, _AT_REST)) for x in land.points]
    return land


def _box_radius(x, points, largest):
    """How near to a fixed point a trajectory is at it: less where another one is close."""
    others = np.linalg.norm(points - x, axis=1)
    others = others[others > 0.0]
    return min(largest, _APART * others.min()) if len(others) else largest


class Fates:
    """Follows trajectories of a flow to where they end; a cycle or a sink is entered when the first of them comes to it.

    Parameters
    ----------
    land : Landscape
    starts : (n, dim) array
    t_max, rtol : float
        As for Crowd.
    cycles : sequence of Cycle
        Stable ones known before.
    backward, bound : as for Crowd
        Backwards in time cycles that repel are looked for.

    Attributes
    ----------
    label : (n,) array of int
        Sinks of the landscape from 0 on, UNSETTLED, ON_UNSTABLE; cycles and irregular attractors in the next two.
    on_cycle, on_irregular : (n,) arrays of int, the cycle or irregular attractor that a start comes to, or -1
    cycles : list of Cycle
    irregular : list of Irregular
    reasons : dict from reasons to (k,) arrays of starts that are not settled
    """

    def __init__(
        self,
        land: Landscape,
        starts: np.ndarray,
        t_max: float = np.inf,
        rtol: float = 1e-6,
        cycles: Sequence[Cycle] = (),
        backward: bool = False,
        bound: float = 1e3,
    ) -> None:
        self.land, self.flow = land, land.flow
        self.crowd = Crowd(land.flow, starts, t_max, rtol, backward, bound)
        self.cycles = list(cycles)
        self.irregular: list[Irregular] = []
        self.label = np.full(len(starts), UNSETTLED)
        self.on_cycle, self.on_irregular = np.full(len(starts), -1), np.full(len(starts), -1)
        self.reasons: dict[str, np.ndarray] = {}
        self._distances: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._creep = np.full(len(starts), np.inf)
        self._left_to_average, self._unseen = _AVERAGED, np.zeros(len(starts), dtype=bool)
        self._follow(np.arange(len(starts)))

    def _follow(self, left):
        for count, steps in enumerate(_LOOKS):
            before = self.crowd.time.copy()
            left = self._advance(left, steps)
            last = count + 1 == len(_LOOKS)
            if not self.land.listed:
                left = self._at_new_sinks(left)
            if self.flow.dim > 1:
                left = self._on_cycles(left)
                if left.size:
                    self._search(left, max(_RETURN * 0.5**count, _CLOSE_RETURN), _SEARCHES if not last else len(left))
                    left = self._on_cycles(left)
            left = self._without_creeping(left, count)
            if self.flow.dim > 2 and not self.crowd.backward and left.size:
                left = self._wandering(left, self.crowd.time - before, count in _WANDERING)
            left = left[self.crowd.time[left] < self.crowd.t_max]
            if not left.size:
                return
        text = f"still under way after {sum(_LOOKS)} steps"
        self._note(text, left[~self._unseen[left]])
        self._note(f"{text}; Lyapunov exponents would take more than {_AVERAGED:.0e} steps", left[self._unseen[left]])

    def _note(self, reason, which):
        if len(which):
            self.reasons[reason] = np.concatenate([self.reasons.get(reason, np.zeros(0, dtype=int)), which])

    def _advance(self, left, steps):
        """Follow those left, and take away those that arrive."""
        self.crowd.advance(left, steps, self.land.sets)
        verdict = self.crowd.verdict[left]
        n = len(self.land.sinks)
        self.label[left] = np.where(verdict >= n, ON_UNSTABLE, np.where(verdict >= 0, verdict, UNSETTLED))
        self._note("left all bounds", left[verdict == -2])
        moving = left[verdict == -1]
        late = self.crowd.time[moving] >= self.crowd.t_max
        self._note(f"still under way at t = {self.crowd.t_max:g}", moving[late])
        return moving

    # --- sinks that nobody listed

    def _at_new_sinks(self, left):
        """Enter sinks that Newton's method finds from where trajectories are, if these are inside the sets that sinks attract."""
        for x in _rest_points(self.flow, self.crowd.states[left]):
            if len(self.land.points) and np.linalg.norm(self.land.points - x, axis=1).min() < 1e-7:
                continue
            self.land.points = np.concatenate([self.land.points, [x]])
            values = np.linalg.eigvals(self.flow.jacobian(x)).real
            if values.max() < 0.0:
                found = sampled_set(self.flow, x, 2.0 * np.sqrt(self.flow.dim))
                if found is not None:
                    # numbers of sinks are labels: unstable points come after them
                    self.land.sinks.append(found)
            elif values.max() > 1e-9 * np.abs(values).max():
                self.land.unstable.append(small_box(x, _ON_POINT))
        return self._advance(left, 1)

    # --- cycles

    def _on_cycles(self, left):
        for k, cycle in enumerate(self.cycles):
            if not left.size:
                break
            on = self._arrived(k, cycle, left)
            self.on_cycle[left[on]] = k
            left = left[~on]
        return left

    def _arrived(self, k, cycle, left):
        """Which trajectories are on a cycle: near enough for one that attracts firmly, or drawn to it at its own rate."""
        distance = cycle.distance(self.crowd.states[left]) / cycle.extent.max()
        rate = np.abs(cycle.exponents).min()
        firm = 1.0 - np.exp(-rate * cycle.period) > _FIRM
        on = distance < (_ON_CYCLE if firm else _NO_DISTANCE)
        before, then = self._distances.setdefault(k, (np.full(len(self.label), np.nan), np.full(len(self.label), np.nan)))
        with np.errstate(divide="ignore", invalid="ignore"):
            shrinks = np.log(before[left] / distance) / (self.crowd.time[left] - then[left])
        on |= (distance < _LINEAR) & (before[left] < _LINEAR) & (shrinks > _RATES[0] * rate) & (shrinks < _RATES[1] * rate)
        before[left], then[left] = distance, self.crowd.time[left]
        return on

    def _search(self, left, near, most):
        """Try a cycle from every trajectory that nearly returned to itself, but for those that pass where one has been tried."""
        states, period, ratio = self.crowd.candidates
        failed: list[tuple[float, np.ndarray]] = []
        # on its way to a cycle that is known
        bound = self._bound(left, self.cycles)
        order = [i for i in left[np.argsort(ratio[left])] if ratio[i] <= near]
        for i in order:
            if len(failed) >= most:
                break
            if bound[i] or any(abs(period[i] - T) < _SAME_PERIOD * T and _passes(path, states[i]) for T, path in failed):
                continue
            cycle = self._cycle(states[i], period[i], self.crowd.states[i])
            if cycle is None or any(known.same(cycle) for known in self.cycles):
                failed.append((period[i], self.crowd.path(states[i], period[i]).states))
            else:
                self.cycles.append(cycle)
                bound |= self._bound(left, [cycle])

    def _bound(self, left, cycles):
        """Which trajectories are so near to one of these cycles that their last return does not point to another one."""
        bound, ratio = np.zeros(len(self.label), dtype=bool), self.crowd.candidates[2]
        for cycle in cycles:
            near = np.maximum(10.0 * ratio[left], _ON_CYCLE) * cycle.extent.max()
            bound[left] |= cycle.distance(self.crowd.states[left]) < near
        return bound

    def _cycle(self, begin, period, state):
        """The cycle along a path that nearly closes, if it draws the trajectory that came along it; else None."""
        backward = self.crowd.backward
        for intervals, coarser in _MESHES:
            path = self.crowd.path(begin, _LAPS * period, coarser)
            start = path.slowest(period)
            time = path.returns(start, period)
            # the steps of the trajectory know where a relaxation jumps
            mesh = (path.steps(start, start + time, intervals) - start) / time

            def loop(times, path=path, start=start, time=time):
                return path(start + time - times if backward else start + times)

            try:
                cycle = cycle_from_orbit(self.flow, collocation.on_mesh(loop, time, 1.0 - mesh[::-1] if backward else mesh))
            except (ConvergenceError, np.linalg.LinAlgError):
                found = None if backward else followed_cycle(self.flow, path, start, time, coarser * self.crowd.rtol)
                if found is not None:
                    return found
                continue
            size = np.abs(cycle.multipliers)
            draws = (size > 1.0).all() if backward else (size < 1.0).all()
            return cycle if draws and cycle.distance(state) < _BELONGS * cycle.extent.max() else None
        return None

    # --- tori and chaos

    def _wandering(self, left, passed, look):
        """Take away those on irregular attractors that are known or, at some looks, found now from one after the other."""
        for k, attractor in enumerate(self.irregular):
            on = attractor.holds(self.crowd.states[left]) & attractor.holds(self.crowd.references[left])
            self.on_irregular[left[on]] = k
            left = left[~on]
        tried: list[np.ndarray] = []
        for i in left if look else ():
            if self.on_irregular[i] >= 0 or any(_passes(path, self.crowd.states[i]) for path in tried):
                continue
            time, steps = average_over(self.crowd, i, passed[i], self._left_to_average)
            self._unseen[i] = time == 0.0
            if self._unseen[i]:
                continue
            self._left_to_average -= steps
            found = irregular_attractor(self.crowd, i, time)
            if found is None:
                tried.append(self.crowd.path(self.crowd.states[i], max(self.crowd.time[i], 1.0)).states)
                continue
            known = [k for k, other in enumerate(self.irregular) if other.same(found)]
            if known:
                self.on_irregular[i] = known[0]
                continue
            on = found.holds(self.crowd.states[left]) & found.holds(self.crowd.references[left])
            self.on_irregular[left[on]] = self.on_irregular[i] = len(self.irregular)
            self.irregular.append(found)
        return left[self.on_irregular[left] < 0]

    # --- fixed points at a bifurcation

    def _without_creeping(self, left, count):
        """Give up those that still come nearer to a fixed point of undecided stability: they would for ever."""
        weak = self.land.weak
        if not len(weak) or not left.size:
            return left
        apart = np.linalg.norm(self.crowd.states[left][:, None] - weak[None], axis=2)
        nearest, distance = apart.argmin(axis=1), apart.min(axis=1)
        creeps = distance < _APPROACH * self._creep[left]
        self._creep[left] = distance
        if count + 1 < _CREEPING:
            return left
        for k, x in enumerate(weak):
            where = ", ".join(f"{v:.6g}" for v in x)
            text = f"creep towards ({where}), a fixed point of undecided stability: at a bifurcation, perhaps weakly attracting"
            self._note(text, left[creeps & (nearest == k)])
        return left[~creeps]


def _passes(path, state):
    extent = np.ptp(path, axis=0).max()
    return np.linalg.norm(path - state, axis=1).min() < _SAME_LOOP * extent


def _rest_points(flow, states, steps=12):
    """Different fixed points that Newton's method reaches from states."""
    x = np.array(states)
    change = np.full(len(x), np.inf)
    for _ in range(steps):
        J = flow.jacobian(x)
        usable = np.abs(np.linalg.det(J)) > 1e-300
        change = np.full(len(x), np.inf)
        move = np.zeros_like(x)
        move[usable] = np.linalg.solve(J[usable], flow(x[usable])[..., None])[..., 0]
        change[usable] = np.linalg.norm(move[usable], axis=1)
        x = np.where((change < 10.0)[:, None], x - move, x)
    rest: list[np.ndarray] = []
    for y in x[change < 1e-11]:
        if not any(np.linalg.norm(y - z) < 1e-7 for z in rest):
            rest.append(y)
    return rest
