"""MathJax from the machine: the script and its fonts are copied into the site, so that formulas need no network."""

import shutil
from importlib.util import find_spec
from pathlib import Path

__all__ = ["CONFIG", "PATH", "copy"]

PATH = "mathjax/tex-chtml.js"
_FONTS = "output/chtml/fonts/woff-v2"
#: The parsers have found the formulas; MathJax reads their elements only, and has no part that it would have to load.
CONFIG = {
    "tex": {"packages": {"[-]": ["require", "autoload"]}},
    "options": {"enableMenu": False, "processHtmlClass": "tex2jax_process|mathjax_process|math|output_area"},
}


def copy(app, error):
    """Called when a build ends."""
    if error is None and app.builder.format == "html":
        source = Path(find_spec("sphinx-mathjax-offline").origin).parent / "static" / "mathjax"
        target = Path(app.outdir) / "_static" / "mathjax"
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / "tex-chtml.js", target)
        shutil.copytree(source / _FONTS, target / _FONTS, dirs_exist_ok=True)
