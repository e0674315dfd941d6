"""Onset, fold and tricritical point against mpmath and the theory sheet."""

import math
import pickle

import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from mpmath_loops import mp_gru
from scipy.special import expit

import gating_theory as gt
from gating_theory.ensemble.quadrature import FieldLaw

# --- onset


@pytest.mark.parametrize("b_r", [-2.0, 0.0, 0.7, 3.0])
def test_onset_of_the_gru(b_r):
    value = gt.onset(gt.Ensemble(gt.GRU, gain={"r": 3}, bias={"r": b_r}), "gain.h")
    # a root of an explicit function, by Brent to rounding: the docstring promises 1e-12
    assert float(value) == pytest.approx(1 / expit(b_r), rel=1e-12)
    assert value.parameter == "gain.h" and value.ensemble.value("gain.h") == float(value)
    s = expit(b_r)
    assert value.discontinuous == ((1 - s) * (2 - 3 * s) * 9 > 2)  # theory sheet, section 5


@pytest.mark.slow
def test_onset_of_the_lstm_with_biases():
    """The LSTM's onset has its closed form (1 - f) / (i o), taken at the biases."""
    b = {"f": 0.8, "i": 0.3, "o": -0.5}
    value = gt.onset(gt.Ensemble(gt.LSTM, bias=b), "gain.g", bounds=(0.5, 5.0))
    exact = (1 - expit(b["f"])) / (expit(b["i"]) * expit(b["o"]))
    assert float(value) == pytest.approx(exact, rel=1e-12)


def test_onset_needs_a_zero_state():
    with pytest.raises(gt.CapabilityError, match="zero state"):
        gt.onset(gt.Ensemble(gt.GRU, bias={"h": 1}), "gain.h")


@pytest.mark.parametrize("calculate, kind", [(gt.onset, "onset"), (gt.fold, "fold"), (gt.complexity_onset, "complexity_onset")])
def test_critical_values_have_one_form(calculate, kind):
    value = calculate(gt.Ensemble(gt.Vanilla), "gain.h")
    assert value.kind == kind and value.parameter == "gain.h" and not value.discontinuous
    assert value.status.ok and value.status.code == "continuous" and 0 < value.error < 1e-8
    assert repr(value) == f"gain.h = {float(value)!r} ({value.status})"
    again = pickle.loads(pickle.dumps(value))
    assert again == value and vars(again) == vars(value)


# --- fold

FOLDS = [  # (b_r, a_r, a_h, D) of the theory sheet, section 5
    (0, 3, 1.998712626289, 0.010665337),
    (0, 4, 1.963831344979, 0.045420133),
    (0, 6, 1.873850971318, 0.062745351),
    (0, 10, 1.753983206535, 0.060117541),
    (0, 20, 1.627832821198, 0.044293680),
    (-1, 2, 3.574578616868, 0.117054574),
    (-1, 4, 2.794049522275, 0.171719214),
    (-1, 10, 2.069038778250, 0.119841704),
]


def _gru_fold(a_r, b_r, low=1.0, high=6.0):
    ensemble = gt.Ensemble(gt.GRU, gain={"r": a_r}, bias={"r": b_r})
    return gt.fold(ensemble, "gain.h", bounds=(low, high))


@pytest.mark.slow
@pytest.mark.parametrize("b_r, a_r, a_h, D", FOLDS)
def test_folds_of_the_theory_sheet(b_r, a_r, a_h, D):
    value = _gru_fold(a_r, b_r)
    assert value.discontinuous
    assert float(value) == pytest.approx(a_h, rel=1e-10)  # the sheet gives 12 decimals, the docstring promises 1e-11
    # the amplitude is where a parabola is flat: known to the square root of what the value is, and printed to 9 decimals
    assert value.moments["h"] == pytest.approx(D, abs=2e-7)
    assert value.ensemble.value("gain.h") == float(value)


