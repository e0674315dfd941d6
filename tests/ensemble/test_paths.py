"""Paths: what users may give, where they lead, and that an ensemble knows where on them it is."""

import pickle

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from matplotlib.mathtext import MathTextParser
from strategies import random_ensembles

import gating_theory as gt
from gating_theory.ensemble.paths import EnsemblePath, path_of, require_apart

GRU = gt.Ensemble(gt.GRU, gain={"z": 0.5, "r": 2.0, "h": 3.0}, bias={"z": 1.0})


def two_gates(value):
    return {"gain.z": value, "gain.r": value**2}


def whole(value):
    return gt.Ensemble(gt.GRU, gain=value, bias_std=1.0)


@st.composite
def moved_along(draw):
    """An ensemble, a path of its cell, and a value that is allowed there."""
    ensemble = draw(random_ensembles())
    kinds = sorted({path.partition(".")[0] for path in ensemble.paths})
    one = st.sampled_from(ensemble.paths)
    factors = st.one_of(st.just(""), st.floats(0.01, 100.0).map(lambda f: f"{f!r}*"))
    ties = st.lists(st.tuples(factors, one), min_size=2, max_size=4, unique_by=lambda part: part[1])
    text = st.one_of(one, st.sampled_from(kinds), ties.map(lambda parts: "=".join(f"{f}{p}" for f, p in parts)))
    end = draw(random_ensembles((ensemble.cell.name,)))
    straight = st.just(gt.Direction(ensemble, end)) if any(end.value(p) != ensemble.value(p) for p in end.paths) else text
    path = path_of("path", draw(st.one_of(text, straight)), ensemble)
    return ensemble, path, draw(st.floats(max(path.range[0], -50.0), min(path.range[1], 50.0)))


# --- one number, and the ensemble


@given(moved_along())
def test_an_ensemble_knows_where_on_the_path_it_is(drawn):
    ensemble, path, value = drawn
    there = path.at(ensemble, value)
    again, sets = path.at(ensemble, path.value(there)), path.sets(ensemble, value)
    for name in sets:
        # each of the two roundings is one of the ends, as often as the value is larger than they are
        ends = sum(abs(path.at(ensemble, v).value(name)) for v in (0.0, 1.0))
        assert abs(again.value(name) - there.value(name)) <= 8 * np.finfo(float).eps * (1.0 + abs(value)) * ends
    rest = set(ensemble.paths) - sets
    assert {name: there.value(name) for name in rest} == {name: ensemble.value(name) for name in rest}


@given(random_ensembles(), st.floats(0.0, 50.0), st.data())
def test_a_tie_is_the_same_as_separate_values(ensemble, value, data):
    parts = data.draw(st.lists(st.sampled_from(ensemble.paths), min_size=1, max_size=4, unique=True))
    factors = data.draw(st.lists(st.sampled_from([1.0, 2.0, 0.5]), min_size=len(parts), max_size=len(parts)))
    path = path_of("path", "=".join(f"{f}*{p}" for f, p in zip(factors, parts)), ensemble)
    there = path.at(ensemble, value)
    assert there == ensemble.replace({p: value / f for f, p in zip(factors, parts)})
    assert path.value(there) == value


@given(random_ensembles(), st.floats(0.0, 50.0))
def test_a_kind_is_the_argument_of_an_ensemble(ensemble, value):
    for kind in ("gain", "bias", "bias_std", "input_std"):
        there = path_of("path", kind, ensemble).at(ensemble, value)
        values = {name: getattr(ensemble, name) for name in ("gain", "bias", "bias_std", "input_std", "parameter", "parameter_std")}
        assert there == gt.Ensemble(ensemble.cell, **{**values, kind: value}, matrices=ensemble.matrices)


@given(random_ensembles(("GRU",)), random_ensembles(("GRU",)))
def test_a_direction_begins_and_ends_at_its_ensembles(start, end):
    assume(start != end)
    way = gt.Direction(start, end)
    assert (way.at(start, 0.0), way.at(start, 1.0)) == (start, end)
    middle = way.at(start, 0.5)
    for path in start.paths:
        assert middle.value(path) == pytest.approx(0.5 * (start.value(path) + end.value(path)), abs=1e-14)
    assert way.span == (0.0, 1.0)


def test_a_direction_by_rates():
    way = gt.Direction(GRU, {"gain.h": 1.0, "bias.z=-bias.r": -0.5})
    there = way.at(GRU, 2.0)
    assert there == GRU.replace({"gain.h": 5.0, "bias.z": 0.0, "bias.r": 1.0})
    assert (way.value(GRU), way.value(there), way.range[0]) == (0.0, 2.0, -3.0)
    with pytest.raises(ValueError, match=r"the value of direction must lie in \[-3.0, "):
        way.at(GRU, -3.1)


