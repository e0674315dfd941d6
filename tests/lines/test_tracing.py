"""Curves of zeros of plain functions whose courses are known: circles, cusps, crossings, hairpins, edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gating_theory.errors import ConvergenceError
from gating_theory.lines.components import components
from gating_theory.lines.smooth_curve import lengths, spline_through
from gating_theory.lines.tracing import Tracer, Zeros, crossing

#: How far splines may be off, in units of the box.
TOL = 1e-6


def zeros_of(function, n=2, low=None, high=None, **more):
    """The zeros of a function of n unknowns in the unit box, with errors of rounding."""
    low, high = np.zeros(n) if low is None else low, np.ones(n) if high is None else high
    return Zeros(lambda u: np.atleast_1d(function(u)), lambda u: np.full(n - 1, 1e-15), low, high, **more)


def curves(zeros, *starts, longest=0.1):
    """All curves through starts, and dense points on the splines through each."""
    found, failed = components(Tracer(zeros, longest), [np.array(start, dtype=float) for start in starts], TOL, 4000)
    assert not failed
    dense = []
    for component in found:
        s = lengths(component.curve.u)
        # evenly, and between all points: they lie densest where the curve bends
        places = np.union1d(np.linspace(0.0, s[-1], 1001), np.interp(np.arange(0, len(s) - 1, 0.25), np.arange(len(s)), s))
        dense.append(spline_through(s, component.curve.u, component.curve.closed)(places))
        assert np.nanmax(component.off) <= TOL
    return found, dense


@settings(max_examples=10, deadline=None)
@given(
    center=st.tuples(st.floats(0.45, 0.55), st.floats(0.45, 0.55)),
    axes=st.tuples(st.floats(0.05, 0.4), st.floats(0.05, 0.4)),
    turn=st.floats(0.0, 3.0),
)
def test_ellipses_close(center, axes, turn):
    """Points, splines and length of an ellipse."""
    from scipy.special import ellipe

    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])

    def radius(u):
        return np.linalg.norm(rotation @ (u - center) / axes) - 1.0

    start = center + rotation.T @ [axes[0], 0.0]
    ((one,), (dense,)) = curves(zeros_of(radius), start + 0.01)
    assert one.curve.closed
    assert np.abs([radius(u) for u in one.curve.u]).max() * max(axes) < 1e-11
    # the radius in units of an axis moves by no more than the place over the shorter axis
    assert np.abs([radius(u) for u in dense]).max() * min(axes) < 2 * TOL
    a, b = max(axes), min(axes)
    assert lengths(dense)[-1] == pytest.approx(4 * a * ellipe(1 - (b / a) ** 2), rel=1e-4)  # chords of a thousand points


def test_cusp():
    """The folds of v^3 + a v + b: 4 a^3 + 27 b^2 = 0, a curve with a cusp at the origin, smooth in (a, b, v)."""

    def fold(u):
        a, b = 2 * (u[:2] - 0.5)
        return np.array([u[2] ** 3 + a * u[2] + b, 3 * u[2] ** 2 + a])

    low, high = np.array([0, 0, -np.inf]), np.array([1, 1, np.inf])
    zeros = zeros_of(fold, 3, low, high, tests={"cusp": lambda place: 6 * place.u[2]})
    v = -0.2
    start = [0.5 - 1.5 * v**2, 0.5 + v**3, v]
    ((one,), (dense,)) = curves(zeros, start)
    (mark,) = one.curve.marks
    assert mark.kind == "cusp"
    assert np.abs(mark.u - [0.5, 0.5, 0.0]).max() < 1e-12
    a, b = 2 * (dense[:, :2].T - 0.5)
    # beside the line by d at distance |a| along: 27 b^2 errs by 54 |b| d, and by 27 d^2 at the cusp itself
    assert np.abs(np.cbrt(b) - np.cbrt(np.sign(b) * np.sqrt(np.clip(-4 * a**3 / 27, 0, None)))).max() < np.cbrt(4 * TOL)
    assert {end.code for end in one.curve.ends} == {"edge"}
    assert sorted(one.curve.u[[0, -1], 0]) == pytest.approx([0.0, 0.0], abs=1e-12) or one.curve.u[[0, -1], 1].min() >= 0.0


def test_figure_eight_crosses_itself():
    def eight(u):
        x, y = 3 * (u - 0.5)
        return (x * x + y * y) ** 2 - (x * x - y * y)

    ((one,), (dense,)) = curves(zeros_of(eight), [0.8, 0.5])
    assert one.curve.closed
    marks = [mark for mark in one.curve.marks if mark.kind == "branch"]
    assert len(marks) == 2  # passed twice
    for mark in marks:
        assert np.linalg.norm(mark.u - 0.5) <= mark.error
    x, y = 3 * (dense.T - 0.5)
    assert x.min() == pytest.approx(-1.0, abs=1e-4)
    assert x.max() == pytest.approx(1.0, abs=1e-4)
    theta = np.arctan2(y, x)
    r = np.hypot(x, y)
    # polar form r^2 = cos 2 theta; r is 3 times the place, and steep beside the crossing
    assert np.abs(r**2 - np.cos(2 * theta))[r > 0.2].max() < 2 * 3 * TOL * 2


def test_all_curves_through_a_crossing_are_found():
    zeros = zeros_of(lambda u: (u[0] - 0.3) * (u[1] - 0.6 - 0.1 * u[0] ** 2))
    found, _ = curves(zeros, [0.3, 0.1])
    assert len(found) == 2
    there = crossing(zeros, np.array([0.32, 0.58]))
    assert np.linalg.norm(there.u - [0.3, 0.609]) <= there.error
    # the second curve runs from side to side
    assert sorted(found[1].curve.u[[0, -1], 0]) == pytest.approx([0.0, 1.0], abs=1e-12)


def test_it_ends_where_it_leaves_the_box():
    ((one,), _) = curves(zeros_of(lambda u: u[1] - u[0] - 0.1), [0.3, 0.5])
    ends = one.curve.u[[0, -1]]
    ends = ends[np.argsort(ends[:, 0])]
    np.testing.assert_allclose(ends, [[0.0, 0.1], [0.9, 1.0]], atol=1e-14)
    assert [end.code for end in one.curve.ends] == ["edge", "edge"]


def test_two_components_are_two_curves_and_each_is_found_once():
    def two(u):
        return np.prod([np.linalg.norm(u - c) - 0.15 for c in ([0.25, 0.5], [0.7, 0.5])])

    found, _ = curves(zeros_of(two), [0.4, 0.5], [0.55, 0.5], [0.25, 0.35], [0.85, 0.5])
    assert len(found) == 2
    assert all(component.curve.closed for component in found)


@pytest.mark.parametrize("width", [0.1, 1e-2, 1e-3, 1e-4])
def test_sharp_bends_are_resolved(width):
    """A hyperbola with a bend of this radius."""

    def bend(u):
        return u[1] - 0.2 - np.hypot(u[0] - 0.5, width)

    ((one,), (dense,)) = curves(zeros_of(bend), [0.1, 0.6])
    assert np.abs([bend(u) for u in dense]).max() < 3 * TOL
    assert dense[:, 1].min() == pytest.approx(0.2 + width, abs=max(0.1 * width, TOL))  # of points nearest to the bend


def test_a_hairpin_is_followed_round():
    """Two arms 0.02 apart that meet in a narrow turn."""

    def hairpin(u):
        return (u[1] - 0.5) ** 2 - 1e-4 * np.tanh(20 * (0.8 - u[0]))

    ((one,), _) = curves(zeros_of(hairpin), [0.1, 0.51])
    ends = one.curve.u[[0, -1]]
    np.testing.assert_allclose(ends[:, 0], 0.0, atol=1e-14)
    assert np.ptp(ends[:, 1]) == pytest.approx(0.02, abs=1e-6)


def test_errors_of_the_functions_become_errors_of_the_places():
    """A function that is known to 1e-6 only, with noise of that size."""
    rng = np.random.default_rng(0)

    def noisy(u):
        return np.array([np.hypot(*(u - 0.5)) - 0.3 + 1e-6 * rng.uniform(-1, 1)])

    zeros = Zeros(noisy, lambda u: np.full(1, 1e-6), np.zeros(2), np.ones(2))
    found, failed = components(Tracer(zeros), [np.array([0.8, 0.5])], 1e-5, 500)
    assert not failed
    curve = found[0].curve
    assert curve.closed
    # the slope is one: what the last correction leaves, and the functions' own error
    assert (np.abs(np.hypot(*(curve.u - 0.5).T) - 0.3) <= np.linalg.norm(curve.moved, axis=1) + 1.1e-6).all()
    assert np.abs(curve.moved).max() < 2e-5


def test_no_curve_next_to_a_start():
    with pytest.raises(ConvergenceError):
        Tracer(zeros_of(lambda u: 1.0 + u[0] ** 2 + u[1] ** 2)).trace(np.array([0.5, 0.5]))
