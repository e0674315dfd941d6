"""Pictures of phase diagrams: areas, and the critical lines that bound them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from ..ensemble.hyperparameters import symbol
from ..lines.line import CriticalLine
from ..support.checks import boolean, instance, integers, real_array, shown
from .line_labels import fits, map_setting, require_same_cell
from .lines import LINE_STYLES, borders, critical_lines, draw_critical_lines, name_regions, other_styles
from .raster import reached_first, walls
from .style import (
    BLACK,
    COUNT_COLOURS,
    axes_or_new,
    axis_path,
    axis_symbol,
    draw_curve,
    legend_below,
    require_dataset,
    smooth,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh

    Line = CriticalLine | xr.DataArray | xr.Dataset
    #: Lines by their labels.
    Labelled = dict[str, CriticalLine]

__all__ = ["draw_count", "plot_phase_diagram"]

#: Pixels along a side of areas that are cut along lines.
_PIXELS = 400
#: More solutions than any mean field has: beyond it there are no colours.
_MOST = 1000
#: Lines across which the number of solutions changes.
_BOUNDS = ("onset", "fold")
#: Why a critical value is missing, by the code of its status, as it is said in a legend.
_MISSING = {"none_within_bounds": "none", "not_defined_here": "undefined", "not_converged": "failed"}
#: What is drawn where a part of the picture holds no point of the grid.
_UNKNOWN: dict[str, Any] = {"facecolor": "none", "edgecolor": "0.4", "linewidth": 0.0, "hatch": "////", "label": "no grid point"}
#: A colour bar's share of the picture's width, and its distance.
_BAR: dict[str, Any] = {"fraction": 0.045, "pad": 0.02, "aspect": 30}


def plot_phase_diagram(
    dataset: xr.Dataset | CriticalLine | Sequence[CriticalLine] | Labelled,
    quantity: str | None = None,
    *,
    solution: int | None = None,
    lines: str | Line | Sequence[str | Line] | Labelled | None = None,
    regions: Mapping[str, Sequence[float]] | None = None,
    colorbar: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """A quantity of a phase diagram over its two axes, with its critical lines; or critical lines alone.

    Critical lines are drawn as they were computed, with symbols for their special points, and bands where their errors can be seen.
    The legend says of which state a quantity is, and what differs between lines alike, or between a line and the map below it.
    Lines of datasets are smooth curves through the computed points, which are marked where they are few; where a value is missing a
    line breaks, and the legend says how often and why. A value with a standard error (chaos) has a band of that width.

    Parameters
    ----------
    dataset : xarray.Dataset from ``phase_diagram``, or lines from ``critical_line``
        A dataset with two axes (or more of which all but two were selected: ``dataset.isel(gain_z=0)``). The first is drawn
        horizontally. Lines alone are drawn within their bounds; ``{label: line}`` gives them labels of your own.
    quantity : str, optional
        A variable of the dataset. Default: "count", the number of fixed points.
    solution : int, optional
        Which solution of quantities that have several, from 0. Default: at each point the last one there is.
    lines : sequence of CriticalLines, names, DataArrays or Datasets, optional
        Critical lines in the plane of the two axes; or critical values, each along one of the two axes and a value of the other:
        variables such as "onset:gain.h" of this or of a finer one-dimensional diagram. Default: all that the dataset has, and its
        tricritical points. ``()`` for none. ``{label: line}`` gives CriticalLines labels of your own. A DataArray comes without its
        errors and without the reason why values are missing.
    regions : mapping {name: (x, y)}, optional
        Names to write into regions, each with a point of it: as far as can be from all lines.
    colorbar : bool
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError, ValueError
        Not a Dataset, other than two axes, an unknown quantity, a solution that is not there, a line that does not fit or is of
        another cell.

    See Also
    --------
    gating_theory.phase_diagram : Makes the data.
    gating_theory.critical_line : Makes lines.

    Examples
    --------
    >>> import gating_theory as gt
    >>> axes = {"gain.r": [0, 4], "gain.h": [1.0, 3.0]}
    >>> quantities = ["count", "onset:gain.h"]
    >>> data = gt.phase_diagram(gt.Ensemble(gt.GRU), axes, quantities)
    >>> ax = gt.plotting.plot_phase_diagram(data, "count")
    >>> ax.get_xlabel()
    '$a_{r}$'
    """
    boolean("colorbar", colorbar)
    names = {} if regions is None else instance("regions", regions, Mapping, "from names to points (x, y)")
    if isinstance(dataset, (CriticalLine, list, tuple, dict)):
        if lines is not None:
            raise ValueError(f"lines must be None where lines are drawn alone, got {shown(lines)}")
        return _lines_alone(critical_lines("dataset", dataset), names, ax)
    require_dataset(dataset)
    dataset = cast("xr.Dataset", dataset)
    if quantity is None and "count" not in dataset.data_vars:
        raise ValueError(f"quantity must be given, a variable of the dataset, {list(dataset.data_vars)}: it has no 'count'")
    quantity = "count" if quantity is None else quantity
    if not isinstance(quantity, str) or quantity not in dataset.data_vars:
        raise ValueError(f"quantity must be a variable of the dataset, {list(dataset.data_vars)}, got {shown(quantity)}")
    values = _of_solution(dataset[quantity], quantity, solution)
    if values.ndim != 2:
        raise ValueError(f"dataset must have two axes, got {list(values.dims)}: select the others, dataset.isel(gain_z=0)")
    x, y = map(str, values.dims)
    paths = axis_path(values[x]), axis_path(values[y])
    drawn, lines = _parted(lines, paths)
    over = map_setting(dataset)
    require_same_cell(_plain(drawn), over)
    curves = [_curve(item, source, paths) for item, source in _lines(dataset, lines, paths)]
    points = [p for source in _sources(dataset, lines) for p in _points(source, paths)]

    own, ax = ax is None, axes_or_new(ax, 2.6)
    counted = np.issubdtype(values.dtype, np.integer) and "flag_values" not in values.attrs
    if counted:
        cuts = [curve.cut for curve in curves if curve.kind in _BOUNDS]
        cuts += borders([line for line in _plain(drawn) if line.quantity in _BOUNDS and fits(line, over)])
        mesh, ticks = draw_count(ax, values[x], values[y], values.transpose(y, x).values, cuts)
    else:
        array = np.ma.masked_invalid(values.transpose(y, x).values.astype(float))
        mesh = ax.pcolormesh(values[x], values[y], array, cmap="cividis", shading="nearest", rasterized=True)
        ticks = None
    if colorbar:
        bar = ax.figure.colorbar(mesh, ax=ax, ticks=ticks, **_BAR)
        bar.set_label(_label(values, quantity), fontsize="small")
        bar.ax.tick_params(labelsize="small")
    limits = (
        (ax.get_xlim(), ax.get_ylim()) if min(values.shape) < 2 or not (curves or drawn) else (_ends(values[x]), _ends(values[y]))
    )
    others = other_styles()
    for curve in curves:
        curve.draw(ax, *LINE_STYLES.get(curve.kind, ())[1:] or next(others))
    for kind, horizontal, vertical in points:
        ax.plot(horizontal, vertical, marker="D", color=BLACK, markersize=4, linestyle="none", label=f"{kind} point")
    draw_critical_lines(ax, drawn, over)
    ax.set_xlim(limits[0])
    ax.set_ylim(limits[1])
    ax.set_xlabel(axis_symbol(values[x]))
    ax.set_ylabel(axis_symbol(values[y]))
    if drawn:  # longer curves leave no corner free
        legend_below(ax, grow=own)
    elif curves or points:
        ax.legend(handles=ax.get_lines() + list(ax.patches), loc="best", fontsize="x-small", framealpha=0.9)
    name_regions(ax, names, [curve.cut for curve in curves] + borders(_plain(drawn)))
    return ax


def _lines_alone(lines, regions, ax):
    """Lines within their bounds."""
    own, ax = ax is None, axes_or_new(ax, 2.6)
    draw_critical_lines(ax, lines)
    lines = _plain(lines)
    ax.set_xlim(min(line.bounds[0][0] for line in lines), max(line.bounds[0][1] for line in lines))
    ax.set_ylim(min(line.bounds[1][0] for line in lines), max(line.bounds[1][1] for line in lines))
    ax.set_xlabel(lines[0].symbols[0])
    ax.set_ylabel(lines[0].symbols[1])
    legend_below(ax, grow=own)
    name_regions(ax, regions, borders(lines))
    return ax


def _parted(lines, paths):
    """Critical lines among what is to be drawn, and the rest of it, None where all that the dataset has is meant."""
    if lines is None:
        return [], None
    named = isinstance(lines, dict)
    listed = critical_lines("lines", lines) if named else _listed(lines)
    drawn = listed if named else [line for line in listed if isinstance(line, CriticalLine)]
    for line in _plain(drawn):
        if line.paths != paths:
            raise ValueError(f"lines: {line.name!r} runs along {line.paths}; a line in this diagram runs along {paths}")
    return drawn, [line for line in _plain(listed) if not isinstance(line, CriticalLine)]


def _plain(lines):
    """Lines without their labels."""
    return list(lines.values()) if isinstance(lines, dict) else lines


def _ends(axis):
    """The first and last value of an axis: lines are known up to there, not to the far borders of the pixels around these."""
    return float(axis[0]), float(axis[-1])


def _of_solution(values, quantity, solution):
    """A quantity of one of the solutions, or of the last one at each point."""
    if "solution" not in values.dims:
        if solution is not None:
            raise ValueError(f"solution must be None for {quantity!r}, which has none, got {shown(solution)}")
        return values
    if solution is None:
        last = values.notnull().sum("solution").clip(min=1) - 1
        return values.isel(solution=last).assign_attrs(values.attrs)
    if isinstance(solution, bool) or not isinstance(solution, (int, np.integer)) or solution not in values["solution"]:
        raise ValueError(f"solution must be one of {values['solution'].values.tolist()}, got {shown(solution)}")
    return values.sel(solution=solution)


def draw_count(
    ax: Axes, x: npt.ArrayLike, y: npt.ArrayLike, count: npt.ArrayLike, lines: Sequence[tuple[npt.ArrayLike, npt.ArrayLike]] = ()
) -> tuple[QuadMesh, np.ndarray]:
    """Numbers of solutions on a grid as areas of colour, cut along critical lines instead of in steps.

    Parameters
    ----------
    ax : matplotlib Axes
    x, y : 1-D arrays (nx,), (ny,), ascending
    count : int array (ny, nx)
        Points with a negative one, which did not converge, stay blank.
    lines : sequence of (horizontal, vertical) pairs of 1-D arrays
        Curves across which the count changes: any, also closed ones, broken at NaN. Where a coordinate ascends they are taken to be
        smooth between the points given. Between grid points a pixel takes the count of the grid point that is reached first
        without crossing one of them. A part without a grid point is hatched: its count is not known.

    Returns
    -------
    The mesh, and the counts as ticks for a colour bar

    See Also
    --------
    gating_theory.plotting.plot_phase_diagram : Draws it with axes and lines.

    Examples
    --------
    >>> import gating_theory as gt
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> x, y = np.linspace(-1, 1, 5), np.linspace(0, 1, 4)
    >>> count = np.where(y[:, None] > 0.5, 3, 1) * np.ones(5, int)
    >>> mesh, ticks = gt.plotting.draw_count(
    ...     Figure().subplots(), x, y, count, [(x, np.full(5, 0.5))]
    ... )
    >>> ticks
    array([1, 2, 3])
    """
    from matplotlib.axes import Axes
    from matplotlib.colors import BoundaryNorm, ListedColormap

    instance("ax", ax, Axes)
    x, y, count = real_array("x", x), real_array("y", y), integers("count", count, low=-_MOST, high=_MOST)
    if x.ndim != 1 or y.ndim != 1 or count.shape != (y.size, x.size) or not count.size:
        raise ValueError(f"count must have shape (ny, nx) of the vectors y and x, got {count.shape}, {y.shape} and {x.shape}")
    if isinstance(lines, (str, bytes)) or not isinstance(lines, Sequence) or any(np.shape(cast(Any, p))[:1] != (2,) for p in lines):
        raise TypeError(f"lines must be a sequence of pairs (horizontal, vertical), got {shown(lines)}")
    low, high = max(0, int(count.min())), max(1, int(count.max()))
    colours = [COUNT_COLOURS[min(i, len(COUNT_COLOURS) - 1)] for i in range(low, high + 1)]
    norm = BoundaryNorm(np.arange(low, high + 2) - 0.5, len(colours))
    unknown = None
    if lines and min(x.size, y.size) > 1:
        x, y, count, unknown = _cut(x, y, count, lines)
    mesh = ax.pcolormesh(
        x, y, np.ma.masked_less(count, 0), cmap=ListedColormap(colours), norm=norm, shading="nearest", rasterized=True
    )
    if unknown is not None and unknown.any():
        ax.contourf(x, y, unknown, levels=[0.5, 1.5], colors="none", hatches=[_UNKNOWN["hatch"]])
        ax.fill([], [], **_UNKNOWN)
    return mesh, np.arange(low, high + 1)


def _cut(x, y, count, lines):
    """The count at the pixels of a finer grid over the same area, and in which of them nothing is known."""
    low, high = np.array([x[0], y[0]]), np.array([x[-1], y[-1]])
    fine = [a + (b - a) * (np.arange(_PIXELS) + 0.5) / _PIXELS for a, b in zip(low, high)]
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    places = np.clip(((points - low) / (high - low) * _PIXELS).astype(int), 0, _PIXELS - 1)
    nearest = reached_first(walls([_through(*line) for line in lines], low, high, _PIXELS), places).T
    return *fine, np.where(nearest < 0, -1, count.ravel()[nearest]), nearest < 0


def _through(horizontal, vertical):
    """A smooth curve through points, whichever of their coordinates ascends; other curves as they are."""
    horizontal, vertical = np.asarray(horizontal, dtype=float), np.asarray(vertical, dtype=float)
    known = np.isfinite(horizontal) & np.isfinite(vertical)
    if (np.diff(horizontal[known]) > 0).all():
        return smooth(horizontal, vertical)[:2]
    return smooth(vertical, horizontal)[1::-1]


def _label(values, quantity):
    """A colour bar's label that fits beside a small picture."""
    if "short_name" in values.attrs:
        return values.attrs["short_name"]
    if "symbol" in values.attrs:
        return f"{quantity.partition(':')[0]} {values.attrs['symbol']}"
    # "singular:largest" in words
    return values.attrs.get("long_name", quantity) if ":" in quantity else quantity


