"""The largest Lyapunov exponent along Gaussian paths [T8].

A tangent has a random sign, so that its fields are Gaussian given the path, and independent of it. In the frame that grows as
e^(lam t)

    u(t + step) = e^(-lam step) (u + step ((F_s - 1) u + F_y v)),      w = M_s u + M_y v,

with v_k of covariance a_k^2 kappa_k, the map kappa -> E w w' has its leading eigenvalue at 1 where lam is the exponent; its
eigenvector is a covariance, which iteration finds.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ...errors import ConvergenceError
from ...running.progress import Progress
from .adams import AdamsSteps
from .mixing import Secants, fixed_point_of
from .path_state import PathState
from .ring import Ring, matched_noise, mean_of_ring, parseval_weights, run_until_closed, spectra_of

__all__ = ["MEASUREMENTS", "Tangents", "path_exponents"]

#: Measurements by many sites, before those of replicas.
MEASUREMENTS = 2

#: Mixing of kernel and exponent by itself, and next to solutions that have been found, to a part of its first residual.
_ALONE: dict[str, Any] = {"depth": 4, "plain": 3, "limit": 60, "tol": 1e-3}
_NEXT: dict[str, Any] = {"depth": 12, "plain": 0, "limit": 25, "tol": 1e-4, "part": 0.02}
#: What a solution nearby may differ by in the exponent, per step: mixing that goes further has lost its way.
_NEAR = 0.5
#: Residuals up to which a kernel of few sites counts as solved, which makes a start only; others must meet the tolerance of mixing,
#: for a residual of .01 is .005 of the exponent.
_SOLVED = 1e-2
#: Tangents have random numbers of their own: seeds of theirs begin with this.
_OWN = 271828
#: The most that one step changes the exponent by, per step of the clock, in a first and a second attempt: slow sites make growth so
#: steep in it that whole steps go to and fro between -.3 and 15; far from its start the exponent needs them.
_MOST = 0.2, np.inf
#: Where mixing fails: iterations at one exponent at most and the change of growth at which they end, growth that is too much,
#: strides of the exponent per step, how many, how near it is brought.
_POWERS, _STILL, _HUGE, _STRIDE, _STRIDES, _CLOSE = 30, 1e-5, 1e100, 0.05, 200, 1e-6
#: What many sites may make of a kernel of size 1: where they make 2, one chunk and their difference have no solution. Then a few
#: sites remember much longer than others (frozen gates), and the many are measured at an exponent at which they shrink it.
_MUCH = 1.5


def path_exponents(state: PathState, tell: Progress | None = None) -> tuple[float, np.ndarray]:
    """Largest exponents per unit of time: (under the spectra, under each replica, from the paths of its own chunks).

    As for spectra a few sites respond and many measure: a kernel for one chunk, to which the difference of what many and this one
    make of it is added. One chunk by itself would put the exponent too high, as any noise does to a largest eigenvalue; and
    replicas, which follow the accidents of their own few sites, put it too low.

    Parameters
    ----------
    state : PathState with replicas
    tell : Progress, optional, of ``MEASUREMENTS`` and of replicas

    Returns
    -------
    (float, (groups,) array), the second of which scatter by the error of one group

    Raises
    ------
    ConvergenceError
        the tangents' spectra did not settle
    """
    ring, tell = state.ring, tell or Progress(None, 1, "stage")
    few = _Kernel(ring, state.spectra, 0)
    # lines would only lead to lines: all frequencies alike
    start = np.broadcast_to(state.moments[:, None], state.spectra.shape) if ring.turns else state.spectra
    kappa, exponent = few.solve(start, 0.0, 0.0, None)
    secants: Secants = []
    chunks = np.concatenate(state.groups)
    for measuring in (chunks[::2], chunks):  # what half of them say makes a start from which the error of all is of second order
        many, at = _measured(ring, state.spectra, measuring, kappa, exponent)
        kappa, exponent = few.solve(kappa, at, many - few.map(kappa, at), secants)
        tell(1)
    apart = []
    for under, group in zip(state.replicas, state.groups):
        made, at = _measured(ring, under, group, kappa, exponent)
        apart.append(few.solve(kappa, at, made - few.map(kappa, at), secants)[1])
        tell(1)
    # what many sites are off by in the same way is smaller than in a group by the number of groups
    return float(exponent + (exponent - np.mean(apart)) / (len(apart) - 1)), np.array(apart)


def _measured(ring, spectra, chunks, kappa, exponent):
    """(what chunks make of a kernel on average, the exponent at which they do: a larger one where they make too much of it)."""
    most = _MUCH
    for _ in range(_STRIDES):
        with np.errstate(over="ignore", invalid="ignore"):
            made = np.mean([_Kernel(ring, spectra, chunk).map(kappa, exponent) for chunk in chunks], axis=0)
            if mean_of_ring(made).sum() <= most:
                return made, exponent
        most, exponent = 1.0, exponent + _STRIDE / ring.clock.step
    raise ConvergenceError("tangents did not settle: some sites remember too long", estimate=exponent)


class Tangents:
    """Tangents along the paths of a chunk, and the noise that their fields are made of.

    Parameters
    ----------
    ring : Ring
    spectra : array, of the messages, as of :meth:`Ring.laps`
    chunk : int
    own : int, with which seeds of the tangents' random numbers begin: those of paths must be others
    """

    def __init__(self, ring: Ring, spectra: np.ndarray, chunk: int, own: int = _OWN) -> None:
        self.ring, cell = ring, ring.ensemble.cell
        rng = np.random.default_rng([own, ring.seed, chunk])
        self._noise = matched_noise(rng, cell.n_fields, ring.length, ring.n_sites)
        laps = ring.laps(spectra, chunk)
        fields = laps.fields if laps.white is None else laps.fields + laps.white
        blocks = cell.compiled.blocks(laps.state, fields, laps.parameters)
        # one row for each distinct message
        first = [cell.message_of.index(m) for m in range(cell.n_messages)]
        self.blocks = {name: blocks[name] for name in ("F_s", "F_y")}
        for name in ("M_s", "M_y"):
            self.blocks[name] = {(first.index(i), j): b for (i, j), b in blocks[name].items() if i in first}
        # of the rate at the end of each step, where white noise is still that of its beginning
        self.ends = self.blocks
        if laps.white is not None:
            state, fields = np.roll(laps.state, -1, axis=1), np.roll(laps.fields, -1, axis=1) + laps.white
            ends = cell.compiled.blocks(state, fields, laps.parameters)
            self.ends = {name: {place: _later(block) for place, block in ends[name].items()} for name in ("F_s", "F_y")}

    def fields(self, root: np.ndarray) -> np.ndarray:
        """(K, L, n) fields' tangents where those of messages have the spectra ``root`` squared (distinct messages, L/2 + 1)."""
        law = self.ring.law
        root = np.sqrt(law.gain2)[:, None] * root[law.listens]
        return np.fft.irfft(root[:, :, None] * self._noise, n=self.ring.length, axis=1)

    def answer(self, v: np.ndarray, exponent: float) -> np.ndarray:
        """(distinct messages, L, n) messages' tangents to fields' tangents v (K, L, n), in the frame that grows as e^(lam t).

        There they decay at the sites' own rates plus lam: where lam is not far above -1 for longer than a lap, which is repeated.
        """
        ring, cell = self.ring, self.ring.ensemble.cell
        L, n, d = ring.length, v.shape[2], cell.n_state
        step = self._steps(v, exponent)
        path = np.empty((d, L, n))
        run_until_closed(step, np.zeros((d, n)), path)
        return _applied(self.blocks["M_s"], path, cell.n_messages) + _applied(self.blocks["M_y"], v, cell.n_messages)

    def _steps(self, v, exponent):
        """(tangents, t) -> tangents a step later, in the frame: a flow's belongs to its equation, that of a map comes after it."""
        clock, L, d = self.ring.clock, self.ring.length, self.ring.ensemble.cell.n_state
        falling, shrink = (exponent, 1.0) if clock.flow else (0.0, np.exp(-exponent * clock.step))
        pushed = _applied(self.blocks["F_y"], v, d)

        def rate(u, t, pushed, blocks):
            out = pushed[:, t % L] - (1.0 + falling) * u
            for (i, j), block in blocks.items():
                out[i] += (block[t % len(block)] if np.ndim(block) > 1 else block) * u[j]  # site parameters stand still
            return out

        now = partial(rate, pushed=pushed, blocks=self.blocks["F_s"])
        if not clock.flow:
            return lambda u, t: shrink * (u + clock.step * now(u, t))
        white, then = self.ends is not self.blocks, now
        if white:
            then = partial(rate, pushed=_applied(self.ends["F_y"], v, d), blocks=self.ends["F_s"])
        adams = AdamsSteps(clock.step, (d, v.shape[2]), white)
        return lambda u, t: adams(u, partial(now, t=t), partial(then, t=t + 1))


