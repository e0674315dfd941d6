"""T(lambda), where spectra end: closed forms with many digits, plain sums, the gate that pins the edge to one [T3, T6]."""

import mpmath
import numpy as np
import pytest
import sympy as sp

import gating_theory as gt
from gating_theory.ensemble.vanishing import leaks_of_all
from gating_theory.spectrum.boundary import Boundary
from gating_theory.spectrum.determinant import spectral_radius
from gating_theory.spectrum.edge import FixedPointEdge


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def test_gru_edge_against_30_digits():
    """T of the theory sheet in the messages h and r*h, each average by mpmath."""
    mpmath.mp.dps = 30
    gain, bias = {"z": 3.0, "r": 4.0, "h": 3.0}, {"z": 0.5, "r": -0.3}
    fp = gt.fixed_points(gt.Ensemble(gt.GRU, gain=gain, bias=bias))[-1]
    std = {k: mpmath.mpf(v) for k, v in fp.field_std.items()}
    sig = lambda x: 1 / (1 + mpmath.exp(-x))  # noqa: E731
    # poles lie at least .4 standard deviations off the axis: exp(-2 pi .4 / .05) is 1e-21
    nodes = [mpmath.mpf(i) / 20 for i in range(-240, 241)]

    def E(f, k):
        return mpmath.fsum(f(bias.get(k, 0) + std[k] * x) * mpmath.npdf(x) for x in nodes) / 20

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


def test_lstm_whose_forget_gate_is_a_step():
    """As above, with f so close to 1 that steps in y_g are e^-70 wide: no grid over three fields is fine enough."""
    gain = {"f": 23.0, "i": 1.3, "g": 9.5, "o": 2.0}
    fp = gt.fixed_points(gt.Ensemble(gt.LSTM, gain=gain))[-1]
    s = fp.field_std

    def rule(x, slope=1.0):
        w = np.exp(-0.5 * x * x) * slope
        return w / w.sum()

    x_f, x_i, x_o = np.linspace(-8.5, 8.5, 1201), np.linspace(-8, 8, 41), np.linspace(-8, 8, 61)
    u = np.linspace(-22.0, 3.9, 400)  # y_g = e^u
    w_f, w_i, w_o, w_g = rule(x_f), rule(x_i), rule(x_o), rule(np.exp(u) / s["g"], np.exp(u))
    y_i, g = s["i"] * x_i[:, None], np.tanh(np.exp(u))
    i = sigmoid(y_i)
    E_o2, E_slope2 = w_o @ sigmoid(s["o"] * x_o) ** 2, w_o @ (sigmoid(s["o"] * x_o) * sigmoid(-s["o"] * x_o)) ** 2
    lam = 1.25
    total = 0.0
    for y, weight in zip(s["f"] * x_f, w_f):
        c = i * g * (1.0 + np.exp(y))
        steep = np.exp(-2.0 * np.minimum(c, 350.0))
        t1 = 4.0 * steep / (1.0 + steep) ** 2
        entries = gain["f"] ** 2 * (i * g * sigmoid(y)) ** 2  # c f' = i g f
        entries = entries + gain["i"] ** 2 * (g * i * sigmoid(-y_i)) ** 2 + gain["g"] ** 2 * (i / np.cosh(np.exp(u)) ** 2) ** 2
        through_c = E_o2 * (w_i @ (entries * t1**2) @ w_g) / (lam - sigmoid(y)) ** 2
        total += weight * (through_c + gain["o"] ** 2 * E_slope2 * (w_i @ np.tanh(c) ** 2 @ w_g) / lam**2)
    # what is left out of y_g, below e^-22, holds 1e-9 of it
    assert gt.Spectrum(fp).edge_function(lam) == pytest.approx(total, rel=1e-8)
    assert gt.Spectrum(fp).edge_tol == 1e-14


def _without_z(fp):
    return gt.fixed_points(fp.ensemble.replace({"gain.z": 0.0}))[-1]


