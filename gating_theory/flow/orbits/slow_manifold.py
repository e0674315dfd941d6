"""Slow curves of a flow: pseudo-line attractors, along which states hardly move while everything else decays onto them [JSP]."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ...errors import ConvergenceError
from ...results.encoding import dict_of, result
from ...support.arithmetic import underflow_is_zero
from ...support.checks import instance, integer, real, real_array
from ..flow import Flow

__all__ = ["SlowManifold", "slow_manifold"]

#: States on one side after which a curve is given up.
_MOST_STATES = 10_000

#: Part of a step by which a state must come forward, else Newton slid along the curve.
_LEAST_ADVANCE = 0.1

#: The others must decay faster than so many times the slow rate.
_RATES_APART = 2.0


@result("flow.SlowManifold")
@dataclass(frozen=True)
class SlowManifold:
    """A curve on which a flow has no component but along its slowest direction.

    Attributes
    ----------
    flow : Flow
    states : (n, dim) array, in order along the curve
    speed : (n,) array, ``|ds/dt|`` there
    contraction : (n,) array
        The slowest of the other rates, -max Re of the remaining eigenvalues: how fast states decay onto the curve.
    ends : (str, str), why it ends

    See Also
    --------
    gating_theory.flow.slow_manifold : Makes one.

    Examples
    --------
    >>> import gating_theory as gt
    >>> valley = gt.flow.slow_manifold(gt.GRUFlow(U_h=[[1.99, 0], [0, 0.5]]))
    >>> near = valley.within(0.1)
    >>> round(near.length, 2), bool(near.speed.max() < valley.speed.max())
    (0.2, True)
    """

    flow: Flow = field(repr=False)
    states: np.ndarray = field(repr=False)
    speed: np.ndarray = field(repr=False)
    contraction: np.ndarray = field(repr=False)
    ends: tuple[str, str]

    as_dict = dict_of

    @property
    def length(self) -> float:
        """Arc length."""
        return float(np.linalg.norm(np.diff(self.states, axis=0), axis=1).sum())

    @property
    def ratio(self) -> float:
        """Largest speed by (half the length times the smallest contraction): 0 for a line attractor, of order 1 for none."""
        if not self.length:
            return np.inf
        return float(self.speed.max() / (0.5 * self.length * self.contraction.min()))

    def within(self, half_width: float, coordinate: int = 0) -> SlowManifold:
        """The part of the curve with ``|state[coordinate]| <= half_width``; ValueError where there is none.

        Parameters
        ----------
        half_width : float > 0
        coordinate : int

        Examples
        --------
        >>> import gating_theory as gt
        >>> valley = gt.flow.slow_manifold(gt.GRUFlow(U_h=[[1.99, 0], [0, 0.5]]))
        >>> round(valley.within(0.1).length, 2)
        0.2
        """
        coordinate = integer("coordinate", coordinate, high=self.states.shape[1] - 1)
        inside = np.abs(self.states[:, coordinate]) <= real("half_width", half_width, low=0.0, open_low=True)
        if not inside.any():
            raise ValueError(f"half_width = {half_width} holds no state of the curve")
        return SlowManifold(self.flow, self.states[inside], self.speed[inside], self.contraction[inside], self.ends)

    def __str__(self) -> str:
        first, last = (", ".join(f"{x:.4g}" for x in s) for s in (self.states[0], self.states[-1]))
        return (
            f"slow curve from ({first}) to ({last}), length {self.length:.4g}: speed up to {self.speed.max():.3g}, contraction "
            f"{self.contraction.min():.3g} or more, ratio {self.ratio:.3g}; ends: {self.ends[0]}, {self.ends[1]}"
        )


@underflow_is_zero
def slow_manifold(flow: Flow, start: npt.ArrayLike | None = None, *, threshold: float = 1e-2, step: float = 0.01) -> SlowManifold:
    """Follow the slow curve through a state: where all but the slowest component of ds/dt vanish, and ``|ds/dt|`` is small.

    With left and right eigenvectors w_k, v_k of the Jacobian at s, slowest first (smallest modulus), the curve is w_k.f(s) = 0 for
    k > 1, followed along v_1 with Newton corrections in the other directions. It passes through every fixed point whose slowest
    eigenvalue is real.

    Parameters
    ----------
    flow : Flow of two dimensions or more
    start : (dim,) array, optional
        A state near the curve. Default: the fixed point with the slowest eigenvalue relative to the next one.
    threshold : float > 0
        ``|ds/dt|`` above which the curve ends.
    step : float > 0, distance between states

    Returns
    -------
    SlowManifold
        Inside ``flow.bounds``. Accurate to the extent that rates are apart: its distance from an invariant curve is of order
        speed / contraction. Speeds are those of states on it; beside it, where a fast component cancels part of the slow one,
        ``|ds/dt|`` can be smaller by the sine of the angle between the two directions.

    Raises
    ------
    TypeError, ValueError
        arguments out of range, a flow of one dimension
    ConvergenceError
        no slow curve at ``start``: no fixed point with a slow real direction, or ``|ds/dt|`` above the threshold

    See Also
    --------
    gating_theory.flow.Flow.fixed_points : The points that it passes.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_h=[[1.99, 0], [0, 0.5]])
    >>> valley = gt.flow.slow_manifold(flow)
    >>> round(valley.length, 2), round(valley.ratio, 3)
    (0.76, 0.066)
    """
    instance("flow", flow, Flow)
    if flow.dim < 2:
        raise ValueError(f"flow must have two dimensions or more, got {flow.dim}")
    threshold, step = real("threshold", threshold, low=0.0, open_low=True), real("step", step, low=1e-6, high=1.0)
    if start is None:
        points = [p.state for p in flow.fixed_points()]
        frames = [(_frame(flow, s), s) for s in points]
        frames = [(abs(f[0][0]) / max(f[2], 1e-300), s) for f, s in frames if f is not None]
        if not frames:
            raise ConvergenceError("no slow curve: no fixed point has a slow real direction and decay in all others")
        start = min(frames, key=lambda pair: pair[0])[1]
    start = real_array("start", start)
    if start.shape != (flow.dim,):
        raise ValueError(f"start must have shape ({flow.dim},), got {start.shape}")
    here = _onto(flow, start, step)
    if here is None or np.linalg.norm(flow(here)) > threshold:
        raise ConvergenceError(f"no slow curve with |ds/dt| below {threshold:g} at {start.tolist()}", start)
    back, first = _side(flow, here, -1.0, threshold, step)
    ahead, last = ([], first) if first == "closed" else _side(flow, here, 1.0, threshold, step)
    states = np.array([*back[::-1], here, *ahead])
    contraction = np.array([_frame(flow, s)[2] for s in states])
    return SlowManifold(flow, states, np.linalg.norm(flow(states), axis=-1), contraction, (first, last))


def _side(flow, here, sign, threshold, step):
    """States of the curve on one side of ``here``, outwards, and why it ends there."""
    states, state, bounds = [], here, flow.bounds
    direction = sign * _frame(flow, here)[1]
    while len(states) < _MOST_STATES:
        tangent = _frame(flow, state)[1]
        tangent = tangent * np.sign(tangent @ direction)
        new = _onto(flow, state + step * tangent, step)
        if new is None or (new - state) @ tangent < _LEAST_ADVANCE * step:
            return states, "rates no longer apart"
        if (new < bounds[:, 0]).any() or (new > bounds[:, 1]).any():
            return states, "edge of the states"
        if np.linalg.norm(flow(new)) > threshold:
            return states, "speed above the threshold"
        states.append(new)
        state, direction = new, tangent
        if len(states) > 10 and np.linalg.norm(new - here) < 0.7 * step:
            return states, "closed"
    return states, f"{_MOST_STATES} states"


def _frame(flow, state):
    """(slow eigenvalue, left vector), slow right vector, contraction of the others; None where rates are not apart or no decay."""
    values, right = np.linalg.eig(flow.jacobian(state))
    order = np.argsort(np.abs(values))
    slow = order[0]
    contraction = -values[order[1:]].real.max()
    if abs(values[slow].imag) > 0.0 or not contraction > _RATES_APART * abs(values[slow].real):
        return None
    v = right[:, slow].real
    left = np.linalg.inv(right)[slow].real
    size = np.linalg.norm(v)
    return (float(values[slow].real), left * size), v / size, float(contraction)


def _onto(flow, state, step):
    """Newton onto the slow curve, along all directions but the slow one; None where that fails."""
    x = state
    for _ in range(30):
        frame = _frame(flow, x)
        if frame is None or not np.linalg.norm(x - state) < 20.0 * step:
            return None
        (_, left), v, _ = frame
        f = flow(x)
        fast = f - v * (left @ f)
        # on the fast subspace J is invertible: the part along v that least squares may add is taken out again
        change = -np.linalg.lstsq(flow.jacobian(x), fast, rcond=1e-14)[0]
        change = change - v * (left @ change)
        x = x + change
        if np.abs(change).max() < 1e-12:
            return x
    return None
