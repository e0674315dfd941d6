"""The dynamic mean field of cells whose leak is constant: against published numbers, energy, quadrature and other theory [T8]."""

import pickle

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import gating_theory as gt
from gating_theory.cell.constant_leak import constant_leak
from gating_theory.dynamics.dynamic_mean_field.correlated import CorrelatedAverage
from gating_theory.dynamics.dynamic_mean_field.lag_law import lag_form

x, y_r, y_h = sp.symbols("x y_r y_h", real=True)
#: The network of Krishnamurthy, Can and Schwab where gates follow their fields at once and the leak is constant.
FILTERED = gt.Cell(
    name="filtered",
    state=[x],
    fields=[y_r, y_h],
    messages=[sp.tanh(x), sp.tanh(x) * gt.sigma(y_r)],
    update=[y_h],
    fixed_point=[y_h],
)


def gru(r, h, **more):
    return gt.Ensemble(gt.GRU, gain={"z": 0, "r": r, "h": h}, **more)


@pytest.mark.parametrize(
    "gain, step, moment, exponent",
    [  # calculated by two prototypes that share no code with this; the flow's by conservation of energy
        (1.5, 1.0, 0.352602, 0.065217),
        (2.0, 0.5, 0.4810712, 0.1077886),
        (3.0, 0.25, 0.6050696, 0.2254015),
        (2.0, 0.0, 0.4812013, 0.1124584),
        (3.0, 0.0, 0.6051473, 0.2354622),
    ],
)
def test_vanilla_networks_and_their_flow(gain, step, moment, exponent):
    """Seven digits of moments and exponents, the map at three steps and the flow of Sompolinsky, Crisanti and Sommers."""
    state = gt.dmft(gt.Ensemble(gt.Vanilla, gain=gain), **({"flow": True} if not step else {"step": step}))
    digits = 6e-7 if gain == 1.5 else 6e-8
    assert abs(state.moments["h"] - moment) < digits and state.stderr["h"] < 1e-9
    # the flow's exponents were printed with errors of 3e-7 and 1.2e-6: maps, which agree, lead to .1124581 (test below)
    assert abs(state.lyapunov()[0] - exponent) < (digits if step else 4e-7 if gain == 2.0 else 2e-6)
    assert state.verdict == "chaotic" and state.ok and state.returns and abs(state.frozen["h"]) < 1e-9


def test_maps_of_small_steps_lead_to_the_flow():
    """Exponents of Euler maps are smooth in the step: a parabola through three of them, and the flow's own."""
    ens = gt.Ensemble(gt.Vanilla, gain=3)
    steps = np.array([0.5, 0.25, 0.125])
    exponents = [gt.dmft(ens, step=step).exponent for step in steps]
    line = np.polyfit(steps[1:], exponents[1:], 1)[-1]
    parabola = np.polyfit(steps, exponents, 2)[-1]
    # what the parabola adds to the line bounds what a cubic would add to the parabola, at steps that are halved
    assert abs(parabola - gt.dmft(ens, flow=True).exponent) < abs(parabola - line)


@pytest.mark.parametrize(
    "r, h, moment, later, exponent",
    [(0, 4, 0.481071, 0.338096, 0.053894), (4, 3, 0.357588, 0.147095, 0.115561), (10, 4, 0.438855, 0.122229, 0.246520)],
)
def test_gru_with_a_constant_update_gate(r, h, moment, later, exponent):
    state = gt.dmft(gru(r, h))
    found = state.moments["h"], state.autocorrelation([5])["messages"][0, 0], state.lyapunov()[0]
    np.testing.assert_allclose(found, (moment, later, exponent), atol=6e-7)


@pytest.mark.parametrize("r, h, square, exponent", [(3.0, 4.0, 0.1666333, 0.34056), (5.0, 6.0, 0.2156219, 0.67640)])
def test_states_that_are_gaussian(r, h, square, exponent):
    """The other closure: a linear drive, messages that are not linear in the state."""
    state = gt.dmft(gt.Ensemble(FILTERED, gain={"r": r, "h": h}), flow=True)
    field = state.autocorrelation([0.0])["messages"][0, 1] * h**2  # E (drive)^2 is above that of the state, which it filters
    assert field > square * h**2
    # E tanh(x)^2 at x ~ N(0, h^2 square), by the trapezoid rule; the printed square has seven digits
    z = np.linspace(-12.0, 12.0, 4001)
    w = np.exp(-0.5 * z**2)
    assert abs(state.moments["tanh(x)"] - w @ np.tanh(h * np.sqrt(square) * z) ** 2 / w.sum()) < 1e-6
    assert abs(state.lyapunov()[0] - exponent) < 1e-5


