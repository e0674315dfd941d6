"""How far the growth of gradients in single networks is from its limit [T9].

Through tied weights it is carried by ever fewer modes, and ln G of a network of N units scatters. Two parts are independent:

- the sites that a network happens to have, of order N^-1/2: growth is computed at draws of N sites;
- its matrices, of order T^3/2 / N. Of J = z + w U, U a real Ginibre matrix, pairings on an annulus give all of the leading order:

    N^2 Var G = 2 sum over m, m' of k_mm' S_mm'^2,    S_mm' = sum over a of (a + 1) c_(a + m) c_(a + m'),

  c_k = C(n, k) z^(n - k) w^k, G = sum of c_k^2, k_mm' = 1, but m' or m where the other one is 0. Other sites stand for such a
  network with as many passages through matrices, w / (z + w) = d p / dn with p = (1/2) d ln G / d ln a, and with as many units as
  carry T at the edge.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..ensemble.matrix_laws import require
from ..ensemble.sites import Sites
from ..mean_field.fixed_point import FixedPoint
from ..mean_field.samples import sampled_sites
from ..spectrum.spectrum import Spectrum
from ..support.types import Rng
from .site_answers import SiteAnswers
from .two_point import tied_growth

__all__ = ["matrix_scatter", "scatter_of"]

#: Relative change of gains by which passages are counted.
_STEP = 1e-4
#: Steps at which the sums are made, and the most steps of one: beyond these scatter grows as t^(3/2).
_TIMES, _LONGEST = 24, 200
#: Condensed sites of a draw miss this of averages.
_CLOSE = 1e-9


def scatter_of(source: FixedPoint | Sites, n_steps: int, rows: list[int], n_units: int, n_draws: int, rng: Rng) -> np.ndarray:
    """(T + 1,) standard deviations of ln of the mean square of tied weights over networks of N units.

    Parameters
    ----------
    source : FixedPoint, of whose law sites are drawn, or Sites, which are those of the network
    n_steps : int >= 1, T
    rows : list of int, the state variables that the loss sees
    n_units : int >= 1, N
    n_draws : int >= 2, of sites; 0 leaves out how networks differ by their sites
    rng : numpy Generator, int or None

    Raises
    ------
    CapabilityError
        matrices that are not iid normal
    """
    spectrum = Spectrum(source)
    instead = "products of sampled Jacobians: Network.push"
    require(spectrum.matrices, "finite size", "scatter of gradients", instead, spectrum.gain)
    radius = spectrum.radius()
    scale = radius if 0.0 < radius < np.inf else 1.0

    def grown(answers):
        return np.log(np.exp(tied_growth(answers, n_steps, scale)[:, rows] - _units(n_steps, scale)).sum(axis=(1, 2)))

    if isinstance(source, FixedPoint):
        answers = SiteAnswers.of_fixed_point(source, n_steps)
    else:
        answers = SiteAnswers.of_sites(source).condensed(n_steps, _CLOSE)
    of_sites = np.zeros(n_steps + 1)
    if isinstance(source, FixedPoint) and n_draws:
        drawn = sampled_sites(source, n_units, rng, n_draws)
        draws = [grown(SiteAnswers.of_sites(part).condensed(n_steps, _CLOSE)) for part in _parts(drawn, n_units)]
        of_sites = np.std(draws, axis=0, ddof=1)
    up, down = (grown(_with_gains(answers, sign * _STEP)) for sign in (1.0, -1.0))
    passages = (up - down) / (4.0 * _STEP)
    half = n_steps // 2
    share = float(np.clip((passages[-1] - passages[half]) / (n_steps - half), 0.0, 1.0))
    carried = spectrum.concentration(n_units).at_edge.n_effective
    scatter = np.hypot(of_sites, matrix_scatter(n_steps, share) / (carried if carried > 0.0 else n_units))
    scatter[0] = 0.0  # and no rounding
    return scatter


def matrix_scatter(n_steps: int, share: float) -> np.ndarray:
    """(T + 1,) N times the standard deviation of ln G of J = z + w U, to leading order in 1 / N.

    Parameters
    ----------
    n_steps : int >= 1, T
    share : float from 0 to 1, w / (z + w)
    """
    most = min(n_steps, _LONGEST)
    times = np.unique(np.round(np.geomspace(1, most, _TIMES)).astype(int))
    if share == 0.0:
        return np.zeros(n_steps + 1)
    values = np.array([_of_power(n, share) for n in times])
    steps = np.arange(1, n_steps + 1)
    inner = np.exp(np.interp(np.log(np.minimum(steps, most)), np.log(times), np.log(values)))
    return np.append(0.0, inner * np.maximum(steps / most, 1.0) ** 1.5)


def _of_power(n, share):
    k = np.arange(n + 1)
    if share == 1.0:
        logs = np.where(k == n, 0.0, -np.inf)
    else:
        factorials = np.append(0.0, np.cumsum(np.log(np.arange(1, n + 1))))
        logs = factorials[-1] - factorials - factorials[::-1] + k * np.log(share) + (n - k) * np.log1p(-share)
    c = np.exp(logs - logs.max())
    shifted = np.array([np.append(c[a:], np.zeros(a)) for a in k])
    S = shifted.T @ ((k + 1.0)[:, None] * shifted)
    turns = np.ones((n + 1, n + 1))
    turns[0], turns[:, 0] = k, k
    return float(np.sqrt(2.0 * (turns * S**2).sum()) / (c**2).sum())


def _units(n_steps, scale):
    """Logarithms of what numbers are measured in, so that they are floats."""
    return 2.0 * np.log(scale) * np.arange(n_steps + 1)[:, None, None]


def _with_gains(answers, change):
    """All gains multiplied by exp(change)."""
    factor = np.exp(2.0 * change)

    def of(column):
        return factor if column < answers.n else 1.0

    terms = tuple(replace(term, weights=of(term.column) * term.weights) for term in answers.terms)
    constants = tuple(replace(constant, value=of(constant.column) * constant.value) for constant in answers.constants)
    return replace(answers, terms=terms, constants=constants)


def _parts(drawn, n_units):
    """The Sites of each draw."""
    for first in range(0, drawn.size, n_units):
        part = slice(first, first + n_units)
        arrays = (a[:, part] for a in (drawn.state, drawn.fields, drawn.parameters))
        weights = np.full(n_units, 1.0 / n_units)
        yield Sites(drawn.cell, weights, *arrays, gain=drawn.gain, matrices=drawn.matrices)
