"""Modes of given networks: shares sum to the eigenvalue, and what was planted is found, named and taken away again."""

import dataclasses
import json

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.cell.builtin import BUILTIN
from gating_theory.training.learned_modes import ModesAt, modes_of
from gating_theory.training.mode_shares import ModeShares


def planted(cell, field, strength, n=64, seed=0, gain=0.8, bias=None):
    """A random network with one direction of this strength added to the matrix of one field, and the random network alone."""
    rng = np.random.default_rng(seed)
    random = gt.Network.sample(gt.Ensemble(cell, gain=gain, bias={} if bias is None else bias), n, rng=rng)
    u = rng.standard_normal(n)
    learned = np.zeros_like(random.matrices)
    learned[cell.field_names.index(field)] = (
        strength * np.outer(u, u) / (u @ u)
    )  # left along right: an eigenvalue, not only a singular one
    return gt.Network(cell, random.matrices + learned, random.biases), random


@pytest.mark.parametrize("name", BUILTIN)
def test_shares_sum_to_every_eigenvalue(name):
    """Leak, random and learned parts of all modes, those of messages that see earlier fields too: exact at random states."""
    cell, rng, n = getattr(gt, name), np.random.default_rng(0), 24
    parameters = {} if not cell.n_parameters else {"parameter": 0.3, "parameter_std": 0.2}
    net = gt.Network.sample(gt.Ensemble(cell, gain=1.5, bias=0.3, bias_std=0.2, **parameters), n, rng=1)
    spike = 3.0 * rng.standard_normal((cell.n_fields, n, 1)) * rng.standard_normal((cell.n_fields, 1, n)) / n
    net = gt.Network(cell, net.matrices + spike, net.biases, net.parameters)
    states = 0.5 * rng.standard_normal((2, cell.n_state, n))
    # any initial weights will do: here the difference is of full rank in no field and the sum is exact all the same
    modes = gt.learned_modes(net, states, gt.split_weights(net, net.matrices - spike))
    total = modes.leak + modes.random.sum(axis=1) + modes.learned.sum(axis=1)
    # rounding, magnified by the condition of the worst eigenvalue of 48 to 144
    assert np.abs(total - np.abs(modes.eigenvalues)).max() < 1e-12
    for state, values, bulk in zip(states, modes.eigenvalues, modes.bulk_eigenvalues):
        assert np.abs(values[:, None] - net.eigenvalues(state)).min(axis=1).max() < 1e-10
        # without what was added it is the network it was added to, at the sites of the given one: the derivative along a direction
        before, ds = gt.Network(cell, net.matrices - spike, net.biases, net.parameters), rng.standard_normal((cell.n_state, n))
        held = before.push(state, ds, fields=net.fields(state))
        vector, total = ds.ravel(), np.linalg.eigvals(jacobian_at(before, state, net.fields(state)))
        assert np.abs(bulk[:, None] - total).min(axis=1).max() < 1e-8
        assert np.allclose(jacobian_at(before, state, net.fields(state)) @ vector, held.ravel(), atol=1e-12)


def jacobian_at(net, state, fields):
    """The Jacobian at given fields, by pushing all directions."""
    size = state.size
    return net.push(state, np.eye(size).reshape(*state.shape, size), fields=fields).reshape(size, size)


@pytest.mark.parametrize("cell, field, strength", [("Vanilla", "h", 2.8), ("GRU", "h", 4.0), ("LSTM", "g", 5.0)])
def test_a_planted_direction_is_a_learned_mode(cell, field, strength):
    """At the zero state, where the theory of outliers is a closed form: one mode outside, its field, and removal moves it."""
    net, random = planted(getattr(gt, cell), field, strength)
    state = np.zeros((net.cell.n_state, net.n_units))
    modes = gt.learned_modes(net, state)
    assert modes.n_learned[field] == 1 and sum(modes.n_learned.values()) == 1 and modes.status.ok
    (mode,) = modes.of_kind("learned")
    # GRU: 1/2 + omega / 4; LSTM: 1/2 + omega / 4; vanilla omega [T11]. A network of 64 units scatters by some a / sqrt N
    exact = {"Vanilla": strength, "GRU": 0.5 + strength / 4, "LSTM": 0.5 + strength / 4}[cell]
    assert mode.eigenvalue.real == pytest.approx(exact, abs=0.15) and abs(mode.eigenvalue.imag) < 1e-9
    assert mode.field == field and mode.share == pytest.approx(strength / exact / (1 if cell == "Vanilla" else 4), abs=0.15)
    assert mode.leak == pytest.approx(0.0 if cell == "Vanilla" else 0.5, abs=0.05)
    assert mode.removed[field] == mode.removed["all"] > 0.3 and set(mode.removed) == {field, "all"}
    # what is left is the random network without its part along the two vectors: no mode outside but by chance
    edge = gt.Spectrum.from_sites(net.cell, net.sites(state), modes.ensemble.array("gain")).edge_function(modes.bulk_eigenvalues[0])
    assert np.sum(np.asarray(edge) < modes.threshold) <= 1
    assert "learned direction" in str(modes) and repr(modes).startswith("Modes(1 states")
    json.dumps(modes.as_dict(), allow_nan=False)


