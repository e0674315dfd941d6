"""Layers, directions and recordings: against PyTorch where it is there, and with arrays alone."""

import subprocess
import sys

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.interop.layers import RecurrentWeights
from gating_theory.interop.layouts import LAYOUTS, rows_by_name


def weights_of(kind, n_in, n, seed=0):
    rng = np.random.default_rng(seed)
    rows = n * len(LAYOUTS[kind].hidden)
    shapes = {"weight_ih": (rows, n_in), "weight_hh": (rows, n), "bias_ih": (rows,), "bias_hh": (rows,)}
    shapes |= {name: (n,) for name in LAYOUTS[kind].sites}
    return RecurrentWeights(kind, "arrays", {(0, "forward"): {name: rng.standard_normal(s) for name, s in shapes.items()}})


def test_no_library_is_needed():
    code = "import sys; from gating_theory.interop import initialise, layers, readers; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"


@pytest.mark.parametrize("kind", sorted(LAYOUTS))
def test_gates_find_their_fields(kind):
    """Blocks of rows in the layout's order: each is the matrix of the field that the layout names."""
    weights = weights_of(kind, 2, 3)
    layer, layout = weights.layer(), LAYOUTS[kind]
    net, tensors = layer.network, layer.tensors
    assert weights.cell is net.cell is layout.cell
    rows = rows_by_name(net.cell, net.biases, net.parameters)
    for gate, (hidden, entry) in enumerate(zip(layout.hidden, layout.input)):
        part = slice(3 * gate, 3 * gate + 3)
        assert np.array_equal(net.matrices[net.cell.field_names.index(hidden)], tensors["weight_hh"][part])
        both = [tensors["bias_hh"][part], tensors["bias_ih"][part]]
        if hidden == entry:
            assert np.array_equal(rows[hidden], sum(both))
        else:
            assert np.array_equal(rows[hidden], both[0]) and np.array_equal(rows[entry], both[1])


def test_a_recording_is_step_after_step():
    weights = weights_of("LSTM", 2, 3)
    x = np.random.default_rng(1).standard_normal((5, 2))
    recording = weights.record(x)
    assert recording.states.shape == (6, 1, 2, 3) and not recording.states[0].any()
    for t in range(5):
        net, state = recording.at([t], [0])
        assert np.array_equal(net.step(state)[0], recording.states[t + 1, 0])
    other = weights.layer().with_network(gt.Network.sample(gt.Ensemble(gt.LSTM), 3, rng=0))
    assert not np.array_equal(other.record(recording.inputs).states, recording.states)


torch = pytest.importorskip("torch")
from gating_theory.interop import torch as bridge  # noqa: E402


def test_biases_of_the_reset_after_gru():
    module = torch.nn.GRU(1, 4).double()
    net = bridge.from_module(module)
    assert net.cell is gt.GRUResetAfter
    hh, ih = module.bias_hh_l0.detach().numpy(), module.bias_ih_l0.detach().numpy()
    assert np.array_equal(net.biases[2], hh[8:])  # b_hn, inside the reset gate
    assert np.array_equal(net.parameters[0], ih[8:])  # b_in, outside
    assert np.array_equal(net.biases[0], hh[4:8] + ih[4:8])  # z is PyTorch's second gate


@pytest.mark.parametrize("cls", [torch.nn.GRU, torch.nn.LSTM, torch.nn.RNN])
@pytest.mark.parametrize("batch_first", [False, True])
def test_layers_and_directions_along_sequences(cls, batch_first):
    torch.manual_seed(1)
    module = cls(3, 5, num_layers=3, bidirectional=True, dropout=0.5, batch_first=batch_first).double().eval()
    x = torch.randn(*((4, 7, 3) if batch_first else (7, 4, 3)), dtype=torch.float64)
    exact = module(x)[0].detach().numpy()
    exact = np.swapaxes(exact, 0, 1) if batch_first else exact
    weights = bridge.read(module)
    assert weights.n_layers == 3 and weights.directions == ("forward", "reverse")
    ways = [weights.record(x, 2, way) for way in weights.directions]
    mine = np.concatenate([ways[0].states[1:, :, 0], ways[1].states[1:, :, 0][::-1]], axis=-1)
    assert np.abs(mine - exact).max() < 1e-12
    net, states = ways[0].at([0, 6, 6], [3, 0, 1])
    assert np.abs(net.step(states) - ways[0].states[[1, 7, 7], [3, 0, 1]]).max() < 1e-14
    sites = ways[0].sites([2, 5], [0, 1])
    assert sites.size == 10 and sites.source == "recorded network"
