"""Flax's cells where they stand: nestings of linen and nnx, modules, both directions, what trees lack.

That steps and Jacobians are Flax's own is tested with the cases of benchmarks/formats_flax.py.
"""

import numpy as np
import pytest

import gating_theory as gt

jax = pytest.importorskip("jax")
nn = pytest.importorskip("flax.linen")
nnx = pytest.importorskip("flax.nnx")
jnp = jax.numpy

H, I, T = 4, 3, 6
#: Both sides work in float64 and sum a dozen products of order one: rounding is some 1e-15.
TOLERANCE = 1e-12


@pytest.fixture(autouse=True)
def double_precision():
    """JAX in float64, for these tests only."""
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


#: Names of the Dense of two cells, and of those that have a bias.
LINEN = {"GRU": ("ir iz in hr hz hn", "ir iz in hn"), "LSTM": ("ii if ig io hi hf hg ho", "hi hf hg ho")}
NNX = {"GRU": nnx.GRUCell, "LSTM": nnx.LSTMCell, "LSTM optimized": nnx.OptimizedLSTMCell, "RNN": nnx.SimpleCell}


def parameters(names, with_bias, seed=0, size=H, width=I):
    """A tree of a linen cell, drawn: kernels act from the right."""
    rng = np.random.default_rng(seed)
    tree = {name: {"kernel": rng.normal(size=(width if name[0] == "i" else size, size))} for name in names.split()}
    for name in with_bias.split():
        tree[name]["bias"] = rng.normal(size=size)
    return tree


def made(cls, seed, **options):
    rng = np.random.default_rng(seed)

    def drawn(key, shape, dtype=None):
        return jnp.asarray(rng.normal(size=shape))

    inits = {"kernel_init": drawn, "recurrent_kernel_init": drawn, "bias_init": drawn}
    return cls(I, H, **inits, dtype=jnp.float64, param_dtype=jnp.float64, rngs=nnx.Rngs(0), **options)


@pytest.mark.parametrize("kind", NNX)
def test_nnx(kind):
    """A module, its state and that as a dict give one Network; what a module computes with needs no assumption."""
    cell = made(NNX[kind], 2)
    state = nnx.state(cell)
    layers = [gt.read(source).layer() for source in (cell, state, nnx.to_pure_dict(state))]
    for layer in layers[1:]:
        assert layer.network == layers[0].network
    assert layers[0].kind == kind.removesuffix(" optimized")
    assert gt.read(cell).modules[""].note == ""


def test_other_functions_of_modules_are_not_taken_for_the_usual():
    stack = nnx.List([nnx.RNN(made(nnx.GRUCell, 0), rngs=False), nnx.RNN(made(nnx.GRUCell, 1, gate_fn=jax.nn.relu), rngs=False)])
    held = gt.read(nnx.Dict(layers=stack))
    assert list(held) == ["layers.0", "layers.1"] and held["layers.0"].kind == "GRU"
    with pytest.raises(ValueError, match="its gate_fn is relu, which is not read"):
        held["layers.1"]
    with pytest.raises(ValueError, match="residual=True"):
        gt.read(made(nnx.SimpleCell, 0, residual=True)).layer()


def test_bidirectional():
    """Both directions of nn.Bidirectional are one module; its outputs are those of the recordings."""
    names, with_bias = LINEN["GRU"]
    tree = {f"{way}_rnn": {"cell": parameters(names, with_bias, seed)} for seed, way in enumerate(("forward", "backward"))}
    weights = gt.read({"params": tree}).weights()
    assert weights.directions == ("forward", "reverse") and weights.batch_first
    x = np.random.default_rng(3).normal(size=(2, T, I))
    forward, backward = (nn.RNN(nn.GRUCell(H, param_dtype=jnp.float64)) for _ in range(2))
    theirs = nn.Bidirectional(forward, backward).apply({"params": tree}, x)
    forward = weights.record(x).states[1:, :, 0]
    reverse = weights.record(x, 0, "reverse").states[:0:-1, :, 0]
    mine = np.swapaxes(np.concatenate([forward, reverse], axis=-1), 0, 1)
    assert np.abs(mine - np.asarray(theirs)).max() < TOLERANCE