def test_the_initial_weights_show_what_the_matrix_hides():
    """A direction weaker than the gain of 1.5 of a GRU: invisible in the matrix, told by the weights before training."""
    net, random = planted(gt.GRU, "h", 1.4, gain={"z": 0.1, "r": 0.1, "h": 1.5}, n=96)
    state = np.zeros((1, 96))
    alone, known = gt.learned_modes(net, state), gt.learned_modes(net, state, gt.split_weights(net, random))
    assert alone.n_learned["h"] == 0 and not alone.of_kind("learned") and "initial=" in str(alone)
    assert known.from_initial and known.n_learned == {"z": 0, "r": 0, "h": 1}
    assert set(known.removed) == {"h", "all"}
    assert np.abs(known.learned).max() > 0.02 and np.all(alone.learned == 0.0)
    shares = known.leak + known.random.sum(axis=1) + known.learned.sum(axis=1)
    assert shares == pytest.approx(np.abs(known.eigenvalues), abs=1e-12)


def test_behind_shut_gates_what_is_learned_is_still_told():
    """Update gates at .982 everywhere: a mode at .998 is 98 % leak and .01 from the bulk, and learned all the same."""
    net, _ = planted(gt.GRU, "h", 1.8, bias={"z": 4.0})
    modes = gt.learned_modes(net, np.zeros((1, 64)))
    (mode,) = modes.of_kind("learned")
    leak = 1 / (1 + np.exp(-4.0))
    assert mode.eigenvalue.real == pytest.approx(leak + (1 - leak) * 0.9, abs=0.003)
    assert mode.leak > 0.95 * abs(mode.eigenvalue) and mode.removed["h"] < 0.03 and mode.field == "h" and mode.timescale > 100
    # all others are bulk: the leak is that of every unit, not of one
    assert modes.count("leak") == 0 and modes.count("bulk") >= 62 and modes.count("bulk", slow=True) >= 60


def test_a_shut_gate_is_no_learned_mode():
    """One unit's update gate at .997 among ordinary ones: its mode is its leak, on that unit, trained or not."""
    net, _ = planted(gt.GRU, "h", 4.0)
    biases = net.biases.copy()
    biases[0, 5] = 6.0
    modes = gt.learned_modes(gt.Network(gt.GRU, net.matrices, biases), np.zeros((1, 64)))
    (shut,) = modes.of_kind("leak")
    assert abs(shut.eigenvalue) == pytest.approx(1 / (1 + np.exp(-6.0)), abs=2e-3) and shut.on_unit > 0.95
    assert shut.leak == pytest.approx(abs(shut.eigenvalue), abs=2e-3) and shut.removed["all"] < 0.03 and shut.timescale > 200
    assert len(modes.of_kind("learned")) == 1 and "single units forget slowly by themselves" in str(modes)


def test_shut_gates_outside_are_said_and_hide_nothing():
    """Half of the units with update gates shut more and more: leaks of some lie outside; no hidden training has to explain them."""
    net, _ = planted(gt.GRU, "h", 4.0)
    biases = net.biases.copy()
    biases[0, :32] = np.linspace(4.0, 14.0, 32)
    modes = gt.learned_modes(gt.Network(gt.GRU, net.matrices, biases), np.zeros((1, 64)))
    shut = (modes.outside & (modes.kinds == "leak")).sum()
    assert shut >= 10 and modes.status.ok and f"{shut} of them are single units whose gates are shut" in str(modes)
    assert "about one does by chance besides what shut gates hold" in str(modes)


def test_no_field_is_named_where_leaks_are_all_of_a_learned_mode():
    """Learned parts that take from the modulus, by hand: the text gives parts of the whole, and credits no direction with 0 %."""
    net, _ = planted(gt.GRU, "h", 4.0)
    modes = gt.learned_modes(net, np.zeros((1, 64)))
    (mode,) = modes.of_kind("learned")
    assert "of the modulus comes from the candidate's (h) 1 learned direction" in str(modes)
    parts = {name: part.copy() for name, part in {"leak": modes.leak, "learned": modes.learned}.items()}
    at = np.argmin(np.abs(modes.eigenvalues[0] - mode.eigenvalue))
    parts["leak"][0, at], parts["learned"][0, :, at] = 1.2 * abs(mode.eigenvalue), [0.0, 0.0, -0.2 * abs(mode.eigenvalue)]
    words = str(dataclasses.replace(modes, **parts))
    assert "120 % of the modulus comes from leaks, -20 % from what is learned" in words and "comes from the candidate" not in words


