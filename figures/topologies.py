"""Every combination of sinks, sources and saddles that two gated units are known to have, one portrait each [JSP]."""

from __future__ import annotations

import numpy as np

from gating_theory import flow

from .common import panels

TITLE = "All known fixed-point topologies (sinks, sources, saddles) of two-unit GRUs"
ALONE = "always"
_COLUMNS = 7


def compute(quick, rng, work):
    """The catalogue's fixed points, with the parameters."""
    import xarray as xr

    catalogue = flow.topology_catalogue()
    found = [_points(here) for here in catalogue.values()]
    most = max(len(kinds) for _, kinds in found)
    states, kinds = np.full((len(found), most, 2), np.nan), np.full((len(found), most), "", dtype="<U9")
    for i, (points, names) in enumerate(found):
        states[i, : len(points)], kinds[i, : len(names)] = points, names
    variables = {
        "parameters": (("topology", "parameter"), np.array([here.flat for here in catalogue.values()])),
        "triple": (("topology", "count"), np.array([tuple(t) for t in catalogue])),
        "state": (("topology", "point", "unit"), states),
        "kind": (("topology", "point"), kinds),
    }
    return xr.Dataset(variables, {"count": ["sinks", "sources", "saddles"]})


def _points(here):
    found = here.fixed_points()
    if not found.complete:
        raise RuntimeError(f"fixed points left undecided: {found.status}")
    return found.states, [p.kind for p in found]


def draw(data):
    """A portrait each: nullclines and typed fixed points."""
    rows = -(-data.sizes["topology"] // _COLUMNS)
    figure, axes = panels(rows, _COLUMNS, height=1.25)
    for ax, i in zip(axes.flat, range(data.sizes["topology"])):
        flat = data["parameters"][i].values
        names = ("U_z", "U_r", "U_h"), ("b_z", "b_r", "b_h")
        here = flow.GRUFlow(**dict(zip(names[0], flat[:12].reshape(3, 2, 2))), **dict(zip(names[1], flat[12:].reshape(3, 2))))
        flow.plot_portrait(here, [], streams=False, manifolds=False, box=(-1.0, 1.0), legend=False, ax=ax)
        for line in ax.lines:
            line.set_markersize(0.6 * line.get_markersize())
        ax.set_title("({}, {}, {})".format(*data["triple"][i].values), fontsize=7, pad=2)
        ax.set(xticks=[], yticks=[], xlabel="", ylabel="")
    for ax in axes.flat[data.sizes["topology"] :]:
        ax.set_axis_off()
    figure.supxlabel("$h_1$ from -1 to 1", fontsize="small")
    figure.supylabel("$h_2$ from -1 to 1", fontsize="small")
    figure.suptitle("(sinks, sources, saddles): ● sink, ○ source, ✖ saddle", fontsize="small")
    return figure
