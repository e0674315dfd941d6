"""Sampled networks: their law, their dynamics by hand, their Jacobian by finite differences, planted fixed points, refusals."""

import dataclasses
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import kstest

import gating_theory as gt
from gating_theory.cell.builtin import BUILTIN
from gating_theory.results.status import Status

N = 12


def ensemble(name, **changes):
    """An ensemble of a built-in cell with nothing at its default."""
    cell = getattr(gt, name)
    kinds = {"gain": (1.5, 0.3), "bias": (-0.4, 0.3), "bias_std": (0.2, 0.1), "input_std": (0.3, -0.05)}
    values = {kind: {n: a + b * k for k, n in enumerate(cell.field_names)} for kind, (a, b) in kinds.items()}
    values["parameter"] = {n: 0.3 - 0.2 * k for k, n in enumerate(cell.parameter_names)}
    values["parameter_std"] = {n: 0.1 for n in cell.parameter_names}
    return gt.Ensemble(cell, **{**values, **changes})


def away_from_kinks(net, state, rng):
    """A state at which no field of a ReLU cell is close to 0."""
    while net.cell.name == "LiGRU" and np.abs(net.fields(state)).min() < 1e-2:
        state = net.random_state(rng)
    return state


# --- the law of a sample


def test_sample_has_the_gains_biases_and_inputs_of_its_ensemble():
    """Means and variances within five standard errors; matrices and sites normal (Kolmogorov-Smirnov, p > 1e-4)."""
    ens = ensemble("PeepholeLSTM")
    n = 400
    net = gt.Network.sample(ens, n, rng=1)
    K = net.cell.n_fields
    assert (net.n_units, net.batch, net.cell, net.ensemble) == (n, None, gt.PeepholeLSTM, ens)
    assert net.matrices.shape == (K, n, n)
    assert net.biases.shape == net.input.shape == (K, n)
    assert net.parameters.shape == (3, n)
    populations = [(net.matrices[k], 0.0, ens.array("gain")[k] / np.sqrt(n)) for k in range(K)]
    populations += [(net.biases[k], ens.array("bias")[k], ens.array("bias_std")[k]) for k in range(K)]
    populations += [(net.input[k], 0.0, ens.array("input_std")[k]) for k in range(K)]
    populations += [(net.parameters[k], ens.array("parameter")[k], ens.array("parameter_std")[k]) for k in range(3)]
    for values, mean, std in populations:
        x = (values.ravel() - mean) / std
        assert abs(x.mean()) < 5 / np.sqrt(x.size)
        assert abs(x.var() - 1) < 5 * np.sqrt(2 / x.size)
        assert kstest(x[:1000], "norm").pvalue > 1e-4


def test_fields_and_networks_of_a_sample_are_independent():
    """No correlation between the matrices of different fields, or of different networks of a batch, beyond five standard errors."""
    net = gt.Network.sample(ensemble("GRU"), 100, rng=2, batch=3)
    flat = net.matrices.reshape(9, -1)
    assert np.abs(np.corrcoef(flat) - np.eye(9)).max() < 5 / 100
    assert np.abs(np.corrcoef(net.biases.reshape(9, -1)) - np.eye(9)).max() < 5 / 10


def test_spreads_default_to_none():
    net = gt.Network.sample(gt.Ensemble(gt.GRU, gain={"z": 2.0, "r": 0.0, "h": 1.0}, bias=0.5), N, rng=0)
    assert (net.biases == 0.5).all()
    assert not net.input.any()
    assert not net.matrices[1].any()


@pytest.mark.parametrize("batch", [None, 2])
def test_the_same_seed_gives_the_same_network(batch):
    ens = ensemble("GRU")
    first, again, other = (gt.Network.sample(ens, N, rng=seed, batch=batch) for seed in (3, np.random.default_rng(3), 4))
    state = first.random_state(rng=5)
    assert np.array_equal(state, again.random_state(rng=5))
    assert np.array_equal(first.run(state, 7, rng=6), again.run(state, 7, rng=6))
    assert not np.array_equal(first.run(state, 7, rng=6), first.run(state, 7, rng=7))
    assert not np.array_equal(first.matrices, other.matrices)


def test_fresh_entropy_by_default():
    ens = ensemble("Vanilla")
    assert not np.array_equal(gt.Network.sample(ens, N).matrices, gt.Network.sample(ens, N).matrices)


def test_a_network_keeps_its_own_read_only_arrays():
    given_matrices = np.ones((1, 3, 3))
    net = gt.Network(gt.Vanilla, given_matrices, np.zeros((1, 3)))
    given_matrices[:] = 7.0
    assert (net.matrices == 1.0).all()
    for array in (net.matrices, net.biases, net.parameters, net.input):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0.0
    with pytest.raises(AttributeError):
        net.matrices = given_matrices