@pytest.mark.parametrize(
    "a_z, delta", [(1, 0.05884014), (5, 0.0221), (10, 3.9e-3), (20, 6.5e-5), (40, 1.3e-8)], ids=lambda v: str(v)
)
def test_update_gate_pins_the_edge_to_one(a_z, delta):
    """Distance of the edge from 1 falls exponentially with a_z; values of the theory sheet, to the digits it gives [T6]."""
    fp = gt.fixed_points(gt.Ensemble(gt.GRU, gain={"z": a_z, "r": 2, "h": 2.5}))[-1]
    assert gt.Spectrum(fp).abscissa() - 1.0 == pytest.approx(delta, rel=0.013)
    # at lambda = 1 the update gate cancels: the edge function there does not depend on a_z; rho^2 = 1.265
    assert gt.Spectrum(fp).edge_function(1.0) == pytest.approx(gt.Spectrum(_without_z(fp)).edge_function(1.0), rel=1e-9)


def test_given_sites_and_fixed_point_agree():
    fp = gt.fixed_points(gt.Ensemble(gt.GRU, gain={"z": 2, "r": 3, "h": 4}))[-1]
    exact = gt.Spectrum(fp)
    given_sites = gt.Spectrum.from_sites(gt.GRU, fp.sites_at(1e-8), {"z": 2, "r": 3, "h": 4})
    lam = np.array([1.3, 0.3 + 0.6j, -0.4])
    assert given_sites.edge_function(lam) == pytest.approx(exact.edge_function(lam), rel=1e-6)  # a population made for 1e-8
    assert given_sites.potential(lam) == pytest.approx(exact.potential(lam), abs=1e-4)  # the other is made for 1e-5


@pytest.mark.parametrize("gain", [1e3, 1e6])
def test_binary_update_gates(gain):
    """Half of the sites have frozen (z = 1), the other half answers at once (z = 0): T is half of that of Vanilla."""
    point = gt.fixed_points(gt.Ensemble(gt.GRU, gain={"z": gain, "r": 0, "h": 3}))[-1]
    spectrum = gt.Spectrum(point)
    assert spectrum.radius() == pytest.approx(1.0, abs=1e-9) and spectrum.abscissa() == pytest.approx(1.0, abs=1e-9)
    # r = 1/2 halves h's gain; the sites on their way, |y| < a few, are a fraction of about 10 / gain
    y = np.linspace(-8, 8, 4001) * point.field_std["h"]
    w = np.exp(-0.5 * np.linspace(-8, 8, 4001) ** 2)
    slope2 = (w / w.sum()) @ (1 / np.cosh(y) ** 4)
    assert spectrum.edge_function(2.0) == pytest.approx(0.5 * 1.5**2 * slope2 / 4.0, rel=10 / gain)


def random_points(count, seed):
    """Active fixed points of all built-in cells with closed forms, gains from .5 to 100, some with biases."""
    rng = np.random.default_rng(seed)
    cells = (gt.GRU, gt.CoupledLSTM, gt.JANET, gt.MGU, gt.LiGRUTanh, gt.LSTM, gt.GRUResetAfter, gt.Vanilla)
    for i in range(count):
        cell = cells[i % len(cells)]
        gain = {name: float(np.exp(rng.uniform(np.log(0.5), np.log(100.0)))) for name in cell.field_names}
        bias = {name: float(rng.normal()) * (i % 3) / 2 for name in cell.field_names}
        yield gt.fixed_points(gt.Ensemble(cell, gain=gain, bias=bias))[-1], rng


