"""How far the eigenvalues of a network of N units reach, given its sites: none beyond a circle, none right of a line [T12].

The number of complex eigenvalues beyond a curve is an integral along it of the density of the edge; eigenvalues repel, complex ones
avoid the real axis, and real ones have a law of their own:

    - log P(none beyond | sites) = (1/2) int ds A H(z) D - sum over the curve's real points of log F_R(z / sqrt2),
    A = sqrt(2 N kappa) rho_e / |d_n tau|,     z = sqrt(N / (2 kappa)) (1 - tau),

with all numbers those of the sites, taken on the curve. This is the *action* below.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from .dyson import Population
from .edge import SitesEdge
from .edge_laws import axis_factor, complex_action, real_action
from .edge_numbers import EdgeNumbers, edge_numbers, outermost_numbers, shares

__all__ = ["TABLE", "Curve", "Draws", "action", "curves_at", "falling", "layer_at", "perturbed", "positions"]

#: Nodes along a curve: for tables, and for searches of where these have to be.
_FINE, _COARSE = 64, 24
#: |d_n tau| counts as at least this part of |grad tau|: where a curve runs inside the support it does not matter. z is at least
#: this, as in ``complex_action``.
_SLANTED, _DEEP = 0.05, -30.0
#: Tables reach from the first action to the second: probabilities of 3e-7 and of 1e-5 less than 1.
_MOST, _LEAST = 15.0, 1e-5
#: Positions of a search: so many decades of distances from the outermost leak, so many positions among them; then, twice, so many
#: between those that are left. Positions of a table.
_DECADES, _SCAN, _ZOOM, _ZOOMS = 6.0, 25, 9, 2
TABLE = 25
_TINY = 1e-300
#: Positions of a table by the delta method, and in multiples of the layer that is smeared, how far it reaches to both sides.
_POSITIONS, _BELOW, _ABOVE = 49, 7.0, 9.0
#: tau above which a point of the edge is a leak.
_POLE = 1e6
#: A curve goes so far from the real axis that z is this at its end; doublings of its height until then, at most.
_OUT, _DOUBLINGS = 6.0, 40


@dataclass(frozen=True)
class Curve:
    """The upper half of curves at positions, as nodes; those on the real axis stand last.

    Attributes
    ----------
    lam : (..., n + r) complex, n nodes in the upper half plane and r real points
    ds : (..., n), lengths that nodes stand for
    normal : (n,) complex, outward
    """

    lam: np.ndarray
    ds: np.ndarray
    normal: np.ndarray


def curves_at(kind: str, positions: np.ndarray, points: int, height: float = 0.0) -> Curve:
    """Circles |lambda| = R ("radius") or lines Re lambda = X ("abscissa") at an array of positions, with nodes dense at the axis.

    Parameters
    ----------
    kind : "radius" or "abscissa"
    positions : array
    points : int, nodes in the upper half plane
    height : float, where lines end
    """
    t, w = _gauss(points)
    at = np.asarray(positions, dtype=float)[..., None]
    if kind == "radius":
        angle = np.pi * t**1.5
        normal = np.exp(1j * angle)
        return Curve(np.concatenate([at * normal, at + 0j, -at + 0j], axis=-1), at * 1.5 * np.pi * np.sqrt(t) * w, normal)
    lam = np.concatenate([at + 1j * height * t**2, at + 0j], axis=-1)
    return Curve(lam, np.broadcast_to(2.0 * height * t * w, lam[..., :-1].shape), np.ones(points, dtype=complex))


@lru_cache(maxsize=8)
def _gauss(points):
    nodes, weights = np.polynomial.legendre.leggauss(points)
    return 0.5 * (1.0 + nodes), 0.5 * weights


def action(numbers: EdgeNumbers, curve: Curve, n_units: int, shift: np.ndarray | float = 0.0) -> np.ndarray:
    """- log P(no eigenvalue beyond a curve | sites), of one loop of messages.

    Parameters
    ----------
    numbers : EdgeNumbers, at ``curve.lam``
    curve : Curve
    n_units : int, N
    shift : array that broadcasts with ``numbers.tau``, by which tau differs from that
    """
    n = curve.normal.size
    with np.errstate(all="ignore"):
        z = np.sqrt(n_units / (2.0 * numbers.kappa)) * (1.0 - numbers.tau - shift)
    z = np.where(np.isfinite(z), np.maximum(z, _DEEP), _DEEP)
    part = numbers[..., :n]
    steep, density = np.abs(part.gradient), part.density
    across = np.abs((part.gradient * curve.normal.conj()).real)
    amplitude = np.sqrt(2.0 * n_units * part.kappa) * density / np.maximum(np.maximum(across, _SLANTED * steep), _TINY)
    near_axis = axis_factor(np.sqrt(np.pi * n_units * density) * np.abs(curve.lam[..., :n].imag))
    # half of the whole closed curve: a real matrix has independent complex eigenvalues in one half plane
    complex_ones = (curve.ds * amplitude * complex_action(z[..., :n]) * near_axis).sum(axis=-1)
    return complex_ones + real_action(z[..., n:] / np.sqrt(2.0)).sum(axis=-1)


def positions(floor: np.ndarray, low: np.ndarray, high: np.ndarray, count: int) -> np.ndarray:
    """(D, count) positions from low to high, (D,) each, even in the logarithm of their distance from the outermost leak.

    The edge function has its pole there; where that is far away they are nearly even.
    """
    near, far = np.log(low - floor), np.log(high - floor)
    out = floor[:, None] + np.exp(near[:, None] + (far - near)[:, None] * np.linspace(0.0, 1.0, count))
    out[:, 0], out[:, -1] = low, high
    return out


class Draws:
    """Draws of N sites each, and how far the eigenvalues of networks with these sites reach.

    Parameters
    ----------
    population : Population, the sites of D draws one after the other, all with the same weight
    n_units : int, N
    """

    def __init__(self, population: Population, n_units: int) -> None:
        self.population, self.n_units = population, n_units
        self.count = population.weights.size // n_units

    @cached_property
    def _leaks(self):
        return SitesEdge(self.population).leaks.reshape(self.count, -1)

    def floor(self, kind: str) -> np.ndarray:
        """(D,) the largest modulus or real part of the sites' own leaks, which belong to the spectrum."""
        return (np.abs(self._leaks) if kind == "radius" else self._leaks.real).max(axis=1)

    def actions(self, kind: str, positions: np.ndarray, points: int = _FINE, height: float = 0.0) -> np.ndarray:
        """(D, P) actions at positions (D, P) of each draw; infinite within the sites' leaks."""
        curve = curves_at(kind, positions, points, height)
        flat = curve.lam.reshape(self.count, -1)
        out = np.zeros(positions.shape)
        for loop in self.population.blocks:
            numbers = edge_numbers(self.population, flat, loop, self.count)
            out += action(_reshaped(numbers, curve.lam.shape), curve, self.n_units)
        return np.where(positions < self.floor(kind)[:, None], np.inf, out)

    def table(self, kind: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """floor, low, high (D,) and actions (D, TABLE) at :func:`positions`: from 15, or next to the outermost leak, to 1e-5."""
        floor, height = self.floor(kind), self._height(kind)
        high = floor + self._beyond(kind, floor, height)
        low, count = floor + 10.0**-_DECADES * (high - floor), _SCAN
        for _ in range(1 + _ZOOMS):
            places = positions(floor, low, high, count)
            low, high = _bracket(places, self.actions(kind, places, _COARSE, height))
            count = _ZOOM
        return floor, low, high, falling(self.actions(kind, positions(floor, low, high, TABLE), _FINE, height))

    def none_beyond(self, kind: str, value: float) -> np.ndarray:
        """(D,) P(no eigenvalue beyond a value | sites of each draw)."""
        return np.exp(-self.actions(kind, np.full((self.count, 1), value), _FINE, self._height(kind))[:, 0])

    def _beyond(self, kind, floor, height):
        """(D,) how far beyond the outermost leak there are no eigenvalues."""
        out = 1.0 + np.abs(floor)
        for _ in range(_DOUBLINGS):
            left = self.actions(kind, (floor + out)[:, None], _COARSE, height)[:, 0] > _LEAST
            if not left.any():
                break
            out = np.where(left, 2.0 * out, out)
        return out

    def _height(self, kind):
        """How far from the real axis lines have to go."""
        if kind == "radius":
            return 0.0
        out = 2.0 * float(np.abs(self._leaks).max()) + 1.0
        for _ in range(_DOUBLINGS):
            lam = np.full((self.count, 1), self.floor(kind).min() + 1j * out)
            each = [edge_numbers(self.population, lam, loop, self.count) for loop in self.population.blocks]
            if all((np.sqrt(self.n_units / (2.0 * e.kappa)) * (1.0 - e.tau)).min() > _OUT for e in each):
                break
            out *= 1.5
        return out


def _reshaped(numbers, shape):
    return EdgeNumbers(*(getattr(numbers, n).reshape(shape) for n in ("tau", "gradient", "kappa", "variance")))


def falling(actions: np.ndarray) -> np.ndarray:
    """Actions (D, P) at ascending positions made to fall: none beyond a position means none beyond one further out."""
    return np.maximum.accumulate(actions[:, ::-1], axis=1)[:, ::-1]


def _bracket(places, actions):
    """(D,) between which two of the ascending places of each draw its action falls from ``_MOST`` to ``_LEAST``."""
    actions = falling(actions)
    last, rows = places.shape[1] - 1, np.arange(places.shape[0])
    low = np.clip((actions > _MOST).sum(axis=1) - 1, 0, last - 1)
    high = np.clip((actions > _LEAST).sum(axis=1), low + 1, last)
    return places[rows, low], places[rows, high]


# --- the limit's edge


def layer_at(population: Population, kind: str, limit: float, n_units: int) -> float:
    """sqrt(kappa / N) / |grad tau|, the distance over which matrices smear the outermost point of an edge; 0 at a leak.

    Parameters
    ----------
    population : Population, of the limit or of given sites
    kind : "radius" or "abscissa"
    limit : float, what that is
    n_units : int
    """
    there = curves_at(kind, np.array(limit), _FINE, 2.0 * abs(limit) + 1.0)
    numbers = outermost_numbers(population, there.lam)
    i = int(np.argmax(numbers.tau))
    layer = float(np.sqrt(numbers.kappa[i] / n_units) / max(float(np.abs(numbers.gradient[i])), _TINY))
    return layer if numbers.tau[i] < _POLE else 0.0


# --- without drawing sites


def perturbed(
    population: Population, kind: str, limit: float, floor: float, n_units: int, n_draws: int, rng: np.random.Generator
) -> tuple[float, float, np.ndarray]:
    """The same by the delta method, of a population of the limit: low, high and actions (D, P) at :func:`positions`.

    tau along the curve differs from draw to draw by a Gaussian process with the covariance of phi over N.

    Parameters
    ----------
    population : Population, of the law of sites
    kind : "radius" or "abscissa"
    limit, floor : float, what it is in the limit, and where the leaks end
    n_units, n_draws : int
    rng : Generator
    """
    height = 2.0 * limit + 1.0
    there = curves_at(kind, np.array(limit), _FINE, height)
    each = [edge_numbers(population, there.lam, loop) for loop in population.blocks]
    width = max(_layer(one, there, n_units) for one in each)
    high = limit + _ABOVE * width
    low = max(limit - _BELOW * width, floor + 10.0**-_DECADES * (high - floor))
    (places,) = positions(np.array([floor]), np.array([low]), np.array([high]), _POSITIONS)
    curve = curves_at(kind, places, _FINE, height)
    noise = _process([shares(population, there.lam, loop) for loop in population.blocks], population.weights, n_units, n_draws, rng)
    out = np.zeros((n_draws, _POSITIONS))
    for loop, shift in zip(population.blocks, np.split(noise, len(each), axis=1)):
        numbers = _reshaped(edge_numbers(population, curve.lam.ravel(), loop), curve.lam.shape)
        out += action(numbers, curve, n_units, shift[:, None, :])
    return low, high, falling(out)


def _layer(numbers, curve, n_units):
    """The distance over which sites and matrices together smear the outermost point of a curve."""
    i = int(np.argmax(numbers.tau))
    return float(np.sqrt((numbers.kappa[i] + numbers.variance[i]) / n_units) / np.abs(numbers.gradient[i]))


def _process(phi, weights, n_units, n_draws, rng):
    """(D, L) draws of the mean of phi (L, M) over N sites, less its mean."""
    each = np.concatenate(phi)
    each = (each - (each @ weights)[:, None]) * np.sqrt(weights / n_units)
    values, vectors = np.linalg.eigh(each @ each.T)
    return rng.standard_normal((n_draws, values.size)) @ (vectors * np.sqrt(np.maximum(values, 0.0))).T