def test_given_arrays_measure_their_own_ensemble():
    """A bare cell gets the iid ensemble with the same second moments; sites then carry these gains."""
    ens = ensemble("JANET", input_std=0.0)
    source = gt.Network.sample(ens, 500, rng=8)
    net = gt.Network(gt.JANET, source.matrices, source.biases, source.parameters, source.input)
    for kind in ("gain", "bias", "bias_std", "parameter", "parameter_std"):
        assert net.ensemble.array(kind) == pytest.approx(ens.array(kind), abs=0.04)
    assert net.ensemble.gain["g"] == pytest.approx(np.linalg.norm(source.matrices[1]) / np.sqrt(500), rel=1e-14)
    assert net.sites(net.random_state(0)).gain == pytest.approx(net.ensemble.array("gain"))
    assert not net.ensemble.array("input_std").any()


def test_site_parameters_default_to_the_ensembles_means():
    ens = ensemble("GRUResetAfter")
    matrices, biases = np.zeros((2, 3, N, N)), np.zeros((2, 3, N))
    assert (gt.Network(ens, matrices, biases).parameters == ens.parameter["b_in"]).all()
    assert not gt.Network(gt.GRUResetAfter, matrices, biases).parameters.any()


# --- dynamics, against formulas written out by hand


def test_gru_step_by_hand():
    net = gt.Network.sample(ensemble("GRU"), N, rng=0)
    state = net.random_state(rng=1)
    (h,), (U_z, U_r, U_h), b = state, net.matrices, net.biases + net.input
    z, r = expit(U_z @ h + b[0]), expit(U_r @ h + b[1])
    y_h = U_h @ (r * h) + b[2]
    assert net.fields(state)[2] == pytest.approx(y_h, abs=1e-14)
    assert net.step(state)[0] == pytest.approx(z * h + (1 - z) * np.tanh(y_h), abs=1e-14)


def test_lstm_step_by_hand():
    net = gt.Network.sample(ensemble("LSTM"), N, rng=0)
    state = net.random_state(rng=1)
    h, c = state
    y = net.matrices @ h + net.biases + net.input
    f, i, g, o = expit(y[0]), expit(y[1]), np.tanh(y[2]), expit(y[3])
    new = f * c + i * g
    assert net.step(state) == pytest.approx(np.array([o * np.tanh(new), new]), abs=1e-14)


@pytest.mark.parametrize("name", BUILTIN)
def test_a_batch_is_its_networks_one_by_one(name):
    """Fields, steps, runs, Jacobians, eigenvalues and determinants of a batch are those of its members."""
    batch = gt.Network.sample(ensemble(name), N, rng=9, batch=3)
    members = [
        gt.Network(batch.ensemble, *(a[b] for a in (batch.matrices, batch.biases, batch.parameters, batch.input))) for b in range(3)
    ]
    state = batch.random_state(rng=10, scale=0.5)
    lam = np.array([[0.3 + 0.2j, 1.7]])
    for b, net in enumerate(members):
        one = state[b]
        assert batch.fields(state)[b] == pytest.approx(net.fields(one), abs=1e-13)
        assert batch.step(state)[b] == pytest.approx(net.step(one), abs=1e-13)
        assert batch.run(state, 3, input="frozen", trajectory=True)[:, b] == pytest.approx(
            net.run(one, 3, input="frozen", trajectory=True), abs=1e-12
        )
        assert batch.jacobian(state)[b] == pytest.approx(net.jacobian(one), abs=1e-13)
        assert batch.log_det(lam, state)[b] == pytest.approx(net.log_det(lam, one), abs=1e-12)
        assert np.sort(np.abs(batch.eigenvalues(state)[b])) == pytest.approx(np.sort(np.abs(net.eigenvalues(one))), abs=1e-10)


def test_run_is_repeated_steps():
    net = gt.Network.sample(ensemble("LSTM"), N, rng=0)
    state = net.random_state(1)
    path = net.run(state, 4, input="frozen", trajectory=True)
    assert path.shape == (5, 2, N)
    assert np.array_equal(path[0], state)
    for t in range(4):
        assert np.array_equal(path[t + 1], net.step(path[t]))
    assert np.array_equal(net.run(state, 4, input="frozen"), path[-1])
    assert np.array_equal(net.run(state, 0), state)
    assert net.run(state, 0, trajectory=True).shape == (1, 2, N)


def test_noise_is_drawn_anew_at_every_step():
    """Without recurrence the state of a vanilla network shows its input: fresh at every step, or the frozen pattern."""
    n = 500
    net = gt.Network.sample(gt.Ensemble(gt.Vanilla, gain=0, input_std=0.1), n, rng=0)
    path = np.arctanh(net.run(net.random_state(1), 3, rng=2, trajectory=True)[1:, 0])
    assert path.std(axis=1) == pytest.approx(0.1, rel=5 / np.sqrt(2 * n))
    assert np.abs(np.corrcoef([*path, net.input[0]]) - np.eye(4)).max() < 5 / np.sqrt(n)
    frozen = np.arctanh(net.run(net.random_state(1), 3, input="frozen", trajectory=True)[1:, 0])
    assert frozen == pytest.approx(np.broadcast_to(net.input, (3, n)), abs=1e-14)


