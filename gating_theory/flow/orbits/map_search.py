"""Orbits of an Euler map from many starts, followed until each is known to be on an attractor."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ...errors import CapabilityError, ConvergenceError
from ..proof.attracting import AttractingSet, attracting_set, small_box
from .attractors import along_manifolds
from .following import Crowd
from .map_verdicts import STAYS, Settled, settle, sink_of_map
from .tangents import AWAY

if TYPE_CHECKING:
    from ...running.progress import Progress
    from ..flow import Flow

__all__ = ["MOST_STEPS", "ON_UNSTABLE", "UNSETTLED", "MapSearch"]

#: Labels of orbits without an attractor: not settled, on an unstable orbit or its stable manifold.
UNSETTLED, ON_UNSTABLE = -1, -2

#: Most steps that can be asked for; an orbit that would move by less than the second number in all of them is given up.
MOST_STEPS, _FROZEN = 1_000_000_000, 1e-6

#: Distance from a fixed point that attracts by its multipliers, but is not proved to, within which an orbit has arrived.
_SMALL = 1e-9

#: Distance from an unstable fixed point within which an orbit stays, and of starts beside fixed points.
_STAYED, _BESIDE = 1e-9, 1e-3

#: Step, and distance of multipliers from 1, of an orbit that creeps; how far inside the unit circle the other multipliers are.
_CREEP, _INSIDE = 1e-4, 0.95

#: How far an orbit glides before the map takes over again: so many times so many steps of this relative tolerance.
_GLIDES, _GLIDE_STEPS, _GLIDE_RTOL = 60, 5, 1e-8

#: An orbit that still creeps after so many steps is given up when it has glided so many times as far as all steps would take it,
#: and is farther than the third number from any point at which it could rest.
_PATIENT, _ENOUGH, _NO_REST = 50_000, 10, 1e-3

#: Reasons that are known of many orbits at once.
_LEFT = "left all bounds"
_SHUT = (
    "would hardly move in 1e9 steps: behind a gate that is shut, or near a point that attracts more weakly than linearly, nothing "
    "can be seen of what they tend to"
)
_CREEP_ON = "creep: the flow took them ten times as far as the steps that are allowed, and they have not come to rest"
_OF_MANY = (_LEFT, _SHUT, _CREEP_ON)


class MapSearch:
    """Orbits of many starts, followed until each has an attractor or the steps are used up.

    Parameters
    ----------
    flow : Flow
    step : float
    starts : (n, dim) array
    max_period : int

    Attributes
    ----------
    found : list of Settled
    label : (n + more,) array of int
        Place in ``found`` of each start, and of orbits from beside the fixed points; UNSETTLED, ON_UNSTABLE.
    seen : int, steps made
    n_own : int, how many of the states are starts that were asked for; the others lie beside fixed points
    glided : (n + more,) array, steps of the map that the flow stood in for
    """

    def __init__(self, flow: Flow, step: float, starts: np.ndarray, max_period: int) -> None:
        points = _listed(flow)
        states = np.concatenate([starts, _beside(flow, points)])
        self.flow, self.step, self.states, self.max_period = flow, step, states, max_period
        self.n_own, self.glided = len(starts), np.zeros(len(states))
        self.label = np.full(len(states), UNSETTLED)
        self.left = np.arange(len(states))
        self.seen = 0
        self.reasons: dict[int, str] = {}
        largest = 2.0 * np.sqrt(flow.dim) * float(np.clip(np.abs(starts).max(), 1.0, AWAY))
        sinks = [_known_sink(flow, p, step, largest) for p in points]
        self.found = [sink for sink in sinks if sink is not None]
        self.unstable = np.array([p.state for p, sink in zip(points, sinks) if sink is None]).reshape(-1, flow.dim)

    def run(self, chunk: int, max_steps: int, tell: Progress) -> None:
        """Follow all: a chunk of steps, a look at where they are, and again twice as many."""
        while self.left.size and self.seen < max_steps:
            chunk = min(chunk, max_steps - self.seen)
            with np.errstate(all="ignore"):
                self.states[self.left] = self.flow.euler(self.states[self.left], self.step, chunk)
            self.seen += chunk
            chunk = self.seen
            self._look()
            self._glide()
            self._give_up(self._creep_on(max_steps), _CREEP_ON)
            tell(self.seen - tell.done)

    def _look(self):
        """Take those that have arrived off the list, and try to learn what some of the others are on."""
        lost = ~np.isfinite(self.states[self.left]).all(axis=1) | (np.abs(self.states[self.left]) > AWAY).any(axis=1)
        self._give_up(lost, _LEFT)
        for i in range(len(self.found)):
            self._take(i)
        if len(self.unstable) and self.left.size:
            apart = np.linalg.norm(self.states[self.left][:, None] - self.unstable[None], axis=2).min(axis=1)
            self.label[self.left[apart < _STAYED]] = ON_UNSTABLE
            self.left = self.left[apart >= _STAYED]
        self._give_up(self._frozen(), _SHUT)
        for place in dict.fromkeys([0, self.left.size // 2]):
            if place < self.left.size:
                self._learn(self.left[place])

    def _glide(self):
        """Take orbits that creep along a slow manifold further, by the flow, as long as they creep.

        Where all multipliers are next to 1 or well inside the unit circle, and a step is tiny, the map follows the flow. What is
        found in the end is found by the map: an orbit enters a set that is proved to be attracted, or is looked at as any other.
        """
        creeping = self.left[_creeps(self.flow, self.step, self.states[self.left])]
        sets = [s.near for s in self.found if isinstance(s.near, AttractingSet)]
        crowd, going = Crowd(self.flow, self.states[creeping], rtol=_GLIDE_RTOL), np.arange(creeping.size)
        for _ in range(_GLIDES):
            if not going.size:
                break
            before = crowd.states[going]
            crowd.advance(going, _GLIDE_STEPS, sets)
            fast = ~_creeps(self.flow, self.step, crowd.states[going])
            crowd.states[going[fast]] = before[fast]
            going = going[~fast & (crowd.verdict[going] < 0)]
        self.states[creeping] = crowd.states
        self.glided[creeping] += crowd.time / self.step
        for i in range(len(self.found)):
            self._take(i)

    def _frozen(self):
        """Which orbits would hardly move in all steps that could be made, far from any point at which they could rest."""
        here = self.states[self.left]
        speed = np.abs(self.flow(here)).max(axis=-1, initial=0.0) * self.step
        return (speed * MOST_STEPS < _FROZEN) & (_from_rest(self.flow, here) > _FROZEN)

    def _creep_on(self, max_steps):
        """Which orbits creep along without coming to rest, for longer than all steps that are allowed: round a very slow cycle."""
        here = self.states[self.left]
        if self.seen < _PATIENT:
            return np.zeros(len(here), dtype=bool)
        far = self.glided[self.left] > _ENOUGH * max_steps
        return far & _creeps(self.flow, self.step, here) & (_from_rest(self.flow, here) > _NO_REST)

    def _learn(self, i):
        """Look closely at one orbit, and take all that are on the same attractor off the list."""
        try:
            verdict = settle(self.flow, self.states[i], self.step, self.seen, self.max_period)
        except ConvergenceError as error:
            verdict = str(error)
        if isinstance(verdict, str):
            self.reasons[i] = verdict
            if verdict == STAYS:
                self._drop(i, ON_UNSTABLE)
            return
        k = next((k for k, known in enumerate(self.found) if known.same(verdict)), len(self.found))
        if k < len(self.found):
            self.found[k] = self.found[k].joined(verdict)
        else:
            self.found.append(verdict)
        if not verdict.attractor.period:
            self._drop(i, k)  # the orbit itself is what was looked at; of periodic ones it is near
        self._take(k)

    def _drop(self, i, label):
        self.label[i] = label
        self.left = self.left[self.left != i]

    def _take(self, k):
        """Enter the starts whose orbits are on an attractor."""
        if self.left.size:
            on = self.found[k].holds(self.states[self.left])
            self.label[self.left[on]] = k
            self.left = self.left[~on]

    def _give_up(self, which, reason):
        self.reasons |= dict.fromkeys(self.left[which], reason)
        self.left = self.left[~which]

    def open_reasons(self) -> list[str]:
        """Why orbits are not settled, each reason with their number where it is known of all."""
        open_ = {i: r for i, r in self.reasons.items() if self.label[i] == UNSETTLED}
        single = {r for r in open_.values() if r not in _OF_MANY}
        many = [f"{self._counted([i for i in open_ if open_[i] == r])} {r}" for r in _OF_MANY if r in open_.values()]
        return many + [f"an orbit after {self.seen} steps: {r}" for r in sorted(single)]

    def _counted(self, orbits):
        """How many of these orbits are of starts, and how many of those that were added."""
        own = int(np.count_nonzero(np.array(orbits) < self.n_own))
        counts = ((own, "start", ""), (len(orbits) - own, "orbit", " from beside fixed points"))
        return " and ".join(f"{n} {word}{'s' * (n != 1)}{where}" for n, word, where in counts if n)


def _from_rest(flow, states):
    """(n,) array: Newton's step to a point at rest, which does not know how slow the gates are; 0 where it cannot be made."""
    if not len(states):
        return np.zeros(0)
    with np.errstate(all="ignore"):
        J = flow.jacobian(states)
        regular = np.linalg.slogdet(J)[0] != 0.0
        J[~regular] = np.eye(flow.dim)
        return np.where(regular, np.linalg.norm(np.linalg.solve(J, flow(states)[..., None])[..., 0], axis=1), 0.0)


