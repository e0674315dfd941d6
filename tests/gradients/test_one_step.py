"""One step of every formula for products is what is known of single Jacobians, for any cell [T9]."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gating_theory as gt
from gating_theory.cell.builtin import BUILTIN
from tests.spectrum.singular.populations import OWN, some_sites
from tests.strategies import random_cells


def one_step_is_one_jacobian(sites):
    """Growth, kept or along a path, and all of a product, with tied and untied weights: moments, m, potential, largest."""
    one = gt.Spectrum(sites).singular_values()
    moments = one.moments(3)
    for weights in ("tied", "untied"):
        for source in (sites, [sites]):  # kept, and a path of one step
            assert gt.gradient_growth(source, 1, weights).mean_square[1] == pytest.approx(moments[0], rel=1e-10)
        if moments[0] == 0.0:
            continue
        product = gt.product_singular_values(sites, 1, weights)
        np.testing.assert_allclose(product.moments(3), moments, rtol=1e-10)
        eta = np.sqrt(moments[0]) * np.array([0.1, 1.0, 10.0])
        expected, found = one.regularised(eta), product.regularised(eta)
        # P and Q are solved to 1e-10; m of the smallest regulator is the most sensitive to them
        np.testing.assert_allclose(found.m, expected.m, rtol=1e-7)
        np.testing.assert_allclose(found.potential, expected.potential, atol=1e-7)
        assert product.largest() == pytest.approx(one.largest(), rel=1e-7)


@pytest.mark.parametrize("name", [*BUILTIN, "own"])
def test_every_cell(name):
    one_step_is_one_jacobian(some_sites(OWN if name == "own" else getattr(gt, name), np.random.default_rng(2)))


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(random_cells(), st.integers(0, 2**31))
def test_any_cell(cell, seed):
    one_step_is_one_jacobian(some_sites(cell, np.random.default_rng(seed)))


def test_what_no_matrix_couples():
    """The largest singular value is that of a site by itself, where nothing couples it or what is coupled is smaller."""
    s_1, s_2, y = sp.symbols("s_1 s_2 y", real=True)
    alone = gt.Cell(name="alone", state=[s_1], fields=[y], messages=[s_1], update=[sp.tanh(s_1)])
    beside = gt.Cell(name="beside", state=[s_1, s_2], fields=[y], messages=[s_2], update=[sp.tanh(s_1), sp.tanh(y)])
    for cell in (alone, beside):
        state = np.array([[0.3, -0.8]] * cell.n_state)
        sites = gt.Sites(cell, [0.5, 0.5], state, [[0.2, 0.1]], gain=[0.2], matrices="iid")
        for steps in (1, 3):
            found = gt.product_singular_values(sites, steps).largest()
            assert found == pytest.approx(np.cosh(0.3) ** (-2.0 * steps), rel=1e-9)
