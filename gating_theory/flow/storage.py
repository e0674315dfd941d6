"""Results of flows as JSON and back: every result is a dataclass of numbers, arrays, flows and other results.

Only the classes listed here are made again, through their own fields; nothing in a file is executed. What can be checked is:
fixed points have to be fixed, closed orbits to follow the flow, indices to add up.
"""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import numpy as np

from ..cell.builtin import named
from ..cell.cell import Cell
from ..results.provenance import cell_text, json_ready, require_same_cell
from ..results.status import Status
from .continuation.bifurcation import Bifurcation
from .continuation.cycles import CycleBranch
from .continuation.fixed_points import FixedPointBranch
from .flow import Flow
from .orbits.attractors import Attractors, Basins
from .orbits.collocation import Orbit
from .orbits.cycle import Cycle
from .orbits.flow_and_map import FlowAndMap
from .orbits.homoclinic import Homoclinic, PeriodLaw
from .orbits.map_orbits import MapAttractor, MapAttractors
from .orbits.slow_manifold import SlowManifold
from .proof.fixed_points import FlowFixedPoint, FlowFixedPoints, Topology
from .topologies.search import TopologySearch
from .topologies.sweep import TopologyCounts

__all__ = ["describe", "restore"]

_RESULTS = {
    cls.__name__: cls
    for cls in (
        Attractors, Basins, Bifurcation, Cycle, CycleBranch, FixedPointBranch, FlowAndMap, FlowFixedPoint, FlowFixedPoints,
        Homoclinic, MapAttractor, MapAttractors, Orbit, PeriodLaw, SlowManifold, Status, TopologyCounts, TopologySearch,
    )
}  # fmt: skip

#: Largest gate-free residual of a saved fixed point, and relative defect of the velocity along a saved closed orbit.
_FIXED, _CLOSED = 1e-8, 1e-5

_DTYPES = {"f": "float", "c": "complex", "i": "int", "b": "bool"}


def describe(result: Any) -> dict[str, Any]:
    """JSON-ready description of a flow, one of its results or a list of them.

    Returns
    -------
    dict : "cell", the definition of the cell in words (None where no flow is part of the result), and "result"

    Raises
    ------
    TypeError : anything else
    ValueError : flows of different cells in one result
    """
    cells: list[Cell] = []
    encoded = _encode(result, cells)
    if any(cell != cells[0] for cell in cells):
        raise ValueError("result holds flows of different cells: save them in one file a cell")
    return {"cell": cell_text(cells[0]) if cells else None, "result": encoded}


def restore(data: dict[str, Any], cell: Cell | None = None) -> Any:
    """What :func:`describe` described.

    Parameters
    ----------
    data : dict
    cell : Cell, optional
        Of the saved flows, if it is not a built-in one.

    Raises
    ------
    TypeError, ValueError, KeyError : damaged, of another cell, or not what a calculation gives
    """
    text = data["cell"]
    if text is not None:
        cell = named(text["name"], cell)
        require_same_cell(text, cell)
    return _decode(data["result"], cell)


def _encode(value, cells):
    if isinstance(value, Flow):
        cells.append(value.cell)
        return {"flow": value.as_dict()}
    if type(value) in _RESULTS.values():
        return {type(value).__name__: {f.name: _encode(getattr(value, f.name), cells) for f in fields(value)}}
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in _DTYPES:
            raise TypeError(f"result holds an array of {value.dtype}, which is not saved")
        parts = np.stack([value.real, value.imag], axis=-1) if value.dtype.kind == "c" else value
        return {_DTYPES[value.dtype.kind]: json_ready(parts.tolist()), "shape": list(value.shape)}
    if isinstance(value, Topology):
        return {"topology": list(value)}
    if isinstance(value, dict):
        return {"pairs": [[_encode(k, cells), _encode(v, cells)] for k, v in value.items()]}
    if isinstance(value, (list, tuple)):
        return {type(value).__name__: [_encode(v, cells) for v in value]}
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"number": str(value)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"result holds {type(value).__name__}, which is not saved")


def _decode(value, cell):
    if not isinstance(value, dict):
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        raise ValueError(f"unknown entry {value!r}")
    (name, content), *more = value.items()
    if name in _DTYPES.values():
        shape = tuple(value["shape"])
        if name == "complex":
            pairs = np.array(content, dtype=float).reshape(*shape, 2)
            return pairs[..., 0] + 1j * pairs[..., 1]
        return np.array(content, dtype=name).reshape(shape)
    if more:
        raise ValueError(f"unknown entry {sorted(value)}")
    if name in _RESULTS:
        cls = _RESULTS[name]
        names = {f.name for f in fields(cls)}
        if set(content) != names:
            raise ValueError(f"a {name} has the entries {sorted(names)}, got {sorted(content)}")
        result = cls(**{k: _decode(v, cell) for k, v in content.items()})
        _CHECKS.get(cls, lambda result: None)(result)
        return result
    if name == "flow":
        if not isinstance(cell, Cell):
            raise ValueError("a flow, but no cell")
        return Flow.from_dict(content, cell)
    if name == "topology":
        return Topology(*(int(v) for v in content))
    if name == "pairs":
        return {_decode(k, cell): _decode(v, cell) for k, v in content}
    if name in ("list", "tuple"):
        return {"list": list, "tuple": tuple}[name](_decode(v, cell) for v in content)
    if name == "number":
        return float(content)
    raise ValueError(f"unknown entry {name!r}")


# --- what a calculation gives, and a damaged file does not


def _require(good, message):
    if not good:
        raise ValueError(message)


def _fixed_points(result):
    _require(result.index_sum == sum(p.index for p in result), "index_sum is not the sum of the indices")


def _fixed_point(result):
    inside = (result.lower <= result.state).all() and (result.state <= result.upper).all()
    _require(inside, f"the state {result.state.tolist()} lies outside its enclosure")


def _require_fixed(flow, state):
    worst = float(np.abs(flow.residual(state) if flow.cell.closed_form is not None else flow(state)).max())
    _require(worst < _FIXED, f"{np.asarray(state).tolist()} is no fixed point of {flow!r}: residual {worst:.3g}")


def _branch(result):
    for value, state in zip(result.values, result.states, strict=True):
        _require_fixed(result.flow.replace(result.path, float(value)), state)


def _bifurcation(result):
    if result.orbit is None:
        _require_fixed(result.flow, result.state)


def _cycle(result):
    defect = result.orbit.defect(result.flow)
    _require(defect < _CLOSED, f"the closed orbit does not follow {result.flow!r}: its velocity is off by {defect:.3g}")
    _require(result.period == result.orbit.period, "period is not that of the orbit")


def _homoclinic(result):
    _require_fixed(result.flow, result.saddle)


def _counts(result):
    kinds = result.sinks + result.sources + result.saddles + result.untyped
    _require(np.array_equal(kinds, result.count), "the kinds do not add up to the count")


_CHECKS = {
    FlowFixedPoints: _fixed_points, FlowFixedPoint: _fixed_point, FixedPointBranch: _branch, Bifurcation: _bifurcation,
    Cycle: _cycle, Homoclinic: _homoclinic, TopologyCounts: _counts,
}  # fmt: skip
