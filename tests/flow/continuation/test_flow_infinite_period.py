"""What families of cycles end at as their period diverges: connecting orbits and folds, located, and the law of the periods."""

import numpy as np
import pytest

from gating_theory.flow import GRUFlow, continue_cycle, end_of_period, find_cycle


def grown(flow, path, bounds, direction, max_period, **options):
    cycle = find_cycle(flow, [-0.2, 0.2])
    return continue_cycle(flow, path, bounds, cycle, direction=direction, max_period=max_period, **options)


def test_homoclinic_loop():
    branch = grown(GRUFlow(U_h=[[4.5, -2], [10, 0]], b_h=[0.4, 1.0]), "b_h[1]", (0.5, 1.2), -1, 40.0)
    end = end_of_period(branch)
    assert (end.kind, end.status.code) == ("homoclinic", "proved")
    # by a separate program: 0.91283424755(2), 1/lambda_u = 3.21771
    assert end.value == pytest.approx(0.91283424755, abs=2e-11) and end.evidence[0].error < 1e-10
    assert end.expected == pytest.approx(3.21771, abs=6e-6) and end.slope == pytest.approx(end.expected, rel=5e-3)


def test_saddle_nodes_on_the_cycle():
    """Four at once by symmetry, at b_c = 2.60809039553088 of U_h = [[6, -b], [b, 6]]; T ~ 4 pi / sqrt(.102215 d)."""
    flow = GRUFlow(U_h=[[6, -2.7], [2.7, 6]])
    branch = grown(flow, {"U_h[0,1]": -1, "U_h[1,0]": 1}, (-0.2, 0.1), -1, 400.0)
    end = end_of_period(branch)
    assert (end.kind, end.status.code, len(end.states)) == ("saddle_node", "proved", 4)
    assert end.value == pytest.approx(2.60809039553088 - 2.7, abs=1e-10)
    assert end.expected == pytest.approx(4 * np.pi / np.sqrt(0.102215), rel=1e-5)
    assert end.slope == pytest.approx(end.expected, rel=1e-2)


def test_a_shut_gate_is_neither():
    branch = grown(GRUFlow(U_h=[[3, -3], [3, 3]]), "b_z[0]", (-1, 30), 1, 200.0, max_step=0.3)
    end = end_of_period(branch)
    assert (end.kind, end.evidence) == ("slow", []) and np.isnan(end.value) and end.ok
    with pytest.raises(ValueError, match="growing periods"):
        end_of_period(continue_cycle(branch.last.flow, "b_z[0]", (-1, 30), branch.last, direction=-1, max_points=5))
