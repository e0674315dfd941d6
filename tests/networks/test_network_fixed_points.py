"""Fixed points of sampled networks: indices, planted ones, the shut-gate trap, degree counts, refusals."""

import json

import numpy as np
import pytest
import sympy as sp
from samples import network, with_candidate
from scipy.optimize import fsolve

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


# --- memories


def open_gates(seed, **values):
    return gt.Network.sample(gt.Ensemble(gt.LSTM, gain=4.0, **values), 12 if "bias" in values else 32, rng=seed)


def distinct_and_fixed(net, found):
    """Points are fixed under a step of the network, to rounding of memories of any size, and apart from each other."""
    for i, state in enumerate(found.fixed):
        assert np.abs(net.step(state) - state).max() < 1e-12 * max(1.0, np.abs(state).max())
        others = np.delete(found.fixed[:, 0], i, axis=0)
        assert not len(others) or np.abs(others - state[0]).max(axis=1).min() > 1e-6


def test_fixed_points_on_the_steps_of_open_forget_gates():
    """Equations in h alone found 97 points here, and 158 with more starts followed to their end; there are some 900 in all."""
    count = 0
    for seed in range(30):
        net = open_gates(seed, bias={"f": 4.0})
        found = net.find_fixed_points(64, rng=0, spectra=False)
        check(net, found)
        distinct_and_fixed(net, found)
        count += len(found.fixed)
    assert count >= 158


def test_what_is_returned_as_slow_bears_on_no_fixed_point():
    for net in (open_gates(0, bias={"f": 4.0}), network("GRU", 12, gain=4.0)):
        none, some, all_ = (net.find_fixed_points(24, rng=0, slow_tol=slow_tol, spectra=False) for slow_tol in (0.0, 1e-2, 10.0))
        assert np.array_equal(none.fixed, some.fixed) and np.array_equal(none.fixed, all_.fixed)
        assert not len(none.slow) and len(some.slow) <= len(all_.slow)


@pytest.mark.parametrize("std, seed, walked", [(3.0, 0, False), (6.0, 1, False), (10.0, 0, True)])
def test_gates_held_open_by_the_input(std, seed, walked):
    """Fields as a trained LSTM of 128 units has them on constant inputs: memories of 1e2 to 1e7 at the fixed point, 1 - f down to
    1e-12. Equations in h alone find nothing here; where no start of Newton's method arrives the walk from uncoupled units does."""
    net = open_gates(seed, input_std=std)
    found = net.find_fixed_points(64, rng=0)
    distinct_and_fixed(net, found)
    assert len(found.fixed) and np.abs(found.fixed[:, 1]).max() > 100.0
    assert (found.hits[0] == 0) == ("on the way from uncoupled units" in str(found)) == walked
    if walked:
        assert found.n_failed == 64 and found.n_missing == float("inf")


# --- cells whose states are bounded in no obvious way


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    "candidate, gain",
    [(lambda y: sp.sin(sp.pi * y), 1.0), (lambda y: sp.exp(-(y**2)), 2.0), (lambda y: y * sp.exp(-(y**2)), 3.0)],
    ids=["sine", "bump", "odd bump"],
)
def test_three_units_against_brute_force(candidate, gain, seed):
    """Powell's method on the candidate itself, from 343 starts that fill the cube of states."""
    cell = with_candidate(candidate)
    net = gt.Network.sample(gt.Ensemble(cell, gain=gain), 3, rng=seed)
    f = sp.lambdify(cell.fields[1], cell.fixed_point[0], "numpy")
    grid = np.linspace(-1.0, 1.0, 7)
    points = []
    for start in np.stack(np.meshgrid(grid, grid, grid), axis=-1).reshape(-1, 3):
        x, _, converged, _ = fsolve(lambda x: f(net.matrices[1] @ x) - x, start, full_output=True, xtol=1e-12)
        if converged == 1 and all(np.abs(x - other).max() > 1e-6 for other in points):
            points.append(x)
    found = net.find_fixed_points(64, rng=0)
    check(net, found)
    assert found.complete_degree == 1
    assert len(found.fixed) == len(points)
    for x in points:
        assert np.abs(found.fixed[:, 0] - x).max(axis=1).min() < 1e-7


