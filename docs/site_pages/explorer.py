"""The explorers that need no server: their parts of docs/explorer.md, and the scripts of bokeh that they load."""

from pathlib import Path

from gating_theory.explorer.static_page import copy_scripts, flow_page, spectrum_page

from .places import DOCS

__all__ = ["copy", "write"]

#: Where the page, in the root of the site, finds the scripts.
_SCRIPTS = "_static/bokehjs"
_PAGES = {"spectrum": spectrum_page, "flow": flow_page}


def write(writer):
    for name, page in _PAGES.items():
        writer.text(f"explorer_{name}.html", page(DOCS / "explorer_data", _SCRIPTS))


def copy(app, error):
    """Called when a build ends."""
    if error is None and app.builder.format == "html":
        copy_scripts(Path(app.outdir) / _SCRIPTS)
