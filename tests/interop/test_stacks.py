"""Stacks of layers as one system: steps and Jacobians against PyTorch's autograd, spectra as unions of the layers'."""

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.interop import readers
from gating_theory.interop.contents import Contents, Found
from gating_theory.interop.layers import RecurrentWeights
from gating_theory.interop.layouts import LAYOUTS, layout_of
from gating_theory.interop.stacks import Stack

#: Rounding of a few units through a few layers.
ROUNDING = 1e-12
SEVERAL = [(2, 4), (4, 3), (3, 5)]


def some_weights(kind, n_in, n, seed=0, layers=1):
    """Random weights of one module with arrays alone."""
    rng, tensors = np.random.default_rng(seed), {}
    rows = n * len(layout_of(kind).hidden)
    for layer in range(layers):
        shapes = {"weight_ih": (rows, n if layer else n_in), "weight_hh": (rows, n), "bias_ih": (rows,), "bias_hh": (rows,)}
        shapes |= {name: (n,) for name in layout_of(kind).sites}
        tensors[layer, "forward"] = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    return RecurrentWeights(kind, f"{kind} of arrays", tensors)


def contents_of(kinds):
    """A source that holds a module for each kind, of sizes that fit."""
    modules = {}
    for i, (kind, (n_in, n)) in enumerate(zip(kinds, SEVERAL)):
        weights = some_weights(kind, n_in, n, seed=i)
        modules[f"rnn_{i}"] = Found(kind, 1, ("forward",), n_in, n, lambda weights=weights: weights)
    return Contents("model.npz", "arrays", modules)


@pytest.mark.parametrize("kind", sorted(set(LAYOUTS) - {"RNN relu"}))  # differences mean nothing at kinks
def test_the_derivative_by_the_input(kind):
    """Every kind of layer, against sixth-order differences of its own step."""
    layer = some_weights(kind, 2, 4).layer()
    rng = np.random.default_rng(1)
    state, x = rng.standard_normal((3, layer.cell.n_state, 4)), rng.standard_normal((3, 2))
    mine = layer.input_jacobian(state, x)
    assert mine.shape == (3, layer.cell.n_state * 4, 2)
    assert np.abs(layer.input_jacobian(state[0], x[0]) - mine[0]).max() < ROUNDING
    h = 2e-3
    for i, unit in enumerate(np.eye(2)):
        parts = {n: layer.network.driven(*layer.drive(x + n * h * unit)).step(state) for n in (-3, -2, -1, 1, 2, 3)}
        weights = {1: 0.75, 2: -0.15, 3: 1.0 / 60.0}
        moved = sum(w * (parts[n] - parts[-n]) for n, w in weights.items()) / h
        # h^6 of the differences, 6e-17, times derivatives of order seven up to 3e4; rounding over h
        assert np.abs(mine[..., i] - moved.reshape(3, -1)).max() < 1e-10


def test_modules_of_one_source_on_top_of_each_other():
    """Layers of several kinds and sizes: blocks below the diagonal by differences, none above it, eigenvalues of the layers."""
    contents = contents_of(["GRU", "LSTM", "GRU reset before"])
    stack = contents.stack("rnn_0", "rnn_1", "rnn_2")
    assert stack.sizes == (4, 6, 5) and len(stack) == 3 and stack.input_size == 2
    assert "model.npz: 3 layers as one system of 15 state variables" in str(stack)
    assert "layer 1: LSTM, 4 inputs, 3 units" in str(stack)
    rng = np.random.default_rng(3)
    state = tuple(rng.standard_normal(each.shape) for each in stack.zero_state())
    x = rng.standard_normal(2)
    J = stack.jacobian(state, x)
    flat, cuts = np.concatenate([each.ravel() for each in state]), np.cumsum(stack.sizes)[:-1]

    def step(v):
        parts = [part.reshape(each.shape) for part, each in zip(np.split(v, cuts), state)]
        return np.concatenate([each.ravel() for each in stack.step(parts, x)])

    h, weights = 2e-3, {1: 0.75, 2: -0.15, 3: 1.0 / 60.0}
    moved = [sum(w * (step(flat + n * h * e) - step(flat - n * h * e)) for n, w in weights.items()) / h for e in np.eye(15)]
    assert np.abs(J - np.array(moved).T).max() < 1e-10  # as above
    assert not J[:4, 4:].any() and not J[4:10, 10:].any() and np.abs(J[10:, :4]).max() > 1e-3
    whole = np.linalg.eigvals(J)
    layers = stack.layer_eigenvalues(state, x)
    assert [len(each) for each in layers] == [4, 6, 5]
    # simple eigenvalues of a matrix that is not normal: rounding times their condition, at most 1e3 here
    assert max(np.abs(whole - z).min() for z in stack.eigenvalues(state, x)) < 1e-10
    assert max(np.abs(stack.eigenvalues(state, x) - z).min() for z in whole) < 1e-10
    # singular values are the stack's own
    own = np.concatenate([np.linalg.svd(net.jacobian(s), compute_uv=False) for net, s in zip(stack.driven(state, x), state)])
    assert stack.singular_values(state, x)[0] > 1.1 * own.max()


