"""Gaussian quadrature against mpmath, factorised averages against brute force."""

from dataclasses import replace
from functools import cache

import mpmath as mp
import numpy as np
import pytest
from scipy.special import expit

import gating_theory as gt
from gating_theory.cell.probes import Shape
from gating_theory.ensemble.quadrature import FieldLaw, gaussian_rule

FUNCTIONS = {"tanh2": (lambda y: np.tanh(y) ** 2, lambda y: mp.tanh(y) ** 2), "sigma2": (lambda y: expit(y) ** 2, None)}


@cache
def _exact(name, mean, std):
    function = FUNCTIONS[name][1] or (lambda y: (1 / (1 + mp.exp(-y))) ** 2)
    with mp.workdps(25):
        s = mp.mpf(std)
        # a plain trapezoidal sum with steps of 1/40 of the distance pi/2 to the poles: the error is exp(-80 pi) or less
        step = min(mp.mpf(1) / 8, mp.pi / 2 / s / 12)
        n = int(11 / step) + 1
        weights = [mp.exp(-((i * step) ** 2) / 2) for i in range(-n, n + 1)]
        values = [function(mean + s * i * step) for i in range(-n, n + 1)]
        return float(mp.fsum(w * v for w, v in zip(weights, values)) / mp.fsum(weights))


#: tanh has its poles at i pi/2; the same with nodes that cluster at 0; the same in sections.
TANH = Shape(np.pi / 2, 2.0)
SHAPES = {
    "even": TANH,
    "clustered": Shape(np.pi / 2, 2.0, centre=0.0),
    "sections": Shape(0.0, 2.0, breaks=tuple(np.array([-20, -12, -7, -4, -2.5, -1.2, 0, 1.2, 2.5, 4, 7, 12, 20]).tolist())),
}


@pytest.mark.parametrize("tol", [1e-6, 1e-10, 1e-13])
@pytest.mark.parametrize("std", [0.3, 1.0, 3.0, 10.0])
@pytest.mark.parametrize("mean", [0.0, 1.5])
@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_moments(name, mean, std, tol):
    strip = np.pi / 2 if name == "tanh2" else np.pi
    for kind, shape in SHAPES.items():
        if kind != "sections":
            shape = replace(shape, strip=strip, length=2.0 * strip / TANH.strip)
        nodes, weights = gaussian_rule(mean, [std], tol, shape)
        assert nodes.shape == weights.shape == (1, nodes.shape[1])
        assert weights.sum() == pytest.approx(1, abs=1e-14)
        value = float(weights[0] @ FUNCTIONS[name][0](nodes[0]))
        # a few tol: cut tails and discretisation each leave about one tol; 1e-14 for the rounding of the sum
        assert value == pytest.approx(_exact(name, mean, std), abs=5 * tol + 1e-14)


def test_moments_of_the_gaussian_itself():
    for mean, std in [(0.0, 1.0), (-2.0, 0.5), (0.7, 5.0)]:
        nodes, weights = gaussian_rule(mean, [std], 1e-13, TANH)
        x = (nodes[0] - mean) / std
        moments = [float(weights[0] @ x**k) for k in (1, 2, 3, 4)]
        # tails beyond the reach weigh reach^4 more in the fourth moment
        np.testing.assert_allclose(moments, [0, 1, 0, 3], atol=1e-9)


def test_batches_share_nodes_for_the_widest():
    std = np.array([0.0, 0.1, 2.0, 10.0])
    for shape in SHAPES.values():
        nodes, weights = gaussian_rule(0.3, std, 1e-10, shape)
        assert nodes.shape == weights.shape and nodes.shape[0] == 4
        value = np.einsum("bn,bn->b", weights, np.tanh(nodes) ** 2)
        assert value[0] == pytest.approx(np.tanh(0.3) ** 2, rel=1e-14)
        for i in (1, 2, 3):
            assert value[i] == pytest.approx(_exact("tanh2", 0.3, std[i]), abs=5e-10)


def test_stiff_rules_resolve_a_step_of_any_width():
    for width in (1e-2, 1e-4, 1e-7):
        nodes, weights = gaussian_rule(0.0, [1.0], 1e-10, SHAPES["clustered"])
        value = float(weights[0] @ np.tanh(nodes[0] / width) ** 2)
        # E tanh(y/w)^2 = 1 - E sech^2(y/w) = 1 - 2 w / sqrt(2 pi) + O(w^3)
        assert value == pytest.approx(1 - 2 * width / np.sqrt(2 * np.pi), abs=width**3 + 1e-8)


def test_no_spread_is_one_node():
    nodes, weights = gaussian_rule(0.7, [0.0, 0.0], 1e-10, TANH)
    np.testing.assert_array_equal(nodes, [[0.7], [0.7]])
    np.testing.assert_array_equal(weights, [[1.0], [1.0]])


def test_refine_divides_the_step():
    for shape in SHAPES.values():
        coarse, _ = gaussian_rule(0.0, [1.0], 1e-4, shape)
        fine, weights = gaussian_rule(0.0, [1.0], 1e-4, shape, refine=3)
        assert 2.5 < fine.shape[1] / coarse.shape[1] < 3.5
        assert weights.sum() == pytest.approx(1, abs=1e-14)
        error = abs(float(weights[0] @ np.tanh(fine[0]) ** 2) - _exact("tanh2", 0.0, 1.0))
        assert error < 1e-4


