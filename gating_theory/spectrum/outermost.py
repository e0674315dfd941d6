"""How far the eigenvalues of a network of N units reach, given its sites: none beyond a circle, none right of a line [T12].

The number of complex eigenvalues beyond a curve is an integral along it of the density of the edge; eigenvalues repel, complex ones
avoid the real axis, and real ones have a law of their own::

    -log P(none beyond | sites) = (1/2) int ds A H(z) D - sum over the curve's real points of log F_R(z / sqrt2),
    A = sqrt(2 N kappa) rho_e / |d_n tau|,     z = sqrt(N / (2 kappa)) (1 - tau),

with all numbers those of the sites, taken on the curve. This is the *action* below, with two refinements for edges that few sites
make: see ``action`` and ``Draws.actions``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from ..ensemble.sites import Sites
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
#: So many outermost leaks of a draw are looked at, this far beside them; how far in the eigenvalue of one is with certainty, in
#: widths of its law, and the largest number of widths that counts.
_LEAKS, _BESIDE, _WIDTHS, _CERTAIN = 8, 1e-6, 6.0, 30.0
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

    Where one site makes all of tau there is one eigenvalue, real and normal: at a distance of tau^{-1/2} deviations from the site's
    leak. The part (kappa / (N tau^2))^2 of an action, which is then 1, is of this kind: a square, so that it leaves the far tail of
    an edge that many sites make alone.

    Parameters
    ----------
    numbers : EdgeNumbers, at ``curve.lam``
    curve : Curve
    n_units : int, N
    shift : array that broadcasts with ``numbers.tau``, by which tau differs from that
    """
    from scipy.special import log_ndtr

    n, tau = curve.normal.size, np.maximum(numbers.tau + shift, _TINY)
    with np.errstate(all="ignore"):
        z = np.sqrt(n_units / (2.0 * numbers.kappa)) * (1.0 - tau)
        alone = np.clip(numbers.kappa / (n_units * tau**2), 0.0, 1.0) ** 2
    z = np.where(np.isfinite(z), np.maximum(z, _DEEP), _DEEP)
    part = numbers[..., :n]
    steep, density = np.abs(part.gradient), part.density
    across = np.abs((part.gradient * curve.normal.conj()).real)
    amplitude = np.sqrt(2.0 * n_units * part.kappa) * density / np.maximum(np.maximum(across, _SLANTED * steep), _TINY)
    near_axis = axis_factor(np.sqrt(np.pi * n_units * density) * np.abs(curve.lam[..., :n].imag))
    # half of the whole closed curve: a real matrix has independent complex eigenvalues in one half plane
    complex_ones = curve.ds * amplitude * complex_action(z[..., :n]) * near_axis * (1.0 - alone[..., :n])
    by_all = real_action(z[..., n:] / np.sqrt(2.0))
    by_one = -log_ndtr(1.0 / np.sqrt(tau[..., n:]))
    return complex_ones.sum(axis=-1) + (by_all + alone[..., n:] * (by_one - by_all)).sum(axis=-1)


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
        self._outer: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self.count = population.weights.size // n_units

    @cached_property
    def _leaks(self):
        """(D, N, d); of conjugate leaks one counts."""
        leaks = SitesEdge(self.population).leaks.reshape(self.count, self.n_units, -1)
        return np.where(leaks.imag < 0.0, leaks.conj(), leaks)

    def _outer_leaks(self, kind):
        """(D, K) moduli or real parts of the outermost leaks of each draw, descending, and the widths of their laws.

        The eigenvalue that a site's leak is where nothing else is near it is displaced by its own matrix elements: a normal
        number, whose variance is the distance squared at which the site alone makes tau 1.
        """
        if kind not in self._outer:
            sites = np.argpartition(-_reach(kind, self._leaks).max(axis=2), min(_LEAKS, self.n_units) - 1, axis=1)[:, :_LEAKS]
            order = (sites + self.n_units * np.arange(self.count)[:, None]).ravel()
            leaks = np.take_along_axis(self._leaks, sites[:, :, None], axis=1).reshape(order.size, -1)
            at = np.take_along_axis(leaks, _reach(kind, leaks).argmax(axis=1)[:, None], axis=1)
            apart = _BESIDE * (1.0 + np.abs(at)) * _outward(kind, at)
            alone = Population(_chosen(self.population.sites, order))
            tau = np.zeros(at.shape)
            for loop in alone.blocks:
                tau = np.maximum(tau, edge_numbers(alone, at + apart, loop, order.size).tau)
            widths = np.abs(apart) * np.sqrt(tau / self.n_units)
            self._outer[kind] = _reach(kind, at).reshape(self.count, -1), widths.reshape(self.count, -1)
        return self._outer[kind]

    def floor(self, kind: str) -> np.ndarray:
        """(D,) below which there is the eigenvalue of the outermost leak with certainty: the leak less some of its width."""
        leaks, widths = self._outer_leaks(kind)
        return (leaks - _WIDTHS * widths).max(axis=1)

    def actions(self, kind: str, positions: np.ndarray, points: int = _FINE, height: float = 0.0) -> np.ndarray:
        """(D, P) actions at positions (D, P) of each draw.

        tau is the same on both sides of a leak. That the leak's own eigenvalue is on this side of a curve is as probable at a
        distance to the one side as that it is not at the same distance to the other.
        """
        from scipy.special import log_ndtr

        curve = curves_at(kind, positions, points, height)
        flat = curve.lam.reshape(self.count, -1)
        out = np.zeros(positions.shape)
        for loop in self.population.blocks:
            numbers = edge_numbers(self.population, flat, loop, self.count)
            out += action(_reshaped(numbers, curve.lam.shape), curve, self.n_units)
        leaks, widths = self._outer_leaks(kind)
        beyond = (leaks[:, None, :] - positions[:, :, None]) / np.maximum(widths, _TINY)[:, None, :]
        beyond = np.clip(beyond, 0.0, _CERTAIN)
        return out + (log_ndtr(beyond) - log_ndtr(-beyond)).sum(axis=-1)

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


