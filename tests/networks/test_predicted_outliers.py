"""Isolated eigenvalues predicted from the low-rank part of a network: at rest, in runs, how far networks are off [T11]."""

import numpy as np
import pytest

import gating_theory as gt


def low_rank_network(cell, gains, channels, mean, covariance, n, rng):
    """A network of iid matrices plus channels of Gaussian loadings with just these moments, its low-rank part, and A (R, N)."""
    channel_count = len(channels)
    loadings = rng.standard_normal((2 * channel_count, n))
    loadings -= loadings.mean(axis=1, keepdims=True)
    loadings = np.linalg.solve(np.linalg.cholesky(loadings @ loadings.T / n), loadings)
    A, B = np.split(np.linalg.cholesky(covariance) @ loadings + np.asarray(mean)[:, None], 2)
    low_rank = np.zeros((cell.n_fields, n, n))
    for field, a, b in zip(channels, A, B):
        low_rank[cell.field_names.index(field)] += np.outer(a, b) / n
    random = np.array(gains)[:, None, None] * rng.standard_normal(low_rank.shape) / np.sqrt(n)
    return gt.Network(cell, random + low_rank, np.zeros((cell.n_fields, n))), low_rank, A


def nearest(eigenvalues, value):
    return eigenvalues[np.argmin(np.abs(eigenvalues - value))]


@pytest.mark.parametrize(("n", "seeds"), [(300, 3), pytest.param(1000, 12, marks=pytest.mark.nightly)])
def test_resting_networks_have_the_eigenvalues_of_their_own_vectors(n, seeds):
    """GRUs at rest with one channel in the candidate: the mode that remembers is where the network's own vectors put it."""
    pulls = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        net, low_rank, A = low_rank_network(gt.GRU, (0.3, 1.0, 0.8), ["h"], (1.0, 0.5), [[1.0, 1.6], [1.6, 4.0]], n, rng)
        state = net.run(0.1 * A[:1], 500)
        assert np.abs(net.step(state) - state).max() < 1e-3  # nearly at rest is enough: the messages before point the same way
        predicted = gt.predicted_outliers(net, low_rank, state)
        (value,), (sd,) = predicted.values, predicted.sd
        assert predicted.resolved.all() and predicted.status.ok and value.imag == 0.0
        pulls.append((nearest(net.eigenvalues(state), value) - value).real / sd)
    # each is a normal of variance one, up to second order in sd over the distance from the edge (1 %)
    assert np.sqrt(np.mean(np.square(pulls))) < 1.0 + 3.0 / np.sqrt(2 * seeds)


def transfer_of_gru(lam, h, y):
    """W of the GRU by hand, as the papers print it: (3, 3, N)."""
    z, r = 1.0 / (1.0 + np.exp(-y[0])), 1.0 / (1.0 + np.exp(-y[1]))
    p, slope = np.tanh(y[2]), 1.0 / np.cosh(y[2]) ** 2
    first = [(h - p) * z * (1 - z) / (lam - z), np.zeros(h.size), (1 - z) * slope / (lam - z)]
    return np.array([first, first, [r * first[0], h * r * (1 - r), r * first[2]]])


def determinant_of_gru(lam, net, state, low_rank, bases):
    """det(1 - C) with the vectors of a GRU: loadings found by singular values, and all that its random part did to bases."""
    rows, columns, field = [], [], []
    h, y = state[0], net.fields(state)
    for k, (U, L, Q) in enumerate(zip(net.matrices, low_rank, bases)):
        left, s, right = np.linalg.svd(L)
        keep = s > 1e-10 * max(s[0], 1e-30)
        for a, b in [*zip((left[:, keep] * s[keep]).T, right[keep]), *zip(((U - L) @ Q).T, Q.T)]:
            columns.append(a)
            rows.append(b)
            field.append(k)
    W = transfer_of_gru(lam, h, y)
    C = [[np.sum(b * W[k, l] * a) for a, l in zip(columns, field)] for b, k in zip(rows, field)]
    return np.linalg.det(np.eye(len(field)) - np.array(C))


