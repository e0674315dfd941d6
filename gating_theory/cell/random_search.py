"""Where facts about a cell are looked up: at random fields of many sizes, and at what is found uphill from them.

A fact that is read at a few chosen fields is a fact about those fields: sin(pi y) vanishes at all integers. Random fields share no
zeros with a message, and sizes from a thousandth to hundreds see a message that varies on any such scale.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["largest", "scattered"]

#: Sizes of the fields: the smallest and, unless the caller says otherwise, the largest.
_SMALLEST, _LARGEST = 1e-3, 300.0
#: Fields that :func:`largest` starts from, of which so many are kept; tries around each of these, in rounds of falling width.
_DRAWS, _KEPT, _TRIES = 1500, 8, 24
_WIDTHS = np.geomspace(0.5, 1e-3, 14)


def scattered(n: int, count: int, rng: np.random.Generator, largest: float = _LARGEST) -> np.ndarray:
    """(n, count) random fields: either sign, the logarithm of each one's size uniform between 1e-3 and ``largest``."""
    sizes = np.exp(rng.uniform(np.log(_SMALLEST), np.log(largest), (n, count)))
    return sizes * rng.choice([-1.0, 1.0], (n, count))


def largest(function: Callable[[np.ndarray], np.ndarray], n: int, reach: float = _LARGEST) -> float:
    """About the largest value of a function of n fields (n, count) -> (count,): the best of random fields, and uphill from there.

    Values that are not finite do not count; 0.0 where none is.

    Parameters
    ----------
    function : callable
    n : int
    reach : float, the largest field tried at first
    """
    rng = np.random.default_rng(0)

    def at(fields):
        with np.errstate(all="ignore"):
            values = np.broadcast_to(function(fields), fields.shape[1:])
        return np.where(np.isfinite(values), values, -np.inf)

    fields = np.concatenate([scattered(n, _DRAWS, rng, reach), np.zeros((n, 1))], axis=1)
    values = at(fields)
    for width in _WIDTHS:
        best = np.argsort(values)[-_KEPT:]
        fields, values = fields[:, best], values[best]
        tries = (fields[:, :, None] * (1.0 + width * rng.standard_normal((n, fields.shape[1], _TRIES)))).reshape(n, -1)
        fields, values = np.concatenate([fields, tries], axis=1), np.concatenate([values, at(tries)])
    return float(max(values.max(), 0.0)) if np.isfinite(values.max()) else 0.0
