"""Learned modes at rest and rings of fixed points: the closed forms of [T11] against networks put together here."""

import numpy as np
import pytest
import scipy.linalg
from scipy.special import expit

import gating_theory as gt

OMEGA = np.array([[1.5, 0.8], [-0.8, 1.5]])  # its eigenvalues are 1.5 +- .8i
#: Ring of the sheet: overlap, gains of candidate and reset gate, mean squares of A and B.
RING, A_H, A_R, A_A, B_B = 2.6, 0.8, 1.0, 1.5, 8.0
Q = 1 - 2 / RING  # E h^2 by Stein's lemma
#: (a_z, b_z) and the sheet's protections -C'(1).
PROTECTIONS = {(0.3, 0.0): 2.010, (0.3, 2.0): 8.466, (3.0, 2.0): 21.87}

REST = {
    "GRU": ({"z": 1.0, "r": 0.5}, "h", 0.982166 + 0.133924j),
    "LSTM": ({"f": 1.0, "i": 0.5, "o": 0.3}, "g", 1.267409 + 0.286053j),
}


def loadings(overlap, mean_square_a, mean_square_b, n, rng):
    """A and B, (R, n), normal and then made to have exactly these covariances in the sample: <A B> = ``overlap``."""
    R = len(overlap)
    covariance = np.block([[mean_square_a * np.eye(R), overlap.T], [overlap, mean_square_b * np.eye(R)]])
    drawn = rng.standard_normal((2 * R, n))
    drawn -= drawn.mean(axis=1, keepdims=True)
    white = np.linalg.solve(np.linalg.cholesky(drawn @ drawn.T / n), drawn)
    both = np.linalg.cholesky(covariance) @ white
    return both[:R], both[R:]


def network(cell, n, rng, gain, bias, channels):
    """a_k J_k + A^T B / N by field, with iid J_k."""
    matrices = rng.standard_normal((cell.n_fields, n, n)) / np.sqrt(n)
    biases = np.zeros((cell.n_fields, n))
    for k, name in enumerate(cell.field_names):
        matrices[k] *= gain.get(name, 0.0)
        biases[k] = bias.get(name, 0.0)
        if name in channels:
            A, B = channels[name]
            matrices[k] += A.T @ B / n
    return gt.Network(cell, matrices, biases)


def closest(values, wanted):
    return values[np.argmin(np.abs(values - wanted))]


@pytest.mark.parametrize("name", REST)
def test_low_rank_matrices_alone_have_the_modes_of_the_derivation(name):
    """Nothing random: eigenvalues at the zero state are exactly those of `low_rank`, channels in the gates do nothing."""
    bias, candidate, mode = REST[name]
    cell = getattr(gt, name)
    rng = np.random.default_rng(0)
    A, B = loadings(OMEGA, 1.0, 3.5, 40, rng)
    channels = {field: (A, B) if field == candidate else 5 * rng.standard_normal((2, 3, 40)) for field in cell.field_names}
    net = network(cell, 40, rng, {}, bias, channels)
    values = net.eigenvalues(np.zeros((cell.n_state, 40)))
    assert abs(closest(values, mode) - mode) < 1e-6  # digits of the sheet
    s = {k: expit(b) for k, b in bias.items()}
    leak, reach = (s["z"], (1 - s["z"]) * s["r"]) if name == "GRU" else (s["f"], s["i"] * s["o"])
    exact = leak + reach * (1.5 + 0.8j)
    # the leak is an eigenvalue 38 times over, of a matrix that is diagonalisable: rounding only
    assert abs(closest(values, exact) - exact) < 1e-12
    assert np.sum(np.abs(values - leak) < 1e-8) == 38


