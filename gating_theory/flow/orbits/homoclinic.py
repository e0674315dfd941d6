"""Homoclinic and heteroclinic orbits: parameters at which a saddle is connected to itself or to another one [JSP].

Bisection on the fate of a one-dimensional manifold finds them, the boundary value problem of the orbit makes them exact: two ways
that share no equation, so that one is the check of the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ...errors import ConvergenceError
from ...results.encoding import dict_of, require, result
from ...support.arithmetic import underflow_is_zero
from ...support.checks import instance, integer, interval, real, real_array, shown, sign
from ..flow import Flow, require_fixed
from ..limits import LONGEST
from ..line import Line, Path
from .collocation import Orbit
from .connections import Connection, converged_connection, rest_point, sorted_eigenvalues
from .manifold_fate import bisected_connection, manifold_orbit, one_dimensional
from .period_law import PeriodLaw, cycles_beside

__all__ = ["Heteroclinic", "Homoclinic", "heteroclinic", "heteroclinic_from", "homoclinic", "homoclinic_from"]

#: Parameters at which two symmetric loops exist differ by less than this and their errors.
_SAME = 1e-8

#: The boundary value problem and the bisection may differ by so many widths of the last bracket, and this.
_WIDTHS, _APART = 100.0, 1e-8

#: Largest relative defect of the velocity along a saved orbit.
_FOLLOWS = 1e-5

#: Distances from a homoclinic parameter are at least so many times its error.
_RESOLVED = 10.0


@result("flow.Homoclinic")
@dataclass(frozen=True)
class Homoclinic:
    """A homoclinic parameter, the saddle there, and the orbit that leaves it and returns to it.

    Attributes
    ----------
    path : str or Line, the parameter
    value : float, where the orbit exists
    error : float
        Of ``value``: its change with the last refinement of the mesh and with the doubling of the time near the saddle.
    saddle : (dim,) array
    eigenvalues : (dim,) complex array, the largest real part first
    saddle_quantity : float
        Real parts of the weakest unstable and of the weakest stable eigenvalue, added: negative where the cycle that is born
        attracts along the loop.
    side : 1 or -1
        Branch of the one-dimensional manifold on which the orbit lies, in units of ``direction``; 0 where there is none.
    direction : (dim,) array
        Eigenvector of the one-dimensional manifold, the unstable one where both are (nan where none is).
    flow : Flow at ``value``
    orbit : Orbit
        On a finite time, ``orbit.period``: ``orbit(phase)`` for phases in [0, 1).
    bisected : float
        The value by bisection on the fate of the one-dimensional manifold, an independent check; nan where it was not made.

    See Also
    --------
    gating_theory.flow.homoclinic : Makes one.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_h=[[4.5, -2], [10, 0]], b_h=[0.4, 1.2])
    >>> saddle, bracket = [0.525, 0.998], (0.9, 0.93)
    >>> loop = gt.flow.homoclinic(flow, "b_h[1]", bracket, saddle, tol=1e-3)
    >>> loop.eigenvalues.real.round(4), round(loop.saddle_quantity, 4)
    (array([ 0.3108, -0.4962]), -0.1855)
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
    orbit: Orbit = field(repr=False)
    bisected: float = np.nan

    as_dict = dict_of

    def check(self) -> None:
        """ValueError where the saddle is no fixed point of the flow, or the orbit does not follow it."""
        require_fixed(self.flow, self.saddle)
        _require_follows(self.flow, self.orbit)

    @property
    def connection(self) -> Connection:
        """The orbit as the unknown of its boundary value problem."""
        return Connection(self.flow, self.orbit, self.saddle[None])

    @property
    def saddle_index(self) -> float:
        """-Re lambda_s / Re lambda_u of the weakest eigenvalues; below 1 with ``focus`` there is chaos nearby [Shilnikov]."""
        up, down = _weakest(self.eigenvalues)
        return float(-down.real / up.real)

    @property
    def focus(self) -> bool:
        """Whether the saddle is a saddle-focus: one of its weakest eigenvalues is complex."""
        return any(abs(z.imag) > 1e-9 * abs(z) for z in _weakest(self.eigenvalues))

    @underflow_is_zero
    def period_law(self, distances: npt.ArrayLike, *, passes: int = 1) -> PeriodLaw:
        """Periods of the cycle, stable or not, at several distances from the homoclinic parameter, on the side where it exists.

        Each cycle is continued from the homoclinic orbit, closed beside the saddle.

        Parameters
        ----------
        distances : increasing or decreasing sequence of positive numbers, at least ten times ``error``
        passes : 1 or 2
            How often the cycle passes the saddle: 2 for the one around the two loops of a symmetric flow.

        Returns
        -------
        PeriodLaw

        Raises
        ------
        TypeError, ValueError
            arguments that are not allowed
        ConvergenceError
            there is no such cycle at some distance

        Examples
        --------
        >>> import gating_theory as gt
        >>> flow = gt.GRUFlow(U_h=[[4.5, -2], [10, 0]], b_h=[0.4, 1.2])
        >>> saddle, bracket = [0.525, 0.998], (0.9, 0.93)
        >>> loop = gt.flow.homoclinic(flow, "b_h[1]", bracket, saddle, tol=1e-3)
        >>> law = loop.period_law([1e-3, 1e-4])
        >>> law.periods.round(2), law.slopes.round(2), round(law.expected, 2)
        (array([29.64, 37.08]), array([3.23]), 3.22)
        """
        distances = real_array("distances", distances)
        if distances.ndim != 1 or len(distances) < 2 or (distances <= 0).any():
            raise ValueError(f"distances must be at least two positive numbers, got {shown(distances)}")
        distances = np.sort(distances)[::-1]
        if distances[-1] < _RESOLVED * self.error or (np.diff(distances) == 0).any():
            raise ValueError(
                f"distances must differ and be at least {_RESOLVED:g} times the error {self.error:.1e}, got {shown(distances)}"
            )
        passes = integer("passes", passes, low=1, high=2)
        loops = [self.connection, *([self._other_loop()] if passes == 2 else [])]
        up, down = _weakest(self.eigenvalues)
        rate = min(up.real, -down.real)
        cycles, below, approach = cycles_beside(loops, self.path, self.value, distances, rate)
        periods = np.array([c.period for c in cycles])
        slopes = np.diff(periods) / -np.diff(np.log(distances))
        return PeriodLaw(distances, periods, slopes, float(passes / rate), passes, cycles, below, approach)

    def _other_loop(self):
        """The loop of the other branch; ConvergenceError unless it exists at the same parameter."""
        reason = "has no one-dimensional manifold"
        if self.side != 0:
            try:
                ends = one_dimensional(self.flow, self.saddle, like=self.direction)
                loop = manifold_orbit(self.flow, ends, ends, -self.side, LONGEST)
                loop, error = converged_connection(loop, self.path)
                gap = abs(loop.flow.parameter(self.path) - self.value)
                if gap <= _SAME + error + self.error:
                    return loop
                reason = f"has its own loop at a distance of {gap:.3g}"
            except ConvergenceError as e:
                reason = str(e)
        raise ConvergenceError(f"period law: a cycle of two passes needs two loops at one parameter; the other branch: {reason}")

    def __str__(self) -> str:
        up, down = _weakest(self.eigenvalues)
        kind = "saddle-focus" if self.focus else "saddle"
        return (
            f"homoclinic orbit at {self.path} = {self.value:.13g} ({self.error:.0e}), {kind} "
            f"({', '.join(f'{x:.6g}' for x in self.saddle)}), lambda_u = {_complex(up)}, lambda_s = {_complex(down)}, "
            f"saddle quantity {self.saddle_quantity:.6g}, saddle index {self.saddle_index:.6g}"
        )


