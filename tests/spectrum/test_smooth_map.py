"""Maps of which few pixels are computed: what is interpolated is what would have been computed [T4]."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gating_theory as gt
from gating_theory.spectrum.smooth_map import filled

y, x = np.mgrid[-1:1:80j, -1:1:80j]


def counted(function, inside, tol):
    """The map of a function, and how many pixels of it were computed."""
    seen = np.zeros(inside.size, dtype=int)

    def compute(pixels):
        seen[pixels] += 1
        return function.ravel()[pixels]

    value = filled(inside, compute, tol)
    assert seen.max() <= 1 and not seen[~inside.ravel()].any()
    return value, seen.sum()


@settings(max_examples=10)
@given(st.floats(0.5, 3.0), st.floats(0.5, 3.0), st.floats(0.2, 1.0), st.floats(-0.5, 0.5))
def test_smooth_functions_are_interpolated(k, l, radius, hole):
    """On a grid half as coarse errors are a sixteenth of what was allowed, for each of two directions; elsewhere larger."""
    inside = (np.hypot(x, y) < radius) & ~((abs(x - hole) < 0.03) & (abs(y) < 0.03))
    function = 2.0 + np.sin(k * x) * np.cos(l * y)
    value, count = counted(function, inside, 1e-3)
    assert np.abs(value / function - 1.0)[inside].max() < 1e-3
    assert not value[~inside].any()
    if radius > 0.8:
        assert count < 0.75 * inside.sum()


def test_what_is_not_smooth_is_computed():
    rough = 1.0 + np.random.default_rng(0).random(x.shape)
    value, count = counted(rough, np.ones(x.shape, dtype=bool), 1e-6)
    assert np.array_equal(value, rough) and count == x.size


@pytest.mark.parametrize("name, gain", [("GRU", 2.5), ("JANET", 4.0), ("CoupledLSTM", {"f": 1.0, "g": 3.0, "o": 3.0})])
def test_a_map_is_the_density_at_its_pixels(name, gain):
    """From the population that the map takes, each pixel for itself; all but the pixels on the axis, which are averages."""
    tol = 1e-3
    spectrum = gt.Spectrum(gt.fixed_points(gt.Ensemble(getattr(gt, name), gain=gain))[-1])
    re, im, value = spectrum.density_map(60, tol=tol)
    few = spectrum.fixed_point.sites_at(tol, fold=True).size <= 300
    sites = spectrum.fixed_point.sites_at(tol, leak_nodes=2 if few else 1, fold=True)
    same = gt.Spectrum.from_sites(sites)
    exact = same.density(re + 1j * im[:, None])
    away = (np.abs(im) > im[1] - im[0])[:, None] & (value > 0.0) & (exact > 0.0)
    # the edge of the map is that of the fixed point: pixels that only one of the two has inside are few
    assert np.count_nonzero((value > 0) != (exact > 0)) < 0.02 * value.size
    assert np.abs(value / np.where(away, exact, 1.0) - 1.0)[away].max() < tol
