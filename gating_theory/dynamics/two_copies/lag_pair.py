"""Two copies of a network with a constant leak: their correlation, one function of the lag, and how fast it is reached [T8b].

The variance is that of one copy, whose state has been solved for. Between copies, D(tau) = E s^1(t) s^2(t + tau),

    |e^(i w) - b|^2 D(w) = step^2 F_12(w),        F_12(tau) = E f^1(t) f^2(t + tau),  a function of D(tau),

and iteration of that converges as the copies do: the rate is that of the tangents of one copy and of the other,
the lowest level of the operator of the exponent at K = step^2 dF_12/dD.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..dynamic_mean_field.clock import even_spectrum, from_even_spectrum
from ..dynamic_mean_field.lag_exponent import growth_rate
from ..dynamic_mean_field.lag_law import CopyLaw
from ..dynamic_mean_field.lag_shape import LagShape
from ..dynamic_mean_field.mixing import fixed_point_of

__all__ = ["LagPair", "lag_pair"]

#: Steps that are remembered, plain ones first, evaluations at most, residual; evaluations of plain iteration, where mixing has
#: ended in a correlation that iteration leaves.
_DEPTH, _PLAIN, _LIMIT, _TOL, _LONG = 12, 8, 400, 1e-13, 5000
#: How far apart states are, relative to C(0), that count as the same.
_TOGETHER = 1e-9


@dataclass(frozen=True)
class LagPair:
    """The correlation of two copies.

    Attributes
    ----------
    law : CopyLaw
    shape : LagShape, of one copy
    D : (M + 1,) array, E s^1(t) s^2(t + tau) at lags 0 .. M times ``shape.clock.step``
    residual : float
    flat : float, what the last quarter of D differs in, relative to C(0)
    growth : float
        s per unit of time: correlations that are not D come back to it as e^(2 s t), or leave it where s > 0.
    """

    law: CopyLaw
    shape: LagShape
    D: np.ndarray
    residual: float
    flat: float
    growth: float

    @property
    def together(self) -> bool:
        """Whether both copies are in the same state."""
        return bool(np.abs(self.D - self.shape.C).max() <= _TOGETHER * self.shape.C[0])

    @property
    def response(self) -> float:
        """What errors of the drive are multiplied by in D."""
        clock, leak = self.shape.clock, self.shape.law.form.leak
        if clock.flow:
            kept = (1.0 + self.growth / leak) ** 2
        else:
            b = 1.0 - leak * clock.step
            kept = ((np.exp(self.growth * clock.step) - b) / (1.0 - b)) ** 2
        return 1.0 / max(abs(1.0 - kept), 1e-12)


def lag_pair(shape: LagShape, white: float, frozen: float, start: float) -> LagPair:
    """The correlation that two copies of a state settle at.

    Parameters
    ----------
    shape : LagShape, of one copy
    white, frozen : float from -1 to 1, correlations of the copies' white inputs and of their biases
    start : float from -1 to 1, of the copies at first

    Returns
    -------
    LagPair, with ``residual`` above 1e-13 where iteration is so slow that 5000 steps are too few
    """
    law = shape.law.between(white, frozen)
    found = _solved(law, shape, start, _LIMIT)
    if found.growth > 0.0 or found.residual > _TOL:
        # mixing may end in a correlation that copies leave, and wander where they hardly come back; plain steps do neither
        found = _solved(law, shape, start, _LONG, plain=True)
    return found


def _solved(law, shape, start, limit, plain=False):
    clock, M = shape.clock, shape.C.size - 1
    bound, through = even_spectrum(shape.C), clock.filter(shape.law.form.leak, M + 1)

    def image(spectrum):
        spectrum = np.clip(spectrum, -bound, bound)  # mixing may leave the covariances
        return through * even_spectrum(law.drive(from_even_spectrum(spectrum)))

    # one number that stays makes the residual relative to one copy's size: correlations between copies may vanish
    x = np.append(start * bound, np.linalg.norm(bound))
    steps = limit if plain else _PLAIN
    point = fixed_point_of(lambda x: np.append(image(x[:-1]), x[-1]), x, _TOL, depth=_DEPTH, plain=steps, limit=limit)
    D = from_even_spectrum(np.clip(image(point.x[:-1]), -bound, bound))
    _, slope = law(D)
    flat = float(np.ptp(D[3 * M // 4 :])) / shape.law.variance
    return LagPair(law, shape, D, point.residual, flat, growth_rate(clock, shape.law.form.leak, slope))
