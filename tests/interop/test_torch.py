"""PyTorch's modules against the Networks made from them; checkpoints, good and bad."""

import os
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gating_theory as gt

torch = pytest.importorskip("torch")
from gating_theory.interop import torch as bridge  # noqa: E402

KINDS = {
    "GRU": (torch.nn.GRU, torch.nn.GRUCell, {}),
    "LSTM": (torch.nn.LSTM, torch.nn.LSTMCell, {}),
    "RNN": (torch.nn.RNN, torch.nn.RNNCell, {}),
    "RNN relu": (torch.nn.RNN, torch.nn.RNNCell, {"nonlinearity": "relu"}),
}


@st.composite
def modules(draw, dtype=torch.float64):
    """A layered module or a cell of any size, with or without biases, with weights larger than PyTorch's own."""
    kind = draw(st.sampled_from(sorted(KINDS)))
    layered, cell, options = KINDS[kind]
    n_in, n = draw(st.integers(1, 4)), draw(st.integers(1, 7))
    torch.manual_seed(draw(st.integers(0, 1000)))
    make = draw(st.sampled_from([layered, cell]))
    module = make(n_in, n, bias=draw(st.booleans()), **options).to(dtype)
    with torch.no_grad():
        for weight in module.parameters():
            weight.mul_(draw(st.floats(0.5, 4.0)))
    return module