@pytest.mark.parametrize("count", [3, pytest.param(200, marks=pytest.mark.nightly)])
def test_what_a_search_asks_for_is_as_good_as_it_says(count):
    """Three digits from half of the nodes, ten from one grid, against two grids that agree; on the boundary T is 1."""
    for fp, rng in random_points(count, seed=count):
        lam = rng.uniform(-1.3, 1.5, 40) + 1j * 10.0 ** rng.uniform(-4.0, 0.2, 40)
        spectrum, edge = gt.Spectrum(fp), FixedPointEdge(fp)
        exact = spectrum.edge_function(lam)
        near = (exact > 0.3) & (exact < 3.0)
        # fields that are broader than 25 have steps at places that other fields move: one grid is good to 1e-6 then
        digits = 1e-9 if fp.law.stds.max() < 25.0 else 3e-6
        for rtol, reached in ((1e-3, 1e-3), (1e-10, digits)):
            value = spectral_radius(edge.transfer_moments(lam, 3.0, rtol))
            assert value[near] == pytest.approx(exact[near], rel=reached)
        edge_on_axis = Boundary(edge).real_edge
        if edge_on_axis is not None:
            # a relative error of the distance from the leaks, which may be as small as rounding of lambda allows to tell
            near_leak = min(abs(edge_on_axis - leak) for leak in edge.leaks.real.ravel())
            assert abs(spectrum.edge_function(edge_on_axis) - 1.0) < digits + 1e-15 / max(near_leak, 1e-300)
        for curve in spectrum.boundary(64):
            off = curve[np.abs(curve.imag) > 1e-4]
            assert np.abs(spectrum.edge_function(off) - 1.0).max(initial=0.0) < 2.0 * digits


def test_leaks_of_all_among_many_sites():
    """One leak of three is that of all 400,000 sites: comparing all pairs of leaks would take a terabyte."""
    rng = np.random.default_rng(0)
    roots = np.sort_complex(np.column_stack([rng.uniform(0.0, 0.9, (400_000, 2)), np.full(400_000, 0.95)]))
    assert leaks_of_all(roots) == [0.95]
    assert leaks_of_all(np.tile([0.5, 0.0, 0.5], (7, 1))) == [0.5, 0.0]
    assert leaks_of_all(np.array([[0.1, 0.5], [0.5, 0.2], [0.5, 0.3]])) == [0.5]


@pytest.mark.nightly
def test_a_leak_that_three_fields_set():
    """The grid of leaks has as many dimensions as fields set it; T against a plain average over sampled sites."""
    h, a, b, c, y = sp.symbols("h a b c y", real=True)
    z = gt.sigma(a) * gt.sigma(b) * gt.sigma(c)
    cell = gt.Cell(name="three", state=[h], fields=[a, b, c, y], messages=[h] * 4, update=[z * h + (1 - z) * sp.tanh(y)])
    point = gt.fixed_points(gt.Ensemble(cell, gain=1.5, bias_std=1.0))[-1]
    spectrum = gt.Spectrum(point)
    lam = 1.3
    std = np.sqrt(1.5**2 * point.moments["h"] + 1.0)
    fields = std * np.random.default_rng(1).normal(size=(4, 400_000))
    gate = np.prod(1 / (1 + np.exp(-fields[:3])), axis=0)
    # h = tanh(y) at rest, so that gates do not matter to it
    each = 1.5**2 * ((1 - gate) / np.cosh(fields[3]) ** 2 / (lam - gate)) ** 2
    assert spectrum.edge_function(lam) == pytest.approx(each.mean(), abs=5 * each.std() / 400_000**0.5)


def test_leaks_that_are_numbers_leave_one_that_is_spread():
    """Slow gates that nobody listens to: T(lambda) is that of gates that follow at once, also next to the leaks."""
    gain, bias = {"z": 2.0, "r": 0.0, "h": 4.0}, {"z": 0.5, "r": 0.2, "h": 0.1}
    slow = gt.Ensemble(gt.KCS, gain=gain, bias=bias, parameter={"log_tau_z": 1.0, "log_tau_r": 0.5})
    fast = gt.Ensemble(gt.KCSFast, gain=gain, bias=bias)
    lam = np.array([0.9 + 1e-5j, 0.3 + 1e-3j, 0.7 + 0.1j, 1.2, -0.3])
    found = [FixedPointEdge(gt.fixed_points(ens)[-1]).transfer_moments(lam) for ens in (slow, fast)]
    # chi of degree 3 is divided out of numerators of degree 4 in the distance to two leaks of order 1: rounding, some 1e-11
    np.testing.assert_allclose(found[0], found[1], rtol=1e-9)


#: Slow gates whose time constants differ from unit to unit: three variables set the leaks, each its own.
SPREAD = gt.Ensemble(gt.KCS, gain={"z": 1, "r": 3, "h": 4}, parameter_std={"log_tau_z": 0.5, "log_tau_r": 0.4})


