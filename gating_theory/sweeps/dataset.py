"""From the points of a phase diagram to an xarray Dataset."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING

import numpy as np

from ..ensemble.hyperparameters import is_of_hyperparameters, python_names
from ..ensemble.paths import path_of
from ..results.provenance import provenance
from .quantity import CRITICAL_STATUS, STATUS

if TYPE_CHECKING:
    from typing import Any

    import xarray as xr

    from ..ensemble.ensemble import Ensemble
    from ..ensemble.paths import EnsemblePath
    from .points import Job
    from .request import Request

__all__ = ["assemble"]

_PADDING = "solutions in ascending order, padded with NaN; count says how many there are"


def _axis_attributes(path):
    return {"long_name": path.words, "symbol": path.symbol, "path": path.name}


def _led_through(ensemble, path, values):
    """{path: values} of the hyperparameters that change along an axis whose name does not tell them."""
    if is_of_hyperparameters(path.name):
        return {}
    along = [path.at(ensemble, value) for value in values.tolist()]
    found = {one: np.array([there.value(one) for there in along]) for one in ensemble.paths}
    return {one: there for one, there in found.items() if np.ptp(there) > 0.0 or there[0] != ensemble.value(one)}


def assemble(
    ensemble: Ensemble,
    grids: dict[EnsemblePath, np.ndarray],
    asked: list[Request],
    jobs: list[Job],
    points: list[list[dict[str, Any]]],
    options: dict[str, float],
    seconds: float,
) -> xr.Dataset:
    """The Dataset of a phase diagram, with a warning if something did not converge.

    Parameters
    ----------
    ensemble : Ensemble
    grids : {EnsemblePath: values}
    asked : list of Request, in the order in which they were asked for
    jobs : list of Job, the one of the whole grid first, then lines with one request each
    points : for each job a list of one dict a point, as from ``compute_points``
    options : dict, tau, n_units, n_steps, seed
    seconds : float, what it took
    """
    import xarray as xr

    (full, *lines), (everywhere, *along) = jobs, points
    more = {(axis, one): there for axis, values in grids.items() for one, there in _led_through(ensemble, axis, values).items()}
    safe = python_names([*(path.name for path in grids), *(one for _, one in more)])
    names = dict(zip(grids, safe))
    variables: dict[str, tuple] = {}
    for request in sorted(full.requests, key=_rank):
        variables |= _at_points(request, full, everywhere, ensemble.cell, names)
    for job, found in zip(lines, along):
        variables |= _on_line(job, found, names)
    status = np.zeros(full.shape, dtype=np.int8)
    for job, found in zip(jobs, points):
        if found:
            status = _marked(status, job, found, list(grids))
    words = STATUS if any(request.own for request in asked) else STATUS[:-1]
    variables["status"] = (list(names.values()), status, _flags("status", words, "whether everything at this point converged"))
    coordinates = {names[path]: (names[path], values, _axis_attributes(path)) for path, values in grids.items()}
    for ((axis, one), there), name in zip(more.items(), safe[len(grids) :]):
        coordinates[name] = (names[axis], there, _axis_attributes(path_of("axes", one, ensemble)))
    if any("solution" in dimensions for dimensions, _, _ in variables.values()):
        about = {"long_name": "mean-field solution", "description": "mean-field solutions in ascending order"}
        coordinates["solution"] = ("solution", np.arange(_depth(everywhere)), about)
    computed = [point for found in points for point in found]
    failed = [point for point in computed if point["status"] != 0]
    attributes = _attributes(ensemble, asked)
    attributes |= {"failures": len(failed), "seconds": seconds, "seconds_per_point": seconds / max(1, len(computed))}
    attributes |= _origin(ensemble, [path.name for path in grids], asked, options) | _note(full, variables, ensemble.cell)
    if failed:
        text = f"{len(failed)} of {len(computed)} points did not converge (see status); the first: {failed[0]['message']}"
        attributes["warning"] = text
        warnings.warn(text, RuntimeWarning, stacklevel=3)
    return xr.Dataset(variables, coordinates, attributes)


def _rank(request):
    """Variables come in this order: what counts solutions, what belongs to each of them, what knows nothing of them."""
    return {"fixed_points": 0, "fixed_point": 1, "spectrum": 1, "ensemble": 2}[request.entry.of]


def _depth(points):
    """Length of the dimension "solution"."""
    return max(1, *(point.get("solutions", 0) for point in points))


def _at_points(request, job, points, cell, names):
    """{name: (dimensions, values, attributes)} of a quantity on the whole grid."""
    described = request.entry.variables_of(cell)
    missing = [variable.missing for variable in described]
    if request.entry.per_solution:
        dimensions, shape = [*(names[path] for path in job.paths), "solution"], (*job.shape, _depth(points))
        values = np.full((len(points), shape[-1], len(described)), missing)
        for row, point in zip(values, points):
            for k, found in enumerate(point.get(request.name) or ()):
                row[k] = missing if found is None else found
    else:
        dimensions, shape = [names[path] for path in job.paths], job.shape
        found = [point.get(request.name) for point in points]
        values = np.array([missing if one is None else one for one in found], dtype=float)
    out = {}
    for k, variable in enumerate(described):
        array = values[..., k].astype(variable.dtype).reshape(shape)
        out[variable.name or request.name] = (dimensions, array, _about(variable, request, job, array))
    return out


def _about(variable, request, job, array):
    """Attributes of a variable."""
    long_name, description = (text.format(*request.texts) for text in (variable.long_name, variable.description))
    if variable.flags:
        return _flags(long_name, variable.flags, description)
    about = {"long_name": long_name}
    if description:
        about["description"] = description
    if variable.units != "1":  # pictures would print [1] behind every name
        about["units"] = variable.units
    about |= variable.attributes
    if variable.symbol:
        about["symbol"] = variable.symbol
    if variable.short_name:
        about["short_name"] = variable.short_name.replace("<tau>", f"{job.options['tau']:g}")
    if request.entry.per_solution:
        about["comment"] = _PADDING
    if variable.when_missing and (array == variable.missing).any():
        about["comment"] = variable.when_missing
    if "tau" in request.entry.options:
        about["tau"] = job.options["tau"]
    return about


def _on_line(job, points, names):
    """{name: (dimensions, values, attributes)} of a critical value: itself, its status, and its third value."""
    (request,) = job.requests
    paths, dimensions, entry = request.arguments, [names[path] for path in job.paths], request.entry
    rows = [point[request.name] for point in points]
    rest = request.name.partition(":")[2]
    companion = f"{request.kind}_status:{rest}"
    about = {"long_name": entry.long_name.format(*paths), "description": entry.description.format(*paths)}
    about |= {"symbol": paths[0].symbol, "path": paths[0].name}
    about["comment"] = f"NaN where there is none: {companion} says why"
    values = np.array([row[0] for row in rows]).reshape(job.shape)
    flags = np.array([row[1] for row in rows], dtype=np.int8).reshape(job.shape)
    words = _flags(f"status of {request.kind}", CRITICAL_STATUS, f"kind of {request.name}, or why it is missing")
    out = {request.name: (dimensions, values, about), companion: (dimensions, flags, words)}
    if entry.third is not None:
        third = np.array([(*row, np.nan)[2] for row in rows]).reshape(job.shape)
        name = f"{entry.third.name}:{rest}"
        about_third = {"long_name": entry.third.long_name.format(*paths)}
        if entry.third.path is not None:
            about_third["symbol"] = paths[entry.third.path].symbol
            # the two are the coordinates of a point
            about |= {"other_path": paths[entry.third.path].name, "other_value": name}
        else:
            about["error_variable"] = name
        out[name] = (dimensions, third, about_third)
    return out


def _marked(status, job, points, axes):
    """The status of the grid with that of one job's points: lines live on some axes and mark all points above them."""
    failed = np.array([point["status"] for point in points], dtype=np.int8).reshape(job.shape)
    spread = np.expand_dims(failed, tuple(i for i, path in enumerate(axes) if path not in job.paths))
    return np.where(status == 0, np.broadcast_to(spread, status.shape), status).astype(np.int8)


