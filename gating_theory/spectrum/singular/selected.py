"""The unknowns at regulators eta = i s, on the imaginary axis: limits of those with Re eta > 0 [T9].

For Re eta > 0 exactly one solution of

    p_k = dE log D / dq_k,    q_k = dE log D / dp_k

has Re p, Re q > 0: the right-hand sides map this domain into itself. So whatever way a solution was found, its signs prove that it
is the one (where p and q are matrices over steps, of products of Jacobians, read: eigenvalues of their real parts):

- *In a band* Re p, Re q > 0 on the axis itself, where the equations can be solved: beside it the same holds, by continuity.
- *In a gap* p and q are imaginary, and dp/d eta, dq/d eta > 0: beside the axis Re p, Re q > 0. The density is zero, exactly.
- At an *edge* both fail, for derivatives diverge. There values from beside the axis are taken, as far from it as ``_BESIDE``.

Newton's method finds most from solved neighbours on the axis. What it does not find is followed from large Re eta down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ...errors import ConvergenceError

__all__ = ["AxisEquations", "NewtonSteps", "Selected", "selected"]

#: A relative step of Newton's method that is the last, for the next error is its square.
_LAST = 1e-7
#: The part of the tolerance that the square of a last step may be.
_PART = 1e-2
#: Real parts up to this part of the modulus may be rounding errors; those below the other may be errors of Newton's method.
_REAL, _IMAGINARY = 1e-9, 1e-4
#: Re eta where following starts, in units of the scale; from where on the axis is tried; nearer than this nothing is followed.
_FAR, _NEAR, _BESIDE = 4.0, 0.1, 1e-12
#: What Re eta is multiplied by at once, and where it is stuck.
_DOWN, _STUCK = 0.25, 1.0 - 1e-6
#: Of so many points one is solved from afar, and then one of so many from solved neighbours.
_STAGES = (16, 4, 1)


#: Whether Newton's method converged, unknowns z, dz / d eta, and m, at L regulators.
NewtonSteps = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


class AxisEquations(Protocol):
    """Equations that are solved at complex regulators eta, many at once: v unknowns z at each of them."""

    @property
    def n_unknowns(self) -> int:
        """v, how many unknowns p and q there are."""

    def first(self, eta: np.ndarray) -> np.ndarray:
        """First guesses (L, v) far from the imaginary axis."""

    def newton(self, eta: np.ndarray, z: np.ndarray, last: float) -> NewtonSteps:
        """Newton's method from z (L, v), until relative steps are below ``last``. What is imaginary stays so, to the last digit."""

    def signs(self, z: np.ndarray) -> np.ndarray:
        """Real parts (L, k) of unknowns or of slopes in units of their moduli; those that rounding hides are left out."""

    def counts(self, solution: Selected) -> np.ndarray:
        """(L,) how many singular values per unit (of d) lie below s: the phase of the potential, (2 / pi) Im Phi [T9]."""


@dataclass
class Selected:
    """The solution at L regulators i s.

    Attributes
    ----------
    s : (L,) array
    z : (L, v) complex array, p and q
    slope : (L, v) complex array, their derivatives by eta
    m : (L,) complex array, (1/2) dE log D / d eta; its real part is 0 in gaps
    """

    s: np.ndarray
    z: np.ndarray
    slope: np.ndarray
    m: np.ndarray

    def __getitem__(self, part: np.ndarray) -> Selected:
        """At some of the regulators."""
        return Selected(self.s[part], self.z[part], self.slope[part], self.m[part])

    @property
    def density(self) -> np.ndarray:
        """(L,) density of singular values per unit (integrates to d) [T9]."""
        return 2.0 / np.pi * self.m.real

    def _enter(self, part, z, slope, m):
        self.z[part], self.slope[part], self.m[part] = z, slope, m


