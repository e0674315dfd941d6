"""Values as records and back to the last bit; classes of one's own with nothing but a decorator."""

import copy
import json
import pickle
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from strategies import leaky

import gating_theory as gt
from gating_theory.results.encoding import decode, encode, is_result, plain, require, result
from gating_theory.results.status import Status


class Corner(NamedTuple):
    x: float
    y: float


result("test.corner")(Corner)


@result("test.toy")
@dataclass(frozen=True, eq=False)
class Toy:
    """A result of a user's own."""

    ensemble: gt.Ensemble
    values: np.ndarray
    corners: tuple
    status: Status
    label: str = "toy"
    _table: dict = field(default_factory=dict)
    total: float = field(init=False, default=0.0)

    def __post_init__(self):
        object.__setattr__(self, "total", float(self.values.sum()))

    @cached_property
    def derived(self):
        return lambda: self.total

    def check(self):
        require(self.values.ndim == 1, "values must be a vector")


@result("test.value", fields=("value", "note"))
class Value(float):
    """A float that carries a note: no dataclass."""

    def __new__(cls, value, note):
        self = super().__new__(cls, value)
        self.note = note
        return self

    @property
    def value(self):
        return float(self)


def toy(**changes):
    values = {"ensemble": gt.Ensemble(gt.GRU, gain=2), "values": np.array([1.0, np.nan, -0.0])}
    values |= {"corners": (Corner(1.0, np.inf), Corner(-0.0, 2.0)), "status": Status("odd", "an odd one", False)}
    return Toy(**values | changes)


