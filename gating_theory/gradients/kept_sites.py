"""Growth of gradients at sites that are kept through all steps: at fixed points, exactly; of laws of sites, to a tolerance [T9]."""

from __future__ import annotations

import numpy as np

from ..ensemble.sites import Sites
from ..errors import ConvergenceError
from ..spectrum.real_edge import upper_ends
from ..spectrum.refinement import apart
from ..spectrum.spectrum import Spectrum
from .site_answers import SiteAnswers
from .two_point import tied_growth
from .untied import untied_growth, untied_rate

__all__ = ["kept_growth", "kept_rate", "quick_growth"]

#: Tolerances of the populations that a law of sites makes one after the other, and sites of each at most.
_TOLS, _ROOM = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10), 200_000
#: Condensed populations may miss this much of averages, or a part of the tolerance where that is more.
_CONDENSED, _PART = 1e-12, 1e-2
#: Tolerance of laws of sites in a phase diagram, and logarithms that are far within the range of floats.
_QUICK, _IN_RANGE = 1e-6, 500.0
#: Errors of a rule as a power of the error with half of its nodes, less than the 2 of theory; and the part of the tolerance up to
#: which that is relied on.
_POWER, _SURE = 1.5, 0.1
#: Rounding in one of T^2 steps of the recursion.
_ROUNDING = 2e-16


def kept_growth(spectrum: Spectrum, n_steps: int, weights: str, tol: float) -> tuple[np.ndarray, float]:
    """Logarithms (T + 1, d, d) of G_ab(t) per site, and their estimated error.

    Parameters
    ----------
    spectrum : Spectrum, whose sites are kept
    n_steps : int >= 0
    weights : "tied" or "untied"
    tol : float, wanted of the logarithms

    Raises
    ------
    ConvergenceError
        no two quadratures that are affordable agree to ``tol``
    """
    rounding = _ROUNDING * (n_steps + 2.0) ** (2 if weights == "tied" else 1)
    if spectrum.fixed_point is not None:
        answers = SiteAnswers.of_fixed_point(spectrum.fixed_point, n_steps)
        one = _growth(answers, n_steps, "untied", spectrum)
        logs = one if weights == "untied" else _growth(answers, n_steps, weights, spectrum)
        error = _quadrature_error(answers, one, n_steps, spectrum, tol) + rounding
        if error > tol:
            words = f"growth through {n_steps} steps: two quadratures differ by {error:.1e}; ask for a larger tol"
            raise ConvergenceError(words, estimate=logs)
        return logs, error
    close = max(_CONDENSED, _PART * tol)
    if isinstance(spectrum.source, Sites):
        return _of_sites(spectrum.source, n_steps, weights, spectrum, close), rounding + n_steps * close
    before, difference = None, np.inf
    for of_tol in _TOLS:
        made = spectrum.source.sites_at(of_tol, _ROOM)
        logs = _of_sites(made, n_steps, weights, spectrum, close)
        difference = np.inf if before is None else _apart(logs, before)
        if difference <= tol:
            return logs, difference + rounding + n_steps * close
        if made.tol > 3.0 * of_tol:  # there is no room for a finer one
            break
        before = logs
    raise ConvergenceError(f"growth through {n_steps} steps: {apart(np.array(difference))}", estimate=logs)


def _quadrature_error(answers, logs, n_steps, spectrum, tol):
    """What growth by untied weights, whose logarithms are given, says of the error of averages: tied weights need the same ones.

    The error of a trapezoidal rule is the square of that with half of the nodes. Where that is not small enough, or nodes do not
    lie on a line, averages are made again on a denser grid.
    """
    if answers.weights.size == 1:
        return 0.0
    half = answers.halved()
    if half is not None:
        difference = _apart(logs, _growth(half, n_steps, "untied", spectrum))
        if difference**_POWER <= _SURE * tol:
            return difference**_POWER
    finer = SiteAnswers.of_fixed_point(spectrum.fixed_point, n_steps, 1)
    return _apart(logs, _growth(finer, n_steps, "untied", spectrum))


def quick_growth(spectrum: Spectrum, n_steps: int, weights: str) -> np.ndarray:
    """The same without a second grid at fixed points, for the many of a phase diagram.

    Parameters
    ----------
    spectrum, n_steps, weights : as of :func:`kept_growth`
    """
    if spectrum.fixed_point is None:
        return kept_growth(spectrum, n_steps, weights, _QUICK)[0]
    return _growth(SiteAnswers.of_fixed_point(spectrum.fixed_point, n_steps), n_steps, weights, spectrum)


def _growth(answers, n_steps, weights, spectrum):
    """Logarithms of growth; in units of what a step does in the end where they leave the range of floats."""
    grown = tied_growth if weights == "tied" else untied_growth
    logs = grown(answers, n_steps)
    if not np.isnan(logs).any() and np.abs(_summed(logs)).max() < _IN_RANGE:
        return logs
    scale = spectrum.radius() if weights == "tied" else untied_rate(answers)
    if 0.0 < scale < np.inf:
        logs = grown(answers, n_steps, scale)
    if np.isnan(logs).any() or np.isposinf(logs).any():
        raise ConvergenceError(f"growth through {n_steps} steps leaves the range of floats", estimate=logs)
    return logs


def _of_sites(sites, n_steps, weights, spectrum, close):
    return _growth(SiteAnswers.of_sites(sites).condensed(n_steps, close), n_steps, weights, spectrum)


def kept_rate(spectrum: Spectrum) -> float:
    """The rate of untied growth per step; leaks count that are not in the last 1e-6 of their law, as in ``Spectrum.radius``.

    Parameters
    ----------
    spectrum : Spectrum
    """
    if spectrum.fixed_point is not None:
        answers = SiteAnswers.of_fixed_point(spectrum.fixed_point)
    else:
        source = spectrum.source
        answers = SiteAnswers.of_sites(source if isinstance(source, Sites) else source.sites)
    (largest,) = upper_ends(answers.leaks[None], answers.weights[None])
    return untied_rate(answers, float(largest))


def _apart(one, other):
    """The largest difference of logarithms of the whole."""
    a, b = _summed(one), _summed(other)
    both = np.isfinite(a) & np.isfinite(b)
    return np.inf if (np.isfinite(a) != np.isfinite(b)).any() else float(np.abs(a[both] - b[both]).max(initial=0.0))


def _summed(logs):
    """(T + 1,) logarithms of sums over all blocks."""
    largest = logs.max(axis=(1, 2))
    some = np.isfinite(largest)
    out = np.full(len(logs), -np.inf)
    out[some] = largest[some] + np.log(np.exp(logs[some] - largest[some, None, None]).sum(axis=(1, 2)))
    return out
