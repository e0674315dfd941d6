"""Damaged and malicious files of PyTorch's formats: a clear error or weights, nothing executed, no memory beyond the file."""

import io
import json
import os
import pickle
import resource
import struct
import tracemalloc
import warnings
import zipfile

import numpy as np
import pytest

import gating_theory as gt

torch = pytest.importorskip("torch")
save_file = pytest.importorskip("safetensors.numpy").save_file

#: What a damaged file may raise: its own words, or the system's.
ALLOWED = (ValueError, MemoryError, OSError)
FORMATS = ("safetensors", "torch", "torch, older", "torchscript")


def file_of(format, path, n=12):
    torch.manual_seed(0)
    module = torch.nn.LSTM(5, n)
    if format == "safetensors":
        save_file({name: value.numpy() for name, value in module.state_dict().items()}, path)
    elif format == "torchscript":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecated
            torch.jit.save(torch.jit.script(module), path)
    else:
        torch.save({"model": module.state_dict(), "epoch": 3}, path, _use_new_zipfile_serialization=format == "torch")
    return path


def outcome(path):
    """The weights, or the error; an error that no file may raise is raised."""
    try:
        return gt.read(path).weights()
    except ALLOWED as error:
        assert len(str(error)) < 600 and not isinstance(error, FileNotFoundError)
        return error


@pytest.mark.parametrize("format", FORMATS)
def test_cut_files(format, tmp_path):
    whole = file_of(format, tmp_path / "a.pt").read_bytes()
    for length in np.linspace(0, len(whole) - 1, 25).astype(int):
        (tmp_path / "cut.pt").write_bytes(whole[:length])
        assert isinstance(outcome(tmp_path / "cut.pt"), ALLOWED), length


@pytest.mark.parametrize("format", FORMATS)
def test_flipped_bits(format, tmp_path):
    """Bits of headers, pickles and directories flipped: weights or a clear error, and no more memory than ten files' worth."""
    path, rng = file_of(format, tmp_path / "a.pt"), np.random.default_rng(1)
    whole, expected = path.read_bytes(), outcome(path)
    # where structure lies: both ends, and what stands around the names of tensors
    places = {*range(0, 200), *range(len(whole) - 1500, len(whole))}
    for name in (b"weight_hh", b"storage", b"data.pkl"):
        for at in [i for i in range(len(whole)) if whole.startswith(name, i)]:
            places |= set(range(max(0, at - 20), at + 60))
    places = sorted(place for place in places if 0 <= place < len(whole))
    outcome(path)  # imports are paid
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tracemalloc.start()
    try:
        for _ in range(60):
            damaged = bytearray(whole)
            damaged[places[rng.integers(len(places))]] ^= 1 << rng.integers(8)
            path.write_bytes(damaged)
            found = outcome(path)
            assert isinstance(found, ALLOWED) or found.kind == expected.kind
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # readers hold the file and float64 of its float32, torch's directories and error texts take a megabyte
    assert peak < 10 * len(whole) + 4_000_000
    # kilobytes as Linux counts: what torch allocates in C; allocators keep what they have
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - resident < 60_000


def safetensors_file(path, header, content=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + content)
    return path


def tensor(shape, first=0, last=None, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [first, 4 * int(np.prod(shape)) if last is None else last]}


WHOLE = {"weight_hh": tensor([9, 3]), "weight_ih": tensor([9, 2], 108, 180)}


