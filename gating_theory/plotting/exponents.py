"""Pictures of Lyapunov exponents: whole spectra, and exponents in windows of time [T5]."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ..networks.finite_time import FiniteTimeExponents
from ..networks.lyapunov import LyapunovSpectrum
from ..support.checks import boolean, instance, integer
from .style import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION, axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_finite_time_exponents", "plot_lyapunov_spectrum"]

Result = TypeVar("Result", LyapunovSpectrum, FiniteTimeExponents)

#: Colours of several results, in order.
_COLOURS = (VERMILLION, BLUE, GREEN, PURPLE, ORANGE, SKY, BLACK)
#: Exponents up to which each is marked with its error bar; errors of more are a band.
_MARKED = 60
#: Bars of a histogram: as many as the root of the number of windows, within these.
_LEAST_BARS, _MOST_BARS = 5, 40
#: Height of a histogram's axes in units of what they would have.
_ROOM = 1.2


def plot_lyapunov_spectrum(result: LyapunovSpectrum | Mapping[str, LyapunovSpectrum], *, ax: Axes | None = None) -> Axes:
    """Lyapunov exponents in descending order over their index per unit, with errors and the Kaplan-Yorke dimension [T5].

    A dotted line stands at the dimension over N, where it is known and above zero; the line at zero parts what grows from what
    shrinks. Exponents that are -inf are not drawn, and counted in the legend.

    Parameters
    ----------
    result : LyapunovSpectrum, or a mapping from labels to several
    ax : matplotlib Axes, optional
        Default: a new figure of one column's width.

    Returns
    -------
    matplotlib Axes

    See Also
    --------
    gating_theory.lyapunov_spectrum : Makes what is drawn.

    Examples
    --------
    >>> import gating_theory as gt
    >>> ens = gt.Ensemble(gt.GRU, gain={"h": 8})
    >>> net = gt.Network.sample(ens, n_units=20, rng=0)
    >>> ax = gt.plotting.plot_lyapunov_spectrum(
    ...     gt.lyapunov_spectrum(net, n_steps=50, rng=0)
    ... )
    >>> ax.get_xlabel()
    'index / N'
    """
    several = _several(result, LyapunovSpectrum, "lyapunov_spectrum")
    ax = axes_or_new(ax, 2.6)
    ax.axhline(0.0, color="0.7", linewidth=0.7, zorder=1)
    for i, (label, one) in enumerate(several.items()):
        _draw_spectrum(ax, one, _COLOURS[i % len(_COLOURS)], label)
    ax.set_xlim(left=0.0)
    ax.set_xlabel("index / N")
    kind = "conditional " if all(one.driven for one in several.values()) else ""
    ax.set_ylabel(f"{kind}exponent (1/step)")
    if ax.get_legend_handles_labels()[0]:
        ax.legend(loc="best", fontsize="small", frameon=False)
    return ax


def _draw_spectrum(ax, one, colour, label):
    alive = np.isfinite(one.exponents)
    place = (1.0 + np.arange(one.exponents.size))[alive] / one.n_units
    values, errors = one.exponents[alive], one.stderr[alive]
    dead = int((~alive).sum())
    label = ", ".join([*([label] if label else []), *([f"{dead} at $-\\infty$"] if dead else [])])
    if values.size <= _MARKED:
        style: dict[str, Any] = {"marker": "o", "markersize": 2.5, "linewidth": 1.0, "elinewidth": 0.8}
        ax.errorbar(place, values, errors, color=colour, label=label or None, zorder=3, **style)
    else:
        ax.fill_between(place, values - errors, values + errors, color=colour, alpha=0.3, linewidth=0.0, zorder=2)
        ax.plot(place, values, color=colour, linewidth=1.2, label=label or None, zorder=3)
    if np.isfinite(one.dimension) and one.dimension > 0.0:
        text = f"dimension {one.dimension:.3g} = {one.dimension / one.n_units:.3g} N"
        ax.axvline(one.dimension / one.n_units, color=colour, linewidth=0.9, linestyle=":", zorder=2, label=text)


def plot_finite_time_exponents(
    result: FiniteTimeExponents | Mapping[str, FiniteTimeExponents],
    *,
    which: int = 0,
    by_length: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """How an exponent is spread over windows of time: a histogram, or its standard deviation over the length of windows [T5].

    Parameters
    ----------
    result : FiniteTimeExponents, or a mapping from labels to several
    which : int >= 0, the exponent, 0 the largest
    by_length : bool
        Standard deviations over lengths, both logarithmic, with the fall as 1/sqrt(length) of windows that know nothing of one
        another. Otherwise the share of windows, with the mean as a dotted line.
    ax : matplotlib Axes, optional
        Default: a new figure of one column's width.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError, ValueError
        another result, no such exponent, one that is -inf

    See Also
    --------
    gating_theory.finite_time_exponents : Makes what is drawn.

    Examples
    --------
    >>> import gating_theory as gt
    >>> net = gt.Network.sample(gt.Ensemble(gt.Vanilla, gain=2), 20, rng=0)
    >>> ax = gt.plotting.plot_finite_time_exponents(
    ...     gt.finite_time_exponents(net, 5, n_steps=200, rng=1)
    ... )
    >>> ax.get_ylabel()
    'share of windows'
    """
    several = _several(result, FiniteTimeExponents, "finite_time_exponents")
    boolean("by_length", by_length)
    for one in several.values():
        index = integer("which", which, high=one.exponents.size - 1)
        if not np.isfinite(one.exponents[index]):
            raise ValueError(f"which must be an exponent that is finite, {index} is {one.exponents[index]}")
    ax = axes_or_new(ax, 2.6)
    draw = _draw_lengths if by_length else _draw_windows
    draw(ax, several, index)
    if ax.get_legend_handles_labels()[0]:
        ax.legend(loc="best", fontsize="small", frameon=False)
    return ax


def _draw_windows(ax, several, index):
    """Histograms on common bars, in shares of the windows of each."""
    every = np.concatenate([one.windows[:, index] for one in several.values()])
    least = min(one.n_windows for one in several.values())
    low, high = float(every.min()), float(every.max())
    if high - low <= 1e-12 * max(1.0, abs(low)):  # nothing varies
        low, high = low - 0.5e-3, high + 0.5e-3
    bars = np.linspace(low, high, 1 + int(np.clip(np.sqrt(least), _LEAST_BARS, _MOST_BARS)))
    for i, (label, one) in enumerate(several.items()):
        colour, values = _COLOURS[i % len(_COLOURS)], one.windows[:, index]
        share = np.full(values.size, 1.0 / values.size)
        ax.hist(values, bars, weights=share, color=colour, alpha=0.3, zorder=2)
        name = f"{label}, {one.window} steps" if label else f"windows of {one.window} steps"
        ax.hist(values, bars, weights=share, color=colour, histtype="step", linewidth=1.2, zorder=3, label=name)
        ax.axvline(one.exponents[index], color=colour, linewidth=0.9, linestyle=":", zorder=4)
    if ax.get_xlim()[0] < 0.0 < ax.get_xlim()[1]:
        ax.axvline(0.0, color="0.7", linewidth=0.7, zorder=1)
    ax.set_ylim(top=_ROOM * ax.get_ylim()[1])  # for the legend
    ax.set_xlabel("exponent of a window (1/step)")
    ax.set_ylabel("share of windows")


def _draw_lengths(ax, several, index):
    """Standard deviations over lengths, each with the root of the length through its first point."""
    from matplotlib.ticker import LogLocator, NullFormatter

    for i, (label, one) in enumerate(several.items()):
        colour, spread = _COLOURS[i % len(_COLOURS)], one.std_by_length[:, index]
        if not (spread > 0.0).all():
            continue
        ax.plot(one.lengths, spread, color=colour, marker="o", markersize=3.5, linewidth=1.0, zorder=3, label=label or "measured")
        root = spread[0] * np.sqrt(one.lengths[0] / one.lengths)
        ax.plot(
            one.lengths,
            root,
            color=colour,
            linewidth=0.9,
            linestyle="--",
            zorder=2,
            label=r"$1/\sqrt{\rm length}$" if not i else None,
        )
    ax.set_xscale("log")
    ax.set_yscale("log")
    ticks = max((one.lengths for one in several.values()), key=len)
    ax.set_xticks(ticks, [str(tick) for tick in ticks])
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.yaxis.set_major_formatter("{x:g}")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("length of a window (steps)")
    ax.set_ylabel("sd over windows (1/step)")


def _several(result: Result | Mapping[str, Result], kind: type[Result], maker: str) -> dict[str, Result]:
    """Results by their labels, one alone without one."""
    if isinstance(result, kind):
        return {"": result}
    items = dict(instance("result", result, Mapping, f"from labels to results of {maker}"))
    if not items:
        raise ValueError("result must have at least one entry, got none")
    return {str(label): instance("result", one, kind) for label, one in items.items()}
