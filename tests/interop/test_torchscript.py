"""TorchScript programs as data: their tensors are those of the state dict, and nothing of theirs runs."""

import io
import pickle
import warnings
import zipfile

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.interop.inert_pickle import Call, Name, inert

torch = pytest.importorskip("torch")


class Model(torch.nn.Module):
    def __init__(self, n_in, n, dtype):
        super().__init__()
        self.embed = torch.nn.Embedding(9, n_in)
        self.encoder = torch.nn.ModuleDict({"rnn": torch.nn.GRU(n_in, n, num_layers=2, bidirectional=True)})
        self.cell = torch.nn.LSTMCell(n_in, n)
        self.to(dtype)

    def forward(self, tokens):
        x = self.embed(tokens)
        return self.encoder["rnn"](x)[0].sum() + self.cell(x[0])[0].sum()


def program(module, path, trace=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated, and still in many models
        torch.jit.save(torch.jit.script(module) if trace is None else torch.jit.trace(module, trace), path)
    return path


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_tensors_are_those_of_the_state_dict(dtype, tmp_path):
    torch.manual_seed(0)
    module = Model(3, 4, dtype)
    found, expected = gt.read(program(module, tmp_path / "model.pt")), gt.read(module.state_dict())
    assert found.format == "TorchScript" and found.embeddings == {"embed.weight": (9, 3)}
    assert set(found.names) == {"encoder.rnn", "cell"}
    for name in found:
        mine, theirs = found.weights(name), expected.weights(name)
        assert mine.kind == theirs.kind and set(mine.tensors) == set(theirs.tensors)
        for place, arrays in theirs.tensors.items():
            assert all(np.array_equal(mine.tensors[place][key], array) for key, array in arrays.items())


def test_a_model_of_the_script_that_is_run(tmp_path):
    """Its class has no module: __torch__.Model in place of __torch__.package.Model."""
    own = type("Model", (torch.nn.Sequential,), {"__module__": "__main__"})
    found = gt.read(program(own(torch.nn.GRU(2, 3)), tmp_path / "model.pt"))
    assert found["0"].kind == "GRU"


def test_tensors_that_share_a_storage(tmp_path):
    """Transposed, and cut out of a larger one: strides and offsets are followed."""
    module = torch.nn.GRUCell(2, 3)
    large = torch.arange(200.0).reshape(20, 10)
    module.weight_hh = torch.nn.Parameter(large.T[1:10, 4:7], requires_grad=False)
    module.weight_ih = torch.nn.Parameter(large[2:11, 3:5], requires_grad=False)
    arrays = gt.read(program(module, tmp_path / "model.pt", (torch.zeros(1, 2), torch.zeros(1, 3)))).weights().tensors[0, "forward"]
    assert np.array_equal(arrays["weight_hh"], large.numpy().T[1:10, 4:7])
    assert np.array_equal(arrays["weight_ih"], large.numpy()[2:11, 3:5])


@pytest.mark.parametrize("how", ["script", "trace"])
@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_the_function_of_an_rnn_stands_in_the_text_of_its_code(nonlinearity, how, tmp_path):
    module = torch.nn.RNN(2, 3, nonlinearity=nonlinearity)
    path = program(module, tmp_path / "model.pt", None if how == "script" else torch.zeros(4, 1, 2))
    assert gt.read(path).weights().kind == ("RNN relu" if nonlinearity == "relu" else "RNN")
    assert gt.read(path, nonlinearity="relu").weights().kind == "RNN relu"


def test_two_functions_are_asked_about(tmp_path):
    path = program(torch.nn.Sequential(torch.nn.RNNCell(2, 2), torch.nn.RNNCell(2, 2, nonlinearity="relu")), tmp_path / "a.pt")
    with pytest.raises(ValueError, match="pass nonlinearity="):
        gt.read(path)["0"]
    assert gt.read(path, nonlinearity="tanh")["0"].kind == "RNN"


def test_a_scripted_module_in_memory():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated
        scripted = torch.jit.script(torch.nn.LSTM(2, 3))
    assert gt.read(scripted).weights().kind == "LSTM"


# --- pickles as data


def test_what_is_called_stays_a_note():
    content = b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00echo\x85R}X\x01\x00\x00\x00aK\x01sb."
    call = inert(content)
    assert isinstance(call, Call) and call.what == Name("os system") and call.arguments == ("echo",) and call.state == {"a": 1}
    plain = {"a": [1, 2.5, None, True, "text", (1,), (1, 2, 3, 4)], "b": {"c": -(2**70)}}
    for protocol in (2, 3, 4):
        assert inert(pickle.dumps(plain, protocol)) == plain


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "damaged"),
        (b"\x80\x02}", "damaged"),
        (b"\x80\x02.", "damaged"),
        (b"\x80\x02]\x94q\xff", "damaged"),
        (b"\x80\x02h\x05.", "damaged"),
        (b"\x80\x02K\x01)R.", "calls what is no name"),
        (b"\x80\x02]}]s.", "enters something"),
        (b"\x80\x02}]]s.", "keys that are no texts"),
        (b"\x80\x02(cos\nsystem\no.", "instruction OBJ"),
        (b"\x80\x02X\xff\xff\xff\x7fa.", "damaged"),
        (b"\x80\x02r\xff\xff\xff\xff.", "damaged"),
        (b"N" * 8_000_001, "no state dict"),
    ],
)
def test_other_pickles(content, words):
    with pytest.raises(ValueError, match=words):
        inert(content)


def repacked(path, change, **members):
    """The program with other members; ``change`` takes and gives the pickle."""
    out = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w") as new:
        for info in old.infolist():
            content, name = old.read(info), info.filename.partition("/")[2]
            new.writestr(info.filename, change(content) if name == "data.pkl" else members.get(name, content))
    path.write_bytes(out.getvalue())
    return path


def same(content):
    return content


@pytest.mark.parametrize(
    "change, members, words",
    [
        (lambda p: p.replace(b"K\x1b", b"K\x7f"), {}, "needs 508 bytes in 'data/1'"),  # 27 numbers: 127
        (lambda p: p.replace(b"K\x09K\x03", b"K\x09K\x7f"), {}, "has more numbers than its storage"),
        (lambda p: b"\x80\x02}.", {}, "root is no module"),
        (same, {"data/1": b"short"}, "needs 108 bytes in 'data/1'"),
        (same, {"byteorder": b"big"}, "not little-endian"),
    ],
)
def test_programs_that_claim_what_is_not_there(change, members, words, tmp_path):
    path = repacked(program(torch.nn.GRU(2, 3), tmp_path / "model.pt"), change, **members)
    with pytest.raises(ValueError, match=f"model.pt is not a TorchScript program.*({words})"):
        gt.read(path).weights()
