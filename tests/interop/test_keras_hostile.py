"""Keras files that are damaged or lie: clear errors, nothing executed or opened beside them, no memory for what is only claimed."""

import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from test_keras_files import arrays_of, layer, model, named, write_keras, write_legacy, write_weights

import gating_theory as gt

h5py = pytest.importorskip("h5py")


@pytest.fixture
def archive(tmp_path):
    config = model(layer("LSTM", "a", 4), layer("GRU", "b", 4, reset_after=True))
    groups = {"layers/lstm/cell": (None, arrays_of("LSTM", 3, 4)), "layers/gru/cell": (None, arrays_of("GRU", 4, 4))}
    return write_keras(tmp_path / "m.keras", config, groups)


def all_read(path):
    """How many modules could be read; ValueErrors are what a damaged file may give, and nothing else."""
    try:
        found = gt.read(path)
    except ValueError as error:
        assert len(str(error)) < 600
        return 0
    count = 0
    for name in found:
        try:
            count += bool(found[name].tensors)
        except ValueError as error:
            assert len(str(error)) < 600
    return count


def test_truncated(archive, tmp_path):
    """Any part of a file: a ValueError, or what is whole."""
    for source in (archive, archive.with_suffix(".inner.h5")):
        content = source.read_bytes()
        part = tmp_path / f"part{source.suffix}"
        for length in np.linspace(1, len(content) - 1, 25).astype(int):
            part.write_bytes(content[:length])
            assert all_read(part) == 0
    part.write_bytes(archive.with_suffix(".inner.h5").read_bytes()[:-100])
    with pytest.raises(ValueError, match="part.h5 is no HDF5 file, or only a part of one: .*truncated"):
        gt.read(part)


def test_flipped_bits(archive, tmp_path):
    """Flipped bits end in ValueErrors or in weights."""
    rng = np.random.default_rng(0)
    for source in (archive, archive.with_suffix(".inner.h5")):
        content = source.read_bytes()
        for _ in range(60):
            flipped = bytearray(content)
            for place in rng.integers(8, len(content), size=3):
                flipped[place] ^= 1 << rng.integers(8)
            damaged = tmp_path / f"flipped{source.suffix}"
            damaged.write_bytes(flipped)
            all_read(damaged)


@pytest.mark.parametrize(
    "kind, arrays, message",
    [
        ("LSTM", arrays_of("GRU", 3, 4), "has kernels of 16 columns, 4 a unit, they have 12 and 12"),
        ("LSTM", [*arrays_of("LSTM", 3, 4)[:2], np.zeros(15)], r"the bias of a LSTM of 4 units must have shape \(16,\)"),
        ("LSTM", [a[:, :-1] if a.ndim == 2 else a for a in arrays_of("LSTM", 3, 4)], "has kernels of 16 columns"),
        ("LSTM", arrays_of("LSTM", 3, 5), "its configuration says 4 units, its weights have 5"),
        ("LSTM", [np.zeros((0, 16)), *arrays_of("LSTM", 3, 4)[1:]], "two matrices that are not empty"),
        ("LSTM", [np.zeros((3, 4, 4)), *arrays_of("LSTM", 3, 4)[1:]], "two matrices"),
        ("LSTM", [np.full((3, 16), np.nan), *arrays_of("LSTM", 3, 4)[1:]], "not finite"),
        ("LSTM", [np.zeros((3, 16), complex), *arrays_of("LSTM", 3, 4)[1:]], "no floating point numbers"),
        ("LSTM", [np.zeros((3, 16), int), *arrays_of("LSTM", 3, 4)[1:]], "no floating point numbers"),
    ],
)
def test_wrong_arrays(kind, arrays, message, tmp_path):
    path = write_keras(tmp_path / "m.keras", model(layer(kind, "a", 4)), {"layers/lstm/cell": (None, arrays)})
    with pytest.raises(ValueError, match=message):
        gt.read(path)["a"]


def test_wrong_numbers_of_cells(tmp_path):
    layers = {"a": named("a/x", arrays_of("LSTM", 3, 4)) | named("a/y", arrays_of("LSTM", 3, 4))}
    path = write_legacy(tmp_path / "m.h5", layers, model(layer("LSTM", "a", 4)), keras_version="2.3.1")
    with pytest.raises(ValueError, match="weights of 2 recurrent cells where 1 belong"):
        gt.read(path)["a"]


