"""What stands in a checkpoint beside tensors and is harmless: options, numbers of numpy, paths. Empty classes take their places.

A checkpoint names the class ``argparse.Namespace``; what it gets is a class of that name made here, which keeps what it is given
and does nothing. No class of numpy or of Python is handed to a file: numpy's own reconstruction trusts what it is told.
"""

from __future__ import annotations

from typing import Any

__all__ = ["stand_ins"]

#: Modules and names of what checkpoints hold.
_CLASSES = {
    "argparse": ("Namespace",),
    "types": ("SimpleNamespace",),
    "pathlib": ("Path", "PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath"),
    "pathlib._local": ("Path", "PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath"),
    "numpy": ("dtype", "ndarray"),
    "numpy.dtypes": tuple(
        f"{name}DType" for name in "Bool Int8 Int16 Int32 Int64 UInt8 UInt16 UInt32 UInt64 Float16 Float32 Float64 Str".split()
    ),
    # functions, called like classes; numpy renamed the module
    "numpy.core.multiarray": ("scalar", "_reconstruct"),
    "numpy._core.multiarray": ("scalar", "_reconstruct"),
}


class _Inert:
    """Takes any arguments and any state, and does nothing with them."""

    def __new__(cls, *arguments: Any) -> _Inert:
        return super().__new__(cls)

    def __init__(self, *arguments: Any) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


def stand_ins() -> list[Any]:
    """Inert classes under the names of what checkpoints hold, for ``torch.serialization.safe_globals``."""
    return [
        type(name, (_Inert,), {"__module__": module, "__qualname__": name}) for module, names in _CLASSES.items() for name in names
    ]
