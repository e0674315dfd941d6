"""What all pictures share: colours, axes, checks of what is drawn.

matplotlib is imported when something is drawn. Colours are the Okabe-Ito set and cividis, which survive colour blindness and grey
printing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..ensemble.hyperparameters import symbol
from ..support.checks import complex_array, shown

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

__all__ = [
    "BLACK",
    "BLUE",
    "COUNT_COLOURS",
    "GREEN",
    "ORANGE",
    "PURPLE",
    "SKY",
    "VERMILLION",
    "YELLOW",
    "axes_or_new",
    "axis_path",
    "axis_symbol",
    "columns_of",
    "draw_circle_whole",
    "draw_cloud",
    "draw_curve",
    "finite_eigenvalues",
    "legend_above",
    "legend_below",
    "legend_beside",
    "legend_of_bars",
    "require_dataset",
    "smooth",
]

#: Okabe and Ito's colours.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
#: Pale areas for numbers of solutions 0, 1, 2, ...: darker with more of them.
COUNT_COLOURS = ("#ffffff", "#e6ecf1", "#b9d9ee", "#f3c26b", "#d9896a", "#b06aa0", "#6b5b95", "#333333")

#: Inches, one column.
_WIDTH = 3.4
#: Size in points of a cloud's dots in a legend: the dots of a large cloud are a pixel wide.
_LEGEND_DOT = 5.0
#: Points of a cloud above which a vector format holds it as pixels.
_RASTER = 5000
#: Inches of a column of a legend above a picture.
_COLUMN = 1.6
#: Inches of a line of a legend.
_ROW = 0.14
#: Characters of a label beyond which two do not fit side by side.
_WIDE = 24
#: Steps between two computed points of a smooth curve, and the number of points above which nobody sees the corners.
_STEPS, _DENSE = 12, 60


def axes_or_new(ax: Axes | None, height: float = 3.0) -> Axes:
    """The given Axes, or those of a new figure of one column's width and this height in inches; TypeError for anything else."""
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=(_WIDTH, height), layout="constrained")
        return ax
    from matplotlib.axes import Axes

    if not isinstance(ax, Axes):
        raise TypeError(f"ax must be a matplotlib Axes, got {shown(ax)}")
    return ax


def require_dataset(dataset: object) -> None:
    """TypeError unless it is an xarray.Dataset, as ``phase_diagram`` returns."""
    import xarray as xr

    if not isinstance(dataset, xr.Dataset):
        raise TypeError(f"dataset must be an xarray.Dataset from phase_diagram, got {type(dataset).__name__}")


def finite_eigenvalues(values: npt.ArrayLike, name: str = "eigenvalues") -> np.ndarray:
    """Eigenvalues of any shape as one line of complex numbers (n,).

    Raises
    ------
    TypeError, ValueError
        no numbers, none at all, or some that are not finite
    """
    array = complex_array(name, values).ravel()
    if array.size == 0:
        raise TypeError(f"{name} must be a non-empty array of numbers, got {shown(values)}")
    return array


def axis_path(coordinate: xr.DataArray) -> str:
    """The path of the hyperparameter along an axis of a phase diagram, such as "gain.h"; its name where it does not say."""
    return str(coordinate.attrs.get("path", coordinate.name))


def axis_symbol(coordinate: xr.DataArray) -> str:
    """The symbol of the hyperparameter along an axis of a phase diagram, in TeX."""
    return str(coordinate.attrs.get("symbol", symbol(axis_path(coordinate))))


