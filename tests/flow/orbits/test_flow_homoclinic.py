"""Homoclinic parameters by the manifold's fate, and the divergence of the period beside them."""

import numpy as np
import pytest
from fate_by_scipy import side_of_return
from polynomials import arneodo, front, sandstede

from gating_theory.errors import ConvergenceError
from gating_theory.flow import GRUFlow, find_cycle, heteroclinic, homoclinic

FAMILY = GRUFlow(U_h=[[4.5, -2], [10, 0]], b_h=[0.4, 1.2])


def test_plain_loop_and_its_period_law():
    result = homoclinic(FAMILY, "b_h[1]", (0.85, 1.1), [0.525, 0.998])
    # by a separate program, bisection on the fate of W^u: 0.91283424755(2)
    assert result.value == pytest.approx(0.91283424755, abs=2e-11)
    np.testing.assert_allclose(result.eigenvalues.real, [0.3107802105, -0.4962437643], atol=6e-11)
    np.testing.assert_allclose(result.saddle, [0.525326, 0.998316], atol=1e-6)
    assert result.saddle_quantity < 0
    law = result.period_law([1e-1, 1e-2, 1e-3, 1e-4, 1e-5])
    assert law.periods == pytest.approx([14.1573, 22.0975, 29.6389, 37.0809, 44.4982], abs=6e-5)
    assert law.expected == pytest.approx(3.21771, abs=6e-6)
    # the slope tends to 1/lambda_u, corrections of order d log d
    assert np.all(np.diff(np.abs(law.slopes - law.expected)) < 0) and law.slopes[-1] == pytest.approx(law.expected, rel=2e-3)
    assert all(c.stable for c in law.cycles)


def test_gluing_of_two_symmetric_loops():
    flow = GRUFlow(U_h=[[6, 2.7], [-22.6, -13.4]], b_z=[0, 1.85])
    result = homoclinic(flow, "b_z[1]", (1.85, 1.87), [0.0, 0.0])
    assert result.value == pytest.approx(1.85811499318, abs=2e-11)
    assert result.eigenvalues[0].real == pytest.approx(0.0813452820, abs=6e-11)
    small, big = result.period_law([1e-4, 1e-5]), result.period_law([1e-4, 1e-5], passes=2)
    assert small.below and not big.below
    assert small.slopes[0] == pytest.approx(small.expected, rel=5e-3)
    assert big.slopes[0] == pytest.approx(big.expected, rel=5e-3) and big.expected == pytest.approx(2 * small.expected)


@pytest.mark.parametrize(
    "bracket, saddle, match",
    [((1.1, 0.85), [0.5, 1.0], "bracket"), ((1.0, 1.1), [0.525, 0.998], "one fate")],
)
def test_bad_brackets(bracket, saddle, match):
    with pytest.raises(ValueError, match=match):
        homoclinic(FAMILY, "b_h[1]", bracket, saddle)


def test_boundary_value_problem_and_bisection_agree():
    """Trajectories at 1e-12 support about 1e-11 of the bisection; the boundary value problem shares nothing with it."""
    result = homoclinic(FAMILY, "b_h[1]", (0.85, 1.1), [0.525, 0.998])
    assert result.value == pytest.approx(result.bisected, abs=1e-11) and 0 < result.error < 1e-11
    # the orbit leaves along the unstable direction, comes back along the stable one, and is a trajectory in between
    n = len(result.orbit.points)
    first, last = n // 3, 2 * n // 3
    time = (result.orbit.mesh[last] - result.orbit.mesh[first]) * result.orbit.period
    run = FAMILY.replace("b_h[1]", result.value).integrate(result.orbit.points[first], time)
    np.testing.assert_allclose(run.y[:, -1], result.orbit.points[last], atol=1e-8)
    result.check()


@pytest.mark.parametrize("a", [-0.2, 0.2])
def test_a_loop_known_exactly(a):
    """Sandstede's field: x^2 (1 - x) = y^2 at mu = 0, eigenvalues a +- 1; a -> -a is time reversed, with the same periods."""
    result = homoclinic(sandstede(a, 1.0, 0.1), "U_k[1,1]", (-0.2, 0.17), [0.0, 0.0])
    assert abs(result.value) <= result.error < 1e-11
    np.testing.assert_allclose(result.eigenvalues, [a + 1.0, a - 1.0], atol=1e-12)
    assert result.saddle_quantity == pytest.approx(2 * a) and result.saddle_index == pytest.approx((1 - a) / (1 + a))
    x, y = np.moveaxis(result.orbit.stages, -1, 0)
    assert np.abs(x**2 * (1 - x) - y**2).max() < 1e-9
    law = result.period_law([1e-2, 1e-3, 1e-4])
    assert law.below == (a < 0)
    assert all(c.stable == (a < 0) for c in law.cycles)
    assert law.expected == pytest.approx(1.25)
    # slopes from 1.34 to 1.28: corrections of order d log d
    assert np.all(np.diff(np.abs(law.slopes - law.expected)) < 0) and law.slopes[-1] == pytest.approx(1.25, rel=3e-2)


