"""Parameters at which a one-dimensional manifold of a saddle runs into a saddle, by bisection on its fate.

On one side of the parameter the manifold, having come close to the saddle, leaves it on one side, on the other side on the other;
bisection needs nothing else. Where the stable manifold is the one-dimensional one, it is followed backwards in time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...errors import ConvergenceError
from .collocation import from_curve
from .connections import Connection, rest_point
from .trajectories import advance

if TYPE_CHECKING:
    from ..flow import Flow
    from ..line import Path

__all__ = ["OneDimensional", "bisected_connection", "manifold_orbit", "one_dimensional"]

#: Distance from the saddle at which its manifold is entered: off it by the square of this, along the other directions.
_ENTER = 1e-6

#: Distance of the manifold's return, in units of its extent, above which its fate changes for another reason.
_RETURNED = 0.05

#: A state this far out (largest component) will not come back.
_AWAY = 1e3

#: Mesh intervals of the rough orbit.
_INTERVALS = 60


@dataclass(frozen=True)
class OneDimensional:
    """A saddle's one-dimensional manifold: the unstable one (clock 1) or, backwards in time, the stable one (clock -1).

    Attributes
    ----------
    saddle : (dim,) array
    eigenvalues : (dim,) complex array of the flow's Jacobian, the largest real part first
    vector : (dim,) array
        Unit eigenvector of the manifold, its largest component positive or turned like another one.
    left : (dim,) array
        Left eigenvector with left . vector = 1: its sign is the side of the other manifold.
    clock : 1 or -1
    """

    saddle: np.ndarray
    eigenvalues: np.ndarray
    vector: np.ndarray
    left: np.ndarray
    clock: int

    @property
    def rate(self) -> float:
        """How fast the manifold leaves the saddle, on its own clock."""
        return float(abs(self.eigenvalues[0 if self.clock > 0 else -1].real))


def one_dimensional(flow: Flow, guess: np.ndarray, clock: int = 0, like: np.ndarray | None = None) -> OneDimensional:
    """The one-dimensional manifold of the saddle near a guess.

    Parameters
    ----------
    flow : Flow
    guess : (dim,) array
    clock : 1, -1 or 0
        Which one; 0: the unstable one, or else the stable one.
    like : (dim,) array, optional
        Direction that the vector is to agree with.

    Raises
    ------
    ConvergenceError
        no fixed point there, or none with such a manifold
    """
    x = rest_point(flow, guess)
    J = flow.jacobian(x)
    values, vectors = np.linalg.eig(J)
    order = np.argsort(-values.real)
    values, vectors = values[order], vectors[:, order]
    up = int((values.real > 0).sum())
    if clock == 0:
        clock = 1 if up == 1 else -1
    place = 0 if clock > 0 else len(values) - 1
    alone = up == 1 if clock > 0 else up == len(values) - 1
    if len(values) < 2 or not alone or (values.real == 0).any():
        which = {1: "one unstable direction", -1: "one stable direction"}[clock]
        raise ConvergenceError(f"{x.tolist()} is no saddle with {which} (eigenvalues {np.round(values, 8)})", x)
    v = vectors[:, place].real
    v = v / np.linalg.norm(v)
    v = v * np.sign(v[np.argmax(np.abs(v))] if like is None else v @ like)
    left, rows = np.linalg.eig(J.T)
    p = rows[:, int(np.argmin(np.abs(left - values[place])))].real
    return OneDimensional(x, values, v, p / (p @ v), clock)


def _fate(flow, origin, target, branch, t_max):
    """Side of ``target.left`` on which the manifold leaves the target after its approach; when it is nearest, and how near."""
    clock = origin.clock
    chunk = 0.1 / max(1e-3, np.abs(origin.eigenvalues).max())
    # the beginning, where nothing happens, in one go
    t = np.log(1e-2 / _ENTER) / max(origin.rate, 1e-12)
    x = advance(flow, origin.saddle + _ENTER * branch * origin.vector, clock * t, rtol=1e-12, atol=1e-14)
    far, near, closing, before, nearest = 0.0, np.inf, False, np.inf, t
    end = t + t_max
    while t < end:
        new = advance(flow, x, clock * chunk, rtol=1e-12, atol=1e-14, bound=_AWAY)
        t += chunk
        if not np.isfinite(new).all():
            return _side(target, x), nearest, near  # away for good
        x = new
        distance = np.linalg.norm(x - target.saddle)
        if closing:
            if distance < near:
                near, nearest = distance, t
            if distance > 2.0 * near + 1e-12:
                return _side(target, x), nearest, near
        else:
            far = max(far, distance)
            closing = distance < before and distance < 0.5 * far
            near, nearest = distance, t
        # at rest elsewhere: it never came back
        if np.abs(flow(x)).max() < 1e-10 and distance > 1e-3:
            return _side(target, x), nearest, near
        before = distance
    raise ConvergenceError(f"the manifold does not come near the saddle within t = {t_max:g}", x)


def _side(target, x):
    return int(np.sign(target.left @ (x - target.saddle)))


def bisected_connection(
    flow: Flow,
    path: Path,
    bracket: np.ndarray,
    ends: Callable[[Flow], tuple[OneDimensional, OneDimensional]],
    branches: tuple[int, ...],
    t_max: float,
    tol: float,
) -> tuple[Connection, int, float, float] | None:
    """The parameter in a bracket at which a branch of a manifold runs into a saddle, and the orbit there.

    Parameters
    ----------
    flow : Flow
    path : str or Line
    bracket : (low, high)
    ends : callable(flow)
        Two OneDimensional: of the saddle from which the manifold is followed and of the one that it runs into.
    branches : of the manifold, tried in turn: 1 or -1 times ``vector``
    t_max : float
    tol : float, width of the last bracket

    Returns
    -------
    connection : Connection, rough
    branch : 1 or -1
    value, width : float

    Raises
    ------
    ValueError
        no branch has two fates; the text says what each of them does
    ConvergenceError
        its fate changes although it does not come near the saddle
    """
    low, high = bracket

    def fate(value, branch):
        here = flow.replace(path, value)
        return _fate(here, *ends(here), branch, t_max)[0]

    reasons = []
    for chosen in branches:
        known, failed = {}, []
        for value in (low, high):
            try:
                known[value] = fate(value, chosen)
            except ConvergenceError as error:
                failed.append(f"at {value:g} {error}")
        if not failed and known[low] != known[high]:
            break
        reasons.append(f"side {chosen}: {' and '.join(failed) or 'one fate at both ends'}")
    else:
        text = f"bracket must enclose a value at which the manifold changes its fate, got {(low, high)}"
        raise ValueError(f"{text}: {'; '.join(reasons)}")
    first = known[low]
    while high - low > tol and low < 0.5 * (low + high) < high:
        value = 0.5 * (low + high)
        if fate(value, chosen) == first:
            low = value
        else:
            high = value
    value = 0.5 * (low + high)
    here = flow.replace(path, value)
    return manifold_orbit(here, *ends(here), chosen, t_max), chosen, value, high - low


def manifold_orbit(flow: Flow, origin: OneDimensional, target: OneDimensional, branch: int, t_max: float) -> Connection:
    """A branch of a one-dimensional manifold up to its nearest approach to a saddle, as a rough connection.

    Parameters
    ----------
    flow : Flow
    origin, target : OneDimensional
    branch : 1 or -1
    t_max : float

    Raises
    ------
    ConvergenceError
        it does not come near
    """
    _, time, near = _fate(flow, origin, target, branch, t_max)
    clock = origin.clock
    start = origin.saddle + _ENTER * branch * origin.vector
    run = flow.integrate(start, clock * time, rtol=1e-11, atol=1e-13, dense_output=True)
    if near > _RETURNED * np.ptp(run.y, axis=1).max():
        raise ConvergenceError(f"the manifold does not run into the saddle: it stays at a distance of {near:.3g}", near)

    def curve(times):
        own = np.ravel(times) if clock > 0 else np.ravel(times) - time
        return run.sol(own).T.reshape(*np.shape(times), -1)

    first, last = (origin, target) if clock > 0 else (target, origin)
    same = np.array_equal(origin.saddle, target.saddle)
    saddles = first.saddle[None] if same else np.stack([first.saddle, last.saddle])
    return Connection(flow, from_curve(curve, time, _INTERVALS), saddles)
