"""How many eigenvalues lie in a disc, or in the pixels of a row: contour integrals of the resolvent [T4].

With g the resolvent per unit, (1/2 pi i d) times its integral around a region is the fraction of the eigenvalues inside, atoms
included. Nothing is summed over the region itself, where densities can be large in layers thinner than any pixel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..errors import ConvergenceError
from ..support.roots import bracketed_root

__all__ = ["Circle", "crossings", "pixel_row"]

#: Points on the contour between which the boundary of the support is looked for.
_SCAN = 129
#: Gauss-Legendre nodes of each piece, one after the other until two results agree.
_NODES = (8, 16, 32, 64, 128, 256, 512, 1024)
#: Towards the real axis nodes are denser like this power of their distance from it: the layer of support between the leaks is thin.
_POWER = 3
#: Gauss-Legendre nodes along each side of a pixel.
_SIDE_NODES = 4

Function = Callable[[np.ndarray], np.ndarray]


def crossings(center: complex, radius: float) -> tuple[float, ...]:
    """Where a circle crosses the real axis, two numbers or none."""
    height = center.imag / radius
    if abs(height) >= 1.0:
        return ()
    reach = radius * float(np.sqrt((1.0 - height) * (1.0 + height)))
    return center.real - reach, center.real + reach


class Circle:
    """Contour integrals around the disc |lambda - center| < radius.

    Gauss-Legendre between the points where the circle crosses the boundary of the support or the real axis, between which the
    resolvent is smooth.

    Parameters
    ----------
    center : complex
    radius : float > 0
    excess : callable, complex arrays in the upper half plane -> a number that is positive inside the support, negative outside
    atoms : sequence of (lambda, mass)
        Eigenvalues of which a finite fraction sits in one place: an atom within the open disc counts, one on its rim does not.

    Attributes
    ----------
    crossings : tuple of float, where the circle crosses the real axis
    """

    def __init__(self, center: complex, radius: float, excess: Function, atoms: Sequence[tuple[complex, float]] = ()) -> None:
        self.center, self.radius, self._atoms = center, radius, atoms
        half = center.imag == 0.0  # the lower half of a symmetric contour is the mirror image
        self._turn = np.pi if half else 2.0 * np.pi
        self.crossings = crossings(center, radius)
        cuts = self._cuts(excess, half)
        self._pieces: list[tuple[float, float, int]] = []
        for a, b in zip(cuts[:-1], cuts[1:]):
            first, last = (any(abs(center + radius * np.exp(1j * t) - x) < 1e-8 * radius for x in self.crossings) for t in (a, b))
            middle = 0.5 * (a + b)
            pieces = [(a, middle), (b, middle)] if first and last else [(b, a)] if last else [(a, b)]
            self._pieces += [(*piece, _POWER if first or last else 1) for piece in pieces]

    def mass(self, resolvent: Function, n_state: int, nodes: int) -> float:
        """Fraction of the eigenvalues in the disc, with so many nodes a piece.

        Parameters
        ----------
        resolvent : callable, complex arrays -> g per unit
        n_state : int, d
        nodes : int
        """
        points, weights = np.polynomial.legendre.leggauss(nodes)
        points, weights = 0.5 * (1.0 + points), 0.5 * weights
        theta = np.concatenate([a + (b - a) * points**power for a, b, power in self._pieces])
        w = np.concatenate([abs(b - a) * power * points ** (power - 1) * weights for a, b, power in self._pieces])
        turn = self.radius * np.exp(1j * theta)
        g = resolvent(self.center + turn)
        inside = 0.0
        for place, mass in self._atoms:
            g = g - mass / (self.center + turn - place)
            inside += mass * (abs(place - self.center) < self.radius)
        # d lambda = i (lambda - center) d theta
        return float((np.sum(w * turn * g).real / self._turn + inside) / n_state)

    def settled(self, resolvent: Function, n_state: int, tol: float) -> tuple[float, int]:
        """The mass and the nodes a piece that it took: doubled until two results agree to ``tol``.

        Raises
        ------
        ConvergenceError : the tolerance was not reached with 1024 nodes (``estimate`` carries the last value)
        """
        previous = None
        for nodes in _NODES:
            mass = self.mass(resolvent, n_state, nodes)
            if previous is not None and abs(mass - previous) <= tol:
                return mass, nodes
            previous = mass
        raise ConvergenceError(
            f"mass of the disc at {self.center}, radius {self.radius}: not converged to {tol} along its rim", estimate=mass
        )

    def _cuts(self, excess, half):
        """Angles at which the contour crosses the boundary of the support or the real axis, both ends included."""

        def f(theta):
            z = self.center + self.radius * np.exp(1j * theta)
            return excess(z.real + 1j * np.abs(z.imag))

        grid = np.linspace(0.0, self._turn, _SCAN)
        grid[[0, -1]] += np.array([1e-9, -1e-9])
        value = f(grid)
        change = np.flatnonzero(value[:-1] * value[1:] < 0)
        cuts = [0.0]
        if change.size:
            low = np.where(value[change] > 0, grid[change], grid[change + 1])
            high = np.where(value[change] > 0, grid[change + 1], grid[change])
            cuts += sorted(bracketed_root(lambda t: np.clip(f(t), -50, 50), low, high))
        if not half and self.crossings:  # g is not smooth across the real axis between the leaks
            angle = np.arcsin(-self.center.imag / self.radius)
            cuts += [t % (2 * np.pi) for t in (angle, np.pi - angle)]
        return np.unique(np.append(cuts, self._turn))


def pixel_row(x: np.ndarray, low: float, high: float, resolvent: Function, n_state: int) -> np.ndarray:
    """Density averaged over the pixels of a row that touches the real axis, from the flux of g through their sides.

    The mass between the axis and height Y (half of the axis itself included) is the flux -Im g(x + iY) / 2 pi through the top
    plus that of Re g through the sides.

    Parameters
    ----------
    x : (n,) array, centres of the pixels at equal distances
    low, high : imaginary parts of the row's lower and upper side
    resolvent, n_state : as in :meth:`Circle.mass`
    """
    width = x[1] - x[0]
    edges = np.append(x - 0.5 * width, x[-1] + 0.5 * width)
    points, weights = np.polynomial.legendre.leggauss(_SIDE_NODES)
    total = np.zeros(x.size)
    heights = [abs(h) for h in (low, high) if abs(h) > 1e-9 * (high - low)]
    for Y, times in zip(*np.unique(heights, return_counts=True)):
        top = x[:, None] + 0.5 * width * points + 1j * Y
        through_top = -resolvent(top).imag @ weights * 0.5 * width
        side = edges[:, None] + 1j * 0.5 * Y * (1.0 + points)
        through_side = resolvent(side).real @ weights * 0.5 * Y
        total += times * (through_top + np.diff(through_side)) / (2.0 * np.pi)
    return np.maximum(total, 0.0) / (width * (high - low)) / n_state
