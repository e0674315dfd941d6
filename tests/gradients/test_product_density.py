"""Densities and fractions of singular values of products of Jacobians against closed forms, one step, and sampled matrices [T9]."""

from dataclasses import replace

import numpy as np
import path_ways as ways
import pytest
import sheet_sites
from scipy.optimize import brentq

import gating_theory as gt


def vanilla(gain):
    """Linear vanilla units: J = gain times a Ginibre matrix."""
    return gt.Sites(gt.Vanilla, np.ones(1), np.zeros((1, 1)), np.zeros((1, 1)), gain=np.array([gain]), matrices="iid")


def silent(cell, bias, gain):
    """A network at rest."""
    rest = np.zeros((cell.n_state, 1))
    return gt.Sites(cell, np.ones(1), rest, np.array(bias)[:, None], gain=np.array(gain), matrices="iid")


def fuss_catalan(s, steps):
    """The density of singular values of products of Ginibre matrices, and the angle that s^2 belongs to."""

    def square(angle):
        whole = (steps + 1) * np.log(np.sin((steps + 1) * angle))
        return whole - np.log(np.sin(angle)) - steps * np.log(np.sin(steps * angle))

    end = np.pi / (steps + 1)
    angle = brentq(lambda x: square(x) - 2.0 * np.log(s), 1e-9, end - 1e-12)
    of_square = np.sin(angle) ** 2 * np.sin(steps * angle) ** (steps - 1) / (np.pi * np.sin((steps + 1) * angle) ** steps)
    return 2.0 * s * of_square


@pytest.mark.parametrize("name", ["gru", "lstm"])
def test_one_step(name):
    """T = 1 is ``Spectrum.singular_values``, by other equations."""
    sites = getattr(sheet_sites, name)()
    one, product = gt.Spectrum(sites).singular_values(), gt.product_singular_values(sites, 1)
    s = np.array([0.01, 0.3, 0.8, 1.5, 5.0])
    # one step is solved to 1e-9 over the smallest of its unknowns' real parts
    np.testing.assert_allclose(product.density(s), one.density(s), rtol=1e-8)
    np.testing.assert_allclose(product.mass(s[:-1], s[1:]), one.mass(s[:-1], s[1:]), atol=1e-9)
    assert product.atom == pytest.approx(one.atom, abs=1e-3)
    assert product.density(5.0) == 0.0 and product.mass(0.0, 5.0) == 1.0


@pytest.mark.parametrize(("steps", "weights"), [(2, "tied"), (5, "tied"), (2, "untied")])
def test_powers_of_a_ginibre_matrix(steps, weights):
    """Their singular values are those of products of independent ones: the Fuss-Catalan law."""
    found = gt.product_singular_values(vanilla(0.8), steps, weights)
    scale = 0.8**steps
    edge = np.sqrt((steps + 1.0) ** (steps + 1) / float(steps) ** steps)
    s = edge * np.array([1e-3, 0.05, 0.3, 0.7, 0.99])
    np.testing.assert_allclose(found.density(scale * s) * scale, [fuss_catalan(x, steps) for x in s], rtol=1e-8)
    assert found.density(1.001 * scale * edge) == 0.0
    assert found.mass(0.0, 1.001 * scale * edge) == 1.0


def test_bands_with_a_gap_at_zero():
    """Slow gates: no singular value is near zero, the density integrates to one, and s^2 averages to the growth of gradients."""
    found = gt.product_singular_values(silent(gt.GRU, [1.0, 0.0, 0.0], [1.0, 1.0, 0.8]), 3)
    assert found.density(0.01) == 0.0 and found.mass(0.0, 0.01) == 0.0 and found.atom == 0.0
    high = found.largest()
    ends = np.linspace(0.05, high, 21)
    fractions = found.mass(ends[:-1], ends[1:])
    assert fractions.sum() == pytest.approx(1.0, abs=1e-9)
    low = (fractions * ends[:-1] ** 2).sum()
    assert low < found.moments(1)[0] < (fractions * ends[1:] ** 2).sum()
    # Gauss-Legendre inside the support
    nodes, weights = np.polynomial.legendre.leggauss(8)
    a, b = 0.35 * high, 0.65 * high
    integral = 0.5 * (b - a) * weights @ found.density(0.5 * (a + b) + 0.5 * (b - a) * nodes)
    assert integral == pytest.approx(found.mass(a, b), abs=1e-6)


