"""Pictures of moving states of infinite networks [T8]."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ..dynamics.dynamic_mean_field.state import DynamicMeanField
from ..dynamics.two_copies.transient import CorrelationTransient
from ..support.checks import boolean, choice, instance
from .style import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION, axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["COLOURS", "drawn_lags", "labelled", "plot_autocorrelation"]

#: What is drawn.
State = TypeVar("State", DynamicMeanField, CorrelationTransient)

#: Colours of several results, in order.
COLOURS = (VERMILLION, BLUE, GREEN, PURPLE, ORANGE, SKY, BLACK)
#: Correlation times that are shown, and periods of a sinusoidal input.
_TIMES, _PERIODS = 8.0, 3.0
#: Points of a flow's curve; steps of a map up to which they are marked one by one.
_POINTS, _MARKED = 400, 40
#: The part of the largest below which spectra are not shown.
_LEAST = 1e-5
#: The parts of E m^2 from which its error is shown, and what never decays: by paths so much may be noise.
_SEEN, _STAYS = 2e-3, 0.05


def plot_autocorrelation(
    state: DynamicMeanField | Mapping[str, DynamicMeanField],
    message: str | None = None,
    *,
    spectrum: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """E m(t) m(t + lag) of a moving state over the lag, or the spectrum of its fluctuations over angular frequency [T8].

    Parameters
    ----------
    state : DynamicMeanField, or a mapping from labels to several
    message : str, optional
        Name of the message; default: the first of the cell.
    spectrum : bool
        Draw :meth:`DynamicMeanField.power_spectrum` instead, of what moves, without what stays or repeats with a sinusoidal input.
    ax : matplotlib Axes, optional
        Default: a new figure of one column's width.

    Returns
    -------
    matplotlib Axes

    See Also
    --------
    gating_theory.dmft : Makes what is drawn.

    Notes
    -----
    Lags go to eight correlation times of the slowest state, or to the end of the window where correlations do not decay. A dashed
    line is what never decays, from a twentieth of E m^2 on; a bar at lag 0 holds two errors of E m^2 where these are more than a
    few thousandths of it.

    Examples
    --------
    >>> import gating_theory as gt
    >>> state = gt.dmft(gt.Ensemble(gt.Vanilla, gain=2.0))
    >>> ax = gt.plotting.plot_autocorrelation(state)
    """
    several = labelled("state", state, DynamicMeanField, lambda one: "", "dmft", message)
    boolean("spectrum", spectrum)
    ax = axes_or_new(ax, 2.6)
    far = max(map(_shown_lags, several.values()))
    for i, (label, one) in enumerate(several.items()):
        name = message or one.ensemble.cell.message_names[0]
        draw = _draw_spectrum if spectrum else _draw_correlation
        draw(ax, one, name, COLOURS[i % len(COLOURS)], label, far)
    clock = "steps" if all(not one.flow and one.step == 1.0 for one in several.values()) else "units of time"
    ax.set_xlabel("angular frequency" if spectrum else f"lag in {clock}")
    ax.set_ylabel("power spectrum" if spectrum else "autocorrelation")
    ax.set_xlim(left=0.0)
    if any(one.correlations.any() for one in several.values()) and spectrum:
        ax.set_yscale("log")
    if len(several) > 1:
        ax.legend(loc="best", fontsize="small")
    return ax


def labelled(
    argument: str, value: Any, kind: type[State], alone: Callable[[State], str], source: str, message: str | None
) -> dict[str, State]:
    """{label: result} of one result or a mapping from labels to several, checked, and the name of the message with them.

    Parameters
    ----------
    argument : str, what the caller calls it
    value : what was given
    kind : type of the results
    alone : callable(result), the label of one that was given without
    source : str, who makes such results
    message : str or None
    """
    if isinstance(value, kind):
        several = {alone(value): value}
    else:
        items = dict(instance(argument, value, Mapping, f"from labels to results of {source}"))
        if not items:
            raise ValueError(f"{argument} must have at least one entry, got none")
        several = {str(label): instance(argument, one, kind) for label, one in items.items()}
    for one in several.values():
        if message is not None:
            choice("message", message, one.ensemble.cell.message_names)
    return several


def _shown_lags(state):
    """The largest lag that shows how correlations fall."""
    window, time = state.step * (state.correlations.shape[1] - 1), state.correlation_time
    far = _TIMES * max(time, state.step) if np.isfinite(time) else window
    if state.sinusoid is not None:
        far = max(far, _PERIODS * state.sinusoid.period)
    return min(far, window)


def drawn_lags(state: DynamicMeanField, far: float | None = None) -> np.ndarray:
    """Lags from 0 on at which correlations are drawn: the steps of a map, of a flow any.

    Parameters
    ----------
    state : DynamicMeanField
    far : float, optional, the largest; default: eight correlation times, or the window
    """
    steps = int(min((_shown_lags(state) if far is None else far) / state.step + 1e-9, state.correlations.shape[1] - 1))
    return np.linspace(0.0, state.step * steps, _POINTS) if state.flow else state.step * np.arange(steps + 1)


def _draw_correlation(ax, state, name, colour, label, far):
    lags = drawn_lags(state, far)
    place = state.ensemble.cell.message_names.index(name)
    C = state.autocorrelation(lags)["messages"][:, place]
    marked = not state.flow and lags.size <= _MARKED + 1
    ax.plot(lags, C, color=colour, linewidth=1.4, marker="." if marked else None, markersize=4.0, zorder=3, label=label or None)
    if state.frozen[name] > _STAYS * C[0]:
        ax.axhline(state.frozen[name], color=colour, linewidth=0.8, linestyle="--", zorder=2)
    if state.stderr[name] > _SEEN * C[0]:
        ax.errorbar([0.0], C[:1], yerr=2.0 * state.stderr[name], color=colour, linewidth=1.0, capsize=2.0, zorder=4)


def _draw_spectrum(ax, state, name, colour, label, far):
    frequencies, powers = state.power_spectrum()
    power = powers[name]
    seen = power > _LEAST * power.max() if power.any() else np.ones(power.size, dtype=bool)
    # until it has fallen for good: beyond are rounding and the noise of sites
    last = int(np.flatnonzero(seen)[-1]) + 1
    shown = np.where(seen[:last], power[:last], np.nan)
    ax.plot(frequencies[:last], shown, color=colour, linewidth=1.4, zorder=3, label=label or None)
