"""Singular values of lambda - J against dense matrices, closed forms, and the eigenvalues' equations [T9]."""

import math
import pickle
from dataclasses import dataclass, replace

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import gating_theory as gt
from gating_theory.cell.builtin import BUILTIN
from tests.spectrum.singular.populations import OWN, A, B, jacobian, some_sites
from tests.strategies import random_cells


def singular_values(sites, lam=0.0):
    return gt.Spectrum(sites).singular_values(lam)


# --- the sheet's populations, computed there in another way; all digits that are given


@pytest.mark.parametrize(
    ("sites", "expected"),
    [
        (A, [0.7999539536, 1.332675298, 2.9047343026, 7.2636774057]),
        (B, [2.0749680131, 8.253429165, 42.8291930495, 250.6548483681]),
    ],
)
def test_moments_of_two_populations(sites, expected):
    np.testing.assert_allclose(singular_values(sites).moments(4) * sites.cell.n_state, expected, rtol=1e-9)


def test_regularised_resolvents_of_two_populations():
    gru, lstm = singular_values(A).regularised(0.3), singular_values(B).regularised(0.3)
    assert gru.m == pytest.approx(0.903840519329, abs=1e-12)
    np.testing.assert_allclose(gru.p, [0.0948264966, 1.1989800315], atol=1e-10)
    np.testing.assert_allclose(gru.q, [0.9038405193, 0.1893928417], atol=1e-10)
    assert lstm.m == pytest.approx(3.114596533681, abs=1e-12)
    np.testing.assert_allclose([lstm.p[0], lstm.q[0]], [0.539360188, 1.1913836447], atol=1e-10)
    assert singular_values(A, 0.6 + 0.3j).regularised(0.1).m == pytest.approx(1.483849158001, abs=1e-12)
    assert singular_values(B, 0.6 + 0.3j).regularised(0.1).m == pytest.approx(2.596949115080, abs=1e-12)


@pytest.mark.parametrize(("sites", "m0", "density"), [(A, 1.5969075222, 0.8768580), (B, 2.5231392779, 1.2453318)])
def test_slope_at_zero_of_two_populations(sites, m0, density):
    """The sheet extrapolated: 2e-9 is what eta = 1e-9 leaves; the equations at small eta agree with the closed form to rounding.

    Its density of A ends in 8779, where means of the potential over circles say 8580 (below).
    """
    lam = 0.6 + 0.3j
    spectrum = gt.Spectrum(sites)
    law = spectrum.smallest_singular_value(lam, 100)
    assert law.m0 == pytest.approx(m0, rel=3e-9)
    assert spectrum.density(lam) * sites.cell.n_state == pytest.approx(density, abs=6e-8)
    assert law.m0 == pytest.approx(spectrum.singular_values(lam).regularised(1e-10).m, rel=2e-9)
    assert spectrum.overlap(lam) == pytest.approx(law.m0**2 / (np.pi * spectrum.density(lam) * sites.cell.n_state), rel=1e-10)


@pytest.mark.parametrize("sites", [A, B])
def test_density_of_eigenvalues_by_circles(sites):
    """The Laplacian of the potential at small eta, from its means over circles: a power series in r^2, and in eta."""
    lam, r, turns = 0.6 + 0.3j, np.array([0.02, 0.04, 0.06, 0.08]), np.exp(2j * np.pi * np.arange(12) / 12)
    eta = np.array([1e-5, 2e-5])

    def potential(at):
        return gt.Spectrum(sites).singular_values(at).regularised(eta).potential

    rises = [(np.mean([potential(lam + one * turn) for turn in turns], axis=0) - potential(lam)) / one**2 for one in r]
    bend = np.polyfit(r**2, rises, 3)[-1]
    density = 2.0 / np.pi * (2.0 * bend[0] - bend[1])
    # r^8 is left, and eta^2
    assert gt.Spectrum(sites).density(lam) * sites.cell.n_state == pytest.approx(density, abs=1e-6)


