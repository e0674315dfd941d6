"""Mean-field fixed points against independent quadrature."""

import math
import pickle
from concurrent.futures import ProcessPoolExecutor

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath_loops import TOLERANCE, mp_average, mp_gru, mp_sigma, mp_solve
from scipy.special import expit

import gating_theory as gt
from gating_theory.mean_field.fixed_points import fixed_points_of_each
from gating_theory.mean_field.moments import MomentMap


def _nonzero(ensemble, **options):
    return [f for f in gt.fixed_points(ensemble, **options) if not f.is_zero]


@pytest.mark.slow
@pytest.mark.parametrize("gain", [1.25, 10.0])
def test_vanilla_against_mpmath(gain):
    """The moment of a vanilla network to many digits, by mpmath."""
    (point,) = _nonzero(gt.Ensemble(gt.Vanilla, gain=gain))

    def loop(D):
        return mp_average(lambda y: mp.tanh(y) ** 2, mp.mpf(0), gain * mp.sqrt(D))

    assert point.moments["h"] == pytest.approx(float(mp_solve(loop, point.moments["h"])), rel=TOLERANCE)


@pytest.mark.parametrize(
    "a_r, a_h, b_r, b_h, s_r, s_h",
    [(3, 4, 0, 0, 0, 0), (2, 3, -0.7, 0.4, 0, 0), (6, 2.5, 0.5, 0, 0.8, 0.3), (4, 1.0, -1, 0.2, 0.5, 0.1)],
)
def test_gru_against_mpmath(a_r, a_h, b_r, b_h, s_r, s_h):
    ensemble = gt.Ensemble(gt.GRU, gain={"r": a_r, "h": a_h}, bias={"r": b_r, "h": b_h}, bias_std={"r": s_r, "h": s_h})
    for point in _nonzero(ensemble):
        D = mp_solve(mp_gru(a_r, a_h, b_r, b_h, s_r, s_h), point.moments["h"])
        assert point.moments["h"] == pytest.approx(float(D), rel=TOLERANCE)
        r2 = mp_average(lambda y: mp_sigma(y) ** 2, mp.mpf(b_r), mp.sqrt(mp.mpf(a_r) ** 2 * D + mp.mpf(s_r) ** 2))
        assert point.moments["r*h"] == pytest.approx(float(D * r2), rel=TOLERANCE)
        assert point.status.code == "converged" and point.ok and point.residual < 1e-9 and point.error < TOLERANCE


def test_mgu_against_mpmath():
    # messages h and f h; h = tanh(y_h), f = sigma(y_f): the loop of a GRU in which f takes the place of r
    (point,) = _nonzero(gt.Ensemble(gt.MGU, gain={"f": 3, "h": 3}, bias={"f": -0.3}))
    assert point.moments["h"] == pytest.approx(float(mp_solve(mp_gru(3, 3, b_r=-0.3), point.moments["h"])), rel=TOLERANCE)


@pytest.mark.slow
@pytest.mark.parametrize("b_f, b_i, b_g", [(0.0, 0.0, 0.0), (0.5, -0.3, 0.2)])
def test_lstm_with_constant_memory_gates_against_mpmath(b_f, b_i, b_g):
    # a_f = a_i = 0: c = kappa tanh(y_g), and E h^2 = E sigma(y_o)^2 E tanh(c)^2
    a_g, a_o, b_o = mp.mpf(3), mp.mpf(2), mp.mpf("0.25")
    ensemble = gt.Ensemble(gt.LSTM, gain={"f": 0, "i": 0, "g": 3, "o": 2}, bias={"f": b_f, "i": b_i, "g": b_g, "o": 0.25})
    kappa = mp_sigma(mp.mpf(b_i)) / (1 - mp_sigma(mp.mpf(b_f)))

    def loop(D):
        o2 = mp_average(lambda y: mp_sigma(y) ** 2, b_o, a_o * mp.sqrt(D))
        return o2 * mp_average(lambda y: mp.tanh(kappa * mp.tanh(y)) ** 2, mp.mpf(b_g), a_g * mp.sqrt(D))

    (point,) = _nonzero(ensemble)
    assert point.moments["h"] == pytest.approx(float(mp_solve(loop, point.moments["h"])), rel=TOLERANCE)


