"""Growth of gradients along paths of sites: recorded ones of networks, given ones, and those that rounding spoils."""

from dataclasses import dataclass, replace
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import path_ways as ways
import pytest
import sheet_sites
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import random_cells

import gating_theory as gt
from gating_theory.gradients.along_path import path_growth
from gating_theory.gradients.site_path import SitePath, is_path, site_paths


def swapped(sites):
    """Each site where the other was."""
    return replace(sites, state=sites.state[:, ::-1], fields=sites.fields[:, ::-1])


def growth_of(steps, weights="tied"):
    """(T + 1, d) mean squares along given sites."""
    return path_growth(site_paths(steps)[0], weights).mean_square


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gru", {2: 0.6408193848, 5: 0.6992583980, 20: 4.0651400083}),
        ("lstm", {2: 0.7455569244, 5: 0.2784866715, 20: 0.0068171299}),
    ],
)
def test_sites_swapped_every_other_step(name, expected):
    """[T9], section 9, to the digits given."""
    sites = getattr(sheet_sites, name)()
    found = growth_of([sites, swapped(sites)] * 10).sum(axis=1)
    for t, value in expected.items():
        assert found[t] == pytest.approx(value, abs=0.6e-10)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(random_cells(), st.integers(0, 2**31))
def test_explicit_vectors(cell, seed):
    """Second moments against Gaussian vectors that are written out and made orthogonal, along random paths."""
    steps = ways.random_sites(cell, np.random.default_rng(seed), 3, 6)
    expected = ways.by_vectors(steps)
    found = growth_of(steps)
    # both lose digits where nearly all of a perturbation cancels in one step: relative to the largest so far
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12 * np.maximum(1.0, expected).max())


@pytest.mark.parametrize("name", ["GRU", "LSTM", "GRUResetAfter"])
@pytest.mark.parametrize("weights", ["tied", "untied"])
def test_sampled_matrices(name, weights):
    """Products of sampled Jacobians along given site paths: each unit follows one site, matrices are drawn and multiplied out.

    |P|_F^2 / N fluctuates by a few parts in N from draw to draw, measured from draw to draw, and its mean is off by a part of
    order 1/N: by less than 10 / N here (T = 4, gains of at most 2).
    """
    rng, n, draws = np.random.default_rng(3), 120, 12
    steps = ways.random_sites(getattr(gt, name), rng, 4, 4)
    quarter = [replace(sites, weights=np.full(4, 0.25)) for sites in steps]
    d = quarter[0].cell.n_state
    squares = [ways.sampled_product(quarter, n, rng, weights == "tied") ** 2 for _ in range(draws)]
    rows = np.array([square.reshape(d, n, d * n).sum(axis=(1, 2)) / n for square in squares])
    expected = growth_of(quarter, weights)[-1]
    error = 5.0 * rows.std(axis=0, ddof=1) / np.sqrt(draws)
    assert (np.abs(rows.mean(axis=0) - expected) <= error + 10.0 / n * expected).all()


# --- rounding


