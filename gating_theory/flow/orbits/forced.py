"""Flows under a periodic input: states once a period, and responses that repeat themselves, with their multipliers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...errors import CapabilityError, ConvergenceError
from ...results.encoding import dict_of, require, result
from ...results.status import Status
from ...support.arithmetic import underflow_is_zero
from ...support.available_memory import require_memory
from ...support.checks import boolean, instance, integer, real, real_array
from ..flow import Flow
from ..limits import LONGEST
from .driven import right_sides, stretches
from .trajectories import advance

__all__ = ["PeriodicResponse", "periodic_response", "stroboscopic"]

#: Tolerances of trajectories over a period.
_RTOL, _ATOL = 1e-11, 1e-13

#: Newton's steps, the largest one in units of the size of the states, and the change of a state that ends them.
_MOST_STEPS, _LARGEST_STEP, _SMALL = 40, 0.5, 1e-11

#: A saved response comes back to where it began to this.
_RETURNS = 1e-7


@result("flow.PeriodicResponse")
@dataclass(frozen=True)
class PeriodicResponse:
    """A trajectory of a flow with a periodic input that repeats itself: a fixed point of the stroboscopic map.

    Attributes
    ----------
    flow : Flow
    state : (dim,) array
        At time 0.
    periods : int
        Periods of the input after which it repeats itself: 1 for an entrained response, more for a subharmonic one.
    multipliers : (dim,) complex array
        Eigenvalues of the linearised map over ``period``, largest modulus first; none is trivial.
    liouville : float
        exp of the integrated divergence, which is the product of all multipliers: an independent check.
    error : float
        Change of ``state`` with the tolerances of the integration a hundred times larger: the error is smaller.
    status : Status
        "converged".

    See Also
    --------
    gating_theory.flow.periodic_response : Makes one.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_h=1, input=gt.flow.Periodic(5.0, sines={"h": [0.5]}))
    >>> response = gt.flow.periodic_response(flow, [0.0])
    >>> response.states(4)[:, 0].round(4)
    array([-0.1796,  0.0383,  0.1796, -0.0383])
    """

    flow: Flow
    state: np.ndarray
    periods: int
    multipliers: np.ndarray
    liouville: float
    error: float
    status: Status = Status("converged")

    as_dict = dict_of

    @property
    def ok(self) -> bool:
        """Whether it is what was asked for."""
        return self.status.ok

    @property
    def period(self) -> float:
        """After which the response repeats itself, in units of one step of the network."""
        return self.periods * _period_of(self.flow)

    @property
    def stable(self) -> bool:
        """Whether all multipliers lie inside the unit circle."""
        return bool((np.abs(self.multipliers) < 1.0).all())

    @property
    def n_unstable(self) -> int:
        """Number of multipliers outside the unit circle."""
        return int((np.abs(self.multipliers) > 1.0).sum())

    def states(self, n: int = 400) -> np.ndarray:
        """(n, dim) array, n states at equal times from 0 on, over one ``period``.

        Parameters
        ----------
        n : int >= 1

        Returns
        -------
        (n, dim) array
        """
        n = integer("n", n, low=1)
        require_memory(f"n = {n} states", 8.0 * 4 * n * self.flow.dim)
        times = np.linspace(0.0, self.period, n + 1)
        return self.flow.integrate(self.state, times).y.T[:-1]

    def check(self) -> None:
        """ValueError where the trajectory does not repeat itself."""
        end = advance(self.flow, self.state, self.period, rtol=1e-10, atol=1e-12)
        off = float(np.abs(end - self.state).max())
        # a trajectory that is unstable leaves the response by its largest multiplier
        allowed = _RETURNS * max(1.0, float(np.abs(self.multipliers).max()))
        require(off < allowed, f"the response does not repeat itself: it is off by {off:.3g} after {self.period:g}")

    def __str__(self) -> str:
        kind = "stable" if self.stable else f"unstable ({self.n_unstable} of {len(self.multipliers)} directions)"
        values = ", ".join(f"{m.real:.6g}" if abs(m.imag) < 1e-14 else f"{m:.6g}" for m in self.multipliers)
        every = "every period" if self.periods == 1 else f"every {self.periods} periods"
        return (
            f"{kind} response, repeats itself {every} of the input ({self.period:g}), multipliers {values} (error {self.error:.0e})"
        )


def _period_of(flow):
    period = getattr(flow.input, "period", None)
    if period is None:
        raise CapabilityError(f"the flow must have a periodic input, got {flow!r}: use Flow(..., input=Periodic(...))")
    return float(period)


@underflow_is_zero
def stroboscopic(flow: Flow, state: npt.ArrayLike, n_periods: int = 1, *, trajectory: bool = False) -> np.ndarray:
    """States of a flow with a periodic input, once a period, from time 0 on.

    Parameters
    ----------
    flow : Flow
        With a Periodic input, or a Piecewise one that has a period.
    state : (..., dim) array, at time 0
    n_periods : int >= 0
    trajectory : bool
        Return the states after 0, 1, ..., n_periods periods rather than the last.

    Returns
    -------
    (..., dim) array
        With ``trajectory`` a leading axis of length n_periods + 1; followed to 1e-11 a step. nan where a trajectory was given up.

    Raises
    ------
    TypeError, ValueError
        arguments that are not allowed
    CapabilityError
        the input is not periodic

    See Also
    --------
    gating_theory.flow.periodic_response : The response that repeats itself.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_h=1, input=gt.flow.Periodic(5.0, sines={"h": [0.5]}))
    >>> gt.flow.stroboscopic(flow, [0.9], 12, trajectory=True)[::4, 0].round(4)
    array([ 0.9   , -0.1759, -0.1796, -0.1796])
    """
    instance("flow", flow, Flow)
    period = _period_of(flow)
    state = real_array("state", state, largest=1e100)
    if state.ndim == 0 or state.shape[-1] != flow.dim:
        raise ValueError(f"state must have shape (..., {flow.dim}), got {state.shape}")
    n_periods, trajectory = integer("n_periods", n_periods), boolean("trajectory", trajectory)
    if n_periods * period > LONGEST:
        raise ValueError(f"n_periods must be at most {LONGEST / period:.0f}, a time of {LONGEST:g}, got {n_periods}")
    require_memory(f"n_periods = {n_periods}", 8.0 * (n_periods if trajectory else 1) * state.size)
    states = [state]
    for _ in range(n_periods):
        # the input is the same in all periods: each begins at time 0
        states.append(advance(flow, states[-1], period, rtol=_RTOL, atol=_ATOL))
        if not trajectory:
            states = states[-1:]
    return np.array(states) if trajectory else states[-1]


def _after(flow, state, time, rtol, atol):
    """The state after a time, the linearised map (dim, dim), and the integrated divergence."""
    from scipy.integrate import solve_ivp

    d = flow.dim
    joint = np.concatenate([state, np.eye(d).ravel(), [0.0]])
    for begin, end, drive in stretches(flow, 0.0, time):
        field, jacobian = right_sides(flow, drive)

        def both(t, joint, field=field, jacobian=jacobian):
            J = jacobian(t, joint[:d])
            return np.concatenate([field(t, joint[:d]), (J @ joint[d:-1].reshape(d, d)).ravel(), [np.trace(J)]])

        longest = np.inf if drive is None else drive.longest
        run = solve_ivp(both, (begin, end), joint, method="DOP853", rtol=rtol, atol=atol, max_step=longest)
        if run.status < 0 or not np.isfinite(run.y[:, -1]).all():
            raise ConvergenceError(f"periodic response: the integration stopped: {run.message}", state)
        joint = run.y[:, -1]
    return joint[:d], joint[d:-1].reshape(d, d), float(joint[-1])


def _newton(flow, state, time, rtol, atol):
    """The fixed point of the map over a time, the linearised map and the integrated divergence there."""
    for _ in range(_MOST_STEPS):
        end, M, growth = _after(flow, state, time, rtol, atol)
        try:
            step = np.linalg.solve(np.eye(flow.dim) - M, end - state)
        except np.linalg.LinAlgError:
            raise ConvergenceError("periodic response: a multiplier is 1, where responses are born or lost", state) from None
        size = float(np.abs(step).max())
        if size < _SMALL * max(1.0, float(np.abs(state).max())):
            return state + step, M, growth
        state = state + step * min(1.0, _LARGEST_STEP * max(1.0, float(np.abs(state).max())) / size)
    raise ConvergenceError(f"periodic response: Newton's method did not converge in {_MOST_STEPS} steps", state)


@underflow_is_zero
def periodic_response(
    flow: Flow, start: npt.ArrayLike, *, periods: int = 1, transient: int = 20, tol: float = 1e-8
) -> PeriodicResponse:
    """The response of a flow to a periodic input that repeats itself, stable or not, with its multipliers.

    Newton's method on the stroboscopic map, whose derivative is integrated with the trajectory.

    Parameters
    ----------
    flow : Flow
        With a Periodic input, or a Piecewise one that has a period.
    start : (dim,) array, at time 0
    periods : int >= 1
        Periods of the input after which it repeats itself. More than 1 also finds responses that repeat themselves earlier; these
        come back with the fewest periods.
    transient : int >= 0
        Periods that the trajectory is followed before the first step of Newton's method. 0 for an unstable response near ``start``.
    tol : float from 1e-11 to 1e-3
        Largest estimated error of the state.

    Returns
    -------
    PeriodicResponse

    Raises
    ------
    TypeError, ValueError
        arguments that are not allowed
    CapabilityError
        the input is not periodic
    ConvergenceError
        Newton's method does not converge, or not to ``tol``; a multiplier is 1

    See Also
    --------
    gating_theory.flow.stroboscopic : States once a period, from any start.
    gating_theory.flow.Periodic : A smooth periodic input.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_h=1, input=gt.flow.Periodic(5.0, sines={"h": [0.5]}))
    >>> response = gt.flow.periodic_response(flow, [0.0])
    >>> response.stable, response.multipliers.real.round(4)
    (True, array([0.2461]))
    """
    instance("flow", flow, Flow)
    period = _period_of(flow)
    start = real_array("start", start, largest=1e100)
    if start.shape != (flow.dim,):
        raise ValueError(f"start must have shape ({flow.dim},), got {start.shape}")
    periods, transient = integer("periods", periods, low=1), integer("transient", transient)
    tol = real("tol", tol, low=1e-11, high=1e-3)
    if max(periods, transient) * period > LONGEST:
        name, value = ("periods", periods) if periods >= transient else ("transient", transient)
        raise ValueError(f"{name} must be at most {LONGEST / period:.0f}, a time of {LONGEST:g}, got {value}")
    state = stroboscopic(flow, start, transient)
    if not np.isfinite(state).all():
        raise ConvergenceError("periodic response: the trajectory leaves all bounds", start)
    rough, _, _ = _newton(flow, state, periods * period, 100.0 * _RTOL, 100.0 * _ATOL)
    # a response of fewer periods is one of more periods too
    for fewer in range(1, periods):
        if periods % fewer == 0 and np.abs(stroboscopic(flow, rough, fewer) - rough).max() < 1e-6 * max(1.0, np.abs(rough).max()):
            periods = fewer
            break
    state, M, growth = _newton(flow, rough, periods * period, _RTOL, _ATOL)
    error = float(np.abs(state - rough).max())
    if error > tol:
        raise ConvergenceError(f"periodic response: the state is good to {error:.1g} only, not to tol = {tol:g}", state)
    values = np.linalg.eigvals(M).astype(complex)
    return PeriodicResponse(flow, state, periods, values[np.argsort(-np.abs(values))], float(np.exp(growth)), error)
