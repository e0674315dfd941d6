"""Where networks cease to forget their start under a common input: the boundary of the echo state along a path [T8b].

On one side there is one state, in which copies agree. It is lost where its conditional exponent passes zero, or by a jump where a
chaotic state is born beside it at a finite amplitude. Input can destroy an echo state and restore it, so that there may be several
boundaries along a path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ...ensemble.critical_value import Critical, transition
from ...ensemble.ensemble import Ensemble
from ...ensemble.paths import AnyPath
from ...errors import ConvergenceError, NoCriticalValue
from ...mean_field.path import Path
from ...running.progress import Progress, check_progress
from ...support.arithmetic import underflow_is_zero
from ...support.checks import instance
from ...support.types import Progress as Wanted
from ...support.types import Rng
from ..dynamic_mean_field.clock import Clock
from ..dynamic_mean_field.lag_law import lag_form
from ..dynamic_mean_field.lag_states import Branch
from .common_states import CommonState, How, common_states, states_at_rest
from .echo_state import how_asked, verdict_of

__all__ = ["echo_line", "every_echo_line"]

#: Where gains and spreads are looked at when nobody says; at how many places, of the exact form and of paths.
_HIGHEST, _LOOKS, _LOOKS_OF_PATHS = 20.0, 33, 13
#: Chunks and sites of a first look by paths.
_ROUGH_SITES, _ROUGH_REFINE = 500, 5
#: A zero of an exponent is closed in on to this, and by rough paths, relative to the larger of 1 and the value.
_CLOSE, _ROUGH = 1e-10, 2e-3
#: A bracket in which the number of states or the exponent changes by a jump is halved to this, and by paths; exponents of this size
#: next to a boundary are no zeros: of the exact form, and in such a bracket.
_NARROW, _NARROW_OF_PATHS, _ZERO, _FINITE = 1e-3, 0.02, 1e-6, 0.01
#: Where the slope of an exponent of rough paths is taken, relative to the larger of 1 and the value.
_ASIDE = 0.03
#: The amplitude of a fold, in its logarithm.
_FOLD = 1e-4
#: An extremum between two looks is sought where the exponent is less than so many of its changes from zero; to this part of a look.
_SUMMIT, _OF_A_LOOK = 1.0, 0.02
#: What exponents of the exact form, and folds, are known to.
_EXACT, _OF_FOLD = 1e-8, 1e-8


@underflow_is_zero
def echo_line(
    ensemble: Ensemble,
    parameter: AnyPath,
    bounds: tuple[float, float] | None = None,
    *,
    step: float | None = None,
    flow: bool = False,
    method: str = "auto",
    n_sites: int = 1000,
    refine: int = 20,
    rng: Rng = 0,
    progress: Wanted = None,
) -> Critical:
    """The value along a path at which the echo state is lost or restored [T8b], of several the one nearest to the present one.

    Parameters
    ----------
    ensemble : Ensemble, with white (``input_std``) or frozen (``bias_std``) input, or none
    parameter : str, Direction or callable, a path such as "gain.h" or "input_std.h"
    bounds : (low, high), optional
        Default (0, 20) for gains and spreads, else the path's span. It is looked at in 33 places (paths: 13), even in
        asinh(2 value), and between them where an exponent turns back next to zero; boundaries that are closer to one another
        need narrower bounds.
    step, flow, method, n_sites, refine, rng : as of :func:`echo_state`
    progress : None, True (a bar) or callable(done, total), in values at most

    Returns
    -------
    Critical, of the kind "echo"
        Its ``error`` is about 1e-8 where the leak is constant, else a standard error. ``rising``: the echo state is lost upwards.
        ``discontinuous``: a state of finite amplitude is born there, or lost. ``below`` and ``above`` are the largest conditional
        exponents on both sides with their errors, ``moments`` those of the state that this is about.

    Raises
    ------
    TypeError, ValueError, CapabilityError
        as :func:`echo_state`
    NoCriticalValue
        no boundary within the bounds
    ConvergenceError
        no state was solved at any of the places

    See Also
    --------
    echo_state : on which side an ensemble is

    Examples
    --------
    How much white input a vanilla network of gain 1.5 needs to forget where it started:

    >>> import gating_theory as gt
    >>> found = gt.echo_line(gt.Ensemble(gt.Vanilla, gain=1.5), "input_std.h", bounds=(0.1, 2))
    >>> print(round(float(found), 4), found.rising)
    0.4314 False
    """
    boundary, tell = _asked(ensemble, parameter, bounds, step, flow, method, n_sites, refine, rng, progress)
    with tell:
        found: list[Critical] = []
        for low, high, distance in _outward(boundary.ends, boundary.path.present):
            if found and distance >= min(boundary.distance(one) for one in found):
                break
            found += boundary.between(low, high, tell)
    if not found:
        raise NoCriticalValue(boundary.nothing())
    best = boundary.path.nearest([float(one) for one in found])
    return next(one for one in found if float(one) == best)


@underflow_is_zero
def every_echo_line(
    ensemble: Ensemble,
    parameter: AnyPath,
    bounds: tuple[float, float] | None = None,
    *,
    step: float | None = None,
    flow: bool = False,
    method: str = "auto",
    n_sites: int = 1000,
    refine: int = 20,
    rng: Rng = 0,
    progress: Wanted = None,
) -> list[Critical]:
    """All boundaries of the echo state along a path, ascending: each as by :func:`echo_line`.

    Parameters
    ----------
    ensemble, parameter, bounds, step, flow, method, n_sites, refine, rng, progress : as for :func:`echo_line`
    """
    boundary, tell = _asked(ensemble, parameter, bounds, step, flow, method, n_sites, refine, rng, progress)
    with tell:
        found = [one for low, high in zip(boundary.ends, boundary.ends[1:]) for one in boundary.between(low, high, tell)]
    if not found:
        raise NoCriticalValue(boundary.nothing())
    return sorted(found)


def _asked(ensemble, parameter, bounds, step, flow, method, n_sites, refine, rng, progress):
    path = Path(instance("ensemble", ensemble, Ensemble), parameter, bounds)
    if bounds is None and not path.along.signed:
        path = Path(ensemble, parameter, (path.low, min(path.high, _HIGHEST)))
    how = how_asked("echo_line", [path.at(path.low), path.at(path.high)], step, flow, method, n_sites, refine, rng)
    check_progress(progress)
    boundary = _Boundary(path, how)
    return boundary, Progress(progress, len(boundary.ends), "value")


def _outward(ends, present) -> Iterator[tuple[float, float, float]]:
    """Stretches between neighbouring ends and their distances from the present value, the nearest first."""
    stretches = zip(ends[:-1], ends[1:])
    distances = [(0.0 if np.isnan(present) else max(a - present, present - b, 0.0), a, b) for a, b in stretches]
    yield from ((a, b, distance) for distance, a, b in sorted(distances))


class _Look(NamedTuple):
    """What is known at a value."""

    value: float
    states: tuple[CommonState, ...]
    lost: bool  #: whether copies do not all agree
    exponent: float  #: the largest

    @property
    def leading(self) -> CommonState:
        return max(self.states, key=lambda state: state.exponent)

    @property
    def side(self) -> tuple[float, float]:
        return self.exponent, self.leading.error


@dataclass
class _Boundary:
    """The states along a path, each value solved once."""

    path: Path
    how: How

    def __post_init__(self):
        white = any(self.path.at(end).has_white_input for end in (self.path.low, self.path.high))
        closes = self.how.method != "paths" and lag_form(self.path.at(self.middle)) is not None
        self.exact = closes and not (white and self.how.flow)  # white input of a flow is taken by paths
        rough = self.how._replace(n_sites=min(self.how.n_sites, _ROUGH_SITES), refine=_ROUGH_REFINE)
        self.rough = self.how if self.exact else rough
        number = _LOOKS if self.exact else _LOOKS_OF_PATHS
        position = self.path.position
        self.ends = [self.path.value(t) for t in np.linspace(position(self.path.low), position(self.path.high), number)]
        self.known: dict[tuple[float, How], _Look | None] = {}

    @property
    def middle(self):
        return 0.5 * (self.path.low + self.path.high)

    def distance(self, value):
        return 0.0 if np.isnan(self.path.present) else abs(value - self.path.present)

    def look(self, value: float, how: How | None = None) -> _Look | None:
        """What is known at a value; None where nothing could be solved."""
        how = how or self.rough
        if (value, how) not in self.known:
            self.known[value, how] = _look(value, self.path.at(value), how)
        return self.known[value, how]

    def nothing(self) -> str:
        """Words for why there is no boundary; ConvergenceError where there may be one among states that were not solved."""
        seen = [look for look in self.known.values() if look is not None]
        if not seen:
            raise ConvergenceError(f"echo_line: no state was solved along {self.path.parameter}", estimate=self.middle)
        kept, lost = ([look.value for look in seen if look.lost == which] for which in (False, True))
        if kept and lost:
            low, high = (max(kept), min(lost)) if min(kept) < min(lost) else (max(lost), min(kept))
            where = f"between {self.path.parameter} = {low:g} and {high:g} states were not solved"
            raise ConvergenceError(f"echo_line: {where}: more sites may help", estimate=0.5 * (low + high))
        what = f"the echo state is {'lost' if lost else 'kept'} at all"
        exponents = [look.exponent for look in seen]
        return (
            f"no boundary of the echo state in {self.path.parameter} between {self.path.low:g} and {self.path.high:g}: {what} of "
            f"{len(seen)} values, the exponent is {min(exponents):.4g} to {max(exponents):.4g}"
        )

    # --- one stretch

    def between(self, low: float, high: float, tell: Callable[[int], object]) -> list[Critical]:
        """The boundaries between two neighbouring looks."""
        a, b = self.look(low), self.look(high)
        tell(1)
        if a is None or b is None:
            return []
        if a.lost != b.lost:
            return [self.closed_in(a, b)]
        summit = self.summit(a, b)
        return [] if summit is None else [self.closed_in(a, summit), self.closed_in(summit, b)]

    def summit(self, a: _Look, b: _Look) -> _Look | None:
        """A value between two looks at which the verdict is another than at both, where the exponent turns back between them."""
        from scipy.optimize import minimize_scalar

        way = -1.0 if a.lost else 1.0  # towards zero
        looks = self._turning(a, b, way)
        changes = [abs(one.exponent - other.exponent) for one, other in zip(looks, looks[1:])]
        if min(abs(a.exponent), abs(b.exponent)) > _SUMMIT * max(changes, default=0.0) or len(a.states) != len(b.states):
            return None
        found: list[_Look] = []

        def height(value):
            look = self.look(float(value))
            if look is None:
                return 0.0
            if look.lost != a.lost:
                found.append(look)
            return -way * look.exponent

        width = b.value - a.value
        inside = a.value + 1e-3 * width, b.value - 1e-3 * width
        minimize_scalar(height, bounds=inside, method="bounded", options={"xatol": _OF_A_LOOK * width, "maxiter": 12})
        return found[-1] if found else None

    def _turning(self, a, b, way):
        """Two looks and the one beyond that which is nearer to zero; none where the exponent goes on towards zero there."""
        nearer_is_b = way * b.exponent >= way * a.exponent
        i = self.ends.index(b.value) + 1 if nearer_is_b else self.ends.index(a.value) - 1
        beyond = self.look(self.ends[i]) if 0 <= i < len(self.ends) else None
        if beyond is None:
            return [a, b]
        top = max(way * a.exponent, way * b.exponent)
        if beyond.lost != a.lost or way * beyond.exponent > top:
            return []
        return [a, b, beyond] if nearer_is_b else [beyond, a, b]

    def closed_in(self, a: _Look, b: _Look) -> Critical:
        """The boundary between two looks of different verdicts."""
        narrow = _NARROW if self.exact else _NARROW_OF_PATHS
        while not self._continuous(a, b):
            scale = max(1.0, abs(b.value))
            if b.value - a.value <= narrow * scale:
                return self.jump(a, b)
            middle = self.must_look(0.5 * (a.value + b.value))
            a, b = (a, middle) if middle.lost != a.lost else (middle, b)
        return self.zero(a, b)

    def _continuous(self, a, b):
        moving = all(look.leading.kind == "moving" for look in (a, b))
        return moving and len(a.states) == len(b.states) and a.exponent * b.exponent < 0.0 and not self._apart(a, b)

    def _apart(self, a, b):
        """Whether the states of two looks are hardly the same one."""
        one, other = (next(iter(look.leading.moments.values())) for look in (a, b))
        return not 0.5 <= (one + 1e-12) / (other + 1e-12) <= 2.0

    # --- how it ends

    def zero(self, a: _Look, b: _Look) -> Critical:
        """The boundary at a zero of the exponent of one state."""
        from scipy.optimize import brentq

        scale = max(1.0, abs(b.value))
        value = float(brentq(self.exponent, a.value, b.value, xtol=(_CLOSE if self.exact else _ROUGH) * scale))
        if not self.exact:
            return self.refined(value, (a.value, b.value), b.lost)
        look = self.look(value)
        assert look is not None  # brentq was there
        if abs(look.exponent) > _ZERO:  # states are born between the two
            low, high = (self.look(float(np.clip(value + way * _ZERO * scale, a.value, b.value))) for way in (-1.0, 1.0))
            assert low is not None and high is not None
            return self.jump(low, high)
        near = value + _NARROW * (b.value - value) or value - _NARROW * (value - a.value)
        slope = (self.exponent(near) - look.exponent) / (near - value)
        return self.found(value, _EXACT / abs(slope), look, look.side, look.side, b.lost, False)

    def exponent(self, value: float) -> float:
        """The largest exponent at a value; ConvergenceError where nothing was solved."""
        return self.must_look(value).exponent

    def must_look(self, value: float, how: How | None = None) -> _Look:
        """What is known at a value; ConvergenceError where nothing was solved."""
        look = self.look(float(value), how)
        if look is None:
            raise ConvergenceError("echo_line: a state was not solved next to the boundary", estimate=float(value))
        return look

    def refined(self, value: float, within: tuple[float, float], rising: bool) -> Critical:
        """A zero that rough paths gave, by those of all sites: two steps by the slope."""
        aside = [float(np.clip(value + way * _ASIDE * max(1.0, abs(value)), *within)) for way in (-1.0, 1.0)]
        slope = (self.exponent(aside[1]) - self.exponent(aside[0])) / (aside[1] - aside[0])
        for _ in range(2):
            look = self.must_look(value, self.how)
            value = float(np.clip(look.value - look.exponent / slope, *within))
        # where rough paths have put it into a stretch beside its own, an exponent is left at the end
        error = float(np.hypot(look.leading.error, look.exponent)) / abs(slope)
        return self.found(value, error, look, look.side, look.side, rising, False)

    def jump(self, a: _Look, b: _Look) -> Critical:
        """The boundary where states are born or lost: in a bracket, or where that is known better."""
        kept, lost = (b, a) if a.lost else (a, b)
        value, error, jumps = 0.5 * (a.value + b.value), 0.5 * (b.value - a.value), True
        unstable = self.unstable(kept, lost.value) if kept.leading.kind == "fixed point" else None
        if unstable is not None:
            value, error, jumps = unstable, _EXACT * max(1.0, abs(unstable)), lost.exponent > _FINITE
        elif self.exact and lost.leading.kind == "moving":
            turn = self.turn(lost, kept.value)
            if turn is not None and abs(turn - value) <= 4.0 * error + _NARROW:
                value, error = turn, _OF_FOLD * max(1.0, abs(turn))
        return self.found(value, error, lost if jumps else kept, a.side, b.side, b.lost, jumps)

    def unstable(self, kept: _Look, beyond: float) -> float | None:
        """The value at which a fixed point loses its stability, from a look at which it is stable."""
        from scipy.optimize import brentq

        like = np.array(list(kept.leading.moments.values()))

        def exponent(value):
            states = states_at_rest(self.path.at(float(value)), self.how)
            apart = [np.abs(np.log((np.array(list(state.moments.values())) + 1e-12) / (like + 1e-12))).max() for state in states]
            return states[int(np.argmin(apart))].exponent

        beyond = kept.value + 2.0 * (beyond - kept.value)
        beyond = float(np.clip(beyond, self.path.low, self.path.high))
        if not exponent(kept.value) * exponent(beyond) < 0.0:
            return None
        return float(brentq(exponent, kept.value, beyond, xtol=_CLOSE * max(1.0, abs(beyond))))

    def turn(self, look: _Look, beyond: float) -> float | None:
        """The value at which the branch of a state turns back, between it and a value at which it is not there."""
        from scipy.optimize import minimize_scalar

        branch = Branch(self.path.at(look.value), self.path.along, Clock(self.how.step, self.how.flow))
        form = lag_form(self.path.at(look.value))
        if form is None:
            return None
        size = form.variance_of(next(iter(look.leading.moments.values())))
        way = 1.0 if beyond < look.value else -1.0  # least value, or greatest
        found = minimize_scalar(
            lambda x: way * branch.value(size * float(np.exp(x))), bounds=(-1.5, 0.1), method="bounded", options={"xatol": _FOLD}
        )
        return way * float(found.fun) if found.x > -1.4 else None

    def found(self, value, error, look, below, above, rising, jumps) -> Critical:
        """The Critical."""
        path = self.path
        text = f"echo state {'below' if rising else 'above'}; " + (
            "on the other side the start decides, or copies part: a state of finite amplitude is born there"
            if jumps
            else "there the conditional exponent passes zero"
        )
        return transition(
            value,
            path.parameter,
            kind="echo",
            error=error / max(1.0, abs(value)),
            discontinuous=jumps,
            moments=dict(look.leading.moments),
            ensemble=path.at(value),
            text=text,
            rising=bool(rising),
            below=below,
            above=above,
        )


def _look(value, ensemble, how):
    try:
        states, troubles = common_states(ensemble, how)
        if not states and not ensemble.has_white_input:  # chaos too weak to be solved, about fixed points that are not stable
            states, troubles = states_at_rest(ensemble, how), []
    except ConvergenceError:
        return None
    if not states:
        return None
    verdict = verdict_of(states, troubles).code
    exponent = max(state.exponent for state in states)
    lost = exponent > 0.0 if verdict in ("undecided", "not_converged") else verdict in ("chaotic", "two_states")
    return _Look(float(value), tuple(states), bool(lost), float(exponent))
