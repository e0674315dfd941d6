"""What is measured of functions along one variable: strips, knots, lengths, growth, each against what is known of the function."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

import gating_theory as gt
from gating_theory.cell.probes import Shape, measure

SCALES = st.floats(np.log(0.1), np.log(40.0)).map(np.exp)


def shape_of(function, c=1.0):
    return measure(lambda probe, y: function(c * y)[None], 1)


@given(SCALES)
def test_strips_end_at_the_nearest_pole(c):
    # within a few percent: the last digits before a pole cannot be told from it
    for function, pole in (
        (np.tanh, np.pi / 2),
        (expit, np.pi),
        (lambda y: y / (1 + y**2), 1.0),
        (lambda y: np.tanh(np.tanh(y)), 1.0039),
    ):
        shape = shape_of(function, c)
        assert shape.strip == pytest.approx(pole / c, rel=0.12)
        assert shape.trapezoidal


@given(SCALES)
def test_functions_without_poles_have_the_strip_in_which_they_are_moderate(c):
    # |sin(x + i a)| <= cosh(a) and |exp(-(x + i a)^2)| <= exp(a^2), a few units of e
    for function, growth in ((np.sin, np.cosh), (lambda y: np.exp(-(y**2)), lambda a: np.exp(a**2))):
        assert 3.0 < growth(c * shape_of(function, c).strip) < 100.0


@given(SCALES)
def test_kinks_and_jumps_are_found_where_they_are(c):
    cases = (
        (lambda y: np.clip(y, -1, 1), [-1, 1]),
        (lambda y: np.minimum(1, np.abs(y)), [-1, 0, 1]),
        (np.sign, [0]),
        (lambda y: np.heaviside(y - 0.3, 0.5), [0.3]),
        (lambda y: np.maximum(0, np.tanh(y)), [0]),
        (lambda y: np.sqrt(np.abs(np.tanh(y))), [0]),
    )
    for function, places in cases:
        shape = shape_of(function, c)
        assert shape.strip == 0.0 and not shape.trapezoidal
        for place in places:
            assert (
                np.min(np.abs(np.array(shape.breaks) - place / c)) < 3e-6 / c
            )  # a kink may stand that far beyond the end of a section: squared, it is rounding


@given(SCALES)
def test_lengths_are_changes_over_slopes(c):
    for function, length in ((np.tanh, 2.0), (expit, 4.0), (lambda y: np.clip(y, -1, 1), 2.0), (np.sin, 2.0)):
        assert shape_of(function, c).length == pytest.approx(length / c, rel=0.05)
    assert shape_of(lambda y: np.heaviside(y - 0.3, 0.5), c).length == pytest.approx(0.3 / c, rel=1e-6)


def test_what_does_not_matter_has_no_shape():
    assert shape_of(np.ones_like) == Shape()


h, y, y_z = sp.symbols("h y_h y_z", real=True)


def bounded(candidate):
    z = gt.sigma(y_z)
    cell = gt.Cell(
        name="T", state=[h], fields=[y_z, y], messages=[h, h], update=[z * h + (1 - z) * candidate], fixed_point=[candidate]
    )
    return cell.compiled.bounded


@pytest.mark.parametrize("c", [0.1, 1.0, 40.0])
def test_growth_is_seen_at_any_scale(c):
    x = sp.Float(c) * y
    for candidate in (x, x**3, sp.Max(0, x), sp.Abs(x), sp.log(1 + x**2), x * sp.sin(x), sp.sqrt(1 + x**2)):
        assert not bounded(candidate), candidate
    for candidate in (
        sp.sin(sp.pi * x),
        sp.exp(-(x**2)),
        x * sp.exp(-(x**2)),
        sp.Max(-1, sp.Min(1, x)),
        x / (1 + x**2),
        sp.atan(x),
    ):
        assert bounded(candidate), candidate
