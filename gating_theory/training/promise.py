"""What an initialisation promises about gradients: their mean square through T steps, singular values, slow modes [T9]."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..errors import CapabilityError, ConvergenceError
from ..gradients.growth import gradient_growth
from ..gradients.products import product_singular_values
from ..interop.initialise import Initialisation
from ..results.encoding import dict_of, require, result
from ..spectrum.spectrum import Spectrum
from .gradients import power
from .step_size import largest_rate, onset_slope

__all__ = ["Promise", "promise_of"]

#: Tolerance of slow fractions.
_TOL = 1e-3
#: Draws of sites that the radius of networks of N units is an average over, where units differ.
_DRAWS = 20
#: Factors of e by which gradients of single networks may miss the limit before it is said.
_FLUCTUATES = 1.0


@result("promise")
@dataclass(frozen=True)
class Promise:
    """What gradients do through T steps of random networks of an ensemble, and the singular values that this comes from.

    Mean squares are those of P v for an isotropic unit vector v, P the product of T Jacobians of the same weights.

    Attributes
    ----------
    n_steps : int, T
    log10_gradient : float, log10 of the mean square through T steps, all state variables at the end
    log10_heard : dict, {state variable: the same of a loss on it alone}, of variables that fields listen to; empty for one variable
    log10_untied : float, what weights drawn anew in each step would give
    mean_square, square_std, largest : float, float or None, float or None
        Of the singular values s of one Jacobian: mean and standard deviation of s^2, and the largest s.
    product_std, product_largest : float or None
        Of the singular values s of the product of all T Jacobians: standard deviation of s^2 and the largest s, to a few per cent:
        those of ``product_steps`` steps with gates that are as slow against that time. As the two above, None where the number
        does not converge, since rare units of a law of biases make it, and of matrices that are not iid normal.
    product_steps : int or None
    radius : float, the spectral radius
    slow_fraction : float or None
        Of the modes slower than T steps, growing ones included; None where the spectrum is too small a disc beside the circle of
        these modes to be resolved.
    sensitivity : float
        Lambda = T d radius / d gain of the candidate where the radius is 1, T (1 - z) sigma(b_r) of a GRU, T o i of an LSTM:
        mean squares of gradients through T steps change by the factor exp(2 Lambda da) where that gain changes by da.
    n_units : int, N, of the networks that ``radius_sd`` is of
    radius_sd : float or None
        Standard deviation of the radius over networks of N units. None where it is not known: of matrices that are not iid normal.
        That of orthogonal matrices at rest is next to nothing.
    """

    n_steps: int
    log10_gradient: float
    log10_heard: dict[str, float]
    log10_untied: float
    mean_square: float
    square_std: float | None
    largest: float | None
    product_std: float | None
    product_largest: float | None
    product_steps: int | None
    radius: float
    slow_fraction: float | None
    sensitivity: float
    n_units: int
    radius_sd: float | None

    as_dict = dict_of

    @property
    def learning_rate(self) -> float:
        """The largest learning rate of Adam that the initialisation stands, .05 / Lambda.

        A step of Adam changes gains by about its learning rate, and gradients by Lambda times that in their logarithm. Measured on
        LSTMs of 64 units that recall after 200 steps: rates from .001 to .06 / Lambda train always, of those to .4 / Lambda half
        fail, and larger ones often train again, by another way than from these gradients (NUMERICS.md). It
        is about gradients that do come through T steps: where they vanish larger rates do no harm at first.
        """
        return largest_rate(self.sensitivity)

    @property
    def log10_eps(self) -> float:
        """log10 of the eps that Adam has to have less than: half of log10 G(T), of a loss on what fields listen to.

        Adam rescales gradients that are larger than its eps (1e-8 in PyTorch); those of the size sqrt(G(T)) below it move nothing.
        The prefactors are taken as 1: of clean recall the edge was where this says, within half a decade of eps (NUMERICS.md).
        """
        return 0.5 * min(self.log10_heard.values(), default=self.log10_gradient)

    @property
    def fluctuation(self) -> float | None:
        """Lambda times the standard deviation of the onset's gain over networks of N units: T sd(radius), in factors of e.

        Where it is not small gradients of single networks miss the limit by that many factors of e. None where it is not known.
        """
        return None if self.radius_sd is None else self.n_steps * self.radius_sd

    @property
    def warning(self) -> str:
        """What single networks of N units do not keep of the promise, and what to do; nothing where they keep it."""
        if self.fluctuation is None or self.fluctuation <= _FLUCTUATES:
            return ""
        return (
            f"Lambda = {self.sensitivity:.3g} times the fluctuation of the gain at N = {self.n_units} is {self.fluctuation:.2g}: "
            f'single networks miss the onset; draw orthogonal matrices (Ensemble(.., matrices="orthogonal")), or take slower gates'
        )

    def check(self) -> None:
        """ValueError for numbers that are none, or negative ones that cannot be."""
        require(self.n_steps >= 1, f"n_steps must be at least 1, got {self.n_steps}")
        perhaps = (self.square_std, self.largest, self.slow_fraction, self.radius_sd)
        values = (self.mean_square, self.radius, self.sensitivity, *(value or 0.0 for value in perhaps))
        require(bool(np.all(np.array(values) >= 0.0)), f"mean squares, radii and fractions must not be negative, got {values}")

    def __str__(self) -> str:
        heard = "".join(f", of a loss on {name} {power(value)}" for name, value in self.log10_heard.items())
        slow = "not resolved" if self.slow_fraction is None else f"{100 * self.slow_fraction:.3g} % of the modes"
        return (
            f"gradients through {self.n_steps} steps: mean square {power(self.log10_gradient)}{heard} "
            f"({power(self.log10_untied)} if weights were drawn anew in each step)\n"
            f"{self._product_in_words()}"
            f"one step: squared singular values have mean {self.mean_square:.4g} and standard deviation "
            f"{_words(self.square_std, '.3g')}, the largest singular value is {_words(self.largest, '.5g')}; "
            f"spectral radius {self.radius:.6g}\n"
            f"slower than {self.n_steps} steps: {slow}\n"
            f"Adam: Lambda = {self.sensitivity:.3g} (T d radius / d gain), learning rates up to {self.learning_rate:.2g}; "
            f"eps below {power(self.log10_eps)}{self._fluctuation_in_words()}"
        )

    def _product_in_words(self):
        if self.product_steps is None:
            return ""
        return (
            f"all steps: squared singular values of the product have standard deviation {_words(self.product_std, '.2g')}, "
            f"its largest singular value is {_words(self.product_largest, '.3g')}\n"
        )

    def _fluctuation_in_words(self):
        if self.fluctuation is None:
            return ""
        return f"\n{self.n_units} units: Lambda times the fluctuation of the gain is {self.fluctuation:.2g}"


def promise_of(spectrum: Spectrum, n_steps: int, alike: tuple[Spectrum, int] | None, n_units: int) -> Promise:
    """The promise of an ensemble in a state, T = ``n_steps``.

    Parameters
    ----------
    spectrum : Spectrum, of its zero state
    n_steps : int >= 1
    alike : (Spectrum, int) or None
        A state and a number of steps, few enough for all singular values of their product, that are alike: gates are as slow.
    n_units : int >= 2, of the networks that the radius fluctuates over
    """
    cell = spectrum.cell
    heard = [name for name in cell.state_names if name in cell.message_names] if cell.n_state > 1 else []
    singular, tied = _known(spectrum.singular_values), gradient_growth(spectrum, n_steps)
    product = None if alike is None else _known(lambda: product_singular_values(*alike))
    return Promise(
        n_steps=n_steps,
        log10_gradient=float(tied.log10[-1]),
        log10_heard={name: float(replace(tied, block=(name,)).log10[-1]) for name in heard},
        log10_untied=float(gradient_growth(spectrum, n_steps, "untied").log10[-1]),
        mean_square=float(gradient_growth(spectrum, 1).mean_square[1]),
        square_std=None if singular is None else _known(singular.square_std),
        largest=None if singular is None else _known(singular.largest),
        product_std=None if product is None else _known(product.square_std),
        product_largest=None if product is None else _known(product.largest),
        product_steps=None if product is None else product.n_steps,
        radius=spectrum.radius(),
        slow_fraction=_known(lambda: float(spectrum.slow_fraction(float(n_steps), tol=_TOL))),
        sensitivity=n_steps * _slope(spectrum),
        n_units=n_units,
        radius_sd=_radius_sd(spectrum, n_units),
    )


def _slope(spectrum):
    """d radius / d gain of the candidate, at the onset."""
    ensemble = spectrum.fixed_point.ensemble
    return onset_slope(Initialisation(ensemble.cell.name, ensemble))[1]


def _radius_sd(spectrum, n_units):
    """The standard deviation of the radius over networks of N units; None of matrices for which it is not known."""
    ensemble = spectrum.fixed_point.ensemble
    spread = any(ensemble.array(kind).any() for kind in ("bias_std", "input_std", "parameter_std", "parameter_input_std"))
    try:
        return spectrum.finite_size(n_units, _DRAWS if spread else 1, 0).radius.sd
    except (CapabilityError, ConvergenceError):
        return None


def _known(number):
    """What says more about a design; None where it does not converge, or is not known for its matrices: the design is as good."""
    try:
        return number()
    except (CapabilityError, ConvergenceError):
        return None


def _words(number, digits):
    return "not resolved" if number is None else format(number, digits)
