"""Pictures of copies of one network [T8b]."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..dynamics.two_copies.pair_state import PairState
from ..dynamics.two_copies.transient import CorrelationTransient
from ..support.checks import choice, instance
from .moving_states import COLOURS, drawn_lags, labelled
from .style import BLACK, VERMILLION, axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_correlation_transient", "plot_pair"]

#: Lines by how weights come about.
_DASHES = {True: "-", False: "--"}
#: Errors of c* from which a bar is drawn.
_SEEN = 2e-3


def plot_correlation_transient(
    transient: CorrelationTransient | Mapping[str, CorrelationTransient], message: str | None = None, *, ax: Axes | None = None
) -> Axes:
    """The correlation of two copies over steps, with a band of two standard errors where networks were sampled [T8b].

    Parameters
    ----------
    transient : CorrelationTransient, or a mapping from labels to several
        Untied weights are dashed.
    message : str, optional
        Name of the message; default: the first of the cell.
    ax : matplotlib Axes, optional
        Default: a new figure of one column's width.

    Returns
    -------
    matplotlib Axes

    See Also
    --------
    gating_theory.correlation_transient : Makes what is drawn.

    Examples
    --------
    >>> import gating_theory as gt
    >>> transient = gt.correlation_transient(
    ...     gt.Ensemble(gt.Vanilla, gain=2.0), 10, 0.5
    ... )
    >>> ax = gt.plotting.plot_correlation_transient(transient)
    """
    several = labelled("transient", transient, CorrelationTransient, _weights, "correlation_transient", message)
    ax = axes_or_new(ax, 2.6)
    ax.axhline(0.0, color="0.7", linewidth=0.7, zorder=1)
    for i, (label, one) in enumerate(several.items()):
        name, colour = message or one.ensemble.cell.message_names[0], COLOURS[i % len(COLOURS)]
        c, error = one.correlation[name], one.stderr[name]
        ax.plot(one.times, c, color=colour, linestyle=_DASHES[one.tied], linewidth=1.4, zorder=3, label=label)
        if error.any():
            ax.fill_between(one.times, c - 2.0 * error, c + 2.0 * error, color=colour, alpha=0.2, linewidth=0.0, zorder=2)
    ax.locator_params(axis="x", integer=True)
    ax.set_xlabel("steps")
    ax.set_ylabel("correlation of two copies")
    ax.legend(loc="best", fontsize="small")
    return ax


def plot_pair(pair: PairState, message: str | None = None, *, ax: Axes | None = None) -> Axes:
    """E m^1(t) m^2(t + lag) / E m^2 of two copies over the lag, beside that of one copy; the title tells the verdict [T8b].

    Parameters
    ----------
    pair : PairState
    message : str, optional
        Name of the message; default: the first of the cell.
    ax : matplotlib Axes, optional
        Default: a new figure of one column's width.

    Returns
    -------
    matplotlib Axes

    See Also
    --------
    gating_theory.dmft : Makes what is drawn, with ``replicas=2``.

    Notes
    -----
    Lags are those of :func:`plot_autocorrelation`. A bar at lag 0 holds two errors of c* where these are seen. Where messages
    vanish nothing is drawn.

    Examples
    --------
    >>> import gating_theory as gt
    >>> pair = gt.dmft(gt.Ensemble(gt.Vanilla, gain=2.0), replicas=2)
    >>> ax = gt.plotting.plot_pair(pair)
    """
    one, names = instance("pair", pair, PairState).copy, pair.ensemble.cell.message_names
    name = names[0] if message is None else choice("message", message, names)
    ax, lags, place = axes_or_new(ax, 2.6), drawn_lags(one), names.index(name)
    ax.axhline(0.0, color="0.7", linewidth=0.7, zorder=1)
    title = pair.verdict.replace("_", " ")
    if one.moments[name] > 0.0:
        alone, between = one.autocorrelation(lags), pair.cross_correlation(lags)
        size = alone["messages"][0, place]
        ax.plot(lags, alone["messages"][:, place] / size, "--", color=BLACK, linewidth=1.0, label="one copy")
        ax.plot(lags, between["messages"][:, place] / size, color=VERMILLION, linewidth=1.4, label="two copies")
        if pair.stderr[name] > _SEEN:
            ax.errorbar([0.0], [pair.correlation[name]], 2.0 * pair.stderr[name], color=VERMILLION, linewidth=1.0, capsize=2.0)
        ax.legend(loc="best", fontsize="small")
        title += f", c* = {round(pair.correlation[name], 3) + 0.0:.3f}"
    ax.set_title(title, fontsize="small")
    ax.set_xlabel(f"lag in {'steps' if not one.flow and one.step == 1.0 else 'units of time'}")
    ax.set_ylabel("correlation")
    ax.set_xlim(left=0.0)
    return ax


def _weights(transient):
    return f"{'tied' if transient.tied else 'untied'} weights"
