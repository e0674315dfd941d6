"""Weights of whatever kind, read by the reader that knows it.

A reader is a module of this folder with two functions:

    knows(source) -> bool                        whether it is one of its kind: a module of its library, a file with its ending
    read(source, **which) -> RecurrentWeights    the weights, checked; ``which`` are options such as prefix and kind

To add one, write the module and enter it into ``READERS`` with the library that it needs. That is imported only when the reader is
asked; a reader whose library is missing is passed over, and any other error of its import is raised.
"""

from __future__ import annotations

import os
from dataclasses import replace
from importlib import import_module
from typing import Any

from ..support.checks import path_of, shown
from .layers import RecurrentWeights

__all__ = ["READERS", "read"]

#: {module of this folder: the library that it imports}, in the order in which they are asked. PyTorch's takes every file, whatever
#: its ending: it comes last.
READERS: dict[str, str] = {"torch": "torch"}


def read(source: Any, **which: Any) -> RecurrentWeights:
    """Weights of a recurrent module, from the first reader that knows the source.

    Parameters
    ----------
    source : module, state dict, path of a checkpoint (see ``gating_theory.interop.torch.read``), or RecurrentWeights as they are
    which : options of the reader: ``prefix``, ``kind``, ``nonlinearity``, ``batch_first``

    Returns
    -------
    RecurrentWeights

    Raises
    ------
    TypeError : no reader knows it
    FileNotFoundError : a path to nothing
    ImportError : nor may it be known, as the library of a reader is missing; or a reader cannot be imported for another reason
    ValueError : what the reader says of it
    """
    if isinstance(source, RecurrentWeights):
        order = which.get("batch_first")
        return source if order is None else replace(source, batch_first=order)
    # the import of a library may take seconds
    if isinstance(source, (str, os.PathLike)) and not path_of("source", source).exists():
        raise FileNotFoundError(f"source: there is no file {shown(str(source))}")
    missing = []
    for name, library in READERS.items():
        try:
            reader = import_module(f".{name}", __package__)
        except ImportError as error:
            if error.name != library:
                raise
            missing.append(error)
            continue
        if reader.knows(source):
            return reader.read(source, **which)
    if missing:
        raise missing[0]
    raise TypeError(
        f"source must be a recurrent module, a state dict or the path of a checkpoint, for one of the readers {list(READERS)}, "
        f"got {type(source).__name__}"
    )
