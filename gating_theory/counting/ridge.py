"""The ridge of the complexity functional: its largest value at each amplitude of a fixed point [T7].

The amplitude, the second moment q of one message, is scanned: at each q all other unknowns are solved for, which leaves Sigma(q),
a function of one variable. Its stationary points are the saddles of the functional. On the ridge Newton's method is safe, and no
false saddle near the mean-field solution can catch it. That Sigma changes by the integral of its slope checks every step. A ridge
ends where the determinant ceases to count (1 leaves the support of the spectrum), and where it falls while ever fewer sites carry
the lengths of images (orthogonal matrices); a solver that fails before that says so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..errors import ConvergenceError
from .functional import ComplexityFunctional, Point
from .newton import Newton, Settled, rescaled

__all__ = ["DEPTH", "NOISE", "Lost", "Ridge", "ridge", "scanning"]

#: Nodes of the site integral while scanning, by the number of variables it runs over.
_SCAN_NODES = {1: 120, 2: 900, 3: 4000}
_MOST_SCAN_NODES = 12_000
#: What one grade of the scan's quadrature has more than the one before: nodes, and nodes for the same tolerance.
_MORE_NODES, _DENSER = 8, 1.3
#: The scan covers this many e-foldings of the moment, in steps of this size or less, and so many below the mean-field fixed points.
DEPTH, _STEP, _BELOW = 11.0, 0.4, 3.0
#: and is given up where it would take steps below this, or more of them than this to one side.
_SHORTEST, _MOST_STEPS = 0.02, 200
#: Where the determinant vanishes within so many e-foldings, and the rate falls, a solver that fails loses nothing.
_NEARLY_OVER = 0.1
#: A step may go this many times as far as to the rim of a hole, where the ridge bends.
_PAST = 1.5
#: Multipliers of lengths below this, over the Gaussian's, belong to laws with tails so long that few sites carry the length.
_CONDENSED = 0.02
#: Slopes of the ridge below this are rounding.
NOISE = 2e-14
#: What is left of a ridge below this rate holds no maximum worth finding.
_BOTTOM = -1.0
#: Starts of the scan: e-foldings of the leading moment below its largest.
_DEPTHS = (0.2, 0.45, 0.8, 1.3, 1.9, 2.6, 3.5, 5.0, 7.0, 9.0, 10.5)
#: A start whose moment the mean-field map changes by more e-foldings than this has no ridge of its own.
_MISMATCH = 1.0
#: Multipliers of the leading message, over its moment, at which a rate is shown to be negative.
_TILTS = (0.0, -0.3, 0.3, -1.0, 1.0, -5.0, 5.0)
#: A rate that rises where the ridge was lost may rise so many times as steeply all the way to the end of the scan.
_STEEPER = 10.0
#: Rounds from a point without the determinant before Newton's method.
_ROUNDS = 7
#: The determinant counts where the loop's strength exceeds 1, or its unknowns 0, by more than this.
_SILENT = 2e-7


@dataclass(frozen=True)
class Lost:
    """Where the solver failed before the ridge ended: what lies beyond is not known.

    ``t``, log of the leading moment; ``value``, Sigma there, nan where not even a start was found; ``outward``, its slope in the
    direction in which the ridge was lost, nan where a change of sign of the slope could not be resolved; ``left``, how far the scan
    was to go on.
    """

    t: float
    value: float = float("nan")
    outward: float = float("nan")
    left: float = 0.0


@dataclass(frozen=True)
class Ridge:
    """The ridge of a ComplexityFunctional where the determinant counts, as far as it was followed.

    Attributes
    ----------
    pieces : tuple of tuples of points, each ascending in amplitude
        Points have ``t``, log of the leading moment, ``value``, Sigma there, ``slope`` and ``point``; good to plotting accuracy.
    lost : tuple of Lost
    """

    pieces: tuple[tuple[Settled, ...], ...]
    lost: tuple[Lost, ...]

    @property
    def points(self) -> list[Settled]:
        """All points of all pieces."""
        return [p for piece in self.pieces for p in piece]

    def doubts(self, best: float | None) -> tuple[Lost, ...]:
        """The losses that could hide a rate above ``best`` (None: that could hide any saddle at all)."""
        if best is None:
            return self.lost
        # a start lost beside a ridge that has a saddle is no sign of another; a rate that falls towards the loss is none either
        return tuple(
            end for end in self.lost if end.value >= best or end.value + _STEEPER * max(end.outward, 0.0) * end.left >= best
        )


def scanning(functional: ComplexityFunctional, grade: int = 0) -> Newton:
    """Newton's method with the quadrature of a scan; grades above 0 check and repeat what the one before has left in doubt."""
    nodes = _SCAN_NODES.get(functional.dimension, _MOST_SCAN_NODES)
    newton = Newton(functional, 1e-14, nodes * _MORE_NODES**grade)
    newton.refine = _DENSER**grade
    return newton


