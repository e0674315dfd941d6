"""A curve of fixed points (state, parameter): Newton's method onto it, zeros along it, and the range in which it is followed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...errors import ConvergenceError
from ...support.checks import interval
from ..program.taylor import parameter_slope, taylor

if TYPE_CHECKING:
    from ..flow import Flow
    from ..line import Path

__all__ = ["Equations", "equations", "linearised", "newton_onto_curve", "parameter_bounds"]

#: Correction, relative to the largest of 1 and the unknowns, below which Newton has converged, and below which corrections that do
#: not shrink any more are rounding errors: beside a branch point they are magnified.
_TOL, _STALLED = 1e-13, 1e-9

#: Rounding errors of an equation in units of its terms, with room for the sums inside them.
_ROUNDING = 16 * np.finfo(float).eps

#: Modulus of a state beyond which Newton is lost.
_AWAY = 1e6


@dataclass(frozen=True)
class Equations:
    """The equations f(state, parameter) = 0 at a point, to second order, each divided by the size of its derivatives.

    Shut gates make some equations tiny without any bifurcation; so scaled, all of them are alike. Slopes alone are no scale: at a
    bifurcation all slopes of an equation may vanish.

    Attributes
    ----------
    flow : Flow, at this value of the parameter
    path : str or Line
    point : (dim + 1,) array, states first, the parameter last
    size : (dim,) array, what each equation is divided by
    rest : (dim,) array, what is left of the equations at the point
    slopes : (dim, dim + 1) array
    bend : (dim, dim + 1, dim + 1) array of second derivatives
    """

    flow: Flow
    path: Path
    point: np.ndarray
    size: np.ndarray
    rest: np.ndarray
    slopes: np.ndarray
    bend: np.ndarray

    @property
    def rounding(self) -> np.ndarray:
        """(dim,) array: how far rounding errors can be expected to move ``rest``."""
        return _ROUNDING * (1.0 + np.abs(self.slopes) @ np.abs(self.point))

    @property
    def slope_rounding(self) -> float:
        """How far rounding errors can be expected to move one of the slopes."""
        return float(_ROUNDING * (1.0 + (np.abs(self.bend) @ np.abs(self.point)).max()))


def equations(flow: Flow, path: Path, point: np.ndarray) -> Equations:
    """The scaled equations at a point (dim + 1,) of states and parameter."""
    here, state, n = flow.replace(path, float(point[-1])), point[:-1], flow.dim
    unit = np.eye(n)
    i, j = np.triu_indices(n)
    # second Taylor coefficients along directions and along their sums give the mixed derivatives
    second = taylor(here, state, np.concatenate([unit, unit[i] + unit[j]]), 2)[2]
    own, both = second[:n], second[n:]
    _, first, moved = taylor(here, state, np.vstack([unit, np.zeros((1, n))]), 2, here.rates(path))
    bend = np.empty((n, n + 1, n + 1))
    bend[:, i, j] = bend[:, j, i] = (both - own[i] - own[j]).T
    bend[:, :n, n] = bend[:, n, :n] = (moved[:n] - own - moved[n]).T
    bend[:, n, n] = 2.0 * moved[n]
    slopes = np.column_stack([here.jacobian(state), first[n]])
    size = np.sqrt((slopes**2).sum(axis=1) + (bend**2).sum(axis=(1, 2)))
    size = np.maximum(size, 1e-300)
    return Equations(here, path, point, size, here(state) / size, slopes / size[:, None], bend / size[:, None, None])


def linearised(flow: Flow, path: Path, point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is left of the equations at a point (dim + 1,), (dim,), and their slopes (dim, dim + 1), scaled to rows of norm 1."""
    here, state = flow.replace(path, float(point[-1])), point[:-1]
    rows = np.column_stack([here.jacobian(state), parameter_slope(here, state, path)])
    # shut gates make some rows tiny: each is solved at its own size
    size = np.maximum(np.linalg.norm(rows, axis=1), 1e-300)
    return here(state) / size, rows / size[:, None]


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
    ConvergenceError
        no convergence
    """
    y, last = guess.copy(), np.inf
    for _ in range(iterations):
        if not np.isfinite(y).all() or np.abs(y[:-1]).max() > _AWAY:
            break
        rest, slopes = linearised(flow, path, y)
        A = np.vstack([slopes, tangent])
        try:
            change = np.linalg.solve(A, -np.append(rest, tangent @ (y - guess)))
        except np.linalg.LinAlgError:
            break
        y = y + change
        moved = np.abs(change).max() / max(1.0, np.abs(y).max())
        if moved < _TOL or (moved < _STALLED and moved > 0.5 * last):
            direction = np.linalg.solve(A, np.append(np.zeros(len(y) - 1), 1.0))
            return y, direction / np.linalg.norm(direction)
        last = moved
    raise ConvergenceError("continuation: Newton's method does not converge", y)


def parameter_bounds(flow: Flow, path: Path, bounds: npt.ArrayLike) -> np.ndarray:
    """The range (low, high) of a parameter; ValueError unless it contains the flow's own value, but for rounding errors."""
    low, high = interval("bounds", bounds)
    value = flow.parameter(path)
    slack = _ROUNDING * max(1.0, abs(value))
    if not low - slack <= value <= high + slack:
        raise ValueError(f"bounds must contain the flow's {path} = {value}, got {(low, high)}")
    return np.array([low, high])
