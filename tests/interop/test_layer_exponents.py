"""Layers of PyTorch along sequences: they run as the module does; conditional exponents are those of its own Jacobians."""

import numpy as np
import pytest
import torch

import gating_theory as gt


def module(kind, n_inputs=2, n_units=5, gain=3.0):
    torch.manual_seed(0)
    made = getattr(torch.nn, kind)(n_inputs, n_units).double()
    with torch.no_grad():
        made.weight_hh_l0 *= gain
    return made


def sequence(T, n_inputs=2):
    return np.random.default_rng(1).standard_normal((T, n_inputs))


def stepped(made, row, state):
    """One step of the module as a function of its flat state (d N,), h before c."""
    n = made.hidden_size
    parts = tuple(part[None, None] for part in state.split(n))
    _, new = made(row[None, None], parts if len(parts) == 2 else parts[0])
    return torch.cat([part.reshape(n) for part in new]) if len(parts) == 2 else new.reshape(n)


def own_states(made, x):
    """States (T + 1, d, N) along a sequence, of the module itself, from zero."""
    d = 2 if isinstance(made, torch.nn.LSTM) else 1
    states = [torch.zeros(d * made.hidden_size, dtype=torch.float64)]
    with torch.no_grad():
        for row in torch.tensor(x):
            states.append(stepped(made, row, states[-1]))
    return torch.stack(states).numpy().reshape(len(x) + 1, d, -1)


@pytest.mark.parametrize("kind", ["GRU", "LSTM", "RNN"])
def test_a_layer_runs_as_its_module(kind):
    """The step in double precision: 1e-12 after 30 steps of a network that is not chaotic."""
    made, x = module(kind, gain=1.0), sequence(30)
    layer, own = gt.read(made).layer(), own_states(made, x)
    assert layer.run(x) == pytest.approx(own, abs=1e-12)
    with torch.no_grad():
        outputs = made(torch.tensor(x)[:, None])[0][:, 0].numpy()
    assert layer.run(x)[1:, 0] == pytest.approx(outputs, abs=1e-12)
    several = layer.run(np.stack([x, -x], axis=1))
    assert several.shape == (31, 2, *own.shape[1:])
    assert several[:, 0] == pytest.approx(own, abs=1e-12)
    assert layer.run(x[10:], own[10])[-1] == pytest.approx(own[-1], abs=1e-12)
    # and as the network that it holds, driven step by step
    fields, sites = layer.drive(x)
    net = layer.network
    assert net.run(np.zeros(own.shape[1:]), 30, fields, trajectory=True, parameters=sites) == pytest.approx(own, abs=1e-12)
    assert net.run(own[10], 20, fields[10:], parameters=sites[10:]) == pytest.approx(own[-1], abs=1e-12)


@pytest.mark.parametrize("kind", ["GRU", "LSTM"])
def test_conditional_exponents_against_autograd(kind):
    """QR of autograd's Jacobians of the module, along its own states.

    The sum over a full frame is log|det J|, whatever the frame: to
    rounding. One by one frames of another start agree once they have turned: exponents here lie 0.05 apart or more, so after 100
    steps by exp(-5), over 300 steps by 1e-3. An LSTM's last five
    are left out: they lie far below and close together."""
    made, x = module(kind), sequence(400)
    states = own_states(made, x)
    size = states[0].size
    q, logs = np.eye(size), []
    for row, state in zip(torch.tensor(x), states):
        flat = torch.tensor(state.reshape(-1))
        jacobian = torch.autograd.functional.jacobian(lambda s, row=row: stepped(made, row, s), flat).numpy()
        q, r = np.linalg.qr(jacobian @ q)
        with np.errstate(divide="ignore"):
            logs.append(np.log(np.abs(np.diag(r))))
    logs = np.array(logs)[100:]
    layer = gt.read(made).layer()
    more = {"transient": 0, "tangent_transient": 100, "interval": 1, "rng": 0}
    result = gt.lyapunov_spectrum(layer, inputs=x, **more)
    assert result.driven and result.n_steps == 300 and result.state == pytest.approx(states[-1], abs=1e-10)
    alive = 5
    assert result.exponents[:alive].sum() == pytest.approx(logs[:, :alive].mean(axis=0).sum(), abs=1e-3)
    assert result.exponents[:alive] == pytest.approx(logs[:, :alive].mean(axis=0), abs=3e-3)
    if kind == "GRU":
        assert result.exponents.sum() == pytest.approx(logs.sum() / 300, abs=1e-10)
    recorded = gt.lyapunov_spectrum(layer.record(x[:, None]), **more)
    assert np.array_equal(recorded.block_logs, result.block_logs)
    # the network inside, fed by hand
    fields, sites = layer.drive(x)
    by_hand = gt.lyapunov_spectrum(layer.network, inputs=fields, parameters=sites, state=np.zeros(size), **more)
    assert by_hand.exponents[:alive] == pytest.approx(result.exponents[:alive], abs=1e-10)


def test_a_recording_of_several_sequences():
    made, x = module("GRU"), sequence(90).reshape(30, 3, 2)
    run = gt.read(made).layer().record(x)
    result = gt.lyapunov_spectrum(run, 2, interval=2, rng=0)
    assert result.n_sequences == 3 and result.by_sequence.shape == (3, 2) and result.driven
    assert "conditional Lyapunov exponents of a GRUResetAfter network" in str(result)
    with pytest.raises(ValueError, match="inputs must be left out for a Recording"):
        gt.lyapunov_spectrum(run, inputs=x)
    with pytest.raises(ValueError, match="state must be left out for a Recording"):
        gt.lyapunov_spectrum(run, state=np.zeros(5))


def test_refusals_of_layers():
    layer = gt.read(module("GRU")).layer()
    for arguments, words in (
        ({}, "inputs are needed for a RecurrentLayer"),
        ({"inputs": np.zeros((5, 3))}, r"inputs must have shape \(T, 2\) or \(T, B, 2\), .*got \(5, 3\)"),
        ({"inputs": np.zeros((0, 2))}, "inputs must have shape"),
        ({"inputs": sequence(9), "parameters": np.zeros((9, 1, 5))}, "parameters are for a Network, net is a RecurrentLayer"),
        ({"inputs": sequence(9), "state": np.zeros(4)}, "state must have shape"),
    ):
        with pytest.raises(ValueError, match=words):
            gt.lyapunov_spectrum(layer, **arguments)
    with pytest.raises(ValueError, match="inputs must have shape"):
        layer.run(np.zeros(4))
    stack = gt.read(torch.nn.GRU(2, 5, num_layers=2).double()).stack()
    with pytest.raises(TypeError, match="got a Stack: the exponents .* take stack.record"):
        gt.lyapunov_spectrum(stack, inputs=sequence(9))
    with pytest.raises(TypeError, match="got a StackRecording"):
        gt.lyapunov_spectrum(stack.record(sequence(9)))
