"""Closed orbits as boundary value problems: Gauss collocation on a mesh that follows the orbit, solved by Newton's method.

On every mesh interval the orbit is the polynomial through the left end and m stages (Gauss points), at which it satisfies
du/dt = T f(u), t in [0, 1): an implicit Runge-Kutta step of order 2 m. Stages are eliminated interval by interval; what is
left couples the mesh points in a ring, bordered by the period, a phase condition and, for continuation, a parameter.
Unstable orbits, orbits of long period and of tiny multipliers are no harder than others, which is why this is not shooting.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Literal, overload

import numpy as np
import numpy.typing as npt

from ...errors import ConvergenceError
from ...results.encoding import dict_of, result
from ..program.compiled import compiled_flow

if TYPE_CHECKING:
    from ..flow import Flow
    from ..line import Path

__all__ = ["Orbit", "Plane", "Tangent", "from_curve", "gauss_scheme", "newton", "on_mesh", "refine", "solve"]

#: Stages per interval: order 12 at the mesh points.
STAGES = 6

#: Mesh intervals to begin with, and at most.
_INTERVALS, _MOST_INTERVALS = 24, 768

#: A period beyond it is one that Newton's method runs away with, unless the first guess is of its order.
_LONG_PERIOD = 1e7

#: Logarithm of a product of multipliers that is all rounding.
_NO_DIGITS = -36.0


@lru_cache(maxsize=8)
def gauss_scheme(m: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What collocation with m Gauss points on an interval [0, 1] needs.

    Returns
    -------
    nodes : (m + 1,) array, 0 and the Gauss points
    weights : (m,) array, of the integral
    barycentric : (m + 1,) array, weights of the interpolation
    derivative : (m, m + 1) array, from values at the nodes to slopes at the Gauss points
    end : (m + 1,) array, from values at the nodes to the value at 1
    """
    x, w = np.polynomial.legendre.leggauss(m)
    c, b = 0.5 * (x + 1.0), 0.5 * w
    nodes = np.concatenate([[0.0], c])
    gaps = nodes[:, None] - nodes[None, :] + np.eye(m + 1)
    barycentric = 1.0 / gaps.prod(axis=1)
    D = barycentric[None, :] / barycentric[:, None] / (nodes[:, None] - nodes[None, :] + np.eye(m + 1))
    np.fill_diagonal(D, 0.0)
    np.fill_diagonal(D, -D.sum(axis=1))
    end = barycentric / (1.0 - nodes)
    return nodes, b, barycentric, D[1:], end / end.sum()


