"""How fast two copies reach their correlation, along Gaussian paths of the pair [T8b].

Tangents v^1, v^2 of the copies are Gaussian given the paths, and what they have in common, E v_k^1(t) v_k^2(t + tau) = a_k^2
kappa_12(tau), makes itself: T_12: kappa_12 -> E w^1 w^2 is linear, since w^1 is linear in v^1 and w^2 in v^2. In the frame that grows as
e^(s t) for both its leading eigenvalue is 1 where a small difference from the correlation falls as e^(2 s t). kappa_12 need not
be a covariance: where its spectrum is negative both tangents have the same noise with opposite signs.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from ...errors import ConvergenceError
from ..dynamic_mean_field.mixing import fixed_point_of
from ..dynamic_mean_field.path_exponent import Tangents
from ..dynamic_mean_field.path_state import PathState
from ..dynamic_mean_field.ring import matched_noise
from .ring_pair import RingPair

__all__ = ["pair_rates"]

_DEPTH, _PLAIN, _LIMIT, _TOL = 4, 3, 60, 1e-3
#: Tangents have random numbers of their own: seeds of theirs begin with this.
_OWN = 314159
#: The most that one step changes s by, per step of the clock.
_MOST = 0.2


def pair_rates(ring: RingPair, state: PathState) -> tuple[np.ndarray, np.ndarray]:
    """Rates 2 s per unit of time, each from the paths of one chunk of sites: under the spectra, and under their replicas.

    The mean of the first is the rate. The second scatter by what the chunks of tangents and what the spectra are off.

    Parameters
    ----------
    ring : RingPair
    state : PathState of the pair, with replicas

    Returns
    -------
    ((groups,) array, (groups,) array)

    Raises
    ------
    ConvergenceError : the tangents' correlations did not settle
    """
    start = np.split(state.spectra, 2)[0], 0.0
    alike: list[float] = []
    apart: list[float] = []
    for chunk, spectra in enumerate(state.replicas, start=1):
        for under, found in ((state.spectra, alike), (spectra, apart)):
            kappa, growth = _PairKernel(ring, under, chunk).solve(*start)
            start = kappa, growth
            found.append(2.0 * growth)
    return np.array(alike), np.array(apart)


class _PairKernel:
    """T_12 along the paths of a chunk."""

    def __init__(self, ring, spectra, chunk):
        self.ring, self.tangents = ring, Tangents(ring, ring.laps(spectra, chunk))
        rng = np.random.default_rng([_OWN, ring.seed, chunk])
        self.noise = matched_noise(rng, ring.ensemble.cell.n_fields, ring.length, ring.n_sites)
        self.gain = np.sqrt(ring.law.gain2)

    def solve(self, kappa, growth):
        counts = np.full(kappa.shape, 2.0)
        counts[:, [0, -1]] = 1.0
        weights = np.sqrt(counts)  # the norm is that of functions of the lag

        def image(x, most):
            now = x[:-1] / np.linalg.norm(x[:-1])
            new = (self.map(now.reshape(kappa.shape) / weights, x[-1]) * weights).ravel()
            size = float(now @ new)
            if not np.isfinite(size) or size <= 0.0:
                raise ConvergenceError("tangents of the copies lose what they have in common", estimate=x[-1])
            return np.append(new / size, x[-1] + np.clip(0.5 * np.log(size), -most, most))

        start = (kappa * weights).ravel()
        limited = partial(image, most=_MOST / self.ring.clock.step)
        x = np.append(start / np.linalg.norm(start), growth)
        found = fixed_point_of(limited, x, _TOL, depth=_DEPTH, plain=_PLAIN, limit=_LIMIT)
        if found.residual > 10.0 * _TOL:
            raise ConvergenceError(f"tangents of the copies did not settle: residual {found.residual:.2g}", estimate=found.x[-1])
        return found.x[:-1].reshape(kappa.shape) / weights, float(found.x[-1])

    def map(self, kappa, growth):
        ring, listens = self.ring, self.ring.law.listens
        root = self.gain[:, None] * np.sqrt(np.abs(kappa[listens]))
        signed = np.sign(kappa[listens]) * root
        v = np.concatenate([np.fft.irfft(part[:, :, None] * self.noise, n=ring.length, axis=1) for part in (root, signed)], axis=2)
        one, other = np.split(np.fft.rfft(self.tangents.answer(v, growth), axis=1), 2, axis=2)
        return (one.real * other.real + one.imag * other.imag).mean(axis=2) / ring.length