def claiming(path, **storage):
    """A file whose kernel claims 64 TB."""
    write_weights(path, {"layers/lstm/cell": (None, arrays_of("LSTM", 3, 4))})
    with h5py.File(path, "a") as file:
        group = file["layers/lstm/cell/vars"]
        del group["0"]
        group.create_dataset("0", shape=(10**12, 16), dtype="f4", **storage)
    return path


@pytest.mark.parametrize("storage", [{}, {"chunks": (1000, 16)}, {"chunks": (1000, 16), "compression": "gzip"}])
def test_huge_claims(storage, tmp_path):
    with pytest.raises(ValueError, match=r"claims 64000000000000 bytes, of which the file holds \d+"):
        gt.read(claiming(tmp_path / "m.weights.h5", **storage))["lstm"]


def test_bombs(tmp_path):
    """Zeros that are packed a thousand times, and pieces that unpack to more than they say, are not unpacked."""
    path = write_weights(tmp_path / "m.weights.h5", {"layers/lstm/cell": (None, arrays_of("LSTM", 3, 4))})
    with h5py.File(path, "a") as file:
        group = file["layers/lstm/cell/vars"]
        del group["0"]
        group.create_dataset("0", data=np.zeros((10**6, 16), "f4"), chunks=(10**6, 16), compression="gzip", compression_opts=9)
    with pytest.raises(ValueError, match="claims 64000000 bytes"):
        gt.read(path)["lstm"]
    import zlib

    packed = zlib.compress(bytes(10**8), 9)
    with h5py.File(path, "a") as file:
        group = file["layers/lstm/cell/vars"]
        del group["0"]
        data = group.create_dataset("0", shape=(3, 16), dtype="f4", chunks=(3, 16), compression="gzip")
        data.id.write_direct_chunk((0, 0), packed)
    with pytest.raises(ValueError, match="unpacks to more than its"):
        gt.read(path)["lstm"]


def test_packed_arrays_are_read(tmp_path):
    arrays = arrays_of("LSTM", 30, 20)
    path = write_weights(tmp_path / "m.weights.h5", {"layers/lstm/cell": (None, arrays)})
    with h5py.File(path, "a") as file:
        group = file["layers/lstm/cell/vars"]
        del group["0"]
        group.create_dataset("0", data=arrays[0], compression="gzip", shuffle=True, fletcher32=True)
    assert np.array_equal(gt.read(path)["lstm"].tensors[0, "forward"]["weight_ih"], arrays[0].T)


def test_other_files_are_not_opened(tmp_path):
    """External links, external storage and virtual arrays: refused by name, even where the file that they name is there."""
    secret = write_weights(tmp_path / "secret.h5", {"x": (None, [np.ones((3, 16), "f4")])})
    raw = tmp_path / "raw.bin"
    raw.write_bytes(np.ones((3, 16), "f4").tobytes())
    kernel = "layers/lstm/cell/vars/0"
    for what, message in (
        ("link", "not in the file"),
        ("storage", "lies in another file .*raw.bin"),
        ("virtual", "from other files"),
    ):
        config = model(layer("LSTM", "a", 4))
        path = tmp_path / f"{what}.weights.h5"
        write_weights(path, {"layers/lstm/cell": (None, arrays_of("LSTM", 3, 4))})
        with h5py.File(path, "a") as file:
            del file[kernel]
            if what == "link":
                file[kernel] = h5py.ExternalLink(str(secret), "x/vars/0")
            elif what == "storage":
                file.create_dataset(kernel, (3, 16), "f4", external=[(str(raw), 0, h5py.h5f.UNLIMITED)])
            else:
                layout = h5py.VirtualLayout((3, 16), "f4")
                layout[:] = h5py.VirtualSource(str(secret), "x/vars/0", (3, 16))
                file.create_virtual_dataset(kernel, layout)
        inner = path.read_bytes()
        with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
            archive.writestr("config.json", json.dumps(config))
            archive.writestr("model.weights.h5", inner)
        with pytest.raises(ValueError, match=message):
            gt.read(tmp_path / "m.keras")["a"]


def test_loops_and_depths(tmp_path):
    """Links to what is above, soft or hard, and a thousand groups within each other."""
    path = write_weights(tmp_path / "m.weights.h5", {"layers/lstm/cell": (None, arrays_of("LSTM", 3, 4))})
    with h5py.File(path, "a") as file:
        file["layers/again"] = h5py.SoftLink("/layers")
        file["layers/lstm/up"] = file["layers"]
        file["layers/dangling"] = h5py.SoftLink("/nowhere")
    assert list(gt.read(path)) == ["lstm"]
    with h5py.File(path, "a") as file:
        file.create_group("/".join(["g"] * 1000))
    with pytest.raises(ValueError, match="64 levels"):
        gt.read(path)


