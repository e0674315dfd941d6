"""All singular values of a product of Jacobians, tied or untied weights: the facade [T9]."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..ensemble.matrix_laws import require as require_fact
from ..ensemble.sites import Sites
from ..errors import ConvergenceError
from ..mean_field.fixed_point import FixedPoint
from ..results.display import brief
from ..results.encoding import require, result
from ..spectrum.singular.density import SingularDensity, ends
from ..spectrum.site_populations import SitePopulations
from ..spectrum.spectrum import Spectrum
from ..support.arithmetic import underflow_is_zero
from ..support.checks import choice, integer, real, real_array, shown
from .along_path import WEIGHTS
from .product_populations import ProductPopulations
from .site_path import is_path, site_paths
from .time_atom import ATOM_TOL, weight_at_zero
from .time_equations import TimeEquations
from .time_series import product_moments
from .time_solver import TimeSolution, largest_singular_value, solve

__all__ = ["ProductRegularised", "ProductSingularValues", "product_singular_values"]

#: Steps at most: the unknowns are matrices over steps.
_STEPS = 200
#: Tolerances of populations one after the other: by what they are multiplied, the last one, in units of the tolerance, and by what
#: those that are made must differ. Sites at most, and what times T^3 work there may be.
_COARSER, _FINEST, _FINER = 0.1, 1e-6, 0.9
_ROOM, _WORK = 4000, 1e8
#: Moments take less by so much.
_CHEAPER = 10
#: The range of regulators, in units of the root mean square singular value.
_LEAST, _MOST = 1e-6, 1e6
#: The regulator that others are reached from, in the same units: there the equations are solved in the fewest sweeps.
_FIRST = 1.0


@result("product_regularised")
@dataclass(frozen=True)
class ProductRegularised:
    """The regularised resolvent of singular values s of a product: sums over them with a regulator eta > 0 [T9].

    Attributes
    ----------
    eta : float or array
    m : of the same shape, (1/N) sum eta / (s^2 + eta^2), per unit
    potential : of the same shape, (1/2N) sum log(s^2 + eta^2), per unit; its derivative by eta is m

    Examples
    --------
    Of two steps of a vanilla network at zero, gain 1:

    >>> import gating_theory as gt
    >>> point = gt.fixed_points(gt.Ensemble(gt.Vanilla))[0]
    >>> found = gt.product_singular_values(point, 2).regularised(1.0)
    >>> print(round(found.m, 4), round(found.m**3 + found.m, 4))  # a cubic equation
    0.6823 1.0
    """

    eta: float | np.ndarray
    m: float | np.ndarray
    potential: float | np.ndarray

    def check(self) -> None:
        """ValueError where shapes do not fit."""
        require(np.shape(self.eta) == np.shape(self.m) == np.shape(self.potential), "eta, m and potential must have one shape")


@result("product_singular_values", fields=("source", "n_steps", "weights", "tol"))
class ProductSingularValues:
    """The d N singular values s of P = J_T .. J_1, in the limit of many units [T9]; made by :func:`product_singular_values`.

    Numbers are those of the sites, to about 1e-9; of a law of sites (a fixed point) averages over populations so fine that two
    agree to ``tol``.

    Attributes
    ----------
    source : FixedPoint, Spectrum, Sites, a result with ``sites``, or a path
    n_steps : int, T
    weights : "tied" or "untied"
    tol : float, relative

    Examples
    --------
    Two steps of a vanilla network at zero, with the same matrix: P = U U:

    >>> import gating_theory as gt
    >>> found = gt.product_singular_values(gt.fixed_points(gt.Ensemble(gt.Vanilla))[0], 2)
    >>> found.moments(2).round(4), round(found.largest(), 4)  # means of s^2, s^4; sqrt(27 / 4)
    (array([1., 3.]), 2.5981)
    """

    def __init__(self, source: Any, n_steps: int, weights: str = "tied", tol: float = 1e-3) -> None:
        self.n_steps = integer("n_steps", n_steps, low=1, high=_STEPS)
        self.weights, self.tol = choice("weights", weights, WEIGHTS), real("tol", tol, low=1e-8, high=0.1)
        self.source = source
        self._populations: SitePopulations | None = None
        self._kept: tuple[Any, TimeEquations] | None = None
        if is_path(source):
            paths = site_paths(source, self.n_steps)
            if len(paths) > 1:
                raise ValueError(f"source must be one path, got {len(paths)} sequences: products belong to each of them")
            self._kept = None, TimeEquations(paths[0], weights == "tied")
            return
        spectrum = source if isinstance(source, Spectrum) else Spectrum(source)
        instead = "products of sampled Jacobians: Network.push"
        require_fact(spectrum.matrices, "singular values", "product_singular_values", instead, spectrum.gain)
        if isinstance(spectrum.source, FixedPoint) and spectrum.source.ensemble.low_rank is not None:
            # the largest ones belong to the low-rank part
            spectrum.source.ensemble.require("gradients", "product_singular_values", instead)
        self._populations, self._gain = spectrum.populations, spectrum.gain

    def __repr__(self) -> str:
        return brief("ProductSingularValues", f"{self.n_steps} steps, {self.weights} weights, {shown(self.source)}")

    def __str__(self) -> str:
        first, _ = self.moments(2)
        return (
            f"singular values of a product of {self.n_steps} Jacobians, {self.weights} weights\n"
            f"  mean square {first:.5g}, standard deviation of squares {self.square_std():.5g}, largest {self._largest_in_words()}"
        )

    def _largest_in_words(self):
        try:
            return f"{self.largest():.5g}"
        except ConvergenceError as error:
            return f"about {float(error.estimate):.2g} (not converged)" if error.estimate is not None else "not converged"

    @cached_property
    def n_state(self) -> int:
        """d: there are d N singular values."""
        return self._equations(None).d

    @underflow_is_zero
    def moments(self, k: int) -> np.ndarray:
        """Means of s^2, s^4, .., s^(2k) over all singular values [T9]. The first is the growth of gradients through T steps.

        Exact for given sites, by power series.

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
        return self._settled("moments of singular values", lambda e: product_moments(e, k) / e.d, cheaper=_CHEAPER)

    def square_std(self) -> float:
        """Standard deviation of s^2 over all singular values, zero for an isometry."""
        first, second = self.moments(2)
        return float(np.sqrt(max(second - first**2, 0.0)))

    @underflow_is_zero
    def largest(self) -> float:
        """The largest singular value; at a fixed point the norm of J^T [T9].

        In the limit: that of a network of N units is lower, by several percent at a few hundred units. Of a law of sites it is set
        by the rarest ones, and populations may not agree on it.

        Raises
        ------
        ConvergenceError
            the populations that are affordable do not agree, or the fold was not found
        """
        hint = "; rare sites of a law make it: ask for given ones, such as those of a network, net.sites(state)"
        return float(self._settled("the largest singular value", lambda e: np.array(_largest(e)), finest=1.0, hint=hint))

    @underflow_is_zero
    def regularised(self, eta: npt.ArrayLike) -> ProductRegularised:
        """m(eta) = (1/N) tr eta / (P P^T + eta^2), per unit, and the potential whose derivative it is [T9].

        Parameters
        ----------
        eta : positive number or array of them, within a factor 1e6 of the root mean square singular value

        Raises
        ------
        ValueError
            eta out of range
        ConvergenceError
            the populations that are affordable do not agree, or the equations were not solved
        """
        given = real_array("eta", eta)
        scale = self._scale("there is nothing to regularise")
        if not ((given >= _LEAST * scale) & (given <= _MOST * scale)).all():
            raise ValueError(f"eta must lie in [{_LEAST * scale:.3g}, {_MOST * scale:.3g}], got {shown(eta)}")
        flat = given.ravel().astype(float)
        floor = np.array([[0.0], [1.0]])  # the potential is a logarithm
        value = self._settled("regularised singular values", lambda equations: _regularised(equations, flat, scale), floor)
        m, potential = (row.reshape(given.shape) for row in value)
        if given.ndim:
            return ProductRegularised(given, m, potential)
        return ProductRegularised(float(given), float(m), float(potential))

    @underflow_is_zero
    def density(self, s: npt.ArrayLike, tol: float = 2e-2) -> float | np.ndarray:
        """Density of singular values at s, as a fraction: integrates to 1 together with the atom at zero [T9].

        (2 / pi d) Re m at the regulator 0+ + i s. Exactly zero in gaps and beyond the edges. Of given sites and paths it is good to
        about 1e-9; of a law, populations of evenly spread sites grow until two agree within ``tol`` times the larger of the density
        and of one over the root mean square singular value. Where zero is within the support of eigenvalues it grows without
        bounds towards s = 0, like s^(-1 + 2 / (T + 1)) for powers of a Ginibre matrix: ask for the :meth:`mass` there.

        Parameters
        ----------
        s : number or array of them, at least 1e-6 of the root mean square singular value
        tol : float in [1e-8, 1]

        Returns
        -------
        float, or array of the shape of ``s``

        Raises
        ------
        ValueError
            s out of range, or all singular values are zeros
        ConvergenceError
            the populations that are affordable do not agree, or the equations were not solved
        """
        given = real_array("s", s)
        tol = real("tol", tol, low=1e-8, high=1.0)
        least = _LEAST * self._scale("there is no density")
        if not (given >= least).all():
            raise ValueError(f"s must be at least {least:.3g}, got {shown(float(given[~(given >= least)].flat[0]))}")
        value = self._density.density(given.ravel(), tol).reshape(given.shape)
        return value if given.ndim else float(value)

    @underflow_is_zero
    def mass(self, a: npt.ArrayLike, b: npt.ArrayLike, tol: float = 1e-3) -> float | np.ndarray:
        """Fraction of the singular values with a <= s <= b, the atom at zero included where a = 0 [T9].

        A difference of phases of the potential, (2 / pi d) Im Phi at eta = i a and i b: no density is integrated. Of a law of sites
        populations grow until two agree within ``tol`` on the fractions below each end.

        Parameters
        ----------
        a, b : numbers with a <= b, or arrays of them, whose shapes broadcast
            Zero, or at least 1e-6 of the root mean square singular value; b may be infinite.
        tol : float in [1e-8, 1], absolute

        Returns
        -------
        float in [0, 1], or array

        Raises
        ------
        ValueError
            ends out of range or not in order; shapes that do not broadcast; all singular values are zeros
        ConvergenceError
            the populations that are affordable do not agree, or the equations were not solved
        """
        low, high = ends(a, b)
        tol = real("tol", tol, low=1e-8, high=1.0)
        least = _LEAST * self._scale("there is no density")
        for name, value in (("a", low), ("b", high)):
            bad = (value > 0.0) & (value < least)
            if bad.any():
                raise ValueError(f"{name} must be zero or at least {least:.3g}, got {shown(float(value[bad].flat[0]))}")
        below = self._density.below(np.concatenate([low.ravel(), high.ravel()]), tol)
        value = np.clip(below[low.size :] - below[: low.size], 0.0, 1.0).reshape(low.shape)
        if (high == 0.0).any():
            value = np.where(high == 0.0, self.atom, value)
        return value if value.ndim else float(value)

    @cached_property
    @underflow_is_zero
    def atom(self) -> float:
        """The fraction of singular values that are zero: lim eta m(eta) / d [T9]. Half of them for an LSTM in its zero state.

        To about 1e-3, which is also what counts as none; of a law populations grow until two agree to 1e-3.

        Raises
        ------
        ConvergenceError
            zeros are not told from small values, as after many steps; populations do not agree
        """
        scale, known = _root_mean_square(self._equations(None)), np.inf
        if scale == 0.0:
            return 1.0
        for sites in self._finer.finer():
            weight = weight_at_zero(sites.equations, scale)
            if self._finer.exact or abs(weight - known) < ATOM_TOL:
                return weight
            known = weight
        raise ConvergenceError("weight of singular values at zero: two populations of sites differ", estimate=known)

    # --- populations

    def _scale(self, otherwise):
        scale = _root_mean_square(self._equations(None))
        if scale == 0.0:
            raise ValueError(f"all singular values vanish: {otherwise}")
        return scale

    @cached_property
    def _finer(self):
        return ProductPopulations(self._populations, self._equations(None), self._at)

    @cached_property
    def _density(self):
        return SingularDensity(self._finer, self.n_state, self._scale("there is no density"))

    def _equations(self, population) -> TimeEquations:
        """The equations at the sites of a population; None: those of the path, or of the first population."""
        if self._populations is None:
            assert self._kept is not None  # a path has its sites
            return self._kept[1]
        if population is None:
            population = self._populations.of(self.tol)
        if self._kept is None or self._kept[0] is not population:
            self._kept = population, self._at(population.sites)
        return self._kept[1]

    def _at(self, sites):
        sites = sites if sites.gain is not None else _with_gain(sites, self._gain)
        return TimeEquations(site_paths(sites, self.n_steps)[0], self.weights == "tied")

    def _settled(
        self,
        what: str,
        of: Callable[[TimeEquations], np.ndarray],
        floor: float | np.ndarray = 0.0,
        finest: float = _FINEST,
        cheaper: int = 1,
        hint: str = "",
    ) -> np.ndarray:
        """Numbers of given sites; of a law of sites, of populations that agree on them relative to their size, or to a floor."""
        if self._populations is None or self._populations.law is None:
            return of(self._equations(None))
        room = int(cheaper * min(_ROOM, _WORK / self.n_steps**3))
        population = self._populations.of(min(0.1, self.tol / _COARSER), room=room)
        value, apart = of(self._equations(population)), np.inf
        tol = self.tol
        while tol >= finest * self.tol:
            finer = self._populations.of(tol, room=room)
            if finer.sites.tol > _FINER * population.sites.tol:
                break
            last, population, value = value, finer, of(self._equations(finer))
            apart = float((np.abs(value - last) / np.maximum(np.maximum(np.abs(value), floor), 1e-290)).max())
            if apart <= self.tol:
                return value
            tol *= _COARSER
        words = "affordable populations of sites are too coarse" if np.isinf(apart) else f"two populations differ by {apart:.2g}"
        steps = f"{what} of a product of {self.n_steps} Jacobians"
        raise ConvergenceError(f"{steps}: not converged to {self.tol}, {words}{hint}", estimate=value)


