"""Phase diagrams: fixed points, spectra, onset and fold lines over grids of hyperparameters, on any executor.

The grid is cut into contiguous chunks of points in C order. The cut depends on the size of the grid only and every point is
computed from its own hyperparameters alone, so that results do not depend on the executor or the number of workers.
"""

from __future__ import annotations

import json
import re
import time
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from ..counting.complexity import complexity
from ..counting.onset import complexity_onset
from ..dynamics.chaos import chaos_onset, largest_exponent
from ..ensemble.ensemble import Ensemble
from ..errors import CapabilityError, ConvergenceError, NoCriticalValue
from ..mean_field.fixed_points import fixed_points, fold, onset, tricritical
from ..results.provenance import cell_text, provenance
from ..running.blas import single_blas_thread
from ..running.progress import check_progress
from ..running.tasks import check_executor, collect, known_cell
from ..spectrum.spectrum import Spectrum
from ..support.checks import integer, real

__all__ = ["phase_diagram", "symbol", "QUANTITIES", "FORMS"]

#: Quantities without a parameter of their own.
QUANTITIES = (
    "count",
    "moments",
    "residual",
    "error",
    "abscissa",
    "radius",
    "slow_fraction",
    "stable",
    "outlier",
    "lyapunov",
    "complexity",
)
#: Forms of those with.
FORMS = (
    "mass:<center>,<radius>",
    "potential:<lambda>",
    "onset:<path>",
    "fold:<path>",
    "tricritical:<path>,<along>",
    "chaos:<path>",
    "complexity_onset:<path>",
)
_CRITICAL = {"onset": 1, "fold": 1, "tricritical": 2, "chaos": 1, "complexity_onset": 1}
_SPECTRAL = ("abscissa", "radius", "slow_fraction", "stable", "outlier", "mass", "potential")

#: Points in a task: enough that sending one is cheap (a point takes milliseconds), few enough that workers end together.
_MAX_CHUNK = 100
_CHUNKS = 64

#: Status of a grid point.
_STATUS = {
    0: "ok",
    1: "fixed_points_not_converged",
    2: "spectrum_not_converged",
    3: "critical_value_not_converged",
    4: "complexity_not_converged",
    5: "complexity_not_defined",
    6: "simulation_diverged",
}
#: Status of a complexity: the word before the colon of ``Complexity.status``, and that of a ConvergenceError.
_COMPLEXITY_STATUS = (
    "converged",
    "not positive",
    "no saddle",
    "undecided",
    "inaccurate",
    "incomplete",
    "unbounded",
    "not converged",
)
#: Those that make a grid point a failure.
_COMPLEXITY_FAILS = {"undecided": 4, "inaccurate": 4, "incomplete": 4, "unbounded": 5}
#: Status of a critical value.
_CRITICAL_STATUS = {0: "continuous", 1: "discontinuous", 2: "none_within_bounds", 3: "not_defined_here", 4: "not_converged"}

#: What comes with a critical value: the name of its variable, its long name, and whether it is a value of the second path.
_THIRD = {
    "chaos": ("chaos_error", "standard error of chaos:{0}", False),
    "tricritical": ("tricritical_onset", "value of {1} at the tricritical point", True),  # a point needs two coordinates
}

_LONG_NAMES = {
    "residual": "largest relative residual of the moments",
    "error": "estimated relative quadrature error of the moments",
    "abscissa": "largest real part of the spectrum",
    "radius": "largest modulus of the spectrum",
    "slow_fraction": "fraction of modes that are slower than tau steps, or grow",
    "stable": "whether the fixed point is stable: bulk and outliers of its spectrum within the unit circle",
    "outlier": "largest modulus of the isolated eigenvalues, NaN where there is none",
    "mass": "fraction of eigenvalues within {1} of {0}",
    "potential": "mean log|lambda - eigenvalue| at lambda = {0}",
}


