"""The points of a phase diagram: what workers compute, quantity by quantity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..ensemble.matrix_laws import LawError
from ..ensemble.paths import moved
from ..errors import CapabilityError, ConvergenceError, NoCriticalValue
from ..mean_field.fixed_points import fixed_points_of_each
from ..running.blas import single_blas_thread
from ..spectrum.spectrum import Spectrum
from ..support.checks import shown
from .quantity import CRITICAL_STATUS, STATUS, CriticalQuantity, Flawed
from .request import Request

if TYPE_CHECKING:
    from typing import Any

    from ..ensemble.ensemble import Ensemble
    from ..ensemble.paths import EnsemblePath

__all__ = ["Job", "compute_points"]


@dataclass(frozen=True)
class Job:
    """What is computed at the points of one grid, the outer product of the axes ``paths``.

    Attributes
    ----------
    paths : tuple of EnsemblePath
    shape : tuple of int, numbers of values along these axes
    requests : tuple of Request
    options : dict, tau, n_units, n_steps and seed
    """

    paths: tuple[EnsemblePath, ...]
    shape: tuple[int, ...]
    requests: tuple[Request, ...]
    options: dict[str, float]

    @property
    def size(self) -> int:
        """Number of points."""
        return int(np.prod(self.shape, dtype=int))


def compute_points(ensemble: Ensemble, job: Job, points: np.ndarray) -> list[dict[str, Any]]:
    """One task: the quantities of a job at points (n, axes). Runs in the workers of an executor.

    Parameters
    ----------
    ensemble : Ensemble
    job : Job
    points : (n, axes) array, values along the paths ``job.paths``

    Returns
    -------
    list with one dict a point: "status" and "message"; "solutions", their number, where they were needed; each request's values
    """
    with single_blas_thread():
        places = [dict(zip(job.paths, values)) for values in points.tolist()]
        here = [moved(ensemble, place) for place in places]
        known = _fixed_points(here, job)
        return [_point(*arguments, job) for arguments in zip(here, places, known, _spectra(known, job))]


def _fixed_points(ensembles, job):
    """The fixed points of each ensemble, or the error of one that did not converge; None where none are needed, or none known."""
    unknown = [None] * len(ensembles)
    if not any(_of_solutions(request) for request in job.requests):
        return unknown
    try:
        return fixed_points_of_each(ensembles)
    except Exception:  # of one point, which says so when it is computed alone
        return unknown


def _spectra(known, job):
    """The spectra at the fixed points of each ensemble, as far as these are wanted and known."""
    if not any(_of_solutions(request) and request.entry.of == "spectrum" for request in job.requests):
        return [[] for _ in known]
    found = [points if isinstance(points, list) else [] for points in known]
    spectra = iter(Spectrum.of_each([point for points in found for point in points]))
    return [[next(spectra) for _ in points] for points in found]


def _of_solutions(request):
    """Whether a quantity is one of the mean-field solutions."""
    return not isinstance(request.entry, CriticalQuantity) and request.entry.of != "ensemble"


def _point(here, place, known, spectra, job):
    out = {"status": 0, "message": None}
    options = {**job.options, "rng": job.options["seed"]}
    try:
        for request in job.requests:
            if isinstance(request.entry, CriticalQuantity):
                out[request.name] = _critical(here, request, options, out)
            elif request.entry.of == "ensemble":
                out[request.name] = _values(here, request, options, out)
        wanted = [request for request in job.requests if _of_solutions(request)]
        if wanted:
            if known is None:
                (known,) = fixed_points_of_each([here])
                (spectra,) = _spectra([known], job)
            _solutions(known, spectra, wanted, options, out)
    except Exception as error:
        error.add_note(f"at the point { {path.name: value for path, value in place.items()} } of the phase diagram")
        raise
    return out


def _fail(out, status, message):
    """Note how a point failed, unless something else did before."""
    if out["status"] == 0:
        out["status"], out["message"] = STATUS.index(status), str(message)


def _values(source, request, options, out):
    """The values of a quantity, one for each of its variables; None where it did not converge."""
    try:
        found = request.value(source, options)
    except ConvergenceError as error:
        return _fail(out, request.entry.fails, error)
    if isinstance(found, Flawed):
        _fail(out, found.status, found.message)
        found = found.values
    return [_number(request, value) for value in (found if isinstance(found, tuple) else (found,))]


def _number(request, value):
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"the function of the quantity {request.name!r} must give a real number, got {shown(value)}") from None


def _solutions(points, spectra, wanted, options, out):
    """Quantities of the mean-field solutions, and of the spectra there."""
    if isinstance(points, ConvergenceError):
        _fail(out, "fixed_points_not_converged", points)
        return
    out["solutions"] = len(points)
    for request in wanted:
        out[request.name] = [] if request.entry.per_solution else _values(points, request, options, out)
    each = [r for r in wanted if r.entry.per_solution]
    for i, point in enumerate(points):
        for request in each:
            source = spectra[i] if request.entry.of == "spectrum" else point
            out[request.name].append(_values(source, request, options, out))


def _critical(ensemble, request, options, out):
    """(value, flag of its status[, third value]) of a critical quantity."""
    try:
        value = request.value(ensemble, options)
    except LawError:  # nothing of this diagram would be about the ensemble
        raise
    except CapabilityError:
        return np.nan, CRITICAL_STATUS.index("not_defined_here")
    except ConvergenceError as error:
        _fail(out, "critical_value_not_converged", error)
        return np.nan, CRITICAL_STATUS.index("not_converged")
    except NoCriticalValue:
        return np.nan, CRITICAL_STATUS.index("none_within_bounds")
    found = float(value), CRITICAL_STATUS.index(value.status.code)
    third = request.entry.third
    return found if third is None else (*found, float(third.value(value, *request.arguments)))
