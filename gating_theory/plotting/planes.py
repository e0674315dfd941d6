"""Pictures of planes of two parameters: maps of topologies, curves of bifurcations, points of codimension two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..flow.continuation.connection_curves import ConnectionCurve
from ..flow.continuation.cycle_curves import CycleCurve
from ..flow.continuation.two_parameters import BifurcationCurve
from ..flow.proof.fixed_points import Topology
from ..flow.topologies.topology_map import TopologyMap
from ..support.checks import boolean, instance, shown
from .labels import parameter_label, runs
from .style import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION, YELLOW, axes_or_new, legend_beside

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_curves", "plot_topology_map", "topology_colour"]

#: Colours of topologies: one for each number of sinks, paler with fewer sources.
_SINKS = (PURPLE, SKY, ORANGE, GREEN, VERMILLION, YELLOW, BLUE, "#777777")
_PALEST, _DARKER = 0.3, 0.25
#: Of lines across areas with a stable oscillation.
_HATCH = "0.35"


def topology_colour(topology: Topology) -> tuple[float, float, float]:
    """The colour (red, green, blue) of a topology, the same in every picture: the hue tells sinks, its strength sources."""
    from matplotlib.colors import to_rgb

    sinks, sources, _ = topology
    strength = _PALEST + _DARKER * (sources if sinks else sources - 1)
    colour, towards = np.array(to_rgb(_SINKS[sinks % len(_SINKS)])), 1.0 if strength <= 1.0 else 0.0
    share = strength if strength <= 1.0 else 1.0 / strength
    red, green, blue = share * colour + (1.0 - share) * towards
    return float(red), float(green), float(blue)


def plot_topology_map(plane: TopologyMap, *, legend: bool = True, ax: Axes | None = None) -> Axes:
    """A plane of parameters, coloured by the topology of the flow; stable oscillations hatched where they are known.

    Parameters
    ----------
    plane : TopologyMap
    legend : bool
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
        White: not proved. Curves of bifurcations are drawn on top of it by those who have them.

    Raises
    ------
    TypeError
        another type

    See Also
    --------
    gating_theory.flow.topology_map : Makes what is drawn.
    gating_theory.flow.plot_curves : Curves over it.

    Examples
    --------
    >>> import gating_theory as gt
    >>> import numpy as np
    >>> x, y = np.linspace(-0.9, 0.9, 10), np.linspace(0.2, 1.2, 10)
    >>> plane = gt.flow.topology_map(gt.GRUFlow(U_h=3), {"b_h[0]": x, "gain.h": y})
    >>> ax = gt.flow.plot_topology_map(plane)
    """
    from matplotlib.colors import BoundaryNorm, ListedColormap
    from matplotlib.patches import Patch

    instance("plane", plane, TopologyMap)
    legend = boolean("legend", legend)
    ax = axes_or_new(ax, 3.0)
    count = max(1, len(plane.topologies))
    colours = ListedColormap([topology_colour(t) for t in plane.topologies] or ["white"])
    areas = np.ma.masked_less(plane.label.T, 0)
    norm = BoundaryNorm(np.arange(count + 1) - 0.5, count)
    ax.pcolormesh(plane.x, plane.y, areas, cmap=colours, norm=norm, shading="nearest", rasterized=True, zorder=0)
    handles = []
    for t in sorted(plane.topologies, key=lambda t: (sum(t), -t.sinks)):
        handles.append(Patch(facecolor=topology_colour(t), edgecolor="0.6", linewidth=0.5, label=f"{tuple(t)} {t.words}"))
    if plane.n_undecided:
        handles.append(Patch(facecolor="white", edgecolor="0.6", linewidth=0.5, label=f"not proved ({plane.n_undecided} points)"))
    if plane.oscillation is not None:
        motion = "stable cycle" if plane.flow.dim == 2 else "stable oscillation"
        unsettled = (plane.oscillation < 0) & (plane.label >= 0)
        for known, hatch, name in ((plane.oscillation > 0, "////", motion), (unsettled, "....", f"{motion}: not settled")):
            if known.any():
                area = ax.contourf(plane.x, plane.y, known.T, levels=[0.5, 1.5], colors="none", hatches=[hatch], zorder=1)
                area.set(edgecolor=_HATCH, linewidth=0.0)
                handles.append(Patch(facecolor="none", edgecolor=_HATCH, linewidth=0.0, hatch=2 * hatch, label=name))
    ax.set_xlabel(parameter_label(plane.paths[0]))
    ax.set_ylabel(parameter_label(plane.paths[1]))
    ax.set_xlim(plane.x[0], plane.x[-1])
    ax.set_ylim(plane.y[0], plane.y[-1])
    if legend:
        ax.legend(
            handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1.0), fontsize="x-small", borderaxespad=0.0, frameon=False
        )
    return ax


#: Colour of curves of each kind; points of codimension two by the letters that the literature has for them.
_CURVES = {
    "fold": BLUE, "pitchfork": SKY, "transcritical": PURPLE, "hopf": VERMILLION, "flip": ORANGE, "neimark_sacker": GREEN,
    "homoclinic": BLACK, "heteroclinic": "#777777", "cycle_fold": "#8B4513", "period_doubling": YELLOW,
}  # fmt: skip
_LETTERS = {
    "cusp": "CP", "bogdanov_takens": "BT", "bautin": "GH", "fold_hopf": "ZH", "hopf_hopf": "HH", "degenerate_pitchfork": "DP",
    "degenerate_transcritical": "DT", "generalized_flip": "GF", "fold_flip": "FF", "chenciner": "CH", "resonance_1_1": "R1",
    "resonance_1_2": "R2", "resonance_1_3": "R3", "resonance_1_4": "R4", "neutral_saddle": "NSS", "saddle_node_loop": "SNL",
    "cycle_cusp": "CPC",
}  # fmt: skip


def plot_curves(*curves: BifurcationCurve | ConnectionCurve | CycleCurve, legend: bool = True, ax: Axes | None = None) -> Axes:
    """Curves of bifurcations in the plane of two parameters, with the points of codimension two on them.

    Parameters
    ----------
    curves : BifurcationCurve, ConnectionCurve or CycleCurve, in one plane
        Dashed where they are subcritical, or the cycle born of a homoclinic orbit is unstable. Points: CP cusp, BT Bogdanov-Takens,
        GH Bautin, ZH fold-Hopf, HH Hopf-Hopf, DP and DT degenerate pitchfork and transcritical; of the map GF generalized flip, FF
        fold-flip, CH Chenciner, R1 to R4 resonances; of homoclinic orbits NSS neutral saddle, SNL saddle-node loop; of
        cycles CPC cusp.
    legend : bool
    ax : matplotlib Axes, optional
        May hold another picture of the same plane: first path along x, second along y.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError, ValueError
        no curves, different planes

    See Also
    --------
    gating_theory.flow.continue_bifurcation : Makes curves.
    gating_theory.flow.plot_topology_map : A background for them.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_h=3)
    >>> branch = gt.flow.continue_fixed_point(flow, "b_h[0]", (-1, 1), [0.8586])
    >>> fold = branch.bifurcations[0]
    >>> paths, bounds = ("b_h[0]", "U_h[0,0]"), ((-1, 1), (1, 4))
    >>> curve = gt.flow.continue_bifurcation(fold, paths, bounds)
    >>> ax = gt.flow.plot_curves(curve)
    """
    if not curves or not all(isinstance(c, (BifurcationCurve, ConnectionCurve, CycleCurve)) for c in curves):
        raise TypeError(f"curves must be BifurcationCurve, ConnectionCurve or CycleCurve, got {shown(curves)}")
    if len({c.paths for c in curves}) > 1:
        raise ValueError(f"curves must lie in one plane, got {sorted({', '.join(map(str, c.paths)) for c in curves})}")
    legend = boolean("legend", legend)
    ax = axes_or_new(ax, 3.3)
    for curve in curves:
        supercritical = None if isinstance(curve, CycleCurve) else curve.supercritical
        dashed = np.zeros(len(curve), dtype=bool) if supercritical is None else ~supercritical
        for start, end in runs(dashed):
            line: dict[str, Any] = {"color": _CURVES[curve.kind], "linestyle": (0, (3, 1.5)) if dashed[start] else "-"}
            ax.plot(*curve.values[start : end + 1].T, linewidth=1.5, zorder=4, **line)
    known = sorted((p for c in curves for p in c.points), key=lambda p: p.error)
    _mark_points(ax, [(_LETTERS[p.kind], p.values, p.error) for p in known])
    ax.set_xlabel(parameter_label(curves[0].paths[0]))
    ax.set_ylabel(parameter_label(curves[0].paths[1]))
    if legend:
        _name_curves(ax, dict.fromkeys(c.kind for c in curves))
    return ax


def _name_curves(ax, kinds):
    """A legend of the kinds, below that of a picture that is there already."""
    from matplotlib.lines import Line2D

    below = ax.get_legend()
    names = {kind: kind.replace("_", "-") + (" (map)" if kind in ("neimark_sacker", "flip") else "") for kind in kinds}
    legend_beside(ax, [Line2D([], [], color=_CURVES[kind], label=name) for kind, name in names.items()])
    if below is not None:
        ax.get_legend().set(loc="lower left", bbox_to_anchor=(1.01, 0.0))
        ax.add_artist(below).set_clip_on(False)  # otherwise pictures are cut at its side


def _mark_points(ax, marked):
    """Named points, each place once: curves that meet in a point all have it, and may call it by other names."""
    places: list[tuple[np.ndarray, list[str]]] = []
    for letters, place, error in marked:
        # homoclinic curves know where they shrink to a point less well
        names = next((names for there, names in places if np.abs(place - there).max() < 1e-6 + 3.0 * error), None)
        if names is None:
            places.append((place, [letters]))
        elif letters not in names:
            names.append(letters)
    for place, names in places:
        ax.plot(*place, marker="o", markersize=4.5, color=BLACK, markeredgecolor="white", linestyle="none", zorder=6)
        box: dict[str, Any] = {"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.5}
        text: dict[str, Any] = {"xytext": (4, 4), "textcoords": "offset points", "fontsize": 7, "zorder": 7, "bbox": box}
        ax.annotate(", ".join(names), place, **text)
