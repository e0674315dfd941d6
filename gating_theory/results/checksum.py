"""Checksums of what files hold: a flipped bit is noticed, another order of JSON's blanks is none."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["checksum_of_dataset", "checksum_of_record", "require_checksum", "signed"]

#: Under this name records and netCDF files carry their checksum.
NAME = "checksum"


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
