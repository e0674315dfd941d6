"""A traced curve between its points: cubic splines over its length, and points put in until they predict what lies between."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ConvergenceError
from .tracing import Traced, Tracer

if TYPE_CHECKING:
    from scipy.interpolate import CubicSpline

__all__ = ["lengths", "refined", "spline_through"]

#: Rounds in which points are put in, and the narrowest interval, in units of the box, that is halved.
_ROUNDS, _NARROWEST = 24, 1e-7


def lengths(u: np.ndarray) -> np.ndarray:
    """(k,) lengths of the chords from the first of points (k, n) on."""
    return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(u, axis=0), axis=1))])


def spline_through(s: np.ndarray, u: np.ndarray, closed: bool) -> CubicSpline:
    """The cubic spline through points (k, n) at lengths s (k,), two or more; periodic where the curve is closed."""
    from scipy.interpolate import CubicSpline

    periodic = closed and len(s) > 3
    return CubicSpline(s, np.vstack([u[:-1], u[:1]]) if periodic else u, bc_type="periodic" if periodic else "not-a-knot")


@dataclass
class _Nodes:
    """Points of a curve, and how far the spline was off in the middle of each interval (nan: not looked at yet)."""

    curve: Traced
    off: np.ndarray

    def halved(self, tracer, tol, most):
        """The same with a point in the middle of each interval that has not been looked at; marks what is good."""
        u, slopes, own = self.curve.u, self.curve.slopes, self.curve.own
        s = lengths(u)
        spline = spline_through(s, u, self.curve.closed)
        places, off = [], []
        for i in range(len(u)):
            places.append((u[i], slopes[i], own[i], self.curve.moved[i]))
            if i == len(u) - 1:
                break
            if not np.isnan(self.off[i]) or s[i + 1] - s[i] < _NARROWEST or len(u) + len(places) - i > most:
                off.append(self.off[i])
                continue
            middle = 0.5 * (s[i] + s[i + 1])
            guess, along = spline(middle), spline(middle, 1)
            worst = np.maximum(own[i], own[i + 1])
            try:
                found = tracer.near(guess, along / np.linalg.norm(along), 0.5 * (slopes[i] + slopes[i + 1]), worst)
            except ConvergenceError:
                off.append(np.nan)
                continue
            wrong = float(np.linalg.norm((found.u - guess)[:2]))
            places.append((found.u, found.slopes, worst, found.moved))
            off += [wrong, wrong] if wrong <= tol else [np.nan, np.nan]
        u, slopes, own, moved = (np.array(column) for column in zip(*places))
        return _Nodes(replace(self.curve, u=u, slopes=slopes, own=own, moved=moved), np.array(off))


def refined(tracer: Tracer, curve: Traced, tol: float, most: int) -> tuple[Traced, np.ndarray]:
    """The curve with so many points that the spline through them is within ``tol`` of it, in units of the box.

    Parameters
    ----------
    tracer : Tracer
    curve : Traced
    tol : float
    most : int, points at most

    Returns
    -------
    Traced
    off : (k - 1,) array
        How far the spline was off in the middle of each interval, before a point was put there; nan where it is not known.
    """
    nodes = _Nodes(curve, np.full(max(len(curve.u) - 1, 0), np.nan))
    for _ in range(_ROUNDS):
        count = len(nodes.curve.u)
        if count < 2 or count >= most or not np.isnan(nodes.off).any():
            break
        nodes = nodes.halved(tracer, tol, most)
        if len(nodes.curve.u) == count:
            break
    return nodes.curve, nodes.off
