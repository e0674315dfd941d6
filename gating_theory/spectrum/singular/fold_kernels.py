"""Where the minimal solution of the equations with signs ends, compiled [T9].

With eta = i s, p = i p', q = i q' the determinant of [T9] becomes D = base + sum_m a_m p'^e q'^f s^g with real coefficients of both
signs, and -log D has Taylor coefficients that are not negative. So the equations

    p_k = -E d log D / dq_k,    q_k = -E d log D / dp_k

have a minimal solution that grows with s from p = q = 0, until the spectral radius of the map on the right is 1: a fold. Newton's
method from below climbs to the minimal solution wherever there is one, and says so where there is none.

Arrays: M sites, m monomials, n messages, unknowns u = (log p_1.., log q_1.., log s), v = 2 n + 1 of them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...support.kernels import kernel
from ..dyson_kernels import eliminate

__all__ = ["climbed", "fold"]

#: Newton's steps at most towards the minimal solution, its last one, and a step back that cannot be rounding.
_CLIMBS, _CLIMBED, _BACK = 60, 1e-6, -1e-8
#: Values of s at most, and the relative width of a bracket that is as good as a fold.
_VALUES, _BRACKET = 200, 1e-13
#: Distance of the spectral radius from 1 below which Newton's method for the fold is tried, its steps at most, the longest of them,
#: and the change of log s that ends it: the next one is far smaller.
_NEAR, _STEPS, _LONGEST, _FOLDED = 0.4, 30, 0.7, 1e-13
#: How far towards the fold that was predicted the next s goes.
_TOWARDS = 0.9
#: Shares beyond this come from a determinant that is not positive.
_LOST = 1e100
#: Squarings of a matrix until its columns are Perron vectors.
_SQUARINGS = 14
#: Sites at once, and what a determinant counts as that is not positive.
_STRETCH, _TINY = 512, 1e-300
_jit = kernel(nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "arcp", "nsz"})


class _Space(NamedTuple):
    """Arrays that every step writes over."""

    scale: np.ndarray  # (m,) monomials
    first: np.ndarray  # (m,) means of their shares
    mean: np.ndarray  # (v,) of the exponents under the shares
    cov: np.ndarray  # (v, v)
    matrix: np.ndarray  # (v, v)
    step: np.ndarray  # (v, 2)
    power: np.ndarray  # (2n, 2n)
    spare: np.ndarray  # (2n, 2n)
    inverse: np.ndarray  # of determinants at a stretch of sites
    share: np.ndarray  # of a monomial there
    moment: np.ndarray  # (v, ..) of the exponents there


@_jit
def _space(m: int, v: int) -> _Space:
    k = v - 1
    steps = np.empty((v, v)), np.empty((v, v)), np.empty((v, 2)), np.empty((k, k)), np.empty((k, k))
    return _Space(np.empty(m), np.empty(m), np.empty(v), *steps, np.empty(_STRETCH), np.empty(_STRETCH), np.empty((v, _STRETCH)))


@_jit
def _look(base: np.ndarray, a: np.ndarray, w: np.ndarray, e: np.ndarray, u: np.ndarray, space: _Space) -> bool:
    """Set mean and covariance of the exponents; False where the determinant is not positive at some site."""
    m, v = e.shape
    for i in range(m):
        power = 0.0
        for j in range(v):
            power += e[i, j] * u[j]
        space.scale[i] = np.exp(power)
    space.first[:], space.mean[:], space.cov[:] = 0.0, 0.0, 0.0
    for start in range(0, base.size, _STRETCH):
        _add_stretch(base, a, w, e, start, min(_STRETCH, base.size - start), space)
    for i in range(m):
        if not abs(space.first[i]) < _LOST:
            return False
        for j in range(v):
            space.mean[j] += space.first[i] * e[i, j]
            for k in range(j + 1):
                space.cov[j, k] += space.first[i] * e[i, j] * e[i, k]
    for j in range(v):
        for k in range(j):
            space.cov[k, j] = space.cov[j, k]
    return True


@_jit
def _add_stretch(base: np.ndarray, a: np.ndarray, w: np.ndarray, e: np.ndarray, start: int, size: int, space: _Space) -> None:
    """What some sites add to the means of the shares, and take from the covariance of the exponents."""
    m, v = e.shape
    inverse, share, weights = space.inverse[:size], space.share[:size], w[start : start + size]
    inverse[:] = base[start : start + size]
    for i in range(m):
        f, row = space.scale[i], a[i, start : start + size]
        for s in range(size):
            inverse[s] += f * row[s]
    for s in range(size):
        inverse[s] = 1.0 / max(inverse[s], _TINY)
    moment = space.moment
    moment[:] = 0.0
    for i in range(m):
        f, row, total = space.scale[i], a[i, start : start + size], 0.0
        for s in range(size):
            share[s] = f * row[s] * inverse[s]
        for s in range(size):
            total += weights[s] * share[s]
        space.first[i] += total
        for j in range(v):
            power = e[i, j]
            if power != 0.0:
                one = moment[j]
                for s in range(size):
                    one[s] += power * share[s]
    for j in range(v):
        for k in range(j + 1):
            one, other, total = moment[j], moment[k], 0.0
            for s in range(size):
                total += weights[s] * one[s] * other[s]
            space.cov[j, k] -= total


@_jit
def _set_matrix(u: np.ndarray, space: _Space) -> None:
    """The equations divided by p_k q_k and their right-hand sides: rows p_1.., q_1.., columns by log u; without the last row.

    matrix = 1 - B in the first 2n columns, with B the derivative of the map, by relative changes; -dG/dlog s in the last.
    """
    k = u.size - 1
    n = k // 2
    for i in range(k):
        other = (i + n) % k
        x = np.exp(u[i] + u[other])
        for j in range(k + 1):
            space.matrix[i, j] = space.cov[other, j] / x
        space.matrix[i, other] -= space.mean[other] / x
        space.matrix[i, i] += 1.0
        space.step[i, 0] = -(1.0 + space.mean[other] / x)
        space.step[i, 1] = 0.0


@_jit
def _set_steps(u: np.ndarray, space: _Space) -> bool:
    """Relative changes of the unknowns: Newton's step at fixed s, and how they follow log s, in the columns of ``step``."""
    k = u.size - 1
    _set_matrix(u, space)
    for i in range(k):
        space.step[i, 1] = -space.matrix[i, k]
    return eliminate(space.matrix[:k, :k].copy(), space.step[:k])


