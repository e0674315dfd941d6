"""What the limit says about a network of N units: laws of its radius and abscissa [T12]."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import CapabilityError
from ..mean_field.fixed_point import FixedPoint
from ..mean_field.samples import sampled_sites
from ..results.encoding import plain, require, result
from ..results.status import Status
from ..support.arithmetic import underflow_is_zero
from ..support.checks import boolean, complex_number, real, real_array, shares
from .concentration import Concentration
from .counts import Expected, eigenvalues_in_disc
from .dyson import Population
from .isolated import IsolatedEigenvalue, isolated_eigenvalues
from .log_determinants import log_determinant
from .outermost import Draws, layer_at, perturbed, positions

__all__ = ["Edge", "FiniteSize", "OutermostLaw", "edges_of", "given_laws", "perturbed_laws", "resampled_laws", "share_beyond"]

#: Values of a table between two of its positions, by cubics.
_BETWEEN = 8
#: Sites of draws that are held at once.
_AT_ONCE = 200_000
#: Relative distance from the outermost leak below which an edge is the leaks'.
_AT_THE_LEAKS = 1e-9
#: Halvings of the range of a quantile.
_HALVINGS = 60
#: Beyond so many lengths of a table nothing changes any more.
_BEYOND = 20.0
_TINY = 1e-300
#: The largest radius of a disc, whose square is a number.
_LARGEST = 1e100
#: Quantiles that other programs are told.
_QUANTILES = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99)
#: Actions outside of this range are certainties.
_RANGE = (1e-12, 1e4)


@result("outermost_law")
@dataclass(frozen=True)
class OutermostLaw:
    """The law of the radius or of the abscissa of networks of N units [T12]: an average over draws of their sites.

    To plot it take its quantiles for the range: ``x = np.linspace(*law.quantile([.001, .999]), 300)``, then ``law.density(x)`` or
    ``law.cdf(x)``.

    Attributes
    ----------
    kind : str, "radius" or "abscissa"
    limit : float, what it is for N -> infinity (for the given sites, where these are given)
    layer : float
        ``sqrt(kappa / N) / |grad tau|``, over which matrices smear the outermost point of the limit's edge; 0 where that is a leak.
    floor : (D,) array, of each draw the outermost leak of its sites: it belongs to the spectrum, no network is below
    low, high : (D,) arrays, where the table of each draw begins and ends
    actions : (D, P) array
        ``-log P(no eigenvalue beyond | sites)``, at positions from ``low`` to ``high`` that are even in the logarithm of their
        distance from ``floor``.

    Examples
    --------
    The largest modulus in vanilla networks of 100 units and gain 1, its median and where nine out of ten are:

    >>> import gating_theory as gt
    >>> law = gt.Spectrum(gt.fixed_points(gt.Ensemble(gt.Vanilla))[0]).finite_size(100).radius
    >>> print(law.limit, round(law.median, 3), law.quantile([0.05, 0.95]).round(3))
    1.0 1.048 [0.999 1.117]
    """

    kind: str
    limit: float
    layer: float
    floor: np.ndarray = field(repr=False)
    low: np.ndarray = field(repr=False)
    high: np.ndarray = field(repr=False)
    actions: np.ndarray = field(repr=False)

    def check(self) -> None:
        """ValueError where the table is none."""
        rows = self.actions.shape[:1]
        require(self.floor.shape == self.low.shape == self.high.shape == rows, "a table must have one row a draw")
        require(np.all((self.floor < self.low) & (self.low < self.high)), "a table must ascend from floor to low to high")
        require(self.actions.shape[1] > 1 and np.all(self.actions >= 0.0), "actions must be two or more, and not negative")

    @cached_property
    def _logs(self):
        """(D, m) logarithms of the actions, between the positions by cubics that fall where they do."""
        from scipy.interpolate import PchipInterpolator

        places = np.arange(self.actions.shape[1])
        between = np.linspace(0.0, places[-1], _BETWEEN * places[-1] + 1)
        return PchipInterpolator(places, np.log(np.clip(self.actions, *_RANGE)), axis=1)(between)

    def _given(self, x):
        """(D, X) P(none beyond | sites of each draw) at x (X,), and its derivative."""
        last = self._logs.shape[1] - 1
        near, far = self.low - self.floor, self.high - self.floor
        distance = np.maximum(x - self.floor[:, None], _TINY)
        place = np.clip(np.log(distance / near[:, None]) / np.log(far / near)[:, None], 0.0, _BEYOND) * last
        left = np.clip(place.astype(int), 0, last - 1)
        rows = np.arange(self.low.size)[:, None]
        a, b = self._logs[rows, left], self._logs[rows, left + 1]
        # actions fall on beyond the table; what is left at its low end is the chance that the leak itself is the outermost
        action = np.exp(np.minimum(a + (b - a) * (place - left), 50.0))
        inside = np.where(x < self.floor[:, None], 0.0, np.exp(-action))
        steps = np.where((place > 0.0) & (place < _BEYOND * last), last / (distance * np.log(far / near)[:, None]), 0.0)
        return inside, inside * action * (a - b) * steps

    @underflow_is_zero
    def cdf(self, x: npt.ArrayLike) -> float | np.ndarray:
        """The probability that a network's value is at most x, a real number or an array of them."""
        at = real_array("x", x)
        value = self._given(at.ravel())[0].mean(axis=0).reshape(at.shape)
        return value if at.ndim else float(value)

    @underflow_is_zero
    def density(self, x: npt.ArrayLike) -> float | np.ndarray:
        """The probability density at x, a real number or an array of them: the slope of :meth:`cdf`.

        What a draw has at its outermost leak itself, no more than 3e-7 but where leaks end the spectrum, is in none of it.
        """
        at = real_array("x", x)
        value = self._given(at.ravel())[1].mean(axis=0).reshape(at.shape)
        return value if at.ndim else float(value)

    @underflow_is_zero
    def quantile(self, p: npt.ArrayLike) -> float | np.ndarray:
        """The value that a share ``p`` of the networks is below, a number in (0, 1) or an array of them.

        Raises
        ------
        ValueError
            p out of range
        """
        share = shares("p", p)
        low, high = np.full(share.size, self.floor.min()), np.full(share.size, self.high.max())
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            below = self._given(middle)[0].mean(axis=0) < share.ravel()
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return high.reshape(share.shape) if share.ndim else float(high[0])

    @property
    def median(self) -> float:
        """The value that half of the networks exceed."""
        return float(self.quantile(0.5))

    @cached_property
    @underflow_is_zero
    def _moments(self):
        """(D,) mean and variance given the sites."""
        from scipy.integrate import trapezoid  # numpy has it under this name from 2.0 on

        exceeds = 1.0 - np.exp(-np.exp(np.minimum(self._logs, 50.0)))
        distance = positions(self.floor, self.low, self.high, exceeds.shape[1]) - self.floor[:, None]
        # between the leak and the table nothing changes
        first = distance[:, 0] * exceeds[:, 0] + trapezoid(exceeds, distance, axis=1)
        second = distance[:, 0] ** 2 * exceeds[:, 0] + trapezoid(2.0 * distance * exceeds, distance, axis=1)
        return self.floor + first, np.maximum(second - first**2, 0.0)

    @property
    def pinched(self) -> bool:
        """Whether the layer is as wide as the spectrum: tau is flat at its edge, as at a cusp, and then this law cannot hold."""
        return self.layer > abs(self.limit)

    @property
    def mean(self) -> float:
        """Mean over networks."""
        return float(self._moments[0].mean())

    @property
    def sd(self) -> float:
        """Standard deviation over networks, by sites and matrices together."""
        return float(np.hypot(self.sd_sites, self.sd_matrices))

    @property
    def sd_sites(self) -> float:
        """Standard deviation over networks of the mean given their sites."""
        return float(self._moments[0].std())

    @property
    def sd_matrices(self) -> float:
        """Standard deviation given the sites, the root of its mean square: what the matrices alone do."""
        return float(np.sqrt(self._moments[1].mean()))

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready, in few numbers: limit, mean, spreads, quantiles. ``save`` keeps the tables."""
        quantiles = {f"{p:g}": float(self.quantile(p)) for p in _QUANTILES}
        names = ("kind", "limit", "layer", "mean", "sd", "sd_sites", "sd_matrices")
        return plain({name: getattr(self, name) for name in names} | {"quantiles": quantiles})

    def __str__(self) -> str:
        low, middle, high = (self.quantile(p) for p in (0.1, 0.5, 0.9))
        spread = f"sd {self.sd_sites:.2g} by sites, {self.sd_matrices:.2g} by matrices"
        doubt = ", an edge too flat for this law" if self.pinched else ""
        return f"{self.kind} {middle:.4f} (10 % to 90 %: {low:.4f} to {high:.4f}; {spread}; limit {self.limit:.4f}{doubt})"


class Edge(NamedTuple):
    """The radius or the abscissa of the limit, and the layer that matrices smear its edge over."""

    limit: float
    layer: float


def edges_of(population: Population, limits: dict[str, float], n_units: int) -> dict[str, Edge]:
    """The Edge of each kind, "radius" and "abscissa".

    Parameters
    ----------
    population : Population, of the limit or of given sites
    limits : {kind: float}
    n_units : int
    """
    return {kind: Edge(limit, layer_at(population, kind, limit, n_units)) for kind, limit in limits.items()}


@result("finite_size")
@dataclass(frozen=True)
class FiniteSize:
    """What theory says about networks of N units [T12]: see ``Spectrum.finite_size``.

    Attributes
    ----------
    spectrum : Spectrum, that of the limit, or of the given sites
    n_units : int, N
    method : str, "resample", "delta", or "given": of the law for one network's own sites
    radius, abscissa : OutermostLaw, of largest modulus and largest real part; isolated eigenvalues do not count

    Examples
    --------
    The radius is 0.95 in the limit; of networks of 100 units many are unstable:

    >>> import gating_theory as gt
    >>> sp = gt.Spectrum(gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=0.95))[0])
    >>> law = sp.finite_size(100)
    >>> print(round(law.radius.mean, 3), round(law.radius.sd, 3), round(law.probability_unstable, 3))
    0.999 0.035 0.448
    """

    spectrum: Any = field(repr=False)
    n_units: int
    method: str
    radius: OutermostLaw
    abscissa: OutermostLaw

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready, in few numbers: what the laws are, share of unstable networks, who carries T, status. ``save`` keeps all."""
        point = self.spectrum.fixed_point
        return {
            "kind": "finite_size",
            "cell": self.spectrum.cell.name,
            "ensemble": None if point is None else point.ensemble.as_dict(),
            **{name: getattr(self, name) for name in ("n_units", "method", "n_draws", "probability_unstable")},
            "radius": self.radius.as_dict(),
            "abscissa": self.abscissa.as_dict(),
            **{name: plain(getattr(self, name)) for name in ("n_effective", "half_share", "status")},
            "status_code": self.status.code,
        }

    @property
    def n_draws(self) -> int:
        """Draws of sites that the laws are averages over."""
        return self.radius.low.size

    @property
    def probability_unstable(self) -> float:
        """The share of the networks with an eigenvalue beyond the unit circle."""
        return 1.0 - float(self.radius.cdf(1.0))

    # --- whether the limit describes these networks

    @cached_property
    def concentration(self) -> Concentration:
        """How many sites carry T, at 1 and at the abscissa: see ``Spectrum.concentration``."""
        return self.spectrum.concentration(self.n_units)

    @property
    def status(self) -> Status:
        """Whether the limit describes networks of N units: that of :attr:`concentration`, or "flat_edge" where laws cannot hold."""
        flat = [law.kind for law in (self.radius, self.abscissa) if law.pinched]
        if flat and self.concentration.status.ok:
            words = f"the edge function is too flat at the {flat[0]} for a law of N = {self.n_units}"
            return Status("flat_edge", words, ok=False)
        return self.concentration.status

    @property
    def describes(self) -> bool:
        """Whether the limit describes networks of N units: ``status.ok``."""
        return self.status.ok

    @property
    def half_share(self) -> float:
        """Fraction of all sites that carry half of T(1)."""
        return self.concentration.half_share

    @property
    def n_effective(self) -> float:
        """Effective number of sites that T(1) has in a network, the median over networks."""
        return self.concentration.n_effective

    # --- numbers of eigenvalues, determinants

    @underflow_is_zero
    def count(self, center: complex, radius: float, natural: bool = False) -> Expected:
        """The number of eigenvalues in the open disc ``|lambda - center| < radius``, of all d N [T12].

        Sites move it by order N^{1/2}, which is the larger effect from N of a few hundred on; eigenvalues repel, and matrices move
        it by order N^{1/4}. The mean is that of the limit, networks have up to one eigenvalue more on the real axis. Standard
        deviations are good to a percent in the limit of large N; with N = 300 measured ones differ by less than a tenth.

        Parameters
        ----------
        center : complex number
        radius : float from 0 to 1e100
        natural : bool
            Fixed points that networks have by themselves, whose moments are those of their own sites; by default planted ones.

        Returns
        -------
        Expected, a tuple (mean, sd_sites, sd_matrices)

        Raises
        ------
        TypeError, ValueError
            no number, a radius out of range
        CapabilityError
            ``natural`` sites that are given, not drawn
        ConvergenceError
            as by ``Spectrum.mass``
        """
        at, reach = complex_number("center", center), real("radius", radius, low=0.0, high=_LARGEST)
        return eigenvalues_in_disc(self.spectrum, self.n_units, at, reach, self._drawn, self._natural(natural))

    def slow_fraction(self, tau: float, natural: bool = False) -> Expected:
        """Fraction of modes with a timescale ``-1/log|lambda|`` of ``tau`` steps or more, or growing [T6, T12]; see :meth:`count`.

        Parameters
        ----------
        tau : float > 0, in steps
        natural : bool, as of :meth:`count`
        """
        steps = real("tau", tau, low=0.0, open_low=True)
        inside, every = self.count(0.0, float(np.exp(-1.0 / steps)), natural), self.n_units * self.spectrum.n_state
        return Expected(1.0 - inside.mean / every, inside.sd_sites / every, inside.sd_matrices / every)

    @underflow_is_zero
    def log_det(self, lam: complex, natural: bool = False) -> Expected:
        """log|det(lambda - J)|, in total: divide by N to compare with ``Spectrum.potential`` [T12].

        Sites move it by order N^{1/2}. What matrices do is of order one: outside the support it follows from T, inside from that of
        Ginibre matrices, good to .5 in the mean and to a fifth of the standard deviation (other cells, N = 100 and 300: shifts of
        -1.2 to -2.0 at real lambda, where Ginibre's is -1.2 and -1.5). Isolated eigenvalues close to ``lam`` are not allowed for.

        Parameters
        ----------
        lam : complex number
        natural : bool, as of :meth:`count`

        Returns
        -------
        Expected, a tuple (mean, sd_sites, sd_matrices); the mean is -inf on an atom

        Raises
        ------
        TypeError, ValueError
            no number
        CapabilityError
            ``natural`` sites that are given, not drawn
        ConvergenceError
            as by ``Spectrum.potential``
        """
        at = complex_number("lam", lam)
        return log_determinant(self.spectrum, self.n_units, at, self._drawn, self._natural(natural))

    @cached_property
    def isolated(self) -> tuple[IsolatedEigenvalue, ...]:
        """The isolated eigenvalues of planted networks (``Spectrum.outliers``), their spread, and whether they are seen [T12]."""
        return isolated_eigenvalues(self.spectrum, self.n_units, self._drawn, self.abscissa.cdf, self.radius.cdf)

    @property
    def _drawn(self):
        return self.method != "given"

    def _natural(self, natural):
        if boolean("natural", natural) and self.spectrum.fixed_point is None:
            raise CapabilityError("natural fixed points have sites that are drawn: these sites are given, leave natural out")
        return natural

    def __str__(self) -> str:
        lines = [f"{self.spectrum.cell.name}, {self.n_units} units: unstable with probability {self.probability_unstable:.3g}"]
        if self.status.code != "describes":
            lines.append(f"  {self.status}")
        return "\n".join([*lines, f"  {self.radius}", f"  {self.abscissa}"])


