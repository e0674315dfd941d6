"""ONNX files that are damaged or made to do harm: clear errors, no other file opened, no memory beyond what the file warrants."""

import pickle
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gating_theory as gt
from gating_theory.interop.file_formats import file_format
from gating_theory.interop.wire_format import holds_model, require_model

pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
from onnx import helper  # noqa: E402

from tests.interop.onnx_models import arrays, model, node, single  # noqa: E402

WEIGHTS = arrays("LSTM", 3, 2, peepholes=True)
SOUND = single("LSTM", WEIGHTS).SerializeToString()


def number(n):
    """A varint."""
    out = bytearray()
    while n >= 128:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes(out) + bytes([n])


def part(field, content):
    """A field stored with its length."""
    return number(field << 3 | 2) + number(len(content)) + content


HEAD = b"\x08\x08"  # ir_version 8


def file_of(tmp_path, data, name="model.onnx"):
    path = tmp_path / name
    path.write_bytes(data)
    return path


def read_all(path):
    """Everything that can be asked for of what is in a file."""
    found = gt.read(path)
    str(found)
    return [found.modules[name].load() for name in found if not found.modules[name].problem]


# --- damage


def test_files_that_are_cut_off(tmp_path):
    """A part of a file is refused wherever it ends, or holds all that was there."""
    whole = gt.read(file_of(tmp_path, SOUND)).weights().tensors[0, "forward"]
    refused = 0
    for length in range(1, len(SOUND), 5):
        try:
            (w,) = read_all(file_of(tmp_path, SOUND[:length]))
        except ValueError as error:
            refused += 1
            assert "model.onnx" in str(error)
        else:
            assert all(np.array_equal(w.tensors[0, "forward"][name], array) for name, array in whole.items())
    assert refused > 0.9 * len(range(1, len(SOUND), 5))


@settings(max_examples=150)
@given(st.lists(st.integers(0, 8 * len(SOUND) - 1), min_size=1, max_size=4))
def test_files_with_flipped_bits(bits):
    import tempfile

    data = bytearray(SOUND)
    for bit in bits:
        data[bit // 8] ^= 1 << bit % 8
    with tempfile.TemporaryDirectory() as folder:
        try:
            read_all(file_of(Path(folder), bytes(data)))
        except ValueError:
            pass  # and nothing else


@settings(max_examples=100)
@given(st.binary(max_size=200))
def test_anything_at_all(data):
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        try:
            read_all(file_of(Path(folder), HEAD + data))
        except ValueError:
            pass


def test_an_empty_file_and_no_onnx(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="empty"):
        gt.read(file_of(tmp_path, b""))
    path = file_of(tmp_path, SOUND)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"pip install 'gating-theory\[onnx\]'") as info:
        gt.read(path)
    assert info.value.name == "onnx"


# --- claims


@pytest.mark.parametrize(
    "dims, problem",
    [
        ([1 << 62, 1 << 62, 4], "claims .* numbers"),
        ([1, -12, 2], "claims the shape"),
        ([1] * 100, "claims the shape"),
        ([1, 12, 3], "claims 36"),
    ],
)
def test_claimed_sizes_with_nothing_behind_them(tmp_path, dims, problem):
    proto = single("LSTM", WEIGHTS)
    w = next(tensor for tensor in proto.graph.initializer if tensor.name == "W")
    del w.dims[:]
    w.dims.extend(dims)
    tracemalloc.start()
    try:
        found = gt.read(file_of(tmp_path, proto.SerializeToString()))
        with pytest.raises(ValueError, match=f"its W: tensor 'W' {problem}"):
            found.weights()
        assert tracemalloc.get_traced_memory()[1] < 5e6  # modules that are imported on the way
    finally:
        tracemalloc.stop()
    assert "its W" in found.modules["rnn"].problem


