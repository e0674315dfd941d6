"""Attractors of the Euler map beside those of the flow: rotation by direct counting, periods and multipliers by iteration."""

import numpy as np
import pytest
from exact_flows import turning_units
from scipy.integrate import solve_ivp

import gating_theory as gt
from gating_theory.flow import GRUFlow, flow_and_map, map_attractors

TURNING = [[3, -3], [3, 3]]


def rotation(k, alpha):
    return k * np.array([[np.cos(alpha), -np.sin(alpha)], [np.sin(alpha), np.cos(alpha)]])


@pytest.mark.parametrize(
    "U, b, steps",
    [
        (rotation(3, np.pi / 3), 0, 10.4808),
        ([[0, -4], [4, 0]], 0, 5.9834),
        ([[3, -3], [3, 3]], 0, 15.204),
        ([[3, -3], [3, 3]], 1, 26.722),
    ],
)
def test_invariant_circles(U, b, steps):
    flow = GRUFlow(U_h=U, b_z=[b, b])
    (circle,) = map_attractors(flow, 4)
    assert circle.kind == "circle" and circle.steps_per_turn == pytest.approx(steps, abs=6e-4)
    # by counting turns over 2e5 steps: good to one turn in all
    orbit = flow.euler(circle.states[0], 1.0, 200_000, trajectory=True)
    w = orbit[:, 0] + 1j * orbit[:, 1]
    turns = np.abs(np.angle(w[1:] / w[:-1]).sum()) / (2 * np.pi)
    assert circle.steps_per_turn == pytest.approx(200_000 / turns, rel=2.0 / turns)
    assert abs(circle.lyapunov) < 1e-3


@pytest.mark.parametrize("U, period", [([[3, -20], [20, 3]], 6), ([[3, -30], [30, 3]], 4)])
def test_locked_oscillations(U, period):
    flow = GRUFlow(U_h=U)
    found = [a for a in map_attractors(flow, 8) if a.period == period]
    assert found
    x = found[0].states[0]
    np.testing.assert_allclose(flow.euler(x, 1.0, period), x, atol=1e-12)
    assert np.abs(found[0].multipliers).max() < 1


@pytest.mark.parametrize("u, amplitude", [(-5.9, 0.0), (-6.1, 0.0734361), (-8.0, 0.2585054)])
def test_flips(u, amplitude):
    result = map_attractors(GRUFlow(U_h=u), [[0.0], [0.3], [-0.7]])
    (only,) = result.attractors
    assert only.period == (2 if amplitude else 1)
    assert np.abs(only.states).max() == pytest.approx(amplitude, abs=1.1e-7)  # known to seven digits
    # -x = x/2 + tanh(u x/2)/2 on the orbit of period 2
    x = np.abs(only.states).max()
    assert 3 * x == pytest.approx(-np.tanh(0.5 * u * x) if amplitude else 0.0, abs=1e-12)
    # the first start is the unstable fixed point 0 itself
    assert ("unstable orbit" in result.status.text) == bool(amplitude) == (result.status.code == "unstable") and result.ok


def steps_per_turn(b):
    """Of the two-unit map with gates b_z = (b, b), where it is one circle and nothing else."""
    found = map_attractors(GRUFlow(U_h=TURNING, b_z=[b, b]), 3)
    (circle,) = found
    assert found.ok and circle.kind == "circle" and circle.rotation_error < 1e-12 and circle.extent_change < 1e-9
    assert (found.label >= 0).sum() == 8 and found.label[1, 1] == -2  # the middle start is the source
    return circle.steps_per_turn


#: Period of the flow with open gates; with all gates shut alike it is (1 + e^b) / 2 times as long.
PERIOD = 12.93377075908
#: Steps a turn at b_z = (b, b), by iteration.
KNOWN = {0: 15.204, 1: 26.7219, 2: 57.253, 3: 139.542}


def check_longer_than_the_flow(gates):
    """The map takes longer for a turn than the flow; by how much tends to a constant as gates close, since step 1 becomes small."""
    longer = [steps_per_turn(b) - PERIOD * (1 + np.exp(b)) / 2 for b in gates]
    assert (np.diff(longer) > 0).all() and 2.2 < longer[0] and longer[-1] < 3.33
    assert np.abs(np.diff(longer) / np.diff(gates)).max() < 0.5


def test_one_circle_however_slow_the_gates():
    for b, steps in KNOWN.items():
        assert steps_per_turn(b) == pytest.approx(steps, abs=2e-3)
    check_longer_than_the_flow([0.0, 1.5, 3.5, 4.5, 7.0])


@pytest.mark.nightly
def test_one_circle_along_the_bias_of_the_update_gate():
    check_longer_than_the_flow(np.arange(0.0, 10.1, 0.25))


