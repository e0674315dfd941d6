"""Solving the equations of products of Jacobians: mixed sweeps until they are near, then Newton; the edge from infinity [T9]."""

from __future__ import annotations

import numpy as np

from ..errors import ConvergenceError
from .time_equations import Swept, TimeEquations, symmetric
from .time_series import lowest_order

__all__ = ["TimeSolution", "implied", "largest_singular_value", "newton", "solve"]

#: Residual, per part of the diagonals, at which the equations are solved; where Newton takes over; by what a step of it must help.
_SOLVED, _NEAR, _HELPS = 1e-11, 1e-2, 0.3
#: Sweeps that are mixed; plain ones in the beginning; all of them at most; sweeps before Newton is tried once more.
_MIXED, _PLAIN, _SWEEPS, _WAIT = 12, 3, 300, 10
#: The part of what P and Q are without one another that is the first guess of both together.
_START = 0.5
#: Least singular values, relative, that mixing trusts. Directions of Krylov's space at most, and the accuracy of a Newton step.
_TRUSTED, _KRYLOV, _INEXACT = 1e-10, 60, 1e-2
#: Factor between regulators on the way to a far one, the least that is tried.
_STRIDE, _SHORTEST = 3.0, 1.02


class TimeSolution:
    """P, Q at one pair of regulators, and what the last sweep gave.

    Parameters
    ----------
    P, Q : (n, T, T) arrays
    """

    def __init__(self, P: np.ndarray, Q: np.ndarray) -> None:
        self.P, self.Q = P, Q
        self.swept: Swept | None = None
        self.residual = np.inf

    def look(self, equations: TimeEquations, e_1: complex, e_2: complex) -> TimeSolution:
        """The same with what a sweep at it gives, and how far that is from it."""
        swept = equations.sweep(self.P, self.Q, e_1, e_2)
        self.swept, self.scales = swept, (_scales(swept.P), _scales(swept.Q))
        self.left = (swept.P - self.P) / self.scales[0], (swept.Q - self.Q) / self.scales[1]
        worst = max(float(np.abs(part).max()) for part in self.left)
        self.residual = worst if np.isfinite(worst) else np.inf
        return self

    def moved(self, P: np.ndarray, Q: np.ndarray) -> TimeSolution:
        """Another one, at P and Q with their negative parts left out: solutions have none."""
        return TimeSolution(_positive(P, self.scales[0]), _positive(Q, self.scales[1]))


def _scales(matrices):
    """Products of the roots of the diagonals: what entries are compared with."""
    roots = np.sqrt(np.maximum(np.abs(np.einsum("ktt->kt", matrices)), 1e-290))
    return roots[:, :, None] * roots[:, None, :]


def _positive(matrices, scales):
    values, vectors = np.linalg.eigh(symmetric(matrices / scales))
    if values.min() >= 0.0:
        return matrices
    return (vectors * np.maximum(values, 0.0)[:, None, :]) @ np.swapaxes(vectors, 1, 2) * scales


def solve(equations: TimeEquations, e: float, start: TimeSolution | None = None, at: float | None = None) -> TimeSolution:
    """The positive solution at regulators e on both sides: that of (1/N) log det(1 + e^2 P P^T).

    Parameters
    ----------
    equations : TimeEquations
    e : float > 0
    start, at : a solution and its regulator, from which to go on

    Raises
    ------
    ConvergenceError
        the equations were not solved
    """
    if start is None or at is None:
        P, Q = lowest_order(equations)
        return _mixed(equations, e, TimeSolution(_START * e * P, _START * e * Q))
    stride = _STRIDE
    while at != e:
        aim = float(np.clip(e, at / stride, at * stride))
        found = newton(equations, aim, aim, TimeSolution(start.P, start.Q))
        if found is not None:
            start, at = found, aim
        elif stride < _SHORTEST:
            return _mixed(equations, e, TimeSolution(start.P, start.Q))
        else:
            stride = np.sqrt(stride)
    return start.look(equations, e, e)


def _mixed(equations, e, now):
    """Anderson's mixing of sweeps, and Newton once they are near."""
    points, steps, wait = [], [], 0
    for count in range(_SWEEPS):
        now.look(equations, e, e)
        if now.residual < _SOLVED:
            return now
        if np.isinf(now.residual):
            break
        if now.residual < _NEAR and count >= wait:
            found = newton(equations, e, e, now)
            if found is not None:
                return found
            wait = count + _WAIT
            now.look(equations, e, e)
        points, steps = [*points, _joined(now.P, now.Q)][-_MIXED:], [*steps, _joined(*_step(now))][-_MIXED:]
        if count < _PLAIN or len(steps) == 1:
            now = TimeSolution(0.5 * (now.P + now.swept.P), 0.5 * (now.Q + now.swept.Q))
            continue
        scale = _joined(*now.scales)
        dX, dF = (np.stack([values[-1] - value for value in values[:-1]], axis=1) for values in (points, steps))
        shares = np.linalg.lstsq(dF / scale[:, None], steps[-1] / scale, rcond=_TRUSTED)[0]
        now = now.moved(*_parted(points[-1] - dX @ shares + 0.5 * (steps[-1] - dF @ shares), now.P.shape))
    raise ConvergenceError(
        f"singular values of a product of {equations.T} Jacobians: the equations were not solved in {_SWEEPS} sweeps "
        f"(residual {now.residual:.1g}): ask for fewer steps, or regulators nearer to the root mean square singular value"
    )


