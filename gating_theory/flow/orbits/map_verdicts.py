"""What an orbit of an Euler map settles on, with the evidence; or why that cannot be said yet.

A periodic orbit is one that Newton's method converges to. On a closed curve the leading exponent is 0, averages over both halves of
a long record agree far better than those of any irregular motion, and the extent does not shrink: orbits that spiral into a weak
focus look like circles in all else. Chaos has an exponent above 0 by more than its error.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain, combinations_with_replacement
from typing import TYPE_CHECKING

import numpy as np

from ...results.encoding import dict_of, result
from ..proof.attracting import AttractingSet, sampled_set
from .lyapunov import FlowExponents, lyapunov_spectrum
from .tangents import map_record

if TYPE_CHECKING:
    from ..flow import Flow

__all__ = ["STAYS", "MapAttractor", "Settled", "settle", "sink_of_map"]

#: Turns that a record of an invariant curve must have, states a turn at least, and states at least and at most.
_TURNS, _A_TURN, _FEWEST, _MOST = 200, 50, 2**14, 2**18

#: First look: states of the rough record, turns that it must have, and the largest change of its ranges from one half to the other.
_ROUGH, _ROUGH_TURNS, _ROUGH_CHANGE = 4096, 6, 0.02

#: Mean length of a step, in units of the extent, of an orbit that hops.
_HOPS = 0.1

#: Turns and steps over which exponents are averaged, and most steps.
_EXPONENT_TURNS, _EXPONENT_STEPS, _EXPONENT_MOST = 40, 20_000, 10_000_000

#: Differences of the two halves of the record that an invariant curve may have: of turns per step, in turns per turn, and of
#: averages in units of the extent. Chaos differs by 1 / sqrt(steps), 1e-2.
_ROTATION_ERROR, _AVERAGE_ERROR = 1e-5, 1e-4

#: Averages of two orbits on one and the same curve differ by less; neighbours of a state that show the gaps between states.
_SAME, _NEIGHBOURS = 1e-6, 10

#: A near return is worth Newton's method where it is this close, in units of the extent; how many are tried; steps of Newton.
_NEAR, _TRIED, _NEWTON = 0.1, 12, 30

#: Distance from a stable point or periodic orbit, in units of its extent, at which an orbit has arrived.
_ARRIVED = 1e-5

#: Growth of a tangent vector over a period that no stable orbit shows, and on which no orbit can stay.
_WILD = 1e12

#: Extent, in units of 1 + |state|, of an orbit that is a point to rounding.
_POINT = 1e-7

#: The verdict on an orbit that is within this distance of an unstable periodic one.
STAYS, _STAYED = "it stays on an unstable periodic orbit", 1e-9

#: States kept of an orbit that is not periodic.
_KEPT = 2000


@result("flow.MapAttractor")
@dataclass(frozen=True)
class MapAttractor:
    """One attractor of the Euler map, with the evidence for it.

    Attributes
    ----------
    kind : str
        "fixed", "periodic" (stable, by its multipliers), "circle" (a closed invariant curve, or several that are visited in turn:
        one exponent is 0), "torus" (two are) or "chaos" (one is positive).
    period : int
        Of a periodic orbit, in steps (1 for fixed points); 0 otherwise.
    steps_per_turn : float
        Mean number of steps for one turn around the orbit's mean, in the plane of its two largest extents; nan for fixed points, in
        one dimension, and where the orbit does not turn. Below 2 it cannot be seen.
    rotation_error : float
        Difference of the turns per step between the two halves of the record.
    multipliers : (dim,) complex array
        Of the period-fold map, at fixed and periodic orbits; empty otherwise.
    lyapunov, lyapunov_error : float
        Largest Lyapunov exponent per step, and its error; without error where it follows from multipliers. Of chaos it is the
        standard error; on a circle, where the exponent is 0, also what a record of n steps may leave of it: log of the largest
        by the smallest length of a step, over n. On a torus, where tangents shear, 10 / n and five standard errors.
    extent_change : float
        Largest difference of an average (the mean and the mean square of a coordinate) between the two halves of the record, in
        units of the extent: an orbit that spirals into a point has a large one. 0 for periodic orbits, whose Newton iteration
        converged.
    proved : bool
        A fixed point that is proved to be the only one in its box, and to attract. The others are known by numbers alone.
    states : (n, dim) array
        The orbit: one period, or 2000 states along it.

    See Also
    --------
    gating_theory.flow.map_attractors : Makes them.

    Examples
    --------
    >>> import gating_theory as gt
    >>> one = gt.flow.map_attractors(
    ...     gt.GRUFlow(U_h=[[1.5, -2.598], [2.598, 1.5]]), 4
    ... ).attractors[0]
    >>> one.kind, round(one.steps_per_turn, 2)
    ('circle', 10.48)
    """

    kind: str
    period: int
    steps_per_turn: float
    rotation_error: float
    multipliers: np.ndarray
    lyapunov: float
    lyapunov_error: float
    extent_change: float
    proved: bool
    states: np.ndarray = field(repr=False)

    as_dict = dict_of

    def __str__(self) -> str:
        centre = ", ".join(f"{x:.4g}" for x in self.states.mean(axis=0))
        turn = "" if not np.isfinite(self.steps_per_turn) else f", {self.steps_per_turn:.7g} steps per turn"
        top = np.abs(self.multipliers).max() if len(self.multipliers) else np.nan
        exponent = f"Lyapunov exponent {self.lyapunov:.3g} +- {self.lyapunov_error:.1g}"
        if self.kind == "fixed":
            return f"{'proved ' * self.proved}fixed point ({centre}), largest |multiplier| {_below_one(top, self.lyapunov)}"
        if self.kind == "periodic":
            return f"period {self.period} around ({centre}), largest |multiplier| {_below_one(top, self.lyapunov)}{turn}"
        name = {"circle": "invariant circle", "torus": "invariant torus", "chaos": "chaos"}[self.kind]
        return f"{name} around ({centre}){turn}, {exponent}"


def _below_one(modulus, exponent):
    return f"{modulus:.6g}" if modulus < 0.999999 else f"1 - {-exponent:.3g}"


@dataclass(frozen=True)
class Settled:
    """An attractor found, with many states on it, averages over it, and the distance or the set within which others are its own."""

    attractor: MapAttractor
    curve: np.ndarray
    averages: np.ndarray
    near: float | AttractingSet

    def holds(self, states: np.ndarray) -> np.ndarray:
        """(n,) array of bool: which states (n, dim) lie on it, or where it is proved to attract."""
        from scipy.spatial import cKDTree

        if isinstance(self.near, AttractingSet):
            return self.near.holds(states)
        return cKDTree(self.curve).query(states)[0] < self.near

    def joined(self, other: Settled) -> Settled:
        """This one, with the states of another that is the same."""
        if isinstance(self.near, AttractingSet) or isinstance(other.near, AttractingSet) or self.attractor.period:
            return self
        return Settled(self.attractor, np.concatenate([self.curve, other.curve]), self.averages, max(self.near, other.near))

    def same(self, other: Settled) -> bool:
        """Whether another is this one: the same orbit, or the same averages and rotation."""
        a, b = self.attractor, other.attractor
        if a.kind != b.kind or a.period != b.period:
            return False
        if a.period:
            apart = np.linalg.norm(self.curve[:, None] - b.states[:1], axis=2).min()
            return bool(apart < 1e-8 * (1.0 + np.abs(self.curve).max()))
        error = 10.0 * (a.extent_change + b.extent_change) + _SAME
        if not np.abs(self.averages - other.averages).max() < error * (1.0 + np.abs(self.averages).max()):
            return False
        # of chaos averages are not known well
        return a.kind != "chaos" or bool(self.holds(b.states).mean() > 0.9)


def sink_of_map(flow: Flow, state: np.ndarray, eigenvalues: np.ndarray, step: float) -> MapAttractor | None:
    """A fixed point as attractor of the map, None where a multiplier 1 + step lambda is not inside the unit circle."""
    # log|1 + step lambda| without cancellation where a gate is shut
    growth = step * (2.0 * eigenvalues.real + step * np.abs(eigenvalues) ** 2)
    if not (growth < 0.0).all():
        return None
    with np.errstate(divide="ignore"):
        largest = 0.5 * float(np.log1p(np.maximum(growth, -1.0)).max())
    multipliers = np.asarray(1.0 + step * eigenvalues, dtype=complex)
    return MapAttractor("fixed", 1, np.nan, np.nan, multipliers, largest, 0.0, 0.0, False, np.array(state).reshape(1, -1))


def settle(flow: Flow, state: np.ndarray, step: float, seen: int, max_period: int) -> Settled | str:
    """What the orbit of a state is on, or why it cannot be said.

    Parameters
    ----------
    flow : Flow
    state : (dim,) array
    step : float
    seen : int
        Steps behind this state: about as many may be spent here before a transient is called over.
    max_period : int
        Longest period looked for.
    """
    close = map_record(flow, state, step, max(_ROUGH, max_period) + 1, 1)
    periodic = _periodic(flow, close, step, max_period)
    if periodic:
        return periodic
    rough, stride, per_turn = _rough_record(flow, close, step, seen)
    turned = per_turn * _ROUGH_TURNS < len(rough) * stride
    hops = np.linalg.norm(np.diff(close, axis=0), axis=1).mean() > _HOPS * np.ptp(close, axis=0).max()
    if hops and not turned:
        per_turn = np.inf  # it goes to and fro
    elif flow.dim > 1 and not turned:
        here, speed = ", ".join(f"{x:.6g}" for x in rough[-1]), step * np.abs(flow(rough[-1])).max()
        steps = len(rough) * stride
        return f"it has not made {_ROUGH_TURNS} turns in {steps} steps; it is at ({here}) and moves by {speed:.1e} a step"
    change, text = _change_of_ranges(rough)
    if change > _ROUGH_CHANGE:
        return text
    exponents = _exponents(flow, rough[-1], step, per_turn)
    if not exponents.ok:
        return str(exponents.status)
    if exponents.exponents[0] < -exponents.resolution[0]:
        return (
            f"its exponent {exponents.exponents[0]:.3g} is negative, and no periodic orbit of at most {max_period} steps was "
            "found: it tends to a longer one, or to a point"
        )
    return _recurrent(flow, rough[-1], step, per_turn, exponents)


def _recurrent(flow, state, step, per_turn, exponents):
    """The verdict on an orbit whose leading exponent is not negative."""
    stride = max(1, int(per_turn / _A_TURN)) if np.isfinite(per_turn) else 1
    n = _FEWEST if not np.isfinite(per_turn) else int(np.clip(_TURNS * per_turn / stride, _FEWEST, _MOST))
    record = map_record(flow, state, step, n, stride)
    turns, error = _rotation(record)
    averages, change = _averages(record)
    chaotic = exponents.n_positive > 0
    if not chaotic:
        if change > _AVERAGE_ERROR:
            return f"its averages change by {change:.1e} of its extent from one {n * stride // 2} steps to the next"
        if turns > 1e-9 and error > _ROTATION_ERROR * max(turns, 1.0 / _A_TURN):
            return f"its rotation has not settled: {turns / stride:.8g} turns per step, +- {error / stride:.1e}"
        if exponents.n_zero == flow.dim:
            return "no exponent is told from 0: it may still come closer to what it tends to"
    kind = "chaos" if chaotic else "circle" if exponents.n_zero == 1 else "torus"
    turning = turns > 1e-9
    attractor = MapAttractor(
        kind,
        0,
        stride / turns if turning else np.nan,
        error / stride if turning else np.nan,
        np.zeros(0, dtype=complex),
        float(exponents.exponents[0]),
        _error_of_exponent(flow, kind, record, exponents),
        change,
        False,
        record[:_KEPT],
    )
    return Settled(attractor, record, averages, _gap(record))


def _error_of_exponent(flow, kind, record, exponents):
    """The error of the leading exponent: of one that is 0 the record, which does not end where it began, leaves something."""
    if kind == "torus":
        return float(exponents.resolution[0])
    error = float(exponents.stderr[0])
    if kind == "circle":
        # a tangent vector of the curve is as long as the steps are
        lengths = np.linalg.norm(flow(record), axis=1)
        error += float(np.log(lengths.max() / lengths.min())) / exponents.time
    return error


def _gap(record):
    """How far from the nearest state of a record another state of the same set may be."""
    from scipy.spatial import cKDTree

    some = record[:: max(1, len(record) // 20_000)]
    # near a resonance states lie in clumps with gaps between them: the nearest ones do not show the gaps
    gaps = cKDTree(some).query(some, k=_NEIGHBOURS + 1)[0][:, -1]
    extent = np.ptp(record, axis=0).max()
    return min(max(2.0 * np.quantile(gaps, 0.999), 1e-6 * extent), 0.02 * extent)


# --- periodic orbits


def _periodic(flow, record, step, max_period):
    """The stable periodic orbit that an orbit comes close to, from its near returns: each closer than all before it; or STAYS."""
    extent = np.ptp(record, axis=0).max()
    gap = np.abs(record[1 : max_period + 1] - record[0]).max(axis=1)
    closer = np.flatnonzero(gap < np.minimum.accumulate(np.append(np.inf, gap))[:-1])
    near = max(_NEAR * extent, _POINT)
    for place in closer[gap[closer] <= near][-_TRIED:]:
        found = _polished(flow, record[0], int(place) + 1, step, near)
        # unstable orbits are dense in chaos: only one that the orbit returns to counts
        if found and (found != STAYS or gap[place] < _STAYED):
            return found
    return None


def _polished(flow, state, period, step, near):
    """Newton's method for a stable periodic orbit within a distance of a state; STAYS where it is there and not stable."""
    x = state
    for _ in range(_NEWTON):
        orbit = map_record(flow, x, step, period + 1, 1)
        M = np.eye(flow.dim)
        for J in flow.map_jacobian(orbit[:-1], step):
            M = J @ M
            if not np.abs(M).max() < _WILD:
                return None
        try:
            change = np.linalg.solve(M - np.eye(flow.dim), x - orbit[-1])
        except np.linalg.LinAlgError:
            return None
        x = x + change
        if not np.linalg.norm(x - state) < near:
            return None
        if np.abs(change).max() < 1e-12 * (1.0 + np.abs(x).max()):
            break
    else:
        return None
    if period == 1:
        point = sink_of_map(flow, x, np.linalg.eigvals(flow.jacobian(x)).astype(complex), step)
        if point is None:
            return STAYS if np.linalg.norm(x - state) < _STAYED else None
        return Settled(point, point.states, x, sampled_set(flow, x, 2.0 * np.sqrt(flow.dim), step) or _ARRIVED)
    multipliers = np.linalg.eigvals(M).astype(complex)
    if not np.abs(multipliers).max() < 1.0:
        return STAYS if np.linalg.norm(x - state) < _STAYED else None
    orbit = map_record(flow, x, step, period, 1)
    turns = _turns(orbit[np.arange(period + 1) % period]) if flow.dim > 1 and period > 2 else 0.0
    with np.errstate(divide="ignore"):
        exponent = float(np.log(np.abs(multipliers).max()) / period)
    per_turn = period / turns if turns > 0.5 else np.nan
    attractor = MapAttractor("periodic", period, per_turn, 0.0, multipliers, exponent, 0.0, 0.0, False, orbit)
    return Settled(attractor, orbit, orbit.mean(axis=0), _ARRIVED * np.ptp(orbit, axis=0).max())


