"""ONNX's rows of the table in formats.py: onnx's reference evaluator, the equations of the standard, and what torch.onnx writes.

The evaluator runs one step after the other. It has no derivatives, and not every option: Jacobians, and the steps of nodes that it
cannot run as they say, are those of the equations.
"""

from __future__ import annotations

import warnings

import numpy as np
import onnx
import torch
from formats import Pair, case
from formats_torch import numeric, pairs
from onnx import TensorProto, helper, numpy_helper
from onnx_equations import BLOCKS, STATES, stated_step

import gating_theory as gt

_N, _N_IN = 5, 3
_HARD = (("HardSigmoid", 0.2, 0.5), "Tanh")
#: {row: (operator, attributes, with peepholes, options of the equations, whether the evaluator does as the node says)}
_LAYERS = {
    "GRU": ("GRU", {}, False, {}, True),
    "GRU, linear_before_reset": ("GRU", {"linear_before_reset": 1}, False, {"linear_before_reset": 1}, True),
    "GRU, hard sigmoid": ("GRU", {"activations": ["HardSigmoid", "Tanh"]}, False, {"acts": _HARD}, False),
    "GRU, bidirectional": ("GRU", {"direction": "bidirectional"}, False, {}, True),
    "LSTM": ("LSTM", {}, False, {}, True),
    "LSTM, peepholes": ("LSTM", {}, True, {}, True),
    "LSTM, input_forget": ("LSTM", {"input_forget": 1}, False, {"input_forget": 1}, False),
    "LSTM, reverse": ("LSTM", {"direction": "reverse"}, False, {}, True),
    "RNN, tanh": ("RNN", {"activations": ["Tanh"]}, False, {}, True),
    "RNN, relu": ("RNN", {"activations": ["Relu"]}, False, {"acts": ("Relu",)}, False),
}
_TORCH = {"GRU": "GRU, linear_before_reset", "LSTM": "LSTM", "RNN": "RNN, tanh"}


def drawn(operator, ways, peepholes):
    """{letter: array} of one node."""
    rng, blocks = np.random.default_rng(0), BLOCKS[operator]
    shapes = {"W": (ways, blocks * _N, _N_IN), "R": (ways, blocks * _N, _N), "B": (ways, 2 * blocks * _N)}
    shapes |= {"P": (ways, 3 * _N)} if peepholes else {}
    return {letter: rng.standard_normal(shape) for letter, shape in shapes.items()}


def model_of(operator, weights, attributes):
    """A model of one node that takes its states as inputs and gives the last ones back."""
    states = ["h", "c"][: STATES[operator]]
    inputs = ["X", "W", "R", "B", "", *states] + (["P"] if "P" in weights else [])
    outputs = ["", *(f"{name}_last" for name in states)]
    node = helper.make_node(operator, inputs, outputs, name="rnn", hidden_size=_N, **attributes)
    given = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, None) for name in ["X", *states]]
    made = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, None) for name in outputs[1:]]
    kept = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph([node], "layer", given, made, kept)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)])


def evaluated(model, ways, way):
    """The evaluator's step of one direction: a sequence of one step."""
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(model)

    def step(x, state):
        zero = np.zeros((ways, 1, _N))
        states = {name: zero.copy() for name in ["h", "c"][: len(state)]}
        for own, array in zip(state, states.values()):
            array[way, 0] = own
        return np.array([last[way, 0] for last in evaluator.run(None, {"X": x[None, None], **states})])

    return step


def _register(name, operator, attributes, peepholes, options, runs):
    ways = 1 + (attributes.get("direction") == "bidirectional")

    def read(folder):
        weights = drawn(operator, ways, peepholes)
        model = model_of(operator, weights, attributes)
        onnx.save(model, folder / "model.onnx")
        return weights, model, gt.read(folder / "model.onnx").weights()

    def by_the_evaluator(folder):
        _, model, read_here = read(folder)
        for way, direction in enumerate(read_here.directions):
            yield Pair(read_here.layer(0, direction), evaluated(model, ways, way))

    def by_the_equations(folder):
        weights, _, read_here = read(folder)
        for way, direction in enumerate(read_here.directions):

            def step(x, state, way=way):
                return stated_step(operator, weights, x, state.reshape(-1), way, **options).reshape(state.shape)

            yield Pair(read_here.layer(0, direction), *numeric(step))

    if runs:
        case("ONNX", "reference evaluator", name)(by_the_evaluator)
    case("ONNX", "equations of the standard", name)(by_the_equations)


def _register_exported(kind, name):
    @case("ONNX", "torch.onnx", name)
    def of_module(folder):
        torch.manual_seed(0)
        module = getattr(torch.nn, kind)(_N_IN, _N, dtype=torch.float64)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that this exporter is the older one; the newer one needs another package
            torch.onnx.export(module, (torch.zeros(2, 1, _N_IN, dtype=torch.float64),), folder / "model.onnx", dynamo=False)
        yield from pairs(module, gt.read(folder / "model.onnx"))


for _name, _layer in _LAYERS.items():
    _register(_name, *_layer)
for _kind, _name in _TORCH.items():
    _register_exported(_kind, _name)
