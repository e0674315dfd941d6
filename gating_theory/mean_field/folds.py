"""Folds of mean-field solutions along one hyperparameter: all places where a maximum or minimum of G(x) passes zero [T5].

G(x) = log(R(x)/x) of the leading moment is looked at as a surface over log x and the hyperparameter, resolved where it is near
zero. Its extrema in x form lines over the hyperparameter; where one passes zero, two solutions are born or merge. What the
surface shows is then closed in on with the map itself, on both sides of which the extremum has opposite signs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..errors import CapabilityError
from ..support.roots import smooth_extremum
from .moments import MomentMap
from .path import Path
from .scan import scan_decades

__all__ = ["SMALLEST_MOMENT", "Fold", "distinct", "fold_near", "folds", "summits"]

#: Solutions of smaller leading moments are those of an onset.
SMALLEST_MOMENT = 1e-9
#: The surface is resolved to this part of what it changes by along the range (of 1 where it changes by more).
_RESOLUTION = 1e-4
#: Where G is not small an error of this part of it does no harm: it does not change its sign.
_HARMLESS = 0.25
#: Where it is found out which moments matter and how much G changes, as parts of the range of positions.
_REFERENCES = (0.0, 0.2, 0.45, 0.7, 1.0)
#: Times that rows are put between those where G bends too much, and steps of log x between which extrema are looked for.
_ROW_HALVINGS, _STEP = 3, 0.05
#: So many steps of log x an extremum may move from one look to the next.
_STRIDE = 4
#: An extremum that comes within so many errors of zero without passing it is looked at closely; its height is compared with G
#: within so many steps.
_NEAR, _AROUND = 10.0, 10
#: Where arcsinh G is beyond this at all nodes of a piece it does not vanish between them.
_SHOWN = 0.3
#: Half-width, in log x, of the window in which an extremum of G is followed, and how often it may be moved.
_WINDOW, _MOVES = 0.15, 40
#: A bracket is widened so often before it is given up.
_WIDENINGS = 6
#: What counts as zero, and as flat, in quadrature tolerances.
_ZERO, _FLAT, _CLEAR = 10.0, 100.0, 1e3
#: More fields than this in one average of a cell without a closed form would take hours.
_MOST_FIELDS = 2
#: Two folds closer than this (in the value and in log x) are one.
_SAME = 1e-7, 1e-2
#: The least that Brent's method takes.
_ROUNDING = 4 * np.finfo(float).eps


class Fold(NamedTuple):
    """Where two solutions are born or merge.

    ``value`` of the hyperparameter, ``u`` = log x of the leading moment, ``error`` of the value, and whether the pair exists at
    ``larger`` values; ``top`` is whether G has a maximum there and not a minimum.
    """

    value: float
    u: float
    error: float
    larger: bool
    top: bool


def folds(path: Path) -> list[Fold]:
    """All folds along a path, ascending in the value.

    Found are those whose pair of solutions, or whose absence of one, extends over more than a thousandth of the range, at leading
    moments above 1e-13 (1e-9 where there is a zero state: smaller ones belong to its onset, see :func:`fold_near`).

    Parameters
    ----------
    path : Path

    Raises
    ------
    CapabilityError
        moments that close in several loops, cells without a closed form whose averages run over three fields or more
    """
    surface = _surface(path)
    return distinct([fold for candidate in (surface.candidates() if surface else ()) for fold in candidate.polished()])


def distinct(found: list[Fold]) -> list[Fold]:
    """Each of the folds once, ascending in the value.

    Parameters
    ----------
    found : list of Fold
    """
    kept: list[Fold] = []
    for fold in sorted(found):
        near = [f for f in kept if abs(fold.value - f.value) <= _SAME[0] * max(1.0, abs(f.value))]
        if not any(abs(fold.u - f.u) < _SAME[1] for f in near):
            kept.append(fold)
    return kept


def fold_near(path: Path, u: float, a: float, b: float) -> Fold | None:
    """The fold at which the maximum of G near log x = u passes zero between two values or a little beyond them, or None.

    Parameters
    ----------
    path : Path
    u : float
    a, b : float
    """
    return _Line(path, u, True).fold_between(a, min(max(b, path.low), path.high))


def summits(moments: MomentMap) -> list[tuple[float, float]]:
    """(log x, G) at all maxima of G(x) above the smallest moments; none where no message feeds back.

    Parameters
    ----------
    moments : MomentMap, with one loop or none
    """
    if not moments.loop:
        return []
    ((x, G),) = scan_decades(moments, "small", min(moments.scan_tol, 1e-9))
    found = []
    for i in range(1, x.size - 1):
        if x[i] > SMALLEST_MOMENT and G[i] >= G[i - 1] and G[i] > G[i + 1]:
            point = smooth_extremum(lambda v: moments.log_ratio(np.exp(v), moments.fine), np.log(x[i - 1]), np.log(x[i + 1]))
            if point is not None:
                found.append(point)
    return found


# --- the surface


def _surface(path):
    """The surface of a path, or None where no message feeds back, or where nothing changes along the range."""
    middle = MomentMap(path.at(0.5 * (path.low + path.high)))
    _require_scalar(middle)
    if not middle.loop:
        return None
    _require_affordable(middle)
    # where a gain vanishes the moments close in another way, or not at all: the range ends just before
    low = path.low
    if MomentMap(path.at(low)).loop != middle.loop:
        low += 1e-9 * (path.high - low)
    return _Surface(path, low).resolved()


def _require_scalar(moments):
    if len(moments.loop) > 1:
        raise CapabilityError(
            f"fold needs moments that close in one loop; those of {moments.cell.name!r} close in {len(moments.loop)}: "
            "follow fixed_points over the parameter instead"
        )


def _require_affordable(moments):
    if moments.cell.has_closed_form:
        return
    stds = moments.law(np.ones((1, moments.n))).stds[0]
    used = {v for products in moments.factors for factors in products for f in factors for v in f.variables if stds[v] > 0}
    if len(used) > _MOST_FIELDS:
        raise CapabilityError(
            f"fold of cell {moments.cell.name!r}: it has no closed-form fixed point of a site, and averages over {len(used)} "
            "variables at hundreds of points would take hours; pass fixed_point= to Cell, or use fixed_points at a few values"
        )


class _Surface:
    """arcsinh G over log x (rows) and a hyperparameter: G where it is small, its logarithm where it is not."""

    def __init__(self, path, low):
        self.path, self.low = path, low

    def resolved(self):
        first, last = self.path.position(self.low), self.path.position(self.path.high)
        references = [MomentMap(self.path.at(self.path.value(first + part * (last - first)))) for part in _REFERENCES]
        scans = [np.log(scan_decades(m, "small", m.scan_tol)[0][0]) for m in references]
        longest, highest = min(scans, key=lambda u: u[0]), max(scans, key=lambda u: u[-1])
        rows = np.concatenate([longest, highest[highest > longest[-1]]])
        self.zero_state = all(m.has_zero_state for m in references)
        self.bottom = np.log(SMALLEST_MOMENT) if self.zero_state else np.log(1e-13)
        self.rows = rows[rows >= self.bottom - 1.0]
        columns = np.array([self._column(m, self.rows, m.scan_tol) for m in references])
        change = np.ptp(columns, axis=0).max()
        if change <= _CLEAR * references[0].fine:
            return None
        self.error = max(_RESOLUTION * min(1.0, change), _FLAT * references[0].fine)
        self.tol = max(min(references[0].scan_tol, self.error), references[0].fine)
        self._refine_rows(references)
        self.pieces = self.path.pieces(
            lambda value: self._column(MomentMap(self.path.at(value)), self.rows, self.tol), self._allowed, self.low
        )
        return self

    @staticmethod
    def _column(moments, rows, tol):
        return np.arcsinh(moments.log_ratio(np.exp(rows), tol))

    def _allowed(self, values):
        # pieces are finer than what is tested by a factor of two, and their quartics by 2^5
        return 10.0 * self.error + _HARMLESS * np.abs(values)

    def _refine_rows(self, references):
        """More rows where cubic splines do not predict G between those that there are."""
        from scipy.interpolate import CubicSpline

        for _ in range(_ROW_HALVINGS):
            between = 0.5 * (self.rows[1:] + self.rows[:-1])
            rough = np.zeros(between.size, dtype=bool)
            for m in references:
                true = self._column(m, between, self.tol)
                rough |= np.abs(CubicSpline(self.rows, self._column(m, self.rows, self.tol))(between) - true) > self._allowed(true)
            if not rough.any():
                return
            self.rows = np.sort(np.concatenate([self.rows, between[rough]]))

    # --- what it shows

    def candidates(self):
        """Stretches of lines of extrema that pass zero or come near it."""
        from scipy.interpolate import CubicSpline

        n = int(np.ceil((self.rows[-1] - self.rows[0]) / _STEP)) + 1
        u = np.linspace(self.rows[0], self.rows[-1], n)
        fine = CubicSpline(self.rows, np.eye(self.rows.size))(u)
        known = np.searchsorted(self.rows, u).clip(1, self.rows.size - 1)
        found = []
        for piece in self.pieces:
            t, values = piece.sampled(self.path.looks(piece))
            shown = self._shown(fine @ piece.values.T)
            if shown.stop == shown.start:
                continue
            G = fine[shown] @ values.T
            trusted = (piece.trusted[known] & piece.trusted[known - 1] & (u > self.bottom))[shown, None]
            for top in (True, False):
                for first, last, row in self._stretches(G if top else -G, trusted):
                    a, b = (self.path.value(t[0] + j * (t[1] - t[0])) for j in (first, last))
                    found.append(_Stretch(self.path, max(a, self.low), b, u[shown][row], top))
        return found

    @staticmethod
    def _shown(G):
        """The rows of a piece, by its nodes (u, 5), between which G may vanish, and some around them."""
        rows = np.flatnonzero((G.max(axis=1) > -_SHOWN) & (G.min(axis=1) < _SHOWN))
        return slice(max(rows[0] - _AROUND - 1, 0), rows[-1] + _AROUND + 2) if rows.size else slice(0, 0)

    def _stretches(self, G, trusted):
        """(first column, last column, row) of groups of neighbouring maxima of G (u, t) that pass zero or come near it."""
        peak = np.zeros(G.shape, dtype=bool)
        peak[1:-1] = (G[1:-1] >= G[:-2]) & (G[1:-1] > G[2:])
        # what does not stand out of the quadrature's error is no maximum
        reach = min(_AROUND, (G.shape[0] - 1) // 2)
        stands = np.zeros(G.shape, dtype=bool)
        stands[reach:-reach] = G[reach:-reach] - np.maximum(G[: -2 * reach], G[2 * reach :]) > 2.0 * self.tol
        peak &= stands & trusted
        above, below = peak & (G > 0), peak & (G <= 0)
        near = peak & (np.abs(G) < _NEAR * self.error)
        crossing = (above[:, :-1] & _spread(below[:, 1:])) | (below[:, :-1] & _spread(above[:, 1:]))
        return [(j, j + 1, i) for i, j in zip(*np.nonzero(crossing))] + self._tangencies(G, near)

    @staticmethod
    def _tangencies(G, near):
        """Groups of extrema near zero all of which have one sign: where the surface's error may hide a pair of folds."""
        points = sorted(zip(*(index.tolist() for index in np.nonzero(near.T))))
        groups: list[list[tuple[int, int]]] = []
        for j, i in points:
            for group in groups:
                if 0 <= j - group[-1][0] <= 1 and abs(i - group[-1][1]) <= _STRIDE:
                    group.append((j, i))
                    break
            else:
                groups.append([(j, i)])
        found = []
        for group in groups:
            if len({bool(G[i, j] > 0) for j, i in group}) == 1:
                j, i = min(group, key=lambda p: abs(G[p[1], p[0]]))
                found.append((j - 2, j + 2, i))
        return found


