"""Trajectories, under an input that changes in time or without one: by scipy's solve_ivp, stretch by stretch, and Euler steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...errors import CapabilityError, ConvergenceError
from ...support.available_memory import require_memory
from ...support.checks import boolean, choice, generator, integer, real, real_array, shown
from ...support.types import Rng
from ..input import Drive, Noise, Periodic, Piecewise
from ..limits import LONGEST, LONGEST_STEP
from ..program.compiled import compiled_flow

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

__all__ = ["euler", "integrate", "right_sides", "solve", "stretches"]

#: What solve_ivp can be asked for, and which of these use a Jacobian.
_METHODS, _IMPLICIT = ("RK45", "RK23", "DOP853", "Radau", "BDF", "LSODA"), ("Radau", "BDF", "LSODA")

#: Steps in the correlation time of noise.
_NOISE_STEPS = 20

#: States that compiled code makes without a chance to interrupt it.
_UNINTERRUPTED = 1_000_000


def _drawn(flow, start, stop, step, rng):
    """The flow with one course of its noise; the flow itself where it has none."""
    rng = generator(rng)
    if not isinstance(flow.input, Noise) or start == stop:
        return flow
    step = flow.input.correlation_time / _NOISE_STEPS if step is None else step
    return flow.with_input(flow.input.sample(stop, step, rng, start=start))


def integrate(
    flow: Any,
    state: npt.ArrayLike,
    t: npt.ArrayLike,
    *,
    events: Any,
    rtol: float,
    atol: float,
    method: str,
    dense_output: bool,
    rng: Rng,
    noise_step: float | None,
) -> OptimizeResult:
    """One trajectory: what ``Flow.integrate`` does, with its parameters and errors."""
    state = real_array("state", state, largest=1e100)
    if state.shape != (flow.dim,):
        raise ValueError(f"state must have shape ({flow.dim},), got {state.shape}")
    t = real_array("t", t)
    if t.ndim > 1 or (t.ndim == 1 and (t.size < 2 or not (np.diff(t) > 0).all())):
        raise ValueError(f"t must be a number or an increasing array of at least two times, got {shown(t)}")
    if np.abs(t).max() > LONGEST:
        raise ValueError(f"t must be at most {LONGEST:g} in modulus, got {shown(t)}")
    choice("method", method, _METHODS)
    boolean("dense_output", dense_output)
    if events is not None:
        several = events if isinstance(events, (list, tuple)) else [events]
        if not all(map(callable, several)):
            raise TypeError(f"events must be a callable(t, state) or a list of them, got {shown(events)}")
    rtol, atol = (real(name, value, low=0.0, open_low=True) for name, value in (("rtol", rtol), ("atol", atol)))
    span, times = ((0.0, float(t)), None) if t.ndim == 0 else ((float(t[0]), float(t[-1])), t)
    if noise_step is not None:
        noise_step = real("noise_step", noise_step, low=0.0, open_low=True)
    flow = _drawn(flow, min(span), max(span), noise_step, rng)
    result = solve(flow, state, span, times, method, events=events, dense_output=dense_output, rtol=rtol, atol=atol)
    result.input = flow.input
    return result


def euler(flow: Any, points: np.ndarray, step: float, n_steps: int, trajectory: bool, start: float, rng: Rng) -> np.ndarray:
    """Euler steps from states (B, dim): what ``Flow.euler`` does, with its parameters and errors; (n_steps + 1 or 1, B, dim)."""
    from ..program.stepping_kernels import euler as euler_steps

    step = real("step", step, low=0.0, high=LONGEST_STEP, open_low=True)
    n_steps, begin = integer("n_steps", n_steps), real("start", start)
    flow = _drawn(flow, begin, begin + step * n_steps, step, rng)
    kept = n_steps + 1 if trajectory else 1
    require_memory(f"a trajectory of n_steps = {n_steps}", 8.0 * kept * points.size)
    states = np.empty((kept, *points.shape))
    states[0] = points
    field = compiled_flow(flow.cell, flow.n_units).argument("field")
    drive = flow.input if isinstance(flow.input, (Piecewise, Periodic)) else None
    place, flat = flow.cell.n_fields * flow.n_units**2, flow.flat if drive is None else flow.flat_with_input(0.0)
    # compiled code cannot be interrupted: a part of the steps at a time
    part = max(1, _UNINTERRUPTED // max(1, len(points)))
    for first in range(0, n_steps, part):
        last = min(first + part, n_steps)
        inputs = np.zeros((last - first, 0))
        if drive is not None:
            inputs = drive(begin + step * np.arange(first, last)).reshape(last - first, -1)
        euler_steps(field, states[first : last + 1] if trajectory else states, flat, place, inputs, step, last - first)
    return states


def stretches(flow: Any, start: float, stop: float) -> Iterator[tuple[float, float, Drive | None]]:
    """(begin, end, Drive) of the smooth stretches of a flow's input on the way from ``start`` to ``stop``, which may be earlier."""
    if isinstance(flow.input, Noise):
        raise CapabilityError("Noise has to be drawn first: use flow.with_input(flow.input.sample(...))")
    if not flow.changes or start == stop:
        yield start, stop, None
    elif start < stop:
        yield from flow.input.stretches(start, stop)
    else:
        for begin, end, drive in reversed(list(flow.input.stretches(stop, start))):
            yield end, begin, drive


