"""ONNX models made by hand, and the standard's text of its recurrent operators written out in PyTorch."""

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

BLOCKS = {"GRU": 3, "LSTM": 4, "RNN": 1}
STATES = {"GRU": 1, "LSTM": 2, "RNN": 1}


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


#: The standard's functions, of a tensor, alpha and beta.
FUNCTIONS = {
    "Sigmoid": lambda x, a, b: torch.sigmoid(x),
    "Tanh": lambda x, a, b: torch.tanh(x),
    "Relu": lambda x, a, b: torch.relu(x),
    "Affine": lambda x, a, b: a * x + b,
    "LeakyRelu": lambda x, a, b: torch.where(x >= 0, x, a * x),
    "ThresholdedRelu": lambda x, a, b: torch.where(x >= a, x, torch.zeros_like(x)),
    "ScaledTanh": lambda x, a, b: a * torch.tanh(b * x),
    "HardSigmoid": lambda x, a, b: torch.clamp(a * x + b, 0, 1),
    "Elu": lambda x, a, b: torch.where(x >= 0, x, a * torch.expm1(torch.clamp(x, max=0))),
    "Softsign": lambda x, a, b: x / (1 + x.abs()),
    "Softplus": lambda x, a, b: torch.nn.functional.softplus(x, threshold=1e9),
}


def functions(*given):
    """Functions of one variable by ("HardSigmoid", .2, .5) or "Tanh"."""
    given = [(one, 0.0, 0.0) if isinstance(one, str) else (*one, 0.0, 0.0)[:3] for one in given]
    return [lambda x, name=name, a=a, b=b: FUNCTIONS[name](x, a, b) for name, a, b in given]


def stated_step(operator, weights, x, state, way=0, acts=None, linear_before_reset=0, input_forget=0):
    """One step by the equations of the standard: x (I,), state (d H,) to the next state, h first; differentiable."""
    W, R = (torch.as_tensor(weights[k][way]) for k in "WR")
    n, blocks = R.shape[1], BLOCKS[operator]
    Wb, Rb = torch.as_tensor(weights["B"][way] if "B" in weights else np.zeros(2 * blocks * n)).reshape(2, blocks, n)
    h, c = state[:n], state[n:]
    xs, hs = (W @ torch.as_tensor(x)).reshape(blocks, n), (R @ h).reshape(blocks, n)
    usual = {"GRU": ("Sigmoid", "Tanh"), "LSTM": ("Sigmoid", "Tanh", "Tanh"), "RNN": ("Tanh",)}[operator]
    f, *others = functions(*(acts or usual))
    if operator == "RNN":
        return f(xs[0] + hs[0] + Wb[0] + Rb[0])
    if operator == "GRU":
        (g,) = others
        z, r = (f(xs[k] + hs[k] + Wb[k] + Rb[k]) for k in (0, 1))
        if linear_before_reset:
            candidate = g(xs[2] + r * (hs[2] + Rb[2]) + Wb[2])
        else:
            candidate = g(xs[2] + R.reshape(3, n, n)[2] @ (r * h) + Rb[2] + Wb[2])
        return (1 - z) * candidate + z * h
    g, out = others
    p_i, p_o, p_f = torch.as_tensor(weights["P"][way] if "P" in weights else np.zeros(3 * n)).reshape(3, n)
    i = f(xs[0] + hs[0] + p_i * c + Wb[0] + Rb[0])
    forget = 1 - i if input_forget else f(xs[2] + hs[2] + p_f * c + Wb[2] + Rb[2])
    memory = forget * c + i * g(xs[3] + hs[3] + Wb[3] + Rb[3])
    o = f(xs[1] + hs[1] + p_o * memory + Wb[1] + Rb[1])
    return torch.cat([o * out(memory), memory])


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


__all__ = ["BLOCKS", "STATES", "arrays", "differences", "evaluated", "functions", "model", "node", "onnx", "single", "stated_step"]
