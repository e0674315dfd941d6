"""The reference: a page per object, one per chapter with the first sentence of each, one that lists the chapters.

Pages of objects stand in no table of contents: with them in the navigation of every page the site would take three times as long.
"""

from importlib import import_module

from .faces import FACES, chapters, objects

__all__ = ["write"]


def write(writer):
    here = {chapter: sorted((one for one in objects() if one.chapter == chapter), key=_order) for chapter in chapters()}
    here = {chapter: some for chapter, some in here.items() if some}
    writer.text("reference.rst", _contents(here))
    for chapter, some in here.items():
        writer.text(f"chapter_{chapter}.rst", _chapter(chapter, some))
    for one in objects():
        if not one.is_cell:
            writer.text(f"{one.dotted}.rst", _page(one))


def _order(one):
    """What people call before what they get."""
    return (*FACES,).index(one.face), ("function", "data", "class", "exception").index(one.kind), one.name.lower()


def _title(text, line="="):
    return [text, line * len(text), ""]


def _contents(here):
    """The page on which the reference begins."""
    words = chapters()
    lines = [
        *_title("Reference"),
        "Every name that users import has a page: what it computes, arguments with their types, errors, an example, the source.",
        "They stand in the order of the package's chapters, later ones build on earlier ones (:doc:`architecture`).",
        "Rates are natural logarithms, per step of a map or per unit of time of a flow. Labels such as [T5] name equations",
        "(:doc:`paper_map`).",
        "",
    ]
    for chapter, some in here.items():
        lines += [f":doc:`{chapter} <chapter_{chapter}>`", f"    {_sentence(words[chapter])} {_shown(some)}", ""]
    return [*lines, *_toctree([f"chapter_{chapter}" for chapter in here])]


def _sentence(words):
    return f"{words[0].upper()}{words[1:]}."


def _shown(some):
    return ", ".join(f":py:obj:`{one.short} <{one.dotted}>`" for one in some)


def _toctree(pages):
    return [".. toctree::", "   :hidden:", "", *(f"   {page}" for page in pages), ""]


def _chapter(chapter, some):
    """What users import of one chapter, face by face."""
    lines = [*_title(chapter), _sentence(chapters()[chapter]), ""]
    for face, imported in FACES.items():
        of_face = [one for one in some if one.face == face]
        if of_face:
            lines += [*_title(f"``{imported}``", "-"), f".. currentmodule:: {face}", "", *_parts(chapter, of_face)]
    return lines


def _parts(chapter, some):
    """A table for what lives in the chapter's own folder, and one for each folder in it."""
    lines = []
    for part in sorted({one.part for one in some}, key=lambda part: (part != f"gating_theory.{chapter}", part)):
        rows = [one for one in some if one.part == part]
        words = (import_module(part).__doc__ or "").partition("\n")[0]
        lines += [*([f".. rubric:: {words}", ""] if "." in part.removeprefix("gating_theory.") else []), *_table(rows)]
    return lines


def _table(some):
    rows = [".. list-table::", "   :class: names", "   :widths: 35 65", ""]
    for one in some:
        rows += [f"   * - :py:obj:`{one.short} <{one.dotted}>`", f"     - {one.sentence}"]
    return [*rows, ""]


def _page(one):
    lines = [":orphan:", "", *_title(one.short), f":doc:`{one.chapter} <chapter_{one.chapter}>` / ``{one.dotted}``", ""]
    lines += [f".. currentmodule:: {one.face}", "", f".. auto{one.kind}:: {one.name}"]
    if one.members:
        lines += [f"   :members: {', '.join(one.members)}"]
    return [*lines, ""]
