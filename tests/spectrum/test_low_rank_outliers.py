"""Isolated eigenvalues with low-rank parts of matrices: sheet, closed forms, plain sums over sampled sites, networks [T11]."""

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.mean_field.low_rank_points import LowRankFixedPoint
from gating_theory.results.status import Status
from gating_theory.spectrum.low_rank_outliers import LowRankIsolated

THREE = np.diag([1.0, 1.0, 1.0, 3.0, 3.0, 3.0])
THREE[0, 1] = THREE[1, 0] = 0.4
THREE[:3, 3:] = [[1.2, 0.5, -0.5], [0.7, 1.0, 0.0], [0.0, 0.0, 0.6]]
THREE[3:, :3] = THREE[:3, 3:].T
GRU, LSTM = {"z": 0.3, "r": 1.0, "h": 0.8}, {"f": 0.3, "i": 0.8, "g": 0.8, "o": 0.8}
MIXTURE = {
    "mean": [[1.0, -0.5, 1.2, 0.0], [-0.3, 1.0, 0.2, 1.4]],
    "covariance": [0.3 * np.eye(4), 0.5 * np.eye(4)],
    "mixture": [0.4, 0.6],
}
BOTH_GATES = [[1.0, 0.5, 2.2, 0.6], [0.5, 1.0, 0.8, 1.0], [2.2, 0.8, 6.0, 0.0], [0.6, 1.0, 0.0, 6.0]]


def point_at(ensemble, overlaps, moments):
    """A fixed point that is known already."""
    names = ensemble.cell.message_names
    return LowRankFixedPoint(ensemble, dict(zip(names, moments)), 0.0, 0.0, Status("converged"), np.array(overlaps))


def ensemble_of(cell, gain, channels, bias=None, **law):
    return gt.Ensemble(cell, gain=gain, bias=bias or {}, low_rank=gt.LowRank(channels, **law))


#: name: (ensemble, overlaps, moments)
CASES = {
    "V1": (ensemble_of(gt.Vanilla, 0.8, "h", covariance=[[1.5, 1.6], [1.6, 2.0]]), [0.6628014706], [0.375]),
    "V2": (ensemble_of(gt.Vanilla, 0.6, {"h": 2}, {"h": 0.1}, **MIXTURE), [0.0415050271, 0.2700829805], [0.1198430668]),
    "G1": (
        ensemble_of(gt.GRU, GRU, "h", covariance=[[1.5, 2.6], [2.6, 5.0]]),
        [0.4766433334],
        [0.2307692308, 0.0606888578],
    ),
    "G2": (
        ensemble_of(gt.GRU, GRU, "h", mean=[1.0, 0.5], covariance=[[1.0, 1.6], [1.6, 4.0]]),
        [0.1541383044],
        [0.0509092426, 0.0128853140],
    ),
    "G3": (
        ensemble_of(gt.GRU, GRU, ["h", "r", "z"], {"r": 0.2}, mean=[1.0, 0.5, -0.5, 1.0, 1.0, 0.5], covariance=THREE),
        [0.5451043580, 0.5769689247, 0.0188506099],
        [0.3404716035, 0.1458604160],
    ),
    "L1": (
        ensemble_of(gt.LSTM, LSTM, "g", mean=[1.0, 1.0], covariance=[[1.0, 2.2], [2.2, 6.0]]),
        [0.482544764],
        [0.054213126],
    ),
    "L2": (
        ensemble_of(gt.LSTM, LSTM, ["g", "f"], mean=[1.0, 0.5, 1.0, 0.5], covariance=BOTH_GATES),
        [0.52637287, 0.19564583],
        [0.06618896],
    ),
}


def nearest(eigenvalues, value):
    return eigenvalues[np.argmin(np.abs(eigenvalues - value))]


@pytest.mark.parametrize(
    ("name", "outlier", "edge", "tol"),
    [
        ("V2", 0.6968621166, 0.5876696306, 1e-8),
        ("G1", 0.80580906, 0.3366264, 1e-7),
        ("G2", 0.9539903606, 0.1892695, 1e-7),
        ("G3", 0.7718987777, 0.4587569, 1e-7),
        ("L1", 0.7079304, 0.476404, 3e-7),
    ],
)
def test_values_of_the_sheet(name, outlier, edge, tol):
    """The one isolated eigenvalue, and the edge function there: moments and overlaps of the sheet have eight to ten digits."""
    spectrum = gt.Spectrum(point_at(*CASES[name]))
    (found,) = spectrum.outliers()
    assert found.imag == 0.0 and found.real == pytest.approx(outlier, abs=tol)
    assert abs(spectrum.outlier_determinant(found)) < 1e-9
    # leaks with less than 1e-6 of the sites beyond are left out of the edge
    assert spectrum.edge_function(found) == pytest.approx(edge, rel=5e-6)


