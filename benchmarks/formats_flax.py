"""Flax's rows of the table in formats.py: cells of linen and nnx, as trees, msgpack, safetensors and numpy's archives.

Flax steps in float64 while these cases run, and JAX differentiates its steps. Weights are arguments of what is compiled, so that
the formats of a layer share it.
"""

from __future__ import annotations

from functools import cache

import flax.linen as nn
import jax
import numpy as np
from flax import nnx
from flax.serialization import to_bytes
from flax.traverse_util import flatten_dict
from formats import Pair, case
from safetensors.numpy import save_file

import gating_theory as gt

#: Of inputs and units.
I, H = 3, 5
#: {what: (cell, names of its Dense, those that have a bias, what the tree does not say)}
LINEN = {
    "GRUCell": (nn.GRUCell(H), "ir iz in hr hz hn", "ir iz in hn", {}),
    "LSTMCell": (nn.LSTMCell(H), "ii if ig io hi hf hg ho", "hi hf hg ho", {}),
    "OptimizedLSTMCell": (nn.OptimizedLSTMCell(H), "ii if ig io hi hf hg ho", "hi hf hg ho", {}),
    "SimpleCell": (nn.SimpleCell(H), "i h", "i", {}),
    "SimpleCell, relu": (nn.SimpleCell(H, activation_fn=nn.relu), "i h", "i", {"nonlinearity": "relu"}),
    "MGUCell": (nn.MGUCell(H), "if in hf hn", "if in hn", {}),
    "MGUCell, no reset": (nn.MGUCell(H, reset_gate=False), "if in hf hn", "if in", {}),
    "GRUCell, hard sigmoid": (
        nn.GRUCell(H, gate_fn=nn.hard_sigmoid),
        "ir iz in hr hz hn",
        "ir iz in hn",
        {"kind": "GRU (gates hard_sigmoid)"},
    ),
}
NNX = {
    "GRUCell": nnx.GRUCell,
    "LSTMCell": nnx.LSTMCell,
    "OptimizedLSTMCell": nnx.OptimizedLSTMCell,
    "SimpleCell": nnx.SimpleCell,
}


class double_precision:
    """JAX in float64 within a with block."""

    def __enter__(self):
        self.before = jax.config.jax_enable_x64
        jax.config.update("jax_enable_x64", True)

    def __exit__(self, *error):
        jax.config.update("jax_enable_x64", self.before)


def compiled(cell_step, n_states):
    """(step, Jacobian) of a step(weights, carry, x), with states (d, H), h first; Flax's carry of an LSTM is (c, h)."""

    def step(weights, state, x):
        carry = (state[1], state[0]) if n_states == 2 else state[0]
        new = cell_step(weights, carry, x)
        return jax.numpy.stack([new[1], new[0]]) if n_states == 2 else new[None]

    return jax.jit(step), jax.jit(jax.jacobian(step, argnums=1))


def pairs(contents, functions, weights):
    step, jacobian = functions

    def of_state(x, state):
        return np.asarray(step(weights, state, x))

    def slope(x, state):
        return np.asarray(jacobian(weights, state, x)).reshape(state.size, state.size)

    yield Pair(contents.layer(), of_state, slope)


# --- linen


@cache
def functions_of(name):
    cell = LINEN[name][0]
    return compiled(lambda tree, carry, x: cell.apply({"params": tree}, carry, x)[0], 2 if "LSTM" in name else 1)


def drawn(name):
    """A tree of parameters; kernels act from the right."""
    _, denses, with_bias, _ = LINEN[name]
    rng = np.random.default_rng(0)
    tree = {dense: {"kernel": rng.standard_normal((I if dense[0] == "i" else H, H))} for dense in denses.split()}
    for dense in with_bias.split():
        tree[dense]["bias"] = rng.standard_normal(H)
    return tree


def as_tree(variables, folder):
    return variables


def as_msgpack(variables, folder):
    (folder / "model.msgpack").write_bytes(to_bytes(variables))
    return folder / "model.msgpack"


def as_safetensors(variables, folder):
    save_file(flatten_dict(variables, sep="."), folder / "model.safetensors")
    return folder / "model.safetensors"


def as_npz(variables, folder):
    np.savez(folder / "model.npz", **flatten_dict(variables, sep="/"))
    return folder / "model.npz"


def _register(format, save, name):
    @case("Flax linen", format, name)
    def of_cell(folder):
        tree = drawn(name)
        with double_precision():
            contents = gt.read(save({"params": {"cell": tree}}, folder), **LINEN[name][3])
            yield from pairs(contents, functions_of(name), tree)


for _format, _save in (("tree", as_tree), ("msgpack", as_msgpack), ("safetensors", as_safetensors), (".npz", as_npz)):
    for _name in LINEN:
        _register(_format, _save, _name)


# --- nnx


def made(name):
    """A cell of nnx with random weights."""
    rng = np.random.default_rng(0)

    def draw(key, shape, dtype=None):
        return jax.numpy.asarray(rng.standard_normal(shape))

    inits = {"kernel_init": draw, "recurrent_kernel_init": draw, "bias_init": draw}
    double = jax.numpy.float64
    return NNX[name](I, H, **inits, dtype=double, param_dtype=double, rngs=nnx.Rngs(0))


@cache
def nnx_functions_of(name):
    graph = nnx.graphdef(made(name))
    return compiled(lambda state, carry, x: nnx.merge(graph, state)(carry, x)[0], 2 if "LSTM" in name else 1)


def as_state_file(module, folder):
    return as_msgpack(nnx.to_pure_dict(nnx.state(module)), folder)


def _register_nnx(format, save, name):
    @case("Flax nnx", format, name)
    def of_module(folder):
        with double_precision():
            module = made(name)
            yield from pairs(gt.read(save(module, folder)), nnx_functions_of(name), nnx.state(module))


for _format, _save in (
    ("module", lambda module, folder: module),
    ("state", lambda module, folder: nnx.state(module)),
    ("msgpack of the state", as_state_file),
):
    for _name in NNX:
        _register_nnx(_format, _save, _name)
