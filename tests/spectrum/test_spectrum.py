"""Edges, densities and masses of spectra: exact special cases, identities, independent quadrature [T3, T4, T6]."""

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gating_theory as gt
from gating_theory.spectrum.dyson import spectral_radius


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


def test_vanilla_is_a_disc_with_a_known_radial_law():
    """J = U phi': edge a sqrt(E phi'^2); inside, 1 = E[a^2 phi'^2 / (r^2 + a^2 s phi'^2)] gives the radial mass 1 - s."""
    fp = gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=3.0))[-1]
    sp = gt.Spectrum(fp, tol=1e-10)
    mpmath.mp.dps = 20
    std = mpmath.mpf(fp.field_std["h"])
    slope2 = lambda y: 1 / mpmath.cosh(std * y) ** 4  # noqa: E731
    edge = 3 * mpmath.sqrt(mpmath.quad(lambda y: slope2(y) * mpmath.npdf(y), np.linspace(-9, 9, 13).tolist()))
    assert sp.radius() == pytest.approx(float(edge), abs=1e-10)
    r = 0.7
    f = lambda s: mpmath.quad(  # noqa: E731
        lambda y: 9 * slope2(y) / (r**2 + 9 * s * slope2(y)) * mpmath.npdf(y), np.linspace(-9, 9, 25).tolist()
    )
    s = mpmath.findroot(lambda s: f(s) - 1, (0.1, 0.9), solver="anderson")
    assert sp.mass(0.0, r, tol=1e-8) == pytest.approx(1 - float(s), abs=1e-6)  # quadrature of the population, tol 1e-10


def test_gru_edge_against_30_digits():
    """T of the theory sheet in the messages h and r*h, each average by mpmath."""
    mpmath.mp.dps = 30
    gain, bias = {"z": 3.0, "r": 4.0, "h": 3.0}, {"z": 0.5, "r": -0.3}
    fp = gt.fixed_points(gt.Ensemble(gt.GRU, gain=gain, bias=bias))[-1]
    std = {k: mpmath.mpf(v) for k, v in fp.field_std.items()}
    sig = lambda x: 1 / (1 + mpmath.exp(-x))  # noqa: E731
    grid = np.linspace(-12, 12, 49).tolist()

    def E(f, k):
        return mpmath.quad(lambda x: f(bias.get(k, 0) + std[k] * x) * mpmath.npdf(x), grid)

    r2, rp2 = E(lambda y: sig(y) ** 2, "r"), E(lambda y: (sig(y) * sig(-y)) ** 2, "r")
    h2, pp2 = E(lambda y: mpmath.tanh(y) ** 2, "h"), E(lambda y: mpmath.cosh(y) ** -4, "h")
    sp = gt.Spectrum(fp)
    for lam in (1.0 + 0.0j, 1.05 + 0.1j, 0.4 + 0.6j, -0.3 + 0.2j, 1.0 + 1e-6j):
        c = 9 * pp2 * E(lambda y, lam=lam: sig(-y) ** 2 / abs(lam - sig(y)) ** 2, "z")
        b, d = 16 * h2 * rp2, c * r2
        expected = (d + mpmath.sqrt(d**2 + 4 * c * b)) / 2  # spectral radius of [[0, c], [b, d]], T in messages h, r*h
        # moments are good to 1e-12, T to 1e-11: asked for 1e-10
        assert sp.edge_function(lam) == pytest.approx(float(expected), rel=1e-10)


