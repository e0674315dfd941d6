"""How many sites carry T(lambda): whether the limit of infinitely many says anything about a network of N units [T12].

T(lambda) is an average over sites of phi(lambda), and N sites know it well where many of them contribute. Where leaks are spread widely
phi is carried by sites in the tail of the fields' law, of which a network of N units may have none. Two numbers say so:

    effective number:  (sum phi)^2 / sum phi^2 over N sites, the median over draws of them;
    half share:        the fraction of all sites that carry half of T.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..ensemble.populations import far_population
from ..ensemble.sites import Sites
from ..mean_field.fixed_points import FixedPoint
from ..mean_field.samples import sampled_sites
from ..results.status import Status
from .dyson import Population
from .edge_numbers import shares

__all__ = ["Concentration", "concentrations", "verdict"]

#: Fewer effective sites than the first: the limit does not describe the network; fewer than the second: it does so badly.
_TOO_FEW, _FEW = 20.0, 30.0
#: Draws of N sites: so many first, so many in all where these find fewer effective sites than that.
_FIRST, _DRAWS, _PLENTY = 16, 100, 100.0
#: Tolerances of far populations one after the other, how close T has to come to the exact one, and nodes at most.
_TOLS, _CLOSE, _NODES = (0.1, 0.01, 1e-3), 0.02, 1_000_000
#: Sites leave open on which side of 1 the edge function lies if it is less than a standard deviation of the matrices' effect beyond
#: it in more than this part of the draws.
_OPEN = 0.05


@dataclass(frozen=True)
class Concentration:
    """How T(lambda) is spread over the sites of networks of N units.

    Attributes
    ----------
    lam : float
    half_share : float, fraction of the sites that carry half of T; nan where T is infinite or zero
    n_effective : float, median over draws of N sites; nan where T is infinite or zero
    open : bool, whether N sites leave open on which side of 1 T(lambda) lies
    """

    lam: float
    half_share: float
    n_effective: float
    open: bool


def concentrations(
    source: FixedPoint | Sites, n_units: int, lam: Sequence[float], exact: Sequence[float], rng: int = 0
) -> list[Concentration]:
    """How T is spread over sites at some real lambdas.

    Parameters
    ----------
    source : FixedPoint, of whose law sites are drawn, or Sites, among which they are; as many as ``n_units`` are taken as they are
    n_units : int, N
    lam : sequence of float
    exact : sequence of float
        The edge function there. What a population of the law misses of it is taken to lie in the fewest sites.
    rng : int, seed of the draws
    """
    known = [i for i, value in enumerate(exact) if 0.0 < value < np.inf]
    out = [Concentration(at, float("nan"), float("nan"), False) for at in lam]
    if not known:
        return out
    at, values = np.array([lam[i] for i in known]), np.array([exact[i] for i in known])
    phi = _drawn(source, n_units, at, _FIRST, rng)
    if _effective(phi).min() < _PLENTY and phi.shape[1] > 1:
        phi = _drawn(source, n_units, at, _DRAWS, rng)
    for i, here, value, share in zip(known, phi, values, _half_shares(source, at, values)):
        tau = here.mean(axis=1)
        effective = here.sum(axis=1) ** 2 / (here**2).sum(axis=1)
        beyond = np.sign(value - 1.0) * (tau - 1.0) / tau * np.sqrt(0.5 * effective)
        out[i] = Concentration(lam[i], share, float(np.median(effective)), bool(np.mean(~(beyond > 1.0)) > _OPEN))
    return out


def verdict(places: Sequence[Concentration], n_units: int, tail: float | None = None) -> Status:
    """The Status of the limit for networks of N units: "describes", "use_finite_size", or, not ok, "does_not_describe".

    Parameters
    ----------
    places : sequence of Concentration
        The first at the edge, which the criterion is for; others count where N sites leave T open there.
    n_units : int, N
    tail : float, optional
        The abscissa, where it is a leak in the tail of its law and not an edge.
    """
    counted = [p for i, p in enumerate(places) if np.isfinite(p.n_effective) and (i == 0 or p.open)]
    bad = [p for p in counted if n_units * p.half_share < 1.0 or p.n_effective < _TOO_FEW]
    if bad:
        worst = min(bad, key=lambda p: p.n_effective)
        return Status("does_not_describe", f"the limit does not describe N = {n_units}: {_carried(worst)}", ok=False)
    few = [p for p in counted if p.n_effective < _FEW]
    if few:
        return Status("use_finite_size", f"N = {n_units} differs from the limit, see Spectrum.finite_size: {_carried(few[0])}")
    if tail is not None:
        text = f"the abscissa {tail:.6g} is a leak that few sites have: the largest of N = {n_units} is another, see Spectrum.finite_size"
        return Status("use_finite_size", text)
    return Status("describes", f"the limit describes N = {n_units}")


def _carried(place):
    return f"half of T({place.lam:.6g}) comes from {place.half_share:.1g} of the sites"


def _effective(phi):
    """(L,) effective numbers of sites, medians over draws."""
    return np.median(phi.sum(axis=2) ** 2 / (phi**2).sum(axis=2), axis=1)


def _drawn(source, n_units, lam, count, rng):
    """(L, D, N) phi at draws of N sites."""
    if isinstance(source, FixedPoint):
        return _phi(Population(sampled_sites(source, n_units, rng, count)), lam).reshape(lam.size, count, n_units)
    phi, weights = _phi(Population(source), lam), source.weights
    if source.size == n_units and np.ptp(weights) < 1e-12:
        return phi[:, None]
    return phi[:, np.random.default_rng(rng).choice(weights.size, (count, n_units), p=weights / weights.sum())]


def _half_shares(source, lam, exact):
    """The fraction of all sites that carry half of T at each lambda."""
    if isinstance(source, Sites):
        return [_share(phi, source.weights, value) for phi, value in zip(_phi(Population(source), lam), exact)]
    for tol in _TOLS:
        sites = far_population(source.ensemble, source.law, tol, _NODES, "mean field")
        phi = _phi(Population(sites), lam)
        if (np.abs(phi @ sites.weights / exact - 1.0) < _CLOSE).all() or sites.tol > tol:
            break
    return [_share(one, sites.weights, value) for one, value in zip(phi, exact)]


def _phi(population, lam):
    """phi (L, M) at real lambdas, of the loop that reaches furthest there."""
    each = np.array([shares(population, lam + 0j, loop) for loop in population.blocks])
    return each[np.argmax(each @ population.weights, axis=0), np.arange(lam.size)]


def _share(phi, weights, exact):
    """The weight of the sites with the largest phi that carry half of T, between two of them by interpolation."""
    order = np.argsort(-phi)
    part, whole = (phi * weights)[order], weights[order]
    live = part > 0.0
    carried, weight = np.cumsum(part[live]), np.cumsum(whole[live])
    wanted = 0.5 * exact - max(0.0, exact - carried[-1])
    # a site stands for others around it, half of which carry more
    carried, weight = np.append(0.0, carried - 0.5 * part[live]), np.append(0.0, weight - 0.5 * whole[live])
    return float(np.interp(wanted, carried, weight))
