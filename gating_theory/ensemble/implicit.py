"""Iid Gaussian matrices that act on vectors without ever being formed [T5].

The action of an N x N matrix U with iid normal entries of variance a^2/N on an orthonormal basis e_1, e_2, ... (|e_j|^2 = N) of the
directions it has met so far is a set of independent Gaussian vectors a g_1, a g_2, ... So a message m = sum_j l_j e_j gives

    U m = a sum_j l_j g_j,

with one fresh N-vector for each new direction: exact in law at finite N, of cost O(N t) at step t and memory O(N T), not N^2.
The basis is not stored. Stored are the messages themselves (at unit length), M, and the inverse of the Cholesky factor of their
Gram matrix, M^T M / N = L L^T; the coordinates of a new message are l = L^{-1} M^T m / N, so each stored array is read once a step
[NUMERICS]. Rounding leaves this basis orthonormal to the square of a row of L^{-1} times the unit of the arithmetic, and 1 - |l|^2,
what is new of a message, is known no better. So where a row would be long the message is orthogonalised explicitly, until nothing
more comes off, and what is new of it is stored instead. Slow dynamics need that, whose messages are nearly parallel, and decays,
whose new directions are born far below rounding and grow until they rule.
Matrices that listen to the same message share M and L and differ in g.
"""

from __future__ import annotations

import numpy as np

__all__ = ["ImplicitMatrices"]

#: Bound on the rows of L^{-1}. What is new of a message is at least one over it, so that its square (1e-6, 1e-3) stays far above
#: what the basis lacks of being orthonormal (measured: 1e-8, 1e-4).
_LARGEST_ROW = {np.dtype(np.float64): 1000.0, np.dtype(np.float32): 30.0}
#: A new part smaller than this, relative to the message, is rounding: the message is in the span of the earlier ones.
_ROUNDING = {np.dtype(np.float64): 1e-13, np.dtype(np.float32): 1e-5}
#: Passes are made until no more than this share of what is left lies along the directions that are known. That share is written
#: down in L^{-1}, so that errors do not grow from one direction to the next. What so many passes do not settle is in the span.
_LITTLE, _PASSES = 1e-3, 5
#: Mean squares between which they are free of underflow and overflow, far enough for their relative precision.
_SAFE = (1e-280, 1e280)


