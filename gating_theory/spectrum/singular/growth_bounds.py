"""How much a stable state may let perturbations grow before they decay: numerical abscissa and Kreiss constant [T9]."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...results.encoding import require, result
from .edges import Edges, edges_of_sites

__all__ = ["Kreiss", "kreiss_constant", "numerical_abscissa"]

#: Shifts that the numerical abscissa is extrapolated from, in units of the norm of J.
_SHIFTS = np.array([4.0, 6.0, 9.0, 13.0, 20.0])
#: Angles, and distances from the unit circle in units of that of the spectrum, where the Kreiss constant is looked for at first.
_ANGLES, _DISTANCES = np.linspace(0.0, np.pi, 13), np.geomspace(0.03, 30.0, 13)
#: Where the search around the best of these ends, in the angle and in the logarithm of the distance: values are good to its square.
_FOUND = 1e-6
#: Distance, in units of that of the spectrum, from which on the search is on its way to infinity, where the constant is 1.
_AT_INFINITY = 1e6
#: A radius within this of 1 is 1, and a constant within this of 1 is 1: rounding.
_ROUNDING = 1e-11
#: What the search sees where the smallest singular value vanishes.
_BEYOND = 1e300


@result("kreiss")
@dataclass(frozen=True)
class Kreiss:
    """The Kreiss constant, and where it is attained.

    Attributes
    ----------
    constant : float, 1 or more
    at : complex, lambda in the upper half plane; nan where the constant is infinite, inf where it is 1

    Examples
    --------
    How much larger a perturbation becomes in passing is at least this constant; e times N times it is the most:

    >>> import gating_theory as gt
    >>> found = gt.Spectrum(gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=0.8))[0]).kreiss()
    >>> print(round(found.constant, 3), round(found.at.real, 3))
    1.042 1.96
    """

    constant: float
    at: complex

    def check(self) -> None:
        """ValueError where the constant is none."""
        require(self.constant >= 1.0, "constant must be 1 or more")

    def __str__(self) -> str:
        if np.isinf(self.constant):
            return "Kreiss constant inf: the radius is 1 or more"
        at = complex(self.at)
        if np.isinf(at):
            return f"Kreiss constant {self.constant:.5g}, attained at infinity: nothing grows"
        return f"Kreiss constant {self.constant:.5g}, attained at lambda = {at.real if at.imag == 0.0 else at:.8g}"


def numerical_abscissa(edges: Edges) -> float:
    """The largest eigenvalue of the symmetric part of J: |t + J| - t for large t.

    (|t + J| - 1 / |(t - J)^{-1}|) / 2 is even in 1 / t.

    Parameters
    ----------
    edges : Edges
    """
    largest = edges.of(np.zeros(1, dtype=complex), True)[0]
    if largest == 0.0:
        return 0.0
    shifts = (_SHIFTS * largest).astype(complex)
    terms = edges.refined(-shifts, True)
    above, below = (edges_of_sites(terms, sign * shifts, sign < 0.0, edges.tail) for sign in (-1.0, 1.0))
    even = (shifts.real / shifts.real[0]) ** -2
    return float(np.linalg.solve(np.vander(even, increasing=True), 0.5 * (above - below))[0])


def kreiss_constant(edges: Edges, radius: float) -> Kreiss:
    """The supremum of (|lambda| - 1) / s_min(lambda) over |lambda| > 1.

    Parameters
    ----------
    edges : Edges
    radius : float, of the spectrum
    """
    infinite = Kreiss(float("inf"), complex("nan"))
    if radius >= 1.0 - _ROUNDING:
        return infinite
    from scipy.optimize import minimize

    gap = 1.0 - radius

    def place(angle, log_distance):
        return (1.0 + gap * np.exp(log_distance)) * np.exp(1j * np.abs(angle))

    def grown(terms, lam):
        smallest = edges_of_sites(terms, lam.real + 1j * np.abs(lam.imag), False, edges.tail)
        with np.errstate(divide="ignore", invalid="ignore"):
            value = (np.abs(lam) - 1.0) / smallest
        return np.where(np.isfinite(value), value, np.inf)

    angle, far = (a.ravel() for a in np.meshgrid(_ANGLES, np.log(_DISTANCES)))
    lam = place(angle, far)
    rough = grown(edges.first, lam)
    best = int(np.argmax(rough))
    terms = edges.refined(lam[best : best + 1], False)
    beyond = False

    def depth(u):
        nonlocal beyond
        value = float(grown(terms, np.array([place(*u)]))[0])
        beyond |= np.isinf(value)
        return -min(value, _BEYOND)

    found = minimize(
        depth,
        (angle[best], far[best]),
        method="Nelder-Mead",
        options={"xatol": _FOUND, "fatol": 1e-13, "initial_simplex": _around(angle[best], far[best])},
    )
    if beyond:
        return infinite
    if -found.fun <= 1.0 + _ROUNDING or found.x[1] > np.log(_AT_INFINITY):
        return Kreiss(1.0, complex("inf"))
    lam = complex(place(*found.x))
    return Kreiss(float(-found.fun), complex(lam.real, abs(lam.imag) if abs(lam.imag) > _FOUND * abs(lam) else 0.0))


def _around(angle, far):
    """A triangle of the size of the first search's steps."""
    return np.array([[angle, far], [angle + 0.5 * _ANGLES[1], far], [angle, far + 0.25]])
