"""The resolvent's equations solved at any lambda: inside the support by a population of sites, in holes by closed forms [T10]."""

from __future__ import annotations

from collections.abc import Iterable
from weakref import WeakKeyDictionary

import numpy as np

from .dyson import Population, Solution
from .holes import Holes

__all__ = ["atoms", "solution"]

#: Weight below which an atom is none.
_FAINT = 1e-4
#: Holes of populations that have been asked for.
_known: WeakKeyDictionary[Population, Holes] = WeakKeyDictionary()


def solution(
    population: Population,
    holes: Holes,
    lam: np.ndarray,
    what: Iterable[str],
    tol: float = 1e-10,
    radius: np.ndarray | None = None,
    start: Solution | None = None,
) -> Solution:
    """As ``Population.solution``, in holes as well: the unknowns are 0 there.

    The equations have no solution in a hole of the population's own sites, and need none in the hole of the law that these were
    made of: as populations end somewhere, their holes are larger.

    Parameters
    ----------
    population : Population
    holes : Holes, those of the law; none where no matrix is invertible
    lam, what, tol, radius, start : as of ``Population.solution``
    """
    if not len(holes):
        return population.solution(lam, what, tol, radius, start)
    what, own = list(what), _own(population, holes)
    found = list(_in_holes(lam, holes))
    if own is not holes:
        rest = np.setdiff1d(np.arange(lam.size), np.concatenate([np.zeros(0, dtype=int), *(part for _, part in found)]))
        found += [(hole, rest[part]) for hole, part in _in_holes(lam[rest], own)]
    usual = np.setdiff1d(np.arange(lam.size), np.concatenate([np.zeros(0, dtype=int), *(part for _, part in found)]))
    solved = population.solution(
        lam[usual], what, tol, None if radius is None else radius[usual], None if start is None else start[usual]
    )
    out = solved.spread(usual, lam.size)
    for hole, part in found:
        for name in what:
            out.values[name][part] = hole.values(lam[part], name)
    return out


def _in_holes(lam, holes):
    """(hole, indices of the lambdas in it)."""
    kind = holes.type_at(lam)
    return ((hole, np.flatnonzero(kind == number)) for number, hole in enumerate(holes) if (kind == number).any())


def _own(population, holes):
    """The holes of a population's own sites, of those sets of fields that count."""
    if population not in _known:
        given = all(hole.sites is population.sites for hole in holes)
        _known[population] = holes if given else Holes.of(population.sites, [hole.fields for hole in holes])
    return _known[population]


def atoms(population: Population, holes: Holes) -> list[tuple[complex, float]]:
    """[(lambda, weight per unit)]: eigenvalues of which a finite fraction sits in one place [T4, T10].

    Parameters
    ----------
    population : Population
    holes : Holes, as of :func:`solution`
    """
    if not len(holes):
        return population.atoms
    out = []
    for hole in holes:
        places = np.array(hole.shared_zeros, dtype=complex)
        mine = [zero for zero, kind in zip(places.tolist(), holes.type_at(places)) if holes[kind] is hole and kind >= 0]
        out += [(zero, hole.atom(zero)) for zero in mine]
    leaks = np.array(population.shared_leaks, dtype=complex)
    outside = leaks[holes.type_at(leaks) < 0]
    out += [(leak, population.atom_at(leak)) for leak in outside.tolist()]
    return [(place, weight) for place, weight in out if weight > _FAINT]
