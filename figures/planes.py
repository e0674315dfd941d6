"""What two units can do, at a glance: a plane of constant inputs, labelled by proved topology, and portraits of it [JSP]."""

from __future__ import annotations

import json

import numpy as np

from gating_theory import flow
from gating_theory.flow.proof.fixed_points import Topology
from gating_theory.flow.topologies.topology_map import TopologyMap
from gating_theory.results.encoding import decode, encode
from gating_theory.results.status import Status

from .common import BLACK, GREEN, PAGE, VERMILLION

TITLE = "What two gated units do at constant inputs: proved topologies, cycles, bifurcations, portraits"

#: Two units that turn around each other, the second one twenty times slower.
NETWORK = {"U_h": [[3.5, -3.5], [4.5, 7.0]], "b_z": [0.0, 3.0]}
PATHS, LIMITS = ("b_h[0]", "b_h[1]"), ((-3.0, 3.0), (-4.0, 4.0))

#: A place next to a homoclinic orbit of the only saddle there, and values of the second input that contain it.
LOOP, AROUND = (-0.5, 1.3), (0.8, 2.0)

#: What portraits show, and their places in the plane.
PORTRAITS = (
    ("two sinks", (-2.4, 2.5)),
    ("two sinks, one source", (-1.65, 1.3)),
    ("cycle just born, and sink", (-0.8, 3.02)),
    ("one sink", (0.6, 3.2)),
    ("excitable", (-1.7, 0.4)),
    ("sink, source, saddle", (0.0, 2.0)),
    ("cycle and sink", (-1.0, 1.2)),
    ("two sinks", (1.75, 2.0)),
    ("slow cycle beside a SNIC", (-1.33, 0.2)),
    ("cycle alone", (0.0, 0.0)),
    ("cycle and sink", (0.4, -0.9)),
    ("two sinks, one source", (1.7, -1.2)),
)
#: Where portraits stand around the map, which fills the middle of four rows and columns.
_PLACES = [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 3), (2, 0), (2, 3), (3, 0), (3, 1), (3, 2), (3, 3)]
#: A number in the map.
_MARK = {"boxstyle": "circle,pad=0.15", "facecolor": "white", "edgecolor": "0.3", "linewidth": 0.5}


def compute(quick, rng, work):
    """The map of the plane, and the curves of bifurcations through it."""
    n = 60 if quick else 240
    axes = {path: np.linspace(low, high, n) for path, (low, high) in zip(PATHS, LIMITS)}
    options = {"executor": work.executor, "progress": work.progress}
    data = flow.topology_map(flow.GRUFlow(**NETWORK), axes, cycles=True, **options).to_dataset()
    found = flow.bifurcation_plane(flow.GRUFlow(**NETWORK), PATHS, LIMITS, lines=1 if quick else 2)
    # curves of cycle folds begin at Bautin points
    bautin = [point for curve in found.curves for point in curve.points if point.kind == "bautin"]
    folds = [flow.continue_bifurcation(point, PATHS, LIMITS, kind="cycle_fold", max_step=0.1) for point in bautin]
    loops = _homoclinic()
    data["homoclinic"] = (("loop", "parameter"), loops.values, {"long_name": "parameters of homoclinic orbits"})
    words = "\n\n".join(map(str, [found, *folds, loops]))
    return data.assign_attrs(curves=json.dumps(encode([*found.curves, *folds])), found=words)


def _homoclinic():
    """The curve of homoclinic orbits; the network is odd, so that there is another one at opposite inputs."""
    here = flow.GRUFlow(**NETWORK).with_parameters(dict(zip(PATHS, LOOP)))
    saddle = next(p.state for p in here.fixed_points() if p.kind == "saddle")
    return flow.continue_homoclinic(flow.homoclinic(here, PATHS[1], AROUND, saddle), PATHS, LIMITS)


def findings(data):
    """Shares of the plane, curves and points of codimension two, in words."""
    return f"{plane(data)}\n\n{data.attrs['found']}\n"


def plane(data):
    """The TopologyMap that data were made of."""
    triples = np.stack([data[name].values for name in ("sinks", "sources", "saddles")], axis=-1)
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
    flow.plot_topology_map(here, ax=middle)
    handles = _legend_of(middle)
    flow.plot_curves(*decode(json.loads(data.attrs["curves"])), ax=middle)
    handles += _legend_of(middle)
    style = {"color": BLACK, "linewidth": 1.2, "linestyle": (0, (4, 1.5)), "zorder": 4}
    for sign in (1.0, -1.0):
        (loop,) = middle.plot(*(sign * data["homoclinic"].values.T), label="homoclinic", **style)
    handles += [loop, *_points()]
    for number, ((name, place), (row, column)) in enumerate(zip(PORTRAITS, _PLACES), start=1):
        middle.annotate(str(number), place, ha="center", va="center", fontsize=6, zorder=9, bbox=_MARK)
        ax = figure.add_subplot(grid[row, column])
        network = here.at(*place)
        points = network.fixed_points()
        cycles = [flow.find_cycle(network, _beside_source(points))] if "cycle" in name else []
        flow.plot_portrait(network, cycles, points=points, legend=False, ax=ax)
        ax.set_title(f"{number}  {name}\n{tuple(int(v) for v in points.topology)}", fontsize=6.5, pad=2)
        ax.set(xticks=[], yticks=[], xlabel="", ylabel="")
    middle.tick_params(labelsize="x-small", pad=1)
    for axis in (middle.xaxis, middle.yaxis):
        axis.labelpad = 0
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0.01, hspace=0.01)
    figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=6.5, frameon=False)
    return figure


def _legend_of(ax):
    """What the legend of a picture names, and the legend removed."""
    legend = ax.get_legend()
    for handle, text in zip(legend.legend_handles, legend.get_texts()):
        handle.set_label(text.get_text())
    legend.remove()
    return list(legend.legend_handles)


def _points():
    """Legend entries of portraits."""
    from matplotlib.lines import Line2D

    style = {"linestyle": "none", "markeredgecolor": BLACK, "markersize": 5}
    return [
        Line2D([], [], color=GREEN, linewidth=1.8, label="stable cycle, in portraits"),
        Line2D([], [], marker="o", markerfacecolor=BLACK, label="sink", **style),
        Line2D([], [], marker="o", markerfacecolor="white", label="source", **style),
        Line2D([], [], marker="X", color=VERMILLION, linestyle="none", label="saddle"),
    ]


def _beside_source(points):
    return next(p.state for p in points if p.kind == "source") + 0.01
