"""What results look like at a prompt and in a notebook, and when they are equal."""

import copy
import pickle
from dataclasses import dataclass, replace

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.results.display import same
from gating_theory.results.encoding import result
from gating_theory.results.status import Status

GRU = gt.Ensemble(gt.GRU, gain=3)


@result("display.table")
@dataclass(frozen=True)
class Table:
    ensemble: gt.Ensemble
    values: np.ndarray
    status: Status
    level: float = float("nan")
    words: str = "plain"

    def __str__(self):
        return f"a table of {len(self.values)} <values>\n  and more"


@dataclass(frozen=True)  # the decorators may stand in either order
@result("display.plain")
class Plain:
    values: np.ndarray
    label: str = "x"


def table(**changes):
    values = {"ensemble": GRU, "values": np.array([1.0, np.nan]), "status": Status("odd", "an odd one", False)}
    return Table(**values | changes)


def some_results():
    network = gt.Network.sample(gt.Ensemble(gt.GRU, gain=4), 8, rng=0)
    return [
        gt.fixed_points(GRU)[-1],
        network,
        network.sites(network.random_state(rng=0)),
        network.find_fixed_points(10, rng=0),
        gt.lyapunov_spectrum(network, n_steps=10, rng=0),
        gt.complexity(GRU),
        gt.simulate(GRU, n_units=20, n_steps=20, rng=0),
        gt.GRUFlow(U_h=[[3, -3], [3, 3]]).fixed_points(),
    ]


@pytest.fixture(scope="module")
def results():
    return some_results()


def test_one_line_at_a_prompt(results):
    for one in results:
        assert repr(one).startswith(f"{type(one).__name__}(") and repr(one).endswith(")")
        assert "\n" not in repr(one) and len(repr(one)) < 100 and "array([" not in repr(one)


def test_reports_in_notebooks(results):
    reports = [one for one in results if hasattr(one, "_repr_html_")]
    assert len(reports) >= 6
    for one in reports:
        assert one._repr_html_().startswith("<div") and "no picture:" not in one._repr_html_()
        assert all(word in one._repr_html_() for word in str(one).split() if word.isalnum())
    assert "&lt;values&gt;" in table()._repr_html_() and "<values>" in str(table())


def test_equal_by_content(results):
    for one in [*results, table(), Plain(np.arange(3))]:
        other = pickle.loads(pickle.dumps(one))
        assert other is not one and other == one and not other != one and hash(other) == hash(one)
        assert one != 3
    for other in (table(values=np.array([1.0, 2.0])), table(level=0.0), table(ensemble=gt.Ensemble(gt.GRU)), table(words="")):
        assert table() != other
    assert table(values=np.array([1.0])) != table() != Plain(np.arange(3))
    points = results[3]
    assert replace(points, states=points.states + 1e-15) != points
    assert len({table(), copy.deepcopy(table()), table(words="other")}) == 2


def test_the_brief_form():
    assert repr(table()) == "Table(a table of 2 <values> ...)"
    assert repr(Plain(np.zeros((3, 4)))) == "Plain(values=an array of shape (3, 4) of float64, label='x')"
    assert repr(Plain(np.arange(2), 0.5)) == "Plain(values=array([0, 1]), label=0.5)"
    assert repr(Plain(np.array(0.0), 0.1 + 0.2)) == "Plain(values=array(0.), label=0.3)"
    assert len(repr(Plain({i: list(range(1000)) for i in range(1000)}, "x" * 1000))) < 100


def test_what_a_class_says_itself_is_kept():
    @result("display.own")
    @dataclass(frozen=True)
    class Own:
        value: float

        def __repr__(self):
            return "mine"

        def __eq__(self, other):
            return True

        def __hash__(self):
            return 7

        def _repr_html_(self):
            return "<b>mine</b>"

    assert repr(Own(1.0)) == "mine" and Own(1.0) == Own(2.0) and hash(Own(1.0)) == 7 and Own(1.0)._repr_html_() == "<b>mine</b>"
    # a float that carries more is compared as a float, and shows what it carries
    onset = gt.onset(gt.Ensemble(gt.Vanilla), "gain.h")
    assert onset == float(onset) and abs(onset - 1.0) < 1e-12 and "gain.h" in repr(onset)


def test_results_that_may_be_changed_have_no_hash():
    @result("display.loose")
    @dataclass
    class Loose:
        values: np.ndarray

    assert Loose(np.arange(2)) == Loose(np.arange(2))
    with pytest.raises(TypeError, match="unhashable"):
        hash(Loose(np.arange(2)))


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (np.array([np.nan, 1.0]), np.array([np.nan, 1.0]), True),
        (np.array([1.0]), np.array([[1.0]]), False),
        (np.array([1]), [1], False),
        ({"a": np.array([1.0])}, {"a": np.array([1.0])}, True),
        ({"a": 1}, {"b": 1}, False),
        ((np.nan, "x"), (np.nan, "x"), True),
        ([1, 2], [1, 2, 3], False),
        (complex("nan"), complex("nan"), True),
        (np.array(["a"]), np.array(["a"]), True),
    ],
)
def test_same(one, other, equal):
    assert same(one, other) is same(other, one) is equal
