"""Masses of random discs at random gains against populations that are a hundred times finer, and against counted eigenvalues."""

import numpy as np
import pytest

import gating_theory as gt

_CELLS = (gt.GRU, gt.LSTM, gt.GRUResetAfter, gt.MGU)


def _case(seed):
    """A spectrum at gains from 0.5 to 12, and discs: three anywhere, and what is outside three is slow."""
    rng = np.random.default_rng(seed)
    cell = _CELLS[seed % len(_CELLS)]
    gain = dict(zip(cell.field_names, np.exp(rng.uniform(np.log(0.5), np.log(12.0), len(cell.field_names)))))
    points = gt.fixed_points(gt.Ensemble(cell, gain))
    center = np.concatenate([rng.uniform(-0.3, 1.2, 3) + 1j * np.array([0.0, *rng.uniform(0.0, 0.6, 2)]), np.zeros(3)])
    radius = np.concatenate([rng.uniform(0.05, 0.6, 3), np.exp(-1.0 / np.exp(rng.uniform(np.log(1.5), np.log(1e3), 3)))])
    return points[-1], center, radius


def _check(seed):
    """Together and one by one within 1e-4 of what is computed to 1e-6."""
    point, center, radius = _case(seed)
    truth = gt.Spectrum(point).mass(center, radius, tol=1e-6)
    together = gt.Spectrum(point).mass(center, radius)
    singly = [gt.Spectrum(point).mass(c, r) for c, r in zip(center, radius)]
    assert together == pytest.approx(truth, abs=1e-4)
    assert singly == pytest.approx(truth, abs=1e-4)


# one cell of three and one of four fields; the others at night
@pytest.mark.parametrize("seed", [0, 2])
def test_random_discs(seed):
    _check(seed)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", [seed for seed in range(24) if seed not in (0, 2)])
def test_many_random_discs(seed):
    _check(seed)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(4))
def test_random_discs_count_eigenvalues(seed):
    """A network with a state planted; eigenvalues repel, so that counts scatter by a few, more next to the edge's outliers."""
    point, center, radius = _case(seed)
    net, state = gt.Network.planted(point, 1000, rng=seed)
    eigenvalues = net.eigenvalues(state)
    counted = [np.mean(np.abs(eigenvalues - c) < r) for c, r in zip(center, radius)]
    assert gt.Spectrum(point).mass(center, radius) == pytest.approx(counted, abs=0.012)
