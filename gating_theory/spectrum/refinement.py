"""Finer and finer populations of sites, until two agree on what is asked of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .dyson import Population

__all__ = ["MUCH_ROOM", "ROOM", "FINEST", "settled"]

#: Sites of a population at most, for few lambdas and for many; the finest tolerance that populations are made for.
ROOM, MUCH_ROOM, FINEST = 100_000, 400_000, 1e-14
#: Refinements of a population one after the other: by what the tolerance is multiplied, and room.
_REFINEMENTS = ((0.1, ROOM), (0.1, ROOM), (1e-2, MUCH_ROOM), (1e-3, MUCH_ROOM), (1e-3, MUCH_ROOM))
#: A variable is to blame if denser nodes along it change a result by more than a part of the tolerance, and of what two populations
#: differ by.
_BLAMED, _EXPLAINS = 0.5, 0.25
#: By what the nodes of one variable are multiplied to see what they miss, and the part of the tolerance they may miss in the end.
_DENSER, _SHARE = 2.0, 0.125
#: Nodes of one variable are multiplied by no more than this at once; a change above the other says no more than that.
_MOST, _LARGEST = 4.0, 0.3

#: Population, indices of results -> their values.
Results = Callable[[Population, np.ndarray], np.ndarray]


def settled(
    at: Results, make: Callable[..., Population], coarse: Population, value: np.ndarray, tol: float
) -> tuple[np.ndarray, np.ndarray]:
    """Results (n,) by populations so fine that two agree to ``tol``, and how far the last two are apart.

    A population is compared with one for a tenth of its tolerance. Where these differ, rules may be too coarse along a variable:
    the determinant vanishes nearer to the real axis than the poles of the cell's functions that they are made for, the nearer the
    larger the gains. What twice as many nodes change along each says by how much: rules converge exponentially, so that s times as
    many take an error e to e^s. The finer population that is dense enough is compared with the sum of these changes.

    Parameters
    ----------
    at : callable, Population and indices (m,) of results -> (m,) values
    make : callable of a tolerance, a room and factors for the nodes of each variable -> Population
    coarse, value : the first Population, and its (n,) results
    tol : float

    Returns
    -------
    values, differences : (n,) arrays; a difference above ``tol`` says that no affordable population was fine enough
    """
    best, difference = value.copy(), np.full(value.size, np.inf)
    left, value = np.arange(value.size), value.copy()
    spans = np.ptp(np.concatenate([coarse.sites.fields, coarse.sites.parameters]), axis=1)
    factors, spread = np.ones(spans.size), np.flatnonzero(spans)

    def compare(found, expected):
        """Keeps what was found, and says which of the results are not settled by it."""
        best[left], difference[left] = found, apart(found, expected)
        return difference[left] > tol

    for part, room in _REFINEMENTS:
        aim = max(FINEST, part * coarse.sites.tol)
        finer = make(aim, room, tuple(factors))
        usable = finer.sites.tol <= 0.9 * coarse.sites.tol
        if usable:
            fine = at(finer, left)
            far = compare(fine, value)
            left, value, fine = left[far], value[far], fine[far]
            if not left.size:
                break
        least = max(_BLAMED * tol, _EXPLAINS * np.max(difference[left])) if usable else _BLAMED * tol
        more, changes = _more_nodes(at, make, coarse, value, room, factors, left, spread, tol, least)
        if (more > 1.0).any():
            better = make(aim, room, tuple(factors * more))
            if better.sites.tol <= 1.01 * coarse.sites.tol:
                found = at(better, left)
                far = compare(found, value + changes) | (better.sites.tol > 0.9 * coarse.sites.tol)
                left, value, coarse, factors = left[far], found[far], better, factors * more
                if not left.size:
                    break
                continue
        if usable:
            coarse, value = finer, fine
    return best, difference


def _more_nodes(at, make, coarse, value, room, factors, left, spread, tol, least):
    """By what the nodes of each variable are to be multiplied, and how twice as many along each change the results, all together.

    Variables along which that changes them by less than ``least`` stay as they are.
    """
    more, changes = np.ones(factors.size), np.zeros(left.size)
    for v in spread:
        denser = factors.copy()
        denser[v] *= _DENSER
        population = make(coarse.sites.tol, room, tuple(denser))
        if population.sites.tol > 1.01 * coarse.sites.tol:
            continue
        change = at(population, left) - value
        changes = changes + change
        error = np.nanmax(np.abs(change))
        if error > least:
            more[v] = np.clip(np.log(_SHARE * tol) / np.log(min(error, _LARGEST)), 1.0, _MOST)
    return more, changes


def apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """|a - b|, 0 where both are the same infinity."""
    with np.errstate(invalid="ignore"):
        return np.where(a == b, 0.0, np.abs(a - b))
