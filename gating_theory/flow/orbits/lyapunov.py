"""Lyapunov spectra of flows, per unit of time, and of their Euler maps, per step: with error bars, and with checks on them.

Checks: where a trajectory does not rest one exponent of a flow is 0 (the direction of time), and the sum of all is the mean
divergence.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ...dynamics.time_averages import block_error
from ...errors import CapabilityError
from ...networks.lyapunov import kaplan_yorke
from ...results.encoding import dict_of, require, require_shapes, result
from ...results.status import Status
from ...running.progress import Progress, check_progress
from ...support.arithmetic import underflow_is_zero
from ...support.checks import generator, instance, integer, real, real_array
from ...support.types import Progress as Wanted
from ...support.types import Rng
from ..flow import Flow
from ..limits import LONGEST, LONGEST_STEP
from .tangents import AWAY, FlowWalk, MapWalk

__all__ = ["FlowExponents", "lyapunov_spectrum"]

#: Blocks of the error bars; error bars from 20 blocks are themselves known to 16 %.
_BLOCKS = 20

#: What an exponent must exceed to be told from 0: so many standard errors, and so much over the time averaged over. Beside a torus
#: tangent vectors grow in proportion to time, which looks like the exponent log(time) / time.
_SIGMAS, _SHEAR = 5.0, 10.0

#: Newton's step from a state to a fixed point, in units of 1 + |state|, below which the trajectory rests there.
_RESTS = 1e-7

#: Largest change of the range of a coordinate from the first half of the average to the second, in units of the range, in what
#: recurs; and ranges that are small enough to be what is left of a transient.
_RECURS, _STILL = 0.25, 1e-6

#: Time averaged over unless told, and steps of a map; most steps of a map.
_TIME, _STEPS = 5000.0, 20_000
_MOST_STEPS = 1_000_000_000


@result("flow.FlowExponents")
@dataclass(frozen=True)
class FlowExponents:
    """Lyapunov exponents of a flow or of its Euler map along one trajectory.

    Natural logarithms. Rates are per unit of time for a flow, per step for a map.

    Attributes
    ----------
    flow : Flow
    step : float or None
        Size of the Euler step; None: the flow itself.
    exponents : (k,) array, descending
        At a fixed point of a flow the real parts of the eigenvalues (of a map log|multipliers|), without statistics. -inf: a
        direction that a map sends to 0.
    stderr : (k,) array
        Standard errors from the means of 20 blocks; 0 at a fixed point.
    block_rates : (20, k) array
        Means of the blocks, in the order of ``exponents``, whose averages these are; (0, k) at a fixed point.
    time : float
        Averaged over: units of time, or steps.
    transient : float
        Dropped before.
    sum_rule : (float, float) or None
        Sum of all exponents, and the mean divergence along the same trajectory (for maps the mean of log|det|). None unless
        k = dim.
    state : (dim,) array, the state at the end
    status : Status
        "converged"; "fixed_point": the trajectory rests (ok, the text says so); "transient": the two halves of the average differ
        in an exponent or in the range of a coordinate, or no exponent of the flow is 0, so that the trajectory is still on its way
        to rest or elsewhere; not ok.

    See Also
    --------
    gating_theory.flow.lyapunov_spectrum : Makes one.

    Examples
    --------
    >>> import gating_theory as gt
    >>> rates = gt.lyapunov_spectrum(
    ...     gt.GRUFlow(U_h=[[1, -1], [1, 1]]), start=[0.1, 0.2], time=500
    ... )
    >>> rates.at_fixed_point, rates.exponents.round(4)
    (True, array([-0.25, -0.25]))
    """

    flow: Flow
    step: float | None
    exponents: np.ndarray
    stderr: np.ndarray
    block_rates: np.ndarray = field(repr=False)
    time: float
    transient: float
    sum_rule: tuple[float, float] | None
    state: np.ndarray = field(repr=False)
    status: Status

    as_dict = dict_of

    @property
    def ok(self) -> bool:
        """Whether the average has settled."""
        return self.status.ok

    @property
    def at_fixed_point(self) -> bool:
        """Whether the trajectory rests."""
        return self.status.code == "fixed_point"

    @property
    def resolution(self) -> np.ndarray:
        """(k,) array: an exponent whose modulus is below it is not told from 0; five standard errors and 10 / time."""
        return np.zeros(len(self.exponents)) if self.at_fixed_point else _resolution(self.stderr, self.time)

    @property
    def signs(self) -> np.ndarray:
        """(k,) array of int: 1, 0 (not told from 0) and -1."""
        return (np.sign(self.exponents) * (np.abs(self.exponents) > self.resolution)).astype(int)

    @property
    def n_positive(self) -> int:
        """Exponents above 0 by more than the resolution: one or more is chaos."""
        return int((self.signs > 0).sum())

    @property
    def n_zero(self) -> int:
        """Exponents not told from 0: of a flow one at a cycle, two at a torus; of a map one at a circle, two at a torus."""
        return int((self.signs == 0).sum())

    @property
    def neutral(self) -> float:
        """The exponent of smallest modulus: of a flow that does not rest it must be 0 to within ``resolution``."""
        return float(self.exponents[np.argmin(np.abs(self.exponents))])

    @property
    def dimension(self) -> float:
        """Kaplan-Yorke dimension, with exponents that are not told from 0 taken as 0; nan where k exponents do not reach it."""
        settled = np.where(self.signs == 0, 0.0, self.exponents)
        return kaplan_yorke(np.sort(settled)[::-1], self.flow.dim)[0]

    @property
    def entropy(self) -> float:
        """Sum of the positive exponents, an upper bound of the metric entropy (with too small a k a part of it)."""
        return float(self.exponents[self.signs > 0].sum())

    def check(self) -> None:
        """ValueError where shapes contradict each other, or exponents are not the means of their blocks."""
        k = len(self.exponents)
        blocks = 0 if self.at_fixed_point else _BLOCKS
        shapes = {"exponents": (k,), "stderr": (k,), "block_rates": (blocks, k), "state": (self.flow.dim,)}
        require_shapes(self, shapes)
        require(1 <= k <= self.flow.dim, f"there must be 1 to {self.flow.dim} exponents, got {k}")
        if blocks:
            means = self.block_rates.mean(axis=0)
            require(np.allclose(means, self.exponents, rtol=1e-9, atol=1e-12), "exponents must be the means of block_rates")

    def __str__(self) -> str:
        unit = "unit of time" if self.step is None else "step"
        what = "a flow" if self.step is None else f"an Euler map of step {self.step:g}"
        shown = ", ".join(f"{value:.6g} +- {error:.1g}" for value, error in zip(self.exponents, self.stderr))
        return (
            f"{len(self.exponents)} of {self.flow.dim} Lyapunov exponents of {what} per {unit}: {shown}; "
            f"dimension {self.dimension:.6g}; status: {self.status}"
        )


def _resolution(stderr, time):
    return _SIGMAS * stderr + _SHEAR / time


@underflow_is_zero
def lyapunov_spectrum(
    flow: Flow,
    k: int | None = None,
    time: float | None = None,
    *,
    start: npt.ArrayLike | None = None,
    step: float | None = None,
    transient: float | None = None,
    rtol: float = 1e-9,
    rng: Rng = None,
    progress: Wanted = None,
) -> FlowExponents:
    """The k largest Lyapunov exponents of a flow along a trajectory, or of its Euler map.

    ``gt.lyapunov_spectrum`` is this function for a Flow, and that of networks for a Network.

    Parameters
    ----------
    flow : Flow
    k : int from 1 to dim, optional
        Number of exponents; default all.
    time : float from 1 to 1e6
        Averaged over; default 5000. With ``step`` the number of steps, from 100 to 1e9, default 20000. Exponents smaller than
        10 / time are not told from 0.
    start : (dim,) array, optional
        Default: a random state within ``flow.bounds``, or a normal one of size 1 where states are not bounded.
    step : float > 0, optional
        Of the Euler map s -> s + step f(s), whose exponents per step are wanted. Default: the flow.
    transient : float from 0 to 1e6
        Time, or steps (up to 1e9), before the average begins; default a fifth of ``time``. Behind shut gates (1 - z = 1e-3) more
        is needed; ``status`` says when it was too short.
    rtol : float from 1e-12 to 1e-3
        Tolerance of a step, of state and frame.
    rng : numpy Generator, int or None
        For the start and the first frame.
    progress : None, True or callable
        True: a progress bar. A callable is told ``progress(done, total)`` in blocks.

    Returns
    -------
    FlowExponents

    Raises
    ------
    TypeError, ValueError
        arguments that are not allowed
    ConvergenceError
        the trajectory runs away, or the steps become too small to go on; ``estimate`` is the last state

    See Also
    --------
    gating_theory.lyapunov_spectrum : Takes networks too.
    gating_theory.flow.poincare_section : What the attractor looks like.

    Examples
    --------
    >>> import gating_theory as gt
    >>> turning = gt.GRUFlow(U_h=[[3, -3], [3, 3]])
    >>> gt.lyapunov_spectrum(turning, start=[0.1, 0.2], time=1000).n_zero
    1
    """
    instance("flow", flow, Flow)
    k = flow.dim if k is None else integer("k", k, low=1, high=flow.dim)
    step = None if step is None else real("step", step, low=0.0, high=LONGEST_STEP, open_low=True)
    time, transient = _lengths(time, transient, step)
    rtol = real("rtol", rtol, low=1e-12, high=1e-3)
    check_progress(progress)
    rng = generator(rng)
    state = _start(flow, start, rng)
    frame = np.linalg.qr(rng.standard_normal((flow.dim, k)))[0]
    walk: FlowWalk | MapWalk
    walk = FlowWalk(flow, state, frame, rtol) if step is None else MapWalk(flow, state, frame, step)

    with Progress(progress, _BLOCKS + 1, "block") as tell:
        walk.go(transient)
        tell(1)
        at_rest = _rest(flow, walk.state, step)
        if at_rest is not None:
            return _resting(flow, step, k, at_rest, transient)
        rates = np.empty((_BLOCKS, k))
        ranges = np.empty((_BLOCKS, 2, flow.dim))
        divergence = 0.0
        for block in range(_BLOCKS):
            logs, growth = walk.go(time / _BLOCKS)
            rates[block] = logs * (_BLOCKS / time)
            ranges[block] = walk.range
            divergence += growth / time
            tell(1)
        at_rest = _rest(flow, walk.state, step)
        if at_rest is not None:
            return _resting(flow, step, k, at_rest, transient + time)
    rates = rates[:, np.argsort(-rates.mean(axis=0), kind="stable")]
    exponents = rates.mean(axis=0)
    alive = np.isfinite(exponents)
    stderr = np.zeros(k)
    stderr[alive] = block_error(rates[:, alive], _BLOCKS)
    rule = (float(exponents.sum()), float(divergence)) if k == flow.dim else None
    status = _moved(ranges) or _status(exponents[alive], stderr[alive], rates[:, alive], time, step is None, k == flow.dim)
    return FlowExponents(flow, step, exponents, stderr, rates, time, transient, rule, walk.state.copy(), status)


def _lengths(time, transient, step):
    """Time, or steps, to average over, and before."""
    if step is None:
        time = real("time", _TIME if time is None else time, low=1.0, high=LONGEST)
        return time, real("transient", 0.2 * time if transient is None else transient, low=0.0, high=LONGEST)
    steps = integer("time", _STEPS if time is None else time, low=100, high=_MOST_STEPS)
    steps += -steps % _BLOCKS
    return float(steps), float(integer("transient", steps // 5 if transient is None else transient, high=_MOST_STEPS))


def _start(flow, start, rng):
    if start is not None:
        start = real_array("start", start, largest=AWAY)
        if start.shape != (flow.dim,):
            raise ValueError(f"start must have shape ({flow.dim},), got {start.shape}")
        return np.array(start)
    try:
        low, high = flow.bounds.T
    except CapabilityError:
        return rng.standard_normal(flow.dim)
    return rng.uniform(low, high)


def _rest(flow, state, step):
    """The fixed point at which a state rests, else None. Newton's step does not know how slow the gates are."""
    point = state
    for _ in range(4):
        try:
            change = np.linalg.solve(flow.jacobian(point), -flow(point))
        except np.linalg.LinAlgError:
            return None
        if not np.linalg.norm(change) < _RESTS * (1.0 + np.linalg.norm(point)):
            return None
        point = point + change
    return point


