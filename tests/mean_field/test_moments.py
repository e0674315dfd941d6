"""The map of moments q = R(q): messages that feed one another, in one loop or several, and cells without a bounded mean field."""

import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from mpmath_loops import TOLERANCE, mp_average, mp_sigma, mp_solve

import gating_theory as gt
from gating_theory.mean_field.moments import MomentMap

h1, h2 = sp.symbols("h1 h2", real=True)
y_1, y_2, y_3 = sp.symbols("y_1 y_2 y_3", real=True)


def test_three_distinct_messages():
    # r2 listens to r1 h1, the candidate to r1 r2 h1
    r1, r2, n = gt.sigma(y_1), gt.sigma(y_2), sp.tanh(y_3)
    cell = gt.Cell(
        name="cascade", state=[h1], fields=[y_1, y_2, y_3], messages=[h1, r1 * h1, r1 * r2 * h1], update=[n], fixed_point=[n]
    )
    points = gt.fixed_points(gt.Ensemble(cell, gain={"1": 1.0, "2": 2.0, "3": 6.0}))
    assert len(points) == 2 and points[0].is_zero

    def loop(D):
        R1 = mp_average(lambda y: mp_sigma(y) ** 2, mp.mpf(0), mp.sqrt(D))
        R2 = mp_average(lambda y: mp_sigma(y) ** 2, mp.mpf(0), 2 * mp.sqrt(R1 * D))
        return mp_average(lambda y: mp.tanh(y) ** 2, mp.mpf(0), 6 * mp.sqrt(R1 * R2 * D))

    D = points[-1].q[0]
    assert D == pytest.approx(float(mp_solve(loop, D)), rel=TOLERANCE)


def _two_loops():
    return gt.Cell(
        name="pair",
        state=[h1, h2],
        fields=[y_1, y_2],
        messages=[h1, h2],
        update=[sp.tanh(y_1), sp.tanh(y_2)],
        fixed_point=[sp.tanh(y_1), sp.tanh(y_2)],
    )


def test_two_independent_loops_work_or_say_why_not():
    ensemble = gt.Ensemble(_two_loops(), gain={"1": 2.0, "2": 3.0})
    one = gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=2.0))[-1].moments["h"]
    two = gt.fixed_points(gt.Ensemble(gt.Vanilla, gain=3.0))[-1].moments["h"]
    try:
        points = gt.fixed_points(ensemble)
    except gt.CapabilityError as error:
        assert "loop" in str(error)
        return
    found = {tuple(np.round(p.q, 9)) for p in points}
    # each half is at zero or at its own solution
    allowed = {tuple(np.round(q, 9)) for q in [(0, 0), (0, two), (one, 0), (one, two)]}
    assert {(0.0, 0.0), tuple(np.round((one, two), 9))} <= found <= allowed


def test_fold_refuses_two_loops():
    with pytest.raises(gt.CapabilityError, match="loop"):
        gt.fold(gt.Ensemble(_two_loops(), gain=2.0), "gain.1")


def test_relu_candidates_are_refused():
    with pytest.raises(gt.CapabilityError, match="LiGRUTanh"):
        gt.fixed_points(gt.Ensemble(gt.LiGRU))


def test_fixed_points_are_fixed():
    ensemble = gt.Ensemble(gt.GRU, gain={"r": 8, "h": 1.9}, bias={"r": 0.2})
    moments = MomentMap(ensemble)
    # the candidate listens to r h alone: once its moment is known, that of h follows, and with both that of r h again
    assert [ensemble.cell.message_names[k] for k in moments.loop] == ["r*h"] and moments.has_zero_state
    q = np.array([list(p.moments.values()) for p in gt.fixed_points(ensemble) if not p.is_zero])
    np.testing.assert_allclose(moments(q, 1e-13), q, rtol=TOLERANCE)
    leading = q[:, moments.loop[0]]
    np.testing.assert_allclose(moments.log_ratio(leading, 1e-13), 0.0, atol=TOLERANCE)
    np.testing.assert_allclose(moments.complete(leading, 1e-13), q, rtol=TOLERANCE)


def test_a_bias_leaves_no_zero_state():
    assert not MomentMap(gt.Ensemble(gt.GRU, bias={"h": 0.1})).has_zero_state
    assert MomentMap(gt.Ensemble(gt.GRU, bias={"r": 0.1})).has_zero_state


def test_what_does_not_converge_says_what_would_help():
    """Sites that are solved for jump between branches of their fixed point: the error names what to pass to Cell."""
    h, f, y = sp.symbols("h f y", real=True)
    cell = gt.Cell(
        name="jumping",
        state=[h],
        fields={"f": f, "h": y},
        messages=[h, gt.sigma(f) * h**2],
        update=[sp.tanh(y + 1.2 * h * gt.sigma(f))],
    )
    with pytest.raises(gt.ConvergenceError, match="'jumping' are solved for numerically.*pass fixed_point= to Cell"):
        gt.fixed_points(gt.Ensemble(cell, gain=4.0))
