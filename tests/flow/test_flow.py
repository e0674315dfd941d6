"""The vector field of small networks: against the network itself, its parameters by name, nullclines, bounds."""

import math
import pickle

import numpy as np
import pytest
import sympy

import gating_theory as gt
from gating_theory.flow import Flow, GRUFlow, count_fixed_points


@pytest.mark.parametrize(
    "name, n", [("GRU", 3), ("GRUResetAfter", 2), ("LSTM", 2), ("PeepholeLSTM", 1), ("JANET", 2), ("LiGRU", 2)]
)
def test_one_euler_step_is_the_network(name, n):
    cell = getattr(gt, name)
    spread = {"parameter_std": 0.5} if cell.parameters else {}
    net = gt.Network.sample(gt.Ensemble(cell, gain=3, bias_std=1, input_std=0.3, **spread), n, rng=1)
    flow = Flow.from_network(net)
    states = np.array([net.random_state(rng=seed) for seed in range(2, 6)])
    flat = states.reshape(4, -1)
    stepped = np.array([net.step(s).ravel() for s in states])
    # the same sums in another order: a few units in the last place of numbers of order 10
    np.testing.assert_allclose(flow.euler(flat), stepped, rtol=1e-13, atol=1e-14)
    for s, J in zip(flat, flow.map_jacobian(flat)):
        np.testing.assert_allclose(J, net.jacobian(s), rtol=1e-12, atol=1e-13)
    # half a step, three times, as one trajectory
    path = flow.euler(flat[0], step=0.5, n_steps=3, trajectory=True)
    assert path.shape == (4, flow.dim)
    for before, after in zip(path[:-1], path[1:]):
        np.testing.assert_allclose(after, before + 0.5 * flow(before), rtol=1e-13, atol=1e-14)


def test_a_shut_gate_keeps_its_digits():
    open_flow = GRUFlow(U_h=[[3, -2], [1, 2]], b_h=[0.3, -0.2])
    shut = open_flow.with_parameters({"b_z[0]": 80.0, "b_z[1]": 80.0})
    s = np.array([0.31, -0.77])
    # sigma(0) = 1/2 and 1 - sigma(80) = 1/(1 + e^80)
    np.testing.assert_allclose(shut(s), 2.0 * open_flow(s) / (1.0 + math.exp(80.0)), rtol=1e-13)
    np.testing.assert_allclose(shut.jacobian(s)[0, 1], 2.0 * open_flow.jacobian(s)[0, 1] / (1.0 + math.exp(80.0)), rtol=1e-12)
    np.testing.assert_array_equal(shut.residual(s), open_flow.residual(s))