@result("flow.Heteroclinic")
@dataclass(frozen=True)
class Heteroclinic:
    """A parameter at which an orbit leads from one saddle to another, and that orbit.

    Attributes
    ----------
    path : str or Line, the parameter
    value : float, where the orbit exists
    error : float
        As for :class:`Homoclinic`.
    from_saddle, to_saddle : (dim,) arrays
    from_eigenvalues, to_eigenvalues : (dim,) complex arrays, the largest real part first
    flow : Flow at ``value``
    orbit : Orbit, on a finite time
    bisected : float
        The value by bisection on the fate of a one-dimensional manifold; nan where it was not made.

    See Also
    --------
    gating_theory.flow.heteroclinic : Makes one.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_r=[[0, 0], [2, 0]], U_h=[[3, 0], [0, 1.5]])
    >>> saddles = [0.0, 0.0], [0.8586, 0.0]
    >>> between = gt.flow.heteroclinic(
    ...     flow, "b_h[1]", (-0.05, 0.06), *saddles, tol=1e-4
    ... )
    >>> between.from_eigenvalues.real.round(3), between.to_eigenvalues.real.round(3)
    (array([ 0.25 , -0.125]), array([ 0.136, -0.303]))
    """

    path: Path
    value: float
    error: float
    from_saddle: np.ndarray
    to_saddle: np.ndarray
    from_eigenvalues: np.ndarray
    to_eigenvalues: np.ndarray
    flow: Flow = field(repr=False)
    orbit: Orbit = field(repr=False)
    bisected: float = np.nan

    as_dict = dict_of

    def check(self) -> None:
        """ValueError where a saddle is no fixed point of the flow, or the orbit does not follow it."""
        require_fixed(self.flow, self.from_saddle)
        require_fixed(self.flow, self.to_saddle)
        _require_follows(self.flow, self.orbit)

    @property
    def connection(self) -> Connection:
        """The orbit as the unknown of its boundary value problem."""
        return Connection(self.flow, self.orbit, np.stack([self.from_saddle, self.to_saddle]))

    def __str__(self) -> str:
        ends = (f"({', '.join(f'{x:.6g}' for x in saddle)})" for saddle in (self.from_saddle, self.to_saddle))
        return f"heteroclinic orbit at {self.path} = {self.value:.13g} ({self.error:.0e}) from {' to '.join(ends)}"


