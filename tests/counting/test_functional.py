"""The complexity functional by itself: its derivatives [T7]."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import gating_theory as gt
from gating_theory.counting.functional import ComplexityFunctional, Point


@settings(max_examples=6)
@given(st.sampled_from(["Vanilla", "GRU", "GRUResetAfter", "MGU", "CoupledLSTM", "JANET"]), st.integers(0, 10**6))
def test_derivatives_against_finite_differences(name, seed):
    rng = np.random.default_rng(seed)
    ensemble = gt.Ensemble(getattr(gt, name), gain=rng.uniform(1, 4), bias=rng.normal(0, 0.3), bias_std=0.2)
    functional = ComplexityFunctional(ensemble)
    n, X = len(functional.fed), functional.n_x
    z = np.concatenate([rng.uniform(0.1, 0.4, n), rng.normal(0, 0.5, n), rng.uniform(-2, -1, X), rng.normal(size=functional.n_tau)])

    def evaluate(z):
        return functional.evaluate(Point(z[:n], z[n : 2 * n], np.exp(z[2 * n : 2 * n + X]), z[2 * n + X :]), 1e-13)

    here, h = evaluate(z), 1e-4
    for i in range(z.size):
        dz = np.zeros(z.size)
        dz[i] = h
        up, down = evaluate(z + dz), evaluate(z - dz)
        # central differences: h^2 times a third derivative, which grows like 1/q^3 for q as small as 0.1
        assert abs((up.value - down.value) / (2 * h) - here.gradient[i]) < 1e-5
        assert np.abs((up.gradient - down.gradient) / (2 * h) - here.hessian[i]).max() < 1e-3
