"""Isolated eigenvalues: the slope of the mean-field map, and the same from sites as from factors [T4]."""

import numpy as np
import pytest

import gating_theory as gt


def test_outliers_of_the_vanilla_cell_are_the_slope_of_the_map():
    """With a bias spread the vanilla fixed point has C = E[tanh(y) tanh'(y) x] a^2 q/(a^2 q + beta^2) / (q lambda) [T4]."""
    fp = gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=1.2, bias=0.8, bias_std=0.2))[0]
    q, std = fp.moments["h"], fp.field_std["h"]
    x, w = np.polynomial.hermite_e.hermegauss(80)
    y = 0.8 + std * x
    share = 1.44 * q / std**2
    root = np.sum(w / w.sum() * np.tanh(y) / np.cosh(y) ** 2 * std * x) * share / q
    found = gt.Spectrum(fp).outliers()
    inside = gt.Spectrum(fp).edge_function(root) > 1
    assert (found.size == 0) == inside
    if found.size:
        assert found[0] == pytest.approx(root, rel=1e-8)


def test_outliers_of_sites_are_those_of_the_fixed_point():
    """With mean-field sites the determinant from sites is the one averaged factor by factor."""
    ensemble = gt.Ensemble(gt.Vanilla, gain=2.0, bias_std=0.7)
    fp = gt.fixed_points(ensemble)[-1]
    result = gt.complexity(ensemble, "mean_field")
    ours, theirs = gt.Spectrum.from_sites(result.sites_at(1e-9)).outliers(), gt.Spectrum(fp).outliers()
    assert ours.size == theirs.size and np.allclose(ours, theirs, atol=1e-6)


LOWER, UPPER = {"z": 2.0, "r": 14.0, "h": 1.8}, {"z": 2.0, "r": 3.0, "h": 4.0}
PLANTED = [
    (gt.GRU, LOWER, 1, 1.10, 0.08040),
    (gt.GRU, LOWER, 1, 1.25, 0.26488),
    (gt.GRU, LOWER, 1, 1.50, 0.44879),
    (gt.GRU, UPPER, -1, 1.50, 0.86947),
    (gt.Vanilla, 1.5, -1, 1.20, 0.57944),
    (gt.LSTM, {"f": 2.0, "i": 2.0, "g": 4.0, "o": 2.0}, -1, 1.60, 0.83053),
]


@pytest.mark.parametrize(("cell", "gain", "which", "lam", "value"), PLANTED)
def test_determinants_of_the_sheet(cell, gain, which, lam, value):
    """det(1 - C) at fixed points of random matrices alone [T11]."""
    point = gt.fixed_points(gt.Ensemble(cell, gain=gain))[which]
    assert gt.Spectrum(point).outlier_determinant(lam) == pytest.approx(value, abs=6e-6)  # as printed


@pytest.mark.parametrize(
    ("case", "n", "count"),
    [(1, 200, 40), (4, 200, 40), *(pytest.param(case, 400, 200, marks=pytest.mark.nightly) for case in range(len(PLANTED)))],
)
def test_determinants_of_planted_networks(case, n, count):
    """det(lambda - J) of planted networks over that of matrices which are zero on the fixed point's messages, at the same sites.

    Its mean is det(1 - C): the conditioning of the matrices is real, also on the lower branch of (a_h, a_r, a_z) = (1.8, 14, 2),
    whose zero is too close to the edge to be seen.
    """
    cell, gain, which, lam, value = PLANTED[case]
    point, rng, found = gt.fixed_points(gt.Ensemble(cell, gain=gain))[which], np.random.default_rng(3), []
    for _ in range(count):
        net, state = gt.Network.planted(point, n, rng)
        fields = net.fields(state)
        messages = np.array([cell.compiled.message(k, list(state), list(fields)) for k in range(cell.n_fields)])
        seen = np.einsum("kij,kj->ki", net.matrices, messages)
        unseen = net.matrices - seen[:, :, None] * messages[:, None] / np.sum(messages**2, axis=1)[:, None, None]
        others = gt.Network(cell, unseen, net.biases + seen, net.parameters, net.input)
        signs, logs = np.linalg.slogdet(lam * np.eye(state.size) - np.array([net.jacobian(state), others.jacobian(state)]))
        found.append(signs.prod() * np.exp(logs[0] - logs[1]))
    # order 1/N: products of averages under the determinant
    assert abs(np.mean(found) - value) < 4.0 * np.std(found) / np.sqrt(count) + 2.0 / n
    assert np.std(found) / np.sqrt(count) < 0.05
