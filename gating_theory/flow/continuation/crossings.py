"""Singular points of curves of fixed points, and the directions in which curves leave them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...errors import ConvergenceError
from .curve import equations, linearised
from .extended import Critical, coranks, critical_point

if TYPE_CHECKING:
    from ..flow import Flow
    from ..line import Path

__all__ = ["crossing_directions", "singular_point"]

#: Starts of the search for branches at a multiple point: most of them, and how many without anything new end it. Newton's
#: steps from each.
_STARTS, _PATIENCE, _SEARCH = 1000, 60, 25


def singular_point(flow: Flow, path: Path, guess: np.ndarray, kinds: Sequence[str]) -> Critical | None:
    """The singular point of a curve of fixed points near a guess, the least singular first; None where there is none.

    Parameters
    ----------
    flow : Flow
    path : str or Line
    guess : (dim + 1,) array, states first, the parameter last
    kinds : "branch", "fold" or both, in the order in which they are tried
    """
    for kind in kinds:
        for corank in coranks(equations(flow, path, guess)) if kind == "branch" else (1,):
            try:
                found = critical_point(flow, path, guess, kind, corank=corank)
            except (ConvergenceError, np.linalg.LinAlgError):
                continue
            if found.crosses:
                return found
    return None


def crossing_directions(critical: Critical, size: float) -> np.ndarray:
    """Unit vectors (k, dim + 1) along which curves of fixed points leave a critical point, each with its opposite where it has one.

    At a simple branch point they follow from second derivatives (two curves); at a multiple one, points at distance ``size`` are
    looked for from many starts in the plane of null vectors: all that are found, without a proof that these are all.

    Parameters
    ----------
    critical : Critical
    size : float

    Raises
    ------
    ConvergenceError
        no curve but an isolated point
    """
    here, n = critical.at, len(critical.point) - 1
    left, _, right = np.linalg.svd(here.slopes)
    if critical.kind == "fold":
        return np.stack([right[-1], -right[-1]])
    if critical.multiplicity > 1:
        return _searched(critical, right[n - critical.multiplicity :], size)
    plane = right[n - 1 :]
    form = np.einsum("i,ijl,aj,bl->ab", left[:, -1], here.bend, plane, plane)
    (low, high), axes = np.linalg.eigh(form)
    if not low < 0 < high:
        raise ConvergenceError("continuation: no curves cross at this point", critical.point)
    both = np.array([np.sqrt(high) * axes[:, 0] + s * np.sqrt(-low) * axes[:, 1] for s in (1.0, -1.0)]) @ plane
    both /= np.linalg.norm(both, axis=1, keepdims=True)
    return np.concatenate([both, -both])


def _searched(critical, plane, size):
    """Directions of points at a distance from a critical point, from starts in a plane (k, dim + 1)."""
    rng = np.random.default_rng(0)
    # pitchforks leave along the states alone: half of the starts have next to no share of the parameter
    share = plane[:, -1] / np.linalg.norm(plane[:, -1])
    found: list[np.ndarray] = []
    idle = 0
    for trial in range(_STARTS):
        start = rng.normal(size=len(plane))
        if trial % 2:
            start -= (start @ share) * share
        direction = _direction(critical, start @ plane, size)
        idle += 1
        if direction is not None and all(np.linalg.norm(direction - other) > 1e-3 for other in found):
            found.append(direction)
            idle = 0
        if idle > _PATIENCE:
            break
    if not found:
        raise ConvergenceError("continuation: no curves found at this point", critical.point)
    return np.array(found)


def _direction(critical, start, size):
    """The direction of the fixed point at a distance that Newton's method finds from a start; None where it finds none."""
    try:
        point = _on_sphere(critical, start / np.linalg.norm(start), size)
    except (ConvergenceError, np.linalg.LinAlgError):
        return None
    return (point - critical.point) / size


def _on_sphere(critical, direction, size):
    """The fixed point at a distance from a critical point that Newton's method finds from a direction."""
    centre, here = critical.point, critical.at
    offset = size * direction
    for _ in range(_SEARCH):
        rest, slopes = linearised(here.flow, here.path, centre + offset)
        rest = np.append(rest, (offset @ offset / size**2 - 1.0) * size)
        change = np.linalg.solve(np.vstack([slopes, 2.0 * offset / size]), -rest)
        longest = np.abs(change).max()
        # far from a root the nearly singular equations ask for huge steps
        offset = offset + change * min(1.0, 0.3 * size / longest) if longest > 0 else offset
        if longest < 1e-6 * size:
            return centre + offset
    raise ConvergenceError("continuation: no fixed point at this distance", centre)
