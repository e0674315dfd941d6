"""Pseudo-arclength continuation of fixed points and of cycles in one parameter, with their bifurcations [JSP].

A fixed point of the flow is one of its Euler map, which loses stability elsewhere: one branch of fixed points carries the
bifurcations of both. Normal-form coefficients use second and third derivatives that are exact (``jets``); formulas of Kuznetsov,
Elements of Applied Bifurcation Theory (3rd ed.): Hopf (5.34), Neimark-Sacker (5.74), flip (5.73).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ...errors import ConvergenceError
from ...results.encoding import result
from ...running.progress import Progress, check_progress
from ...support.checks import integer, real, real_array
from ..flow import require_fixed
from ..orbits import collocation
from ..orbits.cycle import Cycle, _measure
from ..program.taylor import bilinear, parameter_slope, trilinear

__all__ = ["Bifurcation", "CycleBranch", "FixedPointBranch", "continue_cycle", "continue_fixed_point", "normal_form"]

#: Corrections below which Newton has converged, and the parameter accuracy of located bifurcations.
_TOL = 1e-13

#: Local error of collocation polynomials along a branch of cycles; periods are better than this by orders of magnitude.
_LOCAL = 1e-6

#: A normal-form coefficient below this part of its natural size counts as zero (pitchfork against transcritical).
_ZERO = 1e-6


@result("flow.Bifurcation")
@dataclass(frozen=True, eq=False)
class Bifurcation:
    """A bifurcation of a fixed point or of a cycle.

    Attributes
    ----------
    kind : str
        "fold", "pitchfork", "transcritical" (flow and map alike); "hopf" (flow); "neimark_sacker", "flip" (Euler map);
        "cycle_fold", "period_doubling", "torus" (cycles).
    path : str, value : float
        The parameter, and where.
    state : (dim,) array
        The fixed point, or a state on the cycle.
    flow : Flow at that value
    coefficient : float
        Normal-form coefficient of the fixed point's bifurcation: first Lyapunov coefficient (hopf, with |q| = 1, <p, q> =
        1), real part of
        the cubic coefficient turned back by the multiplier (neimark_sacker), cubic coefficient (flip, pitchfork),
        quadratic coefficient
        (fold, transcritical). nan for cycles.
    frequency : float
        hopf: imaginary part of the eigenvalue; neimark_sacker: angle of the multiplier, so that 2 pi/frequency is steps a
        turn; else nan.
    supercritical : bool or None
        Whether what is born is stable in the directions that bifurcate (hopf, neimark_sacker, flip, pitchfork).
    period : float, of the cycle; 2 pi/frequency for hopf; else nan
    """

    kind: str
    path: str
    value: float
    state: np.ndarray
    flow: object = field(repr=False)
    coefficient: float = np.nan
    frequency: float = np.nan
    supercritical: bool | None = None
    period: float = np.nan
    orbit: object = field(default=None, repr=False)

    def check(self):
        """ValueError where the state of a fixed point's bifurcation is no fixed point of the flow."""
        if self.orbit is None:
            require_fixed(self.flow, self.state)

    def __str__(self):
        text = f"{self.kind} at {self.path} = {self.value:.12g}, state ({', '.join(f'{x:.6g}' for x in self.state)})"
        if np.isfinite(self.frequency):
            text += f", frequency {self.frequency:.6g}"
        if np.isfinite(self.period):
            text += f", period {self.period:.6g}"
        if self.supercritical is not None:
            text += f", {'super' if self.supercritical else 'sub'}critical (coefficient {self.coefficient:.4g})"
        return text


# --- normal forms


