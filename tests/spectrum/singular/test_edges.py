"""The smallest and the largest singular value of lambda - J: closed forms, plain iteration, series, networks [T9]."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import gating_theory as gt
from gating_theory.mean_field.samples import sampled_sites
from tests.spectrum.singular.populations import OWN, A, B, dense_blocks, jacobian, some_sites
from tests.strategies import random_cells

LAMBDAS = st.builds(complex, st.floats(-3.0, 3.0), st.sampled_from([0.0, 0.3, 1.7]))


def smallest(sites, lam, n_units=None):
    return gt.Spectrum(sites).singular_values(lam).smallest(n_units)


def largest(sites, lam=0.0, n_units=None):
    return gt.Spectrum(sites).singular_values(lam).largest(n_units)


def leaky_ginibre(z, w):
    """Sites of J = z + w U: a GRU in its zero state."""
    bias = np.log(z / (1.0 - z))
    return gt.Sites(gt.GRU, [1.0], [[0.0]], [[bias], [0.0], [0.0]], gain=[0.0, 0.0, 2.0 * w / (1.0 - z)], matrices="iid")


# --- the sheet's numbers, found by secants for the spectral radius; all digits that are given


@pytest.mark.parametrize(
    ("sites", "lam", "low", "high"),
    [
        (A, 0.0, 0.0, 1.9272117908),
        (A, 3.0, 1.4561557149, 3.5815833212),
        (A, 0.5 + 2.0j, 1.1052545761, 3.1463082135),
        (B, 0.0, 0.0, 2.9001317888),
        (B, 3.0, 1.3878807608, 4.5275846074),
        (B, 0.5 + 2.0j, 0.9228814925, 3.9347647689),
    ],
)
def test_two_populations(sites, lam, low, high):
    assert smallest(sites, lam) == pytest.approx(low, abs=6e-11)
    assert largest(sites, lam) == pytest.approx(high, abs=6e-11)
    assert smallest(sites, np.conj(lam)) == smallest(sites, lam)


def test_a_vanilla_fixed_point():
    """The sheet's 401 trapezoidal nodes, and the populations that the package makes."""
    point = gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=2.5))[-1]
    expected = [(0.0, 3.517386838, largest), (2.5, 5.077608452, largest), (2.5, 0.722469581, smallest)]
    expected.append((0.5 + 1.5j, 0.101549230, smallest))
    y = np.linspace(-8.0, 8.0, 401)
    weights = np.exp(-0.5 * y**2)
    y = y * point.law.stds[0][0]
    sites = gt.Sites(gt.Vanilla, weights / weights.sum(), np.tanh(y)[None], y[None], gain=[2.5], matrices="iid")
    for lam, value, edge in expected:
        assert edge(sites, lam) == pytest.approx(value, rel=1e-8)
        # what was asked for, and for small ones a part 1e-2 of 1 + |lambda|
        assert abs(edge(point, lam) - value) < 2e-3 * (value + 0.01 * (1.0 + abs(lam)))


# --- closed forms


@given(st.floats(0.05, 0.95), st.floats(0.05, 1.5), LAMBDAS)
def test_leaky_ginibre_matrices(z, w, lam):
    """z + w U; where lambda is less than 1e-3 beyond its disc, digits of lambda - z are lost on the way."""
    sites, c = leaky_ginibre(z, w), abs(lam - z) / w
    alpha = np.sqrt(1.0 + 8.0 * c**2)
    assert largest(sites, lam) == pytest.approx(w * np.sqrt((alpha + 3.0) ** 3 / (8.0 * (alpha + 1.0))), rel=1e-11)
    if c <= 1.0:
        assert smallest(sites, lam) == 0.0
    elif c > 1.001:
        # alpha - 3 loses digits too
        rounding = 1e-11 + 1e-14 / (c - 1.0) ** 2
        assert smallest(sites, lam) == pytest.approx(w * np.sqrt((alpha - 3.0) ** 3 / (8.0 * (alpha - 1.0))), rel=rounding)


def test_close_to_the_disc_it_is_a_power_of_the_distance():
    """1.0887 w (c - 1)^(3/2): the next order is a part of order c - 1."""
    for c in (1e-3, 1e-5):
        assert smallest(leaky_ginibre(0.5, 0.3), 0.5 + 0.3 * (1.0 + c)) == pytest.approx(1.0887 * 0.3 * c**1.5, rel=3.0 * c + 1e-4)


def test_an_lstm_at_rest():
    """Half of its singular values are zero, the largest follows from Marchenko and Pastur."""
    lstm = gt.Ensemble(gt.LSTM, gain={"f": 1.0, "i": 1.0, "g": 1.7, "o": 1.0}, bias={"f": 0.4})
    f, i, o = 1.0 / (1.0 + np.exp(-0.4)), 0.5, 0.5
    values = gt.Spectrum(gt.fixed_points(lstm)[0]).singular_values()
    assert values.largest() == pytest.approx(np.sqrt((1.0 + o**2) * (f**2 + i**2 * 1.7**2 * 4.0)), rel=1e-10)
    assert values.smallest() == 0.0


