"""Where fixed points become exponentially many: reference values, continuous and discontinuous transitions [T7]."""

from dataclasses import replace

import pytest

import gating_theory as gt
from gating_theory.counting import onset


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