def normal_form(flow, state, kind, step=1.0):
    """The normal-form coefficient of a fixed point at its bifurcation, from exact second and third derivatives.

    Parameters
    ----------
    flow : Flow
        At the critical parameters.
    state : (dim,) array
        The fixed point.
    kind : "hopf", "neimark_sacker", "flip", "pitchfork", "fold" or "transcritical"
    step : float > 0
        Of the Euler map, for "neimark_sacker" and "flip".

    Returns
    -------
    float
        Negative for supercritical hopf, neimark_sacker and pitchfork, positive for a supercritical flip. "fold" and
        "transcritical": half the second derivative along the critical direction.

    Raises
    ------
    ValueError : unknown kind
    """
    state = np.asarray(state, dtype=float)
    A = flow.jacobian(state)
    if kind in ("hopf", "neimark_sacker"):
        values, vectors = np.linalg.eig(A)
        gap = np.abs(values.real) if kind == "hopf" else np.abs(np.abs(1.0 + step * values) - 1.0)
        i = int(np.argmin(np.where(values.imag > 1e-12, gap, np.inf)))
        q, p = _dual(A, values[i], vectors[:, i])
        qbar = q.conj()
        B = lambda u, v: bilinear(flow, state, u, v)  # noqa: E731
        cubic = p.conj() @ trilinear(flow, state, q, qbar)
        eye = np.eye(flow.dim)
        if kind == "hopf":
            w = values[i].imag
            slow = p.conj() @ B(q, np.linalg.solve(A, B(q, qbar)))
            fast = p.conj() @ B(qbar, np.linalg.solve(2j * w * eye - A, B(q, q)))
            return float((cubic - 2.0 * slow + fast).real / (2.0 * w))
        mu = 1.0 + step * values[i]
        # the map is x + step f: its Jacobian is 1 + step A, its higher derivatives step times those of f
        slow = p.conj() @ B(q, np.linalg.solve(-A, B(q, qbar)))
        fast = p.conj() @ B(qbar, np.linalg.solve((mu**2 - 1.0) * eye - step * A, step * B(q, q)))
        return float(0.5 * (step * (cubic + 2.0 * slow + fast) / mu).real)
    values, vectors = np.linalg.eig(A)
    if kind == "flip":
        i = int(np.argmin(np.abs(2.0 + step * values)))
        q, p = _dual(A, values[i], vectors[:, i].real)
        q, p = q.real, p.real
        cubic = p @ trilinear(flow, state, q, q) / 6.0
        square = bilinear(flow, state, q, q)
        return float(step * cubic - 0.5 * step * (p @ bilinear(flow, state, q, np.linalg.solve(A, square))))
    if kind in ("fold", "transcritical", "pitchfork"):
        i = int(np.argmin(np.abs(values)))
        q, p = _dual(A, values[i], vectors[:, i].real)
        q, p = q.real, p.real
        square = bilinear(flow, state, q, q)
        if kind != "pitchfork":
            return float(0.5 * p @ square)
        # B(q, A^+ B(q, q)) with the bordered inverse, which leaves out the critical direction
        bordered = np.block([[A, q[:, None]], [p[None], np.zeros((1, 1))]])
        inner = np.linalg.solve(bordered, np.append(square - (p @ square) * q, 0.0))[:-1]
        return float(p @ trilinear(flow, state, q, q) / 6.0 - 0.5 * p @ bilinear(flow, state, q, inner))
    raise ValueError(f"kind must be one of hopf, neimark_sacker, flip, pitchfork, fold, transcritical, got {kind!r}")


def _dual(A, value, q):
    """The eigenvector q at unit length and the left one p with <p, q> = 1."""
    q = q / np.linalg.norm(q)
    values, vectors = np.linalg.eig(A.T)
    p = vectors[:, int(np.argmin(np.abs(values - np.conj(value))))]
    return q, p / np.conj(np.conj(p) @ q)


# --- fixed points


@result("flow.FixedPointBranch")
@dataclass(frozen=True, eq=False)
class FixedPointBranch:
    """A curve of fixed points in one parameter.

    Attributes
    ----------
    path : str
    values : (n,) array of the parameter, states : (n, dim) array, eigenvalues : (n, dim) complex array of the flow's Jacobian
    bifurcations : list of Bifurcation, in the order of the branch
    step : float, of the Euler map whose bifurcations are included
    flow : Flow at the start
    status : str, why both ends end
    """

    path: str
    values: np.ndarray
    states: np.ndarray
    eigenvalues: np.ndarray
    bifurcations: list
    step: float
    flow: object = field(repr=False)
    status: str = ""

    def check(self):
        """ValueError where a state of the branch is no fixed point of the flow at its parameter."""
        for value, state in zip(self.values, self.states, strict=True):
            require_fixed(self.flow.replace(self.path, float(value)), state)

    @property
    def stable(self):
        """(n,) array of bool: stable in the flow."""
        return (self.eigenvalues.real < 0).all(axis=1)

    @property
    def map_stable(self):
        """(n,) array of bool: stable in the Euler map of this step."""
        return (np.abs(1.0 + self.step * self.eigenvalues) < 1.0).all(axis=1)

    def __len__(self):
        return len(self.values)

    def __str__(self):
        lines = [f"{len(self)} fixed points along {self.path} in [{self.values.min():.6g}, {self.values.max():.6g}]; {self.status}"]
        return "\n".join([*lines, *(f"  {b}" for b in self.bifurcations)])


