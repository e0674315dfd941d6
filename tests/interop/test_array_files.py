"""Files of arrays, .npz, msgpack and safetensors of Flax: what their writers write is read, what hostile ones write is refused."""

import io
import pickle
import struct
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gating_theory as gt
from gating_theory.interop.msgpack_files import msgpack_tree
from gating_theory.interop.npz_files import npz_arrays

#: Memory that reading may take: so many times the file's size, beyond what Python itself takes for a small one.
FACTOR, SMALL = 8, 400_000


def most_memory(call):
    """Bytes that a call took at most, and what it gave or raised."""
    tracemalloc.start()
    try:
        try:
            out = call()
        except (ValueError, MemoryError) as error:
            out = error
        return tracemalloc.get_traced_memory()[1], out
    finally:
        tracemalloc.stop()


def gru(n_in=2, n=3, dtype=np.float32):
    rng = np.random.default_rng(0)
    shapes = {"weight_ih_l0": (3 * n, n_in), "weight_hh_l0": (3 * n, n), "bias_ih_l0": (3 * n,), "bias_hh_l0": (3 * n,)}
    return {name: rng.normal(size=shape).astype(dtype) for name, shape in shapes.items()}


def flax_gru(n_in=2, n=3, dtype=np.float32):
    rng = np.random.default_rng(0)
    tree = {
        name: {"kernel": rng.normal(size=(n_in if name[0] == "i" else n, n)).astype(dtype)} for name in "ir iz in hr hz hn".split()
    }
    for name in ("ir", "iz", "in", "hn"):
        tree[name]["bias"] = rng.normal(size=n).astype(dtype)
    return tree


def equal(mine, theirs):
    assert mine.tensors.keys() == theirs.tensors.keys()
    for place, arrays in theirs.tensors.items():
        assert all(np.array_equal(mine.tensors[place][name], array) for name, array in arrays.items())


# --- .npz


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<f2"])
def test_npz_with_the_names_of_pytorch(tmp_path, save, dtype):
    arrays = {f"encoder.{name}": np.asfortranarray(array) for name, array in gru(dtype=dtype).items()}
    save(tmp_path / "a.npz", **arrays)
    held = gt.read(tmp_path / "a.npz")
    assert list(held) == ["encoder"] and "GRU, 1 layer, forward, 2 inputs, 3 units" in str(held)
    equal(held["encoder"], gt.read(arrays).weights("encoder"))


def test_npz_with_names_of_its_own_and_of_flax(tmp_path):
    rng = np.random.default_rng(1)
    np.savez(tmp_path / "a.npz", U=rng.normal(size=(3, 9)), W=rng.normal(size=(2, 9)), classes=np.array(["a", "b"]))
    with pytest.raises(ValueError, match=r"a.npz has no names of recurrent weights"):
        gt.read(tmp_path / "a.npz")
    weights = gt.read(
        tmp_path / "a.npz", names={"weight_hh": "U", "weight_ih": "W"}, kind="GRU", order="zrh", transposed=True
    ).weights()
    assert (weights.input_size, weights.kind) == (2, "GRU")
    h5py = pytest.importorskip("h5py")
    with np.load(tmp_path / "a.npz") as arrays, h5py.File(tmp_path / "a.h5", "w") as file:
        file["layer/U"], file["layer/W"] = arrays["U"], arrays["W"]
    names = {"weight_hh": "layer/U", "weight_ih": "layer/W"}
    equal(gt.read(tmp_path / "a.h5", names=names, kind="GRU", order="zrh", transposed=True).weights(), weights)
    flat = {f"params/cell/{name}/{what}": array for name, dense in flax_gru().items() for what, array in dense.items()}
    np.savez(tmp_path / "b.npz", **flat)
    equal(gt.read(tmp_path / "b.npz").weights(), gt.read(flax_gru()).weights())


def npz(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def npy(descr="'<f8'", shape="(3, 3)", content=bytes(72), version=b"\x01\x00"):
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY" + version + struct.pack("<H" if version[0] == 1 else "<I", len(header)) + header + content


class Bomb:
    """Executes something when it is unpickled."""

    def __reduce__(self):
        return pytest.fail, ("a file was executed",)


def objects():
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.full((3, 3), Bomb(), dtype=object), allow_pickle=True)
    return stream.getvalue()


