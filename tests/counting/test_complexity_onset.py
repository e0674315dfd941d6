"""Where fixed points become exponentially many: reference values, continuous and discontinuous transitions [T7]."""

from dataclasses import replace

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.counting import onset
from gating_theory.sweeps.quantities import CRITICAL


def gru(a_h, a_r, b_r=0.0, **more):
    return gt.Ensemble(gt.GRU, gain={"h": a_h, "r": a_r}, bias={"r": b_r}, **more)


def vanilla(g, **more):
    return gt.Ensemble(gt.Vanilla, gain=g, **more)


@pytest.mark.parametrize(
    "a_r, b_r, value",
    [
        (4, 0, 1.885482663),
        (6, 0, 1.749316246),
        (8, 0, 1.655994799),
        (10, 0, 1.589602904),
        (20, 0, 1.421251188),
        (4, -1, 2.490373028),
    ],
)
def test_onset_of_the_gru(a_r, b_r, value):
    found = gt.complexity_onset(gru(1.0, a_r, b_r), "gain.h")
    # nine decimals are printed in the sheet
    assert abs(found - value) < 1e-9 and found.discontinuous
    # fixed points exist before mean-field theory sees any, and before the zero state loses stability
    assert found < gt.fold(gru(1.0, a_r, b_r), "gain.h") < gt.onset(gru(1.0, a_r, b_r), "gain.h") + 1e-12


@pytest.mark.parametrize("ensemble, value", [(vanilla(1.0), 1.0), (gru(1.0, 1.5), 2.0)])
def test_continuous_onset_is_that_of_the_zero_state(ensemble, value):
    found = gt.complexity_onset(ensemble, "gain.h")
    assert abs(found - value) < 1e-12 and not found.discontinuous


# --- the annealed tricritical point of the GRU: a_r^2 = 4/((1 - s)(5 - 7s)) with s = sigma(b_r), 16/3 at b_r = 0


def _is_onset_of_the_gru(a_r, found):
    """Up to 4/sqrt(3) that of the zero state, beyond it earlier and discontinuous; nowhere without one."""
    if a_r**2 <= 16.0 / 3.0:
        return abs(found - 2.0) < 1e-12 and not found.discontinuous
    return found < 2.0 and found.discontinuous and found < gt.fold(gru(1.0, a_r), "gain.h")


@pytest.mark.parametrize("a_r", [0.0, 1.0, 1.7, 1.83, 1.9, 2.0, 2.1, 2.2, 2.3, 2.3729, 2.44, 2.7])
def test_onsets_of_the_gru_have_no_hole(a_r):
    """Where the ridge is about to vanish the solver failed, which was taken for doubts."""
    assert _is_onset_of_the_gru(a_r, gt.complexity_onset(gru(1.0, a_r), "gain.h"))


@pytest.mark.nightly
@pytest.mark.parametrize("a_r", np.linspace(0.0, 10.0, 60).tolist())
def test_sixty_onsets_of_the_gru(a_r):
    assert _is_onset_of_the_gru(a_r, gt.complexity_onset(gru(1.0, a_r), "gain.h"))


@pytest.mark.parametrize("b_r", [0.0, -1.0])
def test_the_onset_leaves_the_zero_state_at_the_annealed_tricritical_point(b_r):
    """Beyond it the distance to the zero state's onset grows like the square of that to the point: two distances give the point."""
    s = 1.0 / (1.0 + np.exp(-b_r))
    a_r2 = 4.0 / ((1.0 - s) * (5.0 - 7.0 * s))
    beyond = a_r2 * np.array([1.003, 1.012])
    roots = [np.sqrt(1.0 / s - gt.complexity_onset(gru(1.0, a, b_r), "gain.h")) for a in np.sqrt(beyond)]
    point = beyond[0] - roots[0] * (beyond[1] - beyond[0]) / (roots[1] - roots[0])
    # the next term bends the root by a part of order 1 in the distance, 1.2 %: what is left is of order .003 * .012
    assert abs(point / a_r2 - 1.0) < 1e-4
    assert not gt.complexity_onset(gru(1.0, np.sqrt(0.997 * a_r2), b_r), "gain.h").discontinuous