def _fixed_tests(flow, state, tangent, path, step):
    """Test functions, sign changes of which are bifurcations; and the eigenvalues."""
    J, slope = flow.jacobian(state), parameter_slope(flow, state, path)
    values = np.linalg.eigvals(J)
    # rows scaled: shut gates make some of them tiny without any bifurcation
    whole = np.column_stack([J, slope])
    whole = whole / np.maximum(np.linalg.norm(whole, axis=1, keepdims=True), 1e-300)
    multipliers = 1.0 + step * values
    i, j = np.triu_indices(len(values), 1)
    tests = {
        "fold": tangent[-1],
        "branch": np.linalg.det(np.vstack([whole, tangent])),
        "flip": float(np.prod(1.0 + multipliers).real),
    }
    if len(values) > 1:
        tests["hopf"] = float(np.prod(values[i] + values[j]).real)
        tests["neimark_sacker"] = float(np.prod(multipliers[i] * multipliers[j] - 1.0).real)
    return tests, values


def _correct(flow, path, guess, tangent, iterations=12):
    """Newton onto the curve in the hyperplane through ``guess`` across ``tangent``; (x, p) and the new tangent."""
    y = guess.copy()
    for _ in range(iterations):
        if not np.isfinite(y).all() or np.abs(y[:-1]).max() > 1e6:
            break
        here = flow.replace(path, float(y[-1]))
        f, J, slope = here(y[:-1]), here.jacobian(y[:-1]), parameter_slope(here, y[:-1], path)
        rows = np.column_stack([J, slope])
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


def continue_fixed_point(flow, path, bounds, state, *, step=1.0, max_step=0.05, max_points=4000, direction=None):
    """Follow a fixed point along a parameter, in both directions, and locate its bifurcations in the flow and in the Euler map.

    Pseudo-arclength continuation with exact derivatives. Folds are where the tangent is vertical, branch points (pitchfork,
    transcritical) where the bordered determinant changes sign, Hopf and Neimark-Sacker where the sum of two eigenvalues or
    the product
    of two multipliers minus 1 does and the pair is complex, flips where a multiplier is -1. Each is located to 1e-12 along the
    curve (branch points to about 1e-8).

    Parameters
    ----------
    flow : Flow
    path : str
        The parameter, such as "b_h[1]".
    bounds : (low, high)
        Range of the parameter; must contain its value in ``flow``.
    state : (dim,) array
        Near a fixed point of ``flow``.
    step : float > 0
        Of the Euler map.
    max_step : float > 0
        Longest step along the curve, in units of states and parameter alike.
    max_points : int
        Most points in each direction.
    direction : (dim + 1,) array, optional
        With it only one side is followed, beginning along this direction in (state, parameter): how to leave a branch point for the
        other branch (see :func:`other_branch`).

    Returns
    -------
    FixedPointBranch

    Raises
    ------
    TypeError, ValueError : arguments that are not allowed
    ConvergenceError : no fixed point near ``state``
    """
    low, high = _bounds(flow, path, bounds)
    step = real("step", step, low=0.0, open_low=True)
    max_step = real("max_step", max_step, low=1e-9)
    max_points = integer("max_points", max_points, low=2)
    state = real_array("state", state)
    if state.shape != (flow.dim,):
        raise ValueError(f"state must have shape ({flow.dim},), got {state.shape}")
    here = np.append(state, flow.parameter(path))
    if direction is None:
        vertical = np.append(np.zeros(flow.dim), 1.0)
        try:
            here, tangent = _correct(flow, path, here, vertical, 50)
        except ConvergenceError:
            raise ConvergenceError(f"continuation: no fixed point near {state.tolist()} at {path} = {here[-1]}", state) from None
        sides = [_follow(flow, path, here, s * tangent, low, high, step, max_step, max_points) for s in (-1.0, 1.0)]
        sides = [sides[0].reversed(), sides[1]]
    else:
        tangent = real_array("direction", direction)
        tangent = tangent / np.linalg.norm(tangent)
        sides = [_follow(flow, path, here, tangent, low, high, step, max_step, max_points)]
    points = np.concatenate([sides[0].points, *(s.points[1:] for s in sides[1:])])
    values = np.concatenate([sides[0].eigenvalues, *(s.eigenvalues[1:] for s in sides[1:])])
    found = [b for s in sides for b in s.bifurcations]
    unique = []
    for b in found:
        if not any(b.kind == o.kind and abs(b.value - o.value) < 1e-9 and np.abs(b.state - o.state).max() < 1e-7 for o in unique):
            unique.append(b)
    status = "; ".join(dict.fromkeys(s.end for s in sides))
    return FixedPointBranch(path, points[:, -1], points[:, :-1], values, unique, step, flow, status)


