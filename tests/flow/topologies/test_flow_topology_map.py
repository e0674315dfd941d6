"""Planes of parameters: topologies against single searches and closed forms, oscillations against what is known of them."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import gating_theory as gt
from gating_theory.flow import Flow, GRUFlow, TopologyMap, cycles, topology_map
from gating_theory.flow.orbits.trajectories import advance

#: Stable cycle beside a sink between the homoclinic orbit at b_h[1] = .9128342 and the Hopf point at 1.6632402, for b_h[0] = .4.
FAMILY = GRUFlow(U_h=[[4.5, -2], [10, 0]], b_h=[0.4, 1.2])


def random_flow(n, scale, rng):
    return Flow(gt.GRU, rng.standard_normal((3, n, n)) * scale, rng.standard_normal((3, n)) * scale / 4)


@pytest.mark.parametrize(("n", "paths"), [(1, ("b_h[0]", "U_r[0,0]")), (2, ("gain.h", "b_r[1]")), (3, ("U_h[0,1]", "gain.r"))])
def test_agrees_with_single_searches(n, paths):
    flow = random_flow(n, 6.0, np.random.default_rng(n))
    plane = topology_map(flow, {paths[0]: np.linspace(-1.0, 2.0, 5), paths[1]: np.linspace(0.1, 3.0, 4)})
    assert plane.label.shape == (5, 4) and plane.ok and plane.status.code == "complete"
    for i, x in enumerate(plane.x):
        for j, y in enumerate(plane.y):
            assert plane.at(x, y) == flow.replace(paths[0], x).replace(paths[1], y)
            assert plane.topologies[plane.label[i, j]] == plane.at(x, y).fixed_points().topology
    assert sum(plane.fractions.values()) == pytest.approx(1.0)
    data = plane.to_dataset()
    assert data["sinks"].dims == paths
    if n < 3:  # index theorem; in three dimensions saddles have either index
        assert (data["sinks"] + (-1) ** n * data["sources"] - data["saddles"] == 1).all()


def test_borders_of_one_unit_are_the_folds():
    # tanh(u h / 2 + b) = h has a fold where (u / 2) (1 - h^2) = 1: b = -+(u h / 2 - atanh h), h^2 = 1 - 2 / u
    plane = topology_map(GRUFlow(U_h=1.0), {"gain.h": np.linspace(1.05, 6.0, 12), "b_h[0]": np.linspace(-1.51, 1.52, 13)})
    points = plane.borders(1e-6)
    u, h = points[:, 0], np.sqrt(np.maximum(1.0 - 2.0 / points[:, 0], 0.0))
    assert len(points) > 20
    np.testing.assert_allclose(np.abs(points[:, 1]), 0.5 * u * h - np.arctanh(h), atol=2e-6)  # width times the slope of the fold
    assert set(plane.topologies) == {(1, 0, 0), (2, 1, 0)}


def test_points_on_a_bifurcation_are_left_undecided():
    # pitchfork at 2, by hand: the grid meets it, and -1 stands there
    plane = topology_map(GRUFlow(U_h=np.eye(2)), {"gain.h": [1.5, 2.0, 2.5], "U_h[0,1]": [0.0, 1e-3]}, max_boxes=3000)
    assert (plane.label[1, 0] == -1) and plane.n_undecided >= 1 and not plane.ok
    assert "not proved" in str(plane) and "undecided" in str(plane)
    assert (plane.to_dataset()["sinks"].values == -1).sum() == plane.n_undecided


def test_oscillations_of_the_family():
    plane = topology_map(FAMILY, {"b_h[0]": [0.0, 0.4], "b_h[1]": [0.85, 0.93, 1.2, 1.5, 1.72]}, cycles=True)
    assert plane.oscillation[1].tolist() == [0, 1, 1, 1, 0]
    assert plane.topologies[plane.label[0, 0]] == (0, 1, 0) and plane.oscillation[0, 0] == 2
    # equal update gates change the speed and nothing else
    slow = topology_map(
        FAMILY.with_parameters({"b_z[0]": 7.0, "b_z[1]": 7.0}), {"b_h[0]": [0.0, 0.4], "b_h[1]": plane.y}, cycles=True
    )
    assert np.array_equal(slow.oscillation, plane.oscillation)


@pytest.mark.parametrize(
    ("flow", "topology", "code"),
    [
        (GRUFlow(U_h=[[-6, 27], [-7.5, 8.5]], b_h=[-1.6, 1]), (1, 0, 0), 1),  # sink, unstable and stable cycle around it
        (GRUFlow(U_h=[[8.5, 6], [-7, -4.5]], b_z=[0, 1]), (2, 0, 1), 1),  # two sinks inside a large cycle
        (GRUFlow(U_h=[[6, 2.7], [-22.6, -13.4]], b_z=[0, 1.85]), (0, 2, 1), 2),  # two cycles side by side
        (GRUFlow(U_h=6 * np.eye(2)), (4, 1, 4), 0),
        (GRUFlow(U_h=1.0), (1, 0, 0), 0),  # on a line nothing turns
    ],
)
def test_oscillations_that_are_known(flow, topology, code):
    plane = topology_map(flow, {"b_h[0]": flow.bias[2, 0] + np.array([0.0, 1e-6]), "b_r[0]": [0.0, 1e-6]}, cycles=True)
    assert plane.topologies == (topology,) and (plane.oscillation == code).all()
    assert "stable oscillations" in str(plane)


def test_oscillation_ends_at_the_homoclinic_orbit():
    # at b_h[1] = .91283425: found on one side, none on the other, a thousandth away
    plane = topology_map(FAMILY, {"b_h[0]": [0.4, 0.41], "b_h[1]": 0.9128342475 + np.array([-1e-3, 1e-3])}, cycles=True)
    assert plane.oscillation[0].tolist() == [0, 1]


def _campaign(seeds, starts):
    """Random networks: where no oscillation is reported scipy's trajectories rest; where one is found there is a cycle."""
    codes = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        flow = random_flow(2, rng.uniform(1.0, 6.0), rng)
        if seed % 2:  # many turn, beside a sink or without one
            noise = [rng.standard_normal(values.shape) for values in (flow.matrices, flow.bias)]
            flow = Flow(gt.GRU, FAMILY.matrices + 0.5 * noise[0], FAMILY.bias + 0.3 * noise[1])
        plane = topology_map(flow, {f"b_h[{i}]": flow.bias[2, i] + np.array([0.0, 1e-6]) for i in (0, 1)}, cycles=True)
        code = int(plane.oscillation[0, 0])
        codes.append(code)
        if code == 0:
            sinks = np.array([p.state for p in flow.fixed_points() if p.kind == "sink"])
            for start in rng.uniform(-1.0, 1.0, (starts, 2)):
                end = flow.integrate(start, 1e6, rtol=1e-7, atol=1e-9, method="LSODA").y[:, -1]
                # gates may be nearly shut: what still creeps is told from a cycle by its speed
                assert np.linalg.norm(sinks - end, axis=1).min() < 0.05 or np.abs(flow(end)).max() < 1e-6, (seed, end)
        elif code > 0:
            assert any(cycle.stable for cycle in cycles(flow)), seed
    return codes


