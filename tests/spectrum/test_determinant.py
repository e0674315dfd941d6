"""Loops of messages, their monomials and where their equations start: small cases worked out by hand [T3, T4]."""

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.counting.functional import ComplexityFunctional
from gating_theory.spectrum.determinant import (
    LoopMonomials,
    gauge,
    indispensable,
    loops,
    minor,
    minors_by_monomial,
    perron,
    perron_start,
    reachable,
    spectral_radius,
)
from gating_theory.spectrum.dyson import Population


def test_spectral_radius_of_small_matrices():
    rng = np.random.default_rng(3)
    for n in (1, 2, 3):
        T = rng.random((50, n, n))
        assert spectral_radius(T) == pytest.approx(np.abs(np.linalg.eigvals(T)).max(axis=1), rel=1e-12)


#: A net of five messages: 0 and 2 feed one another, 3 feeds itself, 1 only hears them, 4 only feeds.
FEEDS = np.zeros((5, 5), dtype=bool)
FEEDS[[0, 2, 3, 1, 1, 0], [2, 0, 3, 0, 3, 4]] = True


def test_loops_are_what_feeds_one_another():
    reach = reachable(FEEDS)
    assert loops(reach) == [(0, 2), (3,)]
    assert reach[0, 0] and reach[1, 2] and reach[1, 4] and reach[2, 4] and not reach[4].any() and not reach[3, 0]


def test_a_message_that_every_loop_needs():
    everything = np.ones((3, 3), dtype=bool)
    assert indispensable((0, 1, 2), everything) is None
    # 0 and 1 loop through 2 only
    through = np.array([[0, 0, 1], [0, 0, 1], [1, 1, 0]], dtype=bool)
    assert indispensable((0, 1, 2), through) == 2
    assert indispensable((1,), everything) == 1


@pytest.mark.parametrize("n, message_of", [(1, (0, 0)), (2, (0, 1, 1)), (3, (0, 1, 2, 1, 0))])
def test_the_determinant_is_the_sum_of_its_monomials(n, message_of):
    """det(1 + P W Q W^dagger) for matrices of random entries, by elimination and by Cauchy and Binet."""
    rng = np.random.default_rng(n)
    K, members = len(message_of), tuple(range(n))
    W = rng.standard_normal((n, K)) + 1j * rng.standard_normal((n, K))
    acts = rng.random((n, K)) < 0.8
    W[~acts] = 0.0
    p, q = rng.uniform(0.2, 2.0, (2, n))
    groups = minors_by_monomial(members, range(K), message_of, acts)
    block = LoopMonomials.of(members, tuple(groups), groups.values())
    c = np.array([sum(abs(minor(W, rows, columns, acts)) ** 2 for rows, columns in group) for group in block.labels])
    theta = 0.5 * np.log(q / p)
    tau = np.linalg.lstsq(gauge(n), theta - theta.mean(), rcond=None)[0]
    assert np.allclose(gauge(n) @ tau, theta - theta.mean(), atol=1e-14)
    # what the gauge leaves out is a common factor of q, and its inverse of p
    common = np.exp(theta.mean())
    p, q = p * common, q / common
    value = 1.0 + c @ np.exp(block.exponents @ np.concatenate([np.log(p * q), tau]))
    exact = np.linalg.det(np.eye(n) + np.diag(p) @ W @ np.diag(q[list(message_of)]) @ W.conj().T)
    assert value == pytest.approx(exact.real, rel=1e-12) and abs(exact.imag) < 1e-12 * value


def test_minors_are_determinants():
    W = np.random.default_rng(0).standard_normal((3, 4))
    assert minor(W, (0, 1, 2), (0, 2, 3)) == pytest.approx(np.linalg.det(W[:, [0, 2, 3]]), rel=1e-12)
    assert minor(W, (1,), (3,)) == W[1, 3]


def test_the_start_lies_along_the_perron_vectors():
    T = np.random.default_rng(5).random((4, 3, 3)) + 0.1
    right, left = perron(T), perron(np.swapaxes(T, 1, 2))
    for matrix, vector in ((T, right), (np.swapaxes(T, 1, 2), left)):
        assert np.einsum("lij,lj->li", matrix, vector) == pytest.approx(spectral_radius(T)[:, None] * vector, rel=1e-12)
    x, tau = perron_start(T)
    assert x.sum(axis=1) == pytest.approx(1.0, rel=1e-14)
    # q / p = exp(2 theta) is right / left, up to the gauge
    ratio = np.exp(2.0 * tau @ gauge(3).T) * left / right
    assert ratio == pytest.approx(np.broadcast_to(ratio[:, :1], ratio.shape), rel=1e-10)


def test_the_two_solvers_mean_the_same_monomials():
    """Spectra collect minors from the cell's list, the complexity by patterns of its response: the same ones, in another order."""
    ensemble = gt.Ensemble(gt.GRUResetAfter, gain=3.0, bias_std=0.2)
    population = Population(gt.fixed_points(ensemble)[-1].sites_at(1e-2, 2000))
    functional = ComplexityFunctional(ensemble)
    (ours,), (theirs,) = population.blocks, functional.blocks
    assert ours.messages == theirs.messages
    assert {tuple(row) for row in ours.exponents} >= {tuple(row) for row in theirs.exponents}