@dataclass
class _Side:
    points: np.ndarray
    eigenvalues: np.ndarray
    bifurcations: list
    end: str

    def reversed(self):
        return _Side(self.points[::-1], self.eigenvalues[::-1], self.bifurcations[::-1], self.end)


def _bounds(flow, path, bounds):
    bounds = real_array("bounds", bounds)
    if bounds.shape != (2,) or not bounds[0] < bounds[1]:
        raise ValueError(f"bounds must be (low, high) with low < high, got {bounds.tolist()}")
    value = flow.parameter(path)
    if not bounds[0] <= value <= bounds[1]:
        raise ValueError(f"bounds must contain the flow's {path} = {value}, got {bounds.tolist()}")
    return bounds


def _follow(flow, path, start, tangent, low, high, step, max_step, max_points):
    tests, values = _fixed_tests(flow.replace(path, float(start[-1])), start[:-1], tangent, path, step)
    points, eigenvalues, found = [start], [values], []
    h, end = 0.2 * max_step, f"stopped after {max_points} points"
    while len(points) < max_points:
        y = points[-1]
        try:
            new, turned = _correct(flow, path, y + h * tangent, tangent)
            if turned @ tangent < 0.85 or np.linalg.norm(new - y) > 2.0 * h:
                raise ConvergenceError("sharp turn")
        except ConvergenceError:
            h *= 0.5
            if h < 1e-9:
                end = f"lost at {path} = {y[-1]:.6g}"
                break
            continue
        if len(points) > 10 and np.linalg.norm(new - start) < 0.5 * h and (start - y) @ tangent > 0:
            end = "closed on itself"
            break
        if not low <= new[-1] <= high:
            edge = low if new[-1] < low else high
            # the last point sits on the bound
            vertical = np.append(np.zeros(flow.dim), 1.0)
            guess = y + (new - y) * (edge - y[-1]) / (new[-1] - y[-1])
            guess[-1] = edge
            try:
                new, _ = _correct(flow, path, guess, vertical)
                here = flow.replace(path, float(new[-1]))
                fresh, values = _fixed_tests(here, new[:-1], turned, path, step)
                found += _located(flow, path, y, tangent, tests, new, fresh, step)
                points.append(new)
                eigenvalues.append(values)
                end = f"{path} reached {edge:g}"
            except ConvergenceError:
                end = f"{path} left its bounds"
            break
        here = flow.replace(path, float(new[-1]))
        fresh, values = _fixed_tests(here, new[:-1], turned, path, step)
        found += _located(flow, path, y, tangent, tests, new, fresh, step)
        points.append(new)
        eigenvalues.append(values)
        if turned @ tangent > 0.99:
            h = min(1.4 * h, max_step)
        tests, tangent = fresh, turned
    return _Side(np.array(points), np.array(eigenvalues), found, end)


