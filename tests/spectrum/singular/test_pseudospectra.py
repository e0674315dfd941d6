"""Pseudospectra, resolvent norms, numerical abscissa and Kreiss constant: closed forms, definitions, networks [T9]."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gating_theory as gt
from tests.spectrum.singular.populations import A, B, jacobian
from tests.spectrum.singular.test_edges import leaky_ginibre


def on_curve(spectrum, eps, n=64):
    """The points of all curves, of each curve but the last, which is the first."""
    return np.concatenate([curve[:-1] for curve in spectrum.pseudospectrum(eps, n)])


@settings(max_examples=6)
@given(st.floats(0.2, 0.8), st.floats(0.1, 1.0), st.floats(-3.0, 2.0))
def test_curves_around_a_disc_are_circles(z, w, log_eps):
    """z + w U: the distance c w at which the closed form of the smallest singular value is eps, by bisection."""
    eps = w * 10.0**log_eps
    low, high = 1.0, 3.0 + 2.0 * eps / w
    for _ in range(100):
        c = 0.5 * (low + high)
        alpha = np.sqrt(1.0 + 8.0 * c**2)
        low, high = (c, high) if w * np.sqrt((alpha - 3.0) ** 3 / (8.0 * (alpha - 1.0))) < eps else (low, c)
    curves = gt.Spectrum(leaky_ginibre(z, w)).pseudospectrum(eps, 32)
    assert len(curves) == 1
    np.testing.assert_allclose(np.abs(curves[0] - z), c * w, rtol=1e-8)


@pytest.mark.parametrize("sites", [A, B])
def test_the_smallest_singular_value_is_eps_on_curves(sites):
    """They are closed, symmetric about the axis, contain one another, and begin with the boundary."""
    spectrum = gt.Spectrum(sites)
    within, before = np.concatenate(spectrum.boundary()), 0.0
    for eps in (0.05, 0.5, 5.0):
        curves = spectrum.pseudospectrum(eps, 48)
        assert all(curve[0] == curve[-1] for curve in curves)
        points = np.concatenate(curves)
        np.testing.assert_allclose(spectrum.resolvent_norm(points) * eps, 1.0, rtol=1e-8)
        np.testing.assert_allclose(spectrum.resolvent_norm(points.conj()) * eps, 1.0, rtol=1e-8)
        # s_min grows no faster than lambda moves
        assert np.abs(points[:, None] - within).min() >= (eps - before) * (1.0 - 1e-8)
        assert (1.0 / spectrum.resolvent_norm(within) < eps).all()
        within, before = points, eps
    for curve, boundary in zip(spectrum.pseudospectrum(0.0), spectrum.boundary(), strict=True):
        np.testing.assert_array_equal(curve, boundary)


def test_parts_merge():
    """Two kinds of leaks with little that couples them: as eps grows two curves become one."""
    leak = np.log([0.1 / 0.9, 0.9 / 0.1])
    sites = gt.Sites(gt.GRU, [0.5, 0.5], np.zeros((1, 2)), [leak, [0.0, 0.0], [0.0, 0.0]], gain=[0.0, 0.0, 0.2], matrices="iid")
    spectrum = gt.Spectrum(sites)
    assert [len(spectrum.pseudospectrum(eps)) for eps in (0.0, 0.1, 0.6)] == [2, 2, 1]


def test_a_fixed_point_with_spread_leaks():
    """GRU: on the curve the smallest singular value is eps to what was asked for; leaks are inside, with a margin of eps."""
    point = gt.fixed_points(gt.Ensemble(gt.GRU, gain={"z": 1.0, "r": 0.0, "h": 1.5}))[-1]
    spectrum, eps = gt.Spectrum(point), 0.1
    points = on_curve(spectrum, eps, 16)
    norm = spectrum.resolvent_norm(points[points.imag >= 0.0])
    # 1e-2 of curves, and what s_min itself is known to
    np.testing.assert_allclose(norm * eps, 1.0, atol=0.02)
    assert points.real.max() > spectrum.abscissa() + 0.99 * eps


@pytest.mark.parametrize("sites", [A, B])
def test_curves_of_networks(sites):
    """N = 200, eps = .3: networks have smallest singular values that are larger by a part of order N^(-2/3) = .029, times a few."""
    rng, n, eps = np.random.default_rng(1), 200, 0.3
    J = jacobian(sites, n, rng)
    points = on_curve(gt.Spectrum(sites), eps, 16)
    points = points[points.imag >= 0.0]
    smallest = np.array([np.linalg.svd(z * np.eye(len(J)) - J, compute_uv=False)[-1] for z in points[::2]])
    # single ones scatter by about as much as they are shifted
    assert ((smallest > 0.9 * eps) & (smallest < 1.25 * eps)).all()
    assert 0.95 < smallest.mean() / eps < 1.15


def test_resolvent_norms():
    spectrum = gt.Spectrum(A)
    lam = np.array([[3.0, 0.5 + 2.0j], [0.6 + 0.3j, 3.0]])
    np.testing.assert_allclose(spectrum.resolvent_norm(lam), [[1 / 1.4561557149, 1 / 1.1052545761], [np.inf, 1 / 1.4561557149]])
    assert spectrum.resolvent_norm(3.0) == pytest.approx(1.0 / 1.4561557149)


@given(st.floats(0.1, 0.9), st.floats(0.1, 2.0))
def test_numerical_abscissa_of_leaky_ginibre_matrices(z, w):
    """z + sqrt(2) w: (U + U^T) / 2 is a semicircle of that radius."""
    assert gt.Spectrum(leaky_ginibre(z, w)).numerical_abscissa() == pytest.approx(z + np.sqrt(2.0) * w, rel=1e-9)


def test_numerical_abscissa_of_networks():
    """N = 300; its scale is N^(-2/3) = .022."""
    rng = np.random.default_rng(2)
    for sites in (A, B):
        J = jacobian(sites, 300, rng)
        measured = np.linalg.eigvalsh(0.5 * (J + J.T))[-1]
        assert -0.06 < measured / gt.Spectrum(sites).numerical_abscissa() - 1.0 < 0.02


@pytest.mark.parametrize(("z", "w", "constant"), [(0.5, 0.48, 1.860), (0.9, 0.09, 1.275)])
def test_kreiss_constants(z, w, constant):
    """The sheet's, from its closed form; the definition is not exceeded anywhere."""
    spectrum = gt.Spectrum(leaky_ginibre(z, w))
    found = spectrum.kreiss()
    assert found.constant == pytest.approx(constant, abs=6e-4)
    assert found.at.imag == 0.0 and found.at.real > 1.0
    assert (found.at.real - 1.0) * spectrum.resolvent_norm(found.at) == pytest.approx(found.constant, rel=1e-10)
    lam = np.random.default_rng(0).uniform(1.0, 1.5, 40) * np.exp(1j * np.linspace(0.0, np.pi, 40))
    assert ((np.abs(lam) - 1.0) * spectrum.resolvent_norm(lam) <= found.constant * (1.0 + 1e-10)).all()