def test_an_overlap_that_the_random_part_keeps_within_its_support():
    """Vanilla with a symmetric channel: without conditioning there would be an eigenvalue at .577, outside of the edge at .556."""
    assert gt.Spectrum(point_at(*CASES["V1"])).outliers().size == 0


def test_leaks_that_networks_do_not_have_hide_nothing():
    """LSTM with a channel in the forget gate: one site in 10^5 has a leak beyond the eigenvalue, so networks of 1000 show it."""
    spectrum = gt.Spectrum(point_at(*CASES["L2"]))
    assert spectrum.outliers().size == 0
    (isolated,) = spectrum.isolated(1000)
    # .7414 if sites beside the axis count by their principal value; evaluated at a distance of .02 from it
    assert isolated.value == pytest.approx(0.7414, abs=1e-3) and isolated.visible
    assert 0.001 < isolated.sd < 0.02


@pytest.mark.parametrize(
    ("cell", "bias", "channel", "leak", "strength"),
    [(gt.GRU, {"z": 1.0, "r": 0.5}, "h", ["z"], ["r"]), (gt.LSTM, {"f": 1.0, "i": 0.5, "o": 0.3}, "g", ["f"], ["i", "o"])],
)
def test_zero_states_are_closed_forms(cell, bias, channel, leak, strength):
    """GRU z + (1 - z) r omega and LSTM f + i o omega with a pair omega = 1.5 +- .8i: gates at rest are constants."""
    turning = np.array([[1.5, -0.8], [0.8, 1.5]])
    covariance = np.block([[np.eye(2), turning], [turning.T, 4.0 * np.eye(2)]])
    ensemble = ensemble_of(cell, 0.5, {channel: 2}, bias, covariance=covariance)
    gate = {name: 1.0 / (1.0 + np.exp(-value)) for name, value in bias.items()}
    held = gate[leak[0]]
    scale = np.prod([gate[name] for name in strength]) * (1.0 - held if cell is gt.GRU else 1.0)
    found = gt.Spectrum(point_at(ensemble, [0.0, 0.0], [0.0] * cell.n_messages)).outliers()
    assert np.allclose(found, held + scale * np.array([1.5 + 0.8j, 1.5 - 0.8j]), rtol=0.0, atol=1e-9)
    assert found[0] == pytest.approx(0.982166 + 0.133924j if cell is gt.GRU else 1.267409 + 0.286053j, abs=1e-6)


def ring(z_gain, z_bias):
    gain = {"z": z_gain, "r": 1.0, "h": 0.8}
    covariance = np.block([[np.eye(2), 2.6 * np.eye(2)], [2.6 * np.eye(2), 8.0 * np.eye(2)]])
    return ensemble_of(gt.GRU, gain, {"h": 2}, {"z": z_bias}, covariance=covariance)


@pytest.mark.parametrize(("z_gain", "z_bias", "slope"), [(0.3, 0.0, 2.010), (0.3, 2.0, 8.466), (3.0, 2.0, 21.87)])
def test_a_ring_of_fixed_points_has_an_eigenvalue_one(z_gain, z_bias, slope):
    """Isotropic loadings of rank two: C(1) has the eigenvalue 1, and the update gate protects it by 1 + exp(b_z + a_z^2 q / 2)."""
    point = next(point for point in gt.fixed_points(ring(z_gain, z_bias)) if point.overlaps.any())
    determinant, step = LowRankIsolated(point).determinant, 1e-4

    def along(lam):
        return nearest(np.linalg.eigvals(determinant.coupling(np.array([complex(lam)]))[0]), 1.0).real

    q = 1.0 - 2.0 / 2.6
    assert point.moments["h"] == pytest.approx(q, rel=1e-8)
    assert along(1.0) == pytest.approx(1.0, abs=1e-7)
    exact = 1.0 + np.exp(z_bias + 0.5 * z_gain**2 * q)
    # leaks of wide gates end where 1e-10 of the sites are left, where 1 / (1 - z) is largest
    assert (along(1.0 - step) - along(1.0 + step)) / (2.0 * step) == pytest.approx(exact, rel=2e-3 if z_gain > 1.0 else 1e-5)
    assert exact == pytest.approx(slope, rel=1e-3)


def sampled(ensemble, overlaps, moments, n, rng):
    """Fields of a GRU, what comes through its random matrices, and loadings at N sites, drawn from what they are by definition."""
    low, gain, bias = ensemble.low_rank, ensemble.array("gain"), ensemble.array("bias")
    left, right = low.loadings(n, rng)
    q = np.array([moments[0], moments[0], moments[1]])
    x = (gain * np.sqrt(q))[:, None] * rng.standard_normal((3, n))
    fields = bias[:, None] + x
    for channel, a, kappa in zip(low.channels, left, overlaps):
        fields[ensemble.cell.field_names.index(channel)] += a * kappa
    return fields, x, left, right


