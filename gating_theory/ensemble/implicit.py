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

Units are taken in parts of fixed size, whose arrays lie together: a message meets the matrices in two passes over the parts, its
products with M first, then, once its coordinates are known, what is new of it, fresh normal numbers and the images. Numbers are
functions of their place, and sums are taken in the order of the parts, so that threads may share these: bits do not depend on
who did what.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import frexp
from typing import Any

import numpy as np

from .counted_normals import draw_key, fill_normal, parts

__all__ = ["ImplicitMatrices"]

#: Bound on the rows of L^{-1}. What is new of a message is at least one over it, so that its square (1e-6, 1e-3) stays far above
#: what the basis lacks of being orthonormal (measured: 1e-8, 1e-4).
_LARGEST_ROW = {np.dtype(np.float64): 1000.0, np.dtype(np.float32): 30.0}
#: A new part smaller than this, relative to the message, is rounding: the message is in the span of the earlier ones.
_ROUNDING = {np.dtype(np.float64): 1e-13, np.dtype(np.float32): 1e-5}
#: Passes are made until no more than this share of what is left lies along the directions that are known. That share is written
#: down in L^{-1}, so that errors do not grow from one direction to the next. What so many passes do not settle is in the span.
_LITTLE, _PASSES = 1e-3, 5
#: Mean squares between which no product underflows or overflows; messages beyond are scaled by a power of two.
_SAFE = {np.dtype(np.float64): (1e-280, 1e280), np.dtype(np.float32): (1e-20, 1e20)}
#: The largest powers of two by which they are.
_LARGEST_EXPONENT = 1000

#: Vectors shorter than the smallest number of full precision count as zero: their directions would be those of rounding.
_TINY = float(np.finfo(float).tiny)

#: Calls a function with the number of each part and returns what it gave, in order.
Each = Callable[[Callable[[int], Any]], list]
#: Products of a part of a message, divided by powers of a power of two, and the exponent of that.
Products = tuple[np.ndarray, int]


