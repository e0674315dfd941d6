"""The states of a bistable ensemble by Gaussian paths: those that iteration leads to, and the one that it leaves between them [T8].

Starts of a large and of a small amplitude lead to the outer states. Between two of them there is one that no iteration at the
ensemble's own gains ends in. With the amplitude D given instead, and all gains multiplied by 1 + v, it is as easy as others, and it
is where v = 0: right below an upper state gains are too large, v < 0, and right above a lower one they are too small.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ...ensemble.ensemble import Ensemble
from ...ensemble.paths import Direction
from ...errors import ConvergenceError, NoCriticalValue
from ...results.status import Status
from .clock import even_spectrum, from_even_spectrum
from .path_branch import UNSEEN, OnBranch, PathBranch
from .path_solver import Paths, finished, path_result, windowed
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
_NEAR, _NEARER, _MOVED, _LEAST, _BETWEEN = 0.15, 0.02, 0.5, 0.1, 5
#: Plain steps of each first solution, pairings of each chunk, residuals from which signs of v are not taken.
_PLAIN, _PAIRINGS, _RESIDUAL = 8, 4, 2e-4
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
    if not size:
        return [upper]
    _, spectra, _ = windowed(ensemble, paths, _SMALL * size)
    low = float(mean_of_ring(spectra)[0])
    if low > (1.0 - SAME) * size:
        return [upper]
    lower = path_result(ensemble, paths, start=_SMALL * size)
    tell(1)
    others = _OnTheBranch(ensemble, paths, upper).states(max(low, _SMALL * size))
    tell(1)
    return [*others, lower]


class _Look(NamedTuple):
    """An amplitude that all chunks have measured."""

    place: float  #: log D
    value: float  #: v
    found: OnBranch
    ratio: np.ndarray | float  #: of what all chunks and few sites make of its spectra


class _OnTheBranch:
    """The search for the state at which v changes sign next to one that iteration led to."""

    def __init__(self, ensemble: Ensemble, paths: Paths, upper: DynamicMeanField) -> None:
        self.ensemble, self.paths, self.upper = ensemble, paths, upper
        spectra = np.maximum(even_spectrum(upper.correlations), 0.0)
        along = Direction(ensemble, {f"gain.{name}": gain for name, gain in ensemble.gain.items() if gain}, "gains")
        ring = Ring(ensemble, paths.clock, 2 * (spectra.shape[1] - 1), paths.n_sites, paths.seed, paths.sinusoid)
        self.branch = PathBranch(ensemble, along, ring)
        self.looks = [_Look(float(np.log(mean_of_ring(spectra)[0])), 0.0, OnBranch(0.0, spectra, np.inf), 1.0)]

    def states(self, low: float) -> list[DynamicMeanField]:
        """The upper state and the one between it and a lower one of this amplitude.

        Mixing may end in the one between: then v > 0 below it, and the upper one is looked for. One that was not found is there
        with the last amplitude that was looked at, and a status that says so.
        """
        is_upper: bool | None = None
        try:
            ends = self._ends_below(float(np.log(low)))
            is_upper = None if ends is None else True
            measured = self._between(*(self._ends_above() if ends is None else ends))
        except (NoCriticalValue, ConvergenceError) as failed:
            return [replace(self.upper, returns=is_upper), self._missing(str(failed), is_upper)]
        settled = window_holds(measured.spectra, measured.ring.turns, self.paths.n_sites * self.paths.refine)
        found = replace(finished(self.ensemble, self.paths, measured, settled, ""), returns=is_upper is None)
        return [self.upper, found] if is_upper else [found, replace(self.upper, returns=False)]

    def _missing(self, why, is_upper):
        names, C = list(self.upper.moments), from_even_spectrum(self.looks[-1].found.spectra)
        return replace(
            self.upper,
            moments=dict(zip(names, C[:, 0].tolist())),
            stderr=dict.fromkeys(names, np.nan),
            correlations=C,
            exponent=np.nan,
            exponent_stderr=np.nan,
            returns=False if is_upper else None,
            status=Status("not_converged", f"there is another state above the lower one, but it was not found: {why}", ok=False),
        )

    def _look(self, place):
        """At an amplitude, from the nearest one that was looked at: few sites first, then as all chunks make it."""
        size, near = float(np.exp(place)), min(self.looks, key=lambda look: abs(look.place - place))
        ratio = near.ratio if np.shape(near.ratio)[-1:] == (self.branch.ring.length // 2 + 1,) else 1.0
        self.branch, few = self.branch.held(size, near.found, self.paths.held_by, _PLAIN, ratio)
        ratio = self.branch.ratios([few], self.paths.refine, _PAIRINGS)[0].mean(axis=0)
        found = self.branch.solve(size, few, ratio)
        if found.residual > _RESIDUAL:
            raise NoCriticalValue(f"a residual of {found.residual:.1g} is left at an amplitude of {size:.3g}")
        self.looks.append(_Look(place, found.value, found, ratio))
        return self.looks[-1]

    def _look_towards(self, place, start):
        """The same, nearer to a look where that is too far for a solution."""
        for _ in range(_HALVES):
            try:
                return self._look(place)
            except NoCriticalValue:
                place = 0.5 * (place + start.place)
        return self._look(place)

    def _ends_below(self, low):
        """(the lowest look with v < 0, the highest below it with v > 0); None where v > 0 right below the upper state."""
        top = self.looks[0]
        step = min(_STEP, 0.5 * (top.place - low))
        above, below = self._look_towards(top.place - step, top), None
        for _ in range(_HALVES):
            if above.value >= 0.0:
                above, below = self._look(0.5 * (top.place + above.place)), above
        if above.value >= 0.0:
            return None
        while below is None:
            if above.place - low < _LEAST:
                raise NoCriticalValue("it is too near to the lower one for so many sites")
            step *= _LONGER
            look = self._look_towards(max(above.place - step, 0.5 * (above.place + low)), above)
            above, below = (look, None) if look.value < 0.0 else (above, look)
        return above, below

    def _ends_above(self):
        """(the lowest look with v > 0 above one with v < 0, that one) above a state below which v > 0."""
        below, step = self._look_towards(self.looks[0].place + _STEP, self.looks[0]), _STEP
        if below.value >= 0.0:
            raise NoCriticalValue("the two above the lower one are too near each other for so many sites")
        for _ in range(_UPWARDS):
            above = self._look_towards(below.place + step, below)
            if above.value >= 0.0:
                return above, below
            below = above
        raise NoCriticalValue("the upper one is too far from the one between")

    def _between(self, above, below):
        """The state between two looks, once an amplitude next to it was measured."""
        for _ in range(_BETWEEN):
            place, slope = self._crossing(above, below)
            near = min(self.looks[1:], key=lambda look: abs(look.place - place))
            if abs(near.place - place) < (_NEARER if self.branch.exact else _NEAR):
                return self._measured(near, slope)
            look = self._look(place)
            above, below = (look, below) if (look.value < 0.0) == (above.value < 0.0) else (above, look)
        raise NoCriticalValue("measured amplitudes do not agree on where it is")

    def _crossing(self, above, below):
        """(log D where v = 0, slope of v there) by a parabola through two looks and the one next to them."""
        from scipy.optimize import brentq

        middle = 0.5 * (above.place + below.place)
        third = min((look for look in self.looks if look is not above and look is not below), key=lambda x: abs(x.place - middle))
        three = above, below, third
        curve = np.polyfit([look.place for look in three], [look.value for look in three], 2)
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
