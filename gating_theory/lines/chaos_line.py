"""Lines whose points are searches of their own, each with its error, each next to the last one: chaos, echo states [T5, T8b]."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import CapabilityError, ConvergenceError, NoCriticalValue
from ..results.status import Status
from .line import LineCurve

if TYPE_CHECKING:
    from ..ensemble.critical_value import Critical
    from ..ensemble.ensemble import Ensemble
    from ..ensemble.paths import EnsemblePath
    from .plane import Plane

    #: The critical value along a path between bounds.
    Seek = Callable[[Ensemble, EnsemblePath, tuple[float, float]], Critical]

__all__ = ["SOUGHT", "chaos_curves"]

#: What a search over the bounds may miss.
SOUGHT = (
    "the first curve met on the middle lines and the edges of the bounds; "
    "further ones, and those that cross none of these lines, were not looked for"
)

#: A point is first sought within this distance of where the last ones point, in units of the box, and in so many of its errors;
#: then so many times as far.
_REACH, _ERRORS, _WIDENINGS = 0.03, 4.0, (1.0, 3.0, 9.0)
#: Steps are halved so often before the line is given up.
_HALVINGS = 3


@dataclass(frozen=True)
class _Point:
    """A point of the line in units of the box: the axis along which it was sought, and its error along it."""

    u: np.ndarray
    axis: int
    error: float


class _Chaos:
    """Critical values in a plane."""

    def __init__(self, plane: Plane, seek: Seek, tell: Callable[[int], object]) -> None:
        self.plane, self.seek, self.tell = plane, seek, tell

    def between(self, u: np.ndarray, axis: int, low: float, high: float) -> _Point:
        """The critical value along an axis through a point, between two places on it, in units of the box; NoCriticalValue."""
        plane, path = self.plane, (self.plane.x, self.plane.y)[axis]
        first, last = plane.low[axis] + plane.widths[axis] * np.clip([low, high], 0.0, 1.0)
        found = self.seek(plane.at(*plane.place(u)), path, (float(first), float(last)))
        self.tell(1)
        place = u.copy()
        place[axis] = (float(found) - plane.low[axis]) / plane.widths[axis]
        return _Point(place, axis, found.error / plane.widths[axis])

    def next(self, point: _Point, way: np.ndarray, length: float) -> tuple[_Point, bool]:
        """The next point, and whether it is at an edge; NoCriticalValue where the line is lost."""
        for halving in range(_HALVINGS + 1):
            guess = point.u + 0.5**halving * length * way
            beyond = (guess < 0.0) | (guess > 1.0)
            ends = bool(beyond.any())
            if ends:
                edges = np.where(way > 0.0, 1.0, 0.0)
                with np.errstate(divide="ignore", invalid="ignore"):
                    share = np.where(beyond, (edges - point.u) / way, np.inf)
                j = int(np.argmin(share))
                guess = point.u + share[j] * way
                guess[j] = edges[j]
                axis = 1 - j
            else:
                axis = int(np.argmin(np.abs(way)))
            reach = max(_REACH, _ERRORS * point.error)
            for wider in _WIDENINGS:
                try:
                    return self.between(guess, axis, guess[axis] - wider * reach, guess[axis] + wider * reach), ends
                except (NoCriticalValue, ConvergenceError):
                    continue
        raise NoCriticalValue("the line is lost")


def chaos_curves(
    plane: Plane, near: Sequence[float] | None, n_points: int, seek: Seek, tell: Callable[[int], object] = int
) -> tuple[list[LineCurve], list[Exception]]:
    """The curve of critical values through the bounds, by about so many points across them, with errors.

    Parameters
    ----------
    plane : Plane
    near : (x, y) or None
        A point next to the line. Default: it is sought along the middle lines of the bounds and along their edges.
    n_points : int
    seek : callable, gives the critical value along a path between bounds; NoCriticalValue where there is none
    tell : callable(n), told of every point

    Returns
    -------
    list of LineCurve, one or none, and errors of searches that failed
    """
    chaos = _Chaos(plane, seek, tell)
    first, failed = _first(chaos, plane, near)
    if first is None:
        return [], failed
    length = 1.0 / max(n_points - 1, 1)
    across = np.zeros(2)
    across[1 - first.axis] = 1.0
    sides, ends = [], []
    for sign in (-1.0, 1.0):
        points, end = _followed(chaos, first, sign * across, length, 4 * n_points)
        sides.append(points)
        ends.append(end)
    points = [*sides[0][:0:-1], *sides[1]]
    return [_curve(points, plane, (ends[0], ends[1]))], failed


def _first(chaos, plane, near):
    """The first point of the line, or None."""
    failed: list[Exception] = []
    shares = (0.5, 0.0, 1.0) if near is None else (None,)
    for share in shares:
        for axis in (1, 0):
            base = plane.unit(*near) if share is None else np.full(2, share)
            try:
                return chaos.between(base, axis, 0.0, 1.0), []
            except NoCriticalValue:
                continue
            except (CapabilityError, ConvergenceError) as error:
                failed.append(error)
    return None, failed


def _followed(chaos, first, way, length, most):
    """(points, end) from a first point on; each step leads on as the last two points do."""
    points = [first]
    if ((first.u + 1e-9 * way < 0.0) | (first.u + 1e-9 * way > 1.0)).any():
        return points, Status("edge", "leaves its range")
    while len(points) < most:
        try:
            new, ends = chaos.next(points[-1], way, length)
        except NoCriticalValue:
            return points, Status("lost", "lost", ok=False)
        points.append(new)
        if ends:
            return points, Status("edge", "leaves its range")
        step = new.u - points[-2].u
        way = step / np.linalg.norm(step)
    return points, Status("points", f"stopped after {most} points", ok=False)


def _curve(points, plane, ends):
    u = np.array([point.u for point in points])

    place = np.array([plane.place(v) for v in u])
    error = np.zeros((len(points), 2))
    for k, point in enumerate(points):
        error[k, point.axis] = point.error * plane.widths[point.axis]
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(u, axis=0), axis=1))])
    nothing = np.full(len(u), np.nan)
    return LineCurve(place[:, 0], place[:, 1], error[:, 0], error[:, 1], nothing, length, float("nan"), ends)