@dataclass(frozen=True)
class _Curve:
    """A critical line of a diagram: values of one hyperparameter along another one."""

    kind: str
    label: str
    place: np.ndarray
    value: np.ndarray
    error: np.ndarray | None
    upright: bool

    @property
    def cut(self):
        """(horizontal, vertical) of the curve, for areas."""
        place, value, _ = smooth(self.place, self.value)
        return (value, place) if self.upright else (place, value)

    def draw(self, ax, colour, dashes):
        style = {"color": colour, "linestyle": dashes, "linewidth": 1.5, "label": self.label}
        draw_curve(ax, self.place, self.value, upright=self.upright, **style)
        if self.error is not None:
            fill = ax.fill_betweenx if self.upright else ax.fill_between
            (along, low, _), (_, high, _) = (smooth(self.place, self.value + sign * self.error) for sign in (-1, 1))
            fill(along, low, high, color=colour, alpha=0.2, linewidth=0.0)


def _curve(item, source, paths):
    """The _Curve of a DataArray; ``source`` is the Dataset that it comes from, or None."""
    along = item[item.dims[0]]
    kind, _, rest = str(item.name).partition(":")
    words = LINE_STYLES[kind][0] if kind in LINE_STYLES else kind.replace("_", " ")
    label = f"{words}, {item.attrs.get('symbol', symbol(item.attrs['path']))}"
    missing = int(item.isnull().sum())
    if missing:
        why = _reasons(source, f"{kind}_status:{rest}") or f"{missing} missing"
        label += f"\n({why} of {item.size})"
    error = None if source is None else source.get(item.attrs.get("error_variable"))
    error = None if error is None else error.values
    return _Curve(kind, label, along.values, item.values, error, axis_path(along) == paths[1])


