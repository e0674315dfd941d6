"""Pictures of small flows: phase portraits, basins, bifurcation diagrams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import CapabilityError
from ..flow.continuation.connection_curves import ConnectionCurve
from ..flow.continuation.cycles import CycleBranch
from ..flow.continuation.fixed_points import FixedPointBranch
from ..flow.continuation.two_parameters import BifurcationCurve
from ..flow.flow import LONGEST, Flow, box_limits
from ..flow.line import Line
from ..flow.orbits.all_cycles import cycles as all_cycles
from ..flow.orbits.attractors_along import AttractorsAlong
from ..flow.orbits.basin_intervals import basin_intervals
from ..flow.orbits.basins import Basins
from ..flow.orbits.cycle import Cycle
from ..flow.orbits.map_orbits import MapAttractors
from ..flow.orbits.trajectories import advance
from ..flow.proof.fixed_points import FlowFixedPoints, Topology
from ..flow.topologies.topology_map import TopologyMap
from ..support.checks import boolean, choice, instance, integer, real, several, shown
from .style import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION, YELLOW, axes_or_new, legend_beside

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "plot_attractors_along",
    "plot_basins",
    "plot_bifurcations",
    "plot_curves",
    "plot_portrait",
    "plot_topology_map",
    "separatrices",
    "topology_colour",
]

#: Distance from a saddle at which its manifolds begin, and the speed below which one has come to a fixed point.
_BESIDE, _AT_REST = 1e-4, 1e-7

#: Marker and face of each kind of fixed point; saddles are crosses.
_POINTS = {"sink": ("o", BLACK), "source": ("o", "white"), "saddle": ("X", VERMILLION), "undecided": ("s", "0.6")}


def separatrices(
    flow: Flow, points: FlowFixedPoints | None = None, *, time: float = 200.0, n: int = 400
) -> dict[str, list[np.ndarray]]:
    """Stable and unstable manifolds of the saddles of a two-dimensional flow, as curves.

    Parameters
    ----------
    flow : Flow of two dimensions
    points : FlowFixedPoints, optional
        Default: ``flow.fixed_points()``.
    time : float from 0 to 1e6
        How long each manifold is followed, forwards or backwards.
    n : int
        Points per curve, closer where it is fast.

    Returns
    -------
    dict : "stable" and "unstable", lists of (m, 2) arrays

    Raises
    ------
    TypeError, ValueError, CapabilityError : arguments that are not allowed, dim other than 2
    """
    instance("flow", flow, Flow)
    time, n = real("time", time, low=0.0, high=LONGEST), integer("n", n, low=2)
    if points is not None:
        instance("points", points, FlowFixedPoints)
    if flow.dim != 2:
        raise CapabilityError(f"separatrices are drawn for two-dimensional flows; this one has dim {flow.dim}")
    points = flow.fixed_points() if points is None else points
    bound = 1.2 * np.abs(flow.bounds).max()
    out: dict[str, list[np.ndarray]] = {"stable": [], "unstable": []}
    for p in points:
        if p.kind != "saddle":
            continue
        values, vectors = np.linalg.eig(flow.jacobian(p.state))
        for value, v in zip(values.real, vectors.real.T):
            name, sign = ("unstable", 1.0) if value > 0 else ("stable", -1.0)
            for side in (1.0, -1.0):
                start = p.state + _BESIDE * side * v / np.linalg.norm(v)
                out[name].append(_manifold(flow, p.state, start, sign, time, n, bound))
    return out


def _manifold(flow, saddle, start, sign, time, n, bound):
    """The trajectory from beside a saddle, forwards (sign 1) or backwards (-1), as a curve (m, 2) from the saddle on."""
    x, curve, t = start, [saddle, start], 0.0
    while t < time and len(curve) < 20 * n:
        # equal lengths rather than equal times: about 1/n of the box a step
        step = min(time / n, 4.0 / n / max(np.linalg.norm(flow(x)), 1e-6))
        x = advance(flow, x, sign * step, bound=bound)
        t += step
        if not np.isfinite(x).all():
            break
        curve.append(x)
        if np.linalg.norm(flow(x)) < _AT_REST and t > 1.0:
            break
    return np.array(curve)


def plot_portrait(
    flow: Flow,
    cycles: Sequence[Cycle] | None = None,
    *,
    streams: bool = True,
    manifolds: bool = True,
    points: FlowFixedPoints | None = None,
    orbits: MapAttractors | None = None,
    box: npt.ArrayLike | None = None,
    legend: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """The phase portrait of a flow of two dimensions or one.

    In two dimensions nullclines, typed fixed points, stream lines, cycles, separatrices; in one the speed against the state, with
    typed fixed points, arrows and basins on the line where it is zero.

    Parameters
    ----------
    flow : Flow of one or two dimensions
    cycles : list of Cycle, optional
        Default: those that ``cycles(flow)`` finds, stable ones solid, unstable ones dashed. On a line there are none.
    streams : bool
        Draw stream lines, on a line arrows; they show direction only, not speed.
    manifolds : bool
        Draw the stable manifolds of saddles, which bound basins, and the unstable ones. On a line: the basins themselves, where all
        fixed points are decided.
    points : FlowFixedPoints, optional
        Default: ``flow.fixed_points()``.
    orbits : MapAttractors, optional
        Attractors of the Euler map, drawn as dots: what the discrete network does.
    box : (low, high) or two such pairs, optional
        Default: ``flow.bounds``.
    legend : bool
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError, ValueError, CapabilityError : arguments that are not allowed, dim other than 1 or 2
    """
    instance("flow", flow, Flow)
    if flow.dim not in (1, 2):
        raise CapabilityError(f"portraits are drawn of one- and two-dimensional flows; this one has dim {flow.dim}")
    streams, manifolds = boolean("streams", streams), boolean("manifolds", manifolds)
    legend = boolean("legend", legend)
    limits = box_limits(flow, box)
    if points is not None:
        instance("points", points, FlowFixedPoints)
    points = flow.fixed_points() if points is None else points
    cycles = several("cycles", cycles, Cycle, "Cycle") if cycles is not None else all_cycles(flow) if flow.dim == 2 else ()
    if orbits is not None:
        instance("orbits", orbits, MapAttractors)
    ax = axes_or_new(ax, 3.3)
    if flow.dim == 1:
        _draw_line(ax, flow, points, limits[0], streams, manifolds)
        _draw_moving(ax, orbits)
        if legend:
            legend_beside(ax)
        return ax
    if streams:
        _draw_streams(ax, flow, limits)
    _draw_nullclines(ax, flow, box)
    if manifolds:
        _draw_manifolds(ax, separatrices(flow, points))
    for stable in (True, False):
        for j, cycle in enumerate([c for c in cycles if c.stable == stable]):
            _draw_cycle(ax, cycle, f"{'stable' if stable else 'unstable'} cycle" if j == 0 else None)
    _draw_moving(ax, orbits)
    _draw_points(ax, points)
    ax.set_xlim(*_padded(limits[0]))
    ax.set_ylim(*_padded(limits[1]))
    _name_plane(ax)
    if legend:
        legend_beside(ax)
    return ax


def _draw_moving(ax, orbits):
    moving = [a.states for a in orbits or () if a.kind != "fixed"]
    if moving:
        states = _in_plane(np.concatenate(moving))
        ax.plot(*states.T, ".", color=SKY, markersize=3.0, zorder=5, label="orbit of the map")


def _in_plane(states):
    """States of two dimensions as they are; those of one on the line where the speed is zero."""
    return states if states.shape[1] == 2 else np.concatenate([states, np.zeros_like(states)], axis=1)


def _draw_line(ax, flow, points, limits, arrows, basins):
    """One dimension: the speed against the state."""
    low, high = _padded(limits)
    # fixed points among the places: near a sharp zero the curve goes through it
    places = np.union1d(np.linspace(low, high, 801), np.clip([p.state[0] for p in points], low, high))
    speed = flow(places[:, None])[:, 0]
    ax.axhline(0.0, color="0.6", linewidth=0.6, zorder=1)
    ax.plot(places, speed, color=BLUE, linewidth=1.4, zorder=3, label="speed")
    if basins and points.complete and all(p.kind in ("sink", "source") for p in points):
        found = basin_intervals(flow, points)
        for i, (a, b) in enumerate(zip(found.edges, found.edges[1:])):
            label = "basins" if i == 0 else None
            ax.axvspan(max(a, low), min(b, high), color=_BASINS[i % len(_BASINS)], linewidth=0.0, zorder=0, label=label)
    if arrows:
        ends = np.array([low, *sorted(p.state[0] for p in points if low < p.state[0] < high), high])
        middles = 0.5 * (ends[:-1] + ends[1:])
        size = 0.03 * (high - low)
        for x, length, v in zip(middles, np.diff(ends), flow(middles[:, None])[:, 0]):
            tip = np.sign(v) * min(size, 0.3 * length)
            style: dict[str, Any] = {"arrowstyle": "-|>", "color": "0.25", "shrinkA": 0.0, "shrinkB": 0.0, "mutation_scale": 9}
            ax.annotate("", (x + tip, 0.0), (x - tip, 0.0), arrowprops=style, zorder=4)
    _draw_points(ax, points)
    ax.set_xlim(low, high)
    ax.set_xlabel("$h$")
    ax.set_ylabel("$\\dot h$")


def _draw_streams(ax, flow, limits):
    x, y = (np.linspace(low, high, 41) for low, high in limits)
    speed = flow(np.stack(np.meshgrid(x, y), axis=-1))
    ax.streamplot(x, y, speed[..., 0], speed[..., 1], color="0.75", linewidth=0.5, arrowsize=0.5, density=1.1, zorder=1)


def _draw_nullclines(ax, flow, box):
    for i, (curves, colour) in enumerate(zip(flow.nullclines(box=box), (BLUE, ORANGE))):
        for j, curve in enumerate(curves):
            ax.plot(*curve.T, color=colour, linewidth=1.0, zorder=2, label=f"$\\dot h_{i + 1} = 0$" if j == 0 else None)


def _draw_manifolds(ax, curves):
    for name, style in (("stable", (0, (1, 1))), ("unstable", "-")):
        for j, curve in enumerate(curves[name]):
            label = f"{name} manifold" if j == 0 else None
            ax.plot(*curve.T, color=PURPLE, linewidth=0.9, linestyle=style, zorder=3, label=label)


def _draw_cycle(ax, cycle, label):
    states = cycle.states(800)
    closed = np.concatenate([states, states[:1]])
    colour, line = (GREEN, "-") if cycle.stable else (VERMILLION, (0, (4, 2)))
    ax.plot(*closed.T, color=colour, linestyle=line, linewidth=1.8, zorder=4, label=label)


def _name_plane(ax):
    ax.set_xlabel("$h_1$")
    ax.set_ylabel("$h_2$")
    ax.set_aspect("equal")


def _padded(limits):
    pad = 0.03 * (limits[1] - limits[0])
    return limits[0] - pad, limits[1] + pad


def _draw_points(ax, points):
    for kind, (marker, face) in _POINTS.items():
        states = [p.state for p in points if p.kind == kind]
        if states:
            edge, size = ("white", 6.5) if kind == "saddle" else (BLACK, 5.0)
            style: dict[str, Any] = {"markerfacecolor": face, "markeredgecolor": edge, "markeredgewidth": 0.9, "linestyle": "none"}
            ax.plot(*_in_plane(np.array(states)).T, marker=marker, markersize=size, zorder=6, label=kind, clip_on=False, **style)


#: Pale areas for basins.
_BASINS = ("#cfe3f3", "#fbe3b8", "#cdebdd", "#f3d3e3", "#e3dcf2", "#f6d5c5", "#e8e8c8", "#dddddd")


def plot_basins(basins: Basins, *, ax: Axes | None = None) -> Axes:
    """Basins of attraction as areas, with the attractors and the other fixed points.

    Parameters
    ----------
    basins : Basins
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
        White: undecided.
    """
    from matplotlib.colors import BoundaryNorm, ListedColormap

    instance("basins", basins, Basins)
    ax = axes_or_new(ax, 3.3)
    count = len(basins.attractors)
    colours = ListedColormap([_BASINS[i % len(_BASINS)] for i in range(max(1, count))])
    norm = BoundaryNorm(np.arange(max(1, count) + 1) - 0.5, max(1, count))
    shown = np.ma.masked_less(basins.label, 0)
    ax.pcolormesh(basins.x, basins.y, shown, cmap=colours, norm=norm, shading="nearest", rasterized=True, zorder=0)
    for j, cycle in enumerate(basins.attractors.cycles):
        _draw_cycle(ax, cycle, "stable cycle" if j == 0 else None)
    _draw_points(ax, basins.flow.fixed_points())
    _name_plane(ax)
    legend_beside(ax)
    return ax


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
    TypeError : another type
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
    ax.set_xlabel(_parameter_label(plane.paths[0]))
    ax.set_ylabel(_parameter_label(plane.paths[1]))
    ax.set_xlim(plane.x[0], plane.x[-1])
    ax.set_ylim(plane.y[0], plane.y[-1])
    if legend:
        ax.legend(
            handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1.0), fontsize="x-small", borderaxespad=0.0, frameon=False
        )
    return ax


def plot_attractors_along(along: AttractorsAlong, *, coordinate: int | None = None, ax: Axes | None = None) -> Axes:
    """Shares of the basins along a parameter, stacked, one area for each attractor.

    Parameters
    ----------
    along : AttractorsAlong
    coordinate : int, optional
        Also draw this coordinate of the attractors on a second axis: sinks as lines, the ranges of cycles and others as bands.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
        White: starts that are not settled. The second axis, if any, is the last of its figure.

    Raises
    ------
    TypeError, ValueError : another object, unknown coordinate
    """
    instance("along", along, AttractorsAlong)
    if coordinate is not None:
        coordinate = integer("coordinate", coordinate, high=along.flow.dim - 1)
    ax = axes_or_new(ax, 2.7)
    colours = [_BASINS[i % len(_BASINS)] for i in range(len(along))]
    names = [f"{i}: {', '.join(dict.fromkeys(row[i] for row in along.kinds if row[i]))}" for i in range(len(along))]
    ax.stackplot(along.values, *along.fractions.T, colors=colours, labels=names, edgecolor="white", linewidth=0.6)
    for change in along.changes:
        ax.axvline(0.5 * (change.before + change.after), color="0.4", linewidth=0.7, linestyle=(0, (2, 2)))
    ax.set_xlim(float(along.values.min()), float(along.values.max()))
    ax.set_ylim(0.0, 1.0)
    ax.set_xlabel(_parameter_label(along.path))
    ax.set_ylabel("share of starts")
    legend_beside(ax, gap=0.01 if coordinate is None else 0.2)  # beside the second axis and its name
    if coordinate is not None:
        states = ax.twinx()
        for i in range(len(along)):
            low, high = along.low[:, i, coordinate], along.high[:, i, coordinate]
            states.fill_between(along.values, low, high, color=BLACK, alpha=0.25, linewidth=0)
            states.plot(along.values, along.centre[:, i, coordinate], color=BLACK, linewidth=1.0)
        states.set_ylabel(f"$h_{coordinate + 1}$")
    return ax


#: Marker and colour of each kind of bifurcation.
_BIFURCATIONS = {
    "fold": ("s", BLACK), "pitchfork": ("^", BLACK), "transcritical": ("v", BLACK), "multiple": ("*", BLACK),
    "hopf": ("o", VERMILLION), "neimark_sacker": ("D", PURPLE), "flip": ("P", ORANGE),
    "cycle_fold": ("s", GREEN), "period_doubling": ("P", GREEN), "torus": ("D", GREEN),
}  # fmt: skip


def plot_bifurcations(
    *branches: FixedPointBranch | CycleBranch, coordinate: int = 0, stability: str = "flow", ax: Axes | None = None
) -> Axes:
    """A bifurcation diagram: one coordinate of fixed points and the range of it on cycles, against the parameter.

    Parameters
    ----------
    branches : FixedPointBranch and CycleBranch, along one parameter
        Stable parts solid, unstable parts dashed; bifurcations marked.
    coordinate : int
    stability : "flow" or "map"
        Whose stability makes a branch of fixed points solid.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError, ValueError : no branches, different parameters, unknown coordinate
    """
    if not branches or not all(isinstance(b, (FixedPointBranch, CycleBranch)) for b in branches):
        raise TypeError(f"branches must be FixedPointBranch and CycleBranch, got {shown(branches)}")
    if len({b.path for b in branches}) > 1:
        raise ValueError(f"branches must run along one parameter, got {sorted({str(b.path) for b in branches})}")
    choice("stability", stability, ("flow", "map"))
    dim = (branches[0].states if isinstance(branches[0], FixedPointBranch) else branches[0].low).shape[1]
    coordinate = integer("coordinate", coordinate, high=dim - 1)
    ax = axes_or_new(ax, 2.7)
    seen = set()

    def once(name):
        label = None if name in seen else name
        seen.add(name)
        return label

    for branch in branches:
        if isinstance(branch, FixedPointBranch):
            stable = branch.stable if stability == "flow" else branch.map_stable
            curves, colour, what = [branch.states[:, coordinate]], BLACK, "fixed point"
        else:
            stable, colour, what = branch.stable, GREEN, "cycle"
            curves = [branch.low[:, coordinate], branch.high[:, coordinate]]
        for values in curves:
            for start, end in _runs(stable):
                name = f"{'stable' if stable[start] else 'unstable'} {what}"
                style: dict[str, Any] = {"color": colour, "linewidth": 1.4, "linestyle": "-" if stable[start] else (0, (3, 1.5))}
                ax.plot(branch.values[start : end + 1], values[start : end + 1], **style, label=once(name))
        for b in branch.bifurcations:
            marker, face = _BIFURCATIONS[b.kind]
            height = b.state[coordinate]
            if isinstance(branch, CycleBranch) and b.orbit is not None:
                height = b.orbit.stages[..., coordinate].max()
            label = once(b.kind.replace("_", "-") + (" (map)" if b.kind in ("neimark_sacker", "flip") else ""))
            mark: dict[str, Any] = {"markeredgecolor": "white", "markersize": 6, "zorder": 5, "linestyle": "none"}
            ax.plot(b.value, height, marker=marker, color=face, label=label, **mark)
    ax.set_xlabel(_parameter_label(branches[0].path))
    ax.set_ylabel(f"$h_{coordinate + 1}$")
    legend_beside(ax)
    return ax


#: Colour of curves of each kind; points of codimension two by the letters that the literature has for them.
_CURVES = {
    "fold": BLUE, "pitchfork": SKY, "transcritical": PURPLE, "hopf": VERMILLION, "flip": ORANGE, "neimark_sacker": GREEN,
    "homoclinic": BLACK, "heteroclinic": "#777777",
}  # fmt: skip
_LETTERS = {
    "cusp": "CP", "bogdanov_takens": "BT", "bautin": "GH", "fold_hopf": "ZH", "hopf_hopf": "HH", "degenerate_pitchfork": "DP",
    "degenerate_transcritical": "DT", "generalized_flip": "GF", "fold_flip": "FF", "chenciner": "CH", "resonance_1_1": "R1",
    "resonance_1_2": "R2", "resonance_1_3": "R3", "resonance_1_4": "R4", "neutral_saddle": "NS", "saddle_node_loop": "SNL",
}  # fmt: skip


def plot_curves(*curves: BifurcationCurve | ConnectionCurve, legend: bool = True, ax: Axes | None = None) -> Axes:
    """Curves of bifurcations in the plane of two parameters, with the points of codimension two on them.

    Parameters
    ----------
    curves : BifurcationCurve or ConnectionCurve, in one plane
        Dashed where they are subcritical, or the cycle born of a homoclinic orbit is unstable. Points: CP cusp, BT Bogdanov-Takens,
        GH Bautin, ZH fold-Hopf, HH Hopf-Hopf, DP and DT degenerate pitchfork and transcritical; of the map GF generalized flip, FF
        fold-flip, CH Chenciner, R1 to R4 resonances; of homoclinic orbits NS neutral saddle, SNL saddle-node loop.
    legend : bool
    ax : matplotlib Axes, optional
        May hold another picture of the same plane: first path along x, second along y.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError, ValueError : no curves, different planes
    """
    if not curves or not all(isinstance(c, (BifurcationCurve, ConnectionCurve)) for c in curves):
        raise TypeError(f"curves must be BifurcationCurve or ConnectionCurve, got {shown(curves)}")
    if len({c.paths for c in curves}) > 1:
        raise ValueError(f"curves must lie in one plane, got {sorted({', '.join(map(str, c.paths)) for c in curves})}")
    legend = boolean("legend", legend)
    ax = axes_or_new(ax, 3.3)
    for curve in curves:
        dashed = np.zeros(len(curve), dtype=bool) if curve.supercritical is None else ~curve.supercritical
        for start, end in _runs(dashed):
            line: dict[str, Any] = {"color": _CURVES[curve.kind], "linestyle": (0, (3, 1.5)) if dashed[start] else "-"}
            ax.plot(*curve.values[start : end + 1].T, linewidth=1.5, zorder=4, **line)
    known = sorted((p for c in curves for p in c.points), key=lambda p: p.error)
    _mark_points(ax, [(_LETTERS[p.kind], p.values, p.error) for p in known])
    ax.set_xlabel(_parameter_label(curves[0].paths[0]))
    ax.set_ylabel(_parameter_label(curves[0].paths[1]))
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


def _parameter_label(path):
    """b_h[1] as LaTeX with indices from 1, a common factor as a factor of its matrix; the name of any other line."""
    if isinstance(path, Line):
        kind, _, tail = path.name.partition(".")
        return f"factor of $U^{{{tail}}}$" if kind == "gain" and tail else path.name
    name, _, rest = path.partition("[")
    indices = ",".join(str(int(i) + 1) for i in rest.rstrip("]").split(","))
    head, _, tail = name.partition("_")
    return f"${head}^{{{tail}}}_{{{indices}}}$" if tail else f"${name}_{{{indices}}}$"


def _runs(flags):
    """(start, end) of stretches of one value; neighbours share their border so that curves have no gaps."""
    edges = np.flatnonzero(np.diff(flags.astype(int))) + 1
    starts = np.concatenate([[0], edges])
    ends = np.concatenate([edges, [len(flags) - 1]])
    return [(int(a), int(min(b, len(flags) - 1))) for a, b in zip(starts, ends)]
