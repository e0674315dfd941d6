"""Attractors of random two-unit networks against scipy's integration: none missed, none false, none undecided."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from gating_theory.flow import GRUFlow, attractors


def random_network(i):
    """One of the campaign's networks: scales 2 to 20, all gates and biases."""
    rng = np.random.default_rng([14, i])
    scale = np.exp(rng.uniform(np.log(2.0), np.log(20.0)))
    gates = rng.standard_normal((2, 2, 2)) * scale / 2
    return GRUFlow(*gates, rng.standard_normal((2, 2)) * scale, *(rng.standard_normal((3, 2)) * scale / 4))


def end_of(flow, start, time):
    def slope(t, s):
        return flow.jacobian(s)

    run = solve_ivp(lambda t, s: flow(s), (0.0, time), start, method="LSODA", jac=slope, rtol=1e-9, atol=1e-12)
    assert run.success
    return run.y[:, -1]


def check(i, n_starts, n_followed):
    """Every start has an attractor, and scipy's trajectory is on it a long time later."""
    flow = random_network(i)
    starts = np.random.default_rng([15, i]).uniform(-1.0, 1.0, (n_starts, 2))
    result = attractors(flow, starts)
    assert result.status.code == "reached" and result.n_undecided == 0 and result.proved.all(), result
    slowest = [np.abs(np.linalg.eigvals(flow.jacobian(x)).real).min() for x in result.sinks]
    time = max([200.0 / rate for rate in slowest] + [20.0 * c.period for c in result.cycles])
    for start, label in zip(starts[:n_followed], result.label):
        end, longer = start, time
        for _ in range(6):  # behind shut gates trajectories creep, for much longer than they take once they are near
            end = end_of(flow, end, longer)
            on = [bool(np.linalg.norm(end - x) < 1e-4) for x in result.sinks]
            on += [bool(c.distance(end) < 1e-3 * c.extent.max()) for c in result.cycles]
            longer *= 30.0
            if any(on):
                break
        assert sum(on) == 1 and on.index(True) == label, (i, start, end, str(result))


@pytest.mark.parametrize("i", range(4))
def test_some_random_networks(i):
    check(i, 200, 8)


@pytest.mark.nightly
@pytest.mark.parametrize("i", range(100))
def test_random_networks(i):
    check(i, 200, 25)
