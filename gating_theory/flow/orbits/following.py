"""Where many trajectories go: each is followed, whatever its speed, until it is in a set that it cannot leave [JSP]."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..program.compiled import compiled_flow
from ..proof.attracting import AttractingSet

if TYPE_CHECKING:
    from ..flow import Flow

__all__ = ["Crowd", "Path", "step_functions"]

#: Trajectories and steps of one call of compiled code, a fraction of a second.
_TOGETHER, _STEPS = 64, 2000

#: The first step of a trajectory, in units of the time in which the field changes.
_FIRST_STEP = 0.05

#: Most steps of a recorded path.
_RECORDED = 100_000


def step_functions(flow: Flow) -> tuple[Any, Any]:
    """Vector field and Jacobian of a flow as the kernels take them: functions (points, p, out)."""
    compiled = compiled_flow(flow.cell, flow.n_units)
    return compiled.argument("field"), compiled.argument("jacobian")


class Path:
    """One recorded stretch of a trajectory: states at any time in it, by Hermite's cubic between the steps.

    Parameters
    ----------
    times : (n,) array from 0 on
    states, speeds : (n, dim) arrays
    """

    def __init__(self, times: np.ndarray, states: np.ndarray, speeds: np.ndarray) -> None:
        self.times, self.states, self.speeds = times, states, speeds

    def __call__(self, times: np.ndarray) -> np.ndarray:
        """(..., dim) states at ``times``."""
        flat = np.asarray(times, dtype=float).ravel()
        k = np.clip(np.searchsorted(self.times, flat, side="right") - 1, 0, len(self.times) - 2)
        h = (self.times[k + 1] - self.times[k])[:, None]
        s = (flat - self.times[k])[:, None] / h
        a, b, va, vb = self.states[k], self.states[k + 1], self.speeds[k], self.speeds[k + 1]
        out = (1 - s) ** 2 * ((1 + 2 * s) * a + s * h * va) + s**2 * ((3 - 2 * s) * b - (1 - s) * h * vb)
        return out.reshape(*np.shape(times), self.states.shape[1])

    def slowest(self, time: float) -> float:
        """When it is slowest before this time: where a period that is not quite right does least harm."""
        return float(self.times[np.linalg.norm(self.speeds[self.times <= time], axis=1).argmin()])

    def returns(self, start: float, period: float) -> float:
        """The time near a period after which it is back where it was at the start, as its own steps have it."""
        x, v = self(np.array([start, start]))[0], self.speeds[max(0, int(np.searchsorted(self.times, start)) - 1)]
        near = np.abs(self.times - start - period) < 0.1 * period
        if not near.any():
            return period
        k = int(np.flatnonzero(near)[np.linalg.norm(self.states[near] - x, axis=1).argmin()])
        low, high = self.times[max(0, k - 1)], self.times[min(len(self.times) - 1, k + 1)]
        if not (self(np.array([low]))[0] - x) @ v < 0.0 < (self(np.array([high]))[0] - x) @ v:
            return period
        for _ in range(60):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if (self(np.array([middle]))[0] - x) @ v < 0.0 else (low, middle)
        return float(0.5 * (low + high) - start)

    def steps(self, start: float, end: float, n: int) -> np.ndarray:
        """Times from start to end between which lie equal numbers of steps: (n + 1,) array, fewer where there are fewer steps."""
        inside = self.times[(self.times > start) & (self.times < end)]
        times = np.concatenate([[start], inside, [end]])
        return times[np.linspace(0, len(times) - 1, min(n, len(times) - 1) + 1).round().astype(int)]


class Crowd:
    """Trajectories from many starts, followed together; each keeps its own clock, and remembers where it nearly came back to.

    Parameters
    ----------
    flow : Flow
    starts : (n, dim) array
    t_max : float
        A trajectory is not followed beyond this time.
    rtol : float
        Relative tolerance of a step; the absolute one is a thousandth of it.
    backward : bool
    bound : float
        A trajectory whose largest component exceeds it is given up.

    Attributes
    ----------
    states : (n, dim) array, where they are
    time : (n,) array
    verdict : (n,) array of int
        The set that each is in, -1 while it is under way, -2 where it left all bounds.
    """

    def __init__(
        self,
        flow: Flow,
        starts: np.ndarray,
        t_max: float = np.inf,
        rtol: float = 1e-6,
        backward: bool = False,
        bound: float = 1e3,
    ) -> None:
        from . import following_kernels as kernels

        n, d = starts.shape
        self.flow, self.t_max, self.rtol, self.sign = flow, float(t_max), rtol, -1.0 if backward else 1.0
        self.backward, self.bound = backward, bound
        self.states = np.array(starts, dtype=float, order="C")
        rate = np.abs(flow.jacobian(self.states)).sum(axis=-1).max(axis=-1) if n else np.zeros(0)
        self._clock = np.stack([np.zeros(n), _FIRST_STEP / np.maximum(rate, 1e-12)], axis=1)
        self.verdict = np.full(n, kernels.MOVING)
        arrays, scalars = kernels.MEMORY
        self._vectors, self._scalars = np.zeros((n, arrays, d)), np.zeros((n, scalars))
        # no return noted yet
        self._scalars[:, 5] = np.inf

    @property
    def time(self) -> np.ndarray:
        """(n,) array, the time of each."""
        return self._clock[:, 0]

    @property
    def candidates(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(n, dim) states that trajectories returned to, (n,) time in between, (n,) distance in units of the path's extent."""
        return self._vectors[:, 0], self._scalars[:, 4], self._scalars[:, 5]

    @property
    def references(self) -> np.ndarray:
        """(n, dim) array, states some time ago, to which returns are noted."""
        return self._vectors[:, 1]

    def advance(self, which: np.ndarray, steps: int, sets: Sequence[AttractingSet] = ()) -> None:
        """Go on with some of them by so many steps, or until they are in one of the sets (``verdict`` says in which).

        Parameters
        ----------
        which : (m,) array of indices
        steps : int
        sets : sequence of AttractingSet
        """
        from .following_kernels import follow

        field, jacobian = step_functions(self.flow)
        arrays = _packed(sets, self.flow.dim)
        for done in range(0, steps, _STEPS):
            for first in range(0, len(which), _TOGETHER):
                part = which[first : first + _TOGETHER]
                part = part[self.verdict[part] == -1]
                own = [a[part] for a in (self.states, self._clock, self.verdict, self._vectors, self._scalars)]
                follow(
                    field, jacobian, *own, self.flow.flat, *arrays, self.t_max, self.sign, self.rtol, 1e-3 * self.rtol, self.bound,
                    min(_STEPS, steps - done),
                )  # fmt: skip
                for a, new in zip((self.states, self._clock, self.verdict, self._vectors, self._scalars), own):
                    a[part] = new

    def path(self, state: np.ndarray, time: float, coarser: float = 0.1) -> Path:
        """The trajectory from a state over a time, recorded, with a tolerance so many times that of the crowd."""
        from .following_kernels import record

        field, jacobian = step_functions(self.flow)
        times, states, speeds = np.empty(_RECORDED), np.empty((_RECORDED, len(state))), np.empty((_RECORDED, len(state)))
        rtol = coarser * self.rtol
        start = np.array(state, dtype=float)
        n = record(field, jacobian, start, self.flow.flat, float(time), self.sign, rtol, 1e-3 * rtol, times, states, speeds)
        return Path(times[:n], states[:n], speeds[:n])


def _packed(sets, d):
    if not sets:
        return np.zeros((0, d)), np.zeros((0, d, d)), np.zeros((0, d), dtype=np.int64), np.zeros(0)
    centres, frames = np.array([s.centre for s in sets]), np.array([s.frame for s in sets])
    paired, reach = np.array([s.paired for s in sets], dtype=np.int64), np.array([(s.half_widths**2).sum() for s in sets])
    return centres, frames, paired, reach
