"""Where the determinants of [T4] vanish for sites of every kind: averages of their logarithm are singular there.

At lambda equal to a leak that a finite fraction of the sites have (0 for the h of an LSTM, which its memory sets anew at every
step) what is left of the determinant are squares of minors of the transfer matrix. Where all of them vanish at one value of one
variable, whatever the others are, as at y_g = 0 in o tanh(tanh(y_g)), the integrand is log(x^2) next to it, and
log(|lambda|^2 + x^2) at lambda nearby: a quadrature must cluster its nodes there.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from ..support.roots import bracketed_root
from .ensemble import Ensemble
from .quadrature import FieldLaw

__all__ = ["Places", "leak_places", "leaks_of_all", "shared_leaks", "vanishing_places"]

#: For each variable the values at which nodes shall cluster, ascending.
Places = tuple[tuple[float, ...], ...]

#: Sites that are probed, and how many of them must have the same leak, to within rounding, for it to be that of a finite fraction.
_PROBES, _SAME, _ROUNDING = 24, 3, 1e-10
#: Sections along one variable: so many nodes over the Gaussian's bulk, and others geometrically close to zero.
_BULK, _REACH = 121, 5.0
#: A determinant vanishes if it is below this part of what it is so many standard deviations beside the place, and is small already
#: closer to it: the slope of |y| is zero at 0 alone.
_NOTHING, _BESIDE, _SMALL, _CLOSER = 1e-12, 1e-2, 1e-3, 1e-5
#: So many laws, and leaks of laws, have their places remembered: all populations of one law have the same.
_LAWS, _LEAKS = 16, 64


def vanishing_places(ensemble: Ensemble, law: FieldLaw) -> Places:
    """The values of each variable at which the determinant of [T4] vanishes at some leak, whatever the other variables are.

    Found by probing: leaks that random sites share, zeros of sections along one variable, and whether others have the same.

    Parameters
    ----------
    ensemble : Ensemble
    law : FieldLaw, a batch of one

    Returns
    -------
    tuple of V tuples, ascending; empty where there are none
    """
    return _vanishing_places(ensemble, tuple(law.means.tolist()), tuple(law.stds[0].tolist()))


@lru_cache(maxsize=_LAWS)
def _vanishing_places(ensemble, means, stds):
    n = len(means)
    rng = np.random.default_rng(0)
    probes = np.array(means)[:, None] + np.array(stds)[:, None] * rng.standard_normal((n, _PROBES))
    places: list[set[float]] = [set() for _ in range(n)]
    for leak, sharing in shared_leaks(_minors(ensemble, probes)[((), ())]):
        sites = probes[:, sharing]
        for v in np.flatnonzero(stds):
            places[v] |= set(_places(ensemble, leak, sites, int(v), means[v], stds[v]))
    return tuple(tuple(sorted(p)) for p in places)


def _minors(ensemble, variables):
    """Coefficients of the minors in powers of lambda at sites (V, M)."""
    compiled, K = ensemble.cell.compiled, ensemble.cell.n_fields
    fields, parameters = variables[:K], variables[K:]
    state = [np.broadcast_to(s, variables.shape[1]) for s in compiled.fixed_state(fields, parameters)]
    return compiled.minors(0, state, fields, parameters)


def leak_places(ensemble: Ensemble, law: FieldLaw, leaks: Sequence[float]) -> Places:
    """The values of the variable that sets the leak at which a leak of the site is one of the real numbers given.

    For each variable, as of :func:`vanishing_places`; nothing where several variables set the leak, or none.

    Parameters
    ----------
    ensemble : Ensemble
    law : FieldLaw, a batch of one
    leaks : sequence of float
    """
    return _leak_places(ensemble, tuple(law.means.tolist()), tuple(law.stds[0].tolist()), tuple(leaks))


@lru_cache(maxsize=_LEAKS)
def _leak_places(ensemble, means, stds, leaks):
    poles = [v for v in ensemble.cell.compiled.pole_variables if stds[v] > 0.0]
    if len(poles) != 1 or not leaks:
        return ((),) * len(means)
    (v,) = poles

    def at(values, which):
        section = np.repeat(np.array(means)[:, None], values.size, axis=1)
        section[v] = values
        return np.polynomial.polynomial.polyval(np.array(leaks)[which], _minors(ensemble, section)[((), ())], tensor=False)

    y = _section(means[v], stds[v])
    every = np.arange(len(leaks))
    values = at(np.tile(y, len(leaks)), np.repeat(every, y.size)).reshape(len(leaks), y.size)
    found = tuple(sorted(set(_crossings(at, y, values))))
    return tuple(found if u == v else () for u in range(len(means)))


def shared_leaks(chi: np.ndarray) -> list[tuple[complex, np.ndarray]]:
    """Leaks that at least three sites have in common (all, of fewer), and the indices of those sites.

    Parameters
    ----------
    chi : (d + 1, M) array, coefficients of det(lambda - F_s) of sites, lowest first
    """
    d = chi.shape[0] - 1
    companion = np.zeros((chi.shape[1], d, d))
    companion[:, range(1, d), range(d - 1)] = 1.0
    companion[:, :, -1] = -chi[:-1].T
    roots = np.linalg.eigvals(companion)
    flat = roots.ravel()
    same: np.ndarray = np.isclose(flat, flat[:, None], rtol=_ROUNDING, atol=_ROUNDING)
    sharing = np.logical_or.reduce(same.reshape(flat.size, *roots.shape), axis=2)
    found, left = [], np.flatnonzero(sharing.sum(axis=1) >= min(_SAME, chi.shape[1]))
    while left.size:
        first = left[0]
        leak = flat[first]
        found.append((0.0 if abs(leak) < _ROUNDING else leak, np.flatnonzero(sharing[first])))
        left = left[~same[first, left]]
    return found


def leaks_of_all(roots: np.ndarray) -> list[complex]:
    """Leaks that all sites have, each once.

    Parameters
    ----------
    roots : (M, d) array, the leaks of sites
    """
    found: list[complex] = []
    for leak in roots[0]:
        has = np.isclose(roots, leak, rtol=_ROUNDING, atol=_ROUNDING).any(axis=1)
        if has.all() and not np.isclose(found, leak, rtol=_ROUNDING, atol=_ROUNDING).any():
            found.append(0.0 if abs(leak) < _ROUNDING else leak)
    return found


def _determinant(ensemble, leak, variables):
    """Minors at a leak, times gains, (m, M), and their squares summed, (M,): the determinant there, but for positive factors."""
    cell, a2 = ensemble.cell, ensemble.array("gain") ** 2
    heard = {cell.message_of[l] for l in np.flatnonzero(a2)}
    values = []
    for (rows, columns), q in _minors(ensemble, variables).items():
        weight = np.prod(a2[list(columns)])
        # messages that nobody hears are in no loop
        if rows and weight > 0.0 and heard.issuperset(rows):
            values.append(np.sqrt(weight) * np.polynomial.polynomial.polyval(leak, q))
    minors = np.array(values).reshape(len(values), variables.shape[1])
    return minors, np.sum(np.abs(minors) ** 2, axis=0)


def _places(ensemble, leak, sites, v, mean, std):
    """Zeros of the determinant along variable v that all ``sites`` have in common."""

    def at(values):
        section = np.repeat(sites[:, :1], values.size, axis=1)
        section[v] = values
        return _determinant(ensemble, leak, section)

    def minor(values, which):
        return at(values)[0][which, np.arange(values.size)]

    y = _section(mean, std)
    minors, total = at(y)
    crossed = _crossings(minor, y, minors) if np.isrealobj(minors) else []
    found = []
    for zero in (*crossed, *_touches(at, y, total)):
        zero = 0.0 if abs(zero) < 1e-9 * std else float(zero)
        if not any(abs(zero - other) < 1e-6 * std for other in found) and _common(ensemble, leak, sites, v, zero, std):
            found.append(zero)
    return found


def _section(mean, std):
    """Values of a variable along which zeros are looked for: over its bulk, and closely next to zero, where gates are steep."""
    near = np.geomspace(1e-3, _REACH, 20)
    y = np.unique(np.concatenate([mean + std * np.linspace(-_REACH, _REACH, _BULK), near, -near]))
    return y[np.abs(y - mean) <= _REACH * std]


def _crossings(f, y, values):
    """Where functions change sign along a section; ``values`` (m, y.size) are theirs, f(y, which) those of some of them."""
    zero = values == 0.0
    zero[zero.sum(axis=1) >= y.size // 2] = False
    which, i = np.nonzero(np.sign(values[:, :-1]) * np.sign(values[:, 1:]) < 0.0)
    out = y[np.nonzero(zero)[1]].tolist()
    if i.size:
        up = values[which, i] > 0.0
        low, high = np.where(up, y[i], y[i + 1]), np.where(up, y[i + 1], y[i])
        out += bracketed_root(lambda x: f(x, which), low, high).tolist()
    return out


def _touches(at, y, total):
    """Where the determinant, ``total`` along a section, has minima that are far below their surroundings."""
    out = []
    for i in range(1, y.size - 1):
        if total[i] < 0.3 * min(total[i - 1], total[i + 1]):
            low, high = y[i - 1], y[i + 1]
            for _ in range(30):
                x = np.linspace(low, high, 9)
                j = int(np.clip(np.argmin(at(x)[1]), 1, 7))
                low, high = x[j - 1], x[j + 1]
            out.append(0.5 * (low + high))
    return out


def _common(ensemble, leak, sites, v, place, std):
    """Whether the determinant of all ``sites`` vanishes where their variable v comes to ``place``, and not beside it."""

    def at(y):
        moved = sites.copy()
        moved[v] = y
        return _determinant(ensemble, leak, moved)[1]

    closer, beside = (np.minimum(at(place - step * std), at(place + step * std)) for step in (_CLOSER, _BESIDE))
    return bool(np.all((at(place) <= _NOTHING * beside) & (closer <= _SMALL * beside) & (beside > 0.0)))
