"""Connecting orbits in two parameters: against closed forms, the expansion at a Bogdanov-Takens point, and scipy's trajectories."""

import numpy as np
import pytest
from fate_by_scipy import side_of_return
from polynomials import arneodo, front, pendulum, sandstede, takens
from scipy.integrate import solve_ivp

import gating_theory as gt
from gating_theory.flow import GRUFlow, continue_homoclinic, heteroclinic, homoclinic


def test_fronts_known_exactly():
    """c = sqrt(2) (1/2 - a) for all a; "b_r[1]" is -a, "U_k[1,1]" is -c."""
    start = heteroclinic(front(0.3, 0.3), "U_k[1,1]", (-0.5, -0.1), [1.0, 0.0], [0.0, 0.0])
    curve = continue_homoclinic(start, ("b_r[1]", "U_k[1,1]"), {"b_r[1]": (-0.9, -0.1), "U_k[1,1]": (-0.7, 0.7)})
    assert curve.kind == "heteroclinic" and curve.status.code == "bounds" and curve.ok
    assert curve.values[:, 0].min() == pytest.approx(-0.9) and curve.values[:, 0].max() == pytest.approx(-0.1)
    off = np.abs(curve.values[:, 1] + np.sqrt(2) * (0.5 + curve.values[:, 0])).max()
    # the error is measured at three of the points: others may be off by a little more
    assert off < 3 * curve.error < 1e-9
    np.testing.assert_allclose(curve.saddles, np.broadcast_to([[1.0, 0.0], [0.0, 0.0]], curve.saddles.shape), atol=1e-12)


def test_a_loop_known_exactly_becomes_neutral():
    """Sandstede's loop stays at mu = 0 for all a, with saddle quantity 2 a."""
    start = homoclinic(sandstede(-0.2, 1.0, 0.1), "U_k[1,1]", (-0.2, 0.17), [0.0, 0.0])
    a = start.flow.along({"U_l[0,0]": 1, "U_l[1,1]": 1, "b_r[0]": -1, "U_q[1,1]": 1})
    curve = continue_homoclinic(start, ("U_k[1,1]", a), ((-0.3, 0.3), (-0.5, 0.9)))
    assert np.abs(curve.values[:, 0]).max() < 3 * curve.error < 1e-9
    np.testing.assert_allclose(curve.saddle_quantity[:, 0], 2 * (curve.values[:, 1] - 0.2), atol=1e-8)
    (neutral,) = curve.points
    assert neutral.kind == "neutral_saddle" and np.abs(neutral.values - [0.0, 0.2]).max() < 1e-9
    assert neutral.error < 1e-9


def test_the_curve_from_a_bogdanov_takens_point():
    """Of x' = y, y' = b1 + b2 x + x^2 + x y: with beta = -b2/2 = e^2 (10/7 + 288/2401 e^2), b1 = beta^2 - 4 e^4, up to e^8.

    Leading order b1 = -6/25 b2^2 [Kuznetsov, 8.4]; the next one by Kuznetsov, Meijer, Al-Hdaibat, Govaerts,
    Int. J. Bifurcation Chaos 24 (2014) 1450057.
    """
    start = homoclinic(takens(-0.05, -0.5), "b_l[1]", (-0.08, -0.03), [0.57, 0.0])
    curve = continue_homoclinic(start, ("b_l[1]", "U_k[1,0]"), ((-2.0, 0.1), (-0.6, 0.1)))
    assert curve.ok and curve.status.code == "bounds"  # at one end
    (end,) = curve.points
    assert end.kind == "bogdanov_takens" and np.abs(end.values).max() < 1e-9 and np.abs(end.state).max() < 1e-9
    b1, b2 = curve.values[curve.values[:, 1] > -0.1].T
    beta = -b2 / 2
    square = (-10 / 7 + np.sqrt((10 / 7) ** 2 + 4 * 288 / 2401 * beta)) / (2 * 288 / 2401)
    assert len(b1) > 5
    assert np.all(np.abs(b1 - (beta**2 - 4 * square**2)) < 0.1 * square**4 + 1e-12)
    np.testing.assert_allclose(b1[np.argmin(np.abs(b2))], -6 / 25 * b2[np.argmin(np.abs(b2))] ** 2, rtol=1e-3)