def _located(flow, path, y, tangent, before, new, after, step):
    """Bifurcations between two neighbours of a curve, by a bracketed root search along the secant's hyperplanes."""
    from scipy.optimize import brentq

    secant = new - y
    length = np.linalg.norm(secant)
    if length == 0.0:
        return []
    secant = secant / length
    found = []
    for kind in after:
        if not before[kind] * after[kind] < 0:
            continue
        cache = {}

        def test(s, kind=kind, cache=cache):
            point, direction = _correct(flow, path, y + s * secant, secant)
            if direction @ tangent < 0:
                direction = -direction
            cache[s] = point
            return _fixed_tests(flow.replace(path, float(point[-1])), point[:-1], direction, path, step)[0][kind]

        try:
            root = brentq(test, 0.0, length, xtol=1e-14, rtol=8.9e-16)
            point = cache.get(root)
            point = _correct(flow, path, y + root * secant, secant)[0] if point is None else point
        except (ConvergenceError, ValueError):
            # at a branch point the linear system is singular: secant steps of the test function from both sides
            point = y + secant * length * before[kind] / (before[kind] - after[kind])
            try:
                point = _correct(flow, path, point, secant)[0]
            except ConvergenceError:
                pass
        bifurcation = _classified(flow.replace(path, float(point[-1])), path, point, kind, step)
        if bifurcation is not None:
            found.append((float((point - y) @ secant), bifurcation))
    return [b for _, b in sorted(found, key=lambda pair: pair[0])]


def _classified(here, path, point, kind, step):
    state, value = point[:-1], float(point[-1])
    values = np.linalg.eigvals(here.jacobian(state))
    known = {"kind": kind, "path": path, "value": value, "state": state, "flow": here}
    if kind in ("hopf", "neimark_sacker"):
        turning = values[values.imag > 1e-9]
        if kind == "hopf":
            gap = np.abs(turning.real)
        else:
            gap = np.abs(np.abs(1.0 + step * turning) - 1.0)
        if not turning.size or gap.min() > 1e-6:
            return None  # two real eigenvalues of opposite sign, or reciprocal multipliers: no bifurcation
        lam = turning[np.argmin(gap)]
        coefficient = normal_form(here, state, kind, step)
        frequency = float(lam.imag) if kind == "hopf" else float(np.angle(1.0 + step * lam))
        period = 2.0 * np.pi / frequency if kind == "hopf" else np.nan
        return Bifurcation(**known, coefficient=coefficient, frequency=frequency, supercritical=coefficient < 0, period=period)
    if kind == "flip":
        coefficient = normal_form(here, state, kind, step)
        return Bifurcation(**known, coefficient=coefficient, supercritical=coefficient > 0)
    if kind == "fold":
        # a pitchfork's own branch stands vertical too, but its quadratic coefficient vanishes
        quadratic = normal_form(here, state, "fold")
        if abs(quadratic) < 1e-4 * abs(normal_form(here, state, "pitchfork")):
            return None
        return Bifurcation(**known, coefficient=quadratic)
    quadratic, cubic = normal_form(here, state, "transcritical"), normal_form(here, state, "pitchfork")
    if abs(quadratic) < _ZERO * max(1.0, abs(cubic)):
        return Bifurcation(**(known | {"kind": "pitchfork"}), coefficient=cubic, supercritical=cubic < 0)
    return Bifurcation(**(known | {"kind": "transcritical"}), coefficient=quadratic)


def other_branch(bifurcation, branch, bounds, *, size=1e-3, **options):
    """Both sides of the branch that crosses at a pitchfork or transcritical point.

    Parameters
    ----------
    bifurcation : Bifurcation of kind "pitchfork" or "transcritical"
    branch : FixedPointBranch that it lies on
    bounds : (low, high) of the parameter
    size : float
        Length of the first step away.
    options : as for :func:`continue_fixed_point`

    Returns
    -------
    list of two FixedPointBranch

    Raises
    ------
    ValueError : another kind of bifurcation
    ConvergenceError : the other branch is not found
    """
    if bifurcation.kind not in ("pitchfork", "transcritical"):
        raise ValueError(f"bifurcation must be a pitchfork or transcritical, got {bifurcation.kind!r}")
    here, path = bifurcation.flow, bifurcation.path
    point = np.append(bifurcation.state, bifurcation.value)
    rows = np.column_stack([here.jacobian(bifurcation.state), parameter_slope(here, bifurcation.state, path)])
    own = np.column_stack([branch.states, branch.values])
    near = np.argsort(np.linalg.norm(own - point, axis=1))[:2]
    along = own[near[1]] - own[near[0]]
    along /= np.linalg.norm(along)
    _, _, vh = np.linalg.svd(rows)
    across = vh[-2:].T @ (vh[-2:] @ np.eye(len(point)))
    across = across - np.outer(along, along @ across)
    across = across[:, np.argmax(np.linalg.norm(across, axis=0))]
    across /= np.linalg.norm(across)
    out = []
    for sign in (1.0, -1.0):
        start, tangent = _correct(here, path, point + sign * size * across, across, 40)
        tangent = tangent if tangent @ (start - point) > 0 else -tangent
        low, high = bounds
        begin = here.replace(path, float(np.clip(start[-1], low, high)))
        out.append(continue_fixed_point(begin, path, bounds, start[:-1], direction=tangent, **options))
    return out


