"""Every public callable says what it does, names its parameters and what it raises: public means named in an ``__all__``."""

import importlib
import inspect
import pkgutil
import re
from functools import cache
from pathlib import Path

import pytest
import sympy
from docstring_checks import markup, parsed, wrong_lists, wrong_markup
from faces import members, objects

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


def _asked():
    """What users import, with the members of classes, but built-in cells: their texts are made from their equations."""
    return [d for entry in objects().values() for d in [entry, *members(entry.name)] if not isinstance(d.thing, gt.Cell)]


def test_sections_are_numpydocs_and_prose_is_plain():
    """numpydoc reads all sections, and reStructuredText sees no markup that nobody means: formulas stand in literals."""
    wrong = {documented.name: wrong_markup(documented.text) for documented in _asked()}
    assert not {name: words for name, words in wrong.items() if words}


def test_lists_hold_what_is_there():
    """Lists of parameters hold all of a signature and nothing else; lists of attributes, attributes; of errors, types."""
    wrong = {documented.name: wrong_lists(documented) for documented in _asked()}
    assert not {name: words for name, words in wrong.items() if words}


def test_every_object_has_an_example():
    assert not [entry.name for entry in objects().values() if ">>>" not in entry.text]


def test_the_checks_see_faults():
    assert not markup("The *leak* of ``z*h``, a_k and [T3], x \\* y; see `text <https://example.org>`_.")
    for text in (
        "of |lambda| > 1",
        "the `leak`",
        "m_ of it",
        "see [T3]_",
        "**bold**",
        "a *b\\*c* d",
        "a *b",
        "a\n  b\nc",
        ":nothing:`x`",
    ):
        assert markup(text), text
    assert parsed("A line.\n\n    Errors\n    ------\n    None\n")[1] and parsed("A.\n\n    Notes\n    ----\n    None\n")[1]
    assert wrong_markup("A line.\n\nNotes\n-----\nText.\n\nReturns\n-------\nint\n")


class Faulty:
    """A class.

    Parameters
    ----------
    there : int
    gone : int
    Prose that is no parameter.

    Attributes
    ----------
    there : int
    nowhere : int
    """

    def __init__(self, there, missing):
        self.there = there

    def method(self, a, b):
        """A method.

        Parameters
        ----------
        a : int

        Returns
        -------
        int
        that is large

        Raises
        ------
        ValueError : for no reason
        """


def test_phantoms_are_seen():
    from faces import Documented

    wrong = "\n".join(wrong_lists(Documented("Faulty", Faulty, "house")))
    for part in ("'gone' is not", "'Prose that is no parameter.' is not", "'nowhere' is none", "'missing' is missing"):
        assert part in wrong
    assert len(wrong.splitlines()) == 4
    wrong = "\n".join(wrong_lists(Documented("Faulty.method", Faulty.method, "house", Faulty)))
    assert "'b' is missing" in wrong and "2 entries" in wrong and "no list of types" in wrong
