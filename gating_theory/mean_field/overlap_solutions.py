"""Solutions of (kappa, q) = F(kappa, q), from many starts, by damped iteration and Newton's method [T11]."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np

from .overlap_map import OverlapMap

__all__ = ["Solution", "slopes", "solutions"]

#: Overlaps of starts in units of the largest; moments they begin with; how many random directions for each channel.
_AMPLITUDES, _MOMENTS, _RANDOM = (0.05, 0.3, 1.0), (0.01, 0.5), 4
#: All patterns of signs are tried of so many channels at most, beyond it that of all signs alone.
_MANY_CHANNELS = 6
#: Damped iteration: rounds of so many steps, after each of which states that have become alike (relative) are one; the damping.
_ROUNDS, _STEPS, _ALIKE, _DAMPING = 4, 12, 2e-2, 0.8
#: Starts from which Newton's method sets out at once, for solutions that iteration leaves; fewer where averages take long.
_DIRECT, _FEW_DIRECT = 60, 16
#: Starts of iteration at most: of averages over up to two variables, over more or over units, and where sites are solved for.
_MOST_STARTS = (400, 60, 16)
#: Newton's method: steps at most, its differences, its largest step, and the change that ends a search (relative to the scale).
_NEWTON, _DIFFERENCE, _LONGEST, _CLOSE = 20, 1e-4, 0.3, 1e-7
#: Overlaps of one channel at which signs are compared, in decades below the largest and in all; where averages take long; the steps
#: of the moments there.
_DECADES, _POINTS, _POINTS_GIVEN, _SETTLING = 6.0, 60, 24, 60
#: Tolerances of slopes of up to two variables and of more, steps at the finest tolerance, and what is left of one that ends them.
_SLOPES, _FINISHING, _DONE = (1e-8, 1e-6), 12, 1e-13
#: States with other signs are looked at where they are solutions to this.
_MIRRORED = 1e-2
#: Two solutions closer than this, relative, are one; solutions smaller than this in units of the scale are the zero state.
_SAME, _ZERO = 1e-6, 1e-6
#: 1 - F' counts as singular below this; how far along its null direction other solutions are looked for, and found.
_NEUTRAL, _AWAY, _FOUND = 1e-5, 0.1, 0.03


class Solution(NamedTuple):
    """A solution u = F(u): (R + n,) array, largest relative |F(u) - u|, relative error, whether it is one of a continuum."""

    u: np.ndarray
    residual: float
    error: float
    continuum: bool


def solutions(overlap: OverlapMap, at_zero: list[np.ndarray]) -> list[Solution]:
    """Solutions that are not zero, ascending in the first moment, then descending in the overlaps.

    Parameters
    ----------
    overlap : OverlapMap
    at_zero : list of (n,) arrays, moments of solutions of the random part alone
    """
    R = overlap.n_overlaps
    given = overlap.fields.low_rank.vectors is not None
    slow = 2 if not overlap.cell.has_closed_form else int(given or len(overlap.variables) > 2)
    starts = _some(_starts(overlap), _MOST_STARTS[slow])
    found = [_settled(overlap, starts), _some(starts, _FEW_DIRECT if slow else _DIRECT)]
    found += [np.concatenate([np.zeros(R), q])[None, :] for q in at_zero]
    if R == 1:
        found.append(_crossings(overlap, _POINTS_GIVEN if slow else _POINTS))
    ends = [_newton(overlap, some, overlap.coarse) for some in (found[0], np.concatenate(found[1:]))]
    candidates = _distinct(overlap, np.concatenate(ends), _ALIKE)
    finished: list[Solution] = []
    # of a continuum the first one stands for all: of few channels, and positive
    queue = sorted(candidates, key=lambda u: (_channels(overlap, u), *(-u[:R] / overlap.scale[:R])))
    while queue:
        solution = _finished(overlap, queue.pop(0))
        if solution is None or any(_equal(overlap, solution, other) for other in finished):
            continue
        finished.append(solution)
        queue += _flipped(overlap, solution)
    if not finished and overlap.without_state is not None:
        raise overlap.without_state
    return sorted(finished, key=lambda s: (round(s.u[R] / overlap.scale[R], 9), *(-s.u[:R])))


# --- starts


def _starts(overlap):
    """(B, R + n) overlaps along many directions, of both signs and several sizes, with moments small and large."""
    R, scale = overlap.n_overlaps, overlap.scale
    vectors = np.linalg.eig(overlap.fields.low_rank.overlap.T)[1].T
    rows = [*np.eye(R), *vectors.real, *vectors.imag]
    if R > 1:
        if R <= _MANY_CHANNELS:
            rows += [np.array((1.0, *signs)) for signs in product((1.0, -1.0), repeat=R - 1)]
        rows += list(np.random.default_rng(0).standard_normal((_RANDOM * R, R)))
    rows = [row / np.abs(row).max() for row in rows if np.abs(row).max() > 1e-6]
    every = [
        np.concatenate([sign * size * row * scale[:R], moment * scale[R:]])
        for row in rows
        for sign in (1.0, -1.0)
        for size in _AMPLITUDES
        for moment in _MOMENTS
    ]
    return np.unique(np.array(every), axis=0)


def _some(rows, most):
    return rows[:: -(-len(rows) // most)]


def _by_size(overlap, u, function):
    """What a function gives for a batch, computed for states of about the same size at a time: rules are those of the largest."""
    sizes = np.abs(u / overlap.scale).max(axis=1)
    classes = np.floor(2.0 * np.log2(np.maximum(sizes, _ZERO)))
    parts = [np.flatnonzero(classes == each) for each in np.unique(classes)]
    if len(parts) < 2 or len(overlap.variables) < 3:
        return function(u)
    values = [function(u[rows]) for rows in parts]
    out = np.empty((len(u), *values[0].shape[1:]))
    for rows, value in zip(parts, values):
        out[rows] = value
    return out


def _settled(overlap, u):
    """What damped iteration comes to from a batch of starts; those that have become alike are one."""
    for _ in range(_ROUNDS):
        for _ in range(_STEPS):
            u = u + _DAMPING * (_by_size(overlap, u, lambda some: overlap(some, overlap.coarse)) - u)
            u = u[np.isfinite(u).all(axis=1)]
        u = _distinct(overlap, u, _ALIKE)
    return u


def _crossings(overlap, points):
    """States beside which kappa' - kappa changes sign, along the overlap of the only channel, with moments that follow it."""
    size = overlap.scale[0] * 10.0 ** np.linspace(-_DECADES, 0.1, points)
    along = np.concatenate([-size[::-1], size])
    found = []
    for moment in _MOMENTS:
        u = np.concatenate([along[:, None], np.broadcast_to(moment * overlap.scale[1:], (along.size, overlap.n_moments))], axis=1)
        for _ in range(_SETTLING):
            new = _by_size(overlap, u, lambda some: overlap(some, overlap.coarse))
            change = np.nanmax(np.abs(new[:, 1:] - u[:, 1:]) / (new[:, 1:] + 1e-12 * overlap.scale[1:]))
            u[:, 1:] = new[:, 1:]
            if change < _ALIKE:
                break
        # relative, so that small overlaps count as large ones do
        left = _by_size(overlap, u, lambda some: overlap(some, overlap.coarse))[:, 0] / along - 1.0
        with np.errstate(invalid="ignore"):
            change = np.flatnonzero((left[:-1] * left[1:] < 0.0) & (along[:-1] * along[1:] > 0.0))
        found += [u[i] for i in change] + [u[i + 1] for i in change]
    return np.array(found).reshape(-1, u.shape[1])