def test_lstm_edge_against_a_plain_sum():
    """sum_l a_l^2 E|w_l|^2 with the closed forms of the theory sheet, by plain sums over four fields.

    Gauss-Hermite is no good here: sites with f near 1 make steps in y_g, and 60 nodes are off by 1e-3.
    """
    gain, bias = {"f": 1.0, "i": 1.5, "g": 2.5, "o": 1.0}, {"f": 0.5, "o": 0.2}
    fp = gt.fixed_points(gt.Ensemble(gt.LSTM, gain=gain, bias=bias))[-1]
    x = {"f": np.linspace(-7, 7, 33), "i": np.linspace(-7, 7, 23), "g": np.linspace(-7, 7, 601), "o": np.linspace(-7, 7, 17)}
    w = {k: np.exp(-(v**2) / 2) / np.exp(-(v**2) / 2).sum() for k, v in x.items()}
    yf, yi, yg, yo = (
        (bias.get(k, 0) + fp.field_std[k] * x[k]).reshape([-1 if j == i else 1 for j in range(4)]) for i, k in enumerate("figo")
    )
    f, i, g, o = sigmoid(yf), sigmoid(yi), np.tanh(yg), sigmoid(yo)
    c = i * g / (1 - f)
    t1 = 1 / np.cosh(c) ** 2
    for lam in (1.1, 0.9 + 0.5j, 0.2 + 0.8j):
        B = 1 / (lam - f)
        entries = {
            "f": o * t1 * c * f * (1 - f) * B,
            "i": o * t1 * g * i * (1 - i) * B,
            "g": o * t1 * i * (1 - g**2) * B,
            "o": o * (1 - o) * np.tanh(c) / lam,
        }
        total = 0.0
        for k, v in entries.items():
            square = np.abs(v) ** 2
            for axis, name in reversed(list(enumerate("figo"))):
                constant = square.shape[axis] == 1  # the entry does not depend on this field
                square = square.sum(axis=axis) if constant else np.tensordot(square, w[name], axes=(axis, 0))
            total += gain[k] ** 2 * float(square)
        # the sums are converged to 1e-9: halving any of the steps changes less
        assert gt.Spectrum(fp).edge_function(lam) == pytest.approx(total, rel=1e-8)


@pytest.mark.parametrize(
    "a_z, delta", [(1, 0.05884014), (5, 0.0221), (10, 3.9e-3), (20, 6.5e-5), (40, 1.3e-8)], ids=lambda v: str(v)
)
def test_update_gate_pins_the_edge_to_one(a_z, delta):
    """Distance of the edge from 1 falls exponentially with a_z; values of the theory sheet, to the digits it gives [T6]."""
    fp = gt.fixed_points(gt.Ensemble(gt.GRU, gain={"z": a_z, "r": 2, "h": 2.5}))[-1]
    assert gt.Spectrum(fp).abscissa() - 1.0 == pytest.approx(delta, rel=0.013)
    # at lambda = 1 the update gate cancels: the edge function there does not depend on a_z; rho^2 = 1.265
    assert gt.Spectrum(fp).edge_function(1.0) == pytest.approx(gt.Spectrum(_without_z(fp)).edge_function(1.0), rel=1e-9)


def _without_z(fp):
    return gt.fixed_points(fp.ensemble.replace({"gain.z": 0.0}))[-1]


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
    assert np.all(np.abs(rho - sp.density(lam)) / (1e-3 / radius**2 + np.abs(rho)) < 1e-2)
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


def test_masses_count_the_density_map():
    fp = gt.fixed_points(gt.Ensemble(gt.GRU, gain={"z": 1, "r": 2, "h": 3}))[-1]
    sp = gt.Spectrum(fp)
    x, y, rho = sp.density_map(120)
    area = (x[1] - x[0]) * (y[1] - y[0])
    assert rho.min() >= 0
    # the map drops what falls into pixels cut by the edge on one side and adds it on the other: one row of pixels in size
    assert rho.sum() * area == pytest.approx(1.0, abs=0.015)
    z = x[None, :] + 1j * y[:, None]
    for centre, radius in ((0.5, 0.3), (0.2 + 0.4j, 0.25)):
        pixels = rho[np.abs(z - centre) < radius].sum() * area
        assert sp.mass(centre, radius) == pytest.approx(pixels, abs=0.01)


