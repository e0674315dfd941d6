"""Critical values and lines of the limit that no network shows say so, and how many units show them [T12]."""

import numpy as np
import pytest

import gating_theory as gt


@pytest.mark.parametrize("quantity", ["abscissa", pytest.param("stable", marks=pytest.mark.nightly)])
def test_the_common_gain_of_an_lstm_with_spread_biases(quantity):
    found = gt.critical(gt.Ensemble(gt.LSTM, bias_std=2.0), "gain", quantity, 1, bounds=(1.0, 3.0))
    limit = gt.Spectrum(gt.fixed_points(found.ensemble)[-1])
    # the criterion of a limit that describes N units: half of T comes from one of them at least
    assert found.half_share == pytest.approx(limit.concentration(300).half_share, rel=1e-6)
    assert "networks of less than 12,000 units do not show it: half of T(1) comes from 8e-05 of the sites" in repr(found)
    assert not limit.concentration(11_000).describes


def test_ordinary_values_stay_short(tmp_path):
    found = gt.critical(gt.Ensemble(gt.Vanilla, bias_std=1.0), "gain", "abscissa", 1)
    assert "networks" not in repr(found) and 0.1 < found.half_share < 0.5
    assert gt.load(gt.save(found, tmp_path / "critical.json")).half_share == found.half_share
    assert gt.critical(gt.Ensemble(gt.Vanilla), "gain", "moment:h", 0.2).half_share is None


def test_values_of_networks_need_no_warning():
    found = gt.critical(gt.Ensemble(gt.Vanilla, bias_std=1.0), "gain", "abscissa", 1, n_units=100, n_draws=20)
    assert found.half_share is None and "less than" not in repr(found)


def test_a_line_names_the_part_that_networks_do_not_show(tmp_path):
    line = gt.critical_line(gt.Ensemble(gt.LSTM), ("bias_std.f", "gain"), "onset", bounds=((0.0, 2.5), (0.01, 4.0)), tol=1e-3)
    for x, y, share in line.curves[0].half_share:
        onset = gt.onset(gt.Ensemble(gt.LSTM, gain=y, bias_std={"f": x}), "gain")
        # shares move by some hundred times what the spline and the value do, relative
        assert float(onset) == pytest.approx(y, abs=1e-6) and onset.half_share == pytest.approx(share, rel=1e-3)
    assert line.curves[0].half_share[0, 2] == 0.5 or line.curves[0].half_share[-1, 2] == 0.5
    assert "do not show it at bias_std.f from" in str(line)
    assert line.fewest_units
    again = gt.load(gt.save(line, tmp_path / "line.json"))
    np.testing.assert_array_equal(again.curves[0].half_share, line.curves[0].half_share)
    (curve,) = [artist for artist in gt.plotting.plot_phase_diagram(line).get_lines() if "onset" in artist.get_label()]
    assert curve.get_label() == f"onset (N > {line.fewest_units})"


def test_an_ordinary_line_stays_short():
    line = gt.critical_line(gt.Ensemble(gt.Vanilla), ("bias_std", "gain"), "abscissa", 1, bounds=((0.1, 1.0), (0.8, 2.5)), tol=1e-3)
    assert not line.fewest_units and "networks" not in str(line)
    assert len(line.curves[0].half_share) > 3
    assert (line.curves[0].half_share[:, 2] > 0.1).all()
