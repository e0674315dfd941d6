"""Matrices with uniform entries: what is drawn, what is known of them [T1]."""

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.ensemble.matrix_laws import LIMIT, law_from_dict


def test_entries_are_uniform_with_mean_square_one():
    V = gt.Uniform().matrices(100, np.random.default_rng(0), 3)
    assert np.abs(V).max() <= np.sqrt(3.0) and len(V) == 3
    # fourth moment 9 / 5: the standard deviation of a square is .9
    assert np.mean(V**2) == pytest.approx(1.0, abs=5 * 0.9 / np.sqrt(V.size)) and abs(V.mean()) < 5 / np.sqrt(V.size)
    assert np.mean(V**4) == pytest.approx(1.8, abs=5 * np.sqrt(9 - 1.8**2) / np.sqrt(V.size))


def test_theory_is_that_of_the_limit():
    law = gt.Uniform()
    assert law.holds == LIMIT and law_from_dict(law.as_dict()) == law
    uniform, normal = (gt.fixed_points(gt.Ensemble(gt.GRU, 2.5, matrices=name))[-1] for name in ("uniform", "iid"))
    assert uniform.moments == normal.moments and gt.Spectrum(uniform).radius() == gt.Spectrum(normal).radius()
    with pytest.raises(gt.CapabilityError, match="Uniform"):
        gt.Spectrum(uniform).finite_size(100)
