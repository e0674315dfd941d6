"""Two copies of any cell by Gaussian paths, from the state of one copy to the result [T8b]."""

from __future__ import annotations

import numpy as np

from ...errors import ConvergenceError
from ...running.progress import Progress
from ...support.types import Progress as Wanted
from ..dynamic_mean_field.clock import Clock, even_spectrum
from ..dynamic_mean_field.path_solver import Paths
from ..dynamic_mean_field.path_state import error_of, path_state
from ..dynamic_mean_field.ring import Ring
from ..dynamic_mean_field.state import DynamicMeanField
from .copies import Copies
from .lag_pair_result import nothing
from .pair_rate import pair_rates
from .pair_state import PairState
from .pair_status import Found, pair_status
from .ring_pair import RingPair, correlations_of_pair

__all__ = ["path_pair_result"]

#: 1 - c below which both copies are in the same state. Mixing leaves about the square of its residual.
_TOGETHER = 1e-3
#: Residuals of spectra that count as solved; what correlations may change by over the second half of the window, relative to C(0).
_RESIDUAL, _CHANGE = 5e-3, 0.05
#: Steps of the ring below which chunks have more sites instead: what copies have in common is found by 1/(1 - chi) times more of them.
_ENOUGH = 256


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
    n_sites = paths.n_sites * max(1, _ENOUGH // length)
    ring = RingPair(Ring(one.ensemble, Clock(one.step, one.flow), length, n_sites, one.seed), spectra, copies)
    with Progress(progress, 3, "stage") as tell:
        found = path_state(ring, ring.of_coherence(copies.start), 0)
        tell(1)
        together = _are_together(found, copies)
        if together and one.exponent > 2.0 * one.exponent_stderr:
            # mixing may end in the state of both, which copies leave: once more from copies that are not alike
            found = path_state(ring, ring.of_coherence(0.0), 0)
            together = _are_together(found, copies)
        if not together:
            found = path_state(ring, found.spectra, paths.refine)
            together = _are_together(found, copies)
        tell(2)
        return _of_common_state(one, copies) if together else _of_pair(one, copies, ring, found)


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


def _unsettled(between, alone):
    """What is wrong with a window at whose end copies are still less alike than before; nothing where it is long enough."""
    M = between.shape[1] - 1
    change = np.abs(between[:, M // 2 : 3 * M // 4].mean(axis=1) - between[:, 3 * M // 4 :].mean(axis=1)) / alone[:, 0]
    return f"correlations between copies still change by {change.max():.1g} at half the ring" if change.max() > _CHANGE else ""


def _of_pair(one, copies, ring, state):
    names = one.ensemble.cell.message_names
    between, alone = correlations_of_pair(state.spectra)
    values = between[:, 0] / alone[:, 0]
    scatter = np.array([b[:, 0] / a[:, 0] for b, a in map(correlations_of_pair, state.replicas)])
    errors = np.hypot(error_of(scatter), 2.0 * state.residual)
    rate = error = np.nan
    trouble = (
        f"spectra of the copies have a residual of {state.residual:.1g}"
        if state.residual > _RESIDUAL
        else _unsettled(between, alone)
    )
    if not trouble:
        try:
            alike, apart = pair_rates(ring, state)
            rate, error = float(alike.mean()), float(error_of(apart))
        except ConvergenceError as failed:
            trouble = str(failed)
    independent = bool((np.abs(values) <= 2.0 * errors).all())
    status = pair_status(one, copies, Found(rate, error, False, independent, trouble))
    # of one copy the measured moments are better known by itself
    cross = between * (np.array(list(one.moments.values())) / alone[:, 0])[:, None]
    alike_by_name, errors_by_name = dict(zip(names, values.tolist())), dict(zip(names, errors.tolist()))
    return PairState(one, copies.white, copies.frozen, copies.start, alike_by_name, errors_by_name, cross, rate, error, status)
