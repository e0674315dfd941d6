"""Inputs of flows: constant ones are biases, others are followed as scipy follows them with a plain right side."""

import pickle

import numpy as np
import pytest
import sympy as sp
from scipy.integrate import solve_ivp

import gating_theory as gt
from gating_theory.errors import CapabilityError
from gating_theory.flow import Flow, GRUFlow, Noise, Periodic, Piecewise
from gating_theory.flow.orbits.trajectories import advance

U_H = np.array([[3.0, -3.0], [3.0, 3.0]])
U_Z = np.array([[1.0, 0.5], [0.0, -1.0]])
START = np.array([0.1, 0.2])
PULSES = Piecewise([1.0, 2.5, 7.0], {"h": [0.0, 1.0, -0.5], "z": [[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]]})
INPUTS = {
    "steps": PULSES,
    "lines": Piecewise([1.0, 2.5, 7.0], {"h": [0.0, 1.0, -0.5]}, "linear"),
    "square wave": Piecewise([0.5, 2.0], {"h": [1.0, -1.0]}, period=3.0),
    "triangle wave": Piecewise([0.5, 2.0], {"h": [1.0, -1.0]}, "linear", period=3.0),
    "smooth": Periodic(4.0, {"z": 0.5}, {"h": [[0.3, 0.1], [0.0, 0.2]]}, {"h": [0.7], "r": [1.0]}),
}


def sigma(x):
    return 1.0 / (1.0 + np.exp(-x))


def plain(t, h, given):
    """The GRU's right side, written by hand, at the input (z, r, h) that a function of time gives."""
    u = given(t)
    z, r = sigma(U_Z @ h + u[0]), sigma(u[1])
    return (1 - z) * (np.tanh(U_H @ (r * h) + u[2]) - h)


def by_hand(name):
    """The inputs as functions of time, once more."""

    def steps(t):
        u = np.zeros((3, 2))
        u[2] = -0.5 if t >= 7.0 else 1.0 if t >= 2.5 else 0.0
        u[0] = (0.0, 0.0) if t >= 7.0 else (1.0, 0.0) if t >= 2.5 else (0.0, 1.0)
        return u

    def lines(t):
        u = np.zeros((3, 2))
        u[2] = np.interp(t, [1.0, 2.5, 7.0], [0.0, 1.0, -0.5])
        return u

    def square(t):
        u = np.zeros((3, 2))
        u[2] = 1.0 if 0.5 <= t % 3.0 < 2.0 else -1.0
        return u

    def triangle(t):
        u = np.zeros((3, 2))
        s = (t - 0.5) % 3.0
        u[2] = 1.0 - 2.0 * s / 1.5 if s < 1.5 else -1.0 + 2.0 * (s - 1.5) / 1.5
        return u

    def smooth(t):
        u = np.zeros((3, 2))
        w = 2 * np.pi / 4.0
        u[0] = 0.5
        u[1] = np.sin(w * t)
        u[2] = [0.3 * np.cos(w * t) + 0.7 * np.sin(w * t), 0.1 * np.cos(w * t) + 0.2 * np.cos(2 * w * t) + 0.7 * np.sin(w * t)]
        return u

    return {"steps": steps, "lines": lines, "square wave": square, "triangle wave": triangle, "smooth": smooth}[name]


def driven(name):
    return GRUFlow(U_h=U_H, U_z=U_Z, input=INPUTS[name])


# --- values


