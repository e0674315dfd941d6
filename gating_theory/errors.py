"""The package's own exceptions. Bad arguments are plain ValueError or TypeError."""

from __future__ import annotations

from typing import Any

__all__ = ["CapabilityError", "ConvergenceError", "NoCriticalValue"]


class ConvergenceError(RuntimeError):
    """A calculation did not reach its tolerance. ``estimate`` carries the last value reached."""

    def __init__(self, message: str, estimate: Any = None) -> None:
        super().__init__(message)
        self.estimate = estimate


class CapabilityError(ValueError):
    """This cell or ensemble cannot be served by this calculator; the message says what is missing."""


class NoCriticalValue(ValueError):
    """Nothing happens within the bounds that were searched: no change of stability, no fold, no onset."""
