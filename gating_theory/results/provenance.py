"""Where a result comes from: versions, time, the ensemble. Goes into every saved result, never into a calculation."""

from __future__ import annotations

import json
import math
import platform
from datetime import UTC, datetime
from typing import Any

from ..version import __version__

__all__ = ["cell_text", "json_ready", "provenance", "require_same_cell"]

# Ensembles and Cells are Any here: their chapters stand on this one.

_LIBRARIES = ("numpy", "scipy", "sympy", "xarray")


def provenance(ensemble: Any = None, **more: Any) -> dict[str, Any]:
    """JSON-ready record of versions, UTC time and, if given, the ensemble with its cell's definition in words.

    Parameters
    ----------
    ensemble : Ensemble, optional
    more : anything JSON-ready, added to the record (seeds, quantities, ...)

    Returns
    -------
    dict
    """
    from importlib.metadata import version  # asks the installed packages, imports none of them

    record = {
        "gating_theory": __version__,
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in _LIBRARIES},
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    if ensemble is not None:
        record["ensemble"] = ensemble.as_dict()
        record["cell"] = cell_text(ensemble.cell)
    record |= more
    json.dumps(record)  # whatever cannot be saved is refused here, not when an hour of work is written out
    return record


def cell_text(cell: Any) -> dict[str, Any]:
    """The definition of a cell as strings: enough to tell two cells of one name apart, never evaluated on loading."""
    text = {
        "name": cell.name,
        "state": list(cell.state_names),
        "fields": dict(zip(cell.field_names, map(str, cell.fields))),
        "messages": [str(m) for m in cell.messages],
        "update": [str(e) for e in cell.update],
    }
    if cell.fixed_point is not None:
        text["fixed_point"] = [str(e) for e in cell.fixed_point]
    if cell.parameter_names:
        text["parameters"] = list(cell.parameter_names)
    return text


def require_same_cell(saved: object, cell: Any) -> None:
    """ValueError unless ``saved`` is this cell's :func:`cell_text`: one name can mean two cells, built-in ones may have changed."""
    if cell_text(cell) != saved:
        raise ValueError(f"it was made with another cell {cell.name!r}: saved {saved}, given {cell_text(cell)}")


def json_ready(value: Any) -> Any:
    """A number or nested lists of them with what JSON lacks (nan, inf) as strings, which float() reads back."""
    if isinstance(value, list):
        return [json_ready(v) for v in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
