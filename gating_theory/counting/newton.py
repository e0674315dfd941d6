"""Newton's method for the equations of the complexity functional, on the ridge (leading moment held) or free [T7]."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..errors import ConvergenceError
from .functional import FULL, ComplexityFunctional, Evaluation, Point

__all__ = ["Newton", "Settled", "rescaled"]

#: x below this: the determinant counts no more.
_SILENT_X = 1e-11
#: Multipliers of lengths below this, over the Gaussian's, need grids that are as wide as costly.
_FEW_SITES = 1e-3
#: Steps in which the grid follows the law.
_ADAPTED = 5
#: Where x is zero its equations are divided by this: they are not solved there.
_NO_X = 1e-100
#: Accuracies at which a point of the ridge is taken, one after the other until its slope is known beyond the step that is left.
_SETTLED = (1e-3, 1e-8)
#: Factors by which quadrature is made finer: of the steps, and of a loose tolerance.
_SHORTER_STEPS, _TIGHTER = 1.3, 0.1


@dataclass(frozen=True)
class Settled:
    """A point of the ridge: log q of the leading message, Sigma and its slope there, the tangent of all unknowns."""

    t: float
    value: float
    slope: float
    point: Point
    tangent: np.ndarray  # of (log q, mu, x relative, tau) by t


class Newton:
    """Newton's method for the equations of a functional, with the leading moment free or held.

    Parameters
    ----------
    functional : ComplexityFunctional
    tol, max_nodes : quadrature tolerance, and the number of nodes that it may take
    """

    def __init__(self, functional: ComplexityFunctional, tol: float, max_nodes: int) -> None:
        self.functional, self.tol, self.max_nodes, self.refine = functional, tol, max_nodes, 1.0
        self.A, self.X = len(functional.fed), functional.n_x
        self.size = 2 * self.A + self.X + functional.n_tau + functional.n_nu
        self.everything = np.arange(self.size)
        self.on_ridge = np.delete(self.everything, functional.lead)
        #: positions of the determinant's unknowns
        self.determinant = np.arange(2 * self.A, self.size - functional.n_nu)

    def system(self, point: Point) -> tuple[Evaluation, np.ndarray, np.ndarray]:
        """(evaluation, residuals, matrix): rows q and mu in relative form, rows of x as usage/x - 1, linear where x is small.

        Columns are relative changes of q and x, those of mu in units of 1/q, of tau and of nu.
        """
        return self._scaled(point)

    def _scaled(self, point, gaussian=False):
        with np.errstate(all="ignore"):  # what overflows is found out by what comes out
            e = self.functional.evaluate(point, self.tol, self.max_nodes, self.refine, gaussian)
        A, X = self.A, self.X
        residual, matrix = e.gradient.copy(), e.hessian.copy()
        scale = np.ones(self.size)
        scale[:A], scale[A : 2 * A], scale[2 * A : 2 * A + X] = point.q, 1.0 / point.q, 2.0 / np.maximum(point.x, _NO_X)
        residual, matrix = residual * scale, matrix * scale[:, None]
        rows = np.arange(2 * A, 2 * A + X)
        matrix[rows, rows] -= residual[rows]
        # columns: relative changes of q, changes of mu in units of 1/q
        matrix[:, :A] *= point.q
        matrix[:, A : 2 * A] /= point.q
        return e, residual, matrix

    def held(self, point: Point, residual: np.ndarray) -> np.ndarray:
        """Positions of shares that stay at their limit, 1, because the functional still grows there: 1 is in a hole [T10]."""
        rows = np.arange(2 * self.A, 2 * self.A + self.X)
        return rows[self.functional.limited & (point.x >= FULL) & (residual[rows] > 0.0)]

    def gaussian_system(self, point: Point) -> tuple[Evaluation, np.ndarray, np.ndarray]:
        """The same under the Gaussian law instead of the tilted one, where the value is the average of log sqrt(D) - x/2."""
        return self._scaled(point, gaussian=True)

    def moved(self, point: Point, step: np.ndarray, e: Evaluation | None = None) -> Point:
        """The point after a step in (relative q, mu q, relative x, tau, nu); q, x and nu stay positive, x below 1 where it must."""
        A, X, tau = self.A, self.X, 2 * self.A + self.X
        nu = tau + point.tau.size
        return Point(
            point.q * np.exp(np.clip(step[:A], -1.0, 1.0)),
            point.mu + step[A : 2 * A] / point.q,
            self.functional.within(point.x * np.clip(1.0 + step[2 * A : 2 * A + X], 0.2, 5.0), point.x),
            point.tau + step[tau:nu],
            point.spread if e is None else e.spread,
            self.functional.positive(point.nu + step[nu:], point.nu),
        )

    def solve(
        self, point: Point, unknowns: np.ndarray, accuracy: float, max_steps: int = 25, limit: float = 1.0, bottom: float = -np.inf
    ) -> tuple | None:
        """(point, last step, evaluation, residual, matrix, size of the step); None where the determinant ceases to count.

        ``unknowns``: ``everything``, or those ``on_ridge``, or fewer (:meth:`silent`). None
        also where the value falls below ``bottom``.

        Raises ConvergenceError where Newton's method does not settle: that says nothing about whether there is a solution.
        """
        best = np.inf
        for iteration in range(max_steps):
            if (point.nu < _FEW_SITES).any():
                raise self.failure("few sites carry the length of an image", point)
            e, residual, matrix = self.system(point)
            if e.value < bottom:
                return None
            if not (np.isfinite(residual[unknowns]).all() and np.isfinite(matrix[np.ix_(unknowns, unknowns)]).all()):
                raise self.failure("the functional is not finite", point)
            step = np.zeros(self.size)
            free = np.setdiff1d(unknowns, self.held(point, residual))
            step[free] = self.solved(matrix[np.ix_(free, free)], -residual[free], point)
            size = float(np.abs(step).max())
            if iteration > 8 and size > 10.0 * best:
                raise self.failure("Newton's method diverges", point)
            best = min(best, size)
            if size <= accuracy:
                return point, step, e, residual, matrix, size
            counted = point.x.max() > 0.0
            # a grid that follows the law from step to step may go back and forth between two sizes: it is left alone in the end
            point = self.moved(point, step * min(1.0, limit / size), e if iteration < _ADAPTED else None)
            if counted and point.x.max() < _SILENT_X:
                return None
        raise self.failure(f"Newton's method has not settled in {max_steps} steps", point)

    def silent(self, point: Point, bottom: float) -> Point | None:
        """The point of the ridge without the determinant, at the leading moment of ``point``; None and errors as :meth:`solve`.

        There Sigma is a minimum over mu of a convex function, zero at mean-field fixed points and negative elsewhere.
        """
        A = self.A
        lengths = np.arange(self.size - self.functional.n_nu, self.size)
        unknowns = np.concatenate([self.on_ridge[self.on_ridge < A], np.arange(A, 2 * A), lengths])
        found = self.solve(replace(point, x=np.zeros(self.X)), unknowns, _SETTLED[0], bottom=bottom)
        if found is None:
            return None
        point, step, e, *_ = found
        return self.moved(point, step, e)

    def at_lead(self, point: Point, t: float) -> Point:
        """The point with its leading moment exp(t) instead."""
        q = point.q.copy()
        q[self.functional.lead] = np.exp(t)
        return replace(point, q=q)

    def step_from(self, point: Point) -> tuple[np.ndarray, Evaluation, np.ndarray]:
        """(Newton's step with everything free but what is held, evaluation, residual)."""
        e, residual, matrix = self.system(point)
        step, held = np.zeros(self.size), self.held(point, residual)
        free = np.setdiff1d(self.everything, held)
        step[free] = self.solved(matrix[np.ix_(free, free)], -residual[free], point)
        residual[held] = 0.0
        return step, e, residual

    def to_second_order(self, e: Evaluation, point: Point, step: np.ndarray) -> float:
        """The value after a Newton step from ``point``: stationary values err by the square of what is left of the equations."""
        return self.at_limit(e, point) + 0.5 * float(self._raw(e.gradient, point) @ step)

    def at_limit(self, e: Evaluation, point: Point) -> float:
        """The value with shares that are held short of 1 put there, to first order."""
        return e.value + float(e.gradient[self.held(point, e.gradient)].sum()) * (1.0 - FULL)

    def finer(self) -> None:
        """Make the quadrature finer: shorter steps, or a tenth of a loose tolerance, which reaches further out too."""
        if self.functional.dimension <= 2:
            self.refine *= _SHORTER_STEPS
        else:
            self.tol *= _TIGHTER

    def failure(self, what: str, point: Point) -> ConvergenceError:
        """The ConvergenceError that says so, for raising."""
        where = f"E m^2 = {point.q[self.functional.lead]:.3g}"
        return ConvergenceError(f"complexity of {self.functional.ensemble!r}: {what} near {where}", estimate=point)

    def solved(self, matrix: np.ndarray, right: np.ndarray, point: Point) -> np.ndarray:
        """Solution of a linear system, ConvergenceError where there is none."""
        try:
            out = np.linalg.solve(matrix, right)
        except np.linalg.LinAlgError:
            out = np.full(right.shape, np.nan)
        if not np.isfinite(out).all():
            raise self.failure("the equations are singular", point)
        return out

    def settle(self, point: Point) -> Settled | None:
        """The point of the ridge at the leading moment of ``point``; None and errors as :meth:`solve`."""
        lead = self.functional.lead
        for accuracy in _SETTLED:
            found = self.solve(point, self.on_ridge, accuracy)
            if found is None:
                return None
            point, step, e, residual, matrix, size = found
            # what the last step would change is put in to first order, what is left is of second
            slope = float(residual[lead] + matrix[lead] @ step)
            if abs(slope) > 30.0 * size**2:
                break
        keep = np.setdiff1d(self.on_ridge, self.held(point, residual))
        value = self.to_second_order(e, point, step)
        tangent = np.zeros(self.size)
        tangent[lead] = 1.0
        tangent[keep] = self.solved(matrix[np.ix_(keep, keep)], -matrix[keep, lead], point)
        return Settled(float(np.log(point.q[lead])), value, slope, self.moved(point, step, e), tangent)

    def _raw(self, gradient, point):
        """The gradient by the coordinates of a step."""
        out, A = gradient.copy(), self.A
        out[:A] *= point.q
        out[A : 2 * A] /= point.q
        return out


def rescaled(e: Evaluation, x: np.ndarray, first: int) -> np.ndarray:
    """The usage, scaled by a Newton step for its overall size: repeated substitution alone crawls at the edge of the support."""
    own = slice(first, first + x.size)
    total, slope = e.cost.sum(), e.cost_slope.sum()
    ratio = (total + 2.0 * e.gradient[own].sum()) / total
    change = (2.0 * e.hessian[own, own].sum() + slope) / total  # of the numerator by the logarithm of a common factor
    factor = 1.0 - (ratio - 1.0) / min(change - ratio * slope / total, -0.02 * ratio * total)
    return np.clip(factor, 0.02, 2.0) * x.sum() * e.usage / e.usage.sum()