def test_kreiss_constants_at_and_near_the_onset():
    """.354 (w / delta)^(1/2), the next order being a part of order (delta / w)^(1/2)."""
    delta = 1e-5
    found = gt.Spectrum(leaky_ginibre(0.5, 0.5 - delta)).kreiss()
    assert found.constant == pytest.approx(0.354 * np.sqrt(0.5 / delta), rel=2e-3)
    assert gt.Spectrum(A).kreiss().constant == np.inf
    assert gt.Spectrum(leaky_ginibre(0.1, 0.1)).kreiss().constant == pytest.approx(1.0, abs=1e-6)


@pytest.mark.filterwarnings("error")
def test_a_kreiss_constant_where_the_radius_is_one_within_rounding(tmp_path):
    """A radius of 1 - 1e-16 was taken for less than one, and the constant for 1."""
    onset = gt.Ensemble(gt.GRUResetAfter, gain={"h": 2.0}, bias={"z": 4.0}, bias_std={"z": 1.0})
    spectrum = gt.Spectrum(gt.fixed_points(onset)[0])
    assert spectrum.radius() == pytest.approx(1.0, abs=1e-12)
    found = spectrum.kreiss()
    assert found.constant == np.inf and np.isnan(found.at)
    assert "inf" in str(found) and found.as_dict()["constant"] == "inf"
    gt.save(found, tmp_path / "kreiss.json")
    assert gt.load(tmp_path / "kreiss.json") == found == gt.Kreiss(np.inf, complex("nan"))


@pytest.mark.parametrize(
    "ensemble", [gt.Ensemble(gt.GRU, gain=3.0**-0.5), gt.Ensemble(gt.LSTM, gain=0.5, bias={"f": 1.0})], ids=["GRU", "LSTM"]
)
def test_where_nothing_grows_the_kreiss_constant_is_one_at_infinity(ensemble):
    found = gt.Spectrum(gt.fixed_points(ensemble)[0]).kreiss()
    assert found.constant == 1.0 and found.at == np.inf
    assert found == gt.Kreiss(1.0, np.inf) and "infinity" in str(found)


def test_arguments():
    spectrum = gt.Spectrum(A)
    for bad in (-0.1, np.nan):
        with pytest.raises(ValueError, match="eps"):
            spectrum.pseudospectrum(bad)
    with pytest.raises(ValueError, match="n must"):
        spectrum.pseudospectrum(0.1, 4)
    with pytest.raises(ValueError, match="lam"):
        spectrum.resolvent_norm(np.inf)
