"""Validation of arguments: every message names the argument, its value in a few words, and what is allowed."""

from __future__ import annotations

import errno
import numbers
import os
import reprlib
from collections.abc import Collection, Mapping, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, TypeGuard, TypeVar

import numpy as np

from .types import Rng

__all__ = [
    "boolean",
    "choice",
    "complex_array",
    "complex_number",
    "generator",
    "instance",
    "integer",
    "integers",
    "interval",
    "meant",
    "numeric_array",
    "path_of",
    "real",
    "real_array",
    "real_numbers",
    "real_or_nan",
    "reals",
    "several",
    "shares",
    "shown",
    "sign",
    "text",
    "texts",
    "unequal_shapes",
]

_T = TypeVar("_T")

#: Counts beyond this fit no index; what is merely too large for the memory is refused where it would be taken.
_LARGEST_COUNT = 2**63 - 1
#: Bytes of a name in a directory that systems allow.
_LONGEST_NAME = 255
#: Words that share less than this part of their letters, in order, are not taken for one another; nor are longer ones.
_ALIKE, _LONGEST_WORD = 0.65, 60
#: What Python and numpy count among the numbers, and no argument means.
_NO_NUMBERS = (bool, np.bool_, np.timedelta64)


class _Short(reprlib.Repr):
    """What a message quotes of a value: the beginning, as whole arrays and states fill a screen."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = 60
        self.maxlevel, self.maxdict, self.maxlist, self.maxtuple, self.maxset = 2, 3, 4, 4, 4

    def repr_int(self, x: int, level: int) -> str:
        # Python refuses to write integers of more than 4300 digits
        return repr(x) if x.bit_length() < 128 else f"an integer of {x.bit_length()} bits"

    def repr_ndarray(self, x: np.ndarray, level: int) -> str:
        if x.size > 4 or x.dtype.kind in "OV":
            return f"an array of shape {x.shape} of {x.dtype if x.dtype.names is None else 'records'}"
        return repr(x)

    def repr_instance(self, x: object, level: int) -> str:
        try:
            return " ".join(super().repr_instance(x, level).split())
        except Exception:  # an object of somebody else that cannot be shown
            return f"an object of type {type(x).__name__}"


_short = _Short()


def shown(value: object) -> str:
    """``value`` as messages quote it: its repr where that is short, the ends of it or its shape where it is not."""
    words = _short.repr(value)
    return words if len(words) <= 100 else f"{words[:90]}..."


def instance(name: str, value: object, kind: type[_T], hint: str = "") -> _T:
    """``value``, if it is one of ``kind``; TypeError otherwise, with a ``hint`` at where one comes from."""
    if not isinstance(value, kind):
        word = kind.__name__ if kind is not Mapping else "mapping"
        plural = word.endswith("s") and not word.endswith("sis")
        article = "" if plural else "an " if word[0] in "AEIO" else "a "
        more = f", {hint}" if hint else ""
        raise TypeError(f"{name} must be {article}{word}{more}, got {shown(value)}")
    return value


def boolean(name: str, value: object) -> bool:
    """True or False; words and numbers are refused, so that "False" is not taken for True."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {shown(value)}")
    return bool(value)


