"""Densities and fractions of singular values against closed forms, real regulators, and singular values of dense matrices [T9]."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gating_theory as gt
from gating_theory.cell.builtin import BUILTIN
from gating_theory.mean_field.samples import even_sites, sampled_sites
from tests.spectrum.singular.populations import OWN, A, B, jacobian, some_sites
from tests.strategies import random_cells

LAMBDAS = st.sampled_from([0.0, 0.7, 1.3j, 0.4 + 0.3j, 4.0])
NAMES = st.sampled_from([*BUILTIN, "own"])


def singular_values(sites, lam=0.0):
    return gt.Spectrum(sites).singular_values(lam)


def some(name, seed, most=2.0):
    return some_sites(OWN if name == "own" else getattr(gt, name), np.random.default_rng(seed), most=most)


def sigma(y):
    return 1.0 / (1.0 + math.exp(-y))


# --- the sheet, all digits that are given; densities there are per unit


@pytest.mark.parametrize(
    ("sites", "expected"),
    [(A, [0.7495753039, 0.6976975845, 0.3127033151]), (B, [1.3251213398, 0.4683744424, 0.3737111095])],
)
def test_densities_of_two_populations(sites, expected):
    found = singular_values(sites).density([0.3, 0.8, 1.5]) * sites.cell.n_state
    np.testing.assert_allclose(found, expected, atol=6e-11)


def test_vanilla_fixed_point():
    """401 trapezoidal nodes of the sheet, as given sites; the fixed point itself to its tolerance."""
    point = gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=2.5))[-1]
    x = np.linspace(-6.0, 6.0, 401)
    y = next(iter(point.field_std.values())) * x
    weights = np.exp(-0.5 * x**2)
    sites = gt.Sites(gt.Vanilla, weights / weights.sum(), np.tanh(y)[None], y[None], gain=np.array([2.5]), matrices="iid")
    expected = [0.63509, 0.246450, 0.171249]
    np.testing.assert_allclose(singular_values(sites).density([0.2, 0.8, 1.6]), expected, atol=6e-6)
    # what 401 nodes leave is 1e-4 of these
    found = singular_values(point).density([0.2, 0.8, 1.6], tol=1e-4)
    np.testing.assert_allclose(found, expected, atol=2e-4)


# --- closed forms


def test_zero_state_of_a_gru():
    """z - J = -w U: a quarter circle of radius 2 w, and nothing beyond it; far outside the disc a band between known edges."""
    point = gt.fixed_points(gt.Ensemble(gt.GRU, gain=3.0, bias={"z": 0.4, "r": -0.3}))[0]
    z = sigma(0.4)
    w = (1.0 - z) * 3.0 * sigma(-0.3)
    found = gt.Spectrum(point).singular_values(z)
    s = w * np.array([0.0, 1e-9, 0.1, 1.0, 1.9, 1.9999, 2.0001, 3.0, 1e6])
    circle = np.sqrt(np.maximum(4.0 * w**2 - s**2, 0.0)) / (np.pi * w**2)
    np.testing.assert_allclose(found.density(s), circle, atol=1e-6 / w, rtol=1e-6)
    assert (found.density(s[6:]) == 0.0).all()
    half = s / (2.0 * w)
    below = np.minimum(half, 1.0)
    fractions = 2.0 / np.pi * (np.arcsin(below) + below * np.sqrt(1.0 - below**2))
    np.testing.assert_allclose(found.mass(0.0, s), fractions, atol=1e-6)
    # far outside the disc both edges are known
    c = 3.0
    alpha = math.sqrt(1.0 + 8.0 * c**2)
    low, high = (w * math.sqrt((alpha + 3 * sign) ** 3 / (8 * (alpha + sign))) for sign in (-1, 1))
    outside = gt.Spectrum(point).singular_values(z + c * w)
    beside = np.array([0.0, 0.5 * low, low * (1 - 1e-9), high * (1 + 1e-9), 2 * high])
    assert (outside.density(beside) == 0.0).all()
    assert (outside.density([low * (1 + 1e-6), high * (1 - 1e-6)]) > 0.0).all()
    np.testing.assert_allclose(outside.mass(0.0, beside), [0, 0, 0, 1, 1], atol=1e-12)


def test_an_lstm_at_rest():
    """An atom of one half, then s^2 = (1 + o^2)(f^2 + (i a_g)^2 x) with x Marchenko-Pastur on [0, 4]."""
    point = gt.fixed_points(gt.Ensemble(gt.LSTM, gain={"g": 3.0}, bias={"f": 1.0, "i": -0.2, "o": 0.3}))[0]
    f, i, o = sigma(1.0), sigma(-0.2), sigma(0.3)
    found = gt.Spectrum(point).singular_values()
    x = np.array([0.01, 0.5, 2.0, 3.9])
    s = np.sqrt((1 + o**2) * (f**2 + (3.0 * i) ** 2 * x))
    slope = 2.0 * s / ((1 + o**2) * (3.0 * i) ** 2)
    np.testing.assert_allclose(found.density(s), 0.5 * slope * np.sqrt((4.0 - x) / x) / (2.0 * np.pi), rtol=1e-8)
    low, high = (math.sqrt((1 + o**2) * (f**2 + (3.0 * i) ** 2 * x)) for x in (0.0, 4.0))
    assert (found.density([1e-3, 0.9 * low, 1.1 * high]) == 0.0).all()
    assert found.density(0.0) == math.inf
    np.testing.assert_allclose(
        found.mass([0.0, 0.0, 1e-3, 0.9 * low], [0.0, 0.9 * low, 0.9 * low, math.inf]), [0.5, 0.5, 0, 0.5], atol=1e-8
    )


def test_without_matrices_each_site_has_its_own():
    """No gains at all: singular values are those of lambda - F_s, and bands are points."""
    sites = gt.Sites(gt.GRU, [0.6, 0.4], [[0.5, -0.2]], [[1.0, -0.5], [0.3, -1.0], [0.4, -0.8]], gain=np.zeros(3), matrices="iid")
    first, second = abs(2.0 - sigma(1.0)), abs(2.0 - sigma(-0.5))
    found = singular_values(sites, 2.0)
    assert (found.density([0.1, 1.4, 5.0]) == 0.0).all()
    middle = 0.5 * (first + second)
    np.testing.assert_allclose(found.mass([0.0, middle, 0.0], [middle, math.inf, 1.0]), [0.6, 0.4, 0.0], atol=1e-14)


# --- several bands


def test_bands_with_a_gap_between_them():
    """Sites of two kinds, with leaks far apart: two bands that hold as many singular values as there are sites of each kind."""
    fields = [[4.0, -4.0], [0.0, 0.0], [0.2, -0.3]]
    sites = gt.Sites(gt.GRU, [0.7, 0.3], [[0.4, -0.4]], fields, gain=np.array([0.1, 0.1, 0.6]), matrices="iid")
    found = singular_values(sites)
    s = np.linspace(0.0, 2.0, 801)
    density = found.density(s)
    edges = np.flatnonzero(np.diff(density > 0.0))
    gap = s[[edges[-3] + 1, edges[-2]]] if len(edges) > 2 else None
    assert gap is not None and gap[1] - gap[0] > 0.2
    assert (density[(s >= gap[0]) & (s <= gap[1])] == 0.0).all()
    np.testing.assert_allclose(found.mass([0.0, gap[1]], [gap[0], math.inf]), [0.3, 0.7], atol=1e-12)
    values = np.linalg.svd(jacobian(sites, 300, np.random.default_rng(0)), compute_uv=False)
    # rigid: singular values leave a band by N^(-2/3) of its width at most, and none changes sides
    inner = gap + np.array([0.05, -0.05])
    assert not ((values > inner[0]) & (values < inner[1])).any()
    assert np.sum(values < inner.mean()) == 90


# --- identities


@settings(max_examples=20)
@given(NAMES, st.integers(0, 99), LAMBDAS)
def test_fractions_are_integrals_and_add_up(name, seed, lam):
    """Phases of the potential against Gauss-Legendre integrals of the density; the whole is one."""
    found = singular_values(some(name, seed), lam)
    scale = math.sqrt(found.moments(1)[0])
    ends = np.linspace(0.03, 2.5, 9) * scale
    fractions = found.mass(np.r_[0.0, ends], np.r_[ends, math.inf])
    assert found.mass(0.0, math.inf) == 1.0 and fractions.sum() == pytest.approx(1.0, abs=1e-12)
    x, w = np.polynomial.legendre.leggauss(12)
    fine_x, fine_w = np.polynomial.legendre.leggauss(20)
    half = 0.5 * np.diff(ends)[:, None]
    density = found.density(0.5 * (ends[1:] + ends[:-1])[:, None] + half * np.r_[x, fine_x])
    assert (density >= 0.0).all()
    coarse, fine = (half * w * density[:, :12]).sum(axis=1), (half * fine_w * density[:, 12:]).sum(axis=1)
    # pieces with an edge or a peak are left out: there the two rules differ; 12 nodes see no band narrower than a tenth of a piece
    smooth = (np.abs(coarse - fine) < 1e-7) & ((density > 0.0).all(axis=1) | (fractions[1:-1] < 1e-3))
    np.testing.assert_allclose(fractions[1:-1][smooth], fine[smooth], atol=1e-6)


@settings(max_examples=20)
@given(NAMES, st.integers(0, 99), LAMBDAS)
def test_averages_over_fractions_are_moments_and_regularised_resolvents(name, seed, lam):
    """Sums over 300 bins lie between what their lower and their upper ends give."""
    sites = some(name, seed)
    found = singular_values(sites, lam)
    scale = math.sqrt(found.moments(1)[0])
    ends = np.concatenate([[0.0], np.geomspace(1e-2, 30.0, 300) * scale])
    fractions = found.mass(ends[:-1], ends[1:])
    assert fractions.sum() == pytest.approx(1.0, abs=1e-9)
    low, high = fractions @ ends[:-1] ** 2, fractions @ ends[1:] ** 2
    assert low - 1e-9 <= found.moments(1)[0] <= high + 1e-9
    eta = 0.3 * scale
    m = found.regularised(eta).m / sites.cell.n_state
    low, high = (fractions @ (eta / (eta**2 + e**2)) for e in (ends[1:], ends[:-1]))
    assert low - 1e-9 <= m <= high + 1e-9


def test_at_zero_inside_the_support():
    """rho(0) = 2 m(0) / pi, by the closed form of m(0)."""
    lam = 0.6 + 0.3j
    for sites in (A, B):
        m0 = gt.Spectrum(sites).smallest_singular_value(lam, 100).m0
        assert singular_values(sites, lam).density(0.0) == pytest.approx(2 * m0 / np.pi / sites.cell.n_state, rel=1e-6)


# --- networks


def agrees_with_networks(sites, lam, units=100, draws=2, seed=0):
    """Fractions below 12 places, of dense matrices: counts fluctuate by (log N)^(1/2), and are off by a number of order 1.

    At most five singular values of N for each state variable may be on the wrong side of a place.
    """
    rng, found = np.random.default_rng(seed), singular_values(sites, lam)
    scale = math.sqrt(found.moments(1)[0])
    places = np.linspace(0.1, 2.5, 12) * scale
    theory, below = found.mass(0.0, places), []
    for _ in range(draws):
        J = jacobian(sites, units, rng)
        values = np.linalg.svd(lam * np.eye(len(J)) - J, compute_uv=False)
        below.append((values[:, None] <= places).mean(axis=0))
    n = len(J)
    # next to an atom or the end of a narrow band a place counts what is within half a percent of it
    slack = found.mass(0.995 * places, 1.005 * places)
    assert (np.abs(np.mean(below, axis=0) - theory) < 5.0 * sites.cell.n_state / n + slack).all(), (sites.cell, lam)


@pytest.mark.parametrize("lam", [0.0, 0.6 + 0.3j])
@pytest.mark.parametrize("name", [*BUILTIN, "own"])
def test_networks_of_every_cell(name, lam):
    """Planted iid matrices at given sites, with d = 2 and several messages at once, and with site parameters."""
    agrees_with_networks(some(name, 3), lam)


@settings(max_examples=5)
@given(random_cells(), st.integers(0, 99), LAMBDAS)
def test_networks_of_any_cell(cell, seed, lam):
    agrees_with_networks(some_sites(cell, np.random.default_rng(seed)), lam)


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("cell", "gain", "units"), [(gt.GRU, {"z": 2, "r": 3, "h": 6}, 800), (gt.LSTM, {"f": 2, "i": 2, "g": 5, "o": 2}, 500)]
)
def test_chaotic_networks(cell, gain, units):
    """Singular values of chaotic networks in 30 bins, their own sites against their matrices.

    A bin of n singular values of d N is off by counts of order 1, and by the wear of matrices that have made their state: sheet,
    0.6 % and 0.7 % of the peak over five networks, the first bin left out.
    """
    ensemble, rng, theory, sampled = gt.Ensemble(cell, gain=gain), np.random.default_rng(2), [], []
    ends = np.linspace(0.0, 4.0, 31)
    for _ in range(3):
        network = gt.Network.sample(ensemble, units, rng=rng)
        state = network.run(network.random_state(rng), 300)
        values = np.linalg.svd(network.jacobian(state), compute_uv=False)
        sampled.append(np.histogram(values, ends)[0] / values.size)
        theory.append(gt.Spectrum(network.sites(state)).singular_values().mass(ends[:-1], ends[1:]))
    difference = np.abs(np.mean(sampled, axis=0) - np.mean(theory, axis=0))[1:]
    # three singular values of the mean of three networks, and the sheet's part of the peak
    assert (difference < 3.0 / (cell.n_state * units) + 0.007 * np.max(theory)).all()


# --- tolerances


@pytest.mark.parametrize(("cell", "gain"), [(gt.GRU, {"z": 2, "r": 3, "h": 4}), (gt.GRUResetAfter, 2.5)])
def test_tolerances_are_kept(cell, gain):
    """At fixed points: a coarse tolerance against a fine one, and one that is out of reach says so."""
    point = gt.fixed_points(gt.Ensemble(cell, gain=gain))[-1]
    found = gt.Spectrum(point).singular_values()
    scale = math.sqrt(found.moments(1)[0])
    s = np.array([0.3, 0.6, 1.0, 1.4]) * scale
    rough, fine = found.density(s, tol=0.03), found.density(s, tol=3e-3)
    assert (np.abs(rough - fine) <= 0.033 * np.maximum(fine, 1.0 / scale)).all()
    ends = np.array([0.0, 0.5, 1.0]) * scale
    np.testing.assert_allclose(found.mass(ends[:-1], ends[1:], tol=1e-2), found.mass(ends[:-1], ends[1:], tol=1e-3), atol=1.1e-2)
    with pytest.raises(gt.ConvergenceError, match="density of singular values") as error:
        found.density(s[:1], tol=1e-8)
    np.testing.assert_allclose(error.value.estimate, fine[:1], rtol=0.02)


def test_many_random_sites_have_the_density_of_the_law():
    """Fractions of singular values at a fixed point of an LSTM, against those of 4000 sites drawn at random."""
    point = gt.fixed_points(gt.Ensemble(gt.LSTM, gain={"f": 2, "i": 1, "g": 4, "o": 1}, bias={"f": 1}))[-1]
    ends = np.array([0.0, 0.1, 0.3, 0.6, 1.0, 2.0, math.inf])
    law = gt.Spectrum(point).singular_values().mass(ends[:-1], ends[1:])
    drawn = singular_values(sampled_sites(point, 4000, 0)).mass(ends[:-1], ends[1:])
    # a fraction moves by 1 / N at most where one of N sites does: five times the standard deviation of as many independent sites
    np.testing.assert_allclose(drawn, law, atol=1e-3 + 5.0 * math.sqrt(0.25 / 4000))


def test_saturated_sites_are_nearly_atoms():
    """Vanilla at a gain of 40: singular values below s are the sites whose slope times the gain is."""
    point = gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=40.0))[-1]
    found = gt.Spectrum(point).singular_values()
    std = next(iter(point.field_std.values()))
    scale = math.sqrt(found.moments(1)[0])

    def steeper(slope):
        # the slope is 1 / cosh^2 of the field
        return math.erf(math.acosh(slope**-0.5) / std / math.sqrt(2.0))

    # rows of J have norms of 40 times the slope, and saturated ones are most of them: s is that but for a factor of order 1, and a
    # factor of ten to both sides moves the fraction by .02
    for s in (1e-6, 1e-4):
        assert 1.0 - steeper(0.1 * s / 40.0) - 1e-3 <= found.mass(0.0, s) <= 1.0 - steeper(10.0 * s / 40.0) + 1e-3
    below = found.mass(0.0, np.array([1e-6, 1e-3, 1.0, 10.0]))
    assert (np.diff(below) > 0.0).all() and found.atom < below[0]
    s = 1e-10 * scale / 40.0
    assert 1.0 - steeper(0.1 * s) - 2e-3 <= found.atom <= 1.0 - steeper(10.0 * s) + 2e-3


def test_even_sites_are_even():
    """Averages over lattices of fields: second and mixed moments, at 4^7 sites nearly 1 / M apart from those of the law."""
    point = gt.fixed_points(gt.Ensemble(gt.LSTM, gain=2.0, bias=0.3))[-1]
    std = np.array(list(point.field_std.values()))
    for shift in (0, 3):
        sites = even_sites(point, 4**7, shift)
        x = (sites.fields - 0.3) / std[:, None]
        np.testing.assert_allclose(x @ x.T / x.shape[1], np.eye(4), atol=3e-3)
        # smooth and bounded: by independent Gaussians, E cos x = e^(-1/2); random sites would be off by 5e-3
        np.testing.assert_allclose(np.cos(x).prod(axis=0).mean(), math.exp(-2.0), atol=5e-4)
    assert not np.array_equal(even_sites(point, 1024, 0).fields, even_sites(point, 1024, 1).fields)


# --- bad input


def test_what_is_refused():
    found = singular_values(A)
    for s in (-0.1, math.nan, math.inf, [0.1, -1e-9]):
        with pytest.raises(ValueError, match="s must"):
            found.density(s)
    with pytest.raises(TypeError, match="s must"):
        found.density("x")
    for a, b in ((-1.0, 2.0), (2.0, 1.0), (0.0, math.nan), (math.inf, math.inf), (math.nan, 1.0)):
        with pytest.raises(ValueError, match="[ab] must"):
            found.mass(a, b)
    with pytest.raises(ValueError, match="broadcast"):
        found.mass([0.0, 1.0], [1.0, 2.0, 3.0])
    for tol in (0.0, 2.0, math.nan):
        with pytest.raises(ValueError, match="tol"):
            found.density(0.5, tol=tol)
        with pytest.raises(ValueError, match="tol"):
            found.mass(0.0, 1.0, tol=tol)
    assert found.density([]).shape == (0,) and found.mass([], []).shape == (0,)
    assert found.density([[0.3, 0.8]]).shape == (1, 2) and isinstance(found.density(0.3), float)
    assert isinstance(found.mass(0.0, 1.0), float)
