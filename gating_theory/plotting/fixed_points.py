"""Pictures of the fixed points of networks: the plane in which a network moves, its attractors, saddles and what leads where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..networks.fixed_points import NetworkFixedPoints
from ..support.checks import integer, real_array, shown
from ..training.analysed_points import FixedPointAnalysis, HeldFixedPoints
from .style import BLUE, VERMILLION, axes_or_new, legend_above

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_fixed_points"]

#: Half the length of a line along an unstable direction that lies in the plane, in units of the extent of all that is drawn.
_MODE = 0.09
#: Weight of unstable directions in a plane made from points: it decides only where these do not span a plane.
_LITTLE = 1e-6
#: The lower side of a picture in units of the other, at least.
_FLAT = 0.6
#: Points of trajectories above which a vector format holds them as pixels.
_RASTER = 20_000


def plot_fixed_points(
    found: FixedPointAnalysis | HeldFixedPoints | NetworkFixedPoints,
    trajectories: npt.ArrayLike | None = None,
    *,
    held: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Fixed points of a network in the plane of the first two principal components of what it visits.

    Stable points are filled, saddles open, slow points grey. Short lines through saddles are their unstable directions, as long as
    the share of them that lies in the plane; dotted lines lead from saddles (and slow points) to where these lead. Drawn is the
    first state variable of each unit, h of all built-in cells.

    Parameters
    ----------
    found : FixedPointAnalysis, HeldFixedPoints (``analysis[i]``), or NetworkFixedPoints
        The last knows neither directions nor what leads where; without ``spectra`` its fixed points are not told apart.
    trajectories : array (T, B, d, N) of states, or (T, B, N) or (T, N) of the first state variable, optional
        Outputs of a module with time as the first axis, for example. Default: those along the inputs of a FixedPointAnalysis.
        Principal components are theirs; of the points where there are none.
    held : int, optional
        Which input held of a FixedPointAnalysis; needed where it has several.
    ax : matplotlib Axes, optional
        Default: a new figure of one column's width.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError, ValueError
        another result, nothing to draw, trajectories of another shape, no ``held`` where there are several

    See Also
    --------
    gating_theory.fixed_point_analysis : Makes what is drawn.

    Examples
    --------
    >>> import gating_theory as gt
    >>> import numpy as np
    >>> matrices = np.zeros((3, 2, 2))
    >>> matrices[2] = 3 * np.eye(2)
    >>> net = gt.Network(gt.Ensemble(gt.GRU), matrices, np.zeros((3, 2)))
    >>> ax = gt.plotting.plot_fixed_points(
    ...     gt.fixed_point_analysis(net, n_starts=64, n_steps=200)
    ... )
    """
    points, one = _chosen(found, held)
    if not len(points):
        raise ValueError("found has no points to draw")
    paths = _paths(found, trajectories, points.states.shape[1:])
    states, kind = points.states[:, 0], _kinds(points, one)
    directions = _directions(one, states.shape[1])
    centre, axes, share = _plane(states if paths is None else paths.reshape(-1, states.shape[1]), directions)
    ax = axes_or_new(ax)
    at = (states - centre) @ axes
    lines = at[None, :0] if paths is None else (paths - centre) @ axes  # (T, B, 2)
    extent = np.concatenate([at, lines.reshape(-1, 2)])
    _draw_points(ax, at, kind)  # in the order of the legend
    if one is not None:
        _draw_modes(ax, at, [[v @ axes for v in each] for each in directions], _MODE * float(np.ptp(extent, axis=0).max() or 1.0))
        _draw_connections(ax, at, one.connections)
    if paths is not None:
        _draw_paths(ax, lines)
    ax.set_xlabel(f"PC 1 ({_percent(share[0])} of variance)")
    ax.set_ylabel(f"PC 2 ({_percent(share[1])})")  # short: the picture may be flat
    _frame(ax, extent)
    legend_above(ax, 3)
    return ax


def _chosen(found, held):
    """The points, and what is known of their directions (or None)."""
    if isinstance(found, FixedPointAnalysis):
        if held is None and len(found) > 1:
            raise ValueError(f"held must say which of {len(found)} inputs held is drawn: 0 to {len(found) - 1}")
        one = found[integer("held", 0 if held is None else held, high=len(found) - 1)]
        return one.points, one
    if held is not None:
        raise ValueError(f"held is for a FixedPointAnalysis, found is a {type(found).__name__}")
    if isinstance(found, HeldFixedPoints):
        return found.points, found
    if isinstance(found, NetworkFixedPoints):
        return found, None
    raise TypeError(f"found must be a FixedPointAnalysis, HeldFixedPoints or NetworkFixedPoints, got {shown(found)}")


