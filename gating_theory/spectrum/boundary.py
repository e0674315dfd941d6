"""The boundary of a spectrum's support: its curves, its largest modulus and its largest real part [T3, T10]."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..errors import ConvergenceError
from ..support.roots import bracketed_root
from .contour import LAYER, Contour, curves_of, everywhere
from .determinant import spectral_radius
from .real_edge import UNBOUNDED, falls_to_one, real_edges, upper_ends

if TYPE_CHECKING:
    from .edge import FixedPointEdge, SitesEdge
    from .holes import Hole, Holes

__all__ = ["Boundary"]

#: Where a search along rays needs only the sign of T - 1: relative accuracy of T.
_ROUGH = 1e-3
#: What a radius is multiplied by until it bounds the spectrum.
_AWAY = 1.25
#: Holes have no leaks of their own; where grids are fine all the same, as many holes are small discs about 0.
_ORIGIN = np.zeros(1)
#: |log T| at points on the edge of a hole up to which that is the outer edge too, and how many points tell.
_TOUCHING, _SOME = 1e-8, 16


class Boundary:
    """Where the support of a spectrum ends: the set T(lambda) = 1, with the leaks, which belong to the spectrum wherever they are.

    That is its outer edge. Holes end where T^S(lambda) = 1 [T10].

    Parameters
    ----------
    edge : FixedPointEdge or SitesEdge, which evaluates T(lambda)
    """

    def __init__(self, edge: FixedPointEdge | SitesEdge) -> None:
        self._edge = edge

    def log_edge(self, lam: npt.ArrayLike, rtol: float = 1e-10) -> np.ndarray:
        """log of the spectral radius of T at a complex array, clipped: negative outside, positive inside and in holes."""
        lam = np.asarray(lam, dtype=complex)
        flat = lam.ravel()
        flat = flat.real + 1j * np.abs(flat.imag)  # the spectrum is symmetric
        value = spectral_radius(self._edge.transfer_moments(flat, 3.0, rtol)) if flat.size else np.zeros(0)
        with np.errstate(divide="ignore"):
            return np.clip(np.log(value), -700.0, 700.0).reshape(lam.shape)

    @property
    def holes(self) -> Holes:
        """The sets of fields that may have holes."""
        return self._edge.holes

    def log_support(self, lam: npt.ArrayLike) -> np.ndarray:
        """log of the smallest spectral radius of T and all T^S, clipped: positive in the support of the continuous spectrum."""
        return np.minimum.reduce([self.log_edge(lam), *(hole.log_radius(np.asarray(lam, dtype=complex)) for hole in self.holes)])

    @property
    def edges(self) -> list[Callable[..., np.ndarray]]:
        """Functions of lambda and a relative accuracy that change sign at the edges of the support: at the outer one, of each S."""
        return [self.log_edge, *(hole.log_radius for hole in self.holes)]

    @cached_property
    def leaks(self) -> np.ndarray:
        """Real parts of the sites' leaks."""
        return self._leaks.real

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
            y = max(1.0, abs(floor)) * 10.0 ** np.linspace(np.log10(LAYER), 1, 28)
            if self.log_edge(floor + 1j * y).max() < 0.0:
                return floor
        return max([float(c.real.max()) for c in self._outer.curves(512)] + [floor])

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
        return max([value, floor, edge or 0.0] + [float(np.abs(c).max()) for c in self._outer.curves(64)])

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
        ConvergenceError
            a piece was seen but not resolved
        """
        return curves_of([self._outer, *(contour for contour, on_edge in self._inner if not on_edge)], n)

    def of_holes(self, n: int) -> list[tuple[Hole, list[np.ndarray]]]:
        """Each set of fields that has holes, and the closed curves at which these end, of about ``n`` points together [T10].

        Raises
        ------
        ConvergenceError
            a piece was seen but not resolved
        """
        found = [(hole, contour) for hole, (contour, _) in zip(self.holes, self._inner) if contour.pieces]
        share = max(16, n // max(1, len(found)))
        return [(hole, contour.curves(share)) for hole, contour in found]

    @cached_property
    def _outer(self):
        return Contour(self.log_edge, everywhere(self.log_edge), self.bound, self.leaks, self._edge.continua)

    @cached_property
    def _inner(self):
        """The edges of holes, and whether they are the outer edge too: the spectrum is a line then that both end at."""
        found = [Contour(hole.log_radius, everywhere(hole.log_radius), self.bound, _ORIGIN, ()) for hole in self.holes]
        return [(contour, bool(contour.pieces) and self._is_outer(contour.curves(_SOME))) for contour in found]

    def _is_outer(self, curves):
        return max(np.abs(self.log_edge(curve)).max() for curve in curves) < _TOUCHING
