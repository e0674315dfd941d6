"""A curve of fixed points (state, parameter): Newton's method onto it, zeros along it, and the range in which it is followed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...errors import ConvergenceError
from ...support.checks import interval
from ..program.taylor import parameter_slope

if TYPE_CHECKING:
    from ..flow import Flow
    from ..line import Path

__all__ = ["newton_onto_curve", "parameter_bounds", "sign_change"]

#: Correction, relative to the largest of 1 and the unknowns, below which Newton has converged.
_TOL = 1e-13

#: Modulus of a state beyond which Newton is lost.
_AWAY = 1e6


def newton_onto_curve(
    flow: Flow, path: Path, guess: np.ndarray, tangent: np.ndarray, iterations: int = 12
) -> tuple[np.ndarray, np.ndarray]:
    """Newton's method onto the curve of fixed points in the hyperplane through ``guess`` across ``tangent``.

    Parameters
    ----------
    flow : Flow
    path : str or Line, the parameter
    guess, tangent : (dim + 1,) arrays, states first, the parameter last
    iterations : int

    Returns
    -------
    point, direction : (dim + 1,) arrays, a point of the curve and its unit tangent there, in the sense of ``tangent``

    Raises
    ------
    ConvergenceError : no convergence
    """
    y = guess.copy()
    for _ in range(iterations):
        if not np.isfinite(y).all() or np.abs(y[:-1]).max() > _AWAY:
            break
        here = flow.replace(path, float(y[-1]))
        f, J, slope = here(y[:-1]), here.jacobian(y[:-1]), parameter_slope(here, y[:-1], path)
        rows = np.column_stack([J, slope])
        # shut gates make some rows tiny: each is solved at its own size
        size = np.maximum(np.linalg.norm(rows, axis=1), 1e-300)
        A = np.vstack([rows / size[:, None], tangent])
        try:
            change = np.linalg.solve(A, -np.append(f / size, tangent @ (y - guess)))
        except np.linalg.LinAlgError:
            break
        y = y + change
        if np.abs(change).max() < _TOL * max(1.0, np.abs(y).max()):
            direction = np.linalg.solve(A, np.append(np.zeros(len(f)), 1.0))
            return y, direction / np.linalg.norm(direction)
    raise ConvergenceError("continuation: Newton's method does not converge", y)


def sign_change(test: Callable[[float], float], length: float, **tolerances: float) -> float:
    """Where a test function along a curve changes its sign.

    Parameters
    ----------
    test : callable of the length along the curve
    length : float, the end of the bracket, which begins at 0
    tolerances : ``xtol`` and ``rtol`` of brentq

    Returns
    -------
    float in [0, length]

    Raises
    ------
    ConvergenceError : the same sign at both ends, or no number on the way
    """
    from scipy.optimize import brentq

    known: dict[float, float] = {}

    def number(s: float) -> float:
        if s not in known:
            known[s] = test(s)
        if np.isnan(known[s]):
            raise ConvergenceError("continuation: a test function is not a number", s)
        return known[s]

    if number(0.0) * number(length) > 0.0:
        raise ConvergenceError("continuation: a test function has the same sign at both ends", length)
    return brentq(number, 0.0, length, **tolerances)


def parameter_bounds(flow: Flow, path: Path, bounds: npt.ArrayLike) -> np.ndarray:
    """The range (low, high) of a parameter; ValueError unless it contains the flow's own value."""
    low, high = interval("bounds", bounds)
    value = flow.parameter(path)
    if not low <= value <= high:
        raise ValueError(f"bounds must contain the flow's {path} = {value}, got {(low, high)}")
    return np.array([low, high])
