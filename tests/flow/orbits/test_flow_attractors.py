"""Verdicts on attractors: slow flows, cycles with small basins, bifurcations, unstable points, tori, chaos; and what they rest on.

Periods and fractions were computed by a separate program (scipy's integrators), the others follow from symmetry.
"""

import numpy as np
import pytest
import sympy as sp
from scipy.integrate import solve_ivp

import gating_theory as gt
from gating_theory.flow import Flow, GRUFlow, attractors, cycles
from gating_theory.flow.orbits.following import Crowd
from gating_theory.flow.orbits.irregular import average_over
from gating_theory.flow.proof.attracting import attracting_set, sampled_set

TURNING = [[3, -3], [3, 3]]
#: A sink, and a stable cycle that holds 12 % of the square.
SMALL_BASIN = GRUFlow(U_z=[[-1.2, -5.52], [-5.44, 1]], U_r=[[-0.72, 0.227], [1.93, 2.52]], U_h=[[2.81, -4.51], [3.82, 1.616]])
#: A sink behind a gate that is nearly shut, with eigenvalues -.0015 and -.84.
SLOW = GRUFlow(U_z=[[-3.35, -3.68], [4.15, -1.58]], U_h=[[0.997, 1.352], [1.758, 8.674]])


@pytest.mark.parametrize("n", [8, 16, 32, *(pytest.param(n, marks=pytest.mark.nightly) for n in (12, 24))])
def test_a_cycle_with_a_small_basin_is_found_from_every_grid(n):
    result = attractors(SMALL_BASIN, n)
    (cycle,) = result.cycles
    assert result.ok and result.n_undecided == 0 and len(result.sinks) == 1
    assert cycle.stable and cycle.period == pytest.approx(18.0501, abs=6e-5)
    # 12 % of the square: counting error of n^2 starts, and the edges of a grid
    assert result.fraction[1] == pytest.approx(0.135, abs=0.3 / n + 0.01)


@pytest.mark.parametrize("flow, n, n_sinks", [(SLOW, 16, 2), (GRUFlow(U_h=2.0001 * np.eye(2)), 8, 4)])
def test_slow_sinks_are_reached(flow, n, n_sinks):
    result = attractors(flow, n)
    assert result.ok and result.n_undecided == 0 and len(result.sinks) == n_sinks and result.proved.all()
    assert result.fraction.sum() == pytest.approx(1.0)
    if n_sinks == 4:
        assert (result.fraction == 0.25).all()
        # h = tanh(1.00005 h): h^2 = 3 x 5e-5 to leading order
        assert np.abs(result.sinks) == pytest.approx(np.sqrt(1.5e-4), rel=1e-3)


@pytest.mark.parametrize("b, period", [(2, 54.251), (7, None)])
def test_shut_gates_only_slow_a_cycle_down(b, period):
    result = attractors(GRUFlow(U_h=TURNING, b_z=[b, b]), 4)
    (cycle,) = result.cycles
    # one factor 1 - z for both units: the period is that of z = 1/2 times (1 + exp b) / 2
    assert result.ok and cycle.period == pytest.approx(12.93377075908 * (1 + np.exp(b)) / 2, rel=1e-8)
    assert cycle.multipliers[0].real == pytest.approx(0.025536506, rel=1e-6)
    if period:
        assert cycle.period == pytest.approx(period, abs=1e-3)


#: Three units, weights to three or more digits, with gates that shut to 1e-13.
RELAXING = GRUFlow(
    U_h=[[2.037, -4.776, 30.504], [14.819, -5.649, 11.548], [-40.646, 6.197, 17.328]],
    U_r=[[-1.79, -7.102, 5.658], [19.586, 2.049, -11.207], [14.458, -18.785, 5.032]],
    U_z=[[-5.82, 9.306, -8.495], [13.238, 3.003, -17.268], [-19.738, -3.161, 12.942]],
    b_h=[0.635, 0.336, -1.18],
    b_r=[3.69, 1.887, 1.402],
    b_z=[-4.924, 5.939, 6.815],
)


def test_a_relaxation_oscillation_behind_shut_gates_is_a_cycle():
    result = attractors(RELAXING, 2)
    (cycle,), period = result.cycles, 4.07071327e11
    assert result.ok and len(result.sinks) == 1 and result.label.size == 8 and not result.irregular
    # LSODA, crossings of h_0 = 0 from below, tolerance 1e-9
    assert cycle.stable and cycle.period == pytest.approx(period, rel=1e-7)


