"""Pictures of eigenvalues along a sequence: small ones side by side, and one that moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..networks.driven import DrivenRun
from ..support.checks import complex_array, integer, integers, real, shown
from .style import SKY, axes_or_new, draw_circle_whole, draw_cloud

if TYPE_CHECKING:
    from matplotlib.animation import FuncAnimation
    from matplotlib.axes import Axes

__all__ = ["animate_eigenvalues", "plot_eigenvalues_along"]

#: Pictures side by side unless told, how many in a row, and inches of one.
_PICTURES, _ROW, _INCHES = 6, 3, 1.9
#: Dots of small pictures in units of those of a large one.
_SMALLER = 0.6
#: Steps of an animation unless told.
_FRAMES = 100


def plot_eigenvalues_along(
    run: DrivenRun | npt.ArrayLike,
    times: Sequence[int] | None = None,
    *,
    sequence: int = 0,
    ax: Sequence[Axes] | None = None,
) -> list[Axes]:
    """Eigenvalues of the Jacobians at several steps of a run, one small picture each, with the whole unit circle [T2].

    Parameters
    ----------
    run : Recording of a layer, or other run of a network along inputs; or complex array (T, n) of eigenvalues of T steps
    times : sequence of int, optional
        The steps shown. Default six, from the first to the last.
    sequence : int, which one of the run
    ax : sequence of matplotlib Axes, optional
        One for each step. Default: a new figure, three in a row.

    Returns
    -------
    list of matplotlib Axes

    Raises
    ------
    TypeError, ValueError
        neither a run nor eigenvalues, steps that are not there, another number of Axes

    See Also
    --------
    gating_theory.plotting.animate_eigenvalues : The same as a film.

    Examples
    --------
    >>> import numpy as np
    >>> import gating_theory as gt
    >>> net = gt.Network.sample(gt.Ensemble(gt.Vanilla, gain=2), 20, rng=0)
    >>> states = net.run(net.random_state(0), 5, trajectory=True)
    >>> axes = gt.plotting.plot_eigenvalues_along(
    ...     [net.eigenvalues(state) for state in states], [0, 1, 5]
    ... )
    >>> [one.get_title() for one in axes]
    ['step 0', 'step 1', 'step 5']
    """
    steps, values = _values_along(run, times, sequence, _PICTURES)
    from matplotlib.ticker import MaxNLocator

    axes = _axes(ax, len(steps))
    size = _SMALLER * _dot(values[0].size)
    for one, step, cloud in zip(axes, steps, values):
        draw_cloud(one, cloud, SKY, size, zorder=2, label="eigenvalues")
        draw_circle_whole(one, values)
        one.set_title(f"step {step}", fontsize="small")
        for axis in (one.xaxis, one.yaxis):
            axis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
        one.label_outer()
    return axes


def animate_eigenvalues(
    run: DrivenRun | npt.ArrayLike,
    times: Sequence[int] | None = None,
    *,
    sequence: int = 0,
    interval: float = 100.0,
    ax: Axes | None = None,
) -> FuncAnimation:
    """Eigenvalues of the Jacobians of a run as they move from step to step, with the whole unit circle [T2].

    Keep what is returned as long as it plays. ``animation.save("eigenvalues.gif", writer="pillow")`` writes it, and notebooks show
    ``animation.to_jshtml()``.

    Parameters
    ----------
    run : Recording of a layer, or other run of a network along inputs; or complex array (T, n) of eigenvalues of T steps
    times : sequence of int, optional
        The steps shown. Default all, or a hundred evenly spaced ones of more.
    sequence : int, which one of the run
    interval : float > 0, milliseconds from one to the next
    ax : matplotlib Axes, optional
        Default: a new figure of one column's width.

    Returns
    -------
    matplotlib FuncAnimation

    Raises
    ------
    TypeError, ValueError
        neither a run nor eigenvalues, steps that are not there

    See Also
    --------
    gating_theory.plotting.plot_eigenvalues_along : Some steps beside each other.

    Examples
    --------
    >>> import numpy as np
    >>> import gating_theory as gt
    >>> net = gt.Network.sample(gt.Ensemble(gt.Vanilla, gain=2), 20, rng=0)
    >>> states = net.run(net.random_state(0), 5, trajectory=True)
    >>> film = gt.plotting.animate_eigenvalues(
    ...     [net.eigenvalues(state) for state in states]
    ... )
    """
    from matplotlib.animation import FuncAnimation

    class Film(FuncAnimation):
        """An animation that may be thrown away unseen."""

        def __del__(self) -> None:
            """Nothing to warn of."""

    interval = real("interval", interval, low=0.0, high=1e6, open_low=True)
    steps, values = _values_along(run, times, sequence, _FRAMES)
    ax = axes_or_new(ax, 3.4)
    draw_cloud(ax, values[0], SKY, _dot(values[0].size), zorder=2, label="eigenvalues")
    line = ax.get_lines()[-1]
    draw_circle_whole(ax, values)
    title = ax.set_title(f"step {steps[0]}", fontsize="small")

    def frame(i: int) -> tuple[Any, ...]:
        line.set_data(values[i].real, values[i].imag)
        title.set_text(f"step {steps[i]}")
        return line, title

    figure: Any = ax.figure.figure
    return Film(figure, frame, frames=len(steps), interval=interval, blit=False)


def _values_along(run, times, sequence, count):
    """Steps, and the eigenvalues at each."""
    sequence = integer("sequence", sequence)
    if isinstance(run, DrivenRun):
        lengths = run.sequence_steps()
        sequence = integer("sequence", sequence, high=len(lengths) - 1)
        steps = _steps(times, lengths[sequence], count)
        points = (run.at([step], [sequence]) for step in steps)
        return steps, [net.eigenvalues(states)[0] for net, states in points]
    array = complex_array("run, unless a Recording eigenvalues,", run)
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(f"run must be a Recording or an array (T, n) of eigenvalues, got shape {array.shape}")
    steps = _steps(times, len(array), count)
    return steps, [array[step] for step in steps]


def _steps(times, length, count):
    if times is None:
        return sorted({round(t) for t in np.linspace(0, length - 1, min(count, length))})
    steps = integers("times", times, high=length - 1)
    if steps.ndim != 1 or not steps.size:
        raise ValueError(f"times must be a sequence of one or more steps, got {shown(times)}")
    return [int(step) for step in steps]


def _axes(ax, count):
    """The Axes given, one for each picture, or those of a new figure."""
    if ax is None:
        import matplotlib.pyplot as plt

        columns = min(_ROW, count)
        rows = -(-count // columns)
        size = (_INCHES * columns + 0.5, _INCHES * rows + 0.4)
        _, grid = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False, sharex=True, sharey=True)
        for spare in grid.ravel()[count:]:
            spare.set_visible(False)
            above = grid[rows - 2, int(np.flatnonzero(grid[rows - 1] == spare)[0])]
            above.xaxis.set_tick_params(labelbottom=True)
        return list(grid.ravel()[:count])
    from matplotlib.axes import Axes

    given = (
        [ax] if isinstance(ax, Axes) else list(ax) if isinstance(ax, (Sequence, np.ndarray)) and not isinstance(ax, str) else None
    )
    if given is None or not all(isinstance(one, Axes) for one in given):
        raise TypeError(f"ax must be a sequence of matplotlib Axes, got {shown(ax)}")
    if len(given) != count:
        raise ValueError(f"ax must have one Axes for each of {count} steps, got {len(given)}")
    return given


def _dot(count):
    return float(np.clip(2.2 * np.sqrt(1000.0 / count), 0.6, 4.0))
