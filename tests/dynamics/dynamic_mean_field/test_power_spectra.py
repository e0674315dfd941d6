"""Spectra of what moves, of states whose correlations are known [T8]."""

import numpy as np
import pytest
from scipy.integrate import trapezoid

import gating_theory as gt


def test_white_states_have_flat_spectra():
    """Vanilla maps without memory: C is E h^2 at lag 0 and nothing else."""
    state = gt.dmft(gt.Ensemble(gt.Vanilla, gain=3))
    frequencies, powers = state.power_spectrum()
    np.testing.assert_allclose(powers["h"], state.moments["h"], rtol=1e-9)
    assert frequencies[0] == 0.0 and frequencies[-1] == pytest.approx(np.pi)


@pytest.mark.parametrize(
    "ensemble, more",
    [
        (gt.Ensemble(gt.Vanilla, gain=2), {"flow": True}),
        (gt.Ensemble(gt.GRU, gain={"z": 0, "r": 10, "h": 1.7}, bias_std={"h": 0.2}), {}),
        (gt.Ensemble(gt.Vanilla, gain=2), {"sinusoid": gt.Sinusoid(8, 0.5), "n_sites": 200, "refine": 5}),
    ],
)
def test_parts_of_the_second_moment_add_up(ensemble, more):
    """E m^2 is what moves, by the integral of its spectrum, what stays, and what repeats with the input."""
    state = gt.dmft(ensemble, **more)
    frequencies, powers = state.power_spectrum()
    for message, power in powers.items():
        moving = trapezoid(power, frequencies) / np.pi
        repeating = state.lines[message].sum() if state.sinusoid else 0.0
        # spectra from paths are no correlations of anything below zero: what is cut off there is rounding
        assert moving + state.frozen[message] + repeating == pytest.approx(state.moments[message], rel=1e-6)


def test_a_leak_filters_white_input():
    """x' = y - x under white noise of strength sigma: S(w) = sigma^2 / (1 + w^2), an Ornstein-Uhlenbeck process."""
    import sympy as sp

    x, y = sp.symbols("x y", real=True)
    cell = gt.Cell(name="leak", state=[x], fields=[y], messages=[x], update=[y])
    state = gt.dmft(gt.Ensemble(cell, gain=0.0, input_std=0.7), flow=True, n_sites=200, refine=5, rng=1)
    frequencies, powers = state.power_spectrum()
    low = frequencies < 2.0
    # the mean of the last quarter of the window is taken for what stays; five chunks of 200 sites scatter by some percent, and
    # Heun's steps of .1 are wrong by (w step)^2 / 6
    np.testing.assert_allclose(powers["x"][low][1:], 0.49 / (1.0 + frequencies[low][1:] ** 2), rtol=0.15)
    assert np.mean(powers["x"][low][1:] * (1.0 + frequencies[low][1:] ** 2)) == pytest.approx(0.49, rel=0.02)
