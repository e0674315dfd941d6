"""How many sites carry T(lambda): whether the limit of infinitely many says anything about a network of N units [T12].

T(lambda) is an average over sites of phi(lambda), and N sites know it well where many of them contribute. Where leaks are spread
widely phi is carried by sites in the tail of the fields' law, of which a network of N units may have none. Two numbers say so:

    effective number:  (sum phi)^2 / sum phi^2 over N sites, the median over draws of them;
    half share:        the fraction of all sites that carry half of T.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ensemble.sites import Sites
from ..mean_field.carriers import part_of_sites, resolved, share_of_half
from ..mean_field.fixed_point import FixedPoint
from ..mean_field.samples import sampled_sites
from ..results.encoding import dict_of, result
from ..results.status import Status
from .dyson import Population
from .edge_numbers import shares

__all__ = ["Carriers", "Concentration", "concentration", "half_shares_of"]

#: Fewer effective sites than the first: the limit does not describe the network; fewer than the second: it does so badly.
_TOO_FEW, _FEW = 20.0, 30.0
#: Draws of N sites: so many first, so many in all where these find fewer effective sites than that.
_FIRST, _DRAWS, _PLENTY = 16, 100, 100.0
#: Networks of more units than this are drawn as numbers of units at each node of a population.
_ONE_BY_ONE = 10_000
#: How close a population has to come to T: for half shares, and where networks are made of it (squares miss ten times as much).
_CLOSE, _CLOSER = 0.02, 2e-3
#: Seed of all draws: what is found is a function of the spectrum and N.
_SEED = 0
_TINY = 1e-150
#: Sites leave open on which side of 1 the edge function lies if it is less than a standard deviation of the matrices' effect beyond
#: it in more than this part of the draws.
_OPEN = 0.05


@result("carriers")
@dataclass(frozen=True)
class Carriers:
    """The sites that carry T(lambda) in networks of N units [T12].

    T(lambda) = E phi is an average over sites that falls outward and is 1 at the edge of the spectrum (``Spectrum.edge_function``):
    phi is a site's part in how much a perturbation that goes like lambda^n grows in one passage through the random matrices.

    Attributes
    ----------
    lam : float
    half_share : float, fraction of all sites that carry half of T; nan where T is infinite or zero
    n_effective : float
        Effective number of sites, (sum phi)^2 / sum phi^2 of the N sites of a network, the median over networks; nan likewise.
    open : bool, whether N sites leave open on which side of 1 the edge function lies

    Examples
    --------
    Few sites with open forget gates carry most of T(1) in an LSTM:

    >>> import gating_theory as gt
    >>> point = gt.fixed_points(gt.Ensemble(gt.LSTM, gain=5))[-1]
    >>> carriers = gt.Spectrum(point).concentration(500).at_one
    >>> carriers.lam, round(carriers.half_share, 4)
    (1.0, 0.0002)
    """

    lam: float
    half_share: float
    n_effective: float
    open: bool

    as_dict = dict_of

    def __str__(self) -> str:
        if np.isnan(self.half_share):
            return f"T({self.lam:.6g}) is infinite or zero"
        return f"half of T({self.lam:.6g}) comes from {part_of_sites(self.half_share, 2)}, effectively from {self.n_effective:.0f}"


@result("concentration")
@dataclass(frozen=True)
class Concentration:
    """Whether the limit describes networks of N units: how many of their sites carry T [T12]. See ``Spectrum.concentration``.

    Attributes
    ----------
    n_units : int, N
    at_one : Carriers, of T(1), where stability is decided
    at_edge : Carriers, of T at the abscissa
    status : Status
        Code "describes"; "use_finite_size", where ``Spectrum.finite_size`` differs visibly; or, not ok, "does_not_describe".

    Examples
    --------
    A sixth of the sites carries half of T, enough for the limit to describe networks of 500 units:

    >>> import gating_theory as gt
    >>> point = gt.fixed_points(gt.Ensemble(gt.GRU, gain=3))[-1]
    >>> found = gt.Spectrum(point).concentration(500)
    >>> found.describes, found.status.code, round(found.half_share, 4)
    (True, 'describes', 0.1638)
    """

    n_units: int
    at_one: Carriers
    at_edge: Carriers
    status: Status

    as_dict = dict_of

    @property
    def half_share(self) -> float:
        """Fraction of all sites that carry half of T(1)."""
        return self.at_one.half_share

    @property
    def n_effective(self) -> float:
        """Effective number of sites that T(1) has in a network, the median over networks."""
        return self.at_one.n_effective

    @property
    def describes(self) -> bool:
        """Whether the limit says anything about such networks: ``status.ok``."""
        return self.status.ok

    def __str__(self) -> str:
        return "\n".join([str(self.status), f"  {self.at_edge}", f"  {self.at_one}"])


def concentration(
    source: FixedPoint | Sites, n_units: int, abscissa: float, exact: tuple[float, float], tail: bool = False
) -> Concentration:
    """Whether the limit describes networks of N units.

    The criterion is that half of T comes from at least one of N sites, and that 20 of them carry it effectively (30: without
    reservations). It counts at the abscissa, and at 1 where the sites of networks leave open on which side of 1 the edge function
    lies there.

    Parameters
    ----------
    source : FixedPoint, of whose law sites are drawn, or Sites, among which they are; as many as ``n_units`` are taken as they are
    n_units : int, N
    abscissa : float
    exact : (float, float)
        The edge function at 1 and at the abscissa. What a population of the law misses of it is taken to lie in the fewest sites.
    tail : bool, whether the abscissa is a leak in the tail of its law, and not an edge
    """
    at_one, at_edge = _carriers(source, n_units, (1.0, abscissa), exact)
    return Concentration(n_units, at_one, at_edge, _status(at_one, at_edge, n_units, abscissa if tail else None))


def _carriers(source, n_units, lam, exact):
    """Carriers at some real lambdas."""
    known = [i for i, value in enumerate(exact) if 0.0 < value < np.inf]
    out = [Carriers(at, float("nan"), float("nan"), False) for at in lam]
    if not known:
        return out
    at, values = np.array([lam[i] for i in known]), np.array([exact[i] for i in known])
    many = n_units > _ONE_BY_ONE
    far, weights = _resolved(source, at, values, _CLOSER if many else _CLOSE)
    networks = _counted(far, weights, n_units, values) if many else _drawn(source, n_units, at)
    tau, effective = networks(_FIRST)
    if np.median(effective, axis=1).min() < _PLENTY and tau.shape[1] > 1:
        tau, effective = networks(_DRAWS)
    for j, i in enumerate(known):
        # in units of what the matrices do to tau, sqrt(2 kappa / N)
        beyond = np.sign(values[j] - 1.0) * (tau[j] - 1.0) / np.maximum(tau[j], _TINY) * np.sqrt(0.5 * effective[j])
        share = share_of_half(far[j], weights, values[j])
        out[i] = Carriers(lam[i], share, float(np.median(effective[j])), bool(np.mean(~(beyond > 1.0)) > _OPEN))
    return out


def _status(at_one, at_edge, n_units, tail):
    counted = [p for p in (at_edge, at_one) if np.isfinite(p.n_effective) and (p is at_edge or p.open)]
    rare = [p for p in counted if n_units * p.half_share < 1.0]
    few = sorted(counted, key=lambda p: p.n_effective)
    if rare or few and few[0].n_effective < _TOO_FEW:
        why = _rarely(min(rare, key=lambda p: p.half_share)) if rare else _by_few(few[0])
        return Status("does_not_describe", f"the limit does not describe N = {n_units}: {why}", ok=False)
    if few and few[0].n_effective < _FEW:
        return Status("use_finite_size", f"N = {n_units} differs from the limit, see finite_size: {_by_few(few[0])}")
    if tail is not None:
        why = f"the abscissa {tail:.6g} is a leak that one site in a million has"
        return Status("use_finite_size", f"N = {n_units} differs from the limit, see finite_size: {why}")
    return Status("describes", f"the limit describes N = {n_units}")


def _rarely(place):
    return f"half of T({place.lam:.6g}) comes from {part_of_sites(place.half_share)}"


def _by_few(place):
    return f"T({place.lam:.6g}) is carried by {place.n_effective:.0f} of the sites"


def _drawn(source, n_units, lam):
    """count -> tau and effective numbers of sites (L, count) of networks, whose units are drawn one by one."""

    def networks(count):
        phi = phi_of(count)
        total, square = phi.sum(axis=-1), (phi**2).sum(axis=-1)
        return total / n_units, _effective(total, square)

    def phi_of(count):
        if isinstance(source, FixedPoint):
            return _phi(Population(sampled_sites(source, n_units, _SEED, count)), lam).reshape(lam.size, count, n_units)
        phi, weights = _phi(Population(source), lam), source.weights
        if source.size == n_units and np.ptp(weights) < 1e-12:
            return phi[:, None]
        return phi[:, np.random.default_rng(_SEED).choice(weights.size, (count, n_units), p=weights / weights.sum())]

    return networks


def _counted(phi, weights, n_units, exact):
    """The same of networks with Poisson numbers of units at each node of a population: it costs the same at all N.

    What the population misses of tau, a few thousandths, is more than tau differs by among such networks: it is made up for.
    """
    scale, squares = exact / (phi @ weights), phi**2

    def networks(count):
        rng = np.random.default_rng(_SEED)
        sums = np.empty((3, phi.shape[0], count))
        for k in range(count):
            units = rng.poisson(n_units * weights)
            # a network has N units, and not a Poisson number of them
            sums[:, :, k] = phi @ units / units.sum(), phi @ units, squares @ units
        return scale[:, None] * sums[0], _effective(sums[1], sums[2])

    return networks


def _effective(total, square):
    """Effective numbers of sites, of sums of phi and of phi^2."""
    return np.maximum(total, _TINY) ** 2 / np.maximum(square, _TINY**2)


def _resolved(source, lam, exact, close=_CLOSE):
    """phi (L, M) of sites that reach as far as T does, and their weights (M,)."""
    if isinstance(source, Sites):
        return _phi(Population(source), lam), source.weights
    return resolved(source.ensemble, source.law, lambda sites: _phi(Population(sites), lam), exact, close)


def half_shares_of(source: FixedPoint | Sites, lam: np.ndarray, exact: np.ndarray) -> list[float]:
    """The fraction of all sites that carry half of T at each of some real lambdas.

    Parameters
    ----------
    source : FixedPoint or Sites
    lam : (L,) array
    exact : (L,) array, T there
    """
    phi, weights = _resolved(source, lam, exact)
    return [share_of_half(one, weights, value) for one, value in zip(phi, exact)]


def _phi(population, lam):
    """phi (L, M) at real lambdas, of the loop that reaches furthest there."""
    each = np.array([shares(population, lam + 0j, loop) for loop in population.blocks])
    return each[np.argmax(each @ population.weights, axis=0), np.arange(lam.size)]
