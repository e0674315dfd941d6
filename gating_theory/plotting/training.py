"""Pictures of trained networks and of initialisations: a diagnosis, a design."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..support.checks import instance
from ..training.design import Design
from ..training.diagnosis import Diagnosis
from .modes import draw_modes
from .spectra import plot_timescales
from .style import BLACK, axes_or_new, draw_cloud, finite_eigenvalues

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_design", "plot_diagnosis"]


def plot_diagnosis(result: Diagnosis, *, ax: Axes | None = None) -> Axes:
    """Eigenvalues of a diagnosed network by their kinds, over those with shuffled weights, with the edge of its random part [T11].

    As :func:`plot_modes` draws them, of all states together.

    Parameters
    ----------
    result : Diagnosis
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes

    See Also
    --------
    gating_theory.diagnose : Makes what is drawn.
    gating_theory.plotting.plot_modes : State by state.

    Examples
    --------
    >>> import gating_theory as gt
    >>> ens = gt.Ensemble(gt.GRU, gain={"h": 0.5})
    >>> net = gt.Network.sample(ens, 20, rng=0)
    >>> ax = gt.plotting.plot_diagnosis(gt.diagnose(net, n_states=2))
    """
    instance("result", result, Diagnosis)
    ax = axes_or_new(ax, 3.6)
    twins = finite_eigenvalues(result.shuffled_eigenvalues)
    draw_cloud(ax, twins, "0.75", 2.0, zorder=1, label="shuffled weights")
    draw_modes(ax, result.modes, result.spectrum, beside=[twins])
    return ax


def plot_design(
    result: Design, *, eigenvalues: npt.ArrayLike | None = None, tau: npt.ArrayLike | None = None, ax: Axes | None = None
) -> Axes:
    """The timescales that a design achieves, with the slow fractions that were wanted, and those of eigenvalues if given.

    Parameters
    ----------
    result : Design
    eigenvalues : complex array of any shape, optional
        Of a network made by this design.
    tau : 1-D array of positive numbers, optional
        As in ``plot_timescales``; default 24 values from 1 to 1000, or to ten times the longest wanted.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes

    See Also
    --------
    gating_theory.design : Makes what is drawn.

    Examples
    --------
    >>> import gating_theory as gt
    >>> result = gt.design(
    ...     gt.GRUResetAfter,
    ...     {"slow_fraction": {50: 0.3}},
    ...     {"gain.h": 1, "bias_std.z": 1},
    ... )
    >>> result.reached
    True
    >>> ax = gt.plotting.plot_design(result, tau=[1, 10, 50, 100])
    """
    instance("result", result, Design)
    wanted = {label: value for label, value in result.target.items() if label.startswith("slow_fraction(")}
    times = np.array([float(label[len("slow_fraction(") : -1]) for label in wanted])
    if tau is None:
        tau = np.geomspace(1.0, max([1000.0, *(10.0 * times)]), 24)
    if eigenvalues is not None:
        ax = plot_timescales(finite_eigenvalues(eigenvalues), tau=tau, ax=ax)
    ax = plot_timescales(result.spectrum, tau=tau, ax=ax)
    if wanted:
        style: dict[str, Any] = {"marker": "o", "linestyle": "none", "markerfacecolor": "none", "color": BLACK}
        ax.plot(times, list(wanted.values()), label="wanted", zorder=4, **style)
        ax.legend(loc="best", fontsize="small")
    return ax
