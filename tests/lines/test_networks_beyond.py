"""Where half of the networks of N units are past a value [T12]."""

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.lines.critical import critical
from gating_theory.spectrum.finite_size import share_beyond


@pytest.mark.parametrize(("n_units", "counted"), [(300, 3.57), (600, 3.10)])
def test_half_of_the_networks_of_an_lstm(n_units, counted):
    """Biases spread by 2: the limit loses stability at 1.49, half of the networks counted at twice that, and the law to 10 %."""
    ensemble = gt.Ensemble(gt.LSTM, gain=2.5, bias_std=2.0)
    found = critical(ensemble, "gain", "radius", 1, n_units=n_units, n_draws=60, bounds=(2.0, 4.5))
    assert found == pytest.approx(counted, rel=0.1)
    assert (found.n_units, found.kind) == (n_units, "radius") and found.rising
    # a share that is known to .03 and rises by .24 for each unit of the gain
    assert 0.03 < found.error < 0.3
    assert found.below == found.above and found.below[0] == pytest.approx(0.5, abs=1e-9)


def test_half_of_the_networks_have_the_median():
    """The same seed gives the same draws to the law, whose median is then the value; a GRU, by its abscissa."""
    found = critical(
        gt.Ensemble(gt.GRU, gain=3.0, bias_std=0.5), "gain", "abscissa", 1, n_units=80, n_draws=20, rng=5, bounds=(2, 4)
    )
    point = gt.fixed_points(found.ensemble)[-1]
    seed = int(np.random.default_rng(5).integers(2**63))
    law = gt.Spectrum(point).finite_size(80, 20, rng=seed).abscissa
    # tables are interpolated by cubics: to 1e-3 of a probability
    assert law.cdf(1.0) == pytest.approx(0.5, abs=1e-3)
    assert share_beyond(point, "abscissa", 1.0, 80, 20, np.random.default_rng(seed)).mean() == pytest.approx(0.5, abs=1e-9)


def test_only_edges_have_laws():
    with pytest.raises(ValueError, match="n_units must be None"):
        critical(gt.Ensemble(gt.GRU, gain=3.0), "gain.h", "slow_fraction", 0.1, n_units=100)
    for kind in ("onset", "fold", "complexity_onset"):
        with pytest.raises(ValueError, match="n_units must be None"):
            critical(gt.Ensemble(gt.GRU), "gain.h", kind, n_units=100)
