"""Sphinx: pages in Markdown, the reference from docstrings by chapter, the theory from derivations, the gallery from figures."""

import ast
import re
import shutil
from importlib import import_module
from pathlib import Path

from gating_theory.version import __version__ as release

HERE = Path(__file__).parent
ROOT = HERE.parent
GENERATED = HERE / "generated"

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

#: What users import, one page each; ``gating_theory`` itself passes on names that live in the chapters.
FACES = ("gating_theory", "gating_theory.flow", "gating_theory.plotting", "gating_theory.interop.torch")
#: Pages of the site that stand beside the code.
NOTES = ("README", "NUMERICS", "PAPER_MAP", "CHANGELOG", "ARCHITECTURE", "CONTRIBUTING")


def linked(text):
    """Links between files of the repository become links between pages of the site."""
    text = re.sub(r"\]\((?:\.\./)?(" + "|".join(NOTES) + r")\.md", lambda m: f"](/generated/{m[1].lower()}.md", text)
    text = re.sub(r"\]\((?:\.\./)?figures/data/", "](/generated/", text)
    text = re.sub(r"\]\((?:\.\./)?CITATION.cff", "](/generated/CITATION.cff", text)
    return text.replace("](docs/", "](/")


# --- the reference: one page for each face, one for each chapter


def chapters():
    """{folder: what it is} as ARCHITECTURE.md lists them."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^\d+\. `(\w+)` - (.*?)(?: \(.*\))?$", text, flags=re.M))


def modules(chapter):
    """{dotted name: syntax tree} of a chapter's modules, read and not imported: some need packages that are not here."""
    place = ROOT / chapter if chapter in ("derivations", "figures") else ROOT / "gating_theory" / chapter
    found = {}
    for file in sorted(place.rglob("*.py")):
        dotted = ".".join(["gating_theory", chapter, *file.relative_to(place).with_suffix("").parts])
        found[dotted.removesuffix(".__init__")] = ast.parse(file.read_text(encoding="utf-8"))
    return found


def public(tree, elsewhere=()):
    """{name: "class" or "function"} of what a module defines, or others do ({name: kind}), and it names in its ``__all__``."""
    listed, defined = [], dict(elsewhere)
    for node in tree.body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            defined[node.name] = "class" if isinstance(node, ast.ClassDef) else "function"
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            listed = [element.value for element in getattr(node.value, "elts", ()) if isinstance(element, ast.Constant)]
    return {name: defined[name] for name in listed if name in defined}


def sentence(words):
    return f"{words[0].upper()}{words[1:]}."


def eval_rst(lines):
    return ["```{eval-rst}", *lines, "```", ""]


def on_face(face):
    """{name: (kind, module where it is defined)} of what a face passes on or defines and no narrower face does."""
    if face == "gating_theory.interop.torch":  # PyTorch is not here
        trees = modules("interop")
        homes = {name: face for name in public(trees[face])}
        for node in trees[face].body:  # what it passes on stands in modules beside it
            if isinstance(node, ast.ImportFrom) and node.level == 1:
                homes |= {alias.name: f"gating_theory.interop.{node.module}" for alias in node.names}
        kinds = {name: public(trees[home]).get(name) for name, home in homes.items() if home in trees}
        return {name: (kind, homes[name]) for name, kind in public(trees[face], kinds).items() if kind}
    names, module = {}, import_module(face)
    narrower = tuple(f for f in FACES if f.startswith(f"{face}."))
    for name in module.__all__:
        thing = getattr(module, name)
        home = getattr(thing, "__module__", None)
        # built-in cells, submodules and constants have no signature of their own
        if callable(thing) and home and type(thing).__name__ != "Cell" and not (narrower and home.startswith(narrower)):
            names[name] = ("class" if isinstance(thing, type) else "function", home)
    return names


def face_page(face, names):
    """The names that users write, in the order of the chapters in which they live."""
    words = chapters()
    page = [f"# {face}", "", *eval_rst([f".. automodule:: {face}", "   :no-members:", ""])]
    for chapter in ("errors", *words):
        here = [(name, kind) for name, (kind, home) in names.items() if home.split(".")[1] == chapter]
        if here and face == "gating_theory":
            page += [f"## {chapter}", "", *([sentence(words[chapter]), ""] if chapter in words else [])]
        if here:
            page += eval_rst([row for name, kind in here for row in (f".. auto{kind}:: {face}.{name}", "")])
    return "\n".join(page)


