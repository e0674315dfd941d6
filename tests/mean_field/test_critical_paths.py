"""Onset, fold and tricritical point along paths that move several hyperparameters at once."""

import pickle

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import expit, logit

import gating_theory as gt

GRU = gt.Ensemble(gt.GRU)
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(80)


def alpha(ensemble):
    """The growth of small moments of the GRU with bias.h = 0 and of the LSTM without biases of fields c, by hand (theory sheet)."""
    if ensemble.cell.name == "GRU":
        reset = expit(ensemble.bias["r"] + ensemble.bias_std["r"] * _NODES)
        return ensemble.gain["h"] ** 2 * (_WEIGHTS @ reset**2) / _WEIGHTS.sum()
    b = ensemble.bias
    return (ensemble.gain["g"] * expit(b["i"]) * expit(b["o"]) / (1.0 - expit(b["f"]))) ** 2


# --- common gains


@pytest.mark.parametrize(
    "cell, value",
    [(gt.Vanilla, 1), (gt.GRU, 2), (gt.LSTM, 2), (gt.GRUResetAfter, 2), (gt.JANET, 1), (gt.MGU, 2), (gt.CoupledLSTM, 2)],
)
def test_critical_common_gain_without_biases(cell, value):
    """All gains move together from 0: alpha = 1 at the value that the closed forms of the candidate's gain give."""
    found = gt.onset(gt.Ensemble(cell), "gain")
    assert float(found) == pytest.approx(value, abs=1e-12) and found.parameter == "gain"
    assert set(found.ensemble.gain.values()) == {float(found)}


@pytest.mark.parametrize("b_r", [-2.0, -1.0, 0.5])
def test_fold_along_the_common_gain_is_that_along_one_gain_with_the_others_there(b_r):
    ensemble = GRU.replace({"bias.r": b_r})
    together = gt.fold(ensemble, "gain")
    alone = gt.fold(together.ensemble, "gain.h")
    assert float(alone) == pytest.approx(float(together), abs=1e-9)
    assert together.discontinuous == alone.discontinuous == (b_r < 0.0)
    assert float(gt.onset(ensemble, "gain")) == pytest.approx(1.0 / expit(b_r), abs=1e-11)


def test_fold_along_a_tie_and_a_function_is_that_of_separate_values():
    ensemble = GRU.replace({"gain.r": 4.0})
    tied = gt.fold(ensemble, "gain.r=3*gain.h")
    assert tied.ensemble.gain["r"] == float(tied) and tied.ensemble.gain["h"] == pytest.approx(float(tied) / 3.0, rel=1e-15)
    alone = gt.fold(ensemble.replace({"gain.r": float(tied)}), "gain.h")
    assert float(alone) == pytest.approx(float(tied) / 3.0, abs=1e-9) and alone.discontinuous
    curved = gt.fold(ensemble, lambda v: {"gain.r": v**2, "gain.h": v**2 / 3.0}, bounds=(0.0, 5.0))
    assert float(curved) ** 2 == pytest.approx(float(tied), abs=1e-9)


# --- onset along straight paths, against brute force


def _values(cell):
    gain = {name: st.floats(0.0, 8.0) for name in cell.field_names}
    gates = [name for name in cell.field_names if name != ("h" if cell is gt.GRU else "g")]
    bias = {name: st.floats(-3.0, 3.0) for name in gates}
    spread = {name: st.floats(0.0, 2.0) for name in gates} if cell is gt.GRU else {}
    return st.builds(
        lambda a, b, s: gt.Ensemble(cell, a, b, s),
        st.fixed_dictionaries(gain),
        st.fixed_dictionaries(bias),
        st.fixed_dictionaries(spread),
    )


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([gt.GRU, gt.LSTM]).flatmap(lambda cell: st.tuples(_values(cell), _values(cell))))
def test_onset_along_a_direction_is_the_root_of_the_plain_alpha(ends):
    """The onset nearest to the start, against all roots of the growth by hand on a fine grid of the way."""
    start, end = ends
    assume(start != end)
    way = gt.Direction(start, end)

    def excess(value):
        return np.log(max(alpha(way.at(start, value)), 1e-300))

    grid = np.linspace(0.0, 1.0, 401)
    values = np.array([excess(v) for v in grid])
    # extrema of the growth at 1 are for other tests: two onsets there are as good as none
    turns = np.flatnonzero(np.diff(np.sign(np.diff(values)))) + 1
    assume(np.all(np.abs(values[[0, -1, *turns]]) > 1e-3))
    crossings = np.flatnonzero(values[:-1] * values[1:] < 0.0)
    if not crossings.size:
        with pytest.raises(gt.NoCriticalValue):
            gt.onset(start, way)
        return
    first = crossings[0]
    root = brentq(excess, grid[first], grid[first + 1], xtol=1e-15)
    slope = abs(values[first + 1] - values[first]) / (grid[1] - grid[0])
    assume(slope > 1e-3)
    found = gt.onset(start, way)
    # 80 nodes give the spread's average to 1e-9 at a spread of 2; the rest is the root's own error
    assert float(found) == pytest.approx(root, abs=1e-8 + 1e-8 / slope)
    assert found.ensemble == way.at(start, float(found))