def test_lstm_in_full_against_gauss_hermite():
    gain, bias = {"f": 1.0, "i": 0.5, "g": 2.0, "o": 1.0}, {"f": 0.5, "g": 0.3}
    (point,) = _nonzero(gt.Ensemble(gt.LSTM, gain=gain, bias=bias))

    def moment(D, n, step):
        # Gauss-Hermite for the gates; y_g has singularities as near as 0.3 and gets a plain trapezoidal sum in fine steps
        x, w = np.polynomial.hermite_e.hermegauss(n)
        w = w / w.sum()
        u = np.arange(-8.0, 8.0 + step / 2, step)
        v = np.exp(-0.5 * u**2)
        v /= v.sum()
        y = {k: bias.get(k, 0.0) + gain[k] * math.sqrt(D) * (u if k == "g" else x) for k in gain}
        kappa = expit(y["i"])[:, None] / expit(-y["f"])[None, :]
        inner = [w @ (np.tanh(kappa * math.tanh(g)) ** 2 @ w) for g in y["g"]]
        return float(w @ expit(y["o"]) ** 2) * float(v @ inner)

    D = point.moments["h"]
    assert moment(D, 60, 0.04) == pytest.approx(moment(D, 80, 0.03), rel=1e-11)  # the reference itself has converged
    # R(D) = D: averages over three fields are made for 1e-11 each
    assert moment(D, 80, 0.03) == pytest.approx(D, rel=TOLERANCE)


# --- many ensembles at once


@pytest.mark.parametrize(
    "cell, changes",
    [
        # gains that vanish, and a whole range of others beside them; a fold and an onset between them
        (gt.GRU, [{"gain.r": r, "gain.h": h} for r in (0.0, 3.0, 20.0, 1e3) for h in (0.0, 1.0, 1.9, 2.0001, 3.0, 1e3)]),
        (gt.GRU, [{"bias.h": b, "bias.r": c, "gain.h": 2.5} for b in (0.0, 1e-9, 0.3) for c in (-20.0, 0.0, 4.0)]),
        (gt.LSTM, [{"gain.g": g, "bias.f": b, "bias_std.i": s} for g in (1.0, 3.0) for b in (0.0, 2.0) for s in (0.0, 1.0)]),
        (
            gt.JANET,
            [{"gain.g": g, "parameter.beta": b, "parameter_std.beta": s} for g in (0.5, 3.0) for b in (0.0, 1.0) for s in (0, 1)],
        ),
    ],
)
def test_together_they_have_the_fixed_points_that_each_has_alone(cell, changes):
    ensembles = [gt.Ensemble(cell, gain=2.0).replace(change) for change in changes]
    for ensemble, together in zip(ensembles, fixed_points_of_each(ensembles)):
        alone = gt.fixed_points(ensemble)
        assert [p.is_zero for p in together] == [p.is_zero for p in alone]
        for a, b in zip(together, alone):
            assert a.ensemble is ensemble
            # each states its own error; 1e-14 for rounding
            np.testing.assert_allclose(a.q, b.q, rtol=10 * (a.error + b.error) + 1e-14)


def test_one_that_does_not_converge_leaves_the_others(monkeypatch):
    ensembles = [gt.Ensemble(gt.GRU, gain={"r": 3, "h": h}) for h in (1.5, 2.5, 3.0, 3.5, 4.0)]
    plain = MomentMap.complete

    def lost(moments, *arguments):
        if np.any(moments.random.gain2[..., 2] == 9.0):
            raise gt.ConvergenceError("lost", estimate=None)
        return plain(moments, *arguments)

    monkeypatch.setattr(MomentMap, "complete", lost)
    found = fixed_points_of_each(ensembles)
    assert [isinstance(f, gt.ConvergenceError) for f in found] == [False, False, True, False, False]
    assert [len(f) for i, f in enumerate(found) if i != 2] == [1, 2, 2, 2]
    with pytest.raises(gt.ConvergenceError, match="lost"):
        gt.fixed_points(ensembles[2])


