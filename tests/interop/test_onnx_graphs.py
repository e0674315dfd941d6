"""Where weights of ONNX models stand: initializers, constants, chains of operators, graphs in graphs, functions; names."""

import numpy as np
import pytest

import gating_theory as gt

pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
from onnx import helper, numpy_helper  # noqa: E402

from tests.interop.onnx_models import arrays, evaluated, model, node, single  # noqa: E402


def constant(name, array):
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.asarray(array), "value"))


def same(one, other):
    assert one.kind == other.kind and one.tensors.keys() == other.tensors.keys()
    for key, part in one.tensors.items():
        assert part.keys() == other.tensors[key].keys()
        assert all(np.array_equal(array, other.tensors[key][name]) for name, array in part.items())


def test_constants_and_initializers():
    weights = arrays("LSTM", 3, 2, ways=2, peepholes=True)
    one = node("LSTM", weights, "rnn", direction="bidirectional")
    constants = model([*(constant(k, a) for k, a in weights.items()), one], {})
    same(gt.read(constants).weights(), gt.read(single("LSTM", weights, direction="bidirectional")).weights())


def test_a_file_and_a_model_in_memory(tmp_path):
    weights = arrays("GRU", 3, 2)
    proto = single("GRU", weights)
    path = tmp_path / "model.onnx"
    onnx.save(proto, path)
    other = tmp_path / "model.bin"  # known by its first bytes
    other.write_bytes(path.read_bytes())
    for source in (path, str(path), other):
        found = gt.read(source)
        assert found.format == "ONNX model" and found.names == ("rnn",)
        same(found.weights(), gt.read(proto).weights())
    assert "GRU reset before, 1 layer, forward, 2 inputs, 3 units" in str(found)
    assert gt.read(path, batch_first=True).weights().batch_first is True
    # half of a Network's moments are those of the file: what is read goes on to everything else
    assert gt.read(path).layer().network.ensemble.cell is gt.GRU


def torch_like(operator, n, n_in, layers, ways, seed):
    """(model, expected tensors) as torch.onnx writes a stack whose weights are not folded: gates cut and joined by operators.

    PyTorch's gates are r, z, n and i, f, g, o; Slice and Concat put them into ONNX's order, Unsqueeze and Concat the directions.
    """
    rng = np.random.default_rng(seed)
    blocks, order = {"GRU": (3, (1, 0, 2)), "LSTM": (4, (0, 3, 1, 2)), "RNN": (1, (0,))}[operator]
    nodes, kept, expected = [], {"axis": np.array([0]), "first": np.array([0])}, []
    for layer in range(layers):
        size, parts, own = (n_in if layer == 0 else ways * n), {"W": [], "R": [], "B": []}, {}
        for way in range(ways):
            torch_names = {
                "weight_ih": (blocks * n, size),
                "weight_hh": (blocks * n, n),
                "bias_ih": blocks * n,
                "bias_hh": blocks * n,
            }
            joined = {}
            for what, shape in torch_names.items():
                name = f"rnn.{what}_l{layer}" + ("_reverse" if way else "")
                kept[name] = rng.standard_normal(shape).astype(np.float32)
                own[way, what] = kept[name].astype(float)
                cuts = []
                for k in order:
                    for edge in (k * n, (k + 1) * n):
                        kept.setdefault(f"at{edge}", np.array([edge]))
                    cuts.append(f"{name}/cut{k}")
                    nodes.append(helper.make_node("Slice", [name, f"at{k * n}", f"at{(k + 1) * n}", "axis"], [cuts[-1]]))
                nodes.append(helper.make_node("Concat", cuts, [f"{name}/all"], axis=0))
                joined[what] = f"{name}/all"
            both = f"bias{layer}{way}"
            nodes.append(helper.make_node("Concat", [joined["bias_ih"], joined["bias_hh"]], [both], axis=0))
            for letter, name in (("W", joined["weight_ih"]), ("R", joined["weight_hh"]), ("B", both)):
                nodes.append(helper.make_node("Unsqueeze", [name, "first"], [f"{name}/row"]))
                parts[letter].append(f"{name}/row")
        for letter, names in parts.items():
            nodes.append(helper.make_node("Concat", names, [f"{letter}{layer}"], axis=0))
        options = {"linear_before_reset": 1} if operator == "GRU" else {}
        names = {letter: f"{letter}{layer}" for letter in "WRB"}
        shaped = {"W": None, "R": np.zeros((ways, blocks * n, n)), "B": None}
        direction = "bidirectional" if ways == 2 else "forward"
        above = "X" if layer == 0 else f"flat{layer - 1}"
        options |= {"activations": ["Tanh"] * ways} if operator == "RNN" else {}
        nodes.append(node(operator, shaped, f"/rnn/{operator}_{layer}", f"Y{layer}", above, names, direction=direction, **options))
        kept["flat"] = np.array([0, 0, -1])
        nodes.append(helper.make_node("Transpose", [f"Y{layer}"], [f"turned{layer}"], perm=[0, 2, 1, 3]))
        nodes.append(helper.make_node("Reshape", [f"turned{layer}", "flat"], [f"flat{layer}"]))
        expected.append(own)
    return model(nodes, kept), expected


