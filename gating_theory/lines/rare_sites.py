"""Whether a critical value of the limit is seen in networks: how few sites decide it [T12]."""

from __future__ import annotations

import numpy as np

from ..errors import ConvergenceError
from ..mean_field.fixed_points import FixedPoint
from ..spectrum.concentration import half_shares_of
from ..spectrum.spectrum import Spectrum

__all__ = ["ASK", "ASK_ELSEWHERE", "AT_EDGE", "half_share_at_edge"]

#: Quantities that T at the outermost eigenvalues decides.
AT_EDGE = ("abscissa", "radius", "stable", "slow_fraction")
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