@pytest.mark.parametrize(
    "text, message",
    [
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ("{", "no JSON text"),
        ('{"class_name": "Sequential", "config": 3}', ""),
        ("[1, 2]", ""),
        ('{"class_name": ["x"], "config": {"layers": [{"class_name": {}, "config": []}, 4, null]}}', ""),
        ('{"config": {"layers": [{"class_name": "Bidirectional", "config": {"name": "b"}}]}}', ""),
        ('{"config": {"layers": [{"class_name": "RNN", "config": {"cell": {"class_name": "StackedRNNCells"}}}]}}', ""),
        ('{"config": {"layers": [{"class_name": "GRU", "config": {"units": "7", "activation": [1]}}]}}', ""),
        ('{"config": {"layers": [{"class_name": "TimeDistributed", "config": {"layer": ' * 40 + "1" + "}}]}}" * 40, ""),
    ],
)
def test_odd_configurations(text, message, archive, tmp_path):
    """Configurations that are none are said to be so; what is odd in one is left, or is the problem of its layer."""
    path = tmp_path / "odd.keras"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("config.json", text)
        file.write(archive.with_suffix(".inner.h5"), "model.weights.h5")
    if message:
        with pytest.raises(ValueError, match=message):
            gt.read(path)
    else:
        all_read(path)


def test_archives_that_lie(archive, tmp_path):
    """Members that unpack to more than the archive may hold, that are missing, that are another's."""
    bomb = tmp_path / "bomb.keras"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("config.json", b"[" + b" " * 10**8 + b"]")
        file.writestr("model.weights.h5", bytes(1000))
    with pytest.raises(ValueError, match="config.json claims 100000002 bytes"):
        gt.read(bomb)
    empty = tmp_path / "empty.keras"
    with zipfile.ZipFile(empty, "w") as file:
        file.writestr("config.json", "{}")
        file.writestr("model.weights.json", "{}")
    with pytest.raises(ValueError, match="a Keras model without model.weights.h5; it holds"):
        gt.read(empty)


def test_nothing_is_executed(tmp_path):
    """A Lambda of marshalled code, and functions by names of modules: read without looking at them."""
    import base64
    import marshal

    code = base64.b64encode(marshal.dumps(compile("open('owned', 'w')", "x", "exec"))).decode()
    evil = {"class_name": "__lambda__", "config": {"value": code, "defaults": None, "closure": None}}
    custom = {"module": "os", "class_name": "function", "config": "abort", "registered_name": "abort"}
    config = model(
        {"module": "keras.layers", "class_name": "Lambda", "config": {"name": "l", "function": evil}},
        layer("LSTM", "a", 4, activation=evil),
        layer("LSTM", "b", 4, recurrent_activation=custom),
    )
    groups = {f"layers/lstm{k}/cell": (None, arrays_of("LSTM", 3, 4)) for k in ("", "_1")}
    path = write_keras(tmp_path / "m.keras", config, groups)
    code = f"import gating_theory as gt; print([m.problem[:40] for m in gt.read({str(path)!r}).modules.values()])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.count("a function of its own") == 2 and not (tmp_path / "owned").exists()


def test_texts_that_the_library_would_crash_on(tmp_path):
    """A damaged length, number or type of a text of variable length, on which the library itself crashes or never ends."""
    path, damaged = tmp_path / "m.h5", tmp_path / "damaged.h5"
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"], file.attrs["backend"] = "3.0.0", "torch"
    content = path.read_bytes()
    heap = content.index(b"GCOL")
    reference = content.index(heap.to_bytes(8, "little") + (2).to_bytes(4, "little"))  # to the second text
    declared = content.rindex(b"\x19\x01", 0, reference)
    changes = {  # offset in the file: byte
        heap + 24 + 7: 0x7F,  # the first text reaches beyond the end
        heap + 24 + 1: 0x10,  # and beyond the collection
        reference + 8: 0x63,  # the 99th text, of two
        heap + 8 + 6: 0x01,  # a collection larger than the file
        14: 4,  # lengths of four bytes
    }
    for place, byte in changes.items():
        damaged.write_bytes(content[:place] + bytes([byte]) + content[place + 1 :])
        with pytest.raises(ValueError, match="damaged.h5 is damaged: (its|a text)"):
            gt.read(damaged)
    damaged.write_bytes(content[: declared + 1] + b"\x0f" + content[declared + 2 :])  # neither texts nor sequences
    assert not list(gt.read(damaged))  # what has that type is left out
