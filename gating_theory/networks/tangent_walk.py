"""Frames of tangent vectors that are carried along trajectories of networks, and made orthonormal again and again [T5].

The tangent map is never written out as a matrix: a frame of k tangent vectors goes through the site derivatives of the cell and the
matrices U_k, as the state does. Both come from the cell's definition, so every cell is served, the LSTM with h and c.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np

from ..errors import ConvergenceError
from .driven import DrivenRun
from .network import Network

__all__ = ["FreePath", "Moment", "RecordedPath", "TangentWalk"]

#: The automatic interval keeps the condition number of the frame below this: ten of sixteen digits are left to the smallest.
_CONDITION = 1e6


class Moment(NamedTuple):
    """One step of a trajectory: the network, its state before the step, the fields, and the pattern that they got.

    Where the network is a batch of one, arrays have that axis too.
    """

    net: Network
    state: np.ndarray
    fields: np.ndarray
    pattern: np.ndarray


class Path(Protocol):
    """A trajectory that moves on step after step."""

    @property
    def state(self) -> np.ndarray:
        """Where it is, (d, N)."""
        ...

    def step(self) -> Moment:
        """Move on; what the step was."""
        ...


class FreePath:
    """A network that runs as it goes, under the noise of its ensemble where there is some.

    Parameters
    ----------
    net : Network, a single one
    state : (d, N) array
    rng : numpy Generator, for the noise
    """

    def __init__(self, net: Network, state: np.ndarray, rng: np.random.Generator) -> None:
        self.net, self.state, self.time = net, state, 0
        self.pattern_at = net.input_sequence("noise", 0, rng)

    def step(self) -> Moment:
        """Move on; ConvergenceError where the state runs away."""
        before, pattern = self.state, self.pattern_at(self.time)
        self.time += 1
        with np.errstate(over="ignore", invalid="ignore"):
            fields, new = self.net.advance(before, pattern)
        if not np.isfinite(new).all():
            raise ConvergenceError(
                f"the state runs away: it is not finite {self.time} steps after the transient", estimate=self.state
            )
        self.state = new
        return Moment(self.net, before, fields, pattern)


class RecordedPath:
    """One sequence of a recording.

    Parameters
    ----------
    run : DrivenRun
    sequence : int
    time : int, where it starts
    """

    def __init__(self, run: DrivenRun, sequence: int, time: int) -> None:
        self.run, self.sequence, self.time = run, sequence, time
        self.steps = run.sequence_steps()[sequence]

    @property
    def state(self) -> np.ndarray:
        """The state recorded; at the end where the last step leads."""
        if self.time < self.steps:
            return self.run.at([self.time], [self.sequence])[1][0]
        net, states = self.run.at([self.time - 1], [self.sequence])
        return net.step(states)[0]

    def step(self) -> Moment:
        """Move on to the next state recorded."""
        net, states = self.run.at([self.time], [self.sequence])
        self.time += 1
        return Moment(net, states, net.fields(states), net.input)


class TangentWalk:
    """A trajectory with its frame of tangent vectors.

    Parameters
    ----------
    path : FreePath or RecordedPath
    frame : (k, d N) array
        The first frame, any vectors. They are rows in C order: to LAPACK that is the d N x k matrix it decomposes in place.
    tell : called with 1 after each step
    """

    def __init__(self, path: Path, frame: np.ndarray, tell: Callable[[int], None]) -> None:
        self.path, self.tell = path, tell
        self.time = 0
        self.frame = frame
        self.orthonormalise()

    def step(self) -> Moment:
        """One step of state and frame; what it was."""
        moment = self.path.step()
        several = moment.state.ndim == 3  # a batch of one
        with np.errstate(over="ignore", invalid="ignore"):
            # columns are directions there, rows here: both ways a view
            directions = self.frame.reshape(-1, *moment.state.shape[-2:]).transpose(1, 2, 0)
            pushed = moment.net.push(moment.state, directions[None] if several else directions, fields=moment.fields)
            self.frame = (pushed[0] if several else pushed).transpose(2, 0, 1).reshape(self.frame.shape)
        self.time += 1
        self.tell(1)
        return moment

    def orthonormalise(self) -> tuple[np.ndarray, np.ndarray]:
        """Replace the frame by its Q; returns R and log |R_jj|, -inf for directions that rounding does not resolve.

        Saturated sites make rows of very different size. With the largest first Householder's QR is accurate row by row (Cox and
        Higham 1998), and so are small R_jj; R itself does not depend on the order of rows.
        """
        from scipy.linalg import qr

        k, size = self.frame.shape
        with np.errstate(over="ignore", invalid="ignore"):
            rows = np.sqrt(np.einsum("ij,ij->j", self.frame, self.frame))
        if not np.isfinite(rows).all():
            raise ConvergenceError(
                f"tangent vectors overflow after {self.time} steps: take a shorter interval", estimate=self.path.state
            )
        order = np.argsort(-rows, kind="stable")
        q, r = qr(self.frame[:, order].T, overwrite_a=True, mode="economic", check_finite=False)
        self.frame[:, order] = q.T
        diagonal = np.abs(np.diagonal(r))
        # Rounding leaves a few eps times the row that is being reduced, at most, where nothing should be left
        dead = diagonal <= (100 + size) * np.finfo(float).eps * rows[order[:k]]
        with np.errstate(divide="ignore"):
            return r, np.log(np.where(dead, 0.0, diagonal))

    def settle(self, n_steps: int, interval: int | None, longest: int) -> int:
        """Let the frame turn to its directions; the interval between two re-orthonormalisations, found if none is given.

        Parameters
        ----------
        n_steps : int, steps for that
        interval : int or None
        longest : int, the longest interval that is taken unless given
        """
        fixed = interval is not None
        interval = interval or 1
        rate = 0.0  # largest growth of the log of the condition number per step seen
        while n_steps > 0:
            length = min(interval, n_steps)
            for _ in range(length):
                self.step()
            n_steps -= length
            r, _ = self.orthonormalise()
            if not fixed:
                # condition numbers multiply at most: what one step does bounds what several do
                rate = max(rate, _log_condition(r) / length)
                allowed = longest if rate * longest <= np.log(_CONDITION) else int(np.log(_CONDITION) / rate)
                interval = max(1, min(2 * interval, allowed))
        return interval

    def measure(self, n_intervals: int, interval: int, full: bool = False) -> tuple[np.ndarray, float]:
        """``log |R_jj|`` of every interval (n_intervals, k); and, if the frame is full, the sum of log|det J| over the same steps.

        Parameters
        ----------
        n_intervals, interval : int
        full : bool, whether k = d N and determinants are wanted
        """
        logs = np.empty((n_intervals, self.frame.shape[0]))
        log_det = 0.0
        for b in range(n_intervals):
            for _ in range(interval):
                moment = self.step()
                if full:
                    log_det += float(np.linalg.slogdet(moment.net.jacobian(moment.state, moment.pattern))[1].sum())
            _, logs[b] = self.orthonormalise()
        return logs, log_det


def _log_condition(r):
    """Log of the condition number of an upper triangular matrix in the 1-norm; inf where it is singular."""
    from scipy.linalg.lapack import dtrtri

    inverse, failed = dtrtri(r)
    if failed:
        return np.inf
    with np.errstate(over="ignore", invalid="ignore"):
        value = np.abs(r).sum(axis=0).max() * np.abs(inverse).sum(axis=0).max()
    return float(np.log(value)) if np.isfinite(value) else np.inf
