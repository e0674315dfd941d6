"""Points of a curve of fixed points at which something is critical, by extended systems that are regular there.

The equations of a fixed point are singular at folds and branch points, and say nothing of Hopf points. Joined by the condition that
makes a point critical, and at a branch point by unknowns that unfold it, they are regular: Newton's method then converges
quadratically, and its matrix says how far rounding errors move the result. Kuznetsov, Elements of Applied Bifurcation Theory
(3rd ed.), 10.3; Govaerts, Numerical Methods for Bifurcations of Dynamical Equilibria, ch. 3, 4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...errors import ConvergenceError
from .curve import Equations, equations

if TYPE_CHECKING:
    from ..flow import Flow
    from ..line import Path

__all__ = ["Critical", "coranks", "critical_point", "turning_eigenvalue", "turns"]

#: Newton's steps; the step, relative to the largest of 1 and the unknowns, below which they have converged; and the one below
#: which steps that do not shrink any more are rounding errors.
_STEPS, _CONVERGED, _STALLED = 14, 1e-13, 1e-9

#: Ratio of singular values of the extended system below which it is singular itself.
_SINGULAR = 1e-12

#: A guess further than this from what is found, in states and parameter, was one of something else.
_FAR = 1.0

#: Eigenvalues closer than this part of their modulus are one, several times.
_CLUSTER = 1e-6

#: A complex eigenvalue has an imaginary part above this part of its modulus: a critical one has all of it there.
_TURNING = 1e-3

#: Rounding errors of a critical eigenvalue, in units of its modulus, above which it may as well be real or zero.
_DOUBTFUL = 1e-3

#: Singular values of the slopes, in units of the largest, that may all vanish near by.
_VANISHING = 0.1

#: Unfolding, in units of rounding errors, up to which branches cross rather than pass each other.
_CROSSING = 100.0


@dataclass(frozen=True)
class Critical:
    """A critical point of a curve.

    Attributes
    ----------
    kind : "fold", "branch", "hopf", "neimark_sacker" or "flip"
    at : Equations, linearised there
    error : float, estimated, of the parameter
    multiplicity : int
        Of the critical eigenvalue; at a branch point by how many the slopes fall short of full rank.
    crosses : bool
        Whether the curve goes through, within rounding errors. False where two curves pass a branch point that is unfolded.
    """

    kind: str
    at: Equations
    error: float
    multiplicity: int = 1
    crosses: bool = True

    @property
    def point(self) -> np.ndarray:
        """(dim + 1,) array, states first, the parameter last."""
        return self.at.point


def critical_point(flow: Flow, path: Path, guess: np.ndarray, kind: str, *, step: float = 1.0, corank: int = 1) -> Critical:
    """The critical point of a kind near a guess, by Newton's method on an extended system.

    Parameters
    ----------
    flow : Flow
    path : str or Line
    guess : (dim + 1,) array, states first, the parameter last
    kind : "fold", "branch", "hopf", "neimark_sacker" or "flip"
    step : float, of the Euler map, for "neimark_sacker" and "flip"
    corank : int
        For "branch": of the slopes; 1 for a pitchfork or a transcritical point.

    Returns
    -------
    Critical

    Raises
    ------
    ConvergenceError
        no such point near, or one at which the extended system is singular too
    """
    system = _branch(corank) if kind == "branch" else _fold if kind == "fold" else _eigenvalue(kind, step)
    point, n, last = guess.copy(), flow.dim, np.inf
    for _ in range(_STEPS):
        here = equations(flow, path, point)
        rest, matrix, noise = system(here)
        if not (np.isfinite(rest).all() and np.isfinite(matrix).all()):
            break
        left, sizes, right = np.linalg.svd(matrix, full_matrices=False)
        if sizes[-1] <= _SINGULAR * sizes[0]:
            break
        inverse = (right.T / sizes) @ left.T
        change = -inverse @ rest
        point = point + change[: n + 1]
        if np.abs(point - guess).max() > _FAR:
            break
        moved = np.abs(change[: n + 1]).max() / max(1.0, np.abs(point).max())
        if len(rest) > matrix.shape[1] and moved < _STALLED and np.abs(rest).max() > _STALLED:
            break  # more equations than unknowns, and no solution
        if moved < _CONVERGED or (moved < _STALLED and moved > 0.5 * last):
            error = float(np.abs(inverse[n]) @ noise + abs(change[n]))
            unfolding = np.abs(change[n + 1 :]) / noise[:n].max()
            found = equations(flow, path, point)
            several = corank if kind in ("fold", "branch") else _multiplicity(found, kind, step)
            return Critical(kind, found, error, several, bool((unfolding < _CROSSING).all()))
        last = moved
    raise ConvergenceError(f"continuation: no {kind} found near {guess[:-1].tolist()} at {path} = {guess[-1]}", point)


# --- extended systems: what is left of the equations, their matrix, and how far rounding errors move them

System = Callable[[Equations], tuple[np.ndarray, np.ndarray, np.ndarray]]


def _fold(here):
    """A left and a right null vector of the slopes by the states."""
    n = len(here.rest)
    left, sizes, right = np.linalg.svd(here.slopes[:, :n])
    bend = here.bend
    condition = np.einsum("i,ijl,j->l", left[:, -1], bend[:, :n], right[-1])
    return np.append(here.rest, sizes[-1]), np.vstack([here.slopes, condition]), np.append(here.rounding, here.slope_rounding)


def _branch(corank: int) -> System:
    def system(here):
        """As many null vectors on the left, one more on the right; the equations may be moved along the left ones."""
        n = len(here.rest)
        left, sizes, right = np.linalg.svd(here.slopes)
        left, right = left[:, n - corank :], right[n - corank :]
        bend = here.bend
        conditions = np.einsum("ia,ijl,bj->abl", left, bend, right).reshape(-1, n + 1)
        values = (left.T @ here.slopes @ right.T).ravel()
        matrix = np.block([[here.slopes, left], [conditions, np.zeros((len(values), corank))]])
        noise = np.full(len(values), here.slope_rounding)
        return np.append(here.rest, values), matrix, np.append(here.rounding, noise)

    return system


def _eigenvalue(kind: str, step: float) -> System:
    def system(here):
        """The critical eigenvalue, or the mean of several that are equal; its slope is that of <p, J q> with <p, q> = 1."""
        n = len(here.rest)
        J = here.size[:, None] * here.slopes[:, :n]
        values, right = np.linalg.eig(J)
        try:
            left = np.linalg.inv(right)
        except np.linalg.LinAlgError:
            raise ConvergenceError("continuation: a multiple eigenvalue", here.point) from None
        value = _critical_eigenvalue(values, kind, step)
        bend = here.bend
        own = np.flatnonzero(np.abs(values - value) <= _CLUSTER * abs(value))
        left, right, value = left[own], right[:, own], values[own].mean()
        slope = np.einsum("ki,i,ijl,jk->l", left, here.size, bend[:, :n], right) / len(own)
        reach = np.linalg.norm(left * here.size, axis=1).max()
        if kind == "hopf":
            scale, rest, condition = abs(value), value.real, slope.real
        elif kind == "neimark_sacker":
            # (|1 + step value|^2 - 1)/step: slow gates leave it accurate
            scale, rest = abs(value), 2.0 * value.real + step * abs(value) ** 2
            condition = 2.0 * (slope.real + step * (value.conjugate() * slope).real)
        else:
            scale, rest, condition = 2.0, 2.0 + step * value.real, step * slope.real
            reach *= step
        noise = reach / scale * here.slope_rounding
        if noise > _DOUBTFUL:
            raise ConvergenceError(f"continuation: beside a double zero there is no {kind}", here.point)
        return np.append(here.rest, rest / scale), np.vstack([here.slopes, condition / scale]), np.append(here.rounding, noise)

    return system


def _critical_eigenvalue(values, kind, step):
    """The eigenvalue nearest to where one of this kind is critical; ConvergenceError where there is no complex one."""
    if kind == "flip":
        return values[np.argmin(np.abs(2.0 + step * values))]
    found = turning_eigenvalue(values, kind, step)
    if found is None:
        raise ConvergenceError(f"continuation: no complex eigenvalue for a {kind}", values)
    return found


def _multiplicity(here, kind, step):
    """How many eigenvalues are critical."""
    n = len(here.rest)
    values = np.linalg.eigvals(here.size[:, None] * here.slopes[:, :n])
    value = _critical_eigenvalue(values, kind, step)
    return int((np.abs(values - value) <= _CLUSTER * abs(value)).sum())


def turns(here: Equations, kind: str, step: float) -> bool:
    """Whether a complex pair at a point is nearly critical, and no double zero with rounding errors.

    Parameters
    ----------
    here : Equations
    kind : "hopf" or "neimark_sacker"
    step : float, of the Euler map
    """
    try:
        rest = _eigenvalue(kind, step)(here)[0]
    except ConvergenceError:
        return False
    return abs(rest[-1]) < _TURNING


def coranks(here: Equations, largest: float = _VANISHING) -> list[int]:
    """By how many the slopes may fall short of full rank near a point: 1, and while singular values are small."""
    sizes = np.linalg.svd(here.slopes, compute_uv=False)
    small = (sizes < largest * max(sizes[0], _VANISHING)).sum()
    return list(range(1, 1 + max(1, small)))


def turning_eigenvalue(values: np.ndarray, kind: str, step: float) -> complex | None:
    """The complex eigenvalue of positive imaginary part nearest to being critical, None where all are real.

    Parameters
    ----------
    values : (dim,) array, eigenvalues of the flow's Jacobian
    kind : "hopf" or "neimark_sacker"
    step : float, of the Euler map
    """
    turning = values[values.imag > _TURNING * np.abs(values)]
    if not turning.size:
        return None
    gap = np.abs(turning.real if kind == "hopf" else 2.0 * turning.real + step * np.abs(turning) ** 2) / np.abs(turning)
    return complex(turning[np.argmin(gap)])
