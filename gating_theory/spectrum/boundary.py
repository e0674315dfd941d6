"""The boundary of a spectrum's support: its curves, its largest modulus and its largest real part [T3]."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..errors import ConvergenceError
from ..support.roots import bracketed_root
from .determinant import spectral_radius
from .real_edge import UNBOUNDED, falls_to_one, real_edges, upper_ends

if TYPE_CHECKING:
    from .edge import FixedPointEdge, SitesEdge

__all__ = ["Boundary"]

#: Half the thickness, relative to the whole, below which the layer of support around real leaks is not traced.
_LAYER = 1e-5
#: Where a search needs only the sign of T - 1: relative accuracy of T along rays, and on the grid that curves are traced on.
_ROUGH, _TRACED = 1e-3, 1e-2
#: |log T| at which a point counts as on the boundary, and at which its projection stops.
_ON_BOUNDARY, _PROJECTED = 1e-9, 1e-11
#: What a radius is multiplied by until it bounds the spectrum.
_AWAY = 1.25
#: Evaluations of a projection, and where that of a curve which is only measured ends.
_PROJECTIONS, _MEASURED = 24, 1e-2
#: Fewest points on a curve while it is traced.
_FEWEST = 64


class Boundary:
    """Where the support of a spectrum ends: the set T(lambda) = 1, with the leaks, which belong to the spectrum wherever they are.

    Parameters
    ----------
    edge : FixedPointEdge or SitesEdge, which evaluates T(lambda)
    """

    def __init__(self, edge: FixedPointEdge | SitesEdge) -> None:
        self._edge = edge

    def log_edge(self, lam: npt.ArrayLike, rtol: float = 1e-10) -> np.ndarray:
        """log of the spectral radius of T at a complex array, clipped: negative outside, positive inside."""
        lam = np.asarray(lam, dtype=complex)
        flat = lam.ravel()
        flat = flat.real + 1j * np.abs(flat.imag)  # the spectrum is symmetric
        value = spectral_radius(self._edge.transfer_moments(flat, 3.0, rtol)) if flat.size else np.zeros(0)
        with np.errstate(divide="ignore"):
            return np.clip(np.log(value), -700.0, 700.0).reshape(lam.shape)

    @cached_property
    def _leaks(self):
        return self._edge.leaks.ravel()

    @cached_property
    def slowest_leak(self) -> float:
        """Largest real part of the leaks. Every leak belongs to the spectrum, however thin the layer of support around it."""
        return self._upper_end(self._edge.leaks.real)

    @cached_property
    def largest_leak(self) -> float:
        """Largest modulus of the leaks."""
        return self._upper_end(np.abs(self._edge.leaks))

    def _upper_end(self, values):
        return float(upper_ends(values.max(axis=1)[None], self._edge.leak_weights[None])[0])

    @cached_property
    def bound(self) -> float:
        """A radius beyond which there is no spectrum.

        By the maximum principle it is enough that T < 1 on a circle around all leaks.
        """
        circle = np.exp(1j * np.linspace(0.0, np.pi, 97))
        inner = bound = 1.05 * float(np.max(np.abs(self._leaks))) + 1e-9
        while (value := self.log_edge(bound * circle).max()) >= 0.0:
            inner, bound = bound, bound * _AWAY * float(falls_to_one(value))
            if bound > UNBOUNDED:
                raise ConvergenceError("the spectrum has no finite bound", estimate=bound)
        while bound > 1.01 * _AWAY * inner:  # that was too far
            middle = np.sqrt(inner * bound)
            inner, bound = (middle, bound) if self.log_edge(middle * circle).max() >= 0.0 else (inner, middle)
        return bound

    @cached_property
    def real_edge(self) -> float | None:
        """Largest real lambda on the boundary right of all leaks, or None."""
        top = max([float(np.max(self._leaks.real))] + [high for _, high in self._edge.continua])
        (edge,), (unbounded,) = real_edges(lambda _, lam: self.log_edge(lam), np.array([top]))
        if unbounded:
            raise ConvergenceError("the spectrum has no finite bound", estimate=UNBOUNDED)
        if np.isnan(edge):
            return None
        if self._edge.halving_error(edge) > np.clip(1e3 * self._edge.tol, 1e-6, 0.1):
            raise ConvergenceError(f"the edge on the real axis was not resolved at {edge}", estimate=edge)
        return float(edge)

    def abscissa(self) -> float:
        """Largest real part of the support, or of the sites' leaks [T3]; what is left out: see ``Spectrum.abscissa``."""
        candidate, floor = self.real_edge, self.slowest_leak
        if candidate is not None and self._edge.falls_off_axis:
            return max(candidate, floor)
        # T is subharmonic right of the leaks: with T < 1 on a vertical line there is no support to its right
        if candidate is not None:
            y = max(1.0, abs(candidate)) * 10.0 ** np.linspace(-8, 1, 28)
            if self.log_edge(candidate + 1e-9 * max(1.0, abs(candidate)) + 1j * y).max() < 0.0:
                return max(candidate, floor)
        else:
            y = max(1.0, abs(floor)) * 10.0 ** np.linspace(np.log10(_LAYER), 1, 28)
            if self.log_edge(floor + 1j * y).max() < 0.0:
                return floor
        return max([float(c.real.max()) for c in self.curves(512)] + [floor])

    def radius(self) -> float:
        """Largest modulus of the support, or of the sites' leaks [T3]; what is left out: see ``Spectrum.abscissa``."""
        floor = self.largest_leak
        theta = np.linspace(0.0, np.pi, 49)
        theta[0] = 0.01  # the layer around the real axis between the leaks is the leaks' business
        edge = self.real_edge
        # by the maximum principle there is nothing beyond a circle around all leaks on which T < 1
        outermost = max(edge or 0.0, floor)
        if outermost >= np.abs(self._leaks).max():
            if self.log_edge(outermost * (1 + 1e-10) * np.exp(1j * theta)).max() < 0.0:
                return outermost
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
        return max([value, floor, edge or 0.0] + [float(np.abs(c).max()) for c in self.curves(64)])

    def _outermost(self, theta):
        """Largest r with T(r e^{i theta}) = 1 along each ray; 0 where the ray meets no support."""
        bound = 1.02 * self.bound
        r = bound * np.concatenate([np.linspace(1.0, 0.5, 40), np.geomspace(0.5, 1e-6, 40)[1:]])
        direction = np.exp(1j * theta)
        inside = self.log_edge(r[None, :] * direction[:, None], rtol=_ROUGH) > 0.0
        out = np.zeros(theta.size)
        hit = np.flatnonzero(inside.any(axis=1))
        if hit.size:
            first = np.argmax(inside[hit], axis=1)
            out[hit] = bracketed_root(lambda x: self.log_edge(x * direction[hit]), r[first], r[np.maximum(first - 1, 0)])
        return out

    def curves(self, n: int = 256) -> list[np.ndarray]:
        """The boundary as closed curves of about ``n`` points together, longest first [T3]: see ``Spectrum.boundary``.

        Raises
        ------
        ConvergenceError : a piece was seen but not resolved
        """
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
        f = self.log_edge(x[None, :] + 1j * y[:, None], rtol=_TRACED)
        pieces = []
        for line in contour_generator(x, y, np.clip(f, -30.0, 30.0)).lines(0.0):
            z = line[:, 0] + 1j * line[:, 1]
            if abs(z[0] - z[-1]) > 1e-12 * self.bound:  # ends near the real axis: close it by its mirror image
                ends = z[[0, -1]]
                # between leaks the support has no end on the axis: it goes on as a layer thinner than what is traced
                z[[0, -1]] = np.where(self._between_leaks(ends.real), ends, ends.real)
                z = np.concatenate([z, z[::-1].conj()])
                z = z[np.append(True, np.diff(z) != 0)]
                pieces.append(z)
            else:
                pieces += [z, z.conj()[::-1]]
        pieces = [self._project(_resample(z, max(_FEWEST, z.size)), _MEASURED, _ROUGH) for z in pieces if z.size > 3]
        return [z for z in pieces if np.abs(np.diff(z)).sum() > 0]

    def _grid_lines(self):
        """Grid lines for tracing: uniform, and clustered towards the real axis, the leaks and 1, where spectra are pinched."""
        bound = 1.03 * self.bound
        leaks = self._leaks.real
        ticks = np.quantile(leaks, np.linspace(0, 1, 25))
        near = 10.0 ** np.linspace(-6, -0.5, 12) * bound
        around = np.unique(np.round([leaks.max(), leaks.min(), 1.0], 12))
        x = np.concatenate([np.linspace(-bound, bound, 91), ticks, *(a + near for a in around), *(a - near for a in around)])
        x = np.unique(np.round(x[np.abs(x) <= bound], 13))
        # sorted: rows out of order would draw loops that are not there
        y = bound * np.sort(np.concatenate([[_LAYER], 10.0 ** np.linspace(-4.5, -1.5, 16), np.linspace(0.03, 1.0, 46)]))
        return x, y

    def _between_leaks(self, x):
        """Whether real numbers lie within a continuum of leaks, where a layer of support surrounds the axis."""
        inside = np.zeros(np.shape(x), dtype=bool)
        for low, high in self._edge.continua:
            inside |= (low < x) & (x < high)
        return inside

    def _project(self, z, settled=_PROJECTED, rtol=1e-10):
        """Move points along the gradient onto T = 1, until |log T| is below ``settled``; points on the real axis stay there."""
        upper = z.real + 1j * np.abs(z.imag)
        w, f = self._along_gradients(upper, np.abs(z.imag) < 1e-14 * self.bound, settled, rtol)
        bad = ~(np.abs(f) <= max(_ON_BOUNDARY, settled))
        if bad.any():  # flat or wild spots: bisect along the vertical through the original point
            w[bad] = self._project_by_bisection(upper[bad])
        keep = np.isfinite(w)
        w = np.where(z.imag < 0, w.conj(), w)[keep]
        if not w.size:
            if np.abs(z - z[0]).max() < 1e-4 * self.bound:
                return w
            raise ConvergenceError("a piece of the boundary was seen on the grid but not resolved", estimate=z)
        w[0] = w[-1] if abs(w[0] - w[-1]) < 1e-6 * self.bound else w[0]
        if w[0] != w[-1]:
            w = np.append(w, w[0])
        return w

    def _along_gradients(self, z, on_axis, settled, rtol):
        """Where Newton's method along the gradient takes points of the upper half plane, and log T there.

        Every other step takes the slope along the line from the values at hand instead of a new gradient.
        """
        w, h = z.copy(), 1e-7 * self.bound
        longest = np.minimum(0.5 * np.maximum(np.abs(np.gradient(np.abs(w))), 1e-3 * self.bound), 0.05 * self.bound)
        f, step, slope, direction = self.log_edge(w, rtol), np.zeros(w.size), np.ones(w.size), np.ones(w.size, dtype=complex)
        left, before = np.arange(w.size), f
        for turn in range(_PROJECTIONS):
            left = left[np.abs(f[left]) >= settled]
            if not left.size:
                break
            v = w[left]
            if turn % 2 == 0:
                right, above = self.log_edge(np.concatenate([v + h, v + 1j * h]), rtol).reshape(2, -1)
                gradient = (right - f[left]) / h + 1j * np.where(on_axis[left], 0.0, (above - f[left]) / h)
                slope[left] = np.maximum(np.abs(gradient), 1e-6)
                direction[left] = gradient / slope[left]
            else:
                secant = (f[left] - before[left]) / step[left]
                slope[left] = np.where(secant > 0.1 * slope[left], secant, slope[left])
            step[left] = np.clip(-f[left] / slope[left], -longest[left], longest[left])
            moved = v + step[left] * direction[left]
            w[left], before = moved.real + 1j * np.abs(moved.imag), f.copy()
            f[left] = self.log_edge(w[left], rtol)
        return w, f

    def _project_by_bisection(self, z):
        out = np.full(z.size, np.nan, dtype=complex)
        for i, point in enumerate(z):
            for direction in (1j, 1.0, -1.0, -1j):
                reach = self.bound * 10.0 ** np.linspace(-9, -0.5, 60)
                path = point + direction * reach
                path = path[path.imag >= 0]
                values = self.log_edge(np.append(point, path))
                change = np.flatnonzero(values[:-1] * values[1:] < 0)
                if change.size:
                    j = change[0]
                    ends = np.append(0.0, reach)[[j, j + 1]]
                    if values[j] < 0:
                        ends = ends[::-1]
                    root = bracketed_root(lambda r, p=point, u=direction: self.log_edge(p + u * r), [ends[0]], [ends[1]])
                    out[i] = point + direction * root[0]
                    break
        return out


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
