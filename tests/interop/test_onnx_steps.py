"""ONNX's recurrent nodes as Networks: their states are those of onnx's own evaluator, their Jacobians autograd's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gating_theory as gt

torch, onnx = pytest.importorskip("torch"), pytest.importorskip("onnx")
from tests.interop.onnx_models import STATES, arrays, differences, evaluated, single, stated_step  # noqa: E402

#: Rounding of a dozen steps of sums of a dozen products of order one.
CLOSE = 1e-12
VARIANTS = {
    "GRU reset before": ("GRU", {}),
    "GRU": ("GRU", {"linear_before_reset": 1}),
    "LSTM": ("LSTM", {}),
    "LSTM peephole": ("LSTM", {}),
    "RNN": ("RNN", {"activations": ["Tanh"]}),
}


def run(proto, operator, x, n, ways=1):
    """Y of the evaluator, (T, D, B, H), from zero states."""
    zero = np.zeros((ways, x.shape[1], n))
    states = {"h0": zero} | ({"c0": zero} if operator == "LSTM" else {})
    return evaluated(proto, X=x, **states)["Y"]


@settings(max_examples=40)
@given(
    st.sampled_from(sorted(VARIANTS)),
    st.integers(1, 6),
    st.integers(1, 4),
    st.integers(1, 3),
    st.sampled_from(["forward", "reverse", "bidirectional"]),
    st.booleans(),
    st.booleans(),
    st.integers(0, 1000),
)
def test_states_are_those_of_the_reference_evaluator(kind, n, n_in, batch, direction, biases, batch_first, seed):
    operator, attributes = VARIANTS[kind]
    ways = 1 + (direction == "bidirectional")
    weights = arrays(operator, n, n_in, ways, seed, biases, peepholes="peephole" in kind)
    attributes = attributes | {"direction": direction}
    if operator == "RNN":
        attributes["activations"] = ["Tanh"] * ways
    w = gt.read(single(operator, weights, layout=int(batch_first), **attributes)).weights()
    assert w.kind == kind and w.batch_first is batch_first and w.input_size == n_in
    assert w.directions == {"forward": ("forward",), "reverse": ("reverse",), "bidirectional": ("forward", "reverse")}[direction]
    x = np.random.default_rng(seed + 1).standard_normal((5, batch, n_in))
    theirs = run(single(operator, weights, **attributes), operator, x, n, ways)
    for d, way in enumerate(w.directions):
        mine = w.record(np.swapaxes(x, 0, 1) if batch_first else x, direction=way).states[1:, :, 0]
        assert np.abs((mine if way == "forward" else mine[::-1]) - theirs[:, d]).max() < CLOSE


@settings(max_examples=30)
@given(st.sampled_from(sorted(VARIANTS)), st.integers(1, 5), st.integers(1, 3), st.booleans(), st.integers(0, 1000))
def test_the_stated_step_is_the_evaluators_and_its_jacobian_ours(kind, n, n_in, biases, seed):
    """The equations of the standard, written out in the tests, are what onnx's evaluator does; autograd of them is our Jacobian."""
    operator, attributes = VARIANTS[kind]
    weights = arrays(operator, n, n_in, 1, seed, biases, peepholes="peephole" in kind)
    before = {"linear_before_reset": attributes.get("linear_before_reset", 0)} if operator == "GRU" else {}
    x = np.random.default_rng(seed).standard_normal((3, 1, n_in))
    state = torch.zeros(STATES[operator] * n, dtype=torch.float64)
    for row, theirs in zip(x[:, 0], run(single(operator, weights, **attributes), operator, x, n)[:, 0, 0]):
        state = stated_step(operator, weights, row, state, **before)
        assert np.abs(state[:n].numpy() - theirs).max() < CLOSE
    layer = gt.read(single(operator, weights, **attributes)).layer()
    assert max(differences(layer, weights, operator, **before)) < CLOSE


