"""Fixed points of sampled networks: indices, planted ones, the shut-gate trap, degree counts, refusals."""

import json

import numpy as np
import pytest
from samples import network

import gating_theory as gt
from gating_theory.networks.reduced_map import ReducedMap

#: A gain at which each cell has a non-zero mean-field fixed point.
_PLANTED = {"Vanilla": 2.0, "GRU": 4.0, "GRUResetAfter": 4.0, "MGU": 4.0, "LSTM": 5.0, "JANET": 2.0}

#: Rounding of a step: fields are sums of N terms of order 1 (1e-15 each) and slopes are below 10^3 here; a factor 1000 spare.
_STEP = 1e-9


def check(net, found):
    """What must hold of any result."""
    for state in found.fixed:
        assert np.abs(net.step(state) - state).max() < _STEP * max(1.0, np.abs(state).max())
    assert (found.residual[found.label == "fixed"] < found.tol).all()
    slow = found.residual[found.label == "slow"]
    assert ((slow >= found.tol) & (slow < found.slow_tol)).all()
    assert found.hits.sum() + found.n_failed == found.n_starts
    assert set(found.label) <= {"fixed", "slow"}
    json.dumps(found.as_dict())
    assert found.status.ok == (found.complete_degree in (None, found.degree)) and str(found.status) in str(found)


# --- indices


@pytest.mark.parametrize("name", ["GRU", "LSTM", "JANET", "PeepholeLSTM"])
def test_index_is_that_of_the_full_jacobian(name):
    """det(1 - J) = prod det(1 - F_s) det(1 - dPhi/dx), and the first factor is positive: signs agree."""
    net = network(name, 5, rng=4)
    found = net.find_fixed_points(6, rng=0)
    check(net, found)
    assert len(found.fixed)
    for state, index in zip(found.fixed, found.index):
        assert index == np.sign(np.linalg.det(np.eye(state.size) - net.jacobian(state)))


# --- planted fixed points


@pytest.mark.parametrize("name", _PLANTED)
def test_planted_fixed_points_are_found_from_nearby(name):
    """Starts 1e-3 away. The planted state is exact to rounding times the conditioning, below 1e-8 by five digits or so."""
    fp = gt.fixed_points(gt.Ensemble(getattr(gt, name), gain=_PLANTED[name]))[-1]
    assert fp.moments["h"] > 1e-3
    net, state = gt.Network.planted(fp, 40, rng=3)
    starts = state + 1e-3 * np.random.default_rng(0).standard_normal((4, *state.shape))
    found = net.find_fixed_points(0, starts=starts, rng=1)
    check(net, found)
    distance = np.abs(found.fixed - state).max(axis=(1, 2))
    nearest = int(np.argmin(distance))
    assert distance[nearest] < 1e-8 * max(1.0, np.abs(state).max())
    assert found.hits[nearest] >= 3  # 1e-3 is well inside the basin; one of four may be thrown out by a nearly singular direction
    eigenvalues = np.abs(net.eigenvalues(state))
    # eigenvalues are moved by 1e-8 times their condition numbers, at most some hundreds here
    assert found.spectral_radius[nearest] == pytest.approx(eigenvalues.max(), rel=1e-5)
    assert found.n_unstable[nearest] == np.sum(eigenvalues > 1)


# --- the trap of a shut gate


@pytest.mark.parametrize("bias", [12.0, 16.0, 25.0])
def test_a_shut_update_gate_makes_no_fixed_points(bias):
    """Positions do not depend on the update gate, so the same starts reach the same points: identical up to rounding (1e-12).

    1 - z is 6e-6, 1e-7 and 1e-11: a search on |s' - s| < 1e-10 would take any state for fixed at the last.
    """
    rng = np.random.default_rng(5)
    matrices = 3.0 / np.sqrt(20) * rng.standard_normal((3, 20, 20))
    nets = [gt.Network(gt.GRU, matrices, np.array([[b], [0.0], [0.0]]) * np.ones((3, 20))) for b in (0.0, bias)]
    free, shut = (net.find_fixed_points(24, rng=0) for net in nets)
    check(nets[1], shut)
    for state in shut.fixed:
        h, y = state[0], nets[1].fields(state)
        assert np.abs(np.tanh(y[2]) - h).max() < 1e-8
    assert len(free.fixed) == len(shut.fixed) > 1
    assert np.abs(free.fixed - shut.fixed).max() < 1e-12
    assert (free.hits == shut.hits).all()
    assert (free.index == shut.index).all()


