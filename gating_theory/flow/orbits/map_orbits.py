"""Attractors of the Euler map s -> s + step f(s), which with step 1 is the discrete network: what training learns [JSP].

Fixed points, periodic orbits, closed invariant curves with their rotation number (an oscillation whose period is no whole number of
steps), and what is none of these.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ...results.encoding import dict_of, result
from ...results.status import Status
from ...support.arithmetic import underflow_is_zero
from ...support.checks import instance, integer, real
from ..flow import LONGEST_STEP, Flow
from .attractors import along_manifolds, given_starts

__all__ = ["MapAttractor", "MapAttractors", "map_attractors"]

#: Steps whose weighted average gives the rotation number, turns that it needs, and the Lyapunov exponent above which an orbit is
#: irregular.
_ROTATION_STEPS, _TURNS, _IRREGULAR = 16384, 400, 1e-3

#: A state that many steps later is this close to itself is periodic.
_CLOSED = 1e-9


@result("flow.MapAttractor")
@dataclass(frozen=True)
class MapAttractor:
    """One attractor of the Euler map.

    Attributes
    ----------
    kind : str
        "fixed", "periodic", "circle" (closed invariant curve, quasi-periodic) or "irregular" (positive Lyapunov exponent, or a
        rotation that does not settle).
    period : int
        Of a periodic orbit, in steps (1 for fixed points); 0 otherwise.
    steps_per_turn : float
        Mean number of steps for one turn around the orbit's mean, in the plane of its two largest extents; nan for fixed points and
        one dimension. Below 2 it cannot be seen.
    rotation_error : float
        Difference of the turns per step between the two halves of the record.
    multipliers : (dim,) complex array
        Of the period-fold map, at fixed and periodic orbits; empty otherwise.
    lyapunov : float
        Largest Lyapunov exponent per step.
    states : (n, dim) array
        The orbit: one period, or 2000 steps.
    """

    kind: str
    period: int
    steps_per_turn: float
    rotation_error: float
    multipliers: np.ndarray
    lyapunov: float
    states: np.ndarray = field(repr=False)

    as_dict = dict_of

    def __str__(self) -> str:
        centre = ", ".join(f"{x:.4g}" for x in self.states.mean(axis=0))
        if self.kind == "fixed":
            return f"fixed point ({centre}), largest |multiplier| {np.abs(self.multipliers).max():.6g}"
        turn = "" if not np.isfinite(self.steps_per_turn) else f", {self.steps_per_turn:.7g} steps per turn"
        if self.kind == "periodic":
            top = np.abs(self.multipliers).max()
            return f"period {self.period} around ({centre}), largest |multiplier| {top:.6g}{turn}"
        if self.kind == "circle":
            return f"invariant circle around ({centre}){turn}"
        return f"irregular orbit around ({centre}), Lyapunov exponent {self.lyapunov:.4g}{turn}"


@result("flow.MapAttractors")
@dataclass(frozen=True)
class MapAttractors:
    """Attractors of the Euler map that a set of starts reached.

    Attributes
    ----------
    flow : Flow, step : float
    attractors : list of MapAttractor
    starts : (..., dim) array
    label : (...) array of int
        The attractor of each start; -1: it sits on an unstable orbit, or left all bounds.
    status : Status
        "reached" (every start reached an attractor), "unstable" (all but those that sit on an unstable orbit did), "left" (others
        did not). ok for the first two.
    """

    flow: Flow
    step: float
    attractors: list[MapAttractor]
    starts: np.ndarray = field(repr=False)
    label: np.ndarray = field(repr=False)
    status: Status

    as_dict = dict_of

    @property
    def ok(self) -> bool:
        """Whether every start reached an attractor or sits on an unstable orbit."""
        return self.status.ok

    def __len__(self) -> int:
        return len(self.attractors)

    def __iter__(self) -> Iterator[MapAttractor]:
        return iter(self.attractors)

    def __getitem__(self, i: int) -> MapAttractor:
        return self.attractors[i]

    def __str__(self) -> str:
        lines = [str(self.status)]
        for i, a in enumerate(self.attractors):
            lines.append(f"  {i}: {a}; {(self.label == i).mean():.1%} of the starts")
        return "\n".join(lines)


def _rotation(orbit):
    """Turns per step around the mean, by a weighted Birkhoff average that converges faster than any power, and its error."""
    if orbit.shape[1] < 2:
        return np.nan, np.nan
    centred = orbit - orbit.mean(axis=0)
    if orbit.shape[1] > 2:
        _, _, axes = np.linalg.svd(centred[:: max(1, len(centred) // 2000)], full_matrices=False)
        centred = centred @ axes[:2].T
    w = centred[:, 0] + 1j * centred[:, 1]
    if np.abs(w).min() < 1e-12:
        return np.nan, np.nan
    turns = np.angle(w[1:] / w[:-1]) / (2.0 * np.pi)

    def average(values):
        t = (np.arange(len(values)) + 0.5) / len(values)
        weight = np.exp(-1.0 / (t * (1.0 - t)))
        return float(weight @ values / weight.sum())

    half = len(turns) // 2
    return abs(average(turns)), abs(average(turns[:half]) - average(turns[half:]))


def _largest_exponent(flow, orbit, step):
    tangent = np.ones(flow.dim) / np.sqrt(flow.dim)
    total = 0.0
    jacobians = flow.map_jacobian(orbit, step)
    for n, J in enumerate(jacobians):
        tangent = J @ tangent
        size = np.linalg.norm(tangent)
        if size < 1e-300:
            return -np.inf
        tangent /= size
        if n >= len(jacobians) // 10:
            total += np.log(size)
    return total / (len(jacobians) - len(jacobians) // 10)


def _polished(flow, state, period, step):
    """Newton's method for a periodic orbit; (states, multipliers) or None."""
    x = state
    for _ in range(20):
        orbit = flow.euler(x, step, period, trajectory=True)
        M = np.eye(flow.dim)
        for J in flow.map_jacobian(orbit[:-1], step):
            M = J @ M
        try:
            change = np.linalg.solve(M - np.eye(flow.dim), x - orbit[-1])
        except np.linalg.LinAlgError:
            return None
        x = x + change
        if np.abs(change).max() < 1e-13:
            break
    if np.abs(x - state).max() > 1e-5:
        return None
    return flow.euler(x, step, period - 1, trajectory=True), np.linalg.eigvals(M).astype(complex)