# --- Newton's method


def slopes(overlap: OverlapMap, u: np.ndarray, tol: float) -> np.ndarray:
    """(B, D, D) derivatives F' at a batch (B, D), by central differences of averages by the same rules.

    Parameters
    ----------
    overlap : OverlapMap
    u : (B, D) array
    tol : float, of averages
    """
    B, D = u.shape
    R = overlap.n_overlaps
    step = _DIFFERENCE * np.maximum(np.abs(u), 1e-3 * overlap.scale)
    step[:, R:] = _DIFFERENCE * np.maximum(u[:, R:], 1e-6 * overlap.scale[R:])
    up, down = (np.repeat(u[:, None, :], D, axis=1) for _ in range(2))
    up[:, range(D), range(D)] += step
    down[:, range(D), range(D)] -= step
    down[..., R:] = np.maximum(down[..., R:], 0.0)
    width = up[:, range(D), range(D)] - down[:, range(D), range(D)]
    values = overlap(np.concatenate([up.reshape(-1, D), down.reshape(-1, D)]), tol).reshape(2, B, D, D)
    return np.swapaxes((values[0] - values[1]) / width[..., None], 1, 2)


def _step(overlap, u, left, slope):
    """Newton's step (B, D) where F(u) - u = left, in units of the scale; along directions that lead nowhere there is none."""
    scale, step = overlap.scale, np.full(u.shape, np.nan)
    scaled = (np.eye(u.shape[1]) - slope) * scale / scale[:, None]
    good = np.isfinite(scaled).all(axis=(1, 2)) & np.isfinite(left).reshape(len(u), -1).all(axis=1)
    step[good] = np.einsum("bij,bj->bi", np.linalg.pinv(scaled[good], rcond=1e-7), (left / scale).reshape(u.shape)[good])
    return step


