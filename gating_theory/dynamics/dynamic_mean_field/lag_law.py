"""The drive of a cell with a constant leak as a function of its state's second moments, one lag at a time [T8].

At a given E s^2 = D (its variance, where the state is Gaussian) every covariance at a lag is a function of that of the state at
this lag alone:

    E f(t) f(t + tau) = F(C(tau)),        C(tau) = E s(t) s(t + tau)

through the messages, in their order, and the fields that they make. dF/dC is the kernel of the tangent problem. Between two copies
of a network, of the same E s^2, the same holds of E s^1(t) s^2(t + tau); only what their inputs have in common is less [T8b].
"""

from __future__ import annotations

from functools import cached_property, partial

import numpy as np

from ...cell.constant_leak import STATE, ConstantLeak, Part, constant_leak
from ...ensemble.ensemble import Ensemble
from ...ensemble.field_law import RandomFields
from .correlated import CorrelatedAverage

__all__ = ["CopyLaw", "LagForm", "LagLaw", "lag_form"]

#: Degrees of interpolants: the first, the largest; their last coefficients, relative to the largest.
_DEGREE, _LARGEST_DEGREE, _SMALL = 32, 256, 1e-15
#: A value and its slope in C.
Sloped = tuple[np.ndarray, np.ndarray]


class LagForm:
    """An ensemble of a cell with a constant leak.

    Attributes
    ----------
    ensemble : Ensemble
    cell_form : ConstantLeak
    leak : float, c
    offset : float
        Mean of the state where that is Gaussian: what is spoken of is then its covariance; 0 elsewhere.
    white : bool, whether there is input that is drawn anew at every step
    frozen : bool, whether biases differ from site to site
    """

    def __init__(self, ensemble: Ensemble, cell_form: ConstantLeak) -> None:
        self.ensemble, self.cell_form = ensemble, cell_form
        still = [*ensemble.array("bias"), *ensemble.array("parameter")]
        self.leak = float(cell_form.leak(*still)[0])
        self.offset = 0.0
        if cell_form.linear is not None:
            drive, *rates = (float(value) for value in cell_form.linear(*still))
            self.offset, self.rates = drive / self.leak if self.leak else 0.0, np.array(rates)
        self.white, self.frozen = ensemble.has_white_input, bool(ensemble.array("bias_std").any())

    def at(self, variance: float) -> LagLaw:
        """Its LagLaw at C(0) = variance."""
        return LagLaw(self, variance)

    def variance_of(self, moment: float) -> float:
        """C(0) at which the first message has a second moment; ValueError where none has."""
        from scipy.optimize import brentq

        def off(variance):
            return self.at(variance).message_moments[self.ensemble.cell.message_of.index(0)] - moment

        low, high = 0.5 * moment, 2.0 * moment
        while off(low) > 0.0 and low > 1e-300:
            low *= 0.25
        while off(high) < 0.0:
            high *= 4.0
            if high > 1e12:
                raise ValueError(f"amplitude must be a second moment that the first message can have, got {moment:g}")
        return float(brentq(off, low, high, xtol=1e-15, rtol=1e-14))


def lag_form(ensemble: Ensemble) -> LagForm | None:
    """The LagForm of an ensemble; None where its leak is not constant, functions have kinks, or site parameters are spread."""
    values = [ensemble.array(kind) for kind in ("gain", "bias_std", "input_std")]
    cell = ensemble.cell
    if RandomFields(ensemble).parameter_std.any() or not cell.compiled.smooth:
        return None
    form = constant_leak(cell, [name for name, *v in zip(cell.field_names, *values) if any(v)])
    return None if form is None else LagForm(ensemble, form)


