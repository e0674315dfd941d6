"""TorchScript programs: the tensors of their modules by name. Their code is not run, and PyTorch is not needed."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .contents import Asked, Contents
from .inert_pickle import Call, Name, inert
from .state_dicts import listed
from .stored import Stored, numbers

__all__ = ["torchscript_contents", "torchscript_tensors"]

#: PyTorch's storages of real numbers: type here, bytes of a number.
_REAL = {"Double": ("float64", 8), "Float": ("float32", 4), "Half": ("float16", 2), "BFloat16": ("bfloat16", 2)}
_TENSOR = frozenset({"torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_tensor"})
_PARAMETER = "torch._utils _rebuild_parameter"
#: How the classes of a program's modules are named; those of a script that was run itself have no module.
_CODE = ("__torch__.", "__torch__ ")
#: So many modules, and such a depth, are no model any more.
_MOST_MODULES, _DEEPEST = 20_000, 64
#: The part of each text of code in which the function of an RNN is looked for, bytes, and how many texts.
_LONGEST_TEXT, _MOST_TEXTS = 1_000_000, 1000


def torchscript_contents(path: Path, asked: Asked) -> Contents:
    """The recurrent modules of a program.

    Parameters
    ----------
    path : Path
    asked : Asked
        Which function an RNN applies stands in the code alone: where its text has one of tanh and relu, that one is taken.

    Raises
    ------
    OSError, ValueError
        as :func:`torchscript_tensors`
    """
    tensors = torchscript_tensors(path)
    found = listed(tensors, path.name, "TorchScript", asked)
    plain = [name for name, module in found.modules.items() if module.kind == "RNN"]
    functions = _functions_of_rnns(path) if plain and asked.nonlinearity is None and asked.kind is None else set()
    if functions == {"relu"}:
        rectified = listed(tensors, path.name, "TorchScript", replace(asked, nonlinearity="relu")).modules
        return replace(found, modules={**found.modules, **{name: rectified[name] for name in plain}})
    if len(functions) == 2:
        problem = "the program has RNNs of tanh and of relu, and does not say which this is: pass nonlinearity="
        told = {name: replace(found.modules[name], problem=problem) for name in plain}
        return replace(found, modules={**found.modules, **told})
    return found


def _functions_of_rnns(path):
    """Which of "tanh" and "relu" stand as functions of RNNs in the texts of a program's code."""
    found = set()
    with zipfile.ZipFile(path) as archive:
        for info in [info for info in archive.infolist() if info.filename.endswith(".py")][:_MOST_TEXTS]:
            try:
                with archive.open(info) as file:
                    text = file.read(_LONGEST_TEXT)
            except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, RuntimeError, zlib.error) as error:
                name = info.filename[-60:]
                raise ValueError(
                    f"{path.name} is not a TorchScript program that can be read: {name!r}: {str(error)[:80]}"
                ) from None
            found |= {name for name in ("tanh", "relu") if f"torch.rnn_{name}".encode() in text}
    return found


def torchscript_tensors(path: Path) -> dict[str, Stored]:
    """The parameters and buffers of a program by their dotted names, as its state dict has them; numbers are read when asked for.

    Parameters
    ----------
    path : Path

    Raises
    ------
    OSError
        it cannot be opened
    ValueError
        it is damaged, or no program
    """
    archive = _Archive(path.resolve())
    try:
        root = inert(archive.member("data.pkl"))
    except ValueError as error:
        raise archive.damaged(str(error)) from None
    tensors, waiting, seen = {}, [("", root, 0)], 0
    while waiting:
        prefix, module, depth = waiting.pop()
        seen += 1
        if depth > _DEEPEST or seen > _MOST_MODULES:
            raise archive.damaged(f"it nests modules more than {_DEEPEST} deep, or has more than {_MOST_MODULES}")
        if not _is_module(module):
            raise archive.damaged("its root is no module")
        for name, value in module.state.items():
            if _is_module(value):
                waiting.append((f"{prefix}{name}.", value, depth + 1))
            elif (tensor := _rebuilt(value)) is not None:
                tensors[f"{prefix}{name}"] = archive.tensor(f"{prefix}{name}", tensor)
    return tensors