def _step(now):
    return now.swept.P - now.P, now.swept.Q - now.Q


def _joined(P, Q):
    return np.concatenate([P.ravel(), Q.ravel()])


def _parted(v, shape):
    half = v.size // 2
    return v[:half].reshape(shape), v[half:].reshape(shape)


def newton(equations: TimeEquations, e_1: complex, e_2: complex, now: TimeSolution, positive: bool = True) -> TimeSolution | None:
    """Newton's steps as long as they help; None where one does not before the end.

    Parameters
    ----------
    equations : TimeEquations
    e_1, e_2 : regulators, real or complex
    now : TimeSolution, where to start
    positive : bool, whether P and Q are to stay positive
    """
    now.look(equations, e_1, e_2)
    while now.residual >= _SOLVED:
        dP, dQ = _direction(equations, now)
        after = now.moved(now.P + dP, now.Q + dQ) if positive else TimeSolution(now.P + dP, now.Q + dQ)
        after.look(equations, e_1, e_2)
        if not after.residual <= _HELPS * now.residual:
            # rounding is all that is left of a solution
            return after if after.residual < 100.0 * _SOLVED else None
        now = after
    return now


def implied(
    equations: TimeEquations, now: TimeSolution, dP: np.ndarray, dQ: np.ndarray, accuracy: float = 1e-12
) -> tuple[np.ndarray, np.ndarray]:
    """(1 - L)^-1 of changes of the right sides at a point that has been looked at, L the linear part of the equations.

    Parameters
    ----------
    equations : TimeEquations
    now : TimeSolution
    dP, dQ : (n, T, T) arrays
    accuracy : float, relative
    """
    from scipy.sparse.linalg import LinearOperator, gmres

    shape, (at_P, at_Q) = now.P.shape, now.scales
    size = 2 * now.P.size

    def residual(v):
        a, b = equations.linear(*(part * scale for part, scale in zip(_parted(v, shape), now.scales)))
        return v - _joined(a / at_P, b / at_Q)

    with np.errstate(all="ignore"):  # what runs away is noticed by its residual
        v, _ = gmres(
            LinearOperator((size, size), matvec=residual, dtype=now.P.dtype),
            _joined(dP / at_P, dQ / at_Q),
            rtol=accuracy,
            atol=0.0,
            restart=min(_KRYLOV, size),
            maxiter=1,
        )
    found_P, found_Q = _parted(v, shape)
    return symmetric(found_P * at_P), symmetric(found_Q * at_Q)


def _direction(equations, now):
    """Newton's step."""
    left = (part * scale for part, scale in zip(now.left, now.scales))
    return implied(equations, now, *left, max(min(_INEXACT, now.residual), 1e-12))


# --- the largest singular value

#: First guess of the largest singular value, in units of the root mean square one; the longest step of its inverse square.
_GUESS, _FURTHER = 4.0, 4.0
#: Krylov vectors of Perron's eigenvalue, in one try after the other, and its accuracy.
_ARNOLDI, _PERRON = (20, 60), 1e-10
#: Relative accuracy of an edge; steps towards it at most; points that a polynomial goes through; the part of 1 - radius that is
#: left after a step, and what it must have fallen to before two extrapolations are compared.
_EDGE, _TOWARDS, _POINTS, _LEFT, _CLOSE = 1e-10, 60, 6, 0.3, 0.1
#: Plain sweeps before Newton, beside those that bring something from step to step; Newton steps at most; residual of a solution.
_FIRST, _NEWTON, _MINIMAL = 2, 12, 1e-12
#: By so much of themselves diagonal elements may fall in a step, as Newton's steps are not exact.
_FALLS = 0.1


def largest_singular_value(equations: TimeEquations, scale: float) -> float:
    """The largest singular value of the product: below it the minimal solution at e_1 e_2 = -1/s^2 ceases to exist [T9].

    From s = infinity the solution grows monotonically, and ends in a fold, where the spectral radius of the equations' linear part
    is one. There u = 1/s^2 is analytic in x = 1 - radius, and has no linear term: a polynomial through a few points gives its value
    at x = 0 to ten digits, from x of a few hundredths. What sites do by themselves, beside what matrices couple, has no fold: there
    determinants change their sign, and the place is found by halving.

    Parameters
    ----------
    equations : TimeEquations
    scale : float > 0, the root mean square singular value

    Raises
    ------
    ConvergenceError
        the edge was not found
    """
    if not _coupled(equations):
        return equations.largest_alone()
    fold = _Fold(equations, scale)
    u, known = 1.0 / _GUESS**2, np.inf
    for _ in range(_TOWARDS):
        there = fold.look(u)
        if fold.below <= (1.0 + 2.0 * _EDGE) * fold.above[-1][0]:
            return float(scale / np.sqrt(fold.below))  # where sites end it that no matrix couples
        u, edge = fold.guess()
        if there and fold.above[-1][1] < _CLOSE and abs(edge - known) <= 2.0 * _EDGE * edge:
            return float(scale / np.sqrt(edge))
        known = edge
    raise ConvergenceError("the largest singular value of a product: its fold was not found", estimate=scale / np.sqrt(known))