def same(a, b):
    """Equality of types and of the last bit, through everything nested; nan is equal to nan."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and all(map(same, a.ravel().tolist(), b.ravel().tolist()))
    if is_result(a) and not isinstance(a, tuple):
        return encode(a) == encode(b)
    if isinstance(a, dict):
        return len(a) == len(b) and all(same(k, m) and same(v, w) for (k, v), (m, w) in zip(a.items(), b.items()))
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, (complex, np.complexfloating)):
        return same(a.real, b.real) and same(a.imag, b.imag)
    if isinstance(a, (float, np.floating)):
        return (np.isnan(a) and np.isnan(b)) or (a == b and np.signbit(a) == np.signbit(b))
    return bool(a == b)


def through_json(value):
    return decode(json.loads(json.dumps(encode(value), allow_nan=False)))


def through_arrays(value):
    arrays = {}
    record = json.loads(json.dumps(encode(value, arrays), allow_nan=False))
    assert all(array.dtype.kind in "biuf" for array in arrays.values())
    return decode(record, arrays)


TYPES = ["bool", "int8", "int64", "uint16", "uint64", "float16", "float32", "float64", "complex64", "complex128"]
ARRAYS = st.sampled_from(TYPES).flatmap(
    lambda name: hnp.arrays(name, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
)
TEXTS = st.text(max_size=4)
NUMBERS = st.one_of(st.integers(), st.floats(), st.complex_numbers(), st.booleans())
NUMPY = st.sampled_from(TYPES).flatmap(lambda name: hnp.arrays(name, ())).map(lambda array: array[()])
WORDS = st.lists(TEXTS.filter(lambda text: "\0" not in text), min_size=1, max_size=3).map(np.array)
LEAVES = st.one_of(st.none(), NUMBERS, TEXTS, ARRAYS, NUMPY, WORDS, st.builds(Corner, st.floats(), st.floats()))
KEYS = st.one_of(TEXTS, st.integers(), st.booleans(), st.floats(allow_nan=False), st.tuples(TEXTS, st.integers()), st.just("$kind"))
NESTED = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(TEXTS, inner, max_size=3),
        st.dictionaries(KEYS, inner, max_size=3),
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(NESTED)
def test_any_value_comes_back(value):
    assert same(through_json(value), value)
    assert same(through_arrays(value), value)
    json.dumps(plain(value), allow_nan=False)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=NESTED, ending=st.sampled_from([".json", ".nc"]))
def test_any_result_comes_back_from_a_file(tmp_path, value, ending):
    made = toy(corners=value)
    assert same(gt.load(gt.save(made, tmp_path / f"toy{ending}")).corners, value)


def test_a_class_of_ones_own(tmp_path):
    made = toy()
    for ending in (".json", ".nc"):
        again = gt.load(gt.save(made, tmp_path / f"toy{ending}"))
        assert type(again) is Toy and same(again, made) and str(again.total) == str(made.total)
        assert again.ensemble == made.ensemble and again.corners == made.corners and again.status == made.status
        assert type(again.corners[0]) is Corner and again.derived() != 0.0
    both = gt.load(gt.save([made, Value(0.5, "half")], tmp_path / "both.json"))
    assert type(both) is list and same(both[0], made) and both[1] == 0.5 and both[1].note == "half"


def test_pickles_leave_out_what_is_derived():
    made = toy()
    assert made.derived() != 0.0  # a lambda in the object, which no pickle takes
    for again in (pickle.loads(pickle.dumps(made)), copy.deepcopy(made)):
        assert same(again, made) and "derived" not in vars(again)
    half = pickle.loads(pickle.dumps(Value(0.5, "half")))
    assert type(half) is Value and half == 0.5 and half.note == "half"


def test_descriptions_for_other_programs():
    told = toy().as_dict()
    assert told["kind"] == "test.toy" and told["values"] == [1.0, "nan", -0.0] and told["status"] == "an odd one"
    assert told["ensemble"] == gt.Ensemble(gt.GRU, gain=2).as_dict() and "_table" not in told and "total" not in told
    assert plain({("a", "b"): 1j, 3: np.float32(0.5)}) == {"a b": [0.0, 1.0], "3": 0.5}
    assert plain(gt.GRU) == "GRU"


def test_what_has_no_type_is_refused():
    for thing in (object(), {1, 2}, b"x", np.array([object()]), np.datetime64("2000"), np.longdouble(1), toy().derived):
        with pytest.raises(TypeError, match="not saved"):
            encode({"a": [thing]})
    with pytest.raises(TypeError, match=r"result\.a\.1 is of type set"):
        encode({"a": [0, {1}]})

    @dataclass(frozen=True)
    class Unknown:
        x: int

    @dataclass(frozen=True, eq=False)
    class Grown(Toy):
        more: int = 1

    # a subclass is not its parent: what it adds would be lost
    for thing in (Unknown(1), Grown(**{name: getattr(toy(), name) for name in ("ensemble", "values", "corners", "status")})):
        with pytest.raises(TypeError, match="not saved"):
            encode(thing)


def test_registration_is_checked():
    with pytest.raises(ValueError, match="kind 'test.toy' is that of"):
        result("test.toy")(type("Other", (), {}))
    bare = result("test.bare")(type("Bare", (), {}))  # could become a dataclass yet
    with pytest.raises(TypeError, match="name its fields="):
        encode(bare())


def test_the_order_of_decorators_does_not_matter():
    @dataclass(frozen=True)
    @result("test.early")
    class Early:
        x: float
        _seen: object = None

    assert decode(encode(Early(0.1, "seen"))) == Early(0.1) and Early(1.0).as_dict() == {"kind": "test.early", "x": 1.0}


@pytest.mark.parametrize(
    "record, words",
    [
        ({"$kind": "os.system", "command": "ls"}, "unknown kind 'os.system'"),
        ({"$kind": 3}, "unknown kind 3"),
        ({"$import": "os"}, "unknown entry '\\$import'"),
        ({"$kind": "test.corner", "x": 1.0}, r"a test\.corner has the entries \['x', 'y'\], got \['x'\]"),
        ({"$array": "object", "shape": [1], "data": [1]}, "unknown type of numbers 'object'"),
        ({"$array": "float64", "shape": [3], "data": [1.0]}, "reshape"),
        ({"$number": "V8", "data": 0}, "unknown type of numbers"),
        ({"$cell": "GRU"}, "the cell 'GRU' is not defined"),
    ],
)
def test_records_that_nobody_wrote(record, words):
    with pytest.raises(ValueError, match=words):
        decode(record)


def test_checks_are_called():
    record = encode(toy())
    record["values"] = {"$array": "float64", "shape": [1, 1], "data": [[0.0]]}
    with pytest.raises(ValueError, match="values must be a vector"):
        decode(record)


def test_cells_are_words():
    mine = leaky(name="mine")
    record = json.loads(json.dumps(encode([gt.Ensemble(mine), gt.Ensemble(mine, gain=2)])))
    assert json.dumps(record).count('"state"') == 1  # defined once
    first, second = decode(record, cell=mine)
    assert first.cell is mine and second == gt.Ensemble(mine, gain=2)
    with pytest.raises(ValueError, match="'mine' is not built in"):
        decode(record)
    with pytest.raises(ValueError, match="cell must be the one saved, 'mine', got 'GRU'"):
        decode(record, cell=gt.GRU)
    with pytest.raises(ValueError, match="another cell 'mine'"):
        decode(record, cell=leaky(name="mine", update=[leaky().state[0]]))
    with pytest.raises(ValueError, match="different cells"):
        encode([gt.Ensemble(mine), gt.Ensemble(gt.GRU)])
