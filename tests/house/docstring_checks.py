"""What is wrong with a docstring: read by numpydoc's parser, its prose by docutils as reStructuredText."""

import inspect
import re
import warnings
from functools import cache

from docutils import nodes
from docutils.core import publish_doctree
from docutils.parsers.rst import roles
from numpydoc.docscrape import NumpyDocString

import gating_theory as gt

#: Sections in numpydoc's order.
ORDER = ("Parameters", "Attributes", "Returns", "Yields", "Raises", "Warns", "See Also", "Notes", "References", "Examples")
#: Roles that Sphinx adds: their text is a reference.
_ROLES = ("meth", "func", "class", "attr", "mod", "exc", "doc", "term", "ref", "math")
#: What docstrings do not mean when reStructuredText sees it. Emphasis may hold words, of formulas it is an accident.
_ACCIDENTS = (
    nodes.strong,
    nodes.title_reference,
    nodes.substitution_reference,
    nodes.footnote_reference,
    nodes.citation_reference,
    nodes.problematic,
    nodes.footnote,
    nodes.citation,
    nodes.comment,
    nodes.block_quote,
    nodes.line_block,
    nodes.section,
    nodes.title,
    nodes.transition,
    nodes.table,
)


#: What any markup has at least: signs within a line, or how a line begins.
_MARKUP = re.compile(r"[*`|\\]|::|:\w+:|_(?!\w)|^[^\w\"'\n]|^\w{1,5}[.)]\s|\n[\"']{4}", flags=re.M)


@cache
def _sphinx_roles():
    for role in _ROLES:
        roles.register_generic_role(role, nodes.literal)


@cache
def markup(text):
    """What docutils finds wrong in reStructuredText, and the markup in it that nobody means."""
    if not _MARKUP.search(text):  # most pieces
        return []
    _sphinx_roles()
    settings = {"report_level": 5, "halt_level": 5, "input_encoding": "unicode", "file_insertion_enabled": False}
    tree = publish_doctree(text, settings_overrides=settings | {"docinfo_xform": False, "doctitle_xform": False})
    # docutils looks for a role in its own language before it takes what is registered, and says so
    wrong = [m.astext() for m in tree.findall(nodes.system_message) if "No role entry for" not in m.astext()]
    for kind in _ACCIDENTS:
        wrong += [f"{kind.__name__}: {node.astext()[:60]!r}" for node in tree.findall(kind)]
    wrong += [f"target: {n.rawsource!r}" for n in tree.findall(nodes.target) if "refuri" not in n]
    wrong += [f"reference: {n.astext()!r}" for n in tree.findall(nodes.reference) if not n.get("refuri", "").startswith("http")]
    wrong += [
        f"no list: {n.astext()[:60]!r}" for n in tree.findall(nodes.paragraph) if re.search(r"^ *(-|\*|\d+\.) ", n.astext(), re.M)
    ]
    wrong += [f"emphasis: {n.astext()!r}" for n in tree.findall(nodes.emphasis) if not re.fullmatch(r"[\w -]+", n.astext())]
    return wrong


def parsed(text):
    """(the sections, what numpydoc warns of)."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sections = NumpyDocString(text)
    return sections, [str(w.message).strip() for w in caught]


def _prose(sections):
    """(where, text) of everything in a docstring that is read as reStructuredText, one piece each."""
    yield "summary", "\n".join(sections["Summary"])
    yield "text", "\n".join(sections["Extended Summary"])
    yield "Notes", "\n".join(sections["Notes"])
    yield "References", "\n".join(sections["References"])
    yield "Examples", "\n".join(sections["Examples"])
    for section in ("Parameters", "Attributes", "Returns", "Yields", "Raises", "Warns"):
        for entry in sections[section]:
            yield f"{section} {entry.name} (type)", entry.type
            yield f"{section} {entry.name or entry.type}", "\n".join(entry.desc)
    for names, words in sections["See Also"]:
        yield f"See Also {names[0][0]}", "\n".join(words)


def wrong_markup(text):
    """Sections that numpydoc does not read, or not in its order; markup that nobody means."""
    sections, wrong = parsed(text)
    lines = [line.strip() for line in text.splitlines()]
    found = [line for line, rule in zip(lines, lines[1:]) if len(rule) >= 3 and set(rule) == {"-"}]
    if [s for s in found if s in ORDER] != [s for s in ORDER if s in found] or set(found) - set(ORDER):
        wrong.append(f"sections {found}")
    for where, piece in _prose(sections):
        wrong += [f"{where}: {words}" for words in markup(piece)]
    return wrong


def names_in(sections, *which):
    """Names of entries: "a, b : float" are two; stars of "*args" do not count."""
    names = [name for section in which for entry in sections[section] for name in entry.name.split(",")]
    return [name.strip().lstrip("\\*") for name in names]


@cache
def _source(cls):
    try:
        return inspect.getsource(cls)
    except (OSError, TypeError):  # built in
        return ""


@cache
def attributes_of(cls):
    """Names of a class's attributes: of the class, of its fields, and what its methods set."""
    found = set(dir(cls))
    for parent in cls.__mro__:
        found |= set(vars(parent).get("__annotations__", ()))
        for targets in re.findall(r"^ *(self\.\w[^=\n]*?)(?: =|: )", _source(parent), flags=re.M):  # also of "self.a, self.b = .."
            found |= set(re.findall(r"\bself\.(\w+)", targets))
        found |= set(re.findall(r'setattr\(self, "(\w+)"', _source(parent)))
    return found


def _is_there(name):
    """Whether users find it, by its name from the package or from one of its faces."""
    parts = name.removeprefix("gating_theory.").split(".")
    for face in (gt, gt.flow, gt.plotting):
        thing = face
        for part in parts:
            thing = getattr(thing, part, None)
        if thing is not None:
            return True
    return name.startswith("gating_theory.interop.torch.")


def wrong_lists(documented):
    """Phantoms, parameters that are missing or named twice, attributes that are none, a Returns section of several lines."""
    sections, _ = parsed(documented.text)
    thing, signature, wrong = documented.thing, documented.parameters, []
    is_class = inspect.isclass(thing)
    listed = names_in(sections, "Parameters")
    attributes = names_in(sections, "Attributes")
    known = listed + attributes if is_class else listed  # what a class is made of may be an attribute of its objects
    wrong += [f"parameter {name!r} is not in the signature" for name in listed if name not in signature]
    for some in (listed, attributes):
        wrong += [f"{name!r} is named twice" for name in sorted({n for n in some if some.count(n) > 1})]
    if is_class:
        wrong += [f"attribute {name!r} is none" for name in attributes if name not in attributes_of(thing)]
    elif attributes:
        wrong.append("a function has no attributes")
    # methods may name them in a sentence, or refer to another one's
    if documented.owner is None or (listed and "arguments as in" not in documented.text.lower()):
        wrong += [f"parameter {name!r} is missing" for name in signature if name not in known and not name.startswith("_")]
    for section in ("Returns", "Yields"):
        unnamed = [entry for entry in sections[section] if not entry.name]
        if len(unnamed) > 1:
            wrong.append(f"{section}: {len(unnamed)} entries without a name; a description stands indented below its type")
    named = [name for names, _ in sections["See Also"] for name, _ in names]
    wrong += [f"See Also {name!r} is nothing that users import" for name in named if not _is_there(name)]
    raised = [entry.type for section in ("Raises", "Warns") for entry in sections[section]]
    wrong += [f"Raises {words!r} is no list of types" for words in raised if not re.fullmatch(r"\w+(, \w+)*", words)]
    return wrong
