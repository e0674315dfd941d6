"""Every public callable has types: of each parameter and of what it returns; public means named in an ``__all__``."""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest
import sympy

import gating_theory as gt

_MODULES = sorted(m.name for m in pkgutil.walk_packages(gt.__path__, "gating_theory."))


def functions():
    """(label, function) of all public functions, constructors written by hand, methods and getters of properties."""
    seen = {}

    def add(label, function):
        seen.setdefault(id(function), (label, function))

    for name in _MODULES:
        module = importlib.import_module(name)
        for public in getattr(module, "__all__", ()):
            thing = getattr(module, public)
            label = f"{name.removeprefix('gating_theory.')}.{public}"
            if inspect.isclass(thing):
                for member_label, member in members(thing):
                    add(f"{label}.{member_label}", member)
            elif callable(thing):
                thing = inspect.unwrap(thing)
                # an object that can be called is an instance of a class, which is read where it is public
                if inspect.isfunction(thing):
                    add(label, thing)
    return list(seen.values())


def members(cls):
    if issubclass(cls, sympy.Basic):
        return  # its methods are sympy's protocol
    for name, member in vars(cls).items():
        if name.startswith("_") and name not in ("__init__", "__call__", "__float__"):
            continue
        if isinstance(member, (classmethod, staticmethod)):
            member = member.__func__
        elif isinstance(member, property):
            member = member.fget
        elif hasattr(member, "func"):
            member = member.func  # a cached property
        if inspect.isfunction(member) and member.__module__.startswith("gating_theory"):
            yield name, member


FUNCTIONS = functions()


def untyped(function):
    signature = inspect.signature(function)
    missing = [p.name for p in signature.parameters.values() if p.annotation is p.empty and p.name not in ("self", "cls")]
    # a dataclass writes __init__ itself, with the types of its fields
    if signature.return_annotation is signature.empty:
        missing.append("return")
    return missing


def test_the_face_is_read():
    labels = {label.split(".", 1)[1] if label.startswith("flow.flow") else label for label, _ in FUNCTIONS}
    for expected in ("mean_field.fixed_points.fixed_points", "spectrum.spectrum.Spectrum.mass", "networks.network.Network.sample"):
        assert expected in labels


@pytest.mark.parametrize("label, function", FUNCTIONS, ids=[label for label, _ in FUNCTIONS])
def test_everything_has_a_type(label, function):
    assert not untyped(function), f"{label} has no type for {untyped(function)}"


def test_a_users_script_names_the_whole_face():
    # what a strict type checker reads (make lint)
    text = Path(__file__).with_name("user_script.py").read_text(encoding="utf-8")
    for prefix, face in (("gt", gt), ("gt.flow", gt.flow), ("gt.plotting", gt.plotting)):
        named = set(re.findall(rf"\b{re.escape(prefix)}\.(\w+)", text))
        assert not set(face.__all__) - named, f"user_script.py leaves out some of {face.__name__}"
