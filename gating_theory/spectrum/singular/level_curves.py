"""Pseudospectra as curves: where the smallest singular value of lambda - J is eps [T9]."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..boundary import Boundary
from ..contour import Contour
from .edges import Edges, edges_of_sites
from .regulated import RegulatedSites

__all__ = ["pseudospectrum_curves"]

#: Where |log(eps / s)| is cut off, on grids and elsewhere.
_FAR, _FURTHEST = 30.0, 700.0
#: |log(eps / s)| on curves: of given sites, and of laws as a part of the tolerance of edges.
_ON_CURVE, _OF_LAW = 1e-9, 1e-2
#: Relative accuracy from which on rough sites are good enough, and the tolerance these are made for: without rare sites.
_ROUGH, _TRACED = 1e-3, 1e-3
#: Every so many grid lines are looked at first, then half as many.
_STRIDES = (16, 8, 4, 2, 1)
#: Sizes of cells around a point of a grid within which a curve may be, if it is not further than these.
_CELLS = 1.5
#: What a radius is multiplied by until there is nothing beyond, and angles where this is seen.
_AWAY, _ANGLES = 1.15, np.linspace(0.0, np.pi, 33)
#: How far a step towards a curve may go, per part of the whole: s_min is smooth, and rough curves may be some percent off.
_STEP = 0.05
#: Lambdas on the rough curve at which populations are refined and their rarest sites found.
_LOOKS = 6


class _Level:
    """log(eps / s_min): positive in the pseudospectrum, as in the support, where s_min is zero.

    Attributes
    ----------
    rough, fine : RegulatedSites, from which curves are traced, and where points of curves lie
    """

    def __init__(self, terms: RegulatedSites, inside: Callable[[np.ndarray], np.ndarray], eps: float) -> None:
        self.rough = self.fine = terms
        self._inside, self._eps = inside, eps

    def smallest(self, lam, terms):
        """s_min at lambdas (L,) of the upper half plane; equal ones are computed once."""
        some, back = np.unique(lam, return_inverse=True)
        value = np.zeros(some.size)
        outside = np.flatnonzero(~self._inside(some))
        value[outside] = edges_of_sites(terms, some[outside], False)
        return value[back]

    def __call__(self, lam: np.ndarray, rtol: float) -> np.ndarray:
        flat = lam.ravel().real + 1j * np.abs(lam.ravel().imag)
        smallest = self.smallest(flat, self.rough if rtol >= _ROUGH else self.fine)
        return _logarithm(self._eps, smallest, _FURTHEST).reshape(lam.shape)

    def on_grid(self, x: np.ndarray, y: np.ndarray, rtol: float) -> np.ndarray:
        """On a grid, where s_min is close to eps; elsewhere the sign is known, for s_min changes by no more than lambda does."""
        lam = (x[None, :] + 1j * y[:, None]).ravel()
        size = np.hypot(*np.meshgrid(_steps(x), _steps(y))).ravel() * _CELLS
        value = np.where(self._inside(lam), _FAR, np.nan)
        column, row = (a.ravel() for a in np.meshgrid(np.arange(x.size), np.arange(y.size)))
        for stride in _STRIDES:
            new = np.flatnonzero(np.isnan(value) & (column % stride == 0) & (row % stride == 0))
            smallest = self.smallest(lam[new], self.rough)
            value[new] = _logarithm(self._eps, smallest, _FAR)
            left = np.flatnonzero(np.isnan(value))
            for i in np.flatnonzero(np.abs(smallest - self._eps) > size[new]):
                near = np.abs(lam[left] - lam[new[i]]) + size[left] < abs(smallest[i] - self._eps)
                value[left[near]] = value[new[i]]
                left = left[~near]
        return value.reshape(y.size, x.size)


def pseudospectrum_curves(edges: Edges, boundary: Boundary, eps: float, n: int) -> list[np.ndarray]:
    """The eps-pseudospectrum's boundary as closed curves of about ``n`` points together, longest first.

    Parameters
    ----------
    edges : Edges
    boundary : Boundary, of the support, which the pseudospectrum contains
    eps : float, positive
    n : int

    Raises
    ------
    ConvergenceError : a piece was seen but not resolved
    """
    terms = edges.first if edges.tail == 0.0 else edges.population(_TRACED)
    level = _Level(terms, lambda lam: boundary.log_edge(lam, _ROUGH) > 0.0, eps)
    bound = max(boundary.radius(), boundary.largest_leak) + eps
    circle = np.exp(1j * _ANGLES)
    while level(bound * circle, _ROUGH).max() >= 0.0:
        bound *= _AWAY
    settled = _ON_CURVE if edges.tail == 0.0 else _OF_LAW * edges.tol
    contour = Contour(level, level.on_grid, bound, boundary.leaks, (), settled, _STEP)
    if edges.tail > 0.0:
        traced = np.concatenate(contour.curves(_LOOKS))
        traced = traced[traced.imag >= 0.0]
        level.fine = edges.without_rarest(traced[:: max(1, traced.size // _LOOKS)])
    return contour.curves(n)


def _logarithm(eps, smallest, far):
    """log(eps / smallest), cut off."""
    with np.errstate(divide="ignore"):
        return np.clip(np.log(eps) - np.log(smallest), -far, far)


def _steps(x):
    """The larger of the distances to both neighbours, of ascending numbers."""
    steps = np.diff(x)
    return np.maximum(np.append(steps, steps[-1]), np.append(steps[0], steps))