@pytest.mark.parametrize("cell", ["GRU", "LSTM"])
def test_nothing_is_learned_in_untrained_networks(cell):
    """Sampled networks in motion: about one mode lies outside at most, none is called learned."""
    outside = []
    for seed in range(6):
        net = gt.Network.sample(gt.Ensemble(getattr(gt, cell), gain=1.8, bias_std=0.5), 48, rng=seed)
        modes = gt.learned_modes(net, net.run(net.random_state(seed), 30))
        outside.append(modes.outside.sum())
        assert modes.count("learned") == 0 and "from leaks" not in str(modes)
    assert np.mean(outside) < 2.0


def test_networks_without_a_random_part():
    """A matrix of rank one and nothing else, made by hand: all of its mode is learned, and nothing is left without it."""
    u = np.ones(8) / np.sqrt(8.0)
    made = gt.Network(gt.Vanilla, 0.9 * np.outer(u, u)[None], np.zeros((1, 8)))
    (slow,) = (
        mode
        for mode in gt.learned_modes(made, np.zeros((1, 8)), gt.split_weights(made, np.zeros((1, 8, 8))))
        if abs(mode.eigenvalue) > 0.5
    )
    assert slow.kind == "learned" and slow.learned["h"] == pytest.approx(0.9) and slow.removed["h"] == pytest.approx(0.9)
    alone = gt.learned_modes(made, np.zeros((1, 8)))
    assert alone.n_learned["h"] == 1 and np.abs(alone.learned[0, 0]).max() == pytest.approx(0.9)
    assert gt.diagnose(made, n_states=1).modes.n_learned["h"] == 1


def test_many_states_and_networks_under_inputs_are_one():
    net, _ = planted(gt.GRU, "h", 4.0, n=16)
    states = np.random.default_rng(0).standard_normal((3, 1, 16))
    together = gt.learned_modes(net, states)
    driven = gt.learned_modes(net.driven(np.zeros((3, 3, 16))), states)
    assert np.array_equal(together.eigenvalues, driven.eigenvalues) and np.array_equal(together.kinds, driven.kinds)
    assert together.n_states == 3 and [m.state for m in together] == sorted(m.state for m in together)
    one = gt.learned_modes(net, states[1])
    assert np.array_equal(one.eigenvalues[0], together.eigenvalues[1]) and len(one) == sum(m.state == 1 for m in together)


def test_a_defective_eigenvalue_has_no_shares():
    """A Jordan block: left and right vectors are orthogonal, shares are nan, the eigenvalue stays."""
    block = 0.95 * np.eye(4) + np.eye(4, k=1)
    modes = gt.learned_modes(gt.Network(gt.Vanilla, block[None], np.zeros((1, 4))), np.zeros((1, 4)))
    # rounding moves a fourfold eigenvalue by its fourth root
    assert np.isnan(modes.leak).any() and modes.eigenvalues == pytest.approx(np.full((1, 4), 0.95), abs=1e-3)
    json.dumps(modes.as_dict(), allow_nan=False)
    assert "nan" not in str(modes)


def test_bad_arguments(tmp_path):
    net, other = planted(gt.GRU, "h", 4.0, n=8)
    modes = gt.learned_modes(net, np.zeros(8))
    again = gt.load(gt.save(modes, tmp_path / "modes.json"))
    assert np.array_equal(again.kinds, modes.kinds) and str(again) == str(modes)
    for call, error, words in (
        (lambda: gt.learned_modes(3, np.zeros(8)), TypeError, "net must be"),
        (lambda: gt.learned_modes(net, np.zeros(7)), ValueError, "state must have shape"),
        (lambda: gt.learned_modes(net, np.zeros(8), gt.split_weights(other)), ValueError, "split must be that of net"),
        (lambda: gt.learned_modes(net, np.zeros(8), 3), TypeError, "split must be"),
        (
            lambda: gt.learned_modes(gt.Network.sample(gt.Ensemble(gt.GRU), 8, batch=2), np.zeros((2, 1, 8))),
            ValueError,
            "several matrices",
        ),
        (lambda: modes.count("slow"), ValueError, "kind must be one of"),
        (lambda: modes.of_kind("slow"), ValueError, "kind must be one of"),
    ):
        with pytest.raises(error, match=words):
            call()


def test_what_leaks_hold_is_learned_where_most_of_the_rest_is():
    """Beside a leak of .98 a learned part of .018 makes a mode learned; .0001 does not, nor .004 where chance gives the rest."""
    net = gt.Network.sample(gt.Ensemble(gt.Vanilla, gain=0.5), 4, rng=0)
    split = gt.split_weights(net, net.matrices * 0.9)
    values = np.array([0.998, 1.0003, 0.998, 0.9])
    leak, learned = np.array([0.98, 1.0002, 0.98, 0.2]), np.array([0.018, 0.0001, 0.004, 0.7])
    shares = ModeShares(values.astype(complex), np.full(4, 0.1), leak, (values - leak - learned)[None], learned[None])
    at = ModesAt(shares, 0.5 * values, np.full(4, 0.1), np.full(4, 0.1), {"all": np.full(4, 0.4), "h": np.full(4, 0.4)})
    assert modes_of([at], net, split).kinds[0].tolist() == ["learned", "random", "random", "learned"]
