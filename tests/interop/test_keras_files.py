"""What Keras files hold: names, kinds, notes; files are written here by their documented layouts, without Keras."""

import json
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gating_theory as gt

h5py = pytest.importorskip("h5py")

#: Arrays of float32, as Keras writes them.
GATES = {"GRU": 3, "LSTM": 4, "SimpleRNN": 1}


def arrays_of(kind, inputs, units, seed=0, bias=True, reset_after=True):
    """Kernel, recurrent kernel and bias of a layer of Keras."""
    rng = np.random.default_rng(seed)
    columns = GATES[kind] * units
    shapes = [(inputs, columns), (units, columns)]
    shapes += [(2, columns) if kind == "GRU" and reset_after else (columns,)] if bias else []
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


def layer(kind, name, units, module="keras.layers", **settings):
    config = {"name": name, "units": units, "activation": "tanh", "use_bias": True, **settings}
    if kind != "SimpleRNN":
        config.setdefault("recurrent_activation", "sigmoid")
    return {"module": module, "class_name": kind, "config": config, "registered_name": None}


def model(*layers, kind="Sequential"):
    return {"module": "keras", "class_name": kind, "config": {"name": "m", "layers": list(layers)}}


def write_keras(path, config, groups, version="3.5.0"):
    """A .keras archive: {path of a group: (its name or None, arrays)}."""
    inner = path.with_suffix(".inner.h5")
    write_weights(inner, groups)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": version}))
        archive.writestr("config.json", json.dumps(config))
        archive.write(inner, "model.weights.h5")
    return path


def write_weights(path, groups):
    with h5py.File(path, "w") as file:
        for name, (own, arrays) in groups.items():
            group = file.create_group(f"{name}/vars")
            if own is not None:
                group.attrs["name"] = own
            for i, array in enumerate(arrays):
                group[str(i)] = array
    return path


def write_legacy(path, layers, config=None, **attributes):
    """An .h5 of Keras 1 or 2: {name of a layer: {name of an array: array}}, under model_weights where there is a configuration."""
    with h5py.File(path, "w") as file:
        root = file if config is None else file.create_group("model_weights")
        if config is not None:
            file.attrs["model_config"] = json.dumps(config)
        for key, value in attributes.items():
            file.attrs[key] = value
        root.attrs["layer_names"] = [name.encode() for name in layers]
        for name, arrays in layers.items():
            group = root.create_group(name)
            group.attrs["weight_names"] = [key.encode() for key in arrays]
            for key, array in arrays.items():
                group[key] = array
    return path


def named(prefix, arrays):
    return dict(zip([f"{prefix}/kernel:0", f"{prefix}/recurrent_kernel:0", f"{prefix}/bias:0"], arrays))


def step_by_hand(kind, arrays, x, h, reset_after=True):
    """Keras' documented equations, row vectors from the left."""

    def sigma(v):
        return 1 / (1 + np.exp(-v))

    kernel, recurrent, bias = (a.astype(float) for a in arrays)
    if kind == "SimpleRNN":
        return np.tanh(x @ kernel + h @ recurrent + bias)
    n = len(h)
    into, back = bias if bias.ndim == 2 else (bias, 0 * bias)
    xs = np.split(x @ kernel + into, 3)
    z = sigma(xs[0] + (h @ recurrent + back)[:n])
    r = sigma(xs[1] + (h @ recurrent + back)[n : 2 * n])
    if reset_after:
        new = np.tanh(xs[2] + r * (h @ recurrent + back)[2 * n :])
    else:
        new = np.tanh(xs[2] + (r * h) @ recurrent[:, 2 * n :])
    return z * h + (1 - z) * new


@given(st.integers(1, 4), st.integers(1, 5), st.sampled_from(["GRU", "SimpleRNN"]), st.booleans(), st.integers(0, 99))
def test_steps_are_kerass_documented_ones(tmp_path_factory, inputs, units, kind, reset_after, seed):
    arrays = arrays_of(kind, inputs, units, seed, reset_after=reset_after)
    config = model(layer(kind, "a", units, reset_after=reset_after))
    path = tmp_path_factory.mktemp("k") / "m.keras"
    snake = "gru" if kind == "GRU" else "simple_rnn"
    write_keras(path, config, {f"layers/{snake}/cell": (None, arrays)})
    one = gt.read(path).layer(prefix="a")
    rng = np.random.default_rng(seed)
    x, h = rng.standard_normal(inputs), rng.standard_normal(units)
    expected = step_by_hand(kind, arrays, x, h, reset_after)
    # rounding of sums of a few float64 numbers
    assert np.allclose(one.network.driven(*one.drive(x)).step(h[None])[0], expected, rtol=0, atol=1e-13)


