"""The dynamic mean field under sinusoidal input of random phases: lines, quenched chaos, networks under the same input [T8]."""

import numpy as np
import pytest
import sympy as sp

import gating_theory as gt

QUICK = {"n_sites": 500, "refine": 5, "rng": 1}
#: Standard errors that differences may have.
SIGMAS = 4.0


def waves(n):
    return np.cos(2.0 * np.pi * (np.arange(n) + 0.5) / n)


def test_without_recurrence_lines_are_those_of_one_unit():
    """Gain 0: h = tanh(A cos), of which Fourier's coefficients are known; at 16 steps to a period those beyond 8 fold back."""
    state = gt.dmft(gt.Ensemble(gt.Vanilla, gain=0.0), sinusoid=gt.Sinusoid(16, {"h": 1.5}), window=96, **QUICK)
    n = 1 << 12
    parts = np.abs(np.fft.rfft(np.tanh(1.5 * np.cos(2.0 * np.pi * np.arange(n) / n)))) ** 2 * 2.0 / n**2
    folded = [sum(parts[abs(fold + way * k)] for fold in (16, 32, 48) for way in (-1, 1)) + parts[k] for k in range(1, 8)]
    # phases are spread evenly: 500 sites take averages over them to rounding
    np.testing.assert_allclose(state.lines["h"][:7], folded, atol=1e-12)
    assert abs(state.moments["h"] - np.mean(np.tanh(1.5 * waves(4096)) ** 2)) < 1e-12
    assert state.moments["h"] == pytest.approx(state.lines["h"].sum(), abs=1e-12)


def test_a_leak_filters_the_line():
    """The flow x' = y - x: an amplitude of A / sqrt(1 + omega^2), and the field itself in ``autocorrelation``."""
    x, y = sp.symbols("x y", real=True)
    cell = gt.Cell(name="leak", state=[x], fields=[y], messages=[x], update=[y])
    state = gt.dmft(gt.Ensemble(cell, gain=0.0), flow=True, sinusoid=gt.Sinusoid(10.24, 0.7), **QUICK)
    omega = 2.0 * np.pi / 10.24
    # steps of fourth order are off by about (omega step)^4 / 10
    assert state.lines["x"][0] == pytest.approx(0.245 / (1.0 + omega**2), rel=1e-4)
    lags = np.array([0.0, 2.56, 5.12])
    np.testing.assert_allclose(state.autocorrelation(lags)["fields"][:, 0], 0.245 * np.array([1, 0, -1]), atol=1e-12)
    assert 10.24 / state.step == pytest.approx(round(10.24 / state.step)) and state.step <= 0.2


