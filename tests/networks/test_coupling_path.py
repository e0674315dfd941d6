"""The walk from uncoupled units to the network."""

import numpy as np
import pytest
from samples import network

from gating_theory.networks.coupling_path import from_uncoupled
from gating_theory.networks.reduced_map import ReducedMap
from gating_theory.networks.state_map import StateMap


@pytest.mark.parametrize("name", ["Vanilla", "GRU", "LSTM", "PeepholeLSTM"])
def test_the_walk_ends_where_a_contracting_network_runs_to(name):
    """One fixed point, at any strength of the matrices. Linear interpolation of the last step, of 2 at most, is off by the curve's
    bend: a few percent."""
    net = network(name, 10, gain=0.4, bias_std=0.5)
    end = from_uncoupled(StateMap(ReducedMap(net, net.input)), 100)
    rest = net.run(np.zeros((net.cell.n_state, 10)), 600, input="frozen")
    assert np.abs(net.step(rest) - rest).max() < 1e-12
    assert np.abs(end[0] - rest).max() < 0.05 * np.abs(rest).max()


def test_a_walk_that_is_too_short_is_given_up():
    net = network("LSTM", 10, gain=5.0, input_std=5.0)
    assert from_uncoupled(StateMap(ReducedMap(net, net.input)), 3) is None
