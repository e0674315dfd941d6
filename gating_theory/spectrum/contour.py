"""Closed curves on which a function of lambda vanishes, symmetric about the real axis: boundaries, pseudospectra [T3, T9]."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import ConvergenceError
from ..support.roots import bracketed_root

__all__ = ["LAYER", "Contour", "curves_of", "everywhere"]

#: Half the thickness, relative to the whole, below which the layer around real leaks is not traced.
LAYER = 1e-5
#: Relative accuracy of the function on a grid, where a curve is only measured, and at points of curves.
_TRACED, _ROUGH, _EXACT = 1e-2, 1e-3, 1e-10
#: The function's size at which a point counts as on the curve, and at which its projection stops.
_ON_CURVE, _PROJECTED = 1e-9, 1e-11
#: Evaluations of a projection, and where that of a curve which is only measured ends.
_PROJECTIONS, _MEASURED = 24, 1e-2
#: Lengths of steps of a projection, per part of the bound: what is always allowed, and the longest.
_SHORT, _LONGEST = 1e-3, 0.05
#: Fewest points on a curve while it is traced.
_FEWEST = 64

#: A function of complex lambdas in the upper half plane and of a relative accuracy, an array of any shape: negative outside.
Level = Callable[[np.ndarray, float], np.ndarray]
#: The same on a grid of lambdas, where it has to be known near its zeros only.
OnGrid = Callable[[np.ndarray, np.ndarray, float], np.ndarray]


def everywhere(level: Level) -> OnGrid:
    """A level function on grids, at all their points.

    Parameters
    ----------
    level : Level
    """
    return lambda x, y, rtol: level(x[None, :] + 1j * y[:, None], rtol)


class Contour:
    """The closed curves on which a function vanishes.

    Parameters
    ----------
    level : function of lambdas and an accuracy: negative outside of the curves
    on_grid : the same on a grid, such as ``everywhere(level)``
    bound : float, a radius outside of which there is no curve
    leaks : array, real parts of leaks, near which curves are pinched
    continua : intervals of the real axis where curves have no end on the axis
    settled : float, the function's size at points of curves
    steps : float, per part of the bound, how far a step towards the curve may always go
    finest : float, grid lines need not be closer than this
    """

    def __init__(
        self,
        level: Level,
        on_grid: OnGrid,
        bound: float,
        leaks: np.ndarray,
        continua: Sequence[tuple[float, float]],
        settled: float = _PROJECTED,
        steps: float = _SHORT,
        finest: float = 0.0,
    ) -> None:
        self._level, self._on_grid, self._settled, self._steps, self._finest = level, on_grid, settled, steps, finest
        self.bound, self._leaks, self._continua = bound, leaks, continua

    def curves(self, n: int = 256) -> list[np.ndarray]:
        """Closed curves of about ``n`` points together, longest first: see ``Spectrum.boundary``.

        Parameters
        ----------
        n : int

        Raises
        ------
        ConvergenceError
            a piece was seen but not resolved
        """
        return curves_of([self], n)

    def resampled(self, piece: np.ndarray, n: int) -> np.ndarray:
        """A piece as n points on the curve."""
        return self._project(_resample(piece, n), self._settled)

    @cached_property
    def pieces(self) -> list[np.ndarray]:
        """The curves, of as many points as tracing gave."""
        from contourpy import contour_generator

        x, y = self._grid_lines()
        f = self._on_grid(x, y, _TRACED)
        pieces = []
        lines: Any = contour_generator(x, y, np.clip(f, -30.0, 30.0)).lines(0.0)
        for line in lines:
            z = line[:, 0] + 1j * line[:, 1]
            if abs(z[0] - z[-1]) > 1e-12 * self.bound:  # ends near the real axis: close it by its mirror image
                ends = z[[0, -1]]
                # between leaks there is no end on the axis: the curve goes on as a layer thinner than what is traced
                z[[0, -1]] = np.where(self._between_leaks(ends.real), ends, ends.real)
                z = np.concatenate([z, z[::-1].conj()])
                z = z[np.append(True, np.diff(z) != 0)]
                pieces.append(z)
            else:
                pieces += [z, z.conj()[::-1]]
        pieces = [self._project(_resample(z, max(_FEWEST, z.size)), _MEASURED, _ROUGH) for z in pieces if z.size > 3]
        return [z for z in pieces if np.abs(np.diff(z)).sum() > 0]

    def _grid_lines(self):
        """Grid lines for tracing: uniform, and clustered towards the real axis, the leaks and 1, where curves are pinched."""
        bound = 1.03 * self.bound
        leaks = self._leaks
        ticks = np.quantile(leaks, np.linspace(0, 1, 25))
        near = 10.0 ** np.linspace(-6, -0.5, 12) * bound
        around = np.unique(np.round([leaks.max(), leaks.min(), 1.0], 12))
        x = np.concatenate([np.linspace(-bound, bound, 91), ticks, *(a + near for a in around), *(a - near for a in around)])
        x = np.unique(np.round(x[np.abs(x) <= bound], 13))
        # sorted: rows out of order would draw loops that are not there
        y = bound * np.sort(np.concatenate([[LAYER], 10.0 ** np.linspace(-4.5, -1.5, 16), np.linspace(0.03, 1.0, 46)]))
        return _thinned(x, self._finest), _thinned(y, self._finest)

    def _between_leaks(self, x):
        """Whether real numbers lie within a continuum of leaks, where a layer of support surrounds the axis."""
        inside = np.zeros(np.shape(x), dtype=bool)
        for low, high in self._continua:
            inside |= (low < x) & (x < high)
        return inside

    def _project(self, z, settled, rtol=_EXACT):
        """Move points along the gradient onto the curve, until the function is below ``settled``; real ones stay real."""
        upper = z.real + 1j * np.abs(z.imag)
        w, f = self._along_gradients(upper, np.abs(z.imag) < 1e-14 * self.bound, settled, rtol)
        bad = ~(np.abs(f) <= max(_ON_CURVE, settled))
        if bad.any():  # flat or wild spots: bisect along the vertical through the original point
            w[bad] = self._project_by_bisection(upper[bad])
        keep = np.isfinite(w)
        w = np.where(z.imag < 0, w.conj(), w)[keep]
        if not w.size:
            if np.abs(z - z[0]).max() < 1e-4 * self.bound:
                return w
            raise ConvergenceError("a piece of the curve was seen on the grid but not resolved", estimate=z)
        w[0] = w[-1] if abs(w[0] - w[-1]) < 1e-6 * self.bound else w[0]
        if w[0] != w[-1]:
            w = np.append(w, w[0])
        return w

    def _along_gradients(self, z, on_axis, settled, rtol):
        """Where Newton's method along the gradient takes points of the upper half plane, and the function there.

        Every other step takes the slope along the line from the values at hand instead of a new gradient.
        """
        w, h = z.copy(), 1e-7 * self.bound
        longest = np.minimum(0.5 * np.maximum(np.abs(np.gradient(np.abs(w))), self._steps * self.bound), _LONGEST * self.bound)
        f, step, slope, direction = self._level(w, rtol), np.zeros(w.size), np.ones(w.size), np.ones(w.size, dtype=complex)
        left, before = np.arange(w.size), f
        for turn in range(_PROJECTIONS):
            left = left[np.abs(f[left]) >= settled]
            if not left.size:
                break
            v = w[left]
            if turn % 2 == 0:
                right, above = self._level(np.concatenate([v + h, v + 1j * h]), rtol).reshape(2, -1)
                gradient = (right - f[left]) / h + 1j * np.where(on_axis[left], 0.0, (above - f[left]) / h)
                slope[left] = np.maximum(np.abs(gradient), 1e-6)
                direction[left] = gradient / slope[left]
            else:
                secant = (f[left] - before[left]) / step[left]
                slope[left] = np.where(secant > 0.1 * slope[left], secant, slope[left])
            step[left] = np.clip(-f[left] / slope[left], -longest[left], longest[left])
            moved = v + step[left] * direction[left]
            w[left], before = moved.real + 1j * np.abs(moved.imag), f.copy()
            f[left] = self._level(w[left], rtol)
        return w, f

    def _project_by_bisection(self, z):
        out = np.full(z.size, np.nan, dtype=complex)
        for i, point in enumerate(z):
            for direction in (1j, 1.0, -1.0, -1j):
                reach = self.bound * 10.0 ** np.linspace(-9, -0.5, 60)
                path = point + direction * reach
                path = path[path.imag >= 0]
                values = self._level(np.append(point, path), _EXACT)
                change = np.flatnonzero(values[:-1] * values[1:] < 0)
                if change.size:
                    j = change[0]
                    ends = np.append(0.0, reach)[[j, j + 1]]
                    if values[j] < 0:
                        ends = ends[::-1]
                    root = bracketed_root(lambda r, p=point, u=direction: self._level(p + u * r, _EXACT), [ends[0]], [ends[1]])
                    out[i] = point + direction * root[0]
                    break
        return out


def curves_of(contours: Sequence[Contour], n: int) -> list[np.ndarray]:
    """The closed curves of several functions, of about ``n`` points together, longest first.

    Parameters
    ----------
    contours : sequence of Contour
    n : int

    Raises
    ------
    ConvergenceError
        a piece was seen but not resolved
    """
    pieces = [(contour, piece) for contour in contours for piece in contour.pieces]
    if not pieces:
        return []
    lengths = np.array([np.abs(np.diff(piece)).sum() for _, piece in pieces])
    order = np.argsort(-lengths)
    share = np.maximum(16, np.round(n * lengths / lengths.sum())).astype(int)
    return [pieces[i][0].resampled(pieces[i][1], share[i]) for i in order]


def _thinned(x, finest):
    """Ascending numbers without those that are closer than ``finest`` to the last one kept; both ends stay."""
    kept = [x[0]]
    for value in x[1:-1]:
        if value - kept[-1] >= finest and x[-1] - value >= finest:
            kept.append(value)
    return np.array([*kept, x[-1]])


def _resample(z, n):
    """n points on a closed polyline at equal spacing; points on the real axis are kept as points."""
    if z[0] != z[-1]:
        z = np.append(z, z[0])
    s = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(z)))])
    at = np.linspace(0.0, s[-1], n + 1)
    out = np.interp(at, s, z.real) + 1j * np.interp(at, s, z.imag)
    for i in np.flatnonzero(z.imag == 0.0):
        j = int(np.argmin(np.abs(at - s[i])))
        out[j] = z[i]
    out[-1] = out[0]
    return out
