"""Limit cycles against independent integration, attractors, and what must not count as a cycle.

Numbers were computed by a separate program (shooting with variational equations at tolerance 1e-12), to the digits given.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from gating_theory import ConvergenceError
from gating_theory.flow import GRUFlow, attractors, basins, cycles, find_cycle
from gating_theory.flow.orbits.collocation import from_curve
from gating_theory.flow.orbits.trajectories import advance

ONE = GRUFlow(U_h=[[3, -3], [3, 3]])
BISTABLE = GRUFlow(U_h=[[4.5, -2], [10, 0]], b_h=[0.4, 1.2])
NESTED = GRUFlow(U_h=[[-6, 27], [-7.5, 8.5]], b_h=[-1.6, 1])
OUTER = GRUFlow(U_h=[[8.5, 6], [-7, -4.5]], b_z=[0, 1])
TWO_LOOPS = GRUFlow(U_h=[[6, 2.7], [-22.6, -13.4]], b_z=[0, 1.85])


def check_by_integration(cycle, rel=1e-8):
    """The cycle closes after one period of an independent integrator, and its multiplier is exp of the integrated divergence."""
    flow = cycle.flow
    start = cycle.point
    # an unstable cycle is followed backwards, where it attracts
    sign = 1.0 if cycle.stable else -1.0
    run = flow.integrate(start, sign * cycle.period, rtol=1e-12, atol=1e-14, dense_output=True)
    np.testing.assert_allclose(run.y[:, -1], start, atol=rel * max(1.0, cycle.extent.max()))
    t = np.linspace(0.0, sign * cycle.period, 4001)
    divergence = np.trace(flow.jacobian(run.sol(t).T), axis1=1, axis2=2)
    # the trapezoidal rule over a period converges faster than any power
    integral = cycle.period * divergence[:-1].mean()
    assert np.log(np.prod(cycle.multipliers).real) == pytest.approx(integral, rel=1e-6, abs=1e-6)
    assert np.sum(cycle.exponents) * cycle.period == pytest.approx(integral, rel=1e-6, abs=1e-6)
    assert cycle.liouville == pytest.approx(np.exp(integral), rel=1e-5)


@pytest.mark.parametrize(
    "flow, start, period, multiplier",
    [
        (ONE, [0.1, 0.2], 12.93377075908, 0.025536506),
        (GRUFlow(U_h=[[3, -2], [2, 3]]), [0.1, 0.2], 19.76635285989, 0.0035847374),
        (OUTER, [0.9, -0.9], 53.60725849886, 6.98e-5),
        (GRUFlow(U_h=[[3, -20], [20, 3]]), [0.1, 0.2], 1.912629, 0.582),
        (GRUFlow(U_h=[[3, -30], [30, 3]]), [0.1, 0.2], 1.274857, 0.698),
        (TWO_LOOPS, [0.5, -0.6], 107.5820683, 0.00220424),
        (BISTABLE, [-0.2, 0.3], 10.2591, None),
    ],
)
def test_stable_cycles_to_the_digits_known(flow, start, period, multiplier):
    cycle = find_cycle(flow, start, tol=1e-13)
    digits = len(repr(period).partition(".")[2])
    assert cycle.stable and cycle.period == pytest.approx(period, abs=2.0 * 10.0**-digits)
    if multiplier is not None:
        assert cycle.multipliers[0].real == pytest.approx(multiplier, rel=2e-3 if multiplier in (6.98e-5, 0.582, 0.698) else 3e-6)
    assert cycle.trivial == pytest.approx(1.0, abs=1e-6)
    check_by_integration(cycle, 1e-7)


def log_product(cycle):
    """log of the product of all multipliers: the divergence, which LSODA integrates along with the trajectory."""
    flow, d = cycle.flow, cycle.flow.dim

    def extended(_, state):
        return np.append(flow(state[:d]), np.trace(flow.jacobian(state[:d])))

    run = solve_ivp(extended, (0.0, cycle.period), np.append(cycle.point, 0.0), method="LSODA", rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(run.y[:d, -1], cycle.point, atol=1e-7)  # LSODA is off by 2e-9 to 1e-8
    return run.y[d, -1]


@pytest.mark.parametrize("shut, low, high", [(7.0, -214.0, -213.0), (9.0, -1488.0, -1487.0)])
def test_the_multiplier_of_a_strong_contraction_is_that_of_the_divergence(shut, low, high):
    cycle = find_cycle(GRUFlow(U_h=[[3, -3], [3, 3]], b_z=[shut, 0]), [0.3, 0.1], max_period=1e4)
    total = log_product(cycle)
    assert low < total < high
    assert cycle.exponents == pytest.approx([total / cycle.period], rel=1e-7)
    # below 1e-323 nothing is left of it
    assert cycle.multipliers[0] == pytest.approx(np.exp(total), rel=1e-6) and cycle.ok
    assert (cycle.multipliers[0] == 0.0) == (shut == 9.0)


@pytest.mark.parametrize("shut, ok", [(1.0, True), (5.0, False), (7.0, False)])
def test_multipliers_that_are_rounding_are_said_to_have_few_digits(shut, ok):
    # a third unit apart from the others: its exponent is its own slope at rest, with both gates half open
    cycle = find_cycle(GRUFlow(U_h=[[3, -3, 0], [3, 3, 0], [0, 0, 0.5]], b_z=[shut, 0, 0]), [0.3, 0.1, 0.2])
    pair = find_cycle(GRUFlow(U_h=[[3, -3], [3, 3]], b_z=[shut, 0]), [0.3, 0.1])
    expected = np.sort([pair.exponents[0], 0.5 * (0.5 * 0.5 - 1.0)])
    assert cycle.ok == ok and (cycle.status.code == "converged") == ok
    assert (np.sort(cycle.exponents) == pytest.approx(expected, rel=1e-6)) == ok


def test_the_known_point_is_on_the_cycle():
    assert find_cycle(ONE, [0.1, 0.2]).distance([-0.549379, 0.501285]) < 2e-6  # given to six digits


@pytest.mark.parametrize("d, period", [(0.1, 120.303), (0.01, 390.285)])
def test_period_close_to_the_saddle_nodes_on_the_cycle(d, period):
    b = 2.60809039553088 + d
    cycle = find_cycle(GRUFlow(U_h=[[6, -b], [b, 6]]), [0.1, 0.2])
    assert cycle.period == pytest.approx(period, abs=6e-4)
    # four bottlenecks: T = 4 pi / sqrt(0.102215 d) to leading order
    assert cycle.period == pytest.approx(4 * np.pi / np.sqrt(0.102215 * d), rel=0.35 * np.sqrt(d))


def test_hopf_amplitude_multiplier_and_period():
    k = 4 * (1 + 1e-3)
    a = np.pi / 3
    flow = GRUFlow(U_h=k * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]))
    cycle = find_cycle(flow, [0.03, 0.0], transient=3000.0)
    assert cycle.period == pytest.approx(7.255198262, abs=6e-10)
    # perturbation theory at 1e-3 from onset, relative corrections of that order
    assert cycle.multipliers[0].real == pytest.approx(0.9927807, abs=2e-7)
    assert np.linalg.norm(cycle.states(64), axis=1).mean() == pytest.approx(2 * np.sqrt(1 - 1 / 1.001) * 2 / k, rel=2e-3)


def test_nested_cycles_one_of_them_unstable():
    """Of two nested cycles the unstable one is found too."""
    found = cycles(NESTED)
    assert [c.stable for c in found] == [True, False]
    assert found[0].period == pytest.approx(5.249952657, abs=6e-10) and found[0].multipliers[0].real == pytest.approx(
        0.848097, abs=6e-7
    )
    assert found[1].period == pytest.approx(4.206386148, abs=6e-10) and found[1].multipliers[0].real == pytest.approx(
        1.12139, abs=6e-6
    )
    for cycle in found:
        check_by_integration(cycle)


@pytest.mark.slow
def test_symmetric_cycles_and_bistability():
    """Two cycles that a symmetry maps to each other are both found; so is a cycle beside a sink."""
    result = attractors(TWO_LOOPS, 8)
    assert len(result.sinks) == 0 and len(result.cycles) == 2 and result.n_undecided == 0
    one, other = (c.states(200) for c in result.cycles)
    assert result.cycles[0].distance(-other).max() < 1e-6 and np.abs(one.mean(0) + other.mean(0)).max() < 1e-6
    result = attractors(BISTABLE, 8)
    assert len(result.sinks) == 1 and len(result.cycles) == 1
    np.testing.assert_allclose(result.sinks[0], [0.882, 1.0], atol=6e-4)
    assert 0 < result.fraction[0] < 1 and result.fraction.sum() == pytest.approx(1.0)


def test_basins_are_where_trajectories_go():
    grid = basins(BISTABLE, 15)
    assert grid.label.shape == (15, 15) and (grid.label >= 0).all()
    for i, j in ((0, 0), (7, 7), (14, 3), (3, 12)):
        end = advance(BISTABLE, [grid.x[i], grid.y[j]], 400.0)
        on_cycle = grid.attractors.cycles[0].distance(end) < 1e-3
        assert grid.label[j, i] == int(on_cycle)


# --- what is not a cycle


@pytest.mark.slow
def test_a_slow_transient_is_not_a_cycle():
    """A trajectory that creeps to its sink is not taken for a cycle."""
    # behind nearly shut gates the state still moves after a thousand time units, and ends at rest
    flow = GRUFlow(U_h=[[1.5, -1], [1, 1.5]], b_z=[7.0, 7.0])
    moving = advance(flow, [0.9, 0.1], 1000.0)
    assert np.linalg.norm(moving) > 0.05
    with pytest.raises(ConvergenceError, match="no cycle"):
        find_cycle(flow, [0.9, 0.1], transient=50.0, max_period=500.0)
    # the whole box is proved to contract, long before anything has moved
    result = attractors(flow, 2, t_max=1.0)
    assert result.cycles == [] and result.ok and result.proved.all() and (result.reach > 1.0).all()


def test_a_weak_focus_is_not_a_cycle():
    a = np.pi / 3
    flow = GRUFlow(U_h=4 * (1 - 1e-4) * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]))
    # it returns to its section to 1e-3 of its size: the orbit that Newton converges to is the fixed point
    with pytest.raises(ConvergenceError):
        find_cycle(flow, [0.05, 0.0], transient=100.0, max_period=100.0)


def test_rest_and_escape_are_not_cycles():
    with pytest.raises(ConvergenceError):
        find_cycle(GRUFlow(U_h=[[6, 0], [0, 6]]), [0.3, 0.2], max_period=100.0)
    with pytest.raises(ConvergenceError, match="bounds"):
        find_cycle(ONE, [0.9, 0.9], backward=True, max_period=100.0)


def test_a_loop_passed_twice_is_one_cycle():
    cycle = find_cycle(ONE, [0.1, 0.2])
    from gating_theory.flow.orbits.cycle import cycle_from_orbit

    twice = from_curve(lambda t: cycle.orbit(np.asarray(t) / cycle.period), 2 * cycle.period, 40)
    assert cycle_from_orbit(ONE, twice).period == pytest.approx(cycle.period, rel=1e-10)


@pytest.mark.slow
@settings(max_examples=4, deadline=None)
@given(
    entries=st.lists(st.floats(-6, 6), min_size=4, max_size=4),
    b=st.floats(-1, 1),
)
def test_random_rotations_stable_cycles_close(entries, b):
    """Cycles of random rotating flows close under an independent integrator."""
    U = np.array([[3.0, -4.0], [4.0, 3.0]]) + 0.15 * np.array(entries).reshape(2, 2)
    result = attractors(GRUFlow(U_h=U, b_h=[b, 0.0]), 4)
    for cycle in result.cycles:
        assert cycle.stable
        check_by_integration(cycle, 1e-6)
    # a fixed point that repels and nothing else in a box that nothing leaves: a cycle there must be
    if len(result.flow.fixed_points()) == 1 and len(result.sinks) == 0:
        assert len(result.cycles) >= 1


@pytest.mark.parametrize(
    "call, match",
    [
        (lambda: find_cycle(ONE, [0.1]), "start"),
        (lambda: find_cycle(GRUFlow(U_h=3.0), [0.1]), "two dimensions"),
        (lambda: find_cycle(ONE, [0.1, 0.2], max_period=-1.0), "max_period"),
        (lambda: attractors(ONE, 0), "starts"),
        (lambda: attractors(ONE, [[0.1, 0.2, 0.3]]), "starts"),
        (lambda: basins(GRUFlow(U_h=3.0)), "two dimensions"),
        (lambda: basins(ONE, 5, box=(1.0, -1.0)), "box"),
    ],
)
def test_bad_arguments(call, match):
    with pytest.raises(ValueError, match=match):
        call()
