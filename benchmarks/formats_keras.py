"""Keras' rows of the table in formats.py: .keras, .weights.h5, .h5 of models and of weights, CuDNN's weights.

Keras steps on its torch backend. On all but TensorFlow's it multiplies what is float64 in float32; here it is told not to.
PyTorch's derivative of its own hard sigmoid is 1/6 in float32 whatever the tensor, by 3e-8 too large: Jacobians take
relu6(x + 3) / 6.
"""

from __future__ import annotations

import logging
import warnings

import h5py
import numpy as np
import torch
from formats import Pair, case
from formats_torch import numeric

import gating_theory as gt

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of libraries that keras imports
    import keras
    from keras.src.backend.common import dtypes

dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"

#: Of inputs and units, and a name for the layer.
I, H, NAME = 3, 5, "memory"
_ALL = {"units": H, "name": NAME, "dtype": "float64", "return_sequences": True}


def old_hard_sigmoid(x):
    return keras.ops.clip(0.2 * x + 0.5, 0.0, 1.0)


#: {what: (its kind here, makes the layer)}
LAYERS = {
    "GRU, reset after": ("GRU", lambda: keras.layers.GRU(**_ALL)),
    "GRU, reset before": ("GRU reset before", lambda: keras.layers.GRU(reset_after=False, **_ALL)),
    "GRU, hard sigmoid": (
        "GRU (gates hard_sigmoid)",
        lambda: keras.layers.GRU(recurrent_activation="hard_sigmoid", **_ALL),
    ),
    "LSTM": ("LSTM", lambda: keras.layers.LSTM(**_ALL)),
    "LSTM, hard sigmoid": (
        "LSTM (gates hard_sigmoid)",
        lambda: keras.layers.LSTM(recurrent_activation="hard_sigmoid", **_ALL),
    ),
    "LSTM, softsign": (
        "LSTM (candidate softsign, output softsign)",
        lambda: keras.layers.LSTM(activation="softsign", **_ALL),
    ),
    "SimpleRNN, tanh": ("RNN", lambda: keras.layers.SimpleRNN(**_ALL)),
    "SimpleRNN, relu": ("RNN relu", lambda: keras.layers.SimpleRNN(activation="relu", **_ALL)),
    "Bidirectional GRU": ("GRU", lambda: keras.layers.Bidirectional(keras.layers.GRU(**_ALL), name=NAME)),
    "Bidirectional LSTM": ("LSTM", lambda: keras.layers.Bidirectional(keras.layers.LSTM(**_ALL), name=NAME)),
    "RNN of LSTMCell": ("LSTM", lambda: keras.layers.RNN(keras.layers.LSTMCell(H, dtype="float64"), name=NAME, dtype="float64")),
    "RNN of two GRUCells": (
        "GRU",
        lambda: keras.layers.RNN([keras.layers.GRUCell(H, dtype="float64") for _ in range(2)], name=NAME, dtype="float64"),
    ),
}


def model_with(layer, seed=0):
    """A model of an embedding, the layer and a readout, with random weights and biases."""
    layers = [keras.layers.Embedding(7, I, dtype="float64"), layer, keras.layers.Dense(2, dtype="float64")]
    model = keras.Sequential([keras.Input((None,)), *layers])
    rng = np.random.default_rng(seed)
    model.set_weights([0.7 * rng.standard_normal(w.shape) for w in model.get_weights()])
    return model


def cells_of(layer):
    """{(layer, direction): cell} of a recurrent layer of Keras."""
    if isinstance(layer, keras.layers.Bidirectional):
        return {(0, "forward"): layer.forward_layer.cell, (0, "reverse"): layer.backward_layer.cell}
    if isinstance(layer.cell, keras.layers.StackedRNNCells):
        return {(k, "forward"): cell for k, cell in enumerate(layer.cell.cells)}
    return {(0, "forward"): layer.cell}


def hard_sigmoid(x):
    return keras.ops.relu6(x + 3.0) / 6.0


def step_of(cell, differentiable=False):
    """Keras' own step of a cell, in tensors: (x (I,), state (d, H)) -> (d, H); with a hard sigmoid whose derivative is exact."""
    own = getattr(cell, "recurrent_activation", None)
    used = hard_sigmoid if differentiable and own is keras.activations.hard_sigmoid else own

    def step(x, state):
        cell.recurrent_activation = used
        _, states = cell(x[None], [s[None] for s in state], training=False)
        cell.recurrent_activation = own
        return torch.stack([s[0] for s in (states if isinstance(states, (list, tuple)) else [states])])

    return step