class ImplicitMatrices:
    """Independent iid Gaussian matrices that are applied to the same vectors.

    Parameters
    ----------
    n_units : int, N
    gains : (F,) array, the a_k of the matrices (entries have variance a_k^2 / N)
    capacity : int, how many independent vectors there is room for
    rng : numpy Generator
    dtype : float64 or float32, of what is stored
    """

    def __init__(self, n_units: int, gains: np.ndarray, capacity: int, rng: np.random.Generator, dtype: type = np.float64) -> None:
        self.n, self.gains, self.rng = n_units, np.asarray(gains, dtype=float), rng
        self.dtype = np.dtype(dtype)
        self.size = 0  # directions met so far
        self.live = np.flatnonzero(self.gains > 0.0)
        rows = capacity if self.live.size else 0
        self._vectors = np.empty((rows, n_units), dtype=self.dtype)
        self._images = np.empty((self.live.size, rows, n_units), dtype=self.dtype)
        self._unit = np.empty(n_units)
        self._inverse = np.zeros((capacity, capacity))  # of L

    @staticmethod
    def bytes_needed(n_units: int, gains: np.ndarray, capacity: int, dtype: type = np.float64) -> int:
        """Bytes of the arrays that one of these allocates."""
        live = int(np.count_nonzero(np.asarray(gains) > 0.0))
        return (1 + live) * capacity * n_units * np.dtype(dtype).itemsize if live else 0

    def apply(self, m: np.ndarray, out: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """U_k m for all k: ``(images, coordinates)``.

        Parameters
        ----------
        m : (N,) float64 array
        out : (F, N) float64 array, optional, to be filled: writing into fresh memory takes longer than the arithmetic

        Returns
        -------
        images : (F, N) array
        coordinates : (t,) array
            Those of m in the orthonormal basis so far: products of coordinates are products m . m' / N.

        Raises
        ------
        IndexError : more independent vectors than there is room for
        """
        out = np.empty((self.gains.size, self.n)) if out is None else out
        length = _rms(m)
        if length == 0.0 or not self.live.size:
            out[...] = 0.0
            return out, np.zeros(self.size)
        l, new = self._coordinates(m, length)
        if new > 0.0 and self.size == self._vectors.shape[0]:
            raise IndexError(f"capacity of {self.size} directions exceeded")
        for i in range(self.live.size if new > 0.0 else 0):
            self.rng.standard_normal(out=self._images[i, self.size], dtype=self.dtype.type)
        if new > 0.0:
            l = np.append(l, new)
            self.size += 1
        out[self.gains == 0.0] = 0.0
        weights = l.astype(self.dtype)  # of the message at unit length: single precision underflows early
        for i, k in enumerate(self.live):
            if self.dtype == np.float64:
                np.dot(weights, self._images[i, : l.size], out=out[k])
            else:
                out[k] = weights @ self._images[i, : l.size]
            out[k] *= self.gains[k] * length
        return out, length * l

    def _coordinates(self, m, length):
        """Coordinates of m / length along the directions met so far, and the length of what is new; stores the new direction."""
        t = self.size
        inverse = self._inverse[:t, :t]
        np.divide(m, length, out=self._unit)
        l = self._project(self._unit)
        if t == self.n:  # the directions span everything: what seems to be new is rounding
            return l, 0.0
        new = np.sqrt(max(1.0 - float(l @ l), 0.0))
        if new * _LARGEST_ROW[self.dtype] > 1.0:
            row = np.append(-(l @ inverse) / new, 1.0 / new)
            if np.linalg.norm(row) < _LARGEST_ROW[self.dtype]:
                self._store(self._unit, row)
                return l, new
        return self._orthogonalised(l)

    def _project(self, v):
        """Coordinates of a vector along the directions met so far."""
        t = self.size
        products = (self._vectors[:t] @ v.astype(self.dtype, copy=False)).astype(np.float64) / self.n
        return self._inverse[:t, :t] @ products

    def _orthogonalised(self, l):
        """The same where most of the unit vector lies along directions that are known; l are its coordinates at first sight."""
        t, unit, step = self.size, self._unit, l
        inverse = self._inverse[:t, :t]
        for _ in range(_PASSES):
            unit -= (step @ inverse).astype(self.dtype) @ self._vectors[:t]
            step = self._project(unit)
            l = l + step  # also where nothing new is left: a state at rest moves by the rounding of its coordinates
            left = _rms(unit)
            known = float(step @ step) / left**2 if left > 0.0 else 1.0
            new = np.sqrt(max(1.0 - known, 0.0))
            if left * new <= _ROUNDING[self.dtype]:
                break
            if known <= _LITTLE**2:
                self._store(unit / left, np.append(-(step / left) @ inverse, 1.0) / new)
                return l, left * new
        return l, 0.0

    def _store(self, vector, row):
        """A direction that is new, and its row of L^{-1}; what there is no room for is refused by ``apply``."""
        t = self.size
        if t < self._vectors.shape[0]:
            self._vectors[t], self._inverse[t, : t + 1] = vector, row


def _rms(m):
    """Root mean square, also where squares would underflow or overflow."""
    with np.errstate(over="ignore", under="ignore"):
        square = float(m @ m) / m.size
    if _SAFE[0] < square < _SAFE[1]:
        return np.sqrt(square)
    peak = float(np.abs(m).max())
    return peak * np.sqrt(float((m / peak) @ (m / peak)) / m.size) if 0.0 < peak < np.inf else peak
