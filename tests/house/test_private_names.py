"""A name with an underscore stays in its module: no other module and no test takes it, by import, as attribute or in a string."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = "gating_theory"
#: Folders of the repository, and the packages that the modules in them belong to; tests import one another by their last name.
PLACES = {"gating_theory": PACKAGE, "derivations": f"{PACKAGE}.derivations", "figures": f"{PACKAGE}.figures", "tests": ""}
FILES = sorted((file, place) for place in PLACES for file in (ROOT / place).rglob("*.py"))
HELPERS = {file.stem for file, place in FILES if place == "tests"}

#: A path to something private in the package, as ``monkeypatch.setattr`` takes it.
_PATH = re.compile(rf"{PACKAGE}(\.\w+)*\._(?!_)\w+(\.\w+)*")
#: Functions that take an attribute by its name.
_BY_NAME = {"setattr", "getattr", "delattr", "hasattr", "object"}


def private(name):
    """Names such as __doc__ and _repr_latex_ are protocols of others."""
    return name.startswith("_") and not name.endswith("_")


def ours(module):
    """Whether a module is the project's own."""
    return module.partition(".")[0] == PACKAGE or module in HELPERS


def absolute(node, package):
    """The module that ``from ... import`` names."""
    if not node.level:
        return node.module
    base = package.split(".")
    base = base[: len(base) - node.level + 1]
    return ".".join([*base, *filter(None, [node.module])])


def imported(tree, package):
    """(names that stand for modules and things of the project, what is wrong with the imports themselves)."""
    names, wrong = set(), []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {a.asname or a.name.partition(".")[0] for a in node.names if ours(a.name)}
        elif isinstance(node, ast.ImportFrom) and ours(absolute(node, package)):
            names |= {a.asname or a.name for a in node.names}
            parts = [*absolute(node, package).split("."), *(a.name for a in node.names)]
            wrong += [(node.lineno, part) for part in parts if private(part)]
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and by_string(node.value):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names, wrong


def called(node):
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def text(node):
    """What a string begins with, whether it is put together or not."""
    if isinstance(node, ast.JoinedStr) and node.values:
        node = node.values[0]
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def by_string(call):
    """Whether a call is import_module of a module of the project."""
    return called(call) == "import_module" and bool(call.args) and text(call.args[0]).partition(".")[0] in (PACKAGE, "")


def root(node):
    """The name that a chain of attributes starts from."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def findings(source, package=""):
    """(line, name) of all private names of other modules that a source takes."""
    tree = ast.parse(source)
    names, wrong = imported(tree, package)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and private(node.attr):
            direct = isinstance(node.value, ast.Call) and by_string(node.value)
            if direct or root(node.value) in names:
                wrong.append((node.lineno, node.attr))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _PATH.fullmatch(node.value):
            wrong.append((node.lineno, node.value))
        elif isinstance(node, ast.Call) and called(node) in _BY_NAME and len(node.args) > 1:
            if root(node.args[0]) in names and private(text(node.args[1])):
                wrong.append((node.lineno, text(node.args[1])))
    return wrong


@pytest.mark.parametrize("place", PLACES)
def test_private_names_stay_at_home(place):
    wrong, read = [], 0
    for file, where in FILES:
        if where == place:
            package = ".".join(filter(None, [PLACES[place], *file.relative_to(ROOT / place).parent.parts]))
            found = findings(file.read_text(encoding="utf-8"), package)
            wrong += [f"{file.relative_to(ROOT)}:{line} takes {name}" for line, name in found]
            read += 1
    assert read > 5 and not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "source",
    [
        "from gating_theory.counting.onset import _largest",
        "from ..counting._inner import something",
        "from .onset import public, _largest as largest",
        "from strategies import _h",
        "import gating_theory as gt\ngt.counting.onset._largest(1)",
        "import gating_theory.counting.onset\ngating_theory.counting.onset._largest",
        "from gating_theory.dynamics import chaos as c\ndef test(): return c._measured",
        "from gating_theory import Network\nNetwork._fields",
        "from importlib import import_module\nm = import_module('gating_theory.counting.onset')\nm._largest",
        "import importlib\nimportlib.import_module('gating_theory.counting.onset')._largest",
        "import importlib\nm = importlib.import_module(f'gating_theory.{name}')\nm._largest",
        "def test(monkeypatch): monkeypatch.setattr('gating_theory.counting.onset._largest', None)",
        "from gating_theory.dynamics import chaos\nmonkeypatch.setattr(chaos, '_measured', None)",
        "from gating_theory.dynamics import chaos\ngetattr(chaos, '_measured')",
        "from gating_theory.dynamics import chaos\nwith patch.object(chaos, '_measured', None): pass",
    ],
)
def test_this_is_found(source):
    assert len(findings(source, "gating_theory.mean_field")) == 1


@pytest.mark.parametrize(
    "source",
    [
        "from __future__ import annotations",
        "import gating_theory as gt\ngt.__version__\ngt.fixed_points",
        "from .onset import public\nclass A:\n    def f(self): return self._own",
        "from gating_theory.dynamics import chaos\nchaos.__doc__\nchaos.measured_exponent",
        "import io as _io\n_io.StringIO",
        "x = 'gating_theory.counting.onset.complexity'",
        "_x = 1\nprint(_x)",
    ],
)
def test_this_is_not(source):
    assert not findings(source, "gating_theory.mean_field")