class LagLaw:
    """F(C) and dF/dC of a LagForm at a given C(0).

    Attributes
    ----------
    at_zero : float, F at lag zero: what white input adds is in it
    missing : float, the largest part of a function's variance that its series does not hold
    message_moments : (K,) array, E m_k^2
    """

    def __init__(self, form: LagForm, variance: float) -> None:
        self.form, self.variance, self.missing = form, variance, 0.0
        ensemble, law = form.ensemble, RandomFields(form.ensemble)
        self._gain2 = law.gain2
        self._kept, self._fresh = ensemble.array("bias_std") ** 2, ensemble.array("input_std") ** 2
        self._variances = np.zeros(ensemble.cell.n_fields)
        self._means = ensemble.array("bias")
        self._parameters = ensemble.array("parameter")
        self.message_moments = np.zeros(ensemble.cell.n_fields)
        self._messages: list[list[_Factor]] = []
        self._averages: list[CorrelatedAverage] = []
        start = np.array([variance])
        covariances = np.zeros((2, ensemble.cell.n_fields, 1))
        for k, parts in enumerate(form.cell_form.messages):
            self._messages.append([self._factor(part) for part in parts])
            moment = float(self._message(k, start, covariances)[0][0])
            self.message_moments[k] = moment
            self._variances[k] = self._gain2[k] * moment + self._kept[k] + self._fresh[k]
            covariances[0, k] = self._variances[k]
        self._drive = [self._factor(part) for part in form.cell_form.drive]
        self._alone = self.between(1.0, 1.0)
        self.at_zero = float(self(start)[0][0])

    def between(self, white: float, frozen: float) -> CopyLaw:
        """The law between two copies whose white inputs and biases are correlated so much; that of one copy at 1 and 1."""
        return CopyLaw(self, white, frozen)

    def __call__(self, C: np.ndarray) -> Sloped:
        """(F, dF/dC) at the lags of C, of which the first is lag zero."""
        return self._alone(C)

    def drive(self, C: np.ndarray) -> np.ndarray:
        """F alone: where functions of two variables make it slow, by an interpolant that is made once."""
        return self._alone.drive(C)

    def messages(self, C: np.ndarray) -> np.ndarray:
        """(K, lags) E m_k(t) m_k(t + tau) of the fields' messages."""
        return self._alone.messages(C)

    def at_lags(self, C: np.ndarray, white: float, frozen: float) -> tuple[Sloped, np.ndarray]:
        """((F, dF/dC), (K, lags) E m_k m_k') at correlations of white inputs and biases, see :class:`CopyLaw`."""
        covariances, messages = np.zeros((2, len(self._messages), C.size)), np.zeros((len(self._messages), C.size))
        for k in range(len(self._messages)):
            messages[k], slope = self._message(k, C, covariances)
            covariances[0, k] = self._gain2[k] * messages[k] + frozen * self._kept[k]
            covariances[0, k, 0] += white * self._fresh[k]
            covariances[1, k] = self._gain2[k] * slope
        if self.form.cell_form.gaussian:
            rates = self.form.rates[:, None] ** 2
            return ((rates * covariances[0]).sum(axis=0), (rates * covariances[1]).sum(axis=0)), messages
        return self._product(self._drive, C, covariances), messages

    @property
    def has_averages_of_two(self) -> bool:
        """Whether a function of two variables has to be averaged, which is slow."""
        return any(part.rank > 1 for part in self._averages)

    def _message(self, k, C, covariances):
        value, slope = self._product(self._messages[k], C, covariances)
        if self.form.cell_form.gaussian:
            return value, slope
        return C * value, value + C * slope

    def _product(self, factors, C, covariances):
        value, slope = np.ones_like(C), np.zeros_like(C)
        for factor in factors:
            v, s = factor(C, covariances)
            value, slope = value * v, slope * v + value * s
        return value, slope

    def _factor(self, part):
        """What a factor of a message or drive contributes at each lag."""
        mean = {k: m for k, m in enumerate(self._means)} | {STATE: self.form.offset}
        variance = {k: v for k, v in enumerate(self._variances)} | {STATE: self.variance}

        def function(*values):
            at = mean | dict(zip(part.variables, values))
            return part(at[STATE], *(at[k] for k in range(len(self._means))), *self._parameters)

        if not part.variables:
            return partial(_constant, float(function()) ** 2)
        average = CorrelatedAverage(function, [mean[v] for v in part.variables], [np.sqrt(variance[v]) for v in part.variables])
        self._averages.append(average)
        self.missing = max(self.missing, average.missing)
        return _Factor(part, average, [variance[v] for v in part.variables])


def _constant(square, C, covariances):
    return np.full_like(C, square), np.zeros_like(C)


class _Factor:
    """E g g' of a factor at each lag, and its slope in C."""

    def __init__(self, part: Part, average: CorrelatedAverage, variances: list[float]) -> None:
        self.variables, self.average, self.variances = part.variables, average, variances

    def __call__(self, C, covariances):
        both = [(C, np.ones_like(C)) if v == STATE else covariances[:, v] for v in self.variables]
        rhos = []
        for (covariance, _), variance in zip(both, self.variances):
            rho = covariance / variance if variance > 0.0 else np.ones_like(C)
            rhos.append(np.clip(rho, -1.0, 1.0))
        value, slopes = self.average(*rhos)
        return value, sum(slope * own for slope, (_, own) in zip(slopes, both))


class CopyLaw:
    """F(D) and dF/dD between two copies of a network, D(tau) = E s^1(t) s^2(t + tau), at the C(0) of a LagLaw [T8b].

    Parameters
    ----------
    law : LagLaw
    white, frozen : float from -1 to 1, correlations of the copies' white inputs and of their biases
    """

    def __init__(self, law: LagLaw, white: float, frozen: float) -> None:
        self.law, self.white, self.frozen = law, white, frozen

    def __call__(self, D: np.ndarray) -> Sloped:
        """(F, dF/dD) at the lags of D, of which the first is lag zero."""
        return self.law.at_lags(D, self.white, self.frozen)[0]

    def messages(self, D: np.ndarray) -> np.ndarray:
        """(K, lags) E m_k^1(t) m_k^2(t + tau) of the fields' messages."""
        return self.law.at_lags(D, self.white, self.frozen)[1]

    def drive(self, D: np.ndarray) -> np.ndarray:
        """F alone: where functions of two variables make it slow, by an interpolant that is made once."""
        if not self.law.has_averages_of_two:
            return self(D)[0]
        value = np.polynomial.chebyshev.chebval(np.clip(D / self.law.variance, -1.0, 1.0), self._series)
        value[0] = self(D[:1])[0][0]  # what is drawn anew at every step is there at lag zero alone
        return value

    @cached_property
    def _series(self):
        """Chebyshev coefficients of F on [-C(0), C(0)]."""
        variance, degree = self.law.variance, _DEGREE
        while True:
            nodes = np.cos(np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1))
            values = self(np.concatenate([[variance], variance * nodes]))[0][1:]
            series = np.polynomial.chebyshev.chebfit(nodes, values, degree)
            if np.abs(series[-3:]).max() < _SMALL * np.abs(series).max() or degree >= _LARGEST_DEGREE:
                return series
            degree *= 2