def _reasons(source, name):
    """Why values are missing, such as "none at 2, failed at 1"; empty where that is not known."""
    if source is None or name not in source.data_vars:
        return ""
    codes = source[name].attrs["flag_meanings"].split()
    found = [codes[i] for i in source[name].values.ravel()]
    return ", ".join(f"{words} at {found.count(code)}" for code, words in _MISSING.items() if code in found)


def _sources(dataset, lines):
    """The Datasets whose critical points are drawn."""
    import xarray as xr

    if lines is None:
        return [dataset]
    return [item for item in _listed(lines) if isinstance(item, xr.Dataset)]


def _listed(lines):
    import xarray as xr

    if isinstance(lines, (str, xr.DataArray, xr.Dataset, CriticalLine)):
        return [lines]
    if isinstance(lines, bytes) or not isinstance(lines, Sequence):
        raise TypeError(f"lines must be a sequence of CriticalLines, names, DataArrays or Datasets, got {shown(lines)}")
    return lines


def _points(dataset, paths):
    """(kind, horizontal, vertical) of critical values that come with a second coordinate, such as tricritical points."""
    out = []
    for name, value in dataset.data_vars.items():
        own = value.attrs.get("path"), value.attrs.get("other_path")
        if value.ndim == 0 and set(own) == set(paths):
            place = {own[0]: float(value), own[1]: float(dataset[value.attrs["other_value"]])}
            out.append((str(name).partition(":")[0], place[paths[0]], place[paths[1]]))
    return out


