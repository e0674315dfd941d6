"""What users import: the objects of the faces, and the members of their classes."""

import importlib
import inspect
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import sympy

import gating_theory as gt

#: The modules that users import.
FACES = ("gating_theory", "gating_theory.flow", "gating_theory.plotting", "gating_theory.interop.torch")


@dataclass(frozen=True)
class Documented:
    """One object with a docstring: an object of a face (``owner`` is None), or a member of a class of a face."""

    name: str
    thing: Any
    chapter: str
    owner: type | None = None

    @property
    def text(self):
        return inspect.getdoc(self.thing) or ""

    @property
    def parameters(self):
        """Names of the parameters of its signature; of a property none."""
        if isinstance(self.thing, (property, cached_property)) or not callable(self.thing) or isinstance(self.thing, gt.Cell):
            return []
        if inspect.isclass(self.thing) and issubclass(self.thing, (BaseException, sympy.Basic)):
            return []
        return [name for name in inspect.signature(self.thing).parameters if name not in ("self", "cls")]


def _chapter(thing):
    home = getattr(thing, "__module__", None) or type(thing).__module__
    return home.split(".")[1] if home.startswith("gating_theory.") else "gating_theory"


@cache
def objects():
    """The objects of the faces, each once, by the longest name under which it is found: {name: Documented}."""
    found = {}
    for face in reversed(FACES):
        module = importlib.import_module(face)
        for name in module.__all__:
            thing = getattr(module, name)
            if not inspect.ismodule(thing) and not isinstance(thing, str):
                found.setdefault(id(thing), Documented(f"{face}.{name}", thing, _chapter(thing)))
    return {documented.name: documented for documented in sorted(found.values(), key=lambda d: d.name)}


@cache
def members(name):
    """Public methods and properties of the class of this name, those of its ancestors within the package too."""
    entry, found = objects()[name], {}
    if not inspect.isclass(entry.thing) or issubclass(entry.thing, sympy.Basic):
        return []
    for cls in entry.thing.__mro__:
        if not cls.__module__.startswith("gating_theory"):
            continue
        for key, member in vars(cls).items():
            member = member.__func__ if isinstance(member, (classmethod, staticmethod)) else member
            if not key.startswith("_") and (inspect.isfunction(member) or isinstance(member, (property, cached_property))):
                found.setdefault(key, Documented(f"{name}.{key}", member, entry.chapter, entry.thing))
    return list(found.values())
