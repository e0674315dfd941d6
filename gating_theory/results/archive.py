"""Results that hold large arrays, taken apart and put together again: what :func:`~gating_theory.save` writes as netCDF.

``describe`` gives a kind, a cell, a JSON-ready record and arrays by name; ``restore`` takes them. A result inside another is a
record inside its record, and its arrays carry its name in front: the sites of a simulation are "sites.state", "sites.fields", ...
"""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from ..dynamics.simulation import Simulation
from ..dynamics.steady_state import SteadyState
from ..ensemble.ensemble import Ensemble
from ..ensemble.sites import Sites
from ..networks.network import Network
from ..networks.weight_statistics import WeightStatistics
from ..training.diagnose import Diagnosis, ModeSummary
from .provenance import json_ready
from .status import Status

__all__ = ["describe", "holds_arrays", "restore"]


def holds_arrays(result):
    """Whether this module knows such a result."""
    return type(result) in _KINDS


def describe(result):
    """(kind, cell, JSON-ready data, {name: array})."""
    kind, take_apart, _ = _KINDS[type(result)]
    return kind, result.cell if isinstance(result, (Network, Sites)) else result.ensemble.cell, *take_apart(result)


def restore(kind, data, arrays, cell=None):
    """The result of that kind.

    Raises
    ------
    TypeError, ValueError, KeyError
        An unknown kind, entries that are missing, arrays of the wrong shapes, a cell that is not built in and not given.
    """
    for name, _, put_together in _KINDS.values():
        if name == kind:
            return put_together(data, arrays, cell)
    raise ValueError(f"unknown kind {kind!r}; known are {[name for name, _, _ in _KINDS.values()]}")


def _under(prefix, arrays):
    return {f"{prefix}.{name}": array for name, array in arrays.items()}


def _part(prefix, arrays):
    return {name.removeprefix(f"{prefix}."): array for name, array in arrays.items() if name.startswith(f"{prefix}.")}


def _shaped(arrays, **shapes):
    """The arrays of these names, if they have these shapes."""
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise ValueError(f"{name} must have shape {shape}, got {arrays[name].shape}")
    return {name: arrays[name] for name in shapes}


def _plain(record):
    """Names and numbers; what JSON lacks as strings."""
    return {name: json_ready(value) for name, value in record.items()}


def _floats(record):
    return {str(name): float(value) for name, value in record.items()}


# --- sites, networks


def _take_sites(sites):
    names = ("weights", "state", "fields", "parameters", "gain", "recurrent")
    arrays = {name: getattr(sites, name) for name in names if getattr(sites, name) is not None}
    return _plain({"cell": sites.cell.name, "source": sites.source, "tol": float(sites.tol)}), arrays


def _make_sites(data, arrays, cell):
    from ..cell.builtin import named  # which brings sympy

    return Sites(named(data["cell"], cell), **arrays, source=str(data["source"]), tol=float(data["tol"]))


def _take_network(net):
    names = ("matrices", "biases", "parameters", "input")
    return {"ensemble": net.ensemble.as_dict()}, {name: getattr(net, name) for name in names}


def _make_network(data, arrays, cell):
    return Network(Ensemble.from_dict(data["ensemble"], cell), **arrays)


# --- runs


_SERIES = ("state", "moments", "state_moments", "change", "recorded_state", "recorded_fields")


def _take_simulation(run):
    sites, site_arrays = _take_sites(run.sites)
    data = {"ensemble": run.ensemble.as_dict(), "n_units": run.n_units, "n_steps": run.n_steps, "dtype": run.dtype}
    data |= {"n_directions": {name: int(n) for name, n in run.n_directions.items()}, "sites": sites}
    arrays = {name: getattr(run, name) for name in _SERIES} | _under("sites", site_arrays)
    # in the order of the names, which may not be those of a file's variables
    arrays["correlations"] = np.array(list(run.correlations.values()))
    return data, arrays if run.growth is None else arrays | {"growth": run.growth}


def _make_simulation(data, arrays, cell):
    ensemble = Ensemble.from_dict(data["ensemble"], cell)
    cell, N, T = ensemble.cell, int(data["n_units"]), int(data["n_steps"])
    names, recorded = cell.message_names, arrays["recorded_state"].shape[-1]
    shapes = {"state": (cell.n_state, N), "moments": (T, len(names)), "state_moments": (T + 1, cell.n_state), "change": (T,)}
    shapes |= {"recorded_state": (T, cell.n_state, recorded), "recorded_fields": (T, cell.n_fields, recorded)}
    return Simulation(
        ensemble,
        N,
        T,
        **_shaped(arrays, **shapes),
        correlations=dict(zip(names, _shaped(arrays, correlations=(len(names), T, T))["correlations"])),
        growth=_shaped(arrays, growth=(T,))["growth"] if "growth" in arrays else None,
        n_directions={str(name): int(n) for name, n in data["n_directions"].items()},
        sites=_make_sites(data["sites"], _part("sites", arrays), cell),
        dtype=str(data["dtype"]),
    )