def _describe(flow, state, step, max_period):
    record = flow.euler(state, step, _ROTATION_STEPS, trajectory=True)
    gap = np.abs(record[1 : max_period + 1] - record[0]).max(axis=1)
    closed = np.flatnonzero(gap < _CLOSED)
    if closed.size:
        period = int(closed[0]) + 1
        polished = _polished(flow, record[0], period, step)
        states, multipliers = polished if polished is not None else (record[:period], np.zeros(0, dtype=complex))
        with np.errstate(divide="ignore"):
            exponent = float(np.log(np.abs(multipliers).max()) / period) if len(multipliers) else np.nan
        turns, error = _rotation(record) if period > 2 else (np.nan, np.nan)
        return MapAttractor(
            "fixed" if period == 1 else "periodic", period, 1.0 / turns if turns else np.nan, error, multipliers, exponent, states
        )
    turns, error = _rotation(record)
    if turns and np.isfinite(turns) and turns * _ROTATION_STEPS < _TURNS:
        # slow: the average needs turns, not steps
        turns, error = _rotation(flow.euler(state, step, int(min(_TURNS / turns, 2**20)), trajectory=True))
    exponent = _largest_exponent(flow, record[:4000], step)
    regular = np.isfinite(turns) and error < 1e-5 and exponent < _IRREGULAR
    kind = "circle" if regular else "irregular"
    return MapAttractor(kind, 0, 1.0 / turns if turns else np.nan, error, np.zeros(0, dtype=complex), exponent, record[:2000])