@pytest.mark.parametrize("name", INPUTS)
def test_values(name):
    times = np.linspace(-4.3, 13.1, 88)
    flow, function = driven(name), by_hand(name)
    np.testing.assert_allclose(flow.input(times), [function(t) for t in times], atol=1e-14)
    for t in times[::20]:
        frozen = flow.at_time(t)
        np.testing.assert_allclose(frozen.input, function(t), atol=1e-14)
        np.testing.assert_allclose(flow(START, t), plain(t, START, function), atol=1e-14)
        np.testing.assert_array_equal(flow.jacobian(START, t), frozen.jacobian(START))
        np.testing.assert_array_equal(flow.map_jacobian(START, 0.5, t), np.eye(2) + 0.5 * frozen.jacobian(START))


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("span", [(0.0, 11.3), (-2.0, 5.2)])
def test_trajectories_against_a_plain_right_side(name, span):
    flow, function = driven(name), by_hand(name)
    # small steps, so that no jump is missed: the plain right side knows nothing of them and loses digits there
    jumps = name in ("steps", "square wave")
    times = np.linspace(*span, 15)
    state, wanted = START, [START]
    for a, b in zip(times[:-1], times[1:]):
        run = solve_ivp(plain, (a, b), state, args=(function,), rtol=1e-11, atol=1e-12, max_step=0.01 if jumps else 0.1)
        state = run.y[:, -1]
        wanted.append(state)
    result = flow.integrate(START, times)
    np.testing.assert_array_equal(result.t, times)
    np.testing.assert_allclose(result.y.T, wanted, atol=1e-5 if jumps else 1e-9)
    end = advance(flow, [START, -START], span[1] - span[0], rtol=1e-11, atol=1e-13, start=span[0])
    np.testing.assert_allclose(end[0], result.y[:, -1], atol=1e-9)
    # and back again
    back = advance(flow, end, span[0] - span[1], rtol=1e-12, atol=1e-14, start=span[1])
    np.testing.assert_allclose(back, [START, -START], atol=1e-7)
    assert flow.integrate(START, 3.0, method="Radau", rtol=1e-8, atol=1e-8).y[:, -1] == pytest.approx(
        flow.integrate(START, 3.0).y[:, -1], abs=1e-5
    )


def test_jumps_are_exact():
    """From stretch to stretch with constant inputs, each of which is a flow with other biases."""
    flow = driven("steps")
    state = START
    for a, b, t in ((0.0, 2.5, 2.0), (2.5, 7.0, 3.0), (7.0, 9.0, 8.0)):
        z, _, h = by_hand("steps")(t)
        state = GRUFlow(U_h=U_H, U_z=U_Z, b_h=h, b_z=z).integrate(state, b - a).y[:, -1]
    np.testing.assert_allclose(flow.integrate(START, 9.0).y[:, -1], state, atol=1e-12)
    np.testing.assert_allclose(advance(flow, START, 9.0, rtol=1e-11, atol=1e-13), state, atol=1e-10)


def test_dense_output_and_events_across_jumps():
    flow = driven("square wave")
    result = flow.integrate(START, 10.0, events=lambda t, x: x[0], dense_output=True)
    assert (np.diff(result.t) > 0).all() and result.t[0] == 0.0 and result.t[-1] == 10.0
    times = np.linspace(0.0, 10.0, 41)
    np.testing.assert_allclose(result.sol(times), flow.integrate(START, times).y, atol=1e-8)
    assert len(result.t_events[0]) > 0
    np.testing.assert_allclose(result.y_events[0][:, 0], 0.0, atol=1e-10)

    def down(t, x):
        return x[0]

    down.terminal = True
    stopped = flow.integrate(START, 10.0, events=down)
    assert stopped.status == 1 and stopped.t[-1] == stopped.t_events[0][0] == pytest.approx(result.t_events[0][0])


@pytest.mark.parametrize("name", INPUTS)
def test_euler_against_a_loop(name):
    flow, function = driven(name), by_hand(name)
    step, start = 0.3, -1.0
    h = START
    for n in range(30):
        h = h + step * plain(start + n * step, h, function)
    states = flow.euler(START, step, 30, trajectory=True, start=start)
    np.testing.assert_allclose(states[-1], h, atol=1e-13)
    np.testing.assert_array_equal(flow.euler([START, START], step, 30, start=start), [states[-1]] * 2)


# --- constant inputs


def test_a_constant_input_is_a_bias():
    u = {"h": [0.4, 1.2], "z": 0.5}
    flow = Flow(gt.GRU, {"h": [[4.5, -2], [10, 0]]}, bias={"h": [0.1, 0.0]}, input=u)
    biased = GRUFlow(U_h=[[4.5, -2], [10, 0]], b_h=[0.5, 1.2], b_z=[0.5, 0.5])
    np.testing.assert_array_equal(flow.input, [[0.5, 0.5], [0, 0], [0.4, 1.2]])
    np.testing.assert_array_equal(flow.bias, [[0, 0], [0, 0], [0.1, 0]])
    np.testing.assert_allclose(flow.flat, biased.flat, atol=1e-16)
    for what in (lambda f: f(START), lambda f: f.jacobian(START), lambda f: f.residual(START), lambda f: f.euler(START, 0.5, 7)):
        np.testing.assert_allclose(what(flow), what(biased), atol=1e-14)
    np.testing.assert_allclose(flow.fixed_points().states, biased.fixed_points().states, atol=1e-12)
    assert flow.fixed_points("certified").topology == biased.fixed_points().topology == (1, 1, 1)
    # a path is one of the bias: the input stays
    assert flow.parameter("b_h[0]") == 0.1
    other = flow.replace("b_h[0]", 0.3)
    np.testing.assert_array_equal(other.input, flow.input)
    assert other.flat[flow.flat != other.flat] == pytest.approx(0.7)
    branch = gt.flow.continue_fixed_point(flow, "b_h[1]", (-0.3, 0.5), [-0.2122, 0.1380])
    assert branch.flow == flow
    assert flow.at_time(3.0) is flow and not flow.changes
    with pytest.raises(ValueError, match="same input"):
        flow.along(flow.with_input(None))


