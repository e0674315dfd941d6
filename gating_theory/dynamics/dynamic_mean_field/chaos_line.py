"""The least value of a hyperparameter with a chaotic state, from theory [T8].

Where chaos sets in continuously that is the onset of the zero state's instability. Where it jumps, two moving states are born at a
finite amplitude D: along the branch value(D) passes through a minimum, which is quadratic, so that D need not be known well.
"""

from __future__ import annotations

import numpy as np

from ...ensemble.critical_value import Critical
from ...ensemble.ensemble import Ensemble
from ...ensemble.paths import AnyPath, EnsemblePath, path_of, require_apart
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
from .lag_shape import energy_at
from .lag_states import Branch, largest_variance
from .path_exponent import path_exponents
from .path_solver import Paths, value_at_amplitude
from .path_state import error_of

__all__ = ["chaos_line", "chaos_tricritical"]

#: Amplitudes at which the branch is looked at, as parts of the largest possible: of the exact form, and of paths.
_LOOKS, _LOOKS_OF_PATHS = np.geomspace(0.4, 2e-3, 9), np.geomspace(0.2, 0.012, 5)
#: Logarithms of D: the minimum of the exact form is found to this; the three points of a parabola of paths are so far apart.
_TOL, _APART = 3e-4, 0.5
#: Minima that are not this far from the onset, relative, are the onset; by paths, in standard errors.
_SAME, _SIGMAS = 1e-9, 2.0
#: Errors of values by the exact form, relative to the larger of 1 and the value.
_ERROR = 1e-8
#: Amplitudes that say how growth begins, and how well a tricritical point is known.
_SMALL, _TRICRITICAL = 2e-5, 1e-6


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
    check_progress(progress)
    if ensemble.has_white_input:
        raise CapabilityError("chaos_line needs a zero state, which white input does not leave: use chaos_onset")
    start = onset(ensemble, path, bounds)
    there = path.at(ensemble, float(start))
    form = None if method == "paths" else lag_form(there)
    if method == "lag" and form is None:
        raise CapabilityError('chaos_line: method "lag" needs a constant leak; use method="paths"')
    with Progress(progress, len(_LOOKS if form is not None else _LOOKS_OF_PATHS), "amplitude") as tell:
        found = _exact(there, path, clock, start, tell) if form is not None else _sampled(there, path, paths, start, tell)
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


def _sampled(ensemble, path, paths, start, tell):
    first = 1.0  # second moments of bounded messages
    coarse, values, sizes = paths._replace(refine=0), [], first * _LOOKS_OF_PATHS
    here = ensemble
    for number, size in enumerate(sizes, start=1):
        try:
            value = value_at_amplitude(here, coarse, float(size), path)[0]
            here = path.at(ensemble, value)
        except NoCriticalValue:
            value = np.inf
        values.append(value)
        tell(number)
    least = int(np.argmin(values))
    if not np.isfinite(values[least]):
        return _continuous(start, path)
    here = path.at(ensemble, values[least])
    points = [value_at_amplitude(here, paths, float(sizes[least] * np.exp(way * _APART)), path) for way in (-1.0, 0.0, 1.0)]
    (a, b, c), errors = [point[0] for point in points], [point[1] for point in points]
    bend = a - 2.0 * b + c
    away = float(np.clip(0.5 * (a - c) / bend, -1.0, 1.0)) if bend > 0.0 else 0.0
    value, error = b - 0.25 * (a - c) * away, max(errors)
    if value > float(start) - _SIGMAS * error:
        return _continuous(start, path)
    _, _, state, _ = points[1]
    alike, apart = path_exponents(state)
    exponent = float(alike.mean()), float(error_of(apart))
    moments = dict(zip(ensemble.cell.message_names, state.moments.tolist()))
    return _jump(path, float(value), error, moments, path.at(ensemble, float(value)), exponent, start)


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


@underflow_is_zero
def chaos_tricritical(
    ensemble: Ensemble, parameter: AnyPath, along: AnyPath, bounds: tuple[float, float] | None = None
) -> Critical:
    """The value along a second path beyond which chaos begins with a jump [T8].

    Where the zero state loses stability everything is slow, so that energy decides for maps and flows alike (a leak between 0 and 1
    a step): chaos jumps where the growth of an amplitude rises with it. GRU: sqrt 12 of a_r at b_r = 0, which is not the sqrt 8 of
    fixed points.

    Parameters
    ----------
    ensemble : Ensemble of a cell with a constant leak and a zero state
    parameter : path along which the zero state loses stability, such as "gain.h"
    along : path of the value, such as "gain.r"
    bounds : (low, high), optional
        Default: (0, 20) for gains and spreads, the path's span for biases.

    Returns
    -------
    Critical, of the kind "tricritical", to about 1e-6

    Raises
    ------
    TypeError, ValueError, CapabilityError : as :func:`chaos_line` with method "lag"
    NoCriticalValue : no change within the bounds
    """
    from scipy.optimize import brentq

    instance("ensemble", ensemble, Ensemble).require("dynamics", "chaos_tricritical", "chaos_onset")
    path, second = path_of("parameter", parameter, ensemble), path_of("along", along, ensemble)
    low, high = second.within(bounds if bounds is not None or second.signed else (0.0, 20.0))
    require_apart("parameter and along", second, path, ensemble, (low, 1.0))

    def at(value):
        moved = second.at(ensemble, value)
        return onset(moved, path).ensemble

    def rise(value):
        form = lag_form(at(value))
        if form is None:
            raise CapabilityError("chaos_tricritical needs a constant leak")
        # the growth is zero at amplitude zero; its slope there, by Richardson's step
        first, twice = (energy_at(form, size * _SMALL).growth / (size * _SMALL) for size in (1.0, 2.0))
        return 2.0 * first - twice

    at_low, at_high = rise(low), rise(high)
    if at_low * at_high > 0.0:
        kind = "jumps" if at_low > 0.0 else "is continuous"
        raise NoCriticalValue(f"chaos {kind} at both ends of {second} within {(low, high)}")
    value = float(brentq(rise, low, high, xtol=1e-10))
    there = at(value)
    text = f"chaos jumps {'above' if at_high > 0.0 else 'below'}, is continuous on the other side"
    return Critical(
        value,
        second.name,
        kind="tricritical",
        error=_TRICRITICAL * max(1.0, abs(value)),
        discontinuous=False,
        moments=dict.fromkeys(ensemble.cell.message_names, 0.0),
        ensemble=there,
        status=Status("continuous", text),
    )
