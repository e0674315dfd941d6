"""Limit cycles of a flow, stable and unstable, with Floquet multipliers; all attractors from a grid of starts; basins [JSP]."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ...errors import ConvergenceError
from ...results.encoding import require, result
from ...support.checks import integer, real, real_array
from ..flow import _box
from . import collocation
from .trajectories import advance

__all__ = ["Attractors", "Basins", "Cycle", "attractors", "basins", "cycles", "find_cycle"]

#: Extent (largest range of a coordinate) below which a closed orbit counts as a point.
_POINT = 1e-5

#: A trajectory this close to a sink has arrived; to a stable cycle, in units of the cycle's extent.
_ARRIVED, _ON_CYCLE = 1e-4, 1e-3

#: Largest relative defect of the velocity along a saved closed orbit.
_CLOSED = 1e-5


@result("flow.Cycle")
@dataclass(frozen=True, eq=False)
class Cycle:
    """A limit cycle: a closed orbit on which the flow does not rest, solved by collocation.

    Attributes
    ----------
    flow : Flow
    period : float
        In units of one step of the network.
    period_error : float
        Change of the period with the last refinement of the mesh; the error is smaller.
    multipliers : (dim - 1,) complex array
        Floquet multipliers without the trivial 1, largest modulus first. In two dimensions the only one is the product of the
        determinants of all collocation steps, which keeps relative digits however small it is; in more dimensions multipliers below
        1e-13 of the largest are rounding.
    trivial : float
        What the multiplier 1 came out as: drifts from 1 for long periods (and means nothing beside a homoclinic orbit,
        where products of
        collocation steps grow by many orders of magnitude on the way).
    liouville : float
        exp of the integrated divergence of the flow, which is the product of all multipliers: an independent check.
    orbit : collocation.Orbit
    status : str
    """

    flow: object
    period: float
    period_error: float
    multipliers: np.ndarray
    trivial: float
    liouville: float
    orbit: object = field(repr=False)
    status: str = "converged"

    @property
    def point(self):
        """(dim,) array, a state on the cycle."""
        return self.orbit.points[0]

    def states(self, n=400):
        """(n, dim) array, n states at equal times around the cycle, from ``point`` on."""
        return self.orbit(np.arange(integer("n", n, low=1)) / n)

    @cached_property
    def _curve(self):
        from scipy.spatial import cKDTree

        # mesh points crowd where the orbit turns or rests, equal times where it is slow: both
        phase = np.union1d(
            np.linspace(0.0, 1.0, 4001)[:-1],
            (self.orbit.mesh[:-1, None] + np.diff(self.orbit.mesh)[:, None] * np.arange(8) / 8).ravel(),
        )
        states = self.orbit(phase)
        return states, cKDTree(states)

    @property
    def extent(self):
        """(dim,) array, largest minus smallest value of each coordinate."""
        return np.ptp(self._curve[0], axis=0)

    @property
    def stable(self):
        """Whether all multipliers lie inside the unit circle."""
        return bool((np.abs(self.multipliers) < 1.0).all())

    @property
    def n_unstable(self):
        """Number of multipliers outside the unit circle."""
        return int((np.abs(self.multipliers) > 1.0).sum())

    @property
    def exponents(self):
        """(dim - 1,) array, Floquet exponents log|multiplier| / period, per unit time."""
        with np.errstate(divide="ignore"):
            return np.log(np.abs(self.multipliers)) / self.period

    def distance(self, states):
        """Distance of states (..., dim) from the cycle, to about 1e-6 of its extent; (...)."""
        states = np.asarray(states, dtype=float)
        flat = states.reshape(-1, self.flow.dim)
        curve, tree = self._curve
        _, nearest = tree.query(flat)
        best = np.full(len(flat), np.inf)
        for shift in (-1, 0):  # the two segments at the nearest sample
            a, b = curve[(nearest + shift) % len(curve)], curve[(nearest + shift + 1) % len(curve)]
            along = b - a
            t = np.clip(np.sum((flat - a) * along, axis=1) / np.maximum(np.sum(along**2, axis=1), 1e-300), 0.0, 1.0)
            best = np.minimum(best, np.linalg.norm(flat - a - t[:, None] * along, axis=1))
        return best.reshape(states.shape[:-1])

    def same(self, other):
        """Whether another Cycle is this one, to 1e-4 of its extent."""
        return bool(self.distance(other.states(50)).max() < 1e-4 * self.extent.max())

    def check(self):
        """ValueError where the orbit does not follow the flow, or the period is not that of the orbit."""
        defect = self.orbit.defect(self.flow)
        require(defect < _CLOSED, f"the closed orbit does not follow {self.flow!r}: its velocity is off by {defect:.3g}")
        require(self.period == self.orbit.period, "period is not that of the orbit")

    def as_dict(self):
        """JSON-ready: period, multipliers (real and imaginary parts), 200 states, status."""
        return {
            "kind": "cycle",
            "period": self.period,
            "period_error": self.period_error,
            "multipliers": [[float(m.real), float(m.imag)] for m in self.multipliers],
            "trivial": self.trivial,
            "liouville": self.liouville,
            "states": self.states(200).tolist(),
            "status": self.status,
        }

    def __str__(self):
        kind = "stable" if self.stable else f"unstable ({self.n_unstable} of {len(self.multipliers)} directions)"
        values = ", ".join(f"{m.real:.6g}" if abs(m.imag) < 1e-14 else f"{m:.6g}" for m in self.multipliers)
        centre = ", ".join(f"{x:.4g}" for x in self.states(200).mean(axis=0))
        return f"{kind} cycle: period {self.period:.10g} ({self.period_error:.0e}), multipliers {values}, around ({centre})"


def cycle_from_orbit(flow, orbit, tol=1e-11):
    """A Cycle from a rough or converged collocation orbit; ConvergenceError where it shrinks to a point or does not converge."""
    before = np.ptp(orbit.points, axis=0).max()
    while True:
        orbit, error = collocation.solve(flow, orbit, tol)
        extent = np.ptp(orbit.points, axis=0).max()
        if extent < max(_POINT, 1e-3 * before):
            raise ConvergenceError("closed orbit: it shrank to a fixed point", orbit)
        folds = _covering(orbit, extent)
        if folds == 1:
            return _measure(flow, orbit, error)
        short = orbit
        orbit = collocation.from_curve(lambda t, o=short: o(t / o.period), short.period / folds)


def _covering(orbit, extent):
    """How often the orbit runs around one and the same closed curve."""
    phase = np.linspace(0.0, 1.0, 23)[:-1]
    states = orbit(phase)
    for k in range(12, 1, -1):
        if np.abs(orbit(phase + 1.0 / k) - states).max() < 1e-6 * extent:
            return k
    return 1


def _measure(flow, orbit, error):
    M = orbit.monodromy()
    J = flow.jacobian(orbit.stages)
    growth = orbit.period * orbit.average(np.trace(J, axis1=-2, axis2=-1))
    if flow.dim == 2:
        multipliers = np.array([np.prod(np.linalg.det(orbit.transfer))], dtype=complex)
        trivial = float(np.trace(M) - multipliers[0].real)
    else:
        values = np.linalg.eigvals(M).astype(complex)
        place = int(np.argmin(np.abs(values - 1.0)))
        trivial = float(values[place].real)
        multipliers = np.delete(values, place)
        multipliers = multipliers[np.argsort(-np.abs(multipliers))]
    status = "converged"
    if flow.dim > 2 and abs(trivial - 1.0) > 1e-6:
        status += f"; the trivial multiplier came out as {trivial:.8g}: the others have no more digits than that"
    return Cycle(flow, orbit.period, error, multipliers, trivial, float(np.exp(growth)), orbit, status)


class _Loop:
    """One loop of a trajectory that solve_ivp's dense output covers piece by piece: states at times in [0, period)."""

    def __init__(self, pieces, period, backward):
        self.pieces, self.period, self.backward = list(pieces), float(period), backward
        self.ends = np.array([end for end, _ in self.pieces])

    def __call__(self, times):
        times = np.asarray(times, dtype=float)
        flat = (self.period - times if self.backward else times).ravel()
        piece = np.minimum(np.searchsorted(self.ends, flat), len(self.pieces) - 1)
        out = None
        for k in np.unique(piece):
            begin = self.ends[k - 1] if k else 0.0
            values = self.pieces[k][1]((flat[piece == k] - begin) * (-1.0 if self.backward else 1.0)).T
            out = np.empty((flat.size, values.shape[1])) if out is None else out
            out[piece == k] = values
        return out.reshape(*times.shape, -1)