@_jit
def climbed(base: np.ndarray, a: np.ndarray, w: np.ndarray, e: np.ndarray, u: np.ndarray) -> float:
    """Climb from unknowns below the minimal solution to it, at fixed s; the spectral radius of the map there, inf where it ends.

    Parameters
    ----------
    base, a, w, e : (M,), (m, M), (M,), (m, v), see the module
    u : (v,) unknowns; overwritten
    """
    return _climb(base, a, w, e, u, _space(e.shape[0], e.shape[1]))


@_jit
def _climb(base: np.ndarray, a: np.ndarray, w: np.ndarray, e: np.ndarray, u: np.ndarray, space: _Space) -> float:
    k = u.size - 1
    for _ in range(_CLIMBS):
        if not _look(base, a, w, e, u, space) or not _set_steps(u, space):
            return np.inf
        longest = 0.0
        for j in range(k):
            d = space.step[j, 0]
            if not (d > _BACK and d < np.inf):
                return np.inf
            u[j] += np.log1p(max(d, -0.5))
            longest = max(longest, abs(d))
        if longest < _CLIMBED:
            return _radius(space, k)
    return np.inf


@_jit
def _radius(space: _Space, k: int) -> float:
    """The spectral radius of the map, from ``matrix``, by squaring it."""
    power, spare = space.power, space.spare
    largest = 1e-300
    for i in range(k):
        for j in range(k):
            spare[i, j] = max((1.0 if i == j else 0.0) - space.matrix[i, j], 0.0)
            largest = max(largest, spare[i, j])
    for i in range(k):
        for j in range(k):
            power[i, j] = spare[i, j] / largest + (0.1 if i == j else 0.0)
    for _ in range(_SQUARINGS):
        for i in range(k):
            for j in range(k):
                total = 0.0
                for l in range(k):
                    total += power[i, l] * power[l, j]
                spare[i, j] = total
        largest = 1e-300
        for i in range(k):
            for j in range(k):
                largest = max(largest, spare[i, j])
        for i in range(k):
            for j in range(k):
                power[i, j] = spare[i, j] / largest
    # columns are Perron vectors: the sum of what the map makes of one, over its own
    above, below = 0.0, 0.0
    for i in range(k):
        own, made = 0.0, 0.0
        for j in range(k):
            own += power[i, j]
        for l in range(k):
            sum_l = 0.0
            for j in range(k):
                sum_l += power[l, j]
            made += max((1.0 if i == l else 0.0) - space.matrix[i, l], 0.0) * sum_l
        above += made
        below += own
    return above / below


