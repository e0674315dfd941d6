"""The map of correlations of networks without memory, and why others have none [T8b]."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...ensemble.ensemble import Ensemble
from ...ensemble.hyperparameters import LARGEST
from ...errors import CapabilityError
from ...mean_field.fixed_points import fixed_points
from ...support.arithmetic import underflow_is_zero
from ...support.checks import instance, real, real_array
from .closed_form import closed_form
from .drives import Drives
from .pair_recursion import pair_moments

__all__ = ["correlation_map"]


@underflow_is_zero
def correlation_map(
    ensemble: Ensemble, c: npt.ArrayLike, rho_in: float = 1.0, amplitude: float | None = None
) -> np.ndarray | float:
    """The correlation of two copies one step after a correlation c, for cells without memory only [T8b].

    Vanilla networks forget their state in every step, so that correlations at equal times make those of the next (Poole et al.,
    Schoenholz et al.), whether weights are tied or not. A cell that remembers has no such map: what two copies have in common at
    *different* times enters through the tied weights. The static map, with frozen correlations, has the slope T(1) at c = 1, which
    is not the rate at which copies meet (a GRU of squared radius .947: .892). Its transient is :func:`correlation_transient`, the
    rate at c = 1 is e^(2 lambda) with the exponent of :func:`dmft`.

    Parameters
    ----------
    ensemble : Ensemble
    c : float or array of any shape, from -1 to 1
    rho_in : float from -1 to 1, correlation of the copies' white inputs
    amplitude : float > 0, optional
        Second moment of both copies' states; default: that of the network's state of largest amplitude.

    Returns
    -------
    float or array like ``c``

    Raises
    ------
    TypeError, ValueError
        bad arguments; no amplitude where the only state is zero
    CapabilityError
        cells with memory; functions with kinks; laws of matrices without a dynamic mean field

    See Also
    --------
    correlation_transient : for cells that remember

    Examples
    --------
    >>> import gating_theory as gt
    >>> ens = gt.Ensemble(gt.Vanilla, gain=1.5, input_std=0.3)
    >>> round(gt.correlation_map(ens, 0.74265), 4)  # at rest: copies under common input stay apart
    0.7427
    """
    instance("ensemble", ensemble, Ensemble).require("dynamics", "correlation_map", "correlation_transient")
    values = real_array("c", c)
    if (np.abs(values) > 1.0).any():
        raise ValueError(f"c must be from -1 to 1, got {c!r:.60}")
    drives = Drives.white_pair(ensemble, 1, rho_in)
    form = closed_form(ensemble, drives)
    if form is None or (form.leaks != 1.0).any():
        raise CapabilityError(
            f"{ensemble.cell.name} has no map from one correlation to the next: its state remembers, and what two copies have in "
            f"common at different times enters through the same weights; use correlation_transient"
        )
    size = _resting(ensemble) if amplitude is None else real("amplitude", amplitude, low=0.0, high=LARGEST, open_low=True)
    out = np.array([_after(ensemble, drives, size, one) for one in values.flat]).reshape(values.shape)
    return out if out.ndim else float(out)


def _resting(ensemble):
    """E h^2 of the largest state; second moments of memoryless networks do not know whether input is white or frozen."""
    state = fixed_points(ensemble)[-1].sites
    size = float(state.weights @ state.state[0] ** 2)
    if not size > 0.0:
        raise ValueError("amplitude must be given: the network's only state is zero")
    return size


def _after(ensemble, drives, size, c):
    after = pair_moments(ensemble, drives, size * np.array([[1.0, c], [c, 1.0]])).equal_time()[1]
    return after[0, 1] / after[0, 0]
