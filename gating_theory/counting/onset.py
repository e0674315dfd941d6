"""Where the annealed complexity becomes positive: beyond that networks have exponentially many fixed points [T7]."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..ensemble.critical_value import continuous, transition
from ..ensemble.ensemble import Ensemble
from ..ensemble.paths import AnyPath
from ..errors import CapabilityError, ConvergenceError, NoCriticalValue
from ..mean_field.carriers import in_few_sites
from ..mean_field.critical import onset
from ..mean_field.path import Path
from ..support.arithmetic import underflow_is_zero
from ..support.checks import instance
from .complexity import complexity
from .functional import ComplexityFunctional
from .saddles import follow_saddle

if TYPE_CHECKING:
    from ..ensemble.critical_value import Critical

__all__ = ["complexity_onset"]

#: Rates below this are zero: near a continuous onset they fall like a power of the distance.
_POSITIVE = 1e-13
#: Width of the last bracket, relative to the larger of 1 and the value, where a rate reaches zero smoothly.
_BRACKET = 1e-4
#: Largest rate that a continuous transition may have left in such a bracket, and the rate below which one is negative there.
_ENDS, _NEGATIVE = 1e-6, -1e-9
#: What the docstring promises, relative to the larger of 1 and the value: site integrals over two fields at most, and over more.
_ACCURACY, _LESS_ACCURACY = 1e-9, 1e-6

#: Distance from the onset at which the growth of the rate is checked, relative to the value (taken to be at least the second).
_CHECK, _LEAST_SCALE = 0.02, 0.1
#: At half the distance a convex rate has half the value or less; next to a tricritical point barely.
_CONVEX = 0.7

#: Steps along the path while a saddle is followed, relative to its value: to tell which way is downhill, and at most the
#: first of the walk; the shortest, over the first, and the factor by which each is longer than the last.
_TEST_STEPS, _STEP, _SMALLEST_STEP, _LONGER = 10.0 ** -np.arange(3.0, 10.0), 0.02, 1e-4, 1.5
#: A saddle whose log moments move by more than this in a step is taken for another one.
_JUMP = 0.7

#: Places to either side of the present value where a change of sign is looked for: factors for gains and spreads, whose value is
#: taken to be at least ``_LEAST_SCALE``; where values may be negative distances in units of the last, a share of the span: 1/4 for
#: biases.
_FACTORS, _DISTANCE = 1.3 ** np.arange(1, 30), 1.0 / 240.0


@underflow_is_zero
def complexity_onset(ensemble: Ensemble, parameter: AnyPath, bounds: tuple[float, float] | None = None) -> Critical:
    """The value along a path at which the annealed complexity becomes positive [T7].

    Where the transition is continuous that is the onset of the zero state (``discontinuous`` is False): the rate grows from zero
    like a power of the distance, (16/81) eps^3 in the vanilla network, eps^2 / 6 in that of an orthogonal matrix [T10], which is
    checked at two distances. Where it is not, fixed
    points of finite amplitude turn up in exponential numbers before the zero state loses stability, and also before mean-field
    theory sees any (``gt.fold``): the value at which the rate of the largest saddle crosses zero.

    The GRU's transition along gain.h turns discontinuous at a_r^2 = 4/((1 - s)(5 - 7s)) with s = sigma(b_r), from the law of
    small amplitudes [T7]: a_r = 4/sqrt(3) = 2.3094 at b_r = 0, where mean-field theory has sqrt(8). Numbers agree: beyond it the
    distance to the zero state's onset grows like the square of a_r^2 - 16/3, and its root extrapolates to zero within 1e-4 of it.

    Parameters
    ----------
    ensemble : Ensemble
    parameter : str, Direction or callable, a path as for :func:`onset`
    bounds : (low, high), optional
        Default (0, 100) for gains and spreads, (-30, 30) for biases, (0, 1) for a Direction; a function needs them.

    Returns
    -------
    Critical
        Accurate to about 1e-9, the accuracy to which the saddle is followed (cells whose site integral runs over three and more
        fields: 1e-6; within 2e-4 of a tricritical point, relative, 1e-8: amplitudes are too small to be seen there). ``moments``
        are those of a typical fixed point there, or 1e-4 beside it. For ensembles without a zero state it is the change of sign
        nearest to the present value (the lowest where the path does not pass through the ensemble): where the mean-field fixed
        point becomes unstable if the rate grows from zero there, which is checked, else by bisection (to 1e-4 if the rate reaches
        zero smoothly somewhere else). The same search is the second try where that from the zero state fails.

    Raises
    ------
    TypeError, ValueError
        not an Ensemble, no such path, bounds that are none
    NoCriticalValue
        no change of sign within the bounds
    CapabilityError
        the cell is not bounded
    ConvergenceError
        The saddle was lost on the way while its rate was not zero: a rate that is positive ends at zero only, so that the solver
        has failed. Or a complexity on the way did not converge.

    See Also
    --------
    complexity : the rate itself
    fold : where mean-field theory sees fixed points appear

    Examples
    --------
    Exponentially many fixed points turn up before the zero state of this GRU loses stability, at 2:

    >>> import gating_theory as gt
    >>> found = gt.complexity_onset(gt.Ensemble(gt.GRU, gain={"r": 6}), "gain.h", bounds=(1, 3))
    >>> print(round(float(found), 4), found.discontinuous)
    1.7493 True
    """
    instance("ensemble", ensemble, Ensemble)
    ensemble.require("complexity", "complexity_onset", "count_fixed_points of sampled networks")
    if not ensemble.cell.compiled.bounded:
        raise CapabilityError(f"cell {ensemble.cell.name!r} has messages that grow without bound with its fields: no complexity")
    path = Path(ensemble, parameter, bounds)
    try:
        start = onset(ensemble, path.along, (path.low, path.high))
    except (CapabilityError, NoCriticalValue):  # no zero state, or none that changes its stability
        return _by_sign(path)
    try:
        return _from_zero_state(path, start)
    except ConvergenceError as failed:
        try:  # from the present value: where that is a neighbour's onset it is near
            return _by_sign(path)
        except (ConvergenceError, NoCriticalValue):
            raise failed from None


def _from_zero_state(path, start):
    """The onset of complexity, from that of the zero state's instability: there, or where a saddle positive there ends."""
    best = _largest(start.ensemble)
    if best is None or best.value <= _POSITIVE:
        _check_continuous(path, float(start))
        text = "continuous transition: the complexity grows from zero at the onset of instability of the zero state"
        text += in_few_sites(start.half_share, 1.0, "count_fixed_points counts those of networks")
        return continuous(start, "complexity_onset", text)
    return _zero_along(path, float(start), best, (path.low, path.high))


