"""Growth of gradients at kept sites: the numbers of the sheet, closed forms of zero states, other ways to compute it, networks."""

import pickle
from dataclasses import dataclass, replace

import numpy as np
import pytest
import sheet_sites as sheet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.special import ive, logsumexp
from strategies import CLOSED, random_cells

import gating_theory as gt
from gating_theory.gradients.along_path import path_growth
from gating_theory.gradients.site_path import site_paths

STEPS = [1, 2, 5, 20]


def logistic(x):
    return 1.0 / (1.0 + np.exp(-x))


def tied_closed(z, w, n):
    """log10 of the mean over the circle of |z + w exp(i theta)|^2n: an even trapezoidal rule is exact for n < nodes."""
    theta = 2.0 * np.pi * np.arange(2048) / 2048
    return (logsumexp(2.0 * n * np.log(np.abs(z + w * np.exp(1j * theta)) + 1e-300)) - np.log(theta.size)) / np.log(10.0)


def zero_state(cell, gain, bias=None):
    return gt.fixed_points(gt.Ensemble(cell, gain=gain, bias=bias or {}))[0]


# --- numbers of the sheet


@pytest.mark.parametrize(
    "sites, weights, expected, rate",
    [
        (sheet.gru, "tied", [0.7999539536, 0.9247955715, 2.1252703056, 671.9874008239], 1.5384951369),
        (sheet.lstm, "tied", [2.0749680131, 1.4531998171, 1.3723886052, 13.3450068991], 1.2255044332),
        (sheet.gru, "untied", [0.7999539536, 0.6408163160, 0.3298942015, 0.0119414762], 0.8015163353),
        (sheet.lstm, "untied", [2.0749680131, 1.4531998171, 0.4654025796, 0.0015503405], 0.6836589564),
    ],
)
def test_sheet(sites, weights, expected, rate):
    """Section 9, all digits given; G there is per site, a sum over state variables."""
    found = gt.gradient_growth(sites(), 20, weights)
    d = len(found.state_names)
    np.testing.assert_allclose(d * found.mean_square[STEPS], expected, atol=6e-11, rtol=1e-12)
    assert found.rate == pytest.approx(rate, abs=6e-11)


def test_row_h():
    found = gt.gradient_growth(sheet.lstm(), 20, block="h")
    np.testing.assert_allclose(found.mean_square[[2, 20]], [0.154764198, 1.2696279922], atol=6e-10)


#: What section 7 says of zero states, T = 100: cell, gains, biases, lg G, lg of the rule (m_1 / d)^T, lg G of a loss on h. The
#: sheet's column "untied" holds the rule; for a GRU that is the same.
THIRD, SLOW = 1.0 / np.sqrt(3.0), np.log(100.0)
TABLE = [
    (gt.GRU, THIRD, {}, -39.35, -56.7, -39.35),
    (gt.GRU, 1.0, {}, -26.21, -50.5, -26.21),
    (gt.GRU, {"h": 2.0}, {}, -1.249, -30.1, -1.249),
    (gt.GRU, {"h": 2.0}, {"z": SLOW}, -0.508, -0.86, -0.508),
    (gt.GRU, {"h": np.sqrt(12.0)}, {}, 25.9, 0.0, 25.9),
    (gt.LSTM, THIRD, {}, -39.64, -68.1, -40.04),
    (gt.LSTM, 0.5, {"f": 1.0}, -14.89, -42.8, -15.29),
    (gt.LSTM, 1.0, {"f": 1.0}, -3.14, -31.0, -3.54),
    (gt.LSTM, {"g": 4.0 * logistic(-5.0)}, {"f": 5.0}, -0.612, -21.0, -1.010),
    (gt.LSTM, 1e-5, {"f": 5.0, "o": 5.0}, -0.586, -0.87, -0.589),
    (gt.LSTM, THIRD, {"f": 5.0, "o": 5.0}, 20.1, 2.7, None),
]


