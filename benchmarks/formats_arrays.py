"""Rows of layers written by hand in the table of formats.py: arrays by names of their own against their equations.

The equations are those of textbooks and of code that people write, in their own order of gates and from their own side; they are
written in PyTorch for its automatic differentiation.
"""

from __future__ import annotations

import numpy as np
import torch
from formats import Pair, case
from formats_torch import numeric

import gating_theory as gt

#: Of inputs and units.
I, H = 3, 5


def cho(p, x, h, c=None):
    """A GRU that resets before the product and writes at z = 1, a matrix a gate."""
    z, r = (torch.sigmoid(p[f"W{g}"] @ x + p[f"U{g}"] @ h + p[f"b{g}"]) for g in "zr")
    return ((1 - z) * h + z * torch.tanh(p["Wh"] @ x + p["Uh"] @ (r * h) + p["bh"]),)


def lasagne(p, x, h, c=None):
    """A GRU that resets after the product, with rows of vectors, gates r, u, c side by side, u writes."""
    (xr, xu, xc), (hr, hu, hc) = (x @ p["W_in"] + p["b"]).chunk(3), (h @ p["W_hid"]).chunk(3)
    u = torch.sigmoid(xu + hu)
    return ((1 - u) * h + u * torch.tanh(xc + torch.sigmoid(xr + hr) * hc),)


def course(p, x, h, c):
    """An LSTM from the right, gates i, f, o, g side by side."""
    i, f, o, g = (x @ p["Wx"] + h @ p["Wh"] + p["b"]).chunk(4)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def graves(p, x, h, c):
    """An LSTM with peepholes, a stack of gates i, f, c, o along an axis in front."""
    i, f, g, o = p["W"] @ x + p["U"] @ h + p["b"]
    new = torch.sigmoid(f + p["wcf"] * c) * c + torch.sigmoid(i + p["wci"] * c) * torch.tanh(g)
    return torch.sigmoid(o + p["wco"] * new) * torch.tanh(new), new


def characters(p, x, h, c=None):
    """A plain network whose biases are a column."""
    return (torch.tanh(p["Wxh"] @ x + p["Whh"] @ h + p["bh"][:, 0]),)


_EACH = {
    f"{own}.{gate}": f"{a}{g}"
    for own, a in (("weight_ih", "W"), ("weight_hh", "U"), ("bias_ih", "b"))
    for gate, g in ("uz", "rr", "hh")
}
#: {what: (step, shapes of its arrays, options of ``gt.read``)}
LAYERS = {
    "GRU of a textbook, a matrix a gate": (
        cho,
        {f"{a}{g}": shape for a, shape in (("W", (H, I)), ("U", (H, H)), ("b", (H,))) for g in "zrh"},
        {"names": _EACH, "kind": "GRU reset before"},
    ),
    "GRU, reset after, from the right": (
        lasagne,
        {"W_in": (I, 3 * H), "W_hid": (H, 3 * H), "b": (3 * H,)},
        {"names": {"weight_ih": "W_in", "weight_hh": "W_hid", "bias_ih": "b"}, "kind": "GRU", "order": "ruc", "transposed": True},
    ),
    "LSTM, from the right, i f o g": (
        course,
        {"Wx": (I, 4 * H), "Wh": (H, 4 * H), "b": (4 * H,)},
        {"names": {"weight_ih": "Wx", "weight_hh": "Wh", "bias_ih": "b"}, "order": "ifog", "transposed": True},
    ),
    "LSTM with peepholes, i f c o": (
        graves,
        {"W": (4, H, I), "U": (4, H, H), "b": (4, H), "wci": (H,), "wcf": (H,), "wco": (H,)},
        {
            "names": {"weight_ih": "W", "weight_hh": "U", "bias_ih": "b", "p_i": "wci", "p_f": "wcf", "p_o": "wco"},
            "order": "ifco",
        },
    ),
    "plain network": (
        characters,
        {"Wxh": (H, I), "Whh": (H, H), "bh": (H, 1)},
        {"names": {"weight_ih": "Wxh", "weight_hh": "Whh", "bias_ih": "bh"}},
    ),
}


def as_dict(arrays, folder):
    return arrays


def as_npz(arrays, folder):
    np.savez(folder / "model.npz", **arrays)
    return folder / "model.npz"


def as_checkpoint(arrays, folder):
    torch.save({name: torch.tensor(array) for name, array in arrays.items()}, folder / "model.pt")
    return folder / "model.pt"


def _register(format, save, name):
    @case("by names", format, name)
    def of_layer(folder):
        own_step, shapes, options = LAYERS[name]
        rng = np.random.default_rng(0)
        arrays = {key: rng.standard_normal(shape) for key, shape in shapes.items()}
        tensors = {key: torch.tensor(array) for key, array in arrays.items()}
        step, jacobian = numeric(lambda x, state: torch.stack(own_step(tensors, x, *state)))
        yield Pair(gt.read(save(arrays, folder), **options).layer(), step, jacobian)


for _format, _save in (("dict", as_dict), (".npz", as_npz), ("torch.save", as_checkpoint)):
    for _name in LAYERS:
        _register(_format, _save, _name)
