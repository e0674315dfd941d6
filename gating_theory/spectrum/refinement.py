"""Finer and finer populations of sites, until two agree on what is asked of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import numpy as np

from ..ensemble.sites import Sites

__all__ = ["MUCH_ROOM", "OF_SPECTRA", "ROOM", "FINEST", "apart", "settled"]

#: Sites of a population at most, for few lambdas and for many; the finest tolerance that populations are made for.
ROOM, MUCH_ROOM, FINEST = 100_000, 400_000, 1e-14
#: Refinements of a population one after the other: by what the tolerance is multiplied, and room.
_REFINEMENTS = ((0.1, ROOM), (0.1, ROOM), (1e-2, MUCH_ROOM), (1e-3, MUCH_ROOM), (1e-3, MUCH_ROOM))
#: A variable is to blame if denser nodes along it change a result by more than a part of the tolerance, and of what two populations
#: differ by.
_BLAMED, _EXPLAINS = 0.5, 0.25
#: By what the nodes of one variable are multiplied to see what they miss, and the part of the tolerance they may miss in the end.
_DENSER, _SHARE = 2.0, 0.125
#: Errors are taken to be this times something to the power of the number of nodes, which is multiplied by no more than the other
#: at once. Measured: discs of a GRU with r gains of 14, where 1, 2 and 4 times as many nodes are off by 3.7e-3, 2.5e-4 and 1e-6.
_SCALE, _MOST = 0.05, 4.0
#: What may be done where the method itself takes no tolerance.
OF_SPECTRA = "ask for a larger tol by gt.Spectrum(source, tol=...)"


class Populated(Protocol):
    """A population, and whatever else was made of its sites."""

    @property
    def sites(self) -> Sites:
        """Its sites."""


_Made = TypeVar("_Made", bound=Populated)


def settled(
    at: Callable[[_Made, np.ndarray], np.ndarray],
    make: Callable[..., _Made],
    coarse: _Made,
    value: np.ndarray,
    tol: float,
    refine: tuple[float, ...] = (),
) -> tuple[np.ndarray, np.ndarray, tuple[float, ...]]:
    """Results (n,) by populations so fine that two agree to ``tol``, how far the last two are apart, and how these were refined.

    A population is compared with one for a tenth of its tolerance. Where these differ, rules may be too coarse along a variable:
    the determinant vanishes nearer to the real axis than the poles of the cell's functions that they are made for, the nearer the
    larger the gains. What twice as many nodes change along each says how many it needs: rules converge exponentially.

    Parameters
    ----------
    at : callable, a population and indices (m,) of results -> (m,) values
    make : callable of a tolerance, a room and factors for the nodes of each variable -> a population
    coarse, value : the first population, and its (n,) results
    tol : float
    refine : factors for the nodes of each variable that the first population was made with; none: 1 each

    Returns
    -------
    values, differences : (n,) arrays; a difference above ``tol`` says that no affordable population was fine enough
    refine : the factors of the last populations
    """
    best, difference = value.copy(), np.full(value.size, np.inf)
    left, value = np.arange(value.size), value.copy()
    spans = np.ptp(np.concatenate([coarse.sites.fields, coarse.sites.parameters]), axis=1)
    factors, spread = np.array(refine) if refine else np.ones(spans.size), np.flatnonzero(spans)
    for part, room in _REFINEMENTS:
        for last in (False, True):
            finer = make(max(FINEST, part * coarse.sites.tol), room, tuple(factors.tolist()))
            if finer.sites.tol > 0.9 * coarse.sites.tol:
                break
            fine = at(finer, left)
            best[left], difference[left] = fine, _apart(fine, value)
            far = difference[left] > tol
            left, value, fine = left[far], value[far], fine[far]
            if not left.size:
                return best, difference, tuple(factors.tolist())
            more = np.ones(factors.size) if last else _more_nodes(at, make, coarse, value, room, factors, left, spread, tol, fine)
            denser = make(coarse.sites.tol, room, tuple((factors * more).tolist())) if (more > 1.0).any() else None
            if denser is None or denser.sites.tol > 1.01 * coarse.sites.tol:
                coarse, value = finer, fine
                break
            coarse, value, factors = denser, at(denser, left), factors * more
    return best, difference, tuple(factors.tolist())


def _more_nodes(at, make, coarse, value, room, factors, left, spread, tol, fine):
    """By what the nodes of each variable are multiplied where twice as many explain what two populations differ by."""
    more = np.ones(factors.size)
    least = max(_BLAMED * tol, _EXPLAINS * float(np.max(_apart(fine, value))))
    for v in spread:
        twice = factors.copy()
        twice[v] *= _DENSER
        population = make(coarse.sites.tol, room, tuple(twice.tolist()))
        if population.sites.tol > 1.01 * coarse.sites.tol:
            continue
        error = float(np.max(_apart(at(population, left), value)))
        if error > least:
            more[v] = np.clip(np.log(_SCALE / (_SHARE * tol)) / np.log(max(_SCALE / error, 1.0 + 1e-9)), _DENSER, _MOST)
    return more


def _apart(a, b):
    """|a - b|, 0 where both are the same infinity."""
    with np.errstate(invalid="ignore"):
        return np.where(a == b, 0.0, np.abs(a - b))


def apart(difference: np.ndarray, advice: str = "ask for a larger tol") -> str:
    """How far two populations are apart, in words.

    Parameters
    ----------
    difference : array, infinite where there were no two
    advice : str, what may be done about it
    """
    if np.isinf(difference).all():
        return "the populations of sites that are affordable are too coarse"
    return f"two populations of sites differ by {difference.max():.1e}; {advice}"