@_jit
def fold(
    base: np.ndarray, a: np.ndarray, w: np.ndarray, e: np.ndarray, lead: np.ndarray, radius: float, s: float, u: np.ndarray
) -> tuple[float, bool]:
    """The largest s at which the equations have a minimal solution, to rounding; and whether it was found.

    Parameters
    ----------
    base, a, w, e : (M,), (m, M), (M,), (m, v), see the module
    lead : (2n,) log p / s and log q / s where s -> 0
    radius : of the map at s = 0, below 1
    s : a first guess
    u : (v,) set to the solution there
    """
    k = lead.size
    space = _space(e.shape[0], e.shape[1])
    low, high, y, predicted = 0.0, np.inf, (1.0 - radius) ** 2, np.inf
    grown, trial = np.ones(k), np.empty(k + 1)
    for _ in range(_VALUES):
        # from below: along the tangent of a convex function, or from the first order in s
        for j in range(k):
            trial[j] = lead[j] + np.log(s)
            if low > 0.0:
                trial[j] = max(trial[j], u[j] + np.log1p(grown[j] * (s / low - 1.0)))
        trial[k] = np.log(s)
        reached = _climb(base, a, w, e, trial, space)
        if reached < 1.0:
            before, y_before = low, y
            low, y = s, (1.0 - reached) ** 2
            u[:] = trial
            for j in range(k):
                grown[j] = space.step[j, 1]
            predicted = low + y * (low - before) / (y_before - y) if y_before > y else np.inf
            if 1.0 - reached < _NEAR:
                found = _folded(base, a, w, e, trial, space, predicted)
                if found and np.exp(trial[k]) >= low * (1.0 - 1e-10) and np.exp(trial[k]) <= high * (1.0 + 1e-10):
                    u[:] = trial
                    return np.exp(u[k]), True
        else:
            high = s
        if high <= low * (1.0 + _BRACKET):
            return low, True
        if predicted < np.inf:
            s = low + _TOWARDS * (predicted - low)
        else:
            s = 2.0 * low
        if not s < low + 0.9 * (high - low):
            s = low + 0.5 * (high - low)
        if low == 0.0:
            s = 0.3 * high
            if s < 1e-280:
                return 0.0, True
    return low, False


@_jit
def _folded(base: np.ndarray, a: np.ndarray, w: np.ndarray, e: np.ndarray, u: np.ndarray, space: _Space, predicted: float) -> bool:
    """Follow the solutions from u to the fold, where s is largest: secant steps for ds = 0 along the curve; False where that fails.

    Places on the curve are the means of the relative changes of the unknowns. A wrong place changes s by its square only.
    """
    v = u.size
    k = v - 1
    place, before, slope_before = 0.0, 0.0, 0.0
    for count in range(_STEPS):
        if not _look(base, a, w, e, u, space):
            return False
        _set_matrix(u, space)
        for j in range(k):
            space.matrix[k, j] = 1.0 / k
        space.matrix[k, k] = 0.0
        space.step[k, 0], space.step[k, 1] = 0.0, 1.0
        if not eliminate(space.matrix, space.step):
            return False
        slope = space.step[k, 1]
        if count == 0:
            # near the fold s is quadratic in the place
            ahead = np.log(predicted) - u[k]
            move = 2.0 * ahead / slope if 0.0 < ahead < np.inf and slope > 0.0 else 0.1
        elif slope_before == slope:
            move = 0.0
        else:
            move = slope * (place - before) / (slope_before - slope)
        if not abs(move) < np.inf:
            return False
        move = min(max(move, -_LONGEST), _LONGEST)
        before, slope_before = place, slope
        place += move
        rise = space.step[k, 0] + move * slope
        longest = abs(move)
        for j in range(k):
            d = space.step[j, 0] + move * space.step[j, 1]
            longest = max(longest, abs(space.step[j, 0]))
            if not d > -0.9:
                return False
            u[j] += np.log1p(d)
        if not abs(rise) < 0.5:
            return False
        u[k] += rise
        if longest < 1e-5 and abs(rise) < _FOLDED:
            for j in range(k):
                if not space.step[j, 1] > 0.0:
                    return False
            return True
    return False
