"""Pages that stand beside the code; links between files of the repository become links between pages of the site."""

import re

from .places import ROOT

__all__ = ["on_the_site", "write"]

#: Pages of the site that stand at the root.
_NOTES = ("README", "NUMERICS", "PAPER_MAP", "CHANGELOG", "ARCHITECTURE", "CONTRIBUTING")
#: Files of the repository that pages show or link.
_FILES = ("CITATION.cff", "figures/data/training.png", "figures/data/training.txt", "figures/data/trained_modes.png")
_FILES += ("figures/data/trained_modes.txt",)


def linked(text):
    """The same text with links that hold on the site."""
    text = re.sub(r"\]\((?:\.\./)*(" + "|".join(_NOTES) + r")\.md", lambda m: f"](/generated/{m[1].lower()}.md", text)
    for file in _FILES:
        text = re.sub(rf"\]\((?:\.\./)*{re.escape(file)}", f"](/generated/{file.rpartition('/')[2]}", text)
    return text.replace("](docs/", "](/")


def on_the_site(app, name, source):
    """The links of every page; called by Sphinx."""
    source[0] = linked(source[0])


def write(writer):
    for name in _NOTES:
        writer.text(f"{name.lower()}.md", linked((ROOT / f"{name}.md").read_text(encoding="utf-8")))
    for file in _FILES:
        writer.bytes(file.rpartition("/")[2], (ROOT / file).read_bytes())
