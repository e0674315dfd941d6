"""A dynamic mean field by Gaussian paths, from its start to its result: windows, errors, what kind of state it is [T8]."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...ensemble.ensemble import Ensemble
from ...ensemble.paths import EnsemblePath
from ...ensemble.sites import Sites
from ...errors import CapabilityError, ConvergenceError, NoCriticalValue
from ...mean_field.fixed_points import fixed_points
from ...results.status import Status
from ...running.progress import Progress
from ...spectrum.spectrum import Spectrum
from ...support.types import Progress as Wanted
from .clock import Clock, even_spectrum, from_even_spectrum
from .path_branch import OnBranch, PathBranch
from .path_exponent import path_exponents
from .path_state import PathState, error_of, path_state
from .ring import Ring
from .sinusoid import Sinusoid, rings_of, without_lines
from .state import DynamicMeanField

__all__ = ["Paths", "finished", "is_static", "path_result", "start_spectra", "value_at_amplitude", "windowed"]

#: Rings: time of the first in units of time, the longest in steps.
_FIRST_TIME, _LONGEST = 40.0, 4096
#: The longest in which a fixed point that is not stable is all that mixing finds: frozen gates look so in any window.
_STILL_LONGEST = 512
#: Correlations of the start fall in this time; a second start, where the first ends in a static state, in a quarter of it.
_FALL = 3.0
#: Correlation times that half a ring holds at least; what correlations may change by over its second half, relative to C(0).
_HOLDS, _CHANGE = 5.0, 0.05
#: Standard errors of this change that are chance; the response makes it larger than sampling alone.
_CHANCE = 3.0
#: C at half the ring over C(0), of all messages, above which nothing moves.
_STATIC = 0.97
#: The same of fixed points that were solved for; chaos that decays by less than this is not told from them.
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
    with Progress(progress, 3, "stage") as tell:
        place = ""
        if amplitude is not None and along is not None:
            value, error, state, settled = value_at_amplitude(ensemble, paths, amplitude, along)
            ensemble, place = along.at(ensemble, value), f"{along} = {value:.5g} +- {error:.1g}, "
        else:
            ring, spectra, settled = windowed(ensemble, paths, start)
            tell(1)
            state, settled = _refined(ring, spectra, settled, paths)
        tell(2)
        return finished(ensemble, paths, state, settled, place)


def _refined(ring, spectra, settled, paths):
    """(state by all chunks, whether its window holds it: what one chunk could not see the many do)."""
    sites = paths.n_sites * paths.refine
    while True:
        turns, last = ring.turns, paths.window is not None or ring.length >= _LONGEST

        def holds(spectra, turns=turns):
            return is_static(spectra, turns=turns) or _window_holds(spectra, turns, sites)

        state = path_state(ring, spectra, paths.refine, None if last or not settled else holds)
        if not settled or not state.spectra.any():
            return state, settled
        if last or len(state.replicas):
            return state, holds(state.spectra)
        ring, spectra = _ring(ring.ensemble, paths, 2 * ring.length), _longer(state.spectra, turns)


def value_at_amplitude(
    ensemble: Ensemble, paths: Paths, amplitude: float, along: EnsemblePath
) -> tuple[float, float, PathState, bool]:
    """(value along a path at which the first message has a second moment, standard error, state, whether the window holds it).

    Parameters
    ----------
    ensemble : Ensemble, at whose value the search starts
    paths : Paths
    amplitude : float > 0
    along : EnsemblePath
    """
    length, value = _first_length(paths), along.value(ensemble)
    value = value if np.isfinite(value) else 0.5 * sum(along.within(None))
    here = OnBranch(value, start_spectra(ensemble, paths.clock, length, _FALL, amplitude), np.inf)
    while True:
        branch = PathBranch(ensemble, along, _ring(ensemble, paths, length))
        try:
            here, error = branch.solve(amplitude, here, plain=_PLAIN), np.nan
        except NoCriticalValue:  # slow sites: a short ring may have no moving state of this amplitude
            if paths.window is not None or length >= _STILL_LONGEST:
                raise
            length *= 2
            here = OnBranch(value, start_spectra(ensemble, paths.clock, length, _FALL, amplitude), np.inf)
            continue
        groups: list[OnBranch] = []
        if paths.refine:
            ((here, groups),) = branch.measure([amplitude], [here], paths.refine, _PAIRINGS, _ROUNDS)
            error = branch.error(np.array([group.value for group in groups]))
        turns = branch.ring.turns
        settled = _window_holds(here.spectra, turns, paths.n_sites * max(paths.refine, 1))
        if settled or paths.window is not None or length >= _LONGEST:
            return here.value, error, branch.state(here, groups, paths.refine), settled
        length, here = 2 * length, here._replace(spectra=_longer(here.spectra, turns))


def _ring(ensemble, paths, length):
    return Ring(ensemble, paths.clock, length, paths.n_sites, paths.seed, paths.sinusoid)


def _first_length(paths):
    if paths.window is not None:
        return paths.window
    length = max(paths.least, 1 << int(np.ceil(np.log2(_FIRST_TIME / paths.clock.step))))
    if paths.sinusoid is None:
        return length
    unit, least = rings_of(paths.sinusoid, paths.clock)
    return max(least, unit * -(-length // unit))


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


def windowed(ensemble: Ensemble, paths: Paths, amplitude: float | None = None) -> tuple[Ring, np.ndarray, bool]:
    """(ring, spectra of the state by one chunk, whether its window holds it).

    Parameters
    ----------
    ensemble : Ensemble
    paths : Paths
    amplitude : float, optional, as of :func:`start_spectra`
    """
    length = _first_length(paths)
    start = start_spectra(ensemble, paths.clock, length, _FALL, amplitude)
    again = False
    while True:
        ring = _ring(ensemble, paths, length)
        spectra = path_state(ring, start, 0).spectra
        if not spectra.any():
            return ring, spectra, True
        if is_static(spectra, turns=ring.turns):
            # iteration leaves a static state that is not stable; mixing may end in it, most of all where windows are short
            free = paths.window is None and not ring.turns and not ensemble.has_white_input and length < _STILL_LONGEST
            if again and not (free and _flees(ring, spectra)):
                return ring, spectra, True
            length, fall = (2 * length, _FALL) if again else (length, 0.25 * _FALL)
            start, again = start_spectra(ensemble, paths.clock, length, fall, amplitude), not again
            continue
        settled = _window_holds(spectra, ring.turns, paths.n_sites)
        if settled or paths.window is not None or length >= _LONGEST:
            return ring, spectra, settled
        length, start = 2 * length, _longer(spectra, ring.turns)


def is_static(spectra: np.ndarray, part: float = _STATIC, turns: int = 0) -> bool:
    """Whether all messages stay, or repeat with an input: by more than a part of C(0).

    Parameters
    ----------
    spectra : (distinct messages, L/2 + 1) array
    part : float
    turns : int, periods of a sinusoidal input in the ring
    """
    C, rest = from_even_spectrum(spectra), from_even_spectrum(without_lines(spectra, turns))
    late = rest[:, -max(1, C.shape[1] // 4) :].mean(axis=1)
    return bool((rest[:, 0] - late < (1.0 - part) * C[:, 0]).all())


def _flees(ring, spectra):
    """Whether a static state is a fixed point that is not stable, by its Jacobian: where sites are slow no window shows it."""
    ensemble, laps = ring.ensemble, ring.laps(spectra, 0)
    n = laps.state.shape[2]
    weights, gain = np.full(n, 1.0 / n), ensemble.array("gain")
    at = laps.state[:, -1], laps.fields[:, -1], laps.parameters[:, -1]
    spectrum = Spectrum(Sites(ensemble.cell, weights, *at, gain, "dynamic mean field", matrices=ensemble.matrices))
    whole = not ring.clock.flow and ring.clock.step == 1.0
    return (spectrum.radius() if whole else spectrum.abscissa()) > 1.0


def _longer(spectra, turns):
    rest = without_lines(spectra, turns)
    C = from_even_spectrum(rest)
    last = C[:, -max(1, C.shape[1] // 4) :].mean(axis=1, keepdims=True)
    out = np.maximum(even_spectrum(np.concatenate([C, np.repeat(last, C.shape[1] - 1, axis=1)], axis=1)), 0.0)
    out[:, ::2] += 2.0 * (spectra - rest)  # lines are as narrow as frequencies are apart
    return out


def _window_holds(spectra, turns, sites):
    """Whether every message's correlation has fallen long before half the ring, and is constant, or repeats, from there on.

    Differences that so many sites may show by chance are none.
    """
    rest = without_lines(spectra, turns)
    M = rest.shape[1] - 1
    apart = np.zeros(M + 1)
    apart[M // 2 : 3 * M // 4], apart[3 * M // 4 :] = 1.0 / (3 * M // 4 - M // 2), -1.0 / (M + 1 - 3 * M // 4)
    noise = _CHANCE * np.sqrt(((rest * even_spectrum(apart)) ** 2).sum(axis=1) / sites) / M
    for C, size, chance in zip(from_even_spectrum(rest), from_even_spectrum(spectra)[:, 0], noise):
        if abs(float(apart @ C)) > _CHANGE * size + chance:
            return False
        late = C[3 * M // 4 :].mean()
        if C[0] - late > _CHANGE * size + chance and np.argmax(C - late < np.exp(-1.0) * (C[0] - late)) * _HOLDS > M:
            return False
    return True


def finished(ensemble: Ensemble, paths: Paths, state: PathState, settled: bool, place: str) -> DynamicMeanField:
    """What spectra that reproduce themselves say of an ensemble.

    Parameters
    ----------
    ensemble : Ensemble
    paths : Paths
    state : PathState
    settled : bool, whether the window holds it
    place : str, what the status begins with: where a state of given amplitude was found
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
    static = still and not driven
    flees = static and _flees(state.ring, state.spectra)
    if state.spectra.any():
        replicas = np.array([from_even_spectrum(spectra)[:, 0] for spectra in state.replicas])
        stderr = np.hypot(error_of(replicas), 2.0 * state.residual * moments)
        lost = not state.replicas.any(axis=(1, 2)).all()
        if flees:
            why = "mixing has ended next to a fixed point that is not stable: weak chaos, or a window too short"
        elif not lost and (driven or not is_static(state.spectra, _SURELY_STATIC)):
            try:
                exponent, apart = path_exponents(state)
                error = float(error_of(apart))
            except ConvergenceError as failed:
                why = str(failed)
        if still and driven and exponent > 2.0 * error:
            exponent, why = np.nan, "mixing has ended in a response to the input that is not stable"
    status = _status(state, static, settled, exponent, error, driven, place, why, flees)
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


def _status(state, static, settled, exponent, error, driven, place, why, flees):
    if not state.spectra.any():
        return Status("zero_state", "zero state: moments fell to nothing")
    if state.residual > _RESIDUAL:
        return Status("not_converged", f"{place}spectra have a residual of {state.residual:.1g}", ok=False)
    if static and not (flees or exponent > -2.0 * error):  # nan is not
        return Status("static", f"{place}correlations do not decay: a fixed point, not chaos")
    if static and not flees:
        text = f"{place}correlations hardly decay, largest exponent {exponent:.4f} +- {error:.4f}: weak chaos or a fixed point"
        return Status("undecided", text, ok=False)
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