def test_oscillations_of_random_networks():
    assert set(_campaign(range(6), 4)) <= {0, 1, 2}


@pytest.mark.nightly
def test_oscillations_of_many_random_networks():
    codes = _campaign(range(100, 160), 12)
    assert {0, 1, 2} <= set(codes) and codes.count(-1) <= 1


def test_steps_behind_shut_gates_are_bounded():
    # stability keeps steps below about 3, while the sink's own rates of 1e-4 ask for a time of 1e6
    flow = GRUFlow(
        U_h=[[3.048, 22.34], [-14.296, 19.26]],
        U_r=[[6.32, 10.393], [-6.592, -1.694]],
        U_z=[[-8.674, -15.455], [-11.911, -1.513]],
        b_h=[-2.097, -4.661],
        b_r=[-3.926, 4.536],
        b_z=[2.644, 4.202],
    )
    (sink,) = flow.fixed_points().states
    corners = np.array([[x, y] for x in (-0.95, 0.95) for y in (-0.92, 0.92)])
    for x in corners:
        end = solve_ivp(lambda t, x: flow(x), (0, 1e13), x, "LSODA", jac=lambda t, x: flow.jacobian(x), rtol=1e-9, atol=1e-12).y[
            :, -1
        ]
        assert np.linalg.norm(end - sink) < 1e-5
    assert np.isnan(advance(flow, corners, 1.2e6, steps=2000)).any()
    plane = topology_map(flow, {"b_h[0]": [-2.097, -2.0], "gain.h": [1.0, 1.05]}, cycles=True)
    assert plane.topologies == ((1, 0, 0),) and (plane.oscillation == 0).all()


def test_trajectories_are_given_up_after_as_many_steps_as_are_told():
    turning, start = GRUFlow(U_h=[[3, -3], [3, 3]]), np.array([[0.1, 0.2]])
    assert (
        np.isfinite(advance(turning, start, 100.0, steps=5000)).all() and np.isnan(advance(turning, start, 100.0, steps=20)).all()
    )


def test_saved_threads_and_progress(tmp_path):
    axes = {"b_h[0]=-b_h[1]": np.linspace(-1, 1, 41), "gain.h": np.linspace(0.5, 1.5, 40)}
    flow, told = FAMILY.with_parameters({"b_h[1]": -0.4}), []
    plane = topology_map(flow, axes, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (1640, 1640) and plane.oscillation is None
    with ThreadPoolExecutor(2) as pool:
        assert topology_map(flow, axes, executor=pool) == plane
    again = gt.load(gt.save(plane, tmp_path / "plane.json"))
    assert isinstance(again, TopologyMap) and again == plane
    with pytest.raises(ValueError, match="label"):
        TopologyMap(**{name: getattr(plane, name) for name in plane.__dataclass_fields__} | {"label": plane.label + 9}).check()


def test_bad_arguments():
    good = {"b_h[0]": [0.0, 1.0], "b_h[1]": [0.0, 1.0]}
    with pytest.raises(TypeError, match="flow"):
        topology_map(gt.GRU, good)
    with pytest.raises(TypeError, match="axes"):
        topology_map(FAMILY, list(good))
    with pytest.raises(ValueError, match="axes must be two paths"):
        topology_map(FAMILY, {"b_h[0]": [0.0, 1.0]})
    with pytest.raises(ValueError, match="values that ascend"):
        topology_map(FAMILY, good | {"b_h[1]": [1.0, 0.0]})
    with pytest.raises(ValueError, match="same parameter, as gain.h and U_h"):
        topology_map(FAMILY, {"gain.h": [0.0, 1.0], "U_h[0,0]": [0.0, 1.0]})
    with pytest.raises(ValueError, match="path must be one of"):
        topology_map(FAMILY, {"b_q[0]": [0.0, 1.0], "U_h[0,0]": [0.0, 1.0]})
    with pytest.raises(ValueError, match="max_boxes"):
        topology_map(FAMILY, good, max_boxes=0)
    with pytest.raises(TypeError, match="cycles"):
        topology_map(FAMILY, good, cycles=1)
    with pytest.raises(gt.CapabilityError):
        topology_map(random_flow(4, 1.0, np.random.default_rng(0)), good)
    with pytest.raises(ValueError, match="width"):
        topology_map(FAMILY, good).borders(2.0)
