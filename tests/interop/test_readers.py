"""Who reads what: each reader is asked, and only those that are needed bring their library."""

import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.interop import readers
from gating_theory.interop.contents import Contents, Found
from gating_theory.interop.layers import RecurrentWeights
from gating_theory.interop.layouts import LAYOUTS


def some_weights():
    rows = 3 * len(LAYOUTS["RNN"].hidden)
    tensors = {"weight_ih": np.ones((rows, 2)), "weight_hh": np.eye(3), "bias_ih": np.zeros(rows), "bias_hh": np.zeros(rows)}
    return RecurrentWeights("RNN", "mine", {(0, "forward"): tensors})


def holding(problem="", **others):
    found = Found("RNN", 1, ("forward",), 2, 3, some_weights, problem)
    return Contents("weights.mine", "my format", {"encoder.rnn": found} | others, {"embed.weight": (30, 2)})


def test_weights_that_are_read_stay_as_they_are():
    weights = some_weights()
    assert readers.weights_of(weights) is weights
    assert readers.weights_of(weights, batch_first=True).batch_first is True


def test_another_reader_is_asked_first(monkeypatch, tmp_path):
    """A reader is a module with two functions; the calculators take what it knows."""
    reader, asked = ModuleType("gating_theory.interop.mine"), []
    reader.knows = lambda source: str(source) == "weights.mine"
    reader.contents = lambda source, which: asked.append(which) or holding()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights.mine").touch()
    monkeypatch.setitem(sys.modules, reader.__name__, reader)
    monkeypatch.setattr(readers, "READERS", ("mine", *readers.READERS))
    assert readers.weights_of("weights.mine", nonlinearity="tanh").source == "mine"
    assert asked[0].nonlinearity == "tanh"
    d = gt.diagnose("weights.mine", np.ones((6, 2)), n_states=1)
    assert d.source == "mine, layer 0, forward" and d.driven


def test_what_is_there_is_listed_and_indexed():
    found = holding()
    assert str(found) == (
        "weights.mine, my format:\n  encoder.rnn: RNN, 1 layer, forward, 2 inputs, 3 units\n"
        "  embed.weight: looks like an embedding of 30 tokens in 2 inputs"
    )
    assert found.names == tuple(found) == ("encoder.rnn",) and len(found) == 1
    for prefix in (None, "rnn", "encoder.rnn"):
        assert found.layer(prefix=prefix).network.n_units == 3
    assert found["rnn"].kind == readers.weights_of(found, "rnn").kind == "RNN"
    with pytest.raises(ValueError, match=r"prefix must name one of the recurrent modules \['encoder.rnn'\].*got 'nn'"):
        found["nn"]
    with pytest.raises(TypeError, match="prefix must be a string"):
        found[0]


def test_a_fault_of_one_module_does_not_hide_the_others():
    faulty = Found("GRU", 1, ("forward",), 2, 3, some_weights, "it is broken")
    found = holding(**{"decoder.rnn": faulty})
    assert "decoder.rnn: GRU, 1 layer, forward, 2 inputs, 3 units: it is broken" in str(found)
    assert found["encoder.rnn"].kind == "RNN"
    with pytest.raises(ValueError, match="weights.mine: decoder.rnn: it is broken"):
        found["decoder.rnn"]
    for prefix, words in ((None, "several recurrent modules, choose one"), ("rnn", "prefix must name one")):
        with pytest.raises(ValueError, match=words):
            found.weights(prefix)
    empty = Contents("a.onnx", "ONNX", {}, hint="it has convolutions")
    assert str(empty) == "a.onnx, ONNX: no recurrent modules; it has convolutions"
    with pytest.raises(ValueError, match=r"a.onnx \(ONNX\) holds no recurrent weights: it has convolutions"):
        empty.weights()


