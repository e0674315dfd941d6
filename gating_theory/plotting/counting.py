"""Pictures of numbers of fixed points: the complexity, with counted rates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy.typing as npt

from ..support.checks import instance, real_numbers, several, shown
from .style import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION, axes_or_new, axis_symbol, draw_curve, require_dataset

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

__all__ = ["plot_complexity"]


def plot_complexity(
    dataset: xr.Dataset,
    *,
    counts: Mapping[float | None, tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike]] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """The annealed complexity along one hyperparameter, a curve for each value of a second one, with counted rates if given.

    Parameters
    ----------
    dataset : xarray.Dataset from ``phase_diagram`` with the quantity "complexity"
        With one axis, or two: the first is drawn horizontally, each value of the second is a curve.
    counts : mapping, optional
        Rates from enumerated networks: value of the second axis (None where there is one axis only) to (x, rate,
        standard error), 1-D arrays of equal length; drawn as points with bars in the curve's colour.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError, ValueError
        not a Dataset, no complexity in it, other than one or two axes, counts of values that are not there

    See Also
    --------
    gating_theory.complexity : What is drawn.
    gating_theory.phase_diagram : Makes the data.

    Examples
    --------
    >>> import gating_theory as gt
    >>> ens, axes = gt.Ensemble(gt.Vanilla), {"gain.h": [0.5, 1.5, 2.0]}
    >>> data = gt.phase_diagram(ens, axes, ["complexity"])
    >>> ax = gt.plotting.plot_complexity(data)
    """
    require_dataset(dataset)
    if "complexity" not in dataset.data_vars:
        raise ValueError(f"dataset must hold 'complexity', got {list(dataset.data_vars)}: ask phase_diagram for it")
    values = dataset["complexity"]
    if values.ndim not in (1, 2):
        raise ValueError(f"dataset must have one or two axes, got {list(values.dims)}: select the others")
    x, *others = map(str, values.dims)
    second = others[0] if others else None
    at = [None] if second is None else [float(v) for v in values[second].values]
    counted = {} if counts is None else _counted(counts, at)
    ax = axes_or_new(ax, 2.6)
    colours = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY, BLACK)
    for i, value in enumerate(at):
        colour = colours[i % len(colours)]
        curve = values if second is None else values.sel({second: value})
        label = None if second is None else f"{axis_symbol(values[second])} = {value:g}"
        draw_curve(ax, values[x].values, curve.values, color=colour, linewidth=1.4, label=label)
        if value in counted:
            place, rate, error = counted[value]
            ax.errorbar(place, rate, error, color=colour, linestyle="none", marker="o", markersize=3.5, capsize=2, linewidth=1.0)
    ax.axhline(0.0, color="0.6", linewidth=0.6, zorder=0)
    ax.set_xlabel(axis_symbol(values[x]))
    ax.set_ylabel(r"complexity $\Sigma$")
    if second is not None:
        ax.legend(loc="best", fontsize="small", framealpha=0.9)
    return ax


def _counted(counts, at):
    """{value: (x, rate, error)} of the curves at these values, as arrays."""
    found = {}
    for value, rows in instance("counts", counts, Mapping, "from values to (x, rate, error)").items():
        if value not in at:
            raise ValueError(f"counts has the unknown value {shown(value)}; the curves are those of {at}")
        arrays = [real_numbers(f"counts[{value}]", row) for row in several(f"counts[{value}]", rows, object, "x, rate and error")]
        if len(arrays) != 3 or any(a.ndim != 1 or a.shape != arrays[0].shape for a in arrays):
            raise ValueError(f"counts[{value}] must be (x, rate, error), three vectors of one length, got {shown(rows)}")
        found[value] = arrays
    return found