def _take_steady_state(steady):
    data, arrays = _take_simulation(steady.simulation)
    record = _plain({"lyapunov": float(steady.lyapunov), "lyapunov_stderr": float(steady.lyapunov_stderr)})
    record |= {"moments": _plain(steady.moments), "stderr": _plain(steady.stderr), "transient": steady.transient}
    record |= {"verdict": steady.verdict, "status": steady.status, "converged": steady.converged}
    return record | {"simulation": data}, arrays


def _make_steady_state(data, arrays, cell):
    run = _make_simulation(data["simulation"], arrays, cell)
    moments, stderr = _floats(data["moments"]), _floats(data["stderr"])
    if not tuple(moments) == tuple(stderr) == run.ensemble.cell.message_names:
        raise ValueError(f"moments must be those of {list(run.ensemble.cell.message_names)}, got {list(moments)}")
    return SteadyState(
        run.ensemble,
        moments,
        stderr,
        int(data["transient"]),
        float(data["lyapunov"]),
        float(data["lyapunov_stderr"]),
        str(data["verdict"]),
        str(data["status"]),
        bool(data["converged"]),
        run.sites,
        run,
    )


# --- diagnoses


_SUMMARIES = ("actual", "from_sites", "shuffled", "random")
_NUMBERS = ("lyapunov", "lyapunov_stderr", "structure", "structure_shuffled")


def _take_diagnosis(d):
    network, network_arrays = _take_network(d.network)
    sites, site_arrays = _take_sites(d.sites)
    data = {"source": d.source, "driven": bool(d.driven), "n_states": int(d.n_states), "n_steps": int(d.n_steps)}
    data |= {"advice": list(d.advice), "status": str(d.status), "network": network, "sites": sites}
    data |= _plain({name: float(getattr(d, name)) for name in _NUMBERS})
    data["weights"] = {name: _plain(statistics.as_dict()) for name, statistics in d.weights.items()}
    data["overlaps"] = [[*pair, json_ready(float(value))] for pair, value in d.overlaps.items()]
    data["gradient"] = [[int(lag), json_ready(float(value))] for lag, value in d.gradient.items()]
    data |= {name: _take_summary(getattr(d, name)) for name in _SUMMARIES}
    arrays = {"eigenvalues": d.eigenvalues, "shuffled_eigenvalues": d.shuffled_eigenvalues}
    return data, arrays | _under("network", network_arrays) | _under("sites", site_arrays)


def _make_diagnosis(data, arrays, cell):
    net = _make_network(data["network"], _part("network", arrays), cell)
    shape = (int(data["n_states"]), net.cell.n_state * net.n_units)
    return Diagnosis(
        source=str(data["source"]),
        network=net,
        ensemble=net.ensemble,
        weights={str(name): _make_statistics(record) for name, record in data["weights"].items()},
        overlaps={(str(one), str(other)): float(value) for one, other, value in data["overlaps"]},
        driven=bool(data["driven"]),
        n_states=int(data["n_states"]),
        n_steps=int(data["n_steps"]),
        **_shaped(arrays, eigenvalues=shape, shuffled_eigenvalues=shape),
        **{name: _make_summary(data[name]) for name in _SUMMARIES},
        **{name: float(data[name]) for name in _NUMBERS},
        gradient={int(lag): float(value) for lag, value in data["gradient"]},
        advice=[str(text) for text in data["advice"]],
        status=Status("ok") if data["status"] == "ok" else Status("incomplete", str(data["status"]), ok=False),
        sites=_make_sites(data["sites"], _part("sites", arrays), net.cell),
    )


def _take_summary(summary):
    if summary is None:
        return None
    record = asdict(summary)
    slow = record.pop("slow_fraction")
    return _plain(record) | {"slow_fraction": [[tau, value] for tau, value in slow.items()]}


def _make_summary(record):
    if record is None:
        return None
    numbers = {
        name: None if record[name] is None else float(record[name]) for name in ("slowest", "radius", "abscissa", "gain_margin")
    }
    return ModeSummary(**numbers, slow_fraction={tau: float(value) for tau, value in record["slow_fraction"]})


def _make_statistics(record):
    numbers = {name: float(value) for name, value in record.items() if name != "outliers"}
    return WeightStatistics(**numbers, outliers=[complex(*pair) for pair in record["outliers"]])


_KINDS = {
    Sites: ("sites", _take_sites, _make_sites),
    Network: ("network", _take_network, _make_network),
    Simulation: ("simulation", _take_simulation, _make_simulation),
    SteadyState: ("steady_state", _take_steady_state, _make_steady_state),
    Diagnosis: ("diagnosis", _take_diagnosis, _make_diagnosis),
}
