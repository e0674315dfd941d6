"""Orthogonal matrices, and blocks of isometries, that act on vectors without ever being formed [T10].

As of iid matrices (``implicit.py``) a direction that is new has an image that is new. Of a Haar isometry V it is uniformly random
among the vectors of its length that are orthogonal to all images before: a Gaussian vector from which these are taken off, brought
to that length. Exact in law at every N, of the same memory, with two more passes over the images for each new direction [NUMERICS].

The blocks of a stack share one image, of K N units, and all messages that any of its fields listens to share their directions:
products between blocks, and between messages, are those of one isometry. So images are made for all K blocks of every direction,
though one message is heard by some of them only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .counted_normals import fill_normal
from .implicit import ImplicitMatrices

__all__ = ["ImplicitIsometries", "OfOneMessage"]

#: An image is orthogonal to the others where their products, relative to it, are below this: far above rounding, which leaves some
#: units of the arithmetic after one pass already. What so many passes do not settle does not occur.
_ORTHOGONAL = {np.dtype(np.float64): 1e-13, np.dtype(np.float32): 1e-5}
_PASSES = 5


class ImplicitIsometries(ImplicitMatrices):
    """Independent Haar matrices that are applied to the same vectors, or the K blocks of one isometry.

    Parameters
    ----------
    n_units : int, N
    gains : (F,) array
        The a_k of the matrices, (1/N) tr U_k U_k^T = a_k^2; of a stack, those of all its blocks.
    capacity : int, how many independent vectors there is room for
    rng : numpy Generator
    dtype : float64 or float32, of what is stored
    together : bool
        Whether the matrices are blocks of one isometry, U_k = a_k sqrt(F) V_k with sum_k V_k^T V_k = 1; else each is a_k O_k.

    Attributes
    ----------
    size, live, kept, length : as of ImplicitMatrices
    """

    def __init__(
        self,
        n_units: int,
        gains: np.ndarray,
        capacity: int,
        rng: np.random.Generator,
        dtype: type = np.float64,
        together: bool = False,
    ) -> None:
        self._together = together
        super().__init__(n_units, gains, capacity, rng, dtype)
        self._sizes = np.zeros(self.kept.size)  # root mean squares of the images made last, to be divided by

    def _needed(self):
        # blocks of gain 0 are parts of the images that others must be orthogonal to
        return np.arange(self.gains.size) if self._together else self.live

    def coordinates(
        self, m: np.ndarray, products: Sequence[tuple[np.ndarray, int]], each: Callable[..., Any] | None = None
    ) -> np.ndarray:
        """As of ImplicitMatrices. Of a vector that is new the images are made at once: they need sums over all parts.

        Parameters
        ----------
        m, products, each : as of ImplicitMatrices.coordinates
        """
        l = super().coordinates(m, products, each)
        if self._new is not None:
            self._make_images(self.size - 1, each or self._one_by_one)
        return l

    def _make_images(self, t, each):
        """The images of direction t, up to their lengths: normal numbers made orthogonal to the images before."""
        overlaps, squares = self._over_units(each(lambda i: self._drawn(i, t)))
        for _ in range(_PASSES):
            along = np.square(overlaps).sum(axis=1)
            if (along <= _ORTHOGONAL[self.dtype] ** 2 * squares).all():
                break
            weights = overlaps.astype(self.dtype)
            overlaps, squares = self._over_units(each(lambda i: self._reduced_images(i, t, weights)))  # noqa: B023  # called at once
        self._sizes = np.sqrt(squares)

    def _over_units(self, sums):
        """Means over the units, and in a stack over its blocks: (kept, t) products with the images before, (kept,) squares."""
        means = np.add.reduce(sums) / self.n
        if self._together:
            means[:] = means.mean(axis=0)
        return means[:, :-1], means[:, -1]

    def _drawn(self, i, t):
        for family, images in enumerate(self._stored[i][1:]):
            fill_normal(images[t], self._parts[i].start, t, family, *self._key)
        return self._image_products(i, t)

    def _reduced_images(self, i, t, weights):
        for images, row in zip(self._stored[i][1:], weights):
            images[t] -= row @ images[:t]
        return self._image_products(i, t)

    def _image_products(self, i, t):
        """Sums over part i: products of the images of direction t with those before, and their squares."""
        sums = np.empty((self.kept.size, t + 1))
        for images, row in zip(self._stored[i][1:], sums):
            row[:-1] = images[:t] @ images[t]
            row[-1] = np.square(images[t], dtype=np.float64).sum()
        return sums

    def _fresh(self, i, t):
        for images, size in zip(self._stored[i][1:], self._sizes):
            images[t] /= size


class OfOneMessage:
    """The blocks of a stack that listen to one message: they meet the directions of all messages.

    Parameters
    ----------
    stack : ImplicitIsometries
    listeners : sequence of int, the blocks

    Attributes
    ----------
    live : array of int, which of the listeners have a gain that is not zero
    size, length : as of ImplicitMatrices
    """

    def __init__(self, stack: ImplicitIsometries, listeners: Sequence[int]) -> None:
        self._stack, self._listeners = stack, list(listeners)
        self.live = np.flatnonzero(stack.gains[self._listeners] > 0.0)
        self.products, self.coordinates = stack.products, stack.coordinates

    @property
    def size(self) -> int:
        """Directions met so far, of all messages."""
        return self._stack.size

    @property
    def length(self) -> float:
        """Root mean square of the last vector."""
        return self._stack.length

    def apply(self, m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As of ImplicitMatrices, images of the listeners.

        Parameters
        ----------
        m : (N,) float64 array
        """
        return self._stack.apply(m, self._listeners)

    def images(self, i: int, out: Sequence[np.ndarray] | np.ndarray) -> None:
        """As of ImplicitMatrices, of the listeners.

        Parameters
        ----------
        i : int
        out : arrays, to be filled
        """
        self._stack.images(i, out, self._listeners)
