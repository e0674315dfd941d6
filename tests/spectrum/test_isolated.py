"""Width of isolated eigenvalues of networks of N units: known examples, random matrices, planted networks [T12]."""

import numpy as np
import pytest
import sympy as sp

import gating_theory as gt
from gating_theory.spectrum.isolated import matrix_part

_h, _y, _r = sp.symbols("h y_h y_r", real=True)
#: Slopes that grow with the field make an isolated eigenvalue at the middle one of three states; the same with a gated message.
CUBIC = gt.Cell(name="cubic", state=[_h], fields=[_y], messages=[_h], update=[sp.tanh(_y) ** 3])
GATED = gt.Cell(
    name="gated cubic", state=[_h], fields=[_r, _y], messages=[_h, _h * (1 + sp.tanh(_r) ** 2)], update=[sp.tanh(_y) ** 3]
)


def width(u, w, v, n, slope):
    """Standard deviation of a root of E[u w] = 1, of one message: sites (M,) of equal weight."""
    matrices = matrix_part(np.array([np.mean(u**2 * v)]), np.array([[np.mean(v)]]), np.array([np.mean(w**2)]))
    return np.sqrt((matrices + np.var(u * w)) / n) / abs(slope)


def test_a_rank_one_matrix_with_noise_of_one_strength():
    """J = G / 2 + 1 1^T / N, N = 200: .0408 (a prototype, whose matrices had .0411 +- .0021)."""
    one = np.ones(1)
    assert width(one, one, 0.25 * one, 200, -1.0) == pytest.approx(0.0408, abs=5e-5)


def largest(J, rng):
    """The eigenvalue of largest modulus, a real one well apart from the others, by power iteration."""
    x = rng.standard_normal(len(J))
    for _ in range(100):
        x = J @ x
        x /= np.linalg.norm(x)
    return x @ (J @ x)


@pytest.mark.parametrize("count", [60, pytest.param(600, marks=pytest.mark.nightly)])
def test_rank_one_matrices_with_dependent_sides(count):
    """J = D G + m n^T / N with lognormal D on which m and n depend: largest eigenvalues of sampled matrices."""
    rng, n = np.random.default_rng(2), 150

    def sides(x):
        strength = np.exp(0.6 * x[0]) / 3.0
        return strength, 1.0 + 0.5 * np.tanh(x[0]) + 0.4 * x[1], 1.2 * np.ones_like(x[0]) + 0.3 * x[2] + 0.2 * strength

    strength, m, other = sides(rng.standard_normal((3, 200_000)))
    # C(lambda) = E[m n] / lambda, v = D^2 / lambda^2
    root = np.mean(m * other)
    theory = width(other, m / root, strength**2 / root**2, n, -1.0 / root)
    found = []
    for _ in range(count):
        strength, m, other = sides(rng.standard_normal((3, n)))
        J = strength[:, None] * rng.standard_normal((n, n)) / np.sqrt(n) + np.outer(m, other) / n
        found.append(largest(J, rng))
    assert abs(np.mean(found) - root) < 4.0 * theory / np.sqrt(count) + 0.02  # of order 1/N
    assert np.std(found, ddof=1) == pytest.approx(theory, rel=4.0 / np.sqrt(2 * count) + 0.05)


@pytest.mark.parametrize(
    ("cell", "gain", "n_units", "count"),
    [
        (CUBIC, {"h": 2.8}, 300, 40),
        (GATED, {"r": 1.0, "h": 2.4}, 400, 40),
        pytest.param(CUBIC, {"h": 2.8}, 600, 300, marks=pytest.mark.nightly),
        pytest.param(GATED, {"r": 1.0, "h": 2.4}, 600, 300, marks=pytest.mark.nightly),
    ],
)
def test_planted_networks(cell, gain, n_units, count):
    """The largest eigenvalue of planted networks with one message and with two: its spread."""
    point, rng = gt.fixed_points(gt.Ensemble(cell, gain=gain))[1], np.random.default_rng(4)
    spectrum = gt.Spectrum(point)
    (isolated,) = spectrum.finite_size(n_units, 2, rng=0).isolated
    assert isolated.visible and isolated.value == spectrum.outliers()[0]
    found = []
    for _ in range(count):
        net, state = gt.Network.planted(point, n_units, rng=rng)
        found.append(largest(net.jacobian(state), rng))
    found = np.array(found)
    # of second order: sd^2 over the distance from the edge
    assert abs(found.mean() - isolated.value.real) < 4.0 * isolated.sd / np.sqrt(count) + 0.03
    assert found.std(ddof=1) == pytest.approx(isolated.sd, rel=4.0 / np.sqrt(2 * count) + 0.1)


def test_an_eigenvalue_next_to_the_edge_is_lost():
    """A GRU's 1.0520 against an edge at 1.0518: its spread is far more than the distance, also at N = 3000."""
    point = gt.fixed_points(gt.Ensemble(gt.GRU, gain={"z": 2, "r": 14, "h": 1.8}))[1]
    spectrum = gt.Spectrum(point)
    (isolated,) = spectrum.finite_size(200, 2, rng=0).isolated
    assert isolated.value.real == pytest.approx(1.05203, abs=1e-5) and spectrum.abscissa() == pytest.approx(1.05184, abs=1e-5)
    assert not isolated.visible and isolated.sd > 0.1
    assert "lost" in str(isolated)
    for n in (1500, 3000):
        (same,) = spectrum.isolated(n)
        assert not same.visible and same.sd == pytest.approx(isolated.sd * np.sqrt(200 / n), rel=1e-9)
        assert same.sd > 100.0 * (same.value.real - spectrum.abscissa())


def test_the_distance_from_the_edge_alone():
    """isolated(N) is what finite_size finds, without the laws of the outermost eigenvalues."""
    spectrum = gt.Spectrum(gt.fixed_points(gt.Ensemble(CUBIC, gain=2.8))[1])
    assert spectrum.isolated(300) == spectrum.finite_size(300, 2, rng=0).isolated


def test_zero_states_have_none(tmp_path):
    at = gt.Spectrum(gt.fixed_points(gt.Ensemble(gt.GRU, gain=1.0))[0]).finite_size(100, 2, rng=0)
    assert at.isolated == ()
    point = gt.fixed_points(gt.Ensemble(CUBIC, gain=2.8))[1]
    (isolated,) = gt.Spectrum(point).finite_size(300, 2, rng=0).isolated
    gt.save(isolated, tmp_path / "isolated.json")
    assert gt.load(tmp_path / "isolated.json") == isolated