def _complex(z):
    return f"{z.real:.10g}" if abs(z.imag) <= 1e-9 * abs(z) else f"{z:.8g}"


def _weakest(eigenvalues):
    """The unstable and the stable eigenvalue nearest to the imaginary axis, of eigenvalues sorted by their real parts."""
    up = int((eigenvalues.real > 0).sum())
    return eigenvalues[up - 1], eigenvalues[up]


def _require_follows(flow, orbit):
    defect = orbit.defect(flow)
    require(defect < _FOLLOWS, f"the connecting orbit does not follow {flow!r}: its velocity is off by {defect:.3g}")


def homoclinic_from(guess: Connection, path: Path, bisected: float = np.nan) -> Homoclinic:
    """The homoclinic orbit near a guess, by its boundary value problem.

    Parameters
    ----------
    guess : Connection with one saddle
    path : str or Line
    bisected : float, a value found in another way

    Raises
    ------
    ConvergenceError
        none there
    """
    found, error = converged_connection(guess, path)
    flow, saddle = found.flow, found.saddles[0]
    values = sorted_eigenvalues(flow, saddle)
    up, down = _weakest(values)
    side, direction = 0, np.full(flow.dim, np.nan)
    try:
        manifold = one_dimensional(flow, saddle)
    except ConvergenceError:
        pass  # two dimensions or more, both of them
    else:
        direction = manifold.vector
        # seen from the saddle, where the manifold has not bent yet
        near = found.orbit(1e-3) if manifold.clock > 0 else found.orbit(1.0 - 1e-3)
        side = int(np.sign(manifold.left @ (near - saddle)))
    quantity = float(up.real + down.real)
    value = flow.parameter(path)
    return Homoclinic(path, value, error, saddle, values, quantity, side, direction, flow, found.orbit, bisected)


