"""Files of PyTorch: checkpoints of torch.save and safetensors files. Nothing in them is executed."""

from __future__ import annotations

import contextlib
import io
import os
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..support.checks import path_of
from .contents import Asked, Contents
from .file_formats import WORDS, file_format
from .safetensors_files import safetensors_content
from .stand_ins import stand_ins
from .state_dicts import listed
from .torchscript_files import torchscript_contents

__all__ = ["contents", "knows", "torch_content"]

_FORMATS = {"torch": "PyTorch checkpoint", "safetensors": "safetensors", "torchscript": "TorchScript"}


def knows(source: Any) -> bool:
    """Whether it is the path of a file that may be PyTorch's, or of one that no reader knows, for which it has words.

    Parameters
    ----------
    source : object
    """
    return isinstance(source, os.PathLike) and file_format(path_of("source", source)) in (*_FORMATS, "empty", "unknown")


def contents(source: Any, asked: Asked) -> Contents:
    """The recurrent modules of a file.

    Parameters
    ----------
    source : path
    asked : Asked

    Raises
    ------
    OSError
        it cannot be opened
    ImportError
        it needs PyTorch
    ValueError
        it is damaged, holds more than tensors and plain containers, or is of no known format
    """
    path = path_of("source", source)
    format = file_format(path)
    if format == "empty":
        raise ValueError(f"{path} is empty")
    if format not in _FORMATS:
        raise ValueError(
            f"{path} is {WORDS[format]}: it is no checkpoint of torch.save, or only a part of one, and no safetensors file"
        )
    if format == "torchscript":
        return torchscript_contents(path, asked)
    content = safetensors_content(path) if format == "safetensors" else torch_content(path)
    return listed(content, path.name, _FORMATS[format], asked)


def torch_content(path: Path) -> Mapping[str, Any]:
    """The content of a file of torch.save: tensors and plain containers, never objects.

    Parameters
    ----------
    path : Path

    Raises
    ------
    ImportError
        it needs PyTorch
    ValueError
        it is damaged, or holds more than tensors and plain containers
    """
    try:
        import torch
    except ImportError as error:
        text = f"PyTorch is needed to read {path.name} and cannot be imported ({error}): pip install 'gating-theory[torch]'"
        raise ImportError(text, name="torch") from None
    _refuse_compressed(path)
    try:
        # PyTorch 2.4 has no such context
        among = getattr(torch.serialization, "safe_globals", contextlib.nullcontext)
        with warnings.catch_warnings(), among(stand_ins()):
            warnings.simplefilter("ignore")  # of torch about its own formats; what matters is an error below
            # of the older format from memory: a file would make room for whatever length a damaged text claims
            source = path if zipfile.is_zipfile(path) else io.BytesIO(path.read_bytes())
            content = torch.load(source, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises pickle, zip, runtime and key errors alike
        if "weights_only" in str(error) or "Unsupported" in str(error):
            raise ValueError(
                f"{path} holds more than tensors ({_brief(error)}): nothing in it was executed; save module.state_dict(), "
                "or, where you trust the file, read it within torch.serialization.safe_globals([..]) of the classes that it names"
            ) from None
        reason = f"{type(error).__name__}: {_brief(error)}"
        raise ValueError(f"{path} is no checkpoint of torch.save, or only a part of one ({reason})") from None
    if not isinstance(content, Mapping):
        raise ValueError(f"{path} must hold a state dict, a mapping from names to tensors, got {type(content).__name__}")
    return content


def _refuse_compressed(path):
    """torch.save compresses nothing: members that grow when they are read are none of its own."""
    try:
        with zipfile.ZipFile(path) as archive:
            grown = sum(info.file_size for info in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return  # the older format is no archive; what is damaged torch refuses
    if grown > path.stat().st_size:
        raise ValueError(f"{path} is no checkpoint of torch.save: its members claim {grown} bytes, more than the file has")


def _brief(error):
    """The line of an error that says what is wrong, without torch's advice on how to load the file all the same."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if "Unsupported" in line or "GLOBAL" in line]
    text = re.split(r"(?<=[a-z)])\. ", (telling or lines or [type(error).__name__])[0])
    chosen = next((part for part in text if "Unsupported" in part or "GLOBAL" in part), text[0])
    return chosen if len(chosen) < 200 else chosen[:197] + "..."
