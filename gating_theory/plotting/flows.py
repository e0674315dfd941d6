"""Pictures of small flows: phase portraits, basins, bifurcation diagrams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import CapabilityError
from ..flow.continuation.cycles import CycleBranch
from ..flow.continuation.fixed_points import FixedPointBranch
from ..flow.flow import Flow, box_limits
from ..flow.orbits.all_cycles import cycles as all_cycles
from ..flow.orbits.attractors_along import AttractorsAlong
from ..flow.orbits.basin_intervals import basin_intervals
from ..flow.orbits.basins import Basins
from ..flow.orbits.cycle import Cycle
from ..flow.orbits.map_orbits import MapAttractors
from ..flow.orbits.separatrices import separatrices
from ..flow.proof.fixed_points import FlowFixedPoints
from ..support.checks import boolean, choice, instance, integer, several, shown
from .labels import parameter_label, runs
from .style import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION, axes_or_new, legend_beside

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "plot_attractors_along",
    "plot_basins",
    "plot_bifurcations",
    "plot_portrait",
]

#: Marker and face of each kind of fixed point; saddles are crosses.
_POINTS = {"sink": ("o", BLACK), "source": ("o", "white"), "saddle": ("X", VERMILLION), "undecided": ("s", "0.6")}


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
    TypeError, ValueError, CapabilityError
        arguments that are not allowed, dim other than 1 or 2

    See Also
    --------
    gating_theory.flow.plot_basins : Basins of the same plane.
    gating_theory.flow.separatrices : The manifolds as curves.

    Examples
    --------
    >>> import gating_theory as gt
    >>> turning = gt.GRUFlow(U_h=[[3, -3], [3, 3]])
    >>> ax = gt.flow.plot_portrait(turning, gt.flow.cycles(turning, 3))
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

    See Also
    --------
    gating_theory.flow.basins : Makes what is drawn.

    Examples
    --------
    >>> import gating_theory as gt
    >>> ax = gt.flow.plot_basins(
    ...     gt.flow.basins(gt.GRUFlow(U_h=[[3, 0], [0, 1]]), n=11)
    ... )
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
    TypeError, ValueError
        another object, unknown coordinate

    See Also
    --------
    gating_theory.flow.attractors_along : Makes what is drawn.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow, values = gt.GRUFlow(U_h=3), [0.0, 0.1, 0.3]
    >>> along = gt.flow.attractors_along(flow, "b_h[0]", values, starts=11)
    >>> ax = gt.flow.plot_attractors_along(along)
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
    ax.set_xlabel(parameter_label(along.path))
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
    TypeError, ValueError
        no branches, different parameters, unknown coordinate

    See Also
    --------
    gating_theory.flow.continue_fixed_point : Makes branches of fixed points.
    gating_theory.flow.continue_cycle : Makes branches of cycles.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_h=3)
    >>> branch = gt.flow.continue_fixed_point(flow, "b_h[0]", (-1, 1), [0.8586])
    >>> ax = gt.flow.plot_bifurcations(branch)
    >>> ax.get_xlabel()
    '$b^{h}_{1}$'
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
            for start, end in runs(stable):
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
    ax.set_xlabel(parameter_label(branches[0].path))
    ax.set_ylabel(f"$h_{coordinate + 1}$")
    legend_beside(ax)
    return ax
