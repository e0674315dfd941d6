"""Phase diagrams: fixed points, spectra, onset and fold lines over grids of hyperparameters, on any executor.

The grid is cut into contiguous chunks of points in C order, whose fixed points and abscissas are computed together. The cut depends
on the size of the grid only, so that results do not depend on the executor or the number of workers. Lines whose search failed are
searched again afterwards, from what their neighbours have.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..ensemble.ensemble import Ensemble
from ..ensemble.hyperparameters import is_of_hyperparameters, python_names, tied
from ..ensemble.paths import EnsemblePath, path_of, require_apart
from ..results.provenance import cell_text
from ..running.progress import check_progress
from ..running.tasks import check_executor, collect
from ..support.checks import instance, integer, real, shown
from ..support.types import Executor
from ..support.types import Progress as Wanted
from .dataset import assemble
from .points import Job, compute_points
from .quantity import CriticalQuantity
from .request import requests

if TYPE_CHECKING:
    import os

    import numpy.typing as npt
    import xarray as xr

__all__ = ["phase_diagram"]

#: Points in a task: enough that they share their calls (100 take as long as ten singly), few enough that workers end together.
_MAX_CHUNK = 100
_CHUNKS = 64


def phase_diagram(
    ensemble: Ensemble,
    axes: Mapping[Any, npt.ArrayLike],
    quantities: str | Sequence[str] = ("count", "moments", "abscissa"),
    *,
    tau: float = 100.0,
    n_units: int = 1000,
    n_steps: int = 200,
    seed: int = 0,
    executor: Executor | None = None,
    progress: Wanted = None,
    journal: str | os.PathLike[str] | None = None,
) -> xr.Dataset:
    """Mean-field solutions of an ensemble and their spectra over a grid of hyperparameters [T3, T5, T6].

    Parameters
    ----------
    ensemble : Ensemble
        Holds the hyperparameters that are not swept.
    axes : mapping
        Paths to their values, 1-D arrays of finite numbers. One axis or more; the grid is their outer product, the first axis
        varies slowest. A path is one hyperparameter ("gain.h", "bias.r", "bias_std.z", "parameter.p_f", ...), one kind for all
        fields ("gain"), a tie ("gain.z=gain.r", "gain.z=2*gain.r", "bias.z=-bias.r"), a :class:`~gating_theory.Direction`, or a
        function of the value that returns {path: number} or an Ensemble. No two axes set the same hyperparameter.
    quantities : sequence of str
        What to compute at each point:

        - "count": number of mean-field fixed points, the zero state included
        - "moments": second moments of the distinct messages, one variable each ("moment_h", "moment_r_h", ...)
        - "residual", "error": of the moments, relative (see FixedPoint)
        - "abscissa", "radius": largest real part and modulus of each solution's spectrum
        - "slow_fraction": fraction of modes with a timescale above ``tau`` steps, or growing
        - "stable": 1 where bulk and outliers of the spectrum lie within the unit circle, else 0
        - "outlier": largest modulus of the isolated eigenvalues, NaN where there is none
        - "describes": whether the limit describes networks of ``n_units`` units, a flag (see ``Spectrum.concentration``); the
          attribute "note" says at how many solutions it does not. "half_share", "n_effective": fraction of the sites that carry
          half of T(1), and their effective number in such a network
        - "mass:1,0.1": fraction of eigenvalues in the disc of this center (real or like 0.5+0.2j) and radius
        - "moment:h": the second moment of one message
        - "potential:1": the mean of ``log|lambda - eigenvalue|`` at this lambda
        - "gradient:100", "gradient:100,h": log10 (no natural logarithm) of the mean square of gradients through so many steps of
          tied weights (of a loss on h alone), see :func:`~gating_theory.gradient_growth`; "gradient_untied:100": the same of
          weights drawn anew in each step; "gradient_rate": by what the mean square (no logarithm) grows per step of tied weights
          in the end
        - "mean_square", "square_std": mean and standard deviation of the squared singular values of the Jacobian;
          "singular:largest", "singular:smallest": the ends of the singular values, rare sites left out
        - "onset:gain.h", "fold:gain.h": critical value along a path ("onset:gain", "fold:gain.z=gain.r"; directions and
          functions that are axes go by their names, and are searched over their values). If the path is itself an axis the value
          lives on the remaining axes: the line to draw into the diagram. It sets no hyperparameter of another axis
        - "tricritical:gain.r,gain.h": where the onset in the second path turns discontinuous, as a value of the first; the
          second's comes as "tricritical_onset:gain.r,gain.h". "chaos_tricritical:gain.r,gain.h": the same of chaos
        - "lyapunov": largest Lyapunov exponent of one random network started far from zero, with "lyapunov_stderr": chaos
          where it is positive. "chaos:gain.h": value of a hyperparameter where its sign changes, with its standard error as
          "chaos_error:gain.h" (see chaos_onset). Both simulate: seconds a point, not milliseconds
        - "chaos_line:gain.h": the same from theory (see chaos_line), with "chaos_line_error:gain.h"; seconds a point, and without
          noise where the leak is constant. Of the discrete network; that of ``cell.euler(0.1)`` is near the flow
        - "echo:gain.h": where copies cease to agree under a common input, or begin to (see echo_line), with "echo_error:gain.h";
          seconds a point, without noise where the leak is constant
        - "complexity": annealed rate of the number of fixed points, zero where it does not grow, with "complexity_rate", that of
          the largest saddle, negative ones too (NaN without a saddle), and "complexity_status", see ``Complexity.status``.
          "complexity_onset:gain.h": where it becomes positive
        - names of your own, see :func:`~gating_theory.register_quantity`
    tau : float > 0
        Timescale of "slow_fraction", in steps.
    n_units : int >= 10
        Size of the simulations behind "lyapunov" and "chaos", and of the networks that "describes" and "n_effective" are about.
    n_steps : int >= 20
        Length of these simulations.
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
        One variable for each quantity. The dimension of an axis "gain.h" is called "gain_h", so that ``data.gain_h`` and
        ``data.sel(gain_h=2.0)`` work; its attribute "path" is "gain.h". An axis that is a direction or a function has the values of
        the hyperparameters that it leads through as further coordinates. Quantities of solutions have a last dimension "solution",
        in ascending order (0: the zero state where there is one), padded with NaN; "count" says how many are real. "status" is 0
        where everything converged; where it did not the values are NaN (a complexity that is zero within a large error, or less
        accurate than asked for, keeps its value), a warning says how often and the attribute "failures" how often of how many.
        Critical values come with a variable such as "onset_status:gain.h": whether the transition there is continuous, or why
        there is none (then the value is NaN). Attributes hold the ensemble and the versions of everything; ``gt.save`` writes it.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, its value and what is allowed: unknown paths and quantities, paths that set the same hyperparameter,
        axes that are empty, not 1-D or not finite, negative gains, an executor without ``submit``, a journal of other work, a
        function of your own, of a quantity or an axis, that cannot be sent to the executor's processes.
    FileNotFoundError, RuntimeError
        No directory for the journal; another process writes into it.
    CapabilityError
        The cell has no bounded mean field.

    See Also
    --------
    gating_theory.register_quantity : Adds a quantity of your own.
    gating_theory.critical_line : Lines that are followed, not sampled.
    gating_theory.plotting.plot_phase_diagram : Draws what comes out.
    gating_theory.save : Writes it as netCDF.

    Examples
    --------
    >>> import gating_theory as gt
    >>> ens, axes = gt.Ensemble(gt.GRU), {"gain.h": [1.0, 3.0]}
    >>> data = gt.phase_diagram(ens, axes, ["count", "abscissa"])
    >>> data["count"].values
    array([1, 2], dtype=int8)
    >>> data.abscissa.sel(gain_h=3.0).values.round(4)
    array([1.25  , 1.0548])
    """
    instance("ensemble", ensemble, Ensemble)
    grids = _check_axes(ensemble, axes)
    asked = requests(quantities, ensemble, grids)
    _refuse_names_of_axes(asked, grids)
    options = {"tau": real("tau", tau, low=0.0, open_low=True), "n_units": integer("n_units", n_units, low=10)}
    options |= {"n_steps": integer("n_steps", n_steps, low=20), "seed": integer("seed", seed, low=0)}
    check_executor(executor)
    check_progress(progress)

    jobs = _jobs(grids, asked, options)
    started = time.perf_counter()
    points = _run(ensemble, grids, jobs, executor, progress, journal)
    for job, found in zip(jobs, points):
        _try_again(ensemble, grids, job, found)
    return assemble(ensemble, grids, asked, jobs, points, options, time.perf_counter() - started)


# --- arguments


def _check_axes(ensemble, axes):
    """{EnsemblePath: (n,) float array}, checked."""
    if not isinstance(axes, Mapping):
        raise TypeError(f"axes must be a mapping from paths such as 'gain.h' to values, got {shown(axes)}")
    if not axes:
        raise ValueError(f"axes must hold at least one path, got none; allowed are {list(ensemble.paths)}")
    grids = {}
    for given, values in axes.items():
        if not isinstance(given, str) and not callable(given) and not isinstance(given, EnsemblePath):
            tied("axes", given, ensemble.paths)
        along = path_of("axes", given, ensemble)
        path = along.name
        array = np.asarray(values)
        if array.dtype.kind not in "iuf":
            raise TypeError(f"axes[{path!r}] must hold real numbers, got {shown(values)}")
        if array.ndim != 1:
            raise ValueError(f"axes[{path!r}] must be 1-D, got shape {array.shape}")
        if array.size == 0:
            raise ValueError(f"axes[{path!r}] must hold at least one value, got none")
        array = array.astype(float)
        if not np.isfinite(array).all():
            raise ValueError(f"axes[{path!r}] must be finite, got {array[~np.isfinite(array)][0]!r}")
        for extreme in (array.min(), array.max()):
            try:
                along.at(ensemble, float(extreme))
            except ValueError as error:
                raise ValueError(f"axes[{path!r}]: {error}") from None
        for first, there in grids.items():
            if first.name == path:
                raise ValueError(f"axes: two paths are called {path!r}: give one another name")
            require_apart("axes", first, along, ensemble, (there[0], array[0]))
        grids[along] = array
    return grids


def _refuse_names_of_axes(asked, grids):
    names = dict(zip(python_names([path.name for path in grids]), grids))
    for request in asked:
        if request.name in names:
            axis = names[request.name].name
            raise ValueError(f"quantities: {request.name!r} is also the name of the axis {axis!r}: register it under another name")


# --- work


def _jobs(grids, asked, options):
    """The job of the whole grid, which may ask for nothing, and one for each line along some of the axes."""

    def job(paths, wanted):
        return Job(paths, tuple(len(grids[path]) for path in paths), wanted, options)

    lines = [request for request in asked if isinstance(request.entry, CriticalQuantity)]
    full = job(tuple(grids), tuple(request for request in asked if request not in lines))
    return [full, *(job(tuple(p for p in grids if p not in line.arguments), (line,)) for line in lines)]


def _run(ensemble, grids, jobs, executor, progress, journal):
    """Results of the jobs: for each a list of one dict a point."""
    tasks = []
    for number, job in enumerate(jobs):
        length = max(1, min(_MAX_CHUNK, -(-job.size // _CHUNKS)))
        starts = range(0, job.size if job.requests else 0, length)
        tasks += [(number, start, min(start + length, job.size)) for start in starts]

    def arguments(number, start, stop):
        job = jobs[number]
        index = np.unravel_index(np.arange(start, stop), job.shape) if job.shape else ()
        points = np.column_stack([grids[p][i] for p, i in zip(job.paths, index)]) if job.shape else np.zeros((1, 0))
        return ensemble, job, points

    work = {"work": "phase_diagram", "ensemble": ensemble.as_dict(), "cell": cell_text(ensemble.cell)}
    work |= {"axes": {path.name: values.tolist() for path, values in grids.items()}, "options": jobs[0].options}
    work |= _whither(ensemble, grids)
    work |= {
        "jobs": [
            {"paths": [path.name for path in job.paths], "quantities": [r.description() for r in job.requests]} for job in jobs
        ]
    }
    sizes = [stop - start for _, start, stop in tasks]
    parts = [arguments(*task) for task in tasks]
    try:
        chunks = collect(compute_points, parts, sizes, "point", executor=executor, progress=progress, journal=journal, work=work)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        _explain(error, jobs, grids)
        raise
    points = [[] for _ in jobs]
    for (number, _, _), chunk in zip(tasks, chunks):
        points[number] += chunk
    return points


def _whither(ensemble, grids):
    """Where axes lead whose names do not tell, for journals: a function may be another one under the same name."""
    unnamed = {path: values for path, values in grids.items() if not is_of_hyperparameters(path.name)}
    if not unnamed:
        return {}
    return {"whither": {path.name: [path.at(ensemble, v).as_dict() for v in values.tolist()] for path, values in unnamed.items()}}


def _try_again(ensemble, grids, job, found):
    """Search again where a line's search failed and a neighbour's has not, from its value; ``found`` is changed in place."""
    request = job.requests[0] if job.requests else None
    if request is None or not isinstance(request.entry, CriticalQuantity) or not request.entry.from_neighbour:
        return
    values = np.array([point[request.name][0] for point in found]).reshape(job.shape)
    for i in (i for i, point in enumerate(found) if point["status"] != 0):
        place = np.unravel_index(i, job.shape) if job.shape else ()
        for near in _neighbours(place, job.shape):
            if found[i]["status"] != 0 and np.isfinite(values[near]):
                start = request.arguments[0].at(ensemble, float(values[near]))
                point = np.array([[grids[path][k] for path, k in zip(job.paths, place)]])
                (again,) = compute_points(start, job, point)
                found[i] = again if again["status"] == 0 else found[i]


def _neighbours(place, shape):
    """The places of a grid next to one of them."""
    for axis, size in enumerate(shape):
        for k in (place[axis] - 1, place[axis] + 1):
            if 0 <= k < size:
                yield (*place[:axis], k, *place[axis + 1 :])


def _explain(error, jobs, grids):
    """Raise a TypeError with words if an error comes from a function of a quantity or an axis that cannot be sent to processes."""
    if hasattr(error, "__notes__"):  # from within a point, whose function has arrived
        return
    own = [request for job in jobs for request in job.requests if request.own]
    sent = {f"the function of the quantity {r.name!r}, {r.entry.function!r},": r.entry.function for r in own}
    sent |= {f"the function of the axis {path.name!r}": path for path in grids}
    for words, function in sent.items():
        try:
            pickle.dumps(function)
        except Exception:
            raise TypeError(
                f"{words} cannot be sent to the executor's processes: define it with def at the top of a module"
            ) from error