def _moved(overlap, u, step):
    """u moved by a step in units of the scale, which is shortened where it is long or leads to negative moments."""
    R = overlap.n_overlaps
    step = step * np.minimum(1.0, _LONGEST / np.maximum(np.abs(step).max(axis=1, keepdims=True), _LONGEST))
    new = u + step * overlap.scale
    new[:, R:] = np.maximum(new[:, R:], 0.1 * u[:, R:])
    return new


def _newton(overlap, u, tol):
    """Where Newton's method ends from a batch of starts; those from which it does not are left out."""
    ended = []
    for _ in range(_NEWTON):
        left = _by_size(overlap, u, lambda some: overlap(some, tol) - some)
        step = _step(overlap, u, left, _by_size(overlap, u, lambda some: slopes(overlap, some, tol)))
        good = np.isfinite(step).all(axis=1)
        u = _moved(overlap, u[good], step[good])
        size = np.abs(step[good]).max(axis=1) / np.minimum(1.0, np.abs(u / overlap.scale).max(axis=1) + _ZERO)
        ended.append(u[size < _CLOSE])
        u = u[(size >= _CLOSE) & ~_vanished(overlap, u)]
        if len(u) > 2:
            u = _distinct(overlap, u, _CLOSE)
        if not len(u):
            break
    return np.concatenate(ended)


def _vanished(overlap, u):
    """Which rows of a batch are the zero state."""
    R, scale = overlap.n_overlaps, overlap.scale
    overlaps, moments = np.abs(u[:, :R] / scale[:R]).max(axis=1), np.abs(u[:, R:] / scale[R:]).max(axis=1)
    return (overlaps < _ZERO) & (moments < _ZERO**2)


def _distinct(overlap, u, alike):
    """The rows of a batch that differ from one another, and from zero, by more than this, relative."""
    kept: list[np.ndarray] = []
    for row in (u / overlap.scale)[np.isfinite(u).all(axis=1)]:
        size = np.abs(row).max()
        if size > _ZERO**2 and not any(_near(row, other, alike) for other in kept):
            kept.append(row)
    return np.array(kept).reshape(-1, u.shape[1]) * overlap.scale


def _near(row, other, alike):
    return np.abs(row - other).max() <= alike * max(np.abs(row).max(), np.abs(other).max())


# --- solutions