def test_fields_without_noise_keep_their_frozen_pattern():
    ens = gt.Ensemble(gt.LiGRUTanh, gain=0, input_std={"h": 0.1})
    pattern = np.array([np.linspace(-2, 2, 500), np.full(500, 50.0)])  # of the h field it is replaced by the noise
    net = gt.Network(ens, np.zeros((2, 500, 500)), np.zeros((2, 500)), input=pattern)
    noise = np.arctanh(net.run(np.zeros(500), 1, rng=0)[0] / expit(-pattern[0]))
    assert noise.std() == pytest.approx(0.1, rel=5 / np.sqrt(1000))
    assert abs(np.corrcoef(noise, pattern[0])[0, 1]) < 5 / np.sqrt(500)


def test_given_inputs():
    """A constant pattern, one per step, and one per network, all equal to steps taken one by one."""
    net = gt.Network.sample(ensemble("GRU"), N, rng=0, batch=2)
    state, rng = net.random_state(1), np.random.default_rng(2)
    series = rng.normal(size=(3, 2, 3, N))
    by_hand = state
    for pattern in series:
        by_hand = net.step(by_hand, pattern)
    assert np.array_equal(net.run(state, 3, input=series), by_hand)
    assert np.array_equal(net.run(state, 1, input=series[0]), net.step(state, series[0]))
    shared = series[0, 0]
    assert np.array_equal(net.step(state, shared), net.step(state, np.stack([shared, shared])))
    assert not np.array_equal(net.step(state, shared), net.step(state))


@pytest.mark.parametrize("name", ["GRU", "LSTM"])
@pytest.mark.parametrize("batch", [None, 2])
def test_flat_states_are_the_same_states(name, batch):
    net = gt.Network.sample(ensemble(name), N, rng=0, batch=batch)
    state = net.random_state(1)
    flat = state.reshape(*state.shape[:-2], -1)
    assert np.array_equal(net.step(flat), net.step(state))
    assert net.step(flat).shape == state.shape
    assert np.array_equal(net.jacobian(flat), net.jacobian(state))


def test_states_are_not_written_to():
    net = gt.Network.sample(ensemble("LSTM"), N, rng=0)
    state = net.random_state(1)
    before = state.copy()
    out = net.run(state, 0)
    out += 1.0
    net.run(state, 3, rng=0), net.jacobian(state), net.sites(state)
    assert np.array_equal(state, before)


def test_a_network_that_runs_away_says_so():
    net = gt.Network.sample(gt.Ensemble(gt.LiGRU, gain={"z": 0, "h": 50}), N, rng=0)
    with pytest.raises(gt.ConvergenceError, match="runs away: it is not finite after") as caught:
        net.run(net.random_state(0), 2000)
    assert np.isfinite(caught.value.estimate).all()


def test_random_state_scale():
    net = gt.Network.sample(ensemble("LSTM"), 500, rng=0)
    assert net.random_state(0).shape == (2, 500)
    assert net.random_state(0, scale=3.0).std(axis=1) == pytest.approx(3.0, rel=5 / np.sqrt(1000))
    assert not net.random_state(0, scale=0).any()


# --- Jacobian


@pytest.mark.parametrize("batch", [None, 2])
@pytest.mark.parametrize("name", BUILTIN)
def test_jacobian_against_finite_differences(name, batch):
    """Sixth-order differences of the step; rounding leaves about 1e-12, a wrong or missing term is of order 1."""
    rng = np.random.default_rng(11)
    net = gt.Network.sample(ensemble(name), N, rng=rng, batch=batch)
    state = away_from_kinks(net, net.random_state(rng), rng)
    assert net.check_jacobian(state, rng) < 1e-10


@pytest.mark.parametrize("name", BUILTIN)
def test_every_entry_of_the_jacobian(name):
    """Column by column with plain central differences, so that the check inside the package is itself checked."""
    rng = np.random.default_rng(12)
    net = gt.Network.sample(ensemble(name), 6, rng=rng)
    state = away_from_kinks(net, net.random_state(rng), rng)
    d = net.cell.n_state
    numeric = np.empty((d * 6, d * 6))
    for j in range(d * 6):
        shift = np.zeros(d * 6)
        shift[j] = 1e-5
        numeric[:, j] = (net.step(state + shift.reshape(d, 6)) - net.step(state - shift.reshape(d, 6))).ravel() / 2e-5
    # truncation (1e-5)^2 f'''/6 and rounding 1e-16/1e-5, both about 1e-10
    assert net.jacobian(state) == pytest.approx(numeric, abs=3e-9)


def test_check_jacobian_notices_a_wrong_derivative(monkeypatch):
    net = gt.Network.sample(ensemble("GRU"), N, rng=0)
    state = net.random_state(1)
    right = type(net).jacobian
    monkeypatch.setattr(type(net), "jacobian", lambda *a: right(*a) + 1e-4 * np.eye(N))
    assert net.check_jacobian(state, 0) > 1e-6


def test_jacobian_at_another_input():
    net = gt.Network.sample(ensemble("LSTM"), N, rng=0)
    state, pattern = net.random_state(1), np.ones((4, N))
    assert net.check_jacobian(state, 0, input=pattern) < 1e-10
    assert not np.allclose(net.jacobian(state, pattern), net.jacobian(state))


