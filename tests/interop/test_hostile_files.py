"""Damaged files of every format: a list of what they hold or a clear error, little memory, and nothing executed."""

import io
import resource
import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gating_theory as gt

torch = pytest.importorskip("torch")
#: A tiny layer: what is damaged is mostly structure.
I, H = 2, 3
#: Python's memory that reading may take beyond a few times the file's size, and the growth of the process in all, bytes.
SMALL, FACTOR, GROWTH = 3_000_000, 16, 300_000_000


def arrays():
    rng = np.random.default_rng(0)
    shapes = {"weight_ih_l0": (3 * H, I), "weight_hh_l0": (3 * H, H), "bias_ih_l0": (3 * H,), "bias_hh_l0": (3 * H,)}
    return {f"rnn.{name}": rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def flax_tree():
    rng = np.random.default_rng(0)
    return {
        name: {"kernel": rng.standard_normal((I if name[0] == "i" else H, H), np.float32)} for name in "ir iz in hr hz hn".split()
    }


def saved(save):
    stream = io.BytesIO()
    save(stream)
    return stream.getvalue()


def torch_zip():
    return saved(lambda stream: torch.save({k: torch.tensor(v) for k, v in arrays().items()}, stream))


def torch_pickle():
    tensors = {k: torch.tensor(v) for k, v in arrays().items()}
    return saved(lambda stream: torch.save(tensors, stream, _use_new_zipfile_serialization=False))


def torchscript():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is called deprecated
        return saved(lambda stream: torch.jit.save(torch.jit.script(torch.nn.GRUCell(I, H)), stream))


def safetensors():
    return pytest.importorskip("safetensors.numpy").save(arrays())


def flax_safetensors():
    flat = {f"params.cell.{name}.{what}": a for name, dense in flax_tree().items() for what, a in dense.items()}
    return pytest.importorskip("safetensors.numpy").save(flat)


def msgpack():
    return pytest.importorskip("flax.serialization").to_bytes({"params": {"cell": flax_tree()}})


def keras_file(ending):
    keras = pytest.importorskip("keras")

    def make(folder):
        model = keras.Sequential([keras.Input((None, I)), keras.layers.GRU(H, name="rnn")])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its older format is called legacy
            (model.save_weights if ending == ".weights.h5" else model.save)(folder / f"a{ending}")
        return (folder / f"a{ending}").read_bytes()

    return make


def onnx():
    from onnx import TensorProto, helper, numpy_helper

    shapes = {"W": (1, 3 * H, I), "R": (1, 3 * H, H), "B": (1, 6 * H)}
    weights = [numpy_helper.from_array(np.ones(shape, np.float32), name) for name, shape in shapes.items()]
    node = helper.make_node("GRU", ["X", *shapes], ["Y"], name="rnn", hidden_size=H, linear_before_reset=1)
    ends = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, None)] for name in "XY"]
    return helper.make_model(helper.make_graph([node], "model", *ends, weights)).SerializeToString()


#: {ending: what makes the content of a valid file}.
FORMATS = {
    ".pt": torch_zip,
    ".old.pt": torch_pickle,
    ".script.pt": torchscript,
    ".safetensors": safetensors,
    ".flax.safetensors": flax_safetensors,
    ".npz": lambda: saved(lambda stream: np.savez(stream, **arrays())),
    ".packed.npz": lambda: saved(lambda stream: np.savez_compressed(stream, **arrays())),
    ".msgpack": msgpack,
    ".onnx": onnx,
    ".keras": None,
    ".weights.h5": None,
    ".h5": None,
}


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """The content of a valid file by its ending, made once; libraries that reading it imports are imported."""
    made = {}

    def of(ending):
        if ending not in made:
            folder = tmp_path_factory.mktemp("valid")
            make = FORMATS[ending]
            made[ending] = make() if make is not None else keras_file(ending)(folder)
            (folder / f"model{ending}").write_bytes(made[ending])
            whole_read(folder / f"model{ending}")
        return made[ending]

    return of


def whole_read(path):
    """Everything that reading does: the list, its text, the weights of each module as a Network. The errors of modules, if any."""
    errors = []
    held = gt.read(path)
    assert isinstance(str(held), str)
    for name in held:
        try:
            assert held[name].layer().network.n_units > 0
        except (ValueError, MemoryError) as error:
            errors.append(error)
    return errors


@st.composite
def damages(draw):
    """A function of the content that flips bits, cuts it, or writes sizes that claim much, at any place."""
    place = st.floats(0.0, 1.0, exclude_max=True)
    kind = draw(st.sampled_from(["flip", "flip", "cut", "claim", "zero", "repeat"]))
    places, bits = draw(st.lists(place, min_size=1, max_size=4)), draw(st.integers(0, 7))
    width = draw(st.sampled_from([1, 2, 4, 8]))

    def damaged(content):
        out = bytearray(content)
        at = [int(p * len(out)) for p in places]
        if kind == "cut":
            return bytes(out[: at[0]])
        if kind == "repeat":
            return bytes(out[: max(at)] + out[min(at) :])
        for k in at:
            if kind == "flip":
                out[k] ^= 1 << bits
            else:
                out[k : k + width] = (b"\xff" if kind == "claim" else b"\x00") * min(width, len(out) - k)
        return bytes(out)

    return damaged


@pytest.mark.parametrize("ending", FORMATS)
@settings(max_examples=25)
@given(damage=damages())
def test_damaged_files(content, tmp_path_factory, ending, damage):
    """Bits flipped, ends cut, sizes that claim much: contents or an error that says something, and little memory."""
    changed = damage(content(ending))
    path = tmp_path_factory.mktemp("damaged") / f"model{ending}"
    path.write_bytes(changed)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tracemalloc.start()
    try:
        errors = whole_read(path)
    except (ValueError, MemoryError) as error:
        errors = [error]
    finally:
        taken = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert all(len(str(error)) > 20 for error in errors)
    assert taken < SMALL + FACTOR * len(changed)
    assert 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) < GROWTH


@pytest.mark.parametrize("ending", FORMATS)
def test_what_is_whole_is_read(content, tmp_path, ending):
    """The files that are damaged above are good ones before."""
    (tmp_path / f"model{ending}").write_bytes(content(ending))
    assert whole_read(tmp_path / f"model{ending}") == [] and len(gt.read(tmp_path / f"model{ending}")) == 1
