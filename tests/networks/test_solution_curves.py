"""Curves through fixed points: where they lead, what they never pass over, in which order the indices come."""

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.networks.newton import newton
from gating_theory.networks.reduced_map import ReducedMap
from gating_theory.networks.solution_curves import passed_over, trace


def crossings(net, x, n_directions, rng, n_steps=200):
    """Polished ends of curves from one point both ways, the curve of each, with their order along it kept; directions."""
    reduced = ReducedMap(net, net.input)
    v = np.repeat(rng.standard_normal((n_directions, reduced.n)), 2, axis=0)
    start = np.repeat(x[None], 2 * n_directions, axis=0)
    zero = np.zeros(2 * n_directions, dtype=int)
    near, source = trace(reduced, start, zero, v, np.tile([1.0, -1.0], n_directions), n_steps, 6.0)
    points, error = newton(reduced, near, zero[:1].repeat(len(near)), np.full(len(near), 0.1), reduced.bounds(), 1e-10, 40)
    return reduced, points, error, source, near


@pytest.mark.parametrize("seed, gain", [(4, 3.0), (8, 3.0)])
def test_crossings_are_next_to_fixed_points_and_indices_alternate(seed, gain):
    """From a point of index s the next on a curve has -s, the one after it s again.

    That holds of curves followed without a jump. One crossing in fifty may follow one, where steps are as long as they are.
    """
    net = gt.Network.sample(gt.Ensemble(gt.Vanilla, gain=gain), 8, rng=seed)
    rng = np.random.default_rng(0)
    right = total = 0
    for x in net.find_fixed_points(60, rng=0, n_steps=40, slow_tol=0.0, spectra=False).fixed:
        reduced, points, error, source, near = crossings(net, x, 12, rng)
        assert np.mean(error < 1e-10) > 0.95
        at = np.zeros(len(points), dtype=int)
        index = reduced.index(points, at)
        expected = np.full(24, -reduced.index(x[None], np.zeros(1, dtype=int))[0])
        for k in np.flatnonzero(error < 1e-10):
            right += index[k] == expected[source[k]]
            total += 1
            expected[source[k]] = -index[k]
    assert total > 50
    assert right >= 0.98 * total


def test_a_linear_map_has_one_crossing_only():
    """Phi(x) = relu(y) below the kink is 0: r = -x - t v, a straight line that never comes back."""
    net = gt.Network(gt.LiGRU, np.zeros((2, 3, 3)), np.full((2, 3), -1.0))
    _, points, _, _, _ = crossings(net, np.zeros((1, 3)), 5, np.random.default_rng(0))
    assert points.shape == (0, 1, 3)


@pytest.mark.parametrize("gap", [1e-2, 1e-4, 1e-6])
def test_the_partner_of_a_narrow_pair(gap):
    """One unit next to a fold: either of the pair leads to the other, one way of two, by a curve 2 sqrt(gap) or so long."""
    h = np.sqrt(1 / 3)
    bias = np.arctanh(h) - 1.5 * h + gap
    net = gt.Network(gt.Vanilla, np.full((1, 1, 1), 1.5), np.full((1, 1), bias))
    f = lambda x: np.tanh(1.5 * x + bias) - x  # noqa: E731
    from scipy.optimize import brentq

    low, high = brentq(f, 0.0, h, xtol=1e-15), brentq(f, h, 1.0, xtol=1e-15)
    for one, other in ((low, high), (high, low)):
        _, points, error, _, _ = crossings(net, np.array([[one]]), 5, np.random.default_rng(0))
        ends = points[error < 1e-10].ravel()
        assert np.sum(np.abs(ends - other) < 1e-8) >= 5


def test_folds_that_a_step_has_passed_over():
    """t = s^2 - e on [-1, 1], slopes -2 and 2: tangents meet at t = -1 - e, below zero; moved up by 3 they meet above."""
    one = np.ones(1)
    assert passed_over(0.9 * one, 0.9 * one, -2 * one, 2 * one, 2 * one, one)[0]
    assert not passed_over(2.9 * one, 2.9 * one, -2 * one, 2 * one, 2 * one, one)[0]
    assert passed_over(-0.9 * one, -0.9 * one, 2 * one, -2 * one, 2 * one, -one)[0]
    # no fold within the step; a crossing that is seen anyway; the first step on the wrong and on the right side
    assert not passed_over(0.9 * one, 0.5 * one, -0.2 * one, -0.2 * one, 2 * one, one)[0]
    assert not passed_over(0.9 * one, -0.5 * one, -0.7 * one, -0.7 * one, 2 * one, one)[0]
    assert passed_over(0 * one, -0.1 * one, 0.1 * one, -0.3 * one, one, one)[0]
    assert not passed_over(0 * one, 0.1 * one, 0.1 * one, 0.3 * one, one, one)[0]


def test_sites_without_a_fixed_state_end_a_curve():
    ens = gt.Ensemble(gt.PeepholeLSTM, gain=1.0, parameter=0.3, parameter_std=0.02)
    net = gt.Network.sample(ens, 4, rng=0)
    x = net.find_fixed_points(4, rng=0, spectra=False).fixed[0][:1]
    _, points, error, _, _ = crossings(net, x, 3, np.random.default_rng(0), n_steps=15)
    assert np.isfinite(points).all()
