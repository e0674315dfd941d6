"""Numbers of the page of a two-unit GRU against the library, called directly."""

import time

import numpy as np
import pytest
from scipy.spatial import cKDTree

from gating_theory import flow
from gating_theory.explorer.flow_numbers import cycles_of, portrait, separatrices_of, thinned, traced
from gating_theory.explorer.flow_view import FlowView, presets

EXAMPLES, KNOWN = presets().values()


@pytest.mark.parametrize("view", [EXAMPLES["A cycle beside a sink"], KNOWN["3 sinks, 2 sources, 4 saddles"]])
def test_the_portrait_is_the_library_s(view):
    here, points = portrait(view), view.flow().fixed_points()
    assert here.topology == points.topology.words and here.complete == points.complete and here.status == str(points.status)
    assert here.kinds == tuple(p.kind for p in points) and here.labels == tuple(p.label for p in points)
    assert (here.states == points.states).all() and (here.eigenvalues == [p.eigenvalues for p in points]).all()
    for i, curves in enumerate(here.nullclines):
        # linear interpolation on a grid of 1/60: the residual beside a curve is of second order in it, times slopes up to 20
        off = view.flow().residual(np.concatenate(curves))[:, i]
        assert np.abs(off).max() < 0.06 and np.median(np.abs(off)) < 1e-3
    assert np.isfinite(here.streamlets).all() and here.streamlets.shape[1:] == (7, 2)


def test_a_change_costs_less_than_a_tenth_of_a_second():
    """Processor time of what follows a slider, with a trajectory, up to fifteen fixed points; 12 to 25 ms were measured."""
    for view in (EXAMPLES["A limit cycle"], KNOWN["7 sinks, 1 source, 7 saddles"]):
        taken = []
        for _ in range(5):
            begin = time.process_time()
            portrait(view.started(0.3, 0.4))
            taken.append(time.process_time() - begin)
        assert sorted(taken)[2] < 0.1


def test_trajectories_are_those_of_scipy():
    """Points of a curve lie on the trajectory by scipy's solver, and the curve ends where that does."""
    view = FlowView.from_query("U_h=3,-3,3,3&b_h=0.2,0&start=0.1,0.2&start=-0.9,0.9")
    for start, curve in zip(view.starts, portrait(view).trajectories):
        run = view.flow().integrate(np.array(start), 200.0, dense_output=True)
        exact = run.sol(np.linspace(0.0, 200.0, 400_000)).T
        # steps of 5e-4 at speeds below 1
        assert cKDTree(exact).query(curve)[0].max() < 1e-3
        assert (curve[0] == start).all()
    still = FlowView.from_query("U_h=3,0,0,1&start=0.5,0.5")
    end = portrait(still).trajectories[0][-1]
    assert np.abs(still.flow().fixed_points().states - end).max(axis=1).min() < 1e-5  # at rest: speed below 1e-7


def test_separatrices_are_the_library_s():
    """Manifolds of saddles are those of flow.separatrices, with fewer points."""
    for name in ("Beyond the homoclinic loop", "Before four saddle-nodes on a circle"):
        view = EXAMPLES[name]
        here, exact = separatrices_of(view), flow.separatrices(view.flow(), length=20.0)
        for ours, theirs in ((here.stable, exact["stable"]), (here.unstable, exact["unstable"])):
            assert len(ours) == len(theirs)
            # curves of theirs have points at distances of .006
            points = np.concatenate(ours)
            assert cKDTree(np.concatenate(theirs)).query(points)[0].max() < 0.006


def test_cycles_are_the_library_s():
    for name, n in (("A limit cycle", 1), ("An unstable cycle in a stable one", 2), ("Four sinks", 0)):
        found, exact = cycles_of(EXAMPLES[name]).cycles, flow.cycles(EXAMPLES[name].flow())
        assert len(found) == len(exact) == n
        for ours, theirs in zip(found, exact):
            assert ours.period == theirs.period and ours.multiplier == theirs.multipliers[0].real
            assert ours.stable == theirs.stable and ours.text == str(theirs)
            # interpolation between 400 states at equal times
            assert theirs.distance(ours.states).max() < 1e-3 and (ours.states[0] == ours.states[-1]).all()


def test_thinned_curves_are_where_they_were():
    angle = np.linspace(0.0, 6.0, 2000)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    few = thinned(circle)
    assert len(few) < 300 and (few[0] == circle[0]).all() and (few[-1] == circle[-1]).all()
    middles = 0.5 * (few[1:] + few[:-1])
    # six passes of at most 1e-4 each
    assert np.abs(np.linalg.norm(middles, axis=1) - 1.0).max() < 6e-4
    assert traced(EXAMPLES["Four sinks"].flow(), np.zeros((0, 2))) == ()
    corner = np.array([[0.0, 0.0], [0.1, 0.0], [0.1, 0.1]])
    assert (thinned(corner) == corner).all()