def _finished(overlap, u):
    """The Solution next to u, to the finest tolerance; None where there is none."""
    scale = overlap.scale
    slope = slopes(overlap, u[None, :], _SLOPES[len(overlap.variables) > 2])
    for _ in range(_FINISHING):
        left = overlap(u[None, :], overlap.fine) - u
        step = _step(overlap, u[None, :], left, slope)
        size = float(np.abs(step).max() / (np.abs(u / scale).max() + _ZERO))
        if not np.isfinite(size) or size > _LONGEST:
            return None
        if size > _CLOSE:
            slope = slopes(overlap, u[None, :], _SLOPES[len(overlap.variables) > 2])
        u = _moved(overlap, u[None, :], step)[0]
        if size < max(_DONE, 1e-2 * overlap.fine):
            break
    if _vanished(overlap, u[None, :])[0]:
        return None
    u = _without_dust(overlap, u)
    values, others = overlap(u[None, :], overlap.fine)[0], overlap(u[None, :], overlap.fine, second=True)[0]
    residual = float(np.max(np.abs(values - u) / _size(overlap, u)))
    wrong = np.abs(others - values) + np.abs(values - u)
    scaled = (np.eye(u.size) - slope[0]) * scale / scale[:, None]
    moved = np.abs(np.linalg.pinv(scaled, rcond=_NEUTRAL)) @ (wrong / scale) * scale
    error = float(np.max(np.maximum(wrong, moved) / _size(overlap, u)))
    if residual > max(1e-8, 10.0 * error):
        return None
    return Solution(u, residual, error, _is_one_of_many(overlap, u, scaled))


def _size(overlap, u):
    """What errors are relative to: the largest overlap, the moments one by one; where they vanish the scale."""
    R, size = overlap.n_overlaps, np.array(u)
    largest = np.abs(u[:R] / overlap.scale[:R]).max()
    size[:R] = (largest if largest > 0.0 else 1.0) * overlap.scale[:R]
    size[R:] = np.where(u[R:] > 0.0, u[R:], overlap.scale[R:])
    return size


def _without_dust(overlap, u):
    """Overlaps of rounding size are zero, if that is as much of a solution."""
    R = overlap.n_overlaps
    clean = u.copy()
    clean[:R][np.abs(u[:R] / overlap.scale[:R]) < 1e-11] = 0.0
    if np.array_equal(clean, u):
        return u
    left = np.abs(overlap(np.array([clean, u]), overlap.fine) - np.array([clean, u])) / overlap.scale
    return clean if left[0].max() <= left[1].max() + 1e-11 else u


def _is_one_of_many(overlap, u, scaled):
    """Whether solutions go on in the direction along which 1 - F' vanishes."""
    _, values, vectors = np.linalg.svd(scaled)
    if values[-1] > _NEUTRAL:
        return False
    size = np.abs(u / overlap.scale).max()
    start = u + _AWAY * size * vectors[-1] / np.abs(vectors[-1]).max() * overlap.scale
    start[overlap.n_overlaps :] = np.maximum(start[overlap.n_overlaps :], 0.5 * u[overlap.n_overlaps :])
    ends = _newton(overlap, start[None, :], overlap.coarse)
    elsewhere = [end for end in ends if np.abs((end - u) / overlap.scale).max() > _FOUND * size]
    return any(_same_moments(overlap, end, u, 1e-2) for end in elsewhere)


def _same_moments(overlap, one, other, part):
    R = overlap.n_overlaps
    return bool(np.all(np.abs(one[R:] - other[R:]) <= part * np.maximum(np.abs(one[R:]), np.abs(other[R:]))))


def _equal(overlap, solution, other):
    if _near(solution.u / overlap.scale, other.u / overlap.scale, _SAME):
        return True
    return solution.continuum and other.continuum and _same_moments(overlap, solution.u, other.u, _SAME)


def _flipped(overlap, solution):
    """States with other signs of the overlaps, where these are solutions too."""
    R, u = overlap.n_overlaps, solution.u
    if solution.continuum or not u[:R].any():
        return []
    every = product((1.0, -1.0), repeat=R) if R <= _MANY_CHANNELS else [(-1.0,) * R]
    rows = np.array([np.concatenate([np.array(signs) * u[:R], u[R:]]) for signs in every])
    rows = np.array([row for row in np.unique(rows, axis=0) if not np.array_equal(row, u)])
    left = np.abs(overlap(rows, overlap.coarse) - rows) / _size(overlap, u)
    return list(rows[left.max(axis=1) < _MIRRORED])


def _channels(overlap, u):
    """How many overlaps there are."""
    size = np.abs(u[: overlap.n_overlaps] / overlap.scale[: overlap.n_overlaps])
    return int(np.count_nonzero(size > 1e-3 * size.max()))
