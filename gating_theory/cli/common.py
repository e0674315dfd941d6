"""What commands share: directories and texts to write, worker processes, progress."""

from __future__ import annotations

import math
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..support.files import write_atomically

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from ..running.progress import Counter

__all__ = ["counter", "directory", "plain", "pool", "write_text"]


def write_text(path: Path, text: str) -> None:
    """Write a text file, all of it or nothing."""
    write_atomically(path, lambda name: Path(name).write_text(text, encoding="utf-8"))


def directory(path: Path | None) -> Path | None:
    """The directory, made if it is not there; None stays None."""
    if path is not None:
        path.mkdir(parents=True, exist_ok=True)
    return path


def pool(jobs: int) -> AbstractContextManager[Executor | None]:
    """Worker processes, or nothing for one job."""
    if jobs == 1:
        return nullcontext(None)
    from .workers import workers

    return workers(jobs)


def counter(label: str) -> Counter:
    """A progress callback for the terminal, or for a log."""
    from ..running.progress import Counter

    return Counter(label, sys.stderr)


def plain(value: Any) -> Any:
    """Plain JSON: arrays as lists, NaN as null."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value