@pytest.mark.parametrize("cell, gain, bias, tied, rule, of_h", TABLE)
def test_initialisations(cell, gain, bias, tied, rule, of_h):
    """Theory columns of the table of section 7, to the digits given there."""
    point = zero_state(cell, gain, bias)
    growth = gt.gradient_growth(point, 100)
    near = 0.0006 if abs(tied) < 1.5 else 0.006 if abs(tied) > 1.5 and tied != round(tied, 1) else 0.06
    assert growth.log10[-1] == pytest.approx(tied, abs=near)
    assert 100.0 * growth.log10[1] == pytest.approx(rule, abs=0.06)
    if cell is gt.GRU:
        assert gt.gradient_growth(point, 100, "untied").log10[-1] == pytest.approx(rule, abs=0.06)
    if of_h is not None:
        assert gt.gradient_growth(point, 100, block="h").log10[-1] == pytest.approx(of_h, abs=near)


@pytest.mark.parametrize("cell, tied, of_h", [(gt.GRU, -1.217, -1.217), (gt.LSTM, -1.424, -1.821)])
def test_chrono(cell, tied, of_h):
    """Biases log u with u uniform from 1 to 99, of the opposite sign in the input gate of an LSTM: the rows of section 7."""
    x, w = np.polynomial.legendre.leggauss(60)
    bias = np.log(50.0 + 49.0 * x)
    fields = {"z": bias, "f": bias, "i": -bias}
    rows = np.array([fields.get(name, 0.0 * bias) for name in cell.field_names])
    sites = gt.Sites(cell, 0.5 * w, np.zeros((cell.n_state, 60)), rows, gain=np.ones(cell.n_fields), matrices="iid")
    growth = gt.gradient_growth(sites, 100)
    assert growth.log10[-1] == pytest.approx(tied, abs=0.0006)
    assert gt.gradient_growth(sites, 100, block="h").log10[-1] == pytest.approx(of_h, abs=0.0006)


# --- closed forms


@settings(max_examples=6, deadline=None)
@given(st.floats(0.01, 5.0), st.floats(-4.0, 6.0), st.floats(-2.0, 2.0))
def test_zero_state_of_a_gru(gain, b_z, b_r):
    """Tied growth is the mean over a circle of |z + w e^(i theta)|^2n, untied growth (z^2 + w^2)^n: 12 digits, T = 200 as well."""
    point = zero_state(gt.GRU, {"h": gain}, {"z": b_z, "r": b_r})
    z = logistic(b_z)
    w = logistic(-b_z) * logistic(b_r) * gain
    steps = np.arange(201)
    tied, untied = gt.gradient_growth(point, 200), gt.gradient_growth(point, 200, "untied")
    # logarithms of numbers as far from 1 as these have an error of rounding of their own
    np.testing.assert_allclose(tied.log10, [tied_closed(z, w, n) for n in steps], rtol=1e-13, atol=1e-12)
    np.testing.assert_allclose(untied.log10, steps * np.log10(z * z + w * w), rtol=1e-13, atol=1e-12)
    assert tied.rate == pytest.approx((z + w) ** 2, rel=1e-9)
    assert untied.rate == pytest.approx(z * z + w * w, rel=1e-12)


@settings(max_examples=5, deadline=None)
@given(st.floats(0.01, 8.0), st.floats(-2.0, 5.0), st.floats(-2.0, 2.0), st.floats(-2.0, 2.0))
def test_zero_state_of_an_lstm(gain, b_f, b_i, b_o):
    """G(n) and its parts, from c_0 and from h_0 to h: the closed forms of section 4."""
    point = zero_state(gt.LSTM, {"g": gain}, {"f": b_f, "i": b_i, "o": b_o})
    f, i, o = logistic(b_f), logistic(b_i), logistic(b_o)
    w = o * i * gain
    blocks = gt.gradient_growth(point, 60).log10_blocks
    circle = np.array([tied_closed(f, w, n - 1) for n in range(1, 61)])
    (h, c) = (point.ensemble.cell.state_names.index(name) for name in "hc")
    close = {"rtol": 1e-13, "atol": 1e-12}
    np.testing.assert_allclose(blocks[1:, h, c], circle + np.log10(o**2 * f**2), **close)
    np.testing.assert_allclose(blocks[1:, h, h], circle + np.log10(o**2 * i**2 * gain**2), **close)
    np.testing.assert_allclose(blocks[1:, c, c], circle + np.log10(f**2), **close)