def test_predictions_are_the_zeros_of_the_determinant():
    """A small GRU in mid-run: what the dense eigenvalue problem gives is where det(1 - C) of the visited messages vanishes."""
    rng = np.random.default_rng(5)
    covariance = np.eye(6) + 0.6 * np.eye(6, k=3) + 0.6 * np.eye(6, k=-3)
    channels, mean = ["h", "r", "z"], (1.0, 0.5, -0.5, 1.2, 1.0, 0.5)
    net, low_rank, A = low_rank_network(gt.GRU, (0.5, 1.0, 0.4), channels, mean, covariance, 60, rng)
    run = net.run(0.5 * A[:1], 5, trajectory=True)
    state, visited = run[-1], run[:-1]
    found = gt.predicted_outliers(net, low_rank, state, visited, held=1.0)
    messages = np.array([[h, h, h / (1.0 + np.exp(-net.fields(h)[1]))] for h in run[:, 0]])  # (T, K, N)
    bases = [np.linalg.qr(messages[:, k].T)[0] for k in range(3)]
    assert found.visited == {"z": 6, "r": 6, "h": 6} and found.values.size >= 1
    for value in found.values.tolist():
        nearby = [abs(determinant_of_gru(value + step, net, state, low_rank, bases)) for step in (0.0, 1e-3)]
        assert nearby[0] < 1e-9 < nearby[1]


def of_matrices(net, matrices, messages):
    """A network of other matrices with the same fields where its messages (K, N) are these: biases make up for the difference."""
    return gt.Network(net.cell, matrices, net.biases + np.einsum("kij,kj->ki", net.matrices - matrices, messages))


@pytest.mark.parametrize(("n", "count"), [(150, 30), pytest.param(500, 150, marks=pytest.mark.nightly)])
def test_how_far_the_random_part_moves_an_eigenvalue(n, count):
    """Random parts of three coupled fields, drawn anew at the same sites: the isolated eigenvalue spreads as is stated."""
    rng = np.random.default_rng(6)
    state, fields = rng.uniform(-0.6, 0.6, (1, n)), rng.standard_normal((3, n)) * np.array([[0.4], [1.0], [0.5]])
    low_rank = np.zeros((3, n, n))
    for k, overlap in ((1, 1.5), (2, 1.6)):
        B = rng.standard_normal(n) + 0.5
        low_rank[k] = np.outer(overlap * B + 0.7 * rng.standard_normal(n), B) / n
    uncoupled, pulls = gt.Network(gt.GRU, np.zeros_like(low_rank), fields), []
    messages = np.array([state[0], state[0], state[0] / (1.0 + np.exp(-fields[1]))])
    for _ in range(count):
        random = np.array([0.8, 1.5, 0.8])[:, None, None] * rng.standard_normal(low_rank.shape) / np.sqrt(n)
        net = of_matrices(uncoupled, low_rank + random, messages)
        predicted = gt.predicted_outliers(net, low_rank, state)
        value, sd = predicted.values[0].real, predicted.sd[0]
        pulls.append((nearest(net.eigenvalues(state), value).real - value) / sd)
    assert np.std(pulls) == pytest.approx(1.0, rel=3.5 / np.sqrt(2 * count) + 0.05)  # .05: second order
    assert abs(np.mean(pulls)) < 3.5 / np.sqrt(count) + 0.2  # and the shift that it makes


@pytest.mark.parametrize(("n", "runs"), [(150, 20), pytest.param(500, 100, marks=pytest.mark.nightly)])
def test_a_run_conditions_its_matrices_on_all_that_it_visited(n, runs):
    """GRUs after a run from a random state: log|det(lambda - J)| less that of fresh matrices at the same sites, on average.

    It is that of the matrices which are known on all visited messages and zero elsewhere, .56; known on the last one alone: -.2.
    Fresh matrices share with a network's what it has not met: the difference then fluctuates less.
    """
    rng, lam = np.random.default_rng(7), 1.3
    ensemble = gt.Ensemble(gt.GRU, gain={"z": 1, "r": 0.5, "h": 4}, bias={"z": 1})
    gains, theory, last_alone, measured = ensemble.array("gain"), [], [], []
    for _ in range(runs):
        net = gt.Network.sample(ensemble, n, rng=rng)
        run = net.run(0.5 * net.random_state(rng), 15, trajectory=True)
        messages = np.array([[h, h, h / (1.0 + np.exp(-net.fields(h)[1]))] for h in run[:, 0]])  # (T, K, N)
        state, present = run[-1], messages[-1]

        def log_determinant(matrices, net=net, state=state, present=present):
            jacobian = of_matrices(net, matrices, present).jacobian(state)
            return np.linalg.slogdet(lam * np.eye(n) - jacobian)[1]

        alone = log_determinant(np.zeros_like(net.matrices))
        for first, out in ((0, theory), (-1, last_alone)):
            bases = [np.linalg.qr(messages[first:, k].T)[0] for k in range(3)]
            seen = np.array([(U @ Q) @ Q.T for U, Q in zip(net.matrices, bases)])
            out.append(log_determinant(seen) - alone)
            if first == 0:
                again = [a * rng.standard_normal(Q.shape) @ Q.T / np.sqrt(n) for a, Q in zip(gains, bases)]
                fresh = net.matrices - seen + np.array(again)
        measured.append(log_determinant(net.matrices) - log_determinant(fresh))
    error = np.std(np.subtract(measured, theory)) / np.sqrt(runs)
    assert abs(np.mean(measured) - np.mean(theory)) < 3.5 * error < 0.4
    assert np.mean(last_alone) < -0.1 < 0.3 < np.mean(measured)