def _lines(dataset, lines, paths):
    """(DataArray, the Dataset that it comes from or None) for each line to draw, checked."""
    import xarray as xr

    if lines is None:
        return _lines_of(dataset, paths)
    out = []
    for item in _listed(lines):
        if isinstance(item, xr.Dataset):
            out += _lines_of(item, paths)
        elif isinstance(item, str):
            if item not in dataset.data_vars:
                raise ValueError(f"lines has the unknown entry {shown(item)}; the dataset has {list(dataset.data_vars)}")
            out.append((_fitting(dataset[item], paths), dataset))
        elif isinstance(item, xr.DataArray):
            out.append((_fitting(item, paths), None))
        else:
            raise TypeError(f"lines must hold CriticalLines, names, DataArrays or Datasets, got {shown(item)}")
    return out


def _lines_of(dataset, paths):
    return [(array, dataset) for array in dataset.data_vars.values() if _is_line(array, paths)]


def _is_line(array, paths):
    return "path" in array.attrs and array.ndim == 1 and {axis_path(array[array.dims[0]]), array.attrs["path"]} == set(paths)


def _fitting(item, paths):
    if not _is_line(item, paths):
        raise ValueError(
            f"lines: {item.name!r} runs along {[axis_path(item[d]) for d in item.dims]} and gives {item.attrs.get('path')!r}; "
            f"a line in this diagram runs along one of {list(paths)} and gives the other"
        )
    return item
