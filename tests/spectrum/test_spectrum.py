"""Spectra as a whole: exact special cases, identities between what different methods compute, bad input, hard corners [T3, T4]."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import gating_theory as gt


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def zero_state(cell, **values):
    fp = gt.fixed_points(gt.Ensemble(cell, **values))[0]
    assert fp.is_zero
    return fp


def disc_of(cell, b, a):
    """(centre, radius, number of atoms per unit at 0) of the exact disc at the zero state [T3]."""
    if cell is gt.GRU:
        return sigmoid(b["z"]), (1 - sigmoid(b["z"])) * sigmoid(b["r"]) * a, 0
    return sigmoid(b["f"]), sigmoid(b["o"]) * sigmoid(b["i"]) * a, 1


@settings(max_examples=15)
@given(
    st.sampled_from(["GRU", "LSTM"]), st.floats(0.05, 20), st.floats(-3, 3), st.floats(-3, 3), st.floats(-3, 3), st.floats(0, 10)
)
@example("GRU", 1.0, 2.6875, 0.0, 0.0, 0.0)  # had three curves
def test_zero_state_is_an_exact_disc(name, a, b1, b2, b3, other):
    cell = getattr(gt, name)
    if name == "GRU":
        bias, gain = {"z": b1, "r": b2}, {"h": a, "z": other, "r": other}
    else:
        bias, gain = {"f": b1, "i": b2, "o": b3}, {"g": a, "f": other, "i": other, "o": other}
    centre, radius, atoms = disc_of(cell, bias, a)
    sp = gt.Spectrum(zero_state(cell, gain=gain, bias=bias))
    # closed forms of the theory sheet, asked to 1e-10 by the issue; rounding of a root leaves 1e-15 relative
    tol = 1e-10 * max(1.0, radius)
    assert sp.abscissa() == pytest.approx(centre + radius, abs=tol)
    assert sp.radius() == pytest.approx(centre + radius, abs=tol)
    (curve,) = sp.boundary(64)
    assert np.abs(np.abs(curve - centre) - radius).max() < tol
    d = cell.n_state
    inside = centre + radius * np.array([0.0, 0.3 + 0.4j, -0.7, 0.9j])
    inside = inside[np.abs(inside) > 1e-3]  # not on the LSTM's atom
    assert sp.density(inside) == pytest.approx(np.full(inside.size, 1 / (np.pi * radius**2) / d), rel=1e-8)
    assert np.all(sp.density(centre + radius * np.array([1.01, 1.2j])) == 0.0)
    # potential of a uniform disc, plus the atom's log|lambda|
    for lam in (centre + 0.5j * radius, centre + 2.0 * radius):
        r = abs(lam - centre)
        disc = np.log(r) if r > radius else np.log(radius) + (r**2 / radius**2 - 1) / 2
        assert sp.potential(lam) == pytest.approx(disc + atoms * np.log(abs(lam)), abs=1e-9)
    if atoms and centre - radius > 0.02:
        assert sp.mass(0.0, 0.01) == pytest.approx(0.5, abs=1e-6)
    assert sp.mass(0.0, 2 * (centre + radius) + 1) == pytest.approx(1.0, abs=1e-6)


cells = st.sampled_from(["Vanilla", "GRU", "GRUResetAfter", "MGU", "LSTM", "CoupledLSTM", "JANET", "LiGRUTanh"])


@pytest.mark.slow
@settings(max_examples=8)
@given(cells, st.floats(0.5, 3), st.floats(-1.5, 1.5), st.sampled_from([0.0, 0.4]))
def test_quantities_agree_with_one_another(name, gain, bias, spread):
    """Phi, g and rho are computed by different sums; they must be derivatives of one another, and decay as det(lambda - J) must."""
    fp = gt.fixed_points(gt.Ensemble(getattr(gt, name), gain=gain, bias=bias, bias_std=spread))[-1]
    sp = gt.Spectrum(fp, tol=1e-5)
    radius = sp.radius()
    d = sp.n_state
    lam = radius * np.array([0.3 + 0.5j, -0.2 + 0.4j, 0.7 + 0.3j, 1.3 + 0.2j])
    h = 1e-4 * radius
    slope = (sp.potential(lam + h) - sp.potential(lam - h)) / (2 * h)
    slope_y = (sp.potential(lam + 1j * h) - sp.potential(lam - 1j * h)) / (2 * h)
    # g = 2 dPhi/dlambda = Phi_x - i Phi_y, for the same population of sites: only differencing errs, h^2 times third derivatives
    scale = 1.0 + np.abs(sp.resolvent(lam))
    assert np.all(np.abs(sp.resolvent(lam) - (slope - 1j * slope_y)) / scale < 2e-5)
    divergence = (sp.resolvent(lam + h) - sp.resolvent(lam - h)) + 1j * (sp.resolvent(lam + 1j * h) - sp.resolvent(lam - 1j * h))
    rho = divergence / (2 * h) / (2 * np.pi) / d
    # the density jumps at the edge: a difference across it is none
    inside = sp.inside(lam + h * np.array([[0.0], [1.0], [-1.0], [1j], [-1j]]))
    apart = np.abs(rho - sp.density(lam)) / (1e-3 / radius**2 + np.abs(rho))
    assert np.all(apart[inside.all(axis=0) | ~inside.any(axis=0)] < 1e-2)
    assert np.all(sp.density(lam) >= 0)
    far = 1e3 * radius * np.exp(0.7j)
    assert sp.potential(far) == pytest.approx(d * np.log(abs(far)), abs=2e-2)
    assert sp.resolvent(far) * far == pytest.approx(d, abs=1e-2)
    assert sp.mass(0.0, 1.5 * radius + 0.1) == pytest.approx(1.0, abs=1e-4)
    # the boundary is where T = 1, and everything beyond the radius is outside
    for curve in sp.boundary(64):
        assert curve[0] == curve[-1]
        assert np.abs(sp.edge_function(curve) - 1).max() < 1e-8
        assert np.abs(curve).max() <= radius * (1 + 1e-9)
    # (not on the real axis itself, where a tail of the leaks that weighs less than 1e-6 goes on)
    assert np.all(sp.edge_function(1.0001 * radius * np.exp(1j * np.linspace(0.05, 6, 40))) < 1)


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda sp: sp.edge_function(np.nan), ValueError, "lam must be finite"),
        (lambda sp: sp.density("x"), TypeError, "lam must be a number"),
        (lambda sp: sp.mass(0, -1), ValueError, "radius must lie in"),
        (lambda sp: sp.slow_fraction(0), ValueError, "tau must lie in"),
        (lambda sp: sp.boundary(8), ValueError, "n must be at least 16"),
        (lambda sp: sp.boundary(64.0), TypeError, "n must be an integer"),
        (lambda sp: gt.Spectrum("no"), TypeError, "source must be"),
        (lambda sp: gt.Spectrum(sp.fixed_point, tol=1.0), ValueError, "tol must lie in"),
        (lambda sp: gt.Spectrum.from_sites(gt.LSTM, sp.fixed_point.sites), ValueError, "belong to cell"),
        (lambda sp: gt.Spectrum(sp.fixed_point.sites).outliers(), gt.CapabilityError, "fixed point"),
        (lambda sp: sp.density_map(10, box=(1, 0, 0, 1)), ValueError, "box must be"),
    ],
)
def test_bad_input_is_refused_with_a_reason(call, error, words):
    sp = gt.Spectrum(gt.fixed_points(gt.Ensemble(gt.GRU, gain=3.0))[-1])
    with pytest.raises(error, match=words):
        call(sp)


def test_scalars_in_scalars_out_and_shapes_kept():
    sp = gt.Spectrum(gt.fixed_points(gt.Ensemble(gt.GRU, gain=3.0))[-1])
    assert isinstance(sp.edge_function(0.5 + 1j), float)
    assert isinstance(sp.resolvent(0.5 + 1j), complex)
    lam = np.array([[0.2 + 0.5j, 0.2 - 0.5j, 3.0]])
    assert sp.density(lam).shape == lam.shape
    assert sp.resolvent(lam)[0, 0] == np.conj(sp.resolvent(lam)[0, 1])


@pytest.mark.parametrize("name", ["Vanilla", "GRU", "MGU", "LiGRUTanh", "CoupledLSTM", "JANET"])
@pytest.mark.parametrize("values", [{"gain": 0.0}, {"gain": 50.0}, {"gain": 2.0, "bias": 20.0}, {"gain": 2.0, "bias": -20.0}])
def test_hard_corners_give_numbers(name, values):
    for fp in gt.fixed_points(gt.Ensemble(getattr(gt, name), **values)):
        # fields with a spread of 50 make steps of all gates: a million sites give the GRU's potential to 1e-3, and say so
        sp = gt.Spectrum(fp, tol=1e-3 if values["gain"] == 50.0 else None)
        assert np.isfinite(sp.radius()) and np.isfinite(sp.abscissa())
        assert not np.isnan(sp.edge_function(np.array([0.0, 0.5, 1.0, 1 + 1e-9, 2.0]))).any()
        assert np.isfinite(sp.potential(np.array([0.51 + 0.2j, 3.0]))).all()
        assert sp.abscissa() <= sp.radius() + 1e-12


def test_threads_may_share_a_spectrum():
    """Eight threads that are switched every ten microseconds get what one alone gets, to the bit."""
    point = gt.fixed_points(gt.Ensemble(gt.GRU, gain={"z": 2, "r": 2, "h": 4}))[-1]
    rng = np.random.default_rng(0)
    lams = [0.6 * (rng.standard_normal(3) + 1j * rng.standard_normal(3)) for _ in range(48)]
    alone = gt.Spectrum(point)
    expected = [alone.density(lam) for lam in lams]
    shared = gt.Spectrum(point)
    shared.density(lams[0])  # populations are made once
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(shared.density, lams))
    finally:
        sys.setswitchinterval(interval)
    np.testing.assert_array_equal(found, expected)


def test_a_network_is_told_what_to_give():
    net = gt.Network.sample(gt.Ensemble(gt.GRU), 4, rng=0)
    with pytest.raises(TypeError, match=r"cell must be a Cell, or Sites, such as net.sites\(state\), got"):
        gt.Spectrum.from_sites(net)