def test_without_matrices_singular_values_are_those_of_the_sites():
    sites = gt.Sites(gt.GRU, [0.5, 0.5], [[0.3, 0.1]], [[0.0, 1.0], [0.2, 0.1], [0.3, 0.4]], gain=[0.0, 0.0, 0.0], matrices="iid")
    leaks = 1.0 / (1.0 + np.exp([0.0, -1.0]))
    assert smallest(sites, 2.0) == pytest.approx((2.0 - leaks).min(), rel=1e-12)
    assert largest(sites, 2.0) == pytest.approx((2.0 - leaks).max(), rel=1e-12)


def test_a_jacobian_that_is_zero():
    nothing = gt.Spectrum(gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=0.0))[0])
    assert nothing.singular_values().largest() == 0.0 == nothing.numerical_abscissa()
    assert nothing.singular_values().largest(n_units=10) == 0.0
    assert not np.signbit(nothing.singular_values().moments(3)).any()
    assert "-0" not in str(gt.product_singular_values(nothing, 3))
    assert nothing.kreiss() == gt.Kreiss(1.0, math.inf)


def test_the_norm_of_a_zero_state_passes_a_value_exactly():
    """One site has an exact norm, twice the gain of a vanilla network: what is promised of laws of sites is not its error."""
    found = gt.critical(gt.Ensemble(gt.Vanilla, gain=0.3), "gain", "singular:largest", 1.0)
    assert found.value == pytest.approx(0.5, abs=1e-9) and found.error < 1e-8


def test_words_about_edges_that_are_not_known():
    """The method takes no tolerance: it is the Spectrum that is asked for another."""
    point = gt.fixed_points(gt.Ensemble(gt.GRU, gain=1.5))[0]
    edges = gt.Spectrum(point).singular_edges
    for difference, words in ((np.inf, "too coarse"), (0.1, "differ by 1.0e-01")):
        said = edges._in_words(0.0, True, difference, edges.first)
        assert words in said and "Spectrum(source, tol=...)" in said and "differ by inf" not in said


# --- independent methods


def settles(sites, lam, s, steps=4000):
    """Whether the plain iteration of [T9] at eta = i s, with matrices at each site, settles on a solution from p = q = 0."""
    F_s, F_y, M_s, M_y = dense_blocks(sites)
    cell, d = sites.cell, sites.cell.n_state
    n, of = cell.n_messages, np.array(cell.message_of)
    rows = [int(np.flatnonzero(of == k)[0]) for k in range(n)]
    inverse = np.linalg.inv(lam * np.eye(d) - F_s)
    W = np.block([[M_s[:, rows] @ inverse @ F_y + M_y[:, rows], M_s[:, rows] @ inverse], [inverse @ F_y, inverse]])
    conjugate = np.conj(W.swapaxes(1, 2))
    p, q = np.zeros(n, dtype=complex), np.zeros(n, dtype=complex)
    for _ in range(steps):
        P = np.append(p, np.full(d, 1j * s))
        Q = np.append(sites.gain**2 * q[of], np.full(d, 1j * s))
        R = (W * Q) @ conjugate
        X = np.linalg.inv(np.eye(n + d) + P[:, None] * R)
        new_q = sites.weights @ np.einsum("mkj,mjk->mk", R, X)[:, :n]
        by_field = sites.weights @ np.einsum("mik,mij,mjk->mk", W.conj(), X, P[:, None] * W)[:, : cell.n_fields]
        new_p = np.bincount(of, sites.gain**2 * by_field.imag, n) * 1j + np.bincount(of, sites.gain**2 * by_field.real, n)
        change = max(np.abs(new_p - p).max(), np.abs(new_q - q).max())
        p, q = new_p, new_q
        if change < 1e-9 * max(np.abs(p).max(), np.abs(q).max()):
            # of one sign each: a solution that the iteration grows to, and no other one
            return bool(min((p.imag * q.imag).min(), 0.0) >= -1e-12)
        if not change < 1e8:
            return False
    return False


def brackets(sites, lam):
    """Both edges, to a thousandth: so close to a fold the iteration takes hundreds of steps."""
    low, high = smallest(sites, lam), largest(sites, lam)
    assert settles(sites, lam, 1.001 * high) and not settles(sites, lam, 0.999 * high, 1500)
    if low > 0.0:
        assert settles(sites, lam, 0.999 * low) and not settles(sites, lam, 1.001 * low, 1500)


@pytest.mark.parametrize("sites", [A, B])
@pytest.mark.parametrize("lam", [3.0, 0.5 + 2.0j])
def test_plain_iteration_settles_up_to_the_edges(sites, lam):
    brackets(sites, lam)


