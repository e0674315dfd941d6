"""The recurrent layers that the configuration of a Keras model names: their classes, their functions, and where their weights are.

The configuration is data, from JSON. Nothing of it is made into an object: layers of other packages and lambdas are known by their
names alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..support.checks import shown
from .layouts import variant

__all__ = ["CellPlan", "LayerPlan", "activation_text", "hard_slope", "layer_plans", "snake_case"]

#: Kinds by the names of classes, of layers and of cells.
_KINDS = {"GRU": "GRU", "LSTM": "LSTM", "SimpleRNN": "RNN", "CuDNNGRU": "GRU", "CuDNNLSTM": "LSTM"}
_CELLS = {"GRUCell": "GRU", "LSTMCell": "LSTM", "SimpleRNNCell": "RNN"}
#: Models whose layers the configuration lists.
_MODELS = ("Sequential", "Functional", "Model")
#: Recurrent layers that are not read.
_OTHERS = re.compile(r"(Conv.*(LSTM|GRU|RNN)|ConvRecurrent)\w*$")
#: Keras' names of functions that have other names here.
_ACTIVATIONS = {
    "swish": "silu",
    "leaky_relu": "leaky_relu 0.2",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "relu": "relu",
    "relu6": "relu6",
    "linear": "linear",
    "elu": "elu",
    "selu": "selu",
    "silu": "silu",
    "softplus": "softplus",
    "softsign": "softsign",
    "exponential": "exponential",
    "hard_tanh": "hard_tanh",
}
#: Models within models, and layers around layers, at most.
_DEEPEST = 32


@dataclass(frozen=True)
class CellPlan:
    """One recurrent cell of the configuration.

    Attributes
    ----------
    layer, direction : its place in its module
    path : str, of the group of its weights in a file of Keras 3
    kind : str, as in ``layouts``, or the name of its class
    units : int or None, H
    batch_first : bool
    problem : str, why it cannot be read; "" where nothing is known against it
    note : str, what else should be known
    """

    layer: int
    direction: str
    path: str
    kind: str
    units: int | None = None
    batch_first: bool = True
    problem: str = ""
    note: str = ""


@dataclass(frozen=True)
class LayerPlan:
    """One layer of the configuration: a recurrent one, with cells in the order of their weights; an embedding, or a foreign one.

    Attributes
    ----------
    name : str, with the names of the models around it before a slash
    top : str, the name of the layer of the whole model that holds it
    path : str, of its group in a file of Keras 3
    class_name : str
    cells : tuple of CellPlan, () of other layers
    """

    name: str
    top: str
    path: str
    class_name: str
    cells: tuple[CellPlan, ...] = ()


def layer_plans(config: Any, version: str) -> list[LayerPlan]:
    """The recurrent layers, the embeddings and the layers of other packages in a model's configuration, in its order.

    Parameters
    ----------
    config : what JSON gave
    version : str, of Keras, "" where it is not known
    """
    return list(_layers(config, "", "", "", version, 0))


def hard_slope(version: str) -> str:
    """The hard sigmoid of a version of Keras: clip(x/6 + 1/2, 0, 1) since 3, clip(x/5 + 1/2, 0, 1) before.

    Parameters
    ----------
    version : str, "" where it is not known: then as the newest
    """
    return "hard_sigmoid 0.2" if version[:2] in ("0.", "1.", "2.") else "hard_sigmoid"


def activation_text(value: Any, version: str) -> str:
    """The function of ``cell.activations`` that a configuration names.

    Parameters
    ----------
    value : str, None for the identity, or the dict of an object of Keras
    version : str, of Keras

    Raises
    ------
    ValueError
        it is none of those, a lambda, or a function of another package
    """
    if value is None:
        return "linear"
    if isinstance(value, str):
        if value in ("hard_sigmoid", "keras_hard_sigmoid"):
            return hard_slope(version)
        if value in _ACTIVATIONS:
            return _ACTIVATIONS[value]
        raise ValueError(f"the function {shown(value)}, which is not known here")
    name, inner = _class_of(value), _settings(value)
    if name == "function" and isinstance(value.get("config"), str) and _is_kerass_own(value):
        return activation_text(value["config"], version)
    if name == "LeakyReLU" and _is_kerass_own(value):
        slope = inner.get("negative_slope", inner.get("alpha", 0.3))
        if isinstance(slope, (int, float)) and not isinstance(slope, bool):
            return f"leaky_relu {float(slope)!r}"
    if (
        name in ("ReLU", "ELU", "Activation")
        and _is_kerass_own(value)
        and set(inner) <= {"name", "trainable", "dtype", "activation"}
    ):
        return activation_text(inner.get("activation", name.lower()), version)
    raise ValueError(f"a function of its own ({shown(value)}), which is not executed")


def snake_case(name: str) -> str:
    """How Keras writes the name of a class in paths: "SimpleRNN" as "simple_rnn".

    Parameters
    ----------
    name : str
    """
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


# --- the layers of a model


def _layers(model, name, path, top, version, depth) -> Iterator[LayerPlan]:
    used: dict[str, int] = {}
    for layer in _listed(model):
        kind = _class_of(layer)
        inner = _settings(layer)
        own = inner.get("name", layer.get("name")) if isinstance(layer, Mapping) else None
        own = own if isinstance(own, str) else kind
        snake = snake_case(kind)
        count = used[snake] = used.get(snake, -1) + 1
        place = f"{path}layers/{snake}" + (f"_{count}" if count else "")
        whole = f"{name}{own}"
        if kind in _MODELS and depth < _DEEPEST:
            yield from _layers(layer, f"{whole}/", f"{place}/", top or own, version, depth + 1)
            continue
        foreign = not _is_kerass_own(layer)
        cells = () if foreign else tuple(_cells(kind, inner, place, version, depth))
        if cells or foreign or kind == "Embedding":
            yield LayerPlan(whole, top or own, place, kind, cells)


def _listed(model):
    """The layers of a model's configuration; a Sequential of the oldest versions is a list itself."""
    config = model.get("config") if isinstance(model, Mapping) else None
    layers = config.get("layers") if isinstance(config, Mapping) else config
    return [layer for layer in layers if isinstance(layer, Mapping)] if isinstance(layers, Sequence) else []