def test_growth_onto_h_of_the_sheet():
    """LSTM (b_f 1, a_g 3), G(5): from c_0 and from h_0."""
    blocks = gt.gradient_growth(zero_state(gt.LSTM, {"g": 3.0}, {"f": 1.0}), 5).blocks[5]
    h, c = (gt.LSTM.state_names.index(name) for name in "hc")
    np.testing.assert_allclose([blocks[h, c], blocks[h, h]], [0.8459, 3.561], atol=6e-4)


def test_bessel_law_of_slow_gates():
    """1 - z = kappa / T: G(T) -> exp(-2 kappa) I_0(2 kappa rho); corrections are of order kappa^2 / T."""
    for kappa, rho in ((1.0, 1.0), (0.2, 1.0), (0.2, 2.0), (1.0, 0.5)):
        off = []
        for T in (100, 200, 400):
            point = zero_state(gt.GRU, {"h": 2.0 * rho}, {"z": np.log(T / kappa - 1.0)})
            limit = np.exp(-2.0 * kappa * (1.0 - rho)) * ive(0, 2.0 * kappa * rho)
            off.append(gt.gradient_growth(point, T).mean_square[-1] / limit - 1.0)
        assert abs(off[0]) < 3.0 * (kappa * (1.0 + rho)) ** 2 / 100
        # halved with every doubling of T, up to the next order
        np.testing.assert_allclose(np.array(off[:-1]) / off[1:], 2.0, rtol=0.06)


def test_without_memory_tied_is_untied():
    """A vanilla network: powers of one random matrix grow as products of different ones."""
    point = gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=2.5))[-1]
    tied, untied = (gt.gradient_growth(point, 50, weights) for weights in ("tied", "untied"))
    np.testing.assert_allclose(tied.log10, untied.log10, atol=1e-12)
    assert tied.rate == pytest.approx(untied.rate, rel=1e-9)
    # each step multiplies by a^2 E sech^4, the mean squared singular value, 1.60697497 in the sheet
    np.testing.assert_allclose(tied.mean_square, 1.60697497 ** np.arange(51), rtol=50 * 4e-9)


def test_far_beyond_floats():
    """Nothing is lost where 10^-1500 is left: the logarithm stays that of the closed form."""
    point = zero_state(gt.GRU, {"h": 1e-3}, {"z": -5.0})
    z, w = logistic(-5.0), 1e-3 * 0.5 * logistic(5.0)
    growth = gt.gradient_growth(point, 400)
    assert growth.log10[-1] < -1500.0 and growth.mean_square[-1] == 0.0
    # the mean of (z^2 + w^2 + 2 z w cos)^n, scaled before it is taken
    theta = 2.0 * np.pi * np.arange(2048) / 2048
    logs = 400 * np.log(z * z + w * w + 2.0 * z * w * np.cos(theta))
    assert growth.log10[-1] == pytest.approx((logsumexp(logs) - np.log(2048)) / np.log(10.0), rel=1e-13)


def test_far_above_floats():
    point = zero_state(gt.GRU, {"h": 100.0})
    theta = 2.0 * np.pi * np.arange(2048) / 2048
    circle = np.log(0.25 + 625.0 + 25.0 * np.cos(theta))
    tied, untied = gt.gradient_growth(point, 400), gt.gradient_growth(point, 400, "untied")
    assert np.isinf(tied.mean_square[-1])
    assert tied.log10[-1] == pytest.approx((logsumexp(400 * circle) - np.log(2048)) / np.log(10.0), rel=1e-13)
    assert untied.log10[-1] == pytest.approx(400 * np.log10(625.25), rel=1e-13)


