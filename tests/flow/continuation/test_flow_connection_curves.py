"""Connecting orbits in two parameters: against closed forms, the expansion at a Bogdanov-Takens point, and scipy's trajectories."""

import numpy as np
import pytest
from polynomials import front, sandstede, takens
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


def side_of_return(flow, saddle, time):
    """On which side of the stable manifold scipy's trajectory along the unstable one passes the saddle."""
    values, vectors = np.linalg.eig(flow.jacobian(saddle))
    v = vectors[:, np.argmax(values)]
    left = np.linalg.inv(vectors)[np.argmax(values)]
    v = v * np.sign(v[np.argmax(np.abs(v))])
    run = solve_ivp(lambda t, x: flow(x), (0, time), saddle - 1e-6 * v, rtol=1e-12, atol=1e-13, dense_output=True)
    states = run.sol(np.linspace(0, time, 4000)).T - saddle
    away = np.linalg.norm(states, axis=1)
    far = np.argmax(away > 0.3 * away.max())
    near = far + np.argmin(away[far:])
    left_again = near + np.argmax(away[near:] > 100 * away[near])
    assert away[near] < 1e-3 and away[left_again] > 100 * away[near]
    return np.sign(states[left_again] @ left)


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
        flow, saddle = start.flow, curve.saddles[i, 0]
        fates = []
        for off in (-1e-7, 1e-7):
            here = flow.with_parameters({"b_h[0]": curve.values[i, 0], "b_h[1]": curve.values[i, 1] + off})
            for _ in range(5):
                saddle = saddle - np.linalg.solve(here.jacobian(saddle), here(saddle))
            fates.append(side_of_return(here, saddle, 110.0))
        assert fates[0] != fates[1]
    assert gt.load(gt.save([start, curve], tmp_path / "curve.json")) == [start, curve]


def test_bad_arguments():
    start = heteroclinic(front(0.3, 0.3), "U_k[1,1]", (-0.5, -0.1), [1.0, 0.0], [0.0, 0.0], tol=1e-6)
    with pytest.raises(ValueError, match="bounds must contain"):
        continue_homoclinic(start, ("b_r[1]", "U_k[1,1]"), ((0.0, 1.0), (-1.0, 1.0)))
    with pytest.raises(ValueError, match="must differ"):
        continue_homoclinic(start, ("b_r[1]", "b_r[1]"), ((-1.0, 1.0), (-1.0, 1.0)))
    with pytest.raises(TypeError, match="start must be"):
        continue_homoclinic(start.flow, ("b_r[1]", "U_k[1,1]"), ((-1.0, 1.0), (-1.0, 1.0)))