def test_cycles_at_positive_saddle_quantity_belong_to_the_loop():
    """They are unstable, and found backwards in time too; where the family has turned back there is an error, no other cycle."""
    flow = GRUFlow(
        U_z=[[-0.15, -0.11], [-0.38, -0.31]], U_r=[[-0.27, 0.3], [-0.27, -0.13]], U_h=[[4.39, -1.78], [10.96, 0.21]], b_h=[0.45, 1]
    )
    result = homoclinic(flow, "b_h[1]", (1.7, 1.8), [0.246, 0.998])
    assert result.saddle_quantity > 0
    law = result.period_law([1e-3, 1e-4, 1e-5])
    assert law.below and not any(c.stable for c in law.cycles)
    assert law.expected == pytest.approx(1 / 0.5941559525)  # 1 / -lambda_s: the contraction is the slower one
    assert np.all(np.diff(law.approach) < 0) and law.approach[-1] < 3e-3
    same = find_cycle(law.cycles[0].flow, law.cycles[0].point, transient=0.0, max_period=100.0, backward=True)
    assert same.period == pytest.approx(law.periods[0], rel=1e-8)
    with pytest.raises(ConvergenceError, match="no cycle beyond the distance 0.0017"):
        result.period_law([1e-2, 1e-3])
    with pytest.raises(ConvergenceError, match="two loops"):
        result.period_law([1e-3, 1e-4], passes=2)
    with pytest.raises(ValueError, match="at least 10 times the error"):
        result.period_law([1e-3, 1e-15])


def test_a_front_known_exactly():
    """Nagumo's front exists at c = sqrt(2) (1/2 - a), u = 1/(1 + exp(t/sqrt(2)))."""
    result = heteroclinic(front(0.3, 0.3), "U_k[1,1]", (-0.5, -0.1), [1.0, 0.0], [0.0, 0.0])
    exact = -np.sqrt(2) * 0.2
    assert abs(result.value - exact) <= result.error < 1e-11 and result.bisected == pytest.approx(exact, abs=1e-11)
    u, v = np.moveaxis(result.orbit.stages, -1, 0)
    np.testing.assert_allclose(v, -u * (1 - u) / np.sqrt(2), atol=1e-9)
    with pytest.raises(ValueError, match="2 unstable directions of 2|0 unstable"):
        heteroclinic(front(0.3, 0.3), "U_k[1,1]", (-0.5, -0.1), [1.0, 0.0], [0.3, 0.0])
    with pytest.raises(ValueError, match="another fixed point"):
        heteroclinic(front(0.3, 0.3), "U_k[1,1]", (-0.5, -0.1), [1.0, 0.0], [1.0, 0.0])


@pytest.mark.parametrize(
    "flow, path, bracket, saddle, clock, time, off",
    [
        # two unstable directions: the stable manifold is followed backwards
        (
            GRUFlow(U_h=[[4.5, -2, 0.2], [10, 0, 0], [0.1, 0.1, 4]], b_h=[0.4, 1.2, 0]),
            "b_h[1]",
            (0.75, 1.1),
            [0.525, 0.998, -0.076],
            -1,
            70.0,
            1e-7,
        ),
        # saddle-foci, on both sides of saddle index 1 [Shilnikov]
        (arneodo(4.4, 3.5), "U_l[2,0]", (4.25, 4.5), [0.0, 0.0, 0.0], 1, 60.0, 1e-7),
        (arneodo(6.6, 3.5), "U_l[2,0]", (6.5, 6.75), [0.0, 0.0, 0.0], 1, 45.0, 1e-7),
    ],
)
def test_three_units(flow, path, bracket, saddle, clock, time, off):
    result = homoclinic(flow, path, bracket, saddle)
    assert result.value == pytest.approx(result.bisected, abs=1e-10) and result.error < 1e-10
    beside = (flow.replace(path, result.value + change) for change in (-off, off))
    assert len({side_of_return(here, result.saddle, clock, result.side, time) for here in beside}) == 2
    real = result.eigenvalues.real
    assert (real > 0).sum() == (2 if clock < 0 else 1)
    up, down = real[real > 0].min(), real[real < 0].max()
    assert result.saddle_index == pytest.approx(-down / up) and result.saddle_quantity == pytest.approx(up + down)
    assert result.focus == (clock > 0) and ("saddle-focus" in str(result)) == result.focus
