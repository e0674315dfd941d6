"""What singular values of lambda - J say about a spectrum: the methods of Spectrum that rest on them [T9]."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from ...cell.cell import Cell
from ...mean_field.fixed_point import FixedPoint
from ...support.arithmetic import underflow_is_zero
from ...support.available_memory import require_memory
from ...support.checks import complex_array, complex_number, integer, real, shown
from ..boundary import Boundary
from ..dyson import Population
from ..site_populations import SitePopulations
from .edges import Edges
from .growth_bounds import Kreiss, kreiss_constant, numerical_abscissa
from .inside import regulator_slope
from .level_curves import pseudospectrum_curves
from .populations import require_no_low_rank
from .singular_values import SingularValues
from .smallest import SmallestSingularValue

__all__ = ["Pseudospectra"]

#: Tolerance of populations for m(0) where none was asked for: that of densities.
_TOL = 1e-5
#: Relative tolerance of curves that are drawn; the largest eps.
_DRAWN, _LARGEST = 1e-2, 1e100
_INSTEAD = "singular values of sampled networks: numpy.linalg.svd(Network.jacobian(state))"


class Pseudospectra:
    """Part of Spectrum: singular values of lambda - J, pseudospectra, overlaps of eigenvectors [T9].

    Attributes
    ----------
    cell : Cell
    fixed_point : FixedPoint or None
    tol : float or None
    populations : SitePopulations
        For calculators: the given sites, or what makes populations for tolerances.
    """

    cell: Cell
    fixed_point: FixedPoint | None
    tol: float | None
    populations: SitePopulations

    def _require(self, fact, who, instead=""):
        raise NotImplementedError

    @property
    def _leaks_between(self) -> list[tuple[float, float]]:
        raise NotImplementedError

    @property
    def _boundary(self) -> Boundary:
        raise NotImplementedError

    def radius(self) -> float:
        """Largest modulus of the spectrum."""
        raise NotImplementedError

    def inside(self, lam: npt.ArrayLike) -> bool | np.ndarray:
        """Whether lambda lies inside the support."""
        raise NotImplementedError

    def density(self, lam: npt.ArrayLike) -> float | np.ndarray:
        """Density of eigenvalues, as a fraction per unit area."""
        raise NotImplementedError

    def sites_near(self, lam: complex, tol: float, fold: bool = True) -> Population:
        """A population that resolves what happens at one lambda."""
        raise NotImplementedError

    def singular_values(self, shift: complex = 0.0) -> SingularValues:
        """The singular values of ``shift`` - J [T9]: moments, density, masses, edges.

        Parameters
        ----------
        shift : finite complex number, lambda; 0 for the singular values of J

        Raises
        ------
        TypeError, ValueError
            a shift that is no finite number
        CapabilityError
            the equations are not known to hold for the law of the matrices; fixed points with low-rank parts
        """
        return SingularValues(self, shift)

    # --- edges of singular values

    @cached_property
    def singular_edges(self) -> Edges:
        """For calculators: the largest and smallest singular values of lambda - J at many lambdas, whose populations are kept."""
        return self._edges_to(self.tol)

    def _edges_to(self, tol):
        require_no_low_rank(self.populations)
        # fixed points have an exact edge of the support, and are asked before any sites are made
        inside = None if self.fixed_point is None else self.inside
        return Edges(self.populations, self._leaks_between, tol, inside)

    @underflow_is_zero
    def resolvent_norm(self, lam: npt.ArrayLike) -> float | np.ndarray:
        """The norm of (lambda - J)^{-1}: one over the smallest singular value [T9]; infinite inside the support.

        As accurate as ``SingularValues.smallest``; of more than eight lambdas some are looked at, and all come from a population
        of sites that is fine enough for these.

        Parameters
        ----------
        lam : complex number or array

        Raises
        ------
        TypeError, ValueError
            no finite numbers
        CapabilityError
            the equations are not known to hold for the law of the matrices; fixed points with low-rank parts
        ConvergenceError
            as by ``SingularValues.smallest``
        """
        at = complex_array("lam", lam)
        self._require("singular values", "Spectrum.resolvent_norm", _INSTEAD)
        smallest = self.singular_edges.of(at.ravel(), False)
        with np.errstate(divide="ignore"):
            value = (1.0 / smallest).reshape(at.shape)
        return value if at.ndim else float(value)

    @underflow_is_zero
    def pseudospectrum(self, eps: float, n: int = 256) -> list[np.ndarray]:
        """The boundary of the eps-pseudospectrum as closed curves [T9]: where the smallest singular value of lambda - J is eps.

        What is added to J, of norm eps at most, moves eigenvalues no further. It contains the support and the leaks, and all that
        is within eps of them. At a fixed point s_min on curves is eps to 1e-2 relative, or to the ``tol`` of the Spectrum where one
        was given; of given sites to 1e-9.

        Parameters
        ----------
        eps : float >= 0; 0 for the boundary of the support itself
        n : int >= 16, total number of points, shared among the curves by length (at least 16 each)

        Returns
        -------
        list of complex arrays, as of :meth:`boundary`
            Each closed, longest first, holes by themselves. Features smaller than 1e-4 of the whole may be missed.

        Raises
        ------
        TypeError, ValueError
            eps out of range
        CapabilityError
            the equations are not known to hold for the law of the matrices
        ConvergenceError
            a piece was seen but not resolved
        """
        level, n = real("eps", eps, low=0.0, high=_LARGEST), integer("n", n, low=16)
        require_memory(f"a boundary of n = {n} points", 16.0 * 16 * n)
        self._require("singular values", "Spectrum.pseudospectrum", _INSTEAD)
        if level == 0.0:
            return self._boundary.curves(n)
        return pseudospectrum_curves(self._edges_to(self.tol or _DRAWN), self._boundary, level, n)

    @underflow_is_zero
    def numerical_abscissa(self) -> float:
        """The largest eigenvalue of (J + J^T) / 2: the rate at which a perturbation grows at most in dx/dt = J x [T9].

        The limit of ``|t + J| - t`` for large t, extrapolated from five of them to about 1e-9 for given sites; at a fixed point as
        accurate as ``SingularValues.largest``. z + sqrt(2) w for J = z + w U.

        Raises
        ------
        CapabilityError, ConvergenceError
            as by :meth:`resolvent_norm`
        """
        self._require("singular values", "Spectrum.numerical_abscissa", _INSTEAD)
        return numerical_abscissa(self.singular_edges)

    @underflow_is_zero
    def kreiss(self) -> Kreiss:
        """The Kreiss constant, how much J^n may grow first: sup of ``(|lambda| - 1) / s_min(lambda)`` over ``|lambda| > 1`` [T9].

        ``K <= max_n |J^n| <= e d N K``. Infinite where the radius is 1 or more, within rounding, and 1 where nothing grows.

        Returns
        -------
        Kreiss, with ``constant`` and ``at``, the lambda of the upper half plane where it is attained

        Raises
        ------
        CapabilityError, ConvergenceError
            as by :meth:`resolvent_norm`
        """
        self._require("singular values", "Spectrum.kreiss", _INSTEAD)
        return kreiss_constant(self.singular_edges, self.radius())

    # --- inside

    @underflow_is_zero
    def overlap(self, lam: npt.ArrayLike) -> float | np.ndarray:
        """Mean overlap of an eigenvalue's left and right eigenvectors at lambda, ``O = |l|^2 |r|^2`` at ``l . r = 1``, over N [T9].

        O / N = m(0)^2 / (pi rho) with rho the density of eigenvalues per unit (Chalker and Mehlig 1998, for any cell). What is
        added to the matrix moves an eigenvalue by up to sqrt(O) times its norm. O over its mean is distributed as one over a
        Gamma(2) variable: the median is 0.5958 of the mean, and the mean square infinite. As accurate as :meth:`density`.

        Parameters
        ----------
        lam : complex number or array, inside the support

        Raises
        ------
        ValueError
            lambda outside the support, where there are no eigenvalues
        CapabilityError
            several loops of messages are inside at once, or a law of matrices for which this is not known to hold
        """
        self._require("singular values", "Spectrum.overlap", _INSTEAD)
        at = complex_array("lam", lam)
        density = np.asarray(self.density(at)) * self.cell.n_state
        m0 = self._inside(at)
        value = m0**2 / (np.pi * density)
        return value if at.ndim else float(value)

    def smallest_singular_value(self, lam: complex, n_units: int) -> SmallestSingularValue:
        """The law of the smallest singular value of lambda - J in networks of N units, lambda inside the support [T9].

        Outside the support the limit itself is positive: ``singular_values(lam).smallest()``.

        Parameters
        ----------
        lam : complex, inside the support
        n_units : int >= 2, N

        Raises
        ------
        ValueError
            lambda outside the support
        CapabilityError
            as by :meth:`overlap`
        """
        self._require("singular values", "Spectrum.smallest_singular_value", _INSTEAD)
        at = complex_number("lam", lam)
        n_units = integer("n_units", n_units, low=2)
        m0 = float(self._inside(np.array(at)))
        return SmallestSingularValue(at.real if at.imag == 0.0 else at, n_units, m0)

    def _inside(self, lam):
        """m(0) at lambdas of any shape, all of them inside the support."""
        values = []
        for z in lam.ravel():
            upper = complex(z.real, abs(z.imag))
            values.append(regulator_slope(self.sites_near(upper, self.tol or _TOL), upper))
            if values[-1] == 0.0:
                raise ValueError(f"lam must lie inside the support of the spectrum, got {shown(complex(z))}")
        return np.array(values).reshape(lam.shape)
