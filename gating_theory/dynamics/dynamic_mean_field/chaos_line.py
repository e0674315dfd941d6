"""The least value of a hyperparameter with a chaotic state, from theory [T8].

Where chaos sets in continuously that is the onset of the zero state's instability. Where it jumps, two moving states are born at a
finite amplitude D: along the branch value(D) passes through a minimum, which is quadratic, so that D need not be known well.
"""

from __future__ import annotations

import numpy as np

from ...ensemble.critical_value import Critical
from ...ensemble.ensemble import Ensemble
from ...ensemble.paths import AnyPath, EnsemblePath, path_of
from ...errors import CapabilityError, NoCriticalValue
from ...mean_field.critical import onset
from ...results.status import Status
from ...running.progress import Progress, check_progress
from ...support.arithmetic import underflow_is_zero
from ...support.available_memory import require_memory
from ...support.checks import boolean, choice, generator, instance, integer, real
from ...support.types import Progress as Wanted
from ...support.types import Rng
from .clock import LEAST_STEP, Clock
from .lag_exponent import lag_exponent
from .lag_law import lag_form
from .lag_states import Branch, largest_variance
from .path_branch import OnBranch, PathBranch, on_ring, standard_error
from .path_exponent import path_exponents
from .path_solver import Paths, value_at_amplitude
from .path_state import GROUPS, PathState
from .ring import Ring
from .slow_states import bend_of_chaos

__all__ = ["chaos_line"]

