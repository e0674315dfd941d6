"""What a page shows: link, ensemble and Python say the same, for all cells and hyperparameters."""

import contextlib
import io
from dataclasses import replace
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gating_theory as gt
from gating_theory.cell.builtin import BUILTIN
from gating_theory.ensemble.hyperparameters import kind_of
from gating_theory.explorer.view import LINES, MATRICES, START, View, rounded


def numbers(path, high=1e3):
    return st.floats(-high if kind_of(path).signed else 0.0, high, allow_subnormal=False)


@st.composite
def bounds(draw, path):
    low, high = sorted(draw(st.lists(numbers(path), min_size=2, max_size=2, unique=True)))
    return low, high


@st.composite
def views(draw):
    cell = draw(st.sampled_from(BUILTIN))
    paths = View(cell).paths
    values = {path: draw(numbers(path)) for path in draw(st.lists(st.sampled_from(paths), unique=True))}
    x, y = draw(st.lists(st.sampled_from(paths), min_size=2, max_size=2, unique=True))
    return View(
        cell,
        tuple(values.items()),
        matrices=draw(st.sampled_from(MATRICES)),
        solution=draw(st.sampled_from(["active", "zero", "0", "7"])),
        tau=draw(st.floats(1e-3, 1e6)),
        steps=draw(st.integers(1, 1000)),
        density=draw(st.booleans()),
        network=draw(st.booleans()),
        n_units=draw(st.integers(10, 2000)),
        seed=draw(st.integers(0, 2**31)),
        x=x,
        y=y,
        x_bounds=draw(bounds(x)),
        y_bounds=draw(bounds(y)),
        lines=tuple(draw(st.lists(st.sampled_from(list(LINES)), unique=True))),
    )


def executed(code, until):
    """The variables of a program up to a line that begins with a word."""
    namespace = {}
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(code.partition(f"\n{until}")[0], namespace)
    return namespace | {"printed": out.getvalue()}


@given(views())
def test_a_link_leads_back(view):
    assert View.from_query(view.query()) == view
    assert len(dict(parse_qsl(view.query()))) == len(parse_qsl(view.query()))


@given(views())
def test_the_program_makes_the_ensemble(view):
    compile(view.code(), "view", "exec")
    found = executed(view.code(), "points")["ens"]
    assert found == view.ensemble
    assert {path: found.value(path) for path in view.paths} == {path: view.value(path) for path in view.paths}


@given(views(), st.floats(0.01, 5.0))
def test_moving_changes_one_thing(view, value):
    moved = view.moved({view.x: value})
    assert moved.value(view.x) == value and moved.plane_ensemble == view.plane_ensemble
    assert replace(moved, values=view.values) == view


@given(st.floats(-10.0, 10.0), st.integers(-5, 0), st.floats(1e-3, 50.0))
def test_a_dropped_dot_is_where_it_was_dropped(value, low, width):
    found = rounded(value, low, low + width)
    inside = min(max(value, low), low + width)
    # a picture is a few hundred pixels wide; digits beyond those would fill the link
    assert abs(found - inside) <= width / 500 and len(repr(found)) <= len("-12.3456789")


def test_every_page_begins_somewhere():
    assert set(START) == set(BUILTIN)
    assert all(name == view.cell and View.from_query(view.query()) == view for name, view in START.items())
    assert View.from_query("") == START["GRU"]


@pytest.mark.parametrize(
    "query, words",
    [
        ("cell=gru", "cell"),
        ("cell=GRU&gain.x=2", "gain.x"),
        ("gain.h=two", "gain.h must be a number, got 'two'"),
        ("gain.h=nan", "gain.h must be a number"),
        ("gain.h=-1", "gain.h"),
        ("gain.h=1e9", "gain.h"),
        ("gain.h=1&gain.h=2", "twice"),
        ("colour=red", "colour"),
        ("matrices=sparse", "matrices"),
        ("solution=largest", "solution must be active, zero, or a number"),
        ("tau=0", "tau"),
        ("steps=0", "steps"),
        ("steps=1.5", "steps must be a whole number"),
        ("n_units=100000", "n_units"),
        ("density=yes", "density"),
        ("x=gain.h&y=gain.h", "twice"),
        ("x=gain.q", "x must be a hyperparameter of GRU"),
        ("x=gain.h&x_bounds=3:1", "x_bounds must increase"),
        ("x=gain.h&x_bounds=-3:1", "x_bounds of gain.h"),
        ("x=gain.h&x_bounds=1", "x_bounds must be two numbers"),
        ("lines=onset,edge", "lines"),
        ("gain.h=" + "1" * 9000, "longer"),
    ],
)
def test_bad_links_say_what_is_wrong(query, words):
    with pytest.raises(ValueError, match=words):
        View.from_query(query)


@settings(max_examples=1)
@given(st.just(View("GRU", (("gain.r", 3.0), ("gain.h", 3.0)), lines=("onset",), x="gain.r", y="gain.h", n_units=40, network=True)))
def test_the_whole_program_runs(view):
    namespace = executed(view.code().replace("gt.plotting", "#"), "nothing")
    assert isinstance(namespace["onset"], gt.CriticalLine) and namespace["eigenvalues"].size == 40
    assert str(namespace["growth"]) in namespace["printed"]