# --- how much is found


def test_many_fixed_points_of_a_chaotic_network_in_seconds():
    """Monotone Newton got 14 starts and 7 points here; 30 and 33 starts (two seeds) and 18 points now, in 2 to 7 s.

    Time is that of the processor, so that other work does not count.
    """
    net = gt.Network.sample(gt.Ensemble(gt.GRUResetAfter, gain=3.0), 100, rng=0)
    found = net.find_fixed_points(64, rng=1)
    check(net, found)
    assert found.hits[found.label == "fixed"].sum() >= 20
    assert len(found.fixed) >= 12
    assert found.n_missing > 0


@pytest.mark.parametrize("seed, count", [(4, 7), (8, 9), (13, 9)])
def test_all_fixed_points_of_a_small_network(seed, count):
    """With everything found the indices add up to the degree, 1 as tanh maps the cube into itself; pairs +-s are complete."""
    net = gt.Network.sample(gt.Ensemble(gt.Vanilla, gain=3.0), 8, rng=seed)
    found = net.find_fixed_points(600, rng=0, n_steps=60)
    check(net, found)
    assert found.odd
    assert len(found) == count
    assert found.degree == found.complete_degree == 1
    assert found.n_missing < 0.5
    signs = [np.sign(np.linalg.det(np.eye(8) - net.jacobian(state))) for state in found.fixed]
    assert sum(signs) == 1
    for state in found.fixed:
        # after polishing each is known to 1e-15 over the smallest singular value of the Jacobian, which is far above 1e-9
        assert np.abs(found.fixed + state).max(axis=(1, 2)).min() < 1e-6
    again = net.find_fixed_points(600, rng=7, n_steps=60, spectra=False)
    assert len(again.fixed) == len(found.fixed)
    assert again.spectral_radius is None and again.n_unstable is None


def test_contracting_networks_have_one_fixed_point():
    """Gain 0.3: the map contracts, every start ends at the one fixed point, and it is where the network runs to."""
    for name in ("GRU", "LSTM", "PeepholeLSTM"):
        net = network(name, 10, gain=0.3, bias_std=0.5)
        found = net.find_fixed_points(8, rng=0)
        check(net, found)
        assert (len(found), found.hits[0], found.n_missing, found.n_unstable[0]) == (1, 8, 0.0, 0)
        # the run contracts by less than 0.95 a step at these gains: 0.95^600 = 4e-14
        assert np.abs(net.run(found.states[0] + 0.1, 600, input="frozen") - found.states[0]).max() < 1e-9


def test_a_frozen_input_moves_the_fixed_points():
    net = network("GRU", 10, gain=0.5)
    pattern = np.random.default_rng(0).standard_normal((3, 10))
    (state,) = net.find_fixed_points(3, rng=0, input=pattern).fixed
    assert np.abs(net.step(state, pattern) - state).max() < _STEP
    assert np.abs(net.step(state) - state).max() > 1e-3


def test_a_ghost_is_slow_and_not_fixed():
    """One unit, y = 1.5 h + b just past the fold of tanh: |tanh(y) - h| has a minimum eps, found and labelled for what it is."""
    h = np.sqrt(1 / 3)  # where 1.5 (1 - h^2) = 1
    eps = 1e-3
    # at the fold tanh'(y) = 2/3: a bias lower by 1.5 eps lowers the gap by eps, to second order in eps
    bias = np.arctanh(h) - 1.5 * h - 1.5 * eps
    net = gt.Network(gt.Vanilla, np.full((1, 1, 1), 1.5), np.full((1, 1), bias))
    found = net.find_fixed_points(30, rng=0)
    check(net, found)
    (state,) = found.fixed
    assert state[0, 0] < 0
    assert found.index[0] == found.degree == 1
    # one Newton step from the ghost is thrown away, the descent from it stays
    found = net.find_fixed_points(0, starts=[[[h - 0.01]], [[h + 0.01]]], rng=0, n_steps=1)
    check(net, found)
    assert found.label.tolist() == ["slow"]
    assert found.hits.tolist() == [2]
    assert found.residual[0] == pytest.approx(eps, rel=0.01)
    assert abs(found.slow[0, 0, 0] - h) < 3 * eps  # the minimum moves by a number of order 1 times eps
    assert np.isnan(found.spectral_radius[0]) and found.n_unstable[0] == -1
    assert found.n_missing == float("inf")