def test_slope_at_zero_on_the_real_axis():
    law = gt.Spectrum(A).smallest_singular_value(0.6, 100)
    assert law.m0 == pytest.approx(2.4232400, abs=6e-8)
    in_units = 100 * law.m0 * np.array([law.mean, law.median])
    np.testing.assert_allclose(in_units, [0.6557, 0.5448], atol=6e-5)


def test_departure_from_normality():
    """Henrici's, (1/N) (|J|^2 - sum |lambda|^2) = w^2 / 2 for z + w U: .10125 at w = .45, the eigenvalues' part by rings."""
    sites = gt.Sites(gt.GRU, [1.0], [[0.0]], [[0.0], [0.0], [0.0]], gain=[1.0, 1.0, 1.8], matrices="iid")
    spectrum, w = gt.Spectrum(sites), 0.45
    # E |lambda - z|^2 from the masses of discs about z: int 2 r (1 - mass) dr
    nodes, weights = np.polynomial.legendre.leggauss(8)
    r = 0.5 * w * (1.0 + nodes)
    beyond = [1.0 - spectrum.mass(0.5, radius) for radius in r]
    squares = 0.5**2 + 0.5 * w * float(weights @ (2.0 * r * beyond))
    assert spectrum.singular_values().moments(1)[0] - squares == pytest.approx(0.10125, abs=1e-6)


def test_vanilla_fixed_point():
    """401 trapezoidal nodes of the sheet, against populations that are refined until two agree."""
    point = gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=2.5))[-1]
    found = gt.Spectrum(point, tol=1e-9).singular_values()
    np.testing.assert_allclose(found.moments(3), [1.60697497, 9.61675033, 73.81212429], rtol=2e-9)
    assert found.regularised(0.3).m == pytest.approx(1.5669491574, abs=3e-9)
    # the default tolerance is what it says
    coarse = gt.Spectrum(point).singular_values()
    np.testing.assert_allclose(coarse.moments(3), found.moments(3), rtol=1e-5)
    assert coarse.regularised(0.3).m == pytest.approx(found.regularised(0.3).m, rel=1e-5)


def test_the_first_moment_of_a_gru_by_one_dimensional_averages():
    """E z^2 + a_h^2 E (1 - z)^2 E n'^2 (E r^2 + a_r^2 E h^2 E r'^2), by the trapezoidal rule."""
    point = gt.fixed_points(gt.Ensemble(gt.GRU, gain={"z": 2, "r": 3, "h": 6}, bias={"z": 0.5}))[-1]
    mean, std = np.zeros(3) + [0.5, 0.0, 0.0], np.array(list(point.field_std.values()))
    nodes = np.linspace(-9.0, 9.0, 4001)
    weights = np.exp(-0.5 * nodes**2)
    z, r, n = (m + s * nodes for m, s in zip(mean, std))
    sigma = lambda y: 1.0 / (1.0 + np.exp(-y))  # noqa: E731
    average = lambda f: float(weights @ f / weights.sum())  # noqa: E731
    inner = average(sigma(r) ** 2) + 9.0 * point.moments["h"] * average((sigma(r) * sigma(-r)) ** 2)
    expected = average(sigma(z) ** 2) + 36.0 * average(sigma(-z) ** 2) * average(np.cosh(n) ** -4) * inner
    found = gt.Spectrum(point).singular_values().moments(1)[0]
    assert found == pytest.approx(expected, rel=1e-10)
    assert found == pytest.approx(1.2342052610, abs=1e-10)


# --- closed forms


def test_zero_state_of_a_gru():
    """J = z + w U with U Ginibre: moments of J, and quarter circles of z - J."""
    a, b_z, b_r = 3.0, 0.4, -0.3
    point = gt.fixed_points(gt.Ensemble(gt.GRU, gain=a, bias={"z": b_z, "r": b_r}))[0]
    assert point.is_zero
    z = 1.0 / (1.0 + math.exp(-b_z))
    w = (1.0 - z) * a / (1.0 + math.exp(-b_r))
    spectrum = gt.Spectrum(point)
    np.testing.assert_allclose(spectrum.singular_values().moments(2), [z**2 + w**2, z**4 + 4 * z**2 * w**2 + 2 * w**4], rtol=1e-11)
    # Catalan numbers, exact to any order
    catalan = [math.comb(2 * j, j) / (j + 1) for j in range(1, 13)]
    shifted = spectrum.singular_values(z)
    np.testing.assert_allclose(shifted.moments(12), catalan * w ** (2.0 * np.arange(1, 13)), rtol=1e-11)
    eta = np.array([1e-3, 0.1, 1.0, 30.0])
    # 2 / (eta + sqrt(..)): the difference of two numbers that are almost one is no reference
    np.testing.assert_allclose(shifted.regularised(eta).m, 2.0 / (eta + np.sqrt(eta**2 + 4 * w**2)), rtol=1e-12)
    assert shifted.atom == 0.0


