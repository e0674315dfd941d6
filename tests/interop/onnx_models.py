"""ONNX models made by hand, and how far steps are from the standard's equations."""

import sys
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from onnx_equations import BLOCKS, STATES, stated_step


def arrays(operator, n, n_in, ways=1, seed=0, biases=True, peepholes=False, scale=1.0, dtype=np.float64):
    """{letter: array} of one node: W, R, and B and P where there are any."""
    rng, blocks = np.random.default_rng(seed), BLOCKS[operator]
    shapes = {"W": (ways, blocks * n, n_in), "R": (ways, blocks * n, n)}
    shapes |= {"B": (ways, 2 * blocks * n)} if biases else {}
    shapes |= {"P": (ways, 3 * n)} if peepholes else {}
    return {letter: (scale * rng.standard_normal(shape)).astype(dtype) for letter, shape in shapes.items()}


def node(operator, weights, name="", output="Y", entry="X", names=None, **attributes):
    """The node, its weights by their letters or by other names; states go in and come out where the batch is to be steered."""
    names = {letter: letter for letter in weights} | (names or {})
    inputs = [entry, names["W"], names["R"], names.get("B", ""), "", "h0"]
    inputs += ["c0", names.get("P", "")] if operator == "LSTM" else []
    outputs = [output, f"{output}_h"] + ([f"{output}_c"] if operator == "LSTM" else [])
    attributes.setdefault("hidden_size", weights["R"].shape[2])
    return helper.make_node(operator, inputs, outputs, name=name, **attributes)


def model(nodes, initializers, *, inputs=("X", "h0", "c0"), functions=(), opset=22, sparse=()):
    """A model of these nodes; {name: array} are its initializers. Shapes of inputs and outputs are not said."""
    used = {name for one in nodes for name in one.input}
    given = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, None) for name in inputs if name in used]
    outputs = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, None) for one in nodes for name in one.output]
    graph = helper.make_graph(nodes, "g", given, outputs, [numpy_helper.from_array(a, k) for k, a in initializers.items()])
    graph.sparse_initializer.extend(sparse)
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in {f.domain for f in functions})]
    return helper.make_model(graph, opset_imports=opsets, functions=list(functions))


def single(operator, weights, **attributes):
    """A model of one node, named "rnn"."""
    return model([node(operator, weights, "rnn", **attributes)], weights)


def evaluated(proto, **inputs):
    """What onnx's reference evaluator makes of it, by name."""
    from onnx.reference import ReferenceEvaluator

    names = [output.name for output in proto.graph.output]
    return dict(zip(names, ReferenceEvaluator(proto).run(None, inputs)))


def differences(layer, weights, operator, seed=1, steps=4, **options):
    """Largest differences of states and Jacobians from the stated step along a driven sequence, relative to their sizes."""
    rng = np.random.default_rng(seed)
    n, n_in = weights["R"].shape[2], weights["W"].shape[2]
    state = torch.as_tensor(0.5 * rng.standard_normal(STATES[operator] * n))
    apart = [0.0, 0.0]
    for x in rng.standard_normal((steps, n_in)):

        def step(s, x=x):
            return stated_step(operator, weights, x, s, **options)

        net = layer.network.driven(*layer.drive(x))
        exact = torch.autograd.functional.jacobian(step, state).numpy()
        theirs, mine, J = step(state).numpy(), net.step(state.numpy()).ravel(), net.jacobian(state.numpy())
        apart[0] = max(apart[0], np.abs(mine - theirs).max() / max(1.0, np.abs(theirs).max()))
        apart[1] = max(apart[1], np.abs(J - exact).max() / max(1.0, np.abs(exact).max()))
        state = torch.as_tensor(theirs)
    return apart


__all__ = ["BLOCKS", "STATES", "arrays", "differences", "evaluated", "model", "node", "onnx", "single", "stated_step"]