#: Functions that onnx's evaluator does not have: held against the equations of the standard alone. Slopes are kept as float32.
OTHERS = {
    "GRU (gates hard_sigmoid 0.2)": ("GRU", ["HardSigmoid", "Tanh"], None, None, (("HardSigmoid", 0.2, 0.5), "Tanh"), 1),
    "GRU (gates hard_sigmoid)": ("GRU", ["HardSigmoid", "Tanh"], [1 / 6], None, (("HardSigmoid", 1 / 6, 0.5), "Tanh"), 1),
    "GRU reset before (gates hard_sigmoid 0.3 0.4, candidate relu)": (
        "GRU",
        ["HardSigmoid", "Relu"],
        [0.3],
        [0.4],
        (("HardSigmoid", 0.3, 0.4), "Relu"),
        0,
    ),
    "LSTM (candidate softsign, output elu 0.7)": (
        "LSTM",
        ["Sigmoid", "Softsign", "Elu"],
        [0.7],
        None,
        ("Sigmoid", "Softsign", ("Elu", 0.7)),
        0,
    ),
    "LSTM (gates hard_sigmoid 0.2, candidate leaky_relu 0.05, output scaled_tanh 1.7 0.6)": (
        "LSTM",
        ["hardsigmoid", "LeakyRelu", "ScaledTanh"],
        [0.2, 0.05, 1.7],
        [0.5, 0.6],
        (("HardSigmoid", 0.2, 0.5), ("LeakyRelu", 0.05), ("ScaledTanh", 1.7, 0.6)),
        0,
    ),
    "RNN relu": ("RNN", ["Relu"], None, None, ("Relu",), 0),
    "RNN (candidate affine 0.5 0.1)": ("RNN", ["Affine"], [0.5], [0.1], (("Affine", 0.5, 0.1),), 0),
    "RNN (candidate softplus)": ("RNN", ["Softplus"], None, None, ("Softplus",), 0),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_functions(kind):
    operator, names, alphas, betas, acts, before = OTHERS[kind]
    numbers = {k: v for k, v in (("activation_alpha", alphas), ("activation_beta", betas)) if v is not None}
    if before:
        numbers["linear_before_reset"] = 1
    weights = arrays(operator, 4, 3, seed=2, scale=0.6)
    found = gt.read(single(operator, weights, activations=names, **numbers))
    assert found.modules["rnn"].kind == kind
    options = {"linear_before_reset": before} if operator == "GRU" else {}
    assert max(differences(found.layer(), weights, operator, acts=acts, **options)) < CLOSE


def test_a_function_that_jumps_has_steps_and_no_jacobian():
    weights = arrays("RNN", 4, 3, seed=2)
    layer = gt.read(single("RNN", weights, activations=["ThresholdedRelu"], activation_alpha=[0.3])).layer()
    x, zero = np.ones(3), np.zeros((1, 4))
    step = stated_step("RNN", weights, x, torch.zeros(4, dtype=torch.float64), acts=(("ThresholdedRelu", 0.3),))
    net = layer.network.driven(*layer.drive(x))
    assert np.abs(net.step(zero)[0] - step.numpy()).max() < CLOSE
    with pytest.raises(gt.CapabilityError, match="jumps"):
        net.jacobian(zero)


@pytest.mark.parametrize("acts", [None, (("HardSigmoid", 0.2, 0.5), "Tanh", "Tanh")])
def test_a_forget_gate_coupled_to_the_input_gate(acts):
    weights = arrays("LSTM", 4, 3, seed=5)
    names = {} if acts is None else {"activations": ["HardSigmoid", "Tanh", "Tanh"]}
    layer = gt.read(single("LSTM", weights, input_forget=1, **names)).layer()
    assert layer.kind.startswith("LSTM coupled") and layer.network.matrices.shape[0] == 3
    assert max(differences(layer, weights, "LSTM", acts=acts, input_forget=1)) < CLOSE


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_narrow_weights_are_read_without_rounding(dtype):
    wide = arrays("GRU", 3, 2, seed=8)
    if dtype == "bfloat16":  # the upper half of a float32
        weights = {k: (a.astype("f4").view("u4") & 0xFFFF0000).view("f4").astype(float) for k, a in wide.items()}
    else:
        weights = {k: a.astype(dtype).astype(float) for k, a in wide.items()}
    kind = {"float16": onnx.TensorProto.FLOAT16, "bfloat16": onnx.TensorProto.BFLOAT16, "float32": onnx.TensorProto.FLOAT}[dtype]
    exact = gt.read(single("GRU", weights)).weights().tensors
    for raw in (True, False):
        proto = single("GRU", weights)
        del proto.graph.initializer[:]
        for name, a in weights.items():
            if raw and dtype == "bfloat16":
                data = (a.astype("f4").view("u4") >> 16).astype("<u2").tobytes()
                proto.graph.initializer.append(onnx.helper.make_tensor(name, kind, a.shape, data, raw=True))
            elif raw:
                proto.graph.initializer.append(onnx.numpy_helper.from_array(a.astype(dtype), name))
            else:
                proto.graph.initializer.append(onnx.helper.make_tensor(name, kind, a.shape, a.ravel()))
        w = gt.read(proto).weights()
        for key, array in w.tensors[0, "forward"].items():
            assert array.dtype == np.float64 and np.array_equal(array, exact[0, "forward"][key])
