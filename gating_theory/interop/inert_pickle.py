"""Pickles as data: what they name is never looked up, what they call is never called.

A pickle is a program. Here a few of its instructions are followed, those that build dicts, lists, tuples, texts and numbers; a
class or a function stays its name, a call stays a note of what was to be called with what. Instructions that no state dict needs
are refused. Memory is bounded by the length of the pickle, whatever numbers stand in it.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Call", "Name", "inert"]

#: The longest pickle that is followed, bytes. One of a thousand tensors has a tenth of a million.
_LONGEST = 8_000_000
#: Instructions whose argument is the value.
_VALUES = frozenset(
    "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT UNICODE BINUNICODE SHORT_BINUNICODE SHORT_BINSTRING BINSTRING "
    "BINBYTES SHORT_BINBYTES".split()
)
_MAKE: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


@dataclass(frozen=True)
class Name:
    """A class or a function, by its name: "torch FloatStorage"."""

    text: str


@dataclass(eq=False)
class Call:
    """What was to be called, with what, and what was to be put into the outcome.

    Attributes
    ----------
    what : Name, of a class or a function; None of a persistent identifier
    arguments : tuple
    state : object, what the outcome was to be built from; None where nothing was
    items : dict, what was to be entered into it
    """

    what: Name | None
    arguments: tuple[Any, ...]
    state: Any = None
    items: dict[Any, Any] = field(default_factory=dict)


def inert(content: bytes) -> Any:
    """What a pickle builds, with Calls in place of all objects.

    Parameters
    ----------
    content : bytes

    Raises
    ------
    ValueError
        it is damaged, too long, or has an instruction that no state dict needs
    """
    if len(content) > _LONGEST:
        raise ValueError(f"a pickle of {len(content)} bytes is no state dict, the longest that is followed has {_LONGEST}")
    machine = _Machine()
    try:
        for operation, argument, _ in pickletools.genops(content):
            if operation.name == "STOP":
                return machine.pop()
            machine.follow(operation.name, argument)
    except (IndexError, KeyError, TypeError, AttributeError, UnicodeError, ValueError) as error:
        raise ValueError(f"the pickle is damaged or no state dict ({type(error).__name__}: {str(error)[:80]})") from None
    raise ValueError("the pickle ends before its end")


class _Machine:
    """A stack of values, the marks in it, and what was kept for later."""

    def __init__(self):
        self.stack, self.marks, self.kept = [], [], {}

    def pop(self):
        return self.stack.pop()

    def since_mark(self):
        mark = self.marks.pop()
        above = self.stack[mark:]
        del self.stack[mark:]
        return above

    def follow(self, name, argument):
        if name in _VALUES:
            self.stack.append(argument)
        elif name in _MAKE:
            self.stack.append(_MAKE[name]())
        elif name in _TUPLES:
            count = _TUPLES[name]
            self.stack[-count:] = [tuple(self.stack[-count:])]
        elif name in ("BINPUT", "LONG_BINPUT", "PUT"):
            self.kept[argument] = self.stack[-1]
        elif name == "MEMOIZE":
            self.kept[len(self.kept)] = self.stack[-1]
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            self.stack.append(self.kept[argument])
        elif name == "MARK":
            self.marks.append(len(self.stack))
        elif name not in ("PROTO", "FRAME"):
            getattr(self, f"_{name.lower()}", self._unknown(name))(argument)

    def _unknown(self, name):
        def refuse(argument):
            raise ValueError(f"it has the instruction {name}")

        return refuse

    def _global(self, argument):
        self.stack.append(Name(argument))

    def _stack_global(self, argument):
        name, module = self.pop(), self.pop()
        self.stack.append(Name(f"{module[:200]} {name[:200]}"))

    def _tuple(self, argument):
        self.stack.append(tuple(self.since_mark()))

    def _append(self, argument):
        value = self.pop()
        self.stack[-1].append(value)

    def _appends(self, argument):
        values = self.since_mark()
        self.stack[-1].extend(values)

    def _setitem(self, argument):
        value, key = self.pop(), self.pop()
        self._enter([key, value])

    def _setitems(self, argument):
        self._enter(self.since_mark())

    def _enter(self, flat):
        into = self.stack[-1].items if isinstance(self.stack[-1], Call) else self.stack[-1]
        if not isinstance(into, dict) or len(flat) % 2:
            raise ValueError("it enters something into what is no dict")
        for key, value in zip(flat[::2], flat[1::2]):
            if not isinstance(key, (str, int, float, bytes, bool, type(None))):
                raise ValueError("it has keys that are no texts or numbers")
            into[key] = value

    def _reduce(self, argument):
        arguments, what = self.pop(), self.pop()
        if not isinstance(what, Name) or not isinstance(arguments, tuple):
            raise ValueError("it calls what is no name")
        self.stack.append(Call(what, arguments))

    _newobj = _reduce

    def _build(self, argument):
        state = self.pop()
        if not isinstance(self.stack[-1], Call):
            raise ValueError("it builds what is no object")
        self.stack[-1].state = state

    def _binpersid(self, argument):
        identifier = self.pop()
        if not isinstance(identifier, tuple):
            raise ValueError("it has a persistent identifier that is no tuple")
        self.stack.append(Call(None, identifier))