#: Run where some libraries cannot be imported.
WITHOUT = """
import sys
class Missing:
    def find_spec(self, name, *rest):
        if name.partition(".")[0] in ("torch", "safetensors", "keras", "h5py", "onnx", "flax", "jax", "msgpack"):
            raise ImportError(f"No module named {name!r}")
sys.meta_path.insert(0, Missing())
import numpy as np
import gating_theory as gt
net = gt.Network.sample(gt.Ensemble(gt.Vanilla), 4, rng=0)
gt.diagnose(net, n_states=1)
arrays = {"rnn.weight_hh_l0": np.eye(3), "rnn.weight_ih_l0": np.ones((3, 2))}
print(gt.read(arrays).layer().network.n_units, "units of arrays")
print(gt.read(sys.argv[1]).layer().network.n_units, "units of a safetensors file")
try:
    gt.diagnose(sys.argv[2])
except ImportError as error:
    print(error)
"""


def test_a_library_that_is_missing(tmp_path):
    """Networks, arrays and safetensors are read without PyTorch; a checkpoint is not, and the message says what to install."""
    save = pytest.importorskip("safetensors.numpy").save_file
    save({"weight_hh": np.eye(5, dtype=np.float32), "weight_ih": np.ones((5, 2), dtype=np.float16)}, tmp_path / "a.safetensors")
    (tmp_path / "weights.pt").write_bytes(b"PK\x03\x04")
    command = [sys.executable, "-c", WITHOUT, tmp_path / "a.safetensors", tmp_path / "weights.pt"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "3 units of arrays" in done.stdout and "5 units of a safetensors file" in done.stdout
    # quoted: brackets mean something to some shells
    assert "PyTorch is needed" in done.stdout and "pip install 'gating-theory[torch]'" in done.stdout


def test_a_missing_file_is_noticed_before_a_reader_is_imported(tmp_path, monkeypatch):
    monkeypatch.setattr(readers, "READERS", ("none_of_this_name",))  # importing it would fail
    for source in ("missing.pt", tmp_path / "missing.pt"):
        with pytest.raises(FileNotFoundError, match="source: there is no file .*missing.pt"):
            readers.read(source)


def test_what_nobody_knows(tmp_path):
    with pytest.raises(TypeError, match="source must be .* got int"):
        readers.read(3)
    with pytest.raises(ValueError, match=r"has no names of recurrent weights .*; its arrays are head.weight \(2, 2\)"):
        readers.read({"head.weight": np.eye(2)})
    (tmp_path / "notes.txt").write_text("some text")
    with pytest.raises(ValueError, match="notes.txt is a file of no known format"):
        readers.read(tmp_path / "notes.txt")
    with pytest.raises(IsADirectoryError, match="source: .* is a folder; give the file in it"):
        readers.read(tmp_path)
    for package, advice in (("keras.src.models", "model.save"), ("flax.linen.module", "give the tree")):
        stranger = type("Model", (), {"__module__": package})()
        with pytest.raises(TypeError, match=f"got Model: .*{advice}"):
            readers.read(stranger)


@pytest.mark.parametrize(
    "options, error, words",
    [
        ({"kind": "Elman"}, ValueError, "kind must be one of"),
        ({"nonlinearity": "sine"}, ValueError, "nonlinearity must be .tanh. or .relu., got .sine."),
        ({"batch_first": 1}, TypeError, "batch_first must be True, False or None, got 1"),
        ({"transposed": None}, TypeError, "transposed must be True or False"),
        ({"transposed": True}, ValueError, "order and transposed are of arrays that names= names"),
        ({"order": 3}, TypeError, "order must be a text"),
        ({"names": "weight"}, TypeError, "names must be a dict of names"),
        ({"names": {"weight_hh": 3}}, TypeError, "names must be a dict of texts"),
    ],
)
def test_bad_options(options, error, words):
    with pytest.raises(error, match=words):
        readers.read({"weight_hh": np.eye(2), "weight_ih": np.eye(2)}, **options)


@pytest.mark.parametrize("flax", [False, True])
def test_numbers_that_signal(flax):
    """A NaN of 32 bits whose bits are those of a signal: refused as any other, without a warning on the way to 64 bits."""
    bad = np.eye(3, dtype=np.float32)
    bad.view(np.uint32)[0, 0] = 0x7F800001
    entry = np.ones((2, 3) if flax else (3, 2), dtype=np.float32)
    tree = {"h": {"kernel": bad, "bias": bad[1]}, "i": {"kernel": entry}}
    with pytest.raises(ValueError, match="must be finite"):
        gt.read(tree if flax else {"weight_hh": bad, "weight_ih": entry}).layer()
