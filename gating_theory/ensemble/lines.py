"""One-dimensional rules of a population: trapezoidal, so that they may be shifted, and clustered where averages are singular."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from .quadrature import FieldLaw, gaussian_rule

__all__ = ["Line", "Sections", "lines"]

#: The narrowest spacing next to a place where nodes cluster, in standard deviations and units of the tolerance.
_NARROWEST = 0.3
#: A spread below this part of the mean leaves no room for two nodes.
_NO_WIDTH = 1e-14
#: Functions whose poles are this many lengths away (tanh: pi/4) leave determinants a strip of that many.
_DEEP, _DEPTH = 0.9, np.pi / 8
#: Sections that end at a place are ten times shorter than their neighbours, over so many decades.
_DECADES = 8
#: Points to either side of a place at which the map of clustered nodes is tabulated, and Newton's steps that invert it there.
_TABLE, _STEPS = 500, 4
#: The inverse is a cubic between points this far apart in u, good to 1e-7, and to rounding after a last step of Newton's.
_APART = 0.05
#: Steps widen outside a core of so many strips, along variables broader than so many cores, where the outermost sections of the
#: functions begin before so large a part of how far they were looked at: functions that go on changing have short ones everywhere.
_CORE, _BROAD, _EARLY = 2.5, 0.75, 0.5


@dataclass(frozen=True)
class Line:
    """Nodes for one Gaussian variable: even steps of a coordinate u, in which log|y - place| is smooth at every place given.

        u(y) = (x(y) - x(mean)) / width + sum over places of asinh((y - place) / narrowest),  x(y) = core asinh(y / core)

    Without places and with an infinite core, x = y, that is the trapezoidal rule, which may be shifted by any part of its step;
    with places it may as well. A finite core is for fields much broader than the gates: there are few scales of y, not many steps.

    Attributes
    ----------
    mean, std : float
    step : float, of u
    first, count : int, the nodes are u = step (j + shift) with ``count`` integers j from ``first``
    width, narrowest : float
    core : float
    places : tuple of float
    groups : tuple of int
        Starts of groups of nodes, each of which one node stands for; empty where each stands for itself.
    folded : bool
        One sign of a symmetric variable stands for both; such a line is shifted by half a step, whatever is asked for.
    """

    mean: float
    std: float
    step: float = 1.0
    first: int = 0
    count: int = 1
    width: float = 1.0
    narrowest: float = 1.0
    core: float = np.inf
    places: tuple[float, ...] = ()
    groups: tuple[int, ...] = ()
    folded: bool = False

    @property
    def size(self) -> int:
        """Number of nodes."""
        return len(self.groups) or self.count

    def nodes(self, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values and weights of the lines with given shifts, each in [-1/2, 1/2).

        Parameters
        ----------
        shift : array (..., 1)

        Returns
        -------
        values, weights : (..., size) arrays; the weights of a line sum to 1
        """
        if not self.std:
            return np.full((*shift.shape[:-1], 1), self.mean), np.ones((*shift.shape[:-1], 1))
        shift = np.full((1,) * shift.ndim, 0.5) if self.folded else shift
        y, stretch = self._values(self.step * (np.arange(self.first, self.first + self.count) + shift))
        weights = np.exp(-0.5 * ((y - self.mean) / self.std) ** 2) * stretch
        weights /= weights.sum(axis=-1, keepdims=True)
        if not self.groups:
            return y, weights
        total = np.add.reduceat(weights, self.groups, axis=-1)
        return np.add.reduceat(weights * y, self.groups, axis=-1) / total, total

    def grouped(self, low: float, high: float) -> Line:
        """The Line of which one node each stands for all those below ``low`` and for all above ``high``."""
        y = self._values(self.step * (np.arange(self.first, self.first + self.count) + (0.5 if self.folded else 0.0)))[0]
        start, end = np.searchsorted(y, [low, high])
        groups = (*([0] if start else []), *range(start, end), *([int(end)] if end < self.count else []))
        return replace(self, groups=groups) if 0 < len(groups) < self.count else self

    def coordinate(self, y: np.ndarray | float) -> np.ndarray:
        """u(y)."""
        u = (self._unrolled(np.asarray(y, dtype=float)) - self._unrolled(self.mean)) / self.width
        for place in self.places:
            u = u + np.arcsinh((y - place) / self.narrowest)
        return u

    def _unrolled(self, y):
        """x(y)."""
        return y if self.core == np.inf else self.core * np.arcsinh(y / self.core)

    def _widening(self, y):
        """dy/dx."""
        return np.hypot(1.0, y / self.core)

    def _without_places(self, u):
        """y(u) where nodes cluster nowhere."""
        if self.core == np.inf:
            return self.mean + self.width * u
        return self.core * np.sinh((self._unrolled(self.mean) + self.width * u) / self.core)

    def _slope(self, y):
        """du/dy."""
        return 1.0 / (self.width * self._widening(y)) + sum(1.0 / np.hypot(y - place, self.narrowest) for place in self.places)

    @cached_property
    def _table(self):
        """Where a table of the inverse starts in u, and y and the change of y over one of its intervals, at all of its points."""
        far = self._without_places(self.step * (self.count + 2) * np.linspace(-1.0, 1.0, _TABLE))
        near = self.narrowest * np.sinh(np.linspace(0.0, np.arcsinh(np.abs(far - self.mean).max() / self.narrowest), _TABLE))
        known = np.unique(np.concatenate([far, *(p + s * near for p in self.places for s in (-1.0, 1.0))]))
        start = self.step * (self.first - 0.5) - _APART
        u = start + _APART * np.arange(int(self.step * self.count / _APART) + 4)
        y = np.interp(u, self.coordinate(known), known)
        for _ in range(_STEPS):
            y = y - (self.coordinate(y) - u) / self._slope(y)
        return start, y, _APART / self._slope(y)

    def _values(self, u):
        """y(u) and dy/du."""
        if not self.places:
            y = self._without_places(u)
            return y, self._widening(y)
        start, known, change = self._table
        t = (u - start) / _APART
        i = t.astype(int)
        t -= i
        y, move = known[i], known[i + 1] - known[i]
        left, right = change[i] - move, change[i + 1] - move
        y = y + t * (move + (1.0 - t) * ((1.0 - t) * left - t * right))
        y = y - (self.coordinate(y) - u) / self._slope(y)
        return y, 1.0 / self._slope(y)