def test_no_average_where_it_would_show_nothing_or_take_too_long():
    crowd = Crowd(RELAXING, np.array([[-0.9, -1.0, -0.02], [0.5, 0.5, 0.5]]))
    crowd.advance(np.arange(2), 800)
    passed = crowd.time[0]
    assert passed > 1e11  # while the longest average is 1e6
    assert average_over(crowd, 0, passed, 2e6) == (0.0, 0.0)
    time, steps = average_over(crowd, 0, 100.0, 2e6)
    assert time >= 5000.0 and steps <= 1e6
    assert average_over(crowd, 0, 100.0, 1e3) == (0.0, 0.0)


def test_at_a_bifurcation_the_sink_is_undecided_and_that_is_said():
    result = attractors(GRUFlow(U_h=[[2, -2], [2, 2]]), 2)
    assert result.status.code == "undecided" and not result.ok and len(result) == 0
    assert result.n_undecided == 4 and len(result.reasons) == 1 and "at a bifurcation" in str(result)


def test_a_time_limit_is_said():
    result = attractors(GRUFlow(U_h=TURNING), 2, t_max=3.0)
    assert result.n_undecided == 4 and "t = 3" in result.status.text and not result.ok


def test_starts_on_unstable_points_are_told_apart():
    result = attractors(GRUFlow(U_h=3.0))
    assert result.n_on_unstable == 1 and result.n_undecided == 0 and result.ok
    assert result.label[50] == -2 and result.starts[50, 0] == 0.0 and set(np.delete(result.label, 50)) == {0, 1}
    # the axes of nine symmetric points are the stable manifolds of the saddles on them
    result = attractors(GRUFlow(U_h=6 * np.eye(2)), 5)
    on_axis = (result.starts == 0.0).any(axis=-1)
    assert ((result.label == -2) == on_axis).all() and result.n_on_unstable == 9 and result.ok
    assert (result.fraction == 4 / 25).all() and "stable manifold" in str(result)


@pytest.mark.parametrize("flow", [SLOW, SMALL_BASIN, GRUFlow(U_h=2.0001 * np.eye(2)), GRUFlow(U_h=[[3, -9], [9, 1]], b_h=[2, 1.0])])
def test_attracting_sets_against_an_independent_integrator(flow):
    rng = np.random.default_rng(1)
    for point in flow.fixed_points():
        if point.kind != "sink":
            continue
        for found in (attracting_set(flow, point, 3.0), sampled_set(flow, point.state, 3.0)):
            edge = rng.standard_normal((3, 2))
            y = edge @ found.frame.T
            size = np.hypot(*y.T) if found.paired.any() else np.abs(y).max(axis=1)
            edge = point.state + 0.999 * edge / size[:, None]
            assert found.holds(edge).all() and not found.holds(point.state + 1.01 * (edge - point.state)).any()
            assert (np.abs(edge - point.state) <= found.half_widths).all()
            time = 30.0 / np.abs(point.eigenvalues.real).min()
            for x in edge:
                run = solve_ivp(lambda t, s: flow(s), (0.0, time), x, method="LSODA", rtol=1e-9, atol=1e-12)
                assert found.holds(run.y.T[1:]).all() and np.abs(run.y[:, -1] - point.state).max() < 1e-6


def test_stiff_steps_against_an_independent_integrator():
    # two units, one ten thousand times slower than the other
    flow = GRUFlow(U_h=TURNING, b_z=[9.0, 0.0])
    start = np.array([[0.3, -0.2]])
    # one time for both: the crowd stops there
    errors = []
    for rtol in (1e-4, 1e-6, 1e-8):
        crowd = Crowd(flow, start, t_max=1500.0, rtol=rtol)
        crowd.advance(np.arange(1), 100_000)
        assert crowd.time[0] == pytest.approx(1500.0)
        run = solve_ivp(lambda t, s: flow(s), (0.0, 1500.0), start[0], method="Radau", rtol=1e-11, atol=1e-13)
        errors.append(np.abs(crowd.states[0] - run.y[:, -1]).max())
    assert errors[0] < 1e-2 and errors[1] < 1e-5 and errors[2] < 1e-7