def test_zeros_of_an_lstm_at_rest():
    """J has rank N, and so have its powers: half of the singular values are zeros whatever T."""
    found = gt.product_singular_values(silent(gt.LSTM, [1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 3.0, 1.0]), 3)
    assert found.atom == pytest.approx(0.5, abs=1e-3)
    assert found.mass(0.0, 0.0) == found.atom
    assert found.mass(0.0, np.inf) == 1.0
    # what is not zero is f + w U three times, and a factor: less than that lies below a hundredth of it
    assert 0.5 <= found.mass(0.0, 1e-4 * found.largest()) < 0.51


@pytest.mark.parametrize(("name", "weights"), [("GRU", "tied"), ("LSTM", "tied"), ("GRUResetAfter", "untied")])
def test_sampled_matrices(name, weights):
    """Fractions of the singular values of one sampled product along a given path.

    Counts of eigenvalues of random matrices are rigid: they differ from the limit by a few of d N; 8 are allowed.
    """
    rng, n = np.random.default_rng(7), 150
    steps = [replace(sites, weights=np.full(3, 1.0 / 3.0)) for sites in ways.random_sites(getattr(gt, name), rng, 3, 3)]
    found = gt.product_singular_values(steps, 3, weights)
    s = np.sort(np.linalg.svd(ways.sampled_product(steps, n, rng, weights == "tied"), compute_uv=False))
    ends = np.quantile(s[s > 1e-3 * s[-1]], [0.1, 0.35, 0.6, 0.85])
    counts = np.searchsorted(s, ends)
    assert np.abs(found.mass(0.0, ends) * s.size - counts).max() < 8.0


def test_fixed_point():
    """Populations of a law: fractions add up, and are those of its own given sites."""
    point = gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=1.5))[-1]
    found = gt.product_singular_values(point, 2)
    root = np.sqrt(found.moments(1)[0])
    parts = found.mass([0.0, 0.5 * root, root], [0.5 * root, root, np.inf], tol=1e-2)
    assert parts.sum() == pytest.approx(1.0, abs=1e-12)
    given = gt.product_singular_values(gt.Sites(**_fields(point)), 2)
    np.testing.assert_allclose(given.mass([0.0, 0.5 * root], [0.5 * root, root]), parts[:2], atol=1e-2)


def _fields(point):
    """Gauss-Hermite sites of a vanilla fixed point."""
    x, weights = np.polynomial.hermite_e.hermegauss(60)
    y = next(iter(point.field_std.values())) * x
    gain = point.ensemble.array("gain")
    return {
        "cell": gt.Vanilla,
        "weights": weights / weights.sum(),
        "state": np.tanh(y)[None],
        "fields": y[None],
        "gain": gain,
        "matrices": "iid",
    }


def test_what_is_refused():
    found = gt.product_singular_values(sheet_sites.gru(), 2)
    with pytest.raises(ValueError, match="s must be at least"):
        found.density(0.0)
    with pytest.raises(ValueError, match="b must be at least a"):
        found.mass(1.0, 0.5)
    with pytest.raises(ValueError, match="a must be zero or at least"):
        found.mass(1e-12, 0.5)
    nothing = gt.product_singular_values(vanilla(0.0), 2)
    assert nothing.atom == 1.0
    with pytest.raises(ValueError, match="all singular values vanish"):
        nothing.density(1.0)