def test_a_zero_input_changes_no_bit():
    flow = GRUFlow(U_h=U_H)
    assert flow.with_input({"h": 0.0})(START).tolist() == flow(START).tolist()
    assert flow.with_input(None) == flow and hash(flow.with_input(None)) == hash(flow)


# --- what needs a flow that does not change


@pytest.mark.parametrize("name", ["steps", "smooth", "noise"])
def test_who_needs_a_flow_that_does_not_change(name):
    flow = GRUFlow(U_h=U_H, input=Noise({"h": 0.1}, 2.0)) if name == "noise" else driven(name)
    for call in (
        lambda: flow(START),
        lambda: flow.jacobian(START),
        lambda: flow.residual(START),
        lambda: flow.fixed_points(),
        lambda: flow.bounds,
        lambda: flow.nullclines(),
        lambda: gt.flow.continue_fixed_point(flow, "b_h[0]", (-1, 1), START),
        lambda: gt.flow.attractors(flow, 2),
        lambda: gt.flow.basins(flow, 2),
        lambda: gt.flow.map_attractors(flow, 2),
        lambda: gt.flow.lyapunov_spectrum(flow),
        lambda: gt.flow.slow_manifold(flow),
    ):
        with pytest.raises(CapabilityError, match="at_time|Noise.sample|sample"):
            call()
    if name != "noise":
        assert flow.at_time(1.0).fixed_points().complete
        with pytest.raises(CapabilityError, match="at_time"):
            gt.flow.find_cycle(flow, START, transient=10.0, max_period=50.0)


# --- the same again


@pytest.mark.parametrize("given", [None, {"h": [0.1, 0.3]}, *INPUTS.values(), Noise({"h": 0.1, "z": [0.0, 1.0]}, 2.0, {"h": 1.0})])
def test_kept_as_they_are(given, tmp_path):
    flow = GRUFlow(U_h=U_H, b_h=[0.1, 0.2], input=given)
    gt.save(flow, tmp_path / "flow.json")
    others = [
        pickle.loads(pickle.dumps(flow)),
        gt.load(tmp_path / "flow.json"),
        Flow.from_dict(flow.as_dict()),
        flow.with_input(given),
    ]
    for other in others:
        assert other == flow and hash(other) == hash(flow) and repr(other) == repr(flow)
        assert (other == flow.with_input({"h": [0.1, 0.31]})) is False
    assert ("input" in repr(flow)) == (given is not None)


# --- noise


def test_noise_has_its_law():
    noise = GRUFlow(U_h=U_H, input=Noise({"h": [0.5, 2.0]}, 4.0, {"z": 1.0})).input
    step, n = 1.0, 200_000
    path = noise.sample(step * n, step, rng=1)
    u = path.values[:, 2] / [0.5, 2.0]
    assert (path.values[:, 0] == 1.0).all() and (path.values[:, 1] == 0.0).all()
    # errors of covariances at lag l: sqrt(2 (1 + a^2) / (1 - a^2) / n), a = exp(-1/4); five of them
    a = np.exp(-step / 4.0)
    error = 5 * np.sqrt(2 * (1 + a**2) / (1 - a**2) / n)
    for lag in (0, 1, 5, 20):
        covariance = (u[: n - lag] * u[lag:n]).mean(axis=0)
        np.testing.assert_allclose(covariance, np.exp(-lag / 4.0), atol=error)
    assert abs((u[:, 0] * u[:, 1]).mean()) < error
    np.testing.assert_allclose(u.mean(axis=0), 0.0, atol=5 * np.sqrt((1 + a) / (1 - a) / n))