@settings(max_examples=6)
@given(st.sampled_from([gt.Vanilla, gt.GRU, gt.LSTM, gt.GRUResetAfter, gt.MGU, OWN]), st.integers(0, 99), LAMBDAS)
def test_plain_iteration_for_any_sites(cell, seed, lam):
    """Where iteration of matrices at sites settles and where not, for built-in cells and one that uses all that cells may have."""
    assume(abs(lam) > 1e-3)  # the iteration divides by lambda - F_s
    brackets(some_sites(cell, np.random.default_rng(seed)), lam)


@pytest.mark.parametrize(("sites", "lam"), [(A, 0.0), (B, 0.0), (A, 1.0 + 1.0j)])
def test_ratios_of_high_moments(sites, lam):
    """m_(k+1) / m_k of a density that ends like a root is s^2 (1 - 3/(2 k) + ..): two of them give s^2 to order 1 / k^2."""
    values = gt.Spectrum(sites).singular_values(lam)
    m, k = values.moments(61), 60
    ratio, half = m[k] / m[k - 1], m[k // 2] / m[k // 2 - 1]
    assert 0.0 < 1.0 - np.sqrt(ratio) / values.largest() < 1.0 / k
    assert np.sqrt(2.0 * ratio - half) == pytest.approx(values.largest(), rel=3.0 / k**2)


@settings(max_examples=6)
@given(random_cells(), st.integers(0, 99), LAMBDAS, LAMBDAS)
def test_edges_change_no_more_than_lambda(cell, seed, one, other):
    """Norms: |s(lambda) - s(mu)| <= |lambda - mu|; the largest is no less than the root mean square, the smallest no more."""
    sites = some_sites(cell, np.random.default_rng(seed))
    spectrum = gt.Spectrum(sites)
    ends = [(spectrum.singular_values(lam).smallest(), spectrum.singular_values(lam).largest()) for lam in (one, other)]
    assume(max(high for _, high in ends) < 1e6)
    for low, high, lam in ((*ends[0], one), (*ends[1], other)):
        mean = np.sqrt(spectrum.singular_values(lam).moments(1)[0])
        assert low <= mean * (1.0 + 1e-10) and mean <= high * (1.0 + 1e-10)
    rounding = 1e-8 * max(high for _, high in ends)
    assert np.abs(np.subtract(*ends)).max() <= abs(one - other) + rounding


@settings(max_examples=6)
@given(random_cells(), st.integers(0, 99), LAMBDAS)
def test_it_is_zero_inside_the_support_alone(cell, seed, lam):
    spectrum = gt.Spectrum(some_sites(cell, np.random.default_rng(seed)))
    radius = spectrum.edge_function(lam)
    assume(abs(radius - 1.0) > 1e-6 and radius < 1e12)
    assert (spectrum.singular_values(lam).smallest() == 0.0) == (radius > 1.0)


@pytest.mark.parametrize("sites", [A, B])
def test_edges_of_networks(sites):
    """N = 300: they are inside of the limit, by about N^(-2/3) = .022, and scatter by less."""
    rng, n = np.random.default_rng(3), 300
    for lam in (0.0, 3.0):
        J = jacobian(sites, n, rng)
        s = np.linalg.svd(lam * np.eye(len(J)) - J, compute_uv=False)
        assert -0.06 < s[0] / largest(sites, lam) - 1.0 < 0.02
        if lam:
            assert -0.02 < s[-1] / smallest(sites, lam) - 1.0 < 0.06


# --- laws of sites


def test_rare_sites_are_left_out_or_counted():
    """A law whose sites reach far: networks of N units are in between, and converge to what their own sites have."""
    ensemble = gt.Ensemble(gt.GRUResetAfter, gain={"z": 2.0, "r": 2.0, "h": 5.0})
    point = gt.fixed_points(ensemble)[-1]
    of_few, of_many, limit = largest(point, 0.0, 100), largest(point, 0.0, 3000), largest(point)
    assert of_few < of_many < limit
    drawn = [largest(sampled_sites(point, 100, seed)) for seed in range(40)]
    # medians of 64 and of 40 draws
    assert abs(np.median(drawn) - of_few) < 4.0 * 1.25 * np.std(drawn) / np.sqrt(25.0)


def test_given_sites_are_what_they_are():
    sites = some_sites(gt.GRU, np.random.default_rng(1), size=40)
    even = gt.Sites(gt.GRU, np.full(40, 1 / 40), sites.state, sites.fields, gain=sites.gain, matrices="iid")
    assert largest(even, 0.0, 40) == largest(even)
    assert largest(even, 0.0, 10_000_000) == pytest.approx(largest(even), rel=1e-2)


def test_arguments():
    values = gt.Spectrum(A).singular_values(3.0)
    for bad in (1, 0):
        with pytest.raises(ValueError, match="n_units"):
            values.largest(bad)
    with pytest.raises(TypeError, match="n_units"):
        values.smallest("many")