class _Kernel:
    """The kernel of tangents along the paths of a chunk."""

    def __init__(self, ring, spectra, chunk):
        self.ring, self.tangents = ring, Tangents(ring, spectra, chunk)

    def solve(
        self, kappa: np.ndarray, exponent: float, offset: np.ndarray | float, secants: Secants | None
    ) -> tuple[np.ndarray, float]:
        """(kappa of size 1, exponent) of kappa = (what the paths make of it) + offset; ``secants`` of nearby solutions, or None."""
        weights = parseval_weights(kappa.shape[1])

        def image(x, most):
            nonlocal grown
            root = x[:-1] / np.linalg.norm(x[:-1])
            with np.errstate(over="ignore", invalid="ignore"):  # slow sites under a guess far below; size says so
                new = np.maximum(self.map((root.reshape(kappa.shape) / weights) ** 2, x[-1]) + offset, 0.0)
            size = float((new * weights**2).sum())
            if size == 0.0:
                raise ConvergenceError("tangents of the dynamic mean field vanish", estimate=x[-1])
            if not np.isfinite(size):  # the guess is far below the rate at which some sites forget
                return np.full_like(x, np.nan)
            made = (np.sqrt(new) * weights).ravel()
            grown = x[-1] + np.clip(0.5 * np.log(size), -most, most)
            return np.append(made / np.sqrt(size), grown)

        start = (np.sqrt(kappa) * weights).ravel()
        x = np.append(start / np.linalg.norm(start), exponent)
        grown = exponent
        alone = secants is None
        way = _ALONE if alone else _NEXT | {"reach": lambda x: abs(x[-1] - exponent) <= _NEAR / self.ring.clock.step}
        for most in _MOST:
            limited = partial(image, most=most / self.ring.clock.step)
            found = fixed_point_of(limited, x, secants=secants, **way)
            if found.residual <= _SOLVED if alone else found.steps < way["limit"]:
                root = found.x[:-1].reshape(kappa.shape) / np.linalg.norm(found.x[:-1])
                return (root / weights) ** 2, float(grown)  # nearer than the exponent that it was made with
            if secants is not None:  # what was learnt led astray: once more without it
                secants.clear()
        return self.bracketed(kappa, exponent, offset, weights)

    def bracketed(self, kappa, exponent, offset, weights):
        """The same by plain iteration at given exponents, between two of which growth changes sign: slow, but not led astray."""
        from scipy.optimize import brentq

        def growth(at):
            nonlocal kappa
            size, last = np.inf, 0.0
            for _ in range(_POWERS):
                with np.errstate(over="ignore", invalid="ignore"):
                    new = np.maximum(self.map(kappa, at) + offset, 0.0)
                size = float((new * weights**2).sum())
                if not np.isfinite(size) or size > _HUGE:
                    return np.log(_HUGE)
                if size == 0.0:
                    raise ConvergenceError("tangents of the dynamic mean field vanish", estimate=at)
                kappa = new / size
                if abs(np.log(size) - last) < _STILL:
                    break
                last = np.log(size)
            return float(np.log(size))

        step = _STRIDE / self.ring.clock.step
        value = growth(exponent)
        way = step if value > 0.0 else -step
        for _ in range(_STRIDES):
            other = growth(exponent + way)
            if value * other <= 0.0:
                break
            exponent, value = exponent + way, other
        else:
            raise ConvergenceError("tangents did not settle: their growth has no zero", estimate=exponent)
        ends = {exponent: value, exponent + way: other}  # from another kernel growth next to zero may have another sign
        low, high = sorted(ends)
        exponent = brentq(lambda at: ends[at] if at in ends else growth(at), low, high, xtol=_CLOSE / self.ring.clock.step)
        return kappa, float(exponent)

    def map(self, kappa, exponent):
        return spectra_of(self.tangents.answer(self.tangents.fields(np.sqrt(kappa)), exponent))


def _later(block):
    """By the time at which a step ends instead of that at which it begins."""
    return np.roll(block, 1, axis=0) if np.ndim(block) > 1 else block


def _applied(blocks, vectors, rows):
    out = np.zeros((rows, *vectors.shape[1:]))
    for (i, j), block in blocks.items():
        out[i] += block * vectors[j]
    return out
