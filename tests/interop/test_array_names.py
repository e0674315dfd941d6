"""Arrays by names of their own: orders of gates, sides of matrices, gates in arrays of their own, against steps written by hand."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gating_theory as gt
from gating_theory.interop.layouts import LAYOUTS

#: Sums of a dozen products of order one in another order: rounding is some 1e-15.
TOLERANCE = 1e-12
KINDS = sorted(LAYOUTS)


def sigma(x):
    return (1.0 + np.tanh(x / 2.0)) / 2.0


def arrays_of(kind, n_in, n, rng, width=None):
    """Arrays of a layer in the order of its layout, by the names of this package."""
    layout = LAYOUTS[kind]
    rows = len(layout.hidden) * n
    shapes = {"weight_ih": (rows, width or n_in), "weight_hh": (rows, n), "bias_ih": (rows,), "bias_hh": (rows,)}
    return {name: rng.normal(size=shape) for name, shape in (shapes | {site: (n,) for site in layout.sites}).items()}


def same(network, other):
    """Whether two Networks have the same matrices, biases and parameters, to the last bit."""
    pairs = ((network.matrices, other.matrices), (network.biases, other.biases), (network.parameters, other.parameters))
    return network.cell == other.cell and all(np.array_equal(a, b) for a, b in pairs)


@given(st.sampled_from(KINDS), st.data())
def test_permuted_and_transposed_arrays_give_one_network(kind, data):
    """Any order of gates, either side, gates in one array of two or three axes or each in its own: the same Network and drive."""
    n, n_in = data.draw(st.integers(1, 5), "H"), data.draw(st.integers(1, 4), "I")
    arrays = arrays_of(kind, n_in, n, np.random.default_rng(data.draw(st.integers(0, 99), "seed")))
    names = {name: name for name in arrays}
    gates = LAYOUTS[kind].hidden
    plain = gt.read(arrays, names=names, kind=kind, order="".join(gates)).layer()
    order = data.draw(st.permutations(gates), "order")
    transposed, three_axes = data.draw(st.booleans(), "transposed"), data.draw(st.booleans(), "three axes")
    source, named = {}, {}
    for name, array in arrays.items():
        if name in LAYOUTS[kind].sites:
            source[f"own.{name}"], named[name] = array[:, None], f"own/{name}"
            continue
        blocks = dict(zip(gates, np.split(array, len(gates))))
        chosen = [blocks[gate].T if transposed else blocks[gate] for gate in order]
        if data.draw(st.booleans(), "each by itself"):
            source |= {f"{name} of {gate}": block for gate, block in zip(order, chosen)}
            named |= {f"{name}.{gate}": f"{name} of {gate}" for gate in order}
        else:
            axis = -1 if transposed and chosen[0].ndim == 2 else 0
            source[f"my {name}"] = np.stack(chosen) if three_axes else np.concatenate(chosen, axis=axis)
            named[name] = f"my {name}"
    layer = gt.read(source, names=named, kind=kind, order="".join(order), transposed=transposed).layer()
    assert same(layer.network, plain.network)
    x = np.ones(n_in)
    assert all(np.array_equal(a, b) for a, b in zip(layer.drive(x), plain.drive(x)))


def test_the_textbook_gru():
    """Matrices of their own for z, r and candidate, reset before the product, z writes: here it is the gate u."""
    rng = np.random.default_rng(0)
    p = {f"{a}{g}": rng.normal(size=(4, 4 if a == "U" else 3)) for a in "WU" for g in "zrh"} | {
        f"b{g}": rng.normal(size=(4, 1)) for g in "zrh"
    }
    names = {
        f"{own}.{mine}": f"{a}{g}"
        for own, a in (("weight_ih", "W"), ("weight_hh", "U"), ("bias_ih", "b"))
        for mine, g in ("uz", "rr", "hh")
    }
    layer = gt.read(p, names=names, kind="GRU reset before").layer()
    x, h = rng.normal(size=(5, 3)), np.zeros((4, 1))
    recorded = layer.record(x[:, None]).states[1:, 0, 0]
    for t in range(5):
        a = {g: p[f"W{g}"] @ x[t][:, None] + p[f"b{g}"] for g in "zrh"}
        z, r = sigma(a["z"] + p["Uz"] @ h), sigma(a["r"] + p["Ur"] @ h)
        h = (1 - z) * h + z * np.tanh(a["h"] + p["Uh"] @ (r * h))
        assert np.abs(recorded[t] - h[:, 0]).max() < TOLERANCE


def test_lasagne_and_the_like():
    """Row vectors, W_in_to_.. and W_hid_to_.., one bias a gate: u writes, reset after the product, the bias outside of it."""
    rng = np.random.default_rng(1)
    gates = {"r": "resetgate", "u": "updategate", "c": "hidden_update"}
    p = {f"W_in_to_{g}": rng.normal(size=(3, 4)) for g in gates.values()}
    p |= {f"W_hid_to_{g}": rng.normal(size=(4, 4)) for g in gates.values()} | {f"b_{g}": rng.normal(size=4) for g in gates.values()}
    starts = {"weight_ih": "W_in_to_", "weight_hh": "W_hid_to_", "bias_ih": "b_"}
    names = {f"{own}.{mine}": start + g for own, start in starts.items() for mine, g in gates.items()}
    layer = gt.read(p, names=names, kind="GRU", transposed=True).layer()
    x, h = rng.normal(size=(5, 3)), np.zeros(4)
    recorded = layer.record(x[:, None]).states[1:, 0, 0]
    for t in range(5):
        r, u = (sigma(x[t] @ p[f"W_in_to_{g}"] + h @ p[f"W_hid_to_{g}"] + p[f"b_{g}"]) for g in ("resetgate", "updategate"))
        c = np.tanh(x[t] @ p["W_in_to_hidden_update"] + p["b_hidden_update"] + r * (h @ p["W_hid_to_hidden_update"]))
        h = (1 - u) * h + u * c
        assert np.abs(recorded[t] - h).max() < TOLERANCE


def test_an_lstm_in_plain_numpy_with_peepholes():
    """Wx, Wh, b with gates i, f, o, g side by side, as courses have it; peepholes are vectors, o sees the new memory."""
    rng = np.random.default_rng(2)
    p = {"Wx": rng.normal(size=(3, 16)), "Wh": rng.normal(size=(4, 16)), "b": rng.normal(size=16)}
    p |= {f"peep_{g}": rng.normal(size=4) for g in "ifo"}
    names = {"weight_ih": "Wx", "weight_hh": "Wh", "bias_ih": "b", "p_i": "peep_i", "p_f": "peep_f", "p_o": "peep_o"}
    layer = gt.read(p, names=names, order="ifog", transposed=True).layer()
    assert layer.kind == "LSTM peephole"
    x, h, c = rng.normal(size=(5, 3)), np.zeros(4), np.zeros(4)
    recorded = layer.record(x[:, None]).states[1:, 0]
    for t in range(5):
        i, f, o, g = np.split(x[t] @ p["Wx"] + h @ p["Wh"] + p["b"], 4)
        c = sigma(f + p["peep_f"] * c) * c + sigma(i + p["peep_i"] * c) * np.tanh(g)
        h = sigma(o + p["peep_o"] * c) * np.tanh(c)
        assert np.abs(recorded[t] - [h, c]).max() < TOLERANCE
    del names["p_i"], names["p_f"], names["p_o"]
    assert gt.read(p, names=names, order="ifoj", transposed=True).layer().kind == "LSTM"


def test_a_character_model_in_lists():
    """Whh, Wxh, bh of one gate, columns for biases, lists of numbers in lists of layers: no kind and no order are needed."""
    rng = np.random.default_rng(3)
    first, second = (
        {"Wxh": rng.normal(size=(4, n)), "Whh": rng.normal(size=(4, 4)), "bh": rng.normal(size=(4, 1))} for n in (3, 4)
    )
    source = {"layers": [{k: v.tolist() for k, v in part.items()} for part in (first, second)]}
    parts = {"weight_ih": "Wxh", "weight_hh": "Whh", "bias_hh": "bh"}
    names = {f"{own}_l{k}": f"layers.{k}.{name}" for own, name in parts.items() for k in (0, 1)}
    weights = gt.read(source, names=names).weights()
    assert (weights.kind, weights.n_layers, weights.input_size) == ("RNN", 2, 3)
    assert gt.read(source, names=names, nonlinearity="relu").weights().kind == "RNN relu"
    x, h = rng.normal(size=(5, 3)), np.zeros((2, 4))
    recorded = weights.record(x, layer=1).states[1:, 0, 0]
    for t in range(5):
        h[0] = np.tanh(first["Wxh"] @ x[t] + first["Whh"] @ h[0] + first["bh"][:, 0])
        h[1] = np.tanh(second["Wxh"] @ h[0] + second["Whh"] @ h[1] + second["bh"][:, 0])
        assert np.abs(recorded[t] - h[1]).max() < TOLERANCE


def test_both_directions_and_pytorch_tensors():
    """Suffixes are PyTorch's: its own arrays under other names give what they give under PyTorch's."""
    torch = pytest.importorskip("torch")
    module = torch.nn.GRU(3, 4, num_layers=2, bidirectional=True)
    tensors = dict(module.state_dict())
    renamed = {f"model.{name.replace('weight', 'W').replace('bias', 'b')}": tensor for name, tensor in tensors.items()}
    names = {own: key for own, key in zip(tensors, renamed)}
    mine, theirs = gt.read(renamed, names=names, kind="GRU", order="rzn").weights(), gt.read(module).weights()
    for place, arrays in theirs.tensors.items():
        assert all(np.array_equal(mine.tensors[place][name], array) for name, array in arrays.items())
    again = torch.nn.Module()
    for name, tensor in tensors.items():
        again.register_parameter(name.replace("weight", "W").replace("bias", "b"), torch.nn.Parameter(tensor))
    own = gt.read(again, names={name: key.removeprefix("model.") for name, key in names.items()}, kind="GRU", order="rzn").weights()
    assert np.array_equal(own.tensors[1, "reverse"]["weight_hh"], theirs.tensors[1, "reverse"]["weight_hh"])
    del names["weight_hh_l1_reverse"]
    with pytest.raises(ValueError, match="names lacks 'weight_hh_l1_reverse'"):
        gt.read(renamed, names=names, kind="GRU", order="rzn")


GRU = {"U": np.ones((12, 4)), "W": np.ones((12, 3)), "b": np.ones(12), "v": np.ones(5)}
BOTH = {"weight_hh": "U", "weight_ih": "W"}


@pytest.mark.parametrize(
    "options, words",
    [
        ({"names": BOTH, "order": "zrh"}, "kind must say what .* 'GRU' .* 'GRU reset before'"),
        ({"names": BOTH, "kind": "GRU"}, "order must say how the gates of names.*'rzh' as PyTorch"),
        ({"names": BOTH, "kind": "GRU", "order": "zzh"}, "order must have each gate r, z, h of kind 'GRU' once, got 'zzh'"),
        ({"names": BOTH, "kind": "GRU", "order": "zrx"}, "order must name gates r, z, h .* got 'x'"),
        ({"names": BOTH, "kind": "GRU", "order": "zrh", "transposed": True}, r"shape \(H, 3 H\), got \(12, 4\).*transposed=False"),
        ({"names": BOTH, "kind": "LSTM", "order": "ifgo"}, r"must have shape \(4 H, H\), got \(12, 4\)"),
        ({"names": {"weight_hh": "U"}, "kind": "GRU"}, r"names lacks 'weight_ih'; dict of arrays has U \(12, 4\), W \(12, 3\)"),
        ({"names": BOTH | {"bias_ih": "beta"}}, r"names\['bias_ih'\] must be one of the arrays .* U \(12, 4\).* got 'beta'"),
        (
            {"names": BOTH | {"bias_ih": "v"}, "kind": "GRU", "order": "zrh"},
            r"names\['bias_ih'\] must have shape \(3 H,\), got \(5,\)",
        ),
        ({"names": BOTH | {"bias": "b"}}, "names must have keys of weight_ih, weight_hh, bias_ih, .* got 'bias'"),
        ({"names": BOTH | {"weight_hh.z": "U"}}, "second time"),
        ({"names": BOTH | {"p_i": "v"}, "kind": "GRU", "order": "zrh"}, "names has 'p_i'"),
        ({"names": BOTH, "kind": "LSTM peephole"}, "names lacks 'p_i'"),
        ({"names": {"weight_hh.z": "U", "weight_ih": "W"}, "kind": "GRU", "order": "zrh"}, "names lacks 'weight_hh.r'"),
        (
            {"names": {"weight_hh": "U", "weight_ih": "b"}, "kind": "GRU", "order": "zrh", "nonlinearity": "relu"},
            "belongs to an RNN",
        ),
        ({"names": BOTH | {"weight_hh_l2": "U", "weight_ih_l2": "W"}, "kind": "GRU", "order": "zrh"}, "lacks 'weight_hh_l1'"),
        (
            {"names": BOTH | {"weight_hh_l1": "U", "weight_ih_l1": "W"}, "kind": "GRU", "order": "zrh"},
            "4 inputs into 4 units, got 3",
        ),
        ({"order": "zrh"}, "give it as well"),
        ({"transposed": True}, "give it as well"),
        ({}, r"no names of recurrent weights .* U \(12, 4\), W \(12, 3\).*: say which is which with names="),
    ],
)
def test_what_is_missing_is_named(options, words):
    with pytest.raises(ValueError, match=words):
        gt.read(GRU, **options)


def test_what_is_no_array():
    for wrong, words in ((np.full((12, 4), "a"), "must hold real numbers"), (np.full((12, 4), np.inf), "must be finite, got inf")):
        with pytest.raises(ValueError, match=rf"names\['weight_hh'\] {words}"):
            gt.read(GRU | {"U": wrong}, names=BOTH, kind="GRU", order="zrh")
    with pytest.raises(TypeError, match="names must be a dict of names"):
        gt.read(GRU, names=["U", "W"])
    with pytest.raises(TypeError, match="names= is for files and dicts of arrays"):
        gt.read(3, names=BOTH)
    loop = {"U": np.ones((4, 4))}
    loop["loop"] = loop
    with pytest.raises(ValueError, match="nest.* more than 64 deep"):
        gt.read(loop)
    with pytest.raises(ValueError, match="two arrays of the name 'a.b'"):
        gt.read({"a": {"b": np.ones(2)}, "a.b": np.ones(2)}, names=BOTH)


def test_biases_of_some_gates_only():
    """Equinox's GRU: one bias of all gates, and one of the candidate inside of its reset gate."""
    rng = np.random.default_rng(4)
    p = {
        "weight_ih": rng.normal(size=(12, 3)),
        "weight_hh": rng.normal(size=(12, 4)),
        "bias": rng.normal(size=12),
        "bias_n": rng.normal(size=4),
    }
    names = {"weight_ih": "weight_ih", "weight_hh": "weight_hh", "bias_ih": "bias", "bias_hh.n": "bias_n"}
    layer = gt.read(p, names=names, kind="GRU", order="rzn").layer()
    x, h = rng.normal(size=3), rng.normal(size=4)
    lin, rec = np.split(p["weight_ih"] @ x + p["bias"], 3), np.split(p["weight_hh"] @ h, 3)
    r, z = sigma(lin[0] + rec[0]), sigma(lin[1] + rec[1])
    n = np.tanh(lin[2] + r * (rec[2] + p["bias_n"]))
    assert np.abs(layer.network.driven(*layer.drive(x)).step(h)[0] - (n + z * (h - n))).max() < TOLERANCE


def test_every_order_has_its_own_network():
    """No order is taken for another: six orders of a GRU's gates are six Networks."""
    arrays = {"U": np.arange(27.0).reshape(9, 3), "W": np.arange(9.0).reshape(9, 1)}
    networks = [gt.read(arrays, names=BOTH, kind="GRU", order="".join(o)).layer().network for o in itertools.permutations("zrh")]
    assert not any(same(a, b) for a, b in itertools.combinations(networks, 2))