# --- order, zero state, spreads


@settings(max_examples=15, deadline=None)
@given(a_r=st.floats(0, 20), a_h=st.floats(0, 10), b_r=st.floats(-3, 3))
def test_solutions_ascend_and_zero_comes_first(a_r, a_h, b_r):
    points = gt.fixed_points(gt.Ensemble(gt.GRU, gain={"r": a_r, "h": a_h}, bias={"r": b_r}))
    assert points[0].is_zero and not any(p.is_zero for p in points[1:])
    q = [p.moments["h"] for p in points]
    assert q == sorted(q) and len(set(q)) == len(q) and all(0 <= v < 1 for v in q)


@pytest.mark.parametrize("change", [{"bias": {"h": 0.1}}, {"bias_std": {"h": 0.1}}, {"input_std": {"h": 0.1}}])
def test_a_field_that_is_not_zero_removes_the_zero_state(change):
    points = gt.fixed_points(gt.Ensemble(gt.GRU, gain={"r": 2, "h": 3}, **change))
    assert len(points) == 1 and not points[0].is_zero


def test_biases_of_gates_leave_the_zero_state():
    assert gt.fixed_points(gt.Ensemble(gt.LSTM, gain=1.0, bias={"f": 2, "i": -1, "o": 1}))[0].is_zero


@settings(max_examples=10, deadline=None)
@given(bias_std=st.floats(0, 2), input_std=st.floats(0, 2), a_h=st.floats(0.5, 5))
def test_spreads_of_bias_and_input_add_in_squares(bias_std, input_std, a_h):
    both = gt.Ensemble(gt.GRU, gain={"r": 2, "h": a_h}, bias_std={"h": bias_std}, input_std={"h": input_std})
    one = gt.Ensemble(gt.GRU, gain={"r": 2, "h": a_h}, input_std={"h": math.hypot(bias_std, input_std)})
    # the two variances differ by rounding only, which the closeness of an onset amplifies: compare the loop's own residual
    a, b = gt.fixed_points(both), gt.fixed_points(one)
    assert len(a) == len(b)
    np.testing.assert_allclose([p.moments["h"] for p in a], [p.moments["h"] for p in b], rtol=1e-8, atol=1e-14)


# --- relations between cells: same closed loop, so equal up to quadrature


def _same(first, second, label="h"):
    a, b = ([p.moments[label] for p in gt.fixed_points(e)] for e in (first, second))
    assert len(a) == len(b) > 1
    np.testing.assert_allclose(a, b, rtol=TOLERANCE, atol=0)


def test_gru_without_reset_is_vanilla():
    _same(gt.Ensemble(gt.GRU, gain={"r": 0, "h": 5}), gt.Ensemble(gt.Vanilla, gain=2.5))


def test_ligru_with_tanh_is_vanilla():
    _same(gt.Ensemble(gt.LiGRUTanh, gain={"z": 4, "h": 2}, bias={"z": 1}), gt.Ensemble(gt.Vanilla, gain=2))


def test_janet_is_vanilla_at_beta_zero():
    # h = (1 - f) g / (1 - f) = tanh(y_g)
    _same(gt.Ensemble(gt.JANET, gain={"f": 3, "g": 2}), gt.Ensemble(gt.Vanilla, gain=2))


def test_coupled_lstm_is_an_lstm_whose_write_cancels():
    # c = tanh(y_g), as for the LSTM with constant f = i = 1/2; the forget gate drops out
    first = gt.Ensemble(gt.CoupledLSTM, gain={"f": 3, "g": 4, "o": 2})
    _same(first, gt.Ensemble(gt.LSTM, gain={"f": 0, "i": 0, "g": 4, "o": 2}))


def test_mgu_is_a_gru():
    _same(gt.Ensemble(gt.MGU, gain={"f": 8, "h": 1.9}), gt.Ensemble(gt.GRU, gain={"r": 8, "h": 1.9}))


