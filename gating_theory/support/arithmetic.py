"""What this package's arithmetic means, whatever the user has told numpy to do about floating-point errors."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import numpy as np

__all__ = ["to_error", "underflow_is_zero"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


def underflow_is_zero(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """A calculator in which what is too small for a number is zero, also after ``np.seterr(all="raise")``.

    Weights of far sites, slopes of shut gates and densities beside the support are meant to vanish. Overflow and invalid operations
    are dealt with where they can arise.
    """

    @wraps(function)
    def calculate(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        with np.errstate(under="ignore"):
            return function(*args, **kwargs)

    return calculate


def to_error(value: float, error: float, digits: int = 10, more: int = 0) -> str:
    """``value`` with the digits that an error leaves, and at most so many; 0 where the error is larger.

    Parameters
    ----------
    value : float
    error : float, not negative; nan where it is not known
    digits : int, at most
    more : int, decimals behind the one in which the error is felt first
    """
    if not 0.0 < error < math.inf:
        return f"{value:.{digits}g}"
    decimals = more - math.floor(math.log10(error))
    return f"{round(value, decimals) + 0.0:.{digits}g}"
