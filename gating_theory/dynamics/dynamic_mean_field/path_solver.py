"""A dynamic mean field by Gaussian paths, from its start to its result: windows, errors, what kind of state it is [T8]."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...ensemble.ensemble import Ensemble
from ...ensemble.paths import EnsemblePath
from ...errors import CapabilityError, ConvergenceError, NoCriticalValue
from ...mean_field.fixed_points import fixed_points
from ...results.status import Status
from ...running.progress import Progress
from ...support.types import Progress as Wanted
from .at_rest import rate_of_paths
from .clock import Clock, even_spectrum, from_even_spectrum, step_errors
from .path_branch import OnBranch, PathBranch
from .path_exponent import MEASUREMENTS, path_exponents
from .path_state import GROUPS, ROUNDS_AT_FIRST, PathState, error_of, path_state
from .ring import Ring
from .sinusoid import Sinusoid
from .state import DynamicMeanField
from .windows import LONGEST, first_length, is_static, on_ring, window_holds

__all__ = ["STILL_LONGEST", "Paths", "finished", "path_result", "start_spectra", "value_at_amplitude", "windowed"]

#: The longest ring in which a fixed point that is not stable is all that mixing finds: frozen gates look so in any window.
STILL_LONGEST = 512
#: Correlations of the start fall in this time; a second start, where the first ends in a static state, in a quarter of it.
_FALL = 3.0
#: C at half the ring over C(0) of fixed points that were solved for; chaos that decays by less than this is not told from them.
_SURELY_STATIC = 0.998
#: Amplitudes of the start where mean field has none.
_AMPLITUDE = 0.3
#: At given amplitudes: plain steps of the first solution; pairings of each chunk, and how often all measure.
_PLAIN, _PAIRINGS, _ROUNDS = 8, 4, 3
#: Residuals of spectra that count as solved.
_RESIDUAL = 5e-3


class Paths(NamedTuple):
    """How paths are solved, see :func:`dmft`; ``least``: steps of the first ring at least."""

    clock: Clock
    window: int | None
    n_sites: int
    refine: int
    seed: int
    sinusoid: Sinusoid | None = None
    least: int = 64

    def held_by(self, spectra: np.ndarray, ring: Ring) -> bool:
        """Whether a ring need not be longer for spectra that one chunk has made."""
        return self.window is not None or window_holds(spectra, ring.turns, self.n_sites)


def path_result(
    ensemble: Ensemble,
    paths: Paths,
    *,
    amplitude: float | None = None,
    along: EnsemblePath | None = None,
    start: float | None = None,
    progress: Wanted = None,
) -> DynamicMeanField:
    """The state that a start of the largest amplitude leads to, or that of a given amplitude.

    Parameters
    ----------
    ensemble : Ensemble
    paths : Paths
    amplitude, along, progress : as of :func:`dmft`
    start : float, optional, second moment of the first message to start from, instead of the largest amplitude
    """
    groups = min(GROUPS, paths.refine)
    with Progress(progress, 1 + ROUNDS_AT_FIRST + groups + MEASUREMENTS + groups, "stage") as tell:
        place = ""
        if amplitude is not None and along is not None:
            value, error, state, settled = value_at_amplitude(ensemble, paths, amplitude, along, tell)
            ensemble, place = along.at(ensemble, value), f"{along} = {value:.5g} +- {error:.1g}, "
        else:
            ring, spectra, settled = windowed(ensemble, paths, start, tell)
            state, settled = _refined(ring, spectra, settled, paths, tell)
        found = finished(ensemble, paths, state, settled, place, tell)
        tell.finish()
        return found


def _refined(ring, spectra, settled, paths, tell):
    """(state by all chunks, whether its window holds it: what one chunk could not see the many do)."""
    sites = paths.n_sites * paths.refine
    while True:
        turns, last = ring.turns, paths.window is not None or ring.length >= LONGEST

        def holds(spectra, turns=turns):
            return is_static(spectra, turns=turns) or window_holds(spectra, turns, sites)

        state = path_state(ring, spectra, paths.refine, None if last or not settled else holds, tell)
        if not settled or not state.spectra.any():
            return state, settled
        if last or len(state.replicas):
            return state, holds(state.spectra)
        tell.more(ROUNDS_AT_FIRST)
        ring, spectra = _ring(ring.ensemble, paths, 2 * ring.length), on_ring(state.spectra, 2 * ring.length, 2 * turns)


def value_at_amplitude(
    ensemble: Ensemble, paths: Paths, amplitude: float, along: EnsemblePath, tell: Progress | None = None
) -> tuple[float, float, PathState, bool]:
    """(value along a path at which the first message has a second moment, standard error, state, whether the window holds it).

    Parameters
    ----------
    ensemble : Ensemble, at whose value the search starts
    paths : Paths
    amplitude : float > 0
    along : EnsemblePath
    tell : Progress, optional, of rings and measurements
    """
    tell = tell or Progress(None, 1, "stage")
    length, value = _first_length(paths), along.value(ensemble)
    value = value if np.isfinite(value) else 0.5 * sum(along.within(None))
    while True:
        start = OnBranch(value, start_spectra(ensemble, paths.clock, length, _FALL, amplitude), np.inf)
        try:
            branch = PathBranch(ensemble, along, _ring(ensemble, paths, length))
            branch, here = branch.held(amplitude, start, paths.held_by, _PLAIN)
            break
        except NoCriticalValue:  # slow sites: a short ring may have no moving state of this amplitude
            if paths.window is not None or length >= STILL_LONGEST:
                raise
            length *= 2
            tell.more(1)
            tell(1)
    tell(1)
    while True:
        ((here, groups),) = branch.measure([amplitude], [here], paths.refine, _PAIRINGS, _ROUNDS, tell)
        settled = window_holds(here.spectra, branch.ring.turns, paths.n_sites * paths.refine)
        if settled or paths.window is not None or branch.ring.length >= LONGEST:
            error = branch.error(np.array([group.value for group in groups]))
            return here.value, error, branch.state(here, groups, paths.refine), settled
        tell.more(_ROUNDS + min(GROUPS, paths.refine))
        branch = branch.longer


def _ring(ensemble, paths, length):
    return Ring(ensemble, paths.clock, length, paths.n_sites, paths.seed, paths.sinusoid)


def _first_length(paths):
    return first_length(paths.clock, paths.least, paths.sinusoid) if paths.window is None else paths.window


def start_spectra(ensemble: Ensemble, clock: Clock, length: int, fall: float, amplitude: float | None = None) -> np.ndarray:
    """(distinct messages, L/2 + 1) spectra to start from: Gaussian correlations, of the size of mean field's largest state.

    Parameters
    ----------
    ensemble : Ensemble
    clock : Clock
    length : int, L
    fall : float, time in which correlations fall
    amplitude : float, optional, second moment of the first message
    """
    sizes = np.full(ensemble.cell.n_messages, _AMPLITUDE)
    try:
        known = fixed_points(ensemble)
        if known and not known[-1].is_zero:
            sizes = np.maximum(known[-1].q, 1e-3)
    except (CapabilityError, ConvergenceError):
        pass
    if amplitude is not None:
        sizes = sizes * (amplitude / sizes[0])
    lags = np.arange(length // 2 + 1) * clock.step
    return np.maximum(even_spectrum(sizes[:, None] * np.exp(-0.5 * (lags / fall) ** 2)), 0.0)


def windowed(
    ensemble: Ensemble, paths: Paths, amplitude: float | None = None, tell: Progress | None = None
) -> tuple[Ring, np.ndarray, bool]:
    """(ring, spectra of the state by one chunk, whether its window holds it).

    Parameters
    ----------
    ensemble : Ensemble
    paths : Paths
    amplitude : float, optional, as of :func:`start_spectra`
    tell : Progress, optional, of rings; further ones are announced
    """
    tell = tell or Progress(None, 1, "stage")
    length = _first_length(paths)
    start = start_spectra(ensemble, paths.clock, length, _FALL, amplitude)
    again = False
    while True:
        ring = _ring(ensemble, paths, length)
        spectra = path_state(ring, start, 0).spectra
        tell(1)
        if not spectra.any():
            return ring, spectra, True
        if is_static(spectra, turns=ring.turns):
            # iteration leaves a static state that is not stable; mixing may end in it, most of all where windows are short
            free = paths.window is None and not ring.turns and not ensemble.has_white_input and length < STILL_LONGEST
            if again and (not free or rate_of_paths(ring, spectra).falls):
                return ring, spectra, True
            tell.more(1)
            length, fall = (2 * length, _FALL) if again else (length, 0.25 * _FALL)
            start, again = start_spectra(ensemble, paths.clock, length, fall, amplitude), not again
            continue
        settled = window_holds(spectra, ring.turns, paths.n_sites)
        if settled or paths.window is not None or length >= LONGEST:
            return ring, spectra, settled
        tell.more(1)
        length, start = 2 * length, on_ring(spectra, 2 * ring.length, 2 * ring.turns)


def finished(
    ensemble: Ensemble, paths: Paths, state: PathState, settled: bool, place: str, tell: Progress | None = None
) -> DynamicMeanField:
    """What spectra that reproduce themselves say of an ensemble.

    Parameters
    ----------
    ensemble : Ensemble
    paths : Paths
    state : PathState
    settled : bool, whether the window holds it
    place : str, what the status begins with: where a state of given amplitude was found
    tell : Progress, optional, of exponents
    """
    names, clock = ensemble.cell.message_names, paths.clock
    correlations = from_even_spectrum(state.spectra)
    moments = correlations[:, 0]
    stderr = np.zeros(len(names))
    exponent = error = np.nan
    why = "some groups of sites end in the zero state: the state is too near its end; ask at a given amplitude"
    turns = state.ring.turns
    still = bool(state.spectra.any()) and is_static(state.spectra, turns=turns)
    driven = bool(turns) or ensemble.has_white_input
    rest = rate_of_paths(state.ring, state.spectra) if still and not driven else None
    if state.spectra.any():
        replicas = np.array([from_even_spectrum(spectra)[:, 0] for spectra in state.replicas])
        of_step = step_errors(clock, ensemble.has_white_input)
        stderr = np.hypot(error_of(replicas), np.hypot(2.0 * state.residual, of_step[0]) * moments)
        lost = not state.replicas.any(axis=(1, 2)).all()
        if rest is not None and rest.grows:
            why = "mixing has ended next to a fixed point that is not stable: weak chaos, or a window too short"
        elif not lost and (driven or not is_static(state.spectra, _SURELY_STATIC)):
            try:
                exponent, apart = path_exponents(state, tell)
                error = float(np.hypot(error_of(apart), of_step[1]))
            except ConvergenceError as failed:
                why = str(failed)
        # beside strong input chaos may be some percent of C(0), which counts as still
        if driven and exponent > 2.0 * error and is_static(state.spectra, _SURELY_STATIC, turns):
            exponent, why = np.nan, "mixing has ended in a response to the input that is not stable"
    status = _status(state, settled, exponent, error, driven, place, why, rest)
    if status.code == "static":
        exponent = error = np.nan
    return DynamicMeanField(
        ensemble,
        clock.step,
        clock.flow,
        "paths",
        dict(zip(names, moments.tolist())),
        dict(zip(names, stderr.tolist())),
        correlations,
        exponent,
        error,
        None if place else True,
        paths.seed,
        status,
        paths.sinusoid,
    )


def _status(state, settled, exponent, error, driven, place, why, rest):
    if not state.spectra.any():
        return Status("zero_state", "zero state: moments fell to nothing")
    if state.residual > _RESIDUAL:
        return Status("not_converged", f"{place}spectra have a residual of {state.residual:.1g}", ok=False)
    if rest is not None and not rest.grows:
        return _status_at_rest(place, exponent, error, rest)
    if not np.isfinite(exponent):
        code = "not_converged" if settled else "short_window"
        return Status(code, f"{place}{'' if settled else 'correlations still change at half the ring; '}{why}", ok=False)
    text = f"{place}largest exponent {exponent:.4f} +- {error:.4f}"
    if not settled:
        return Status("short_window", f"{text}; correlations still change at half the ring", ok=False)
    if abs(exponent) <= 2.0 * error:
        return Status("undecided", text)
    code = "chaotic" if exponent > 0.0 else "driven" if driven else "undecided"
    return Status(code, f"{code}, {text}")


def _status_at_rest(place, exponent, error, rest):
    """Of a state that hardly moves, next to a fixed point that is stable or may be."""
    text = f"{place}correlations do not decay"
    if not rest.is_known:
        return Status("not_converged", f"{text}, but mean field has no such fixed point: a slow decay, or chaos", ok=False)
    if not rest.falls:
        return Status("undecided", f"{text}: a fixed point, stable or not: growth {rest.value:.4f} +- {rest.error:.4f}", ok=False)
    if exponent > -2.0 * error:  # nan is not
        text = f"{place}correlations hardly decay, largest exponent {exponent:.4f} +- {error:.4f}: weak chaos or a fixed point"
        return Status("undecided", text, ok=False)
    return Status("static", f"{text}: a fixed point, not chaos")