def _class_of(value):
    name = value.get("class_name") if isinstance(value, Mapping) else None
    return name.rsplit(">", 1)[-1] if isinstance(name, str) else ""


def _settings(value):
    config = value.get("config") if isinstance(value, Mapping) else None
    return config if isinstance(config, Mapping) else {}


def _is_kerass_own(value):
    """Whether a serialised object is of Keras, as far as it says."""
    module, registered, name = value.get("module"), value.get("registered_name"), value.get("class_name")
    if isinstance(name, str) and ">" in name:
        return False
    if isinstance(registered, str) and registered not in (name, value.get("config")):
        return False
    return not isinstance(module, str) or module.split(".")[0] in ("keras", "tf_keras", "tensorflow", "builtins")


# --- the cells of a layer


def _cells(kind, config, path, version, depth) -> Iterator[CellPlan]:
    if depth > _DEEPEST:
        return
    if kind in _KINDS:
        yield _one(_KINDS[kind], kind, config, config, f"{path}/cell" if not kind.startswith("CuDNN") else path, version)
    elif kind == "RNN":
        yield from _wrapped(config, path, version)
    elif kind == "TimeDistributed":
        inner = config.get("layer")
        yield from _cells(_class_of(inner), _settings(inner), f"{path}/layer", version, depth + 1)
    elif kind == "Bidirectional":
        yield from _both(config, path, version, depth)
    elif _OTHERS.match(kind):
        yield CellPlan(0, "forward", path, kind, problem=f"{kind} is no layer that is read here")


def _wrapped(config, path, version):
    """The cells of an RNN around a cell, or around a stack of cells."""
    cell = config.get("cell")
    kind = _class_of(cell)
    if kind != "StackedRNNCells":
        yield _cell(cell, config, f"{path}/cell", version)
        return
    used: dict[str, int] = {}
    cells = _settings(cell).get("cells")
    for layer, inner in enumerate(cells if isinstance(cells, Sequence) else []):
        snake = snake_case(_class_of(inner))
        count = used[snake] = used.get(snake, -1) + 1
        place = f"{path}/cell/cells/{snake}" + (f"_{count}" if count else "")
        yield replace(_cell(inner, config, place, version), layer=layer)


def _cell(cell, around, path, version):
    kind = _class_of(cell)
    if kind not in _CELLS or not _is_kerass_own(cell):
        return CellPlan(
            0, "forward", path, kind or "RNN", problem=f"its cell is {kind or shown(cell)}, whose equations are not known"
        )
    return _one(_CELLS[kind], kind, _settings(cell), around, path, version)


def _both(config, path, version, depth):
    """Forward and backward cells of a Bidirectional; in its oldest form the backward layer is not said, it is like the other."""
    forward = config.get("layer")
    backward = config.get("backward_layer", forward)
    for way, layer in (("forward", forward), ("backward", backward)):
        place = f"{path}/{way}_layer"
        kind = _class_of(layer)
        if not isinstance(layer, Mapping) or not _is_kerass_own(layer):
            yield CellPlan(0, "forward", place, kind or "Bidirectional", problem=f"it runs {kind or 'a layer'} of another package")
            continue
        turned = bool(_settings(layer).get("go_backwards", False)) ^ (way == "backward" and backward is forward)
        for plan in _cells(kind, _settings(layer), place, version, depth + 1):
            yield replace(plan, direction="reverse" if turned else "forward", note="")


def _one(kind, class_name, config, around, path, version):
    """One cell by its settings, and by those of the layer around it."""
    units = config.get("units", config.get("output_dim"))
    units = units if isinstance(units, int) and not isinstance(units, bool) else None
    batch_first = around.get("time_major") is not True
    note = (
        "it runs from the end of its input (go_backwards): give it sequences reversed" if around.get("go_backwards") is True else ""
    )
    try:
        kind, problem = _kind(kind, class_name, config, version), ""
    except ValueError as error:
        problem = f"it uses {error}"
    return CellPlan(0, "forward", path, kind, units, batch_first, problem, note)


def _kind(kind, class_name, config, version):
    if class_name.startswith("CuDNN"):
        return kind
    if kind == "GRU" and config.get("reset_after") is not True:
        kind = "GRU reset before"  # the only one of old versions, which do not say
    candidate = activation_text(config.get("activation", "tanh"), version)
    if kind == "RNN":
        return variant(kind, candidate=candidate)
    gates = activation_text(config.get("recurrent_activation", config.get("inner_activation", "sigmoid")), version)
    return variant(kind, gates=gates, candidate=candidate, output=candidate if kind == "LSTM" else "tanh")
