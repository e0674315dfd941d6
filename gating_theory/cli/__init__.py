"""The command ``gating-theory``."""

from .command import main

__all__ = ["main"]
