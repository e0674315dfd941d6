"""The gallery: a page per figure with its picture, the command that makes it, and its code."""

import ast
import io

from PIL import Image

from .places import DOCS, ROOT

__all__ = ["write"]

#: Pixels that a thumbnail is wide and high.
_THUMBNAIL = (480, 320)


def _names():
    from gating_theory.figures import NAMES

    return NAMES


def picture(name):
    """The path of a figure's picture, or None."""
    places = (DOCS / "pictures" / f"{name}.png", ROOT / "figures" / "data" / f"{name}.png")
    return next((path for path in places if path.exists()), None)


def write(writer):
    overview = [
        *["# Gallery", ""],
        "`gating-theory figures NAME --quick` makes any of them again, `--full` with larger networks and finer grids.",
        *["", "::::{grid} 1 2 3 3", ":gutter: 3", ""],
    ]
    for name in _names():
        text = (ROOT / "figures" / f"{name}.py").read_text(encoding="utf-8")
        title, path = _title(text), picture(name)
        writer.text(f"gallery_{name}.md", _page(name, title, ast.get_docstring(ast.parse(text)), path))
        overview += [f":::{{grid-item-card}} {title}", f":link: gallery_{name}", ":link-type: doc"]
        if path is not None:
            writer.bytes(f"gallery_{name}.png", path.read_bytes())
            writer.bytes(f"thumbnail_{name}.png", _thumbnail(path))
            overview += [f":img-top: thumbnail_{name}.png"]
        overview += [":::", ""]
    writer.text("gallery.md", [*overview, "::::"])


def _title(text):
    """The script's TITLE, read and not run."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "TITLE":
            return ast.literal_eval(node.value)
    raise ValueError("a figure needs a TITLE")


def _thumbnail(path):
    drawn = io.BytesIO()
    with Image.open(path) as image:
        small = image.convert("RGB")
        small.thumbnail(_THUMBNAIL)
        sheet = Image.new("RGB", _THUMBNAIL, "white")
        sheet.paste(small, ((sheet.width - small.width) // 2, (sheet.height - small.height) // 2))
    sheet.quantize(64).save(drawn, format="png", optimize=True)
    return drawn.getvalue()


def _page(name, title, words, path):
    shown = f"![{title}](gallery_{name}.png)" if path else "*The picture is not here: the command makes it.*"
    lines = [
        "---",
        "orphan: true",
        "---",
        "",
        f"# {title}",
        "",
        "[Gallery](gallery.md)",
        "",
        shown,
        "",
        words,
        "",
        "## Make it",
        "",
    ]
    lines += ["```sh", f"gating-theory figures {name}", "```", ""]
    if path and (said := path.with_suffix(".txt")).exists():
        lines += ["## What it shows, in numbers", "", "```text", said.read_text(encoding="utf-8").rstrip(), "```", ""]
    code = [f"```{{literalinclude}} ../../figures/{name}.py", ":language: python", "```"]
    return [*lines, "## The code", "", *code]
