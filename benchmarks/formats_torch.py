"""PyTorch's rows of the table in formats.py: modules, state dicts, checkpoints, safetensors, TorchScript."""

from __future__ import annotations

import warnings

import torch
from formats import Pair, case

import gating_theory as gt

_SIZES = {"input_size": 3, "hidden_size": 5, "num_layers": 2, "dtype": torch.float64}
_LAYERS = {
    "GRU, two layers": lambda: torch.nn.GRU(**_SIZES),
    "LSTM, two layers": lambda: torch.nn.LSTM(**_SIZES),
    "LSTM, bidirectional": lambda: torch.nn.LSTM(bidirectional=True, **_SIZES),
    "RNN, tanh": lambda: torch.nn.RNN(**_SIZES),
    "RNN, relu": lambda: torch.nn.RNN(nonlinearity="relu", **_SIZES),
}


def of_module(module, folder):
    return gt.read(module)


def of_checkpoint(module, folder):
    torch.save({"epoch": 3, "model": module.state_dict()}, folder / "model.pt")
    return gt.read(
        folder / "model.pt", nonlinearity=getattr(module, "nonlinearity", None) if module.mode.startswith("RNN") else None
    )


def of_safetensors(module, folder):
    from safetensors.torch import save_file

    save_file(module.state_dict(), folder / "model.safetensors")
    return gt.read(folder / "model.safetensors", nonlinearity=function_of(module))


def function_of(module):
    """An nn.RNN's function, which its tensors do not say."""
    return module.nonlinearity if module.mode.startswith("RNN") else None


def pairs(module, contents):
    """A pair for each layer and direction: PyTorch's own step is that of the module's cell with these parameters."""
    weights = contents.weights()
    for layer, way in weights.tensors:
        suffix = f"_l{layer}" + ("_reverse" if way == "reverse" else "")
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        own = [getattr(module, name + suffix).detach() for name in names]
        function = getattr(torch._VF, f"{module.mode.lower()}_cell")

        def step(x, state, own=own, function=function):
            h = [s[None] for s in state]
            out = function(x[None], h if len(h) == 2 else h[0], *own)
            return torch.stack([s[0] for s in (out if isinstance(out, tuple) else (out,))])

        yield Pair(weights.layer(layer, way), *numeric(step))


def numeric(step):
    """A step of tensors as one of arrays, and its Jacobian by automatic differentiation."""

    def of_arrays(x, state):
        with torch.no_grad():
            return step(torch.tensor(x), torch.tensor(state)).detach().numpy()

    def jacobian(x, state):
        found = torch.autograd.functional.jacobian(lambda s: step(torch.tensor(x), s), torch.tensor(state))
        return found.reshape(state.size, state.size).numpy()

    return of_arrays, jacobian


def _register(format, read, name, make):
    @case("PyTorch", format, name)
    def of_layer(folder):
        torch.manual_seed(0)
        module = make()
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.mul_(2.0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch about its own formats
            contents = read(module, folder)
        yield from pairs(module, contents)


for _format, _read in (
    ("module", of_module),
    ("torch.save", of_checkpoint),
    ("safetensors", of_safetensors),
):
    for _name, _make in _LAYERS.items():
        _register(_format, _read, _name, _make)