def chapter_page(chapter, words, on_faces):
    """The chapter's modules, each with its docstring and what is public in it; what a face passes on is described there."""
    page = [f"# {chapter}", "", sentence(words), ""]
    for dotted, tree in modules(chapter).items():
        if not public(tree) or dotted in FACES:
            continue
        rows, passed_on = [f".. automodule:: {dotted}", "   :no-members:", ""], []
        for name, kind in public(tree).items():
            if (name, dotted) in on_faces:
                passed_on.append(f":py:obj:`{name} <{on_faces[name, dotted]}.{name}>`")
            else:
                rows += [f".. auto{kind}:: {dotted}.{name}", ""]
        if passed_on:
            rows += [f"For users: {', '.join(passed_on)}.", ""]
        page += [f"## {dotted.removeprefix('gating_theory.')}", "", *eval_rst(rows)]
    return "\n".join(page)


def reference(write):
    faces = {face: on_face(face) for face in FACES}
    # narrower faces first: the name that most users write stands last and wins
    on_faces = {(name, home): face for face in reversed(FACES) for name, (_, home) in faces[face].items()}
    for face, names in faces.items():
        write(f"{face.replace('.', '_')}.md", face_page(face, names))
    for chapter, words in chapters().items():
        write(f"chapter_{chapter}.md", chapter_page(chapter, words, on_faces))
    users = ", ".join(f"[{face}]({face.replace('.', '_')}.md)" for face in FACES)
    page = [
        "# The chapters",
        "",
        "Each folder of the package is a chapter; later ones stand on earlier ones ([architecture](architecture.md)).",
        f"What users import is on the pages {users}. These pages hold what is public inside, for those who add to it.",
        "",
        *["```{toctree}", ":maxdepth: 1", *(f"chapter_{chapter}" for chapter in chapters()), "```", ""],
    ]
    write("chapters.md", "\n".join(page))


# --- other pages that are made


def theory(write):
    if not (GENERATED / "theory.md").exists():  # minutes of symbolic algebra: made once, removed by `make clean`
        from gating_theory import derivations

        results = derivations.derive_all()
        failed = [result.name for result in results if not result.proved]
        if failed:
            raise RuntimeError(f"proofs failed: {failed}")
        write("theory.md", derivations.document(results))


def gallery(write):
    from gating_theory import figures

    page = ["# Gallery", "", "Made by `gating-theory figures --quick`; `--full` has larger networks and finer grids.", ""]
    # those of the last run of `gating-theory figures`, or else the ones that are kept
    places = [ROOT / "output" / "figures", HERE / "pictures", ROOT / "figures" / "data"]
    for name in figures.NAMES:
        script = import_module(f"gating_theory.figures.{name}")
        page += [f"## {script.TITLE}", "", f"`gating-theory figures {name}`. {script.__doc__.splitlines()[0]}", ""]
        picture = next((p for p in (place / f"{name}.png" for place in places) if p.exists()), None)
        if picture is not None:
            shutil.copyfile(picture, GENERATED / f"gallery_{picture.name}")
            page += [f"![{name}](gallery_{picture.name})", ""]
    write("gallery.md", "\n".join(page))


def write_pages():
    """Pages that stand elsewhere or are made: notes, reference, theory, gallery."""
    GENERATED.mkdir(exist_ok=True)
    kept = {"theory.md"}

    def write(name, text):
        path = GENERATED / name
        kept.add(name)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")

    for name in NOTES:
        write(f"{name.lower()}.md", linked((ROOT / f"{name}.md").read_text(encoding="utf-8")))
    # experiments with training in full, which take most of an hour
    for name in ("training", "trained_modes"):
        for suffix in ("png", "txt"):
            shutil.copyfile(ROOT / "figures" / "data" / f"{name}.{suffix}", GENERATED / f"{name}.{suffix}")
    shutil.copyfile(ROOT / "CITATION.cff", GENERATED / "CITATION.cff")
    reference(write)
    theory(write)
    gallery(write)
    for page in GENERATED.glob("*.md"):
        if page.name not in kept:
            page.unlink()


write_pages()


# --- hooks


def on_the_site(app, name, source):
    """The links of pages in docs."""
    source[0] = linked(source[0])


def plain(app, what, name, thing, options, lines):
    """Docstrings are plain text: what reStructuredText would take for markup is text, but for ``literals``."""
    for i, line in enumerate(lines):
        pieces = re.split(r"(``.*?``|:\w+:`.*?`)", line)
        pieces[::2] = [re.sub(r"([*|`]|(?<=\w)_(?!\w))", r"\\\1", piece) for piece in pieces[::2]]
        lines[i] = "".join(pieces)
    lines[:] = raised(lines)


def raised(lines):
    """Errors that stand on one line with their reason, on two, as napoleon wants them."""
    out, within = [], False
    for line, after in zip(lines, [*lines[1:], ""]):
        if after and set(after) == {"-"}:
            within = line == "Raises"
        names, colon, why = line.partition(" : ")
        out += [names, f"    {why}"] if within and colon and not line.startswith(" ") else [line]
    return out


def setup(app):
    """Called by Sphinx."""
    app.connect("source-read", on_the_site)
    # before napoleon, which reads the sections
    app.connect("autodoc-process-docstring", plain, priority=100)
