"""What this package's arithmetic means, whatever the user has told numpy to do about floating-point errors."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import numpy as np

__all__ = ["underflow_is_zero"]

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
