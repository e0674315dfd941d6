"""How many singular values of a product of Jacobians are zero [T9]."""

from __future__ import annotations

import numpy as np

from ..errors import ConvergenceError
from .time_equations import TimeEquations
from .time_solver import TimeSolution, solve

__all__ = ["ATOM_TOL", "weight_at_zero"]

#: How well the weight must be known; what is less is none.
ATOM_TOL, _FAINT = 1e-3, 1e-4
#: Regulators, in units of the root mean square singular value.
_REGULATORS = 10.0 ** -np.arange(9.0)
#: Differences that are rounding.
_ROUNDING = 1e-12


def weight_at_zero(equations: TimeEquations, scale: float) -> float:
    """The fraction of the singular values that are zero: lim eta m(eta) / d.

    eta m approaches it by powers of eta like 2 / (T + 1), which an epsilon table takes out one after the other.

    Parameters
    ----------
    equations : TimeEquations
    scale : float > 0, the root mean square singular value

    Raises
    ------
    ConvergenceError
        the limit is not seen
    """
    values: list[float] = []
    known: TimeSolution | None = None
    at: float | None = None
    for eta in _REGULATORS * scale:
        known = solve(equations, 1.0 / eta, known, at)
        assert known.swept is not None  # it is a solution
        values.append(float(1.0 - known.swept.trace / (eta * equations.d)))
        known, at = TimeSolution(known.P, known.Q), 1.0 / eta
    last, before = _limit(values), _limit(values[:-1])
    if abs(last - before) > ATOM_TOL:
        raise ConvergenceError(
            f"zeros among the singular values of a product of {equations.T} Jacobians: not told from small ones; "
            "ask for fewer steps",
            estimate=last,
        )
    return float(min(last, 1.0)) if last > _FAINT else 0.0


def _limit(values):
    """The last even column of Wynn's epsilon table, as far as differences are more than rounding."""
    before, now, best = np.zeros(len(values) + 1), np.array(values), values[-1]
    for column in range(1, len(values)):
        differences = np.diff(now)
        if np.abs(differences).min() < _ROUNDING:
            return float(now[-1]) if column % 2 else best
        before, now = now, before[1:-1] + 1.0 / differences
        if column % 2 == 0:
            best = float(now[-1])
    return best