def _coupled(equations):
    """Whether matrices have a part in the product: a message of some step hears of the start, and the end hears of it."""
    P, Q = lowest_order(equations)
    return bool((np.einsum("ktt->kt", P) * np.einsum("ktt->kt", Q)).any())


class _Fold:
    """What is known on the way to the fold, of u = (scale / s)^2."""

    def __init__(self, equations, scale):
        self.equations, self.scale = equations, scale
        zero = np.zeros((equations.n, equations.T, equations.T))
        self.solution = TimeSolution(zero, zero)
        self.perron = None
        self.above = [(0.0, 1.0)]  # (u, 1 - radius) where there is a solution
        self.below = np.inf  # there is none

    def look(self, u):
        """Whether there is a minimal solution at u, and how far from its fold it is."""
        found = _minimal(self.equations, self.scale / np.sqrt(u), self.solution)
        radius = np.inf if found is None else self._radius(found)
        if not radius < 1.0:
            self.below = u
            return False
        self.above.append((u, 1.0 - radius))
        self.solution = found
        return True

    def guess(self):
        """Where to look next, and the fold by extrapolation."""
        u, x = np.array(self.above[-_POINTS:]).T
        powers = [0, *range(2, x.size + 1)]
        terms = np.linalg.lstsq(x[:, None] ** powers, u, rcond=None)[0] if x.size > 1 else np.array([np.inf])
        aim = float((_LEFT * x[-1]) ** np.array(powers) @ terms)
        most = min(self.below, _FURTHER * u[-1]) if u[-1] > 0.0 else self.below
        if not u[-1] < aim < most:
            aim = 0.5 * (u[-1] + self.below) if np.isfinite(self.below) else most
        return aim, float(terms[0])

    def _radius(self, now):
        """Spectral radius of the equations' linear part: Perron's eigenvalue of a map of positive matrices.

        P goes to Q and Q to P, so that eigenvalues come as mu and -mu: that with the largest real part is one alone.
        """
        from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs

        shape, scales = now.P.shape, now.scales
        size = 2 * now.P.size

        def mapped(v):
            a, b = self.equations.linear(*(part * scale for part, scale in zip(_parted(np.ravel(v), shape), scales)))
            return _joined(a / scales[0], b / scales[1])

        if size <= 2 * _ARNOLDI[0]:
            return float(np.abs(np.linalg.eigvals(np.stack([mapped(row) for row in np.eye(size)]))).max())
        first = _joined(now.P / scales[0], now.Q / scales[1]) if self.perron is None else self.perron
        operator = LinearOperator((size, size), matvec=mapped, dtype=float)
        for vectors in _ARNOLDI:
            try:
                values, perron = eigs(operator, k=1, which="LR", v0=first, tol=_PERRON, ncv=min(vectors, size - 2))
            except ArpackNoConvergence:
                continue
            self.perron = perron[:, 0].real
            return float(values[0].real)
        raise ConvergenceError("the largest singular value of a product: how far its fold is was not found", estimate=np.nan)


def _minimal(equations, s, start):
    """The minimal solution at regulators -1/s and 1/s, from one at a larger s: Newton's steps grow and stay below it."""
    now = TimeSolution(start.P, start.Q)
    first = _FIRST if now.Q.any() else _FIRST + equations.n * equations.T
    for count in range(first + _NEWTON):
        with np.errstate(all="ignore"):
            try:
                now.look(equations, -1.0 / s, 1.0 / s)
            except np.linalg.LinAlgError:
                return None
        if not np.isfinite(now.residual) or not _grown(now, now.swept):
            return None
        if now.residual < _MINIMAL:
            return now if equations.definite else None
        if count < first:
            now = TimeSolution(now.swept.P, now.swept.Q)
            continue
        dP, dQ = _direction(equations, now)
        after = TimeSolution(now.P + dP, now.Q + dQ)
        if not _grown(now, after):
            return None
        now = after
    return None


def _grown(now, after):
    """Whether no diagonal element has shrunk: below the minimal solution they only grow, and what shrinks has run past the fold."""

    def size(solution):
        return np.einsum("ktt->kt", np.concatenate([-solution.P, solution.Q]))

    return bool((size(after) >= size(now) - _FALLS * np.abs(size(now))).all())
