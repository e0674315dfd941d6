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
    """Points of a curve; how far the spline was off in the middle of each interval when last looked at; which are known to do."""

    curve: Traced
    off: np.ndarray
    done: np.ndarray

    def halved(self, tracer, tol, most):
        """The same with a point in the middle of each interval that is not known to do, as long as there is room for them."""
        u, slopes, own = self.curve.u, self.curve.slopes, self.curve.own
        s = lengths(u)
        spline = spline_through(s, u, self.curve.closed)
        places, off, done = [], [], []
        for i in range(len(u)):
            places.append((u[i], slopes[i], own[i], self.curve.moved[i]))
            if i == len(u) - 1:
                break
            full = len(u) + len(places) - i > most
            narrow = s[i + 1] - s[i] < _NARROWEST  # too narrow to bend
            if self.done[i] or narrow or (full and np.isfinite(self.off[i])):
                off.append(min(self.off[i], _NARROWEST**2) if narrow else self.off[i])
                done.append(self.done[i] or narrow)
                continue
            middle = 0.5 * (s[i] + s[i + 1])
            guess, along = spline(middle), spline(middle, 1)
            worst = np.maximum(own[i], own[i + 1])
            try:
                found = tracer.near(guess, along / np.linalg.norm(along), 0.5 * (slopes[i] + slopes[i + 1]), worst)
            except ConvergenceError:
                off.append(self.off[i])
                done.append(False)
                continue
            wrong = float(np.linalg.norm((found.u - guess)[:2]))
            if not full:
                places.append((found.u, found.slopes, worst, found.moved))
            off += [wrong] if full else [wrong, wrong]
            done += [wrong <= tol] if full else [wrong <= tol, wrong <= tol]
        u, slopes, own, moved = (np.array(column) for column in zip(*places))
        return _Nodes(replace(self.curve, u=u, slopes=slopes, own=own, moved=moved), np.array(off), np.array(done))


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
        How far the spline was off in the middle of each interval when last looked at, before a point was put there; the interval's
        length where nothing was found there.
    """
    pieces = max(len(curve.u) - 1, 0)
    nodes = _Nodes(curve, np.full(pieces, np.inf), np.zeros(pieces, dtype=bool))
    for _ in range(_ROUNDS):
        count = len(nodes.curve.u)
        if count < 2 or nodes.done.all():
            break
        nodes = nodes.halved(tracer, tol, most)
        if len(nodes.curve.u) == count:
            break
    return nodes.curve, np.minimum(nodes.off, np.linalg.norm(np.diff(nodes.curve.u[:, :2], axis=0), axis=1))
