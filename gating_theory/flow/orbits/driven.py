"""One trajectory of a flow by scipy's solve_ivp, stretch by stretch of an input that jumps or has kinks in time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import CapabilityError, ConvergenceError
from ..input import Drive, Noise
from ..program.compiled import compiled_flow

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

__all__ = ["right_sides", "solve", "stretches"]

#: Methods of solve_ivp that use a Jacobian.
_IMPLICIT = ("Radau", "BDF", "LSODA")


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
    ConvergenceError : the solver fails; ``estimate`` is its result so far
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
