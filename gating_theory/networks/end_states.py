"""Where a network ends from given states while its input is held: the attractors that it falls into, counted by running it [T1]."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import numpy as np
import numpy.typing as npt

from ..errors import CapabilityError, ConvergenceError
from ..results.encoding import dict_of, require, result
from ..support.checks import boolean, instance, integer, real_array
from .fixed_points import SearchOptions, search
from .network import Network
from .newton import merge_points

__all__ = ["EndStates", "end_states"]

#: Steps between two looks at which ends have met and which have come to rest, and of the last look.
_LOOK, _LAST_LOOK = 50, 200
#: A step below this, in units of the largest of 1 and the starts' rms, is rest; ends closer than that have met.
_REST, _MET = 1e-9, 1e-4
#: Multiplications after which no further steps are made, or fixed points of slow ends looked for (some seconds), and those that
#: Newton's method takes for one start, in units of N^3.
_WORK, _NEWTON = 3e10, 100.0


@result("end_states")
@dataclass(frozen=True, eq=False)
class EndStates:
    """The distinct states in which a network comes to rest, found by running it from many states with its input held.

    Attributes
    ----------
    states : (n, d, N) array, most often reached first
    hits : (n,) array of int, how many starts ended there
    n_starts : int
    n_moving : int
        Starts from which it still moves at the end of the run, and towards no fixed point: cycles, chaos, or something slow.
    n_steps : int, length of the run
    into : (n_starts,) array of int, for each start the state in which it ended, -1 where it still moves
    """

    states: np.ndarray = field(repr=False)
    hits: np.ndarray
    n_starts: int
    n_moving: int
    n_steps: int
    into: np.ndarray = field(repr=False)

    as_dict = dict_of

    def __len__(self) -> int:
        return len(self.hits)

    def check(self) -> None:
        """ValueError where hits do not belong to the states, or do not add up."""
        require(self.states.ndim == 3 and len(self.states) == len(self.hits), "hits must have an entry for each state")
        total = int(np.sum(self.hits)) + self.n_moving
        require(total == self.n_starts, f"hits and n_moving must add up to {self.n_starts}, got {total}")
        counted = np.array_equal(np.bincount(self.into[self.into >= 0], minlength=len(self)), self.hits)
        require(len(self.into) == self.n_starts and counted, "into must name the state that each start ended in")

    def __str__(self) -> str:
        count = f"{len(self)} distinct state{'' if len(self) == 1 else 's'}"
        text = f"from {self.n_starts} starts it comes to rest in {count}"
        return text + (f"; from {self.n_moving} it still moves after {self.n_steps} steps" if self.n_moving else "")


def end_states(net: Network, starts: npt.ArrayLike, n_steps: int = 1000, *, apart: bool = False) -> EndStates:
    """Run a network from many states, its input held, until it rests; count the distinct states in which it does.

    What still moves at the end, as memories do that fade within thousands of steps, is taken to a fixed point by Newton's method;
    it counts where that is nearest and stable, and a further run comes closer to it. So what is found attracts; what no start is
    attracted by is not found. States closer than 1e-4 count as one.

    Parameters
    ----------
    net : Network, a single one; its frozen input is held
    starts : (B, d, N) array
    n_steps : int >= 1
        At most: the run ends when everything is at rest, and after some seconds' work (thousands of units that move for ever).
    apart : bool
        Whether runs that have come within 1e-4 of one another go on by themselves, for starts on either side of what divides basins
        (by default one of them goes on for all).

    Returns
    -------
    EndStates

    Raises
    ------
    TypeError, ValueError
        not a Network, starts of another shape
    CapabilityError
        a batch of networks
    ConvergenceError
        a state runs away (cells without bounds)
    """
    instance("net", net, Network)
    if net.batch is not None:
        raise CapabilityError(f"end_states takes one network, this is a batch of {net.batch}: make a Network of one of them")
    n_steps = integer("n_steps", n_steps, low=1)
    boolean("apart", apart)
    starts = real_array("starts", starts)
    shape = (net.cell.n_state, net.n_units)
    if starts.ndim != 3 or starts.shape[1:] != shape or not len(starts):
        raise ValueError(f"starts must have shape (B, {shape[0]}, {shape[1]}), got {starts.shape}")
    size = max(1.0, float(np.sqrt(np.mean(starts**2))))
    states, member, done = starts, np.arange(len(starts)), 0
    cost, spent = float(net.matrices.size), 0.0
    while True:
        steps = min(_LOOK, n_steps - done)
        states, moved = _advanced(net, states, steps)
        done, spent = done + steps, spent + steps * len(states) * cost
        if not apart:
            chosen, of = merge_points(states, _MET * size)
            states, moved, member = states[chosen], moved[chosen], of[member]
        resting = moved < _REST * size
        if resting.all() or done == n_steps or spent > _WORK:
            break
    chosen, of = merge_points(states, _MET * size)
    resting, member = resting[chosen], of[member]
    ends, into = _with_slow_ends(net, states[chosen], resting, size)
    into = into[member]
    hits = np.bincount(into[into >= 0], minlength=len(ends))
    order = np.argsort(-hits, kind="stable")
    into = np.where(into >= 0, np.argsort(order)[into], -1) if len(ends) else into
    return EndStates(ends[order], hits[order], len(starts), len(starts) - int(hits.sum()), done, into)


def _with_slow_ends(net, states, resting, size):
    """Distinct ends, at rest or fixed points that a state comes closer to, and into which each state goes (-1: none)."""
    ends, into = states[resting], np.where(resting, np.cumsum(resting) - 1, -1)
    slow = np.flatnonzero(~resting)[: int(_WORK / (_NEWTON * net.n_units**3))]
    if not slow.size:
        return ends, into
    try:
        found = search(net, SearchOptions(n_starts=0), 0, starts=states[slow])
    except CapabilityError:  # no gate-free map to be solved
        return ends, into
    stable = np.array(
        [label == "fixed" and n == 0 for label, n in zip(found.label, cast(np.ndarray, found.n_unstable))], dtype=bool
    )
    points = np.concatenate([ends, found.states[stable]])
    points = points[merge_points(points, _MET * size)[0]]  # those at rest come first, and stay
    if not len(points):
        return ends, into
    later = _advanced(net, states[slow], _LAST_LOOK)[0]
    for i, before, after in zip(slow, states[slow], later):
        distance = np.sqrt(np.mean((points - before) ** 2, axis=(1, 2)))
        nearest = int(np.argmin(distance))
        if np.sqrt(np.mean((points[nearest] - after) ** 2)) < distance[nearest]:
            into[i] = nearest
    reached = np.unique(into[into >= 0])
    return points[reached], np.where(into >= 0, np.searchsorted(reached, into), -1)


def _advanced(net, states, n_steps):
    """States of one network after some steps of a batch, and how far the last one moved any unit."""
    batch = net.driven(np.broadcast_to(net.input, (len(states), *net.input.shape)))
    for _ in range(n_steps):
        before = states
        with np.errstate(over="ignore", invalid="ignore"):  # said below
            states = batch.advance(states, batch.input)[1]
        if not np.isfinite(states).all():
            raise ConvergenceError("the state runs away: it is not finite", estimate=before)
    return states, np.abs(states - before).max(axis=(1, 2))
