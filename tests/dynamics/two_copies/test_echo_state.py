"""Whether copies of one network agree in the end under a common input: exact values, limits, states beside one another [T8b]."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gating_theory as gt
from gating_theory.dynamics.two_copies.echo_state import how_asked
from gating_theory.dynamics.two_copies.frozen_gates import frozen_fields, unforgetting


def gru(z, r, h, **more):
    return gt.Ensemble(gt.GRU, gain={"z": z, "r": r, "h": h}, **more)


@pytest.mark.parametrize(
    "ensemble, log_chi",
    [  # by an independent calculation, to its digits
        (gt.Ensemble(gt.Vanilla, gain=1.5, input_std=0.6), -0.08369),
        (gru(0, 4, 2.2, input_std={"h": 0.6}), -0.14078),
        (gt.Ensemble(gt.Vanilla, gain=1.2, bias_std=0.5), -0.2908),
    ],
)
def test_chi_of_the_echo_state(ensemble, log_chi):
    found = gt.echo_state(ensemble)
    assert found.ok and found.verdict == "echo_state" and len(found.states) == 1
    assert abs(np.log(found.chi) - log_chi) < (5e-5 if log_chi == -0.2908 else 6e-6)
    np.testing.assert_allclose([found.timescale, found.timescale_squared], [-1.0 / found.lam, -1.0 / np.log(found.chi)], rtol=1e-12)


@settings(max_examples=5, deadline=None, derandomize=True)
@given(gain=st.floats(0.2, 2.5), std=st.floats(0.2, 2.0))
def test_vanilla_networks_by_quadrature(gain, std):
    """q = E tanh^2 at variance a^2 q + sigma^2, chi = a^2 E tanh'^2 there: one plain loop and a fine grid, no code in common."""
    z = np.arange(-9.0, 9.0, 0.005)
    weights = np.exp(-0.5 * z**2) * 0.005 / np.sqrt(2.0 * np.pi)
    q = 0.5
    for _ in range(3000):
        q = float(weights @ np.tanh(np.sqrt(gain**2 * q + std**2) * z) ** 2)
    chi = gain**2 * float(weights @ np.cosh(np.sqrt(gain**2 * q + std**2) * z) ** -4)
    found = gt.echo_state(gt.Ensemble(gt.Vanilla, gain=gain, input_std=std))
    assert abs(found.chi / chi - 1.0) < 1e-7
    assert found.verdict == ("chaotic" if chi > 1.0 else "echo_state")


def test_two_states_under_one_input():
    """A weak and a chaotic state: no echo state, although copies that start small agree. Values by an independent calculation."""
    found = gt.echo_state(gru(0, 10, 1.9, input_std={"h": 0.05}))
    assert found.verdict == "two_states" and found.ok and found.lam > 0.0 and found.timescale == np.inf
    large, small = found.states
    assert abs(large.moments["h"] - 0.07065) < 6e-6 and abs(large.exponent - 0.0815) < 6e-5
    assert abs(small.moments["h"] - 0.00346) < 6e-6 and abs(small.exponent + 0.0142) < 6e-5


@pytest.mark.parametrize("ensemble", [gru(0, 10, 1.9), gru(0, 4, 1.5), gt.Ensemble(gt.Vanilla, gain=0.8)])
def test_a_vanishing_input_is_none(ensemble):
    """White input of 1e-4 gives the states without input: the radius at the zero state, and the chaotic state, to its square."""
    names = ensemble.cell.field_names
    without, under = gt.echo_state(ensemble), gt.echo_state(ensemble.replace({f"input_std.{names[-1]}": 1e-4}))
    assert without.verdict == under.verdict and len(without.states) == len(under.states)
    zero, weak = without.states[-1], under.states[-1]
    assert zero.kind == "fixed point" and abs(zero.exponent - np.log(gt.Spectrum(gt.fixed_points(ensemble)[0]).radius())) < 1e-9
    np.testing.assert_allclose([s.exponent for s in under.states], [s.exponent for s in without.states], atol=1e-5)
    assert weak.kind == "moving" and weak.moments["h"] < 1e-6


def test_steps_are_those_of_one_copy():
    """Unasked, a flow that takes white input, anywhere along a path, is solved in the shorter step of white noise."""
    still, noisy = (gt.Ensemble(gt.KCSFast, gain=0.8, input_std={"h": std}) for std in (0.0, 0.5))
    for ensembles, flow, step in (([still], True, 0.2), ([still, noisy], True, 0.1), ([noisy], False, 1.0)):
        assert how_asked("echo_line", ensembles, None, flow, "auto", 1000, 20, 0).step == step


def test_input_of_a_gate_alone_leaves_the_zero_state():
    """What enters r moves nothing that is zero: the state is the zero state, under multiplicative noise."""
    found = gt.echo_state(gru(0, 4, 1.2, input_std={"r": 0.5}))
    assert found.verdict == "echo_state" and found.states[0].moments["h"] < 1e-6
    # little of it is none: the zero state's radius
    r = gt.echo_state(gru(0, 4, 1.2, input_std={"r": 1e-6})).lam
    assert abs(r - np.log(0.5 + 0.5 * 1.2 * 0.5)) < 1e-5