def _on(attractor, states):
    """Which states lie on an attractor."""
    from scipy.spatial import cKDTree

    distance, _ = cKDTree(attractor.states).query(states)
    if attractor.period:
        return distance < 1e-5
    # a curve known at 2000 points, up to gaps where the orbit is fast
    own, _ = cKDTree(attractor.states).query(attractor.states, k=2)
    return distance < 5.0 * max(own[:, 1].max(), 1e-6)


@underflow_is_zero
def map_attractors(
    flow: Flow,
    starts: npt.ArrayLike | None = None,
    *,
    step: float = 1.0,
    box: npt.ArrayLike | None = None,
    n_transient: int = 20000,
    max_period: int = 400,
) -> MapAttractors:
    """Attractors of the Euler map s -> s + step f(s) that a grid of starts reaches.

    Parameters
    ----------
    flow : Flow
    starts : int or (..., dim) array, optional
        Points per axis of a grid (default 16 in two dimensions, 8 in three), or the starts themselves. Starts beside the
        fixed points are added, but not counted.
    step : float > 0
        1 is the discrete network itself.
    box : (low, high) or one pair per coordinate, optional
        Limits of the grid. Default: ``flow.bounds``.
    n_transient : int
        Steps before an orbit is looked at; slow gates (1 - z = 1e-3) need more than the default.
    max_period : int
        Longest period recognised as such; longer ones are told from circles by nothing but this.

    Returns
    -------
    MapAttractors

    Raises
    ------
    TypeError, ValueError : arguments that are not allowed
    """
    instance("flow", flow, Flow)
    step = real("step", step, low=0.0, high=LONGEST_STEP, open_low=True)
    n_transient = integer("n_transient", n_transient)
    max_period = integer("max_period", max_period, low=1, high=_ROTATION_STEPS)
    starts = given_starts(flow, starts, box)
    fixed = flow.fixed_points().states.reshape(-1, flow.dim)
    # a hair beside every fixed point in any direction: repelled ones lead away from it
    beside = fixed[:, None] + 1e-3 * np.array([1.0, -1.0])[:, None]
    extra = np.concatenate([along_manifolds(flow, fixed), beside.reshape(-1, flow.dim)])
    states = np.concatenate([starts.reshape(-1, flow.dim), extra])
    with np.errstate(all="ignore"):
        states = flow.euler(states, step, n_transient)
    label = np.full(len(states), -1)
    left = np.flatnonzero(np.isfinite(states).all(axis=1) & (np.abs(states) < 1e6).all(axis=1))
    found: list[MapAttractor] = []
    stayed = 0
    while left.size and len(found) < 64:
        attractor = _describe(flow, states[left[0]], step, max_period)
        on = _on(attractor, states[left])
        on[0] = True
        if attractor.lyapunov > 0 and attractor.period:
            stayed += int((left[on] < len(states) - len(extra)).sum())  # starts that sit on an unstable orbit
        else:
            label[left[on]] = len(found)
            found.append(attractor)
        left = left[~on]
    own = label[: len(label) - len(extra)].reshape(starts.shape[:-1])
    kinds = [a.kind for a in found]
    names = {"fixed": "fixed point", "periodic": "periodic orbit", "circle": "invariant circle", "irregular": "irregular orbit"}
    counts = [f"{kinds.count(k)} {names[k]}{'s' * (kinds.count(k) > 1)}" for k in names if k in kinds]
    text, code = f"Euler map of step {step:g}: {', '.join(counts) or 'no attractor'}", "reached"
    if stayed:
        text += f"; {stayed} of {own.size} starts stay on an unstable orbit"
        code = "unstable"
    if (own < 0).sum() > stayed:
        text += f"; {(own < 0).sum() - stayed} of {own.size} starts belong to none"
        code = "left"
    return MapAttractors(flow, step, found, starts, own, Status(code, text, code != "left"))
