"""Critical lines as curves with their special points and errors, and names of the regions between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np

from ..lines.line import CriticalLine, LinePoint
from ..support.checks import reals, shown
from .line_labels import line_labels
from .raster import parts_of, walls
from .style import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..lines.line import LineCurve
    from .line_labels import Setting

__all__ = [
    "LINE_STYLES",
    "POINT_STYLES",
    "borders",
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
    "chaos_tricritical": ("tricritical point of chaos", "d"),
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
#: Pixels along a side of the picture in which regions are told apart.
_PIXELS = 300
#: Sizes of names of regions, the first that fits is taken.
_SIZES = ("small", "x-small", "xx-small")
#: Room around a name in a region, where 1 is that of its corners.
_MARGIN = 1.15
#: How far lines go on straight beyond their bounds, in units of these.
_BEYOND = 0.2


def other_styles() -> Iterator[tuple[str, Any]]:
    """Colours and dashes for lines that have no style of their own, again and again."""
    return cycle(_OTHER_STYLES)


def critical_lines(name: str, lines: object) -> dict[str, CriticalLine] | list[CriticalLine]:
    """Critical lines of one plane, by their labels where they have some; TypeError or ValueError for anything else.

    Parameters
    ----------
    name : str, what messages call them
    lines : CriticalLine, sequence of them, or mapping {label: line}
    """
    if isinstance(lines, Mapping):
        found = list(lines.values())
    else:
        found = [lines] if isinstance(lines, CriticalLine) else list(lines) if isinstance(lines, Sequence) else []
    if not found or not all(isinstance(line, CriticalLine) for line in found):
        raise TypeError(f"{name} must be a CriticalLine or several, got {shown(lines)}")
    for line in found:
        if line.paths != found[0].paths:
            raise ValueError(f"{name} must run along the same paths, got {line.paths} and {found[0].paths}")
        if line.ensemble.cell != found[0].ensemble.cell:
            raise ValueError(f"{name} must be of one cell, got {line.ensemble.cell.name} and {found[0].ensemble.cell.name}")
    return {str(label): line for label, line in lines.items()} if isinstance(lines, Mapping) else found


def line_styles(lines: Sequence[CriticalLine], over: Setting | None = None) -> list[tuple[str, str, Any]]:
    """(label, colour, dashes) of each line: one colour for each quantity, whose further values have other dashes.

    Parameters
    ----------
    lines : sequence of CriticalLine
    over : what holds in the map below, from ``map_setting``
    """
    others, styles = other_styles(), []
    known: dict[str, str] = {}
    for line, label in zip(lines, line_labels(lines, over)):
        kind = line.quantity.partition(":")[0]
        _, colour, dashes = LINE_STYLES.get(kind, ("", "", None))
        if kind not in LINE_STYLES or kind in known:
            colour, dashes = next(others)
        colour = known.setdefault(kind, colour)
        styles.append((label, colour, dashes))
    return styles


def draw_critical_lines(ax: Axes, lines: Sequence[CriticalLine] | Mapping[str, CriticalLine], over: Setting | None = None) -> None:
    """Smooth curves with bands of their errors where these can be seen, and symbols for special points.

    A line without curves has a label that says so, and no curve.

    Parameters
    ----------
    ax : matplotlib Axes
    lines : sequence of CriticalLine, of one plane, or mapping {label: line}
    over : what holds in the map below, from ``map_setting``
    """
    drawn = list(lines.values()) if isinstance(lines, Mapping) else list(lines)
    styles = line_styles(drawn, over)
    if isinstance(lines, Mapping):
        styles = [(label, colour, dashes) for label, (_, colour, dashes) in zip(lines, styles)]
    for line, (label, colour, dashes) in zip(drawn, styles):
        style = {"color": colour, "linestyle": dashes, "linewidth": 1.5}
        if not line.curves:
            ax.plot([], [], label=f"{label}: no curve found", **style)
        label += "" if line.ok else " (incomplete)"
        for curve in line.curves:
            ax.plot(*curve.points(_FINE).T, label=label, **style)
            label = "_"
            if len(curve.x) < _FEW and np.isnan(curve.interpolation):
                ax.plot(curve.x, curve.y, "o", color=colour, markersize=2.5)
            _band(ax, line, curve, colour)
    _draw_points(ax, drawn, styles)


def _draw_points(ax, lines, styles):
    """Special points: black where those of a kind lie on the same lines, else in the colours of their lines, with their names."""
    spots: dict[str, list[tuple[LinePoint, list[int]]]] = {}
    for i, line in enumerate(lines):
        widths = np.ptp(np.array(line.bounds), axis=1)
        for point in line.points:
            for other, owners in spots.setdefault(point.kind, []):
                if np.hypot((point.x - other.x) / widths[0], (point.y - other.y) / widths[1]) < _VISIBLE:
                    owners.append(i)
                    break
            else:
                spots[point.kind].append((point, [i]))
    for kind, places in spots.items():
        several = len({tuple(sorted(set(owners))) for _, owners in places}) > 1
        words, marker = POINT_STYLES.get(kind, (kind, "."))
        named = set()
        for point, owners in places:
            label, colour = words, BLACK
            if several:
                label = f"{words}: {' and '.join(dict.fromkeys(styles[i][0] for i in owners))}"
                colour = styles[owners[0]][1]
            style = {"marker": marker, "color": colour, "markersize": 4, "linestyle": "none", "zorder": 4}
            ax.plot(point.x, point.y, label="_" if label in named else label, **style)
            named.add(label)


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


def borders(lines: Sequence[CriticalLine]) -> list[tuple[np.ndarray, np.ndarray]]:
    """The curves of lines as (x, y), which go on straight for a while where they leave their bounds: pictures may be wider.

    Parameters
    ----------
    lines : sequence of CriticalLine
    """
    out = []
    for line in lines:
        widths = np.ptp(np.array(line.bounds), axis=1)
        for curve in line.curves:
            points = curve.points(_FINE)
            for end, (last, before) in zip(curve.ends, ((0, 1), (-1, -2))):
                step = points[last] - points[before]
                length = np.hypot(*(step / widths))
                if end.code == "edge" and length > 0:
                    beyond = points[last] + _BEYOND / length * step
                    points = np.vstack([beyond, points] if last == 0 else [points, beyond])
            out.append((points[:, 0], points[:, 1]))
    return out


def name_regions(ax: Axes, regions: Mapping[str, Sequence[float]], lines: Sequence[tuple[Any, Any]]) -> None:
    """Write names into regions, where they are farthest from all lines: a region is what can be reached without crossing a line.

    Names are made smaller or upright where they do not fit. Where two are of one region they stand at their points. They are cut
    off where somebody zooms in, and take no room in a layout.

    Parameters
    ----------
    ax : matplotlib Axes, with its final limits
    regions : mapping {name: (x, y), a point in the region}
    lines : sequence of (x, y) pairs of (n,) arrays

    Raises
    ------
    TypeError, ValueError
        no mapping, a point outside the picture or on a line
    """
    if not regions:
        return
    from matplotlib.patheffects import withStroke

    low, high = np.array([ax.get_xlim(), ax.get_ylim()]).T
    parts = parts_of(walls(lines, low, high, _PIXELS))
    places = {name: np.array(reals(f"regions[{shown(name)}]", point, "x", "y")) for name, point in regions.items()}
    numbers = {name: _number(parts, name, (place - low) / (high - low)) for name, place in places.items()}
    ax.figure.figure.draw_without_rendering()  # type: ignore[union-attr]  # the picture's size in the layout
    for name, place in places.items():
        text = ax.text(float(place[0]), float(place[1]), name, ha="center", va="center", zorder=5, clip_on=True, fontsize=_SIZES[0])
        text.set_in_layout(False)
        text.set_path_effects([withStroke(linewidth=1.5, foreground="white")])  # to be read over dark maps
        if list(numbers.values()).count(numbers[name]) == 1:
            _fit(ax, text, parts == numbers[name], low, high)


def _fit(ax, text, region, low, high):
    """Put a text where a region (n, n) has most room, in the largest size that fits; else in the smallest, within the frame."""
    for rotation in (0, 90):
        for size in _SIZES:
            text.set(fontsize=size, rotation=rotation)
            place, room = _roomiest(region, _size(ax, text))
            text.set_position(low + place * (high - low))
            if room >= _MARGIN:
                return
    text.set(rotation=0)
    size = _size(ax, text)
    place = np.clip(_roomiest(region, size)[0], 0.5 * size, 1.0 - 0.5 * size) if (size < 1.0).all() else np.array([0.5, 0.5])
    text.set_position(low + place * (high - low))


def _size(ax, text):
    """Width and height of a text in parts of the picture (2,)."""
    extent = text.get_window_extent()
    return np.array([extent.width / ax.bbox.width, extent.height / ax.bbox.height])


def _roomiest(region, size):
    """The place (2,) in a region, in parts of the picture, around which an ellipse shaped as a text has most room.

    Also that room: 1 where the corners of the text reach the border. Of several places the most central one.
    """
    from scipy.ndimage import distance_transform_edt

    # the ellipse through the corners of a rectangle has sqrt(2) times its half axes
    room = distance_transform_edt(np.pad(region, 1), sampling=np.sqrt(2.0) / (len(region) * size))[1:-1, 1:-1]
    best = np.argwhere(room >= 0.98 * room.max())
    return (best[np.argmin(np.linalg.norm(best - best.mean(axis=0), axis=1))] + 0.5) / len(region), room.max()


def _number(parts, name, place):
    """The number of the region in which a point (2,) lies, in units of the picture."""
    i, j = np.floor(place * _PIXELS).astype(int)
    if not (0 <= i < _PIXELS and 0 <= j < _PIXELS) or not parts[i, j]:
        raise ValueError(f"regions[{shown(name)}] must be a point within the picture and beside its lines")
    return parts[i, j]