# --- other ways


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(random_cells(), st.integers(0, 2**31))
def test_along_a_path_that_stands_still(cell, seed):
    """The recursion along paths, which follows every site by itself, at sites that stay: any cell, two states, several messages."""
    rng = np.random.default_rng(seed)
    sites = gt.Sites(
        cell,
        rng.dirichlet(np.ones(4)),
        rng.standard_normal((cell.n_state, 4)),
        rng.standard_normal((cell.n_fields, 4)),
        gain=rng.uniform(0.0, 2.0, cell.n_fields),
        matrices="iid",
    )
    for weights in ("tied", "untied"):
        blocks = gt.gradient_growth(sites, 10, weights).blocks.sum(axis=2)
        other = path_growth(site_paths(sites, 10)[0], weights).mean_square
        # numbers that are nothing beside those of the step before are rounding in the path's recursion
        np.testing.assert_allclose(blocks, other, rtol=1e-10, atol=1e-12 * np.maximum(1.0, other).max())


@pytest.mark.parametrize("name", [name for name in CLOSED if name != "Vanilla"])
def test_fixed_point_against_its_sites(name):
    """Averages given the leak are those of whole populations of sites; site parameters included."""
    cell = getattr(gt, name)
    ensemble = gt.Ensemble(cell, gain=1.5, bias_std=0.3, bias=0.2)
    point = gt.fixed_points(ensemble)[-1]
    for weights in ("tied", "untied"):
        exact = gt.gradient_growth(point, 12, weights)
        of_sites = gt.gradient_growth(point.sites_at(1e-4, 20_000), 12, weights)
        np.testing.assert_allclose(of_sites.log10, exact.log10, atol=2e-3)  # 12 steps of factors good to 1e-4


def test_condensed_sites_are_all_sites():
    """A thousand sites with leaks all over the place become 64 or 128 nodes; copies of each site, doubled, are not."""
    point = gt.fixed_points(gt.Ensemble(gt.GRU, gain={"z": 2, "r": 3, "h": 4}))[-1]
    net, state = gt.Network.planted(point, 150, rng=1)
    few = net.sites(state)  # 150 sites are used one by one
    many = gt.Sites(
        gt.GRU,
        np.tile(few.weights, 3) / 3,
        np.tile(few.state, 3),
        np.tile(few.fields, 3),
        gain=few.gain,
        matrices="iid",
    )
    one, other = gt.gradient_growth(few, 80), gt.gradient_growth(many, 80)
    np.testing.assert_allclose(one.log10, other.log10, atol=1e-9)


def test_one_step_is_the_first_moment():
    """G(1) is E z^2 + a_h^2 E(1 - z)^2 E p'^2 (E r^2 + a_r^2 E h^2 E r'^2): one-dimensional averages, 1.2342052610 in the sheet."""
    point = gt.fixed_points(gt.Ensemble(gt.GRU, gain={"z": 2, "r": 3, "h": 6}, bias={"z": 0.5}))[-1]
    assert gt.gradient_growth(point, 1).mean_square[1] == pytest.approx(1.2342052610, abs=6e-11)
    assert gt.gradient_growth(point, 1, "untied").mean_square[1] == pytest.approx(1.2342052610, abs=6e-11)