GOOD = npy()
HOSTILE_NPY = {
    "objects": (objects(), "got pickled objects, which are not read: nothing was executed"),
    "a pickle": (pickle.dumps(Bomb()), "no array of numpy"),
    "records": (npy("[('a', '<f8')]"), "got records"),
    "words": (npy("'<U2'"), "got words"),
    "complex numbers": (npy("'<c8'"), "got complex numbers"),
    "bfloat16": (npy("'|V8'"), "got raw bytes, as numpy saves bfloat16"),
    "a huge shape": (npy(shape="(100000000, 100000000)"), "do not hold"),
    "a shape beyond all counts": (npy(shape=f"({10**30},)"), "no array of numbers"),
    "many axes": (npy(shape=f"({'1,' * 60} 9)"), "60 axes|61 axes"),
    "too little": (npy(content=bytes(71)), "do not hold"),
    "too much": (npy(content=bytes(73)), "do not hold"),
    "an unknown version": (npy(version=b"\x09\x00"), "no array of numpy"),
    "a call in the header": (npy("__import__('os').abort()"), "got records"),
    "a header of gigabytes": (b"\x93NUMPY\x02\x00\xff\xff\xff\x7f" + bytes(9), "a header of 2147483647 bytes"),
    "nothing": (b"", "no array of numpy"),
    "a type of no size": (npy("'<f7'", "(3,)", bytes(21)), "a type that numpy does not have"),
}


@pytest.mark.parametrize("fault", HOSTILE_NPY)
def test_hostile_members(tmp_path, fault):
    """Each is refused in words, with little memory, and nothing in it runs; headers are read, never evaluated."""
    content, words = HOSTILE_NPY[fault]
    path = npz(tmp_path / "a.npz", {"weight_hh.npy": content, "weight_ih.npy": GOOD})
    taken, error = most_memory(lambda: gt.read(path).weights())
    assert isinstance(error, ValueError) and taken < SMALL
    with pytest.raises(ValueError, match=words):
        gt.read(path).weights()


def test_bombs(tmp_path):
    """Streams that unpack to a thousand times their size, members that claim little, overlapping ones: memory stays small."""
    zeros = npy(shape="(3000000,)", content=bytes(24_000_000))
    path = npz(tmp_path / "zeros.npz", {"weight_hh.npy": zeros}, zipfile.ZIP_DEFLATED)
    taken, error = most_memory(lambda: gt.read(path))
    assert taken < SMALL and "claims to unpack to" in str(error)
    # the member claims the size of a good array, its stream goes on
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = stream.compress(GOOD + bytes(50_000_000)) + stream.flush()
    archive = bytearray(
        npz(tmp_path / "long.npz", {"weight_hh.npy": GOOD, "weight_ih.npy": GOOD}, zipfile.ZIP_DEFLATED).read_bytes()
    )
    with zipfile.ZipFile(tmp_path / "long.npz") as good:
        info = good.getinfo("weight_hh.npy")
        begins = info.header_offset + 30 + len(info.filename)
    changed = bytes(archive[:begins]) + body + bytes(archive[begins + info.compress_size :])
    central = changed.index(b"PK\x01\x02")
    changed = bytearray(changed)
    changed[central + 20 : central + 24] = struct.pack("<I", len(body))  # the directory says how long the stream is
    second = changed.index(b"PK\x01\x02", central + 4)
    shift = len(body) - info.compress_size
    old = struct.unpack("<I", changed[second + 42 : second + 46])[0]
    changed[second + 42 : second + 46] = struct.pack("<I", old + shift)
    end = changed.index(b"PK\x05\x06")
    changed[end + 16 : end + 20] = struct.pack("<I", central)
    (tmp_path / "long.npz").write_bytes(changed)
    taken, _ = most_memory(lambda: gt.read(tmp_path / "long.npz").weights())
    assert taken < SMALL
    with zipfile.ZipFile(tmp_path / "lzma.npz", "w", zipfile.ZIP_LZMA) as packed:
        packed.writestr("weight_hh.npy", GOOD)
    with pytest.raises(ValueError, match="compressed in a way that numpy does not write"):
        gt.read(tmp_path / "lzma.npz")


