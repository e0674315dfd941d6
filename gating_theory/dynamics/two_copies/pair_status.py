"""What kind of pair two copies are [T8b]."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...results.status import Status
from ..dynamic_mean_field.state import DynamicMeanField
from .copies import Copies
from .frozen_gates import frozen_fields, unforgetting

__all__ = ["Found", "pair_status"]


@dataclass(frozen=True)
class Found:
    """What was found of two copies.

    Attributes
    ----------
    rate, rate_error : float
    together, independent : bool, whether c* is 1, or 0 within its error
    trouble : str, what is wrong with the solution, or nothing
    """

    rate: float
    rate_error: float
    together: bool
    independent: bool
    trouble: str


def pair_status(one: DynamicMeanField, copies: Copies, found: Found) -> Status:
    """The status of a PairState; c* = 1 is "together" only where copies come back to it.

    Parameters
    ----------
    one : DynamicMeanField, of one copy
    copies : Copies
    found : Found
    """
    if not one.ok:
        return Status(one.status.code, f"one copy: {one.status}", ok=False)
    rate, error, window = found.rate, found.rate_error, _window(one)
    if found.trouble:
        return Status("not_converged", "; ".join(filter(None, (found.trouble, window))), ok=False)
    text = "rate unknown" if np.isnan(rate) else f"rate {rate:.6g}"
    if abs(rate) <= 2.0 * error:
        return Status("undecided", f"{text}, marginal", ok=not found.together)  # copies may leave c* = 1
    if rate > 0.0:
        return Status("not_converged", f"copies leave this correlation, {text}", ok=False)
    code = "together" if found.together else "independent" if found.independent else "apart" if copies.common else "correlated"
    return Status("frozen_gates", f"{code}, {text}, of a window: {window}") if window else Status(code, f"{code}, {text}")


def _window(one):
    """Why a rate is that of a window; nothing where it is one."""
    if one.method == "lag":
        return ""
    static = one.status.code == "static"
    frozen = range(one.ensemble.cell.n_fields) if static else frozen_fields(one.ensemble)
    names = unforgetting(one.ensemble, frozenset(frozen), one.flow)
    return f"sites remember without bound where {' and '.join(names)} stands still" if names else ""