def test_what_a_model_lists(tmp_path):
    """Names of the configuration, nested models, embeddings, layers that are not read; input comes batch first."""
    encoder = model(layer("GRU", "inner", 3, reset_after=True), kind="Functional") | {"name": "encoder"}
    encoder["config"]["name"] = "encoder"
    config = model(
        {"module": "keras.layers", "class_name": "Embedding", "config": {"name": "letters"}},
        {"module": "keras.layers", "class_name": "Lambda", "config": {"name": "l", "function": {"class_name": "__lambda__"}}},
        encoder,
        layer("LSTM", "first", 2),
        layer("LSTM", "second", 2, recurrent_activation="hard_sigmoid"),
        layer("LSTM", "third", 2, activation={"class_name": "__lambda__", "config": {"value": "4wEAAA"}}),
        layer("GRU", "odd", 2, module="mine", reset_after=True),
        {"module": "keras.layers", "class_name": "ConvLSTM2D", "config": {"name": "images"}},
        layer("SimpleRNN", "lost", 2),
    )
    groups = {
        "layers/embedding": ("letters", [np.zeros((9, 4), np.float32)]),
        "layers/functional/layers/gru/cell": ("gru_cell", arrays_of("GRU", 4, 3)),
        "layers/lstm/cell": (None, arrays_of("LSTM", 3, 2)),
        "layers/lstm_1/cell": (None, arrays_of("LSTM", 2, 2)),
        "layers/lstm_2/cell": (None, arrays_of("LSTM", 2, 2)),
        "layers/gru/cell": (None, arrays_of("GRU", 2, 2)),
    }
    found = gt.read(write_keras(tmp_path / "m.keras", config, groups))
    assert {name: one.kind for name, one in found.modules.items() if not one.problem} == {
        "encoder/inner": "GRU",
        "first": "LSTM",
        "second": "LSTM (gates hard_sigmoid)",
    }
    assert found.embeddings == {"letters": (9, 4)} and found.weights("inner").batch_first is True
    assert found.weights("first").source == "m.keras: first"
    problems = {name: one.problem for name, one in found.modules.items() if one.problem}
    assert "not executed" in problems["third"] and "not in the file" in problems["lost"]
    assert "no layer that is read" in problems["images"] and "another package" in problems[next(n for n in problems if "gru" in n)]
    with pytest.raises(ValueError, match="m.keras: third: it uses a function of its own .*not executed"):
        found.weights("third")
    assert found.format == "Keras 3.5.0 model" and "ConvLSTM2D" in str(found)


def test_names_in_the_file_tell_layers_apart(tmp_path):
    """Where the order of a file is another than the configuration's, the names that it gives its groups count."""
    config = model(layer("GRU", "a", 2, reset_after=True), layer("GRU", "b", 3, reset_after=True))
    groups = {
        "layers/gru": ("b", []),
        "layers/gru/cell": (None, arrays_of("GRU", 2, 3)),
        "layers/gru_1": ("a", []),
        "layers/gru_1/cell": (None, arrays_of("GRU", 4, 2)),
    }
    found = gt.read(write_keras(tmp_path / "m.keras", config, groups))
    assert (found.modules["a"].input_size, found.modules["b"].n_units) == (4, 3)


def test_older_archives(tmp_path):
    config = model(layer("GRU", "a", 2, reset_after=False, recurrent_activation="hard_sigmoid"))
    groups = {"_layer_checkpoint_dependencies/gru/cell": (None, arrays_of("GRU", 2, 2, reset_after=False))}
    found = gt.read(write_keras(tmp_path / "m.keras", config, groups, version="2.13.1"))
    assert found["a"].kind == "GRU reset before (gates hard_sigmoid 0.2)"