def driven_network(gain, amplitude, period, n, steps, rng):
    """Second moment, its part in the line, and exponent of a dense vanilla network, by a plain loop."""
    U, phases = gain * rng.standard_normal((n, n)) / np.sqrt(n), rng.uniform(0.0, 2.0 * np.pi, n)
    h, u, growth, states = rng.standard_normal(n), rng.standard_normal(n), [], []
    for t in range(steps):
        h = np.tanh(U @ h + amplitude * np.cos(2.0 * np.pi * t / period + phases))
        u = (1.0 - h * h) * (U @ u)
        growth.append(np.log(np.linalg.norm(u)))
        u /= np.linalg.norm(u)
        states.append(h)
    late = np.array(states[steps // 5 :])
    late = late[: len(late) // period * period]
    power = (np.abs(np.fft.rfft(late, axis=0)) ** 2).mean(axis=1) * 2.0 / len(late) ** 2
    place = len(late) // period
    line = power[place] - 0.5 * (power[place - 1] + power[place + 1])
    return (late**2).mean(), line, np.mean(growth[steps // 5 :])


@pytest.mark.parametrize("amplitude, verdict", [(0.5, "chaotic"), (3.0, "driven")])
def test_networks_under_the_same_input(amplitude, verdict):
    """Chaos beside a line, and a response that is nothing but lines: dense networks of 400 units with phases of their own."""
    state = gt.dmft(gt.Ensemble(gt.Vanilla, gain=2.0), sinusoid=gt.Sinusoid(8, amplitude), n_sites=500, refine=10, rng=1)
    assert state.ok and state.verdict == verdict
    rng = np.random.default_rng(0)
    found = np.array([driven_network(2.0, amplitude, 8, 400, 1200, rng) for _ in range(4)])
    mean, error = found.mean(axis=0), found.std(axis=0, ddof=1) / 2.0
    # networks of 400 units are off by some 1/400 and by what their matrices scatter: four of their standard errors, 1 % besides
    assert abs(mean[0] - state.moments["h"]) < 4.0 * np.hypot(error[0], state.stderr["h"]) + 0.01 * mean[0]
    assert abs(mean[1] - state.lines["h"][0]) < 4.0 * error[1] + 0.01 * mean[0]
    assert abs(mean[2] - state.conditional_exponent) < 4.0 * np.hypot(error[2], state.exponent_stderr) + 0.01
    if verdict == "driven":
        assert sum(state.lines["h"]) > 0.97 * state.moments["h"] and abs(state.frozen["h"]) < 0.01


def test_weak_chaos_beside_strong_input():
    """What moves is 4 % of E h^2: chaos, not a response that is unstable; dense networks of 800 units."""
    state = gt.dmft(gt.Ensemble(gt.Vanilla, gain=3.0), sinusoid=gt.Sinusoid(20, 4.0), n_sites=500, refine=10, rng=1)
    assert state.ok and state.verdict == "chaotic"
    rng = np.random.default_rng(7)
    found = np.array([driven_network(3.0, 4.0, 20, 800, 800, rng) for _ in range(3)])
    mean, error = found.mean(axis=0), found.std(axis=0, ddof=1) / 3**0.5
    # as above; networks of 400 have exponents of .020 +- .014, of 1600 .049 +- .006
    assert abs(mean[0] - state.moments["h"]) < 4.0 * np.hypot(error[0], state.stderr["h"]) + 0.01 * mean[0]
    assert abs(mean[2] - state.exponent) < 4.0 * np.hypot(error[2], state.exponent_stderr) + 0.01
    assert 0.9 < state.lines["h"].sum() / state.moments["h"] < 0.99


def test_results_come_back(tmp_path):
    state = gt.dmft(gt.Ensemble(gt.Vanilla, gain=0.3), sinusoid=gt.Sinusoid(10.24, {"h": 0.5}), **QUICK)
    gt.save(state, tmp_path / "state.json")
    again = gt.load(tmp_path / "state.json")
    assert again == state and again.sinusoid == gt.Sinusoid(10.24, {"h": 0.5}) and again.verdict == "driven"
    # sites at one time feel the input: E h^2 of two times differs from that of all by what 2000 phases leave
    assert np.average(again.sites.state[0] ** 2) == pytest.approx(state.moments["h"], rel=0.1)


@pytest.mark.parametrize(
    "more, error, text",
    [
        ({"sinusoid": 3.0}, TypeError, "sinusoid"),
        ({"sinusoid": gt.Sinusoid(10, {"q": 1.0})}, ValueError, "unknown field"),
        ({"sinusoid": gt.Sinusoid(1.5, 1.0)}, ValueError, "two steps"),
        ({"sinusoid": gt.Sinusoid(np.pi, 1.0)}, ValueError, "whole periods"),
        ({"sinusoid": gt.Sinusoid(1000.0, 1.0)}, ValueError, "whole periods"),
        ({"sinusoid": gt.Sinusoid(10, 1.0), "window": 64}, ValueError, "multiple of 10"),
        ({"sinusoid": gt.Sinusoid(10, 1.0), "window": 50}, ValueError, "60 or more"),
        ({"sinusoid": gt.Sinusoid(10, 1.0), "method": "lag"}, gt.CapabilityError, "no sinusoid"),
    ],
)
def test_bad_input(more, error, text):
    with pytest.raises(error, match=text):
        gt.dmft(gt.Ensemble(gt.Vanilla, gain=1.5), **more)


@pytest.mark.parametrize("period, amplitude", [(0.0, 1.0), (np.inf, 1.0), (10, -1.0), (10, {"h": np.nan}), (10, {"h": -0.1})])
def test_sinusoids_that_are_none(period, amplitude):
    with pytest.raises(ValueError, match="period|amplitude"):
        gt.Sinusoid(period, amplitude)


@pytest.mark.nightly
@pytest.mark.parametrize("amplitude, moment, line, exponent", [(0.3, 0.309, 0.051, 0.027), (1.2, 0.344, 0.341, -0.14)])
def test_chaos_is_suppressed(amplitude, moment, line, exponent):
    """Vanilla flow at gain 1.5, period 10.24: an earlier prototype, one seed, to 3 % of the second moment.

    Its exponent at 1.2 came from tangents that began with lines alone, and lines lead to lines only: so -.37 here. Dense networks
    of 250 and 1000 units have -.201(15) and -.153(9), which in 1/N lead to -.137.
    """
    state = gt.dmft(gt.Ensemble(gt.Vanilla, gain=1.5), flow=True, sinusoid=gt.Sinusoid(10.24, amplitude), refine=10, rng=1)
    assert abs(state.moments["h"] - moment) < 0.03 * moment
    assert abs(state.lines["h"][0] - line) < 0.03 * moment
    assert abs(state.exponent - exponent) < 0.02 + SIGMAS * state.exponent_stderr


def test_two_copies_under_the_same_input_part_as_the_conditional_exponent_says():
    """Two copies of dense networks, near each other, the same white noise: the distance grows or falls at the exponent's rate."""
    for sigma in (0.3, 2.5):
        ensemble = gt.Ensemble(gt.Vanilla, gain=2.0, input_std=sigma)
        state = gt.dmft(ensemble)
        assert state.conditional_exponent == state.exponent == state.lyapunov()[0]
        rng, rates = np.random.default_rng(3), []
        for _ in range(4):
            U = 2.0 * rng.standard_normal((400, 400)) / 20.0
            h = rng.standard_normal(400)
            other = h + 1e-6 * rng.standard_normal(400)
            for t in range(400):
                if t % 20 == 0:  # back to a distance of 1e-6, so that it stays small
                    other = h + (other - h) * (1e-6 / np.linalg.norm(other - h))
                noise = sigma * rng.standard_normal(400)
                h, other = np.tanh(U @ h + noise), np.tanh(U @ other + noise)
                if t % 20 == 19 and t > 100:
                    rates.append(np.log(np.linalg.norm(other - h) / 1e-6) / 20.0)
        error = np.std(rates, ddof=1) / np.sqrt(len(rates))
        # networks of 400 units are some percent of 1 off in what a tangent grows by: 0.01
        assert abs(np.mean(rates) - state.conditional_exponent) < SIGMAS * error + 0.01
        assert (state.conditional_exponent > 0.0) is (sigma == 0.3)
