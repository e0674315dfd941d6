"""The closed two-point function against the recursion that solves it power by power, and rates against the growth they end in."""

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from strategies import random_cells

import gating_theory as gt
from gating_theory.gradients.site_answers import SiteAnswers
from gating_theory.gradients.two_point import tied_growth, two_point
from gating_theory.gradients.untied import untied_growth, untied_rate


def population(cell, seed, size=3, gain=1.5):
    rng = np.random.default_rng(seed)
    return gt.Sites(
        cell,
        rng.dirichlet(np.ones(size)),
        rng.standard_normal((cell.n_state, size)),
        rng.standard_normal((cell.n_fields, size)),
        gain=rng.uniform(0.0, gain, cell.n_fields),
        matrices="iid",
    )


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(random_cells(), st.integers(0, 2**31))
def test_power_series_of_the_closed_form(cell, seed):
    """Fourier transform of K on |lambda| = |mu| > radius: its coefficients are (1/N) tr J^m J^nT, those with m = n what grows."""
    answers = SiteAnswers.of_sites(population(cell, seed))
    nodes, steps = 24, 4
    radius = 2.0 * max(1e-3, gt.Spectrum(population(cell, seed)).radius())
    circle = radius * np.exp(2j * np.pi * np.arange(nodes) / nodes)
    # K is real at conjugate arguments: half of the nodes of one circle do
    table = np.array([[two_point(answers, lam, mu) for mu in circle] for lam in circle[: nodes // 2 + 1]])
    table = np.concatenate([table, np.conj(np.roll(table[1:-1, ::-1], 1, axis=1)[::-1])])
    exact = np.exp(tied_growth(answers, steps))
    for t in range(steps + 1):
        # lambda^-(t + 1) conj(mu)^-(t + 1) is picked out; terms of 24 steps more are left, down by 2^-24 each way
        weight = np.outer(circle ** (t + 1), np.conj(circle) ** (t + 1))
        found = np.einsum("ij,ijab->ab", weight, table).real / nodes**2
        size = np.abs(table).max() * radius ** (2 * t + 2)
        np.testing.assert_allclose(found, exact[t], atol=3e-6 * size, rtol=1e-5)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(random_cells(), st.integers(0, 2**31))
def test_rate_of_untied_growth(cell, seed):
    """The circle average says what the renewal equation does in the end."""
    answers = SiteAnswers.of_sites(population(cell, seed, gain=2.5))
    rate = untied_rate(answers)
    assume(rate > 1e-6)
    logs = untied_growth(answers, 600, rate)
    whole = np.log(np.exp(logs - logs.max(axis=(1, 2), keepdims=True)).sum(axis=(1, 2))) + logs.max(axis=(1, 2))
    # a message that another loop drives at the same rate grows as t rate^t, and powers of t fall as 1/t
    assert abs((whole[600] - whole[300]) / 300 - np.log(rate)) < 0.02


def test_rates_of_fixed_points():
    """Leaks that reach up to 1 set both rates, but for the last 1e-6 of their law; gains that are large enough go beyond."""
    weak = gt.fixed_points(gt.Ensemble(gt.GRU, gain={"z": 1.0, "r": 1.0, "h": 2.5}, bias={"z": 1.0}))[-1]
    tied, untied = (gt.gradient_growth(weak, 2, weights).rate for weights in ("tied", "untied"))
    assert untied < tied == gt.Spectrum(weak).radius() ** 2
    # without memory beyond the last step the tied rate is the untied one
    plain = gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=1.7))[-1]
    assert abs(gt.gradient_growth(plain, 2).rate / gt.gradient_growth(plain, 2, "untied").rate - 1.0) < 1e-9


def test_far_tails_of_leaks():
    """Narrow leaks and many steps: averages of high powers are carried by sites that a rule for smooth functions leaves out.

    Checked against a direct average E z^2t over the Gaussian field, by a rule that reaches as far as it takes.
    """
    point = gt.fixed_points(gt.Ensemble(gt.GRU, gain={"z": 1.0, "r": 1.0, "h": 2.25}))[-1]
    answers = SiteAnswers.of_fixed_point(point, 100)
    sd = point.field_std["z"]
    x = np.linspace(-30.0, 30.0, 60_001)
    for power in (1, 20, 200, 202):
        leak = -np.log1p(np.exp(-sd * x))
        direct = np.log(np.exp(power * leak - 0.5 * x * x).sum() * (x[1] - x[0]) / np.sqrt(2.0 * np.pi))
        found = np.log(answers.weights @ (-answers.chi[0]) ** power)
        assert abs(found - direct) < 1e-11