@pytest.mark.parametrize("name", REST)
def test_modes_of_the_zero_state_stand_outside_the_disc(name):
    """Beside random matrices of gain .8 the modes stay, on average over networks, as far as these let them fluctuate."""
    bias, candidate, mode = REST[name]
    cell, a, count, omega, leak = getattr(gt, name), 0.8, 6, 1.5 + 0.8j, expit(1.0)
    n = 250 // cell.n_state
    rng = np.random.default_rng(1)
    reach, found = abs((mode - leak) / omega), []
    for _ in range(count):
        channels = {candidate: loadings(OMEGA, 1.0, 3.5, n, rng)}
        net = network(cell, n, rng, dict.fromkeys(cell.field_names, a), bias, channels)
        values = net.eigenvalues(np.zeros((cell.n_state, n)))
        found.append(closest(values, mode))
        # half of an LSTM's eigenvalues are 0; all others lie within the disc, to the N^(-1/2) by which single networks exceed it
        beyond = np.abs(values - leak)[np.abs(values) > 1e-9] > reach * a * 1.2
        assert beyond.sum() == 2
    # B^T (a J / omega)^k A / N, k = 1, 2, .. have variance <A A> <B B> (a^2 / |omega|^2)^k / N; Omega is normal, its vectors
    # of length one, so an eigenvalue of Omega moves by as much. Mean of count networks; four standard deviations.
    t = (a / abs(omega)) ** 2
    assert abs(np.mean(found) - mode) < 4 * reach * np.sqrt(3.5 / n * t / (1 - t) / count)


@pytest.mark.parametrize("name, gain, omega", [("Vanilla", {"h": 0.7}, 1.9), ("GRU", {"z": 2.0, "r": 1.5, "h": 0.6}, 3.1)])
def test_moments_beyond_the_onset(name, gain, omega):
    """One channel in the candidate: mean field gives 1 - 1/omega and 1 - 2/omega, which the derivations prove by Stein's lemma."""
    low_rank = gt.LowRank("h", covariance=[[1.2, omega], [omega, 9.0]])
    point = gt.fixed_points(gt.Ensemble(getattr(gt, name), gain=gain, low_rank=low_rank))[-1]
    assert abs(point.moments["h"] - (1 - {"Vanilla": 1, "GRU": 2}[name] / omega)) < 1e-9  # ten digits, as all of mean field
    if name == "GRU":
        z = expit(point.sites.fields[point.ensemble.cell.field_names.index("z")])
        # the sites are those of the smooth tolerance 1e-5 of spectra
        assert point.sites.weights @ (1 / (1 - z)) == pytest.approx(1 + np.exp(4.0 * point.moments["h"] / 2), rel=1e-4)


@pytest.mark.parametrize("name", REST)
def test_modes_of_the_zero_state_in_mean_field(name):
    """Isolated eigenvalues of the zero state of random plus low rank are those of the derivations, with channels in gates too."""
    bias, candidate, mode = REST[name]
    gate = next(iter(bias))
    # E B_r A_s of two channels of the candidate, and of one of a gate that overlaps with them
    overlaps = np.pad(OMEGA, (0, 1), constant_values=0.3)
    overlaps[2, 2] = 0.9
    both = np.block([[np.eye(3), overlaps.T], [overlaps, 5.0 * np.eye(3)]])
    low_rank = gt.LowRank((candidate, candidate, gate), covariance=both)
    zero = gt.fixed_points(gt.Ensemble(getattr(gt, name), gain=0.8, bias=bias, low_rank=low_rank))[0]
    found = gt.Spectrum(zero).outliers()
    assert zero.is_zero and np.abs(np.sort_complex(found) - [mode.conjugate(), mode]).max() < 1e-6  # digits of the sheet


@pytest.mark.parametrize("a_z, b_z", PROTECTIONS)
def test_rings_in_mean_field(a_z, b_z):
    """C(1) = 1 along the ring and -C'(1) is the protection: what a second, equal channel adds to the determinant of one."""
    gain, bias = {"z": a_z, "r": A_R, "h": A_H}, {"z": b_z}
    pair = np.array([[A_A, RING], [RING, B_B]])
    laws = gt.LowRank({"h": 2}, covariance=np.kron(pair, np.eye(2))), gt.LowRank("h", covariance=pair)
    points = [gt.fixed_points(gt.Ensemble(gt.GRU, gain=gain, bias=bias, low_rank=low_rank))[1] for low_rank in laws]
    assert points[0].status.code == "continuum" and points[0].moments["h"] == pytest.approx(Q, abs=1e-9)
    two, one = map(gt.Spectrum, points)

    def across(lam):
        return 1 - (two.outlier_determinant(lam) / one.outlier_determinant(lam)).real

    assert across(1.0) == pytest.approx(1.0, abs=1e-7)
    # 1/(lambda - z) is expanded in h / (1 - z), whose mean is h times the protection and whose spread is log-normal
    h = 1e-6
    closed = 1 + np.exp(b_z + a_z**2 * Q / 2)
    assert (1 - across(1 + h)) / h == pytest.approx(closed, rel=2e-3)
    assert closed == pytest.approx(PROTECTIONS[a_z, b_z], abs=0.005)


