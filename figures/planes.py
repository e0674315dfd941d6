"""What two units can do, at a glance: a plane of constant inputs, labelled by proved topology, and portraits of it [JSP]."""

from __future__ import annotations

import numpy as np

from gating_theory import flow
from gating_theory.flow.proof.fixed_points import Topology
from gating_theory.flow.topologies.topology_map import TopologyMap
from gating_theory.results.status import Status

from .common import PAGE

TITLE = "What two gated units do at constant inputs: proved topologies, cycles, bifurcations, portraits"

#: Two units that turn around each other, the second one twenty times slower.
NETWORK = {"U_h": [[3.5, -3.5], [4.5, 7.0]], "b_z": [0.0, 3.0]}
PATHS, LIMITS = ("b_h[0]", "b_h[1]"), ((-3.0, 3.0), (-4.0, 4.0))

#: What portraits show, and their places in the plane.
PORTRAITS = (
    ("two sinks", (-2.4, 2.5)),
    ("two sinks, one source", (-1.65, 1.3)),
    ("cycle just born, and sink", (-1.0, 3.12)),
    ("one sink", (0.6, 3.2)),
    ("excitable", (-1.6, 0.25)),
    ("sink, source, saddle", (0.0, 2.0)),
    ("cycle and sink", (-1.0, 1.2)),
    ("two sinks", (1.75, 2.0)),
    ("slow cycle beside a SNIC", (-1.38, 0.2)),
    ("cycle alone", (0.0, 0.0)),
    ("cycle and sink", (0.4, -0.9)),
    ("two sinks, one source", (1.7, -1.2)),
)
#: Where portraits stand around the map, which fills the middle of four rows and columns.
_PLACES = [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 3), (2, 0), (2, 3), (3, 0), (3, 1), (3, 2), (3, 3)]
#: A number in the map.
_MARK = {"boxstyle": "circle,pad=0.15", "facecolor": "white", "edgecolor": "0.3", "linewidth": 0.5}


def compute(quick, rng, work):
    """The map of the plane."""
    n = 60 if quick else 240
    axes = {path: np.linspace(low, high, n) for path, (low, high) in zip(PATHS, LIMITS)}
    options = {"executor": work.executor, "progress": work.progress}
    return flow.topology_map(flow.GRUFlow(**NETWORK), axes, cycles=True, **options).to_dataset()


def plane(data):
    """The TopologyMap that data were made of."""
    triples = np.stack([data[name].values for name in Topology._fields], axis=-1)
    kinds, label = np.unique(triples.reshape(-1, 3), axis=0, return_inverse=True)
    label = label.reshape(triples.shape[:2])
    if kinds[0, 0] < 0:  # not proved
        kinds, label = kinds[1:], label - 1
    topologies = tuple(Topology(*(int(v) for v in row)) for row in kinds)
    status = Status("incomplete" if (label < 0).any() else "complete", data.attrs["status"], not (label < 0).any())
    x, y = (data[path].values for path in PATHS)
    return TopologyMap(flow.GRUFlow(**NETWORK), PATHS, x, y, topologies, label, data["oscillation"].values, status)


def draw(data):
    """The map in the middle, twelve portraits around it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(PAGE, 1.12 * PAGE), layout="constrained")
    grid = figure.add_gridspec(4, 4)
    here = plane(data)
    middle = figure.add_subplot(grid[1:3, 1:3])
    flow.plot_topology_map(here, legend=False, ax=middle)
    for number, ((name, place), (row, column)) in enumerate(zip(PORTRAITS, _PLACES), start=1):
        middle.annotate(str(number), place, ha="center", va="center", fontsize=6, zorder=9, bbox=_MARK)
        ax = figure.add_subplot(grid[row, column])
        network = here.at(*place)
        points = network.fixed_points()
        cycles = [flow.find_cycle(network, _beside_source(points))] if "cycle" in name else []
        flow.plot_portrait(network, cycles, points=points, legend=False, ax=ax)
        ax.set_title(f"{number}  {name}\n{tuple(int(v) for v in points.topology)}", fontsize=6.5, pad=2)
        ax.set(xticks=[], yticks=[], xlabel="", ylabel="")
    return figure


def _beside_source(points):
    return next(p.state for p in points if p.kind == "source") + 0.01