# --- tricritical points


def test_tricritical_point_with_a_common_gain_at_the_onset():
    """(1 - s)(2 - 3 s) a_r^2 = 2 and a_h s = 1 with a_r = a_h: s^2 - 5 s + 2 = 0."""
    s = (5.0 - np.sqrt(17.0)) / 2.0
    found = gt.tricritical(GRU, "bias.r", "gain", bounds=(-3.0, 3.0))
    assert float(found) == pytest.approx(logit(s), abs=1e-9)
    assert found.ensemble.value("gain") == pytest.approx(1.0 / s, abs=1e-9)
    assert f"gain = {found.ensemble.value('gain')!r}" in str(found.status)


def test_tricritical_point_along_ties_directions_and_functions():
    way = gt.Direction(GRU, {"gain.r": 1.0, "gain.z": 3.0})

    def candidate(value):
        return {"gain.h": 2.0 * value}

    for parameter, value in (("gain.r=gain.z", np.sqrt(8.0)), (way, np.sqrt(8.0) - 1.0)):
        found = gt.tricritical(GRU, parameter, candidate, (0.5, 5.0), along_bounds=(0.1, 3.0))
        assert float(found) == pytest.approx(value, abs=1e-9)
        assert found.ensemble.gain["h"] == pytest.approx(2.0, abs=1e-9)  # a_h sigma(0) = 1
    with pytest.raises(ValueError, match="parameter and along: gain and gain.h both set gain.h"):
        gt.tricritical(GRU, "gain", "gain.h")
    with pytest.raises(ValueError, match="along_bounds must be given along candidate"):
        gt.tricritical(GRU, "gain.r", candidate)


# --- which one, and what is kept of the path


def test_of_several_onsets_the_nearest_or_where_none_is_the_lowest():
    def wave(value):
        return {"gain.h": 2.0 + np.cos(value)}  # the onset is where the cosine vanishes

    assert float(gt.onset(GRU, wave, (-4.0, 9.0))) == pytest.approx(-0.5 * np.pi, abs=1e-10)
    # a gain of 1 + 6 v and a reset gate that closes: a_h sigma(b_r) = 1 at two places of the way
    start = gt.Ensemble(gt.GRU, gain={"h": 1.0}, bias={"r": 1.0})
    way = gt.Direction(start, {"gain.h": 6.0, "bias.r": -5.0})
    roots = [brentq(lambda v: alpha(way.at(start, v)) - 1.0, *bracket, xtol=1e-15) for bracket in ((0.0, 0.3), (0.3, 1.0))]
    assert float(gt.onset(start, way)) == pytest.approx(roots[0], abs=1e-11)
    assert float(gt.onset(way.at(start, 0.9), way)) == pytest.approx(roots[1], abs=1e-11)
    # off the way there is no present value
    assert float(gt.onset(way.at(start, 0.9).replace({"gain.h": 3.0}), way)) == pytest.approx(roots[0], abs=1e-11)


@pytest.mark.parametrize("path", ["gain", "gain.z=3*gain.h", gt.Direction(GRU, {"gain.h": 7.0}, "way"), "by_value"])
def test_what_is_kept_of_a_path(path, tmp_path):
    given, bounds = (path, None) if path != "by_value" else ((lambda v: {"gain.h": v}), (0.1, 9.0))
    found = gt.onset(GRU, given, bounds)
    assert found.parameter == {"by_value": "function"}.get(path, str(path))
    again = gt.load(gt.save(found, tmp_path / "onset.json"))
    copy = pickle.loads(pickle.dumps(found))
    assert (
        (again, again.parameter, again.ensemble)
        == (copy, copy.parameter, copy.ensemble)
        == (found, str(found.parameter), found.ensemble)
    )
    assert found.ensemble.gain["h"] == pytest.approx(2.0, abs=1e-11)


@pytest.mark.parametrize("calculate", [gt.onset, gt.fold, gt.complexity_onset, gt.chaos_onset])
def test_what_is_refused(calculate):
    for path, bounds, words in (
        ("gain.q", None, "parameter: no hyperparameter 'gain.q'"),
        (lambda v: {"gain.h": v}, None, "bounds must be given along function"),
        ("gain", (-1.0, 2.0), "bounds must lie within"),
        ("gain.h", (2.0, 1.0), "bounds must be increasing"),
    ):
        with pytest.raises(ValueError, match=words):
            calculate(GRU, path, bounds)
    with pytest.raises(TypeError, match="parameter must be a path"):
        calculate(GRU, 3)