def test_points_of_a_recording_are_a_batch():
    """Steps, Jacobians and eigenvalues at points of a recording, of sequences of several lengths, from states of their own."""
    stack = contents_of(["GRU", "LSTM"]).stack("rnn_0", "rnn_1")
    rng = np.random.default_rng(0)
    sequences = [rng.standard_normal((length, 2)) for length in (5, 3)]
    begin = (rng.standard_normal((1, 4)), rng.standard_normal((2, 2, 3)))
    run = stack.record(sequences, state=begin)
    assert run.lengths.tolist() == [5, 3] and len(run.layers) == 2 and run.inputs.shape == (5, 2, 2)
    assert np.array_equal(run.layers[0].states[0], np.broadcast_to(begin[0], (2, 1, 4)))
    states, x = run.at([4, 1], [0, 1])
    after = stack.step(states, x)
    for new, recording in zip(after, run.layers):
        assert np.abs(new - recording.states[[5, 2], [0, 1]]).max() < ROUNDING
    J = stack.jacobian(states, x)
    assert J.shape == (2, 10, 10) and stack.eigenvalues(states, x).shape == stack.singular_values(states, x).shape == (2, 10)
    for b in range(2):
        assert np.abs(stack.jacobian([each[b] for each in states], x[b]) - J[b]).max() < ROUNDING
    # theory of a layer at its own sites
    assert gt.Spectrum.from_sites(run.layers[1].sites([4, 1], [0, 1]), matrices="iid").radius() > 0.0
    with pytest.raises(ValueError, match="times must be before the ends"):
        run.at([3], [1])


def test_what_makes_no_stack():
    contents = contents_of(["GRU", "LSTM"])
    with pytest.raises(ValueError, match="layers must fit on each other: GRU of arrays, layer 0, forward takes 2 inputs, LSTM"):
        contents.stack("rnn_1", "rnn_0")
    with pytest.raises(ValueError, match="several recurrent modules, choose one"):
        contents.stack()
    with pytest.raises(ValueError, match="prefix must name one of"):
        contents.stack("rnn_0", "rnn_7")
    with pytest.raises(ValueError, match="layers must not be empty"):
        Stack((), "nothing")
    with pytest.raises(TypeError, match="layers must be a sequence of RecurrentLayer"):
        Stack((contents,), "contents")
    stack = contents.stack("rnn_0", "rnn_1")
    zero = stack.zero_state()
    for state, x, message in (
        (zero[:1], np.zeros(2), "state must be a tuple of 2 arrays, one a layer, got 1 of them"),
        (np.zeros(10), np.zeros(2), "state must be a tuple of 2 arrays, one a layer, got ndarray"),
        ((zero[0], zero[0]), np.zeros(2), r"state\[1\] must have shape \(2, 3\), got \(1, 4\)"),
        (zero, np.zeros(3), r"x must have shape \(2,\)"),
        (
            tuple(np.zeros((3, *each.shape)) for each in zero),
            np.zeros((2, 2)),
            r"state\[0\] must have shape \(1, 4\) or \(2, 1, 4\)",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            stack.jacobian(state, x)


torch = pytest.importorskip("torch")


def of_torch(module, state):
    """(layers, d, N) states as PyTorch takes them, for one sequence."""
    parts = state.transpose(0, 1).contiguous()
    return tuple(parts) if isinstance(module, torch.nn.LSTM) else parts[0]


@pytest.mark.parametrize("kind", ["GRU", "LSTM", "RNN"])
@pytest.mark.parametrize("n_layers", [1, 2, 3])
def test_the_jacobian_of_a_stack_is_autograds(kind, n_layers):
    """torch.func.jacrev of one step of all layers by the states of all layers, and the step itself."""
    torch.manual_seed(n_layers)
    module = getattr(torch.nn, kind)(3, 5, n_layers, dropout=0.5 if n_layers > 1 else 0.0).double().eval()
    d = 2 if kind == "LSTM" else 1
    x, state = torch.randn(3, dtype=torch.float64), torch.randn(n_layers, d, 5, dtype=torch.float64)

    def step(flat):
        last = module(x[None], of_torch(module, flat.reshape(state.shape)))[1]
        return (torch.stack(last) if d == 2 else last[None]).transpose(0, 1).reshape(-1)

    exact = torch.func.jacrev(step)(state.reshape(-1)).detach().numpy()
    stack = readers.weights_of(module).stack()
    mine = stack.jacobian(list(state.numpy()), x.numpy())
    assert np.abs(mine - exact).max() < ROUNDING
    after = np.concatenate([each.ravel() for each in stack.step(list(state.numpy()), x.numpy())])
    assert np.abs(after - step(state.reshape(-1)).detach().numpy()).max() < ROUNDING
    size = 5 * d
    for layer in range(n_layers):  # block triangular
        assert not exact[layer * size : (layer + 1) * size, (layer + 1) * size :].any()


@pytest.mark.parametrize("batch_first", [False, True])
def test_a_recording_of_a_stack_is_pytorchs_run(batch_first):
    torch.manual_seed(0)
    module = torch.nn.LSTM(3, 5, 2, batch_first=batch_first).double()
    x = torch.randn(4, 6, 3, dtype=torch.float64)
    weights = readers.weights_of(module)
    run = weights.stack().record(x)
    out = module(x)[0].detach().numpy()
    assert np.abs(run.layers[1].outputs - (np.swapaxes(out, 0, 1) if batch_first else out)).max() < ROUNDING
    assert np.abs(run.layers[1].states - weights.record(x, 1).states).max() < ROUNDING


def test_layers_that_run_both_ways_are_no_stack():
    weights = readers.weights_of(torch.nn.GRU(3, 5, 2, bidirectional=True))
    with pytest.raises(gt.CapabilityError, match=r"directions \['forward', 'reverse'\].*future.*layer\(layer, direction\)"):
        weights.stack()
