"""Attractors of the Euler map beside those of the flow: rotation by direct counting, periods and multipliers by iteration."""

import numpy as np
import pytest

from gating_theory.flow import GRUFlow, flow_and_map, map_attractors


def rotation(k, alpha):
    return k * np.array([[np.cos(alpha), -np.sin(alpha)], [np.sin(alpha), np.cos(alpha)]])


@pytest.mark.parametrize(
    "U, b, steps",
    [
        (rotation(3, np.pi / 3), 0, 10.4808),
        ([[0, -4], [4, 0]], 0, 5.9834),
        ([[3, -3], [3, 3]], 0, 15.204),
        ([[3, -3], [3, 3]], 1, 26.722),
    ],
)
def test_invariant_circles(U, b, steps):
    flow = GRUFlow(U_h=U, b_z=[b, b])
    (circle,) = map_attractors(flow, 4)
    assert circle.kind == "circle" and circle.steps_per_turn == pytest.approx(steps, abs=6e-4)
    # by counting turns over 2e5 steps: good to one turn in all
    orbit = flow.euler(circle.states[0], 1.0, 200_000, trajectory=True)
    w = orbit[:, 0] + 1j * orbit[:, 1]
    turns = np.abs(np.angle(w[1:] / w[:-1]).sum()) / (2 * np.pi)
    assert circle.steps_per_turn == pytest.approx(200_000 / turns, rel=2.0 / turns)
    assert abs(circle.lyapunov) < 1e-3


@pytest.mark.parametrize("U, period", [([[3, -20], [20, 3]], 6), ([[3, -30], [30, 3]], 4)])
def test_locked_oscillations(U, period):
    flow = GRUFlow(U_h=U)
    found = [a for a in map_attractors(flow, 8) if a.period == period]
    assert found
    x = found[0].states[0]
    np.testing.assert_allclose(flow.euler(x, 1.0, period), x, atol=1e-12)
    assert np.abs(found[0].multipliers).max() < 1


@pytest.mark.parametrize("u, amplitude", [(-5.9, 0.0), (-6.1, 0.0734361), (-8.0, 0.2585054)])
def test_flips(u, amplitude):
    result = map_attractors(GRUFlow(U_h=u), [[0.0], [0.3], [-0.7]])
    (only,) = result.attractors
    assert only.period == (2 if amplitude else 1)
    assert np.abs(only.states).max() == pytest.approx(amplitude, abs=1.1e-7)  # known to seven digits
    # -x = x/2 + tanh(u x/2)/2 on the orbit of period 2
    x = np.abs(only.states).max()
    assert 3 * x == pytest.approx(-np.tanh(0.5 * u * x) if amplitude else 0.0, abs=1e-12)
    # the first start is the unstable fixed point 0 itself
    assert ("unstable orbit" in result.status.text) == bool(amplitude) == (result.status.code == "unstable") and result.ok


def test_side_by_side_same_points_other_stability():
    result = flow_and_map(GRUFlow(U_h=rotation(3, np.pi / 3)), starts=4)
    assert len(result.points) == 1 and result.flow_stable[0] and not result.map_stable[0] and result.disagree[0]
    assert result.flow_attractors.cycles == [] and result.map_attractors[0].kind == "circle"
    # |1/2 + (k/4) e^{i alpha}|
    assert np.abs(result.multipliers[0]).max() == pytest.approx(abs(0.5 + 0.75 * np.exp(1j * np.pi / 3)), rel=1e-12)
    text = str(result)
    assert "not the same" in text and "steps per turn" in text
    small = flow_and_map(GRUFlow(U_h=rotation(3, np.pi / 3)), step=0.05, starts=4)
    assert not small.disagree.any()


def test_bad_arguments():
    flow = GRUFlow(U_h=[[3, -3], [3, 3]])
    for call, match in (
        (lambda: map_attractors(flow, step=0.0), "step"),
        (lambda: map_attractors(flow, [[1.0]]), "starts"),
        (lambda: map_attractors(flow, 0), "starts"),
        (lambda: flow_and_map(flow, -1.0), "step"),
    ):
        with pytest.raises(ValueError, match=match):
            call()
