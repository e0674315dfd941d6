"""Isometries that take given vectors to given images: drawn ones, reflected [T10].

Of a Haar isometry V with V m = z everything else is uniform, whatever z is. So a reflection that takes z to x, which depends on z
alone, makes of a drawn isometry one of the law conditioned on V m = x; |x| = |z| is needed. A second vector's image is reflected
within what is orthogonal to the first.

Where only some blocks of an image are given (a field that does not listen to a message says nothing of its image) the others are
drawn: of one vector they keep their direction; of two, m_1 given to some blocks and m_2 to all others, the free parts w_1 and w_2
are uniform at |w_1|^2 = |m_1|^2 - |x_1|^2, |w_2|^2 = |m_2|^2 - |x_2|^2 and x_1 . w_2 + x_2 . w_1 = m_1 . m_2.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["both_images", "completed_image", "redirect"]

#: Part of a vector, relative to it, that is rounding.
_ROUNDING = 1e-14
#: Points of the law of one coordinate, and how far below its maximum its logarithm is followed.
_POINTS, _DEPTH = 4001, 45.0
#: Units that two conditions need at least: with fewer the law of that coordinate diverges at its ends.
_LEAST_UNITS = 4


def redirect(matrix: np.ndarray, vectors: Sequence[np.ndarray], images: Sequence[np.ndarray]) -> None:
    """Reflect an isometry, or a multiple of one, in place, so that it takes vectors to images.

    Parameters
    ----------
    matrix : (R, n) array, R >= n
    vectors : one or two independent (n,) arrays
    images : (R,) arrays, whose products with one another are those of the vectors times the square of that multiple
    """
    settled: list[np.ndarray] = []  # orthonormal: what is not to be moved any more
    for vector, image in zip(vectors, images):
        found, wanted = _without(settled, matrix @ vector), _without(settled, image)
        length = np.linalg.norm(wanted)
        if not settled and found @ wanted > 0.0:
            # to the opposite first: a reflection between vectors that are nearly equal would be one across rounding
            matrix *= -1.0
            found = -found
        across = found - wanted
        square = float(across @ across)
        if square > (_ROUNDING * length) ** 2:
            matrix -= np.outer(across, (2.0 / square) * (across @ matrix))
        settled.append(wanted / length)


def _without(basis, vector):
    for e in basis:
        vector = vector - (e @ vector) * e
    return vector


def completed_image(found: np.ndarray, image: np.ndarray, given: np.ndarray) -> np.ndarray:
    """The image of a vector of which some blocks are given: the others keep the directions that they were found to have.

    Parameters
    ----------
    found : (B, n) array, the image under the drawn isometry
    image : (B, n) array
    given : (B,) bool array, which blocks count

    Raises
    ------
    ValueError
        the given blocks are longer than the image can be
    """
    whole = np.where(given[:, None], image, 0.0)
    if given.all():
        return whole
    left = _left(float(np.square(found).sum()), whole)
    free = np.where(given[:, None], 0.0, found)
    return whole + free * np.sqrt(left / np.square(free).sum())


def both_images(
    scale: float, messages: Sequence[np.ndarray], image: np.ndarray, first: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The images of two vectors, the first of which is given in some blocks and the second in all others.

    Parameters
    ----------
    scale : float, the multiple of an isometry that is spoken of
    messages : two (n,) arrays
    image : (B, n) array, each block of one vector or the other
    first : (B,) bool array, the blocks that are given of the first
    rng : numpy Generator

    Returns
    -------
    two (B, n) arrays

    Raises
    ------
    ValueError
        the given blocks cannot be parts of such images; fewer than 4 units
    """
    n = image.shape[1]
    if n < _LEAST_UNITS:
        raise ValueError(f"n_units = {n} is too small for a stack over two messages: at least {_LEAST_UNITS} are needed")
    given = image[first].ravel(), image[~first].ravel()
    left = [_left(scale**2 * float(m @ m), x) for m, x in zip(messages, given)]
    lengths = [float(np.linalg.norm(x)) for x in given]
    product = scale**2 * float(messages[0] @ messages[1])
    along = _coordinate(left, lengths, product, (given[1].size, given[0].size), rng)
    parts = along, (product - lengths[1] * along) / lengths[0]
    free = [
        part * x / length + np.sqrt(max(square - part**2, 0.0)) * _unit_across(x, length, rng)
        for part, x, length, square in zip(parts, given[::-1], lengths[::-1], left)
    ]
    images = np.empty((2, *image.shape))
    images[0, first], images[0, ~first] = image[first], free[0].reshape(-1, n)
    images[1, first], images[1, ~first] = free[1].reshape(-1, n), image[~first]
    return images[0], images[1]


def _left(square, given):
    left = square - float(np.square(given).sum())
    if left <= 0.0:
        raise ValueError("n_units is too small: the fields drawn are longer than blocks of an isometry can make them")
    return left


def _coordinate(left, lengths, product, sizes, rng):
    """w_1 along x_2, of density (|w_1|^2 - u^2)^((p_1 - 3)/2) (|w_2|^2 - v^2)^((p_2 - 3)/2), where |x_1| v + |x_2| u is given."""
    ends = np.sort((product + np.array([-1.0, 1.0]) * lengths[0] * np.sqrt(left[1])) / lengths[1])
    low, high = max(ends[0], -np.sqrt(left[0])), min(ends[1], np.sqrt(left[0]))
    if low >= high:
        raise ValueError("n_units is too small: the fields drawn cannot be those of one isometry")

    def log_density(u):
        v = (product - lengths[1] * u) / lengths[0]
        squares = zip(sizes, (1.0 - u**2 / left[0], 1.0 - v**2 / left[1]))
        return sum(0.5 * (p - 3) * np.log(np.maximum(s, np.finfo(float).tiny)) for p, s in squares)

    for _ in range(2):  # once to find where it is not negligible: it has one maximum
        u = np.linspace(low, high, _POINTS)
        depth = log_density(u)
        near = np.flatnonzero(depth > depth.max() - _DEPTH)
        low, high = u[max(near[0] - 1, 0)], u[min(near[-1] + 1, u.size - 1)]
    density = np.exp(depth - depth.max())
    cumulative = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]))])
    return float(np.interp(rng.random() * cumulative[-1], cumulative, u))


def _unit_across(x, length, rng):
    """A uniformly random unit vector orthogonal to x."""
    v = rng.standard_normal(x.size)
    for _ in range(2):
        v = v - (v @ x / length**2) * x
    return v / np.linalg.norm(v)