@pytest.mark.slow
def test_peephole_lstm_without_peepholes_is_the_lstm():
    """Sites that are solved for have the mean field of the closed form."""
    gain = {"f": 0, "i": 0, "g": 3, "o": 2}
    _same(gt.Ensemble(gt.PeepholeLSTM, gain=gain), gt.Ensemble(gt.LSTM, gain=gain))


@settings(max_examples=8, deadline=None)
@given(gain=st.floats(0, 50), bias=st.floats(-20, 20), spread=st.floats(0, 5))
def test_the_update_gate_does_not_move_fixed_points_of_the_gru(gain, bias, spread):
    plain = {"r": 8, "h": 1.9}
    other = gt.Ensemble(gt.GRU, gain={**plain, "z": gain}, bias={"z": bias}, bias_std={"z": spread})
    a, b = gt.fixed_points(gt.Ensemble(gt.GRU, gain=plain)), gt.fixed_points(other)
    assert [p.moments for p in a] == [p.moments for p in b]


# --- refusals, extremes


def test_arguments_are_checked():
    ensemble = gt.Ensemble(gt.Vanilla)
    for call in (lambda: gt.fixed_points("GRU"), lambda: gt.fixed_points(ensemble, tol="1e-8")):
        with pytest.raises(TypeError):
            call()
    for call in (
        lambda: gt.fixed_points(ensemble, tol=0.0),
        lambda: gt.onset(ensemble, "gain.q"),
        lambda: gt.onset(ensemble, "gain.h", bounds=(3, 1)),
        lambda: gt.onset(ensemble, "gain.h", bounds=(0.1, 0.9)),
        lambda: gt.tricritical(ensemble, "gain.h", "gain.h"),
    ):
        with pytest.raises(ValueError):
            call()


@pytest.mark.parametrize("b_r", [-20.0, 0.0, 20.0])
@pytest.mark.parametrize("b_h", [0.0, 20.0])
def test_large_gains_and_saturated_biases(b_r, b_h):
    points = gt.fixed_points(gt.Ensemble(gt.GRU, gain=50.0, bias={"z": 20.0, "r": b_r, "h": b_h}))
    assert points
    for p in points:
        assert np.isfinite(p.q).all() and np.isfinite(p.error) and np.isfinite(p.residual)
        assert 0 <= p.moments["h"] <= 1 + 1e-12 and p.moments["r*h"] <= p.moments["h"] * (1 + 1e-12)
        # honest: the status follows from the error, and the error bounds the distance from an independent average
        assert (p.status.code in ("converged", "zero_state")) == p.ok == (p.error <= 1e-10)
        y = np.linspace(-9, 9, 200_001)  # a plain sum: 1e-4 steps resolve a field of standard deviation 50
        w = np.exp(-0.5 * y**2)
        w /= w.sum()
        r2 = w @ expit(b_r + 50 * math.sqrt(p.moments["h"]) * y) ** 2
        D = w @ np.tanh(b_h + 50 * math.sqrt(p.moments["h"] * r2) * y) ** 2
        assert p.moments["h"] == pytest.approx(D, rel=max(1e-9, 10 * p.error))


@pytest.mark.slow
def test_lstm_at_a_large_gain_reports_its_error():
    for p in gt.fixed_points(gt.Ensemble(gt.LSTM, gain=50.0, bias={"f": 20.0})):
        assert np.isfinite(p.q).all() and np.isfinite(p.error)
        assert (p.status.code in ("converged", "zero_state")) == p.ok == (p.error <= 1e-10)


def test_sites_of_a_fixed_point_carry_its_moments():
    point = gt.fixed_points(gt.Ensemble(gt.GRU, gain={"r": 3, "h": 4}, bias={"r": 0.4}))[-1]
    sites = point.sites
    assert sites.source == "mean field" and sites.gain.tolist() == [1.0, 3.0, 4.0]
    assert sites.moments() == pytest.approx(point.moments, rel=1e-5)  # sites are made for a tolerance of 1e-6
    mean, std = sites.mean(sites.fields), np.sqrt(sites.mean(sites.fields**2) - sites.mean(sites.fields) ** 2)
    np.testing.assert_allclose(mean, list(point.field_mean.values()), atol=1e-5)
    np.testing.assert_allclose(std, list(point.field_std.values()), rtol=1e-4)  # the tails left out weigh more here


