"""An ensemble along a path within a range: where a function of it vanishes within a range, all places of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..ensemble.paths import AnyPath, path_of
from ..support.pieces import Piece, resolve

if TYPE_CHECKING:
    from ..ensemble.ensemble import Ensemble

__all__ = ["Path"]

#: Hyperparameters act on this scale where they are small, and by their logarithm where they are large.
_SCALE = 0.5
#: Pieces that a range is looked at in to begin with (each has nine nodes), and, as parts of the range, the narrowest one and the
#: distance of the points at which quartics are searched: no feature of a thousandth of the range is lost between them.
_PARTS, _NARROWEST, _DENSE = 4, 1e-6, 2.5e-4
#: The least that Brent's method takes: hyperparameters are closed in on to rounding.
_ROUNDING = 4 * np.finfo(float).eps
#: A function is zero where it is a few roundings of one (at a_h = 1 the GRU's alpha is 1 - 2e-13 for a reset bias of 30, and never
#: 1), and the same everywhere if it changes by less than the second number.
_ZERO, _SAME = 4e-15, 1e-13
#: A bracket is widened threefold so often before it is given up.
_WIDENINGS = 4
#: A value found is no zero but a pole or a jump if the function is not this much smaller than around it.
_SMALLER = 1e-3


class Path:
    """The ensembles that a path leads through between two of its values.

    Parameters
    ----------
    ensemble : Ensemble
    parameter : what users give for a path
    bounds : (low, high), or None for the path's own span

    Attributes
    ----------
    ensemble : Ensemble
    low, high : float
    along : EnsemblePath
    parameter : str, its name
    present : float, the ensemble's own value; nan where the path does not pass through the ensemble

    Raises
    ------
    TypeError, ValueError
        no such path, bounds that are none or not allowed
    """

    def __init__(self, ensemble: Ensemble, parameter: AnyPath, bounds: tuple[float, float] | None = None) -> None:
        self.along = path_of("parameter", parameter, ensemble)
        self.ensemble, self.parameter = ensemble, self.along.name
        self.low, self.high = self.along.within(bounds)
        self.present = self.along.value(ensemble)

    def at(self, value: float) -> Ensemble:
        """The ensemble at this value of the path, or at the nearest one in range.

        Parameters
        ----------
        value : float
        """
        return self.along.at(self.ensemble, float(min(max(value, self.low), self.high)))

    def pieces(
        self,
        function: Callable[[float], np.ndarray],
        allowed: Callable[[np.ndarray], np.ndarray],
        low: float | None = None,
    ) -> list[Piece]:
        """A vector-valued function of the path's value as quartics in its :meth:`position`.

        Parameters
        ----------
        function : of the path's value, returns an (n,) array
        allowed : function of values (m, n), the errors allowed of them
        low : float, optional, where to begin
        """
        first, last = self.position(self.low if low is None else low), self.position(self.high)
        least = _NARROWEST * (self.high - self.low)

        def narrow(a, b):
            return self.value(b) - self.value(a) <= least

        def at_each(positions):
            return np.array([function(self.value(t)) for t in positions])

        return resolve(at_each, first, last, _PARTS, allowed, narrow)

    def looks(self, piece: Piece) -> int:
        """Into how many parts a piece is to be cut so that nothing is lost between them.

        Parameters
        ----------
        piece : Piece
        """
        width = self.value(piece.high) - self.value(piece.low)
        return max(4, int(np.ceil(width / (_DENSE * (self.high - self.low)))))

    @staticmethod
    def position(value: float) -> float:
        """asinh of the value: even steps of it are even steps of small values and even factors of large ones."""
        return float(np.arcsinh(value / _SCALE))

    def value(self, position: float) -> float:
        """The value at a position, within the range."""
        return float(min(max(_SCALE * np.sinh(position), self.low), self.high))

    def nearest(self, values: list[float]) -> float:
        """Of several values the one nearest to the ensemble's own; the upper one of two that are equally near.

        The lowest where the path does not pass through the ensemble: the first that is met along it, whatever the bounds.
        """
        if np.isnan(self.present):
            return min(values)
        return min(sorted(values, reverse=True), key=lambda v: round(abs(v - self.present), 9))

    # --- zeros

    def zeros(self, function: Callable[[Ensemble], float], allowed: Callable[[np.ndarray], np.ndarray]) -> list[float] | None:
        """All values at which a function of the ensemble vanishes, ascending; None where it is the same everywhere.

        Parameters
        ----------
        function : of an Ensemble, returns a float
        allowed : function of values, the errors allowed of them
        """
        seen: list[float] = []

        def row(value):
            seen.append(function(self.at(value)))
            return np.array([seen[-1]])

        pieces = self.pieces(row, allowed)
        if max(seen) - min(seen) <= _SAME * max(1.0, abs(seen[0])):
            return None
        found = [
            end for end, value in ((self.low, pieces[0].values[0, 0]), (self.high, pieces[-1].values[-1, 0])) if abs(value) < _ZERO
        ]
        for piece in pieces:
            t, values = piece.sampled(self.looks(piece))
            change = np.flatnonzero(values[:-1, 0] * values[1:, 0] <= 0.0)
            for i in change:
                zero = self.bracketed(function, self.value(t[i]), self.value(t[i + 1]))
                if zero is not None and not any(abs(zero - v) <= 1e-9 * max(1.0, abs(v)) for v in found):
                    found.append(zero)
        return sorted(found)

    def bracketed(self, function: Callable[[Ensemble], float], a: float, b: float) -> float | None:
        """The zero of a function of the ensemble between two values, or a little beyond, where quartics may have misplaced it.

        None where the function does not change its sign there, or not continuously.

        Parameters
        ----------
        function : of an Ensemble, returns a float
        a, b : float, ascending
        """
        from scipy.optimize import brentq

        def at(value):
            return function(self.at(value))

        at_a, at_b = at(a), at(b)
        for _ in range(_WIDENINGS):
            if not at_a * at_b > 0.0:
                break
            a, b = max(a - (b - a), self.low), min(b + (b - a), self.high)
            at_a, at_b = at(a), at(b)
        if not at_a * at_b <= 0.0:
            return None
        if abs(at_a) < _ZERO or abs(at_b) < _ZERO:
            return (a if abs(at_a) < abs(at_b) else b) if abs(at_a - at_b) > _SAME else None
        zero = float(brentq(at, a, b, xtol=1e-15, rtol=_ROUNDING))
        return zero if abs(at(zero)) <= _SMALLER * max(abs(at_a), abs(at_b)) else None