def test_data_that_is_no_number_of_numbers(tmp_path):
    proto = single("LSTM", WEIGHTS)
    proto.graph.initializer[0].raw_data = proto.graph.initializer[0].raw_data[:-3]
    with pytest.raises(ValueError, match="bytes, which are no numbers of 8 bytes"):
        gt.read(proto).weights()


def test_data_in_other_files_is_not_opened(tmp_path):
    opened = []
    sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" and watching else None)
    watching = True
    folder = tmp_path / "inner"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(WEIGHTS["W"].tobytes())
    for location in ("../secret.bin", "../../../../etc/passwd", str(tmp_path / "secret.bin"), "weights.data"):
        proto = single("LSTM", WEIGHTS)
        w = next(tensor for tensor in proto.graph.initializer if tensor.name == "W")
        w.ClearField("raw_data")
        w.data_location = onnx.TensorProto.EXTERNAL
        w.external_data.add(key="location", value=location)
        opened.clear()
        found = gt.read(file_of(folder, proto.SerializeToString()))
        with pytest.raises(ValueError, match="tensor 'W' is kept in another file, .*, which was not opened"):
            found.weights()
        assert location[:20] in found.modules["rnn"].problem
        assert not any("secret" in name or "passwd" in name or name.endswith("weights.data") for name in opened)
    watching = False


def test_sparse_tensors_are_named():
    values = helper.make_tensor("W", onnx.TensorProto.DOUBLE, [1], [1.0])
    indices = helper.make_tensor("", onnx.TensorProto.INT64, [1], [0])
    sparse = helper.make_sparse_tensor(values, indices, [1, 12, 2])
    proto = model([node("LSTM", WEIGHTS, "rnn")], {k: WEIGHTS[k] for k in "RBP"}, sparse=[sparse])
    with pytest.raises(ValueError, match="'W' is a sparse tensor, which is not read"):
        gt.read(proto).weights()
    inside = helper.make_node("Constant", [], ["W"], sparse_value=sparse)
    with pytest.raises(ValueError, match="its value is of another kind"):
        gt.read(model([inside, node("LSTM", WEIGHTS, "rnn")], {k: WEIGHTS[k] for k in "RBP"})).weights()


# --- nesting and numbers


def nested(depth, inner=b""):
    """A graph in a graph in a graph: an If whose branch holds an If."""
    graph = inner
    for _ in range(depth):
        graph = part(1, part(5, part(1, b"then_branch") + part(6, graph) + b"\xa0\x01\x05") + part(4, b"If"))
    return HEAD + part(7, graph)


@pytest.mark.parametrize("depth", [20, 60, 500, 5000])
def test_graphs_in_graphs(tmp_path, depth):
    path = file_of(tmp_path, nested(depth))
    if depth == 20:
        assert len(gt.read(path)) == 0
    else:
        with pytest.raises(ValueError, match=r"model.onnx is no ONNX model that can be read: it nests its graphs more than 100"):
            gt.read(path)


def test_graphs_in_graphs_of_a_model_in_memory():
    proto = onnx.ModelProto()
    graph = proto.graph
    for _ in range(45):
        branch = graph.node.add(op_type="If").attribute.add(name="then_branch", type=onnx.AttributeProto.GRAPH)
        branch.g.name = "deeper"
        graph = branch.g
    with pytest.raises(ValueError, match="its graphs are nested more than 40 deep"):
        gt.read(proto)


@pytest.mark.parametrize("what", [b"\x0a\x00", b"\x2a\x00", b"\x6a\x00", part(1, b"\x2a\x00")])
def test_empty_parts_without_number(tmp_path, what):
    """Two bytes of a file become an object of 150 bytes in the library: a million of them is refused before it sees them."""
    path = file_of(tmp_path, HEAD + part(7, what * 1_000_000))
    start = time.process_time()
    with pytest.raises(ValueError, match="parts of a few bytes, which no model does"):
        gt.read(path)
    assert time.process_time() - start < 5.0  # 0.3 s alone


