"""The theory's pages: labels and words of docstrings are in the glossary, roles name what exists, the map's functions are there."""

import importlib
import re
from functools import cache, reduce
from pathlib import Path

import pytest

import gating_theory as gt

ROOT = Path(__file__).parents[2]
THEORY = ROOT / "docs" / "theory"
PAGES = {str(path.relative_to(THEORY)): path.read_text(encoding="utf-8") for path in sorted(THEORY.rglob("*.md"))}
WRITTEN = [name for name in PAGES if not name.startswith("proofs/")]
LABEL = r"T\d+[a-z]?"


@cache
def terms():
    """{term: what the glossary says}."""
    blocks = re.findall(r"^```\{glossary\}\n(.*?)^```$", PAGES["glossary.md"], flags=re.M | re.S)
    entries = [entry for block in blocks for entry in re.split(r"\n\n(?=\S)", block.strip())]
    return dict(entry.split("\n", 1) for entry in entries)


def roles(kind, name):
    """What the roles of one kind on a page name, without the words they show."""
    return roles_of(PAGES[name], kind)


def roles_of(text, kind):
    return [re.sub(r".*<(.*)>", r"\1", role, flags=re.S) for role in re.findall(rf"\{{{kind}\}}`([^`]+)`", text)]


def exists(dotted):
    """Whether a dotted name of the package is a module or an attribute of one, also of instances (fields of results)."""
    path = dotted.split(".")
    for n in range(len(path), 0, -1):
        try:
            module = importlib.import_module(".".join(path[:n]))
        except ModuleNotFoundError:
            continue
        rest = path[n:]
        try:
            reduce(getattr, rest, module)
        except AttributeError:
            owner = reduce(getattr, rest[:-1], module)
            return any(rest[-1] in getattr(cls, "__annotations__", {}) for cls in getattr(owner, "__mro__", ()))
        return True
    return False


def test_exists_can_fail():
    assert exists("gating_theory.Spectrum.mass") and exists("gating_theory.FixedPoint.moments")
    assert exists("gating_theory.flow.Flow") and not exists("gating_theory.flow.Flows")
    assert not exists("gating_theory.Spectrum.masses") and not exists("gating_theory.FixedPoint.moment")


def test_every_label_of_docstrings_is_in_the_glossary():
    """[T3] or [T3, T4] anywhere in the package's text."""
    used = set()
    for file in [*(ROOT / "gating_theory").rglob("*.py"), *(ROOT / "derivations").glob("*.py")]:
        for bracket in re.findall(rf"\[((?:{LABEL})(?:, (?:\w+))*)\]", file.read_text(encoding="utf-8")):
            used |= set(re.findall(rf"\b{LABEL}\b", bracket))
    assert used == {*(f"T{n}" for n in range(1, 13)), "T8b"}
    assert used == {term for term in terms() if re.fullmatch(LABEL, term)}


def test_every_term_has_words_and_a_formula_or_function():
    for term, said in terms().items():
        assert said.startswith("  ") and said.count(".") >= 1, term
        assert re.search(r"\{(py:\w+|eq|ref|term)\}`|\$", said), term
        if re.fullmatch(LABEL, term):
            assert roles_of(said, "ref") and roles_of(said, r"py:\w+"), term


def test_terms_stand_in_order():
    names = [term for term in terms() if not re.fullmatch(LABEL, term)]
    assert names == sorted(names, key=str.lower) and len(names) > 50


@pytest.mark.parametrize("name", PAGES)
def test_every_role_names_what_exists(name):
    """Objects, terms, equations and sections that a page refers to are there."""
    assert [dotted for dotted in roles(r"py:\w+", name) if not exists(dotted)] == []
    known = {term.lower() for term in terms()}
    assert [term for term in roles("term", name) if term.lower() not in known] == []
    assert set(roles("eq", name)) <= set(equations())
    assert set(roles("ref", name)) <= targets()
    kinds = set(re.findall(r"\{([\w:]+)\}`", PAGES[name]))
    assert kinds <= {"term", "eq", "ref", "py:func", "py:class", "py:meth", "py:attr", "py:obj"}


@cache
def equations():
    """{label: the page on which an equation stands}; no label twice."""
    found = [(label, name) for name, text in PAGES.items() for label in re.findall(r"^\$\$ \(([\w-]+)\)$", text, flags=re.M)]
    assert len(dict(found)) == len(found)
    return dict(found)


@cache
def targets():
    found = [target for text in PAGES.values() for target in re.findall(r"^\(([\w-]+)\)=$", text, flags=re.M)]
    assert len(set(found)) == len(found)
    return set(found)


def test_every_row_of_the_map_names_a_function_and_labels():
    rows = [line for line in PAGES["index.md"].splitlines() if line.startswith("|")][2:]
    assert len(rows) >= 40
    for row in rows:
        formula, function, accuracy, label = (cell.strip() for cell in row.strip("|").split(" | "))
        assert formula and accuracy, row
        named = roles_of(function, r"py:\w+")
        assert named and all(exists(dotted) for dotted in named), row
        assert all(part in terms() for part in re.findall(LABEL, label)), row
    assert {part for row in rows for part in re.findall(LABEL, row.rpartition("|")[0].rpartition("|")[2])} == {
        term for term in terms() if re.fullmatch(LABEL, term)
    }


@pytest.mark.parametrize("name", WRITTEN)
def test_pages_are_narrative(name):
    """A page names functions, and says how accurate they are; files it links to exist, and headings in them."""
    text = PAGES[name]
    assert text.count("$$") % 2 == 0
    for block in text.split("$$")[1::2]:
        assert block.count("{") == block.count("}") and block.count(r"\left") == block.count(r"\right"), block
    if name not in ("index.md", "glossary.md"):
        assert "*Accuracy:*" in text and ("*Function:*" in text or "*Functions:*" in text)
    for link in re.findall(r"\]\(([^)#:]*\.md)?#?[\w-]*\)", text):
        if link and "tutorials/" not in link:
            assert (THEORY / name).parent.joinpath(link).exists(), link
    for link, heading in re.findall(r"\]\(([\w/]+\.md)#([\w-]+)\)", text):
        lines = (THEORY / name).parent.joinpath(link).read_text(encoding="utf-8").splitlines()
        heads = [re.sub(r"[^\w -]", "", line.lstrip("# ")).lower().replace(" ", "-") for line in lines if line.startswith("#")]
        assert heading in heads, f"{link}#{heading}"


def test_the_face_is_served():
    """Every label's section names functions that users import."""
    named = {dotted.split(".")[1] for name in WRITTEN for dotted in roles(r"py:\w+", name)}
    assert {"Spectrum", "fixed_points", "dmft", "complexity", "gradient_growth", "LowRank"} <= named
    assert all(hasattr(gt, first) for first in named)