def test_what_spirals_into_a_point_is_no_circle():
    onset = 2 * (np.sqrt(3 + np.cos(np.pi / 3) ** 2) - np.cos(np.pi / 3))  # |1 + lambda| = 1
    (focus,) = map_attractors(GRUFlow(U_h=rotation(0.999 * onset, np.pi / 3)), 4)
    assert focus.kind == "fixed" and focus.proved and focus.lyapunov == pytest.approx(-5.9e-4, abs=1e-5)
    (small,) = map_attractors(GRUFlow(U_h=rotation(1.001 * onset, np.pi / 3)), 4)
    assert small.kind == "circle" and small.extent_change < 1e-6


def test_slow_sinks():
    found = map_attractors(GRUFlow(U_h=2.0001 * np.eye(2)), 8)
    assert found.ok and [a.kind for a in found] == ["fixed"] * 4 and all(a.proved for a in found)
    # tanh(1.00005 h) = h: each start goes to the point of its own quadrant
    np.testing.assert_array_equal(np.sign(found.starts), np.sign([[found[k].states[0] for k in row] for row in found.label]))
    # a pitchfork exactly: nothing is settled, nothing is made up, and no millions of steps are spent on it
    open_ = map_attractors(GRUFlow(U_h=2 * np.eye(2)), 2)
    assert len(open_) == 0 and not open_.ok and "more weakly than linearly" in str(open_) and open_.n_steps <= 100_000


def test_behind_a_shut_gate_nothing_is_settled():
    found = map_attractors(GRUFlow(U_h=TURNING, b_z=[50, 0]), 4)
    assert len(found) == 0 and found.status.code == "unsettled" and (found.label == -1).all()
    assert "hardly move" in found.reasons[0] and "no attractor" in str(found)
    # those that were added are not counted among the starts: two beside the one fixed point, two along its unstable plane
    assert found.reasons[0].startswith("16 starts and 4 orbits from beside fixed points would")


def test_creeping_orbits_arrive():
    # gates shut to 1e-7: after 1e9 steps of the map every start is where the flow says that it goes
    flow = GRUFlow(U_h=[[18, -2], [8, -7]], U_z=[[1, -3], [3, -14]], b_z=[-5, 1], b_h=[5.6, -8])
    found = map_attractors(flow, 4)
    assert found.ok and {a.kind for a in found} == {"fixed"} and all(a.proved for a in found)
    slowest = max(a.lyapunov for a in found)
    assert -1e-5 < slowest < 0
    ends = flow.integrate(found.starts[0, 0], 1e6, method="Radau", rtol=1e-9, atol=1e-11).y[:, -1]
    near = [np.linalg.norm(a.states[0] - ends) for a in found]
    assert found.label[0, 0] == np.argmin(near)


@pytest.mark.parametrize(
    "weights, shut",
    [
        # contraction by 1e-3 a step while the other coordinate moves by 1e-8
        (
            dict(
                U_h=[[11.91, 6.27], [40.37, -9.49]], U_r=[[12.63, 8.89], [-2.87, -16.63]], U_z=[[15.09, -13.64], [-4.73, 8.83]],
                b_h=[5.58, -4.23], b_r=[-0.16, -1.29], b_z=[5.91, 12.52],
            ),
            0,
        ),
        # two of a hundred starts sit where 1 - z is below 1e-16
        (
            dict(
                U_h=[[6.09, 26.37], [22.77, -31.32]], U_r=[[13.64, -7.64], [-19.13, -12.29]], U_z=[[-9.67, -0.07], [-10.32, -15.1]],
                b_h=[-1.32, 9.62], b_r=[-3.51, 2.32], b_z=[0.4, 13.29],
            ),
            2,
        ),
    ],
)  # fmt: skip
def test_orbits_between_slow_and_fast_gates_arrive(weights, shut):
    flow = GRUFlow(**weights)
    found = map_attractors(flow, 10)
    assert (found.label == -1).sum() == shut and found.n_steps < 300_000
    assert {a.kind for a in found} == {"fixed"} and all(a.proved for a in found)
    # by scipy, whose time may be as long as these gates need, where the flow takes starts
    for place in ((9, 0), (4, 6), (9, 9)):
        start = found.starts[place]
        end = solve_ivp(
            lambda t, x: flow(x), (0, 1e12), start, "Radau", rtol=1e-9, atol=1e-12, jac=lambda t, x: flow.jacobian(x)
        ).y[:, -1]
        assert found.label[place] == np.argmin([np.linalg.norm(a.states[0] - end) for a in found])


