"""The eigenvalue spectrum of the state-to-state Jacobian of a random gated network [T3, T4, T6]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any, cast, overload

import numpy as np
import numpy.typing as npt

from ..cell.cell import Cell
from ..ensemble.ensemble import Ensemble
from ..ensemble.matrix_laws import IID, MatrixLaw, Unknown, require
from ..ensemble.sites import Sites
from ..errors import CapabilityError, ConvergenceError
from ..mean_field.fixed_point import FixedPoint
from ..mean_field.low_rank_points import LowRankFixedPoint
from ..results.display import brief
from ..results.encoding import result
from ..support.arithmetic import underflow_is_zero
from ..support.available_memory import require_memory
from ..support.checks import (
    boolean,
    choice,
    complex_array,
    complex_number,
    generator,
    instance,
    integer,
    real,
    real_array,
    reals,
    several,
    shown,
)
from ..support.types import Rng
from .abscissas import Abscissas
from .boundary import Boundary
from .concentration import Concentration, concentration
from .determinant import spectral_radius
from .disc_mass import Nodes, pixel_row
from .dyson import Population
from .edge import FixedPointEdge, SitesEdge
from .edge_numbers import outermost_numbers
from .finite_size import FiniteSize, edges_of, given_laws, perturbed_laws, resampled_laws
from .flow_spectrum import FlowSpectrum
from .hole_outliers import HoleOutliers
from .holes import Holes
from .isolated import IsolatedEigenvalue, isolated_eigenvalues
from .low_rank_outliers import LowRankIsolated, common_sites
from .masses import Masses
from .outliers import FixedPointOutliers, SitesOutliers, isolated_zeros, sorted_by_modulus
from .phases import solution
from .refinement import MUCH_ROOM, OF_SPECTRA, ROOM, apart, settled
from .singular.pseudospectra import Pseudospectra
from .site_populations import COARSE, FEW, SitePopulations
from .smooth_map import filled

__all__ = ["Spectrum"]

#: Sites of a population that is cheap enough to be made denser in the leak.
_CHEAP = 300
#: The largest radius, whose square is a number.
_LARGEST = 1e100
#: Tolerance of the populations at fixed points with low-rank parts, and their sites at most.
_SITES_TOL, _SITES = 1e-10, 40_000
#: |log| of the edge function up to which a point counts as on the boundary.
_ON_EDGE = 1e-6


@result("spectrum", fields=("source", "tol"))
class Spectrum(Pseudospectra):
    """Spectrum of the d N x d N Jacobian of a large random network whose sites are distributed as given [T3, T4].

    Edge quantities at a mean-field fixed point are accurate to about 1e-10. Quantities inside the support come from a population
    of sites made for the tolerance ``tol``; they are limits N -> infinity, a sampled network differs by its own fluctuations.

    A *leak* is an eigenvalue of a site's own dynamics F_s at given fields: the update gate of the GRU, the forget gate of the
    LSTM. Leaks belong to the spectrum. Where they are spread over sites they cover intervals of the real axis.

    Of the matrices the outer edge sees the gains alone: it is the same for all laws that hold "edge", iid ones, rotationally
    invariant ones and stacks, because A(s) = a^2 at s = 0, where solutions begin [T10]. Inside laws differ; matrices that can be
    inverted make :meth:`holes`.

    Parameters
    ----------
    source : FixedPoint, Sites that carry gains, or a result with such ``sites``
        Of a law of sites (a FixedPoint, a typical fixed point from ``complexity``) populations are made as they are needed; samples
        are what they are.
    tol : float in [1e-14, 0.01], optional
        Quadrature tolerance inside the support. Default: 1e-5, and 1e-4 where more than 1000 lambdas are asked for at once.

    Attributes
    ----------
    source : FixedPoint, Sites or a result, what it was made of
    matrices : dict, {field: law of its matrix} that the equations are those of
    populations : SitePopulations, for calculators: the given sites, or what makes some for tolerances
    assumed : bool
        Whether nothing is known of the matrices (given weights), so that iid ones are assumed; the text of the Spectrum says so.

    Raises
    ------
    TypeError, ValueError
        For another kind of source, sites without gains, a tolerance out of range; in methods, arguments that are not finite or
        out of range.
    CapabilityError
        Equations that are not known to hold for the law of the matrices.
    ConvergenceError
        By methods: a quadrature or an equation did not converge at some lambda (``estimate`` holds what was reached).

    Examples
    --------
    The zero state of a GRU has the exact disc around the leak sigma(b_z) of the radius (1 - sigma(b_z)) a_h sigma(b_r):

    >>> import gating_theory as gt
    >>> zero, active = gt.fixed_points(gt.Ensemble(gt.GRU, gain={"z": 2, "r": 3, "h": 6}))
    >>> sp = gt.Spectrum(zero)
    >>> round(sp.abscissa(), 4), round(sp.mass(0.5, 1.0), 4)  # the disc ends at 1/2 + 3/2; (1 / 1.5)^2 of it
    (2.0, 0.4444)
    >>> sp = gt.Spectrum(active)
    >>> round(sp.radius(), 4), round(sp.slow_fraction(10), 4)
    (1.3426, 0.1622)
    """

    def __init__(self, source: FixedPoint | Sites | Any, tol: float | None = None) -> None:
        self.tol = None if tol is None else real("tol", tol, low=1e-14, high=0.01)
        self.fixed_point: FixedPoint | None = None
        laws: Mapping[str, MatrixLaw]
        self._low_rank = LowRankIsolated(source) if isinstance(source, LowRankFixedPoint) else None
        if isinstance(source, LowRankFixedPoint):
            self._given = Population(common_sites(source.sites_at(_SITES_TOL, _SITES)))
            self.cell, laws = source.ensemble.cell, source.ensemble.matrices
            self.gain = source.ensemble.array("gain")
        elif isinstance(source, FixedPoint):
            self.fixed_point = source
            self.cell, laws = source.ensemble.cell, source.ensemble.matrices
            self.gain = source.ensemble.array("gain")
        else:
            sites = source if isinstance(source, Sites) else getattr(source, "sites", None)
            if not isinstance(sites, Sites):
                raise TypeError(f"source must be a FixedPoint, a steady state or Sites, got {shown(source)}")
            if sites.gain is None:
                raise ValueError("sites carry no gains: use Spectrum.from_sites(cell, sites, gain)")
            self.cell, self.gain = sites.cell, sites.gain
            laws = cast(Mapping[str, MatrixLaw], sites.matrices)  # Sites makes laws of what it is given
            self._given = Population(sites)
        self.populations = SitePopulations(source, None if self.fixed_point is not None else self._given)
        self.assumed = any(isinstance(law, Unknown) for law in laws.values())
        self.matrices = {name: IID() if isinstance(law, Unknown) else law for name, law in laws.items()}
        self._require("edge", "Spectrum")
        self.source = source if self.populations.law is not None or self.fixed_point is not None else self._given.sites
        self._concentrations: dict[int, Concentration] = {}
        self._shared: tuple[Abscissas, int] | None = None

    @classmethod
    def from_sites(
        cls,
        cell: Cell | Sites,
        sites: Sites | None = None,
        gain: float | Mapping[str, float] | npt.ArrayLike | None = None,
        *,
        matrices: str | MatrixLaw | Mapping[str, str | MatrixLaw] | None = None,
    ) -> Spectrum:
        """Spectrum of a given population: ``from_sites(net.sites(state))`` or ``from_sites(cell, sites, gain)``.

        Parameters
        ----------
        cell : Cell, or the Sites themselves
        sites : Sites, of that cell
        gain : float, mapping from field names (those left out: 1) or (K,) array, optional
            Gains a_k >= 0; they replace what the sites carry.
        matrices : str, MatrixLaw, or mapping from field names to either, optional
            The laws of the matrices that the theory is to assume, as for Ensemble; they replace what the sites carry.

        Raises
        ------
        TypeError, ValueError
            other types, sites of another cell, sites without gains, gains that are negative or too few
        """
        if isinstance(cell, Sites) and sites is None:
            sites = cell
            cell = sites.cell
        cell = instance("cell", cell, Cell, "or Sites, such as net.sites(state)")
        sites = instance("sites", sites, Sites, "such as net.sites(state)")
        if sites.cell != cell:
            raise ValueError(f"sites belong to cell {sites.cell.name!r}, not to {cell.name!r}")
        if gain is not None:
            given: Any = gain if hasattr(gain, "__len__") else dict.fromkeys(cell.field_names, gain)
            if hasattr(given, "keys"):
                given = Ensemble(cell, gain=given).array("gain")
            sites = replace(sites, gain=real_array("gain", given))
        return cls(sites if matrices is None else replace(sites, matrices=matrices))

    @classmethod
    def of_each(cls, points: Sequence[FixedPoint]) -> list[Spectrum]:
        """The Spectrum at each of many fixed points of one cell; their abscissas are computed together when the first is asked for.

        Parameters
        ----------
        points : sequence of FixedPoint

        Raises
        ------
        TypeError, ValueError
            anything else; fixed points of several cells
        """
        given = several("points", points, FixedPoint, "fixed points")
        if len({point.ensemble.cell for point in given}) > 1:
            raise ValueError(
                f"points must be fixed points of one cell, got {', '.join(sorted({p.ensemble.cell.name for p in given}))}"
            )
        spectra = [cls(point) for point in given]
        if any(isinstance(point, LowRankFixedPoint) for point in given):
            return spectra
        shared = Abscissas(given)
        for number, spectrum in enumerate(spectra):
            spectrum._shared = shared, number
        return spectra

    @cached_property
    def _edge(self) -> SitesEdge | FixedPointEdge:
        return SitesEdge(self._given) if self.fixed_point is None else FixedPointEdge(self.fixed_point)

    @property
    def _holes(self) -> Holes:
        return self._edge.holes

    @property
    def _leaks_between(self):
        return self._edge.continua

    @cached_property
    def _boundary(self) -> Boundary:
        return Boundary(self._edge)

    def __reduce__(self):
        # what has been computed is left behind: it is made again where it is wanted
        return Spectrum, (self.source, self.tol)

    def _require(self, fact, who, instead="eigenvalues of sampled networks: Network.eigenvalues"):
        require(self.matrices, fact, who, instead, self.gain)

    def __repr__(self) -> str:
        where = str(self.fixed_point) if self.fixed_point is not None else repr(self._given.sites)
        return brief("Spectrum", f"{'assuming iid normal matrices, ' if self.assumed else ''}{where}")

    def __str__(self) -> str:
        where = str(self.fixed_point) if self.fixed_point is not None else repr(self._given.sites)
        return f"Spectrum({where}{', assuming iid normal matrices' if self.assumed else ''})"

    @property
    def flow(self) -> FlowSpectrum:
        """The same spectrum by the rates of the flow ds/dt = F - s, mu = lambda - 1 per unit of time [T8]."""
        return FlowSpectrum(self)

    @property
    def n_state(self) -> int:
        """d: each unit has d eigenvalues."""
        return self.cell.n_state

    # --- edge

    @underflow_is_zero
    def edge_function(self, lam: npt.ArrayLike) -> float | np.ndarray:
        """Spectral radius of T(lambda) [T3]: < 1 outside the support, > 1 inside, 1 on its boundary.

        Where fields have invertible matrices (orthogonal ones) it is the smallest of the spectral radii of T and of all T^S [T10],
        which is < 1 in holes of the support as well: see :meth:`holes`. Infinite on leaks that are in no hole: where that of a
        finite fraction of sites equals lambda, as on every atom, and on the real axis between leaks that are spread.

        Accurate to about 1e-10 relative, next to leaks as well; fewer digits where it is huge, and where ``edge_tol`` is above
        1e-12; about 1e-6 where the field behind the leak has a standard deviation above 100.
        """
        lam = complex_array("lam", lam)
        flat = lam.ravel().real + 1j * np.abs(lam.ravel().imag)
        value = spectral_radius(self._edge.transfer_moments(flat)) if flat.size else np.zeros(0)
        on_leak = np.zeros(flat.size, dtype=bool)
        for leak in self._edge.shared_leaks:
            on_leak |= np.abs(flat - leak) <= 1e-14 * (1.0 + abs(leak))
        value = np.where((value > 1e280) | on_leak, np.inf, value)
        if flat.size:
            value = np.minimum(value, self._holes.radius(flat))
        value = value.reshape(lam.shape)
        return value if lam.ndim else float(value)

    @property
    def edge_tol(self) -> float:
        """Quadrature tolerance of the edge function: 1e-14, which gives T itself to about 1e-11.

        More where gains are so large that its grids had to be coarsened; nan for a given population of sites, whose sums are exact.
        """
        return self._edge.tol

    def inside(self, lam: npt.ArrayLike) -> bool | np.ndarray:
        """Whether lambda lies inside the support of the continuous spectrum: neither outside nor in a hole."""
        return self.edge_function(lam) > 1.0

    @underflow_is_zero
    def holes(self, n: int = 256) -> list[tuple[tuple[str, ...], list[np.ndarray]]]:
        """The holes of the support, by the set S of fields that has each [T10].

        Only fields of invertible matrices make holes: orthogonal ones, and given singular values that stay away from 0; not iid
        matrices, and not stacks of several fields. In a hole of type S the spectral radius of T^S is below 1, these fields carry
        all of the solution, the density is zero, and potential and resolvent are closed forms. Eigenvalues in holes are isolated:
        :meth:`outliers`. At the zero state, where one field acts, all eigenvalues of an orthogonal matrix sit on the circle T = 1:
        the hole is all that is inside of it, and its edge is the outer one.

        At a mean-field fixed point T^S is an average over all sites, good to 1e-9; where that is infinite (the cosh^4 c of LSTMs),
        the 1e-6 of the sites that contribute most are left out. Of given sites it is their sum: ``E 1/|w|^2`` is heavy-tailed,
        so that in networks inner edges are set by few sites (vanilla, a = 2: .0012 in the limit, .010 to .014 of 1000 units). A
        finite fraction of saturated sites, w = 0, closes a hole. That no two S have a hole at one lambda was found in all cases
        and is not proved.

        Parameters
        ----------
        n : int >= 16, number of points of all curves

        Returns
        -------
        list of (names of the fields S, closed curves); those S that have no hole are left out

        Raises
        ------
        ConvergenceError
            a piece was seen but not resolved
        """
        n = integer("n", n, low=16)
        require_memory(f"edges of holes of n = {n} points", 16.0 * 16 * n)
        found = ((hole.fields, curves) for hole, curves in self._boundary.of_holes(n))
        return [(tuple(self.cell.field_names[k] for k in fields), curves) for fields, curves in found]

    @underflow_is_zero
    def abscissa(self) -> float:
        """Largest real part of the spectrum [T3]: of its support, or of the sites' leaks.

        The state is unstable where eigenvalues leave the unit circle; with positive leaks they leave through 1. Leaks are part of
        the spectrum. Where they are Gaussian fields behind a sigmoid their law reaches all the way to 1; the tail that holds
        less than 1e-6 of the sites is left out. Outliers are not counted (see :meth:`outliers`).

        Examples
        --------
        >>> import gating_theory as gt
        >>> sp = gt.Spectrum(gt.fixed_points(gt.Ensemble(gt.GRU, gain={"h": 2}))[0])
        >>> print(round(sp.abscissa(), 4))  # at its onset the zero state is marginal
        1.0
        """
        if self._shared is not None:
            shared, number = self._shared
            known = shared[number]
            if known is not None:
                return known
        return self._boundary.abscissa()

    @underflow_is_zero
    def radius(self) -> float:
        """Largest modulus of the spectrum [T3]: of its support, or of the sites' leaks; what counts as in :meth:`abscissa`.

        Examples
        --------
        >>> import gating_theory as gt
        >>> sp = gt.Spectrum(gt.fixed_points(gt.Ensemble(gt.GRU, gain={"h": 1.5}))[0])
        >>> print(round(sp.radius(), 4))  # the leak 1/2, and the radius of the disc around it, 1.5 / 4
        0.875
        """
        return self._boundary.radius()

    @underflow_is_zero
    def boundary(self, n: int = 256) -> list[np.ndarray]:
        """The boundary of the support as closed curves [T3].

        Parameters
        ----------
        n : int >= 16, total number of points, shared among the curves by length (at least 16 each)

        Returns
        -------
        list of complex arrays
            Each closed (last point equals the first), longest first; holes are curves of their own. Empty if there is no continuous
            spectrum. Points satisfy T = 1 to 1e-9, those of holes of invertible matrices T^S = 1 [T10]. Where the spectrum is a
            line, as the circle of orthogonal matrices at rest, that is what is returned, once. Features smaller than 1e-4 of the
            whole may be missed.

        Raises
        ------
        ConvergenceError
            a piece was seen but not resolved

        Notes
        -----
        Between spread leaks the support has no end on the real axis: where the layer around it is thinner than 1e-5 of the
        whole (a bound on ``|lambda|``) to either side, it is left out.

        Examples
        --------
        >>> import gating_theory as gt
        >>> sp = gt.Spectrum(gt.fixed_points(gt.Ensemble(gt.GRU))[0])
        >>> (curve,) = sp.boundary(64)
        >>> print(abs(curve - 0.5).min().round(4), abs(curve - 0.5).max().round(4))  # a circle
        0.25 0.25
        """
        n = integer("n", n, low=16)
        require_memory(f"a boundary of n = {n} points", 16.0 * 16 * n)
        return self._boundary.curves(n)

    @underflow_is_zero
    def edge_density(self, lam: npt.ArrayLike) -> float | np.ndarray:
        """The density just inside the edge, at points of the boundary, as a fraction per unit area [T12].

        rho_e / d with ``rho_e = |grad tau|^2 / (4 pi kappa)``, in closed form: tau is the edge function, and kappa the mean
        square of what sites contribute to it, less what other laws than iid add to the density [T10]. Good to 1e-4 relative, or
        to the Spectrum's ``tol`` where one was given. Eigenvalues of a network of N units reach beyond the boundary by a few
        times 1 / sqrt(2 pi N rho_e).

        Parameters
        ----------
        lam : complex number or array, on the boundary: where the edge function is 1 to 1e-6

        Raises
        ------
        ValueError
            points that are not on the boundary
        CapabilityError
            points on the edge of a hole [T10]
        ConvergenceError
            the populations that are affordable do not agree (``estimate`` carries the last values)
        """
        self._require("resolvent", "Spectrum.edge_density")
        lam = complex_array("lam", lam)
        flat = lam.ravel().real + 1j * np.abs(lam.ravel().imag)
        if any((np.abs(hole.log_radius(flat)) <= _ON_EDGE).any() for hole in self._holes):
            raise CapabilityError("the density at the edge of a hole is not served: use Spectrum.density next to it")
        off = np.abs(self._boundary.log_edge(flat)) > _ON_EDGE
        if off.any():
            raise ValueError(f"lam must lie on the boundary, where the edge function is 1, got {shown(complex(flat[off][0]))}")

        def at(population, chosen):
            return outermost_numbers(population, flat[chosen]).density / self.n_state

        every = np.arange(flat.size)
        if self.populations.law is None:
            return _as_given(at(self._given, every), lam)
        asked, make = self.tol or COARSE, partial(self.populations.clustered, ())
        coarse = make(0.1 * asked)
        # per part of the largest: densities are compared with a relative tolerance
        first = at(coarse, every)
        value, difference, _ = settled(at, make, coarse, first, asked * float(first.min(initial=np.inf)))
        if (difference > asked * value).any():
            words = apart(difference, OF_SPECTRA)
            raise ConvergenceError(f"density at the edge: not converged to {asked}, {words}", estimate=value)
        return _as_given(value, lam)

    @underflow_is_zero
    def finite_size(self, n_units: int | None = None, n_draws: int = 100, rng: Rng = None, method: str = "resample") -> FiniteSize:
        """What the limit says about networks of N units: the laws of their radius and abscissa [T12].

        Eigenvalues reach beyond the edge of the limit by a layer of relative width N^{-1/2}: matrices smear it, and the N sites of
        a network move it. Laws are those of networks planted at the fixed point (the moments of their fields are those of the
        limit); isolated eigenvalues (:meth:`outliers`) do not count. Relative errors are of order N^{-1/2}: medians were within .02
        of measured ones at N = 100, and not distinguishable from them at 300. Where less than ten sites make the edge,
        probabilities are good to .1.

        Parameters
        ----------
        n_units : int >= 2 or None, N
            None for a Spectrum of sampled sites, each of which is a unit: the laws are then those of networks with these sites.
        n_draws : int >= 1
            Draws of N sites that laws are averages over: at 100 a median is known to a tenth of its spread by sites.
        rng : numpy Generator, int or None
            The same one gives the same normals at all hyperparameters: laws are then smooth in these.
        method : "resample" or "delta"
            "resample" draws sites. "delta" takes tau for Gaussian: it costs the same at all N, and holds where at least 30 sites
            make the edge.

        Returns
        -------
        FiniteSize

        Raises
        ------
        TypeError, ValueError
            bad arguments
        CapabilityError
            Sites that are no sample, or another number of them than N: sites of a chaotic state depend on one another, what N of
            them do is not known from others. Matrices that are not iid normal. "delta" where the edge is that of the leaks.
        """
        n_draws, method = integer("n_draws", n_draws, low=1), choice("method", method, ("resample", "delta"))
        size = None if n_units is None else integer("n_units", n_units, low=2)
        rng = generator(rng)
        self._require("finite size", "Spectrum.finite_size")
        if self.fixed_point is None:
            self._require_units(size)
            size = self._given.weights.size
            return FiniteSize(self, size, "given", **given_laws(self._given, self._edges(size)))
        if size is None:
            raise ValueError("n_units must be given: the limit has no number of units of its own")
        if method == "resample":
            laws = resampled_laws(self.fixed_point, self._edges(size), size, n_draws, rng)
        else:
            floors = {"radius": self._boundary.largest_leak, "abscissa": self._boundary.slowest_leak}
            laws = perturbed_laws(self.populations.of(COARSE), self._edges(size), floors, size, n_draws, rng)
        return FiniteSize(self, size, method, **laws)

    def _edges(self, n_units):
        return edges_of(self.populations.of(COARSE), {"radius": self.radius(), "abscissa": self.abscissa()}, n_units)

    @underflow_is_zero
    def concentration(self, n_units: int | None = None) -> Concentration:
        """Whether the limit describes networks of N units: how many of their sites carry T(lambda), at 1 and at the abscissa [T12].

        Cheap where :meth:`finite_size` is not: a hundredth to a tenth of a second. Draws of sites are always the same ones.

        Parameters
        ----------
        n_units : int >= 2 or None, N
            Of given sites None stands for their number, each being a unit; another number is drawn from among them.

        Returns
        -------
        Concentration

        Raises
        ------
        TypeError, ValueError
            bad arguments; None for a law of sites
        ConvergenceError
            as by :meth:`abscissa`
        """
        size = self._given.weights.size if n_units is None and self.populations.law is None else n_units
        if size is None:
            raise ValueError("n_units must be given: the limit has no number of units of its own")
        size = integer("n_units", size, low=2)
        if size not in self._concentrations:
            self._concentrations[size] = self._concentration(size)
        return self._concentrations[size]

    def _concentration(self, size):
        abscissa = self.abscissa()
        exact = float(self.edge_function(1.0)), float(self.edge_function(abscissa))
        tail = not np.isfinite(exact[1]) and self.fixed_point is not None and not cast(FixedPointEdge, self._edge).fixed
        return concentration(self.fixed_point or self._given.sites, size, abscissa, exact, tail)

    def _require_units(self, n_units):
        """CapabilityError unless each of the given sites is a unit of one network."""
        if self._low_rank is not None:
            raise CapabilityError(
                "finite_size does not know low-rank parts of matrices [T11]: use isolated(n_units), or the sites of a network"
            )
        weights = self._given.weights
        if self.populations.law is not None or np.ptp(weights) > 1e-9 * weights.max():
            raise CapabilityError("these sites are a law, not a network's: finite_size needs a fixed point, or net.sites(state)")
        if n_units not in (None, weights.size):
            raise CapabilityError(
                f"what {n_units} units do is not known from {weights.size} sites, which may depend on one another: "
                f"leave n_units out, or take the sites of a network of {n_units}"
            )

    # --- inside

    def sites_near(self, lam: complex, tol: float, fold: bool = True) -> Population:
        """For calculators: the given sites, or some made for a tolerance that resolve what happens at one lambda.

        Parameters
        ----------
        lam : complex
        tol : float in [1e-14, 0.01]
        fold : bool, whether one sign stands for both where spectra do not depend on it
        """
        lam, tol, fold = complex_number("lam", lam), real("tol", tol, low=1e-14, high=0.01), boolean("fold", fold)
        return self.populations.near(lam, tol, self._edge.continua, fold)

    def rim(self, center: complex, radius: float, tol: float, fold: bool = True) -> tuple[Population, Nodes]:
        """For calculators: the given sites, or some made for a tolerance, and nodes along the rim of a disc with what solves them.

        Parameters
        ----------
        center : complex
        radius : float in (0, 1e100]
        tol : float in [1e-14, 0.01]
        fold : bool, whether one sign stands for both where spectra do not depend on it

        Raises
        ------
        ConvergenceError
            the contour was not resolved
        """
        self._require("resolvent", "Spectrum.rim")
        tol, fold = real("tol", tol, low=1e-14, high=0.01), boolean("fold", fold)
        reach = real("radius", radius, low=0.0, high=_LARGEST, open_low=True)
        return self._masses.rim(complex_number("center", center), reach, tol, fold)

    @cached_property
    def _masses(self):
        return Masses(self.populations, self._boundary, self._edge.continua, self.n_state, self.tol)

    def _radius(self, lam):
        """Spectral radius of T (L,) by the exact edge, where there is one, above 1 in holes: cheaper than by a population, too."""
        upper = lam.real + 1j * np.abs(lam.imag)
        return None if self.fixed_point is None else spectral_radius(self._edge.transfer_moments(upper, 3.0, 1e-3))

    def _evaluate(self, lam, what, accuracy=1e-10, population=None, twice=False):
        """One quantity at an array of any shape, from a population if one is given; of conjugate lambdas one is computed.

        Real quantities are computed ``twice``, from two populations of each kind, for different tolerances, which have to agree.
        """
        self._require("resolvent", f"Spectrum.{what}")
        flat = lam.ravel()
        folded, back = np.unique(flat.real + 1j * np.abs(flat.imag), return_inverse=True)
        value = np.zeros(folded.size, dtype=complex if what == "resolvent" else float)
        radius = self._radius(folded)
        continua = () if self.fixed_point is None else self._edge.continua
        groups = (
            self.populations.groups(folded, continua) if population is None else [(np.arange(folded.size), lambda tol: population)]
        )
        for part, make in groups:

            def at(sites, chosen=slice(None), part=part):
                part = part[chosen]
                known = None if radius is None else radius[part]
                return solution(sites, self._holes, folded[part], {what}, accuracy, known).values[what]

            made = make(self.populations.tol_for(folded.size, self.tol))
            if twice and self.populations.law is not None and folded.size <= FEW:
                value[part] = self._settled(at, make, made, folded[part])
            else:
                value[part] = at(made)
        value = value[back]
        if what == "resolvent":
            value = np.where(flat.imag < 0, value.conj(), value)
        return value.reshape(lam.shape)

    def _settled(self, at, make, made, lam):
        """Values at lambdas by a population ``made``, or finer ones, that one for ten times the tolerance gives to twice what was
        asked for.

        The errors of two such populations differ by a factor of two or more.
        """
        asked = self.tol or COARSE
        coarse = make(min(0.1, 10.0 * made.sites.tol))
        value, difference, _ = settled(at, make, coarse, at(coarse), 2.0 * asked)
        if difference.max() <= 2.0 * asked:
            return value
        raise ConvergenceError(
            f"potential at lambda = {lam[np.argmax(difference)]}: not converged to {asked}, {apart(difference, OF_SPECTRA)}",
            estimate=value,
        )

    @underflow_is_zero
    def potential(self, lam: npt.ArrayLike) -> float | np.ndarray:
        """Phi(lambda) = lim (1/N) log|det(lambda - J)| [T4], per unit (not divided by d). -inf on an atom.

        Good to the ``tol`` of the Spectrum (1e-4 where none was given, mostly 1e-5): up to 1000 lambdas are computed from two
        populations for different tolerances, and from finer ones until two agree. More lambdas, and more than 64 different real
        parts within a tenth of the leaks' interval, come from one population, good to 1e-3 next to the leaks.

        Raises
        ------
        ConvergenceError
            the populations that are affordable do not agree (``estimate`` carries the last values)
        """
        lam = complex_array("lam", lam)
        value = self._evaluate(lam, "potential", twice=True)
        return value if lam.ndim else float(value)

    @underflow_is_zero
    def resolvent(self, lam: npt.ArrayLike) -> complex | np.ndarray:
        """g(lambda) = lim (1/N) tr (lambda - J)^{-1} = 2 dPhi/dlambda [T4], per unit: d/lambda at infinity.

        Inside the support this is the limit of the averaged resolvent, which is not analytic there. Infinite on an atom.
        """
        lam = complex_array("lam", lam)
        value = self._evaluate(lam, "resolvent")
        return value if lam.ndim else complex(value)

    @underflow_is_zero
    def density(self, lam: npt.ArrayLike) -> float | np.ndarray:
        """Density of eigenvalues per unit area, as a fraction: integrates to 1 together with the atoms [T4].

        (1/(pi d)) dg/dconj(lambda), from the derivative of the solved equations, not by differencing. At the default tolerance good
        to about a percent (to a tenth of it for built-in cells at moderate gains). Zero outside the support and in holes; atoms are
        not shown, nor is the circle of orthogonal matrices at rest, which has no area (:meth:`mass` counts both).
        On the real axis between the leaks it can be large in a layer thinner than any pixel, and grows as ``tol`` falls: these are
        eigenvalues of saturated sites, whose only dynamics is their own leak.

        Examples
        --------
        >>> import gating_theory as gt
        >>> sp = gt.Spectrum(gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=0.5))[0])
        >>> print(sp.density([0, 0.4, 0.6]).round(4))  # 1 / (pi 0.5^2) inside the disc
        [1.2732 1.2732 0.    ]
        """
        lam = complex_array("lam", lam)
        value = np.maximum(self._evaluate(lam, "density"), 0.0) / self.n_state
        return value if lam.ndim else float(value)

    @underflow_is_zero
    def density_map(
        self, n: int = 200, box: tuple[float, float, float, float] | None = None, tol: float = 1e-3
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Density on an n x n grid of pixel centres: ``(x, y, density)`` with density[j, i] at x[i] + i y[j] [T4].

        Rows that touch the real axis show the average over the pixel, so that the thin layer of real eigenvalues is seen and the
        map times the area of a pixel sums to 1 (without atoms). Where the density is smooth only some of the pixels are computed;
        the others are interpolated where cubics are good to a part ``tol`` of it on a grid of computed pixels twice as coarse,
        where their error is about sixteen times as large.

        Parameters
        ----------
        n : int >= 2
        box : (left, right, bottom, top), optional
            Default: the bounding box of the boundary, and 5 % more.
        tol : float in [1e-14, 0.01]
            Tolerance of the population. The default is made for pictures.

        Returns
        -------
        x, y : (n,) arrays
        density : (n, n) array, eigenvalues per unit area as a fraction

        Raises
        ------
        ValueError
            a box that is empty; no box though all eigenvalues sit on atoms
        """
        n = integer("n", n, low=2)
        require_memory(f"a map of n = {n} by {n} pixels", 8.0 * 8 * float(n) ** 2)
        tol = real("tol", tol, low=1e-14, high=0.01)
        if box is None:
            curves = self.boundary()
            if not curves:
                raise ValueError("there is no continuous spectrum to map: all eigenvalues sit on atoms")
            z = np.concatenate(curves)
            pad = 0.05 * max(np.ptp(z.real), np.ptp(z.imag))
            box = (z.real.min() - pad, z.real.max() + pad, z.imag.min() - pad, z.imag.max() + pad)
        left, right, bottom, top = reals("box", box, "left", "right", "bottom", "top")
        if not (left < right and bottom < top):
            raise ValueError(f"box must be (left, right, bottom, top) with left < right and bottom < top, got {shown(box)}")
        x = left + (right - left) * (np.arange(n) + 0.5) / n
        y = bottom + (top - bottom) * (np.arange(n) + 0.5) / n
        if abs(bottom + top) < 1e-12 * (top - bottom):
            y = 0.5 * (y - y[::-1])  # exactly symmetric, so that conjugate pixels are computed once
        room = ROOM if n * n <= FEW else MUCH_ROOM
        population = self.populations.of(tol, room=room)
        if population.sites.size <= _CHEAP:
            # too few nodes of the leak would show single eigenvalues as dots on the real axis; twice as many are cheap here
            population = self.populations.of(tol, 2, room)
        half = 0.5 * (top - bottom) / n
        rows, back = np.unique(np.abs(y) if y[0] == -y[-1] else y, return_inverse=True)
        lam = x + 1j * np.abs(rows[:, None])
        on_axis = np.abs(rows) <= half * (1 + 1e-9)
        value = np.zeros(lam.shape)
        value[~on_axis] = self._smooth_map(lam[~on_axis], tol, population)
        for j in np.flatnonzero(on_axis):
            resolvent = partial(self._evaluate, what="resolvent", accuracy=1e-3 * tol, population=population)
            value[j] = pixel_row(x, rows[j] - half, rows[j] + half, resolvent, self.n_state)
        value = value[back]
        return x, y, value

    def _smooth_map(self, lam, tol, population):
        """Density at a grid of lambdas in the upper half plane."""
        self._require("resolvent", "Spectrum.density_map")
        flat = lam.ravel()
        radius = self._radius(flat)
        if radius is None:
            radius = spectral_radius(population.transfer_moments(flat))

        def density(pixels):
            found = solution(population, self._holes, flat[pixels], {"density"}, 1e-3 * tol, radius[pixels])
            return np.maximum(found.values["density"], 0.0) / self.n_state

        return filled(((radius > 1.0) & (self._holes.type_at(flat) < 0)).reshape(lam.shape), density, tol)

    @overload
    def mass(self, center: complex, radius: float, tol: float = 1e-4) -> float: ...

    @overload
    def mass(self, center: npt.ArrayLike, radius: npt.ArrayLike, tol: float = 1e-4) -> float | np.ndarray: ...

    @underflow_is_zero
    def mass(self, center: npt.ArrayLike, radius: npt.ArrayLike, tol: float = 1e-4) -> float | np.ndarray:
        """Fraction of the eigenvalues in the disc ``|lambda - center| < radius``, atoms included [T4].

        The contour integral (1/2 pi i d) of g, cut into pieces where the rim crosses the boundary of the support or the real axis
        between leaks; the nodes of a piece are doubled until two results agree to ``tol`` for that piece, the finer one being good
        to less than a tenth of that. Then from populations of sites made for smaller and smaller tolerances until two of them agree
        to half of ``tol``. The disc is open: an atom on its rim is not in it. Many discs at once take less time than one after the
        other.

        Parameters
        ----------
        center : complex number or array
        radius : float from 0 to 1e100, or an array of them; shapes broadcast
        tol : float in [1e-12, 1]
            Absolute tolerance of the result. Populations start from ten times that of the Spectrum if it was given one. Of a given
            population of sites (a sample) the tolerance is that of the contour integral alone.

        Returns
        -------
        float in [0, 1], or an array of the shape that center and radius broadcast to

        Raises
        ------
        ValueError
            shapes that do not broadcast, a radius out of range
        ConvergenceError
            the tolerance was not reached (``estimate`` carries the last values)
        """
        centers, radii = _together(complex_array("center", center), _radii(radius))
        tol = real("tol", tol, low=1e-12, high=1.0)
        self._require("resolvent", "Spectrum.mass")
        value, discs = np.zeros(radii.size), np.flatnonzero(radii)
        if discs.size:
            value[discs] = self._masses.of(centers.ravel()[discs], radii.ravel()[discs], tol)
        return value.reshape(radii.shape) if radii.ndim else float(value[0])

    @overload
    def slow_fraction(self, tau: float, tol: float = 1e-4) -> float: ...

    @overload
    def slow_fraction(self, tau: npt.ArrayLike, tol: float = 1e-4) -> float | np.ndarray: ...

    def slow_fraction(self, tau: npt.ArrayLike, tol: float = 1e-4) -> float | np.ndarray:
        """Fraction of modes that take ``tau`` steps or more to decay by e, or grow: ``|lambda| >= exp(-1/tau)`` [T6].

        One minus a mass: ``tau`` > 0 in steps, a number or an array of them, ``tol`` and errors as in :meth:`mass`. Atoms with just
        that timescale count.

        Examples
        --------
        >>> import gating_theory as gt
        >>> sp = gt.Spectrum(gt.fixed_points(gt.Ensemble(gt.Vanilla))[0])
        >>> print(round(sp.slow_fraction(10), 4))  # 1 - exp(-2 / 10)
        0.1813
        """
        given = real_array("tau", tau)
        if not (given > 0.0).all():
            raise ValueError(f"tau must lie in (0.0, inf), got {shown(tau)}")
        return 1.0 - self.mass(0.0, np.exp(-1.0 / given), tol)

    # --- outliers

    @underflow_is_zero
    def outliers(self) -> np.ndarray:
        """Isolated eigenvalues of a fixed point's spectrum: outside the support [T4], and in its holes [T10].

        Outside, roots of det(1 - C(lambda)), C_kl = E[m_k W_kl(lambda) (y_l - b_l)] / E[m_k^2]: the matrices are conditioned on
        holding the fixed point, a rank-one change each. In a hole of type S the same with W^S, the roles of m_k and y_k - b_k being
        exchanged for k in S: every nonzero fixed point of an orthogonal matrix near onset has one isolated real eigenvalue in its
        hole. Exact for N -> infinity, by a calculation of rank one for each matrix: iid ones, independent rotationally invariant
        ones, and stacks whose fields listen to one message; for stacks of several messages it was measured, to .01. In a network
        they move by order N^{-1/2}, more near the edge. With frozen spreads only the part of the field that comes through the
        matrix counts.

        At fixed points with low-rank parts the channels of these couple to what the fixed point does to the random matrices [T11].
        At a zero state they act alone; where they exceed 1 a memory grows. In holes there isolated eigenvalues are not known.

        Returns
        -------
        complex array, largest modulus first (empty for the zero state)

        Raises
        ------
        CapabilityError
            the spectrum is not that of a mean-field or typical fixed point
        """
        self._require("outliers", "Spectrum.outliers")
        if self._low_rank is not None:
            return self._low_rank.zeros()
        if self.fixed_point is None and self._given.sites.recurrent is None:
            raise CapabilityError("outliers are defined at a fixed point: use Spectrum(fixed_point) or Spectrum(complexity(..))")
        if self._conditioned is None:
            return np.zeros(0, dtype=complex)
        found = [isolated_zeros(self._conditioned, self._boundary.log_edge, self._boundary.bound)]
        found += [isolated_zeros(of_hole, of_hole.hole.log_radius, self._boundary.bound) for of_hole in self._conditioned_in_holes]
        return sorted_by_modulus(np.concatenate(found))

    @underflow_is_zero
    def isolated(self, n_units: int) -> tuple[IsolatedEigenvalue, ...]:
        """The isolated eigenvalues in networks of N units: how far they are from the limit's, and whether they are seen [T11, T12].

        Cheap where ``finite_size(n_units).isolated``, which also asks whether other eigenvalues lie beyond, is not: here the
        distance from the edge decides alone, two standard deviations or more.

        At fixed points with low-rank parts standard deviations are those of networks whose overlaps are the limit's (of loadings
        that are whitened, or given), and leaks beyond which less than a share 1/N of the sites has one do not count, so that there
        can be more isolated eigenvalues than :meth:`outliers`.

        Parameters
        ----------
        n_units : int >= 2, N

        Returns
        -------
        tuple of IsolatedEigenvalue, largest modulus first

        Raises
        ------
        TypeError, ValueError
            no number of units
        CapabilityError
            as by :meth:`outliers`; matrices that are not iid normal
        """
        n = integer("n_units", n_units, low=2)
        self._require("finite size", "Spectrum.isolated")
        if self._low_rank is not None:
            return self._low_rank.isolated(n)
        return isolated_eigenvalues(self, n, self.populations.law is not None, None, None)

    @cached_property
    def _conditioned(self):
        """The determinant that isolated eigenvalues are zeros of; None where the matrices are not conditioned."""
        if self._low_rank is not None:
            return self._low_rank.determinant
        if self.fixed_point is None:
            return None if self._given.sites.recurrent is None else SitesOutliers(self._given.sites)
        return None if self.fixed_point.is_zero else FixedPointOutliers(self.fixed_point, cast(FixedPointEdge, self._edge))

    @cached_property
    def _conditioned_in_holes(self):
        """The same of each hole."""
        if self.fixed_point is None:
            return [HoleOutliers.of_sites(hole) for hole in self._holes]
        return [HoleOutliers.of_fixed_point(hole, self.fixed_point) for hole in self._holes]

    def outlier_determinant(self, lam: npt.ArrayLike) -> complex | np.ndarray:
        """det(1 - C(lambda)), whose zeros are the :meth:`outliers` [T4, T10, T11]; 1 where matrices are conditioned on nothing.

        Outside the support, off the leaks, and in its holes.

        Parameters
        ----------
        lam : complex number or array

        Raises
        ------
        CapabilityError
            in holes at fixed points with low-rank parts
        """
        lam = complex_array("lam", lam)
        flat = lam.ravel()
        if self._conditioned is None:
            return np.ones(lam.shape, dtype=complex) if lam.ndim else 1.0 + 0.0j
        value, kind = self._conditioned(flat), self._holes.type_at(flat)
        if self._low_rank is not None and (kind >= 0).any():
            raise CapabilityError("isolated eigenvalues in holes are not known with low-rank parts of matrices")
        for number in np.unique(kind[kind >= 0]):
            value[kind == number] = self._conditioned_in_holes[number](flat[kind == number])
        return value.reshape(lam.shape) if lam.ndim else complex(value[0])


def _as_given(value, lam):
    """Values (L,) in the shape of lam; a float for one number."""
    return value.reshape(lam.shape) if lam.ndim else float(value[0])


def _together(center, radius):
    """Both, with the shape that they broadcast to."""
    try:
        return np.broadcast_arrays(center, radius)
    except ValueError:
        shapes = f"{np.shape(center)} and {np.shape(radius)}"
        raise ValueError(f"center and radius must have shapes that broadcast, got {shapes}") from None


def _radii(radius):
    """Radii from 0 to 1e100, checked."""
    array = real_array("radius", radius, largest=_LARGEST)
    if (array < 0.0).any():
        raise ValueError(f"radius must lie in [0.0, {_LARGEST:g}], got {shown(radius)}")
    return array