# --- cycles


@result("flow.CycleBranch")
@dataclass(frozen=True, eq=False)
class CycleBranch:
    """A curve of limit cycles in one parameter.

    Attributes
    ----------
    path : str
    values : (n,) array of the parameter
    periods : (n,) array
    multipliers : (n, dim - 1) complex array, without the trivial one
    low, high : (n, dim) arrays, smallest and largest value of each coordinate on the cycle
    bifurcations : list of Bifurcation
    last : Cycle, the end of the branch
    status : str, why it ended
    """

    path: str
    values: np.ndarray
    periods: np.ndarray
    multipliers: np.ndarray
    low: np.ndarray
    high: np.ndarray
    bifurcations: list
    last: Cycle = field(repr=False)
    status: str = ""

    @property
    def stable(self):
        """(n,) array of bool."""
        return (np.abs(self.multipliers) < 1.0).all(axis=1)

    def __len__(self):
        return len(self.values)

    def __str__(self):
        lines = [
            f"{len(self)} cycles along {self.path} from {self.values[0]:.8g} "
            f"to {self.values[-1]:.8g}, periods {self.periods[0]:.6g} to "
            f"{self.periods[-1]:.6g}; {self.status}"
        ]
        return "\n".join([*lines, *(f"  {b}" for b in self.bifurcations)])


def _from_hopf(bifurcation, size=0.02):
    """A small closed orbit in the critical plane of a Hopf point, and the direction in which the family grows."""
    here, state = bifurcation.flow, bifurcation.state
    values, vectors = np.linalg.eig(here.jacobian(state))
    turning = np.where(values.imag > 0, np.abs(values.imag - bifurcation.frequency), np.inf)
    q = vectors[:, int(np.argmin(turning))]
    period = 2.0 * np.pi / bifurcation.frequency

    def ring(times):
        phase = np.exp(2j * np.pi * np.asarray(times) / period)
        return (phase[..., None] * q).real

    circle = collocation.from_curve(ring, period, 12)
    scale = size / np.sqrt(circle.average(np.sum(circle.stages**2, axis=-1)))
    orbit = collocation.from_curve(lambda t: state + scale * ring(t), period, 12)
    unit = (orbit.stages - state) / size
    return orbit, unit


