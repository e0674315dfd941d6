"""All folds along any path, against the number of roots of plain numpy maps on a fine grid."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

import gating_theory as gt
from gating_theory.mean_field.folds import folds
from gating_theory.mean_field.path import Path

_h, _y, _p = sp.symbols("h y_h p", real=True)


def _one_field(update, **more):
    return gt.Cell(name="own", state=[_h], fields=[_y], messages=[_h], update=[update], fixed_point=[update], **more)


CUBE = _one_field(sp.tanh(_y) ** 3)
HUMP = _one_field(_y * sp.exp(-(_y**2) / 8))
SCALED = _one_field(sp.tanh(_p * _y) * (1 + sp.tanh(_y) ** 2), parameters=[_p])

# --- the maps, written out once more


def _average(function, mean, variance):
    """E function(y), y normal, for an array of variances: a trapezoidal sum, good to 1e-5 or so, enough for signs."""
    x = np.linspace(-7.0, 7.0, 225)
    w = np.exp(-0.5 * x**2)
    return function(mean + np.sqrt(variance)[..., None] * x) @ (w / w.sum())


def _moment(ensemble, D):
    """R(D): the second moment of h when it was D, from gains, biases and spreads of the ensemble."""
    e = ensemble

    def variance(field, q):
        return e.gain[field] ** 2 * q + e.bias_std[field] ** 2 + e.input_std[field] ** 2

    def gate(field):
        return _average(lambda y: expit(y) ** 2, e.bias[field], variance(field, D))

    if e.cell is gt.GRU:
        return _average(lambda y: np.tanh(y) ** 2, e.bias["h"], variance("h", gate("r") * D))
    if e.cell is gt.LSTM:  # f and i do not vary from site to site here
        kappa = expit(e.bias["i"]) / expit(-e.bias["f"])
        return gate("o") * _average(lambda y: np.tanh(kappa * np.tanh(y)) ** 2, e.bias["g"], variance("g", D))
    p = e.parameter.get("p", 0.0)
    update = {
        CUBE: lambda y: np.tanh(y) ** 6,
        HUMP: lambda y: y**2 * np.exp(-(y**2) / 4),
        SCALED: lambda y: (np.tanh(p * y) * (1 + np.tanh(y) ** 2)) ** 2,
    }[e.cell]
    return _average(update, e.bias["h"], variance("h", D))


def _counts(path, values):
    """Number of non-zero solutions with D between 1e-13 and 6 at each value."""
    D = np.concatenate([np.logspace(-13, -4, 60, endpoint=False), np.logspace(-4, 0.8, 220)])
    return np.array([np.count_nonzero(np.diff(np.sign(_moment(path.at(v), D) - D))) for v in values])


# --- random paths


_LIVE = {gt.GRU: ("r", "h"), gt.LSTM: ("g", "o")}


def _ensemble(draw, cell):
    """An ensemble whose moments close in one loop, and the hyperparameters that matter to it."""
    gains, biases, spreads = st.floats(0.5, 12.0), st.floats(-2.0, 2.0), st.sampled_from([0.0, 0.0, 0.01, 0.1, 0.5])
    live = _LIVE.get(cell, ("h",))
    values = {}
    for field in cell.field_names:
        values[f"gain.{field}"] = draw(gains) if field in live else 0.0
        # states are driven weakly or not at all: strong biases leave one solution
        values[f"bias.{field}"] = draw(st.sampled_from([0.0, 0.02, 0.3])) if field in ("h", "g") else draw(biases)
        if field in live:
            values[f"bias_std.{field}"] = draw(spreads)
            values[f"input_std.{field}"] = draw(spreads)
    if cell is SCALED:
        values["parameter.p"] = draw(st.floats(0.3, 2.0))
    choices = [p for p in values if p.split(".")[1] in (*live, "p") or (p.startswith("bias.") and cell is gt.LSTM)]
    return gt.Ensemble(cell).replace(values), choices


def _range(parameter):
    return {"gain": (0.0, 20.0), "bias": (-6.0, 6.0), "parameter": (-3.0, 3.0)}.get(parameter.split(".")[0], (0.0, 6.0))


@st.composite
def paths(draw):
    ensemble, choices = _ensemble(draw, draw(st.sampled_from([gt.GRU, gt.LSTM, CUBE, HUMP, SCALED])))
    parameter = draw(st.sampled_from(choices))
    low, high = _range(parameter)
    part = draw(st.sampled_from([1.0, 1.0, 0.2]))
    start = draw(st.floats(0.0, 1.0)) * (1.0 - part)
    return Path(ensemble, parameter, (low + start * (high - low), low + (start + part) * (high - low)))


@st.composite
def paths_of_several(draw):
    """Ties of two hyperparameters, all gains of a GRU, ways between two ensembles."""
    cell = draw(st.sampled_from([gt.GRU, gt.GRU, gt.LSTM, SCALED]))
    ensemble, choices = _ensemble(draw, cell)
    kind = draw(st.sampled_from(["tie", "gain", "way"]))
    if kind == "gain" and cell is gt.GRU:
        return Path(ensemble, "gain", (0.0, 20.0))
    if kind == "way":
        end, _ = _ensemble(draw, cell)
        return Path(ensemble, gt.Direction(ensemble, end), (0.0, 1.0))
    first, second = draw(st.lists(st.sampled_from(choices), min_size=2, max_size=2, unique=True))
    factor = draw(st.sampled_from([0.5, 1.0, 3.0]))
    (low, high), limits = _range(first), [factor * limit for limit in _range(second)]
    return Path(ensemble, f"{first}={factor}*{second}", (max(low, limits[0]), min(high, limits[1])))


def _onsets(path):
    """Values at which the zero state changes stability, from the slope of the plain map at 1e-12: (value, change upwards)."""
    values = np.linspace(path.low, path.high, 401)
    if _moment(path.at(0.37 * path.low + 0.63 * path.high), np.zeros(1))[0] > 0:
        return None
    D = np.array([1e-12])
    excess = np.array([_moment(path.at(v), D)[0] / 1e-12 - 1.0 for v in values])
    return 0.5 * (values[1:] + values[:-1])[np.diff(np.sign(excess)) != 0]


def compare(path, points):
    """The folds found explain the number of roots at every value: it changes by two at a fold, nowhere else but at an onset."""
    found = folds(path)
    step = (path.high - path.low) / points
    values = path.low + step * (0.5 + np.arange(points))
    counts = _counts(path, values)
    onsets = _onsets(path)
    events = [f.value for f in found] + ([] if onsets is None else list(onsets))
    if onsets is None and path.low < 0 < path.high and path.parameter.startswith("bias."):
        events.append(0.0)  # there the zero state may exist, and what comes near it is smaller than the grid
    if onsets is None:
        events += [end for end in (path.low, path.high) if end == 0 or path.parameter == "direction"]
    for i in range(1, points):
        left, right = values[i - 1], values[i]
        if any(left - 3 * step < v < right + 3 * step for v in events):
            continue
        assert counts[i] == counts[i - 1], (path.ensemble, path.parameter, left, right, counts[i - 1], counts[i], found)
    for fold in found:  # none is invented: the count changes by two there, and by what else happens within a few steps
        near = [v for v in events if abs(v - fold.value) < 10 * step and v != fold.value]
        i = int(round((fold.value - path.low) / step))
        if near or not 5 <= i < points - 5:
            continue
        change = counts[i + 4] - counts[i - 5]
        assert change == (2 if fold.larger else -2), (path.ensemble, path.parameter, fold, change)


@settings(max_examples=10)
@given(path=paths())
def test_folds_are_where_the_number_of_roots_changes(path):
    compare(path, 250)


@settings(max_examples=10)
@given(path=paths_of_several())
def test_folds_along_several_hyperparameters_at_once(path):
    compare(path, 250)


@pytest.mark.nightly
@settings(max_examples=150)
@given(path=st.one_of(paths(), paths_of_several()))
def test_folds_are_where_the_number_of_roots_changes_at_length(path):
    compare(path, 1000)


# --- which of them gt.fold returns


def _gru(a_h, a_r, **more):
    return gt.Ensemble(gt.GRU, gain={"h": a_h, "r": a_r}, **more)


def test_a_window_of_three_solutions_has_two_folds():
    """b_h = 0.03, a_r = 10: three solutions in a window a part of 4e-4 of the range."""
    ensemble = _gru(1.7, 10.0, bias={"h": 0.03})
    low, high = folds(Path(ensemble, "gain.h", (0.0, 100.0)))
    assert low.top and low.larger and not high.top and not high.larger
    inside, outside = (low.value + 1e-4, high.value - 1e-4), (low.value - 1e-4, high.value + 1e-4)
    path = Path(ensemble, "gain.h", (1.0, 3.0))
    assert list(_counts(path, inside)) == [3, 3] and list(_counts(path, outside)) == [1, 1]
    for present, expected in ((1.7, low), (1.77, high), (1.5, low), (50.0, high)):
        value = gt.fold(ensemble.replace({"gain.h": present}), "gain.h")
        assert float(value) == pytest.approx(expected.value, rel=1e-12) and value.discontinuous
    assert value.moments["r*h"] == pytest.approx(np.exp(high.u), rel=1e-6)


def test_folds_along_a_bias_and_a_spread():
    value = gt.fold(_gru(1.76, 10.0, bias={"h": 0.01}), "bias.h")
    assert float(value) == pytest.approx(0.0343895, abs=1e-6)
    assert float(gt.fold(_gru(1.76, 10.0, bias={"h": -0.01}), "bias.h")) == pytest.approx(-float(value), rel=1e-10)
    # to leading order a spread acts on the smallest moments like a bias of its size
    spread = gt.fold(_gru(1.76, 10.0, bias_std={"h": 0.01}), "bias_std.h")
    assert float(spread) == pytest.approx(float(value), rel=2e-3)
    assert float(gt.fold(_gru(1.76, 10.0, input_std={"h": 0.01}), "input_std.h")) == pytest.approx(float(spread), rel=1e-10)


@pytest.mark.parametrize("distance, window", [(1e-2, 1.05e-3), (1e-4, 1.043e-5)])
def test_windows_as_narrow_as_biases_next_to_an_onset(distance, window):
    # F = k b^2 + (alpha - 1) x + beta x^2 folds where 1 - alpha = 2 b sqrt(k beta): in proportion to the distance from the onset
    value = gt.fold(_gru(2.0 - distance, 10.0, bias={"h": 1e-6}), "bias.h")
    assert float(value) == pytest.approx(window, rel=2e-3)


def test_where_there_is_no_fold():
    for ensemble, parameter, bounds in (
        (_gru(1.5, 0.0, bias={"h": 0.1}), "bias.h", None),  # one solution everywhere
        (_gru(1.7, 10.0), "gain.z", None),  # does not matter
        (_gru(1.0, 10.0), "gain.h", (1.9, 3.0)),  # the pair is born below, at 1.754
        (_gru(1.0, 10.0), "gain.h", (0.0, 1.7)),
        (gt.Ensemble(gt.GRU, gain=0.0), "bias.r", None),  # nothing is fed back
    ):
        with pytest.raises(gt.NoCriticalValue):
            gt.fold(ensemble, parameter, bounds)


def test_a_fold_at_the_end_of_a_range_is_one():
    value = float(gt.fold(_gru(1.0, 10.0), "gain.h"))
    for bounds in ((value, 3.0), (1.0, value)):
        assert float(gt.fold(_gru(1.0, 10.0), "gain.h", bounds)) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("a_r", [2.83, 2.8285])
def test_folds_next_to_the_tricritical_point(a_r):
    """At a_r = sqrt 8 the amplitude vanishes, like a_r^2 - 8, and the fold's distance from the onset like its square."""
    value = gt.fold(_gru(1.0, a_r), "gain.h")
    assert value.discontinuous and 0 < 2.0 - value < (a_r**2 - 8) ** 2 and 0 < value.moments["h"] < a_r**2 - 8
    assert not gt.fold(_gru(1.0, 2.828), "gain.h").discontinuous


