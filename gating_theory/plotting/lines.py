"""Critical lines as curves with their special points and errors, and names of the regions between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np

from ..lines.line import CriticalLine
from ..support.checks import reals, shown
from .style import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..lines.line import LineCurve

__all__ = [
    "LINE_STYLES",
    "POINT_STYLES",
    "ascending_cuts",
    "critical_lines",
    "draw_critical_lines",
    "line_styles",
    "name_regions",
    "other_styles",
]

#: Words, colour and dashes of critical lines, by their kinds and quantities.
LINE_STYLES: dict[str, tuple[str, str, Any]] = {
    "onset": ("onset", BLACK, "-"),
    "fold": ("fold", VERMILLION, (0, (4, 1.5))),
    "chaos": ("chaos", BLUE, (0, (5, 1, 1, 1))),
    "complexity_onset": ("complexity onset", PURPLE, (0, (1, 1))),
    "abscissa": ("abscissa", GREEN, (0, (6, 2))),
    "radius": ("radius", SKY, (0, (2, 1))),
    "slow_fraction": ("slow fraction", ORANGE, (0, (3, 1, 1, 1, 1, 1))),
}
#: Colours and dashes of all others, one after the other.
_OTHER_STYLES = ((GREEN, (0, (3, 1, 1, 1, 1, 1))), (ORANGE, (0, (2, 2))), (SKY, (0, (6, 1, 1, 1))), (PURPLE, (0, (8, 2))))
#: Words and symbols of special points.
POINT_STYLES = {
    "tricritical": ("tricritical point", "D"),
    "critical_end": ("critical end point", "s"),
    "cusp": ("cusp", "^"),
    "fold": ("the solution turns back", "v"),
    "born": ("the solution is born", "o"),
    "branch": ("lines cross", "X"),
}
#: Points of a curve: more than a column of print has dots.
_FINE = 2000
#: Errors wider than this part of the picture are drawn.
_VISIBLE = 1e-3
#: A curve of so few points was not resolved: its points are shown.
_FEW = 30
#: Pixels along a side of the picture in which regions are told apart, and the least room for a name, in parts of the picture.
_PIXELS, _ROOM = 300, 0.01


def other_styles() -> Iterator[tuple[str, Any]]:
    """Colours and dashes for lines that have no style of their own, again and again."""
    return cycle(_OTHER_STYLES)


def critical_lines(name: str, lines: object) -> list[CriticalLine]:
    """Critical lines of one plane; TypeError or ValueError for anything else.

    Parameters
    ----------
    name : str, what messages call them
    lines : CriticalLine or sequence of them
    """
    found = [lines] if isinstance(lines, CriticalLine) else list(lines) if isinstance(lines, Sequence) else []
    if not found or not all(isinstance(line, CriticalLine) for line in found):
        raise TypeError(f"{name} must be a CriticalLine or several, got {shown(lines)}")
    for line in found:
        if line.paths != found[0].paths:
            raise ValueError(f"{name} must run along the same paths, got {line.paths} and {found[0].paths}")
        if line.ensemble.cell != found[0].ensemble.cell:
            raise ValueError(f"{name} must be of one cell, got {line.ensemble.cell.name} and {found[0].ensemble.cell.name}")
    return found


def line_styles(lines: Sequence[CriticalLine]) -> list[tuple[str, str, Any]]:
    """(words, colour, dashes) of each line: one colour for each quantity, whose further values have other dashes.

    Parameters
    ----------
    lines : sequence of CriticalLine
    """
    others, styles = other_styles(), []
    known: dict[str, str] = {}
    for line in lines:
        kind = line.quantity.partition(":")[0]
        words, colour, dashes = LINE_STYLES.get(kind, (line.quantity.replace("_", " "), "", None))
        if kind not in LINE_STYLES or kind in known:
            colour, dashes = next(others)
        colour = known.setdefault(kind, colour)
        if line.name != line.quantity:
            words = f"{words} = {line.value:.4g}"
        if line.solution not in ("", "active") and line.quantity != "onset":
            words += f", {'zero state' if line.solution == 'zero' else f'solution {line.solution}'}"
        if line.fewest_units:  # smaller networks do not show all of it
            words += f" (N > {line.fewest_units})"
        styles.append((words, colour, dashes))
    return styles


def draw_critical_lines(ax: Axes, lines: Sequence[CriticalLine]) -> None:
    """Smooth curves with bands of their errors where these can be seen, and symbols for special points.

    Parameters
    ----------
    ax : matplotlib Axes
    lines : sequence of CriticalLine, of one plane
    """
    named: set[str] = set()
    for line, (words, colour, dashes) in zip(lines, line_styles(lines)):
        label = words
        for curve in line.curves:
            points = curve.points(_FINE)
            ax.plot(*points.T, color=colour, linestyle=dashes, linewidth=1.5, label=label)
            label = "_"
            if len(curve.x) < _FEW and np.isnan(curve.interpolation):
                ax.plot(curve.x, curve.y, "o", color=colour, markersize=2.5)
            _band(ax, line, curve, colour)
    for line in lines:
        for point in line.points:
            words, marker = POINT_STYLES.get(point.kind, (point.kind, "."))
            label = "_" if words in named else words
            named.add(words)
            ax.plot(point.x, point.y, marker=marker, color=BLACK, markersize=4, linestyle="none", label=label, zorder=4)


def _band(ax: Axes, line: CriticalLine, curve: LineCurve, colour: str) -> None:
    """The errors of a curve on both sides of it."""
    widths = np.ptp(np.array(line.bounds), axis=1)
    if max((curve.error_x / widths[0]).max(), (curve.error_y / widths[1]).max()) < _VISIBLE or len(curve.x) < 2:
        return
    s = np.linspace(0.0, curve.length[-1], _FINE)
    points, along = curve.points(_FINE), curve.spline(s, 1) / widths
    error = np.column_stack([np.interp(s, curve.length, e) for e in (curve.error_x, curve.error_y)])
    # errors lead to one side of the curve, and back to the other
    shift = error * np.where(np.column_stack([-along[:, 1], along[:, 0]]) < 0.0, -1.0, 1.0)
    ring = np.vstack([points + shift, (points - shift)[::-1]])
    ax.fill(*ring.T, color=colour, alpha=0.2, linewidth=0.0)


def ascending_cuts(line: CriticalLine) -> list[tuple[np.ndarray, np.ndarray]]:
    """The curves of a line as (x, y), those one of whose coordinates only ascends: areas can be cut along them.

    Parameters
    ----------
    line : CriticalLine
    """
    out = []
    for curve in line.curves:
        x, y = curve.points(_FINE).T
        for values in (x, y):
            if (np.diff(values) > 0).all():
                out.append((x, y))
                break
            if (np.diff(values) < 0).all():
                out.append((x[::-1], y[::-1]))
                break
    return out


# --- regions


def name_regions(ax: Axes, regions: Mapping[str, Sequence[float]], lines: Sequence[tuple[np.ndarray, np.ndarray]]) -> None:
    """Write names into regions, where there is most room: a region is what can be reached from a point without crossing a line.

    Where two names are of one region, or there is no room, they stand at their points.

    Parameters
    ----------
    ax : matplotlib Axes, with its final limits
    regions : mapping {name: (x, y), a point in the region}
    lines : sequence of (x, y) pairs of (n,) arrays

    Raises
    ------
    TypeError, ValueError : no mapping, a point outside the picture or on a line
    """
    if not regions:
        return
    from scipy.ndimage import distance_transform_edt, label

    low, high = np.array([ax.get_xlim(), ax.get_ylim()]).T
    wall = np.zeros((_PIXELS, _PIXELS), dtype=bool)
    for x, y in lines:
        points = (np.column_stack([x, y]) - low) / (high - low) * _PIXELS
        wall |= _rastered(points)
    parts = label(~wall)[0]
    places = {name: np.array(reals(f"regions[{shown(name)}]", point, "x", "y")) for name, point in regions.items()}
    numbers = {name: _number(parts, name, (place - low) / (high - low)) for name, place in places.items()}
    for name, (x, y) in places.items():
        # a name is several times as wide as it is high
        room = distance_transform_edt(np.pad(parts == numbers[name], 1), sampling=(0.4, 1.0))[1:-1, 1:-1]
        alone = list(numbers.values()).count(numbers[name]) == 1
        if alone and room.max() >= _ROOM * _PIXELS:
            x, y = low + (_roomiest(room) + 0.5) / _PIXELS * (high - low)
        ax.text(x, y, name, ha="center", va="center", fontsize="small", zorder=5)


def _roomiest(room):
    """The pixel (2,) with most room, of several the most central one."""
    best = np.argwhere(room >= room.max() - 0.5)
    return best[np.argmin(np.linalg.norm(best - best.mean(axis=0), axis=1))]


def _number(parts, name, place):
    """The number of the region in which a point (2,) lies, in units of the picture."""
    i, j = np.floor(place * _PIXELS).astype(int)
    if not (0 <= i < _PIXELS and 0 <= j < _PIXELS) or not parts[i, j]:
        raise ValueError(f"regions[{shown(name)}] must be a point within the picture and beside its lines")
    return parts[i, j]


def _rastered(points):
    """The pixels that a polygon (n, 2) passes, without gaps to slip through."""
    wall = np.zeros((_PIXELS, _PIXELS), dtype=bool)
    steps = np.abs(np.diff(points, axis=0)).max(axis=1)
    for a, b, step in zip(points[:-1], points[1:], steps):
        if not np.isfinite(step):
            continue
        along = a + np.linspace(0.0, 1.0, int(3 * step) + 2)[:, None] * (b - a)
        i, j = np.floor(along).astype(int).T
        inside = (i >= 0) & (i < _PIXELS) & (j >= 0) & (j < _PIXELS)
        wall[i[inside], j[inside]] = True
    return wall
