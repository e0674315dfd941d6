"""Types of arguments that many functions take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

__all__ = ["Arrays", "Executor", "Progress", "Rng"]

#: Values of several quantities at many sites: an array with one row for each, or arrays that broadcast with one another.
Arrays = np.ndarray | Sequence[Any]

#: Where random numbers come from: a Generator, a seed, or None for fresh entropy.
Rng = np.random.Generator | np.random.SeedSequence | int | None

#: Who is told how far work has come: nobody, a bar (True), or a callable(done, total).
Progress = bool | Callable[[int, int], object] | None


class Executor(Protocol):
    """Anything with a ``submit`` like that of concurrent.futures.Executor."""

    def submit(self, function: Callable[..., Any], /, *args: Any) -> Any:
        """A future of ``function(*args)``."""