def _creeps(flow, step, states):
    """(n,) array of bool: states that the map hardly moves, with multipliers next to 1, well inside the unit circle, or real from
    0 to 1: there map and flow contract alike, only not at quite the same rate."""
    if not len(states):
        return np.zeros(0, dtype=bool)
    values = step * np.linalg.eigvals(flow.jacobian(states))
    sinking = (values.imag == 0.0) & (values.real < 0.0) & (values.real > -1.0)
    calm = (np.abs(values) < _CREEP) | (np.abs(1.0 + values) < _INSIDE) | sinking
    return calm.all(axis=1) & (step * np.abs(flow(states)).max(axis=1) < _CREEP)


def _listed(flow):
    """The fixed points, as far as they can be listed."""
    try:
        return list(flow.fixed_points())
    except CapabilityError:
        return []


def _beside(flow, points):
    """States a hair beside every fixed point: repelled ones lead away from it."""
    fixed = np.array([p.state for p in points]).reshape(-1, flow.dim)
    pairs = fixed[:, None] + _BESIDE * np.array([1.0, -1.0])[:, None]
    return np.concatenate([along_manifolds(flow, fixed), pairs.reshape(-1, flow.dim)])


def _known_sink(flow, point, step, largest):
    """A fixed point with the set that it is proved to attract; None where it does not attract."""
    sink = sink_of_map(flow, point.state, point.eigenvalues, step)
    if sink is None:
        return None
    ball = attracting_set(flow, point, largest, step)
    return Settled(replace(sink, proved=ball is not None), sink.states, point.state, ball or small_box(point.state, _SMALL))