def _largest(ensemble):
    """The largest maximum among the saddles, or None; ConvergenceError where one may have been missed."""
    found = complexity(ensemble)
    if found.status.code == "incomplete":
        raise ConvergenceError(f"{ensemble!r}: {found.status}", estimate=found)
    return found.saddles[0] if found.saddles and found.saddles[0].maximum else None


def _check_continuous(path, value):
    """ConvergenceError unless the rate grows from zero next to the onset of the zero state, on its unstable side only."""
    distance = _CHECK * max(abs(value), _LEAST_SCALE)
    rates = {}
    for sign in (1.0, -1.0):
        for share in (1.0, 0.5):
            place = value + sign * share * distance
            if not path.along.range[0] <= place <= path.along.range[1]:
                break
            saddle = _largest(path.along.at(path.ensemble, place))
            rates[sign, share] = saddle.value if saddle is not None else 0.0
    for sign in (1.0, -1.0):
        far, near = rates.get((sign, 1.0), 0.0), rates.get((sign, 0.5), 0.0)
        if 0.0 < near < _CONVEX * far and rates.get((-sign, 0.5), 0.0) <= _POSITIVE:
            return
    text = ", ".join(f"{r:.3g} at {value + sign * share * distance:.6g}" for (sign, share), r in rates.items())
    raise ConvergenceError(
        f"the complexity does not grow from zero at {path.parameter} = {value}, where the zero state loses stability: {text}",
        estimate=value,
    )


def _zero_along(path, p, saddle, bounds):
    """Follow a saddle of positive rate to where its rate is zero."""
    from scipy.optimize import brentq

    def at(value, near):
        first, last = path.along.range
        if not first <= value <= last:
            return None
        try:  # beyond the bounds too: which way is downhill shows on both sides of an onset that lies on one of them
            return follow_saddle(ComplexityFunctional(path.along.at(path.ensemble, float(value))), near)
        except ConvergenceError:
            return None

    direction, fall = _downhill(at, p, saddle, max(abs(p), _LEAST_SCALE))
    # next to a tricritical point the zero is much nearer than any fixed step
    step = min(_STEP * max(abs(p), _LEAST_SCALE), saddle.value / fall)
    shortest = _SMALLEST_STEP * step
    known = {p: saddle}
    while True:
        trial = float(np.clip(p + direction * step, *bounds))
        there = at(trial, saddle)
        if there is None or not _near(there, saddle):
            step *= 0.5
            if step < shortest:
                raise ConvergenceError(
                    f"the saddle was lost at {path.parameter} = {p} with a rate of {saddle.value:.3g}", estimate=p
                )
            continue
        known[trial] = there
        if there.value < 0.0:
            break
        if trial in bounds:
            raise NoCriticalValue(
                f"complexity_onset: the rate stays positive along {path.parameter!r} to the bound {trial} for {path.ensemble!r}"
            )
        p, saddle = trial, there
        step *= _LONGER

    def rate(value):
        nearest = known[min(known, key=lambda k: abs(k - value))]
        found = at(value, nearest)
        if found is None:
            raise ConvergenceError(f"the saddle was lost at {path.parameter} = {value}", estimate=value)
        known[value] = found
        return found.value

    value = brentq(rate, p, trial, xtol=1e-13, rtol=1e-13)
    return _critical(path, value, known[min(known, key=lambda k: abs(k - value))], True, direction < 0.0)


