"""The eigenvalue spectrum of the state-to-state Jacobian of a random gated network [T3, T4, T6]."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from ..cell.cell import Cell
from ..ensemble.ensemble import Ensemble
from ..ensemble.matrix_laws import IID, MatrixLaw, Unknown, require
from ..ensemble.sites import Sites
from ..errors import CapabilityError, ConvergenceError
from ..mean_field.fixed_points import FixedPoint
from ..support.arithmetic import underflow_is_zero
from ..support.available_memory import require_memory
from ..support.checks import complex_array, instance, integer, real, real_array, reals, shown
from .boundary import Boundary
from .determinant import spectral_radius
from .disc_mass import Circle, crossings, pixel_row
from .dyson import Population
from .edge import FixedPointEdge, SitesEdge
from .outliers import FixedPointOutliers, SitesOutliers, isolated_zeros
from .smooth_map import filled

__all__ = ["Spectrum"]

#: Up to so many lambdas at once count as few, and get finer populations; tolerances for few and for many.
_FEW, _FINE, _COARSE = 1000, 1e-5, 1e-4
#: Sites of a population at most, for few lambdas and for many.
_ROOM, _MUCH_ROOM = 100_000, 400_000
#: Sites of a population that is cheap enough to be made denser in the leak.
_CHEAP = 300
#: Lambdas closer than this to the leaks' interval feel single sites: nodes cluster at their leaks, for so many lambdas at once, and
#: for so many in all.
_NEAR, _AT_ONCE, _MOST_NEAR = 0.1, 2, 64
#: How much denser in the leak a population is for few lambdas, and for contours where nodes cannot cluster, because several fields
#: set the leak.
_FEW_LEAK_NODES, _LEAK_NODES = 4, 16
#: Tolerance of the second population of a mass: as asked for, at least this; the first one's is ten times that, at most the other.
_FINE_MASS, _COARSEST = 1e-6, 1e-2
#: Refinements of a population one after the other: by what the tolerance is multiplied, and room.
_REFINEMENTS = ((0.1, _ROOM), (0.1, _ROOM), (1e-2, _MUCH_ROOM), (1e-3, _MUCH_ROOM), (1e-3, _MUCH_ROOM))
_FINEST = 1e-15
#: By what the nodes of a variable are multiplied along which the determinant changes faster than the cell's own functions.
#: They are if that changes a result by more than a part of the tolerance, and of what two populations differ by.
_DENSER, _BLAMED, _EXPLAINS = 2.0, 0.5, 0.25
#: Two populations agree on a mass if they differ by less than this part of the tolerance: errors of two variables may cancel.
_AGREED = 0.5
#: The power of the tolerance that populations of one or two fields are made for.
_SHARPER = 1.5


class Spectrum:
    """Spectrum of the d N x d N Jacobian of a large random network whose sites are distributed as given [T3, T4].

    Edge quantities at a mean-field fixed point are accurate to about 1e-10. Quantities inside the support come from a population
    of sites made for the tolerance ``tol``; they are limits N -> infinity, a sampled network differs by its own fluctuations.

    A *leak* is an eigenvalue of a site's own dynamics F_s at given fields: the update gate of the GRU, the forget gate of the
    LSTM. Leaks belong to the spectrum. Where they are spread over sites they cover intervals of the real axis.

    Parameters
    ----------
    source : FixedPoint, Sites that carry gains, or a result with such ``sites``
        Of a law of sites (a FixedPoint, a typical fixed point from ``complexity``) populations are made as they are needed; samples
        are what they are.
    tol : float in [1e-14, 0.01], optional
        Quadrature tolerance inside the support. Default: 1e-5, and 1e-4 where more than 1000 lambdas are asked for at once.

    Attributes
    ----------
    matrices : dict, {field: law of its matrix} that the equations are those of
    assumed : bool
        Whether nothing is known of the matrices (given weights), so that iid ones are assumed; the text of the Spectrum says so.

    In all methods ``lam`` stands for lambda, a finite complex number or an array of them of any shape; the result has the same
    shape. See also ``Spectrum.from_sites``.

    Raises
    ------
    TypeError, ValueError
        For another kind of source, sites without gains, a tolerance out of range; in methods, arguments that are not finite or
        out of range.
    CapabilityError
        Equations that are not known to hold for the law of the matrices.
    ConvergenceError
        By methods: a quadrature or an equation did not converge at some lambda (``estimate`` holds what was reached).
    """

    def __init__(self, source: FixedPoint | Sites | Any, tol: float | None = None) -> None:
        self.tol = None if tol is None else real("tol", tol, low=1e-14, high=0.01)
        self.fixed_point: FixedPoint | None = None
        laws: Mapping[str, MatrixLaw]
        if isinstance(source, FixedPoint):
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
        # what can make populations for other tolerances: laws of sites, not samples of them
        self._law = source if hasattr(source, "sites_at") else None
        self.assumed = any(isinstance(law, Unknown) for law in laws.values())
        self.matrices = {name: IID() if isinstance(law, Unknown) else law for name, law in laws.items()}
        self._require("edge", "Spectrum")
        self._edge: SitesEdge | FixedPointEdge = (
            SitesEdge(self._given) if self.fixed_point is None else FixedPointEdge(self.fixed_point)
        )
        self._boundary = Boundary(self._edge)
        self._populations: dict[Any, Population] = {}

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
        TypeError, ValueError : other types, sites of another cell, sites without gains, gains that are negative or too few
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

    def __reduce__(self):
        # what has been computed is left behind: it is made again where it is wanted
        return Spectrum, (self._given.sites if self._law is None else self._law, self.tol)

    def _require(self, fact, who):
        laws = {name: law for (name, law), gain in zip(self.matrices.items(), self.gain) if gain > 0.0}
        require(laws, fact, who, "eigenvalues of sampled networks: Network.eigenvalues")

    def __repr__(self) -> str:
        where = str(self.fixed_point) if self.fixed_point is not None else repr(self._given.sites)
        return f"Spectrum({where}{', assuming iid normal matrices' if self.assumed else ''})"

    @property
    def n_state(self) -> int:
        """d: each unit has d eigenvalues."""
        return self.cell.n_state

    # --- edge

    @underflow_is_zero
    def edge_function(self, lam: npt.ArrayLike) -> float | np.ndarray:
        """Spectral radius of T(lambda) [T3]: < 1 outside the support, > 1 inside, 1 on its boundary.

        Infinite on leaks: where that of a finite fraction of sites equals lambda, as on every atom, and on the real axis between
        leaks that are spread. Accurate to about 1e-10 relative, next to leaks as well; fewer digits where it is huge, and where
        ``edge_tol`` is above 1e-12; about 1e-6 where the field behind the leak has a standard deviation above 100.
        """
        lam = complex_array("lam", lam)
        flat = lam.ravel().real + 1j * np.abs(lam.ravel().imag)
        value = spectral_radius(self._edge.transfer_moments(flat)) if flat.size else np.zeros(0)
        on_leak = np.zeros(flat.size, dtype=bool)
        for leak in self._edge.shared_leaks:
            on_leak |= np.abs(flat - leak) <= 1e-14 * (1.0 + abs(leak))
        value = np.where((value > 1e280) | on_leak, np.inf, value).reshape(lam.shape)
        return value if lam.ndim else float(value)

    @property
    def edge_tol(self) -> float:
        """Quadrature tolerance of the edge function: 1e-14, which gives T itself to about 1e-11.

        More where gains are so large that its grids had to be coarsened; nan for a given population of sites, whose sums are exact.
        """
        return self._edge.tol

    def inside(self, lam: npt.ArrayLike) -> bool | np.ndarray:
        """Whether lambda lies inside the support of the continuous spectrum."""
        return self.edge_function(lam) > 1.0

    @underflow_is_zero
    def abscissa(self) -> float:
        """Largest real part of the spectrum [T3]: of its support, or of the sites' leaks.

        The state is unstable where eigenvalues leave the unit circle; with positive leaks they leave through 1. Leaks are part of
        the spectrum. Where they are Gaussian fields behind a sigmoid their law reaches all the way to 1; the tail that holds
        less than 1e-6 of the sites is left out. Outliers are not counted (see :meth:`outliers`).
        """
        return self._boundary.abscissa()

    @underflow_is_zero
    def radius(self) -> float:
        """Largest modulus of the spectrum [T3]: of its support, or of the sites' leaks; what counts as in :meth:`abscissa`."""
        return self._boundary.radius()

    @underflow_is_zero
    def boundary(self, n: int = 256) -> list[np.ndarray]:
        """The boundary of the support as closed curves [T3].

        Parameters
        ----------
        n : int >= 16, total number of points, shared among the curves by length (at least 16 each)

        Returns
        -------
        list of complex arrays, each closed (last point equals the first), longest first; holes are curves of their own. Empty
        if there is no continuous spectrum. Points satisfy T = 1 to 1e-9. Features smaller than 1e-4 of the whole may be missed.
        Between spread leaks the support has no end on the real axis: where the layer around it is thinner than 1e-5 of the
        whole (a bound on |lambda|) to either side, it is left out.

        Raises
        ------
        ConvergenceError : a piece was seen but not resolved
        """
        n = integer("n", n, low=16)
        require_memory(f"a boundary of n = {n} points", 16.0 * 16 * n)
        return self._boundary.curves(n)

    # --- inside

    def _population(self, tol, leak_nodes=1, room=_ROOM, refine=()):
        """The given sites, or some made for a tolerance, ``leak_nodes`` times denser in the leak; kept for the next time."""
        if self._law is None:
            return self._given
        key = tol, leak_nodes, room, refine
        if key not in self._populations:
            self._populations[key] = self._made(tol, room, leak_nodes, refine=refine)
        return self._populations[key]

    def _made(self, tol, room, leak_nodes, leaks=(), refine=()):
        """A population of the law of sites; signs that do not matter are folded where the law is symmetric."""
        folded = {"fold": True} if self.fixed_point is not None else {}
        made = cast(Any, self._law).sites_at(tol, room, leak_nodes=leak_nodes, leaks=leaks, refine=refine, **folded)
        return Population(made)

    def _clustered(self, leaks, tol, room=_ROOM, refine=()):
        """The given sites, or some made for a tolerance that resolve what happens next to real numbers between the leaks."""
        if self._law is None:
            return self._given
        return self._made(tol, room, 1 if self._leak_of_one_field else _LEAK_NODES, leaks, refine)

    @property
    def _leak_of_one_field(self):
        return len(self.cell.compiled.pole_variables) == 1

    def _groups(self, lam):
        """[(indices, function of tolerance, room and refinement)]: lambdas (L,) that share a population, and how it is made.

        Next to the leaks' intervals populations cluster there, two real parts each, unless these are too many.
        """
        count = lam.size
        near = np.zeros(count, dtype=bool)
        if self.fixed_point is not None and self._leak_of_one_field and count <= _FEW:
            for low, high in self._edge.continua:
                near |= (low < lam.real) & (lam.real < high) & (np.abs(lam.imag) < _NEAR * (high - low))
        places = np.unique(lam.real[near])
        if places.size > _MOST_NEAR:
            near[:] = False
        groups = [places[i : i + _AT_ONCE] for i in range(0, places.size, _AT_ONCE)] if near.any() else []
        out = [
            (np.flatnonzero(near & np.isin(lam.real, group)), partial(self._clustered, tuple(group.tolist()))) for group in groups
        ]
        if not near.all():
            leak_nodes = _FEW_LEAK_NODES if count <= _FEW else 1

            def common(tol, room=_ROOM if count <= _FEW else _MUCH_ROOM, refine=()):
                return self._population(tol, leak_nodes, room, refine)

            out.append((np.flatnonzero(~near), common))
        return out

    def _tol_for(self, count):
        """Tolerance of the populations for ``count`` lambdas."""
        return self._sharpened(self.tol or _FINE) if count <= _FEW else self.tol or _COARSE

    def _sharpened(self, tol):
        """Less than ``tol`` where that costs next to nothing: with one or two random fields.

        The determinant's zeros lie up to half as far from the real axis as the poles that rules are made for.
        """
        varying = 0 if self.fixed_point is None else np.count_nonzero(self.fixed_point.law.stds)
        return max(_FINEST, tol**_SHARPER) if varying <= 2 else tol

    def _evaluate(self, lam, what, accuracy=1e-10, population=None, settled=False):
        """One quantity at an array of any shape, from a population if one is given; of conjugate lambdas one is computed.

        ``settled`` real quantities are computed from two populations of each kind, for different tolerances, which have to agree.
        """
        self._require("resolvent", f"Spectrum.{what}")
        flat = lam.ravel()
        folded, back = np.unique(flat.real + 1j * np.abs(flat.imag), return_inverse=True)
        value = np.zeros(folded.size, dtype=complex if what == "resolvent" else float)
        # by the exact edge, which is also cheaper
        radius = None if self.fixed_point is None else self._radius(folded)
        groups = self._groups(folded) if population is None else [(np.arange(folded.size), lambda tol: population)]
        for part, make in groups:

            def at(sites, part=part):
                known = None if radius is None else radius[part]
                return sites.evaluate(folded[part], {what}, accuracy, known)[what]

            made = make(self._tol_for(folded.size))
            if settled and self._law is not None and folded.size <= _FEW:
                value[part] = self._settled(at, make, made, folded[part])
            else:
                value[part] = at(made)
        value = value[back]
        if what == "resolvent":
            value = np.where(flat.imag < 0, value.conj(), value)
        return value.reshape(lam.shape)

    def _radius(self, lam, population=None):
        """Spectral radius of T, by the edge where that is exact, else by a population."""
        return spectral_radius(
            self._edge.transfer_moments(lam, 3.0, 1e-3) if self.fixed_point is not None else population.transfer_moments(lam)
        )

    def _settled(self, at, make, made, lam):
        """Values at lambdas by a population ``made``, or finer ones, that one for ten times the tolerance gives to twice what was
        asked for.

        The errors of two such populations differ by a factor of two or more.
        """
        asked = self.tol or _COARSE
        coarse = make(min(0.1, 10.0 * made.sites.tol))
        value, difference = self._agreed(at, make, coarse, at(coarse), 2.0 * asked, made)
        if difference.max() <= 2.0 * asked:
            return value
        raise ConvergenceError(
            f"potential at lambda = {lam[np.argmax(difference)]}: not converged to {asked}, {_in_words(difference)}",
            estimate=value,
        )

    def _agreed(self, at, make, coarse, value, tol, finer=None):
        """(what the finer of two populations gives, how far they are apart): finer and finer ones, until two agree to ``tol``.

        Where they do not, nodes become denser in the variables that are to blame: the determinant vanishes nearer to the real axis
        than the poles of the cell's functions that rules are made for, the nearer the larger the gains.

        Parameters
        ----------
        at : callable, Population -> number or array
        make : callable of a tolerance, a room and factors for the nodes of each variable -> Population
        coarse, value : the first Population, and what it gives
        tol : float
        finer : Population, optional, the second
        """
        refine, difference = (1.0,) * (self.cell.n_fields + len(self.cell.parameters)), np.array(np.inf)
        for factor, room in _REFINEMENTS:
            for last in (False, True):
                finer = finer or make(max(_FINEST, factor * coarse.sites.tol), room, refine)
                if finer.sites.tol > 0.9 * coarse.sites.tol:
                    break
                fine = at(finer)
                difference = _apart(fine, value)
                if difference.max() <= tol:
                    return fine, difference
                least = max(_BLAMED * tol, _EXPLAINS * difference.max())
                denser = None if last else self._denser(at, make, coarse, value, least, room, refine)
                if denser is None:
                    coarse, value = finer, fine
                    break
                coarse, value, refine = denser
                finer = None
            finer = None
        return value, difference

    def _denser(self, at, make, coarse, value, least, room, refine):
        """(Population, what it gives, factors for nodes): as ``coarse``, denser in each variable that is to blame.

        That changes the value by more than ``least``. None where no variable does, as far as there is room.
        """
        reached, before = coarse.sites.tol, refine
        for v in np.flatnonzero(np.ptp(np.concatenate([coarse.sites.fields, coarse.sites.parameters]), axis=1)):
            factors = tuple(_DENSER * f if u == v else f for u, f in enumerate(refine))
            population = make(reached, room, factors)
            if population.sites.tol > 1.01 * reached:
                continue
            found = at(population)
            if _apart(found, value).max() > least:
                coarse, value, refine = population, found, factors
        return None if refine == before else (coarse, value, refine)

    @underflow_is_zero
    def potential(self, lam: npt.ArrayLike) -> float | np.ndarray:
        """Phi(lambda) = lim (1/N) log|det(lambda - J)| [T4], per unit (not divided by d). -inf on an atom.

        Good to the ``tol`` of the Spectrum (1e-4 where none was given, mostly 1e-5): up to 1000 lambdas are computed from two
        populations for different tolerances, and from finer ones until two agree. More lambdas, and more than 64 different real
        parts within a tenth of the leaks' interval, come from one population, good to 1e-3 next to the leaks.

        Raises
        ------
        ConvergenceError : the populations that are affordable do not agree (``estimate`` carries the last values)
        """
        lam = complex_array("lam", lam)
        value = self._evaluate(lam, "potential", settled=True)
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
        to about a percent (to a tenth of it for built-in cells at moderate gains). Zero outside the support; atoms are not shown.
        On the real axis between the leaks it can be large in a layer thinner than any pixel, and grows as ``tol`` falls: these are
        eigenvalues of saturated sites, whose only dynamics is their own leak.
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
        ValueError : a box that is empty; no box though all eigenvalues sit on atoms
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
        room = _ROOM if n * n <= _FEW else _MUCH_ROOM
        population = self._population(tol, room=room)
        if population.sites.size <= _CHEAP:
            # too few nodes of the leak would show single eigenvalues as dots on the real axis; twice as many are cheap here
            population = self._population(tol, 2, room)
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
        radius = self._radius(flat, population)

        def density(pixels):
            value = population.evaluate(flat[pixels], {"density"}, 1e-3 * tol, radius[pixels])["density"]
            return np.maximum(value, 0.0) / self.n_state

        return filled((radius > 1.0).reshape(lam.shape), density, tol)

    @underflow_is_zero
    def mass(self, center: complex, radius: float, tol: float = 1e-4) -> float:
        """Fraction of the eigenvalues in the disc |lambda - center| < radius, atoms included [T4].

        The contour integral (1/2 pi i d) of g, Gauss-Legendre on the arcs between the boundary of the support, nodes doubled
        until two results agree to ``tol``; then from populations of sites made for smaller and smaller tolerances until two of
        them agree to half of it. The disc is open: an atom on its rim is not in it.

        Parameters
        ----------
        center : complex number
        radius : float from 0 to 1e100
        tol : float in [1e-12, 1]
            Absolute tolerance of the result. Populations start from ten times that of the Spectrum if it was given one. Of a given
            population of sites (a sample) the tolerance is that of the contour integral alone.

        Returns
        -------
        float in [0, 1]

        Raises
        ------
        ConvergenceError : the tolerance was not reached (``estimate`` carries the last value)
        """
        given = complex_array("center", center)
        if given.ndim:
            raise ValueError(f"center must be a single number, got an array of shape {given.shape}")
        center = complex(given)
        radius = real("radius", radius, low=0.0, high=1e100)
        tol = real("tol", tol, low=1e-12, high=1.0)
        if radius == 0.0:
            return 0.0
        self._require("resolvent", "Spectrum.mass")

        def excess(z):
            return self._boundary.log_edge(z, rtol=1e-3)

        coarse = min(_COARSEST, 10.0 * (self.tol or max(tol, _FINE_MASS)))
        first = self._clustered(crossings(center, radius), self._sharpened(coarse))
        circle = Circle(center, radius, excess, first.atoms)
        mass, nodes = circle.settled(self._resolvent_of(first), self.n_state, tol)
        if self._law is not None:
            mass = self._refined_mass(circle, nodes, mass, tol, first)
        return min(max(mass, 0.0), 1.0)

    def _resolvent_of(self, population):
        return partial(self._evaluate, what="resolvent", accuracy=1e-8, population=population)

    def _refined_mass(self, circle, nodes, mass, tol, first):
        """The mass by populations for smaller and smaller tolerances, until two agree to half of ``tol``."""

        def at(population):
            return circle.mass(self._resolvent_of(population), self.n_state, nodes)

        mass, difference = self._agreed(at, partial(self._clustered, circle.crossings), first, mass, _AGREED * tol)
        if difference <= _AGREED * tol:
            return float(mass)
        raise ConvergenceError(
            f"mass of the disc at {circle.center}, radius {circle.radius}: not converged to {tol}, {_in_words(difference)}",
            estimate=mass,
        )

    def slow_fraction(self, tau: float, tol: float = 1e-4) -> float:
        """Fraction of modes with a timescale -1/log|lambda| of ``tau`` steps or more, or growing: |lambda| >= exp(-1/tau) [T6].

        One minus a mass: ``tau`` > 0 in steps, ``tol`` and errors as in :meth:`mass`. Atoms with just that timescale count.
        """
        tau = real("tau", tau, low=0.0, open_low=True)
        return 1.0 - self.mass(0.0, float(np.exp(-1.0 / tau)), tol)

    # --- outliers

    @underflow_is_zero
    def outliers(self) -> np.ndarray:
        """Isolated eigenvalues outside the support of a fixed point's spectrum [T4].

        Roots of det(1 - C(lambda)), C_kl = E[m_k W_kl(lambda) (y_l - b_l)] / E[m_k^2]: the matrices are conditioned on holding the
        fixed point, a rank-one change each. Exact for N -> infinity; in a network they move by order N^{-1/2}, more near the
        edge. With frozen spreads only the part of the field that comes through the matrix counts.

        Returns
        -------
        complex array, largest modulus first (empty for the zero state)

        Raises
        ------
        CapabilityError : the spectrum is not that of a mean-field or typical fixed point
        """
        self._require("outliers", "Spectrum.outliers")
        if self.fixed_point is None:
            if self._given.sites.recurrent is None:
                raise CapabilityError(
                    "outliers are defined at a fixed point: use Spectrum(fixed_point) or Spectrum(complexity(..))"
                )
            return isolated_zeros(SitesOutliers(self._given.sites), self._boundary)
        if self.fixed_point.is_zero:
            return np.zeros(0, dtype=complex)
        edge = cast(FixedPointEdge, self._edge)
        return isolated_zeros(FixedPointOutliers(self.fixed_point, edge), self._boundary)


def _apart(a, b):
    """|a - b|, 0 where both are the same infinity."""
    with np.errstate(invalid="ignore"):
        return np.where(a == b, 0.0, np.abs(a - b))


def _in_words(difference):
    """How far two populations are apart, an array; infinite where there were no two."""
    if np.isinf(difference).all():
        return "the populations of sites that are affordable are too coarse"
    return f"two populations of sites differ by {difference.max():.1e}; ask for a larger tol"