def test_an_lstm_at_rest_loses_half_of_its_directions():
    """N singular values are zero, the others s^2 = (1 + o^2)(f^2 + i^2 a_g^2 x) with x Marchenko-Pastur."""
    b_f, b_i, b_o, a_g = 1.0, -0.2, 0.3, 3.0
    point = gt.fixed_points(gt.Ensemble(gt.LSTM, gain={"g": a_g}, bias={"f": b_f, "i": b_i, "o": b_o}))[0]
    f, i, o = (1.0 / (1.0 + math.exp(-b)) for b in (b_f, b_i, b_o))
    found = gt.Spectrum(point).singular_values()
    assert found.atom == pytest.approx(0.5, abs=1e-9)
    first, second = (1 + o**2) * (f**2 + (i * a_g) ** 2), (1 + o**2) ** 2 * (f**4 + 2 * (f * i * a_g) ** 2 + 2 * (i * a_g) ** 4)
    np.testing.assert_allclose(found.moments(2), [first / 2, second / 2], rtol=1e-11)
    assert found.square_std() == pytest.approx(math.sqrt(second / 2 - first**2 / 4), rel=1e-10)


# --- identities


def some(name, seed, most=2.0):
    return some_sites(OWN if name == "own" else getattr(gt, name), np.random.default_rng(seed), most=most)


NAMES = st.sampled_from([*BUILTIN, "own"])
LAMBDAS = st.sampled_from([0.0, 0.7, 1.3j, 0.4 + 0.3j, 4.0])


@given(NAMES, st.integers(0, 99), LAMBDAS)
def test_without_regulator_they_are_the_eigenvalues_equations(name, seed, lam):
    """As eta falls to zero the potential is that of the eigenvalues, and m has the closed form of the inside, or vanishes."""
    sites = some(name, seed, most=6.0)
    spectrum = gt.Spectrum(sites)
    small, smaller = spectrum.singular_values(lam).regularised([1e-6, 1e-8]).potential
    m = spectrum.singular_values(lam).regularised([1e-8, 1e-9]).m
    # the potential rises by m(0) eta: the difference of the two says how far the smaller one is from the limit
    assert smaller == pytest.approx(spectrum.potential(lam), abs=1e-9 + 2.0 * abs(small - smaller))
    if not spectrum.inside(lam):
        assert m[0] < 1e-3
        with pytest.raises(ValueError, match="inside the support"):
            spectrum.smallest_singular_value(lam, 10)
    elif abs(m[0] - m[1]) < 1e-5 * m[0]:  # next to the edge m is not settled at this eta
        assert spectrum.smallest_singular_value(lam, 10).m0 == pytest.approx(m[1], rel=1e-5)


@pytest.mark.parametrize("sites", [A, B])
def test_slopes_of_the_potential_without_regulator(sites):
    """Resolvent and density of eigenvalues are derivatives by lambda of the potential at a small regulator: differences."""
    spectrum, lam, h, eta = gt.Spectrum(sites), 0.6 + 0.3j, 0.02, 1e-8

    def potential(x, y):
        return spectrum.singular_values(lam + h * (x + 1j * y)).regularised(eta).potential

    def slope(x, y):
        return (8 * (potential(x, y) - potential(-x, -y)) - (potential(2 * x, 2 * y) - potential(-2 * x, -2 * y))) / (12 * h)

    def bend(x, y):
        far, near = (potential(k * x, k * y) + potential(-k * x, -k * y) - 2 * potential(0, 0) for k in (2, 1))
        return (16 * near - far) / (12 * h**2)

    # of fourth order in h: 1e-7 of the slopes, 1e-5 of what is differenced twice
    assert slope(1, 0) - 1j * slope(0, 1) == pytest.approx(spectrum.resolvent(lam), abs=1e-5)
    density = (bend(1, 0) + bend(0, 1)) / (2 * np.pi * sites.cell.n_state)
    assert density == pytest.approx(spectrum.density(lam), rel=1e-4)


