"""T(lambda), where spectra end: closed forms with many digits, plain sums, the gate that pins the edge to one [T3, T6]."""

import mpmath
import numpy as np
import pytest

import gating_theory as gt


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