def linear_cell():
    h, y = sp.symbols("h y_h", real=True)
    return gt.Cell(name="linear", state=[h], fields=[y], messages=[h], update=[y], fixed_point=[y])


def test_noise_through_the_euler_map():
    """s' = (1 - a dt) s + dt u: its stationary variance is a geometric series."""
    a, dt, tau, std, n = 0.7, 0.2, 3.0, 0.5, 400_000
    flow = Flow(linear_cell(), [[[1 - a]]], input=Noise({"h": std}, tau))
    s = flow.euler([0.0], dt, n, trajectory=True, rng=3)[1000:, 0]
    p, r = 1 - a * dt, np.exp(-dt / tau)
    variance = dt**2 * std**2 * (1 + p * r) / ((1 - p**2) * (1 - p * r))
    # correlations last about tau + 1/a = 22 steps: some 400000 / 44 independent squares
    assert s.var() == pytest.approx(variance, rel=5 * np.sqrt(2 * 44 / n))
    assert flow.euler([0.0], dt, 50, rng=3) == flow.euler([0.0], dt, 50, rng=3) != flow.euler([0.0], dt, 50, rng=4)


def test_noise_is_followed_to_first_order():
    """The same course of the noise, known at fewer and fewer times: errors grow with the first power of the step."""
    flow = GRUFlow(U_h=U_H, input=Noise({"h": 1.0}, 1.0))
    errors = {4: [], 16: []}
    for seed in range(12):
        fine = flow.input.sample(5.12, 0.005, seed)
        exact = advance(flow.with_input(fine), START, 5.12, rtol=1e-9, atol=1e-11)
        for skip in errors:
            coarse = Piecewise(fine.times[::skip], fine.values[::skip], "linear")
            errors[skip].append(advance(flow.with_input(coarse), START, 5.12, rtol=1e-9, atol=1e-11) - exact)
    ratio = np.sqrt(np.mean(np.square(errors[16])) / np.mean(np.square(errors[4])))
    # bridges over 4 and 16 fine steps have variances of (16^2 - 1) / (4^2 - 1) = 17 in the mean: a ratio of 4.1; 24 numbers each
    assert 2.8 < ratio < 5.8


def test_noise_of_integrate():
    flow = GRUFlow(U_h=U_H, input=Noise({"h": 0.3}, 2.0))
    result = flow.integrate(START, [0.0, 1.0, 5.0], rng=0)
    assert isinstance(result.input, Piecewise) and result.input.times[1] == pytest.approx(0.1)
    again = flow.with_input(result.input).integrate(START, [0.0, 1.0, 5.0])
    np.testing.assert_array_equal(again.y, result.y)
    assert flow.integrate(START, 1.0, rng=0, noise_step=0.5).input.times.size == 3
    assert flow.integrate(START, -1.0, rng=0).t[-1] == -1.0


# --- what is refused


@pytest.mark.parametrize(
    "make, match",
    [
        (lambda: Piecewise([0.0, 0.0], {"h": [1.0, 2.0]}), "increasing"),
        (lambda: Piecewise([0.0, 1.0], {"h": [1.0]}), "one entry for each of the 2 times"),
        (lambda: Piecewise([0.0, 1.0], {"h": [1.0, 2.0]}, "cubic"), "interpolation"),
        (lambda: Piecewise([0.0, 4.0], {"h": [1.0, 2.0]}, period=4.0), "period"),
        (lambda: Periodic(0.0, {"h": 1.0}), "period"),
        (lambda: Periodic(1.0), "at least one"),
        (lambda: Noise({"h": -1.0}, 1.0), "negative"),
        (lambda: Noise({"h": 1.0}, 0.0), "correlation_time"),
        (lambda: GRUFlow(U_h=U_H, input={"x": 1.0}), "'h'"),
        (lambda: GRUFlow(U_h=U_H, input=[1.0, 2.0]), "input must have shape"),
        (lambda: GRUFlow(U_h=U_H, input={"h": [1.0, 2.0, 3.0]}), "input"),
        (lambda: GRUFlow(U_h=U_H, input=Periodic(1.0, sines={"h": [1.0], "z": [1.0, 2.0]})), "equal numbers"),
        (lambda: Piecewise([0.0], {"h": [1.0]})(0.5), "flow.input"),
        (lambda: driven("steps").input.fitted(("a",), 3), "shape"),
    ],
)
def test_bad_inputs(make, match):
    with pytest.raises((ValueError, TypeError), match=match):
        make()
