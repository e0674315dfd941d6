"""Orbits from one saddle to another, or back to the same one, as boundary value problems on a finite time [Beyn].

The orbit of duration T begins in the unstable eigenspace of the saddle that it leaves and ends in the stable eigenspace of the one
that it reaches. Collocation is that of closed orbits; saddles and parameters are unknowns too. What is cut off costs the square of
the distances at which the ends stand from the saddles: doubling the time shows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ...errors import ConvergenceError
from ..program.taylor import parameter_slope
from .collocation import Orbit, from_curve, gauss_scheme

if TYPE_CHECKING:
    from ..flow import Flow
    from ..line import Path

__all__ = ["END", "Connection", "connect", "converged_connection", "end_state", "rest_point", "sorted_eigenvalues", "with_ends_at"]

#: Distance of the ends from their saddles, in units of the orbit's extent.
END = 1e-5

#: Newton's tolerance; mesh intervals to begin with and at most; change of the parameter at which refinement stops.
_TOL, _INTERVALS, _MOST_INTERVALS, _STILL = 1e-11, 40, 600, 1e-12

#: Longest duration of a connection.
_LONGEST = 1e6


@dataclass(frozen=True)
class Connection:
    """A connecting orbit on a finite time, and what it connects: the unknowns of the boundary value problem.

    Attributes
    ----------
    flow : Flow, at the parameters where it exists
    orbit : Orbit
        ``orbit.period`` is the duration, ``orbit(phase)`` for phases in [0, 1) the states; it does not close.
    saddles : (1, dim) array for a homoclinic orbit, (2, dim) for a heteroclinic one: the one left, the one reached
    tangent : (number of parameters,) array
        Unit vector along the curve of connections in the parameters, where two of them are unknown.
    """

    flow: Flow
    orbit: Orbit
    saddles: np.ndarray
    tangent: np.ndarray | None = None

    @property
    def extent(self) -> float:
        """Largest range of a coordinate."""
        return float(np.ptp(self.orbit.points, axis=0).max())

    @property
    def along(self) -> np.ndarray:
        """``tangent``; ValueError where the connection was solved for one parameter."""
        if self.tangent is None:
            raise ValueError("this connection was solved for one parameter")
        return self.tangent

    def turned(self) -> Connection:
        """The same, with the tangent the other way round."""
        return replace(self, tangent=-self.along)


def rest_point(flow: Flow, guess: np.ndarray) -> np.ndarray:
    """The fixed point near a guess, by damped Newton steps.

    Parameters
    ----------
    flow : Flow
    guess : (dim,) array

    Raises
    ------
    ConvergenceError
        none there
    """
    x = np.array(guess, dtype=float)
    change = np.full_like(x, np.inf)
    for _ in range(50):
        try:
            change = np.linalg.solve(flow.jacobian(x), -flow(x))
        except np.linalg.LinAlgError:
            break
        x = x + change / max(1.0, 4.0 * np.abs(change).max())
        if not np.isfinite(x).all() or np.abs(change).max() < 1e-14:
            break
    if not np.abs(change).max() < 1e-10:
        raise ConvergenceError(f"no fixed point near {np.asarray(guess).tolist()}", x)
    return x


def end_state(orbit: Orbit) -> np.ndarray:
    """(dim,) array, the last state of an orbit that does not close."""
    values = np.concatenate([orbit.points[-1:], orbit.stages[-1]])
    return gauss_scheme(orbit.stages.shape[1])[4] @ values


def _left_spaces(flow, saddle):
    """Orthonormal rows that vanish on the unstable space, and rows that vanish on the stable space, of a saddle."""
    from scipy.linalg import schur

    J = flow.jacobian(saddle).T
    _, off_unstable, stable = schur(J, output="real", sort="lhp")
    _, off_stable, unstable = schur(J, output="real", sort="rhp")
    return off_unstable[:, :stable].T, off_stable[:, :unstable].T


def _eliminated(flow, orbit, paths):
    """Newton's equations inside all intervals: how the stages change by themselves, with the left end, with the parameters."""
    n, m, d = orbit.stages.shape
    D = gauss_scheme(m)[3]
    h, T, U = np.diff(orbit.mesh), orbit.period, orbit.stages
    values = np.concatenate([orbit.points[:, None], U], axis=1)
    J = flow.jacobian(U)
    M = np.einsum("kl,ab->kalb", D[:, 1:], np.eye(d))[None].repeat(n, axis=0)
    k = np.arange(m)
    M[:, k, :, k, :] -= T * (h[:, None, None, None] * J).transpose(1, 0, 2, 3)
    right = np.empty((n, m, d, 1 + d + len(paths)))
    right[..., 0] = T * h[:, None, None] * flow(U) - np.einsum("ki,jid->jkd", D, values)
    right[..., 1 : 1 + d] = -D[:, 0][None, :, None, None] * np.eye(d)
    for i, path in enumerate(paths):
        right[..., 1 + d + i] = T * h[:, None, None] * parameter_slope(flow, U, path)
    return np.linalg.solve(M.reshape(n, m * d, m * d), right.reshape(n, m * d, -1)).reshape(n, m, d, -1)


