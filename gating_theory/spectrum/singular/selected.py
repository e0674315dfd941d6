"""The unknowns at regulators eta = i s, on the imaginary axis: limits of those with Re eta > 0 [T9].

For Re eta > 0 exactly one solution of

    p_k = dE log D / dq_k,    q_k = dE log D / dp_k

has Re p, Re q > 0: the right-hand sides map this domain into itself. So whatever way a solution was found, its signs prove that it
is the one:

- *In a band* Re p, Re q > 0 on the axis itself, where the equations can be solved: beside it the same holds, by continuity.
- *In a gap* p and q are imaginary, and dp/d eta, dq/d eta > 0: beside the axis Re p, Re q > 0. The density is zero, exactly.
- At an *edge* both fail, for derivatives diverge. There values from beside the axis are taken, as far from it as ``_BESIDE``.

Newton's method finds most from solved neighbours on the axis. What it does not find is followed from large Re eta down.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import ConvergenceError
from .log_average import LogAverage

__all__ = ["Selected", "selected"]

#: Steps of Newton's method at most, and a relative one that is the last: the next error is its square; where it is lost.
_STEPS, _LAST, _LOST = 8, 1e-7, 1e3
#: The part of the tolerance that the square of a last step may be, and how much larger real parts are.
_PART, _SURE = 1e-2, 1e2
#: Real parts up to this part of the modulus may be rounding errors; those below the other may be errors of Newton's method.
_REAL, _IMAGINARY = 1e-9, 1e-4
#: Re eta where following starts, in units of the scale, after so many steps of the plain iteration; from where on the axis is
#: tried; nearer than this nothing is followed.
_FAR, _PLAIN, _NEAR, _BESIDE = 4.0, 6, 0.1, 1e-12
#: What Re eta is multiplied by at once, and where it is stuck.
_DOWN, _STUCK = 0.25, 1.0 - 1e-6
_TINY = 1e-300
#: Of so many points one is solved from afar, and then one of so many from solved neighbours.
_STAGES = (16, 4, 1)


@dataclass
class Selected:
    """The solution at L regulators i s.

    Attributes
    ----------
    s : (L,) array
    z : (L, 2n) complex array, p and q
    slope : (L, 2n) complex array, their derivatives by eta
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

    def counts(self, average: LogAverage) -> np.ndarray:
        """(L,) how many singular values per unit (of d) lie below s: the phase of the potential, (2/pi) Im Phi [T9].

        Parameters
        ----------
        average : LogAverage, that these solve
        """
        p, q = self.z[:, : average.n], self.z[:, average.n :]
        turned = average.turns(np.concatenate([self.z, 1j * self.s[:, None]], axis=1))
        return turned - (p * q).sum(axis=1).imag / np.pi

    def _enter(self, part, z, slope, m):
        self.z[part], self.slope[part], self.m[part] = z, slope, m


def selected(average: LogAverage, s: np.ndarray, scale: float, start: Selected | None = None, tol: float = 1e-13) -> Selected:
    """Solve the equations at eta = i s.

    Parameters
    ----------
    average : LogAverage
    s : (L,) array, > 0, ascending
    scale : float, > 0, of singular values
    start : Selected, optional, that of another population at the same s
    tol : float
        Relative accuracy of p and q where the last step of Newton's method leaves no doubt about signs; about 1e-13 elsewhere.

    Raises
    ------
    ConvergenceError : a point could not be followed
    """
    L, v = s.size, 2 * average.n
    out = Selected(s, np.zeros((L, v), complex), np.zeros((L, v), complex), np.zeros(L, complex))
    known, last = np.zeros(L, dtype=bool), max(_LAST, np.sqrt(_PART * tol))
    if start is not None:
        known |= _solve_on_axis(average, out, np.arange(L), start.z, last)
    for stage in _STAGES:
        fresh, solved = np.flatnonzero(~known & (np.arange(L) % stage == 0)), np.flatnonzero(known)
        if solved.size and fresh.size:
            near = solved[_nearest(s[solved], s[fresh])]
            first = out.z[near] + 1j * (s[fresh] - s[near])[:, None] * out.slope[near]
            known[fresh] = _solve_on_axis(average, out, fresh, first, last)
            fresh = fresh[~known[fresh]]
        if fresh.size:
            _follow(average, out, fresh, scale)
            known[fresh] = True
    return out


def _nearest(places, wanted):
    """Indices of the nearest of ascending ``places``."""
    right = np.clip(np.searchsorted(places, wanted), 1, max(places.size - 1, 1))
    right = np.minimum(right, places.size - 1)
    left = np.maximum(right - 1, 0)
    return np.where(wanted - places[left] <= places[right] - wanted, left, right)