def text(name: str, value: object) -> str:
    """A str that is not empty."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, got {shown(value)}")
    if not value:
        raise ValueError(f"{name} must not be empty")
    return value


def several(name: str, value: Any, kind: type[_T], what: str) -> tuple[_T, ...]:
    """What an iterable holds, each one of ``kind``: of ``what``, as messages call them; one word is no sequence of letters."""
    try:
        items = None if isinstance(value, (str, bytes)) else tuple(value)
    except TypeError:  # also of arrays without dimensions, which look like iterables
        items = None
    if items is None or not all(isinstance(item, kind) for item in items):
        raise TypeError(f"{name} must be a sequence of {what}, got {shown(value)}")
    return items


def texts(name: str, value: Any, what: str = "str") -> tuple[str, ...]:
    """Several words, of ``what``."""
    return several(name, value, str, what)


def path_of(name: str, value: object) -> Path:
    """The path of a file, given as a str or path-like."""
    if not isinstance(value, (str, os.PathLike)) or isinstance(os.fspath(value), bytes):
        raise TypeError(f"{name} must be a str or path-like, got {shown(value)}")
    if "\0" in os.fspath(value):
        raise ValueError(f"{name} must not hold a null character, got {shown(value)}")
    path = Path(value)
    if any(len(os.fsencode(part)) > _LONGEST_NAME for part in path.parts):  # the system repeats it, however long it is
        raise OSError(errno.ENAMETOOLONG, f"{name} is too long: {os.strerror(errno.ENAMETOOLONG)}", shown(str(path)))
    return path


def choice(name: str, value: object, allowed: Collection[str]) -> str:
    """One of the words ``allowed``."""
    if not isinstance(value, str) or value not in allowed:
        words = [repr(word) for word in allowed]
        listed = " or ".join(words) if len(words) == 2 else f"one of {', '.join(words)}"
        kind = ValueError if isinstance(value, str) else TypeError
        raise kind(f"{name} must be {listed}, got {shown(value)}{meant(value, allowed)}")
    return value


def meant(value: object, allowed: Collection[str]) -> str:
    """What a message adds to a word that is none of those ``allowed``: the one that it is most like, or nothing.

    Nothing too where several are as much like it. Of a word such as "moment:<message>" the part before the colon counts.
    """
    if not isinstance(value, str) or len(value) > _LONGEST_WORD:
        return ""
    word = value.lower()
    scores = {a: SequenceMatcher(None, word, a.partition(":")[0].lower()).ratio() for a in allowed}
    best = max(scores.values(), default=0.0)
    likely = [a for a, score in scores.items() if score == best]
    return f" (did you mean {likely[0]!r}?)" if best >= _ALIKE and len(likely) == 1 else ""


def real(name: str, value: object, *, low: float = -np.inf, high: float = np.inf, open_low: bool = False) -> float:
    """A finite float in [low, high] (or (low, high] with ``open_low``)."""
    if isinstance(value, np.ndarray) and value.ndim == 0 and not np.ma.isMaskedArray(value):
        value = value[()]
    if isinstance(value, _NO_NUMBERS) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a real number, got {shown(value)}")
    try:
        number = float(value)
    except OverflowError:
        number = np.inf
    if not np.isfinite(number):
        raise ValueError(f"{name} must be finite, got {shown(value)}")
    if number < low or number > high or (open_low and number == low):
        left = "(" if open_low or low == -np.inf else "["
        right = ")" if high == np.inf else "]"
        raise ValueError(f"{name} must lie in {left}{low}, {high}{right}, got {shown(value)}")
    return number


def real_or_nan(name: str, value: object) -> float:
    """A finite float, or nan where nothing is known."""
    return float("nan") if isinstance(value, float) and value != value else real(name, value)


def integer(name: str, value: object, *, low: int = 0, high: int | None = None) -> int:
    """An int of at least ``low`` (and at most ``high``); floats are refused even when whole, so that 1e3 is not taken silently."""
    number = _whole(name, value)
    if high is not None and not low <= number <= high:
        raise ValueError(f"{name} must lie in [{low}, {high}], got {shown(value)}")
    if number < low:
        raise ValueError(f"{name} must be at least {low}, got {shown(value)}")
    if number > _LARGEST_COUNT:
        raise ValueError(f"{name} must be at most {_LARGEST_COUNT}, got {shown(value)}")
    return number


def _whole(name: str, value: Any) -> int:
    if isinstance(value, _NO_NUMBERS) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer, got {shown(value)}")
    return int(value)


def integers(name: str, value: Any, *, low: int = 0, high: int | None = None) -> np.ndarray:
    """An int array of any shape, each at least ``low`` (and at most ``high``); a whole float is none, as for :func:`integer`."""
    if isinstance(value, (list, tuple)) and not value:  # numpy takes nothing for floats
        return np.zeros(0, dtype=int)
    array = _numbers(name, value, "iu", "an integer or an array of integers")
    for extreme in (array.min(), array.max()) if array.size else ():
        integer(name, extreme.item(), low=low, high=high)
    return array.astype(int, copy=False)


def interval(name: str, value: Any) -> tuple[float, float]:
    """Two finite numbers, (low, high) with low < high."""
    low, high = reals(name, value, "low", "high")
    if not low < high:
        raise ValueError(f"{name} must be increasing, (low, high) with low < high, got {shown(value)}")
    return low, high


def reals(name: str, value: Any, *parts: str) -> list[float]:
    """As many finite floats as ``parts`` have names: ``reals("bounds", bounds, "low", "high")``."""
    try:
        found = [] if isinstance(value, (str, bytes, dict, set)) else list(value)
    except TypeError:
        found = []
    if len(found) != len(parts):
        raise TypeError(f"{name} must be ({', '.join(parts)}), got {shown(value)}")
    return [real(f"{name}[{i}]", x) for i, x in enumerate(found)]


def sign(name: str, value: object) -> int:
    """1 or -1, which way to go."""
    if integer(name, value, low=-1, high=1) == 0:
        raise ValueError(f"{name} must be 1 or -1, got 0")
    return int(value)  # type: ignore[call-overload]  # an integer, as has just been seen


def complex_array(name: str, value: Any) -> np.ndarray:
    """A complex array of any shape, finite and at most 1e100 in modulus (squares must not overflow)."""
    array = numeric_array(name, value)
    _require_finite(name, array)
    array = array.astype(complex)
    large = np.abs(array) > 1e100
    if large.any():
        raise ValueError(f"{name} must be at most 1e100 in modulus, got {complex(array[large].flat[0])}")
    return array


def complex_number(name: str, value: Any) -> complex:
    """One finite complex number, or a ValueError; TypeError for what is no number."""
    array = complex_array(name, value)
    if array.ndim:
        raise ValueError(f"{name} must be one number, got {shown(value)}")
    return complex(array)


def real_array(name: str, value: Any, *, largest: float = np.inf) -> np.ndarray:
    """A float array of any shape, finite, and of modulus ``largest`` at most (squares of 1e100 do not overflow)."""
    array = real_numbers(name, value)
    _require_finite(name, array)
    if np.isfinite(largest) and array.size and np.abs(array).max() > largest:
        raise ValueError(f"{name} must be at most {largest:g} in modulus, got {shown(array)}")
    return array


def shares(name: str, value: Any) -> np.ndarray:
    """A float array of any shape with numbers between 0 and 1, both excluded."""
    array = real_array(name, value)
    if not ((array > 0.0) & (array < 1.0)).all():
        raise ValueError(f"{name} must lie in (0, 1), got {shown(value)}")
    return array


def real_numbers(name: str, value: Any) -> np.ndarray:
    """A float array of any shape, which may hold infinities and nan."""
    return _numbers(name, value, "fiu", "an array of real numbers").astype(float, copy=False)


def numeric_array(name: str, value: Any) -> np.ndarray:
    """An array of real or complex numbers of any shape, as it comes: it may hold infinities and nan."""
    return _numbers(name, value, "fiuc", "a number or an array of complex numbers")


def unequal_shapes(value: Any) -> TypeGuard[Sequence[Any]]:
    """Whether ``value`` is a list or tuple of arrays of several shapes, such as sequences of different lengths."""
    if not isinstance(value, (list, tuple)):
        return False
    try:
        return len({np.shape(entry) for entry in value}) > 1
    except Exception:  # entries that are ragged themselves, or no arrays: not for us to name
        return False


def _numbers(name, value, kinds, allowed):
    """``value`` as an array of numbers of these kinds: words, truth values, dates and objects are none."""
    try:
        array = np.asarray(value)
    except Exception:  # ragged lists; objects of somebody else that cannot become arrays say so in many ways
        array = None
    if array is None or array.dtype.kind not in kinds:
        raise TypeError(f"{name} must be {allowed}, got {shown(value)}")
    if np.ma.is_masked(value):
        raise ValueError(f"{name} has masked entries: leave them out, or fill them with numbers")
    return array


def _require_finite(name, array):
    try:
        finite = np.isfinite(array)
    except MemoryError:  # a view can claim more entries than there is memory for
        raise MemoryError(f"{name} has shape {array.shape}: more entries than fit into the memory") from None
    if not finite.all():
        raise ValueError(f"{name} must be finite, got {array[~finite].flat[0].item()}")


def generator(rng: Rng) -> np.random.Generator:
    """``rng`` as a numpy Generator: an existing Generator, a seed of any size, or None for fresh entropy."""
    if isinstance(rng, np.random.Generator):
        return rng
    if rng is None or isinstance(rng, np.random.SeedSequence):
        return np.random.default_rng(rng)
    seed = _whole("rng", rng)
    if seed < 0:
        raise ValueError(f"rng must be at least 0, got {shown(rng)}")
    return np.random.default_rng(seed)