def test_the_leak_is_the_unit_of_time():
    """sigma(b_z) of the update gate is the rate at which everything runs: KCSFast at leak 1/2 against the cell of leak 1."""
    half = gt.dmft(gt.Ensemble(gt.KCSFast, gain={"z": 0, "r": 3, "h": 4}), flow=True)
    whole = gt.dmft(gt.Ensemble(FILTERED, gain={"r": 3, "h": 4}), flow=True)
    assert abs(half.moments["tanh(x)"] - whole.moments["tanh(x)"]) < 1e-9 and abs(2.0 * half.exponent - whole.exponent) < 1e-6
    lags = np.array([0.0, 1.0, 4.0])
    slow, fast = half.autocorrelation(2.0 * lags)["messages"], whole.autocorrelation(lags)["messages"]
    np.testing.assert_allclose(slow, fast, atol=1e-8)


@pytest.mark.parametrize("beta, moment, frozen, exponent", [(0.05, 0.0193, 0.0138, 0.0125), (0.2, 0.1524, 0.0895, 0.0539)])
def test_frozen_input_makes_chaos(beta, moment, frozen, exponent):
    state = gt.dmft(gru(10, 1.7, bias_std={"h": beta}))
    np.testing.assert_allclose((state.moments["h"], state.frozen["h"], state.exponent), (moment, frozen, exponent), atol=6e-5)
    # without it the zero state is all there is, and with little of it a fixed point
    assert gt.dmft(gru(10, 1.7)).verdict == "zero_state"
    still = gt.dmft(gru(10, 1.7, bias_std={"h": 0.02}))
    assert still.verdict == "static" and np.isnan(still.lyapunov()).all()
    points = [p.moments["h"] for p in gt.fixed_points(still.ensemble)]
    assert min(abs(still.moments["h"] / m - 1.0) for m in points) < 1e-7


@pytest.mark.parametrize("sigma, exponent", [(0.05, 0.0815), (0.1, 0.0705), (0.2, 0.0366), (0.4, -0.0229)])
def test_white_input_quenches_chaos(sigma, exponent):
    state = gt.dmft(gru(10, 1.9, input_std={"h": sigma}))
    assert abs(state.exponent - exponent) < 6e-5 and state.verdict == ("chaotic" if exponent > 0 else "driven")


def test_every_state_of_a_bistable_ensemble():
    states = gt.dmft_states(gru(10, 1.9))
    assert [state.verdict for state in states] == ["chaotic", "chaotic", "zero_state"]
    assert [state.returns for state in states] == [True, False, None]
    assert abs(states[0].moments["h"] - 0.073644) < 6e-7 and abs(states[0].exponent - 0.084919) < 6e-7
    # the lower branch solves the same equation: it is found again at its own amplitude, the gain unknown
    again = gt.dmft(gru(10, 2.0), amplitude=states[1].moments["h"], along="gain.h")
    assert abs(again.ensemble.gain["h"] - 1.9) < 1e-9
    assert [state.verdict for state in gt.dmft_states(gru(10, 1.8))] == ["zero_state"]


@settings(max_examples=8, deadline=None, derandomize=True)
@given(a=st.floats(1.2, 5.0), b=st.floats(-1.0, 1.0), beta=st.floats(0.0, 1.0))
def test_white_states_are_mean_fields(a, b, beta):
    """A vanilla network in discrete time: E h^2 is the mean field's, the exponent of chaos log(a sqrt(E tanh'^2))."""
    ens = gt.Ensemble(gt.Vanilla, gain=a, bias=b, bias_std=beta)
    (state, *_), point = gt.dmft_states(ens), gt.fixed_points(ens)[-1]
    assert abs(state.moments["h"] - point.moments["h"]) < 1e-6 * point.moments["h"] or state.verdict == "chaotic"
    rate = np.log(a * np.sqrt(point.sites.mean(np.cosh(point.sites.fields[0]) ** -4.0)))
    if abs(rate) > 1e-3:
        assert (state.verdict == "chaotic") == (rate > 0.0)
    if state.verdict == "chaotic" and not b and not beta:
        assert abs(state.exponent - rate) < 1e-5