class _Equations:
    """A sparse linear system filled block by block."""

    def __init__(self, size):
        self.size, self.rows, self.columns, self.values = size, [], [], []
        self.right = np.zeros(size)
        self.filled = 0

    def add(self, blocks, right):
        """Rows from {first column: (r, c) block} and their right sides (r,)."""
        r = len(right)
        for column, block in blocks.items():
            i, j = np.indices(block.shape)
            self.rows.append((self.filled + i).ravel())
            self.columns.append((column + j).ravel())
            self.values.append(np.asarray(block, dtype=float).ravel())
        self.right[self.filled : self.filled + r] = right
        self.filled += r

    def factors(self):
        from scipy.sparse import csc_matrix
        from scipy.sparse.linalg import splu

        where = (np.concatenate(self.rows), np.concatenate(self.columns))
        try:
            return splu(csc_matrix((np.concatenate(self.values), where), shape=(self.size, self.size)))
        except RuntimeError as error:  # exactly singular
            raise np.linalg.LinAlgError(str(error)) from None


def _system(connection, paths, plane):
    """The bordered system of one Newton step: equations, and what turns changes of the mesh points into changes of the stages."""
    flow, orbit, saddles = connection.flow, connection.orbit, connection.saddles
    n, m, d = orbit.stages.shape
    q, end = len(paths), gauss_scheme(m)[4]
    S = _eliminated(flow, orbit, paths)
    ends = np.einsum("k,jkdx->jdx", end[1:], S)
    ends[..., 1 : 1 + d] += end[0] * np.eye(d)
    values = np.concatenate([orbit.points[:, None], orbit.stages], axis=1)
    reached = np.einsum("i,jid->jd", end, values) + ends[..., 0]
    at_saddle, at_parameters = n * d, n * d + saddles.size
    equations = _Equations(n * d + saddles.size + q)
    # neighbours meet
    size = (n - 1) * d
    j, a = np.meshgrid(np.arange(n - 1), np.arange(d), indexing="ij")
    row = (j * d + a).ravel()
    for b in range(d):
        equations.rows.append(row)
        equations.columns.append((j * d + b).ravel())
        equations.values.append(-ends[:-1, :, 1 + b].ravel())
    for i in range(q):
        equations.rows.append(row)
        equations.columns.append(np.full(size, at_parameters + i))
        equations.values.append(-ends[:-1, :, 1 + d + i].ravel())
    equations.rows.append(row)
    equations.columns.append(row + d)
    equations.values.append(np.ones(size))
    equations.right[:size] = (reached[:-1] - orbit.points[1:]).ravel()
    equations.filled = size
    # ends in the eigenspaces; how these turn with the parameters matters at the second order of the ends' distances only
    off_unstable = _left_spaces(flow, saddles[0])[0]
    off_stable = _left_spaces(flow, saddles[-1])[1]
    if len(off_unstable) + len(off_stable) != d:
        raise ConvergenceError(
            f"connection: {len(off_unstable)} + {len(off_stable)} conditions at the ends of an orbit in {d} dimensions", connection
        )
    equations.add({0: off_unstable, at_saddle: -off_unstable}, off_unstable @ (saddles[0] - orbit.points[0]))
    last = at_saddle + (len(saddles) - 1) * d
    blocks = {(n - 1) * d: off_stable @ ends[-1, :, 1 : 1 + d], at_parameters: off_stable @ ends[-1, :, 1 + d :], last: -off_stable}
    equations.add(blocks, off_stable @ (saddles[-1] - reached[-1]))
    for k, saddle in enumerate(saddles):
        slopes = np.column_stack([parameter_slope(flow, saddle, path) for path in paths])
        equations.add({at_saddle + k * d: flow.jacobian(saddle), at_parameters: slopes}, -flow(saddle))
    # the phase: no shift along the orbit of the last step
    velocity = np.diff(orbit.mesh)[:, None, None] * gauss_scheme(m)[1][:, None] * flow(orbit.stages)
    velocity /= np.abs(velocity).max()
    phase = np.einsum("jkd,jkdx->jx", velocity, S)
    blocks = {0: phase[:, 1 : 1 + d].reshape(1, -1), at_parameters: phase[:, 1 + d :].sum(axis=0)[None]}
    equations.add(blocks, [-phase[:, 0].sum()])
    if plane is not None:
        normal, missing = plane
        equations.add({at_parameters: np.asarray(normal)[None]}, [missing])
    return equations, S