def test_at_the_onset_itself_nothing_is_left_to_doubt():
    for a_r in (0.0, 1.83, 2.0, 2.2):
        result = gt.complexity(gru(2.0, a_r))
        assert result.value == 0.0 and result.status.code == "no_saddle" and result.ok


def test_lines_of_a_phase_diagram_have_no_hole():
    """Warnings are errors here."""
    lines = gt.phase_diagram(gru(1.0, 0.0), {"gain.r": [1.83, 2.0, 2.2, 2.3729]}, ["complexity_onset:gain.h"])
    assert np.allclose(lines["complexity_onset:gain.h"][:3], 2.0, rtol=0, atol=1e-12)
    assert 1.99 < float(lines["complexity_onset:gain.h"][3]) < 2.0


def test_a_line_that_failed_is_tried_again_from_its_neighbour(monkeypatch):
    """A search that is made to fail at one reset gain unless it starts from the onset at another one."""

    def fails(ensemble, path):
        if ensemble.value("gain.r") == 6.0 and path.value(ensemble) == 1.0:
            raise gt.ConvergenceError("made to fail")
        return gt.complexity_onset(ensemble, path)

    monkeypatch.setitem(CRITICAL, "complexity_onset", replace(CRITICAL["complexity_onset"], function=fails))
    data = gt.phase_diagram(gru(1.0, 0.0), {"gain.r": [5.5, 6.0]}, ["complexity_onset:gain.h"])
    assert abs(float(data["complexity_onset:gain.h"][1]) - 1.749316246) < 1e-9 and data.attrs["failures"] == 0


# --- other hyperparameters


@pytest.mark.parametrize("ensemble", [gru(2.5, 4.0), vanilla(2.0, bias_std=0.3)])
@pytest.mark.parametrize("path", ["bias.h", "bias_std.h"])
def test_onsets_along_biases_and_spreads(ensemble, path):
    """With a zero state at the start or without: the rate vanishes to one side and grows to the other."""
    found = gt.complexity_onset(ensemble, path)
    outwards = 0.05 * np.sign(found)
    assert gt.complexity(ensemble.replace({path: found + outwards})).value == 0.0
    assert gt.complexity(ensemble.replace({path: found - outwards})).value > 1e-7


def test_the_reset_gain_against_the_candidate_gain():
    """The same line read the other way: a_r at which a_h = 1.5896029038 is the onset is 10 (the sheet prints nine decimals)."""
    assert abs(gt.complexity_onset(gru(1.589602904, 4.0), "gain.r") - 10.0) < 1e-6


def test_hyperparameters_that_do_not_matter_have_no_onset():
    for ensemble in (vanilla(2.0), vanilla(0.8)):
        with pytest.raises(gt.NoCriticalValue):
            gt.complexity_onset(gt.Ensemble(gt.JANET, gain={"g": ensemble.value("gain.h"), "f": 1.0}), "bias.f", (-2.0, 2.0))


def test_biased_onset_is_the_edge_of_the_mean_field_fixed_point():
    """Without a zero state the rate grows from zero where 1 enters the spectrum at the mean-field fixed point."""
    ensemble = vanilla(2.0, bias_std=0.3)
    found = gt.complexity_onset(ensemble, "gain.h")
    edges = [
        gt.Spectrum(gt.fixed_points(ensemble.replace({"gain.h": float(found) + d}))[-1]).edge_function(1.0) for d in (-1e-6, 1e-6)
    ]
    assert edges[0] < 1.0 < edges[1] and not found.discontinuous