@pytest.mark.parametrize("make, n_units, n_steps", [(sheet.gru, 200, 5), (sheet.lstm, 120, 5)])
def test_sampled_networks(make, n_units, n_steps):
    """Products of Jacobians of networks at these sites: exact means over blocks, each within its standard error."""
    sites, networks = make(), 12
    rng = np.random.default_rng(5)
    counts = np.round(sites.weights * n_units).astype(int)
    each = np.repeat(np.arange(2), counts)
    state, fields = sites.state[:, each], sites.fields[:, each]
    cell, d = sites.cell, sites.cell.n_state
    found = np.zeros((networks, n_steps + 1, d, d))
    ensemble = gt.Ensemble(cell, gain=dict(zip(cell.field_names, sites.gain.tolist())))
    for k in range(networks):
        net = gt.Network.sample(ensemble, n_units, rng=rng)
        product = np.eye(d * n_units).reshape(d, n_units, -1)
        for t in range(n_steps + 1):
            found[k, t] = (product.reshape(d, n_units, d, n_units) ** 2).sum(axis=(1, 3)) / n_units
            product = net.push(state, product, fields=fields)
    theory = gt.gradient_growth(sites, n_steps).blocks
    error = found.std(axis=0, ddof=1) / np.sqrt(networks)
    # 12 networks; the mean over N is off by O(1/N), a part of it, and by the square of what a network scatters
    scatter = found.std(axis=0, ddof=1)
    assert (
        np.abs(found.mean(axis=0) - theory) <= 4.5 * error + theory * 3.0 / n_units + scatter**2 / np.maximum(theory, 1e-9)
    ).all()


def test_untied_networks():
    """Fresh matrices in every step at the same sites."""
    sites, n, networks = sheet.gru(), 300, 8
    each = np.repeat(np.arange(2), [180, 120])
    state, fields = sites.state[:, each], sites.fields[:, each]
    ensemble = gt.Ensemble(gt.GRU, gain={"z": 2, "r": 3, "h": 4})
    rng, found = np.random.default_rng(2), np.zeros((networks, 6))
    for k in range(networks):
        product = np.eye(n)[None]
        for t in range(6):
            found[k, t] = (product**2).sum() / n
            product = gt.Network.sample(ensemble, n, rng=rng).push(state, product, fields=fields)
    theory = gt.gradient_growth(sites, 5, "untied").mean_square
    error = found.std(axis=0, ddof=1) / np.sqrt(networks)
    assert (np.abs(found.mean(axis=0) - theory) <= 4.5 * error + 3.0 / n * theory).all()


def test_recorded_paths():
    """A chaotic network's own path: G of all blocks near the product of its Jacobians; several sequences give their mean."""
    ensemble = gt.Ensemble(gt.LSTM, gain=2.0)
    net = gt.Network.sample(ensemble, 400, rng=3)
    states = [net.run(net.random_state(seed), 30, trajectory=True)[-9:] for seed in (0, 1)]
    product, exact = np.eye(800).reshape(2, 400, 800), np.zeros((9, 2, 2))
    for t in range(9):
        exact[t] = (product.reshape(2, 400, 2, 400) ** 2).sum(axis=(1, 3)) / 400
        product = net.push(states[0][min(t, 7)], product)
    alone = [gt.gradient_growth((net, path), 8) for path in states]
    # one network: at N = 400 and 8 steps its mean squares scatter by some percent (8^1.5 / 400)
    np.testing.assert_allclose(alone[0].blocks, exact, rtol=0.25, atol=1e-12)
    both = gt.gradient_growth((net, np.stack(states, axis=1)), 8)
    np.testing.assert_allclose(both.mean_square, 0.5 * (alone[0].mean_square + alone[1].mean_square), rtol=1e-9)
    assert both.status.code == "path" and "2 recorded paths" in str(both) and both.error < 1e-6
    of_h = gt.gradient_growth((net, states[0]), 8, block="h")
    np.testing.assert_allclose(of_h.mean_square, alone[0].blocks[:, 0].sum(axis=1), rtol=1e-9)


# --- the result


def test_result(tmp_path):
    growth = gt.gradient_growth(sheet.lstm(), 12, block="h")
    assert growth.mean_square[0] == 1.0 and growth.block == ("h",)
    both = gt.gradient_growth(sheet.lstm(), 12, block=("c", "h"))
    np.testing.assert_allclose(both.mean_square, growth.blocks.sum(axis=(1, 2)) / 2, rtol=1e-13)
    assert gt.load(gt.save(growth, tmp_path / "growth.json")) == growth == pickle.loads(pickle.dumps(growth))
    table = growth.to_dataframe()
    assert list(table["step"]) == list(range(13)) and table["log10"].iloc[-1] == growth.log10[-1]
    text = str(growth)
    assert "a loss on h through 12 steps, tied weights" in text and "grows by" in text
    # a Spectrum, a fixed point and its own sites are sources alike
    point = gt.fixed_points(gt.Ensemble(gt.GRU, gain={"h": 1.0}))[0]
    same = [gt.gradient_growth(source, 3).log10 for source in (point, gt.Spectrum(point), point.sites)]
    np.testing.assert_allclose(same[1:], [same[0]] * 2, atol=1e-13)


