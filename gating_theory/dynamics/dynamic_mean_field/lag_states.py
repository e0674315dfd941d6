"""Every moving state of an ensemble with a constant leak, and the value of a hyperparameter at which one has a given size [T8]."""

from __future__ import annotations

from functools import partial

import numpy as np

from ...ensemble.ensemble import Ensemble
from ...ensemble.paths import EnsemblePath
from ...errors import CapabilityError, NoCriticalValue
from .branches import growth_slope, secant, zeros_of_growth
from .clock import Clock
from .lag_law import LagForm, lag_form
from .lag_shape import Energy, LagShape, energy_at, has_energy, shape_at

__all__ = ["Branch", "accuracy", "lag_states", "largest_variance"]

#: Amplitudes that are looked at, from the largest that a drive could keep up down to this part of it; under input down to what that
#: alone makes, with so many more a decade. A drive is that of input alone at this part of the largest amplitude.
_LOOKS, _SMALLEST, _A_DECADE, _NEARLY_NOTHING = 13, 1e-3, 4, 1e-9
#: A search along a path: the first bracket to either side, relative, how often it is doubled, accuracies by rough shapes, secants;
#: what stands for the growth of nothing.
_NARROW, _MOST, _ROUGH, _APART, _TOL, _NOTHING = 0.01, 12, 1e-5, 1e-5, 1e-12, -1e3
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


def lag_states(form: LagForm, clock: Clock, rough: bool = False) -> list[LagShape]:
    """Every state that was found between the largest amplitude and 1e-3 of it, or what input alone makes, the largest first.

    Parameters
    ----------
    form : LagForm
    clock : Clock
    rough : bool, whether four digits are enough
    """
    high = largest_variance(form, clock)
    if not high:
        return []
    if not has_energy(form, clock):
        low = min(_SMALLEST, _least(form, clock, high) / high)
        looks = _LOOKS + int(np.ceil(_A_DECADE * np.log10(_SMALLEST / low)))
        return zeros_of_growth(partial(_shape, form, clock), low * high, high, looks, rough)
    found = zeros_of_growth(partial(_energy, form), _SMALLEST * high, high, _LOOKS, rough)
    return [shape_at(form, each.variance, clock, rough=rough) for each in found]


def _least(form, clock, high):
    """An amplitude below that which input makes, even if all of it passed as its worst frequency does; ``high`` without input."""
    if not (form.white or form.frozen):
        return high
    return max(0.5 * float(clock.filter(form.leak, 3).min()) * form.at(_NEARLY_NOTHING * high).at_zero, _NEARLY_NOTHING * high)


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


class Branch:
    """The states of an ensemble with a constant leak along a path: the value at which one has a given C(0).

    Parameters
    ----------
    ensemble : Ensemble, at whose value the first search starts
    path : EnsemblePath
    clock : Clock
    """

    def __init__(self, ensemble: Ensemble, path: EnsemblePath, clock: Clock) -> None:
        self.ensemble, self.path, self.clock = ensemble, path, clock
        self.last: LagShape | None = None
        start = path.value(ensemble)
        self.start = start if np.isfinite(start) else 0.5 * sum(path.within(None))

    def value(self, size: float, rough: bool = False) -> float:
        """The value at which C(0) = size, from the last one outwards; NoCriticalValue where there is none.

        Parameters
        ----------
        size : float > 0
        rough : bool, whether five digits are enough
        """
        from scipy.optimize import brentq

        low, high = self._bracket(size)
        value = low if low == high else float(brentq(lambda x: self.growth(x, size, True), low, high, xtol=_ROUGH))
        if not rough:
            scale = max(abs(value), 1.0)
            value = secant(lambda x: self.growth(x, size, False), value, _APART * scale, _TOL * scale, 0.1 * scale)
        self.start = value
        return value

    def _bracket(self, size):
        path, low, high = self.path, self.start, self.start
        at_low = at_high = self.growth(low, size, True)
        for wider in range(_MOST):
            if at_low * at_high <= 0.0:
                return low, high
            reach = _NARROW * 2.0**wider * max(abs(self.start), 1.0)
            low, high = max(self.start - reach, path.range[0]), min(self.start + reach, path.range[1])
            at_low, at_high = self.growth(low, size, True), self.growth(high, size, True)
        raise NoCriticalValue(f"no value of {path} between {low:.4g} and {high:.4g} has a state with C(0) = {size:.4g}")

    def growth(self, value: float, size: float, rough: bool) -> float:
        """G at a value and a size."""
        form = self.form(value)
        with np.errstate(divide="ignore"):
            if has_energy(form, self.clock):
                found = energy_at(form, size).growth
            else:
                self.last = shape_at(form, size, self.clock, self.last, rough)
                found = self.last.growth
        return found if np.isfinite(found) else _NOTHING

    def form(self, value: float) -> LagForm:
        """The LagForm at a value."""
        form = lag_form(self.path.at(self.ensemble, value))
        if form is None:
            raise CapabilityError(f"the leak is not constant at {self.path} = {value:.4g}")
        return form

    def shape(self, value: float, size: float) -> LagShape:
        """The state at a value that :meth:`value` gave."""
        return shape_at(self.form(value), size, self.clock, self.last)
