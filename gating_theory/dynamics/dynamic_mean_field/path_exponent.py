"""The largest Lyapunov exponent along Gaussian paths [T8].

A tangent has a random sign, so that its fields are Gaussian given the path, and independent of it. In the frame that grows as
e^(lam t)

    u(t + step) = e^(-lam step) (u + step ((F_s - 1) u + F_y v)),      w = M_s u + M_y v,

with v_k of covariance a_k^2 kappa_k, the map kappa -> E w w' has its leading eigenvalue at 1 where lam is the exponent; its
eigenvector is a covariance, which iteration finds.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from ...errors import ConvergenceError
from .mixing import fixed_point_of
from .path_state import PathState
from .ring import matched_noise, spectra_of

__all__ = ["path_exponents"]

_DEPTH, _PLAIN, _LIMIT, _TOL = 4, 3, 60, 1e-3
#: Tangents have random numbers of their own: seeds of theirs begin with this.
_OWN = 271828
#: The most that one step changes the exponent by, per step of the clock, in a first and a second attempt: slow sites make growth so
#: steep in it that whole steps go to and fro between -.3 and 15; far from its start the exponent needs them.
_MOST = 0.2, np.inf
#: Part of a lap that tangents run before they are looked at.
_UNSEEN = 0.25


def path_exponents(state: PathState) -> tuple[np.ndarray, np.ndarray]:
    """Largest exponents per unit of time, each from the paths of one chunk of sites: under the spectra, and under their replicas.

    The mean of the first is the exponent. The second scatter by what the chunks of tangents and what the spectra are off.

    Parameters
    ----------
    state : PathState with replicas

    Returns
    -------
    ((groups,) array, (groups,) array)

    Raises
    ------
    ConvergenceError : the tangents' spectra did not settle
    """
    # lines alone would only lead to lines
    start = np.maximum(state.spectra, state.moments[:, None]) if state.ring.turns else state.spectra, 0.0
    alike: list[float] = []
    apart: list[float] = []
    for chunk, spectra in enumerate(state.replicas, start=1):
        for under, found in ((state.spectra, alike), (spectra, apart)):
            kappa, exponent = _Tangent(state.ring, under, chunk).solve(*start)
            start = kappa, exponent
            found.append(exponent)
    return np.array(alike), np.array(apart)


class _Tangent:
    """Tangents along the paths of a chunk."""

    def __init__(self, ring, spectra, chunk):
        self.ring, cell = ring, ring.ensemble.cell
        laps = ring.laps(spectra, chunk)
        fields = laps.fields if laps.white is None else laps.fields + laps.white
        blocks = cell.compiled.blocks(laps.state, fields, laps.parameters[:, None, :])
        # one row for each distinct message
        first = [cell.message_of.index(m) for m in range(cell.n_messages)]
        self.blocks = {name: blocks[name] for name in ("F_s", "F_y")}
        for name in ("M_s", "M_y"):
            self.blocks[name] = {(first.index(i), j): b for (i, j), b in blocks[name].items() if i in first}
        # of the rate at the end of each step, where white noise is still that of its beginning
        self.ends = self.blocks
        if laps.white is not None:
            state, fields = np.roll(laps.state, -1, axis=1), np.roll(laps.fields, -1, axis=1) + laps.white
            ends = cell.compiled.blocks(state, fields, laps.parameters[:, None, :])
            self.ends = {name: {place: _later(block) for place, block in ends[name].items()} for name in ("F_s", "F_y")}
        rng = np.random.default_rng([_OWN, ring.seed, chunk])
        self.noise = matched_noise(rng, cell.n_fields, ring.length, ring.n_sites)
        self.gain = np.sqrt(ring.law.gain2)

    def solve(self, kappa, exponent):
        counts = np.full(kappa.shape, 2.0)
        counts[:, [0, -1]] = 1.0
        weights = np.sqrt(counts / (2 * (kappa.shape[1] - 1)))

        def image(x, most):
            root = x[:-1] / np.linalg.norm(x[:-1])
            with np.errstate(over="ignore", invalid="ignore"):  # slow sites under a guess far below; size says so
                new = self.map((root.reshape(kappa.shape) / weights) ** 2, x[-1])
            size = float((new * weights**2).sum())
            if not np.isfinite(size) or size <= 0.0:
                raise ConvergenceError("tangents of the dynamic mean field vanish or overflow", estimate=x[-1])
            made = (np.sqrt(new) * weights).ravel()
            return np.append(made / np.sqrt(size), x[-1] + np.clip(0.5 * np.log(size), -most, most))

        start = (np.sqrt(kappa) * weights).ravel()
        x = np.append(start / np.linalg.norm(start), exponent)
        for most in _MOST:
            limited = partial(image, most=most / self.ring.clock.step)
            found = fixed_point_of(limited, x, _TOL, depth=_DEPTH, plain=_PLAIN, limit=_LIMIT)
            if found.residual <= 10.0 * _TOL:
                break
        else:
            raise ConvergenceError(f"tangents did not settle: residual {found.residual:.2g}", estimate=float(found.x[-1]))
        root = found.x[:-1].reshape(kappa.shape)
        return (root / weights) ** 2, float(found.x[-1])

    def map(self, kappa, exponent):
        ring, step = self.ring, self.ring.clock.step
        L, n, d = ring.length, ring.n_sites, ring.ensemble.cell.n_state
        v = np.fft.irfft(self.gain[:, None, None] * np.sqrt(kappa[ring.law.listens])[:, :, None] * self.noise, n=L, axis=1)
        pushed = _applied(self.blocks["F_y"], v, d)
        pushed_ends = pushed if self.ends is self.blocks else _applied(self.ends["F_y"], v, d)
        u, path = np.zeros((d, n)), np.empty((d, L, n))
        # a flow's frame belongs to its equation, that of a map comes after each step
        falling, shrink = (exponent, 1.0) if ring.clock.flow else (0.0, np.exp(-exponent * step))
        for t in range(-int(_UNSEEN * L), L):
            if t >= 0:
                path[:, t] = u
            rate = self.rate(u, pushed, t % L, self.blocks["F_s"]) - falling * u
            if ring.clock.flow:
                ahead = u + step * rate
                rate = 0.5 * (rate + self.rate(ahead, pushed_ends, (t + 1) % L, self.ends["F_s"]) - falling * ahead)
            u = shrink * (u + step * rate)
        messages = ring.ensemble.cell.n_messages
        w = _applied(self.blocks["M_s"], path, messages) + _applied(self.blocks["M_y"], v, messages)
        return spectra_of(w)

    def rate(self, u, pushed, t, blocks):
        rate = pushed[:, t] - u
        for (i, j), block in blocks.items():
            rate[i] += (block[t] if np.ndim(block) > 1 else block) * u[j]
        return rate


def _later(block):
    """By the time at which a step ends instead of that at which it begins."""
    return np.roll(block, 1, axis=0) if np.ndim(block) > 1 else block


def _applied(blocks, vectors, rows):
    out = np.zeros((rows, *vectors.shape[1:]))
    for (i, j), block in blocks.items():
        out[i] += block * vectors[j]
    return out