def pairs(layer, contents):
    weights = contents.weights(NAME)
    for (number, way), cell in cells_of(layer).items():
        (step, _), (_, jacobian) = numeric(step_of(cell)), numeric(step_of(cell, differentiable=True))
        yield Pair(weights.layer(number, way), step, jacobian)


# --- formats


def as_keras(model, folder, kind):
    model.save(folder / "model.keras")
    return gt.read(folder / "model.keras")


def as_weights(model, folder, kind):
    model.save_weights(folder / "model.weights.h5")
    return gt.read(folder / "model.weights.h5", kind=kind)  # the file does not say which functions its layers have


def as_h5(model, folder, kind):
    logging.getLogger("absl").setLevel(logging.ERROR)  # the format is called legacy
    model.save(folder / "model.h5")
    return gt.read(folder / "model.h5")


def as_old_weights(model, folder, kind):
    """As ``save_weights`` of older versions wrote: the groups of the layers at the root, no configuration."""
    as_h5(model, folder, kind)
    with h5py.File(folder / "model.h5") as whole, h5py.File(folder / "weights.h5", "w") as file:
        for name in whole["model_weights"]:
            whole.copy(f"model_weights/{name}", file)
        for name, value in whole["model_weights"].attrs.items():
            file.attrs[name] = value
    return gt.read(folder / "weights.h5", kind=kind)


def _register(format, save, name, kind, make):
    @case("Keras", format, name)
    def of_layer(folder):
        layer = make()
        model = model_with(layer)
        yield from pairs(layer, save(model, folder, kind))


for _format, _save in (
    (".keras", as_keras),
    (".weights.h5", as_weights),
    (".h5 of models", as_h5),
    (".h5 of weights", as_old_weights),
):
    for _name, (_kind, _make) in LAYERS.items():
        _register(_format, _save, _name, _kind, _make)


@case("Keras", ".h5 of models", "LSTM, hard sigmoid of Keras 1 and 2")
def of_keras_2(folder):
    """The hard sigmoid of older versions has another slope."""
    layer = keras.layers.LSTM(recurrent_activation="hard_sigmoid", **_ALL)
    model = model_with(layer)
    as_h5(model, folder, None)
    with h5py.File(folder / "model.h5", "a") as file:
        file.attrs["keras_version"] = "2.2.4"
    layer.cell.recurrent_activation = old_hard_sigmoid
    yield from pairs(layer, gt.read(folder / "model.h5"))


# --- CuDNN's layers: Keras 2 wrote these weights, and its ``_convert_rnn_weights`` says what they are in a LSTM or a GRU


def cudnn_arrays(kernel, recurrent, bias, gates):
    """Kernels and bias of a layer of Keras as CuDNN's layer of Keras 2 keeps them."""
    kernels = [k.T.reshape(k.shape) for k in np.split(kernel, gates, axis=1)]
    recurrents = [k.T for k in np.split(recurrent, gates, axis=1)]
    both = bias.reshape(-1) if bias.ndim == 2 else np.tile(0.5 * bias, 2)
    return np.concatenate(kernels, axis=1), np.concatenate(recurrents, axis=1), both


def _register_cudnn(name, make, gates):
    @case("Keras", ".h5 of weights", name)
    def of_cudnn(folder):
        layer = make()
        model_with(layer)
        arrays = cudnn_arrays(*layer.get_weights(), gates)
        with h5py.File(folder / "weights.h5", "w") as file:
            file.attrs["layer_names"], file.attrs["keras_version"] = [NAME], "2.1.5"
            group = file.create_group(NAME)
            names = [f"{NAME}/{what}:0" for what in ("kernel", "recurrent_kernel", "bias")]
            group.attrs["weight_names"] = names
            for path, value in zip(names, arrays):
                group[path] = value
        yield from pairs(layer, gt.read(folder / "weights.h5"))


_register_cudnn("CuDNNLSTM", lambda: keras.layers.LSTM(**_ALL), 4)
_register_cudnn("CuDNNGRU", lambda: keras.layers.GRU(**_ALL), 3)
