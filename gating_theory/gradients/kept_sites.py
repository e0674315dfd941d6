"""Growth of gradients at sites that are kept through all steps: at fixed points, exactly; of laws of sites, to a tolerance [T9]."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from ..ensemble.sites import Sites
from ..errors import ConvergenceError
from ..mean_field.fixed_points import FixedPoint
from ..spectrum.real_edge import upper_ends
from .site_answers import SiteAnswers
from .two_point import tied_growth
from .untied import untied_growth, untied_rate

__all__ = ["kept_growth", "kept_rate"]

#: Tolerances of the populations that a law of sites makes one after the other, and sites of each at most.
_TOLS, _ROOM = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10), 200_000
#: Condensed populations may miss this much of averages, or a part of the tolerance where that is more.
_CONDENSED, _PART = 1e-12, 1e-2
#: Rounding in one of T^2 steps of the recursion.
_ROUNDING = 2e-16


def kept_growth(
    fixed_point: FixedPoint | None, source: object, sites: Sites | None, n_steps: int, weights: str, tol: float, radius: float
) -> tuple[np.ndarray, float]:
    """Logarithms (T + 1, d, d) of G_ab(t) per site, and their estimated error.

    Parameters
    ----------
    fixed_point : FixedPoint or None
    source : object
        With ``sites_at`` where it is a law that makes populations.
    sites : Sites or None, given ones
    n_steps : int >= 0
    weights : "tied" or "untied"
    tol : float, wanted of the logarithms
    radius : float, the spectral radius

    Raises
    ------
    ConvergenceError : no two populations that are affordable agree to ``tol``
    """
    tied = partial(tied_growth, scale=radius if 0.0 < radius < np.inf else 1.0)
    growth: Callable[[SiteAnswers, int], np.ndarray] = tied if weights == "tied" else untied_growth
    rounding = _ROUNDING * (n_steps + 2.0) ** (2 if weights == "tied" else 1)
    if fixed_point is not None:
        answers = SiteAnswers.of_fixed_point(fixed_point)
        # both kinds average the same powers of the leak: what another grid gives for the untied one shows the error of both
        one, other = (untied_growth(a, n_steps) for a in (answers, SiteAnswers.of_fixed_point(fixed_point, 1)))
        logs = one if weights == "untied" else growth(answers, n_steps)
        error = _apart(one, other) + rounding
        if error > tol:
            raise ConvergenceError(f"growth through {n_steps} steps: two quadratures differ by {error:.1e}", estimate=logs)
        return logs, error
    close = max(_CONDENSED, _PART * tol)
    if not hasattr(source, "sites_at"):
        assert sites is not None
        return growth(SiteAnswers.of_sites(sites).condensed(n_steps, close), n_steps), rounding + n_steps * close
    before, difference = None, np.inf
    for of_tol in _TOLS:
        made = source.sites_at(of_tol, _ROOM)
        logs = growth(SiteAnswers.of_sites(made).condensed(n_steps, close), n_steps)
        difference = np.inf if before is None else _apart(logs, before)
        if difference <= tol:
            return logs, difference + rounding + n_steps * close
        if made.tol > 3.0 * of_tol:  # there is no room for a finer one
            break
        before = logs
    raise ConvergenceError(
        f"growth through {n_steps} steps: two populations of sites differ by {difference:.1e}; ask for a larger tol", estimate=logs
    )


def kept_rate(fixed_point: FixedPoint | None, sites: Sites | None) -> float:
    """The rate of untied growth per step; leaks count that are not in the last 1e-6 of their law, as in ``Spectrum.radius``.

    Parameters
    ----------
    fixed_point : FixedPoint or None
    sites : Sites, where there is no fixed point
    """
    if fixed_point is not None:
        answers = SiteAnswers.of_fixed_point(fixed_point)
    else:
        assert sites is not None
        answers = SiteAnswers.of_sites(sites)
    (largest,) = upper_ends(answers.leaks[None], answers.weights[None])
    return untied_rate(answers, float(largest))


def _apart(one, other):
    """The largest difference of logarithms, of blocks that carry anything of the whole."""

    def summed(logs):
        largest = logs.max(axis=(1, 2))
        some = np.isfinite(largest)
        out = np.full(len(logs), -np.inf)
        out[some] = largest[some] + np.log(np.exp(logs[some] - largest[some, None, None]).sum(axis=(1, 2)))
        return out

    a, b = summed(one), summed(other)
    both = np.isfinite(a) & np.isfinite(b)
    if (np.isfinite(a) != np.isfinite(b)).any():
        return np.inf
    return float(np.abs(a[both] - b[both]).max(initial=0.0))