# --- how a record turns, and whether it is stationary


def _in_plane(record):
    """The plane of the two largest extents, as complex numbers around the mean."""
    centred = record - record.mean(axis=0)
    if record.shape[1] > 2:
        _, _, axes = np.linalg.svd(centred[:: max(1, len(centred) // 2000)], full_matrices=False)
        centred = centred @ axes[:2].T
    return centred[:, 0] + 1j * centred[:, 1]


def _angles(record):
    """Turns from each state of a record to the next."""
    w = _in_plane(record)
    if not np.abs(w).min() > 0.0:
        return np.zeros(len(w) - 1)
    return np.angle(w[1:] / w[:-1]) / (2.0 * np.pi)


def _turns(record):
    return abs(float(_angles(record).sum()))


def _rough_record(flow, close, step, seen):
    """A record that covers about the steps behind it, its stride, and the steps of a turn (inf where it hardly turns)."""
    if flow.dim < 2:
        return close, 1, np.inf
    turns = _turns(close)
    stride = max(1, int(len(close) / turns / _A_TURN)) if turns > 2.0 else max(1, min(seen // _ROUGH, 40))
    rough = map_record(flow, close[-1], step, int(np.clip(seen // stride, _ROUGH, _MOST)), stride)
    turns = _turns(rough)
    return rough, stride, len(rough) * stride / turns if turns > 0.0 else np.inf


def _change_of_ranges(record):
    first, last = np.array_split(record, 2)
    ranges = [np.array([part.min(axis=0), part.max(axis=0)]) for part in (first, last)]
    extent = max(np.ptp(part, axis=0).max() for part in ranges)
    if not extent > 0.0:
        return np.inf, "it does not move"
    change = float(np.abs(ranges[1] - ranges[0]).max() / extent)
    return change, f"the range of a coordinate still changes, by {change:.1e} of its extent from one half of a record to the next"


def _weighted(values):
    """Average over axis 0 with a weight that vanishes at both ends with all derivatives: of quasi-periodic values it converges
    faster than any power (Das, Saiki, Sander and Yorke 2017)."""
    t = (np.arange(len(values)) + 0.5) / len(values)
    weight = np.exp(-1.0 / (t * (1.0 - t)))
    return weight @ values / weight.sum()


def _rotation(record):
    """Turns from one state of a record to the next, and the difference between its halves."""
    if record.shape[1] < 2:
        return 0.0, np.nan
    angles = _angles(record)
    first, last = np.array_split(angles, 2)
    return abs(float(_weighted(angles))), abs(float(_weighted(first) - _weighted(last)))


def _averages(record):
    """Averages of all products of up to three coordinates, and by how much those of one or two around the mean differ between the
    halves, in units of the extent."""
    extent, middle = np.ptp(record, axis=0).max(), record.mean(axis=0)
    first, last = (_products((part - middle) / extent, 2) for part in np.array_split(record, 2))
    return _products(record, 3), float(np.abs(first - last).max())


def _products(values, degree):
    """Weighted averages of the products of up to so many coordinates."""
    sets = chain.from_iterable(combinations_with_replacement(range(values.shape[1]), k) for k in range(1, degree + 1))
    return np.array([_weighted(np.prod(values[:, list(places)], axis=1)) for places in sets])


def _exponents(flow, state, step, per_turn) -> FlowExponents:
    steps = _EXPONENT_STEPS
    if np.isfinite(per_turn):
        steps = int(np.clip(_EXPONENT_TURNS * per_turn, _EXPONENT_STEPS, _EXPONENT_MOST))
    k = min(flow.dim, 3)
    return lyapunov_spectrum(flow, k, steps, start=state, step=step, transient=steps // 10, rng=0)
