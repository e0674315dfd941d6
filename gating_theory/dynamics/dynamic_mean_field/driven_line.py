"""The least value of a hyperparameter with a chaotic state where there is no zero state: biases, frozen patterns, white input [T8].

There is no branch that begins at nothing. The largest exponent of all states is looked at along the path; where it first rises
through zero chaos begins: continuously where a state that moves already, or a fixed point, loses its stability, or with a jump
where two states are born.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ...ensemble.critical_value import Critical
from ...ensemble.ensemble import Ensemble
from ...ensemble.paths import EnsemblePath
from ...errors import ConvergenceError, NoCriticalValue
from ...mean_field.fixed_points import fixed_points
from ...results.status import Status
from ...running.progress import Progress
from ...spectrum.spectrum import Spectrum
from .clock import Clock, even_spectrum
from .lag_exponent import lag_exponent
from .lag_law import lag_form
from .lag_states import lag_states, largest_variance
from .path_solver import Paths, is_static, path_result

__all__ = ["Moving", "driven_line", "moving_by_lag", "moving_by_paths"]

#: Values that are looked at first. An exponent that is this much larger beside the line than before it jumps.
LOOKS, _JUMP = 17, 5e-3
#: Exponents of fixed points that decide by themselves; accuracy of those by the exact form; amplitudes at which fixed points are
#: looked for, the least as a part of the largest.
_MARGINAL, _EXPONENT, _SIZES, _LEAST = 0.01, 1e-8, 17, 1e-4
#: What stands for the exponent where nothing moves.
_NOTHING = -1.0


class Moving(NamedTuple):
    """The most chaotic state of an ensemble: its largest exponent per unit of time, the error of that, moments of messages."""

    exponent: float
    error: float
    moments: dict[str, float]


#: What is asked at each ensemble.
Asked = Callable[[Ensemble], Moving]


def moving_by_lag(ensemble: Ensemble, clock: Clock) -> Moving:
    """By the exact form, of all states; where a fixed point is nearly marginal by that alone: what moves there is slow and small.

    Parameters
    ----------
    ensemble : Ensemble, with a constant leak
    clock : Clock
    """
    form, names = lag_form(ensemble), ensemble.cell.message_names
    assert form is not None
    best = max(_at_rest(form, clock), default=(_NOTHING, None), key=_exponent)
    if not abs(best[0]) < _MARGINAL:
        found = [(float(lag_exponent(shape)), shape.law) for shape in lag_states(form, clock)]
        best = max(found, default=(_NOTHING, None), key=_exponent)
    exponent, law = best
    if law is None:
        return Moving(exponent, 0.0, dict.fromkeys(names, 0.0))
    rows = [ensemble.cell.message_of.index(m) for m in range(len(names))]
    return Moving(exponent, _EXPONENT, dict(zip(names, law.message_moments[rows].tolist())))


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
    ConvergenceError : the state was not solved
    """
    found = path_result(ensemble, paths)
    exponent, error = found.lyapunov()
    if np.isfinite(exponent):
        return Moving(exponent, error, found.moments)
    if found.verdict == "zero_state":
        return Moving(_NOTHING, 0.0, found.moments)
    if not ensemble.has_white_input and is_static(even_spectrum(found.correlations)):
        return Moving(_rate_at_rest(found, paths.clock), 0.0, found.moments)
    raise ConvergenceError(f"chaos_line: a state on the way was not solved: {found.status}", estimate=found.moments)


def _rate_at_rest(found, clock):
    """Growth at the fixed point of the mean field that a state by paths, which does not move, is nearest to."""
    name = found.ensemble.cell.message_names[0]
    point = min(fixed_points(found.ensemble), key=lambda point: abs(point.moments[name] - found.moments[name]))
    spectrum = Spectrum(point)
    if clock.flow:
        return spectrum.abscissa() - 1.0
    if clock.step == 1.0:
        return float(np.log(spectrum.radius()))
    return float(np.log(1.0 + clock.step * (spectrum.abscissa() - 1.0))) / clock.step


def driven_line(
    ensemble: Ensemble, path: EnsemblePath, bounds: tuple[float, float], asked: Asked, tol: float, tell: Progress
) -> Critical:
    """The least value within bounds at which a state of positive exponent exists.

    Parameters
    ----------
    ensemble : Ensemble
    path : EnsemblePath
    bounds : (low, high)
    asked : callable
    tol : float, to which the value is found
    tell : Progress, of values looked at; those beyond ``LOOKS`` are announced

    Raises
    ------
    NoCriticalValue : chaos already at the lower bound, or nowhere at the values that are looked at
    """
    from scipy.optimize import brentq

    known: dict[float, Moving] = {}

    def exponent(value):
        value = float(value)
        if value not in known:
            if len(known) >= LOOKS:
                tell.more(1)
            known[value] = asked(path.at(ensemble, value))
            tell(1)
        return known[value].exponent

    grid = np.linspace(*bounds, LOOKS)
    found = []
    for value in grid:
        found.append(exponent(value) > 0.0)
        if found[0]:
            raise NoCriticalValue(f"chaos_line: chaos already at {path} = {bounds[0]:.6g}, the lower of the bounds")
    if not any(found):
        raise NoCriticalValue(f"chaos_line: no chaos at {LOOKS} values of {path} within {tuple(bounds)}")
    first = int(np.argmax(found))
    scale = tol * max(1.0, abs(grid[first]))
    root = brentq(exponent, grid[first - 1], grid[first], xtol=scale)
    for beside in (root - scale, root + scale):  # a search may have come from one side only
        exponent(np.clip(beside, grid[first - 1], grid[first]))
    before = max(value for value, state in known.items() if value <= grid[first] and state.exponent <= 0.0)
    after = min(value for value, state in known.items() if value > before and state.exponent > 0.0)
    return _told(ensemble, path, known, (before, after), grid[np.flatnonzero(np.diff(found))[1:]])


def _told(ensemble, path, known, ends, later):
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
    if later.size:
        text += f"; it ends and begins again near {', '.join(f'{place:.4g}' for place in later)}"
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
