"""Moving states of small amplitude, next to the onset of the zero state's instability [T8].

There everything is slow: sites follow their fields at once, but for what bends the response at low frequencies. Let small moments
C at a lag become alpha C + kappa C'' + P C^2 + Q D^2 + (beta - P - Q) D C, with D = C(0). A state is then a motion in a potential,

    kappa C'' = -V'(C),      V = (alpha - 1 + (beta - P - Q) D) C^2/2 + P C^3/3 + Q D^2 C,

that falls from D to its rest x D, V'(x D) = 0, at the same height. With Q = 0 (no mean is made) x = 0 and

    alpha - 1 = (P/3 - beta) D;      in general x = -1 + sqrt(1 + 3 Q/P),    alpha - 1 = (P + Q - beta - Q/x - P x) D

Fixed points have alpha - 1 = -beta D. Where P <= Q nothing moves, and where the response does not fall with the frequency (a map
whose sites forget at once) states are white: the fixed points' law holds for both.
"""

from __future__ import annotations

import numpy as np

from ...ensemble.critical_value import Critical
from ...ensemble.ensemble import Ensemble
from ...ensemble.paths import AnyPath
from ...errors import CapabilityError
from ...mean_field.critical import turning_point
from ...mean_field.expansion import slow_moments
from ...mean_field.fixed_points import zero_state
from ...spectrum.spectrum import Spectrum
from ...support.arithmetic import underflow_is_zero
from ...support.checks import boolean, instance, real
from .clock import LEAST_STEP, Clock

__all__ = ["bend_of_chaos", "chaos_tricritical"]

#: A low frequency, and the part by which growth has to differ there.
_LOW, _FLAT = 0.01, 1e-9


def bend_of_chaos(ensemble: Ensemble, clock: Clock) -> float:
    """-d alpha/dD along the moving states that leave the zero state at its onset: positive where chaos begins with a jump [T8].

    alpha is the growth of small moments, D that of the first message; nan where this has no part in the growth. GRU:
    (a_r^2 (1 - s)(5 - 8 s)/3 - 2).

    Parameters
    ----------
    ensemble : Ensemble, at the onset
    clock : Clock

    Raises
    ------
    CapabilityError
        No zero state, kinks, input that is drawn anew in every step; growth that is faster at other frequencies than zero.
    """
    if ensemble.has_white_input:
        raise CapabilityError("small moving states: white input makes gates fast where everything else is slow")
    _, beta, P, Q = slow_moments(ensemble)
    if P <= Q or _is_white(ensemble, clock):
        return beta
    if Q <= 1e-14 * P:
        return beta - P / 3.0
    x = np.sqrt(1.0 + 3.0 * Q / P) - 1.0
    return beta - P - Q + Q / x + P * x


def _is_white(ensemble, clock):
    """Whether small moments of low frequency grow as those of frequency zero."""
    spectrum = Spectrum(zero_state(ensemble))
    low = 1j * _LOW if clock.flow else (np.exp(1j * _LOW) - 1.0) / clock.step
    part = spectrum.edge_function(1.0 + low) / spectrum.edge_function(1.0) - 1.0
    if part > _FLAT:
        raise CapabilityError("small moving states oscillate: moments of other frequencies than zero grow faster")
    return part > -_FLAT


@underflow_is_zero
def chaos_tricritical(
    ensemble: Ensemble,
    parameter: AnyPath,
    along: AnyPath,
    bounds: tuple[float, float] | None = None,
    along_bounds: tuple[float, float] | None = None,
    *,
    step: float = 1.0,
    flow: bool = False,
) -> Critical:
    """Where chaos turns from beginning continuously to beginning with a jump [T8].

    The local condition, for every cell with a zero state: next to the onset in ``along`` all is slow, so that an energy decides,
    whatever the step and the gates that only set the speed. GRU: a_r^2 (1 - s)(5 - 8 s) = 6 with s = sigma(b_r), a_r = sqrt 12 at
    zero biases, which is not the sqrt 8 of fixed points (:func:`~gating_theory.tricritical`). LSTM: a_o^2 + a_i^2 + 4 a_f^2 = 96.

    Parameters
    ----------
    ensemble : Ensemble
    parameter : path of the value, such as "gain.r"
    along : path whose value is kept at the onset, such as "gain.h"; they must set different hyperparameters
    bounds, along_bounds : (low, high) of ``parameter`` and of ``along``, optional. Default as for :func:`~gating_theory.onset`.
    step, flow : as of :func:`dmft`
        They decide only where sites of a map forget at once: there chaos is white and follows the law of fixed points.

    Returns
    -------
    Critical, of the kind "tricritical", accurate to about 1e-10; its ``ensemble`` has both values set

    Raises
    ------
    TypeError, ValueError
        as :func:`~gating_theory.tricritical`
    CapabilityError
        No zero state, no closed-form fixed point of sites, kinks, white input; small states that oscillate.
    NoCriticalValue
        no change within the bounds

    See Also
    --------
    tricritical : the same of fixed points
    chaos_line : where chaos begins

    Examples
    --------
    >>> import gating_theory as gt
    >>> found = gt.chaos_tricritical(gt.Ensemble(gt.GRU), "gain.r", "gain.h")
    >>> print(round(float(found), 4), round(found.ensemble.gain["h"], 4))  # sqrt(12)
    3.4641 2.0
    """
    instance("ensemble", ensemble, Ensemble).require("dynamics", "chaos_tricritical", "chaos_onset")
    clock = Clock(real("step", step, low=LEAST_STEP, high=1.0), boolean("flow", flow))
    return turning_point(
        "chaos_tricritical", ensemble, parameter, along, bounds, along_bounds, lambda there: bend_of_chaos(there, clock)
    )
