"""Slow curves: a pseudo-line attractor found by independent optimisation, and an exact one."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

import gating_theory as gt
from gating_theory.flow import GRUFlow, slow_manifold

#: A minimax fit by independent code: |dh/dt| < 4.5e-5 over |h_1| < 0.5, transverse eigenvalue -0.98, three fixed points.
LINE = GRUFlow(U_h=[[4.549, -1.612], [10.278, -4.5]])


def test_pseudo_line_attractor():
    curve = slow_manifold(LINE, step=0.005)
    middle = curve.within(0.5)
    assert np.abs(middle.states[:, 0]).max() > 0.49
    # the fit made |dh/dt| small for some h_2 at each h_1, which is beside the curve that states follow
    least = [minimize_scalar(lambda y, x=x: 1e4 * np.linalg.norm(LINE([x, y])), bounds=(-1, 1), method="bounded",
                             options={"xatol": 1e-9}).fun for x in np.linspace(-0.5, 0.5, 41)]  # fmt: skip
    assert 0.9 * 0.45 < max(least) < 0.455  # the fit's curve need not be the one of least speed, nor a much better one
    # on it the speed is larger, by 1 / sin of the angle between the eigenvectors, which is 2.4
    assert 4.5e-5 < middle.speed.max() < 3 * 4.5e-5
    assert middle.contraction.max() == pytest.approx(0.98, rel=0.02) and middle.ratio < 3e-4
    # no line attractor: three fixed points (certified elsewhere), and the slow curve passes through all of them
    points = LINE.fixed_points()
    assert points.complete and points.topology == (2, 0, 1)
    for p in points:
        assert np.linalg.norm(curve.states - p.state, axis=1).min() < 0.005
    # what hardly moves still moves: 0.07 in 1000 time units from h_1 = 0.256
    start = curve.states[np.argmin(np.abs(curve.states[:, 0] - 0.256))]
    end = LINE.integrate(start, 1000.0).y[:, -1]
    assert 0.05 < np.linalg.norm(end - start) < 0.15
    assert "slow curve from" in str(curve)


def test_an_exact_direction_and_refusals():
    # units that do not hear each other: the slow curve of the first is the axis of the second's sink
    flow = GRUFlow(U_h=[[2.02, 0], [0, 0]])
    curve = slow_manifold(flow, threshold=1e-3)
    np.testing.assert_allclose(curve.states[:, 1], 0.0, atol=1e-12)
    np.testing.assert_allclose(curve.speed, np.abs(flow(curve.states)[:, 0]), rtol=1e-12)
    np.testing.assert_allclose(curve.contraction, 0.5, rtol=1e-12)
    assert curve.speed.max() <= 1e-3 and set(curve.ends) == {"speed above the threshold"}
    with pytest.raises(gt.ConvergenceError, match="no slow curve"):
        slow_manifold(GRUFlow(U_h=[[3, -3], [3, 3]]))
    with pytest.raises(gt.ConvergenceError, match="at \\[0.9, 0.0\\]"):
        slow_manifold(flow, [0.9, 0.0], threshold=1e-3)
    with pytest.raises(ValueError, match="two dimensions"):
        slow_manifold(GRUFlow(U_h=2.0))
    with pytest.raises(ValueError, match="start must have shape"):
        slow_manifold(flow, [0.1])
    with pytest.raises(ValueError, match="half_width = 1e-09"):
        slow_manifold(flow, [0.053, 0.0], threshold=1e-3).within(1e-9)
