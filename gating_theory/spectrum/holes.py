"""Holes in the spectrum, where fields have invertible matrices: where they are, and what is known in them in closed form [T10].

Where U_k is invertible, a field's row and column may change roles. With W^S the principal pivot transform of the transfer matrix W
for a set S of such fields of different messages,

    (W^S)_SS = W_SS^{-1},  (W^S)_SC = -W_SS^{-1} W_SC,  (W^S)_CS = W_CS W_SS^{-1},  (W^S)_CC = W_CC - W_CS W_SS^{-1} W_SC,

lambda lies in a hole of type S where the spectral radius of T^S_kl = hat a_l^2 E|W^S_kl|^2 is below 1, with hat a_l^2 = b_l =
(1/N) tr (U_l U_l^T)^{-1} for l in S, and a_l^2 for the others. S = {} is the outside. Entries of W^S are ratios of minors of W over
det W_SS, in which det(lambda - F_s) drops out: no matrix is inverted, and leaks do no harm. With q_S = det(lambda - F_s) det W_SS,

    Phi = E log|q_S| + sum over S of (1/N) log|det U_k|,      g = E (dq_S/dlambda) / q_S.

That T^S < 1 is a hole holds for independent rotationally invariant matrices; that no two S are stable at once was found and not
proved. b_l is infinite, and there is no such S, for iid matrices, and for blocks of larger orthogonal ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from itertools import combinations
from typing import Any, cast

import numpy as np

from ..cell.cell import Cell
from ..ensemble.field_law import squared
from ..ensemble.matrix_laws import MatrixLaw
from ..ensemble.populations import far_population
from ..ensemble.sites import Sites
from ..mean_field.fixed_point import FixedPoint
from .determinant import spectral_radius
from .pivots import Minor, Pivot, Ratios

__all__ = ["Hole", "Holes", "candidates", "holes_at", "minors_of"]

#: Tolerances of the sites' steps and weights beyond their outermost nodes, one pair after the other until averages settle: they
#: grow exponentially with the fields, and most of E cosh^4 y sits 4 standard deviations squared from the centre.
_REACHES = ((1e-11, 1e-20), (1e-12, 1e-40), (1e-11, 1e-80), (1e-12, 1e-160))
_SETTLED, _NODES = 1e-9, 100_000
#: An average that grows by more than this from one reach to the next has no limit.
_RUNS_AWAY = 1e6
#: Where averages are compared, and the weight of the sites that are left out where there is no average over all.
_PLACES, _TAIL = np.array([0.3, 0.6 + 0.3j, 1.1]), 1e-6
#: Few sites that say whether there may be a hole at all, the tolerance of their steps, and T^S above which there is none; points
#: along a side of a grid of lambdas, and how many grids one after the other.
_FEW, _FEW_TOL, _MAYBE, _GRID, _ZOOMS = 10_000, 1e-3, 4.0, 9, 8
#: Of more sites than twice as many so many, those of the largest weights, are asked first whether a lambda can lie in a hole.
_FIRST = 3_000
#: How far from 0 a hole has to reach that is there only because some sites are left out.
_FAR = 0.05
#: A number that stands for infinity in matrices whose spectral radius is wanted.
_LARGE = 1e280


class Hole:
    """One set S of fields: T^S, and what is known where its spectral radius is below 1.

    Fields outside of S that listen to one message have the same row of W^S, and count as one in T^S; where that is the message
    of k in S, the row is (W^S)_lk = 1 and else 0.

    Parameters
    ----------
    sites : Sites, with gains
    fields : tuple of int, S
    minors : callable, center -> {minor: (d + 1, M) array}, at the sites

    Attributes
    ----------
    pivot : Pivot
    everywhere : bool
        Whether T^S is an average over all sites of a law. False where there is none, and 1e-6 of the sites are left out, those
        whose q_S is the smallest.
    """

    def __init__(
        self, sites: Sites, fields: tuple[int, ...], minors: Callable[[int], Mapping[Minor, np.ndarray]], everywhere: bool = True
    ) -> None:
        self.sites, self.cell, self.everywhere, self._minors = sites, sites.cell, everywhere, minors
        self.pivot = Pivot(fields, self.cell.message_of)
        self._ratios: dict[int, Ratios] = {}

    @property
    def fields(self) -> tuple[int, ...]:
        """The set S, ascending."""
        return self.pivot.fields

    def ratios(self, center: int) -> Ratios:
        """Averages of ratios of minors, in powers of lambda - ``center``, 0 or 1."""
        if center not in self._ratios:
            self._ratios[center] = Ratios(self._minors(center), self.pivot.denominator, self.sites.weights)
        return self._ratios[center]

    def closed(self, negligible: float = 0.0) -> bool:
        """Whether q_S vanishes whatever lambda at some sites: they are saturated, b ``E 1/|w|^2`` is infinite, there is no hole.

        Parameters
        ----------
        negligible : float, the weight of such sites that does not count
        """
        return self.pivot.denominator not in self._minors(1) or self.ratios(1).vanishing > negligible

    @cached_property
    def _rows(self):
        """(rows and columns of T^S: {field: its place}, how many there are)."""
        gain, in_S = np.asarray(self.sites.gain), set(self.fields)
        alive = [k for k in range(self.cell.n_fields) if gain[k] > 0.0]
        names = {k: (k in in_S, k if k in in_S else self.cell.message_of[k]) for k in alive}
        place = {name: i for i, name in enumerate(dict.fromkeys(names.values()))}
        return {k: place[name] for k, name in names.items()}, len(place)

    @cached_property
    def _terms(self):
        """[(row, column, factor, minor)] of T^S; no minor stands for 1."""
        out, a2, listens = [], squared(np.asarray(self.sites.gain)), self.cell.message_of
        place, _ = self._rows
        for row, k in {row: k for k, row in place.items()}.items():
            for l, column in place.items():
                factor = a2[l] if l not in self.fields else _of_law(self.sites.matrices, l, "inverse_square") / a2[l]
                if k not in self.fields and listens[k] in self.pivot.of_message:
                    if l == self.pivot.of_message[listens[k]]:
                        out.append((row, column, float(factor), None))
                    continue
                _, minor = self.pivot.entry(listens[k], l)
                if minor in self._minors(1):
                    out.append((row, column, float(factor), minor))
        return out

    @cached_property
    def _keys(self):
        """The minors of T^S."""
        return list(dict.fromkeys(minor for *_, minor in self._terms if minor is not None))

    @cached_property
    def _entries(self):
        """[(row, column, factor, number)] of T^S: 0 stands for 1, the others for minors."""
        number = {None: 0} | {minor: i + 1 for i, minor in enumerate(self._keys)}
        return [(row, column, factor, number[minor]) for row, column, factor, minor in self._terms]

    def moments(self, lam: np.ndarray) -> np.ndarray:
        """T^S at lambda (L,), (L, r, r); inf where q_S vanishes at a site."""
        size = self._rows[1]
        out = np.zeros((lam.size, size, size))
        for part, t, ratios in self.sides(lam):
            squares = np.column_stack([np.ones(t.size), ratios.squares(t, self._keys)])
            for row, column, factor, place in self._entries:
                out[part, row, column] += factor * squares[:, place]
        return out

    def radius(self, lam: np.ndarray) -> np.ndarray:
        """Spectral radius of T^S at lambda (L,)."""
        return spectral_radius(np.minimum(self.moments(lam), _LARGE))

    def contains(self, lam: np.ndarray) -> np.ndarray:
        """Whether that is below 1 at lambda (L,). Some of the sites bound it from below; all are asked where that is not enough."""
        inside = np.ones(lam.size, dtype=bool)
        if self._first is not None:
            weight, first = self._first
            inside = weight * first.radius(lam) < 1.0
        inside[inside] = self.radius(lam[inside]) < 1.0
        return inside

    @cached_property
    def _first(self):
        """(the weight of some sites, Hole of these alone): T^S is a sum of what is not negative. None of few sites."""
        if self.sites.size <= 2 * _FIRST:
            return None
        most = np.sort(np.argpartition(self.sites.weights, -_FIRST)[-_FIRST:])
        sites = _some(self.sites, most)
        return float(self.sites.weights[most].sum()), Hole(sites, self.fields, minors_of(sites), self.everywhere)

    def log_radius(self, lam: np.ndarray, rtol: float = 0.0) -> np.ndarray:
        """log of that at a complex array, clipped: negative in the hole, positive in the support around it.

        Parameters
        ----------
        lam : complex array
        rtol : float, asks for nothing: sums are exact
        """
        flat = np.asarray(lam, dtype=complex).ravel()
        with np.errstate(divide="ignore"):
            return np.clip(np.log(self.radius(flat)), -700.0, 700.0).reshape(np.shape(lam))

    def values(self, lam: np.ndarray, what: str) -> np.ndarray:
        """The "potential", "resolvent" or "density" at lambda (L,) in the hole [T10]."""
        out = np.zeros(lam.size, dtype=complex if what == "resolvent" else float)
        for part, t, ratios in self.sides(lam):
            if what == "potential":
                out[part] = ratios.log(t) + self._log_determinants
            elif what == "resolvent":
                out[part] = ratios.slope(t)
        return out

    @cached_property
    def _log_determinants(self):
        """Sum over S of (1/N) log|det U_k|."""
        gain = np.asarray(self.sites.gain)
        return float(sum(np.log(gain[k]) + _of_law(self.sites.matrices, k, "mean_log") for k in self.fields))

    @property
    def shared_zeros(self) -> list[complex]:
        """Zeros of q_S at all sites."""
        return self.ratios(0).shared_zeros

    def atom(self, place: complex) -> float:
        """The weight per unit of the eigenvalues that sit in one place in the hole: the order of the zero of q_S."""
        return self.ratios(0).order(place)

    def sides(self, lam: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, Ratios]]:
        """[(indices of lambdas, lambda - center, averages)] by the side of |lambda| = 1/2 they lie on."""
        lam = np.asarray(lam, dtype=complex)
        near = np.abs(lam) < 0.5
        sides = ((0, np.flatnonzero(near)), (1, np.flatnonzero(~near)))
        return [(part, lam[part] - center, self.ratios(center)) for center, part in sides if part.size]

    def without_tail(self) -> Hole:
        """The same without 1e-6 of the sites, those whose q_S is the smallest."""
        size = np.abs(self._minors(1)[self.pivot.denominator]).max(axis=0)
        order = np.argsort(size)
        keep = np.sort(order[np.cumsum(self.sites.weights[order]) >= _TAIL])
        return Hole(_some(self.sites, keep), self.fields, minors_of(_some(self.sites, keep)), False)


class Holes(Sequence[Hole]):
    """The sets of fields that may have holes.

    Parameters
    ----------
    found : sequence of Hole
    """

    def __init__(self, found: Sequence[Hole] = ()) -> None:
        self._found = tuple(found)

    @classmethod
    def of(cls, sites: Sites, chosen: Sequence[tuple[int, ...]] | None = None) -> Holes:
        """Of given sites: plain sums over them. Of sampled ones ``E 1/|w|^2`` is heavy-tailed: a few sites decide where holes end.

        Parameters
        ----------
        sites : Sites, with gains
        chosen : sets of fields, optional; without them all that may have holes
        """
        if chosen is None:
            chosen = candidates(sites.cell, np.asarray(sites.gain), cast(Mapping[str, MatrixLaw], sites.matrices))
        minors = minors_of(sites)
        found = (Hole(sites, fields, minors) for fields in chosen)
        return cls([hole for hole in found if not hole.closed()])

    def __len__(self) -> int:
        return len(self._found)

    def __getitem__(self, index: Any) -> Any:
        return self._found[index]

    def radius(self, lam: np.ndarray) -> np.ndarray:
        """The smallest spectral radius of all T^S at lambda (L,); inf where there is no S."""
        out = np.full(lam.size, np.inf)
        for hole in self._found:
            np.minimum(out, hole.radius(lam), out=out)
        return out

    def type_at(self, lam: np.ndarray) -> np.ndarray:
        """(L,) int: in which of them lambda lies, -1 for none."""
        out = np.full(lam.size, -1)
        for index in reversed(range(len(self._found))):
            out[self._found[index].contains(lam)] = index
        return out


def candidates(cell: Cell, gain: np.ndarray, laws: Mapping[str, MatrixLaw]) -> list[tuple[int, ...]]:
    """Sets S of fields that have invertible matrices and different messages.

    Parameters
    ----------
    cell : Cell
    gain : (K,) array
    laws : {field name: law}
    """
    alive = [k for k in range(cell.n_fields) if gain[k] > 0.0 and np.isfinite(_of_law(laws, k, "inverse_square"))]
    sets = (chosen for size in range(1, cell.n_messages + 1) for chosen in combinations(alive, size))
    return [chosen for chosen in sets if len({cell.message_of[k] for k in chosen}) == len(chosen)]


def holes_at(point: FixedPoint) -> Holes:
    """The sets of fields that may have holes at a mean-field fixed point.

    By sites that reach so far that averages no longer change. Where there is no average over all sites, as of the cosh^4 c of
    LSTMs, 1e-6 of them are left out, those whose q_S is the smallest: hardly a network of a million units has such. Holes within
    .05 of 0 that only this makes do not count.

    Parameters
    ----------
    point : FixedPoint
    """
    ensemble = point.ensemble
    promising = _promising(point, candidates(ensemble.cell, ensemble.array("gain"), ensemble.matrices))
    left, found = list(promising), []
    first: dict[tuple[int, ...], Hole] = {}
    before: dict[tuple[int, ...], np.ndarray] = {}
    for tol, tail in _REACHES if left else ():
        sites = far_population(ensemble, point.law, tol, _NODES, "mean field", tail, clustered=False)
        minors = minors_of(sites)
        for fields in tuple(left):
            hole = Hole(sites, fields, minors)
            radius = hole.radius(_PLACES)
            known = before.setdefault(fields, radius)
            first.setdefault(fields, hole)
            settled = known is not radius and np.all(np.abs(radius - known) <= _SETTLED * radius)
            if settled:
                found.append(hole)
            if settled or not np.all(radius <= _RUNS_AWAY * known):
                left.remove(fields)
            before[fields] = radius
        if not left:
            break
    whole = {hole.fields for hole in found}
    found += [first[fields].without_tail() for fields, far in promising.items() if far and fields not in whole]
    return Holes(sorted(found, key=lambda hole: hole.fields))


def _promising(point, chosen):
    """{S: whether away from 0} of the sets whose T^S may be below 1 somewhere: by few sites, without their tail, which makes it
    smaller.
    """
    if not chosen:
        return {}
    sites = far_population(point.ensemble, point.law, _FEW_TOL, _FEW, "mean field", _REACHES[0][1], clustered=False)
    minors = minors_of(sites)
    some = (Hole(sites, fields, minors) for fields in chosen)
    least = {hole.fields: _least(hole.without_tail()) for hole in some if not hole.closed(_TAIL)}
    return {fields: far < _MAYBE for fields, (anywhere, far) in least.items() if anywhere < _MAYBE}


def _least(hole):
    """About the smallest radius of T^S anywhere, and away from 0, by grids that close in on it."""
    place, size, far = 0.0, 2.0, np.inf
    x = np.linspace(-1.0, 1.0, _GRID)
    around = (x[:, None] + 1j * x).ravel()
    for _ in range(_ZOOMS):
        lam = place + size * around
        radius = hole.radius(lam.real + 1j * np.abs(lam.imag))
        far = min(far, radius[np.abs(lam) > _FAR].min(initial=np.inf))
        place, size = lam[np.argmin(radius)], 0.3 * size
    return float(radius.min()), float(far)


def minors_of(sites: Sites) -> Callable[[int], Mapping[Minor, np.ndarray]]:
    """The minors at some sites by the center, 0 or 1, that they are expanded about; made once.

    Parameters
    ----------
    sites : Sites
    """
    return lru_cache(lambda center: sites.cell.compiled.minors(center, sites.state, sites.fields, sites.parameters))


def _of_law(laws, k, what):
    """What the law of a field says of "inverse_square" or "mean_log"."""
    law = tuple(laws.values())[k]
    together = sum(other == law for other in laws.values()) if law.together else 1
    return getattr(law, what)(together)


def _some(sites, keep):
    """Some of the sites, at these indices."""
    weights = sites.weights[keep] / sites.weights[keep].sum()
    recurrent = None if sites.recurrent is None else sites.recurrent[:, keep]
    at = {name: getattr(sites, name)[:, keep] for name in ("state", "fields", "parameters")}
    return replace(sites, weights=weights, recurrent=recurrent, **at)
