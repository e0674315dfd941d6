"""The eigenvalue spectrum of the state-to-state Jacobian of a random gated network [T3, T4, T6]."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ..ensemble.sites import Sites
from ..errors import CapabilityError, ConvergenceError
from ..mean_field.fixed_points import FixedPoint
from ..support.checks import complex_array, integer, real
from ..support.roots import bracketed_root
from .dyson import Population, spectral_radius
from .edge import FixedPointEdge, SitesEdge

__all__ = ["Spectrum"]

#: The tail of the leaks' law that is left out: no network of a million units has such sites.
_TAIL = 1e-6
#: Half the thickness, relative to the whole, below which the layer of support around real leaks is not traced.
_LAYER = 1e-5


class Spectrum:
    """Spectrum of the d N x d N Jacobian of a large random network whose sites are distributed as given [T3, T4].

    Edge quantities at a mean-field fixed point are accurate to about 1e-10. Quantities inside the support come from a population
    of sites made for the tolerance ``tol``; they are limits N -> infinity, a sampled network differs by its own fluctuations.

    A *leak* is an eigenvalue of a site's own dynamics F_s at given fields: the update gate of the GRU, the forget gate of the
    LSTM. Leaks belong to the spectrum. Where they are spread over sites they cover intervals of the real axis.

    Parameters
    ----------
    source : FixedPoint, Sites that carry gains, or a result with such ``sites``
    tol : float in [1e-14, 0.01], optional
        Quadrature tolerance inside the support. Default: 1e-5, and 1e-4 where more than 1000 lambdas are asked for at once.

    In all methods ``lam`` stands for lambda, a finite complex number or an array of them of any shape; the result has the same
    shape. See also ``Spectrum.from_sites``.

    Raises
    ------
    TypeError, ValueError
        For another kind of source, sites without gains, a tolerance out of range; in methods, arguments that are not finite or
        out of range.
    ConvergenceError
        By methods: a quadrature or an equation did not converge at some lambda (``estimate`` holds what was reached).
    """

    def __init__(self, source, tol=None):
        self.tol = None if tol is None else real("tol", tol, low=1e-14, high=0.01)
        self.fixed_point = None
        if isinstance(source, FixedPoint):
            self.fixed_point = source
            self.cell = source.ensemble.cell
            self.gain = source.ensemble.array("gain")
            self._edge = FixedPointEdge(source)
        else:
            sites = source if isinstance(source, Sites) else getattr(source, "sites", None)
            if not isinstance(sites, Sites):
                raise TypeError(f"source must be a FixedPoint, a steady state or Sites, got {source!r}")
            if sites.gain is None:
                raise ValueError("sites carry no gains: use Spectrum.from_sites(cell, sites, gain)")
            self.cell, self.gain = sites.cell, sites.gain
            self._given = Population(sites)
            self._edge = SitesEdge(self._given)
        self._populations = {}

    @classmethod
    def from_sites(cls, cell, sites=None, gain=None):
        """Spectrum of a given population: ``from_sites(net.sites(state))`` or ``from_sites(cell, sites, gain)``.

        Parameters
        ----------
        cell : Cell, or the Sites themselves
        sites : Sites, of that cell
        gain : float, mapping from field names (those left out: 1) or (K,) array, optional
            Gains a_k >= 0; they replace what the sites carry.

        Raises
        ------
        TypeError, ValueError : other types, sites of another cell, sites without gains, gains that are negative or too few
        """
        from dataclasses import replace

        from ..cell.cell import Cell

        if isinstance(cell, Sites) and sites is None:
            cell, sites = cell.cell, cell
        if not isinstance(cell, Cell):
            raise TypeError(f"cell must be a Cell, got {cell!r}")
        if not isinstance(sites, Sites):
            raise TypeError(f"sites must be Sites, got {sites!r}")
        if sites.cell != cell:
            raise ValueError(f"sites belong to cell {sites.cell.name!r}, not to {cell.name!r}")
        if gain is not None:
            if not hasattr(gain, "__len__"):
                gain = dict.fromkeys(cell.field_names, gain)
            if hasattr(gain, "keys"):
                from ..ensemble.ensemble import Ensemble

                gain = Ensemble(cell, gain=gain).array("gain")
            sites = replace(sites, gain=np.asarray(gain, dtype=float))
        return cls(sites)

    def __repr__(self):
        where = str(self.fixed_point) if self.fixed_point is not None else repr(self._given.sites)
        return f"Spectrum({where})"

    @property
    def n_state(self):
        """d: each unit has d eigenvalues."""
        return self.cell.n_state

    # --- edge

    def _log_edge(self, lam, rtol=1e-10):
        """log of the spectral radius of T at a complex array, clipped: negative outside, positive inside."""
        lam = np.asarray(lam, dtype=complex)
        flat = lam.ravel()
        flat = flat.real + 1j * np.abs(flat.imag)  # the spectrum is symmetric
        value = spectral_radius(self._edge.transfer_moments(flat, 3.0, rtol)) if flat.size else np.zeros(0)
        with np.errstate(divide="ignore"):
            return np.clip(np.log(value), -700.0, 700.0).reshape(lam.shape)

    def edge_function(self, lam):
        """Spectral radius of T(lambda) [T3]: < 1 outside the support, > 1 inside, 1 on its boundary.

        Infinite on leaks: where that of a finite fraction of sites equals lambda, and on the real axis between leaks that are
        spread. Accurate to about 1e-10 relative, next to leaks as well; fewer digits where it is huge, and where ``edge_tol`` is
        above 1e-12.
        """
        lam = complex_array("lam", lam)
        flat = lam.ravel().real + 1j * np.abs(lam.ravel().imag)
        value = spectral_radius(self._edge.transfer_moments(flat)) if flat.size else np.zeros(0)
        value = np.where(value > 1e280, np.inf, value).reshape(lam.shape)
        return value if lam.ndim else float(value)

    @property
    def edge_tol(self):
        """Quadrature tolerance of the edge function: 1e-14, which gives T itself to about 1e-11.

        More where gains are so large that its grids had to be coarsened; nan for a given population of sites, whose sums are exact.
        """
        return self._edge.tol

    def inside(self, lam):
        """Whether lambda lies inside the support of the continuous spectrum."""
        return self.edge_function(lam) > 1.0

    @cached_property
    def _leaks(self):
        return self._edge.leaks.ravel()

    @cached_property
    def _slowest_leak(self):
        """Largest real part of the leaks. Every leak belongs to the spectrum, however thin the layer of support around it."""
        return _upper_end(self._edge.leaks.real, self._edge.leak_weights)

    @cached_property
    def _largest_leak(self):
        """Largest modulus of the leaks."""
        return _upper_end(np.abs(self._edge.leaks), self._edge.leak_weights)

    @cached_property
    def _bound(self):
        """A radius beyond which there is no spectrum.

        By the maximum principle it is enough that T < 1 on a circle around all leaks.
        """
        bound = max(1e-12, 1.05 * float(np.max(np.abs(self._leaks))) + 1e-9)
        circle = np.exp(1j * np.linspace(0.0, np.pi, 97))
        while self._log_edge(bound * circle).max() >= 0.0:
            bound *= 1.25
            if bound > 1e9:
                raise ConvergenceError("the spectrum has no finite bound", estimate=bound)
        return bound

    @cached_property
    def _real_edge(self):
        """Largest real lambda on the boundary right of all leaks, or None."""
        top = max([float(np.max(self._leaks.real))] + [high for _, high in self._edge.continua])
        span = max(abs(top), 1e-3)
        while True:
            distance = span * np.append(10.0 ** np.linspace(-16, 0, 49), 2.0)
            value = self._log_edge(top + distance)
            if value[-2:].max() < 0.0:  # T < 1 and falling as 1/lambda^2: nothing beyond
                break
            span *= 4.0
            if span > 1e9:
                raise ConvergenceError("the spectrum has no finite bound", estimate=span)
        positive = np.flatnonzero(value > 0.0)
        if not positive.size:
            return None
        i = positive[-1]
        u, f = np.log(distance), lambda u: self._log_edge(top + np.exp(u))
        # inverse interpolation of the values at hand, then secant steps; bisection where that goes astray
        near = slice(max(0, i - 2), i + 4)
        x, known = u[near], value[near]
        guess = np.nan
        if np.all(np.diff(known) < 0):
            weights = [np.prod([known[k] / (known[k] - known[j]) for k in range(x.size) if k != j]) for j in range(x.size)]
            guess = float(np.dot(weights, x))
        for _ in range(4):
            if not u[i] < guess < u[i + 1]:
                break
            left, here = f(np.array([guess - 1e-4, guess]))
            guess -= here * 1e-4 / (here - left) if here != left else np.nan
            if abs(here) < 1e-9:  # the slope is good to four digits
                break
        else:
            guess = np.nan
        if not u[i] < guess < u[i + 1]:
            guess = bracketed_root(f, [u[i]], [u[i + 1]])[0]
        edge = top + float(np.exp(guess))
        if self._edge.halving_error(edge) > np.clip(1e3 * self._edge.tol, 1e-6, 0.1):
            raise ConvergenceError(f"the edge on the real axis was not resolved at {edge}", estimate=edge)
        return edge

    def abscissa(self):
        """Largest real part of the spectrum [T3]: of its support, or of the sites' leaks.

        The state is unstable where eigenvalues leave the unit circle; with positive leaks they leave through 1. Leaks are part of
        the spectrum. Where they are Gaussian fields behind a sigmoid their law reaches all the way to 1; the tail that holds
        less than 1e-6 of the sites is left out. Outliers are not counted (see :meth:`outliers`).
        """
        candidate, floor = self._real_edge, self._slowest_leak
        if candidate is not None and self._edge.falls_off_axis:
            return max(candidate, floor)
        # T is subharmonic right of the leaks: with T < 1 on a vertical line there is no support to its right
        if candidate is not None:
            y = max(1.0, abs(candidate)) * 10.0 ** np.linspace(-8, 1, 28)
            if self._log_edge(candidate + 1e-9 * max(1.0, abs(candidate)) + 1j * y).max() < 0.0:
                return max(candidate, floor)
        else:
            y = max(1.0, abs(floor)) * 10.0 ** np.linspace(np.log10(_LAYER), 1, 28)
            if self._log_edge(floor + 1j * y).max() < 0.0:
                return floor
        return max([float(c.real.max()) for c in self.boundary(512)] + [floor])

    def radius(self):
        """Largest modulus of the spectrum [T3]: of its support, or of the sites' leaks; what counts as in :meth:`abscissa`."""
        floor = self._largest_leak
        theta = np.linspace(0.0, np.pi, 49)
        theta[0] = 0.01  # the layer around the real axis between the leaks is the leaks' business
        edge = self._real_edge
        # by the maximum principle there is nothing beyond a circle around all leaks on which T < 1
        if edge is not None and edge >= np.abs(self._leaks).max():
            if self._log_edge(edge * (1 + 1e-10) * np.exp(1j * theta)).max() < 0.0:
                return max(edge, floor)
        best = self._outermost(theta)
        if not (best > 0).any():
            return floor
        i = int(np.argmax(best))
        low, high = theta[max(i - 1, 0)], theta[min(i + 1, theta.size - 1)]
        value = float(best[i])
        for _ in range(6):  # shrink onto the maximum; it is quadratic, so a few rounds give all digits
            local = np.linspace(low, high, 9)
            r = self._outermost(local)
            j = int(np.argmax(r))
            value = max(value, float(r[j]))
            low, high = local[max(j - 1, 0)], local[min(j + 1, 8)]
        return max([value, floor, edge or 0.0] + [float(np.abs(c).max()) for c in self.boundary(64)])

    def _outermost(self, theta):
        """Largest r with T(r e^{i theta}) = 1 along each ray; 0 where the ray meets no support."""
        bound = 1.02 * self._bound
        r = bound * np.concatenate([np.linspace(1.0, 0.5, 40), np.geomspace(0.5, 1e-6, 40)[1:]])
        direction = np.exp(1j * theta)
        inside = self._log_edge(r[None, :] * direction[:, None], rtol=1e-3) > 0.0
        out = np.zeros(theta.size)
        hit = np.flatnonzero(inside.any(axis=1))
        if hit.size:
            first = np.argmax(inside[hit], axis=1)
            out[hit] = bracketed_root(lambda x: self._log_edge(x * direction[hit]), r[first], r[np.maximum(first - 1, 0)])
        return out

    def boundary(self, n=256):
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
        pieces = self._pieces
        if not pieces:
            return []
        lengths = np.array([np.abs(np.diff(z)).sum() for z in pieces])
        order = np.argsort(-lengths)
        share = np.maximum(16, np.round(n * lengths / lengths.sum())).astype(int)
        return [self._project(_resample(pieces[i], share[i])) for i in order]

    @cached_property
    def _pieces(self):
        """The boundary as closed curves of as many points as tracing gave."""
        from contourpy import contour_generator

        x, y = self._grid_lines()
        f = self._log_edge(x[None, :] + 1j * y[:, None], rtol=1e-2)
        pieces = []
        for line in contour_generator(x, y, np.clip(f, -30.0, 30.0)).lines(0.0):
            z = line[:, 0] + 1j * line[:, 1]
            if abs(z[0] - z[-1]) > 1e-12 * self._bound:  # ends near the real axis: close it by its mirror image
                ends = z[[0, -1]]
                # between leaks the support has no end on the axis: it goes on as a layer thinner than what is traced
                z[[0, -1]] = np.where(self._between_leaks(ends.real), ends, ends.real)
                z = np.concatenate([z, z[::-1].conj()])
                z = z[np.append(True, np.diff(z) != 0)]
                pieces.append(z)
            else:
                pieces += [z, z.conj()[::-1]]
        pieces = [self._project(_resample(z, max(64, z.size))) for z in pieces if z.size > 3]
        return [z for z in pieces if np.abs(np.diff(z)).sum() > 0]

    def _grid_lines(self):
        """Grid lines for tracing: uniform, and clustered towards the real axis, the leaks and 1, where spectra are pinched."""
        bound = 1.03 * self._bound
        leaks = self._leaks.real
        ticks = np.quantile(leaks, np.linspace(0, 1, 25))
        near = 10.0 ** np.linspace(-6, -0.5, 12) * bound
        around = np.unique(np.round([leaks.max(), leaks.min(), 1.0], 12))
        x = np.concatenate([np.linspace(-bound, bound, 91), ticks, *(a + near for a in around), *(a - near for a in around)])
        x = np.unique(np.round(x[np.abs(x) <= bound], 13))
        y = bound * np.concatenate([[_LAYER], 10.0 ** np.linspace(-4.5, -1.5, 16), np.linspace(0.03, 1.0, 46)])
        return x, y

    def _between_leaks(self, x):
        """Whether real numbers lie within a continuum of leaks, where a layer of support surrounds the axis."""
        inside = np.zeros(np.shape(x), dtype=bool)
        for low, high in self._edge.continua:
            inside |= (low < x) & (x < high)
        return inside

    def _project(self, z):
        """Move points along the gradient onto T = 1; points on the real axis stay there."""
        upper = z.real + 1j * np.abs(z.imag)
        on_axis = np.abs(z.imag) < 1e-14 * self._bound
        w = upper.copy()
        scale = np.maximum(np.abs(np.gradient(np.abs(w))), 1e-3 * self._bound)
        h = 1e-7 * self._bound
        left = np.arange(w.size)
        for _ in range(12):
            v = w[left]
            f = self._log_edge(v)
            unsettled = np.abs(f) >= 1e-11
            left, v, f = left[unsettled], v[unsettled], f[unsettled]
            if not left.size:
                break
            around = self._log_edge(np.concatenate([v + h, v - h, v + 1j * h, v - 1j * h])).reshape(4, -1)
            fx = (around[0] - around[1]) / (2 * h)
            fy = np.where(on_axis[left], 0.0, (around[2] - around[3]) / (2 * h))
            step = -f * (fx + 1j * fy) / np.maximum(fx**2 + fy**2, 1e-12)
            step *= np.minimum(1.0, np.minimum(0.5 * scale[left], 0.05 * self._bound) / np.maximum(np.abs(step), 1e-300))
            v = v + step
            w[left] = v.real + 1j * np.abs(v.imag)
        bad = np.abs(self._log_edge(w)) > 1e-9
        if bad.any():  # flat or wild spots: bisect along the vertical through the original point
            w[bad] = self._project_by_bisection(upper[bad])
        keep = np.isfinite(w)
        w = np.where(z.imag < 0, w.conj(), w)[keep]
        if not w.size:
            if np.abs(z - z[0]).max() < 1e-4 * self._bound:
                return w
            raise ConvergenceError("a piece of the boundary was seen on the grid but not resolved", estimate=z)
        w[0] = w[-1] if abs(w[0] - w[-1]) < 1e-6 * self._bound else w[0]
        if w[0] != w[-1]:
            w = np.append(w, w[0])
        return w

    def _project_by_bisection(self, z):
        out = np.full(z.size, np.nan, dtype=complex)
        for i, point in enumerate(z):
            for direction in (1j, 1.0, -1.0, -1j):
                reach = self._bound * 10.0 ** np.linspace(-9, -0.5, 60)
                path = point + direction * reach
                path = path[path.imag >= 0]
                values = self._log_edge(np.append(point, path))
                change = np.flatnonzero(values[:-1] * values[1:] < 0)
                if change.size:
                    j = change[0]
                    ends = np.append(0.0, reach)[[j, j + 1]]
                    if values[j] < 0:
                        ends = ends[::-1]
                    root = bracketed_root(lambda r, p=point, u=direction: self._log_edge(p + u * r), [ends[0]], [ends[1]])
                    out[i] = point + direction * root[0]
                    break
        return out

    # --- inside

    def _population(self, count, fixed_tol=None, leak_nodes=1):
        if self.fixed_point is None:
            return self._given
        few = fixed_tol is None and count <= 1000
        tol = fixed_tol or self.tol or (1e-5 if few else 1e-4)
        leak_nodes = 4 if few else leak_nodes
        if (tol, leak_nodes) not in self._populations:
            room = 100_000 if count <= 1000 else 400_000
            sites = self.fixed_point.sites_at(tol, room, fold=True, leak_nodes=leak_nodes)
            self._populations[tol, leak_nodes] = Population(sites)
        return self._populations[tol, leak_nodes]

    def _evaluate(self, lam, what, tol=None, accuracy=1e-10, population=None):
        flat = lam.ravel()
        folded, back = np.unique(flat.real + 1j * np.abs(flat.imag), return_inverse=True)
        population = self._population(folded.size, tol) if population is None else population
        radius = None
        if self.fixed_point is not None:  # by the exact edge, which is also cheaper
            radius = spectral_radius(self._edge.transfer_moments(folded, 3.0, 1e-3))
        value = population.evaluate(folded, {what}, accuracy, radius)[what][back]
        if what == "resolvent":
            value = np.where(flat.imag < 0, value.conj(), value)
        return value.reshape(lam.shape)

    def potential(self, lam):
        """Phi(lambda) = lim (1/N) log|det(lambda - J)| [T4], per unit (not divided by d). -inf on an atom."""
        lam = complex_array("lam", lam)
        value = self._evaluate(lam, "potential")
        return value if lam.ndim else float(value)

    def resolvent(self, lam):
        """g(lambda) = lim (1/N) tr (lambda - J)^{-1} = 2 dPhi/dlambda [T4], per unit: d/lambda at infinity.

        Inside the support this is the limit of the averaged resolvent, which is not analytic there. Infinite on an atom.
        """
        lam = complex_array("lam", lam)
        value = self._evaluate(lam, "resolvent")
        return value if lam.ndim else complex(value)

    def density(self, lam):
        """Density of eigenvalues per unit area, as a fraction: integrates to 1 together with the atoms [T4].

        (1/(pi d)) dg/dconj(lambda), from the derivative of the solved equations, not by differencing. Zero outside the support;
        atoms are not shown. On the real axis between the leaks it can be large in a layer thinner than any pixel: eigenvalues
        of saturated sites, whose only dynamics is their own leak.
        """
        lam = complex_array("lam", lam)
        value = np.maximum(self._evaluate(lam, "density"), 0.0) / self.n_state
        return value if lam.ndim else float(value)

    def density_map(self, n=200, box=None, tol=1e-3):
        """Density on an n x n grid of pixel centres: ``(x, y, density)`` with density[j, i] at x[i] + i y[j] [T4].

        Rows that touch the real axis show the average over the pixel, so that the thin layer of real eigenvalues is seen and the
        map times the area of a pixel sums to 1 (without atoms).

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
        tol = real("tol", tol, low=1e-14, high=0.01)
        if box is None:
            curves = self.boundary()
            if not curves:
                raise ValueError("there is no continuous spectrum to map: all eigenvalues sit on atoms")
            z = np.concatenate(curves)
            pad = 0.05 * max(np.ptp(z.real), np.ptp(z.imag))
            box = (z.real.min() - pad, z.real.max() + pad, z.imag.min() - pad, z.imag.max() + pad)
        left, right, bottom, top = (real("box", b) for b in box)
        if not (left < right and bottom < top):
            raise ValueError(f"box must be (left, right, bottom, top) with left < right and bottom < top, got {box!r}")
        x = left + (right - left) * (np.arange(n) + 0.5) / n
        y = bottom + (top - bottom) * (np.arange(n) + 0.5) / n
        if abs(bottom + top) < 1e-12 * (top - bottom):
            y = 0.5 * (y - y[::-1])  # exactly symmetric, so that conjugate pixels are computed once
        population = self._population(n * n, tol)
        if population.sites.size <= 300:  # twice the nodes of the leak, where they are cheap: the real axis is beaded without
            population = self._population(n * n, tol, leak_nodes=2)
        value = self._evaluate(x[None, :] + 1j * y[:, None], "density", tol, 1e-3 * tol, population)
        value = np.maximum(value, 0.0) / self.n_state
        half = 0.5 * (top - bottom) / n
        for j in np.flatnonzero(np.abs(y) <= half * (1 + 1e-9)):
            value[j] = self._row_average(x, y[j] - half, y[j] + half, tol, population)
        return x, y, value

    def _row_average(self, x, low, high, tol, population):
        """Density averaged over the pixels of a row that touches the real axis, from the flux of g through their sides [T4].

        The mass between the axis and height Y (half of the axis itself included) is the flux -Im g(x + iY) / 2 pi through the top
        plus that of Re g through the sides.
        """
        width = x[1] - x[0]
        edges = np.append(x - 0.5 * width, x[-1] + 0.5 * width)
        points, weights = np.polynomial.legendre.leggauss(4)
        total = np.zeros(x.size)
        heights = [abs(h) for h in (low, high) if abs(h) > 1e-9 * (high - low)]
        for Y in heights:
            top = x[:, None] + 0.5 * width * points + 1j * Y
            through_top = -self._evaluate(top, "resolvent", tol, 1e-3 * tol, population).imag @ weights * 0.5 * width
            side = edges[:, None] + 1j * 0.5 * Y * (1.0 + points)
            through_side = self._evaluate(side, "resolvent", tol, 1e-3 * tol, population).real @ weights * 0.5 * Y
            total += (through_top + np.diff(through_side)) / (2.0 * np.pi)
        return np.maximum(total, 0.0) / (width * (high - low)) / self.n_state

    def mass(self, center, radius, tol=1e-4):
        """Fraction of the eigenvalues in the disc |lambda - center| < radius, atoms included [T4].

        The contour integral (1/2 pi i d) of g, Gauss-Legendre on the arcs between the boundary of the support, nodes doubled
        until two results agree to ``tol``.

        Parameters
        ----------
        center : complex number
        radius : float >= 0
        tol : float in [1e-12, 1]
            Absolute tolerance of the contour integral. That of the population is a tenth of it (at least 1e-6), unless the Spectrum
            was given its own; a contour that cuts the real axis between spread leaks adds about 1e-4 to the error (NUMERICS.md).

        Returns
        -------
        float in [0, 1]

        Raises
        ------
        ConvergenceError : the tolerance was not reached with 1024 nodes an arc (``estimate`` carries the last value)
        """
        center = complex_array("center", center)
        if center.ndim:
            raise ValueError(f"center must be a single number, got an array of shape {center.shape}")
        center = complex(center)
        radius = real("radius", radius, low=0.0)
        tol = real("tol", tol, low=1e-12, high=1.0)
        if radius == 0.0:
            return 0.0
        half = center.imag == 0.0  # the lower half of a symmetric contour is the mirror image
        span = np.pi if half else 2.0 * np.pi
        # the contour cuts the layer of real eigenvalues between the leaks: many nodes there, fewer digits elsewhere
        population = self._population(0, self.tol or max(1e-6, 0.1 * tol), leak_nodes=16)

        def f(theta):
            z = center + radius * np.exp(1j * theta)
            return spectral_radius(population.transfer_moments(z.real + 1j * np.abs(z.imag))) - 1.0

        grid = np.linspace(0.0, span, 129)
        grid[[0, -1]] += np.array([1e-9, -1e-9])
        value = f(grid)
        change = np.flatnonzero(value[:-1] * value[1:] < 0)
        cuts = [0.0]
        if change.size:
            low = np.where(value[change] > 0, grid[change], grid[change + 1])
            high = np.where(value[change] > 0, grid[change + 1], grid[change])
            cuts += sorted(bracketed_root(lambda t: np.clip(f(t), -50, 50), low, high))
        if not half:  # g is not smooth across the real axis between the leaks
            crossing = [t for t in (np.arcsin(np.clip(-center.imag / radius, -1, 1)),) if abs(center.imag) < radius]
            cuts += [t % (2 * np.pi) for c in crossing for t in (c, np.pi - c)]
        cuts = np.unique(np.append(cuts, span))
        previous = None
        for nodes in (16, 32, 64, 128, 256, 512, 1024):
            points, weights = np.polynomial.legendre.leggauss(nodes)
            theta = np.concatenate([0.5 * (a + b) + 0.5 * (b - a) * points for a, b in zip(cuts[:-1], cuts[1:])])
            w = np.concatenate([0.5 * (b - a) * weights for a, b in zip(cuts[:-1], cuts[1:])])
            turn = radius * np.exp(1j * theta)
            # d lambda = i (lambda - center) d theta
            total = np.sum(w * turn * self._evaluate(center + turn, "resolvent", None, 1e-8, population))
            mass = float(total.real) / (np.pi if half else 2.0 * np.pi) / self.n_state
            if previous is not None and abs(mass - previous) <= tol:
                return float(min(max(mass, 0.0), 1.0))
            previous = mass
        raise ConvergenceError(f"mass of the disc at {center}, radius {radius}: not converged to {tol}", estimate=mass)

    def slow_fraction(self, tau, tol=1e-4):
        """Fraction of modes with a timescale -1/log|lambda| above ``tau`` steps, or growing: |lambda| > exp(-1/tau) [T6].

        One minus a mass: ``tau`` > 0 in steps, ``tol`` and errors as in :meth:`mass`.
        """
        tau = real("tau", tau, low=0.0, open_low=True)
        return 1.0 - self.mass(0.0, float(np.exp(-1.0 / tau)), tol)

    # --- outliers

    def outliers(self):
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
        if self.fixed_point is None:
            if self._given.sites.recurrent is None:
                raise CapabilityError(
                    "outliers are defined at a fixed point: use Spectrum(fixed_point) or Spectrum(complexity(..))"
                )
            D = _SitesOutlierDeterminant(self._given.sites)
        elif self.fixed_point.is_zero:
            return np.zeros(0, dtype=complex)
        else:
            D = _OutlierDeterminant(self.fixed_point, self._edge)
        bound = 1.05 * self._bound
        while np.abs(D(bound * np.exp(1j * np.linspace(0, np.pi, 17))) - 1.0).max() > 0.4:
            bound *= 1.3
        # real ones by sign changes on the axis, complex ones by Newton from the smallest |det| on a grid outside the support
        axis = np.unique(np.concatenate([np.linspace(-bound, bound, 801), 1.0 + np.geomspace(1e-6, 0.3, 60)]))
        axis = axis[self._log_edge(axis) < 0]
        values = D(axis).real if axis.size else axis
        change = np.flatnonzero(values[:-1] * values[1:] < 0)
        r, theta = np.meshgrid(np.linspace(0.05, 1.0, 40) * bound, np.linspace(0.02, np.pi - 0.02, 48))
        grid = (r * np.exp(1j * theta)).ravel()
        grid = grid[self._log_edge(grid) < 0]
        starts = grid[np.argsort(np.abs(D(grid)))[:24]] if grid.size else grid
        z = np.concatenate([0.5 * (axis[change] + axis[change + 1]), starts]).astype(complex)
        for _ in range(60):
            h = 1e-6 * (1.0 + np.abs(z))
            slope = (D(z + h) - D(z - h)) / (2.0 * h)
            step = -D(z) / np.where(slope == 0, np.inf, slope)
            step *= np.minimum(1.0, 0.1 * bound / np.maximum(np.abs(step), 1e-300))
            z = z + step
            if np.all(np.abs(step) < 1e-13 * (1.0 + np.abs(z))):
                break
        z = np.where(np.abs(z.imag) < 1e-9 * (1.0 + np.abs(z)), z.real, z)
        z = z[(np.abs(z) <= 1.5 * bound) & (np.abs(D(z)) < 1e-9)] if z.size else z
        z = z[self._log_edge(z) < -1e-9]
        found = []
        for root in np.concatenate([z, z.conj()]):
            if not any(abs(root - other) < 1e-7 * (1 + abs(root)) for other in found):
                found.append(root)
        found = np.array(found, dtype=complex)
        return found[np.lexsort((-found.imag, -np.abs(found)))]


class _OutlierDeterminant:
    """det(1 - C(lambda)) at a fixed point, averaged factor by factor like the edge."""

    _LEVEL = 1  # twice the edge's coarsest grid: candidates lie outside the support, but may lie close to it

    def __init__(self, fixed_point, edge):
        ensemble, cell = fixed_point.ensemble, fixed_point.ensemble.cell
        law, _, weights = edge._grid(self._LEVEL)
        self.chi = edge._chi(1, self._LEVEL)
        q = fixed_point.q
        bias = ensemble.array("bias")
        variance = ensemble.array("gain") ** 2 * q[list(cell.message_of)]
        total = variance + ensemble.frozen_variance
        share = np.divide(variance, total, out=np.zeros_like(total), where=total > 0)
        self.message_of, self.terms = np.array(cell.message_of), {}
        for (k, l), powers in cell.compiled.outlier_factors.items():
            if q[k] == 0 or share[l] == 0:
                continue
            rows = np.zeros((len(powers), weights.size))
            for i, pair in enumerate(powers):
                if pair is None:
                    continue
                mean_y, mean_1 = (law.mean_of_products(cell, p, edge.tol, edge.pole_variables, edge._averages)[0] for p in pair)
                value = np.broadcast_to(mean_y - bias[l] * mean_1, (1, *weights.shape))[0] * weights
                rows[i] = share[l] * value.ravel() / q[k]
            self.terms[k, l] = rows

    def __call__(self, lam):
        lam = np.asarray(lam, dtype=complex)
        powers = (lam - 1.0)[:, None] ** np.arange(self.chi.shape[0])
        chi = powers @ self.chi
        chi = np.where(chi == 0, 1e-300, chi)
        K = self.message_of.size
        matrix = np.zeros((lam.size, K, K), dtype=complex)
        matrix[:, range(K), range(K)] = 1.0
        for (k, l), rows in self.terms.items():
            value = ((powers @ rows) / chi).sum(axis=1)
            matrix[:, self.message_of == k, l] -= value[:, None]
        return np.linalg.det(matrix)


class _SitesOutlierDeterminant:
    """det(1 - C(lambda)) for a population of sites at a fixed point, which says what its matrices are conditioned on."""

    def __init__(self, sites):
        cell = sites.cell
        minors = dict(cell.compiled.minors(1, sites.state, sites.fields, sites.parameters))
        chi = minors.pop(((), ()))
        self.chi = np.array([np.broadcast_to(c, sites.size) for c in chi])
        messages = cell.compiled.messages(sites.state, sites.fields, sites.parameters)
        messages = [np.broadcast_to(m, sites.size) for m in messages]
        self.message_of, self.terms = np.array(cell.message_of), {}
        for (rows, columns), q in minors.items():
            if len(rows) != 1:
                continue
            (k,), (l,) = rows, columns
            square = sites.mean(messages[k] ** 2)
            if square > 0.0:
                self.terms[k, l] = np.asarray(q) * (sites.weights * messages[k] * sites.recurrent[l] / square)

    __call__ = _OutlierDeterminant.__call__


def _upper_end(values, weights):
    """Where the tail of a law, (G, d) values with (G,) weights, reaches ``_TAIL``; interpolated between nodes."""
    values = values.max(axis=1)
    order = np.argsort(-values)
    values, tail = values[order], np.cumsum(weights[order])
    i = int(np.searchsorted(tail, _TAIL))
    if i == 0 or tail[i - 1] <= 0.0:
        return float(values[i])
    share = (np.log(_TAIL) - np.log(tail[i - 1])) / (np.log(tail[i]) - np.log(tail[i - 1]))
    return float(values[i - 1] + share * (values[i] - values[i - 1]))


def _resample(z, n):
    """n points on a closed polyline at equal spacing; points on the real axis are kept as points."""
    if z[0] != z[-1]:
        z = np.append(z, z[0])
    s = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(z)))])
    at = np.linspace(0.0, s[-1], n + 1)
    out = np.interp(at, s, z.real) + 1j * np.interp(at, s, z.imag)
    for i in np.flatnonzero(z.imag == 0.0):
        j = int(np.argmin(np.abs(at - s[i])))
        out[j] = z[i]
    out[-1] = out[0]
    return out