def phase_diagram(
    ensemble,
    axes,
    quantities=("count", "moments", "abscissa"),
    *,
    tau=100.0,
    n_units=1000,
    n_steps=200,
    seed=0,
    executor=None,
    progress=None,
    journal=None,
):
    """Mean-field solutions of an ensemble and their spectra over a grid of hyperparameters [T3, T5, T6].

    Parameters
    ----------
    ensemble : Ensemble
        Holds the hyperparameters that are not swept.
    axes : mapping
        Path of a hyperparameter ("gain.h", "bias.r", "bias_std.z", "parameter.p_f", ...) to its values, a 1-D array of finite
        numbers. One axis or more; the grid is their outer product, the first axis varies slowest.
    quantities : sequence of str
        What to compute at each point:

        - "count": number of mean-field fixed points, the zero state included
        - "moments": second moments of the distinct messages, one variable each ("moment_h", "moment_r_h", ...)
        - "residual", "error": of the moments, relative (see FixedPoint)
        - "abscissa", "radius": largest real part and modulus of each solution's spectrum
        - "slow_fraction": fraction of modes with a timescale above ``tau`` steps, or growing
        - "stable": 1 where bulk and outliers of the spectrum lie within the unit circle, else 0
        - "outlier": largest modulus of the isolated eigenvalues, NaN where there is none
        - "mass:1,0.1": fraction of eigenvalues in the disc of this center (real or like 0.5+0.2j) and radius
        - "potential:1": the mean of log|lambda - eigenvalue| at this lambda
        - "onset:gain.h", "fold:gain.h": critical value of a hyperparameter (any path). If the path is itself an axis the value
          lives on the remaining axes: the line to draw into the diagram
        - "tricritical:gain.r,gain.h": where the onset in the second path turns discontinuous, as a value of the first; the
          second's comes as "tricritical_onset:gain.r,gain.h"
        - "lyapunov": largest Lyapunov exponent of one random network started far from zero, with "lyapunov_stderr": chaos
          where it is positive. "chaos:gain.h": value of a hyperparameter where its sign changes, with its standard error as
          "chaos_error:gain.h" (see chaos_onset). Both simulate: seconds a point, not milliseconds
        - "complexity": annealed rate of the number of fixed points, zero where it does not grow, with "complexity_rate", that of
          the largest saddle, negative ones too (NaN without a saddle), and "complexity_status", see ``Complexity.status``.
          "complexity_onset:gain.h": where it becomes positive
    tau : float > 0
        Timescale of "slow_fraction", in steps.
    n_units : int >= 10, n_steps : int >= 20
        Size and length of the simulations behind "lyapunov" and "chaos".
    seed : int >= 0
        Of these simulations; every point uses the same random numbers, so that lines are smooth, whoever computes them.
    executor : concurrent.futures.Executor or anything with a ``submit`` like it, optional
        Processes, threads or a cluster's client. Default: this process. Workers use one BLAS thread each.
    progress : None, True or callable
        True: a progress bar. A callable is told ``progress(done, total)`` in points.
    journal : str or path-like, optional
        A file for finished points, written as they come. A run that was killed goes on from it when started again with the same
        arguments (the executor may be another), and is refused with others.

    Returns
    -------
    xarray.Dataset
        One variable for each quantity. Those of solutions have a last dimension "solution", in ascending order (0: the zero state
        where there is one), padded with NaN; "count" says how many are real. "status" is 0 where everything converged; where
        it did not the values are NaN (a complexity that is zero within its error, or less accurate than asked for, keeps its
        value), a warning says how often and the attribute "failures" how often of how many. Critical
        values come with a variable such as "onset_status:gain.h": whether the transition there is continuous, or why there
        is none (then the value is NaN). Attributes hold the ensemble and the versions of everything; ``gt.save`` writes it.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, its value and what is allowed: unknown paths and quantities, axes that are empty, not 1-D or
        not finite, negative gains, an executor without ``submit``, a journal of other work.
    FileNotFoundError, RuntimeError
        No directory for the journal; another process writes into it.
    CapabilityError
        The cell has no bounded mean field.
    """
    if not isinstance(ensemble, Ensemble):
        raise TypeError(f"ensemble must be an Ensemble, got {ensemble!r}")
    grids = _check_axes(ensemble, axes)
    specs = _check_quantities(ensemble, quantities, tuple(grids))
    tau = real("tau", tau, low=0.0, open_low=True)
    run = integer("n_units", n_units, low=10), integer("n_steps", n_steps, low=20), integer("seed", seed, low=0)
    check_executor(executor)
    check_progress(progress)

    paths = tuple(grids)
    full = _Job(paths, tuple(s.name for s in specs if s.kind not in _CRITICAL), (), tau, run)
    jobs = [(full, tuple(len(v) for v in grids.values()))]
    for spec in (s for s in specs if s.kind in _CRITICAL):
        kept = tuple(p for p in paths if p not in spec.paths)
        jobs.append((_Job(kept, (), (spec,), tau, run), tuple(len(grids[p]) for p in kept)))
    tasks = []
    for number, (job, shape) in enumerate(jobs):
        if not job.quantities and not job.critical:
            continue
        size = int(np.prod(shape, dtype=int))
        length = max(1, min(_MAX_CHUNK, -(-size // _CHUNKS)))
        tasks += [(number, start, min(start + length, size)) for start in range(0, size, length)]

    started = time.perf_counter()
    pieces = _run(ensemble, grids, jobs, tasks, executor, progress, journal)
    options = {"tau": tau, "n_units": run[0], "n_steps": run[1], "seed": run[2]}
    return _assemble(ensemble, grids, specs, jobs, pieces, options, time.perf_counter() - started)


# --- arguments


@dataclass(frozen=True)
class _Spec:
    """A quantity taken apart: "onset:gain.h" is kind "onset" with paths ("gain.h",)."""

    name: str
    kind: str
    paths: tuple = ()


@dataclass(frozen=True)
class _Job:
    """What is computed at the points of one grid, the outer product of the axes ``paths``."""

    paths: tuple
    quantities: tuple
    critical: tuple
    tau: float
    run: tuple


def _check_axes(ensemble, axes):
    if not isinstance(axes, Mapping):
        raise TypeError(f"axes must be a mapping from paths such as 'gain.h' to values, got {axes!r}")
    if not axes:
        raise ValueError(f"axes must hold at least one path, got none; allowed are {list(ensemble.paths)}")
    grids = {}
    for path, values in axes.items():
        if not isinstance(path, str) or path not in ensemble.paths:
            raise ValueError(f"axes has the unknown path {path!r}; allowed are {list(ensemble.paths)}")
        array = np.asarray(values)
        if array.dtype.kind not in "iuf":
            raise TypeError(f"axes[{path!r}] must hold real numbers, got {values!r}")
        if array.ndim != 1:
            raise ValueError(f"axes[{path!r}] must be 1-D, got shape {array.shape}")
        if array.size == 0:
            raise ValueError(f"axes[{path!r}] must hold at least one value, got none")
        array = array.astype(float)
        if not np.isfinite(array).all():
            raise ValueError(f"axes[{path!r}] must be finite, got {array[~np.isfinite(array)][0]!r}")
        for extreme in (array.min(), array.max()):
            try:
                ensemble.replace({path: float(extreme)})
            except ValueError as error:
                raise ValueError(f"axes[{path!r}]: {error}") from None
        grids[path] = array
    return grids


def _check_quantities(ensemble, quantities, axis_paths):
    allowed = [*QUANTITIES, *FORMS]
    if isinstance(quantities, str):
        quantities = (quantities,)
    if not hasattr(quantities, "__iter__"):
        raise TypeError(f"quantities must be a sequence of names, got {quantities!r}; allowed are {allowed}")
    specs = []
    for name in dict.fromkeys(quantities):
        if not isinstance(name, str):
            raise TypeError(f"quantities must hold names, got {name!r}; allowed are {allowed}")
        kind, colon, rest = name.partition(":")
        if name in QUANTITIES:
            specs.append(_Spec(name, name))
        elif colon and kind in _CRITICAL:
            paths = tuple(p.strip() for p in rest.split(","))
            if len(paths) != _CRITICAL[kind] or len(set(paths)) != len(paths):
                raise ValueError(
                    f"quantities: {kind} takes {_CRITICAL[kind]} distinct path(s), got {name!r}; allowed are {allowed}"
                )
            for path in paths:
                if path not in ensemble.paths:
                    raise ValueError(f"quantities: {name!r} has the unknown path {path!r}; allowed are {list(ensemble.paths)}")
            specs.append(_Spec(f"{kind}:{','.join(paths)}", kind, paths))
        elif colon and kind in ("mass", "potential"):
            try:
                numbers = _numbers(name)
                legal = len(numbers) == (2 if kind == "mass" else 1) and np.isfinite(numbers).all()
                legal = legal and (kind == "potential" or (numbers[1].imag == 0 and numbers[1].real > 0))
            except ValueError:
                legal = False
            if not legal:
                form = "a finite center and a positive radius" if kind == "mass" else "one finite number"
                raise ValueError(f"quantities: {kind} takes {form}, got {name!r}; allowed are {allowed}")
            specs.append(_Spec(name, name))
        else:
            raise ValueError(f"quantities has the unknown entry {name!r}; allowed are {allowed}")
    if not specs:
        raise ValueError(f"quantities must name at least one quantity, got none; allowed are {allowed}")
    return specs


def _numbers(name):
    """The numbers of a quantity such as "mass:1,0.1"."""
    return [complex(text.replace(" ", "")) for text in name.partition(":")[2].split(",")]


# --- work


def _run(ensemble, grids, jobs, tasks, executor, progress, journal):
    """Results of the tasks, in their order."""
    cell = ensemble.cell
    description = ensemble.as_dict()

    def arguments(task):
        number, start, stop = task
        job, shape = jobs[number]
        index = np.unravel_index(np.arange(start, stop), shape) if shape else ()
        points = np.column_stack([grids[p][i] for p, i in zip(job.paths, index)]) if shape else np.zeros((1, 0))
        return cell, description, job, points

    work = {"work": "phase_diagram", "ensemble": description, "cell": cell_text(cell)}
    work |= {"axes": {path: values.tolist() for path, values in grids.items()}, "jobs": [asdict(job) for job, _ in jobs]}
    sizes = [stop - start for _, start, stop in tasks]
    parts = [arguments(task) for task in tasks]
    results = collect(_chunk, parts, sizes, "point", executor=executor, progress=progress, journal=journal, work=work)
    return dict(zip(tasks, results))


def _chunk(cell, description, job, points):
    """One task: the quantities of a job at points (n, axes). A list with one dict a point."""
    ensemble = Ensemble.from_dict(description, known_cell(cell))
    with single_blas_thread():
        return [_point(ensemble, job, values) for values in points.tolist()]


def _point(ensemble, job, values):
    place = dict(zip(job.paths, values))
    here = ensemble.replace(place)
    out = {"status": 0, "message": None}
    try:
        if job.quantities:
            _solutions(here, job, out)
        for spec in job.critical:
            _critical(here, spec, job, out)
    except Exception as error:
        error.add_note(f"at the point {place} of the phase diagram")
        raise
    return out


def _fail(out, status, error):
    if out["status"] == 0:
        out["status"], out["message"] = status, str(error)


def _solutions(ensemble, job, out):
    if "lyapunov" in job.quantities:
        n_units, n_steps, seed = job.run
        try:
            out["lyapunov"] = largest_exponent(ensemble, n_units, n_steps, rng=seed)
        except ConvergenceError as error:
            _fail(out, 6, error)
    if "complexity" in job.quantities:
        try:
            found = complexity(ensemble)
        except ConvergenceError as error:
            _fail(out, 4, error)
            out["complexity"] = np.nan, np.nan, _COMPLEXITY_STATUS.index("not converged")
        else:
            word = found.status.code.replace("_", " ")
            out["complexity"] = found.value, found.rate, _COMPLEXITY_STATUS.index(word)
            if word in _COMPLEXITY_FAILS:
                _fail(out, _COMPLEXITY_FAILS[word], found.status)
    if not set(job.quantities) - {"lyapunov", "complexity"}:
        return None
    try:
        points = fixed_points(ensemble)
    except ConvergenceError as error:
        return _fail(out, 1, error)
    out["count"] = len(points)
    if "moments" in job.quantities:
        out["moments"] = [p.q for p in points]
    for name in ("residual", "error"):
        if name in job.quantities:
            out[name] = [getattr(p, name) for p in points]
    wanted = [name for name in job.quantities if name.partition(":")[0] in _SPECTRAL]
    if not wanted:
        return None
    for name in wanted:
        out[name] = []
    for point in points:
        spectrum = Spectrum(point)
        for name in wanted:
            try:
                out[name].append(_spectral(spectrum, name, job.tau))
            except ConvergenceError as error:
                _fail(out, 2, error)
                out[name].append(np.nan)
    return None


def _spectral(spectrum, name, tau):
    if name == "slow_fraction":
        return spectrum.slow_fraction(tau)
    if name == "stable":
        if spectrum.radius() >= 1.0:
            return 0.0
        outliers = spectrum.outliers()
        return float(not outliers.size or np.abs(outliers).max() < 1.0)
    if name == "outlier":
        outliers = spectrum.outliers()
        return float(np.abs(outliers).max()) if outliers.size else np.nan
    if name.startswith("mass:"):
        center, radius = _numbers(name)
        return spectrum.mass(center, radius.real)
    if name.startswith("potential:"):
        return spectrum.potential(_numbers(name)[0])
    return getattr(spectrum, name)()


def _critical(ensemble, spec, job, out):
    functions = {"onset": onset, "fold": fold, "tricritical": tricritical, "chaos": chaos_onset}
    functions |= {"complexity_onset": complexity_onset}
    function = functions[spec.kind]
    n_units, n_steps, seed = job.run
    options = {"n_units": n_units, "n_steps": n_steps, "rng": seed} if spec.kind == "chaos" else {}
    try:
        value = function(ensemble, *spec.paths, **options)
    except CapabilityError:
        found = np.nan, 3
    except ConvergenceError as error:
        _fail(out, 3, error)
        found = np.nan, 4
    except NoCriticalValue:
        found = np.nan, 2
    else:
        found = float(value), int(value.jump if spec.kind == "chaos" else value.discontinuous)
        if spec.kind == "chaos":
            found = (*found, value.error)
        if spec.kind == "tricritical":
            found = (*found, value.ensemble.value(spec.paths[1]))
    out[spec.name] = found


# --- the dataset


def symbol(path):
    """The symbol of a hyperparameter in the theory sheet: ``symbol("gain.h")`` is ``"$a_{h}$"``.

    Parameters
    ----------
    path : str, such as "gain.h", "bias.r", "bias_std.z", "input_std.h", "parameter.p_f"

    Returns
    -------
    str, TeX as matplotlib understands it
    """
    kind, _, name = path.partition(".")
    plain = re.sub(r"_(.+)", r"_{\1}", name)
    forms = {"gain": f"a_{{{name}}}", "bias": f"b_{{{name}}}", "bias_std": rf"\beta_{{{name}}}", "parameter": plain}
    forms |= {"input_std": rf"\sigma^{{in}}_{{{name}}}", "parameter_std": rf"\mathrm{{std}}\,{plain}"}
    return f"${forms[kind]}$" if kind in forms else path


def _axis_attributes(path):
    kind, _, name = path.partition(".")
    words = {
        "gain": f"dimensionless gain of field {name}",
        "bias": f"dimensionless mean bias of field {name}",
        "bias_std": f"dimensionless spread of the bias of field {name}",
        "input_std": f"dimensionless standard deviation of the input to field {name}",
        "parameter": f"dimensionless mean of site parameter {name}",
        "parameter_std": f"dimensionless spread of site parameter {name}",
    }
    return {"long_name": words[kind], "units": "1", "symbol": symbol(path)}


def _assemble(ensemble, grids, specs, jobs, pieces, options, seconds):
    import xarray as xr

    points = [[] for _ in jobs]
    for (number, _, _), chunk in pieces.items():
        points[number] += chunk
    axes = list(grids)
    shape = jobs[0][1]
    variables = {}
    status = np.zeros(shape, dtype=np.int8)
    if points[0]:
        status = np.array([p["status"] for p in points[0]], dtype=np.int8).reshape(shape)
        counts = np.array([p.get("count", -1) for p in points[0]], dtype=np.int8)
        depth = max(1, int(counts.max()))
        wanted = jobs[0][0].quantities
        if "count" in wanted:
            attributes = {"long_name": "number of mean-field fixed points, the zero state included", "units": "1"}
            if (counts < 0).any():
                attributes["comment"] = "-1 where the fixed points did not converge"
            variables["count"] = (axes, counts.reshape(shape), attributes)
        padding = "solutions in ascending order, padded with NaN; count says how many there are"
        if "moments" in wanted:
            names = ensemble.cell.message_names
            for k, variable in enumerate(_moment_variables(names)):
                rows = [[q[k] for q in p.get("moments", ())] for p in points[0]]
                attributes = {"long_name": f"second moment of the message {names[k]}", "message": names[k]}
                variables[variable] = ([*axes, "solution"], _padded(rows, shape, depth), attributes)
        for name in wanted:
            kind, _, numbers = name.partition(":")
            if kind in _LONG_NAMES:
                rows = [p.get(name, ()) for p in points[0]]
                about = {"long_name": _LONG_NAMES[kind].format(*numbers.split(","))}
                variables[name] = ([*axes, "solution"], _padded(rows, shape, depth), about)
        if "lyapunov" in wanted:
            pairs = np.array([p.get("lyapunov", (np.nan, np.nan)) for p in points[0]])
            about = {"long_name": "largest Lyapunov exponent of a random network", "units": "1/step"}
            variables["lyapunov"] = (axes, pairs[:, 0].reshape(shape), about)
            about = {"long_name": "standard error of the largest Lyapunov exponent, from blocks in time", "units": "1/step"}
            variables["lyapunov_stderr"] = (axes, pairs[:, 1].reshape(shape), about)
        if "complexity" in wanted:
            triples = np.array([p["complexity"] for p in points[0]], dtype=float)
            about = {"long_name": "annealed complexity, growth rate of the number of fixed points with N", "units": "1"}
            about["comment"] = "complexity_status says why it is zero, NaN, or not to be relied on"
            variables["complexity"] = (axes, triples[:, 0].reshape(shape), about)
            about = {"long_name": "rate of the largest saddle of the annealed complexity, negative ones too", "units": "1"}
            variables["complexity_rate"] = (axes, triples[:, 1].reshape(shape), about)
            words = {i: word.replace(" ", "_") for i, word in enumerate(_COMPLEXITY_STATUS)}
            flags = triples[:, 2].astype(np.int8).reshape(shape)
            variables["complexity_status"] = (axes, flags, _flags("what the complexity is, or why it is missing", words))
        for name, (dims, _, attributes) in variables.items():
            if "solution" in dims:
                attributes |= {"units": "1", "comment": padding}
            if name == "slow_fraction":
                attributes["tau"] = options["tau"]
    for (job, line_shape), found in list(zip(jobs, points))[1:]:
        (spec,) = job.critical
        values = np.array([p[spec.name][0] for p in found]).reshape(line_shape)
        flags = np.array([p[spec.name][1] for p in found], dtype=np.int8).reshape(line_shape)
        companion = f"{spec.kind}_status:{spec.name.partition(':')[2]}"
        long_name = {
            "onset": "value of {0} at which the zero state loses stability",
            "fold": "value of {0} at which non-zero solutions appear",
            "tricritical": "value of {0} at which the onset in {1} turns discontinuous",
            "chaos": "value of {0} at which random networks turn chaotic or cease to be",
            "complexity_onset": "value of {0} at which fixed points become exponentially many",
        }[spec.kind].format(*spec.paths)
        attributes = {"long_name": long_name, "units": "1", "symbol": symbol(spec.paths[0]), "path": spec.paths[0]}
        attributes["comment"] = f"NaN where there is none: {companion} says why"
        variables[spec.name] = (list(job.paths), values, attributes)
        variables[companion] = (list(job.paths), flags, _flags(f"kind of {spec.name}, or why it is missing", _CRITICAL_STATUS))
        if spec.kind in _THIRD:
            third = np.array([(*p[spec.name], np.nan)[2] for p in found]).reshape(line_shape)
            beside, long_name, path = _THIRD[spec.kind]
            about = {"long_name": long_name.format(*spec.paths), "units": "1"}
            about |= {"symbol": symbol(spec.paths[1])} if path else {}
            variables[f"{beside}:{spec.name.partition(':')[2]}"] = (list(job.paths), third, about)
        failed = np.array([p["status"] for p in found], dtype=np.int8).reshape(line_shape)
        # lines live on some of the axes: a failure marks every point of the grid above it
        spread = np.expand_dims(failed, tuple(i for i, p in enumerate(axes) if p not in job.paths))
        status = np.where(status == 0, np.broadcast_to(spread, shape), status).astype(np.int8)
    variables["status"] = (axes, status, _flags("whether everything at this point converged", _STATUS))
    failures = [p for part in points for p in part if p["status"] != 0]
    size = sum(map(len, points))
    attributes = {
        "title": f"phase diagram of {ensemble.cell.name} networks",
        "cell": ensemble.cell.name,
        "ensemble": json.dumps(ensemble.as_dict()),
        "quantities": " ".join(s.name for s in specs),
        "failures": len(failures),
        "seconds": seconds,
        "seconds_per_point": seconds / max(1, size),
        "provenance": json.dumps(provenance(ensemble, axes=axes, quantities=[s.name for s in specs], **options)),
    }
    attributes["gating_theory_version"] = json.loads(attributes["provenance"])["gating_theory"]
    attributes["created"] = json.loads(attributes["provenance"])["created"]
    if failures:
        message = f"{len(failures)} of {size} points did not converge (see status); the first: {failures[0]['message']}"
        attributes["warning"] = message
        warnings.warn(message, RuntimeWarning, stacklevel=3)
    coordinates = {path: (path, values, _axis_attributes(path)) for path, values in grids.items()}
    if any("solution" in v[0] for v in variables.values()):
        coordinates["solution"] = ("solution", np.arange(depth), {"long_name": "mean-field solution, in ascending order"})
    return xr.Dataset(variables, coordinates, attributes)


def _flags(long_name, table):
    values = np.array(list(table), dtype=np.int8)
    return {"long_name": long_name, "flag_values": values, "flag_meanings": " ".join(table.values())}


def _moment_variables(names):
    """ "moment_" and the message's name with everything but letters and digits as "_"; numbered where two would be equal."""
    safe = ["moment_" + re.sub(r"\W+", "_", name).strip("_") for name in names]
    return [s if safe.count(s) == 1 else f"{s}_{k}" for k, s in enumerate(safe)]


def _padded(rows, shape, depth):
    out = np.full((len(rows), depth), np.nan)
    for i, row in enumerate(rows):
        out[i, : len(row)] = row
    return out.reshape(*shape, depth)
