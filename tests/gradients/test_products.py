"""All singular values of products of Jacobians, with the same weights in every step."""

import pickle
from dataclasses import replace

import numpy as np
import path_ways as ways
import pytest
import sheet_sites
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.special import iv
from strategies import random_cells

import gating_theory as gt


def swapped(sites):
    """Each site where the other was."""
    return replace(sites, state=sites.state[:, ::-1], fields=sites.fields[:, ::-1])


def vanilla(gain):
    """Linear vanilla units: J = gain times a Ginibre matrix."""
    return gt.Sites(gt.Vanilla, np.ones(1), np.zeros((1, 1)), np.zeros((1, 1)), gain=np.array([gain]), matrices="iid")


def silent(z, w):
    """A silent GRU with J = z + w U."""
    fields = np.array([[np.log(z / (1.0 - z))], [0.0], [0.0]])
    gain = np.array([1.0, 1.0, 2.0 * w / (1.0 - z)])
    return gt.Sites(gt.GRU, np.ones(1), np.zeros((1, 1)), fields, gain=gain, matrices="iid")


# --- the numbers of [T9], section 9


@pytest.mark.parametrize(
    ("name", "steps", "y", "largest"),
    [
        ("gru", 3, 0.2535475621, 4.147),
        ("gru", 8, 0.1889040587, 18.94),
        ("lstm", 3, 0.2981477678, 3.829),
        ("lstm", 8, 0.1698875164, 8.813),
    ],
)
def test_products(name, steps, y, largest):
    """(1/N) tr P P^T / (1 + P P^T) = d - m(1)."""
    sites = getattr(sheet_sites, name)()
    found = gt.product_singular_values(sites, steps)
    # the sheet iterated until its ninth digit: .2981477678 for .2981477777
    assert found.n_state - found.regularised(1.0).m == pytest.approx(y, abs=1.2e-8)
    assert found.largest() == pytest.approx(largest, rel=1.5e-4)


def test_alternating_path():
    sites = sheet_sites.gru()
    found = gt.product_singular_values([sites, swapped(sites)] * 2 + [sites], 5)
    assert 1.0 - found.regularised(1.0).m == pytest.approx(0.1610793694, abs=2e-10)
    assert found.largest() == pytest.approx(4.130, abs=6e-4)


@pytest.mark.parametrize(("name", "largest"), [("gru", 1.9272117908), ("lstm", 2.9001317888)])
def test_one_step(name, largest):
    """T = 1 is ``Spectrum.singular_values``, by other equations."""
    sites = getattr(sheet_sites, name)()
    one, product = gt.Spectrum(sites).singular_values(), gt.product_singular_values(sites, 1)
    eta = np.array([0.05, 0.3, 1.0, 4.0])
    expected, found = one.regularised(eta), product.regularised(eta)
    np.testing.assert_allclose(found.m, expected.m, rtol=1e-9)
    np.testing.assert_allclose(found.potential, expected.potential, atol=1e-9)
    np.testing.assert_allclose(product.moments(4), one.moments(4), rtol=1e-12)
    assert product.square_std() == pytest.approx(one.square_std(), rel=1e-12)
    assert product.largest() == pytest.approx(largest, abs=1e-9)


# --- closed forms


@pytest.mark.parametrize("steps", [1, 2, 5, 12, 30])
@pytest.mark.parametrize("weights", ["tied", "untied"])
def test_powers_of_a_ginibre_matrix(steps, weights):
    """Their singular values are those of products of independent ones: s_max^2 = a^2T (T+1)^(T+1) / T^T, Fuss-Catalan moments."""
    from math import comb

    found = gt.product_singular_values(vanilla(0.9), steps, weights)
    scale = 0.81**steps
    assert found.largest() == pytest.approx(np.sqrt(scale * (steps + 1.0) ** (steps + 1) / float(steps) ** steps), rel=1e-9)
    catalan = [comb((steps + 1) * j, j) / (steps * j + 1) * scale**j for j in (1, 2, 3)]
    np.testing.assert_allclose(found.moments(3), catalan, rtol=1e-12)


@pytest.mark.parametrize(
    ("kappa", "rho", "G", "std", "largest"),
    [(1, 1, 0.310, 0.405, 1.459), (0.2, 1, 0.697, 0.198, 1.086), (0.2, 2, 0.782, 0.436, 1.434)],
)
def test_slow_gates(kappa, rho, G, std, largest):
    """1 - z = kappa / T: the spread of [T9], section 7, at T = 20; the mean square is e^(-2 kappa) I_0(2 kappa rho) but for 1/T."""
    found = gt.product_singular_values(silent(1.0 - kappa / 20.0, rho * kappa / 20.0), 20)
    assert found.moments(1)[0] == pytest.approx(G, abs=6e-4)
    assert found.moments(1)[0] == pytest.approx(np.exp(-2.0 * kappa) * iv(0, 2.0 * kappa * rho), rel=0.01)
    assert found.square_std() == pytest.approx(std, abs=6e-4)
    assert found.largest() == pytest.approx(largest, abs=1e-3)


def test_transient_and_kreiss():
    """[T9], section 6: z = .5, w = .48; the largest norm of powers lies above Kreiss's constant, 1.860; that of J^14 is 2.748.

    A silent state is no normal matrix: its radius is .98, and powers of it grow for many steps.
    """
    norms = {n: gt.product_singular_values(silent(0.5, 0.48), n).largest() for n in (1, 6, 14)}
    assert norms[14] == pytest.approx(2.748, abs=6e-4)
    assert norms[1] < 1.860 < norms[14]  # one step alone says less than the resolvent does
    assert norms[1] < norms[6] < norms[14]


