"""The curves of a condition in a plane, with their special points, in the plane's own coordinates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..results.status import Status
from .components import Component, components
from .line import LineCurve, LinePoint
from .plane import UNIT, Plane
from .smooth_curve import lengths, spline_through
from .special_points import birth, zeros_of
from .tracing import Tracer

if TYPE_CHECKING:
    from .conditions import Condition

__all__ = ["followed", "in_plane", "with_births"]

#: Special points of one kind nearer than this, in units of the box, are one.
_SAME = 1e-6
#: Where a tangent has less than this part of its length in the plane the curve turns back there.
_STILL = 1e-6


def followed(
    condition: Condition,
    plane: Plane,
    starts: Sequence[np.ndarray],
    tol: float,
    max_points: int,
    tell: Callable[[int], object] = int,
) -> tuple[list[Component], list[Exception]]:
    """The curves of a condition that pass by given points, and errors of starts from which none was reached.

    Parameters
    ----------
    condition : Condition
    plane : Plane
    starts : sequence of (2 + n_unknowns,) arrays: x, y, and the condition's unknowns
    tol : float, how far splines may be off, in units of the bounds' widths
    max_points : int, of a curve
    tell : callable(n), told of every point
    """
    tracer = Tracer(zeros_of(condition, plane), max_points=max_points, tell=tell)
    guesses = [np.concatenate([plane.unit(*start[:2]), start[2:] / UNIT]) for start in map(np.asarray, starts)]
    found, failed = components(tracer, guesses, tol, max_points)
    return [with_births(one, condition, plane) for one in found], failed


def with_births(one: Component, condition: Condition, plane: Plane) -> Component:
    """The component with its ends carried on to the zero state's onset, where its solution is born there.

    Parameters
    ----------
    one : Component
    condition : Condition, whose curve it is
    plane : Plane
    """
    for side in (0, -1):
        curve = one.curve
        if curve.ends[side].code != "limit" or len(curve.u) < 2:
            continue
        s = lengths(curve.u)
        tangent = spline_through(s, curve.u, False)(s[side], 1) * (-1.0 if side == 0 else 1.0)
        mark = birth(condition, plane, curve.u[side], tangent)
        if mark is not None:
            one = one.carried_on(side, mark)
    return one


def in_plane(found: list[Component], plane: Plane) -> tuple[list[LineCurve], list[LinePoint]]:
    """Components in the coordinates of the plane, the longest first, and their special points, each once.

    Parameters
    ----------
    found : list of Component
    plane : Plane
    """
    found = sorted(found, key=lambda one: -float(lengths(one.curve.u[:, :2])[-1]))
    points: list[LinePoint] = []
    for i, one in enumerate(found):
        for mark in one.curve.marks:
            if any(p.kind == mark.kind and np.linalg.norm(plane.unit(p.x, p.y) - mark.u[:2]) < _SAME for p in points):
                continue
            x, y = plane.place(mark.u)
            points.append(LinePoint(mark.kind, float(x), float(y), max(mark.error, float(np.finfo(float).eps)), i))
    return [_curve(one, plane) for one in found], points


def _curve(one, plane):
    """A component in the coordinates of the plane."""
    u, ends = one.curve.u, one.curve.ends
    place = np.array([plane.place(v) for v in u])
    blur = np.array([_blur(one.curve, k) for k in range(len(u))]) * plane.widths
    moment = np.exp(UNIT * u[:, 2]) if u.shape[1] > 2 else np.full(len(u), np.nan)
    off = float(one.off.max()) if one.off.size else float("nan")
    return LineCurve(
        place[:, 0],
        place[:, 1],
        blur[:, 0],
        blur[:, 1],
        moment,
        lengths(u),
        off,
        (_worded(plane, ends[0], moment[0]), _worded(plane, ends[1], moment[-1])),
    )


def _blur(curve, k):
    """How far the k-th point may be off its curve in the plane, as components along the axes, in units of the box."""
    slopes, own = curve.slopes[k], curve.own[k]
    inverse = np.linalg.pinv(slopes, rcond=1e-12)
    along = np.linalg.svd(slopes)[2][-1][:2]
    moved = curve.moved[k, :2]
    size = np.linalg.norm(along)
    if size < _STILL:  # at a cusp the curve has no direction in the plane
        return np.abs(inverse[:2]) @ own + np.abs(moved)
    across = np.array([along[1], -along[0]]) / size
    return np.abs(across) * (np.abs(across @ inverse[:2]) @ own + abs(across @ moved))


def _worded(plane, end, smallest):
    if end.code == "limit":
        return Status(end.code, f"ends where the moment of its solution becomes smaller than {smallest:.1g}", end.ok)
    text = end.text.replace("x leaves", f"{plane.x} leaves").replace("y leaves", f"{plane.y} leaves")
    return Status(end.code, text, end.ok)
