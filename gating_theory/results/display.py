"""What results look like at a prompt and in a notebook, and when two of them are equal.

At a prompt a result is one line, however large its arrays are; ``print`` and notebooks show its report. Two results are equal if
all that is saved of them is: dataclasses with arrays would raise an error instead.
"""

from __future__ import annotations

import base64
import html
import inspect
import re
from importlib import import_module
from itertools import takewhile
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ..support.checks import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["brief", "brief_at_prompts", "first_line", "in_html", "notebook_html", "rounded", "same", "written"]

#: Characters of what stands for a value at a prompt.
_LINE = 99
#: Rows and columns from which on lines that stand one below the other are a table.
_ROWS, _COLUMNS = 2, 3
#: Entries of a line, apart by two blanks; what headings of columns end before or behind their numbers.
_ENTRY, _LOOSE = re.compile(r"\S+(?: \S+)*"), 2
#: Entries from which on a list is shown by its beginning.
_MANY = 7
#: Width of a small picture, in pixels of a screen.
_WIDTH = 307

#: The module that draws small pictures, and its function ``small_picture(kind, result)``: a PNG or None.
_PICTURES = ("plotting.notebook", "small_picture")

_T = TypeVar("_T")


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
    line, end = " ".join(line.split()), " ..."
    if len(line) <= length - len(end) * bool(rest):
        return line + end * bool(rest)
    line = line[: length - len(end)]
    return line[: max(line.rfind(" "), len(line) // 2)].rstrip(" ,;:(") + end


def brief(name: str, text: str) -> str:
    """What stands for a value at a prompt: ``Name(the beginning of its report ...)``, in one line.

    Parameters
    ----------
    name : str, of its class
    text : str
    """
    return f"{name}({first_line(text, _LINE - len(name) - 2)})"


def rounded(value: object, digits: int = 6) -> str:
    """A value in few words: numbers of so many digits, arrays by their shapes.

    Parameters
    ----------
    value : any
    digits : int
    """
    if isinstance(value, (float, complex)):
        return f"{value:.{digits}g}"
    if isinstance(value, dict) and len(value) < _MANY:
        return "{" + ", ".join(f"{shown(key)}: {rounded(item, digits)}" for key, item in value.items()) + "}"
    if type(value) in (list, tuple) and len(value) < _MANY:  # type: ignore[arg-type]
        return str([rounded(item, digits) for item in value]).replace("'", "")  # type: ignore[attr-defined]
    return shown(value)


def in_html(report: str, picture: bytes | None = None) -> str:
    """A report as notebooks show it: in columns, as it was written, tables as tables, with a picture beside it.

    Parameters
    ----------
    report : str
    picture : bytes, optional, a PNG
    """
    parts = "".join(_table(rows) if rows else _plain(text) for text, rows in _blocks(report))
    if picture is None:
        return f"<div>{parts}</div>"
    data = base64.b64encode(picture).decode("ascii")
    image = f'<img width="{_WIDTH}" alt="" src="data:image/png;base64,{data}" style="margin: 0; align-self: flex-end"/>'
    # beside the report where there is room, else above it
    text = f'<div style="align-self: flex-end">{parts}</div>'
    return f'<div style="display: flex; flex-wrap: wrap-reverse; gap: 1em">{text}{image}</div>'


def notebook_html(kind: str, result: object) -> str:
    """What a notebook shows of a result: its report, and a small picture where one is quickly drawn.

    A picture that cannot be drawn is left out, and a comment in the HTML says why.

    Parameters
    ----------
    kind : str, of the result
    result : object
    """
    module, name = _PICTURES
    try:
        draw = getattr(import_module(f"{__name__.partition('.')[0]}.{module}"), name)
        return in_html(str(result), draw(kind, result))
    except Exception as error:
        reason = html.escape(first_line(f"{type(error).__name__}: {error}")).replace("--", "- -")
        return f"{in_html(str(result))}<!-- no picture: {reason} -->"


def brief_at_prompts(cls: type[_T]) -> type[_T]:
    """Class decorator, for classes that are not saved: at a prompt and in notebooks they look like results.

    Parameters
    ----------
    cls : type with a report, ``__str__``
    """
    given: Any = cls
    given.__repr__ = lambda self: brief(type(self).__name__, str(self))
    given._repr_html_ = lambda self: in_html(str(self))
    return cls


def _plain(text):
    return f'<pre style="line-height: 1.3; margin: 0 0 .5em; white-space: pre-wrap">{html.escape(text)}</pre>'


def _table(rows):
    cells = ['<table style="margin: 0 0 .5em">']
    for i, row in enumerate(rows):
        tag = "th" if i == 0 else "td"
        sides = ["left", *["right"] * (len(row) - 1)]
        entries = (f'<{tag} style="text-align: {side}">{html.escape(entry)}</{tag}>' for side, entry in zip(sides, row))
        cells.append(f"<tr>{''.join(entries)}</tr>")
    return "".join([*cells, "</table>"])


def _blocks(report: str) -> Iterator[tuple[str, list[list[str]]]]:
    """(text, rows) one after another: rows are those of a table, or there are none and the text is plain."""
    plain: list[str] = []
    lines = report.splitlines()
    while lines:
        rows = _rows(lines)
        if rows and plain:
            yield "\n".join(plain), []
        if rows:
            yield "", rows
            plain, lines = [], lines[len(rows) :]
        else:
            plain.append(lines.pop(0))
    if plain:
        yield "\n".join(plain), []


def _rows(lines: list[str]) -> list[list[str]]:
    """The rows of a table that begins with the first line: a heading, and lines whose numbers end where its words do."""
    ends = [match.end() for match in _ENTRY.finditer(lines[0])]
    if len(ends) < _COLUMNS or "=" in lines[0]:  # equations are no headings
        return []
    rows = list(takewhile(bool, (_cut(line, ends) for line in lines)))
    return rows if len(rows) >= _ROWS else []


def _cut(line: str, ends: list[int]) -> list[str]:
    """Entries of a line in columns that end there, the first a label; none where the line is no row."""
    entries = [""] * len(ends)
    for match in _ENTRY.finditer(line):
        label = match.start() < ends[0]
        column = 0 if label else next((j for j, end in enumerate(ends) if match.end() <= end + _LOOSE), 0)
        if entries[column] or not label and column == 0 or match.end() > ends[max(column, 1)] + _LOOSE:
            return []
        entries[column] = match[0]
    return entries if sum(map(bool, entries)) > 1 else []


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
