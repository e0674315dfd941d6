"""The least value of a hyperparameter with a chaotic state where there is no zero state: biases, frozen patterns, white input [T8].

There is no branch that begins at nothing. The largest exponent of all states is looked at along the path; where it first rises
through zero chaos begins: continuously where a state that moves already, or a fixed point, loses its stability, or with a jump
where two states are born.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from ...ensemble.critical_value import Critical
from ...ensemble.ensemble import Ensemble
from ...ensemble.paths import EnsemblePath
from ...errors import ConvergenceError, NoCriticalValue
from ...results.status import Status
from ...running.progress import Progress
from .at_rest import rate_at_rest
from .clock import Clock, even_spectrum
from .lag_exponent import lag_exponent
from .lag_law import lag_form
from .lag_states import Branch, lag_states, largest_variance
from .path_solver import Paths, path_result
from .windows import is_static

__all__ = ["LOOKS", "Asked", "Moving", "by_lag", "by_paths", "driven_line", "moving_by_lag", "moving_by_paths"]

#: Values that are looked at until one has chaos. An exponent that is this much larger beside the line than before it jumps.
LOOKS, _JUMP = 17, 5e-3
#: Exponents of fixed points that decide by themselves; accuracy of those by the exact form; amplitudes at which fixed points are
#: looked for, the least as a part of the largest.
_MARGINAL, _EXPONENT, _SIZES, _LEAST = 0.01, 1e-8, 17, 1e-4
#: What stands for the exponent where nothing moves.
_NOTHING = -1.0
#: In log D: how far below a state the birth of two is looked for, how near it is found by rough values, good to 1e-5; what
#: three values of all digits around it are apart.
_BELOW, _ROUGHLY, _AROUND = 2.5, 0.03, 0.03


class Moving(NamedTuple):
    """The most chaotic state of an ensemble: its largest exponent per unit of time, the error of that, moments of messages."""

    exponent: float
    error: float
    moments: dict[str, float]
    n_states: int = 1  #: how many there are


class Asked(NamedTuple):
    """What is asked along a path."""

    moving: Callable[[Ensemble], Moving]
    looked: Callable[[Ensemble], Moving]  #: the same where little more than the sign of the exponent counts
    #: (path, ensemble, moments of its state) -> the value at which that state is born at a finite amplitude, and itself there
    born: Callable[[EnsemblePath, Ensemble, dict[str, float]], tuple[float, Moving] | None]


def by_lag(clock: Clock) -> Asked:
    """The exact form.

    Parameters
    ----------
    clock : Clock
    """
    return Asked(partial(moving_by_lag, clock=clock), partial(moving_by_lag, clock=clock, rough=True), partial(_born_by_lag, clock))


def by_paths(paths: Paths) -> Asked:
    """Gaussian paths, which find one state at each value: two that are born are not told from one that changes.

    Parameters
    ----------
    paths : Paths
    """
    moving = partial(moving_by_paths, paths=paths)
    return Asked(moving, moving, lambda path, ensemble, moments: None)


def moving_by_lag(ensemble: Ensemble, clock: Clock, rough: bool = False) -> Moving:
    """By the exact form, of all states; where a fixed point is nearly marginal by that alone: what moves there is slow and small.

    Parameters
    ----------
    ensemble : Ensemble, with a constant leak
    clock : Clock
    rough : bool, whether three digits of the exponent are enough
    """
    form, names = lag_form(ensemble), ensemble.cell.message_names
    assert form is not None
    found = _at_rest(form, clock)
    best = max(found, default=(_NOTHING, None), key=_exponent)
    if not abs(best[0]) < _MARGINAL:
        found = [(float(lag_exponent(shape)), shape.law) for shape in lag_states(form, clock, rough)]
        best = max(found, default=(_NOTHING, None), key=_exponent)
    exponent, law = best
    if law is None:
        return Moving(exponent, 0.0, dict.fromkeys(names, 0.0), 0)
    return Moving(exponent, _EXPONENT, _moments(ensemble, law), len(found))


def _moments(ensemble, law):
    cell = ensemble.cell
    rows = [cell.message_of.index(m) for m in range(len(cell.message_names))]
    return dict(zip(cell.message_names, law.message_moments[rows].tolist()))


def _born_by_lag(clock, path, ensemble, moments):
    """The minimum of the value along the branch of amplitudes below a state; None where it has none there."""
    from scipy.optimize import minimize_scalar

    branch, form = Branch(ensemble, path, clock), lag_form(ensemble)
    top = float(np.log(form.variance_of(moments[ensemble.cell.message_names[0]])))

    def value(log_size, rough):
        try:
            return branch.value(float(np.exp(log_size)), rough)
        except NoCriticalValue:  # too small: input alone makes more
            return np.inf

    def finite(log_size):
        return min(value(log_size, True), path.range[1])

    found = minimize_scalar(finite, bounds=(top - _BELOW, top), method="bounded", options={"xatol": _ROUGHLY})
    places = found.x + _AROUND * np.array([0.0, -1.0, 1.0])
    values = np.array([value(place, False) for place in places])
    bend = values[1] + values[2] - 2.0 * values[0]
    if not (np.isfinite(bend) and bend > 0.0):
        return None
    place = float(places[0] + 0.5 * _AROUND * (values[1] - values[2]) / bend)
    if not top - _BELOW < place < top:
        return None
    least = value(place, False)
    shape = branch.shape(least, float(np.exp(place)))
    there = path.at(ensemble, least)
    return least, Moving(float(lag_exponent(shape)), _EXPONENT, _moments(there, shape.law))


def _exponent(found):
    return found[0]


def _at_rest(form, clock):
    """[(exponent, law)] of fixed points: correlations that are the same at all lags."""
    from scipy.optimize import brentq

    if form.white or not form.frozen:
        return []
    high = largest_variance(form, clock)

    def growth(log_size):
        size = float(np.exp(log_size))
        return float(np.log(max(form.at(size)(np.full(2, size))[0][1], 1e-300) / (form.leak**2 * size)))

    places = np.log(high) if high else 0.0
    grid = np.linspace(places + np.log(_LEAST), places, _SIZES) if high else np.zeros(0)
    heights = [growth(place) for place in grid]
    out = []
    for a, b, first, second in zip(grid, grid[1:], heights, heights[1:]):
        if first * second < 0.0:
            size = float(np.exp(brentq(growth, a, b, xtol=1e-13)))
            law = form.at(size)
            push = float(np.sqrt(law(np.full(2, size))[1][1]))
            rate = push - form.leak if clock.flow else np.log(1.0 + clock.step * (push - form.leak)) / clock.step
            out.append((float(rate), law))
    return out


def moving_by_paths(ensemble: Ensemble, paths: Paths) -> Moving:
    """By Gaussian paths, of the state that a large start leads to; where that does not move, of the fixed point.

    Parameters
    ----------
    ensemble : Ensemble
    paths : Paths

    Raises
    ------
    ConvergenceError
        the state was not solved
    """
    found = path_result(ensemble, paths)
    exponent, error = found.lyapunov()
    if np.isfinite(exponent):
        return Moving(exponent, error, found.moments)
    if found.verdict == "zero_state":
        return Moving(_NOTHING, 0.0, found.moments)
    if not ensemble.has_white_input and is_static(even_spectrum(found.correlations)):
        rate = rate_at_rest(ensemble, paths.clock, np.array(list(found.moments.values())))
        if rate is not None:
            return Moving(rate, 0.0, found.moments)
    raise ConvergenceError(f"chaos_line: a state on the way was not solved: {found.status}", estimate=found.moments)


def driven_line(
    ensemble: Ensemble, path: EnsemblePath, bounds: tuple[float, float], asked: Asked, tol: float, tell: Progress
) -> Critical:
    """The least value within bounds at which a state of positive exponent exists.

    Parameters
    ----------
    ensemble : Ensemble
    path : EnsemblePath
    bounds : (low, high)
    asked : Asked
    tol : float, to which the value is found
    tell : Progress, of values; those beyond ``LOOKS`` are announced

    Raises
    ------
    NoCriticalValue
        chaos already at the lower bound, or nowhere at the values that are looked at
    """
    from scipy.optimize import brentq

    known: dict[float, Moving] = {}

    def exponent(value, how=asked.moving):
        value = float(value)
        if value not in known:
            if len(known) >= LOOKS:
                tell.more(1)
            known[value] = how(path.at(ensemble, value))
            tell(1)
        return known[value].exponent

    low, high = _first_chaos(path, bounds, lambda value: exponent(value, asked.looked))
    scale = tol * max(1.0, abs(high))
    if known[high].n_states > known[low].n_states:
        born = asked.born(path, path.at(ensemble, high), known[high].moments)
        if born is not None and low < born[0] - scale and born[0] < high and born[1].exponent > 0.0:
            known[born[0]] = born[1]
            if exponent(born[0] - scale) <= 0.0:
                return _told(ensemble, path, known, (born[0] - scale, born[0]))
            high = born[0] - scale
    root = brentq(exponent, low, high, xtol=scale)
    for beside in (root - scale, root + scale):  # a search may have come from one side only
        exponent(np.clip(beside, low, high))
    before = max(value for value, state in known.items() if value <= high and state.exponent <= 0.0)
    after = min(value for value, state in known.items() if value > before and state.exponent > 0.0)
    return _told(ensemble, path, known, (before, after))


def _first_chaos(path, bounds, exponent):
    """(the last value without chaos, the first with it) of those that are looked at, from the lower bound up."""
    grid = [float(value) for value in np.linspace(*bounds, LOOKS)]
    for number, value in enumerate(grid):
        chaotic = exponent(value) > 0.0
        if chaotic and not number:
            raise NoCriticalValue(f"chaos_line: chaos already at {path} = {bounds[0]:.6g}, the lower of the bounds")
        if chaotic:
            return grid[number - 1], value
    raise NoCriticalValue(f"chaos_line: no chaos at {LOOKS} values of {path} within {tuple(bounds)}")


def _told(ensemble, path, known, ends):
    before, after = (known[value] for value in ends)
    jumps = after.exponent - before.exponent > _JUMP
    if jumps:
        value, text = ends[1], f"chaos above, by a jump to an exponent of {after.exponent:.4g}"
        error = ends[1] - ends[0]
    else:
        steep = (after.exponent - before.exponent) / (ends[1] - ends[0])
        value = ends[0] - before.exponent / steep
        text, error = (
            "chaos above, continuously: the exponent passes zero",
            max(after.error, before.error) / steep + ends[1] - ends[0],
        )
    return Critical(
        float(value),
        path.name,
        kind="chaos",
        error=float(error),
        discontinuous=bool(jumps),
        moments=after.moments,
        ensemble=path.at(ensemble, float(value)),
        status=Status("discontinuous" if jumps else "continuous", text),
        below=(before.exponent if before.exponent > _NOTHING else np.nan, before.error),
        above=(after.exponent, after.error),
        rising=True,
    )