def heteroclinic_from(guess: Connection, path: Path, bisected: float = np.nan) -> Heteroclinic:
    """The heteroclinic orbit near a guess, by its boundary value problem.

    Parameters
    ----------
    guess : Connection with two saddles
    path : str or Line
    bisected : float, a value found in another way

    Raises
    ------
    ConvergenceError
        none there
    """
    found, error = converged_connection(guess, path)
    first, last = found.saddles
    flow = found.flow
    left, reached = sorted_eigenvalues(flow, first), sorted_eigenvalues(flow, last)
    return Heteroclinic(path, flow.parameter(path), error, first, last, left, reached, flow, found.orbit, bisected)


@dataclass(frozen=True)
class _Search:
    """Checked arguments of both searches."""

    flow: Flow
    path: Path
    bracket: np.ndarray
    branches: tuple[int, ...]
    t_max: float
    tol: float
    saddles: list[np.ndarray]

    @property
    def middle(self):
        return self.flow.replace(self.path, 0.5 * float(np.sum(self.bracket)))

    def connection(self, ends):
        """A rough connection, the value of the bisection and the width of its last bracket."""
        options = self.branches, self.t_max, self.tol
        guess, _, value, width = bisected_connection(self.flow, self.path, self.bracket, ends, *options)
        return guess, value, width


def _search(flow, path, bracket, side, t_max, tol, **saddles):
    instance("flow", flow, Flow)
    bracket = interval("bracket", bracket)
    branches = (1, -1) if side is None else (sign("side", side),)
    t_max, tol = real("t_max", t_max, low=0.0, high=LONGEST, open_low=True), real("tol", tol, low=0.0)
    search = _Search(flow, flow.along(path), bracket, branches, t_max, tol, [])
    for name, saddle in saddles.items():
        saddle = real_array(name, saddle, largest=1e6)
        if saddle.shape != (flow.dim,):
            raise ValueError(f"{name} must have shape ({flow.dim},), got {saddle.shape}")
        search.saddles.append(rest_point(search.middle, saddle))
    return search


def _agreed(found, width):
    """The result, if the boundary value problem ends where the bisection did."""
    if abs(found.value - found.bisected) > _WIDTHS * width + _APART:
        raise ConvergenceError(
            f"the boundary value problem leads to {found.path} = {found.value:.10g}, the bisection to {found.bisected:.10g}", found
        )
    return found


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
    """The parameter at which a saddle is connected to itself: its one-dimensional manifold returns to it.

    Found by bisection on the side on which the manifold leaves the saddle after its return; where only the stable manifold is
    one-dimensional it is followed backwards in time. Then the orbit is solved as a boundary value problem, which gives the value
    and its error.

    Parameters
    ----------
    flow : Flow
        Of two dimensions or more.
    path : str, mapping, Flow or Line
        The parameter, such as "b_h[1]", or what changes together, such as "gain.h": as for ``Flow.along``.
    bracket : (low, high)
        Two values between which the manifold, coming back to the saddle, changes the side on which it leaves.
    saddle : (dim,) array
        Near the saddle, at the middle of the bracket.
    side : 1 or -1, optional
        Branch of the manifold: along or against the eigenvector whose largest component is positive. Default: the one whose fate
        differs between the two ends.
    t_max : float > 0, 1e6 at most
        Time within which the manifold must have come back.
    tol : float
        Absolute width of the last bracket of the bisection; about 1e-12 is what the accuracy of the trajectory supports.

    Returns
    -------
    Homoclinic

    Raises
    ------
    TypeError, ValueError
        arguments that are not allowed, or a bracket whose two ends share their fate
    ConvergenceError
        no such saddle there, its manifold does not come back, or no orbit connects it to itself

    See Also
    --------
    gating_theory.flow.heteroclinic : Between two saddles.
    gating_theory.flow.continue_homoclinic : Follows the orbit in two parameters.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_h=[[4.5, -2], [10, 0]], b_h=[0.4, 1.2])
    >>> saddle, bracket = [0.525, 0.998], (0.9, 0.93)
    >>> loop = gt.flow.homoclinic(flow, "b_h[1]", bracket, saddle, tol=1e-6)
    >>> round(loop.value, 8), loop.error < 1e-11
    (0.91283425, True)
    """
    search = _search(flow, path, bracket, side, t_max, tol, saddle=saddle)
    start = one_dimensional(search.middle, search.saddles[0])

    def ends(here):
        own = one_dimensional(here, start.saddle, start.clock, like=start.vector)
        return own, own

    guess, value, width = search.connection(ends)
    return _agreed(homoclinic_from(guess, search.path, value), width)