@pytest.mark.slow
@pytest.mark.parametrize("a_r, b_r", [(6, 0), (4, -1)])
def test_fold_against_mpmath(a_r, b_r):
    value = _gru_fold(a_r, b_r)
    D = mp.mpf(value.moments["h"])

    def excess(a_h):
        # a_h D at the largest log ratio: three points of a parabola in log D around the fold give the height of its top
        with mp.workdps(30):
            u = [mp.mpf("-0.01"), mp.mpf(0), mp.mpf("0.01")]
            loop = mp_gru(a_r, a_h, b_r)
            f = [mp.log(loop(D * mp.exp(v)) / (D * mp.exp(v))) for v in u]
            slope, curvature = (f[2] - f[0]) / 2, f[2] - 2 * f[1] + f[0]
            return f[1] - slope**2 / (2 * curvature), slope / 0.01

    height, slope = excess(mp.mpf(float(value)))
    # cubic terms drop out as D is at the top up to 1e-7; the height is then the error of a_h times a slope of order 1
    assert abs(height) < 1e-10 and abs(slope) < 1e-3


@pytest.mark.slow
def test_fold_at_a_strong_reset_gate():
    # r^2 averages to 1/2 when r is binary, so that a_h tends to sqrt 2; the correction falls like 1/sqrt(a_r) or so
    values = [float(_gru_fold(a_r, 0, low=1.2, high=3.0)) for a_r in (100.0, 1000.0)]
    assert values[0] > values[1] > math.sqrt(2)
    assert values[1] - math.sqrt(2) < 0.02


