"""The states of a bistable ensemble by Gaussian paths: those that iteration leads to, and the one that it leaves between them [T8].

Starts of a large and of a small amplitude lead to the outer states. Between two of them there is one that no iteration at the
ensemble's own gains ends in; with the amplitude given instead and all gains multiplied by one factor it is as easy as others, and
it is where the factor is one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ...ensemble.ensemble import Ensemble
from ...ensemble.paths import Direction
from ...errors import NoCriticalValue
from .path_solver import Paths, finished, path_result, value_at_amplitude, windowed
from .ring import mean_of_ring
from .state import DynamicMeanField

__all__ = ["path_states"]

#: The small start, as a part of the largest state's second moment: smaller states are not looked for.
_SMALL = 1e-3
#: States of both starts are one where amplitudes differ by less than this.
_SAME = 0.1
#: Amplitudes at which a state between them is looked for, each as a part of the one before; secants by one chunk, to this
#: logarithm of the amplitude.
_NEXT, _SECANTS, _CLOSE = 0.6, 4, 0.02
#: The most that a logarithm of the amplitude is corrected by when all chunks have measured.
_LARGEST = 0.5
#: A chunk of n sites puts the gains of a given amplitude too high by about so many parts in n.
_SHIFT = 2.5


def path_states(ensemble: Ensemble, paths: Paths, tell: Callable[[int], object]) -> list[DynamicMeanField]:
    """States from the largest amplitude down; the zero state only where a small start ends there.

    Parameters
    ----------
    ensemble : Ensemble
    paths : Paths
    tell : callable(number of states), progress
    """
    upper = path_result(ensemble, paths)
    tell(1)
    size = upper.moments[ensemble.cell.message_names[0]]
    if not size:
        return [upper]
    _, spectra, _ = windowed(ensemble, paths, _SMALL * size)
    low = float(mean_of_ring(spectra)[0])
    if low > (1.0 - _SAME) * size:
        return [upper]
    lower = path_result(ensemble, paths, start=_SMALL * size)
    tell(1)
    between = _between(ensemble, paths, upper, max(low, _SMALL * size))
    tell(1)
    return [state for state in (upper, between, lower) if state is not None]


def _between(ensemble, paths, upper, low):
    """The state at which the growth changes sign between two amplitudes; None where it was not found."""
    along = Direction(ensemble, {f"gain.{name}": gain for name, gain in ensemble.gain.items() if gain}, "gains")
    coarse, name = paths._replace(refine=0), ensemble.cell.message_names[0]

    def missing(log_size):
        """What the gains have to be multiplied by for a state of this amplitude, less one."""
        return value_at_amplitude(ensemble, coarse, float(np.exp(log_size)), along)[0]

    try:
        place, slope = _crossing(missing, np.log(upper.moments[name]), np.log(low))
        for _ in range(2):  # what few sites are off by is large beside the slope: all chunks measure twice
            place = float(place)
            value, error, state, settled = value_at_amplitude(ensemble, paths, float(np.exp(place)), along)
            off, place = -value / slope, place + float(np.clip(-value / slope, -_LARGEST, _LARGEST))
    except NoCriticalValue:
        return None
    found = finished(ensemble, paths, state, settled, "")
    width = float(np.linalg.norm([error / slope, off, _SHIFT / paths.n_sites / slope]))
    stderr = {each: float(np.hypot(found.stderr[each], width * moment)) for each, moment in found.moments.items()}
    # exponents fall from the upper state to this one as the logarithm of the amplitude does
    apart = np.log(upper.moments[name] / found.moments[name])
    rise = (upper.exponent - found.exponent) / apart if apart > 0.0 else 0.0
    exponent_stderr = float(np.hypot(found.exponent_stderr, rise * width))
    return replace(found, ensemble=ensemble, stderr=stderr, exponent_stderr=exponent_stderr, returns=False)


def _crossing(missing, high, low):
    """(where gains are the ensemble's own below ``high``, slope there): they are too large right below an upper state."""
    step = -np.log(_NEXT)
    above, at_above = high, 0.0
    below = high - step
    while (at_below := missing(below)) <= 0.0:
        above, at_above, below = below, at_below, below - step
        if below < low:
            raise NoCriticalValue("no state between")
    if at_above == 0.0:
        raise NoCriticalValue("the states are too near each other for one chunk of sites")
    for _ in range(_SECANTS):
        place = above + (below - above) * at_above / (at_above - at_below)
        here = missing(place)
        if here <= 0.0:
            moved, above, at_above = above - place, place, here
        else:
            moved, below, at_below = place - below, place, here
        if moved < _CLOSE:
            break
    slope = (at_above - at_below) / (above - below)
    return above - at_above / slope, slope
