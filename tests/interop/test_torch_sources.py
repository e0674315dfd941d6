"""What people hand over beside plain state dicts: parametrised modules, parts of names, other files, inputs in other orders."""

import argparse
import pathlib
import types
import warnings
import zipfile

import numpy as np
import pytest

import gating_theory as gt
from gating_theory.interop import readers

torch = pytest.importorskip("torch")
from gating_theory.interop import torch as bridge  # noqa: E402


def weight_norm_of_old(module):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated, and still in many scripts
        return torch.nn.utils.weight_norm(module, "weight_hh_l0")


PARAMETRISED = {
    "orthogonal": lambda m: torch.nn.utils.parametrizations.orthogonal(m, "weight_hh_l0"),
    "weight norm": lambda m: torch.nn.utils.parametrizations.weight_norm(m, "weight_hh_l0"),
    "weight norm, old": weight_norm_of_old,
}


@pytest.mark.parametrize("how", PARAMETRISED)
def test_parametrised_weights(how):
    """The module is read as it computes; so is weight norm in a state dict, and others are refused with the way out."""
    torch.manual_seed(0)
    module = PARAMETRISED[how](torch.nn.GRU(2, 3).double())
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1)  # what is computed has not been computed since
    net = bridge.from_module(module)
    state = torch.randn(1, 1, 3, dtype=torch.float64)
    after = module(torch.zeros(1, 1, 2, dtype=torch.float64), state)[1]
    assert np.abs(net.step(state[0].numpy()) - after[0].detach().numpy()).max() < 1e-14
    if how == "orthogonal":
        with pytest.raises(ValueError, match=r"parametrised weights \(weight_hh_l0\).*read the module itself"):
            bridge.from_state_dict(module.state_dict())
    else:
        # sums of three squares in another order
        assert np.abs(bridge.from_state_dict(module.state_dict()).matrices - net.matrices).max() < 1e-15


