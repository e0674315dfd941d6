"""What results look like at a prompt and in a notebook, and when two of them are equal.

At a prompt a result is one line, however large its arrays are; ``print`` and notebooks show its report. Two results are equal if
all that is saved of them is: dataclasses with arrays would raise an error instead.
"""

from __future__ import annotations

import html
import inspect
from typing import Any

import numpy as np

__all__ = ["first_line", "in_html", "same", "written"]

#: Characters of a line that nobody has to scroll for.
_LINE = 200


def written(cls: type, name: str) -> bool:
    """Whether somebody has written the method of this name: it is neither object's nor one that a dataclass was made with.

    Parameters
    ----------
    cls : type
    name : str, such as "__repr__"
    """
    method = getattr(cls, name, None)
    if method is None or method is getattr(object, name, None):
        return False
    code = getattr(inspect.unwrap(method), "__code__", None)
    return code is None or not code.co_qualname.startswith("__create_fn__.")


def first_line(text: str, length: int = _LINE) -> str:
    """The first line of a text, cut to a length that is read at a glance; dots say that there is more.

    Parameters
    ----------
    text : str
    length : int, characters
    """
    line, *rest = text.strip().splitlines() or [""]
    return f"{line[:length]} ..." if rest or len(line) > length else line


def in_html(report: str) -> str:
    """A report as notebooks show it: in columns, as it was written.

    Parameters
    ----------
    report : str
    """
    return f'<pre style="line-height: 1.3; white-space: pre-wrap">{html.escape(report)}</pre>'


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal by content; nan is equal to nan, arrays have to have equal shapes.

    Parameters
    ----------
    one, other : anything that a result is made of
    """
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        if type(one) is not type(other) or one.shape != other.shape:
            return False
        return np.array_equal(one, other, equal_nan=one.dtype.kind in "fc" and other.dtype.kind in "fc")
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(item, other[key]) for key, item in one.items())
    if type(one) in (list, tuple) and type(one) is type(other):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other) or bool(one != one and other != other)
