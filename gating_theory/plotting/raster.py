"""Pictures divided by curves, as squares of pixels: what can be reached without crossing a curve, and from where first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["parts_of", "reached_first", "walls"]

#: Parts without a source that are narrower than so many pixels lie under the curves that are drawn, and take what is next to them.
_THIN = 6.0


def walls(curves: Sequence[tuple[npt.ArrayLike, npt.ArrayLike]], low: np.ndarray, high: np.ndarray, n: int) -> np.ndarray:
    """The pixels that curves pass, without gaps to slip through: (n, n) bool, the first index runs along x.

    Parameters
    ----------
    curves : sequence of (x, y) pairs of (k,) arrays, broken at NaN
    low, high : (2,) arrays, corners of the picture
    n : int, pixels along a side
    """
    wall = np.zeros((n, n), dtype=bool)
    for x, y in curves:
        points = (np.column_stack([x, y]) - low) / (high - low) * n
        steps = np.abs(np.diff(points, axis=0)).max(axis=1)
        for a, b, step in zip(points[:-1], points[1:], steps):
            if not np.isfinite(step) or _apart(a, b, n):
                continue
            along = a + np.linspace(0.0, 1.0, int(3 * min(step, 100.0 * n)) + 2)[:, None] * (b - a)
            i, j = np.floor(along).astype(int).T
            # what runs along the frame is on it
            i, j = np.where(along[:, 0] == n, n - 1, i), np.where(along[:, 1] == n, n - 1, j)
            inside = (i >= 0) & (i < n) & (j >= 0) & (j < n)
            wall[i[inside], j[inside]] = True
    return wall


def _apart(a, b, n):
    """Whether a piece from a to b lies on one side outside the picture."""
    return bool(((np.maximum(a, b) < 0) | (np.minimum(a, b) > n)).any())


def parts_of(wall: np.ndarray) -> np.ndarray:
    """The number of the part of the picture that each pixel (n, n) is in, 0 on walls."""
    from scipy.ndimage import label

    numbers: np.ndarray = label(~wall)[0]
    return numbers


def reached_first(wall: np.ndarray, sources: np.ndarray) -> np.ndarray:
    """Which of the sources is next to each pixel by a way around walls: (n, n) int, -1 where none can come.

    Pixels of walls, and parts without a source that are as narrow as a line that is drawn, take the source of the pixel beside.

    Parameters
    ----------
    wall : (n, n) bool
    sources : (k, 2) int, pixels; those on walls do not count
    """
    from scipy.sparse.csgraph import dijkstra

    n = len(wall)
    pixel = sources @ [n, 1]
    able = np.flatnonzero(~wall.ravel()[pixel])
    found = np.full(n * n, -1)
    if able.size:
        _, at = np.unique(pixel[able], return_index=True)  # of several in one pixel the first
        able = able[at]
        _, _, origin = dijkstra(_ways(wall), indices=pixel[able], min_only=True, return_predecessors=True)
        known = origin >= 0
        of_pixel = np.zeros(n * n, dtype=int)
        of_pixel[pixel[able]] = able
        found[known] = of_pixel[origin[known]]
    return _filled(found.reshape(n, n), wall)


def _filled(found: np.ndarray, wall: np.ndarray) -> np.ndarray:
    """Sources of all pixels (n, n): walls and thin parts take that of the pixel beside."""
    from scipy.ndimage import distance_transform_edt, label

    empty, number = label((found < 0) & ~wall)
    room = 2.0 * distance_transform_edt(np.pad(empty > 0, 1, mode="edge"))[1:-1, 1:-1]
    wide = [k for k in range(1, number + 1) if room[empty == k].max() >= _THIN]
    filled = (found < 0) & ~np.isin(empty, wide)
    if (found >= 0).any():
        i, j = distance_transform_edt(found < 0, return_distances=False, return_indices=True)
        found[filled] = found[i[filled], j[filled]]
    return found


def _ways(wall):
    """Steps from pixel to pixel beside one another, or across a corner that is free on all sides, as a sparse matrix of lengths."""
    from scipy.sparse import coo_array

    n = len(wall)
    free, number = ~wall, np.arange(n * n, dtype=np.int32).reshape(n, n)  # as older scipy's graphs want them
    corner = free[1:, 1:] & free[:-1, :-1] & free[1:, :-1] & free[:-1, 1:]
    pieces = [
        (number[1:], number[:-1], free[1:] & free[:-1], 1.0),
        (number[:, 1:], number[:, :-1], free[:, 1:] & free[:, :-1], 1.0),
        (number[1:, 1:], number[:-1, :-1], corner, np.sqrt(2.0)),
        (number[1:, :-1], number[:-1, 1:], corner, np.sqrt(2.0)),
    ]
    ends = [np.concatenate([piece[k][piece[2]] for piece in pieces]) for k in (0, 1)]
    lengths = np.concatenate([np.full(piece[2].sum(), piece[3]) for piece in pieces])
    both = np.concatenate(ends), np.concatenate(ends[::-1])
    return coo_array((np.concatenate([lengths, lengths]), both), shape=(n * n, n * n)).tocsr()
