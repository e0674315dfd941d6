"""Responses to periodic inputs: against closed forms of linear flows, and against the stroboscopic map itself."""

import numpy as np
import pytest
import sympy as sp

import gating_theory as gt
from gating_theory.errors import CapabilityError, ConvergenceError
from gating_theory.flow import Flow, GRUFlow, Periodic, Piecewise, periodic_response, stroboscopic
from gating_theory.flow.program.taylor import parameter_slope


def linear(J, given):
    """ds/dt = J s + u: a cell without any function."""
    h, y = sp.symbols("h y_h", real=True)
    cell = gt.Cell(name="linear", state=[h], fields=[y], messages=[h], update=[y], fixed_point=[y])
    return Flow(cell, [J + np.eye(len(J))], input=given)


def test_the_transfer_function():
    J = np.array([[-0.5, 1.0], [-1.5, -0.2]])
    period, mean = 3.0, np.array([0.3, -0.1])
    c, s = np.array([[0.5, 0.1], [0.2, 0.0], [0.0, 0.4]]), np.array([[0.0, 1.0], [0.3, 0.3]])
    flow = linear(J, Periodic(period, mean[None], c[:, None], s[:, None]))
    amplitudes = [np.linalg.solve(-J, mean).astype(complex)]
    for k in (1, 2, 3):
        wave = c[k - 1] - 1j * (s[k - 1] if k < 3 else 0.0)
        amplitudes.append(np.linalg.solve(2j * np.pi * k / period * np.eye(2) - J, wave))
    response = periodic_response(flow, [0.0, 0.0], transient=0)
    t = np.arange(7) / 7
    exact = sum((np.exp(2j * np.pi * k * t)[:, None] * a for k, a in enumerate(amplitudes))).real
    np.testing.assert_allclose(response.states(7), exact, atol=1e-9)
    np.testing.assert_allclose(
        np.sort_complex(response.multipliers), np.sort_complex(np.exp(period * np.linalg.eigvals(J))), atol=1e-9
    )
    assert response.stable and response.periods == 1 and response.period == period and response.ok
    assert response.liouville == pytest.approx(np.exp(period * np.trace(J)), rel=1e-8)
    np.testing.assert_allclose(stroboscopic(flow, response.state, 5), response.state, atol=1e-9)


def test_a_square_wave():
    """ds/dt = -a s +- 1 for half a period each: s(0) = -tanh(a T / 4) / a."""
    a, period = 0.8, 5.0
    flow = linear(np.array([[-a]]), Piecewise([0.0, 2.5], {"h": [1.0, -1.0]}, period=period))
    response = periodic_response(flow, [1.0])
    assert response.state[0] == pytest.approx(-np.tanh(a * period / 4) / a, abs=1e-10)
    assert response.multipliers[0] == pytest.approx(np.exp(-a * period), rel=1e-8)


def test_small_signals_of_a_network():
    """A weak input moves a network by the transfer function of its Jacobian."""
    flow = GRUFlow(U_z=[[1.0, 0.5], [0.0, -1.0]], U_h=[[1.0, -2.0], [2.0, 1.0]], b_h=[0.2, 0.1])
    rest = flow.fixed_points()[0].state
    J, epsilon, period = flow.jacobian(rest), 1e-4, 6.0
    response = periodic_response(flow.with_input(Periodic(period, cosines={"h": [[epsilon, 0.0]]})), rest)
    linear_part = np.linalg.solve(2j * np.pi / period * np.eye(2) - J, parameter_slope(flow, rest, "b_h[0]")).real
    # the next order is epsilon smaller
    np.testing.assert_allclose((response.state - rest) / epsilon, linear_part, atol=20 * epsilon)


def test_unstable_and_stable_responses():
    flow = GRUFlow(U_h=3.0, input=Periodic(4.0, sines={"h": [0.05]}))
    unstable = periodic_response(flow, [0.0], transient=0)
    upper, lower = (periodic_response(flow, [side]) for side in (0.8, -0.8))
    assert unstable.n_unstable == 1 and upper.stable and lower.stable
    assert lower.state < unstable.state < upper.state
    # the input changes its sign after half a period, and the flow is odd: the lower response is the upper one, half a period later
    np.testing.assert_allclose(-lower.states(2)[1], upper.state, atol=1e-9)
    for response in (unstable, upper):
        step = 1e-5
        slope = (stroboscopic(flow, response.state + step) - stroboscopic(flow, response.state - step)) / (2 * step)
        np.testing.assert_allclose(response.multipliers.real, slope, rtol=1e-6)
        assert response.liouville == pytest.approx(response.multipliers[0].real, rel=1e-8)


def test_entrainment_of_a_cycle():
    """Near its own period an oscillator follows a strong input, one response for all starts; without one it does not."""
    flow = GRUFlow(U_h=[[3, -3], [3, 3]], input=Periodic(13.0, sines={"h": [[0.5, 0.0]]}))
    response = periodic_response(flow, [0.1, 0.2], transient=60)
    assert response.stable
    ends = stroboscopic(flow, [[0.5, 0.5], [-0.5, 0.1], [0.0, -0.6]], 80)
    np.testing.assert_allclose(ends, [response.state] * 3, atol=1e-6)
    states = stroboscopic(flow, [0.5, 0.5], 3, trajectory=True)
    assert states.shape == (4, 2) and np.array_equal(states[0], [0.5, 0.5])
    np.testing.assert_allclose(states[1], flow.integrate([0.5, 0.5], 13.0).y[:, -1], atol=1e-9)
    np.testing.assert_allclose(states[3], flow.integrate([0.5, 0.5], 39.0).y[:, -1], atol=1e-8)


def test_more_periods_than_needed():
    flow = GRUFlow(U_h=3.0, input=Periodic(4.0, sines={"h": [0.05]}))
    assert periodic_response(flow, [0.8], periods=2).periods == 1


def test_saved(tmp_path):
    response = periodic_response(GRUFlow(U_h=3.0, input=Periodic(4.0, sines={"h": [0.05]})), [0.8])
    gt.save(response, tmp_path / "response.json")
    again = gt.load(tmp_path / "response.json")
    assert again == response and str(again) == str(response) and "stable response" in str(response)


def test_refused():
    steady = GRUFlow(U_h=3.0, input={"h": 0.1})
    for flow in (steady, steady.with_input(None), steady.with_input(Piecewise([0.0, 1.0], {"h": [0.0, 1.0]}))):
        with pytest.raises(CapabilityError, match="periodic input"):
            stroboscopic(flow, [0.1])
        with pytest.raises(CapabilityError, match="periodic input"):
            periodic_response(flow, [0.1])
    flow = linear(np.zeros((1, 1)), Periodic(1.0, {"h": 1.0}))  # grows for ever: no response
    with pytest.raises(ConvergenceError, match="multiplier is 1"):
        periodic_response(flow, [0.0], transient=0)
    with pytest.raises(ValueError, match="n_periods"):
        stroboscopic(flow, [0.0], 10**9)
