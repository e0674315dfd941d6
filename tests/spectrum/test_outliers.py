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