def test_a_very_slow_cycle_is_given_up_early():
    # the flow has one stable cycle, of period 1e8: far longer than all steps that are allowed
    flow = GRUFlow(
        U_h=[[-18.9, -27.24], [-1.61, -9.24]], U_r=[[0.26, -0.7], [5.6, -5.29]], U_z=[[-1.3, 29.99], [-0.99, 7.66]],
        b_h=[1.59, 1.23], b_r=[-4.42, 2.77], b_z=[-0.12, 4.22],
    )  # fmt: skip
    found = map_attractors(flow, [[0.1, 0.1], [-0.5, 0.5]])
    assert len(found) == 0 and (found.label == -1).all() and found.n_steps < 300_000
    assert found.reasons[0].startswith("2 starts and ") and "creep" in found.reasons[0]


@pytest.mark.parametrize("b", [6, 7, pytest.param(9, marks=pytest.mark.nightly)])
def test_the_exponent_of_a_slow_circle_is_0_within_its_error(b):
    (circle,) = map_attractors(GRUFlow(U_h=TURNING, b_z=[b, b]), [[0.3, 0.2]])
    assert circle.kind == "circle" and abs(circle.lyapunov) <= circle.lyapunov_error
    # and the error is small beside the rate at which others come closer, about one in a turn
    assert circle.lyapunov_error < 0.1 / circle.steps_per_turn


def test_chaos_of_one_and_two_units():
    one = GRUFlow(U_z=-4.2, U_r=2.5, U_h=-5.0, b_z=-0.9, b_r=0.5, b_h=0.27)
    (chaos,) = map_attractors(one, 11)
    path = one.euler(chaos.states[0], 1.0, 400_000, trajectory=True)
    mean = np.log(np.abs(one.map_jacobian(path))).mean()
    assert chaos.kind == "chaos" and chaos.lyapunov == pytest.approx(mean, abs=5 * chaos.lyapunov_error + 2e-3) and mean > 0.3
    two = GRUFlow(U_z=[[-5, 9], [2, 14]], U_h=[[1, -8.4], [-3.6, -4.2]], b_h=[1.3, 0.6])
    found = map_attractors(two, 4)
    assert [a.kind for a in found if a.lyapunov > 0] == ["chaos"] and found.ok


def test_tori():
    found = map_attractors(turning_units([1.0, np.sqrt(2.0)]), [[0.3, 0.2, 0.1, -0.4], [-0.5, 0.2, 0.6, 0.1]], step=0.1)
    (torus,) = found
    assert torus.kind == "torus" and found.ok and (found.label == 0).all()
    # r -> r |1 + step (1 - r^2) + i step omega|: on the circle the modulus is 1
    for i, omega in enumerate([1.0, np.sqrt(2.0)]):
        square = 1.0 + (1.0 - np.sqrt(1.0 - (0.1 * omega) ** 2)) / 0.1
        np.testing.assert_allclose(torus.states[:, i] ** 2 + torus.states[:, 2 + i] ** 2, square, rtol=1e-9)


def test_periodic_orbits_close():
    flow = GRUFlow(U_h=[[3, -19], [19, 3]])
    found = map_attractors(flow, 4)
    for orbit in found:
        assert orbit.kind in ("periodic", "circle")
        if orbit.period:
            np.testing.assert_allclose(flow.euler(orbit.states[-1], 1.0), orbit.states[0], atol=1e-11)


def test_saved_and_loaded(tmp_path):
    found = map_attractors(GRUFlow(U_h=TURNING), 2)
    assert gt.load(gt.save(found, tmp_path / "orbits.json")) == found


def test_side_by_side_same_points_other_stability():
    result = flow_and_map(GRUFlow(U_h=rotation(3, np.pi / 3)), starts=4)
    assert len(result.points) == 1 and result.flow_stable[0] and not result.map_stable[0] and result.disagree[0]
    assert result.flow_attractors.cycles == [] and result.map_attractors[0].kind == "circle"
    # |1/2 + (k/4) e^{i alpha}|
    assert np.abs(result.multipliers[0]).max() == pytest.approx(abs(0.5 + 0.75 * np.exp(1j * np.pi / 3)), rel=1e-12)
    text = str(result)
    assert "not the same" in text and "steps per turn" in text
    small = flow_and_map(GRUFlow(U_h=rotation(3, np.pi / 3)), step=0.05, starts=4)
    assert not small.disagree.any()


def test_bad_arguments():
    flow = GRUFlow(U_h=[[3, -3], [3, 3]])
    for call, match in (
        (lambda: map_attractors(flow, step=0.0), "step"),
        (lambda: map_attractors(flow, [[1.0]]), "starts"),
        (lambda: map_attractors(flow, 0), "starts"),
        (lambda: map_attractors(flow, 2, n_transient=0), "n_transient"),
        (lambda: map_attractors(flow, 2, max_steps=0), "max_steps"),
        (lambda: map_attractors(flow, 2, max_period=0), "max_period"),
        (lambda: flow_and_map(flow, -1.0), "step"),
    ):
        with pytest.raises(ValueError, match=match):
            call()
