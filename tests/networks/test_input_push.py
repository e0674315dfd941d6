"""How a step answers to its input: derivatives by fields' inputs and site parameters against differences of the step itself."""

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.networks.input_push import input_push

CELLS = [gt.Vanilla, gt.GRU, gt.GRUResetAfter, gt.LSTM, gt.PeepholeLSTM, gt.MGU, gt.KCS]


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
@pytest.mark.parametrize("batch", [None, 3])
def test_against_differences(cell, batch):
    """Sixth-order differences of the step along random directions of inputs and site parameters, for each network of a batch."""
    rng = np.random.default_rng(0)
    gains = dict.fromkeys(cell.field_names, 1.5)
    spread = dict.fromkeys(cell.parameter_names, 0.5)
    net = gt.Network.sample(gt.Ensemble(cell, gain=gains, parameter_std=spread), 5, rng=rng)
    lead = () if batch is None else (batch,)
    net = net.driven(rng.standard_normal((*lead, *net.input.shape)), rng.standard_normal((*lead, *net.parameters.shape)))
    state = net.random_state(rng)
    input, parameters = rng.standard_normal((*net.input.shape[-2:], 2)), rng.standard_normal((*net.parameters.shape[-2:], 2))
    pushed = input_push(net, state, input, parameters)
    assert pushed.shape == (*state.shape, 2)
    step, stencil = 2e-3, {1: 0.75, 2: -0.15, 3: 1.0 / 60.0}
    for m in range(2):
        moved = 0.0
        for times, weight in stencil.items():
            for sign in (1, -1):
                at = sign * times * step
                other = net.driven(net.input + at * input[..., m], net.parameters + at * parameters[..., m])
                moved = moved + sign * weight * other.step(state) / step
        # h^6 of the differences, 6e-17, times derivatives of order seven up to 3e4; rounding over h
        assert np.abs(pushed[..., m] - moved).max() < 1e-10


def test_directions_of_other_shapes():
    net = gt.Network.sample(gt.Ensemble(gt.GRUResetAfter), 4, rng=0)
    state = net.random_state(0)
    for input, parameters, name in (
        (np.zeros((3, 4)), np.zeros((1, 4, 2)), "input"),
        (np.zeros((3, 5, 2)), np.zeros((1, 4, 2)), "input"),
        (np.zeros((3, 4, 2)), np.zeros((1, 4, 1)), "parameters"),
    ):
        with pytest.raises(ValueError, match=f"{name} must have shape"):
            input_push(net, state, input, parameters)
    with pytest.raises(TypeError, match="net must be a Network"):
        input_push(gt.GRU, state, np.zeros((3, 4, 2)), np.zeros((1, 4, 2)))
