"""Where networks end: attractors that are known by construction, and those that a search for fixed points finds."""

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.networks.end_states import end_states


def starts(net, count=64, seed=0, scale=2.0):
    return scale * np.random.default_rng(seed).standard_normal((count, net.cell.n_state, net.n_units))


def switches(slow=0.0):
    """A GRU of three units that excite themselves, bistable one by one, and nine that listen to them: 2^3 attractors."""
    rng = np.random.default_rng(0)
    matrices = np.zeros((3, 12, 12))
    matrices[2, 3:] = 0.3 * rng.standard_normal((9, 12)) / np.sqrt(12)
    matrices[2, range(3), range(3)] = (4.0, 4.4, 5.0)  # halved by the reset gate
    biases = np.zeros((3, 12))
    biases[0] = slow
    return gt.Network(gt.GRU, matrices, biases)


@pytest.mark.parametrize("slow", [0.0, 3.0, 7.0])
def test_three_switches_have_eight_attractors(slow):
    """With b_z = 7 a step goes 1/1100 of the way: the slowest of them are found before they have arrived."""
    net = switches(slow)
    found = end_states(net, starts(net))
    assert len(found) == 8 and found.n_moving == 0 and found.hits.sum() == 64
    assert np.abs(net.driven(np.broadcast_to(net.input, (8, 3, 12))).step(found.states) - found.states).max() < 1e-8
    # h = tanh(a h / 2) for each switch by itself
    for i, a in enumerate((4.0, 4.4, 5.0)):
        h = 1.0
        for _ in range(200):
            h = np.tanh(a * h / 2)
        assert np.abs(np.abs(found.states[:, 0, i]) - h).max() < 1e-7
    assert len(np.unique(np.sign(found.states[:, 0, :3]), axis=0)) == 8


def test_ends_are_the_stable_fixed_points():
    net = gt.Network.sample(gt.Ensemble(gt.Vanilla, gain=1.6), 12, rng=3)
    search = net.find_fixed_points(rng=0, n_starts=200)
    stable = search.states[search.n_unstable == 0]
    found = end_states(net, starts(net))
    for state in found.states:
        assert np.abs(stable - state).max(axis=(1, 2)).min() < 1e-6


def test_what_never_rests_is_no_attractor():
    chaotic = gt.Network.sample(gt.Ensemble(gt.Vanilla, gain=4.0), 60, rng=0)
    found = end_states(chaotic, starts(chaotic, 6), n_steps=200)
    assert len(found) == 0 and found.n_moving == 6 and "still moves after 200 steps" in str(found)
    turn = np.array([[[0.0, -1.5], [1.5, 0.0]]])  # a cycle about an unstable zero state
    cycle = gt.Network(gt.Vanilla, turn, np.zeros((1, 2)))
    assert end_states(cycle, starts(cycle, 5)).n_moving == 5


def test_one_end_and_saving(tmp_path):
    net = gt.Network.sample(gt.Ensemble(gt.LSTM, gain=0.5, bias={"f": 1.0}), 30, rng=0)
    found = end_states(net, starts(net, 10))
    assert len(found) == 1 and np.abs(found.states).max() < 1e-6 and "1 distinct state" in str(found)
    gt.save(found, tmp_path / "ends.nc")
    again = gt.load(tmp_path / "ends.nc")
    assert np.array_equal(again.states, found.states) and np.array_equal(again.hits, found.hits)


def test_bad_arguments():
    net = gt.Network.sample(gt.Ensemble(gt.Vanilla), 5, rng=0)
    for call, error, words in (
        (lambda: end_states(3, np.zeros((1, 1, 5))), TypeError, "net must be a Network"),
        (lambda: end_states(net, np.zeros((1, 5))), ValueError, "starts must have shape"),
        (lambda: end_states(net, np.zeros((1, 1, 5)), n_steps=0), ValueError, "n_steps"),
        (
            lambda: end_states(gt.Network.sample(gt.Ensemble(gt.Vanilla), 5, batch=2), np.zeros((1, 1, 5))),
            gt.CapabilityError,
            "batch",
        ),
    ):
        with pytest.raises(error, match=words):
            call()
