"""The complexity functional by itself: its derivatives [T7, T10]."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import gating_theory as gt
from gating_theory.counting.functional import ComplexityFunctional, Point

MATRICES = ["iid", "orthogonal", {"h": "orthogonal", "r": "iid"}, {"g": "orthogonal"}, "stack"]


@settings(max_examples=8)
@given(
    st.sampled_from(["Vanilla", "GRU", "GRUResetAfter", "MGU", "CoupledLSTM", "JANET"]),
    st.sampled_from(MATRICES),
    st.integers(0, 10**6),
)
def test_derivatives_against_finite_differences(name, matrices, seed):
    rng, cell = np.random.default_rng(seed), getattr(gt, name)
    if isinstance(matrices, dict):
        matrices = {field: law for field, law in matrices.items() if field in cell.field_names}
    if matrices == "stack" and name in ("GRU", "MGU"):  # several messages
        matrices = "orthogonal"
    ensemble = gt.Ensemble(cell, gain=rng.uniform(1, 4), bias=rng.normal(0, 0.3), bias_std=0.2, matrices=matrices)
    functional = ComplexityFunctional(ensemble)
    n, X, J = len(functional.fed), functional.n_x, functional.n_nu
    shares = rng.uniform(-2, -1, X)
    nu = rng.uniform(0.5, 1.5, J)
    z = np.concatenate([rng.uniform(0.1, 0.4, n), rng.normal(0, 0.5, n), shares, rng.normal(size=functional.n_tau), nu])

    def evaluate(z):
        q, mu, x, tau, nu = np.split(z, np.cumsum([n, n, X, functional.n_tau]))
        return functional.evaluate(Point(q, mu, np.exp(x), tau, nu=nu), 1e-13)

    here, h = evaluate(z), 1e-4
    for i in range(z.size):
        dz = np.zeros(z.size)
        dz[i] = h
        up, down = evaluate(z + dz), evaluate(z - dz)
        # central differences: h^2 times a third derivative, which grows like 1/q^3 for q as small as 0.1
        assert abs((up.value - down.value) / (2 * h) - here.gradient[i]) < 1e-5
        assert np.abs((up.gradient - down.gradient) / (2 * h) - here.hessian[i]).max() < 1e-3
