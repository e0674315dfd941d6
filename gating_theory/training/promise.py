"""What an initialisation promises about gradients: their mean square through T steps, singular values, slow modes [T9]."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..errors import ConvergenceError
from ..gradients.growth import gradient_growth
from ..gradients.products import product_singular_values
from ..results.encoding import dict_of, require, result
from ..spectrum.spectrum import Spectrum
from .gradients import power

__all__ = ["Promise", "promise_of"]

#: Tolerance of slow fractions.
_TOL = 1e-3


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
        does not converge: rare units of a law of biases make it then.
    product_steps : int or None
    radius : float, the spectral radius
    slow_fraction : float or None
        Of the modes slower than T steps, growing ones included; None where the spectrum is too small a disc beside the circle of
        these modes to be resolved.
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

    as_dict = dict_of

    def check(self) -> None:
        """ValueError for numbers that are none, or negative ones that cannot be."""
        require(self.n_steps >= 1, f"n_steps must be at least 1, got {self.n_steps}")
        values = (self.mean_square, self.square_std or 0.0, self.largest or 0.0, self.radius, self.slow_fraction or 0.0)
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
            f"slower than {self.n_steps} steps: {slow}"
        )

    def _product_in_words(self):
        if self.product_steps is None:
            return ""
        return (
            f"all steps: squared singular values of the product have standard deviation {_words(self.product_std, '.2g')}, "
            f"its largest singular value is {_words(self.product_largest, '.3g')}\n"
        )


def promise_of(spectrum: Spectrum, n_steps: int, alike: tuple[Spectrum, int] | None) -> Promise:
    """The promise of an ensemble in a state, T = ``n_steps``.

    Parameters
    ----------
    spectrum : Spectrum, of its state
    n_steps : int >= 1
    alike : (Spectrum, int) or None
        A state and a number of steps, few enough for all singular values of their product, that are alike: gates are as slow.
    """
    cell = spectrum.cell
    heard = [name for name in cell.state_names if name in cell.message_names] if cell.n_state > 1 else []
    singular, tied = spectrum.singular_values(), gradient_growth(spectrum, n_steps)
    product = None if alike is None else _known(lambda: product_singular_values(*alike))
    return Promise(
        n_steps=n_steps,
        log10_gradient=float(tied.log10[-1]),
        log10_heard={name: float(replace(tied, block=(name,)).log10[-1]) for name in heard},
        log10_untied=float(gradient_growth(spectrum, n_steps, "untied").log10[-1]),
        mean_square=float(singular.moments(1)[0]),
        square_std=_known(singular.square_std),
        largest=_known(singular.largest),
        product_std=None if product is None else _known(product.square_std),
        product_largest=None if product is None else _known(product.largest),
        product_steps=None if product is None else product.n_steps,
        radius=spectrum.radius(),
        slow_fraction=_known(lambda: float(spectrum.slow_fraction(float(n_steps), tol=_TOL))),
    )


def _known(number):
    """A number that says more about a design; None where it does not converge, which does not make the design a bad one."""
    try:
        return number()
    except ConvergenceError:
        return None


def _words(number, digits):
    return "not resolved" if number is None else format(number, digits)
