"""Moving states of a given amplitude by Gaussian paths, and the value of a hyperparameter at which they are states [T8].

Few sites respond, many measure. With P a solution for the few, the ratio of what many sites and what the few make of P multiplies
what the few make, and that is solved again: spectra stay positive. Products of functions of different fields, such as r^2 h^2,
would scatter most and are known (see ``path_averages.py``); what is left is less where each chunk's fields are paired anew many
times, the gate of one site with the candidate of another, which costs no random numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

import numpy as np

from ...ensemble.ensemble import Ensemble
from ...ensemble.paths import EnsemblePath
from ...errors import NoCriticalValue
from ...running.progress import Progress
from .mixing import Secants, fixed_point_of
from .path_averages import PathAverages
from .path_state import GROUPS, PathState, error_of
from .ring import Ring, mean_of_ring, parseval_weights
from .windows import LONGEST, on_ring

__all__ = ["UNSEEN", "Measured", "OnBranch", "PathBranch"]

#: Mixing of spectra and value: steps that are remembered, evaluations at most, the residual that is asked for, and
#: the one up to which a solution counts.
_DEPTH, _LIMIT, _TOL, _SOLVED = 6, 120, 1e-6, 1e-3
#: The same of groups of chunks next to a solution: what is remembered from one to the next, and the part of the first residual.
_LEARNT, _FEW, _PART = 20, 40, 0.03
#: Sites that respond, of those of a chunk that measures: a part, and at least so many.
_PART_THAT_RESPONDS, _LEAST = 0.25, 100
#: Errors of values that nothing sampled shows, relative to the larger of 1 and the value: spectra are solved to a residual, rings
#: are finite. The exact form's lines are met to 2e-6.
UNSEEN = 1e-5
#: Below this part of a second moment, power at a frequency is what laps that do not quite close make: there ratios are 1.
_FAINT = 1e-6
#: Width of difference quotients along the path, relative; largest step along it.
_WIDTH, _STEP = 0.02, 0.2


class OnBranch(NamedTuple):
    """A solution of a given amplitude."""

    value: float
    spectra: np.ndarray  #: (distinct messages, L/2 + 1)
    residual: float
    slope: float | None = None  #: of the growth along the path, roughly


class Measured(NamedTuple):
    """A solution that many sites have measured, and those for groups of them."""

    found: OnBranch
    groups: list[OnBranch]


class PathBranch:
    """The states of an ensemble along a path, by Gaussian paths.

    Parameters
    ----------
    ensemble : Ensemble, of any value
    path : EnsemblePath
    ring : Ring, of any value, of the chunks that measure; a quarter of the sites of one responds
    """

    def __init__(self, ensemble: Ensemble, path: EnsemblePath, ring: Ring) -> None:
        self.ensemble, self.path, self.ring = ensemble, path, ring
        few = max(_LEAST, int(_PART_THAT_RESPONDS * ring.n_sites))
        self._few = Ring(ensemble, ring.clock, ring.length, few, ring.seed, ring.sinusoid)
        self.weights = parseval_weights(ring.length // 2 + 1)

    @property
    def exact(self) -> bool:
        """Whether nothing is sampled."""
        return PathAverages(self.ring).exact

    def solve(
        self, size: float, start: OnBranch, ratio: np.ndarray | float = 1.0, plain: int = 1, secants: Secants | None = None
    ) -> OnBranch:
        """The solution for the few sites at which the first message has a second moment.

        Parameters
        ----------
        size : float > 0, E m^2
        start : OnBranch, a neighbour, on a ring that is as long or shorter
        ratio : (distinct messages, L/2 + 1) array, optional, of a measurement
        plain : int, steps before mixing, which lead away from static states that are not stable
        secants : list, optional, of solutions next to the start

        Raises
        ------
        NoCriticalValue
            there is none near the start's value
        """
        spectra = on_ring(start.spectra, self.ring.length, self.ring.turns)
        spectra = spectra * (size / mean_of_ring(spectra[0]))
        slope = start.slope or self._slope(spectra, start.value, ratio, size)
        # the value weighs as much as the spectra
        unit = max(abs(start.value), 1.0) / np.linalg.norm(np.sqrt(spectra) * self.weights)

        def image(x):
            value = x[-1] * unit
            new, growth = self._grown(self._spectra(x, size), value, ratio, size)
            most = _STEP * (abs(value) + 1.0)
            return np.append(
                (np.sqrt(new) * self.weights).ravel(), self._limited(value + np.clip(-growth / slope, -most, most)) / unit
            )

        x = np.append((np.sqrt(spectra) * self.weights).ravel(), start.value / unit)
        if secants is None:
            found = fixed_point_of(image, x, _TOL, depth=_DEPTH, plain=plain, limit=_LIMIT)
        else:
            found = fixed_point_of(image, x, _TOL, depth=_LEARNT, plain=0, limit=_FEW, part=_PART, secants=secants)
        value = self._limited(found.x[-1] * unit)
        if not found.residual <= _SOLVED:
            text = f"no value of {self.path} near {value:.4g} was found at which a state has this amplitude"
            raise NoCriticalValue(f"{text}: a residual of {found.residual:.2g} is left")
        return OnBranch(value, self._spectra(found.x, size), found.residual, slope)

    @property
    def longer(self) -> PathBranch:
        """The same on a ring of twice the length."""
        ring = self.ring
        return PathBranch(
            self.ensemble,
            self.path,
            Ring(ring.ensemble, ring.clock, 2 * ring.length, ring.n_sites, ring.seed, ring.sinusoid),
        )

    def held(
        self,
        size: float,
        start: OnBranch,
        holds: Callable[[np.ndarray, Ring], bool],
        plain: int,
        ratio: np.ndarray | float = 1.0,
    ) -> tuple[PathBranch, OnBranch]:
        """The solution for the few sites on the first ring of 1, 2, 4, .. times the length that holds it, or the longest.

        Parameters
        ----------
        size : float > 0, E m^2
        start : OnBranch, a neighbour
        holds : callable(spectra, ring)
        plain : int, as of :meth:`solve`
        ratio : as of :meth:`solve`, on the first ring; on longer ones few sites are by themselves

        Raises
        ------
        NoCriticalValue
            as of :meth:`solve`
        """
        branch = self
        while True:
            start = branch.solve(size, start, ratio, plain)
            if branch.ring.length >= LONGEST or holds(start.spectra, branch.ring):
                return branch, start
            branch, ratio = branch.longer, 1.0

    def measure(
        self,
        sizes: Sequence[float],
        starts: Sequence[OnBranch],
        refine: int,
        pairings: int,
        rounds: int = 1,
        tell: Progress | None = None,
    ) -> list[Measured]:
        """The solutions for many sites, at several amplitudes with the same random numbers.

        Parameters
        ----------
        sizes : sequence of floats > 0, E m^2
        starts : sequence of OnBranch
            Neighbours, or solutions by fewer sites: the few's response is wrong by some percent of what is missing there.
        refine : int, chunks that measure
        pairings : int, of each
        rounds : int, how often they measure, each time nearer
        tell : Progress, optional, of rounds and of groups
        """
        found = list(starts)
        tell = tell or Progress(None, 1, "stage")
        for _ in range(rounds):
            ratios = self.ratios(found, refine, pairings)
            found = [self.solve(size, near, ratio.mean(axis=0)) for size, near, ratio in zip(sizes, found, ratios)]
            tell(1)
        return [Measured(there, self._groups(size, there, ratio, tell)) for size, there, ratio in zip(sizes, found, ratios)]

    def _groups(self, size, found, ratios, tell):
        """Solutions for groups of the chunks, by what the first have shown of the response."""
        parts: list[np.ndarray] = np.array_split(ratios, min(GROUPS, len(ratios)))
        if (ratios == ratios[0]).all():
            for _ in parts:
                tell(1)
            return [found] * len(parts)
        groups, secants = [], cast(Secants, [])
        for part in parts:
            groups.append(self._group(size, found, part.mean(axis=0), secants))
            tell(1)
        return groups

    def _group(self, size, found, ratio, secants):
        try:
            return self.solve(size, found, ratio, secants=secants)
        except NoCriticalValue:  # what was learnt led astray
            secants.clear()
            return self.solve(size, found, ratio)

    def state(self, found: OnBranch, groups: list[OnBranch], refine: int) -> PathState:
        """A solution as the state of the ensemble at its value."""
        replicas = np.array([group.spectra for group in groups]).reshape(-1, *found.spectra.shape)
        return PathState(self.ring.moved(self.path.at(self.ensemble, found.value)), found.spectra, found.residual, replicas, refine)

    def ratios(self, found: Sequence[OnBranch], refine: int, pairings: int) -> np.ndarray:
        """(solutions, refine, distinct messages, L/2 + 1): what chunks make of spectra, as a part of what the few sites make."""
        many, few = (
            [PathAverages(ring.moved(self.path.at(self.ensemble, each.value))) for each in found] for ring in (self.ring, self._few)
        )
        out = np.ones((len(found), refine, *found[0].spectra.shape))
        if not all(averages.exact for averages in many):
            made = [averages.image(each.spectra, 0) for averages, each in zip(few, found)]
            faint = [np.maximum(_FAINT * mean_of_ring(spectra)[:, None], 1e-300) for spectra in made]
            for chunk in range(1, refine + 1):  # whose numbers are drawn once for all
                for i, (averages, each) in enumerate(zip(many, found)):
                    out[i, chunk - 1] = (averages.image(each.spectra, chunk, pairings) + faint[i]) / (made[i] + faint[i])
        return out

    @staticmethod
    def error(values: np.ndarray) -> float:
        """Standard error of the mean of the values (groups,) of groups of chunks."""
        return float(np.hypot(error_of(values), UNSEEN * max(1.0, abs(float(values[0])))))

    def _spectra(self, x, size):
        spectra = (x[:-1].reshape(-1, self.weights.size) / self.weights) ** 2
        spectra[0] *= size / max(mean_of_ring(spectra[0]), 1e-300)
        return spectra

    def _limited(self, value):
        return float(min(max(value, self.path.range[0]), self.path.range[1]))

    def _grown(self, spectra, value, ratio, size):
        """(what spectra become, brought back to their size; growth of the size)."""
        ring = self._few.moved(self.path.at(self.ensemble, self._limited(value)))
        new = PathAverages(ring).image(spectra, 0) * ratio
        made = max(float(mean_of_ring(new[0])), 1e-300)
        new[0] *= size / made
        return new, float(np.log(made / size))

    def _slope(self, spectra, value, ratio, size):
        """Of the growth along the path, at spectra that stay."""
        width = _WIDTH * max(abs(value), 1.0)
        slope = (self._grown(spectra, value + width, ratio, size)[1] - self._grown(spectra, value, ratio, size)[1]) / width
        if slope == 0.0:
            raise NoCriticalValue(f"the state does not depend on {self.path} near {value:.4g}")
        return slope