def ridge(functional: ComplexityFunctional, grade: int = 0) -> Ridge:
    """The :class:`Ridge` of a functional, from starts at eleven amplitudes; ``grade`` raises the accuracy of its quadrature."""
    newton = scanning(functional, grade)
    pieces: list[tuple[Settled, ...]] = []
    lost: list[Lost] = []
    top = functional.top
    bottom = _bottom(functional)
    for mismatch, q in _starts(functional):
        t = np.log(q[functional.lead])
        if pieces and abs(mismatch) > _MISMATCH:  # far from any mean-field loop: a ridge of its own is not to be expected
            break
        if any(p[0].t - 0.2 <= t <= p[-1].t + 0.2 for p in pieces):
            continue
        try:
            start = _start(functional, newton, q)
        except ConvergenceError:
            lost.append(Lost(float(t)))
            continue
        if start is None or any(p[0].t <= start.t <= p[-1].t for p in pieces):
            continue
        up, lost_above = _follow(newton, start, 1.0, np.log(top))
        down, lost_below = _follow(newton, start, -1.0, bottom)
        pieces.append((*down[::-1], start, *up))
        ends = (lost_above, 1.0, np.log(top)), (lost_below, -1.0, bottom)
        lost += [Lost(e.t, e.value, e.slope * way, abs(end - e.t)) for e, way, end in ends if e is not None]
    # a start that failed within a piece found later has lost nothing
    lost = [end for end in lost if not any(p[0].t < end.t < p[-1].t for p in pieces)]
    return Ridge(tuple(pieces), tuple(lost))


def _bottom(functional):
    """Log of the leading moment at which the scan ends: next to a continuous onset saddles are as small as the mean field's."""
    lowest = (np.log(q[functional.lead]) - _BELOW for q in functional.mean_field)
    return min((np.log(functional.top) - DEPTH, *lowest))


def _starts(functional):
    """(mismatch, moments) to start from: the mean-field fixed points, where the ridge is never below their own rate, then others.

    Those are amplitudes over all that the leading message can have, the ones nearest to the mean-field loop first.
    """
    others = [functional.completed(functional.top * np.exp(-depth)) for depth in _DEPTHS]
    others = sorted(((abs(mismatch), q) for q, mismatch in others), key=lambda pair: pair[0])
    return [(0.0, q) for q in functional.mean_field] + others


def _start(functional, newton, q):
    """A point of the ridge from nothing but moments: without the determinant first, then with it, by careful rounds and Newton.

    None where the determinant vanishes or the rate is hopelessly negative: the functional is a minimum over mu, so that it only
    falls from one round to the next. ConvergenceError where the rounds or Newton's method fail.
    """
    A, X = newton.A, newton.X
    try:
        silent = newton.silent(functional.plain(q), 3.0 * _BOTTOM)
    except ConvergenceError as failed:
        if _hopeless(functional, newton, failed.estimate) or _hopeless(functional, newton, functional.plain(q)):
            return None
        raise
    if silent is None or functional.loop_strength(silent, newton.max_nodes) <= 1.0 + _SILENT:
        return None
    point = functional.perron_point(silent)
    for _ in range(_ROUNDS):
        with np.errstate(all="ignore"):
            e = functional.evaluate(point, newton.tol, newton.max_nodes)
        if e.value < 3.0 * _BOTTOM:
            return None
        if not np.isfinite(e.hessian).all():
            raise newton.failure("the functional is not finite", point)
        # mu, tau and nu sit at the minimum of a convex function; x goes to its usage
        convex = np.r_[A : 2 * A, 2 * A + X : newton.size]
        step = np.linalg.lstsq(e.hessian[np.ix_(convex, convex)], -e.gradient[convex], rcond=1e-12)[0]
        d_mu, others = step[:A], step[A:]
        size = max(np.abs(d_mu * point.q).max(), np.abs(others).max() if others.size else 0.0)
        damp = min(1.0, 1.0 / size) if size > 0 else 1.0
        x = functional.within(np.clip(rescaled(e, point.x, 2 * A), 1e-15, 2.0), point.x)
        d_tau, d_nu = damp * others[: point.tau.size], damp * others[point.tau.size :]
        point = Point(
            point.q, point.mu + damp * d_mu, x, point.tau + d_tau, e.spread, functional.positive(point.nu + d_nu, point.nu)
        )
        if x.max() <= _SILENT:
            return None
    return newton.settle(point)


