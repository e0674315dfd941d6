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
from .curve import Equations, equations, linearised

if TYPE_CHECKING:
    from ..flow import Flow
    from ..line import Path

__all__ = ["Critical", "critical_point", "crossing_directions", "turning_eigenvalue"]

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
    ConvergenceError : no such point near, or one at which the extended system is singular too
    """
    system = _branch(corank) if kind == "branch" else _fold if kind == "fold" else _eigenvalue(kind, step)
    point, n, last = guess.copy(), flow.dim, np.inf
    for _ in range(_STEPS):
        here = equations(flow, path, point)
        rest, matrix, noise = system(here)
        if not (np.isfinite(rest).all() and np.isfinite(matrix).all()):
            break
        left, sizes, right = np.linalg.svd(matrix, full_matrices=False)
        if sizes[-1] < _SINGULAR * sizes[0]:
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
        reach = np.linalg.norm(left, axis=1).max() * here.size.max()
        if kind == "hopf":
            scale, rest, condition = abs(value), value.real, slope.real
        elif kind == "neimark_sacker":
            # (|1 + step value|^2 - 1)/step: slow gates leave it accurate
            scale, rest = abs(value), 2.0 * value.real + step * abs(value) ** 2
            condition = 2.0 * (slope.real + step * (value.conjugate() * slope).real)
        else:
            scale, rest, condition = 2.0, 2.0 + step * value.real, step * slope.real
            reach *= step
        rows = np.vstack([here.slopes, condition / scale])
        return np.append(here.rest, rest / scale), rows, np.append(here.rounding, reach / scale * here.slope_rounding)

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


# --- where branches leave a point

#: Starts of the search for branches at a multiple point: most of them, and how many without anything new end it. Newton's
#: steps from each.
_STARTS, _PATIENCE, _SEARCH = 1000, 60, 25


def crossing_directions(critical: Critical, size: float) -> np.ndarray:
    """Unit vectors (k, dim + 1) along which curves of fixed points leave a critical point, each with its opposite where it has one.

    At a simple branch point they follow from second derivatives (two curves); at a multiple one, points at distance ``size`` are
    looked for from many starts in the plane of null vectors: all that are found, without a proof that these are all.

    Parameters
    ----------
    critical : Critical
    size : float

    Raises
    ------
    ConvergenceError : no curve but an isolated point
    """
    here, n = critical.at, len(critical.point) - 1
    left, _, right = np.linalg.svd(here.slopes)
    if critical.kind == "fold":
        return np.stack([right[-1], -right[-1]])
    if critical.multiplicity > 1:
        return _searched(critical, right[n - critical.multiplicity :], size)
    plane = right[n - 1 :]
    form = np.einsum("i,ijl,aj,bl->ab", left[:, -1], here.bend, plane, plane)
    (low, high), axes = np.linalg.eigh(form)
    if not low < 0 < high:
        raise ConvergenceError("continuation: no curves cross at this point", critical.point)
    both = np.array([np.sqrt(high) * axes[:, 0] + s * np.sqrt(-low) * axes[:, 1] for s in (1.0, -1.0)]) @ plane
    both /= np.linalg.norm(both, axis=1, keepdims=True)
    return np.concatenate([both, -both])


def _searched(critical, plane, size):
    """Directions of points at a distance from a critical point, from starts in a plane (k, dim + 1)."""
    rng = np.random.default_rng(0)
    # pitchforks leave along the states alone: half of the starts have next to no share of the parameter
    share = plane[:, -1] / np.linalg.norm(plane[:, -1])
    found: list[np.ndarray] = []
    idle = 0
    for trial in range(_STARTS):
        start = rng.normal(size=len(plane))
        if trial % 2:
            start -= (start @ share) * share
        direction = _direction(critical, start @ plane, size)
        idle += 1
        if direction is not None and all(np.linalg.norm(direction - other) > 1e-3 for other in found):
            found.append(direction)
            idle = 0
        if idle > _PATIENCE:
            break
    if not found:
        raise ConvergenceError("continuation: no curves found at this point", critical.point)
    return np.array(found)


def _direction(critical, start, size):
    """The direction of the fixed point at a distance that Newton's method finds from a start; None where it finds none."""
    try:
        point = _on_sphere(critical, start / np.linalg.norm(start), size)
    except (ConvergenceError, np.linalg.LinAlgError):
        return None
    return (point - critical.point) / size


def _on_sphere(critical, direction, size):
    """The fixed point at a distance from a critical point that Newton's method finds from a direction."""
    centre, here = critical.point, critical.at
    offset = size * direction
    for _ in range(_SEARCH):
        rest, slopes = linearised(here.flow, here.path, centre + offset)
        rest = np.append(rest, (offset @ offset / size**2 - 1.0) * size)
        change = np.linalg.solve(np.vstack([slopes, 2.0 * offset / size]), -rest)
        longest = np.abs(change).max()
        # far from a root the nearly singular equations ask for huge steps
        offset = offset + change * min(1.0, 0.3 * size / longest) if longest > 0 else offset
        if longest < 1e-6 * size:
            return centre + offset
    raise ConvergenceError("continuation: no fixed point at this distance", centre)
