"""What users import: every object of the faces, with the chapter it lives in."""

import inspect
import re
from dataclasses import dataclass
from functools import cache
from importlib import import_module

from .places import ROOT

__all__ = ["FACES", "Named", "chapters", "objects"]

#: Modules that users import, and the heading of what is theirs on the page of a chapter.
FACES = {
    "gating_theory": "import gating_theory as gt",
    "gating_theory.flow": "from gating_theory import flow",
    "gating_theory.plotting": "from gating_theory import plotting",
    "gating_theory.interop.torch": "from gating_theory.interop import torch",
}


@dataclass(frozen=True)
class Named:
    """An object under the name that users write."""

    face: str
    name: str
    thing: object

    @property
    def dotted(self):
        return f"{self.face}.{self.name}"

    @property
    def short(self):
        """As it stands behind ``gt.``, or as it is imported from the face of PyTorch."""
        return self.dotted.removeprefix("gating_theory.").removeprefix("interop.")

    @property
    def is_cell(self):
        return any(base.__name__ == "Cell" for base in type(self.thing).__mro__)

    @property
    def kind(self):
        """The word of Sphinx's domain."""
        if self.is_cell:
            return "data"
        if not isinstance(self.thing, type):
            return "function"
        return "exception" if issubclass(self.thing, BaseException) else "class"

    @property
    def chapter(self):
        """The folder it lives in; all that ``flow`` passes on is told there."""
        where = self.thing.__module__ if self.face == "gating_theory" else self.face
        return where.split(".")[1]

    @property
    def part(self):
        """The folder within the chapter, a dotted name: the chapter itself where there is none."""
        home = self.thing.__module__.split(".")
        return ".".join(home[:3]) if len(home) > 3 else f"gating_theory.{self.chapter}"

    @property
    def sentence(self):
        """What it is, in one."""
        return (inspect.getdoc(self.thing) or "").strip().partition("\n")[0]

    @property
    def members(self):
        """Names of public methods and properties that this package defines and that say what they are."""
        if self.kind not in ("class", "exception"):
            return []
        ours = [cls for cls in self.thing.__mro__ if cls.__module__.startswith("gating_theory.")]
        names = dict.fromkeys(name for cls in ours for name in vars(cls) if not name.startswith("_"))
        return [name for name in names if _described(inspect.getattr_static(self.thing, name))]


def _described(member):
    member = getattr(member, "__func__", member)
    described = inspect.isfunction(member) or isinstance(member, property) or hasattr(member, "func")
    return described and bool(inspect.getdoc(member))


@cache
def objects():
    """All of them, each under the first name that it has; modules and constants have no page."""
    found = {}
    for face in FACES:
        module = import_module(face)
        for name in module.__all__:
            thing = getattr(module, name)
            if hasattr(thing, "__module__"):
                found.setdefault(id(thing), Named(face, name, thing))
    return tuple(found.values())


def chapters():
    """{folder: what it is} in the order of ARCHITECTURE.md, errors first."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\d+\. `(\w+)` - (.*?)(?: \(.*\))?$", text, flags=re.M))
    return {"errors": "what is raised when there is no answer"} | listed