def _resting(flow, step, k, point, transient):
    """The exponents at a fixed point."""
    values = np.linalg.eigvals(flow.jacobian(point))
    with np.errstate(divide="ignore"):
        rates = values.real if step is None else np.log(np.abs(1.0 + step * values))
    exponents = np.sort(rates)[::-1][:k]
    kind = "a stable" if rates.max() < 0 else "an unstable"
    centre = ", ".join(f"{x:.6g}" for x in point)
    text = f"the trajectory rests at {kind} fixed point ({centre}); exponents are those of its Jacobian"
    rule = (float(rates.sum()), _divergence(flow, point, step)) if k == flow.dim else None
    status = Status("fixed_point", text)
    return FlowExponents(flow, step, exponents, np.zeros(k), np.zeros((0, k)), 0.0, transient, rule, point, status)


def _divergence(flow, point, step):
    if step is None:
        return float(np.trace(flow.jacobian(point)))
    return float(np.linalg.slogdet(flow.map_jacobian(point, step))[1])


def _moved(ranges):
    """The status of a trajectory that does not recur: the range of a coordinate is another in the second half of the average."""
    first, last = (np.array([part[:, 0].min(axis=0), part[:, 1].max(axis=0)]) for part in np.array_split(ranges, 2))
    change = np.abs(last - first).max(axis=0)
    extent = np.maximum(np.ptp(first, axis=0), np.ptp(last, axis=0))
    moved = (change > _RECURS * extent) & (extent > _STILL)
    if not moved.any():
        return None
    i = int(np.argmax(change * moved))
    text = (
        f"the transient is not over: coordinate {i} runs from {first[0, i]:.4g} to {first[1, i]:.4g} in the first half of the "
        f"average, from {last[0, i]:.4g} to {last[1, i]:.4g} in the second; take a longer transient"
    )
    return Status("transient", text, ok=False)


def _status(exponents, stderr, rates, time, is_flow, full):
    first, last = np.array_split(rates, 2)
    error = np.hypot(block_error(first), block_error(last))
    drift = np.abs(first.mean(axis=0) - last.mean(axis=0))
    moved = drift > _SIGMAS * error + 2.0 * _SHEAR / time
    if moved.any():
        worst = int(np.argmax(drift * moved))
        text = (
            f"the transient is not over: exponent {worst + 1} is {first[:, worst].mean():.4g} in the first half of the average and "
            f"{last[:, worst].mean():.4g} in the second; take a longer transient"
        )
        return Status("transient", text, ok=False)
    resolution = _resolution(stderr, time)
    if is_flow and ((exponents < -resolution).all() or (full and (np.abs(exponents) > resolution).all())):
        text = "no exponent is 0: the trajectory is still on its way to rest; take a longer transient"
        return Status("transient", text, ok=False)
    return Status("converged")
