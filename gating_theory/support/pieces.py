"""Functions of one variable with many values, known everywhere after few evaluations: quartics between nodes that are halved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

__all__ = ["Piece", "resolve"]

#: Nodes of a piece, evenly spaced; the points between them test what its quartic says there.
_NODES = np.linspace(-1.0, 1.0, 5)
_BETWEEN = 0.5 * (_NODES[1:] + _NODES[:-1])


def _quartic(points):
    """(m, 5) matrix from values at the nodes to values at points in [-1, 1]."""
    return np.stack([np.prod((points[:, None] - others) / (node - others), axis=1) for node, others in _each()], axis=1)


def _each():
    return [(node, np.delete(_NODES, i)) for i, node in enumerate(_NODES)]


_TEST = _quartic(_BETWEEN)


@dataclass(frozen=True, eq=False)
class Piece:
    """A vector-valued function between low and high as quartics.

    Attributes
    ----------
    low, high : float
    values : (5, n) array, at five evenly spaced nodes
    trusted : (n,) bool array, the components that are as accurate as was asked for
    """

    low: float
    high: float
    values: np.ndarray
    trusted: np.ndarray

    def sampled(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """``count + 1`` even points from low to high, and the (count + 1, n) values there.

        Parameters
        ----------
        count : int >= 1
        """
        points = np.linspace(-1.0, 1.0, count + 1)
        return np.linspace(self.low, self.high, count + 1), _quartic(points) @ self.values


def resolve(
    function: Callable[[float], np.ndarray],
    low: float,
    high: float,
    parts: int,
    allowed: Callable[[np.ndarray], np.ndarray],
    narrowest: Callable[[float, float], bool],
) -> list[Piece]:
    """Pieces of a function from low to high, halved until their quartics predict the values between their nodes.

    What is returned is one halving finer than what was tested, so that errors are some 30 times smaller than allowed.

    Parameters
    ----------
    function : of a float, returns an (n,) array
    low, high : float
    parts : int
        Pieces to begin with: what is narrower than a sixteenth of them may be overlooked.
    allowed : function of values (4, n), the errors allowed of them
    narrowest : function of (low, high), whether an interval is not to be halved any more

    Returns
    -------
    list of Piece, ascending
    """
    ends = np.linspace(low, high, parts + 1)
    pieces: list[Piece] = []
    first = function(float(ends[0]))
    for a, b in zip(ends[:-1], ends[1:]):
        inner = [function(float(t)) for t in 0.5 * (a + b) + 0.5 * (b - a) * _NODES[1:]]
        values = np.array([first, *inner])
        _halve(function, float(a), float(b), values, allowed, narrowest, pieces)
        first = inner[-1]
    return pieces


def _halve(function, a, b, values, allowed, narrowest, pieces):
    """Append the two halves of [a, b] where its quartic is good, else those of each half."""
    middle = 0.5 * (a + b)
    between = np.array([function(float(t)) for t in middle + 0.5 * (b - a) * _BETWEEN])
    good = np.abs(_TEST @ values - between) <= allowed(between)
    both = np.empty((9, values.shape[1]))
    both[::2], both[1::2] = values, between
    if good.all() or narrowest(a, b):
        trusted = good.all(axis=0)
        pieces += [Piece(a, middle, both[:5], trusted), Piece(middle, b, both[4:], trusted)]
        return
    _halve(function, a, middle, both[:5], allowed, narrowest, pieces)
    _halve(function, middle, b, both[4:], allowed, narrowest, pieces)