def test_weights_alone(tmp_path):
    """Kinds follow from shapes and names; what the file cannot say is in a note, and users may say it."""
    groups = {
        "layers/gru": ("a", []),
        "layers/gru/cell": (None, arrays_of("GRU", 2, 3)),
        "layers/gru_10/cell": (None, arrays_of("GRU", 2, 3, bias=False)),
        "layers/gru_2/cell": (None, arrays_of("GRU", 2, 3, reset_after=False)),
        "layers/bidirectional/backward_layer/cell": (None, arrays_of("LSTM", 2, 3, 1)),
        "layers/bidirectional/forward_layer/cell": (None, arrays_of("LSTM", 2, 3, 2)),
        "layers/embedding": ("letters", [np.zeros((5, 2), np.float32)]),
        "layers/dense": ("out", [np.zeros((3, 3), np.float32), np.zeros(3, np.float32)]),
        "decoder/cell": (None, arrays_of("SimpleRNN", 2, 3)),
    }
    path = write_weights(tmp_path / "m.weights.h5", groups)
    found = gt.read(path)
    assert {name: (one.kind, one.directions) for name, one in found.modules.items()} == {
        "a": ("GRU", ("forward",)),
        "gru_2": ("GRU reset before", ("forward",)),
        "gru_10": ("GRU", ("forward",)),
        "bidirectional": ("LSTM", ("forward", "reverse")),
        "decoder": ("RNN", ("forward",)),
    }
    assert all("does not say" in one.note for one in found.modules.values()) and "does not say" in str(found)
    assert "nor whether it resets before" in found.modules["gru_10"].note and found.embeddings == {"letters": (5, 2)}
    forward, reverse = (found.weights("bidirectional").tensors[0, way]["weight_hh"] for way in ("forward", "reverse"))
    assert np.array_equal(forward, groups["layers/bidirectional/forward_layer/cell"][1][1].T)
    assert np.array_equal(reverse, groups["layers/bidirectional/backward_layer/cell"][1][1].T)
    assert gt.read(path, nonlinearity="relu")["decoder"].kind == "RNN relu"
    assert gt.read(path, kind="LSTM (gates hard_sigmoid)")["bidirectional"].kind == "LSTM (gates hard_sigmoid)"
    with pytest.raises(ValueError, match="it is a GRU, LSTM was asked for"):
        gt.read(path, kind="LSTM").weights("a")


@pytest.mark.parametrize(
    "version, kind",
    [
        ("1.2.2", "LSTM (gates hard_sigmoid 0.2)"),
        ("2.2.4", "LSTM (gates hard_sigmoid 0.2)"),
        ("2.2.4-tf", "LSTM"),
        ("2.3.1", "LSTM"),
    ],
)
def test_functions_that_old_versions_took(version, kind, tmp_path):
    path = write_legacy(tmp_path / "w.h5", {"rnn_1": named("rnn_1", arrays_of("LSTM", 2, 3))}, keras_version=version)
    found = gt.read(path)
    assert found["rnn_1"].kind == kind and found.format == f"Keras {version} weights"
    assert gt.read(path, kind="LSTM")["rnn_1"].kind == "LSTM"  # whoever knows better says so


def test_an_array_for_each_gate(tmp_path):
    """Keras 1: W_i, U_i, b_i, W_c, ... in an order of their own; the same weights in one kernel are the same layer."""
    whole = arrays_of("LSTM", 2, 3)
    parts = {what: np.split(array, 4, axis=-1) for what, array in zip("WUb", whole)}
    apart = {f"lstm_1_{what}_{gate}": parts[what]["ifco".index(gate)] for gate in "icfo" for what in "WUb"}
    old = gt.read(write_legacy(tmp_path / "old.h5", {"lstm_1": apart}, keras_version="1.2.2"), kind="LSTM")["lstm_1"]
    new = gt.read(write_legacy(tmp_path / "new.h5", {"lstm_1": named("lstm_1", whole)}), kind="LSTM")["lstm_1"]
    for name, tensor in new.tensors[0, "forward"].items():
        assert np.array_equal(old.tensors[0, "forward"][name], tensor)


def test_models_of_keras_2(tmp_path):
    """A Sequential of version 2.1 is a list; the backward layer is not said; names of layers may be cut in pieces."""
    both = {"class_name": "Bidirectional", "config": {"name": "both", "layer": layer("CuDNNGRU", "g", 3)}}
    config = {
        "class_name": "Sequential",
        "config": [both, layer("GRU", "last", 2), {"class_name": "Dense", "config": {"name": "out"}}],
    }
    first, second = arrays_of("GRU", 2, 3, 1), arrays_of("GRU", 2, 3, 2)
    cudnn = [[k, r, b.reshape(-1)] for k, r, b in (first, second)]
    layers = {
        "both": named("both/forward_g", cudnn[0]) | named("both/backward_g", cudnn[1]),
        "last": named("last", arrays_of("GRU", 6, 2, reset_after=False)),
        "out": {"out/kernel:0": np.zeros((2, 2), np.float32)},
    }
    path = write_legacy(tmp_path / "m.h5", layers, config, keras_version="2.1.6")
    with h5py.File(path, "a") as file:
        attributes = file["model_weights"].attrs
        names = list(attributes["layer_names"])
        del attributes["layer_names"]
        attributes["layer_names0"], attributes["layer_names1"] = names[:2], names[2:]
    found = gt.read(path)
    assert str(found.modules["both"]) == "GRU, 1 layer, forward and reverse, 2 inputs, 3 units"
    assert found["last"].kind == "GRU reset before"
    # CuDNN's matrices act from the left: the first gate of its recurrent kernel is z, the second block of the layout
    assert np.array_equal(found["both"].tensors[0, "reverse"]["weight_hh"][3:6], second[1][:, :3])


