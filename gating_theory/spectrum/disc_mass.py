"""How many eigenvalues lie in a disc, or in the pixels of a row: contour integrals of the resolvent [T4].

With g the resolvent per unit, (1/2 pi i d) times its integral around a region is the fraction of the eigenvalues inside, atoms
included. Nothing is summed over the region itself, where densities can be large in layers thinner than any pixel.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..errors import ConvergenceError
from ..support.roots import bracketed_root

__all__ = ["disc_mass", "pixel_row"]

#: Points on the contour between which the boundary of the support is looked for.
_SCAN = 129
#: Gauss-Legendre nodes of each arc, one after the other until two results agree.
_NODES = (16, 32, 64, 128, 256, 512, 1024)
#: Gauss-Legendre nodes along each side of a pixel.
_SIDE_NODES = 4

Function = Callable[[np.ndarray], np.ndarray]


def disc_mass(center: complex, radius: float, tol: float, excess: Function, resolvent: Function, n_state: int) -> float:
    """Fraction of the eigenvalues in the disc |lambda - center| < radius, ``radius`` > 0.

    Gauss-Legendre on the arcs between the boundary of the support, nodes doubled until two results agree to ``tol``.

    Parameters
    ----------
    center, radius, tol : numbers
    excess : callable, complex arrays in the upper half plane -> spectral radius of T minus 1, positive inside the support
    resolvent : callable, complex arrays -> g per unit
    n_state : int, d

    Raises
    ------
    ConvergenceError : the tolerance was not reached with 1024 nodes an arc (``estimate`` carries the last value)
    """
    half = center.imag == 0.0  # the lower half of a symmetric contour is the mirror image
    cuts = _cuts(center, radius, excess, half)
    previous = None
    for nodes in _NODES:
        points, weights = np.polynomial.legendre.leggauss(nodes)
        theta = np.concatenate([0.5 * (a + b) + 0.5 * (b - a) * points for a, b in zip(cuts[:-1], cuts[1:])])
        w = np.concatenate([0.5 * (b - a) * weights for a, b in zip(cuts[:-1], cuts[1:])])
        turn = radius * np.exp(1j * theta)
        # d lambda = i (lambda - center) d theta
        total = np.sum(w * turn * resolvent(center + turn))
        mass = float(total.real) / (np.pi if half else 2.0 * np.pi) / n_state
        if previous is not None and abs(mass - previous) <= tol:
            return float(min(max(mass, 0.0), 1.0))
        previous = mass
    raise ConvergenceError(f"mass of the disc at {center}, radius {radius}: not converged to {tol}", estimate=mass)


def _cuts(center, radius, excess, half):
    """Angles at which the contour crosses the boundary of the support or the real axis, both ends included."""
    span = np.pi if half else 2.0 * np.pi

    def f(theta):
        z = center + radius * np.exp(1j * theta)
        return excess(z.real + 1j * np.abs(z.imag))

    grid = np.linspace(0.0, span, _SCAN)
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
    return np.unique(np.append(cuts, span))


def pixel_row(x: np.ndarray, low: float, high: float, resolvent: Function, n_state: int) -> np.ndarray:
    """Density averaged over the pixels of a row that touches the real axis, from the flux of g through their sides.

    The mass between the axis and height Y (half of the axis itself included) is the flux -Im g(x + iY) / 2 pi through the top
    plus that of Re g through the sides.

    Parameters
    ----------
    x : (n,) array, centres of the pixels at equal distances
    low, high : imaginary parts of the row's lower and upper side
    resolvent, n_state : as in :func:`disc_mass`
    """
    width = x[1] - x[0]
    edges = np.append(x - 0.5 * width, x[-1] + 0.5 * width)
    points, weights = np.polynomial.legendre.leggauss(_SIDE_NODES)
    total = np.zeros(x.size)
    heights = [abs(h) for h in (low, high) if abs(h) > 1e-9 * (high - low)]
    for Y in heights:
        top = x[:, None] + 0.5 * width * points + 1j * Y
        through_top = -resolvent(top).imag @ weights * 0.5 * width
        side = edges[:, None] + 1j * 0.5 * Y * (1.0 + points)
        through_side = resolvent(side).real @ weights * 0.5 * Y
        total += (through_top + np.diff(through_side)) / (2.0 * np.pi)
    return np.maximum(total, 0.0) / (width * (high - low)) / n_state
