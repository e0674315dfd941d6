"""Names in code type lead to their pages: ``chaos_line``, ``gt.read("model.keras")``, ``Spectrum.mass(center, radius)``."""

import inspect
import re
from functools import cache
from importlib import import_module

from docutils import nodes
from sphinx.addnodes import desc_signature, pending_xref
from sphinx.transforms import SphinxTransform

from .faces import FACES, objects

__all__ = ["Links", "target"]

_LEFT_ALONE = (nodes.reference, nodes.rubric, nodes.title, desc_signature, pending_xref)
#: A dotted name, and whether it is a call.
_NAME = re.compile(r"(?P<prefix>gt\.|gating_theory\.)?(?P<name>[A-Za-z]\w*(?:\.\w+)*)(?P<call>\(.*\))?", flags=re.DOTALL)


@cache
def _pages():
    """{name as users write it, of an object or a method: dotted name}."""
    found = {}
    for one in objects():
        for short in (one.short, *_imported_as(one)):
            found[short] = one.dotted
            found |= {f"{short}.{member}": f"{one.dotted}.{member}" for member in one.members}
    return found


def _imported_as(one):
    """Its names behind ``gating_theory.``: ``flow`` has some that stand in the package itself as well."""
    for face in FACES:
        if getattr(import_module(face), one.name, None) is one.thing:
            yield f"{face}.{one.name}".removeprefix("gating_theory.")


@cache
def _arguments():
    """Names of parameters: alone, ``design`` or ``result`` may be one of these."""
    found = set()
    for one in objects():
        try:
            found |= set(inspect.signature(one.thing).parameters)
        except (TypeError, ValueError):  # exceptions and cells have no signature
            continue
    return found


def target(text):
    """The dotted name of what a piece of code names, or None."""
    match = _NAME.fullmatch(text)
    if match is None or (match["name"] in _arguments() and not match["prefix"] and not match["call"]):
        return None
    return _pages().get(match["name"])


def _is_left_alone(node):
    while (node := node.parent) is not None:
        if isinstance(node, _LEFT_ALONE):
            return True
    return False


class Links(SphinxTransform):
    """Code becomes a link around code, except on the page of what it names."""

    default_priority = 300

    def apply(self, **kwargs):
        page = self.env.docname
        for code in [code for code in self.document.findall(nodes.literal) if not _is_left_alone(code)]:
            dotted = target(code.astext())
            if dotted is not None and not f"{dotted}.".startswith(f"{page.removeprefix('generated/')}."):
                link = pending_xref("", refdomain="py", reftype="obj", reftarget=dotted, refexplicit=True, refwarn=False)
                code.parent.replace(code, link)
                link += code
