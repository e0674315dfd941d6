"""Every public callable says what it does, names its parameters and what it raises: public means named in an ``__all__``."""

import importlib
import inspect
import pkgutil
import re
from functools import cache
from pathlib import Path

import pytest
import sympy

import gating_theory as gt

#: All modules are imported, once.
pytestmark = pytest.mark.xdist_group("docstrings")

#: All modules, and the packages that speak for the modules in them.
_MODULES = sorted(m.name.removeprefix("gating_theory.") for m in pkgutil.walk_packages(gt.__path__, "gating_theory."))


@cache
def documented():
    """(label, object, owner) of all public functions, classes and public methods and properties."""
    seen = {}

    def add(label, thing, owner=None):
        if id(thing) not in seen:
            seen[id(thing)] = (label, thing, owner)

    def add_class(label, cls):
        add(label, cls)
        if issubclass(cls, sympy.Basic):
            return  # its methods are sympy's protocol and documented there
        for name, member in vars(cls).items():
            if name.startswith("_"):
                continue
            if isinstance(member, (classmethod, staticmethod)):
                member = member.__func__
            if inspect.isfunction(member) or isinstance(member, property) or hasattr(member, "func"):
                add(f"{label}.{name}", member, cls)

    for name in _MODULES:
        module = importlib.import_module(f"gating_theory.{name}")
        for public in getattr(module, "__all__", ()):
            thing = getattr(module, public)
            label = f"{name.rpartition('.')[2]}.{public}"
            if inspect.isclass(thing):
                add_class(label, thing)
            elif callable(thing) and not isinstance(thing, gt.Cell):
                add(label, thing)
    return list(seen.values())


def text(thing):
    return inspect.getdoc(thing) or ""


def names(thing):
    return [p for p in inspect.signature(thing).parameters if p not in ("self", "cls")]


def test_there_is_a_public_surface():
    labels = [label for label, _, _ in documented()]
    for expected in (
        "fixed_points.fixed_points",
        "spectrum.Spectrum",
        "spectrum.Spectrum.mass",
        "network.Network.sample",
        "store.load",
    ):
        assert expected in labels
    for name in gt.__all__:
        assert getattr(gt, name) is not None


def _wrong_first_line(doc, owner):
    """What is wrong with how a docstring begins, or None."""
    if not doc:
        return "there is no docstring"
    first = doc.splitlines()[0]
    if len(first) < (10 if owner is None else 4):
        return f"{first!r} says nothing"
    return None if first.rstrip()[-1] in ".:?)]" else f"the first line is not a sentence: {first!r}"


def test_docstrings_say_what_things_are():
    wrong = {label: _wrong_first_line(text(thing), owner) for label, thing, owner in documented()}
    assert not {label: words for label, words in wrong.items() if words} and len(wrong) > 500


#: Folders and modules whose functions name all their parameters, also those that stand in no face. One more is welcome.
WHOLE = (
    "running",
    "ensemble",
    "mean_field",
    "dynamics",
    "sweeps",
    "interop.torch",
    "interop.layers",
    "interop.layouts",
    "interop.readers",
    "training",
)


def _functions_of_modules():
    """(label, function) of every function in an ``__all__`` of these modules."""
    out = {}
    for name in _MODULES:
        if not any(name == whole or name.startswith(f"{whole}.") for whole in WHOLE):
            continue
        module = importlib.import_module(f"gating_theory.{name}")
        for public in getattr(module, "__all__", ()):
            thing = getattr(module, public)
            if inspect.isfunction(thing):
                out.setdefault(id(thing), (f"{name}.{public}", thing))
    return list(out.values())


def _public_functions():
    out = []
    for name in gt.__all__:
        thing = getattr(gt, name)
        if inspect.isfunction(thing):
            out.append((name, thing))
        if inspect.isclass(thing) and not issubclass(thing, sympy.Basic):
            for member_name, member in vars(thing).items():
                member = member.__func__ if isinstance(member, (classmethod, staticmethod)) else member
                if not member_name.startswith("_") and inspect.isfunction(member):
                    out.append((f"{name}.{member_name}", member))
    for package in (gt.plotting, gt.flow):
        for member in package.__all__:
            if inspect.isfunction(getattr(package, member)):
                out.append((f"{package.__name__.rpartition('.')[2]}.{member}", getattr(package, member)))
    known = {id(thing) for _, thing in out}
    return out + [(label, thing) for label, thing in _functions_of_modules() if id(thing) not in known]


def _not_named(label, thing):
    """Parameters that the docstring of a function does not mention."""
    doc = text(thing)
    if "arguments as in" in doc.lower() or "parameters, errors: as" in doc.lower():
        return []
    missing = [name for name in names(thing) if not re.search(rf"\b{re.escape(name)}\b", doc)]
    if missing:
        # a class documents what all its methods take, such as the array lambda of a Spectrum
        owner = getattr(gt, label.partition(".")[0], None)
        missing = [name for name in missing if not (name == "lam" and "lambda" in text(owner))]
    return missing


def test_parameters_are_named():
    missing = {label: _not_named(label, thing) for label, thing in _public_functions()}
    assert not {label: words for label, words in missing.items() if words} and len(missing) > 200


@pytest.mark.parametrize(
    "label, thing",
    [
        (n, getattr(gt, n))
        for n in ("fixed_points", "onset", "fold", "tricritical", "phase_diagram", "save", "load", "Network", "Cell", "Ensemble")
    ],
)
def test_errors_are_listed(label, thing):
    assert re.search(r"Raises|errors: as|Error", text(thing)), f"{label} does not say what it raises"


def test_modules_have_docstrings():
    docs = {module: (importlib.import_module(f"gating_theory.{module}").__doc__ or "").strip() for module in _MODULES}
    assert not [module for module, doc in docs.items() if not doc or doc.splitlines()[0].rstrip()[-1] not in ".:?]"]


def test_tests_say_what_they_prove():
    """The line that is printed of a slow test without a docstring of its own is that of its file."""
    files = [path for path in Path(__file__).parents[1].rglob("test_*.py")]
    assert not [path.name for path in files if not path.read_text(encoding="utf-8").startswith('"""')] and len(files) > 100
