"""Pseudospectra as curves: where the smallest singular value of lambda - J is eps [T9]."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..boundary import Boundary
from ..contour import Contour
from .edges import COARSER, Edges, edges_of_sites
from .regulated import RegulatedSites

__all__ = ["pseudospectrum_curves"]

#: Where |log(eps / s)| is cut off, on grids and elsewhere.
_FAR, _FURTHEST = 30.0, 700.0
#: |log(eps / s)| on curves: of given sites, and of laws as a part of the tolerance of edges.
_ON_CURVE, _OF_LAW = 1e-9, 5e-2
#: Relative accuracy from which on the curves of few sites are good enough, and by how much s_min may be off on them.
_ROUGH, _TRACED = 1e-3, 0.2
#: What is smaller than this part of eps is not looked for: a pseudospectrum contains all that is within eps of eigenvalues.
_FINEST = 0.1
#: Digits of lambda, per part of the whole, in which points count as mirror images.
_SAME = 1e-13
#: Nodes of curves between which the correction of s_min is linear, at first; by what parts of the tolerance it may be off at nodes
#: in between, where these are halved no further, and populations that it comes from.
_NODES, _BETWEEN, _FROM = 16, 0.5, 0.25
#: Every so many grid lines are looked at first, then half as many.
_STRIDES = (16, 8, 4, 2, 1)
#: Sizes of cells around a point of a grid within which a curve may be, if it is not further than these.
_CELLS = 1.5
#: What a radius is multiplied by until there is nothing beyond, and angles where this is seen.
_AWAY, _ANGLES = 1.15, np.linspace(0.0, np.pi, 33)
#: How far a step towards a curve may go, per part of the whole: s_min is smooth, and rough curves may be some percent off.
_STEP = 0.05


class _Level:
    """log(eps / s_min): positive in the pseudospectrum, as in the support, where s_min is zero.

    Attributes
    ----------
    terms : RegulatedSites, few sites of a law or given ones
    eps : float
    correction : what is added to the logarithm on curves, a function of lambdas
    """

    def __init__(self, terms: RegulatedSites, inside: Callable[[np.ndarray], np.ndarray], eps: float) -> None:
        self.terms = terms
        self.correction: Callable[[np.ndarray], np.ndarray] | None = None
        self._inside, self.eps = inside, eps

    def smallest(self, lam: np.ndarray, terms: RegulatedSites, tail: float = 0.0) -> np.ndarray:
        """s_min at lambdas (L,) of the upper half plane; those that only rounding tells apart are computed once.

        Parameters
        ----------
        lam : (L,) complex array
        terms : RegulatedSites
        tail : float, weight of the sites that are left out
        """
        size = _SAME * (self.eps + np.abs(lam).max(initial=0.0))
        _, first, back = np.unique(np.round(lam / size), return_index=True, return_inverse=True)
        some = lam[first]
        value = np.zeros(some.size)
        outside = np.flatnonzero(~self._inside(some))
        value[outside] = edges_of_sites(terms, some[outside], False, tail)
        return value[back]

    def __call__(self, lam: np.ndarray, rtol: float) -> np.ndarray:
        flat = _upper(lam.ravel())
        value = _logarithm(self.eps, self.smallest(flat, self.terms), _FURTHEST)
        if self.correction is not None and rtol < _ROUGH:
            value += self.correction(flat)
        return value.reshape(lam.shape)

    def on_grid(self, x: np.ndarray, y: np.ndarray, rtol: float) -> np.ndarray:
        """On a grid, where s_min is close to eps; elsewhere the sign is known, for s_min changes by no more than lambda does."""
        lam = (x[None, :] + 1j * y[:, None]).ravel()
        size = np.hypot(*np.meshgrid(_steps(x), _steps(y))).ravel() * _CELLS
        value = np.where(self._inside(lam), _FAR, np.nan)
        column, row = (a.ravel() for a in np.meshgrid(np.arange(x.size), np.arange(y.size)))
        for stride in _STRIDES:
            new = np.flatnonzero(np.isnan(value) & (column % stride == 0) & (row % stride == 0))
            smallest = self.smallest(lam[new], self.terms)
            value[new] = _logarithm(self.eps, smallest, _FAR)
            left = np.flatnonzero(np.isnan(value))
            for i in np.flatnonzero(np.abs(smallest - self.eps) > size[new]):
                near = np.abs(lam[left] - lam[new[i]]) + size[left] < abs(smallest[i] - self.eps)
                value[left[near]] = value[new[i]]
                left = left[~near]
        return value.reshape(y.size, x.size)


def pseudospectrum_curves(edges: Edges, boundary: Boundary, eps: float, n: int) -> list[np.ndarray]:
    """The eps-pseudospectrum's boundary as closed curves of about ``n`` points together, longest first.

    Of a law of sites curves of few sites are traced. What more of them change is a smooth function along these, known at nodes.

    Parameters
    ----------
    edges : Edges
    boundary : Boundary, of the support, which the pseudospectrum contains
    eps : float, positive
    n : int

    Raises
    ------
    ConvergenceError
        a piece was seen but not resolved, or the populations that are affordable do not agree
    """

    def inside(lam):
        return boundary.log_edge(lam, _ROUGH) > 0.0

    if edges.tail == 0.0:
        return _contour(_Level(edges.first, inside, eps), boundary, _ON_CURVE).curves(n)
    for tol in COARSER:
        level = _Level(edges.population(tol), inside, eps)
        contour = _contour(level, boundary, _OF_LAW * edges.tol)
        nodes = _upper(np.concatenate(contour.curves(_NODES)))
        fine = edges.fewest(nodes, _FROM * edges.tol)
        if np.abs(level.smallest(nodes, fine, edges.tail) / eps - 1.0).max() < _TRACED:
            break
    level.correction = _settled_correction(level, contour, fine, edges, n)
    return contour.curves(n)


def _contour(level, boundary, settled):
    """The curves of a level."""
    eps = level.eps
    bound, circle = max(boundary.radius(), boundary.largest_leak) + eps, np.exp(1j * _ANGLES)
    while level(bound * circle, _ROUGH).max() >= 0.0:
        bound *= _AWAY
    return Contour(level, level.on_grid, bound, boundary.leaks, (), settled, _STEP, _FINEST * eps)


def _settled_correction(level, contour, fine, edges, n):
    """log(s_min of few sites / that of many) between nodes so close that it changes little at those in between."""
    nodes, correction = _NODES, None
    while True:
        curves = contour.curves(nodes)
        lam = _upper(np.concatenate(curves))
        values = np.log(level.smallest(lam, level.terms)) - np.log(level.smallest(lam, fine, edges.tail))
        change = np.inf if correction is None else np.abs(correction(lam) - values).max()
        correction, nodes = _Along(curves, values), 2 * nodes
        if change <= _BETWEEN * edges.tol or nodes >= 2 * n:
            return correction


class _Along:
    """A function that is linear between the nodes of curves, and elsewhere what it is at the nearest point of these.

    Parameters
    ----------
    curves : closed curves, complex arrays
    values : array, at their nodes one after the other
    """

    def __init__(self, curves: list[np.ndarray], values: np.ndarray) -> None:
        ends = np.cumsum([curve.size for curve in curves])
        first = np.delete(np.arange(ends[-1]), ends - 1)
        z = np.concatenate(curves)
        self._from, self._along = z[first], z[first + 1] - z[first]
        self._values, self._rise = values[first], values[first + 1] - values[first]

    def __call__(self, lam: np.ndarray) -> np.ndarray:
        part = ((lam[:, None] - self._from) * self._along.conj()).real / np.maximum(np.abs(self._along) ** 2, 1e-300)
        part = np.clip(part, 0.0, 1.0)
        nearest = np.abs(lam[:, None] - self._from - part * self._along).argmin(axis=1)
        return self._values[nearest] + self._rise[nearest] * part[np.arange(lam.size), nearest]


def _upper(lam):
    """In the upper half plane, where everything is the same."""
    return lam.real + 1j * np.abs(lam.imag)


def _logarithm(eps, smallest, far):
    """log(eps / smallest), cut off."""
    with np.errstate(divide="ignore"):
        return np.clip(np.log(eps) - np.log(smallest), -far, far)


def _steps(x):
    """The larger of the distances to both neighbours, of ascending numbers."""
    steps = np.diff(x)
    return np.maximum(np.append(steps, steps[-1]), np.append(steps[0], steps))