@pytest.fixture(scope="module")
def ring():
    """A network whose update gate is open, at a stable state on the ring: (network, state, loadings)."""
    n, rng = 200, np.random.default_rng(2)
    A, B = loadings(RING * np.eye(2), A_A, B_B, n, rng)
    net = network(gt.GRU, n, rng, {"r": A_R, "h": A_H}, {"z": -40.0}, {"h": (A, B)})
    state = np.tanh(A[:1])
    for _ in range(4000):
        state = net.step(state)
    return net, state, (A, B)


def gated(net, b_z, a_z, rng):
    """The same network with another update gate."""
    n = net.n_units
    matrices, biases = net.matrices.copy(), net.biases.copy()
    matrices[0] = a_z * rng.standard_normal((n, n)) / np.sqrt(n)
    biases[0] = b_z
    return gt.Network(gt.GRU, matrices, biases)


def test_the_ring_is_where_mean_field_says(ring):
    """One network of 200 units: E h^2 and the overlap with the loadings within what networks of this size scatter by."""
    net, state, (_, B) = ring
    assert np.abs(net.step(state) - state).max() < 1e-12
    # over eight networks of 200 to 1000 units E h^2 scatters by .02 (N = 1000) to .03, and the overlap likewise; three of these
    assert abs(np.mean(state**2) - Q) < 0.09
    message = expit(net.fields(state)[1]) * state[0]
    assert abs(np.hypot(*(B @ message / net.n_units)) - 0.4766433) < 0.12


def test_update_gates_protect_a_ring_by_the_mean_of_one_over_one_minus_z(ring):
    """1 - lambda along the ring is divided by 1 + exp(b_z + a_z^2 q / 2): over many update gates of one network."""
    net, state, _ = ring
    # with z = 0 the Jacobian is K = p' U_h (r + h r' U_r), and with any update gate (1 + (lambda - 1)/(1 - z)) dh = K dh
    values, left, right = scipy.linalg.eig(net.jacobian(state), left=True, right=True)
    i = np.argmin(np.abs(values - 1))
    weight = (left[:, i].conj() * right[:, i]) / (left[:, i].conj() @ right[:, i])
    assert abs(weight.imag).max() < 1e-12 and abs(values[i].imag) < 1e-12
    weight, mu = weight.real, values[i].real
    rng, q = np.random.default_rng(3), np.mean(state**2)
    for (a_z, b_z), sheet in PROTECTIONS.items():
        assert abs(1 + np.exp(b_z + a_z**2 * Q / 2) - sheet) < 0.005  # its digits
        # the fields of the update gate: normal and independent between sites, of the network's own E h^2
        y = b_z + a_z * np.sqrt(q) * rng.standard_normal((400, net.n_units))
        protection = (1 / expit(-y)) @ weight
        error = protection.std() / np.sqrt(400)
        assert abs(protection.mean() - 1 - np.exp(b_z + a_z**2 * q / 2)) < 4 * error
    for b_z in (0.0, 2.0):
        slow = gated(net, b_z, 0.3, rng)
        assert np.abs(slow.step(state) - state).max() < 1e-12  # the fixed point does not know the update gate
        protection = (1 / expit(-slow.fields(state)[0])) @ weight
        mode = closest(slow.eigenvalues(state), 1.0)
        # what is left out is of second order in mu - 1
        assert abs((1 - mode) * protection / (1 - mu) - 1) < abs(1 - mu)
        assert abs(protection / (1 + np.exp(b_z + 0.045 * q)) - 1) < 0.1  # weights of 200 sites, spread of 1/(1 - z) .1 to .15
