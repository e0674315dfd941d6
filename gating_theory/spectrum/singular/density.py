"""Densities and fractions of singular values, from populations of sites so fine that two agree [T9]."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ...errors import ConvergenceError
from ...support.checks import real_array, real_numbers, shown
from .selected import AxisEquations, Selected, selected

__all__ = ["FinerPopulations", "SingularDensity", "ends"]

#: Relative accuracy of the solution where one population is exact.
_EXACT = 1e-13
#: In units of the root mean square: values below this are not told from zeros, and fewer than 1e-16 of them lie above the other.
_LEAST, _MOST = 1e-7, 1e8

#: The solution by a population -> what is asked for.
_Values = Callable[[Selected, AxisEquations], np.ndarray]


class _OfSites(Protocol):
    @property
    def on_axis(self) -> AxisEquations: ...


class FinerPopulations(Protocol):
    """Populations of sites, each finer than the one before; one if that is exact."""

    @property
    def exact(self) -> bool:
        """Whether one population is all there is."""

    def finer(self) -> Iterable[_OfSites]:
        """The populations, with their equations at regulators i s."""


class SingularDensity:
    """Where the singular values of one lambda - J, or of one product of Jacobians, lie.

    Parameters
    ----------
    populations : FinerPopulations
    n_state : int, d
    scale : float, the root mean square singular value
    """

    def __init__(self, populations: FinerPopulations, n_state: int, scale: float) -> None:
        self._populations, self._n_state, self._scale = populations, n_state, scale

    def density(self, s: np.ndarray, tol: float) -> np.ndarray:
        """The density (L,) at ``s``, per fraction of all singular values; without atoms.

        Good to ``tol`` times the larger of itself and of one over the root mean square singular value.

        Parameters
        ----------
        s : (L,) array, >= 0
        tol : float

        Raises
        ------
        ConvergenceError
            the populations that are affordable do not agree (``estimate`` carries the last values)
        """

        def values(solution, equations):
            return solution.density / self._n_state

        return self._at_each(s, tol, values, lambda rho: tol * np.maximum(rho, 1.0 / self._scale), "density of singular values")

    def below(self, s: np.ndarray, tol: float) -> np.ndarray:
        """The fractions (L,) of the singular values that are less than ``s``, to ``tol``: 0 at zero, where atoms are not counted.

        They are the phase of the potential, (2 / pi d) Im Phi, so that nothing is integrated over peaks.

        Parameters
        ----------
        s : (L,) array, >= 0; may be infinite
        tol : float

        Raises
        ------
        ConvergenceError
            the populations that are affordable do not agree (``estimate`` carries the last values)
        """

        def values(solution, equations):
            return np.clip(equations.counts(solution) / self._n_state, 0.0, 1.0)

        out = np.where(s > _MOST * self._scale, 1.0, 0.0)
        between = (s > 0.0) & (s <= _MOST * self._scale)
        out[between] = self._at_each(s[between], tol, values, lambda n: np.full(n.shape, tol), "fractions of singular values")
        return out

    def _at_each(
        self, s: np.ndarray, tol: float, values: _Values, allowed: Callable[[np.ndarray], np.ndarray], what: str
    ) -> np.ndarray:
        """Values at s (L,) by populations so fine that two agree."""
        if not s.size:
            return np.zeros(0)
        places, back = np.unique(np.clip(s, _LEAST * self._scale, _MOST * self._scale), return_inverse=True)
        exact = self._populations.exact
        known, difference = np.zeros(places.size), np.full(places.size, np.inf)
        left, start = np.arange(places.size), None
        for sites in self._populations.finer():
            solution = selected(sites.on_axis, places[left], self._scale, start, _EXACT if exact else tol)
            found = values(solution, sites.on_axis)
            if exact:
                return found[back.ravel()]
            if start is not None:
                difference[left] = np.abs(found - known[left])
            known[left] = found
            rest = difference[left] > allowed(found)
            left, start = left[rest], solution[rest]
            if not left.size:
                return known[back.ravel()]
        worst = left[np.argmax(difference[left])]
        raise ConvergenceError(
            f"{what}: not converged at s = {places[worst]:.6g}, two populations of sites differ by {difference[worst]:.1e}; "
            "ask for a larger tol, or for fractions of the singular values: mass",
            estimate=known[back.ravel()],
        )


def ends(a: npt.ArrayLike, b: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Ends of intervals of singular values, broadcast against one another.

    Parameters
    ----------
    a, b : numbers >= 0 with a <= b, or arrays of them; b may be infinite

    Raises
    ------
    ValueError
        ends that are negative, nan or not in order; shapes that do not broadcast
    """
    low, high = real_array("a", a), real_numbers("b", b)
    try:
        low, high = np.broadcast_arrays(low, high)
    except ValueError:
        raise ValueError(f"shapes of a and b must broadcast, got {low.shape} and {high.shape}") from None
    for name, value, bad in (("a", low, low < 0.0), ("b", high, ~(high >= low))):
        if bad.any():
            allowed = "must not be negative" if name == "a" else "must be at least a"
            raise ValueError(f"{name} {allowed}, got {shown(float(value[bad].flat[0]))}")
    return low, high