def test_no_onset_where_the_saddle_is_lost(monkeypatch):
    """A rate that is positive to one side and not to be found on the other is a failure, not a transition."""

    def lost(ensemble):
        found = gt.complexity(ensemble)
        return found if ensemble.value("gain.h") > 2.5 else replace(found, saddles=())

    monkeypatch.setattr(onset, "complexity", lost)
    with pytest.raises(gt.ConvergenceError, match="saddle was lost"):
        gt.complexity_onset(vanilla(3.0, bias_std=0.3), "gain.h")
    with pytest.raises(gt.ConvergenceError, match="does not grow from zero"):
        gt.complexity_onset(gru(1.0, 1.5), "gain.h")


# --- just above a continuous onset


def _law_of_small_amplitudes(a_r, distance):
    """The rate at a_h = 2 + distance: eta/(4 - 2 k - eta) eps^2 with eps = a_h/2 - 1; vanilla at a_r = 0 [T7]."""
    eps, eta = 0.5 * distance, 0.25 * a_r**2
    k = eta  # a_r^2 (1 - s)(2 - 3 s) and eta = a_r^2 (1 - s)^2 are the same at s = 1/2
    return eta / (4.0 - 2.0 * k - eta) * eps**2 if a_r else 16.0 / 81.0 * eps**3


@pytest.mark.parametrize("a_r", [0.0, 0.5, 1.0, 1.5, 2.0, "MGU"])
def test_no_hole_above_a_continuous_onset(a_r):
    """The solver lost saddles below the scan's end, at a start that hit them, and whose signs rounding hid."""
    for distance in (1e-6, 1e-5, 1.7e-5, 1e-4, 2e-4, 1e-3):
        if a_r == "MGU":  # a minimal gated unit's forget gate is the reset gate of a GRU: fixed points are the same
            ensemble, law = gt.Ensemble(gt.MGU, gain={"h": 2.0 + distance}), _law_of_small_amplitudes(1.0, distance)
        else:
            ensemble, law = gru(2.0 + distance, a_r), _law_of_small_amplitudes(a_r, distance)
        found = gt.complexity(ensemble)
        if law > 5e-13:  # rates as small as that are resolved
            assert found.status.code == "converged"
        if found.status.code == "converged":
            # the next term is of relative order distance over the distance to the tricritical point: 1.5 % at a_r = 2 and 1e-3
            assert abs(found.value / law - 1.0) < 0.02
        else:
            assert found.status.code == "undecided" and found.value == 0.0 and law < found.error < 1e-11


# --- along paths of several hyperparameters


def test_along_ties_directions_and_functions():
    """The value of one hyperparameter at which the rate is zero lies on every path through it."""
    alone = gt.complexity_onset(gru(1.0, 6.0), "gain.h")
    start = gru(1.0, 6.0)
    ratio = 6.0 / float(alone)
    tied = gt.complexity_onset(start, f"gain.h={1.0 / ratio!r}*gain.r")
    way = gt.complexity_onset(start, gt.Direction(start, {"gain.h": 1.0, "gain.z": 2.0}))  # the update gate has no say
    squared = gt.complexity_onset(start, lambda v: {"gain.h": v**2}, (1.0, 1.5))
    assert abs(tied - alone) < 1e-8 and abs(way - (alone - 1.0)) < 1e-8 and abs(squared**2 - alone) < 1e-8
    assert tied.discontinuous and way.discontinuous and squared.discontinuous


def test_along_a_common_gain():
    assert abs(gt.complexity_onset(vanilla(3.0), "gain") - 1.0) < 1e-12
    together = gt.complexity_onset(gru(1.0, 1.0, -1.0), "gain")
    g = float(together)
    assert abs(gt.complexity_onset(gru(1.0, g, -1.0), "gain.h") - g) < 1e-8 and together.discontinuous


def test_the_present_value_of_a_way_that_leads_past_the_ensemble():
    """Without a zero state: of several changes of sign the lowest, looked for from the lower bound."""
    ensemble = vanilla(2.0, bias_std=0.3)
    alone = gt.complexity_onset(ensemble, "gain.h")
    assert abs(gt.complexity_onset(ensemble, lambda v: {"gain.h": v}, (0.5, 3.0)) - alone) < 1e-8