def connect(
    connection: Connection,
    paths: Sequence[Path],
    plane: tuple[np.ndarray, np.ndarray] | None = None,
    tol: float = _TOL,
    iterations: int = 25,
) -> Connection:
    """Newton's method for a connecting orbit on a fixed mesh and of fixed duration.

    Parameters
    ----------
    connection : Connection, the guess
    paths : sequence of one path, or of two with ``plane``
        The parameters that are unknown.
    plane : (normal, through), optional
        normal . (parameters - through) = 0 for two parameters.
    tol : float
        Bound on the last correction.
    iterations : int

    Raises
    ------
    ConvergenceError
        no convergence, a singular system, or saddles whose manifolds do not meet at isolated parameters
    """
    last = np.inf
    for iteration in range(iterations):
        flow, orbit, saddles = connection.flow, connection.orbit, connection.saddles
        n, m, d = orbit.stages.shape
        values = np.array([flow.parameter(path) for path in paths])
        try:
            rest = None if plane is None else (plane[0], float(-plane[0] @ (values - plane[1])))
            equations, S = _system(connection, paths, rest)
            factors = equations.factors()
        except np.linalg.LinAlgError:
            raise ConvergenceError("connection: the linear system is singular", connection) from None
        change = factors.solve(equations.right)
        if not np.isfinite(change).all():
            raise ConvergenceError("connection: Newton's method left all bounds", connection)
        du, dx, dp = np.split(change, [n * d, n * d + saddles.size])
        du = du.reshape(n, d)
        dU = S[..., 0] + np.einsum("jkdx,jx->jkd", S[..., 1 : 1 + d], du) + S[..., 1 + d :] @ dp
        size = max(np.abs(change).max(), np.abs(dU).max())
        damping = min(1.0, 0.3 / size) if size > 0.3 else 1.0
        for path, step in zip(paths, dp):
            flow = flow.replace(path, flow.parameter(path) + damping * float(step))
        orbit = Orbit(orbit.mesh, orbit.points + damping * du, orbit.stages + damping * dU, orbit.period, None, float(size))
        tangent = None
        if plane is not None:
            along = np.zeros(equations.size)
            along[-1] = 1.0  # the condition on the plane, which comes last
            tangent = factors.solve(along)[-len(paths) :]
            tangent = tangent / np.linalg.norm(tangent)
        connection = Connection(flow, orbit, saddles + damping * dx.reshape(saddles.shape), tangent)
        if size <= tol or (size < 1e-8 and size > 0.3 * last and iteration > 3):
            return connection
        last = size
    raise ConvergenceError(f"connection: no convergence in {iterations} Newton steps (last correction {size:.1e})", connection)


def _near_saddle(flow, saddle, offset, times, sign):
    """States near a saddle by the linear flow, from ``offset`` on for ``times`` (sign -1: before)."""
    values, vectors = np.linalg.eig(flow.jacobian(saddle))
    inside = sign * values.real < 0
    parts = np.linalg.solve(vectors, offset.astype(complex))[inside]
    return saddle + (np.exp(sign * times[..., None] * values[inside]) * parts @ vectors[:, inside].T).real