def continue_cycle(flow, path, bounds, start, *, max_step=0.05, max_points=400, max_period=2000.0, direction=1, progress=None):
    """Follow a limit cycle, stable or not, along a parameter by pseudo-arclength continuation of its collocation problem.

    Length along the curve is measured by the rms change of the orbit, the relative change of the period and the change of the
    parameter together. Folds of cycles, period doublings and torus bifurcations are located by the secant method. The
    branch ends at the
    bounds, where the cycle shrinks to a fixed point (a Hopf point), or where the period exceeds ``max_period``, on the way to a
    homoclinic orbit or a saddle-node on the cycle (see ``homoclinic``).

    Parameters
    ----------
    flow : Flow
    path : str
        The parameter, such as "b_h[1]".
    bounds : (low, high)
        Range of the parameter.
    start : Cycle of ``flow``, or Bifurcation of kind "hopf" along ``path``
    max_step : float > 0
    max_points : int
    max_period : float > 0
    direction : 1 or -1
        Which way the parameter goes at first (from a Cycle).
    progress : None, True or callable
        As for ``phase_diagram``.

    Returns
    -------
    CycleBranch

    Raises
    ------
    TypeError, ValueError : arguments that are not allowed
    ConvergenceError : not even the first cycle converges
    """
    if direction not in (1, -1):
        raise ValueError(f"direction must be 1 or -1, got {direction!r}")
    max_step = real("max_step", max_step, low=1e-9)
    max_points = integer("max_points", max_points, low=2)
    max_period = real("max_period", max_period, low=0.0, open_low=True)
    if isinstance(start, Bifurcation):
        if start.kind != "hopf" or start.path != path:
            raise ValueError(f"start must be a hopf point along {path!r}, got a {start.kind} along {start.path!r}")
        flow = start.flow
        low, high = _bounds(flow, path, bounds)
        orbit, unit = _from_hopf(start)
        # the plane is measured from the fixed point itself
        still = replace(orbit, stages=np.broadcast_to(start.state, orbit.stages.shape))
        plane = collocation.Plane(still, start.value, unit, 0.0, 0.0, 0.02)
        orbit, here, tangent = collocation.newton(flow, orbit, path, plane, tol=1e-10, iterations=40, tangent=True)
        if np.sum(np.diff(orbit.mesh)[:, None, None] * tangent[0] * unit) < 0:
            tangent = tuple(-t for t in tangent)
    elif isinstance(start, Cycle):
        low, high = _bounds(flow, path, bounds)
        orbit = start.orbit
        zero = np.zeros_like(orbit.stages)
        plane = collocation.Plane(orbit, flow.parameter(path), zero, 0.0, 1.0, 0.0)
        orbit, here, tangent = collocation.newton(flow, orbit, path, plane, tol=1e-10, tangent=True)
        if tangent[2] * direction < 0:
            tangent = tuple(-t for t in tangent)
    else:
        raise TypeError(f"start must be a Cycle or a Bifurcation, got {start!r}")

    check_progress(progress)
    with Progress(progress, max_points, "cycle") as tell:
        return _follow_cycles(here, orbit, path, tangent, low, high, max_step, max_points, max_period, tell)


def _follow_cycles(here, orbit, path, tangent, low, high, max_step, max_points, max_period, tell):
    def record(orbit, here):
        cycle = _measure(here, orbit, 0.0)
        return cycle, (here.parameter(path), orbit.period, cycle.multipliers, orbit.stages.min((0, 1)), orbit.stages.max((0, 1)))

    cycle, row = record(orbit, here)
    rows, found, h, status = [row], [], 0.3 * max_step, f"stopped after {max_points} points"
    tests = _cycle_tests(cycle, tangent)
    while len(rows) < max_points:
        try:
            new, moved, turned = _step_cycle(here, orbit, path, tangent, h)
            if _overlap(new, turned, tangent) < 0.8:
                raise ConvergenceError("sharp turn", new)
            n = len(new.points)
            if new.local_error() > _LOCAL and n < 400:
                # a finer mesh under the last point, and again
                orbit, here, tangent = _remeshed(here, orbit, path, tangent, int(1.5 * n))
                continue
        except ConvergenceError:
            h *= 0.5
            if h < 1e-7:
                status = f"lost at {path} = {here.parameter(path):.8g}, period {orbit.period:.6g}"
                break
            continue
        value = moved.parameter(path)
        cycle, row = record(new, moved)
        fresh = _cycle_tests(cycle, turned)
        found += _located_cycles(here, orbit, path, tangent, tests, h, fresh)
        extent = (row[4] - row[3]).max()
        if not low <= value <= high:
            status = f"{path} reached {low if value < low else high:g}"
            break
        rows.append(row)
        tell(1)
        if extent < 1e-3 or (len(rows) > 3 and extent < 0.02 and extent < 0.3 * (rows[-2][4] - rows[-2][3]).max()):
            status = f"shrinks to a fixed point at {path} = {value:.8g} (Hopf)"
            break
        if new.period > max_period:
            status = f"period exceeds {max_period:g} at {path} = {value:.10g} (homoclinic, or a saddle-node on the cycle)"
            break
        if len(rows) % 4 == 0:
            orbit, here, tangent = _remeshed(moved, new, path, turned, len(new.points))
            tests = _cycle_tests(_measure(here, orbit, 0.0), tangent)
        else:
            orbit, here, tangent, tests = new, moved, turned, fresh
        h = min(1.3 * h, max_step)
    columns = list(zip(*rows))
    return CycleBranch(path, *(np.array(c) for c in columns), found, cycle, status)


