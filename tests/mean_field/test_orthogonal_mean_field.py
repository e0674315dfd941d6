"""Orthogonal matrices and stacks share their mean field with iid ones of the same gains [T10]."""

import numpy as np
import pytest

import gating_theory as gt

LAWS = ("orthogonal", "stack")


@pytest.mark.parametrize("law", LAWS)
def test_critical_values(law):
    """Onset, fold and tricritical point of the GRU; the onset and tricritical point of the LSTM in closed form."""
    gru = gt.Ensemble(gt.GRU, gain={"z": 1, "r": 3.5, "h": 1.9}, matrices=law)
    iid = gru.with_matrices("iid")
    assert float(gt.onset(gru, "gain.h")) == pytest.approx(2.0, abs=1e-12)
    assert float(gt.tricritical(gru, "gain.r", "gain.h")) == pytest.approx(np.sqrt(8), abs=1e-9)
    assert gt.fold(gru, "gain.h").value == gt.fold(iid, "gain.h").value < 2.0
    lstm = gt.Ensemble(gt.LSTM, gain={"f": 2, "i": 3}, matrices=law)
    assert float(gt.onset(lstm, "gain.g")) == pytest.approx(2.0, abs=1e-12)
    assert float(gt.tricritical(lstm, "gain.o", "gain.g")) == pytest.approx(np.sqrt(43), abs=1e-8)  # a_o^2 + a_i^2 + 3 a_f^2 = 64


@pytest.mark.parametrize("law", LAWS)
def test_fixed_points_and_their_edges(law):
    """No response term, and A(0) = a^2: moments, radius and abscissa to the bit."""
    for cell, gain in ((gt.GRU, {"h": 3}), (gt.LSTM, {"g": 5})):
        ours, theirs = (gt.fixed_points(gt.Ensemble(cell, gain=gain, matrices=one))[-1] for one in (law, "iid"))
        assert ours.moments == theirs.moments
        a, b = gt.Spectrum(ours), gt.Spectrum(theirs)
        assert a.abscissa() == b.abscissa() and a.radius() == b.radius()


@pytest.mark.parametrize("law", LAWS)
def test_moving_states(law):
    """Dynamic mean field and the line at which chaos begins: fields are Gaussian processes of the same covariance."""
    vanilla = gt.Ensemble(gt.Vanilla, gain=2.0, matrices=law)
    ours, theirs = gt.dmft(vanilla), gt.dmft(vanilla.with_matrices("iid"))
    assert ours.moments == theirs.moments and ours.exponent == theirs.exponent > 0
    gru = gt.Ensemble(gt.GRU, gain={"z": 0, "r": 1, "h": 3}, matrices=law)
    assert float(gt.chaos_line(gru, "gain.h")) == float(gt.chaos_line(gru.with_matrices("iid"), "gain.h"))