@result("flow.Orbit")
@dataclass(frozen=True)
class Orbit:
    """A closed curve with a period on a mesh: what the solver works on.

    Attributes
    ----------
    mesh : (n + 1,) array from 0 to 1
    points : (n, dim) array, states at the mesh points (the last closes on the first)
    stages : (n, m, dim) array, states at the Gauss points
    period : float
    transfer : (n, dim, dim) array
        Derivatives of the orbit at the end of each interval by that at its beginning, once solved.
    residual : float, the largest Newton correction of the last step
    """

    mesh: np.ndarray
    points: np.ndarray
    stages: np.ndarray
    period: float
    transfer: np.ndarray | None = None
    residual: float = np.inf

    as_dict = dict_of

    @cached_property
    def _values(self):
        return np.concatenate([self.points[:, None, :], self.stages], axis=1)

    @cached_property
    def lengths(self) -> np.ndarray:
        """(n,) array, of the mesh intervals."""
        return self.mesh[1:] - self.mesh[:-1]

    def __call__(self, phase: npt.ArrayLike) -> np.ndarray:
        """States at phases (any shape, taken modulo 1); (..., dim)."""
        phases = np.mod(np.asarray(phase, dtype=float), 1.0)
        flat = phases.ravel()
        nodes, _, barycentric, _, _ = gauss_scheme(self.stages.shape[1])
        j = np.minimum(np.searchsorted(self.mesh, flat, side="right"), len(self.points)) - 1
        local = (flat - self.mesh[j]) / self.lengths[j]
        gap = local[:, None] - nodes
        gap[np.abs(gap) < 1e-14] = 1e-40  # at a node its own weight outdoes all others
        weight = barycentric / gap
        weight /= weight.sum(axis=1, keepdims=True)
        return np.einsum("bi,bid->bd", weight, self._values[j]).reshape(*phases.shape, -1)

    def average(self, values: np.ndarray) -> np.ndarray:
        """Time average of a function given at the stages, (n, m, ...)."""
        return (self.weights.ravel() @ values.reshape(self.weights.size, -1)).reshape(values.shape[2:])

    def product(self, one: np.ndarray, other: np.ndarray) -> float:
        """Time average of the scalar product of two curves given at the stages, (n, m, dim)."""
        return float(np.einsum("jk,jki,jki->", self.weights, one, other))

    @cached_property
    def weights(self) -> np.ndarray:
        """(n, m) array, what each stage counts in a time average."""
        return self.lengths[:, None] * gauss_scheme(self.stages.shape[1])[1]

    def defect(self, flow: Flow) -> float:
        """Largest difference between the orbit's velocity and the flow's, relative to the largest speed on it."""
        wanted = self.period * flow(self.stages)
        return float(np.abs(_stage_velocity(self) - wanted).max() / max(np.abs(wanted).max(), 1e-300))

    def rebuilt(self, mesh: np.ndarray) -> Orbit:
        """The same curve on another mesh."""
        nodes = gauss_scheme(self.stages.shape[1])[0]
        phases = mesh[:-1, None] + np.diff(mesh)[:, None] * nodes
        values = self(phases)
        return Orbit(mesh, values[:, 0], values[:, 1:], self.period)

    def _highest(self):
        """|u^(m+1)|/m! on each interval, (n,), from the jumps of the highest derivative between neighbours; and their lengths."""
        _, _, barycentric, _, _ = gauss_scheme(self.stages.shape[1])
        m, h = self.stages.shape[1], self.lengths
        leading = barycentric @ self._values / h[:, None] ** m
        before = np.arange(-1, len(h) - 1)
        slope = np.abs(leading - leading[before]) / (0.5 * (h + h[before]))[:, None]
        return (0.5 * (slope + slope[np.arange(1, len(h) + 1) % len(h)])).max(axis=1), h

    def local_error(self) -> float:
        """The largest error of the collocation polynomials between mesh points, estimated; at mesh points it is far smaller."""
        slope, h = self._highest()
        order = self.stages.shape[1] + 1
        return float((slope * h**order).max() / order)

    def graded_mesh(self, n: int) -> np.ndarray:
        """A mesh of n intervals on which the error estimated from the highest derivative is spread evenly [de Boor]."""
        slope, h = self._highest()
        size = slope ** (1.0 / (self.stages.shape[1] + 1))
        size = np.maximum(size, 1e-2 * np.dot(size, h) + 1e-12)
        # no interval may be much longer than its neighbours
        size = np.maximum(size, 0.4 * np.maximum(np.roll(size, 1), np.roll(size, -1)))
        total = np.concatenate([[0.0], np.cumsum(size * h)])
        mesh = np.interp(np.linspace(0.0, total[-1], n + 1), total, self.mesh)
        mesh[0], mesh[-1] = 0.0, 1.0
        return mesh

    def resolving(self, error: float, fewest: int = 12) -> Orbit:
        """The same curve on a graded mesh of about as many intervals as this local error takes."""
        n = len(self.points)
        wanted = int(np.ceil(n * (max(self.local_error(), 1e-300) / error) ** (1.0 / (self.stages.shape[1] + 1))))
        return self.rebuilt(self.graded_mesh(max(wanted, fewest)))

    @property
    def steps(self) -> np.ndarray:
        """``transfer`` of a solved orbit; ValueError where it is not solved."""
        if self.transfer is None:
            raise ValueError("the orbit is not solved: it has no transfer matrices")
        return self.transfer

    def monodromy(self) -> np.ndarray:
        """The derivative of the orbit after one period, (dim, dim), at ``points[0]``."""
        steps = self.steps
        while len(steps) > 1:  # neighbours are multiplied all at once
            pairs = steps[1::2] @ steps[: len(steps) // 2 * 2 : 2]
            steps = np.concatenate([pairs, steps[-1:]]) if len(steps) % 2 else pairs
        return steps[0]

    def log_determinant(self) -> float:
        """log of the product of all multipliers as the steps have it: it has digits where they resolve the contraction."""
        return float(np.linalg.slogdet(self.steps)[1].sum())

    def growth(self, flow: Flow) -> float:
        """log of the product of all multipliers: the integral of the divergence over a period [Liouville]."""
        return self.period * float(np.einsum("jk,jkii->", self.weights, flow.jacobian(self.stages)))


def from_curve(curve: Callable[[np.ndarray], np.ndarray], period: float, n: int = _INTERVALS) -> Orbit:
    """An Orbit on a mesh of n graded intervals through a closed curve: ``curve(times)`` gives (..., dim), times in [0, period)."""
    return on_mesh(curve, period, on_mesh(curve, period, np.linspace(0.0, 1.0, 6 * n + 1)).graded_mesh(n))


def on_mesh(curve: Callable[[np.ndarray], np.ndarray], period: float, mesh: np.ndarray) -> Orbit:
    """An Orbit on a given mesh (n + 1,) from 0 to 1 through a closed curve, as for :func:`from_curve`."""
    values = curve(period * (mesh[:-1, None] + np.diff(mesh)[:, None] * gauss_scheme(STAGES)[0]))
    return Orbit(mesh, values[:, 0], values[:, 1:], float(period))


@dataclass(frozen=True)
class Tangent:
    """The direction in which an orbit changes along its family, of length 1.

    Attributes
    ----------
    curve : Orbit, on the orbit's mesh
    period : float
    slope : float, of the parameter
    """

    curve: Orbit
    period: float
    slope: float

    def rebuilt(self, mesh: np.ndarray) -> Tangent:
        """The same direction on another mesh."""
        return replace(self, curve=replace(self.curve.rebuilt(mesh), period=self.curve.period))

    def reversed(self) -> Tangent:
        """The opposite direction."""
        return Tangent(replace(self.curve, points=-self.curve.points, stages=-self.curve.stages), -self.period, -self.slope)

    def overlap(self, other: Tangent) -> float:
        """Cosine of the angle with another Tangent on the same mesh."""
        along = self.curve.product(self.curve.stages, other.curve.stages)
        return float(along + self.period * other.period / self.curve.period**2 + self.slope * other.slope)


@dataclass(frozen=True)
class Plane:
    """The condition <u - u_0, du> + weight (T - T_0) dT + weight (p - p_0) dp = length of pseudo-arclength continuation.

    ``orbit`` is on the mesh of the unknown; tangent given at its stages.
    """

    orbit: Orbit
    value: float
    stages: np.ndarray
    period: float
    slope: float
    length: float


def _stage_velocity(orbit):
    """du/dphase at the stages."""
    D = gauss_scheme(orbit.stages.shape[1])[3]
    return D @ orbit._values / orbit.lengths[:, None, None]


@overload
def newton(
    flow: Flow,
    orbit: Orbit,
    path: Path | None = None,
    plane: Plane | None = None,
    reference: Orbit | None = None,
    tol: float = 1e-11,
    iterations: int = 25,
    tangent: Literal[False] = False,
    value: float | None = None,
) -> tuple[Orbit, Flow]: ...


@overload
def newton(
    flow: Flow,
    orbit: Orbit,
    path: Path,
    plane: Plane,
    reference: Orbit | None = None,
    tol: float = 1e-11,
    iterations: int = 25,
    *,
    tangent: Literal[True],
    value: float | None = None,
) -> tuple[Orbit, Flow, Tangent]: ...


def newton(
    flow: Flow,
    orbit: Orbit,
    path: Path | None = None,
    plane: Plane | None = None,
    reference: Orbit | None = None,
    tol: float = 1e-11,
    iterations: int = 25,
    tangent: bool = False,
    value: float | None = None,
) -> tuple[Orbit, Flow] | tuple[Orbit, Flow, Tangent]:
    """Newton's method for a closed orbit on a fixed mesh.

    Parameters
    ----------
    flow : Flow
    orbit : Orbit, the initial guess
    path : str or Line, optional
        With ``plane``: the parameter that is an unknown too.
    plane : Plane, optional
    reference : Orbit, optional
        Curve that fixes the phase, on the same mesh. Default: the guess.
    tol : float
        Bound on the last correction.
    iterations : int
    tangent : bool
        Also return the direction in which the orbit changes along its family (needs ``path``).
    value : float, optional
        Guess of the parameter. Default: its value in ``flow``.

    Returns
    -------
    (orbit, flow), or (orbit, flow, Tangent) with ``tangent``

    Raises
    ------
    ConvergenceError
        no convergence, or a singular system
    """
    from .condensation import CONVERGED, LEFT, SINGULAR, newton_iteration

    reference = orbit if reference is None else reference
    along = anchor = reference.stages
    numbers, corner, held, goal = np.array([orbit.period]), np.zeros((1, 1)), np.zeros(1), np.zeros(1)
    flat, rates = flow.flat, np.zeros(flow.flat.size)
    if path is not None and plane is not None:
        start, rates = flow.parameter(path), flow.rates(path)
        flat = flat - start * rates
        numbers = np.array([orbit.period, start if value is None else value])
        along, anchor = plane.stages, plane.orbit.stages
        corner = np.array([[0.0, 0.0], [plane.period, plane.slope]])
        held, goal = np.array([plane.orbit.period, plane.value]), np.array([0.0, plane.length])
    _, b, _, D, end = gauss_scheme(orbit.stages.shape[1])
    longest = max(_LONG_PERIOD, 1e3 * orbit.period)  # gates that are nearly shut make any period
    how, change, points, stages, numbers, transfer, du, dU, dq = newton_iteration(
        compiled_flow(flow.cell, flow.n_units).argument("linearised"),
        flat,
        rates,
        orbit.lengths,
        b,
        D,
        end,
        *map(np.ascontiguousarray, (orbit.points, orbit.stages)),
        numbers,
        *map(np.ascontiguousarray, (reference.points, reference.stages, along, anchor)),
        corner,
        held,
        goal,
        tol,
        iterations,
        longest,
    )
    orbit = Orbit(orbit.mesh, points, stages, float(numbers[0]), transfer, change)
    if how != CONVERGED:
        why = f"no convergence in {iterations} Newton steps (last correction {change:.1e})"
        why = {SINGULAR: "the linear system is singular", LEFT: "Newton's method left all bounds"}.get(how, why)
        raise ConvergenceError(f"closed orbit: {why}", orbit)
    if path is not None and plane is not None:
        flow = flow.replace(path, float(numbers[1]))
    if not tangent:
        return orbit, flow
    period, slope = float(dq[1, 0]), float(dq[1, 1])
    length = np.sqrt(reference.product(dU[1], dU[1]) + (period / orbit.period) ** 2 + slope**2)
    return orbit, flow, Tangent(replace(orbit, points=du[1] / length, stages=dU[1] / length), period / length, slope / length)


def refine(flow: Flow, orbit: Orbit, tol: float = 1e-11) -> tuple[Orbit, float]:
    """The orbit on finer and finer meshes, until period and multipliers stand still.

    Parameters
    ----------
    flow : Flow
    orbit : Orbit, converged on its own mesh
    tol : float
        Relative change of the period from one mesh to one of 1.5 times as many intervals; the logarithm of the product of all
        multipliers may change by a thousand times as much.

    Returns
    -------
    Orbit, float : the finest one, and the change of the period with the last refinement

    Raises
    ------
    ConvergenceError
        the finest mesh allowed is not enough

    Notes
    -----
    Close to a homoclinic parameter the period is ill-conditioned, rounding / |mu - mu_c|: where refinement no longer changes it by
    less, that change (below 1e-7 of the period) is accepted and returned. In three dimensions and more the finest mesh is enough
    where the period stands still and the product of all multipliers is below e^-36: the smallest is zero as far as numbers go.
    """
    n, last = len(orbit.points), np.inf
    while True:
        finer = orbit.rebuilt(orbit.graded_mesh(n))
        finer, _ = newton(flow, finer)
        change = abs(finer.period - orbit.period)
        before, after = (o.growth(flow) if flow.dim == 2 else o.log_determinant() for o in (orbit, finer))
        orbit = finer
        if change <= tol * orbit.period and abs(after - before) <= 1e3 * tol * (1.0 + abs(after)):
            return orbit, change
        if 0.3 * last < change < 1e-7 * orbit.period:
            return orbit, max(change, last)
        last = change
        if n >= _MOST_INTERVALS:
            # slow stretches contract by e^-1e11 in a step: no mesh tells by how much, only the smallest multiplier depends on it
            if flow.dim > 2 and change <= tol * orbit.period and max(before, after) < _NO_DIGITS:
                return orbit, change
            raise ConvergenceError(
                f"closed orbit: the period {orbit.period!r} still changes by {change:.1e} at {n} mesh intervals", orbit
            )
        n = min(_MOST_INTERVALS, int(1.5 * n))


def solve(flow: Flow, orbit: Orbit, tol: float = 1e-11) -> tuple[Orbit, float]:
    """Newton's method from a rough guess, then :func:`refine`."""
    orbit, _ = newton(flow, orbit, tol=1e-7)
    orbit, _ = newton(flow, orbit.rebuilt(orbit.graded_mesh(len(orbit.points))), tol=1e-7)
    return refine(flow, replace(orbit, residual=np.inf), tol)
