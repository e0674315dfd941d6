"""Sphinx: pages in Markdown, the API from the docstrings, the theory from the derivations, the gallery from the figures."""

import re
import shutil
from importlib import import_module
from pathlib import Path

from gating_theory.version import __version__ as release

HERE = Path(__file__).parent
ROOT = HERE.parent

project, author = "gating_theory", "the gating_theory authors"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"gating_theory {release}"
exclude_patterns = ["_build"]
autodoc_typehints = "none"
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_mock_imports = ["torch"]
napoleon_use_rtype = False
napoleon_use_ivar = True
# names of attributes that several results have
suppress_warnings = ["myst.header", "ref.python"]

#: Modules of the API, one page each.
MODULES = ("gating_theory", "gating_theory.flow", "gating_theory.plotting")


def plain(app, what, name, thing, options, lines):
    """Docstrings are plain text: what reStructuredText would take for markup is text, but for ``literals``."""
    for i, line in enumerate(lines):
        pieces = re.split(r"(``.*?``|:\w+:`.*?`)", line)
        pieces[::2] = [re.sub(r"([*|`]|(?<=\w)_(?!\w))", r"\\\1", piece) for piece in pieces[::2]]
        lines[i] = "".join(pieces)


def write_pages():
    """Pages that stand elsewhere: README, notes, API, theory, gallery."""
    out = HERE / "generated"
    out.mkdir(exist_ok=True)

    def write(name, text):
        path = out / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")

    for name in ("README", "NUMERICS", "PAPER_MAP", "CHANGELOG"):
        text = (ROOT / f"{name}.md").read_text(encoding="utf-8")
        write(f"{name.lower()}.md", text.replace("](docs/pictures/", "](/pictures/").replace("](figures/data/", "]("))
    # the training experiment in full, which takes half an hour
    for suffix in ("png", "txt"):
        shutil.copyfile(ROOT / "figures" / "data" / f"training.{suffix}", out / f"training.{suffix}")
    for module in MODULES:
        names = [n for n in import_module(module).__all__ if not n.startswith("_")]
        rows = [f"# {module}", "", "```{eval-rst}", f".. automodule:: {module}", "   :no-members:", ""]
        for name in names:
            thing = getattr(import_module(module), name)
            # built-in cells, submodules and constants have no signature of their own
            elsewhere = module == MODULES[0] and getattr(thing, "__module__", "").startswith(MODULES[1:])
            if callable(thing) and getattr(thing, "__doc__", None) and not elsewhere:
                kind = "autoclass" if isinstance(thing, type) else "autofunction"
                rows += [f".. {kind}:: {module}.{name}", ""]
        write(f"{module.replace('.', '_')}.md", "\n".join([*rows, "```", ""]))
    theory = out / "theory.md"
    if not theory.exists():  # minutes of symbolic algebra: made once, removed by `make clean`
        from gating_theory import derivations

        results = derivations.derive_all()
        failed = [result.name for result in results if not result.proved]
        if failed:
            raise RuntimeError(f"proofs failed: {failed}")
        write("theory.md", derivations.document(results))
    from gating_theory import figures

    gallery = ["# Gallery", "", "Made by `gating-theory figures --quick`; `--full` has larger networks and finer grids.", ""]
    # those of the last run of `gating-theory figures`, or else the ones that are kept
    places = [ROOT / "output" / "figures", HERE / "pictures", ROOT / "figures" / "data"]
    for name in figures.NAMES:
        script = import_module(f"gating_theory.figures.{name}")
        gallery += [f"## {script.TITLE}", "", f"`gating-theory figures {name}`. {script.__doc__.splitlines()[0]}", ""]
        picture = next((p for p in (place / f"{name}.png" for place in places) if p.exists()), None)
        if picture is not None:
            shutil.copyfile(picture, out / f"gallery_{picture.name}")
            gallery += [f"![{name}](gallery_{picture.name})", ""]
    write("gallery.md", "\n".join(gallery))


write_pages()


def setup(app):
    """Called by Sphinx."""
    # before napoleon, which reads the sections
    app.connect("autodoc-process-docstring", plain, priority=100)
