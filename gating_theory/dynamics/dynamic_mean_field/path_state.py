"""Moving states by Gaussian paths: spectra of messages that make themselves [T8].

A few sites respond, many measure: with P0 the solution for one chunk, the difference of what many chunks and this one make of P0 is
added to what the one makes, and that is solved again. The result has the sampling error of the many, amplified by the response;
solutions for groups of the many show how much that is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...errors import ConvergenceError
from ...running.progress import Progress
from .mixing import Secants, fixed_point_of
from .ring import Ring, mean_of_ring, parseval_weights

__all__ = ["GROUPS", "ROUNDS_AT_FIRST", "PathState", "error_of", "path_state"]

#: Mixing of spectra: steps that are remembered, plain ones first, evaluations at most, residual.
_DEPTH, _PLAIN, _LIMIT, _TOL = 6, 8, 80, 1e-3
#: Where messages are not bounded: growth over the start that no state stops, plain steps in which it is awaited, and steps in
#: each of which growth slows down that end the wait.
_BEYOND, _AWAITED, _CALM = 1e6, 80, 3
#: Rounds of refinement that are reckoned with; rounds at most, and the part of its sampling error by which a moment may still move
#: in the last.
ROUNDS_AT_FIRST = 2
_ROUNDS, _SETTLED = 8, 0.5
#: The residual of refined spectra and of replicas, whose differences are errors.
_FINE = 1e-4
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


def path_state(
    ring: Ring,
    start: np.ndarray,
    refine: int,
    enough: Callable[[np.ndarray], bool] | None = None,
    tell: Progress | None = None,
) -> PathState:
    """The state that a start leads to.

    Parameters
    ----------
    ring : Ring
    start : (distinct messages, L/2 + 1) array
    refine : int, chunks that measure; 0: the solution for one chunk, without replicas
    enough : callable, optional, of refined spectra: whether replicas are worth their time
    tell : Progress, optional, of rounds of refinement (more than ``ROUNDS_AT_FIRST`` are announced) and of replicas

    Returns
    -------
    PathState; its spectra are zero where moments fell below 1e-8 of the start's

    Raises
    ------
    ConvergenceError
        moments grow without bound, or sites overflow
    """
    tell = tell or Progress(None, 1, "stage")
    if not ring.ensemble.cell.compiled.bounded:
        start = _not_growing(ring, start)
    solver = _Solver(ring, start)
    spectra, residual = solver(start, np.zeros_like(start), _PLAIN, _TOL)
    if not refine:
        return PathState(ring, spectra, residual, np.zeros((0, *start.shape)))
    for turn in range(_ROUNDS):
        if not spectra.any():
            break
        if turn >= ROUNDS_AT_FIRST:
            tell.more(1)
        many, one = ring.images(spectra, refine), ring.image(spectra, 0)
        before, moments = mean_of_ring(spectra), mean_of_ring(many)
        spectra, residual = solver(spectra, many.mean(axis=0) - one, 1, _FINE, _PART)
        sampling = moments.std(axis=0, ddof=1) / np.sqrt(refine)
        moved = np.abs(mean_of_ring(spectra) - before)
        tell(1)
        if (moved < _SETTLED * np.maximum(sampling, _FINE * before)).all():
            break
    else:  # rounds that go on moving are no solution to all digits, however small the residual of each
        residual = max(residual, 0.5 * float((moved / np.maximum(before, 1e-300)).max()))
    if not spectra.any() or enough is not None and not enough(spectra):
        return PathState(ring, spectra, residual, np.zeros((0, *start.shape)))
    groups = np.array_split(many, min(GROUPS, refine))
    replicas = []
    for group in groups:
        replicas.append(solver.replica(spectra, group.mean(axis=0) - one))
        tell(1)
    return PathState(ring, spectra, residual, np.array(replicas), refine)


def _not_growing(ring, start):
    """Spectra after so many plain steps that they come to an end; ConvergenceError where they do not."""
    first, before, calm, spectra = None, np.inf, 0, start
    for step in range(1, 1 + _AWAITED):
        last, spectra = float(mean_of_ring(spectra).sum()), ring.image(spectra, 0)
        now = float(mean_of_ring(spectra).sum())
        first = max(last, now) if first is None else first
        if now > _BEYOND * first:
            cell = ring.ensemble.cell.name
            raise ConvergenceError(
                f"moments of the dynamic mean field grow without bound: {now:.1g} after {step} steps from {first:.1g}; messages of "
                f"{cell} are not bounded, and at these gains no state holds them",
                estimate=now,
            )
        calm = calm + 1 if now - last < before else 0
        if now <= last or calm > _CALM:  # each change is smaller than the one before: they add up to something finite
            break
        before = now - last
    return spectra


class _Solver:
    """Solutions of P = (what one chunk makes of P) + offset."""

    def __init__(self, ring, start):
        self.ring, self.weights, self.shape = ring, parseval_weights(start.shape[1]), start.shape
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