def torch_step(module, x, state):
    """PyTorch's own step: states (B, d N) to (B, d N), h first."""
    n = module.hidden_size
    parts = tuple(state[:, i * n : (i + 1) * n] for i in range(state.shape[1] // n))
    if isinstance(module, torch.nn.RNNBase):
        given = tuple(p[None] for p in parts)
        out = module(x[None], given if len(given) > 1 else given[0])[1]
        out = out if isinstance(out, tuple) else (out,)
        return torch.cat([o[0] for o in out], dim=1)
    out = module(x, parts if len(parts) > 1 else parts[0])
    return torch.cat(out if isinstance(out, tuple) else (out,), dim=1)


def drawn(module, batch, seed):
    d = 2 if isinstance(module, (torch.nn.LSTM, torch.nn.LSTMCell)) else 1
    generator = torch.Generator().manual_seed(seed)
    dtype = next(module.parameters()).dtype
    x = torch.randn(batch, module.input_size, generator=generator, dtype=torch.float64)
    state = torch.randn(batch, d * module.hidden_size, generator=generator, dtype=torch.float64)
    return x.to(dtype), state.to(dtype)


@settings(max_examples=60)
@given(modules(), st.integers(1, 3), st.integers(0, 1000))
def test_step_and_jacobian_are_those_of_pytorch(module, batch, seed):
    x, state = drawn(module, batch, seed)
    layer = bridge.read(module).layer()
    net = layer.network.driven(*layer.drive(x.numpy()))
    mine = net.step(state.numpy()).reshape(state.shape)
    assert np.abs(mine - torch_step(module, x, state).detach().numpy()).max() < 1e-12 * max(1.0, np.abs(mine).max())
    J = net.jacobian(state.numpy())
    for b in range(batch):
        exact = torch.autograd.functional.jacobian(lambda s, b=b: torch_step(module, x[b : b + 1], s[None])[0], state[b])
        assert np.abs(J[b] - exact.numpy()).max() < 1e-10 * max(1.0, np.abs(J[b]).max())


@settings(max_examples=20)
@given(modules(), st.integers(0, 1000))
def test_zero_input_is_the_module_at_zero_input(module, seed):
    _, state = drawn(module, 1, seed)
    net = bridge.from_module(module)
    x = torch.zeros(1, module.input_size, dtype=torch.float64)
    assert np.abs(net.step(state[0].numpy()).ravel() - torch_step(module, x, state)[0].detach().numpy()).max() < 1e-11
    exact = torch.autograd.functional.jacobian(lambda s: torch_step(module, x, s[None])[0], state[0]).numpy()
    assert np.abs(net.jacobian(state[0].numpy()) - exact).max() < 1e-10 * max(1.0, np.abs(exact).max())


@settings(max_examples=20)
@given(modules(torch.float32), st.integers(0, 1000))
def test_single_precision(module, seed):
    x, state = drawn(module, 2, seed)
    layer = bridge.read(module).layer()
    mine = layer.network.driven(*layer.drive(x.numpy())).step(state.double().numpy()).reshape(state.shape)
    theirs = torch_step(module, x, state).detach().numpy()
    # single precision carries 6e-8 relative to the terms of a sum of a dozen products of order ten
    assert np.abs(mine - theirs).max() < 1e-6 * max(1.0, np.abs(mine).max(), 10 * float(state.abs().max()))


def test_a_model_that_contains_a_module():
    model = torch.nn.ModuleDict({"rnn": torch.nn.LSTM(2, 3), "head": torch.nn.Linear(3, 1)})
    assert bridge.from_module(model).cell is gt.LSTM
    model["other"] = torch.nn.GRUCell(2, 3)
    with pytest.raises(ValueError, match=r"several recurrent modules.*\['other', 'rnn'\]"):
        bridge.read(model)
    assert bridge.read(model, prefix="other").kind == "GRU"
    with pytest.raises(ValueError, match="there is no nn.GRU"):
        bridge.read(model["head"])


# --- checkpoints


def same(net, other):
    return all(np.array_equal(getattr(net, a), getattr(other, a)) for a in ("matrices", "biases", "parameters"))


def test_checkpoints_of_both_kinds(tmp_path):
    from safetensors.torch import save_file

    module = torch.nn.GRU(2, 3, num_layers=2)
    expected = bridge.from_module(module, 1)
    torch.save(module.state_dict(), tmp_path / "a.pt")
    torch.save({"epoch": 3, "model": {f"encoder.rnn.{k}": v for k, v in module.state_dict().items()}}, tmp_path / "b.pt")
    torch.save(module.state_dict(), tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    save_file(module.state_dict(), tmp_path / "c.safetensors")
    os.link(tmp_path / "c.safetensors", tmp_path / "no_ending")
    for name in ("a.pt", "b.pt", "old.pt", "c.safetensors", "no_ending"):
        assert same(bridge.from_state_dict(tmp_path / name, 1), expected), name
    assert same(bridge.from_state_dict(module.state_dict(), 1), expected)
    assert same(bridge.from_state_dict(tmp_path / "b.pt", 1, prefix="model.encoder.rnn"), expected)
    half = bridge.from_state_dict({k: v.to(torch.bfloat16) for k, v in module.state_dict().items()}, 1)
    assert np.abs(half.matrices - expected.matrices).max() < 4e-3  # eight bits


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("how", ["torch", "legacy", "pickle"])
def test_code_in_a_checkpoint_is_not_executed(tmp_path, how):
    state = {**torch.nn.GRU(2, 3).state_dict(), "extra": Bomb(tmp_path / "executed")}
    path = tmp_path / "bad.pt"
    if how == "pickle":
        path.write_bytes(pickle.dumps(state))
    else:
        torch.save(state, path, _use_new_zipfile_serialization=how == "torch")
    with pytest.raises(ValueError, match="bad.pt"):
        bridge.from_state_dict(path)
    assert not (tmp_path / "executed").exists()
    with pytest.raises(ValueError, match="nothing in it was executed"):
        gt.diagnose(path)
    assert not (tmp_path / "executed").exists()


def test_a_whole_module_is_refused_with_advice(tmp_path):
    torch.save(torch.nn.GRU(2, 3), tmp_path / "module.pt")
    with pytest.raises(ValueError, match=r"module.pt holds more than tensors.*state_dict"):
        bridge.from_state_dict(tmp_path / "module.pt")


def changed(**values):
    state = dict(torch.nn.GRU(2, 3).state_dict())
    for key, value in values.items():
        if value is None:
            del state[key]
        else:
            state[key] = value(state[key])
    return state


@pytest.mark.parametrize(
    "state, message",
    [
        (changed(bias_hh_l0=None), r"lacks the keys \['bias_hh_l0'\]"),
        (changed(weight_ih_l0=None), r"lacks the keys \['weight_ih_l0'\]"),
        (changed(weight_hh_l0=None), r"lacks the keys \['weight_hh_l0'\]"),
        (changed(weight_hh_l0=lambda w: w[:, :2]), r"weight_hh_l0 must have shape .*got \(9, 2\)"),
        (changed(weight_hh_l0=lambda w: w[0]), r"weight_hh_l0 must have shape .*got \(3,\)"),
        (changed(bias_ih_l0=lambda w: w[:5]), r"bias_ih_l0 must have shape \(9,\), got \(5,\)"),
        (changed(weight_ih_l0=lambda w: w[:6]), r"weight_ih_l0 must have shape \(9, 2\), got \(6, 2\)"),
        (changed(weight_hh_l0=lambda w: w.masked_fill(w > 0, float("nan"))), "weight_hh_l0 must be finite, got .* NaN"),
        (changed(bias_ih_l0=lambda w: w / 0.0), "bias_ih_l0 must be finite"),
        (changed(weight_hh_l0=lambda w: w.to(torch.int64)), "weight_hh_l0 must be a dense tensor of real"),
        (changed(weight_hh_l0=lambda w: w.to(torch.complex64)), "weight_hh_l0 must be a dense tensor of real"),
        (changed(weight_hh_l0=lambda w: w.to_sparse()), "weight_hh_l0 must be a dense tensor of real"),
        (changed(weight_hh_l0=lambda w: w.to("meta")), "weight_hh_l0 must be a dense tensor of real"),
        (dict(torch.nn.LSTM(2, 4, proj_size=3).state_dict()), "projections"),
        (dict(torch.nn.Linear(2, 4).state_dict()), "lacks the key 'weight_hh_l0'"),
        ({}, "holds no tensors"),
        ({"weight_hh_l0": "text"}, "holds no tensors"),
    ],
)
def test_bad_state_dicts(state, message):
    with pytest.raises(ValueError, match=message):
        bridge.from_state_dict(state)


def test_bad_files(tmp_path):
    with pytest.raises(FileNotFoundError):
        bridge.from_state_dict(tmp_path / "none.pt")
    for name, content, words in (
        ("a.pt", b"", "is empty"),
        ("b.pt", b"hello world", "no checkpoint of torch.save, or only a part"),
        ("c.safetensors", b"\x08\x00", "not a safetensors file"),
        ("d.safetensors", b"{}" * 99, "not a safetensors file"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=f"{name} .*{words}|{name} {words}"):
            bridge.from_state_dict(tmp_path / name)
    whole = tmp_path / "whole.pt"
    torch.save(torch.nn.GRU(2, 3).state_dict(), whole)
    (tmp_path / "cut.pt").write_bytes(whole.read_bytes()[:-200])
    with pytest.raises(ValueError, match="cut.pt is no checkpoint of torch.save, or only a part"):
        bridge.from_state_dict(tmp_path / "cut.pt")
    torch.save(torch.zeros(3), tmp_path / "tensor.pt")
    with pytest.raises(ValueError, match="must hold a state dict"):
        bridge.from_state_dict(tmp_path / "tensor.pt")


def test_bad_arguments():
    module = torch.nn.GRU(2, 3)
    for call, error, message in (
        (lambda: bridge.from_module("x"), TypeError, "module must be"),
        (lambda: bridge.from_module(module, 1), ValueError, r"layer must lie in \[0, 0\]"),
        (lambda: bridge.from_module(module, 0, "reverse"), ValueError, "direction must be one of"),
        (lambda: bridge.from_state_dict(module), TypeError, "use from_module"),
        (lambda: bridge.from_state_dict(module.state_dict(), kind="LSTM"), ValueError, "kind 'GRU'"),
        (lambda: bridge.from_state_dict(module.state_dict(), nonlinearity="relu"), ValueError, "belongs to an RNN"),
        (lambda: bridge.from_state_dict(module.state_dict(), prefix="rnn"), ValueError, "prefix must name one of .* got 'rnn'"),
        (lambda: bridge.read(3), TypeError, "source must be"),
        (lambda: bridge.read(module).record(np.zeros((4, 3))), ValueError, r"inputs must have shape \(T, 2\)"),
        (lambda: bridge.read(module).record(np.full((4, 2), np.nan)), ValueError, "inputs must be finite"),
        (lambda: bridge.from_module(torch.nn.LSTM(2, 4, proj_size=3)), ValueError, "projections"),
    ):
        with pytest.raises(error, match=message):
            call()


def test_flow_of_a_module():
    torch.manual_seed(1)
    module = torch.nn.GRU(1, 2, num_layers=2).double()
    flow = gt.flow.Flow.from_torch(module, layer=1)
    h = np.array([0.3, -0.6])
    with torch.no_grad():
        states = torch.stack([torch.zeros(2, dtype=torch.float64), torch.from_numpy(h)])[:, None]
        module.weight_ih_l1.zero_()  # no input from the layer below, which is not at zero
        expected = module(torch.zeros(1, 1, 1, dtype=torch.float64), states)[1][1, 0].numpy()
    np.testing.assert_allclose(flow.euler(h), expected, rtol=1e-13)
    assert flow.fixed_points().complete
    with pytest.raises(TypeError, match="module must be a PyTorch module"):
        gt.flow.Flow.from_torch(3)