# --- Flax


@pytest.fixture(scope="module")
def to_bytes():
    return pytest.importorskip("flax.serialization").to_bytes


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_msgpack_of_flax(tmp_path, to_bytes, dtype):
    numbers = pytest.importorskip("ml_dtypes").bfloat16 if dtype == "bfloat16" else dtype
    tree = {
        "step": 7,
        "note": "a",
        "params": {"cell": flax_gru(dtype=numbers)},
        "lists": [np.zeros(2), 1.5, None],
        "big": {"1": 2**40},
    }
    (tmp_path / "a.msgpack").write_bytes(to_bytes(tree))
    held = gt.read(tmp_path / "a.msgpack")
    assert "a.msgpack, Flax parameters" in str(held)
    equal(held.weights(), gt.read(tree["params"]).weights())
    (tmp_path / "a.ckpt").write_bytes(to_bytes(tree))  # known by its first byte
    equal(gt.read(tmp_path / "a.ckpt").weights(), held.weights())
    names = {"weight_ih": "params.cell.hr.kernel", "weight_hh": "params/cell/hz/kernel"}
    assert gt.read(tmp_path / "a.msgpack", names=names).weights().kind == "RNN"


@pytest.mark.parametrize("separator", [".", "/"])
def test_safetensors_of_flax(tmp_path, separator):
    """Names in either writing, read by Flax's reader and not by PyTorch's."""
    save = pytest.importorskip("safetensors.numpy").save_file
    flat = {
        separator.join(("params", "rnn", "cell", *key)): a
        for key, a in ((("".join(n), w), a) for n, d in flax_gru().items() for w, a in d.items())
    }
    save({name: np.ascontiguousarray(a) for name, a in flat.items()}, tmp_path / "a.safetensors")
    held = gt.read(tmp_path / "a.safetensors")
    assert list(held) == ["rnn"]
    equal(held.weights(), gt.read(flax_gru()).weights())
    names = {"weight_ih": separator.join(("params", "rnn", "cell", "hr", "kernel")), "weight_hh": "params.rnn.cell.hz.kernel"}
    assert gt.read(tmp_path / "a.safetensors", names=names).weights().kind == "RNN"


ARRAYS = st.builds(
    lambda n, m, kind: np.arange(n * m, dtype=kind).reshape(n, m),
    st.integers(0, 3),
    st.integers(1, 300),
    st.sampled_from(["f4", "f8", "i8"]),
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=40)
    | st.binary(max_size=300)
    | ARRAYS
)
KEYS = st.text(max_size=40) | st.integers(0, 2**64 - 1)
TREES = st.dictionaries(
    KEYS,
    st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=20) | st.dictionaries(KEYS, inner, max_size=20), max_leaves=30),
    max_size=20,
)


def arrays_in(tree):
    """The arrays of a tree as the reader gives them: lists as dicts of places, without what holds none."""
    if isinstance(tree, np.ndarray):
        return tree
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    found = {str(key): arrays_in(value) for key, value in items}
    return {key: value for key, value in found.items() if value is not None} or None


@given(tree=TREES)
def test_every_tree_of_msgpack(tmp_path_factory, tree):
    """Whatever the library for msgpack writes, in all its encodings, the arrays in it are read."""
    msgpack = pytest.importorskip("msgpack")

    def packed(array):
        return msgpack.ExtType(1, msgpack.packb((array.shape, array.dtype.name, array.tobytes())))

    path = tmp_path_factory.mktemp("trees") / "a.msgpack"
    path.write_bytes(msgpack.packb(tree, default=packed, strict_types=True))
    expected = arrays_in({str(k): v for k, v in tree.items()})
    if expected is None:
        with pytest.raises(ValueError, match="holds no tree of arrays"):
            msgpack_tree(path)
        return

    def require_equal(mine, theirs):
        if isinstance(theirs, dict):
            assert mine.keys() == theirs.keys()
            for key, value in theirs.items():
                require_equal(mine[key], value)
        else:
            assert mine.shape == theirs.shape and np.array_equal(mine.read(), theirs)

    require_equal(msgpack_tree(path), expected)