def test_integration_meets_the_cycle():
    # period and a point of the cycle by an independent code (shooting, DOP853)
    flow = GRUFlow(U_h=[[3, -3], [3, 3]])
    start = np.array([-0.549379, 0.501285])
    result = flow.integrate(start, 12.93377075908, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(result.y[:, -1], start, atol=2e-6)  # the point is given to six digits, and the cycle attracts

    def crossing(t, s):
        return s[0]

    crossing.direction = 1.0
    events = flow.integrate(start, 60.0, events=crossing).t_events[0]
    np.testing.assert_allclose(np.diff(events), 12.93377075908, rtol=1e-6)
    back = flow.integrate(flow.integrate(start, 1.0).y[:, -1], -1.0)
    np.testing.assert_allclose(back.y[:, -1], start, atol=1e-8)
    times = np.linspace(0.0, 2.0, 5)
    stiff = flow.integrate(start, times, method="LSODA", rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(stiff.y, flow.integrate(start, times).y, atol=1e-7)


def test_parameters_by_name():
    flow = GRUFlow(U_h=[[1, 2], [3, 4]], b_r=[5, 6])
    assert [flow.parameter(p) for p in ("U_h[0,1]", "U_h[1, 0]", "b_r[1]", "U_z[0,0]")] == [2.0, 3.0, 6.0, 0.0]
    other = flow.replace("U_h[0,1]", -7)
    assert other.parameter("U_h[0,1]") == -7.0 and flow.parameter("U_h[0,1]") == 2.0
    assert isinstance(other, GRUFlow) and other != flow and other.replace("U_h[0,1]", 2.0) == flow
    assert hash(other.replace("U_h[0,1]", 2.0)) == hash(flow) and pickle.loads(pickle.dumps(flow)) == flow
    np.testing.assert_array_equal(flow.matrices[2], [[1, 2], [3, 4]])
    with pytest.raises(ValueError):
        flow.matrices[0, 0, 0] = 1.0
    assert "U_h=[[1.0, 2.0], [3.0, 4.0]]" in str(flow) and "U_z" not in str(flow)
    assert "U_h=[[1, 2], [3, 4]]" in repr(flow) and "U_z" not in repr(flow)
    after = Flow(gt.GRUResetAfter, {"h": [[1.0]]}, {"h": [0.5]}, {"b_in": [0.25]})
    assert after.parameter("b_in[0]") == 0.25 and after.parameter("b_h[0]") == 0.5
    for path in ("U_q[0,0]", "U_h[0,2]", "b_h[0,0]", "U_h", "h[0]", "", "U_h[-1,0]"):
        with pytest.raises(ValueError, match="path must be one of U_z"):
            flow.parameter(path)
    with pytest.raises(TypeError, match="path"):
        flow.parameter(3)
    with pytest.raises(ValueError, match=r"b_h\[0\] must be finite"):
        flow.replace("b_h[0]", math.inf)
    with pytest.raises(TypeError, match="mapping"):
        flow.with_parameters([1])


def test_bad_arguments():
    for wrong, message in (
        ({}, "at least one"),
        ({"U_h": [[1, 2, 3], [4, 5, 6]]}, r"U_h must have shape \(3, 3\)"),
        ({"U_h": [[1, 2], [3, 4]], "b_h": [1, 2, 3]}, "b_h must have shape"),
        ({"U_h": [[1, math.nan], [3, 4]]}, "U_h must be finite"),
        ({"U_h": [[math.inf]]}, "U_h must be finite"),
    ):
        with pytest.raises(ValueError, match=message):
            GRUFlow(**wrong)
    with pytest.raises(TypeError, match="U_h"):
        GRUFlow(U_h=[["a"]])
    with pytest.raises(TypeError, match="cell"):
        Flow("GRU", np.zeros((3, 2, 2)))
    with pytest.raises(ValueError, match="matrices must have shape"):
        Flow(gt.GRU, np.zeros((2, 2, 2)))
    with pytest.raises(ValueError, match="unknown key"):
        Flow(gt.GRU, {"q": [[1.0]]})
    with pytest.raises(ValueError, match="bias must have shape"):
        Flow(gt.GRU, np.zeros((3, 2, 2)), np.zeros((3, 3)))
    with pytest.raises(gt.CapabilityError, match="up to 12"):
        Flow(gt.GRU, np.zeros((3, 13, 13)))
    net = gt.Network.sample(gt.Ensemble(gt.GRU), 2, rng=0, batch=3)
    with pytest.raises(gt.CapabilityError, match="batch of 3"):
        Flow.from_network(net)
    with pytest.raises(TypeError, match="Network"):
        Flow.from_network(3)
    flow = GRUFlow(U_h=np.eye(2))
    for call in (flow, flow.jacobian, flow.residual, flow.euler):
        with pytest.raises(ValueError, match=r"shape \(..., 2\)"):
            call([1.0, 2.0, 3.0])
        with pytest.raises(ValueError, match="finite"):
            call([1.0, math.nan])
    with pytest.raises(ValueError, match="step"):
        flow.euler([0.0, 0.0], step=0.0)
    with pytest.raises(ValueError, match="increasing"):
        flow.integrate([0.0, 0.0], [1.0, 0.0])
    with pytest.raises(ValueError, match="grade"):
        flow.fixed_points("proved")
    with pytest.raises(ValueError, match="max_boxes"):
        flow.fixed_points(max_boxes=0)
    with pytest.raises(gt.CapabilityError, match="up to 3"):
        GRUFlow(U_h=np.eye(4)).fixed_points("certified")
    with pytest.raises(gt.CapabilityError, match="not bounded"):
        Flow(gt.LiGRU, np.ones((2, 1, 1))).fixed_points("certified")
    with pytest.raises(gt.CapabilityError, match="closed-form"):
        Flow(gt.PeepholeLSTM, np.zeros((4, 1, 1))).fixed_points("certified")
    with pytest.raises(gt.CapabilityError, match="two-dimensional"):
        GRUFlow(U_h=3.0).nullclines()
    with pytest.raises(ValueError, match="bias must have shape"):
        count_fixed_points(gt.GRU, np.zeros((4, 3, 2, 2)), np.zeros((3, 2)))
    with pytest.raises(ValueError, match="matrices must be finite"):
        count_fixed_points(gt.GRU, np.full((4, 3, 2, 2), np.nan))
    with pytest.raises(gt.CapabilityError, match="up to 3"):
        count_fixed_points(gt.GRU, np.zeros((1, 3, 4, 4)))


def test_cells_with_functions_flows_do_not_know():
    h, y = sympy.symbols("h y_h", real=True)
    cell = gt.Cell(name="sine", state=[h], fields=[y], messages=[h], update=[sympy.sin(y)], fixed_point=[sympy.sin(y)])
    with pytest.raises(gt.CapabilityError, match="sin"):
        Flow(cell, np.ones((1, 1, 1)))([0.1])


def test_nullclines_of_a_variable_that_nothing_drives():
    """dh_2/dt = -(1 - z) h_2: its bounds are [0, 0], and the first variable's nullclines are upright lines all over the picture."""
    flow = GRUFlow(U_h=[[10.0, 0.0], [0.0, 0.0]])
    first, second = flow.nullclines(box=[(-1, 1), (-1, 1)])
    # tanh(5 h) = h at 0 and +-0.99991
    assert sorted(np.round(curve[:, 0].mean(), 3) for curve in first) == pytest.approx([-1.0, 0.0, 1.0], abs=1e-3)
    assert all(np.ptp(curve[:, 1]) > 1.98 and np.ptp(curve[:, 0]) < 1e-9 for curve in first)
    (level,) = second
    assert np.ptp(level[:, 0]) > 1.98 and np.abs(level[:, 1]).max() < 1e-9
    with pytest.raises(ValueError, match="box"):
        flow.nullclines(box=[(1, -1), (0, 1)])


def test_nullclines_cross_at_the_fixed_points():
    flow = GRUFlow(U_r=[[-21, 0], [0, 0]], U_h=[[2, 0], [0, 6]], b_z=[1, 0])
    curves = flow.nullclines(500)
    for i in range(2):
        points = np.concatenate(curves[i])
        assert np.abs(flow.residual(points)[:, i]).max() < 0.02  # linear interpolation on a grid of 1/250
        for p in flow.fixed_points():
            assert np.abs(points - p.state).max(axis=1).min() < 0.01
    lstm = Flow(gt.LSTM, np.full((4, 1, 1), 3.0)).nullclines(300)
    assert len(lstm) == 2 and all(len(c) for c in lstm)


def test_bounds_contain_everything():
    for name in ("GRU", "LSTM", "JANET"):
        cell = getattr(gt, name)
        net = gt.Network.sample(gt.Ensemble(cell, gain=5, bias_std=0.5, parameter_std=0.5 if cell.parameters else 0), 2, rng=4)
        flow = Flow.from_network(net)
        bounds = flow.bounds
        for p in flow.fixed_points("certified"):
            assert (bounds[:, 0] <= p.state).all() and (p.state <= bounds[:, 1]).all()
    np.testing.assert_allclose(GRUFlow(U_h=np.eye(2)).bounds, [[-1, 1], [-1, 1]], atol=1e-14)