def polynomial(rng, steps, size=1.0):
    """A path of one site with J_t = z_t + w_t U, that changes the sign of w in the middle; and its G exactly.

    tr U^k U^lT / N is 1 for k = l and else 0: G is the sum of squares of the coefficients of the product.
    """
    z, w = size * rng.uniform(0.9, 1.1, (2, steps))
    w[steps // 2 :] *= -1.0
    ones = np.ones((steps, 1))
    path = SitePath(gt.Vanilla, np.ones(1), np.ones(1), steps, {(0, 0): z[:, None]}, {(0, 0): w[:, None]}, {(0, 0): ones}, {})
    coefficients = [Fraction(1)]
    for a, b in zip(map(Fraction, z.tolist()), map(Fraction, w.tolist())):
        shifted = [Fraction(0), *coefficients]
        coefficients = [a * c + b * s for c, s in zip([*coefficients, Fraction(0)], shifted)]
    return path, sum(c * c for c in coefficients)


@pytest.mark.parametrize("size", [1.0, 1e-90, 1e80])
def test_rounding_is_known(size):
    """What cancels costs digits, and the estimate says how many; numbers may be as small as 10^-3600."""
    rng = np.random.default_rng(1)
    for steps in (4, 10, 20):
        path, exact = polynomial(rng, steps, size)
        found = path_growth(path)
        value = Fraction(float(found.mantissa[-1].sum())) * Fraction(2) ** int(found.exponent[-1])
        assert abs(value / exact - 1) <= found.rounding[-1] < 1e-8


def test_lost_digits_are_no_result():
    path, _ = polynomial(np.random.default_rng(1), 60)
    with pytest.raises(gt.ConvergenceError, match="less than eight digits") as caught:
        path_growth(path)
    assert len(caught.value.estimate) < 60


def test_two_hundred_steps():
    """10^-78 is left of a silent GRU: G = mean over the circle of |z + w e^{i theta}|^{2T}; 13 digits."""
    gain, T = 0.577, 200
    sites = gt.Sites(gt.GRU, np.ones(1), np.zeros((1, 1)), np.zeros((3, 1)), gain=np.full(3, gain), matrices="iid")
    found = path_growth(site_paths(sites, T)[0])
    z, w = Fraction(1, 2), Fraction(1, 4) * Fraction(gain)
    term, total = z**T, Fraction(0)
    for k in range(T + 1):
        total += term * term
        term = term * (T - k) * w / ((k + 1) * z)
    value = Fraction(float(found.mantissa[-1, 0])) * Fraction(2) ** int(found.exponent[-1])
    assert float(abs(value / total - 1)) < 1e-13


# --- recorded paths


@pytest.fixture(scope="module")
def moving():
    """A chaotic network, an input that changes in time, and its states under it."""
    net = gt.Network.sample(gt.Ensemble(gt.GRU, gain={"z": 2.0, "r": 3.0, "h": 6.0}), 40, 5)
    rng = np.random.default_rng(0)
    start = net.run(net.random_state(rng), 60)
    given = 0.3 * rng.standard_normal((6, 3, 40))
    return net, given, net.run(start, 6, input=given, trajectory=True)


def test_recorded_states_are_sites(moving):
    """A path of a network is that of its sites, step by step."""
    net, given, states = moving
    steps = [net.sites(s, x) for s, x in zip(states[:-1], given)]
    np.testing.assert_allclose(growth_of((net, states, given)), growth_of(steps), rtol=1e-13)
    assert is_path((net, states)) and is_path(steps) and not is_path(steps[0])


def test_several_sequences(moving):
    """States (T + 1, B, d, N) are B paths of one network."""
    net, given, states = moving
    both = np.stack([net.run(states[0], 6, trajectory=True), net.run(states[1], 6, trajectory=True)], axis=1)
    one, two = site_paths((net, both))
    np.testing.assert_array_equal(path_growth(one).mantissa, path_growth(site_paths((net, both[:, 0]))[0]).mantissa)
    np.testing.assert_array_equal(path_growth(two).mantissa, path_growth(site_paths((net, both[:, 1]))[0]).mantissa)


def test_recordings_of_layers():
    """What a layer was driven by belongs to its path, also where input enters as a site parameter."""
    from gating_theory.interop.layers import RecurrentLayer

    rng, n = np.random.default_rng(2), 20
    tensors = {"weight_ih": rng.standard_normal((3 * n, 2)), "weight_hh": rng.standard_normal((3 * n, n)) / 4.0}
    tensors |= {name: rng.standard_normal(3 * n) for name in ("bias_ih", "bias_hh")}
    layer = RecurrentLayer("GRU", tensors, "given")
    recording = layer.record(rng.standard_normal((5, 2, 2)))
    assert is_path(recording)
    for b, path in enumerate(site_paths(recording, 4)):
        steps = []
        for t in range(4):
            net = layer.network.driven(*layer.drive(recording.inputs[t, b]))
            steps.append(net.sites(recording.states[t, b]))
        np.testing.assert_allclose(path_growth(path).mean_square, growth_of(steps), rtol=1e-12)


def test_what_is_refused(moving):
    net, given, states = moving
    with pytest.raises(ValueError, match="after step 1 they are .* away"):
        site_paths((net, states))
    with pytest.raises(ValueError, match=r"n_steps must lie in \[1, 6\]"):
        site_paths((net, states, given), 7)
    with pytest.raises(ValueError, match="states must have shape"):
        site_paths((net, states[:, :, :-1], given))
    with pytest.raises(ValueError, match=r"input must be an array.*run\(input=\) with your own array"):
        site_paths((net, states, "noise"))
    with pytest.raises(TypeError, match="source must be"):
        site_paths(3.0, 2)
    with pytest.raises(TypeError, match="source must be a sequence of Sites"):
        site_paths([sheet_sites.gru(), 1])
    with pytest.raises(ValueError, match="one cell, gains, and weights"):
        site_paths([sheet_sites.gru(), replace(sheet_sites.gru(), gain=np.ones(3))])
    with pytest.raises(ValueError, match="weights must be 'tied' or 'untied'"):
        path_growth(site_paths(sheet_sites.gru(), 2)[0], "loose")
    with pytest.raises(ValueError, match="no gains"):
        site_paths(replace(sheet_sites.gru(), gain=None), 2)
    assert not is_path(SimpleNamespace(states=1))


def test_laws_without_these_equations():
    @dataclass(frozen=True)
    class Strange(gt.MatrixLaw):
        def draw(self, n, rng, count=1):
            return np.zeros((count, n, n))

    with pytest.raises(gt.CapabilityError):
        site_paths(replace(sheet_sites.gru(), matrices=Strange()), 2)


def test_progress():
    told = []
    path_growth(site_paths(sheet_sites.lstm(), 5)[0], progress=lambda done, total: told.append((done, total)))
    assert told == [(t, 5) for t in range(1, 6)]


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("cell", "gain"), [(gt.GRUResetAfter, {"z": 2, "r": 2, "h": 5}), (gt.LSTM, {"f": 1, "i": 1, "g": 4, "o": 1})]
)
def test_chaotic_networks(cell, gain):
    """Theory along their own paths beside exact products of their Jacobians, through 50 steps; untied weights are off by 10^4.

    A few modes carry the growth: |P|_F^2 of one network scatters log-normally, by .5 in its natural logarithm at T = 50 and
    N = 1000 (six networks: ratios .72 to 1.25); at N = 600 by about .7. The mean of logarithms of four networks is then known to
    .35, and lies below that of the mean by half the variance, .25; three standard deviations.
    """
    ratios, untied = [], []
    for seed in range(4):
        net = gt.Network.sample(gt.Ensemble(cell, gain=gain), 600, seed)
        states = net.run(net.run(net.random_state(seed), 200), 50, trajectory=True)
        tangents = np.random.default_rng(seed).standard_normal((*states.shape[1:], 64))
        for state in states[:-1]:
            tangents = net.push(state, tangents)
        measured = np.mean(tangents**2)
        ratios.append(np.log(measured / gt.gradient_growth((net, states), 50).mean_square[-1]))
        untied.append(measured / gt.gradient_growth((net, states), 50, "untied").mean_square[-1])
    assert -0.25 - 3 * 0.35 < np.mean(ratios) < 3 * 0.35
    assert min(untied) > 1e4
