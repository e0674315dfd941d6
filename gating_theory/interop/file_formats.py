"""What kind of file it is, by its first bytes and the names in its archive; no library is needed to tell."""

from __future__ import annotations

import zipfile
from pathlib import Path

from ..support.checks import path_of
from .wire_format import holds_model

__all__ = ["WORDS", "file_format"]

#: What files are, in words. Everything else is "unknown".
WORDS = {
    "safetensors": "a safetensors file",
    "torch": "a file of torch.save",
    "torchscript": "a TorchScript program",
    "hdf5": "an HDF5 file (Keras, h5py)",
    "keras": "a Keras model (.keras)",
    "npz": "an archive of numpy arrays (.npz)",
    "npy": "a single numpy array (.npy)",
    "onnx": "an ONNX model",
    "msgpack": "a msgpack file (Flax)",
    "empty": "an empty file",
    "unknown": "a file of no known format",
}
_HEAD = 16


def file_format(path: str | Path) -> str:
    """A key of ``WORDS``: what the file is.

    Parameters
    ----------
    path : path of a file

    Raises
    ------
    OSError
        it cannot be opened
    """
    path = path_of("path", path)
    with open(path, "rb") as file:
        head = file.read(_HEAD)
    if not head:
        return "empty"
    if path.suffix == ".safetensors" or (len(head) > 8 and head[8:9] == b"{" and head[4:8] == bytes(4)):
        return "safetensors"
    if head.startswith(b"\x89HDF"):
        return "hdf5"
    if head.startswith(b"\x93NUMPY"):
        return "npy"
    if head.startswith(b"PK"):
        return _archive(path)
    if path.suffix == ".msgpack":
        return "msgpack"
    if path.suffix == ".onnx" or (head.startswith(b"\x08") and holds_model(path)):
        return "onnx"
    if head.startswith((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")):
        return "torch"  # torch.save's older format, a pickle
    if 0x80 <= head[0] <= 0x8F or head[0] in (0xDE, 0xDF):
        return "msgpack"
    return "unknown"


def _archive(path):
    """What a zip archive is by the names of its members."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return {".npz": "npz", ".keras": "keras"}.get(path.suffix, "torch")  # damaged: its reader says how
    if any(name.endswith(".npy") for name in members):
        return "npz"
    if "model.weights.h5" in members or "config.json" in members:
        return "keras"
    if any("/code/" in name or name.endswith("/constants.pkl") for name in members):
        return "torchscript"
    return "torch"