@pytest.mark.parametrize("operator", ["GRU", "LSTM", "RNN"])
def test_gates_that_torch_reorders_by_operators(operator):
    proto, expected = torch_like(operator, 3, 2, layers=2, ways=2, seed=4)
    found = gt.read(proto)
    assert found.names == (f"/rnn/{operator}_0", f"/rnn/{operator}_1")
    for name, own in zip(found, expected):
        w = found[name]
        assert w.kind == operator and w.directions == ("forward", "reverse")
        for way, direction in enumerate(w.directions):
            for what, array in w.tensors[0, direction].items():
                assert np.array_equal(array, own[way, what]), (name, direction, what)
    assert found.modules[f"/rnn/{operator}_1"].input_size == 6


@pytest.mark.parametrize("module", ["GRU", "LSTM", "RNN"])
def test_models_that_torch_writes(module, tmp_path):
    """PyTorch's own exporter: two layers in both directions come back as they were, and run as onnx's evaluator runs them."""
    import warnings

    import torch

    torch.manual_seed(0)
    rnn = getattr(torch.nn, module)(2, 3, num_layers=2, bidirectional=True).double()
    path = tmp_path / "rnn.onnx"
    x = torch.randn(4, 2, 2, dtype=torch.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that this exporter is the older one; the newer one needs another package
        torch.onnx.export(rnn, (x,), path, dynamo=False, do_constant_folding=False, input_names=["x"])
    found, own = gt.read(path), gt.read(rnn).weights()
    assert len(found) == 2
    below = x.numpy()
    for layer, name in enumerate(found):
        w = found[name]
        for direction in ("forward", "reverse"):
            for what, array in w.tensors[0, direction].items():
                assert np.array_equal(array, own.tensors[layer, direction][what])
        ways = [w.record(below, direction=way).states[1:, :, 0] for way in w.directions]
        below = np.concatenate([ways[0], ways[1][::-1]], axis=-1)
    assert np.abs(below - evaluated(onnx.load(path), x=x.numpy())[onnx.load(path).graph.output[0].name]).max() < 1e-12


def in_a_branch(weights, where):
    """A model whose node stands in both branches of an If; its weights there or around it."""
    branches = []
    for k in (0, 1):
        own = [constant(letter, a) for letter, a in weights.items()] if where == "inside" else []
        graph = helper.make_graph(
            [*own, node("GRU", weights, f"rnn{k}", f"Y{k}")],
            f"branch{k}",
            [],
            [helper.make_tensor_value_info(f"Y{k}", onnx.TensorProto.DOUBLE, None)],
        )
        branches.append(graph)
    both = helper.make_node("If", ["condition"], ["Y"], then_branch=branches[0], else_branch=branches[1])
    return model([both], weights if where == "around" else {}, inputs=("condition",))


@pytest.mark.parametrize("where", ["inside", "around"])
def test_nodes_in_branches_with_the_same_weights_are_listed_once(where):
    weights = arrays("GRU", 3, 2)
    found = gt.read(in_a_branch(weights, where))
    assert len(found) == 1 and found.names[0] in ("rnn0", "rnn1")
    same(found.weights(), gt.read(single("GRU", weights)).weights())


def test_functions_of_the_model():
    """A node in a function whose options and weights come from its calls: each call is a module."""
    weights = [arrays("GRU", 3, 2, seed=k) for k in (0, 1)]
    inner = node("GRU", weights[0], "cell", "Y", names={"R": "turned"}, hidden_size=3)
    option = onnx.AttributeProto(name="linear_before_reset", type=onnx.AttributeProto.INT, ref_attr_name="after")
    inner.attribute.append(option)
    turn = helper.make_node("Identity", ["R"], ["turned"])
    body = helper.make_function(
        "own", "Recurrent", ["X", "W", "R", "B", "h0"], ["Y"], [turn, inner], [helper.make_opsetid("", 22)], ["after"]
    )
    twice = helper.make_function(
        "own", "Passed", ["a"], ["b"], [helper.make_node("Identity", ["a"], ["b"])], [helper.make_opsetid("", 22)]
    )
    kept, nodes = {}, []
    for k, own in enumerate(weights):
        kept |= {f"{letter}{k}": a for letter, a in own.items()}
        nodes.append(helper.make_node("Passed", [f"W{k}"], [f"V{k}"], domain="own"))
        nodes.append(
            helper.make_node("Recurrent", ["X", f"V{k}", f"R{k}", f"B{k}", "h0"], [f"Y{k}"], f"call{k}", domain="own", after=k)
        )
    found = gt.read(model(nodes, kept, functions=[body, twice]))
    assert found.names == ("call0/cell", "call1/cell")
    assert [found.modules[name].kind for name in found] == ["GRU reset before", "GRU"]
    for k, name in enumerate(found):
        same(found[name], gt.read(single("GRU", weights[k], linear_before_reset=k)).weights())


def test_names_of_modules():
    weights = arrays("RNN", 3, 2)
    other = arrays("RNN", 3, 2, seed=1)
    third = arrays("RNN", 3, 2, seed=2)
    kept = weights | {f"{k}1": a for k, a in other.items()} | {f"{k}2": a for k, a in third.items()}
    nodes = [
        node("RNN", weights, "", "first/Y"),
        node("RNN", other, "twice", "a", names={k: f"{k}1" for k in other}),
        node("RNN", third, "twice", "b", names={k: f"{k}2" for k in third}),
    ]
    found = gt.read(model(nodes, kept))
    assert found.names == ("first/Y", "twice", "b")
    same(found["b"], gt.read(single("RNN", third)).weights())
    with pytest.raises(ValueError, match="several recurrent modules"):
        found.weights()


def test_embeddings_and_what_only_looks_like_one():
    weights = arrays("GRU", 3, 2)
    table, vector = np.zeros((7, 2)), np.zeros(4)
    kept = weights | {"table": table, "vector": vector}
    nodes = [
        helper.make_node("Gather", ["table", "tokens"], ["X"]),
        helper.make_node("Gather", ["vector", "tokens"], ["V"]),
        helper.make_node("Gather", ["tokens", "tokens"], ["T"]),
        node("GRU", weights, "rnn"),
    ]
    found = gt.read(model(nodes, kept, inputs=("tokens", "h0")))
    assert found.embeddings == {"table": (7, 2)}
    assert "looks like an embedding of 7 tokens in 2 inputs" in str(found)


@pytest.mark.parametrize(
    "make, problem",
    [
        (lambda w: single("GRU", w, clip=3.0), "it clips what its functions are given at 3"),
        (lambda w: single("GRU", w, activations=["Sigmoid", "Swish"]), "activation 'Swish' is none of ONNX"),
        (lambda w: single("GRU", w, activations=["Sigmoid"]), "its activations must be 2 a direction"),
        (lambda w: single("GRU", w, activation_alpha=[0.1]), "its activation_alpha has 1 values, its activations .* take 0"),
        (lambda w: single("GRU", w, direction="sideways"), "direction must be one of"),
        (lambda w: single("GRU", w, direction="bidirectional"), r"its R must have shape \(2, 9, 3\)"),
        (lambda w: single("GRU", w, hidden_size=4), r"its hidden_size is 4 and its R has shape \(1, 9, 3\)"),
        (lambda w: single("GRU", w, hidden_size=3.0), "its hidden_size must be int, got 3.0"),
        (lambda w: single("GRU", w, clip="much"), "its clip must be float, got 'much'"),
        (lambda w: single("GRU", w, depth=2), "it has an attribute 'depth'"),
        (lambda w: single("LSTM", w), r"its R must have shape \(1, 12, 3\)"),
        (lambda w: single("GRU", w | {"W": w["W"][0]}), r"its W must have 3 axes, got shape \(9, 2\)"),
        (lambda w: single("GRU", w | {"W": w["W"][:, :6]}), r"its W must have shape \(1, 9, 2\) with R"),
        (lambda w: single("GRU", w | {"B": w["B"][:, :9]}), r"its B must have shape \(1, 18\)"),
        (lambda w: single("GRU", w | {"W": w["W"][:, :, :0]}), "no units or no inputs"),
        (lambda w: single("GRU", w | {"R": w["R"].astype(np.int8)}), "its R is of type int8, quantised or damaged"),
        (lambda w: single("GRU", w | {"W": w["W"].astype(complex)}), "its W: tensor 'W' has ONNX's data type 15"),
        (lambda w: model([node("GRU", w)], {k: w[k] for k in "RB"}, inputs=("X", "W", "h0")), "its W: 'W' is given at run time"),
        (lambda w: model([node("GRU", w)], {k: w[k] for k in "RB"}), "its W: nothing in the graph has the name 'W'"),
        (
            lambda w: model([helper.make_node("MatMul", ["X", "X"], ["W"]), node("GRU", w)], {k: w[k] for k in "RB"}),
            "its W: 'W' comes from MatMul, which is not computed here",
        ),
        (
            lambda w: single(
                "GRU", arrays("GRU", 3, 2, 2), direction="bidirectional", activations="Sigmoid Tanh Sigmoid Relu".split()
            ),
            "its two directions have different activations",
        ),
        (
            lambda w: single("LSTM", arrays("LSTM", 3, 2, peepholes=True), input_forget=1),
            r"couples its forget gate .* and has peepholes",
        ),
        (
            lambda w: single(
                "LSTM", arrays("LSTM", 3, 2), input_forget=1, activations=["HardSigmoid", "Tanh", "Tanh"], activation_beta=[0.4]
            ),
            "'hard_sigmoid 0.2 0.4', which is not odd about 1/2",
        ),
    ],
)
def test_what_cannot_be_read_is_listed_with_its_problem(make, problem):
    found = gt.read(make(arrays("GRU", 3, 2)))
    (one,) = found.modules.values()
    import re

    assert re.search(problem, one.problem), one.problem
    with pytest.raises(ValueError, match=problem):
        found.weights()
    with pytest.raises(ValueError, match=problem):
        one.load()
    assert one.problem in str(found)


def test_other_operators_with_a_memory_are_named():
    weights = arrays("GRU", 3, 2)
    quantised = helper.make_node("DynamicQuantizeLSTM", ["X", "W", "R"], ["Q"], domain="com.microsoft")
    found = gt.read(model([quantised, node("GRU", weights, "rnn")], weights))
    assert "operator of 'com.microsoft'" in found.modules["Q"].problem and not found.modules["rnn"].problem
    body = helper.make_graph(
        [helper.make_node("MatMul", ["h", "U"], ["p"]), helper.make_node("Tanh", ["p"], ["q"])],
        "body",
        [helper.make_tensor_value_info("h", onnx.TensorProto.DOUBLE, None)],
        [helper.make_tensor_value_info("q", onnx.TensorProto.DOUBLE, None)],
    )
    loop = helper.make_node("Scan", ["h0", "X"], ["last"], body=body, num_scan_inputs=1)
    assert "seems to write its cell out" in gt.read(model([loop], {})).modules["last"].problem
    assert gt.read(model([loop, node("GRU", weights, "rnn")], weights)).names == ("rnn",)


def test_a_kind_that_is_asked_for():
    proto = single("GRU", arrays("GRU", 3, 2))
    for kind in ("GRU reset before", "GRU"):
        assert gt.read(proto, kind=kind).weights().kind == "GRU reset before"
    with pytest.raises(ValueError, match="it is a layer of kind 'GRU reset before', not 'LSTM'"):
        gt.read(proto, kind="LSTM").weights()


def test_cells_that_are_written_out():
    """A model of products and gates is read by the names of its initializers, where they are PyTorch's; else by names=."""
    weights = arrays("LSTM", 3, 2)
    kept = {"cell.weight_ih": weights["W"][0], "cell.weight_hh": weights["R"][0], "cell.bias_ih": weights["B"][0, :12]}
    kept |= {"cell.bias_hh": weights["B"][0, 12:]}
    steps = [
        helper.make_node("Gemm", ["X", "cell.weight_ih", "cell.bias_ih"], ["p"], transB=1),
        helper.make_node("Tanh", ["p"], ["q"]),
    ]
    found = gt.read(model(steps, kept))
    assert found.names == ("cell",) and "its cell is written out" in str(found)
    for name, array in found.weights().tensors[0, "forward"].items():
        assert np.array_equal(array, kept[f"cell.{name}"])
    proto = model(steps, kept)
    for tensor, shape in zip(proto.graph.initializer, ([1 << 42, 2], [1 << 42, 1 << 40], [1 << 42], [1 << 42])):
        tensor.dims[:] = shape
    assert "got damaged" in gt.read(proto).modules["cell"].problem

    other = {"W_one": weights["W"][0], "U": weights["R"][0]}
    proto = model([helper.make_node("Gemm", ["X", "W_one"], ["p"])], other)
    assert len(gt.read(proto)) == 0
    w = gt.read(proto, kind="LSTM", order="ifgo", names={"weight_ih": "W_one", "weight_hh": "U"}).weights()
    assert np.array_equal(w.tensors[0, "forward"]["weight_hh"], other["U"])
    # nodes come first: initializers beside them are theirs
    both = model([*steps, node("LSTM", weights, "rnn")], kept | weights)
    assert gt.read(both).names == ("rnn",)


def test_values_that_are_not_finite_are_refused_when_they_are_read():
    weights = arrays("GRU", 3, 2)
    weights["R"][0, 1, 2] = np.nan
    found = gt.read(single("GRU", weights))
    assert not found.modules["rnn"].problem
    with pytest.raises(ValueError, match="rnn: its R has values that are not finite"):
        found.weights()


OPERATORS = {
    "Transpose": (lambda a: a.transpose(0, 2, 1), lambda k: helper.make_node("Transpose", ["V"], [k], perm=[0, 2, 1]), {}),
    "Squeeze": (lambda a: a[None], lambda k: helper.make_node("Squeeze", ["V", "zero"], [k]), {"zero": np.array([0])}),
    "Squeeze of all": (
        lambda a: a[:, :, :, None],
        lambda k: helper.make_node("Squeeze", ["V", "last"], [k]),
        {"last": np.array([-1])},
    ),
    "Reshape": (lambda a: a.reshape(-1), lambda k: helper.make_node("Reshape", ["V", "s"], [k]), {"s": np.array([1, 9, -1])}),
    "Reshape with zero": (lambda a: a, lambda k: helper.make_node("Reshape", ["V", "s"], [k]), {"s": np.array([0, -1, 2])}),
    "Cast": (lambda a: a.astype("f4"), lambda k: helper.make_node("Cast", ["V"], [k], to=11), {}),
    "Gather": (lambda a: a[:, ::-1], lambda k: helper.make_node("Gather", ["V", "at"], [k], axis=1), {"at": np.arange(8, -1, -1)}),
    "Split": (
        lambda a: np.concatenate([a, a], axis=1),
        lambda k: helper.make_node("Split", ["V", "parts"], ["other", k], axis=1),
        {"parts": np.array([9, 9])},
    ),
    "Split evenly": (
        lambda a: np.concatenate([a, 0 * a], axis=0),
        lambda k: helper.make_node("Split", ["V"], [k, "other"], num_outputs=2),
        {},
    ),
    "Slice backwards": (
        lambda a: a[:, ::-1],
        lambda k: helper.make_node("Slice", ["V", "start", "end", "axes", "step"], [k]),
        {"start": np.array([-1]), "end": np.array([-100]), "axes": np.array([1]), "step": np.array([-1])},
    ),
    "Add": (lambda a: a - 1, lambda k: helper.make_node("Add", ["V", "one"], [k]), {"one": np.array(1.0)}),
    "Sub": (lambda a: a + 1, lambda k: helper.make_node("Sub", ["V", "one"], [k]), {"one": np.array(1.0)}),
    "Mul": (lambda a: a / 2, lambda k: helper.make_node("Mul", ["V", "two"], [k]), {"two": np.array([2.0])}),
}


@pytest.mark.parametrize("operator", OPERATORS)
def test_operators_on_constants_are_those_of_the_evaluator(operator):
    before, make, kept = OPERATORS[operator]
    weights = arrays("GRU", 3, 2)
    kept = kept | {k: a for k, a in weights.items() if k != "W"} | {"V": before(weights["W"])}
    step = make("W")
    theirs = evaluated(model([step], {k: a for k, a in kept.items() if k in step.input}))["W"]
    w = gt.read(model([step, node("GRU", weights, "rnn")], kept)).weights()
    same(w, gt.read(single("GRU", weights | {"W": theirs})).weights())


def test_attributes_of_older_operator_sets():
    weights = arrays("GRU", 3, 2)
    wide = np.concatenate([weights["W"], weights["W"]], axis=2)[0]
    chain = [
        helper.make_node("Slice", ["V"], ["a"], starts=[0], ends=[2], axes=[1]),
        helper.make_node("Unsqueeze", ["a"], ["b"], axes=[0, 1]),
        helper.make_node("Squeeze", ["b"], ["c"], axes=[0]),
        helper.make_node("Split", ["c"], ["W"], axis=1, split=[9]),
    ]
    kept = {"V": wide, "R": weights["R"], "B": weights["B"]}
    same(gt.read(model([*chain, node("GRU", weights, "rnn")], kept, opset=9)).weights(), gt.read(single("GRU", weights)).weights())
