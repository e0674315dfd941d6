"""Modes of trained networks: tables count what they say, a small run fills them, committed text is that of committed data."""

import json

import numpy as np
import pytest
from gating_theory.figures import trained_modes, trained_tables

import gating_theory as gt
from gating_theory import figures

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def small():
    """A run of two networks in seconds."""
    runs = (
        trained_modes.Run("GRU", "sines 20", 24, "Adam", 1.0, 30, 1),
        trained_modes.Run("LSTM", "recall 5", 20, "SGD", None, 30, 2),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trained_modes, "QUICK", {"runs": runs, "states": 2})
        yield trained_modes.compute(True, 0, figures.Work())


def test_a_small_run_fills_all_tables(small):
    assert dict(small.sizes)["network"] == 2 and small["bulk"].shape == (2, 2, len(trained_tables.BULK_ROWS), 3)
    assert (
        np.isfinite(small["bulk"]).all() and (small["found"].sel(row="control").isel(of_found=0) <= small["to_find"][..., 0]).all()
    )
    text = trained_modes.findings(small)
    assert all(words in text for words in (*trained_tables.BULK_ROWS.values(), *trained_tables.PREDICTION_ROWS.values()))
    assert "GRU  sines 20" in text and "optimiser SGD" in text and "nan" not in text
    assert len(trained_modes.draw(small).axes) == 8
    assert json.loads(small.attrs["settings"])["optimisers"]["SGD"][1]["momentum"] == 0.9


def test_spectra_that_are_drawn_are_complete(small):
    """A spectrum of each epoch, d N eigenvalues each with a kind, and shares that add up to the modulus of a mode."""
    kinds = small["eigenvalue_kind"].values
    assert ((kinds >= 0).sum(axis=2) == [[24] * 3, [40] * 3]).all()
    shares = small["bar_leak"] + small["bar_random"] + small["bar_learned"].sum("place")
    values = small["eigenvalues"].values
    for number, epoch, bar in np.argwhere(np.isfinite(shares.values)):
        modulus = np.hypot(*values[number, epoch].T)
        # kept in single precision
        assert np.nanmin(np.abs(modulus - shares.values[number, epoch, bar])) < 1e-5


def network_and_state(seed=0):
    net = gt.Network.sample(gt.Ensemble(gt.GRUResetAfter, gain=1.3), 30, seed)
    visited = net.run(net.random_state(seed), 12, trajectory=True)
    state = trained_tables.State(net, visited[-1], visited[:-1], np.broadcast_to(net.input, (13, *net.input.shape)))
    return net, state


def test_other_matrices_at_the_same_sites():
    """With its own matrices the spectrum is the network's; with others the derivatives of the cell stay."""
    net, state = network_and_state()
    assert np.allclose(np.sort_complex(state.eigenvalues(net.matrices)), np.sort_complex(state.eigenvalues()))
    # without matrices nothing but the leaks is left: the update gates' values
    z = net.cell.field_names.index("z")
    gates = 1.0 / (1.0 + np.exp(-state.sites.fields[z]))
    assert np.allclose(np.sort(state.eigenvalues(np.zeros_like(net.matrices)).real), np.sort(gates))


def test_visited_bases_hold_what_was_visited():
    net, state = network_and_state(3)
    h = net.cell.field_names.index("h")
    Q, messages = state.visited_bases[h], np.concatenate([state.visited, state.state[None]])[:, 0]
    assert np.allclose(Q.T @ Q, np.eye(Q.shape[1]))
    held = np.sum((messages @ Q) ** 2) / np.sum(messages**2)
    fewer = np.sum((messages @ Q[:, :-1]) ** 2) / np.sum(messages**2)
    assert held >= trained_tables.HELD > fewer


def test_an_untrained_network_has_nothing_but_its_bulk():
    net, state = network_and_state(1)
    split = trained_tables.Split(gt.split_weights(net), gt.split_weights(net, net), net.matrices)
    rows = trained_tables.bulk(state, split, np.random.default_rng(0))
    assert rows["rank"] == rows["initial"] and not split.rank.any()
    own, told = (gt.learned_modes(net, state.state, each) for each in (split.matrix, split.checkpoint))
    assert not any(any(row["checkpoint"]) for row in trained_tables.slow_modes(own, told))
    held, isolated = trained_tables.held_and_not(own, 0)
    found = trained_tables.predictions(state, split, held, isolated, np.random.default_rng(1))["rows"]
    # the whole matrix finds everything
    assert found["initial"]["isolated"] == isolated.size and max(found["initial"]["errors"], default=0.0) < 1e-9


def test_what_is_found_is_counted():
    isolated, predicted = np.array([1.0, 0.95j, -0.5]), np.array([1.04, 0.2, -0.46])
    found = trained_tables.counted(isolated, predicted)
    assert found == {"slow": 1, "isolated": 2, "errors": pytest.approx([0.04, abs(0.95j - 0.2), 0.04]), "predicted": 3, "real": 2}
