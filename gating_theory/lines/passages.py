"""Where a quantity along a path passes a value, smoothly or in a jump: all places, or the one nearest to the present value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..support.pieces import resolve
from .branch import Limit

if TYPE_CHECKING:
    from ..mean_field.fixed_point import FixedPoint
    from ..mean_field.path import Path
    from .branch import Branch, Sample

__all__ = ["Passage", "looks", "outward", "passages"]

#: Stretches, even in position, that a range is searched in one after the other, and the number of looks at a costly quantity.
_STRETCHES, _LOOKS = 8, 33
#: As parts of the range, the narrowest piece, of five nodes, and the distance of points at which its quartic is searched: no
#: feature of a thousandth of the range is lost between them.
_NARROWEST, _DENSE = 1e-3, 2.5e-4
#: Heights are resolved to this part of what they are seen to change by, and to a part of themselves.
_RESOLUTION, _HARMLESS = 1e-4, 0.25
#: Limits within this many of their errors are zero, or one; the sign beside a change is looked up this part of the way to the next
#: place.
_TOUCHES, _BESIDE = 3.0, 0.02
#: A change of the solutions matters if a height beside it is this many times less than what they differ by, or less.
_MATTERS = 4.0
#: The last bracket of a zero, relative to the larger of 1 and the value; brackets whose ends, this part of the first bracket apart,
#: differ by more than the second part of what the first one's did hold a jump.
_CLOSE, _APART, _JUMP = 4 * np.finfo(float).eps, 1e-7, 1e-2
#: Where errors are not known they are measured: so many points, so far from the value (relative likewise) on both sides, and the
#: scatter about a cubic.
_POINTS, _AROUND = 9, 0.01


class Passage(NamedTuple):
    """A place at which the quantity passes the value.

    ``value`` and ``error`` of the path; limits on both sides, of the quantity minus the value sought; whether it jumps, and whether
    it rises; the solution (that which is born there, if one is); and what happens to the solutions there: "onset", "fold" or "".
    """

    value: float
    error: float
    below: Limit
    above: Limit
    jumps: bool
    rising: bool
    point: FixedPoint | None
    kind: str


def passages(branch: Branch, every: bool) -> list[Passage]:
    """The places at which a quantity passes a value along a path: all, ascending, or those up to the nearest to the present value.

    Parameters
    ----------
    branch : Branch
    every : bool
    """
    costly, path = branch.measure.entry.costly, branch.path
    ends = looks(path) if costly else _even(path, _STRETCHES + 1)
    found: list[Passage] = []
    for a, b, distance in outward(ends, path.present):
        if not every and found and distance >= _nearest(found, path.present):
            break
        found += _between(branch, *branch.sampled([a, b])) if costly else _in_stretch(branch, a, b)
    kept: list[Passage] = []
    for passage in sorted(found, key=lambda c: c.value):  # one at the end of a stretch may be found from both sides
        if not kept or passage.value - kept[-1].value > 2.0 * (passage.error + kept[-1].error):
            kept.append(passage)
    return kept


def looks(path: Path) -> list[float]:
    """The values of a path at which a costly quantity is looked at.

    Parameters
    ----------
    path : Path
    """
    return _even(path, _LOOKS)


def _even(path, count):
    """Values that are even in position."""
    return [path.value(t) for t in np.linspace(path.position(path.low), path.position(path.high), count)]


def _nearest(found, present):
    return min((0.0 if np.isnan(present) else abs(passage.value - present) for passage in found), default=np.inf)


def outward(ends: list[float], present: float) -> Iterator[tuple[float, float, float]]:
    """Stretches between neighbouring ends, the nearest to the present value first, and their distances from it.

    From below where there is no present value.

    Parameters
    ----------
    ends : list of float, ascending
    present : float or nan
    """
    stretches = zip(ends[:-1], ends[1:])
    distances = [(0.0 if np.isnan(present) else max(a - present, present - b, 0.0), a, b) for a, b in stretches]
    yield from ((a, b, distance) for distance, a, b in sorted(distances))


def _in_stretch(branch, low, high):
    """Passages of a cheap quantity between two values."""
    path = branch.path

    def at_each(positions):
        return np.array([[sample.height] for sample in branch.sampled([path.value(t) for t in positions])])

    def allowed(heights):
        seen = [sample.height for sample in branch.seen.values() if sample.measured and np.isfinite(sample.height)]
        return _RESOLUTION * (max(seen) - min(seen) if seen else 0.0) + _HARMLESS * np.abs(heights)

    def narrow(a, b):
        return path.value(b) - path.value(a) <= _NARROWEST * (path.high - path.low)

    pieces = resolve(at_each, path.position(low), path.position(high), 1, allowed, narrow)
    nodes = {low, high} | {path.value(t) for piece in pieces for t in np.linspace(piece.low, piece.high, 5)}
    nodes |= {value for piece in pieces for value in _hidden(path, piece)}
    samples = branch.sampled(sorted(nodes))
    return [passage for a, b in zip(samples[:-1], samples[1:]) for passage in _between(branch, a, b)]


def _hidden(path, piece):
    """Values between the nodes of a piece at which its quartic has another sign than at both nodes beside them."""
    width = path.value(piece.high) - path.value(piece.low)
    looks = max(1, int(np.ceil(width / (4.0 * _DENSE * (path.high - path.low)))))
    t, heights = piece.sampled(4 * looks)
    for k in range(4):
        part = slice(k * looks, (k + 1) * looks + 1)
        h = heights[part, 0]
        if h[0] * h[-1] > 0.0 and (extreme := int(np.argmin(h * np.sign(h[0])))) not in (0, looks) and h[extreme] * h[0] < 0.0:
            yield path.value(t[part][extreme])


def _between(branch: Branch, a: Sample, b: Sample) -> list[Passage]:
    """Passages between two neighbouring samples, at changes of the solutions and apart from them."""
    changes = branch.changes(a, b) if a.label != b.label and _matters(a.height, b.height) else []
    places = [a.value, *(change.value for change in changes), b.value]
    found, low = [], (a.value, a.height)
    for i, change in enumerate(changes):
        passage = _at_change(change, branch.measure.of)
        high, after = (change.value, change.below.height), (change.value, change.above.height)
        if passage is not None:
            before, beyond = (_beside(branch, change.value, places[k]) for k in (i, i + 2))
            found.append(_with_error(passage, before, beyond))
            if not passage.jumps:  # what is zero within its error has no sign
                high, after = before, beyond
        found.append(_closed_in(branch, *low, *high))
        low = after
    found.append(_closed_in(branch, *low, b.value, b.height))
    return [passage for passage in found if passage is not None]


def _matters(h, k):
    if np.isnan(h) or np.isnan(k):
        return not (np.isnan(h) and np.isnan(k))
    return h * k <= 0.0 or min(abs(h), abs(k)) <= _MATTERS * abs(h - k)


def _at_change(change, of):
    """The passage at a change of the solutions, or None."""
    below, above = change.below, change.above
    if np.isnan(below.height) or np.isnan(above.height):
        return None
    touches = [abs(side.height) <= _TOUCHES * side.error for side in (below, above)]
    if not any(touches) and below.height * above.height > 0.0:
        return None
    jumps = abs(below.height - above.height) > _TOUCHES * (below.error + above.error) + 1e-9
    followed = max((side.point for side in (below, above) if side.point is not None), key=lambda p: p.q[0], default=None)
    born = change.born if of == "fixed_points" else followed
    rising = above.height > below.height
    return Passage(change.value, change.error, below, above, bool(jumps), bool(rising), born, change.kind)


def _beside(branch, value, towards):
    """(value, height) a little way from a change towards the next place."""
    there = value + _BESIDE * (towards - value)
    return there, branch.height(there)


def _with_error(passage, before, beyond):
    """A passage at a change with the error that those of the limits mean, on the side that is steeper; and which way it passes."""
    if passage.jumps:
        return passage
    slopes = [
        abs(height - limit.height) / abs(value - passage.value)
        for (value, height), limit in ((before, passage.below), (beyond, passage.above))
    ]
    steeper = int(np.nanargmax([*slopes, 0.0]))
    moved = (passage.below, passage.above, passage.below)[steeper].error / max(*slopes, 1e-300)
    return passage._replace(error=passage.error + float(moved), rising=bool(beyond[1] > before[1]))


def _closed_in(branch, a, at_a, b, at_b):
    """The passage between two values, a zero or a jump, or None where heights have one sign."""
    from scipy.optimize import brentq

    if np.isnan(at_a) or np.isnan(at_b) or (at_a >= 0.0) == (at_b >= 0.0):  # zeros count as positive, so that each counts once
        return None

    def f(value):
        # next to a change the limit is what counts, not what a sample on the other side says
        found = at_a if value == a else at_b if value == b else branch.height(value)
        if np.isnan(found):
            raise _Undefined(value)
        return found

    try:
        zero = float(brentq(f, a, b, xtol=_CLOSE, rtol=_CLOSE))
        step = _APART * (b - a)
        low, high = max(zero - step, a), min(zero + step, b)
        below, above = f(low), f(high)
    except _Undefined:
        return None
    if abs(above - below) > _JUMP * abs(at_b - at_a) and not branch.path.at(low) == branch.path.at(high):
        return _jump(branch, zero, low, high)
    return _smooth(branch, zero, a, b)


class _Undefined(Exception):
    """A quantity is not defined between two values at which it is."""


def _jump(branch, zero, low, high):
    """A jump where no solution is born: a quantity of whole numbers, or an outlier that is lost."""
    sides = branch.sampled([low, high])
    limits = [Limit(sample.height, branch.error(sample), sample.point) for sample in sides]
    rising = limits[1].height > limits[0].height
    return Passage(zero, max(1e-9 * max(1.0, abs(zero)), high - low), *limits, True, bool(rising), sides[1].point, "")


def _smooth(branch, zero, a, b):
    """A zero between two values: its error is that of the quantity over its slope."""
    (sample,) = branch.sampled([zero])
    error, scale = branch.error(sample), max(1.0, abs(zero))
    if branch.measure.entry.accuracy is None:
        error += _scatter(branch, zero, max(a, zero - _AROUND * scale), min(b, zero + _AROUND * scale))
    step = np.clip(np.cbrt(error), 1e-6, 0.05) * scale
    low, high = max(a, zero - step), min(b, zero + step)
    change = branch.height(high) - branch.height(low)
    slope = change / (high - low)
    limit = Limit(sample.height, error, sample.point)
    moved = error / abs(slope) if slope else np.inf
    return Passage(zero, float(moved + _CLOSE * scale), limit, limit, False, bool(change > 0.0), sample.point, "")


def _scatter(branch, zero, low, high):
    """The root mean square distance of the quantity from a cubic about a value."""
    values = np.linspace(low, high, _POINTS)
    heights = np.array([sample.height for sample in branch.sampled(values.tolist())])
    if np.isnan(heights).any():
        return np.nan
    x = (values - zero) / (high - low)
    fit = np.polynomial.polynomial.polyfit(x, heights, 3)
    left = heights - np.polynomial.polynomial.polyval(x, fit)
    return float(np.sqrt(np.sum(left**2) / (_POINTS - 4)))
