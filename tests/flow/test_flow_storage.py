"""Results of flows through files: equal to the last bit, as good for what is calculated from them, and damage is noticed."""

import json
import pickle
from dataclasses import fields, is_dataclass

import numpy as np
import pytest
import sympy as sp
from strategies import changed

import gating_theory as gt
from gating_theory.flow import Flow, GRUFlow, TopologyCounts, search_topologies

FLOW = GRUFlow(U_h=[[4.5, -2], [10, 0]], b_h=[0.4, 1.2])


def same(a, b):
    """Equality to the last bit, through all results in results."""
    if isinstance(a, np.ndarray):
        return a.dtype.kind == b.dtype.kind and np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
    if is_dataclass(a):
        return type(a) is type(b) and all(same(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return a == b or (a != a and b != b)


@pytest.fixture(scope="module")
def cycle():
    return gt.flow.find_cycle(FLOW, [-0.2, 0.2])


@pytest.fixture(scope="module")
def branch():
    return gt.flow.continue_fixed_point(FLOW, "b_h[1]", (1.0, 2.0), [-0.2122, 0.1380])


@pytest.fixture(scope="module")
def results(cycle, branch):
    start = gt.flow.continue_cycle(FLOW, "b_h[1]", (1.1, 1.3), cycle, max_points=3)
    return {
        "flow": FLOW,
        "points": FLOW.fixed_points(),
        "point": FLOW.fixed_points()[0],
        "cycle": cycle,
        "cycles": [cycle, cycle],
        "branch": branch,
        "bifurcation": branch.bifurcations[0],
        "cycle branch": start,
        "attractors": gt.flow.attractors(FLOW, 3),
        "side by side": gt.flow.flow_and_map(GRUFlow(U_h=[[1.5, -2.598], [2.598, 1.5]]), starts=2),
        "counts": gt.flow.count_fixed_points(gt.GRU, np.random.default_rng(0).standard_normal((5, 3, 2, 2))),
        "search": search_topologies(1, 20, rng=0),
    }


def test_every_result_comes_back(results, tmp_path):
    for name, result in results.items():
        again = gt.load(gt.save(result, tmp_path / "file.json"))
        assert same(again, result), name
        if name != "cycles":
            assert str(again) == str(result), name
    assert isinstance(results["counts"], TopologyCounts) and gt.FixedPointCounts is not TopologyCounts


def test_every_result_can_be_pickled(results):
    for name, result in results.items():
        assert same(pickle.loads(pickle.dumps(result)), result), name


def test_a_loaded_result_is_as_good(results, tmp_path):
    cycle = gt.load(gt.save(results["cycle"], tmp_path / "cycle.json"))
    assert cycle.same(results["cycle"]) and cycle.distance(cycle.point) < 1e-12
    bifurcation = gt.load(gt.save(results["branch"], tmp_path / "branch.json")).bifurcations[-1]
    assert bifurcation.flow(bifurcation.state) == pytest.approx([0.0, 0.0], abs=1e-12)


def test_provenance_and_nothing_executable(results, tmp_path):
    text = gt.save(results["branch"], tmp_path / "branch.json").read_text()
    record = json.loads(text)
    assert record["kind"] == "flow.FixedPointBranch" and record["provenance"]["gating_theory"] == gt.__version__
    cells = [b["flow"]["cell"]["$cell"] for b in (*record["result"]["bifurcations"], record["result"])]
    assert cells[0]["fields"]["h"] == "y_h" and set(cells[1:]) == {"GRU"}


@pytest.mark.parametrize(
    "name, change, words",
    [
        ("cycle", lambda d: d.update(period=3.0), "period is not that of the orbit"),
        ("cycle", lambda d: d["flow"]["bias"]["data"][2].__setitem__(1, 1.3), "does not follow"),
        ("branch", lambda d: d["flow"]["bias"]["data"][2].__setitem__(0, 0.5), "is no fixed point of"),
        ("points", lambda d: d.update(index_sum=3), "index_sum"),
        ("points", lambda d: d.pop("grade"), r"a flow\.FlowFixedPoints has the entries"),
        ("counts", lambda d: d["count"].update(data=[9] * 5), "do not add up"),
        ("flow", lambda d: d["bias"].update(shape=[1], data=[1.0]), "must have shape"),
        ("flow", lambda d: d.update(os=1), r"a flow\.Flow has the entries"),
        ("flow", lambda d: d.update(matrices={"$system": "ls"}), "unknown entry '\\$system'"),
        ("flow", lambda d: d["cell"]["$cell"].update(update=["h"]), "another cell 'GRU'"),
        ("flow", lambda d: d["cell"].update({"$cell": "GRU"}), "the cell 'GRU' is not defined"),
        ("flow", lambda d: d.pop("cell"), r"a flow\.Flow has the entries .*'cell'"),
    ],
)
def test_damage_is_noticed(results, tmp_path, name, change, words):
    path = changed(gt.save(results[name], tmp_path / "file.json"), lambda record: change(record["result"]))
    with pytest.raises(ValueError, match=words):
        gt.load(path)


def test_own_cells_and_descriptions(tmp_path):
    h, y = sp.symbols("h y_h", real=True)
    cell = gt.Cell(name="mine", state=[h], fields=[y], messages=[h], update=[sp.tanh(y)], fixed_point=[sp.tanh(y)])
    flow = Flow(cell, [[[3.0]]])
    path = gt.save(flow, tmp_path / "mine.json")
    with pytest.raises(ValueError, match="'mine' is not built in"):
        gt.load(path)
    assert gt.load(path, cell=cell) == flow
    other = GRUFlow(U_h=[[1.0]])
    with pytest.raises(ValueError, match="different cells"):
        gt.save([flow, other], path)
    with pytest.raises(TypeError, match="result must be"):
        gt.save([flow, 3], path)
    # descriptions by hand: what is left out is zero, plain numbers for one unit
    assert Flow.from_dict({"U_h": 1.0}) == other == Flow.from_dict(other.as_dict())
    after = Flow.from_dict({"cell": "GRUResetAfter", "U_h": [[1, 2], [3, 4]], "b_in": [5, 6]})
    assert after.parameter("b_in[1]") == 6.0 and after == Flow.from_dict(after.as_dict())
    for wrong, words in (
        ({"cell": "gru", "U_h": 1}, "'gru' is not built in"),
        ({"u_h": 1}, "unknown entry 'u_h'; allowed are cell, U_z"),
        ({}, "at least one of U_z"),
        ({"U_h": [[1, 2], [3, 4]], "b_h": [1]}, r"b_h must have shape \(2,\)"),
        ({"U_h": [[1, 2]]}, r"U_h must have shape \(2, 2\)"),
        ({"U_h": float("nan")}, "U_h must be finite"),
    ):
        with pytest.raises(ValueError, match=words):
            Flow.from_dict(wrong)
    with pytest.raises(TypeError, match="mapping"):
        Flow.from_dict([1])
