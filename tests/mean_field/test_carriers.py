"""How few sites carry the growth of small moments: against integrals over one Gaussian field, and brute force [T12]."""

import numpy as np
import pytest
from scipy.stats import norm

import gating_theory as gt
from gating_theory.mean_field.carriers import fewest_units, half_share_of_growth


def half_by_brute_force(part, n=2_000_001):
    """The fraction of a standard Gaussian's values that carry half of E part(z), part ascending: by plain sums."""
    z, dz = np.linspace(-10.0, 14.0, n, retstep=True)
    carried = np.cumsum((part(z) * norm.pdf(z))[::-1])[::-1] * dz
    return norm.sf(z[np.searchsorted(-carried, -0.5 * carried[0])])


@pytest.mark.parametrize("spread", [0.5, 1.0, 2.0])
def test_forget_gates_of_an_lstm(spread):
    # gradients through c grow like 1/(1 - f) = 1 + exp(y_f); shares lie between nodes of a population, whence 5 %
    ensemble = gt.Ensemble(gt.LSTM, gain=1.0, bias_std={"f": spread})
    wanted = half_by_brute_force(lambda z: (1.0 + np.exp(spread * z)) ** 2)
    assert half_share_of_growth(ensemble) == pytest.approx(wanted, rel=0.05)


def test_reset_gates_of_a_gru():
    ensemble = gt.Ensemble(gt.GRU, gain=2.0, bias_std={"r": 1.5})
    # only r h is in the loop: r(y)^2, y ~ N(0, 1.5)
    wanted = half_by_brute_force(lambda z: (1.0 + np.exp(-1.5 * z)) ** -2.0)
    assert half_share_of_growth(ensemble) == pytest.approx(wanted, rel=0.05)


def test_all_sites_are_alike_without_spreads():
    assert half_share_of_growth(gt.Ensemble(gt.GRU, gain=1.7)) == 0.5


@pytest.mark.parametrize(
    "share, words", [(None, ""), (np.nan, ""), (0.01, ""), (8.49e-5, "12,000"), (2.1e-3, "480"), (1e-9, "1e+09"), (0.0, "1e+15")]
)
def test_words(share, words):
    assert fewest_units(share) == words


def test_an_onset_says_which_networks_do_not_show_it():
    onset = gt.onset(gt.Ensemble(gt.LSTM, bias_std={"f": 2.0}), "gain")
    needed = fewest_units(onset.half_share)
    assert f"networks of less than {needed} units do not show it" in repr(onset)
    assert onset.half_share == half_share_of_growth(onset.ensemble) < 1e-4
    assert "networks" not in str(gt.onset(gt.Ensemble(gt.LSTM, bias_std={"f": 0.5}), "gain").status)


def test_a_continuous_fold_says_it_too():
    fold = gt.fold(gt.Ensemble(gt.GRU, bias_std={"z": 0.5, "r": 0.5}), "gain.h")
    assert not fold.discontinuous and fold.half_share == half_share_of_growth(fold.ensemble)


@pytest.mark.parametrize("path, rising", [("gain.h", True), ("bias.r", True)])
def test_an_onset_says_on_which_side_the_zero_state_is_stable(path, rising):
    ensemble = gt.Ensemble(gt.GRU, gain={"h": 2.2})
    onset = gt.onset(ensemble, path)
    for side in (-1, 1):
        there = ensemble.replace({path: float(onset) + 0.05 * side})
        assert (gt.Spectrum(gt.fixed_points(there)[0]).abscissa() > 1.0) == ((side > 0) == onset.rising)
    assert onset.rising is rising


@pytest.mark.parametrize("cell, path, reverse", [(gt.GRU, "gain.h", False), (gt.GRU, gt.Direction, True)])
def test_a_fold_says_on_which_side_the_pair_is(cell, path, reverse):
    ensemble = gt.Ensemble(cell, gain=4.0)
    if path is gt.Direction:
        path = gt.Direction(ensemble.replace({"gain.h": 3.0}), ensemble.replace({"gain.h": 1.0}))
    fold = gt.fold(ensemble, path)
    assert fold.discontinuous and fold.rising is not reverse
    assert (fold.below, fold.above) == (((2.0, 0.0), (0.0, 0.0)) if reverse else ((0.0, 0.0), (2.0, 0.0)))
