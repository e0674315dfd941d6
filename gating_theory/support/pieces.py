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
    function: Callable[[np.ndarray], np.ndarray],
    low: float,
    high: float,
    parts: int,
    allowed: Callable[[np.ndarray], np.ndarray],
    narrowest: Callable[[float, float], bool],
) -> list[Piece]:
    """Pieces of a function from low to high, halved until their quartics predict the values between their nodes.

    What is returned is one halving finer than what was tested, so that errors are some 30 times smaller than allowed. A component
    that is nan at all nodes of a piece is not looked at any closer.

    Parameters
    ----------
    function : of (m,) points, returns an (m, n) array; it is asked for all pieces of a width at once
    low, high : float
    parts : int
        Pieces to begin with: what is narrower than a sixteenth of them may be overlooked.
    allowed : function of values (4, n), the errors allowed of them
    narrowest : function of (low, high), whether an interval is not to be halved any more

    Returns
    -------
    list of Piece, ascending
    """
    ends = np.linspace(low, high, 4 * parts + 1)
    values = function(ends)
    left = [(float(ends[i]), float(ends[i + 4]), values[i : i + 5]) for i in range(0, 4 * parts, 4)]
    pieces: list[Piece] = []
    while left:
        points = np.concatenate([0.5 * (a + b) + 0.5 * (b - a) * _BETWEEN for a, b, _ in left])
        halves = []
        for (a, b, nodes), between in zip(left, np.split(function(points), len(left))):
            middle, both = 0.5 * (a + b), np.empty((9, nodes.shape[1]))
            both[::2], both[1::2] = nodes, between
            good = (np.abs(_TEST @ nodes - between) <= allowed(between)).all(axis=0) | np.isnan(both).all(axis=0)
            if good.all() or narrowest(a, b):
                pieces += [Piece(a, middle, both[:5], good), Piece(middle, b, both[4:], good)]
            else:
                halves += [(a, middle, both[:5]), (middle, b, both[4:])]
        left = halves
    return sorted(pieces, key=lambda piece: piece.low)
