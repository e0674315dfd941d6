"""Signatures with the types as the source has them: "Rng" instead of the union of what that stands for."""

import inspect

__all__ = ["as_written", "signature"]


class _Written(str):
    """A type or a default in a signature, without quotes."""

    __repr__ = str.__str__


def _plain(parameter):
    default, annotation = parameter.default, parameter.annotation
    if annotation is not parameter.empty:
        annotation = _Written(annotation if isinstance(annotation, str) else inspect.formatannotation(annotation))
    if default is not parameter.empty and "<" in repr(default):  # what a dataclass makes for each object
        default = _Written("...")
    return parameter.replace(default=default, annotation=annotation)


def signature(thing, bound=False):
    """(arguments, type of what is returned) in text; ``bound`` leaves out the first argument, the object or class itself."""
    found = inspect.signature(thing)
    shown = [_plain(p) for p in found.parameters.values() if not p.name.startswith("_")][bool(bound) :]
    returned = found.return_annotation
    arguments = str(found.replace(parameters=shown, return_annotation=found.empty))
    return arguments, None if isinstance(thing, type) or returned is found.empty else str(returned)


def as_written(app, what, name, thing, options, arguments, returned):
    """Called by Sphinx for each object; None leaves what it has found."""
    if what in ("class", "function"):
        try:
            return signature(thing)
        except (TypeError, ValueError):  # exceptions have no signature of their own
            return None
    if what == "method":
        owner = name.rpartition(".")[0]
        return signature(thing, bound=not _static(owner, name))
    return None


def _static(owner, name):
    from importlib import import_module

    module, _, cls = owner.rpartition(".")
    found = inspect.getattr_static(getattr(import_module(module), cls), name.rpartition(".")[2])
    return isinstance(found, staticmethod) or (isinstance(found, classmethod))
