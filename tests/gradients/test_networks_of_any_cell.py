"""Growth of gradients against sampled networks: all built-in cells, a pair of a user's own, and cells drawn at random [T9]."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import t as student

import gating_theory as gt
from gating_theory.cell.builtin import BUILTIN
from tests.spectrum.singular.populations import OWN, A, jacobian, some_sites
from tests.strategies import random_cells

STEPS, NETWORKS, UNITS = 4, 24, 24
#: A false alarm of one comparison in ten million; a thousand are made.
SURE = float(student.isf(0.5e-7, NETWORKS - 1))


def sampled(sites, units, rng, weights, law=None):
    """(networks, T + 1, d, d) of (1/N) |P_ab|_F^2: products of Jacobians of the same or of fresh matrices."""
    d, out = sites.cell.n_state, []
    for _ in range(NETWORKS):
        J = jacobian(sites, units, rng, law)
        product, grown = np.eye(len(J)), []
        for _ in range(STEPS + 1):
            blocks = product.reshape(d, len(J) // d, d, len(J) // d)
            grown.append((blocks**2).sum(axis=(1, 3)) / (len(J) // d))
            product = (J if weights == "tied" else jacobian(sites, units, rng, law)) @ product
        out.append(grown)
    return np.array(out)


def errors(sites, weights, rng, of_networks=None, law=None):
    """How far means over networks, extrapolated from N and 2 N to the limit, are from theory, over what they may be.

    Weights are whole numbers of units, so that means over Gaussian matrices are polynomials in 1/N: 2 G_2N - G_N lacks the term of
    order 1/N. What is left is its square: that term was t^2 / 50 N at rest, ten times as much is allowed.
    """
    whole = next(n for n in range(1, 100) if np.allclose(n * sites.weights, np.round(n * sites.weights)))
    units = whole * -(-UNITS // whole)
    small, large = (sampled(sites, n, rng, of_networks or weights, law) for n in (units, 2 * units))
    theory = gt.gradient_growth(sites, STEPS, weights).blocks
    found = 2.0 * large.mean(axis=0) - small.mean(axis=0)
    error = np.sqrt((4.0 * large.var(axis=0, ddof=1) + small.var(axis=0, ddof=1)) / NETWORKS)
    t = np.arange(STEPS + 1)[:, None, None]
    size = theory.sum(axis=(1, 2), keepdims=True)
    allowed = SURE * error + (t**2 / (5.0 * units)) ** 2 * size + 1e-12 * size.max()
    return np.abs(found - theory) / allowed


@pytest.mark.parametrize("weights", ["tied", "untied"])
@pytest.mark.parametrize("name", [*BUILTIN, "own"])
def test_networks_of_every_cell(name, weights):
    """d = 2 with several messages at once, and site parameters, among them."""
    rng = np.random.default_rng(7)
    sites = some_sites(OWN if name == "own" else getattr(gt, name), rng, size=3, most=1.2)
    assert errors(sites, weights, rng).max() < 1.0


@pytest.mark.parametrize("law", [gt.Haar(), gt.HaarStack()], ids=str)
@pytest.mark.parametrize("name", ["GRU", "GRUResetAfter", "LSTM"])
def test_networks_of_orthogonal_matrices(name, law):
    """Theory is that of iid matrices: no cumulant of orthogonal ones enters, those of a stack's blocks neither."""
    rng = np.random.default_rng(11)
    assert errors(some_sites(getattr(gt, name), rng, size=3, most=1.2), "tied", rng, law=law).max() < 1.0


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(random_cells(), st.integers(0, 2**31), st.sampled_from(["tied", "untied"]))
def test_networks_of_any_cell(cell, seed, weights):
    rng = np.random.default_rng(seed)
    assert errors(some_sites(cell, rng, size=3, most=1.2), weights, rng).max() < 1.0


def test_the_comparison_tells_tied_from_untied_weights():
    """Networks whose matrices are drawn anew do not pass for others; what both share, one step, they do."""
    ratio = errors(A, "tied", np.random.default_rng(1), "untied")
    assert ratio[:2].max() < 1.0 < ratio[2:].max()
