"""Validation of arguments: every message names the argument, its value and what is allowed."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from .types import Rng

__all__ = ["real", "integer", "real_array", "complex_array", "generator"]


def real(name: str, value: object, *, low: float = -np.inf, high: float = np.inf, open_low: bool = False) -> float:
    """A finite float in [low, high] (or (low, high] with ``open_low``)."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a real number, got {value!r}")
    number = float(value)
    if not np.isfinite(number):
        raise ValueError(f"{name} must be finite, got {value!r}")
    if number < low or number > high or (open_low and number == low):
        left = "(" if open_low or low == -np.inf else "["
        right = ")" if high == np.inf else "]"
        raise ValueError(f"{name} must lie in {left}{low}, {high}{right}, got {value!r}")
    return number


def integer(name: str, value: object, *, low: int = 0, high: int | None = None) -> int:
    """An int of at least ``low`` (and at most ``high``); floats are refused even when whole, so that 1e3 is not taken silently."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    value = int(value)
    if high is not None and not low <= value <= high:
        raise ValueError(f"{name} must lie in [{low}, {high}], got {value!r}")
    if value < low:
        raise ValueError(f"{name} must be at least {low}, got {value!r}")
    return value


def complex_array(name: str, value: Any) -> np.ndarray:
    """A complex array of any shape, finite and at most 1e100 in modulus (squares must not overflow)."""
    try:
        if value is None:  # numpy would make it a nan
            raise TypeError
        array = np.asarray(value, dtype=complex)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number or an array of complex numbers, got {value!r}") from None
    _require_finite(name, array)
    large = np.abs(array) > 1e100
    if large.any():
        raise ValueError(f"{name} must be at most 1e100 in modulus, got {complex(array[large].flat[0])}")
    return array


def real_array(name: str, value: Any) -> np.ndarray:
    """A float array of any shape, finite."""
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "fiu":
            raise TypeError
        array = array.astype(float, copy=False)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be an array of real numbers, got {value!r}") from None
    _require_finite(name, array)
    return array


def _require_finite(name, array):
    finite = np.isfinite(array)
    if not finite.all():
        raise ValueError(f"{name} must be finite, got {array[~finite].flat[0].item()}")


def generator(rng: Rng) -> np.random.Generator:
    """``rng`` as a numpy Generator: an existing Generator, a seed, or None for fresh entropy."""
    if isinstance(rng, np.random.Generator):
        return rng
    if rng is None or isinstance(rng, np.random.SeedSequence):
        return np.random.default_rng(rng)
    return np.random.default_rng(integer("rng", rng))