@pytest.mark.slow
def test_back_along_other_hyperparameters_of_the_lstm():
    """A fold found along one hyperparameter is the fold along any other."""
    ensemble = gt.Ensemble(gt.LSTM, gain={"o": 8.0, "f": 5.0})
    there = gt.fold(ensemble, "gain.g").ensemble
    for path, other in (("gain.o", 7.9), ("bias.o", 0.1), ("bias.f", 0.1)):
        value = gt.fold(there.replace({path: other}), path)
        assert float(value) == pytest.approx(there.value(path), abs=1e-9)  # the same equation, whichever is solved for


def _fold_of_the_cube():
    """The solution D = m(v) at variance v = a^2 D exists at a^2 = v/m(v): the smallest such gain."""
    v = np.exp(np.linspace(-1.0, 2.0, 3001))
    gain2 = v / _average(lambda y: np.tanh(y) ** 6, 0.0, v)
    i = np.argmin(gain2)
    top = np.polynomial.Polynomial.fit(v[i - 5 : i + 6], gain2[i - 5 : i + 6], 4)
    return np.sqrt(top(min(top.deriv().roots(), key=lambda r: abs(r - v[i])).real))


def test_messages_without_an_onset_have_folds():
    value = gt.fold(gt.Ensemble(CUBE), "gain.h")
    # tanh^6 has poles of sixth order, which cost four digits: averages made for 1e-13 are good to 1e-9
    assert value.discontinuous and float(value) == pytest.approx(_fold_of_the_cube(), rel=1e-8)
    path = Path(gt.Ensemble(CUBE), "gain.h", (0.0, 10.0))
    assert list(_counts(path, [float(value) - 1e-3, float(value) + 1e-3])) == [0, 2]


def test_cells_without_a_closed_form():
    with pytest.raises(gt.CapabilityError, match="no closed-form fixed point of a site, and averages over 4"):
        gt.fold(gt.Ensemble(gt.PeepholeLSTM), "gain.g")


@pytest.mark.slow
def test_a_cell_of_one_field_without_a_closed_form():
    """A cell whose sites are solved for has the fold of the same cell in closed form."""
    # h = tanh(y)^3, as we know and the cell does not say: |h - tanh(y)^3| = 2 has the only other fixed points
    cube = sp.tanh(_y) ** 3
    cell = gt.Cell(name="implicit", state=[_h], fields=[_y], messages=[_h], update=[cube + (_h - cube) ** 3 / 4])
    value = gt.fold(gt.Ensemble(cell), "gain.h", (1.5, 3.0))
    # averages are made for 1e-10 here, and lose four digits to the poles of sixth order
    assert float(value) == pytest.approx(_fold_of_the_cube(), rel=1e-6)