def test_matrices_that_are_zero_are_left_out():
    """Without recurrence the Jacobian is the leak; a reset gate without a matrix passes no derivative on."""
    ens = ensemble("GRU", gain=0.0)
    net = gt.Network.sample(ens, N, rng=0)
    state = net.random_state(1)
    assert net.jacobian(state) == pytest.approx(np.diag(expit(net.fields(state)[0])), abs=1e-15)
    one = gt.Network.sample(ens.replace({"gain.h": 2.0}), N, rng=0)
    assert one.check_jacobian(state, 0) < 1e-10


@given(
    name=st.sampled_from(BUILTIN),
    seed=st.integers(0, 2**32 - 1),
    lam=st.complex_numbers(min_magnitude=1.5, max_magnitude=4, allow_nan=False),
    scale=st.floats(0.1, 2),
)
def test_determinant_identity(name, seed, lam, scale):
    """det(lambda - J) = prod_sites det(lambda - F_s) det(1 - W(lambda) U) at N = 3, W from the numerical blocks [T2]."""
    rng = np.random.default_rng(seed)
    cell, n = getattr(gt, name), 3
    net = gt.Network.sample(ensemble(name), n, rng=rng)
    state = net.random_state(rng, scale)
    fields = net.fields(state)
    blocks = cell.compiled.blocks(state, fields, net.parameters)
    d, K = cell.n_state, cell.n_fields
    W = np.zeros((K * n, K * n), dtype=complex)
    leak = 1.0
    for site in range(n):
        F_s, F_y, M_s, M_y = (np.zeros(shape) for shape in ((d, d), (d, K), (K, d), (K, K)))
        for block, dense in (("F_s", F_s), ("F_y", F_y), ("M_s", M_s), ("M_y", M_y)):
            for (i, j), value in blocks[block].items():
                dense[i, j] = np.broadcast_to(value, n)[site]
        W[site::n, site::n] = M_s @ np.linalg.solve(lam * np.eye(d) - F_s, F_y) + M_y
        leak *= np.linalg.det(lam * np.eye(d) - F_s)
    U = np.zeros((K * n, K * n))
    for k in range(K):
        U[k * n : (k + 1) * n, k * n : (k + 1) * n] = net.matrices[k]
    expected = leak * np.linalg.det(np.eye(K * n) - W @ U)
    found = np.linalg.det(lam * np.eye(d * n) - net.jacobian(state))
    # |lambda| exceeds every leak, so no cancellation of poles: rounding only, relative to the terms of the expansion
    size = abs(leak) * np.prod(1.0 + np.linalg.norm(W @ U, axis=1))
    assert abs(found - expected) <= 1e-12 * size


@pytest.mark.parametrize("name", ["GRU", "LSTM"])
def test_log_det_is_the_sum_over_eigenvalues(name):
    net = gt.Network.sample(ensemble(name), 40, rng=0)
    state = net.random_state(1)
    lam = np.array([[0.1 + 0.3j, -0.5], [2.0, 1.0 - 1.0j]])
    expected = np.log(np.abs(lam[..., None] - net.eigenvalues(state))).sum(axis=-1) / 40
    assert net.log_det(lam, state) == pytest.approx(expected, abs=1e-11)
    value = net.log_det(2.0, state)
    assert type(value) is float
    assert value == pytest.approx(expected[1, 0], abs=1e-11)


def test_log_det_at_an_eigenvalue_is_minus_infinity():
    net = gt.Network(gt.Vanilla, np.zeros((1, 3, 3)), np.zeros((1, 3)))
    assert net.log_det(0.0, np.zeros(3)) == -np.inf


def test_zero_state_of_the_lstm():
    """Half of the eigenvalues are exactly 0, the others sigma(b_f) plus those of sigma(b_o) sigma(b_i) U_g [T3]."""
    ens = gt.Ensemble(gt.LSTM, gain={"f": 3, "i": 2, "g": 1.5, "o": 1}, bias={"f": 0.5, "i": -0.3, "o": 0.8})
    net = gt.Network.sample(ens, 60, rng=0)
    found = net.eigenvalues(np.zeros((2, 60)))
    inner = expit(0.5) + expit(0.8) * expit(-0.3) * np.linalg.eigvals(net.matrices[2])
    zero = np.abs(found) < 1e-10
    assert np.count_nonzero(zero) == 60
    assert np.sort_complex(found[~zero]) == pytest.approx(np.sort_complex(inner), abs=1e-10)


def test_eigenvalues_are_complex_even_where_all_are_real():
    net = gt.Network(gt.Vanilla, np.diag([0.5, 2.0])[None], np.zeros((1, 2)))
    found = net.eigenvalues(np.zeros(2))
    assert found.dtype == complex
    assert np.sort(found.real) == pytest.approx([0.5, 2.0])


@pytest.mark.parametrize("n", [20, 300])
def test_threads_of_others_are_left_alone(n):
    """Small diagonalisations run on one thread, and the limit is lifted afterwards."""
    from threadpoolctl import threadpool_info

    before = [p["num_threads"] for p in threadpool_info()]
    net = gt.Network.sample(ensemble("Vanilla"), n, rng=0)
    net.eigenvalues(net.random_state(0))
    assert [p["num_threads"] for p in threadpool_info()] == before


