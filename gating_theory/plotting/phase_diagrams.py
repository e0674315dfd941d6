"""Pictures of phase diagrams: areas, and the critical lines that bound them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..ensemble.hyperparameters import symbol
from ..support.checks import boolean, instance, integers, real_array, shown
from .style import BLACK, BLUE, COUNT_COLOURS, VERMILLION, axes_or_new, require_dataset

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh

__all__ = ["draw_count", "plot_phase_diagram"]

#: Pixels along a side of areas that are cut along lines.
_PIXELS = 400
#: More solutions than any mean field has: beyond it there are no colours.
_MOST = 1000
#: Colour and dashes of critical lines, by what stands before the colon in their names, and of all others.
_STYLES = {"onset": (BLACK, "-"), "fold": (VERMILLION, (0, (4, 1.5)))}
_OTHER_STYLE = (BLUE, ":")


def plot_phase_diagram(
    dataset: xr.Dataset,
    quantity: str = "count",
    *,
    solution: int | None = None,
    lines: str | xr.DataArray | xr.Dataset | Sequence[str | xr.DataArray | xr.Dataset] | None = None,
    colorbar: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """A quantity of a phase diagram over its two axes, with onset and fold lines.

    Parameters
    ----------
    dataset : xarray.Dataset from ``phase_diagram``
        With two axes (or more of which all but two were selected: ``dataset.isel({"gain.z": 0})``). The first is drawn
        horizontally.
    quantity : str
        A variable of the dataset.
    solution : int, optional
        Which solution of quantities that have several, from 0. Default: at each point the last one there is.
    lines : sequence of names, DataArrays or Datasets, optional
        Critical values to draw, each along one of the two axes and a value of the other: variables such as "onset:gain.h"
        of this or of a finer one-dimensional diagram. Default: all that the dataset has, and its tricritical points. ``()`` for
        none.
    colorbar : bool
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError, ValueError
        Not a Dataset, other than two axes, an unknown quantity, a solution that is not there, a line that does not fit.
    """
    require_dataset(dataset)
    boolean("colorbar", colorbar)
    if not isinstance(quantity, str) or quantity not in dataset.data_vars:
        raise ValueError(f"quantity must be a variable of the dataset, {list(dataset.data_vars)}, got {shown(quantity)}")
    values = dataset[quantity]
    if "solution" in values.dims:
        if solution is None:
            last = values.notnull().sum("solution").clip(min=1) - 1
            attributes = values.attrs
            values = values.isel(solution=last).assign_attrs(attributes)
        elif isinstance(solution, bool) or not isinstance(solution, (int, np.integer)) or solution not in values["solution"]:
            raise ValueError(f"solution must be one of {values['solution'].values.tolist()}, got {shown(solution)}")
        else:
            values = values.sel(solution=solution)
    elif solution is not None:
        raise ValueError(f"solution must be None for {quantity!r}, which has none, got {shown(solution)}")
    if values.ndim != 2:
        raise ValueError(f"dataset must have two axes, got {list(values.dims)}: select the others, dataset.isel({{'gain.z': 0}})")
    x, y = map(str, values.dims)
    curves = [_line(item, dataset, (x, y)) for item in _lines(dataset, lines, (x, y))]
    points = [p for source in _sources(dataset, lines) for p in _points(source, (x, y))]

    ax = axes_or_new(ax, 2.6)
    counted = np.issubdtype(values.dtype, np.integer) and "flag_values" not in values.attrs
    if counted:
        cuts = [(horizontal, vertical) for _, _, horizontal, vertical in curves]
        mesh, ticks = draw_count(ax, values[x], values[y], values.transpose(y, x).values, cuts)
    else:
        array = np.ma.masked_invalid(values.transpose(y, x).values.astype(float))
        mesh = ax.pcolormesh(values[x], values[y], array, cmap="cividis", shading="nearest", rasterized=True)
        ticks = None
    if colorbar:
        ax.figure.colorbar(mesh, ax=ax, label=_label(values, quantity), ticks=ticks)
    limits = ax.get_xlim(), ax.get_ylim()
    for kind, name, horizontal, vertical in curves:
        colour, style = _STYLES.get(kind, _OTHER_STYLE)
        ax.plot(horizontal, vertical, color=colour, linestyle=style, linewidth=1.5, label=name)
    for kind, horizontal, vertical in points:
        ax.plot(horizontal, vertical, marker="o", color=BLACK, markersize=5, linestyle="none", label=kind)
    ax.set_xlim(limits[0])
    ax.set_ylim(limits[1])
    ax.set_xlabel(symbol(x))
    ax.set_ylabel(symbol(y))
    if curves or points:
        ax.legend(loc="best", fontsize="small", framealpha=0.9)
    return ax


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
        Curves across which the count changes; one of the two must ascend. Between grid points a pixel takes the count of the
        nearest grid point on its own side of all of them.

    Returns
    -------
    The mesh, and the counts as ticks for a colour bar
    """
    from matplotlib.axes import Axes
    from matplotlib.colors import BoundaryNorm, ListedColormap

    instance("ax", ax, Axes)
    x, y, count = real_array("x", x), real_array("y", y), integers("count", count, low=-_MOST, high=_MOST)
    if x.ndim != 1 or y.ndim != 1 or count.shape != (y.size, x.size) or not count.size:
        raise ValueError(f"count must have shape (ny, nx) of the vectors y and x, got {count.shape}, {y.shape} and {x.shape}")
    if isinstance(lines, (str, bytes)) or not isinstance(lines, Sequence) or any(np.shape(line)[:1] != (2,) for line in lines):
        raise TypeError(f"lines must be a sequence of pairs (horizontal, vertical), got {shown(lines)}")
    low, high = max(0, int(count.min())), max(1, int(count.max()))
    colours = [COUNT_COLOURS[min(i, len(COUNT_COLOURS) - 1)] for i in range(low, high + 1)]
    norm = BoundaryNorm(np.arange(low, high + 2) - 0.5, len(colours))
    if lines and min(x.size, y.size) > 1:
        x, y, count = _cut(x, y, count, lines)
    mesh = ax.pcolormesh(
        x, y, np.ma.masked_less(count, 0), cmap=ListedColormap(colours), norm=norm, shading="nearest", rasterized=True
    )
    return mesh, np.arange(low, high + 1)