@pytest.mark.parametrize("function", [np.tanh, lambda v: 1 / (1 + np.exp(-v)), lambda v: np.exp(-(v**2)) * v])
def test_averages_over_two_times_against_two_dimensional_quadrature(function):
    mean, std, rho = 0.3, 1.7, np.array([-0.6, 0.0, 0.4, 0.95])
    value, (slope,) = CorrelatedAverage(function, [mean], [std])(rho)
    z, w = np.polynomial.hermite_e.hermegauss(180)
    w = w / w.sum()
    for r, found, steep in zip(rho, value, slope):
        other = r * z[:, None] + np.sqrt(1 - r**2) * z

        def average(f, other=other):
            return w @ (f(mean + std * z)[:, None] * f(mean + std * other)) @ w

        assert abs(found - average(function)) < 1e-9
        derivative = lambda v: (function(v + 1e-5) - function(v - 1e-5)) / 2e-5  # noqa: E731
        assert abs(steep - average(derivative)) < 1e-8  # Price


def test_functions_of_two_fields_are_averaged_together():
    """GRUResetAfter: its candidate is a function of two fields; against Monte Carlo of the same average."""
    ens = gt.Ensemble(gt.GRUResetAfter, gain={"z": 0, "r": 2, "h": 4})
    law = lag_form(ens).at(0.4)
    rng, n, rho = np.random.default_rng(0), 400_000, 0.7
    first, noise = rng.standard_normal((2, n)), rng.standard_normal((2, n))
    both = [np.sqrt(0.4) * z for z in (first, rho * first + np.sqrt(1 - rho**2) * noise)]
    f, g = (0.5 * np.tanh(4 * h / (1 + np.exp(-2 * r))) for r, h in both)
    values, _ = law(np.array([0.4, 0.4 * rho]))
    # five standard errors of n products
    assert abs(values[1] - np.mean(f * g)) < 5 * np.std(f * g) / np.sqrt(n)
    assert abs(values[0] - np.mean(f * f)) < 5 * np.std(f * f) / np.sqrt(n)
    np.testing.assert_allclose(law.drive(np.array([0.4, 0.28, -0.1])), law(np.array([0.4, 0.28, -0.1]))[0], atol=1e-12)


def test_which_cells_have_a_constant_leak():
    def has(cell, *moving):
        return constant_leak(cell, moving) is not None

    assert has(gt.Vanilla, "h") and has(gt.GRU, "r", "h") and has(gt.GRUResetAfter, "r", "h") and has(FILTERED, "r", "h")
    assert not has(gt.GRU, "z", "h") and not has(gt.LSTM, "i", "g") and not has(gt.MGU, "f", "h") and has(gt.MGU, "h")
    with pytest.raises(gt.CapabilityError, match='method "lag" needs a leak .* GRU is not so here'):
        gt.dmft(gt.Ensemble(gt.GRU), method="lag")
    with pytest.raises(gt.CapabilityError, match="white input"):
        gt.dmft(gru(1, 3, input_std={"h": 1}), flow=True)
    with pytest.raises(ValueError, match="amplitude and along"):
        gt.dmft(gru(1, 3), amplitude=0.1)


def test_the_result_is_saved_and_gives_sites(tmp_path):
    state = gt.dmft(gru(10, 1.9))
    again = gt.load(gt.save(state, tmp_path / "state.nc"))
    assert again == state == pickle.loads(pickle.dumps(state)) and "chaotic" in str(state)
    sites = again.sites
    # 2000 sites of fields that are correlated within one lap: five percent
    for name, moment in sites.moments().items():
        assert abs(moment / state.moments[name] - 1.0) < 0.15
    # the radius where eigenvalues of a chaotic state reach to is beyond the circle
    assert gt.Spectrum(state).radius() > 1.0
    with pytest.raises(ValueError, match="multiples of the step"):
        state.autocorrelation([0.5])
    with pytest.raises(ValueError, match="lags must be from 0"):
        state.autocorrelation([1e9])