def test_two_loops_of_messages():
    """One that only listens to the other: with both inside m diverges, and who asks for m(0) is told; with one it is its own."""
    a, b, y, z = sp.symbols("a b y_a y_b", real=True)
    cell = gt.Cell(name="one way", state=[a, b], fields=[y, z], messages=[a, b], update=[sp.tanh(y), sp.tanh(z) + a / 2])
    sites = gt.Sites(cell, [0.5, 0.5], [[0.1, 0.2], [0.3, -0.1]], [[0.1, 0.5], [0.3, -0.2]], gain=[2.0, 1.5], matrices="iid")
    spectrum = gt.Spectrum(sites)
    with pytest.raises(gt.CapabilityError, match="several loops"):
        spectrum.smallest_singular_value(0.3 + 0.1j, 100)
    m = spectrum.singular_values(0.3 + 0.1j).regularised([1e-8, 1e-10]).m
    # products of two square matrices have a density like s^(-1/3) at zero
    assert math.log(m[1] / m[0]) / math.log(100) == pytest.approx(1 / 3, abs=0.01)
    alone = spectrum.singular_values(1.5 + 0.1j).regularised(1e-10).m
    assert spectrum.smallest_singular_value(1.5 + 0.1j, 100).m0 == pytest.approx(alone, rel=2e-9)


@given(NAMES, st.integers(0, 99), LAMBDAS, st.floats(0.01, 10.0))
def test_m_is_the_slope_of_the_potential_and_moments_its_tail(name, seed, lam, eta):
    sites = some(name, seed)
    found = singular_values(sites, lam)
    step = 1e-4 * eta
    low, high = found.regularised([eta - step, eta + step]).potential
    assert found.regularised(eta).m == pytest.approx((high - low) / (2 * step), rel=1e-6, abs=1e-9)
    # eta m = sum_j (-1)^j m_j / eta^(2 j), at an eta so large that the first terms do: the last is 1e-9 of the first
    d, moments = sites.cell.n_state, singular_values(sites, lam).moments(3)
    far = 30.0 * math.sqrt(moments[2] / moments[1])
    x = far**-2.0
    expected = d * (1.0 - moments[0] * x + moments[1] * x**2 - moments[2] * x**3)
    assert far * found.regularised(far).m == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(
    "name", ["Vanilla", "GRU", "GRUResetAfter", "MGU", "LSTM", "CoupledLSTM", "JANET", "LiGRUTanh", "PeepholeLSTM"]
)
def test_the_first_moment_is_that_of_the_series(name):
    """In closed form at a fixed point, field after field, and from the populations of sites."""
    cell = getattr(gt, name)
    # sites of the PeepholeLSTM are solved for: they are dear, and some run away at larger gains
    solved = name == "PeepholeLSTM"
    gain, parameter_std = (0.5, 0.0) if solved else (2.0, 0.1 if cell.n_parameters else 0.0)
    ensemble = gt.Ensemble(cell, gain=gain, bias=0.3, input_std=0.1, parameter_std=parameter_std)
    point = gt.fixed_points(ensemble)[-1]
    for lam in (0.0, 0.8 - 0.4j):
        closed = gt.Spectrum(point).singular_values(lam).moments(1)
        # to the tolerance of the population
        tol = 1e-5 if solved else 1e-8
        np.testing.assert_allclose(closed, singular_values(point.sites_at(tol), lam).moments(1), rtol=100 * tol)


# --- networks


