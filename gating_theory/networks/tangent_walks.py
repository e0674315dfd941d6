"""The walks behind exponents: one of a network that runs by itself, or one along each sequence of its inputs.

How many steps each has is settled here, before anything runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..support.checks import integer
from .driven import DrivenRun, Fed, recorded_run
from .network import Network
from .tangent_walk import FreePath, RecordedPath, TangentWalk

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Measured", "Walks", "free_walks", "walks_of"]

#: Steps of a network that runs by itself unless told: of the state alone first, then of state and frame.
_TRANSIENT, _TANGENT = 200, 50
#: Along given inputs each of the two is no more than this share of the shortest sequence unless told.
_SHARE = 0.1


class Measured(NamedTuple):
    """What walks have found.

    Attributes
    ----------
    logs : (intervals, k) array of log |R_jj|, one sequence after the other
    interval : int, steps
    intervals : tuple of int, the number of intervals of each sequence
    log_det : float, sum of log|det J| over all steps; 0 unless the frame was full, and for windows
    state : (d, N) array, where the last walk ended
    """

    logs: np.ndarray
    interval: int
    intervals: tuple[int, ...]
    log_det: float
    state: np.ndarray


@dataclass(frozen=True)
class Walks:
    """One walk of a network by itself (``run`` None), or one along each sequence of a run.

    Attributes
    ----------
    network : Network
    run : DrivenRun or None
    state : (d, N) array or None, where a network by itself starts
    rng : numpy Generator, for its noise
    transient, tangent_transient : int
    steps : tuple of int, steps to average over, of each walk
    asked : int or None, the number asked for
    """

    network: Network
    run: DrivenRun | None
    state: np.ndarray | None
    rng: np.random.Generator
    transient: int
    tangent_transient: int
    steps: tuple[int, ...]
    asked: int | None

    @property
    def size(self) -> int:
        """d N, the size of a tangent vector."""
        return self.network.cell.n_state * self.network.n_units

    @property
    def n_steps(self) -> int:
        """Steps to average over, all together."""
        return sum(self.steps)

    @property
    def total(self) -> int:
        """Steps of all walks, with what is dropped."""
        frames = sum(self.tangent_transient + n for n in self.steps)
        return frames + (self.transient if self.run is None else 0)

    @property
    def longest_interval(self) -> int:
        """The longest interval of which every walk has one, and a single walk two."""
        return max(1, min(self.steps) // (2 if len(self.steps) == 1 else 1))

    @property
    def short(self) -> bool:
        """Whether inputs end before the steps asked for."""
        return self.asked is not None and any(n < self.asked for n in self.steps)

    def intervals(self, interval: int) -> tuple[int, ...]:
        """Whole intervals of each walk: rounded up by itself, down where inputs end.

        Parameters
        ----------
        interval : int
        """
        return tuple(-(-n // interval) if self.run is None else n // interval for n in self.steps)

    def measure(
        self, frame: np.ndarray, interval: int | None, longest: int, tell: Callable[[int], None], window: int | None = None
    ) -> Measured:
        """Walk along all of them.

        Parameters
        ----------
        frame : (k, d N) array, the first frame of each
        interval : int or None, found in the first walk
        longest : int, the longest that is taken unless given
        tell : called with numbers of steps done
        window : int or None, of which the interval that is found has to be a divisor
        """
        logs: list[np.ndarray] = []
        log_det, full = 0.0, window is None and len(frame) == self.size
        for path in self._paths(tell):
            walk = TangentWalk(path, frame.copy(), tell)
            interval = walk.settle(self.tangent_transient, interval, longest)
            if window is not None:
                interval = max(d for d in range(1, interval + 1) if window % d == 0)
            some, more = walk.measure(self.intervals(interval)[len(logs)], interval, full)
            logs.append(some)
            log_det += more
        assert interval is not None
        return Measured(np.concatenate(logs), interval, self.intervals(interval), log_det, path.state.copy())

    def _paths(self, tell):
        if self.run is not None:
            for sequence in range(len(self.steps)):
                yield RecordedPath(self.run, sequence, self.transient)
            return
        state = self.network.run(self.state, self.transient, rng=self.rng)
        tell(self.transient)
        yield FreePath(self.network, state, self.rng)


def walks_of(
    net: Network | DrivenRun | Fed,
    inputs: npt.ArrayLike | None,
    parameters: npt.ArrayLike | None,
    state: npt.ArrayLike | None,
    steps: tuple[int | None, int | None, int | None],
    default: int,
    rng: np.random.Generator,
) -> Walks:
    """The walks of a network by itself, or along inputs, with all numbers checked.

    Parameters
    ----------
    net, inputs, parameters, state : as for :func:`gating_theory.networks.driven.recorded_run`; without inputs a Network is alone
    steps : (n_steps, transient, tangent_transient), None for the defaults
    default : int, n_steps of a network by itself
    rng : numpy Generator

    Raises
    ------
    TypeError, ValueError
        numbers out of range, inputs that end within the transients, and as ``recorded_run``
    """
    n_steps, transient, tangent = steps
    n_steps = None if n_steps is None else integer("n_steps", n_steps, low=2)
    transient = None if transient is None else integer("transient", transient)
    tangent = None if tangent is None else integer("tangent_transient", tangent)
    if isinstance(net, Network) and inputs is None and parameters is None:
        transient = _TRANSIENT if transient is None else transient
        tangent = _TANGENT if tangent is None else tangent
        return free_walks(net, state, (n_steps or default, transient, tangent), rng)
    run = recorded_run(net, inputs, parameters, state, rng)
    lengths = run.sequence_steps()
    share = int(_SHARE * min(lengths))
    transient = min(_TRANSIENT, share) if transient is None else transient
    tangent = min(_TANGENT, share) if tangent is None else tangent
    left = [length - transient - tangent for length in lengths]
    if min(left) < 2:
        raise ValueError(
            f"inputs of {min(lengths)} steps leave less than two to average over after transient = {transient} and "
            f"tangent_transient = {tangent}"
        )
    measured = tuple(n if n_steps is None else min(n, n_steps) for n in left)
    return Walks(run.at([0], [0])[0], run, None, rng, transient, tangent, measured, n_steps)


def free_walks(net: Network, state: npt.ArrayLike | None, steps: Sequence[int], rng: np.random.Generator) -> Walks:
    """The walk of a network by itself.

    Parameters
    ----------
    net : Network, a single one
    state : (d, N) array or flat, or None: standard normal
    steps : (n_steps, transient, tangent_transient)
    rng : numpy Generator
    """
    if net.batch is not None:
        raise ValueError(f"net must be a single network, got a batch of {net.batch}")
    start = net.random_state(rng) if state is None else net.as_state(state)
    n_steps, transient, tangent = steps
    return Walks(net, None, start, rng, transient, tangent, (n_steps,), n_steps)
