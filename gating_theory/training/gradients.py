"""Gradients along a run of a network, followed backwards, beside what theory says at the same sites [T9]."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from ..ensemble.sites import Sites
from ..errors import ConvergenceError
from ..gradients.along_path import path_growth
from ..gradients.site_path import SitePath, site_paths
from ..networks.network import Network
from ..results.display import brief
from ..results.encoding import dict_of, require, result

__all__ = ["Backwards", "DiagnosedGradients", "Steps", "backwards", "forwards", "lags_of", "power", "theory_along"]

#: Random gradients that are sent back along each sequence.
_VECTORS = 16
#: Lags, in steps, at which growth is told; theory at the shorter ones, for its time grows as their square.
_LAGS = (1, 3, 10, 30, 100, 300, 1000)
_LONGEST = 300
_LN10 = math.log(10.0)


class Steps(Protocol):
    """A run of a network: some sequences of ``lengths`` steps, and the network with its states at given ones of them."""

    @property
    def lengths(self) -> np.ndarray:
        """(B,) array of int, steps of each sequence."""

    def at(self, times: Sequence[int], sequences: Sequence[int]) -> tuple[Network, np.ndarray]:
        """The network under its input there, and its states.

        Parameters
        ----------
        times, sequences : sequences of int of one length
        """


@result("diagnosed_gradients")
@dataclass(frozen=True)
class DiagnosedGradients:
    """log10 of the mean square of gradients by steps back from the end, {lag: log10}; -inf for nothing, missing where not known.

    Attributes
    ----------
    measured : of random gradients of all state variables at the end, through the exact Jacobians
    shuffled : the same of the network with shuffled weights, along its own states
    tied : theory at the measured run's sites, the same weights in every step [T9]
    untied : theory at the same sites, weights drawn anew in each step
    """

    measured: dict[int, float]
    shuffled: dict[int, float]
    tied: dict[int, float]
    untied: dict[int, float]

    as_dict = dict_of

    def check(self) -> None:
        """ValueError where the two measurements are not of the same lags."""
        require(list(self.measured) == list(self.shuffled), "measured and shuffled must have the same lags")

    def __repr__(self) -> str:
        lag = max(self.measured, default=0)
        return brief("DiagnosedGradients", f"mean squares up to {lag} steps back")

    def __str__(self) -> str:
        names = {
            "measured": self.measured,
            "theory, its sites": self.tied,
            "  fresh weights a step": self.untied,
            "shuffled": self.shuffled,
        }
        lines = ["gradients, steps back".ljust(26) + "".join(f"{lag:>12}" for lag in self.measured)]
        for name, values in names.items():
            row = (power(values[lag]) if lag in values else "-" for lag in self.measured)
            lines.append(f"  {name:<24}" + "".join(f"{text:>12}" for text in row))
        return "\n".join(lines)


@dataclass(frozen=True)
class Backwards:
    """Random gradients sent back: ``logs`` of each sequence, (vectors, its steps), natural logs of the factors they have grown by.

    At a lag those sequences count that are as long.
    """

    logs: tuple[np.ndarray, ...]

    def typical(self, lags: Sequence[int]) -> dict[int, float]:
        """{lag: mean natural log of the factor}.

        Parameters
        ----------
        lags : sequence of int
        """
        return {lag: float(self._at(lag).mean()) for lag in lags}

    def mean_square(self, lags: Sequence[int]) -> dict[int, float]:
        """{lag: log10 of the mean square of the factor}.

        Parameters
        ----------
        lags : sequence of int
        """
        return {lag: _log10_mean(2.0 * self._at(lag)) for lag in lags}

    def _at(self, lag):
        """(sequences, vectors) logs at a lag."""
        return np.array([logs[:, lag - 1] for logs in self.logs if logs.shape[1] >= lag])


def _log10_mean(logs):
    """log10 of the mean of what has these natural logs."""
    largest = float(logs.max())
    return largest if math.isinf(largest) else float((largest + np.log(np.exp(logs - largest).mean())) / _LN10)


def power(log10: float) -> str:
    """A mean square as people read it: 0.31, or 10^-39.4.

    Parameters
    ----------
    log10 : float
    """
    return f"{10.0**log10:.3g}" if abs(log10) < 3.0 else f"10^{log10:.1f}" if math.isfinite(log10) else "0"


def lags_of(n_steps: int) -> list[int]:
    """The lags at which the growth of gradients is told.

    Parameters
    ----------
    n_steps : int, of the longest sequence
    """
    return sorted({lag for lag in _LAGS if lag < n_steps} | {n_steps})


def forwards(run: Steps, followed: Sequence[int], rng: np.random.Generator) -> np.ndarray:
    """Growth rates per step of a random tangent vector along each sequence: (B,), natural logs.

    Parameters
    ----------
    run : Steps
    followed : sequence of int, B sequences
    rng : numpy Generator
    """
    rates = []
    for b in followed:
        vector, growth, length = None, 0.0, int(run.lengths[b])
        for t in range(length):
            net, state = run.at([t], [b])
            jacobian = net.jacobian(state)[0]
            vector = _directions(len(jacobian), 1, rng) if vector is None else vector
            vector, log = _grown(jacobian @ vector)
            growth += float(log[0])
        rates.append(growth / length)
    return np.array(rates)


def backwards(run: Steps, followed: Sequence[int], rng: np.random.Generator, tell: Callable[[int], None]) -> Backwards:
    """Random gradients at the end of each sequence, sent back to its beginning.

    Parameters
    ----------
    run : Steps
    followed : sequence of int, the sequences
    rng : numpy Generator
    tell : called with 1 after each sequence
    """
    every = []
    for b in followed:
        gradients, length = None, int(run.lengths[b])
        logs = np.zeros((_VECTORS, length))
        for k in range(length):
            net, state = run.at([length - 1 - k], [b])
            jacobian = net.jacobian(state)[0]
            gradients = _directions(len(jacobian), _VECTORS, rng) if gradients is None else gradients
            gradients, logs[:, k] = _grown(jacobian.T @ gradients)
        every.append(np.cumsum(logs, axis=1))
        tell(1)
    return Backwards(tuple(every))


def theory_along(
    run: Steps,
    followed: Sequence[int],
    lags: Sequence[int],
    tell: Callable[[int], None],
    sites_at: Callable[[Network, np.ndarray], Sites],
) -> tuple[dict[int, float], dict[int, float]]:
    """({lag: log10}, {lag: log10}) of the mean square back from the end, tied and untied, at the sites of the run [T9].

    Lags beyond 300 steps, and those at which a path loses its digits, are left out. At a lag those sequences count that are as
    long.

    Parameters
    ----------
    run : Steps
    followed : sequence of int, the sequences over which it is averaged
    lags : sequence of int
    tell : called with 1 after each sequence
    sites_at : the sites of a network at its states, with the gains that theory is to use
    """
    known = [lag for lag in lags if lag <= _LONGEST]
    found: dict[str, dict[int, list[float]]] = {weights: {lag: [] for lag in known} for weights in ("tied", "untied")}
    for b in followed:
        length = int(run.lengths[b])
        reached = [lag for lag in known if lag <= length]
        times = range(length - max(reached, default=0), length)
        sites = [sites_at(net, state) for net, state in (run.at([t], [b]) for t in times)]
        path = site_paths(sites)[0] if sites else None
        for weights, logs in found.items():
            for lag in reached:
                logs[lag].append(_growth(path, lag, weights))
        tell(1)
    tied, untied = (
        {lag: _log10_mean(_LN10 * np.array(values)) for lag, values in logs.items() if not np.isnan(values).any()}
        for logs in found.values()
    )
    return tied, untied


def _growth(path, lag, weights):
    """log10 of the mean square through the last steps of a path; nan where its digits are lost."""
    try:
        growth = path_growth(_last(path, lag), weights)
    except ConvergenceError:
        return math.nan
    total = growth.mantissa[-1].sum() / path.cell.n_state
    return math.log10(total) + growth.exponent[-1] * math.log10(2.0) if total > 0.0 else -math.inf


def _last(path: SitePath, n_steps: int) -> SitePath:
    """The last steps of a path."""
    F_s, F_y, M_s, M_y = (
        {at: value[-n_steps:] for at, value in block.items()} for block in (path.F_s, path.F_y, path.M_s, path.M_y)
    )
    return replace(path, n_steps=n_steps, F_s=F_s, F_y=F_y, M_s=M_s, M_y=M_y)


def _directions(size, count, rng):
    """Random directions, columns of unit length."""
    return _grown(rng.standard_normal((size, count)))[0]


def _grown(vectors):
    """The columns at unit length and the logs of their lengths; -inf, and zeros for ever, where one vanishes."""
    lengths = np.linalg.norm(vectors, axis=0)
    with np.errstate(divide="ignore"):
        return vectors / np.where(lengths > 0.0, lengths, 1.0), np.log(lengths)