def agrees_with_networks(sites, lam, units=80, draws=5, seed=0):
    """Moments and m(eta) of dense matrices with iid entries: within five standard errors of the draws, and a bias of 8/N."""
    rng, found = np.random.default_rng(seed), singular_values(sites, lam)
    moments, m, eta = [], [], float(np.sqrt(found.moments(1)[0])) * np.array([0.1, 1.0])
    for _ in range(draws):
        J = jacobian(sites, units, rng)
        s2 = np.linalg.svd(lam * np.eye(len(J)) - J, compute_uv=False) ** 2
        n = len(J) / sites.cell.n_state
        moments.append([np.mean(s2), np.mean(s2**2)])
        m.append([np.sum(e / (s2 + e**2)) / n for e in eta])
    for sampled, theory in ((moments, found.moments(2)), (m, found.regularised(eta).m)):
        error = 5.0 * np.std(sampled, axis=0, ddof=1) / math.sqrt(draws) + 8.0 / units * np.abs(theory)
        assert (np.abs(np.mean(sampled, axis=0) - theory) < error).all(), (sites.cell, lam, sampled, theory)


@pytest.mark.parametrize(
    ("name", "lam"), [*((name, 0.6) for name in [*BUILTIN, "own"]), *((name, 0.6 + 0.3j) for name in ("GRU", "LSTM", "own"))]
)
def test_networks_of_every_cell(name, lam):
    """Planted iid matrices at given sites, with d = 2 and several messages at once, and with site parameters."""
    agrees_with_networks(some(name, 3), lam)


@settings(max_examples=8)
@given(random_cells(), st.integers(0, 99), LAMBDAS)
def test_networks_of_any_cell(cell, seed, lam):
    agrees_with_networks(some_sites(cell, np.random.default_rng(seed)), lam)


def test_the_smallest_singular_value_of_networks():
    """A at .6 + .3 i (the law of complex matrices) and at .6 (of real ones), at N = 80."""
    rng, n, draws = np.random.default_rng(5), 80, 100
    for lam in (0.6 + 0.3j, 0.6):
        law = gt.Spectrum(A).smallest_singular_value(lam, n)
        smallest = [np.linalg.svd(lam * np.eye(n) - jacobian(A, n, rng), compute_uv=False)[-1] for _ in range(draws)]
        # counting errors of a median, sqrt(pi / 2) of those of a mean; a few percent are the sheet's for this N
        spread = np.std(smallest) / math.sqrt(draws)
        assert np.mean(smallest) == pytest.approx(law.mean, abs=3.0 * spread + 0.06 * law.mean)
        assert np.median(smallest) == pytest.approx(law.median, abs=4.0 * spread + 0.06 * law.median)


def test_overlaps_of_networks():
    """Overlaps over their mean are one over a Gamma(2) variable: the median is 0.5958 of the mean."""
    rng, n, spectrum, ratios = np.random.default_rng(6), 100, gt.Spectrum(A), []
    for _ in range(30):
        values, right = np.linalg.eig(jacobian(A, n, rng))
        left = np.linalg.inv(right)
        overlap = np.sum(np.abs(left) ** 2, axis=1) * np.sum(np.abs(right) ** 2, axis=0)
        near = np.abs(values - (0.6 + 0.3j)) < 0.2
        ratios += list(overlap[near] / (n * spectrum.overlap(values[near])))
    # the log of a Gamma(2) variable has a density of .60 at its median, so the median's error is .84 / sqrt(n) of it; the median
    # of 2000 eigenvalues was 7 % high at N = 100
    assert len(ratios) > 250
    assert np.median(ratios) == pytest.approx(0.5958, rel=4.0 * 0.84 / math.sqrt(len(ratios)) + 0.07)


# --- laws of the smallest, what is kept, what is refused


@pytest.mark.parametrize("lam", [0.6, 0.6 + 0.3j])
def test_the_law_of_the_smallest_is_one(lam):
    law = gt.Spectrum(A).smallest_singular_value(lam, 50)
    x = np.linspace(0.0, 8.0 * law.scale, 20_001)
    density = law.density(x)
    step = x[1] - x[0]
    trapezoid = lambda y: float(np.sum(y[1:] + y[:-1]) * step / 2)  # noqa: E731
    assert trapezoid(density) == pytest.approx(1.0, abs=1e-6)
    assert trapezoid(x * density) == pytest.approx(law.mean, rel=1e-6)
    np.testing.assert_allclose(law.cdf(law.quantile([1e-12, 0.1, 0.5, 0.99])), [1e-12, 0.1, 0.5, 0.99], rtol=1e-9)
    assert law.cdf(-1.0) == 0.0 and law.density(-1.0) == 0.0
    assert law.mean * law.n_units * law.m0 == pytest.approx(0.6557 if lam == 0.6 else 0.8862, abs=5e-5)


