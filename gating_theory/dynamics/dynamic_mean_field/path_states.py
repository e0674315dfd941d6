"""The states of a bistable ensemble by Gaussian paths: those that iteration leads to, and the one that it leaves between them [T8].

Starts of a large and of a small amplitude lead to the outer states. Between two of them there is one that no iteration at the
ensemble's own gains ends in. With the amplitude D given instead, and all gains multiplied by 1 + v, it is as easy as others, and it
is where v = 0: right below an upper state gains are too large, v < 0, and right above a lower one they are too small.

Starts follow one chunk of sites, which may have no upper state where all chunks have. So where both starts lead to the same state,
gains are made larger by more than one chunk can be off by; from the state that a start leads to then v is looked at down to the
only one, and two more states lie where it falls below zero.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np

from ...ensemble.ensemble import Ensemble
from ...ensemble.paths import Direction
from ...errors import ConvergenceError, NoCriticalValue
from ...results.status import Status
from .clock import even_spectrum, from_even_spectrum
from .path_branch import UNSEEN, OnBranch, PathBranch
from .path_solver import STILL_LONGEST, Paths, finished, path_result, windowed
from .path_state import PathState
from .ring import Ring, mean_of_ring
from .state import DynamicMeanField
from .windows import on_ring, window_holds

__all__ = ["SAME", "path_states"]

#: The small start, as a part of the largest state's second moment: smaller states are not looked for.
_SMALL = 1e-3
#: States of both starts are one where their second moments differ by less than this part.
SAME = 0.1
#: In log D: the first step from the state that iteration led to, what the next ones down are longer by, how often one is halved.
#: How many are taken upwards.
_STEP, _LONGER, _HALVES, _UPWARDS = 0.5, 1.2, 2, 8
#: In log D: what the state is away from a measured amplitude at most, where nothing is sampled, and after it was measured again;
#: what slopes are taken over at least. How many amplitudes are measured between two of different signs.
_NEAR, _NEARER, _MOVED, _LEAST, _BETWEEN = 0.15, 0.005, 0.5, 0.1, 8
#: In log D: amplitudes that are one.
_SAME_PLACE = 1e-6
#: Plain steps of each first solution, pairings of each chunk, residuals from which signs of v are not taken.
_PLAIN, _PAIRINGS, _RESIDUAL = 8, 4, 2e-4
#: Above a state that is alone: in log D what amplitudes are apart; v of one chunk that is surely positive for all; errors of v, and
#: the part of 1 / (sites of a chunk) that all chunks may be off by.
_APART, _CLEAR, _SIGMAS, _OF_CHUNKS = 0.8, 0.1, 3.0, 0.3
#: The most that the logarithm of spectra changes by along the branch, for each 1 in log D, and in all.
_STEEP, _FAR = 5.0, 2.0


def path_states(ensemble: Ensemble, paths: Paths, tell: Callable[[int], object]) -> list[DynamicMeanField]:
    """States from the largest amplitude down; the zero state only where a small start ends there.

    One that must lie between two others but was not solved for is there too, with a status that says so.

    Parameters
    ----------
    ensemble : Ensemble
    paths : Paths
    tell : callable(count), of states
    """
    upper = path_result(ensemble, paths)
    tell(1)
    size = upper.moments[ensemble.cell.message_names[0]]
    low = float(mean_of_ring(windowed(ensemble, paths, _SMALL * size)[1])[0]) if size else 0.0
    if low > (1.0 - SAME) * size or not size:
        return [*_above_the_only_one(ensemble, paths, upper), upper]
    lower = path_result(ensemble, paths, start=_SMALL * size)
    if lower.moments[ensemble.cell.message_names[0]] > (1.0 - SAME) * size:  # by all chunks, where one had said other
        return [upper]
    tell(1)
    others = _OnTheBranch(ensemble, paths, upper).states(max(low, _SMALL * size))
    tell(1)
    return [*others, lower]


def _above_the_only_one(ensemble, paths, lower):
    """States above the one that all starts lead to; one that is not ok where these chunks cannot tell."""
    if not lower.ok or paths.sinusoid is not None:
        return []
    size = lower.moments[ensemble.cell.message_names[0]]
    _, spectra, _ = windowed(_all_gains(ensemble).at(ensemble, _CLEAR), paths)
    top = float(mean_of_ring(spectra)[0])
    if not top > size * np.exp(_LEAST):
        return []
    return _OnTheBranch(ensemble, paths, lower, OnBranch(_CLEAR, spectra, np.inf)).states_above(max(size, _SMALL * top))


def _all_gains(ensemble):
    return Direction(ensemble, {f"gain.{name}": gain for name, gain in ensemble.gain.items() if gain}, "gains")


class _Look(NamedTuple):
    """An amplitude that all chunks have measured."""

    place: float  #: log D
    value: float  #: v
    found: OnBranch
    ratio: np.ndarray | float  #: of what all chunks and few sites make of its spectra


class _OnTheBranch:
    """The search for the state at which v changes sign next to one that iteration led to."""

    def __init__(self, ensemble: Ensemble, paths: Paths, known: DynamicMeanField, start: OnBranch | None = None) -> None:
        self.ensemble, self.paths, self.known = ensemble, paths, known
        self.start = OnBranch(0.0, np.maximum(even_spectrum(known.correlations), 0.0), np.inf) if start is None else start
        self.top, length = float(np.log(mean_of_ring(self.start.spectra)[0])), 2 * (self.start.spectra.shape[1] - 1)
        ring = Ring(ensemble, paths.clock, length, paths.n_sites, paths.seed, paths.sinusoid)
        self.branch = PathBranch(ensemble, _all_gains(ensemble), ring)
        self.looks: list[_Look] = []

    def states(self, low: float) -> list[DynamicMeanField]:
        """The upper state and the one between it and a lower one of this amplitude.

        Mixing may end in the one between: then v > 0 below it, and the upper one is looked for. One that was not found is there
        with the last amplitude that was looked at, and a status that says so.
        """
        is_upper: bool | None = None
        try:
            ends = self._ends_below(float(np.log(low)))
            is_upper = None if ends is None else True
            found = self._found(*(self._ends_above() if ends is None else ends), returns=is_upper is None)
        except (NoCriticalValue, ConvergenceError) as failed:
            return [replace(self.known, returns=is_upper), self._missing(str(failed), False if is_upper else None)]
        if not is_upper:
            return [found, replace(self.known, returns=False)]
        try:  # next to the end of both states one chunk's upper state is off by more than its error
            return [self._found(*self._up(ends[0], _STEP), returns=True), found]
        except (NoCriticalValue, ConvergenceError):
            return [self.known, found]

    def states_above(self, low: float) -> list[DynamicMeanField]:
        """The two states above a lower one of this amplitude, if there are any; one that is not ok where that is not decided."""
        dip = self._dip(float(np.log(low)))
        if dip is None:
            return []
        size = float(np.exp(dip[0]))
        try:
            ((found, groups),) = self.branch.measure([size], [dip[1]], self.paths.refine, _PAIRINGS)
        except (NoCriticalValue, ConvergenceError) as failed:
            return [self._unsure(dip[1].spectra, f"at an amplitude of {size:.3g} {failed}")]
        error = self.branch.error(np.array([group.value for group in groups]))
        error = error if self.branch.exact else float(np.hypot(error, _OF_CHUNKS / self.paths.n_sites))
        if found.value > _SIGMAS * error:
            return []
        if found.value >= -_SIGMAS * error:
            text = f"at an amplitude of {size:.3g} gains would have to be {1.0 + found.value:.5g} +- {error:.1g} times as large"
            return [self._unsure(found.spectra, text)]
        self.looks, states = [_Look(dip[0], found.value, found, 1.0)], []
        for ends, returns in ((self._up, True), (partial(self._down, low=float(np.log(low))), False)):
            try:
                states.append(self._found(*ends(self.looks[0], step=_STEP), returns=returns))
            except (NoCriticalValue, ConvergenceError) as failed:
                states.append(self._missing(str(failed), returns))
        return states

    def _dip(self, low):
        """(log D, the few sites' solution) where v has its least value above a state; None where that is surely positive."""
        place, near = self.top, self.start
        seen: list[tuple[float, OnBranch]] = []
        while place > low + _LEAST and self.branch.ring.length <= STILL_LONGEST:
            try:
                near = self._glance(place, near)
                seen.append((place, near))
            except NoCriticalValue:  # at this amplitude no gains have a moving state
                pass
            if len(seen) > 1 and near.value > seen[-2][1].value:
                break
            place -= _APART
        if not seen:
            return None
        least = min(range(len(seen)), key=lambda i: seen[i][1].value)
        if 0 < least < len(seen) - 1:
            places, values = (np.array(row) for row in zip(*((at, few.value) for at, few in seen[least - 1 : least + 2])))
            curve = np.polyfit(places - places[1], values, 2)
            place = places[1] - 0.5 * curve[1] / curve[0]
            try:
                seen.append((place, self._glance(place, seen[least][1])))
            except NoCriticalValue:
                pass
        place, near = min(seen, key=lambda each: each[1].value)
        return (place, near) if near.value < _CLEAR else None

    def _glance(self, place, near):
        """What few sites make of an amplitude."""
        self.branch, few = self.branch.held(float(np.exp(place)), near, self.paths.held_by, _PLAIN)
        return few

    def _found(self, above, below, *, returns):
        """The state between two looks."""
        measured = self._between(above, below)
        settled = window_holds(measured.spectra, measured.ring.turns, self.paths.n_sites * self.paths.refine)
        return replace(finished(self.ensemble, self.paths, measured, settled, ""), returns=returns)

    def _missing(self, why, returns):
        text = f"there is another state above the lower one, but it was not found: {why}"
        spectra = self.looks[-1].found.spectra if self.looks else self.start.spectra
        return self._nothing(spectra, returns, Status("not_converged", text, ok=False))

    def _unsure(self, spectra, why):
        text = f"whether there are two more states above the lower one these chunks of sites do not tell: {why}"
        return self._nothing(spectra, None, Status("undecided", text, ok=False))

    def _nothing(self, spectra, returns, status):
        names, C = list(self.known.moments), from_even_spectrum(spectra)
        return replace(
            self.known,
            moments=dict(zip(names, C[:, 0].tolist())),
            stderr=dict.fromkeys(names, np.nan),
            correlations=C,
            exponent=np.nan,
            exponent_stderr=np.nan,
            returns=returns,
            status=status,
        )

    def _look(self, place):
        """At an amplitude, from the nearest one that was looked at: few sites first, then as all chunks make it."""
        size = float(np.exp(place))
        near = min(self.looks, key=lambda look: abs(look.place - place), default=_Look(self.top, self.start.value, self.start, 1.0))
        if self.looks and abs(near.place - place) < _SAME_PLACE:
            return near
        ratio = near.ratio if np.shape(near.ratio)[-1:] == (self.branch.ring.length // 2 + 1,) else 1.0
        self.branch, few = self.branch.held(size, near.found, self.paths.held_by, _PLAIN, ratio)
        ratio = self.branch.ratios([few], self.paths.refine, _PAIRINGS)[0].mean(axis=0)
        found = self.branch.solve(size, few, ratio)
        if found.residual > _RESIDUAL:
            raise NoCriticalValue(f"a residual of {found.residual:.1g} is left at an amplitude of {size:.3g}")
        self.looks.append(_Look(place, found.value, found, ratio))
        return self.looks[-1]

    def _look_towards(self, place, start):
        """The same, nearer to a place that was looked at where that is too far for a solution."""
        for _ in range(_HALVES):
            try:
                return self._look(place)
            except NoCriticalValue:
                place = 0.5 * (place + start)
        return self._look(place)

    def _ends_below(self, low):
        """(the lowest look with v < 0, the highest below it with v > 0); None where v > 0 right below the upper state."""
        self._look(self.top)
        step = min(_STEP, 0.5 * (self.top - low))
        above, below = self._look_towards(self.top - step, self.top), None
        for _ in range(_HALVES):
            if above.value >= 0.0:
                above, below = self._look(0.5 * (self.top + above.place)), above
        if above.value >= 0.0:
            return None
        return (above, below) if below is not None else self._down(above, low, step)

    def _down(self, above, low, step):
        """(the lowest look with v < 0, the highest below it with v > 0), from one with v < 0."""
        while True:
            if above.place - low < _LEAST:
                raise NoCriticalValue("it is too near to the lower one for so many sites")
            step *= _LONGER
            look = self._look_towards(max(above.place - step, 0.5 * (above.place + low)), above.place)
            if look.value >= 0.0:
                return above, look
            above = look

    def _ends_above(self):
        """(the lowest look with v > 0 above one with v < 0, that one) above a state below which v > 0."""
        below = self._look_towards(self.top + _STEP, self.top)
        if below.value >= 0.0:
            raise NoCriticalValue("the two above the lower one are too near each other for so many sites")
        return self._up(below, _STEP)

    def _up(self, below, step):
        """(the lowest look with v > 0, the highest below it with v < 0), from one with v < 0."""
        for _ in range(_UPWARDS):
            above = self._look_towards(below.place + step, below.place)
            if above.value >= 0.0:
                return above, below
            below = above
        raise NoCriticalValue("the upper one is too far from the one between")

    def _between(self, above, below):
        """The state between two looks, once an amplitude next to it was measured."""
        for _ in range(_BETWEEN):
            place, slope = self._crossing(above, below)
            near = min(self.looks, key=lambda look: abs(look.place - place))
            if abs(near.place - place) < (_NEARER if self.branch.exact else _NEAR):
                return self._measured(near, slope)
            look = self._look(place)
            above, below = (look, below) if (look.value < 0.0) == (above.value < 0.0) else (above, look)
        raise NoCriticalValue("measured amplitudes do not agree on where it is")

    def _crossing(self, above, below):
        """(log D where v = 0, slope of v there) by a parabola through two looks and the one next to them."""
        from scipy.optimize import brentq

        middle = 0.5 * (above.place + below.place)
        others = (look for look in self.looks if look is not above and look is not below)
        three = above, below, *sorted(others, key=lambda look: abs(look.place - middle))[:1]
        curve = np.polyfit([look.place for look in three], [look.value for look in three], len(three) - 1)
        place = float(brentq(lambda x: np.polyval(curve, x), below.place, above.place))
        return place, float(np.polyval(np.polyder(curve), place))

    def _measured(self, near, slope):
        """The state next to a look: all chunks measure there again, and each solution is moved to v = 0 along the branch."""
        ((found, groups),) = self.branch.measure([float(np.exp(near.place))], [near.found], self.paths.refine, _PAIRINGS)
        if not abs(found.value / slope) < _MOVED:
            raise NoCriticalValue("amplitudes that are measured again do not agree on where it is")
        ring, others = self.branch.ring, [look for look in self.looks if abs(look.place - near.place) > _LEAST]
        other = min(others, key=lambda look: abs(look.place - near.place))
        there = np.maximum(on_ring(other.found.spectra, ring.length, ring.turns), 1e-300)
        along = np.log(there / np.maximum(found.spectra, 1e-300)) / (other.place - near.place)

        def moved(solution):
            by = np.clip(along, -_STEEP, _STEEP) * (-solution.value / slope)
            return solution.spectra * np.exp(np.clip(by, -_FAR, _FAR))

        replicas = np.array([moved(group) for group in groups])
        residual = float(np.hypot(found.residual, 0.5 * UNSEEN / abs(slope)))  # half of what amplitudes are off by besides
        return PathState(ring.moved(self.ensemble), moved(found), residual, replicas, self.paths.refine)