def _loops(flow, state, longest, backward=False):
    """Candidates for one loop of the trajectory from ``state``: its near returns to a section through it, the earliest first."""
    velocity = flow(state)
    speed = np.linalg.norm(velocity)
    if speed < 1e-12:
        return
    sign = -1.0 if backward else 1.0
    normal = sign * velocity / speed

    def section(t, x):
        return (x - state) @ normal

    # solve_ivp sees crossings from below in the direction of its own steps
    section.direction = 1.0
    span, start, offset, pieces = 40.0, state, 0.0, []
    low, high = state, state
    while offset < longest:
        try:
            run = flow.integrate(start, sign * span, events=section, rtol=1e-11, atol=1e-13, dense_output=True)
        except ConvergenceError:
            return
        if not np.isfinite(run.y).all() or np.abs(run.y).max() > 1e3:
            return
        pieces.append((offset + span, run.sol))
        low, high = np.minimum(low, run.y.min(axis=1)), np.maximum(high, run.y.max(axis=1))
        for when, x in zip(np.abs(run.t_events[0]), run.y_events[0]):
            # the start itself is a crossing too, and it is no return before the orbit has been far away
            if offset + when > 1e-6 and np.linalg.norm(x - state) < 0.1 * (high - low).max():
                loop = _Loop(pieces, offset + when, backward)
                away = np.linalg.norm(loop(np.linspace(0.0, loop.period, 50)) - state, axis=1).max()
                if away > 3.0 * np.linalg.norm(x - state):
                    yield loop
        offset, start, span = offset + span, run.y[:, -1], 2.0 * span


