"""Newton's method from many starts on the reduced equations of one network or several, and the bookkeeping of where they end [T7].

Points are (B, m, N) or (B, d, N) arrays with the network of each in ``which`` (B,), as in
:class:`~gating_theory.networks.reduced_map.ReducedMap` and :class:`~gating_theory.networks.state_map.StateMap`.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from .reduced_map import size, solve

__all__ = ["FLAT", "Descended", "Equations", "descend", "merge_points", "mirror_images", "newton", "polish", "unseen"]

#: Levenberg-Marquardt steps for a start that Newton leaves.
_DESCENT_STEPS = 60

#: |J^T r| / |r| below which |r| counts as minimal.
FLAT = 1e-5


class Equations(Protocol):
    """Equations of fixed points that Newton's method can be let loose on: of ReducedMap or StateMap."""

    def newton_step(self, x: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How far points are from being fixed, and the Newton step."""

    def error(self, x: np.ndarray, which: np.ndarray) -> np.ndarray:
        """How far points are from being fixed."""

    def moved(self, x: np.ndarray, step: np.ndarray, caps: np.ndarray, bounds: np.ndarray) -> np.ndarray:
        """Points after capped steps."""


class Descended(Protocol):
    """Equations whose squares can be descended: n unknowns, residuals and their derivatives."""

    n: int

    def jacobian(self, x: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Residual (B, n) and its derivative (B, n, n)."""


def newton(
    equations: Equations, x: np.ndarray, which: np.ndarray, caps: np.ndarray, bounds: np.ndarray, tol: float, n_steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Newton with every component of a step held below the start's cap; the residual may rise.

    Parameters
    ----------
    equations : ReducedMap or StateMap
    x : (B, m, N) or (B, d, N) array of starts, which : (B,) int array, the network of each
    caps : (B,) array, largest change of an unknown in a step, in units of the largest of 1 and the rms state
    bounds : (networks, m, 1) array, unknowns are held within +-
    tol : float, a start is done where ``equations.error`` is below
    n_steps : int

    Returns
    -------
    points like x and their errors (B,): of each start the best point met, the fixed point where it converged.
    """
    x = x.copy()
    best, least = np.zeros_like(x), np.full(len(x), np.inf)
    active = np.arange(len(x))
    for step in range(n_steps + 1):
        here, net = x[active], which[active]
        if step == n_steps:
            error = equations.error(here, net)
        else:
            error, change = equations.newton_step(here, net)
        better = error < least[active]
        best[active[better]], least[active[better]] = here[better], error[better]
        lost = ~np.isfinite(error)  # a site without a fixed state: half-way back to the best point, or to zero
        x[active[lost]] = 0.5 * (here[lost] + best[active[lost]])
        go = error >= tol
        if step == n_steps or not go.any():
            break
        move = go & ~lost
        x[active[move]] = equations.moved(here[move], change[move], caps[active[move]], bounds[net[move]])
        active = active[go]
    return best, least


def descend(
    equations: Descended, x: np.ndarray, which: np.ndarray, tol: float, near: float, n_steps: int = _DESCENT_STEPS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Levenberg-Marquardt down |r|^2 with rejection of steps that do not descend: points, residuals, |J^T r| / |r|.

    A start is given up where five steps on end bring less than 2 % each and the largest residual is not below ``near``.
    """
    x = x.copy()
    B, n = len(x), equations.n
    residual, J = equations.jacobian(x, which)
    damping = 1e-2 * np.ones(B)
    flat, slowly = np.full(B, np.inf), np.zeros(B, dtype=int)
    active = np.arange(B)
    for _ in range(n_steps):
        r, A = residual[active], J[active]
        gradient = np.matmul(A.swapaxes(1, 2), r[:, :, None])[:, :, 0]
        norm = np.linalg.norm(r, axis=1)
        flat[active] = np.linalg.norm(gradient, axis=1) / np.maximum(norm, 1e-300)
        keep = (size(r) >= tol) & (flat[active] > FLAT) & (damping[active] < 1e8)
        keep &= (size(r) < near) | (slowly[active] < 5)
        if not keep.any():
            break
        active, r, A, gradient, norm = active[keep], r[keep], A[keep], gradient[keep], norm[keep]
        normal = np.matmul(A.swapaxes(1, 2), A)
        # damped by the residual: it goes away where r does, so that Newton's speed is kept near a zero
        normal[:, range(n), range(n)] += (damping[active] * norm)[:, None]
        trial = x[active] - solve(normal, gradient[:, :, None]).reshape(x[active].shape)
        new, slope = equations.jacobian(trial, which[active])
        after = np.where(np.isfinite(new).all(axis=1), np.linalg.norm(new, axis=1), np.inf)
        down = after < norm
        slowly[active] = np.where(down & (after < 0.98 * norm), 0, slowly[active] + 1)
        at = active[down]
        x[at], residual[at], J[at] = trial[down], new[down], slope[down]
        damping[active] *= np.where(down, 0.2, 5.0)
    return x, size(residual), flat


def polish(equations: Equations, x: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two more plain Newton steps where they help; points and how far they are from being fixed."""
    error = equations.error(x, which)
    for _ in range(2):
        _, change = equations.newton_step(x, which)
        trial = x + change
        new = equations.error(trial, which)
        x, error = np.where((new < error)[:, None, None], trial, x), np.minimum(error, new)
    return x, error


def merge_points(points: np.ndarray, distance: float) -> tuple[np.ndarray, np.ndarray]:
    """Representatives (indices of points) and, for each point, which of them it is within the distance of."""
    chosen: list[int] = []
    member = np.empty(len(points), dtype=int)
    flat = points.reshape(len(points), np.prod(points.shape[1:], dtype=int))
    for i, point in enumerate(flat):
        near = np.flatnonzero(np.abs(flat[chosen] - point).max(axis=1) <= distance) if chosen else np.zeros(0, dtype=int)
        if len(near):
            member[i] = near[0]
        else:
            member[i] = len(chosen)
            chosen.append(i)
    return np.array(chosen, dtype=int), member


def mirror_images(
    points: np.ndarray, hits: np.ndarray, distance: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The fixed points of an odd network, which come in pairs +-x, from those that were reached.

    Parameters
    ----------
    points : (P, m, N) array, distinct; hits : (P,) array, how often each was reached
    distance : float, -x is there already if a point is that close

    Returns
    -------
    everything : (Q, m, N) array, the points and behind them the images that were not reached
    hits : (Q,) array, 0 for images
    mirrored : (Q,) array of bool, which are images
    pairs : (C,) array, the hits of each pair
    selves : (C,) array of bool, which pairs are one point, its own image
    source : (Q,) array, the point that each is or is the image of
    """
    images = -points
    flat = points.reshape(len(points), np.prod(points.shape[1:], dtype=int))
    partner = np.full(len(points), -1)
    for i, image in enumerate(images.reshape(len(points), -1)):
        near = np.flatnonzero(np.abs(flat - image).max(axis=1) <= distance)
        if len(near):
            partner[i] = near[0]
    lonely = partner < 0
    pairs = np.array([hits[i] + (hits[j] if j > i else 0) for i, j in enumerate(partner) if j < 0 or j >= i], dtype=int)
    selves = np.array([j == i for i, j in enumerate(partner) if j < 0 or j >= i], dtype=bool)
    everything = np.concatenate([points, images[lonely]])
    source = np.concatenate([np.arange(len(points)), np.flatnonzero(lonely)])
    mirrored = np.arange(len(everything)) >= len(points)
    return everything, np.concatenate([hits, np.zeros(lonely.sum(), dtype=int)]), mirrored, pairs, selves, source


def unseen(hits: np.ndarray) -> float:
    """Chao's estimate of the number of classes not seen, from how often each was [A. Chao, Scand. J. Stat. 11, 265 (1984)]."""
    if np.sum(hits) < 2:
        return float("inf")
    once, twice = int(np.sum(hits == 1)), int(np.sum(hits == 2))
    return once**2 / (2.0 * twice) if twice else once * (once - 1) / 2.0