def test_fixed_points_come_back_from_other_processes():
    ensemble = gt.Ensemble(gt.GRU, gain={"r": 3, "h": 4}, bias={"r": 0.4})
    alone = gt.fixed_points(ensemble)
    with ProcessPoolExecutor(1) as pool:
        assert pool.submit(gt.fixed_points, ensemble).result() == alone
    sites = alone[-1].sites  # compiled functions and populations stay behind
    again = pickle.loads(pickle.dumps(alone[-1]))
    assert again == alone[-1] and again.ok and np.array_equal(again.sites.weights, sites.weights)


def test_status_of_fixed_points():
    ensemble = gt.Ensemble(gt.GRU, gain={"r": 3, "h": 4})
    zero, point = gt.fixed_points(ensemble)
    assert (zero.status.code, str(zero.status), zero.ok) == ("zero_state", "zero state", True)
    assert (point.status.code, str(point.status), point.ok) == ("converged", "converged", True)
    rough = gt.fixed_points(ensemble, tol=1e-17)[-1]
    assert rough.status.code == "inaccurate" and not rough.ok and str(rough.status).startswith("quadrature error")


# --- close to folds and onsets


@pytest.mark.parametrize("a_r, b_r", [(20.0, 0.0), (5.0, 0.0), (3.0, -1.0), (10.0, 0.0)])
def test_at_a_fold_there_are_one_or_two_solutions_and_they_say_how_well_they_are_known(a_r, b_r):
    fold = gt.fold(gt.Ensemble(gt.GRU, gain={"r": a_r}, bias={"r": b_r}), "gain.h")
    exact = fold.moments["h"]
    for above in (0.0, 1e-13, 1e-12, 1e-11, 1e-9, 1e-6):
        points = _nonzero(fold.ensemble.replace({"gain.h": float(fold) + above}))
        assert 1 <= len(points) <= 2 and (len(points) == 2 or above < 1e-11)
        for p in points:
            assert p.residual < 1e-11 and p.status.code == "inaccurate" and "close to a fold" in str(p.status)
            if above == 0.0:  # the fold's own amplitude is known as well as a double root can be
                assert abs(p.moments["h"] / exact - 1) < p.error < 1e-4
    assert not _nonzero(fold.ensemble.replace({"gain.h": float(fold) - 1e-9}))


@pytest.mark.parametrize("excess", [1e-8, 1e-6, 1e-4])
def test_errors_grow_towards_an_onset(excess):
    # E tanh^2 of variance v = g^2 x is v - 2 v^2 + 17/3 v^3 - 62/3 v^4 + ..., so that 1/g^2 = 1 - 2 v + 17/3 v^2 - 62/3 v^3
    (point,) = _nonzero(gt.Ensemble(gt.Vanilla, gain=1.0 + excess))
    g2 = mp.mpf(1.0 + excess) ** 2
    v = mp.findroot(lambda v: 1 - 2 * v + mp.mpf(17) / 3 * v**2 - mp.mpf(62) / 3 * v**3 - 1 / g2, mp.mpf(excess))
    # what the series leaves out is of relative order v^3
    assert abs(point.moments["h"] / float(v / g2) - 1) <= 3 * point.error + 300 * excess**3
    assert 1e-14 / excess < point.error < 1e-11 / excess


def test_the_onset_itself_has_the_zero_state_alone():
    for cell, path in ((gt.GRU, "gain.h"), (gt.Vanilla, "gain.h"), (gt.LSTM, "gain.g")):
        onset = gt.onset(gt.Ensemble(cell), path)
        assert [p.is_zero for p in gt.fixed_points(onset.ensemble)] == [True]
        # E tanh^2 and its like bend by a number of order one: beyond the onset there is a state of the size of the distance
        (point,) = _nonzero(onset.ensemble.replace({path: float(onset) + 1e-6}))
        assert 1e-8 < point.moments["h"] < 1e-5