def _reach(kind, leaks):
    return np.abs(leaks) if kind == "radius" else leaks.real


def _outward(kind, at):
    """Direction in which the radius or the abscissa grows."""
    if kind == "abscissa":
        return np.ones(at.shape)
    return np.where(at == 0.0, 1.0, at / np.maximum(np.abs(at), _TINY))


def _chosen(sites, order):
    """These of some sites, all with the same weight."""
    state, fields, parameters = sites.state[:, order], sites.fields[:, order], sites.parameters[:, order]
    weights = np.full(order.size, 1.0 / order.size)
    return Sites(sites.cell, weights, state, fields, parameters, sites.gain, sites.source, matrices=sites.matrices)


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

    tau along the curve differs from draw to draw by a Gaussian process with the covariance of phi over N. That of a population is
    1 a little beside the limit, which the layers of networks of 1e7 units are thinner than: it is scaled to be 1 at the limit.

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
    missing = 1.0 / max(one.tau.max() for one in each) - 1.0
    high = limit + _ABOVE * width
    low = max(limit - _BELOW * width, floor + 10.0**-_DECADES * (high - floor))
    (places,) = positions(np.array([floor]), np.array([low]), np.array([high]), _POSITIONS)
    curve = curves_at(kind, places, _FINE, height)
    noise = _process([shares(population, there.lam, loop) for loop in population.blocks], population.weights, n_units, n_draws, rng)
    out = np.zeros((n_draws, _POSITIONS))
    for loop, shift in zip(population.blocks, np.split(noise, len(each), axis=1)):
        numbers = _reshaped(edge_numbers(population, curve.lam.ravel(), loop), curve.lam.shape)
        out += action(numbers, curve, n_units, shift[:, None, :] + missing * numbers.tau)
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