@pytest.mark.parametrize(
    "header, words",
    [
        (WHOLE | {"weight_hh": tensor([3 * 10**9, 10**9], 0, 180)}, "has 180 bytes"),
        (WHOLE | {"weight_hh": tensor([9, 3], 0, 10**15)}, "lies outside of the file"),
        (WHOLE | {"weight_hh": tensor([9, 3], 90, 20)}, "lies outside of the file"),
        (WHOLE | {"weight_hh": tensor([-9, 3], 0, 108)}, "lies outside of the file"),
        (WHOLE | {"weight_hh": tensor([9.0, 3], 0, 108)}, "lies outside of the file"),
        (WHOLE | {"weight_hh": {"dtype": "F32", "shape": [9, 3]}}, "lacks its dtype, shape or data_offsets"),
        (WHOLE | {"weight_hh": 3}, "lacks its dtype, shape or data_offsets"),
        (WHOLE | {"weight_hh": tensor([9, 3], 0, 108, "I32")}, "dense tensor of real floating-point numbers, got I32"),
        (WHOLE | {"weight_hh": tensor([9, 3], 0, 108, ["F32"])}, r"dense tensor of real floating-point numbers, got \['F32'\]"),
        (WHOLE | {"weight_hh": tensor([7, 3], 0, 84)}, r"must have shape \(G H, H\) with 1 .* gates G, got \(7, 3\)"),
        (WHOLE | {"weight_ih": tensor([6, 2], 108, 156)}, r"weight_ih must have shape \(9, 2\), got \(6, 2\)"),
        ([WHOLE], "header is a list"),
        (b"[" * 100_000, "header is no JSON"),
        (b'{"weight_hh": ', "header is no JSON"),
    ],
)
def test_safetensors_that_claim_what_is_not_there(header, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        gt.read(safetensors_file(tmp_path / "a.safetensors", header, bytes(180))).weights()


def test_a_header_longer_than_the_file(tmp_path):
    for length in (10**6, 2**63):
        with pytest.raises(ValueError, match=f"its header claims {length} bytes"):
            gt.read(safetensors_file(tmp_path / "a.safetensors", WHOLE, bytes(180), length))


def test_what_is_not_in_the_way_does_not_matter(tmp_path):
    """Other types beside, names in the metadata: only what is asked for is read."""
    header = WHOLE | {"__metadata__": {"format": "pt"}, "steps": tensor([2], 180, 196, "I64")}
    found = gt.read(safetensors_file(tmp_path / "a.safetensors", header, bytes(196)))
    assert found.weights().kind == "GRU"
    path = tmp_path / "a.safetensors"
    path.write_bytes(path.read_bytes()[:-100])  # after it was listed
    with pytest.raises(ValueError, match="ends before its end"):
        found.weights()


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def archive_of(members, path, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(f"archive/{name}", content)
    return path


def test_nothing_in_a_program_is_executed(tmp_path):
    """A pickle that makes a directory, in an archive that looks like TorchScript."""
    content = pickle.dumps({"a": Bomb(tmp_path / "executed")}, 2)
    path = archive_of({"data.pkl": content, "constants.pkl": content, "code/a.py": "import os"}, tmp_path / "a.pt")
    with pytest.raises(ValueError, match="its root is no module"):
        gt.read(path)
    assert not (tmp_path / "executed").exists()


def doubling(depth):
    """A module whose every level holds the one below twice: 2^depth names in depth instructions."""
    out = io.BytesIO()
    out.write(b"\x80\x02c__torch__.A\nA\n)\x81}b" + b"q\x00")
    for level in range(depth):
        out.write(b"c__torch__.A\nA\n)\x81}(X\x01\x00\x00\x00ah" + bytes([level]) + b"X\x01\x00\x00\x00bh" + bytes([level]) + b"ub")
        out.write(b"q" + bytes([level + 1]))
    return out.getvalue() + b"."


@pytest.mark.parametrize(
    "content, words",
    [
        (doubling(40), "nests modules more than 64 deep, or has more than 20000"),
        (b"\x80\x02" + b"c__torch__.A\nA\n)\x81}X\x01\x00\x00\x00a" * 5000 + b"N" + b"sb" * 5000 + b".", "64 deep"),
        (b"\x80\x02" + b"(" * 50_000 + b"t" * 50_000 + b".", "its root is no module"),
        (b"\x80\x02" + b"]" * 100 + b".", "its root is no module"),
    ],
    ids=["names", "modules", "tuples", "lists"],
)
def test_pickles_that_grow(content, words, tmp_path):
    """Names that double, modules and tuples in one another: refused, within a small factor of the pickle."""
    path = archive_of({"data.pkl": content, "constants.pkl": b""}, tmp_path / "a.pt")
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=words):
            gt.read(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # an instruction of one byte makes at most a list, 64 bytes, and its place in the stack; and waiting names
    assert peak < 100 * len(content) + 20_000_000


@pytest.mark.parametrize("constants", [True, False])
def test_members_that_grow_when_they_are_read(constants, tmp_path):
    """Zeros compress a thousandfold: a gigabyte in a megabyte. Nothing of that is unpacked."""
    members = {"data.pkl": b"\x80\x02}.", "data/0": bytes(50_000_000)} | ({"constants.pkl": b""} if constants else {})
    path = archive_of(members, tmp_path / "a.pt", zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 100_000
    with pytest.raises(ValueError, match="compressed, or claims more bytes|claim 5.* bytes, more than the file has"):
        gt.read(path)


def test_dicts_that_double(tmp_path):
    """Forty dicts, each twice in the next: 2^40 names."""
    inner = {"weight_hh": torch.zeros(9, 3)}
    for _ in range(40):
        inner = {"a": inner, "b": inner}
    torch.save(inner, tmp_path / "a.pt")
    with pytest.raises(ValueError, match="nests dicts more than 64 deep, or has more than 200000 names"):
        gt.read(tmp_path / "a.pt")