def array_of(shape=b"\x92\x03\x03", dtype=b"\xa7float32", content=b"\xc4\x24" + bytes(36)):
    body = b"\x93" + shape + dtype + content
    return b"\xc7" + bytes([len(body)]) + b"\x01" + body


def tree_of(array):
    return b"\x81\xa6kernel" + array


HOSTILE_MSGPACK = {
    "a list of four billion": b"\x81\xa1a\xdd\xff\xff\xff\xff",
    "a map of four billion": b"\xdf\xff\xff\xff\xff",
    "lists in lists that claim": b"\x81\xa1a" + b"\xdd\x00\x00\x1f\xff" * 40 + bytes(2**13),
    "lists in lists": b"\x81\xa1a" + b"\x91" * 100_000,
    "maps in maps": b"\x81\xa1a" * 100_000,
    "words of gigabytes": b"\x81\xa1a\xdb\x7f\xff\xff\xff",
    "bytes of gigabytes": b"\x81\xa1a\xc6\x7f\xff\xff\xff",
    "an array of gigabytes": b"\x81\xa1a\xc9\x7f\xff\xff\xff\x01",
    "a huge shape": tree_of(array_of(shape=b"\x92\xcf" + b"\xff" * 8 + b"\x03")),
    "a wrong shape": tree_of(array_of(shape=b"\x92\x03\x04")),
    "a negative shape": tree_of(array_of(shape=b"\x92\xff\xf7")),
    "bytes beyond the array": tree_of(array_of(content=b"\xc6\x00\x00\x10\x00" + bytes(36))),
    "an array of two parts": tree_of(b"\xc7\x02\x01\x92\x90"),
    "a key that is a list": b"\x81\x91\x01\x01",
    "an unused byte": b"\x81\xa1a\xc1",
    "two trees": tree_of(array_of()) * 2,
    "no map": b"\x91\x01",
    "many scalars": b"\x81\xa1a\xdd\x00\x00\xc3\x50" + bytes(50_000),
}


@pytest.mark.parametrize("fault", HOSTILE_MSGPACK)
def test_hostile_msgpack(tmp_path, fault):
    """A clear error, and memory of a few times the file at most: msgpack's own library takes hundreds for lists in lists."""
    path = tmp_path / "a.msgpack"
    path.write_bytes(HOSTILE_MSGPACK[fault])
    taken, error = most_memory(lambda: gt.read(path))
    assert isinstance(error, ValueError) and "a.msgpack" in str(error)
    assert taken < SMALL + FACTOR * path.stat().st_size


def test_objects_in_trees_of_msgpack(tmp_path):
    """An array of a dtype that is none of numbers is listed by its shape and refused when read; pickles are bytes like others."""
    tree = {name: dict(dense) for name, dense in flax_gru().items()}
    assert gt.read(tree).names == ("",)
    words = pickle.dumps(Bomb())
    body = b"\x93\x91" + bytes([len(words)]) + b"\xa6object" + b"\xc4" + bytes([len(words)]) + words
    entry = b"\xc7" + bytes([len(body)]) + b"\x01" + body
    path = tmp_path / "a.msgpack"
    path.write_bytes(tree_of(entry))
    with pytest.raises(ValueError, match="no recurrent cell as Flax names them"):
        gt.read(path)
    with pytest.raises(ValueError, match="array of 'object' where real numbers must be"):
        gt.read(path, names={"weight_hh": "kernel", "weight_ih": "kernel"}, kind="RNN")


def test_large_files_take_little(tmp_path, to_bytes):
    """Reading the weights takes a few times their own size, and listing them next to nothing of an archive."""
    big = gru(200, 200)
    np.savez(tmp_path / "a.npz", **big, other=np.zeros((2000, 200)))
    (tmp_path / "a.msgpack").write_bytes(to_bytes(flax_gru(200, 200)))
    taken, _ = most_memory(lambda: npz_arrays(tmp_path / "a.npz"))
    assert taken < SMALL
    for path in (tmp_path / "a.npz", tmp_path / "a.msgpack"):
        taken, weights = most_memory(lambda path=path: gt.read(path).weights())
        assert weights.kind == "GRU" and taken < SMALL + FACTOR * path.stat().st_size
