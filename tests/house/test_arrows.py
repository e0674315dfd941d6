"""Imports point one way: from later chapters of ARCHITECTURE.md to earlier ones, in no circle, also those inside functions."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

#: All files are parsed, once.
pytestmark = pytest.mark.xdist_group("arrows")

ROOT = Path(__file__).parents[2]
#: Folders of the repository that are installed as parts of the package.
PLACES = {"gating_theory": ROOT / "gating_theory", "gating_theory.derivations": ROOT / "derivations"}
PLACES["gating_theory.figures"] = ROOT / "figures"


def chapters():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    return [name for _, name in re.findall(r"^(\d+)\. `(\w+)`", text, flags=re.M)]


@cache
def modules():
    """{module: its file} of the package."""
    found = {}
    for package, place in PLACES.items():
        for file in place.rglob("*.py"):
            name = ".".join([package, *file.relative_to(place).with_suffix("").parts])
            found[name.removesuffix(".__init__")] = file
    return found


@cache
def statements(file):
    """The imports of a file, and its calls of what imports by name."""
    nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    return [n for n in nodes if isinstance(n, (ast.Import, ast.ImportFrom)) or isinstance(n, ast.Call) and imports_by_name(n)]


def imports_by_name(call):
    return getattr(call.func, "id", getattr(call.func, "attr", "")) in ("import_module", "__import__")


@cache
def arrows():
    """(importing module, imported module) for every import statement of a module that is no face."""
    found, pairs = modules(), set()
    for name, file in found.items():
        if file.name == "__init__.py" or name == "gating_theory.__main__":
            continue
        for node in statements(file):
            if isinstance(node, ast.ImportFrom):
                base = name.split(".")[: -node.level] if node.level else []
                stem = ".".join([*base, *filter(None, [node.module])])
                wanted = [f"{stem}.{a.name}" if f"{stem}.{a.name}" in found else stem for a in node.names]
            elif isinstance(node, ast.Import):
                wanted = [a.name for a in node.names]
            else:
                continue
            pairs |= {(name, other) for other in wanted if other in found and other != name}
    return pairs


def chapter(module):
    return module.split(".")[1] if module.count(".") else ""


def test_every_folder_is_a_chapter():
    folders = {chapter(m) for m, f in modules().items() if m.count(".") >= 2 or f.name == "__init__.py"} - {""}
    assert folders == set(chapters())


def test_no_arrow_runs_up():
    place = {name: i for i, name in enumerate(chapters())}
    # a figure's script says `import gating_theory as gt` as any user does
    wrong = [(a, b) for a, b in arrows() if chapter(b) and place.get(chapter(a), -1) < place.get(chapter(b), -1)]
    assert not wrong


def test_only_users_of_the_package_take_its_face():
    assert not [a for a, b in arrows() if b == "gating_theory" and chapter(a) not in ("derivations", "figures", "cli")]


def test_there_is_no_circle():
    graph = {}
    for a, b in arrows():
        if b != "gating_theory":
            graph.setdefault(a, set()).add(b)
    state, circles = {}, []

    def visit(module, path):
        state[module] = "open"
        for other in graph.get(module, ()):
            if state.get(other) == "open":
                circles.append([*path[path.index(other) :], other])
            elif other not in state:
                visit(other, [*path, other])
        state[module] = "closed"

    for module in list(graph):
        if module not in state:
            visit(module, [module])
    assert not circles


def test_modules_imported_by_name_are_those_of_architecture():
    """import_module hides arrows from this file: it may stand only where ARCHITECTURE.md says why."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    allowed = set(re.findall(r"^- `([\w/]+\.py)`: by name", text, flags=re.M))
    found = set()
    for name, file in modules().items():
        if any(isinstance(node, ast.Call) for node in statements(file)):
            package = max((p for p in PLACES if name.startswith(p)), key=len)
            place = file.relative_to(PLACES[package]).as_posix()
            found.add(place if package == "gating_theory" else f"{package.rpartition('.')[2]}/{place}")
    assert found == allowed
