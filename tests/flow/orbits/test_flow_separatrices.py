"""Manifolds of saddles: along the flow, where scipy's solver has them, and where they are known exactly."""

import time

import numpy as np
import pytest
from scipy.spatial import cKDTree

import gating_theory as gt
from gating_theory.errors import CapabilityError
from gating_theory.flow import GRUFlow, cycles, separatrices
from gating_theory.flow.orbits.paths import paths
from gating_theory.flow.orbits.trajectories import advance

#: A saddle, one of whose unstable branches winds onto a cycle, the other ends in a sink.
FLOW = GRUFlow(U_h=[[4.5, -2], [10, 0]], b_h=[0.4, 1.2])
#: A saddle at 0 whose manifolds are the axes.
AXES = GRUFlow(U_h=[[3, 0], [0, 1]])


def lengths(curve):
    return np.linalg.norm(np.diff(curve, axis=0), axis=1)


def test_separatrices_are_those_of_scipy():
    """From the same start beside the saddle, by another method at a thousandth of the tolerance, forwards and backwards."""
    found = separatrices(FLOW, time=60.0)
    for name, sign in (("unstable", 1.0), ("stable", -1.0)):
        assert len(found[name]) == 2
        for curve in found[name]:
            assert np.abs(FLOW(curve[0])).max() < 1e-12
            # backwards it leaves the box some time, and runs away
            away = lambda t, state: 1.3 - np.abs(state).max()  # noqa: E731
            away.terminal = True
            run = FLOW.integrate(curve[1], sign * 60.0, rtol=1e-10, atol=1e-12, dense_output=True, events=away)
            exact = run.sol(np.linspace(0.0, run.t[-1], 200_000)).T
            # times 3e-4 apart, at speeds up to 3 backwards; tolerances of 1e-7 a step
            assert cKDTree(exact).query(curve[1:])[0].max() < 1e-3


def test_separatrices_run_along_the_flow():
    curves = separatrices(FLOW, time=20.0, n=200)
    assert len(curves["stable"]) == 2 and len(curves["unstable"]) == 2
    for name, sign in (("unstable", 1.0), ("stable", -1.0)):
        for curve in curves[name]:
            middle, along = 0.5 * (curve[2:-1] + curve[3:]), np.diff(curve[2:], axis=0)
            velocity = sign * FLOW(middle)
            cosine = np.sum(along * velocity, axis=1) / np.linalg.norm(along, axis=1) / np.linalg.norm(velocity, axis=1)
            assert np.quantile(cosine, 0.05) > 0.99


def test_known_manifolds_are_followed_to_their_ends():
    """Where units are uncoupled the manifolds are the axes; unstable ones end in the sinks, stable ones at the edge of the box."""
    found, sink = separatrices(AXES), AXES.fixed_points().states[:, 0].max()
    for curve in found["unstable"]:
        assert np.abs(curve[:, 1]).max() < 1e-12
        assert abs(abs(curve[-1, 0]) - sink) < 1e-6  # at rest: speed below 1e-7, at a rate of .3
    for curve in found["stable"]:
        assert np.abs(curve[:, 0]).max() < 1e-12
        assert 1.19 < abs(curve[-1, 1]) <= 1.2  # 10 % beyond [-1, 1], points .005 apart
    for curve in separatrices(AXES, box=(-0.5, 0.5))["unstable"]:
        assert np.abs(curve).max() <= 0.5 < np.abs(curve).max() + 0.01


def test_gates_that_are_shut_change_only_the_time():
    slow = GRUFlow(U_h=[[3, 0], [0, 1]], b_z=[7, 7])  # 1100 times slower
    for one, other in zip(separatrices(slow)["unstable"], separatrices(AXES)["unstable"]):
        # at rest below a speed of 1e-7, here at a rate of 6e-4: 2e-4
        assert min(np.abs(one[-1] - other[-1]).max(), np.abs(one[-1] + other[-1]).max()) < 1e-3


def test_what_winds_onto_a_cycle_ends_at_its_length():
    found = separatrices(FLOW, length=9.0)["unstable"]
    whole = [lengths(curve).sum() for curve in found]
    winds = int(np.argmax(whole))
    assert 8.9 < whole[winds] < 9.1 and whole[1 - winds] < 2.0
    (cycle,) = cycles(FLOW)
    far = separatrices(FLOW, length=60.0, time=400.0)["unstable"][winds]
    # tolerances of 1e-7, and 2e-5 of the points' interpolation in the distance
    assert cycle.distance(far[-50:]).max() < 1e-4


def test_points_are_as_close_as_n_says():
    for n in (20, 100, 1000):
        for curves in separatrices(FLOW, n=n).values():
            for curve in curves:
                # the side of the box is 2; speed changes within a step
                assert lengths(curve).max() < 1.6 * 2.0 / n
                assert lengths(curve)[1:-1].min() > 0.19 * 2.0 / n


def test_time_bounds_how_far_they_are_followed():
    for curve in separatrices(FLOW, time=3.0)["unstable"]:
        np.testing.assert_allclose(advance(FLOW, curve[1], 3.0), curve[-1], atol=1e-6)  # tolerances of 1e-7
    for curve in separatrices(FLOW, time=0.0)["stable"]:
        assert len(curve) == 2


def test_separatrices_take_milliseconds():
    """Processor time; 6 ms were measured where one winds onto a cycle, 170 for the slowest of known topologies."""
    points, taken = FLOW.fixed_points(), []
    for _ in range(4):
        begin = time.process_time()
        separatrices(FLOW, points)
        taken.append(time.process_time() - begin)
    assert sorted(taken)[1] < 0.1


def test_what_is_not_allowed_is_said():
    assert separatrices(GRUFlow(U_h=[[3, -3], [3, 3]])) == {"stable": [], "unstable": []}
    assert paths(FLOW, np.zeros((0, 2)), 1.0, spacing=0.1, box=FLOW.bounds) == []
    for wrong in ({"length": 0.0}, {"time": -1.0}, {"n": 1}, {"box": (1.0, -1.0)}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            separatrices(FLOW, **wrong)
    with pytest.raises(CapabilityError, match="two-dimensional"):
        separatrices(GRUFlow(U_h=np.eye(3)))
    with pytest.raises(CapabilityError, match="input changes"):
        separatrices(AXES.with_input(gt.flow.Periodic(4.0, cosines={"h": [1.0, 0.0]})))
