"""What the functions of a cell look like along one of their variables: measured, not guessed from their names.

Quadratures need to know how far functions are analytic off the real axis, where they have kinks and jumps, over which distance
they change, and whether they stay bounded. All of it is read off the cell's own compiled functions at random values of the other
variables. Sections of the line are halved until a Chebyshev polynomial of fixed degree follows the functions in each; where none
is short enough there is a knot. Lengths are found and not assumed: f(c y) looks like f(y), c times shorter.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

__all__ = ["ROUNDING", "NarrowedShapes", "Shape", "Shapes", "measure", "of_any_size"]

#: Errors of values that come out of a formula, in units of the largest.
ROUNDING = 1e-14

#: Functions of one variable, row by row: (probes of the rows (R,), values (R, n)) -> (F, R, n), NaN where there is no state.
Rows = Callable[[np.ndarray, np.ndarray], np.ndarray]

#: Points of a section, and what its polynomial may miss of the function's change within it, beside rounding. Gauss-Legendre
#: rules with as many points then integrate the functions, their squares and a Gaussian to rounding.
_POINTS, _RESOLVED = 16, 1e-9
#: How far inside their sections the outermost points stand.
_INWARD = 1e-9
#: Sections at first: so many an octave of |y|, between these powers of two; odd factors to both sides keep them off places that
#: cells like.
_AN_OCTAVE, _LOWEST, _HIGHEST, _ODD = 2, -9, 9, (0.7320508, 0.6180339)
#: How often knots are looked for again, in the sections between those found.
_ROUNDS = 4
#: Sections of one probe that are examined at once: functions that never calm down are looked at near zero only.
_MOST_SECTIONS = 200
#: Sections of one probe that are examined in all: for functions that are computed, and for those that are solved for.
_BUDGET, _SOLVED_BUDGET = 4000, 300
#: A section is at a knot if it is shorter than this part of its distance from 0 (or of the shortest first one); halving ends there.
_SHORT, _SHORTEST = 1e-6, 3e-14
#: What is left of halving moves averages by no more than this, as scaled copies of functions with kinks and jumps show.
_MISPLACED = 5e-12
#: Neighbours are joined if the longer is at most so many times the other.
_UNEQUAL = 50.0
#: Points of the windows in which a strip is measured, their widths in sections, and what counts as rounding there, in units of it.
_WINDOW_POINTS, _WIDTHS, _COUNTS = 64, (16.0, 8.0, 4.0, 2.0, 1.0), 3.0
#: Strips are measured in the shortest sections, so many at most.
_MOST_WINDOWS = 48
#: The largest value off the real axis, in units of the largest on it, for which the trapezoidal rule leaves room.
_ROOM = 30.0
#: A function that moves by less than this part of its size along a variable does not feel it.
_SILENT = 1e-7
#: A probe whose strip is narrower than this part of the usual one is a step made by the other variables.
_STEEP = 0.05
#: Where steps move about with the other variables no rule resolves them: the strip is then this part of the length.
_FALLBACK = 1.0 / 6.0
#: Powers of ten of the other variables' values: of any size, where no lengths are known, and in lengths, near 0 and far out.
_ANY, _NEAR, _FAR = (-2.5, 2.0), (-1.5, -0.3), (0.0, 1.0)
_ROUGH_PROBES, _SOME_NEAR, _MOST_FAR, _PARAMETERS = 8, 4, 8, 0.3
#: Spread of site parameters where sites are solved for: with larger ones they run away in most probes.
_SOLVED_PARAMETERS = 0.03
#: How far out growth is looked at, in lengths of each variable, along how many directions, and what growth is.
_RADII, _DIRECTIONS, _GROWTH = (1e1, 1e2, 1e3), 400, 1.2


@dataclass(frozen=True)
class Shape:
    """The functions of a cell along one variable.

    Attributes
    ----------
    strip : float
        Half-width of the strip around the real axis in which they are analytic, as far as averages can use it; infinite
        where the variable does not matter, 0 where there are kinks or jumps.
    length : float
        Over which they change: the largest change over the steepest slope (2 for tanh); the distance of steps from 0.
    breaks : tuple of float
        Ends of sections in each of which they are smooth, knots among them; empty where none were looked for.
    centre : float or None
        Where steps stand whose width other variables shrink without bound, like y_g of the LSTM where f -> 1.
    """

    strip: float = np.inf
    length: float = np.inf
    breaks: tuple[float, ...] = ()
    centre: float | None = None

    @property
    def misplaced(self) -> float:
        """What not knowing the places of kinks and jumps better may do to averages of order one."""
        return _MISPLACED if self.strip <= 0.0 else 0.0

    @property
    def trapezoidal(self) -> bool:
        """Whether evenly spaced nodes can be used."""
        return self.strip > 0.0 and self.centre is None

    def evenly(self) -> Shape:
        """The shape for which evenly spaced nodes are used however many they are, if they can be used at all."""
        return replace(self, breaks=()) if self.trapezoidal else self

    def narrowed(self, part: float) -> Shape:
        """The shape of functions that are analytic in this part of the strip only (their sections are halved)."""
        if part == 1.0:
            return self
        edges = np.array(self.breaks)
        halved = np.union1d(edges, 0.5 * (edges[1:] + edges[:-1])) if edges.size else edges
        return replace(self, strip=part * self.strip, breaks=tuple(halved.tolist()))


class Shapes:
    """The Shape of each random variable of a cell, fields first, measured when it is first asked for.

    Parameters
    ----------
    functions : sequence of callables
        Each takes the V variables, arrays that broadcast, and returns an (F, ...) array of real functions, NaN where a site has no
        state. A variable's shape is that of the first of them that depends on it.
    n_fields, n_parameters : int, V = n_fields + n_parameters
    noise : float, errors of the functions' values, in units of the largest
    once : callable(what, make), optional
        Returns what ``make()`` returns, or what it returned when it was called for the same ``what`` before.
    """

    def __init__(
        self,
        functions: Sequence[Callable[[list[np.ndarray]], np.ndarray]],
        n_fields: int,
        n_parameters: int,
        noise: float = ROUNDING,
        once: Callable[[str, Callable[[], Any]], Any] = lambda what, make: make(),
    ) -> None:
        self._functions, self._k, self._p, self._noise, self._once = functions, n_fields, n_parameters, noise, once
        self._known: dict[int, Shape] = {}

    def __len__(self) -> int:
        return self._k + self._p

    def __getitem__(self, v: int) -> Shape:
        if not 0 <= v < len(self):
            raise IndexError(f"there are {len(self)} variables, got {v}")
        if v not in self._known:
            self._known[v] = self._once(f"shape {v}", lambda: self._measured(v))
        return self._known[v]

    def _measured(self, v):
        others = self._others(v)
        shapes = (measure(self._rows(v, others, f), others.shape[1], self._noise) for f in self._functions)
        return next((shape for shape in shapes if shape.strip < np.inf), Shape())

    def narrowed(self, part: float) -> Shapes | NarrowedShapes:
        """The shapes of functions that are analytic in this part of each strip only."""
        return self if part == 1.0 else NarrowedShapes(self, part)

    def _rows(self, v, others, function):
        """The functions along variable ``v``, row by row, at the values ``others`` (V, probes) of the other variables."""

        def rows(probe, values):
            full = [others[u, probe][:, None] for u in range(len(self))]
            full[v] = values
            return function(full)

        return rows

    @cached_property
    def _lengths(self):
        """(V,) rough lengths, from values of the others of any size; 1 for what does not matter."""
        out = np.ones(len(self))
        for v in range(self._k if len(self) > 1 else 0):
            rng = np.random.default_rng(v)
            others = of_any_size(len(self), _ROUGH_PROBES, v)
            rows = self._rows(v, self._with_parameters(others, rng), self._functions[0])
            length = _Line(rows, _ROUGH_PROBES, self._noise).rough_length()
            out[v] = length if 0 < length < np.inf else 1.0
        return out

    def _others(self, v):
        """(V, probes) values of all variables: some within a length of 0, others far out with all patterns of signs."""
        V = len(self)
        if V == 1:
            return np.zeros((1, 1))
        rng = np.random.default_rng(v)
        n = min(2 ** (self._k - 1), _MOST_FAR)
        near = _signs(rng, V - 1, _SOME_NEAR) * 10.0 ** rng.uniform(*_NEAR, (V - 1, _SOME_NEAR))
        far = _signs(rng, V - 1, n) * 10.0 ** rng.uniform(*_FAR, (V - 1, n))
        values = np.insert(np.concatenate([near, far], axis=1), v, 0.0, axis=0)
        return self._with_parameters(values * self._lengths[:, None], rng)

    def _with_parameters(self, values, rng):
        spread = _PARAMETERS if self._noise == ROUNDING else _SOLVED_PARAMETERS
        values[self._k :] = spread * rng.standard_normal((self._p, values.shape[1]))
        return values

    @cached_property
    def bounded(self) -> bool:
        """Whether the first of the functions stay bounded however large the fields: their largest values far out stop growing."""
        return self._once("bounded", self._stay_bounded)

    def _stay_bounded(self):
        rng = np.random.default_rng(0)
        unit = (
            _signs(rng, len(self), _DIRECTIONS) * 10.0 ** -rng.uniform(0.0, 2.0, (len(self), _DIRECTIONS)) * self._lengths[:, None]
        )
        largest = []
        for radius in _RADII:
            with np.errstate(all="ignore"):
                values = self._functions[0](list(self._with_parameters(radius * unit, np.random.default_rng(1))))
            largest.append(float(np.max(np.nan_to_num(np.abs(values), nan=0.0, posinf=np.inf))))
        return bool(np.isfinite(largest[-1]) and largest[-1] <= _GROWTH * max(largest[:-1]))


class NarrowedShapes:
    """Shapes of functions that are analytic in a part of each strip only."""

    def __init__(self, shapes: Shapes, part: float) -> None:
        self._shapes, self._part = shapes, part
        self._known: dict[int, Shape] = {}

    def __len__(self) -> int:
        return len(self._shapes)

    def __getitem__(self, v: int) -> Shape:
        if v not in self._known:
            self._known[v] = self._shapes[v].narrowed(self._part)
        return self._known[v]


def of_any_size(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    """(rows, columns) random values of both signs whose sizes are spread over the decades in which functions may change.

    Parameters
    ----------
    rows, columns, seed : int
    """
    rng = np.random.default_rng(seed)
    return _signs(rng, rows, columns) * 10.0 ** rng.uniform(*_ANY, (rows, columns))


def _signs(rng, rows, columns):
    """(rows, columns) of -1 and 1, all patterns in turn as far as there are so many columns."""
    patterns = (np.arange(columns) >> np.arange(rows)[:, None]) & 1
    return np.where((patterns + rng.integers(0, 2, (rows, 1))) % 2, 1.0, -1.0)


def measure(rows: Rows, n_probes: int, noise: float = ROUNDING) -> Shape:
    """The Shape of functions of one variable, which ``n_probes`` sets of values of the others give.

    Parameters
    ----------
    rows : callable((R,) int array, (R, n) array) -> (F, R, n) array
        The functions at values of the variable, row by row for a probe; NaN where there is nothing to see.
    n_probes : int
    noise : float, errors of the functions' values, in units of the largest

    Returns
    -------
    Shape
    """
    return _Line(rows, n_probes, noise).shape()


class _Line:
    """The functions along one variable, and the sections of the line in which they are smooth."""

    def __init__(self, rows, n_probes, noise):
        self.rows, self.n, self.noise = rows, n_probes, noise
        octaves = 2.0 ** np.linspace(_LOWEST, _HIGHEST, _AN_OCTAVE * (_HIGHEST - _LOWEST) + 1)
        self.first, self.shortest = np.concatenate([-_ODD[0] * octaves[::-1], _ODD[1] * octaves]), octaves[0]
        probe, a, b = self._sections(self.first)
        values = self._values(probe, a, b, _POINTS)
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # rows without a state
            self.size = np.nan_to_num(np.nanmax(np.abs(values), axis=(1, 2))) + 1e-300
            # there may be no functions: cells whose next state does not depend on the state have no leak
            per_probe = values.reshape(len(values), n_probes, (self.first.size - 1) * _POINTS)
            self.swing = np.nan_to_num(np.nanmax(per_probe, axis=2) - np.nanmin(per_probe, axis=2))  # (F, probes)
        self.live = np.flatnonzero((self.swing > _SILENT * self.size[:, None]).any(axis=0))

    def rough_length(self):
        """Length, from values in the first sections alone."""
        return self._length(np.array(self._sections(self.first))) if self.live.size else np.inf

    def _sections(self, edges):
        """(probe, a, b): the sections between edges, for all probes."""
        return np.repeat(np.arange(self.n), edges.size - 1), np.tile(edges[:-1], self.n), np.tile(edges[1:], self.n)

    def _values(self, probe, a, b, points):
        with np.errstate(all="ignore"):
            values = self.rows(probe, 0.5 * (a + b)[:, None] + 0.5 * (b - a)[:, None] * _chebyshev(points)[0])
        return np.where(np.isfinite(values), values, np.nan)

    def _smooth(self, probe, a, b):
        """Which sections a polynomial follows."""
        series = np.abs(self._values(probe, a, b, _POINTS) @ _chebyshev(_POINTS)[1])
        tail, change = series[..., -3:].max(axis=2), series[..., 1:].max(axis=2)
        return ~(tail > _RESOLVED * change + self.noise * self.size[:, None]).any(axis=0)  # NaN: no site is there

    def bisect(self, edges):
        """Ends of smooth sections, (3, R) of probes, a and b, and knots, (3, M) of probes, places and doubts."""
        done, knots = [], []
        rows = np.array(self._sections(edges))
        rows = rows[:, np.isin(rows[0], self.live)]
        left = self.live.size * (_BUDGET if self.noise == ROUNDING else _SOLVED_BUDGET)
        while rows.shape[1]:
            left -= rows.shape[1]
            probe, a, b = rows[0].astype(int), rows[1], rows[2]
            scale = np.maximum(0.5 * np.abs(a + b), self.shortest)
            good = self._smooth(probe, a, b) | (b - a < _SHORTEST * scale)
            knot = good & (b - a < _SHORT * scale)
            done.append(rows[:, good])
            knots.append(np.array([rows[0, knot], 0.5 * (a + b)[knot], (b - a)[knot]]))
            rows = _nearest(rows[:, ~good])
            if rows.shape[1] > left:  # what is left is noise, or steps without end: other probes tell more
                clear = np.setdiff1d(self.live, rows[0])
                self.live = clear if clear.size else self.live
                done.append(rows)
                break
            middle = 0.5 * (rows[1] + rows[2])
            rows = np.concatenate([[rows[0], rows[1], middle], [rows[0], middle, rows[2]]], axis=1)
        done, knots = np.concatenate(done, axis=1), np.concatenate(knots, axis=1)
        return done[:, np.isin(done[0], self.live)], knots[:, np.isin(knots[0], self.live)]

    def shape(self):
        """The Shape of what was found."""
        if not self.live.size:
            return Shape()
        sections, knots, cuts = self._between_knots()
        length, edges = self._length(sections), self._joined(sections, cuts, self.live)
        if length == np.inf and cuts.any():  # steps: what counts is how far from 0 they stand
            length = float(np.abs(cuts).max())
        steep, strip, centre = np.isin(self.live, knots[0]), 0.0, None
        if not cuts.size:
            strips = self._strips(edges)
            near = strips[self.live < _SOME_NEAR]
            steep |= strips < _STEEP * np.median(near if near.size else strips)
            strip = float(strips[~steep].min()) if not steep.all() else np.inf
            strip = strip if np.isfinite(strip) else _FALLBACK * length
        if steep.any():
            calm, places = self.live[~steep], self._steepest(self.live[steep], sections)
            if cuts.size or not calm.size or np.ptp(places) > _STEEP * strip:
                strip = min(strip, _FALLBACK * length)
            else:
                centre = _rounded(float(np.median(places)), _STEEP * strip)
            if calm.size:
                if centre is not None:  # where the others are so small that there is no step, this one is used
                    strip = float(strips[~steep & (self.live < _SOME_NEAR)].min(initial=strips[~steep].max()))
                edges = self._joined(sections[:, np.isin(sections[0], calm)], cuts, calm)
        return Shape(strip, length, edges, centre)

    def _between_knots(self):
        """Sections between knots that all probes have in common, the other knots, and those (sorted)."""
        sections, knots = self.bisect(self.first)
        cuts = self._common(knots)
        for _ in range(_ROUNDS):
            if not cuts.size:
                break
            clear = np.abs(self.first[:, None] - cuts).min(axis=1) > _SHORT * self.shortest
            sections, knots = self.bisect(np.union1d(self.first[clear], cuts))
            away = np.abs(cuts - knots[1][:, None]).min(axis=1) > _SHORT * np.maximum(np.abs(knots[1]), self.shortest)
            knots = knots[:, away]
            more = self._common(knots)
            if not more.size:
                break
            cuts = np.union1d(cuts, more)
        return sections, knots, cuts

    def _common(self, knots):
        """Places at which at least half of the probes have a knot."""
        order = np.argsort(knots[1])
        probe, place, doubt = knots[:, order]
        far = np.diff(place) > _SHORT * np.maximum(np.abs(place[1:]), self.shortest)
        groups = np.split(np.arange(place.size), np.flatnonzero(far) + 1)
        common = [place[g][np.argmin(doubt[g])] for g in groups if g.size and 2 * np.unique(probe[g]).size >= self.live.size]
        return np.array([_rounded(p, _SHORT * self.shortest) for p in common])

    def _length(self, sections):
        """The largest change over the steepest slope: the smallest over functions, its median over probes."""
        wide = sections[2] - sections[1] > _SHORT * np.maximum(np.abs(sections[1]), self.shortest)
        probe, a, b = sections[0, wide].astype(int), sections[1, wide], sections[2, wide]
        steps = 0.5 * (b - a)[:, None] * np.abs(np.diff(_chebyshev(_POINTS)[0]))
        slope = np.nan_to_num(np.abs(np.diff(self._values(probe, a, b, _POINTS), axis=2)) / steps).max(axis=2)
        lengths = []
        for j in self.live:
            felt = self.swing[:, j] > _SILENT * self.size
            steepest = slope[:, probe == j][felt].max(axis=1)
            lengths.append(np.min(np.where(steepest > 0, self.swing[felt, j] / np.maximum(steepest, 1e-300), np.inf)))
        return float(np.median(lengths))

    def _strips(self, edges):
        """Half-width of the strip in which the functions of each live probe exceed their size by no more than _ROOM."""
        edges, count = np.array(edges), self.live.size
        some = np.argsort(np.diff(edges), kind="stable")[:_MOST_WINDOWS]
        probe, a, b = np.repeat(self.live, some.size), np.tile(edges[some], count), np.tile(edges[some + 1], count)
        narrowest = np.full(self.n, np.inf)
        for width in _WIDTHS:
            half = 0.5 * width * (b - a)
            values = self._values(probe, 0.5 * (a + b) - half, 0.5 * (a + b) + half, _WINDOW_POINTS)
            series = np.nan_to_num(np.abs(values @ _chebyshev(_WINDOW_POINTS)[1])) / self.size[:, None, None]
            least = _COUNTS * self.noise
            good = (series[..., -4:].max(axis=(0, 2)) < least) | (width == _WIDTHS[-1])
            np.minimum.at(narrowest, probe[good], half[good] * _height(np.where(series[:, good] > least, series[:, good], 0.0)))
            probe, a, b = probe[~good], a[~good], b[~good]
            if not probe.size:
                break
        return narrowest[self.live]

    def _steepest(self, probes, sections):
        """The place of the shortest sections of each probe."""
        out = []
        for j in probes:
            _, a, b = sections[:, sections[0] == j]
            shortest = b - a < 1.01 * (b - a).min()
            out.append(np.median(0.5 * (a + b)[shortest]))
        return np.array(out)

    def _joined(self, sections, cuts, probes):
        """Ends of sections in which all these probes are smooth, as few as halving allows."""
        edges = np.unique(sections[1:])
        apart = set()  # pairs that are known not to join
        parity, unchanged = 0, 0
        while unchanged < 2 and edges.size > 2:
            i = np.arange(parity, edges.size - 2, 2)
            a, middle, b = edges[i], edges[i + 1], edges[i + 2]
            ratio = (b - middle) / (middle - a)
            i = i[~np.isin(middle, cuts) & (ratio < _UNEQUAL) & (ratio > 1.0 / _UNEQUAL)]
            i = i[np.array([(edges[k], edges[k + 2]) not in apart for k in i], dtype=bool)]
            good = np.ones(i.size, dtype=bool)
            if i.size:
                rows = np.repeat(probes, i.size), np.tile(edges[i], probes.size), np.tile(edges[i + 2], probes.size)
                good = self._smooth(*rows).reshape(probes.size, i.size).all(axis=0)
            apart.update((edges[k], edges[k + 2]) for k in i[~good])
            edges = np.delete(edges, i[good] + 1)
            parity, unchanged = 1 - parity, 0 if good.any() else unchanged + 1
        return tuple(edges.tolist())


@lru_cache(maxsize=8)
def _chebyshev(n):
    """Chebyshev points (n,) with both ends, and the (n, n) matrix from values there to coefficients of Chebyshev polynomials.

    The ends belong to it, else jumps could hide between the outermost points of neighbours; not quite, as functions may have odd
    values at knots themselves.
    """
    angle = np.pi * np.arange(n) / (n - 1)
    matrix = 2.0 / (n - 1) * np.cos(angle[:, None] * np.arange(n))
    matrix[:, [0, -1]] *= 0.5
    matrix[[0, -1]] *= 0.5
    return (1.0 - _INWARD) * np.cos(angle), matrix


@lru_cache(maxsize=1)
def _ellipses():
    """log rho of ellipses with foci -1 and 1, and the largest values of Chebyshev polynomials on them, (_WINDOW_POINTS, R)."""
    log_rho = np.linspace(0.02, 4.0, 60)
    return log_rho, np.exp(log_rho * np.arange(_WINDOW_POINTS)[:, None])


def _height(series):
    """(R,) half-height of the largest ellipse in which functions of these Chebyshev coefficients (F, R, n) stay below _ROOM.

    Infinite for windows that are small against the distance of all singularities: they do not see them.
    """
    log_rho, largest = _ellipses()
    sums = np.log((series.reshape(-1, _WINDOW_POINTS) @ largest).reshape(*series.shape[:2], log_rho.size).max(axis=0) + 1e-300)
    last = np.clip(np.count_nonzero(sums <= np.log(_ROOM), axis=1) - 1, 0, log_rho.size - 2)
    rows = np.arange(last.size)
    below, above = sums[rows, last], sums[rows, last + 1]
    part = np.clip((np.log(_ROOM) - below) / np.maximum(above - below, 1e-300), 0.0, 1.0)
    rho = log_rho[last] + part * (log_rho[1] - log_rho[0])
    return np.where(above > np.log(_ROOM), np.sinh(rho), np.inf)


def _nearest(rows):
    """The rows (probe, a, b) that are among the _MOST_SECTIONS nearest to 0 of their probe."""
    if rows.shape[1] <= _MOST_SECTIONS:
        return rows
    order = np.lexsort([np.abs(rows[1] + rows[2]), rows[0]])
    rows = rows[:, order]
    start = np.searchsorted(rows[0], rows[0])
    return rows[:, np.arange(rows.shape[1]) - start < _MOST_SECTIONS]


def _rounded(place, small):
    return 0.0 if abs(place) < small else float(place)