# --- bookkeeping


def test_mirror_images_are_labelled():
    """From a single start the image comes along, with no hits of its own."""
    net = gt.Network.sample(gt.Ensemble(gt.Vanilla, gain=3.0), 8, rng=4)
    one = net.find_fixed_points(300, rng=0, n_steps=60)
    state = one.fixed[np.abs(one.fixed).max(axis=(1, 2)) > 1e-3][0]  # not the zero state
    found = net.find_fixed_points(0, starts=state, rng=0)
    assert found.hits.tolist() == [1, 0]
    assert found.mirrored.tolist() == [False, True]
    assert np.array_equal(found.states[1], -found.states[0])
    assert found.n_missing == float("inf")  # one hit says nothing about what else there is
    assert "mirror image" in str(found)
    assert not network("GRU").find_fixed_points(2, rng=0).odd


def test_the_same_seed_gives_the_same_points_and_none_found_is_said():
    net = network("GRU", 8)
    first, again = (net.find_fixed_points(6, rng=3) for _ in range(2))
    assert first.as_dict() == again.as_dict()
    hard = gt.Network.sample(gt.Ensemble(gt.Vanilla, gain=20.0, bias_std=1.0), 60, rng=0)
    none = hard.find_fixed_points(1, rng=0, n_steps=1, slow_tol=0.0)
    assert (len(none), none.n_failed, none.n_missing) == (0, 1, float("inf"))
    assert none.states.shape == (0, 1, 60)
    assert "too few to estimate" in str(none)


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"n_starts": 2.0}, TypeError, "n_starts must be an integer, got 2.0"),
        ({"n_starts": -1}, ValueError, "n_starts must be at least 0, got -1"),
        ({"n_starts": 0}, ValueError, "n_starts must be at least 1 where no starts are given"),
        ({"n_steps": 0}, ValueError, "n_steps must be at least 1"),
        ({"scale": 0.0}, ValueError, r"scale must lie in \(0"),
        ({"tol": 0.1}, ValueError, r"tol must lie in \(0.0, 0.001\], got 0.1"),
        ({"slow_tol": -1.0}, ValueError, "slow_tol must lie in"),
        ({"merge": "a"}, TypeError, "merge must be a real number"),
        ({"spectra": 1}, TypeError, "spectra must be True or False, got 1"),
        ({"starts": np.zeros((2, 1, 9))}, ValueError, r"starts must have shape \(1, 8\) or \(n, 1, 8\), got \(2, 1, 9\)"),
        ({"starts": "zero"}, TypeError, "starts must be an array"),
        ({"starts": np.full((1, 8), np.nan)}, ValueError, "starts must be finite"),
        ({"input": np.zeros(3)}, ValueError, "input must have shape"),
        ({"rng": "a"}, TypeError, "rng must be"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        network("GRU").find_fixed_points(**arguments)


def test_sites_without_a_fixed_state_are_stepped_away_from():
    """Peepholes of 0.3: many states give some site no fixed state. Starts get away from there, and what is found is checked."""
    net = network("PeepholeLSTM", 6, parameter=0.3, gain=1.0, bias=0.0)
    reduced = ReducedMap(net, net.input)
    assert np.isnan(reduced.residual(3.0 * np.random.default_rng(0).standard_normal((40, 1, 6)), np.zeros(40, dtype=int))).any()
    found = net.find_fixed_points(8, rng=0, scale=3.0)
    check(net, found)
    assert len(found.fixed)


def test_a_batch_is_refused():
    net = gt.Network.sample(gt.Ensemble(gt.GRU), 4, rng=0, batch=3)
    with pytest.raises(gt.CapabilityError, match="a batch of 3"):
        net.find_fixed_points(1)