def _downhill(at, p, saddle, scale):
    """(sign, fall): the way in which the rate of a saddle falls, and by how much per unit."""
    for size in _TEST_STEPS * scale:
        for sign in (1.0, -1.0):
            there = at(p + sign * size, saddle)
            if there is not None and there.value < saddle.value and _near(there, saddle):
                return sign, (saddle.value - there.value) / size
    raise ConvergenceError(f"the saddle at {p} could not be followed", estimate=p)


def _near(there, here):
    """Whether two saddles are near enough to be one and the same."""
    return abs(np.log(there.point.q / here.point.q)).max() <= _JUMP


def _critical(path, value, saddle, discontinuous, rising, error=0.0):
    """The Critical at this value; ``error`` is that of closing in on it where that is more than the saddle's."""
    ensemble = path.at(value)
    functional = ComplexityFunctional(ensemble)
    moments = dict(zip(ensemble.cell.message_names, functional.all_moments(saddle.point).tolist()))
    text = "discontinuous transition: fixed points of finite amplitude become exponentially many"
    if not discontinuous:
        text = "the rate of the fixed points' number reaches zero smoothly"
    return transition(
        value,
        path.parameter,
        kind="complexity_onset",
        error=max(error, _ACCURACY if functional.dimension <= 2 else _LESS_ACCURACY),
        discontinuous=discontinuous,
        moments=moments,
        ensemble=ensemble,
        text=text,
        rising=bool(rising),
    )


def _by_sign(path):
    """The change of sign nearest to the present value, for ensembles without a zero state; the lowest where there is none."""

    def best(value, near):
        there = path.at(value)
        try:
            found = _largest(there)
        except ConvergenceError:
            if near is None:
                raise
            found = follow_saddle(ComplexityFunctional(there), near)  # a neighbour's saddle may reach so far
        return found if found is not None and found.value > _POSITIVE else None

    low, high = path.low, path.high
    present = low if np.isnan(path.present) else min(max(path.present, low), high)
    here = best(present, None)
    sides = {way: (present, here) for way in (-1.0, 1.0)}  # the last place to each side, and what is there
    for s in _FACTORS:
        for way in sides:
            trial = min(max(_place(path, present, way, s), low), high)
            before, last = sides[way]
            if trial == before:  # the bound has been looked at
                continue
            there = best(trial, last)
            if (there is None) != (last is None):
                inside, positive, outside = (trial, there, before) if last is None else (before, last, trial)
                return _bisect(path, inside, positive, outside)
            sides[way] = trial, there
    raise NoCriticalValue(
        f"complexity_onset: no critical value of {path.parameter!r} between {low} and {high} for {path.ensemble!r}"
    )


def _place(path, present, way, factor):
    """A place below or above the present value, at a factor where there is no sign to cross."""
    if path.along.signed:
        low, high = path.along.span or (path.low, path.high)
        return present + way * _DISTANCE * (high - low) * factor
    return max(present, _LEAST_SCALE) * factor**way


def _edge(path, inside, outside):
    """Where the largest mean-field fixed point becomes unstable, if the complexity grows from zero there; else None."""
    from scipy.optimize import brentq

    def excess(value):
        functional = ComplexityFunctional(path.at(value))
        if not functional.mean_field:
            return -1.0
        return functional.loop_strength(functional.plain(functional.mean_field[-1])) - 1.0

    if not excess(inside) > 0.0 > excess(outside):
        return None
    value = brentq(excess, inside, outside, xtol=1e-12, rtol=1e-12)
    step = np.copysign(_BRACKET * max(1.0, abs(value)), inside - value)
    near, beyond = (_largest(path.at(value + side * step)) for side in (1.0, -1.0))
    if near is None or not _POSITIVE < near.value < _ENDS or (beyond is not None and beyond.value > _POSITIVE):
        return None
    return _critical(path, float(value), near, False, inside > outside)


def _bisect(path, inside, saddle, outside):
    """Between a value with positive complexity and one without: the zero of the saddle's rate, which crosses it or ends there."""
    edge = _edge(path, inside, outside)
    if edge is not None:
        return edge
    while abs(outside - inside) > _BRACKET * max(1.0, abs(inside)):
        middle = 0.5 * (inside + outside)
        found = _largest(path.at(middle))
        if found is not None and found.value > _POSITIVE:
            inside, saddle = middle, found
        elif found is not None and found.value < _NEGATIVE:
            return _zero_along(path, inside, saddle, tuple(sorted((inside, outside))))
        else:
            outside = middle
    if saddle.value > _ENDS:
        # ends of the ridge have rates of zero and below, so that its largest maximum cannot vanish at a positive one
        raise ConvergenceError(
            f"the saddle was lost at {path.parameter} = {inside} with a rate of {saddle.value:.3g}, which is not zero",
            estimate=inside,
        )
    return _critical(path, inside, saddle, False, inside > outside, _BRACKET)
