"""How fast two copies reach their correlation, along Gaussian paths of the pair [T8b].

Tangents v^1, v^2 of the copies are Gaussian given the paths, and what they have in common, E v_k^1(t) v_k^2(t + tau) = a_k^2
kappa_12(tau), makes itself. T_12: kappa_12 -> E w^1 w^2 is linear, since w^1 is linear in v^1 and w^2 in v^2. In the frame that
grows as e^(s t) for both, its leading eigenvalue is 1 where a small difference from the correlation falls as e^(2 s t). kappa_12
need not be a covariance: where its spectrum is negative both tangents have the same noise with opposite signs.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ...errors import ConvergenceError
from ..dynamic_mean_field.mixing import Secants, fixed_point_of
from ..dynamic_mean_field.path_exponent import Tangents
from ..dynamic_mean_field.path_state import PathState
from ..dynamic_mean_field.ring import parseval_weights
from .ring_pair import RingPair

__all__ = ["pair_rates"]

#: Mixing of kernel and rate by itself, and next to solutions that have been found, to a part of its first residual.
_ALONE: dict[str, Any] = {"depth": 4, "plain": 3, "limit": 60, "tol": 1e-3}
_NEXT: dict[str, Any] = {"depth": 12, "plain": 0, "limit": 60, "tol": 1e-4, "part": 0.02}
#: The least cosine of solutions nearby: .98 was seen. Every other eigenvector of T_12 is a solution too, to which secants of
#: another problem may lead; those had .05.
_ALIKE = 0.7
#: Rounds of corrections by many chunks.
_ROUNDS = 2
#: Residuals up to which a kernel counts as solved.
_SOLVED = 1e-2
#: Tangents of pairs have random numbers of their own: seeds of theirs begin with this.
_OWN = 314159
#: The most that one step changes s by, per step of the clock.
_MOST = 0.2
#: The change of s by which the slope of growth is taken.
_ASIDE = 0.01


def pair_rates(ring: RingPair, state: PathState) -> tuple[float, np.ndarray]:
    """Rates 2 s per unit of time: (under the spectra, (groups,) under each replica, from the paths of its own chunks).

    A few sites respond and many measure, as for the exponent of one copy. Groups are there for their scatter only, and to first
    order: they have no kernels of their own, which a few sites would lead elsewhere.

    Parameters
    ----------
    ring : RingPair
    state : PathState of the pair, with replicas

    Raises
    ------
    ConvergenceError
        the tangents' correlations did not settle
    """
    few = _PairKernel(ring, state.spectra, 0)
    kappa, s = few.solve(_first(state.spectra), 0.0, 0.0, None)
    secants: Secants = []
    for _ in range(_ROUNDS):  # the few's own kernel is off at every frequency: once is not enough
        many = np.mean([_PairKernel(ring, state.spectra, chunk).map(kappa, s) for chunk in np.concatenate(state.groups)], axis=0)
        kappa, s = few.solve(kappa, s, many - few.map(kappa, s), secants)
    slope = (few.growth(kappa, few.map(kappa, s + _ASIDE), s) - few.growth(kappa, few.map(kappa, s), s)) / _ASIDE
    apart = []
    for under, group in zip(state.replicas, state.groups):
        made = np.mean([_PairKernel(ring, under, chunk).map(kappa, s) for chunk in group], axis=0)
        apart.append(2.0 * (s - few.growth(kappa, made, s) / slope))
    return 2.0 * s, np.array(apart)


def _first(spectra):
    """A kernel to start from: as one copy's messages, at every frequency."""
    alone = np.split(spectra, 2)[0]
    return np.maximum(alone, alone.mean(axis=1, keepdims=True))


class _PairKernel:
    """T_12 along the paths of a chunk."""

    def __init__(self, ring, spectra, chunk):
        self.ring, self.tangents = ring, Tangents(ring, spectra, chunk, _OWN)

    def solve(self, kappa, growth, offset, secants):
        """(kappa of size 1, s) of kappa = (what the paths make of it) + offset; ``secants``: from nearby solutions, or None."""
        weights = parseval_weights(kappa.shape[1])  # the norm is that of functions of the lag
        grown = growth

        def image(x, most):
            nonlocal grown
            now = x[:-1].reshape(kappa.shape) / weights / np.linalg.norm(x[:-1])
            new = self.map(now, x[-1]) + offset
            size = self.growth(now, new, x[-1])
            grown = x[-1] + np.clip(0.5 * size, -most, most)
            return np.append((new * weights).ravel() / np.exp(size), grown)

        start = (kappa * weights).ravel()
        start /= np.linalg.norm(start)
        limited = partial(image, most=_MOST / self.ring.clock.step)
        way = _ALONE if secants is None else _NEXT | {"reach": lambda x: start @ x[:-1] >= _ALIKE * np.linalg.norm(x[:-1])}
        found = fixed_point_of(limited, np.append(start, growth), secants=secants, **way)
        if found.residual > _SOLVED and secants is not None:  # a few sites by themselves make a start only
            raise ConvergenceError(f"tangents of the copies did not settle: residual {found.residual:.2g}", estimate=grown)
        return found.x[:-1].reshape(kappa.shape) / weights / np.linalg.norm(found.x[:-1]), float(grown)

    def growth(self, kappa, made, s):
        """The logarithm of what a kernel of size 1 has grown by, along itself."""
        size = float((made * kappa * parseval_weights(kappa.shape[1]) ** 2).sum())
        if not np.isfinite(size):
            raise ConvergenceError("tangents of the copies did not settle: some sites remember too long", estimate=s)
        if size <= 0.0:
            raise ConvergenceError("tangents of the copies lose what they have in common", estimate=s)
        return np.log(size)

    def map(self, kappa, growth):
        root = np.sqrt(np.abs(kappa))
        v = np.concatenate([self.tangents.fields(root), self.tangents.fields(np.sign(kappa) * root)], axis=2)
        with np.errstate(over="ignore", invalid="ignore"):  # slow sites under a guess far below; sizes say so
            one, other = np.split(np.fft.rfft(self.tangents.answer(v, growth), axis=1), 2, axis=2)
            return (one.real * other.real + one.imag * other.imag).mean(axis=2) / self.ring.length
