"""All folds along any hyperparameter, against the number of roots of plain numpy maps on a fine grid."""

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


@st.composite
def paths(draw):
    cell = draw(st.sampled_from([gt.GRU, gt.LSTM, CUBE, HUMP, SCALED]))
    gains, biases, spreads = st.floats(0.5, 12.0), st.floats(-2.0, 2.0), st.sampled_from([0.0, 0.0, 0.01, 0.1, 0.5])
    live = {gt.GRU: ("r", "h"), gt.LSTM: ("g", "o")}.get(cell, ("h",))
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
    ensemble = gt.Ensemble(cell).replace(values)
    choices = [p for p in values if p.split(".")[1] in (*live, "p") or (p.startswith("bias.") and cell is gt.LSTM)]
    parameter = draw(st.sampled_from(choices))
    low, high = {"gain": (0.0, 20.0), "bias": (-6.0, 6.0), "parameter": (-3.0, 3.0)}.get(parameter.split(".")[0], (0.0, 6.0))
    part = draw(st.sampled_from([1.0, 1.0, 0.2]))
    start = draw(st.floats(0.0, 1.0)) * (1.0 - part)
    return Path(ensemble, parameter, low + start * (high - low), low + (start + part) * (high - low))


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
    if onsets is None and path.low == 0:
        events.append(0.0)
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


@settings(max_examples=12)
@given(path=paths())
def test_folds_are_where_the_number_of_roots_changes(path):
    compare(path, 250)


@pytest.mark.nightly
@settings(max_examples=300)
@given(path=paths())
def test_folds_are_where_the_number_of_roots_changes_at_length(path):
    compare(path, 1000)
