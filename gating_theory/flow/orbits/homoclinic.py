"""Homoclinic parameters, by the fate of a saddle's unstable manifold, and the divergence of periods beside them [JSP].

On one side of the homoclinic parameter the manifold, coming back, leaves the saddle on the side where it began, on the other side
on the other; bisection needs nothing else. A cycle beside it spends ever more time at the saddle, T ~ -log|mu - mu_c| / lambda_u.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ...errors import ConvergenceError
from ...results.encoding import dict_of, result
from ...support.arithmetic import underflow_is_zero
from ...support.checks import boolean, instance, integer, interval, real, real_array, shown, sign
from ..flow import LONGEST, Flow, require_fixed
from ..line import Line, Path
from .cycle import Cycle, find_cycle
from .trajectories import advance

__all__ = ["Homoclinic", "PeriodLaw", "homoclinic"]

#: Distance from the saddle at which its unstable manifold is entered: off it by the square of this, along the contracting
#: direction.
_ENTER = 1e-6


@result("flow.PeriodLaw")
@dataclass(frozen=True)
class PeriodLaw:
    """Periods of cycles close to a homoclinic parameter.

    Attributes
    ----------
    distances : (n,) array, |mu - mu_c|, decreasing
    periods : (n,) array
    slopes : (n - 1,) array
        Change of the period per unit of -log|mu - mu_c| between neighbours.
    expected : float
        Its limit: passes / lambda_u.
    passes : int
        How often the cycle passes the saddle: 1, or 2 where two symmetric loops are glued together.
    cycles : list of Cycle
    """

    distances: np.ndarray
    periods: np.ndarray
    slopes: np.ndarray
    expected: float
    passes: int
    cycles: list[Cycle] = field(repr=False)

    as_dict = dict_of

    def __str__(self) -> str:
        lines = [f"T against -log|mu - mu_c|: slope tends to {self.expected:.6g}"]
        for i, (d, T) in enumerate(zip(self.distances, self.periods)):
            lines.append(f"  {d:9.1e}  {T:12.7g}" + (f"  {self.slopes[i - 1]:.6g}" if i else ""))
        return "\n".join(lines)


@result("flow.Homoclinic")
@dataclass(frozen=True)
class Homoclinic:
    """A homoclinic parameter and the saddle there.

    Attributes
    ----------
    path : str or Line, value : float
    error : float
        Width of the last bracket.
    saddle : (dim,) array
    eigenvalues : (dim,) complex array, the unstable one first
    saddle_quantity : float
        lambda_u + Re of the weakest stable eigenvalue: negative where the cycle that is born is stable.
    side : 1 or -1
        Branch of the unstable manifold, in units of ``direction``.
    direction : (dim,) array, the unstable eigenvector
    flow : Flow at ``value``
    returns_below : bool
        Whether just below ``value`` the manifold leaves on the side where it began.
    """

    path: Path
    value: float
    error: float
    saddle: np.ndarray
    eigenvalues: np.ndarray
    saddle_quantity: float
    side: int
    direction: np.ndarray
    flow: Flow = field(repr=False)
    returns_below: bool = False

    as_dict = dict_of

    def check(self) -> None:
        """ValueError where the saddle is no fixed point of the flow."""
        require_fixed(self.flow, self.saddle)

    @underflow_is_zero
    def period_law(self, distances: npt.ArrayLike, *, same_side: bool = True, passes: int = 1) -> PeriodLaw:
        """Periods of the stable cycle at several distances from the homoclinic parameter.

        Parameters
        ----------
        distances : increasing or decreasing sequence of positive numbers
        same_side : bool
            Take the cycle on the side of the parameter where the manifold leaves the saddle as it began (the plain case), or on the
            other one (the cycle around both loops of a symmetric flow).
        passes : int
            How often the cycle passes the saddle: 2 for a cycle around two symmetric loops.

        Returns
        -------
        PeriodLaw

        Raises
        ------
        ConvergenceError : there is no stable cycle at some distance
        """
        distances = real_array("distances", distances)
        if distances.ndim != 1 or len(distances) < 2 or (distances <= 0).any():
            raise ValueError(f"distances must be at least two positive numbers, got {shown(distances)}")
        distances = np.sort(distances)[::-1]
        passes = integer("passes", passes, low=1)
        below = self.returns_below == boolean("same_side", same_side)
        found = []
        for d in distances:
            here = self.flow.replace(self.path, self.value - d if below else self.value + d)
            saddle, _, vector, _ = _saddle(here, self.saddle)
            start = saddle + _ENTER * self.side * vector * np.sign(vector @ self.direction)
            found.append(find_cycle(here, start, transient=300.0, max_period=5000.0))
        periods = np.array([c.period for c in found])
        slopes = np.diff(periods) / -np.diff(np.log(distances))
        return PeriodLaw(distances, periods, slopes, float(passes / self.eigenvalues[0].real), passes, found)

    def __str__(self) -> str:
        return (
            f"homoclinic orbit at {self.path} = {self.value:.13g} ({self.error:.0e}), saddle "
            f"({', '.join(f'{x:.6g}' for x in self.saddle)}), lambda_u = {self.eigenvalues[0].real:.10g}, saddle quantity "
            f"{self.saddle_quantity:.6g}"
        )


def _saddle(flow, guess):
    """The saddle near a guess: state, eigenvalues (unstable first), unstable eigenvector, left one with <p, v> = 1."""
    x = np.array(guess, dtype=float)
    for _ in range(50):
        change = np.linalg.solve(flow.jacobian(x), -flow(x))
        x = x + change / max(1.0, 4.0 * np.abs(change).max())
        if np.abs(change).max() < 1e-14:
            break
    else:
        if np.abs(change).max() > 1e-10:
            raise ConvergenceError(f"homoclinic: no fixed point near {np.asarray(guess).tolist()}", x)
    J = flow.jacobian(x)
    values, vectors = np.linalg.eig(J)
    order = np.argsort(-values.real)
    values, vectors = values[order], vectors[:, order]
    if not (values[0].real > 0 and abs(values[0].imag) < 1e-12 and (values[1:].real < 0).all()):
        raise ConvergenceError(f"homoclinic: {x.tolist()} is no saddle with one unstable direction (eigenvalues {values})", x)
    v = vectors[:, 0].real
    v = v / np.linalg.norm(v)
    left, rows = np.linalg.eig(J.T)
    p = rows[:, int(np.argmin(np.abs(left - values[0])))].real
    return x, values, v, p / (p @ v)


def _fate(flow, saddle, v, p, side, t_max):
    """Side (+1: that of the departure, -1: the other) on which the unstable manifold leaves the saddle after its first return."""
    rate = flow.jacobian(saddle)
    chunk = 0.1 / max(1e-3, np.abs(np.linalg.eigvals(rate)).max())
    # the beginning, where nothing happens, in one go
    x = advance(flow, saddle + _ENTER * side * v, np.log(1e-2 / _ENTER) / max(p @ rate @ v, 1e-12), rtol=1e-12, atol=1e-14)
    far, near, closing, before, t = 0.0, np.inf, False, 0.0, 0.0
    while t < t_max:
        x = advance(flow, x, chunk, rtol=1e-12, atol=1e-14, bound=1e3)
        t += chunk
        distance = np.linalg.norm(x - saddle)
        if not np.isfinite(distance):
            break
        if closing:
            near = min(near, distance)
            if distance > 2.0 * near + 1e-12:
                return int(np.sign(side * (p @ (x - saddle))))
        else:
            far = max(far, distance)
            closing = distance < before and distance < 0.5 * far
            near = distance
        # at rest elsewhere: it never came back
        if np.abs(flow(x)).max() < 1e-10 and distance > 1e-3:
            return int(np.sign(side * (p @ (x - saddle))))
        before = distance
    raise ConvergenceError(f"homoclinic: the unstable manifold does not come back within t = {t_max:g}", x)


@underflow_is_zero
def homoclinic(
    flow: Flow,
    path: str | Mapping[str, float] | Flow | Line,
    bracket: npt.ArrayLike,
    saddle: npt.ArrayLike,
    *,
    side: int | None = None,
    t_max: float = 2000.0,
    tol: float = 1e-13,
) -> Homoclinic:
    """The parameter at which a branch of a saddle's one-dimensional unstable manifold returns to the saddle, by bisection.

    Parameters
    ----------
    flow : Flow
    path : str, mapping, Flow or Line
        The parameter, such as "b_h[1]", or what changes together, such as "gain.h": as for ``Flow.along``.
    bracket : (low, high)
        Two values between which the manifold, coming back to the saddle, changes the side on which it leaves.
    saddle : (dim,) array
        Near the saddle, at the middle of the bracket.
    side : 1 or -1, optional
        Branch of the manifold: along or against the unstable eigenvector whose largest component is positive. Default: the
        one whose fate differs between the two ends.
    t_max : float > 0, 1e6 at most
        Time within which the manifold must have come back.
    tol : float
        Absolute width of the last bracket; about 1e-12 is what the accuracy of the trajectory supports.

    Returns
    -------
    Homoclinic

    Raises
    ------
    TypeError, ValueError : arguments that are not allowed, or a bracket whose two ends share their fate
    ConvergenceError : no saddle there, or its manifold does not come back
    """
    instance("flow", flow, Flow)
    low, high = bracket = interval("bracket", bracket)
    if side is not None:
        side = sign("side", side)
    t_max, tol = real("t_max", t_max, low=0.0, high=LONGEST, open_low=True), real("tol", tol, low=0.0)
    path = flow.along(path)
    saddle = real_array("saddle", saddle, largest=1e6)
    if saddle.shape != (flow.dim,):
        raise ValueError(f"saddle must have shape ({flow.dim},), got {saddle.shape}")
    middle, *_ = _saddle(flow.replace(path, 0.5 * (low + high)), saddle)

    def fate(value, branch):
        here = flow.replace(path, value)
        x, _, v, p = _saddle(here, middle)
        turn = np.sign(v[np.argmax(np.abs(v))])
        return _fate(here, x, v * turn, p * turn, branch, t_max)

    ends, chosen = None, 0
    for branch in (side,) if side is not None else (1, -1):
        try:
            values = fate(low, branch), fate(high, branch)
        except ConvergenceError:
            if side is not None:
                raise
            continue
        if values[0] != values[1]:
            chosen, ends = branch, values
            break
    if ends is None:
        raise ValueError(f"bracket must enclose a homoclinic parameter, but the manifold has one fate at both ends of {bracket}")
    while high - low > tol and low < 0.5 * (low + high) < high:
        value = 0.5 * (low + high)
        if fate(value, chosen) == ends[0]:
            low = value
        else:
            high = value
    value = 0.5 * (low + high)
    here = flow.replace(path, value)
    x, eigenvalues, v, _ = _saddle(here, middle)
    v = v * np.sign(v[np.argmax(np.abs(v))])
    quantity = float(eigenvalues[0].real + eigenvalues[1:].real.max())
    return Homoclinic(path, value, high - low, x, eigenvalues, quantity, chosen, v, here, ends[0] > 0)