def _with_gain(sites, gain):
    return Sites(sites.cell, sites.weights, sites.state, sites.fields, sites.parameters, gain, matrices=sites.matrices)


def _root_mean_square(equations):
    return float(np.sqrt(max(product_moments(equations, 1)[0] / equations.d, 0.0)))


def _largest(equations):
    scale = _root_mean_square(equations)
    return largest_singular_value(equations, scale) if scale > 0.0 else 0.0


def _regularised(equations, eta, scale):
    """(2, L) of m and the potential at regulators (L,), each reached from its neighbour."""
    out = np.empty((2, eta.size))
    first = solve(equations, 1.0 / (_FIRST * scale))
    order = np.argsort(eta)
    for part in (order[eta[order] < _FIRST * scale][::-1], order[eta[order] >= _FIRST * scale]):
        known, at = first, 1.0 / (_FIRST * scale)
        for i in part:
            e = 1.0 / eta[i]
            known = solve(equations, e, TimeSolution(known.P, known.Q), at)
            at = e
            assert known.swept is not None  # it is a solution
            out[0, i] = e * (equations.d - e * known.swept.trace)
            out[1, i] = 0.5 * equations.log_determinant(known.P, known.Q) - equations.d * np.log(e)
    return out


def product_singular_values(
    source: Any, n_steps: int, weights: Literal["tied", "untied"] = "tied", *, tol: float = 1e-3
) -> ProductSingularValues:
    """All singular values of the product of Jacobians of ``n_steps`` steps of a random network, in the limit of many units [T9].

    With the same weights in every step the equations have matrices over steps as unknowns, n T x T of either kind for n messages:
    time grows as M T^3 for M sites, memory as M T^2. For two sites that is .3 s at T = 30 and 2 s at 60; the largest one takes 1 s
    at T = 30, where it has eleven digits. From 40 steps on rounding ends its search early: vanilla units, exact values known, 1e-4
    too large at 40, 5e-4 at 60.

    Parameters
    ----------
    source : FixedPoint, Spectrum, Sites that carry gains, or a result with such ``sites``
        Sites are kept through all steps. Or a path: (Network, states) as ``Network.run(.., trajectory=True)`` gives them,
        (Network, states, input), a recorded layer of one sequence, or a sequence of Sites, one for each step.
    n_steps : int from 1 to 200, T
    weights : "tied", or "untied" for matrices drawn anew in each step, at the same sites
    tol : float in [1e-8, 0.1], relative tolerance where populations stand for a law of sites

    Returns
    -------
    ProductSingularValues, which computes what it is asked for; for one step it is ``Spectrum.singular_values()``

    Raises
    ------
    TypeError, ValueError
        another source, arguments out of range
    CapabilityError
        the equations are not known to hold for the law of the matrices
    MemoryError
        said before any is taken

    See Also
    --------
    gradient_growth : mean squares alone, through thousands of steps

    Examples
    --------
    >>> import gating_theory as gt
    >>> point = gt.fixed_points(gt.Ensemble(gt.GRU, gain=1.0))[0]
    >>> print(gt.product_singular_values(point, 3))
    singular values of a product of 3 Jacobians, tied weights
      mean square 0.059814, standard deviation of squares 0.082626, largest 0.63862
    """
    return ProductSingularValues(source, n_steps, weights, tol)
