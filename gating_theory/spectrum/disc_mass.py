"""How many eigenvalues lie in discs, or in the pixels of a row: contour integrals of the resolvent [T4].

With g the resolvent per unit, (1/2 pi i d) times its integral around a region is the fraction of the eigenvalues inside, atoms
included. Nothing is summed over the region itself, where densities can be large in layers thinner than any pixel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..errors import ConvergenceError

__all__ = ["Nodes", "Rims", "crossings", "pixel_row"]

#: Points on a contour between which the boundary of the support is looked for: evenly spaced ones, and others at these angles from
#: the real axis, where the layer of support between the leaks is thin.
_SCAN, _NEAR_AXIS = 33, np.array([1e-5, 1e-4, 1e-3, 1e-2, 3e-2])
#: Points between two of these that close in on the boundary. A cut at a distance e from it, across which the resolvent is
#: continuous, is an error of order e^2.
_CLOSER = 9
#: How often, where holes end: at rest they end at a circle that holds all eigenvalues, across which the resolvent jumps.
_ROUNDS = 5
#: Numbers of nodes of a piece, one after the other until two results agree: each has those of the last, and one between any two.
_NODES = (7, 15, 31, 63, 127, 255, 511, 1023)
#: Towards the real axis nodes are denser like this power of their distance from it: the layer of support between the leaks is thin.
_POWER = 2
#: Gauss-Legendre nodes along each side of a pixel.
_SIDE_NODES = 4

Function = Callable[[np.ndarray], np.ndarray]


def crossings(center: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Where circles (D,) cross the real axis: (D, 2), nan for those that do not."""
    height = np.minimum(np.abs(center.imag) / radius, 1.0)
    reach = np.where(height < 1.0, radius * np.sqrt((1.0 - height) * (1.0 + height)), np.nan)
    return center.real[:, None] + reach[:, None] * np.array([-1.0, 1.0])


@dataclass(frozen=True)
class Nodes:
    """Points on the rims of discs: the mass of a disc is the real part of the sum of ``weights`` times g over its points.

    Attributes
    ----------
    lam, weights : (L,) complex arrays
    disc : (L,) int array, the disc whose rim a point is on
    known : (r, L) array, what was computed at the points; g is its first row
    """

    lam: np.ndarray
    weights: np.ndarray
    disc: np.ndarray
    known: np.ndarray

    def sums(self, g: np.ndarray, discs: np.ndarray) -> np.ndarray:
        """The integrals of a function with values ``g`` (L,) around the given ``discs``, ascending."""
        return np.bincount(np.searchsorted(discs, self.disc), (self.weights * g).real, discs.size)


