"""The first moment of singular values in closed form, field after field [T9].

    V_k = a_k^2 (E |M_s,k|^2 + sum over l < k of E M_y,kl^2 V_l),    m_1 = (1/N) tr J^T J = E |F_s|^2 + sum_k V_k E |F_y,k|^2:

V_k is the mean square of what one step brings into field k, from states that have no direction.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...ensemble.field_law import squared
from ...mean_field.fixed_point import FixedPoint

__all__ = ["first_moment"]

#: Tolerances of averages: with a closed form of the sites, and where these are solved for.
_FINE, _SOLVED = 1e-13, 1e-11


def first_moment(point: FixedPoint, lam: complex = 0.0) -> float:
    """(1/N) tr (lambda - J) (lambda - J)^dagger at a fixed point, by averages of each factor over its fields: to about 1e-11 [T9].

    Parameters
    ----------
    point : FixedPoint
    lam : complex
    """
    cell, law = point.ensemble.cell, point.law
    known: dict[Any, Any] = {}
    factors = cell.compiled.derivative_factors
    tol = _FINE if cell.has_closed_form else _SOLVED

    def mean(what):
        if what not in factors:
            return 0.0
        return float(np.ravel(law.mean_of_products(cell, factors[what], tol, cache=known)[0])[0])

    gain2 = squared(point.ensemble.array("gain"))
    fed = np.zeros(cell.n_fields)
    for k in np.flatnonzero(gain2):
        fed[k] = gain2[k] * (mean(f"M_s:{k}") + sum(mean(f"M_y:{k},{l}") * fed[l] for l in np.flatnonzero(fed[:k])))
    total = mean("F_s") + sum(fed[k] * mean(f"F_y:{k}") for k in np.flatnonzero(fed))
    # (lambda - J) (lambda - J)^dagger
    shifted = cell.n_state * abs(lam) ** 2 - 2.0 * complex(lam).real * mean("leak") if lam else 0.0
    return float(total + shifted)
