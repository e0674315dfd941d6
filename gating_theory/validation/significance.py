"""How probable a difference is by chance."""

from __future__ import annotations

import numpy as np

__all__ = ["either", "of_gap", "of_probabilities", "reach", "together"]


def of_gap(gap: float, deviation: float, freedom: float = np.inf) -> float:
    """The probability of a difference of means at least as large.

    Parameters
    ----------
    gap : float
    deviation : float, its expected standard deviation
    freedom : float, degrees of freedom from which the deviation was estimated; infinite where it is known
    """
    from scipy.stats import norm, t

    if deviation == 0.0:
        return 1.0 if gap == 0.0 else 0.0
    size = abs(gap) / deviation
    return float(2.0 * (norm.sf(size) if np.isinf(freedom) else t.sf(size, freedom)))


def reach(level: float, deviation: float, freedom: float = np.inf) -> float:
    """How large a difference of means may be whose :func:`of_gap` is the level."""
    from scipy.stats import norm, t

    factor = norm.isf(0.5 * level) if np.isinf(freedom) else t.isf(0.5 * level, freedom)
    return float(factor * deviation)


def of_probabilities(values: np.ndarray, tails: np.ndarray | float = 1.0) -> float:
    """The probability that independent numbers, each uniform on (0, 1), differ as much from that.

    Kolmogorov and Smirnov's test sees that many of them are shifted, the most extreme one that some lie where none should: the
    smaller of both probabilities counts twice.

    Parameters
    ----------
    values : (m,) array
    tails : float in (0, 1], or (m,) array of them
        At either end numbers below p are as frequent as p to this power: where a law is good in its middle only.
    """
    from scipy.stats import kstest

    u = np.asarray(values, dtype=float)
    ends = min(1.0, float(np.min(2.0 * np.minimum(u, 1.0 - u) ** tails)))
    # 1 - (1 - ends)^m, exact where ends is tiny
    extreme = -np.expm1(u.size * np.log1p(-ends)) if ends < 1.0 else 1.0
    return either(float(extreme), float(kstest(u, "uniform").pvalue)) if u.size > 1 else float(extreme)


def either(*probabilities: float) -> float:
    """Of several tests, whatever they have to do with one another: so often at most does one give as little; nan for none."""
    return min(1.0, len(probabilities) * min(probabilities)) if probabilities else float("nan")


def together(*parts: tuple[float, float]) -> tuple[float, float]:
    """Standard deviation of a sum of independent parts, and its degrees of freedom (Welch and Satterthwaite's).

    Parameters
    ----------
    parts : pairs of a standard deviation and the degrees of freedom from which it is known, infinite where it is a law's
    """
    variances = np.square([deviation for deviation, _ in parts])
    total = float(variances.sum())
    if total == 0.0:
        return 0.0, float("inf")
    doubt = float(np.sum((variances / total) ** 2 / [freedom for _, freedom in parts]))
    return float(np.sqrt(total)), 1.0 / doubt if doubt > 0.0 else float("inf")