def test_the_method_is_of_fourth_order():
    from gating_theory.flow.orbits.following import step_functions
    from gating_theory.flow.orbits.following_kernels import step

    flow = GRUFlow(U_h=TURNING, U_z=[[1, 0], [2, -1]])
    field, _ = step_functions(flow)
    x = np.array([0.3, -0.2])
    errors = []
    for h in (0.2, 0.1):
        new, u, trial, A, order = np.empty(2), np.empty((6, 2)), np.empty((1, 2)), np.empty((2, 2)), np.empty(2, np.int64)
        step(field, flow.flat, 1.0, x, flow(x), flow.jacobian(x), h, 1e-6, 1e-9, new, u, trial, A, order)
        run = solve_ivp(lambda t, s: flow(s), (0.0, h), x, method="DOP853", rtol=1e-13, atol=1e-15)
        errors.append(np.abs(new - run.y[:, -1]).max())
    # one step of half the length: 2^5, up to the next order
    assert 20.0 < errors[0] / errors[1] < 50.0


def test_four_units_and_cells_without_a_closed_form():
    # two switches beside a rotation: cycles at four places, which no list of fixed points is needed for
    flow = GRUFlow(U_h=np.block([[np.array(TURNING), np.zeros((2, 2))], [np.zeros((2, 2)), 6 * np.eye(2)]]))
    result = attractors(flow, np.random.default_rng(0).uniform(-1, 1, (24, 4)))
    assert len(result.cycles) == 4 and len(result.sinks) == 0 and result.n_undecided == 0 and not result.listed
    assert "not proved" in result.status.text
    assert [c.period for c in result.cycles] == pytest.approx([12.93377075908] * 4, rel=1e-9)
    result = attractors(GRUFlow(U_h=6 * np.eye(4)), rng=0)
    assert len(result.sinks) == 16 and result.ok and not result.proved.any() and result.starts.shape == (256, 4)
    s, y, z = sp.symbols("s y z", real=True)
    own = gt.Cell(name="own", state=[s], fields=[y], messages=[s], update=[s + sp.tanh(y) - s - s**3])
    flow = Flow(own, np.array([[[3.0, 0.0], [0.0, 3.0]]]))
    result = attractors(flow, 6)
    assert len(result.sinks) == 4 and result.ok and not result.listed
    # tanh(3 s) = s + s^3 in each unit
    assert np.abs(np.tanh(3 * result.sinks) - result.sinks - result.sinks**3).max() < 1e-10


@pytest.mark.slow
def test_tori_and_chaos_have_their_exponents(tmp_path):
    """Attractors that are neither points nor cycles are told apart by their Lyapunov exponents."""
    x, y, z, u = sp.symbols("x y z u", real=True)
    velocity = [10 * (u - x), x * (28 - z) - y, x * y - sp.Rational(8, 3) * z]
    cell = gt.Cell(name="Lorenz", state=[x, y, z], fields=[u], messages=[y], update=[s + v for s, v in zip((x, y, z), velocity)])
    result = attractors(Flow(cell, np.ones((1, 1, 1))), np.random.default_rng(0).uniform(-1, 1, (10, 3)))
    (chaos,) = result.irregular
    assert chaos.kind == "chaos" and result.ok and result.fraction[-1] == 1.0
    # Sprott (2003)
    assert chaos.exponents.exponents[0] == pytest.approx(0.9056, abs=5 * chaos.exponents.stderr[0] + 1e-3)
    flow = GRUFlow(U_h=np.kron(np.eye(2), TURNING), b_z=[0, 0, 0.5, 0.5])
    result = attractors(flow, np.random.default_rng(0).uniform(-1, 1, (6, 4)))
    (torus,) = result.irregular
    assert torus.kind == "torus" and result.ok and torus.exponents.n_zero == 2 and "torus" in str(result)
    assert str(gt.load(gt.save(result, tmp_path / "torus.json"))) == str(result)


def test_repelling_cycles_are_all_tried_too():
    # backwards in time the cycle around the focus attracts some of the starts only
    flow = GRUFlow(U_h=[[-6, 27], [-7.5, 8.5]], b_h=[-1.6, 1])
    for n in (4, 7):
        found = cycles(flow, n)
        assert [c.stable for c in found] == [True, False]
        assert found[1].period == pytest.approx(4.206386148, abs=6e-10)