def test_saddle_foci_become_neutral_where_the_eigenvalues_say():
    """Eigenvalues at the origin add up to -1: neutral where the positive one is 1, at a = b + 2."""
    start = homoclinic(arneodo(6.6, 3.5), "U_l[2,0]", (6.5, 6.75), [0.0, 0.0, 0.0])
    curve = continue_homoclinic(start, ("U_l[2,0]", "U_l[2,1]"), ((4.0, 8.0), (-5.0, -2.0)), max_step=0.1)
    (neutral,) = curve.points
    a, b = neutral.values[0], -neutral.values[1]
    assert neutral.kind == "neutral_saddle" and a == pytest.approx(b + 2, abs=1e-9) and curve.status.code == "bounds"


def test_a_family_of_gated_networks(tmp_path):
    """Both ends are Bogdanov-Takens points, with a neutral saddle between; trajectories change their fate across the curve."""
    start = homoclinic(GRUFlow(U_h=[[4.5, -2], [10, 0]], b_h=[0.4, 1.2]), "b_h[1]", (0.85, 1.1), [0.525, 0.998])
    curve = continue_homoclinic(start, ("b_h[0]", "b_h[1]"), ((0.0, 2.0), (-1.0, 4.0)))
    assert [p.kind for p in curve.points] == ["bogdanov_takens", "neutral_saddle", "bogdanov_takens"] and curve.ok
    assert curve.error < 1e-9
    for point in (curve.points[0], curve.points[2]):
        J = start.flow.with_parameters({"b_h[0]": point.values[0], "b_h[1]": point.values[1]}).jacobian(point.state)
        assert abs(np.trace(J)) < 1e-9 and abs(np.linalg.det(J)) < 1e-9
    whole = np.flatnonzero(curve.extents > 0.5)
    for i in whole[:: max(1, len(whole) // 3)]:
        b1, b2 = curve.values[i]
        beside = (start.flow.with_parameters({"b_h[0]": b1, "b_h[1]": b2 + off}) for off in (-1e-7, 1e-7))
        assert len({side_of_return(here, curve.saddles[i, 0], 1, start.side, 200.0) for here in beside}) == 2
    assert gt.load(gt.save([start, curve], tmp_path / "curve.json")) == [start, curve]


def test_a_saddle_node_loop():
    """Of the driven pendulum, at torque 1 and the damping at which the saddle-node's orbit returns along its fast direction.

    Melnikov: torque 4 damping / pi for small damping. The end by scipy in the plane of angle and velocity, by bisection on the side
    on which that orbit comes back: damping 1.19304592.
    """
    start = homoclinic(pendulum(0.5, 0.6), "b_l[2]", (0.55, 0.7), [-0.8, 0.6, 0.0])
    curve = continue_homoclinic(start, ("b_l[2]", "U_l[2,2]"), ((0.0, 1.1), (-1.6, -0.05)))
    torque, damping = curve.values[np.argmax(curve.values[:, 1])]
    assert torque == pytest.approx(4 * -damping / np.pi, rel=2e-3)  # the next order is damping^2
    (end,) = curve.points
    assert curve.ok and end.kind == "saddle_node_loop"
    assert end.values[0] == pytest.approx(1.0, abs=1e-9) and np.abs(end.state - [0, 1, 0]).max() < 1e-4

    def overshoots(damping):
        still = lambda t, x: x[1] - 1e-7  # noqa: E731
        still.terminal, still.direction = True, -1
        round_again = lambda t, x: x[0] - 2.5 * np.pi - 0.1  # noqa: E731
        round_again.terminal = True
        run = solve_ivp(
            lambda t, x: [x[1], 1 - damping * x[1] - np.sin(x[0])],
            (0, 2e4),
            [np.pi / 2 + 1e-3, 5e-7 / damping],
            method="LSODA",
            rtol=1e-11,
            atol=1e-13,
            events=[still, round_again],
        )
        angle, velocity = run.y[:, -1]
        return run.t_events[1].size > 0 or angle - 2.5 * np.pi + velocity / damping > 0

    found = -end.values[1]
    assert end.error < 1e-6 and overshoots(found - 1e-6) and not overshoots(found + 1e-6)


def test_bad_arguments():
    start = heteroclinic(front(0.3, 0.3), "U_k[1,1]", (-0.5, -0.1), [1.0, 0.0], [0.0, 0.0], tol=1e-6)
    with pytest.raises(ValueError, match="bounds must contain"):
        continue_homoclinic(start, ("b_r[1]", "U_k[1,1]"), ((0.0, 1.0), (-1.0, 1.0)))
    with pytest.raises(ValueError, match="must differ"):
        continue_homoclinic(start, ("b_r[1]", "b_r[1]"), ((-1.0, 1.0), (-1.0, 1.0)))
    with pytest.raises(TypeError, match="start must be"):
        continue_homoclinic(start.flow, ("b_r[1]", "U_k[1,1]"), ((-1.0, 1.0), (-1.0, 1.0)))