def selected(equations: AxisEquations, s: np.ndarray, scale: float, start: Selected | None = None, tol: float = 1e-13) -> Selected:
    """Solve the equations at eta = i s.

    Parameters
    ----------
    equations : AxisEquations
    s : (L,) array, > 0, ascending
    scale : float, > 0, of singular values
    start : Selected, optional, that of another population at the same s
    tol : float
        Relative accuracy of p and q where the last step of Newton's method leaves no doubt about signs; about 1e-13 elsewhere.

    Raises
    ------
    ConvergenceError
        a point could not be followed
    """
    L, v = s.size, equations.n_unknowns
    out = Selected(s, np.zeros((L, v), complex), np.zeros((L, v), complex), np.zeros(L, complex))
    known, last = np.zeros(L, dtype=bool), max(_LAST, np.sqrt(_PART * tol))
    if start is not None:
        known |= _solve_on_axis(equations, out, np.arange(L), start.z, last)
    for stage in _STAGES:
        fresh, solved = np.flatnonzero(~known & (np.arange(L) % stage == 0)), np.flatnonzero(known)
        if solved.size and fresh.size:
            near = solved[_nearest(s[solved], s[fresh])]
            first = out.z[near] + 1j * (s[fresh] - s[near])[:, None] * out.slope[near]
            known[fresh] = _solve_on_axis(equations, out, fresh, first, last)
            fresh = fresh[~known[fresh]]
        if fresh.size:
            _follow(equations, out, fresh, scale)
            known[fresh] = True
    return out


def _nearest(places, wanted):
    """Indices of the nearest of ascending ``places``."""
    right = np.clip(np.searchsorted(places, wanted), 1, max(places.size - 1, 1))
    right = np.minimum(right, places.size - 1)
    left = np.maximum(right - 1, 0)
    return np.where(wanted - places[left] <= places[right] - wanted, left, right)


def _solve_on_axis(equations, out, part, z, last=_LAST):
    """Newton's method on the axis from ``z``; what its signs prove is entered into ``out``. Whether that is so."""
    found, z, slope, m = equations.newton(1j * out.s[part], z, last)
    real = equations.signs(z)
    proved = found & (real > _REAL).all(axis=1)
    gap = np.flatnonzero(found & ~proved & (np.abs(real) < _IMAGINARY).all(axis=1))
    if gap.size:
        again, z[gap], slope[gap], m[gap] = equations.newton(1j * out.s[part[gap]], 1j * z[gap].imag, _LAST)
        proved[gap] = again & (equations.signs(slope[gap]) > 0.0).all(axis=1) & (z[gap].real == 0.0).all(axis=1)
    out._enter(part[proved], z[proved], slope[proved], m[proved])
    return proved


def _follow(equations, out, part, scale):
    """Follow the solution from far off down to the axis, and enter it into ``out``."""
    s = out.s[part]
    x = np.full(part.size, _FAR * scale)
    found, z, slope, m = equations.newton(x + 1j * s, equations.first(x + 1j * s), _LAST)
    down, left = np.full(part.size, _DOWN), np.arange(part.size)
    while True:
        lost = ~found & (down > _STUCK)
        if lost.any():
            raise ConvergenceError(f"equations of singular values not solved at s = {s[lost][0]:.6g}", estimate=m)
        near = left[x[left] < _NEAR * scale]
        done = _solve_on_axis(equations, out, part[near], z[near] - x[near, None] * slope[near])
        at_edge = near[~done & (x[near] < _BESIDE * scale)]
        out._enter(part[at_edge], z[at_edge], slope[at_edge], m[at_edge])
        left = np.setdiff1d(left, [*near[done], *at_edge])
        if not left.size:
            return
        closer = x[left] * down[left]
        first = z[left] + (closer - x[left])[:, None] * slope[left]
        moves, *values = equations.newton(closer + 1j * s[left], first, _LAST)
        moves &= (equations.signs(values[0]) > 0.0).all(axis=1)
        moved, stays = left[moves], left[~moves]
        found[left] = moves
        x[moved] = closer[moves]
        z[moved], slope[moved], m[moved] = (value[moves] for value in values)
        down[moved], down[stays] = np.maximum(down[moved] ** 1.5, _DOWN), np.sqrt(down[stays])
