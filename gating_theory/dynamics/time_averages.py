"""Averages over time and their errors."""

from __future__ import annotations

import numpy as np

__all__ = ["block_error", "stationary_from", "settled_mean"]

#: Standard errors of a trend above which a series is not stationary.
_TREND = 3.5


def block_error(series: np.ndarray, n_blocks: int = 10) -> np.ndarray:
    """Standard error of the mean over time of a correlated series, from the scatter of the means of consecutive blocks.

    Parameters
    ----------
    series : (T, ...) array
    n_blocks : int >= 2, taken as T where that is less
        Blocks have to be longer than the correlation time; the error is itself known to about 1 / sqrt(2 n_blocks).

    Returns
    -------
    (...) array
    """
    blocks = np.array([block.mean(axis=0) for block in np.array_split(series, min(n_blocks, len(series)))])
    return blocks.std(axis=0, ddof=1) / np.sqrt(len(blocks))


def stationary_from(series: np.ndarray) -> tuple[int, bool]:
    """Where a series has come to the mean of its last half, in tenths of its length, and whether it has.

    Parameters
    ----------
    series : (T, n) array

    Returns
    -------
    (int, bool) : steps to leave out, at least T / 10 and T / 2 where the last half itself drifts
    """
    T = series.shape[0]
    half = series[T // 2 :]
    # errors of what is left without a trend: a drift must not hide behind the spread that it makes itself
    mean, slope, line = _trend(half)
    error = block_error(half - line)
    # a slope's own error is sqrt(12) of the mean's
    if np.any(np.abs(slope) > _TREND * np.sqrt(12.0) * error + 1e-9 * np.abs(mean)):
        return T // 2, False
    window = max(2, T // 10)
    # fluctuations within a window are correlated: its error is that of its share of blocks
    allowed = 4.0 * error * np.sqrt(half.shape[0] / window) + 1e-12 * np.abs(mean)
    for start in range(0, T // 2 + 1, window):
        if np.all(np.abs(series[start : start + window].mean(axis=0) - mean) <= allowed):
            return max(start, T // 10), True
    return T // 2, False


def settled_mean(series: np.ndarray, start: int) -> tuple[float, float]:
    """Mean of a series from a step on, and its error: that of blocks, and half of a drift over that time if there is one.

    Parameters
    ----------
    series : (T,) array; -inf (a tangent vector that became zero) makes the mean -inf and its error nan
    start : int, steps left out; more are where the series itself is stationary only later

    Returns
    -------
    (float, float)
    """
    if not np.isfinite(series[start:]).all():
        return float(series[start:].mean()), np.nan
    found, stationary = stationary_from(series[:, None])
    kept = series[max(start, found) :]
    drift = 0.0 if stationary else 0.5 * abs(float(_trend(kept)[1]))
    return float(kept.mean()), float(np.hypot(block_error(kept), drift))


def _trend(series):
    """Straight-line fit of a series: its mean, its change over the length, and the line about the mean."""
    time = np.linspace(-0.5, 0.5, series.shape[0])
    mean = series.mean(axis=0)
    slope = time @ (series - mean) / (time @ time)
    return mean, slope, np.multiply.outer(time, slope)