# --- averages of products


@pytest.mark.parametrize("name", ["GRU", "MGU", "LSTM", "GRUResetAfter", "PeepholeLSTM"])
def test_mean_of_products_is_the_tensor_sum(name):
    """Messages average factor by factor to what a sum over all fields and parameters at once gives."""
    cell = getattr(gt, name)
    tol = 1e-6 if name == "PeepholeLSTM" else 1e-8  # its sites are solved for, at every node of four dimensions
    K, P = cell.n_fields, len(cell.parameters)
    means = np.linspace(-0.5, 0.4, K + P)
    stds = np.vstack([np.linspace(0.3, 0.5, K + P), np.linspace(0.2, 0.1, K + P)])
    stds[:, K:] *= 0.1 if name != "PeepholeLSTM" else 0.0  # seven dimensions would be too many for a brute sum
    if name == "PeepholeLSTM":
        means[K:] = [0.0, 0.0, -0.5]  # the output gate's peephole feeds nothing back: no memory runs away
    compiled = cell.compiled
    law = FieldLaw(means, stds, compiled.shapes)
    x, w = np.polynomial.hermite_e.hermegauss(14)
    w = w / w.sum()
    for row in range(2):
        axes = [means[v] + stds[row, v] * x if stds[row, v] > 0 else means[v : v + 1] for v in range(K + P)]
        weights = [w if a.size > 1 else np.ones(1) for a in axes]
        grid = [g.ravel() for g in np.meshgrid(*axes, indexing="ij")]
        weight = np.prod([g.ravel() for g in np.meshgrid(*weights, indexing="ij")], axis=0)
        messages = compiled.messages(compiled.fixed_state(grid[:K], grid[K:]), grid[:K], grid[K:])
        for message, products in zip(messages, compiled.moment_factors):
            average, reached = law.mean_of_products(cell, products, tol)
            # 14 Gauss-Hermite nodes at standard deviations up to 0.5 and poles at pi/2 are good to about 1e-6
            assert average[row] == pytest.approx(float(np.sum(weight * message**2)), rel=1e-5)
            assert reached == tol


def test_even_variables_need_half_the_nodes():
    law = FieldLaw(np.zeros(1), np.array([[2.0]]), (TANH,))
    (full,), (w_full,), _ = law.grid([0], 1e-10)
    (half,), (w_half,), _ = law.grid([0], 1e-10, even=(0,))
    assert half.size == full.size // 2 + 1 and w_half.sum() == pytest.approx(1, abs=1e-14)
    assert float(w_half[0] @ np.tanh(half[0]) ** 2) == pytest.approx(float(w_full[0] @ np.tanh(full[0]) ** 2), rel=1e-13)
    biased = FieldLaw(np.ones(1), np.array([[2.0]]), (TANH,))
    (kept,), _, _ = biased.grid([0], 1e-10, even=(0,))
    assert kept.min() < 0  # a biased field is not even


def test_too_large_grids_say_what_they_reached():
    law = FieldLaw(np.zeros(3), np.full((1, 3), 5.0), (TANH,) * 3)
    values, weights, tol = law.grid([0, 1, 2], 1e-12, max_nodes=20_000)
    assert tol > 1e-12
    assert np.prod([w.shape[1] for w in weights]) <= 20_000


@pytest.mark.parametrize("mean", [0.0, 2.0])
@pytest.mark.parametrize("tol", [1e-4, 1e-9, 1e-13])
def test_very_broad_fields(tol, mean):
    """Sech^2 of a field far broader than its gates is a delta function of weight 2; narrower members keep their digits."""
    std = np.array([1e6, 1e3, 1.0, 0.3])
    nodes, weights = gaussian_rule(mean, std, tol, gt.Vanilla.compiled.shapes[0])
    assert nodes.shape[1] < 5000
    value = np.einsum("bn,bn->b", weights, 1.0 - np.tanh(nodes) ** 2)
    # E sech^2(y) = 2 phi(0) (1 - pi^2 / 24 (1 - x^2) / std^2 + ...), x = mean / std
    for v, s in zip(value[:2], std):
        density = np.exp(-0.5 * (mean / s) ** 2) / (np.sqrt(2 * np.pi) * s)
        assert v == pytest.approx(2 * density * (1 - np.pi**2 / 24 / s**2), abs=5 * tol / s + 1e-14)
    for v, s in zip(value[2:], std[2:]):
        # the step is made for the broadest: a few tol more
        assert 1.0 - v == pytest.approx(_exact("tanh2", mean, s), abs=10 * tol + 1e-14)


def test_the_largest_gain_allowed():
    """1 - E tanh^2 = 2 phi(0) / std at std = 1e6: the second solution of a GRU with all gains at the limit; it took 22 GiB."""
    points = gt.fixed_points(gt.Ensemble(gt.GRU, gain=1e6))
    h2 = points[-1].moments["h"]
    rh2 = points[-1].moments["r*h"]
    assert len(points) == 2 and points[0].is_zero
    assert 1.0 - h2 == pytest.approx(2.0 / (np.sqrt(2 * np.pi) * 1e6 * np.sqrt(rh2)), rel=1e-6)
    # sigma^2 of a field that broad is 1/2 less E sigma sigma(-) = phi(0) / std
    assert rh2 == pytest.approx(h2 * (0.5 - 1.0 / (np.sqrt(2 * np.pi) * 1e6)), rel=1e-9)
