"""Pages of the site as trees, and what can be wrong with one: each check gives a list of faults, empty where there is none."""

import re
from functools import cache
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

__all__ = [
    "article",
    "classes",
    "documented_parameters",
    "links",
    "missing_targets",
    "parameters_shown",
    "raw_markup",
    "raw_mathematics",
    "read",
    "targets",
    "text",
    "tree_of",
]

_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
#: Elements whose text is code, or not for readers.
_CODE = {"code", "kbd", "pre", "samp", "script", "style", "svg", "template"}
#: Tables that xarray makes in notebooks, with the attributes of data as they are.
_DATA = "xr-wrap"


class _Reader(HTMLParser):
    """HTML as Sphinx writes it, closed tag by tag."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.root = ElementTree.Element("document")
        self.open = [self.root]

    def handle_starttag(self, tag, attributes):
        node = ElementTree.SubElement(self.open[-1], tag, {name: value or "" for name, value in attributes})
        if tag not in _VOID:
            self.open.append(node)

    def handle_startendtag(self, tag, attributes):
        ElementTree.SubElement(self.open[-1], tag, {name: value or "" for name, value in attributes})

    def handle_endtag(self, tag):
        names = [node.tag for node in self.open]
        if tag in names[1:]:
            del self.open[len(names) - 1 - names[::-1].index(tag) :]

    def handle_data(self, data):
        node = self.open[-1]
        if len(node):
            node[-1].tail = (node[-1].tail or "") + data
        else:
            node.text = (node.text or "") + data


def tree_of(html):
    """The tree of a text."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.root


@cache
def read(path):
    """The tree of a file, read once."""
    return tree_of(path.read_text(encoding="utf-8"))


def classes(node):
    return set(node.get("class", "").split())


def article(tree):
    """What a page says, without what stands around it."""
    return next((node for node in tree.iter("article")), tree)


def text(node, *, code=True, mathematics=True):
    """What is written in a node, on request without code or formulas."""
    if (not code and (node.tag in _CODE or _DATA in classes(node))) or (not mathematics and "math" in classes(node)):
        return " "
    parts = [node.text or ""]
    for child in node:
        parts += [text(child, code=code, mathematics=mathematics), child.tail or ""]
    return "".join(parts)


# --- what readers must not see

_ROLE = re.compile(r"(?::py)?:[a-z]+:`|\{[a-z:-]+\}`|:py:|:func:|:class:|:meth:|:term:|:ref:|:doc:|\{ref\}|\{term\}")
_FIELD = re.compile(r":raises|:param|:returns?:|:rtype|:ivar")
_TEX = re.compile(r"\$|\\\(|\\\[|\\[a-zA-Z]{2,}|\\_|\\\*")
#: Words in capitals with dashes below, which numpydoc has not read: "Parameters ----------".
_SECTION = re.compile(r"\b[A-Z][a-z]+\s+-{4,}")


def raw_markup(tree):
    """Roles, fields and sections that are shown and not understood."""
    said = text(article(tree), code=False, mathematics=False)
    return [match[0] for pattern in (_ROLE, _FIELD, _SECTION) for match in pattern.finditer(said)]


def raw_mathematics(tree):
    """TeX outside the elements that MathJax draws."""
    said = text(article(tree), code=False, mathematics=False)
    return [said[max(0, match.start() - 30) : match.end() + 30] for match in _TEX.finditer(said)]


# --- links


def targets(tree):
    """What links into a page can name."""
    return {node.get("id") for node in tree.iter() if node.get("id")} | {node.get("name") for node in tree.iter("a")}


def links(tree):
    """All that a page refers to: links, pictures, scripts, styles."""
    return [value for node in tree.iter() for value in (node.get("href"), node.get("src")) if value]


def missing_targets(path, place):
    """References of a page to files or anchors of the site that are not there, and to what is loaded from elsewhere."""
    missing = []
    for link in sorted(set(links(read(path)))):
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if not target.is_file() or place not in target.parents:
            missing.append(link)
        elif parts.fragment and target.suffix == ".html" and unquote(parts.fragment) not in targets(read(target)):
            missing.append(link)
    return missing


# --- pages of the reference


def _object(tree):
    """The list with the signature of the page's object and what is said of it."""
    return next(node for node in tree.iter("dl") if any("sig-object" in classes(child) for child in node))


def parameters_shown(tree):
    """{name: the text behind it} of the page's signature, without * and /."""
    found = {}
    for node in _object(tree)[0].iter("em"):
        if "sig-param" in classes(node):
            name, _, rest = text(node).partition(":")
            name = name.partition("=")[0].strip().lstrip("*")
            if name and name != "/":
                found[name] = rest.strip()
    return found


def _fields(tree):
    """(name, content) of lists such as "Parameters: ..." of the object itself, not of its methods."""
    for node in _object(tree)[1]:
        if node.tag == "dl" and "field-list" in classes(node):
            for name, content in zip(list(node)[::2], list(node)[1::2]):
                yield text(name).rstrip(":").strip(), content


def documented_parameters(tree):
    """Names in the object's list of parameters, as people read them: "x, y" are two."""
    for name, content in _fields(tree):
        if name in ("Parameters", "Other Parameters"):
            entries = [text(next(dt.iter("strong"))) for dl in content if dl.tag == "dl" for dt in dl if dt.tag == "dt"]
            return [one.strip().lstrip("*") for entry in entries for one in entry.split(",")]
    return []
