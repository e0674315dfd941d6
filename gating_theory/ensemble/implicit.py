"""Iid Gaussian matrices that act on vectors without ever being formed [T5].

The action of an N x N matrix U with iid normal entries of variance a^2/N on an orthonormal basis e_1, e_2, ... (|e_j|^2 = N) of the
directions it has met so far is a set of independent Gaussian vectors a g_1, a g_2, ... So a message m = sum_j l_j e_j gives

    U m = a sum_j l_j g_j,

with one fresh N-vector for each new direction: exact in law at finite N, of cost O(N t) at step t and memory O(N T), not N^2.
The basis is not stored. Stored are the messages themselves (at unit length), M, and the inverse of the Cholesky factor of their
Gram matrix, M^T M / N = L L^T; the coordinates of a new message are l = L^{-1} M^T m / N, so each stored array is read once a step
[NUMERICS]. Messages of slow dynamics are nearly dependent and would make L singular to rounding: where its inverse would grow
beyond a bound the new message is orthogonalised explicitly (twice) and what is new of it is stored instead.
Matrices that listen to the same message share M and L and differ in g.
"""

from __future__ import annotations

import numpy as np

__all__ = ["ImplicitMatrices"]

#: Bound on the rows of L^{-1}: what rounding is multiplied by in coordinates. Above it messages are orthogonalised explicitly.
_LARGEST_ROW = {np.dtype(np.float64): 1e4, np.dtype(np.float32): 30.0}
#: A new part smaller than this, relative to the message, is rounding: the message is in the span of the earlier ones.
_ROUNDING = {np.dtype(np.float64): 1e-13, np.dtype(np.float32): 1e-5}


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
        square = float(m @ m) / self.n
        if square == 0.0 or not self.live.size:
            out[...] = 0.0
            return out, np.zeros(self.size)
        l, new = self._coordinates(m, square)
        if new > 0.0 and self.size == self._vectors.shape[0]:
            raise IndexError(f"capacity of {self.size} directions exceeded")
        for i in range(self.live.size if new > 0.0 else 0):
            self.rng.standard_normal(out=self._images[i, self.size], dtype=self.dtype.type)
        if new > 0.0:
            l = np.append(l, new)
            self.size += 1
        out[self.gains == 0.0] = 0.0
        length = np.sqrt(square)  # apart, because squares and single precision underflow early
        weights = (l / length).astype(self.dtype)
        for i, k in enumerate(self.live):
            if self.dtype == np.float64:
                np.dot(weights, self._images[i, : l.size], out=out[k])
            else:
                out[k] = weights @ self._images[i, : l.size]
            out[k] *= self.gains[k] * length
        return out, l

    def _coordinates(self, m, square):
        """Coordinates of m along the directions met so far, and the length of what is new; stores the new direction."""
        t, length = self.size, np.sqrt(square)
        room = t < self._vectors.shape[0]
        inverse, M = self._inverse[:t, :t], self._vectors[:t]
        unit = np.divide(m, length, out=self._unit)

        def project(v):
            return inverse @ ((M @ v.astype(self.dtype, copy=False)).astype(np.float64) / self.n)

        l = project(unit)
        rest = 1.0 - float(l @ l)
        full = t == self.n  # the directions span everything: what seems to be new is rounding
        if rest > 1e-10 and not full:
            new = np.sqrt(rest)
            row = np.append(-(l @ inverse) / new, 1.0 / new)
            if np.linalg.norm(row) < _LARGEST_ROW[self.dtype]:
                if room:
                    self._vectors[t], self._inverse[t, : t + 1] = unit, row
                return length * l, length * new
        # the second pass removes what rounding left of the span
        for again in (False, True):
            step = project(unit) if again else l
            l = l + step if again else l
            unit -= (step @ inverse).astype(self.dtype) @ M
        new = float(np.sqrt(unit @ unit / self.n))
        if full or new <= _ROUNDING[self.dtype]:
            return length * l, 0.0
        if room:
            self._vectors[t] = unit / new
            # orthogonal to the others up to rounding, which is written down
            p = project(self._vectors[t])
            self._inverse[t, : t + 1] = np.append(-(p @ inverse), 1.0) / np.sqrt(max(1.0 - float(p @ p), 0.25))
        return length * l, length * new
