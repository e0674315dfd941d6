"""A view of the two-unit GRU is the same as a link, as a flow and as Python."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gating_theory import flow
from gating_theory.explorer.flow_view import MATRICES, PARAMETERS, FlowView, presets

numbers = st.one_of(st.integers(-100, 100).map(float), st.floats(-100.0, 100.0))
states = st.floats(-1.0, 1.0)
views = st.builds(
    FlowView,
    st.dictionaries(st.sampled_from(PARAMETERS), numbers, max_size=18),
    st.lists(st.tuples(states, states), max_size=8).map(tuple),
)


@given(views)
def test_a_link_holds_the_whole_view(view):
    assert FlowView.from_query(view.query()) == view
    assert FlowView.from_query(f"?{view.query()}") == view


@given(views)
def test_the_python_of_a_view_makes_its_flow(view):
    lines = view.python().splitlines()
    made = {}
    exec("\n".join(lines[:3]), made)
    assert made["flow"] == view.flow()
    assert FlowView.from_flow(made["flow"], view.starts) == view
    assert (
        f"for start in {[list(start) for start in view.starts]}:" in lines
        or not view.starts
        or any(start == int(start) for pair in view.starts for start in pair)
    )


def test_the_python_of_a_view_runs(tmp_path, monkeypatch, capsys):
    import matplotlib.pyplot as plt

    monkeypatch.chdir(tmp_path)
    exec(FlowView({"U_h[0,0]": 3.0}, ((0.5, 0.25),)).python(), {})
    assert capsys.readouterr().out.startswith("2 sinks, 1 saddle\n") and (tmp_path / "portrait.png").exists()
    plt.close("all")


@given(views, st.sampled_from(PARAMETERS), numbers)
def test_a_moved_weight_is_the_only_one_that_moves(view, path, value):
    moved = view.moved(path, value).flow()
    assert moved == view.flow().with_parameters({path: value})


def test_the_oldest_trajectory_goes_where_there_are_too_many():
    view = FlowView()
    for i in range(10):
        view = view.started(i / 10, 0.0)
    assert [x for x, _ in view.starts] == [i / 10 for i in range(2, 10)] and view.cleared() == FlowView()


def test_presets_are_what_they_are_called():
    examples, known = presets().values()
    assert known.keys() == {topology.words for topology in flow.topology_catalogue()}
    for name in ("1 source", "2 sinks, 1 saddle", "3 sinks, 1 source, 3 saddles"):
        assert known[name].flow().fixed_points().topology.words == name
    # by the index of the flow: two sinks and a saddle within the large cycle; the line is none
    assert examples["Two sinks in a large cycle"].flow().fixed_points().topology == (2, 0, 1)
    assert examples["Almost a line of fixed points"].flow().fixed_points().topology == (2, 0, 1)
    assert examples["Before four saddle-nodes on a circle"].flow().fixed_points().topology == (4, 1, 4)
    assert examples["After them: a slow cycle"].flow().fixed_points().topology == (0, 1, 0)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("U_x=1", "'U_x'"),
        ("U_h=1,2,3", "4 numbers"),
        ("U_h=1,2,3,many", "4 numbers"),
        ("U_h=1,2,3,nan", "nan"),
        ("U_h=1,2,3,1e9", "100"),
        ("start=2,0", "start"),
        ("b_h=1,2&b_h=1,2", "twice"),
        ("&".join(["start=0,0"] * 9), "8 at most"),
    ],
)
def test_a_bad_link_says_what_is_wrong(query, words):
    with pytest.raises(ValueError, match=words):
        FlowView.from_query(query)


def test_other_flows_have_no_view():
    for other in (flow.GRUFlow(U_h=1.0), flow.GRUFlow(U_h=np.eye(2), input=np.zeros((3, 2))), flow.GRUFlow(U_h=101 * np.eye(2))):
        with pytest.raises(ValueError, match="flow must be|must lie in"):
            FlowView.from_flow(other)
    with pytest.raises(TypeError, match="number"):
        FlowView({"U_h[0,0]": "3"})
    with pytest.raises(ValueError, match="no entry"):
        FlowView({"U_h[2,0]": 3.0})
    with pytest.raises(ValueError, match="pairs"):
        FlowView({}, ((1.0,),))
    assert set(MATRICES) == {"U_h", "U_z", "U_r", "b_h", "b_z", "b_r"}
