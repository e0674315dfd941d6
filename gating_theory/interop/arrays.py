"""Arrays of numpy, in archives (.npz) or dicts: with PyTorch's names as they are, with names of their own by ``names``."""

from __future__ import annotations

import os
from typing import Any

from ..support.checks import path_of
from . import onnx, state_dicts, torch_modules
from .contents import Asked, Contents
from .file_formats import WORDS, file_format
from .hdf5 import opened
from .msgpack_files import msgpack_tree
from .named import named_contents
from .npz_files import npz_arrays
from .safetensors_files import safetensors_content
from .stored import Stored
from .torch_files import torch_content
from .trees import flattened, is_tree, listed, parts_of

__all__ = ["arrays_of", "by_names", "contents", "knows"]


def knows(source: Any) -> bool:
    """Whether it is an .npz file, or a mapping, nested or not, that holds arrays."""
    return is_tree(source) or (isinstance(source, os.PathLike) and file_format(path_of("source", source)) == "npz")


def contents(source: Any, asked: Asked) -> Contents:
    """The recurrent modules of an archive or dict of arrays.

    Parameters
    ----------
    source : path or mapping
    asked : Asked

    Raises
    ------
    ValueError
        none of its arrays has a name of recurrent weights
    """
    if asked.names is not None:
        return by_names(source, asked)
    arrays, where, words = arrays_of(source)
    if not state_dicts.knows(arrays):
        what = f"its arrays are {listed(arrays)}" if arrays else "it holds no arrays"
        raise ValueError(
            f"{where} has no names of recurrent weights as PyTorch or Flax has them; {what}: say which is which with "
            "names={'weight_hh': .., 'weight_ih': ..}, kind=, order=, transposed="
        )
    return state_dicts.listed(arrays, where, words, asked)


def by_names(source: Any, asked: Asked) -> Contents:
    """The module whose arrays ``asked.names`` names, in any source of arrays by names.

    Parameters
    ----------
    source : mapping, or module of PyTorch, or path of a file of numpy, Flax, safetensors, PyTorch, h5py or ONNX
    asked : Asked, with ``names``
    """
    arrays, where, _ = arrays_of(source)
    return named_contents(arrays, where, asked)


def arrays_of(source: Any) -> tuple[dict[str, Any], str, str]:
    """The arrays of a source by their names, what the source is called, and its format in words.

    Parameters
    ----------
    source : mapping, or module of PyTorch, or path of a file of numpy (.npz), Flax (msgpack), safetensors, PyTorch, h5py or ONNX

    Raises
    ------
    TypeError, ValueError
        neither; a file of another kind; a damaged one
    """
    if is_tree(source):
        return flattened(source), "dict of arrays", "PyTorch's names"
    if onnx.knows(source):
        return dict(onnx.initializers(source)), getattr(source, "name", "ModelProto"), WORDS["onnx"]
    if torch_modules.knows(source):
        return flattened(source.state_dict()), type(source).__name__, "PyTorch module"
    if not isinstance(source, (str, os.PathLike)):
        raise TypeError(f"names= is for files and dicts of arrays, got {type(source).__name__}")
    path = path_of("source", source)
    kind = file_format(path)
    if kind == "npz":
        return dict(npz_arrays(path)), path.name, WORDS[kind]
    if kind == "msgpack":
        return flattened(msgpack_tree(path)), path.name, WORDS[kind]
    if kind == "safetensors":
        return dict(safetensors_content(path)), path.name, WORDS[kind]
    if kind == "torch":
        return flattened(torch_content(path)), path.name, WORDS[kind]
    if kind == "hdf5":
        return _in_hdf5(path), path.name, WORDS[kind]
    raise ValueError(f"names= is for files and dicts of arrays, {path} is {WORDS[kind]}")


def _in_hdf5(path):
    """The arrays of an HDF5 file, each read by opening it again."""

    def stored(inner, array):
        def read():
            with opened(path, path.name) as file:
                return file.read(inner)

        return Stored(array.shape, array.problem or "float64", read)

    with opened(path, path.name) as file:
        return {".".join(parts_of(inner)): stored(inner, array) for inner, array in file.arrays.items()}
