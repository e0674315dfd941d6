"""The search from neighbour to neighbour, on a network whose fixed points are known."""

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.networks.neighbour_search import NeighbourOptions, NeighbourSearch
from gating_theory.networks.reduced_map import ReducedMap


@pytest.mark.parametrize("gap", [1e-1, 1e-3, 1e-5])
def test_a_narrow_pair_next_to_a_fold(gap):
    """tanh(1.5 x + b) at a bias short of the fold: a pair 2 sqrt(gap) or so apart."""
    h = np.sqrt(1 / 3)
    bias = np.arctanh(h) - 1.5 * h + gap
    net = gt.Network(gt.Vanilla, np.full((1, 1, 1), 1.5), np.full((1, 1), bias))
    search = NeighbourSearch(ReducedMap(net, net.input), [np.random.default_rng(0)], NeighbourOptions())
    search.run()
    x = np.linspace(-1, 1, 2_000_001)
    assert np.count_nonzero(np.diff(np.sign(np.tanh(1.5 * x + bias) - x))) == len(search.points) == 3
    assert sorted(search.index) == [-1, 1, 1]