def _overlap(orbit, a, b):
    weight = np.diff(orbit.mesh)[:, None, None] / orbit.stages.shape[1]
    return float(np.sum(weight * a[0] * b[0]) + a[1] * b[1] / orbit.period**2 + a[2] * b[2])


def _step_cycle(here, orbit, path, tangent, h):
    """The cycle at length h along the tangent; (orbit, flow, new tangent in the same sense)."""
    stages, period, slope = tangent
    # mesh points enter the equations linearly: any guess of them does
    guess = replace(orbit, stages=orbit.stages + h * stages, period=orbit.period + h * period)
    plane = collocation.Plane(orbit, here.parameter(path), stages, period / orbit.period**2, slope, h)
    if guess.period <= 0:
        raise ConvergenceError("period", guess)
    moved = here.replace(path, here.parameter(path) + h * slope)
    new, moved, turned = collocation.newton(moved, guess, path, plane, reference=orbit, tol=1e-10, iterations=10, tangent=True)
    if _overlap(new, turned, tangent) < 0:
        turned = tuple(-t for t in turned)
    return new, moved, turned


def _remeshed(here, orbit, path, tangent, n):
    """Orbit and tangent on a graded mesh of n intervals, at the same parameter where the branch allows it."""
    new = orbit.rebuilt(orbit.graded_mesh(n))
    carrier = replace(orbit, points=tangent[0][:, 0], stages=tangent[0])
    phases = new.mesh[:-1, None] + np.diff(new.mesh)[:, None] * collocation._scheme(new.stages.shape[1])[0][1:]
    stages = _stage_interpolation(carrier, phases)
    plane = collocation.Plane(new, here.parameter(path), stages, tangent[1] / new.period**2, tangent[2], 0.0)
    fresh, here, turned = collocation.newton(here, new, path, plane, tol=1e-10, tangent=True)
    if _overlap(fresh, turned, (stages, tangent[1], tangent[2])) < 0:
        turned = tuple(-t for t in turned)
    return fresh, here, turned


def _stage_interpolation(carrier, phases):
    """Values at phases of a periodic function that is known at the stages only."""
    nodes = collocation._scheme(carrier.stages.shape[1])[0][1:]
    known = (carrier.mesh[:-1, None] + np.diff(carrier.mesh)[:, None] * nodes).ravel()
    columns = carrier.stages.reshape(-1, carrier.stages.shape[-1]).T
    return np.stack([np.interp(phases, known, c, period=1.0) for c in columns], axis=-1)


def _cycle_tests(cycle, tangent):
    m = cycle.multipliers
    tests = {"cycle_fold": tangent[2], "period_doubling": float(np.prod(m + 1.0).real)}
    if len(m) > 1:
        i, j = np.triu_indices(len(m), 1)
        tests["torus"] = float(np.prod(m[i] * m[j] - 1.0).real)
    return tests


def _located_cycles(here, orbit, path, tangent, before, h, after):
    from scipy.optimize import brentq

    found = []
    for kind in after:
        if not before[kind] * after[kind] < 0:
            continue

        def test(s, kind=kind):
            if s == 0.0:
                return before[kind]
            new, moved, turned = _step_cycle(here, orbit, path, tangent, s)
            return _cycle_tests(_measure(moved, new, 0.0), turned)[kind]

        try:
            s = brentq(test, 0.0, h, xtol=1e-12)
            new, moved, _ = _step_cycle(here, orbit, path, tangent, s)
        except (ConvergenceError, ValueError):
            continue
        if kind == "torus":
            values = _measure(moved, new, 0.0).multipliers
            turning = values[values.imag > 1e-9]
            if not turning.size or np.abs(np.abs(turning) - 1.0).min() > 1e-5:
                continue
        found.append(Bifurcation(kind, path, moved.parameter(path), new.points[0], moved, period=new.period, orbit=new))
    return found
