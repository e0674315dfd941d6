"""Whether a critical value of the limit is seen in networks: how few sites decide it [T12]."""

from __future__ import annotations

import numpy as np

from ..ensemble.ensemble import Ensemble
from ..errors import ConvergenceError
from ..mean_field.carriers import half_share_of_growth
from ..mean_field.fixed_point import FixedPoint
from ..mean_field.fixed_points import zero_state
from ..spectrum.concentration import half_shares_of
from ..spectrum.spectrum import Spectrum
from .measure import state_at

__all__ = ["ASK", "ASK_ELSEWHERE", "AT_EDGE", "half_share_at_edge", "half_share_on_line", "looks_along"]

#: Quantities that T at the outermost eigenvalues decides.
AT_EDGE = ("abscissa", "radius", "stable", "slow_fraction")
#: So many points of a curve are looked at.
_LOOKS = 9
#: How values of networks are asked for, of a quantity that takes ``n_units`` and of others.
ASK, ASK_ELSEWHERE = "n_units= asks for theirs", 'critical(.., "abscissa", 1, n_units=) asks for theirs'


def half_share_at_edge(point: FixedPoint) -> tuple[float, float]:
    """The abscissa, and the fraction of all sites that carry half of T there; nan where it is not known.

    Parameters
    ----------
    point : FixedPoint
    """
    spectrum = Spectrum(point)
    try:
        lam = spectrum.abscissa()
        exact = float(spectrum.edge_function(lam))
        if not 0.0 < exact < np.inf:  # leaks end the spectrum, and not T
            return lam, float("nan")
        return lam, half_shares_of(point, np.array([lam]), np.array([exact]))[0]
    except ConvergenceError:
        return float("nan"), float("nan")


def half_share_on_line(ensemble: Ensemble, quantity: str, moment: float) -> float:
    """The fraction of all sites that carry half of T at a point of a line; nan where it is not known.

    Parameters
    ----------
    ensemble : Ensemble
    quantity : str, "onset" or one of those that T at the edge decides
    moment : float, leading moment of the solution, nan or 0 for the zero state
    """
    if quantity == "onset":
        return half_share_of_growth(ensemble)
    point = state_at(ensemble, float(np.log(moment)))[0] if moment > 0.0 else zero_state(ensemble)
    return float("nan") if point is None else half_share_at_edge(point)[1]


def looks_along(length: np.ndarray) -> list[int]:
    """The numbers of a few of a curve's points, evenly spread over its length.

    Parameters
    ----------
    length : (k,) array, ascending
    """
    even = np.linspace(length[0], length[-1], _LOOKS)
    return sorted({int(np.argmin(np.abs(length - place))) for place in even})
