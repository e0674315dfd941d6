"""Probabilities by chance: uniform where nothing is wrong, small where something is."""

import numpy as np
import pytest

from gating_theory.validation.significance import either, of_gap, of_probabilities, reach, together


def test_gaps():
    # by tables: two-sided 5 % of a Gaussian, and of Student's t with five degrees of freedom
    assert of_gap(-1.959964, 1.0) == pytest.approx(0.05, abs=1e-7)
    assert of_gap(2.570582, 1.0, freedom=5) == pytest.approx(0.05, abs=1e-6)
    assert of_gap(0.3, 0.0) == 0.0 and of_gap(0.0, 0.0) == 1.0
    for freedom in (np.inf, 4.0):
        assert of_gap(reach(0.01, 2.0, freedom), 2.0, freedom) == pytest.approx(0.01, rel=1e-9)


@pytest.mark.parametrize("count", [1, 3, 40])
def test_uniform_numbers_are_seldom_improbable(count):
    """Uniform numbers are called improbable at a level as often as it says, or less, and no less than half as often."""
    rng = np.random.default_rng(count)
    found = np.array([of_probabilities(rng.random(count)) for _ in range(1500)])
    for level in (0.05, 0.3):
        # four standard deviations of the counting
        error = 4.0 * np.sqrt(level * (1.0 - level) / found.size)
        assert 0.5 * level - error < np.mean(found < level) < level + error


def test_other_numbers_are_improbable():
    # either end, any of three, either of two tests
    assert of_probabilities(np.array([1e-7, 0.4, 0.6])) == pytest.approx(2 * 3 * 2 * 1e-7, rel=1e-5)
    assert of_probabilities(np.array([1.0, 0.4])) == 0.0 and of_probabilities(np.zeros(3)) == 0.0
    # none is extreme, but all lie in one half
    assert of_probabilities(np.linspace(0.05, 0.45, 20)) < 1e-3
    assert either(0.2, 0.6) == 0.4 and either(0.9, 0.9) == 1.0 and np.isnan(either())


def test_independent_parts_together():
    # n equal parts of f degrees of freedom have n f; a part of a law adds none to doubt
    assert together(*[(2.0, 5.0)] * 4) == pytest.approx((4.0, 20.0))
    assert together((3.0, np.inf), (4.0, np.inf)) == (5.0, np.inf) and together((0.0, 3.0)) == (0.0, np.inf)
    assert together((1.0, 7.0), (0.0, np.inf)) == pytest.approx((1.0, 7.0))