def test_time_constants_that_differ_from_unit_to_unit():
    """T(lambda) of three kinds of leaks, by parts, against averages over drawn sites; and the edge against their T."""
    point = gt.fixed_points(SPREAD)[-1]
    spectrum = gt.Spectrum(point)
    n, rng = 400_000, np.random.default_rng(5)
    q = np.array([point.q[m] for m in SPREAD.cell.message_of])
    fields = SPREAD.array("gain")[:, None] * np.sqrt(q)[:, None] * rng.standard_normal((3, n))
    parameters = SPREAD.array("parameter_std")[:, None] * rng.standard_normal((2, n))
    state = np.array(SPREAD.cell.compiled.fixed_state(fields, parameters))
    sites = gt.Sites(SPREAD.cell, np.full(n, 1.0 / n), state, fields, parameters, SPREAD.array("gain"), "drawn")
    lam = np.array([1.0 + spectrum.flow.growth_rate(), 1.1 + 0.2j, 0.5 + 0.6j, -0.4 + 0.7j])
    drawn = gt.Spectrum(sites).edge_function(lam)
    # the sums have a standard error of some 1/sqrt(n) = .0016 times the spread of their terms, which is 1 to 5
    np.testing.assert_allclose(spectrum.edge_function(lam), drawn, rtol=0.03)
    assert spectrum.edge_function(lam[0]) == pytest.approx(1.0, abs=1e-9)


def test_each_leak_is_averaged_by_its_own_law():
    """The entries of T by one integral each, also next to the leaks, where nodes of three variables would not do.

    At rest x = y_h, z = y_z, r = y_r, and with s = sigma(y_z): dx/dy_h = s/(lambda - 1 + s), dr/dy_r = c/(lambda - 1 + c) where
    c = exp(-log_tau_r); the gate z moves nothing at rest.
    """
    point = gt.fixed_points(SPREAD)[-1]
    x, w = np.linspace(-9.0, 9.0, 20_001, retstep=True)
    w = w * np.exp(-0.5 * x**2) / np.sqrt(2.0 * np.pi)
    a_z, a_r, a_h = SPREAD.array("gain")
    tanh_moment, gated_moment = point.q
    y_z, y_r, y_h, tau = a_z * np.sqrt(tanh_moment) * x, a_r * np.sqrt(tanh_moment) * x, a_h * np.sqrt(gated_moment) * x, 0.4 * x
    open_z, gate = (1.0 / (1.0 + np.exp(-v)) for v in (y_z, y_r))
    c = np.exp(-tau)
    slope2 = w @ np.cosh(y_h) ** -4.0
    lam = np.array([1.19, 1.05 + 0.3j, 0.7 + 0.02j, 0.4 + 0.01j])
    filtered = np.array([w @ np.abs(open_z / (l - 1.0 + open_z)) ** 2 for l in lam])
    followed = np.array([w @ np.abs(c / (l - 1.0 + c)) ** 2 for l in lam])
    T = FixedPointEdge(point).transfer_moments(lam)
    np.testing.assert_allclose(T[:, 0, 1], a_h**2 * slope2 * filtered, rtol=1e-8)
    np.testing.assert_allclose(T[:, 1, 1], a_h**2 * (w @ gate**2) * slope2 * filtered, rtol=1e-8)
    np.testing.assert_allclose(T[:, 1, 0], a_r**2 * tanh_moment * (w @ (gate * (1.0 - gate)) ** 2) * followed, rtol=1e-8)
    np.testing.assert_array_equal(T[:, 0, 0], 0.0)


def test_spread_that_vanishes_is_no_spread():
    """Time constants that differ by 1e-4: edges are those of one time constant to the square of that, and leaks still belong."""
    point = gt.fixed_points(SPREAD)[-1].q
    rates = []
    for std in (0.0, 1e-4):
        ensemble = SPREAD.replace({"parameter_std.log_tau_z": std, "parameter_std.log_tau_r": std})
        found = gt.fixed_points(ensemble)[-1]
        np.testing.assert_allclose(found.q, point, rtol=1e-9)  # time constants move no fixed point
        rates.append(gt.Spectrum(found).flow.growth_rate())
    assert rates[1] == pytest.approx(rates[0], abs=1e-7)