def _solve_on_axis(average, out, part, z, last=_LAST):
    """Newton's method on the axis from ``z``; what its signs prove is entered into ``out``. Whether that is so."""
    found, z, slope, m = _newton(average, 1j * out.s[part], z, last)
    with np.errstate(invalid="ignore", divide="ignore"):
        real = z.real / np.abs(z)
    proved = found & (real > _REAL).all(axis=1)
    gap = np.flatnonzero(found & ~proved & (np.abs(real) < _IMAGINARY).all(axis=1))
    if gap.size:
        # imaginary variables stay so, to the last digit
        again, z[gap], slope[gap], m[gap] = _newton(average, 1j * out.s[part[gap]], 1j * z[gap].imag)
        proved[gap] = again & (slope[gap].real > 0.0).all(axis=1) & (z[gap].real == 0.0).all(axis=1)
    out._enter(part[proved], z[proved], slope[proved], m[proved])
    return proved


def _newton(average, eta, z, last=_LAST):
    """Newton's method at regulators (L,) from ``z`` (L, 2n): whether it converged, z, dz/d eta and m.

    Steps below ``last`` end it where their squares are small beside the real parts of all unknowns, others below ``_LAST``.
    """
    L, v = z.shape
    swap = np.roll(np.arange(v), v // 2)  # p_k follows from dq_k, and q_k from dp_k
    found, z = np.zeros(L, dtype=bool), z.copy()
    slope, m = np.zeros((L, v), complex), np.zeros(L, complex)
    left = np.arange(L)
    for _ in range(_STEPS):
        if not left.size:
            break
        gradient, second = average.derivatives(np.concatenate([z[left], eta[left, None]], axis=1))
        right = np.stack([gradient[:, swap] - z[left], second[:, swap, v]], axis=2)
        step, slopes = np.moveaxis(_divided(np.eye(v) - second[:, swap, :v], right), 2, 0)
        z[left] += step
        slope[left] = slopes
        m[left] = 0.5 * (gradient[:, v] + (second[:, v, :v] * step).sum(axis=1))
        with np.errstate(invalid="ignore", divide="ignore"):
            length = np.where(step == 0.0, 0.0, np.abs(step) / np.abs(z[left])).max(axis=1, initial=0.0)
            sure = (z[left].real > _SURE * length[:, None] ** 2 * np.abs(z[left])).all(axis=1)
        found[left] = ((length < _LAST) | (length < last) & sure) & np.isfinite(m[left])
        left = left[~found[left] & (length < _LOST)]  # not a number is lost as well
    return found, z, slope, m


def _divided(jacobian, right):
    """jacobian^-1 right; nan where it is singular or not finite."""
    bad = ~np.isfinite(jacobian).all(axis=(1, 2)) | ~np.isfinite(right).all(axis=(1, 2))
    jacobian[bad] = np.eye(jacobian.shape[1])
    singular = np.abs(np.linalg.det(jacobian)) < _TINY
    jacobian[singular] = np.eye(jacobian.shape[1])
    out = np.linalg.solve(jacobian, right)
    out[bad | singular] = np.nan
    return out


def _follow(average, out, part, scale):
    """Follow the solution from far off down to the axis, and enter it into ``out``."""
    s = out.s[part]
    x = np.full(part.size, _FAR * scale)
    z = np.zeros((part.size, 2 * average.n), complex)
    for _ in range(_PLAIN):
        gradient = average.derivatives(np.concatenate([z, (x + 1j * s)[:, None]], axis=1))[0]
        z = gradient[:, np.roll(np.arange(2 * average.n), average.n)]
    found, z, slope, m = _newton(average, x + 1j * s, z)
    down, left = np.full(part.size, _DOWN), np.arange(part.size)
    while True:
        lost = ~found & (down > _STUCK)
        if lost.any():
            raise ConvergenceError(f"equations of singular values not solved at s = {s[lost][0]:.6g}", estimate=m)
        near = left[x[left] < _NEAR * scale]
        done = _solve_on_axis(average, out, part[near], z[near] - x[near, None] * slope[near])
        at_edge = near[~done & (x[near] < _BESIDE * scale)]
        out._enter(part[at_edge], z[at_edge], slope[at_edge], m[at_edge])
        left = np.setdiff1d(left, [*near[done], *at_edge])
        if not left.size:
            return
        closer = x[left] * down[left]
        first = z[left] + (closer - x[left])[:, None] * slope[left]
        moves, *values = _newton(average, closer + 1j * s[left], first)
        moves &= (values[0].real > 0.0).all(axis=1)
        moved, stays = left[moves], left[~moves]
        found[left] = moves
        x[moved] = closer[moves]
        z[moved], slope[moved], m[moved] = (value[moves] for value in values)
        down[moved], down[stays] = np.maximum(down[moved] ** 1.5, _DOWN), np.sqrt(down[stays])