def resampled_laws(
    fixed_point: FixedPoint, edges: dict[str, Edge], n_units: int, n_draws: int, rng: np.random.Generator
) -> dict[str, OutermostLaw]:
    """{"radius": law, "abscissa": law} of networks at a fixed point, by drawing their sites.

    Parameters
    ----------
    fixed_point : FixedPoint
    edges : {"radius": Edge, "abscissa": Edge}
    n_units, n_draws : int
    rng : Generator
    """
    tables: dict[str, list] = {kind: [] for kind in edges}
    for some in _drawn(fixed_point, n_units, n_draws, rng):
        for kind in edges:
            tables[kind].append(some.table(kind))
    return {kind: OutermostLaw(kind, *edges[kind], *(np.concatenate(parts) for parts in zip(*tables[kind]))) for kind in edges}


def _drawn(fixed_point, n_units, n_draws, rng):
    """Draws, some at once."""
    most = max(1, _AT_ONCE // n_units)
    for first in range(0, n_draws, most):
        count = min(most, n_draws - first)
        yield Draws(Population(sampled_sites(fixed_point, n_units, rng, count)), n_units)


def given_laws(population: Population, edges: dict[str, Edge]) -> dict[str, OutermostLaw]:
    """{"radius": law, "abscissa": law} of networks that have these very sites, each of which is a unit.

    Parameters
    ----------
    population : Population
    edges : {"radius": Edge, "abscissa": Edge}
    """
    one = Draws(population, population.weights.size)
    return {kind: OutermostLaw(kind, *edge, *one.table(kind)) for kind, edge in edges.items()}


def share_beyond(
    fixed_point: FixedPoint, kind: str, value: float, n_units: int, n_draws: int, rng: np.random.Generator
) -> np.ndarray:
    """(D,) the probability for each of some draws of sites that a network of N units has an eigenvalue beyond a value.

    With a ``rng`` of the same state these are smooth functions of the hyperparameters.

    Parameters
    ----------
    fixed_point : FixedPoint
    kind : "radius" or "abscissa"
    value : float, beyond this modulus or real part
    n_units, n_draws : int
    rng : Generator
    """
    return 1.0 - np.concatenate([some.none_beyond(kind, value) for some in _drawn(fixed_point, n_units, n_draws, rng)])


def perturbed_laws(
    population: Population,
    edges: dict[str, Edge],
    floors: dict[str, float],
    n_units: int,
    n_draws: int,
    rng: np.random.Generator,
) -> dict[str, OutermostLaw]:
    """{"radius": law, "abscissa": law} of networks by the delta method: as if tau were Gaussian.

    Parameters
    ----------
    population : Population, of the law of sites
    edges : {"radius": Edge, "abscissa": Edge}
    floors : {"radius": float, "abscissa": float}, where the sites' leaks end
    n_units, n_draws : int
    rng : Generator

    Raises
    ------
    CapabilityError
        the edge is that of the leaks
    """
    out = {}
    for kind, edge in edges.items():
        if edge.limit <= floors[kind] * (1.0 + _AT_THE_LEAKS):
            raise CapabilityError(
                f'the {kind} is that of the leaks, an extreme value of N sites: use finite_size(.., method="resample")'
            )
        low, high, actions = perturbed(population, kind, edge.limit, floors[kind], n_units, n_draws, rng)
        out[kind] = OutermostLaw(
            kind, *edge, np.full(n_draws, floors[kind]), np.full(n_draws, low), np.full(n_draws, high), actions
        )
    return out
