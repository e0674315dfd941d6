"""Links into the glossary: labels such as [T3] on every page, and on pages of the reference the first occurrence of each term.

Docstrings stay plain text, so that they read well in a terminal.
"""

import re
from functools import cache

from docutils import nodes
from sphinx.addnodes import desc_signature, pending_xref
from sphinx.transforms import SphinxTransform

from .places import DOCS

__all__ = ["Links"]

#: Where nothing is linked: what is code, a heading, a name of a parameter, its type, or a link already.
_LEFT_ALONE = (
    nodes.FixedTextElement,
    nodes.literal,
    nodes.math,
    nodes.math_block,
    nodes.raw,
    nodes.reference,
    nodes.rubric,
    nodes.strong,
    nodes.term,
    nodes.classifier,
    nodes.title,
    nodes.comment,
    desc_signature,
    pending_xref,
)
#: "[T3]", "[T3, T4]", each of them.
_LABEL = r"(?:(?<=\[)|(?<=, ))T\d+[a-z]?(?=\]|, T\d)"


@cache
def known():
    """Terms that the glossary has."""
    page = DOCS / "theory" / "glossary.md"
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    blocks = re.findall(r"^(`{3,}|:{3,})\{glossary\}\n(.*?)^\1$", text, flags=re.M | re.S)
    lines = [line for _, block in blocks for line in block.splitlines()]
    return tuple(line.strip() for line in lines if line and not line.startswith((" ", ":", "#")))


def _label(text):
    """The term of a label: of [T8b] that of [T8], where it has none of its own."""
    return next((term for term in (text, text.rstrip("abcdefgh")) if term in known()), None)


@cache
def _pattern():
    """Labels, or terms as they stand in a sentence: longer ones first, in the plural too."""
    words = sorted((term for term in known() if not re.fullmatch(r"T\d+[a-z]?", term)), key=len, reverse=True)
    terms = "|".join(re.escape(word) for word in words) or "(?!)"
    return re.compile(rf"(?P<label>{_LABEL})|(?<![\w-])(?<!\w\.)(?P<term>{terms})(?:e?s)?(?![\w-]|\.\w)", flags=re.IGNORECASE)


def _in_quotes(match):
    """Whether a match is part of a name in quotes, which is an argument and not a word of the sentence."""
    return match.string.count('"', 0, match.start()) % 2 == 1


def _found(match, wanted):
    """The term that a match is to be linked to, or None; a term is linked once."""
    if match["label"]:
        return _label(match["label"])
    if _in_quotes(match):
        return None
    term = match["term"].lower()
    return wanted.pop(term, None)


def _pieces(text, wanted):
    at = 0
    for match in _pattern().finditer(text):
        term = _found(match, wanted)
        if term is not None:
            yield nodes.Text(text[at : match.start()])
            yield _link(term, match[0])
            at = match.end()
    yield nodes.Text(text[at:])


def _link(term, shown):
    link = pending_xref("", refdomain="std", reftype="term", reftarget=term, refexplicit=True, refwarn=True)
    link += nodes.inline("", shown, classes=["std", "std-term"])
    return link


def _is_left_alone(text):
    node = text.parent
    while node is not None:
        if isinstance(node, _LEFT_ALONE):
            return True
        node = node.parent
    return False


class Links(SphinxTransform):
    """Text becomes text with links, before links are resolved."""

    default_priority = 300

    def apply(self, **kwargs):
        page = self.env.docname
        if page == "theory/glossary" or not known():
            return
        wanted = {term.lower(): term for term in known()} if page.startswith("generated/gating_theory") else {}
        for text in [text for text in self.document.findall(nodes.Text) if not _is_left_alone(text)]:
            pieces = [piece for piece in _pieces(str(text), wanted) if not isinstance(piece, nodes.Text) or piece]
            if any(isinstance(piece, pending_xref) for piece in pieces):
                text.parent.replace(text, pieces)