def transfer(lam, y):
    """W of the GRU at its sites' fixed points h = tanh y_h, by hand: (3, 3, N)."""
    z, r, h = 1.0 / (1.0 + np.exp(-y[0])), 1.0 / (1.0 + np.exp(-y[1])), np.tanh(y[2])
    nothing, own = np.zeros(h.size), (1.0 - z) / np.cosh(y[2]) ** 2 / (lam - z)
    return np.array([[nothing, nothing, own], [nothing, nothing, own], [nothing, h * r * (1.0 - r), r * own]])


@pytest.mark.parametrize("name", ["G2", "G3"])
def test_the_determinant_is_a_plain_average_over_sampled_sites(name):
    """det(1 - C) by quadrature against sums of B_i W A_j over sites drawn with their loadings, of channels in three fields."""
    ensemble, overlaps, moments = CASES[name]
    spectrum, low = gt.Spectrum(point_at(ensemble, overlaps, moments)), ensemble.low_rank
    rng, field = np.random.default_rng(1), [ensemble.cell.field_names.index(c) for c in low.channels] + [0, 1, 2]
    for lam in (0.9, 0.7 + 0.4j):
        blocks = []
        for _ in range(20):
            y, x, left, right = sampled(ensemble, overlaps, moments, 20_000, rng)
            h, W = np.tanh(y[2]), transfer(lam, y)
            m = np.array([h, h, h / (1.0 + np.exp(-y[1]))])
            A, B = np.concatenate([left, x]), np.concatenate([right, m / np.mean(m**2, axis=1, keepdims=True)])
            C = [[np.mean(B[i] * W[field[i], field[j]] * A[j]) for j in range(len(field))] for i in range(len(field))]
            blocks.append(np.linalg.det(np.eye(len(field)) - np.array(C)))
        error = np.std(blocks) / np.sqrt(len(blocks))
        # products of several averages are biased by order 1/20000 each
        assert abs(np.mean(blocks) - spectrum.outlier_determinant(lam)) < 4.0 * error + 1e-3
        assert error < 0.02


def planted(ensemble, overlaps, moments, n, rng):
    """A GRU conditioned on sites that are drawn from the mean field; biases make up for its own overlaps."""
    y, x, left, right = sampled(ensemble, overlaps, moments, n, rng)
    h = np.tanh(y[2])
    m = np.array([h, h, h / (1.0 + np.exp(-y[1]))])
    U = ensemble.array("gain")[:, None, None] * rng.standard_normal((3, n, n)) / np.sqrt(n)
    U += (x - np.einsum("kij,kj->ki", U, m))[:, :, None] * m[:, None, :] / np.sum(m**2, axis=1)[:, None, None]
    for channel, a, b in zip(ensemble.low_rank.channels, left, right):
        U[ensemble.cell.field_names.index(channel)] += np.outer(a, b) / n
    return gt.Network(gt.GRU, U, y - np.einsum("kij,kj->ki", U, m)), h[None]


@pytest.mark.parametrize(
    ("name", "n", "count"), [("G2", 150, 50), *(pytest.param(name, 600, 200, marks=pytest.mark.nightly) for name in ("G1", "G3"))]
)
def test_planted_networks_spread_as_stated(name, n, count):
    """Networks of N units conditioned on sites and loadings drawn from the mean field: mean and spread of the eigenvalue."""
    case, rng = CASES[name], np.random.default_rng(2)
    (isolated,) = gt.Spectrum(point_at(*case)).isolated(n)
    assert isolated.visible and isolated.sd_sites > isolated.sd_matrices > 0.0
    nets = (planted(*case, n, rng) for _ in range(count))
    found = np.array([nearest(net.eigenvalues(state), isolated.value).real for net, state in nets])
    # of second order: sd^2 over the distance from the edge
    assert abs(found.mean() - isolated.value.real) < 4.0 * isolated.sd / np.sqrt(count) + 0.02
    assert found.std(ddof=1) == pytest.approx(isolated.sd, rel=4.0 / np.sqrt(2 * count) + 0.1)


def whitened(low, n, rng):
    """(2, R, N) loadings whose first and second moments are those of each component of their law."""
    sizes = np.round(low.mixture * n).astype(int)
    sizes[0] += n - sizes.sum()
    parts = []
    for mean, covariance, size in zip(low.mean, low.covariance, sizes):
        z = rng.standard_normal((2 * low.rank, size))
        z -= z.mean(axis=1, keepdims=True)
        z = np.linalg.solve(np.linalg.cholesky(z @ z.T / size), z)
        parts.append(mean[:, None] + np.linalg.cholesky(covariance) @ z)
    return np.concatenate(parts, axis=1).reshape(2, low.rank, n)