# --- directions


def pushed(net, state, frame):
    """J v for every row v of a frame (m, d N)."""
    directions = np.moveaxis(frame.reshape(len(frame), *state.shape), 0, -1)
    return np.moveaxis(net.push(state, directions), -1, 0).reshape(frame.shape)


@pytest.mark.parametrize("name", BUILTIN)
def test_tangent_vectors_are_finite_differences_of_the_step(name):
    """Sixth-order central differences of net.step; their own error is about 1e-12, so 1e-9 leaves room for curvature. And against
    the dense Jacobian, another order of the same products: rounding."""
    cell = getattr(gt, name)
    ens = gt.Ensemble(cell, gain=1.5, bias=-0.4, bias_std=0.2, parameter=0.3, parameter_std=0.1)
    net = gt.Network.sample(ens, 15, rng=2)
    rng = np.random.default_rng(3)
    state = net.random_state(rng)
    if name == "LiGRU":  # not within a difference of its kink
        assert np.abs(net.fields(state)).min() > 1e-2
    frame = rng.standard_normal((4, state.size)) / np.sqrt(state.size)
    exact = pushed(net, state, frame)
    h, stencil = 1e-3, {1: 0.75, 2: -0.15, 3: 1 / 60}
    for v, image in zip(frame, exact):
        v = v.reshape(state.shape)
        numeric = sum(w * (net.step(state + m * h * v) - net.step(state - m * h * v)) for m, w in stencil.items()) / h
        assert image == pytest.approx(numeric.ravel(), abs=1e-9)
    assert exact == pytest.approx(frame @ net.jacobian(state).T, abs=1e-13)


def test_disconnected_fields():
    net = gt.Network.sample(gt.Ensemble(gt.GRU, gain={"z": 0.0, "r": 0.0, "h": 2.0}), 10, rng=0)
    state, frame = net.random_state(1), np.eye(10)
    assert pushed(net, state, frame) == pytest.approx(net.jacobian(state).T, abs=1e-14)


@pytest.mark.parametrize("name", ["GRU", "LSTM"])
def test_directions_of_a_batch_and_single_ones(name):
    """A batch pushes those of each network, under its own input; one direction is the first of several; fields may be given."""
    batch = gt.Network.sample(ensemble(name), 6, rng=0, batch=3)
    rng = np.random.default_rng(1)
    state = batch.random_state(rng)
    directions = rng.standard_normal((*state.shape, 2))
    together = batch.push(state, directions)
    assert together.shape == directions.shape
    for b in range(3):
        net = gt.Network(batch.ensemble, *(getattr(batch, a)[b] for a in ("matrices", "biases", "parameters", "input")))
        alone = net.push(state[b], directions[b])
        assert together[b] == pytest.approx(alone, abs=1e-13)
        one = net.push(state[b], directions[b][..., 0])
        assert one.shape == state[b].shape and one == pytest.approx(alone[..., 0], abs=1e-13)
        assert np.array_equal(net.push(state[b], directions[b], fields=net.fields(state[b])), alone)
        other = np.full(net.input.shape, 0.3)
        J = net.jacobian(state[b], other)
        flat = directions[b].reshape(-1, 2)
        assert net.push(state[b], directions[b], other).reshape(flat.shape) == pytest.approx(J @ flat, abs=1e-13)


def test_steps_without_checks_are_the_steps():
    net = gt.Network.sample(ensemble("GRU"), 7, rng=0)
    state = net.random_state(1)
    fields, new = net.advance(net.as_state(state.ravel()), net.as_input(None))
    assert np.array_equal(fields, net.fields(state)) and np.array_equal(new, net.step(state))
    pattern_at = net.input_sequence("frozen", 3)
    assert np.array_equal(pattern_at(2), net.input)


@pytest.mark.parametrize(
    "directions, error, message",
    [
        (np.zeros((2, 5)), ValueError, r"directions must have shape \(2, 12\) or \(2, 12, 'm'\), got \(2, 5\)"),
        (np.zeros(5), ValueError, "directions must have shape"),
        (np.zeros((2, 12, 2, 2)), ValueError, "directions must have shape"),
        (np.zeros((2, 12), dtype=complex), TypeError, "directions must be an array of real numbers"),
        ("no", TypeError, "directions must be an array of real numbers"),
    ],
)
def test_bad_directions_are_refused(net, directions, error, message):
    with pytest.raises(error, match=message):
        net.push(np.zeros((2, N)), directions)


# --- sites


@pytest.mark.parametrize("name", ["GRU", "PeepholeLSTM"])
@pytest.mark.parametrize("batch", [None, 3])
def test_sites_hold_what_the_network_holds(name, batch):
    net = gt.Network.sample(ensemble(name), N, rng=0, batch=batch)
    state = net.random_state(1)
    sites = net.sites(state)
    size = N * (batch or 1)
    assert sites.size == size
    assert sites.weights == pytest.approx(np.full(size, 1 / size))
    assert sites.source == "sampled network"
    assert np.array_equal(sites.gain, net.ensemble.array("gain"))
    fields = net.fields(state)
    if batch is None:
        assert np.array_equal(sites.state, state)
        assert np.array_equal(sites.fields, fields)
        assert np.array_equal(sites.parameters, net.parameters)
    else:
        for b in range(batch):
            part = slice(b * N, (b + 1) * N)
            assert np.array_equal(sites.state[:, part], state[b])
            assert np.array_equal(sites.fields[:, part], fields[b])
            assert np.array_equal(sites.parameters[:, part], net.parameters[b])


