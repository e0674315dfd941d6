"""Where overlaps leave zero: closed forms at the zero state, states with activity, paths, and what is refused [T11]."""

import numpy as np
import pytest
from low_rank_cases import CASES

import gating_theory as gt


def sigma(x):
    return 0.5 * (1.0 + np.tanh(0.5 * x))


def channel(omega):
    return gt.LowRank("h", covariance=[[1.0, omega], [omega, omega**2 + 1.0]])


@pytest.mark.parametrize(("b_z", "b_r"), [(0.0, 0.0), (2.0, 0.0), (-1.0, 0.7)])
def test_the_gru_begins_to_remember_whatever_its_update_gate(b_z, b_r):
    """omega = 1 / sigma(b_r), at any b_z and any gains: the update gate does not move the onset."""
    found = gt.memory_onset(gt.Ensemble(gt.GRU, {"z": 1, "r": 2, "h": 0.8}, {"z": b_z, "r": b_r}, low_rank=channel(0.9)))
    assert 0.9 * found == pytest.approx(1.0 / sigma(b_r), rel=1e-12)
    assert found.kind == "memory_onset" and found.rising and not found.discontinuous


def test_the_lstm_begins_to_remember_by_three_of_its_gates():
    """omega = (1 - f) / (i o); low rank in the gates does nothing at the zero state."""
    bias = {"f": 1.0, "i": 0.5, "o": 0.3}
    plain = gt.LowRank("g", covariance=[[1, 0.5], [0.5, 2]])
    omega = (1.0 - sigma(1.0)) / (sigma(0.5) * sigma(0.3))
    assert 0.5 * gt.memory_onset(gt.Ensemble(gt.LSTM, 0.5, bias, low_rank=plain)) == pytest.approx(omega, rel=1e-12)
    gates = np.eye(6)
    gates[0, 3] = gates[3, 0] = 0.5
    gates[1, 4] = gates[4, 1] = gates[2, 5] = gates[5, 2] = 0.9
    found = gt.memory_onset(gt.Ensemble(gt.LSTM, 0.5, bias, low_rank=gt.LowRank(("g", "f", "o"), covariance=gates)))
    assert 0.5 * found == pytest.approx(omega, rel=1e-12)


def test_solutions_are_there_on_one_side_and_small_beside_it():
    """A continuous onset: none before; beyond it kappa^2 grows in proportion to the distance."""
    ensemble = gt.Ensemble(gt.GRU, {"z": 1, "r": 1, "h": 0.8}, low_rank=channel(1.0))
    critical = gt.memory_onset(ensemble)

    def overlaps(factor):
        return [p.overlaps[0] for p in gt.fixed_points(ensemble.with_low_rank(channel(1.0).scaled(critical * factor)))]

    assert overlaps(0.999) == [0.0]
    near, far = overlaps(1.0005), overlaps(1.002)
    assert len(near) == len(far) == 3
    assert (far[1] / near[1]) ** 2 == pytest.approx(4.0, rel=2e-2)  # the next order is of the size of the distance, times some


def test_overlaps_leave_random_activity():
    """Vanilla with activity: q = 1 - 1/omega is that of the activity where the memory leaves it."""
    beyond = gt.Ensemble(gt.Vanilla, 1.7, low_rank=channel(1.0))
    found = gt.memory_onset(beyond, branch=1)
    assert 1.0 - 1.0 / found == pytest.approx(gt.fixed_points(gt.Ensemble(gt.Vanilla, 1.7))[1].moments["h"], rel=1e-9)
    assert "no fixed point is born" in str(gt.memory_onset(beyond).status)
    biased = gt.Ensemble(gt.Vanilla, 0.7, bias_std=0.8, low_rank=channel(1.0))
    found = gt.memory_onset(biased)
    assert 1.0 - 1.0 / found == pytest.approx(found.moments["h"] / 1.0, rel=1e-9)
    assert "leave zero" in str(found.status)


def test_paths_through_loadings_and_hyperparameters():
    ensemble = gt.Ensemble(gt.GRU, {"z": 0.3, "r": 1, "h": 0.8}, low_rank=channel(1.5))

    def overlap(omega):
        return ensemble.with_low_rank(channel(omega))

    assert gt.memory_onset(ensemble, overlap, (1.0, 3.0)) == pytest.approx(2.0, rel=1e-9)
    assert gt.memory_onset(ensemble, "bias.r") == pytest.approx(np.log(2.0), rel=1e-9)  # sigma = 2/3
    with pytest.raises(gt.NoCriticalValue, match="whatever 'bias.z' is"):
        gt.memory_onset(ensemble, "bias.z")
    with pytest.raises(gt.NoCriticalValue, match="between 0.1 and 0.2"):
        gt.memory_onset(ensemble, bounds=(0.1, 0.2))
    given = ensemble.with_low_rank(channel(1.5).drawn(300, 0))
    assert gt.memory_onset(given) * given.low_rank.overlap[0, 0] == pytest.approx(2.0, rel=1e-9)


def test_a_ring_begins_where_one_channel_does_and_without_symmetry_solutions_cross():
    eye = np.eye(2)
    ring = gt.LowRank({"h": 2}, covariance=np.block([[eye, 2.6 * eye], [2.6 * eye, 8 * eye]]))
    assert 2.6 * gt.memory_onset(gt.Ensemble(gt.GRU, 0.8, low_rank=ring)) == pytest.approx(2.0, rel=1e-9)
    crossing = gt.memory_onset(CASES["G3"].ensemble)
    assert crossing.discontinuous and "to both sides" in str(crossing.status)


def test_what_has_no_onset_is_refused():
    with pytest.raises(gt.CapabilityError, match="no low-rank part"):
        gt.memory_onset(gt.Ensemble(gt.GRU))
    with pytest.raises(gt.CapabilityError, match="overlaps of .* never vanish"):
        gt.memory_onset(gt.Ensemble(gt.Vanilla, bias=1, low_rank=gt.LowRank("h", [1, 1])))
    with pytest.raises(gt.CapabilityError, match="there is no branch 3"):
        gt.memory_onset(gt.Ensemble(gt.Vanilla, 0.5, low_rank=channel(1.0)), branch=3)
