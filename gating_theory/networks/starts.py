"""Where searches for the fixed points of one network start: random states, and states that the network itself comes to [T2]."""

from __future__ import annotations

import numpy as np

from ..support.available_memory import require_memory
from .reduced_map import ReducedMap
from .state_map import StateMap

__all__ = ["starting_points", "visited_states"]

#: Random starts: amplitudes, and steps along the relaxed map x -> x + a (Phi(x) - x) that every second one is first moved.
_AMPLITUDES, _RELAXED_STEPS = (0.1, 3.0), 30
#: Arrays of the size of all starts that a search holds at once.
_COPIES = 8
#: Steps of the network itself that every second start is moved where memories are unknowns: they take time to fill.
_OWN_STEPS = 60


def starting_points(
    equations: ReducedMap | StateMap, n_starts: int, scale: float, rng: np.random.Generator, given: np.ndarray | None = None
) -> np.ndarray:
    """Given points, zero, random points of many amplitudes, every second one moved some way along a map.

    Without memories that is the gate-free map, so that starts do not depend on fields that only set the speed; with memories the
    network itself, from memories as random as the rest (those that are not moved begin with empty ones).

    Parameters
    ----------
    equations : ReducedMap or StateMap, of one network
    n_starts : int
    scale : float, in units of the state
    rng : numpy Generator
    given : points, or None

    Returns
    -------
    points of the equations
    """
    parts = [given] if given is not None else []
    if n_starts:
        reduced = equations.reduced if isinstance(equations, StateMap) else equations
        low, high = np.log(_AMPLITUDES)
        _require_room(n_starts, reduced.m * reduced.n_units)
        amplitude = scale * np.exp(rng.uniform(low, high, (n_starts, 1, 1)))
        x = amplitude * rng.standard_normal((n_starts, reduced.m, reduced.n_units))
        x[0] = 0.0
        moving = np.arange(2, n_starts, 2)
        if isinstance(equations, StateMap):
            parts.append(_along_the_network(equations, x, moving, amplitude, rng))
        else:
            parts.append(_along_the_relaxed_map(equations, x, moving, rng))
    return np.concatenate(parts)


def visited_states(
    equations: StateMap, n_starts: int, scale: float, rng: np.random.Generator, given: np.ndarray | None = None
) -> np.ndarray:
    """Given states, and states that the network comes to from random ones in 1 to 60 steps.

    Parameters
    ----------
    equations : StateMap, of one network
    n_starts : int
    scale : float, in units of the state
    rng : numpy Generator
    given : (n, d, N) array, or None

    Returns
    -------
    (n + n_starts, d, N) array
    """
    parts = [given] if given is not None else []
    if n_starts:
        low, high = np.log(_AMPLITUDES)
        _require_room(n_starts, equations.shape[0] * equations.shape[1])
        amplitude = scale * np.exp(rng.uniform(low, high, (n_starts, 1, 1)))
        x = amplitude * rng.standard_normal((n_starts, len(equations.heard), equations.shape[1]))
        parts.append(_along_the_network(equations, x, np.arange(n_starts), amplitude, rng))
    return np.concatenate(parts)


def _require_room(n_starts, size):
    """MemoryError where so many points of ``size`` numbers each, and what a search makes of them, do not fit."""
    require_memory(f"n_starts = {n_starts}", 8.0 * _COPIES * n_starts * size)


def _along_the_relaxed_map(reduced, x, moving, rng):
    pace = rng.uniform(0.1, 1.0, (len(x), 1, 1))
    stop = rng.integers(1, _RELAXED_STEPS + 1, len(x))
    for t in range(_RELAXED_STEPS if moving.size else 0):
        go = moving[stop[moving] > t]
        if not go.size:
            break
        change = reduced.residual(x[go], np.zeros(go.size, dtype=int))
        fine = np.isfinite(change).all(axis=(1, 2))
        x[go[fine]] += pace[go[fine]] * change[fine]
    return x


def _along_the_network(equations, x, moving, amplitude, rng):
    s = np.zeros((len(x), equations.reduced.cell.n_state, x.shape[2]))
    s[:, equations.heard] = x
    s[moving[:, None], equations.memory] = (amplitude * rng.standard_normal((len(x), len(equations.memory), x.shape[2])))[moving]
    stop = np.exp(rng.uniform(0.0, np.log(_OWN_STEPS), len(x)))
    for t in range(_OWN_STEPS):
        go = moving[stop[moving] > t]
        if not go.size:
            break
        new = equations.stepped(s[go], np.zeros(go.size, dtype=int))
        fine = np.isfinite(new).all(axis=(1, 2))
        s[go[fine]] = new[fine]
    return s