def test_slow_fraction_is_the_mass_outside_a_circle():
    sp = gt.Spectrum(gt.fixed_points(gt.Ensemble(gt.GRU, gain={"z": 6, "r": 1, "h": 3}))[-1])
    fractions = [sp.slow_fraction(tau) for tau in (2, 10, 100)]
    assert fractions[0] > fractions[1] > fractions[2] > 0
    assert fractions[1] == pytest.approx(1 - sp.mass(0, np.exp(-0.1)), abs=1e-9)


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


def test_given_sites_and_fixed_point_agree():
    fp = gt.fixed_points(gt.Ensemble(gt.GRU, gain={"z": 2, "r": 3, "h": 4}))[-1]
    exact = gt.Spectrum(fp)
    given_sites = gt.Spectrum.from_sites(gt.GRU, fp.sites_at(1e-8), {"z": 2, "r": 3, "h": 4})
    lam = np.array([1.3, 0.3 + 0.6j, -0.4])
    assert given_sites.edge_function(lam) == pytest.approx(exact.edge_function(lam), rel=1e-6)  # a population made for 1e-8
    assert given_sites.potential(lam) == pytest.approx(exact.potential(lam), abs=1e-4)  # the other is made for 1e-5


def test_spectral_radius_of_small_matrices():
    rng = np.random.default_rng(3)
    for n in (1, 2, 3):
        T = rng.random((50, n, n))
        assert spectral_radius(T) == pytest.approx(np.abs(np.linalg.eigvals(T)).max(axis=1), rel=1e-12)


def test_a_cell_with_three_messages():
    """The coupled solver is not special to two messages: a cell in neither paper, against a sampled network."""
    import sympy as sp

    h, y_z, y_r, y_q, y_h = sp.symbols("h y_z y_r y_q y_h", real=True)
    z, r, q = gt.sigma(y_z), gt.sigma(y_r), gt.sigma(y_q)
    cell = gt.Cell(
        name="three",
        state=[h],
        fields=[y_z, y_r, y_q, y_h],
        messages=[h, h, r * h, q * r * h],
        update=[z * h + (1 - z) * sp.tanh(y_h)],
        fixed_point=[sp.tanh(y_h)],
    )
    ens = gt.Ensemble(cell, gain={"z": 1, "r": 3, "q": 3, "h": 8})
    fp = gt.fixed_points(ens)[-1]
    net, state = gt.Network.planted(fp, 300, rng=0)
    spectrum = gt.Spectrum.from_sites(net.sites(state))
    ev = net.eigenvalues(state)
    for lam in (0.3 + 0.5j, 1.5 + 0.5j):
        # log|det| per unit of a sampled network: (log N)/N from the real non-Hermitian determinant, see tests/validation
        assert spectrum.potential(lam) == pytest.approx(np.mean(np.log(np.abs(lam - ev))), abs=5 / 300 + 0.01)
    for radius in (0.5, 1.0):
        assert spectrum.mass(0.0, radius, tol=1e-3) == pytest.approx(np.mean(np.abs(ev) < radius), abs=0.04)


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
        sp = gt.Spectrum(fp)
        assert np.isfinite(sp.radius()) and np.isfinite(sp.abscissa())
        assert not np.isnan(sp.edge_function(np.array([0.0, 0.5, 1.0, 1 + 1e-9, 2.0]))).any()
        assert np.isfinite(sp.potential(np.array([0.51 + 0.2j, 3.0]))).all()
        assert sp.abscissa() <= sp.radius() + 1e-12


def test_a_map_where_the_population_ends_before_the_exact_edge():
    """Next to the thin layer of rare leaks a coarse population has no solution but zero, though the exact edge is further out."""
    ens = gt.Ensemble(gt.GRU, {"z": 1.0, "r": 1.0, "h": 4.0}, {"z": 2.0})
    x, y, density = gt.Spectrum(gt.fixed_points(ens)[-1]).density_map(40, box=(0.25, 0.45, 0.0, 0.02))
    assert np.isfinite(density).all() and (density >= 0).all()
    assert (density == 0).any() and (density > 0).any()
