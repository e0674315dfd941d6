"""What all pictures share: colours, axes, checks of what is drawn.

matplotlib is imported when something is drawn. Colours are the Okabe-Ito set and cividis, which survive colour blindness and grey
printing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
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
    "draw_cloud",
    "finite_eigenvalues",
    "legend_above",
    "legend_beside",
    "require_dataset",
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


def axes_or_new(ax: Axes | None, height: float = 3.0) -> Axes:
    """The given Axes, or those of a new figure of one column's width and this height in inches; TypeError for anything else."""
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=(_WIDTH, height), layout="constrained")
        return ax
    from matplotlib.axes import Axes

    if not isinstance(ax, Axes):
        raise TypeError(f"ax must be a matplotlib Axes, got {ax!r}")
    return ax


def require_dataset(dataset: object) -> None:
    """TypeError unless it is an xarray.Dataset, as ``phase_diagram`` returns."""
    import xarray as xr

    if not isinstance(dataset, xr.Dataset):
        raise TypeError(f"dataset must be an xarray.Dataset from phase_diagram, got {type(dataset).__name__}")


def finite_eigenvalues(values: npt.ArrayLike) -> np.ndarray:
    """Eigenvalues of any shape as one line of complex numbers (n,).

    Raises
    ------
    TypeError, ValueError : no numbers, none at all, or some that are not finite
    """
    array = np.asarray(values)
    if array.dtype.kind not in "iufc" or array.size == 0:
        raise TypeError(f"eigenvalues must be a non-empty array of numbers, got {values!r}")
    if not np.isfinite(array).all():
        raise ValueError("eigenvalues must be finite")
    return array.astype(complex).ravel()


def draw_cloud(ax: Axes, values: np.ndarray, colour: str, size: float, *, zorder: float, label: str) -> None:
    """Complex numbers (n,) as dots of one colour and size (in points)."""
    style: dict[str, Any] = {"marker": "o", "linestyle": "none", "markeredgewidth": 0.0, "rasterized": values.size > _RASTER}
    ax.plot(values.real, values.imag, color=colour, markersize=size, zorder=zorder, label=label, **style)


def legend_above(ax: Axes, columns: int = 2) -> None:
    """A small legend of what can be seen, above the picture, where it covers nothing, with dots large enough to tell."""
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()

    def seen(line):
        x, y = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
        return bool(np.any((x >= left) & (x <= right) & (y >= bottom) & (y <= top)))

    lines = [line for line in ax.get_lines() if seen(line) and not str(line.get_label()).startswith("_")]
    style: dict[str, Any] = {"fontsize": "x-small", "frameon": False, "borderaxespad": 0.2}
    legend = ax.legend(handles=lines, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=columns, **style)
    for line in legend.get_lines():
        line.set_markersize(max(line.get_markersize(), _LEGEND_DOT))


def legend_beside(ax: Axes) -> None:
    """A small legend to the right of the picture, where it covers nothing."""
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), fontsize="x-small", borderaxespad=0.0, frameon=False)
