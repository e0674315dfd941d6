"""The singular values of lambda - J in the limit of many units [T9]."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ...ensemble.matrix_laws import require as require_fact
from ...errors import ConvergenceError
from ...mean_field.fixed_point import FixedPoint
from ...results.display import brief, rounded
from ...results.encoding import require, result
from ...support.arithmetic import underflow_is_zero
from ...support.available_memory import require_memory
from ...support.checks import complex_number, integer, real, real_array, shown
from ..site_populations import SitePopulations
from .density import SingularDensity, ends
from .equations import Solved
from .first_moment import first_moment
from .populations import ShiftedPopulations, ShiftedSites, require_no_low_rank
from .series import moments

__all__ = ["Regularised", "SingularValues"]

#: Relative tolerance of what is computed from populations of sites where none was asked for.
_TOL = 1e-5
#: How many times more nodes than others moments begin with at most.
_DENSEST = 2.0
#: The range of regulators, in units of the root mean square singular value: beyond it rounding is all that is seen.
_LEAST, _MOST = 1e-12, 1e12
#: Regulators that tell the weight at zero, in the same units; what is less is none, and differences that are rounding.
_NEAR_ZERO, _FAINT, _ROUNDING = (1e-8, 1e-9, 1e-10), 1e-5, 1e-11
#: The largest factor by which differences shrink that tells where a sequence ends; populations agree on the weight at zero.
_SHRINK, _SAME_ATOM = 0.7, 1e-3


@result("regularised")
@dataclass(frozen=True)
class Regularised:
    """The regularised resolvent of singular values s of lambda - J: sums over them with a regulator eta > 0 [T9].

    Attributes
    ----------
    eta : float or array
    m : of the same shape
        (1/N) sum eta / (s^2 + eta^2), per unit: the derivative of the potential by eta.
    potential : of the same shape
        (1/2N) sum log(s^2 + eta^2), per unit; at eta = 0 that is ``log|det(lambda - J)| / N``.
    p, q : (n, ..) arrays
        The solution, one row for each message; what follows is the shape of ``eta``.

    Examples
    --------
    >>> import gating_theory as gt
    >>> sv = gt.Spectrum(gt.fixed_points(gt.Ensemble(gt.Vanilla))[0]).singular_values()
    >>> round(float(sv.regularised(1.0).m), 4)  # the mean of 1 / (s^2 + 1): (sqrt(5) - 1) / 2
    0.618
    """

    eta: float | np.ndarray
    m: float | np.ndarray
    potential: float | np.ndarray
    p: np.ndarray = field(repr=False)
    q: np.ndarray = field(repr=False)

    def check(self) -> None:
        """ValueError where shapes do not fit."""
        shapes = {np.shape(self.eta), np.shape(self.m), np.shape(self.potential), self.p.shape[1:], self.q.shape[1:]}
        require(len(shapes) == 1 and self.p.shape == self.q.shape, "eta, m, potential, p and q must have one shape")


@result("singular_values", fields=("spectrum", "shift"))
class SingularValues:
    """The d N singular values s of lambda - J, as fractions: in the limit N -> infinity, for any cell and any sites [T9].

    They are the eigenvalues' equations for a cell with d more fields. Made by ``Spectrum.singular_values(shift)``; lambda is the
    shift, zero for the singular values of J itself. Numbers are good to the ``tol`` of the Spectrum, relative, 1e-5 where none
    was given; of given sites they are exact.

    Parameters
    ----------
    spectrum : Spectrum
    shift : finite complex number, lambda

    Attributes
    ----------
    spectrum : Spectrum, of what they are
    shift : complex or float

    Raises
    ------
    TypeError, ValueError
        no Spectrum, a shift that is not finite
    CapabilityError
        the equations are not known to hold for the law of the matrices; low-rank parts

    Examples
    --------
    The singular values of a Gaussian matrix of gain 1 fill a quarter of a circle up to 2:

    >>> import gating_theory as gt
    >>> sv = gt.Spectrum(gt.fixed_points(gt.Ensemble(gt.Vanilla))[0]).singular_values()
    >>> round(sv.largest(), 4), sv.moments(2).round(4)  # means of s^2 and s^4
    (2.0, array([1., 2.]))
    >>> round(float(sv.density(1.0)), 4)  # sqrt(3) / pi
    0.5513
    """

    def __init__(self, spectrum: Any, shift: complex = 0.0) -> None:
        populations = getattr(spectrum, "populations", None)
        if not isinstance(populations, SitePopulations):
            raise TypeError(f"spectrum must be a Spectrum, got {shown(spectrum)}")
        lam = complex_number("shift", shift)
        instead = "singular values of numpy.linalg.svd(Network.jacobian(state))"
        require_fact(spectrum.matrices, "singular values", "SingularValues", instead, spectrum.gain)
        require_no_low_rank(populations)
        self.spectrum, self.shift = spectrum, lam.real if lam.imag == 0.0 else lam
        self._populations = ShiftedPopulations(populations, complex(self.shift))
        self._tol = spectrum.tol or _TOL

    def __repr__(self) -> str:
        return brief("SingularValues", f"{rounded(self.shift, 5)} - J, {self.spectrum!r}")

    def __str__(self) -> str:
        head = f"singular values of {'J' if self.shift == 0.0 else f'{self.shift:.5g} - J'}"
        if not (self._at_fixed_point or self._populations.given):  # populations of a law of sites take time
            return f"{head}, a law of sites"
        words = f"{head}\n  mean square {self.moments(1)[0]:.5g}"
        return f"{words}, {self.atom:.5g} of them zero" if self._populations.exact and self.atom > 0.0 else words

    @property
    def n_state(self) -> int:
        """d: there are d N singular values."""
        return self.spectrum.n_state

    @underflow_is_zero
    def moments(self, k: int) -> np.ndarray:
        """Means of s^2, s^4, .., s^(2k) over all singular values: m_1 / d to m_k / d, m_j = (1/N) tr (X X^dagger)^j [T9].

        Exact for given sites, by power series. At a fixed point the first is known in closed form, to about 1e-11; the others are
        averages over populations so fine that two agree to the tolerance.

        Parameters
        ----------
        k : int >= 1

        Returns
        -------
        (k,) array

        Raises
        ------
        ConvergenceError
            the populations that are affordable do not agree
        """
        k = integer("k", k, low=1)
        require_memory(f"k = {k} moments", 8.0 * self.n_state * float(k) ** 2)
        known = [self._mean_square] if self._at_fixed_point else []
        if len(known) == k:
            return np.array(known)

        def all_of(sites: ShiftedSites) -> np.ndarray:
            return moments(sites.terms, k)[1:]

        # powers of the determinant's coefficients change faster from site to site than these
        dense = min(float(np.sqrt(k)), _DENSEST)
        value = self._populations.settled("moments of singular values", all_of, self._tol, dense=dense)
        return np.array([*known, *value[len(known) :] / self.n_state])

    @cached_property
    def _mean_square(self):
        return first_moment(self.spectrum.fixed_point, self.shift) / self.n_state

    @property
    def _at_fixed_point(self):
        return isinstance(self.spectrum.fixed_point, FixedPoint)

    @underflow_is_zero
    def square_std(self) -> float:
        """Standard deviation of s^2 over all singular values: sqrt(m_2 / d - (m_1 / d)^2), zero for an isometry."""
        first, second = self.moments(2)
        return float(np.sqrt(max(second - first**2, 0.0)))

    @underflow_is_zero
    def regularised(self, eta: npt.ArrayLike) -> Regularised:
        """m(eta) = (1/N) tr eta / (X X^dagger + eta^2), the potential, and the unknowns p and q [T9].

        As eta falls to zero the potential becomes that of the eigenvalues, ``Spectrum.potential``.

        Parameters
        ----------
        eta : positive number or array of them, within a factor 1e12 of the root mean square singular value

        Raises
        ------
        ValueError
            eta out of range
        ConvergenceError
            the populations that are affordable do not agree, or the equations were not solved
        """
        given = real_array("eta", eta)
        scale = self._scale
        if not ((given >= _LEAST * scale) & (given <= _MOST * scale)).all():
            raise ValueError(f"eta must lie in [{_LEAST * scale:.3g}, {_MOST * scale:.3g}], got {shown(eta)}")
        flat = given.ravel().astype(float)
        last: list[Solved] = []

        def m(sites: ShiftedSites) -> np.ndarray:
            solved = sites.equations.solve(flat)
            last[:] = [solved]
            return 0.5 * solved.shares @ sites.terms.g / flat

        if not flat.size:
            empty = np.zeros((self._populations.of(self._tol).terms.n, *given.shape))
            return Regularised(given, given, given, empty, empty)
        leaks = self.spectrum.singular_edges.leaks_beside(complex(self.shift))
        value = self._populations.settled("regularised singular values", m, self._tol, leaks)
        solved = last[0]
        potential = 0.5 * (solved.logs - (solved.p * solved.q).sum(axis=1))
        p, q = (a.T.reshape(-1, *given.shape) for a in (solved.p, solved.q))
        if given.ndim:
            return Regularised(given, value.reshape(given.shape), potential.reshape(given.shape), p, q)
        return Regularised(float(given), float(value[0]), float(potential[0]), p, q)

    @cached_property
    def _scale(self):
        """The root mean square singular value, or |lambda|, or 1 where both vanish."""
        first = moments(self._populations.of(self._tol).terms, 1)[1] / self.n_state
        return float(np.sqrt(max(first, 0.0))) or 1.0

    @underflow_is_zero
    def density(self, s: npt.ArrayLike, tol: float = 2e-2) -> float | np.ndarray:
        """Density of singular values at s, as a fraction: integrates to 1 together with the atom at zero [T9].

        (2 / pi d) Re m at the regulator 0+ + i s. Exactly zero in gaps and beyond the edges, where the signs of the solution prove
        it; exact for given sites. Of a law, populations of evenly spread sites grow until two agree within ``tol`` times the larger
        of the density and of one over the root mean square singular value; the finer one, which is returned, is about half as far
        from the limit. Near-atoms (saturated sites) make the density huge next to
        zero: ask for their :meth:`mass`.

        Parameters
        ----------
        s : number >= 0, or array of them
            Values below 1e-7 of the root mean square count as zero; there the density is infinite where there is an atom.
        tol : float in [1e-8, 1]

        Returns
        -------
        float, or array of the shape of ``s``

        Raises
        ------
        ValueError
            s negative or not finite
        ConvergenceError
            the populations that are affordable do not agree (``estimate`` carries the last values)
        """
        given = real_array("s", s)
        if (given < 0.0).any():
            raise ValueError(f"s must not be negative, got {shown(float(given[given < 0.0].flat[0]))}")
        tol = real("tol", tol, low=1e-8, high=1.0)
        value = self._density.density(given.ravel(), tol).reshape(given.shape)
        value = np.where((given == 0.0) & (self.atom > 0.0), np.inf, value) if (given == 0.0).any() else value
        return value if given.ndim else float(value)

    @underflow_is_zero
    def mass(self, a: npt.ArrayLike, b: npt.ArrayLike, tol: float = 1e-3) -> float | np.ndarray:
        """Fraction of the singular values with a <= s <= b, the atom at zero included where a = 0 [T9].

        A difference of phases of the potential, (2 / pi d) Im Phi at eta = i a and i b: no density is integrated, and peaks of any
        height are counted. Populations grow until two agree within ``tol`` on the fractions below each end.

        Parameters
        ----------
        a, b : numbers >= 0 with a <= b, or arrays of them, whose shapes broadcast; b may be infinite
            Values below 1e-7 of the root mean square count as zeros.
        tol : float in [1e-8, 1], absolute

        Returns
        -------
        float in [0, 1], or array

        Raises
        ------
        ValueError
            ends that are negative, nan or not in order; shapes that do not broadcast
        ConvergenceError
            the populations that are affordable do not agree (``estimate`` carries the last values)
        """
        low, high = ends(a, b)
        tol = real("tol", tol, low=1e-8, high=1.0)
        below = self._density.below(np.concatenate([low.ravel(), high.ravel()]), tol)
        value = np.clip(below[low.size :] - below[: low.size], 0.0, 1.0).reshape(low.shape)
        if (high == 0.0).any():
            value = np.where(high == 0.0, self.atom, value)
        return value if value.ndim else float(value)

    @cached_property
    def _density(self):
        return SingularDensity(self._populations, self.n_state, self._scale)

    @cached_property
    def atom(self) -> float:
        """The fraction of singular values that are zero: lim eta m(eta) / d [T9].

        Half of them for an LSTM in its zero state. Less than 1e-5 counts as none; values below 1e-10 of the root mean square
        (saturated sites) cannot be told from zeros. Of a law populations grow until two agree to 1e-3.

        Raises
        ------
        ConvergenceError
            the populations that are affordable do not agree
        """
        known = np.inf
        for sites in self._populations.finer():
            weight = self._weight_at_zero(sites)
            if self._populations.exact or abs(weight - known) < _SAME_ATOM:
                return weight
            known = weight
        raise ConvergenceError("weight of singular values at zero: two populations of sites differ", estimate=known)

    def _weight_at_zero(self, sites):
        """Of a population: eta m at three small eta, and where the sequence ends if its differences shrink, as powers of eta do."""
        eta = np.array(_NEAR_ZERO) * self._scale
        first, second, third = (0.5 * sites.equations.solve(eta).shares @ sites.terms.g / self.n_state).tolist()
        before, last = second - first, third - second
        shrinks = last / before if abs(before) > _ROUNDING else 0.0
        weight = third + last * shrinks / (1.0 - shrinks) if abs(shrinks) < _SHRINK else third
        return weight if weight > _FAINT else 0.0

    # --- edges

    def largest(self, n_units: int | None = None) -> float:
        """The largest singular value: the norm of lambda - J [T9].

        The fold where the minimal solution of the equations in 1 / s ends, by real arithmetic. Of given sites it is exact, to about
        1e-12 relative. At a fixed point it is the supremum over the law of sites, which networks do not have: sites that hold less
        than 1e-6 are left out, those that the edge is nearest to by themselves. It is then good to the ``tol`` of the Spectrum,
        2e-3 where none was given. Networks of N units are below their limit by a part of order N^{-2/3}.

        Parameters
        ----------
        n_units : int >= 2 or None, N
            The median over networks of N units, of the limit that their own sites have. Of given sites None, or as many as there
            are, takes these; another number is drawn from among them.

        Raises
        ------
        TypeError, ValueError
            no integer, less than 2
        ConvergenceError
            the populations that are affordable do not agree; the words say what the tail does
        """
        return self._edge(True, n_units)

    def smallest(self, n_units: int | None = None) -> float:
        """The smallest singular value, ``1 / |(lambda - J)^{-1}|``; 0 inside the support, and where there is an atom [T9].

        Close to a smooth edge of the support it grows like the distance to the power of 3/2; below 1e-12 of the scale there it
        counts as 0. As accurate as :meth:`largest`, or to 1e-2 of that part of ``1 + |lambda|`` where it is small. Networks are
        above the limit by a part of order N^{-2/3}, with a large factor next to the support; inside it they have singular
        values of order 1/N, see ``Spectrum.smallest_singular_value``.

        Parameters
        ----------
        n_units : as of :meth:`largest`

        Raises
        ------
        TypeError, ValueError, ConvergenceError
            as by :meth:`largest`
        """
        return self._edge(False, n_units)

    @underflow_is_zero
    def _edge(self, largest, n_units):
        size = None if n_units is None else integer("n_units", n_units, low=2)
        return float(self.spectrum.singular_edges.of(np.array([complex(self.shift)]), largest, size)[0])
