"""Steady states against what is known of them, and against eigenvalues of dense networks."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import CLOSED

import gating_theory as gt


def test_vanilla_exponent_is_that_of_white_fields():
    """In discrete time the fields of a vanilla network are white: lambda = log(a sqrt(E phi'^2)), to three digits."""
    ens = gt.Ensemble(gt.Vanilla, gain=2.5)
    ss = gt.steady_state(ens, 20_000, 100, rng=0, lyapunov_units=20_000, record=20_000)
    y = ss.simulation.recorded_fields[ss.transient :, 0]
    exact = np.log(2.5 * np.sqrt(np.mean(np.cosh(y) ** -4.0)))
    assert ss.verdict == "chaotic" and ss.converged, str(ss)
    # one step's growth fluctuates by order N^{-1/2}: 0.01 or so, averaged over 75 steps
    assert ss.lyapunov_stderr < 2e-3
    assert ss.lyapunov == pytest.approx(exact, abs=max(4 * ss.lyapunov_stderr, 2e-3))
    # white: no correlation in time beyond sampling, N^{-1/2} / sqrt(lags averaged)
    white = ss.autocorrelation([0, 1, 2, 5])["messages"][:, 0]
    assert np.all(np.abs(white[1:]) < 0.01 * white[0])
    assert white[0] == pytest.approx(ss.moments["h"], rel=1e-9)


def test_moments_of_the_vanilla_cell_are_those_of_its_mean_field():
    """The same fixed-point equation holds for the chaotic state's variance."""
    ens = gt.Ensemble(gt.Vanilla, gain=2.0, bias_std=0.3)
    ss = gt.steady_state(ens, 20_000, 60, rng=1, lyapunov_units=0)
    assert ss.moments["h"] == pytest.approx(gt.fixed_points(ens)[-1].moments["h"], abs=4 * ss.stderr["h"])
    assert np.isnan(ss.lyapunov) and ss.stderr["h"] < 0.005


@pytest.mark.parametrize(
    "ens, verdict",
    [
        (gt.Ensemble(gt.GRU, gain={"z": 1, "r": 1, "h": 1.2}), "settled"),
        (gt.Ensemble(gt.GRU, gain={"z": 1, "r": 1, "h": 1.2}, bias={"h": 0.5}, bias_std={"h": 0.5}), "settled"),
        (gt.Ensemble(gt.GRU, gain={"z": 1, "r": 3, "h": 6}), "chaotic"),
        (gt.Ensemble(gt.GRU, gain={"z": 1, "r": 1, "h": 1.2}, input_std={"h": 0.3}), "driven"),
        (gt.Ensemble(gt.LSTM, gain={"f": 2, "i": 2, "g": 6, "o": 3}), "chaotic"),
    ],
)
def test_verdicts(ens, verdict):
    """States that settle, are driven or chaotic are called so, with the sign of the exponent."""
    ss = gt.steady_state(ens, 2000, 200, rng=0, lyapunov_units=1000)
    assert ss.verdict == verdict, str(ss)
    assert (ss.lyapunov > 0) == (verdict == "chaotic")
    assert verdict in str(ss) and ss.as_dict()["verdict"] == verdict


def test_a_settled_state_is_the_mean_field_fixed_point():
    ens = gt.Ensemble(gt.GRU, gain={"z": 1, "r": 1, "h": 1.2}, bias={"h": 0.5}, bias_std={"h": 0.5})
    ss = gt.steady_state(ens, 5000, 150, rng=0, lyapunov_units=500)
    (fp,) = gt.fixed_points(ens)
    for name, value in fp.moments.items():
        assert ss.moments[name] == pytest.approx(value, abs=4 * ss.stderr[name])
    # slowest decay: the tangent shrinks by the abscissa of the spectrum at best (finite N: within its edge's fluctuation)
    assert ss.lyapunov < np.log(gt.Spectrum(fp).radius()) + 0.02


def test_standard_errors_are_the_scatter_of_networks():
    """At a fixed point: 40 networks whose moments feed back on themselves, which doubles the error of an average over sites."""
    ens = gt.Ensemble(gt.Vanilla, gain=1.1, bias_std=0.3)
    runs = [gt.steady_state(ens, 400, 150, rng=seed, lyapunov_units=0) for seed in range(40)]
    assert all(ss.verdict == "settled" for ss in runs)
    scatter = np.std([ss.moments["h"] for ss in runs], ddof=1)
    # a standard deviation of 40 is known to 11 %
    assert scatter == pytest.approx(np.mean([ss.stderr["h"] for ss in runs]), rel=0.4)
    sites = runs[0].sites
    bare = np.std(sites.state[0] ** 2) / np.sqrt(400)
    assert runs[0].stderr["h"] > 1.5 * bare


def test_the_exponent_is_taken_after_the_transient():
    """A start that is far too small grows for most of the run: what it grows by is not the exponent of the state it reaches."""
    ens = gt.Ensemble(gt.Vanilla, gain=1.5)
    late = gt.steady_state(ens, 2000, 120, rng=0, lyapunov_units=2000, scale=1e-8)
    exact = gt.steady_state(ens, 2000, 120, rng=0, lyapunov_units=2000)
    # log 1.5 = 0.405 while small, about 0.05 to 0.1 in the end; it takes log(1e8) / 0.4 = 45 steps
    assert abs(late.lyapunov - exact.lyapunov) < 4 * np.hypot(late.lyapunov_stderr, exact.lyapunov_stderr) + 0.02
    # cut in the middle of the growth the error owns up to the drift, or the moments do
    cut = gt.steady_state(ens, 2000, 60, rng=0, lyapunov_units=2000, scale=1e-8)
    assert not cut.converged and cut.lyapunov_stderr > 0.05


def test_a_run_too_short_says_so():
    ens = gt.Ensemble(gt.GRU, gain={"z": 0.5, "r": 0.5, "h": 6.0}, bias={"z": 5.0})
    ss = gt.steady_state(ens, 5000, 40, rng=0, lyapunov_units=0, scale=0.01)
    assert not ss.converged and "longer" in ss.status.text and ss.verdict == "undecided"


def test_field_correlations_follow_from_messages():
    """C_y(lag) = a^2 C_m(lag) + b^2 + beta^2 [T5], messages from all sites, fields from the recorded ones."""
    ens = gt.Ensemble(gt.GRU, gain={"z": 2, "r": 3, "h": 5}, bias={"r": 0.5}, bias_std={"z": 0.4})
    ss = gt.steady_state(ens, 5000, 100, rng=0, lyapunov_units=0, record=5000)
    lags = [0, 1, 3, 10]
    c = ss.autocorrelation(lags)
    for k, (field, nu) in enumerate(zip(ens.cell.field_names, ens.cell.message_of)):
        expected = ens.gain[field] ** 2 * c["messages"][:, nu] + ens.bias[field] ** 2 + ens.bias_std[field] ** 2
        # one network of 5000 sites: five times the relative error sqrt(2/5000) of a variance
        assert c["fields"][:, k] == pytest.approx(expected, rel=0.1)
    assert c["state"][:, 0] == pytest.approx(c["messages"][:, 0], rel=1e-6)


def counted(ens, n, steps, count, radii, seed):
    """Fractions of eigenvalues in discs around 1, network by network."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(count):
        net = gt.Network.sample(ens, n, rng=rng)
        lam = net.eigenvalues(net.run(net.random_state(rng), steps))
        out.append([np.mean(np.abs(lam - 1.0) < r) for r in radii])
    return np.array(out)


CHAOTIC = {
    "GRU": gt.Ensemble(gt.GRU, gain={"z": 5, "r": 0, "h": 4}),
    "LSTM": gt.Ensemble(gt.LSTM, gain={"f": 3, "i": 2, "g": 5, "o": 3}, bias={"f": 1}),
}
UNITS, STEPS, RADII = 8000, 150, (0.05, 0.1, 0.2)


@cache
def masses(name):
    """Predicted fractions in discs around 1."""
    spectrum = gt.Spectrum(gt.steady_state(CHAOTIC[name], UNITS, STEPS, rng=0, lyapunov_units=0))
    return np.array([spectrum.mass(1.0, r) for r in RADII])


@pytest.mark.parametrize("n", [300, pytest.param(2000, marks=pytest.mark.nightly)])
@pytest.mark.parametrize("name", CHAOTIC)
def test_eigenvalues_near_one_are_as_many_as_the_steady_state_predicts(name, n):
    ens, predicted = CHAOTIC[name], masses(name)
    count = 4 if n == 300 else 1
    n = n if n == 300 else n // ens.cell.n_state
    found = counted(ens, n, STEPS, count, RADII, 3).mean(axis=0)
    # the sites of a network are a sample: binomial at worst, and its moments differ from the limit's by order N^{-1/2}
    spread = predicted * (1 - predicted)
    error = np.sqrt(spread / (n * count) + 1.0 / (n * count) ** 2) + np.sqrt(spread / UNITS)
    assert np.all(np.abs(found - predicted) < 4.5 * error)


def drawn_disc(ens, radius, seed, n, count):
    units = 6000
    ss = gt.steady_state(ens, units, 120, rng=seed, lyapunov_units=0)
    predicted = gt.Spectrum(ss).mass(1.0, radius)
    found = counted(ens, n, 120, count, [radius], seed).mean()
    # binomial at worst, as above; moments of a few hundred units scatter by a few N^{-1/2} between networks, settled or not
    spread = predicted * (1 - predicted)
    error = np.sqrt(spread / (n * count) + 1.0 / (n * count) ** 2) + np.sqrt(spread / units)
    assert abs(found - predicted) < 4.5 * error + 0.01


@pytest.mark.slow
@settings(max_examples=3, deadline=None)
@given(
    gains=st.fixed_dictionaries({"z": st.floats(0, 6), "r": st.floats(0, 5), "h": st.floats(3, 6)}),
    bias=st.floats(-1, 1),
    radius=st.floats(0.05, 0.5),
    seed=st.integers(0, 1000),
)
def test_drawn_discs_of_chaotic_grus(gains, bias, radius, seed):
    """Discs around 1 hold as many eigenvalues of GRUs in chaos as the steady state predicts, at drawn hyperparameters."""
    drawn_disc(gt.Ensemble(gt.GRU, gain=gains, bias={"z": bias}), radius, seed, 300, 3)


@pytest.mark.slow
@settings(max_examples=2, deadline=None)
@given(
    gains=st.fixed_dictionaries({"f": st.floats(0, 4), "i": st.floats(0, 4), "g": st.floats(4, 6), "o": st.floats(0, 4)}),
    radius=st.floats(0.05, 0.5),
    seed=st.integers(0, 1000),
)
def test_drawn_discs_of_chaotic_lstms(gains, radius, seed):
    """Discs around 1 hold as many eigenvalues of LSTMs in chaos as the steady state predicts, at drawn hyperparameters."""
    drawn_disc(gt.Ensemble(gt.LSTM, gain=gains, bias={"f": 1}), radius, seed, 200, 3)


def test_the_known_masses_of_a_chaotic_gru():
    """Theory sheet, section 4: 0.202, 0.276 and 0.363 counted at N = 2000 for discs of radius 0.05, 0.1, 0.2."""
    predicted = masses("GRU")
    # the counts are one network of 2000 units: sqrt(p (1 - p) / 2000) is 0.01
    assert predicted == pytest.approx([0.202, 0.276, 0.363], abs=0.03)


@pytest.mark.slow
@settings(max_examples=6, deadline=None)
@given(st.sampled_from(CLOSED), st.floats(0.5, 5.0), st.floats(-1.0, 1.0), st.sampled_from([0.0, 0.3]))
def test_every_cell_has_a_steady_state(name, gain, bias, noise):
    """Moments, verdict and spectrum of every cell fit together, and with the mean field where the state settles."""
    ens = gt.Ensemble(getattr(gt, name), gain=gain, bias=bias, input_std=noise)
    ss = gt.steady_state(ens, 1000, 60, rng=0, lyapunov_units=300)
    assert all(np.isfinite(v) and v >= 0 for v in ss.moments.values())
    assert all(np.isfinite(v) for v in ss.stderr.values())
    if noise:
        assert ss.verdict in ("driven", "chaotic", "undecided")
    assert (ss.verdict == "chaotic") <= (ss.lyapunov > 3 * ss.lyapunov_stderr)
    if ss.verdict == "settled":
        # one of the mean field's solutions, which is another calculation; or all but zero
        solutions = [fp.moments for fp in gt.fixed_points(ens)]
        assert any(all(abs(ss.moments[m] - q[m]) < 6 * ss.stderr[m] + 1e-3 for m in q) for q in solutions)
        assert np.isnan(ss.lyapunov) or ss.lyapunov < 0.0
    spectrum = gt.Spectrum(ss)
    assert 0.0 <= spectrum.mass(0.0, 2.0 * spectrum.radius() + 0.1) <= 1.0


@pytest.mark.parametrize(
    "arguments, words", [({"n_units": 5}, "n_units"), ({"n_steps": 10}, "n_steps"), ({"lyapunov_units": -1}, "lyapunov_units")]
)
def test_bad_input(arguments, words):
    with pytest.raises(ValueError, match=words):
        gt.steady_state(gt.Ensemble(gt.GRU), **{"n_units": 50, "n_steps": 30, **arguments})


def test_bad_lags():
    ss = gt.steady_state(gt.Ensemble(gt.GRU, gain=3.0), 100, 30, rng=0, lyapunov_units=0)
    for lags in ([-1], [30], []):
        with pytest.raises(ValueError, match="lags"):
            ss.autocorrelation(lags)


@pytest.mark.parametrize("bias, verdict", [(2.0, "settled"), (16.0, "undecided"), (25.0, "undecided")])
def test_shut_update_gates_are_no_fixed_points(bias, verdict):
    """1 - sigma(25) = 1e-11: steps from any state are below rounding, and no state but zero is a fixed point."""
    ens = gt.Ensemble(gt.GRU, gain={"z": 0.0, "r": 1.0, "h": 1.0}, bias={"z": bias})
    ss = gt.steady_state(ens, 300, 500, rng=0, lyapunov_units=0)
    assert ss.verdict == verdict
    if bias == 25.0:
        assert not ss.converged and "no fixed point" in ss.status.text


@pytest.mark.parametrize("n_steps", [100, 400])
def test_single_precision_settles_too(n_steps):
    """Images stored in single precision keep a state at rest moving by their rounding."""
    ens = gt.Ensemble(gt.GRU, gain={"h": 1.2}, bias_std={"h": 0.5})
    single, double = (gt.steady_state(ens, 500, n_steps, rng=0, dtype=dtype) for dtype in ("float32", "float64"))
    assert single.verdict == double.verdict == "settled"
    # other random numbers, so another network of the ensemble
    for name, value in double.moments.items():
        assert single.moments[name] == pytest.approx(value, abs=4 * np.hypot(single.stderr[name], double.stderr[name]))


def test_rest_at_an_unstable_point_is_said():
    at_zero = gt.steady_state(gt.Ensemble(gt.Vanilla, gain=3), 100, 40, rng=0, scale=0)
    assert at_zero.verdict == "settled" and "the fixed point is unstable" in at_zero.status.text
    with pytest.raises(ValueError, match="record was 0"):
        gt.steady_state(gt.Ensemble(gt.Vanilla), 50, 20, rng=0, record=0, lyapunov_units=0).autocorrelation([1])


@pytest.mark.parametrize(
    ("gain", "scale", "steps", "verdict"),
    [(1.8, 1e-3, 300, "decaying"), (1.6, 1e-4, 100, "decaying"), (1.2, 1.0, 200, "settled"), (1.2, 1e-3, 60, "decaying")],
)
def test_a_decay_to_zero_is_no_fixed_point_beside_it(gain, scale, steps, verdict):
    """What is left of the moments when the run ends is the distance from the limit, which is exactly zero."""
    ss = gt.steady_state(gt.Ensemble(gt.GRU, gain={"z": 0, "r": 1, "h": gain}), 1000, steps, rng=0, lyapunov_units=300, scale=scale)
    assert ss.verdict == verdict and ss.converged and "towards the zero state" in ss.status.text
    assert set(ss.moments.values()) == {0.0} and ss.lyapunov < 0.0
    assert ss.stderr["h"] == pytest.approx(np.mean(ss.sites.state[0] ** 2), rel=1e-9) and ss.stderr["h"] > 0.0


def test_small_states_that_are_not_zero_are_none():
    """A state that falls by five orders to what a small bias keeps up, one that a faint input drives, and one that grows."""
    biased = gt.Ensemble(gt.GRU, gain={"z": 0, "r": 1, "h": 1.2}, bias_std={"h": 3e-3})
    ss = gt.steady_state(biased, 2000, 80, rng=0, lyapunov_units=0)
    (fp,) = gt.fixed_points(biased)
    assert ss.verdict == "settled" and abs(ss.moments["h"] - fp.moments["h"]) < 4 * ss.stderr["h"] and fp.moments["h"] < 1e-4
    driven = gt.Ensemble(gt.GRU, gain={"z": 0, "r": 1, "h": 1.2}, input_std={"h": 1e-3})
    assert gt.steady_state(driven, 1000, 100, rng=0, lyapunov_units=300).verdict == "driven"
    growing = gt.steady_state(gt.Ensemble(gt.Vanilla, gain=1.5), 1000, 40, rng=0, scale=1e-12, lyapunov_units=300)
    assert not growing.converged and growing.verdict == "undecided" and growing.moments["h"] > 0.0


def test_a_decay_that_the_limit_does_not_have_is_said():
    """Thirty units whose largest eigenvalue happens to be below one, in an ensemble with a gain of 1.05."""
    ens = gt.Ensemble(gt.Vanilla, gain=1.05)
    runs = [gt.steady_state(ens, 30, 400, rng=seed, lyapunov_units=0) for seed in range(12)]
    assert {"decaying", "settled"} & {ss.verdict for ss in runs}
    for ss in runs:
        assert ("zero state is unstable" in ss.status.text) == ("towards the zero state" in ss.status.text)