def test_a_degree_that_does_not_add_up_is_in_the_numbers():
    """Three units with a sine of gain 2 have some 35 fixed points: eight starts reach a few, and the sum of indices proves it."""
    net = gt.Network.sample(gt.Ensemble(with_candidate(lambda y: sp.sin(sp.pi * y)), gain=2.0), 3, rng=3)
    results = [net.find_fixed_points(8, rng=seed, spectra=False) for seed in range(12)]
    short = [found for found in results if found.degree != 1]
    assert short
    for found in short:
        lacking = abs(1 - found.degree)
        assert found.n_missing >= lacking and not found.status.ok
        words = f"add up to {found.degree} where 1 is right, so at least {lacking} {'is' if lacking == 1 else 'are'} missing"
        assert words in str(found) and "estimated" not in str(found)


# --- slow points of the map


def test_a_ghost_is_a_minimum_of_the_speed():
    """One unit just past the fold of tanh, as above: without gates the speed is the residual, eps at least. The eigenvalue is 1
    to first order in eps: a time scale of 1/eps or more."""
    h, eps = np.sqrt(1 / 3), 1e-3
    net = gt.Network(gt.Vanilla, np.full((1, 1, 1), 1.5), np.full((1, 1), np.arctanh(h) - 1.5 * h - 1.5 * eps))
    found = net.find_fixed_points(30, rng=0, objective="speed")
    assert found.label.tolist() == ["fixed", "slow"] and found.complete_degree is None
    assert found.speed[1] == pytest.approx(eps, rel=0.01) and abs(found.slow[0, 0, 0] - h) < 3 * eps
    assert found.timescale[1] > 0.1 / eps
    for state, speed, timescale in zip(found.states, found.speed, found.timescale):
        assert speed == pytest.approx(np.linalg.norm(net.step(state) - state), abs=1e-15)
        assert timescale == pytest.approx(1 / abs(np.log(abs(1.5 * (1 - net.step(state).item() ** 2)))), rel=1e-9)
    assert found.hits.sum() + found.n_failed == found.n_starts == 30
    assert "speed 1.0e-03" in str(found) and "slowest mode" in str(found)
    json.dumps(found.as_dict())


@pytest.mark.parametrize("name", ["GRU", "LSTM"])
def test_minima_of_the_speed_are_minima(name):
    """No displacement by 1e-3 lowers |s' - s| by more than its flatness, |J^T r| < 1e-5 |r|, allows."""
    net = network(name, 6, gain=3.0, bias={"z": 1.0} if name == "GRU" else {"f": 2.0})
    found = net.find_fixed_points(24, rng=0, objective="speed", slow_tol=0.1)
    rng = np.random.default_rng(0)
    assert len(found)
    for i, state in enumerate(found.states):
        assert i == 0 or np.abs(found.states[:i] - state).max(axis=(1, 2)).min() > 1e-6
        for _ in range(20):
            v = rng.standard_normal(state.shape)
            moved = state + 1e-3 * v / np.linalg.norm(v)
            assert np.linalg.norm(net.step(moved) - moved) > found.speed[i] * (1 - 2e-8)


def test_a_shut_gate_makes_slow_points_and_not_fixed_ones():
    """1 - z = 1e-11: every visited state is slow, and the words and the gate-free residual say that it is not fixed."""
    net = gt.Network.sample(gt.Ensemble(gt.GRU, gain={"r": 3, "h": 3, "z": 0}, bias={"z": 25}), 12, rng=0)
    found = net.find_fixed_points(20, rng=0, objective="speed")
    slow = found.label == "slow"
    assert slow.sum() > 10 and (found.speed[slow] < 1e-8).all() and (found.residual[slow] > 1e-3).all()
    assert "points where the speed |s' - s| is least" in str(found)


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
        ({"objective": "slow"}, ValueError, "objective must be 'fixed' or 'speed', got 'slow'"),
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
