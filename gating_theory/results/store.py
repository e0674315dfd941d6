"""Saving and loading results: netCDF for grids, JSON for everything else; nothing that is loaded is ever executed.

Files are written beside their destination and moved into place when they are complete, so that a full disk or an interrupt
leaves the old file as it was, and no half a new one.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

from ..counting.complexity import Complexity, restored
from ..counting.kac_rice import KacRice
from ..ensemble.ensemble import Ensemble
from ..mean_field.critical import Critical
from ..mean_field.fixed_points import FixedPoint
from ..mean_field.moments import MomentMap
from ..networks.enumeration import FixedPointCounts
from ..networks.fixed_points import NetworkFixedPoints
from ..networks.lyapunov import LyapunovSpectrum
from ..support.files import write_atomically
from ..training.design import Design
from ..version import __version__
from . import archive
from .provenance import cell_text, provenance, require_same_cell
from .status import Status

__all__ = ["save", "load"]

_FORMAT = "gating-theory"
_FORMAT_VERSION = 1
#: Attributes of a netCDF file that belong to the file and not to the Dataset in it.
_MARK, _SAVED_BY = "gating_theory_format", "gating_theory_saved_by"
#: The variable that says in JSON what a file's arrays are of. (No attribute: HDF5 limits these to 64 KiB.)
_RECORD = "gating_theory_record"
_HDF5 = b"\x89HDF\r\n\x1a\n"


def save(result, path):
    """Write a result to a file that :func:`load` reads back.

    Parameters
    ----------
    result : xarray.Dataset (a phase diagram), Ensemble, FixedPoint, list of FixedPoints, Critical, LyapunovSpectrum,
        NetworkFixedPoints, FixedPointCounts, Complexity, KacRice, Design, a Flow, a result of ``gating_theory.flow`` or a list of
        these: JSON but for Datasets, which become netCDF files, as do Network, Sites, Simulation, SteadyState and Diagnosis with
        their arrays. All carry the versions of the libraries they come from.
    path : str or path-like
        The file; replaced if it exists. The ending does not matter; ".nc" and ".json" are the custom.

    Returns
    -------
    pathlib.Path, the file written

    Raises
    ------
    TypeError : any other kind of result
    OSError : the file cannot be written; what was there before is still there
    """
    path = _as_path(path)
    if type(result).__module__.partition(".")[0] == "xarray":
        import xarray as xr

        if not isinstance(result, xr.Dataset):
            raise TypeError(f"result must be an xarray.Dataset (use to_dataset), got {type(result).__name__}")
        marked = result.assign_attrs({_MARK: _FORMAT_VERSION, _SAVED_BY: json.dumps(provenance())})
        _write_netcdf(marked, path)
        return path
    if archive.holds_arrays(result):
        _write_netcdf(_packed(*archive.describe(result)), path)
        return path
    kind, ensemble, data = _describe(result)
    record = {"format": _FORMAT, "format_version": _FORMAT_VERSION, "kind": kind, "data": data}
    record["provenance"] = provenance(ensemble)
    text = json.dumps(record, indent=1, allow_nan=False) + "\n"
    write_atomically(path, lambda temporary: Path(temporary).write_text(text, encoding="utf-8"))
    return path


def load(path, *, cell=None):
    """Read a result written by :func:`save`.

    Parameters
    ----------
    path : str or path-like
    cell : Cell, optional
        The cell of the saved ensemble if it is not a built-in one: files hold its name and its definition in words, which is
        compared, but never code.

    Returns
    -------
    What was saved. The moments of fixed points are put through the mean-field map again and have to satisfy it; fixed points and
    closed orbits of flows have to be those of the flow.

    Raises
    ------
    FileNotFoundError : no such file
    ValueError : not a file written by save, or damaged, or of another cell; names the path
    """
    path = _as_path(path)
    if cell is not None:
        from ..cell.cell import Cell

        if not isinstance(cell, Cell):
            raise TypeError(f"cell must be a Cell, got {cell!r}")
    with open(path, "rb") as file:
        content = file.read(len(_HDF5))
        if content != _HDF5:
            content += file.read()
    if content == _HDF5:
        data = _load_dataset(path)
        if _RECORD not in data:
            return data
        return _named(path, lambda: _unpacked(data, cell))
    try:
        record = json.loads(content.decode("utf-8"))
    except ValueError:
        raise ValueError(f"{path} is not a saved result: neither JSON nor netCDF-4") from None
    if not isinstance(record, dict) or record.get("format") != _FORMAT:
        raise ValueError(f"{path} is not a saved result: a JSON file, but not one written by gating_theory.save")
    _require_known_version(path, record.get("format_version"))
    return _named(path, lambda: _restore(record["kind"], record["data"], record["provenance"], cell))


def _write_netcdf(data, path):
    write_atomically(path, lambda temporary: data.to_netcdf(temporary, engine="netcdf4", format="NETCDF4"))


def _named(path, restore):
    """What ``restore()`` gives; its errors name the file."""
    try:
        return restore()
    except KeyError as error:
        raise ValueError(f"{path} is damaged: the entry {error} is missing") from None
    except (TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{path} cannot be loaded: {error}") from error


def _as_path(path):
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"path must be a str or path-like, got {path!r}")
    return Path(path)


def _require_known_version(path, version):
    if not isinstance(version, int) or not 1 <= version <= _FORMAT_VERSION:
        raise ValueError(f"{path} has format version {version!r}; this gating_theory ({__version__}) reads up to {_FORMAT_VERSION}")


def _load_dataset(path):
    import xarray as xr

    try:
        data = xr.load_dataset(path, engine="netcdf4")
    except (OSError, ValueError, RuntimeError) as error:
        raise ValueError(f"{path} is not a saved result, or only a part of one: {error}") from error
    if _MARK not in data.attrs:
        raise ValueError(f"{path} is not a saved result: a netCDF file, but not one written by gating_theory.save")
    version = data.attrs.pop(_MARK)
    data.attrs.pop(_SAVED_BY, None)
    _require_known_version(path, int(version))
    return data


# --- results with arrays


def _packed(kind, cell, data, arrays):
    """A Dataset of the arrays, with everything else as JSON; complex numbers as pairs along a last axis."""
    import numpy as np
    import xarray as xr

    variables = {}
    for name, array in arrays.items():
        pairs = np.iscomplexobj(array)
        array = np.stack([array.real, array.imag], axis=-1) if pairs else array
        variables[name] = (tuple(f"{name}.{axis}" for axis in range(array.ndim)), array, {"complex": int(pairs)})
    record = {"kind": kind, "data": data, "provenance": provenance(cell=cell_text(cell))}
    variables[_RECORD] = ((), json.dumps(record, allow_nan=False))
    return xr.Dataset(variables, attrs={_MARK: _FORMAT_VERSION, _SAVED_BY: json.dumps(record["provenance"])})


def _unpacked(data, cell):
    record = json.loads(str(data[_RECORD].item()))
    arrays = {}
    for name, variable in data.drop_vars(_RECORD).data_vars.items():
        array = variable.values
        arrays[str(name)] = array[..., 0] + 1j * array[..., 1] if variable.attrs["complex"] else array
    result = archive.restore(record["kind"], record["data"], arrays, cell)
    require_same_cell(record["provenance"]["cell"], (result if hasattr(result, "cell") else result.ensemble).cell)
    return result


# --- JSON


def _describe(result):
    """(kind, ensemble, JSON-ready data)."""
    if isinstance(result, Ensemble):
        return "ensemble", result, result.as_dict()
    if isinstance(result, FixedPoint):
        return "fixed_point", result.ensemble, _point_record(result)
    if type(result) is Critical:
        data = {
            "value": float(result),
            "parameter": result.parameter,
            "kind": result.kind,
            "error": result.error,
            "moments": dict(result.moments),
            "discontinuous": bool(result.discontinuous),
            "ensemble": result.ensemble.as_dict(),
            "status": asdict(result.status),
        }
        return "critical", result.ensemble, data
    if isinstance(result, Complexity):
        return "complexity", result.ensemble, result.as_dict()
    if isinstance(result, KacRice):
        return "kac_rice", result.ensemble, result.as_dict()
    if isinstance(result, LyapunovSpectrum):
        return "lyapunov", result.ensemble, result.as_dict()
    if isinstance(result, FixedPointCounts):
        return "fixed_point_counts", result.ensemble, result.as_dict()
    if isinstance(result, Design):
        return "design", result.ensemble, result.as_dict()
    if isinstance(result, NetworkFixedPoints):
        return "network_fixed_points", None, result.as_dict()
    if isinstance(result, (list, tuple)) and result and all(isinstance(p, FixedPoint) for p in result):
        if any(p.ensemble.cell != result[0].ensemble.cell for p in result):
            raise ValueError("result holds fixed points of different cells: save them in one file a cell")
        return "fixed_points", result[0].ensemble, [_point_record(p) for p in result]
    if _of_a_flow(result):
        from ..flow.storage import describe

        return "flow", None, describe(result)
    raise TypeError(
        "result must be an xarray.Dataset, Ensemble, FixedPoint, non-empty list of FixedPoints, Critical, LyapunovSpectrum, "
        "NetworkFixedPoints, FixedPointCounts, Complexity, KacRice, Design, Network, Sites, Simulation, SteadyState, Diagnosis, "
        f"Flow or a result of one, got {type(result).__name__}"
    )


def _point_record(point):
    return point.as_dict() | {"status": asdict(point.status)}


def _of_a_flow(result):
    """Whether this is a flow or what was calculated of one, without importing flows for all others."""
    if isinstance(result, (list, tuple)) and not hasattr(result, "_fields"):
        return bool(result) and all(_of_a_flow(one) for one in result)
    return type(result).__module__.startswith("gating_theory.flow.")


def _restore(kind, data, record, cell):
    makers = {"ensemble": _ensemble, "fixed_point": _fixed_point, "fixed_points": _fixed_point_list, "critical": _critical}
    makers |= {"lyapunov": LyapunovSpectrum.from_dict, "fixed_point_counts": FixedPointCounts.from_dict, "design": Design.from_dict}
    makers |= {"complexity": _complexity, "kac_rice": _kac_rice}
    if kind == "network_fixed_points":  # knows its states, not the cell they are of
        return NetworkFixedPoints.from_dict(data)
    if kind == "flow":  # knows its cell itself
        from ..flow.storage import restore

        return restore(data, cell)
    if kind not in makers:
        raise ValueError(f"unknown kind {kind!r}; known are {[*makers, 'network_fixed_points', 'flow']}")
    result = makers[kind](data, cell)
    one = result[0] if isinstance(result, list) else result
    require_same_cell(record["cell"], (one if isinstance(one, Ensemble) else one.ensemble).cell)
    return result


def _ensemble(data, cell):
    return Ensemble.from_dict(data, cell)


def _fixed_point_list(data, cell):
    if not isinstance(data, list) or not data:
        raise ValueError("no fixed points in it")
    return [_fixed_point(item, cell) for item in data]


def _fixed_point(data, cell):
    import numpy as np

    ensemble = Ensemble.from_dict(data["ensemble"], cell)
    moments, names = data["moments"], ensemble.cell.message_names
    if set(moments) != set(names):
        raise ValueError(f"moments must be those of {list(names)}, got {list(moments)}")
    moments = {name: float(moments[name]) for name in names}
    loop = MomentMap(ensemble)
    q = np.array(list(moments.values()))
    if not (np.isfinite(q).all() and (q >= 0).all()):
        raise ValueError(f"moments must be finite and non-negative, got {moments}")
    again = loop(q[None, :], loop.fine)[0]
    residual = float(np.max(np.abs(again - q) / np.maximum(again, 1e-300))) if q.any() or again.any() else 0.0
    # the map is evaluated as when it was saved: more than its rounding means that the numbers are not its solution
    if not residual <= max(1e-9, 10.0 * float(data["residual"]), 10.0 * float(data["error"])):
        raise ValueError(f"moments {moments} are no fixed point of {ensemble!r}: relative residual {residual:.3g}")
    return FixedPoint(ensemble, moments, float(data["residual"]), float(data["error"]), Status(**data["status"]))


def _critical(data, cell):
    ensemble = Ensemble.from_dict(data["ensemble"], cell)
    value, parameter = float(data["value"]), data["parameter"]
    if ensemble.value(parameter) != value:
        raise ValueError(f"the ensemble has {parameter} = {ensemble.value(parameter)!r}, but the critical value is {value!r}")
    moments = {str(k): float(v) for k, v in data["moments"].items()}
    rest = {"error": float(data["error"]), "kind": str(data["kind"]), "discontinuous": bool(data["discontinuous"])}
    return Critical(value, parameter, moments=moments, ensemble=ensemble, status=Status(**data["status"]), **rest)


def _complexity(data, cell):
    return restored(data, Ensemble.from_dict(data["ensemble"], cell))


def _kac_rice(data, cell):
    return KacRice.from_dict(data, cell)
