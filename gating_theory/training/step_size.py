"""What Adam can do with an initialisation: how large its steps may be, and how small its eps has to be [T9].

Gradients through T steps change by 2 Lambda da in their logarithm where the candidate's gain changes by da, with

    Lambda = T d radius / d gain,    the radius at 1: T (1 - z) sigma(b_r) of a GRU, T o i of an LSTM.

Adam's step moves gains by about its learning rate whatever the gradient is, as long as that is above its eps: rates up to
.05 / Lambda train, of those from .06 to .4 / Lambda about half fail (measured, NUMERICS.md). Gradients of the size sqrt(G(T))
below eps move nothing: log10 G(T) > 2 log10 eps is what a task needs whose only signal comes from T steps back.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import CapabilityError
from ..interop.initialise import Initialisation
from ..mean_field.fixed_points import zero_state
from ..spectrum.edge_numbers import outermost_numbers
from ..spectrum.spectrum import Spectrum
from .unknowns import candidate_of

__all__ = ["at_rest", "largest_rate", "onset_slope"]

#: Lambda times the learning rate up to which Adam trains.
_STANDS = 0.05
#: Tolerance of the units that make the edge.
_TOL = 1e-10


def at_rest(initialisation: Initialisation) -> Spectrum:
    """The spectrum of silent networks: of the zero state, or of the units that have chrono biases.

    Parameters
    ----------
    initialisation : Initialisation

    Raises
    ------
    CapabilityError
        no zero state
    """
    if initialisation.chrono:
        return Spectrum(initialisation.sites)
    point = zero_state(initialisation.ensemble)
    if point is None:
        raise CapabilityError(f"{initialisation.name!r} has no zero state: its messages do not vanish")
    return Spectrum(point)


def onset_slope(initialisation: Initialisation) -> tuple[float, float]:
    """(gain, slope): the candidate's gain at which the radius of silent networks is 1, and d radius / d gain there.

    Parameters
    ----------
    initialisation : Initialisation; the candidate's own gain does not count

    Raises
    ------
    CapabilityError
        no zero state, no single candidate, a spectrum that reaches 1 at no gain
    """
    ensemble = initialisation.ensemble
    candidate = candidate_of(ensemble.cell)
    if candidate is None:
        raise CapabilityError(f"cell {ensemble.cell.name!r} has no single field that moves a unit at rest")
    path = f"gain.{candidate}"
    spectrum = at_rest(replace(initialisation, ensemble=ensemble.replace({path: 1.0})))
    # T(1) is the square of the candidate's gain, and no other matrix counts
    at_one = float(spectrum.edge_function(1.0))
    if not 0.0 < at_one < np.inf:
        raise CapabilityError(f"{initialisation.name!r} at rest has no onset along {path!r}: T(1) = {at_one:g} at a gain of one")
    gain = at_one**-0.5
    numbers = outermost_numbers(spectrum.sites_near(1.0, _TOL), np.array([1.0 + 0.0j]))
    return gain, float(2.0 / gain / abs(numbers.gradient[0].real / at_one))


def largest_rate(sensitivity: float) -> float:
    """The largest learning rate of Adam that an initialisation stands, .05 / Lambda.

    Parameters
    ----------
    sensitivity : float, Lambda
    """
    return _STANDS / sensitivity if sensitivity > 0.0 else np.inf
