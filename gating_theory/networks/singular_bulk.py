"""What of a matrix's singular values is a random bulk, and which of them stand out: gain, law, spikes [T11].

One family of laws covers what initialisers draw: blocks of an isometry of 1/alpha fields, alpha = 0 for iid entries, 1 for one
orthogonal matrix. In units of the gain a, with u = (y / a)^2, its transform g(u) = E 1 / (u - t^2) is::

    g(u) = 2 (1 - alpha) / ((1 - 2 alpha) u + sqrt(u (u - 4 (1 - alpha)))),        alpha = 1:  g(u) = 1 / (u - 1)

A direction of strength sigma that was added to such a matrix shows as a singular value y with sigma = a / (sqrt(u) g(u)), and its
singular vectors lie along the true ones with squared cosine c^2 = -u g^2 / (g + 2 u g'): for iid entries y = sigma + a^2 / sigma,
c^2 = 1 - a^2 / sigma^2.
"""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import numpy as np

__all__ = ["Bulk", "bulk_of", "looks_like"]

#: The share of the singular values, smallest first, whose mean square gives the gain: learned directions too weak to stand out
#: lie above it, and it scatters two thirds as much as the median.
_LOWER = 0.75
#: How far the lowest tenth of the singular values lies below the median, over the median: 0.8 of iid entries, and of blocks of a
#: stack; below this a matrix was orthogonal once. Training in several directions pulls the upper ones apart much more.
_ORTHOGONAL = 0.65
#: The same of the stack of all K fields, times sqrt(K): 0.68 to 0.70 of iid entries; below this it was an isometry once.
_STACK = 0.5
#: Half the width of a semicircle over the distance between its quartiles: what training does to singular values that were equal.
_SEMICIRCLE = 1.2378
#: Half the width that equal singular values have at least, in units of the gain: weights that are written in single precision.
_LEAST_WIDTH = 1e-3
#: Nodes of sums over the law.
_NODES = 20_000


class Bulk(NamedTuple):
    """The bulk of singular values of one matrix: its law by ``alpha``, its gain, and how many values stand out above it."""

    alpha: float
    gain: float
    n_spikes: int

    def strengths(self, y: np.ndarray) -> np.ndarray:
        """Strengths sigma of the directions whose singular values y stand out."""
        if self.gain == 0.0:
            return y.copy()  # nothing random stretches them
        u = (y / self.gain) ** 2
        return self.gain / (np.sqrt(u) * _transform(u, self.alpha)[0])

    def distance(self, y: np.ndarray) -> float:
        """Kolmogorov-Smirnov distance of singular values y, sorted downwards, without spikes, from the law; nan for alpha = 1."""
        if self.alpha == 1.0 or self.gain == 0.0:
            return math.nan  # how far training spreads equal values is not known beforehand; of nothing there is no law
        x, share = _law(self.alpha)
        scale = self.gain * _left(self.alpha, self.n_spikes, len(y))
        found = np.interp((np.sort(y[self.n_spikes :]) / scale) ** 2, x, share, right=1.0)
        steps = np.arange(len(found) + 1) / len(found)
        return float(max(np.max(steps[1:] - found), np.max(found - steps[:-1])))

    def visibility(self, y: np.ndarray) -> np.ndarray:
        """Squared cosines c^2 between singular vectors and the true directions, of singular values y that stand out."""
        if self.gain == 0.0:
            return np.ones_like(y)
        u = (y / self.gain) ** 2
        g, slope = _transform(u, self.alpha)
        return -u * g**2 / (g + 2.0 * u * slope)


def bulk_of(y: np.ndarray, alpha: float) -> Bulk:
    """The bulk of the singular values y, sorted downwards, of an N x N matrix: gain and number of spikes, each given the other.

    Parameters
    ----------
    y : (N,) array
    alpha : float, of the law
    """
    if alpha == 1.0:
        return _equal_values(y)
    n, R = len(y), 0
    while True:
        gain = _lower_mean(y[R:], alpha) / _left(alpha, R, n)
        found = int(np.sum(y > 2.0 * np.sqrt(1.0 - alpha) * gain * (1.0 + n ** (-2.0 / 3.0))))
        if found <= R or found > n // 2:
            return Bulk(alpha, float(gain), R)
        R = found


def looks_like(matrices: list[np.ndarray]) -> list[float]:
    """alpha of the laws that the N x N matrices of all fields were drawn from, by the lower half of their singular values.

    1 where those of a matrix lie close together; 1/K for all where those of the stack of K matrices do, but not those of each.
    """
    alone = [1.0 if _lower_spread(U) < _ORTHOGONAL else 0.0 for U in matrices]
    K = len(matrices)
    if K > 1 and not all(alone) and _lower_spread(np.concatenate(matrices)) < _STACK / np.sqrt(K):
        return [1.0 / K] * K
    return alone


def _lower_spread(U):
    low, middle = np.quantile(np.linalg.svd(U, compute_uv=False), [0.1, 0.5])
    return (middle - low) / middle if middle > 0.0 else 1.0


def _equal_values(y):
    """Of an orthogonal matrix: all are the gain, spread over a semicircle by what training did in all directions."""
    n, R = len(y), 0
    while True:
        low, gain, high = np.quantile(y[R:], [0.25, 0.5, 0.75])
        width = max(_SEMICIRCLE * (high - low), _LEAST_WIDTH * gain)
        found = int(np.sum(y > gain + width * (1.0 + n ** (-2.0 / 3.0))))
        if found <= R or found > n // 2:
            return Bulk(1.0, float(gain), R)
        R = found


def _transform(u, alpha):
    """(g, dg/du)."""
    if alpha == 1.0:
        return 1.0 / (u - 1.0), -1.0 / (u - 1.0) ** 2
    root = np.sqrt(u * (u - 4.0 * (1.0 - alpha)))
    bottom = (1.0 - 2.0 * alpha) * u + root
    g = 2.0 * (1.0 - alpha) / bottom
    return g, -g / bottom * (1.0 - 2.0 * alpha + (u - 2.0 * (1.0 - alpha)) / root)


def _left(alpha, R, n):
    """What R directions leave of the scale of the other singular values.

    Directions that know nothing of the random matrix take R of its n rows and columns with them. In iid weights that were trained
    what hides below the edge makes up for it; in stacks it does not, and more and more values would stand out.
    """
    return np.sqrt(1.0 - R / n) if alpha else 1.0


def _lower_mean(y, alpha):
    """The gain whose law has the mean square that the lowest values have."""
    y = np.sort(y)
    whole, part = divmod(_LOWER * len(y), 1.0)
    whole = int(whole)
    total = np.sum(y[:whole] ** 2) + part * y[min(whole, len(y) - 1)] ** 2
    return np.sqrt(total / len(y) / _partial_mean(alpha))


@cache
def _partial_mean(alpha):
    """E[t^2; the lowest share of t] of the law at gain 1."""
    x, share = _law(alpha)
    inside = share <= _LOWER
    return float(np.sum(x[inside] * np.diff(share, prepend=0.0)[inside]))


@cache
def _law(alpha):
    """Squares x of singular values at gain 1, and the share of them below."""
    top = 4.0 * (1.0 - alpha)
    angle = (np.arange(_NODES) + 0.5) * (0.5 * np.pi / _NODES)
    x = top * np.sin(angle) ** 2
    # density sqrt(x (top - x)) / (2 pi x (1 - alpha x)), times dx = top sin(2 angle) d angle
    weight = np.cos(angle) ** 2 / (1.0 - alpha * x)
    return x, np.cumsum(weight) / np.sum(weight)