# --- planted fixed points

MEAN_FIELD = tuple(name for name in BUILTIN if name not in ("LiGRU", "PeepholeLSTM"))


@pytest.mark.parametrize("name", MEAN_FIELD)
def test_planted_states_are_fixed_points(name):
    """Exact to rounding at any N, with biases, their spread and a frozen input; large memories c relative to their size."""
    fixed_point = gt.fixed_points(ensemble(name))[-1]
    for n in (5, 100):
        net, state = gt.Network.planted(fixed_point, n, rng=n)
        assert state.shape == (net.cell.n_state, n)
        assert np.abs(net.step(state) - state).max() < 1e-12 * (1 + np.abs(state).max())
        assert net.ensemble is fixed_point.ensemble


def test_planted_without_a_closed_form():
    """Sites of the peephole LSTM are solved numerically; the moments (those of the LSTM, the same without peepholes) are given."""
    gains = {"gain": {"f": 2, "i": 3, "g": 4, "o": 2}, "bias_std": 0.3}
    moments = gt.fixed_points(gt.Ensemble(gt.LSTM, **gains))[-1].moments
    ens = gt.Ensemble(gt.PeepholeLSTM, **gains)
    fixed_point = gt.FixedPoint(ens, moments, 0.0, 0.0, Status("given"))
    net, state = gt.Network.planted(fixed_point, 100, rng=0)
    assert np.abs(net.step(state) - state).max() < 1e-12 * (1 + np.abs(state).max())


def test_planted_fields_follow_the_mean_field_law():
    """Normal, with the variance of the infinite network; second moments of messages within five standard errors."""
    fixed_point = gt.fixed_points(ensemble("GRU"))[-1]
    n = 1000
    net, state = gt.Network.planted(fixed_point, n, rng=0)
    sites = net.sites(state)
    for k, name in enumerate(net.cell.field_names):
        x = (sites.fields[k] - fixed_point.field_mean[name]) / fixed_point.field_std[name]
        assert kstest(x, "norm").pvalue > 1e-4
    messages = net.cell.compiled.messages(sites.state, sites.fields, sites.parameters)
    for name, m in zip(net.cell.message_names, messages):
        assert np.mean(m**2) == pytest.approx(fixed_point.moments[name], abs=5 * np.std(m**2) / np.sqrt(n))


@pytest.mark.parametrize("ens", [gt.Ensemble(gt.Vanilla, gain=1.5), gt.Ensemble(gt.GRU, {"r": 3, "h": 4}, bias_std={"h": 0.3})])
def test_planted_typical_fixed_points_have_typical_sites(ens):
    """Sites drawn one by one have the averages of the quadrature, and what comes through the matrices is the share it says."""
    result, n = gt.complexity(ens), 2000
    net, state = gt.Network.planted(result, n, rng=0)
    assert np.abs(net.step(state) - state).max() < 1e-12
    sites, law = net.sites(state), result.sites_at(1e-8)
    recurrent = sites.fields - net.biases - net.input
    for field in range(ens.cell.n_fields):
        y, x, z = sites.fields[field], recurrent[field], law.fields[field]
        for found, expected in ((y**2, z**2), (y**4, z**4), (x * y, law.recurrent[field] * z)):
            # five standard errors of the mean over sites
            assert found.mean() == pytest.approx(law.mean(expected), abs=5 * found.std() / np.sqrt(n))
    assert sites.moments() == pytest.approx(result.moments, rel=0.15)
    with pytest.raises(ValueError, match="no typical fixed point"):
        gt.Network.planted(gt.complexity(gt.Ensemble(gt.Vanilla, gain=0.5)), n, rng=0)


def test_planted_matrices_are_gaussian_apart_from_one_direction():
    """Conditioning on U m changes a matrix along m only: it is U0 on everything orthogonal, with the ensemble's variance."""
    ens = gt.Ensemble(gt.Vanilla, gain=2.0)
    fixed_point = gt.fixed_points(ens)[-1]
    n = 300
    net, state = gt.Network.planted(fixed_point, n, rng=0)
    m = state[0] / np.linalg.norm(state[0])
    across = net.matrices[0] - np.outer(net.matrices[0] @ m, m)
    assert np.sum(across**2) / (n * (n - 1)) == pytest.approx(4.0 / n, rel=5 * np.sqrt(2) / n)
    unplanted = gt.Network.sample(ens, n, rng=0)  # the same generator draws the same U0 first
    assert across == pytest.approx(unplanted.matrices[0] - np.outer(unplanted.matrices[0] @ m, m), abs=1e-13)