def _attributes(ensemble, asked):
    """What the Dataset says of itself."""
    return {
        "title": f"phase diagram of {ensemble.cell.name} networks",
        "cell": ensemble.cell.name,
        "ensemble": json.dumps(ensemble.as_dict()),
        "quantities": " ".join(request.name for request in asked),
    }


def _note(job, variables, cell):
    """{"note": what the Dataset says where flags of some quantity are to be noted}."""
    found = []
    for request in job.requests:
        for variable in request.entry.variables_of(cell):
            values = variables[variable.name or request.name][1]
            count = int((values == variable.flags.index(variable.noted)).sum()) if variable.noted else 0
            if count:
                found.append(variable.note.format(count=count, of=int((values != variable.missing).sum()), **job.options))
    return {"note": "; ".join(found)} if found else {}


def _origin(ensemble, axes, asked, options):
    """Where the Dataset comes from: versions, time, arguments, and the text of functions that are not the package's."""
    own = {request.name: request.description() for request in asked if request.own}
    more = options | ({"own_quantities": own} if own else {})
    record = provenance(ensemble, axes=axes, quantities=[request.name for request in asked], **more)
    return {
        "provenance": json.dumps(record),
        "gating_theory_version": record["gating_theory"],
        "created": record["created"],
    }


def _flags(long_name, words, description):
    about = {"long_name": long_name, "description": description}
    return about | {"flag_values": np.arange(len(words), dtype=np.int8), "flag_meanings": " ".join(words)}
