"""Two copies of a network with a constant leak, as a result: errors, what kind of state it is [T8b]."""

from __future__ import annotations

import numpy as np

from ..dynamic_mean_field.lag_shape import LagShape
from ..dynamic_mean_field.state import DynamicMeanField
from .copies import Copies
from .lag_pair import lag_pair
from .pair_state import PairState
from .pair_status import Found, pair_status

__all__ = ["lag_pair_result"]

#: Residuals that count as solved; rounding.
_RESIDUAL, _ROUNDING = 1e-9, 1e-10


def lag_pair_result(one: DynamicMeanField, shape: LagShape | None, copies: Copies) -> PairState:
    """The correlation of two copies of a state.

    Parameters
    ----------
    one : DynamicMeanField, of one copy
    shape : LagShape, of one copy; None: the zero state
    copies : Copies
    """
    names, listening = one.ensemble.cell.message_names, one.ensemble.cell.message_of
    if shape is None:
        return nothing(one, copies)
    pair = lag_pair(shape, copies.white, copies.frozen, copies.start)
    cross = pair.law.messages(pair.D)[[listening.index(m) for m in range(len(names))]]
    correlation = {name: float(c[0] / one.moments[name]) + 0.0 for name, c in zip(names, cross)}
    if pair.together:
        correlation, cross = dict.fromkeys(names, 1.0), one.correlations
    relative = max(one.stderr[name] / moment for name, moment in one.moments.items())
    error = float((relative + shape.law.missing + pair.flat + pair.residual) * pair.response) + _ROUNDING
    found = Found(
        rate=2.0 * pair.growth,
        rate_error=2.0 * error,
        together=pair.together,
        independent=all(abs(c) <= 2.0 * error for c in correlation.values()),
        trouble=f"correlations between copies have a residual of {pair.residual:.1g}" if pair.residual > _RESIDUAL else "",
    )
    status = pair_status(one, copies, found)
    return PairState(
        one,
        copies.white,
        copies.frozen,
        copies.start,
        correlation,
        dict.fromkeys(names, 0.0 if pair.together else error),
        cross,
        found.rate,
        found.rate_error,
        status,
    )


def nothing(one: DynamicMeanField, copies: Copies) -> PairState:
    """What there is to say of copies of a state that vanishes, or that was not found: the status of one copy."""
    nan = dict.fromkeys(one.ensemble.cell.message_names, np.nan)
    zeros = np.zeros_like(one.correlations)
    return PairState(one, copies.white, copies.frozen, copies.start, nan, nan, zeros, np.nan, np.nan, one.status)