class Rims:
    """Contour integrals around the discs |lambda - center| < radius.

    Fejer's second rule between the points where a circle crosses the boundary of the support, or the real axis between spread
    leaks: between those the resolvent is smooth.

    Parameters
    ----------
    center : (D,) complex array
    radius : (D,) array, > 0
    n_state : int, d
    edges : callables, complex arrays in the upper half plane -> a number that changes sign at an edge of the support
    continua : sequence of (low, high)
        Intervals of the real axis that leaks cover.

    Attributes
    ----------
    cuts : list of D tuples, where each circle crosses these intervals
    """

    def __init__(
        self,
        center: np.ndarray,
        radius: np.ndarray,
        n_state: int,
        edges: Sequence[Function],
        continua: Sequence[tuple[float, float]],
    ) -> None:
        self.center, self.radius, self._n_state = center, radius, n_state
        # the lower half of a symmetric contour is the mirror image
        self._turn = np.where(center.imag == 0.0, np.pi, 2.0 * np.pi)
        self.cuts = [
            tuple(x for x in both.tolist() if any(low < x < high for low, high in continua)) for both in crossings(center, radius)
        ]
        axis = [self._axis_angles(disc) for disc in range(center.size)]
        pieces = []
        rounds = 1 if len(edges) == 1 else _ROUNDS
        found = [self._edge_angles(edge, axis, rounds) for edge in edges]
        for disc in range(center.size):
            ends = np.unique([0.0, self._turn[disc], *axis[disc], *(angle for angles in found for angle in angles[disc])])
            on_axis = np.isin(ends, axis[disc])
            for a, b, first, last in zip(ends[:-1], ends[1:], on_axis[:-1], on_axis[1:]):
                middle = 0.5 * (a + b)
                parts = [(a, middle), (b, middle)] if first and last else [(b, a)] if last else [(a, b)]
                pieces += [(disc, start, end - start, _POWER if first or last else 1) for start, end in parts]
        disc, self._start, self._length, self._power = (column[:, None] for column in np.array(pieces).T)
        self._disc = disc[:, 0].astype(int)

    def _axis_angles(self, disc):
        """The angles at which a rim crosses the real axis between leaks, where the resolvent is not smooth."""
        angles = np.angle(np.array(self.cuts[disc]) - self.center[disc])
        return np.where(angles < 0.0, angles + 2.0 * np.pi, np.minimum(angles, self._turn[disc]))

    def _edge_angles(self, edge, axis, rounds):
        """For each disc the angles at which its rim crosses the boundary of the support, to a hundredth of a scan's step squared.

        A layer of support around the axis that is thinner than the first point of the scan is left out: it holds next to nothing.
        """

        def f(theta, disc):
            z = self.center[disc] + self.radius[disc] * np.exp(1j * theta)
            return np.clip(edge(z.real + 1j * np.abs(z.imag)), -50.0, 50.0)

        scans = [self._scan(turn, angles) for turn, angles in zip(self._turn, axis)]
        disc, theta = np.repeat(np.arange(len(scans)), [s.size for s in scans]), np.concatenate(scans)
        value = f(theta, disc)
        change = np.flatnonzero((value[:-1] * value[1:] < 0.0) & (disc[:-1] == disc[1:]))
        found: list[list[float]] = [[] for _ in scans]
        if not change.size:
            return found
        low, high, a, b = theta[change], theta[change + 1], value[change], value[change + 1]
        row = np.arange(change.size)
        for _ in range(rounds):
            closer = low[:, None] + (high - low)[:, None] * np.linspace(0.0, 1.0, _CLOSER + 2)
            between = f(closer[:, 1:-1].ravel(), np.repeat(disc[change], _CLOSER)).reshape(change.size, _CLOSER)
            values = np.column_stack([a, between, b])
            i = np.argmax(values[:, :-1] * values[:, 1:] <= 0.0, axis=1)
            low, high, a, b = closer[row, i], closer[row, i + 1], values[row, i], values[row, i + 1]
        for one, angle in zip(disc[change], low + (high - low) * a / (a - b)):
            found[one].append(angle)
        return found

    @staticmethod
    def _scan(turn, angles):
        """Angles at which the support's boundary is looked for: not on the axis between leaks, where T is infinite."""
        near = np.concatenate([np.zeros(0), *(angle + side * _NEAR_AXIS for angle in angles for side in (-1.0, 1.0))])
        even = np.linspace(0.0, turn, _SCAN)
        even = even[(np.abs(even[:, None] - angles) > _NEAR_AXIS[0]).all(axis=1)]
        return np.unique(np.concatenate([even, near[(near > 0.0) & (near < turn)]]))

    def _points(self, pieces, x, w):
        """Points and weights (P, n) of pieces (P,), with a rule on (0, 1)."""
        start, length, power = self._start[pieces], self._length[pieces], self._power[pieces]
        disc = self._disc[pieces, None]
        turn = self.radius[disc] * np.exp(1j * (start + length * x**power))
        # d lambda = i (lambda - center) d theta
        weights = np.abs(length) * power * x ** (power - 1.0) * w * turn / (self._turn[disc] * self._n_state)
        return self.center[disc] + turn, weights

    def settled(
        self, discs: np.ndarray, function: Function, tol: float, atoms: Sequence[tuple[complex, float]] = ()
    ) -> tuple[np.ndarray, Nodes]:
        """Masses of some discs, and the nodes of a rule half as fine: those of a piece are doubled until two results agree.

        Two results for a piece agree if they differ by ``tol`` at most: rules converge exponentially, so that the finer one's error
        is the square of that, and in practice less than a tenth of it.

        Parameters
        ----------
        discs : int array, ascending
        function : callable, complex array (L,), guess -> (r, L), the first row of which is g per unit, others what is to be kept
            The guess, (r, L), is what is known halfway between neighbours on the contour; None where nothing is.
        tol : float
        atoms : sequence of (lambda, mass)
            Eigenvalues of which a finite fraction sits in one place: an atom within the open disc counts, one on its rim does not.

        Raises
        ------
        ConvergenceError
            the tolerance was not reached with 1023 nodes a piece (``estimate`` carries the last masses)
        """
        pieces, known, last, coarser = np.flatnonzero(np.isin(self._disc, discs)), None, None, []
        integral = np.full(self._disc.size, np.inf)
        for n in _NODES:
            lam, weights = self._points(pieces, *_fejer(n))
            known = self._extended(function, lam, known)
            g = known[0] - sum(part / (lam - place) for place, part in atoms)
            before, integral[pieces] = integral[pieces], np.sum((weights * g).real, axis=1)
            left = np.abs(integral[pieces] - before) > tol
            if last is not None:
                coarser.append(self._nodes(pieces, last, ~left))
            pieces, known, last = pieces[left], known[:, left], (lam[left], weights[left], known[:, left])
            if not pieces.size:
                break
        mine = np.isin(self._disc, discs)
        inside = sum((part * (np.abs(place - self.center) < self.radius) for place, part in atoms), np.zeros(self.center.size))
        mass = (np.bincount(self._disc[mine], integral[mine], self.center.size) + inside / self._n_state)[discs]
        if pieces.size:
            disc = self._disc[pieces[0]]
            raise ConvergenceError(
                f"mass of the disc at {self.center[disc]}, radius {self.radius[disc]}: not converged to {tol} along its rim",
                estimate=mass,
            )
        return mass, _joined(coarser)

    @staticmethod
    def _extended(function, lam, known):
        """What is known at points (r, P, n), from what is known at every other of them."""
        if known is None:
            return function(lam.ravel(), None).reshape(-1, *lam.shape)
        beside = np.concatenate([known[:, :, :1], known, known[:, :, -1:]], axis=2)
        guess = 0.5 * (beside[:, :, :-1] + beside[:, :, 1:])
        out = np.empty((known.shape[0], *lam.shape), dtype=complex)
        out[:, :, ::2] = function(lam[:, ::2].ravel(), guess.reshape(known.shape[0], -1)).reshape(guess.shape)
        out[:, :, 1::2] = known
        return out

    def _nodes(self, pieces, at, chosen):
        """The points, weights and known values ``at`` some pieces, of the chosen ones."""
        lam, weights, known = at
        disc = np.repeat(self._disc[pieces[chosen]], lam.shape[1])
        return Nodes(lam[chosen].ravel(), weights[chosen].ravel(), disc, known[:, chosen].reshape(known.shape[0], -1))


def _joined(nodes):
    """All of these nodes as one."""
    parts = ("lam", "weights", "disc", "known")
    return Nodes(*(np.concatenate([getattr(one, part) for one in nodes], axis=-1) for part in parts))


@lru_cache(maxsize=len(_NODES))
def _fejer(n):
    """Nodes and weights of Fejer's second rule on (0, 1): each rule of 2^k - 1 nodes has those of the one before."""
    theta = np.pi * np.arange(1, n + 1) / (n + 1)
    odd = np.arange(1, n + 1, 2)
    return 0.5 * (1.0 - np.cos(theta)), 2.0 / (n + 1) * np.sin(theta) * (np.sin(np.outer(theta, odd)) @ (1.0 / odd))


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
