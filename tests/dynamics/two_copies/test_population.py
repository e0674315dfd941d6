"""Networks that several copies share: what they do is what networks with these matrices do, and scatter is the error."""

from dataclasses import dataclass

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.dynamics.two_copies.drives import Drives
from gating_theory.dynamics.two_copies.population import Scatter, over_networks, population_sizes
from gating_theory.dynamics.two_copies.shared_network import SharedNetwork, bytes_needed
from gating_theory.ensemble.matrix_laws import LIMIT


def sampled_moments(ensemble, drives, start, tied, seed, n=400, networks=25):
    """Scatters of tables (R, T, R, T): of the state at times 0 .. T, and of the first message and the last at 0 .. T - 1."""

    def one(rng):
        states, first, last = [], [], []
        for now in SharedNetwork(ensemble, drives, n, rng, tied).run(start):
            states.append(now.state[0].copy())
            for kept, message in zip((first, last), (now.messages[0], now.messages[-1]) if now.messages else ()):
                kept.append(np.array(message))
        return [np.einsum("tan,ubn->atbu", rows, rows) / n for rows in map(np.array, (states, first, last))]

    scatters = [Scatter() for _ in range(3)]
    for tables in over_networks(one, networks, np.random.default_rng(seed)):
        for scatter, table in zip(scatters, tables):
            scatter.add(table)
    return scatters


@dataclass(frozen=True)
class AlwaysTheSame(gt.MatrixLaw):
    """Matrices that depend on their size and number alone, so that two networks have the same."""

    name = "always the same"
    holds = LIMIT

    def draw(self, n, rng, count=1):
        return np.random.default_rng([n, count]).standard_normal((count, n, n))


@pytest.mark.parametrize("name", ["Vanilla", "GRU", "GRUResetAfter", "LSTM", "PeepholeLSTM", "MGU", "JANET", "LiGRU"])
def test_copies_do_what_the_network_does(name):
    cell = getattr(gt, name)
    parameters = dict.fromkeys(cell.parameter_names, 0.3)
    ensemble = gt.Ensemble(cell, gain=1.5, bias=0.2, parameter=parameters, matrices=AlwaysTheSame())
    drives = Drives.given_sequences(ensemble, np.ones((3, 6, 1)), 0.0)
    shared = SharedNetwork(ensemble, drives, 40, np.random.default_rng(0))
    covariance = np.array([[1.0, 0.5, 0.0], [0.5, 1.0, 0.2], [0.0, 0.2, 0.6]])
    path = np.array([now.state.copy() for now in shared.run(covariance)])
    network = gt.Network.sample(ensemble, 40, rng=1)
    for copy in range(3):
        states = network.run(path[0, :, copy], 6, trajectory=True)
        assert np.allclose(states, path[:, :, copy], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("law", "tied"), [("iid", True), ("iid", False), ("stack", True)])
def test_formed_and_implicit_matrices_are_one_law(law, tied):
    """Few units, strong gains: moments of networks of the same size agree within errors, whichever way matrices act.

    In the stack a block of gain 0 counts, though no field is driven by it.
    """
    options = {"gain": {"z": 1 if law == "iid" else 0, "r": 2, "h": 5}, "bias_std": 0.3}
    start = np.array([[0.5, 0.3], [0.3, 0.5]])
    tables = []
    for matrices in (law, _Formed() if law == "iid" else _FormedStack()):
        ensemble = gt.Ensemble(gt.GRU, **options, matrices=matrices)
        drives = Drives.white_pair(ensemble.replace({"input_std.h": 0.5}), 4, 0.5)
        tables.append(sampled_moments(ensemble, drives, start, tied, len(tables)))
    for one, other in list(zip(*tables))[::2]:  # of the state, and of the message r h
        # sixty entries or so, errors from 25 networks each: t with some 48 degrees of freedom is beyond 4.5 once in 20,000
        assert (np.abs(one.mean - other.mean) < 4.5 * np.hypot(one.stderr, other.stderr)).all()


@dataclass(frozen=True)
class _Formed(gt.MatrixLaw):
    """Iid normal numbers of which nothing else is said: they must be formed."""

    name = "normal, formed"
    holds = LIMIT

    def draw(self, n, rng, count=1):
        return rng.standard_normal((count, n, n))


@dataclass(frozen=True)
class _FormedStack(gt.HaarStack):
    """Blocks of an isometry that must be formed."""

    name = "stack, formed"
    holds = LIMIT


def test_moments_at_the_start_are_those_asked_for():
    """The state at time 0 has the covariance given, whatever its rank; message h is the state."""
    ensemble = gt.Ensemble(gt.GRU, gain=1.0)
    drives = Drives.given_sequences(ensemble, np.ones((3, 2, 1)), 0.0)
    start = np.array([[1.0, 1.0, 0.2], [1.0, 1.0, 0.2], [0.2, 0.2, 0.7]])
    state, message, _ = sampled_moments(ensemble, drives, start, True, 0, n=200, networks=20)
    assert (np.abs(state.mean - start[:, None, :, None])[:, 0, :, 0] < 4.5 * state.stderr[:, 0, :, 0]).all()
    assert np.allclose(message.mean, state.mean[:, :2, :, :2], rtol=0, atol=1e-13)
    # copies that start alike and are fed alike stay alike
    assert np.allclose(state.mean[0], state.mean[1], rtol=0, atol=1e-10)


def test_scatter_is_mean_and_standard_error():
    values = np.random.default_rng(0).standard_normal((7, 3, 2)) + 1e6
    scatter = Scatter()
    for one in values:
        scatter.add(one)
    assert np.allclose(scatter.mean, values.mean(axis=0), rtol=1e-14)
    assert np.allclose(scatter.stderr, values.std(axis=0, ddof=1) / np.sqrt(7), rtol=1e-8)


@pytest.mark.parametrize("n_sites", [100, 777, 10_000, 1_000_000])
def test_sizes_use_the_sites(n_sites):
    n, count = population_sizes(n_sites)
    assert 0.9 * n_sites <= n * count <= n_sites and count >= 5


@pytest.mark.parametrize(("copies", "steps"), [(2, 5), (60, 20)])
def test_memory_is_what_was_foretold(copies, steps):
    """Traced allocations of a run stay below what is asked for before, and are not far below."""
    import tracemalloc

    ensemble = gt.Ensemble(gt.GRU, gain=1.0)
    drives = Drives.given_sequences(ensemble, np.ones((copies, steps, 1)), 1.0)
    for _ in SharedNetwork(ensemble, drives, 10, np.random.default_rng(0)).run(np.zeros((copies, copies))):
        pass  # compiles
    tracemalloc.start()
    for _ in SharedNetwork(ensemble, drives, 1000, np.random.default_rng(0)).run(np.zeros((copies, copies))):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    foretold = bytes_needed(ensemble, drives, 1000, True)
    assert 0.3 * foretold < peak < 1.2 * foretold
