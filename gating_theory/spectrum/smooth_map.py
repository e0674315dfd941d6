"""Maps of smooth functions: few pixels are computed, the others interpolated where that is good.

Pixels are visited on finer and finer grids, first halfway along rows, then along columns. On the coarsest two all are computed.
Further on a value is interpolated from four known ones, by the cubic along a line, where such cubics in that direction were
good on the grid before, twice as coarse: their error was sixteen times as large. Where they were not, or the region ends
nearby, the pixel is computed, and tells how good the cubic is there.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["filled"]

#: Distance of the pixels on the coarsest grid, a power of 2.
_COARSEST = 8
#: Cubics through values at -3, -1, 1, 3 at the place 0.
_NEIGHBOURS, _CUBIC = (-3, -1, 1, 3), (-1.0 / 16, 9.0 / 16, 9.0 / 16, -1.0 / 16)


def filled(inside: np.ndarray, compute: Callable[[np.ndarray], np.ndarray], tol: float) -> np.ndarray:
    """Values at all pixels of a region, 0 outside.

    Parameters
    ----------
    inside : (rows, columns) bool, the region; pixels where 0 is computed do not belong to it either
    compute : callable, flat indices of pixels -> values there
    tol : float
        A pixel is interpolated where, on a grid twice as coarse, computed neighbours differed from cubics by less than this part
        of what they are.

    Returns
    -------
    (rows, columns) array
    """
    value, inside = np.zeros(inside.shape), inside.copy()
    good_along = {False: np.ones(inside.shape, dtype=bool), True: np.ones(inside.shape, dtype=bool)}  # rows, columns

    def computed(where):
        value[where] = compute(np.flatnonzero(where))
        inside[where] = value[where] != 0.0

    computed(_grid(inside.shape, _COARSEST, _COARSEST) & inside)
    step = _COARSEST // 2
    while step:
        for columns in (False, True):
            coarser, here = (2 * step, step) if columns else (2 * step, 2 * step), (step, step) if columns else (2 * step, step)
            new = _grid(inside.shape, *here) & ~_grid(inside.shape, *coarser) & inside
            turn = np.transpose if columns else np.asarray
            along, other = good_along[columns], good_along[not columns]
            lines = _Lines(turn(value), turn(inside), step)
            cubic, possible, good = turn(lines.cubic), turn(lines.within), turn(lines.all(turn(along)))
            taken = new & possible & good if 2 * step < _COARSEST else np.zeros_like(new)
            value[taken] = cubic[taken]
            computed(new & ~taken)
            along[new] = (taken | possible & (np.abs(value - cubic) <= tol * np.abs(value)))[new]
            other[new] = turn(lines.all(turn(other), nearest=True))[new]
        step //= 2
    return value


def _grid(shape, row_step, column_step):
    """Pixels whose row and column are multiples of two steps."""
    rows, columns = np.arange(shape[0]) % row_step == 0, np.arange(shape[1]) % column_step == 0
    return rows[:, None] & columns


class _Lines:
    """What pixels at -3, -1, 1, 3 steps along its row say about every pixel.

    Attributes
    ----------
    cubic : array, the value
    within : bool array, whether the whole line is in the region
    """

    def __init__(self, value, inside, step):
        self._width, self._reach = value.shape[1], 3 * step
        self._places = [slice((3 + k) * step, (3 + k) * step + self._width) for k in _NEIGHBOURS]
        padded = self._padded(value)
        self.cubic = sum(c * padded[:, place] for c, place in zip(_CUBIC, self._places))
        ones = np.cumsum(np.pad(self._padded(inside), ((0, 0), (1, 0))), axis=1)
        self.within = ones[:, 2 * self._reach + 1 :] - ones[:, : self._width] == 2 * self._reach + 1

    def _padded(self, a):
        return np.pad(a, ((0, 0), (self._reach, self._reach)))

    def all(self, a, nearest=False):
        """Whether a condition holds at all four places, or at the two nearest."""
        padded = self._padded(a)
        return np.all([padded[:, place] for place in (self._places[1:3] if nearest else self._places)], axis=0)
