"""From one fixed point of a network to the next, along curves on which the residual points in one direction [T7].

The solutions of

    Phi(x) - x = t v

with v a fixed direction and t a number are curves in the m N + 1 dimensional space of (x, t), and fixed points are where they cross
t = 0. Where the states are bounded there is one x for every large |t| (all sites are saturated and x = Phi - t v), so one curve
comes from t = -inf, meets an odd number of fixed points and goes off to +inf; all others are closed and meet an even number. The
indices of fixed points that follow each other on a curve alternate in sign.

Following the curves of random v from the fixed points that are known leads to those that are not, and in particular from one
partner of a narrow pair to the other, however small the region that Newton's method converges from. The piece of curve that
leads from A to its neighbour B also leads from B to A, so that going on from neighbour to neighbour is a symmetric walk: in the
long run it visits all fixed points equally often, as random starts do not. Curves are traced by pseudo-arclength continuation
[E. L. Allgower and K. Georg, Numerical Continuation Methods, Springer (1990)], many at a time.
"""

from __future__ import annotations

import numpy as np

from .reduced_map import ReducedMap, solve

__all__ = ["passed_over", "trace"]

#: First and largest step along a curve, in units of sqrt(m N): unknowns are of order 1, directions have rms 1.
_FIRST, _LONGEST = 0.02, 0.4

#: Steps are not cut below the first for the sake of crossings that they may have passed over; a curve that needs shorter ones than
#: the second is left.
_FINE, _SHORTEST = 1e-4, 1e-6

#: A step stands where the corrector moves by less than this part of it and the cosine of the angle it turns by is above that; the
#: second pair makes the next step longer. Looser ones jump between the curves of a saturated LSTM.
_STANDS, _EASY = (0.15, 0.9), (0.05, 0.97)


def trace(
    reduced: ReducedMap,
    x: np.ndarray,
    which: np.ndarray,
    direction: np.ndarray,
    sign: np.ndarray,
    n_steps: int,
    farthest: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Follow the curve of a direction from each of a set of fixed points, and report where it crosses t = 0 again.

    Parameters
    ----------
    reduced : ReducedMap
    x : (B, m, N) array of fixed points, which : (B,) int array, the network of each
    direction : (B, m N) array, v
    sign : (B,) array of +-1, the side of t = 0 to leave on
    n_steps : int, steps per curve; each factors one matrix
    farthest : float, curves are left where |t| is above

    Returns
    -------
    crossings : (C, m, N) array, near fixed points (interpolated between two steps): starts for Newton's method
    source : (C,) int array, which of the B curves each lies on
    """
    n, B = reduced.n, len(x)
    z = np.concatenate([x.reshape(B, n), np.zeros((B, 1))], axis=1)
    ahead = np.zeros_like(z)
    ahead[:, n] = sign
    _, ahead = _correct(reduced, z, which, direction, ahead)
    # at a fold t is stationary to first order and either way along the curve is as good as the other
    step = np.full(B, _FIRST * np.sqrt(n))
    active = np.arange(B)
    crossings, source = [np.zeros((0, n))], [np.zeros(0, dtype=int)]
    for _ in range(n_steps):
        if not active.size:
            break
        guess = z[active] + step[active, None] * ahead[active]
        change, tangent = _correct(reduced, guess, which[active], direction[active], ahead[active])
        miss = np.linalg.norm(change, axis=1) / step[active]
        along = np.einsum("ij,ij->i", tangent, ahead[active])
        passed = passed_over(z[active, n], guess[:, n] + change[:, n], ahead[active, n], tangent[:, n], step[active], sign[active])
        stands = (miss < _STANDS[0]) & (along > _STANDS[1]) & ~(passed & (step[active] > _FINE * np.sqrt(n)))
        easy = (miss < _EASY[0]) & (along > _EASY[1])
        moved = active[stands]
        new = guess[stands] + change[stands]
        before, after = z[moved, n], new[:, n]
        crossed = np.where(before == 0.0, sign[moved], before) * after < 0
        if crossed.any():
            # close to a fold the first step may go past it and the partner: from there Newton's method goes to the partner
            share = np.where(before == 0.0, 1.0, before / np.where(crossed, before - after, 1.0))[crossed, None]
            from_, to = z[moved[crossed]], new[crossed]
            crossings.append((from_ + share * (to - from_))[:, :n])
            source.append(moved[crossed])
        z[moved], ahead[moved] = new, tangent[stands]
        step[active[easy]] = np.minimum(1.6 * step[active[easy]], _LONGEST * np.sqrt(n))
        step[active[~stands]] *= 0.4
        active = active[(np.abs(z[active, n]) < farthest) & (step[active] > _SHORTEST)]
    return np.concatenate(crossings).reshape(-1, *x.shape[1:]), np.concatenate(source)


def passed_over(
    before: np.ndarray, after: np.ndarray, slope_before: np.ndarray, slope_after: np.ndarray, step: np.ndarray, sign: np.ndarray
) -> np.ndarray:
    """Whether t may have crossed 0 and come back within a step: its tangents at both ends meet on the other side of 0.

    Two crossings next to a fold of t are two fixed points about to merge, the ones that other methods miss. On the first step,
    from t = 0, whether t is on the wrong side already.

    Parameters
    ----------
    before, after : (B,) arrays, t at both ends of the step
    slope_before, slope_after : (B,) arrays, dt/ds there
    step : (B,) array, length of the step
    sign : (B,) array of +-1, the side of t = 0 on which curves that begin there are left

    Returns
    -------
    (B,) array of bool
    """
    side = np.where(before == 0.0, sign, np.sign(before))
    turned = (side * slope_before < 0) & (side * slope_after > 0) & (side * after > 0)
    difference = np.where(turned, slope_before - slope_after, 1.0)
    meet = before + slope_before * (after - slope_after * step - before) / difference
    return np.where(before == 0.0, side * after < 0, turned & (side * meet < 0))


def _correct(reduced, z, which, direction, ahead):
    """Newton's correction of points (x, t), orthogonal to ``ahead``, and the unit tangent on that side, both (B, m N + 1).

    One bordered matrix [[dr/dx, -v], [ahead^T]], regular at folds too, gives both.
    """
    n = reduced.n
    change, tangent = np.empty_like(z), np.empty_like(z)
    for part in reduced.blocks(len(z)):
        x, t, v = z[part, :n], z[part, n:], direction[part]
        residual, J = reduced.jacobian(x.reshape(-1, reduced.m, reduced.n_units), which[part])
        matrix = np.empty((len(x), n + 1, n + 1))
        matrix[:, :n, :n], matrix[:, :n, n], matrix[:, n] = J, -v, ahead[part]
        right = np.zeros((len(x), n + 1, 2))
        right[:, :n, 0] = t * v - residual
        right[:, n, 1] = 1.0
        both = solve(matrix, right)
        change[part], tangent[part] = both[:, :, 0], both[:, :, 1]
    with np.errstate(all="ignore"):
        tangent /= np.linalg.norm(tangent, axis=1)[:, None]
    lost = ~np.isfinite(tangent).all(axis=1)  # a site without a fixed state, a singular matrix: the step does not stand
    tangent[lost], change[lost] = 0.0, 0.0
    return change, tangent
