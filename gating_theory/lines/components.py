"""All curves of zeros that pass by given points, each once, and those that cross them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..errors import ConvergenceError
from ..results.status import Status
from .smooth_curve import lengths, refined, spline_through
from .tracing import Mark, Traced, Tracer, crossing_directions

__all__ = ["Component", "components"]

#: A point nearer to a curve than this, in units of the box, lies on it; pieces of an interval between which that is told.
_ON, _PIECES = 1e-4, 8
#: Radius, in units of the box, of the circle about a crossing on which the other curves through it are looked for.
_RADIUS = 0.01


class Component(NamedTuple):
    """One curve, and how far its spline was off between its points, as of ``refined``."""

    curve: Traced
    off: np.ndarray

    def passes(self, u: np.ndarray) -> bool:
        """Whether a point (n,) lies on the curve."""
        nodes = self.curve.u
        if len(nodes) > 1:
            s = lengths(nodes)
            fine = np.interp(np.arange(_PIECES * (len(s) - 1) + 1) / _PIECES, np.arange(len(s)), s)
            nodes = spline_through(s, nodes, self.curve.closed)(fine)
        return bool(_distance(nodes, u) < _ON)

    def carried_on(self, side: int, mark: Mark) -> Component:
        """The curve with a first (side 0) or last (-1) point more, at a mark: it ends there.

        Parameters
        ----------
        side : int, 0 or -1
        mark : Mark, a short way on, on which the curve is as straight as between its last two points
        """
        curve, place = self.curve, 0 if side == 0 else len(self.curve.u)
        end = Status(mark.kind, f"ends at {mark.kind}")
        ends = (end, curve.ends[1]) if side == 0 else (curve.ends[0], end)
        names = ("slopes", "own", "moved")
        slopes, own, moved = (np.insert(getattr(curve, name), place, getattr(curve, name)[side], axis=0) for name in names)
        marks = [mark, *curve.marks] if side == 0 else [*curve.marks, mark]
        traced = Traced(np.insert(curve.u, place, mark.u, axis=0), slopes, own, moved, marks, ends)
        return Component(traced, np.insert(self.off, 0 if side == 0 else len(self.off), self.off[side]))


def _distance(nodes, u):
    """The distance of a point from a polygon."""
    if len(nodes) == 1:
        return np.linalg.norm(nodes[0] - u)
    a, d = nodes[:-1], np.diff(nodes, axis=0)
    share = np.clip(np.einsum("kn,kn->k", u - a, d) / np.maximum(np.einsum("kn,kn->k", d, d), 1e-300), 0.0, 1.0)
    return np.linalg.norm(a + share[:, None] * d - u, axis=1).min()


def components(
    tracer: Tracer, starts: Sequence[np.ndarray], tol: float, max_points: int
) -> tuple[list[Component], list[Exception]]:
    """The curves through given points, refined, each once; and those that cross them.

    Parameters
    ----------
    tracer : Tracer
    starts : sequence of (n,) arrays, points next to the curves
    tol : float, how far splines may be off, in units of the box
    max_points : int, of a curve

    Returns
    -------
    list of Component
    list of ConvergenceError, one for each start next to which there is no curve
    """
    found: list[Component] = []
    failed: list[Exception] = []
    waiting = deque(np.asarray(start, dtype=float) for start in starts)
    while waiting:
        guess = waiting.popleft()
        try:
            first = tracer.start(guess)
            if not _inside(tracer, first.u) or any(one.passes(first.u) for one in found):
                continue
            curve = tracer.trace(first.u)
        except ConvergenceError as error:
            failed.append(error)
            continue
        found.append(Component(*refined(tracer, curve, tol, max_points)))
        for mark in curve.marks:
            if mark.kind == "branch":
                waiting.extend(crossing_directions(tracer.zeros, mark, _RADIUS))
    return found, failed


def _inside(tracer, u):
    slack = 1e-9
    return bool(((u >= tracer.zeros.low - slack) & (u <= tracer.zeros.high + slack)).all())