def _fastest(flow, state, sign, time, n=64):
    """The fastest of n states along a trajectory: where a section is crossed well, far from saddles that the cycle rests at."""
    best, speed = state, np.linalg.norm(flow(state))
    for _ in range(n):
        state = advance(flow, state, sign * time / n, rtol=1e-10, atol=1e-12, bound=1e3)
        if not np.isfinite(state).all():
            break
        now = np.linalg.norm(flow(state))
        if now > speed:
            best, speed = state, now
    return best


def _limit_cycle(flow, state, max_period, backward=False, tol=1e-11, candidates=4, near=0.02):
    """The cycle that attracts (backward: repels) and passes within ``near`` extents of a state, from the first returns to it."""
    reason = "no near return"
    for count, loop in enumerate(_loops(flow, state, max_period, backward)):
        cycle = None
        for intervals in (24, 96):
            try:
                cycle = cycle_from_orbit(flow, collocation.from_curve(loop, loop.period, intervals), tol)
                break
            except ConvergenceError as error:
                reason = str(error)
        if cycle is not None:
            # a loop that Newton carried elsewhere, or a saddle cycle beside the attractor, is not what was asked for
            inside = np.abs(cycle.multipliers) > 1.0 if backward else np.abs(cycle.multipliers) < 1.0
            if inside.all() and cycle.distance(state) < near * max(cycle.extent.max(), 1e-3):
                return cycle
            reason = "the closed orbit found is not the limit of this trajectory"
        if count + 1 >= candidates:
            break
    raise ConvergenceError(reason, state)


