"""The law of matrices with given singular values in random directions [T10]."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gating_theory as gt
from gating_theory.ensemble.matrix_laws import MatrixLaw, law_from_dict


def test_drawn_matrices_have_the_values():
    """Those given where there are as many; their quantiles at another size; the mean square is 1 in any case."""
    rng = np.random.default_rng(0)
    law = gt.WithSingularValues([3.0, 1.0, 0.0, 2.0])
    V = law.matrices(4, rng, count=2)
    expected = np.array([3.0, 2.0, 1.0, 0.0]) / np.sqrt(14 / 4)
    for matrix in V:
        np.testing.assert_allclose(np.linalg.svd(matrix / 2.0)[1], expected, atol=1e-14)
    assert np.abs(V[0] - V[1]).max() > 0.1
    eight = np.linalg.svd(law.matrices(8, rng)[0] / np.sqrt(8))[1]
    np.testing.assert_allclose(eight, np.repeat(expected, 2), atol=1e-14)
    assert np.mean(law.matrices(7, rng) ** 2) == pytest.approx(1.0, rel=1e-14)
    assert law.matrices(3, rng, 0).shape == (0, 3, 3)


def test_directions_are_random():
    """Entries of a matrix with one value that is not 0 are products of two random directions: signs balance, squares are alike."""
    rng = np.random.default_rng(1)
    V = gt.WithSingularValues(np.eye(40)[0]).matrices(40, rng, 20)
    # 20 matrices with 40 rows each: a mean square of a row scatters by sqrt(2 / 20) or so of 1, 4.5 of these
    rows = np.mean(V**2, axis=(0, 2))
    assert np.abs(rows - 1.0).max() < 4.5 * np.sqrt(2 / 20) and abs(V.mean()) < 4.5 / 40 / np.sqrt(20)


def test_it_is_saved_and_compared_by_its_values():
    law = gt.WithSingularValues(np.random.default_rng(0).uniform(size=50))
    again = law_from_dict(json.loads(json.dumps(law.as_dict())))
    assert again == law and hash(again) == hash(law) and again.values == law.values
    assert law == gt.WithSingularValues(3.0 * np.array(law.values)[::-1]) or np.allclose(law.values, again.values, rtol=1e-15)
    assert "46 more" in repr(law) and repr(gt.WithSingularValues([1, 1])) == "WithSingularValues(1, 1)"
    ensemble = gt.Ensemble(gt.Vanilla, 1.5, matrices=law)
    assert gt.Ensemble.from_dict(json.loads(json.dumps(ensemble.as_dict()))) == ensemble


@pytest.mark.parametrize(
    "values, error",
    [([], ValueError), ([0.0, 0.0], ValueError), ([-1.0, 1.0], ValueError), ([np.nan], ValueError), ("abc", TypeError)],
)
def test_what_are_no_singular_values(values, error):
    with pytest.raises(error, match="values must"):
        gt.WithSingularValues(values)


@given(values=st.lists(st.sampled_from([0.0, 1e-3, 0.3, 1.0, 2.5, 40.0]), min_size=1, max_size=6), part=st.floats(0.0, 0.99))
@settings(max_examples=40, deadline=None)
def test_the_gain_is_that_of_the_definition(values, part):
    """s = E[y sigma^2 / (1 + y sigma^2)] and A(s) = s / (y (1 - s)^2) at the y that comes out; slope and penalty by other ways."""
    if not any(values):
        return
    law = gt.WithSingularValues(values)
    squares = np.square(law.values)
    s = np.array([part * np.mean(squares > 0.0)])
    log_gain = law.log_gain(s)
    if s[0] > 0.0:
        y = s / (np.exp(log_gain) * (1.0 - s) ** 2)
        # y is a number of all sizes: of wide values s changes slowly with it
        assert np.mean(y * squares / (1.0 + y * squares)) == pytest.approx(s[0], rel=1e-9)
    else:
        assert log_gain[0] == pytest.approx(0.0, abs=1e-14)
    step = 1e-5 * (np.mean(squares > 0.0) - s)
    if s[0] > step[0]:
        differences = (law.log_gain(s + step) - law.log_gain(s - step)) / (2.0 * step)
        assert law.log_gain_slope(s)[0] == pytest.approx(differences[0], rel=1e-4, abs=1e-4)


def test_the_penalty_is_the_integral_of_its_definition():
    law, s = gt.WithSingularValues([0.5, 1.0, 1.5]), np.linspace(0.0, 0.999, 12)
    np.testing.assert_allclose(law.penalty(s), MatrixLaw.penalty(law, s), atol=1e-12)


def test_what_holes_need():
    values = np.array([0.5, 1.0, 1.5])
    law, size = gt.WithSingularValues(values), np.sqrt(np.mean(values**2))
    assert law.inverse_square() == pytest.approx(np.mean((size / values) ** 2), rel=1e-14)
    assert law.mean_log() == pytest.approx(np.mean(np.log(values / size)), rel=1e-14)
    singular = gt.WithSingularValues([0.0, 1.0])
    assert singular.inverse_square() == np.inf and singular.mean_log() == -np.inf
    assert law.truncation() is None and gt.WithSingularValues([2.0, 2.0]).truncation() == 1.0
