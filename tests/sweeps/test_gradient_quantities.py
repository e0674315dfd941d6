"""Growth of gradients in phase diagrams, as a critical value and as a line."""

import numpy as np
import pytest

import gating_theory as gt


def closed(gain, b_z, T):
    """log10 G(T) of a GRU at rest: the mean over a circle."""
    z = 1.0 / (1.0 + np.exp(-b_z))
    theta = 2.0 * np.pi * np.arange(512) / 512
    return np.log10(np.mean(np.abs(z + 0.5 * (1.0 - z) * gain * np.exp(1j * theta)) ** (2 * T)))


def test_map():
    gains, biases = [0.5, 1.5], [0.0, 2.0, 4.0]
    wanted = ["gradient:100", "gradient_untied:30", "gradient_rate", "radius"]
    data = gt.phase_diagram(gt.Ensemble(gt.GRU), {"gain.h": gains, "bias.z": biases}, wanted)
    expected = [[closed(gain, b, 100) for b in biases] for gain in gains]
    np.testing.assert_allclose(data["gradient:100"].sel(solution=0), expected, rtol=1e-11)
    np.testing.assert_allclose(data["gradient_rate"], data["radius"] ** 2, rtol=1e-14)
    z = 1.0 / (1.0 + np.exp(-np.array(biases)))
    untied = 30.0 * np.log10(z**2 + (0.5 * np.outer(gains, 1.0 - z)) ** 2)
    np.testing.assert_allclose(data["gradient_untied:30"].sel(solution=0), untied, rtol=1e-11)
    assert data["gradient:100"].attrs["long_name"] == "lg gradient, 100 steps"
    assert "through 100 steps, of tied weights" in data["gradient:100"].attrs["description"]


def test_a_loss_on_one_variable():
    ensemble = gt.Ensemble(gt.LSTM, gain=0.8, bias={"f": 1.0})
    data = gt.phase_diagram(ensemble, {"bias.f": [1.0]}, ["gradient:40,h", "gradient:40"])
    point = gt.fixed_points(ensemble)[0]
    for name, block in (("gradient:40,h", "h"), ("gradient:40", None)):
        assert float(data[name][0, 0]) == pytest.approx(gt.gradient_growth(point, 40, block=block).log10[-1], rel=1e-11)


def test_critical_value_and_line():
    """Where half of a gradient is left after 100 steps: along a gain, and over the plane of gain and bias."""
    ensemble, half = gt.Ensemble(gt.GRU, bias={"z": 4.0}), np.log10(0.5)
    found = gt.critical(ensemble, "gain.h", "gradient:100", half, solution="zero", bounds=(0.5, 3.0))
    assert closed(float(found), 4.0, 100) == pytest.approx(half, abs=1e-8)
    line = gt.critical_line(
        gt.Ensemble(gt.GRU), ("gain.h", "bias.z"), "gradient:100", half, solution="zero", bounds=((1.0, 3.0), (3.0, 5.0))
    )
    x, y = (np.concatenate([getattr(curve, name) for curve in line.curves]) for name in "xy")
    assert x.size > 5
    np.testing.assert_allclose([closed(gain, b, 100) for gain, b in zip(x, y)], half, atol=1e-7)


@pytest.mark.parametrize(
    "name", ["gradient", "gradient:", "gradient:0", "gradient:x", "gradient:-3", "gradient:5,c", "gradient:5,h,h", "gradient:100:h"]
)
def test_bad_names(name):
    with pytest.raises(ValueError, match="gradient"):
        gt.phase_diagram(gt.Ensemble(gt.GRU), {"gain.h": [1.0]}, [name])


def test_the_form_is_shown():
    with pytest.raises(ValueError, match='as in "gradient_untied:100" and "gradient_untied:100,h", got \'gradient_untied:100:h\''):
        gt.phase_diagram(gt.Ensemble(gt.GRU), {"gain.h": [1.0]}, "gradient_untied:100:h")
