"""The sites that a spectrum is computed from: given ones, or populations that a law of sites makes for a tolerance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np

from ..mean_field.fixed_point import FixedPoint
from .dyson import Population
from .refinement import FINEST, MUCH_ROOM, ROOM

__all__ = ["COARSE", "FEW", "SitePopulations"]

#: Up to so many lambdas at once count as few, and get finer populations; tolerances for few and for many.
FEW, _FINE, COARSE = 1000, 1e-5, 1e-4
#: Lambdas closer than this to the leaks' interval feel single sites: nodes cluster at their leaks, for so many lambdas at once, and
#: for so many in all.
_NEAR, _AT_ONCE, _MOST_NEAR = 0.1, 2, 64
#: How much denser in the leak a population is for few lambdas, and for contours where nodes cannot cluster, because several fields
#: set the leak.
_FEW_LEAK_NODES, _LEAK_NODES = 4, 16
#: The power of the tolerance that populations of one or two fields are made for.
_SHARPER = 1.5


class SitePopulations:
    """Populations of sites of one spectrum.

    Parameters
    ----------
    source : FixedPoint, or something with ``sites``, and with ``sites_at`` where it is a law
    given : Population or None
        Of these sites; None for a FixedPoint whose fields are independent Gaussians.

    Attributes
    ----------
    given : Population or None
    law : what can make populations for other tolerances, or None: samples are what they are
    """

    def __init__(self, source: FixedPoint | Any, given: Population | None) -> None:
        self.given = given
        self.law = source if hasattr(source, "sites_at") else None
        self._fixed_point = source if isinstance(source, FixedPoint) and given is None else None
        self._cell = source.ensemble.cell if given is None else given.sites.cell
        self._kept: dict[Any, Population] = {}

    def of(self, tol: float, leak_nodes: int = 1, room: int = ROOM, refine: tuple[float, ...] = ()) -> Population:
        """The given sites, or some made for a tolerance, ``leak_nodes`` times denser in the leak; kept for the next time.

        Parameters
        ----------
        tol : float in [1e-14, 0.1]
        leak_nodes : int >= 1
        room : int, sites at most
        refine : as of ``FixedPoint.sites_at``
        """
        if self.law is None:
            return self._only
        key = tol, leak_nodes, room, refine
        if key not in self._kept:
            self._kept[key] = self._made(tol, room, leak_nodes, refine=refine)
        return self._kept[key]

    def clustered(
        self, leaks: Sequence[float], tol: float, room: int = ROOM, refine: tuple[float, ...] = (), fold: bool = True
    ) -> Population:
        """The given sites, or some made for a tolerance that resolve what happens next to real numbers between the leaks.

        Parameters
        ----------
        leaks : sequence of float, these numbers
        tol, room, refine : as of :meth:`of`
        fold : bool, whether one sign stands for both where the law is symmetric
        """
        if self.law is None:
            return self._only
        return self._made(tol, room, 1 if self.leak_of_one_field else _LEAK_NODES, leaks, refine, fold)

    def near(self, lam: complex, tol: float, continua: Sequence[tuple[float, float]], fold: bool) -> Population:
        """The given sites, or some that resolve what happens at one lambda. Arguments as of the others.

        Parameters
        ----------
        lam : complex
        tol : float, made finer where that costs next to nothing
        continua : intervals of the real axis that leaks cover
        fold : bool
        """
        return self.clustered(self.places(lam, continua), self.sharpened(tol), fold=fold)

    def places(self, lam: complex, continua: Sequence[tuple[float, float]]) -> tuple[float, ...]:
        """The real number at which nodes of the leak cluster for one lambda: its real part next to the leaks' intervals, or none.

        Parameters
        ----------
        lam : complex
        continua : intervals of the real axis that leaks cover
        """
        beside = any(low < lam.real < high and abs(lam.imag) < _NEAR * (high - low) for low, high in continua)
        return (lam.real,) if beside and self.leak_of_one_field else ()

    def groups(
        self, lam: np.ndarray, continua: Sequence[tuple[float, float]]
    ) -> list[tuple[np.ndarray, Callable[..., Population]]]:
        """[(indices, function of tolerance, room and refinement)]: lambdas (L,) that share a population, and how it is made.

        Next to the leaks' intervals populations cluster there, two real parts each, unless these are too many.

        Parameters
        ----------
        lam : (L,) complex array
        continua : intervals of the real axis that leaks cover
        """
        count = lam.size
        near = np.zeros(count, dtype=bool)
        if self._fixed_point is not None and self.leak_of_one_field and count <= FEW:
            for low, high in continua:
                near |= (low < lam.real) & (lam.real < high) & (np.abs(lam.imag) < _NEAR * (high - low))
        places = np.unique(lam.real[near])
        if places.size > _MOST_NEAR:
            near[:] = False
        groups = [places[i : i + _AT_ONCE] for i in range(0, places.size, _AT_ONCE)] if near.any() else []
        out: list[tuple[np.ndarray, Callable[..., Population]]] = [
            (np.flatnonzero(near & np.isin(lam.real, group)), partial(self.clustered, tuple(group.tolist()))) for group in groups
        ]
        if not near.all():
            leak_nodes = _FEW_LEAK_NODES if count <= FEW else 1

            def common(tol, room=ROOM if count <= FEW else MUCH_ROOM, refine=()):
                return self.of(tol, leak_nodes, room, refine)

            out.append((np.flatnonzero(~near), common))
        return out

    def tol_for(self, count: int, asked: float | None) -> float:
        """Tolerance of the populations for ``count`` lambdas, where one was ``asked`` for or not."""
        return self.sharpened(asked or _FINE) if count <= FEW else asked or COARSE

    def sharpened(self, tol: float) -> float:
        """Less than ``tol`` where that costs next to nothing: with one or two random fields.

        The determinant's zeros lie up to half as far from the real axis as the poles that rules are made for.
        """
        return max(FINEST, tol**_SHARPER) if self._fixed_point is None or self.spread_variables <= 2 else tol

    @property
    def leak_of_one_field(self) -> bool:
        """Whether one field sets the leak: then nodes can cluster at leaks."""
        return len(self._cell.compiled.pole_variables) == 1

    @cached_property
    def spread_variables(self) -> int:
        """How many fields and parameters differ from site to site."""
        if self._fixed_point is not None:
            return int(np.count_nonzero(self._fixed_point.law.stds))
        sites = self._only.sites
        return int(np.count_nonzero(np.ptp(np.concatenate([sites.fields, sites.parameters]), axis=1)))

    @property
    def _only(self) -> Population:
        assert self.given is not None  # what is no law was given
        return self.given

    def _made(self, tol, room, leak_nodes, leaks=(), refine=(), fold=True):
        """A population of the law of sites; signs that do not matter are folded where the law is symmetric."""
        folded = {"fold": True} if fold and self._fixed_point is not None else {}
        return Population(self.law.sites_at(tol, room, leak_nodes=leak_nodes, leaks=leaks, refine=refine, **folded))
