"""Numbers of eigenvalues and log determinants at N units: a prototype's values, Ginibre's, and sampled networks [T12]."""

import numpy as np
import pytest
from scipy.integrate import quad

import gating_theory as gt
from gating_theory.spectrum.counts import pair_factor

VANILLA = gt.Ensemble(gt.Vanilla, gain=2, bias_std=0.5)
GRU = gt.Ensemble(gt.GRU, gain={"z": 2, "r": 3, "h": 4})
LSTM = gt.Ensemble(gt.LSTM, gain={"f": 2, "i": 3, "g": 3, "o": 2})
LSTM_ZERO = gt.Ensemble(gt.LSTM, gain={"f": 2, "i": 2, "g": 1.2, "o": 2}, bias={"f": 1}, bias_std={"f": 0.8})
#: ensemble, which solution, disc, standard deviations from sites and matrices at N = 300, of a prototype.
PROTOTYPE = [
    (GRU, -1, (1.0, 0.2), 5.8, 2.15),
    (GRU, -1, (0.0, np.exp(-0.1)), 4.6, 2.4),
    (LSTM, -1, (0.5, 0.3), 6.1, 3.4),
    (LSTM_ZERO, 0, (0.0, 0.5), 3.9, 1.9),
    (VANILLA, -1, (0.0, 0.9), 8.7, 3.4),
]


def small(ensemble, which=-1, n_units=300, n_draws=1):
    """FiniteSize at a fixed point; its laws are not what is wanted here."""
    return gt.Spectrum(gt.fixed_points(ensemble)[which]).finite_size(n_units, n_draws, rng=0)


@pytest.mark.parametrize(("ensemble", "which", "disc", "sites", "matrices"), PROTOTYPE)
def test_spreads_of_a_prototype(ensemble, which, disc, sites, matrices):
    """Two figures of a prototype whose influence functions were differences: it differs from the integrals by up to 3 %."""
    of_300 = small(ensemble, which)
    found = of_300.count(*disc)
    assert found.sd_sites == pytest.approx(sites, rel=0.035)
    assert found.sd_matrices == pytest.approx(matrices, rel=0.03)
    assert found.sd == pytest.approx(np.hypot(found.sd_sites, found.sd_matrices))
    every = 300 * ensemble.cell.n_state
    assert found.mean / every == pytest.approx(of_300.spectrum.mass(*disc), abs=1e-12)


def test_slow_fractions_are_counts_outside_a_circle():
    of_300 = small(GRU)
    inside, slow = of_300.count(0.0, np.exp(-0.1)), of_300.slow_fraction(10.0)
    assert slow.mean == pytest.approx(1.0 - inside.mean / 300)
    assert (slow.sd_sites, slow.sd_matrices) == pytest.approx((inside.sd_sites / 300, inside.sd_matrices / 300))


def test_discs_of_a_ginibre_matrix():
    """The perimeter law: c = 1 away from the axis, 2 on it; N = 1000 for 300 multiplies the variance by the root of that."""
    circle = gt.Ensemble(gt.Vanilla, gain=1.0)
    at, more = small(circle, 0), small(circle, 0, 1000)
    assert at.count(0.5j, 0.3).sd_matrices ** 2 == pytest.approx(2.93, abs=0.005)
    assert more.count(0.5j, 0.3).sd_matrices ** 2 == pytest.approx(5.35, abs=0.005)
    assert at.count(0.5, 0.3).sd_matrices ** 2 == pytest.approx(5.86, abs=0.005)
    assert at.count(0.5, 0.3).sd_sites == 0.0
    assert at.count(0.0, 1.5) == pytest.approx((300.0, 0.0, 0.0), abs=1e-6)
    assert at.count(0.0, 0.0) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("apart", [0.0, 0.3, 1.0, 2.5])
def test_rims_next_to_their_mirror_image(apart):
    """The covariance of the numbers on either side of two parallel lines, by the kernel exp(-|z - w|^2) / pi^2 of Ginibre."""
    # over distances along the lines: sqrt(pi); positions on either side: an interval of length u - apart at a distance u
    covariance = quad(lambda u: (u - apart) * np.exp(-(u**2)) * np.sqrt(np.pi) / np.pi**2, apart, np.inf)[0]
    alone = quad(lambda u: u * np.exp(-(u**2)) * np.sqrt(np.pi) / np.pi**2, 0.0, np.inf)[0]
    assert pair_factor(np.array([apart]))[0] == pytest.approx(1.0 + covariance / alone, rel=1e-10)


def measured(ensemble, n_units, n_networks, discs, lambdas, seed):
    """(networks, discs) counts and (networks, lambdas) log determinants of planted networks."""
    point, rng = gt.fixed_points(ensemble)[-1], np.random.default_rng(seed)
    counts, logs = [], []
    for _ in range(n_networks):
        net, state = gt.Network.planted(point, n_units, rng=rng)
        values = net.eigenvalues(state)
        counts.append([np.count_nonzero(np.abs(values - center) < radius) for center, radius in discs])
        logs.append([np.log(np.abs(lam - values)).sum() for lam in lambdas])
    return np.array(counts), np.array(logs)