@pytest.mark.parametrize(
    "change, error, words",
    [
        ({"n_steps": -1}, ValueError, "n_steps must"),
        ({"n_steps": 2.5}, TypeError, "n_steps must"),
        ({"weights": "fresh"}, ValueError, "weights must be"),
        ({"block": "x"}, ValueError, "block must be one or several of"),
        ({"block": ()}, ValueError, "block must be one or several of"),
        ({"tol": 1.0}, ValueError, "tol must"),
        ({"source": "GRU"}, TypeError, "source must be"),
    ],
)
def test_bad_input(change, error, words):
    with pytest.raises(error, match=words):
        gt.gradient_growth(**({"source": sheet.lstm(), "n_steps": 3} | change))


@pytest.mark.parametrize(
    "source, words",
    [
        (lambda ensemble: ensemble, r"take one of fixed_points\(ensemble\)"),
        (gt.fixed_points, "take one of these"),
        (lambda ensemble: gt.design(gt.GRU, memory=10), "take its spectrum"),
        (lambda ensemble: gt.Network.sample(ensemble, 20, 0), "trajectory=True"),
        (lambda ensemble: type("Module", (), {"forward": lambda self, x: x})(), r"diagnose\(module\)"),
    ],
)
def test_what_has_no_sites(source, words):
    """Messages name what is allowed, and the next step."""
    with pytest.raises(TypeError, match=rf"(?s)source must be a FixedPoint, .*\(network, states\); got.*{words}"):
        gt.gradient_growth(source(gt.Ensemble(gt.GRU)), 3)


def test_moving_states_are_not_kept():
    """Sites that may be one moment of a run are told to be kept; at rest and at fixed points nothing is said."""
    words = "for moving states give a path, (network, states)"
    quiet, chaotic = (gt.steady_state(gt.Ensemble(gt.GRU, gain={"h": h}), 300, 150, rng=0, lyapunov_units=0) for h in (1.0, 6.0))
    assert quiet.verdict == "settled" and chaotic.verdict != "settled"
    net = gt.Network.sample(gt.Ensemble(gt.GRU, gain=3.0), 30, 0)
    some = net.sites(net.run(np.ones((1, 30)), 3))
    for source in (chaotic, chaotic.sites, gt.Spectrum(chaotic), some):
        assert words in str(gt.gradient_growth(source, 2).status)
    for source in (quiet, zero_state(gt.GRU, 1.0), sheet.gru()):
        assert "for moving states" not in str(gt.gradient_growth(source, 2).status)


def test_laws_that_say_nothing_of_gradients():
    """Given weights are taken for iid ones, as in spectra; a law that knows of edges alone is refused."""

    @dataclass(frozen=True)
    class Edges(gt.MatrixLaw):
        name = "edges only"
        holds = frozenset({"mean field", "edge", "resolvent"})

        def draw(self, n, rng, count=1):
            return rng.standard_normal((count, n, n))

    with pytest.raises(gt.CapabilityError, match="growth of gradients through tied weights"):
        gt.gradient_growth(replace(sheet.gru(), matrices=Edges()), 3)
    refused = replace(sheet.gru(), matrices=Edges())
    for asked in (lambda: gt.product_singular_values(refused, 2), lambda: gt.gradient_growth([refused] * 2, 2)):
        with pytest.raises(gt.CapabilityError):
            asked()
    unknown = replace(sheet.gru(), matrices="unknown")
    np.testing.assert_array_equal(gt.gradient_growth(unknown, 3).log10, gt.gradient_growth(sheet.gru(), 3).log10)