@pytest.mark.parametrize(
    ("name", "n", "count"),
    [
        ("V2", 500, 4),
        ("G1", 400, 2),
        *(pytest.param(name, 1000, 6, marks=pytest.mark.nightly) for name in ("V2", "G1", "G2", "G3", "L1", "L2")),
    ],
)
def test_networks_that_come_to_rest_have_the_eigenvalue(name, n, count):
    """Sampled networks run until they rest: the eigenvalue of slowest decay, within what sites, matrices and overlaps move it.

    Loadings are whitened: their moments over units are those of the law, so that overlaps are nearly the limit's.
    """
    ensemble, overlaps, moments = CASES[name]
    (isolated,) = gt.Spectrum(point_at(ensemble, overlaps, moments)).isolated(n)
    rng, found = np.random.default_rng(4), []
    for _ in range(count):
        low = gt.LowRank(ensemble.low_rank.channels, vectors=whitened(ensemble.low_rank, n, rng))
        own = gt.Ensemble(ensemble.cell, gain=ensemble.gain, bias=ensemble.bias, low_rank=low)
        net = gt.Network.sample(own, n, rng)
        state = net.run(0.1 * np.sign(overlaps[0]) * np.abs(net.random_state(rng)), 600)
        assert np.abs(net.step(state) - state).max() < 1e-3
        found.append(nearest(net.eigenvalues(state), isolated.value).real)
    # overlaps are the network's own, which moves the eigenvalue by as much again
    assert abs(np.mean(found) - isolated.value.real) < 4.0 * 2.0 * isolated.sd / np.sqrt(count)


@pytest.mark.parametrize(("n", "count"), [(300, 12), pytest.param(1000, 40, marks=pytest.mark.nightly)])
def test_loadings_that_depend_on_the_random_part(n, count):
    """B = B0 + a J c and A = A0 + a J^T c' act in C like B0 + a^2 E[W] c and A0 + a^2 E[W] c'."""
    rng, gain = np.random.default_rng(5), 0.5
    D = rng.uniform(0.3, 1.0, n)
    A0, B0, c, d = rng.standard_normal((4, n))
    A0, B0 = A0 + 0.8, B0 + 0.8
    c, d = c + 0.5, d + 0.5
    found = {"right": [], "left": [], "both": []}
    for _ in range(count):
        J = gain * rng.standard_normal((n, n)) / np.sqrt(n)
        B, A = B0 + J @ c, A0 + J.T @ d
        for kind, a, b in (("right", A0, B), ("left", A, B0), ("both", A, B)):
            found[kind].append(np.linalg.eigvals(D[:, None] * (J + np.outer(a, b) / n)))

    def root(kind):
        # 1 = E[B D A] / lambda with the mean of W = D / lambda in the loadings: solved by iteration
        lam = 1.0
        for _ in range(200):
            mean = gain**2 * np.mean(D) / lam
            b = B0 + mean * c * (kind != "left")
            a = A0 + mean * d * (kind != "right")
            lam = np.mean(b * D * a)
        return lam

    for kind, spectra in found.items():
        theory = root(kind)
        values = [nearest(eigenvalues, theory).real for eigenvalues in spectra]
        assert abs(np.mean(values) - theory) < 4.0 * np.std(values) / np.sqrt(count) + 5.0 / n


def test_a_spectrum_with_a_low_rank_part_serves_the_rest_and_refuses_by_name(tmp_path):
    point = point_at(*CASES["V2"])
    spectrum = gt.Spectrum(point)
    (leading,) = gt.Spectrum.of_each([point])
    assert leading.abscissa() == pytest.approx(spectrum.abscissa(), rel=1e-12)
    # one message: the edge is a disc of radius squared a^2 E[slope^2]
    slopes = 1.0 / np.cosh(point.sites.fields[0]) ** 2
    assert spectrum.radius() == pytest.approx(0.6 * np.sqrt(point.sites.mean(slopes**2)), rel=1e-6)
    assert spectrum.concentration(500).describes
    with pytest.raises(gt.CapabilityError, match=r"low-rank parts of matrices \[T11\]: use isolated"):
        spectrum.finite_size(100)
    # a low-rank part has singular values of its own: what is the norm of J or of its resolvent is not that of the random part
    for ask in (
        spectrum.numerical_abscissa,
        spectrum.kreiss,
        lambda: spectrum.resolvent_norm(1.1),
        lambda: spectrum.pseudospectrum(0.1),
        spectrum.singular_values,
    ):
        with pytest.raises(gt.CapabilityError, match=r"singular values .* low-rank parts of matrices \[T11\]"):
            ask()
    assert 0.0 < spectrum.overlap(0.3)  # of modes of the bulk
    gt.save(spectrum, tmp_path / "spectrum.json")
    assert gt.load(tmp_path / "spectrum.json").outliers()[0] == pytest.approx(spectrum.outliers()[0], rel=1e-12)