class Two(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = torch.nn.ModuleDict({"rnn": torch.nn.GRU(2, 3)})
        self.decoder = torch.nn.ModuleDict({"rnn": torch.nn.LSTM(2, 3), "cell": torch.nn.GRUCell(2, 5)})


@pytest.mark.parametrize("given", ["module", "state dict"])
def test_the_end_of_a_name_is_enough(given):
    model = Two()
    source = model if given == "module" else model.state_dict()
    assert bridge.read(source, prefix="cell").layer().network.n_units == 5
    assert bridge.read(source, prefix="decoder.rnn").kind == "LSTM"
    assert bridge.read(source, prefix="encoder.rnn.").kind == "GRU"
    with pytest.raises(ValueError, match="choose one with prefix="):
        bridge.read(source)
    for unclear in ("rnn", "ell", "x"):  # two modules, no whole part of a name, none
        with pytest.raises(ValueError, match="encoder.rnn"):
            bridge.read(source, prefix=unclear)
    with pytest.raises(TypeError, match="prefix must be a string, got int"):
        bridge.read(source, prefix=3)


def test_one_list_of_all_modules():
    """Modules and state dicts list the same, embeddings beside; a fault of one module hides no other."""
    torch.manual_seed(0)
    model = Two()
    model.embed, model.head = torch.nn.Embedding(30, 2), torch.nn.Linear(3, 2)
    model.tall = torch.nn.LSTM(7, 4, num_layers=2, bidirectional=True)
    model.narrow = torch.nn.LSTM(2, 4, proj_size=2)
    model.faulty = torch.nn.GRUCell(2, 3)
    with torch.no_grad():
        model.faulty.weight_hh[0, 0] = float("nan")
    as_module, as_dict = gt.read(model), gt.read(model.state_dict())
    assert set(as_module.names) == set(as_dict.names) == {
        "encoder.rnn", "decoder.rnn", "decoder.cell", "tall", "narrow", "faulty"
    }  # fmt: skip
    assert as_module.embeddings == as_dict.embeddings == {"embed.weight": (30, 2)}
    for found in (as_module, as_dict):
        tall = found.modules["tall"]
        assert (tall.kind, tall.n_layers, tall.directions) == ("LSTM", 2, ("forward", "reverse"))
        assert (tall.input_size, tall.n_units, tall.problem) == (7, 4, "")
        assert "projections" in found.modules["narrow"].problem
        assert "weight_hh must be finite, got 1 of 27 values" in found.modules["faulty"].problem
        assert found["tall"].layer(1, "reverse").network.n_units == 4
        assert str(found).count("\n") == 7 and "tall: LSTM, 2 layers, forward and reverse, 7 inputs, 4 units" in str(found)
        with pytest.raises(ValueError, match="faulty: .*must be finite"):
            found["faulty"]


@pytest.mark.parametrize("dim", [0, 1, None])
def test_weight_norm_of_rows_of_columns_and_of_all(dim):
    """A state dict of weight norm holds lengths and directions, whose product is what the module computes."""
    torch.manual_seed(1)
    module = torch.nn.LSTM(2, 3).double()
    for name in ("weight_hh_l0", "weight_ih_l0"):
        torch.nn.utils.parametrizations.weight_norm(module, name, dim=dim)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(1.7)
    mine, theirs = gt.read(module.state_dict()).weights(), gt.read(module).weights()
    for name, array in theirs.tensors[0, "forward"].items():
        # twelve squares summed in another order
        assert np.abs(mine.tensors[0, "forward"][name] - array).max() < 4e-16 * 12


def test_from_module_takes_a_prefix():
    assert bridge.from_module(Two(), prefix="decoder.cell").n_units == 5


@pytest.mark.parametrize("zipped", [True, False])
def test_options_and_numbers_of_numpy_in_a_checkpoint_do_not_matter(zipped, tmp_path):
    path, module = tmp_path / "run.pt", torch.nn.GRU(2, 3)
    beside = {
        "args": argparse.Namespace(lr=0.1, out=pathlib.Path("a/b"), model=argparse.Namespace(kind="GRU")),
        "best": [np.float64(0.3), np.float32(0.1), np.int64(7), np.bool_(True)],
        "rng": np.random.RandomState(0).get_state(),
        "options": types.SimpleNamespace(a=np.arange(3.0)),
    }
    torch.save({"model": module.state_dict()} | beside, path, _use_new_zipfile_serialization=zipped)
    before = set(torch.serialization.get_safe_globals())
    for prefix in (None, "model"):
        read = bridge.read(path, prefix=prefix).tensors[0, "forward"]
        assert all(np.array_equal(read[name], getattr(module, f"{name}_l0").detach().numpy()) for name in read)
    assert set(torch.serialization.get_safe_globals()) == before


class Mine:
    """A class that a checkpoint may name."""


def test_other_things_in_a_checkpoint_have_a_way_out(tmp_path):
    path = tmp_path / "run.pt"
    torch.save({"model": torch.nn.GRU(2, 3).state_dict(), "mine": Mine()}, path)
    with pytest.raises(ValueError, match=r"Mine.*torch.serialization.safe_globals"):
        bridge.read(path)
    with torch.serialization.safe_globals([Mine]):
        assert bridge.read(path).kind == "GRU"


def other_file(kind, path):
    if kind == "npz":
        np.savez(path, weight_hh_l0=np.zeros((9, 3)))
        path.with_name(path.name + ".npz").rename(path)
    elif kind == "npy":
        with open(path, "wb") as file:
            np.save(file, np.zeros(3))
    elif kind == "HDF5":
        path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    elif kind == "Keras":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", "{}")
            archive.writestr("model.weights.h5", "x")
    elif kind == "ONNX":
        path.write_bytes(b"\x08\x07\x12\x07pytorch")


@pytest.mark.parametrize("kind", ["npz", "npy", "HDF5", "Keras", "ONNX"])
def test_files_of_other_kinds_are_called_by_their_name(kind, tmp_path):
    path = tmp_path / ("model.onnx" if kind == "ONNX" else "model.bin")
    other_file(kind, path)
    with pytest.raises(ValueError, match=f"{kind}.*not one of PyTorch: gating_theory.read") as caught:
        bridge.read(path)
    assert len(str(caught.value)) < 500


def test_a_tensor_larger_than_memory_is_refused_before_it_is_made(tmp_path):
    """A kilobyte on disk: one number, repeated by a stride of zero."""
    path = tmp_path / "small.pt"
    large = {"weight_hh_l0": torch.zeros(1).expand(3_000_000, 1_000_000), "weight_ih_l0": torch.zeros(1).expand(3_000_000, 2)}
    torch.save(large, path)
    assert path.stat().st_size < 10_000
    with pytest.raises(MemoryError, match=r"small.pt would take 4\.8e\+04 GB of memory"):
        bridge.read(path)


def test_which_axis_is_time():
    """Without a word about it, sequences that look batch first are read as documented, and a warning says how."""
    module = torch.nn.GRU(4, 3).double()
    x = np.random.default_rng(0).normal(size=(1, 80, 4))
    weights = bridge.read(module.state_dict())
    with pytest.warns(UserWarning, match=r"shape \(1, 80, 4\) were read as 80 sequences of 1 steps.*batch_first"):
        assert weights.sequences(x).shape == (1, 80, 4)
    given = bridge.read(module.state_dict(), batch_first=True)
    assert given.sequences(x).shape == (80, 1, 4)
    assert readers.weights_of(weights, batch_first=True).sequences(x).shape == (80, 1, 4)
    # a module says what it takes, and so may the caller
    assert bridge.read(module).sequences(x).shape == bridge.read(module.state_dict(), batch_first=False).sequences(x).shape
    expected = torch.nn.GRU(4, 3, batch_first=True).double()
    expected.load_state_dict(module.state_dict())
    out = expected(torch.from_numpy(x))[0].detach().numpy()[0]
    assert np.abs(given.record(x).states[1:, 0, 0] - out).max() < 1e-13
    with pytest.raises(TypeError, match="batch_first must be True, False or None, got 1"):
        bridge.read(module, batch_first=1)


def test_diagnose_takes_the_order_of_axes():
    module, x = torch.nn.GRU(4, 3), np.random.default_rng(0).normal(size=(1, 80, 4))
    plain = gt.diagnose(module.state_dict(), np.swapaxes(x, 0, 1), n_states=2)
    swapped = gt.diagnose(module.state_dict(), x, batch_first=True, n_states=2)
    assert swapped.n_steps == 80 and swapped.n_sequences == 1 and swapped.lyapunov == plain.lyapunov
    # whoever has mixed them up sees it in the first line
    assert "along 1 input sequence of 80 steps" in str(swapped).splitlines()[0]


def test_quantised_layers_are_listed_with_the_reason():
    class LSTM(torch.nn.Module):
        """Stands in for PyTorch's, which needs an engine that not every machine has."""

    LSTM.__module__ = "torch.ao.nn.quantized.dynamic.modules.rnn"
    found = gt.read(torch.nn.Sequential(torch.nn.GRU(2, 3), LSTM()))
    assert found["0"].kind == "GRU"
    with pytest.raises(ValueError, match="its weights are quantised"):
        found.weights("1")
