"""The least value of a hyperparameter with a chaotic state, from theory [T8].

Where chaos sets in continuously that is the onset of the zero state's instability. Where it jumps, two moving states are born at a
finite amplitude D: along the branch value(D) passes through a minimum, which is quadratic, so that D need not be known well.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ...ensemble.critical_value import Critical
from ...ensemble.ensemble import Ensemble
from ...ensemble.paths import AnyPath, EnsemblePath, path_of
from ...errors import CapabilityError, ConvergenceError, NoCriticalValue
from ...mean_field.critical import onset
from ...mean_field.moments import MomentMap
from ...results.status import Status
from ...running.progress import Progress, check_progress
from ...support.arithmetic import underflow_is_zero
from ...support.available_memory import require_memory
from ...support.checks import boolean, choice, generator, instance, integer, real
from ...support.types import Progress as Wanted
from ...support.types import Rng
from .clock import LEAST_STEP, Clock, from_even_spectrum, usual_step
from .driven_line import LOOKS, by_lag, by_paths, driven_line
from .lag_exponent import lag_exponent
from .lag_law import lag_form
from .lag_states import Branch, largest_variance
from .path_branch import Measured, OnBranch, PathBranch
from .path_exponent import path_exponents
from .path_solver import Paths, start_spectra
from .path_state import error_of
from .ring import Ring
from .slow_states import bend_of_chaos
from .white_input import require_flow_limit
from .windows import correlation_steps, first_length

__all__ = ["chaos_line"]

#: Amplitudes at which the branch is looked at, as parts of the largest possible: of the exact form, and of paths.
_LOOKS, _LOOKS_OF_PATHS = np.geomspace(0.4, 2e-3, 9), np.geomspace(0.2, 0.012, 5)
#: Logarithms of D: the minimum of the exact form is found to this.
_TOL = 3e-4
#: By paths: three amplitudes and what they are apart in log D, what they are moved by at most. How near to the middle a minimum
#: has to be by many sites, and how often they are moved for it; by few, which are fast, and where nothing is sampled; how often.
_APART, _FURTHEST, _INSIDE, _MOVES, _ROUGH, _EXACT, _LOOKED = 0.15, 0.6, 0.25, 3, 0.12, 0.02, 12
_SIZES = np.exp(_APART * np.array([-1.0, 0.0, 1.0]))
#: The exponent at the line is told by half the chunks and half the sites of each, at least by so many.
_LEAST = 100
#: Rounds of measurement at most; pairings of a first one and at most; the part of the error asked for that a further one aims at.
_ROUNDS, _SHORT, _MOST, _AIM = 8, 1, 64, 0.8
#: What a status says of the branch by paths that was not found whole.
_NOWHERE = "by paths no state was found on the branch, so that it may jump below that"
_FAINT = "it jumps below that, by the expansion of small states, but too little to be seen by paths"
_OUTSIDE = "the least value may lie beyond the amplitudes that were measured"
#: The minimum runs to nothing where its amplitude falls below this part of the least that is looked at.
_GONE = 0.3
#: By paths: 1/e times that a ring holds (with 8 the value at a_r = 4 is off by 5e-4 where its states are slowest); time in which
#: the start falls, plain steps of the first solution.
_HOLDS, _FALL, _PLAIN = 12.0, 3.0, 8
#: Minima that are not this far from the onset, relative, are the onset; by paths, in standard errors.
_SAME, _SIGMAS = 1e-9, 2.0
#: Values without a zero state, by the exact form, are found to this, relative.
_CLOSE = 1e-7
#: Errors of values by the exact form, relative to the larger of 1 and the value.
_ERROR = 1e-8


@underflow_is_zero
def chaos_line(
    ensemble: Ensemble,
    parameter: AnyPath,
    bounds: tuple[float, float] | None = None,
    *,
    step: float | None = None,
    flow: bool = False,
    method: str = "auto",
    n_sites: int = 1000,
    refine: int = 20,
    tol: float = 1e-3,
    rng: Rng = 0,
    progress: Wanted = None,
) -> Critical:
    """The least value along a path at which an infinite network has a chaotic state, by its dynamic mean field [T8].

    Moving states form a branch that begins at the onset of the zero state's instability with amplitude zero. Either the value rises
    along it, and chaos sets in continuously at the onset; or it falls first, to the minimum at which chaos begins with a jump. GRU,
    gain.h: a jump where a_r^2 (1 - s)(5 - 8 s) > 6, s = sigma(b_r). Minima beyond a first rise are found where the looks at nine
    amplitudes (paths: five) show them. Where there is no zero state (biases that make a mean, frozen patterns, white input) it is
    the least value within the bounds at which a state has a positive exponent, so far as looks at 17ths of them show it.

    Parameters
    ----------
    ensemble : Ensemble
    parameter : str, Direction or callable, a path such as "gain.h"; with a zero state one along which it loses stability upwards
    bounds : (low, high), optional
        Between which the zero state loses stability, and the value has to lie. Default: as for :func:`~gating_theory.onset`. They
        have to be given where biases or input leave no zero state: 17 values between them are looked at, until one has chaos.
    step, flow, method, n_sites, refine, rng : as of :func:`dmft`
    tol : float from 1e-5 to 1, of paths
        The standard error that is asked for. Where it is not reached, as next to tricritical points, ``status`` says so,
        ``status.ok`` is False, and ``error`` is what was reached. Without a zero state only what the value is sought to: ``error``
        holds the sampling error of exponents besides, which ``n_sites`` and ``refine`` lessen.
    progress : None, True (a bar) or callable(done, total), in amplitudes

    Returns
    -------
    Critical, of the kind "chaos"
        Its ``error`` is 1e-8 for the exact form and a standard error for paths. ``discontinuous`` says whether chaos jumps; then
        ``moments`` are those of the state at the line (by paths of a measured one within .25 of it in log D), and ``above`` is its
        exponent with the error of that.

    Raises
    ------
    TypeError, ValueError
        bad arguments
    CapabilityError
        as :func:`dmft`; cells with a zero state but without a closed-form fixed point of sites
    ConvergenceError
        states by paths next to the line, or without a zero state, that were not solved
    NoCriticalValue
        no onset along the path, no chaos within the bounds, or chaos that begins below them

    See Also
    --------
    chaos_onset : the same in simulated networks
    chaos_tricritical : where chaos begins to jump
    onset : where the zero state loses stability
    dmft : the state itself

    Examples
    --------
    In vanilla networks chaos begins where the zero state becomes unstable; in a GRU with a strong reset gate before:

    >>> import gating_theory as gt
    >>> round(float(gt.chaos_line(gt.Ensemble(gt.Vanilla), "gain.h")), 4)
    1.0
    >>> found = gt.chaos_line(gt.Ensemble(gt.GRU, gain={"z": 0, "r": 6}), "gain.h")
    >>> print(round(float(found), 4), found.discontinuous)
    1.9497 True
    """
    instance("ensemble", ensemble, Ensemble).require("dynamics", "chaos_line", "Network.sample and Network.run")
    path = path_of("parameter", parameter, ensemble)
    boolean("flow", flow), choice("method", method, ("auto", "lag", "paths"))
    ends = [path.at(ensemble, value) for value in path.within(bounds)]
    white = any(each.has_white_input for each in (ensemble, *ends))
    clock = Clock(real("step", usual_step(flow, white) if step is None else step, low=LEAST_STEP, high=1.0), bool(flow))
    seed = int(generator(rng).integers(2**63))
    paths = Paths(clock, None, integer("n_sites", n_sites, low=100), integer("refine", refine, low=5), seed)
    require_memory(f"n_sites = {n_sites}", 1e4 * (ensemble.cell.n_fields + ensemble.cell.n_state) * n_sites)
    tol = real("tol", tol, low=1e-5, high=1.0)
    check_progress(progress)
    if white or not all(MomentMap(each).has_zero_state for each in (ensemble, *ends)):
        return _without_zero_state(ensemble, path, bounds, paths, method, tol, progress)
    start = onset(ensemble, path, bounds)
    there = path.at(ensemble, float(start))
    form = _form(there, method)
    with Progress(progress, len(_LOOKS if form is not None else _LOOKS_OF_PATHS), "amplitude") as tell:
        found = _exact(there, path, clock, start, tell) if form is not None else _sampled(there, path, paths, start, tol, tell)
        tell.finish()
    if bounds is not None and found < bounds[0]:
        raise NoCriticalValue(f"chaos_line: chaos begins at {path} = {float(found):.6g}, below the bounds {tuple(bounds)}")
    return found


def _form(ensemble, method):
    form = None if method == "paths" else lag_form(ensemble)
    if method == "lag" and form is None:
        raise CapabilityError('chaos_line: method "lag" needs a constant leak; use method="paths"')
    return form


def _without_zero_state(ensemble, path, bounds, paths, method, tol, progress):
    if bounds is None:
        raise ValueError("bounds must be given where biases or input leave no zero state: nothing says where to look, got None")
    bounds = path.within(bounds)
    clock, there = paths.clock, path.at(ensemble, bounds[1])
    if clock.flow and there.has_white_input:
        require_flow_limit(there, "chaos_line")
        exact = False
    else:
        exact = _form(there, method) is not None
    with Progress(progress, LOOKS, "value") as tell:
        if exact:
            found = driven_line(ensemble, path, bounds, by_lag(clock), _CLOSE, tell)
        else:
            found = driven_line(ensemble, path, bounds, by_paths(paths), tol, tell)
        tell.finish()
    return found


def _exact(ensemble, path, clock, start, tell):
    from scipy.optimize import minimize_scalar

    branch = Branch(ensemble, path, clock)
    largest = largest_variance(branch.form(float(start)), clock)
    if not largest:  # at the onset nothing keeps itself up, at any amplitude
        return _continuous(start, path)
    sizes = largest * _LOOKS[::-1]
    values = []
    for size in sizes:
        values.append(branch.value(float(size), rough=True))
        tell(1)
    least = int(np.argmin(values))
    low, high = sizes[max(least - 1, 0)] * (1.0 if least else 0.05), sizes[min(least + 1, len(sizes) - 1)]
    if least == 0 and values[0] > float(start):
        return _continuous(start, path)
    branch.start = values[least]

    def finely(x):
        tell.more(1)
        value = branch.value(float(np.exp(x)))
        tell(1)
        return value

    found = minimize_scalar(finely, bounds=(np.log(low), np.log(high)), method="bounded", options={"xatol": _TOL})
    value, size = float(found.fun), float(np.exp(found.x))
    if value > float(start) - _SAME * max(1.0, abs(start)):
        return _continuous(start, path)
    shape = branch.shape(value, size)
    there, cell = path.at(ensemble, value), ensemble.cell
    moments = {name: float(shape.law.message_moments[cell.message_of.index(m)]) for m, name in enumerate(cell.message_names)}
    # the minimum is flat: the amplitude, and with it the exponent, is known to _TOL
    return _jump(path, value, _ERROR * max(1.0, abs(value)), moments, there, (float(lag_exponent(shape)), _TOL), start)


def _sampled(ensemble, path, paths, start, tol, tell):
    looks = _looked(ensemble, path, paths, float(start), tell)
    values = [look.value if look else np.inf for look, _ in looks]
    least = int(np.argmin(values))
    jumps = _begins_to_jump(ensemble, paths.clock)
    if not np.isfinite(values[least]):
        return _continuous(start, path, f"; {_NOWHERE}")
    if not jumps and least == len(values) - 1 and values[least] > float(start):
        return _continuous(start, path)
    try:
        fold = _measured_fold(looks[least], least, paths, tol, tell)
    except NoCriticalValue as failed:  # by few sites it is there
        text = f"chaos_line: states next to the least value, {values[least]:.4g} by few sites, were not solved for by many"
        raise ConvergenceError(f"{text}: {failed}", estimate=values[least]) from failed
    if fold is None:
        return _continuous(start, path, f"; {_FAINT}" if jumps else "")
    if fold.value > float(start) - _SIGMAS * fold.error and not jumps:
        # a jump that is smaller than the error is not seen
        near = fold.value < float(start) + _SIGMAS * fold.error
        return _continuous(start, path, fold.lacks, fold.error if near else 0.0)
    value = min(fold.value, float(start))
    there = path.at(ensemble, value)
    found, groups = fold.nearest
    state = fold.branch.state(found._replace(value=value), groups, paths.refine)
    ring = Ring(there, paths.clock, state.ring.length, max(_LEAST, paths.n_sites // 2), paths.seed)
    state = replace(state, ring=ring, refine=max(len(groups), paths.refine // 2))
    largest, apart = path_exponents(state)
    # along the branch an exponent changes about as much as the amplitude does
    exponent = largest, float(np.hypot(error_of(apart), fold.away * largest))
    moments = dict(zip(ensemble.cell.message_names, state.moments.tolist()))
    return _jump(path, value, fold.error, moments, there, exponent, start, fold.lacks)


class _Fold(NamedTuple):
    """The minimum along a branch, its error, the measured state next to it, how far that is in log D; what it lacks, in words."""

    value: float
    error: float
    nearest: Measured
    away: float
    branch: PathBranch
    lacks: str


def _measured_fold(look, least, paths, tol, tell):
    """The minimum next to a look: where it is by few sites, how deep by many; None where it runs to nothing."""
    found = _place_of_fold(look, float(_LOOKS_OF_PATHS[least]), paths)
    if found is None:
        return None
    branch, starts, size = found
    pairings, moves, before = _SHORT, 0, np.inf
    while True:
        tell.more(1)
        points = branch.measure(size * _SIZES, starts, paths.refine, pairings)
        tell(1)
        away, value, error = _minimum(points, branch)
        starts, moves = [point.found for point in points], moves + 1
        # what few sites are off by is less in every round, by a part that is larger the fewer they are
        change, before = 0.0 if branch.exact else abs(value - before), value
        if abs(away) > _INSIDE and moves < _MOVES:
            size *= _moved(away)
        elif change > error and moves < _ROUNDS:
            continue
        elif error <= tol or pairings >= _MOST or moves >= _ROUNDS:
            error = max(error, change)
            lacks = f"; the standard error asked for, {tol:.2g}, was not reached: {error:.2g}" if error > tol else ""
            return _Fold(value, error, points[1], float(away), branch, lacks + ("" if abs(away) <= _INSIDE else f"; {_OUTSIDE}"))
        else:
            pairings = int(min(_MOST, max(2 * pairings, np.ceil(pairings * (error / (_AIM * tol)) ** 2))))


def _place_of_fold(look, size, paths):
    """(branch, its states at three amplitudes, the middle one) next to the minimum, by few sites; None where it runs to nothing."""
    here, branch = look
    for _ in range(_LOOKED):
        branch, here = branch.held(size, here, _holds, 1)  # where the amplitude is smaller states are slower
        states = [branch.solve(size * _SIZES[0], here), here, branch.solve(size * _SIZES[2], here)]
        away, _, _ = _minimum([Measured(state, [state]) for state in states], branch)
        if abs(away) <= (_EXACT if branch.exact else _ROUGH):
            break
        size *= _moved(away)
        if size < _GONE * _LOOKS_OF_PATHS[-1]:
            return None
    return branch, states, size


def _moved(away):
    """What an amplitude is multiplied by."""
    return float(np.exp(np.clip(away, -_FURTHEST, _FURTHEST)))


def _minimum(points, branch):
    """(how far it is away in log D, the minimum, its error) of the parabola through three amplitudes."""
    values = np.array([point.found.value for point in points])
    slope, bend = np.array([-0.5, 0.0, 0.5]) / _APART, np.array([1.0, -2.0, 1.0]) / _APART**2
    steep, bent = float(slope @ values), float(bend @ values)
    if bent <= 0.0:
        return -np.sign(steep) * np.inf, float(values.min()), np.inf
    away = -steep / bent
    x = float(np.clip(away, -_INSIDE, _INSIDE))
    weights = np.array([0.0, 1.0, 0.0]) + x * slope + 0.5 * x**2 * bend
    groups = np.array([[group.value for group in point.groups] for point in points])
    if groups.shape[1] < 2:
        return away, float(weights @ values), np.inf
    # a slope that is wrong moves the minimum, which lowers it
    moved = float(error_of(slope @ groups)) ** 2 / (2.0 * bent)
    return away, float(weights @ values), float(np.hypot(branch.error(weights @ groups), moved))


def _looked(ensemble, path, paths, value, tell):
    """[(state of the few sites or None, its PathBranch)] at amplitudes that fall."""
    length = first_length(paths.clock, paths.least)
    branch = PathBranch(ensemble, path, Ring(ensemble, paths.clock, length, paths.n_sites, paths.seed))
    here = OnBranch(value, start_spectra(ensemble, paths.clock, length, _FALL, float(_LOOKS_OF_PATHS[0])), np.inf)
    found: list[tuple[OnBranch | None, PathBranch]] = []
    for size in _LOOKS_OF_PATHS:
        try:
            branch, here = branch.held(float(size), here, _holds, _PLAIN)
            found.append((here, branch))
        except NoCriticalValue:
            here = here._replace(slope=None)
            found.append((None, branch))
        tell(1)
    return found


def _holds(spectra, ring):
    return correlation_steps(from_even_spectrum(spectra)).max() * _HOLDS <= ring.length


def _begins_to_jump(ensemble, clock):
    """Whether the branch falls where it begins; False where that is not known."""
    try:
        return bend_of_chaos(ensemble, clock) > 0.0
    except CapabilityError:
        return False


def _jump(path: EnsemblePath, value, error, moments, ensemble, exponent, start, lacks=""):
    text = (
        f"chaos above, by a jump to an exponent of {exponent[0]:.4g}, before the zero state loses stability at {float(start):.7g}"
    )
    status = Status("discontinuous", text + lacks, ok=not lacks)
    return Critical(
        value,
        path.name,
        kind="chaos",
        error=error,
        discontinuous=True,
        moments=moments,
        ensemble=ensemble,
        status=status,
        rising=True,
        above=exponent,
    )


def _continuous(start, path, lacks="", unseen=0.0):
    text = "chaos above, continuously, where the zero state loses stability"
    return Critical(
        float(start),
        path.name,
        kind="chaos",
        error=max(start.error, unseen),
        discontinuous=False,
        moments=start.moments,
        ensemble=start.ensemble,
        status=Status("continuous", text + lacks, ok=not lacks),
        rising=True,
    )