#: Amplitudes at which the branch is looked at, as parts of the largest possible: of the exact form, and of paths.
_LOOKS, _LOOKS_OF_PATHS = np.geomspace(0.4, 2e-3, 9), np.geomspace(0.2, 0.012, 5)
#: Logarithms of D: the minimum of the exact form is found to this. By paths: three points of a parabola are so far apart, the next one
#: is looked at by at most so many times that, so often, until it is as near as this.
_TOL, _APART, _FURTHEST, _MOVES, _NEAR = 3e-4, 0.4, 1.5, 3, 0.15
#: Values by few sites that are this far beyond the onset, relative, are no jump.
_FAR = 0.2
#: Minima that are not this far from the onset, relative, are the onset; by paths, in standard errors.
_SAME, _SIGMAS = 1e-9, 2.0
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
    amplitudes (paths: five) show them.

    Parameters
    ----------
    ensemble : Ensemble, with a zero state
    parameter : str, Direction or callable, a path along which the zero state loses stability upwards, such as "gain.h"
    bounds : (low, high), optional
        Between which the zero state loses stability, and the value has to lie. Default: as for :func:`~gating_theory.onset`.
    step, flow, method, n_sites, refine, rng : as of :func:`dmft`
    tol : float from 1e-5 to 1, of paths: the standard error that is asked for, relative to the larger of 1 and the value
    progress : None, True (a bar) or callable(done, total), in amplitudes

    Returns
    -------
    Critical, of the kind "chaos"
        Its ``error`` is 1e-8 for the exact form and a standard error for paths. ``discontinuous`` says whether chaos jumps; then
        ``moments`` are those of the state at the line, and ``above`` is its exponent with the error of that.

    Raises
    ------
    TypeError, ValueError : bad arguments
    CapabilityError : as :func:`dmft`; no zero state
    NoCriticalValue : no onset along the path, or chaos that begins below the bounds
    """
    instance("ensemble", ensemble, Ensemble).require("dynamics", "chaos_line", "Network.sample and Network.run")
    path = path_of("parameter", parameter, ensemble)
    boolean("flow", flow), choice("method", method, ("auto", "lag", "paths"))
    clock = Clock(real("step", (0.2 if flow else 1.0) if step is None else step, low=LEAST_STEP, high=1.0), bool(flow))
    seed = int(generator(rng).integers(2**63))
    paths = Paths(clock, None, integer("n_sites", n_sites, low=100), integer("refine", refine, low=5), seed)
    require_memory(f"n_sites = {n_sites}", 1e4 * (ensemble.cell.n_fields + ensemble.cell.n_state) * n_sites)
    tol = real("tol", tol, low=1e-5, high=1.0)
    check_progress(progress)
    if ensemble.array("input_std").any():
        raise CapabilityError("chaos_line needs a zero state, which white input does not leave: use chaos_onset")
    start = onset(ensemble, path, bounds)
    there = path.at(ensemble, float(start))
    form = None if method == "paths" else lag_form(there)
    if method == "lag" and form is None:
        raise CapabilityError('chaos_line: method "lag" needs a constant leak; use method="paths"')
    with Progress(progress, len(_LOOKS if form is not None else _LOOKS_OF_PATHS), "amplitude") as tell:
        found = _exact(there, path, clock, start, tell) if form is not None else _sampled(there, path, paths, start, tol * max(1.0, abs(start)), tell)
    if bounds is not None and found < bounds[0]:
        raise NoCriticalValue(f"chaos_line: chaos begins at {path} = {float(found):.6g}, below the bounds {tuple(bounds)}")
    return found


def _exact(ensemble, path, clock, start, tell):
    from scipy.optimize import minimize_scalar

    branch = Branch(ensemble, path, clock)
    largest = largest_variance(branch.form(float(start)), clock)
    if not largest:  # at the onset nothing keeps itself up, at any amplitude
        return _continuous(start, path)
    sizes = largest * _LOOKS[::-1]
    values = []
    for number, size in enumerate(sizes, start=1):
        values.append(branch.value(float(size), rough=True))
        tell(number)
    least = int(np.argmin(values))
    low, high = sizes[max(least - 1, 0)] * (1.0 if least else 0.05), sizes[min(least + 1, len(sizes) - 1)]
    if least == 0 and values[0] > float(start):
        return _continuous(start, path)
    branch.start = values[least]
    found = minimize_scalar(
        lambda x: branch.value(float(np.exp(x))), bounds=(np.log(low), np.log(high)), method="bounded", options={"xatol": _TOL}
    )
    value, size = float(found.fun), float(np.exp(found.x))
    if value > float(start) - _SAME * max(1.0, abs(start)):
        return _continuous(start, path)
    shape = branch.shape(value, size)
    there, cell = path.at(ensemble, value), ensemble.cell
    moments = {name: float(shape.law.message_moments[cell.message_of.index(m)]) for m, name in enumerate(cell.message_names)}
    # the minimum is flat: the amplitude, and with it the exponent, is known to _TOL
    return _jump(path, value, _ERROR * max(1.0, abs(value)), moments, there, (float(lag_exponent(shape)), _TOL), start)


def _sampled(ensemble, path, paths, start, tol, tell):
    looks = _looked(ensemble, path, paths, tell)
    values = [look.value if look else np.inf for look, _ in looks]
    least = int(np.argmin(values))
    jumps = _begins_to_jump(ensemble, paths.clock)
    if not np.isfinite(values[least]) or not jumps and values[least] > float(start) + _FAR * max(1.0, abs(start)):
        return _continuous(start, path)
    here, length = looks[least][0], max(length for _, length in looks[least : least + 2])
    ring = Ring(ensemble, paths.clock, length, paths.n_sites, paths.seed)
    branch, size = PathBranch(ensemble, path, ring), float(_LOOKS_OF_PATHS[least])
    here = here._replace(spectra=on_ring(here.spectra, length))
    for _ in range(_MOVES):
        measured = branch.measure(size, here, paths.refine, np.inf)
        away, _ = _minimum(branch, size, measured)
        here, size = measured.found, size * float(np.exp(away))
        if size < 0.3 * _LOOKS_OF_PATHS[-1]:
            return _continuous(start, path)
        if abs(away) < _NEAR:
            break
    measured = branch.measure(size, here, paths.refine, tol)
    _, lower = _minimum(branch, size, measured)
    value, error = measured.found.value - lower, float(np.hypot(measured.error, lower))
    if value > float(start) - _SIGMAS * error and not jumps:
        return _continuous(start, path)
    value = min(value, float(start))
    there = path.at(ensemble, value)
    replicas = np.array([part[0].spectra for part in np.array_split(np.array(measured.groups, dtype=object), GROUPS)])
    state = PathState(ring.moved(there), measured.found.spectra, measured.found.residual, replicas)
    alike, apart = path_exponents(state)
    exponent = float(alike.mean()), standard_error(apart.tolist())
    moments = dict(zip(ensemble.cell.message_names, state.moments.tolist()))
    return _jump(path, value, error, moments, there, exponent, start)


def _looked(ensemble, path, paths, tell):
    """[(state of the few sites or None, steps of its ring)] at amplitudes that fall."""
    here, found = ensemble, []
    for number, size in enumerate(_LOOKS_OF_PATHS, start=1):
        try:
            value, _, state, _ = value_at_amplitude(here, paths._replace(refine=0), float(size), path)
            here = path.at(ensemble, value)
            found.append((OnBranch(value, state.spectra, state.residual), state.ring.length))
        except NoCriticalValue:
            found.append((None, 0))
        tell(number)
    return found


def _minimum(branch, size, measured):
    """(how far the minimum is away in log D, how much lower it is) by a parabola through three amplitudes with one ratio."""
    a, c = (branch.solve(size * np.exp(way * _APART), measured.found, measured.ratio).value for way in (-1.0, 1.0))
    b = measured.found.value
    bend = a - 2.0 * b + c
    if bend <= 0.0:
        return (_APART if c < a else -_APART) * _FURTHEST, 0.0
    away = float(np.clip(0.5 * (a - c) / bend, -_FURTHEST, _FURTHEST))
    return away * _APART, 0.5 * bend * away**2


def _begins_to_jump(ensemble, clock):
    """Whether the branch falls where it begins; False where that is not known."""
    try:
        return bend_of_chaos(ensemble, clock) > 0.0
    except CapabilityError:
        return False


def _jump(path: EnsemblePath, value, error, moments, ensemble, exponent, start):
    text = (
        f"chaos above, by a jump to an exponent of {exponent[0]:.4g}, before the zero state loses stability at {float(start):.7g}"
    )
    status = Status("discontinuous", text)
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


def _continuous(start, path):
    text = "chaos above, continuously, where the zero state loses stability"
    return Critical(
        float(start),
        path.name,
        kind="chaos",
        error=start.error,
        discontinuous=False,
        moments=start.moments,
        ensemble=start.ensemble,
        status=Status("continuous", text),
        rising=True,
    )