@pytest.mark.parametrize(
    "ensemble, window",
    [
        (gru(1, 1, 2.5, bias_std={"h": 0.5}), ("z",)),
        (gt.Ensemble(gt.LSTM, gain={"f": 1, "i": 1, "g": 2, "o": 1}, bias_std=0.5), ("f",)),
        (gru(0, 1, 2.5, bias_std={"h": 0.5}), ()),  # the gate is constant
        (gru(1, 1, 1.5), ()),  # nothing is driven: every site has the same leak
        (gt.Ensemble(gt.Vanilla, gain=1.2, bias_std=0.5), ()),  # no leak at all
        (gru(0, 1, 1.5, bias_std={"z": 1.0}), ("z",)),
    ],
)
def test_frozen_gates_are_a_window(ensemble, window):
    """Where a static field moves the leak the exponent is strictly zero from below, and said to be that of a window."""
    found = gt.echo_state(ensemble)
    (state,) = found.states
    assert state.window == window and found.verdict == ("frozen_gates" if window else "echo_state")
    assert state.exponent < 0.0 and (state.error >= -state.exponent) == bool(window)


def test_which_fields_of_a_moving_state_stand_still():
    """A spread of biases, or a message with a mean: C(infinity) > 0. Symmetry decides, not a simulation."""
    options = {"n_sites": 200, "refine": 5}
    moving = gt.echo_state(gru(1, 1, 0.8, input_std=1.0), **options)
    assert moving.verdict == "echo_state" and moving.states[0].window == ()
    for more in ({"bias": {"h": 0.5}}, {"bias_std": {"z": 0.3}}):  # the candidate's mean is in y_z; y_z itself
        ensemble = gru(1, 1, 0.8, input_std=1.0, **more)
        assert unforgetting(ensemble, frozen_fields(ensemble)) == ("z",)
        still = gt.echo_state(ensemble, **options)
        assert still.verdict == "frozen_gates" and still.ok and still.states[0].window == ("z",)
        # what is reported of the window is that of most sites, next to the network whose gates move; strictly it is zero from below
        assert abs(still.lam - moving.lam) < 0.15 and still.lam_error >= -still.lam > 0.0
    # the gate that no other field hears is static, that of the leak moves on
    apart = gt.echo_state(gru(1, 1, 0.8, input_std=1.0, bias_std={"r": 0.3}), **options)
    assert apart.verdict == "echo_state"


@pytest.mark.parametrize("clock", [{"flow": True}, {"step": 0.1}, {}])
def test_every_clock_at_the_zero_state(clock):
    """A disc of radius (1 - b) a_h s about b: its right end decides in the flow, and in every Euler map of it."""
    found = gt.echo_state(gru(1, 1, 1.5), n_sites=200, refine=5, **clock)  # the zero state is exact whatever the sites
    right = 0.5 + 0.5 * 1.5 * 0.5
    dt = clock.get("step", 1.0)
    expected = right - 1.0 if "flow" in clock else np.log(1.0 + dt * (right - 1.0)) / dt
    assert abs(found.lam - expected) < 1e-9 and abs(np.log(found.chi) - 2.0 * expected * dt) < 1e-9


@pytest.mark.nightly  # test_bistable_states.py has these states by paths in the suite
def test_by_paths_within_errors():
    """The same two states by the method of all cells."""
    exact, found = (gt.echo_state(gru(0, 10, 1.9, input_std={"h": 0.05}), method=m, refine=10, rng=2) for m in ("lag", "paths"))
    assert found.verdict == "two_states"
    for one, other in zip(exact.states, found.states):
        # stated errors are standard errors, of few groups; three of them
        assert abs(one.exponent - other.exponent) < 3.0 * other.error + 1e-3


def test_it_is_saved_and_printed(tmp_path):
    found = gt.echo_state(gt.Ensemble(gt.Vanilla, gain=1.5, input_std=0.6))
    assert gt.load(gt.save(found, tmp_path / "echo.json")) == found
    assert "echo state" in str(found) and "exponent" in str(found)


@pytest.mark.parametrize(
    "more, error, text",
    [
        ({"method": "pairs"}, ValueError, "method"),
        ({"refine": 1}, ValueError, "refine"),
        ({"step": 0.0}, ValueError, "step"),
        ({"flow": 2}, TypeError, "flow"),
        ({"method": "lag"}, gt.CapabilityError, "leak"),
        ({"flow": True}, gt.CapabilityError, "white"),
    ],
)
def test_bad_input_of_echo_states(more, error, text):
    with pytest.raises(error, match=text):
        gt.echo_state(gru(1, 1, 2, input_std=0.5), **more)
