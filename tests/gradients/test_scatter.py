"""How far single networks are from the limit: counted pairings, and sampled networks."""

import numpy as np
import pytest
import sheet_sites as sheet

import gating_theory as gt
from gating_theory.gradients.scatter import matrix_scatter


def test_powers_of_one_matrix():
    """Annular pairings of tr U^n U^nT counted by hand: the squares of 1 .. n, twice for real matrices."""
    found = matrix_scatter(24, 1.0)
    for n in (1, 2, 3, 24):  # among the steps at which sums are made
        assert found[n] == pytest.approx(np.sqrt(n * (n + 1) * (2 * n + 1) / 3.0), rel=1e-12)
    # one step of z + w U: tr (z + w U)(z + w U)^T has the variance 2 w^4 + 4 z^2 w^2, G is z^2 + w^2
    for share in (0.1, 0.5, 0.9):
        z, w = 1.0 - share, share
        expected = np.sqrt(2.0 * w**4 + 4.0 * z**2 * w**2) / (z**2 + w**2)
        assert matrix_scatter(1, share)[1] == pytest.approx(expected, rel=1e-12)
    assert (matrix_scatter(5, 0.0) == 0.0).all()


def logs_of_networks(n_units, z, w, n_steps, networks, rng):
    """log10 of (1/N) tr J^n J^nT of J = z + w U."""
    out = np.empty((networks, n_steps + 1))
    for k in range(networks):
        J = z * np.eye(n_units) + w * rng.standard_normal((n_units, n_units)) / np.sqrt(n_units)
        product = np.eye(n_units)
        for t in range(n_steps + 1):
            out[k, t], product = np.log10((product**2).sum() / n_units), J @ product
    return out


def test_networks_at_rest():
    """Leading order in 1/N: 100 networks tell a standard deviation to 7 %, four of these and the next order."""
    point = gt.fixed_points(gt.Ensemble(gt.GRU, gain={"h": 2.0}))[0]
    expected = gt.gradient_growth(point, 8).scatter(100)
    found = logs_of_networks(100, 0.5, 0.5, 8, 100, np.random.default_rng(1)).std(axis=0, ddof=1)
    np.testing.assert_allclose(found[1:], expected[1:], rtol=0.33)
    assert expected[0] == 0.0


def test_networks_at_given_sites():
    """Two sites of different strength: the stand-in of one matrix is good to a third or so, and 30 networks tell it to 13 %."""
    sites, n = sheet.gru(), 150
    each = np.repeat(np.arange(2), [90, 60])
    ensemble, found = gt.Ensemble(gt.GRU, gain={"z": 2, "r": 3, "h": 4}), np.empty((30, 9))
    for k in range(30):
        J = gt.Network.sample(ensemble, n, rng=k).push(sites.state[:, each], np.eye(n)[None], fields=sites.fields[:, each])[0]
        product = np.eye(n)
        for t in range(9):
            found[k, t], product = np.log10((product**2).sum() / n), J @ product
    expected = gt.gradient_growth(sites, 8).scatter(n)
    ratio = found.std(axis=0, ddof=1)[1:] / expected[1:]
    assert (ratio > 0.55).all() and (ratio < 1.9).all()


def test_networks_at_fixed_points_differ_in_their_sites():
    """What sites add falls as N^-1/2, what matrices add as 1/N: at many units the first is left."""
    point = gt.fixed_points(gt.Ensemble(gt.GRU, gain={"z": 2, "r": 3, "h": 4}))[-1]
    growth = gt.gradient_growth(point, 10)
    small, large = growth.scatter(200, rng=1)[-1], growth.scatter(3200, rng=1)[-1]
    # 16 times as many units: a quarter, known from 20 draws each to 16 %
    assert 2.2 < small / large < 7.0
    kept = gt.gradient_growth(point.sites, 10)
    assert kept.scatter(3200)[-1] < 0.2 * large


def test_what_has_no_scatter():
    point = gt.fixed_points(gt.Ensemble(gt.GRU, gain={"h": 2.0}))[0]
    with pytest.raises(ValueError, match="tied weights"):
        gt.gradient_growth(point, 3, "untied").scatter(100)
    assert (gt.gradient_growth(point, 0).scatter(100) == 0.0).all()