def test_where_an_ensemble_is_on_no_path():
    assert np.isnan(path_of("path", "gain", GRU).value(GRU))
    assert np.isnan(path_of("path", "gain.z=gain.r", GRU).value(GRU))
    assert path_of("path", "gain.r=4*gain.z", GRU).value(GRU) == 2.0
    assert np.isnan(gt.Direction(GRU, gt.Ensemble(gt.GRU)).value(GRU.replace({"gain.h": 7.0})))
    assert np.isnan(path_of("path", two_gates, GRU).value(GRU))


def test_functions_of_one_number():
    path = path_of("path", two_gates, GRU)
    assert path.at(GRU, 3.0) == GRU.replace({"gain.z": 3.0, "gain.r": 9.0})
    assert path_of("path", whole, GRU).at(GRU, 3.0) == whole(3.0)
    assert (path.name, path.span) == ("two_gates", None)
    assert path_of("path", lambda v: {"gain": v}, GRU).at(GRU, 1.5).gain == {"z": 1.5, "r": 1.5, "h": 1.5}
    assert path_of("path", lambda v: {}, GRU).name == "function"


def test_an_ensemble_takes_and_gives_values_by_the_names_of_paths():
    there = GRU.replace({"gain": 2.0, "bias.z=-bias.r": 1.0})
    assert there == GRU.replace({"gain.z": 2.0, "gain.r": 2.0, "gain.h": 2.0, "bias.z": 1.0, "bias.r": -1.0})
    assert (there.value("gain"), there.value("bias.z=-bias.r"), there.value("3*gain.z")) == (2.0, 1.0, 6.0)
    assert np.isnan(there.value("bias"))
    with pytest.raises(ValueError, match="values sets gain.h twice"):
        GRU.replace({"gain": 2.0, "gain.h": 1.0})


# --- names


@pytest.mark.parametrize(
    "given_path, name, symbol, words, span",
    [
        ("gain.h", "gain.h", "$a_{h}$", "gain of field h", (0.0, 100.0)),
        ("gain", "gain", "$a$", "gain of all fields", (0.0, 100.0)),
        ("bias", "bias", "$b$", "mean bias of all fields", (-30.0, 30.0)),
        ("bias_std", "bias_std", r"$\beta$", "spread of all biases", (0.0, 100.0)),
        ("input_std", "input_std", r"$\sigma^{in}$", "standard deviation of all inputs", (0.0, 100.0)),
        (" gain.z = gain.r ", "gain.z=gain.r", "$a_{z} = a_{r}$", "gain.z = gain.r", (0.0, 100.0)),
        ("gain.z=2.0 * gain.r", "gain.z=2*gain.r", r"$a_{z} = 2\,a_{r}$", "gain.z = 2*gain.r", (0.0, 100.0)),
        ("bias.z=-bias.r", "bias.z=-bias.r", "$b_{z} = -b_{r}$", "bias.z = -bias.r", (-30.0, 30.0)),
        ("gain=bias.h", "gain=bias.h", "$a = b_{h}$", "gain = bias.h", (0.0, 30.0)),
    ],
)
def test_names_symbols_words(given_path, name, symbol, words, span):
    path = path_of("path", given_path, GRU)
    assert (path.name, str(path), path.symbol, path.words, path.span) == (name, name, symbol, words, span)
    assert path.signed == (span[0] < 0.0)
    MathTextParser("agg").parse(path.symbol)
    assert path_of("path", path.name, GRU) == path  # a result that keeps the name keeps the path


def test_site_parameters():
    peephole = gt.Ensemble(gt.PeepholeLSTM)
    path = path_of("path", "parameter", peephole)
    assert set(path.at(peephole, 0.5).parameter.values()) == {0.5}
    with pytest.raises(ValueError, match="no hyperparameter 'parameter'"):
        path_of("path", "parameter", GRU)


def test_paths_are_values():
    for given_path in ("gain.h", "gain.z=2*gain.r", gt.Direction(GRU, {"gain.h": 1.0}), two_gates):
        path = path_of("path", given_path, GRU)
        again = pickle.loads(pickle.dumps(path))
        assert (again, hash(again), again.name, again.symbol) == (path, hash(path), path.name, path.symbol)
        assert path_of("another", path, GRU) is path and isinstance(path, EnsemblePath)
    assert path_of("path", "gain.z=gain.r", GRU) == path_of("path", "gain.r=gain.z", GRU) != path_of("path", "gain.z", GRU)
    vanilla = gt.Ensemble(gt.Vanilla)
    assert path_of("path", "gain", vanilla) == path_of("path", "gain.h", vanilla)  # two names of one thing


# --- what is refused


