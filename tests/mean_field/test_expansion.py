"""The mean-field map near the zero state: growth of small moments, and the sign of what bends it [T5]."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

import gating_theory as gt
from gating_theory.mean_field.expansion import NoZeroState, growth, linear_map, small_moments
from gating_theory.mean_field.moments import MomentMap


@settings(max_examples=20, deadline=None)
@given(b_r=st.floats(-4, 0.6), factor=st.floats(0.2, 5).filter(lambda f: abs(f - 1) > 1e-6))
def test_sign_of_beta_of_the_gru(b_r, factor):
    s = float(expit(b_r))
    critical = math.sqrt(2 / ((1 - s) * (2 - 3 * s)))
    at = {"h": 1 / s, "r": critical}
    alpha, beta = small_moments(gt.Ensemble(gt.GRU, gain=at, bias={"r": b_r}))
    assert alpha == pytest.approx(1, rel=1e-12)
    beyond = small_moments(gt.Ensemble(gt.GRU, gain={**at, "r": factor * critical}, bias={"r": b_r}))[1]
    # beta is a difference of two terms, the second independent of a_r, the first growing like a_r^2
    assert abs(beta) < 1e-10 * abs(beyond / (factor**2 - 1))
    assert (beyond > 0) == (factor > 1)


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(direction=st.tuples(*[st.floats(0.05, 1.0)] * 3))
def test_ellipsoid_of_the_lstm(direction):
    o, i, f = direction
    length = math.sqrt(o**2 + i**2 + 3 * f**2)
    for scale in (0.5, 1.0, 2.0):
        o_, i_, f_ = (8 * scale * v / length for v in direction)
        alpha, beta = small_moments(gt.Ensemble(gt.LSTM, gain={"f": f_, "i": i_, "o": o_, "g": 2.0}))
        # theory sheet: beta = (a_o^2 + a_i^2 + 3 a_f^2)/4 - 16 at a_g = 2; sums of rational numbers of order 16
        assert alpha == pytest.approx(1, rel=1e-12)
        assert beta == pytest.approx(16 * scale**2 - 16, abs=1e-9)


@pytest.mark.parametrize("gain", [0.0, 0.7, 3.0])
def test_vanilla_network_by_hand(gain):
    # E tanh^2(a sqrt(q) x) = a^2 q - (2/3) 3 a^4 q^2 + ...
    ensemble = gt.Ensemble(gt.Vanilla, gain=gain)
    A, B = linear_map(ensemble)
    assert A == pytest.approx(np.array([[gain**2]]), rel=1e-12) and B.ravel() == pytest.approx([-2 * gain**4], rel=1e-12)
    assert growth(ensemble) == pytest.approx(gain**2, rel=1e-12)
    assert not linear_map(ensemble, second_order=False)[1].any()


def test_the_expansion_is_that_of_the_map():
    ensemble = gt.Ensemble(gt.GRU, gain={"r": 3, "h": 1.7}, bias={"r": 0.4}, bias_std={"r": 0.3})
    (A, B), D = linear_map(ensemble), 1e-4
    q = np.array([1.0, 0.5]) * D
    # what is left is of third order, with coefficients of order a^6
    left = MomentMap(ensemble)(q[None], 1e-13)[0] - A @ q - np.einsum("kij,i,j->k", B, q, q)
    assert np.abs(left).max() < 1e3 * D**3


def test_what_has_no_zero_state_is_refused():
    for calculate in (linear_map, growth, small_moments):
        with pytest.raises(NoZeroState, match="has no zero state"):
            calculate(gt.Ensemble(gt.GRU, bias={"h": 0.1}))
