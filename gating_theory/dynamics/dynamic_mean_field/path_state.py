"""Moving states by Gaussian paths: spectra of messages that make themselves [T8].

A few sites respond, many measure: with P0 the solution for one chunk, the difference of what many chunks and this one make of P0 is
added to what the one makes, and that is solved again. The result has the sampling error of the many, amplified by the response;
solutions for groups of the many show how much that is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...ensemble.ensemble import Ensemble
from ...ensemble.paths import EnsemblePath
from ...errors import NoCriticalValue
from .mixing import Secants, fixed_point_of
from .ring import Ring, mean_of_ring

__all__ = ["GROUPS", "PathState", "error_of", "path_state", "state_of_size"]

#: Mixing of spectra: steps that are remembered, plain ones first, evaluations at most, residual.
_DEPTH, _PLAIN, _LIMIT, _TOL = 6, 8, 80, 1e-3
#: Rounds of refinement, and the part of its sampling error by which a moment may still move in the last.
_ROUNDS, _SETTLED = 4, 0.5
#: The residual of refined spectra and of replicas, whose differences are errors; the width of difference quotients, relative.
_FINE, _WIDTH = 1e-4, 0.02
#: The part of their first residual to which refined spectra and replicas are solved, and evaluations for it before it is tried
#: without what others learnt.
_PART, _FEW = 0.05, 25
#: Groups of chunks whose scatter is the error; what is remembered of the response from one of their solutions to the next.
GROUPS, _LEARNT = 10, 20
#: First moments below this part of the start's are the zero state.
_GONE = 1e-8


@dataclass(frozen=True)
class PathState:
    """Spectra that reproduce themselves.

    Attributes
    ----------
    ring : Ring
    spectra : (distinct messages, L/2 + 1) array
    residual : float
    replicas : (groups, distinct messages, L/2 + 1) array
        Solutions for groups of the chunks that measure, of which the spectra are the solution for all.
    refine : int, how many chunks measure; 0: one a replica
    """

    ring: Ring
    spectra: np.ndarray
    residual: float
    replicas: np.ndarray
    refine: int = 0

    @property
    def groups(self) -> list[np.ndarray]:
        """The chunks of each replica."""
        groups = len(self.replicas)
        return np.array_split(np.arange(1, 1 + max(self.refine, groups)), groups)

    @property
    def moments(self) -> np.ndarray:
        """(distinct messages,) E m^2."""
        return mean_of_ring(self.spectra)


def error_of(replicas: np.ndarray) -> np.ndarray:
    """Standard error of the mean of (groups, ...) values, such that two hold it as often as those of a normal law would.

    Parameters
    ----------
    replicas : (groups, ...) array
    """
    from scipy.special import stdtrit

    groups = len(replicas)
    student = float(stdtrit(groups - 1, 0.975)) / 1.96
    return student * replicas.std(axis=0, ddof=1) / np.sqrt(groups)


def _weights(spectra):
    """Parseval: with these the squared norm of sqrt(spectra) is the sum of the moments."""
    weights = np.full(spectra.shape, 2.0)
    weights[:, [0, -1]] = 1.0
    return np.sqrt(weights / (2 * (spectra.shape[1] - 1)))


def path_state(ring: Ring, start: np.ndarray, refine: int, enough: Callable[[np.ndarray], bool] | None = None) -> PathState:
    """The state that a start leads to.

    Parameters
    ----------
    ring : Ring
    start : (distinct messages, L/2 + 1) array
    refine : int, chunks that measure; 0: the solution for one chunk, without replicas
    enough : callable, optional, of refined spectra: whether replicas are worth their time

    Returns
    -------
    PathState; its spectra are zero where moments fell below 1e-8 of the start's
    """
    solver = _Solver(ring, start)
    spectra, residual = solver(start, np.zeros_like(start), _PLAIN, _TOL)
    if not refine:
        return PathState(ring, spectra, residual, np.zeros((0, *start.shape)))
    for _ in range(_ROUNDS):
        if not spectra.any():
            break
        many, one = ring.images(spectra, refine), ring.image(spectra, 0)
        before, moments = mean_of_ring(spectra), mean_of_ring(many)
        spectra, residual = solver(spectra, many.mean(axis=0) - one, 1, _FINE, _PART)
        sampling = moments.std(axis=0, ddof=1) / np.sqrt(refine)
        moved = np.abs(mean_of_ring(spectra) - before)
        if (moved < _SETTLED * np.maximum(sampling, _FINE * before)).all():
            break
    else:  # rounds that go on moving are no solution to all digits, however small the residual of each
        residual = max(residual, 0.5 * float((moved / np.maximum(before, 1e-300)).max()))
    if not spectra.any() or enough is not None and not enough(spectra):
        return PathState(ring, spectra, residual, np.zeros((0, *start.shape)))
    groups = np.array_split(many, min(GROUPS, refine))
    replicas = [solver.replica(spectra, group.mean(axis=0) - one) for group in groups]
    return PathState(ring, spectra, residual, np.array(replicas), refine)


def state_of_size(
    ensemble: Ensemble, path: EnsemblePath, ring: Ring, size: float, start: np.ndarray, refine: int
) -> tuple[float, float, PathState]:
    """The value along a path at which the first message has a given second moment, its standard error, and the state there.

    Spectra and value are mixed together, so that states that iteration leaves are as easy as others.

    Parameters
    ----------
    ensemble : Ensemble, at whose value the search starts
    path : EnsemblePath
    ring : Ring, of any ensemble of the cell
    size : float > 0, E m^2
    start : (distinct messages, L/2 + 1) array
    refine : int, chunks that measure, at least 5; 0: one chunk alone, without an error

    Raises
    ------
    NoCriticalValue : there is none near the ensemble's own value
    """
    value = path.value(ensemble)
    value = value if np.isfinite(value) else 0.5 * sum(path.within(None))
    solver = _Sized(ensemble, path, ring, size, start)
    offset = np.zeros_like(start)
    spectra, value, residual = solver(start, value, offset, _PLAIN)
    if not refine:
        return value, np.nan, PathState(ring.moved(path.at(ensemble, value)), spectra, residual, np.zeros((0, *start.shape)))
    for _ in range(_ROUNDS):
        here = ring.moved(path.at(ensemble, value))
        many, one = here.images(spectra, refine), here.image(spectra, 0)
        old, offset = offset, many.mean(axis=0) - one
        if np.abs(mean_of_ring(offset - old)).max() < _SETTLED * _TOL * size:
            break
        spectra, value, residual = solver(spectra, value, offset, 1)
    found = [solver(spectra, value, group.mean(axis=0) - one, 1) for group in np.array_split(many, min(GROUPS, refine))]
    error = float(error_of(np.array([v for _, v, _ in found])))
    return value, error, PathState(here, spectra, residual, np.array([replica for replica, _, _ in found]), refine)


class _Sized:
    """Solutions of P = (what one chunk makes of P) + offset in which the first message has a given size, by moving along a path."""

    def __init__(self, ensemble, path, ring, size, start):
        self.ensemble, self.path, self.ring, self.size = ensemble, path, ring, size
        self.weights, self.shape = _weights(start), start.shape

    def __call__(self, start, value, offset, plain):
        slope = self.slope(start, value, offset)
        # the value weighs as much as the spectra
        unit = max(abs(value), 1.0) / max(np.linalg.norm(np.sqrt(start) * self.weights), 1e-300)

        def image(x):
            new, growth = self.grown(self.spectra(x), x[-1] * unit, offset)
            step = np.clip(-growth / slope, -0.2 * abs(x[-1] * unit) - 0.2, 0.2 * abs(x[-1] * unit) + 0.2)
            return np.append((np.sqrt(new) * self.weights).ravel(), self.limited(x[-1] * unit + step) / unit)

        x = np.append((np.sqrt(start) * self.weights).ravel(), value / unit)
        found = fixed_point_of(image, x, _FINE, depth=_DEPTH, plain=plain, limit=_LIMIT)
        value = self.limited(found.x[-1] * unit)
        if found.residual > 10.0 * _TOL:
            text = f"no value of {self.path} near {value:.4g} was found at which a state has this amplitude"
            raise NoCriticalValue(f"{text}: a residual of {found.residual:.2g} is left")
        return self.spectra(found.x), value, found.residual

    def spectra(self, x):
        spectra = (x[:-1].reshape(self.shape) / self.weights) ** 2
        spectra[0] *= self.size / max(mean_of_ring(spectra[0]), 1e-300)
        return spectra

    def limited(self, value):
        return float(min(max(value, self.path.range[0]), self.path.range[1]))

    def grown(self, spectra, value, offset):
        """(what spectra become, brought back to their size; growth of the size)."""
        ring = self.ring.moved(self.path.at(self.ensemble, self.limited(value)))
        new = np.maximum(ring.image(spectra, 0) + offset, 0.0)
        made = max(float(mean_of_ring(new[0])), 1e-300)
        new[0] *= self.size / made
        return new, float(np.log(made / self.size))

    def slope(self, spectra, value, offset):
        """Of the growth along the path, at spectra that stay."""
        width = _WIDTH * max(abs(value), 1.0)
        slope = (self.grown(spectra, value + width, offset)[1] - self.grown(spectra, value, offset)[1]) / width
        if slope == 0.0:
            raise NoCriticalValue(f"the state does not depend on {self.path} near {value:.4g}")
        return slope


class _Solver:
    """Solutions of P = (what one chunk makes of P) + offset."""

    def __init__(self, ring, start):
        self.ring, self.weights, self.shape = ring, _weights(start), start.shape
        self.least = _GONE * float((start * self.weights**2).sum())
        self.secants: Secants = []

    def __call__(self, start, offset, plain, tol, part=0.0):
        found = fixed_point_of(self.image(offset), self.roots(start), tol, depth=_DEPTH, plain=plain, limit=_LIMIT, part=part)
        return self.present(found)

    def replica(self, start, offset):
        """The spectra of a solution next to ``start``."""
        image, x = self.image(offset), self.roots(start)
        known = {"depth": _LEARNT, "plain": 0, "limit": _FEW, "secants": self.secants}
        alone = {"depth": _DEPTH, "plain": _PLAIN, "limit": 2 * _FEW}
        for way in (known, alone):
            found = fixed_point_of(image, x, _FINE, part=_PART, **way)
            if found.steps < way["limit"]:
                break
        return self.present(found)[0]

    def image(self, offset):
        """The map, of roots of spectra."""

        def image(x):
            spectra = self.spectra(x)
            if mean_of_ring(spectra).sum() < self.least:
                return np.zeros_like(x)
            return self.roots(np.maximum(self.ring.image(spectra, 0) + offset, 0.0))

        return image

    def present(self, found):
        spectra = self.spectra(found.x)
        gone = mean_of_ring(spectra).sum() < self.least
        return (np.zeros_like(spectra), 0.0) if gone else (spectra, found.residual)

    def roots(self, spectra):
        return (np.sqrt(spectra) * self.weights).ravel()

    def spectra(self, x):
        return (x.reshape(self.shape) / self.weights) ** 2