def _spread(mask):
    """The mask, and what lies within a stride of it along log x."""
    out = mask.copy()
    for k in range(1, _STRIDE + 1):
        out[k:] |= mask[:-k]
        out[:-k] |= mask[k:]
    return out


# --- closing in


class _Line:
    """One extremum of G in log x, followed along the path by the map itself."""

    def __init__(self, path, u, top):
        self.path, self.u, self.top = path, u, top
        self.fine = 0.0

    def height(self, value):
        """G at the extremum near the last one, positive where its two solutions exist; NaN where there is none."""
        moments = MomentMap(self.path.at(value))
        self.fine = moments.fine
        sign, u = (1.0 if self.top else -1.0), self.u

        def f(v):
            return sign * moments.log_ratio(np.exp(v), moments.fine)

        for _ in range(_MOVES):
            point = smooth_extremum(f, u - _WINDOW, u + _WINDOW)
            if point is not None:
                self.u = point[0]
                return point[1]
            ends = f(np.array([u - _WINDOW, u + _WINDOW]))
            if abs(ends[1] - ends[0]) <= _FLAT * moments.fine:
                return np.nan
            u = u - _WINDOW if ends[0] > ends[1] else u + _WINDOW
        return np.nan

    def fold_between(self, a, b):
        """The Fold between two values, or a little beyond them, or None."""
        from scipy.optimize import brentq

        at_a, at_b = self.height(a), self.height(b)
        for _ in range(_WIDENINGS):
            if not at_a * at_b > 0.0:
                break
            if abs(at_a) < abs(at_b):
                a, b, at_a, at_b = b, a, at_b, at_a
            b = min(max(b + 2.0 * (b - a), self.path.low), self.path.high)
            at_b = self.height(b)
        zero = _ZERO * self.fine
        if not max(abs(at_a), abs(at_b)) > _CLEAR * self.fine:
            return None  # flat along the path, or none
        slope = (at_b - at_a) / (b - a) if b != a else np.nan
        for end, height in ((a, at_a), (b, at_b)):
            if abs(height) <= zero and end in (self.path.low, self.path.high):
                return self._fold(end, slope)
        if not at_a * at_b <= 0.0:
            return None
        seen = {}

        def height(value):
            seen[value] = self.height(value)
            if np.isnan(seen[value]):
                raise _LineEnds
            return seen[value]

        try:
            value = float(brentq(height, a, b, xtol=1e-15, rtol=_ROUNDING))
        except _LineEnds:
            return None
        if not abs(height(value)) <= zero:
            return None
        return self._fold(value, slope)

    def _fold(self, value, slope):
        self.height(value)
        return Fold(value, self.u, _ZERO * self.fine / abs(slope), bool(slope > 0), self.top)