def test_planted_zero_state_is_an_ordinary_network():
    ens = gt.Ensemble(gt.GRU, gain=3.0)
    net, state = gt.Network.planted(gt.fixed_points(ens)[0], N, rng=0)
    assert not state.any()
    assert np.array_equal(net.matrices, gt.Network.sample(ens, N, rng=0).matrices)


def test_planted_is_reproducible():
    fixed_point = gt.fixed_points(ensemble("LSTM"))[-1]
    (a, s), (b, t), (c, u) = (gt.Network.planted(fixed_point, N, rng=seed) for seed in (1, 1, 2))
    assert np.array_equal(a.matrices, b.matrices)
    assert np.array_equal(s, t)
    assert not np.array_equal(s, u)


def test_planted_says_when_there_are_too_few_units(monkeypatch):
    """A fixed point whose messages vanish at every site drawn cannot be held: said, not divided by zero."""
    fixed_point = gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=2.0))[-1]
    monkeypatch.setattr(type(gt.Vanilla.compiled), "fixed_state", lambda self, y, p=(): [np.zeros_like(y[0])])
    with pytest.raises(ValueError, match="n_units is too small: the messages of all 3 sites vanish"):
        gt.Network.planted(fixed_point, 3, rng=0)


# --- what it prints, what it refuses


def test_repr():
    ens = gt.Ensemble(gt.Vanilla, gain=2)
    inner = "Ensemble(Vanilla, gain={'h': 2.0}, bias={'h': 0.0})"
    assert str(gt.Network.sample(ens, 5, rng=0)) == f"Network(5 units, {inner})"
    assert str(gt.Network.sample(ens, 5, rng=0, batch=2)) == f"Network(2 networks of 5 units, {inner})"
    assert repr(gt.Network.sample(ens, 5, rng=0)) == "Network(5 units, Ensemble(Vanilla, gain=2))"


ENS = ensemble("LSTM")
GOOD = {"matrices": np.zeros((4, N, N)), "biases": np.zeros((4, N))}


def _network(**changes):
    return gt.Network(ENS, **{**GOOD, **changes})


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: gt.Network.sample(gt.LSTM, N), TypeError, "ensemble must be an Ensemble, got Cell(LSTM"),
        (lambda: gt.Network.sample(ENS, 1e3), TypeError, "n_units must be an integer, got 1000.0"),
        (lambda: gt.Network.sample(ENS, True), TypeError, "n_units must be an integer, got True"),
        (lambda: gt.Network.sample(ENS, 0), ValueError, "n_units must be at least 1, got 0"),
        (lambda: gt.Network.sample(ENS, -5), ValueError, "n_units must be at least 1, got -5"),
        (lambda: gt.Network.sample(ENS, N, batch=0), ValueError, "batch must be at least 1, got 0"),
        (lambda: gt.Network.sample(ENS, N, batch=2.0), TypeError, "batch must be an integer, got 2.0"),
        (lambda: gt.Network.sample(ENS, N, rng="seed"), TypeError, "rng must be an integer, got 'seed'"),
        (lambda: gt.Network.sample(ENS, N, rng=-1), ValueError, "rng must be at least 0, got -1"),
        (lambda: gt.Network("LSTM", **GOOD), TypeError, "ensemble must be an Ensemble or a Cell, got 'LSTM'"),
        (
            lambda: _network(matrices=np.zeros((3, N, N))),
            ValueError,
            "matrices must have shape (4, N, N), or (B, 4, N, N) for a batch",
        ),
        (lambda: _network(matrices=np.zeros((3, N, N))), ValueError, "got shape (3, 12, 12)"),
        (lambda: _network(matrices=np.zeros((4, N, 5))), ValueError, "got shape (4, 12, 5)"),
        (lambda: _network(matrices=np.zeros((N, N))), ValueError, "got shape (12, 12)"),
        (lambda: _network(matrices=np.zeros((0, 4, N, N))), ValueError, "got shape (0, 4, 12, 12)"),
        (lambda: _network(matrices="U"), TypeError, "matrices must be an array of real numbers, got 'U'"),
        (lambda: _network(matrices=[[1.0], [2.0, 3.0]]), TypeError, "matrices must be an array of real numbers"),
        (lambda: _network(matrices=GOOD["matrices"] * 1j), TypeError, "matrices must be an array of real numbers"),
        (lambda: _network(matrices=np.full((4, N, N), np.nan)), ValueError, "matrices must be finite, got nan"),
        (
            lambda: _network(biases=np.zeros(N)),
            ValueError,
            "biases must have shape (4, 12) for these matrices and cell 'LSTM', got (12,)",
        ),
        (lambda: _network(biases=np.full((4, N), np.inf)), ValueError, "biases must be finite, got inf"),
        (lambda: _network(parameters=np.zeros((1, N))), ValueError, "parameters must have shape (0, 12)"),
        (lambda: _network(input=np.zeros((4, 1))), ValueError, "input must have shape (4, 12)"),
        (lambda: _network(matrices=np.zeros((2, 4, N, N))), ValueError, "biases must have shape (2, 4, 12)"),
        (
            lambda: gt.Network.planted(ENS, N),
            TypeError,
            "fixed_point must be a FixedPoint, as from fixed_points(ensemble), got Ensemble(",
        ),
    ],
)
def test_bad_networks_are_refused(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()


@pytest.mark.parametrize("n_units", [10.0, "10", None, 0])
def test_bad_sizes_of_planted_networks_are_refused(n_units):
    fixed_point = gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=2.0))[0]
    with pytest.raises((TypeError, ValueError), match="n_units must be"):
        gt.Network.planted(fixed_point, n_units)


