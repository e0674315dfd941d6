"""PyTorch modules under inputs and the random networks that are fed alike: moments, exponents, where the candidate's input goes."""

import numpy as np
import pytest

import gating_theory as gt

torch = pytest.importorskip("torch")
from gating_theory.interop import torch as bridge  # noqa: E402


def recorded(kind, n=200, inputs=32, steps=80, sequences=2, **options):
    torch.manual_seed(0)
    module = getattr(torch.nn, kind)(inputs, n, **options)
    x = np.random.default_rng(1).standard_normal((steps, sequences, inputs)) + 0.5
    return module, bridge.read(module).record(x), x


@pytest.mark.parametrize("kind", ["GRU", "LSTM", "RNN"])
def test_the_ensemble_is_fed_with_what_the_layer_was(kind):
    """Means and variances of what the input weights make of the sequences, against PyTorch's own arithmetic."""
    module, recording, x = recorded(kind)
    ensemble, correlation = recording.driven_ensemble()
    through = (torch.tensor(x) @ module.weight_ih_l0.double().T).detach().numpy()
    n, gates = module.hidden_size, {"GRU": ("r", "z", "b_in"), "LSTM": ("i", "f", "g", "o"), "RNN": ("h",)}[kind]
    still = recording.layer.network
    for place, name in enumerate(gates):
        rows = through[..., place * n : (place + 1) * n].reshape(-1, n)
        site = name in still.cell.parameter_names
        std = ensemble.parameter_input_std[name] if site else ensemble.input_std[name]
        own = still.parameters[0] if site else still.biases[still.cell.field_names.index(name)]
        shifts = own + rows.mean(axis=0)
        mean, spread = (ensemble.parameter, ensemble.parameter_std) if site else (ensemble.bias, ensemble.bias_std)
        assert std == pytest.approx(np.sqrt(rows.var(axis=0).mean()), rel=1e-10)
        assert (mean[name], spread[name]) == pytest.approx((shifts.mean(), shifts.std()), rel=1e-9)
    away = through - through.mean(axis=(0, 1))
    later = (away[1:] * away[:-1]).mean(axis=(0, 1)).sum() / (away**2).mean(axis=(0, 1)).sum()
    assert correlation == pytest.approx(later, abs=1e-10)
    if kind == "GRU":  # the candidate's input does not go through the reset gate
        assert ensemble.input_std["h"] == 0.0


@pytest.mark.parametrize("kind", ["GRU", "LSTM"])
def test_random_networks_fed_alike_do_what_the_module_does(kind):
    """Moments and the largest exponent along real sequences, at PyTorch's own initialisation."""
    module, recording, x = recorded(kind)
    ensemble = recording.driven_ensemble()[0].assuming("iid")
    theory = gt.steady_state(ensemble, 4000, 100, rng=0, lyapunov_units=4000)
    h = recording.states[20:, :, 0]
    # 200 units with their own weights: of a few seeds the second moment scattered by 2 %
    assert np.mean(h**2) == pytest.approx(theory.moments["h"], rel=0.06)
    d = gt.diagnose(module, x, n_states=1)
    assert d.lyapunov == pytest.approx(theory.lyapunov, abs=0.03)
    # the report's own network is smaller, with other random numbers
    assert d.random_lyapunov == pytest.approx(theory.lyapunov, abs=4.0 * theory.lyapunov_stderr + 0.02)
    assert d.random_driven.radius == pytest.approx(d.from_sites.radius, abs=0.04)
    assert d.random.radius < d.from_sites.radius - 0.03  # without the inputs it is another network
    assert "theory, driven" in str(d) and "random networks under such input" in str(d)


def test_inputs_that_stand_still_are_biases():
    module, recording, x = recorded("GRU", steps=12)
    still = bridge.read(module).record(np.broadcast_to(x[:1, :1], x.shape).copy())
    ensemble, correlation = still.driven_ensemble()
    assert not ensemble.has_white_input or max(*ensemble.input_std.values(), *ensemble.parameter_input_std.values()) < 1e-7
    assert ensemble.bias_std["z"] > 2.0 * recording.layer.network.ensemble.bias_std["z"]
    single = bridge.read(module).record(x[:1])
    assert np.isnan(single.driven_ensemble()[1])