def _paths(found, trajectories, shape):
    """(T, B, N) array of the first state variable along trajectories, or None."""
    if trajectories is None:
        kept = getattr(found, "trajectories", None)
        return None if kept is None or not kept.size else kept[:, :, 0]
    detach = getattr(trajectories, "detach", None)  # tensors that a gradient goes through do not become arrays
    paths = real_array("trajectories", detach() if callable(detach) else trajectories)
    d, n = shape
    if paths.ndim == 3 and d > 1 and paths.shape[1:] == (d, n):
        either = f"(T, 1, {d}, {n}) or (T, {d}, 1, {n})"
        raise ValueError(f"trajectories of shape {paths.shape} may be {d} variables or {d} sequences: add an axis, {either}")
    if paths.ndim == 4 and paths.shape[2] in (1, d):
        paths = paths[:, :, 0]
    elif paths.ndim == 2:
        paths = paths[:, None]
    if paths.ndim != 3 or paths.shape[2] != n or 0 in paths.shape:
        raise ValueError(f"trajectories must have shape (T, B, {d}, {n}), (T, B, {n}) or (T, {n}), got {np.shape(trajectories)}")
    return paths


def _kinds(points, one):
    if one is not None:
        return one.kind
    if points.n_unstable is None:
        return np.where(points.label == "slow", "slow", "fixed")
    return np.select([points.label == "slow", points.n_unstable == 0], ["slow", "stable"], "saddle")


def _directions(one, n_units):
    """For each point real vectors (m, N), of the first state variable, of its unstable directions."""
    if one is None:
        return []
    out = []
    for values, vectors in zip(one.unstable_eigenvalues, one.unstable_directions):
        parts = [v[0].real for v, z in zip(vectors, values) if z.imag >= 0.0]
        parts += [v[0].imag for v, z in zip(vectors, values) if z.imag > 0.0]
        out.append(np.array(parts).reshape(-1, n_units))
    return out


def _plane(rows, directions):
    """Centre (N,), first two principal axes (N, 2), their shares of the variance."""
    centre = rows.mean(axis=0)
    away = rows - centre
    spread = away.T @ away / len(away)
    total = float(np.trace(spread))
    extra = [v for each in directions for v in each]
    if extra:
        spread = spread + _LITTLE**2 * max(total, 1e-12) * np.array(extra).T @ np.array(extra)
    values, vectors = np.linalg.eigh(spread)
    axes = np.zeros((len(centre), 2))
    last = min(2, len(centre))
    axes[:, :last] = vectors[:, ::-1][:, :last]
    axes *= np.where(axes[np.abs(axes).argmax(axis=0), [0, 1]] < 0.0, -1.0, 1.0)
    share = np.append(values[::-1], 0.0)[:2] / total if total > 0.0 else np.zeros(2)
    return centre, axes, np.clip(share, 0.0, 1.0)


def _frame(ax, extent):
    """Limits around all that is drawn, of equal units, and no strip where it hardly moves in one direction."""
    middle, half = 0.5 * (extent.max(axis=0) + extent.min(axis=0)), 0.5 * np.ptp(extent, axis=0)
    half = 1.1 * np.maximum(half, max(_FLAT * float(half.max()), 1e-9))
    ax.set_xlim(middle[0] - half[0], middle[0] + half[0])
    ax.set_ylim(middle[1] - half[1], middle[1] + half[1])
    ax.set_aspect("equal")


def _percent(share):
    return f"{100 * share:.0f} %" if share >= 0.095 or share == 0.0 else f"{100 * share:.1f} %"


def _draw_paths(ax, lines):
    style: dict[str, Any] = {"color": "0.55", "linewidth": 0.5, "zorder": 1, "rasterized": lines[..., 0].size > _RASTER}
    alpha = float(np.clip(12.0 / lines.shape[1], 0.2, 0.8))
    for b in range(lines.shape[1]):
        ax.plot(*lines[:, b].T, alpha=alpha, **style)
    ax.plot([], [], color="0.55", linewidth=0.8, label="trajectories")


def _draw_connections(ax, at, connections):
    label = "leads to"
    for i, j in zip(*np.nonzero(connections)):
        if i != j:
            ax.plot(*at[[i, j]].T, color="0.15", linewidth=0.7, linestyle=(0, (1, 2)), zorder=2, label=label)
            label = None


def _draw_modes(ax, at, modes, length):
    label = "unstable directions"
    for place, vectors in zip(at, modes):
        for v in vectors:
            ends = np.array([place - length * v, place + length * v])
            ax.plot(*ends.T, color=VERMILLION, linewidth=1.4, solid_capstyle="round", zorder=3, label=label)
            label = None


def _draw_points(ax, at, kind):
    styles: dict[str, dict[str, Any]] = {
        "slow": {"markerfacecolor": "0.6", "markeredgecolor": "0.35", "marker": "D", "markersize": 4.5, "zorder": 4},
        "saddle": {"markerfacecolor": "white", "markeredgecolor": VERMILLION, "marker": "o", "markersize": 5.5, "zorder": 5},
        "stable": {"markerfacecolor": BLUE, "markeredgecolor": "white", "marker": "o", "markersize": 7.0, "zorder": 6},
        "fixed": {"markerfacecolor": BLUE, "markeredgecolor": "white", "marker": "o", "markersize": 7.0, "zorder": 6},
    }
    names = {"slow": "slow", "saddle": "saddle", "stable": "stable", "fixed": "fixed points"}
    for one in ("stable", "saddle", "slow", "fixed"):
        here = at[kind == one]
        if len(here):
            ax.plot(*here.T, linestyle="none", label=names[one], **styles[one])