@pytest.mark.parametrize(
    ("ensemble", "n_units", "n_networks"),
    [
        (GRU, 150, 24),
        pytest.param(GRU, 300, 200, marks=pytest.mark.nightly),
        pytest.param(LSTM, 200, 100, marks=pytest.mark.nightly),
        pytest.param(VANILLA, 300, 200, marks=pytest.mark.nightly),
    ],
)
def test_planted_networks(ensemble, n_units, n_networks):
    """Means and standard deviations of counts and log determinants of freshly planted networks."""
    of_n = small(ensemble, n_units=n_units)
    edge = of_n.spectrum.radius()
    discs, lambdas = [(1.0, 0.2), (0.0, 0.9), (0.3 + 0.4j, 0.25)], [1.4 * edge, 0.95, 0.5 + 0.4j]
    counts, logs = measured(ensemble, n_units, n_networks, discs, lambdas, seed=3)
    theory = [of_n.count(*disc) for disc in discs] + [of_n.log_det(lam) for lam in lambdas]
    # up to one eigenvalue too many on the axis; shifts of log determinants inside are known to .5, other effects of order one
    # to N^{-1/2} times a few
    known = [1.5] * 3 + [0.5, 1.0, 1.0]
    for values, expected, within in zip(np.column_stack([counts, logs]).T, theory, known):
        assert abs(values.mean() - expected.mean) < 4.0 * expected.sd / np.sqrt(n_networks) + within
        # four standard deviations of a standard deviation, and a tenth: inside that of matrices is known to a fifth
        assert values.std(ddof=1) == pytest.approx(expected.sd, rel=4.0 / np.sqrt(2 * n_networks) + 0.1)


def test_log_determinants_of_a_ginibre_matrix():
    """Outside: shift 1/2 log(1 - 1/lambda^2), variance -log(1 - 1/lambda^2) at real lambda; inside, next to the axis and off it."""
    at = small(gt.Ensemble(gt.Vanilla, gain=1.0), 0)
    far = at.log_det(1.5)
    assert far.mean - 300 * np.log(1.5) == pytest.approx(0.5 * np.log(1 - 1 / 2.25))
    assert (far.sd_sites, far.sd_matrices**2) == pytest.approx((0.0, -np.log(1 - 1 / 2.25)))
    # complex lambda: log(1 - 1/|lambda|^2) and log|1 - 1/lambda^2|
    lam = 1.2 + 0.9j
    off = at.log_det(lam)
    assert off.mean - 300 * np.log(1.5) == pytest.approx(0.5 * np.log(abs(1 - 1 / lam**2)))
    assert off.sd_matrices**2 == pytest.approx(-0.5 * (np.log(1 - 1 / 2.25) + np.log(abs(1 - 1 / lam**2))))
    real, off_axis = at.log_det(0.5), at.log_det(0.5 + 0.3j)
    assert real.mean - 300 * 0.5 * (0.25 - 1) == pytest.approx(-0.25 * np.log(300) - 0.068, abs=1e-6)
    assert real.sd_matrices**2 == pytest.approx(0.5 * np.log(300) + 1.405)
    assert off_axis.mean - 300 * 0.5 * (0.34 - 1) == pytest.approx(0.25 + 0.5 * np.log(0.6), abs=1e-6)
    assert off_axis.sd_matrices**2 == pytest.approx(0.25 * np.log(300) + 0.394 - 0.5 * np.log(0.6), abs=1e-6)
    # conjugates, and no jump where the expressions meet
    assert at.log_det(0.5 - 0.3j) == pytest.approx(off_axis)
    for low, high in ((0.9999, 1.0001), (0.5 + 0.0138j, 0.5 + 0.0142j)):
        a, b = at.log_det(low), at.log_det(high)
        assert a.mean - 300 * at.spectrum.potential(low) == pytest.approx(b.mean - 300 * at.spectrum.potential(high), abs=0.05)
        assert a.sd_matrices == pytest.approx(b.sd_matrices, abs=0.02)


def test_log_determinants_of_real_ginibre_matrices():
    """Constants inside, by 400 matrices of 60 entries a side: four standard deviations of mean and variance, and 1/sqrt(60)."""
    rng, n = np.random.default_rng(1), 60
    at = small(gt.Ensemble(gt.Vanilla, gain=1.0), 0, n)
    matrices = rng.standard_normal((400, n, n)) / np.sqrt(n)
    for lam in (0.3, 0.3 + 0.5j, 1.6):
        logs = np.linalg.slogdet(lam * np.eye(n) - matrices)[1]
        found = at.log_det(lam)
        assert abs(logs.mean() - found.mean) < 4.0 * found.sd / 20 + 0.13
        assert logs.var() == pytest.approx(found.sd**2, rel=4.0 * np.sqrt(2 / 400) + 0.1)


def test_given_sites_have_no_spread_of_their_own():
    point = gt.fixed_points(GRU)[-1]
    net, state = gt.Network.planted(point, 120, rng=0)
    given = gt.Spectrum(net.sites(state)).finite_size()
    limit = gt.Spectrum(point).finite_size(120, 1, rng=0)
    for own, law in ((given.count(1.0, 0.2), limit.count(1.0, 0.2)), (given.log_det(1.3), limit.log_det(1.3))):
        assert own.sd_sites == 0.0 < law.sd_sites
        assert own.sd_matrices == pytest.approx(law.sd_matrices, rel=0.3)  # at 120 sites, whose edge is elsewhere
    with pytest.raises(gt.CapabilityError, match="natural"):
        given.count(1.0, 0.2, natural=True)


def test_what_is_refused():
    at = small(gt.Ensemble(gt.Vanilla, gain=1.0), 0)
    for call, words in (
        (lambda: at.count([0.0, 1.0], 0.3), "center must be one number"),
        (lambda: at.count(0.0, -1.0), "radius must"),
        (lambda: at.log_det([1.0]), "lam must be one number"),
        (lambda: at.slow_fraction(0.0), "tau must"),
    ):
        with pytest.raises(ValueError, match=words):
            call()
    with pytest.raises(TypeError, match="natural"):
        at.count(0.0, 1.0, natural="yes")