def right_sides(flow: Any, drive: Drive | None) -> tuple[Callable[..., np.ndarray], Callable[..., np.ndarray]]:
    """Vector field and Jacobian as functions (time, state) of one state (dim,), in a smooth stretch of an input or without one."""
    compiled, dim = compiled_flow(flow.cell, flow.n_units), flow.dim
    constant = (flow.flat_with_input(0.0) if flow.changes else flow.flat) if drive is None else None

    def parameters(time):
        return constant if drive is None else flow.flat_with_input(drive.at(time))

    def field(time, state):
        out = np.empty((1, dim))
        compiled.field(np.ascontiguousarray(state).reshape(1, dim), parameters(time), out)
        return out[0]

    def jacobian(time, state):
        out = np.empty((1, dim * dim))
        compiled.jacobian(np.ascontiguousarray(state).reshape(1, dim), parameters(time), out)
        return out.reshape(dim, dim)

    return field, jacobian


def solve(
    flow: Any,
    state: np.ndarray,
    span: tuple[float, float],
    times: np.ndarray | None,
    method: str,
    **options: Any,
) -> OptimizeResult:
    """solve_ivp from stretch to stretch, joined to one result as if there had been no stop.

    Parameters
    ----------
    flow : Flow
    state : (dim,) array
    span : (float, float)
    times : array, optional, of the solution that is wanted; default: the solver's own
    method : str
    **options : of solve_ivp

    Raises
    ------
    ConvergenceError
        the solver fails; ``estimate`` is its result so far
    """
    from scipy.integrate import solve_ivp

    parts: list[OptimizeResult] = []
    for begin, end, drive in stretches(flow, *span):
        field, jacobian = right_sides(flow, drive)
        more = options | ({"jac": jacobian} if method in _IMPLICIT else {})
        if drive is not None and np.isfinite(drive.longest):
            more["max_step"] = drive.longest
        inside = None
        if times is not None:
            inside = times if end == span[1] and begin == span[0] else _inside(times, begin, end, end == span[1])
        part = solve_ivp(field, (begin, end), state, method=method, t_eval=inside, **more)
        parts.append(part)
        if part.status != 0:
            break
        state = part.y[:, -1]
    result = parts[0] if len(parts) == 1 else _joined(parts, times)
    if result.status < 0:
        where = result.t[-1] if result.t.size else span[0]
        raise ConvergenceError(f"integration stopped at t = {where}: {result.message}", result)
    return result


def _inside(times, begin, end, last):
    """The times in a stretch, and its end, where the next one begins."""
    inside = times[(times >= begin) & (times < end)]
    return np.append(inside, times[-1] if last else end)


def _joined(parts, times):
    from scipy.integrate import OdeSolution

    result = parts[-1]
    stopped = result.status == 1  # by an event
    t, y = [], []
    for number, part in enumerate(parts):
        # the end of a stretch is the beginning of the next one
        keep = slice(None) if number == len(parts) - 1 else slice(-1)
        t.append(part.t[keep])
        y.append(part.y[:, keep])
    result.t, result.y = np.concatenate(t), np.concatenate(y, axis=1)
    if times is not None and not stopped:
        wanted = np.isin(result.t, times)
        result.t, result.y = result.t[wanted], result.y[:, wanted]
    if result.t_events is not None:
        count = len(result.t_events)
        result.t_events = [np.concatenate([p.t_events[k] for p in parts]) for k in range(count)]
        found = [[p.y_events[k] for p in parts if len(p.y_events[k])] for k in range(count)]
        result.y_events = [np.concatenate(some) if some else parts[0].y_events[k] for k, some in enumerate(found)]
    if result.sol is not None:
        ends = [parts[0].sol.ts, *(p.sol.ts[1:] for p in parts[1:])]
        result.sol = OdeSolution(np.concatenate(ends), [i for p in parts for i in p.sol.interpolants])
    for name in ("nfev", "njev", "nlu"):
        result[name] = sum(p[name] for p in parts)
    return result