@dataclass(frozen=True)
class Sections:
    """Nodes for one variable along which the functions have kinks or jumps, and no evenly spaced rule converges: they stay.

    Attributes
    ----------
    fixed, weight : (size,) arrays
    """

    fixed: np.ndarray
    weight: np.ndarray

    @property
    def size(self) -> int:
        """Number of nodes."""
        return self.fixed.size

    def nodes(self, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values and weights (..., size), the same for all lines, whatever their ``shift`` (..., 1)."""
        shape = (*shift.shape[:-1], self.size)
        return np.broadcast_to(self.fixed, shape), np.broadcast_to(self.weight, shape)


def lines(
    law: FieldLaw,
    tol: float,
    even: frozenset[int],
    places: tuple[tuple[float, ...], ...],
    tail: float | None = None,
    calm: Sequence[tuple[float, float]] = (),
) -> list[Line | Sections]:
    """A rule for every variable of a law (batch of one), for averages to about ``tol``: a Line wherever one converges.

    Parameters
    ----------
    law : FieldLaw
        Its rules give steps and reach; a step in a message of any width, ``centre`` of a Shape, counts as a place.
    tol : float
    even : variables of which one sign is kept where the law is symmetric
    places : for each variable, where nodes shall cluster
    tail : float, optional, the weight beyond a Line is a fraction of it; by default of ``tol``
    calm : for each variable, below and above what value the functions do not change: one node each stands for all of that
    """
    out: list[Line | Sections] = []
    for v in range(law.means.size):
        mean, std, shape = float(law.means[v]), float(law.stds[0, v]), law.shapes[v]
        if std <= _NO_WIDTH * abs(mean):
            out.append(Line(mean, 0.0))
            continue
        chosen = tuple(sorted({*places[v], *(() if shape.centre is None else (shape.centre,))}))
        refine = law.refine[v] if law.refine else 1
        if shape.strip <= 0.0 and shape.centre is None:
            values, weights = gaussian_rule(mean, [std], tol, _towards(shape, places[v]), refine, v in even and mean == 0.0)
            out.append(Sections(values[0], weights[0]))
            continue
        nodes, _ = gaussian_rule(mean, [std], tol, _evenly(shape), refine)
        further, _ = gaussian_rule(mean, [std], tol if tail is None else tail, _evenly(shape), refine)
        spacing, reach = float(np.diff(nodes[0]).min()), float(further[0, -1]) - mean
        line = _line(mean, std, spacing, reach, _core(shape, std), chosen, tol, refine, v in even)
        if calm and line.core < np.inf:
            beside = [2.0 * abs(place) for place in line.places]
            line = line.grouped(min(calm[v][0], -max(beside, default=0.0)), max(calm[v][1], max(beside, default=0.0)))
        out.append(line)
    return out


def _towards(shape, places):
    """The shape whose sections get shorter by factors of ten towards places where logarithms are singular."""
    if not places:
        return shape
    steps = shape.length * 10.0 ** -np.arange(1, _DECADES + 1)
    more = [p + side * step for p in places for step in steps for side in (-1.0, 1.0)]
    return replace(shape, breaks=tuple(sorted({*shape.breaks, *places, *more})))


def _evenly(shape):
    """The shape for which evenly spaced nodes are taken; those at its centre are made by the Line itself.

    Determinants vanish at complex fields, also those of functions whose own poles are far away or nowhere: sines, bumps.
    """
    known = shape.strip if 0.0 < shape.strip < _DEEP * shape.length else _DEPTH * shape.length
    return replace(shape, strip=known, breaks=(), centre=None)


def _core(shape, std):
    """Where steps along a variable start to widen; infinite where they are all the same."""
    if len(shape.breaks) < 3:
        return np.inf
    core, (first, low, *_), (*_, high, last) = _CORE * min(shape.strip, shape.length), shape.breaks, shape.breaks
    return core if low > _EARLY * first and high < _EARLY * last and std > _BROAD * core else np.inf


def _line(mean, std, spacing, reach, core, places, tol, refine, even):
    """The Line with the step and the reach of a trapezoidal rule, clustered at ``places`` that it comes to."""
    places = tuple(p for p in places if abs(p - mean) < reach)
    # log|y - place| has its branch points at a distance of pi/2 in the direction of u
    step = np.pi**2 / (np.log(1.0 / tol) + 2.0) / refine if places else spacing
    line = Line(mean, std, step, 0, 1, spacing / step, _NARROWEST * tol * std, core, places)
    low, high = (float(line.coordinate(mean + side * reach)) / step for side in (-1.0, 1.0))
    folded = even and mean == 0.0 and all(-p in places for p in places)
    first = 0 if folded else int(np.floor(low + 1e-9))
    count = max(1, int(np.ceil(high - 1e-9)) - first + (0 if folded else 1))
    return replace(line, first=first, count=count, folded=folded)