def test_learned_directions_that_are_seen_in_the_matrices_predict_the_eigenvalue():
    """A strong direction added to a random matrix and split off by its singular value: the eigenvalue, from the matrix alone."""
    rng, n = np.random.default_rng(3), 300
    net, low_rank, _ = low_rank_network(gt.Vanilla, (0.7,), ["h"], (0.0, 0.0), [[1.5, 1.6], [1.6, 2.4]], n, rng)
    split, state = gt.split_weights(net), np.zeros((1, n))
    assert split.fields["h"].n_learned == 1
    found, exact = gt.predicted_outliers(net, split, state), nearest(net.eigenvalues(state), 1.6)
    # singular vectors carry noise of their own, of order N^{-1/2}, beside what the random part does to the eigenvalue
    assert found.values.size == 1 and abs(found.values[0] - exact) < 4.0 * found.sd[0] + 2.0 / np.sqrt(n)
    assert found.edge_function[0] == pytest.approx((split.fields["h"].gain / found.values[0].real) ** 2, rel=1e-9)


def test_what_is_refused():
    net = gt.Network.sample(gt.Ensemble(gt.GRU, gain=1.0), 20, rng=0)
    state, nothing = net.random_state(1), np.zeros((3, 20, 20))
    with pytest.raises(ValueError, match="low_rank_part must have shape"):
        gt.predicted_outliers(net, nothing[:2], state)
    with pytest.raises(ValueError, match="visited must have shape"):
        gt.predicted_outliers(net, nothing, state, state)
    with pytest.raises(ValueError, match="input must have shape"):
        gt.predicted_outliers(net, nothing, state, state[None], np.zeros((3, 3, 20)))
    with pytest.raises(ValueError, match="held must"):
        gt.predicted_outliers(net, nothing, state, held=0.0)
    with pytest.raises(gt.CapabilityError, match="batch"):
        gt.predicted_outliers(gt.Network.sample(net.ensemble, 20, rng=0, batch=2), nothing, state)
    many = gt.predicted_outliers(net, nothing, state, np.random.default_rng(2).standard_normal((10, 1, 20)))
    assert many.status.code == "many_visited" and not many.status.ok and "were visited" in str(many)


def test_a_network_without_memory_of_its_own_predicts_nothing_and_is_kept(tmp_path):
    """The zero state of a random network; what is found elsewhere survives saving."""
    net = gt.Network.sample(gt.Ensemble(gt.LSTM, gain=0.5), 30, rng=0)
    none = gt.predicted_outliers(net, np.zeros_like(net.matrices), np.zeros((2, 30)))
    assert none.values.size == 0 and set(none.visited.values()) == {0} and "0 isolated eigenvalues" in str(none)
    rng = np.random.default_rng(1)
    net, low_rank, A = low_rank_network(gt.Vanilla, (0.5,), ["h"], (0.0, 0.0), [[1.5, 1.6], [1.6, 2.0]], 80, rng)
    found = gt.predicted_outliers(net, low_rank, np.zeros((1, 80)))
    assert found.values.size == 1 and found.leak_share[0] == 0.0
    # the zero state is conditioned on nothing: A B^T / N alone has one eigenvalue that is not zero, of modulus A . B / N
    assert found.values[0] == pytest.approx(1.6, rel=1e-9)
    gt.save(found, tmp_path / "found.json")
    assert gt.load(tmp_path / "found.json") == found
