"""All attractors that a grid of starts reaches, repelling cycles backwards in time, and basins [JSP]."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ...errors import ConvergenceError
from ...results.encoding import dict_of, result
from ...results.status import Status
from ...support.arithmetic import underflow_is_zero
from ...support.available_memory import require_memory
from ...support.checks import instance, integer, real, real_array
from ..flow import LONGEST, Flow, box_limits
from .cycle import Cycle, fastest_state, limit_cycle
from .trajectories import advance

__all__ = ["Attractors", "Basins", "along_manifolds", "attractors", "basins", "cycles", "given_starts"]

#: A trajectory this close to a sink has arrived; to a stable cycle, in units of the cycle's extent.
_ARRIVED, _ON_CYCLE = 1e-4, 1e-3

#: Where another fixed point is close, a trajectory has arrived within this part of the distance.
_APART = 0.05

#: Distance from a fixed point of starts beside it.
_BESIDE = 1e-3

#: A trajectory whose largest component exceeds it is given up.
_AWAY = 1e3

#: Time until trajectories are looked at for the first time; it doubles from look to look.
_CHUNK = 25.0

#: Time before which no cycle is searched for, its longest period, and which trajectories of those left (parts of the list) it is
#: searched from.
_FIRST_SEARCH, _LONGEST, _SEARCHES = 100.0, 2000.0, (0.0, 0.5)


@result("flow.Attractors")
@dataclass(frozen=True)
class Attractors:
    """Where a set of starts ends: stable fixed points and stable cycles.

    Attributes
    ----------
    flow : Flow
    sinks : (n_sinks, dim) array
    cycles : list of Cycle
        Stable ones.
    starts : (..., dim) array
    label : (...) array of int
        Attractor of each start: sinks from 0 on, then cycles; -1 where nothing was reached within ``t_max``.
    n_undecided : int
        Starts with label -1.
    t_max : float
    status : Status
        "reached" (every start reached an attractor), "undecided" (some did not), "missed" (all did, but a trajectory from beside an
        unstable fixed point did not). ok for the first.
    """

    flow: Flow
    sinks: np.ndarray
    cycles: list[Cycle]
    starts: np.ndarray = field(repr=False)
    label: np.ndarray = field(repr=False)
    n_undecided: int
    t_max: float
    status: Status

    as_dict = dict_of

    @property
    def ok(self) -> bool:
        """Whether all trajectories reached an attractor."""
        return self.status.ok

    def __len__(self) -> int:
        return len(self.sinks) + len(self.cycles)

    @property
    def fraction(self) -> np.ndarray:
        """(len,) array, share of the starts that each attractor drew."""
        counts = np.bincount(self.label[self.label >= 0].ravel(), minlength=len(self))
        return counts / max(1, self.label.size)

    def __str__(self) -> str:
        lines = [str(self.status)]
        for i, share in enumerate(self.fraction):
            if i < len(self.sinks):
                what = f"sink ({', '.join(f'{x:.6g}' for x in self.sinks[i])})"
            else:
                what = str(self.cycles[i - len(self.sinks)])
            lines.append(f"  {i}: {what}; {share:.1%} of the starts")
        return "\n".join(lines)


@result("flow.Basins")
@dataclass(frozen=True)
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

    as_dict = dict_of

    @property
    def flow(self) -> Flow:
        """The Flow."""
        return self.attractors.flow

    def __str__(self) -> str:
        return str(self.attractors)


def _grid(name, flow, n, box):
    # states, clocks, labels and what decides them
    require_memory(f"{name} = {n}, a grid of {n}^{flow.dim} starts,", 8.0 * 8 * flow.dim * float(n) ** flow.dim)
    axes = [np.linspace(low, high, n) for low, high in box_limits(flow, box)]
    return axes, np.stack(np.meshgrid(*axes, indexing="xy"), axis=-1)


def given_starts(flow: Flow, starts: npt.ArrayLike | None, box: npt.ArrayLike | None) -> np.ndarray:
    """(..., dim) array of starts: those given, or a grid of so many points per axis (None: as many as are affordable).

    Parameters, errors: as for :func:`attractors` (flow, starts, box).
    """
    instance("flow", flow, Flow)
    if starts is None or (isinstance(starts, (int, np.integer)) and not isinstance(starts, bool)):
        n = _default_grid(flow.dim) if starts is None else integer("starts", starts, low=1)
        _, starts = _grid("starts", flow, n, box)
    starts = real_array("starts", starts)
    if starts.ndim == 0 or starts.shape[-1] != flow.dim:
        raise ValueError(f"starts must have shape (..., {flow.dim}), got {starts.shape}")
    return starts


def _default_grid(dim):
    return {1: 101, 2: 16, 3: 8}.get(dim, 4)


def along_manifolds(flow: Flow, points: np.ndarray, unstable: bool = True) -> np.ndarray:
    """Starts beside fixed points, along the directions in which they repel (or attract): they reach every corner of the portrait.

    Parameters
    ----------
    flow : Flow
    points : (n, dim) array of fixed points
    unstable : bool
        The directions that repel, else those that attract.

    Returns
    -------
    (m, dim) array
    """
    starts = []
    for x in points:
        values, vectors = np.linalg.eig(flow.jacobian(x))
        wanted = values.real > 0 if unstable else values.real < 0
        for v in vectors.T[wanted]:
            for part in (v.real, v.imag):
                if np.linalg.norm(part) > 1e-8:
                    starts += [x + _BESIDE * part / np.linalg.norm(part), x - _BESIDE * part / np.linalg.norm(part)]
    return np.array(starts).reshape(-1, flow.dim)


@underflow_is_zero
def attractors(
    flow: Flow,
    starts: npt.ArrayLike | None = None,
    *,
    box: npt.ArrayLike | None = None,
    t_max: float = 5000.0,
    rtol: float = 1e-7,
) -> Attractors:
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
    t_max : float > 0, 1e6 at most
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
    t_max = real("t_max", t_max, low=0.0, high=LONGEST, open_low=True)
    rtol = real("rtol", rtol, low=1e-12, high=1e-3)
    starts = given_starts(flow, starts, box)
    points = flow.fixed_points()
    fixed = points.states.reshape(-1, flow.dim)
    sinks = np.array([p.state for p in points if p.kind == "sink"]).reshape(-1, flow.dim)
    extra = along_manifolds(flow, fixed)
    states = np.concatenate([starts.reshape(-1, flow.dim), extra])
    label, found = _followed(flow, states, sinks, _arrival_radii(sinks, fixed), t_max, rtol)
    own = label[: label.size - len(extra)].reshape(starts.shape[:-1])
    undecided = int((own < 0).sum())
    text = f"{len(sinks)} sink{'s' * (len(sinks) != 1)}, {len(found)} stable cycle{'s' * (len(found) != 1)}"
    status = Status("reached", text)
    if undecided:
        text += f"; {undecided} of {own.size} starts reached none of them by t = {t_max:g} (slow, or another kind of attractor)"
        status = Status("undecided", text, ok=False)
    elif (label < 0).any():
        text += f"; a trajectory from beside an unstable fixed point reached none of them by t = {t_max:g}"
        status = Status("missed", text, ok=False)
    return Attractors(flow, sinks, found, starts, own, undecided, t_max, status)


def _arrival_radii(sinks, fixed):
    """How near to each sink a trajectory has arrived: less where another fixed point is close."""
    radius = np.full(len(sinks), _ARRIVED)
    for i, sink in enumerate(sinks):
        others = np.linalg.norm(fixed - sink, axis=1)
        others = others[others > 0]
        if len(others):
            radius[i] = min(_ARRIVED, _APART * others.min())
    return radius


def _followed(flow, states, sinks, radius, t_max, rtol):
    """Label of the attractor that each state reaches by ``t_max``, -1 for none, and the stable cycles among them."""
    label = np.full(len(states), -1)
    found, time, chunk, left = [], 0.0, _CHUNK, np.arange(len(states))

    def take_those_on_cycles():
        nonlocal left
        for i, cycle in enumerate(found):
            if left.size:
                on = cycle.distance(states[left]) < _ON_CYCLE * cycle.extent.max()
                label[left[on]] = len(sinks) + i
                left = left[~on]

    while left.size and time < t_max:
        states[left] = advance(flow, states[left], chunk, rtol=rtol, atol=0.01 * rtol, bound=_AWAY)
        left = left[np.isfinite(states[left]).all(axis=1)]
        time += chunk
        chunk = min(2.0 * chunk, max(t_max - time, 1e-9))
        for i, sink in enumerate(sinks):
            arrived = np.linalg.norm(states[left] - sink, axis=1) < radius[i]
            label[left[arrived]] = i
            left = left[~arrived]
        take_those_on_cycles()
        for part in _SEARCHES:
            if left.size and flow.dim > 1 and time >= _FIRST_SEARCH and _searched(flow, found, states[left], part, time):
                take_those_on_cycles()
    return label, found


def _searched(flow, cycles, states, part, time, backward=False):
    """Look for a cycle from the state at this part of a list, and enter it among the known ones; whether there is one."""
    try:
        state = fastest_state(flow, states[int(part * len(states))], -1.0 if backward else 1.0, _CHUNK)
        new = limit_cycle(flow, state, min(_LONGEST, time), backward, candidates=1, near=0.5)
    except ConvergenceError:
        return False
    if not any(cycle.same(new) for cycle in cycles):
        cycles.append(new)
    return True


@underflow_is_zero
def cycles(
    flow: Flow, starts: npt.ArrayLike | None = None, *, box: npt.ArrayLike | None = None, t_max: float = 5000.0
) -> list[Cycle]:
    """The limit cycles that a grid of starts finds, the stable ones forwards and the repelling ones backwards in time.

    Parameters, errors: as for :func:`attractors` (flow, starts, box, t_max). In two dimensions every cycle with a multiplier other
    than 1 attracts in one of the two directions of time; cycles whose basin falls between the starts are missed. In more dimensions
    cycles of saddle type are not found this way: follow them from a bifurcation (``continue_cycle``).

    Returns
    -------
    list of Cycle, stable ones first, by period
    """
    instance("flow", flow, Flow)
    if flow.dim < 2:
        return []
    stable = attractors(flow, starts, box=box, t_max=t_max).cycles
    limits = box_limits(flow, box)
    begin = given_starts(flow, starts, box)
    fixed = flow.fixed_points().states.reshape(-1, flow.dim)
    # edges of the box run out of it backwards; what matters begins inside, and beside the fixed points
    inner = begin.reshape(-1, flow.dim)
    inner = limits.mean(axis=1) + 0.95 * (inner - limits.mean(axis=1))
    states = np.concatenate([inner, along_manifolds(flow, fixed, unstable=False)])
    repelling = _repelling(flow, states, fixed, 1.5 * np.abs(limits).max(), t_max)
    return sorted(stable, key=lambda c: c.period) + sorted(repelling, key=lambda c: c.period)


def _repelling(flow, states, fixed, bound, t_max):
    """The cycles that states come to backwards in time; what leaves the bound or comes to a fixed point is given up."""
    found, time, chunk = [], 0.0, _CHUNK

    def those_off_cycles(states):
        for cycle in found:
            if len(states):
                states = states[cycle.distance(states) > _ON_CYCLE * cycle.extent.max()]
        return states

    while len(states) and time < t_max:
        states = advance(flow, states, -chunk, bound=bound)
        states = states[np.isfinite(states).all(axis=1)]
        if len(fixed) and len(states):
            apart = np.linalg.norm(states[:, None] - fixed[None], axis=2).min(axis=1)
            states = states[apart > _ARRIVED]
        time += chunk
        chunk *= 2.0
        states = those_off_cycles(states)
        for part in _SEARCHES:
            if len(states) and time >= _FIRST_SEARCH and _searched(flow, found, states, part, time, backward=True):
                states = those_off_cycles(states)
    return found


def basins(flow: Flow, n: int = 121, *, box: npt.ArrayLike | None = None, t_max: float = 5000.0) -> Basins:
    """Basins of attraction of a two-dimensional flow.

    Parameters
    ----------
    flow : Flow of two dimensions
    n : int
        Points per axis.
    box : (low, high) or two such pairs, optional
        Default: ``flow.bounds``.
    t_max : float > 0, 1e6 at most
        As for :func:`attractors`.

    Returns
    -------
    Basins

    Raises
    ------
    TypeError, ValueError : arguments that are not allowed, a flow of other than two dimensions
    """
    instance("flow", flow, Flow)
    if flow.dim != 2:
        raise ValueError(f"flow must have two dimensions for basins on a grid, got {flow.dim}")
    (x, y), starts = _grid("n", flow, integer("n", n, low=2), box)
    result = attractors(flow, starts, t_max=t_max, rtol=1e-6)
    return Basins(x, y, result.label, result)