def test_stacks_of_cells(tmp_path):
    """Cells of one kind are layers of one module; of several kinds, modules of their own."""

    def stack(*cells):
        inner = {"module": "keras.layers", "class_name": "StackedRNNCells", "config": {"name": "s", "cells": list(cells)}}
        return model({"module": "keras.layers", "class_name": "RNN", "config": {"name": "rnn", "cell": inner}})

    at = "layers/rnn/cell/cells/"
    groups = {f"{at}lstm_cell": (None, arrays_of("LSTM", 2, 3)), f"{at}lstm_cell_1": (None, arrays_of("LSTM", 3, 4))}
    found = gt.read(write_keras(tmp_path / "a.keras", stack(layer("LSTMCell", "x", 3), layer("LSTMCell", "y", 4)), groups))
    assert found["rnn"].n_layers == 2 and found.layer(1, prefix="rnn").network.n_units == 4
    groups = {f"{at}lstm_cell": (None, arrays_of("LSTM", 2, 3)), f"{at}gru_cell": (None, arrays_of("GRU", 3, 4))}
    config = stack(layer("LSTMCell", "x", 3), layer("GRUCell", "y", 4, reset_after=True), layer("MyCell", "z", 4, module="mine"))
    found = gt.read(write_keras(tmp_path / "b.keras", config, groups))
    assert {name: one.kind for name, one in found.modules.items()} == {
        "rnn/lstm_cell": "LSTM",
        "rnn/gru_cell": "GRU",
        "rnn/my_cell": "MyCell",
    }
    assert "MyCell, whose equations are not known" in found.modules["rnn/my_cell"].problem


def test_time_runs_both_ways(tmp_path):
    config = model(layer("LSTM", "back", 2, go_backwards=True), layer("LSTM", "major", 2, time_major=True))
    groups = {"layers/lstm/cell": (None, arrays_of("LSTM", 2, 2)), "layers/lstm_1/cell": (None, arrays_of("LSTM", 2, 2))}
    path = write_keras(tmp_path / "m.keras", config, groups)
    found = gt.read(path)
    assert "reversed" in found.modules["back"].note and found["major"].batch_first is False
    assert gt.read(path, batch_first=True)["major"].batch_first is True


@pytest.mark.filterwarnings("ignore")  # of h5py about the type
def test_half_precision(tmp_path):
    arrays = [a.astype(np.float16) for a in arrays_of("LSTM", 2, 3)]
    path = write_weights(tmp_path / "m.weights.h5", {"layers/lstm/cell": (None, arrays)})
    assert np.array_equal(gt.read(path)["lstm"].tensors[0, "forward"]["weight_ih"], arrays[0].T.astype(float))
    brief = [np.round(a.astype(float) * 8) / 8 for a in arrays]  # numbers that bfloat16 has
    with h5py.File(path, "w") as file:
        for i, array in enumerate(brief):
            upper = (array.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16).view("V2")
            file[f"layers/lstm/cell/vars/{i}"] = upper
            file[f"layers/lstm/cell/vars/{i}"].attrs["dtype"] = "bfloat16"
    assert np.array_equal(gt.read(path)["lstm"].tensors[0, "forward"]["weight_ih"], brief[0].T)


def test_a_file_of_something_else(tmp_path):
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["temperatures"] = np.zeros(3)
    with pytest.raises(ValueError, match="is an HDF5 file, not one that Keras wrote: .* temperatures"):
        gt.read(tmp_path / "data.h5")
    path = write_weights(tmp_path / "dense.weights.h5", {"layers/dense": (None, [np.zeros((3, 2)), np.zeros(2)])})
    with pytest.raises(ValueError, match="holds no recurrent weights"):
        gt.read(path).weights()


def test_keras_is_not_needed(tmp_path):
    """Neither Keras nor PyTorch is imported to read a file of Keras."""
    import subprocess
    import sys

    path = write_weights(tmp_path / "m.weights.h5", {"layers/gru/cell": (None, arrays_of("GRU", 2, 3))})
    code = f"""
import sys
import gating_theory as gt
assert gt.read({str(path)!r})["gru"].kind == "GRU"
print(sorted({{"keras", "torch", "tensorflow", "jax"}} & set(sys.modules)))"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