def find_cycle(flow, start, *, transient=200.0, max_period=2000.0, backward=False, tol=1e-11):
    """The limit cycle that a trajectory approaches, or that it left when ``backward``.

    The trajectory is followed for a transient time and then until it returns close to where it was; the loop is the first
    guess of the
    collocation solver. That a trajectory keeps moving proves nothing (transients behind shut gates last thousands of time units);
    only a converged closed orbit of finite extent is returned.

    Parameters
    ----------
    flow : Flow
        Of two dimensions or more.
    start : (dim,) array
    transient : float >= 0
        Time before the first loop is looked for; on failure four and sixteen times as much is tried.
    max_period : float > 0
    backward : bool
        Follow the flow backwards: in two dimensions this finds unstable cycles.
    tol : float
        Relative tolerance of the period.

    Returns
    -------
    Cycle

    Raises
    ------
    TypeError, ValueError : arguments that are not allowed
    ConvergenceError : no closed orbit was found: the trajectory went to a fixed point, away, or is not periodic
    """
    start = real_array("start", start)
    if flow.dim < 2:
        raise ValueError("flow must have at least two dimensions: on a line nothing returns")
    if start.shape != (flow.dim,):
        raise ValueError(f"start must have shape ({flow.dim},), got {start.shape}")
    transient = real("transient", transient, low=0.0)
    max_period = real("max_period", max_period, low=0.0, open_low=True)
    tol = real("tol", tol, low=1e-13, high=1e-3)
    state, reason = start, "no near return"
    for factor in (1.0, 3.0, 12.0):
        state = advance(flow, state, (-1.0 if backward else 1.0) * factor * transient, rtol=1e-10, atol=1e-12, bound=1e3)
        if not np.isfinite(state).all():
            raise ConvergenceError("no cycle: the trajectory leaves all bounds", start)
        state = _fastest(flow, state, -1.0 if backward else 1.0, max(25.0, 0.25 * factor * transient))
        try:
            return _limit_cycle(flow, state, max_period, backward, tol)
        except ConvergenceError as error:
            reason = str(error)
    raise ConvergenceError(f"no cycle from {start.tolist()}: {reason}", state)


# --- attractors


@result("flow.Attractors")
@dataclass(frozen=True, eq=False)
class Attractors:
    """Where a set of starts ends: stable fixed points and stable cycles.

    Attributes
    ----------
    flow : Flow
    sinks : (n_sinks, dim) array
    cycles : list of Cycle
    starts : (..., dim) array
    label : (...) array of int
        Attractor of each start: sinks from 0 on, then cycles; -1 where nothing was reached within ``t_max``.
    n_undecided : int
        Starts with label -1.
    t_max : float
    status : str
    """

    flow: object
    sinks: np.ndarray
    cycles: list
    starts: np.ndarray = field(repr=False)
    label: np.ndarray = field(repr=False)
    n_undecided: int = 0
    t_max: float = 0.0
    status: str = ""

    def __len__(self):
        return len(self.sinks) + len(self.cycles)

    @property
    def fraction(self):
        """(len,) array, share of the starts that each attractor drew."""
        counts = np.bincount(self.label[self.label >= 0].ravel(), minlength=len(self))
        return counts / max(1, self.label.size)

    def __str__(self):
        lines = [self.status]
        for i, share in enumerate(self.fraction):
            if i < len(self.sinks):
                what = f"sink ({', '.join(f'{x:.6g}' for x in self.sinks[i])})"
            else:
                what = str(self.cycles[i - len(self.sinks)])
            lines.append(f"  {i}: {what}; {share:.1%} of the starts")
        return "\n".join(lines)


@result("flow.Basins")
@dataclass(frozen=True, eq=False)
class Basins:
    """Basins of attraction of a two-dimensional flow on a grid.

    Attributes
    ----------
    x, y : (n,) arrays, the grid
    label : (n, n) array of int, ``label[j, i]`` belongs to (x[i], y[j]); see Attractors
    attractors : Attractors
    """

    x: np.ndarray
    y: np.ndarray
    label: np.ndarray
    attractors: Attractors

    @property
    def flow(self):
        """The Flow."""
        return self.attractors.flow

    def __str__(self):
        return str(self.attractors)


def _grid(flow, n, box):
    axes = [np.linspace(low, high, n) for low, high in _box(flow, box)]
    return axes, np.stack(np.meshgrid(*axes, indexing="xy"), axis=-1)