class Model(nn.Module):
    """Cells in nn.scan, nn.RNN and a Bidirectional of two kinds, an embedding and layers that are not recurrent."""

    @nn.compact
    def __call__(self, tokens):
        x = nn.Embed(11, I)(tokens)
        scanned = nn.scan(nn.OptimizedLSTMCell, variable_broadcast="params", split_rngs={"params": False}, in_axes=1, out_axes=1)
        cell = scanned(H, name="scanned")
        _, x = cell(cell.initialize_carry(jax.random.key(0), x[:, 0].shape), x)
        x = nn.RNN(nn.GRUCell(5), name="top")(x)
        x = nn.Bidirectional(nn.RNN(nn.GRUCell(5)), nn.RNN(nn.SimpleCell(5)))(x)
        return nn.Dense(2)(nn.LayerNorm()(x))


def test_a_whole_model():
    """Modules are found by name and shape, also where a tree holds no numbers yet."""
    shapes = jax.eval_shape(Model().init, jax.random.key(0), jnp.zeros((2, T), dtype=int))
    held = gt.read(shapes)
    found = {name: (m.kind, m.input_size, m.n_units, m.problem) for name, m in held.modules.items()}
    assert found["scanned"] == ("LSTM", I, H, "")
    assert sorted(found.values()) == [("GRU", 4, 5, ""), ("GRU", 5, 5, ""), ("LSTM", I, H, ""), ("RNN", 5, 5, "")]
    assert held.embeddings == {"Embed_0": (11, I)}
    assert all(m.note == "sigmoid and tanh are taken, parameters do not say" and m.note in str(held) for m in held.modules.values())


def test_what_trees_lack():
    """Each fault is named with what is there, and hides no other module."""
    names, with_bias = LINEN["GRU"]
    good, partly, flat, stacked = (parameters(names, with_bias, seed) for seed in range(4))
    del partly["hn"]
    flat["hr"]["kernel"] = np.ones((H, H + 1))
    flat["hz"]["bias"] = np.ones(H)  # no such one in Flax, and harmless
    stacked = {name: {what: np.stack([a, a]) for what, a in dense.items()} for name, dense in stacked.items()}
    dense = {"dense_i": {"kernel": np.ones((I, 2 * H))}, "dense_h": {"kernel": np.ones((H, 2 * H))}}
    held = gt.read({"good": good, "partly": partly, "flat": flat, "stacked": stacked, "other": {"cell": dense}})
    assert held["good"].kind == "GRU"
    for name, words in {
        "partly": r"it lacks hn.kernel; it has ir.kernel \(3, 4\)",
        "flat": r"hr.kernel must have shape \(H, H\), got \(4, 5\)",
        "stacked": "2 entries along an axis in front",
        "other": r"dense_h.kernel must have shape \(H, G H\) with .* gates G, got \(4, 8\)",
    }.items():
        assert held.modules[name].problem
        with pytest.raises(ValueError, match=words):
            held[name]
    good["hr"]["kernel"][0, 0] = np.nan
    with pytest.raises(ValueError, match="good.hr.kernel must be finite, got nan"):
        held["good"]
    for option, words in (({"kind": "LSTM"}, "of kind 'GRU', got kind='LSTM'"), ({"nonlinearity": "relu"}, "belongs to an RNN")):
        with pytest.raises(ValueError, match=words):
            gt.read({"params": parameters(names, with_bias)}, **option).layer()


def test_moments_of_optimisers_are_no_layers():
    tree = parameters(*LINEN["LSTM"])
    held = gt.read({"step": 3, "params": {"cell": tree}, "opt_state": {"0": {"mu": {"cell": tree}, "nu": {"cell": tree}}}})
    assert list(held) == [""]
    assert list(gt.read({"params": {"cell": tree}, "ema": {"params": {"cell": tree}}})) == ["", "ema.params"]