def smooth(place: npt.ArrayLike, value: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """A smooth curve through points, for the eye: between two of them it stays between their values, and it breaks at NaN.

    Parameters
    ----------
    place, value : 1-D arrays of equal length
        Where ``place`` does not ascend, or the points are too few or so many that lines between them look smooth, they come back
        as they are.

    Returns
    -------
    place, value : arrays with the points and what lies between them
    marks : list of int
        Which entries are the points that were given, where anything was put between them; else empty.
    """
    place, value = np.asarray(place, dtype=float), np.asarray(value, dtype=float)
    known = np.isfinite(place) & np.isfinite(value)
    if place.size > _DENSE or known.sum() < 3 or not (np.diff(place[known]) > 0).all():
        return place, value, []
    from scipy.interpolate import PchipInterpolator

    pieces, marks, length = [], [], 0
    for run in np.split(np.arange(place.size), np.flatnonzero(np.diff(known)) + 1):
        if not known[run[0]]:
            pieces.append(np.array([[np.nan], [np.nan]]))
        elif run.size == 1:  # nothing to join
            pieces.append(np.array([place[run], value[run]]))
            marks.append(length)
        else:
            fine = np.interp(np.arange(_STEPS * (run.size - 1) + 1) / _STEPS, np.arange(run.size), place[run])
            between = PchipInterpolator(place[run], value[run])(fine)
            between[::_STEPS] = value[run]  # the points themselves, to the last bit
            pieces.append(np.array([fine, between]))
            marks += list(range(length, length + fine.size, _STEPS))
        length += pieces[-1].shape[1]
    curve = np.concatenate(pieces, axis=1)
    return curve[0], curve[1], marks


def draw_curve(ax: Axes, place: npt.ArrayLike, value: npt.ArrayLike, *, upright: bool = False, **style: Any) -> None:
    """A smooth curve through computed points, which are marked where they are few.

    Parameters
    ----------
    ax : matplotlib Axes
    place, value : 1-D arrays, as for :func:`smooth`
    upright : bool, whether ``place`` runs vertically
    style : as for ``ax.plot``
    """
    along, across, marks = smooth(place, value)
    if marks:
        style = {"marker": "o", "markersize": 2.5, "markevery": marks} | style
    ax.plot(*((across, along) if upright else (along, across)), **style)


def draw_cloud(ax: Axes, values: np.ndarray, colour: str, size: float, *, zorder: float, label: str) -> None:
    """Complex numbers (n,) as dots of one colour and size (in points)."""
    style: dict[str, Any] = {"marker": "o", "linestyle": "none", "markeredgewidth": 0.0, "rasterized": values.size > _RASTER}
    ax.plot(values.real, values.imag, color=colour, markersize=size, zorder=zorder, label=label, **style)


def draw_circle_whole(ax: Axes, points: Sequence[np.ndarray]) -> None:
    """The unit circle, all of it within the picture, as are these complex numbers; axes of equal units with their labels.

    Parameters
    ----------
    ax : matplotlib Axes
    points : sequence of complex arrays
    """
    from matplotlib.ticker import MaxNLocator

    theta = np.linspace(0.0, 2.0 * np.pi, 361)
    style: dict[str, Any] = {"color": "0.45", "linewidth": 0.8, "linestyle": (0, (4, 3))}
    ax.plot(np.cos(theta), np.sin(theta), zorder=1, label="unit circle", **style)
    z = np.concatenate([np.ravel(part) for part in points] + [np.array([1.0, -1.0, 1j])])
    left, right, high = z.real.min(), z.real.max(), np.abs(z.imag).max()
    pad = 0.05 * max(right - left, 2.0 * high)
    ax.set_xlim(left - pad, right + pad)
    ax.set_ylim(-high - pad, high + pad)
    ax.set_aspect("equal")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(5))
    ax.set_xlabel(r"$\mathrm{Re}\,\lambda$")
    ax.set_ylabel(r"$\mathrm{Im}\,\lambda$")


def legend_above(ax: Axes, columns: int = 2) -> None:
    """A small legend of what can be seen, above the picture, where it covers nothing, with dots large enough to tell."""
    _legend(ax, _seen(ax), loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=columns)


def legend_of_bars(ax: Axes, columns: int = 2) -> None:
    """A small legend of bars above the picture, where it covers nothing."""
    options: dict[str, Any] = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "borderaxespad": 0.2}
    narrow: dict[str, Any] = {"handlelength": 1.0, "handletextpad": 0.4, "columnspacing": 0.9}
    ax.legend(fontsize="x-small", frameon=False, ncols=columns, **options, **narrow)


def columns_of(ax: Axes) -> int:
    """Columns of a legend above a picture: two in one of a column's width, more in a wider one."""
    width = ax.get_position().width * ax.figure.figure.get_figwidth()  # type: ignore[union-attr]
    return max(2, int(width / _COLUMN))


def legend_below(ax: Axes, grow: bool = False) -> None:
    """A small legend of what can be seen, below the label of the horizontal axis, which has to be there: a title stays free.

    What has a label and no points is named too. ``grow``: the figure becomes as much higher as a long legend needs.
    """
    from matplotlib.transforms import ScaledTranslation

    figure = ax.figure
    # its height in inches is that of the text, whatever the size of the picture
    figure.figure.draw_without_rendering()  # type: ignore[union-attr]
    extent = ax.xaxis.get_tightbbox()
    depth = 0.0 if extent is None else (ax.bbox.y0 - extent.y0) / figure.dpi
    handles = _seen(ax) + [patch for patch in ax.patches if not str(patch.get_label()).startswith("_")]
    columns = 1 if max((len(str(handle.get_label())) for handle in handles), default=0) > _WIDE else 2
    place = ax.transAxes + ScaledTranslation(0.0, -depth, figure.dpi_scale_trans)
    _legend(ax, handles, loc="upper center", bbox_to_anchor=(0.5, 0.0), bbox_transform=place, ncols=columns)
    if grow:
        more = max(0, -(-len(handles) // columns) - 1)
        figure.figure.set_figheight(figure.figure.get_figheight() + _ROW * more)


def _seen(ax):
    """Lines with a label of which something is within the picture, or that have no points at all."""
    (left, right), (bottom, top) = (sorted(limits) for limits in (ax.get_xlim(), ax.get_ylim()))

    def seen(line):
        x, y = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
        return not x.size or bool(np.any((x >= left) & (x <= right) & (y >= bottom) & (y <= top)))

    return [line for line in ax.get_lines() if seen(line) and not str(line.get_label()).startswith("_")]


def _legend(ax, handles, **options):
    if handles:
        legend = ax.legend(handles=handles, fontsize="x-small", frameon=False, borderaxespad=0.2, **options)
        for line in legend.get_lines():
            line.set_markersize(max(line.get_markersize(), _LEGEND_DOT))


def legend_beside(ax: Axes, handles: list[Any] | None = None, gap: float = 0.01) -> None:
    """A small legend to the right of the picture, where it covers nothing: of all that has a label, or of these handles.

    ``gap`` is the distance from it in widths of the picture.
    """
    if handles is None:  # two pictures on one axes: what both show is named once
        named = dict(zip(*reversed(ax.get_legend_handles_labels())))
        handles = list(named.values())
    ax.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(1.0 + gap, 1.0), fontsize="x-small", borderaxespad=0.0, frameon=False
    )