# --- other ways


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(random_cells(), st.integers(0, 2**31))
def test_identities(cell, seed):
    """Any cell along any path: the first moment is the growth of gradients, m the slope of the potential, and moments its tail."""
    steps = ways.random_sites(cell, np.random.default_rng(seed), 2, 3)
    found = gt.product_singular_values(steps, 3)
    first, second, third = found.moments(3) * found.n_state
    # perturbations can cancel in a step: relative to the largest so far
    growth = ways.by_vectors(steps).sum(axis=1)
    assert first == pytest.approx(growth[-1], rel=1e-9, abs=1e-11 * growth.max())
    if first < 1e-6 * growth.max():
        return  # nothing but rounding is left
    scale = np.sqrt(first / found.n_state)
    far = 30.0 * scale * max(1.0, np.sqrt(third / second) / scale)
    at_far = found.regularised(far)
    x = far**-2.0
    expected = found.n_state - first * x + second * x**2 - third * x**3
    # the next term of the series is less than 30^-8 of the first
    assert at_far.m * far == pytest.approx(expected, abs=1e-9)
    step = 1e-3 * scale
    low, middle, high = (found.regularised(scale + k * step) for k in (-1, 0, 1))
    assert (high.potential - low.potential) / (2.0 * step) == pytest.approx(middle.m, rel=1e-5)


@pytest.mark.parametrize("name", ["GRU", "LSTM", "GRUResetAfter"])
@pytest.mark.parametrize("weights", ["tied", "untied"])
def test_sampled_matrices(name, weights):
    """Singular values of sampled products along given site paths: sums over them are off by 1/N, largest ones are lower.

    A smooth sum over the eigenvalues of matrices of N units fluctuates by O(1) and is shifted by O(1): a few parts in N for each
    unit; 12 of them are allowed, of one network. The largest singular value is low by N^(-2/3) times a few, high by less.
    """
    rng, n = np.random.default_rng(4), 150
    steps = [replace(sites, weights=np.full(3, 1.0 / 3.0)) for sites in ways.random_sites(getattr(gt, name), rng, 3, 3)]
    found = gt.product_singular_values(steps, 3, weights)
    s = np.linalg.svd(ways.sampled_product(steps, n, rng, weights == "tied"), compute_uv=False)
    for part in (0.3, 1.0):
        eta = part * np.sqrt(found.moments(1)[0])
        theory = eta * found.regularised(eta).m
        assert abs(np.sum(eta**2 / (s**2 + eta**2)) / n - theory) < 12.0 / n
    edge = found.largest()
    assert 1.0 - 6.0 * n ** (-2.0 / 3.0) < s[0] / edge < 1.0 + 3.0 * n ** (-2.0 / 3.0)


def test_thirty_steps():
    """An unstable state through 30 steps, where regulators span four decades: the potential's slope is m."""
    found = gt.product_singular_values(sheet_sites.lstm(), 30)
    eta = np.array([0.3, 0.30003, 3.0, 30.0])
    at = found.regularised(eta)
    assert (at.potential[1] - at.potential[0]) / (eta[1] - eta[0]) == pytest.approx(at.m[:2].mean(), rel=1e-5)
    assert found.moments(1)[0] * 2 == pytest.approx(gt.gradient_growth(sheet_sites.lstm(), 30).mean_square[30] * 2, rel=1e-9)


# --- as a result


def test_fixed_point():
    """Populations of a law of sites, until two agree: the first moment is the growth at the fixed point itself."""
    point = gt.fixed_points(gt.Ensemble(gt.GRU, gain={"z": 2, "r": 3, "h": 4}, bias={"z": 0.5}))[-1]
    found = gt.product_singular_values(point, 3)
    assert found.moments(1)[0] == pytest.approx(gt.gradient_growth(point, 3).mean_square[3], rel=1e-3)
    with pytest.raises(gt.ConvergenceError, match="rare sites of a law make it"):
        found.largest()


def test_nothing_is_left():
    """Without gains and leaks there are zeros only."""
    found = gt.product_singular_values(vanilla(0.0), 2)
    assert found.largest() == 0.0 and found.moments(1)[0] == 0.0
    with pytest.raises(ValueError, match="all singular values vanish"):
        found.regularised(1.0)


def test_result(tmp_path):
    found = gt.product_singular_values(sheet_sites.gru(), 2)
    assert "product of 2 Jacobians, tied weights" in str(found) and "2 steps" in repr(found)
    again = gt.load(gt.save(found, tmp_path / "product.json"))
    assert again.moments(2).tolist() == found.moments(2).tolist() == pickle.loads(pickle.dumps(found)).moments(2).tolist()
    at = found.regularised([0.5, 1.0])
    assert gt.load(gt.save(at, tmp_path / "at.json")) == at


def test_what_is_refused():
    sites = sheet_sites.gru()
    with pytest.raises(ValueError, match=r"n_steps must lie in \[1, 200\]"):
        gt.product_singular_values(sites, 0)
    with pytest.raises(TypeError, match="source must be"):
        gt.product_singular_values(None, 2)
    with pytest.raises(ValueError, match="weights must be 'tied' or 'untied'"):
        gt.product_singular_values(sites, 2, "loose")
    with pytest.raises(ValueError, match="eta must lie in"):
        gt.product_singular_values(sites, 2).regularised(0.0)
    with pytest.raises(ValueError, match=r"n_steps must lie in \[1, 2\]"):
        gt.product_singular_values([sites, sites], 3)
    with pytest.raises(ValueError, match="k must be at least 1"):
        gt.product_singular_values(sites, 2).moments(0)