@pytest.fixture(scope="module")
def net():
    return gt.Network.sample(ENS, N, rng=0)


@pytest.fixture(scope="module")
def batch():
    return gt.Network.sample(ENS, N, rng=0, batch=2)


@pytest.mark.parametrize("method", ["fields", "step", "sites", "jacobian", "eigenvalues", "check_jacobian"])
@pytest.mark.parametrize(
    ("state", "error", "message"),
    [
        (np.zeros(N), ValueError, "state must have shape (2, 12) or, state variable after state variable, (24,), got (12,)"),
        (np.zeros((N, 2)), ValueError, "got (12, 2)"),
        (np.zeros((1, 2, N)), ValueError, "got (1, 2, 12)"),
        (0.0, ValueError, "got ()"),
        (np.full((2, N), np.nan), ValueError, "state must be finite, got nan"),
        (np.zeros((2, N), dtype=complex), TypeError, "state must be an array of real numbers"),
        ("zero", TypeError, "state must be an array of real numbers, got 'zero'"),
        (None, TypeError, "state must be an array of real numbers, got None"),
    ],
)
def test_bad_states_are_refused(net, method, state, error, message):
    with pytest.raises(error, match=re.escape(message)):
        getattr(net, method)(state)


def test_bad_states_of_batches_are_refused(batch):
    message = "state must have shape (2, 2, 12) or, state variable after state variable, (2, 24), got (2, 12)"
    with pytest.raises(ValueError, match=re.escape(message)):
        batch.step(np.zeros((2, N)))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n_steps": 1e3}, TypeError, "n_steps must be an integer, got 1000.0"),
        ({"n_steps": -1}, ValueError, "n_steps must be at least 0, got -1"),
        ({"input": "white"}, ValueError, "input must be 'noise', 'frozen' or an array, got 'white'"),
        ({"input": None}, TypeError, "input must be 'noise', 'frozen' or an array, got None"),
        ({"input": np.zeros((4, 5))}, ValueError, "input must have shape (4, 12), got (4, 5)"),
        ({"input": np.zeros((5, 4, N))}, ValueError, "input must have shape (3, 4, 12) where it changes in time, got (5, 4, 12)"),
        ({"input": np.full((4, N), np.inf)}, ValueError, "input must be finite, got inf"),
        ({"rng": 1.5}, TypeError, "rng must be an integer, got 1.5"),
        ({"rng": 1.5, "input": "frozen"}, TypeError, "rng must be an integer, got 1.5"),
        ({"trajectory": 1}, TypeError, "trajectory must be True or False, got 1"),
        ({"state": np.zeros(3)}, ValueError, "state must have shape (2, 12)"),
    ],
)
def test_bad_runs_are_refused(net, arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        net.run(**{"state": np.zeros((2, N)), "n_steps": 3, **arguments})


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda net: net.fields(np.zeros((2, N)), input=np.zeros((3, N))),
            ValueError,
            "input must have shape (4, 12), got (3, 12)",
        ),
        (
            lambda net: net.jacobian(np.zeros((2, N)), input="frozen"),
            TypeError,
            "input must be an array of real numbers, got 'frozen'",
        ),
        (lambda net: net.random_state(scale=-1), ValueError, "scale must lie in [0.0, 1000000.0], got -1"),
        (lambda net: net.random_state(scale="wide"), TypeError, "scale must be a real number, got 'wide'"),
        (lambda net: net.random_state(rng=0.5), TypeError, "rng must be an integer, got 0.5"),
        (lambda net: net.log_det("one", np.zeros((2, N))), TypeError, "lam must be a number or an array of complex numbers"),
        (lambda net: net.log_det(np.nan, np.zeros((2, N))), ValueError, "lam must be finite"),
        (lambda net: net.check_jacobian(np.zeros((2, N)), n_directions=0), ValueError, "n_directions must be at least 1, got 0"),
    ],
)
def test_bad_arguments_are_refused(net, call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call(net)


def test_bad_inputs_of_batches_are_refused(batch):
    message = "input must have shape (2, 4, 12) or, the same for every network, (4, 12), got (3, 4, 12)"
    with pytest.raises(ValueError, match=re.escape(message)):
        batch.step(np.zeros((2, 2, N)), np.zeros((3, 4, N)))


def test_fixed_points_without_the_map_are_enough():
    """planted needs the ensemble and the moments, nothing of how they were found."""
    fixed_point = gt.fixed_points(gt.Ensemble(gt.GRU, gain=6.0))[-1]
    net, state = gt.Network.planted(dataclasses.replace(fixed_point, residual=1.0, status="edited"), N, rng=0)
    assert np.abs(net.step(state) - state).max() < 1e-12
