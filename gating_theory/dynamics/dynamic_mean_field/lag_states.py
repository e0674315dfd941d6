"""Every moving state of an ensemble with a constant leak, and the value of a hyperparameter at which one has a given size [T8]."""

from __future__ import annotations

from functools import partial

import numpy as np

from ...ensemble.ensemble import Ensemble
from ...ensemble.paths import EnsemblePath
from ...errors import NoCriticalValue
from .branches import growth_slope, zeros_of_growth
from .clock import Clock
from .lag_law import LagForm, lag_form
from .lag_shape import Energy, LagShape, energy_at, has_energy, shape_at

__all__ = ["accuracy", "lag_states", "largest_variance", "value_at_size"]

#: Amplitudes that are looked at, from the largest that a drive could keep up down to this part of it.
_LOOKS, _SMALLEST = 13, 1e-3
#: A search along a path widens its bracket by this factor (this much, of what has a sign) at a time.
_WIDER, _MOST = 1.3, 40
#: Rounding and residuals, in the growth.
_ROUNDING = 1e-12


def largest_variance(form: LagForm, clock: Clock) -> float:
    """An amplitude above which nothing keeps itself up, even if all of the drive passed as its best frequency does; 0: none does.

    Parameters
    ----------
    form : LagForm
    clock : Clock
    """
    passed = float(clock.filter(form.leak, 3).max())

    def excess(variance):
        return passed * form.at(variance).at_zero - variance

    size = 1.0
    while excess(size) > 0.0 and size < 1e8:
        size *= 2.0
    while excess(0.5 * size) < 0.0 and size > 1e-12:
        size *= 0.5
    return size if size > 1e-12 else 0.0


def lag_states(form: LagForm, clock: Clock) -> list[LagShape]:
    """Every state that was found between the largest amplitude and 1e-3 of it, the largest first.

    Parameters
    ----------
    form : LagForm
    clock : Clock
    """
    high = largest_variance(form, clock)
    if not high:
        return []
    if not has_energy(form, clock):
        return zeros_of_growth(partial(_shape, form, clock), _SMALLEST * high, high, _LOOKS)
    return [shape_at(form, e.variance, clock) for e in zeros_of_growth(partial(_energy, form), _SMALLEST * high, high, _LOOKS)]


def _shape(form, clock, size, near, rough):
    return shape_at(form, size, clock, near, rough)


def _energy(form, size, near, rough):
    return energy_at(form, size)


def accuracy(form: LagForm, clock: Clock, found: LagShape) -> tuple[float, float]:
    """(relative error of a state's amplitude, slope of the growth in its logarithm: negative where iteration returns to the state).

    What is missing in series, windows, and rounding, through the response.

    Parameters
    ----------
    form, clock, found : of the state
    """
    size = found.law.variance
    if has_energy(form, clock):
        slope = growth_slope(partial(_energy, form), size, Energy(size, 0.0))
    else:
        slope = growth_slope(partial(_shape, form, clock), size, found)
    off = found.law.missing + found.flat + found.residual + _ROUNDING
    return off / max(abs(slope), 1e-12), slope


def value_at_size(
    ensemble: Ensemble, path: EnsemblePath, size: float, clock: Clock, near: LagShape | None = None
) -> tuple[float, LagShape]:
    """The value along a path at which a state has a given C(0), from the ensemble's own value outwards.

    Parameters
    ----------
    ensemble : Ensemble
    path : EnsemblePath
    size : float > 0
    clock : Clock
    near : LagShape, optional

    Returns
    -------
    (float, LagShape)

    Raises
    ------
    NoCriticalValue : there is none
    """
    from scipy.optimize import brentq

    last = near

    def growth(value, rough=False):
        nonlocal last
        form = lag_form(path.at(ensemble, value))
        assert form is not None  # asked for where the ensemble has one
        if has_energy(form, clock):
            return energy_at(form, size).growth
        last = shape_at(form, size, clock, last, rough)
        return last.growth if np.isfinite(last.growth) else -1e3

    start = path.value(ensemble)
    start = start if np.isfinite(start) else 0.5 * sum(path.within(None))
    low = high = start
    at_low = at_high = growth(start, True)
    for _ in range(_MOST):
        if at_low * at_high <= 0.0:
            break
        if path.signed:
            low, high = max(low - 0.3, path.range[0]), min(high + 0.3, path.range[1])
        else:
            low, high = max(low / _WIDER, path.range[0]), min(max(high, 0.1) * _WIDER, path.range[1])
        at_low, at_high = growth(low, True), growth(high, True)
    else:
        raise NoCriticalValue(f"no value of {path} between {low:.4g} and {high:.4g} has a state with C(0) = {size:.4g}")
    with np.errstate(divide="ignore"):
        value = low if low == high else float(brentq(growth, low, high, xtol=1e-13, rtol=1e-14))
    form = lag_form(path.at(ensemble, value))
    assert form is not None
    return value, shape_at(form, size, clock, last)