class _LineEnds(Exception):
    """An extremum ceases to exist between two values at which it does."""


class _Stretch(NamedTuple):
    """Part of a line of extrema, between two values, that passes zero or comes near it."""

    path: Path
    a: float
    b: float
    u: float
    top: bool

    def polished(self):
        """The folds in it: one, two where it only just reaches zero between its ends, or none."""
        line = _Line(self.path, self.u, self.top)
        at_a, at_b = line.height(self.a), line.height(self.b)
        if not at_a * at_b > 0.0:
            return self._within([(self.a, self.b)])
        middle = self._extreme(np.sign(at_a))
        if middle is None:
            return self._within([(self.a, self.b)]) if abs(at_a) != abs(at_b) else []
        return self._within([(self.a, middle), (middle, self.b)])

    def _within(self, brackets):
        folds = [_Line(self.path, self.u, self.top).fold_between(a, b) for a, b in brackets]
        return [f for f in folds if f is not None]

    def _extreme(self, sign):
        """The value between the ends at which the height has the other sign, or None."""
        from scipy.optimize import minimize_scalar

        line = _Line(self.path, self.u, self.top)
        found = minimize_scalar(
            lambda v: np.nan_to_num(sign * line.height(v), nan=1.0),
            bounds=(self.a, self.b),
            method="bounded",
            options={"maxiter": 25},
        )
        return float(found.x) if found.fun < 0.0 else None