def with_ends_at(connection: Connection, size: float, n: int | None = None) -> Connection:
    """The same orbit, longer or shorter, so that its ends stand at a distance from their saddles; on a mesh of n intervals.

    Parameters
    ----------
    connection : Connection
    size : float
        The distance, in units of the orbit's extent.
    n : int, optional
        Default: as many as it has.
    """
    flow, orbit, saddles = connection.flow, connection.orbit, connection.saddles
    size = size * connection.extent
    last = end_state(orbit)
    phases = np.union1d(orbit.mesh[:-1], np.linspace(0.0, 1.0, 2001)[:-1])
    states = orbit(phases)
    window = []
    for saddle, state, sign in ((saddles[0], orbit.points[0], -1.0), (saddles[-1], last, 1.0)):
        distance = np.linalg.norm(state - saddle)
        rates = sign * np.linalg.eigvals(flow.jacobian(saddle)).real
        slowest = -rates[rates < 0].max() if (rates < 0).any() else np.inf
        if distance > size:
            window.append(np.log(distance / size) / slowest)
            continue
        # cut off what is nearer than that
        away = np.linalg.norm(states - saddle, axis=1) > size
        if not away.any():
            raise ConvergenceError("connection: the orbit shrank to its saddle", connection)
        cut = phases[np.argmax(away)] if sign < 0 else 1.0 - phases[len(away) - 1 - np.argmax(away[::-1])]
        window.append(-orbit.period * cut)
    before, after = window
    period = orbit.period + before + after
    if not 0.0 < period < _LONGEST:
        raise ConvergenceError(f"connection: the orbit would last {period:.3g}", connection)

    def curve(times):
        own = np.asarray(times) - before
        out = orbit(np.clip(own / orbit.period, 0.0, 1.0 - 1e-15))
        early, late = own < 0.0, own > orbit.period
        out[early] = _near_saddle(flow, saddles[0], orbit.points[0] - saddles[0], -own[early], -1.0)
        out[late] = _near_saddle(flow, saddles[-1], last - saddles[-1], own[late] - orbit.period, 1.0)
        return out

    return Connection(flow, from_curve(curve, period, len(orbit.points) if n is None else n), saddles, connection.tangent)


def converged_connection(connection: Connection, path: Path, tol: float = _STILL) -> tuple[Connection, float]:
    """The connecting orbit from a rough guess, on finer meshes and for a longer time until its parameter stands still.

    Parameters
    ----------
    connection : Connection
    path : str or Line, the parameter
    tol : float
        Change of the parameter with the last refinement.

    Returns
    -------
    Connection, float
        The longest one, and the error of the parameter: its change with the last refinement of the mesh and with the doubling of
        the time that the orbit spends near the saddles.

    Raises
    ------
    ConvergenceError
        no convergence, or the orbit moved far from the guess
    """
    n, guess = _INTERVALS, connection
    connection = connect(with_ends_at(connection, 1e-3, n), [path], tol=1e-6)
    if np.abs(connection.saddles - guess.saddles).max() > 0.1 * guess.extent or not 0.5 < connection.extent / guess.extent < 2.0:
        raise ConvergenceError("connection: Newton's method went to another orbit than that of the guess", connection)
    connection, change = _refined(connection, path, END, n, tol)
    value = connection.flow.parameter(path)
    longer, again = _refined(connection, path, END**2, int(1.5 * len(connection.orbit.points)), tol)
    cut_off = abs(longer.flow.parameter(path) - value)
    return longer, max(change, again, cut_off, 8.0 * np.finfo(float).eps * max(1.0, abs(value)))


def _refined(connection, path, size, n, tol):
    last = np.inf
    value = np.inf
    while True:
        connection = connect(with_ends_at(connection, size, n), [path])
        change, value = abs(connection.flow.parameter(path) - value), connection.flow.parameter(path)
        if change <= tol * max(1.0, abs(value)) or 0.3 * last < change < 1e-9:
            return connection, min(change, last)
        if n >= _MOST_INTERVALS:
            raise ConvergenceError(f"connection: the parameter still changes by {change:.1e} at {n} mesh intervals", connection)
        last, n = change, min(_MOST_INTERVALS, int(1.3 * n) + 1)


def sorted_eigenvalues(flow: Flow, saddle: np.ndarray) -> np.ndarray:
    """(dim,) complex array, eigenvalues of the flow's Jacobian at a state, the largest real part first."""
    values = np.linalg.eigvals(flow.jacobian(saddle)).astype(complex)
    return values[np.argsort(-values.real)]