@underflow_is_zero
def heteroclinic(
    flow: Flow,
    path: str | Mapping[str, float] | Flow | Line,
    bracket: npt.ArrayLike,
    from_saddle: npt.ArrayLike,
    to_saddle: npt.ArrayLike,
    *,
    side: int | None = None,
    t_max: float = 2000.0,
    tol: float = 1e-13,
) -> Heteroclinic:
    """The parameter at which an orbit leads from one saddle to another.

    Both must have a one-dimensional unstable manifold, or both a one-dimensional stable one. A connection from a saddle to a sink,
    or from a source to a saddle, exists at all parameters nearby: it is the unstable or stable manifold itself.

    Parameters
    ----------
    flow : Flow
        Of two dimensions or more.
    path : str, mapping, Flow or Line, as for ``Flow.along``
    bracket : (low, high)
        Two values between which the manifold passes the other saddle on different sides.
    from_saddle, to_saddle : (dim,) arrays
        Near the two saddles, at the middle of the bracket.
    side, t_max, tol : as for :func:`homoclinic`
        ``side`` is that of the manifold that is followed, of ``to_saddle`` where that is the stable one.

    Returns
    -------
    Heteroclinic

    Raises
    ------
    TypeError, ValueError
        Arguments that are not allowed, one saddle given twice, a bracket whose ends share their fate, fixed points whose connection
        needs no parameter or more than one.
    ConvergenceError
        no fixed points there, the manifold does not come near, or no orbit connects them

    See Also
    --------
    gating_theory.flow.homoclinic : From a saddle to itself.
    gating_theory.flow.continue_homoclinic : Follows the orbit in two parameters.

    Examples
    --------
    >>> import gating_theory as gt
    >>> flow = gt.GRUFlow(U_r=[[0, 0], [2, 0]], U_h=[[3, 0], [0, 1.5]])
    >>> saddles = [0.0, 0.0], [0.8586, 0.0]
    >>> between = gt.flow.heteroclinic(
    ...     flow, "b_h[1]", (-0.05, 0.06), *saddles, tol=1e-4
    ... )
    >>> abs(between.value) < 1e-10
    True
    """
    search = _search(flow, path, bracket, side, t_max, tol, from_saddle=from_saddle, to_saddle=to_saddle)
    middle, saddles = search.middle, search.saddles
    if np.abs(saddles[0] - saddles[1]).max() < 1e-8:
        raise ValueError("to_saddle must be another fixed point than from_saddle: see homoclinic")
    up = [int((sorted_eigenvalues(middle, saddle).real > 0).sum()) for saddle in saddles]
    if up[0] != up[1] or up[0] not in (1, flow.dim - 1):
        raise ValueError(
            "from_saddle and to_saddle must both have one unstable direction, or both one stable direction, for a connection at "
            f"isolated parameters; they have {up[0]} and {up[1]} unstable directions of {flow.dim}"
        )
    clock = 1 if up[0] == 1 else -1
    start = [one_dimensional(middle, saddle, clock) for saddle in saddles]

    def ends(here):
        own = [one_dimensional(here, s.saddle, clock, like=s.vector) for s in start]
        return (own[0], own[1]) if clock > 0 else (own[1], own[0])

    guess, value, width = search.connection(ends)
    return _agreed(heteroclinic_from(guess, search.path, value), width)
