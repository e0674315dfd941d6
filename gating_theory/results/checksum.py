"""Checksums of what files hold: a flipped bit is noticed, another order of JSON's blanks is none."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    import xarray as xr

__all__ = ["NAME", "checksum_of_dataset", "checksum_of_record", "require_checksum", "require_seal", "seal", "signed"]

#: Under this name records and netCDF files carry their checksum.
NAME = "checksum"

#: A seal, behind the end of a netCDF file, is this and the SHA-256 of all bytes before it; HDF5 reads no further than its own end.
_SEAL = b"gating-theory sha256 "
_SEAL_LENGTH = len(_SEAL) + 64 + 1


def checksum_of_record(record: dict) -> str:
    """SHA-256 of a JSON-ready dict, in hexadecimal digits; its own entry "checksum" is not counted."""
    content = {key: value for key, value in record.items() if key != NAME}
    return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode("ascii")).hexdigest()


def signed(record: dict) -> dict:
    """The record with its checksum."""
    return {**record, NAME: checksum_of_record(record)}


def require_checksum(record: dict, where: object) -> None:
    """ValueError, which names the file or line ``where``, unless the record carries its checksum."""
    if record.get(NAME) != checksum_of_record(record):
        raise ValueError(f"{where} is damaged: its checksum does not match")


def seal(path: str | Path) -> None:
    """Append the checksum of a file's bytes to it."""
    with open(path, "rb+") as file:
        total = _sum_of_bytes(file, file.seek(0, os.SEEK_END))
        file.seek(0, os.SEEK_END)
        file.write(_SEAL + total.encode("ascii") + b"\n")


def require_seal(path: str | Path) -> None:
    """ValueError, which names the file, where it has a seal that does not fit: HDF5 hangs on some damaged files.

    A file without a seal passes: other programs that rewrite it leave the seal out.
    """
    with open(path, "rb") as file:
        length = file.seek(0, os.SEEK_END) - _SEAL_LENGTH
        file.seek(max(0, length))
        found = file.read()
        # the mark itself may be what is damaged
        sealed = sum(a == b for a, b in zip(found, _SEAL)) > len(_SEAL) // 2
        if sealed and found != _SEAL + _sum_of_bytes(file, length).encode("ascii") + b"\n":
            raise ValueError(f"{path} is damaged: its checksum does not match")


def _sum_of_bytes(file: BinaryIO, length: int) -> str:
    """SHA-256 of the first bytes of a file."""
    total = hashlib.sha256()
    file.seek(0)
    while length > 0 and (part := file.read(min(length, 2**20))):
        total.update(part)
        length -= len(part)
    return total.hexdigest()


def checksum_of_dataset(data: xr.Dataset, mark: str) -> str:
    """SHA-256 of names, dimensions, types, bytes and attributes of a Dataset that was read without decoding.

    Parameters
    ----------
    data : xarray.Dataset, loaded with ``decode_cf=False``
    mark : str, the attribute that holds the checksum, not counted
    """
    total = hashlib.sha256()
    head = {"sizes": dict(sorted((str(name), size) for name, size in data.sizes.items()))}
    total.update(_text(head | {"attributes": _attributes({k: v for k, v in data.attrs.items() if k != mark})}))
    for name in sorted(map(str, data.variables)):
        variable = data.variables[name]
        values = np.asarray(variable.values)
        about = [name, list(map(str, variable.dims)), list(values.shape), values.dtype.str, _attributes(variable.attrs)]
        total.update(_text(about))
        # strings come as objects
        total.update(_text(values.tolist()) if values.dtype.kind == "O" else np.ascontiguousarray(values).tobytes())
    return total.hexdigest()


def _attributes(attributes: dict) -> dict[str, Any]:
    return {str(name): [np.asarray(value).dtype.str, np.asarray(value).tolist()] for name, value in sorted(attributes.items())}


def _text(value: object) -> bytes:
    return json.dumps(value, default=repr).encode("ascii")
