"""The equations with memories as unknowns: against dense linear algebra of the network itself."""

import numpy as np
import pytest
from samples import network, two_stage

import gating_theory as gt
from gating_theory.cell.builtin import BUILTIN
from gating_theory.networks.reduced_map import ReducedMap
from gating_theory.networks.state_map import StateMap


def sampled(name):
    if name == "two-stage":
        return gt.Network.sample(gt.Ensemble(two_stage(), gain=2.0, bias_std=0.3), 6, rng=1)
    return network(name, 6, rng=1, gain=1.0)


@pytest.mark.parametrize("name", [*BUILTIN, "two-stage"])
def test_newton_steps_are_those_of_the_whole_map(name):
    """Eliminating the memories gives the step of dense Newton on F(s) - s, to rounding times condition numbers below 1e5 here."""
    net = sampled(name)
    equations = StateMap(ReducedMap(net, net.input))
    points = 0.7 * np.random.default_rng(2).standard_normal((3, net.cell.n_state, 6))
    which = np.zeros(3, dtype=int)
    error, step = equations.newton_step(points, which)
    rate, J, _ = equations.jacobian(points, which)
    signs = equations.index(points, which)
    for i, s in enumerate(points):
        dense = net.jacobian(s) - np.eye(s.size)
        change = net.step(s) - s
        assert np.allclose(equations.stepped(points, which)[i], net.step(s), rtol=0, atol=1e-14)
        assert np.allclose(rate[i], change.ravel(), rtol=0, atol=1e-13)
        assert np.allclose(J[i], dense, rtol=1e-12, atol=1e-13)
        assert np.allclose(step[i].ravel(), np.linalg.solve(dense, -change.ravel()), rtol=1e-9, atol=1e-9)
        assert error[i] >= np.abs(step[i][net.cell.n_state == 1 or equations.heard]).max() * (1 - 1e-9)
        # det(1 - J) = prod det(1 - F_s) det(1 - P A^-1 F_y dy/dx), and site factors are positive where gates leak
        if not net.cell.parameters:
            assert signs[i] == np.sign(np.linalg.det(-dense))


@pytest.mark.parametrize("name", ["GRU", "GRUResetAfter", "LSTM", "two-stage"])
def test_derivative_by_the_strength_of_the_matrices(name):
    """Central differences of networks with scaled matrices, truncation 1e-10 and rounding 1e-11."""
    net = sampled(name)
    s = 0.7 * np.random.default_rng(3).standard_normal((1, net.cell.n_state, 6))

    def change(strength):
        return gt.Network(net.ensemble, strength * net.matrices, net.biases, net.parameters, net.input).step(s[0]) - s[0]

    equations = StateMap(ReducedMap(net, net.input))
    for strength in (0.0, 0.6, 1.0):
        rate, _, along = equations.jacobian(s, np.zeros(1, dtype=int), np.array([strength]))
        assert np.allclose(rate[0], change(strength).ravel(), rtol=0, atol=1e-13)
        slope = (change(strength + 1e-5) - change(strength - 1e-5)) / 2e-5
        assert np.allclose(along[0], slope.ravel(), rtol=0, atol=1e-8)


def test_capped_steps_of_memories():
    """Memories move by at most the cap on the scale m/(1 + |m|), and as they are asked to where that is less."""
    net = network("LSTM", 3)
    equations = StateMap(ReducedMap(net, net.input))
    s = np.array([[[0.1, 0.2, 0.3], [0.0, 1e6, -4.0]]])
    step = np.array([[[0.0, 1.0, -1.0], [1e9, 1e5, 8.0]]])
    new = equations.moved(s, step, np.array([0.25]), np.ones((1, 1, 1)))
    assert new[0, 0] == pytest.approx([0.1, 0.45, 0.05])
    # 0 to 1/4 is a memory of 1/3; 1e6 to 1.1e6 is next to nothing; -4 is at -0.8, and -0.55 a memory of -0.55/0.45
    assert new[0, 1] == pytest.approx([1 / 3, 1.1e6, -0.55 / 0.45])
