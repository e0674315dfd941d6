"""Where random networks become chaotic: the sign of the largest Lyapunov exponent of what they run into [T5]."""

from __future__ import annotations

import numpy as np

from .blocks import block_error
from .checks import generator, integer, real
from .ensemble import Ensemble
from .errors import ConvergenceError
from .mean_field import onset
from .simulation import simulate

__all__ = ["chaos_onset", "ChaosOnset", "largest_exponent"]


class ChaosOnset(float):
    """The value of a hyperparameter where chaos sets in: a float that carries its error and how it was found.

    Attributes
    ----------
    parameter : str
    error : float, half the bracket in which the exponent changes sign
    below, above : (exponent, standard error) at the ends of the bracket
    jump : bool
        Whether the exponent is well away from zero (five standard errors) on both sides: a transition from a fixed point straight
        to chaos, as where non-zero states appear at finite amplitude.
    n_units, n_steps : int
    """

    def __new__(cls, value, parameter, error, below, above, n_units, n_steps):
        self = super().__new__(cls, value)
        self.parameter, self.error, self.below, self.above = parameter, error, below, above
        self.jump = bool(min(abs(x) - 5.0 * e for x, e in (below, above)) > 0.0)
        self.n_units, self.n_steps = n_units, n_steps
        return self

    def __getnewargs__(self):
        return (float(self), self.parameter, self.error, self.below, self.above, self.n_units, self.n_steps)

    def __repr__(self):
        return f"{self.parameter} = {float(self):.6g} +- {self.error:.2g} (chaos, {self.n_units} units, {self.n_steps} steps)"


def largest_exponent(ensemble, n_units=2000, n_steps=200, *, scale=1.0, rng=None):
    """Largest Lyapunov exponent of one random network of an ensemble, started from a random state [T5].

    The growth of a tangent vector over the second half of the run; implicit matrices, so that nothing of order N^2 is made.

    Parameters
    ----------
    ensemble : Ensemble
    n_units : int >= 10, N
    n_steps : int >= 20
    scale : float >= 0, standard deviation of the initial state
    rng : numpy Generator, int or None

    Returns
    -------
    (float, float) : the exponent per step (natural logarithm), and its standard error from ten blocks

    Raises
    ------
    TypeError, ValueError, MemoryError : as simulate
    """
    n_units, n_steps = integer("n_units", n_units, low=10), integer("n_steps", n_steps, low=20)
    run = simulate(ensemble, n_units, n_steps, rng=generator(rng), tangent=True, record=0, scale=scale)
    late = run.growth[n_steps // 2 :]
    return float(late.mean()), float(block_error(late))


def chaos_onset(ensemble, parameter, bounds=None, *, n_units=2000, n_steps=200, tol=0.02, scale=1.0, rng=0):
    """The value of a hyperparameter at which random networks become chaotic, by bisection of their largest exponent's sign [T5].

    Below it a network that starts from a random state of size ``scale`` ends at a fixed point, zero or not; above it does not.
    Where an active state exists beside a stable zero state (the GRU with a_r > sqrt 8) that depends on the start: a large one
    finds the active state.

    Parameters
    ----------
    ensemble : Ensemble
    parameter : str, a path such as "gain.h"
    bounds : (float, float), optional
        Default: half and twice the onset of instability of the zero state.
    n_units : int >= 10, n_steps : int >= 20
        Size and length of each run. A transition of N units is sharp to order N^{-1/2}.
    tol : float > 0
        Width of the final bracket, relative to the value.
    scale : float >= 0
    rng : numpy Generator, int or None
        A seed: the same random numbers at every value, so that the bisection sees one network change.

    Returns
    -------
    ChaosOnset, a float with its error

    Raises
    ------
    TypeError, ValueError : bad arguments, or no change of sign within the bounds
    ConvergenceError : the exponent was not finite
    """
    if not isinstance(ensemble, Ensemble):
        raise TypeError(f"ensemble must be an Ensemble, got {ensemble!r}")
    ensemble.value(parameter)
    tol = real("tol", tol, low=0.0, open_low=True)
    if bounds is None:
        start = float(onset(ensemble, parameter))
        bounds = 0.5 * start, 2.0 * start
    low, high = (real("bounds", b) for b in bounds)
    if not low < high:
        raise ValueError(f"bounds must be (low, high) with low < high, got {bounds!r}")
    seed = rng if isinstance(rng, int) else int(generator(rng).integers(2**63))

    def exponent(value):
        found = largest_exponent(ensemble.replace({parameter: value}), n_units, n_steps, scale=scale, rng=seed)
        # -inf: the state has become exactly zero, tangent and all
        if np.isnan(found[0]) or found[0] == np.inf:
            raise ConvergenceError(f"the exponent at {parameter} = {value} is {found[0]}", estimate=value)
        return (found[0], found[1] if np.isfinite(found[0]) else 0.0)

    below, above = exponent(low), exponent(high)
    if not below[0] < 0.0 < above[0]:
        raise ValueError(
            f"no onset of chaos in {parameter} within bounds {(low, high)}: the largest exponent is {below[0]:.3g} at the lower "
            f"and {above[0]:.3g} at the upper one; wider bounds?"
        )
    while high - low > tol * max(abs(low), abs(high), 1e-12):
        middle = 0.5 * (low + high)
        found = exponent(middle)
        if found[0] < 0.0:
            low, below = middle, found
        else:
            high, above = middle, found
    return ChaosOnset(0.5 * (low + high), parameter, 0.5 * (high - low), below, above, n_units, n_steps)
