"""Hyperparameters: what each kind is called, drawn and searched, and which values an ensemble takes."""

import numpy as np
import pytest
from matplotlib.mathtext import MathTextParser

import gating_theory as gt
from gating_theory.ensemble.hyperparameters import KINDS, LARGEST, kind_of, search_span, signed, symbol, words

#: path: symbol, words, whether it may be negative, where it is searched
TABLE = {
    "gain.h": ("$a_{h}$", "gain of field h", False, (0.0, 100.0)),
    "bias.r": ("$b_{r}$", "mean bias of field r", True, (-30.0, 30.0)),
    "bias_std.z": (r"$\beta_{z}$", "spread of the bias of field z", False, (0.0, 100.0)),
    "input_std.h": (r"$\sigma^{in}_{h}$", "standard deviation of the input to field h", False, (0.0, 100.0)),
    "parameter.p_f": ("$p_{f}$", "mean of site parameter p_f", True, (-30.0, 30.0)),
    "parameter_std.p_f": (r"$\mathrm{std}\,p_{f}$", "spread of site parameter p_f", False, (0.0, 100.0)),
    "parameter_input_std.p_f": (
        r"$\sigma^{in}_{p_{f}}$",
        "standard deviation of the input to site parameter p_f",
        False,
        (0.0, 100.0),
    ),
}


def test_the_table_has_every_kind():
    assert [path.partition(".")[0] for path in TABLE] == list(KINDS)


@pytest.mark.parametrize("path", TABLE)
def test_each_kind_by_its_path(path):
    assert (symbol(path), words(path), signed(path), search_span(path)) == TABLE[path]
    assert kind_of(path).name == path.partition(".")[0]
    MathTextParser("agg").parse(symbol(path))  # a figure can draw it


@pytest.mark.parametrize("path", TABLE)
def test_a_search_stays_where_values_are_allowed(path):
    cell = gt.PeepholeLSTM if path.startswith("parameter") else gt.GRU
    for value in search_span(path):
        assert gt.Ensemble(cell).replace({path: value}).value(path) == value


def test_other_texts():
    assert symbol("lyapunov") == "lyapunov"
    assert symbol("parameter.beta") == "$beta$"
    for ask in (kind_of, signed, search_span, words):
        with pytest.raises(KeyError):
            ask("gains.h")


# --- limits, as an ensemble enforces them


@pytest.mark.parametrize("kind", KINDS)
def test_defaults_are_those_of_the_table(kind):
    values = getattr(gt.Ensemble(gt.JANET), kind)
    assert set(values) == {"beta"} if KINDS[kind].of_sites else {"f", "g"}
    assert set(values.values()) == {KINDS[kind].default}


@pytest.mark.parametrize("kind", KINDS)
def test_limits_are_those_of_the_table(kind):
    low = -LARGEST if KINDS[kind].signed else 0.0
    name = "beta" if KINDS[kind].of_sites else "g"
    for value in (low, LARGEST):
        assert gt.Ensemble(gt.JANET, **{kind: {name: value}}).value(f"{kind}.{name}") == value
    with pytest.raises(ValueError, match=rf"{kind}\['{name}'\] must lie in .*1000000.0\], got 1000001.0"):
        gt.Ensemble(gt.JANET, **{kind: {name: LARGEST + 1}})


@pytest.mark.parametrize("kind", ["gain", "bias_std", "input_std", "parameter_std"])
def test_negative_values_are_refused(kind):
    name = "beta" if kind == "parameter_std" else "g"
    for value in (-1.0, {name: -1e-9}):
        with pytest.raises(ValueError, match=kind):
            gt.Ensemble(gt.JANET, **{kind: value})


@pytest.mark.parametrize("kind", ["gain", "bias", "bias_std", "input_std", "parameter", "parameter_std"])
@pytest.mark.parametrize(
    "value, error",
    [(float("nan"), ValueError), (float("inf"), ValueError), (-float("inf"), ValueError), (True, TypeError), ("1", TypeError)]
    + [(1j, TypeError), ([1, 2], TypeError), (np.ones(2), TypeError)],
)
def test_values_that_are_no_finite_numbers_are_refused(kind, value, error):
    name = "beta" if kind.startswith("parameter") else "g"
    for given_value in (value, {name: value}):
        with pytest.raises(error, match=kind):
            gt.Ensemble(gt.JANET, **{kind: given_value})


def test_none_inside_a_mapping_is_refused():
    with pytest.raises(TypeError, match="gain"):
        gt.Ensemble(gt.GRU, gain={"h": None})
