"""Pictures of the modes of given networks: what kind each is, and what it consists of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..spectrum.spectrum import Spectrum
from ..support.checks import instance, integer, shown
from ..training.diagnosis import Diagnosis
from ..training.modes import KINDS, Modes
from .style import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    YELLOW,
    axes_or_new,
    columns_of,
    draw_circle_whole,
    legend_above,
    legend_of_bars,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_kinds", "draw_modes", "plot_mode_shares", "plot_modes"]

#: How modes of a kind look: colour, marker, size in points.
_STYLES: dict[str, tuple[str, str, float]] = {
    "bulk": (SKY, "o", 2.8),
    "leak": (GREEN, "s", 3.5),
    "random": (ORANGE, "^", 4.5),
    "learned": (VERMILLION, "o", 4.5),
}
#: Points in a picture above which they are smaller.
_MANY = 500
#: Points of a kind above which a vector format holds them as pixels.
_RASTER = 5000
#: Colours of parts: of leaks, of random weights, of what is learned field by field.
_LEAK, _RANDOM, _LEARNED = "0.8", "0.5", (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, YELLOW)
#: Inches of a bar, and of what is around all of them.
_BAR, _AROUND = 0.2, 1.25
#: Bars for which there is room at least, so that few are not as thick as blocks.
_FEW = 5


def plot_modes(
    result: Diagnosis | Modes, *, state: int | None = None, spectrum: Spectrum | None = None, ax: Axes | None = None
) -> Axes:
    """Eigenvalues of a given network by their kinds, with the edge that its random part alone would have, and the unit circle.

    Parameters
    ----------
    result : Diagnosis or Modes
    state : int, optional
        Which of the states looked at. Default: all of them in one picture, the edge that of their sites taken together.
    spectrum : Spectrum, optional
        Whose edge is drawn. Default: of a Diagnosis its theory at the sites, with the gains of the random part; of Modes none, as
        they do not keep the sites.
    ax : matplotlib Axes, optional
        Default: a new figure of one column's width.

    Returns
    -------
    matplotlib Axes

    See Also
    --------
    gating_theory.learned_modes : Makes what is drawn.
    gating_theory.plotting.plot_mode_shares : What modes consist of.

    Examples
    --------
    >>> import gating_theory as gt
    >>> import numpy as np
    >>> ens = gt.Ensemble(gt.Vanilla, gain=0.3)
    >>> before = gt.Network.sample(ens, 100, rng=0)
    >>> direction = np.ones(100) / 10
    >>> learned = 0.95 * np.outer(direction, direction)
    >>> after = gt.Network(ens, before.matrices + learned, before.biases)
    >>> split = gt.split_weights(after, initial=before)
    >>> modes = gt.learned_modes(after, np.zeros((1, 100)), split)
    >>> ax = gt.plotting.plot_modes(modes)
    """
    modes = _modes(result)
    if state is not None:
        state = integer("state", state, high=modes.n_states - 1)
    if spectrum is not None:
        instance("spectrum", spectrum, Spectrum)
    elif isinstance(result, Diagnosis):
        spectrum = result.spectrum if state is None else Spectrum(_sites_of(result, state))
    ax = axes_or_new(ax, 3.4)
    draw_modes(ax, modes, spectrum, state)
    return ax


def draw_modes(
    ax: Axes, modes: Modes, spectrum: Spectrum | None = None, state: int | None = None, beside: Sequence[np.ndarray] = ()
) -> None:
    """Eigenvalues by kind, an edge, the whole unit circle, and a legend above.

    Parameters
    ----------
    ax : matplotlib Axes
    modes : Modes
    spectrum : Spectrum, optional, whose edge is drawn
    state : int, optional
        Default: all states.
    beside : sequence of complex arrays, what has to be seen as well
    """
    curves = [] if spectrum is None else spectrum.boundary(512)
    for i, curve in enumerate(curves):
        label = "edge (random weights)" if i == 0 else None
        ax.plot(curve.real, curve.imag, color=BLACK, linewidth=1.0, zorder=3, label=label)
    draw_kinds(ax, modes, state)
    draw_circle_whole(ax, [modes.eigenvalues if state is None else modes.eigenvalues[state], *curves, *beside])
    legend_above(ax, columns_of(ax))


def draw_kinds(ax: Axes, modes: Modes, state: int | None = None) -> None:
    """Eigenvalues with a marker for each kind, named with how many a state has on average.

    Parameters
    ----------
    ax : matplotlib Axes
    modes : Modes
    state : int, optional
        Default: all states.
    """
    chosen = slice(None) if state is None else slice(state, state + 1)
    values, kinds = modes.eigenvalues[chosen], modes.kinds[chosen]
    for order, kind in enumerate(KINDS):
        here = values[kinds == kind]
        if not here.size:
            continue
        colour, marker, size = _STYLES[kind]
        size *= float(np.clip(np.sqrt(_MANY / values.size), 0.6, 1.0))
        count = here.size / len(values)
        style: dict[str, Any] = {"linestyle": "none", "markeredgewidth": 0.0, "rasterized": here.size > _RASTER}
        label = f"{kind} ({count:.3g})"
        ax.plot(here.real, here.imag, color=colour, marker=marker, markersize=size, zorder=4 + order, label=label, **style)


def plot_mode_shares(result: Diagnosis | Modes, *, state: int | None = None, n: int = 12, ax: Axes | None = None) -> Axes:
    """What the slowest modes of a state consist of: bars of the parts of ``|eigenvalue|`` from leaks, random and learned weights.

    Parts add up to the modulus; negative ones, which hold against the others, are drawn to the left of zero. Beside each bar stand
    the timescale in steps and the kind of the mode; a conjugate pair is one bar, marked x 2.

    Parameters
    ----------
    result : Diagnosis or Modes
    state : int, optional
        Which of the states looked at. Default: that of the slowest mode listed.
    n : int >= 1
        At most so many bars, of the modes that are listed (``Modes.listed``), the slowest first.
    ax : matplotlib Axes, optional
        Default: a new figure of one column's width, as high as the bars need.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError, ValueError
        another result, no such state, no mode is listed at this state

    See Also
    --------
    gating_theory.learned_modes : Makes what is drawn.
    gating_theory.plotting.plot_modes : Where modes lie.

    Examples
    --------
    >>> import gating_theory as gt
    >>> import numpy as np
    >>> ens = gt.Ensemble(gt.Vanilla, gain=0.3)
    >>> before = gt.Network.sample(ens, 100, rng=0)
    >>> direction = np.ones(100) / 10
    >>> learned = 0.95 * np.outer(direction, direction)
    >>> after = gt.Network(ens, before.matrices + learned, before.biases)
    >>> split = gt.split_weights(after, initial=before)
    >>> modes = gt.learned_modes(after, np.zeros((1, 100)), split)
    >>> ax = gt.plotting.plot_mode_shares(modes)
    """
    modes = _modes(result)
    n = integer("n", n, low=1)
    slowest = max(modes.listed, key=lambda mode: abs(mode.eigenvalue), default=None)
    if state is not None:
        state = integer("state", state, high=modes.n_states - 1)
    elif slowest is not None:
        state = slowest.state
    listed = [mode for mode in modes.listed if mode.state == state and mode.eigenvalue.imag >= 0.0][:n]
    if not listed:
        raise ValueError(
            f"result lists no mode {'' if state is None else f'at state {state} '}to show: none is slow, none lies outside what "
            "random weights give"
        )
    ax = axes_or_new(ax, _AROUND + _BAR * len(listed))
    names = list(listed[0].learned)
    parts = {"leak": [m.leak for m in listed], "random": [sum(m.random.values()) for m in listed]}
    parts |= {f"learned {name}": [m.learned[name] for m in listed] for name in names}
    colours = [_LEAK, _RANDOM, *(_LEARNED[i % len(_LEARNED)] for i in range(len(names)))]
    place, right, left = np.arange(len(listed)), np.zeros(len(listed)), np.zeros(len(listed))
    for (label, values), colour in zip(parts.items(), colours):
        width = np.nan_to_num(np.array(values))
        ax.barh(place, width, left=np.where(width >= 0.0, right, left), height=0.72, color=colour, linewidth=0.0, label=label)
        right, left = right + np.maximum(width, 0.0), left + np.minimum(width, 0.0)
    ax.axvline(0.0, color=BLACK, linewidth=0.6)
    ax.set_yticks(place, [f"{_steps(mode)}, {mode.kind}{' x 2' if mode.eigenvalue.imag else ''}" for mode in listed])
    ax.tick_params("y", length=0.0, labelsize="small")
    ax.set_ylim(max(len(listed), _FEW) - 0.5, -0.5)
    ax.set_xlim(min(0.0, float(left.min()) - 0.04), float(right.max()) + 0.04)
    ax.set_xlabel(r"parts of $|\lambda|$")
    ax.set_ylabel("steps, kind" if modes.n_states == 1 else f"steps, kind (state {state})")
    legend_of_bars(ax, 3)
    return ax


def _modes(result):
    if isinstance(result, Diagnosis):
        return result.modes
    if isinstance(result, Modes):
        return result
    raise TypeError(f"result must be a Diagnosis or Modes, got {shown(result)}")


def _sites_of(diagnosis, state):
    """The sites of one of the states, which stand one after the other among all."""
    every, n = diagnosis.sites, diagnosis.network.n_units
    part = slice(state * n, (state + 1) * n)
    arrays = {name: getattr(every, name)[:, part] for name in ("state", "fields", "parameters")}
    return replace(every, weights=np.full(n, 1.0 / n), **arrays)


def _steps(mode):
    value = mode.timescale
    return "grows" if np.isinf(value) else f"{value:.0f}" if value >= 100 else f"{value:.3g}"
