"""All roots of the mean-field equation: none is missed between thirteen decades and a fold [T5]."""

import numpy as np
import pytest
from mpmath_loops import TOLERANCE, mp_gru, mp_solve
from scipy.special import expit

import gating_theory as gt
from gating_theory.mean_field.moments import MomentMap
from gating_theory.mean_field.scan import scalar_roots, scan_decades


def test_both_branches_of_the_gru():
    points = gt.fixed_points(gt.Ensemble(gt.GRU, gain={"r": 8, "h": 1.9}))
    assert [p.is_zero for p in points] == [True, False, False]
    assert points[1].moments["h"] < points[2].moments["h"]
    loop = mp_gru(8, 1.9)
    for point in points[1:]:
        assert point.moments["h"] == pytest.approx(float(mp_solve(loop, point.moments["h"])), rel=TOLERANCE)
    # and there are only two: the closed loop in plain numpy changes sign twice over the whole range
    x, weight = np.polynomial.hermite_e.hermegauss(120)  # good to 1e-5 here: enough for signs
    weight = weight / weight.sum()
    D = np.logspace(-6, 0, 400)[:, None]
    r2 = expit(8 * np.sqrt(D) * x) ** 2 @ weight
    R = np.tanh(1.9 * np.sqrt(D[:, 0] * r2)[:, None] * x) ** 2 @ weight
    assert np.count_nonzero(np.diff(np.sign(R - D[:, 0]))) == 2


@pytest.mark.parametrize("a_h, n", [(1.80, 1), (1.8045, 1), (1.8046, 3), (1.99, 3), (2.01, 2)])
def test_number_of_solutions_around_the_fold(a_h, n):
    # theory sheet, section 7: at a_r = 8 the fold is at 1.804556; at the onset 2 the lower branch merges with zero
    assert len(gt.fixed_points(gt.Ensemble(gt.GRU, gain={"r": 8, "h": a_h}))) == n


@pytest.mark.parametrize("bias", [{}, {"h": 1e-9}])
def test_the_scan_reaches_from_below_the_smallest_moment_to_where_they_stop_growing(bias):
    ((x, G),) = scan_decades(MomentMap(gt.Ensemble(gt.GRU, gain={"r": 8, "h": 1.9}, bias=bias)), "small", 1e-9)
    assert x.shape == G.shape and (np.diff(x) > 0).all() and x[-1] >= 1.0 and G[-1] < 0.0
    # a bias of 1e-9 alone gives a moment of 1e-18
    assert x[0] == pytest.approx(1e-19 if bias else 1e-13, rel=0.1) and (G[0] > 0) == bool(bias)


def test_roots_are_the_moments_of_the_fixed_points():
    ensemble = gt.Ensemble(gt.GRU, gain={"r": 8, "h": 1.9})
    # the moment of r h leads: all others follow from it
    found = [p.moments["r*h"] for p in gt.fixed_points(ensemble) if not p.is_zero]
    assert scalar_roots(MomentMap(ensemble))[0] == pytest.approx(found, rel=TOLERANCE)


@pytest.mark.parametrize("count", [3, pytest.param(60, marks=pytest.mark.nightly)])
def test_what_is_interpolated_is_what_would_be_computed(count):
    """Random gains and biases of five cells: G from few of its values is off by less than it may be, and nowhere near zero."""
    rng = np.random.default_rng(count)
    for cell in (gt.GRU, gt.MGU, gt.JANET, gt.CoupledLSTM, gt.GRUResetAfter):
        gain = lambda: {name: float(np.exp(rng.uniform(-1.0, 3.0))) for name in cell.field_names}  # noqa: B023, E731
        bias = lambda: {name: float(rng.normal()) * rng.integers(2) for name in cell.field_names}  # noqa: B023, E731
        moments = MomentMap([gt.Ensemble(cell, gain=gain(), bias=bias()) for _ in range(count)])
        off = 1e-3
        computed, few = (scan_decades(moments, "small", moments.scan_tol, allowed) for allowed in (0.0, off))
        for (x, G), (same, close) in zip(computed, few):
            np.testing.assert_array_equal(x, same)
            assert (G != close).any() and np.abs(G - close).max() <= off
            # a root lies between the same two points; those next to it are computed, in a batch of other nodes
            np.testing.assert_array_equal(np.sign(G), np.sign(close))
            near = np.abs(G) < 10 * off
            assert np.abs(G - close)[near].max(initial=0.0) <= 10 * moments.scan_tol


@pytest.mark.parametrize("kind", ["bias", "bias_std", "input_std"])
@pytest.mark.parametrize(
    "cell, onset", [(gt.GRU, 2.0), (gt.LSTM, 2.0), (gt.Vanilla, 1.0)], ids=lambda value: getattr(value, "name", "")
)
@pytest.mark.parametrize("size", [1.5e-154, 1e-139, 1e-20, 1e-12])
def test_however_small_a_bias_is_there_is_a_fixed_point(size, cell, onset, kind):
    """There is one in any bounded network, at its onset, where moments are larger than squares of biases, and beside it."""
    ensemble = gt.Ensemble(cell, gain=onset, **{kind: {cell.field_names[-2 if cell is gt.LSTM else -1]: size}})
    at, below = (
        gt.fixed_points(ensemble),
        gt.fixed_points(ensemble.replace({path: 0.7 * onset for path in ensemble.paths if path[:4] == "gain"})),
    )
    assert len(at) == len(below) == 1
    assert at[0].is_zero == below[0].is_zero == (size < 1e-140)
    if not at[0].is_zero:
        assert size**2 < at[0].q[0] < 2.0 * size and not at[0].ok
        assert below[0].q[0] < 10.0 * size**2 and below[0].error < 1e-9


@pytest.mark.parametrize("size", [1e-4, 1e-9, 1e-12, 1e-14, 1e-100])
def test_at_the_onset_a_spread_gives_its_law(size):
    """q = E tanh(y)^2, y of variance q + s^2, is q + s^2 - 2 q^2 for small s: q = s / sqrt 2, within what the error says."""
    (point,) = gt.fixed_points(gt.Ensemble(gt.Vanilla, bias_std=size))
    right = size / np.sqrt(2.0)
    assert abs(point.q[0] / right - 1.0) < point.error + 2.0 * size
