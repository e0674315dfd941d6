"""Roots and extrema of smooth functions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gating_theory.support.roots import bracketed_root, smooth_extremum, smooth_roots


def one_bracket(f, a, b, fine=None, **options):
    """Zeros of a function of an array in one bracket."""
    better = None if fine is None else lambda v, _: fine(v)
    (found,) = smooth_roots(lambda v, _: f(v), [a], [b], fine=better, **options)
    return found


def test_many_brackets_at_once_are_like_each_alone():
    low, high, height = np.array([-1.0, -0.5, 0.2, -1.0]), np.array([1.0, 0.6, 0.9, 0.5]), np.array([0.0, 0.3, 0.5, 2.0])

    def f(v, i):
        return np.sin(4.0 * v) - height[i]

    together = smooth_roots(f, low, high)
    assert [len(found) for found in together] == [3, 1, 1, 0]
    for i, found in enumerate(together):
        alone = one_bracket(lambda v, i=i: f(v, i), low[i], high[i])
        np.testing.assert_allclose(found, alone, atol=1e-14)
        np.testing.assert_allclose(np.sin(4.0 * np.array(found)), height[i], atol=1e-13)  # rounding times the slope 4
        np.testing.assert_allclose([root.slope for root in found], 4.0 * np.cos(4.0 * np.array(found)), atol=1e-4)


def test_roots_of_a_cubic():
    found = one_bracket(lambda v: (v - 0.1) * (v - 0.3) * (v + 0.7), -1.0, 1.0)
    np.testing.assert_allclose(sorted(found), [-0.7, 0.1, 0.3], atol=1e-13)  # simple roots: rounding times 1/slope


def test_no_roots():
    assert one_bracket(lambda v: 1 + v**2, -2.0, 3.0) == []


@settings(deadline=None)
@given(a=st.floats(-0.9, 0.9), b=st.floats(-0.9, 0.9))
def test_pairs_of_roots(a, b):
    if abs(a - b) < 1e-3:  # closer pairs amplify the interpolant's rounding; callers allow for 1e-7
        return
    found = sorted(one_bracket(lambda v: np.exp(v) * (v - a) * (v - b), -1.0, 1.0))
    np.testing.assert_allclose(found, sorted([a, b]), atol=1e-11)  # 1e-14 over a slope of 1e-3


def test_polishing_uses_the_fine_function():
    # the coarse one is off by 1e-4; Newton with its slope on the fine one removes that
    found = one_bracket(lambda v: np.sin(v) - 0.5 + 1e-4, 0.0, 1.5, fine=lambda v: np.sin(v) - 0.5)
    np.testing.assert_allclose(found, [np.pi / 6], atol=1e-12)


def test_extrema():
    v, top = smooth_extremum(np.sin, 1.0, 2.0)
    # the position of a flat top is known to the square root of the interpolant's error, 1e-13 or so
    assert v == pytest.approx(np.pi / 2, abs=1e-6) and top == pytest.approx(1.0, abs=1e-12)
    v, bottom = smooth_extremum(lambda v: v**4 - v**2, 0.2, 1.0, largest=False)
    assert v == pytest.approx(np.sqrt(0.5), abs=1e-6) and bottom == pytest.approx(-0.25, abs=1e-12)


def test_extrema_inside_only():
    assert smooth_extremum(np.exp, 0.0, 1.0) is None


def test_the_largest_of_several_maxima():
    def f(v):
        return -((v**2 - 0.25) ** 2) + 0.01 * v

    v, top = smooth_extremum(f, -1.0, 1.0)
    grid = np.linspace(-1, 1, 200_001)
    assert v == pytest.approx(grid[np.argmax(f(grid))], abs=1e-5) and top == pytest.approx(f(grid).max(), abs=1e-9)


@settings(deadline=None)
@given(roots=st.lists(st.floats(-5, 5), min_size=1, max_size=5), power=st.sampled_from([1, 3]))
def test_bracketed_roots(roots, power):
    roots = np.array(roots)
    # f > 0 at low, f < 0 at high; a triple root is flat, so its position is known to the cube root of rounding only
    found = bracketed_root(lambda v: -((v - roots) ** power), np.full(roots.size, -7.0), np.full(roots.size, 9.0))
    np.testing.assert_allclose(found, roots, atol=1e-13 if power == 1 else 3e-5)


def test_bracketed_root_with_steep_functions():
    found = bracketed_root(lambda v: np.exp(-40 * v) - 1e-3, np.array([-10.0]), np.array([10.0]))
    # it stops at |f| < 2e-15 or at rounding of the position
    assert found[0] == pytest.approx(np.log(1e3) / 40, rel=1e-12)
    assert bracketed_root(lambda v: 1 - v, [3.0 - 3.0], [2.0])[0] == pytest.approx(1.0, rel=1e-15)


@pytest.mark.parametrize("height", [0.0, 1e-15, -1e-15, 1e-14, 3e-13, 1e-10, 1e-6])
def test_a_double_root_is_one_or_two_and_says_how_well_it_is_known(height):
    # f = -(v - 0.1)^2 exp(v) + height: roots at 0.1 +- sqrt(height) or so
    found = one_bracket(lambda v: height - (v - 0.1) ** 2 * np.exp(v), -0.3, 0.4, touch=1e-13)
    assert 1 <= len(found) <= 2
    for root in found:
        off = min(abs(root - 0.1 - sign * np.sqrt(max(height, 0.0) * np.exp(-0.1))) for sign in (-1, 1))
        # (the two are not symmetric by a part of their distance)
        assert off <= root.shift(2e-13) + height and root.shift(2e-13) < 1e-6
    if height > 1e-13:
        assert len(found) == 2


def test_a_better_function_decides_about_doubtful_pairs():
    def fine(v):
        return 1e-7 - v**2

    def too_low(v):
        return fine(v) - 3e-7

    def too_high(v):
        return fine(v) + 3e-7

    for rough in (too_low, too_high):  # it has no roots, or has them elsewhere
        found = one_bracket(rough, -0.5, 0.5, fine=fine)
        np.testing.assert_allclose(found, [-np.sqrt(1e-7), np.sqrt(1e-7)], rtol=1e-9)
    assert one_bracket(fine, -0.5, 0.5, fine=lambda v: fine(v) - 2e-7) == []


def test_rounding_has_no_roots():
    noise = np.random.default_rng(0)
    assert one_bracket(lambda v: 3e-16 * noise.standard_normal(v.size), -1.0, 1.0) == []


def test_extrema_are_of_the_kind_that_was_asked_for():
    assert smooth_extremum(np.cosh, -1.0, 1.0) is None and smooth_extremum(np.cosh, -1.0, 1.0, largest=False) is not None