@pytest.mark.parametrize(
    "path, error, words",
    [
        ("gain.q", ValueError, "path: no hyperparameter 'gain.q'; allowed are gain.z, .*for all fields alike gain, bias, .*ties"),
        ("gains", ValueError, "no hyperparameter 'gains'"),
        ("", ValueError, "no hyperparameter ''"),
        ("gain.z=", ValueError, "no hyperparameter ''"),
        ("gain=gain.h", ValueError, "path: gain.h stands twice in 'gain=gain.h'"),
        ("gain.z=-gain.r", ValueError, "leaves no value but 0"),
        ("x*gain.z=gain.r", ValueError, "is no path"),
        ("0*gain.z=gain.r", ValueError, "factors must be finite and not zero"),
        ("inf*gain.z=gain.r", ValueError, "factors must be finite and not zero"),
        (3, TypeError, "path must be a path such as 'gain.h', a Direction, or a function of one number, got 3"),
        (float, TypeError, "path must be a path"),
        (gt.Direction(gt.Ensemble(gt.Vanilla), {"gain.h": 1.0}), ValueError, "through networks of Vanilla"),
        (path_of("path", "gain.f", gt.Ensemble(gt.LSTM)), ValueError, "no hyperparameter 'gain.f'"),
    ],
)
def test_what_is_no_path(path, error, words):
    with pytest.raises(error, match=words):
        path_of("path", path, GRU)


@pytest.mark.parametrize(
    "arguments, error, words",
    [
        ((GRU, GRU), ValueError, "end must differ from start"),
        ((GRU, {}), ValueError, "end must differ from start"),
        ((GRU, {"gain.h": 0.0}), ValueError, "end must differ from start"),
        ((GRU, gt.Ensemble(gt.LSTM)), ValueError, "end must have the cell and the laws of matrices of start"),
        ((GRU, GRU.with_matrices("unknown").replace({"gain.h": 1.0})), ValueError, "laws of matrices"),
        ((GRU, 1.0), TypeError, "end must be an Ensemble or a mapping"),
        ((gt.GRU, GRU), TypeError, "start must be an Ensemble"),
        ((GRU, {"gain.h": np.inf}), ValueError, r"end\['gain.h'\] must be finite"),
        ((GRU, {"gain.q": 1.0}), ValueError, "end: no hyperparameter 'gain.q'"),
        ((GRU, {3: 1.0}), ValueError, "end: no hyperparameter 3"),
        ((GRU, {"gain": 1.0, "gain.h": 1.0}), ValueError, "end gives gain.h two rates"),
        ((GRU, {"gain.h": 1.0}, ""), ValueError, "name must not be empty"),
        ((GRU, {"gain.h": 1.0}, "gain"), ValueError, "name must be of letters.* got 'gain'"),
        ((GRU, {"gain.h": 1.0}, "gain.h"), ValueError, "name must be of letters.* got 'gain.h'"),
    ],
)
def test_what_is_no_direction(arguments, error, words):
    with pytest.raises(error, match=words):
        gt.Direction(*arguments)


@pytest.mark.parametrize(
    "function, error, words",
    [
        (lambda v: v, TypeError, r"path: function\(2\) must be a mapping from paths to numbers, or an Ensemble, got 2"),
        (lambda v: gt.Ensemble(gt.LSTM), ValueError, r"path: function\(2\) must be an Ensemble of GRU"),
        (lambda v: 1 / (v - 2), ValueError, r"path: function\(2\) ends in ZeroDivisionError"),
        (lambda v: {"gain.q": v}, ValueError, "no hyperparameter 'gain.q'"),
        (lambda v: {"gain.h": -v}, ValueError, "gain"),
        (lambda v: {"gain.h": "x"}, TypeError, r"gain\['h'\]"),
    ],
)
def test_functions_that_give_no_ensemble(function, error, words):
    with pytest.raises(error, match=words):
        path_of("path", function, GRU).at(GRU, 2)


def test_values_that_are_not_allowed():
    for text in ("gain.h", "gain", "gain.z=bias.h"):
        with pytest.raises(ValueError, match=rf"the value of {text} must lie in \[0.0, 1000000.0\], got -1"):
            path_of("path", text, GRU).at(GRU, -1.0)
    with pytest.raises(TypeError, match="the value of gain must be"):
        path_of("path", "gain", GRU).at(GRU, None)


def test_where_something_is_looked_for():
    path = path_of("path", "gain=bias_std", GRU)
    assert path.within(None) == (0.0, 100.0) and path.within((1, 2)) == (1.0, 2.0)
    with pytest.raises(ValueError, match=r"bounds must lie within \(0.0, 1000000.0\), where gain=bias_std is defined, got \(-1"):
        path.within((-1.0, 2.0))
    with pytest.raises(ValueError, match="bounds must be increasing"):
        path.within((2.0, 1.0))
    with pytest.raises(ValueError, match="bounds must be given along two_gates"):
        path_of("path", two_gates, GRU).within(None)


def test_two_paths_at_once():
    def apart(first, second):
        require_apart("axes", path_of("axes", first, GRU), path_of("axes", second, GRU), GRU, (1.0, 2.0))

    apart("gain", "bias_std")
    apart("gain.h", two_gates)
    apart(whole, "gain.h")
    for first, second in (
        ("gain", "gain.h"),
        ("gain.z=gain.r", "bias.z=gain.z"),
        (two_gates, "gain.r"),
        ("gain.h", whole),
        (whole, whole),
    ):
        with pytest.raises(ValueError, match="axes: .* and .* both set gain"):
            apart(first, second)
