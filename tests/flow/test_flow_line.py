"""Paths through the parameters of a flow, and what is done along them."""

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.flow import GRUFlow, Line
from gating_theory.flow.program.taylor import parameter_slope

SPIRAL = np.array([[3.0, -3.0], [3.0, 3.0]])
PATHS = ["U_h[0,1]", "gain.h", "gain", "b_z[0]=b_z[1]", "b_h[0]=-b_h[1]", {"b_h[0]": 1.0, "U_r[0,0]": -0.5}]


@pytest.fixture
def flow():
    return GRUFlow(U_h=SPIRAL, U_r=[[1.0, 0.3], [-0.2, 0.5]], b_z=[0.7, 0.7], b_h=[0.1, -0.1])


def test_what_each_path_changes(flow):
    doubled = flow.replace("gain.h", 2.0)
    assert np.array_equal(doubled.matrices[2], 2.0 * SPIRAL) and np.array_equal(doubled.matrices[1], flow.matrices[1])
    assert np.array_equal(flow.replace("gain", 0.5).matrices, 0.5 * flow.matrices)
    assert np.array_equal(flow.replace("b_z[0]=b_z[1]", -1.0).bias[0], [-1.0, -1.0])
    assert np.array_equal(flow.replace("b_h[0]=-b_h[1]", 0.4).bias[2], [0.4, -0.4])
    moved = flow.replace(flow.along({"b_h[0]": 1.0, "U_r[0,0]": -0.5}), 0.2)
    assert moved.bias[2, 0] == pytest.approx(0.3) and moved.matrices[1, 0, 0] == pytest.approx(0.9)
    other = GRUFlow(U_h=-SPIRAL)
    way = flow.along(other)
    assert flow.parameter(way) == 0.0 and flow.replace(way, 1.0) == other


@pytest.mark.parametrize("path", PATHS, ids=str)
def test_values_along_a_path_are_where_it_passes(flow, path):
    path = flow.along(path)
    at = flow.parameter(path)
    assert flow.replace(path, at) == flow
    there = flow.replace(path, at + 0.37)
    assert there.parameter(path) == pytest.approx(at + 0.37, rel=1e-14)
    assert there.replace(path, at).flat == pytest.approx(flow.flat, abs=1e-15)
    np.testing.assert_allclose(there.flat - flow.flat, 0.37 * flow.rates(path), atol=1e-15)


@pytest.mark.parametrize("path", PATHS, ids=str)
def test_slopes_along_a_path_are_those_of_the_field(flow, path):
    path, state, e = flow.along(path), np.array([0.3, -0.4]), 1e-5
    at = flow.parameter(path)
    change = (flow.replace(path, at + e)(state) - flow.replace(path, at - e)(state)) / (2 * e)
    # a central difference of step 1e-5: 1e-10 of truncation, 1e-11 of rounding
    np.testing.assert_allclose(parameter_slope(flow, state, path), change, atol=1e-9)


def test_a_pitchfork_and_a_hopf_point_along_common_factors():
    # U_h = s Rot(alpha): the origin loses stability at s cos(alpha) = 2
    a = np.pi / 3
    rotation = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    flow = GRUFlow(U_h=rotation)
    branch = gt.flow.continue_fixed_point(flow, "gain.h", (0.5, 5.0), [0.0, 0.0])
    hopf = next(b for b in branch.bifurcations if b.kind == "hopf")
    assert hopf.value == pytest.approx(4.0, abs=1e-9) and hopf.frequency == pytest.approx(np.tan(a) / 2, rel=1e-9)
    cycles = gt.flow.continue_cycle(flow, "gain.h", (0.5, 4.2), hopf, max_points=30)
    assert cycles.values[-1] > 4.0 and cycles.stable.all()
    assert "gain.h" in str(cycles) and cycles.path == branch.path


def test_lines_are_saved_and_pickled_with_what_they_led_to(tmp_path, flow):
    branch = gt.flow.continue_fixed_point(GRUFlow(U_h=1.5 * np.eye(2)), "b_h[0]=b_h[1]", (-0.2, 0.2), [0.0, 0.0])
    gt.save(branch, tmp_path / "branch.json")
    again = gt.load(tmp_path / "branch.json")
    assert again.path == branch.path and isinstance(again.path, Line) and hash(again.path) == hash(branch.path)
    assert again == branch


def test_what_is_no_path_is_refused(flow):
    for path, word in (
        ("gain.q", "gain.q"), ("gain.z", "zero in the flow"), ("b_z[0]=b_h[0]", "must be equal"), ("b_z[0]=b_z[0]", "twice"),
        ({"b_h[0]": 0.0}, "not 0"), ({"b_h[7]": 1.0}, "indices below 2"), (flow, "another flow"),
        (GRUFlow(U_h=3.0), "same cell and size"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=word):
            flow.along(path)
    with pytest.raises(TypeError, match="must be a str"):
        flow.along(3)
    line = flow.along("b_z[0]=b_z[1]")
    with pytest.raises(ValueError, match="do not lie on the line"):
        flow.replace("b_z[0]", 5.0).parameter(line)
    with pytest.raises(ValueError, match="18 parameters of the flows"):
        GRUFlow(U_h=3.0).parameter(line)
    with pytest.raises(ValueError, match="twice"):
        flow.with_parameters({"gain.h": 2.0, "U_h[0,0]": 1.0})