def test_no_graph_or_two(tmp_path):
    graph = part(7, part(2, b"g"))
    with pytest.raises(ValueError, match="it holds 2 graphs, not one"):
        gt.read(file_of(tmp_path, HEAD + graph + graph))
    with pytest.raises(ValueError, match="it holds no graph"):
        gt.read(file_of(tmp_path, HEAD + part(2, b"nobody")))
    for data in (b"\x0b", b"\x08" + b"\xff" * 11, HEAD + b"\x02\x00", HEAD + b"\x3d\x00"):
        with pytest.raises(ValueError, match="is no ONNX model that can be read"):
            gt.read(file_of(tmp_path, data))


# --- graphs that lead nowhere


def with_w(*makers, **kept):
    """A model whose W comes from these nodes."""
    return model([*makers, node("LSTM", WEIGHTS, "rnn")], {k: WEIGHTS[k] for k in "RBP"} | kept)


def identity(entry, output):
    return helper.make_node("Identity", [entry], [output])


BIG = np.array([1 << 40])
BOMBS = {
    "a cycle": (lambda: with_w(identity("a", "W"), identity("b", "a"), identity("a", "b")), "is computed from itself"),
    "itself": (lambda: with_w(identity("W", "W")), "is computed from itself"),
    "a long chain": (
        lambda: with_w(identity("n999", "W"), *(identity(f"n{k}", f"n{k + 1}") for k in range(999)), n0=WEIGHTS["W"]),
        "a chain of more than 100 operators",
    ),
    "doubling": (
        lambda: with_w(
            identity("n60", "W"),
            *(helper.make_node("Concat", [f"n{k}"] * 2, [f"n{k + 1}"], axis=0) for k in range(60)),
            n0=WEIGHTS["W"],
        ),
        "become more than the size of the model warrants",
    ),
    "an outer sum": (
        lambda: with_w(helper.make_node("Add", ["a", "b"], ["W"]), a=np.zeros((3000, 1)), b=np.zeros((1, 3000))),
        "become more than the size of the model warrants",
    ),
    "rows again and again": (
        lambda: with_w(helper.make_node("Gather", ["a", "b"], ["W"]), a=np.zeros((1, 3000)), b=np.zeros(3000, dtype=np.int64)),
        "become more than the size of the model warrants",
    ),
    "Expand": (
        lambda: with_w(helper.make_node("Expand", ["a", "b"], ["W"]), a=np.zeros(1), b=BIG),
        "comes from Expand, which is not",
    ),
    "Tile": (lambda: with_w(helper.make_node("Tile", ["a", "b"], ["W"]), a=np.zeros(1), b=BIG), "comes from Tile, which is not"),
    "ConstantOfShape": (
        lambda: with_w(helper.make_node("ConstantOfShape", ["b"], ["W"]), b=BIG),
        "comes from ConstantOfShape, which is not",
    ),
    "many parts": (
        lambda: with_w(helper.make_node("Split", ["a"], ["W"], num_outputs=1 << 60), a=np.zeros(3)),
        "cannot be computed by Split",
    ),
    "Reshape": (
        lambda: with_w(helper.make_node("Reshape", ["a", "b"], ["W"]), a=np.zeros(3), b=BIG),
        "cannot be computed by Reshape",
    ),
    "Slice": (
        lambda: with_w(helper.make_node("Slice", ["a", "b", "b", "b"], ["W"]), a=np.zeros(3), b=BIG),
        "cannot be computed by Slice",
    ),
    "no step": (
        lambda: with_w(helper.make_node("Slice", ["a", "b", "b", "b", "b"], ["W"]), a=np.zeros(3), b=np.array([0])),
        "cannot be computed by Slice",
    ),
    "no axis": (lambda: with_w(helper.make_node("Concat", ["R", "R"], ["W"])), "cannot be computed by Concat: it lacks 'axis'"),
    "no input": (lambda: with_w(helper.make_node("Transpose", [""], ["W"])), "cannot be computed by Transpose"),
    "far axes": (
        lambda: with_w(helper.make_node("Unsqueeze", ["R", "b"], ["W"]), b=np.arange(40)),
        "cannot be computed by Unsqueeze: its input 1 must be a short list",
    ),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_weights_that_nothing_sound_computes(bomb):
    make, problem = BOMBS[bomb]
    tracemalloc.start()
    try:
        start = time.process_time()
        (found,) = gt.read(make()).modules.values()
        assert problem in found.problem
        assert time.process_time() - start < 5.0  # a millisecond or two alone
        assert tracemalloc.get_traced_memory()[1] < 2e7  # 1 MB and eight times the model, which is the largest here: 250 kB
    finally:
        tracemalloc.stop()


def test_two_nodes_of_one_name():
    with pytest.raises(ValueError, match="two of its nodes make 'W'"):
        gt.read(with_w(identity("R", "W"), identity("B", "W")))


def function(name, nodes, inputs=("a",), outputs=("b",)):
    return helper.make_function("own", name, list(inputs), list(outputs), nodes, [helper.make_opsetid("", 22)])


def call(name, entry, output):
    return helper.make_node(name, [entry], [output], domain="own")


@pytest.mark.parametrize("where", ["beside", "in the weights"])
def test_functions_that_call_functions(where):
    """Each of 39 functions calls the next twice, one calls itself: neither is followed for long."""
    names = [f"F{k}" for k in range(39)]
    twice = [function(a, [call(b, "a", "m"), call(b, "m", "b")]) for a, b in zip(names, names[1:])]
    for functions, first in (
        ([*twice, function(names[-1], [identity("a", "b")])], "F0"),
        ([function("Self", [call("Self", "a", "b")])], "Self"),
    ):
        kept = WEIGHTS | {"V": WEIGHTS["W"]}
        nodes = [call(first, "V", "W" if where == "in the weights" else "other"), node("LSTM", WEIGHTS, "rnn")]
        if where == "in the weights":
            del kept["W"]
        proto = model(nodes, kept, functions=functions)
        start = time.process_time()
        with pytest.raises(
            ValueError,
            match="unfold into more than 50000 nodes|functions that call functions, more than 40|more than the size of the model",
        ):
            gt.read(proto).weights()
        assert time.process_time() - start < 20.0  # 2 s alone


# --- what is none


def test_files_that_are_not_onnx(tmp_path):
    saved_model = b"\x08\x01" + part(2, part(1, b"\x08\x01") + part(2, bytes(300)))  # TensorFlow's: schema version, then a graph
    others = {
        "pickle 0": pickle.dumps([8, 9], protocol=0),
        "pickle 2": pickle.dumps({"a": 8}, protocol=2),
        "pickle 5": pickle.dumps({"a": 8}, protocol=5),
        "msgpack": b"\x82\xa1a\x01\xa1b\x02",
        "msgpack of a number": b"\x08",
        "saved model": saved_model,
        "saved model cut off": saved_model[:100],
        "zeros": bytes(100),
        "text": b"\x08 is backspace",
        "numbers": np.arange(8, 30, dtype="<i4").tobytes(),
    }
    for name, data in others.items():
        assert file_format(file_of(tmp_path, data, "some.bin")) != "onnx", name
        assert not holds_model(tmp_path / "some.bin")
    assert file_format(file_of(tmp_path, SOUND, "some.bin")) == "onnx"
    assert file_format(file_of(tmp_path, SOUND[:200], "some.bin")) == "onnx"  # cut off, and its reader says so
    for name, data in others.items():
        with pytest.raises(ValueError):
            gt.read(file_of(tmp_path, data, f"{name}.onnx"))


def test_sound_files_pass():
    require_model(SOUND)
    require_model(nested(20))
    with pytest.raises(ValueError, match="no graph"):
        require_model(b"")