def _cut(x, y, count, lines):
    """The count at the pixels of a finer grid over the same area."""
    from scipy.spatial import cKDTree

    def unit(points):
        return (points - [x[0], y[0]]) / [x[-1] - x[0], y[-1] - y[0]]

    def sides(points):
        return np.array([_side(points, *line) for line in lines]).T

    fine = [_pixels(v) for v in (x, y)]
    coarse_points, points = (np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2) for axes in ((x, y), fine))
    coarse_sides, fine_sides = sides(coarse_points), sides(points)
    nearest = cKDTree(unit(coarse_points)).query(unit(points))[1]  # for areas too thin to hold a grid point
    for side in np.unique(fine_sides, axis=0):
        here, there = (fine_sides == side).all(axis=1), np.flatnonzero((coarse_sides == side).all(axis=1))
        if there.size:
            nearest[here] = there[cKDTree(unit(coarse_points[there])).query(unit(points[here]))[1]]
    return *fine, count.ravel()[nearest].reshape(fine[1].size, fine[0].size)


def _pixels(values):
    """Centres of pixels that cover the cells around ascending values."""
    low, high = values[0] - 0.5 * (values[1] - values[0]), values[-1] + 0.5 * (values[-1] - values[-2])
    return low + (high - low) * (np.arange(_PIXELS) + 0.5) / _PIXELS


def _side(points, horizontal, vertical):
    """Whether points (n, 2) lie above (1), below or on (0) a line; -1 beyond its ends."""
    finite = np.isfinite(horizontal) & np.isfinite(vertical)
    horizontal, vertical = np.asarray(horizontal)[finite], np.asarray(vertical)[finite]
    along, across = (0, 1) if np.all(np.diff(horizontal) >= 0) else (1, 0)
    place, value = (horizontal, vertical) if along == 0 else (vertical, horizontal)
    if place.size == 0:
        return np.full(len(points), -1)
    out = (points[:, across] > np.interp(points[:, along], place, value)).astype(int)
    pad = 1.01 * np.max(np.diff(place), initial=0.0)  # half a cell beyond the grid's own ends is still beside the line
    out[(points[:, along] < place[0] - pad) | (points[:, along] > place[-1] + pad)] = -1
    return out


def _label(values, quantity):
    """A colour bar's label that fits beside a small picture."""
    if "short_name" in values.attrs:
        return values.attrs["short_name"]
    if "symbol" in values.attrs:
        return f"{quantity.partition(':')[0]} {values.attrs['symbol']}"
    return quantity


def _is_line(array, axes):
    path = array.attrs.get("path")
    return array.ndim == 1 and {array.dims[0], path} == set(axes)


def _sources(dataset, lines):
    """The Datasets whose critical points are drawn."""
    import xarray as xr

    if lines is None:
        return [dataset]
    return [item for item in _listed(lines) if isinstance(item, xr.Dataset)]


def _listed(lines):
    import xarray as xr

    if isinstance(lines, (str, xr.DataArray, xr.Dataset)):
        return [lines]
    if isinstance(lines, bytes) or not isinstance(lines, Sequence):
        raise TypeError(f"lines must be a sequence of names, DataArrays or Datasets, got {shown(lines)}")
    return lines


def _points(dataset, axes):
    """(kind, horizontal, vertical) of critical values that come with a second coordinate, such as tricritical points."""
    out = []
    for name, value in dataset.data_vars.items():
        paths = value.attrs.get("path"), value.attrs.get("other_path")
        if value.ndim == 0 and set(paths) == set(axes):
            place = {paths[0]: float(value), paths[1]: float(dataset[value.attrs["other_value"]])}
            out.append((str(name).partition(":")[0], place[axes[0]], place[axes[1]]))
    return out


def _lines(dataset, lines, axes):
    import xarray as xr

    if lines is None:
        return [dataset[name] for name in dataset.data_vars if "path" in dataset[name].attrs and _is_line(dataset[name], axes)]
    out = []
    for item in _listed(lines):
        if isinstance(item, xr.Dataset):
            out += [item[name] for name in item.data_vars if "path" in item[name].attrs and _is_line(item[name], axes)]
        else:
            out.append(item)
    return out


def _line(item, dataset, axes):
    import xarray as xr

    if isinstance(item, str):
        if item not in dataset.data_vars:
            raise ValueError(f"lines has the unknown entry {item!r}; the dataset has {list(dataset.data_vars)}")
        item = dataset[item]
    if not isinstance(item, xr.DataArray):
        raise TypeError(f"lines must hold names, DataArrays or Datasets, got {shown(item)}")
    if not _is_line(item, axes):
        raise ValueError(
            f"lines: {item.name!r} runs along {list(item.dims)} and gives {item.attrs.get('path')!r}; "
            f"a line in this diagram runs along one of {list(axes)} and gives the other"
        )
    along, value = item[item.dims[0]].values, item.values
    kind = str(item.name).partition(":")[0]
    return (kind, kind, along, value) if item.dims[0] == axes[0] else (kind, kind, value, along)
