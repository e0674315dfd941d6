"""Homoclinic parameters by the manifold's fate, and the divergence of the period beside them."""

import numpy as np
import pytest

from gating_theory.flow import GRUFlow, homoclinic

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
    small, big = result.period_law([1e-4, 1e-5]), result.period_law([1e-4, 1e-5], same_side=False, passes=2)
    assert small.slopes[0] == pytest.approx(small.expected, rel=5e-3)
    assert big.slopes[0] == pytest.approx(big.expected, rel=5e-3) and big.expected == pytest.approx(2 * small.expected)


@pytest.mark.parametrize(
    "bracket, saddle, match",
    [((1.1, 0.85), [0.5, 1.0], "bracket"), ((1.0, 1.1), [0.525, 0.998], "one fate")],
)
def test_bad_brackets(bracket, saddle, match):
    with pytest.raises(ValueError, match=match):
        homoclinic(FAMILY, "b_h[1]", bracket, saddle)