class ImplicitMatrices:
    """Independent iid Gaussian matrices that are applied to the same vectors.

    A vector is applied by :meth:`apply`, or step by step, where the parts of the units may be shared among threads:
    :meth:`products` of all parts, :meth:`coordinates`, :meth:`images` of all parts. Other laws differ in the images of new
    directions alone.

    Parameters
    ----------
    n_units : int, N
    gains : (F,) array, the a_k of the matrices (entries have variance a_k^2 / N)
    capacity : int, how many independent vectors there is room for
    rng : numpy Generator
    dtype : float64 or float32, of what is stored

    Attributes
    ----------
    size : int, directions met so far
    live : array of int, the matrices whose gain is not zero
    kept : array of int, those whose images are stored: the live ones, unless the law needs others
    length : float, root mean square of the last vector
    """

    def __init__(self, n_units: int, gains: np.ndarray, capacity: int, rng: np.random.Generator, dtype: type = np.float64) -> None:
        self.n, self.gains = n_units, np.asarray(gains, dtype=float)
        self.dtype = np.dtype(dtype)
        self.size, self.length = 0, 0.0
        self.live = np.flatnonzero(self.gains > 0.0)
        self.kept = self._needed()
        self._capacity = capacity if self.live.size else 0
        self._parts = parts(n_units)
        self._key = draw_key(rng)
        self._stored = self._allocated()
        self._inverse = np.zeros((self._capacity, self._capacity))  # of L
        self._weights = np.zeros(0)  # coordinates of the last vector at unit length
        self._new: tuple[np.ndarray, float] | None = None  # what it adds to M, and by what that is to be divided
        self._residual = np.empty(0)

    def _needed(self):
        """The matrices whose images are to be stored."""
        return self.live

    def _allocated(self):
        """For each part an array (1 + kept, capacity, units): its rows of M and those of the images."""
        rows = (1 + self.kept.size) * self._capacity
        everything = np.empty(rows * self.n, dtype=self.dtype)
        shape = 1 + self.kept.size, self._capacity
        return [everything[rows * p.start : rows * p.stop].reshape(*shape, p.stop - p.start) for p in self._parts]

    @staticmethod
    def bytes_needed(n_units: int, gains: np.ndarray, capacity: int, dtype: type = np.float64) -> int:
        """Bytes of the arrays that one of these allocates at most."""
        live = int(np.count_nonzero(np.asarray(gains) > 0.0))
        return ((1 + live) * capacity * np.dtype(dtype).itemsize + 8) * n_units + 8 * capacity**2 if live else 0

    def apply(self, m: np.ndarray, matrices: Sequence[int] | None = None) -> tuple[np.ndarray, np.ndarray]:
        """U_k m: ``(images, coordinates)``.

        Parameters
        ----------
        m : (N,) float64 array
        matrices : F int, the k; default all

        Returns
        -------
        images : (F, N) array
        coordinates : (t,) array, as of :meth:`coordinates`

        Raises
        ------
        IndexError
            more independent vectors than there is room for
        """
        with np.errstate(over="ignore", under="ignore"):
            l = self.coordinates(m, [self.products(i, m[part]) for i, part in enumerate(self._parts)])
        images = np.empty((self.gains.size if matrices is None else len(matrices), self.n))
        for i, part in enumerate(self._parts):
            self.images(i, images[:, part], matrices)
        return images, l

    def products(self, i: int, m: np.ndarray) -> Products:
        """Products of part i of a vector with the directions met so far and with itself, as :meth:`coordinates` takes them.

        Parameters
        ----------
        i : int
        m : array, part i of the vector, as of ``counted_normals.parts``
        """
        own = float(m @ m)  # where it overflows or underflows it is taken once more
        exponent = self._exponent(own, m)
        if exponent:
            m = m * 2.0**-exponent
            own = float(m @ m)
        sums = np.empty(self.size + 1)
        sums[:-1] = self._stored[i][0, : self.size] @ m.astype(self.dtype, copy=False)
        sums[-1] = own
        return sums, exponent

    def _exponent(self, square, m):
        """Of the power of two by which a vector is to be divided before its squares are taken; 0 nearly always."""
        low, high = _SAFE[self.dtype]
        if low * m.size < square < high * m.size:
            return 0
        return int(np.clip(frexp(np.abs(m).max())[1], -_LARGEST_EXPONENT, _LARGEST_EXPONENT)) if m.any() else -_LARGEST_EXPONENT

    def coordinates(self, m: np.ndarray, products: Sequence[Products], each: Each | None = None) -> np.ndarray:
        """Coordinates of a vector in the orthonormal basis, what is new of it last: products of coordinates are m . m' / N.

        Parameters
        ----------
        m : (N,) float64 array, which stays as it is until :meth:`images` of all parts are made
        products : those of all parts
        each : callable(function), optional
            Calls a function with the number of each part and returns what it gave, in order. Default: one after the other.

        Returns
        -------
        (t,) array

        Raises
        ------
        IndexError
            more independent vectors than there is room for
        """
        cosines, length = self._summed(products)
        self.length = 0.0 if length < _TINY else length
        self._new = None
        if self.length == 0.0 or not self.live.size:
            self._weights = np.zeros(self.size)
            return self._weights
        l, new = self._inverse[: self.size, : self.size] @ cosines, 0.0
        if self.size < self.n:  # else the directions span everything: what seems to be new is rounding
            new = np.sqrt(max(1.0 - float(l @ l), 0.0))
            row = self._row(l, new)
            if row is not None:
                self._keep(m, self.length, row)
            else:
                l, new = self._orthogonalised(m, l, each or self._one_by_one)
        self._weights = np.append(l, new) if new > 0.0 else l
        return self.length * self._weights

    def _one_by_one(self, function):
        return [function(i) for i in range(len(self._parts))]

    def _summed(self, products):
        """Sums over the parts, in their order: products v . v_j / N of a vector at unit length, and its length."""
        exponent = max([e for _, e in products])
        table = np.array([p for p, _ in products])
        for row, (_, e) in zip(table, products):
            if e != exponent:
                row[:-1] *= 2.0 ** (e - exponent)
                row[-1] *= 2.0 ** (2 * (e - exponent))
        means = np.add.reduce(table) / self.n
        length = float(np.sqrt(means[-1]))
        return means[:-1] / length if length > 0.0 else means[:-1], length * 2.0**exponent

    def _row(self, l, new):
        """The row of L^{-1} for a unit vector with coordinates l, if it is short enough."""
        if not new * _LARGEST_ROW[self.dtype] > 1.0:
            return None
        row = np.append(-(l @ self._inverse[: self.size, : self.size]) / new, 1.0 / new)
        return row if np.linalg.norm(row) < _LARGEST_ROW[self.dtype] else None

    def _keep(self, vector, divisor, row):
        """A direction that is new: the vector over its divisor, and its row of L^{-1}."""
        t = self.size
        if t == self._capacity:
            raise IndexError(f"capacity of {t} directions exceeded")
        self._new = vector, divisor
        self._inverse[t, : t + 1] = row
        self.size += 1

    def _orthogonalised(self, m, l, each):
        """The same where most of the vector lies along directions that are known; l are its coordinates at first sight."""
        if not self._residual.size:
            self._residual = np.empty(self.n)
        t, source, divisor, step = self.size, m, self.length, l
        inverse = self._inverse[:t, :t]
        for _ in range(_PASSES):
            weights = (step @ inverse).astype(self.dtype)
            cosines, left = self._summed(each(lambda i: self._reduced(i, source, divisor, weights)))  # noqa: B023  # called at once
            source, divisor = self._residual, 1.0
            step = left * (inverse @ cosines)
            l = l + step  # also where nothing new is left: a state at rest moves by the rounding of its coordinates
            known = float(step @ step) / left**2 if left > 0.0 else 1.0
            new = np.sqrt(max(1.0 - known, 0.0))
            if left * new <= _ROUNDING[self.dtype]:
                break
            if known <= _LITTLE**2:
                self._keep(self._residual, left, np.append(-(step / left) @ inverse, 1.0) / new)
                return l, left * new
        return l, 0.0

    def _reduced(self, i, source, divisor, weights):
        """Part i of what is left of a vector without some of the directions, kept; its products."""
        part = self._parts[i]
        rest = self._residual[part]
        np.divide(source[part], divisor, out=rest)
        rest -= weights @ self._stored[i][0, : weights.size]
        return self.products(i, rest)

    def _fresh(self, i, t):
        """Make part i of the images of direction t, which is new."""
        for family, images in enumerate(self._stored[i][1:]):
            fill_normal(images[t], self._parts[i].start, t, family, *self._key)

    def images(self, i: int, out: Sequence[np.ndarray] | np.ndarray, matrices: Sequence[int] | None = None) -> None:
        """Part i of U_k m, m the vector whose coordinates were found last; once for each part.

        Parameters
        ----------
        i : int
        out : F arrays, to be filled
        matrices : F int, the k; default all
        """
        stored, t, new = self._stored[i], self._weights.size, self._new
        if new is not None:
            np.divide(new[0][self._parts[i]], new[1], out=stored[0, t - 1], casting="same_kind")
            self._fresh(i, t - 1)
        weights = self._weights.astype(self.dtype)
        family = dict(zip(self.kept.tolist(), stored[1:]))
        for k, row in zip(range(self.gains.size) if matrices is None else matrices, out):
            size = self.gains[k] * self.length
            if self.gains[k] == 0.0:
                row[...] = 0.0
            elif self.dtype == np.float64:
                np.dot(size * weights, family[k][:t], out=row)
            else:  # of the vector at unit length first: single precision underflows early
                np.multiply(weights @ family[k][:t], size, out=row, dtype=np.float64)