def test_they_are_kept_and_shown(tmp_path):
    spectrum = gt.Spectrum(A)
    for value in (spectrum.singular_values(0.5), spectrum.singular_values().regularised([0.1, 1.0])):
        gt.save(value, tmp_path / "value.json")
        assert gt.load(tmp_path / "value.json") == value == pickle.loads(pickle.dumps(value))
    law = spectrum.smallest_singular_value(0.6, 100)
    assert pickle.loads(pickle.dumps(law)) == law
    assert "law of real matrices" in str(law)
    assert "0.5 - J" in repr(spectrum.singular_values(0.5))


def test_laws_that_say_nothing_of_singular_values():
    """One that knows of eigenvalues alone, whatever way it is asked."""

    @dataclass(frozen=True)
    class Eigenvalues(gt.MatrixLaw):
        name = "eigenvalues only"
        holds = frozenset({"mean field", "edge", "resolvent"})

        def draw(self, n, rng, count=1):
            return rng.standard_normal((count, n, n))

    spectrum = gt.Spectrum(replace(A, matrices=Eigenvalues()))
    asked = (
        spectrum.singular_values,
        lambda: gt.SingularValues(spectrum, 0.5),
        lambda: spectrum.resolvent_norm(3.0),
        lambda: spectrum.pseudospectrum(0.1),
        spectrum.numerical_abscissa,
        spectrum.kreiss,
        lambda: spectrum.overlap(0.6),
        lambda: spectrum.smallest_singular_value(0.6, 10),
    )
    for ask in asked:
        with pytest.raises(gt.CapabilityError, match="singular values"):
            ask()


def test_what_is_refused():
    spectrum = gt.Spectrum(A)
    found = spectrum.singular_values()
    for eta in (0.0, -1.0, 1e-30, [0.1, 0.0]):
        with pytest.raises(ValueError, match="eta"):
            found.regularised(eta)
    with pytest.raises(ValueError, match="k"):
        found.moments(0)
    with pytest.raises(ValueError, match="shift"):
        spectrum.singular_values(math.nan)
    with pytest.raises(TypeError, match="Spectrum"):
        type(found)(A)
    with pytest.raises(ValueError, match="inside the support"):
        spectrum.overlap([0.6, 30.0])
    with pytest.raises(ValueError, match="n_units"):
        spectrum.smallest_singular_value(0.6, 1)


def test_shifts_between_the_leaks():
    """At lambda = .5 sites of a GRU whose leak is just that make m at small eta: populations cluster there, and two agree."""
    point = gt.fixed_points(gt.Ensemble(gt.GRU, gain=12.0, bias=0.5))[-1]
    found = gt.Spectrum(point, tol=1e-3).singular_values(0.5).regularised(1e-3).m
    # an even grid of the leak's field, 32 times as dense as the law would have it, for the reference
    plain = gt.Spectrum(point.sites_at(1e-3, leak_nodes=32), tol=1e-3).singular_values(0.5).regularised(1e-3).m
    assert found == pytest.approx(plain, rel=3e-3)


def test_singular_values_print_themselves():
    """What costs nothing: the mean square, and the weight at zero where all sites are alike."""
    zero = gt.Spectrum(gt.fixed_points(gt.Ensemble(gt.LSTM, gain=0.5))[0]).singular_values()
    assert str(zero) == f"singular values of J\n  mean square {zero.moments(1)[0]:.5g}, 0.5 of them zero"
    spread = gt.Spectrum(gt.fixed_points(gt.Ensemble(gt.GRU, gain=3.0))[-1]).singular_values(1.5)
    assert str(spread) == f"singular values of 1.5 - J\n  mean square {spread.moments(1)[0]:.5g}"