@pytest.mark.slow
@pytest.mark.parametrize("a_r, discontinuous", [(12.11, True), (12.10, False)])
def test_finite_amplitude_fold_without_a_local_sign(a_r, discontinuous):
    # the local condition, (1 - s)(2 - 3s) a_r^2 > 2, is met from 14.188 only: the fold at finite amplitude exists from 12.104
    value = _gru_fold(a_r, 0.65)
    assert value.discontinuous is discontinuous
    onset = 1 / expit(0.65)
    if discontinuous:
        assert value < onset and value.moments["h"] > 1e-4
    else:
        assert float(value) == pytest.approx(onset, rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("b_r", [0.9, 1.0])
def test_no_fold_at_a_large_reset_bias(b_r):
    value = _gru_fold(15.0, b_r)
    assert value.discontinuous is False and float(value) == pytest.approx(1 / expit(b_r), rel=1e-12)
    assert value.moments == {"h": 0.0, "r*h": 0.0}


@pytest.mark.slow
@pytest.mark.parametrize("path, present", [("gain.r", 8.0), ("bias.r", -0.2)])
def test_folds_in_other_parameters_agree(path, present):
    ensemble = gt.Ensemble(gt.GRU, gain={"h": 1.8, "r": 8.0}).replace({path: present})
    bounds = (2.0, 20.0) if path == "gain.r" else (-3.0, 3.0)
    value = gt.fold(ensemble, path, bounds=bounds)
    assert value.discontinuous
    back = gt.fold(ensemble.replace({path: float(value)}), "gain.h", bounds=(1.0, 4.0))
    assert float(back) == pytest.approx(1.8, rel=1e-9)  # both to 1e-11, times the slope of the fold line


# --- tricritical point: beta of the small-moment expansion (test_expansion.py) vanishes at the onset


@pytest.fixture
def remembered_averages(monkeypatch):
    """Averages at the zero state do not depend on gains: remember them, as tricritical asks thousands of times (minutes)."""
    plain, memory = FieldLaw.mean_of_products, {}

    def remembering(law, cell, products, tol, keep=(), cache=None):
        key = (id(products), tol, law.means.tobytes(), law.stds.tobytes())
        if key not in memory:
            memory[key] = (products, plain(law, cell, products, tol, keep, cache))  # products kept alive: ids stay unique
        return memory[key][1]

    monkeypatch.setattr(FieldLaw, "mean_of_products", remembering)


@pytest.mark.slow
@pytest.mark.parametrize("b_r", [-1.0])
def test_tricritical_point_of_the_gru(b_r, remembered_averages):
    point = gt.tricritical(gt.Ensemble(gt.GRU, bias={"r": b_r}), "gain.r", "gain.h")
    s = expit(b_r)
    assert float(point) ** 2 * (1 - s) * (2 - 3 * s) == pytest.approx(2, rel=1e-10)  # Brent to rounding, averages to 1e-13
    assert point.ensemble.value("gain.h") == pytest.approx(1 / s, rel=1e-12)
    assert point.ensemble.value("gain.r") == float(point)


@pytest.mark.slow
def test_tricritical_point_of_the_lstm(remembered_averages):
    point = gt.tricritical(gt.Ensemble(gt.LSTM, gain={"f": 2.0, "i": 3.0}), "gain.o", "gain.g")
    assert float(point) == pytest.approx(math.sqrt(64 - 9 - 12), rel=1e-10)
    assert point.ensemble.value("gain.g") == pytest.approx(2, rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("factor, discontinuous", [(0.9, False), (1.1, True)])
def test_fold_of_the_lstm_across_the_ellipsoid(factor, discontinuous):
    value = gt.fold(gt.Ensemble(gt.LSTM, gain={"f": 0, "i": 0, "o": 8 * factor}), "gain.g", bounds=(1.0, 4.0))
    assert value.discontinuous is discontinuous
    if discontinuous:
        assert value < 2 and value.moments["h"] > 0
    else:
        assert float(value) == pytest.approx(2, rel=1e-12)


def test_onset_in_a_bias_speaks_of_the_ensemble_that_was_given():
    with pytest.raises(gt.CapabilityError, match=r"Ensemble\(GRU, gain=1\) has no zero state when 'bias.h' varies"):
        gt.onset(gt.Ensemble(gt.GRU), "bias.h")
    with pytest.raises(gt.CapabilityError, match=r"'h': 1}\) has no zero state: "):
        gt.onset(gt.Ensemble(gt.GRU, bias={"h": 1.0}), "gain.h")


def test_a_parameter_that_does_not_matter_has_no_onset():
    """At a_h = 2 the GRU's zero state is marginal whatever the update gate does; and it is so at the end of a range."""
    marginal = gt.Ensemble(gt.GRU, gain={"h": 2.0})
    for path in ("gain.z", "bias.z"):
        with pytest.raises(gt.NoCriticalValue, match="nothing changes with"):
            gt.onset(marginal, path)
    for bounds in ((2.0, 3.0), (1.0, 2.0)):
        assert float(gt.onset(gt.Ensemble(gt.GRU, gain={"h": 2.5}), "gain.h", bounds)) == 2.0


def test_tricritical_in_the_bias():
    """(1 - s)(2 - 3 s) a_r^2 = 2 with s = sigma(b_r): at a_r = 4 s = (5 - sqrt(5/2)) / 6, though at b_r = -30 there is no onset."""
    s = (5.0 - np.sqrt(2.5)) / 6.0
    assert abs((1 - s) * (2 - 3 * s) * 16 - 2) < 1e-14
    found = gt.tricritical(gt.Ensemble(gt.GRU, gain={"r": 4}), "bias.r", "gain.h")
    assert abs(float(found) - np.log(s / (1 - s))) < 1e-9 and abs(found.ensemble.value("gain.h") - 1 / s) < 1e-9
    assert float(gt.tricritical(gt.Ensemble(gt.GRU, gain={"r": 4}), "bias.r", "gain.h", (0.0, 1.0))) == pytest.approx(
        float(found), abs=1e-9
    )
    with pytest.raises(gt.NoCriticalValue):
        gt.tricritical(gt.Ensemble(gt.GRU, gain={"r": 4}), "bias.r", "gain.h", (1.0, 2.0))


def test_tricritical_points_that_do_not_exist_or_lie_at_the_end():
    ensemble = gt.Ensemble(gt.GRU, gain={"r": 4})
    with pytest.raises(gt.NoCriticalValue, match="nothing changes with 'gain.z'"):
        gt.tricritical(ensemble, "gain.z", "gain.h")
    with pytest.raises(gt.NoCriticalValue, match="no onset in 'gain.z' for any 'gain.r'"):
        gt.tricritical(ensemble, "gain.r", "gain.z")
    with pytest.raises(gt.CapabilityError, match=r"'h': 1}\) has no zero state when 'bias.h' varies"):
        gt.tricritical(ensemble, "bias.h", "gain.h")
    for bounds in ((math.sqrt(8), 5.0), (1.0, math.sqrt(8))):
        assert float(gt.tricritical(ensemble, "gain.r", "gain.h", bounds)) == pytest.approx(math.sqrt(8), rel=1e-10)


# --- cells with kinks, messages that are not linear, no zero state


_h, _y = sp.symbols("h y_h", real=True)


def _one_field(update):
    return gt.Cell(name="own", state=[_h], fields=[_y], messages=[_h], update=[update], fixed_point=[update])


@pytest.mark.parametrize(
    "update, alpha, discontinuous",
    [
        (sp.Max(0, sp.tanh(_y)), 0.5, False),
        (sp.Max(-1, sp.Min(1, _y)), 1.0, False),
        (sp.Max(_y, 2 * _y) / (1 + _y**2), 2.5, False),
        (sp.Abs(sp.tanh(_y)) * (1 + sp.tanh(_y) ** 2), 1.0, True),
    ],
)
def test_onset_of_cells_with_kinks(update, alpha, discontinuous):
    # half of the fields, which are symmetric, see either slope: alpha = a_h^2 (left^2 + right^2)/2
    value = gt.onset(gt.Ensemble(_one_field(update)), "gain.h")
    assert float(value) == pytest.approx(alpha**-0.5, rel=1e-10) and value.error >= 1e-10
    assert value.discontinuous is discontinuous
    born = gt.fold(gt.Ensemble(_one_field(update)), "gain.h")
    assert born.discontinuous is discontinuous and (born < value if discontinuous else born == value)


@pytest.mark.parametrize("present, sign", [(-0.5, -1), (0.0, 1), (0.1, 1), (30.0, 1)])
def test_of_two_onsets_the_nearest_one(present, sign):
    # alpha = a_h^2 / cosh(b_z)^4, twice 1 within 3 % of the range
    y_z = sp.Symbol("y_z", real=True)
    update = (1 - sp.tanh(y_z) ** 2) * sp.tanh(_y)
    cell = gt.Cell(name="lid", state=[_h], fields=[y_z, _y], messages=[_h, _h], update=[update], fixed_point=[update])
    ensemble = gt.Ensemble(cell, gain={"z": 0.0, "h": 2.0}, bias={"z": present})
    assert float(gt.onset(ensemble, "bias.z")) == pytest.approx(sign * math.acosh(math.sqrt(2)), rel=1e-12)
    assert float(gt.fold(ensemble, "bias.z")) == pytest.approx(sign * math.acosh(math.sqrt(2)), rel=1e-12)
    near_one = ensemble.replace({"gain.h": 1.0 + 1e-4})  # two within 1.4e-2 of each other: a part of 2e-4 of the range
    assert float(gt.onset(near_one, "bias.z")) == pytest.approx(sign * math.acosh(math.sqrt(1.0 + 1e-4)), rel=1e-8)


def test_onset_of_a_relu_candidate():
    assert float(gt.onset(gt.Ensemble(gt.LiGRU), "gain.h")) == pytest.approx(math.sqrt(2), rel=1e-10)


def test_tricritical_points_need_an_expansion():
    with pytest.raises(gt.CapabilityError, match="kinks"):
        gt.tricritical(gt.Ensemble(_one_field(sp.Max(0, sp.tanh(_y)))), "bias.h", "gain.h")


def test_why_there_is_no_onset():
    cubic, bump = _one_field(sp.tanh(_y) ** 3), _one_field(sp.exp(-(_y**2)))
    with pytest.raises(gt.NoCriticalValue, match="alpha = 0 whatever it is, the zero state is always stable"):
        gt.onset(gt.Ensemble(cubic), "gain.h")
    with pytest.raises(gt.CapabilityError, match="message 'h' of cell 'own' does not vanish where all fields are zero"):
        gt.onset(gt.Ensemble(bump), "gain.h")
    with pytest.raises(gt.NoCriticalValue, match="small moments grow by 4 whatever it is"):
        gt.onset(gt.Ensemble(gt.GRU, gain={"h": 4.0}), "gain.z")
    # f is spread so widely that E 1/(1 - f)^2 is infinite: the zero state is unstable there, and nothing crashes
    with pytest.raises(gt.NoCriticalValue):
        gt.onset(gt.Ensemble(gt.LSTM, gain={"g": 3.0}), "bias_std.f")


def test_a_printed_value_has_the_digits_that_its_error_leaves():
    onset = gt.onset(gt.Ensemble(gt.Vanilla), "gain.h")
    assert str(onset) == repr(onset)
    more = {name: value for name, value in vars(onset).items() if name not in ("parameter", "error")}
    rough = gt.Critical(3.4908059380437915, onset.parameter, error=0.0719, **more)
    assert str(rough) == f"gain.h = 3.491 +- 0.072 ({onset.status})"
    assert float(repr(rough).split()[2]) == float(rough)
