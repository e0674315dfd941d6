"""Two copies of any cell by Gaussian paths, from the state of one copy to the result [T8b]."""

from __future__ import annotations

import numpy as np

from ...errors import ConvergenceError
from ...running.progress import Progress
from ...support.types import Progress as Wanted
from ..dynamic_mean_field.clock import Clock, even_spectrum
from ..dynamic_mean_field.path_solver import Paths
from ..dynamic_mean_field.path_state import GROUPS, ROUNDS_AT_FIRST, error_of, path_state
from ..dynamic_mean_field.ring import Ring
from ..dynamic_mean_field.state import DynamicMeanField
from .copies import Copies
from .lag_pair_result import nothing
from .pair_rate import pair_rates
from .pair_state import PairState
from .pair_status import Found, pair_status
from .ring_pair import RingPair, correlations_of_pair

__all__ = ["LEAST_RING", "path_pair_result"]

#: Steps of the first ring: errors of one copy count 1/(1 - chi) times in what two have in common.
LEAST_RING = 256

#: 1 - c below which both copies are in the same state. Mixing leaves about the square of its residual.
_TOGETHER = 1e-3
#: Residuals of spectra that count as solved; what correlations may change by over the second half of the window, relative to C(0).
_RESIDUAL, _CHANGE = 5e-3, 0.05


def path_pair_result(one: DynamicMeanField, copies: Copies, paths: Paths, progress: Wanted = None) -> PairState:
    """The correlation of two copies of a state.

    Parameters
    ----------
    one : DynamicMeanField, of one copy
    copies : Copies
    paths : Paths
    progress : None, True or callable
    """
    if not one.correlations.any():
        return nothing(one, copies)
    spectra = np.maximum(even_spectrum(one.correlations), 0.0)
    length = 2 * spectra.shape[1] - 2
    alone = Ring(one.ensemble, Clock(one.step, one.flow), length, paths.n_sites, one.seed, one.sinusoid)
    ring = RingPair(alone, spectra, copies)
    with Progress(progress, 1 + ROUNDS_AT_FIRST + min(GROUPS, paths.refine), "stage") as tell:
        few = path_state(ring, ring.of_coherence(copies.start), 0)
        tell(1)
        if _are_together(few, copies) and one.exponent > 2.0 * one.exponent_stderr:
            # mixing may end in the state of both, which copies leave: once more from copies that are not alike
            few = path_state(ring, ring.of_coherence(0.0), 0)
        if _are_together(few, copies):
            tell.finish()
            return _of_common_state(one, copies)
        state = path_state(ring, few.spectra, paths.refine, tell=tell)
        tell.finish()
        return _of_common_state(one, copies) if _are_together(state, copies) else _of_pair(one, copies, ring, state, few)


def _are_together(found, copies):
    between, alone = (C[:, 0] for C in correlations_of_pair(found.spectra))
    return copies.common and bool((alone - between <= _TOGETHER * alone).all())


def _of_common_state(one, copies):
    """Both copies in one state, if they come back to it: the rate is that of one copy's tangents."""
    names = one.ensemble.cell.message_names
    trouble = ""
    if one.exponent > 2.0 * one.exponent_stderr:
        trouble = "mixing has ended where both copies are the same, which they leave: c* is not known"
    found = Found(2.0 * one.exponent, 2.0 * one.exponent_stderr, True, False, trouble)
    status = pair_status(one, copies, found)
    same = (dict.fromkeys(names, 1.0), dict.fromkeys(names, 0.0), one.correlations)
    return PairState(one, copies.white, copies.frozen, copies.start, *same, found.rate, found.rate_error, status)


def _unsettled(state, between, alone):
    """What is wrong with a solution: nothing where its spectra settled, and correlations before the window's end."""
    if state.residual > _RESIDUAL:
        return f"spectra of the copies have a residual of {state.residual:.1g}"
    M = between.shape[1] - 1
    change = np.abs(between[:, M // 2 : 3 * M // 4].mean(axis=1) - between[:, 3 * M // 4 :].mean(axis=1)) / alone[:, 0]
    return f"correlations between copies still change by {change.max():.1g} at half the ring" if change.max() > _CHANGE else ""


def _of_pair(one, copies, ring, state, few):
    names = one.ensemble.cell.message_names
    between, alone = correlations_of_pair(state.spectra)
    values, errors = between[:, 0] / alone[:, 0], np.full(len(names), np.nan)
    rate = error = np.nan
    trouble = _unsettled(state, between, alone)
    if not trouble:
        by_one = _by_one_copy(one, ring, few)
        scatter = error_of(np.array([_at_equal_times(spectra) for spectra in state.replicas]))
        errors = np.sqrt(scatter**2 + by_one**2 + (2.0 * state.residual) ** 2)
        try:
            rate, apart = pair_rates(ring, state)
            error = float(np.hypot(error_of(apart), 2.0 * by_one.max()))
        except ConvergenceError as failed:
            trouble = f"correlations have settled, but not how fast copies reach them: {failed}"
    independent = bool((np.abs(values) <= 2.0 * errors).all())
    status = pair_status(one, copies, Found(rate, error, False, independent, trouble))
    # of one copy the measured moments are better known by itself
    cross = between * (np.array(list(one.moments.values())) / alone[:, 0])[:, None]
    found = dict(zip(names, values.tolist())), dict(zip(names, errors.tolist()))
    return PairState(one, copies.white, copies.frozen, copies.start, *found, cross, rate, error, status)


def _at_equal_times(spectra):
    between, alone = correlations_of_pair(spectra)
    return between[:, 0] / alone[:, 0]


def _by_one_copy(one, ring, few):
    """(n,) what c* changes by where the moments of one copy change by their errors."""
    off = max(one.stderr[name] / moment for name, moment in one.moments.items() if moment > 0.0)
    louder = RingPair(ring, (1.0 + off) * ring.alone, ring.copies)
    return np.abs(_at_equal_times(path_state(louder, (1.0 + off) * few.spectra, 0).spectra) - _at_equal_times(few.spectra))