def _is_module(value):
    return isinstance(value, Call) and value.what is not None and value.what.text.startswith(_CODE) and _has_names(value)


def _has_names(value):
    return isinstance(value.state, dict) and all(isinstance(name, str) for name in value.state)


def _rebuilt(value):
    """What a tensor is made from, None of what is none."""
    if isinstance(value, Call) and value.what == Name(_PARAMETER) and value.arguments:
        value = value.arguments[0]
    if isinstance(value, Call) and value.what is not None and value.what.text in _TENSOR:
        return value.arguments
    return None


class _Archive:
    """The zip archive, with everything that it says of itself checked against its size."""

    def __init__(self, path: Path) -> None:
        self.path, self.size = path, path.stat().st_size
        try:
            with zipfile.ZipFile(path) as archive:
                self.members = {info.filename.partition("/")[2]: info for info in archive.infolist()}
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise self.damaged(str(error)[:80]) from None
        if "byteorder" in self.members and self.member("byteorder") != b"little":
            raise self.damaged("its numbers are not little-endian")

    def damaged(self, reason: str) -> ValueError:
        return ValueError(f"{self.path.name} is not a TorchScript program that can be read: {reason}")

    def member(self, name: str) -> bytes:
        info = self.members.get(name)
        if info is None:
            raise self.damaged(f"it lacks {name[:60]!r}")
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size or info.file_size > self.size:
            raise self.damaged(f"{name[:60]!r} is compressed, or claims more bytes than the file has")
        try:
            with zipfile.ZipFile(self.path) as archive:
                return archive.read(info)
        except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
            raise self.damaged(f"{name[:60]!r}: {str(error)[:80]}") from None

    def tensor(self, label: str, made_from: tuple[Any, ...]) -> Stored:
        """A tensor from its storage, offset, sizes and strides, all of them checked."""
        try:
            storage, offset, shape, strides = made_from[:4]
            _, kind, key, _, count = storage.arguments
            kind = kind.text.removeprefix("torch ").removesuffix("Storage")
            entries = [offset, count, *shape, *strides]
        except (AttributeError, TypeError, ValueError):
            raise self.damaged(f"tensor {label[-60:]!r} has no storage of numbers") from None
        if not all(type(n) is int and n >= 0 for n in entries) or len(shape) != len(strides) or not isinstance(key, str):
            raise self.damaged(f"tensor {label[-60:]!r} has no sizes and strides") from None
        dtype, width = _REAL.get(kind, (kind, 0))
        tensor = Stored(tuple(shape), dtype, lambda: self._numbers(label, key, dtype, width * count, offset, shape, strides))
        last = offset + sum((n - 1) * step for n, step in zip(shape, strides))
        if 0 not in shape and (last >= count or tensor.size > count):
            raise self.damaged(f"tensor {label[-60:]!r} of shape {tuple(shape)} has more numbers than its storage of {count}")
        if width and getattr(self.members.get(f"data/{key}"), "file_size", None) != width * count:
            raise self.damaged(
                f"tensor {label[-60:]!r} needs {width * count} bytes in 'data/{key[:20]}', which has others or is not there"
            )
        return tensor

    def _numbers(self, label, key, dtype, size, offset, shape, strides):
        content = self.member(f"data/{key}")
        if len(content) != size:
            raise self.damaged(f"tensor {label[-60:]!r} ends before its end")
        vector = numbers(content, dtype)
        if 0 in shape:
            return np.zeros(shape)
        steps = [step * vector.itemsize for step in strides]
        return np.lib.stride_tricks.as_strided(vector[offset:], tuple(shape), steps).copy()
