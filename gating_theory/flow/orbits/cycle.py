"""One limit cycle of a flow, stable or not, with its Floquet multipliers: found from a trajectory, solved by collocation [JSP]."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import ConvergenceError
from ...results.encoding import require, result
from ...results.status import Status
from ...support.arithmetic import underflow_is_zero
from ...support.available_memory import require_memory
from ...support.checks import boolean, instance, integer, real, real_array
from ..flow import Flow
from ..limits import LONGEST
from . import collocation
from .trajectories import advance

__all__ = ["Cycle", "cycle_from_orbit", "fastest_state", "find_cycle", "floquet_multipliers", "limit_cycle", "measured_cycle"]

#: Extent (largest range of a coordinate) below which a closed orbit counts as a point.
_POINT = 1e-5

#: Distance of the trivial multiplier from 1, and relative error of the logarithm of their product, above which the others are said
#: to have few digits.
_DRIFT = 1e-6

#: A state this far out (largest component) will not come back.
_AWAY = 1e3

#: A return to a section counts where it is this near, in units of the trajectory's extent so far, and the loop leads away from the
#: start by more than so many times that distance.
_NEAR_RETURN, _LOOP = 0.1, 3.0

#: Mesh intervals with which Newton is tried on a loop.
_MESHES = (24, 96)

#: Largest relative defect of the velocity along a saved closed orbit.
_CLOSED = 1e-5


@result("flow.Cycle")
@dataclass(frozen=True)
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
        Floquet multipliers without the trivial 1, largest modulus first. In two dimensions the only one is ``liouville``; 0 where
        that underflows (below 1e-323) and inf where it overflows, ``exponents`` has its logarithm. In more dimensions they come
        from the collocation steps, and those below 1e-13 of the largest, the trivial one among them, are rounding.
    trivial : float
        What the multiplier 1 came out as: drifts from 1 for long periods (and means nothing beside a homoclinic orbit, where
        products of collocation steps grow by many orders of magnitude on the way).
    liouville : float
        exp of the integrated divergence of the flow, which is the product of all multipliers; in more than two dimensions an
        independent check of them.
    orbit : collocation.Orbit
    status : Status
        "converged", or "few_digits" (dim > 2 only): converged, but the trivial multiplier came out far from 1, and the others have
        no more digits than it has; or the logarithm of the product of all is not that of the divergence to 1e-6: the small ones
        are rounding, or the contraction in a collocation step is too strong for it; not ok.
        "followed": the loop of a trajectory that contracts more than e^25 in a turn, where Newton's method failed: its period has
        the digits of the trajectory; not ok.

    See Also
    --------
    gating_theory.flow.find_cycle : Makes one.
    gating_theory.flow.cycles : Makes several.

    Examples
    --------
    >>> import gating_theory as gt
    >>> turning = gt.GRUFlow(U_h=[[3, -3], [3, 3]])
    >>> cycle = gt.flow.find_cycle(turning, [0.1, 0.2])
    >>> cycle.extent.round(3)
    array([1.418, 1.418])
    >>> cycle.exponents.round(4)
    array([-0.2836])
    """

    flow: Flow
    period: float
    period_error: float
    multipliers: np.ndarray
    trivial: float
    liouville: float
    orbit: collocation.Orbit = field(repr=False)
    status: Status = Status("converged")

    @property
    def ok(self) -> bool:
        """Whether all digits of the multipliers are to be trusted."""
        return self.status.ok

    @property
    def point(self) -> np.ndarray:
        """(dim,) array, a state on the cycle."""
        return self.orbit.points[0]

    def states(self, n: int = 400) -> np.ndarray:
        """(n, dim) array, n states at equal times around the cycle, from ``point`` on.

        Parameters
        ----------
        n : int >= 1

        Returns
        -------
        (n, dim) array

        Examples
        --------
        >>> import gating_theory as gt
        >>> turning = gt.GRUFlow(U_h=[[3, -3], [3, 3]])
        >>> cycle = gt.flow.find_cycle(turning, [0.1, 0.2])
        >>> cycle.states(4).round(3)
        array([[-0.182, -0.672],
               [ 0.672, -0.182],
               [ 0.182,  0.672],
               [-0.672,  0.182]])
        """
        n = integer("n", n, low=1)
        require_memory(f"n = {n} states", 8.0 * 8 * n * self.flow.dim)
        return self.orbit(np.arange(n) / n)

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
    def extent(self) -> np.ndarray:
        """(dim,) array, largest minus smallest value of each coordinate."""
        return np.ptp(self._curve[0], axis=0)

    @property
    def stable(self) -> bool:
        """Whether all multipliers lie inside the unit circle."""
        return bool((np.abs(self.multipliers) < 1.0).all())

    @property
    def n_unstable(self) -> int:
        """Number of multipliers outside the unit circle."""
        return int((np.abs(self.multipliers) > 1.0).sum())

    @property
    def exponents(self) -> np.ndarray:
        """(dim - 1,) array, Floquet exponents log|multiplier| / period, per unit time.

        In two dimensions the mean divergence of the flow: finite even where the multiplier underflows. In more, -inf for a
        multiplier that came out as 0.
        """
        if self.flow.dim == 2:
            return np.array([self.orbit.growth(self.flow) / self.period])
        with np.errstate(divide="ignore"):
            return np.log(np.abs(self.multipliers)) / self.period

    @underflow_is_zero
    def distance(self, states: npt.ArrayLike) -> np.ndarray:
        """Distance of states (..., dim) from the cycle, to about 1e-6 of its extent; (...).

        Parameters
        ----------
        states : (..., dim) array

        Returns
        -------
        (...) array

        Examples
        --------
        >>> import gating_theory as gt
        >>> turning = gt.GRUFlow(U_h=[[3, -3], [3, 3]])
        >>> cycle = gt.flow.find_cycle(turning, [0.1, 0.2])
        >>> cycle.distance([[0, 0], cycle.point]).round(4)
        array([0.6956, 0.    ])
        """
        states = real_array("states", states, largest=1e100)
        if states.ndim == 0 or states.shape[-1] != self.flow.dim:
            raise ValueError(f"states must have shape (..., {self.flow.dim}), got {states.shape}")
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

    def same(self, other: Cycle) -> bool:
        """Whether another Cycle is this one, to 1e-4 of its extent.

        Parameters
        ----------
        other : Cycle

        Returns
        -------
        bool

        Examples
        --------
        >>> import gating_theory as gt
        >>> turning = gt.GRUFlow(U_h=[[3, -3], [3, 3]])
        >>> cycle = gt.flow.find_cycle(turning, [0.1, 0.2])
        >>> cycle.same(gt.flow.find_cycle(turning, [-0.5, 0.1]))
        True
        """
        instance("other", other, Cycle)
        if other.flow.dim != self.flow.dim:
            return False
        return bool(self.distance(other.states(50)).max() < 1e-4 * self.extent.max())

    def check(self) -> None:
        """ValueError where the orbit does not follow the flow, or the period is not that of the orbit."""
        defect = self.orbit.defect(self.flow)
        require(defect < _CLOSED, f"the closed orbit does not follow {self.flow!r}: its velocity is off by {defect:.3g}")
        require(self.period == self.orbit.period, "period is not that of the orbit")

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready: period, multipliers (real and imaginary parts), 200 states, status."""
        return {
            "kind": "cycle",
            "period": self.period,
            "period_error": self.period_error,
            "multipliers": [[float(m.real), float(m.imag)] for m in self.multipliers],
            "trivial": self.trivial,
            "liouville": self.liouville,
            "states": self.states(200).tolist(),
            "status": str(self.status),
        }

    def __str__(self) -> str:
        kind = "stable" if self.stable else f"unstable ({self.n_unstable} of {len(self.multipliers)} directions)"
        values = ", ".join(f"{m.real:.6g}" if abs(m.imag) < 1e-14 else f"{m:.6g}" for m in self.multipliers)
        centre = ", ".join(f"{x:.4g}" for x in self.states(200).mean(axis=0))
        return f"{kind} cycle: period {self.period:.10g} ({self.period_error:.0e}), multipliers {values}, around ({centre})"


def cycle_from_orbit(flow: Flow, orbit: collocation.Orbit, tol: float = 1e-11) -> Cycle:
    """A Cycle from a rough or converged collocation orbit, passed once even where the orbit runs around several times.

    Parameters
    ----------
    flow : Flow
    orbit : collocation.Orbit
    tol : float
        Relative tolerance of the period.

    Raises
    ------
    ConvergenceError
        it shrinks to a point, or does not converge
    """
    before = np.ptp(orbit.points, axis=0).max()
    while True:
        orbit, error = collocation.solve(flow, orbit, tol)
        extent = np.ptp(orbit.points, axis=0).max()
        if extent < max(_POINT, 1e-3 * before):
            raise ConvergenceError("closed orbit: it shrank to a fixed point", orbit)
        folds = _covering(orbit, extent)
        if folds == 1:
            return measured_cycle(flow, orbit, error)
        orbit = collocation.from_curve(_in_time(orbit), orbit.period / folds)


def _in_time(orbit):
    return lambda times: orbit(times / orbit.period)


def _covering(orbit, extent):
    """How often the orbit runs around one and the same closed curve."""
    phase = np.linspace(0.0, 1.0, 23)[:-1]
    states = orbit(phase)
    for k in range(12, 1, -1):
        if np.abs(orbit(phase + 1.0 / k) - states).max() < 1e-6 * extent:
            return k
    return 1


def floquet_multipliers(flow: Flow, orbit: collocation.Orbit) -> np.ndarray:
    """The multipliers of a solved orbit without the trivial one, largest modulus first; (dim - 1,) complex array.

    In two dimensions: exp of the integrated divergence, which may underflow to 0. In more: the eigenvalues of the monodromy matrix
    across the velocity, which it maps onto itself; so the trivial one never has to be told from another one near 1.

    Parameters
    ----------
    flow : Flow
    orbit : collocation.Orbit, solved
    """
    if flow.dim == 2:
        return np.array([_exp(orbit.growth(flow))], dtype=complex)
    values = np.linalg.eigvals(_from_velocity(flow, orbit)[1:, 1:]).astype(complex)
    return values[np.argsort(-np.abs(values))]


def _exp(growth):
    """exp, 0 where it underflows and inf where it overflows: cycles can repel as strongly as they attract."""
    with np.errstate(over="ignore", under="ignore"):
        return float(np.exp(growth))


def _from_velocity(flow, orbit):
    """The monodromy matrix in an orthonormal basis that begins with the velocity."""
    basis = np.linalg.svd(flow(orbit.points[0])[None])[2]
    return basis @ orbit.monodromy() @ basis.T


def measured_cycle(flow: Flow, orbit: collocation.Orbit, error: float) -> Cycle:
    """The Cycle of a solved orbit: its multipliers, and in more than two dimensions the checks on them.

    Parameters
    ----------
    flow : Flow
    orbit : collocation.Orbit, solved
    error : float, of the period
    """
    multipliers = floquet_multipliers(flow, orbit)
    M = _from_velocity(flow, orbit)
    trivial = float(np.trace(M) - multipliers[0].real) if flow.dim == 2 else float(M[0, 0])
    growth = orbit.growth(flow)
    return Cycle(flow, orbit.period, error, multipliers, trivial, _exp(growth), orbit, _digits(multipliers, trivial, growth))


def _digits(multipliers, trivial, growth):
    """The Status of a converged cycle: whether its multipliers are to be trusted; one alone is that of the divergence."""
    if len(multipliers) == 1:
        return Status("converged")
    if abs(trivial - 1.0) > _DRIFT:
        text = f"converged; the trivial multiplier came out as {trivial:.8g}: the others have no more digits than that"
        return Status("few_digits", text, ok=False)
    with np.errstate(divide="ignore"):
        product = float(np.log(np.abs(multipliers)).sum())
    if not abs(product - growth) <= _DRIFT * (1.0 + abs(growth)):
        text = f"converged; the product of all multipliers came out as e^{product:.6g}, by the divergence it is e^{growth:.6g}"
        return Status("few_digits", f"{text}: the small ones have no digits", ok=False)
    return Status("converged")


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


def _loops(flow: Flow, state: np.ndarray, longest: float, backward: bool = False) -> Iterator[_Loop]:
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
    section.direction = 1.0  # type: ignore[attr-defined]
    span, start, offset, pieces = 40.0, state, 0.0, []
    low, high = state, state
    while offset < longest:
        try:
            run = flow.integrate(start, sign * span, events=section, rtol=1e-11, atol=1e-13, dense_output=True)
        except ConvergenceError:
            return
        if not np.isfinite(run.y).all() or np.abs(run.y).max() > _AWAY:
            return
        pieces.append((offset + span, run.sol))
        low, high = np.minimum(low, run.y.min(axis=1)), np.maximum(high, run.y.max(axis=1))
        for when, x in zip(np.abs(run.t_events[0]), run.y_events[0]):
            # the start itself is a crossing too, and it is no return before the orbit has been far away
            if offset + when > 1e-6 and np.linalg.norm(x - state) < _NEAR_RETURN * (high - low).max():
                loop = _Loop(pieces, offset + when, backward)
                away = np.linalg.norm(loop(np.linspace(0.0, loop.period, 50)) - state, axis=1).max()
                if away > _LOOP * np.linalg.norm(x - state):
                    yield loop
        offset, start, span = offset + span, run.y[:, -1], 2.0 * span


def fastest_state(flow: Flow, state: np.ndarray, sign: float, time: float, n: int = 64) -> np.ndarray:
    """The fastest of n states along a trajectory: where a section is crossed well, far from saddles that the cycle rests at.

    Parameters
    ----------
    flow : Flow
    state : (dim,) array
    sign : 1.0 forwards in time, -1.0 backwards
    time : float
    n : int
    """
    best, speed = state, np.linalg.norm(flow(state))
    for _ in range(n):
        state = advance(flow, state, sign * time / n, rtol=1e-10, atol=1e-12, bound=_AWAY)
        if not np.isfinite(state).all():
            break
        now = np.linalg.norm(flow(state))
        if now > speed:
            best, speed = state, now
    return best


def limit_cycle(
    flow: Flow,
    state: np.ndarray,
    max_period: float,
    backward: bool = False,
    tol: float = 1e-11,
    candidates: int = 4,
    near: float = 0.02,
) -> Cycle:
    """The cycle that attracts (backward: repels) and passes near a state, from the first returns of the trajectory to it.

    Parameters
    ----------
    flow : Flow
    state : (dim,) array
    max_period : float
    backward : bool
    tol : float
        Relative tolerance of the period.
    candidates : int
        Returns that are tried.
    near : float
        Largest distance of the cycle from the state, in units of the cycle's extent.

    Raises
    ------
    ConvergenceError
        no such cycle
    """
    reason = "no near return"
    for count, loop in enumerate(_loops(flow, state, max_period, backward)):
        cycle = None
        for intervals in _MESHES:
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


@underflow_is_zero
def find_cycle(
    flow: Flow,
    start: npt.ArrayLike,
    *,
    transient: float = 200.0,
    max_period: float = 2000.0,
    backward: bool = False,
    tol: float = 1e-11,
) -> Cycle:
    """The limit cycle that a trajectory approaches, or that it left when ``backward``.

    The trajectory is followed for a transient time and then until it returns close to where it was; the loop is the first guess of
    the collocation solver. That a trajectory keeps moving proves nothing (transients behind shut gates last thousands of time
    units); only a converged closed orbit of finite extent is returned.

    Parameters
    ----------
    flow : Flow
        Of two dimensions or more.
    start : (dim,) array
    transient : float from 0 to 1e6
        Time before the first loop is looked for; on failure four and sixteen times as much is tried.
    max_period : float > 0, 1e6 at most
    backward : bool
        Follow the flow backwards: in two dimensions this finds unstable cycles.
    tol : float
        Relative tolerance of the period.

    Returns
    -------
    Cycle

    Raises
    ------
    TypeError, ValueError
        arguments that are not allowed
    ConvergenceError
        no closed orbit was found: the trajectory went to a fixed point, away, or is not periodic

    See Also
    --------
    gating_theory.flow.cycles : All that a set of starts finds.
    gating_theory.flow.continue_cycle : Follows one along a parameter.

    Examples
    --------
    >>> import gating_theory as gt
    >>> turning = gt.GRUFlow(U_h=[[3, -3], [3, 3]])
    >>> cycle = gt.flow.find_cycle(turning, [0.1, 0.2])
    >>> round(cycle.period, 4), cycle.stable
    (12.9338, True)
    """
    instance("flow", flow, Flow)
    start = real_array("start", start)
    if flow.dim < 2:
        raise ValueError("flow must have at least two dimensions: on a line nothing returns")
    if start.shape != (flow.dim,):
        raise ValueError(f"start must have shape ({flow.dim},), got {start.shape}")
    transient = real("transient", transient, low=0.0, high=LONGEST)
    max_period = real("max_period", max_period, low=0.0, high=LONGEST, open_low=True)
    backward, tol = boolean("backward", backward), real("tol", tol, low=1e-13, high=1e-3)
    state, reason = start, "no near return"
    for factor in (1.0, 3.0, 12.0):  # after 1, 4 and 16 times the transient
        state = advance(flow, state, (-1.0 if backward else 1.0) * factor * transient, rtol=1e-10, atol=1e-12, bound=_AWAY)
        if not np.isfinite(state).all():
            raise ConvergenceError("no cycle: the trajectory leaves all bounds", start)
        state = fastest_state(flow, state, -1.0 if backward else 1.0, max(25.0, 0.25 * factor * transient))
        try:
            return limit_cycle(flow, state, max_period, backward, tol)
        except ConvergenceError as error:
            reason = str(error)
    raise ConvergenceError(f"no cycle from {start.tolist()}: {reason}", state)
