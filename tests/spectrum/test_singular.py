"""Averages of logarithms that are singular at a place, atoms, and errors that are what they are said to be [T4]."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import sympy as sp
from scipy.integrate import quad, tplquad
from scipy.special import expit

import gating_theory as gt
from gating_theory.counting.functional import ComplexityFunctional
from gating_theory.mean_field.fixed_points import zero_state

h, c, y_f, y_r, y_g, y_o, y_h = sp.symbols("h c y_f y_r y_g y_o y_h", real=True)
_new = gt.sigma(y_f) * c + (1 - gt.sigma(y_f)) * sp.tanh(y_g)

#: An LSTM that resets its messages before the matrix: two messages, d = 2.
RESET = gt.Cell(
    name="ResetLSTM",
    state=[h, c],
    fields=[y_f, y_r, y_g, y_o],
    messages=[h, h, gt.sigma(y_r) * h, h],
    update={h: gt.sigma(y_o) * sp.tanh(_new), c: _new},
    fixed_point={h: gt.sigma(y_o) * sp.tanh(sp.tanh(y_g)), c: sp.tanh(y_g)},
)
#: Its slope vanishes at several places, none of them 0.
WAVE = gt.Cell(name="Wave", state=[h], fields=[y_h], messages=[h], update=[sp.sin(3 * y_h)], fixed_point=[sp.sin(3 * y_h)])


@cache
def point(cell, **gain):
    return gt.fixed_points(gt.Ensemble(cell, gain=gain))[-1]


def expectation(f, std):
    """E f(y) for y ~ N(0, std^2), f singular at 0."""
    g = lambda x: f(std * x) * np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi)  # noqa: E731
    return sum(quad(g, a, b, epsabs=1e-11, limit=200)[0] for a, b in ((-12, 0), (0, 12)))


def log_det_at_zero(fp):
    """(1/N) log|det J| of a coupled LSTM: dh' = D dy_o once c' is eliminated, D = o'|tanh c|, and dc'/dc = f, as h alone is heard.

    So it is E log f + E log(o' |tanh c|) + log a_o - 1/2, whether or not other fields hear r h.
    """
    log_sigma = lambda y: -np.logaddexp(0.0, -y)  # noqa: E731
    std, gain = fp.field_std, fp.ensemble.gain["o"]
    gates = expectation(log_sigma, std["f"]) + expectation(lambda y: log_sigma(y) + log_sigma(-y), std["o"])
    return gates + expectation(lambda y: np.log(np.abs(np.tanh(np.tanh(y)))), std["g"]) + np.log(gain) - 0.5


CASES = [
    (gt.CoupledLSTM, {"f": 1, "g": 3, "o": 3}, -2.79193),
    (gt.CoupledLSTM, {"f": 6, "g": 6, "o": 6}, -2.85021),
    (RESET, {"f": 3, "r": 2, "g": 6, "o": 1}, -3.85680),
]


@pytest.mark.parametrize("cell, gain, value", CASES)
def test_potential_at_zero_is_the_closed_form(cell, gain, value):
    fp = point(cell, **gain)
    exact = log_det_at_zero(fp)
    assert exact == pytest.approx(value, abs=1e-5)
    spectrum = gt.Spectrum(fp)
    assert spectrum.potential(0.0) == pytest.approx(exact, abs=1e-4)
    # Phi(r) - Phi(0) = d times the integral of the mass by log r, over circles: below r = 1e-6 next to nothing
    assert spectrum.potential(1e-7j) == pytest.approx(exact, abs=1e-4)


def test_at_typical_fixed_points():
    """The same closed form, averaged over the tilted law of a typical fixed point by sums that are dense next to y_g = 0."""
    result = gt.complexity(gt.Ensemble(gt.CoupledLSTM, gain={"f": 1, "g": 3, "o": 3}))
    functional, saddle = ComplexityFunctional(result.ensemble), result.saddles[0].point
    f, g, o = functional.law_of_all(saddle).stds[0]
    x = np.linspace(-9, 9, 601)
    y_g, y_o, bell = np.exp(np.linspace(-30, 2, 2001)), o * x, np.exp(-0.5 * x * x)  # one sign of y_g stands for both
    weight = (y_g * np.exp(-0.5 * (y_g / g) ** 2))[:, None] * bell * functional.tilt([y_g[:, None], y_o], saddle)
    weight /= weight.sum()
    gates = np.log(expit(y_o) * expit(-y_o)) + np.log(np.tanh(np.tanh(y_g)))[:, None]
    exact = bell @ np.log(expit(f * x)) / bell.sum() + np.sum(weight * gates) + np.log(3.0) - 0.5
    spectrum = gt.Spectrum(result)
    assert spectrum.potential(0.0) == pytest.approx(exact, abs=1e-4)
    assert gt.Spectrum(result, tol=1e-6).potential(0.0) == pytest.approx(exact, abs=1e-6)
    best = spectrum.mass(0.0, 0.03, tol=1e-5)
    for tol in (1e-3, 1e-4):
        assert abs(spectrum.mass(0.0, 0.03, tol=tol) - best) <= tol


def test_lstm_at_zero():
    """As above with c = i g / (1 - f): a threefold integral."""
    fp = point(gt.LSTM, f=1, i=1, g=3, o=2)
    s = fp.field_std
    sigma = lambda y: 1 / (1 + np.exp(-y))  # noqa: E731

    def integrand(g, i, f):
        c = np.exp(f * s["f"]) * sigma(i * s["i"]) * np.tanh(g * s["g"]) * (1 + np.exp(-f * s["f"]))
        return np.log(np.tanh(c)) * np.exp(-0.5 * (f * f + i * i + g * g))

    inner = tplquad(integrand, -6, 6, -6, 6, 1e-9, 6, epsabs=1e-3, epsrel=1e-4)[0]
    memory = 2.0 * inner / (2.0 * np.pi) ** 1.5
    log_sigma = lambda y: -np.logaddexp(0.0, -y)  # noqa: E731
    gates = expectation(log_sigma, s["f"]) + expectation(lambda y: log_sigma(y) + log_sigma(-y), s["o"])
    exact = gates + memory + np.log(2.0) - 0.5
    # tplquad stops at 1e-4 relative
    assert gt.Spectrum(fp).potential(0.0) == pytest.approx(exact, abs=3e-4)


def test_masses_around_zero_are_those_of_networks():
    """Discs around 0 of three networks, and the theory at the sites of a large one, where nothing is a quadrature."""
    fp = point(gt.CoupledLSTM, f=1, g=3, o=3)
    spectrum = gt.Spectrum(fp)
    sampled = gt.Network.planted(fp, 1500, rng=0)
    own = gt.Spectrum(sampled[0].sites(sampled[1]))
    found = []
    for seed in range(3):
        net, state = gt.Network.planted(fp, 300, rng=seed)
        found.append(net.eigenvalues(state))
    found = np.abs(np.concatenate([np.ravel(e) for e in found]))
    for radius in (0.1, 0.03, 0.01):
        mass = spectrum.mass(0.0, radius)
        # 1500 sites: those next to y_g = 0 number about 1500 times the mass, and count by their square root
        assert mass == pytest.approx(own.mass(0.0, radius), abs=4 * np.sqrt(mass / 1500))
        # eigenvalues repel, so that counts vary less than independent ones
        assert mass == pytest.approx(np.mean(found < radius), abs=3 * np.sqrt(mass / found.size) + 1.0 / found.size)
    assert spectrum.density(0.01j) == pytest.approx(36.9, rel=0.05)  # at 1500 sampled sites, where that is accurate to some percent
    assert spectrum.density(0.1j) == pytest.approx(2.18, rel=0.03)


@pytest.mark.parametrize(
    "candidate, gain, exact",
    # an independent solution of 1 = E[v / (1 + s v)] on 6001 x 301 plain nodes, the resolvent differenced; four digits
    [(sp.sin(y_h), 1.7, 0.7527), (y_h * sp.exp(-(y_h**2)), 4.0, 0.5558), (y_h / (1 + y_h**2), 4.0, 0.7645)],
)
def test_density_of_functions_without_near_poles(candidate, gain, exact):
    z = gt.sigma(y_f)
    own = gt.Cell(
        name="own", state=[h], fields=[y_f, y_h], messages=[h, h], update=[z * h + (1 - z) * candidate], fixed_point=[candidate]
    )
    fp = gt.fixed_points(gt.Ensemble(own, gain={"f": 1.0, "h": gain}))[-1]
    assert gt.Spectrum(fp).density(0.3 + 0.2j) == pytest.approx(exact, rel=0.03)
    assert gt.Spectrum(fp, tol=1e-8).density(0.3 + 0.2j) == pytest.approx(exact, rel=0.01)


@pytest.mark.parametrize("radius", [0.1, 0.4])
def test_slopes_that_vanish_away_from_zero(radius):
    """One field, J = U phi': 1 = E[a^2 phi'^2 / (r^2 + a^2 s phi'^2)] gives the mass 1 - s, with phi' = 3 cos 3y."""
    fp = point(WAVE, h=1.0)
    std = fp.field_std["h"]
    y = np.linspace(-9, 9, 200_001) * std
    w = np.exp(-0.5 * (y / std) ** 2)
    w /= w.sum()
    slope2 = 9 * np.cos(3 * y) ** 2
    low, high = 0.0, 1.0
    for _ in range(50):
        s = 0.5 * (low + high)
        low, high = (s, high) if w @ (slope2 / (radius**2 + s * slope2)) > 1.0 else (low, s)
    assert gt.Spectrum(fp).mass(0.0, radius) == pytest.approx(1.0 - s, abs=1e-5)
    exact = w @ np.log(np.maximum(slope2, 1e-300)) / 2 - 0.5
    # a plain sum over 200,001 nodes that miss the zeros: off by the step times the density at six of them
    assert gt.Spectrum(fp).potential(0.0) == pytest.approx(exact, abs=1e-4)


@pytest.mark.parametrize(
    "cell, gain, discs",
    [
        (gt.GRU, {"z": 3, "r": 1, "h": 3}, [(0.3 + 0.2j, 0.3)]),
        # the determinant vanishes close to the real axis in y_h: the larger the reset gate's gain, the closer
        (gt.GRU, {"z": 2, "r": 14, "h": 1.8}, [(0.0, np.exp(-1.0))]),
        (gt.JANET, {"f": 3, "g": 3}, [(0.5, 0.3), (1.0, 0.1)]),
        (gt.MGU, {"f": 3, "h": 3}, [(0.5, 0.3), (0.3 + 0.2j, 0.3)]),
        (gt.CoupledLSTM, {"f": 1, "g": 3, "o": 3}, [(0.0, 0.003), (0.5, 0.3)]),
    ],
)
def test_masses_to_two_tolerances_differ_by_no_more_than_the_larger(cell, gain, discs):
    spectrum = gt.Spectrum(point(cell, **gain))
    for center, radius in discs:
        best = spectrum.mass(center, radius, tol=1e-5)
        for tol in (1e-2, 1e-3, 1e-4):
            assert abs(spectrum.mass(center, radius, tol=tol) - best) <= tol


def test_potentials_for_two_tolerances_differ_by_no_more_than_the_larger():
    """On the real axis between the leaks, next to it, and off it; 1e-6 needs the leak's own places."""
    lam = np.array([0.0, 1e-4, 0.3, 0.9, 0.3 + 1e-3j, 0.5 + 0.5j])
    for cell, gain in (
        (gt.JANET, {"f": 3, "g": 3}),
        (gt.GRU, {"z": 3, "r": 1, "h": 3}),
        (gt.CoupledLSTM, {"f": 1, "g": 3, "o": 3}),
    ):
        best = gt.Spectrum(point(cell, **gain), tol=1e-6).potential(lam)
        for tol in (1e-3, 1e-4):
            assert np.abs(gt.Spectrum(point(cell, **gain), tol=tol).potential(lam) - best).max() <= tol


@pytest.mark.nightly  # half a minute
def test_a_potential_that_cannot_be_had_says_so():
    """Three gates that are steps: the finest population that is affordable is good to 1e-3."""
    gru = point(gt.GRU, z=50, r=50, h=50)
    with pytest.raises(gt.ConvergenceError, match="not converged to 0.0001") as caught:
        gt.Spectrum(gru).potential(0.51 + 0.2j)
    # what was reached is close all the same
    assert caught.value.estimate == pytest.approx(gt.Spectrum(gru, tol=1e-3).potential(0.51 + 0.2j), abs=2e-3)


def test_masses_are_had_to_many_digits():
    """Exponentially accurate rules: each decade of the tolerance costs a few nodes."""
    spectrum = gt.Spectrum(point(gt.JANET, f=3, g=3))
    assert spectrum.mass(0.5, 0.3, tol=1e-8) == pytest.approx(spectrum.mass(0.5, 0.3, tol=1e-7), abs=1e-7)


class Unsettled:
    """A law of sites whose populations are never better than two coarse ones, whatever they are asked for."""

    def __init__(self, fp):
        self.fp, self.sites, self.n = fp, fp.sites, 0

    def sites_at(self, tol, *options, **more):
        self.n += 1
        return replace(self.fp.sites_at(1e-2 if self.n % 2 else 3e-3), tol=tol)


def test_a_mass_that_cannot_be_had_says_so():
    fp = point(gt.JANET, f=3, g=3)
    with pytest.raises(gt.ConvergenceError, match="not converged to 1e-06, two populations of sites differ by") as caught:
        gt.Spectrum(Unsettled(fp)).mass(0.5, 0.3, tol=1e-6)
    # what was reached is what populations for 1e-2 give
    assert caught.value.estimate == pytest.approx(gt.Spectrum(fp).mass(0.5, 0.3), abs=3e-2)


ATOMS = [  # zero states, and the place and the fraction of what sits in one place
    (gt.LSTM, {"f": 1, "i": 1, "g": 0.7, "o": 1}, 0.0, 0.5),
    (gt.CoupledLSTM, {"f": 0.5, "g": 0.5, "o": 0.5}, 0.0, 0.5),
    (gt.Vanilla, {"h": 0.0}, 0.0, 1.0),
    (gt.GRU, {"z": 2, "r": 1, "h": 0}, 0.5, 1.0),
]


@pytest.mark.parametrize("cell, gain, place, fraction", ATOMS)
def test_atoms(cell, gain, place, fraction):
    """On an atom all is infinite; the rim of a disc is not in the disc."""
    spectrum = gt.Spectrum(zero_state(gt.Ensemble(cell, gain=gain)))
    assert spectrum.potential(place) == -np.inf and spectrum.edge_function(place) == np.inf and spectrum.inside(place)
    assert np.isinf(spectrum.resolvent(place))
    beside = 1e-7
    assert spectrum.resolvent(place + beside) * beside == pytest.approx(fraction * cell.n_state, abs=1e-5)
    assert spectrum.mass(place, 1e-3) == pytest.approx(fraction, abs=1e-9)
    assert spectrum.mass(place + 0.0625, 0.0625) == pytest.approx(0.0, abs=1e-9)
    assert spectrum.mass(place + 0.0625, 0.0626) == pytest.approx(fraction, abs=1e-9)


def test_modes_exactly_at_the_timescale_are_slow():
    """All leaks of this GRU are sigma(b): with tau exactly theirs, |lambda| >= exp(-1/tau) holds for all."""
    spectrum = gt.Spectrum(zero_state(gt.Ensemble(gt.GRU, gain={"z": 1, "r": 1, "h": 0})))
    tau = 1.0 / np.log(2.0)
    assert np.exp(-1.0 / tau) == 0.5
    assert spectrum.slow_fraction(tau) == pytest.approx(1.0, abs=1e-9)
    assert spectrum.slow_fraction(0.999 * tau) == pytest.approx(1.0, abs=1e-9)
    assert spectrum.slow_fraction(1.001 * tau) == pytest.approx(0.0, abs=1e-9)


def test_the_same_bits_wherever_arrays_lie():
    """Nothing but the place of arrays in memory differs between these runs."""
    fp = point(gt.GRU, z=2, r=2, h=4)
    rng = np.random.default_rng(0)
    found, kept = set(), []
    for _ in range(20):
        kept.append(np.empty(rng.integers(1, 5000), dtype=np.uint8))
        spectrum = gt.Spectrum(fp)
        found.add((spectrum.slow_fraction(10.0, tol=1e-2), spectrum.density(0.3 + 0.1j), spectrum.potential(0.4j)))
    assert len(found) == 1


def test_fields_of_no_width():
    """A bias of 1e-42 makes moments of 1e-84: fields are numbers to rounding, and the spectrum is that of the zero state."""
    faint = gt.Ensemble(gt.CoupledLSTM, gain={"f": 0.75, "g": 1.5, "o": 1.5}, bias={"f": 0.8, "g": -2.5e-42})
    (fp,) = gt.fixed_points(faint)
    zero = zero_state(faint.replace({"bias.g": 0.0}))
    lam = np.array([0.5, 1.2, 0.3 + 0.4j])
    assert gt.Spectrum(fp).potential(lam) == pytest.approx(gt.Spectrum(zero).potential(lam), abs=1e-6)