def _hopeless(functional, newton, point):
    """Whether Sigma is negative at the moments of a point: so it is if it is at any mu where the determinant does not count.

    Sigma is a minimum over mu, so that any mu bounds it from above; the best x for it is zero where the loop's strength is below 1.
    """
    for tilt in _TILTS:
        mu = point.mu.copy()
        mu[functional.lead] += tilt / point.q[functional.lead]
        tilted = replace(point, mu=mu)
        e, _, _ = newton.system(tilted)
        if e.value < 0.0 and functional.loop_strength(tilted, newton.max_nodes) <= 1.0:
            return True
    return False


def _follow(newton, start, direction, end):
    """(points, lost): the ridge from one of its points until it ends, dives, or reaches ``end``, in the order of the steps.

    ``lost`` is the last point where the solver failed before any of that, else None.
    """
    out, here, step, bend = [], start, _STEP, None
    for _ in range(_MOST_STEPS):
        if (end - here.t) * direction <= 1e-9:
            return out, None
        room = _room(newton, here, direction)
        if _condensed(here, direction):
            return out, None
        if room < _SHORTEST and (here.slope * direction < 0.0 or here.point.x.max() < 1e-7):
            return out, None
        to_hole, to_few = _to_hole(newton, here, direction), _to_few(newton, here, direction)
        h = direction * min(step, abs(end - here.t), 0.7 * room, _PAST * to_hole, 0.7 * to_few)
        change = h * here.tangent if bend is None else h * here.tangent + 0.5 * h**2 * bend
        guess = newton.moved(here.point, np.clip(change, -1.0, 1.0))
        point = newton.at_lead(guess, here.t + h)
        try:
            there = newton.settle(point)
            failed = there is not None and not _joined(here, there)
        except ConvergenceError:
            there, failed = None, True
        if failed or there is None or there.point.x.max() < 1e-8:
            step = 0.5 * abs(h)
            if step < _SHORTEST * min(1.0, room, to_hole, to_few):
                over = room < _NEARLY_OVER and here.slope * direction < 0.0
                return out, here if failed and not over else None
            continue
        out.append(there)
        bend = (there.tangent - here.tangent) / h
        here = there
        if there.value < _BOTTOM:
            return out, None
        # towards small amplitudes value and slope both go to zero: once they are below rounding no sign of the slope means anything
        if direction < 0 and abs(there.slope) < NOISE and abs(there.value) < NOISE:
            return out, None
        # at small amplitude all unknowns are powers of it
        step = min(1.6 * max(step, _SHORTEST), _STEP if there.t > start.t - 4.0 else 2.5 * _STEP)
    return out, here


def _joined(here, there):
    """Whether the rate has changed by the integral of its slope, as it must along one ridge with a quadrature that resolves it."""
    h = there.t - here.t
    miss = abs(there.value - here.value - 0.5 * h * (here.slope + there.slope))
    # the trapezoidal rule for a slope that grows like the third power of the moment, and some
    return miss <= abs(h) * (0.3 * abs(there.slope - here.slope) + 0.01 * (abs(here.slope) + abs(there.slope))) + 1e-12


def _room(newton, here, direction):
    """How far the shares are from zero, which ends the ridge, extrapolated linearly; inf where they are large.

    Where the rate still rises it is followed all the way: next to a mean-field fixed point that has just become unstable the
    maximum is as close to the end.
    """
    fall = -(direction * here.tangent[2 * newton.A : 2 * newton.A + newton.X]).min()
    # next to an onset shares that have a limit go all the way from 0 to 1 on a ridge as short as the distance
    watched = here.point.x.max() < 0.2 or newton.functional.limited.any()
    return float(1.0 / fall) if fall > 0.0 and watched else np.inf


def _to_hole(newton, here, direction):
    """How far the first share is from its limit, extrapolated linearly: there the ridge goes on in a hole of the spectrum."""
    x, growth = here.point.x, direction * here.tangent[2 * newton.A : 2 * newton.A + newton.X]
    nearest = (growth * x / (1.0 - x))[newton.functional.limited].max(initial=0.0)
    return float(1.0 / nearest) if nearest > 0.0 else np.inf


def _to_few(newton, here, direction):
    """How far multipliers of lengths are from zero, extrapolated linearly: there few sites carry the length of an image."""
    fall = -direction * here.tangent[newton.size - newton.functional.n_nu :] / here.point.nu
    nearest = fall.max(initial=0.0)
    return float(1.0 / nearest) if nearest > 0.0 else np.inf


def _condensed(here, direction):
    """Whether a few sites carry the length of an image, and the rate falls further that way: such laws are hard to integrate."""
    return here.slope * direction < 0.0 and (here.point.nu < _CONDENSED).any()
