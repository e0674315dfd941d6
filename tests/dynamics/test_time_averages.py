"""Averages over time and their errors, on series whose statistics are known."""

import numpy as np
import pytest

from gating_theory.dynamics.time_averages import block_error, settled_mean, stationary_from


def correlated(rng, length, memory):
    """A stationary series of variance 1 and correlation exp(-lag / memory)."""
    keep = np.exp(-1.0 / memory)
    x = np.empty(length)
    x[0] = rng.standard_normal()
    for t in range(1, length):
        x[t] = keep * x[t - 1] + np.sqrt(1 - keep**2) * rng.standard_normal()
    return x


def test_block_error_is_the_spread_of_means():
    rng = np.random.default_rng(0)
    series = np.array([correlated(rng, 1000, 5.0) for _ in range(200)]).T
    errors = block_error(series)
    # spread of 200 means: 5 %; blocks of a hundred steps lose 5 in 100 of the correlations
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(series.mean(axis=0).std(), rel=0.2)


def test_transients_are_found_and_drifts_are_said():
    rng = np.random.default_rng(1)
    noise = np.array([correlated(rng, 400, 2.0) for _ in range(50)])
    t = np.arange(400)
    # without a transient, hardly ever a cut beyond the tenth: four standard errors
    starts, fine = zip(*(stationary_from(x[:, None]) for x in noise))
    assert np.mean(fine) > 0.9 and np.median(starts) == 40
    # a decay within 30 steps from 20 standard deviations
    starts, fine = zip(*(stationary_from((x + 20 * np.exp(-t / 30))[:, None]) for x in noise))
    assert np.mean(fine) > 0.9 and min(starts) >= 80
    # a drift by eight standard deviations over the run
    assert not any(stationary_from((x + 8 * t / 400)[:, None])[1] for x in noise)


def test_settled_mean():
    rng = np.random.default_rng(2)
    pulls, drifting = [], []
    for _ in range(100):
        x = correlated(rng, 400, 2.0)
        mean, error = settled_mean(x, 200)
        pulls.append(mean / error)
        drifting.append(settled_mean(x + 10 * np.arange(400) / 400, 200)[1])
    # errors from ten blocks are known to a quarter; correlations across blocks and few blocks widen the pulls a little
    assert 0.8 < np.std(pulls) < 1.6
    # over the last half it drifts by 5: half of that at least
    assert min(drifting) > 1.5
    dead = np.concatenate([np.zeros(10), [-np.inf] * 10])
    assert settled_mean(dead, 10)[0] == -np.inf and np.isnan(settled_mean(dead, 10)[1])
