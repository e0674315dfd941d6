"""Saving and loading results: JSON, or netCDF for grids and large arrays; nothing that is loaded is ever executed.

Files are written beside their destination and moved into place when they are complete, so that a full disk or an interrupt
leaves the old file as it was, and no half a new one. Every file carries a checksum of what it holds.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..support.available_memory import require_memory
from ..support.checks import path_of, shown
from ..support.files import regular_file, write_atomically
from ..version import __version__
from . import encoding
from .checksum import NAME, checksum_of_dataset, require_checksum, require_seal, seal, signed
from .provenance import provenance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import xarray as xr

__all__ = ["load", "save"]

_FORMAT = "gating-theory"
_FORMAT_NUMBER = 2
#: Attributes of a netCDF file that belong to the file and not to the Dataset in it.
_MARK, _SAVED_BY, _SUM = "gating_theory_format", "gating_theory_saved_by", f"gating_theory_{NAME}"
#: The variable that says in JSON what a file's arrays are of. (No attribute: HDF5 limits these to 64 KiB.)
_RECORD = "gating_theory_record"
_HDF5 = b"\x89HDF\r\n\x1a\n"
#: Results whose arrays take more bytes than this become netCDF files.
_LARGE = 2**16
#: Bytes that Python takes for one of JSON, at most: a list of short numbers.
_JSON_EXPANDS = 20


def save(result: object, path: str | os.PathLike[str]) -> Path:
    """Write a result to a file that :func:`load` reads back.

    Parameters
    ----------
    result : any result of this package, a non-empty list of results, or an xarray.Dataset
        Datasets become netCDF files, and so do results whose arrays take more than 64 KiB; others JSON. Both carry a checksum and
        the versions of the libraries they come from.
    path : str or path-like
        The file; replaced if it exists. ".nc" and ".json" are the custom; results with names that end in ".nc" are netCDF files
        also when they are small.

    Returns
    -------
    pathlib.Path, the file written

    Raises
    ------
    TypeError
        anything else
    ValueError
        a list of results of different cells
    OSError
        the file cannot be written, or is none (a device); what was there before is still there

    See Also
    --------
    gating_theory.load : Reads it back.
    gating_theory.result : Makes a class of yours one that can be saved.

    Examples
    --------
    >>> import gating_theory as gt
    >>> fp = gt.fixed_points(gt.Ensemble(gt.GRU, gain={"h": 3}))[-1]
    >>> gt.load(gt.save(fp, "active.json")) == fp
    True
    """
    file = path_of("path", path)
    if type(result).__module__.partition(".")[0] == "xarray":
        import xarray as xr

        if not isinstance(result, xr.Dataset):
            raise TypeError(f"result must be an xarray.Dataset (use to_dataset), got {type(result).__name__}")
        _write_netcdf(result, file, provenance())
        return file
    one = _first(result)  # TypeError for what is no result
    # a list in any case: tuples of results are for the caller's convenience
    content = list(result) if isinstance(result, (list, tuple)) and not encoding.is_result(result) else result
    about = {"kind": _kind(result), "provenance": provenance(_ensemble_of(one))}
    arrays: dict[str, np.ndarray] = {}
    for part in content if isinstance(content, list) else [content]:
        if hasattr(part, "check"):  # what would not load is not written
            part.check()
    record = encoding.encode(content, arrays)
    if file.suffix == ".nc" or sum(array.nbytes for array in arrays.values()) > _LARGE:
        _write_netcdf(_dataset(about | {"result": record}, arrays), file, about["provenance"])
        return file
    head = {"format": _FORMAT, "format_number": _FORMAT_NUMBER}
    text = json.dumps(signed(head | about | {"result": encoding.encode(content)}), indent=1, allow_nan=False) + "\n"
    write_atomically(file, lambda temporary: Path(temporary).write_text(text, encoding="utf-8"))
    return file


def load(path: str | os.PathLike[str], *, cell: Any = None) -> Any:
    """Read a result written by :func:`save`.

    Parameters
    ----------
    path : str or path-like
    cell : Cell, optional
        The cell of the saved ensemble if it is not a built-in one: files hold its name and its definition in words, which is
        compared, but never code.

    Returns
    -------
    object
        What was saved. The moments of fixed points are put through the mean-field map again and have to satisfy it; fixed points
        and closed orbits of flows have to be those of the flow.

    Raises
    ------
    FileNotFoundError
        no such file
    ValueError
        not a file written by save, or damaged, or of another cell; names the path
    MemoryError
        the file holds, or claims to hold, more than there is memory for

    See Also
    --------
    gating_theory.save : Writes results.

    Examples
    --------
    >>> import gating_theory as gt
    >>> gt.save(
    ...     gt.fixed_points(gt.Ensemble(gt.GRU, gain={"h": 3})), "points.json"
    ... ).name
    'points.json'
    >>> points = gt.load("points.json")
    >>> points[-1].ensemble.gain["h"]
    3.0
    """
    file = path_of("path", path)
    regular_file(file)
    with open(file, "rb") as opened:
        start = opened.read(len(_HDF5))
    if cell is not None:
        _require_cell(cell)
    return _load_netcdf(file, cell) if start == _HDF5 else _load_json(file, cell)


# --- what a file is told


def _first(result):
    """The result, or the first of a list of them."""
    if encoding.is_result(result):
        return result
    if isinstance(result, (list, tuple)) and result and all(map(encoding.is_result, result)):
        return result[0]
    raise TypeError(
        "result must be an xarray.Dataset, Ensemble, FixedPoint, another result of this package or a non-empty list of these, "
        f"got {type(result).__name__}"
    )


def _kind(result):
    """What the record is called: that of the result, with an s for a list of them."""
    if encoding.is_result(result):
        return encoding.kind_of(result)
    kinds = {encoding.kind_of(one) for one in result}
    return f"{kinds.pop()}s" if len(kinds) == 1 else "results"


def _ensemble_of(result):
    if encoding.kind_of(result) == "ensemble":
        return result
    ensemble = getattr(result, "ensemble", None)
    return ensemble if encoding.is_result(ensemble) else None


def _require_cell(cell):
    if not encoding.is_cell(cell):
        raise TypeError(f"cell must be a Cell, got {shown(cell)}")


def _require_known_format(path, number):
    if number == 1:
        raise ValueError(f"{path} was written by an earlier development version (format 1), which is not read any more")
    if type(number) is not int or number != _FORMAT_NUMBER:
        raise ValueError(f"{path} has format {number!r}; this gating_theory ({__version__}) reads format {_FORMAT_NUMBER}")


def _named(path: Path, restore: Callable[[], Any]) -> Any:
    """What ``restore()`` gives; its errors name the file."""
    try:
        return restore()
    except KeyError as error:
        raise ValueError(f"{path} is damaged: the entry {error} is missing") from None
    except RecursionError:
        raise ValueError(f"{path} cannot be loaded: it is nested too deeply") from None
    except (TypeError, AttributeError, IndexError, ArithmeticError, ValueError) as error:  # OverflowError: numbers of 400 digits
        raise ValueError(f"{path} cannot be loaded: {error}") from error


# --- JSON


def _load_json(path, cell):
    require_memory(str(path), _JSON_EXPANDS * path.stat().st_size)
    try:
        record = json.loads(path.read_bytes().decode("utf-8"))
    except RecursionError:
        raise ValueError(f"{path} is not a saved result: it is nested too deeply") from None
    except ValueError:
        raise ValueError(f"{path} is not a saved result: neither JSON nor netCDF-4") from None
    if not isinstance(record, dict) or record.get("format") != _FORMAT:
        raise ValueError(f"{path} is not a saved result: a JSON file, but not one written by gating_theory.save")
    _require_known_format(path, record.get("format_number", record.get("format_version")))
    require_checksum(record, path)
    return _named(path, lambda: _decoded(record["result"], None, cell))


# --- netCDF


def _write_netcdf(data: xr.Dataset, path: Path, about: dict) -> None:
    marked = data.assign_attrs({_MARK: _FORMAT_NUMBER, _SAVED_BY: json.dumps(about)})

    def write(temporary):
        marked.to_netcdf(temporary, engine="netcdf4", format="NETCDF4")
        _sign(temporary)

    try:
        write_atomically(path, write)
    except RuntimeError as error:  # the netCDF library's word for a disk that is full
        raise OSError(f"{path} cannot be written: {error}") from error


def _sign(name):
    """Read what was written and add its checksum."""
    import netCDF4

    total = checksum_of_dataset(_raw(name), _SUM)
    with netCDF4.Dataset(name, "a") as file:
        file.setncattr(_SUM, total)
    seal(name)


def _raw(path):
    """The variables of a netCDF file as they stand there, nothing decoded."""
    import xarray as xr

    return xr.load_dataset(path, engine="netcdf4", decode_cf=False)


def _load_netcdf(path, cell):
    import xarray as xr

    require_seal(path)
    try:
        require_memory(str(path), _claimed_bytes(path))
        raw = _raw(path)
    except MemoryError:
        raise
    except Exception as error:  # damage shows in the libraries as anything
        raise ValueError(f"{path} is not a saved result, or only a part of one: {error}") from error
    if _MARK not in raw.attrs:
        raise ValueError(f"{path} is not a saved result: a netCDF file, but not one written by gating_theory.save")
    _require_known_format(path, _named(path, lambda: int(raw.attrs[_MARK])))
    if _named(path, lambda: checksum_of_dataset(raw, _SUM)) != raw.attrs.get(_SUM):
        raise ValueError(f"{path} is damaged: its checksum does not match")
    data = _named(path, lambda: xr.decode_cf(raw).load())
    for name in (_MARK, _SAVED_BY, _SUM):
        data.attrs.pop(name, None)
    return _named(path, lambda: _result_of(data, cell)) if _RECORD in data else data


def _claimed_bytes(path: Path) -> float:
    """What the variables of a netCDF file will take, by what it says of them."""
    import netCDF4

    with netCDF4.Dataset(path) as file:
        return float(sum(_sizes(file)))


def _sizes(group) -> Iterator[float]:
    for variable in group.variables.values():
        item = np.dtype(variable.dtype).itemsize if variable.dtype is not str else 1
        yield float(item * np.prod([float(n) for n in variable.shape]))
    for inner in group.groups.values():
        yield from _sizes(inner)


def _dataset(record, arrays):
    """A Dataset of the arrays, with everything else as JSON."""
    import xarray as xr

    variables = {name: (tuple(f"{name}.{axis}" for axis in range(array.ndim)), array) for name, array in arrays.items()}
    return xr.Dataset(variables | {_RECORD: ((), json.dumps(record, allow_nan=False))})


def _result_of(data, cell):
    record = json.loads(str(data[_RECORD].item()))
    arrays = {str(name): variable.values for name, variable in data.drop_vars(_RECORD).data_vars.items()}
    return _decoded(record["result"], arrays, cell)


def _decoded(record, arrays, cell):
    result = encoding.decode(record, arrays, cell)
    some = isinstance(result, list) and result and all(map(encoding.is_result, result))
    encoding.require(some or encoding.is_result(result), "no result in it")
    return result
