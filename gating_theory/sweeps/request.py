"""What a phase diagram was asked for: names of quantities, taken apart and checked."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..ensemble.hyperparameters import is_of_hyperparameters
from ..ensemble.paths import EnsemblePath, path_of, require_apart
from ..support.checks import meant, shown, texts
from .quantities import CRITICAL, QUANTITIES, forms, is_built_in, names

if TYPE_CHECKING:
    from ..ensemble.ensemble import Ensemble
    from .quantity import CriticalQuantity, Quantity

__all__ = ["Request", "quantity_request", "requests"]


@dataclass(frozen=True)
class Request:
    """A quantity taken apart: "onset:gain.h" is the entry "onset" with the path "gain.h".

    Attributes
    ----------
    name : str
    entry : Quantity or CriticalQuantity
    texts : tuple of str, what follows the colon, split at commas
    arguments : tuple, the same as its function takes it: EnsemblePaths of a critical value
    bounds : tuple of (low, high) or None
        Between which each of these paths is searched where its own span does not do; empty if all do.
    """

    name: str
    entry: Quantity | CriticalQuantity
    texts: tuple[str, ...] = ()
    arguments: tuple = ()
    bounds: tuple = ()

    @property
    def kind(self) -> str:
        """The name of the entry."""
        return self.name.partition(":")[0]

    @property
    def own(self) -> bool:
        """Whether it was registered from outside."""
        return not is_built_in(self.kind)

    def value(self, source: Any, options: Mapping[str, Any]) -> Any:
        """What the entry's function gives for a source (an Ensemble, a FixedPoint, ...)."""
        more = {"bounds": self.bounds} if self.bounds else {}
        return self.entry.function(source, *self.arguments, **{name: options[name] for name in self.entry.options}, **more)

    def description(self) -> str | dict[str, Any]:
        """JSON-ready, for journals: the name, with all that identifies the function where it is not the package's."""
        if not self.own:
            return self.name
        # critical quantities cannot be registered
        of = cast("Quantity", self.entry).of
        return {"name": self.name, "of": of, "options": list(self.entry.options)} | _text(self.entry.function)


def _text(function):
    """What is known of a function in words: where it is defined and how."""
    if isinstance(function, partial):
        return {"partial": _text(function.func), "arguments": repr(function.args), "keywords": repr(function.keywords)}
    thing = function if hasattr(function, "__qualname__") else type(function)
    try:
        source = inspect.getsource(thing)
    except (OSError, TypeError):  # typed at a prompt, or compiled
        source = None
    return {"function": f"{thing.__module__}.{thing.__qualname__}", "source": source}


def requests(quantities: Any, ensemble: Ensemble, axes: Mapping[EnsemblePath, np.ndarray] | None = None) -> list[Request]:
    """The quantities asked for, each once.

    Parameters
    ----------
    quantities : str or sequence of str
    ensemble : Ensemble, whose paths critical values may name
    axes : mapping from paths to their values, optional, which critical values may name too

    Raises
    ------
    TypeError, ValueError
        no names, unknown ones, or none at all; naming what is allowed
    """
    allowed = [*names(), *forms()]
    if isinstance(quantities, str):
        quantities = (quantities,)
    given = dict.fromkeys(texts("quantities", quantities, "names"))
    asked = list({request.name: request for request in (_request(name, ensemble, axes or {}, allowed) for name in given)}.values())
    if not asked:
        raise ValueError(f"quantities must name at least one quantity, got none; allowed are {allowed}")
    return asked


def _request(name, ensemble, axes, allowed):
    kind, colon, rest = name.partition(":")
    if colon and kind in CRITICAL:
        return _critical_request(name, kind, rest.split(","), ensemble, axes, allowed)
    return quantity_request("quantities", name, ensemble, allowed)


def quantity_request(argument: str, name: str, ensemble: Ensemble, allowed: list[str]) -> Request:
    """One quantity that is no critical value.

    Parameters
    ----------
    argument : str, what messages call it
    name : str
    ensemble : Ensemble
    allowed : list of str, what messages list

    Raises
    ------
    ValueError
        an unknown one, or not what it takes
    """
    kind, colon, rest = name.partition(":")
    entry = QUANTITIES.get(kind)
    if entry is None or bool(entry.form) != bool(colon):
        raise ValueError(f"{argument} has the unknown entry {shown(name)}{meant(name, allowed)}; allowed are {allowed}")
    if not entry.form or entry.parse is None:
        return Request(name, entry)
    texts = tuple(rest.split(","))
    try:
        return Request(name, entry, texts, entry.parse(texts, ensemble.cell))
    except ValueError:
        raise ValueError(f"{argument}: {kind} takes {entry.takes}, got {shown(name)}; allowed are {allowed}") from None


def _critical_request(name, kind, texts, ensemble, axes, allowed):
    entry = CRITICAL[kind]
    paths = tuple(_path(text.strip(), ensemble, axes) for text in texts)
    if len(paths) != len(entry.paths) or len(set(paths)) != len(paths):
        raise ValueError(f"quantities: {kind} takes {len(entry.paths)} distinct path(s), got {shown(name)}; allowed are {allowed}")
    if entry.third is not None and entry.third.path is not None and paths[entry.third.path].span is None:
        raise ValueError(f"quantities: {shown(name)} needs the value of {paths[-1]}, which no ensemble shows: it is a function")
    bounds = tuple(_bounds(path, axes) for path in paths)
    for path, limits in zip(paths, bounds):
        for axis, values in axes.items():
            if axis not in paths:
                require_apart(f"quantities: {shown(name)}", axis, path, ensemble, (values[0], path.within(limits)[0]))
    texts = tuple(path.name for path in paths)
    return Request(f"{kind}:{','.join(texts)}", entry, texts, paths, bounds if any(bounds) else ())


def _path(text, ensemble, axes):
    """A path by its name: one of the axes', which may be a direction or a function, or any that is given by a text."""
    named = [axis for axis in axes if axis.name == text]
    path = named[0] if named else path_of("quantities", text, ensemble)
    return next((axis for axis in axes if axis == path), path)


def _bounds(path, axes):
    """Where to search along an axis that is a direction or a function: over its values."""
    if path not in axes or is_of_hyperparameters(path.name):
        return None
    low, high = path.span or (np.inf, -np.inf)
    low, high = min(low, float(axes[path].min())), max(high, float(axes[path].max()))
    if not low < high:
        raise ValueError(f"axes[{path.name!r}] must have two values, between which critical ones are looked for, got {low}")
    return low, high