def _given_starts(flow, starts, box):
    """(..., dim) array of starts: those given, or a grid of so many points per axis."""
    if starts is None or isinstance(starts, (int, np.integer)):
        n = _default_grid(flow.dim) if starts is None else integer("starts", starts, low=1)
        _, starts = _grid(flow, n, box)
    starts = real_array("starts", starts)
    if starts.ndim == 0 or starts.shape[-1] != flow.dim:
        raise ValueError(f"starts must have shape (..., {flow.dim}), got {starts.shape}")
    return starts


def _default_grid(dim):
    return {1: 101, 2: 16, 3: 8}.get(dim, 4)


def _along_manifolds(flow, points, unstable=True):
    """Starts beside the fixed points, along the directions in which they repel (or attract): into every corner of the portrait."""
    starts = []
    for x in points:
        values, vectors = np.linalg.eig(flow.jacobian(x))
        wanted = values.real > 0 if unstable else values.real < 0
        for v in vectors.T[wanted]:
            for part in (v.real, v.imag):
                if np.linalg.norm(part) > 1e-8:
                    starts += [x + 1e-3 * part / np.linalg.norm(part), x - 1e-3 * part / np.linalg.norm(part)]
    return np.array(starts).reshape(-1, flow.dim)


def attractors(flow, starts=None, *, box=None, t_max=5000.0, rtol=1e-7):
    """All attractors that a grid of starts reaches: stable fixed points and stable limit cycles.

    Sinks come from the complete list of fixed points. Trajectories that reach none are followed on; from what is left cycles are
    solved for (``find_cycle``), and a start counts as theirs when its trajectory is within 1e-3 of a stable cycle's extent.
    In two dimensions there is nothing else (Poincare-Bendixson) but connections of saddles; attractors whose basins fall between
    the starts are missed, beside every source and saddle there is a start.

    Parameters
    ----------
    flow : Flow
    starts : int or (..., dim) array, optional
        Points per axis of a grid (default 16 in two dimensions, 8 in three), or the starts themselves.
    box : (low, high) or one pair per coordinate, optional
        Limits of the grid. Default: ``flow.bounds``, for a GRU [-1, 1], which no trajectory leaves.
    t_max : float > 0
        Time after which a start counts as undecided.
    rtol : float
        Relative tolerance of a step of the trajectories (not of the cycles).

    Returns
    -------
    Attractors

    Raises
    ------
    TypeError, ValueError : arguments that are not allowed
    """
    t_max = real("t_max", t_max, low=0.0, open_low=True)
    rtol = real("rtol", rtol, low=1e-12, high=1e-3)
    starts = _given_starts(flow, starts, box)
    points = flow.fixed_points()
    fixed = points.states.reshape(-1, flow.dim)
    sinks = np.array([p.state for p in points if p.kind == "sink"]).reshape(-1, flow.dim)
    extra = _along_manifolds(flow, fixed)
    states = np.concatenate([starts.reshape(-1, flow.dim), extra])
    label = np.full(len(states), -1)
    # half the distance to the next fixed point bounds what can count as arrived
    radius = np.full(len(sinks), _ARRIVED)
    for i, sink in enumerate(sinks):
        others = np.linalg.norm(fixed - sink, axis=1)
        others = others[others > 0]
        if len(others):
            radius[i] = min(_ARRIVED, 0.05 * others.min())
    found, time, chunk, left = [], 0.0, 25.0, np.arange(len(states))
    while left.size and time < t_max:
        states[left] = advance(flow, states[left], chunk, rtol=rtol, atol=0.01 * rtol, bound=1e3)
        left = left[np.isfinite(states[left]).all(axis=1)]
        time += chunk
        chunk = min(2.0 * chunk, max(t_max - time, 1e-9))
        for i, sink in enumerate(sinks):
            arrived = np.linalg.norm(states[left] - sink, axis=1) < radius[i]
            label[left[arrived]] = i
            left = left[~arrived]
        for attempt in range(-1, 2):
            if attempt >= 0 and left.size and flow.dim > 1 and time >= 100.0:
                try:
                    state = _fastest(flow, states[left[(attempt * left.size) // 2]], 1.0, 25.0)
                    _enter(found, _limit_cycle(flow, state, min(2000.0, time), candidates=1, near=0.5))
                except ConvergenceError:
                    continue
            for i, cycle in enumerate(found):
                if left.size:
                    on = cycle.distance(states[left]) < _ON_CYCLE * cycle.extent.max()
                    label[left[on]] = len(sinks) + i
                    left = left[~on]
    own = label[: label.size - len(extra)].reshape(starts.shape[:-1])
    undecided = int((own < 0).sum())
    status = f"{len(sinks)} sink{'s' * (len(sinks) != 1)}, {len(found)} stable cycle{'s' * (len(found) != 1)}"
    if undecided:
        status += f"; {undecided} of {own.size} starts reached none of them by t = {t_max:g} (slow, or another kind of attractor)"
    elif (label < 0).any():
        status += f"; a trajectory from beside an unstable fixed point reached none of them by t = {t_max:g}"
    return Attractors(flow, sinks, found, starts, own, undecided, t_max, status)


def _enter(cycles, new):
    if not any(cycle.same(new) for cycle in cycles):
        cycles.append(new)


def cycles(flow, starts=None, *, box=None, t_max=5000.0):
    """The limit cycles that a grid of starts finds, the stable ones forwards and the repelling ones backwards in time.

    Parameters, errors: as for :func:`attractors` (flow, starts, box, t_max). In two dimensions every cycle with a multiplier other
    than 1 attracts in one of the two directions of time; cycles whose basin falls between the starts are missed. In more dimensions
    cycles of saddle type are not found this way: follow them from a bifurcation (``continue_cycle``).

    Returns
    -------
    list of Cycle, stable ones first, by period
    """
    if flow.dim < 2:
        return []
    found = list(attractors(flow, starts, box=box, t_max=t_max).cycles)
    limits = _box(flow, box)
    if starts is None or isinstance(starts, (int, np.integer)):
        _, starts = _grid(flow, _default_grid(flow.dim) if starts is None else starts, box)
    fixed = flow.fixed_points().states.reshape(-1, flow.dim)
    # edges of the box run out of it backwards; what matters begins inside, and beside the fixed points
    inner = starts.reshape(-1, flow.dim)
    inner = limits.mean(axis=1) + 0.95 * (inner - limits.mean(axis=1))
    states = np.concatenate([inner, _along_manifolds(flow, fixed, unstable=False)])
    bound = 1.5 * np.abs(limits).max()
    chunk = 25.0
    time, repelling = 0.0, []
    while len(states) and time < t_max:
        states = advance(flow, states, -chunk, bound=bound)
        states = states[np.isfinite(states).all(axis=1)]
        if len(fixed) and len(states):
            apart = np.linalg.norm(states[:, None] - fixed[None], axis=2).min(axis=1)
            states = states[apart > _ARRIVED]
        time += chunk
        chunk *= 2.0
        for attempt in range(-1, 2):
            if attempt >= 0 and len(states) and time >= 100.0:
                try:
                    state = _fastest(flow, states[(attempt * len(states)) // 2], -1.0, 25.0)
                    _enter(repelling, _limit_cycle(flow, state, min(2000.0, time), True, candidates=1, near=0.5))
                except ConvergenceError:
                    continue
            for cycle in repelling:
                if len(states):
                    states = states[cycle.distance(states) > _ON_CYCLE * cycle.extent.max()]
    return sorted(found, key=lambda c: c.period) + sorted(repelling, key=lambda c: c.period)


def basins(flow, n=121, *, box=None, t_max=5000.0):
    """Basins of attraction of a two-dimensional flow.

    Parameters
    ----------
    flow : Flow of two dimensions
    n : int
        Points per axis.
    box : (low, high) or two such pairs, optional
        Default: ``flow.bounds``.
    t_max : float > 0
        As for :func:`attractors`.

    Returns
    -------
    Basins

    Raises
    ------
    TypeError, ValueError : arguments that are not allowed, a flow of other than two dimensions
    """
    if flow.dim != 2:
        raise ValueError(f"flow must have two dimensions for basins on a grid, got {flow.dim}")
    axes, starts = _grid(flow, integer("n", n, low=2), box)
    result = attractors(flow, starts, t_max=t_max, rtol=1e-6)
    return Basins(*axes, result.label, result)
